//! Who is let in: so many connections in all, and a quarter of them from one network.
//!
//! When all places are taken, the connection that has been idle longest makes room for a new one; one that has a request
//! under way is left alone. A network that has its share makes room among its own. A trusted proxy carries many
//! clients, so it has no share: it may use all places.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::wire::Presence;
use crate::network::client_network;
use crate::telemetry::ConnectionMetrics;

/// The part of all places that one network may have.
const SHARE: usize = 4;
/// How long it is waited for a connection that was asked to leave, before another one is asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody is looked for after nobody was found.
const PAUSE: Duration = Duration::from_millis(50);
/// So many of one network may be about to leave; beyond that new ones of it are refused.
const LEAVING_MAX: usize = 16;
/// So many of those who were idle longest are remembered with each look at all.
const REMEMBERED: usize = 64;

/// The places of a listener.
pub(super) struct Gate {
    places: usize,
    /// See [`PATIENCE`].
    patience: Duration,
    epoch: Instant,
    metrics: ConnectionMetrics,
    room: Mutex<Room>,
    /// A place has become free.
    pub(super) freed: Notify,
}

/// What became of somebody who came.
pub(super) enum Entry {
    /// A place.
    Seated(Seat),
    /// All places are taken: to be asked again when one is free, and every [`PAUSE`](Gate::PAUSE).
    Full,
    /// Its network has its share.
    Refused,
}

#[derive(Default)]
struct Room {
    next: u64,
    taken: HashMap<u64, Place>,
    networks: HashMap<IpAddr, Network>,
    leaving: Leaving,
    oldest: Oldest,
}

struct Place {
    presence: Arc<Presence>,
    network: Option<IpAddr>,
}

#[derive(Default)]
struct Network {
    members: HashSet<u64>,
    leaving: usize,
    oldest: Oldest,
}

/// Those who were asked to leave and have not left.
#[derive(Default)]
struct Leaving {
    ids: HashSet<u64>,
    asked: Option<Instant>,
}

/// Those who were idle longest when it was looked last, the oldest at the end: who they are, and since when.
#[derive(Default)]
struct Oldest {
    found: Vec<(u64, u64)>,
    /// When it is worth looking again.
    again: Option<Instant>,
}

impl Gate {
    /// How often to ask again at a full gate.
    pub(super) const PAUSE: Duration = PAUSE;

