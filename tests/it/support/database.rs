//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;
use wardroom::directory::guard::rates::Rates;
use wardroom::directory::{Clock, Directory, Location, Settings};

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A place for a directory; its files or its PostgreSQL database go away with it.
pub struct Database {
    pub location: Location,
    place: TempDir,
    /// The PostgreSQL server and the database's name there.
    server: Option<(String, String)>,
}

impl Database {
    /// A place where no directory has been made yet.
    pub async fn empty(backend: Backend) -> Self {
        let place = tempfile::tempdir().unwrap();
        match backend {
            Backend::Sqlite => {
                Self { location: Location::Sqlite(place.path().join("data")), place, server: None }
            }
            Backend::Postgres => {
                let (server, name) = create_database().await;
                let (base, _) = server.rsplit_once('/').unwrap();
                Self {
                    location: Location::Postgres(format!("{base}/{name}")),
                    place,
                    server: Some((server, name)),
                }
            }
        }
    }

    /// A new, empty directory.
    pub async fn new(backend: Backend) -> Self {
        let database = Self::empty(backend).await;
        Directory::create(&database.settings(), &Clock::system().unwrap()).await.unwrap();
        database
    }

    pub fn settings(&self) -> Settings {
        Settings {
            location: self.location.clone(),
            connections: 4,
            patience: Duration::from_secs(10),
            password_min_length: 8,
            sign_in_lifetime: Duration::from_secs(12 * 3600),
            rates: Rates::default(),
            keep_deleted_for: Duration::from_hours(24 * 30),
            identity_cache_bytes: 1 << 20,
            serve_stale_for: Duration::ZERO,
        }
    }

    /// A process's own view of the directory.
    pub async fn open(&self, clock: &Clock) -> Directory {
        Directory::open(&self.settings(), clock.clone()).await.unwrap()
    }

    /// The temporary directory of this test.
    pub fn place(&self) -> &std::path::Path {
        self.place.path()
    }

    /// The command-line arguments that lead here.
    pub fn args(&self) -> [String; 2] {
        match &self.location {
            Location::Sqlite(directory) => ["--data-dir".into(), directory.display().to_string()],
            Location::Postgres(url) => ["--database-url".into(), url.clone()],
        }
    }

    /// Runs statements behind the program's back.
    pub async fn sql(&self, statements: &str) {
        match &self.location {
            Location::Sqlite(directory) => {
                rusqlite::Connection::open(directory.join("wardroom.db"))
                    .unwrap()
                    .execute_batch(statements)
                    .unwrap();
            }
            Location::Postgres(url) => connect(url).await.batch_execute(statements).await.unwrap(),
        }
    }

    /// Takes the database away from whoever is using it.
    pub async fn take_away(&self) {
        match (&self.location, &self.server) {
            (Location::Sqlite(directory), _) => std::fs::remove_file(directory.join("wardroom.db")).unwrap(),
            (Location::Postgres(_), Some((server, name))) => {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                connect(server).await.batch_execute(&drop).await.unwrap();
            }
            (Location::Postgres(_), None) => panic!("a database without a server"),
        }
    }

    /// One number out of the database.
    pub async fn number(&self, query: &str) -> i64 {
        match &self.location {
            Location::Sqlite(directory) => rusqlite::Connection::open(directory.join("wardroom.db"))
                .unwrap()
                .query_row(query, [], |row| row.get(0))
                .unwrap(),
            Location::Postgres(url) => connect(url).await.query_one(query, &[]).await.unwrap().get(0),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else { return };
        // Off this thread's runtime, which may be the one that is ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                connect(&server).await.batch_execute(&drop).await.unwrap();
            });
        });
        dropped.join().unwrap();
    }
}

async fn create_database() -> (String, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = server();
    let name = format!("wardroom_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    connect(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    (server, name)
}

#[expect(clippy::disallowed_methods, reason = "the test command tells the suite where PostgreSQL is")]
fn server() -> String {
    std::env::var("WARDROOM_TEST_POSTGRES")
        .expect("WARDROOM_TEST_POSTGRES names no PostgreSQL server: run the tests with scripts/test")
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
