//! PostgreSQL: a pool of connections, each wait bounded, so that a database that is away costs a
//! request a known time and no more.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::StoreError;
use super::open::OpenError;
use super::row::{FromRow, Row};
use super::sql::{Sql, Value};

/// However patient a statement is, a server that does not take a connection in this time is not there.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// A pool for `url`. Nothing is connected yet.
///
/// `sslmode=require` means TLS with the server's certificate verified against the machine's trusted
/// roots; any other mode means no TLS.
pub(super) fn pool(url: &str, connections: usize, patience: Duration) -> Result<Pool, OpenError> {
    pool_with("", url, connections, patience)
}

/// The same for statements that look up single rows.
///
/// Plans are kept with their statements: one that was made while a table was nearly empty would go on reading all of
/// it while it grows, until the server next looks at the table by itself, a minute later or more.
pub(super) fn pool_by_index(url: &str, connections: usize, patience: Duration) -> Result<Pool, OpenError> {
    pool_with(" -c enable_seqscan=off", url, connections, patience)
}

fn pool_with(more: &str, url: &str, connections: usize, patience: Duration) -> Result<Pool, OpenError> {
    let mut config: Config = url.parse().map_err(|_| OpenError::BadUrl)?;
    let options = options(&config, patience) + more;
    let connecting = patience.min(LONGEST_CONNECT);
    config.connect_timeout(connecting).application_name("wardroom").options(options);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = if config.get_ssl_mode() == SslMode::Require {
        Manager::from_config(config, MakeRustlsConnect::new(tls()?), recycling)
    } else {
        Manager::from_config(config, NoTls, recycling)
    };
    Pool::builder(manager)
        .max_size(connections)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(patience), create: Some(connecting), recycle: Some(connecting) })
        .build()
        .map_err(|error| OpenError::Broken(error.into()))
}

/// The server gives up a statement when we do: what nobody waits for must not hold a connection there. And
/// a process that is stopped inside a transaction must not hold the writers' lock for ever.
fn options(config: &Config, patience: Duration) -> String {
    let (own, millis) = (config.get_options().unwrap_or_default(), patience.as_millis());
    let idle = (patience * 5).max(Duration::from_secs(10)).as_millis();
    format!(
        "{own} -c statement_timeout={millis} -c lock_timeout={millis} -c idle_in_transaction_session_timeout={idle}"
    )
}

fn tls() -> Result<rustls::ClientConfig, OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Broken(error.into()))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// Reads all rows of a statement, within `patience` in all. A connection that had died unnoticed is
/// replaced once.
///
/// Boxed: it is kilobytes, and whatever waits for it would be so, too, and be moved around, on SQLite as well.
pub(super) fn read<T: FromRow>(
    pool: &Pool,
    sql: &Sql,
    patience: Duration,
) -> Pin<Box<impl Future<Output = Result<Vec<T>, StoreError>>>> {
    Box::pin(async move {
        let deadline = Instant::now() + patience;
        let client = by(deadline, pool.get()).await?;
        match all(&client, sql, deadline).await {
            Err(StoreError::Unavailable(_)) if client.is_closed() => {
                drop(client);
                all(&by(deadline, pool.get()).await?, sql, deadline).await
            }
            outcome => {
                if matches!(outcome, Err(StoreError::Unavailable(_))) {
                    // An answer may still be on its way: nobody else shall wait behind it.
                    drop(Client::take(client));
                }
                outcome
            }
        }
    })
}

/// Runs a statement and reads all its rows.
pub(super) async fn all<T: FromRow>(
    client: &Client,
    sql: &Sql,
    deadline: Instant,
) -> Result<Vec<T>, StoreError> {
    let statement = prepare(client, sql, deadline).await?;
    let rows = by(deadline, client.query(&statement, &parameters(sql.args()))).await?;
    rows.iter().map(|row| T::from_row(&mut Row::postgres(row))).collect()
}

/// The statement, made ready; one that is not composed of wishes is kept so.
pub(super) async fn prepare(client: &Client, sql: &Sql, deadline: Instant) -> Result<Statement, StoreError> {
    by(deadline, async {
        match sql.is_composed() {
            true => client.prepare(sql.text()).await,
            false => client.prepare_cached(sql.text()).await,
        }
    })
    .await
}

/// Runs a statement that gives no rows, for as long as it takes; tells how many it changed.
pub(super) async fn run(client: &Client, statement: Statement, args: Vec<Value>) -> Result<u64, StoreError> {
    Ok(client.execute(&statement, &parameters(&args)).await?)
}

/// Runs a statement that gives no rows; tells how many it changed.
pub(super) async fn execute(client: &Client, sql: &Sql, deadline: Instant) -> Result<u64, StoreError> {
    let statement = prepare(client, sql, deadline).await?;
    by(deadline, client.execute(&statement, &parameters(sql.args()))).await
}

/// Writes rows by way of `COPY ... FROM STDIN BINARY`, whose columns have these types.
pub(super) async fn copy(
    client: &Client,
    text: &str,
    types: &[Type],
    rows: &[Vec<Value>],
    deadline: Instant,
) -> Result<(), StoreError> {
    let copied = by(deadline, async {
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
pub(super) async fn batch(client: &Client, text: &str, deadline: Instant) -> Result<(), StoreError> {
    by(deadline, client.batch_execute(text)).await
}

/// The outcome of `work`, if there is one in time.
pub(super) async fn by<T, E>(
    deadline: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError>
where
    StoreError: From<E>,
{
    match timeout_at(deadline, work).await {
        Ok(outcome) => outcome.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable("PostgreSQL did not answer in time".to_owned())),
    }
}

fn parameters(args: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    args.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

#[cfg(test)]
mod tests {
    use crate::directory::store::trial::on_both;
    use crate::directory::store::{Dialect, Sql, Store};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plan_that_is_made_for_a_nearly_empty_table_goes_by_its_index() {
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            if store.dialect() == Dialect::Sqlite {
                return;
            }
            store
                .write(|tx| Ok(tx.execute(&Sql::new("ANALYZE audit_events, identity_changes"))?))
                .await
                .unwrap();
            let end = "EXPLAIN SELECT hash FROM audit_events ORDER BY id DESC LIMIT 1";
            let of_writer: Vec<String> = store.write(move |tx| Ok(tx.all(&Sql::new(end))?)).await.unwrap();
            let feed = "EXPLAIN SELECT id FROM identity_changes WHERE id >= 1 ORDER BY id LIMIT 10";
            let of_readers: Vec<String> = store.prompt(Sql::new(feed)).await.unwrap();
            for plan in [of_writer, of_readers] {
                let plan = plan.join("\n");
                assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{plan}");
            }
        })
        .await;
    }
}
