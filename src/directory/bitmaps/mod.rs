//! The users of every filter as compressed bitmaps in memory, so that lists count and skip users without reading them.
//!
//! The promise is that of the identity cache: **no list shows the state before a write that was acknowledged before the
//! request was sent**. What holds at any time:
//!
//! 1. The bitmaps are those of one state of the database: the one at `position`, a row of the feed of changes. They begin with
//!    one snapshot, and each later state is read by statements that return the rows of the feed together with the users that
//!    these rows name. All of them are applied at once, after a statement that reached the end of the feed.
//! 2. They are used only after a look at the feed that began after the request arrived, and only if the row at `position` still
//!    has its stamp. If it has not (a restore, a failover), or if a row says that everything may have changed, they are dropped
//!    and built again in the background. Until they stand, and whenever a look takes too long, the database answers alone.
//! 3. They decide how many users there are, and among which users a page is. The rows are always read from the database,
//!    with all filters. If it finds fewer than there were, the page is read again without bitmaps.
//! 4. What depends on the time, such as valid tokens, is decided at the time of the request.
//!
//! `index` has the bitmaps, `days`, `live_tokens` and `terms` parts of it, `build` fills it, `plan` decides how a page is read.
//!
//! Never in here: SQL, an actor, a rule about who may see what.

mod build;
mod days;
mod ends;
mod index;
mod live_tokens;
mod plan;
mod terms;
mod weight;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use roaring::RoaringTreemap;
use tokio::sync::Notify;
use tokio::time::timeout;

use self::build::BuildError;
use self::index::{ReadUsers, UserIndex, bit};
pub(super) use self::plan::FoundUsers;
use self::plan::{Step, plan};
use super::clock::Clock;
use super::error::Error;
use super::identity::ReadIndex;
use super::model::Timestamp;
use super::query::{Terms, UserQuery};
use super::store::bitmap_rows::{ChangeScope, FEED_ROWS, ListChange, ListedUserRow, changes_since};
use super::store::changes::{FeedEnd, end};
use super::store::{Dialect, FromRow, Sql, Store, user_list};

/// How long a list waits for a look at the feed. Then the database answers alone, and the look goes on.
const LOOK_TIMEOUT: Duration = Duration::from_millis(250);
/// Fewer changed users than this are applied at once.
const FEW: usize = 100;
/// From this many changed users on, the bitmaps are built anew instead.
const CHANGED_MAX: usize = 20_000;
/// The most users online, above which the database filters by that alone.
const ONLINE_MAX: i64 = 50_000;
/// The most users with a search term, above which the database counts them.
const WITH_TERM_MAX: i64 = 2_000_000;
/// How often the bitmaps are brought up to date without a request.
const KEPT_EVERY: Duration = Duration::from_secs(5);
/// The pause after a build is this many times as long as the build, and at least a second.
const PAUSE_FACTOR: u32 = 5;
/// The pause after a build that would have taken too much memory.
const PAUSE_TOO_LARGE: Duration = Duration::from_hours(1);

/// The bitmaps of all users, and what keeps them current.
pub(super) struct UserBitmaps {
    store: Arc<Store>,
    clock: Clock,
    /// The most bytes; zero keeps no bitmaps.
    limit: u64,
    looks: Arc<ReadIndex>,
    shared: Arc<SharedIndex>,
}

/// The bitmaps, if they stand.
struct SharedIndex {
    index: Mutex<Option<Box<UserIndex>>>,
    limit: u64,
    held: Gauge,
    /// Notified when the bitmaps were dropped.
    dropped: Notify,
}

impl UserBitmaps {
    /// No bitmaps yet; see [`Self::keep`]. They take at most `limit` bytes.
    pub(super) fn new(store: &Arc<Store>, clock: &Clock, limit: u64) -> Self {
        let shared =
            SharedIndex { index: Mutex::default(), limit, held: Gauge::default(), dropped: Notify::new() };
        let (store, clock) = (Arc::clone(store), clock.clone());
        Self { store, clock, limit, looks: ReadIndex::new(), shared: Arc::new(shared) }
    }

