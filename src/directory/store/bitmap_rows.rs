//! What the bitmaps of users are made of: the rows that fill them, and the feed of changes with the users that it names.

use super::changes::FeedEnd;
use super::users::numbers;
use crate::database::{DatabaseError, Dialect, FromRow, Row, Sql};

/// The facts about a user that fit into one number, from the lowest bit on. A list's filter asks for one of them.
macro_rules! facts {
    () => {
        "CAST(CAST(u.is_active AS INTEGER) + 2 * CAST(u.is_staff AS INTEGER) + 4 * CAST(u.is_admin AS INTEGER) \
         + CASE WHEN u.email_key > '' THEN 8 ELSE 0 END + CASE WHEN u.avatar <> '' THEN 16 ELSE 0 END \
         + CASE WHEN u.mobile_number <> '' THEN 32 ELSE 0 END + CASE WHEN u.first_name <> '' THEN 64 ELSE 0 END \
         + CASE WHEN u.last_name <> '' THEN 128 ELSE 0 END AS BIGINT), \
         u.gender, u.created_at, u.updated_at, u.last_login"
    };
}

/// What a row of the users table says for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct UserFacts {
    pub(in crate::directory) id: i64,
    /// A bit for each flag, in the order of the room `bitmaps`.
    pub(in crate::directory) flags: i64,
    pub(in crate::directory) gender: Option<String>,
    /// Microseconds: created, last changed, last signed in.
    pub(in crate::directory) times: [Option<i64>; 3],
}

impl UserFacts {
    fn read(id: i64, row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let (flags, gender) = (row.next()?, row.next()?);
        Ok(Self { id, flags, gender, times: [row.next()?, row.next()?, row.next()?] })
    }
}

impl FromRow for UserFacts {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let id = row.next()?;
        Self::read(id, row)
    }
}

/// Selects the facts of users after an id, ordered by it.
pub(in crate::directory) fn users(after: i64, limit: i64) -> Sql {
    let sql =
        Sql::new(concat!("SELECT u.id, ", facts!(), " FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $2"));
    sql.bind(after).bind(limit)
}

/// A user in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct MemberRow {
    pub(in crate::directory) group: i64,
    pub(in crate::directory) user: i64,
}

impl FromRow for MemberRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { group: row.next()?, user: row.next()? })
    }
}

/// Selects memberships after one of them, ordered by group and user.
pub(in crate::directory) fn members(after: MemberRow, limit: i64) -> Sql {
    let sql = Sql::new(
        "SELECT m.group_id, m.user_id FROM memberships m WHERE (m.group_id, m.user_id) > ($1, $2) \
         ORDER BY m.group_id, m.user_id LIMIT $3",
    );
    sql.bind(after.group).bind(after.user).bind(limit)
}

/// A token that was not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct LiveTokenRow {
    pub(in crate::directory) user: i64,
    pub(in crate::directory) id: i64,
    pub(in crate::directory) expires_at: Option<i64>,
}

impl FromRow for LiveTokenRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { user: row.next()?, id: row.next()?, expires_at: row.next()? })
    }
}

/// Selects tokens that were not revoked, after a user and a token, ordered by both.
pub(in crate::directory) fn live_tokens(user: i64, token: i64, limit: i64) -> Sql {
    let sql = Sql::new(
        "SELECT t.user_id, t.id, t.expires_at FROM tokens t \
         WHERE t.revoked_at IS NULL AND (t.user_id, t.id) > ($1, $2) ORDER BY t.user_id, t.id LIMIT $3",
    );
    sql.bind(user).bind(token).bind(limit)
}

/// A row of the feed, with the user that it names as they are now.
#[derive(Clone, Debug)]
pub(in crate::directory) struct ListChange {
    pub(in crate::directory) at: FeedEnd,
    pub(in crate::directory) scope: ChangeScope,
    /// `None` if the user does not exist.
    pub(in crate::directory) now: Option<ListedUserRow>,
}

/// What a row of the feed concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum ChangeScope {
    /// This user.
    User(i64),
    /// No list.
    Nothing,
    /// All users.
    Everything,
}

/// Everything about a user that a bitmap depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct ListedUserRow {
    pub(in crate::directory) facts: UserFacts,
    pub(in crate::directory) search_key: String,
    pub(in crate::directory) groups: Vec<i64>,
    /// Whether there is a token that is not revoked and never expires.
    pub(in crate::directory) has_lasting_token: bool,
    /// When the last of the other tokens that are not revoked expires, in microseconds.
    pub(in crate::directory) tokens_end: Option<i64>,
}

impl FromRow for ListChange {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let at = FeedEnd { number: row.next()?, stamp: row.next()? };
        let (scope, named): (String, Option<i64>) = (row.next()?, row.next()?);
        let scope = match (scope.as_str(), named) {
            ("user" | "tokens", Some(user)) => ChangeScope::User(user),
            ("rights", _) => ChangeScope::Nothing,
            _ => ChangeScope::Everything,
        };
        let now = match row.next::<Option<i64>>()? {
            Some(id) => Some(ListedUserRow::read(id, row)?),
            None => None,
        };
        Ok(Self { at, scope, now })
    }
}

impl ListedUserRow {
    fn read(id: i64, row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            facts: UserFacts::read(id, row)?,
            search_key: row.next()?,
            groups: numbers(row.next()?, "group id")?,
            has_lasting_token: row.next::<i64>()? > 0,
            tokens_end: row.next()?,
        })
    }
}

/// The most rows that [`changes_since`] selects.
pub(in crate::directory) const FEED_ROWS: usize = 1000;

/// The row of the feed with a number and those after it, each with the user that it names, who is joined by `join`.
macro_rules! feed {
    ($join:literal) => {
        concat!(
            "SELECT c.id, c.stamp, c.scope, c.user_id, u.id, ",
            facts!(),
            ", u.search_key, \
             (SELECT string_agg(CAST(m.group_id AS TEXT), ',') FROM memberships m WHERE m.user_id = u.id), \
             (SELECT count(*) FROM tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL AND t.expires_at IS NULL), \
             (SELECT max(t.expires_at) FROM tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL) \
             FROM (SELECT id, stamp, scope, user_id FROM identity_changes WHERE id >= $1 ORDER BY id LIMIT 1000) c ",
            $join,
            " ORDER BY c.id"
        )
    };
}

/// Selects the row of the feed with this number, if it still exists, and those after it, each with the user that it names.
/// One statement sees one state of the database, so a user is at least as new as the row that names them.
///
/// PostgreSQL would plan for a thousand rows, and read all users for them. Usually there is one. `OFFSET 0` makes it look up each
/// user by the id.
pub(in crate::directory) fn changes_since(dialect: Dialect, number: i64) -> Sql {
    let text = match dialect {
        Dialect::Sqlite => feed!("LEFT JOIN users u ON u.id = c.user_id"),
        Dialect::Postgres => {
            feed!("LEFT JOIN LATERAL (SELECT * FROM users WHERE id = c.user_id OFFSET 0) u ON TRUE")
        }
    };
    Sql::new(text).bind(number)
}
