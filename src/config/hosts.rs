//! The types of two settings: the hosts that a request may name, and the proxies that are trusted.
//!
//! The rules for hosts are Django's, and names may have an underscore in addition: container networks and proxies use
//! names such as `accounts_api`. Never in here: a request.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::values::{SettingType, items, joined};

/// The hosts that requests may name, by Django's rules for `ALLOWED_HOSTS`. A name may also have an underscore.
#[derive(Debug, Clone)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Whether a request with this Host header is allowed.
    ///
    /// Runs for each request and does not allocate.
    pub fn allows(&self, host: &str) -> bool {
        let name = split_host(host).map_or("", |(name, _)| name);
        !name.is_empty() && self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// The first host, without the subdomains that its pattern may allow; `None` where only `*` is listed.
    pub fn first(&self) -> Option<&str> {
        let names = self.0.iter().filter(|pattern| *pattern != "*");
        names.map(|pattern| pattern.strip_prefix('.').unwrap_or(pattern)).next()
    }

    /// Whether every host is allowed.
    pub fn allows_any(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// The hosts that are listed by their whole name.
    pub fn names(&self) -> Vec<&str> {
        let names = self.0.iter().map(String::as_str);
        names.filter(|pattern| *pattern != "*" && !pattern.starts_with('.')).collect()
    }

    /// Allows one more host, which may have a port.
    pub fn also(&mut self, host: &str) {
        self.0.extend(split_host(host).map(|(name, _)| name.to_ascii_lowercase()));
    }
}

impl SettingType for AllowedHosts {
    type Parsed = Self;
    const NAME: &'static str = "HOSTS";
    const LIST: bool = true;

    fn allowed() -> String {
        "hosts without port, separated by commas, such as example.com, .example.com (with its subdomains), accounts_api, \
         [::1], or * for any"
            .into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        items(text).map(pattern).collect::<Result<_, _>>().map(Self)
    }

    fn show(value: &Self) -> String {
        value.0.join(",")
    }
}

fn pattern(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let whole = lower.strip_suffix('.').unwrap_or(&lower);
    let name = whole.strip_prefix('.').unwrap_or(whole);
    let host = split_host(name).is_some_and(|(name, port)| !name.is_empty() && port.is_none());
    if lower == "*" || host { Ok(whole.into()) } else { Err(text.into()) }
}

fn matches(pattern: &str, name: &str) -> bool {
    let within = |domain: &str| {
        let start = name.len().checked_sub(domain.len());
        start.and_then(|start| name.split_at_checked(start)).is_some_and(|(head, tail)| {
            tail.eq_ignore_ascii_case(domain) && (head.is_empty() || head.ends_with('.'))
        })
    };
    match pattern.strip_prefix('.') {
        Some(domain) => within(domain),
        None => pattern == "*" || pattern.eq_ignore_ascii_case(name),
    }
}

/// Splits a host into name and port, if it has the form `^([a-z0-9._-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(:[0-9]+)?$` ignoring
/// case: Django's, and the underscore. The final dot of the name is dropped.
pub(super) fn split_host(host: &str) -> Option<(&str, Option<&str>)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let literal = host.starts_with('[');
    let end = match literal {
        true => host.find(']')? + 1,
        false => host.bytes().position(|byte| !plain(byte)).unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
        None if rest.is_empty() => None,
        _ => return None,
    };
    let allowed = if literal { is_ipv6(name) } else { !name.is_empty() };
    allowed.then(|| (name.strip_suffix('.').unwrap_or(name), port))
}

/// Matches `\[[a-f0-9]*:[a-f0-9.:]+\]`: looser than an address, and exactly as strict as Django.
fn is_ipv6(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.and_then(|inner| inner.split_once(':')).is_some_and(|(head, tail)| {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || b".:".contains(&byte);
        head.bytes().all(|byte| byte.is_ascii_hexdigit()) && !tail.is_empty() && tail.bytes().all(plain)
    })
}

/// The peers whose headers about the client's address and scheme are trusted.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Whether the clients of Unix sockets are trusted, too.
    unix: bool,
}

/// The word for all clients of Unix sockets.
const UNIX: &str = "unix";

impl TrustedProxies {
    /// Whether this peer is a trusted proxy. `::ffff:10.0.0.1` counts as `10.0.0.1`. Without an address, it is a client of
    /// a Unix socket.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return self.unix };
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// Returns a network that is too large to belong to one operator, such as `0.0.0.0/0`.
    pub fn too_large(&self) -> Option<&IpNet> {
        let is_too_large = |network: &&IpNet| match network {
            IpNet::V4(network) => network.prefix_len() < 8,
            IpNet::V6(network) => network.prefix_len() < 16 && !network.addr().is_unique_local(),
        };
        self.networks.iter().find(is_too_large)
    }
}

impl SettingType for TrustedProxies {
    type Parsed = Self;
    const NAME: &'static str = "NETWORKS";
    const LIST: bool = true;

    fn allowed() -> String {
        "IP addresses or networks, or unix for the clients of Unix sockets, separated by commas, such as \
         127.0.0.1,10.0.0.0/8,::1, or an empty value"
            .into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut proxies = Self { networks: Vec::new(), unix: false };
        for item in items(text) {
            match item {
                UNIX => proxies.unix = true,
                item => proxies.networks.push(network(item).ok_or(item)?),
            }
        }
        Ok(proxies)
    }

    fn show(value: &Self) -> String {
        let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let shown = |net: &IpNet| if single(net) { net.addr().to_string() } else { net.to_string() };
        let unix = value.unix.then(|| UNIX.to_owned());
        joined(&value.networks.iter().map(shown).chain(unix).collect::<Vec<_>>())
    }
}

pub(super) fn network(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    match (net.addr().to_canonical(), net.prefix_len()) {
        (IpAddr::V4(address), length) if net.max_prefix_len() == 128 && length >= 96 => {
            Ipv4Net::new(address, length - 96).ok().map(IpNet::from)
        }
        _ => Some(net),
    }
}