    /// Whether the bitmaps stand.
    pub(super) fn stand(&self) -> bool {
        self.shared.lock().is_some()
    }

    /// The memory that the bitmaps take, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let mut index = self.shared.lock();
        index.as_mut().map_or(0, |index| index.bytes() + index.terms().bytes())
    }

    /// The same for the metrics, as it was last measured.
    pub(super) fn gauge(&self) -> Gauge {
        self.shared.held.clone()
    }

    fn measure(&self) {
        self.shared.held.set(i64::try_from(self.bytes()).unwrap_or(i64::MAX));
    }

    /// Builds the bitmaps, or builds them anew, and keeps them current. It never ends.
    pub(super) async fn keep(&self) {
        if self.limit == 0 {
            return std::future::pending().await;
        }
        loop {
            let begun = Instant::now();
            let pause =
                self.build_and_report().await.unwrap_or_else(|| begun.elapsed().saturating_mul(PAUSE_FACTOR));
            let pause_ends = tokio::time::Instant::now() + pause.max(Duration::from_secs(1));
            while self.stand() {
                // Seldom used bitmaps would fall too far behind.
                let _ = self.ensure_current().await;
                self.measure();
                let _ = timeout(KEPT_EVERY, self.shared.dropped.notified()).await;
            }
            tokio::time::sleep_until(pause_ends).await;
        }
    }

    /// Builds the bitmaps, and writes to the log how that went. Returns how long to pause, unless it depends on the time that
    /// this took.
    async fn build_and_report(&self) -> Option<Duration> {
        let begun = Instant::now();
        match self.build().await {
            Ok(true) => {
                let (took, bytes) = (begun.elapsed(), self.bytes());
                tracing::info!(?took, bytes, "built the bitmaps of users: lists use them");
                None
            }
            Ok(false) => {
                let limit = self.limit;
                tracing::warn!(
                    limit,
                    "the bitmaps of users would take more than list_bitmaps allows: lists read the database alone"
                );
                Some(PAUSE_TOO_LARGE)
            }
            Err(error) => {
                tracing::warn!(%error, "could not build the bitmaps of users: lists read the database alone");
                None
            }
        }
    }

    /// Builds the bitmaps now. Returns false if they would take too much memory.
    pub(super) async fn build(&self) -> Result<bool, Error> {
        if self.limit == 0 {
            return Ok(false);
        }
        let (limit, now, history) = (self.limit, self.clock.now(), self.store.history());
        let built = self.store.background_snapshot(move |tx| match build::index(tx, now, limit) {
            Ok(index) => Ok(Some(Box::new(index))),
            Err(BuildError::TooLarge) => Ok(None),
            Err(BuildError::Failed(error)) => Err(error),
        });
        let mut built = built.await?;
        if let Some(index) = &mut built {
            // After a failover meanwhile, the next look drops them.
            index.history = history;
        }
        let is_built = built.is_some();
        *self.shared.lock() = built;
        self.measure();
        Ok(is_built)
    }

    /// Returns how a list is answered; `None` if the database has to answer alone.
    pub(super) async fn find(&self, query: &UserQuery, now: Timestamp) -> Option<FoundUsers> {
        if !self.stand() {
            return None;
        }
        self.ensure_current().await.ok()?;
        let mut read = ReadUsers::default();
        if query.filters.is_online.is_some() {
            read.online = Some(self.online(now).await?);
        }
        for _ in 0..2 {
            let step = plan(self.shared.lock().as_mut()?, query, &read, now);
            match step {
                Step::Found(found) => return Some(found),
                Step::Unknown => return None,
                Step::Search(terms) => {
                    for term in terms {
                        let users = self.search(&term).await?;
                        read.with_term.insert(term, users);
                    }
                }
            }
        }
        None
    }

    /// Reads who is online; `None` if too many are.
    async fn online(&self, now: Timestamp) -> Option<RoaringTreemap> {
        let ids: Vec<i64> = self.store.all(user_list::online(now, ONLINE_MAX)).await.ok()?;
        let is_whole = i64::try_from(ids.len()).is_ok_and(|found| found < ONLINE_MAX);
        if is_whole { set(ids) } else { None }
    }

    /// Reads the users whose text contains a term, and keeps them for the next search.
    async fn search(&self, term: &str) -> Option<RoaringTreemap> {
        let ticket = self.shared.lock().as_mut()?.terms().begin(term);
        let reading = ticket.map(|ticket| ReadingTerm { shared: &self.shared, term, ticket });
        let sql = user_list::with_term(self.store.dialect(), &Terms::parse(term).ok()?, WITH_TERM_MAX);
        let ids: Vec<i64> = self.store.all(sql).await.ok()?;
        if i64::try_from(ids.len()).is_ok_and(|found| found >= WITH_TERM_MAX) {
            return None;
        }
        let users = set(ids)?;
        if let Some(reading) = reading {
            reading.keep(&users);
        }
        Some(users)
    }

    /// Brings the bitmaps up to date with every change that was acknowledged before the call.
    async fn ensure_current(&self) -> Result<(), Error> {
        if self.store.dialect() == Dialect::Sqlite && self.is_at_the_end()? {
            return Ok(());
        }
        let (store, shared) = (Arc::clone(&self.store), Arc::clone(&self.shared));
        let look = move || {
            let (store, shared) = (Arc::clone(&store), Arc::clone(&shared));
            async move { shared.look(&store).await.map_err(Error::into_cause) }
        };
        match timeout(LOOK_TIMEOUT, self.looks.ensure_current(look)).await {
            Ok(looked) => looked.map_err(Error::Unavailable),
            Err(_) => Err(Error::Unavailable("the look at the feed of changes takes long".to_owned())),
        }
    }

    /// Whether the bitmaps are those of the newest state. On SQLite it takes microseconds.
    fn is_at_the_end(&self) -> Result<bool, Error> {
        self.store.check_same_file()?;
        let found = self.store.priority_read_blocking::<FeedEnd>(&end())?;
        // While others change the bitmaps, it waits for them as a look does.
        let Ok(index) = self.shared.index.try_lock() else { return Ok(false) };
        Ok(found.first().is_some_and(|end| index.as_ref().is_some_and(|index| index.position == *end)))
    }
}

