//! The guard at the door: how often somebody may try a password, and how often anybody may ask at all.
//!
//! `attempts` decides about passwords, with what the database remembers; `rates` counts requests in memory
//! and shares the counts by way of the database, in batches.

pub(in crate::directory) mod attempts;
pub mod rates;

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one client: an IPv4 address, or the 64 bits of IPv6 that one client commonly has to itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
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
