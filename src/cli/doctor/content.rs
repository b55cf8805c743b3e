//! The content of the database: damage, rows that cannot be read, administrators, clients.

use super::backups::restore_command;
use super::finding::{Finding, failed, fault, good, or_failed, warning};
use super::media;
use crate::cli::context::operator;
use crate::config::{Config, TrustedProxies};
use crate::directory::authentication::ClientsSeen;
use crate::directory::query::{UserFilters, UserQuery};
use crate::directory::{Directory, Error, IntegrityReport};

/// Checks everything that is stored. It may take minutes.
pub(super) async fn check(config: &Config, directory: &Directory) -> Vec<Finding> {
    let mut findings = vec![match directory.check_integrity().await {
        Ok(report) => integrity(config, report),
        Err(error) => failed("integrity", &error),
    }];
    findings.extend(or_failed("rows", rows(directory).await));
    findings.push(admins(directory).await);
    findings.push(tokens(directory).await);
    let seen = directory.clients_seen().await;
    findings.push(
        seen.map_or_else(|error| failed("clients", &error), |seen| clients(&config.trusted_proxies, &seen)),
    );
    match directory.avatars().await {
        Ok(avatars) => findings.extend(media::check(config, &avatars).await),
        Err(error) => findings.push(failed("media", &error)),
    }
    findings
}

fn integrity(config: &Config, report: IntegrityReport) -> Finding {
    let IntegrityReport { damage, miscounted, strangers, times, recount } = report;
    let (faults, remedy) = if !damage.is_empty() {
        let command = restore_command(config);
        (damage, format!("stop the server, keep a copy of the database, and restore a backup: {command}"))
    } else if !strangers.is_empty() {
        (strangers, "find out where it came from, and drop it with sqlite3".to_owned())
    } else if !miscounted.is_empty() {
        (miscounted, format!("servers may keep running; repair it with: {recount}"))
    } else if let Some((_, repair)) = times.first() {
        let remedy = format!("repair the first with the SQL: {repair}");
        (times.into_iter().map(|(message, _)| message).collect(), remedy)
    } else {
        return good("integrity", "no damage found");
    };
    let first = faults.first().map(String::as_str).unwrap_or_default();
    fault("integrity", format!("{} faults, the first: {first}; {remedy}", faults.len()))
}

/// Reads every row as a server would.
async fn rows(directory: &Directory) -> Result<Option<Finding>, Error> {
    let unreadable = directory.unreadable_rows().await?;
    Ok(Some(match unreadable.first() {
        None => good("rows", "every user, group, token and deleted user can be read"),
        Some(first) => fault(
            "rows",
            format!(
                "{} rows cannot be read, the first: {first}; someone wrote them with SQL: correct the column with SQL, or \
                 restore a backup",
                unreadable.len()
            ),
        ),
    }))
}

async fn admins(directory: &Directory) -> Finding {
    let filters = UserFilters { is_admin: Some(true), is_active: Some(true), ..UserFilters::default() };
    match directory.list_users(&operator(), &UserQuery::by_id(filters, None, 1)).await {
        Err(error) => failed("admin", &error),
        Ok(admins) => match admins.rows.first() {
            Some(admin) => good("admin", format!("{} is an active admin", admin.username)),
            None => {
                fault("admin", "there is no active admin: create one with `wardroom user add NAME --admin`")
            }
        },
    }
}

/// So many tokens are counted; after that it is "at least".
const MOST_TOKENS: i64 = 1000;

/// Warns of keys with which a thief could do everything, from anywhere, without an end.
async fn tokens(directory: &Directory) -> Finding {
    let ids = match directory.unlimited_admin_tokens(MOST_TOKENS).await {
        Ok(ids) => ids,
        Err(error) => return failed("tokens", &error),
    };
    let Some(first) = ids.first() else {
        return good("tokens", "every token of an admin expires, or is narrowed");
    };
    let at_least = if i64::try_from(ids.len()) == Ok(MOST_TOKENS) { "at least " } else { "" };
    let which = match ids.len() {
        1 => format!("token {first} of an admin does not expire, and may do everything from anywhere"),
        count => format!(
            "{at_least}{count} tokens of admins do not expire, and may do everything from anywhere; the first is {first}"
        ),
    };
    warning(
        "tokens",
        format!(
            "{which}: revoke it, or limit it to what it is for: `wardroom token edit {first}` with --expires-in, --scope, \
             --read-only or --network"
        ),
    )
}

/// Up to this many users can plausibly share one network.
const FEW_USERS: u64 = 2;

/// Warns if all users seem to be behind one proxy. Limits apply per client address, so they would share one limit.
fn clients(proxies: &TrustedProxies, seen: &ClientsSeen) -> Finding {
    let ClientsSeen { people, networks } = seen;
    let text = match networks.as_slice() {
        [only] if *people > FEW_USERS && proxies.trusts(Some(*only)) => format!(
            "all {people} users of the last 30 days came from {only}, which is in trusted_proxies: make that proxy send \
             X-Forwarded-For, or all of them count as one client, with one limit"
        ),
        [only] if *people > FEW_USERS => format!(
            "all {people} users of the last 30 days came from {only}: if that is a proxy, add it to trusted_proxies, or all \
             of them count as one client, with one limit"
        ),
        [] => {
            return good(
                "clients",
                "no sign-in and no use of a token is stored from the last 30 days; uses are stored once a minute",
            );
        }
        [_] => return good("clients", "the users of the last 30 days came from one network"),
        _ => return good("clients", "the users of the last 30 days came from several networks"),
    };
    warning("clients", text)
}
