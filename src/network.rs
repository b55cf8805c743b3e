//! Addresses: the one form that they are stored and compared in, and what counts as one client.
//!
//! An IPv4 address can arrive in IPv6 notation (`::ffff:192.0.2.7`), from a socket that serves both, from a header or from
//! a setting. It is the same address everywhere: in the log, the audit trail, filters and limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Brings the address of a peer into its one form.
pub(crate) fn canonical_peer(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Parses an address as proxies write it, and brings it into its one form. It may have a port, brackets, quotes, a zone
/// (which means nothing on another machine), and blanks around it.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, port) = rest.split_once(']')?;
            let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            Some(inner).filter(|inner| is_whole && inner.contains(':'))?
        }
        None => match text.split_once(':') {
            // One colon is followed by a port; an IPv6 address has more.
            Some((address, port)) if !port.contains(':') => {
                Some(address).filter(|address| is_port(port) && address.contains('.'))?
            }
            _ => text,
        },
    };
    let without_zone = match address.split_once('%') {
        Some((address, zone)) if !zone.is_empty() && address.contains(':') => address,
        Some(_) => return None,
        None => address,
    };
    without_zone.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Brings the text of an address into its one form. Text that is no address stays as it is.
pub(crate) fn canonical_text(text: &str) -> String {
    parse_address(text).map_or_else(|| text.to_owned(), |address| address.to_string())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Stands for clients whose address is unknown, such as those of a Unix socket. No client has it.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Returns the network that counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that one client
/// commonly has to itself. All clients without an address count as one.
pub(crate) fn client_network(address: impl Into<Option<IpAddr>>) -> IpAddr {
    match address.into().unwrap_or(UNKNOWN).to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// Returns the first 48 bits of an IPv6 address, which a provider commonly gives to one customer; `None` for IPv4.
pub(crate) fn site_of(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(address) => Some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80))),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_whatever_a_proxy_writes() {
        for (written, one) in [
            ("198.51.100.1", "198.51.100.1"),
            ("198.51.100.1:51231", "198.51.100.1"),
            (" 198.51.100.1\t", "198.51.100.1"),
            ("\"198.51.100.1:51231\"", "198.51.100.1"),
            ("2001:db8::7", "2001:db8::7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("\"[2001:db8::7]\"", "2001:db8::7"),
            ("\"[2001:db8::7]:443\"", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:c000:207", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("::ffff:192.0.2.7%lo", "192.0.2.7"),
        ] {
            assert_eq!(
                parse_address(written).map(|address| address.to_string()).as_deref(),
                Some(one),
                "{written}"
            );
            assert_eq!(canonical_text(written), one);
        }
        for bad in [
            "",
            " ",
            "unknown",
            "_hidden",
            "localhost",
            "198.51.100",
            "198.51.100.1:",
            "198.51.100.1:x",
            "198.51.100.1:65536",
            "198.51.100.1:+1",
            "198.51.100.256",
            "010.0.0.1",
            "198.51.100.1%eth0",
            "[198.51.100.1]",
            "[198.51.100.1]:80",
            "[2001:db8::7",
            "2001:db8::7]",
            "[2001:db8::7]443",
            "[2001:db8::7]:",
            "[]",
            "\"",
            "\"198.51.100.1",
            "fe80::1%",
            "for=198.51.100.1",
            "198.51.100.1 198.51.100.2",
            "2001:db8:::7",
            ":",
            "1:2",
        ] {
            assert_eq!(parse_address(bad), None, "{bad:?}");
            assert_eq!(canonical_text(bad), bad);
        }
    }

    #[test]
    fn a_peer_of_a_socket_for_both_is_an_ipv4_address() {
        for (peer, one) in [
            ("[::ffff:192.0.2.7]:80", "192.0.2.7:80"),
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("[2001:db8::7]:80", "[2001:db8::7]:80"),
        ] {
            assert_eq!(canonical_peer(peer.parse().unwrap()).to_string(), one);
        }
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_half_of_an_ipv6_address() {
        for (address, one) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(client_network(address.parse::<IpAddr>().unwrap()).to_string(), one);
        }
        assert_eq!(client_network(None), client_network(UNKNOWN));
    }
}
