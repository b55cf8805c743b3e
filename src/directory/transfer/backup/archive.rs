//! Writing an archive: a plain tar file that an operator can open by hand, with every byte covered by a checksum.
//!
//! Its members are the database, the media files, a manifest with the checksum of each, and last the seal: the SHA-256
//! of every byte before it. The bytes after that digest (padding, end of the archive) and the seal's header follow from
//! it: they are computed and compared byte by byte. So no byte can change unnoticed.

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

/// The archive format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const DATABASE: &str = "wardroom.db";
pub(super) const MEDIA: &str = "media/";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SEAL: &str = "SHA256";
/// The seal's header, its content and the end of the archive, in blocks of 512 bytes.
pub(super) const TAIL: u64 = 4 * 512;
pub(super) const CHUNK: usize = 1 << 16;
/// The mode of a database file: only its owner can read it.
pub(super) const DATABASE_MODE: u32 = 0o600;
/// The mode of a media file: the web server that serves it runs as another user. The mode of the data directory keeps
/// others out.
pub(super) const MEDIA_MODE: u32 = 0o644;

/// The number of lines after which the list of what was left out is cut.
pub(super) const MAX_LEFT_OUT: usize = 1000;

/// What an archive contains. It is written as the last member before the seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the archive.
    pub format: u32,
    /// The program that wrote it.
    pub program: String,
    /// The version of the database's schema.
    pub schema_version: i64,
    /// When the database was copied. Nothing in it is newer.
    pub created_at: String,
    /// The hash of the newest audit event.
    pub audit_head: String,
    /// The number of users.
    pub users: u64,
    /// The number of tokens.
    pub tokens: u64,
    /// The number of tokens that were neither revoked nor expired.
    pub active_tokens: u64,
    /// The number of audit events.
    pub audit_events: u64,
    /// Media files and other things that were left out, each with the reason.
    pub left_out: Vec<String>,
    /// Every member but the manifest and the seal.
    pub members: Vec<ArchiveMember>,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMember {
    /// Its name: `wardroom.db`, or `media/` and a path.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

impl ArchiveMember {
    /// Returns the path below the media directory, for a media file.
    pub(super) fn media(&self) -> Option<&Path> {
        self.name.strip_prefix(MEDIA).map(Path::new)
    }
}

/// An archive that is being written.
pub(super) struct ArchiveWriter {
    tar: Builder<HashingWriter>,
    path: PathBuf,
    members: Vec<ArchiveMember>,
    packed: u64,
}

/// A file, and the checksum of everything written to it.
struct HashingWriter {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ArchiveWriter {
    /// Creates an archive that only its owner can read.
    pub(super) fn new(path: &Path) -> Result<Self, TransferError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(TransferError::with(path))?);
        let tar = Builder::new(HashingWriter { file, digest: Sha256::new() });
        Ok(Self { tar, path: path.to_owned(), members: Vec::new(), packed: 0 })
    }

    pub(super) fn add_database(&mut self, file: &Path, progress: &Progress) -> Result<(), TransferError> {
        let opened = File::open(file).map_err(TransferError::with(file))?;
        self.add(DATABASE.to_owned(), DATABASE_MODE, file, opened, progress)
    }

    /// Adds a regular file under its path below the media directory.
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
        let mut source =
            HashingReader { from: opened.take(size), digest: Sha256::new(), read: 0, failed: false };
        let packed = self.tar.append_data(&mut header, &name, &mut source);
        packed.map_err(TransferError::with(if source.failed { path } else { &self.path }))?;
        if source.read != size {
            return Err(TransferError::File {
                path: path.to_owned(),
                source: io::Error::other("it was truncated while it was read"),
            });
        }
        self.members.push(ArchiveMember { name, size, sha256: hex(source.digest) });
        self.packed += size;
        Ok(progress.report(Stage::Packing, "MiB", self.packed >> 20)?)
    }

    /// Adds the manifest and the seal. The archive is on disk when this returns.
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

/// A file that is read into an archive. It remembers whether reading failed, as opposed to writing the archive.
struct HashingReader {
    from: io::Take<File>,
    digest: Sha256,
    read: u64,
    failed: bool,
}

impl Read for HashingReader {
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

/// Computes all bytes from the seal's header to the end of the archive.
pub(super) fn tail(digest: &str) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    append_seal(&mut tar, digest)?;
    tar.into_inner()
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads to the end and returns the size and the SHA-256. Each chunk is passed to `each`.
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
