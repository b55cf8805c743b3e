//! A dry run: checks whether differences can be written, and keeps the records that a writing transaction needs.

use std::sync::Arc;

use super::Apply;
use crate::directory::model::{Group, GroupId, User, UserId};
use crate::directory::store::Tx;
use crate::directory::store::numbered::Numbered;
use crate::directory::transfer::import::difference::{
    DeletedGroupDifference, DeletedUserDifference, EndedTokenDifference, GroupDifference,
    PermissionDifference, TokenDifference, UserDifference,
};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::missing::Missing;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::import::options::ImportOptions;
use crate::directory::transfer::import::validation::Validation;
use crate::directory::transfer::record::{Record, id_of};

/// A unique value that a user of the source gets, and another user has.
struct HeldValue {
    field: String,
    holder: i64,
    username: String,
}

/// Takes differences and writes nothing.
pub(in crate::directory::transfer::import) struct DryRun {
    validation: Arc<Validation>,
    sync: bool,
    delete_missing: bool,
    /// Records that are new or differ, unless there are more than `limit`.
    records: Option<Vec<Record>>,
    limit: usize,
    /// Groups without an id so far.
    new_groups: u64,
    held: Vec<HeldValue>,
    conflicts: Notices,
}

impl DryRun {
    /// Begins a dry run that keeps at most `limit` records.
    pub(in crate::directory::transfer::import) fn new(
        validation: Arc<Validation>,
        options: &ImportOptions,
        limit: usize,
    ) -> Self {
        Self {
            validation,
            sync: options.sync,
            delete_missing: options.delete_missing,
            records: Some(Vec::new()),
            limit,
            new_groups: 0,
            held: Vec::new(),
            conflicts: Notices::default(),
        }
    }

    /// Returns the conflicts, once it is known what is missing, and the records unless they are too many.
    pub(in crate::directory::transfer::import) fn finish(
        mut self,
        missing: &Missing,
    ) -> (Notices, Option<Vec<Record>>) {
        self.check_holders(missing);
        (self.conflicts, self.records)
    }

    fn keep(&mut self, record: Record) {
        if let Some(records) = &mut self.records {
            records.push(record);
            if records.len() > self.limit {
                self.records = None;
            }
        }
    }

    fn note_holders(&mut self, tx: &Tx<'_>, user: &User) -> Result<(), ImportError> {
        let held = tx.holders(user)?.into_iter();
        self.held.extend(held.map(|Numbered(field, holder)| HeldValue {
            field,
            holder,
            username: user.username.clone(),
        }));
        Ok(())
    }

    /// No user of the recycle bin comes back, and none gets the id of another one that is there.
    fn check_bin(&mut self, tx: &Tx<'_>, user: &User) -> Result<(), ImportError> {
        let Some(name) = tx.name_in_bin(user.id.get())? else { return Ok(()) };
        if name == user.username {
            self.conflicts.add(
                "users that were deleted here are in the source (delete them there, or restore or purge them here)",
                format!("{} {:?}", user.id, user.username),
            );
        } else {
            self.conflicts.add(
                "the id belongs to a deleted user here that has another name (purge that user: `wardroom user purge ID`)",
                format!("id {}: {name:?} here, {:?} there", user.id, user.username),
            );
        }
        Ok(())
    }

    /// The same about groups.
    fn check_group_bin(&mut self, tx: &Tx<'_>, group: &Group) -> Result<(), ImportError> {
        let Some(name) = tx.group_name_in_bin(group.id.get())? else { return Ok(()) };
        if name == group.name {
            self.conflicts.add(
                "groups that were deleted here are in the source (delete them there, or restore or purge them here)",
                format!("{} {:?}", group.id, group.name),
            );
        } else {
            self.conflicts.add(
                "the id belongs to a deleted group here that has another name (purge that group: `wardroom group purge ID`)",
                format!("id {}: {name:?} here, {:?} there", group.id, group.name),
            );
        }
        Ok(())
    }

    /// A user that has a value of another must be about to lose it, or to be deleted.
    fn check_holders(&mut self, missing: &Missing) {
        for HeldValue { field, holder, username } in std::mem::take(&mut self.held) {
            let is_deleted = self.delete_missing && missing.has_user(holder);
            let is_changed = self.sync && self.validation.has_user(holder) && !self.validation.omits(&field);
            if !is_deleted && !is_changed {
                self.conflicts.add(
                    &format!("another user here has the {}", field.replace('_', " ")),
                    format!("user {holder} here has that of {username:?}"),
                );
            }
        }
    }
}

impl Apply for DryRun {
    fn permission(&mut self, _: &Tx<'_>, difference: PermissionDifference) -> Result<(), ImportError> {
        self.keep(Record::Permission(difference.record));
        Ok(())
    }

    /// A new group gets an id that no other has, for the users that refer to it by name.
    fn group(&mut self, tx: &Tx<'_>, difference: GroupDifference) -> Result<GroupId, ImportError> {
        if difference.old.is_none() {
            self.check_group_bin(tx, &difference.new.group)?;
        }
        self.keep(Record::Group(difference.record));
        if difference.new.group.id != GroupId::UNSAVED {
            return Ok(difference.new.group.id);
        }
        self.new_groups += 1;
        Ok(id_of(i64::MAX.saturating_sub_unsigned(self.new_groups))?)
    }

    fn deleted_user(&mut self, _: &Tx<'_>, difference: DeletedUserDifference) -> Result<(), ImportError> {
        self.keep(Record::DeletedUser(difference.record));
        Ok(())
    }

    fn deleted_group(&mut self, _: &Tx<'_>, difference: DeletedGroupDifference) -> Result<(), ImportError> {
        self.keep(Record::DeletedGroup(difference.record));
        Ok(())
    }

    fn users(&mut self, tx: &Tx<'_>, differences: Vec<UserDifference>) -> Result<(), ImportError> {
        for UserDifference { record, old, new } in differences {
            self.keep(Record::User(record));
            if old.is_none() {
                self.check_bin(tx, &new.user)?;
            }
            self.note_holders(tx, &new.user)?;
        }
        Ok(())
    }

    fn tokens(&mut self, _: &Tx<'_>, differences: Vec<TokenDifference>) -> Result<(), ImportError> {
        differences.into_iter().for_each(|difference| self.keep(Record::Token(difference.record)));
        Ok(())
    }

    fn ended_tokens(
        &mut self,
        _: &Tx<'_>,
        differences: Vec<EndedTokenDifference>,
    ) -> Result<(), ImportError> {
        differences.into_iter().for_each(|difference| self.keep(Record::EndedToken(difference.record)));
        Ok(())
    }

    fn unwritten_user(&self) -> Option<UserId> {
        Some(UserId::UNSAVED)
    }
}
