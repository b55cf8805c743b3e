//! The database: whether it can be used, and how its server is set up.

use std::time::Duration;

use super::backups::restore_command;
use super::content;
use super::finding::{Finding, failed, fault, good, or_failed, span, warning};
use super::messages;
use crate::cli::context::{settings, where_looked_for};
use crate::config::Config;
use crate::directory::{Clock, Directory, Error, OpenError};

/// How far clocks may differ. Sign-ins and expiries go by the clocks of servers.
const CLOCKS_DIFFER: Duration = Duration::from_secs(2);

/// Opens the database and checks it.
pub(super) async fn check(config: &Config, clock: Clock, is_quick: bool) -> Vec<Finding> {
    let directory = match Directory::open(&settings(config), clock).await {
        Ok(directory) => directory,
        Err(error) => return vec![fault("database", unusable(config, &error))],
    };
    let mut findings = vec![
        directory
            .describe()
            .await
            .map_or_else(|error| failed("database", &error), |text| good("database", text)),
    ];
    let look_ups = directory.check_look_ups().await;
    findings.extend(look_ups.err().map(|error| failed("look_ups", &error)));
    if is_quick {
        return findings;
    }
    findings.extend(or_failed("rights", rights(&directory).await));
    findings.extend(or_failed("schema", schema(&directory).await));
    findings.extend(or_failed("durability", durability(&directory).await));
    findings.extend(or_failed("synchronous_commit", synchronous_commit(&directory).await));
    findings.extend(or_failed("clock", clocks(&directory).await));
    findings.extend(messages::check_outbox(&directory).await);
    findings.extend(content::check(config, &directory).await);
    findings
}

/// Says why the database cannot be opened, and the command that restores it if it is damaged.
fn unusable(config: &Config, error: &OpenError) -> String {
    match error {
        OpenError::Damaged { .. } => format!("{error}: {}", restore_command(config)),
        OpenError::Missing(_) => format!("{error}{}", where_looked_for(config)),
        error => error.to_string(),
    }
}

/// Names the rights that the role of a PostgreSQL URL lacks. Reading is not enough for a server.
async fn rights(directory: &Directory) -> Result<Option<Finding>, Error> {
    Ok(directory.missing_grants().await?.map(|missing| match missing.as_slice() {
        [] => good("rights", "the role of the URL may read and write Wardroom's tables"),
        missing => fault(
            "rights",
            format!(
                "the role of the URL may not do all that a server does; as the owner of the tables, run {}",
                missing.join("; ")
            ),
        ),
    }))
}

/// Warns if every role of a PostgreSQL database may create objects in the schema of our tables.
async fn schema(directory: &Directory) -> Result<Option<Finding>, Error> {
    let open = directory.schema_open_to_all().await?;
    Ok(open.map(|schema| {
        let text = format!(
            "every role may create functions and operators in the schema {schema}, which Wardroom's statements could call; run \
             REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"
        );
        warning("schema", text)
    }))
}

/// Warns if a power cut can destroy what the PostgreSQL server has confirmed.
async fn durability(directory: &Directory) -> Result<Option<Finding>, Error> {
    let Some(off) = directory.unsafe_settings().await? else { return Ok(None) };
    if off.is_empty() {
        return Ok(Some(good("durability", "a change that the server has confirmed survives a power cut")));
    }
    let settings: Vec<_> = off.iter().map(|name| format!("{name} = off")).collect();
    let text = format!(
        "the server runs with {}: a power cut can lose confirmed changes or damage the database; run {} and SELECT \
         pg_reload_conf()",
        settings.join(" and "),
        off.iter().map(|name| format!("ALTER SYSTEM SET {name} = on")).collect::<Vec<_>>().join("; ")
    );
    Ok(Some(warning("durability", text)))
}

/// Warns if changes of other programs can be lost, or confirmed changes in a failover.
async fn synchronous_commit(directory: &Directory) -> Result<Option<Finding>, Error> {
    let Some(commits) = directory.commit_settings().await? else { return Ok(None) };
    let text = match (commits.configured.as_str(), commits.standbys.as_str()) {
        ("off", _) => {
            "off for this server, database or role: Wardroom's own sessions set it to on, but SQL of your own can lose what it \
             committed in a power cut; run ALTER ROLE, ALTER DATABASE or ALTER SYSTEM ... SET synchronous_commit = on"
                .to_owned()
        }
        ("local", standbys) if !standbys.is_empty() => format!(
            "local although synchronous_standby_names is {standbys}: a failover can lose confirmed changes, such as \
             revocations; set synchronous_commit = on if it must not"
        ),
        _ => return Ok(None),
    };
    Ok(Some(warning("synchronous_commit", text)))
}

/// Compares the clock of this machine with that of the PostgreSQL server, and with the newest event of the audit trail.
async fn clocks(directory: &Directory) -> Result<Option<Finding>, Error> {
    const REMEDY: &str = "set the clock of the machine that is wrong, and let a time service (chrony, systemd-timesyncd) keep it: \
         sign-ins, expiries and the audit trail go by it";
    if let Some(skew) = directory.clock_skew().await?.filter(|skew| skew.apart > CLOCKS_DIFFER) {
        let side = if skew.is_database_ahead { "behind" } else { "ahead of" };
        let text = format!("this machine's clock is {} {side} the database's: {REMEDY}", span(skew.apart));
        return Ok(Some(warning("clock", text)));
    }
    let ahead = directory.newest_event_ahead().await?;
    if ahead > CLOCKS_DIFFER {
        let text = format!(
            "the newest audit event is {} in the future: a clock was set back, or another server's is ahead; {REMEDY}",
            span(ahead)
        );
        return Ok(Some(warning("clock", text)));
    }
    Ok(Some(good("clock", "this machine's clock agrees with the database")))
}
