//! The schema of this program's tables.

use tokio_postgres::{Client, Error};

use crate::database::error::DatabaseError;

/// Selects the schemas of the search path that contain this program's tables.
const WITH_TABLES: &str = "SELECT CAST(n.nspname AS TEXT) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'schema_migrations' \
     AND n.nspname = ANY (pg_catalog.current_schemas(false)) AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";

/// Selects the schema in which a new table would be created.
const CURRENT: &str = "SELECT CAST(pg_catalog.current_schema() AS TEXT)";

/// Selects the statement that a schema lacks before it can be used; no row if it lacks none.
const UNUSABLE: &str = "SELECT CASE WHEN n.oid IS NULL THEN format('CREATE SCHEMA %I AUTHORIZATION %I', wanted.name, current_user) \
     ELSE format('GRANT USAGE ON SCHEMA %I TO %I', wanted.name, current_user) END \
     FROM (SELECT CAST($1 AS TEXT) AS name) wanted LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name \
     WHERE n.oid IS NULL OR NOT has_schema_privilege(n.oid, 'USAGE')";

/// Returns the schema of this program's tables. The inner error says why it cannot be determined.
pub(super) async fn find(
    client: &Client,
    wanted: Option<&str>,
) -> Result<Result<String, DatabaseError>, Error> {
    match wanted {
        Some(wanted) => check(client, wanted).await,
        None => search(client).await,
    }
}

async fn check(client: &Client, wanted: &str) -> Result<Result<String, DatabaseError>, Error> {
    let lacking: Vec<String> = texts(client, UNUSABLE, Some(wanted)).await?;
    Ok(match lacking.first() {
        None => Ok(wanted.to_owned()),
        Some(statement) => Err(DatabaseError::Broken(
            format!("the schema {wanted:?} of the URL cannot be used: run {statement}").into(),
        )),
    })
}

async fn search(client: &Client) -> Result<Result<String, DatabaseError>, Error> {
    let mut found = texts(client, WITH_TABLES, None).await?;
    if found.len() > 1 {
        let several = format!(
            "Wardroom's tables are in several schemas ({}): name the right one at the end of the URL, as in ?schema=public",
            found.join(", ")
        );
        return Ok(Err(DatabaseError::Broken(several.into())));
    }
    if let Some(only) = found.pop() {
        return Ok(Ok(only));
    }
    let current: Option<String> = client.query_one(CURRENT, &[]).await?.try_get(0)?;
    let Some(current) = current else { return Ok(Err(no_schema(client).await?)) };
    Ok(Ok(current))
}

/// Says what to do if no schema of the search path exists, or none may be used.
async fn no_schema(client: &Client) -> Result<DatabaseError, Error> {
    let remedy = match texts(client, UNUSABLE, Some("public")).await?.pop() {
        Some(statement) => format!("run {statement}"),
        None => "correct search_path".to_owned(),
    };
    let text = format!(
        "no schema of the search path can be used: {remedy}, or name another one at the end of the URL, as in ?schema=wardroom"
    );
    Ok(DatabaseError::Broken(text.into()))
}

async fn texts(client: &Client, query: &str, argument: Option<&str>) -> Result<Vec<String>, Error> {
    let rows = match argument {
        Some(argument) => client.query(query, &[&argument]).await?,
        None => client.query(query, &[]).await?,
    };
    rows.iter().map(|row| row.try_get(0)).collect()
}
