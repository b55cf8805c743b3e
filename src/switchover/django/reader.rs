//! A Django database as a [`Source`]: it reads users by pages of their keys, each with its groups and tokens, in one
//! snapshot and in constant memory.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use tokio::runtime::Handle;

use super::catalogue::Catalogue;
use super::cells::Findings;
use super::gender::GenderTable;
use super::options::MappingOptions;
use super::tables::{FlagSource, MappedTable, Mapping};
use crate::database::foreign::{ForeignDatabase, ForeignTable, KeyValue};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::import::source::{LeftOutUsers, Source};
use crate::directory::transfer::record::{Record, Reference};

/// Users in a page.
pub(super) const PAGE: i64 = 2000;

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
                "the source is neither a PostgreSQL URL nor the path of a SQLite file: use \
                 postgres://user:password@host:port/name or the path. From another database, write the rows to JSON lines (see \
                 docs/records.md)"
                    .to_owned(),
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
    pub(super) foreign: ForeignDatabase,
    pub(super) mapping: Mapping,
    pub(super) zone: TimeZone,
    pub(super) genders: GenderTable,
    total: i64,
    /// Version 5 of knox does not find tokens that version 4 issued.
    pub(super) is_knox_5: bool,
    position: ReadPosition,
    /// The groups by the text with which memberships refer to them, once they were read.
    pub(super) groups: HashMap<String, Reference>,
    /// The texts with which memberships refer to groups that are left out.
    pub(super) left_out_groups: HashSet<String>,
    /// The groups that give a flag, by name.
    pub(super) flag_groups: HashMap<String, Reference>,
    /// Filled while rows are read.
    pub(super) findings: Findings,
    /// What was found before the first row.
    notices: Notices,
}

/// How far the source was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ReadPosition {
    Groups,
    UsersAfter(Option<KeyValue>),
    End,
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
        let catalogue = Catalogue::from(foreign.catalogue()?);
        let mapping = Mapping::find(&catalogue, &foreign, options)?;
        let is_knox_5 = is_knox_5(&catalogue, &foreign, &mapping)?;
        let total = foreign.count(&mapping.users.owner.table)?;
        let mut notices = mapping.notices.clone();
        notices.extend(rows_without_owner(&foreign, &mapping)?);
        Ok(Self {
            description: location.describe(),
            foreign,
            mapping,
            zone,
            genders,
            total,
            is_knox_5,
            position: ReadPosition::Groups,
            groups: HashMap::new(),
            left_out_groups: HashSet::new(),
            flag_groups: HashMap::new(),
            findings: Findings { skips_invalid: options.skip_invalid, ..Findings::default() },
            notices,
        })
    }

    fn remember_flag_groups(&mut self, records: &[Record]) {
        let names: Vec<&String> = self
            .mapping
            .users
            .flags
            .iter()
            .filter_map(|(_, source)| match source {
                FlagSource::Group(name) => Some(name),
                FlagSource::Constant(_) => None,
            })
            .collect();
        self.flag_groups = records
            .iter()
            .filter_map(|record| match record {
                Record::Group(group) if names.contains(&&group.name) => {
                    let own = group.id.map_or_else(|| Reference::Name(group.name.clone()), Reference::Id);
                    Some((group.name.clone(), own))
                }
                _ => None,
            })
            .collect();
    }
}

/// Returns whether the project uses version 5 of knox: its migrations say so, in the schema of its table.
fn is_knox_5(
    catalogue: &Catalogue,
    foreign: &ForeignDatabase,
    mapping: &Mapping,
) -> Result<bool, ImportError> {
    let Some(knox) = &mapping.knox else { return Ok(false) };
    let migrations = ForeignTable { schema: knox.table.schema.clone(), name: "django_migrations".to_owned() };
    let column = catalogue.column(&migrations, "name").filter(|column| column.is_readable);
    match column {
        Some(column) => Ok(foreign.has(&migrations, &column.name, "0009_extend_authtoken_field")?),
        None => Ok(false),
    }
}

/// Counts rows that are about no user or group: their key is null, or refers to nothing. Where the key itself is read, the
/// latter shows while rows are read.
fn rows_without_owner(foreign: &ForeignDatabase, mapping: &Mapping) -> Result<Notices, ImportError> {
    let (mut notices, mut seen) = (Notices::default(), HashSet::new());
    for (mapped, owner) in mapping.tables() {
        let MappedTable { table, join, .. } = mapped;
        if !seen.insert((table, &join.column.name)) {
            continue;
        }
        let mut add = |text: String, rows: i64| {
            notices.add_all(&text, rows.unsigned_abs(), vec![format!("{table} ({rows})")]);
        };
        let nulls = foreign.count_null(table, &join.column.name)?;
        if nulls > 0 {
            add(format!("rows that belong to none of the {} are left out", owner.noun.plural()), nulls);
        }
        if !mapped.has_key(owner) {
            let orphans = foreign.count_orphans(table, &join.column.name, (&owner.table, &join.to))?;
            if orphans > 0 {
                add(format!("rows of {} that do not exist are left out", owner.noun.plural()), orphans);
            }
        }
    }
    Ok(notices)
}

impl Source for Django {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        self.position = ReadPosition::Groups;
        self.findings = Findings { skips_invalid: self.findings.skips_invalid, ..Findings::default() };
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        match &self.position {
            ReadPosition::Groups => {
                let records = self.read_groups()?;
                self.remember_flag_groups(&records);
                self.position = ReadPosition::UsersAfter(None);
                Ok(Some(records))
            }
            ReadPosition::UsersAfter(after) => {
                let (records, last) = self.page(after.as_ref())?;
                self.position = last.map_or(ReadPosition::End, |last| ReadPosition::UsersAfter(Some(last)));
                Ok(Some(records))
            }
            ReadPosition::End => Ok(None),
        }
    }

    fn notices(&mut self) -> Notices {
        let mut notices = self.notices.clone();
        notices.extend(self.findings.notices.take());
        notices
    }

    fn conflicts(&mut self) -> Notices {
        self.findings.conflicts.take()
    }

    fn left_out(&mut self) -> LeftOutUsers {
        self.findings.left_out.take()
    }

    fn total(&self) -> Option<u64> {
        self.total.try_into().ok()
    }

    fn mapping(&self) -> Vec<(String, String)> {
        self.mapping.describe()
    }
}
