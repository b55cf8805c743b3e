//! SQLite's search index (`users_search`), which is updated from time to time.
//!
//! Triggers note in `users_search_pending` which users the index is behind on, and what it has of them. Deleting a note
//! updates the index. A search looks at the index and at the notes, so its answer is right at any time. Each update
//! costs the index a segment, and segments are merged: the more users in one update, the less each of them costs.

use std::time::{Duration, Instant};

use crate::database::Sql;
use crate::database::{BeforeCommit, Link};

/// The most users that one transaction updates in the index. After an operator's own SQL has changed all users, the next
/// writer must not wait for long.
const MOST: i64 = 5000;

/// Selects the users that a search may find, without its trigrams and the closing parenthesis.
pub(super) const CANDIDATES: &str = " AND u.id IN (SELECT id FROM users_search_pending \
     UNION ALL SELECT rowid FROM users_search WHERE users_search MATCH ";

/// Rebuilds the index from all users.
pub(super) const REBUILD: &str = "INSERT INTO users_search (users_search) VALUES ('delete-all'); \
     UPDATE users_search_pending SET indexed_key = NULL; DELETE FROM users_search_pending; \
     INSERT INTO users_search (users_search) VALUES ('rebuild')";

/// Changed rows, of any table, after which the index is updated. There are never more notes than changed rows, and a
/// search looks at each note.
const CHANGES: u64 = 1000;
/// How long transactions may leave notes after an update.
const PAUSE: Duration = Duration::from_secs(1);

/// When this process last updated the index.
#[derive(Default)]
pub(super) struct Upkeep {
    last: Option<Done>,
}

struct Done {
    at: Instant,
    /// The number of rows that the connection had changed by then.
    changes: u64,
}

impl BeforeCommit for Upkeep {
    /// Updates the index if it is time, as the last step of a transaction. Returns whether there may be more to do.
    ///
    /// A damaged index does not keep writers from writing: searches look at the notes that stay.
    fn end_transaction(&mut self, link: &Link) -> bool {
        let Link::Sqlite(connection) = link else { return false };
        let changes = connection.total_changes();
        let is_early = |last: &Done| {
            // A lower number is that of another connection.
            let since = changes.checked_sub(last.changes);
            last.at.elapsed() < PAUSE && since.is_some_and(|since| since < CHANGES)
        };
        if self.last.as_ref().is_some_and(is_early) {
            return false;
        }
        let is_behind = update_index(link);
        let changes = connection.total_changes();
        self.last = (!is_behind).then(|| Done { at: Instant::now(), changes });
        is_behind
    }
}

