//! A Django database as a [`Source`]: it reads users by pages of their ids, each with its groups and tokens, in one
//! snapshot and in constant memory.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use tokio::runtime::Handle;

use super::cells::{Findings, RowCells, RowReader};
use super::gender::GenderTable;
use super::mapping::{Catalogue, MappedTable, Mapping, MappingOptions};
use crate::database::Name;
use crate::database::foreign::{ForeignDatabase, ForeignError, ForeignRow};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::import::source::Source;
use crate::directory::transfer::record::{GroupRecord, Record, Reference, TokenRecord, UserRecord};

/// Users in a page.
const PAGE: i64 = 2000;

/// Where a Django database is.
#[derive(Clone)]
pub enum DjangoLocation {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// PostgreSQL, by its URL, which may hold a password.
    Postgres(String),
}

impl DjangoLocation {
    /// Parses what an operator typed: a PostgreSQL URL, or the path of a SQLite file, with or without `sqlite://`.
    pub fn parse(typed: &str) -> Result<Self, ImportError> {
        if typed.starts_with("postgres://") || typed.starts_with("postgresql://") {
            return Ok(Self::Postgres(typed.to_owned()));
        }
        // `sqlite:///srv/db.sqlite3`, as Django's env packages write it.
        let path = typed.strip_prefix("sqlite://").unwrap_or(typed);
        // A connection string of another form may hold a password, and must not be shown as a path.
        let is_other = path.contains("://") || path.starts_with("postgres") || path.contains("password=");
        if path.is_empty() || is_other {
            return Err(ImportError::Ambiguous(
                "this is neither a postgres:// URL nor the path of a SQLite file".to_owned(),
            ));
        }
        Ok(Self::Sqlite(path.into()))
    }

    fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("SQLite file {}", path.display()),
            Self::Postgres(url) => ForeignDatabase::describe_url(url),
        }
    }
}

/// A Django database that is open for reading.
pub struct Django {
    description: String,
    foreign: ForeignDatabase,
    mapping: Mapping,
    zone: TimeZone,
    genders: GenderTable,
    total: i64,
    /// Version 5 of knox does not find tokens that version 4 issued.
    is_knox_5: bool,
    position: ReadPosition,
    /// The ids of the groups, once they were read.
    groups: HashSet<i64>,
    /// Filled while rows are read.
    findings: Findings,
}

/// How far the source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadPosition {
    Groups,
    UsersAfter(i64),
    End,
}

/// Rows of other tables about the users of a page.
#[derive(Default)]
struct RelatedRows {
    groups: HashMap<i64, Vec<Reference>>,
    profiles: HashMap<i64, RowCells>,
    tokens: Vec<(i64, TokenRecord)>,
}

impl From<ForeignError> for ImportError {
    fn from(error: ForeignError) -> Self {
        match error {
            ForeignError::Unreadable(why) => Self::Unreadable(why),
            ForeignError::InvalidUrl(why) => Self::Ambiguous(why),
        }
    }
}

