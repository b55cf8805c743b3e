//! The PostgreSQL server that a URL names: how connections to it are protected, and their initial settings.
//!
//! Every connection of the program is opened here, so none can lack a timeout, TLS or the search path.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{CancelToken, Client, Config, Connection, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::before;
use crate::database::error::{DatabaseError, describe};
use crate::database::open::OpenError;
use crate::database::sql::Name;

/// The time limit for opening a connection, however long a statement may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Selects the schemas of the search path that contain this program's tables.
const SCHEMAS: &str = "SELECT CAST(n.nspname AS TEXT) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'schema_migrations' \
     AND n.nspname = ANY (pg_catalog.current_schemas(false)) AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";

/// Selects the schema in which a new table would be created.
const CURRENT_SCHEMA: &str = "SELECT CAST(pg_catalog.current_schema() AS TEXT)";

/// A server, and how to connect to it.
pub(crate) struct PostgresServer {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// The schema of this program's tables, once it is known.
    schema: OnceLock<String>,
}

/// How the connection to a server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS, with the server's certificate verified.
    Tls,
    /// The server is on this machine.
    Local,
    /// The connection to this host is unprotected, and the URL allows that (`sslmode=disable`).
    Disabled(String),
    /// The connection to this host would be unprotected, and the URL does not allow that.
    Missing(String),
}

impl Protection {
    /// Returns the protection that a URL requests. If it names several hosts, the least protected one counts, because
    /// any of them may be used.
    pub(crate) fn of(url: &str) -> Result<Self, OpenError> {
        Ok(Self::of_config(&url.parse().map_err(|_| OpenError::InvalidUrl)?))
    }

    fn of_config(config: &Config) -> Self {
        match (config.get_ssl_mode(), remote_host(config)) {
            (SslMode::Require, _) => Self::Tls,
            (_, None) => Self::Local,
            (SslMode::Disable, Some(host)) => Self::Disabled(host),
            (_, Some(host)) => Self::Missing(host),
        }
    }
}

