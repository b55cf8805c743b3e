//! SQLite's index for searches (`users_search`), which is brought up to date once a transaction.
//!
//! Triggers note in `users_search_pending` whom the index is behind on and what it has of them; to take a note away is
//! to bring it up to date. Who searches looks at both, so nobody has to be in time for an answer to be right.

use super::sql::Sql;
use super::tx::Link;

/// Users that one transaction brings up to date at the most: after an operator's own SQL has changed everybody, the
/// next writer must not be kept for long.
const MOST: i64 = 5000;

/// Whom a search may find, without its trigrams and the end of the parenthesis.
pub(super) const CANDIDATES: &str = " AND u.id IN (SELECT id FROM users_search_pending \
     UNION ALL SELECT rowid FROM users_search WHERE users_search MATCH ";

/// Makes the index from all users, whatever is in it.
pub(super) const REBUILD: &str = "INSERT INTO users_search (users_search) VALUES ('delete-all'); \
     UPDATE users_search_pending SET indexed_key = NULL; DELETE FROM users_search_pending; \
     INSERT INTO users_search (users_search) VALUES ('rebuild')";

/// Brings the index up to date, as the last thing that a transaction does; tells whether there may be more to do.
///
/// An index that is damaged keeps nobody from writing: searches look at the notes that stay.
pub(super) fn bring_up_to_date(link: &Link) -> bool {
    let Link::Sqlite(_) = link else { return false };
    // A trigger does the rest, in the order of the ids: the index writes a segment whenever one is smaller than the
    // one before.
    let sql = "DELETE FROM users_search_pending \
               WHERE id <= (SELECT max(id) FROM (SELECT id FROM users_search_pending ORDER BY id LIMIT $1))";
    match link.execute(&Sql::new(sql).bind(MOST)) {
        Ok(done) => i64::try_from(done) == Ok(MOST),
        Err(error) => {
            tracing::error!(?error, remedy = REBUILD, "the search index is damaged: make it anew");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::directory::Location;
    use crate::directory::store::{Store, sqlite, trial};

    const NEW: &str = "WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 6000) \
         INSERT INTO users (id, username, username_key, email_key, first_name, last_name, password, is_active, \
         is_staff, is_admin, created_at, updated_at, search_key) \
         SELECT value, 'user' || value, '', '', '', '', '!', TRUE, FALSE, FALSE, 0, 0, 'before' || value \
         FROM numbers";

    /// Whoever writes, in whatever order: a search finds everybody at once, and the next transaction leaves an index that
    /// is that of the users.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_index_follows_whoever_writes() {
        trial::on_both(async |settings| {
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
            // More than one transaction's work; the writer goes on with it by itself.
            while number("SELECT count(*) FROM users_search_pending") > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
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
            store.write(|_| Ok(())).await.unwrap();
            assert_eq!(number("SELECT count(*) FROM users_search_pending"), 0);
            // Fails when the index is any other than that of the users.
            let check = "INSERT INTO users_search (users_search, rank) VALUES ('integrity-check', 1)";
            operator.execute_batch(check).unwrap();

            // An index that has lost everything refuses to forget anybody: who writes does not notice, and there is a
            // remedy.
            operator.execute_batch("INSERT INTO users_search (users_search) VALUES ('delete-all')").unwrap();
            operator.execute_batch("UPDATE users SET search_key = 'later' || id WHERE id < 100").unwrap();
            store.write(|tx| Ok(tx.execute(&Sql::new("UPDATE groups SET notes = ''"))?)).await.unwrap();
            assert!(number("SELECT count(*) FROM users_search_pending") > 0);
            assert_eq!(candidates("lat"), number("SELECT count(*) FROM users WHERE id < 100"));
            operator.execute_batch(REBUILD).unwrap();
            assert_eq!(candidates("lat"), number("SELECT count(*) FROM users WHERE id < 100"));
            operator.execute_batch(check).unwrap();
        })
        .await;
    }
}
