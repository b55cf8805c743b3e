//! Attacks by unauthenticated clients on a real server, and their effect on its memory. Guards issue 13, number 3:
//! slow readers of the documentation's scripts took 4 GiB, and bodies that were never finished took a gigabyte.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use wardroom::directory::Clock;

use crate::process::{Process, serve};
use crate::support::site::person;
use crate::support::{Answer, Backend, Database, Request};

/// The most memory that the server may use at any time until it has hashed a password, which takes memory of its own.
const MOST: u64 = 256 << 20;
/// The number of parallel attackers; fewer if the system allows fewer open files.
const ATTACKERS: u64 = 4000;
/// With fewer attackers, the old server would have stayed below the limit, too.
const ENOUGH: u64 = 800;
/// This many bodies of a megabyte are twice what the server may use, and a small part of what systems give to sockets.
const HALF_A_GIGABYTE: u64 = 512;

/// As many as this process may have open files for.
fn attackers() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(2 * ATTACKERS);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).unwrap();
    }
    // The other tests need some file descriptors.
    let attackers = ATTACKERS.min(wanted.saturating_sub(800));
    assert!(attackers >= ENOUGH, "the system allows too few open files ({wanted}) for this test");
    attackers
}

/// Each attack takes thousands of sockets, and they share the system's memory for sockets. Two attacks at the same
/// time would make it reset each other's connections.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Target {
    process: Process,
    address: SocketAddr,
    metrics: SocketAddr,
    key: String,
}

impl Target {
    async fn start(backend: Backend) -> (Database, Self) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let key = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await.key;
        // No slow client is disconnected: the test measures what they cost meanwhile.
        let patient = ["--write-timeout", "1h", "--body-timeout", "1h", "--request-timeout", "1h"];
        let quiet = ["--metrics-listen", "127.0.0.1:0", "--access-log", "none"];
        let mut process = serve(&database, &[&patient[..], &quiet].concat());
        let address = process.address("listening");
        let metrics = process.address("metrics listening");
        (database, Self { process, address, metrics, key })
    }

    /// Sends these bytes on a connection that reads little at a time.
    async fn attack(&self, bytes: &[u8]) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        // The server may refuse and close before everything is sent.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.write_all(bytes)).await;
        stream
    }

    /// Reads a value from the metrics.
    async fn figure(&self, name: &str) -> u64 {
        let text = Request::new(self.metrics, "GET", "/metrics").send().await.body;
        let figure = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        figure.map_or(0, |figure| figure.parse().unwrap())
    }

    /// Waits until a value of the metrics has reached this, however slow the machine is.
    async fn until(&self, name: &str, true_of: impl Fn(u64) -> bool) {
        let waiting = async {
            while !true_of(self.figure(name).await) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("the metrics never reached this");
    }

    /// All other clients are served as usual.
    async fn assert_serves(&self) {
        let me = Request::new(self.address, "GET", "/api/users/me").token(&self.key).send().await;
        assert_eq!(me.status, 200, "{me}");
        let wrong = r#"{"username": "nobody", "password": "wrong"}"#;
        let sign_in = Request::new(self.address, "POST", "/api/users/auth/pwd/signin");
        let sign_in = sign_in.body("application/json", wrong).send().await;
        assert_eq!(sign_in.status, 400, "{sign_in}");
    }

    fn assert_small(&self, about: &str) {
        let most = self.process.memory("VmHWM");
        assert!(most <= MOST, "{about}: {} MiB", most >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_03_slow_readers_cost_little_memory() {
    let _alone = ALONE.lock().await;
    let (_database, target) = Target::start(Backend::Sqlite).await;
    let bundle = Request::new(target.address, "GET", "/api/docs/swagger-ui-bundle.js").send().await;
    assert!(bundle.body.len() > 1 << 20, "it is too small for this test");
    let request =
        b"GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut readers = Vec::new();
    let attackers = attackers();
    for _ in 0..attackers {
        readers.push(target.attack(request).await);
    }
    let answered = r#"wardroom_http_requests_total{route="none",method="GET",status="200"}"#;
    target.until(answered, |count| count > attackers).await;
    target.assert_small("slow readers");
    target.assert_serves().await;
    // A reader that continues gets the whole file, and nothing twice. The latest reader is used: the system drops
    // readers that take nothing for most of a minute after the server has handed over everything.
    let mut read = Vec::new();
    readers.last_mut().unwrap().read_to_end(&mut read).await.unwrap();
    assert!(Answer::parse(&read).body == bundle.body, "the slices do not add up to the file");
    drop(readers);
    target.until("wardroom_http_connections_open", |open| open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_03_bodies_of_strangers_that_never_end_cost_little_memory() {
    let _alone = ALONE.lock().await;
    let (_database, target) = Target::start(Backend::Sqlite).await;
    let head =
        "POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let announced = format!("{head}Content-Length: 1048576\r\n\r\n{}", "x".repeat(1_048_575));
    let attackers = attackers();
    let mut held = Vec::new();
    for _ in 0..attackers.min(HALF_A_GIGABYTE) {
        held.push(target.attack(announced.as_bytes()).await);
    }
    target.assert_small("bodies that are announced");
    for refused in &mut held {
        let mut said = [0; 12];
        // A client that keeps sending may find the connection closed before it gets the answer.
        if refused.read_exact(&mut said).await.is_ok() {
            assert_eq!(&said, b"HTTP/1.1 413");
        }
    }
    held.clear();
    // The largest allowed body, one byte short.
    let chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\n4000\r\n{}", "x".repeat(0x3fff));
    for _ in 0..attackers / 2 {
        held.push(target.attack(chunk.as_bytes()).await);
    }
    target.until("wardroom_http_body_bytes", |bytes| bytes >= attackers / 2 * 0x2000).await;
    target.assert_small("bodies of strangers");
    target.assert_serves().await;
    drop(held);
    target.until("wardroom_http_body_bytes", |bytes| bytes == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_03_bodies_of_people_that_never_end_are_bounded_together() {
    let _alone = ALONE.lock().await;
    let (_database, target) = Target::start(Backend::Sqlite).await;
    let head = format!(
        "PATCH /api/users/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\nContent-Type: application/json\r\n",
        target.key
    );
    let body = format!("{head}Content-Length: 1048576\r\n\r\n{}", "x".repeat(1_048_575));
    let mut held = Vec::new();
    for _ in 0..attackers().min(HALF_A_GIGABYTE) {
        held.push(target.attack(body.as_bytes()).await);
    }
    target.until("wardroom_http_bodies_refused_total", |refused| refused > 100).await;
    target.assert_small("bodies of people");
    // The last quarter is reserved for small bodies: users can still sign in.
    target.assert_serves().await;
    // Which ones are refused depends on the order in which the server reads. The others wait for their last byte.
    let mut answers = JoinSet::new();
    for mut stream in held {
        answers.spawn(async move {
            let mut answer = Vec::new();
            // A client that was still sending finds the connection reset behind the answer.
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        });
    }
    let refused = answers.join_next().await.unwrap().unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    drop(answers);
    target.until("wardroom_http_body_bytes", |bytes| bytes == 0).await;
}
