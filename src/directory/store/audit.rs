//! Statements about the audit trail. Rows are inserted and read, never changed.

use crate::database::{DatabaseError, FirstRead, FromRow, Row, Sql, Subject, Tx};
use crate::directory::error::Error;
use crate::directory::model::{AuditFilter, ChainLink, Event, RecordedEvent, Timestamp};
use crate::network::canonical_text;

/// The columns of a [`RecordedEvent`], in the order in which [`FromRow`] reads them.
macro_rules! columns {
    () => {
        "id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id, object_name, changes, \
         address, request_id, previous_hash, hash"
    };
}

impl FromRow for RecordedEvent {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let (id, at) = (row.next()?, row.next_as::<i64, _>("time")?);
        let event = Event {
            actor_kind: row.next()?,
            actor_id: row.next()?,
            actor_name: row.next()?,
            action: row.next()?,
            object_kind: row.next()?,
            object_id: row.next()?,
            object_name: row.next()?,
            changes: row.next()?,
            address: row.next()?,
            request_id: row.next()?,
        };
        Ok(Self { id, at, event, link: ChainLink { previous_hash: row.next()?, hash: row.next()? } })
    }
}

/// Selects events after a number, oldest first.
pub(in crate::directory) fn page(after: i64, limit: i64) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM audit_events WHERE id > $1 ORDER BY id LIMIT $2"))
        .bind(after)
        .bind(limit)
}

/// Selects the events of a filter, newest first.
pub(in crate::directory) fn list(filter: &AuditFilter, limit: i64) -> Sql {
    let by_time = (filter.from.is_some() || filter.to.is_some()) && !names_one(filter);
    EventQuery { filter, after: None, limit, by_time }.sql()
}

/// Selects the events of a filter after a number, oldest first.
pub(in crate::directory) fn filtered_page(filter: &AuditFilter, after: i64, limit: i64) -> Sql {
    EventQuery { filter, after: Some(after), limit, by_time: false }.sql()
}

/// Whether events are filtered by one actor, object or address, which has few of them.
fn names_one(filter: &AuditFilter) -> bool {
    let names = [&filter.actor_name, &filter.object_name, &filter.address];
    names.iter().any(|name| name.is_some()) || filter.actor_id.is_some() || filter.object_id.is_some()
}

/// How a name or an address is looked for: as it was recorded, or as that of a user or group whose events these are.
type Way = &'static [(&'static str, &'static str)];

/// The ways to find the events of an actor: the text before the name, and after it.
const ACTORS: Way = &[
    (" AND actor_name = ", ""),
    (" AND actor_kind = 'person' AND actor_id = (SELECT id FROM users WHERE username = ", ")"),
];
/// The ways to find the events of an object.
const OBJECTS: Way = &[
    (" AND object_name = ", ""),
    (" AND object_kind = 'user' AND object_id = (SELECT id FROM users WHERE username = ", ")"),
    (" AND object_kind = 'group' AND object_id = (SELECT id FROM groups WHERE name = ", ")"),
];

/// The ways to find the events from an address. Version 0.1 recorded an IPv4 address as the socket had it.
const ADDRESSES: Way = &[
    (" AND address IS NOT NULL AND address = ", ""),
    (" AND address IS NOT NULL AND address = '::ffff:' || CAST(", " AS TEXT)"),
];

/// A way, with the name or address that is looked for.
type NamedWay = ((&'static str, &'static str), String);

/// A list of events.
struct EventQuery<'a> {
    filter: &'a AuditFilter,
    /// Oldest first, after this number; `None` is newest first.
    after: Option<i64>,
    limit: i64,
    /// Whether they are in the order of their times, along an index of those: a range of times is then a range of the index.
    /// Otherwise they are in the order of their numbers, in which they happened. The orders differ if a clock was set back.
    by_time: bool,
}

