//! Statements of the list of all tokens. Its usual order is that of the ids. The other orders have no indexes of their own.

use super::paging::{self, Shape, during, within};
use super::tokens::columns;
use crate::database::{DatabaseError, FromRow, Row, Sql};
use crate::directory::access::scope_name;
use crate::directory::model::{
    KeptDigest, ListedToken, Timestamp, Token, TokenDigest, TokenId, TokenKind, TokenState, UserId,
};
use crate::directory::query::{TokenColumn, TokenFilters, TokenQuery};

/// The columns of a [`ListedToken`].
macro_rules! row {
    () => {
        concat!(columns!(), ", (SELECT o.username FROM users o WHERE o.id = t.user_id)")
    };
}

const SHAPE: Shape<TokenColumn> =
    Shape { row: row!(), from: "tokens t", id: "t.id", on_page: "t.id = page.id", column };

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
        // A row whose owner is missing is damage, which `doctor` reports.
        Ok(Self { token: Token::from_row(row)?, username: row.next()? })
    }
}

/// Selects the token of an id.
pub(in crate::directory) fn find(id: TokenId) -> Sql {
    Sql::new(concat!("SELECT ", row!(), " FROM tokens t WHERE t.id = $1")).bind(id)
}

/// Selects the tokens of these ids, of which there is at least one.
pub(in crate::directory) fn of_ids(ids: &[TokenId]) -> Sql {
    let mut sql = Sql::composed(concat!("SELECT ", row!(), " FROM tokens t WHERE t.id IN ("));
    for (place, id) in ids.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).push_arg(*id);
    }
    sql.push(")");
    sql
}

/// Selects the token of a key by its digest, whatever its state.
pub(in crate::directory) fn of_key(digest: TokenDigest) -> Sql {
    Sql::new(concat!("SELECT ", row!(), " FROM tokens t WHERE t.digest = $1"))
        .bind(KeptDigest::Sha256(digest))
}

/// Selects the token of a key by the digests that another system may have stored for it.
pub(in crate::directory) fn of_imported_key([one, other]: [Option<KeptDigest>; 2]) -> Sql {
    Sql::new(concat!("SELECT ", row!(), " FROM tokens t WHERE t.digest IN ($1, $2)")).bind(one).bind(other)
}

/// The condition of the indexes of tokens that last: those that no sign-in made.
macro_rules! lasting {
    () => {
        "t.kind <> 'sign_in' AND t.kind <> 'browser' AND t.revoked_at IS NULL"
    };
}

/// A token that needs a person.
pub(in crate::directory) struct NotedToken {
    /// Whether it ends soon; otherwise it was never used.
    pub(in crate::directory) is_ending: bool,
    pub(in crate::directory) listed: ListedToken,
}

impl FromRow for NotedToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { is_ending: row.next::<i64>()? == 1, listed: ListedToken::from_row(row)? })
    }
}

/// The most tokens of each sort that [`of_note`] selects. The number is part of the statement, so that PostgreSQL plans for it.
pub const NOTED_MAX: usize = 5;

/// Selects tokens that end in the range of time `ending`, the first one first, and tokens that were made before `unused` and
/// never used, the oldest first: at most [`NOTED_MAX`] of each, and none of one user.
///
/// PostgreSQL would read all sign-ins that end in the range if the range and the order did not fit the index of lasting tokens
/// alone. So the end of the range is checked afterwards, and the time of revocation, which is always null, is in the order.
pub(in crate::directory) fn of_note(
    ending: (Timestamp, Timestamp),
    unused: Timestamp,
    hidden: Option<UserId>,
) -> Sql {
    Sql::new(concat!(
        "SELECT * FROM (SELECT CAST(1 AS BIGINT) AS is_ending, ",
        row!(),
        " AS owner FROM tokens t WHERE ",
        lasting!(),
        " AND t.expires_at IS NOT NULL AND t.expires_at > $1 AND t.user_id <> $4 \
         ORDER BY t.revoked_at, t.expires_at, t.id LIMIT 5) AS ending WHERE expires_at <= $2 \
         UNION ALL SELECT * FROM (SELECT CAST(0 AS BIGINT) AS is_ending, ",
        row!(),
        " AS owner FROM tokens t WHERE ",
        lasting!(),
        " AND t.last_used_at IS NULL AND t.created_at <= $3 AND (t.expires_at IS NULL OR t.expires_at > $1) \
         AND t.user_id <> $4 ORDER BY t.created_at, t.id LIMIT 5) AS unused"
    ))
    .bind(ending.0)
    .bind(ending.1)
    .bind(unused)
    .bind(hidden.map_or(0, UserId::get))
    .with_one_plan()
}

/// Selects the tokens of a page, and one more if there is one.
pub(in crate::directory) fn page(query: &TokenQuery, now: Timestamp) -> Sql {
    let sql = paging::page(&SHAPE, query, |sql, filters| narrow(sql, filters, now));
    if has_few_forms(&query.filters) && paging::is_usual(query) { sql.with_one_plan() } else { sql }
}

