//! Statements that read rows with all that is kept of them, page by page or by what says which they are: for
//! exports, and to see what an import would change.

use serde_json::Value as Json;

use super::Tx;
use super::fault::DatabaseError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::users::{numbers, optional_time};
use super::{tokens, users};
use crate::directory::error::Error;
use crate::directory::model::stored::{WholeDeleted, WholeGroup, WholeToken, WholeUser};
use crate::directory::model::{Group, KeptDigest, Token, User};

/// A row's number beside a text of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Numbered(pub(in crate::directory) String, pub(in crate::directory) i64);

macro_rules! user {
    () => {
        concat!(
            "SELECT ",
            users::columns!(),
            ", u.password, (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM user_permissions up \
               JOIN permissions p ON p.id = up.permission_id WHERE up.user_id = u.id) FROM users u"
        )
    };
}
macro_rules! token {
    () => {
        concat!("SELECT ", tokens::columns!(), ", t.digest, t.last_used_from FROM tokens t")
    };
}

impl FromRow for WholeUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            user: User::from_row(row)?,
            password: row.next()?,
            permissions: numbers(row.next()?, "permission code")?,
        })
    }
}

impl FromRow for WholeGroup {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { group: Group::from_row(row)?, permissions: numbers(row.next()?, "permission code")? })
    }
}

impl FromRow for WholeToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            token: Token::from_row(row)?,
            digest: KeptDigest::try_from(row.next::<Vec<u8>>()?)
                .map_err(|_| DatabaseError::corrupt("digest"))?,
            last_used_from: row.next()?,
        })
    }
}

impl FromRow for WholeDeleted {
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

impl FromRow for Numbered {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(row.next()?, row.next()?))
    }
}

/// Users after an id, in the order of their ids.
pub(in crate::directory) fn users_after(id: i64, limit: i64) -> Sql {
    Sql::new(concat!(user!(), " WHERE u.id > $1 ORDER BY u.id LIMIT $2")).bind(id).bind(limit)
}

/// Every group, in the order of their ids.
pub(in crate::directory) fn groups() -> Sql {
    Sql::new(
        "SELECT g.id, g.name, g.notes, (SELECT count(*) FROM memberships m WHERE m.group_id = g.id), g.created_at, \
         g.updated_at, (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM group_permissions gp \
           JOIN permissions p ON p.id = gp.permission_id WHERE gp.group_id = g.id) FROM groups g ORDER BY g.id",
    )
}

/// Tokens after an id, in the order of their ids.
pub(in crate::directory) fn tokens_after(id: i64, limit: i64) -> Sql {
    Sql::new(concat!(token!(), " WHERE t.id > $1 ORDER BY t.id LIMIT $2")).bind(id).bind(limit)
}

/// Whoever is in the recycle bin after an id, in the order of their ids.
pub(in crate::directory) fn deleted_after(id: i64, limit: i64) -> Sql {
    Sql::new(
        "SELECT id, username, email, deleted_at, deleted_by, remains FROM deleted_users WHERE id > $1 \
         ORDER BY id LIMIT $2",
    )
    .bind(id)
    .bind(limit)
}

impl Tx<'_> {
    /// The users of these ids.
    pub(in crate::directory) fn whole_users(&self, ids: &[i64]) -> Result<Vec<WholeUser>, Error> {
        let sql = self.either(
            concat!(user!(), " WHERE u.id IN (SELECT value FROM json_each($1))"),
            concat!(user!(), " WHERE u.id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        Ok(self.all(&Sql::new(sql).bind(list(ids)))?)
    }

    /// The ids of those of these usernames that are known.
    pub(in crate::directory) fn ids_of_usernames(&self, names: &[&str]) -> Result<Vec<Numbered>, Error> {
        let sql = self.either(
            "SELECT username, id FROM users WHERE username IN (SELECT value FROM json_each($1))",
            "SELECT username, id FROM users WHERE username IN (SELECT v FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        Ok(self.all(&Sql::new(sql).bind(list(names)))?)
    }

    /// The tokens kept under these digests.
    pub(in crate::directory) fn whole_tokens(
        &self,
        digests: &[&KeptDigest],
    ) -> Result<Vec<WholeToken>, Error> {
        let sql = self.either(
            concat!(token!(), " WHERE t.digest IN (SELECT unhex(value) FROM json_each($1))"),
            concat!(token!(), " WHERE t.digest IN (SELECT decode(v, 'hex') FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        let digests: Vec<String> = digests.iter().map(|digest| format!("{digest:x}")).collect();
        Ok(self.all(&Sql::new(sql).bind(list(&digests)))?)
    }

    /// Which other users hold what must be this user's alone: the field and their ids.
    pub(in crate::directory) fn holders(&self, user: &User) -> Result<Vec<Numbered>, Error> {
        let sql = Sql::new(
            "SELECT 'username', id FROM users WHERE username = $1 AND id <> $4 \
             UNION ALL SELECT 'mobile_number', id FROM users WHERE mobile_number = $2 AND mobile_number <> '' AND id <> $4 \
             UNION ALL SELECT 'email', id FROM users WHERE email = $3 AND email <> '' AND id <> $4",
        );
        let sql = sql.bind(user.username.as_str()).bind(user.mobile_number.as_deref());
        Ok(self.all(&sql.bind(user.email.as_deref()).bind(user.id))?)
    }

    /// Ids and names of users after an id, in the order of their ids.
    pub(in crate::directory) fn names_after(&self, id: i64, limit: i64) -> Result<Vec<Numbered>, Error> {
        let sql = "SELECT username, id FROM users WHERE id > $1 ORDER BY id LIMIT $2";
        Ok(self.all(&Sql::new(sql).bind(id).bind(limit))?)
    }

    /// Whether there is anybody, be it in the recycle bin.
    pub(in crate::directory) fn has_users(&self) -> Result<bool, Error> {
        let sql = "SELECT id FROM users UNION ALL SELECT id FROM deleted_users LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql))?.is_some())
    }

    /// Whether there is a user with this id.
    pub(in crate::directory) fn has_user(&self, id: i64) -> Result<bool, Error> {
        Ok(self.first::<i64>(&Sql::new("SELECT id FROM users WHERE id = $1").bind(id))?.is_some())
    }

    /// The ids of those who can do everything.
    pub(in crate::directory) fn active_admins(&self) -> Result<Vec<i64>, Error> {
        Ok(self.all(&Sql::new("SELECT id FROM users WHERE is_admin AND is_active"))?)
    }
}

fn list<T: Clone + Into<Json>>(values: &[T]) -> String {
    Json::from(values.to_vec()).to_string()
}
