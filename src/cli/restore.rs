//! `wardroom restore`: a backup in the place of the directory.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::backup::{about, content};
use super::context::{operator, settings};
use super::report::{Mistake, Report};
use super::watching::watch;
use crate::config::Config;
use crate::directory::backup::{self, Restored, Revoked, Since};
use crate::directory::{Clock, Directory};

/// The arguments of `wardroom restore`.
#[derive(Args)]
pub(super) struct Restore {
    /// The archive that `wardroom backup` wrote.
    file: PathBuf,
    /// Put the backup in the place of the directory that is there, and of media files of the same names.
    #[arg(long)]
    replace: bool,
    /// Revoke in what is restored the tokens that were revoked or deleted since the backup was made.
    #[arg(long)]
    keep_revoked: bool,
    /// Let tokens that were revoked or deleted since the backup was made come back to life.
    #[arg(long, conflicts_with = "keep_revoked")]
    revive_revoked: bool,
}

/// Restores, and tells what it brought back.
pub(super) async fn run(order: Restore, config: &Config) -> Result<Report, Mistake> {
    let revoked = match (order.keep_revoked, order.revive_revoked) {
        (true, _) => Revoked::Keep,
        (false, true) => Revoked::Revive,
        (false, false) => Revoked::Refuse,
    };
    let (file, media) = (order.file, config.data_dir.join("media"));
    let order = backup::Restore { file, media, replace: order.replace, revoked };
    let restored =
        Directory::restore(&operator(), &settings(config), &Clock::system()?, order, watch()?).await?;
    Ok(report(&restored, revoked))
}

fn report(restored: &Restored, revoked: Revoked) -> Report {
    let mut text = format!("Restored {}.\n", content(&restored.manifest));
    match &restored.since {
        Some(Ok(since)) => text += &told(since, revoked),
        Some(Err(why)) => {
            text += &format!(
                "Warning: how many tokens were revoked since cannot be told ({why}): those are good again. Look through \
                 them with `wardroom token list USER`.\n"
            );
        }
        None => {}
    }
    if let Some(kept) = &restored.kept {
        text += &format!("The database that was there is kept as {}.\n", kept.display());
    }
    if let Some(broken) = &restored.broken_trail {
        text += &format!("Warning: the audit trail was broken when it was backed up: {broken}.\n");
    }
    text += "Next: `wardroom doctor`, then start the servers.\n";
    let since = match &restored.since {
        Some(Ok(since)) => json!({
            "tokens_revoked": since.revoked,
            "tokens_deleted": since.deleted,
            "users_deactivated_or_deleted": since.users,
        }),
        Some(Err(why)) => json!({ "unknown": why }),
        None => json!(null),
    };
    let json = json!({
        "manifest": about(&restored.manifest),
        "since": since,
        "kept_revoked": revoked == Revoked::Keep,
        "media_files_written": restored.media,
        "kept": restored.kept.as_ref().map(|kept| kept.display().to_string()),
        "broken_trail": restored.broken_trail,
    });
    Report::new(text, json)
}

fn told(since: &Since, revoked: Revoked) -> String {
    let fate = if revoked == Revoked::Keep { "they were revoked again" } else { "they are good again" };
    let deleted = since.deleted.map_or_else(|| "an unknown number".to_owned(), |deleted| deleted.to_string());
    let mut text =
        format!("Since the backup, {} tokens in it were revoked and {deleted} deleted", since.revoked);
    text += &if since.tokens() > 0 { format!(": {fate}.\n") } else { ".\n".to_owned() };
    match since.users {
        Some(0) => {}
        Some(users) => {
            text += &format!(
                "{users} users that were deactivated or deleted since are active again: look at `wardroom audit list` of what is kept.\n"
            );
        }
        None => {
            text += "What was deleted cannot be told: the audit trail that was there does not go on where the backup's ends.\n";
        }
    }
    text
}
