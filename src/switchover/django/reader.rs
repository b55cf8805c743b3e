//! A Django database as a [`Source`]: users by pages of their ids, each with its groups and tokens, all in one
//! snapshot and in constant memory.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use tokio::runtime::Handle;

use super::cells::{Met, Reading};
use super::mapping::{Catalogue, Mapping, Table, Wishes};
use crate::database::Name;
use crate::database::foreign::{Cells, Foreign};
use crate::directory::model::TokenKey;
use crate::directory::transfer::import::report::Notices;
use crate::directory::transfer::import::{ImportError, Source};
use crate::directory::transfer::record::{GroupRecord, Record, Reference, TokenRecord, UserRecord};

/// Users in a page.
const PAGE: i64 = 2000;
/// Characters of a token that version 4 of knox keeps in clear; version 5 keeps more.
const KNOX_4_BEGIN: usize = 8;

/// Where a Django database is.
#[derive(Clone)]
pub enum Place {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// PostgreSQL, by its URL, which may hold a password.
    Postgres(String),
}

impl Place {
    /// Reads what an operator typed: a PostgreSQL URL, or the path of a SQLite file, with or without `sqlite://`.
    pub fn parse(typed: &str) -> Result<Self, ImportError> {
        if typed.starts_with("postgres://") || typed.starts_with("postgresql://") {
            return Ok(Self::Postgres(typed.to_owned()));
        }
        // `sqlite:///srv/db.sqlite3`, as Django's env packages write it.
        let path = typed.strip_prefix("sqlite://").unwrap_or(typed);
        // A connection string of another form may hold a password, and must not be shown as a path.
        let is_other = path.contains("://") || path.starts_with("postgres") || path.contains("password=");
        if path.is_empty() || is_other {
            return Err(ImportError::Unclear(
                "this is neither a postgres:// URL nor the path of a SQLite file".to_owned(),
            ));
        }
        Ok(Self::Sqlite(path.into()))
    }

    fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("SQLite file {}", path.display()),
            Self::Postgres(url) => Foreign::describe_url(url),
        }
    }
}

/// A Django database that is open for reading.
pub struct Django {
    described: String,
    foreign: Foreign,
    mapping: Mapping,
    zone: TimeZone,
    total: i64,
    /// Since its version 5 knox no longer finds tokens that its version 4 made.
    is_knox_5: bool,
    at: At,
    /// The groups there are; known once they were read.
    groups: HashSet<i64>,
    /// What is met on the way; noted by whoever reads a row, wherever that is.
    met: Met,
}

/// The cells of a row behind its key.
type Row = Vec<Option<Vec<u8>>>;

/// How far it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Groups,
    UsersAfter(i64),
    End,
}

/// The rows of one page that are about its users.
#[derive(Default)]
struct Beside {
    groups: HashMap<i64, Vec<Reference>>,
    profiles: HashMap<i64, Row>,
    tokens: Vec<(i64, TokenRecord)>,
}

