//! Statements about how much happened, and about the servers on this database.

use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{ActivityKind, ActivitySpan, Timestamp};

/// A row of `activity`, whose kind may be that of another version.
pub(in crate::directory) struct StoredActivity {
    pub(in crate::directory) starts_at: i64,
    pub(in crate::directory) kind: String,
    pub(in crate::directory) count: i64,
}

impl FromRow for StoredActivity {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { starts_at: row.next()?, kind: row.next()?, count: row.next()? })
    }
}

/// Selects the counts of hours or days that began at a time or later.
pub(in crate::directory) fn since(span: ActivitySpan, start: i64) -> Sql {
    Sql::new("SELECT starts_at, kind, count FROM activity WHERE span = $1 AND starts_at >= $2")
        .bind(span.as_str())
        .bind(start)
        .with_one_plan()
}

/// A version, and how many servers of it are on this database.
pub(in crate::directory) struct ServersOfVersion {
    pub(in crate::directory) version: String,
    pub(in crate::directory) count: i64,
}

impl FromRow for ServersOfVersion {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { version: row.next()?, count: row.next()? })
    }
}

/// Counts the servers that were seen since a time, by version.
pub(in crate::directory) fn servers(since: Timestamp) -> Sql {
    Sql::new("SELECT version, count(*) FROM servers WHERE seen_at >= $1 GROUP BY version ORDER BY version")
        .bind(since)
}

impl Tx<'_> {
    /// Adds to the counts of the hour and of the day of a time. Several servers may do so.
    pub(in crate::directory) fn add_activity(
        &self,
        at: Timestamp,
        counts: &[(ActivityKind, u64)],
    ) -> Result<(), Error> {
        let mut sql = Sql::composed("INSERT INTO activity (span, starts_at, kind, count) VALUES ");
        let mut before = "(";
        for span in [ActivitySpan::Hour, ActivitySpan::Day] {
            for (kind, count) in counts {
                sql.push(before).push_arg(span.as_str()).push(", ").push_arg(span.start(at));
                sql.push(", ").push_arg(kind.as_str()).push(", ");
                sql.push_arg(i64::try_from(*count).unwrap_or(i64::MAX)).push(")");
                before = ", (";
            }
        }
        sql.push(
            " ON CONFLICT (span, starts_at, kind) DO UPDATE SET count = activity.count + excluded.count",
        );
        self.execute(&sql)?;
        Ok(())
    }

    /// Deletes the counts of spans that began before a time.
    pub(in crate::directory) fn forget_activity(
        &self,
        span: ActivitySpan,
        before: Timestamp,
    ) -> Result<(), Error> {
        let sql = "DELETE FROM activity WHERE span = $1 AND starts_at < $2";
        self.execute(&Sql::new(sql).bind(span.as_str()).bind(before))?;
        Ok(())
    }

    /// Notes that a server is there, and deletes those that were not seen since a time.
    pub(in crate::directory) fn note_server(
        &self,
        (id, version): (&str, &str),
        now: Timestamp,
        forgotten: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO servers (id, version, started_at, seen_at) VALUES ($1, $2, $3, $3) \
                   ON CONFLICT (id) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at";
        self.execute(&Sql::new(sql).bind(id).bind(version).bind(now))?;
        self.execute(&Sql::new("DELETE FROM servers WHERE seen_at < $1").bind(forgotten))?;
        Ok(())
    }

    /// Deletes a server that stops.
    pub(in crate::directory) fn forget_server(&self, id: &str) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM servers WHERE id = $1").bind(id))?;
        Ok(())
    }
}
