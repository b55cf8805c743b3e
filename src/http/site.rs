//! Where a request arrived: under which host and scheme, and from which client. Absolute URLs in its answer follow from
//! that.
//!
//! A host is trusted when the settings allow it. A forwarded scheme or address is trusted only from a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::ApiError;
use crate::config::{AllowedHosts, TrustedProxies};
use crate::directory::model::is_absolute_url;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The most proxies in front of the server; further addresses in the header are ignored.
const HOPS_MAX: usize = 32;
/// What is not escaped in the path of a file: RFC 3986's unreserved characters and `/!*()'`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'/')
    .remove(b'~')
    .remove(b'!')
    .remove(b'*')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'');

/// The settings about hosts, addresses and URLs.
#[derive(Clone)]
pub struct SiteSettings {
    /// Hosts under which the server may be called.
    pub allowed_hosts: AllowedHosts,
    /// Proxies that are trusted about scheme and client.
    pub trusted_proxies: TrustedProxies,
    /// The base of absolute URLs, without a slash at its end; `None`: the request's own scheme and host.
    pub public_url: Option<String>,
    /// The path of media files, or their absolute URL; it ends with a slash.
    pub media_url: String,
}

/// The site where a request arrived.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme, `://` and host; no slash at the end.
    base: String,
    media_url: String,
}

/// The base of absolute URLs, borrowed from the request without allocation.
#[derive(Clone, Copy)]
pub struct BaseUrl<'a> {
    scheme: &'static str,
    host: &'a str,
    public_url: Option<&'a str>,
}

impl<'a> BaseUrl<'a> {
    /// Determines the base, or refuses the host. `host` and `protos` are the request's Host and X-Forwarded-Proto.
    pub fn of<'b>(
        host: Option<&'a str>,
        protos: impl IntoIterator<Item = &'b [u8]>,
        settings: &'a SiteSettings,
        peer: SocketAddr,
        tls: bool,
    ) -> Result<Self, ApiError> {
        let host = host.filter(|host| settings.allowed_hosts.allows(host));
        let host = host.ok_or(ApiError::BadRequest("The request's Host is not allowed."))?;
        let public_url = settings.public_url.as_deref();
        let https = public_url.is_none() && is_https(protos, settings, peer, tls)?;
        Ok(Self { scheme: if https { "https://" } else { "http://" }, host, public_url })
    }

    /// The public URL, or scheme, `://` and host, in two parts.
    fn parts(&self) -> [&str; 2] {
        self.public_url.map_or([self.scheme, self.host], |url| [url, ""])
    }

    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    /// Appends the URL.
    pub fn push_to(&self, text: &mut Vec<u8>) {
        for part in self.parts() {
            text.extend_from_slice(part.as_bytes());
        }
    }
}

impl Site {
    /// Determines the site, or refuses the request's host.
    pub fn of<B>(
        request: &Request<B>,
        settings: &SiteSettings,
        peer: SocketAddr,
        tls: bool,
    ) -> Result<Self, ApiError> {
        let protos = request.headers().get_all(X_FORWARDED_PROTO).iter().map(HeaderValue::as_bytes);
        let base = BaseUrl::of(host(request), protos, settings, peer, tls)?;
        Ok(Self { base: base.parts().concat(), media_url: settings.media_url.clone() })
    }

    /// No site: URLs are paths.
    pub fn nowhere(settings: &SiteSettings) -> Self {
        Self { base: String::new(), media_url: settings.media_url.clone() }
    }

    /// Makes the absolute URL of a path with a query, its parameters sorted by name.
    pub fn link(&self, path: &str, parameters: &[(String, String)]) -> String {
        let mut sorted: Vec<_> = parameters.iter().collect();
        sorted.sort();
        // Pairs of texts can always be written as a query.
        let query = serde_urlencoded::to_string(sorted).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{query}", self.base)
    }

    /// Makes the absolute URL of a stored file; `None` when nothing is stored. A stored URL is returned as it is.
    pub fn media(&self, stored: Option<&str>) -> Option<String> {
        let name = stored.filter(|name| !name.is_empty())?;
        if is_absolute_url(name) {
            return Some(name.to_owned());
        }
        let (origin, path) = split_origin(&self.media_url);
        let origin = if origin.is_empty() { &self.base } else { origin };
        Some(format!("{origin}{}", media_path(path, name)))
    }
}

/// Reads the host as the client wrote it. A target in absolute form overrides the header (RFC 9112, section 3.2.2).
fn host<B>(request: &Request<B>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut lines = request.headers().get_all(HOST).iter();
    match (lines.next(), lines.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    }
}

