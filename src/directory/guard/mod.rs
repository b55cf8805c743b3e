//! The guard at the door: how often somebody may try a password, or a name that may be taken, and how often anybody may
//! ask at all.
//!
//! `attempts` and `taken` decide by counts that the database remembers; `rates` counts requests in memory
//! and shares the counts by way of the database, in batches. `slots` is the bounded map that counts are kept in.

pub(in crate::directory) mod attempts;
mod count;
pub mod rates;
pub(in crate::directory) mod slots;
pub(in crate::directory) mod taken;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::Directory;
use super::access::{Actor, Who};
use super::error::Error;
use super::password::{QueueClient, QueueSlot};
use super::store::attempts as stored;

/// What counts as one client: an IPv4 address, or the 64 bits of IPv6 that one client commonly has to itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// From where people came lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsSeen {
    /// How many people signed in or used a token.
    pub people: u64,
    /// Some of the networks that they came from, at least two if there are two.
    pub networks: Vec<IpAddr>,
}

/// How far [`Directory::clients_seen`] looks back.
const LATELY: Duration = Duration::from_hours(30 * 24);
/// Addresses that it looks at: enough to tell one network from two.
const ADDRESSES: i64 = 100;

impl Directory {
    /// From where people came in the last 30 days. It reads every token.
    pub async fn clients_seen(&self) -> Result<ClientsSeen, Error> {
        let since = self.clock.now().saturating_sub(LATELY);
        let people = self.store.count(stored::people_seen(since)).await?;
        let addresses: Vec<String> = self.store.all(stored::addresses_seen(since, ADDRESSES)).await?;
        let addresses = addresses.iter().filter_map(|address| address.parse().ok());
        let networks: BTreeSet<_> = addresses.map(network).collect();
        Ok(ClientsSeen { people, networks: networks.into_iter().collect() })
    }

    /// A place in the line of hashes for a password that somebody sets. [`Error::Busy`] when the line is full, or the
    /// client or the person has its share of it. Operators are not limited.
    pub(in crate::directory) fn place(&self, actor: &Actor) -> Result<QueueSlot, Error> {
        let account = match &actor.who {
            Who::Person(identity) => Some(format!("person {}", identity.user.id.get()).into_bytes()),
            Who::Operator(_) | Who::Anonymous => None,
        };
        self.hasher.reserve(QueueClient { client: actor.origin.ip().map(network), account })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_half_of_an_ipv6_address() {
        for (address, one) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), one);
        }
    }
}
