//! Parses the base URL of a server, and the hosts and paths of requests.
//!
//! Never in here: a connection, or a message that quotes a URL, which may hold a password.

use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri};

/// The parts of a base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// Whether the scheme is https.
    pub secure: bool,
    /// The host name or IP address; an IPv6 address has no brackets.
    pub host: String,
    /// The port; 80 or 443 by default.
    pub port: u16,
    /// Host and port as in the URL, for the `Host` header.
    pub authority: String,
    /// The prefix of every path, without a final slash.
    pub prefix: String,
}

impl ServerUrl {
    /// Parses a URL such as `http://host:8000/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // The URL parser drops a fragment silently.
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

    /// Formats the URL.
    pub fn shown(&self) -> String {
        format!("{}{}", self.site(), self.prefix)
    }

    /// Formats scheme, host and port, such as `http://host:8000`.
    pub fn site(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }
}

/// Parses a host with an optional port, as in a `Host` header.
pub fn host(text: &str) -> Result<Authority, String> {
    let host = text.parse::<Authority>().ok().filter(is_plain);
    host.ok_or_else(|| "use a host, such as www.example.com or www.example.com:8443".to_owned())
}

/// Parses the origin of a page, as browsers send it.
pub fn origin(text: &str) -> Result<HeaderValue, String> {
    let is_site = |text: &str| {
        let uri: Option<Uri> = text.parse().ok();
        uri.is_some_and(|uri| {
            let site = uri.scheme_str().zip(uri.authority().filter(|authority| is_plain(authority)));
            // Nothing follows the host, not even a slash.
            site.is_some_and(|(scheme, authority)| text == format!("{scheme}://{authority}"))
        })
    };
    let good = text == "null" || (text == text.to_ascii_lowercase() && is_site(text));
    let value = HeaderValue::from_str(text).ok().filter(|_| good);
    value.ok_or_else(|| {
        "use the origin of a page in lower case and without a final slash, such as https://app.example.com".to_owned()
    })
}

/// Parses a path with an optional query, as in a request line.
pub fn path(text: &str) -> Result<PathAndQuery, String> {
    let path = text.parse::<PathAndQuery>().ok();
    let path = path.filter(|_| text.starts_with('/') && !text.contains('#') && text.is_ascii());
    path.ok_or_else(|| {
        "use a path that begins with '/', such as /api/users/me, with special characters as %XX".to_owned()
    })
}

/// Whether an authority is a host, optionally with a valid port, and without user and password.
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
            assert_eq!(
                ServerUrl::parse(text),
                Some(ServerUrl { secure, host, port, authority, prefix }),
                "{text}"
            );
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
            assert_eq!(ServerUrl::parse(text), None, "{text}");
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
