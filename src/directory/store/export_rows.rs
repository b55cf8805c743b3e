//! Statements that read rows with every column, page by page, for exports and comparisons.

use super::users::{numbers, optional_time};
use super::{tokens, users};
use crate::database::DatabaseError;
use crate::database::Sql;
use crate::database::{FromRow, Row};
use crate::directory::model::stored::{StoredDeletedUser, StoredGroup, StoredToken, StoredUser};
use crate::directory::model::{Group, KeptDigest, Token, User};

/// Selects a [`StoredUser`].
macro_rules! user {
    () => {
        concat!("SELECT ", users::columns!(), ", u.password, ", users::own_codes!(), " FROM users u")
    };
}
pub(super) use user;

/// Selects a [`StoredToken`].
macro_rules! token {
    () => {
        concat!("SELECT ", tokens::columns!(), ", t.digest, t.last_used_from, t.ends_by FROM tokens t")
    };
}
pub(super) use token;

impl FromRow for StoredUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: User::from_row(row)?,
            password: row.next()?,
            permissions: numbers(row.next()?, "permission code")?,
        })
    }
}

impl FromRow for StoredGroup {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { group: Group::from_row(row)?, permissions: numbers(row.next()?, "permission code")? })
    }
}

impl FromRow for StoredToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            token: Token::from_row(row)?,
            digest: KeptDigest::try_from(row.next::<Vec<u8>>()?)
                .map_err(|_| DatabaseError::corrupt("digest"))?,
            last_used_from: row.next()?,
            ends_by: optional_time(row.next()?)?,
        })
    }
}

impl FromRow for StoredDeletedUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next()?,
            username: row.next()?,
            email: row.next()?,
            deleted_at: optional_time(row.next()?)?.ok_or_else(|| DatabaseError::corrupt("time"))?,
            deleted_by: row.next()?,
            remains: row.next()?,
        })
    }
}

/// Selects users after an id, in the order of their ids.
pub(in crate::directory) fn users_after(id: i64, limit: i64) -> Sql {
    Sql::new(concat!(user!(), " WHERE u.id > $1 ORDER BY u.id LIMIT $2")).bind(id).bind(limit)
}

/// Selects a [`StoredGroup`].
macro_rules! group {
    () => {
        "SELECT g.id, g.name, g.notes, (SELECT count(*) FROM memberships m WHERE m.group_id = g.id), g.created_at, \
         g.updated_at, (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM group_permissions gp \
           JOIN permissions p ON p.id = gp.permission_id WHERE gp.group_id = g.id) FROM groups g"
    };
}

/// Selects every group, in the order of their ids.
pub(in crate::directory) fn groups() -> Sql {
    Sql::new(concat!(group!(), " ORDER BY g.id"))
}

/// Selects groups after an id, in the order of their ids.
pub(in crate::directory) fn groups_after(id: i64, limit: i64) -> Sql {
    Sql::new(concat!(group!(), " WHERE g.id > $1 ORDER BY g.id LIMIT $2")).bind(id).bind(limit)
}

/// Selects tokens after an id, in the order of their ids.
pub(in crate::directory) fn tokens_after(id: i64, limit: i64) -> Sql {
    Sql::new(concat!(token!(), " WHERE t.id > $1 ORDER BY t.id LIMIT $2")).bind(id).bind(limit)
}

/// Selects users in the recycle bin after an id, in the order of their ids.
pub(in crate::directory) fn deleted_after(id: i64, limit: i64) -> Sql {
    Sql::new(
        "SELECT id, username, email, deleted_at, deleted_by, remains FROM deleted_users WHERE id > $1 \
         ORDER BY id LIMIT $2",
    )
    .bind(id)
    .bind(limit)
}
