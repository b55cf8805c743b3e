//! Whether the database answers, and whether its rows are consistent.

use super::transfer::tables::changed_tables;
use super::{Store, migrations};
use crate::database::FromRow;
use crate::database::Sql;
use crate::database::{Backend, DatabaseError, Dialect, Row, Tx};
use crate::database::{missing_grant, writers_lock};
use crate::directory::error::Error;
use crate::directory::model::Timestamp;

/// The result of checking a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrityReport {
    /// Damage that only a backup can repair.
    pub damage: Vec<String>,
    /// Groups whose stored number of members is wrong.
    pub miscounted: Vec<String>,
    /// Objects in the schema of a SQLite file that are not of this program.
    pub strangers: Vec<String>,
    /// Columns with times that this program cannot read, and the SQL that makes them the nearest that it can.
    pub times: Vec<(String, String)>,
    /// The SQL that recounts members, which an operator can run while servers run.
    pub recount: &'static str,
}

/// Recounts what the triggers of memberships maintain.
macro_rules! count_members {
    () => {
        "UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id)"
    };
}

impl IntegrityReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
            && self.miscounted.is_empty()
            && self.strangers.is_empty()
            && self.times.is_empty()
    }
}

impl Tx<'_> {
    /// Recounts the members of all groups.
    pub(in crate::directory) fn count_members(&self) -> Result<(), Error> {
        self.execute(&Sql::new(count_members!()))?;
        Ok(())
    }
}

impl Store {
    /// Describes the database: its kind and version.
    pub(in crate::directory) async fn describe(&self) -> Result<String, Error> {
        match &self.backend {
            Backend::Sqlite { directory, .. } => {
                Ok(format!("SQLite {} in {}", rusqlite::version(), directory.display()))
            }
            Backend::Postgres { .. } => {
                let sql = "SELECT concat(current_setting('server_version'), ', schema ', current_schema())";
                let version: Option<String> = self.first(Sql::new(sql)).await?;
                Ok(format!("PostgreSQL {}", version.unwrap_or_default()))
            }
        }
    }

    /// Returns the schema of the tables if every role may create objects in it. SQLite has no schemas.
    pub(in crate::directory) async fn schema_open_to_all(&self) -> Result<Option<String>, Error> {
        match self.backend {
            Backend::Sqlite { .. } => Ok(None),
            Backend::Postgres { .. } => {
                let sql = "SELECT CAST(current_schema() AS TEXT) \
                           WHERE has_schema_privilege('public', current_schema(), 'CREATE')";
                self.first(Sql::new(sql)).await
            }
        }
    }

    /// Returns the statements that would give the role of a PostgreSQL URL the rights that it lacks for the work of a server,
    /// or `None` on SQLite. Events of the audit trail are only read and added.
    pub(in crate::directory) async fn missing_grants(&self) -> Result<Option<Vec<String>>, Error> {
        if let Backend::Sqlite { .. } = self.backend {
            return Ok(None);
        }
        let mut missing = Vec::new();
        for (rights, tables) in [
            ("SELECT", vec!["schema_migrations"]),
            ("SELECT, INSERT", vec!["audit_events"]),
            ("SELECT, INSERT, UPDATE, DELETE", changed_tables()),
        ] {
            missing.extend(self.point_read::<String>(missing_grant(rights, &tables)).await?);
        }
        Ok(Some(missing))
    }

    /// Returns the settings of a PostgreSQL server that let a power cut destroy what was committed, or `None` on SQLite.
    pub(in crate::directory) async fn unsafe_settings(&self) -> Result<Option<Vec<String>>, Error> {
        match self.backend {
            Backend::Sqlite { .. } => Ok(None),
            Backend::Postgres { .. } => {
                let sql = "SELECT CAST(name AS TEXT) FROM pg_catalog.pg_settings \
                           WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
                self.point_read(Sql::new(sql)).await.map(Some)
            }
        }
    }

