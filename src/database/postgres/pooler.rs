//! Detects a connection pooler that gives a session's server process to other sessions between transactions.
//!
//! With such a pooler, settings of a session are lost or reach other sessions: time limits, the search path, durable
//! commits. Prepared statements are lost as well. Setting all of them again in each transaction would cost several round
//! trips per request, so this program does not start with such a pooler.

use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// How often two sessions try to meet in one process, because other clients of the pooler may get in between.
const ROUNDS: usize = 3;

/// Identifies the server process that runs the statement. Another process may have the same number later, but not the same
/// start.
const PROCESS: &str = "SELECT CAST(pid AS TEXT) || ' ' || CAST(backend_start AS TEXT) \
     FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()";

/// Returns whether one of two sessions loses its server process between transactions.
///
/// In a session of its own, a client keeps its process, and no other client ever gets it. A pooler usually gives a client the
/// process that became free last; then the second client gets the first one's process. If it gives them in turn, the first
/// client gets another process for its second statement. Nothing here depends on time, and a server without such a pooler
/// never looks like one.
pub(super) async fn is_shared(one: &Client, other: &Client) -> Result<bool, Error> {
    for _ in 0..ROUNDS {
        if met_in_one_process(one, other).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn met_in_one_process(one: &Client, other: &Client) -> Result<bool, Error> {
    let first = process(one).await?;
    if process(one).await? != first {
        return Ok(true);
    }
    // The transaction keeps its process while it is open.
    match other.batch_execute("BEGIN").await {
        Err(error) if is_statement_pooling(&error) => return Ok(true),
        begun => begun?,
    }
    let is_shared = process(other).await? == first || process(one).await? != first;
    other.batch_execute("ROLLBACK").await?;
    Ok(is_shared)
}

/// PgBouncer allows no transactions with `pool_mode = statement`.
fn is_statement_pooling(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| db.message().contains("pooling mode"))
}

/// The simple protocol needs no prepared statement, which would fail with such a pooler.
async fn process(client: &Client) -> Result<String, Error> {
    let messages = client.simple_query(PROCESS).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(rows.collect())
}
