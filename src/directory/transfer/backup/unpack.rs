//! Verifying and unpacking an archive.
//!
//! The seal shows damage, not intent: anyone can write an archive and seal it. So an archive is read as untrusted input.
//! Only regular files are accepted, in the one order that this program writes, under bounded names that stay below their
//! directory and occur once. Everything else that tar supports (links, sparse files, extended headers) is refused. Modes
//! and owners in the archive are ignored.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;
use tar::{Archive, EntryType};

use super::archive::{
    ArchiveMember, CHUNK, DATABASE, DATABASE_MODE, FORMAT, MANIFEST, MEDIA, MEDIA_MODE, Manifest, SEAL, TAIL,
    digest, tail,
};
use crate::directory::files::parent_directory;
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer_error::TransferError;
use crate::paths::{DirectoryMode, OpenDirectory};

/// The directory of the database, and the mode of all directories.
const DATABASE_FOLDER: &str = "database";
const PRIVATE: DirectoryMode = DirectoryMode::Exact(0o700);
/// Bytes between two progress reports.
const REPORT_EVERY: u64 = 16 << 20;

/// The longest name of a member, in bytes. Linux allows no longer path.
const MAX_NAME: u64 = 4096;
/// The longest component of a name, in bytes, as on all common file systems.
const MAX_COMPONENT: usize = 255;
/// The largest manifest without its members, in bytes: mostly the paths of files that were left out.
const MAX_MANIFEST: u64 = 64 << 20;
/// The largest manifest entry of a member without its name, in bytes. Each byte of the name takes at most six.
const MAX_MANIFEST_ENTRY: u64 = 256;
/// The latest modification time that a file gets, in Unix seconds: the end of the year 9999.
const MAX_MTIME: u64 = 253_402_300_799;

/// An archive of which every byte was verified.
pub(super) struct UnpackedArchive {
    pub(super) manifest: Manifest,
    /// The directory that contains the database file.
    pub(super) database: PathBuf,
    /// The directory that contains the media files.
    pub(super) media: PathBuf,
}

/// Verifies every byte of an archive and unpacks it into a new directory `below` a private one. Media files are written
/// only if `media` is set. The owner of the directory above can put something else in the place of the private directory,
/// so each file is reached from a directory that is open and known to be ours.
pub(super) fn unpack(
    path: &Path,
    private: &Path,
    below: &Path,
    media: bool,
    progress: &Progress,
) -> Result<UnpackedArchive, TransferError> {
    // Opening a named pipe must not block.
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(nonblock).open(path);
    let mut file = opened.map_err(TransferError::with(path))?;
    check_seal(path, &mut file, progress)?;
    file.seek(SeekFrom::Start(0)).map_err(TransferError::with(path))?;
    let into = private.join(below);
    let own = OpenDirectory::open_own(private).and_then(|own| own.create_below(below, PRIVATE));
    let own = own.map_err(TransferError::with(&into))?;
    let target = UnpackTarget { own, into, wanted: media };
    let (manifest, found) = target.members(path, file)?;
    if manifest.members != found {
        return Err(unusable(path, "its members differ from its manifest"));
    }
    let UnpackTarget { into, .. } = target;
    Ok(UnpackedArchive { manifest, database: into.join(DATABASE_FOLDER), media: into.join(MEDIA) })
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> TransferError {
    TransferError::Damaged {
        path: path.to_owned(),
        what: format!("is not a backup that this program can use: {why}"),
    }
}

/// Compares the seal, and everything that follows from it, with the bytes of the file.
fn check_seal(path: &Path, file: &mut File, progress: &Progress) -> Result<(), TransferError> {
    let unreadable = TransferError::with(path);
    let metadata = file.metadata().map_err(&unreadable)?;
    if !metadata.is_file() {
        return Err(unusable(path, "it is not a file"));
    }
    let mut start = [0; 512];
    if file.read_exact(&mut start).is_err() || !start.starts_with(DATABASE.as_bytes()) {
        return Err(unusable(path, "it does not begin like one"));
    }
    file.seek(SeekFrom::Start(0)).map_err(&unreadable)?;
    let damaged =
        |what: &str| TransferError::Damaged { path: path.to_owned(), what: format!("is damaged: {what}") };
    let covered = metadata.len().checked_sub(TAIL).ok_or_else(|| damaged("it is truncated"))?;
    let mut verified = 0;
    let (read, digest) = digest(&mut file.take(covered), &unreadable, |chunk| {
        verified += chunk.len() as u64;
        if verified % REPORT_EVERY < chunk.len() as u64 {
            Ok(progress.report(Stage::Verifying, "MiB", verified >> 20)?)
        } else {
            Ok(())
        }
    })?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).map_err(&unreadable)?;
    if read != covered || end != tail(&digest).map_err(&unreadable)? {
        return Err(damaged("its content does not match its seal"));
    }
    Ok(())
}

