//! The archive: a plain tar that an operator can open by hand, of which every byte is covered by a checksum.
//!
//! Its members are the database, the media files, a manifest with the checksum of each, and last a seal: the
//! SHA-256 of every byte before it. All that follows from the seal (its header, padding, the end of the archive) can
//! be computed, and is compared byte by byte. So there is no byte that could change unseen.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::directory::error::Error;
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer_error::TransferError;

/// The form of archive that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const DATABASE: &str = "wardroom.db";
pub(super) const MEDIA: &str = "media/";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SEAL: &str = "SHA256";
/// The seal's header, its content and the end of the archive, in blocks of 512 bytes.
pub(super) const TAIL: u64 = 4 * 512;
pub(super) const CHUNK: usize = 1 << 16;
/// The mode of a database: it is its owner's alone.
pub(super) const DATABASE_MODE: u32 = 0o600;
/// The mode of a media file: whoever serves them is another user. What keeps others out is the data directory.
pub(super) const MEDIA_MODE: u32 = 0o644;

/// What was left out is listed so far.
pub(super) const MOST_LEFT_OUT: usize = 1000;

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
    pub(super) fn new(path: &Path) -> Result<Self, TransferError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(TransferError::with(path))?);
        let tar = Builder::new(Sum { file, digest: Sha256::new() });
        Ok(Self { tar, path: path.to_owned(), members: Vec::new(), packed: 0 })
    }

    pub(super) fn add_database(&mut self, file: &Path, progress: &Progress) -> Result<(), TransferError> {
        let opened = File::open(file).map_err(TransferError::with(file))?;
        self.add(DATABASE.to_owned(), DATABASE_MODE, file, opened, progress)
    }

    /// Adds a media file that was found to be a regular one, by its path below the media directory.
    pub(super) fn add_media(
        &mut self,
        name: &str,
        file: &Path,
        opened: File,
        progress: &Progress,
    ) -> Result<(), TransferError> {
        self.add(format!("{MEDIA}{name}"), MEDIA_MODE, file, opened, progress)
    }

    fn add(
        &mut self,
        name: String,
        mode: u32,
        path: &Path,
        opened: File,
        progress: &Progress,
    ) -> Result<(), TransferError> {
        let metadata = opened.metadata().map_err(TransferError::with(path))?;
        let size = metadata.len();
        let age = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut header = header(size, mode);
        header.set_mtime(age.unwrap_or_default().as_secs());
        let mut source = Source { from: opened.take(size), digest: Sha256::new(), read: 0, failed: false };
        let packed = self.tar.append_data(&mut header, &name, &mut source);
        packed.map_err(TransferError::with(if source.failed { path } else { &self.path }))?;
        if source.read != size {
            return Err(TransferError::File {
                path: path.to_owned(),
                source: io::Error::other("it was cut while it was read"),
            });
        }
        self.members.push(Member { name, size, sha256: hex(source.digest) });
        self.packed += size;
        Ok(progress.report(Stage::Packing, "MiB", self.packed >> 20)?)
    }

    /// Adds the manifest and the seal. The archive is on the disk when this returns.
    pub(super) fn finish(mut self, about: Manifest) -> Result<Manifest, TransferError> {
        let manifest = Manifest { members: self.members, ..about };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::broken("the manifest cannot be written", error))?;
        let unwritable = TransferError::with(&self.path);
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
pub(super) fn tail(digest: &str) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    append_seal(&mut tar, digest)?;
    tar.into_inner()
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads to the end; the size and the checksum of all that was read, each piece of which is handed on.
pub(super) fn digest(
    from: &mut impl Read,
    unreadable: &dyn Fn(io::Error) -> TransferError,
    mut each: impl FnMut(&[u8]) -> Result<(), TransferError>,
) -> Result<(u64, String), TransferError> {
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
