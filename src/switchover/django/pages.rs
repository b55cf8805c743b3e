//! Reads pages of rows: users with what belongs to them, and all groups.

use std::collections::{HashMap, HashSet};

use super::cells::{RowCells, RowReader};
use super::owner::Owner;
use super::reader::{Django, PAGE};
use super::tables::{FlagSource, GroupTables, MappedTable};
use crate::database::foreign::{ForeignRow, JoinedTable, KeyKind, KeyValue, RowQuery};
use crate::directory::model::FieldSlot;
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::record::{GroupRecord, Record, Reference, TokenRecord, UserRecord};

/// A range of keys: above the first, up to the second.
#[derive(Clone, Copy, Default)]
struct KeyRange<'a> {
    after: Option<&'a KeyValue>,
    until: Option<&'a KeyValue>,
    limit: Option<i64>,
}

/// The rows of a page, and how far it reaches.
struct PageRows {
    rows: Vec<(KeyValue, RowCells)>,
    /// The last key, if there may be more rows.
    last: Option<KeyValue>,
}

/// Rows of other tables about the users of a page.
#[derive(Default)]
struct RelatedRows {
    groups: HashMap<KeyValue, Vec<Reference>>,
    sides: Vec<HashMap<KeyValue, RowCells>>,
    tokens: Vec<(KeyValue, TokenRecord)>,
}

/// What became of the users of a page.
#[derive(Default)]
struct PageOwners {
    known: HashMap<KeyValue, Reference>,
    left_out: HashSet<KeyValue>,
}

