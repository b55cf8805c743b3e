//! Failures of something around the server: its log, its database, its disk. Each test names the outage it guards
//! against.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use wardroom::directory::{Clock, Directory, Location, Settings, Unauthenticated};

use crate::process::wardroom;
use crate::support::site::{EXAMPLE_KEY, person};
use crate::support::{Backend, Database, Request, Site, both, free_address};

/// Starts a server whose log goes to `log`; returns its address.
fn serve(database: &Database, log: Stdio) -> (std::process::Child, std::net::SocketAddr) {
    let address = free_address();
    // With the default, refused requests get a limited number of lines.
    let mut command = wardroom(&["serve", "--listen", &address.to_string(), "--access-log", "all"]);
    (command.args(database.args()).stderr(log).spawn().unwrap(), address)
}

async fn until_it_answers(address: std::net::SocketAddr) {
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Guards against a log without a reader, or a full one, that stops the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let database = Database::new(Backend::Sqlite).await;
    let gone = Command::new("true").stdin(Stdio::piped()).spawn().unwrap().stdin.take().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for log in [Stdio::from(gone), Stdio::from(full)] {
        let (mut server, address) = serve(&database, log);
        until_it_answers(address).await;
        for _ in 0..5 {
            assert_eq!(Request::new(address, "GET", "/nowhere").send().await.status, 404);
        }
        assert_eq!(Request::new(address, "GET", "/livez").send().await.status, 200);
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

/// Guards against a stuck log reader that delays every answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_reader_that_is_stuck_stops_nothing() {
    let database = Database::new(Backend::Sqlite).await;
    // The pipe stays open and is never read.
    let (mut server, address) = serve(&database, Stdio::piped());
    until_it_answers(address).await;
    let path = format!("/{}", "x".repeat(3000));
    for _ in 0..400 {
        assert_eq!(Request::new(address, "GET", &path).send().await.status, 404);
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

/// Guards against continuing with a file that is no longer the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_database_file_is_noticed() {
    let site = Site::start(Backend::Sqlite).await;
    assert_eq!(site.me(&site.alex.key).send().await.status, 200);
    let Location::Sqlite(directory) = &site.database.location else { panic!("not SQLite") };
    let (file, aside) = (directory.join("wardroom.db"), directory.join("aside.db"));
    std::fs::copy(&file, &aside).unwrap();
    for replace in [true, false] {
        if replace {
            std::fs::rename(&aside, &file).unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        // The server checks the file once a second.
        while site.me(&site.alex.key).send().await.status != 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(site.get("/readyz").send().await.status, 503);
    }
}

async fn impatient(database: &Database) -> Arc<Directory> {
    let settings = Settings { timeout: Duration::from_millis(300), connections: 4, ..database.settings() };
    loop {
        // A busy machine may need more than that to open it.
        if let Ok(directory) = Directory::open(&settings, Clock::system().unwrap()).await {
            return Arc::new(directory);
        }
    }
}

/// Guards against a lock in PostgreSQL that makes the server use up every connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_costs_no_more_connections_than_allowed() {
    let database = Database::new(Backend::Postgres).await;
    let directory = impatient(&database).await;
    let key = person(&directory, "ann", |_| {}).await.key;
    let hold = "BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT";
    let held = database.sql(hold);
    let storm = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut requests = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (directory, key) = (Arc::clone(&directory), key.clone());
            requests.spawn(async move { directory.authenticate(&key, None).await.is_err() });
        }
        assert!(requests.join_all().await.into_iter().all(|failed| failed));
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wardroom'";
        let open = database.number(open).await;
        assert!(open <= 9, "{open} connections are open");
    };
    tokio::join!(held, storm);
    assert!(directory.authenticate(&key, None).await.is_ok(), "it recovers by itself");
}

both! {
    /// The answer for an unknown key says so, and a key that cannot be looked up gets a different answer.
    async fn an_outage_is_never_taken_for_a_wrong_key(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = impatient(&database).await;
        assert!(matches!(directory.authenticate(EXAMPLE_KEY, None).await, Err(Unauthenticated::InvalidToken(None))));
        database.make_unavailable().await;
        loop {
            match directory.authenticate(EXAMPLE_KEY, None).await {
                Err(Unauthenticated::Failed(_)) => break,
                _ if backend == Backend::Sqlite => tokio::time::sleep(Duration::from_millis(50)).await,
                other => panic!("{other:?}"),
            }
        }
    }
}
