//! Where a server is: a base URL as it was typed, taken apart once.
//!
//! Never in here: a connection. No message quotes what was typed, which may hold a password.

use http::Uri;
use http::uri::{Authority, PathAndQuery};

/// A server's scheme, host, port and the path below which it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Whether TLS is spoken.
    pub secure: bool,
    /// The host's name or IP address, an IPv6 one without brackets.
    pub host: String,
    /// The port, 80 or 443 when none was typed.
    pub port: u16,
    /// Host and port as they were typed: what a `Host` header says.
    pub authority: String,
    /// What stands before every path, without a slash at its end.
    pub prefix: String,
}

impl Base {
    /// Reads `http://host:8000/prefix`; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // The parser of URLs drops a fragment without a word.
        if uri.query().is_some() || text.contains('#') || !is_plain(authority) {
            return None;
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Some(Self {
            secure,
            host: bare.to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The URL, for people.
    pub fn shown(&self) -> String {
        format!("{}{}", self.site(), self.prefix)
    }

    /// Scheme, `://`, host and port.
    pub fn site(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }
}

/// A host, with a port if wanted, as a `Host` header has it.
pub fn host(text: &str) -> Result<Authority, String> {
    let host = text.parse::<Authority>().ok().filter(is_plain);
    host.ok_or_else(|| "use a host, such as www.example.com or www.example.com:8443".to_owned())
}

/// A path with a query if wanted, as a request line has it.
pub fn path(text: &str) -> Result<PathAndQuery, String> {
    let path = text.parse::<PathAndQuery>().ok();
    let path = path.filter(|_| text.starts_with('/') && !text.contains('#') && text.is_ascii());
    path.ok_or_else(|| {
        "use a path that begins with '/', such as /api/users/me, other characters as %XX".to_owned()
    })
}

/// Whether there is a host, no user or password, and a port that is none or a good one.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let rest = text.strip_prefix(authority.host());
    let port_is_good = rest == Some("") || authority.port_u16().is_some_and(|port| port > 0);
    !authority.host().is_empty() && !text.contains('@') && port_is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_taken_apart() {
        for (text, secure, host, port, authority, prefix) in [
            ("http://localhost", false, "localhost", 80, "localhost", ""),
            ("https://www.Example.com/", true, "www.Example.com", 443, "www.Example.com", ""),
            (
                "HTTP://127.0.0.1:8000/back/office//",
                false,
                "127.0.0.1",
                8000,
                "127.0.0.1:8000",
                "/back/office",
            ),
            ("https://[::1]:8443/x", true, "::1", 8443, "[::1]:8443", "/x"),
        ] {
            let (host, authority, prefix) = (host.to_owned(), authority.to_owned(), prefix.to_owned());
            assert_eq!(Base::parse(text), Some(Base { secure, host, port, authority, prefix }), "{text}");
        }
    }

    #[test]
    fn what_is_no_base_is_refused() {
        for text in [
            "",
            "localhost",
            "localhost:8000",
            "/api",
            "ftp://h",
            "http://",
            "http:///x",
            "http://:80",
            "http://u@h",
            "http://u:p@h/",
            "http://h?x",
            "http://h/#x",
            "http://h#",
            "http://h:",
            "http://h:0",
            "http://h:99999",
            "http://h:x",
            "http://h h",
            "http://[::1",
        ] {
            assert_eq!(Base::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_and_paths_are_what_a_request_can_hold() {
        for (text, good) in [
            ("h", true),
            ("h:8000", true),
            ("[::1]", true),
            ("", false),
            ("u@h", false),
            ("h/x", false),
            ("h:", false),
            ("a b", false),
        ] {
            assert_eq!(host(text).is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("/", true),
            ("/a?b=%20", true),
            ("a", false),
            ("", false),
            ("/a#b", false),
            ("/a b", false),
            ("/é", false),
            ("*", false),
            ("/a\r\nX: y", false),
        ] {
            assert_eq!(path(text).is_ok(), good, "{text}");
        }
    }
}
