//! Whether what is cached may be used: after [`Freshness::pass`] the invalidations have every change that was
//! acknowledged before the call, whoever made it.

use std::sync::{Arc, Mutex, PoisonError};

use super::follower::Follower;
use super::invalidations::Invalidations;
use super::read_index::ReadIndex;
use crate::database::wal_index::{WORDS, WalIndex};
use crate::directory::error::Error;
use crate::directory::store::changes::{Noted, last, since};
use crate::directory::store::{OpenError, Store};

/// Half a megabyte; a change makes one cached identity in so many be read anew without need.
const SLOTS: usize = 1 << 16;
/// So many changes at once are not looked at one by one.
const MANY: i64 = 10_000;

/// How commits are noticed on this database.
pub(super) enum Freshness {
    /// One file, and the memory its writers share.
    Sqlite { index: WalIndex, follower: Box<Follower<Place, WORDS>> },
    /// Replicas on one server.
    Postgres { rounds: Arc<ReadIndex>, followed: Arc<FeedState> },
}

/// The last row of the feed that was read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    number: i64,
    stamp: i64,
}

impl Place {
    fn is(self, row: &Noted) -> bool {
        (self.number, self.stamp) == (row.number, row.stamp)
    }

    /// Takes in what the feed holds from this place on. False when it cannot be read on from here: the row is
    /// gone (pruned, or of another history), or too much has happened.
    fn read_on(&mut self, rows: &[Noted], invalidations: &Invalidations) -> bool {
        let many = i64::try_from(rows.len()).is_ok_and(|rows| rows >= MANY);
        let Some((known, news)) = rows.split_first().filter(|(first, _)| self.is(first) && !many) else {
            return false;
        };
        if !news.is_empty() {
            invalidations.apply(news.iter().map(|row| (row.number, row.change)));
        }
        self.take(news.last().unwrap_or(known));
        true
    }

    /// Starts from the feed's end.
    fn start(&mut self, end: Option<&Noted>, invalidations: &Invalidations) {
        invalidations.restart(end.map_or(0, |row| row.number));
        *self = Self::default();
        if let Some(end) = end {
            self.take(end);
        }
    }

    fn take(&mut self, row: &Noted) {
        *self = Self { number: row.number, stamp: row.stamp };
    }
}

/// The invalidations of a PostgreSQL database and the place it has been read to; looks come one at a time.
pub(super) struct FeedState {
    invalidations: Invalidations,
    place: Mutex<Place>,
}

impl Freshness {
    pub(super) fn open(store: &Store) -> Result<Self, OpenError> {
        let invalidations = Invalidations::new(SLOTS);
        Ok(match store.wal_index()? {
            Some(index) => {
                Self::Sqlite { index, follower: Box::new(Follower::new(invalidations, Place::default())) }
            }
            None => Self::Postgres {
                rounds: ReadIndex::new(),
                followed: Arc::new(FeedState { invalidations, place: Mutex::default() }),
            },
        })
    }

    pub(super) fn invalidations(&self) -> &Invalidations {
        match self {
            Self::Sqlite { follower, .. } => follower.invalidations(),
            Self::Postgres { followed, .. } => &followed.invalidations,
        }
    }

    /// Returns when every change that was acknowledged before the call is in the invalidations.
    pub(super) async fn pass(&self, store: &Arc<Store>) -> Result<(), Error> {
        match self {
            Self::Sqlite { index, follower } => {
                store.check_in_place()?;
                follower.catch_up(
                    || index.sign(),
                    |place, invalidations| {
                        let rows = store.priority_read_blocking(&since(place.number, MANY))?;
                        if !place.read_on(&rows, invalidations) {
                            place.start(store.priority_read_blocking(&last())?.first(), invalidations);
                        }
                        Ok(())
                    },
                )
            }
            Self::Postgres { rounds, followed } => {
                let (store, followed) = (Arc::clone(store), Arc::clone(followed));
                let look = move || {
                    let (store, followed) = (Arc::clone(&store), Arc::clone(&followed));
                    async move { followed.look(&store).await.map_err(|error| error.to_string()) }
                };
                rounds.pass(look).await.map_err(Error::Unavailable)
            }
        }
    }
}

impl FeedState {
    async fn look(&self, store: &Store) -> Result<(), Error> {
        let place = *self.place();
        let rows = store.priority_read(since(place.number, MANY)).await?;
        if !self.place().read_on(&rows, &self.invalidations) {
            let end = store.priority_read(last()).await?;
            self.place().start(end.first(), &self.invalidations);
        }
        Ok(())
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
