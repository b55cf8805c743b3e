//! Statements of the list of users.

use super::paging::{self, Shape, during, within};
use super::search_index::CANDIDATES;
use super::users::columns;
use crate::database::{Dialect, Sql};
use crate::directory::model::{ONLINE_FOR, Timestamp, fold};
use crate::directory::query::{Terms, UserColumn, UserFilters, UserQuery};

const SHAPE: Shape<UserColumn> =
    Shape { row: columns!(), from: "users u", id: "u.id", on_page: "u.id = page.id", column };

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
    paging::page(&SHAPE, query, |sql, filters| narrow(sql, dialect, filters, &query.terms, now))
}

/// Counts the users that pass the filters.
pub(in crate::directory) fn count(dialect: Dialect, query: &UserQuery, now: Timestamp) -> Sql {
    paging::count(&SHAPE, query, |sql, filters| narrow(sql, dialect, filters, &query.terms, now))
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
    for (number, group) in groups.iter().enumerate() {
        sql.push(if number == 0 { "" } else { ", " }).push_arg(*group);
    }
    sql.push("))");
}

/// Adds the search. Both sides are folded, so that LIKE means the same on both databases, although only SQLite's ignores ASCII
/// case. PostgreSQL's index serves LIKE itself; SQLite's index is queried for candidates first.
fn search(sql: &mut Sql, dialect: Dialect, terms: &Terms) {
    if let (Dialect::Sqlite, Some(trigrams)) = (dialect, terms.trigrams()) {
        sql.push(CANDIDATES).push_arg(trigrams).push(")");
    }
    like(sql, "u.search_key", terms);
}

/// Adds a condition for every term that the folded text must contain.
pub(super) fn like(sql: &mut Sql, search_key: &'static str, terms: &Terms) {
    for pattern in terms.patterns() {
        sql.push(" AND ").push(search_key).push(" LIKE ").push_arg(pattern).push(" ESCAPE '\\'");
    }
}
