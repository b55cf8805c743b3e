//! Statements that count the content of the database, for the metrics.

use super::{Dialect, FromRow, Sql, Store};
use crate::database::{DatabaseError, Row};
use crate::directory::error::Error;
use crate::directory::model::Timestamp;

/// What the database contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentCounts {
    /// Users who may sign in.
    pub active_users: i64,
    /// Users who may not.
    pub inactive_users: i64,
    /// Users in the recycle bin.
    pub deleted_users: i64,
    /// Tokens by kind.
    pub tokens: Vec<TokenCount>,
    /// The size of the database in bytes.
    pub bytes: i64,
    /// The number of the newest row of the change feed.
    pub newest_change: i64,
    /// Users whose entry in the search index is outdated, up to 10,000. PostgreSQL has none.
    pub search_pending: i64,
    /// When the first of them was changed.
    pub search_pending_since: Option<i64>,
}

/// The number of tokens of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// `sign_in`, `api` or `imported`.
    pub kind: String,
    /// Whether they are neither revoked nor expired.
    pub are_active: bool,
    /// How many there are.
    pub count: i64,
}

impl FromRow for TokenCount {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { kind: row.next()?, are_active: row.next::<i64>()? == 1, count: row.next()? })
    }
}

impl Store {
    /// Counts everything in one snapshot. It reads whole tables.
    pub(in crate::directory) async fn count_content(&self, now: Timestamp) -> Result<ContentCounts, Error> {
        self.snapshot(move |tx| {
            let number = |sql: &'static str| tx.first::<i64>(&Sql::new(sql)).map(Option::unwrap_or_default);
            let tokens = "SELECT kind, CASE WHEN revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) \
                          THEN 1 ELSE 0 END AS is_active, count(*) FROM tokens GROUP BY kind, is_active ORDER BY kind, is_active";
            let tokens = match tx.dialect() {
                Dialect::Sqlite => Sql::new(tokens),
                Dialect::Postgres => Sql::new(
                    "SELECT kind, CAST(CASE WHEN revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) \
                     THEN 1 ELSE 0 END AS BIGINT) AS is_active, count(*) FROM tokens GROUP BY 1, 2 ORDER BY 1, 2",
                ),
            };
            let mut counts = ContentCounts {
                active_users: number("SELECT count(*) FROM users WHERE is_active")?,
                inactive_users: number("SELECT count(*) FROM users WHERE NOT is_active")?,
                deleted_users: number("SELECT count(*) FROM deleted_users")?,
                tokens: tx.all(&tokens.bind(now))?,
                bytes: number(tx.either(
                    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
                    "SELECT pg_catalog.pg_database_size(current_database())",
                ))?,
                newest_change: number("SELECT coalesce(max(id), 0) FROM identity_changes")?,
                ..ContentCounts::default()
            };
            if tx.dialect() == Dialect::Sqlite {
                counts.search_pending =
                    number("SELECT count(*) FROM (SELECT 1 FROM users_search_pending LIMIT 10000)")?;
                let since = "SELECT u.updated_at FROM (SELECT id FROM users_search_pending LIMIT 10000) p \
                             JOIN users u ON u.id = p.id ORDER BY u.updated_at LIMIT 1";
                counts.search_pending_since = tx.first(&Sql::new(since))?;
            }
            Ok(counts)
        })
        .await
    }
}
