//! Long reads: many statements that all see the directory as it was at one moment, while others go on writing.
//!
//! Each has a connection of its own, so that no request waits for one, and none is ever written through.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::spawn_blocking;

use super::tx::{Driver, Link, Tx};
use super::{Backend, Sql, Store, StoreError, sqlite};
use crate::directory::error::Error;

/// Begins on PostgreSQL. The reader may take as long as it likes between two statements (a pipe may be slow), and in
/// all; each statement is bounded. The settings are read from a table because older servers lack the second.
const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SELECT set_config(name, '0', true) FROM pg_settings \
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')";

impl Store {
    /// Does `work` on a thread that may wait; all it reads is of one moment, which lies after the call and before
    /// the first statement. It cannot write. Whatever comes of it, the snapshot ends with it.
    ///
    /// A snapshot keeps the database from cleaning up what has changed since: end it when it is read.
    pub(in crate::directory) async fn snapshot<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.check_in_place()?;
        self.reads.inc();
        let backend = self.backend.clone();
        let read = spawn_blocking(move || {
            let link = backend.snapshot()?;
            // Not left to the unwinding: the connection must not go back with its transaction still open.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&Tx::new(&link))))
                .unwrap_or_else(|_| Err(Error::broken("a read failed", "the work panicked")));
            link.discard();
            outcome
        });
        read.await.map_err(|error| Error::broken("a read failed", error))?
    }
}

impl Backend {
    /// A connection inside a snapshot; waits, so it belongs on a thread that may.
    fn snapshot(&self) -> Result<Link, StoreError> {
        let (link, begin) = match self {
            Self::Sqlite { directory, patience, .. } => {
                let connection = sqlite::connect(directory, *patience)?;
                connection.pragma_update(None, "query_only", true)?;
                (Link::Sqlite(connection), "BEGIN")
            }
            Self::Postgres { long, runtime, .. } => {
                let client = runtime.block_on(long.get())?;
                let driver = Driver::Shared(runtime.clone());
                (Link::Postgres { client, driver, patience: super::LONG }, POSTGRES)
            }
        };
        // SQLite takes its snapshot at the first read.
        let begun = link.batch(begin).and_then(|()| {
            Tx::new(&link).first::<i64>(&Sql::new("SELECT count(*) FROM schema_migrations")).map(|_| ())
        });
        match begun {
            Ok(()) => Ok(link),
            Err(error) => {
                link.discard();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::store::trial::on_both;

    fn groups() -> Sql {
        Sql::new("SELECT count(*) FROM groups")
    }

    fn insert(tx: &Tx<'_>, name: &str) -> Result<u64, Error> {
        let sql = "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) \
             VALUES ($1, $1, '', 0, 0, $1)";
        Ok(tx.execute(&Sql::new(sql).bind(name))?)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_after_its_beginning_is_not_seen() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let (written, is_written) = std::sync::mpsc::channel();
            let reading = store.snapshot(move |tx| {
                begun.send(()).unwrap();
                is_written.recv().unwrap();
                Ok(tx.first::<i64>(&groups())?)
            });
            let writing = async {
                has_begun.await.unwrap();
                store.write(|tx| insert(tx, "late")).await.unwrap();
                written.send(()).unwrap();
            };
            let (seen, ()) = tokio::join!(reading, writing);
            assert_eq!(seen.unwrap(), Some(0));
            assert_eq!(store.snapshot(|tx| Ok(tx.first::<i64>(&groups())?)).await.unwrap(), Some(1));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_written_and_nothing_stays_open() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            for _ in 0..2 * super::super::LONG_CONNECTIONS {
                assert!(store.snapshot(|tx| insert(tx, "never")).await.is_err());
                let panicked = store.snapshot::<(), _>(|_| panic!("a bug")).await;
                assert!(matches!(panicked, Err(Error::Broken { .. })));
            }
            assert_eq!(store.first::<i64>(groups()).await.unwrap(), Some(0));
        })
        .await;
    }
}