impl Django {
    fn row_reader<'a>(&'a self, table: &'a MappedTable, key: &'a KeyValue) -> RowReader<'a> {
        RowReader { table, key, zone: &self.zone, genders: &self.genders, findings: &self.findings }
    }

    /// Returns the keys of some users' tokens, spread evenly over all of them. Only keys in clear text can be read.
    pub fn sample_keys(&self, count: u32) -> Result<Vec<String>, ImportError> {
        let Some(table) = &self.mapping.tokens else { return Ok(Vec::new()) };
        let (owner, wanted) = (&self.mapping.users.owner, i64::from(count).max(1));
        let (mut after, mut keys) = (None, Vec::new());
        let step = (self.foreign.count(&table.table)? / wanted).max(1);
        while keys.len() < usize::try_from(wanted).unwrap_or_default() {
            let range = KeyRange { after: after.as_ref(), until: None, limit: Some(step) };
            let rows = self.rows(owner, table, range)?;
            let Some(last) = rows.last().map(|(key, _)| key.clone()) else { break };
            if let Some((user, cells)) = rows.into_iter().next() {
                keys.extend(self.row_reader(table, &user).token(cells)?.and_then(|token| token.key));
            }
            after = Some(last);
        }
        Ok(keys)
    }

    /// Reads rows of a table in the order of the key of their owner: the key and the cells of the mapped columns. A row whose
    /// key cannot be read is left out.
    fn rows(
        &self,
        owner: &Owner,
        table: &MappedTable,
        range: KeyRange<'_>,
    ) -> Result<Vec<(KeyValue, RowCells)>, ImportError> {
        let (join, has_key) = (&table.join, table.has_key(owner));
        let query = RowQuery {
            table: &table.table,
            column: &join.column,
            owner: (!has_key).then(|| JoinedTable { table: &owner.table, to: &join.to, key: &owner.key }),
            kind: owner.kind,
            columns: table.columns.iter().map(|(_, column)| column).collect(),
            after: range.after,
            until: range.until,
            limit: range.limit,
        };
        let mut found = Vec::new();
        for ForeignRow(cells) in self.foreign.rows(&query)? {
            let mut cells = cells.into_iter();
            let key = self.key(owner, table, cells.next().flatten());
            if let Some(key) = self.findings.accept(key)? {
                found.push((key, cells.collect()));
            }
        }
        Ok(found)
    }

    fn key(
        &self,
        owner: &Owner,
        table: &MappedTable,
        cell: Option<Vec<u8>>,
    ) -> Result<KeyValue, ImportError> {
        let text = String::from_utf8(cell.unwrap_or_default()).unwrap_or_default();
        match owner.kind {
            KeyKind::Number => text.parse().map(KeyValue::Number).map_err(|_| {
                let column = &table.join.column.name;
                ImportError::Invalid(format!("{}.{column}: {text:?} is not a 64-bit number", table.table))
            }),
            KeyKind::Uuid | KeyKind::Text => Ok(KeyValue::Text(text)),
        }
    }

    fn page_rows(
        &self,
        owner: &Owner,
        table: &MappedTable,
        after: Option<&KeyValue>,
    ) -> Result<PageRows, ImportError> {
        let rows = self.rows(owner, table, KeyRange { after, until: None, limit: Some(PAGE) })?;
        // Rows whose keys cannot be read are at the end.
        let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let last = rows.last().filter(|_| !is_last).map(|(key, _)| key.clone());
        Ok(PageRows { rows, last })
    }

    /// Reads all groups, and remembers how memberships refer to them.
    pub(super) fn read_groups(&mut self) -> Result<Vec<Record>, ImportError> {
        let (mut records, mut known, mut left_out) = (Vec::new(), HashMap::new(), HashSet::new());
        if let Some(tables) = &self.mapping.groups {
            let mut details = self.group_details(tables)?;
            for (key, mut cells) in self.rows(&tables.owner, &tables.groups, KeyRange::default())? {
                let reference = self.membership_key(tables, &key, &mut cells);
                let group = self.group(tables, &key, cells, details.remove(&key));
                let Some(group) = self.findings.accept(group)?.flatten() else {
                    left_out.extend(reference);
                    continue;
                };
                let own = group.id.map_or_else(|| Reference::Name(group.name.clone()), Reference::Id);
                known.extend(reference.map(|reference| (reference, own)));
                records.push(Record::Group(group));
            }
            if let Some(table) = &tables.details {
                self.note_orphans(table, "groups", details.keys());
            }
        }
        self.check_flag_groups(&records)?;
        (self.groups, self.left_out_groups) = (known, left_out);
        Ok(records)
    }

    /// Names rows of a side table that are about users or groups that do not exist. Where the database compares the keys, they
    /// were counted before.
    fn note_orphans<'a>(&self, table: &MappedTable, nouns: &str, keys: impl Iterator<Item = &'a KeyValue>) {
        let notice = format!("rows of {nouns} that do not exist are left out");
        keys.for_each(|key| self.findings.note(&notice, format!("{} {key}", table.table)));
    }

    fn group_details(&self, tables: &GroupTables) -> Result<HashMap<KeyValue, RowCells>, ImportError> {
        let Some(table) = &tables.details else { return Ok(HashMap::new()) };
        Ok(self.rows(&tables.owner, table, KeyRange::default())?.into_iter().collect())
    }

    /// Returns the text by which memberships refer to a group: its key, or the last cell.
    fn membership_key(&self, tables: &GroupTables, key: &KeyValue, cells: &mut RowCells) -> Option<String> {
        match tables.groups.columns.last() {
            Some((field, _)) if field == "reference" => {
                cells.pop().flatten().and_then(|bytes| String::from_utf8(bytes).ok())
            }
            _ => Some(plain(key)),
        }
    }

    fn group(
        &self,
        tables: &GroupTables,
        key: &KeyValue,
        cells: RowCells,
        details: Option<RowCells>,
    ) -> Result<Option<GroupRecord>, ImportError> {
        let Ok(id) = id(&tables.owner, key) else {
            self.findings.note(
                "groups whose id is not positive are left out",
                format!("{} {key}", tables.owner.table),
            );
            return Ok(None);
        };
        let mut group = GroupRecord { id, ..GroupRecord::default() };
        if !self.row_reader(&tables.groups, key).fill_group(&mut group, cells)? {
            self.findings.note("groups without a name are left out", format!("{} {key}", tables.owner.table));
            return Ok(None);
        }
        if let (Some(table), Some(cells)) = (&tables.details, details) {
            let mut filled = group.clone();
            let read = self.row_reader(table, key).fill_group(&mut filled, cells);
            if self.findings.accept(read)?.is_some() {
                group = filled;
            }
        }
        Ok(Some(group))
    }

    /// A group that gives a flag must exist.
    fn check_flag_groups(&self, records: &[Record]) -> Result<(), ImportError> {
        let has = |name: &str| {
            records.iter().any(|record| matches!(record, Record::Group(group) if group.name == name))
        };
        for (field, source) in &self.mapping.users.flags {
            if let FlagSource::Group(name) = source
                && !has(name)
            {
                return Err(ImportError::Ambiguous(format!(
                    "the source has no group named {name:?} (--map {field}=group:{name})"
                )));
            }
        }
        Ok(())
    }

    /// Reads the page of users after a key with their groups and tokens. Returns where to continue; `None` at the end.
    pub(super) fn page(
        &self,
        after: Option<&KeyValue>,
    ) -> Result<(Vec<Record>, Option<KeyValue>), ImportError> {
        let owner = &self.mapping.users.owner;
        let PageRows { rows, last } = self.page_rows(owner, &self.mapping.users.users, after)?;
        // After the last user there can only be rows of users that do not exist.
        let mut related = self.related_rows(KeyRange { after, until: last.as_ref(), limit: None })?;
        let (mut records, mut owners) = (Vec::with_capacity(rows.len() * 2), PageOwners::default());
        for (key, cells) in rows {
            let groups = related.groups.remove(&key).unwrap_or_default();
            let sides: Vec<_> = related.sides.iter_mut().map(|side| side.remove(&key)).collect();
            match self.findings.accept(self.user(&key, cells, groups.clone(), sides))?.flatten() {
                Some(user) => {
                    let reference =
                        user.id.map_or_else(|| Reference::Name(user.username.clone()), Reference::Id);
                    owners.known.insert(key, reference);
                    records.push(Record::User(user));
                }
                None => {
                    for group in groups {
                        self.findings.note(
                            "memberships of users that are left out are not read",
                            format!("user {key}: the group {group}"),
                        );
                    }
                    let mut left_out = self.findings.left_out.borrow_mut();
                    match (owner.has_ids, &key) {
                        (true, KeyValue::Number(id)) => {
                            left_out.ids.insert(*id);
                        }
                        _ => left_out.without_id += 1,
                    }
                    owners.left_out.insert(key);
                }
            }
        }
        for user in related.groups.keys() {
            self.findings.note("memberships of users that do not exist are left out", format!("user {user}"));
        }
        for (table, rows) in self.mapping.users.sides.iter().zip(&related.sides) {
            // The parent of a user by multi-table inheritance has rows of its other children, too.
            if !self.is_parent(table) {
                self.note_orphans(table, "users", rows.keys());
            }
        }
        for (user, token) in related.tokens {
            records.extend(self.owned(&owners, &user, token).map(Record::Token));
        }
        Ok((records, last))
    }

    fn is_parent(&self, table: &MappedTable) -> bool {
        let identities = &self.mapping.users.owner.identities;
        identities.iter().any(|known| known.is_parent && known.table == table.table)
    }

    /// Returns a token with its owner. A token of a user that is left out is kept for a user who was imported before.
    fn owned(&self, owners: &PageOwners, user: &KeyValue, token: TokenRecord) -> Option<TokenRecord> {
        let owner = match (owners.known.get(user), user) {
            (Some(owner), _) => owner.clone(),
            (None, KeyValue::Number(id))
                if *id > 0 && owners.left_out.contains(user) && self.mapping.users.owner.has_ids =>
            {
                Reference::Id(*id)
            }
            (None, _) if owners.left_out.contains(user) => {
                self.findings.note("tokens of users that are left out are left out", format!("user {user}"));
                return None;
            }
            (None, _) => {
                self.findings.note("tokens of users that do not exist are left out", format!("user {user}"));
                return None;
            }
        };
        Some(TokenRecord { user: Some(owner), ..token })
    }

    /// Reads the rows of other tables about the users of a page.
    fn related_rows(&self, range: KeyRange<'_>) -> Result<RelatedRows, ImportError> {
        let owner = &self.mapping.users.owner;
        let mut related = RelatedRows::default();
        if let Some(memberships) = &self.mapping.memberships {
            for (user, cells) in self.rows(owner, &memberships.table, range)? {
                let cell = cells.into_iter().next().flatten();
                let Some(group) = cell.and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
                match self.groups.get(&group) {
                    Some(reference) => related.groups.entry(user).or_default().push(reference.clone()),
                    None if self.left_out_groups.contains(&group) => self.findings.note(
                        "memberships of groups that are left out are not read",
                        format!("user {user}: the group {group}"),
                    ),
                    None => self
                        .findings
                        .note("memberships of groups that do not exist are left out", format!("user {user}")),
                }
            }
        }
        for side in &self.mapping.users.sides {
            related.sides.push(self.rows(owner, side, range)?.into_iter().collect());
        }
        if let Some(table) = &self.mapping.tokens {
            for (user, cells) in self.rows(owner, table, range)? {
                let token = self.findings.accept(self.row_reader(table, &user).token(cells))?.flatten();
                related.tokens.extend(token.map(|token| (user, token)));
            }
        }
        if let Some(table) = &self.mapping.knox {
            for (user, cells) in self.rows(owner, table, range)? {
                let token = self.row_reader(table, &user).knox_token(cells, self.is_knox_5);
                let token = self.findings.accept(token)?.flatten();
                related.tokens.extend(token.map(|token| (user, token)));
            }
        }
        Ok(related)
    }

    /// Returns the record of a user; `None` for a row that can be no user.
    fn user(
        &self,
        key: &KeyValue,
        cells: RowCells,
        groups: Vec<Reference>,
        sides: Vec<Option<RowCells>>,
    ) -> Result<Option<UserRecord>, ImportError> {
        let tables = &self.mapping.users;
        let mut user = UserRecord::default();
        let mut has_username = self.row_reader(&tables.users, key).fill_user(&mut user, cells)?;
        for (table, cells) in tables.sides.iter().zip(sides) {
            let (Some(cells), mut filled) = (cells, user.clone()) else { continue };
            // A row that cannot be read does not cost the user.
            let read = self.row_reader(table, key).fill_user(&mut filled, cells);
            if let Some(with_username) = self.findings.accept(read)? {
                (user, has_username) = (filled, has_username || with_username);
            }
        }
        let row = || format!("{} {key} {:?}", tables.owner.table, user.username);
        let Ok(id) = id(&tables.owner, key) else {
            self.findings.note("users whose id is not positive are left out", row());
            return Ok(None);
        };
        if !has_username {
            self.findings.note("users without a username are left out", row());
            return Ok(None);
        }
        self.set_flags(&mut user, &groups);
        user.id = id;
        user.groups = self.mapping.memberships.as_ref().map(|_| groups);
        Ok(Some(user))
    }

    /// Sets the flags that no column has.
    fn set_flags(&self, user: &mut UserRecord, groups: &[Reference]) {
        for (field, source) in &self.mapping.users.flags {
            let value = match source {
                FlagSource::Constant(value) => *value,
                FlagSource::Group(name) => {
                    self.flag_groups.get(name).is_some_and(|group| groups.contains(group))
                }
            };
            if let Some(FieldSlot::Flag(flag)) = user.slot(field) {
                *flag = Some(value);
            }
        }
    }
}

/// Returns the id that a key is imported as, if keys are. An id that is not positive is an error.
fn id(owner: &Owner, key: &KeyValue) -> Result<Option<i64>, ()> {
    match key {
        KeyValue::Number(number) if owner.has_ids && *number <= 0 => Err(()),
        KeyValue::Number(number) if owner.has_ids => Ok(Some(*number)),
        KeyValue::Number(_) | KeyValue::Text(_) => Ok(None),
    }
}

/// Returns a key as a cell has it.
fn plain(key: &KeyValue) -> String {
    match key {
        KeyValue::Number(number) => number.to_string(),
        KeyValue::Text(text) => text.clone(),
    }
}
