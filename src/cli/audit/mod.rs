//! `wardroom audit`: lists, exports and verifies the audit trail.

mod list;

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;

use self::list::ListEvents;
use super::accounts::{Accounts, RemoteFlags, TrailVerdict};
use super::days::{from, until};
use super::lists::number;
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::model::{AuditFilter, Timestamp};

/// The commands of `wardroom audit`.
#[derive(Subcommand)]
pub(super) enum AuditVerb {
    /// List events, newest first.
    List(ListEvents),
    /// List the actions that are recorded, for `audit list --action`.
    Actions,
    /// Write events to standard output, oldest first, one JSON object per line. Each event can be verified by itself.
    Export(ExportEvents),
    /// Check the whole chain of events for changed, removed, added or moved events.
    Verify(VerifyTrail),
}

#[derive(Args)]
pub(super) struct ExportEvents {
    /// Only events with a higher id. To continue an export, give its last id.
    #[arg(long, value_name = "ID", default_value_t = 0, value_parser = number)]
    after: i64,
    /// Only events on this day (UTC) or later, or at this time (RFC 3339) or later.
    #[arg(long, value_name = "TIME", value_parser = from)]
    from: Option<Timestamp>,
    /// Only events on this day or earlier, or before this time (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = until)]
    to: Option<Timestamp>,
}

#[derive(Args)]
pub(super) struct VerifyTrail {
    /// The head that an earlier verification printed. If it is no longer in the chain, events were cut off.
    #[arg(long, value_name = "HEX", value_parser = head)]
    expect_head: Option<String>,
}

fn head(text: &str) -> Result<String, &'static str> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_ascii_lowercase()) } else { Err("a head has 64 hexadecimal digits") }
}

pub(super) async fn run(verb: AuditVerb, config: &Config, remote: &RemoteFlags) -> Result<Report, CliError> {
    if let AuditVerb::Actions = verb {
        return Ok(list::actions());
    }
    let accounts = Accounts::open(config, remote).await?;
    match verb {
        AuditVerb::Actions => Ok(list::actions()),
        AuditVerb::List(args) => list::list(&accounts, args).await,
        AuditVerb::Export(ExportEvents { after, from, to }) => {
            let filter = AuditFilter { from, to, ..AuditFilter::default() };
            let mut out = std::io::stdout().lock();
            accounts.export_events(&filter, after, &mut out).await?;
            out.flush().map_err(|error| CliError::internal(format!("cannot write the export: {error}")))?;
            Ok(Report::silent())
        }
        AuditVerb::Verify(VerifyTrail { expect_head }) => {
            Ok(verdict(&accounts.verify_events(expect_head.as_deref()).await?))
        }
    }
}

fn verdict(found: &TrailVerdict) -> Report {
    let TrailVerdict { good, head, broken_event, why } = found;
    let text = match (broken_event, why) {
        (Some(id), Some(why)) => format!("Broken after {good} valid events: event {id}: {why}.\n"),
        (_, Some(why)) => format!("Broken: {why}.\n"),
        (_, None) => {
            format!("All {good} events are valid. Store this head outside the database:\n{head}\n")
        }
    };
    let json = json!({ "good": good, "head": head, "broken_event": broken_event, "why": why });
    let mut report = Report::new(text, json);
    report.code = why.is_some().into();
    report
}
