//! Lists that take long: how many run at once, and that each ends when its client is gone. Issue 13, point 13.
//!
//! The list of groups is made endless without the server's knowledge, so the test does not depend on the speed of the
//! machine.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use wardroom::directory::Clock;

use crate::process::{Process, serve};
use crate::support::site::{Persona, person};
use crate::support::{Backend, Database, Request, both};

/// The number of lists requested at once.
const CLIENTS: usize = 100;
/// Half of `--database-connections`.
const PLACES: i64 = 2;
/// Before the time limit of a list (60 s) would end it.
const LONGEST: Duration = Duration::from_secs(45);

/// A server of its own, whose list of groups never ends.
struct Endless {
    database: Database,
    backend: Backend,
    process: Process,
    address: SocketAddr,
    metrics: SocketAddr,
    admin: Persona,
    other: Persona,
}

impl Endless {
    async fn start(backend: Backend, timeout: &str) -> Self {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
        let other = person(&directory, "other", |draft| draft.is_admin = Some(true)).await;
        drop(directory);
        database
            .sql(
                "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) \
                 VALUES ('a', 'a', '', 0, 0, 'a')",
            )
            .await;
        let settings = [
            "--threads",
            "2",
            "--database-connections",
            "4",
            "--database-timeout",
            timeout,
            "--request-timeout",
            "10m",
            "--metrics-listen",
            "127.0.0.1:0",
        ];
        let mut process = serve(&database, &settings);
        let address = process.address("listening");
        let metrics = process.address("metrics listening");
        let endless = Self { database, backend, process, address, metrics, admin, other };
        // By now it has opened the connections and threads that it opens only once.
        assert_eq!(endless.list().await.status, 200);
        assert_eq!(endless.request("GET", "/api/users/me", &endless.admin).send().await.status, 200);
        endless.database.sql(endless.breaking()).await;
        endless
    }

    fn breaking(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite => {
                "ALTER TABLE groups RENAME TO groups_kept; CREATE VIEW groups AS SELECT k.* FROM \
                 (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n) endless \
                 CROSS JOIN groups_kept k"
            }
            Backend::Postgres => {
                "ALTER TABLE groups RENAME TO groups_kept; \
                 CREATE VIEW groups AS SELECT k.* FROM groups_kept k, pg_sleep(3600)"
            }
        }
    }

    fn request(&self, method: &str, path: &str, who: &Persona) -> Request {
        Request::new(self.address, method, path).token(&who.key)
    }

    async fn list(&self) -> crate::support::Answer {
        self.request("GET", "/api/users/groups", &self.admin).send().await
    }

    /// Clients that have requested a list and wait.
    async fn clients(&self, count: usize) -> Vec<TcpStream> {
        let mut clients = Vec::new();
        let head = format!(
            "GET /api/users/groups HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\n\r\n",
            self.admin.key
        );
        for _ in 0..count {
            let mut client = TcpStream::connect(self.address).await.unwrap();
            client.write_all(head.as_bytes()).await.unwrap();
            clients.push(client);
        }
        clients
    }

    /// Requests in progress, without the one that reads this number.
    async fn in_flight(&self) -> usize {
        let shown = Request::new(self.metrics, "GET", "/metrics").send().await.body;
        let line = shown.lines().find_map(|line| line.strip_prefix("wardroom_http_requests_in_flight "));
        line.unwrap().parse::<usize>().unwrap() - 1
    }

    /// Statements that PostgreSQL runs for lists.
    async fn running(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                   AND query LIKE '%groups g%' AND pid <> pg_backend_pid()";
        self.database.number(sql).await
    }

    /// The server's connections to PostgreSQL, or its open files of the SQLite database.
    async fn connections(&self) -> i64 {
        if self.backend == Backend::Postgres {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'wardroom'";
            return self.database.number(sql).await;
        }
        let files = fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap();
        let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        i64::try_from(targets.filter(|target| target.ends_with("data/wardroom.db")).count()).unwrap()
    }

    fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().count()
    }

    /// Processor time that the server has used, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Waits until the database does no more work for lists.
    async fn idle(&self) {
        match self.backend {
            Backend::Postgres => until("no list runs", async || self.running().await == 0).await,
            // An endless statement uses a whole processor.
            Backend::Sqlite => {
                until("the processor is idle", async || {
                    let before = self.ticks();
                    sleep(Duration::from_millis(500)).await;
                    self.ticks() - before < 10
                })
                .await;
            }
        }
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LONGEST;
    while !holds().await {
        assert!(Instant::now() < end, "it never came to this: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

both! {
    /// Hundreds of lists use the threads, connections and statements of a few. `me` waits for none of them. When
    /// their clients are gone they end, and the next list is served.
    async fn finding_13_lists_are_bounded_and_end_with_their_clients(backend: Backend) {
        let site = Endless::start(backend, "60s").await;
        let threads = site.threads();
        let clients = site.clients(CLIENTS).await;
        until("all lists have come", async || site.in_flight().await == CLIENTS).await;
        if backend == Backend::Postgres {
            until("lists run", async || site.running().await == PLACES).await;
        }
        // A caller in the cache, one that is not, and the ordinary path.
        for who in [&site.admin, &site.other] {
            for method in ["GET", "HEAD"] {
                assert_eq!(site.request(method, "/api/users/me", who).send().await.status, 200);
            }
        }
        assert_eq!(site.request("GET", "/api/users/2", &site.other).send().await.status, 200);
        assert_eq!(site.in_flight().await, CLIENTS, "no list was answered before");
        assert!(site.threads() <= threads + 8, "{} threads, {threads} before", site.threads());
        // Two for lists, two or four for everything else, two for urgent reads, the writer, and SQLite's feed.
        assert!(site.connections().await <= 10, "{} connections", site.connections().await);
        if backend == Backend::Postgres {
            assert_eq!(site.running().await, PLACES);
        }
        drop(clients);
        until("no request is in flight", async || site.in_flight().await == 0).await;
        site.idle().await;
        site.database.sql("DROP VIEW groups; ALTER TABLE groups_kept RENAME TO groups").await;
        let listed = site.list().await;
        assert_eq!((listed.status, listed.json()["count"].as_i64()), (200, Some(1)));
    }
}

both! {
    /// A list that takes too long, or finds no place in that time, is a 503 that says when to retry, and its work
    /// stops.
    async fn finding_13_a_list_ends_when_the_time_is_up(backend: Backend) {
        let site = Endless::start(backend, "1s").await;
        let lists = (0..20).map(|_| site.list());
        for answer in futures_util::future::join_all(lists).await {
            assert_eq!(answer.status, 503, "{}", answer.body);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        site.idle().await;
    }
}