/// Returns the first host that is neither a socket nor a loopback address. An address in `hostaddr` takes precedence
/// over the name.
fn remote_host(config: &Config) -> Option<String> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    if !addresses.is_empty() {
        return addresses.iter().find(|address| !is_loopback(**address)).map(ToString::to_string);
    }
    hosts.iter().find_map(|host| match host {
        Host::Unix(_) => None,
        Host::Tcp(name) if name.eq_ignore_ascii_case("localhost") => None,
        Host::Tcp(name) if name.parse().is_ok_and(is_loopback) => None,
        Host::Tcp(name) => Some(name.clone()),
    })
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl PostgresServer {
    /// Parses a URL. No connection is opened yet.
    ///
    /// `sslmode=require` means TLS with the server's certificate verified against the machine's trusted roots. Without
    /// it a server on another machine is refused, unless the URL says `sslmode=disable`.
    pub(crate) fn new(url: &str) -> Result<Self, OpenError> {
        let config: Config = url.parse().map_err(|_| OpenError::InvalidUrl)?;
        let tls = match Protection::of_config(&config) {
            Protection::Missing(host) => return Err(OpenError::Unprotected(host)),
            Protection::Tls => Some(MakeRustlsConnect::new(tls()?)),
            Protection::Local | Protection::Disabled(_) => None,
        };
        Ok(Self { config, tls, schema: OnceLock::new() })
    }

    /// Creates a pool of connections. None is opened yet.
    pub(crate) fn pool(self: &Arc<Self>, connections: usize, timeout: Duration) -> Result<Pool, OpenError> {
        self.pool_with("", connections, timeout)
    }

    /// Creates a pool for statements that look up single rows. Its connections use indexes rather than sequential
    /// scans.
    ///
    /// The server caches the plan of a prepared statement. A plan that was made while a table was nearly empty would
    /// keep reading all of it while it grows, until the server analyses the table again, a minute later or more.
    pub(crate) fn index_scan_pool(
        self: &Arc<Self>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        self.pool_with(" -c enable_seqscan=off", connections, timeout)
    }

    fn pool_with(
        self: &Arc<Self>,
        options: &str,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        let connecting = timeout.min(CONNECT_TIMEOUT);
        let config = self.config(options, timeout);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config, Connector(Arc::clone(self)), recycling);
        Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(timeout), create: Some(connecting), recycle: Some(connecting) })
            .build()
            .map_err(|error| OpenError::Broken(error.into()))
    }

    /// Returns the initial settings of a connection, except for the search path.
    fn config(&self, options: &str, timeout: Duration) -> Config {
        let mut config = self.config.clone();
        let options = session_options(&config, timeout) + options;
        config.connect_timeout(timeout.min(CONNECT_TIMEOUT)).application_name("wardroom").options(options);
        config
    }

    /// Finds the schema of this program's tables. From then on, every new connection sees only that schema.
    ///
    /// A search path has several schemas, and the one for `"$user"` may be created later. Without this, a role that may
    /// create schemas could put its own tables in front of this program's. If several schemas contain the tables, this
    /// fails, because the first one in the path is not necessarily the right one. If none does, the result is the
    /// schema in which new tables are created.
    pub(crate) async fn find_schema(&self, timeout: Duration) -> Result<(), DatabaseError> {
        if self.schema.get().is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + timeout.min(CONNECT_TIMEOUT);
        let (client, driver) = before(deadline, self.connect(&self.config("", timeout))).await?;
        let found = before(deadline, query_schema(&client)).await;
        driver.abort();
        // Another thread may have set the same value meanwhile.
        let _ = self.schema.set(found??);
        Ok(())
    }

    async fn connect(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        Ok(match &self.tls {
            Some(tls) => spawn_driver(config.connect(tls.clone()).await?),
            None => spawn_driver(config.connect(NoTls).await?),
        })
    }

    /// Cancels the statement that a connection is running. The request uses a connection with the same protection.
    pub(crate) async fn cancel(&self, running: CancelToken) -> Result<(), Error> {
        match &self.tls {
            Some(tls) => running.cancel_query(tls.clone()).await,
            None => running.cancel_query(NoTls).await,
        }
    }
}

/// Spawns a task that drives the I/O of a connection.
fn spawn_driver<S>((client, connection): (Client, Connection<Socket, S>)) -> (Client, JoinHandle<()>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = describe(&error), "a connection to PostgreSQL was lost");
        }
    });
    (client, driver)
}

/// Returns the schema of this program's tables. The inner error says why it cannot be determined.
async fn query_schema(client: &Client) -> Result<Result<String, DatabaseError>, Error> {
    let mut found = client
        .query(SCHEMAS, &[])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<Vec<String>, _>>()?;
    if found.len() > 1 {
        let several = format!(
            "Wardroom's tables are in several schemas ({}): name the right one at the end of the URL, as in \
             ?options=-csearch_path%3Dpublic",
            found.join(", ")
        );
        return Ok(Err(DatabaseError::Broken(several.into())));
    }
    if let Some(only) = found.pop() {
        return Ok(Ok(only));
    }
    let current: Option<String> = client.query_one(CURRENT_SCHEMA, &[]).await?.try_get(0)?;
    Ok(current.ok_or_else(|| {
        DatabaseError::Broken(
            "no schema of the search path exists: create one, or name another one in the URL".into(),
        )
    }))
}

/// Opens the connections of a pool.
struct Connector(Arc<PostgresServer>);

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let mut config = config.clone();
        if let Some(schema) = self.0.schema.get() {
            let options = config.get_options().unwrap_or_default().to_owned();
            config.options(options + &search_path(schema));
        }
        Box::pin(async move { self.0.connect(&config).await })
    }
}

