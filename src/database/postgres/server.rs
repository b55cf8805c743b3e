//! A PostgreSQL server as a URL names it: how a connection to it is protected, and with which settings it begins.
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

use super::by;
use crate::database::error::{DatabaseError, describe};
use crate::database::open::OpenError;
use crate::database::sql::Name;

/// However patient a statement is, a server that does not take a connection in this time is not there.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The schemas of the search path that hold a directory.
const SCHEMAS: &str = "SELECT CAST(n.nspname AS TEXT) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'schema_migrations' \
     AND n.nspname = ANY (pg_catalog.current_schemas(false)) AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";

/// The schema in which a new table would be made.
const CURRENT_SCHEMA: &str = "SELECT CAST(pg_catalog.current_schema() AS TEXT)";

/// Where and how to connect.
pub(crate) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// The schema of our tables, once it was looked for.
    schema: OnceLock<String>,
}

/// How the way to a server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS, with the server's certificate verified.
    Tls,
    /// The server is on this machine.
    Local,
    /// Nothing protects the way to this host, as the URL says itself (`sslmode=disable`).
    Disabled(String),
    /// Nothing would protect the way to this host, and the URL does not say that this is meant.
    Missing(String),
}

impl Protection {
    /// What a URL asks for. With several hosts the least protected one counts, because any may be taken.
    pub(crate) fn of(url: &str) -> Result<Self, OpenError> {
        Ok(Self::of_config(&url.parse().map_err(|_| OpenError::BadUrl)?))
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

/// The first host that is neither a socket nor a loopback address. An address in `hostaddr` wins over the name.
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

impl Server {
    /// The server that a URL names. Nothing is connected yet.
    ///
    /// `sslmode=require` means TLS with the server's certificate verified against the machine's trusted
    /// roots. Without it a server on another machine is refused, unless the URL says `sslmode=disable`.
    pub(crate) fn new(url: &str) -> Result<Self, OpenError> {
        let config: Config = url.parse().map_err(|_| OpenError::BadUrl)?;
        let tls = match Protection::of_config(&config) {
            Protection::Missing(host) => return Err(OpenError::Unprotected(host)),
            Protection::Tls => Some(MakeRustlsConnect::new(tls()?)),
            Protection::Local | Protection::Disabled(_) => None,
        };
        Ok(Self { config, tls, schema: OnceLock::new() })
    }

    /// A pool of connections. Nothing is connected yet.
    pub(crate) fn pool(self: &Arc<Self>, connections: usize, timeout: Duration) -> Result<Pool, OpenError> {
        self.pool_with("", connections, timeout)
    }

    /// The same for statements that look up single rows.
    ///
    /// Plans are kept with their statements: one that was made while a table was nearly empty would go on reading all
    /// of it while it grows, until the server next looks at the table by itself, a minute later or more.
    pub(crate) fn pool_by_index(
        self: &Arc<Self>,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        self.pool_with(" -c enable_seqscan=off", connections, timeout)
    }

    fn pool_with(
        self: &Arc<Self>,
        more: &str,
        connections: usize,
        timeout: Duration,
    ) -> Result<Pool, OpenError> {
        let connecting = timeout.min(LONGEST_CONNECT);
        let config = self.config(more, timeout);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(config, Connector(Arc::clone(self)), recycling);
        Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(timeout), create: Some(connecting), recycle: Some(connecting) })
            .build()
            .map_err(|error| OpenError::Broken(error.into()))
    }

    /// The settings that a connection begins with, but for the search path.
    fn config(&self, more: &str, timeout: Duration) -> Config {
        let mut config = self.config.clone();
        let options = options(&config, timeout) + more;
        config.connect_timeout(timeout.min(LONGEST_CONNECT)).application_name("wardroom").options(options);
        config
    }

