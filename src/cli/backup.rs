//! `wardroom backup`: writes an archive, or verifies one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{open, operator};
use super::progress;
use super::report::{CliError, Report};
use crate::config::{AvatarStorage, Config};
use crate::directory::Clock;
use crate::directory::transfer::backup::{BackupRequest, Manifest, VerifiedBackup, verify_backup};

/// The arguments of `wardroom backup`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    /// The tar file to write. It must not exist yet. To name a file "verify", write ./verify.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    replace: bool,
    #[command(subcommand)]
    verb: Option<BackupVerb>,
}

#[derive(Subcommand)]
enum BackupVerb {
    /// Verify an archive: every byte, its database and its audit trail. No other database is needed.
    Verify(VerifyBackup),
}

#[derive(Args)]
struct VerifyBackup {
    /// The archive.
    file: PathBuf,
}

/// Writes or verifies a backup. The exit code is 1 when the database in it has faults.
pub(super) async fn run(args: Backup, config: &Config) -> Result<Report, CliError> {
    match args {
        Backup { verb: Some(BackupVerb::Verify(VerifyBackup { file })), .. } => {
            let summary = format!("{} is intact", file.display());
            let checked =
                verify_backup(&operator(), file, &Clock::system()?, progress::of_transfer()?).await?;
            Ok(report(&checked, &summary))
        }
        Backup { file: Some(file), replace, .. } => {
            let summary = format!("Wrote and verified {}", file.display());
            let order = BackupRequest { file, replace, media: config.data_dir.join("media") };
            let checked = open(config).await?.backup(&operator(), order, progress::of_transfer()?).await?;
            Ok(with_bucket(report(&checked, &summary), config))
        }
        Backup { file: None, .. } => Err(CliError::usage("give the file to write")),
    }
}

/// Says what the backup does not contain when avatars are in a bucket.
fn with_bucket(report: Report, config: &Config) -> Report {
    match (config.avatar_storage, &config.s3_bucket) {
        (AvatarStorage::S3, Some(bucket)) => report.adding(&format!(
            "The avatars in the bucket {bucket} are not in it: keep versions or a copy of the bucket.\n"
        )),
        _ => report,
    }
}

fn report(checked: &VerifiedBackup, summary: &str) -> Report {
    let VerifiedBackup { manifest, faults, miscounted, broken_trail } = checked;
    let mut text = format!("{summary}: {}.\n", content(manifest));
    for left in &manifest.left_out {
        text += &format!("Warning: left out {left}.\n");
    }
    for fault in faults.iter().chain(broken_trail) {
        text += &format!("Fault in the database, copied unchanged: {fault}.\n");
    }
    for fault in miscounted {
        text += &format!("Fault in the database, repaired by a restore: {fault}.\n");
    }
    let mut report = Report::new(
        text,
        json!({ "manifest": about(manifest), "faults": faults, "miscounted": miscounted, "broken_trail": broken_trail }),
    );
    report.code = (!faults.is_empty() || !miscounted.is_empty() || broken_trail.is_some()).into();
    report
}

/// Describes the content of a backup.
pub(super) fn content(manifest: &Manifest) -> String {
    format!(
        "the database of {} with {} users, {} tokens ({} active), {} audit events and {} media files",
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

/// Formats a manifest as JSON, without its long list of members.
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
