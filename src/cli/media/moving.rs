//! `wardroom media move`: copies media files from one store to the other.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::context::door;
use crate::cli::report::{CliError, Report};
use crate::config::{AvatarStorage, Config};
use crate::media::storage::{Storage, StorageError, StoredFile, media_root};

/// The time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The arguments of `wardroom media move`.
#[derive(Args)]
pub(in crate::cli) struct MoveMedia {
    /// Where the files go.
    #[arg(long, value_name = "STORE")]
    to: OtherStore,
    /// Remove each file from where it came from, after its copy was read back and compared. Servers must already use the new
    /// store.
    #[arg(long)]
    remove_source: bool,
}

/// A store.
#[derive(Clone, Copy, ValueEnum)]
enum OtherStore {
    /// The bucket of the settings `s3_*`.
    S3,
    /// `media` in the data directory.
    Disk,
}

/// What has been done.
#[derive(Default)]
struct Moved {
    copied: usize,
    bytes: u64,
    there: usize,
    removed: usize,
    /// Files that disappeared while the others were copied.
    gone: usize,
}

impl Moved {
    fn done(&self) -> usize {
        self.copied + self.there + self.gone
    }
}

pub(super) async fn run(args: MoveMedia, config: &Config) -> Result<Report, CliError> {
    let MoveMedia { to, remove_source } = args;
    let (wanted, word) = match to {
        OtherStore::S3 => (AvatarStorage::S3, "s3"),
        OtherStore::Disk => (AvatarStorage::Disk, "disk"),
    };
    let is_used = config.avatar_storage == wanted;
    if remove_source && !is_used {
        return Err(CliError::usage(format!(
            "--remove-source: servers still use the store that the files come from: set avatar_storage to {word}, restart them, \
             and run the command again"
        )));
    }
    let (disk, bucket) = (Storage::disk(media_root(config)), Storage::s3(&config.s3()?, &door(config))?);
    let (from, to) = match wanted {
        AvatarStorage::S3 => (disk, bucket),
        AvatarStorage::Disk => (bucket, disk),
    };
    let files = from.list("").await?;
    let there: BTreeMap<_, _> =
        to.list("").await?.into_iter().map(|StoredFile { name, size }| (name, size)).collect();
    let mut moved = Moved::default();
    let outcome = copy_all(&from, &to, &files, &there, remove_source, &mut moved).await;
    if let Err(error) = outcome {
        let left = files.len() - moved.done();
        return Err(CliError::from(error).adding(&format!(
            "; {} files are copied, {left} are left: run the command again to continue",
            moved.copied + moved.there
        )));
    }
    Ok(report(&moved, &from, &to, (word, is_used, remove_source)))
}

async fn copy_all(
    from: &Storage,
    to: &Storage,
    files: &[StoredFile],
    there: &BTreeMap<String, u64>,
    remove_source: bool,
    moved: &mut Moved,
) -> Result<(), StorageError> {
    let mut written = Instant::now();
    for StoredFile { name, .. } in files {
        match from.get(name).await? {
            None => moved.gone += 1,
            Some(content) => {
                let size = there.get(name).copied();
                if size == Some(content.len() as u64) && to.get(name).await?.as_ref() == Some(&content) {
                    moved.there += 1;
                } else {
                    copy(to, name, &content).await?;
                    moved.copied += 1;
                    moved.bytes += content.len() as u64;
                }
                if remove_source {
                    from.remove(name).await?;
                    moved.removed += 1;
                }
            }
        }
        if written.elapsed() >= LINE_EVERY || (io::stderr().is_terminal() && moved.done().is_multiple_of(100))
        {
            written = Instant::now();
            let line = format!("wardroom: copying: {} of {} files", moved.done(), files.len());
            // The move continues if the line cannot be written.
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }
    Ok(())
}

/// Writes a file and reads it back.
async fn copy(to: &Storage, name: &str, content: &Bytes) -> Result<(), StorageError> {
    to.put(name, content.clone()).await?;
    match to.get(name).await? {
        Some(found) if found == *content => Ok(()),
        _ => Err(StorageError::Unavailable(format!(
            "{name} in {} is not what was written there a moment ago: check that store",
            to.describe()
        ))),
    }
}

fn report(
    moved: &Moved,
    from: &Storage,
    to: &Storage,
    (word, is_used, remove_source): (&str, bool, bool),
) -> Report {
    let (from, to) = (from.describe(), to.describe());
    let Moved { copied, bytes, there, removed, gone } = moved;
    let mut text = format!(
        "Copied {copied} files ({bytes} bytes) from {from} to {to}; {there} were there already. Every file was compared.\n"
    );
    if *gone > 0 {
        text += &format!("{gone} files were removed by others meanwhile.\n");
    }
    text += &match (is_used, remove_source) {
        (false, _) => format!(
            "Next: set avatar_storage to {word}, restart the servers, and run the command again for what was uploaded \
             meanwhile.\n"
        ),
        (true, false) => {
            format!("The files in {from} are still there: add --remove-source to remove them.\n")
        }
        (true, true) => format!("Removed {removed} files from {from}.\n"),
    };
    let json = json!({
        "from": from, "to": to, "copied": copied, "bytes": bytes, "already_there": there, "removed": removed, "gone": gone,
    });
    Report::new(text, json)
}
