//! The parameters of a URL: those of this program, and those that it passes to the driver.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::error::UrlError;
use super::tls_options::{TlsOptions, require_tls};

/// The parameters that the driver interprets.
const OF_DRIVER: [&str; 17] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "port",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// The parameters that this program interprets.
const OF_PROGRAM: [&str; 6] = ["schema", "sslcert", "sslkey", "sslmode", "sslnegotiation", "sslrootcert"];

/// The longest name of a schema, in bytes.
const LONGEST_NAME: usize = 63;

/// The parameters of a URL, with their values decoded.
pub(super) struct UrlParameters(Vec<(String, String)>);

impl UrlParameters {
    /// Reads the part of a URL behind the question mark.
    pub(super) fn read(query: &str) -> Result<Self, UrlError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or(UrlError::Malformed)?;
            let (key, value) = (decode(key)?, decode(value)?);
            check_name(&key)?;
            if parameters.iter().any(|(known, _)| *known == key) {
                return Err(UrlError::Refused(format!(
                    "the parameter {key} is given twice: leave one of them"
                )));
            }
            parameters.push((key, value));
        }
        Ok(Self(parameters))
    }

    /// Returns whether a parameter is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Passes the driver's parameters to it.
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), UrlError> {
        for (key, is_given) in [
            ("host", !config.get_hosts().is_empty()),
            ("port", !config.get_ports().is_empty()),
            ("user", config.get_user().is_some()),
            ("dbname", config.get_dbname().is_some()),
        ] {
            if is_given && self.has(key) {
                return Err(UrlError::Refused(format!(
                    "the parameter {key} repeats what is in front of the question mark: leave one of them"
                )));
            }
        }
        for (key, value) in self.0.iter().filter(|(key, _)| OF_DRIVER.contains(&key.as_str())) {
            match key.as_str() {
                "host" => value.split(',').for_each(|host| {
                    config.host(host);
                }),
                "user" => {
                    config.user(value);
                }
                "dbname" => {
                    config.dbname(value);
                }
                "options" => {
                    config.options(value);
                }
                "application_name" => {
                    config.application_name(value);
                }
                key => apply_plain(config, key, value)?,
            }
        }
        Ok(())
    }

    /// Returns the schema of the tables.
    pub(super) fn schema(&self, config: &Config) -> Result<Option<String>, UrlError> {
        let Some(schema) = self.get("schema") else { return Ok(None) };
        let is_reserved = schema.starts_with("pg_") || schema == "information_schema";
        if schema.is_empty() || schema.len() > LONGEST_NAME || is_reserved {
            return Err(UrlError::Refused(format!(
                "schema={schema:?} cannot hold tables: write the name of one schema of your own, such as ?schema=wardroom"
            )));
        }
        if config.get_options().is_some_and(|options| options.contains("search_path")) {
            return Err(UrlError::Refused(
                "schema and options with a search_path are both given: leave one of them".to_owned(),
            ));
        }
        Ok(Some(schema.to_owned()))
    }

    /// Returns how TLS is used, and notes it in the driver's configuration.
    pub(super) fn tls(&self, config: &mut Config) -> Result<Option<TlsOptions>, UrlError> {
        let mode = self.get("sslmode");
        let is_tls = match mode {
            None | Some("disable") => false,
            Some("require" | "verify-ca" | "verify-full") => true,
            Some(weak @ ("allow" | "prefer")) => {
                return Err(UrlError::Refused(format!(
                    "sslmode={weak} would fall back to clear text unnoticed: write ?sslmode=require for TLS with a checked \
                     certificate, or ?sslmode=disable for clear text"
                )));
            }
            Some(other) => {
                return Err(UrlError::Refused(format!(
                    "sslmode={other:?} is not known: use require, verify-full, verify-ca or disable"
                )));
            }
        };
        if !is_tls {
            if mode.is_some() {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            }
            return self.no_tls_files().map(|()| None);
        }
        has_host_names(config)?;
        let options = TlsOptions {
            roots: self.roots(mode == Some("verify-ca"))?,
            check_host: mode != Some("verify-ca"),
            client: self.client_files()?,
            is_direct: self.is_direct()?,
        };
        require_tls(config, &options);
        Ok(Some(options))
    }

    /// Fails if a parameter would have no effect because the connection does not use TLS.
    fn no_tls_files(&self) -> Result<(), UrlError> {
        let unused = ["sslrootcert", "sslcert", "sslkey", "sslnegotiation"];
        match unused.into_iter().find(|key| self.has(key)) {
            None => Ok(()),
            Some(key) => Err(UrlError::Refused(format!(
                "{key} has no effect without TLS: add sslmode=verify-full, or remove {key}"
            ))),
        }
    }

    fn roots(&self, verify_ca: bool) -> Result<Option<PathBuf>, UrlError> {
        match self.get("sslrootcert") {
            // A certificate for any host from any public authority would be accepted.
            None | Some("system") if verify_ca => Err(UrlError::Refused(
                "sslmode=verify-ca accepts a certificate for any host, so it needs an authority of your own: add \
                 sslrootcert=/path/to/root.crt, or use sslmode=verify-full"
                    .to_owned(),
            )),
            None | Some("system") => Ok(None),
            Some(path) => file("sslrootcert", path).map(Some),
        }
    }

    fn client_files(&self) -> Result<Option<(PathBuf, PathBuf)>, UrlError> {
        match (self.get("sslcert"), self.get("sslkey")) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((file("sslcert", certificate)?, file("sslkey", key)?))),
            (one, _) => {
                let (given, missing) =
                    if one.is_some() { ("sslcert", "sslkey") } else { ("sslkey", "sslcert") };
                Err(UrlError::Refused(format!("{given} is given without {missing}: give both, or neither")))
            }
        }
    }

    fn is_direct(&self) -> Result<bool, UrlError> {
        match self.get("sslnegotiation") {
            None | Some("postgres") => Ok(false),
            Some("direct") => Ok(true),
            Some(other) => Err(UrlError::Refused(format!(
                "sslnegotiation={other:?} is not known: use postgres or direct"
            ))),
        }
    }
}

