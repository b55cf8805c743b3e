//! Statements of the list of users.
//!
//! A page is planned by the database, or read as the bitmaps of users suggest: among some users, or along the index of its
//! order. SQLite has no statistics of its own, so it is not left to choose then: an operator `+` in front of a column keeps it
//! from using an index. PostgreSQL knows its tables; it only gets the ids.

use super::paging::{self, Shape, during, within};
use super::search_index::CANDIDATES;
use super::users::columns;
use crate::database::{Dialect, Sql};
use crate::directory::model::{GroupId, ONLINE_FOR, Timestamp, fold};
use crate::directory::query::{Terms, UserColumn, UserFilters, UserQuery};

const SHAPE: Shape<UserColumn> =
    Shape { row: columns!(), from: "users u", id: "u.id", on_page: "u.id = page.id", column };

/// The same for users that are named by their ids or an exact filter. SQLite reads them by nothing else.
const AMONG: Shape<UserColumn> = Shape { column: bare_column, ..SHAPE };

/// How a page is read.
pub(in crate::directory) enum Reading {
    /// As the database plans it.
    Planned,
    /// Along the index of the order, with a check of every row.
    Walk,
    /// Among the users that the search index names, with a check of every row. Otherwise SQLite could read all members of a group.
    Searched,
    /// Among these users.
    Among(ChosenUsers),
    /// There are no rows.
    Nothing,
}

/// Users among which a page is.
pub(in crate::directory) struct ChosenUsers {
    /// Their ids, with commas between them.
    pub(in crate::directory) ids: String,
    /// Users who have left this span since are not on the page.
    pub(in crate::directory) within: Option<OrderSpan>,
}

/// A span of a time by which a list is ordered.
pub(in crate::directory) struct OrderSpan {
    pub(in crate::directory) column: UserColumn,
    /// The first time in it and the first one after it, in microseconds.
    pub(in crate::directory) times: Option<(i64, i64)>,
    /// Whether null is in it.
    pub(in crate::directory) has_null: bool,
}

fn bare_column(column: UserColumn) -> &'static str {
    match column {
        UserColumn::Id => "+u.id",
        UserColumn::Username => "+u.username_key",
        UserColumn::Email => "+u.email_key",
        UserColumn::Gender => "+u.gender",
        UserColumn::LastLogin => "+u.last_login",
        UserColumn::CreatedAt => "+u.created_at",
        UserColumn::UpdatedAt => "+u.updated_at",
    }
}

fn column(column: UserColumn) -> &'static str {
    match column {
        UserColumn::Id => "u.id",
        UserColumn::Username => "u.username_key",
        UserColumn::Email => "u.email_key",
        UserColumn::Gender => "u.gender",
        UserColumn::LastLogin => "u.last_login",
        UserColumn::CreatedAt => "u.created_at",
        UserColumn::UpdatedAt => "u.updated_at",
    }
}

/// Selects the users of a page, and one more if there is one.
pub(in crate::directory) fn page(dialect: Dialect, query: &UserQuery, now: Timestamp) -> Sql {
    page_by(dialect, query, now, &Reading::Planned)
}

/// Counts the users that pass the filters.
pub(in crate::directory) fn count(dialect: Dialect, query: &UserQuery, now: Timestamp) -> Sql {
    count_by(dialect, query, now, &Reading::Planned)
}

/// Selects the users of a page, and one more if there is one, in the given way.
pub(in crate::directory) fn page_by(
    dialect: Dialect,
    query: &UserQuery,
    now: Timestamp,
    reading: &Reading,
) -> Sql {
    let is_named = matches!(reading, Reading::Among(_)) || query.filters.is_exact();
    let shape = if dialect == Dialect::Sqlite && is_named { &AMONG } else { &SHAPE };
    let sql = paging::page(shape, query, |sql, _| narrow_by(sql, dialect, query, now, reading));
    let is_everyone = query.filters == UserFilters::default() && query.terms.iter().next().is_none();
    if is_everyone && paging::is_usual(query) { sql.with_one_plan() } else { sql }
}

/// Counts the users that pass the filters, in the given way.
pub(in crate::directory) fn count_by(
    dialect: Dialect,
    query: &UserQuery,
    now: Timestamp,
    reading: &Reading,
) -> Sql {
    paging::count(&SHAPE, query, |sql, _| narrow_by(sql, dialect, query, now, reading))
}

/// Selects the ids of the users whose text contains a term, at most so many.
pub(in crate::directory) fn with_term(dialect: Dialect, terms: &Terms, limit: i64) -> Sql {
    let mut sql = Sql::composed("SELECT u.id FROM users u WHERE TRUE");
    search(&mut sql, dialect, terms);
    sql.push(" LIMIT ").push_arg(limit);
    sql
}

/// Selects the ids of the users who are online, at most so many.
pub(in crate::directory) fn online(now: Timestamp, limit: i64) -> Sql {
    Sql::new("SELECT u.id FROM users u WHERE u.last_seen_at >= $1 LIMIT $2")
        .bind(now.saturating_sub(ONLINE_FOR))
        .bind(limit)
}

