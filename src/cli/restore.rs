//! `wardroom restore`: a backup in the place of the directory.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::backup::{about, content};
use super::context::{operator, settings};
use super::reopened::{add, brought, line, list};
use super::report::{CliError, Report};
use super::watching::watch;
use crate::config::Config;
use crate::directory::model::ComparisonExtent;
use crate::directory::transfer::backup::{self, ReopenPolicy, RestoreReport};
use crate::directory::{Clock, Directory};

/// The arguments of `wardroom restore`.
#[derive(Args)]
pub(super) struct Restore {
    /// The archive that `wardroom backup` wrote.
    file: PathBuf,
    /// Put the backup in the place of the directory that is there, and of media files of the same names.
    #[arg(long)]
    replace: bool,
    /// Keep closed in what is restored whatever was closed since the backup was made: tokens that were revoked or ended, users
    /// who were deactivated, deleted or demoted, changed passwords, permissions and memberships that were taken away.
    #[arg(long, visible_alias = "keep-revoked")]
    keep_closed: bool,
    /// Let open again whatever was closed since the backup was made.
    #[arg(long, visible_alias = "revive-revoked", conflicts_with = "keep_closed")]
    reopen_closed: bool,
    /// Restore although it cannot be told, or not wholly, what was closed since the backup was made: there is no directory to
    /// compare with, or it cannot be read. Whatever the backup holds open is open again.
    #[arg(long)]
    accept_revived: bool,
    /// Keep no copy of the rows that are replaced on PostgreSQL.
    #[arg(long)]
    no_copy: bool,
}

/// Restores, and tells what it brought back.
pub(super) async fn run(order: Restore, config: &Config) -> Result<Report, CliError> {
    let closed = match (order.keep_closed, order.reopen_closed) {
        (true, _) => ReopenPolicy::Keep,
        (false, true) => ReopenPolicy::Allow,
        (false, false) => ReopenPolicy::Refuse,
    };
    let (file, media) = (order.file, config.data_dir.join("media"));
    let order = backup::RestoreRequest {
        file,
        media,
        replace: order.replace,
        closed,
        accept_revived: order.accept_revived,
        keep_copy: !order.no_copy,
    };
    let restored =
        Directory::restore(&operator(), &settings(config), &Clock::system()?, order, watch()?).await?;
    Ok(report(&restored, closed))
}

fn report(restored: &RestoreReport, reopening: ReopenPolicy) -> Report {
    let mut text = format!("Restored {}.\n", content(&restored.manifest));
    let keeps = reopening == ReopenPolicy::Keep;
    if !restored.closed.is_empty() {
        let fate = if keeps { "It was closed again" } else { "It is open again" };
        text += &format!("Closed since the backup was made ({} in all). {fate}:\n", restored.closed.len());
        text += &list(restored.closed.iter().map(line));
    } else if restored.comparison == ComparisonExtent::Complete {
        text += "Nothing in it was closed since the backup was made.\n";
    }
    if let Some(brings) = &restored.brings {
        text += &format!("Warning: {}", brought(brings, &restored.comparison));
        text += "Look through them: `wardroom token list USER`, `wardroom user list --admin true`.\n";
    }
    if !restored.has_admin {
        text += "Warning: nobody is an active admin: make one with `wardroom user add NAME --admin` or `wardroom user edit USER \
                 --admin true`.\n";
    }
    if let Some(kept) = &restored.kept {
        let kept = kept.display();
        text += &format!(
            "What was there is kept in {kept}. Its audit trail: `wardroom audit list --data-dir {kept}`.\n"
        );
    }
    if let Some(broken) = &restored.broken_trail {
        text += &format!("Warning: the audit trail was broken when it was backed up: {broken}.\n");
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