/// Sets a parameter whose value is a word or a number, through the driver's own parser.
fn apply_plain(config: &mut Config, key: &str, value: &str) -> Result<(), UrlError> {
    let known = if key == "keepalives_count" { "keepalives_retries" } else { key };
    let refused = || UrlError::Refused(format!("{key}={value:?} is not allowed: {}", allowed(key)));
    let is_plain = !value.is_empty()
        && value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.:,".contains(letter));
    let parsed = is_plain.then(|| format!("{known}={value}").parse::<Config>());
    let parsed = parsed.and_then(Result::ok).ok_or_else(refused)?;
    match known {
        "hostaddr" => parsed.get_hostaddrs().iter().for_each(|address| {
            config.hostaddr(*address);
        }),
        "port" => parsed.get_ports().iter().for_each(|port| {
            config.port(*port);
        }),
        "connect_timeout" => {
            config.connect_timeout(*parsed.get_connect_timeout().ok_or_else(refused)?);
        }
        "tcp_user_timeout" => {
            config.tcp_user_timeout(*parsed.get_tcp_user_timeout().ok_or_else(refused)?);
        }
        "keepalives" => {
            config.keepalives(parsed.get_keepalives());
        }
        "keepalives_idle" => {
            config.keepalives_idle(parsed.get_keepalives_idle());
        }
        "keepalives_interval" => {
            config.keepalives_interval(parsed.get_keepalives_interval().ok_or_else(refused)?);
        }
        "keepalives_retries" => {
            config.keepalives_retries(parsed.get_keepalives_retries().ok_or_else(refused)?);
        }
        "target_session_attrs" => {
            config.target_session_attrs(parsed.get_target_session_attrs());
        }
        "channel_binding" => {
            config.channel_binding(parsed.get_channel_binding());
        }
        _ => {
            config.load_balance_hosts(parsed.get_load_balance_hosts());
        }
    }
    Ok(())
}

/// Says what a parameter may be.
fn allowed(key: &str) -> &'static str {
    match key {
        "hostaddr" => "use an IP address, or one for each host with commas between them",
        "port" => "use a port, or one for each host with commas between them",
        "target_session_attrs" => "use read-write",
        "channel_binding" => "use disable, prefer or require",
        "load_balance_hosts" => "use disable or random",
        "keepalives" => "use 0 or 1",
        _ => "use a whole number above 0",
    }
}

/// Fails if this program does not know a parameter.
fn check_name(key: &str) -> Result<(), UrlError> {
    if OF_DRIVER.contains(&key) || OF_PROGRAM.contains(&key) {
        return Ok(());
    }
    if key == "password" {
        return Err(UrlError::Refused(
            "the parameter password is not allowed, because a URL is shown with its parameters: write the password before the \
             host, as in postgres://user:password@host/name"
                .to_owned(),
        ));
    }
    let mut known: Vec<_> = OF_DRIVER.into_iter().chain(OF_PROGRAM).collect();
    known.sort_unstable();
    Err(UrlError::Refused(format!(
        "the parameter {key:?} is not known: remove it, or use one of {}",
        known.join(", ")
    )))
}

/// A certificate is checked against the name of a host, and a socket needs no TLS.
fn has_host_names(config: &Config) -> Result<(), UrlError> {
    if config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_))) {
        return Err(UrlError::Refused(
            "PostgreSQL offers no TLS on a socket, which needs none: remove sslmode, or name a host instead of the socket"
                .to_owned(),
        ));
    }
    if config.get_hosts().is_empty() {
        return Err(UrlError::Refused(
            "TLS needs the name of the host that the certificate is for: add host=NAME to hostaddr"
                .to_owned(),
        ));
    }
    Ok(())
}

fn file(key: &str, path: &str) -> Result<PathBuf, UrlError> {
    if path.starts_with('/') {
        return Ok(path.into());
    }
    Err(UrlError::Refused(format!("{key}={path:?} is not an absolute path: write {key}=/path/to/file")))
}

fn decode(text: &str) -> Result<String, UrlError> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| UrlError::Malformed)
}
