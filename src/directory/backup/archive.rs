//! The archive: a plain tar that an operator can open by hand, of which every byte is covered by a checksum.
//!
//! Its members are the database, the media files, a manifest with the checksum of each, and last a seal: the
//! SHA-256 of every byte before it. All that follows from the seal (its header, padding, the end of the archive) can
//! be computed, and is compared byte by byte. So there is no byte that could change unseen.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use crate::directory::error::Error;
use crate::directory::files;
use crate::directory::trouble::{Trouble, Watch, tell};

/// The form of archive that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
const DATABASE: &str = "wardroom.db";
const MEDIA: &str = "media/";
const MANIFEST: &str = "manifest.json";
const SEAL: &str = "SHA256";
/// The seal's header, its content and the end of the archive, in blocks of 512 bytes.
const TAIL: u64 = 4 * 512;
const CHUNK: usize = 1 << 16;
/// So often the watcher is told, in bytes.
const STEP: u64 = 16 << 20;

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The archive's form.
    pub format: u32,
    /// The program that wrote it.
    pub program: String,
    /// The version of the database's schema.
    pub schema_version: i64,
    /// The moment that the database was copied; nothing in it is newer.
    pub created_at: String,
    /// The hash of the newest event of the audit trail.
    pub audit_head: String,
    /// How many users there are.
    pub users: u64,
    /// How many tokens.
    pub tokens: u64,
    /// How many tokens were neither revoked nor past their end.
    pub active_tokens: u64,
    /// How many events the audit trail has.
    pub audit_events: u64,
    /// Media files that were not packed, each with the reason.
    pub left_out: Vec<String>,
    /// Every member but the manifest and the seal.
    pub members: Vec<Member>,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name: `wardroom.db`, or `media/` and a path.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

impl Member {
    /// The path of a media file below the media directory.
    pub(super) fn media(&self) -> Option<&Path> {
        self.name.strip_prefix(MEDIA).map(Path::new)
    }
}

/// An archive that is being written.
pub(super) struct Packer {
    tar: Builder<Sum>,
    path: PathBuf,
    members: Vec<Member>,
    packed: u64,
}

/// A file with the checksum of all that was written to it.
struct Sum {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Packer {
    /// A new archive for its owner alone.
    pub(super) fn new(path: &Path) -> Result<Self, Trouble> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(Trouble::with(path))?);
        let tar = Builder::new(Sum { file, digest: Sha256::new() });
        Ok(Self { tar, path: path.to_owned(), members: Vec::new(), packed: 0 })
    }

    pub(super) fn add_database(&mut self, file: &Path, watch: &Watch) -> Result<(), Trouble> {
        let opened = File::open(file).map_err(Trouble::with(file))?;
        self.add(DATABASE.to_owned(), file, opened, watch)
    }

    /// Adds a media file that was found to be a regular one, by its path below the media directory.
    pub(super) fn add_media(
        &mut self,
        name: &str,
        file: &Path,
        opened: File,
        watch: &Watch,
    ) -> Result<(), Trouble> {
        self.add(format!("{MEDIA}{name}"), file, opened, watch)
    }

    fn add(&mut self, name: String, path: &Path, opened: File, watch: &Watch) -> Result<(), Trouble> {
        let metadata = opened.metadata().map_err(Trouble::with(path))?;
        let size = metadata.len();
        let age = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut header = header(size, metadata.permissions().mode() & 0o777);
        header.set_mtime(age.unwrap_or_default().as_secs());
        let mut source = Source { from: opened.take(size), digest: Sha256::new(), read: 0, failed: false };
        let packed = self.tar.append_data(&mut header, &name, &mut source);
        packed.map_err(Trouble::with(if source.failed { path } else { &self.path }))?;
        if source.read != size {
            return Err(Trouble::File {
                path: path.to_owned(),
                source: io::Error::other("it was cut while it was read"),
            });
        }
        self.members.push(Member { name, size, sha256: hex(source.digest) });
        self.packed += size;
        tell(watch, "packed", "MiB", self.packed >> 20)
    }

    /// Adds the manifest and the seal. The archive is on the disk when this returns.
    pub(super) fn finish(mut self, about: Manifest) -> Result<Manifest, Trouble> {
        let manifest = Manifest { members: self.members, ..about };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::broken("the manifest cannot be written", error))?;
        let unwritable = Trouble::with(&self.path);
        let mut header = header(text.len() as u64, 0o600);
        self.tar.append_data(&mut header, MANIFEST, text.as_slice()).map_err(&unwritable)?;
        let digest = hex(self.tar.get_ref().digest.clone());
        append_seal(&mut self.tar, &digest).map_err(&unwritable)?;
        let sum = self.tar.into_inner().map_err(&unwritable)?;
        let file = sum.file.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.sync_all().map_err(&unwritable)?;
        Ok(manifest)
    }
}

/// A file that is read into an archive, and whose fault it is when that fails.
struct Source {
    from: io::Take<File>,
    digest: Sha256,
    read: u64,
    failed: bool,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer).inspect_err(|_| self.failed = true)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        self.read += read as u64;
        Ok(read)
    }
}

