//! The type of the setting `listen`: addresses and Unix sockets.
//!
//! Never in here: opening a socket, or looking at the file system.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::values::{SettingType, joined};
use super::{Config, SETTINGS};

/// What precedes the path of a Unix socket.
const UNIX: &str = "unix:";
/// What precedes the mode of a Unix socket.
const MODE: &str = "mode=";
/// The mode of a socket without one: only the server's own account may connect.
const DEFAULT_MODE: u32 = 0o600;
/// The bits that the server's own account must have: a command on this machine checks whether a server is alive.
const OWN: u32 = 0o600;
/// The longest path of a Unix socket in bytes, without the zero byte at its end (`sun_path` of Linux has 108 bytes).
const PATH_MAX: usize = 107;
const EXAMPLE: &str = "unix:/run/wardroom/http.sock";

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// The absolute path of its file.
        path: PathBuf,
        /// The permissions of its file.
        mode: u32,
    },
}

impl ListenAddress {
    /// Whether only programs on this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix { .. } => true,
        }
    }

    /// Whether every account of this machine can connect to this Unix socket.
    pub fn is_open_to_everyone(&self) -> bool {
        matches!(self, Self::Unix { mode, .. } if mode & 0o002 != 0)
    }

    /// Whether one socket cannot be opened because of the other, or would be the same.
    fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                one.port() == other.port() && one.port() != 0 && share_addresses(one.ip(), other.ip())
            }
            (Self::Unix { path: one, .. }, Self::Unix { path: other, .. }) => one == other,
            _ => false,
        }
    }
}

/// Whether a socket of one address also accepts connections to the other. `0.0.0.0` and `[::]` are a pair that both
/// families are served with.
fn share_addresses(one: IpAddr, other: IpAddr) -> bool {
    let (one, other) = (one.to_canonical(), other.to_canonical());
    let covers = |whole: IpAddr, part: IpAddr| match whole {
        IpAddr::V4(_) => whole.is_unspecified() && part.is_ipv4(),
        IpAddr::V6(_) => whole.is_unspecified() && !(part.is_ipv4() && part.is_unspecified()),
    };
    one == other || covers(one, other) || covers(other, one)
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix { path, mode: DEFAULT_MODE } => write!(f, "{UNIX}{}", path.display()),
            Self::Unix { path, mode } => write!(f, "{UNIX}{}?{MODE}{mode:03o}", path.display()),
        }
    }
}

/// The addresses to listen on: at least one.
#[derive(Debug)]
pub enum ListenAddrs {}

impl SettingType for ListenAddrs {
    type Parsed = Vec<ListenAddress>;
    const NAME: &'static str = "ADDRESSES";
    const LIST: bool = true;

    fn allowed() -> String {
        format!(
            "{}, or the path of a Unix socket, such as {EXAMPLE} or {EXAMPLE}?mode=660; separate several with commas",
            SocketAddr::allowed()
        )
    }

    fn parse(text: &str) -> Result<Vec<ListenAddress>, String> {
        addresses(text).map_err(|(part, _)| part)
    }

    fn reason(text: &str) -> Option<String> {
        let (part, why) = addresses(text).err()?;
        why.map(|why| format!("{part:?} {why}"))
    }

    fn show(value: &Vec<ListenAddress>) -> String {
        joined(value)
    }
}

impl Config {
    /// Whether `listen` has its default.
    pub fn has_default_listen(&self) -> bool {
        let default = SETTINGS.iter().find(|setting| setting.key == "listen").map(|setting| setting.default);
        default.and_then(|text| ListenAddrs::parse(text).ok()).is_some_and(|default| default == self.listen)
    }
}

/// A part of a text that is not allowed, and why, if there is more to say than what is allowed.
type Fault = (String, Option<String>);