/// Where members are written.
struct UnpackTarget {
    own: OpenDirectory,
    /// Its path, for messages.
    into: PathBuf,
    /// Whether media files are written, or only read.
    wanted: bool,
}

impl UnpackTarget {
    /// Reads all members, writes them to their places, and returns the manifest and the other members.
    fn members(&self, path: &Path, file: File) -> Result<(Manifest, Vec<ArchiveMember>), TransferError> {
        let foreign = |error: io::Error| unusable(path, error);
        let mut seen = MemberSequence::default();
        let mut long = None;
        let mut archive = Archive::new(BufReader::with_capacity(CHUNK, file));
        // Raw: headers that change the meaning of others appear as members, of a type that is refused.
        for entry in archive.entries().map_err(foreign)?.raw(true) {
            let mut entry = entry.map_err(foreign)?;
            let kind = entry.header().entry_type();
            if kind == EntryType::GNULongName && long.is_none() {
                long = Some(long_name(path, &mut entry)?);
                continue;
            }
            let name = long.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
            let name = String::from_utf8(name).map_err(|_| unusable(path, "a member's name is not UTF-8"))?;
            if kind != EntryType::Regular {
                return Err(unusable(path, format!("{name:?} is not a regular file")));
            }
            let out_of_place = seen.admit(&name);
            out_of_place.map_err(|why| unusable(path, format!("{name:?} {why}")))?;
            match name.as_str() {
                MANIFEST => seen.manifest = Some(read_manifest(path, &mut entry, &seen.found)?),
                SEAL => {}
                _ => seen.found.push(self.write(path, name, &mut entry)?),
            }
        }
        if long.is_some() {
            return Err(unusable(path, "a name is not followed by its member"));
        }
        seen.finish().map_err(|why| unusable(path, why))
    }

    /// Reads a member, and writes it to its place if it is wanted.
    fn write(
        &self,
        path: &Path,
        name: String,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<ArchiveMember, TransferError> {
        let to = Self::place(&name).filter(|_| name == DATABASE || self.wanted);
        let mtime = entry.header().mtime().unwrap_or_default();
        let mode = if name == DATABASE { DATABASE_MODE } else { MEDIA_MODE };
        let to = to.map(|to| self.create(&to).map(|out| (out, self.into.join(to)))).transpose()?;
        let (size, sha256) = copy_member(path, entry, to, (mode, mtime))?;
        Ok(ArchiveMember { name, size, sha256 })
    }

    /// Creates the file at a path below the target.
    fn create(&self, to: &Path) -> Result<File, TransferError> {
        let folder = self.own.create_below(&parent_directory(to), PRIVATE);
        let created = folder.and_then(|folder| folder.create_file(to.file_name().unwrap_or_default()));
        created.map_err(TransferError::with(&self.into.join(to)))
    }

    /// Returns the path below the target that a member is written to, or `None` for a name that leads elsewhere.
    fn place(name: &str) -> Option<PathBuf> {
        if name == DATABASE {
            return Some(Path::new(DATABASE_FOLDER).join(name));
        }
        let below = name.strip_prefix(MEDIA).filter(|below| !below.is_empty() && !below.contains('\0'))?;
        let path = Path::new(below);
        let plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(step) if step.len() <= MAX_COMPONENT));
        // A name in another spelling than its path would be listed under another name.
        let spelled = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        (plain && spelled).then(|| Path::new(MEDIA).join(path))
    }
}

/// The members read so far.
#[derive(Default)]
struct MemberSequence {
    names: BTreeSet<String>,
    found: Vec<ArchiveMember>,
    manifest: Option<Manifest>,
    sealed: bool,
}

