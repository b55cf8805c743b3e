//! Deleted groups: list, restore, remove permanently.
//!
//! A restore gives rights to the members who come back. So it needs what a new group with these rights and members would
//! need, besides the right to delete groups.

use serde_json::json;

use super::BATCH;
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Members, Rights, Who, authorize};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::{Change, Written};
use crate::directory::error::Error;
use crate::directory::groups;
use crate::directory::model::{DeletedGroup, Group, GroupId, GroupKey, RestorableGroup, Timestamp};
use crate::directory::query::{DeletedGroupQuery, Page};
use crate::directory::store::deleted_groups::{count, page};
use crate::directory::unique_values::UniqueValues;

impl Directory {
    /// Returns a page of the groups in the recycle bin.
    pub async fn list_deleted_groups(
        &self,
        actor: &Actor,
        query: &DeletedGroupQuery,
    ) -> Result<Page<DeletedGroup>, Error> {
        authorize(actor, Action::ReadDeletedGroups)?;
        let since = self.kept_since();
        self.page(query, page(query, since), count(query, since)).await
    }

    /// Restores a group with those of its members and permissions that still exist.
    pub async fn restore_group(&self, actor: &Actor, id: GroupId) -> Result<Written<Group>, Error> {
        self.change_unique(actor, UniqueValues::Others, move |change| {
            Ok(change.written(restore(change, id)?, Action::ReadGroups))
        })
        .await
    }

    /// Removes a group from the recycle bin permanently.
    pub async fn purge_group(&self, actor: &Actor, id: GroupId) -> Result<DeletedGroup, Error> {
        self.change(actor, move |change| purge(change, id)).await
    }

    /// Purges the groups that were deleted by a time, and returns their number.
    pub(super) async fn purge_expired_groups(&self, actor: &Actor, until: Timestamp) -> Result<usize, Error> {
        let mut purged = 0;
        loop {
            let batch = self.change(actor, move |change| {
                let expired = change.tx.deleted_groups_until(until, BATCH)?;
                for deleted in &expired {
                    change.tx.drop_deleted_group(deleted.id)?;
                    let object = AuditObject::GoneGroup(deleted.id, &deleted.name);
                    audit::record(change, "group.purge", &object, json!({}))?;
                }
                let ids: Vec<_> = expired.iter().map(|deleted| deleted.id).collect();
                change.tx.forget_groups_of_deleted_users(&ids)?;
                Ok(expired.len())
            });
            match batch.await? {
                0 => return Ok(purged),
                more => purged += more,
            }
        }
    }
}

/// Restores a group, if the actor may.
pub(in crate::directory) fn restore(change: &Change<'_, '_>, id: GroupId) -> Result<Group, Error> {
    let tx = change.tx;
    let (_, kept) = binned(change, id)?;
    change.check(Action::RestoreGroup(members(change, id)?, &rights(change, &kept)?))?;
    groups::check_name_returns(change, &kept.group)?;
    let group = Group { updated_at: change.now, ..kept.group };
    tx.unbin_group(&RestorableGroup { group, ..kept })?;
    let back = tx.existing_group(&GroupKey::Id(id))?;
    let mut restored = groups::snapshot(tx, &back)?;
    restored.push(("users_count", back.users_count.into()));
    audit::record(change, "group.restore", &AuditObject::Group(&back), audit::all_fields(restored))?;
    Ok(back)
}

/// Removes a group from the recycle bin, if the actor may.
pub(in crate::directory) fn purge(change: &Change<'_, '_>, id: GroupId) -> Result<DeletedGroup, Error> {
    change.check_proof_age()?;
    let (deleted, kept) = binned(change, id)?;
    change.check(Action::DeleteGroup(&kept.group, members(change, id)?, &rights(change, &kept)?))?;
    change.tx.drop_deleted_group(id)?;
    change.tx.forget_group_of_deleted_users(id)?;
    audit::record(change, "group.purge", &AuditObject::Group(&kept.group), json!({}))?;
    Ok(deleted)
}

/// Returns the rights that a deleted group would give.
fn rights(change: &Change<'_, '_>, kept: &RestorableGroup) -> Result<Rights, Error> {
    Ok(change.tx.existing_codes(&kept.permissions)?.into())
}

/// Describes the members who would get the rights of the group by a restore.
fn members(change: &Change<'_, '_>, id: GroupId) -> Result<Members, Error> {
    let actor = match &change.actor.who {
        Who::Person(identity) => Some(identity.user.id),
        Who::Operator(_) | Who::Anonymous => None,
    };
    change.tx.returning_members(id, actor)
}

/// Returns a group in the recycle bin, or [`Error::NotFound`].
fn binned(change: &Change<'_, '_>, id: GroupId) -> Result<(DeletedGroup, RestorableGroup), Error> {
    let found = change.tx.deleted_group(id, change.bin_since())?;
    found.ok_or_else(|| Error::not_found("deleted group", GroupKey::Id(id)))
}
