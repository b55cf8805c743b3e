//! A pool of connections for reading, and the clean-up of abandoned statements.
//!
//! When a caller stops waiting, the response to its statement may still be outstanding. The connection must not return
//! to the pool in this state, because the next caller would wait for the abandoned statement.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Pool};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::server::PostgresServer;
use super::{all, before};
use crate::database::error::{DatabaseError, describe};
use crate::database::long_reads::ReadPermit;
use crate::database::open::OpenError;
use crate::database::row::FromRow;
use crate::database::sql::Sql;

/// How often a read is repeated on another connection. After a failover, several in the pool may be lost.
const REPEATS: usize = 3;

/// A pool of connections for reading.
#[derive(Clone)]
pub(crate) struct ReadPool {
    server: Arc<PostgresServer>,
    pool: Pool,
    /// The time limit of one statement.
    timeout: Duration,
    /// The runtime that cleans up abandoned statements, even after the caller's own runtime has ended.
    runtime: Handle,
}

impl ReadPool {
    /// Creates a pool of at most `connections` connections. None is opened yet.
    pub(crate) fn new(
        server: &Arc<PostgresServer>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let pool = server.pool(connections, timeout)?;
        Ok(Self { server: Arc::clone(server), pool, timeout, runtime: Handle::current() })
    }

    /// Creates a pool for look-ups; see [`PostgresServer::pool_of_look_ups`].
    pub(crate) fn for_look_ups(
        server: &Arc<PostgresServer>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let pool = server.pool_of_look_ups(connections, timeout)?;
        Ok(Self { server: Arc::clone(server), pool, timeout, runtime: Handle::current() })
    }

    /// Reads all rows of a short statement. If the connection is lost, or the server ended the statement for a reason that
    /// passes, it runs again on another one.
    ///
    /// The future is boxed because it takes kilobytes. Unboxed, it would enlarge the futures of all callers, on SQLite
    /// as well.
    pub(crate) fn read<T: FromRow>(
        &self,
        sql: &Sql,
    ) -> Pin<Box<impl Future<Output = Result<Vec<T>, DatabaseError>>>> {
        Box::pin(async move { self.run(sql, None).await })
    }

    /// Reads all rows of a statement that may take long. It is cancelled when the caller drops the future or when the
    /// time is up. The permit is released when the server has ended the statement.
    pub(crate) fn read_long<T: FromRow>(
        &self,
        sql: &Sql,
        permit: ReadPermit,
    ) -> Pin<Box<impl Future<Output = Result<Vec<T>, DatabaseError>>>> {
        Box::pin(async move { self.run(sql, Some(permit)).await })
    }

    async fn run<T: FromRow>(&self, sql: &Sql, permit: Option<ReadPermit>) -> Result<Vec<T>, DatabaseError> {
        let deadline = Instant::now() + self.timeout;
        let client = before(deadline, self.pool.get()).await?;
        let mut running = RunningStatement { pool: self, client: Some(client), permit };
        let mut outcome = all(running.client()?, sql, deadline).await;
        for _ in 0..REPEATS {
            if !matches!(outcome, Err(DatabaseError::Transient(_))) {
                break;
            }
            running.discard();
            running.client = Some(before(deadline, self.pool.get()).await?);
            outcome = all(running.client()?, sql, deadline).await;
        }
        match (&outcome, &running.permit) {
            // No response is outstanding, so the connection returns to the pool.
            (Ok(_), _)
            | (Err(DatabaseError::Constraint(_) | DatabaseError::Damaged(_) | DatabaseError::Broken(_)), _) =>
            {
                running.client = None;
            }
            // The connection is lost, or its session is about to end.
            (Err(DatabaseError::Transient(_) | DatabaseError::Unconfirmed(_)), _) => running.discard(),
            // A response may still be outstanding.
            (Err(DatabaseError::Unavailable(_)), None) => running.discard(),
            // The statement may still run. Dropping `running` ends it.
            (Err(DatabaseError::Unavailable(_)), Some(_)) => {}
        }
        outcome
    }

    /// Waits until an abandoned statement has ended. If it holds a permit, it may take long and is cancelled first.
    async fn clean_up(self, client: Client, permit: Option<ReadPermit>) {
        if permit.is_some() {
            match timeout(self.timeout, self.server.cancel(client.cancel_token())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(error = describe(&error), "failed to cancel a statement")
                }
                Err(_) => tracing::debug!("cancelling a statement timed out"),
            }
        }
        // The server answers an empty statement only after the running one.
        let ended = timeout(self.timeout, client.batch_execute("")).await;
        if permit.is_some() || !matches!(ended, Ok(Ok(()))) {
            // A late cancellation would hit the next statement, so the connection is closed.
            drop(Client::take(client));
        }
    }
}

/// A running statement. If it is dropped before its end, it is cleaned up in the background.
struct RunningStatement<'a> {
    pool: &'a ReadPool,
    client: Option<Client>,
    permit: Option<ReadPermit>,
}

impl RunningStatement<'_> {
    fn client(&self) -> Result<&Client, DatabaseError> {
        self.client.as_ref().ok_or_else(|| DatabaseError::Broken("a statement without a connection".into()))
    }

    /// Closes the connection.
    fn discard(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }
}

impl Drop for RunningStatement<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let (pool, permit) = (self.pool.clone(), self.permit.take());
            self.pool.runtime.spawn(pool.clean_up(client, permit));
        }
    }
}