/// Deletes at most [`MOST`] notes and returns whether there may be more.
fn update_index(link: &Link) -> bool {
    // A trigger does the rest, in the order of the ids: the index begins a segment whenever an id is smaller than the
    // one before.
    let sql = "DELETE FROM users_search_pending \
               WHERE id <= (SELECT max(id) FROM (SELECT id FROM users_search_pending ORDER BY id LIMIT $1))";
    match link.execute(&Sql::new(sql).bind(MOST)) {
        Ok(done) => i64::try_from(done) == Ok(MOST),
        Err(error) => {
            tracing::error!(?error, remedy = REBUILD, "the search index is damaged: rebuild it");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::database::sqlite;
    use crate::directory::Location;
    use crate::directory::store::{Store, testing};

    const NEW: &str = "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 6000) \
         INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, \
         is_staff, is_admin, created_at, updated_at, search_key) \
         SELECT value, 'user' || value, '', '', '', '', '!', TRUE, FALSE, FALSE, 0, 0, 'before' || value \
         FROM numbers";

    const MANY: &str =
        "UPDATE users SET search_key = 'before' || id WHERE id > 2000 AND search_key = 'before' || id";

    /// Whoever writes, in whatever order: a search finds everybody at once, and an index that was brought up to date is
    /// that of the users.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_index_follows_whoever_writes() {
        testing::on_both(async |settings| {
            let Location::Sqlite(directory) = &settings.location else { return };
            let store = Store::open(&settings).await.unwrap();
            let operator = Connection::open(sqlite::file(directory)).unwrap();
            let number = |sql: &str| operator.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap();
            let candidates = |term: &str| {
                let found = format!("SELECT count(*) FROM users u WHERE TRUE{CANDIDATES}'{term}')");
                number(&format!("{found} AND u.search_key LIKE '%{term}%'"))
            };
            operator.execute_batch(NEW).unwrap();
            assert_eq!(candidates("bef"), 6000);
            store.write(|_| Ok(())).await.unwrap();
            assert_eq!(candidates("bef"), 6000);
            let pending = || number("SELECT count(*) FROM users_search_pending");
            // More than one transaction's work; the writer goes on with it by itself.
            while pending() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(candidates("bef"), 6000);
            for (change, before, after) in [
                ("UPDATE users SET search_key = 'after' || id WHERE id IN (9, 3)", 5998, 2),
                ("UPDATE users SET search_key = 'before' || id WHERE id = 9", 5999, 1),
                ("DELETE FROM users WHERE id = 3", 5999, 0),
                ("UPDATE users SET id = 10000, search_key = 'after' WHERE id = 5", 5998, 1),
                ("UPDATE users SET id = 3 WHERE id = 10000", 5998, 1),
                ("DELETE FROM users WHERE id = 3", 5998, 0),
            ] {
                operator.execute_batch(change).unwrap();
                assert_eq!((candidates("bef"), candidates("aft")), (before, after), "{change}");
            }
            store.write(|tx| Ok(tx.execute(&Sql::new(MANY))?)).await.unwrap();
            assert_eq!(pending(), 0);
            // Fails when the index is any other than that of the users.
            let check = "INSERT INTO users_search (users_search, rank) VALUES ('integrity-check', 1)";
            operator.execute_batch(check).unwrap();

            // An index that has lost everything refuses to forget anybody: who writes does not notice, and there is a
            // remedy.
            operator.execute_batch("INSERT INTO users_search (users_search) VALUES ('delete-all')").unwrap();
            operator.execute_batch("UPDATE users SET search_key = 'later' || id WHERE id < 100").unwrap();
            store.write(|tx| Ok(tx.execute(&Sql::new(MANY))?)).await.unwrap();
            assert!(pending() > 0);
            assert_eq!(candidates("lat"), number("SELECT count(*) FROM users WHERE id < 100"));
            operator.execute_batch(REBUILD).unwrap();
            assert_eq!(candidates("lat"), number("SELECT count(*) FROM users WHERE id < 100"));
            operator.execute_batch(check).unwrap();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn notes_are_left_for_a_while_unless_they_may_be_many() {
        testing::on_both(async |settings| {
            let Location::Sqlite(directory) = &settings.location else { return };
            let connection = Connection::open(sqlite::file(directory)).unwrap();
            connection.execute_batch(NEW).unwrap();
            let changes = connection.total_changes();
            let link = Link::Sqlite(connection);
            let pending = || link.all::<i64>(&Sql::new("SELECT count(*) FROM users_search_pending")).unwrap();
            // A time that has not come has not passed either, however slow the machine is.
            let at = Instant::now() + Duration::from_hours(1);
            let mut upkeep = Upkeep { last: Some(Done { at, changes }) };
            assert!(!upkeep.end_transaction(&link));
            assert_eq!(pending(), [6000]);
            upkeep.last = Some(Done { at, changes: changes - CHANGES });
            assert!(upkeep.end_transaction(&link), "there is more than one transaction's work");
            assert!(!upkeep.end_transaction(&link));
            assert_eq!(pending(), [0]);
            link.batch("UPDATE users SET search_key = 'after' WHERE id = 1").unwrap();
            assert!(!upkeep.end_transaction(&link));
            upkeep.last = Instant::now().checked_sub(PAUSE).map(|at| Done { at, changes });
            assert!(!upkeep.end_transaction(&link));
            assert_eq!(pending(), [0]);
            link.batch("UPDATE users SET search_key = 'later' WHERE id = 1").unwrap();
            // What another connection has changed is no measure.
            upkeep.last = Some(Done { at, changes: u64::MAX });
            assert!(!upkeep.end_transaction(&link));
            assert_eq!(pending(), [0]);
        })
        .await;
    }
}
