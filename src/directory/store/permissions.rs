//! Statements about permissions and about who holds them, directly or through a group.

use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{GroupId, HeldPermission, Permission, PermissionId, UserId};

impl FromRow for Permission {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next_as::<i64, _>("permission id")?, code: row.next()?, name: row.next()? })
    }
}

/// Selects every permission, ordered by code.
pub(in crate::directory) fn list() -> Sql {
    Sql::new("SELECT id, code, name FROM permissions ORDER BY code")
}

/// Selects the permissions attached to a user.
pub(in crate::directory) fn of_user(user: UserId) -> Sql {
    Sql::new(
        "SELECT p.id, p.code, p.name FROM permissions p JOIN user_permissions up ON up.permission_id = p.id \
         WHERE up.user_id = $1 ORDER BY p.code",
    )
    .bind(user)
}

/// Selects the permissions attached to a group.
pub(in crate::directory) fn of_group(group: GroupId) -> Sql {
    Sql::new(
        "SELECT p.id, p.code, p.name FROM permissions p JOIN group_permissions gp ON gp.permission_id = p.id \
         WHERE gp.group_id = $1 ORDER BY p.code",
    )
    .bind(group)
}

/// How many users and groups a permission is attached to.
#[derive(Default)]
pub(in crate::directory) struct Holders {
    pub(in crate::directory) users: i64,
    pub(in crate::directory) groups: i64,
}

impl FromRow for Holders {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { users: row.next()?, groups: row.next()? })
    }
}

/// Counts the users and groups that a permission is attached to.
pub(in crate::directory) fn holders(permission: PermissionId) -> Sql {
    Sql::new(
        "SELECT (SELECT count(*) FROM user_permissions WHERE permission_id = $1), \
         (SELECT count(*) FROM group_permissions WHERE permission_id = $1)",
    )
    .bind(permission)
}

impl FromRow for HeldPermission {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let permission = Permission::from_row(row)?;
        let group: Option<i64> = row.next()?;
        let group =
            group.map(GroupId::try_from).transpose().map_err(|_| DatabaseError::corrupt("group id"))?;
        Ok(Self { permission, group })
    }
}

/// Selects the permissions that a user holds, one row for each way in which it does; see [`each_once`]. The database does not sort
/// them or drop duplicates: SQLite would build a table for it.
pub(in crate::directory) fn held(user: UserId) -> Sql {
    Sql::new(
        "SELECT p.id, p.code, p.name, CAST(NULL AS BIGINT) FROM user_permissions up \
           JOIN permissions p ON p.id = up.permission_id WHERE up.user_id = $1 \
         UNION ALL SELECT p.id, p.code, p.name, m.group_id FROM memberships m \
           JOIN group_permissions gp ON gp.group_id = m.group_id \
           JOIN permissions p ON p.id = gp.permission_id WHERE m.user_id = $1",
    )
    .bind(user)
}

/// Returns each permission once, ordered by code. One that is attached to the user counts as such.
pub(in crate::directory) fn each_once(mut held: Vec<HeldPermission>) -> Vec<HeldPermission> {
    held.sort_unstable_by_key(|held| (held.permission.code, held.group));
    held.dedup_by_key(|held| held.permission.code);
    held
}

/// Returns the ids of those of these permissions that have one of these codes.
pub(super) fn ids_of_codes(permissions: &[Permission], codes: &[i64]) -> Vec<PermissionId> {
    let found = permissions.iter().filter(|permission| codes.contains(&permission.code));
    found.map(|permission| permission.id).collect()
}

