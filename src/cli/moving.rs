//! `wardroom move`: copies everything to another database.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::{open, operator};
use super::progress;
use super::report::{CliError, Report, ReportPart};
use super::terminal::{Prose, TableCell, TableColumn, TextTable};
use crate::config::{Config, DatabaseUrl, MOVE_TO_ENV, SettingType as _};
use crate::directory::Location;
use crate::directory::transfer::move_database::MoveReport;

/// The arguments of `wardroom move`.
#[derive(Args)]
pub(super) struct Move {
    /// The destination: postgres://user:password@host:port/name, or a new or empty folder for SQLite.
    #[arg(long, value_name = "URL_OR_DIR", env = MOVE_TO_ENV, hide_env_values = true)]
    to: String,
}

const LEFT_BEHIND: &str = "Warning: the database changed during the move, and those changes were left behind. Stop all servers and \
     commands that use it, delete the copy, and move again.";
const NEXT: &str = "Next: change database_url or data_dir of the servers, run `wardroom doctor`, and keep the old database unused for \
     a while.";

/// Copies the database and reports the rows. The exit code is 1 when changes were left behind.
pub(super) async fn run(args: Move, config: &Config) -> Result<Report, CliError> {
    let (location, shown) = destination(args.to)?;
    let directory = open(config).await?;
    let from = directory.describe().await?;
    let moved = directory.move_to(&operator(), location, progress::of_transfer()?).await?;
    let waiting = directory.count_messages().await?.iter().map(|count| count.waiting).sum();
    Ok(report(&moved, &from, &shown, (config, waiting)))
}

/// Parses the destination. Returns it with its text for people, which has no password.
fn destination(to: String) -> Result<(Location, String), CliError> {
    if to.is_empty() {
        return Err(CliError::usage("--to is empty: give a postgres:// URL or a folder"));
    }
    // The message does not quote the URL: even an invalid one may hold a password.
    if to.contains("://") {
        let allowed = DatabaseUrl::allowed();
        let url = DatabaseUrl::parse(&to).map_err(|_| {
            CliError::usage(match DatabaseUrl::reason(&to) {
                Some(reason) => format!("--to: {reason}"),
                None => format!("--to is neither a folder nor a valid URL: use {allowed}"),
            })
        })?;
        return Ok((Location::Postgres(url.expose().to_owned()), DatabaseUrl::show(&url)));
    }
    Ok((Location::Sqlite(PathBuf::from(&to)), to))
}

fn report(moved: &MoveReport, from: &str, to: &str, (config, waiting): (&Config, i64)) -> Report {
    let columns = [TableColumn::whole("table"), TableColumn::whole("rows"), TableColumn::whole("comparison")];
    let row = |(table, rows): &(&str, u64)| {
        [TableCell::from(table), TableCell::from(rows.to_string()), TableCell::from("identical")]
    };
    let table = TextTable::new(columns, moved.tables.iter().map(row).collect());
    let mut text = Prose::default();
    text.line(0, format!("Copied {from} to {to}. Every row was compared."));
    text.line(0, if moved.left_behind { LEFT_BEHIND } else { NEXT });
    let media = config.data_dir.join("media");
    let media = media.is_dir().then(|| media.display().to_string());
    if let Some(media) = &media {
        text.line(0, format!("Media files are not part of a database; they are still in {media}."));
    }
    if waiting > 0 {
        let count = if waiting == 1 {
            "1 message still waits".to_owned()
        } else {
            format!("{waiting} messages still wait")
        };
        text.line(0, format!("{count} in the old database. The outbox is not copied, because two databases would send a message twice."));
    }
    let tables: serde_json::Map<_, _> =
        moved.tables.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    let json = json!({
        "from": from, "to": to, "tables": tables, "left_behind": moved.left_behind, "media_left_in": media,
        "messages_waiting": waiting,
    });
    let mut report = Report::of_parts(vec![ReportPart::Table(table), ReportPart::Prose(text)], json);
    report.code = moved.left_behind.into();
    report
}
