//! Creates Unix sockets. The file of a dead server is replaced, that of a living one is left alone.
//!
//! Two servers may start at once. So the directory is locked between the look at an old file and the creation of the new
//! one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::{Instant, sleep};

use crate::paths::{UnsafePath, check_parent, remedy};

/// The length of the queue of clients that wait to be accepted. The system may have a smaller limit.
const BACKLOG: u32 = 4096;
/// The bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o777;
/// How long to wait while another program has locked the directory.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why a Unix socket cannot be created, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum UnixSocketError {
    /// A server listens there.
    #[error("{}: stop it or choose another path", alive(*.0))]
    Alive(Option<i32>),
    /// Something else than a socket has the path.
    #[error("there is {0}, and no socket: move it away or choose another path")]
    NotASocket(&'static str),
    /// The directory is missing.
    #[error("the directory {} does not exist: create it or choose another path", .0.display())]
    NoDirectory(PathBuf),
    /// Other accounts could replace the file.
    #[error(transparent)]
    Unsafe(UnsafePath),
    /// Another program keeps the directory locked.
    #[error("another program has locked the directory {}: try again", .0.display())]
    Locked(PathBuf),
    /// The system refuses.
    #[error("{source}: {}", remedy(source))]
    Refused {
        /// Its error.
        #[from]
        source: io::Error,
    },
}

fn alive(process: Option<i32>) -> String {
    let name = process.and_then(|id| fs::read_to_string(format!("/proc/{id}/comm")).ok());
    match (process, name) {
        (Some(id), Some(name)) => format!("the program {} (process {id}) listens there", name.trim_end()),
        (Some(id), None) => format!("process {id} listens there"),
        (None, _) => "a program that this account may not connect to has this socket".to_owned(),
    }
}

/// The file of a socket. It is removed when this is dropped, unless another socket has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the file of a socket");
        }
    }
}

/// Creates a Unix socket with this mode.
pub(super) async fn bind(path: &Path, mode: u32) -> Result<(SocketFile, UnixListener), UnixSocketError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    check_parent(directory).map_err(|error| unusable(directory, error))?;
    let lock = File::open(directory)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    while let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        if error != Errno::WOULDBLOCK || Instant::now() >= deadline {
            return Err(UnixSocketError::Locked(directory.to_owned()));
        }
        sleep(LOCK_PAUSE).await;
    }
    remove_stale(path).await?;
    let socket = UnixSocket::new_stream()?;
    // On Linux the file gets the mode of the socket, less the umask: at no time is it open to more accounts.
    fchmod(&socket, Mode::from_bits_truncate(mode)).map_err(io::Error::from)?;
    socket.bind(path)?;
    let found = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), id: (found.dev(), found.ino()) };
    if found.permissions().mode() & PERMISSIONS != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok((file, socket.listen(BACKLOG)?))
}

fn unusable(directory: &Path, error: UnsafePath) -> UnixSocketError {
    match error {
        UnsafePath::Unusable { source, .. } if source.kind() == ErrorKind::NotFound => {
            UnixSocketError::NoDirectory(directory.to_owned())
        }
        error => UnixSocketError::Unsafe(error),
    }
}

/// Removes the file of a socket that no program listens on.
async fn remove_stale(path: &Path) -> Result<(), UnixSocketError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match kind {
        _ if kind.is_socket() => {}
        _ if kind.is_symlink() => return Err(UnixSocketError::NotASocket("a symbolic link")),
        _ if kind.is_dir() => return Err(UnixSocketError::NotASocket("a directory")),
        _ => return Err(UnixSocketError::NotASocket("a file")),
    }
    match UnixStream::connect(path).await {
        Ok(stream) => Err(UnixSocketError::Alive(stream.peer_cred().ok().and_then(|peer| peer.pid()))),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Its queue is full, it is closed to this account, or it is no socket for streams.
        Err(_) => Err(UnixSocketError::Alive(None)),
    }
}