fn addresses(text: &str) -> Result<Vec<ListenAddress>, Fault> {
    let mut found: Vec<ListenAddress> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let address = address(item).map_err(|why| (item.to_owned(), why))?;
        if let Some(other) = found.iter().find(|other| other.collides_with(&address)) {
            let why = match *other == address {
                true => "is listed twice; list it once".to_owned(),
                false => format!("and \"{other}\" of the same list are one place; list one of them"),
            };
            return Err((item.to_owned(), Some(why)));
        }
        found.push(address);
    }
    Ok(found)
}

fn address(item: &str) -> Result<ListenAddress, Option<String>> {
    if let Ok(address) = item.parse() {
        return Ok(ListenAddress::Tcp(address));
    }
    if let Some(rest) = item.strip_prefix(UNIX) {
        return unix(rest).map_err(Some);
    }
    if item.starts_with('/') {
        return Err(Some(format!("is a path; use unix:{item} for a Unix socket")));
    }
    match item.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme, rest) => Err(Some(format!(
            "has the scheme {scheme:?}, which is unknown here; use an IP address and a port without a scheme, such as \
             127.0.0.1:8000, or {EXAMPLE}"
        ))),
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Err(Some(format!(
            "has the name {host:?}, and names are not looked up here; use an IP address, such as 127.0.0.1:{port} or [::1]:{port}"
        ))),
        _ => Err(None),
    }
}

/// Whether this is a URL, or one of the spellings of other servers, and no host with a port.
fn is_scheme(scheme: &str, rest: &str) -> bool {
    const OTHERS: [&str; 6] = ["unix", "tcp", "tcp4", "tcp6", "fd", "systemd"];
    let is_word =
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    is_word && (rest.starts_with('/') || OTHERS.contains(&scheme.to_ascii_lowercase().as_str()))
}

/// Whether this may be the name of a host, and is no address that is mistyped.
fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.bytes().all(is_name) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Reads the path and the mode of a Unix socket.
fn unix(text: &str) -> Result<ListenAddress, String> {
    let (path, mode) = match text.split_once('?') {
        Some((path, parameter)) => (path, mode(parameter)?),
        None => (text, DEFAULT_MODE),
    };
    let path = PathBuf::from(path);
    let length = path.as_os_str().len();
    let bytes = path.as_os_str().as_bytes();
    if !path.is_absolute() {
        return Err(format!(
            "does not have an absolute path; use unix: and a path that begins with /, such as {EXAMPLE}"
        ));
    }
    if length > PATH_MAX {
        return Err(format!(
            "has a path of {length} bytes, and the path of a Unix socket has at most {PATH_MAX}; use a shorter path, such as {EXAMPLE}"
        ));
    }
    if bytes.ends_with(b"/") || bytes.ends_with(b"/.") || bytes.ends_with(b"/..") {
        return Err(format!("names a directory; add the name of the socket's file, such as {EXAMPLE}"));
    }
    if bytes.contains(&0) {
        return Err(format!("has a path with a zero byte; use a path such as {EXAMPLE}"));
    }
    Ok(ListenAddress::Unix { path, mode })
}

