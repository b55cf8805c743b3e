//! Statements about the recycle bin.

use serde::{Deserialize, Serialize};

use super::numbered::Numbered;
use super::paging::{self, Shape, during, within};
use super::permissions;
use super::user_list::like;
use super::users::{optional_time, search_key};
use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::error::Error;
use crate::directory::model::stored::StoredDeletedUser;
use crate::directory::model::{
    DeletedUser, GroupId, Permission, RestorableUser, Timestamp, User, UserId, fold, user_fields,
};
use crate::directory::query::{DeletedColumn, DeletedFilters, DeletedQuery, Terms};

const SHAPE: Shape<DeletedColumn> = Shape {
    row: "d.id, d.username, d.email, d.deleted_at, d.deleted_by",
    from: "deleted_users d",
    id: "d.id",
    on_page: "d.id = page.id",
    column,
};

fn column(column: DeletedColumn) -> &'static str {
    match column {
        DeletedColumn::Id => "d.id",
        DeletedColumn::Username => "d.username_key",
        DeletedColumn::DeletedAt => "d.deleted_at",
    }
}

impl FromRow for DeletedUser {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<i64, _>("user id")?,
            username: row.next()?,
            email: row.next()?,
            deleted_at: row.next_as::<i64, _>("time")?,
            deleted_by: row.next()?,
        })
    }
}

/// Selects a page of the users deleted after a time, and one more if there is one.
pub(in crate::directory) fn page(query: &DeletedQuery, since: Timestamp) -> Sql {
    paging::page(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms, since))
}

/// Counts the deleted users that pass the filters.
pub(in crate::directory) fn count(query: &DeletedQuery, since: Timestamp) -> Sql {
    paging::count(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms, since))
}

/// Adds all filters.
fn narrow(sql: &mut Sql, filters: &DeletedFilters, terms: &Terms, since: Timestamp) {
    sql.push(" AND d.deleted_at > ").push_arg(since);
    within(sql, "d.id", filters.id);
    during(sql, "d.deleted_at", filters.deleted);
    like(sql, "d.search_key", terms);
}

/// Defines [`DeletedUserJson`] from the list of fields.
macro_rules! deleted_user_json {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        /// The JSON form of a deleted user in the database. Times are in microseconds. A field that can be null may be
        /// missing: the user was deleted before the field was added.
        #[derive(Serialize, Deserialize)]
        struct DeletedUserJson {
            username: String,
            $($name: $stored,)+
            $($flag: bool,)+
            last_login: Option<i64>,
            created_at: i64,
            updated_at: i64,
            password: String,
            groups: Vec<i64>,
            permissions: Vec<i64>,
            /// Users who were deleted by an earlier version lack it.
            #[serde(default)]
            made_here: bool,
        }

        impl DeletedUserJson {
            /// Converts a user.
            fn of(user: &User, password: String, permissions: &[Permission], made_here: bool) -> Self {
                let user = user.clone();
                Self {
                    username: user.username,
                    $($name: user.$name,)+
                    $($flag: user.$flag,)+
                    last_login: user.last_login.map(Timestamp::as_micros),
                    created_at: user.created_at.as_micros(),
                    updated_at: user.updated_at.as_micros(),
                    password,
                    groups: user.groups.iter().map(|group| group.get()).collect(),
                    permissions: permissions.iter().map(|permission| permission.id.get()).collect(),
                    made_here,
                }
            }

            /// Converts back.
            fn restorable(self, id: UserId) -> Result<RestorableUser, DatabaseError> {
                let user = User {
                    id,
                    username: self.username,
                    $($name: self.$name,)+
                    $($flag: self.$flag,)+
                    last_login: optional_time(self.last_login)?,
                    last_seen_at: None,
                    created_at: time(self.created_at, "deleted user")?,
                    updated_at: time(self.updated_at, "deleted user")?,
                    groups: ids(self.groups)?,
                };
                let permissions = ids(self.permissions)?;
                Ok(RestorableUser { user, password: self.password, permissions, made_here: self.made_here })
            }
        }
    };
}
user_fields!(deleted_user_json);

pub(super) fn corrupt(what: &'static str) -> DatabaseError {
    DatabaseError::corrupt(what)
}

