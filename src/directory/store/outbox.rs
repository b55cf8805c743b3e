//! Statements about the outbox.
//!
//! Every write transaction has a lock that all processes share, so two servers never take the same message.

use super::users::optional_time;
use super::{Dialect, FromRow, Sql, Tx};
use crate::database::{DatabaseError, Row, Value};
use crate::directory::clock::Clock;
use crate::directory::error::Error;
use crate::directory::model::{
    Delivery, DeliveryFilter, DeliveryId, DeliveryState, MessageKind, OutboxCount, Timestamp, UserId,
};

/// The columns of a [`Delivery`].
macro_rules! columns {
    () => {
        "id, kind, channel, target, user_id, state, created_at, expires_at, next_at, attempts, error, finished_at"
    };
}

impl FromRow for Delivery {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<String, _>("message id")?,
            kind: row.next_as::<String, _>("message kind")?,
            channel: row.next_as::<String, _>("channel")?,
            target: row.next()?,
            user: row
                .next::<Option<i64>>()?
                .map(UserId::try_from)
                .transpose()
                .map_err(|_| DatabaseError::corrupt("user of a message"))?,
            state: row.next_as::<String, _>("message state")?,
            created_at: row.next_as::<i64, _>("time")?,
            expires_at: row.next_as::<i64, _>("time")?,
            next_at: row.next_as::<i64, _>("time")?,
            attempts: row.next()?,
            error: row.next()?,
            finished_at: optional_time(row.next()?)?,
        })
    }
}

/// A message with its encrypted text.
pub(in crate::directory) struct SealedDelivery {
    pub(in crate::directory) delivery: Delivery,
    pub(in crate::directory) payload: Option<Vec<u8>>,
}

impl FromRow for SealedDelivery {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { delivery: Delivery::from_row(row)?, payload: row.next()? })
    }
}

/// The id of a message and the value that is encrypted with a key.
pub(in crate::directory) struct SealedPayload {
    pub(in crate::directory) id: DeliveryId,
    pub(in crate::directory) payload: Vec<u8>,
}

impl FromRow for SealedPayload {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next_as::<String, _>("message id")?, payload: row.next()? })
    }
}

impl FromRow for OutboxCount {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            kind: row.next_as::<String, _>("message kind")?,
            channel: row.next_as::<String, _>("channel")?,
            waiting: row.next()?,
            dead: row.next()?,
            oldest: optional_time(row.next()?)?,
        })
    }
}

impl From<&DeliveryId> for Value {
    fn from(value: &DeliveryId) -> Self {
        Self::Text(value.as_str().to_owned())
    }
}

/// Which messages a server can send.
#[derive(Clone, Copy)]
pub(in crate::directory) struct Reachable {
    pub(in crate::directory) sms: bool,
    pub(in crate::directory) mail: bool,
}

/// How a message goes on after an attempt, or without one.
pub(in crate::directory) struct NextStep<'a> {
    pub(in crate::directory) state: DeliveryState,
    pub(in crate::directory) next_at: Timestamp,
    pub(in crate::directory) error: Option<&'a str>,
}

