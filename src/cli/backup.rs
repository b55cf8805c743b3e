//! `wardroom backup`: the directory in one archive, and whether an archive is whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{open, operator};
use super::report::{CliError, Report};
use super::watching::watch;
use crate::config::Config;
use crate::directory::Clock;
use crate::directory::transfer::backup::{BackupRequest, Manifest, VerifiedBackup, verify_backup};

/// The arguments of `wardroom backup`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    /// The archive to write, a tar file. It must not be there yet. (One of the name "verify" is written ./verify.)
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    replace: bool,
    #[command(subcommand)]
    verb: Option<BackupVerb>,
}

#[derive(Subcommand)]
enum BackupVerb {
    /// Check every byte of an archive, the database in it and its audit trail. No directory is needed for it.
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// The archive.
    file: PathBuf,
}

/// Makes a backup, or checks one. The exit code is 1 when what is in it has faults.
pub(super) async fn run(order: Backup, config: &Config) -> Result<Report, CliError> {
    match order {
        Backup { verb: Some(BackupVerb::Verify(Verify { file })), .. } => {
            let told = format!("{} is whole", file.display());
            let checked = verify_backup(&operator(), file, &Clock::system()?, watch()?).await?;
            Ok(report(&checked, &told))
        }
        Backup { file: Some(file), replace, .. } => {
            let told = format!("Wrote {} and read it again", file.display());
            let order = BackupRequest { file, replace, media: config.data_dir.join("media") };
            let checked = open(config).await?.backup(&operator(), order, watch()?).await?;
            Ok(report(&checked, &told))
        }
        Backup { file: None, .. } => Err(CliError::usage("name the file to write")),
    }
}

fn report(checked: &VerifiedBackup, told: &str) -> Report {
    let VerifiedBackup { manifest, faults, miscounted, broken_trail } = checked;
    let mut text = format!("{told}: {}.\n", content(manifest));
    for left in &manifest.left_out {
        text += &format!("Warning: left out {left}.\n");
    }
    for fault in faults.iter().chain(broken_trail) {
        text += &format!("ImportError in the database, copied as it was: {fault}.\n");
    }
    for fault in miscounted {
        text += &format!("ImportError in the database, which a restore puts right: {fault}.\n");
    }
    let mut report = Report::new(
        text,
        json!({ "manifest": about(manifest), "faults": faults, "miscounted": miscounted, "broken_trail": broken_trail }),
    );
    report.code = (!faults.is_empty() || !miscounted.is_empty() || broken_trail.is_some()).into();
    report
}

/// What is in a backup, in words.
pub(super) fn content(manifest: &Manifest) -> String {
    format!(
        "the directory at {} with {} users, {} tokens ({} active), {} audit events and {} media files",
        manifest.created_at,
        manifest.users,
        manifest.tokens,
        manifest.active_tokens,
        manifest.audit_events,
        media_files(manifest),
    )
}

fn media_files(manifest: &Manifest) -> usize {
    manifest.members.len().saturating_sub(1)
}

/// A manifest without its long list of members.
pub(super) fn about(manifest: &Manifest) -> Value {
    json!({
        "format": manifest.format,
        "program": manifest.program,
        "schema_version": manifest.schema_version,
        "created_at": manifest.created_at,
        "audit_head": manifest.audit_head,
        "users": manifest.users,
        "tokens": manifest.tokens,
        "active_tokens": manifest.active_tokens,
        "audit_events": manifest.audit_events,
        "media_files": media_files(manifest),
        "left_out": manifest.left_out,
    })
}
