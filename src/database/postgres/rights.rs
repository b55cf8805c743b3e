//! Which rights a role lacks for creating or using this program's tables.

use crate::database::error::DatabaseError;
use crate::database::link::Link;
use crate::database::open::OpenError;
use crate::database::sql::Sql;

use super::message::ServerMessage;

/// What a role wants to do with this program's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Read and write rows.
    Use,
    /// Create the tables, or change them.
    Create,
}

/// Selects the statements that would give this role what it lacks, for the owner of the database. The extension needs the
/// right to create in the database, unless it is there already. `$1` is whether tables are to be created.
const MISSING: &str = "SELECT statement FROM ( \
     SELECT 1 AS place, format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) AS statement \
     WHERE $1 AND NOT has_database_privilege(current_database(), 'CREATE') \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_trgm') \
     UNION ALL SELECT 2, format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', n.nspname, current_user) \
     FROM pg_catalog.pg_namespace n WHERE $1 AND n.nspname = current_schema() \
     AND NOT has_schema_privilege(n.oid, 'CREATE') \
     UNION ALL SELECT 3, format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', n.nspname, current_user) \
     FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema() AND EXISTS (SELECT FROM pg_catalog.pg_class c \
     WHERE c.relnamespace = n.oid AND c.relname = 'schema_migrations' AND NOT has_table_privilege(c.oid, 'SELECT')) \
     ) missing ORDER BY place";

/// Selects the statement that would give this role the rights `$1` for the tables `$2`, of those tables for which it lacks
/// one of them. No row if it lacks none.
const GRANT: &str = "SELECT format('GRANT %s ON %s TO %I', CAST($1 AS text), string_agg(t.name, ', ' ORDER BY t.name), current_user) \
     FROM (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') \
     AND CAST(c.relname AS text) = ANY (string_to_array(CAST($2 AS text), ', '))) t \
     WHERE EXISTS (SELECT FROM unnest(string_to_array(CAST($1 AS text), ', ')) AS needed (privilege) \
     WHERE NOT has_table_privilege(t.oid, needed.privilege)) HAVING count(*) > 0";

/// Returns the query for the statement that would give this role these rights for these tables of this program. It has no
/// row if nothing is missing.
pub(crate) fn missing_grant(rights: &str, tables: &[&str]) -> Sql {
    Sql::new(GRANT).bind(rights).bind(tables.join(", "))
}

/// Adds the missing rights to an error, if it is about rights. A transaction that is open on the connection is rolled back.
pub(crate) fn explain(link: &Link, work: Work, error: OpenError) -> OpenError {
    let OpenError::Broken(source) = error else { return error };
    match source.downcast::<ServerMessage>() {
        Ok(message) if message.is_denial() => {
            let remedy = missing(link, work).ok().filter(|missing| !missing.is_empty());
            OpenError::Broken(match remedy {
                Some(statements) => Box::new(message.with_remedy(format!("run {}", statements.join("; ")))),
                None => message,
            })
        }
        Ok(message) => OpenError::Broken(message),
        Err(source) => OpenError::Broken(source),
    }
}

fn missing(link: &Link, work: Work) -> Result<Vec<String>, DatabaseError> {
    link.batch("ROLLBACK")?;
    link.all(&Sql::new(MISSING).bind(work == Work::Create))
}
