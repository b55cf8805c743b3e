//! `wardroom move`: the whole directory into another database.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::{open, operator};
use super::report::{CliError, Report};
use super::watching::watch;
use crate::config::{Config, DatabaseUrl, Value as _};
use crate::directory::Location;
use crate::directory::transfer::move_database::MoveReport;

/// The arguments of `wardroom move`.
#[derive(Args)]
pub(super) struct Move {
    /// Where to: postgres://user:password@host:port/name, or a new or empty directory for SQLite.
    #[arg(long, value_name = "URL_OR_DIR", env = "WARDROOM_MOVE_TO", hide_env_values = true)]
    to: String,
}

/// Moves, and tells what was written; the exit code is 1 when something was left behind.
pub(super) async fn run(order: Move, config: &Config) -> Result<Report, CliError> {
    let (location, shown) = destination(order.to)?;
    let directory = open(config).await?;
    let from = directory.describe().await?;
    let moved = directory.move_to(&operator(), location, watch()?).await?;
    Ok(report(&moved, &from, &shown, config))
}

/// The place, and how it is shown: without a password.
fn destination(to: String) -> Result<(Location, String), CliError> {
    if to.is_empty() {
        return Err(CliError::usage("--to names no place: give a postgres:// URL or a directory"));
    }
    // Not a word of it is repeated: a URL that cannot be read may hold a password all the same.
    if to.contains("://") {
        let form = DatabaseUrl::form();
        let url = DatabaseUrl::parse(&to).map_err(|_| {
            CliError::usage(format!("--to is neither a directory nor a URL that can be used: give {form}"))
        })?;
        return Ok((Location::Postgres(url.expose().to_owned()), DatabaseUrl::show(&url)));
    }
    Ok((Location::Sqlite(PathBuf::from(&to)), to))
}

fn report(moved: &MoveReport, from: &str, to: &str, config: &Config) -> Report {
    let rows: Vec<_> = moved
        .tables
        .iter()
        .map(|(table, rows)| [(*table).to_owned(), rows.to_string(), "the same".to_owned()])
        .collect();
    let mut text = Report::table(["table", "rows", "both sides"], &rows, vec![]).render(false);
    text += &format!("Moved {from} to {to}; every row was read again on both sides.\n");
    if moved.left_behind {
        text += "Warning: the directory was changed meanwhile, and those changes were left behind. Stop all servers and \
                 commands that use it, delete what was made, and move again.\n";
    } else {
        text += "Next: point the servers at it (database_url or data_dir), run `wardroom doctor`, and keep the old one \
                 for a while, unused.\n";
    }
    let media = config.data_dir.join("media");
    let media = media.is_dir().then(|| media.display().to_string());
    if let Some(media) = &media {
        text += &format!("Media files are not in a database and were left in {media}.\n");
    }
    let tables: serde_json::Map<_, _> =
        moved.tables.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    let json = json!({
        "from": from, "to": to, "tables": tables, "left_behind": moved.left_behind, "media_left_in": media,
    });
    let mut report = Report::new(text, json);
    report.code = moved.left_behind.into();
    report
}
