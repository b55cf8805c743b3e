//! Statements about failed attempts, known networks and shared counts of requests.

use std::collections::HashMap;

use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{Timestamp, UserId};

/// The most expired rows that one attempt deletes: more than it adds, so that rows do not pile up.
const EXPIRED_MAX: i64 = 20;
/// Counts that one statement adds to.
const ROWS: usize = 100;

/// Selects those of these keys that are blocked.
pub(in crate::directory) fn blocked(keys: &[Vec<u8>], now: Timestamp) -> Sql {
    let mut sql = Sql::composed("SELECT key, failures, blocked_until FROM attempts WHERE blocked_until > ");
    sql.push_arg(now).push(" AND key IN (");
    for (index, key) in keys.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).push_arg(key.clone());
    }
    sql.push(")");
    sql
}

/// A key that is blocked.
pub(in crate::directory) struct BlockedKey {
    pub(in crate::directory) key: Vec<u8>,
    pub(in crate::directory) failures: i64,
    /// Until when, in microseconds.
    pub(in crate::directory) until: i64,
}

impl FromRow for BlockedKey {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { key: row.next()?, failures: row.next()?, until: row.next()? })
    }
}

/// A count of failures that has not expired.
pub(in crate::directory) struct CountedKey {
    pub(in crate::directory) key: Vec<u8>,
    pub(in crate::directory) failures: i64,
    /// Until when the next attempt is blocked, in microseconds.
    pub(in crate::directory) until: i64,
}

impl FromRow for CountedKey {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { key: row.next()?, failures: row.next()?, until: row.next()? })
    }
}

/// Selects those of these keys that have failures now, in statements of bounded length.
pub(in crate::directory) fn counted(keys: &[Vec<u8>], now: Timestamp) -> Vec<Sql> {
    let statement = |keys: &[Vec<u8>]| {
        let mut sql = Sql::composed(
            "SELECT key, failures, blocked_until FROM attempts WHERE failures > 0 AND expires_at > ",
        );
        sql.push_arg(now).push(" AND key IN (");
        for (index, key) in keys.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push_arg(key.clone());
        }
        sql.push(")");
        sql
    };
    keys.chunks(ROWS).map(statement).collect()
}

/// Selects the networks that a user has signed in from.
pub(in crate::directory) fn networks_of(user: UserId) -> Sql {
    Sql::new("SELECT network FROM known_addresses WHERE user_id = $1 ORDER BY network").bind(user)
}

/// Selects the addresses from which a password of a user was refused since a time.
pub(in crate::directory) fn refused_from(user: UserId, since: Timestamp) -> Sql {
    Sql::new(
        "SELECT DISTINCT address FROM audit_events WHERE object_kind = 'user' AND object_id = $1 \
         AND action IN ('sign_in.refused', 'user.set_password.refused') AND at >= $2 AND address IS NOT NULL",
    )
    .bind(user)
    .bind(since)
}

/// The account that an attempt is for. The id is 0 if there is none.
#[derive(Default)]
pub(in crate::directory) struct Account {
    pub(in crate::directory) id: i64,
    /// Whether its user has signed in from this network before.
    pub(in crate::directory) is_known: bool,
}

impl FromRow for Account {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, is_known: row.next::<Option<i64>>()?.is_some() })
    }
}

macro_rules! account {
    ($condition:literal) => {
        Sql::new(concat!(
            "SELECT u.id, k.user_id FROM users u \
             LEFT JOIN known_addresses k ON k.user_id = u.id AND k.network = $1 WHERE ",
            $condition
        ))
    };
}

/// Selects the account of a name: the one with exactly this name, or else one with the same folded name.
pub(in crate::directory) fn of_name(network: &str, folded: &str, name: &str) -> Sql {
    account!("u.username_key = $2 ORDER BY u.username <> $3, u.id LIMIT 1")
        .bind(network)
        .bind(folded)
        .bind(name)
}

/// Selects the account of an id.
pub(in crate::directory) fn of_user(network: &str, user: UserId) -> Sql {
    account!("u.id = $2").bind(network).bind(user)
}

/// The addresses from which people signed in or used a token since a time, as a subquery.
macro_rules! seen {
    () => {
        "FROM (SELECT user_id, network AS address FROM known_addresses WHERE used_at >= $1 \
         UNION SELECT user_id, last_used_from FROM tokens WHERE last_used_at >= $1 AND last_used_from IS NOT NULL) \
         AS seen"
    };
}

/// Counts the people seen since a time.
pub(in crate::directory) fn people_seen(since: Timestamp) -> Sql {
    Sql::new(concat!("SELECT count(DISTINCT user_id) ", seen!())).bind(since)
}

/// Selects addresses and networks from which people were seen since a time, at most `most`.
pub(in crate::directory) fn addresses_seen(since: Timestamp, most: i64) -> Sql {
    Sql::new(concat!("SELECT address ", seen!(), " GROUP BY address ORDER BY address LIMIT $2"))
        .bind(since)
        .bind(most)
}

