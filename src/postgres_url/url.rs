//! A URL with its parameters.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use super::error::{FORM, UrlError};
use super::hosts;
use super::parameters::UrlParameters;
use super::protection::Protection;
use super::tls_options::TlsOptions;

/// A URL with its parameters.
pub(crate) struct PostgresUrl {
    /// Hosts, user, password and database, for the driver.
    pub(crate) config: Config,
    /// `None` means clear text.
    pub(crate) tls: Option<TlsOptions>,
    /// The schema of this program's tables, if the URL names one.
    pub(crate) schema: Option<String>,
    shown: String,
}

impl PostgresUrl {
    /// Parses a URL.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let shown = without_password(url).ok_or(UrlError::Malformed)?;
        let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
        let parameters = UrlParameters::read(query.unwrap_or_default())?;
        let mut config: Config = place.parse().map_err(|error| refused(&error))?;
        find_dead_hosts(&mut config);
        parameters.apply(&mut config)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError::Malformed);
        }
        let schema = parameters.schema(&config)?;
        let tls = parameters.tls(&mut config)?;
        one_writable_server(&mut config, parameters.has("target_session_attrs"))?;
        Ok(Self { config, tls, schema, shown })
    }

    /// Returns the URL with `***` instead of the password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns how connections are protected.
    pub(crate) fn protection(&self) -> Protection {
        Protection::of(&self.config)
    }

    /// Returns one configuration for each host.
    pub(crate) fn hosts(&self) -> Vec<Config> {
        hosts::split(&self.config)
    }

    /// Returns the servers as `host:port`, for messages.
    pub(crate) fn servers(&self) -> String {
        let (hosts, addresses, ports) =
            (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let server = |index: usize| {
            let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
            match (hosts.get(index), addresses.get(index)) {
                (Some(Host::Unix(path)), _) => format!("{}/.s.PGSQL.{port}", path.display()),
                (Some(Host::Tcp(name)), _) if name.contains(':') => format!("[{name}]:{port}"),
                (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
                (None, address) => address.map_or_else(String::new, |address| format!("{address}:{port}")),
            }
        };
        let servers: Vec<_> = (0..hosts.len().max(addresses.len())).map(server).collect();
        servers.join(", ")
    }
}

/// Lets the system find out that a host is gone, which says nothing: after ten seconds without a sign of life, whether
/// something was sent or not. The system's own defaults are a quarter of an hour and two hours.
fn find_dead_hosts(config: &mut Config) {
    config.keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
    config.keepalives_retries(3).tcp_user_timeout(Duration::from_secs(10));
}

/// Returns the URL with `***` instead of the password. Only one `@` is allowed: with a raw `@` in the password, the driver's
/// parser and this function could disagree where the password ends.
fn without_password(url: &str) -> Option<String> {
    if url.contains(char::is_control) {
        return None;
    }
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let scheme = url.strip_suffix(rest)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match rest.split_once('@') {
        None => Some(url.to_owned()),
        Some((_, place)) if !authority.contains('@') || place.contains('@') => None,
        Some((login, place)) => match login.split_once(':') {
            Some((user, password)) if !password.is_empty() => Some(format!("{scheme}{user}:***@{place}")),
            _ => Some(url.to_owned()),
        },
    }
}

/// Returns what the driver says about a value, which it names but does not quote.
fn refused(error: &tokio_postgres::Error) -> UrlError {
    match std::error::Error::source(error).map(ToString::to_string) {
        Some(why) if why.starts_with("invalid value for option") => {
            UrlError::Refused(format!("this is not a PostgreSQL URL ({why}): use {FORM}"))
        }
        _ => UrlError::Malformed,
    }
}

/// With several hosts, only the one that accepts writes may be used: a standby would answer with rows that are older than an
/// acknowledged write.
fn one_writable_server(config: &mut Config, is_given: bool) -> Result<(), UrlError> {
    let several = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
    match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => Ok(()),
        TargetSessionAttrs::Any if !is_given && several => {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            Ok(())
        }
        TargetSessionAttrs::Any if !several => Ok(()),
        _ => Err(UrlError::Refused(
            "target_session_attrs must be read-write: a standby refuses writes and may answer with old rows"
                .to_owned(),
        )),
    }
}
