//! Inserts a few rows that are in memory, such as the demo's: one transaction inserts all of them or none.

use serde_json::json;

use crate::directory::access::{Action, Actor, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{
    Group, GroupId, GroupKey, Maker, Permission, Timestamp, TokenId, TokenKey, TokenKind, User, UserId,
    Violation,
};
use crate::directory::secret::prints_only;
use crate::directory::store::Tx;
use crate::directory::store::tokens::NewToken;
use crate::directory::{Directory, tokens};

/// The rows to insert.
#[derive(Clone, Debug, Default)]
pub struct SeedRows {
    /// Groups.
    pub groups: Vec<Group>,
    /// Users, with the groups they belong to.
    pub users: Vec<SeedUser>,
    /// Tokens with their keys.
    pub tokens: Vec<SeedToken>,
}

/// A user with the encoded hash of its password.
#[derive(Clone)]
pub struct SeedUser {
    /// The row.
    pub user: User,
    /// The hash in Django's encoding; `!` and anything after it means no password.
    pub password: String,
}

prints_only!(SeedUser: user);

/// A token with a key that its owner already has.
#[derive(Clone, Debug)]
pub struct SeedToken {
    /// Its id; by default one that the database assigns.
    pub id: Option<TokenId>,
    /// The owner.
    pub user_id: UserId,
    /// The name that lists show.
    pub name: String,
    /// The key in clear text; only its digest is stored.
    pub key: TokenKey,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

impl Directory {
    /// Inserts rows with the ids they have; all of them or none.
    pub async fn seed(&self, actor: &Actor, rows: SeedRows) -> Result<(), Error> {
        authorize(actor, Action::Import)?;
        let (actor, now, policy) = (actor.clone(), self.clock.now(), self.policy.clone());
        self.store
            .write_alone(move |tx| {
                let change = Change::begin(tx, now, &actor, policy.clone())?;
                change.check(Action::Import)?;
                rows.groups
                    .iter()
                    .try_for_each(|group| tx.insert_group(Some(group.id), group, false).map(|_| ()))?;
                rows.users.iter().try_for_each(|user| insert_user(tx, user))?;
                rows.tokens.into_iter().try_for_each(|token| insert_token(tx, token))?;
                tx.count_ids_on()?;
                let counts = json!({ "groups": rows.groups.len(), "users": rows.users.len() });
                audit::record(&change, "directory.import", &AuditObject::Directory, counts)
            })
            .await
    }

    /// Inserts permissions of other services with the ids they have; all of them or none.
    pub async fn seed_permissions(&self, actor: &Actor, permissions: Vec<Permission>) -> Result<(), Error> {
        self.change(actor, move |change| {
            change.check(Action::Import)?;
            permissions.iter().try_for_each(|Permission { id, code, name }| {
                change.tx.put_permission(Some(id.get()), *code, name)
            })?;
            let counts = json!({ "permissions": permissions.len() });
            audit::record(change, "directory.import", &AuditObject::Directory, counts)
        })
        .await
    }
}

fn insert_user(tx: &Tx<'_>, SeedUser { user, password }: &SeedUser) -> Result<(), Error> {
    tx.insert_user(Some(user.id), user, password, false)?;
    user.groups.iter().try_for_each(|group| add_member(tx, *group, user.id))
}

fn add_member(tx: &Tx<'_>, group: GroupId, user: UserId) -> Result<(), Error> {
    tx.group(&GroupKey::Id(group))?
        .ok_or_else(|| Error::invalid("groups", &Violation::NoSuchObject(group.get())))?;
    tx.add_member(group, user).map(|_| ())
}

fn insert_token(tx: &Tx<'_>, token: SeedToken) -> Result<(), Error> {
    let kind = TokenKind::Imported;
    let row =
        tokens::new_token(token.user_id, token.name, kind, &token.key, token.created_at, token.expires_at);
    let row = NewToken { made_by: Maker::Import, ..row };
    match token.id {
        Some(id) => tx.insert_token_with_id(id, row).map(|_| ()),
        None => tx.insert_token(row).map(|_| ()),
    }
}