impl Django {
    /// Opens the database and finds out what holds what. It waits, so it belongs on a thread that may.
    pub fn open(place: &Place, wishes: &Wishes, runtime: &Handle) -> Result<Self, ImportError> {
        let zone = match &wishes.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                ImportError::Unclear(format!(
                    "there is no time zone {name:?}; use a name such as Asia/Tehran"
                ))
            })?,
        };
        let foreign = match place {
            Place::Sqlite(path) => Foreign::sqlite(path)?,
            Place::Postgres(url) => Foreign::postgres(url, runtime)?,
        };
        let catalogue = Catalogue { columns: foreign.columns()?, references: foreign.references()? };
        let mapping = Mapping::find(&catalogue, wishes)?;
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
        let (described, met) = (place.describe(), Met::default());
        Ok(Self {
            described,
            foreign,
            mapping,
            zone,
            total,
            is_knox_5,
            at: At::Groups,
            groups: HashSet::new(),
            met,
        })
    }

    /// The keys of some users' tokens in clear, spread over all of them; only Django REST Framework keeps those.
    pub fn sample_keys(&self, count: u32) -> Result<Vec<String>, ImportError> {
        let Some(table) = &self.mapping.tokens else { return Ok(Vec::new()) };
        let (name, wanted) = (Name::new(&table.name), i64::from(count).max(1));
        let (mut after, mut keys) = (i64::MIN, Vec::new());
        let step = (self.foreign.count(&name)? / wanted).max(1);
        while keys.len() < usize::try_from(wanted).unwrap_or_default() {
            let rows = self.rows(table, after, None, Some(step))?;
            let Some(last) = rows.last().map(|(key, _)| *key) else { break };
            if let Some((user, cells)) = rows.into_iter().next() {
                let reading = self.reading(table, user);
                keys.extend(reading.text("key", cells.into_iter().next().flatten())?);
            }
            after = last;
        }
        Ok(keys)
    }

    fn reading<'a>(&'a self, table: &'a Table, key: i64) -> Reading<'a> {
        Reading { table: &table.name, key, zone: &self.zone, met: &self.met }
    }

    /// Rows of a table by its key, with the cells of the mapped columns.
    fn rows(
        &self,
        table: &Table,
        after: i64,
        until: Option<i64>,
        limit: Option<i64>,
    ) -> Result<Vec<(i64, Row)>, ImportError> {
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
        let reading = self.reading(table, 0);
        rows.into_iter()
            .map(|Cells(cells)| {
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
                details
                    .extend(self.met.taken(self.group_details(table, id, cells))?.map(|record| (id, record)));
            }
        }
        let mut records = Vec::new();
        for (id, cells) in self.rows(table, i64::MIN, None, None)? {
            let name = self.reading(table, id).filled("name", cells.into_iter().next().flatten());
            let Some(name) = self.met.taken(name)? else { continue };
            let details = details.remove(&id).unwrap_or_default();
            records.push(Record::Group(GroupRecord { id: Some(id), name, ..details }));
        }
        Ok(records)
    }

    fn group_details(&self, table: &Table, id: i64, cells: Row) -> Result<GroupRecord, ImportError> {
        let (mut record, reading) = (GroupRecord::default(), self.reading(table, id));
        for ((field, column), cell) in table.columns.iter().zip(cells) {
            match field.as_str() {
                "notes" => record.notes = Some(reading.text(&column.name, cell)?.unwrap_or_default()),
                "created_at" => record.created_at = reading.moment(&column.name, cell)?,
                _ => record.updated_at = reading.moment(&column.name, cell)?,
            }
        }
        Ok(record)
    }

    /// Users after an id with what belongs to them, and where to go on.
    fn page(&self, after: i64) -> Result<(Vec<Record>, At), ImportError> {
        let rows = self.rows(&self.mapping.users, after, None, Some(PAGE))?;
        // After the last user only rows of users that are not there can follow.
        let (until, next) = match rows.last() {
            Some((id, _)) if rows.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) => {
                (*id, At::UsersAfter(*id))
            }
            _ => (i64::MAX, At::End),
        };
        let mut beside = self.beside(after, until)?;
        let (mut records, mut known) =
            (Vec::with_capacity(rows.len() * 2), HashSet::with_capacity(rows.len()));
        for (id, cells) in rows {
            known.insert(id);
            let groups = beside.groups.remove(&id).unwrap_or_default();
            let user = self.user(id, cells, groups, beside.profiles.remove(&id));
            records.extend(self.met.taken(user)?.map(Record::User));
        }
        for user in beside.groups.keys() {
            self.met.note("memberships of users that are not there are left out", format!("user {user}"));
        }
        for (user, token) in beside.tokens {
            if known.contains(&user) {
                records.push(Record::Token(token));
            } else {
                self.met.note("tokens of users that are not there are left out", format!("user {user}"));
            }
        }
        Ok((records, next))
    }

    /// What stands in other tables about the users of a page.
    fn beside(&self, after: i64, until: i64) -> Result<Beside, ImportError> {
        let mut beside = Beside::default();
        if let Some(table) = &self.mapping.memberships {
            let column = table.columns.first().map_or("group_id", |(_, column)| column.name.as_str());
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let group = self.reading(table, user).number(column, cells.into_iter().next().flatten());
                let Some(group) = self.met.taken(group)? else { continue };
                if self.groups.contains(&group) {
                    beside.groups.entry(user).or_default().push(Reference::Id(group));
                } else {
                    self.met.note(
                        "memberships of groups that are not there are left out",
                        format!("user {user}"),
                    );
                }
            }
        }
        if let Some(table) = &self.mapping.profile {
            beside.profiles = self.rows(table, after, Some(until), None)?.into_iter().collect();
        }
        if let Some(table) = &self.mapping.tokens {
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let token = self.met.taken(self.drf_token(table, user, cells))?;
                beside.tokens.extend(token.map(|token| (user, token)));
            }
        }
        if let Some(table) = &self.mapping.knox {
            for (user, cells) in self.rows(table, after, Some(until), None)? {
                let token = self.met.taken(self.knox_token(table, user, cells))?.flatten();
                beside.tokens.extend(token.map(|token| (user, token)));
            }
        }
        Ok(beside)
    }

    fn user(
        &self,
        id: i64,
        cells: Row,
        groups: Vec<Reference>,
        profile: Option<Row>,
    ) -> Result<UserRecord, ImportError> {
        let mut user = UserRecord { id: Some(id), ..UserRecord::default() };
        user.groups = self.mapping.memberships.as_ref().map(|_| groups);
        self.read_user(&mut user, &self.mapping.users, id, cells)?;
        if let (Some(table), Some(cells)) = (&self.mapping.profile, profile) {
            self.read_user(&mut user, table, id, cells)?;
        }
        Ok(user)
    }

    fn read_user(
        &self,
        user: &mut UserRecord,
        table: &Table,
        id: i64,
        cells: Row,
    ) -> Result<(), ImportError> {
        let reading = self.reading(table, id);
        for ((field, column), cell) in table.columns.iter().zip(cells) {
            let name = &column.name;
            match field.as_str() {
                "username" => user.username = reading.filled(name, cell)?,
                "mobile_number" => user.mobile_number = Some(reading.text(name, cell)?),
                "email" => user.email = Some(reading.text(name, cell)?),
                "avatar" => user.avatar = Some(reading.text(name, cell)?),
                "first_name" => user.first_name = Some(reading.text(name, cell)?.unwrap_or_default()),
                "last_name" => user.last_name = Some(reading.text(name, cell)?.unwrap_or_default()),
                "gender" => user.gender = Some(reading.text(name, cell)?),
                "password" => user.password = Some(reading.text(name, cell)?.unwrap_or_default()),
                "is_active" => user.is_active = Some(reading.boolean(name, cell)?),
                "is_staff" => user.is_staff = Some(reading.boolean(name, cell)?),
                "is_admin" => user.is_admin = Some(reading.boolean(name, cell)?),
                "last_login" => user.last_login = Some(reading.moment(name, cell)?),
                "created_at" => user.created_at = reading.moment(name, cell)?,
                _ => user.updated_at = reading.moment(name, cell)?,
            }
        }
        Ok(())
    }

    fn drf_token(&self, table: &Table, user: i64, cells: Row) -> Result<TokenRecord, ImportError> {
        let (reading, mut cells) = (self.reading(table, user), cells.into_iter());
        let key = reading.filled("key", cells.next().flatten())?;
        let created_at = reading.moment("created", cells.next().flatten())?;
        let shown = TokenKey::imported(key.clone());
        Ok(TokenRecord {
            user: Some(Reference::Id(user)),
            name: Some("Django REST Framework".to_owned()),
            prefix: Some(shown.prefix()),
            last_four: Some(shown.last_four()),
            key: Some(key),
            created_at,
            expires_at: Some(None),
            ..TokenRecord::default()
        })
    }

    fn knox_token(&self, table: &Table, user: i64, cells: Row) -> Result<Option<TokenRecord>, ImportError> {
        let (reading, mut cells) = (self.reading(table, user), cells.into_iter());
        let digest = reading.filled("digest", cells.next().flatten())?;
        let begin = reading.filled("token_key", cells.next().flatten())?;
        let created_at = reading.moment("created", cells.next().flatten())?;
        let expires_at = reading.moment("expiry", cells.next().flatten())?;
        if self.is_knox_5 && begin.len() == KNOX_4_BEGIN {
            self.met.note(
                "tokens that knox 4 made and knox 5 no longer accepts are left out",
                format!("user {user}"),
            );
            return Ok(None);
        }
        Ok(Some(TokenRecord {
            user: Some(Reference::Id(user)),
            name: Some("knox".to_owned()),
            digest: Some(digest),
            prefix: Some(begin.chars().take(4).collect()),
            last_four: Some(String::new()),
            created_at,
            expires_at: Some(expires_at),
            ..TokenRecord::default()
        }))
    }
}

impl Source for Django {
    fn describe(&self) -> String {
        self.described.clone()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        self.at = At::Groups;
        self.met = Met::default();
        for column in &self.mapping.left_out {
            self.met
                .note("columns that nothing is read from", format!("{}.{column}", self.mapping.users.name));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        match self.at {
            At::Groups => {
                self.at = At::UsersAfter(i64::MIN);
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
            At::UsersAfter(after) => {
                let (records, next) = self.page(after)?;
                self.at = next;
                Ok(Some(records))
            }
            At::End => Ok(None),
        }
    }

    fn notices(&mut self) -> Notices {
        self.met.notices.take()
    }

    fn conflicts(&mut self) -> Notices {
        self.met.conflicts.take()
    }

    fn total(&self) -> Option<u64> {
        self.total.try_into().ok()
    }

    fn mapping(&self) -> Vec<(String, String)> {
        self.mapping.told()
    }
}
