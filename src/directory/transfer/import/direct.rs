//! A few rows that are at hand, such as the demo's: one transaction takes all of them or none.

use serde_json::json;

use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{
    Group, GroupId, GroupKey, Maker, Timestamp, TokenKey, TokenKind, User, UserId, Violation,
};
use crate::directory::secret::prints_only;
use crate::directory::store::Tx;
use crate::directory::store::tokens::NewToken;
use crate::directory::{Directory, tokens};

/// What is brought in.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Groups, before the users that belong to them.
    pub groups: Vec<Group>,
    /// Users, with the groups they belong to.
    pub users: Vec<ImportedUser>,
    /// Tokens with their keys.
    pub tokens: Vec<ImportedToken>,
}

/// A user with the encoded hash of its password.
#[derive(Clone)]
pub struct ImportedUser {
    /// The row.
    pub user: User,
    /// The hash in Django's encoding; `!` and anything after it means no password.
    pub password: String,
}

prints_only!(ImportedUser: user);

/// A token that goes on working with the key its owner has.
#[derive(Clone, Debug)]
pub struct ImportedToken {
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called in lists.
    pub name: String,
    /// The key in clear text; only its digest is kept.
    pub key: TokenKey,
    /// When it was made, there.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Directory {
    /// Brings rows in; all of them or none.
    pub async fn import(&self, actor: &Actor, records: Records) -> Result<(), Error> {
        authorize(actor, Action::Import)?;
        let (actor, now, policy) = (actor.clone(), self.clock.now(), self.policy);
        self.store
            .write_alone(move |tx| {
                let change = Change::begin(tx, now, &actor, policy)?;
                change.check(Action::Import)?;
                records
                    .groups
                    .iter()
                    .try_for_each(|group| tx.insert_group(Some(group.id), group).map(|_| ()))?;
                records.users.iter().try_for_each(|user| insert_user(tx, user))?;
                records.tokens.into_iter().try_for_each(|token| insert_token(tx, token))?;
                tx.count_ids_on()?;
                let counts = json!({ "groups": records.groups.len(), "users": records.users.len() });
                audit::record(&change, "directory.import", &AuditObject::Directory, counts)
            })
            .await
    }
}

fn insert_user(tx: &Tx<'_>, imported: &ImportedUser) -> Result<(), Error> {
    let user = &imported.user;
    tx.insert_user(Some(user.id), user, &imported.password)?;
    user.groups.iter().try_for_each(|group| join(tx, *group, user.id))
}

fn join(tx: &Tx<'_>, group: GroupId, user: UserId) -> Result<(), Error> {
    tx.group(&GroupKey::Id(group))?
        .ok_or_else(|| Error::invalid("groups", &Violation::NoSuchObject(group.get())))?;
    tx.add_member(group, user).map(|_| ())
}

fn insert_token(tx: &Tx<'_>, token: ImportedToken) -> Result<(), Error> {
    let kind = TokenKind::Imported;
    let row =
        tokens::new_token(token.user_id, token.name, kind, &token.key, token.created_at, token.expires_at);
    tx.insert_token(NewToken { made_by: Maker::Import, ..row }).map(|_| ())
}
