//! `wardroom compare`: the check before a team switches from Django. It sends the same requests to the old server and to
//! Wardroom, and reports every difference.

mod summary;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use super::lists::within;
use super::progress::ComparisonLine;
use super::report::{CliError, Report};
use crate::config::IMPORT_FROM_ENV;
use crate::switchover::django::{Django, DjangoLocation, MappingOptions};
use crate::switchover::parity::address::{self, ServerUrl};
use crate::switchover::parity::client::{self, RemoteServer};
use crate::switchover::parity::keys::{self, Keys};
use crate::switchover::parity::run::{self, ComparisonOrder};

const EXAMPLES: &str = "\
Only GET, HEAD and OPTIONS requests are sent. Keys are never printed in full.

Examples:
  wardroom compare --old https://www.example.com --new http://127.0.0.1:8000 \\
      --tokens keys.txt
  wardroom compare --old https://www.example.com --new http://127.0.0.1:8000 \\
      --tokens-from db.sqlite3 --sample 500
  wardroom compare --old http://127.0.0.1:9000 --new http://127.0.0.1:8000 \\
      --host www.example.com --tokens keys.txt --ignore last_login \\
      --path /api/users/me --path '/api/users/me?format=json'
  wardroom compare --old https://www.example.com --new http://127.0.0.1:8000 \\
      --tokens keys.txt --origin https://app.example.com

Exit codes:
  0  No difference that counts
  1  A difference that counts, the run ended early, or no key was accepted by both
  2  The command line or the keys are invalid
  5  A server does not respond";

/// The arguments of `wardroom compare`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compare {
    /// The old server: http:// or https://, a host, and the path prefix if it has one.
    #[arg(long, value_name = "URL")]
    old: String,
    /// The new server, Wardroom, in the same form.
    #[arg(long, value_name = "URL")]
    new: String,
    /// A file with one key per line, or - for standard input. Blank lines and lines that begin with # are skipped.
    #[arg(long, value_name = "FILE", required_unless_present = "tokens_from")]
    tokens: Option<PathBuf>,
    /// Take keys from the Django database: postgres://user:password@host:port/name, or the path of a SQLite file. This works
    /// with tokens of Django REST Framework only; knox stores no keys.
    #[arg(long, value_name = "URL", env = IMPORT_FROM_ENV, hide_env_values = true)]
    tokens_from: Option<String>,
    /// The mapping file of `wardroom import django`, if the tokens are not in authtoken_token.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// How many keys to take, spread evenly over all keys (1 to 100000).
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = within(1u32..=100_000))]
    sample: u32,
    /// The path to request, optionally with a query. Can be repeated.
    #[arg(long = "path", value_name = "PATH", value_parser = address::path, default_value = "/api/users/me")]
    paths: Vec<PathAndQuery>,
    /// The origin of a page, such as https://app.example.com. Also compare what a browser would let this page do (CORS).
    /// Can be repeated.
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = address::origin)]
    origins: Vec<HeaderValue>,
    /// Send only GET requests with valid keys; leave out HEAD, OPTIONS and the requests that should fail.
    #[arg(long)]
    only_tokens: bool,
    /// Ignore this JSON field at any depth. Can be repeated. user.email ignores the email only inside a user.
    #[arg(long, value_name = "FIELD", value_parser = field)]
    ignore: Vec<String>,
    /// Count expected differences as well.
    #[arg(long)]
    strict: bool,
    /// The Host header for both servers, as clients will send it. By default each server gets its own host.
    #[arg(long, value_name = "HOST", value_parser = address::host)]
    host: Option<Authority>,
    /// A PEM file with a CA certificate to trust in addition to the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How many requests to send to each server at once (1 to 64).
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = within(1u16..=64))]
    concurrency: u16,
    /// How long to wait for a complete response, such as 500ms or 10s.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
    /// How many examples of each difference to show (0 to 100).
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = within(0u8..=100))]
    examples: u8,
}

