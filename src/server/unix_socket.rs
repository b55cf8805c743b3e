//! Creates Unix sockets. The file of a dead server is replaced, that of a living one is left alone.
//!
//! Two servers may start at once. So the directory is locked between the look at an old file and the creation of the new
//! one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, flock, open};
use rustix::io::Errno;
use rustix::process::geteuid;
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
    /// Something else has the path that was just given to the socket.
    #[error(
        "another program has replaced the file of the socket: choose a directory that only this account can write, and not {}",
        .0.display()
    )]
    Replaced(PathBuf),
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
    check_socket_directory(path)?;
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
    let file = own_file(path, mode)?;
    Ok((file, socket.listen(BACKLOG)?))
}

/// Gives the file of a new socket its mode, where the umask has kept it from that. Who may write the directory may have put
/// something else there since, such as a link to another file: so the mode is given to what was opened and looked at, and no
/// link is followed.
fn own_file(path: &Path, mode: u32) -> Result<SocketFile, UnixSocketError> {
    let replaced = || UnixSocketError::Replaced(path.parent().unwrap_or(Path::new("/")).to_owned());
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = File::from(open(path, flags, Mode::empty()).map_err(|_| replaced())?);
    let found = opened.metadata()?;
    if !found.file_type().is_socket() || found.uid() != geteuid().as_raw() {
        return Err(replaced());
    }
    if found.permissions().mode() & PERMISSIONS != mode {
        // The entry of an open file in /proc is that file, whatever has its path now.
        let entry = format!("/proc/self/fd/{}", opened.as_raw_fd());
        fs::set_permissions(entry, fs::Permissions::from_mode(mode))?;
    }
    Ok(SocketFile { path: path.to_owned(), id: (found.dev(), found.ino()) })
}

/// Checks the directory of a Unix socket as [`bind`] does, and creates nothing.
pub fn check_socket_directory(path: &Path) -> Result<(), UnixSocketError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    check_parent(directory).map(|_| ()).map_err(|error| unusable(directory, error))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener as StdListener;

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & PERMISSIONS
    }

    /// Guards against a directory whose owner replaces the socket of a server that runs as root, before it gets its mode.
    #[test]
    fn only_the_socket_itself_gets_the_mode() {
        let place = tempfile::tempdir().unwrap();
        let secret = place.path().join("secret");
        fs::write(&secret, "").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let link = place.path().join("link");
        symlink(&secret, &link).unwrap();
        let socket = place.path().join("socket");
        let _listener = StdListener::bind(&socket).unwrap();
        let to_socket = place.path().join("to-socket");
        symlink(&socket, &to_socket).unwrap();
        let before = mode_of(&socket);
        for path in [&secret, &link, &to_socket, &place.path().join("missing")] {
            let refused = own_file(path, 0o666).unwrap_err();
            assert!(matches!(refused, UnixSocketError::Replaced(_)), "{}: {refused}", path.display());
        }
        assert_eq!((mode_of(&secret), mode_of(&socket)), (0o600, before));
        let _file = own_file(&socket, 0o666).unwrap();
        assert_eq!(mode_of(&socket), 0o666);
    }
}
