//! One way through a source beside the directory: what is new, what is other, what is there already. A pass counts;
//! depending on its [`Mode`] it also writes.

mod tokens;
mod users;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::report::{Counts, Notices};
use super::survey::{Survey, has_null};
use super::{ImportError, Options, id_of};
use crate::directory::access::Actor;
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::stored::{WholeDeleted, WholeGroup};
use crate::directory::model::{GroupId, Permission, Timestamp};
use crate::directory::settings::ChangePolicy;
use crate::directory::store::inventory;
use crate::directory::store::{self, Tx};
use crate::directory::transfer::record::{DeletedRecord, GroupRecord, PermissionRecord, Record, Reference};

/// What a pass does besides counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing.
    Count,
    /// It writes what is new or other.
    Write,
    /// It fills a directory without users, in bulk.
    Fill,
}

/// What a pass counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) permissions: Counts,
    pub(super) groups: Counts,
    pub(super) users: Counts,
    pub(super) tokens: Counts,
    pub(super) deleted: Counts,
    pub(super) changed_fields: BTreeMap<&'static str, u64>,
    pub(super) conflicts: Notices,
    pub(super) notices: Notices,
}

/// What the directory is known to hold, kept up to date through a pass.
pub(super) struct Known {
    /// Names by codes.
    permissions: HashMap<i64, String>,
    permission_ids: HashSet<i64>,
    groups: HashMap<i64, WholeGroup>,
    group_ids: HashMap<String, i64>,
}

/// A pass on its way.
pub(super) struct Pass {
    pub(super) mode: Mode,
    pub(super) survey: Arc<Survey>,
    pub(super) options: Options,
    pub(super) now: Timestamp,
    pub(super) actor: Actor,
    pub(super) known: Known,
    pub(super) tally: Tally,
    /// Users without an id in the source that were found, or made.
    pub(super) named: HashMap<String, i64>,
    /// Ids of users of the directory that the source names without an id.
    pub(super) seen: HashSet<i64>,
    /// Who holds what another will have alone: the field, the holder's id, the other's name.
    pub(super) held: Vec<(String, i64, String)>,
    /// Users met that are active admins once this is done.
    pub(super) admins: u64,
    /// What would be written, unless it is more than so many records.
    pub(super) collected: Option<Vec<Record>>,
    pub(super) most_collected: usize,
    /// Whether the records were collected by an earlier pass, which has told users without an id by their places.
    pub(super) is_second: bool,
}

impl Tally {
    /// Refuses to go on with what contradicts; before anything is written, that was told as a report.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        match self.conflicts.iter().next() {
            None => Ok(()),
            Some((told, notice)) => {
                Err(ImportError::Wrong(format!("{told}: {}", notice.examples.join("; "))))
            }
        }
    }
}

impl Known {
    pub(super) fn of(tx: &Tx<'_>) -> Result<Self, Error> {
        let permissions: Vec<Permission> = tx.all(&store::permissions::list())?;
        let groups: Vec<WholeGroup> = tx.all(&inventory::groups())?;
        let group_ids = groups.iter().map(|whole| (whole.group.name.clone(), whole.group.id.get())).collect();
        Ok(Self {
            permission_ids: permissions.iter().map(|permission| permission.id.get()).collect(),
            permissions: permissions
                .into_iter()
                .map(|permission| (permission.code, permission.name))
                .collect(),
            groups: groups.into_iter().map(|whole| (whole.group.id.get(), whole)).collect(),
            group_ids,
        })
    }

    fn group(&self, wanted: &Reference) -> Option<GroupId> {
        let id = match wanted {
            Reference::Id(id) => self.groups.contains_key(id).then_some(*id),
            Reference::Name(name) => self.group_ids.get(name).copied(),
        };
        id.and_then(|id| id.try_into().ok())
    }

    fn put(&mut self, whole: WholeGroup) {
        let (id, name) = (whole.group.id.get(), whole.group.name.clone());
        if let Some(old) = self.groups.insert(id, whole) {
            self.group_ids.remove(&old.group.name);
        }
        self.group_ids.insert(name, id);
    }
}

