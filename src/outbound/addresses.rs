//! Which addresses may be called: a URL may come from people who must not reach the inside of a network through this server.
//!
//! Addresses are checked after a name was looked up, and the connection uses the address that was checked. So a name whose
//! answer changes between two look-ups gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::IpNet;

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForbiddenAddress {
    /// It belongs to a closed network.
    #[error("the address is {0}: open its network with outbound_networks if that is intended")]
    Closed(&'static str),
    /// This server listens there.
    #[error("this server itself listens at the address")]
    OwnListener,
}

/// The rules.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    opened: Vec<IpNet>,
    own: Vec<SocketAddr>,
}

impl AddressGuard {
    /// Closes what is closed by default, except these networks. The listeners of this server stay closed in any case.
    pub fn new(opened: &[IpNet], own: &[SocketAddr]) -> Self {
        Self { opened: opened.to_vec(), own: own.to_vec() }
    }

    /// Whether an address may be called.
    pub fn check(&self, address: IpAddr, port: u16) -> Result<(), ForbiddenAddress> {
        let address = address.to_canonical();
        if self.is_own(address, port) {
            return Err(ForbiddenAddress::OwnListener);
        }
        if self.opened.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let inner = match address {
            IpAddr::V6(address) => embedded(address),
            IpAddr::V4(_) => None,
        };
        // What is inside may be opened as well.
        let inner =
            inner.map(IpAddr::V4).filter(|inner| !self.opened.iter().any(|network| network.contains(inner)));
        match closed(address).or_else(|| inner.and_then(closed)) {
            Some(kind) => Err(ForbiddenAddress::Closed(kind)),
            None => Ok(()),
        }
    }

    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        let same = |own: &&SocketAddr| own.port() == port && port != 0;
        self.own.iter().filter(same).any(|own| {
            let listens = own.ip().to_canonical();
            let is_loopback_pair = listens.is_loopback() && address.is_loopback();
            listens == address || is_loopback_pair || (listens.is_unspecified() && is_local(address))
        })
    }
}

/// Whether an address belongs to this machine: then a socket can have it.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

/// The kind of a closed address.
fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => closed_v4(address),
        IpAddr::V6(address) => closed_v6(address),
    }
}

fn closed_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("unspecified"),
        [127, ..] => Some("loopback"),
        // With the metadata services of most clouds.
        [169, 254, ..] => Some("link-local"),
        // The metadata services of Alibaba Cloud and Oracle Cloud, which are not link-local.
        [100, 100, 100, 200] | [192, 0, 0, 192] => Some("a metadata service"),
        [224..=239, ..] => Some("multicast"),
        [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

fn closed_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("site-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        // The metadata service of Amazon.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Some("a metadata service"),
        _ => None,
    }
}

/// The IPv4 address inside an IPv6 address, by which a gateway reaches it: IPv4-mapped and IPv4-compatible (RFC 4291), NAT64
/// (RFC 6052, RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(of(high, low)),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x0064, 0xff9b, 0 | 1, .., high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        [0x2001, 0, .., high, low] => Some(of(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(opened: &str, address: &str) -> Result<(), ForbiddenAddress> {
        let opened: Vec<IpNet> = opened.split_whitespace().map(|network| network.parse().unwrap()).collect();
        AddressGuard::new(&opened, &[]).check(address.parse().unwrap(), 443)
    }

    #[test]
    fn addresses_of_the_inside_are_closed_in_every_form() {
        for (address, kind) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::127.0.0.1", "loopback"),
            ("::ffff:0:127.0.0.1", "loopback"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b:1::127.0.0.1", "loopback"),
            ("2002:7f00:1::", "loopback"),
            ("2001::80ff:fffe", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("::", "unspecified"),
            ("::ffff:0.0.0.0", "unspecified"),
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::169.254.169.254", "link-local"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("100.100.100.200", "a metadata service"),
            ("fd00:ec2::254", "a metadata service"),
            ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"),
            ("255.255.255.255", "reserved"),
        ] {
            assert_eq!(check("", address), Err(ForbiddenAddress::Closed(kind)), "{address}");
        }
        for address in [
            "192.0.2.7",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd12::1",
            "2001:db8::1",
            "64:ff9b::192.0.2.7",
            "2002:c000:207::",
        ] {
            assert_eq!(check("", address), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_setting_opens_networks_and_never_the_own_listeners() {
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"] {
            assert_eq!(check("127.0.0.0/8", address), Ok(()), "{address}");
        }
        assert!(check("127.0.0.0/8", "::1").is_err() && check("::1/128", "127.0.0.1").is_err());
        assert_eq!(check("169.254.0.0/16 fe80::/10", "fe80::1"), Ok(()));
        let all: Vec<IpNet> = ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap()).into();
        let own = |listener: &str, address: &str, port| {
            AddressGuard::new(&all, &[listener.parse().unwrap()]).check(address.parse().unwrap(), port)
        };
        for (listener, address) in [
            ("127.0.0.1:8000", "127.0.0.1"),
            ("127.0.0.1:8000", "::ffff:127.0.0.1"),
            ("127.0.0.1:8000", "127.0.0.2"),
            ("0.0.0.0:8000", "127.0.0.1"),
            ("[::]:8000", "127.0.0.1"),
            ("[::]:8000", "::1"),
            ("0.0.0.0:8000", "0.0.0.0"),
            ("192.0.2.7:8000", "192.0.2.7"),
        ] {
            assert_eq!(
                own(listener, address, 8000),
                Err(ForbiddenAddress::OwnListener),
                "{listener} {address}"
            );
            assert_eq!(own(listener, address, 8001), Ok(()), "{listener} {address}");
        }
        // Not an address of this machine: documentation only.
        assert_eq!(own("0.0.0.0:8000", "192.0.2.7", 8000), Ok(()));
    }
}
