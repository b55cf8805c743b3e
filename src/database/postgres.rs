//! PostgreSQL: running statements within a deadline, so that an unreachable database delays a request for a bounded
//! time only.

mod history;
mod hosts;
mod message;
pub(crate) mod other_tables;
mod pooler;
mod read_pool;
mod rights;
mod schema;
mod server;
mod session;
mod tls;

use std::pin::pin;

use deadpool_postgres::Client;
use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Statement;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

pub(crate) use self::message::{ServerMessage, is_refused_option, is_tls};
pub(crate) use self::read_pool::ReadPool;
pub(crate) use self::rights::{Work, explain, missing_grant};
pub(crate) use self::server::PostgresServer;
#[cfg(test)]
pub(crate) use self::session::ONE_PLAN;
use super::error::{DatabaseError, of_postgres_commit};
use super::read_ahead::FirstRead;
use super::row::{FromRow, Row};
use super::sql::{Sql, Value};

/// Runs a statement and reads all its rows.
pub(crate) async fn all<T: FromRow>(
    client: &Client,
    sql: &Sql,
    deadline: Instant,
) -> Result<Vec<T>, DatabaseError> {
    let typed: Option<Vec<_>> = if sql.is_composed() { sql.args().iter().map(typed).collect() } else { None };
    let rows = match typed {
        // One message instead of two: it is not prepared first, to learn the types of its parameters.
        Some(args) => before(deadline, client.query_typed(sql.text(), &args)).await?,
        None => {
            let statement = prepare(client, sql, deadline).await?;
            before(deadline, client.query(&statement, &parameters(sql.args()))).await?
        }
    };
    rows.iter().map(|row| T::from_row(&mut Row::postgres(row))).collect()
}

/// Returns a parameter with the type that the server would infer for it; `None` for null, which has none of its own.
fn typed(value: &Value) -> Option<(&(dyn ToSql + Sync), Type)> {
    let of = match value {
        Value::Null => return None,
        Value::Bool(_) => Type::BOOL,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    };
    Some((value, of))
}

/// Sends statements together and reads all their rows.
pub(crate) async fn all_of_each(
    client: &Client,
    reads: Vec<FirstRead>,
    deadline: Instant,
) -> Result<Vec<(FirstRead, Vec<tokio_postgres::Row>)>, DatabaseError> {
    let mut sent = Vec::with_capacity(reads.len());
    for read in reads {
        let statement = prepare(client, &read.sql, deadline).await?;
        sent.push(async move {
            let rows = client.query(&statement, &parameters(read.sql.args())).await?;
            Ok::<_, tokio_postgres::Error>((read, rows))
        });
    }
    before(deadline, try_join_all(sent)).await
}

/// Prepares a statement. A statement that is not composed stays prepared on its connection.
pub(crate) async fn prepare(
    client: &Client,
    sql: &Sql,
    deadline: Instant,
) -> Result<Statement, DatabaseError> {
    before(deadline, async {
        match sql.is_composed() {
            true => client.prepare(sql.text()).await,
            false => client.prepare_cached(sql.text()).await,
        }
    })
    .await
}

/// Runs a statement that returns no rows, without a deadline. Returns how many rows it changed.
pub(crate) async fn run(
    client: &Client,
    statement: Statement,
    args: Vec<Value>,
) -> Result<u64, DatabaseError> {
    Ok(client.execute(&statement, &parameters(&args)).await?)
}

/// Runs a statement that returns no rows. Returns how many rows it changed.
pub(crate) async fn execute(client: &Client, sql: &Sql, deadline: Instant) -> Result<u64, DatabaseError> {
    let statement = prepare(client, sql, deadline).await?;
    before(deadline, client.execute(&statement, &parameters(sql.args()))).await
}

/// Writes rows with `COPY ... FROM STDIN BINARY`, whose columns have these types.
pub(crate) async fn copy(
    client: &Client,
    text: &str,
    types: &[Type],
    rows: &[Vec<Value>],
    deadline: Instant,
) -> Result<(), DatabaseError> {
    let copied = before(deadline, async {
        let sink = client.copy_in(text).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
        for row in rows {
            writer.as_mut().write_raw(row.iter().map(|value| value as &(dyn ToSql + Sync))).await?;
        }
        writer.finish().await
    });
    copied.await.map(|_| ())
}

/// Runs statements without parameters, such as a migration or `COMMIT`.
pub(crate) async fn batch(client: &Client, text: &str, deadline: Instant) -> Result<(), DatabaseError> {
    before(deadline, client.batch_execute(text)).await
}

/// If a statement of the transaction has failed, PostgreSQL treats `COMMIT` as `ROLLBACK` and reports no error.
/// `SET` does report it.
///
/// The commit has no time limit on the server. Where it waits for a synchronous standby, PostgreSQL would end the wait at the
/// limit, and confirm a commit that the standby does not have: a failover would lose it. Without a limit, it is confirmed when
/// the standby has it, and the time limit of this program makes it unconfirmed until then.
const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";

/// Commits a transaction.
pub(crate) async fn commit(client: &Client, deadline: Instant) -> Result<(), DatabaseError> {
    match timeout_at(deadline, client.batch_execute(COMMIT)).await {
        Ok(outcome) => outcome.map_err(of_postgres_commit),
        Err(_) => Err(DatabaseError::Unconfirmed("PostgreSQL did not answer in time".to_owned())),
    }
}