fn field(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.split('.').all(|name| !name.is_empty());
    if good {
        Ok(text.to_owned())
    } else {
        Err("use the name of a field, such as last_login or user.email".to_owned())
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(1)..=Duration::from_hours(1);
    let span = humantime::parse_duration(text).ok().filter(|span| allowed.contains(span));
    span.ok_or_else(|| "use a duration from 1ms to 1h with its unit, such as 500ms, 10s or 1m".to_owned())
}

/// Compares the two servers and reports the differences.
pub(super) async fn run(compare: Compare) -> Result<Report, CliError> {
    let (old, new) = compare.servers()?;
    let (keys, total) = match (&compare.tokens, &compare.tokens_from) {
        (Some(file), _) => keys::from_file(file)?,
        (None, Some(from)) => keys::sampled(compare.sample_keys(from).await?)?,
        (None, None) => return Err(CliError::usage("give the keys with --tokens FILE or --tokens-from URL")),
    };
    compare.send(old, new, keys, total).await
}

impl Compare {
    /// Reads a sample of keys from the Django database that an import reads.
    async fn sample_keys(&self, from: &str) -> Result<Vec<String>, CliError> {
        let mapping = self.mapping.as_deref().map(MappingOptions::read).transpose()?.unwrap_or_default();
        let (location, runtime, sample) = (DjangoLocation::parse(from)?, Handle::current(), self.sample);
        let read = spawn_blocking(move || Django::open(&location, &mapping, &runtime)?.sample_keys(sample));
        Ok(read.await.map_err(|error| CliError::internal(error.to_string()))??)
    }

    /// Sends the requests to both servers. `total` is the number of keys, if it is known.
    async fn send(
        self,
        old: RemoteServer,
        new: RemoteServer,
        keys: Keys,
        total: Option<u64>,
    ) -> Result<Report, CliError> {
        let bases = [old.base.clone(), new.base.clone()];
        let order = ComparisonOrder {
            old,
            new,
            paths: self.paths,
            origins: self.origins,
            only_tokens: self.only_tokens,
            ignored: self.ignore,
            strict: self.strict,
            examples: usize::from(self.examples),
            workers: usize::from(self.concurrency),
        };
        let line = ComparisonLine::default();
        let tally = run::compare(order, keys, total, &|progress| line.show(progress)).await;
        drop(line);
        Ok(summary::report(&tally?, &bases))
    }

    fn servers(&self) -> Result<(RemoteServer, RemoteServer), CliError> {
        let (old, new) = (base("--old", &self.old)?, base("--new", &self.new)?);
        let tls = if old.secure || new.secure {
            Some(client::tls(self.ca_file.as_deref())?)
        } else if self.ca_file.is_some() {
            return Err(CliError::usage("--ca-file requires an https:// URL for --old or --new"));
        } else {
            None
        };
        Ok((self.server(old, true, tls.clone())?, self.server(new, false, tls)?))
    }

    fn server(
        &self,
        base: ServerUrl,
        follows_slash: bool,
        tls: Option<TlsConnector>,
    ) -> Result<RemoteServer, CliError> {
        let host = self.host.as_ref().map_or(base.authority.as_str(), Authority::as_str);
        let host = HeaderValue::from_str(host)
            .map_err(|error| CliError::usage(format!("cannot send {host:?} as a Host header: {error}")))?;
        Ok(RemoteServer { base, host, tls, timeout: self.timeout, follows_slash })
    }
}

/// Parses a base URL. The error does not quote it, because it may hold a password.
fn base(flag: &str, text: &str) -> Result<ServerUrl, CliError> {
    ServerUrl::parse(text).ok_or_else(|| {
        CliError::usage(format!(
            "{flag} is not the base URL of a server: use http:// or https:// and a host, such as http://127.0.0.1:8000, \
             and the path prefix if it has one, without user, query or fragment"
        ))
    })
}
