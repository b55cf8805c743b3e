//! `wardroom compare`: the proof before a switch. Sends the same requests to the old server and to the new one, and
//! reports every difference.

mod summary;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use super::progress::ComparisonLine;
use super::report::{CliError, Report};
use crate::directory::Error;
use crate::directory::transfer::import::ImportError;
use crate::switchover::django::{Django, Place, Wishes};
use crate::switchover::parity::address::{self, Base};
use crate::switchover::parity::client::{self, Server};
use crate::switchover::parity::keys::{self, Keys};
use crate::switchover::parity::run::{self, Comparison};

const EXAMPLES: &str = "\
Only GET, HEAD and OPTIONS are sent. Keys are read from a file, one a line, and never printed whole.

  wardroom compare --old https://www.example.com --new http://127.0.0.1:8000 --tokens keys.txt
  wardroom compare --old https://www.example.com --new http://127.0.0.1:8000 --tokens-from db.sqlite3 --sample 500
  wardroom compare --old http://127.0.0.1:9000 --new http://127.0.0.1:8000 --host www.example.com \\
      --tokens keys.txt --path /api/users/me --path '/api/users/me?format=json' --ignore last_login

Exit codes: 0 no difference that counts; 1 there is one, or the run ended early, or not one key was
accepted by both; 2 the command line or the keys are wrong; 5 a server does not answer.";

/// The arguments of `wardroom compare`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compare {
    /// The server of today: http:// or https://, a host, and a path if it answers below one.
    #[arg(long, value_name = "URL")]
    old: String,
    /// Wardroom, the same way.
    #[arg(long, value_name = "URL")]
    new: String,
    /// A file with keys, one a line; blank lines and lines that begin with # are skipped; - is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "tokens_from")]
    tokens: Option<PathBuf>,
    /// Draw keys from the Django database instead: postgres://user:password@host:port/name, or the path of a SQLite
    /// file. Only Django REST Framework keeps keys; knox does not.
    #[arg(long, value_name = "URL", env = "WARDROOM_IMPORT_FROM", hide_env_values = true)]
    tokens_from: Option<String>,
    /// How many keys to draw, evenly over all there are (1 to 100000).
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sample: u32,
    /// What to ask for, with a query if wanted; can be given several times.
    #[arg(long = "path", value_name = "PATH", value_parser = address::path, default_value = "/api/users/me")]
    paths: Vec<PathAndQuery>,
    /// Ask only with the keys: leave out the requests that should fail, HEAD and OPTIONS.
    #[arg(long)]
    only_tokens: bool,
    /// Leave this JSON field out of the comparison, wherever it stands; can be given several times. `user.email`
    /// means the email of a user only.
    #[arg(long, value_name = "FIELD", value_parser = field)]
    ignore: Vec<String>,
    /// Let every difference count, also the expected ones.
    #[arg(long)]
    strict: bool,
    /// The Host header for both servers, as clients will send it. Without this each gets its own.
    #[arg(long, value_name = "HOST", value_parser = address::host)]
    host: Option<Authority>,
    /// A PEM file with the certificate of an authority to trust beside the machine's own.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How many requests are under way at once, to each server (1 to 64).
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// How long to wait for a whole answer, such as 500ms or 10s.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = patience)]
    timeout: Duration,
    /// How many examples to show of each difference (0 to 100).
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=100))]
    examples: u8,
}

fn field(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.split('.').all(|name| !name.is_empty());
    if good {
        Ok(text.to_owned())
    } else {
        Err("use a field's name, such as last_login or user.email".to_owned())
    }
}

fn patience(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(1)..=Duration::from_hours(1);
    let span = humantime::parse_duration(text).ok().filter(|span| allowed.contains(span));
    span.ok_or_else(|| "use a duration from 1ms to 1h with its unit, such as 500ms, 10s or 1m".to_owned())
}

/// Compares, and tells what was found.
pub(super) async fn run(compare: Compare) -> Result<Report, CliError> {
    let (old, new) = compare.servers()?;
    let (keys, total) = match (&compare.tokens, &compare.tokens_from) {
        (Some(file), _) => keys::from_file(file)?,
        (None, Some(from)) => keys::drawn(drawn(from, compare.sample).await?)?,
        (None, None) => return Err(CliError::usage("say which keys: --tokens FILE or --tokens-from URL")),
    };
    compare.ask(old, new, keys, total).await
}

/// Keys of the Django database that an import reads.
async fn drawn(from: &str, sample: u32) -> Result<Vec<String>, CliError> {
    let told = |fault: ImportError| CliError::from(Error::from(fault));
    let (place, runtime) = (Place::parse(from).map_err(told)?, Handle::current());
    let read =
        spawn_blocking(move || Django::open(&place, &Wishes::default(), &runtime)?.sample_keys(sample));
    read.await.map_err(|error| CliError::inside(error.to_string()))?.map_err(told)
}

impl Compare {
    /// Asks both servers with these keys, of which there are `total` if that is known.
    async fn ask(self, old: Server, new: Server, keys: Keys, total: Option<u64>) -> Result<Report, CliError> {
        let bases = [old.base.clone(), new.base.clone()];
        let comparison = Comparison {
            old,
            new,
            paths: self.paths,
            only_tokens: self.only_tokens,
            ignored: self.ignore,
            strict: self.strict,
            examples: usize::from(self.examples),
            workers: usize::from(self.concurrency),
        };
        let line = ComparisonLine::default();
        let tally = run::compare(comparison, keys, total, &|progress| line.show(progress)).await;
        drop(line);
        Ok(summary::report(&tally?, &bases))
    }

    fn servers(&self) -> Result<(Server, Server), CliError> {
        let (old, new) = (base("--old", &self.old)?, base("--new", &self.new)?);
        let tls = if old.secure || new.secure {
            Some(client::tls(self.ca_file.as_deref())?)
        } else if self.ca_file.is_some() {
            return Err(CliError::usage("--ca-file is for https, and neither --old nor --new is"));
        } else {
            None
        };
        Ok((self.server(old, true, tls.clone())?, self.server(new, false, tls)?))
    }

    fn server(&self, base: Base, follows_slash: bool, tls: Option<TlsConnector>) -> Result<Server, CliError> {
        let host = self.host.as_ref().map_or(base.authority.as_str(), Authority::as_str);
        let host = HeaderValue::from_str(host)
            .map_err(|error| CliError::usage(format!("the host {host:?} cannot be sent: {error}")))?;
        Ok(Server { base, host, tls, patience: self.timeout, follows_slash })
    }
}

/// What was typed is not quoted: it may hold a password.
fn base(flag: &str, text: &str) -> Result<Base, CliError> {
    Base::parse(text).ok_or_else(|| {
        CliError::usage(format!(
            "{flag} is no address of a server: use http:// or https:// and a host, such as http://127.0.0.1:8000, \
             with a path if it answers below one, and without user, query or fragment"
        ))
    })
}
