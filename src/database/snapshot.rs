//! Long reads: many statements that all see the directory as it was at one moment, while others go on writing.
//!
//! Each has a connection of its own, so that no request waits for one, and none is ever written through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_postgres::CancelToken;

use super::backend::Backend;
use super::error::DatabaseError;
use super::long_reads::{LONG, Stop, Waiting};
use super::postgres::Server;
use super::sql::Sql;
use super::tx::{Driver, Link, Tx};
use super::{Database, sqlite};

/// Begins on PostgreSQL. The reader may take as long as it likes between two statements (a pipe may be slow), and in
/// all; each statement is bounded. The settings are read from a table because older servers lack the second.
const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SELECT set_config(name, '0', true) FROM pg_settings \
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')";

impl<E: From<DatabaseError> + Send + 'static> Database<E> {
    /// Does `work` on a thread that may wait; all it reads is of one moment, which lies after the call and before
    /// the first statement. It cannot write. Whatever comes of it, the snapshot ends with it, and when the caller goes
    /// away first, `work` gets an error from its next statement, or from the one that runs.
    ///
    /// A snapshot keeps the database from cleaning up what has changed since: end it when it is read.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.check_in_place()?;
        let place = self.snapshots.place(LONG).await?;
        self.reads.inc();
        let backend = self.backend.clone();
        let (stop, running) = (Stop::never(), Arc::new(Running::of(&backend)));
        let _abandonment = Abandonment { _waiting: stop.with_caller(), running: Arc::clone(&running) };
        let read = spawn_blocking(move || {
            let _place = place;
            let link = backend.snapshot(&stop)?;
            running.begin(&link);
            // Not left to the unwinding: the connection must not go back with its transaction still open.
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&Tx::until(&link, &stop))))
                .unwrap_or_else(|_| Err(DatabaseError::Broken("the work of a read panicked".into()).into()));
            running.end();
            link.discard();
            outcome
        });
        read.await.map_err(|error| DatabaseError::Broken(error.into()))?
    }
}

/// How to end a statement on PostgreSQL; SQLite's ends by itself.
struct Running {
    server: Option<(Arc<Server>, Handle)>,
    token: Mutex<Option<CancelToken>>,
}

impl Running {
    fn of(backend: &Backend) -> Self {
        let server = match backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { server, runtime, .. } => Some((Arc::clone(server), runtime.clone())),
        };
        Self { server, token: Mutex::default() }
    }

    fn begin(&self, link: &Link) {
        if let Link::Postgres { client, .. } = link {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.cancel_token());
        }
    }

    fn end(&self) {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Ends a snapshot when its caller goes away; after its end it does nothing.
struct Abandonment {
    _waiting: Waiting,
    running: Arc<Running>,
}

impl Drop for Abandonment {
    fn drop(&mut self) {
        let token = self.running.token.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(token), Some((server, runtime))) = (token, &self.running.server) {
            let server = Arc::clone(server);
            runtime.spawn(async move {
                // If it cannot be cancelled it ends at its time limit, and the next one does not begin.
                let _ = tokio::time::timeout(LONG, server.cancel(token)).await;
            });
        }
    }
}

impl Backend {
    /// A connection inside a snapshot; waits, so it belongs on a thread that may.
    fn snapshot(&self, stop: &Stop) -> Result<Link, DatabaseError> {
        let (link, begin) = match self {
            Self::Sqlite { directory, timeout, .. } => {
                let mut connection = sqlite::connect(directory, *timeout)?;
                connection.pragma_update(None, "query_only", true)?;
                sqlite::stop_by(&mut connection, Some(stop))?;
                (Link::Sqlite(connection), "BEGIN")
            }
            Self::Postgres { long, runtime, .. } => {
                let client = runtime.block_on(long.get())?;
                let driver = Driver::Shared(runtime.clone());
                (Link::Postgres { client, driver, timeout: LONG }, POSTGRES)
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
    use crate::database::long_reads::LONG_CONNECTIONS;
    use crate::database::testing::{TestError, count, insert, on_both, open};

    fn add(tx: &Tx<'_>, name: &str) -> Result<u64, TestError> {
        Ok(tx.execute(&insert(name))?)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_after_its_beginning_is_not_seen() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let (begun, has_begun) = tokio::sync::oneshot::channel();
            let (written, is_written) = std::sync::mpsc::channel();
            let reading = items.snapshot(move |tx| {
                begun.send(()).unwrap();
                is_written.recv().unwrap();
                Ok(tx.first::<i64>(&count())?)
            });
            let writing = async {
                has_begun.await.unwrap();
                items.write(|tx| add(tx, "late")).await.unwrap();
                written.send(()).unwrap();
            };
            let (seen, ()) = tokio::join!(reading, writing);
            assert_eq!(seen.unwrap(), Some(0));
            assert_eq!(items.snapshot(|tx| Ok(tx.first::<i64>(&count())?)).await.unwrap(), Some(1));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_written_and_nothing_stays_open() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            for _ in 0..2 * LONG_CONNECTIONS {
                assert!(items.snapshot(|tx| add(tx, "never")).await.is_err());
                let panicked = items.snapshot::<(), _>(|_| panic!("a bug")).await;
                assert!(matches!(panicked, Err(TestError::Database(DatabaseError::Broken(_)))));
            }
            assert_eq!(items.first::<i64>(count()).await.unwrap(), Some(0));
        })
        .await;
    }
}
