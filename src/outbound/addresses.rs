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

    /// The same rules, with the address open that a host is written as. `localhost` stands for this machine; for
    /// another name the rules stay as they are.
    #[must_use]
    pub fn opening(&self, host: &str) -> Self {
        let mut opened = self.opened.clone();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => opened.push(address.to_canonical().into()),
            Err(_) if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") => {
                opened.extend(
                    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(IpNet::from),
                );
            }
            Err(_) => {}
        }
        Self { opened, own: self.own.clone() }
    }

    /// Whether an address may be called.
    pub fn check(&self, address: IpAddr, port: u16) -> Result<(), ForbiddenAddress> {
        let address = address.to_canonical();
        let inner: Vec<_> = match address {
            IpAddr::V6(address) => embedded(address).into_iter().map(IpAddr::V4).collect(),
            IpAddr::V4(_) => vec![],
        };
        if inner.iter().chain([&address]).any(|address| self.is_own(*address, port)) {
            return Err(ForbiddenAddress::OwnListener);
        }
        let is_open = |address: &IpAddr| self.opened.iter().any(|network| network.contains(address));
        if is_open(&address) {
            return Ok(());
        }
        // What is inside may be opened as well.
        let inner = inner.into_iter().filter(|inner| !is_open(inner));
        match [address].into_iter().chain(inner).find_map(closed) {
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

/// The IPv4 addresses that can be inside an IPv6 address, by which a gateway reaches them: IPv4-mapped and IPv4-compatible
/// (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214).
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    let found = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => of(high, low),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return vec![],
        [0, 0, 0, 0, 0, 0, high, low] => of(high, low),
        [0x0064, 0xff9b, 1, ..] => return of_local_gateway(address),
        [0x0064, 0xff9b, 0, .., high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        [0x2001, 0, .., high, low] => of(!high, !low),
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => of(high, low),
        _ => return vec![],
    };
    vec![found]
}

/// The same for the prefix of local NAT64 gateways (RFC 8215). How long a gateway's own prefix is cannot be seen, and the place of
/// the IPv4 address follows from that (RFC 6052, section 2.2). One that begins with zero is none.
fn of_local_gateway(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let [_, _, _, _, _, _, a, b, _, c, d, e, w, x, y, z] = address.octets();
    let places = [[a, b, c, d], [b, c, d, e], [c, d, e, w], [w, x, y, z]];
    places.into_iter().filter(|octets| octets[0] != 0).map(Ipv4Addr::from_octets).collect()
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
            // The same behind a prefix of 48, 56 and 64 bits.
            ("64:ff9b:1:7f00:0:100::", "loopback"),
            ("64:ff9b:1:7f:0:1::", "loopback"),
            ("64:ff9b:1::7f:0:100:0", "loopback"),
            ("64:ff9b:1:a9fe:a9:fe00::", "link-local"),
            ("2001:db8::5efe:127.0.0.1", "loopback"),
            ("2001:db8::200:5efe:169.254.169.254", "link-local"),
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
            "64:ff9b:1::192.0.2.7",
            "64:ff9b:1:c000:2:700::",
            "2001:db8::5efe:192.0.2.7",
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
            ("127.0.0.1:8000", "64:ff9b::127.0.0.1"),
            ("192.0.2.7:8000", "2002:c000:207::"),
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

    /// The operator's own address in a URL is what the operator wants. What a name leads to is not in the operator's hands.
    #[test]
    fn a_written_address_opens_itself_and_a_name_opens_nothing() {
        let opening = |host: &str, address: &str| {
            AddressGuard::new(&[], &["127.0.0.1:8000".parse().unwrap()])
                .opening(host)
                .check(address.parse().unwrap(), 443)
        };
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[::ffff:7f00:1]", "127.0.0.1"),
            ("localhost", "127.0.0.1"),
            ("LOCALHOST.", "::1"),
        ] {
            assert_eq!(opening(host, address), Ok(()), "{host}");
        }
        for (host, address) in [
            ("127.0.0.1", "127.0.0.2"),
            ("127.0.0.1", "169.254.169.254"),
            ("s3.example.com", "127.0.0.1"),
            ("localhost.example.com", "127.0.0.1"),
            ("localhost", "169.254.169.254"),
        ] {
            assert!(opening(host, address).is_err(), "{host} {address}");
        }
        let own = AddressGuard::new(&[], &["127.0.0.1:8000".parse().unwrap()]).opening("127.0.0.1");
        assert_eq!(own.check("127.0.0.1".parse().unwrap(), 8000), Err(ForbiddenAddress::OwnListener));
    }
}
