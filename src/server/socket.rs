//! Listening sockets, and the connections that they accept: TCP and Unix.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::service::PeerAddress;
use super::unix_socket::{SocketFile, UnixSocketError, bind};
use crate::network::canonical_peer;

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Socket {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// A Unix socket, and its file if this process has created it. The file is removed when it is dropped.
    Unix(Option<SocketFile>, UnixListener),
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Socket {
    /// Creates a Unix socket with this mode.
    pub async fn bind_unix(path: &Path, mode: u32) -> Result<Self, UnixSocketError> {
        let (file, listener) = bind(path, mode).await?;
        Ok(Self::Unix(Some(file), listener))
    }

    /// Where clients find it, as text.
    pub fn name(&self) -> String {
        let known = match self {
            Self::Tcp(listener) => listener.local_addr().map(|address| address.to_string()),
            Self::Unix(_, listener) => listener.local_addr().map(|address| match address.as_pathname() {
                Some(path) => format!("unix:{}", path.display()),
                None => "unix:".to_owned(),
            }),
        };
        known.unwrap_or_else(|error| error.to_string())
    }

    /// Whether only programs on this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
            }
            Self::Unix(..) => true,
        }
    }

    /// Takes the guard of its file: when that is dropped, no client finds the socket any more.
    pub(super) fn take_file(&mut self) -> Option<SocketFile> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(file, _) => file.take(),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(PlainStream, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((PlainStream::Tcp(stream), PeerAddress::Ip(canonical_peer(address))))
            }
            Self::Unix(_, listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((PlainStream::Unix(stream), PeerAddress::Unix))
            }
        }
    }
}

/// A connection on the runtime that has accepted it.
pub(super) enum PlainStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection on its way to a worker.
pub(super) enum DetachedStream {
    Tcp(std::net::TcpStream),
    Unix(StdUnixStream),
}

impl PlainStream {
    /// Writes as much as there is room for.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    /// Takes it off its runtime.
    pub(super) fn detach(self) -> io::Result<DetachedStream> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(DetachedStream::Tcp),
            Self::Unix(stream) => stream.into_std().map(DetachedStream::Unix),
        }
    }
}

impl DetachedStream {
    /// Puts it on the runtime of this thread.
    pub(super) fn attach(self) -> io::Result<PlainStream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(PlainStream::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(PlainStream::Unix),
        }
    }
}
