//! Statements about groups in the recycle bin.
//!
//! The members of a deleted group are in a table of their own, because they can be many, and because each of them can be
//! deleted and restored in the meantime.

use serde::{Deserialize, Serialize};

use super::deleted::{corrupt, time};
use super::groups::search_key;
use super::paging::{self, Shape, during, within};
use super::permissions::{ids_of_codes, list, of_group};
use super::user_list::like;
use crate::database::{DatabaseError, FromRow, Row, Sql, Tx};
use crate::directory::access::Members;
use crate::directory::error::Error;
use crate::directory::model::stored::StoredDeletedGroup;
use crate::directory::model::{
    DeletedGroup, Group, GroupId, Permission, RestorableGroup, Timestamp, UserId, fold,
};
use crate::directory::query::{DeletedFilters, DeletedGroupColumn, DeletedGroupQuery, Terms};

/// The columns of a [`DeletedGroup`], in the order in which [`FromRow`] reads them; `d` is the table.
macro_rules! columns {
    () => {
        "d.id, d.name, (SELECT count(*) FROM deleted_memberships m WHERE m.group_id = d.id), d.deleted_at, d.deleted_by"
    };
}

const SHAPE: Shape<DeletedGroupColumn> =
    Shape { row: columns!(), from: "deleted_groups d", id: "d.id", on_page: "d.id = page.id", column };

fn column(column: DeletedGroupColumn) -> &'static str {
    match column {
        DeletedGroupColumn::Id => "d.id",
        DeletedGroupColumn::Name => "d.name_key",
        DeletedGroupColumn::DeletedAt => "d.deleted_at",
    }
}

impl FromRow for DeletedGroup {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<i64, _>("group id")?,
            name: row.next()?,
            users_count: row.next()?,
            deleted_at: row.next_as::<i64, _>("time")?,
            deleted_by: row.next()?,
        })
    }
}

/// Selects a page of the groups deleted after a time, and one more if there is one.
pub(in crate::directory) fn page(query: &DeletedGroupQuery, since: Timestamp) -> Sql {
    paging::page(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms, since))
}

/// Counts the deleted groups that pass the filters.
pub(in crate::directory) fn count(query: &DeletedGroupQuery, since: Timestamp) -> Sql {
    paging::count(&SHAPE, query, |sql, filters| narrow(sql, filters, &query.terms, since))
}

fn narrow(sql: &mut Sql, filters: &DeletedFilters, terms: &Terms, since: Timestamp) {
    sql.push(" AND d.deleted_at > ").push_arg(since);
    within(sql, "d.id", filters.id);
    during(sql, "d.deleted_at", filters.deleted);
    like(sql, "d.search_key", terms);
}

/// The JSON form of a deleted group in the database. Times are in microseconds.
#[derive(Serialize, Deserialize)]
struct DeletedGroupJson {
    notes: Option<String>,
    created_at: i64,
    updated_at: i64,
    /// Codes: an id may mean another permission in another database.
    permissions: Vec<i64>,
    #[serde(default)]
    made_here: bool,
}

impl DeletedGroupJson {
    fn parse(remains: &str) -> Result<Self, Error> {
        serde_json::from_str(remains).map_err(|error| Error::broken("a deleted group cannot be read", error))
    }

    fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::broken("a group cannot be kept", error))
    }
}

/// Parses the stored JSON of a deleted group.
pub(in crate::directory) fn group_of(id: i64, name: &str, remains: &str) -> Result<RestorableGroup, Error> {
    let wrong = |why: String| Error::broken("a deleted group cannot be read", why);
    let id = GroupId::try_from(id).map_err(|rule| wrong(rule.to_string()))?;
    let kept = DeletedGroupJson::parse(remains)?;
    let group = Group {
        id,
        name: name.to_owned(),
        notes: kept.notes,
        users_count: 0,
        created_at: time(kept.created_at, "deleted group")?,
        updated_at: time(kept.updated_at, "deleted group")?,
    };
    Ok(RestorableGroup { group, permissions: kept.permissions, made_here: kept.made_here })
}

/// A deleted group without its members.
struct RowOnly(StoredDeletedGroup);

impl FromRow for RowOnly {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(StoredDeletedGroup {
            id: row.next()?,
            name: row.next()?,
            deleted_at: row.next_as::<i64, _>("time")?,
            deleted_by: row.next()?,
            remains: row.next()?,
            members: Vec::new(),
        }))
    }
}

/// A deleted group whose JSON can be read.
pub(super) struct ReadableDeletedGroup;

