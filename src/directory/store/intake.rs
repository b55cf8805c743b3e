//! Writing what is brought in from elsewhere: many rows at once, with every column as it was there.
//!
//! A directory without users is filled by [`Store::load`]: one transaction that takes the indexes away, writes rows
//! in bulk and makes the indexes anew from all of them, which takes a fifth of the time that keeping them up to date
//! row by row takes. Until it commits, others see the directory without anybody; if it fails, nothing has happened.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::config::DbConfig;
use tokio::task::spawn_blocking;

use super::fault::DatabaseError;
use super::inventory::Numbered;
use super::search_index::REBUILD;
use super::sql::{Sql, Value};
use super::tx::{Driver, Link, Tx};
use super::users::search_key;
use super::{Backend, MIGRATION_TIMEOUT, Store, sqlite};
use crate::directory::error::Error;
use crate::directory::model::stored::{WholeDeleted, WholeToken, WholeUser};
use crate::directory::model::{GroupId, User, UserId, fold};

/// Rows in one statement.
const ROWS: usize = 50;
/// Kibibytes of SQLite's page cache while many rows are written.
const CACHE: i64 = 64 * 1024;

/// Long statements are what this is for.
const UNBOUNDED: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL maintenance_work_mem = '128MB'";
/// The feed gets one row for everything instead of one a row.
const WITHOUT_TRIGGERS: &str = "ALTER TABLE users DISABLE TRIGGER USER; ALTER TABLE memberships DISABLE TRIGGER USER; \
     ALTER TABLE user_permissions DISABLE TRIGGER USER; ALTER TABLE tokens DISABLE TRIGGER USER";
const WITH_TRIGGERS: &str = "ALTER TABLE users ENABLE TRIGGER USER; ALTER TABLE memberships ENABLE TRIGGER USER; \
     ALTER TABLE user_permissions ENABLE TRIGGER USER; ALTER TABLE tokens ENABLE TRIGGER USER";

impl Store {
    /// Fills a directory without users in one transaction; `work` writes with [`Tx::load_users`] and its like.
    pub(in crate::directory) async fn load<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.admit_write()?;
        let backend = self.backend.clone();
        let loaded = spawn_blocking(move || {
            let link = backend.loader()?;
            // Whatever happens, the connection is not used again: its transaction may be open.
            let outcome = catch_unwind(AssertUnwindSafe(|| load(&link, work)))
                .unwrap_or_else(|_| Err(Error::broken("a write failed", "the work panicked")));
            link.discard();
            outcome
        });
        loaded.await.map_err(|error| Error::broken("a write failed", error))?
    }
}

impl Backend {
    fn loader(&self) -> Result<Link, DatabaseError> {
        match self {
            Self::Sqlite { directory, timeout, .. } => {
                let connection = sqlite::connect(directory, *timeout)?;
                connection.pragma_update(None, "cache_size", -CACHE)?;
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
                Ok(Link::Sqlite(connection))
            }
            Self::Postgres { long, runtime, .. } => {
                let client = runtime.block_on(long.get())?;
                let driver = Driver::Shared(runtime.clone());
                Ok(Link::Postgres { client, driver, timeout: MIGRATION_TIMEOUT })
            }
        }
    }
}

fn load<T>(link: &Link, work: impl FnOnce(&Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
    link.begin()?;
    let tx = Tx::new(link);
    if tx.has_users()? {
        return Err(Error::broken("a directory cannot be filled", "it has users"));
    }
    link.batch(tx.either("SELECT 1", UNBOUNDED))?;
    link.batch(tx.either("SELECT 1", WITHOUT_TRIGGERS))?;
    let indexes: Vec<Index> = tx.all(&Sql::new(tx.either(SQLITE_INDEXES, POSTGRES_INDEXES)))?;
    for index in &indexes {
        link.batch(&format!("DROP INDEX \"{}\"", index.name))?;
    }
    let outcome = work(&tx)?;
    for index in &indexes {
        link.batch(&index.definition)?;
    }
    link.batch(tx.either(REBUILD, WITH_TRIGGERS))?;
    link.batch("INSERT INTO identity_changes (scope) VALUES ('all')")?;
    tx.count_members()?;
    tx.count_ids_on()?;
    link.batch("COMMIT")?;
    // A young table's statistics would otherwise wait for the server's own round.
    link.batch(tx.either("SELECT 1", "ANALYZE users, memberships, tokens"))?;
    Ok(outcome)
}

/// An index that can be made anew.
struct Index {
    name: String,
    definition: String,
}

impl super::FromRow for Index {
    fn from_row(row: &mut super::row::Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { name: row.next()?, definition: row.next()? })
    }
}

const SQLITE_INDEXES: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL \
     AND tbl_name IN ('users', 'memberships', 'tokens')";
