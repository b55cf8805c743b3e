//! The sockets of a server: those that the service manager passes, or those of the setting `listen`.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use listenfd::ListenFd;
use rustix::net::sockopt::{set_ipv6_v6only, socket_acceptconn};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::report::CliError;
use crate::config::{Config, ListenAddress, passed_socket_names};
use crate::server::{Socket, UnixSocketError};

/// The length of the queue of clients that wait to be accepted. The system may have a smaller limit.
const BACKLOG: u32 = 1024;

/// The sockets of a server.
pub(super) struct Listeners {
    pub(super) sockets: Vec<Listening>,
    pub(super) metrics: Option<TcpListener>,
}

/// One of them.
pub(super) struct Listening {
    pub(super) socket: Socket,
    /// The name that the service manager gives it, if it was passed.
    pub(super) passed_as: Option<String>,
}

impl Listeners {
    /// Takes the sockets that the service manager passes. If there are none, opens those of `listen`.
    pub(super) async fn open(config: &Config) -> Result<Self, CliError> {
        let mut sockets = passed()?;
        let is_passed = !sockets.is_empty();
        if is_passed && !config.has_default_listen() {
            tracing::warn!(
                "the service manager passes sockets, so the setting listen is ignored: to listen elsewhere, change \
                 ListenStream= of the socket unit"
            );
        }
        for address in config.listen.iter().filter(|_| !is_passed) {
            let socket = open(address, &config.listen).await?;
            sockets.push(Listening { socket, passed_as: None });
        }
        if config.trusted_proxies.trusts(None) {
            sockets
                .iter()
                .filter_map(open_to_everyone)
                .for_each(|path| tracing::warn!("{}", open_socket(&path)));
        }
        let metrics = match config.metrics_listen {
            Some(address) => Some(open_tcp(address, false, "metrics_listen").await?),
            None => None,
        };
        Ok(Self { sockets, metrics })
    }

    /// Whether only programs on this machine can connect.
    pub(super) fn are_local(&self) -> bool {
        self.sockets.iter().all(|listening| listening.socket.is_local())
    }

    /// The address of the first TCP socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.sockets.iter().find_map(|listening| match &listening.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        })
    }

    /// The addresses of all TCP sockets.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let sockets = self.sockets.iter().filter_map(|listening| match &listening.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        });
        let metrics = self.metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        sockets.chain(metrics).collect()
    }

    /// The name of the first socket.
    pub(super) fn first(&self) -> Option<String> {
        self.sockets.first().map(|listening| listening.socket.name())
    }
}

/// Takes the sockets that systemd or another parent passes, so that no connection is refused during a restart.
fn passed() -> Result<Vec<Listening>, CliError> {
    let (mut fds, names) = (ListenFd::from_env(), passed_socket_names());
    let mut sockets = Vec::new();
    for index in 0..fds.len() {
        let name = names.get(index).cloned().unwrap_or_else(|| "unknown".to_owned());
        match take(&mut fds, index) {
            Ok(Some(socket)) => sockets.push(Listening { socket, passed_as: Some(name) }),
            Ok(None) => {}
            Err(error) => {
                let number = index + 1;
                return Err(CliError::usage(format!(
                    "cannot use socket {number} ({name}) that the service manager passed: {error}; pass sockets that \
                     listen for streams (systemd: ListenStream= and Accept=no)"
                )));
            }
        }
    }
    Ok(sockets)
}

/// The name of a Unix socket that every account of this machine can connect to.
fn open_to_everyone(listening: &Listening) -> Option<String> {
    let Socket::Unix(_, listener) = &listening.socket else { return None };
    let name = listener.local_addr().ok()?;
    match name.as_pathname() {
        Some(path) => is_open_to_everyone(path).then(|| format!("unix:{}", path.display())),
        // One without a file has no mode.
        None => Some(listening.socket.name()),
    }
}

/// Whether every account of this machine can connect to the Unix socket that has this path now.
pub(super) fn is_open_to_everyone(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|found| found.file_type().is_socket() && found.permissions().mode() & 0o002 != 0)
}

/// Why a socket like this must not be trusted.
pub(super) fn open_socket(name: &str) -> String {
    format!(
        "every account of this machine can connect to {name}, and trusted_proxies has unix: each of them can name any address in \
         X-Forwarded-For; use mode=660 (systemd: SocketMode=0660) and a group that only the proxy is in"
    )
}

fn take(fds: &mut ListenFd, index: usize) -> io::Result<Option<Socket>> {
    // The first attempt leaves a socket of the other kind where it is.
    if let Ok(taken) = fds.take_unix_listener(index) {
        let Some(listener) = taken else { return Ok(None) };
        check(socket_acceptconn(&listener)?)?;
        listener.set_nonblocking(true)?;
        return Ok(Some(Socket::Unix(None, UnixListener::from_std(listener)?)));
    }
    let Some(listener) = fds.take_tcp_listener(index)? else { return Ok(None) };
    check(socket_acceptconn(&listener)?)?;
    listener.set_nonblocking(true)?;
    Ok(Some(Socket::Tcp(TcpListener::from_std(listener)?)))
}

fn check(is_listening: bool) -> io::Result<()> {
    if is_listening { Ok(()) } else { Err(io::Error::other("it does not listen")) }
}

async fn open(address: &ListenAddress, all: &[ListenAddress]) -> Result<Socket, CliError> {
    match address {
        ListenAddress::Tcp(address) => {
            let ipv4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            // Without this, `[::]` would take the place of `0.0.0.0`.
            let is_half = address.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED)
                && address.port() != 0
                && all.contains(&ListenAddress::Tcp(ipv4));
            open_tcp(*address, is_half, "listen").await.map(Socket::Tcp)
        }
        ListenAddress::Unix { path, mode } => Socket::bind_unix(path, *mode).await.map_err(|error| {
            let message = format!("listen: cannot listen on unix:{}: {error}", path.display());
            match error {
                UnixSocketError::Alive(_) | UnixSocketError::Locked(_) => CliError::address_in_use(message),
                _ => CliError::usage(message),
            }
        }),
    }
}

/// Opens a TCP socket, for IPv6 alone if `is_half`.
async fn open_tcp(address: SocketAddr, is_half: bool, setting: &str) -> Result<TcpListener, CliError> {
    let opened = if is_half { open_half(address) } else { TcpListener::bind(address).await };
    opened.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program uses this address, perhaps a second server (ss -ltnp names it): stop it or choose another port"
            }
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a special privilege: choose another port"
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have this address",
            _ => "choose another address",
        };
        let message = format!("{setting}: cannot listen on {address} ({error}): {remedy}");
        match error.kind() {
            io::ErrorKind::AddrInUse => CliError::address_in_use(message),
            _ => CliError::usage(message),
        }
    })
}

fn open_half(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    set_ipv6_v6only(&socket, true)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