impl FromRow for ReadableDeletedGroup {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let RowOnly(group) = RowOnly::from_row(row)?;
        group_of(group.id, &group.name, &group.remains).map_err(|_| corrupt("deleted group"))?;
        Ok(Self)
    }
}

/// Selects groups in the recycle bin after an id, in the order of their ids.
pub(super) fn after(id: i64, limit: i64) -> Sql {
    let sql = "SELECT id, name, deleted_at, deleted_by, remains FROM deleted_groups WHERE id > $1 \
               ORDER BY id LIMIT $2";
    Sql::new(sql).bind(id).bind(limit)
}

impl Tx<'_> {
    /// Moves a group with its members and its permissions to the recycle bin.
    pub(in crate::directory) fn bin_group(
        &self,
        group: &Group,
        now: Timestamp,
        by: &str,
    ) -> Result<(), Error> {
        let made_here = "SELECT id FROM groups WHERE id = $1 AND made_here";
        let kept = DeletedGroupJson {
            notes: group.notes.clone(),
            created_at: group.created_at.as_micros(),
            updated_at: group.updated_at.as_micros(),
            permissions: self.codes(&of_group(group.id))?,
            made_here: self.first::<i64>(&Sql::new(made_here).bind(group.id))?.is_some(),
        };
        let row = StoredDeletedGroup {
            id: group.id.get(),
            name: group.name.clone(),
            deleted_at: now,
            deleted_by: by.to_owned(),
            remains: kept.text()?,
            members: Vec::new(),
        };
        self.insert_deleted_group(&row, group.notes.as_deref())?;
        let members = "INSERT INTO deleted_memberships (group_id, user_id) \
                       SELECT group_id, user_id FROM memberships WHERE group_id = $1";
        self.execute(&Sql::new(members).bind(group.id))?;
        self.delete_group(group.id)
    }

    /// Inserts a deleted group with its members into the recycle bin.
    pub(in crate::directory) fn insert_deleted_group(
        &self,
        row: &StoredDeletedGroup,
        notes: Option<&str>,
    ) -> Result<(), Error> {
        let sql = Sql::new(
            "INSERT INTO deleted_groups (id, name, name_key, deleted_at, deleted_by, search_key, remains) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        let sql = sql.bind(row.id).bind(row.name.as_str()).bind(fold(&row.name)).bind(row.deleted_at);
        let sql = sql.bind(row.deleted_by.as_str()).bind(search_key(&row.name, notes));
        self.execute(&sql.bind(row.remains.as_str()))?;
        let member =
            "INSERT INTO deleted_memberships (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        for user in &row.members {
            self.execute(&Sql::new(member).bind(row.id).bind(*user))?;
        }
        Ok(())
    }

    /// Returns the name of the group with this id in the recycle bin, expired or not.
    pub(in crate::directory) fn group_name_in_bin(&self, id: i64) -> Result<Option<String>, Error> {
        Ok(self.first(&Sql::new("SELECT name FROM deleted_groups WHERE id = $1").bind(id))?)
    }

    /// Whether a group that was deleted after a time had this name.
    pub(in crate::directory) fn is_group_name_reserved(
        &self,
        name: &str,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "SELECT id FROM deleted_groups WHERE name = $1 AND deleted_at > $2 LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql).bind(name).bind(since))?.is_some())
    }

    /// Returns a group deleted after a time.
    pub(in crate::directory) fn deleted_group(
        &self,
        id: GroupId,
        since: Timestamp,
    ) -> Result<Option<(DeletedGroup, RestorableGroup)>, Error> {
        let sql =
            concat!("SELECT ", columns!(), " FROM deleted_groups d WHERE d.id = $1 AND d.deleted_at > $2");
        let Some(deleted) = self.first::<DeletedGroup>(&Sql::new(sql).bind(id).bind(since))? else {
            return Ok(None);
        };
        let remains: Option<String> =
            self.first(&Sql::new("SELECT remains FROM deleted_groups WHERE id = $1").bind(id))?;
        let kept = group_of(id.get(), &deleted.name, &remains.unwrap_or_default())?;
        Ok(Some((deleted, kept)))
    }

    /// Returns groups deleted by a time, oldest first.
    pub(in crate::directory) fn deleted_groups_until(
        &self,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DeletedGroup>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM deleted_groups d WHERE d.deleted_at <= $1 ORDER BY d.deleted_at, d.id LIMIT $2"
        );
        Ok(self.all(&Sql::new(sql).bind(until).bind(limit))?)
    }

    /// Returns a page of deleted groups with their members, in the order of their ids.
    pub(in crate::directory) fn stored_deleted_groups(
        &self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<StoredDeletedGroup>, Error> {
        let rows: Vec<RowOnly> = self.all(&after(id, limit))?;
        let members = "SELECT user_id FROM deleted_memberships WHERE group_id = $1 ORDER BY user_id";
        let with_members = |RowOnly(row): RowOnly| {
            let members = self.all(&Sql::new(members).bind(row.id))?;
            Ok(StoredDeletedGroup { members, ..row })
        };
        rows.into_iter().map(with_members).collect()
    }

    /// Describes the members of a deleted group who are users now. A person who acts may be one of them.
    pub(in crate::directory) fn returning_members(
        &self,
        group: GroupId,
        person: Option<UserId>,
    ) -> Result<Members, Error> {
        let any = "SELECT u.id FROM deleted_memberships m JOIN users u ON u.id = m.user_id \
                   WHERE m.group_id = $1 LIMIT 1";
        // It starts from the admins, who are few.
        let admin = "SELECT u.id FROM users u WHERE u.is_admin AND EXISTS \
                     (SELECT 1 FROM deleted_memberships m WHERE m.user_id = u.id AND m.group_id = $1) LIMIT 1";
        let own = "SELECT user_id FROM deleted_memberships WHERE group_id = $1 AND user_id = $2";
        let is_any = |sql: Sql| Ok::<_, Error>(self.first::<i64>(&sql)?.is_some());
        Ok(Members {
            are_any: is_any(Sql::new(any).bind(group))?,
            have_admin: is_any(Sql::new(admin).bind(group))?,
            have_actor: is_any(Sql::new(own).bind(group).bind(person))?,
        })
    }

    /// Inserts a group of the recycle bin again, with those of its permissions and members that exist. Members who are in the
    /// recycle bin themselves get the group back when they are restored.
    pub(in crate::directory) fn unbin_group(
        &self,
        RestorableGroup { group, permissions, made_here }: &RestorableGroup,
    ) -> Result<(), Error> {
        let id = group.id;
        self.insert_group(Some(id), group, *made_here)?;
        let known: Vec<Permission> = self.all(&list())?;
        self.set_group_permissions(id, &ids_of_codes(&known, permissions))?;
        let members = "INSERT INTO memberships (group_id, user_id) SELECT m.group_id, m.user_id \
                       FROM deleted_memberships m JOIN users u ON u.id = m.user_id WHERE m.group_id = $1";
        self.execute(&Sql::new(members).bind(id))?;
        let absent = "SELECT d.id FROM deleted_memberships m JOIN deleted_users d ON d.id = m.user_id \
                      WHERE m.group_id = $1 ORDER BY d.id";
        for user in self.all::<i64>(&Sql::new(absent).bind(id))? {
            self.add_group_to_deleted_user(user, id)?;
        }
        self.drop_deleted_group(id)
    }

    /// Removes a group with the list of its members from the recycle bin.
    pub(in crate::directory) fn drop_deleted_group(&self, id: GroupId) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM deleted_groups WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Adds a user to a group in the recycle bin, if the group was deleted after a time: both were deleted, the user first,
    /// and the user is restored first.
    pub(in crate::directory) fn add_to_deleted_group(
        &self,
        group: GroupId,
        user: UserId,
        since: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO deleted_memberships (group_id, user_id) SELECT id, CAST($2 AS BIGINT) \
                   FROM deleted_groups WHERE id = $1 AND deleted_at > $3 ON CONFLICT DO NOTHING";
        self.execute(&Sql::new(sql).bind(group).bind(user).bind(since))?;
        Ok(())
    }

    /// Removes a user who is gone permanently from all groups in the recycle bin.
    pub(in crate::directory) fn forget_deleted_memberships(&self, user: UserId) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM deleted_memberships WHERE user_id = $1").bind(user))?;
        Ok(())
    }

    /// Removes a permission from all groups in the recycle bin: a later one may get the same code.
    pub(super) fn forget_code_of_deleted_groups(&self, code: i64) -> Result<(), Error> {
        let mut last = i64::MIN;
        loop {
            let rows: Vec<RowOnly> = self.all(&after(last, 1000))?;
            let Some(RowOnly(row)) = rows.last() else { return Ok(()) };
            last = row.id;
            for RowOnly(row) in &rows {
                // A row that cannot be read is the concern of `doctor`, and cannot be restored.
                let Ok(mut kept) = DeletedGroupJson::parse(&row.remains) else { continue };
                if !kept.permissions.contains(&code) {
                    continue;
                }
                kept.permissions.retain(|held| *held != code);
                let sql = Sql::new("UPDATE deleted_groups SET remains = $1 WHERE id = $2");
                self.execute(&sql.bind(kept.text()?).bind(row.id))?;
            }
        }
    }
}
