//! `wardroom doctor`: checks the settings and the database, and says how to fix each problem.

use serde_json::json;

use super::context::{operator, settings};
use super::report::{CliError, Report};
use crate::config::{AccessLog, Config, TrustedProxies};
use crate::directory::authentication::ClientsSeen;
use crate::directory::query::{UserFilters, UserQuery};
use crate::directory::{Clock, Directory, IntegrityReport};
use crate::server::Certificates;

/// The result of one check.
struct Finding {
    check: &'static str,
    severity: Severity,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Ok,
    /// It works, but the operator should know.
    Warning,
    Fault,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// Runs every check. The exit code of the report is 1 when a check found a fault.
pub(super) async fn run(config: Config) -> Result<Report, CliError> {
    let mut findings = vec![public_address(&config)];
    findings.extend(tls(&config));
    findings.extend(stale(&config));
    findings.extend(database_tls(&config));
    match Directory::open(&settings(&config), Clock::system()?).await {
        Err(error) => findings.push(fault("database", error.to_string())),
        Ok(directory) => {
            findings.push(good("database", directory.describe().await?));
            findings.extend(rights(&directory).await?);
            findings.extend(schema(&directory).await?);
            findings.extend(durability(&directory).await?);
            findings.push(integrity(&directory).await?);
            findings.push(admins(&directory).await);
            findings.push(clients(&config.trusted_proxies, &directory.clients_seen().await?));
        }
    }
    let rows: Vec<_> = findings.iter().map(Finding::row).collect();
    let json = findings.iter().map(Finding::json).collect();
    let mut report = Report::table(["check", "verdict", "finding"], &rows, json);
    report.code = findings.iter().any(|finding| finding.severity == Severity::Fault).into();
    Ok(report)
}

fn public_address(config: &Config) -> Finding {
    match &config.public_url {
        Some(url) => good("public_url", format!("absolute URLs begin with {}", url.as_str())),
        None => {
            let text = "not set: absolute URLs use the scheme and the Host header of each request";
            Finding { check: "public_url", severity: Severity::Warning, text: text.to_owned() }
        }
    }
}

async fn integrity(directory: &Directory) -> Result<Finding, CliError> {
    let IntegrityReport { damage, miscounted, strangers, times, recount } =
        directory.check_integrity().await?;
    let (faults, remedy) = if !damage.is_empty() {
        (damage, "stop the server, keep a copy of the database, and restore a backup".to_owned())
    } else if !strangers.is_empty() {
        (strangers, "find out where it came from, and drop it with sqlite3".to_owned())
    } else if !miscounted.is_empty() {
        (miscounted, format!("servers may keep running; repair it with: {recount}"))
    } else if let Some((_, repair)) = times.first() {
        let remedy = format!("repair the first with the SQL: {repair}");
        (times.into_iter().map(|(message, _)| message).collect(), remedy)
    } else {
        return Ok(good("integrity", "no damage found".to_owned()));
    };
    let first = faults.first().map(String::as_str).unwrap_or_default();
    Ok(fault("integrity", format!("{} faults, the first: {first}; {remedy}", faults.len())))
}

/// Warns if one setting defeats another.
fn stale(config: &Config) -> Option<Finding> {
    let text = "with access_log = all, every request takes the full path, on which serve_stale_for has no effect: log requests at the proxy instead";
    let is_lost = config.access_log == AccessLog::All && !config.serve_stale_for.is_zero();
    is_lost.then(|| Finding { check: "serve_stale_for", severity: Severity::Warning, text: text.to_owned() })
}

/// Warns if the connection to PostgreSQL is not encrypted.
fn database_tls(config: &Config) -> Option<Finding> {
    let host = settings(config).location.clear_text_host()?;
    let text = format!(
        "sslmode=disable: password hashes and token digests travel to {host} in clear text, and an attacker on the network \
         can change them; use sslmode=require"
    );
    Some(Finding { check: "database_tls", severity: Severity::Warning, text })
}

/// Names the rights that the role of a PostgreSQL URL lacks. Reading is not enough for a server.
async fn rights(directory: &Directory) -> Result<Option<Finding>, CliError> {
    Ok(directory.missing_grants().await?.map(|missing| match missing.as_slice() {
        [] => good("rights", "the role of the URL may read and write Wardroom's tables".to_owned()),
        missing => fault(
            "rights",
            format!(
                "the role of the URL may not do all that a server does; as the owner of the tables, run {}",
                missing.join("; ")
            ),
        ),
    }))
}

/// Warns if a power cut can destroy what the PostgreSQL server has confirmed.
async fn durability(directory: &Directory) -> Result<Option<Finding>, CliError> {
    let Some(off) = directory.unsafe_settings().await? else { return Ok(None) };
    if off.is_empty() {
        let text = "a change that the server has confirmed survives a power cut";
        return Ok(Some(good("durability", text.to_owned())));
    }
    let settings: Vec<_> = off.iter().map(|name| format!("{name} = off")).collect();
    let text = format!(
        "the server runs with {}: a power cut can lose confirmed changes or damage the database; run {} and SELECT \
         pg_reload_conf()",
        settings.join(" and "),
        off.iter().map(|name| format!("ALTER SYSTEM SET {name} = on")).collect::<Vec<_>>().join("; ")
    );
    Ok(Some(Finding { check: "durability", severity: Severity::Warning, text }))
}

/// Warns if every role of a PostgreSQL database may create objects in the schema of our tables.
async fn schema(directory: &Directory) -> Result<Option<Finding>, CliError> {
    let open = directory.schema_open_to_all().await?;
    Ok(open.map(|schema| {
        let text = format!(
            "every role may create functions and operators in the schema {schema}, which Wardroom's statements could call; run \
             REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"
        );
        Finding { check: "schema", severity: Severity::Warning, text }
    }))
}

/// Checks the certificate if the server terminates TLS itself.
fn tls(config: &Config) -> Option<Finding> {
    let (certificate, key) = (config.tls_certificate.as_ref()?, config.tls_key.as_ref()?);
    Some(match Certificates::read(certificate, key) {
        Ok(_) => good("tls", format!("{} matches its key", certificate.display())),
        Err(error) => fault("tls", error.to_string()),
    })
}

async fn admins(directory: &Directory) -> Finding {
    let filters = UserFilters { is_admin: Some(true), is_active: Some(true), ..UserFilters::default() };
    match directory.list_users(&operator(), &UserQuery::by_id(filters, None, 1)).await {
        // A damaged row must not hide what the other checks found.
        Err(error) => fault("admin", error.to_string()),
        Ok(admins) => match admins.rows.first() {
            Some(admin) => good("admin", format!("{} is an active admin", admin.username)),
            None => fault(
                "admin",
                "there is no active admin: create one with `wardroom user add NAME --admin`".to_owned(),
            ),
        },
    }
}

/// Up to this many users can plausibly share one network.
const FEW_USERS: u64 = 2;

/// Warns if all users seem to be behind one proxy. Limits apply per client address, so they would share one limit.
fn clients(proxies: &TrustedProxies, seen: &ClientsSeen) -> Finding {
    let ClientsSeen { people, networks } = seen;
    let text = match networks.as_slice() {
        [only] if *people > FEW_USERS && proxies.trusts(*only) => format!(
            "all {people} users of the last 30 days came from {only}, which is in trusted_proxies: make that proxy send \
             X-Forwarded-For, or all of them count as one client, with one limit"
        ),
        [only] if *people > FEW_USERS => format!(
            "all {people} users of the last 30 days came from {only}: if that is a proxy, add it to trusted_proxies, or all \
             of them count as one client, with one limit"
        ),
        [] => return good("clients", "no user signed in or used a token in the last 30 days".to_owned()),
        [_] => return good("clients", "the users of the last 30 days came from one network".to_owned()),
        _ => return good("clients", "the users of the last 30 days came from several networks".to_owned()),
    };
    Finding { check: "clients", severity: Severity::Warning, text }
}

fn good(check: &'static str, text: String) -> Finding {
    Finding { check, severity: Severity::Ok, text }
}

fn fault(check: &'static str, text: String) -> Finding {
    Finding { check, severity: Severity::Fault, text }
}

impl Finding {
    fn row(&self) -> [String; 3] {
        [self.check.to_owned(), self.severity.word().to_owned(), self.text.clone()]
    }

    fn json(&self) -> serde_json::Value {
        json!({ "check": self.check, "verdict": self.severity.word(), "text": self.text })
    }
}