    /// Checks the whole database. PostgreSQL checks its own pages.
    pub(in crate::directory) async fn check_integrity(&self) -> Result<IntegrityReport, Error> {
        let report = match self.backend {
            Backend::Sqlite { .. } => self.snapshot(|tx| Ok(check_integrity(tx)?)).await,
            Backend::Postgres { .. } => self.snapshot(|tx| Ok(found(tx, Vec::new())?)).await,
        };
        let report = match report {
            // The check itself met the damage.
            Err(Error::Unavailable(damage)) if self.backend.is_damaged() => {
                IntegrityReport { damage: vec![damage], ..IntegrityReport::default() }
            }
            report => report?,
        };
        if !report.damage.is_empty() {
            self.backend.note_damage();
        }
        Ok(report)
    }
}

/// Checks a SQLite file and the references between its rows.
pub(super) fn check_integrity(tx: &Tx<'_>) -> Result<IntegrityReport, DatabaseError> {
    let lines: Vec<String> = tx.all(&Sql::new("PRAGMA integrity_check"))?;
    let mut damage: Vec<_> = lines.into_iter().filter(|line| line != "ok").collect();
    let broken: Vec<Orphan> = tx.all(&Sql::new("SELECT \"table\" FROM pragma_foreign_key_check"))?;
    damage.extend(broken.into_iter().map(|Orphan(table)| format!("a row of {table} refers to nothing")));
    found(tx, damage)
}

fn found(tx: &Tx<'_>, damage: Vec<String>) -> Result<IntegrityReport, DatabaseError> {
    // On PostgreSQL under the lock of all writers: a member added meanwhile would not be counted.
    let recount =
        tx.either(count_members!(), concat!("BEGIN; ", writers_lock!(), "; ", count_members!(), "; COMMIT"));
    let strangers = match tx.dialect() {
        // A damaged file may be unreadable.
        Dialect::Sqlite if damage.is_empty() => {
            migrations::strangers(tx.link()).map_err(|error| DatabaseError::Broken(error.into()))?
        }
        _ => Vec::new(),
    };
    // Nor can the rows of one.
    let times = if damage.is_empty() { unreadable_times(tx)? } else { Vec::new() };
    Ok(IntegrityReport { damage, miscounted: miscounted(tx)?, strangers, times, recount })
}

/// The columns with times, but for those of the audit trail, whose events are never changed.
const TIMES: [(&str, &[&str]); 5] = [
    ("users", &["last_login", "last_seen_at", "created_at", "updated_at"]),
    ("groups", &["created_at", "updated_at"]),
    ("tokens", &["created_at", "expires_at", "revoked_at", "last_used_at", "ends_by"]),
    ("deleted_users", &["deleted_at"]),
    ("deleted_groups", &["deleted_at"]),
];

/// Returns the columns with times that no [`Timestamp`] can hold: someone wrote them with SQL.
fn unreadable_times(tx: &Tx<'_>) -> Result<Vec<(String, String)>, DatabaseError> {
    let (first, last) = (Timestamp::FIRST.as_micros(), Timestamp::LAST.as_micros());
    let mut found = Vec::new();
    for (table, columns) in TIMES {
        for column in columns {
            let mut sql = Sql::new("SELECT coalesce(min(id), 0), count(*) FROM ");
            sql.push(table).push(" WHERE ").push(column).push(" < ").push_arg(first);
            sql.push(" OR ").push(column).push(" > ").push_arg(last);
            let Some(UnreadableTimes { id, count: count @ 1.. }) = tx.first(&sql)? else { continue };
            let clamp = tx.either("min(max(", "least(greatest(");
            let message = format!(
                "{table}.{column} of {count} rows, the first with id {id}, is no time that can be read"
            );
            let repair = format!(
                "UPDATE {table} SET {column} = {clamp}{column}, {first}), {last}) WHERE {column} < {first} OR {column} > {last}"
            );
            found.push((message, repair));
        }
    }
    Ok(found)
}

