//! Which history of a database a server continues.
//!
//! A standby that is promoted begins another *timeline*, with a higher number. Of two servers of one database, the one
//! with the lower number was the primary before a failover: what it has may be older than what was acknowledged since,
//! and what it accepts is not on the other. Once this process has seen a history, it uses no older one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// The history that a primary continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct History {
    /// The same for a primary and its standbys.
    system: u64,
    timeline: u32,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    Primary(History),
    /// It follows a primary, or it restores a backup.
    Standby,
    /// The role may not ask, or it is no ordinary PostgreSQL.
    Unknown,
}

/// Selects whether a server is a standby, its system, and the file of its log, whose name begins with the timeline.
const STATE: &str = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE \
     pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END, \
     CAST(system_identifier AS TEXT) FROM pg_catalog.pg_control_system()";

impl ServerState {
    /// Reads it. The simple protocol needs no prepared statement.
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let messages = match client.simple_query(STATE).await {
            Ok(messages) => messages,
            Err(error) if is_refused(&error) => return Ok(Self::Unknown),
            Err(error) => return Err(error),
        };
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0), row.get(1)?)),
            _ => None,
        });
        Ok(row.map_or(Self::Unknown, |(file, system)| Self::of(file, system)))
    }

    fn of(file: Option<&str>, system: &str) -> Self {
        let Some(file) = file else { return Self::Standby };
        let timeline = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (timeline, system.parse()) {
            (Some(timeline), Ok(system)) => Self::Primary(History { system, timeline }),
            _ => Self::Unknown,
        }
    }
}

/// Returns whether the server refused the query itself: a missing right, function or feature.
fn is_refused(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("42") || code.code().starts_with("0A"))
}

/// The newest history that this process has seen, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownPrimary {
    /// How many histories it has followed.
    pub(super) number: u64,
    pub(super) history: Option<History>,
    /// The host of the URL, by its place.
    pub(super) host: usize,
}

/// Why a server is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Another server continues the database.
    Older,
    /// A primary is known.
    Standby,
}

impl Unusable {
    /// Makes the server report it as an error, which is the only way to an error of the driver.
    pub(super) fn statement(self) -> &'static str {
        match self {
            Self::Older => {
                "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03', MESSAGE = \
                 'this server was the primary before a failover, and another one continues the database: it is not used'; END $$"
            }
            Self::Standby => {
                "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03', MESSAGE = \
                 'this server is a standby, which may be behind its primary: it is not used'; END $$"
            }
        }
    }
}

/// The newest history, for all connections of this process to one database.
pub(super) struct Histories(watch::Sender<KnownPrimary>);

impl Histories {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(KnownPrimary::default()))
    }

    pub(super) fn known(&self) -> KnownPrimary {
        *self.0.borrow()
    }

    /// Returns what ends when the newest history changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<KnownPrimary> {
        self.0.subscribe()
    }

    /// Notes what a server says of itself. A history that is new ends all connections to servers of earlier ones. Returns
    /// whether there were earlier ones.
    pub(super) fn note(&self, state: ServerState, host: usize) -> Result<bool, Unusable> {
        self.admit(state, host, &ConnectionHistory::default())
    }

    /// Does the same for a connection, which belongs to the newest history from then on.
    pub(super) fn admit(
        &self,
        state: ServerState,
        host: usize,
        connection: &ConnectionHistory,
    ) -> Result<bool, Unusable> {
        let mut admitted = Ok(false);
        // Under the lock of the newest history: no change can come between.
        self.0.send_if_modified(|known| {
            let before = *known;
            admitted = known.follow(state, host).map(|()| before.number > 0 && known.number != before.number);
            if admitted.is_ok() {
                connection.0.store(known.number, Ordering::Release);
            }
            known.number != before.number
        });
        admitted
    }
}

impl KnownPrimary {
    fn follow(&mut self, state: ServerState, host: usize) -> Result<(), Unusable> {
        let ServerState::Primary(new) = state else {
            let is_standby = state == ServerState::Standby && self.history.is_some();
            return if is_standby { Err(Unusable::Standby) } else { Ok(()) };
        };
        if let Some(known) = self.history
            && new.system == known.system
            && new.timeline < known.timeline
        {
            return Err(Unusable::Older);
        }
        if self.history != Some(new) {
            (self.history, self.number) = (Some(new), self.number + 1);
        }
        self.host = host;
        Ok(())
    }
}

/// The history to which a connection belongs.
#[derive(Clone)]
pub(super) struct ConnectionHistory(Arc<AtomicU64>);

impl Default for ConnectionHistory {
    /// Nothing is known of its server yet.
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl ConnectionHistory {
    /// Returns when a newer history is known. An answer that arrives later is not passed on.
    pub(super) async fn ended(self, mut known: watch::Receiver<KnownPrimary>) {
        let is_over = |known: &KnownPrimary| known.number > self.0.load(Ordering::Acquire);
        if known.wait_for(is_over).await.is_err() {
            // The connections have no owner any more, and end by themselves.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(system: u64, timeline: u32) -> ServerState {
        ServerState::Primary(History { system, timeline })
    }

    #[test]
    fn the_timeline_is_in_the_name_of_the_log_file() {
        assert_eq!(ServerState::of(Some("0000000A0000000100000042"), "7"), primary(7, 10));
        assert_eq!(ServerState::of(None, "7"), ServerState::Standby);
        for (file, system) in [("x", "7"), ("0000000", "7"), ("0000000A0000000100000042", "")] {
            assert_eq!(ServerState::of(Some(file), system), ServerState::Unknown, "{file}");
        }
    }

    #[test]
    fn an_older_history_is_never_followed_again() {
        let histories = Histories::new();
        let steps = [
            (ServerState::Standby, 0, Ok(false), 0),
            (ServerState::Unknown, 0, Ok(false), 0),
            (primary(7, 1), 0, Ok(false), 1),
            (primary(7, 1), 1, Ok(false), 1),
            (ServerState::Standby, 0, Err(Unusable::Standby), 1),
            (primary(7, 2), 1, Ok(true), 2),
            (primary(7, 1), 0, Err(Unusable::Older), 2),
            (ServerState::Unknown, 0, Ok(false), 2),
            // The address has another database now, for example a new cluster.
            (primary(8, 1), 0, Ok(true), 3),
        ];
        for (state, host, expected, number) in steps {
            assert_eq!(histories.note(state, host), expected, "{state:?}");
            assert_eq!(histories.known().number, number, "{state:?}");
        }
        assert_eq!(histories.known().host, 0);
    }

    /// A connection that makes a history known belongs to it; those before it end, one whose server is not known yet does not.
    #[tokio::test]
    async fn a_new_history_ends_the_connections_of_earlier_ones() {
        let histories = Histories::new();
        let [one, two, three] = [(); 3].map(|()| ConnectionHistory::default());
        let [first, second, third] =
            [&one, &two, &three].map(|member| Box::pin(member.clone().ended(histories.subscribe())));
        histories.admit(primary(7, 1), 0, &one).unwrap();
        histories.admit(primary(7, 2), 1, &two).unwrap();
        first.await;
        let open = tokio::time::timeout(
            std::time::Duration::from_millis(1),
            futures_util::future::select(second, third),
        );
        assert!(open.await.is_err());
        // It was opened before, and its server turns out to be an older one.
        assert_eq!(histories.admit(primary(7, 1), 0, &three), Err(Unusable::Older));
    }
}
