//! Statements about groups and their members.

use crate::database::{DatabaseError, Dialect, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::{Group, GroupId, GroupKey, PermissionId, UserId, fold};

/// The columns of a [`Group`], in the order in which [`FromRow`] reads them; `g` is the groups table.
macro_rules! columns {
    () => {
        "g.id, g.name, g.notes, g.users_count, g.created_at, g.updated_at"
    };
}
pub(super) use columns;

impl FromRow for Group {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<i64, _>("group id")?,
            name: row.next()?,
            notes: row.next()?,
            users_count: row.next()?,
            created_at: row.next_as::<i64, _>("time")?,
            updated_at: row.next_as::<i64, _>("time")?,
        })
    }
}

/// Selects the group of an id or name.
pub(in crate::directory) fn find(key: &GroupKey) -> Sql {
    match key {
        GroupKey::Id(id) => {
            Sql::new(concat!("SELECT ", columns!(), " FROM groups g WHERE g.id = $1")).bind(*id)
        }
        GroupKey::Name(name) => {
            Sql::new(concat!("SELECT ", columns!(), " FROM groups g WHERE g.name = $1")).bind(name.as_str())
        }
    }
}

/// Selects the groups of a user, ordered by id.
pub(in crate::directory) fn of_user(user: UserId) -> Sql {
    Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM groups g JOIN memberships own ON own.group_id = g.id WHERE own.user_id = $1 ORDER BY g.id"
    ))
    .bind(user)
}

/// Selects the groups that a permission is attached to, after an id and ordered by it.
pub(in crate::directory) fn with_permission(
    permission: PermissionId,
    after: Option<GroupId>,
    limit: u32,
) -> Sql {
    let sql = Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM group_permissions gp JOIN groups g ON g.id = gp.group_id \
         WHERE gp.permission_id = $1 AND gp.group_id > $2 ORDER BY gp.group_id LIMIT $3"
    ));
    sql.bind(permission).bind(after.map_or(0, GroupId::get)).bind(i64::from(limit))
}

/// The id and the name of a group.
pub(in crate::directory) struct GroupName {
    pub(in crate::directory) id: GroupId,
    pub(in crate::directory) name: String,
}

impl FromRow for GroupName {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next_as::<i64, _>("group id")?, name: row.next()? })
    }
}

/// Selects the names of these groups. Its text is the same for any number of them, so it stays prepared.
pub(in crate::directory) fn names(dialect: Dialect, ids: &[GroupId]) -> Sql {
    let text = match dialect {
        Dialect::Sqlite => {
            "SELECT id, name FROM groups WHERE id IN (SELECT value FROM json_each('[' || $1 || ']'))"
        }
        Dialect::Postgres => {
            "SELECT id, name FROM groups WHERE id = ANY (CAST(string_to_array($1, ',') AS BIGINT[]))"
        }
    };
    let ids: Vec<String> = ids.iter().map(|id| id.get().to_string()).collect();
    Sql::new(text).bind(ids.join(","))
}

