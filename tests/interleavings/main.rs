//! The identity cache's promise under every interleaving that a model checker tries: no answer shows the state before
//! a write that was acknowledged before the request was sent, and no later answer shows an earlier state. The
//! invalidations and the follower are the program's own files, compiled here with loom's primitives.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test that indexes too far fails, as it should")]
#![expect(dead_code, reason = "the model needs a part of what the program's files offer")]

#[path = "../../src/directory/identity/follower.rs"]
mod follower;
#[path = "../../src/directory/model/identity_change.rs"]
mod identity_change;
#[path = "../../src/directory/identity/invalidations.rs"]
mod invalidations;

mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::Mutex;
    pub(super) use loom::sync::atomic::{AtomicI64, AtomicU64, Ordering};
}

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use follower::Follower;
use identity_change::IdentityChange;
use invalidations::{Invalidations, Position};

const USER: i64 = 7;

/// A database of one user. Its commits change a sign that can be seen from outside, as with SQLite.
struct World {
    /// The user, the feed, and the number of its history.
    database: Mutex<Database>,
    sign: [AtomicU64; 2],
    acknowledged: AtomicBool,
    follower: Follower<Place, 2>,
    cache: Mutex<Option<(Position, u64)>>,
}

struct Database {
    user: u64,
    history: u64,
    feed: Vec<(i64, IdentityChange)>,
}

#[derive(Clone, Copy, PartialEq)]
struct Place {
    history: u64,
    number: i64,
}

impl World {
    /// After an earlier request: the old state is cached.
    fn new() -> Arc<Self> {
        let invalidations = Invalidations::new(1);
        invalidations.restart(10);
        let place = Place { history: 1, number: 10 };
        let world = Self {
            database: Mutex::new(Database { user: 0, history: 1, feed: vec![] }),
            sign: [AtomicU64::new(1), AtomicU64::new(1)],
            acknowledged: AtomicBool::new(false),
            follower: Follower::new(invalidations, place),
            cache: Mutex::new(None),
        };
        assert_eq!(world.request(), 0);
        Arc::new(world)
    }

    /// A commit by any writer: the change becomes visible, then the sign changes, then it is acknowledged.
    fn commit(&self, change: impl FnOnce(&mut Database)) {
        let mut database = self.database.lock().unwrap();
        change(&mut database);
        let number = self.sign[0].load(Ordering::Relaxed) + 1;
        self.sign[1].store(number, Ordering::Release);
        self.sign[0].store(number, Ordering::Release);
        drop(database);
        self.acknowledged.store(true, Ordering::Release);
    }

    fn sign(&self) -> Option<[u64; 2]> {
        let sign = [0, 1].map(|word| self.sign[word].load(Ordering::Acquire));
        (sign[0] == sign[1]).then_some(sign)
    }

    fn read_feed(&self, place: &mut Place, invalidations: &Invalidations) {
        let database = self.database.lock().unwrap();
        let last = database.feed.last().map_or(10, |(number, _)| *number);
        if place.history == database.history {
            invalidations.apply(database.feed.iter().filter(|(number, _)| *number > place.number).copied());
        } else {
            invalidations.restart(last);
        }
        *place = Place { history: database.history, number: last };
    }

    /// One request, as `Directory` answers it.
    fn request(&self) -> u64 {
        let caught_up: Result<(), ()> = self.follower.catch_up(
            || self.sign(),
            |place, invalidations| {
                self.read_feed(place, invalidations);
                Ok(())
            },
        );
        caught_up.unwrap();
        let invalidations = self.follower.invalidations();
        let cached = *self.cache.lock().unwrap();
        if let Some((_, user)) = cached.filter(|(seen, _)| invalidations.holds(*seen, USER)) {
            return user;
        }
        let seen = invalidations.position();
        let user = self.database.lock().unwrap().user;
        *self.cache.lock().unwrap() = Some((seen, user));
        user
    }
}

fn check(commit: impl Fn(&World) + Send + Sync + Copy + 'static) {
    let mut builder = loom::model::Builder::new();
    // Every schedule with this many forced switches. More of them find nothing new and take hours.
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let world = World::new();
        let writer = {
            let world = Arc::clone(&world);
            thread::spawn(move || commit(&world))
        };
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.request())
        };
        let acknowledged = world.acknowledged.load(Ordering::Acquire);
        let first = world.request();
        assert!(!acknowledged || first == 1, "an answer from before an acknowledged write");
        let second = world.request();
        assert!(second >= first, "a later answer with an earlier state");
        let _ = other.join().unwrap();
        writer.join().unwrap();
        assert_eq!(world.request(), 1, "a stale entry was left behind");
    });
}

#[test]
fn no_answer_is_older_than_its_request() {
    check(|world| {
        world.commit(|database| {
            database.user = 1;
            database.feed.push((11, IdentityChange::User(USER)));
        });
    });
}

#[test]
fn a_change_of_everybody_is_one_too() {
    check(|world| {
        world.commit(|database| {
            database.user = 1;
            database.feed.push((11, IdentityChange::All));
        });
    });
}

/// A restore: the numbers start again, and the one that was read last means something else.
#[test]
fn a_new_history_leaves_nothing_of_the_old() {
    check(|world| {
        world.commit(|database| {
            *database = Database { user: 1, history: 2, feed: vec![(10, IdentityChange::Token(2))] };
        });
    });
}

/// Tests the checker itself: without the change in the feed, the stale entry is found.
#[test]
#[should_panic(expected = "a stale entry was left behind")]
fn a_commit_that_notes_no_change_would_be_found() {
    check(|world| world.commit(|database| database.user = 1));
}
