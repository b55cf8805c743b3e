//! Statements about what lets people in and what they may do: compared between a backup and the directory that it is to
//! replace, and closed again in what is restored.

use super::Tx;
use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::transfer::rows::Cells;
use super::transfer::tables::TABLES;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::secret::prints_only;

/// A token.
#[derive(Clone)]
pub(in crate::directory) struct TokenRow {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) digest: Vec<u8>,
    pub(in crate::directory) user_id: i64,
    pub(in crate::directory) name: String,
    pub(in crate::directory) revoked_at: Option<i64>,
    pub(in crate::directory) expires_at: Option<i64>,
}

prints_only!(TokenRow: id, user_id, name, revoked_at, expires_at);

impl FromRow for TokenRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.next()?,
            digest: row.next()?,
            user_id: row.next()?,
            name: row.next()?,
            revoked_at: row.next()?,
            expires_at: row.next()?,
        })
    }
}

/// A user's way in, and rank.
#[derive(Clone)]
pub(in crate::directory) struct UserRow {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) username: String,
    pub(in crate::directory) password: String,
    pub(in crate::directory) is_active: bool,
    pub(in crate::directory) is_staff: bool,
    pub(in crate::directory) is_admin: bool,
}

impl FromRow for UserRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.next()?,
            username: row.next()?,
            password: row.next()?,
            is_active: row.next()?,
            is_staff: row.next()?,
            is_admin: row.next()?,
        })
    }
}

/// The id and the name of something.
#[derive(Clone, Debug)]
pub(in crate::directory) struct NameRow(pub(in crate::directory) i64, pub(in crate::directory) String);

impl FromRow for NameRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self(row.next()?, row.next()?))
    }
}

/// Two ids that belong together.
#[derive(Clone, Copy, Debug)]
pub(in crate::directory) struct PairRow(pub(in crate::directory) i64, pub(in crate::directory) i64);

impl FromRow for PairRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self(row.next()?, row.next()?))
    }
}

/// A permission by its id.
pub(in crate::directory) struct PermissionRow {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) code: i64,
    pub(in crate::directory) name: String,
}

impl FromRow for PermissionRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next()?, code: row.next()?, name: row.next()? })
    }
}

/// Somebody in the recycle bin, and since when.
struct BinRow(NameRow, i64);

impl FromRow for BinRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self(NameRow::from_row(row)?, row.next()?))
    }
}

/// A token that is good, with its owner.
pub(in crate::directory) struct GoodToken {
    pub(in crate::directory) token: NameRow,
    pub(in crate::directory) user: NameRow,
    pub(in crate::directory) expires_at: Option<i64>,
}

impl FromRow for GoodToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { token: NameRow::from_row(row)?, user: NameRow::from_row(row)?, expires_at: row.next()? })
    }
}

/// A place in an audit trail.
pub(in crate::directory) struct Mark {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) hash: Vec<u8>,
}

impl FromRow for Mark {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.next()?, hash: row.next()? })
    }
}

/// Tokens after a digest, in the order of their digests.
pub(in crate::directory) fn tokens(after: &[u8]) -> Sql {
    let sql = "SELECT id, digest, user_id, name, revoked_at, expires_at FROM tokens WHERE digest > $1 \
               ORDER BY digest LIMIT 1000";
    Sql::new(sql).bind(after.to_vec())
}

/// Users after an id, in the order of their ids.
pub(in crate::directory) fn users(after: i64) -> Sql {
    let sql = "SELECT id, username, password, is_active, is_staff, is_admin FROM users WHERE id > $1 \
               ORDER BY id LIMIT 1000";
    Sql::new(sql).bind(after)
}

/// Groups after an id, in the order of their ids.
pub(in crate::directory) fn groups(after: i64) -> Sql {
    Sql::new("SELECT id, name FROM groups WHERE id > $1 ORDER BY id LIMIT 1000").bind(after)
}

