//! The newest backup, where the settings say where backups are.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::finding::{Finding, bytes, fault, good, span};
use crate::config::Config;
use crate::directory::model::Timestamp;

const CHECK: &str = "backup";

/// Checks the age of the newest archive, if `backup_dir` is set.
pub(super) fn check(config: &Config, now: Timestamp) -> Option<Finding> {
    let place = config.backup_dir.as_ref()?;
    Some(match newest(place) {
        Err(error) => fault(
            CHECK,
            format!(
                "{} cannot be read ({error}): check backup_dir, and that its disk is mounted",
                place.display()
            ),
        ),
        Ok(None) => {
            let shown = place.display();
            fault(
                CHECK,
                format!(
                    "there is no backup (*.tar) in {shown}: run wardroom backup {shown}/wardroom-$(date +%F).tar, and look why the regular one did not run"
                ),
            )
        }
        Ok(Some((path, file))) => of_archive(&path, &file, config.backup_max_age, now),
    })
}

fn of_archive(path: &Path, file: &Metadata, limit: Duration, now: Timestamp) -> Finding {
    let (shown, age) = (path.display(), age(file, now));
    let found = format!("{shown} ({}) is {} old", bytes(file.len()), span(age));
    if age > limit {
        let limit = span(limit);
        return fault(
            CHECK,
            format!(
                "the newest backup {found}, and backup_max_age is {limit}: look why the regular backup did not run, and run wardroom backup"
            ),
        );
    }
    if file.mode() & 0o007 != 0 {
        return fault(
            CHECK,
            format!(
                "{shown} holds all account data and is open to every user of this machine: run chmod 600 {shown}"
            ),
        );
    }
    good(CHECK, format!("the newest backup {found}; wardroom backup verify {shown} checks it"))
}

fn age(file: &Metadata, now: Timestamp) -> Duration {
    let now = Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or(0));
    let written = file.modified().unwrap_or(UNIX_EPOCH);
    (UNIX_EPOCH + now).duration_since(written).unwrap_or_default()
}

/// The command that restores the newest backup that is known.
pub(super) fn restore_command(config: &Config) -> String {
    let known = config.backup_dir.as_deref().and_then(|place| newest(place).ok().flatten());
    let file = known.map_or_else(|| "FILE".to_owned(), |(path, _)| path.display().to_string());
    format!("wardroom restore {file} --replace")
}

/// Returns the newest archive in a directory, or the archive itself if a file is named.
fn newest(place: &Path) -> std::io::Result<Option<(PathBuf, Metadata)>> {
    let named = fs::metadata(place)?;
    if named.is_file() {
        return Ok(Some((place.to_owned(), named)));
    }
    let mut newest: Option<(PathBuf, Metadata)> = None;
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        let Ok(file) = fs::metadata(&path) else { continue };
        let written = |file: &Metadata| file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let is_newer = newest.as_ref().is_none_or(|(_, known)| written(&file) > written(known));
        if file.is_file() && path.extension().is_some_and(|end| end == "tar") && is_newer {
            newest = Some((path, file));
        }
    }
    Ok(newest)
}
