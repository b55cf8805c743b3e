//! What a token is narrowed to: some of its owner's rights, reading, some networks.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Violation;

/// A part of what the owner of a token may do. The order is the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read the owner's record and tokens.
    MeRead,
    /// Change the owner's record, password and tokens.
    MeWrite,
    /// Use the permission of this code, if the owner has it.
    Permission(i64),
}

/// The scopes of a token, in order, each only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Returns them as an iterator.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether this scope is one of them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Returns the codes of their permissions, ascending.
    pub fn codes(&self) -> impl Iterator<Item = i64> + '_ {
        self.iter().filter_map(|scope| match scope {
            Scope::Permission(code) => Some(code),
            Scope::MeRead | Scope::MeWrite => None,
        })
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// The networks that a token may be used from, in order, each only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Box<[IpNet]>);

impl Networks {
    /// The most networks that a token may have.
    pub const MAX: usize = 20;

    /// Whether an address is in one of them. An address in IPv6 notation of IPv4 is the IPv4 address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the first of these networks that is not inside one of the `others`.
    pub fn first_outside(&self, others: &Self) -> Option<&IpNet> {
        self.0.iter().find(|network| !others.0.iter().any(|other| other.contains(*network)))
    }

    /// Returns them as text, in their one form.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(IpNet::to_string).collect()
    }

    /// Returns the form that is stored.
    pub fn stored(&self) -> String {
        self.texts().join(" ")
    }

    /// Parses the stored form. What is no network admits no address.
    pub fn from_stored(text: &str) -> Self {
        text.split_ascii_whitespace().filter_map(|network| network.parse::<IpNet>().ok()).collect()
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let mut networks: Vec<IpNet> = networks.into_iter().map(|network| network.trunc()).collect();
        networks.sort_unstable();
        networks.dedup();
        Self(networks.into_boxed_slice())
    }
}

/// Parses a network as people write it: an address, or an address and the length of its prefix. Bits behind the prefix are an
/// error, because it is not known which of the two was meant.
pub fn parse_network(text: &str) -> Result<IpNet, Violation> {
    let invalid = || {
        let shown: String = text.chars().take(60).collect();
        Violation::Other(format!(
            "\"{shown}\" is not a network: write an address with the length of its prefix, such as 10.20.0.0/16 or \
             2001:db8::/32, or one address."
        ))
    };
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => text.parse::<IpAddr>().map(IpNet::from).map_err(|_| invalid())?,
    };
    if network != network.trunc() {
        return Err(Violation::Other(format!(
            "\"{network}\" has bits behind its prefix: write {} for the network, or {} for the address.",
            network.trunc(),
            one_form(network.addr().into()).ok_or_else(invalid)?,
        )));
    }
    one_form(network).ok_or_else(invalid)
}

/// Brings a network into its one form: IPv4 in IPv6 notation is IPv4.
fn one_form(network: IpNet) -> Option<IpNet> {
    match (network, network.addr().to_canonical()) {
        (IpNet::V6(_), IpAddr::V4(address)) => {
            let length = network.prefix_len().checked_sub(96)?;
            Ipv4Net::new(address, length).ok().map(IpNet::from)
        }
        _ => Some(network),
    }
}

/// What a token is narrowed to. The default is not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// What its owner may do with it; `None` is all that its owner may.
    pub scopes: Option<Scopes>,
    /// Whether it can only read.
    pub read_only: bool,
    /// Where it may be used; `None` is anywhere.
    pub allowed_networks: Option<Networks>,
}

impl Narrowing {
    /// Whether a request from this address may use the token. Without a known address only a token for any network may be
    /// used.
    pub fn admits(&self, from: Option<IpAddr>) -> bool {
        self.allowed_networks
            .as_ref()
            .is_none_or(|networks| from.is_some_and(|address| networks.contain(address)))
    }

    /// Whether the token has this scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_form() {
        for (written, one) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(
                parse_network(written).map(|network| network.to_string()),
                Ok(one.to_owned()),
                "{written}"
            );
        }
        for bad in [
            "",
            " 10.0.0.0/8",
            "10.0.0.0/33",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/",
            "fe80::1%eth0",
            "::/129",
            "10.0.0.0-10.0.0.9",
        ] {
            assert!(parse_network(bad).is_err(), "{bad}");
        }
        let refused = parse_network("10.1.2.3/8").unwrap_err().to_string();
        assert!(refused.contains("write 10.0.0.0/8") && refused.contains("10.1.2.3/32"), "{refused}");
    }

    #[test]
    fn what_is_stored_and_no_network_admits_no_address() {
        let networks = Networks::from_stored("10.0.0.0/8 2001:db8::/32 nonsense");
        assert_eq!(networks.stored(), "10.0.0.0/8 2001:db8::/32");
        for (address, is_in) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("11.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), is_in, "{address}");
        }
        let broken =
            Narrowing { allowed_networks: Some(Networks::from_stored("nonsense")), ..Narrowing::default() };
        assert!(!broken.admits(Some([10, 0, 0, 1].into())) && !broken.admits(None));
        assert!(Narrowing::default().admits(None));
    }
}
