//! `wardroom media`: checks and moves the files of avatars.

mod moving;
pub(super) mod survey;

use clap::Subcommand;
use serde_json::json;

use self::moving::MoveMedia;
use self::survey::Survey;
use super::context::open;
use super::report::{CliError, Report};
use crate::config::Config;

/// The commands of `wardroom media`.
#[derive(Subcommand)]
pub(super) enum MediaVerb {
    /// Compare the avatars of users with the files in the store: name the files that are missing, and those that no user has.
    Check,
    /// Copy all media files from the disk to the bucket, or back. Servers may keep running. A move that was stopped continues
    /// when the command is run again.
    Move(MoveMedia),
}

/// Runs a command.
pub(super) async fn run(verb: MediaVerb, config: &Config) -> Result<Report, CliError> {
    match verb {
        MediaVerb::Check => check(config).await,
        MediaVerb::Move(args) => moving::run(args, config).await,
    }
}

/// The exit code is 1 when files are missing.
async fn check(config: &Config) -> Result<Report, CliError> {
    let avatars = open(config).await?.avatars().await?;
    let survey = Survey::of(config, &avatars).await?;
    let Survey { place, files, missing, unused } = &survey;
    let mut text = format!("{files} files in {place}.\n");
    for name in missing {
        text += &format!("missing: {name}\n");
    }
    for (name, size) in unused {
        text += &format!("not used: {name} ({size} bytes)\n");
    }
    text += &match missing.len() {
        0 => "No file of an avatar is missing.\n".to_owned(),
        count => format!("{count} files are missing: copy them from the old server or a backup.\n"),
    };
    if !unused.is_empty() {
        text += &format!(
            "{} files are not used by any user. A server removes uploaded ones after avatar_grace; delete others if no other \
             program uses them.\n",
            unused.len()
        );
    }
    let unused: Vec<_> = unused.iter().map(|(name, size)| json!({ "name": name, "bytes": size })).collect();
    let json = json!({ "store": place, "files": files, "missing": missing, "unused": unused });
    let mut report = Report::new(text, json);
    report.code = (!missing.is_empty()).into();
    Ok(report)
}