impl Pass {
    /// Somebody has to be left who can do everything, at every moment.
    pub(super) fn check_admins(&mut self, admins: &[i64], missing: &[i64]) {
        let goes = |id: &i64| self.options.delete_missing && missing.binary_search(id).is_ok();
        let stays = |id: &i64| !self.survey.has_user(*id) && !self.seen.contains(id) && !goes(id);
        let told = match admins {
            [] => return,
            _ if self.admins == 0 && !admins.iter().any(stays) => "no active admin would be left",
            _ if admins.iter().all(goes) => {
                "the active admins here are all missing in the source (bring it in without --delete-missing first)"
            }
            _ => return,
        };
        self.tally.conflicts.add(told, format!("{} now", admins.len()));
    }

    /// Keeps a record that would be written.
    fn collect(&mut self, record: impl FnOnce() -> Record) {
        if self.mode == Mode::Count
            && let Some(collected) = &mut self.collected
        {
            collected.push(record());
            if collected.len() > self.most_collected {
                self.collected = None;
            }
        }
    }

    /// Takes some records, in the order in which they lean on each other.
    pub(super) fn take(&mut self, tx: &Tx<'_>, batch: Vec<Record>) -> Result<(), Error> {
        let before = self.written();
        let (mut users, mut tokens) = (Vec::new(), Vec::new());
        for record in batch {
            match record {
                Record::Wardroom(_) => {}
                Record::Permission(permission) => self.permission(tx, &permission)?,
                Record::Group(group) => self.group(tx, &group)?,
                Record::User(user) => users.push(user),
                Record::Token(token) => tokens.push(token),
                Record::DeletedUser(deleted) => self.deleted(tx, deleted)?,
            }
        }
        self.users(tx, users)?;
        self.tokens(tx, tokens)?;
        let written = self.written();
        if self.mode != Mode::Write || written == before {
            return Ok(());
        }
        tx.count_ids_on()?;
        let told = ["permissions", "groups", "users", "tokens", "deleted_users"];
        let counts: Value = told
            .iter()
            .zip(written.iter().zip(before))
            .map(|(noun, (now, before))| ((*noun).to_owned(), json!(now - before)))
            .collect();
        let change = Change::begin(tx, self.now, &self.actor, ChangePolicy::default())?;
        audit::record(&change, "directory.import", &AuditObject::Directory, counts)
    }

    fn written(&self) -> [u64; 5] {
        let Tally { permissions, groups, users, tokens, deleted, .. } = &self.tally;
        [permissions, groups, users, tokens, deleted].map(|counts| counts.added + counts.changed)
    }

    fn permission(&mut self, tx: &Tx<'_>, record: &PermissionRecord) -> Result<(), Error> {
        self.tally.permissions.read += 1;
        let holder =
            self.known.permissions.iter().find(|(code, name)| **code != record.code && **name == record.name);
        if let Some((code, _)) = holder {
            let told = format!("{:?}: {code} here, {} there", record.name, record.code);
            self.tally.conflicts.add("a permission here has the name, but another code", told);
            return Ok(());
        }
        match self.known.permissions.get(&record.code).cloned() {
            Some(name) if name == record.name => {
                self.tally.permissions.unchanged += 1;
                return Ok(());
            }
            Some(name) => {
                self.tally.permissions.changed += 1;
                self.differs("permissions here differ", || format!("{} ({name})", record.code));
            }
            None => self.tally.permissions.added += 1,
        }
        self.collect(|| Record::Permission(record.clone()));
        if self.mode != Mode::Count {
            let id = record.id.filter(|id| !self.known.permission_ids.contains(id));
            tx.put_permission(id, record.code, &record.name)?;
        }
        self.known.permission_ids.extend(record.id);
        self.known.permissions.insert(record.code, record.name.clone());
        Ok(())
    }

