//! A pass's users: who is new, who is other, and who has to make room for whom.

use std::collections::HashMap;

use super::{Mode, Pass};
use crate::directory::error::Error;
use crate::directory::model::stored::WholeUser;
use crate::directory::model::{GroupId, User, UserId};
use crate::directory::store::Tx;
use crate::directory::store::inventory::Numbered;
use crate::directory::transfer::import::survey::{Unique, has_null, stand_in};
use crate::directory::transfer::import::{ImportError, id_of};
use crate::directory::transfer::record::{Record, UserRecord};

impl Pass {
    pub(super) fn users(&mut self, tx: &Tx<'_>, records: Vec<UserRecord>) -> Result<(), Error> {
        let first = self.tally.users.read;
        self.tally.users.read += records.len() as u64;
        // What no database can be asked about; the survey has told it.
        let records: Vec<(u64, UserRecord)> = (first + 1..)
            .zip(records)
            .filter(|(_, record)| record.id.is_none_or(|id| id > 0) && !has_null(record.texts()))
            .collect();
        let found = match self.mode {
            Mode::Fill => HashMap::new(),
            _ => self.existing_users(tx, records.iter().map(|(_, record)| record))?,
        };
        let mut fresh = Vec::new();
        for (place, mut record) in records {
            self.check_codes(record.permissions.as_deref(), || format!("user {:?}", record.username));
            self.clear_repeated(&mut record, place);
            let id = record.id.or_else(|| self.named.get(&record.username).copied());
            let old = id.and_then(|id| found.get(&id));
            let groups = self.groups_of(&record);
            let given: Option<UserId> = id.map(id_of).transpose()?;
            let whole = record.onto(given.unwrap_or(UserId::UNSAVED), old, groups, self.now);
            self.admins += u64::from(whole.user.is_active && whole.user.is_admin);
            match old {
                Some(old) if *old == whole => self.tally.users.unchanged += 1,
                Some(old) => {
                    self.collect(|| Record::User(record.clone()));
                    self.change_user(tx, &record, old, &whole)?;
                }
                None => {
                    self.tally.users.added += 1;
                    self.collect(|| Record::User(record.clone()));
                    match (self.mode, given) {
                        (Mode::Count, _) => self.check_new(tx, &whole.user)?,
                        (Mode::Fill, Some(_)) => fresh.push(whole),
                        (_, given) => self.add_user(tx, given, whole)?,
                    }
                }
            }
        }
        tx.load_users(&fresh)
    }

    fn check_new(&mut self, tx: &Tx<'_>, user: &User) -> Result<(), Error> {
        if tx.is_in_bin(user.id.get())? {
            let told = "users that were deleted here are in the source (delete them there, or restore or purge them here)";
            self.tally.conflicts.add(told, format!("{} {:?}", user.id, user.username));
        }
        self.note_holders(tx, user)
    }

    fn add_user(&mut self, tx: &Tx<'_>, given: Option<UserId>, mut whole: WholeUser) -> Result<(), Error> {
        self.make_room(tx, &whole.user)?;
        if given.is_none() {
            tx.count_ids_on()?;
        }
        let id = tx.insert_user(given, &whole.user, &whole.password)?;
        whole.user.id = id;
        let blank = WholeUser {
            user: User { groups: vec![], ..whole.user.clone() },
            password: String::new(),
            permissions: vec![],
        };
        tx.rewrite_user(&whole, &blank)?;
        if given.is_none() {
            self.named.insert(whole.user.username.clone(), id.get());
        }
        Ok(())
    }

    fn change_user(
        &mut self,
        tx: &Tx<'_>,
        record: &UserRecord,
        old: &WholeUser,
        whole: &WholeUser,
    ) -> Result<(), Error> {
        self.tally.users.changed += 1;
        for field in changed_fields(old, whole) {
            *self.tally.changed_fields.entry(field).or_default() += 1;
        }
        self.differs("users here differ", || format!("{} {:?}", old.user.id, old.user.username));
        if self.mode == Mode::Count {
            return self.note_holders(tx, &whole.user);
        }
        self.make_room(tx, &whole.user)?;
        let mut whole = whole.clone();
        if record.updated_at.is_none() {
            whole.user.updated_at = self.now;
        }
        tx.rewrite_user(&whole, old)
    }

    /// Notes who holds what this user will have alone.
    fn note_holders(&mut self, tx: &Tx<'_>, user: &User) -> Result<(), Error> {
        for Numbered(field, holder) in tx.holders(user)? {
            self.held.push((field, holder, user.username.clone()));
        }
        Ok(())
    }