struct UnreadableTimes {
    id: i64,
    count: i64,
}

impl FromRow for UnreadableTimes {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, count: row.next()? })
    }
}

/// Returns the groups whose stored number of members is wrong: rows were written while the triggers were off.
fn miscounted(tx: &Tx<'_>) -> Result<Vec<String>, DatabaseError> {
    let sql = "SELECT id, users_count, members FROM (SELECT g.id, g.users_count, \
               (SELECT count(*) FROM memberships m WHERE m.group_id = g.id) AS members FROM groups g) counted \
               WHERE users_count <> members ORDER BY id";
    let groups: Vec<Miscounted> = tx.all(&Sql::new(sql))?;
    let message = |Miscounted { id, kept, members }| {
        format!("group {id} is said to have {kept} members and has {members}")
    };
    Ok(groups.into_iter().map(message).collect())
}

struct Orphan(String);

impl FromRow for Orphan {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        row.next().map(Self)
    }
}

struct Miscounted {
    id: i64,
    kept: i64,
    members: i64,
}

impl FromRow for Miscounted {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, kept: row.next()?, members: row.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::store::testing::on_both;

    /// Whatever happens to memberships, and whoever writes, the number stored with a group is right; if it is not, it is
    /// reported.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_members_of_a_group_are_kept_count_of() {
        let people = "INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, \
             is_staff, is_admin, created_at, updated_at, search_key) VALUES (1, 'a', 'a', '', '', '', '!', TRUE, FALSE, FALSE, 0, 0, ''), \
             (2, 'b', 'b', '', '', '', '!', TRUE, FALSE, FALSE, 0, 0, ''), (3, 'c', 'c', '', '', '', '!', TRUE, FALSE, FALSE, 0, 0, '')";
        let groups = "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) \
             VALUES (1, 'x', 'x', '', 0, 0, ''), (2, 'y', 'y', '', 0, 0, '')";
        let steps: &[(&str, [i64; 2])] = &[
            ("INSERT INTO memberships (user_id, group_id) VALUES (1, 1), (2, 1), (3, 1), (3, 2)", [3, 1]),
            (
                "INSERT INTO memberships (user_id, group_id) VALUES (1, 1), (1, 2) ON CONFLICT DO NOTHING",
                [3, 2],
            ),
            ("UPDATE memberships SET group_id = 2 WHERE user_id = 2", [2, 3]),
            ("UPDATE memberships SET group_id = group_id WHERE user_id = 2", [2, 3]),
            ("DELETE FROM memberships WHERE group_id = 2 AND user_id < 3", [2, 1]),
            ("DELETE FROM users WHERE id = 3", [1, 0]),
            ("DELETE FROM groups WHERE id = 2", [1, -1]),
            ("DELETE FROM memberships", [0, -1]),
        ];
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let run = async |sql: &'static str| {
                store.write(move |tx| Ok(tx.execute(&Sql::new(sql))?)).await.unwrap();
            };
            run(people).await;
            run(groups).await;
            for (step, expected) in steps {
                run(step).await;
                for (id, expected) in (1_i64..).zip(expected) {
                    let kept = Sql::new("SELECT users_count FROM groups WHERE id = $1").bind(id);
                    let kept: Option<i64> = store.first(kept).await.unwrap();
                    assert_eq!(kept.unwrap_or(-1), *expected, "group {id} after {step}");
                }
                assert!(store.check_integrity().await.unwrap().is_clean(), "{step}");
            }
            run("UPDATE groups SET users_count = 7").await;
            let IntegrityReport { damage, miscounted, .. } = store.check_integrity().await.unwrap();
            assert_eq!(damage, [""; 0]);
            assert_eq!(miscounted, ["group 1 is said to have 7 members and has 0"]);
            store.write(|tx| tx.count_members()).await.unwrap();
            assert!(store.check_integrity().await.unwrap().is_clean());
        })
        .await;
    }
}