fn header(size: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append_seal<W: Write>(tar: &mut Builder<W>, digest: &str) -> io::Result<()> {
    let content = format!("{digest}\n");
    tar.append_data(&mut header(content.len() as u64, 0o600), SEAL, content.as_bytes())
}

/// All bytes from the seal's header to the end of the archive.
fn tail(digest: &str) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    append_seal(&mut tar, digest)?;
    tar.into_inner()
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An archive whose every byte was found to be as it was written.
pub(super) struct Unpacked {
    pub(super) manifest: Manifest,
    /// The directory in which the database file was put.
    pub(super) database: PathBuf,
    /// The directory below which the media files were put.
    pub(super) media: PathBuf,
}

/// Checks every byte of an archive and unpacks it into a private directory; media files only when they are wanted.
pub(super) fn unpack(path: &Path, into: &Path, media: bool, watch: &Watch) -> Result<Unpacked, Trouble> {
    let mut file = File::open(path).map_err(Trouble::with(path))?;
    check_seal(path, &mut file, watch)?;
    file.seek(SeekFrom::Start(0)).map_err(Trouble::with(path))?;
    let room = Room { database: into.join("database"), media: into.join(MEDIA), wanted: media };
    let (manifest, found) = room.members(path, file)?;
    if manifest.members != found {
        return Err(not_ours(path, "its members are not those that its manifest lists"));
    }
    Ok(Unpacked { manifest, database: room.database, media: room.media })
}

fn not_ours(path: &Path, why: impl std::fmt::Display) -> Trouble {
    Trouble::Damaged {
        path: path.to_owned(),
        what: format!("is not a backup that this program can use: {why}"),
    }
}

/// Compares the seal, and all that follows from it, with the bytes of the file.
fn check_seal(path: &Path, file: &mut File, watch: &Watch) -> Result<(), Trouble> {
    let unreadable = Trouble::with(path);
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
        |what: &str| Trouble::Damaged { path: path.to_owned(), what: format!("is damaged: {what}") };
    let covered = metadata.len().checked_sub(TAIL).ok_or_else(|| damaged("it is cut off"))?;
    let mut told = 0;
    let (read, digest) = digest(&mut file.take(covered), &unreadable, |chunk| {
        told += chunk.len() as u64;
        if told % STEP < chunk.len() as u64 { tell(watch, "checked", "MiB", told >> 20) } else { Ok(()) }
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
    fn members(&self, path: &Path, file: File) -> Result<(Manifest, Vec<Member>), Trouble> {
        let foreign = |error: io::Error| not_ours(path, error);
        let (mut manifest, mut found, mut names) = (None, Vec::new(), BTreeSet::new());
        let mut archive = Archive::new(BufReader::with_capacity(CHUNK, file));
        for entry in archive.entries().map_err(foreign)? {
            let mut entry = entry.map_err(foreign)?;
            let name = String::from_utf8(entry.path_bytes().into_owned());
            let name = name.map_err(|_| not_ours(path, "a member's name is not UTF-8"))?;
            if entry.header().entry_type() != EntryType::Regular {
                return Err(not_ours(path, format!("{name:?} is no regular file")));
            }
            if !names.insert(name.clone()) {
                return Err(not_ours(path, format!("{name:?} is in it twice")));
            }
            match name.as_str() {
                MANIFEST => manifest = Some(read_manifest(path, &mut entry)?),
                SEAL => {}
                _ => {
                    let to =
                        self.place(&name).ok_or_else(|| not_ours(path, format!("{name:?} has no place")))?;
                    let to = (name == DATABASE || self.wanted).then_some(to);
                    let header = entry.header();
                    let about = (header.mode().unwrap_or(0o600), header.mtime().unwrap_or_default());
                    let (size, sha256) = pour(path, &mut entry, to.as_deref(), about)?;
                    found.push(Member { name, size, sha256 });
                }
            }
        }
        if !names.contains(DATABASE) {
            return Err(not_ours(path, "there is no database in it"));
        }
        let manifest = manifest.ok_or_else(|| not_ours(path, "there is no manifest in it"))?;
        Ok((manifest, found))
    }

    /// Where a member is put; none for a name that leads elsewhere.
    fn place(&self, name: &str) -> Option<PathBuf> {
        if name == DATABASE {
            return Some(self.database.join(name));
        }
        let below = name.strip_prefix(MEDIA).filter(|below| !below.is_empty() && !below.contains('\0'))?;
        let path = Path::new(below);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        // A name that is not spelled as the path it means would be listed under another one.
        let spelled = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        (plain && spelled).then(|| self.media.join(path))
    }
}

fn read_manifest(path: &Path, entry: &mut impl Read) -> Result<Manifest, Trouble> {
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
) -> Result<(u64, String), Trouble> {
    let mut out = match to {
        None => None,
        Some(to) => {
            let parent = files::parent(to);
            fs::create_dir_all(&parent).map_err(Trouble::with(&parent))?;
            let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
            Some((created.map_err(Trouble::with(to))?, to))
        }
    };
    let (size, digest) = digest(entry, &|error| not_ours(path, error), |chunk| match &mut out {
        Some((out, to)) => out.write_all(chunk).map_err(Trouble::with(to)),
        None => Ok(()),
    })?;
    if let Some((out, to)) = out {
        let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(age));
        let kept = out.set_permissions(Permissions::from_mode(mode & 0o777));
        kept.and_then(|()| modified.map_or(Ok(()), |at| out.set_modified(at)))
            .and_then(|()| out.sync_all())
            .map_err(Trouble::with(to))?;
    }
    Ok((size, digest))
}

/// Reads to the end; the size and the checksum of all that was read, each piece of which is handed on.
pub(super) fn digest(
    from: &mut impl Read,
    unreadable: &dyn Fn(io::Error) -> Trouble,
    mut each: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<(u64, String), Trouble> {
    let (mut digest, mut buffer, mut size) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        let read = from.read(&mut buffer).map_err(unreadable)?;
        let chunk = buffer.get(..read).unwrap_or_default();
        if chunk.is_empty() {
            return Ok((size, hex(digest)));
        }
        digest.update(chunk);
        size += read as u64;
        each(chunk)?;
    }
}