    /// A gate with so many places.
    pub(super) fn new(places: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            places: places.max(1),
            patience: PATIENCE,
            epoch: Instant::now(),
            metrics,
            room: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Asks for a place for a connection from this address.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Entry {
        let network = (!is_proxy).then(|| client_network(address));
        let mut room = self.lock();
        if network.is_some_and(|network| !room.has_share_left(network, self.share(), &self.metrics)) {
            self.metrics.over_share.inc();
            return Entry::Refused;
        }
        if room.taken.len() >= self.places {
            room.make_room(self.patience, &self.metrics);
            return Entry::Full;
        }
        let presence = Arc::new(Presence::new(self.epoch));
        let id = room.admit(Arc::clone(&presence), network);
        Entry::Seated(Seat { gate: Arc::clone(self), id, presence })
    }

    fn share(&self) -> usize {
        (self.places / SHARE).max(1)
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn admit(&mut self, presence: Arc<Presence>, network: Option<IpAddr>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.taken.insert(id, Place { presence, network });
        if let Some(network) = network {
            self.networks.entry(network).or_default().members.insert(id);
        }
        id
    }

    /// Whether one more of a network may come, if need be for another one of it that goes.
    fn has_share_left(&mut self, address: IpAddr, share: usize, metrics: &ConnectionMetrics) -> bool {
        let Some(network) = self.networks.get_mut(&address) else { return true };
        if network.members.len() - network.leaving < share {
            return true;
        }
        if network.leaving >= LEAVING_MAX {
            return false;
        }
        let members = network.members.iter().copied();
        let found = network.oldest.next(&self.taken, &self.leaving, members);
        found.is_some_and(|id| self.ask_to_leave(id, metrics))
    }

    /// Has the one leave that has been idle longest, unless somebody is leaving already.
    fn make_room(&mut self, patience: Duration, metrics: &ConnectionMetrics) {
        let lately = self.leaving.asked.is_some_and(|asked| asked.elapsed() < patience);
        if lately && !self.leaving.ids.is_empty() {
            return;
        }
        let all = self.taken.keys().copied();
        if let Some(id) = self.oldest.next(&self.taken, &self.leaving, all) {
            self.ask_to_leave(id, metrics);
        }
    }

    fn ask_to_leave(&mut self, id: u64, metrics: &ConnectionMetrics) -> bool {
        let Some(place) = self.taken.get(&id) else { return false };
        place.presence.ask_to_leave();
        metrics.evicted.inc();
        self.leaving.ids.insert(id);
        self.leaving.asked = Some(Instant::now());
        if let Some(network) = place.network.and_then(|network| self.networks.get_mut(&network)) {
            network.leaving += 1;
        }
        true
    }

    fn leave(&mut self, id: u64) {
        let was_asked = self.leaving.ids.remove(&id);
        let Some(address) = self.taken.remove(&id).and_then(|place| place.network) else { return };
        let Some(network) = self.networks.get_mut(&address) else { return };
        network.members.remove(&id);
        network.leaving -= usize::from(was_asked);
        if network.members.is_empty() {
            self.networks.remove(&address);
        }
    }
}

impl Oldest {
    /// The one that has been idle longest, of these. All of them are looked at rarely: what a look finds is good for
    /// many, and after one that finds nobody there is a pause.
    fn next(
        &mut self,
        taken: &HashMap<u64, Place>,
        leaving: &Leaving,
        ids: impl Iterator<Item = u64>,
    ) -> Option<u64> {
        let idle_since = |id: u64| {
            let place = taken.get(&id).filter(|_| !leaving.ids.contains(&id))?;
            place.presence.idle_since()
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

/// A place that a connection has for as long as it lives.
pub(super) struct Seat {
    gate: Arc<Gate>,
    id: u64,
    pub(super) presence: Arc<Presence>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gate.lock().leave(self.id);
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(places: usize) -> Arc<Gate> {
        Gate::new(places, ConnectionMetrics::default())
    }

    /// Somewhat later than before, to be sure of the order.
    fn later() {
        std::thread::sleep(Duration::from_millis(1));
    }

    fn enter(gate: &Arc<Gate>, address: &str) -> Option<Seat> {
        match gate.enter(address.parse().unwrap(), false) {
            Entry::Seated(seat) => Some(seat),
            Entry::Full | Entry::Refused => None,
        }
    }

    fn asked(seats: &[Seat]) -> Vec<usize> {
        let asked = |(index, seat): (usize, &Seat)| seat.presence.is_asked_to_leave().then_some(index);
        seats.iter().enumerate().filter_map(asked).collect()
    }

    #[test]
    fn a_network_has_a_quarter_and_makes_room_among_its_own() {
        let gate = gate(40);
        let mut seats = Vec::new();
        for number in 0..10 {
            later();
            // All of one /64 network.
            seats.push(enter(&gate, &format!("2001:db8::{number}")).unwrap());
        }
        // The first are at work; of the others, the third has been idle longest.
        seats[0].presence.is_busy();
        seats[1].presence.is_busy();
        let other = enter(&gate, "2001:db8:0:1::1").unwrap();
        assert_eq!(asked(&seats), [0_usize; 0]);
        let newcomer = enter(&gate, "2001:db8::99").unwrap();
        assert_eq!(asked(&seats), [2]);
        seats.remove(2);
        // Nobody is idle: the next of this network is refused, and nobody else.
        seats.iter().for_each(|seat| seat.presence.is_busy());
        newcomer.presence.is_busy();
        assert!(enter(&gate, "2001:db8::98").is_none() && enter(&gate, "192.0.2.1").is_some());
        assert_eq!((gate.metrics.over_share.get(), gate.metrics.evicted.get()), (1, 1));
        assert!(!other.presence.is_asked_to_leave());
        // One that leaves makes room, too.
        seats.pop();
        assert!(enter(&gate, "2001:db8::97").is_some());
    }

    #[test]
    fn at_a_full_gate_the_longest_idle_goes_first() {
        let gate = Arc::new(Gate { patience: Duration::MAX, ..Arc::into_inner(gate(4)).unwrap() });
        let mut seats = Vec::new();
        for number in 0..4 {
            later();
            seats.push(enter(&gate, &format!("192.0.2.{number}")).unwrap());
        }
        seats[0].presence.is_busy();
        assert!(enter(&gate, "198.51.100.1").is_none());
        assert_eq!(asked(&seats), [1]);
        // Somebody is leaving: nobody else is asked, unless it takes too long.
        assert!(enter(&gate, "198.51.100.1").is_none());
        assert_eq!(asked(&seats), [1]);
        gate.lock().make_room(Duration::ZERO, &gate.metrics);
        assert_eq!(asked(&seats), [1, 2]);
        seats.remove(1);
        assert!(enter(&gate, "198.51.100.1").is_some());
    }

    #[test]
    fn a_proxy_may_have_all_places() {
        let gate = gate(8);
        let enter = || gate.enter("192.0.2.1".parse().unwrap(), true);
        let seats: Vec<_> = (0..8).map(|_| enter()).collect();
        assert!(seats.iter().all(|entry| matches!(entry, Entry::Seated(_))));
        assert!(matches!(enter(), Entry::Full));
        assert_eq!(gate.metrics.over_share.get(), 0);
    }

    /// A flood of a network that has its share costs a look at all its connections once for many of them.
    #[test]
    fn those_who_leave_at_once_are_few() {
        let gate = gate(4000);
        let mut seats: Vec<_> = (0..1000).map(|_| enter(&gate, "192.0.2.1").unwrap()).collect();
        for _ in 0..500 {
            seats.extend(enter(&gate, "192.0.2.1"));
        }
        assert_eq!((asked(&seats).len(), seats.len()), (LEAVING_MAX, 1000 + LEAVING_MAX));
        drop(seats);
        let room = gate.lock();
        assert!(room.taken.is_empty() && room.networks.is_empty() && room.leaving.ids.is_empty());
    }
}