/// Runs `work` until the deadline. Fails if it takes longer.
pub(crate) async fn before<T, E>(
    deadline: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, DatabaseError>
where
    DatabaseError: From<E>,
{
    match timeout_at(deadline, work).await {
        Ok(outcome) => outcome.map_err(DatabaseError::from),
        Err(_) => Err(DatabaseError::Unavailable("PostgreSQL did not answer in time".to_owned())),
    }
}

fn parameters(args: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    args.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

#[cfg(test)]
mod tests {
    use crate::database::testing::{on_both, open};
    use crate::database::{ConnectOptions, Dialect, Location, Sql};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plan_that_is_made_for_a_nearly_empty_table_goes_by_its_index() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            if items.dialect() == Dialect::Sqlite {
                return;
            }
            items.write(|tx| Ok(tx.execute(&Sql::new("ANALYZE items"))?)).await.unwrap();
            let end = "EXPLAIN SELECT name FROM items ORDER BY id DESC LIMIT 1";
            let of_writer: Vec<String> = items.write(move |tx| Ok(tx.all(&Sql::new(end))?)).await.unwrap();
            let feed = "EXPLAIN SELECT id FROM items WHERE id >= 1 ORDER BY id LIMIT 10";
            let of_readers: Vec<String> = items.priority_read(Sql::new(feed)).await.unwrap();
            for plan in [of_writer, of_readers] {
                let plan = plan.join("\n");
                assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{plan}");
            }
        })
        .await;
    }

    /// Whatever is set for the database or in the URL, a commit is durable when it is confirmed. What is not weaker stays.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_waits_for_the_disk_whatever_is_set() {
        const SHOW: &str = "SELECT CAST(current_setting('synchronous_commit') AS TEXT)";
        on_both(async |options| {
            let Location::Postgres(url) = &options.location else { return };
            let items = open(&options).await.unwrap();
            for (set, expected) in [
                ("off", "on"),
                ("on", "on"),
                ("local", "local"),
                ("remote_write", "remote_write"),
                ("remote_apply", "remote_apply"),
            ] {
                let alter = format!(
                    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = {set}', current_database()); END $$"
                );
                items.write(move |tx| Ok(tx.link().batch(&alter)?)).await.unwrap();
                let of_url = format!("{url}?options=-csynchronous_commit%3D{set}");
                for location in [options.location.clone(), Location::Postgres(of_url)] {
                    let items = open(&ConnectOptions { location, ..options.clone() }).await.unwrap();
                    let read: Vec<String> = items.point_read(Sql::new(SHOW)).await.unwrap();
                    let priority: Vec<String> = items.priority_read(Sql::new(SHOW)).await.unwrap();
                    let written = items.write(move |tx| Ok(tx.all::<String>(&Sql::new(SHOW))?)).await.unwrap();
                    let snapshot = items.snapshot(move |tx| Ok(tx.all::<String>(&Sql::new(SHOW))?)).await.unwrap();
                    for shown in [read, priority, written, snapshot] {
                        assert_eq!(shown, [expected], "{set}");
                    }
                }
            }
        })
        .await;
    }

    /// Checks old and new connections of every pool, with a temporary table that hides one of ours.
    #[tokio::test(flavor = "multi_thread")]
    async fn finding_low_every_connection_sees_our_schema_alone() {
        const PATH: &str = "SELECT CAST(current_setting('search_path') AS TEXT)";
        const TEMPORARY: &str = "CREATE TEMP TABLE items AS SELECT 7 AS id";
        const COUNT: &str = "SELECT count(*) FROM items";
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            if items.dialect() == Dialect::Sqlite {
                return;
            }
            let sql = Sql::new;
            for statement in [PATH, TEMPORARY, PATH] {
                // As many reads at once as there are connections.
                let reads = (0..4).map(|_| items.point_read::<String>(sql(statement)));
                let priority = (0..2).map(|_| items.priority_read::<String>(sql(statement)));
                let written = items.write(move |tx| Ok(tx.all::<String>(&sql(statement))?));
                let (reads, priority, all, written) = tokio::join!(
                    futures_util::future::join_all(reads),
                    futures_util::future::join_all(priority),
                    items.all::<String>(sql(statement)),
                    written,
                );
                for path in reads.into_iter().chain(priority).chain([all, written]) {
                    // Creating the temporary table fails on a connection that already has it.
                    if statement == PATH {
                        assert_eq!(path.unwrap(), ["public, pg_temp"]);
                    }
                }
            }
            let path = items.snapshot(move |tx| Ok(tx.all::<String>(&sql(PATH))?)).await.unwrap();
            assert_eq!(path, ["public, pg_temp"]);
            assert_eq!(items.first::<i64>(sql(COUNT)).await.unwrap(), Some(0));
            assert_eq!(items.priority_read::<i64>(sql(COUNT)).await.unwrap(), [0]);
            assert_eq!(items.count(sql(COUNT)).await.unwrap(), 0);
            let written = items.write(move |tx| Ok(tx.first::<i64>(&sql(COUNT))?)).await.unwrap();
            assert_eq!(written, Some(0));
        })
        .await;
    }
}