impl Tx<'_> {
    /// Returns the codes of all permissions that a user holds.
    pub(in crate::directory) fn rights(&self, user: UserId) -> Result<Vec<i64>, Error> {
        let held = each_once(self.all(&held(user))?);
        Ok(held.into_iter().map(|held| held.permission.code).collect())
    }

    /// Returns the codes that these groups and permissions give, as far as they exist: what a deleted user held.
    pub(in crate::directory) fn rights_from(
        &self,
        groups: &[GroupId],
        permissions: &[PermissionId],
    ) -> Result<Vec<i64>, Error> {
        let own = "SELECT code FROM permissions WHERE id = $1";
        let mut codes = Vec::new();
        for permission in permissions {
            codes.extend(self.all::<i64>(&Sql::new(own).bind(*permission))?);
        }
        for group in groups {
            codes.extend(self.codes(&of_group(*group))?);
        }
        Ok(codes)
    }

    /// Returns the codes of the permissions that a statement of this file selects.
    pub(in crate::directory) fn codes(&self, permissions: &Sql) -> Result<Vec<i64>, Error> {
        let found: Vec<Permission> = self.all(permissions)?;
        Ok(found.into_iter().map(|permission| permission.code).collect())
    }

    /// Whether these are exactly the ids of the selected permissions.
    pub(in crate::directory) fn has_permissions(
        &self,
        permissions: &Sql,
        ids: &[PermissionId],
    ) -> Result<bool, Error> {
        let found: Vec<Permission> = self.all(permissions)?;
        let mut found: Vec<_> = found.into_iter().map(|permission| permission.id).collect();
        found.sort_unstable();
        Ok(found == ids)
    }

    /// Sets the permissions of a user. Returns the first permission that does not exist.
    pub(in crate::directory) fn set_user_permissions(
        &self,
        user: UserId,
        permissions: &[PermissionId],
    ) -> Result<Option<PermissionId>, Error> {
        self.execute(&Sql::new("DELETE FROM user_permissions WHERE user_id = $1").bind(user))?;
        self.attach_user_permissions(user, permissions)
    }

    /// Attaches permissions to a user; returns the first that does not exist.
    pub(in crate::directory) fn attach_user_permissions(
        &self,
        user: UserId,
        permissions: &[PermissionId],
    ) -> Result<Option<PermissionId>, Error> {
        let attach = "INSERT INTO user_permissions (user_id, permission_id) \
                      SELECT CAST($1 AS BIGINT), id FROM permissions WHERE id = $2 ON CONFLICT DO NOTHING";
        self.attach(permissions, |permission| Sql::new(attach).bind(user).bind(permission))
    }

    /// Sets the permissions of a group. Returns the first permission that does not exist.
    pub(in crate::directory) fn set_group_permissions(
        &self,
        group: GroupId,
        permissions: &[PermissionId],
    ) -> Result<Option<PermissionId>, Error> {
        self.execute(&Sql::new("DELETE FROM group_permissions WHERE group_id = $1").bind(group))?;
        let attach = "INSERT INTO group_permissions (group_id, permission_id) \
                      SELECT CAST($1 AS BIGINT), id FROM permissions WHERE id = $2 ON CONFLICT DO NOTHING";
        self.attach(permissions, |permission| Sql::new(attach).bind(group).bind(permission))
    }

    /// Adds a permission, or gives the one with this code another name. A new one is held by no one in the recycle bin and by no
    /// token, even if one of them names its code or id: an import, or someone's own SQL, may have left some there.
    pub(in crate::directory) fn put_permission(
        &self,
        id: Option<i64>,
        code: i64,
        name: &str,
    ) -> Result<(), Error> {
        let named = "UPDATE permissions SET name = $1 WHERE code = $2";
        if self.execute(&Sql::new(named).bind(name).bind(code))? > 0 {
            return Ok(());
        }
        let given = id.unwrap_or_default();
        let id = id.map_or_else(|| self.unused_id("permissions"), Ok)?;
        self.forget_permission_of_deleted_users(id)?;
        self.forget_code_of_deleted_groups(code)?;
        self.forget_code_of_scopes(code)?;
        let sql = Sql::new("INSERT INTO permissions (code, name, id) VALUES ($1, $2, $3)");
        let sql = sql.bind(code).bind(name).bind(id);
        self.insert_with_ids("permissions", given, || Ok(self.execute(&sql)?))?;
        Ok(())
    }

    /// Deletes a permission, and takes it from all users, groups and tokens, also in the recycle bin: a later permission may
    /// get the same code or id. Returns how many tokens had it as a scope.
    pub(in crate::directory) fn delete_permission(&self, permission: &Permission) -> Result<u64, Error> {
        let id = permission.id;
        // Not left to the foreign keys: the triggers of the change feed need the rows.
        self.execute(&Sql::new("DELETE FROM user_permissions WHERE permission_id = $1").bind(id))?;
        self.execute(&Sql::new("DELETE FROM group_permissions WHERE permission_id = $1").bind(id))?;
        self.execute(&Sql::new("DELETE FROM permissions WHERE id = $1").bind(id))?;
        self.forget_permission_of_deleted_users(id.get())?;
        self.forget_code_of_deleted_groups(permission.code)?;
        self.forget_code_of_scopes(permission.code)
    }

    /// Returns those of these permissions that exist.
    pub(in crate::directory) fn existing_permissions(
        &self,
        permissions: &[PermissionId],
    ) -> Result<Vec<PermissionId>, Error> {
        let known: Vec<Permission> = self.all(&list())?;
        let exists = |id: &&PermissionId| known.iter().any(|permission| permission.id == **id);
        Ok(permissions.iter().filter(exists).copied().collect())
    }

    /// Returns those of these codes that a permission has.
    pub(in crate::directory) fn existing_codes(&self, codes: &[i64]) -> Result<Vec<i64>, Error> {
        let mut known = self.codes(&list())?;
        known.retain(|code| codes.contains(code));
        Ok(known)
    }

    /// Runs one statement for each permission; there are few. Each id occurs once, so a statement that changes no row means that the
    /// permission does not exist.
    fn attach(
        &self,
        permissions: &[PermissionId],
        statement: impl Fn(PermissionId) -> Sql,
    ) -> Result<Option<PermissionId>, Error> {
        for permission in permissions {
            if self.execute(&statement(*permission))? == 0 {
                return Ok(Some(*permission));
            }
        }
        Ok(None)
    }
}
