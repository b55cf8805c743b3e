//! The recycle bin: deleted users and groups can be restored for a time, then they are purged.
//!
//! A deleted user exists only here: its tokens are removed permanently, and its username, email and mobile number are free for
//! admins to give to others. A user that has been here for longer than the setting allows reads as purged, whether or not it
//! has been purged yet.
//!
//! A user and a group that were both deleted find each other again, in whichever order they were deleted and are restored.

pub(super) mod groups;

use std::time::Duration;

use serde_json::json;

use super::access::{Action, Actor, authorize};
use super::audit::{self, AuditObject};
use super::change::{Change, Written};
use super::error::Error;
use super::model::{DeletedUser, Expected, GroupKey, RestorableUser, Timestamp, User, UserId, UserKey};
use super::query::{DeletedQuery, Page};
use super::store::deleted::{count, page};
use super::unique_values::UniqueValues;
use super::{Directory, users};

/// Users or groups purged in one transaction, so that other writers do not wait long.
const BATCH: i64 = 200;

impl Directory {
    /// Returns how long deleted users and groups are kept.
    pub fn deleted_kept_for(&self) -> Duration {
        self.policy.keep_deleted_for
    }

    fn kept_since(&self) -> Timestamp {
        self.clock.now().saturating_sub(self.policy.keep_deleted_for)
    }

    /// Returns a page of the users in the recycle bin.
    pub async fn list_deleted(
        &self,
        actor: &Actor,
        query: &DeletedQuery,
    ) -> Result<Page<DeletedUser>, Error> {
        authorize(actor, Action::ReadDeleted)?;
        let since = self.kept_since();
        self.page(query, page(query, since), count(query, since)).await
    }

    /// Removes a user with its tokens, keeps the rest in the recycle bin for a time, and returns the user.
    pub async fn delete_user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        self.delete_user_if(actor, key, Expected::Any).await
    }

    /// Does the same, unless the user's state is not the expected one.
    pub async fn delete_user_if(
        &self,
        actor: &Actor,
        key: &UserKey,
        expected: Expected,
    ) -> Result<User, Error> {
        let key = key.clone();
        self.change(actor, move |change| remove(change, &key, &expected)).await
    }

    /// Restores a user with its password and with the groups and permissions that still exist. Its tokens are not restored.
    pub async fn restore_user(&self, actor: &Actor, id: UserId) -> Result<Written<User>, Error> {
        self.change_unique(actor, UniqueValues::OthersAfterWrites, move |change| {
            Ok(change.written(restore(change, id)?, Action::ReadUsers))
        })
        .await
    }

    /// Removes a user from the recycle bin permanently.
    pub async fn purge_user(&self, actor: &Actor, id: UserId) -> Result<DeletedUser, Error> {
        self.change(actor, move |change| purge(change, id)).await
    }

    /// Purges the users and groups that have been here for longer than the setting allows, and returns their number. No answer depends
    /// on it.
    pub async fn purge_expired(&self) -> Result<usize, Error> {
        let until = self.kept_since();
        let actor = Actor::operator("retention");
        let mut purged = 0;
        loop {
            let batch = self.change(&actor, move |change| {
                let expired = change.tx.deleted_until(until, BATCH)?;
                for deleted in &expired {
                    change.tx.unbin_user(deleted.id)?;
                    change.tx.forget_deleted_memberships(deleted.id)?;
                    let object = AuditObject::Gone(deleted.id, &deleted.username);
                    audit::record(change, "user.purge", &object, json!({}))?;
                }
                Ok(expired.len())
            });
            match batch.await? {
                0 => break,
                more => purged += more,
            }
        }
        Ok(purged + self.purge_expired_groups(&actor, until).await?)
    }
}

/// Restores a user, if the actor may.
pub(super) fn restore(change: &Change<'_, '_>, id: UserId) -> Result<User, Error> {
    let tx = change.tx;
    let (_, RestorableUser { user, password, permissions, made_here }) = binned(change, id)?;
    tx.unbin_user(id)?;
    users::check_returning(change, &user)?;
    let user = User { updated_at: change.now, ..user };
    tx.insert_user(Some(id), &user, &password, made_here)?;
    // Since when the address is the same, is not known any more.
    tx.note_mail_change(id, change.now)?;
    for group in &user.groups {
        if tx.group(&GroupKey::Id(*group))?.is_some() {
            tx.add_member(*group, id)?;
        } else {
            tx.add_to_deleted_group(*group, id, change.bin_since())?;
        }
    }
    tx.set_user_permissions(id, &tx.existing_permissions(&permissions)?)?;
    change.check(Action::RestoreUser(&user, &tx.rights(id)?.into()))?;
    change.check_power(None, &user)?;
    let back = tx.existing_user_state(&UserKey::Id(id))?;
    let restored = audit::all_fields(users::snapshot(&back.user, &back.codes));
    audit::record(change, "user.restore", &AuditObject::User(&back.user), restored)?;
    Ok(back.user)
}

/// Removes a user from the recycle bin, if the actor may.
pub(super) fn purge(change: &Change<'_, '_>, id: UserId) -> Result<DeletedUser, Error> {
    change.check_proof_age()?;
    let (deleted, RestorableUser { user, permissions, .. }) = binned(change, id)?;
    let rights = change.tx.rights_from(&user.groups, &permissions)?;
    change.check(Action::DeleteUser(&user, &rights.into()))?;
    change.tx.unbin_user(id)?;
    change.tx.forget_deleted_memberships(id)?;
    audit::record(change, "user.purge", &AuditObject::User(&user), json!({}))?;
    Ok(deleted)
}

/// Removes a user, if the actor may.
pub(super) fn remove(change: &Change<'_, '_>, key: &UserKey, expected: &Expected) -> Result<User, Error> {
    change.check_deletion()?;
    let tx = change.tx;
    let last = tx.existing_user_state(key)?;
    change.check(Action::DeleteUser(&last.user, &tx.rights(last.user.id)?.into()))?;
    users::check_version(&last, expected)?;
    if last.user.is_admin && last.user.is_active {
        users::check_last_admin(tx, last.user.id)?;
    }
    bin_or_delete(change, &last.user)?;
    let removed = audit::all_fields(users::snapshot(&last.user, &last.codes));
    audit::record(change, "user.delete", &AuditObject::User(&last.user), removed)?;
    Ok(last.user)
}

/// Moves a user to the recycle bin, or deletes it permanently if nothing is kept.
fn bin_or_delete(change: &Change<'_, '_>, user: &User) -> Result<(), Error> {
    // Tokens that came from the user's sign-ins may belong to other users.
    change.tx.revoke_sign_ins(user.id, None, change.now)?;
    change.withdraw(user.id, None)?;
    if change.policy.keep_deleted_for.is_zero() {
        change.tx.forget_deleted_memberships(user.id)?;
        return change.tx.delete_user(user.id, change.now);
    }
    change.tx.bin_user(user, change.now, change.actor_name())
}

/// Returns a user in the recycle bin, or [`Error::NotFound`].
fn binned(change: &Change<'_, '_>, id: UserId) -> Result<(DeletedUser, RestorableUser), Error> {
    let found = change.tx.deleted(id, change.bin_since())?;
    found.ok_or_else(|| Error::not_found("deleted user", UserKey::Id(id)))
}
