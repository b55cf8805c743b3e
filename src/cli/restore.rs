//! `wardroom restore`: restores a backup archive.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::backup::{about, content};
use super::context::{operator, settings};
use super::progress;
use super::reopened::{add, brought, line, list};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::model::ComparisonExtent;
use crate::directory::transfer::backup::{self, ReopenPolicy, RestoreReport};
use crate::directory::{Clock, Directory};

/// The arguments of `wardroom restore`.
#[derive(Args)]
pub(super) struct RestoreArgs {
    /// The archive that `wardroom backup` wrote.
    file: PathBuf,
    /// Replace the existing database, and media files with the same names.
    #[arg(long)]
    replace: bool,
    /// Keep all access closed that was closed since the backup: revoked and ended tokens, deactivated, deleted and demoted
    /// users, changed passwords, and removed permissions and memberships.
    #[arg(long, visible_alias = "keep-revoked")]
    keep_closed: bool,
    /// Reopen all access that was closed since the backup.
    #[arg(long, visible_alias = "revive-revoked", conflicts_with = "keep_closed")]
    reopen_closed: bool,
    /// Restore even if the current database is missing or unreadable. Wardroom then cannot know all access that was closed
    /// since the backup, and everything that is open in the backup is open again.
    #[arg(long)]
    accept_revived: bool,
    /// Do not keep a copy of the replaced rows on PostgreSQL.
    #[arg(long)]
    no_copy: bool,
}

/// Restores a backup and reports what it reopened.
pub(super) async fn run(args: RestoreArgs, config: &Config) -> Result<Report, CliError> {
    let closed = match (args.keep_closed, args.reopen_closed) {
        (true, _) => ReopenPolicy::Keep,
        (false, true) => ReopenPolicy::Allow,
        (false, false) => ReopenPolicy::Refuse,
    };
    let (file, media) = (args.file, config.data_dir.join("media"));
    let order = backup::RestoreRequest {
        file,
        media,
        replace: args.replace,
        closed,
        accept_revived: args.accept_revived,
        keep_copy: !args.no_copy,
    };
    let restored = Directory::restore(
        &operator(),
        &settings(config),
        &Clock::system()?,
        order,
        progress::of_transfer()?,
    )
    .await?;
    Ok(report(&restored, closed, config))
}

/// Returns the command that shows the audit trail of a replaced database, which is a data directory of its own.
fn trail_of(kept: &Path, config: &Config) -> String {
    let mut command = format!("wardroom audit list --data-dir {}", kept.display());
    // The settings still name the PostgreSQL database. An empty value of a variable would leave a settings file in force.
    for (flag, is_set) in [
        ("--database-url", config.database_url.is_some()),
        ("--database-url-file", config.database_url_file.is_some()),
    ] {
        if is_set {
            command += &format!(" {flag} ''");
        }
    }
    command
}

fn report(restored: &RestoreReport, reopening: ReopenPolicy, config: &Config) -> Report {
    let mut text = format!("Restored {}.\n", content(&restored.manifest));
    let keeps = reopening == ReopenPolicy::Keep;
    if !restored.closed.is_empty() {
        let fate = if keeps { "Closed again" } else { "Open again" };
        text += &format!("Closed since the backup ({} in total). {fate}:\n", restored.closed.len());
        text += &list(restored.closed.iter().map(line));
    } else if restored.comparison == ComparisonExtent::Complete {
        text += "Nothing was closed since the backup.\n";
    }
    if let Some(brings) = &restored.brings {
        text += &format!("Warning: {}", brought(brings, &restored.comparison));
        text += "Review them: `wardroom token list USER`, `wardroom user list --admin true`.\n";
    }
    if !restored.has_admin {
        text += "Warning: there is no active admin: create one with `wardroom user add NAME --admin` or `wardroom user edit USER \
                 --admin true`.\n";
    }
    if let Some(kept) = &restored.kept {
        let command = trail_of(kept, config);
        text +=
            &format!("The previous database is kept in {}. Its audit trail: `{command}`.\n", kept.display());
    }
    if let Some(broken) = &restored.broken_trail {
        text +=
            &format!("Warning: the audit trail was already broken at the time of the backup: {broken}.\n");
    }
    text += "Next: `wardroom doctor`, then start the servers.\n";
    let mut json = json!({
        "manifest": about(&restored.manifest),
        "kept_closed": keeps,
        "has_admin": restored.has_admin,
        "media_files_written": restored.media,
        "kept": restored.kept.as_ref().map(|kept| kept.display().to_string()),
        "broken_trail": restored.broken_trail,
    });
    add(&mut json, &restored.comparison, &restored.closed, restored.brings.as_ref());
    Report::new(text, json)
}
