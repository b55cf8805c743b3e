//! How the connection to a server is protected.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How the connection to a server is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// TLS, with the server's certificate verified.
    Tls,
    /// The server is on this machine.
    Local,
    /// The connection to this host is unprotected, and the URL allows that (`sslmode=disable`).
    Disabled(String),
    /// The connection to this host would be unprotected, and the URL does not allow that.
    Missing(String),
}

impl Protection {
    /// Returns the protection that a URL requests. If it names several hosts, the least protected one counts, because
    /// any of them may be used.
    pub(super) fn of(config: &Config) -> Self {
        match (config.get_ssl_mode(), remote_host(config)) {
            (SslMode::Require, _) => Self::Tls,
            (_, None) => Self::Local,
            (SslMode::Disable, Some(host)) => Self::Disabled(host),
            (_, Some(host)) => Self::Missing(host),
        }
    }
}

/// Returns the first host that is neither a socket nor a loopback address. An address in `hostaddr` takes precedence
/// over the name.
fn remote_host(config: &Config) -> Option<String> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    if !addresses.is_empty() {
        return addresses.iter().find(|address| !is_loopback(**address)).map(ToString::to_string);
    }
    hosts.iter().find_map(|host| match host {
        Host::Unix(_) => None,
        Host::Tcp(name) if name.eq_ignore_ascii_case("localhost") => None,
        Host::Tcp(name) if name.parse().is_ok_and(is_loopback) => None,
        Host::Tcp(name) => Some(name.clone()),
    })
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
