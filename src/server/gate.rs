//! Decides which connections are admitted: a number of them in all, and a quarter of that from one network.
//!
//! When all permits are taken, the connection that has been idle longest is closed for a new one. A connection with a
//! request under way is left alone. A network that has its share closes one of its own. A proxy carries many clients,
//! so it has no share and may use all permits.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::wire::Presence;
use crate::telemetry::ConnectionMetrics;

/// The part of all permits that one network may have: one in so many.
const SHARE: usize = 4;
/// How long to wait for a connection that was asked to close before another one is asked.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long not to search again after no idle connection was found.
const PAUSE: Duration = Duration::from_millis(50);
/// So many connections of one network may be closing at once; beyond that new ones of it are refused.
const CLOSING_MAX: usize = 16;
/// How many of the longest idle connections one search remembers.
const REMEMBERED: usize = 64;

/// The permits of a listener.
pub(super) struct Gate {
    permits: usize,
    /// See [`CLOSE_TIMEOUT`].
    close_timeout: Duration,
    epoch: Instant,
    metrics: ConnectionMetrics,
    connections: Mutex<AdmittedConnections>,
    /// Signals that a permit has become free.
    pub(super) freed: Notify,
}

/// Whether a connection is admitted.
pub(super) enum Admission {
    /// It has a permit.
    Admitted(Permit),
    /// All permits are taken. The acceptor tries again when one is free, and every [`PAUSE`](Gate::PAUSE).
    Full,
    /// Its network has its share.
    Refused,
}

#[derive(Default)]
struct AdmittedConnections {
    next: u64,
    admitted: HashMap<u64, Admitted>,
    networks: HashMap<IpAddr, NetworkShare>,
    closing: ClosingConnections,
    idle: LongestIdle,
}

struct Admitted {
    presence: Arc<Presence>,
    network: Option<IpAddr>,
}

#[derive(Default)]
struct NetworkShare {
    members: HashSet<u64>,
    closing: usize,
    idle: LongestIdle,
}

/// Connections that were asked to close and are still open.
#[derive(Default)]
struct ClosingConnections {
    ids: HashSet<u64>,
    asked: Option<Instant>,
}

/// The connections that the last search found idle longest: since when, and which. The longest idle comes last.
#[derive(Default)]
struct LongestIdle {
    found: Vec<(u64, u64)>,
    /// When the next search is worth it.
    again: Option<Instant>,
}

impl Gate {
    /// How often to try again at a full gate.
    pub(super) const PAUSE: Duration = PAUSE;

    /// Makes a gate with so many permits.
    pub(super) fn new(permits: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            permits: permits.max(1),
            close_timeout: CLOSE_TIMEOUT,
            epoch: Instant::now(),
            metrics,
            connections: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Requests a permit for a connection of this network; a proxy has none.
    pub(super) fn enter(self: &Arc<Self>, network: Option<IpAddr>) -> Admission {
        let mut connections = self.lock();
        if network.is_some_and(|network| !connections.has_share_left(network, self.share(), &self.metrics)) {
            self.metrics.over_share.inc();
            return Admission::Refused;
        }
        if connections.admitted.len() >= self.permits {
            connections.make_room(self.close_timeout, &self.metrics);
            return Admission::Full;
        }
        let presence = Arc::new(Presence::new(self.epoch));
        let id = connections.admit(Arc::clone(&presence), network);
        Admission::Admitted(Permit { gate: Arc::clone(self), id, presence })
    }

    fn share(&self) -> usize {
        (self.permits / SHARE).max(1)
    }

    fn lock(&self) -> MutexGuard<'_, AdmittedConnections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmittedConnections {
    fn admit(&mut self, presence: Arc<Presence>, network: Option<IpAddr>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.admitted.insert(id, Admitted { presence, network });
        if let Some(network) = network {
            self.networks.entry(network).or_default().members.insert(id);
        }
        id
    }

    /// Whether one more connection of a network may come, if need be in exchange for an idle one of the same network.
    fn has_share_left(&mut self, address: IpAddr, share: usize, metrics: &ConnectionMetrics) -> bool {
        let Some(network) = self.networks.get_mut(&address) else { return true };
        if network.members.len() - network.closing < share {
            return true;
        }
        if network.closing >= CLOSING_MAX {
            return false;
        }
        let members = network.members.iter().copied();
        let found = network.idle.next(&self.admitted, &self.closing, members);
        found.is_some_and(|id| self.ask_to_close(id, metrics))
    }

    /// Asks the longest idle connection to close, unless one is closing already.
    fn make_room(&mut self, close_timeout: Duration, metrics: &ConnectionMetrics) {
        let lately = self.closing.asked.is_some_and(|asked| asked.elapsed() < close_timeout);
        if lately && !self.closing.ids.is_empty() {
            return;
        }
        let all = self.admitted.keys().copied();
        if let Some(id) = self.idle.next(&self.admitted, &self.closing, all) {
            self.ask_to_close(id, metrics);
        }
    }

    fn ask_to_close(&mut self, id: u64, metrics: &ConnectionMetrics) -> bool {
        let Some(admitted) = self.admitted.get(&id) else { return false };
        admitted.presence.ask_to_close();
        metrics.evicted.inc();
        self.closing.ids.insert(id);
        self.closing.asked = Some(Instant::now());
        if let Some(network) = admitted.network.and_then(|network| self.networks.get_mut(&network)) {
            network.closing += 1;
        }
        true
    }

    fn remove(&mut self, id: u64) {
        let was_asked = self.closing.ids.remove(&id);
        let Some(address) = self.admitted.remove(&id).and_then(|admitted| admitted.network) else { return };
        let Some(network) = self.networks.get_mut(&address) else { return };
        network.members.remove(&id);
        network.closing -= usize::from(was_asked);
        if network.members.is_empty() {
            self.networks.remove(&address);
        }
    }
}

impl LongestIdle {
    /// Picks the longest idle of these connections. A search over all of them is rare: what it finds serves many calls,
    /// and after a search without result there is a pause.
    fn next(
        &mut self,
        admitted: &HashMap<u64, Admitted>,
        closing: &ClosingConnections,
        ids: impl Iterator<Item = u64>,
    ) -> Option<u64> {
        let idle_since = |id: u64| {
            let connection = admitted.get(&id).filter(|_| !closing.ids.contains(&id))?;
            connection.presence.idle_since()
        };
        while let Some((since, id)) = self.found.pop() {
            if idle_since(id) == Some(since) {
                return Some(id);
            }
        }
        if self.again.is_some_and(|again| Instant::now() < again) {
            return None;
        }
        self.found.extend(ids.filter_map(|id| Some((idle_since(id)?, id))));
        if self.found.len() > REMEMBERED {
            self.found.select_nth_unstable(REMEMBERED);
            self.found.truncate(REMEMBERED);
        }
        self.found.sort_unstable_by(|one, other| other.cmp(one));
        self.again = self.found.is_empty().then(|| Instant::now() + PAUSE);
        self.found.pop().map(|(_, id)| id)
    }
}

/// The permit that a connection keeps for as long as it lives.
pub(super) struct Permit {
    gate: Arc<Gate>,
    id: u64,
    pub(super) presence: Arc<Presence>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.lock().remove(self.id);
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(permits: usize) -> Arc<Gate> {
        Gate::new(permits, ConnectionMetrics::default())
    }