    /// Finds the schema of our tables: from then on every new connection sees that one alone.
    ///
    /// A search path has several schemas, and `"$user"` may come into being later: whoever may make a schema could
    /// otherwise answer in our tables' place. Two schemas with a directory are refused, because the first one in the
    /// path need not be the right one. Where there is none yet, it is the one in which tables will be made.
    pub(crate) async fn find_schema(&self, timeout: Duration) -> Result<(), DatabaseError> {
        if self.schema.get().is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + timeout.min(LONGEST_CONNECT);
        let (client, driver) = by(deadline, self.connect(&self.config("", timeout))).await?;
        let found = by(deadline, schema(&client)).await;
        driver.abort();
        // Somebody else may have found the same one meanwhile.
        let _ = self.schema.set(found??);
        Ok(())
    }

    async fn connect(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        Ok(match &self.tls {
            Some(tls) => driven(config.connect(tls.clone()).await?),
            None => driven(config.connect(NoTls).await?),
        })
    }

    /// Asks the server to end what a connection is doing, over a connection that is protected like that one.
    pub(crate) async fn cancel(&self, token: CancelToken) -> Result<(), Error> {
        match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        }
    }
}

/// Has a task of its own move the bytes of a connection.
fn driven<S>((client, connection): (Client, Connection<Socket, S>)) -> (Client, JoinHandle<()>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = describe(&error), "a connection to PostgreSQL ended");
        }
    });
    (client, driver)
}

/// The schema of our tables, or why it cannot be said which one that is.
async fn schema(client: &Client) -> Result<Result<String, DatabaseError>, Error> {
    let mut found = client
        .query(SCHEMAS, &[])
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<Vec<String>, _>>()?;
    if found.len() > 1 {
        let several = format!(
            "the tables of a directory are in several schemas ({}): name the right one at the end of the URL, as in \
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
            "no schema of the search path exists: make one, or name another one in the URL".into(),
        )
    }))
}

/// How a pool opens its connections.
struct Connector(Arc<Server>);

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

/// The search path as an option: our schema, and temporary tables, which would come first, last.
fn search_path(schema: &str) -> String {
    let path = format!("{},pg_temp", Name::new(schema).quoted());
    let mut option = " -c search_path=".to_owned();
    for character in path.chars() {
        // The server splits options at blanks (`pg_split_opts`).
        if character == '\\' || character.is_ascii_whitespace() {
            option.push('\\');
        }
        option.push(character);
    }
    option
}

/// The server gives up a statement when we do: what nobody waits for must not hold a connection there. And
/// a process that is stopped inside a transaction must not hold the writers' lock for ever.
fn options(config: &Config, timeout: Duration) -> String {
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
            // Of several hosts any may answer.
            ("postgres://u@localhost,db2/d", Protection::Missing(remote("db2"))),
            ("postgres://u@localhost:1,127.0.0.1:2/d", Protection::Local),
            ("postgres://u@localhost,db2/d?sslmode=disable", Protection::Disabled(remote("db2"))),
            // The address counts, not the name beside it.
            ("postgres://u@localhost/d?hostaddr=10.0.0.1", Protection::Missing(remote("10.0.0.1"))),
            ("postgres://u@db.example.com/d?hostaddr=127.0.0.1", Protection::Local),
            ("postgres://u@a,b/d?hostaddr=127.0.0.1,10.0.0.2", Protection::Missing(remote("10.0.0.2"))),
        ] {
            assert_eq!(Protection::of(url).unwrap(), expected, "{url}");
            let refused = matches!(Server::new(url), Err(OpenError::Unprotected(_)));
            assert_eq!(refused, matches!(expected, Protection::Missing(_)), "{url}");
        }
    }

    #[test]
    fn a_schema_s_name_is_one_option_whatever_is_in_it() {
        assert_eq!(search_path("public"), r#" -c search_path="public",pg_temp"#);
        assert_eq!(search_path("a b\\c\"d"), r#" -c search_path="a\ b\\c""d",pg_temp"#);
    }
}
