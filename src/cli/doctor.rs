//! `wardroom doctor`: looks at everything an operator would look at, and says what to do.

use serde_json::json;

use super::context::{operator, settings};
use super::report::{CliError, Report};
use crate::config::{AccessLog, Config, TrustedProxies};
use crate::directory::authentication::ClientsSeen;
use crate::directory::query::{UserFilters, UserQuery};
use crate::directory::{Clock, Directory, IntegrityReport};
use crate::server::tls_config;

/// How a check came out.
struct Finding {
    check: &'static str,
    verdict: Verdict,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but an operator should know.
    Warning,
    ImportError,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::ImportError => "fault",
        }
    }
}

/// Runs every check. The report's exit code is 1 when one found a fault.
pub(super) async fn run(config: Config) -> Result<Report, CliError> {
    let mut findings = vec![public_address(&config)];
    findings.extend(tls(&config));
    findings.extend(stale(&config));
    findings.extend(database_tls(&config));
    match Directory::open(&settings(&config), Clock::system()?).await {
        Err(error) => findings.push(fault("database", error.to_string())),
        Ok(directory) => {
            findings.push(good("database", directory.describe().await?));
            findings.extend(schema(&directory).await?);
            findings.push(integrity(&directory).await?);
            findings.push(admins(&directory).await?);
            findings.push(clients(&config.trusted_proxies, &directory.clients_seen().await?));
        }
    }
    let rows: Vec<_> = findings.iter().map(Finding::row).collect();
    let json = findings.iter().map(Finding::json).collect();
    let mut report = Report::table(["check", "verdict", "what was found"], &rows, json);
    report.code = findings.iter().any(|finding| finding.verdict == Verdict::ImportError).into();
    Ok(report)
}

fn public_address(config: &Config) -> Finding {
    match &config.public_url {
        Some(url) => good("public_url", format!("absolute URLs begin with {}", url.as_str())),
        None => {
            let text = "not set: absolute URLs take the scheme and Host of each request";
            Finding { check: "public_url", verdict: Verdict::Warning, text: text.to_owned() }
        }
    }
}

async fn integrity(directory: &Directory) -> Result<Finding, CliError> {
    let IntegrityReport { damage, miscounted, strangers, recount } = directory.faults().await?;
    let (faults, remedy) = if !damage.is_empty() {
        (damage, "stop the server, keep a copy, restore a backup".to_owned())
    } else if !strangers.is_empty() {
        (strangers, "find out who made it, and drop it with sqlite3".to_owned())
    } else if !miscounted.is_empty() {
        (miscounted, format!("servers may run; put it right with: {recount}"))
    } else {
        return Ok(good("integrity", "nothing is damaged".to_owned()));
    };
    let first = faults.first().map(String::as_str).unwrap_or_default();
    Ok(fault("integrity", format!("{} faults, the first: {first}; {remedy}", faults.len())))
}

/// Only where one setting takes away what another is for.
fn stale(config: &Config) -> Option<Finding> {
    let text = "access_log = all has every request answered the longer way, where serve_stale_for does nothing: log at the proxy";
    let is_lost = config.access_log == AccessLog::All && !config.serve_stale_for.is_zero();
    is_lost.then(|| Finding { check: "serve_stale_for", verdict: Verdict::Warning, text: text.to_owned() })
}

/// Only where the way to PostgreSQL is not protected.
fn database_tls(config: &Config) -> Option<Finding> {
    let host = settings(config).location.clear_text_host()?;
    let text = format!(
        "sslmode=disable: password hashes and digests of tokens travel to {host} in clear text, and anybody on the way can \
         change them; use sslmode=require"
    );
    Some(Finding { check: "database_tls", verdict: Verdict::Warning, text })
}

/// Only where every role of a PostgreSQL database may make objects beside our tables.
async fn schema(directory: &Directory) -> Result<Option<Finding>, CliError> {
    let open = directory.schema_open_to_all().await?;
    Ok(open.map(|schema| {
        let text = format!(
            "every role may make functions and operators in the schema {schema}, which our statements could call; run \
             REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"
        );
        Finding { check: "schema", verdict: Verdict::Warning, text }
    }))
}

/// Only where the server speaks TLS itself.
fn tls(config: &Config) -> Option<Finding> {
    let (certificate, key) = (config.tls_certificate.as_ref()?, config.tls_key.as_ref()?);
    Some(match tls_config(certificate, key) {
        Ok(_) => good("tls", format!("{} and its key belong together", certificate.display())),
        Err(error) => fault("tls", error.to_string()),
    })
}

async fn admins(directory: &Directory) -> Result<Finding, CliError> {
    let filters = UserFilters { is_admin: Some(true), is_active: Some(true), ..UserFilters::default() };
    let admins = directory.list_users(&operator(), &UserQuery::by_id(filters, None, 1)).await?.rows;
    Ok(match admins.first() {
        Some(admin) => good("admin", format!("{} is an active admin", admin.username)),
        None => fault(
            "admin",
            "nobody is an active admin: make one with `wardroom user add NAME --admin`".to_owned(),
        ),
    })
}

/// So few people may well come from one network.
const FEW: u64 = 2;

/// Limits concern a client by its address: behind a proxy that is not known, everybody is one client.
fn clients(proxies: &TrustedProxies, seen: &ClientsSeen) -> Finding {
    let ClientsSeen { people, networks } = seen;
    let text = match networks.as_slice() {
        [only] if *people > FEW && proxies.trusts(*only) => format!(
            "all {people} people of the last 30 days came from {only}, which is in trusted_proxies: let that proxy \
             send X-Forwarded-For, or all of them are one client, with one limit"
        ),
        [only] if *people > FEW => format!(
            "all {people} people of the last 30 days came from {only}: if that is a proxy, name it in \
             trusted_proxies, or all of them are one client, with one limit"
        ),
        [] => return good("clients", "nobody signed in or used a token in the last 30 days".to_owned()),
        [_] => return good("clients", "the people of the last 30 days came from one network".to_owned()),
        _ => return good("clients", "the people of the last 30 days came from several networks".to_owned()),
    };
    Finding { check: "clients", verdict: Verdict::Warning, text }
}

fn good(check: &'static str, text: String) -> Finding {
    Finding { check, verdict: Verdict::Good, text }
}

fn fault(check: &'static str, text: String) -> Finding {
    Finding { check, verdict: Verdict::ImportError, text }
}

impl Finding {
    fn row(&self) -> [String; 3] {
        [self.check.to_owned(), self.verdict.word().to_owned(), self.text.clone()]
    }

    fn json(&self) -> serde_json::Value {
        json!({ "check": self.check, "verdict": self.verdict.word(), "text": self.text })
    }
}