    /// Waits a moment, so that the next connection is younger for certain.
    fn later() {
        std::thread::sleep(Duration::from_millis(1));
    }

    fn enter(gate: &Arc<Gate>, network: &str) -> Option<Permit> {
        match gate.enter(Some(network.parse().unwrap())) {
            Admission::Admitted(permit) => Some(permit),
            Admission::Full | Admission::Refused => None,
        }
    }

    fn asked(permits: &[Permit]) -> Vec<usize> {
        let asked = |(index, permit): (usize, &Permit)| permit.presence.is_asked_to_close().then_some(index);
        permits.iter().enumerate().filter_map(asked).collect()
    }

    #[test]
    fn a_network_has_a_quarter_and_makes_room_among_its_own() {
        let gate = gate(40);
        let mut permits = Vec::new();
        for _ in 0..10 {
            later();
            permits.push(enter(&gate, "2001:db8::").unwrap());
        }
        // The first two are busy; of the others, the third has been idle longest.
        permits[0].presence.set_busy();
        permits[1].presence.set_busy();
        let other = enter(&gate, "2001:db8:0:1::").unwrap();
        assert_eq!(asked(&permits), [0_usize; 0]);
        let newcomer = enter(&gate, "2001:db8::").unwrap();
        assert_eq!(asked(&permits), [2]);
        permits.remove(2);
        // None is idle: the next of this network is refused, and no other network's.
        permits.iter().for_each(|permit| permit.presence.set_busy());
        newcomer.presence.set_busy();
        assert!(enter(&gate, "2001:db8::").is_none() && enter(&gate, "192.0.2.1").is_some());
        assert_eq!((gate.metrics.over_share.get(), gate.metrics.evicted.get()), (1, 1));
        assert!(!other.presence.is_asked_to_close());
        // One that ends makes room, too.
        permits.pop();
        assert!(enter(&gate, "2001:db8::").is_some());
    }

    #[test]
    fn at_a_full_gate_the_longest_idle_goes_first() {
        let gate = Arc::new(Gate { close_timeout: Duration::MAX, ..Arc::into_inner(gate(4)).unwrap() });
        let mut permits = Vec::new();
        for number in 0..4 {
            later();
            permits.push(enter(&gate, &format!("192.0.2.{number}")).unwrap());
        }
        permits[0].presence.set_busy();
        assert!(enter(&gate, "198.51.100.1").is_none());
        assert_eq!(asked(&permits), [1]);
        // While one is closing, no other is asked, unless that takes too long.
        assert!(enter(&gate, "198.51.100.1").is_none());
        assert_eq!(asked(&permits), [1]);
        gate.lock().make_room(Duration::ZERO, &gate.metrics);
        assert_eq!(asked(&permits), [1, 2]);
        permits.remove(1);
        assert!(enter(&gate, "198.51.100.1").is_some());
    }

    #[test]
    fn a_proxy_may_have_all_places() {
        let gate = gate(8);
        let permits: Vec<_> = (0..8).map(|_| gate.enter(None)).collect();
        assert!(permits.iter().all(|admission| matches!(admission, Admission::Admitted(_))));
        assert!(matches!(gate.enter(None), Admission::Full));
        assert_eq!(gate.metrics.over_share.get(), 0);
    }

    /// A flood from a network that has its share costs one search over its connections for many of them.
    #[test]
    fn those_who_leave_at_once_are_few() {
        let gate = gate(4000);
        let mut permits: Vec<_> = (0..1000).map(|_| enter(&gate, "192.0.2.1").unwrap()).collect();
        for _ in 0..500 {
            permits.extend(enter(&gate, "192.0.2.1"));
        }
        assert_eq!((asked(&permits).len(), permits.len()), (CLOSING_MAX, 1000 + CLOSING_MAX));
        drop(permits);
        let connections = gate.lock();
        assert!(
            connections.admitted.is_empty()
                && connections.networks.is_empty()
                && connections.closing.ids.is_empty()
        );
    }
}
