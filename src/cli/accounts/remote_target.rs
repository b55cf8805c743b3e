//! `--remote`: which server, and whose token.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use http::HeaderValue;

use crate::cli::report::CliError;
use crate::paths::remedy;
use crate::switchover::parity::address::ServerUrl;

/// The flags of the commands about users, groups, tokens, permissions and the audit trail.
#[derive(Args, Clone, Default)]
pub(in crate::cli) struct RemoteFlags {
    /// Work through the API of this server, such as https://accounts.example.com, instead of in the database.
    #[arg(long, value_name = "URL", global = true, hide = true)]
    remote: Option<String>,
    /// The file with the key of the token to use with --remote, in its first line.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    token_file: Option<PathBuf>,
    /// A PEM file with a CA certificate to trust with --remote in addition to the system's.
    #[arg(long, value_name = "FILE", global = true, hide = true)]
    remote_ca: Option<PathBuf>,
}

/// A server and the token to use there.
pub(super) struct RemoteTarget {
    pub(super) url: ServerUrl,
    authorization: HeaderValue,
    pub(super) ca_file: Option<PathBuf>,
}

impl RemoteTarget {
    pub(super) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }
}

impl RemoteFlags {
    /// Whether any of them was given.
    pub(in crate::cli) fn are_given(&self) -> bool {
        self.remote.is_some() || self.token_file.is_some() || self.remote_ca.is_some()
    }

    /// Returns the server, or `None` if the command works in the database.
    pub(super) fn target(&self) -> Result<Option<RemoteTarget>, CliError> {
        let (remote, file) = match (&self.remote, &self.token_file) {
            (Some(remote), Some(file)) => (remote, file),
            (None, None) if self.remote_ca.is_none() => return Ok(None),
            (Some(_), None) => {
                return Err(CliError::usage("--remote needs --token-file FILE, the file with a key"));
            }
            (None, _) => {
                return Err(CliError::usage(
                    "--token-file and --remote-ca need --remote URL, the server to work on",
                ));
            }
        };
        if remote.starts_with("unix:") {
            return Err(CliError::usage(
                "--remote does not connect to Unix sockets: on the server's machine, run the command without --remote; \
                 from elsewhere, use the URL of the server, such as https://accounts.example.com",
            ));
        }
        // The URL is not quoted, because it may hold a password.
        let url = ServerUrl::parse(remote).ok_or_else(|| {
            CliError::usage(
                "--remote is not the URL of a server: use one such as https://accounts.example.com",
            )
        })?;
        let is_local = url.host == "localhost" || url.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !url.secure && !is_local {
            return Err(CliError::usage("--remote would send the key in clear text: use https://"));
        }
        if !url.secure && self.remote_ca.is_some() {
            return Err(CliError::usage(
                "--remote-ca has no effect with http://: leave it out, or use https://",
            ));
        }
        Ok(Some(RemoteTarget { url, authorization: authorization(file)?, ca_file: self.remote_ca.clone() }))
    }
}

/// Reads a key. Its file must not be readable by every user of the machine.
fn authorization(file: &Path) -> Result<HeaderValue, CliError> {
    let wrong = |why: &str| CliError::usage(format!("--token-file {}: {why}", file.display()));
    let unreadable = |error: io::Error| wrong(&format!("{error}: {}", remedy(&error)));
    let mode = fs::metadata(file).map_err(unreadable)?.mode();
    if mode & 0o007 != 0 {
        return Err(wrong("every user of this machine can read or change it: run `chmod 600` on it"));
    }
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(wrong("its first line must be the key of a token, and nothing else"));
    }
    let mut value = HeaderValue::from_str(&format!("Token {key}"))
        .map_err(|_| wrong("its first line has characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}
