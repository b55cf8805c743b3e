//! The recycle bin: deleted users can be brought back for a time, then they are purged.
//!
//! From the moment of its deletion a user is nowhere but here: its tokens are gone for good, its username,
//! email and mobile number are free for others. Who has lain here for longer than the setting allows reads as
//! gone, whether or not it has been purged yet.

use std::time::Duration;

use serde_json::json;

use super::access::{Actor, Deed, Who, may, may_deal_in};
use super::audit::{self, Object};
use super::error::Error;
use super::listing::{DeletedQuery, Page};
use super::model::{Moment, User, UserId, UserKey};
use super::store::Tx;
use super::store::deleted::{Remains, count, page};
use super::{Directory, users};

/// Users purged in one transaction, so that other writers need not wait long.
const BATCH: i64 = 200;

/// Somebody in the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedUser {
    /// Its id, which it will have again.
    pub id: UserId,
    /// Its username, which somebody else may have meanwhile.
    pub username: String,
    /// Its email address.
    pub email: Option<String>,
    /// When it was deleted.
    pub deleted_at: Moment,
    /// By whom: a username, or the operator's name.
    pub deleted_by: String,
}

impl DeletedUser {
    /// When it will be purged.
    pub fn purge_at(&self, kept_for: Duration) -> Moment {
        self.deleted_at.plus(kept_for).unwrap_or(Moment::LAST)
    }
}

impl Directory {
    /// How long deleted users are kept.
    pub fn deleted_kept_for(&self) -> Duration {
        self.keep_deleted_for
    }

    fn kept_since(&self) -> Moment {
        self.clock.now().saturating_sub(self.keep_deleted_for)
    }

    /// A page of the bin.
    pub async fn list_deleted(
        &self,
        actor: &Actor,
        query: &DeletedQuery,
    ) -> Result<Page<DeletedUser>, Error> {
        may(actor, Deed::ReadDeleted)?;
        let since = self.kept_since();
        self.page(query, page(query, since), count(query, since)).await
    }

    /// Brings a user back with its groups, permissions and password, as far as those still exist. Its tokens
    /// do not come back.
    pub async fn restore_user(&self, actor: &Actor, id: UserId) -> Result<User, Error> {
        let (actor, now, since) = (actor.clone(), self.clock.now(), self.kept_since());
        self.store
            .write(move |tx| {
                let (_, Remains { user, password, permissions }) = binned(tx, id, since)?;
                may(&actor, Deed::RestoreUser(&user))?;
                users::keep_unique(tx, &user)?;
                tx.unbin_user(id)?;
                let user = User { updated_at: now, ..user };
                tx.insert_user(Some(id), &user, &password)?;
                for group in &user.groups {
                    if tx.group(&super::model::GroupKey::Id(*group))?.is_some() {
                        tx.add_member(*group, id)?;
                    }
                }
                tx.set_user_permissions(id, &permissions)?;
                may_deal_in(&actor, &tx.rights(id)?)?;
                let back = users::whole(tx, &UserKey::Id(id))?;
                let picture = audit::whole(back.picture());
                audit::record(tx, now, &actor, "user.restore", &Object::User(&back.user), picture)?;
                Ok(back.user)
            })
            .await
    }

    /// Removes somebody from the bin for good.
    pub async fn purge_user(&self, actor: &Actor, id: UserId) -> Result<DeletedUser, Error> {
        let (actor, now, since) = (actor.clone(), self.clock.now(), self.kept_since());
        self.store
            .write(move |tx| {
                let (deleted, Remains { user, .. }) = binned(tx, id, since)?;
                may(&actor, Deed::DeleteUser(&user))?;
                tx.unbin_user(id)?;
                audit::record(tx, now, &actor, "user.purge", &Object::User(&user), json!({}))?;
                Ok(deleted)
            })
            .await
    }

    /// Removes everybody for good who has lain here for too long; tells how many. No answer depends on it.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        let (now, until) = (self.clock.now(), self.kept_since());
        let actor = Actor::operator("retention");
        let mut purged = 0;
        loop {
            let actor = actor.clone();
            let batch = self.store.write(move |tx| {
                let expired = tx.deleted_until(until, BATCH)?;
                for deleted in &expired {
                    tx.unbin_user(deleted.id)?;
                    let object = Object::Gone(deleted.id, &deleted.username);
                    audit::record(tx, now, &actor, "user.purge", &object, json!({}))?;
                }
                Ok(expired.len())
            });
            match batch.await? {
                0 => return Ok(purged),
                more => purged += more,
            }
        }
    }
}

/// Takes a user away: into the bin, or for good when nothing is kept.
pub(super) fn take_away(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    user: &User,
    kept_for: Duration,
) -> Result<(), Error> {
    if kept_for.is_zero() {
        return tx.delete_user(user.id);
    }
    let by = match &actor.who {
        Who::Operator(name) => name.as_str(),
        Who::Person(identity) => identity.user.username.as_str(),
        Who::Anonymous => "",
    };
    tx.bin_user(user, now, by)
}

fn binned(tx: &Tx<'_>, id: UserId, since: Moment) -> Result<(DeletedUser, Remains), Error> {
    tx.deleted(id, since)?.ok_or_else(|| Error::not_found("deleted user", UserKey::Id(id)))
}