impl Tx<'_> {
    /// Returns those of these keys that are blocked.
    pub(in crate::directory) fn blocked(
        &self,
        keys: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<Vec<BlockedKey>, Error> {
        Ok(self.all(&blocked(keys, now))?)
    }

    /// Ends the wait of a key, and its memory, at these times if they would end later.
    pub(in crate::directory) fn shorten_wait(
        &self,
        key: &[u8],
        blocked_until: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE attempts SET blocked_until = $1, \
                   expires_at = CASE WHEN expires_at > $2 THEN $2 ELSE expires_at END \
                   WHERE key = $3 AND blocked_until > $1";
        self.execute(&Sql::new(sql).bind(blocked_until).bind(expires_at).bind(key.to_vec()))?;
        Ok(())
    }

    /// Returns the number of failures of a key.
    pub(in crate::directory) fn failures(&self, key: &[u8], now: Timestamp) -> Result<i64, Error> {
        let sql = Sql::new("SELECT failures FROM attempts WHERE key = $1 AND expires_at > $2");
        Ok(self.first::<i64>(&sql.bind(key.to_vec()).bind(now))?.unwrap_or(0))
    }

    /// Writes the failures of a key, until when it is blocked, and when it is forgotten.
    pub(in crate::directory) fn count_failure(
        &self,
        key: &[u8],
        failures: i64,
        blocked_until: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO attempts (key, failures, blocked_until, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, \
             blocked_until = excluded.blocked_until, expires_at = excluded.expires_at",
        );
        self.execute(&sql.bind(key.to_vec()).bind(failures).bind(blocked_until).bind(expires_at))?;
        Ok(())
    }

    /// Takes one failure of a key back, with the wait that it caused. The wait of a later failure stays.
    pub(in crate::directory) fn take_back_failure(&self, key: &[u8], until: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE attempts SET failures = failures - 1, \
                   blocked_until = CASE WHEN blocked_until = $1 THEN 0 ELSE blocked_until END WHERE key = $2";
        self.execute(&Sql::new(sql).bind(until).bind(key.to_vec()))?;
        Ok(())
    }

    /// Deletes the failures of a key.
    pub(in crate::directory) fn forget_failures(&self, key: &[u8]) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM attempts WHERE key = $1").bind(key.to_vec()))?;
        Ok(())
    }

    /// Deletes some expired rows.
    pub(in crate::directory) fn forget_attempts(&self, now: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM attempts WHERE key IN \
                   (SELECT key FROM attempts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        self.execute(&Sql::new(sql).bind(now).bind(EXPIRED_MAX))?;
        Ok(())
    }

    /// Stores a network of a user, and keeps the latest `most` of them.
    pub(in crate::directory) fn know_network(
        &self,
        user: UserId,
        network: &str,
        now: Timestamp,
        most: i64,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO known_addresses (user_id, network, used_at) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id, network) DO UPDATE SET used_at = excluded.used_at",
        );
        self.execute(&sql.bind(user).bind(network).bind(now))?;
        let sql = Sql::new(
            "DELETE FROM known_addresses WHERE user_id = $1 AND network NOT IN \
             (SELECT network FROM known_addresses WHERE user_id = $1 ORDER BY used_at DESC, network LIMIT $2)",
        );
        self.execute(&sql.bind(user).bind(most))?;
        Ok(())
    }

    /// Adds to counts with different keys, and returns their sums in the same order. Deletes some rows of windows before `old`: more
    /// than it adds, so that rows do not pile up.
    pub(in crate::directory) fn add_rates(
        &self,
        counts: &[(String, i64, u64)],
        old: Timestamp,
    ) -> Result<Vec<u64>, Error> {
        let sql = "DELETE FROM rate_counts WHERE (key, window_start) IN \
                   (SELECT key, window_start FROM rate_counts WHERE window_start < $1 ORDER BY window_start LIMIT $2)";
        let dropped = i64::try_from(counts.len()).unwrap_or(EXPIRED_MAX).saturating_mul(2).max(EXPIRED_MAX);
        self.execute(&Sql::new(sql).bind(old).bind(dropped))?;
        let mut sums = HashMap::with_capacity(counts.len());
        for rows in counts.chunks(ROWS) {
            let mut sql = Sql::composed("INSERT INTO rate_counts (key, window_start, count) VALUES ");
            for (index, (key, window, count)) in rows.iter().enumerate() {
                let added = i64::try_from(*count).unwrap_or(i64::MAX);
                sql.push(if index == 0 { "(" } else { ", (" }).push_arg(key.as_str());
                sql.push(", ").push_arg(*window).push(", ").push_arg(added).push(")");
            }
            sql.push(
                " ON CONFLICT (key, window_start) DO UPDATE SET count = rate_counts.count + excluded.count \
                 RETURNING key, window_start, count",
            );
            for RateCount { key, window, count } in self.all::<RateCount>(&sql)? {
                sums.insert((key, window), u64::try_from(count).unwrap_or(0));
            }
        }
        let sum = |(key, window, _): &(String, i64, u64)| sums.get(&(key.clone(), *window)).copied();
        Ok(counts.iter().map(|row| sum(row).unwrap_or(0)).collect())
    }
}

/// The sum of all processes.
struct RateCount {
    key: String,
    window: i64,
    count: i64,
}

impl FromRow for RateCount {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { key: row.next()?, window: row.next()?, count: row.next()? })
    }
}
