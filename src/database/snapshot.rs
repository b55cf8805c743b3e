//! Snapshots: many statements that see the database as it was at one moment, while writes continue.
//!
//! Each snapshot has a connection of its own, so that no request waits for it. These connections never write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio_postgres::CancelToken;

use super::backend::Backend;
use super::error::DatabaseError;
use super::link::{Driver, Link, WaitBudget};
use super::long_reads::{LONG_READ_TIMEOUT, StopOnDrop, StopSignal};
use super::postgres::PostgresServer;
use super::sql::Sql;
use super::tx::Tx;
use super::{Database, sqlite};

/// Begins a snapshot on PostgreSQL. Neither the time between two statements nor the total time is limited, because the
/// reader may write to a slow pipe; each statement is limited. The settings are selected from a table because older
/// servers lack the second one.
const BEGIN_ON_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
     SELECT set_config(name, '0', true) FROM pg_settings \
     WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')";

impl<E: From<DatabaseError> + Send + 'static> Database<E> {
    /// Runs `work` on a blocking thread. All its reads see the state of one moment, between the call and the first
    /// statement. It cannot write. The snapshot ends when `work` returns or panics. When the caller is dropped earlier,
    /// the running statement, or the next one, fails.
    ///
    /// While a snapshot is open, the database cannot remove old versions of rows that change: keep it short.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (read, _cancel_on_drop) = self.prepare_snapshot(work).await?;
        spawn_blocking(read).await.map_err(|error| DatabaseError::Broken(error.into()))?
    }

    /// Does the same on a thread of its own with a low priority, for work that no request waits for.
    pub(crate) async fn background_snapshot<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (read, _cancel_on_drop) = self.prepare_snapshot(work).await?;
        let (sender, done) = oneshot::channel();
        let run = move || {
            lower_priority();
            let _ = sender.send(read());
        };
        let thread = std::thread::Builder::new().name("background".to_owned()).spawn(run);
        thread.map_err(|error| DatabaseError::Broken(error.into()))?;
        done.await.map_err(|error| DatabaseError::Broken(error.into()))?
    }

    /// Waits for a permit. Returns the read, for a thread that may block, and what cancels it.
    async fn prepare_snapshot<T, F>(
        &self,
        work: F,
    ) -> Result<(impl FnOnce() -> Result<T, E> + Send + 'static, CancelOnDrop), E>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.check_same_file()?;
        let permit = self.snapshots.acquire(LONG_READ_TIMEOUT).await?;
        let (backend, reads) = (self.backend.clone(), self.reads.clone());
        let (stop, cancellation) = (StopSignal::without_deadline(), Arc::new(Cancellation::of(&backend)));
        let cancel_on_drop =
            CancelOnDrop { _stop: stop.stop_on_drop(), cancellation: Arc::clone(&cancellation) };
        let read = move || {
            let _permit = permit;
            let link = backend.snapshot(&stop)?;
            cancellation.arm(&link);
            // A panic is caught here so that the connection never returns to the pool with an open transaction.
            let tx = Tx::for_reading(&link, &stop, &reads);
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&tx)))
                .unwrap_or_else(|_| Err(DatabaseError::Broken("the work of a read panicked".into()).into()));
            if let Err(DatabaseError::Damaged(_)) = tx.check_fatal() {
                backend.note_damage();
            }
            drop(tx);
            cancellation.disarm();
            link.discard();
            outcome
        };
        Ok((read, cancel_on_drop))
    }
}

/// The niceness of a background thread: it gets what processors others leave.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lowers the priority of this thread, where the system supports that and allows it.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

/// Cancels the running statement on PostgreSQL. On SQLite the stop signal is enough.
struct Cancellation {
    server: Option<(Arc<PostgresServer>, Handle)>,
    cancel: Mutex<Option<CancelToken>>,
}

impl Cancellation {
    fn of(backend: &Backend) -> Self {
        let server = match backend {
            Backend::Sqlite { .. } => None,
            Backend::Postgres { server, runtime, .. } => Some((Arc::clone(server), runtime.clone())),
        };
        Self { server, cancel: Mutex::default() }
    }

    fn arm(&self, link: &Link) {
        if let Link::Postgres { client, .. } = link {
            *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.cancel_token());
        }
    }

    fn disarm(&self) {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Ends a snapshot when its caller is dropped. It does nothing once the snapshot has ended.
struct CancelOnDrop {
    _stop: StopOnDrop,
    cancellation: Arc<Cancellation>,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let cancel = self.cancellation.cancel.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(cancel), Some((server, runtime))) = (cancel, &self.cancellation.server) {
            let server = Arc::clone(server);
            runtime.spawn(async move {
                // If the cancellation fails, the statement ends at its time limit, and no other one begins.
                let _ = tokio::time::timeout(LONG_READ_TIMEOUT, server.cancel(cancel)).await;
            });
        }
    }
}

impl Backend {
    /// Opens a connection and begins a snapshot on it. It blocks the calling thread.
    fn snapshot(&self, stop: &StopSignal) -> Result<Link, DatabaseError> {
        let (link, begin) = match self {
            Self::Sqlite { directory, timeout, .. } => {
                let mut connection = sqlite::connect(directory, *timeout)?;
                connection.pragma_update(None, "query_only", true)?;
                sqlite::set_stop_signal(&mut connection, Some(stop))?;
                (Link::Sqlite(connection), "BEGIN")
            }
            Self::Postgres { long, runtime, .. } => {
                let client = runtime.block_on(long.get())?;
                let driver = Driver::Shared(runtime.clone());
                let budget = WaitBudget::default();
                (Link::Postgres { client, driver, timeout: LONG_READ_TIMEOUT, budget }, BEGIN_ON_POSTGRES)
            }
        };
        // SQLite takes the snapshot at the first read.
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
    use crate::database::long_reads::MAX_SNAPSHOTS;
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
            for _ in 0..2 * MAX_SNAPSHOTS {
                assert!(items.snapshot(|tx| add(tx, "never")).await.is_err());
                let panicked = items.snapshot::<(), _>(|_| panic!("a bug")).await;
                assert!(matches!(panicked, Err(TestError::Database(DatabaseError::Broken(_)))));
            }
            assert_eq!(items.first::<i64>(count()).await.unwrap(), Some(0));
        })
        .await;
    }
}
