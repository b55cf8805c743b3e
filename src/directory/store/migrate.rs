//! The schema's history: numbered files, applied once each, recorded with a checksum.

use sha2::{Digest, Sha256};

use super::fault::StoreError;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::tx::{Link, Tx};
use crate::directory::model::Timestamp;

/// One step of the schema, as text for each database.
struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every migration, oldest first. A released one is never edited: its checksum is in every database.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "directory",
        sqlite: include_str!("../../../migrations/sqlite/0001_directory.sql"),
        postgres: include_str!("../../../migrations/postgres/0001_directory.sql"),
    },
    Migration {
        version: 2,
        name: "identity_changes",
        sqlite: include_str!("../../../migrations/sqlite/0002_identity_changes.sql"),
        postgres: include_str!("../../../migrations/postgres/0002_identity_changes.sql"),
    },
    Migration {
        version: 3,
        name: "recycle_bin",
        sqlite: include_str!("../../../migrations/sqlite/0003_recycle_bin.sql"),
        postgres: include_str!("../../../migrations/postgres/0003_recycle_bin.sql"),
    },
    Migration {
        version: 4,
        name: "guard",
        sqlite: include_str!("../../../migrations/sqlite/0004_guard.sql"),
        postgres: include_str!("../../../migrations/postgres/0004_guard.sql"),
    },
    Migration {
        version: 5,
        name: "users_count",
        sqlite: include_str!("../../../migrations/sqlite/0005_users_count.sql"),
        postgres: include_str!("../../../migrations/postgres/0005_users_count.sql"),
    },
    Migration {
        version: 6,
        name: "search_pending",
        sqlite: include_str!("../../../migrations/sqlite/0006_search_pending.sql"),
        postgres: include_str!("../../../migrations/postgres/0006_search_pending.sql"),
    },
    Migration {
        version: 7,
        name: "cheaper_writes",
        sqlite: include_str!("../../../migrations/sqlite/0007_cheaper_writes.sql"),
        postgres: include_str!("../../../migrations/postgres/0007_cheaper_writes.sql"),
    },
    Migration {
        version: 8,
        name: "reserved_names",
        sqlite: include_str!("../../../migrations/sqlite/0008_reserved_names.sql"),
        postgres: include_str!("../../../migrations/postgres/0008_reserved_names.sql"),
    },
    Migration {
        version: 9,
        name: "token_origins",
        sqlite: include_str!("../../../migrations/sqlite/0009_token_origins.sql"),
        postgres: include_str!("../../../migrations/postgres/0009_token_origins.sql"),
    },
];

/// The table that records what was applied.
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
            version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// The schema version this program works with.
pub(super) fn known_version() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

struct Applied {
    version: i64,
    checksum: String,
}

impl FromRow for Applied {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { version: row.next()?, checksum: row.next()? })
    }
}

/// Whether the database has a schema of ours at all.
pub(super) fn is_initialised(link: &Link) -> Result<bool, StoreError> {
    let tx = Tx::new(link);
    let found: Option<i64> = tx.first(&Sql::new(tx.either(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
        "SELECT 1::bigint WHERE to_regclass('schema_migrations') IS NOT NULL",
    )))?;
    Ok(found.is_some())
}

/// The version that a schema is of; every migration up to it was applied.
pub(super) fn version(link: &Link) -> Result<i64, OpenError> {
    let applied = applied(link)?;
    match applied.iter().zip(MIGRATIONS).find(|(row, migration)| row.version != migration.version) {
        Some((row, _)) => Err(OpenError::ForeignMigration(row.version)),
        None => Ok(applied.last().map_or(0, |last| last.version)),
    }
}

/// Makes the schema of a version where none is.
pub(super) fn make(link: &Link, version: i64) -> Result<(), StoreError> {
    link.batch(HISTORY)?;
    MIGRATIONS
        .iter()
        .filter(|migration| migration.version <= version)
        .try_for_each(|migration| apply(link, migration, Timestamp::EPOCH))
}

/// Refuses a schema that is older, newer or other than this program's.
pub(super) fn check(link: &Link) -> Result<(), OpenError> {
    let applied = applied(link)?;
    let found = applied.last().map_or(0, |last| last.version);
    if found < known_version() {
        return Err(OpenError::Older { found, known: known_version() });
    }
    Ok(())
}

/// Brings the schema up to this program's version; tells which versions were applied.
pub(super) fn migrate(link: &Link, now: Timestamp) -> Result<Vec<i64>, OpenError> {
    link.begin()?;
    let versions = migrate_within(link, now)?;
    link.batch("COMMIT")?;
    Ok(versions)
}