/// Reads a time in the stored JSON of a deleted user or group.
pub(super) fn time(micros: i64, of: &'static str) -> Result<Timestamp, DatabaseError> {
    Timestamp::from_micros(micros).map_err(|_| corrupt(of))
}

fn ids<T: TryFrom<i64>>(ids: Vec<i64>) -> Result<Vec<T>, DatabaseError> {
    ids.into_iter().map(|id| T::try_from(id).map_err(|_| corrupt("deleted user"))).collect()
}

/// Parses the stored JSON of a deleted user.
pub(in crate::directory) fn user_of(id: i64, remains: &str) -> Result<User, Error> {
    let wrong = |why: String| Error::broken("a deleted user cannot be read", why);
    let id = UserId::try_from(id).map_err(|rule| wrong(rule.to_string()))?;
    let kept: DeletedUserJson = serde_json::from_str(remains).map_err(|error| wrong(error.to_string()))?;
    Ok(kept.restorable(id)?.user)
}

/// Returns the avatar in the stored JSON of a deleted user.
pub(super) fn avatar(remains: &str) -> Option<String> {
    serde_json::from_str::<DeletedUserJson>(remains).ok()?.avatar
}

impl Tx<'_> {
    /// Moves a user to the recycle bin.
    pub(in crate::directory) fn bin_user(&self, user: &User, now: Timestamp, by: &str) -> Result<(), Error> {
        let password = self.credentials(user.id)?.map(|known| known.password).unwrap_or_default();
        let held: Vec<Permission> = self.all(&permissions::of_user(user.id))?;
        let made_here = !self.users_made_here(&[user.id.get()])?.is_empty();
        let remains = serde_json::to_string(&DeletedUserJson::of(user, password, &held, made_here))
            .map_err(|error| Error::broken("a user cannot be kept", error))?;
        let row = StoredDeletedUser {
            id: user.id.get(),
            username: user.username.clone(),
            email: user.email.clone(),
            deleted_at: now,
            deleted_by: by.to_owned(),
            remains,
        };
        self.insert_deleted_user(&row, user)?;
        self.delete_user(user.id, now)
    }

    /// Inserts the row of a deleted user into the recycle bin.
    pub(in crate::directory) fn insert_deleted_user(
        &self,
        row: &StoredDeletedUser,
        user: &User,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO deleted_users (id, username, username_key, email, deleted_at, deleted_by, search_key, \
             remains) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let sql = sql.bind(row.id).bind(row.username.as_str()).bind(fold(&row.username));
        let sql = sql.bind(row.email.as_deref()).bind(row.deleted_at).bind(row.deleted_by.as_str());
        self.execute(&sql.bind(search_key(user.id, user)).bind(row.remains.as_str()))?;
        Ok(())
    }

    /// Returns the username of the user with this id in the recycle bin, expired or not.
    pub(in crate::directory) fn name_in_bin(&self, id: i64) -> Result<Option<String>, Error> {
        Ok(self.first(&Sql::new("SELECT username FROM deleted_users WHERE id = $1").bind(id))?)
    }

    /// Returns a user deleted after a time.
    pub(in crate::directory) fn deleted(
        &self,
        id: UserId,
        since: Timestamp,
    ) -> Result<Option<(DeletedUser, RestorableUser)>, Error> {
        let sql = "SELECT id, username, email, deleted_at, deleted_by FROM deleted_users \
                   WHERE id = $1 AND deleted_at > $2";
        let Some(deleted) = self.first::<DeletedUser>(&Sql::new(sql).bind(id).bind(since))? else {
            return Ok(None);
        };
        let remains: Option<String> =
            self.first(&Sql::new("SELECT remains FROM deleted_users WHERE id = $1").bind(id))?;
        let kept: DeletedUserJson = serde_json::from_str(&remains.unwrap_or_default())
            .map_err(|error| Error::broken("a deleted user cannot be read", error))?;
        Ok(Some((deleted, kept.restorable(id)?)))
    }

    /// Returns users deleted by a time, oldest first.
    pub(in crate::directory) fn deleted_until(
        &self,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DeletedUser>, Error> {
        let sql = "SELECT id, username, email, deleted_at, deleted_by FROM deleted_users \
                   WHERE deleted_at <= $1 ORDER BY deleted_at, id LIMIT $2";
        Ok(self.all(&Sql::new(sql).bind(until).bind(limit))?)
    }

    /// Adds a group to those that a user in the recycle bin gets back: the group was restored first.
    pub(super) fn add_group_to_deleted_user(&self, id: i64, group: GroupId) -> Result<(), Error> {
        self.change_deleted_user(id, |kept| {
            let is_new = !kept.groups.contains(&group.get());
            if is_new {
                kept.groups.push(group.get());
                kept.groups.sort_unstable();
            }
            is_new
        })
    }

    /// Removes a permission from all users in the recycle bin: a later one may get its id.
    pub(super) fn forget_permission_of_deleted_users(&self, id: i64) -> Result<(), Error> {
        self.forget_id_of_deleted_users(id, |kept| &mut kept.permissions)
    }

    /// Removes a group from all users in the recycle bin: it is gone permanently, or an import may bring another one with its id.
    pub(in crate::directory) fn forget_group_of_deleted_users(&self, id: GroupId) -> Result<(), Error> {
        self.forget_id_of_deleted_users(id.get(), |kept| &mut kept.groups)
    }

    /// Does the same for many groups with one pass over the recycle bin.
    pub(in crate::directory) fn forget_groups_of_deleted_users(&self, ids: &[GroupId]) -> Result<(), Error> {
        let page = "SELECT remains, id FROM deleted_users WHERE id > $1 ORDER BY id LIMIT 1000";
        let mut after = i64::MIN;
        while !ids.is_empty() {
            let users = self.all::<Numbered>(&Sql::new(page).bind(after))?;
            let Some(Numbered(_, last)) = users.last() else { break };
            after = *last;
            let is_gone = |held: &i64| ids.iter().any(|id| id.get() == *held);
            for Numbered(remains, user) in &users {
                let kept = serde_json::from_str::<DeletedUserJson>(remains);
                if kept.is_ok_and(|kept| kept.groups.iter().any(is_gone)) {
                    self.change_deleted_user(*user, |kept| {
                        kept.groups.retain(|held| !is_gone(held));
                        true
                    })?;
                }
            }
        }
        Ok(())
    }

    fn forget_id_of_deleted_users(
        &self,
        id: i64,
        list: impl Fn(&mut DeletedUserJson) -> &mut Vec<i64>,
    ) -> Result<(), Error> {
        // Someone's own SQL may have written the lists with blanks, so the text around the id does not count.
        let holders = Sql::new("SELECT id FROM deleted_users WHERE remains LIKE $1");
        for user in self.all::<i64>(&holders.bind(format!("%{id}%")))? {
            self.change_deleted_user(user, |kept| {
                let ids = list(kept);
                let before = ids.len();
                ids.retain(|held| *held != id);
                ids.len() < before
            })?;
        }
        Ok(())
    }

    /// Changes what is kept of a user, if `change` returns that it has.
    fn change_deleted_user(
        &self,
        id: i64,
        change: impl Fn(&mut DeletedUserJson) -> bool,
    ) -> Result<(), Error> {
        let remains = Sql::new("SELECT remains FROM deleted_users WHERE id = $1").bind(id);
        let remains: Option<String> = self.first(&remains)?;
        // A user who cannot be read cannot be restored, and does not keep others from it.
        let Ok(mut kept) = serde_json::from_str::<DeletedUserJson>(&remains.unwrap_or_default()) else {
            return Ok(());
        };
        if !change(&mut kept) {
            return Ok(());
        }
        let remains =
            serde_json::to_string(&kept).map_err(|error| Error::broken("a user cannot be kept", error))?;
        let sql = Sql::new("UPDATE deleted_users SET remains = $1 WHERE id = $2");
        self.execute(&sql.bind(remains).bind(id))?;
        Ok(())
    }

    /// Removes a user from the recycle bin, to restore or to purge it.
    pub(in crate::directory) fn unbin_user(&self, id: UserId) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM deleted_users WHERE id = $1").bind(id))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_deleted_before_a_field_was_added_can_be_read() {
        let user = User::new("ann".into(), Timestamp::EPOCH);
        let kept = serde_json::to_value(DeletedUserJson::of(&user, "!".into(), &[], false)).unwrap();
        let mut before = kept.clone();
        before.as_object_mut().unwrap().retain(|name, _| name != "gender" && name != "made_here");
        assert_ne!(before, kept);
        assert_eq!(user_of(7, &before.to_string()).unwrap(), user_of(7, &kept.to_string()).unwrap());
    }
}
