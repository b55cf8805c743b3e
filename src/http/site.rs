//! Where a request arrived: under which host and scheme, and from which client. Absolute URLs in its answer follow from
//! that.
//!
//! A host is trusted when the settings allow it. A forwarded scheme or address is trusted only from a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::ApiError;
use crate::config::{AllowedHosts, TrustedProxies};

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
    /// The host of a request of HTTP/1.0 that names none.
    pub default_host: String,
    /// Proxies that are trusted about scheme and client.
    pub trusted_proxies: TrustedProxies,
    /// The base of absolute URLs, without a slash at its end; `None`: the request's own scheme and host.
    pub public_url: Option<String>,
    /// The path of media files; it begins and ends with a slash.
    pub media_url: String,
}

/// The site where a request arrived.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme, `://` and host; no slash at the end.
    base: String,
    /// The path as the client wrote it.
    path: String,
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
        let host = host(request).or_else(|| default_host(request, settings));
        let base = BaseUrl::of(host, protos, settings, peer, tls)?;
        let path = request.uri().path().to_owned();
        Ok(Self { base: base.parts().concat(), path, media_url: settings.media_url.clone() })
    }

    /// No site: URLs are paths.
    pub fn nowhere(settings: &SiteSettings) -> Self {
        Self { base: String::new(), path: String::new(), media_url: settings.media_url.clone() }
    }

    /// Makes the absolute URL of the path that was requested, in its spelling, with another query. The parameters are
    /// sorted by name.
    pub fn link(&self, mut parameters: Vec<(String, String)>) -> String {
        parameters.sort();
        // Pairs of texts can always be written as a query.
        let query = serde_urlencoded::to_string(parameters).unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{query}", self.base, self.path)
    }

    /// Makes the absolute URL of a stored file; `None` when nothing is stored.
    pub fn media(&self, stored: Option<&str>) -> Option<String> {
        let name = stored.filter(|name| !name.is_empty())?;
        Some(format!("{}{}", self.base, media_path(&self.media_url, name)))
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

/// The host of a request of HTTP/1.0 that names none: such a client may not know of Host.
fn default_host<'a, B>(request: &Request<B>, settings: &'a SiteSettings) -> Option<&'a str> {
    let may_lack = request.version() == Version::HTTP_10 && !request.headers().contains_key(HOST);
    may_lack.then_some(settings.default_host.as_str())
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
            ("https://cdn/x", "/media/https%3A/cdn/x"),
            ("a?b#c;d", "/media/a%3Fb%23c%3Bd"),
        ] {
            assert_eq!(media_path("/media/", name), path, "{name}");
        }
    }
}
