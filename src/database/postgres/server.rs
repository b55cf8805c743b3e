//! The PostgreSQL server that a URL names: how connections to it are opened.
//!
//! Every connection of the program is opened here, so none can lack a timeout, TLS, durable commits or the search path.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts::{self, Hosts};
use super::session::{self, SessionPurpose};
use super::{before, pooler, schema, tls};
use crate::database::error::DatabaseError;
use crate::database::open::OpenError;
use crate::postgres_url::{PostgresUrl, Protection};

/// The time limit for opening a connection, however long a statement may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why this program does not start with some poolers.
const SHARED: &str = "a connection pooler shares server processes between sessions (in PgBouncer: pool_mode = transaction or \
     statement), and Wardroom needs a session of its own for each connection: set pool_mode = session for this database, or let \
     database_url name the PostgreSQL server itself";

/// A server, and how to connect to it.
pub(crate) struct PostgresServer {
    url: PostgresUrl,
    hosts: Arc<Hosts>,
    tls: Option<MakeRustlsConnect>,
    /// The schema of this program's tables, once it is known.
    schema: OnceLock<String>,
}

impl PostgresServer {
    /// Parses a URL and reads the certificates that it names. No connection is opened yet.
    ///
    /// A server on another machine is refused if the URL neither requires TLS nor says `sslmode=disable`.
    pub(crate) fn new(url: &str) -> Result<Self, OpenError> {
        let url = PostgresUrl::parse(url).map_err(|error| OpenError::InvalidUrl(error.to_string()))?;
        if let Protection::Missing(host) = url.protection() {
            return Err(OpenError::Unprotected(host));
        }
        let tls = url.tls.as_ref().map(tls::client_config).transpose()?.map(MakeRustlsConnect::new);
        let hosts = Arc::new(Hosts::new(configs(&url), tls.clone()));
        Ok(Self { url, hosts, tls, schema: OnceLock::new() })
    }

    /// Notices a failover without a request. It needs a runtime, and ends with the server.
    pub(crate) fn watch_hosts(&self) {
        hosts::watch(&self.hosts);
    }

    /// Returns a number that changes with each failover; see [`Hosts::history`].
    pub(crate) fn history(&self) -> u64 {
        self.hosts.history()
    }

    /// Returns whether the URL names the schema of the tables.
    pub(crate) fn names_schema(&self) -> bool {
        self.url.schema.is_some()
    }

    /// Creates a pool of connections. None is opened yet.
    pub(crate) fn pool(self: &Arc<Self>, connections: usize, timeout: Duration) -> Result<Pool, OpenError> {
        self.pool_for(SessionPurpose::General, connections, timeout)
    }

    /// Creates a pool for look-ups; see [`SessionPurpose::LookUps`].
    pub(super) fn pool_of_look_ups(
        self: &Arc<Self>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        self.pool_for(SessionPurpose::LookUps, connections, timeout)
    }

    /// Creates the pool of a writer or a command, which has one connection.
    pub(crate) fn pool_of_writes(self: &Arc<Self>, timeout: Duration) -> Result<Pool, OpenError> {
        self.pool_for(SessionPurpose::Writes, 1, timeout)
    }

    fn pool_for(
        self: &Arc<Self>,
        purpose: SessionPurpose,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        let connecting = timeout.min(CONNECT_TIMEOUT);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connector = Connector { server: Arc::clone(self), purpose, timeout };
        let manager = Manager::from_connect(self.url.config.clone(), connector, recycling);
        Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(timeout), create: Some(connecting), recycle: Some(connecting) })
            .build()
            .map_err(|error| OpenError::Broken(error.into()))
    }

    /// Returns the time for one host. Each gets a part, so that one that is silent leaves time for the next.
    fn time_for_host(&self, timeout: Duration) -> Duration {
        let hosts = u32::try_from(self.hosts.count()).unwrap_or(u32::MAX);
        timeout.min(CONNECT_TIMEOUT) / hosts.max(1)
    }

    /// Finds the schema of this program's tables. From then on, every new connection sees only that schema.
    ///
    /// A search path has several schemas, and the one for `"$user"` may be created later. Without this, a role that may
    /// create schemas could put its own tables in front of this program's. If several schemas contain the tables, this
    /// fails, because the first one in the path is not necessarily the right one. If none does, the result is the
    /// schema in which new tables are created.
    ///
    /// It also fails if a pooler shares server processes between sessions.
    pub(crate) async fn find_schema(&self, timeout: Duration) -> Result<(), DatabaseError> {
        if self.schema.get().is_some() {
            return Ok(());
        }
        self.hosts.survey().await;
        let probe = self.check_sessions(timeout).await?;
        let deadline = Instant::now() + timeout.min(CONNECT_TIMEOUT);
        let found = before(deadline, schema::find(&probe.client, self.url.schema.as_deref())).await?;
        // Another thread may have set the same value meanwhile.
        let _ = self.schema.set(found?);
        Ok(())
    }

    /// Fails if a pooler shares server processes between sessions. Nothing was set in any session then. Returns one of the
    /// connections that were used.
    pub(crate) async fn check_sessions(&self, timeout: Duration) -> Result<OpenConnection, DatabaseError> {
        let deadline = Instant::now() + timeout.min(CONNECT_TIMEOUT);
        let (one, other) = (self.probe(timeout, deadline).await?, self.probe(timeout, deadline).await?);
        match before(deadline, pooler::is_shared(&one.client, &other.client)).await? {
            false => Ok(one),
            true => Err(DatabaseError::Broken(SHARED.into())),
        }
    }

    /// Opens a connection for a few statements. An error names the server.
    async fn probe(&self, timeout: Duration, deadline: Instant) -> Result<OpenConnection, DatabaseError> {
        match before(deadline, self.hosts.connect(self.time_for_host(timeout))).await {
            Ok((client, driver)) => Ok(OpenConnection { client, driver }),
            Err(DatabaseError::Unavailable(why) | DatabaseError::Transient(why)) => {
                Err(DatabaseError::Unavailable(format!("{}: {why}", self.url.servers())))
            }
            Err(other) => Err(other),
        }
    }

    /// Opens a connection and begins its session with these statements.
    async fn connect_session(
        &self,
        timeout: Duration,
        statements: &str,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, driver) = self.hosts.connect(self.time_for_host(timeout)).await?;
        match client.batch_execute(statements).await {
            Ok(()) => Ok((client, driver)),
            Err(error) => {
                driver.abort();
                Err(error)
            }
        }
    }

    /// Cancels the statement that a connection is running. The request uses a connection with the same protection.
    pub(crate) async fn cancel(&self, running: CancelToken) -> Result<(), Error> {
        match &self.tls {
            Some(tls) => running.cancel_query(tls.clone()).await,
            None => running.cancel_query(NoTls).await,
        }
    }
}

/// Returns one configuration for each host of a URL.
fn configs(url: &PostgresUrl) -> Vec<Config> {
    let mut configs = url.hosts();
    for config in configs.iter_mut().filter(|config| config.get_application_name().is_none()) {
        config.application_name("wardroom");
    }
    configs
}

/// A connection that closes when it is dropped.
pub(crate) struct OpenConnection {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Opens the connections of a pool.
struct Connector {
    server: Arc<PostgresServer>,
    purpose: SessionPurpose,
    timeout: Duration,
}

impl Connect for Connector {
    fn connect(
        &self,
        _config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let schema = self.server.schema.get().map(String::as_str).or(self.server.url.schema.as_deref());
        let session = session::statements(self.purpose, self.timeout, schema);
        Box::pin(async move { self.server.connect_session(self.timeout, &session).await })
    }
}
