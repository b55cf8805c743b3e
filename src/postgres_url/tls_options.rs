//! How TLS is used.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};

/// How the server's certificate is checked, and which certificate is shown to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    /// The file with the trusted roots; `None` means the roots of this machine.
    pub(crate) roots: Option<PathBuf>,
    /// Whether the certificate must be for the host of the URL.
    pub(crate) check_host: bool,
    /// The files of the client's certificate and of its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// Whether the handshake begins without PostgreSQL's own request (`sslnegotiation=direct`).
    pub(crate) is_direct: bool,
}

/// Makes the driver use TLS, with the handshake that the options name.
pub(super) fn require_tls(config: &mut Config, options: &TlsOptions) {
    config.ssl_mode(SslMode::Require);
    if options.is_direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
}
