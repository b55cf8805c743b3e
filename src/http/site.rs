//! Where a request arrived: under which host and scheme, and from which client. Absolute URLs in its answer follow from
//! that.
//!
//! A host is trusted when the settings allow it. A forwarded scheme or address is trusted only from a trusted proxy.

use std::net::IpAddr;

use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::error::ApiError;
use crate::config::{AllowedHosts, TrustedProxies};
use crate::directory::model::is_absolute_url;
use crate::network::parse_address;
use crate::server::PeerAddress;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The answer to a request under a host that is not allowed. The log names the host.
pub(super) const HOST_REFUSED: &str = "The request's Host is not allowed.";
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
    /// The path of media files, or their absolute URL; it ends with a slash.
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
    is_scheme_known: bool,
}

/// The scheme that a request came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// A trusted proxy sent something else. It counts as HTTP.
    Unknown,
}

/// Where a request came from, as far as trusted proxies report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// The nearest address that is not a trusted proxy's. A client of a Unix socket has none, unless it is a trusted proxy
    /// that reports one.
    pub address: Option<IpAddr>,
    /// What a trusted proxy sent in the place of an address and is none. Then `address` is that proxy's.
    pub unreadable: Option<&'a [u8]>,
    /// Whether `address` is a trusted proxy's, which named no client. Where the client is, is not known then.
    pub is_proxy: bool,
}

impl Client<'_> {
    /// The address of the client itself, if it is known.
    pub fn known(&self) -> Option<IpAddr> {
        self.address.filter(|_| !self.is_proxy)
    }
}

impl<'a> BaseUrl<'a> {
    /// Determines the base, or refuses the host. `host` and `protos` are the request's Host and X-Forwarded-Proto.
    pub fn of<'b>(
        host: Option<&'a str>,
        protos: impl IntoIterator<Item = &'b [u8]>,
        settings: &'a SiteSettings,
        peer: PeerAddress,
        tls: bool,
    ) -> Result<Self, ApiError> {
        let is_allowed = |host: &&str| settings.allowed_hosts.allows(host);
        let host = host.filter(is_allowed).ok_or(ApiError::BadRequest(HOST_REFUSED))?;
        let public_url = settings.public_url.as_deref();
        let scheme = match public_url {
            Some(_) => Scheme::Http,
            None => scheme(protos, settings, peer, tls)?,
        };
        let is_scheme_known = scheme != Scheme::Unknown;
        let scheme = if scheme == Scheme::Https { "https://" } else { "http://" };
        Ok(Self { scheme, host, public_url, is_scheme_known })
    }

    /// Whether the scheme is the client's; false when a trusted proxy sent one that is neither `http` nor `https`.
    pub fn is_scheme_known(&self) -> bool {
        self.is_scheme_known
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
        peer: PeerAddress,
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

    /// Returns scheme, `://` and host, as browsers write an origin.
    pub fn origin(&self) -> &str {
        &self.base
    }

    /// Returns the host, with the port if there is one.
    pub fn host(&self) -> &str {
        self.base.split_once("://").map_or("", |(_, host)| host)
    }

    /// Whether browsers accept cookies with `Secure` from it: over HTTPS, and on this machine.
    pub fn is_trustworthy(&self) -> bool {
        let host = self.host();
        // An IPv6 address has brackets around it, and colons within.
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let is_local = name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost")
            || name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.base.starts_with("https://") || is_local
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

    /// Whether a URL is the one that answers show of a stored file, under this or another host of the server.
    pub fn is_media(&self, stored: Option<&str>, url: &str) -> bool {
        let Some(shown) = self.media(stored) else { return false };
        let is_path = split_origin(&self.media_url).0.is_empty() && !stored.is_some_and(is_absolute_url);
        shown == url || (is_path && is_absolute_url(url) && split_origin(url).1 == split_origin(&shown).1)
    }
}

/// Reads the host as the client wrote it. A target in absolute form overrides the header (RFC 9112, section 3.2.2).
pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
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

/// The scheme that the client used: to this server, or to a trusted proxy.
fn scheme<'a>(
    protos: impl IntoIterator<Item = &'a [u8]>,
    settings: &SiteSettings,
    peer: PeerAddress,
    tls: bool,
) -> Result<Scheme, ApiError> {
    if tls || !settings.trusted_proxies.trusts(peer.ip()) {
        return Ok(if tls { Scheme::Https } else { Scheme::Http });
    }
    let mut forwarded = protos.into_iter().map(forwarded_scheme);
    let Some(first) = forwarded.next() else { return Ok(Scheme::Http) };
    if forwarded.any(|other| (other == Scheme::Https) != (first == Scheme::Https)) {
        return Err(ApiError::BadRequest("The X-Forwarded-Proto headers contradict each other."));
    }
    Ok(first)
}

/// Reads the scheme of a header as Django does: the leftmost of a list, without blanks around it, in lower case.
fn forwarded_scheme(line: &[u8]) -> Scheme {
    match line {
        b"https" => Scheme::Https,
        b"http" => Scheme::Http,
        line => match line.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii() {
            b"https" => Scheme::Https,
            b"http" | b"" => Scheme::Http,
            _ => Scheme::Unknown,
        },
    }
}

/// Returns what a trusted proxy sent as the scheme, if it is neither `http` nor `https`.
pub(super) fn unreadable_scheme<'a>(
    headers: &'a HeaderMap,
    settings: &SiteSettings,
    peer: PeerAddress,
) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(X_FORWARDED_PROTO).iter().map(HeaderValue::as_bytes);
    let unknown = lines.find(|line| forwarded_scheme(line) == Scheme::Unknown)?;
    settings.trusted_proxies.trusts(peer.ip()).then_some(unknown)
}

/// Joins the lines of X-Forwarded-For with commas: together they are one list.
pub(super) fn forwarded_for(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    lines.join(&b","[..])
}

/// Finds the client in the text of X-Forwarded-For: the nearest address that is not a trusted proxy's. Without one, it is the
/// address of the last proxy.
pub fn nearest<'a>(forwarded_for: &'a [u8], settings: &SiteSettings, peer: PeerAddress) -> Client<'a> {
    let trusts = |address| settings.trusted_proxies.trusts(address);
    let address = peer.ip().map(|address| address.to_canonical());
    let mut nearest = Client { address, unreadable: None, is_proxy: trusts(address) };
    // Empty items of a list mean nothing (RFC 9110, section 5.6.1).
    let hops =
        forwarded_for.rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty());
    for hop in hops.take(HOPS_MAX) {
        if !nearest.is_proxy {
            break;
        }
        let Some(address) = std::str::from_utf8(hop).ok().and_then(parse_address) else {
            nearest.unreadable = Some(hop);
            break;
        };
        (nearest.address, nearest.is_proxy) = (Some(address), trusts(Some(address)));
    }
    nearest
}

/// Splits a URL into scheme with host, and path. The first part of a path is empty.
fn split_origin(url: &str) -> (&str, &str) {
    let host = if is_absolute_url(url) { url.find("://").map_or(0, |at| at + 3) } else { 0 };
    let path = url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host + at);
    url.split_at_checked(path).unwrap_or((url, ""))
}

/// The path where this server has media files. A CDN that an absolute URL names reads them below `/media/`.
pub(super) fn media_path_of(media_url: &str) -> &str {
    if is_absolute_url(media_url) { "/media/" } else { media_url }
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
mod tests;
