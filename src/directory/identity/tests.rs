//! An identity to test with, and tests of the invalidations.

use super::invalidations::Invalidations;
use crate::directory::model::{
    Identity, IdentityChange, Maker, Narrowing, Timestamp, Token, TokenKind, User,
};

/// An active user without any right, and its token.
pub(crate) fn identity() -> Identity {
    let user = User { id: 1.try_into().unwrap(), ..User::new("ann".into(), Timestamp::EPOCH) };
    let token = Token {
        id: 1.try_into().unwrap(),
        user_id: user.id,
        name: "test".into(),
        kind: TokenKind::Api,
        prefix: "wrd_abcd".into(),
        last_four: "wxyz".into(),
        created_at: Timestamp::EPOCH,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        made_by: Maker::Operator,
        root: None,
        narrowing: Narrowing::default(),
        amr: None,
        idle_limit: None,
    };
    Identity { token, user, rights: vec![] }
}

#[test]
fn what_was_read_holds_until_a_change_of_its_user_is_applied() {
    let invalidations = Invalidations::new(64);
    invalidations.restart(10);
    let seen = invalidations.position();
    assert!(
        invalidations.holds(seen, 1) && invalidations.holds(seen, 2) && invalidations.holds_unknown(seen)
    );
    invalidations.apply([(11, IdentityChange::User(1))]);
    assert!(!invalidations.holds(seen, 1));
    assert!(invalidations.holds(seen, 2) && invalidations.holds_unknown(seen));
    assert!(invalidations.holds(invalidations.position(), 1), "what is read anew holds");
    invalidations.apply([(12, IdentityChange::Token(3))]);
    assert!(
        !invalidations.holds_unknown(seen) && !invalidations.holds(seen, 3) && invalidations.holds(seen, 2)
    );
    invalidations.apply([(13, IdentityChange::All)]);
    assert!(!invalidations.holds(seen, 2) && invalidations.holds(invalidations.position(), 2));
}

#[test]
fn a_new_history_ends_what_was_read_in_the_old_one_whatever_its_numbers() {
    let invalidations = Invalidations::new(64);
    invalidations.restart(100);
    invalidations.apply([(101, IdentityChange::User(7))]);
    let seen = invalidations.position();
    invalidations.restart(5);
    assert!(
        !invalidations.holds(seen, 7) && !invalidations.holds(seen, 8) && !invalidations.holds_unknown(seen)
    );
    let seen = invalidations.position();
    assert!(invalidations.holds(seen, 7), "a number of the old history is forgotten");
    invalidations.apply([(6, IdentityChange::User(7))]);
    assert!(!invalidations.holds(seen, 7));
}

#[test]
fn nothing_holds_before_the_first_history() {
    let invalidations = Invalidations::new(0);
    assert!(
        invalidations.holds(invalidations.position(), i64::MIN),
        "era 0 is a history of its own: nothing applied"
    );
}
