//! The server as a process: starting, sockets, logs, metrics, the demo, and stopping without a cut.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};

use crate::support::site::{imported, operator};
use crate::support::{Answer, Backend, Database, Request, both};

/// A running `wardroom`, killed when the test ends.
pub struct Process {
    child: Child,
    /// The lines of its log.
    log: Receiver<String>,
}

/// How long a test waits for the next line of a log: much longer than a busy machine needs.
const SILENCE_MAX: Duration = Duration::from_mins(2);

impl Process {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, log }
    }

    /// Reads the log up to the line with a listener's address.
    pub fn address(&mut self, message: &str) -> SocketAddr {
        self.record(message)["address"].as_str().unwrap().parse().unwrap()
    }

    /// Reads the log up to the line with this message.
    pub fn record(&mut self, message: &str) -> serde_json::Value {
        self.record_of(&[message])
    }

    /// Reads the log up to the line with one of these messages.
    pub fn record_of(&mut self, messages: &[&str]) -> serde_json::Value {
        let mut seen = String::new();
        loop {
            let line = match self.log.recv_timeout(SILENCE_MAX) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => panic!("the process ended: {seen}"),
                Err(RecvTimeoutError::Timeout) => panic!("{messages:?} does not appear in the log: {seen}"),
            };
            seen.push_str(&line);
            seen.push('\n');
            let record: serde_json::Value = serde_json::from_str(&line).expect("a log line is JSON");
            if messages.iter().any(|message| record["message"] == *message) {
                return record;
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processor time of all its live threads, in nanoseconds.
    pub fn cpu_nanos(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
            // A thread that ends meanwhile has none.
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        threads.filter_map(of_thread).sum()
    }

    /// Reads a line of the system's about its memory, such as `VmHWM`, in bytes.
    pub fn memory(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    /// Waits for the end; returns the rest of the log.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        // Its end closes the log.
        loop {
            match self.log.recv_timeout(SILENCE_MAX) {
                Ok(line) => log.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the process does not end: {log}"),
            }
        }
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wardroom(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardroom"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARDROOM_")) {
        command.env_remove(name);
    }
    command.env_remove("CREDENTIALS_DIRECTORY").args(args);
    command
}

pub fn serve(database: &Database, args: &[&str]) -> Process {
    let place = database.args();
    let mut command = wardroom(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(place).args(args);
    Process::start(command)
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    Request::new(address, "GET", path).send().await
}

both! {
    async fn a_server_starts_answers_and_stops(backend: Backend) {
        let database = Database::empty(backend).await;
        let mut process = serve(&database, &["--init", "--metrics-listen", "127.0.0.1:0"]);
        let address = process.address("listening");
        let metrics = process.address("metrics listening");
        assert_eq!(get(address, "/readyz").await.status, 200);
        assert_eq!(get(address, "/api/users/me").await.status, 401);
        assert_eq!(get(address, "/metrics").await.status, 404);
        let shown = get(metrics, "/metrics").await.body;
        let counted = r#"wardroom_http_requests_total{route="/api/users/me",method="GET",status="401"} 1"#;
        assert!(shown.contains(counted), "{shown}");
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(r#""message":"stopped""#), "{log}");
    }
}

/// A request in progress when the signal comes is answered. New connections are not accepted.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_no_request() {
    let database = Database::new(Backend::Sqlite).await;
    let mut process = serve(&database, &[]);
    let address = process.address("listening");
    let mut begun = TcpStream::connect(address).await.unwrap();
    begun.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx").await.unwrap();
    // The server has accepted the request if it has answered a later one.
    assert_eq!(get(address, "/livez").await.status, 200);
    process.signal("-TERM");
    process.record("stopping: finishing the requests in progress");
    begun.write_all(b"y").await.unwrap();
    let mut answer = Vec::new();
    begun.read_to_end(&mut answer).await.unwrap();
    assert_eq!(Answer::parse(&answer).to_string(), r#"200 {"status":"ok"}"#);
    assert_eq!(process.end().0, Some(0));
}

/// A socket of the service manager outlives the server: no client is refused between two servers.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_handed_over_socket_refuses_no_client() {
    let database = Database::new(Backend::Sqlite).await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let start = || {
        // systemd's protocol: descriptor 3, and environment variables that name this process.
        let script =
            format!("exec 3<&{}; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"", socket.as_raw_fd());
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_wardroom"), "serve"]).args(database.args());
        Process::start(command)
    };
    inheritable(&socket);
    let mut first = start();
    assert_eq!(first.address("listening"), address);
    assert_eq!(get(address, "/livez").await.status, 200);
    first.signal("-TERM");
    assert_eq!(first.end().0, Some(0));
    let waiting = tokio::spawn(async move { get(address, "/livez").await.status });
    let mut second = start();
    second.address("listening");
    assert_eq!(waiting.await.unwrap(), 200);
}

/// Passes the descriptor to a child process.
fn inheritable(socket: &TcpListener) {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_start_says_why_in_one_line() {
    let database = Database::new(Backend::Sqlite).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let missing = database.place().join("nowhere").display().to_string();
    let readable = database.place().join("key.pem");
    std::fs::write(&readable, "secret").unwrap();
    let mut mode = std::fs::metadata(&readable).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    std::fs::set_permissions(&readable, mode).unwrap();
    let readable = readable.display().to_string();
    let place = database.args();
    let here = [place[0].as_str(), place[1].as_str()];
    for (args, code, expected) in [
        (vec![here[0], here[1], "--listen", &taken], 6, "another program uses this address"),
        (vec!["--data-dir", &missing], 5, "there is no database at"),
        (vec![here[0], here[1], "--tls-certificate", &readable, "--tls-key", &readable], 2, "key.pem"),
        (vec![here[0], here[1], "--listen", "203.0.113.1:80"], 2, "cannot listen on 203.0.113.1:80"),
    ] {
        let output = wardroom(&["serve"]).args(&args).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        let last = err.lines().last().unwrap();
        assert!(last.starts_with("wardroom: ") && last.contains(expected), "{args:?}: {err}");
    }
    assert!(!std::path::Path::new(&missing).exists());
}

/// Returns the head of an answer as curl shows it, without what differs in each answer, and its body.
fn get_over_tls(address: SocketAddr, arguments: &[&str]) -> (Vec<String>, String) {
    let mut command = Command::new("curl");
    command.args(["-sk", "-D", "-", "--max-time", "60"]).args(arguments);
    let output = command.arg(format!("https://{address}/api/users/me")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let own = |line: &&str| !line.starts_with("date: ") && !line.starts_with("x-request-id: ");
    let mut head: Vec<_> = head.lines().filter(own).map(str::to_owned).collect();
    head.sort();
    (head, body.to_owned())
}

/// Over TLS every answer tells browsers to use TLS from now on, whichever code made it. A setting controls the
/// header.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_answers_over_tls_tell_browsers_to_stay_with_it() {
    let database = Database::new(Backend::Sqlite).await;
    let directory = database.open(&wardroom::directory::Clock::system().unwrap()).await;
    let key = crate::support::site::person(&directory, "ann", |draft| draft.is_staff = Some(true)).await.key;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, pem) = (database.place().join("cert.pem"), database.place().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&pem, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&pem, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (cert, pem) = (cert.display().to_string(), pem.display().to_string());
    for (settings, said) in [
        (vec![], Some("strict-transport-security: max-age=31536000; includeSubDomains")),
        (vec!["--hsts", "max-age=60"], Some("strict-transport-security: max-age=60")),
        (vec!["--hsts", ""], None),
    ] {
        let tls = ["--tls-certificate", cert.as_str(), "--tls-key", pem.as_str()];
        let mut process = serve(&database, &[&tls[..], &settings].concat());
        let address = process.address("listening");
        let token = format!("Authorization: Token {key}");
        // The first request is looked up, and the second answered from memory. With a query it takes the ordinary
        // path.
        let answers: Vec<_> = [&["-H", &token][..], &["-H", &token], &["-H", &token, "-G", "-d", "x"]]
            .map(|arguments| get_over_tls(address, arguments))
            .into();
        assert!(answers[0].0.contains(&"HTTP/1.1 200 OK".to_owned()), "{answers:?}");
        assert_eq!((&answers[0], &answers[1]), (&answers[1], &answers[2]));
        // Also what is refused before there is a request: here a message with two hosts.
        let refused = get_over_tls(address, &["-H", "Host: a", "-H", "Host: b"]);
        for (head, _) in answers.iter().chain([&refused]) {
            let found = head.iter().find(|line| line.starts_with("strict-transport-security"));
            assert_eq!(found.map(String::as_str), said, "{head:?}");
        }
    }
}

/// Reads what the demo prints, up to its last line.
fn invitation(process: &mut Process) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(process.child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let last = line.starts_with("Ctrl-C");
        lines.push(line);
        if last {
            break;
        }
    }
    lines
}

/// The demo prints commands that work unchanged, the documentation's example among them.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_s_curl_lines_do_what_they_say() {
    let mut process = Process::start(wardroom(&["demo", "--listen", "127.0.0.1:0"]));
    process.address("listening");
    let lines = invitation(&mut process);
    let mut tried = 0;
    for pair in lines.windows(2).filter(|pair| pair[1].starts_with("curl ")) {
        let expected = pair[0].rsplit(": ").next().unwrap();
        let command = format!("{} -s -w '\\n%{{http_code}}'", pair[1]);
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().last(), Some(expected), "{}: {text}", pair[1]);
        tried += 1;
        if pair[0].contains("Alex") {
            assert!(text.contains(r#""id":42,"username":"alex_thompson""#), "{text}");
        }
    }
    assert_eq!(tried, 6);
    // The narrow token can do what its line says, and no more.
    let narrow = lines.windows(2).find(|pair| pair[0].contains("can only read users")).unwrap()[1].clone();
    for (path, flags, expected) in [
        ("/api/users", "", "200"),
        ("/api/users/groups", "", "403"),
        ("/api/users/me", "-X PATCH -d first_name=Eve", "403"),
    ] {
        let command =
            format!("{} -s -o /dev/null -w '%{{http_code}}' {flags}", narrow.replace("/api/users/me", path));
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{command}");
    }
    process.signal("-INT");
    assert_eq!(process.end().0, Some(0));
}

/// The log never contains a key, wherever it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_logged() {
    let database = Database::new(Backend::Sqlite).await;
    let mut process = serve(&database, &["--access-log", "all", "--log-level", "trace"]);
    let address = process.address("listening");
    let key = "5ec2e7000000000000000000000000000000beef";
    Request::new(address, "GET", &format!("/api/users/me?token={key}")).token(key).send().await;
    process.signal("-TERM");
    let (_, log) = process.end();
    assert!(log.contains(r#""path":"/api/users/me""#), "{log}");
    assert!(!log.contains(key), "{log}");
}

/// The peak memory of a process, in KiB.
fn peak_memory(process: &Process) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

both! {
    /// Issue 13, number 15: if all users were imported with PBKDF2, an unknown name also costs PBKDF2, in every
    /// process from its first sign-in on. Argon2 would take 64 MiB, so memory shows the difference without a clock.
    /// Processes share one key, and a restart finds it.
    async fn finding_15_unknown_names_cost_what_imported_users_cost(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&wardroom::directory::Clock::system().unwrap()).await;
        let users = (1..=20).map(|id| SeedUser {
            user: imported(id, &format!("user{id}")),
            password: "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=".into(),
        });
        let records = SeedRows { groups: vec![], users: users.collect(), tokens: vec![] };
        directory.seed(&operator(), records).await.unwrap();
        let mut kept = Vec::new();
        for _ in 0..2 {
            let (mut one, mut other) = (serve(&database, &[]), serve(&database, &[]));
            for process in [&mut one, &mut other] {
                let address = process.address("listening");
                assert_eq!(get(address, "/livez").await.status, 200);
                let before = peak_memory(process);
                for name in ["nobody", "user1", "somebody", "user2"] {
                    let body = format!(r#"{{"username": "{name}", "password": "wrong"}}"#);
                    let request = Request::new(address, "POST", "/api/users/auth/pwd/signin");
                    let request = request.header("X-Forwarded-For", &format!("192.0.2.{}", kept.len() + 1));
                    assert_eq!(request.body("application/json", body).send().await.status, 400);
                }
                let grown = peak_memory(process) - before;
                assert!(grown < 32 * 1024, "{grown} KiB");
            }
            let keys = match backend {
                Backend::Sqlite => "SELECT hex(key) FROM attempts WHERE length(key) = 39",
                Backend::Postgres => "SELECT encode(key, 'hex') FROM attempts WHERE length(key) = 39",
            };
            kept.extend(database.texts(keys).await);
        }
        assert_eq!(kept.len(), 2, "one key at a time");
        assert_eq!(kept[0], kept[1]);
    }
}