impl Tx<'_> {
    /// Returns the time by which all servers send messages: that of a PostgreSQL server. SQLite has no clock of its own, and
    /// a fixed clock of a test comes first.
    pub(in crate::directory) fn shared_time(&self, clock: &Clock) -> Result<Timestamp, Error> {
        if self.dialect() == Dialect::Sqlite || clock.is_fixed() {
            return Ok(clock.now());
        }
        let sql = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS BIGINT)";
        let micros: Option<i64> = self.first(&Sql::new(sql))?;
        let time = micros.and_then(|micros| Timestamp::from_micros(micros).ok());
        time.ok_or_else(|| DatabaseError::corrupt("clock").into())
    }

    /// Adds a message.
    pub(in crate::directory) fn insert_delivery(
        &self,
        new: &Delivery,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO deliveries (id, kind, channel, target, user_id, state, created_at, expires_at, next_at, attempts, \
                   payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let insert = Sql::new(sql)
            .bind(&new.id)
            .bind(new.kind.name())
            .bind(new.channel.name())
            .bind(new.target.as_str())
            .bind(new.user)
            .bind(new.state.name())
            .bind(new.created_at)
            .bind(new.expires_at)
            .bind(new.next_at)
            .bind(new.attempts)
            .bind(payload);
        self.execute(&insert)?;
        Ok(())
    }

    /// Whether at least `most` messages wait.
    pub(in crate::directory) fn has_waiting(&self, most: i64) -> Result<bool, Error> {
        let sql =
            "SELECT next_at FROM deliveries WHERE finished_at IS NULL ORDER BY next_at LIMIT 1 OFFSET $1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(most.saturating_sub(1)))?.is_some())
    }

    /// Returns up to `limit` messages that are due, and can be sent or have expired.
    pub(in crate::directory) fn due_deliveries(
        &self,
        now: Timestamp,
        reachable: Reachable,
        limit: i64,
    ) -> Result<Vec<SealedDelivery>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            ", payload FROM deliveries WHERE finished_at IS NULL AND next_at <= $1 \
             AND (expires_at <= $2 OR (channel = 'sms' AND $3) OR (channel = 'mail' AND $4)) ORDER BY next_at, id LIMIT $5"
        );
        let sql = Sql::new(sql).bind(now).bind(now).bind(reachable.sms).bind(reachable.mail).bind(limit);
        Ok(self.all(&sql)?)
    }

    /// Returns messages that wait although they have expired.
    pub(in crate::directory) fn overdue_deliveries(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Delivery>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE finished_at IS NULL AND state = 'queued' AND expires_at <= $1 ORDER BY next_at, id LIMIT $2"
        );
        Ok(self.all(&Sql::new(sql).bind(now).bind(limit))?)
    }

    /// Gives a message to a server until `until`.
    pub(in crate::directory) fn lease_delivery(
        &self,
        id: &DeliveryId,
        lease: &str,
        until: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, lease = $2, next_at = $3 WHERE id = $1";
        self.execute(&Sql::new(sql).bind(id).bind(lease).bind(until))?;
        Ok(())
    }

    /// Returns a message that this lease still holds.
    pub(in crate::directory) fn leased_delivery(
        &self,
        id: &DeliveryId,
        lease: &str,
    ) -> Result<Option<Delivery>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE id = $1 AND lease = $2 AND state = 'sending'"
        );
        Ok(self.first(&Sql::new(sql).bind(id).bind(lease))?)
    }

    /// Writes how a message goes on. In a final state it keeps its text only if it failed.
    pub(in crate::directory) fn step_delivery(
        &self,
        id: &DeliveryId,
        step: &NextStep<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let finished = (!step.state.is_waiting()).then_some(now);
        let keeps_text = step.state.is_waiting() || step.state == DeliveryState::Failed;
        let sql = "UPDATE deliveries SET state = $2, next_at = $3, error = $4, finished_at = $5, lease = NULL, \
                   payload = CASE WHEN $6 THEN payload END WHERE id = $1";
        let update = Sql::new(sql)
            .bind(id)
            .bind(step.state.name())
            .bind(step.next_at)
            .bind(step.error.map(str::to_owned))
            .bind(finished)
            .bind(keeps_text);
        self.execute(&update)?;
        Ok(())
    }

    /// Makes a message due now, as if it had never been tried. Returns false if it has no text any more.
    pub(in crate::directory) fn requeue_delivery(
        &self,
        id: &DeliveryId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "UPDATE deliveries SET state = 'queued', next_at = $2, attempts = 0, error = NULL, finished_at = NULL, \
                   lease = NULL WHERE id = $1 AND payload IS NOT NULL AND state IN ('queued', 'failed')";
        Ok(self.execute(&Sql::new(sql).bind(id).bind(now))? > 0)
    }

    /// Returns a message.
    pub(in crate::directory) fn delivery(&self, id: &DeliveryId) -> Result<Option<SealedDelivery>, Error> {
        let sql = concat!("SELECT ", columns!(), ", payload FROM deliveries WHERE id = $1");
        Ok(self.first(&Sql::new(sql).bind(id))?)
    }

    /// Returns the messages for a user, of a kind or of all kinds, that wait, or failed and could be tried again.
    pub(in crate::directory) fn open_deliveries(
        &self,
        user: UserId,
        kind: Option<MessageKind>,
    ) -> Result<Vec<Delivery>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE user_id = $1 AND (kind = $2 OR $3) AND payload IS NOT NULL ORDER BY created_at, id"
        );
        Ok(self
            .all(&Sql::new(sql).bind(user).bind(kind.map_or("", MessageKind::name)).bind(kind.is_none()))?)
    }

    /// Removes the texts of failed messages that have expired.
    pub(in crate::directory) fn empty_expired_deliveries(&self, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE deliveries SET payload = NULL WHERE state = 'failed' AND payload IS NOT NULL AND expires_at <= $1";
        self.execute(&Sql::new(sql).bind(now))?;
        Ok(())
    }

    /// Forgets messages whose state became final before `before`, and those beyond the newest `most` of them.
    pub(in crate::directory) fn forget_deliveries(&self, before: Timestamp, most: i64) -> Result<u64, Error> {
        let sql = "SELECT finished_at FROM deliveries WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, id DESC \
                   LIMIT 1 OFFSET $1";
        let beyond: Option<i64> = self.first(&Sql::new(sql).bind(most))?;
        let until = beyond.unwrap_or(i64::MIN).max(before.as_micros());
        Ok(self.execute(&Sql::new("DELETE FROM deliveries WHERE finished_at <= $1").bind(until))?)
    }

    /// Forgets all messages, those that wait too.
    pub(in crate::directory) fn forget_all_messages(&self) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM deliveries"))?;
        Ok(())
    }

    /// Returns the next values that are encrypted with a key, after an id.
    pub(in crate::directory) fn sealed_payloads(
        &self,
        after: Option<&DeliveryId>,
        limit: i64,
    ) -> Result<Vec<SealedPayload>, Error> {
        let sql =
            "SELECT id, payload FROM deliveries WHERE payload IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
        Ok(self.all(&Sql::new(sql).bind(after.map_or("", DeliveryId::as_str)).bind(limit))?)
    }

    /// Replaces an encrypted value.
    pub(in crate::directory) fn reseal_delivery(
        &self,
        id: &DeliveryId,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        self.execute(&Sql::new("UPDATE deliveries SET payload = $2 WHERE id = $1").bind(id).bind(payload))?;
        Ok(())
    }
}

/// Returns when the next message is due, or can be taken over.
pub(in crate::directory) fn next_due() -> Sql {
    Sql::new("SELECT next_at FROM deliveries WHERE finished_at IS NULL ORDER BY next_at LIMIT 1")
}

/// Lists messages, newest first.
pub(in crate::directory) fn list(filter: &DeliveryFilter, limit: i64) -> Sql {
    let mut sql = Sql::composed(concat!("SELECT ", columns!(), " FROM deliveries WHERE true"));
    if let Some(state) = filter.state {
        sql.push(" AND state = ").push_arg(state.name());
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND kind = ").push_arg(kind.name());
    }
    if let Some(user) = filter.user {
        sql.push(" AND user_id = ").push_arg(user);
    }
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_arg(limit);
    sql
}

/// Counts messages by kind and channel.
pub(in crate::directory) fn counts() -> Sql {
    Sql::new(
        "SELECT kind, channel, count(*) FILTER (WHERE finished_at IS NULL), \
         count(*) FILTER (WHERE state IN ('failed', 'expired')), min(created_at) FILTER (WHERE finished_at IS NULL) \
         FROM deliveries GROUP BY kind, channel ORDER BY kind, channel",
    )
}
