//! Statements about the audit trail: rows are added, read, and never changed.

use super::Tx;
use super::sql::Sql;
use crate::directory::audit::{Event, Link};
use crate::directory::error::Error;
use crate::directory::model::Moment;

impl Tx<'_> {
    /// The hash of the newest event, which the next one continues; empty before the first.
    pub(in crate::directory) fn audit_head(&self) -> Result<Vec<u8>, Error> {
        let head: Option<Bytes> =
            self.first(&Sql::new("SELECT hash FROM audit_events ORDER BY id DESC LIMIT 1"))?;
        Ok(head.map(|Bytes(hash)| hash).unwrap_or_default())
    }

    /// Adds an event to the trail.
    pub(in crate::directory) fn insert_event(
        &self,
        at: Moment,
        event: &Event,
        link: Link,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO audit_events (at, actor_kind, actor_id, actor_name, action, object_kind, object_id, \
             object_name, changes, address, request_id, previous_hash, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        let sql = sql.bind(at).bind(event.actor_kind).bind(event.actor_id).bind(event.actor_name.as_str());
        let sql = sql.bind(event.action).bind(event.object_kind).bind(event.object_id);
        let sql = sql.bind(event.object_name.as_str()).bind(event.changes.to_string());
        let sql = sql.bind(event.address.as_deref()).bind(event.request_id.as_deref());
        self.execute(&sql.bind(link.previous_hash).bind(link.hash))?;
        Ok(())
    }
}

struct Bytes(Vec<u8>);

impl super::row::FromRow for Bytes {
    fn from_row(row: &mut super::row::Row<'_>) -> Result<Self, super::StoreError> {
        row.next().map(Self)
    }
}
