//! `wardroom audit`: lists, exports and verifies the audit trail.

mod list;

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;

use self::list::ListEvents;
use super::accounts::{Accounts, RemoteFlags};
use super::context::{open, operator};
use super::days::{from, until};
use super::lists::number;
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::Directory;
use crate::directory::audit::{EXPORT_PAGE, Verification};
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
    match verb {
        AuditVerb::Actions => Ok(list::actions()),
        AuditVerb::List(args) => list::list(&Accounts::open(config, remote).await?, args).await,
        AuditVerb::Export(_) | AuditVerb::Verify(_) if remote.are_given() => {
            Err(CliError::usage("this command is not possible with --remote: run it on the server's machine"))
        }
        AuditVerb::Export(ExportEvents { after, from, to }) => {
            let filter = AuditFilter { from, to, ..AuditFilter::default() };
            export(&open(config).await?, &filter, after).await?;
            Ok(Report::silent())
        }
        AuditVerb::Verify(VerifyTrail { expect_head }) => {
            let directory = open(config).await?;
            Ok(verdict(&directory.verify_audit(&operator(), expect_head.as_deref()).await?))
        }
    }
}

/// Writes the events page by page, because the trail may not fit in memory.
async fn export(directory: &Directory, filter: &AuditFilter, mut after: i64) -> Result<(), CliError> {
    let unwritable = |error: std::io::Error| CliError::internal(format!("cannot write the export: {error}"));
    let mut out = std::io::stdout().lock();
    loop {
        let page = directory.export_audit(&operator(), filter, after).await?;
        for (id, line) in &page {
            out.write_all(line.as_bytes()).map_err(unwritable)?;
            after = *id;
        }
        if page.len() < EXPORT_PAGE {
            return out.flush().map_err(unwritable);
        }
    }
}

fn verdict(found: &Verification) -> Report {
    let Verification { good, head, broken, expected_seen } = found;
    let (text, why) = match (broken, expected_seen) {
        (Some((id, why)), _) => {
            (format!("Broken after {good} valid events: event {id}: {why}.\n"), Some(*why))
        }
        (None, Some(false)) => {
            let why = "the expected head is not in the chain: events were cut off or rewritten";
            (format!("Broken: {why}.\n"), Some(why))
        }
        (None, _) => {
            (format!("All {good} events are valid. Store this head outside the database:\n{head}\n"), None)
        }
    };
    let event = broken.map(|(id, _)| id);
    let mut report =
        Report::new(text, json!({ "good": good, "head": head, "broken_event": event, "why": why }));
    report.code = why.is_some().into();
    report
}