const POSTGRES_INDEXES: &str = "SELECT CAST(i.indexname AS TEXT), i.indexdef FROM pg_indexes i \
     WHERE i.schemaname = ANY (current_schemas(false)) AND i.tablename IN ('users', 'memberships', 'tokens') \
     AND i.indexname NOT IN (SELECT conname FROM pg_constraint)";

impl Tx<'_> {
    /// Writes new users with their groups and permissions, in bulk.
    pub(in crate::directory) fn load_users(&self, users: &[WholeUser]) -> Result<(), Error> {
        let head = "INSERT INTO users (id, username, username_key, mobile_number, email, email_key, avatar, first_name, \
                    last_name, gender, password, is_active, is_staff, is_admin, last_login, last_seen_at, created_at, \
                    updated_at, search_key) VALUES ";
        self.insert(head, users.iter().map(user_values))?;
        let members = users.iter().flat_map(|WholeUser { user, .. }| {
            user.groups.iter().map(|group| [user.id.into(), Value::from(*group)])
        });
        self.insert("INSERT INTO memberships (user_id, group_id) VALUES ", members)?;
        for WholeUser { user, permissions, .. } in users.iter().filter(|user| !user.permissions.is_empty()) {
            self.grant(user.id, permissions)?;
        }
        Ok(())
    }

    /// Writes new tokens in bulk; those with an id of their own first, since the others get the next ones.
    pub(in crate::directory) fn load_tokens(&self, tokens: &[WholeToken]) -> Result<(), Error> {
        const NUMBERED: &str = "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, \
             expires_at, revoked_at, last_used_at, last_used_from, made_by, root, id) VALUES ";
        const OTHERS: &str = "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at, \
             expires_at, revoked_at, last_used_at, last_used_from, made_by, root) VALUES ";
        let (numbered, others): (Vec<_>, Vec<_>) = tokens.iter().partition(|whole| whole.token.id.get() > 0);
        self.insert(
            NUMBERED,
            numbered.iter().map(|whole| {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m] = token_values(whole);
                [a, b, c, d, e, f, g, h, i, j, k, l, m, whole.token.id.into()]
            }),
        )?;
        if !numbered.is_empty() {
            self.count_ids_on()?;
        }
        self.insert(OTHERS, others.iter().map(|whole| token_values(whole)))
    }

    /// Whether some token has this id.
    pub(in crate::directory) fn is_token_id_taken(&self, id: i64) -> Result<bool, Error> {
        Ok(self.first::<i64>(&Sql::new("SELECT id FROM tokens WHERE id = $1").bind(id))?.is_some())
    }

    /// Writes every column of an existing user, and its groups and permissions.
    pub(in crate::directory) fn rewrite_user(&self, whole: &WholeUser, old: &WholeUser) -> Result<(), Error> {
        let user = &whole.user;
        // Whoever had to give up a name to somebody else is not as it was.
        self.update_user(user, None)?;
        let rest = "UPDATE users SET password = $1, last_seen_at = $2 WHERE id = $3";
        self.execute(&Sql::new(rest).bind(whole.password.as_str()).bind(user.last_seen_at).bind(user.id))?;
        if user.groups != old.user.groups {
            self.set_groups(user.id, &user.groups)?;
        }
        if whole.permissions != old.permissions {
            self.execute(&Sql::new("DELETE FROM user_permissions WHERE user_id = $1").bind(user.id))?;
            self.grant(user.id, &whole.permissions)?;
        }
        Ok(())
    }

    /// Writes every column of an existing token but its id and digest.
    pub(in crate::directory) fn rewrite_token(&self, whole: &WholeToken) -> Result<(), Error> {
        let sql = "UPDATE tokens SET user_id = $1, name = $2, kind = $3, prefix = $4, last_four = $5, created_at = $6, \
                   expires_at = $7, revoked_at = $8, last_used_at = $9, last_used_from = $10, made_by = $11, root = $12 \
                   WHERE id = $13";
        let [owner, name, kind, _, prefix, last_four, created, expires, revoked, used, from, by, root] =
            token_values(whole);
        let sql = [owner, name, kind, prefix, last_four, created, expires, revoked, used, from, by, root]
            .into_iter()
            .fold(Sql::new(sql), Sql::bind);
        self.execute(&sql.bind(whole.token.id))?;
        Ok(())
    }

    /// Takes a unique value from a user that will get another one: no two may have it in between.
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

    /// Takes the name from a group that will get another one.
    pub(in crate::directory) fn vacate_group(&self, id: i64) -> Result<(), Error> {
        let sql = "UPDATE groups SET name = 'wardroom import of ' || id WHERE id = $1";
        self.execute(&Sql::new(sql).bind(id))?;
        Ok(())
    }

    /// Attaches permissions to a user by their codes; those that do not exist are passed over.
    fn grant(&self, user: UserId, codes: &[i64]) -> Result<(), Error> {
        let sql = "INSERT INTO user_permissions (user_id, permission_id) \
                   SELECT CAST($1 AS BIGINT), id FROM permissions WHERE code = $2 ON CONFLICT DO NOTHING";
        for code in codes {
            self.execute(&Sql::new(sql).bind(user).bind(*code))?;
        }
        Ok(())
    }

    /// Makes a permission, or gives an existing one of that code this name.
    pub(in crate::directory) fn put_permission(
        &self,
        id: Option<i64>,
        code: i64,
        name: &str,
    ) -> Result<(), Error> {
        let sql = match id {
            Some(id) => Sql::new(
                "INSERT INTO permissions (code, name, id) VALUES ($1, $2, $3) \
                                  ON CONFLICT (code) DO UPDATE SET name = excluded.name",
            )
            .bind(code)
            .bind(name)
            .bind(id),
            None => Sql::new(
                "INSERT INTO permissions (code, name) VALUES ($1, $2) \
                              ON CONFLICT (code) DO UPDATE SET name = excluded.name",
            )
            .bind(code)
            .bind(name),
        };
        self.execute(&sql)?;
        Ok(())
    }

    /// Attaches exactly the permissions of these codes to a group.
    pub(in crate::directory) fn regrant_group(&self, group: GroupId, codes: &[i64]) -> Result<(), Error> {
        self.execute(&Sql::new("DELETE FROM group_permissions WHERE group_id = $1").bind(group))?;
        let sql = "INSERT INTO group_permissions (group_id, permission_id) \
                   SELECT CAST($1 AS BIGINT), id FROM permissions WHERE code = $2 ON CONFLICT DO NOTHING";
        for code in codes {
            self.execute(&Sql::new(sql).bind(group).bind(*code))?;
        }
        Ok(())
    }

    /// Puts somebody into the recycle bin as they lay in another.
    pub(in crate::directory) fn put_deleted(&self, deleted: &WholeDeleted, user: &User) -> Result<(), Error> {
        let sql = "INSERT INTO deleted_users (id, username, username_key, email, deleted_at, deleted_by, search_key, \
                   remains) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let sql =
            Sql::new(sql).bind(deleted.id).bind(deleted.username.as_str()).bind(fold(&deleted.username));
        let sql =
            sql.bind(deleted.email.as_deref()).bind(deleted.deleted_at).bind(deleted.deleted_by.as_str());
        self.execute(&sql.bind(search_key(user.id, user)).bind(deleted.remains.as_str()))?;
        Ok(())
    }

    /// Whether somebody with this id lies in the recycle bin, for however long.
    pub(in crate::directory) fn is_in_bin(&self, id: i64) -> Result<bool, Error> {
        Ok(self.first::<i64>(&Sql::new("SELECT id FROM deleted_users WHERE id = $1").bind(id))?.is_some())
    }

    /// Imported tokens that still open the door, after an id: their digests' beginnings, and ids.
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

    /// Runs one statement for every [`ROWS`] rows.
    fn insert<const N: usize>(
        &self,
        head: &'static str,
        rows: impl Iterator<Item = [Value; N]>,
    ) -> Result<(), Error> {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let some: Vec<_> = rows.by_ref().take(ROWS).collect();
            let mut sql = Sql::new(head);
            for (place, row) in some.into_iter().enumerate() {
                sql.push(if place == 0 { "(" } else { ", (" });
                for (column, value) in row.into_iter().enumerate() {
                    sql.push(if column == 0 { "" } else { ", " }).push_arg(value);
                }
                sql.push(")");
            }
            self.execute(&sql)?;
        }
        Ok(())
    }
}