/// Makes a set of ids; `None` if one is negative.
fn set(ids: Vec<i64>) -> Option<RoaringTreemap> {
    ids.into_iter().map(|id| bit(id).ok()).collect()
}

/// A term whose users are being read. If that fails, the term is forgotten.
struct ReadingTerm<'a> {
    shared: &'a SharedIndex,
    term: &'a str,
    ticket: u64,
}

impl ReadingTerm<'_> {
    fn keep(&self, users: &RoaringTreemap) {
        let mut shared = self.shared.lock();
        let Some(index) = shared.as_mut() else { return };
        index.terms().keep(self.term, self.ticket, users.clone());
        if index.bytes() + index.terms().bytes() > self.shared.limit {
            index.terms().clear();
        }
    }
}

impl Drop for ReadingTerm<'_> {
    fn drop(&mut self) {
        if let Some(index) = self.shared.lock().as_mut() {
            index.terms().give_up(self.term, self.ticket);
        }
    }
}

impl SharedIndex {
    fn lock(&self) -> MutexGuard<'_, Option<Box<UserIndex>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self) -> Option<(FeedEnd, u64)> {
        self.lock().as_ref().map(|index| (index.position, index.history))
    }

    /// Reads the feed on to its end, and applies all changes at once.
    async fn look(self: &Arc<Self>, store: &Arc<Store>) -> Result<(), Error> {
        let Some((begin, history)) = self.position() else { return Ok(()) };
        let mut changes = Changes { end: begin, users: HashMap::new() };
        loop {
            let rows = read(store, changes_since(store.dialect(), changes.end.number)).await?;
            let is_end = rows.len() < FEED_ROWS;
            if let Err(why) = changes.take(rows, store.dialect()) {
                self.drop_index(begin, why);
                return Ok(());
            }
            if is_end {
                // A term that was searched between two looks may show what was lost with the old primary.
                if store.history() != history {
                    self.drop_index(begin, "another server continues the database");
                    return Ok(());
                }
                return self.apply(begin, changes).await;
            }
        }
    }

    /// Applies changes. Many of them take a while, so they have a thread that may wait.
    async fn apply(self: &Arc<Self>, begin: FeedEnd, changes: Changes) -> Result<(), Error> {
        if changes.users.len() < FEW {
            self.apply_now(begin, &changes);
            return Ok(());
        }
        let shared = Arc::clone(self);
        let applied = tokio::task::spawn_blocking(move || shared.apply_now(begin, &changes));
        applied.await.map_err(|error| Error::broken("changes could not be applied", error))
    }

    fn apply_now(&self, begin: FeedEnd, changes: &Changes) {
        let mut index = self.lock();
        // They may have been built anew meanwhile.
        let Some(current) = index.as_mut().filter(|index| index.position == begin) else { return };
        let is_applied = current.apply(changes.end, &changes.users).is_ok();
        if !is_applied || (current.needs_measuring() && current.bytes() > self.limit) {
            self.drop_it(&mut index, "they cannot hold the users any more");
        }
    }

    /// Drops the bitmaps of this position.
    fn drop_index(&self, at: FeedEnd, why: &'static str) {
        let mut index = self.lock();
        if index.as_ref().is_some_and(|index| index.position == at) {
            self.drop_it(&mut index, why);
        }
    }

    fn drop_it(&self, index: &mut Option<Box<UserIndex>>, why: &'static str) {
        *index = None;
        self.held.set(0);
        tracing::info!(why, "dropped the bitmaps of users: they are built anew");
        self.dropped.notify_one();
    }
}

