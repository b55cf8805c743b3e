//! The recycle bin: deleted users can be brought back for a time, then they are purged.
//!
//! From the moment of its deletion a user is nowhere but here: its tokens are gone for good, its username,
//! email and mobile number are free for others. Who has lain here for longer than the setting allows reads as
//! gone, whether or not it has been purged yet.

use std::time::Duration;

use serde_json::json;

use super::access::{Action, Actor, Who, authorize};
use super::audit::{self, Object};
use super::change::{Change, Written};
use super::error::Error;
use super::guard::taken::Names;
use super::model::{DeletedUser, GroupKey, RestorableUser, Timestamp, User, UserId, UserKey};
use super::query::{DeletedQuery, Page};
use super::store::deleted::{count, page};
use super::{Directory, users};

/// Users purged in one transaction, so that other writers need not wait long.
const BATCH: i64 = 200;

impl Directory {
    /// How long deleted users are kept.
    pub fn deleted_kept_for(&self) -> Duration {
        self.policy.keep_deleted_for
    }

    fn kept_since(&self) -> Timestamp {
        self.clock.now().saturating_sub(self.policy.keep_deleted_for)
    }

    /// A page of the bin.
    pub async fn list_deleted(
        &self,
        actor: &Actor,
        query: &DeletedQuery,
    ) -> Result<Page<DeletedUser>, Error> {
        authorize(actor, Action::ReadDeleted)?;
        let since = self.kept_since();
        self.page(query, page(query, since), count(query, since)).await
    }

    /// Brings a user back with its groups, permissions and password, as far as those still exist. Its tokens
    /// do not come back.
    pub async fn restore_user(&self, actor: &Actor, id: UserId) -> Result<Written<User>, Error> {
        self.change_names(actor, Names::OthersLate, move |change| {
            let tx = change.tx;
            let (_, RestorableUser { user, password, permissions }) = binned(change, id)?;
            tx.unbin_user(id)?;
            users::check_returning(change, &user)?;
            let user = User { updated_at: change.now, ..user };
            tx.insert_user(Some(id), &user, &password)?;
            for group in &user.groups {
                if tx.group(&GroupKey::Id(*group))?.is_some() {
                    tx.add_member(*group, id)?;
                }
            }
            tx.set_user_permissions(id, &permissions)?;
            change.check(Action::RestoreUser(&user, &tx.rights(id)?.into()))?;
            let back = users::whole(tx, &UserKey::Id(id))?;
            let restored = audit::whole(users::picture(&back.user, &back.codes));
            audit::record(change, "user.restore", &Object::User(&back.user), restored)?;
            Ok(change.written(back.user, Action::ReadUsers))
        })
        .await
    }

    /// Removes somebody from the bin for good.
    pub async fn purge_user(&self, actor: &Actor, id: UserId) -> Result<DeletedUser, Error> {
        self.change(actor, move |change| {
            let (deleted, RestorableUser { user, permissions, .. }) = binned(change, id)?;
            let rights = change.tx.rights_from(&user.groups, &permissions)?;
            change.check(Action::DeleteUser(&user, &rights.into()))?;
            change.tx.unbin_user(id)?;
            audit::record(change, "user.purge", &Object::User(&user), json!({}))?;
            Ok(deleted)
        })
        .await
    }

    /// Removes everybody for good who has lain here for too long; tells how many. No answer depends on it.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        let until = self.kept_since();
        let actor = Actor::operator("retention");
        let mut purged = 0;
        loop {
            let batch = self.change(&actor, move |change| {
                let expired = change.tx.deleted_until(until, BATCH)?;
                for deleted in &expired {
                    change.tx.unbin_user(deleted.id)?;
                    let object = Object::Gone(deleted.id, &deleted.username);
                    audit::record(change, "user.purge", &object, json!({}))?;
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
pub(super) fn take_away(change: &Change<'_, '_>, user: &User) -> Result<(), Error> {
    // What came of the user's sign-ins may be somebody else's.
    change.tx.revoke_sign_ins(user.id, None, change.now)?;
    if change.policy.keep_deleted_for.is_zero() {
        return change.tx.delete_user(user.id);
    }
    let by = match &change.actor.who {
        Who::Operator(name) => name.as_str(),
        Who::Person(identity) => identity.user.username.as_str(),
        Who::Anonymous => "",
    };
    change.tx.bin_user(user, change.now, by)
}

fn binned(change: &Change<'_, '_>, id: UserId) -> Result<(DeletedUser, RestorableUser), Error> {
    let found = change.tx.deleted(id, change.bin_since())?;
    found.ok_or_else(|| Error::not_found("deleted user", UserKey::Id(id)))
}