/// Whether the client used HTTPS: to this server, or to a trusted proxy that sends exactly `https`.
fn is_https<'a>(
    protos: impl IntoIterator<Item = &'a [u8]>,
    settings: &SiteSettings,
    peer: SocketAddr,
    tls: bool,
) -> Result<bool, ApiError> {
    let mut forwarded = protos.into_iter().map(|line| line == b"https");
    if tls || !settings.trusted_proxies.trusts(peer.ip()) {
        return Ok(tls);
    }
    let Some(first) = forwarded.next() else { return Ok(false) };
    if forwarded.any(|other| other != first) {
        return Err(ApiError::BadRequest("The X-Forwarded-Proto headers contradict each other."));
    }
    Ok(first)
}

/// Finds the address of the client: the nearest one that is not a trusted proxy's.
pub fn client(headers: &HeaderMap, settings: &SiteSettings, peer: SocketAddr) -> IpAddr {
    let lines: Vec<_> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    nearest(&lines.join(","), settings, peer)
}

/// Finds the same in the text of X-Forwarded-For.
pub fn nearest(forwarded_for: &str, settings: &SiteSettings, peer: SocketAddr) -> IpAddr {
    let mut nearest = peer.ip();
    for hop in forwarded_for.rsplit(',').take(HOPS_MAX) {
        let Some(address) =
            settings.trusted_proxies.trusts(nearest).then(|| hop.trim().parse().ok()).flatten()
        else {
            break;
        };
        nearest = address;
    }
    nearest
}

/// Splits a URL into scheme with host, and path. The first part of a path is empty.
fn split_origin(url: &str) -> (&str, &str) {
    let host = if is_absolute_url(url) { url.find("://").map_or(0, |at| at + 3) } else { 0 };
    let path = url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host + at);
    url.split_at_checked(path).unwrap_or((url, ""))
}

/// Makes the path of a stored file below the media path, as Django's FileSystemStorage writes it: leading slashes are
/// dropped, `\` becomes `/`, the name is percent-encoded, then `.`, `..` and doubled slashes are resolved.
fn media_path(media_url: &str, name: &str) -> String {
    let quoted = percent_encode(name.replace('\\', "/").as_bytes(), PATH).to_string();
    let quoted = quoted.trim_start_matches('/');
    let directory = matches!(quoted.rsplit('/').next(), Some("" | "." | ".."));
    let mut path: Vec<&str> = media_url.split('/').filter(|part| !part.is_empty()).collect();
    for part in quoted.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    let end = if directory && !path.is_empty() { "/" } else { "" };
    format!("/{}{end}", path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_urls_are_kept_and_media_may_be_elsewhere() {
        let site = |media_url: &str| Site { base: "http://a".to_owned(), media_url: media_url.to_owned() };
        for stored in ["https://cdn.example/a/ann.jpg", "HTTP://x/é b?c#d", "https://cdn.example"] {
            for media_url in ["/media/", "https://files.example/"] {
                assert_eq!(site(media_url).media(Some(stored)).as_deref(), Some(stored));
            }
        }
        for (media_url, name, url) in [
            ("/media/", "a b.png", "http://a/media/a%20b.png"),
            ("https://cdn.example/", "a b.png", "https://cdn.example/a%20b.png"),
            ("https://cdn.example:8443/m/x/", "/a.png", "https://cdn.example:8443/m/x/a.png"),
            ("https://cdn.example/m/", "../../../up.png", "https://cdn.example/up.png"),
            ("/media/", "javascript:alert(1)", "http://a/media/javascript%3Aalert(1)"),
            ("/media/", "//cdn.example/x", "http://a/media/cdn.example/x"),
            ("/media/", "https:/cdn/x", "http://a/media/https%3A/cdn/x"),
            ("/media/", "https:///x", "http://a/media/https%3A/x"),
        ] {
            assert_eq!(site(media_url).media(Some(name)).as_deref(), Some(url), "{media_url} {name}");
        }
    }

    #[test]
    fn file_names_become_paths_as_django_makes_them() {
        for (name, path) in [
            ("avatars/alex_profile.jpg", "/media/avatars/alex_profile.jpg"),
            ("a b+c:d@e,f.png", "/media/a%20b%2Bc%3Ad%40e%2Cf.png"),
            ("100%20.png", "/media/100%2520.png"),
            ("é.png", "/media/%C3%A9.png"),
            ("(1)~!*'.png", "/media/(1)~!*'.png"),
            ("/lead.png", "/media/lead.png"),
            ("a\\b.png", "/media/a/b.png"),
            ("a//b/./c/../d.png", "/media/a/b/d.png"),
            ("../up.png", "/up.png"),
            ("a?b#c;d", "/media/a%3Fb%23c%3Bd"),
        ] {
            assert_eq!(media_path("/media/", name), path, "{name}");
        }
    }
}