    fn group(&mut self, tx: &Tx<'_>, record: &GroupRecord) -> Result<(), Error> {
        self.tally.groups.read += 1;
        let texts = [Some(&record.name), record.notes.as_ref()].into_iter().flatten();
        if record.id.is_some_and(|id| id <= 0) || has_null(texts) {
            // Told by the survey.
            return Ok(());
        }
        self.check_codes(record.permissions.as_deref(), || format!("group {:?}", record.name));
        let holder = self.known.group_ids.get(&record.name).copied();
        let id = record.id.or(holder);
        let old = id.and_then(|id| self.known.groups.get(&id)).cloned();
        if let (Some(holder), Some(id)) = (holder, id)
            && holder != id
        {
            if !self.options.sync || !self.survey.group_ids.contains(&holder) {
                self.tally.conflicts.add(
                    "a group here has the name, but another id",
                    format!("{:?}: {holder} here, {id} there", record.name),
                );
                return Ok(());
            }
            // It gets another name later in this pass.
            if self.mode != Mode::Count {
                tx.vacate_group(holder)?;
            }
        }
        let given: Option<GroupId> = id.map(id_of).transpose()?;
        let mut whole = record.onto(given.unwrap_or(GroupId::UNSAVED), old.as_ref(), self.now);
        match &old {
            Some(old) if *old == whole => {
                self.tally.groups.unchanged += 1;
                return Ok(());
            }
            Some(old) => {
                self.tally.groups.changed += 1;
                self.differs("groups here differ", || format!("{} {:?}", old.group.id, old.group.name));
            }
            None => self.tally.groups.added += 1,
        }
        self.collect(|| Record::Group(record.clone()));
        if self.mode == Mode::Count {
            // A number nobody has, for those who refer to it by name.
            let stand_in = i64::MAX.saturating_sub_unsigned(self.tally.groups.read);
            whole.group.id = given.map_or_else(|| id_of(stand_in), Ok)?;
        } else if old.is_some() {
            tx.update_group(&whole.group)?;
        } else {
            whole.group.id = tx.insert_group(given, &whole.group)?;
            tx.count_ids_on()?;
        }
        if self.mode != Mode::Count && old.map(|old| old.permissions).unwrap_or_default() != whole.permissions
        {
            tx.regrant_group(whole.group.id, &whole.permissions)?;
        }
        self.known.put(whole);
        Ok(())
    }

    pub(super) fn check_codes(&mut self, codes: Option<&[i64]>, whose: impl Fn() -> String) {
        for code in codes.unwrap_or_default().iter().filter(|code| !self.known.permissions.contains_key(code))
        {
            self.tally
                .conflicts
                .add("there is no permission with the code", format!("{code} of {}", whose()));
        }
    }

    /// Notes a row of the directory that would be overwritten without leave.
    pub(super) fn differs(&mut self, told: &str, example: impl Fn() -> String) {
        if !self.options.sync {
            self.tally.conflicts.add(&format!("{told} (--sync overwrites them)"), example());
        }
    }

    fn deleted(&mut self, tx: &Tx<'_>, record: DeletedRecord) -> Result<(), Error> {
        self.tally.deleted.read += 1;
        let again = record.clone();
        let whole = WholeDeleted {
            id: record.id,
            username: record.username,
            email: record.email,
            deleted_at: record.deleted_at,
            deleted_by: record.deleted_by,
            remains: record.remains.to_string(),
        };
        let texts = [&whole.username, &whole.deleted_by, &whole.remains].into_iter().chain(&whole.email);
        if whole.id <= 0 || has_null(texts) || self.survey.has_user(whole.id) || tx.has_user(whole.id)? {
            let told = "users in the recycle bin with an id that is none, that a living user has, or with null characters";
            self.tally.conflicts.add(told, whole.id);
            return Ok(());
        }
        let user = store::deleted::user_of(whole.id, &whole.remains).map_err(|error| {
            ImportError::Wrong(format!("the deleted user {} cannot be taken: {error}", whole.id))
        })?;
        if tx.is_in_bin(whole.id)? {
            self.tally.deleted.unchanged += 1;
            return Ok(());
        }
        self.tally.deleted.added += 1;
        self.collect(|| Record::DeletedUser(again));
        if self.mode == Mode::Count { Ok(()) } else { tx.put_deleted(&whole, &user) }
    }
}