/// Adds the users that a page is among, and all filters.
fn narrow_by(sql: &mut Sql, dialect: Dialect, query: &UserQuery, now: Timestamp, reading: &Reading) {
    if let Reading::Among(chosen) = reading {
        among(sql, dialect, chosen);
    }
    // PostgreSQL's planner compares the ways itself; it gets no list of candidates beside them. SQLite's could read all members
    // of a group instead of the one user with a name.
    let is_planned = matches!(reading, Reading::Planned) && !query.filters.is_exact();
    match dialect {
        Dialect::Sqlite if is_planned => narrow(sql, dialect, &query.filters, &query.terms, now),
        Dialect::Postgres => narrow(sql, dialect, &query.filters, &query.terms, now),
        Dialect::Sqlite => {
            check(sql, &query.filters, &query.terms, now);
            if matches!(reading, Reading::Searched) {
                candidates(sql, &query.terms);
            }
        }
    }
}

/// Adds the condition that a user is one of these.
fn among(sql: &mut Sql, dialect: Dialect, chosen: &ChosenUsers) {
    let ids = chosen.ids.as_str();
    match dialect {
        Dialect::Sqlite => {
            sql.push(" AND u.id IN (SELECT value FROM json_each('[' || ").push_arg(ids).push(" || ']'))")
        }
        Dialect::Postgres => {
            sql.push(" AND u.id = ANY (CAST(string_to_array(").push_arg(ids).push(", ',') AS BIGINT[]))")
        }
    };
    let Some(OrderSpan { column, times, has_null }) = &chosen.within else { return };
    let column = match dialect {
        Dialect::Sqlite => bare_column(*column),
        Dialect::Postgres => self::column(*column),
    };
    sql.push(" AND (").push(if *has_null { column } else { "FALSE" });
    sql.push(if *has_null { " IS NULL" } else { "" });
    if let Some((first, end)) = times {
        sql.push(" OR (").push(column).push(" >= ").push_arg(*first);
        sql.push(" AND ").push(column).push(" < ").push_arg(*end).push(")");
    }
    sql.push(")");
}

/// The number of the groups of the user `u`.
macro_rules! member {
    () => {
        " AND (SELECT count(*) FROM memberships m WHERE m.user_id = u.id"
    };
}

/// Adds all filters as checks of a row, which no index of SQLite serves.
fn check(sql: &mut Sql, filters: &UserFilters, terms: &Terms, now: Timestamp) {
    within(sql, "+u.id", filters.id);
    during(sql, "+u.created_at", filters.created);
    during(sql, "+u.updated_at", filters.updated);
    during(sql, "+u.last_login", filters.last_login);
    for (flag, yes, no) in [
        (filters.is_active, " AND +u.is_active", " AND NOT +u.is_active"),
        (filters.is_staff, " AND +u.is_staff", " AND NOT +u.is_staff"),
        (filters.is_admin, " AND +u.is_admin", " AND NOT +u.is_admin"),
        (filters.has_email, " AND +u.email_key > ''", " AND +u.email_key = ''"),
        (filters.has_avatar, " AND +u.avatar <> ''", " AND coalesce(u.avatar, '') = ''"),
        (filters.has_phone, " AND +u.mobile_number <> ''", " AND coalesce(u.mobile_number, '') = ''"),
        (filters.has_first_name, " AND +u.first_name <> ''", " AND +u.first_name = ''"),
        (filters.has_last_name, " AND +u.last_name <> ''", " AND +u.last_name = ''"),
        (filters.has_groups, concat!(member!(), ") > 0"), concat!(member!(), ") = 0")),
    ] {
        sql.push(flag.map_or("", |flag| if flag { yes } else { no }));
    }
    if let Some(wanted) = filters.has_token {
        sql.push(" AND (SELECT count(*) FROM tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL");
        sql.push(" AND (t.expires_at IS NULL OR t.expires_at > ").push_arg(now);
        sql.push(if wanted { ")) > 0" } else { ")) = 0" });
    }
    check_others(sql, filters, now);
    like(sql, "u.search_key", terms);
}

fn check_others(sql: &mut Sql, filters: &UserFilters, now: Timestamp) {
    if let Some(is_online) = filters.is_online {
        sql.push(" AND coalesce(u.last_seen_at, -1) ").push(if is_online { ">= " } else { "< " });
        sql.push_arg(now.saturating_sub(ONLINE_FOR));
    }
    exactly(sql, filters);
    if let Some(gender) = filters.gender {
        sql.push(" AND +u.gender = ").push_arg(gender.as_str());
    }
    let one = filters.group.as_ref().map(std::slice::from_ref);
    for groups in [one, filters.groups_in.as_deref()].into_iter().flatten() {
        sql.push(concat!(member!(), " AND m.group_id IN ("));
        list(sql, groups);
        sql.push(")) > 0");
    }
}

fn list(sql: &mut Sql, groups: &[GroupId]) {
    for (number, group) in groups.iter().enumerate() {
        sql.push(if number == 0 { "" } else { ", " }).push_arg(*group);
    }
}