impl MemberSequence {
    /// Accepts the next member, or returns why it is not allowed here: the database comes first, then media files, the
    /// manifest and the seal.
    fn admit(&mut self, name: &str) -> Result<(), &'static str> {
        if !self.names.insert(name.to_owned()) {
            return Err("occurs twice");
        }
        // A path cannot be a file for one member and a directory for another.
        let mut above = Path::new(name).ancestors().skip(1).filter_map(Path::to_str);
        let below = format!("{name}/");
        let within = self.names.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below));
        if within || above.any(|above| self.names.contains(above)) {
            return Err("is both a file and a directory");
        }
        match name {
            SEAL => self.sealed = true,
            MANIFEST => {}
            _ if UnpackTarget::place(name).is_none() => return Err("has a name that is not allowed"),
            _ if self.manifest.is_some() || self.sealed => return Err("comes after the manifest"),
            DATABASE if !self.found.is_empty() => return Err("is not the first member"),
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<(Manifest, Vec<ArchiveMember>), String> {
        if !self.names.contains(DATABASE) {
            return Err("it contains no database".to_owned());
        }
        if !self.sealed {
            return Err("it has no seal".to_owned());
        }
        let manifest = self.manifest.ok_or("it contains no manifest")?;
        Ok((manifest, self.found))
    }
}

/// Reads the name of the next member, where it does not fit into the header.
fn long_name(path: &Path, entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, TransferError> {
    if entry.size() > MAX_NAME + 1 {
        return Err(unusable(path, "a member's name is too long"));
    }
    let mut name = Vec::new();
    entry.read_to_end(&mut name).map_err(|error| unusable(path, error))?;
    name.pop_if(|last| *last == 0);
    Ok(name)
}

fn read_manifest(
    path: &Path,
    entry: &mut tar::Entry<'_, impl Read>,
    found: &[ArchiveMember],
) -> Result<Manifest, TransferError> {
    let members: u64 = found.iter().map(|member| MAX_MANIFEST_ENTRY + 6 * member.name.len() as u64).sum();
    if entry.size() > MAX_MANIFEST + members {
        return Err(unusable(path, "its manifest is too large"));
    }
    let text = io::read_to_string(entry).map_err(|error| unusable(path, error))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).map_err(|error| unusable(path, error))?;
    match manifest.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        _ => return Err(unusable(path, "it has the format of another release")),
    }
    serde_json::from_value(manifest).map_err(|error| unusable(path, error))
}

/// Reads a member to its end, into a new file if there is one, and returns its size and checksum.
fn copy_member(
    path: &Path,
    entry: &mut impl Read,
    mut out: Option<(File, PathBuf)>,
    (mode, mtime): (u32, u64),
) -> Result<(u64, String), TransferError> {
    let (size, digest) = digest(entry, &|error| unusable(path, error), |chunk| match &mut out {
        Some((out, to)) => out.write_all(chunk).map_err(TransferError::with(&*to)),
        None => Ok(()),
    })?;
    if let Some((out, to)) = out {
        // The time does not matter: not every file system can store every one.
        let _ = out.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.min(MAX_MTIME)));
        let kept = out.set_permissions(Permissions::from_mode(mode));
        kept.and_then(|()| out.sync_all()).map_err(TransferError::with(&to))?;
    }
    Ok((size, digest))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Guards against a restore, run by root, that unpacks into what another account put in the place of its directory.
    #[test]
    fn finding_nothing_is_unpacked_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let [private, away, link] = ["private", "away", "link"].map(|name| place.path().join(name));
        for directory in [&private, &away] {
            std::fs::create_dir(directory).unwrap();
        }
        symlink(&away, &link).unwrap();
        symlink(&away, private.join("below")).unwrap();
        assert!(OpenDirectory::open_own(&link).is_err());
        let own = || OpenDirectory::open_own(&private).unwrap();
        assert!(own().create_below(Path::new("below"), PRIVATE).is_err());
        let into = private.join("new");
        let target =
            UnpackTarget { own: own().create_below(Path::new("new"), PRIVATE).unwrap(), into, wanted: true };
        // The directory is moved away, and a link takes its place: the open one is used.
        std::fs::rename(private.join("new"), private.join("moved")).unwrap();
        symlink(&away, private.join("new")).unwrap();
        symlink(&away, private.join("moved/media")).unwrap();
        target.create(&UnpackTarget::place(DATABASE).unwrap()).unwrap();
        assert!(private.join("moved/database/wardroom.db").exists());
        assert!(target.create(&UnpackTarget::place("media/a/b.png").unwrap()).is_err());
        assert_eq!(std::fs::read_dir(&away).unwrap().count(), 0);
    }
}