impl Tx<'_> {
    /// Returns the group of an id or name.
    pub(in crate::directory) fn group(&self, key: &GroupKey) -> Result<Option<Group>, Error> {
        Ok(self.first(&find(key))?)
    }

    /// Returns the group of an id or name, or [`Error::NotFound`].
    pub(in crate::directory) fn existing_group(&self, key: &GroupKey) -> Result<Group, Error> {
        self.group(key)?.ok_or_else(|| Error::not_found("group", key))
    }

    /// Whether another group has this one's name.
    pub(in crate::directory) fn is_group_name_taken(&self, group: &Group) -> Result<bool, Error> {
        let sql = Sql::new("SELECT id FROM groups WHERE name = $1 AND id <> $2");
        Ok(self.first::<i64>(&sql.bind(group.name.as_str()).bind(group.id))?.is_some())
    }

    /// Inserts a group, with the next id if none is given.
    pub(in crate::directory) fn insert_group(
        &self,
        id: Option<GroupId>,
        group: &Group,
        made_here: bool,
    ) -> Result<GroupId, Error> {
        let given = id.map_or(0, GroupId::get);
        let id = if id.is_some() { Some(given) } else { self.next_id("groups")? };
        let (column, parameter) = if id.is_some() { (", id", ", $8") } else { ("", "") };
        let mut sql = Sql::new(
            "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key, made_here",
        );
        sql.push(column).push(") VALUES ($1, $2, $3, $4, $5, $6, $7").push(parameter).push(") RETURNING id");
        let sql = written(sql, group).bind(made_here);
        let sql = if let Some(id) = id { sql.bind(id) } else { sql };
        let new: Option<i64> = self.insert_with_ids("groups", given, || Ok(self.first(&sql)?))?;
        let id = new.and_then(|id| GroupId::try_from(id).ok());
        Ok(id.ok_or_else(|| DatabaseError::corrupt("new group id"))?)
    }

    /// Writes every column of a group.
    pub(in crate::directory) fn update_group(&self, group: &Group) -> Result<(), Error> {
        let sql = Sql::new(
            "UPDATE groups SET name = $1, name_key = $2, notes = $3, created_at = $4, updated_at = $5, \
             search_key = $6 WHERE id = $7",
        );
        self.execute(&written(sql, group).bind(group.id))?;
        Ok(())
    }

    /// Deletes a group with its memberships and permissions. Its members stay.
    pub(in crate::directory) fn delete_group(&self, id: GroupId) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM groups WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Whether an admin is among the members. It starts from the admins, who are few.
    pub(in crate::directory) fn has_admin_member(&self, group: GroupId) -> Result<bool, Error> {
        let sql = "SELECT u.id FROM users u WHERE u.is_admin \
                   AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND m.group_id = $1) LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(group))?.is_some())
    }

    /// Sets the groups of a user. Returns the first group that does not exist.
    pub(in crate::directory) fn set_groups(
        &self,
        user: UserId,
        groups: &[GroupId],
    ) -> Result<Option<GroupId>, Error> {
        self.execute(&Sql::new("DELETE FROM memberships WHERE user_id = $1").bind(user))?;
        let join = "INSERT INTO memberships (user_id, group_id) \
                    SELECT CAST($1 AS BIGINT), id FROM groups WHERE id = $2 ON CONFLICT DO NOTHING";
        for group in groups {
            if self.execute(&Sql::new(join).bind(user).bind(*group))? == 0 {
                return Ok(Some(*group));
            }
        }
        Ok(None)
    }

    /// Adds a member. Returns whether the user was not one before.
    pub(in crate::directory) fn add_member(&self, group: GroupId, user: UserId) -> Result<bool, Error> {
        let sql =
            Sql::new("INSERT INTO memberships (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        Ok(self.execute(&sql.bind(group).bind(user))? > 0)
    }

    /// Removes a member. Returns whether the user was one before.
    pub(in crate::directory) fn remove_member(&self, group: GroupId, user: UserId) -> Result<bool, Error> {
        let sql = Sql::new("DELETE FROM memberships WHERE group_id = $1 AND user_id = $2");
        Ok(self.execute(&sql.bind(group).bind(user))? > 0)
    }
}

/// Binds `$1` to `$6` of the statements above.
fn written(sql: Sql, group: &Group) -> Sql {
    sql.bind(group.name.as_str())
        .bind(fold(&group.name))
        .bind(group.notes.as_deref())
        .bind(group.created_at)
        .bind(group.updated_at)
        .bind(search_key(&group.name, group.notes.as_deref()))
}

/// Everything that a search looks at.
pub(super) fn search_key(name: &str, notes: Option<&str>) -> String {
    fold(&[name, notes.unwrap_or_default()].join("\u{1f}"))
}