/// Adds all filters.
fn narrow(sql: &mut Sql, dialect: Dialect, filters: &UserFilters, terms: &Terms, now: Timestamp) {
    within(sql, "u.id", filters.id);
    during(sql, "u.created_at", filters.created);
    during(sql, "u.updated_at", filters.updated);
    during(sql, "u.last_login", filters.last_login);
    flags(sql, filters);
    has_token(sql, filters.has_token, now);
    is_online(sql, filters.is_online, now);
    exactly(sql, filters);
    if let Some(gender) = filters.gender {
        sql.push(" AND u.gender = ").push_arg(gender.as_str());
    }
    groups(sql, filters);
    search(sql, dialect, terms);
}

/// Adds the exact filters. An address is looked up by its folded form. The partial index of numbers is only used with its own
/// condition.
fn exactly(sql: &mut Sql, filters: &UserFilters) {
    if let Some(name) = &filters.username {
        sql.push(" AND u.username = ").push_arg(name.as_str());
    }
    if let Some(email) = &filters.email {
        sql.push(" AND u.email_key = ").push_arg(fold(email));
    }
    if let Some(number) = &filters.mobile_number {
        sql.push(" AND u.mobile_number <> '' AND u.mobile_number = ").push_arg(number.as_str());
    }
}

/// Adds the filters that are flags. The conditions are those of the partial indexes, which both databases only use for the same
/// text.
fn flags(sql: &mut Sql, filters: &UserFilters) {
    for (flag, yes, no) in [
        (filters.is_active, " AND u.is_active", " AND NOT u.is_active"),
        (filters.is_staff, " AND u.is_staff", " AND NOT u.is_staff"),
        (filters.is_admin, " AND u.is_admin", " AND NOT u.is_admin"),
        (filters.has_email, " AND u.email_key > ''", " AND u.email_key = ''"),
        (filters.has_avatar, " AND u.avatar <> ''", " AND (u.avatar = '' OR u.avatar IS NULL)"),
        (
            filters.has_phone,
            " AND u.mobile_number <> ''",
            " AND (u.mobile_number = '' OR u.mobile_number IS NULL)",
        ),
        (filters.has_first_name, " AND u.first_name <> ''", " AND u.first_name = ''"),
        (filters.has_last_name, " AND u.last_name <> ''", " AND u.last_name = ''"),
        (
            filters.has_groups,
            " AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id)",
            " AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id)",
        ),
    ] {
        sql.push(flag.map_or("", |flag| if flag { yes } else { no }));
    }
}

/// Adds the filter for users with a valid token: not revoked, not expired.
fn has_token(sql: &mut Sql, wanted: Option<bool>, now: Timestamp) {
    let Some(wanted) = wanted else { return };
    sql.push(if wanted { " AND EXISTS" } else { " AND NOT EXISTS" });
    sql.push(" (SELECT 1 FROM tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL");
    sql.push(" AND (t.expires_at IS NULL OR t.expires_at > ").push_arg(now).push("))");
}

/// Adds the filter for users who are online.
fn is_online(sql: &mut Sql, wanted: Option<bool>, now: Timestamp) {
    let since = now.saturating_sub(ONLINE_FOR);
    match wanted {
        Some(true) => sql.push(" AND u.last_seen_at >= ").push_arg(since),
        Some(false) => {
            sql.push(" AND (u.last_seen_at IS NULL OR u.last_seen_at < ").push_arg(since).push(")")
        }
        None => sql,
    };
}

/// Adds the filters by group.
fn groups(sql: &mut Sql, filters: &UserFilters) {
    if let Some(group) = filters.group {
        sql.push(" AND u.id IN (SELECT user_id FROM memberships WHERE group_id = ").push_arg(group).push(")");
    }
    let Some(groups) = &filters.groups_in else { return };
    sql.push(" AND u.id IN (SELECT user_id FROM memberships WHERE group_id IN (");
    list(sql, groups);
    sql.push("))");
}

/// Adds the search. Both sides are folded, so that LIKE means the same on both databases, although only SQLite's ignores ASCII
/// case. PostgreSQL's index serves LIKE itself; SQLite's index is queried for candidates first.
fn search(sql: &mut Sql, dialect: Dialect, terms: &Terms) {
    if dialect == Dialect::Sqlite {
        candidates(sql, terms);
    }
    like(sql, "u.search_key", terms);
}

/// Adds the users that SQLite's search index names, unless the terms are too short for it.
fn candidates(sql: &mut Sql, terms: &Terms) {
    if let Some(trigrams) = terms.trigrams() {
        sql.push(CANDIDATES).push_arg(trigrams).push(")");
    }
}

/// Adds a condition for every term that the folded text must contain.
pub(super) fn like(sql: &mut Sql, search_key: &'static str, terms: &Terms) {
    for pattern in terms.patterns() {
        sql.push(" AND ").push(search_key).push(" LIKE ").push_arg(pattern).push(" ESCAPE '\\'");
    }
}
