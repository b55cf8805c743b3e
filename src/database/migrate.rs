//! Migrations: numbered steps of the schema. Each is applied once and recorded with its checksum.

use sha2::{Digest, Sha256};

use super::error::DatabaseError;
use super::link::Link;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::tx::Tx;

/// One step of the schema, as SQL for each database.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// SQL that runs before a migration, for data that the migration does not expect. A released migration cannot be edited: its
/// checksum is in every database to which it was applied. Those to which it could not be applied have no record of it, so
/// what runs before it may change. A database without rows does not need it.
pub(crate) struct Repair {
    pub(crate) before: i64,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// Creates the table that records the applied migrations.
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
            version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// Returns the schema version that these migrations lead to.
pub(crate) fn known_version(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.version)
}

/// A migration that was applied, as the database records it.
struct AppliedMigration {
    version: i64,
    checksum: String,
}

impl FromRow for AppliedMigration {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { version: row.next()?, checksum: row.next()? })
    }
}

/// Returns whether the database contains this program's schema, in any version.
pub(crate) fn is_initialised(link: &Link) -> Result<bool, DatabaseError> {
    let tx = Tx::new(link);
    let found: Option<i64> = tx.first(&Sql::new(tx.either(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
        "SELECT 1::bigint WHERE to_regclass('schema_migrations') IS NOT NULL",
    )))?;
    Ok(found.is_some())
}

/// Returns the version of a schema. Fails if a migration up to that version was not applied.
pub(crate) fn version(link: &Link, migrations: &[Migration]) -> Result<i64, OpenError> {
    let applied = applied(link, migrations)?;
    match applied.iter().zip(migrations).find(|(row, migration)| row.version != migration.version) {
        Some((row, _)) => Err(OpenError::MigrationDiffers(row.version)),
        None => Ok(applied.last().map_or(0, |last| last.version)),
    }
}

/// Creates the schema of a version in an empty database.
pub(crate) fn create(link: &Link, migrations: &[Migration], version: i64) -> Result<(), DatabaseError> {
    link.batch(HISTORY)?;
    migrations
        .iter()
        .filter(|migration| migration.version <= version)
        .try_for_each(|migration| apply(link, migration, 0))
}

/// Checks that the schema is this program's: neither older, nor newer, nor different.
pub(crate) fn check(link: &Link, migrations: &[Migration]) -> Result<(), OpenError> {
    let applied = applied(link, migrations)?;
    let found = applied.last().map_or(0, |last| last.version);
    if found < known_version(migrations) {
        return Err(OpenError::Older { found, known: known_version(migrations) });
    }
    Ok(())
}

/// Upgrades the schema to the newest version and returns the versions that were applied. `now` is in microseconds
/// since the Unix epoch.
pub(crate) fn migrate(
    link: &Link,
    migrations: &[Migration],
    repairs: &[Repair],
    now: i64,
) -> Result<Vec<i64>, OpenError> {
    link.begin()?;
    let versions = migrate_within(link, migrations, repairs, now)?;
    link.batch("COMMIT")?;
    Ok(versions)
}

/// Does the same inside a transaction that the caller begins and ends.
pub(crate) fn migrate_within(
    link: &Link,
    migrations: &[Migration],
    repairs: &[Repair],
    now: i64,
) -> Result<Vec<i64>, OpenError> {
    link.batch(HISTORY)?;
    find_extension(link)?;
    let already_applied = applied(link, migrations)?.len();
    let mut versions = Vec::new();
    for migration in migrations.iter().skip(already_applied) {
        for repair in repairs.iter().filter(|repair| repair.before == migration.version) {
            link.batch(Tx::new(link).either(repair.sqlite, repair.postgres))?;
        }
        apply(link, migration, now)?;
        versions.push(migration.version);
    }
    Ok(versions)
}

/// Adds the schema of PostgreSQL's extension to the search path of this transaction, so that the migrations find an
/// extension that was installed into another schema. Later statements do not name it.
fn find_extension(link: &Link) -> Result<(), DatabaseError> {
    if let Link::Sqlite(_) = link {
        return Ok(());
    }
    let sql = "SELECT set_config('search_path', concat_ws(', ', quote_ident(current_schema()), \
               quote_ident(n.nspname), 'pg_temp'), true) FROM pg_extension e JOIN pg_namespace n \
               ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm' AND n.nspname <> current_schema()";
    link.all::<String>(&Sql::new(sql)).map(|_| ())
}

fn apply(link: &Link, migration: &Migration, now: i64) -> Result<(), DatabaseError> {
    let text = Tx::new(link).either(migration.sqlite, migration.postgres);
    link.batch(text)?;
    let record =
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    let record = Sql::new(record).bind(migration.version).bind(migration.name).bind(checksum(text)).bind(now);
    link.execute(&record).map(|_| ())
}

/// Reads the applied migrations and checks each against this program's migration of that version.
fn applied(link: &Link, migrations: &[Migration]) -> Result<Vec<AppliedMigration>, OpenError> {
    let rows: Vec<AppliedMigration> =
        link.all(&Sql::new("SELECT version, checksum FROM schema_migrations ORDER BY version"))?;
    for row in &rows {
        let Some(known) = migrations.iter().find(|migration| migration.version == row.version) else {
            return Err(OpenError::Newer { found: row.version, known: known_version(migrations) });
        };
        if checksum(Tx::new(link).either(known.sqlite, known.postgres)) != row.checksum {
            return Err(OpenError::MigrationDiffers(row.version));
        }
    }
    Ok(rows)
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
