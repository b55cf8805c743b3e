//! Statements about failed attempts, known networks and shared counts of requests.

use super::Tx;
use super::sql::Sql;
use crate::directory::error::Error;
use crate::directory::model::{Moment, UserId};

/// Rows that one attempt forgets at the most: more than it adds, so they do not pile up.
const FORGOTTEN: i64 = 20;

/// Until when these keys are blocked.
pub(in crate::directory) fn blocked(keys: &[Vec<u8>], now: Moment) -> Sql {
    let mut sql = Sql::composed("SELECT blocked_until FROM attempts WHERE blocked_until > ");
    sql.push_arg(now).push(" AND key IN (");
    for (index, key) in keys.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).push_arg(key.clone());
    }
    sql.push(")");
    sql
}

/// Something, if this user has signed in from this network before.
pub(in crate::directory) fn knows(user: i64, network: &str) -> Sql {
    Sql::new("SELECT user_id FROM known_addresses WHERE user_id = $1 AND network = $2")
        .bind(user)
        .bind(network)
}

impl Tx<'_> {
    /// Until when these keys are blocked.
    pub(in crate::directory) fn blocked(&self, keys: &[Vec<u8>], now: Moment) -> Result<Vec<i64>, Error> {
        Ok(self.all(&blocked(keys, now))?)
    }

    /// Failures that are remembered of a key.
    pub(in crate::directory) fn failures(&self, key: &[u8], now: Moment) -> Result<i64, Error> {
        let sql = Sql::new("SELECT failures FROM attempts WHERE key = $1 AND expires_at > $2");
        Ok(self.first::<i64>(&sql.bind(key.to_vec()).bind(now))?.unwrap_or(0))
    }

    /// Writes down how a key stands.
    pub(in crate::directory) fn count_failure(
        &self,
        key: &[u8],
        failures: i64,
        blocked_until: Moment,
        expires_at: Moment,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO attempts (key, failures, blocked_until, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, \
             blocked_until = excluded.blocked_until, expires_at = excluded.expires_at",
        );
        self.execute(&sql.bind(key.to_vec()).bind(failures).bind(blocked_until).bind(expires_at))?;
        Ok(())
    }

    /// Takes one failure of a key back, and with it the wait that it made.
    pub(in crate::directory) fn take_back_failure(&self, key: &[u8]) -> Result<(), Error> {
        let sql = "UPDATE attempts SET failures = failures - 1, blocked_until = 0 WHERE key = $1";
        self.execute(&Sql::new(sql).bind(key.to_vec()))?;
        Ok(())
    }

    /// Forgets a key.
    pub(in crate::directory) fn forget_failures(&self, key: &[u8]) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM attempts WHERE key = $1").bind(key.to_vec()))?;
        Ok(())
    }

    /// Drops some of what is over.
    pub(in crate::directory) fn forget_attempts(&self, now: Moment) -> Result<(), Error> {
        let sql = "DELETE FROM attempts WHERE key IN \
                   (SELECT key FROM attempts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
        self.execute(&Sql::new(sql).bind(now).bind(FORGOTTEN))?;
        Ok(())
    }

    /// Remembers a network of a user, and the latest `most` of them.
    pub(in crate::directory) fn know_network(
        &self,
        user: UserId,
        network: &str,
        now: Moment,
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

    /// Adds to counts; tells their sums, each with its key and stretch of time. Drops what is older.
    pub(in crate::directory) fn add_rates(
        &self,
        counts: &[(String, i64, u64)],
        old: Moment,
    ) -> Result<Vec<(String, i64, u64)>, Error> {
        self.execute(&Sql::new("DELETE FROM rate_counts WHERE window_start < $1").bind(old))?;
        let sql = "INSERT INTO rate_counts (key, window_start, count) VALUES ($1, $2, $3) \
                   ON CONFLICT (key, window_start) DO UPDATE SET count = rate_counts.count + excluded.count \
                   RETURNING count";
        let mut sums = Vec::with_capacity(counts.len());
        for (key, window, count) in counts {
            let fresh = i64::try_from(*count).unwrap_or(i64::MAX);
            let sum: Option<i64> = self.first(&Sql::new(sql).bind(key.as_str()).bind(*window).bind(fresh))?;
            sums.push((key.clone(), *window, sum.and_then(|sum| u64::try_from(sum).ok()).unwrap_or(0)));
        }
        Ok(sums)
    }
}
