//! An archive's way back into files.
//!
//! A seal shows damage, not intent: whoever writes an archive can seal it. So it is read as what a stranger may have made:
//! only plain files in the one order that we write, under names that lead nowhere else, each name bounded and used once;
//! nothing that a tar may hold beside that (links, sparse files, extended headers) is understood. How files are put
//! down does not depend on what the archive says of their modes and owners.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use tar::{Archive, EntryType};

use super::archive::{
    CHUNK, DATABASE, DATABASE_MODE, FORMAT, MANIFEST, MEDIA, MEDIA_MODE, Manifest, Member, SEAL, TAIL,
    digest, tail,
};
use crate::directory::files;
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer_error::TransferError;

/// So often the watcher is told, in bytes.
const STEP: u64 = 16 << 20;

/// The longest name of a member, in bytes: a path on Linux is shorter.
const LONGEST_NAME: u64 = 4096;
/// The longest step of a name, in bytes, as on every usual file system.
const LONGEST_STEP: usize = 255;
/// How large a manifest can be without its members: what was left out, a path each.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// How large the entry of a member can be in it beside its name, each byte of which takes six at most.
const MANIFEST_ENTRY: u64 = 256;
/// The latest time that a file is given, in seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// An archive whose every byte was found to be as it was written.
pub(super) struct Unpacked {
    pub(super) manifest: Manifest,
    /// The directory in which the database file was put.
    pub(super) database: PathBuf,
    /// The directory below which the media files were put.
    pub(super) media: PathBuf,
}

/// Checks every byte of an archive and unpacks it into a private directory; media files only when they are wanted.
pub(super) fn unpack(
    path: &Path,
    into: &Path,
    media: bool,
    progress: &Progress,
) -> Result<Unpacked, TransferError> {
    // A pipe of that name is not waited for.
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let mut file = opened.map_err(TransferError::with(path))?;
    check_seal(path, &mut file, progress)?;
    file.seek(SeekFrom::Start(0)).map_err(TransferError::with(path))?;
    let room = Room { database: into.join("database"), media: into.join(MEDIA), wanted: media };
    let (manifest, found) = room.members(path, file)?;
    if manifest.members != found {
        return Err(not_ours(path, "its members are not those that its manifest lists"));
    }
    Ok(Unpacked { manifest, database: room.database, media: room.media })
}

fn not_ours(path: &Path, why: impl std::fmt::Display) -> TransferError {
    TransferError::Damaged {
        path: path.to_owned(),
        what: format!("is not a backup that this program can use: {why}"),
    }
}

/// Compares the seal, and all that follows from it, with the bytes of the file.
fn check_seal(path: &Path, file: &mut File, progress: &Progress) -> Result<(), TransferError> {
    let unreadable = TransferError::with(path);
    let metadata = file.metadata().map_err(&unreadable)?;
    if !metadata.is_file() {
        return Err(not_ours(path, "it is no file"));
    }
    let mut start = [0; 512];
    if file.read_exact(&mut start).is_err() || !start.starts_with(DATABASE.as_bytes()) {
        return Err(not_ours(path, "it does not begin as one"));
    }
    file.seek(SeekFrom::Start(0)).map_err(&unreadable)?;
    let damaged =
        |what: &str| TransferError::Damaged { path: path.to_owned(), what: format!("is damaged: {what}") };
    let covered = metadata.len().checked_sub(TAIL).ok_or_else(|| damaged("it is cut off"))?;
    let mut told = 0;
    let (read, digest) = digest(&mut file.take(covered), &unreadable, |chunk| {
        told += chunk.len() as u64;
        if told % STEP < chunk.len() as u64 {
            Ok(progress.report(Stage::Verifying, "MiB", told >> 20)?)
        } else {
            Ok(())
        }
    })?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).map_err(&unreadable)?;
    if read != covered || end != tail(&digest).map_err(&unreadable)? {
        return Err(damaged("its bytes are not those that were written"));
    }
    Ok(())
}

/// Where members go.
struct Room {
    database: PathBuf,
    media: PathBuf,
    /// Whether media files are put anywhere, or only read.
    wanted: bool,
}

impl Room {
    /// Puts every member where it belongs; the manifest, and what was found beside it.
    fn members(&self, path: &Path, file: File) -> Result<(Manifest, Vec<Member>), TransferError> {
        let foreign = |error: io::Error| not_ours(path, error);
        let mut seen = Seen::default();
        let mut long = None;
        let mut archive = Archive::new(BufReader::with_capacity(CHUNK, file));
        // Raw: headers that change the meaning of others are members like any other, and of no kind that is ours.
        for entry in archive.entries().map_err(foreign)?.raw(true) {
            let mut entry = entry.map_err(foreign)?;
            let kind = entry.header().entry_type();
            if kind == EntryType::GNULongName && long.is_none() {
                long = Some(long_name(path, &mut entry)?);
                continue;
            }
            let name = long.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
            let name = String::from_utf8(name).map_err(|_| not_ours(path, "a member's name is not UTF-8"))?;
            if kind != EntryType::Regular {
                return Err(not_ours(path, format!("{name:?} is no regular file")));
            }
            let out_of_place = seen.admit(&name, self);
            out_of_place.map_err(|why| not_ours(path, format!("{name:?} {why}")))?;
            match name.as_str() {
                MANIFEST => seen.manifest = Some(read_manifest(path, &mut entry, &seen.found)?),
                SEAL => {}
                _ => {
                    let to = self.place(&name).filter(|_| name == DATABASE || self.wanted);
                    let age = entry.header().mtime().unwrap_or_default();
                    let mode = if name == DATABASE { DATABASE_MODE } else { MEDIA_MODE };
                    let (size, sha256) = pour(path, &mut entry, to.as_deref(), (mode, age))?;
                    seen.found.push(Member { name, size, sha256 });
                }
            }
        }
        if long.is_some() {
            return Err(not_ours(path, "a name has no member"));
        }
        seen.finish().map_err(|why| not_ours(path, why))
    }