impl EventQuery<'_> {
    /// Each way to find a name is a range of an index of its own, and neither database uses an index for `OR`. So a name is
    /// looked for in each way by itself, and a page reads no more than its events of each.
    fn sql(&self) -> Sql {
        let mut sql = Sql::composed(concat!("SELECT ", columns!(), " FROM audit_events WHERE "));
        let ways = self.ways();
        if ways.is_empty() {
            sql.push("TRUE");
            self.narrow(&mut sql);
        } else {
            let mut before = "id IN (SELECT id FROM (SELECT id FROM audit_events WHERE TRUE";
            for way in ways {
                sql.push(before);
                before = " UNION SELECT id FROM (SELECT id FROM audit_events WHERE TRUE";
                for ((text, end), value) in way {
                    sql.push(text).push_arg(value).push(end);
                }
                self.narrow(&mut sql);
                self.order(&mut sql);
                sql.push(") AS way");
            }
            sql.push(")");
        }
        self.order(&mut sql);
        sql
    }

    /// Each combination of the ways to find what the filter names; none if it names nothing.
    fn ways(&self) -> Vec<Vec<NamedWay>> {
        let address = self.filter.address.as_deref().map(canonical_text);
        let mut all = vec![Vec::new()];
        for (ways, value) in [
            (ACTORS, self.filter.actor_name.clone()),
            (OBJECTS, self.filter.object_name.clone()),
            (ADDRESSES, address),
        ] {
            let Some(value) = value else { continue };
            let with = |way: &(&'static str, &'static str)| {
                let way = *way;
                all.iter()
                    .map(|before| [before.clone(), vec![(way, value.clone())]].concat())
                    .collect::<Vec<_>>()
            };
            all = ways.iter().flat_map(with).collect();
        }
        all.into_iter().filter(|way| !way.is_empty()).collect()
    }

    fn order(&self, sql: &mut Sql) {
        let order = match (self.after, self.by_time) {
            (Some(_), _) => " ORDER BY id LIMIT ",
            (None, false) => " ORDER BY id DESC LIMIT ",
            (None, true) => " ORDER BY at DESC, id DESC LIMIT ",
        };
        sql.push(order).push_arg(self.limit);
    }

    /// Adds the conditions that are about neither names nor addresses.
    fn narrow(&self, sql: &mut Sql) {
        let filter = self.filter;
        for (text, value) in
            [(" AND action = ", &filter.action), (" AND object_kind = ", &filter.object_kind)]
        {
            if let Some(value) = value {
                sql.push(text).push_arg(value.as_str());
            }
        }
        for (text, value) in [
            (" AND id < ", filter.before.filter(|_| !self.by_time)),
            (" AND id > ", self.after),
            (" AND actor_id = ", filter.actor_id),
            (" AND object_id = ", filter.object_id),
            (" AND at >= ", filter.from.map(Timestamp::as_micros)),
            (" AND at < ", filter.to.map(Timestamp::as_micros)),
        ] {
            if let Some(value) = value {
                sql.push(text).push_arg(value);
            }
        }
        if let Some(before) = filter.before.filter(|_| self.by_time) {
            // The number may be missing: a write that was rolled back took it. Then the next event gives the time.
            sql.push(" AND (at, id) < (COALESCE((SELECT at FROM audit_events WHERE id >= ").push_arg(before);
            sql.push(" ORDER BY id LIMIT 1), 9223372036854775807), ").push_arg(before).push(")");
        }
    }
}

/// The trail as what a [`FirstRead`] depends on. No user has this id.
const TRAIL: Subject = Subject(0);

/// Selects the hash of the newest event.
fn head() -> Sql {
    Sql::new("SELECT hash FROM audit_events ORDER BY id DESC LIMIT 1")
}

/// Returns the same as a read that a change begins with.
pub(in crate::directory) fn first_read_of_head() -> FirstRead {
    FirstRead { sql: head(), subject: TRAIL }
}

impl Tx<'_> {
    /// Returns the hash of the newest event, which the next one continues; empty before the first.
    pub(in crate::directory) fn audit_head(&self) -> Result<Vec<u8>, Error> {
        if let Some(head) = &*self.scratch.borrow() {
            return Ok(head.clone());
        }
        let head: Option<Bytes> = self.first(&head())?;
        let head = head.map(|Bytes(hash)| hash).unwrap_or_default();
        *self.scratch.borrow_mut() = Some(head.clone());
        Ok(head)
    }

    /// Inserts an event.
    pub(in crate::directory) fn insert_event(
        &self,
        at: Timestamp,
        event: &Event,
        link: ChainLink,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO audit_events (at, actor_kind, actor_id, actor_name, action, object_kind, object_id, \
             object_name, changes, address, request_id, previous_hash, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        let sql =
            sql.bind(at).bind(event.actor_kind.as_str()).bind(event.actor_id).bind(event.actor_name.as_str());
        let sql = sql.bind(event.action.as_str()).bind(event.object_kind.as_str()).bind(event.object_id);
        let sql = sql.bind(event.object_name.as_str()).bind(event.changes.as_str());
        let sql = sql.bind(event.address.as_deref()).bind(event.request_id.as_deref());
        self.send_about(TRAIL, sql.bind(link.previous_hash).bind(link.hash.clone()))?;
        *self.scratch.borrow_mut() = Some(link.hash);
        Ok(())
    }
}

struct Bytes(Vec<u8>);

impl FromRow for Bytes {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        row.next().map(Self)
    }
}
