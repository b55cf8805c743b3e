//! Changes that share a transaction: each goes by what the one before it has written.

use super::*;
use crate::database::testing::block;
use crate::directory::clock::Clock;
use crate::directory::error::Denial;
use crate::directory::model::{Expected, UserDraft, UserId, UserKey};
use crate::directory::store::testing::on_both;
use crate::directory::tokens::Expiry;

fn operator() -> Actor {
    Actor::operator("root")
}

/// Adds an active user of staff, who may be an admin, and returns it as an actor.
async fn add(directory: &Directory, name: &str, is_admin: bool) -> (UserKey, Actor) {
    let draft = UserDraft {
        username: Some(name.to_owned()),
        is_active: Some(true),
        is_staff: Some(true),
        is_admin: Some(is_admin),
        ..UserDraft::default()
    };
    let user: UserId = directory.create_user(&operator(), &draft, None).await.unwrap().id;
    let key = UserKey::Id(user);
    let token = directory.issue_token(&operator(), &key, "t", Expiry::Never).await.unwrap();
    let Ok(identity) = directory.authenticate(token.key.reveal(), None).await else { panic!("no identity") };
    (key, Actor { who: Who::Person(identity), origin: Origin::default() })
}

fn no_admin() -> UserDraft {
    UserDraft { is_admin: Some(false), is_staff: Some(false), ..UserDraft::default() }
}

fn named(first: Option<&str>, last: Option<&str>) -> UserDraft {
    UserDraft {
        first_name: first.map(str::to_owned),
        last_name: last.map(str::to_owned),
        ..UserDraft::default()
    }
}

/// Who is no admin any more changes nothing, though the same transaction began with reading that they are one. Changes of one
/// user add up, and a change of an older state is refused.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_transaction_go_by_each_other() {
    on_both(async |settings| {
        let directory = Directory::open(&settings, Clock::system().unwrap()).await.unwrap();
        let (_, ann) = add(&directory, "ann", true).await;
        let (bob_key, bob) = add(&directory, "bob", true).await;
        let (eve_key, _) = add(&directory, "eve", false).await;
        let old = Expected::OneOf(vec![
            directory.user_details(&ann, &eve_key).await.unwrap().version().as_str().to_owned(),
        ]);
        let change = |actor, key, draft| directory.update_user(actor, key, draft, None);
        let (demote, first, last, none) =
            (no_admin(), named(Some("Eve"), None), named(None, Some("Lee")), named(Some("None"), None));
        let blocker = block(&directory.store).await;
        let (demoted, refused, named_first, named_last, stale, issued, ()) = tokio::join!(
            change(&ann, &bob_key, &demote),
            change(&bob, &eve_key, &none),
            change(&ann, &eve_key, &first),
            change(&ann, &eve_key, &last),
            directory.update_user_if(&ann, &eve_key, &none, None, old),
            directory.issue_token(&bob, &eve_key, "t", Expiry::Never),
            async move { drop(blocker) },
        );
        assert!(demoted.is_ok() && named_first.is_ok() && named_last.is_ok());
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        assert!(matches!(stale, Err(Error::Stale("user"))), "{stale:?}");
        assert!(matches!(issued, Err(Error::Denied(_))), "a token was issued");
        let eve = directory.user(&operator(), &eve_key).await.unwrap();
        assert_eq!((eve.first_name.as_str(), eve.last_name.as_str()), ("Eve", "Lee"));
        assert_eq!(directory.verify_audit(&operator(), None).await.unwrap().why(), None);
    })
    .await;
}

/// Two admins who leave at the same time do not both leave.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays_in_a_shared_transaction() {
    on_both(async |settings| {
        let directory = Directory::open(&settings, Clock::system().unwrap()).await.unwrap();
        let (ann_key, _) = add(&directory, "ann", true).await;
        let (bob_key, _) = add(&directory, "bob", true).await;
        let (demote, root) = (no_admin(), operator());
        let blocker = block(&directory.store).await;
        let (one, other, ()) = tokio::join!(
            directory.update_user(&root, &ann_key, &demote, None),
            directory.update_user(&root, &bob_key, &demote, None),
            async move { drop(blocker) },
        );
        assert!(one.is_ok());
        assert!(matches!(other, Err(Error::Denied(Denial::LastAdmin))), "{other:?}");
        assert_eq!(directory.verify_audit(&root, None).await.unwrap().why(), None);
    })
    .await;
}
