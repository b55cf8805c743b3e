//! Tests of the store by itself: a new database of each kind for each test.
//!
//! Never in here: what can be tried through the directory's front door; that stands in `tests/it`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::NoTls;

use super::Store;
use crate::directory::clock::Clock;
use crate::directory::model::Rates;
use crate::directory::{Location, Settings};

/// Runs `test` with a new, empty directory in SQLite, then in PostgreSQL.
pub(in crate::directory) async fn on_both(test: impl AsyncFn(Settings)) {
    let place = tempfile::tempdir().unwrap();
    test(made(Location::Sqlite(place.path().join("data"))).await).await;
    let (server, name) = (server(), name());
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').unwrap();
    test(made(Location::Postgres(format!("{base}/{name}"))).await).await;
    execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

async fn made(location: Location) -> Settings {
    let settings = Settings {
        location,
        connections: 2,
        patience: Duration::from_secs(10),
        password_min_length: 8,
        password_words: vec![],
        sign_in_lifetime: Duration::from_hours(12),
        sign_in_idle_timeout: Duration::ZERO,
        keep_ended_tokens_for: Duration::from_hours(24 * 90),
        rates: Rates::default(),
        keep_deleted_for: Duration::ZERO,
        contact_needs_password: false,
        identity_cache_bytes: 0,
        serve_stale_for: Duration::ZERO,
    };
    Store::create(&settings, Clock::system().unwrap().now()).await.unwrap();
    settings
}

fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("wardroom_unit_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[expect(clippy::disallowed_methods, reason = "the test command tells the suite where PostgreSQL is")]
fn server() -> String {
    std::env::var("WARDROOM_TEST_POSTGRES")
        .expect("WARDROOM_TEST_POSTGRES names no PostgreSQL server: run the tests with scripts/test")
}

async fn execute(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
}