/// The same inside a transaction that has begun, and goes on.
pub(super) fn migrate_within(link: &Link, now: Timestamp) -> Result<Vec<i64>, OpenError> {
    link.batch(HISTORY)?;
    find_extension(link)?;
    let done = applied(link)?.len();
    let mut versions = Vec::new();
    for migration in MIGRATIONS.iter().skip(done) {
        apply(link, migration, now)?;
        versions.push(migration.version);
    }
    Ok(versions)
}

/// Has the migrations of this transaction find PostgreSQL's extension where somebody has put it into another schema.
/// Afterwards nothing of it is called by name.
fn find_extension(link: &Link) -> Result<(), StoreError> {
    if let Link::Sqlite(_) = link {
        return Ok(());
    }
    let sql = "SELECT set_config('search_path', concat_ws(', ', quote_ident(current_schema()), \
               quote_ident(n.nspname), 'pg_temp'), true) FROM pg_extension e JOIN pg_namespace n \
               ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm' AND n.nspname <> current_schema()";
    link.all::<String>(&Sql::new(sql)).map(|_| ())
}

fn apply(link: &Link, migration: &Migration, now: Timestamp) -> Result<(), StoreError> {
    let text = Tx::new(link).either(migration.sqlite, migration.postgres);
    link.batch(text)?;
    let record =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    let record = Sql::new(record).bind(migration.version).bind(migration.name).bind(checksum(text)).bind(now);
    link.execute(&record).map(|_| ())
}

/// What was applied, each held against the file this program has under that number.
fn applied(link: &Link) -> Result<Vec<Applied>, OpenError> {
    let rows: Vec<Applied> =
        link.all(&Sql::new("SELECT version, checksum FROM schema_migrations ORDER BY version"))?;
    for row in &rows {
        let Some(known) = MIGRATIONS.iter().find(|migration| migration.version == row.version) else {
            return Err(OpenError::Newer { found: row.version, known: known_version() });
        };
        if checksum(Tx::new(link).either(known.sqlite, known.postgres)) != row.checksum {
            return Err(OpenError::ForeignMigration(row.version));
        }
    }
    Ok(rows)
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_who_were_there_before_are_counted() {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        let (before, after) = MIGRATIONS.split_at(4);
        before.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        link.batch(
            "PRAGMA foreign_keys = OFF; INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) \
             VALUES (1, 'a', 'a', '', 0, 0, ''), (2, 'b', 'b', '', 0, 0, ''); \
             INSERT INTO memberships (user_id, group_id) VALUES (1, 1), (2, 1)",
        )
        .unwrap();
        after.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        let kept: Vec<i64> = link.all(&Sql::new("SELECT users_count FROM groups ORDER BY id")).unwrap();
        assert_eq!(kept, [2, 0]);
    }

    #[test]
    fn constraints_that_are_written_anew_refuse_what_they_did() {
        let link = Link::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        let (before, after) = MIGRATIONS.split_at(6);
        before.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        let event = |kind: &str| {
            format!(
                "INSERT INTO audit_events (at, actor_kind, actor_name, action, object_kind, object_name, changes, \
                 previous_hash, hash) VALUES (0, '{kind}', '', '', '', '', '', x'', x'')"
            )
        };
        link.batch(&event("person")).unwrap();
        after.iter().for_each(|migration| link.batch(migration.sqlite).unwrap());
        for known in ["operator", "person", "anonymous"] {
            link.batch(&event(known)).unwrap();
        }
        for (wrong, constraint) in [
            (event("robot"), "audit_events_actor_kind_known"),
            (
                "INSERT INTO identity_changes (scope) VALUES ('none')".to_owned(),
                "identity_changes_scope_known",
            ),
            (
                "INSERT INTO tokens (user_id, name, kind, digest, prefix, last_four, created_at) \
                 VALUES (1, '', 'other', x'', '', '', 0)"
                    .to_owned(),
                "tokens_kind_known",
            ),
        ] {
            let refused = link.batch(&wrong).unwrap_err();
            let StoreError::Constraint(name) = &refused else { panic!("{refused:?}") };
            assert!(name.ends_with(constraint), "{name}");
        }
        let kept: Vec<i64> = link.all(&Sql::new("SELECT count(*) FROM audit_events")).unwrap();
        assert_eq!(kept, [4]);
    }
}