/// Changes that are being read from the feed.
struct Changes {
    /// The last row that was read.
    end: FeedEnd,
    /// The users that changed, as they are now.
    users: HashMap<i64, Option<ListedUserRow>>,
}

impl Changes {
    /// Takes rows of the feed, of which the first is known. Fails if the bitmaps cannot go on from there.
    fn take(&mut self, rows: Vec<ListChange>, dialect: Dialect) -> Result<(), &'static str> {
        let mut rows = rows.into_iter();
        if rows.next().is_none_or(|known| known.at != self.end) {
            return Err("the feed of changes has another history");
        }
        for row in rows {
            self.end = row.at;
            match row.scope {
                ChangeScope::User(user) => {
                    _ = self.users.insert(user, row.now.map(|now| folded(now, dialect)))
                }
                ChangeScope::Nothing => {}
                ChangeScope::Everything => return Err("everything may have changed"),
            }
        }
        if self.users.len() > CHANGED_MAX { Err("too many users have changed") } else { Ok(()) }
    }
}

/// SQLite's `LIKE` ignores the case of ASCII letters, which an operator's own SQL may have left in a search key.
fn folded(mut row: ListedUserRow, dialect: Dialect) -> ListedUserRow {
    if dialect == Dialect::Sqlite {
        row.search_key.make_ascii_lowercase();
    }
    row
}

/// Reads rows on a thread that may wait.
async fn read<T: FromRow>(store: &Arc<Store>, sql: Sql) -> Result<Vec<T>, Error> {
    if store.dialect() == Dialect::Postgres {
        return store.point_read(sql).await;
    }
    let store = Arc::clone(store);
    let read = tokio::task::spawn_blocking(move || store.priority_read_blocking(&sql));
    read.await.map_err(|error| Error::broken("a read failed", error))?
}
