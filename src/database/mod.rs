//! The database engine: one SQL interface over SQLite and PostgreSQL.
//!
//! It runs statements ([`sql`], [`row`]) on either database ([`sqlite`], [`postgres`]), in transactions ([`tx`],
//! [`writer`], [`snapshot`]) and within limits ([`long_reads`]). It also opens, creates and upgrades a database
//! ([`open`], [`migrate`], [`schema`]).
//!
//! It does not know what the tables mean. Its callers supply the migrations and the work to do before each commit, and
//! they map a violated constraint to an error of their own.

mod backend;
mod error;
pub(crate) mod foreign;
mod link;
mod log_watch;
mod long_reads;
pub(crate) mod migrate;
mod open;
mod plan;
mod postgres;
mod read_ahead;
mod row;
pub(crate) mod schema;
mod snapshot;
mod sql;
pub(crate) mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
mod tx;
mod wal;
pub(crate) mod wal_index;
mod write_job;
mod write_thread;
mod writer;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

pub use self::backend::Location;
pub(crate) use self::backend::{Backend, ConnectOptions, MIGRATION_TIMEOUT, connect_initialised};
pub(crate) use self::error::DatabaseError;
pub(crate) use self::link::{Driver, Link, WaitBudget, writers_lock};
use self::long_reads::{LongReads, MAX_SNAPSHOTS, ReadPermit, StopSignal};
use self::migrate::{Migration, Repair};
pub use self::open::OpenError;
pub(crate) use self::postgres::{Work, explain, missing_grant};
pub(crate) use self::read_ahead::{FirstRead, Subject};
pub(crate) use self::row::{FromRow, Row};
pub(crate) use self::sql::{Dialect, Sql, Value};
use self::sqlite::Readers;
pub(crate) use self::tx::Tx;
use self::wal_index::WalIndex;
pub(crate) use self::writer::BeforeCommit;
use self::writer::Writer;
use crate::paths::OpenDirectory;

/// An open database. Its calls return errors of the caller's type `E`.
pub(crate) struct Database<E> {
    pub(crate) backend: Backend,
    writer: Writer,
    /// Limits lists, counts and pages.
    lists: LongReads,
    /// Limits lists with one plan, which PostgreSQL reads on the connections of look-ups.
    short_lists: LongReads,
    /// Limits reads of the complete database: exports, checks, backups.
    snapshots: LongReads,
    /// Counts the jobs submitted to the writer.
    writes: Counter,
    /// Counts the statements run for reading.
    reads: Counter,
    error: PhantomData<fn() -> E>,
}

/// What a new database on PostgreSQL does if there are tables of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherTables {
    /// It is not created.
    Refused,
    /// It is created beside them.
    Allowed,
}

/// Creates a new, empty database. It fails if a database exists already. `now` is in microseconds since the Unix epoch.
pub(crate) async fn create(
    options: &ConnectOptions,
    migrations: &'static [Migration],
    now: i64,
    others: OtherTables,
) -> Result<(), OpenError> {
    if let Location::Sqlite(directory) = &options.location {
        sqlite::create(directory, options.timeout)?;
    }
    let backend = Backend::new(&options.for_migrations())?;
    run_blocking(move || {
        create_schema(&backend, migrations, now, others)?;
        backend.merge_log();
        Ok(())
    })
    .await
}

/// Upgrades an existing database and returns the versions that were applied. `now` is in microseconds since the Unix
/// epoch.
pub(crate) async fn migrate(
    options: &ConnectOptions,
    migrations: &'static [Migration],
    repairs: &'static [Repair],
    now: i64,
) -> Result<Vec<i64>, OpenError> {
    let backend = Backend::new(&options.for_migrations())?;
    run_blocking(move || {
        let link = connect_initialised(&backend)?;
        let applied = migrate::migrate(&link, migrations, repairs, now)
            .map_err(|error| explain(&link, Work::Create, error))?;
        if !applied.is_empty() {
            backend.merge_log();
        }
        Ok(applied)
    })
    .await
}