    /// Where a member is put; none for a name that leads elsewhere.
    fn place(&self, name: &str) -> Option<PathBuf> {
        if name == DATABASE {
            return Some(self.database.join(name));
        }
        let below = name.strip_prefix(MEDIA).filter(|below| !below.is_empty() && !below.contains('\0'))?;
        let path = Path::new(below);
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(step) if step.len() <= LONGEST_STEP));
        // A name that is not spelled as the path it means would be listed under another one.
        let spelled = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        (plain && spelled).then(|| self.media.join(path))
    }
}

/// What was seen of an archive so far.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    found: Vec<Member>,
    manifest: Option<Manifest>,
    sealed: bool,
}

impl Seen {
    /// Lets the next member in, or tells why it cannot be here: the database is first, then come media files, the
    /// manifest, and the seal.
    fn admit(&mut self, name: &str, room: &Room) -> Result<(), &'static str> {
        if !self.names.insert(name.to_owned()) {
            return Err("is in it twice");
        }
        // What is a file in one name cannot be a directory in another.
        let mut above = Path::new(name).ancestors().skip(1).filter_map(Path::to_str);
        let below = format!("{name}/");
        let within = self.names.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below));
        if within || above.any(|above| self.names.contains(above)) {
            return Err("is a file and a directory in it");
        }
        match name {
            SEAL => self.sealed = true,
            MANIFEST => {}
            _ if room.place(name).is_none() => return Err("has no place"),
            _ if self.manifest.is_some() || self.sealed => return Err("stands behind the manifest"),
            DATABASE if !self.found.is_empty() => return Err("is not the first"),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(Manifest, Vec<Member>), String> {
        if !self.names.contains(DATABASE) {
            return Err("there is no database in it".to_owned());
        }
        if !self.sealed {
            return Err("it ends before its seal".to_owned());
        }
        let manifest = self.manifest.ok_or("there is no manifest in it")?;
        Ok((manifest, self.found))
    }
}

/// The name of the next member, where it does not fit into its header.
fn long_name(path: &Path, entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, TransferError> {
    if entry.size() > LONGEST_NAME + 1 {
        return Err(not_ours(path, "a member's name is too long"));
    }
    let mut name = Vec::new();
    entry.read_to_end(&mut name).map_err(|error| not_ours(path, error))?;
    name.pop_if(|last| *last == 0);
    Ok(name)
}

fn read_manifest(
    path: &Path,
    entry: &mut tar::Entry<'_, impl Read>,
    found: &[Member],
) -> Result<Manifest, TransferError> {
    let members: u64 = found.iter().map(|member| MANIFEST_ENTRY + 6 * member.name.len() as u64).sum();
    if entry.size() > LARGEST_MANIFEST + members {
        return Err(not_ours(path, "its manifest is too large"));
    }
    let text = io::read_to_string(entry).map_err(|error| not_ours(path, error))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).map_err(|error| not_ours(path, error))?;
    match manifest.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        _ => return Err(not_ours(path, "it was made by another release")),
    }
    serde_json::from_value(manifest).map_err(|error| not_ours(path, error))
}

/// Reads a member to its end, into a file if it is to have one; its size and checksum.
fn pour(
    path: &Path,
    entry: &mut impl Read,
    to: Option<&Path>,
    (mode, age): (u32, u64),
) -> Result<(u64, String), TransferError> {
    let mut out = match to {
        None => None,
        Some(to) => {
            let parent = files::parent(to);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&parent);
            made.map_err(TransferError::with(&parent))?;
            let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
            Some((created.map_err(TransferError::with(to))?, to))
        }
    };
    let (size, digest) = digest(entry, &|error| not_ours(path, error), |chunk| match &mut out {
        Some((out, to)) => out.write_all(chunk).map_err(TransferError::with(to)),
        None => Ok(()),
    })?;
    if let Some((out, to)) = out {
        // Of no weight: a file system need not know every time.
        let _ = out.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age.min(LATEST)));
        let kept = out.set_permissions(Permissions::from_mode(mode));
        kept.and_then(|()| out.sync_all()).map_err(TransferError::with(to))?;
    }
    Ok((size, digest))
}
