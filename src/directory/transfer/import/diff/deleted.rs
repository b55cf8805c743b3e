//! Compares the users and groups of a recycle bin.
//!
//! What is kept of them names others by their ids. An id that the source does not explain means nothing here, and may be that
//! of something else: a restore would then give a right that no one gave. So such ids are left out.

use serde_json::Value;

use super::{ANOTHER_DELETED_GROUP, ANOTHER_DELETED_USER, Diff};
use crate::directory::error::Error;
use crate::directory::model::Permission;
use crate::directory::model::stored::{StoredDeletedGroup, StoredDeletedUser};
use crate::directory::store::{self, Tx};
use crate::directory::transfer::import::apply::Apply;
use crate::directory::transfer::import::difference::{DeletedGroupDifference, DeletedUserDifference};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::validation::has_null;
use crate::directory::transfer::record::{DeletedGroupRecord, DeletedRecord};

impl Diff {
    pub(super) fn deleted_user(
        &mut self,
        tx: &Tx<'_>,
        record: DeletedRecord,
        target: &mut impl Apply,
    ) -> Result<(), ImportError> {
        let row = StoredDeletedUser::from(self.with_ids_of_here(tx, record.clone())?);
        let texts = [&row.username, &row.deleted_by, &row.remains].into_iter().chain(&row.email);
        if row.id <= 0 || has_null(texts) || self.validation.has_user(row.id) || tx.has_user(row.id)? {
            let conflict = "deleted users with an invalid id, the id of an existing user, or null characters";
            self.counts.conflicts.add(conflict, row.id);
            return Ok(());
        }
        let user = store::deleted::user_of(row.id, &row.remains).map_err(|error| {
            ImportError::Invalid(format!("the deleted user {} cannot be imported: {error}", row.id))
        })?;
        match tx.name_in_bin(row.id)? {
            Some(name) if name == row.username => {
                self.counts.deleted_users.unchanged += 1;
                return Ok(());
            }
            Some(name) => {
                let example = format!("id {}: {name:?} here, {:?} there", row.id, row.username);
                self.counts.conflicts.add(ANOTHER_DELETED_USER, example);
                return Ok(());
            }
            None => {}
        }
        self.counts.deleted_users.added += 1;
        target.deleted_user(tx, DeletedUserDifference { record, row, user })
    }

    /// Gives the permissions of a deleted user the ids that they have here, by their codes.
    fn with_ids_of_here(&self, tx: &Tx<'_>, mut record: DeletedRecord) -> Result<DeletedRecord, Error> {
        let known: Vec<Permission> = tx.all(&store::permissions::list())?;
        let id_here = |id: i64| {
            let code = self.validation.code_of_permission(id)?;
            known.iter().find(|permission| permission.code == code).map(|permission| permission.id.get())
        };
        map_ids(&mut record.remains, "permissions", id_here);
        map_ids(&mut record.remains, "groups", |id| self.validation.describes_group(id).then_some(id));
        Ok(record)
    }

    pub(super) fn deleted_group(
        &mut self,
        tx: &Tx<'_>,
        record: DeletedGroupRecord,
        target: &mut impl Apply,
    ) -> Result<(), ImportError> {
        let mut row = StoredDeletedGroup::from(record.clone());
        row.members.retain(|member| self.validation.describes_user(*member));
        let exists = self.validation.has_group_id(row.id) || self.known.group(row.id).is_some();
        if row.id <= 0 || has_null([&row.name, &row.deleted_by, &row.remains].into_iter()) || exists {
            let conflict =
                "deleted groups with an invalid id, the id of an existing group, or null characters";
            self.counts.conflicts.add(conflict, row.id);
            return Ok(());
        }
        let kept = store::deleted_groups::group_of(row.id, &row.name, &row.remains).map_err(|error| {
            ImportError::Invalid(format!("the deleted group {} cannot be imported: {error}", row.id))
        })?;
        match tx.group_name_in_bin(row.id)? {
            Some(name) if name == row.name => {
                self.counts.deleted_groups.unchanged += 1;
                return Ok(());
            }
            Some(name) => {
                let example = format!("id {}: {name:?} here, {:?} there", row.id, row.name);
                self.counts.conflicts.add(ANOTHER_DELETED_GROUP, example);
                return Ok(());
            }
            None => {}
        }
        self.counts.deleted_groups.added += 1;
        target.deleted_group(tx, DeletedGroupDifference { record, row, notes: kept.group.notes })
    }
}

/// Replaces the ids of a list, and removes those that `map` does not know. What is no list of numbers is left for the check
/// of the whole.
fn map_ids(remains: &mut Value, list: &str, map: impl Fn(i64) -> Option<i64>) {
    let Some(ids) = remains.get_mut(list).and_then(Value::as_array_mut) else { return };
    if !ids.iter().all(Value::is_i64) {
        return;
    }
    let mut known: Vec<i64> = ids.iter().filter_map(Value::as_i64).filter_map(map).collect();
    known.sort_unstable();
    *ids = known.into_iter().map(Value::from).collect();
}
