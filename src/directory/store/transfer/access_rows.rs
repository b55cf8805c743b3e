//! Statements on access (tokens, passwords, roles, permissions, memberships): a restore compares it between the backup and
//! the present database, and closes it in the restored copy.

use super::rows::RowValues;
use super::tables::TABLES;
use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{Narrowing, Timestamp};
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
    pub(in crate::directory) narrowing: Narrowing,
}

prints_only!(TokenRow: id, user_id, name, revoked_at, expires_at);

impl FromRow for TokenRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next()?,
            digest: row.next()?,
            user_id: row.next()?,
            name: row.next()?,
            revoked_at: row.next()?,
            expires_at: row.next()?,
            narrowing: Narrowing::from_row(row)?,
        })
    }
}

/// A user's password and roles.
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
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
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

/// The id and the name of a row.
#[derive(Clone, Debug)]
pub(in crate::directory) struct NameRow(pub(in crate::directory) i64, pub(in crate::directory) String);

impl FromRow for NameRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(row.next()?, row.next()?))
    }
}

/// A row that links two ids.
#[derive(Clone, Copy, Debug)]
pub(in crate::directory) struct PairRow(pub(in crate::directory) i64, pub(in crate::directory) i64);

impl FromRow for PairRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(row.next()?, row.next()?))
    }
}

/// A permission.
pub(in crate::directory) struct PermissionRow {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) code: i64,
    pub(in crate::directory) name: String,
}

impl FromRow for PermissionRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, code: row.next()?, name: row.next()? })
    }
}

/// A deleted user or group, and when it was deleted.
struct DeletedRow(NameRow, i64);

impl FromRow for DeletedRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(NameRow::from_row(row)?, row.next()?))
    }
}

/// A token that is neither revoked nor expired, with its owner.
pub(in crate::directory) struct GoodToken {
    pub(in crate::directory) token: NameRow,
    pub(in crate::directory) user: NameRow,
    pub(in crate::directory) expires_at: Option<i64>,
}

impl FromRow for GoodToken {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { token: NameRow::from_row(row)?, user: NameRow::from_row(row)?, expires_at: row.next()? })
    }
}

/// The id and the hash of an audit event.
pub(in crate::directory) struct AuditPosition {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) hash: Vec<u8>,
}

impl FromRow for AuditPosition {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, hash: row.next()? })
    }
}

/// Reads the tokens after a digest, in the order of their digests.
pub(in crate::directory) fn tokens(after: &[u8]) -> Sql {
    let sql = "SELECT id, digest, user_id, name, revoked_at, expires_at, scopes, read_only, allowed_networks FROM tokens \
               WHERE digest > $1 ORDER BY digest LIMIT 1000";
    Sql::new(sql).bind(after.to_vec())
}

/// Reads the users after an id, in the order of their ids.
pub(in crate::directory) fn users(after: i64) -> Sql {
    let sql = "SELECT id, username, password, is_active, is_staff, is_admin FROM users WHERE id > $1 \
               ORDER BY id LIMIT 1000";
    Sql::new(sql).bind(after)
}

/// Reads the groups after an id, in the order of their ids.
pub(in crate::directory) fn groups(after: i64) -> Sql {
    Sql::new("SELECT id, name FROM groups WHERE id > $1 ORDER BY id LIMIT 1000").bind(after)
}