impl<E: From<DatabaseError> + Send + 'static> Database<E> {
    /// Opens an existing database to which exactly these migrations were applied. The writer calls `before_commit` at
    /// the end of each transaction.
    pub(crate) async fn connect(
        options: &ConnectOptions,
        migrations: &'static [Migration],
        before_commit: Box<dyn BeforeCommit>,
    ) -> Result<Self, OpenError> {
        let backend = Backend::new(options)?;
        let checked = backend.clone();
        let is_file = matches!(backend, Backend::Sqlite { .. });
        run_blocking(move || check(&checked, migrations))
            .await
            .map_err(|error| if is_file { error.for_file() } else { error })?;
        let writer =
            Writer::start(backend.clone(), before_commit).map_err(|error| OpenError::Broken(error.into()))?;
        Ok(Self {
            backend,
            writer,
            lists: LongReads::new(backend::max_lists(options.connections)),
            short_lists: LongReads::new(backend::look_ups(options.connections) / 2),
            snapshots: LongReads::new(MAX_SNAPSHOTS),
            writes: Counter::default(),
            reads: Counter::default(),
            error: PhantomData,
        })
    }

    /// Reads all rows of a statement that may take long, such as a list. It first waits for a permit. The statement
    /// stops when the caller drops the future or when the time is up.
    pub(crate) async fn all<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, E> {
        self.reads.inc();
        if let Backend::Postgres { points, .. } = &self.backend
            && sql.has_one_plan()
            && let Some(permit) = self.short_lists.try_acquire()
        {
            return Ok(points.read_long(&sql, permit).await?);
        }
        let permit = self.lists.acquire(self.timeout()).await?;
        match &self.backend {
            Backend::Sqlite { list_readers, timeout, .. } => {
                Ok(list(Arc::clone(list_readers), sql, permit, Instant::now() + *timeout).await?)
            }
            Backend::Postgres { lists, .. } => Ok(lists.read_long(&sql, permit).await?),
        }
    }

    /// Returns the database's SQL dialect, for statements whose text must differ.
    pub(crate) fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite { .. } => Dialect::Sqlite,
            Backend::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Runs a statement that counts rows and returns the count. It may take as long as a list.
    pub(crate) async fn count(&self, sql: Sql) -> Result<u64, E> {
        let count = self.all::<i64>(sql).await?.into_iter().next();
        count.and_then(|count| count.try_into().ok()).ok_or_else(|| DatabaseError::corrupt("count").into())
    }

    /// Reads the rows of a point look-up. On SQLite it runs on the calling thread: it takes microseconds, less than a
    /// switch of threads.
    pub(crate) async fn point_read<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, E> {
        self.reads.inc();
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.all(&sql)?),
            Backend::Postgres { points, .. } => Ok(points.read(&sql).await?),
        }
    }

    /// Returns the first row of a point look-up.
    pub(crate) async fn first<T: FromRow>(&self, sql: Sql) -> Result<Option<T>, E> {
        Ok(self.point_read(sql).await?.into_iter().next())
    }

    /// Reads the rows of a short statement that every request may wait for: a point look-up, or a read of the change
    /// feed. On PostgreSQL it has connections of its own and a short timeout.
    pub(crate) async fn priority_read<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, E> {
        match &self.backend {
            Backend::Sqlite { .. } => self.priority_read_blocking(&sql),
            Backend::Postgres { priority, .. } => {
                self.reads.inc();
                Ok(priority.read(&sql).await?)
            }
        }
    }

    /// Does the same on the calling thread. Only SQLite supports this.
    pub(crate) fn priority_read_blocking<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, E> {
        self.reads.inc();
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.all(sql)?),
            Backend::Postgres { .. } => {
                Err(DatabaseError::Broken("a blocking read on PostgreSQL".into()).into())
            }
        }
    }

    /// Fails when SQLite's file is no longer the one that was opened.
    pub(crate) fn check_same_file(&self) -> Result<(), E> {
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.check_same_file()?),
            Backend::Postgres { .. } => Ok(()),
        }
    }

    /// Returns the history of the database that this process follows. It changes with a failover of PostgreSQL: what was read
    /// before may have been lost. No statement that begins afterwards is answered by the old primary.
    pub(crate) fn history(&self) -> u64 {
        self.backend.history()
    }

    /// Returns the index of SQLite's write-ahead log, whose header changes with every commit; `None` on PostgreSQL.
    pub(crate) fn wal_index(&self) -> Result<Option<WalIndex>, OpenError> {
        match &self.backend {
            Backend::Sqlite { directory, timeout, .. } => {
                Ok(Some(WalIndex::new(sqlite::connect(directory, *timeout)?)?))
            }
            Backend::Postgres { .. } => Ok(None),
        }
    }

    /// Runs `work` in a transaction. It returns when the changes are durable, or when nothing was changed. The work may
    /// share the transaction with other work, and it runs again when that other work fails.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.write_after(Vec::new(), work).await
    }

    /// Does the same with work that begins with these reads. On PostgreSQL those of all work that shares a transaction
    /// are sent together.
    pub(crate) async fn write_after<T, F>(&self, first: Vec<FirstRead>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.admit_write()?;
        self.writer.write(first, work).await
    }

    /// Runs work that is too expensive to run twice: it runs once, in a transaction of its own.
    pub(crate) async fn write_alone<T, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.admit_write()?;
        self.writer.write_alone(work).await
    }

    /// Checks the file and counts a write. Every write calls this first.
    pub(crate) fn admit_write(&self) -> Result<(), E> {
        self.check_same_file()?;
        self.writes.inc();
        Ok(())
    }

    /// Copies SQLite's log into the file, so that the file alone is complete. Other connections may stay open.
    pub(crate) async fn merge_log(&self) -> Result<(), E> {
        let backend = self.backend.clone();
        let merged = spawn_blocking(move || backend.merge_log()).await;
        Ok(merged.map_err(|error| DatabaseError::Broken(error.into()))?)
    }

    /// Returns the time limit of one statement.
    pub(crate) fn timeout(&self) -> Duration {
        self.backend.timeout()
    }

    /// Returns the free and the whole space of the disk of SQLite's file, in bytes; `None` on PostgreSQL.
    pub(crate) fn disk_space(&self) -> Option<(u64, u64)> {
        match &self.backend {
            Backend::Sqlite { directory, .. } => sqlite::disk_space(directory),
            Backend::Postgres { .. } => None,
        }
    }

    /// Returns the counter of reads, for the metrics.
    pub(crate) fn reads(&self) -> Counter {
        self.reads.clone()
    }

    /// Returns the counter of writes, for the metrics.
    pub(crate) fn writes(&self) -> Counter {
        self.writes.clone()
    }
}