/// Members after one, by user and group.
pub(in crate::directory) fn memberships(after: &(i64, i64)) -> Sql {
    let sql = "SELECT user_id, group_id FROM memberships WHERE (user_id, group_id) > ($1, $2) \
               ORDER BY user_id, group_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Permissions of users after one, by user and permission.
pub(in crate::directory) fn user_permissions(after: &(i64, i64)) -> Sql {
    let sql = "SELECT user_id, permission_id FROM user_permissions WHERE (user_id, permission_id) > ($1, $2) \
               ORDER BY user_id, permission_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Permissions of groups after one, by group and permission.
pub(in crate::directory) fn group_permissions(after: &(i64, i64)) -> Sql {
    let sql = "SELECT group_id, permission_id FROM group_permissions WHERE (group_id, permission_id) > ($1, $2) \
               ORDER BY group_id, permission_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Good tokens of active users after an id, in the order of their ids.
fn good_tokens(after: i64, now: Timestamp) -> Sql {
    let sql = "SELECT t.id, t.name, u.id, u.username, t.expires_at FROM tokens t JOIN users u ON u.id = t.user_id \
               WHERE t.id > $1 AND t.revoked_at IS NULL AND coalesce(t.expires_at, $2 + 1) > $2 AND u.is_active \
               ORDER BY t.id LIMIT 1000";
    Sql::new(sql).bind(after).bind(now)
}

impl Tx<'_> {
    /// The newest event of the audit trail.
    pub(in crate::directory) fn last_event(&self) -> Result<Option<Mark>, Error> {
        Ok(self.first(&Sql::new("SELECT id, hash FROM audit_events ORDER BY id DESC LIMIT 1"))?)
    }

    /// The event of this number.
    pub(in crate::directory) fn event_at(&self, id: i64) -> Result<Option<Mark>, Error> {
        Ok(self.first(&Sql::new("SELECT id, hash FROM audit_events WHERE id = $1").bind(id))?)
    }

    /// What was done to a user after an event.
    pub(in crate::directory) fn done_to_user(&self, id: i64, after: i64) -> Result<Vec<String>, Error> {
        let sql = "SELECT action FROM audit_events WHERE object_kind = 'user' AND object_id = $1 AND id > $2";
        Ok(self.all(&Sql::new(sql).bind(id).bind(after))?)
    }

    /// Whether anything was brought in from elsewhere after an event, by an import or a restore.
    pub(in crate::directory) fn brought_in_after(&self, after: i64) -> Result<bool, Error> {
        let sql = "SELECT id FROM audit_events WHERE action IN ('directory.import', 'directory.restore') \
                   AND id > $1 LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(after))?.is_some())
    }

    /// The name of a user; empty when there is none.
    pub(in crate::directory) fn username(&self, id: i64) -> Result<String, Error> {
        let name = self.first(&Sql::new("SELECT username FROM users WHERE id = $1").bind(id))?;
        Ok(name.unwrap_or_default())
    }

    /// The name of a group; empty when there is none.
    pub(in crate::directory) fn group_name(&self, id: i64) -> Result<String, Error> {
        let name = self.first(&Sql::new("SELECT name FROM groups WHERE id = $1").bind(id))?;
        Ok(name.unwrap_or_default())
    }

    /// Whoever has come into the recycle bin since a moment, and when.
    pub(in crate::directory) fn binned(&self, since: Timestamp) -> Result<Vec<(NameRow, i64)>, Error> {
        let sql = "SELECT id, username, deleted_at FROM deleted_users WHERE deleted_at > $1 ORDER BY id";
        let rows: Vec<BinRow> = self.all(&Sql::new(sql).bind(since))?;
        Ok(rows.into_iter().map(|BinRow(user, at)| (user, at)).collect())
    }

    /// Every permission there is.
    pub(in crate::directory) fn permission_rows(&self) -> Result<Vec<PermissionRow>, Error> {
        Ok(self.all(&Sql::new("SELECT id, code, name FROM permissions ORDER BY id"))?)
    }

    /// How many users are active.
    pub(in crate::directory) fn active_users(&self) -> Result<u64, Error> {
        let count: Option<i64> = self.first(&Sql::new("SELECT count(*) FROM users WHERE is_active"))?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// Every active admin.
    pub(in crate::directory) fn admin_names(&self) -> Result<Vec<NameRow>, Error> {
        let sql = "SELECT id, username FROM users WHERE is_admin AND is_active ORDER BY id";
        Ok(self.all(&Sql::new(sql))?)
    }

    /// Every token that lets somebody in.
    pub(in crate::directory) fn good_tokens(&self, now: Timestamp) -> Result<Vec<GoodToken>, Error> {
        let (mut all, mut after) = (Vec::new(), i64::MIN);
        loop {
            let page: Vec<GoodToken> = self.all(&good_tokens(after, now))?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.token.0;
            all.extend(page);
        }
    }

    /// Marks a token revoked at a time.
    pub(in crate::directory) fn revoke_at(&self, id: i64, at: i64) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET revoked_at = $1 WHERE id = $2");
        self.execute(&sql.bind(at).bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Moves the end of a token.
    pub(in crate::directory) fn end_at(&self, id: i64, at: i64) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET expires_at = $1 WHERE id = $2");
        self.execute(&sql.bind(at).bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Writes a user's way in and rank.
    pub(in crate::directory) fn write_user_row(&self, user: &UserRow, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE users SET password = $1, is_active = $2, is_staff = $3, is_admin = $4, updated_at = $5 \
                   WHERE id = $6";
        let sql = Sql::new(sql).bind(user.password.as_str()).bind(user.is_active).bind(user.is_staff);
        self.execute(&sql.bind(user.is_admin).bind(now).bind(user.id)).map(|_| ()).map_err(Error::from)
    }

    /// A user's way in and rank.
    pub(in crate::directory) fn user_row(&self, id: i64) -> Result<Option<UserRow>, Error> {
        let sql = "SELECT id, username, password, is_active, is_staff, is_admin FROM users WHERE id = $1";
        Ok(self.first(&Sql::new(sql).bind(id))?)
    }

    /// Takes a user out of a group.
    pub(in crate::directory) fn drop_membership(&self, user: i64, group: i64) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM memberships WHERE user_id = $1 AND group_id = $2");
        self.execute(&sql.bind(user).bind(group)).map(|_| ()).map_err(Error::from)
    }

    /// Takes a permission from a user.
    pub(in crate::directory) fn drop_user_permission(&self, user: i64, permission: i64) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM user_permissions WHERE user_id = $1 AND permission_id = $2");
        self.execute(&sql.bind(user).bind(permission)).map(|_| ()).map_err(Error::from)
    }

    /// Takes a permission from a group.
    pub(in crate::directory) fn drop_group_permission(
        &self,
        group: i64,
        permission: i64,
    ) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM group_permissions WHERE group_id = $1 AND permission_id = $2");
        self.execute(&sql.bind(group).bind(permission)).map(|_| ()).map_err(Error::from)
    }

    /// Removes a group.
    pub(in crate::directory) fn drop_group(&self, id: i64) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM groups WHERE id = $1").bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Removes a user with all that belongs to it; what `other` has of it in its recycle bin comes into this one's.
    pub(in crate::directory) fn drop_user(&self, id: i64, other: &Tx<'_>) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM users WHERE id = $1").bind(id))?;
        self.execute(&Sql::new("DELETE FROM deleted_users WHERE id = $1").bind(id))?;
        let Some(bin) = TABLES.iter().find(|table| table.name == "deleted_users") else { return Ok(()) };
        let found: Vec<Cells> = other.all(&bin.row(id))?;
        Ok(bin.insert(self.link(), found.into_iter().map(Cells::into_values).collect())?)
    }

    /// Takes over what `other` counts of failed sign-ins: that is of now, whatever else is restored.
    pub(in crate::directory) fn take_attempts(&self, other: &Tx<'_>) -> Result<(), Error> {
        let Some(attempts) = TABLES.iter().find(|table| table.name == "attempts") else { return Ok(()) };
        self.execute(&Sql::new("DELETE FROM attempts"))?;
        for page in attempts.pages(other) {
            attempts.insert(self.link(), page?)?;
        }
        Ok(())
    }
}
