//! The networks that people sign in from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::store::attempts::{addresses_seen, people_seen};
use crate::network::client_network;

/// How far [`Directory::clients_seen`] looks back.
const PERIOD: Duration = Duration::from_hours(30 * 24);
/// Addresses that it reads: enough to distinguish one network from two.
const ADDRESSES_MAX: i64 = 100;

/// Where people signed in from, or used a token from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsSeen {
    /// The number of people.
    pub people: u64,
    /// Some of the networks they came from, at least two if there are two.
    pub networks: Vec<IpAddr>,
}

impl Directory {
    /// Returns where people came from in the last 30 days. It reads every token.
    pub async fn clients_seen(&self) -> Result<ClientsSeen, Error> {
        let since = self.clock.now().saturating_sub(PERIOD);
        let people = self.store.count(people_seen(since)).await?;
        let addresses: Vec<String> = self.store.all(addresses_seen(since, ADDRESSES_MAX)).await?;
        let addresses = addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
        let networks: BTreeSet<_> = addresses.map(client_network).collect();
        Ok(ClientsSeen { people, networks: networks.into_iter().collect() })
    }
}