impl<E> Drop for Database<E> {
    /// Closes SQLite's file. If this process has written, the file alone is complete afterwards.
    fn drop(&mut self) {
        if let Backend::Sqlite { .. } = self.backend {
            self.writer.stop();
            if self.writes.get() > 0 {
                self.backend.merge_log();
            }
        }
    }
}

/// Runs a list on a blocking thread. The thread holds the permit until SQLite has stopped the statement.
async fn list<T: FromRow>(
    readers: Arc<Readers>,
    sql: Sql,
    permit: ReadPermit,
    deadline: Instant,
) -> Result<Vec<T>, DatabaseError> {
    let stop = StopSignal::at(deadline);
    let _stop_on_drop = stop.stop_on_drop();
    let read = spawn_blocking(move || {
        let _permit = permit;
        readers.all_stoppable(&sql, &stop)
    });
    match timeout_at(deadline, read).await {
        Ok(read) => read.map_err(|error| DatabaseError::Broken(error.into()))?,
        Err(_) => Err(DatabaseError::stopped()),
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    spawn_blocking(work).await.map_err(|error| OpenError::Broken(error.into()))?
}

fn check(backend: &Backend, migrations: &[Migration]) -> Result<(), OpenError> {
    if let Backend::Sqlite { readers, .. } = backend {
        readers.check_same_file()?;
    }
    let link = connect_initialised(backend)?;
    migrate::check(&link, migrations).map_err(|error| explain(&link, Work::Use, error))
}

fn create_schema(
    backend: &Backend,
    migrations: &[Migration],
    now: i64,
    others: OtherTables,
) -> Result<(), OpenError> {
    let link = backend.link()?;
    if migrate::is_initialised(&link)? {
        return Err(OpenError::AlreadyExists("the PostgreSQL database".to_owned()));
    }
    if others == OtherTables::Refused {
        backend.refuse_other_tables(&link)?;
    }
    let created =
        migrate::migrate(&link, migrations, &[], now).map_err(|error| explain(&link, Work::Create, error));
    if let (Err(_), Backend::Sqlite { directory, .. }) = (&created, backend)
        && let Ok(here) = OpenDirectory::follow(directory)
    {
        sqlite::remove(&here);
    }
    link.discard();
    created.map(|_| ())
}
