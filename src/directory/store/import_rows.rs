//! Statements of an import: reading the rows to compare with, and overwriting those that differ.

use super::Tx;
use super::column_list::{self, Columns, json_list};
use super::export_rows::{token, user};
use super::numbered::Numbered;
use super::permissions::{ids_of_codes, list};
use super::tokens::NewToken;
use super::users::holders;
use super::{tokens, users};
use crate::database::Sql;
use crate::directory::error::Error;
use crate::directory::model::stored::{StoredToken, StoredUser};
use crate::directory::model::{GroupId, KeptDigest, TokenId, User};

impl Tx<'_> {
    /// Returns the users with these ids.
    pub(in crate::directory) fn stored_users(&self, ids: &[i64]) -> Result<Vec<StoredUser>, Error> {
        let sql = self.either(
            concat!(user!(), " WHERE u.id IN (SELECT value FROM json_each($1))"),
            concat!(user!(), " WHERE u.id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        Ok(self.all(&Sql::new(sql).bind(json_list(ids)))?)
    }

    /// Returns the ids of the users with these usernames.
    pub(in crate::directory) fn ids_of_usernames(&self, names: &[&str]) -> Result<Vec<Numbered>, Error> {
        let sql = self.either(
            "SELECT username, id FROM users WHERE username IN (SELECT value FROM json_each($1))",
            "SELECT username, id FROM users WHERE username IN (SELECT v FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        Ok(self.all(&Sql::new(sql).bind(json_list(names)))?)
    }

    /// Returns the tokens with these digests.
    pub(in crate::directory) fn stored_tokens(
        &self,
        digests: &[&KeptDigest],
    ) -> Result<Vec<StoredToken>, Error> {
        let sql = self.either(
            concat!(token!(), " WHERE t.digest IN (SELECT unhex(value) FROM json_each($1))"),
            concat!(token!(), " WHERE t.digest IN (SELECT decode(v, 'hex') FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)"),
        );
        let digests: Vec<String> = digests.iter().map(|digest| format!("{digest:x}")).collect();
        Ok(self.all(&Sql::new(sql).bind(json_list(&digests)))?)
    }

    /// Returns the other users that have a unique value of this user: the field and their ids.
    pub(in crate::directory) fn holders(&self, user: &User) -> Result<Vec<Numbered>, Error> {
        let sql = Sql::new(holders!("username")).bind(user.username.as_str());
        let sql = sql.bind(user.mobile_number.as_deref()).bind(user.email.as_deref());
        Ok(self.all(&sql.bind(user.id))?)
    }

    /// Returns names and ids of users after an id, in the order of their ids.
    pub(in crate::directory) fn names_after(&self, id: i64, limit: i64) -> Result<Vec<Numbered>, Error> {
        let sql = "SELECT username, id FROM users WHERE id > $1 ORDER BY id LIMIT $2";
        Ok(self.all(&Sql::new(sql).bind(id).bind(limit))?)
    }

    /// Returns whether there is a user, in the recycle bin or not.
    pub(in crate::directory) fn has_users(&self) -> Result<bool, Error> {
        let sql = "SELECT id FROM users UNION ALL SELECT id FROM deleted_users LIMIT 1";
        Ok(self.first::<i64>(&Sql::new(sql))?.is_some())
    }

    /// Returns which of these users were created here and were not written by an import since.
    pub(in crate::directory) fn users_made_here(&self, ids: &[i64]) -> Result<Vec<i64>, Error> {
        let sql = self.either(
            "SELECT id FROM users WHERE made_here AND id IN (SELECT value FROM json_each($1))",
            "SELECT id FROM users WHERE made_here \
             AND id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        Ok(self.all(&Sql::new(sql).bind(json_list(ids)))?)
    }

    /// Returns the groups that were created here and were not written by an import since.
    pub(in crate::directory) fn groups_made_here(&self) -> Result<Vec<i64>, Error> {
        Ok(self.all(&Sql::new("SELECT id FROM groups WHERE made_here"))?)
    }

    /// Records that an import has written a group.
    pub(in crate::directory) fn note_imported_group(&self, id: GroupId) -> Result<(), Error> {
        self.execute(&Sql::new("UPDATE groups SET made_here = FALSE WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Returns whether there is a user with this id.
    pub(in crate::directory) fn has_user(&self, id: i64) -> Result<bool, Error> {
        Ok(self.first::<i64>(&Sql::new("SELECT id FROM users WHERE id = $1").bind(id))?.is_some())
    }

    /// Returns the ids of the active admins.
    pub(in crate::directory) fn active_admins(&self) -> Result<Vec<i64>, Error> {
        Ok(self.all(&Sql::new("SELECT id FROM users WHERE is_admin AND is_active"))?)
    }

    /// Returns digests and ids of imported tokens after an id that are not revoked.
    pub(in crate::directory) fn imported_tokens_after(
        &self,
        id: i64,
        limit: i64,
    ) -> Result<Vec<Numbered>, Error> {
        let hex = self.either("lower(hex(digest))", "encode(digest, 'hex')");
        let mut sql = Sql::new("SELECT ");
        sql.push(hex).push(
            ", id FROM tokens WHERE id > $1 AND kind = 'imported' AND made_by = 'import' AND revoked_at IS NULL ORDER BY id LIMIT $2",
        );
        Ok(self.all(&sql.bind(id).bind(limit))?)
    }

    /// Returns whether a token has this id.
    pub(in crate::directory) fn is_token_id_taken(&self, id: TokenId) -> Result<bool, Error> {
        Ok(self.first::<i64>(&Sql::new("SELECT id FROM tokens WHERE id = $1").bind(id))?.is_some())
    }

    /// Writes every column of an existing user, and its groups and permissions.
    pub(in crate::directory) fn overwrite_user(
        &self,
        row: &StoredUser,
        old: &StoredUser,
    ) -> Result<(), Error> {
        let user = &row.user;
        // All columns: a user that had to give up a value is not as `old` says.
        self.update_user(user, None)?;
        let rest = vec![
            ("password", row.password.as_str().into()),
            ("last_seen_at", user.last_seen_at.into()),
            ("made_here", false.into()),
        ];
        self.execute(&column_list::update("users", rest, user.id))?;
        if user.groups != old.user.groups {
            self.set_groups(user.id, &user.groups)?;
        }
        if row.permissions != old.permissions {
            let ids = ids_of_codes(&self.all(&list())?, &row.permissions);
            self.set_user_permissions(user.id, &ids)?;
        }
        Ok(())
    }

    /// Writes every column of an existing token except its id and digest.
    pub(in crate::directory) fn overwrite_token(&self, row: &StoredToken) -> Result<(), Error> {
        let mut columns = token_columns(row);
        columns.retain(|(name, _)| *name != "digest");
        self.execute(&column_list::update("tokens", columns, row.token.id))?;
        Ok(())
    }

    /// Attaches exactly the permissions with these codes to a group.
    pub(in crate::directory) fn replace_group_permissions(
        &self,
        group: GroupId,
        codes: &[i64],
    ) -> Result<(), Error> {
        self.set_group_permissions(group, &ids_of_codes(&self.all(&list())?, codes)).map(drop)
    }

    /// Takes a unique value from a user that gets another one in the same transaction: no two may have it in between.
    pub(in crate::directory) fn vacate(&self, field: &str, id: i64) -> Result<(), Error> {
        let sql = match field {
            "email" => "UPDATE users SET email = NULL, email_key = '' WHERE id = $1",
            "mobile_number" => "UPDATE users SET mobile_number = NULL WHERE id = $1",
            _ => {
                "UPDATE users SET username = 'wardroom import of ' || id, username_key = 'wardroom import of ' || id WHERE id = $1"
            }
        };
        self.execute(&Sql::new(sql).bind(id))?;
        Ok(())
    }

    /// Takes the name from a group that gets another one in the same transaction.
    pub(in crate::directory) fn vacate_group_name(&self, id: i64) -> Result<(), Error> {
        let sql = "UPDATE groups SET name = 'wardroom import of ' || id WHERE id = $1";
        self.execute(&Sql::new(sql).bind(id))?;
        Ok(())
    }
}

/// Returns the columns of a token, without its id.
pub(super) fn token_columns(row: &StoredToken) -> Columns {
    let StoredToken { token, digest, last_used_from, ends_by } = row.clone();
    let mut columns = NewToken {
        user_id: token.user_id,
        name: token.name,
        kind: token.kind,
        digest,
        prefix: token.prefix,
        last_four: token.last_four,
        created_at: token.created_at,
        expires_at: token.expires_at,
        made_by: token.made_by,
        root: token.root,
        narrowing: token.narrowing,
        amr: token.amr,
    }
    .columns();
    columns.push(("revoked_at", token.revoked_at.into()));
    columns.push(("last_used_at", token.last_used_at.into()));
    columns.push(("last_used_from", last_used_from.into()));
    columns.push(("ends_by", ends_by.into()));
    columns
}
