//! Compares records of a source with the account database: what is new, what differs, what is the same. It writes
//! nothing: an [`Apply`] takes the differences.

mod deleted;
mod ended_tokens;
mod tokens;
mod users;

use std::collections::HashSet;
use std::sync::Arc;

use super::apply::Apply;
use super::diff_counts::DiffCounts;
use super::difference::{GroupDifference, PermissionDifference};
use super::error::ImportError;
use super::known::KnownRows;
use super::same_object::is_same_group;
use super::validation::Validation;
use crate::directory::access::built_in;
use crate::directory::error::Error;
use crate::directory::model::stored::StoredGroup;
use crate::directory::model::{GroupId, Timestamp};
use crate::directory::store::Tx;
use crate::directory::transfer::record::{GroupRecord, PermissionRecord, Record, id_of};

/// Conflicts about an id that means one thing here and another in the source. `--sync` does not lift them.
const ANOTHER_GROUP: &str = "the id belongs to another group, which was created here (if both are the same, give the group \
     here the name that it has there: `wardroom group edit`; otherwise delete and purge it here, and create it again after the import)";
/// The same about a user in the recycle bin.
const ANOTHER_DELETED_USER: &str =
    "the id belongs to another deleted user here (if that user may go: `wardroom user purge ID`)";
/// The same about a group in the recycle bin.
const ANOTHER_DELETED_GROUP: &str =
    "the id belongs to another deleted group here (if that group may go: `wardroom group purge ID`)";
/// The same about a permission that the program itself checks.
const OWN_PERMISSION: &str =
    "the code belongs to a permission of Wardroom that has another name (change the record, or leave it out)";

/// Users or tokens whose stored rows are in memory at once.
const AT_ONCE: usize = 2000;

/// A comparison of a source with the account database.
pub(super) struct Diff {
    validation: Arc<Validation>,
    /// Whether rows that differ are overwritten. Otherwise they are conflicts.
    sync: bool,
    now: Timestamp,
    known: KnownRows,
    pub(super) counts: DiffCounts,
    /// Ids of users of the account database that the source names without an id.
    pub(super) found_by_name: HashSet<i64>,
    /// Users of the source that are active admins.
    pub(super) active_admins: u64,
}

impl Diff {
    /// Begins a comparison.
    pub(super) fn begin(
        tx: &Tx<'_>,
        validation: Arc<Validation>,
        sync: bool,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Ok(Self {
            validation,
            sync,
            now,
            known: KnownRows::read(tx)?,
            counts: DiffCounts::default(),
            found_by_name: HashSet::new(),
            active_admins: 0,
        })
    }

    /// Compares a batch of records and hands the differences to `target`: users after groups, tokens after users.
    pub(super) fn batch(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<Record>,
        target: &mut impl Apply,
    ) -> Result<(), ImportError> {
        let (mut users, mut tokens, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match record {
                Record::Wardroom(_) => {}
                Record::Permission(record) => self.permission(tx, record, target)?,
                Record::Group(record) => self.group(tx, record, target)?,
                Record::DeletedUser(record) => self.deleted_user(tx, record, target)?,
                Record::DeletedGroup(record) => self.deleted_group(tx, record, target)?,
                Record::User(record) => users.push(record),
                Record::Token(record) => tokens.push(record),
                Record::EndedToken(record) => ended.push(record),
            }
        }
        if !users.is_empty() {
            let differences = self.users(tx, users, target)?;
            target.users(tx, differences)?;
        }
        if !tokens.is_empty() {
            let differences = self.tokens(tx, tokens, target)?;
            target.tokens(tx, differences)?;
        }
        if !ended.is_empty() {
            let differences = self.ended_tokens(tx, ended, target)?;
            target.ended_tokens(tx, differences)?;
        }
        Ok(())
    }

    fn permission(
        &mut self,
        tx: &Tx<'_>,
        record: PermissionRecord,
        target: &mut impl Apply,
    ) -> Result<(), ImportError> {
        if let Some(code) = self.known.code_of_same_name(&record) {
            let example = format!("{:?}: {code} here, {} there", record.name, record.code);
            self.counts.conflicts.add("a permission here has the name, but another code", example);
            return Ok(());
        }
        match self.known.permission(record.code).map(str::to_owned) {
            Some(name) if name == record.name => {
                self.counts.permissions.unchanged += 1;
                return Ok(());
            }
            Some(name) if built_in(record.code).is_some() => {
                let example = format!("{}: {name:?} here, {:?} there", record.code, record.name);
                self.counts.conflicts.add(OWN_PERMISSION, example);
                return Ok(());
            }
            Some(name) => {
                self.counts.permissions.changed += 1;
                self.check_overwrite("permissions here differ", || format!("{} ({name})", record.code));
            }
            None => self.counts.permissions.added += 1,
        }
        let id = self.known.put_permission(&record);
        target.permission(tx, PermissionDifference { record, id })
    }

    fn group(
        &mut self,
        tx: &Tx<'_>,
        record: GroupRecord,
        target: &mut impl Apply,
    ) -> Result<(), ImportError> {
        self.check_codes(record.permissions.as_deref(), || format!("group {:?}", record.name));
        let same_name = self.known.group_of_name(&record.name);
        let id = record.id.or(same_name);
        let name_holder = same_name.filter(|holder| Some(*holder) != id);
        if let (Some(holder), Some(id)) = (name_holder, id)
            && !(self.sync && self.validation.has_group_id(holder))
        {
            let example = format!("{:?}: {holder} here, {id} there", record.name);
            self.counts.conflicts.add("a group here has the name, but another id", example);
            return Ok(());
        }
        let given: Option<GroupId> = id.map(id_of).transpose()?;
        let old = id.and_then(|id| self.known.group(id)).cloned();
        if let Some(StoredGroup { group, .. }) = &old
            && !is_same_group(&record, group, self.known.is_group_made_here(group.id.get()))
        {
            let example = format!("id {}: {:?} here, {:?} there", group.id, group.name, record.name);
            self.counts.conflicts.add(ANOTHER_GROUP, example);
            return Ok(());
        }
        let new = record.to_row(given.unwrap_or(GroupId::UNSAVED), old.as_ref(), self.now);
        match &old {
            Some(old) if *old == new => {
                self.counts.groups.unchanged += 1;
                // From now on it is the source's, which may rename it.
                let is_taken_over = self.sync && self.known.take_over_group(old.group.id.get());
                if !is_taken_over {
                    return Ok(());
                }
            }
            Some(old) => {
                self.counts.groups.changed += 1;
                self.check_overwrite("groups here differ", || {
                    format!("{} {:?}", old.group.id, old.group.name)
                });
            }
            None => self.counts.groups.added += 1,
        }
        let mut known = new.clone();
        known.group.id = target.group(tx, GroupDifference { record, old, new, name_holder })?;
        self.known.put_group(known);
        Ok(())
    }

    fn check_codes(&mut self, codes: Option<&[i64]>, holder: impl Fn() -> String) {
        for code in codes.unwrap_or_default() {
            if self.known.permission(*code).is_none() {
                let example = format!("{code} of {}", holder());
                self.counts.conflicts.add("there is no permission with the code", example);
            }
        }
    }

    /// Adds a conflict for a row that differs, unless it may be overwritten.
    fn check_overwrite(&mut self, conflict: &str, example: impl Fn() -> String) {
        if !self.sync {
            self.counts.conflicts.add(&format!("{conflict} (--sync overwrites them)"), example());
        }
    }
}