    /// Whoever holds what another will have alone must be about to give it up, or to go.
    pub(in crate::directory::transfer::import) fn check_holders(&mut self, missing: &[i64]) {
        for (field, holder, name) in std::mem::take(&mut self.held) {
            let will_go = self.options.delete_missing && missing.binary_search(&holder).is_ok();
            let will_change =
                self.options.sync && self.survey.has_user(holder) && !self.survey.leaves_out(&field);
            if !will_go && !will_change {
                self.tally.conflicts.add(
                    &format!("another user here has the {}", field.replace('_', " ")),
                    format!("user {holder} here has that of {name:?}"),
                );
            }
        }
    }

    /// Takes unique values from those who will get others later in this pass; [`Pass::check_holders`] saw to that.
    /// Who was to go has gone.
    fn make_room(&self, tx: &Tx<'_>, user: &User) -> Result<(), Error> {
        if self.mode == Mode::Write {
            for Numbered(field, holder) in tx.holders(user)? {
                if !self.options.sync || !self.survey.has_user(holder) || self.survey.leaves_out(&field) {
                    return Err(ImportError::Wrong(format!(
                        "user {holder} has taken the {field} of {:?} meanwhile: run the import again",
                        user.username
                    ))
                    .into());
                }
                tx.vacate(&field, holder)?;
            }
        }
        Ok(())
    }

    fn existing_users<'a>(
        &mut self,
        tx: &Tx<'_>,
        records: impl Iterator<Item = &'a UserRecord> + Clone,
    ) -> Result<HashMap<i64, WholeUser>, Error> {
        let nameless = records.clone().filter(|record| record.id.is_none());
        let names: Vec<&str> = nameless.map(|record| record.username.as_str()).collect();
        if !names.is_empty() {
            for Numbered(name, id) in tx.ids_of_usernames(&names)? {
                if self.survey.has_user(id) {
                    let told = "a user without an id has the name of one here whom the source gives by id";
                    self.tally.conflicts.add(told, format!("{name:?}: user {id}"));
                    continue;
                }
                self.seen.insert(id);
                self.named.insert(name, id);
            }
        }
        let ids =
            records.filter_map(|record| record.id.or_else(|| self.named.get(&record.username).copied()));
        let found = tx.whole_users(&ids.collect::<Vec<_>>())?;
        Ok(found.into_iter().map(|whole| (whole.user.id.get(), whole)).collect())
    }

    /// Where several users share what must be one's alone, the one with the lowest id keeps it.
    fn clear_repeated(&mut self, record: &mut UserRecord, place: u64) {
        if self.is_second {
            return;
        }
        let id = record.id.unwrap_or_else(|| stand_in(place));
        if self.survey.repeated.contains(&(Unique::Email, id)) {
            record.email = Some(None);
        }
        if self.survey.repeated.contains(&(Unique::MobileNumber, id)) {
            record.mobile_number = Some(None);
        }
    }

    fn groups_of(&mut self, record: &UserRecord) -> Option<Vec<GroupId>> {
        let wanted = record.groups.as_ref()?;
        let mut groups = Vec::with_capacity(wanted.len());
        for reference in wanted {
            match self.known.group(reference) {
                Some(id) => groups.push(id),
                None => self.tally.conflicts.add(
                    "a user belongs to a group that is neither here nor before it",
                    format!("{:?}: the group {reference}", record.username),
                ),
            }
        }
        groups.sort_unstable();
        groups.dedup();
        Some(groups)
    }
}

fn changed_fields(old: &WholeUser, new: &WholeUser) -> Vec<&'static str> {
    let (a, b) = (&old.user, &new.user);
    let fields = [
        ("username", a.username != b.username),
        ("mobile_number", a.mobile_number != b.mobile_number),
        ("email", a.email != b.email),
        ("avatar", a.avatar != b.avatar),
        ("first_name", a.first_name != b.first_name),
        ("last_name", a.last_name != b.last_name),
        ("gender", a.gender != b.gender),
        ("is_active", a.is_active != b.is_active),
        ("is_staff", a.is_staff != b.is_staff),
        ("is_admin", a.is_admin != b.is_admin),
        ("last_login", a.last_login != b.last_login),
        ("last_seen_at", a.last_seen_at != b.last_seen_at),
        ("created_at", a.created_at != b.created_at),
        ("updated_at", a.updated_at != b.updated_at),
        ("groups", a.groups != b.groups),
        ("permissions", old.permissions != new.permissions),
        ("password", old.password != new.password),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}