/// Whether there are no filters, or only those that the page of a user has.
fn has_few_forms(filters: &TokenFilters) -> bool {
    let &TokenFilters { user, not_of, state, idle, .. } = filters;
    // Among the tokens of all, those in a state may be few and far between.
    let state = state.filter(|_| user.is_some());
    *filters == TokenFilters { user, not_of, state, idle, ..TokenFilters::default() }
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
    if let Some(user) = filters.not_of {
        sql.push(" AND t.user_id <> ").push_arg(user);
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
        if matches!(kind, TokenKind::SignIn | TokenKind::Browser) {
            // The condition of the index of sign-ins.
            sql.push(" AND t.kind <> 'api' AND t.kind <> 'imported'");
        }
    }
    match filters.state {
        Some(TokenState::Revoked) => _ = sql.push(" AND t.revoked_at IS NOT NULL"),
        Some(TokenState::Expired) => {
            sql.push(" AND t.revoked_at IS NULL AND (t.expires_at <= ").push_arg(now);
            for (kind, since) in idle_kinds(filters) {
                sql.push(" OR ");
                idle(sql, kind, since);
            }
            sql.push(")");
        }
        Some(TokenState::Active) => {
            sql.push(" AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ");
            sql.push_arg(now).push(")");
            for (kind, since) in idle_kinds(filters) {
                sql.push(" AND NOT ");
                idle(sql, kind, since);
            }
        }
        None => {}
    }
    match filters.is_sign_in {
        Some(true) => sql.push(" AND t.kind <> 'api' AND t.kind <> 'imported'"),
        Some(false) => sql.push(" AND t.kind <> 'sign_in' AND t.kind <> 'browser'"),
        None => sql,
    };
    match filters.has_expiry {
        Some(true) => sql.push(" AND t.expires_at IS NOT NULL"),
        Some(false) => sql.push(" AND t.expires_at IS NULL"),
        None => sql,
    };
    match filters.is_used {
        Some(true) => sql.push(" AND t.last_used_at IS NOT NULL"),
        Some(false) => sql.push(" AND t.last_used_at IS NULL"),
        None => sql,
    };
    if let Some(since) = filters.unused_since {
        sql.push(" AND coalesce(t.last_used_at, t.created_at) < ").push_arg(since);
        sql.push(" AND t.created_at < ").push_arg(since);
    }
    narrowed(sql, filters);
}

/// The kinds of tokens that pass the filters and end when they go unused, each with the time since when.
fn idle_kinds(filters: &TokenFilters) -> impl Iterator<Item = (TokenKind, Timestamp)> {
    let kinds = [(TokenKind::SignIn, filters.idle.sign_in), (TokenKind::Browser, filters.idle.browser)];
    let wanted = filters.kind;
    let timed = kinds.into_iter().filter_map(|(kind, since)| Some((kind, since?)));
    timed.filter(move |(kind, _)| wanted.is_none_or(|wanted| wanted == *kind))
}

/// Adds the condition that a token of a kind has not been used since a time.
fn idle(sql: &mut Sql, kind: TokenKind, since: Timestamp) {
    sql.push("(t.kind = ").push_arg(kind.as_str()).push(" AND t.created_at <= ").push_arg(since);
    sql.push(" AND coalesce(t.last_used_at, t.created_at) <= ").push_arg(since).push(")");
}

/// Adds the filters of what a token is narrowed to.
fn narrowed(sql: &mut Sql, filters: &TokenFilters) {
    if let Some(scope) = filters.scope {
        contains(sql, "t.scopes", &scope_name(scope));
    }
    if let Some(network) = filters.network {
        contains(sql, "t.allowed_networks", &network.to_string());
    }
    match filters.has_scopes {
        Some(true) => sql.push(" AND t.scopes IS NOT NULL"),
        Some(false) => sql.push(" AND t.scopes IS NULL"),
        None => sql,
    };
    match filters.has_networks {
        Some(true) => sql.push(" AND t.allowed_networks IS NOT NULL"),
        Some(false) => sql.push(" AND t.allowed_networks IS NULL"),
        None => sql,
    };
    match filters.is_read_only {
        Some(true) => sql.push(" AND t.read_only"),
        Some(false) => sql.push(" AND NOT t.read_only"),
        None => sql,
    };
}

/// Adds the condition that a stored list has this word. Of the characters of a word only `_` means something in a pattern.
fn contains(sql: &mut Sql, column: &'static str, word: &str) {
    let pattern = format!("% {} %", word.replace('_', "\\_"));
    // The first condition names the index of the tokens that have a list at all.
    sql.push(" AND ")
        .push(column)
        .push(" IS NOT NULL AND ' ' || ")
        .push(column)
        .push(" || ' ' LIKE ")
        .push_arg(pattern)
        .push(" ESCAPE '\\'");
}