/// Returns the search path as an option: the given schema, then temporary tables, which would come first by default.
fn search_path(schema: &str) -> String {
    let path = format!("{},pg_temp", Name::new(schema).quoted());
    let mut option = " -c search_path=".to_owned();
    for character in path.chars() {
        // The server splits options at white space (`pg_split_opts`).
        if character == '\\' || character.is_ascii_whitespace() {
            option.push('\\');
        }
        option.push(character);
    }
    option
}

/// Returns the options that limit time on the server. The server aborts a statement when this program stops waiting for
/// it, so that an abandoned statement does not occupy a connection. It also ends idle transactions, so that a process
/// that is suspended inside a transaction does not hold the writers' lock for ever.
fn session_options(config: &Config, timeout: Duration) -> String {
    let (own, millis) = (config.get_options().unwrap_or_default(), timeout.as_millis());
    let idle = (timeout * 5).max(Duration::from_secs(10)).as_millis();
    format!(
        "{own} -c statement_timeout={millis} -c lock_timeout={millis} -c idle_in_transaction_session_timeout={idle}"
    )
}

fn tls() -> Result<rustls::ClientConfig, OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Broken(error.into()))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_another_machine_needs_tls_or_a_word() {
        let remote = |host: &str| host.to_owned();
        for (url, expected) in [
            ("postgres://u@localhost/d", Protection::Local),
            ("postgres://u@LOCALHOST/d", Protection::Local),
            ("postgres://u@127.0.0.1/d", Protection::Local),
            ("postgres://u@127.8.9.10/d?sslmode=prefer", Protection::Local),
            ("postgres://u@[::1]/d", Protection::Local),
            ("postgres://u@[::ffff:127.0.0.1]/d", Protection::Local),
            ("postgres://u@%2Frun%2Fpostgresql/d", Protection::Local),
            ("postgres://u@/d?host=/run/postgresql", Protection::Local),
            ("postgres://u@localhost/d?sslmode=require", Protection::Tls),
            ("postgres://u@db.example.com/d?sslmode=require", Protection::Tls),
            ("postgres://u@db.example.com/d", Protection::Missing(remote("db.example.com"))),
            ("postgres://u@db.example.com/d?sslmode=prefer", Protection::Missing(remote("db.example.com"))),
            ("postgres://u@db.example.com/d?sslmode=disable", Protection::Disabled(remote("db.example.com"))),
            ("postgres://u@localhost.example.com/d", Protection::Missing(remote("localhost.example.com"))),
            ("postgres://u@10.0.0.1/d", Protection::Missing(remote("10.0.0.1"))),
            ("postgres://u@[2001:db8::1]/d", Protection::Missing(remote("2001:db8::1"))),
            ("postgres://u@0.0.0.0/d", Protection::Missing(remote("0.0.0.0"))),
            // With several hosts, any of them may be used.
            ("postgres://u@localhost,db2/d", Protection::Missing(remote("db2"))),
            ("postgres://u@localhost:1,127.0.0.1:2/d", Protection::Local),
            ("postgres://u@localhost,db2/d?sslmode=disable", Protection::Disabled(remote("db2"))),
            // The address counts, not the name.
            ("postgres://u@localhost/d?hostaddr=10.0.0.1", Protection::Missing(remote("10.0.0.1"))),
            ("postgres://u@db.example.com/d?hostaddr=127.0.0.1", Protection::Local),
            ("postgres://u@a,b/d?hostaddr=127.0.0.1,10.0.0.2", Protection::Missing(remote("10.0.0.2"))),
        ] {
            assert_eq!(Protection::of(url).unwrap(), expected, "{url}");
            let refused = matches!(PostgresServer::new(url), Err(OpenError::Unprotected(_)));
            assert_eq!(refused, matches!(expected, Protection::Missing(_)), "{url}");
        }
    }

    #[test]
    fn a_schema_s_name_is_one_option_whatever_is_in_it() {
        assert_eq!(search_path("public"), r#" -c search_path="public",pg_temp"#);
        assert_eq!(search_path("a b\\c\"d"), r#" -c search_path="a\ b\\c""d",pg_temp"#);
    }
}