/// Reads the memberships after one, by user and group.
pub(in crate::directory) fn memberships(after: &(i64, i64)) -> Sql {
    let sql = "SELECT user_id, group_id FROM memberships WHERE (user_id, group_id) > ($1, $2) \
               ORDER BY user_id, group_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Reads the permissions of users after one, by user and permission.
pub(in crate::directory) fn user_permissions(after: &(i64, i64)) -> Sql {
    let sql = "SELECT user_id, permission_id FROM user_permissions WHERE (user_id, permission_id) > ($1, $2) \
               ORDER BY user_id, permission_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Reads the permissions of groups after one, by group and permission.
pub(in crate::directory) fn group_permissions(after: &(i64, i64)) -> Sql {
    let sql = "SELECT group_id, permission_id FROM group_permissions WHERE (group_id, permission_id) > ($1, $2) \
               ORDER BY group_id, permission_id LIMIT 1000";
    Sql::new(sql).bind(after.0).bind(after.1)
}

/// Reads the good tokens of active users after an id, in the order of their ids.
fn good_tokens(after: i64, now: Timestamp) -> Sql {
    let sql = "SELECT t.id, t.name, u.id, u.username, t.expires_at FROM tokens t JOIN users u ON u.id = t.user_id \
               WHERE t.id > $1 AND t.revoked_at IS NULL AND coalesce(t.expires_at, $2 + 1) > $2 AND u.is_active \
               ORDER BY t.id LIMIT 1000";
    Sql::new(sql).bind(after).bind(now)
}

impl Tx<'_> {
    /// Returns the newest audit event.
    pub(in crate::directory) fn last_event(&self) -> Result<Option<AuditPosition>, Error> {
        Ok(self.first(&Sql::new("SELECT id, hash FROM audit_events ORDER BY id DESC LIMIT 1"))?)
    }

    /// Returns the audit event with this id.
    pub(in crate::directory) fn event_at(&self, id: i64) -> Result<Option<AuditPosition>, Error> {
        Ok(self.first(&Sql::new("SELECT id, hash FROM audit_events WHERE id = $1").bind(id))?)
    }

    /// Returns the audit actions on a user after an event.
    pub(in crate::directory) fn actions_on_user(&self, id: i64, after: i64) -> Result<Vec<String>, Error> {
        let sql = "SELECT action FROM audit_events WHERE object_kind = 'user' AND object_id = $1 AND id > $2";
        Ok(self.all(&Sql::new(sql).bind(id).bind(after))?)
    }

    /// Reports whether an import or a restore came after an event.
    pub(in crate::directory) fn imported_after(&self, after: i64) -> Result<bool, Error> {
        let sql = "SELECT id FROM audit_events WHERE action IN ('directory.import', 'directory.restore') \
                   AND id > $1 LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(after))?.is_some())
    }

    /// Returns the name of a user, or an empty text if there is none.
    pub(in crate::directory) fn username(&self, id: i64) -> Result<String, Error> {
        let name = self.first(&Sql::new("SELECT username FROM users WHERE id = $1").bind(id))?;
        Ok(name.unwrap_or_default())
    }

    /// Returns the name of a group, or an empty text if there is none.
    pub(in crate::directory) fn group_name(&self, id: i64) -> Result<String, Error> {
        let name = self.first(&Sql::new("SELECT name FROM groups WHERE id = $1").bind(id))?;
        Ok(name.unwrap_or_default())
    }

    /// Returns the users who were deleted after a time and are in the recycle bin, each with the time.
    pub(in crate::directory) fn deleted_since(&self, since: Timestamp) -> Result<Vec<(NameRow, i64)>, Error> {
        self.deleted_rows(
            Sql::new("SELECT id, username, deleted_at FROM deleted_users WHERE deleted_at > $1 ORDER BY id")
                .bind(since),
        )
    }

    /// Returns the groups that were deleted after a time and are in the recycle bin, each with the time.
    pub(in crate::directory) fn deleted_groups_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(NameRow, i64)>, Error> {
        self.deleted_rows(
            Sql::new("SELECT id, name, deleted_at FROM deleted_groups WHERE deleted_at > $1 ORDER BY id")
                .bind(since),
        )
    }

    fn deleted_rows(&self, sql: Sql) -> Result<Vec<(NameRow, i64)>, Error> {
        let rows: Vec<DeletedRow> = self.all(&sql)?;
        Ok(rows.into_iter().map(|DeletedRow(named, at)| (named, at)).collect())
    }

    /// Returns all permissions.
    pub(in crate::directory) fn permission_rows(&self) -> Result<Vec<PermissionRow>, Error> {
        Ok(self.all(&Sql::new("SELECT id, code, name FROM permissions ORDER BY id"))?)
    }

    /// Counts the active users.
    pub(in crate::directory) fn active_users(&self) -> Result<u64, Error> {
        let count: Option<i64> = self.first(&Sql::new("SELECT count(*) FROM users WHERE is_active"))?;
        Ok(count.unwrap_or_default().unsigned_abs())
    }

    /// Returns all active admins.
    pub(in crate::directory) fn admin_names(&self) -> Result<Vec<NameRow>, Error> {
        let sql = "SELECT id, username FROM users WHERE is_admin AND is_active ORDER BY id";
        Ok(self.all(&Sql::new(sql))?)
    }

    /// Returns all tokens that authenticate a user.
    pub(in crate::directory) fn good_tokens(&self, now: Timestamp) -> Result<Vec<GoodToken>, Error> {
        let (mut all, mut after) = (Vec::new(), i64::MIN);
        loop {
            let page: Vec<GoodToken> = self.all(&good_tokens(after, now))?;
            let Some(last) = page.last() else { return Ok(all) };
            after = last.token.0;
            all.extend(page);
        }
    }

    /// Marks a token as revoked at a time.
    pub(in crate::directory) fn revoke_at(&self, id: i64, at: i64) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET revoked_at = $1 WHERE id = $2");
        self.execute(&sql.bind(at).bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Changes when a token expires. An import moves that no later.
    pub(in crate::directory) fn end_at(&self, id: i64, at: i64) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET expires_at = $1, ends_by = $1 WHERE id = $2");
        self.execute(&sql.bind(at).bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Writes a user's password and roles.
    pub(in crate::directory) fn write_user_row(&self, user: &UserRow, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE users SET password = $1, is_active = $2, is_staff = $3, is_admin = $4, updated_at = $5 \
                   WHERE id = $6";
        let sql = Sql::new(sql).bind(user.password.as_str()).bind(user.is_active).bind(user.is_staff);
        self.execute(&sql.bind(user.is_admin).bind(now).bind(user.id)).map(|_| ()).map_err(Error::from)
    }

    /// Reads a user's password and roles.
    pub(in crate::directory) fn user_row(&self, id: i64) -> Result<Option<UserRow>, Error> {
        let sql = "SELECT id, username, password, is_active, is_staff, is_admin FROM users WHERE id = $1";
        Ok(self.first(&Sql::new(sql).bind(id))?)
    }

    /// Removes a user from a group.
    pub(in crate::directory) fn drop_membership(&self, user: i64, group: i64) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM memberships WHERE user_id = $1 AND group_id = $2");
        self.execute(&sql.bind(user).bind(group)).map(|_| ()).map_err(Error::from)
    }

    /// Removes a permission from a user.
    pub(in crate::directory) fn drop_user_permission(&self, user: i64, permission: i64) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM user_permissions WHERE user_id = $1 AND permission_id = $2");
        self.execute(&sql.bind(user).bind(permission)).map(|_| ()).map_err(Error::from)
    }

    /// Removes a permission from a group.
    pub(in crate::directory) fn drop_group_permission(
        &self,
        group: i64,
        permission: i64,
    ) -> Result<(), Error> {
        let sql = Sql::new("DELETE FROM group_permissions WHERE group_id = $1 AND permission_id = $2");
        self.execute(&sql.bind(group).bind(permission)).map(|_| ()).map_err(Error::from)
    }

    /// Deletes a group. If it is in the recycle bin of `other`, it is put into this one's, with those of its members that are
    /// here: a user who is not may have an id that a new user gets.
    pub(in crate::directory) fn drop_group(&self, id: i64, other: &Tx<'_>) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM groups WHERE id = $1").bind(id))?;
        self.execute(&Sql::new("DELETE FROM deleted_groups WHERE id = $1").bind(id))?;
        self.take_row("deleted_groups", id, other)?;
        if self.first::<i64>(&Sql::new("SELECT id FROM deleted_groups WHERE id = $1").bind(id))?.is_none() {
            return Ok(());
        }
        let members = "SELECT user_id FROM deleted_memberships WHERE group_id = $1 ORDER BY user_id";
        let join = "INSERT INTO deleted_memberships (group_id, user_id) SELECT CAST($1 AS BIGINT), id FROM \
                    (SELECT id FROM users WHERE id = $2 UNION SELECT id FROM deleted_users WHERE id = $2) known";
        for user in other.all::<i64>(&Sql::new(members).bind(id))? {
            self.execute(&Sql::new(join).bind(id).bind(user))?;
        }
        Ok(())
    }

    /// Copies the row with this id from `other`, if there is one.
    fn take_row(&self, table: &str, id: i64, other: &Tx<'_>) -> Result<(), Error> {
        let Some(table) = TABLES.iter().find(|known| known.name == table) else { return Ok(()) };
        let found: Vec<RowValues> = other.all(&table.row(id))?;
        Ok(table.insert(self.link(), found.into_iter().map(RowValues::into_values).collect())?)
    }

    /// Deletes a user with everything that belongs to them. If they are in the recycle bin of `other`, they are put into
    /// this one's.
    pub(in crate::directory) fn drop_user(
        &self,
        id: i64,
        other: &Tx<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.keep_ended_of_user(id, now)?;
        self.execute(&Sql::new("DELETE FROM users WHERE id = $1").bind(id))?;
        self.execute(&Sql::new("DELETE FROM deleted_users WHERE id = $1").bind(id))?;
        self.take_row("deleted_users", id, other)?;
        // Who is gone permanently is no member that a restored group could have.
        let gone = "DELETE FROM deleted_memberships WHERE user_id = $1 \
                    AND NOT EXISTS (SELECT 1 FROM deleted_users WHERE id = $1)";
        self.execute(&Sql::new(gone).bind(id)).map(|_| ()).map_err(Error::from)
    }

    /// Takes over the counts of failed sign-ins from `other`, because they have to be current whatever is restored.
    pub(in crate::directory) fn take_attempts(&self, other: &Tx<'_>) -> Result<(), Error> {
        let Some(attempts) = TABLES.iter().find(|table| table.name == "attempts") else { return Ok(()) };
        self.execute(&Sql::new("DELETE FROM attempts"))?;
        for page in attempts.pages(other) {
            attempts.insert(self.link(), page?)?;
        }
        Ok(())
    }
}
