//! `wardroom audit`: lists, exports and verifies the audit trail.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::{open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::Directory;
use crate::directory::audit::{EXPORT_PAGE, Verification};
use crate::directory::model::Timestamp;
use crate::directory::model::{AuditFilter, OBJECT_KINDS, RecordedEvent};

/// The commands of `wardroom audit`.
#[derive(Subcommand)]
pub(super) enum AuditVerb {
    /// List events, newest first.
    List(ListEvents),
    /// Write events to standard output, oldest first, one JSON object per line. Each event can be verified by itself.
    Export(ExportEvents),
    /// Check the whole chain of events for changed, removed, added or moved events.
    Verify(VerifyTrail),
}

#[derive(Args)]
pub(super) struct ListEvents {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only events with a lower id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// Only events with this action, such as user.update.
    #[arg(long)]
    action: Option<String>,
    /// Only actions of the user with this id.
    #[arg(long, value_name = "ID")]
    actor: Option<i64>,
    /// Only actions on objects of this kind.
    #[arg(long, value_name = "KIND", value_parser = OBJECT_KINDS)]
    object_kind: Option<String>,
    /// Only actions on the object with this id.
    #[arg(long, value_name = "ID")]
    object: Option<i64>,
    /// Only requests from this client address.
    #[arg(long)]
    address: Option<String>,
    /// Only events at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only events before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

#[derive(Args)]
pub(super) struct ExportEvents {
    /// Only events with a higher id. To continue an export, give its last id.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
    /// Only events at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only events before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
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

pub(super) async fn run(verb: AuditVerb, config: &Config) -> Result<Report, CliError> {
    let directory = open(config).await?;
    match verb {
        AuditVerb::List(list) => {
            let limit = list.limit;
            let events = directory.audit_events(&operator(), &list.filter(), limit).await?;
            let rows: Vec<_> = events.iter().map(row).collect();
            let heads = ["id", "at", "actor", "action", "object", "changes"];
            Ok(Report::table(heads, &rows, events.iter().map(RecordedEvent::to_json).collect()))
        }
        AuditVerb::Export(ExportEvents { after, from, to }) => {
            let filter = AuditFilter { from, to, ..AuditFilter::default() };
            export(&directory, &filter, after).await?;
            Ok(Report::silent())
        }
        AuditVerb::Verify(VerifyTrail { expect_head }) => {
            let found = directory.verify_audit(&operator(), expect_head.as_deref()).await?;
            Ok(verdict(&found))
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

impl ListEvents {
    fn filter(self) -> AuditFilter {
        AuditFilter {
            before: self.before,
            action: self.action,
            actor_id: self.actor,
            actor_name: None,
            object_kind: self.object_kind,
            object_id: self.object,
            object_name: None,
            from: self.from,
            to: self.to,
            address: self.address,
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

fn row(recorded: &RecordedEvent) -> [String; 6] {
    let event = &recorded.event;
    let object = match event.object_id {
        Some(id) => format!("{} {id} {}", event.object_kind, event.object_name),
        None => event.object_kind.clone(),
    };
    let actor = format!("{} {}", event.actor_kind, event.actor_name);
    [
        recorded.id.to_string(),
        recorded.at.to_string(),
        actor,
        event.action.clone(),
        object,
        event.changes.clone(),
    ]
}
