//! Brings the invalidations up to date: after [`Freshness::ensure_current`] they have every change that was acknowledged
//! before the call, from any process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::follower::Follower;
use super::invalidations::Invalidations;
use super::read_index::ReadIndex;
use crate::database::wal_index::{HEADER_WORDS, WalIndex};
use crate::directory::error::Error;
use crate::directory::store::changes::{FeedRow, last, since};
use crate::directory::store::{OpenError, Store};

/// Takes half a megabyte. A change makes one cached identity in this many be read anew without need.
const SLOTS: usize = 1 << 16;
/// From this many changes at once, everything is invalidated instead of each of them.
const CHANGES_MAX: i64 = 10_000;

/// How commits are detected on this database.
pub(super) enum Freshness {
    /// One file, and the memory that its writers share.
    Sqlite { index: WalIndex, follower: Box<Follower<FeedPosition, HEADER_WORDS>> },
    /// Replicas on one server.
    Postgres { read_index: Arc<ReadIndex>, feed: Arc<FeedState> },
}

/// The last row of the feed that was read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FeedPosition {
    number: i64,
    stamp: i64,
}

impl FeedPosition {
    fn is_at(self, row: &FeedRow) -> bool {
        (self.number, self.stamp) == (row.number, row.stamp)
    }

    /// Applies the rows of the feed from this position on. Returns false when it cannot go on from here: the row is gone
    /// (pruned, or of another history), or there are too many changes.
    fn read_on(&mut self, rows: &[FeedRow], invalidations: &Invalidations) -> bool {
        let is_over = i64::try_from(rows.len()).is_ok_and(|rows| rows >= CHANGES_MAX);
        let Some((known, changes)) = rows.split_first().filter(|(first, _)| self.is_at(first) && !is_over)
        else {
            return false;
        };
        if !changes.is_empty() {
            invalidations.apply(changes.iter().map(|row| (row.number, row.change)));
        }
        self.move_to(changes.last().unwrap_or(known));
        true
    }

    /// Starts anew at the feed's end.
    fn start(&mut self, end: Option<&FeedRow>, invalidations: &Invalidations) {
        invalidations.restart(end.map_or(0, |row| row.number));
        *self = Self::default();
        if let Some(end) = end {
            self.move_to(end);
        }
    }

    fn move_to(&mut self, row: &FeedRow) {
        *self = Self { number: row.number, stamp: row.stamp };
    }
}

/// The invalidations of a PostgreSQL database, and the position to which its feed has been read. One look at a time.
pub(super) struct FeedState {
    invalidations: Invalidations,
    position: Mutex<FeedPosition>,
    /// The history of the database of which the position is one.
    history: AtomicU64,
}

impl Freshness {
    pub(super) fn open(store: &Store) -> Result<Self, OpenError> {
        let invalidations = Invalidations::new(SLOTS);
        Ok(match store.wal_index()? {
            Some(index) => Self::Sqlite {
                index,
                follower: Box::new(Follower::new(invalidations, FeedPosition::default())),
            },
            None => Self::Postgres {
                read_index: ReadIndex::new(),
                feed: Arc::new(FeedState {
                    invalidations,
                    position: Mutex::default(),
                    history: AtomicU64::default(),
                }),
            },
        })
    }

    pub(super) fn invalidations(&self) -> &Invalidations {
        match self {
            Self::Sqlite { follower, .. } => follower.invalidations(),
            Self::Postgres { feed, .. } => &feed.invalidations,
        }
    }

    /// Returns the number of the last row of the feed that was read.
    pub(super) fn position(&self) -> i64 {
        match self {
            Self::Sqlite { follower, .. } => follower.position().number,
            Self::Postgres { feed, .. } => feed.position().number,
        }
    }

    /// Returns when every change that was acknowledged before the call is in the invalidations.
    pub(super) async fn ensure_current(&self, store: &Arc<Store>) -> Result<(), Error> {
        match self {
            Self::Sqlite { index, follower } => {
                store.check_same_file()?;
                follower.catch_up(
                    || index.header(),
                    |position, invalidations| {
                        let rows = store.priority_read_blocking(&since(position.number, CHANGES_MAX))?;
                        if !position.read_on(&rows, invalidations) {
                            position.start(store.priority_read_blocking(&last())?.first(), invalidations);
                        }
                        Ok(())
                    },
                )
            }
            Self::Postgres { read_index, feed } => {
                let (store, feed) = (Arc::clone(store), Arc::clone(feed));
                let look = move || {
                    let (store, feed) = (Arc::clone(&store), Arc::clone(&feed));
                    async move { feed.look(&store).await.map_err(Error::into_cause) }
                };
                read_index.ensure_current(look).await.map_err(Error::Unavailable)
            }
        }
    }
}

impl FeedState {
    /// Reads the feed on from its position and applies the changes.
    ///
    /// After a failover it starts anew, although the last row that was read may have survived it: an entry that was read
    /// between two looks may show a change that the feed had not shown yet, and that was lost with the old primary.
    async fn look(&self, store: &Store) -> Result<(), Error> {
        loop {
            let history = store.history();
            self.look_within(store, history).await?;
            // The rows are those of this history, or of a later one.
            if store.history() == history {
                return Ok(());
            }
        }
    }

    async fn look_within(&self, store: &Store, history: u64) -> Result<(), Error> {
        let position = *self.position();
        if self.history.load(Ordering::Acquire) == history {
            let rows = store.priority_read(since(position.number, CHANGES_MAX)).await?;
            if self.position().read_on(&rows, &self.invalidations) {
                return Ok(());
            }
        }
        let end = store.priority_read(last()).await?;
        self.position().start(end.first(), &self.invalidations);
        self.history.store(history, Ordering::Release);
        Ok(())
    }

    fn position(&self) -> std::sync::MutexGuard<'_, FeedPosition> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
