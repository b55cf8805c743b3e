//! Connections for reading, and what becomes of one whose statement nobody waits for any more.
//!
//! An answer may still be on its way then, so the connection must not go back to the pool as it is: whoever got it
//! next would wait for somebody else's statement.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Pool};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::server::Server;
use super::{all, by};
use crate::database::error::{DatabaseError, describe};
use crate::database::long_reads::Place;
use crate::database::open::OpenError;
use crate::database::row::FromRow;
use crate::database::sql::Sql;

/// A pool of connections for reading.
#[derive(Clone)]
pub(crate) struct Connections {
    server: Arc<Server>,
    pool: Pool,
    /// The longest that one statement may take.
    timeout: Duration,
    /// Where abandoned statements are ended, whatever becomes of the runtime of the one who abandoned them.
    runtime: Handle,
}

impl Connections {
    /// At most so many connections. Nothing is connected yet.
    pub(crate) fn new(
        server: &Arc<Server>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let pool = server.pool(connections, timeout)?;
        Ok(Self { server: Arc::clone(server), pool, timeout, runtime: Handle::current() })
    }

    /// The same for statements that look up single rows.
    pub(crate) fn by_index(
        server: &Arc<Server>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let pool = server.pool_by_index(connections, timeout)?;
        Ok(Self { server: Arc::clone(server), pool, timeout, runtime: Handle::current() })
    }

    /// Reads all rows of a statement that is short. A connection that had died unnoticed is replaced once.
    ///
    /// Boxed: it is kilobytes, and whatever waits for it would be so, too, and be moved around, on SQLite as well.
    pub(crate) fn read<T: FromRow>(
        &self,
        sql: &Sql,
    ) -> Pin<Box<impl Future<Output = Result<Vec<T>, DatabaseError>>>> {
        Box::pin(async move { self.run(sql, None).await })
    }

    /// The same for one that may take long: when its caller goes away, or it takes too long, it is cancelled. Its
    /// place is free again when the server has ended it.
    pub(crate) fn read_long<T: FromRow>(
        &self,
        sql: &Sql,
        place: Place,
    ) -> Pin<Box<impl Future<Output = Result<Vec<T>, DatabaseError>>>> {
        Box::pin(async move { self.run(sql, Some(place)).await })
    }

    async fn run<T: FromRow>(&self, sql: &Sql, place: Option<Place>) -> Result<Vec<T>, DatabaseError> {
        let deadline = Instant::now() + self.timeout;
        let client = by(deadline, self.pool.get()).await?;
        let mut running = Running { connections: self, client: Some(client), place };
        let mut outcome = all(running.client()?, sql, deadline).await;
        if matches!(outcome, Err(DatabaseError::Unavailable(_))) && running.client()?.is_closed() {
            running.client = None;
            running.client = Some(by(deadline, self.pool.get()).await?);
            outcome = all(running.client()?, sql, deadline).await;
        }
        match (&outcome, &running.place) {
            // Nothing else is on its way: the connection goes back to the pool.
            (Ok(_), _)
            | (Err(DatabaseError::Constraint(_) | DatabaseError::Damaged(_) | DatabaseError::Broken(_)), _) =>
            {
                running.client = None;
            }
            // An answer may still be on its way.
            (Err(DatabaseError::Unavailable(_)), None) => running.discard(),
            // The statement may still run: it is ended when this is dropped.
            (Err(DatabaseError::Unavailable(_)), Some(_)) => {}
        }
        outcome
    }

    /// Waits for the end of a statement that nobody waits for, and ends it first if it holds a place.
    async fn end(self, client: Client, place: Option<Place>) {
        if place.is_some() {
            match timeout(self.timeout, self.server.cancel(client.cancel_token())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(error = describe(&error), "a statement cannot be cancelled")
                }
                Err(_) => tracing::debug!("a statement cannot be cancelled in time"),
            }
        }
        // An empty statement is answered after the one that is running.
        let ended = timeout(self.timeout, client.batch_execute("")).await;
        if place.is_some() || !matches!(ended, Ok(Ok(()))) {
            // A cancellation that arrives late would meet the next statement.
            drop(Client::take(client));
        }
    }
}

/// A statement that runs. Dropped before its end, it is ended in the background.
struct Running<'a> {
    connections: &'a Connections,
    client: Option<Client>,
    place: Option<Place>,
}

impl Running<'_> {
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

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let (connections, place) = (self.connections.clone(), self.place.take());
            self.connections.runtime.spawn(connections.end(client, place));
        }
    }
}