/// Reads `mode=660`: octal digits for owner, group and others.
fn mode(parameter: &str) -> Result<u32, String> {
    let Some(digits) = parameter.strip_prefix(MODE) else {
        return Err(format!(
            "has {:?} after its path; the only parameter is mode, such as {EXAMPLE}?mode=660",
            format!("?{parameter}")
        ));
    };
    let is_octal =
        matches!(digits.len(), 3 | 4) && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.filter(|mode| mode & OWN == OWN).ok_or_else(|| {
        format!(
            "has the mode {digits:?}; use ?mode=600 (the server's account only), ?mode=660 (and its group) or ?mode=666 \
             (everyone on this machine)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let parsed = ListenAddrs::parse(text).map(|value| ListenAddrs::show(&value));
        parsed.map_err(|part| ListenAddrs::reason(text).unwrap_or(part))
    }

    #[test]
    fn addresses_and_unix_sockets_are_taken_in_one_list() {
        for (text, expected) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::]:0", "[::]:0"),
            ("127.0.0.1:80, [::1]:80", "127.0.0.1:80,[::1]:80"),
            ("0.0.0.0:80,[::]:80", "0.0.0.0:80,[::]:80"),
            ("127.0.0.1:0,127.0.0.1:0", "127.0.0.1:0,127.0.0.1:0"),
            ("127.0.0.1:80,0.0.0.0:81", "127.0.0.1:80,0.0.0.0:81"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:/run/a.sock?mode=600", "unix:/run/a.sock"),
            ("unix:/run/a.sock?mode=0660,127.0.0.1:80", "unix:/run/a.sock?mode=660,127.0.0.1:80"),
            ("unix:/a,unix:/b?mode=666", "unix:/a,unix:/b?mode=666"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        let longest = format!("unix:/{}", "é".repeat(53));
        assert_eq!(shown(&longest), Ok(longest.clone()));
    }

    #[test]
    fn each_misuse_names_what_was_met_and_what_to_type() {
        let long = format!("unix:/{}", "a".repeat(107));
        for (text, expected) in [
            ("127.0.0.1:80,127.0.0.1:80", "\"127.0.0.1:80\" is listed twice; list it once"),
            (
                "[::ffff:127.0.0.1]:80,127.0.0.1:80",
                "\"127.0.0.1:80\" and \"[::ffff:127.0.0.1]:80\" of the same list",
            ),
            (
                "127.0.0.1:80,0.0.0.0:80",
                "\"0.0.0.0:80\" and \"127.0.0.1:80\" of the same list are one place; list one",
            ),
            ("[::]:80,127.0.0.1:80", "\"127.0.0.1:80\" and \"[::]:80\" of the same list are one place"),
            (
                "unix:/a?mode=660,unix://a",
                "\"unix://a\" and \"unix:/a?mode=660\" of the same list are one place",
            ),
            ("unix:/a,unix:/a", "\"unix:/a\" is listed twice"),
            (
                "http://127.0.0.1:80",
                "\"http://127.0.0.1:80\" has the scheme \"http\", which is unknown here; use an IP",
            ),
            ("tcp:127.0.0.1:80", "has the scheme \"tcp\""),
            ("UNIX:/a", "has the scheme \"UNIX\""),
            ("fd:3", "has the scheme \"fd\""),
            (
                "unix:",
                "does not have an absolute path; use unix: and a path that begins with /, such as unix:/run",
            ),
            ("unix:run/a.sock", "\"unix:run/a.sock\" does not have an absolute path"),
            ("unix:@a", "does not have an absolute path"),
            ("unix:/run/", "names a directory"),
            ("unix:/", "names a directory"),
            ("unix:/run/..", "names a directory"),
            ("unix:/a\0", "zero byte"),
            ("/run/a.sock", "\"/run/a.sock\" is a path; use unix:/run/a.sock for a Unix socket"),
            (&long, "has a path of 108 bytes, and the path of a Unix socket has at most 107"),
            ("unix:/a?mode=999", "\"unix:/a?mode=999\" has the mode \"999\"; use ?mode=600"),
            ("unix:/a?mode=", "has the mode \"\""),
            ("unix:/a?mode=66", "has the mode \"66\""),
            ("unix:/a?mode=1660", "has the mode \"1660\""),
            ("unix:/a?mode=066", "has the mode \"066\""),
            ("unix:/a?mode=+66", "has the mode \"+66\""),
            ("unix:/a?mode=rw-", "has the mode \"rw-\""),
            ("unix:/a?group=www", "has \"?group=www\" after its path; the only parameter is mode"),
            (
                "localhost:80",
                "\"localhost:80\" has the name \"localhost\", and names are not looked up here; use an IP address, such as 127.0.0.1:80",
            ),
            ("unix:/a?mode=660&group=www", "has the mode \"660&group=www\""),
        ] {
            let said = shown(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
        for text in ["", ",", "127.0.0.1", "127.0.0.1:80,", ":80", "80"] {
            assert!(ListenAddrs::parse(text).is_err() && ListenAddrs::reason(text).is_none(), "{text}");
        }
        assert_eq!(ListenAddrs::parse("127.0.0.1:80,80x"), Err("80x".into()));
    }
}