impl Django {
    /// Opens the database and finds the mapping. It blocks, so it belongs on a blocking thread.
    pub fn open(
        location: &DjangoLocation,
        options: &MappingOptions,
        runtime: &Handle,
    ) -> Result<Self, ImportError> {
        let zone = match &options.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                ImportError::Ambiguous(format!(
                    "there is no time zone {name:?}; use a name such as Asia/Tehran"
                ))
            })?,
        };
        let genders = GenderTable::new(&options.gender)?;
        let foreign = match location {
            DjangoLocation::Sqlite(path) => ForeignDatabase::sqlite(path)?,
            DjangoLocation::Postgres(url) => ForeignDatabase::postgres(url, runtime)?,
        };
        let catalogue = Catalogue { columns: foreign.columns()?, references: foreign.references()? };
        let mapping = Mapping::find(&catalogue, options)?;
        let migrations = catalogue
            .columns
            .iter()
            .any(|column| column.table == "django_migrations" && column.name == "name");
        let is_knox_5 = migrations
            && foreign.has(
                &Name::new("django_migrations"),
                &Name::new("name"),
                "0009_extend_authtoken_field",
            )?;
        let total = foreign.count(&Name::new(&mapping.users.name))?;
        let (description, findings) = (location.describe(), Findings::default());
        Ok(Self {
            description,
            foreign,
            mapping,
            zone,
            genders,
            total,
            is_knox_5,
            position: ReadPosition::Groups,
            groups: HashSet::new(),
            findings,
        })
    }

    /// Returns the keys of some users' tokens, spread evenly over all of them. Only Django REST Framework stores keys.
    pub fn sample_keys(&self, count: u32) -> Result<Vec<String>, ImportError> {
        let Some(table) = &self.mapping.tokens else { return Ok(Vec::new()) };
        let (name, wanted) = (Name::new(&table.name), i64::from(count).max(1));
        let (mut after, mut keys) = (i64::MIN, Vec::new());
        let step = (self.foreign.count(&name)? / wanted).max(1);
        while keys.len() < usize::try_from(wanted).unwrap_or_default() {
            let rows = self.rows(table, after, None, Some(step))?;
            let Some(last) = rows.last().map(|(key, _)| *key) else { break };
            if let Some((user, cells)) = rows.into_iter().next() {
                let reading = self.row_reader(table, user);
                keys.extend(reading.text("key", cells.into_iter().next().flatten())?);
            }
            after = last;
        }
        Ok(keys)
    }

    fn row_reader<'a>(&'a self, table: &'a MappedTable, key: i64) -> RowReader<'a> {
        RowReader { table, key, zone: &self.zone, genders: &self.genders, findings: &self.findings }
    }

    /// Reads rows of a table in the order of its key: the key and the cells of the mapped columns.
    fn rows(
        &self,
        table: &MappedTable,
        after: i64,
        until: Option<i64>,
        limit: Option<i64>,
    ) -> Result<Vec<(i64, RowCells)>, ImportError> {
        let names: Vec<_> =
            table.columns.iter().map(|(_, column)| (Name::new(&column.name), column.kind.as_str())).collect();
        let columns: Vec<_> = names.iter().map(|(name, kind)| (name, *kind)).collect();
        let rows = self.foreign.rows(
            &Name::new(&table.name),
            &Name::new(&table.key),
            &columns,
            after,
            until,
            limit,
        )?;
        let reading = self.row_reader(table, 0);
        rows.into_iter()
            .map(|ForeignRow(cells)| {
                let mut cells = cells.into_iter();
                let key = reading.number(&table.key, cells.next().flatten())?;
                Ok((key, cells.collect()))
            })
            .collect()
    }

    fn groups(&self) -> Result<Vec<Record>, ImportError> {
        let Some(table) = &self.mapping.groups else { return Ok(Vec::new()) };
        let mut details: HashMap<i64, GroupRecord> = HashMap::new();
        if let Some(table) = &self.mapping.group_details {
            for (id, cells) in self.rows(table, i64::MIN, None, None)? {
                details.extend(
                    self.findings
                        .accept(self.row_reader(table, id).group_details(cells))?
                        .map(|record| (id, record)),
                );
            }
        }
        let mut records = Vec::new();
        for (id, cells) in self.rows(table, i64::MIN, None, None)? {
            let name = self.row_reader(table, id).required_text("name", cells.into_iter().next().flatten());
            let Some(name) = self.findings.accept(name)? else { continue };
            let details = details.remove(&id).unwrap_or_default();
            records.push(Record::Group(GroupRecord { id: Some(id), name, ..details }));
        }
        Ok(records)
    }

    /// Reads a page of users after an id with their groups and tokens. Returns where to continue.
    fn page(&self, after: i64) -> Result<(Vec<Record>, ReadPosition), ImportError> {
        let rows = self.rows(&self.mapping.users, after, None, Some(PAGE))?;
        // After the last user there can only be rows of users that do not exist.
        let (until, next) = match rows.last() {
            Some((id, _)) if rows.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) => {
                (*id, ReadPosition::UsersAfter(*id))
            }
            _ => (i64::MAX, ReadPosition::End),
        };
        let mut related = self.related_rows(after, until)?;
        let (mut records, mut known) =
            (Vec::with_capacity(rows.len() * 2), HashSet::with_capacity(rows.len()));
        for (id, cells) in rows {
            known.insert(id);
            let groups = related.groups.remove(&id).unwrap_or_default();
            let user = self.user(id, cells, groups, related.profiles.remove(&id));
            records.extend(self.findings.accept(user)?.map(Record::User));
        }
        for user in related.groups.keys() {
            self.findings.note("memberships of users that do not exist are left out", format!("user {user}"));
        }
        for (user, token) in related.tokens {
            if known.contains(&user) {
                records.push(Record::Token(token));
            } else {
                self.findings.note("tokens of users that do not exist are left out", format!("user {user}"));
            }
        }
        Ok((records, next))
    }

    /// Reads the rows of other tables about the users of a page.
    fn related_rows(&self, after: i64, until: i64) -> Result<RelatedRows, ImportError> {
        let mut related = RelatedRows::default();
        if let Some(table) = &self.mapping.memberships {
            let column = table.columns.first().map_or("group_id", |(_, column)| column.name.as_str());
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let group = self.row_reader(table, user).number(column, cells.into_iter().next().flatten());
                let Some(group) = self.findings.accept(group)? else { continue };
                if self.groups.contains(&group) {
                    related.groups.entry(user).or_default().push(Reference::Id(group));
                } else {
                    self.findings
                        .note("memberships of groups that do not exist are left out", format!("user {user}"));
                }
            }
        }
        if let Some(table) = &self.mapping.profile {
            related.profiles = self.rows(table, after, Some(until), None)?.into_iter().collect();
        }
        if let Some(table) = &self.mapping.tokens {
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let token = self.findings.accept(self.row_reader(table, user).drf_token(cells))?;
                related.tokens.extend(token.map(|token| (user, token)));
            }
        }
        if let Some(table) = &self.mapping.knox {
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let token = self
                    .findings
                    .accept(self.row_reader(table, user).knox_token(cells, self.is_knox_5))?
                    .flatten();
                related.tokens.extend(token.map(|token| (user, token)));
            }
        }
        Ok(related)
    }

    fn user(
        &self,
        id: i64,
        cells: RowCells,
        groups: Vec<Reference>,
        profile: Option<RowCells>,
    ) -> Result<UserRecord, ImportError> {
        let mut user = UserRecord { id: Some(id), ..UserRecord::default() };
        user.groups = self.mapping.memberships.as_ref().map(|_| groups);
        self.row_reader(&self.mapping.users, id).fill_user(&mut user, cells)?;
        if let (Some(table), Some(cells)) = (&self.mapping.profile, profile) {
            self.row_reader(table, id).fill_user(&mut user, cells)?;
        }
        Ok(user)
    }
}

impl Source for Django {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        self.position = ReadPosition::Groups;
        self.findings = Findings::default();
        for column in &self.mapping.left_out {
            self.findings.note("columns that are not read", format!("{}.{column}", self.mapping.users.name));
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        match self.position {
            ReadPosition::Groups => {
                self.position = ReadPosition::UsersAfter(i64::MIN);
                let records = self.groups()?;
                self.groups = records
                    .iter()
                    .filter_map(|record| match record {
                        Record::Group(group) => group.id,
                        _ => None,
                    })
                    .collect();
                Ok(Some(records))
            }
            ReadPosition::UsersAfter(after) => {
                let (records, next) = self.page(after)?;
                self.position = next;
                Ok(Some(records))
            }
            ReadPosition::End => Ok(None),
        }
    }

    fn notices(&mut self) -> Notices {
        self.findings.notices.take()
    }

    fn conflicts(&mut self) -> Notices {
        self.findings.conflicts.take()
    }

    fn total(&self) -> Option<u64> {
        self.total.try_into().ok()
    }

    fn mapping(&self) -> Vec<(String, String)> {
        self.mapping.describe()
    }
}
