//! Whether the database can be asked, and whether what it holds is sound.

use super::row::FromRow;
use super::sql::Sql;
use super::tx::writers_lock;
use super::{Backend, Dialect, StoreError, migrations, row::Row};
use super::{Store, Tx};
use crate::directory::error::Error;

/// What is wrong with a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// What only a backup can mend.
    pub damage: Vec<String>,
    /// Groups whose kept number of members is wrong.
    pub miscounted: Vec<String>,
    /// What of a SQLite file's schema is not this program's.
    pub strangers: Vec<String>,
    /// What an operator can run to count them anew, beside servers.
    pub recount: &'static str,
}

/// What the triggers of memberships keep.
macro_rules! count_members {
    () => {
        "UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id)"
    };
}

impl Faults {
    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        self.damage.is_empty() && self.miscounted.is_empty() && self.strangers.is_empty()
    }
}

impl Tx<'_> {
    /// Counts the members of all groups anew.
    pub(in crate::directory) fn count_members(&self) -> Result<(), Error> {
        self.execute(&Sql::new(count_members!()))?;
        Ok(())
    }
}

impl Store {
    /// Asks the database for nothing in particular.
    pub(in crate::directory) async fn ping(&self) -> Result<(), Error> {
        self.first::<i64>(Sql::new("SELECT count(*) FROM schema_migrations")).await.map(|_| ())
    }

    /// What the database is, in words: its kind and version.
    pub(in crate::directory) async fn describe(&self) -> Result<String, Error> {
        match &self.backend {
            Backend::Sqlite { directory, .. } => {
                Ok(format!("SQLite {} in {}", rusqlite::version(), directory.display()))
            }
            Backend::Postgres { .. } => {
                let version: Option<String> = self.first(Sql::new("SHOW server_version")).await?;
                Ok(format!("PostgreSQL {}", version.unwrap_or_default()))
            }
        }
    }

    /// The schema of our tables, if every role may make objects in it; SQLite has none.
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

    /// Reads the whole database and tells what is wrong with it. PostgreSQL checks its own pages.
    pub(in crate::directory) async fn faults(&self) -> Result<Faults, Error> {
        match self.backend {
            Backend::Sqlite { .. } => self.snapshot(|tx| Ok(faults(tx)?)).await,
            Backend::Postgres { .. } => self.snapshot(|tx| Ok(found(tx, Vec::new())?)).await,
        }
    }
}

/// What is wrong with a SQLite file, or with what its rows say of each other.
pub(super) fn faults(tx: &Tx<'_>) -> Result<Faults, StoreError> {
    let told: Vec<String> = tx.all(&Sql::new("PRAGMA integrity_check"))?;
    let mut damage: Vec<_> = told.into_iter().filter(|line| line != "ok").collect();
    let broken: Vec<Orphan> = tx.all(&Sql::new("SELECT \"table\" FROM pragma_foreign_key_check"))?;
    damage.extend(broken.into_iter().map(|Orphan(table)| format!("a row of {table} refers to nothing")));
    found(tx, damage)
}

fn found(tx: &Tx<'_>, damage: Vec<String>) -> Result<Faults, StoreError> {
    // On PostgreSQL under the lock of all writers: who joins meanwhile would not be counted.
    let recount =
        tx.either(count_members!(), concat!("BEGIN; ", writers_lock!(), "; ", count_members!(), "; COMMIT"));
    let strangers = match tx.dialect() {
        // What is damaged need not be readable.
        Dialect::Sqlite if damage.is_empty() => {
            migrations::strangers(tx.link()).map_err(|error| StoreError::Broken(error.into()))?
        }
        _ => Vec::new(),
    };
    Ok(Faults { damage, miscounted: miscounted(tx)?, strangers, recount })
}

/// Groups whose kept number of members is wrong: somebody wrote while the triggers were off.
fn miscounted(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT id, users_count, members FROM (SELECT g.id, g.users_count, \
               (SELECT count(*) FROM memberships m WHERE m.group_id = g.id) AS members FROM groups g) counted \
               WHERE users_count <> members ORDER BY id";
    let groups: Vec<Miscounted> = tx.all(&Sql::new(sql))?;
    let told = |Miscounted { id, kept, members }| {
        format!("group {id} is said to have {kept} members and has {members}")
    };
    Ok(groups.into_iter().map(told).collect())
}

struct Orphan(String);

impl FromRow for Orphan {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        row.next().map(Self)
    }
}

struct Miscounted {
    id: i64,
    kept: i64,
    members: i64,
}

impl FromRow for Miscounted {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next()?, kept: row.next()?, members: row.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::store::testing::on_both;

    /// Whatever becomes of memberships, and whoever writes, the number that a group keeps is right; where it is
    /// not, it is told.
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
                assert!(store.faults().await.unwrap().is_none(), "{step}");
            }
            run("UPDATE groups SET users_count = 7").await;
            let Faults { damage, miscounted, .. } = store.faults().await.unwrap();
            assert_eq!(damage, [""; 0]);
            assert_eq!(miscounted, ["group 1 is said to have 7 members and has 0"]);
            store.write(|tx| tx.count_members()).await.unwrap();
            assert!(store.faults().await.unwrap().is_none());
        })
        .await;
    }
}
