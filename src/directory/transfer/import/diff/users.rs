//! Compares users: an id says which one a record is about, or else the username.

use std::collections::{HashMap, HashSet};

use super::{AT_ONCE, Diff};
use crate::directory::model::stored::StoredUser;
use crate::directory::model::{GroupId, UserId};
use crate::directory::store::Tx;
use crate::directory::store::numbered::Numbered;
use crate::directory::transfer::import::apply::Apply;
use crate::directory::transfer::import::difference::UserDifference;
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::same_object::is_same_user;
use crate::directory::transfer::record::{UserRecord, id_of};

/// The conflict about an id that belongs to one user here and to another one in the source. `--sync` does not lift it.
const ANOTHER_USER: &str = "the id belongs to another user here: the names differ, and neither the time of creation nor, for an \
     imported user, the e-mail address or the password shows that it is the same person (if you know that it is a new name of \
     the same person, give the user here the name of the source: `wardroom user edit id:ID --username NAME`; otherwise import \
     into a new account database, or delete and purge the user here, import, and create the user again)";

impl Diff {
    /// Compares the users of a batch. All of them are compared before any is written: a row that this batch adds must not
    /// count as one that was there.
    pub(super) fn users(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<UserRecord>,
        target: &impl Apply,
    ) -> Result<Vec<UserDifference>, ImportError> {
        let (mut records, mut differences) = (records.into_iter(), Vec::new());
        while records.len() > 0 {
            let part = records.by_ref().take(AT_ONCE).collect();
            differences.extend(self.part_of_users(tx, part, target)?);
        }
        Ok(differences)
    }

    fn part_of_users(
        &mut self,
        tx: &Tx<'_>,
        records: Vec<UserRecord>,
        target: &impl Apply,
    ) -> Result<Vec<UserDifference>, ImportError> {
        let named = self.find_by_name(tx, &records)?;
        let id_of_record = |record: &UserRecord| record.id.or_else(|| named.get(&record.username).copied());
        let ids: Vec<i64> = records.iter().filter_map(id_of_record).collect();
        let stored = target.stored_users(tx, &ids)?;
        let stored: HashMap<i64, StoredUser> =
            stored.into_iter().map(|row| (row.user.id.get(), row)).collect();
        let others = self.other_users(tx, &records, &stored)?;
        let mut differences = Vec::new();
        for record in records {
            let id = id_of_record(&record);
            let old = id.and_then(|id| stored.get(&id));
            if let Some(old) = old.filter(|old| others.contains(&old.user.id.get())) {
                self.active_admins += u64::from(old.user.is_active && old.user.is_admin);
                let (id, name) = (old.user.id, &old.user.username);
                let example = format!("id {id}: {name:?} here, {:?} there", record.username);
                self.counts.conflicts.add_listed(ANOTHER_USER, example);
                continue;
            }
            differences.extend(self.user(record, id, old)?);
        }
        Ok(differences)
    }

    /// Returns the ids that belong to one user here and to another one in the source.
    fn other_users(
        &self,
        tx: &Tx<'_>,
        records: &[UserRecord],
        stored: &HashMap<i64, StoredUser>,
    ) -> Result<HashSet<i64>, ImportError> {
        let of_id = |record: &UserRecord| record.id.and_then(|id| stored.get(&id));
        let renamed: Vec<_> = records
            .iter()
            .filter_map(|record| of_id(record).map(|row| (record, row)))
            .filter(|(record, row)| record.username != row.user.username)
            .collect();
        if renamed.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<i64> = renamed.iter().map(|(_, row)| row.user.id.get()).collect();
        let made_here: HashSet<i64> = tx.users_made_here(&ids)?.into_iter().collect();
        let is_other = |(record, row): &(&UserRecord, &StoredUser)| {
            !is_same_user(record, row, made_here.contains(&row.user.id.get()))
        };
        Ok(renamed.into_iter().filter(is_other).map(|(_, row)| row.user.id.get()).collect())
    }

    fn user(
        &mut self,
        record: UserRecord,
        id: Option<i64>,
        old: Option<&StoredUser>,
    ) -> Result<Option<UserDifference>, ImportError> {
        self.check_codes(record.permissions.as_deref(), || format!("user {:?}", record.username));
        let groups = self.groups_of(&record);
        let id: UserId = id.map_or(Ok(UserId::UNSAVED), id_of)?;
        let mut new = record.to_row(id, old, groups, self.now);
        self.active_admins += u64::from(new.user.is_active && new.user.is_admin);
        match old {
            Some(old) if *old == new => {
                self.counts.users.unchanged += 1;
                return Ok(None);
            }
            Some(old) => {
                self.counts.users.changed += 1;
                for field in changed_fields(old, &new) {
                    *self.counts.changed_fields.entry(field).or_default() += 1;
                }
                self.check_overwrite("users here differ", || {
                    format!("{} {:?}", old.user.id, old.user.username)
                });
                if record.updated_at.is_none() {
                    new.user.updated_at = self.now;
                }
            }
            None => self.counts.users.added += 1,
        }
        Ok(Some(UserDifference { record, old: old.cloned(), new }))
    }

    /// Finds the users of the account database that records name without an id.
    fn find_by_name(
        &mut self,
        tx: &Tx<'_>,
        records: &[UserRecord],
    ) -> Result<HashMap<String, i64>, ImportError> {
        let without_id = records.iter().filter(|record| record.id.is_none());
        let names: Vec<&str> = without_id.map(|record| record.username.as_str()).collect();
        let mut found = HashMap::new();
        if names.is_empty() {
            return Ok(found);
        }
        for Numbered(name, id) in tx.ids_of_usernames(&names)? {
            if self.validation.has_user(id) {
                let conflict = "a user without an id has the name of a user here that the source gives by id";
                self.counts.conflicts.add(conflict, format!("{name:?}: user {id}"));
                continue;
            }
            self.found_by_name.insert(id);
            found.insert(name, id);
        }
        Ok(found)
    }

    fn groups_of(&mut self, record: &UserRecord) -> Option<Vec<GroupId>> {
        let references = record.groups.as_ref()?;
        let mut groups = Vec::with_capacity(references.len());
        for reference in references {
            match self.known.referenced_group(reference) {
                Some(id) => groups.push(id),
                None => self.counts.conflicts.add(
                    "a user belongs to a group that is neither in the database nor earlier in the source",
                    format!("{:?}: the group {reference}", record.username),
                ),
            }
        }
        groups.sort_unstable();
        groups.dedup();
        Some(groups)
    }
}

fn changed_fields(old: &StoredUser, new: &StoredUser) -> Vec<&'static str> {
    let (a, b) = (&old.user, &new.user);
    let mut fields = vec![("username", a.username != b.username)];
    fields.extend(a.fields().zip(b.fields()).map(|((name, a), (_, b))| (name, a != b)));
    fields.extend([
        ("last_login", a.last_login != b.last_login),
        ("last_seen_at", a.last_seen_at != b.last_seen_at),
        ("created_at", a.created_at != b.created_at),
        ("updated_at", a.updated_at != b.updated_at),
        ("groups", a.groups != b.groups),
        ("permissions", old.permissions != new.permissions),
        ("password", old.password != new.password),
    ]);
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}
