//! The permissions and groups of the account database, kept in memory while a source is compared with it.

use std::collections::{HashMap, HashSet};

use crate::directory::error::Error;
use crate::directory::model::stored::StoredGroup;
use crate::directory::model::{GroupId, Permission};
use crate::directory::store::{self, Tx, export_rows};
use crate::directory::transfer::record::{PermissionRecord, Reference};

/// The known permissions and groups. There are few, and users refer to them.
pub(super) struct KnownRows {
    /// Names by codes.
    permissions: HashMap<i64, String>,
    permission_ids: HashSet<i64>,
    groups: HashMap<i64, StoredGroup>,
    group_ids: HashMap<String, i64>,
    /// Groups that were created here and were not written by an import before.
    made_here: HashSet<i64>,
}

impl KnownRows {
    /// Reads all of them.
    pub(super) fn read(tx: &Tx<'_>) -> Result<Self, Error> {
        let permissions: Vec<Permission> = tx.all(&store::permissions::list())?;
        let groups: Vec<StoredGroup> = tx.all(&export_rows::groups())?;
        let group_ids = groups.iter().map(|row| (row.group.name.clone(), row.group.id.get())).collect();
        Ok(Self {
            permission_ids: permissions.iter().map(|permission| permission.id.get()).collect(),
            permissions: permissions
                .into_iter()
                .map(|permission| (permission.code, permission.name))
                .collect(),
            groups: groups.into_iter().map(|row| (row.group.id.get(), row)).collect(),
            group_ids,
            made_here: tx.groups_made_here()?.into_iter().collect(),
        })
    }

    /// Returns the name of the permission with this code.
    pub(super) fn permission(&self, code: i64) -> Option<&str> {
        self.permissions.get(&code).map(String::as_str)
    }

    /// Returns the code of another permission that has this one's name.
    pub(super) fn code_of_same_name(&self, record: &PermissionRecord) -> Option<i64> {
        let mut others = self.permissions.iter().filter(|(code, _)| **code != record.code);
        others.find(|(_, name)| **name == record.name).map(|(code, _)| *code)
    }

    /// Adds a permission, or gives it another name. Returns its id if that was free.
    pub(super) fn put_permission(&mut self, record: &PermissionRecord) -> Option<i64> {
        self.permissions.insert(record.code, record.name.clone());
        record.id.filter(|id| self.permission_ids.insert(*id))
    }

    /// Returns the group with this id.
    pub(super) fn group(&self, id: i64) -> Option<&StoredGroup> {
        self.groups.get(&id)
    }

    /// Returns whether a group was created here and was not written by an import before.
    pub(super) fn is_group_made_here(&self, id: i64) -> bool {
        self.made_here.contains(&id)
    }

    /// Counts a group as imported from now on. Returns whether it was not before.
    pub(super) fn take_over_group(&mut self, id: i64) -> bool {
        self.made_here.remove(&id)
    }

    /// Returns the id of the group with this name.
    pub(super) fn group_of_name(&self, name: &str) -> Option<i64> {
        self.group_ids.get(name).copied()
    }

    /// Returns the id of the group that a record refers to.
    pub(super) fn referenced_group(&self, reference: &Reference) -> Option<GroupId> {
        let id = match reference {
            Reference::Id(id) => self.groups.contains_key(id).then_some(*id),
            Reference::Name(name) => self.group_of_name(name),
        };
        id.and_then(|id| id.try_into().ok())
    }

    /// Adds a group, or replaces the row with its id.
    pub(super) fn put_group(&mut self, row: StoredGroup) {
        let (id, name) = (row.group.id.get(), row.group.name.clone());
        if let Some(old) = self.groups.insert(id, row) {
            self.group_ids.remove(&old.group.name);
        }
        self.group_ids.insert(name, id);
    }
}