fn user_values(whole: &WholeUser) -> [Value; 19] {
    let WholeUser { user, password, .. } = whole;
    [
        user.id.into(),
        user.username.as_str().into(),
        fold(&user.username).into(),
        user.mobile_number.as_deref().into(),
        user.email.as_deref().into(),
        fold(user.email.as_deref().unwrap_or_default()).into(),
        user.avatar.as_deref().into(),
        user.first_name.as_str().into(),
        user.last_name.as_str().into(),
        user.gender.as_deref().into(),
        password.as_str().into(),
        user.is_active.into(),
        user.is_staff.into(),
        user.is_admin.into(),
        user.last_login.into(),
        user.last_seen_at.into(),
        user.created_at.into(),
        user.updated_at.into(),
        search_key(user.id, user).into(),
    ]
}

fn token_values(whole: &WholeToken) -> [Value; 13] {
    let WholeToken { token, digest, last_used_from } = whole;
    [
        token.user_id.into(),
        token.name.as_str().into(),
        token.kind.as_str().into(),
        digest.clone().into(),
        token.prefix.as_str().into(),
        token.last_four.as_str().into(),
        token.created_at.into(),
        token.expires_at.into(),
        token.revoked_at.into(),
        token.last_used_at.into(),
        last_used_from.as_deref().into(),
        token.made_by.as_str().into(),
        token.root.clone().into(),
    ]
}
