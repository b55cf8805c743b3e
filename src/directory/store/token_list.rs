//! Statements of the list of all tokens. Only the command line has it, so its orders have no indexes of their own.

use super::paging::{self, Shape, during, within};
use super::tokens::columns;
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::model::{ListedToken, Timestamp, Token, TokenState};
use crate::directory::query::{TokenColumn, TokenFilters, TokenQuery};

const SHAPE: Shape<TokenColumn> = Shape {
    row: concat!(columns!(), ", (SELECT o.username FROM users o WHERE o.id = t.user_id)"),
    from: "tokens t",
    id: "t.id",
    on_page: "t.id = page.id",
    column,
};

fn column(column: TokenColumn) -> &'static str {
    match column {
        TokenColumn::Id => "t.id",
        TokenColumn::CreatedAt => "t.created_at",
        TokenColumn::ExpiresAt => "t.expires_at",
        TokenColumn::LastUsedAt => "t.last_used_at",
    }
}

impl FromRow for ListedToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let token = Token::from_row(row)?;
        // A row whose owner is missing is damage, which `doctor` reports.
        Ok(Self { token, username: row.next::<Option<String>>()?.unwrap_or_default() })
    }
}

/// Selects the tokens of a page, and one more if there is one.
pub(in crate::directory) fn page(query: &TokenQuery, now: Timestamp) -> Sql {
    paging::page(&SHAPE, query, |sql, filters| narrow(sql, filters, now))
}

/// Counts the tokens that pass the filters.
pub(in crate::directory) fn count(query: &TokenQuery, now: Timestamp) -> Sql {
    paging::count(&SHAPE, query, |sql, filters| narrow(sql, filters, now))
}

/// Adds all filters.
fn narrow(sql: &mut Sql, filters: &TokenFilters, now: Timestamp) {
    within(sql, "t.id", filters.id);
    during(sql, "t.created_at", filters.created);
    during(sql, "t.expires_at", filters.expires);
    during(sql, "t.last_used_at", filters.last_used);
    if let Some(user) = filters.user {
        sql.push(" AND t.user_id = ").push_arg(user);
    }
    if let Some(name) = &filters.name {
        sql.push(" AND t.name = ").push_arg(name.as_str());
    }
    if let Some(key) = &filters.key {
        sql.push(" AND t.prefix = ").push_arg(key.prefix.as_str());
        sql.push(" AND t.last_four = ").push_arg(key.last_four.as_str());
    }
    if let Some(kind) = filters.kind {
        sql.push(" AND t.kind = ").push_arg(kind.as_str());
    }
    match filters.state {
        Some(TokenState::Revoked) => sql.push(" AND t.revoked_at IS NOT NULL"),
        Some(TokenState::Expired) => sql.push(" AND t.revoked_at IS NULL AND t.expires_at <= ").push_arg(now),
        Some(TokenState::Active) => {
            sql.push(" AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ");
            sql.push_arg(now).push(")")
        }
        None => sql,
    };
}
