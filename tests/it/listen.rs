//! Several addresses and Unix sockets: real servers, and clients of each.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use wardroom::directory::Clock;

use crate::certificates::Pair;
use crate::cli::on;
use crate::process::{Process, wardroom};
use crate::support::site::person;
use crate::support::{Answer, Backend, Database, free_address};

/// Where a client connects to.
#[derive(Clone, Debug)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Place {
    fn unix(database: &Database, name: &str) -> Self {
        Self::Unix(database.place().join(name))
    }

    /// The place of the next line in the log that names one.
    fn logged(process: &mut Process) -> Self {
        let record = process.record("listening");
        let address = record["address"].as_str().unwrap();
        match address.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(address.parse().unwrap()),
        }
    }

    fn file(&self) -> &Path {
        let Self::Unix(path) = self else { panic!("{self:?} is no file") };
        path
    }

    /// The text for `--listen`.
    fn text(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    async fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        }
    }

    /// Sends bytes and returns everything that comes back until the server closes.
    async fn say(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(bytes.as_bytes()).await;
        rest(&mut stream).await
    }

    async fn get(&self, path: &str, lines: &str) -> Answer {
        let said = self.say(&request(path, &format!("Connection: close\r\n{lines}"))).await;
        Answer::parse(said.as_bytes())
    }

    async fn status(&self, path: &str, lines: &str) -> u16 {
        self.get(path, lines).await.status
    }
}

fn request(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

async fn rest(stream: &mut (impl AsyncRead + Unpin + ?Sized)) -> String {
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

/// Reads the next response of a connection that stays open.
async fn next(stream: &mut (impl AsyncRead + Unpin + ?Sized)) -> Answer {
    let mut said = Vec::new();
    loop {
        said.push(stream.read_u8().await.expect("the connection was closed"));
        let Some(head) = said.ends_with(b"\r\n\r\n").then(|| String::from_utf8(said.clone()).unwrap()) else {
            continue;
        };
        // nginx writes it with capital letters.
        let head = head.to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        return Answer::parse(&[said, body].concat());
    }
}

/// Starts a server that listens at these places, and waits until it does.
fn serve(database: &Database, places: &[String], more: &[&str]) -> (Process, Vec<Place>) {
    let mut command = wardroom(&["serve"]);
    for place in places {
        command.args(["--listen", place]);
    }
    command.args(database.args()).args(more);
    let mut process = Process::start(command);
    let places = places.iter().map(|_| Place::logged(&mut process)).collect();
    (process, places)
}

fn stop(process: Process) -> String {
    process.signal("-TERM");
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log}");
    log
}

/// Two TCP addresses and a Unix socket.
fn three(database: &Database) -> [String; 3] {
    ["127.0.0.1:0".to_owned(), "127.0.0.2:0".to_owned(), Place::unix(database, "http.sock").text()]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn staff(database: &Database) -> String {
    let directory = database.open(&Clock::system().unwrap()).await;
    let ann =
        person(&directory, "ann", |draft| (draft.is_staff, draft.is_admin) = (Some(true), Some(true))).await;
    person(&directory, "zoe", |_| ()).await;
    format!("Authorization: Token {}\r\n", ann.key)
}

/// Every listener answers the same: one after the other on one connection, by the fast path and by the ordinary one.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_and_a_unix_socket_answer_the_same() {
    let database = Database::new(Backend::Sqlite).await;
    let key = staff(&database).await;
    let (process, places) = serve(&database, &three(&database), &[]);
    let socket = places[2].file().to_owned();
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!(mode(&socket), 0o600, "only the server's account may connect");
    let mut bodies = Vec::new();
    for place in &places {
        let mut stream = place.connect().await;
        for path in ["/api/users/me", "/api/users/me", "/api/users/me?x", "/livez", "/api/users/me"] {
            stream.write_all(request(path, &key).as_bytes()).await.unwrap();
            let answer = next(&mut stream).await;
            assert_eq!(answer.status, 200, "{place:?} {path}: {answer}");
            if path != "/livez" {
                bodies.push(answer.body);
            }
        }
        // Several requests at once are answered in their order.
        let all =
            [request("/api/users/me", &key), request("/livez", ""), request("/api/users/me", &key)].concat();
        stream.write_all(all.as_bytes()).await.unwrap();
        let answers = [next(&mut stream).await, next(&mut stream).await, next(&mut stream).await];
        assert_eq!(answers.map(|answer| answer.body.contains("\"ann\"")), [true, false, true]);
        assert_eq!(place.status("/api/users/me", "").await, 401);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let curl = Command::new("curl")
        .args([
            "-sS",
            "--fail",
            "--unix-socket",
            socket.to_str().unwrap(),
            "http://localhost/api/users/me",
            "-H",
        ])
        .arg(key.trim_end())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&curl.stdout), bodies[0], "{curl:?}");
    stop(process);
    assert!(!socket.exists(), "the file is removed at the end");
}

/// A list can be written in every way in which settings are written.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_written_as_flags_as_a_variable_and_as_an_array() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("wardroom.toml");
    let expected = "127.0.0.1:1,[::1]:2,unix:/run/w.sock?mode=660";
    let shown = |mut command: Command| {
        let output = command.output().unwrap();
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let of = |key: &str| {
            rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap()["value"].clone()
        };
        (of("listen"), of("allowed_hosts"))
    };
    let show = ["config", "show", "--json"];
    let mut flags = wardroom(&show);
    flags.args(["--listen", "127.0.0.1:1,[::1]:2", "--listen", "unix:/run/w.sock?mode=660"]);
    flags.args(["--allowed-hosts", "a.example", "--allowed-hosts", "b.example"]);
    assert_eq!(shown(flags), (json!(expected), json!("a.example,b.example")));
    let mut variable = wardroom(&show);
    variable.env("WARDROOM_LISTEN", "127.0.0.1:1, [::1]:2, unix:/run/w.sock?mode=0660");
    assert_eq!(shown(variable).0, expected);
    fs::write(&file, "listen = [\"127.0.0.1:1\", \"[::1]:2\", \"unix:/run/w.sock?mode=660\"]\n").unwrap();
    let mut array = wardroom(&show);
    array.args(["--config", file.to_str().unwrap()]);
    assert_eq!(shown(array).0, expected);
}

/// The mode of the setting counts, and not the umask: neither adds to it, neither takes from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_has_the_mode_of_the_setting_whatever_the_umask() {
    let database = Database::new(Backend::Sqlite).await;
    for (umask, parameter, expected) in
        [("000", "", 0o600), ("077", "?mode=660", 0o660), ("022", "?mode=0666", 0o666)]
    {
        let place = Place::unix(&database, "http.sock");
        let script = format!("umask {umask}; exec \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_wardroom"), "serve"]).args(database.args());
        command.args(["--listen", &format!("{}{parameter}", place.text())]);
        let mut process = Process::start(command);
        Place::logged(&mut process);
        assert_eq!(mode(place.file()), expected, "{umask} {parameter}");
        assert_eq!(place.status("/livez", "").await, 200);
        stop(process);
    }
}

/// Runs a server that must not start, and returns its exit code and the last line of its log.
fn fails(database: &Database, args: &[&str]) -> (Option<i32>, String) {
    let mut command = wardroom(&["serve"]);
    let output = command.args(database.args()).args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said.lines().last().unwrap_or_default().to_owned())
}

/// The file of a dead server is replaced. That of a living one is not, and the error names that server.
#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not() {
    let database = Database::new(Backend::Sqlite).await;
    let place = Place::unix(&database, "http.sock");
    let (first, _) = serve(&database, &[place.text()], &[]);
    let (code, line) = fails(&database, &["--listen", &place.text()]);
    let expected = format!(
        "wardroom: listen: cannot listen on {}: the program wardroom (process {}) listens there: stop it or choose another path",
        place.text(),
        first.id()
    );
    assert_eq!((code, line.as_str()), (Some(6), expected.as_str()));
    assert_eq!(place.status("/livez", "").await, 200, "the first server was not disturbed");
    first.signal("-KILL");
    first.end();
    assert!(place.file().exists(), "a killed server leaves its file");
    let (second, _) = serve(&database, &[place.text()], &[]);
    assert_eq!(place.status("/livez", "").await, 200);
    // Another program takes the path: the server does not remove what is not its own.
    fs::remove_file(place.file()).unwrap();
    let other = UnixListener::bind(place.file()).unwrap();
    stop(second);
    assert!(place.file().exists());
    let (code, line) = fails(&database, &["--listen", &place.text()]);
    assert_eq!(code, Some(6), "{line}");
    drop(other);
    let (third, _) = serve(&database, &[place.text()], &[]);
    stop(third);
    assert!(!place.file().exists());
}

/// Of two servers that start at once and find the same stale file, one serves, and the other reports the first.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_start_at_once_one_gets_the_socket() {
    let database = Database::new(Backend::Sqlite).await;
    let place = Place::unix(&database, "http.sock");
    for _ in 0..5 {
        drop(UnixListener::bind(place.file()).unwrap());
        let start = || {
            let mut command = wardroom(&["serve", "--listen", &place.text()]);
            command.args(database.args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut both = [start(), start()];
        // One of them ends by itself.
        let (loser, code) = loop {
            let ended = both.iter_mut().map(|child| child.try_wait().unwrap().map(|status| status.code()));
            if let Some((number, Some(code))) = ended.enumerate().find(|(_, code)| code.is_some()) {
                break (number, code);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(code, Some(6));
        assert_eq!(place.status("/livez", "").await, 200, "the other one serves");
        let winner = &mut both[1 - loser];
        assert!(Command::new("kill").arg(winner.id().to_string()).status().unwrap().success());
        assert_eq!(winner.wait().unwrap().code(), Some(0));
        assert!(!place.file().exists());
    }
}

/// What a path can be besides a socket, and what is wrong in the text: one line with the remedy. Nothing is created, nothing is
/// removed, and no other address is left open.
#[tokio::test(flavor = "multi_thread")]
async fn each_misuse_of_listen_is_one_line() {
    let database = Database::new(Backend::Sqlite).await;
    let here = database.place();
    fs::write(here.join("file"), "kept").unwrap();
    fs::create_dir(here.join("directory")).unwrap();
    symlink(here.join("file"), here.join("link")).unwrap();
    fs::create_dir(here.join("open")).unwrap();
    fs::set_permissions(here.join("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let datagrams = UnixDatagram::bind(here.join("datagrams")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = |name: &str| format!("unix:{}", here.join(name).display());
    for (text, code, expected) in [
        (unix("file"), 2, "there is a file, and no socket: move it away or choose another path"),
        (unix("directory"), 2, "there is a directory, and no socket"),
        (unix("link"), 2, "there is a symbolic link, and no socket"),
        (unix("missing/a.sock"), 2, "missing does not exist: create it or choose another path"),
        (unix("file/a.sock"), 2, "Not a directory"),
        (unix("open/a.sock"), 2, "can be written by every user of this machine"),
        (unix("datagrams"), 6, "a program that this account may not connect to has this socket"),
        (taken.local_addr().unwrap().to_string(), 6, "another program uses this address"),
        (
            "unix:relative.sock".to_owned(),
            2,
            "does not have an absolute path; use unix: and a path that begins with /",
        ),
        (format!("unix:/{}", "a".repeat(200)), 2, "has a path of 201 bytes"),
        ("unix:/a.sock?mode=888".to_owned(), 2, "has the mode \"888\"; use ?mode=600"),
        ("http://127.0.0.1:80".to_owned(), 2, "has the scheme \"http\", which is unknown here"),
        (format!("{},{}", unix("a.sock"), unix("a.sock")), 2, "is listed twice; list it once"),
        ("127.0.0.1:81,0.0.0.0:81".to_owned(), 2, "of the same list are one place; list one of them"),
    ] {
        let first = Place::unix(&database, "first.sock");
        let (found, line) = fails(&database, &["--listen", &first.text(), "--listen", &text]);
        assert_eq!(found, Some(code), "{text}: {line}");
        let is_own =
            line.starts_with("wardroom: listen") && line.contains(text.split(',').next_back().unwrap());
        assert!(is_own && line.contains(expected), "{text}: {line}");
        assert!(!first.file().exists(), "{text}");
    }
    assert_eq!(fs::read_to_string(here.join("link")).unwrap(), "kept");
    assert_eq!(mode(&here.join("file")) & 0o022, 0);
    drop(datagrams);
}

/// `0.0.0.0` and `[::]` with one port are two sockets.
#[tokio::test(flavor = "multi_thread")]
async fn both_families_of_every_address_are_a_list() {
    let database = Database::new(Backend::Sqlite).await;
    let port = free_address().port();
    let both = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    for list in [both.clone(), [both[1].clone(), both[0].clone()]] {
        let (process, _) = serve(&database, &list, &[]);
        for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
            assert_eq!(Place::Tcp(address.parse().unwrap()).status("/livez", "").await, 200, "{address}");
        }
        stop(process);
    }
}

/// Starts a server with these descriptors as systemd passes them: from number 3 on.
fn serve_passed(database: &Database, passed: &[i32], names: &str, more: &[&str]) -> Command {
    let copies: String =
        passed.iter().enumerate().map(|(number, fd)| format!("exec {}<&{fd}; ", number + 3)).collect();
    let script = format!(
        "{copies}export LISTEN_FDS={} LISTEN_FDNAMES={names} LISTEN_PID=$$; exec \"$@\"",
        passed.len()
    );
    let mut command = wardroom(&[]);
    let program = command.get_program().to_owned();
    command = Command::new("bash");
    command.args(["-c", &script, "bash"]).arg(program).arg("serve").args(database.args()).args(more);
    command
}

fn inheritable(socket: &impl std::os::fd::AsFd) -> i32 {
    // Away from the numbers that the script uses.
    let copy = rustix::io::fcntl_dupfd_cloexec(socket, 20).unwrap();
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty()).unwrap();
    std::os::fd::IntoRawFd::into_raw_fd(copy)
}

/// Sockets of both kinds that the service manager passes are served, keep their file, and lose no client between two servers.
/// They replace `listen`, and the log says so.
#[tokio::test(flavor = "multi_thread")]
async fn passed_sockets_of_both_kinds_are_served_and_kept() {
    let database = Database::new(Backend::Sqlite).await;
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = Place::unix(&database, "passed.sock");
    let listener = UnixListener::bind(unix.file()).unwrap();
    let ignored = Place::unix(&database, "ignored.sock");
    let passed = [inheritable(&tcp), inheritable(&listener)];
    let start = |more: &[&str]| Process::start(serve_passed(&database, &passed, "web:proxy", more));
    let mut first = start(&["--listen", &ignored.text()]);
    let warned = first.record(
        "the service manager passes sockets, so the setting listen is ignored: to listen elsewhere, change \
         ListenStream= of the socket unit",
    );
    assert_eq!(warned["level"], "WARN");
    let records = [first.record("listening"), first.record("listening")];
    let address = tcp.local_addr().unwrap();
    let expected = [(address.to_string(), "web"), (unix.text(), "proxy")];
    for (record, (address, name)) in records.iter().zip(expected) {
        assert_eq!((&record["address"], &record["passed_as"]), (&json!(address), &json!(name)));
    }
    assert!(!ignored.file().exists());
    let places = [Place::Tcp(address), unix.clone()];
    for place in &places {
        assert_eq!(place.status("/livez", "").await, 200, "{place:?}");
    }
    stop(first);
    assert!(unix.file().exists(), "a passed socket keeps its file");
    let waiting = places.clone().map(|place| tokio::spawn(async move { place.status("/livez", "").await }));
    let mut second = start(&[]);
    second.record("listening");
    for status in waiting {
        assert_eq!(status.await.unwrap(), 200);
    }
    stop(second);
}

/// A passed socket that every account may use is named, if clients there may say who they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_passed_socket_that_everyone_may_use_is_not_trusted_silently() {
    let database = Database::new(Backend::Sqlite).await;
    let unix = Place::unix(&database, "passed.sock");
    let listener = UnixListener::bind(unix.file()).unwrap();
    let passed = [inheritable(&listener)];
    let expected =
        format!("every account of this machine can connect to {}, and trusted_proxies has unix", unix.text());
    for (mode, trusted, is_named) in
        [(0o666, "unix", true), (0o660, "unix", false), (0o666, "127.0.0.1", false)]
    {
        fs::set_permissions(unix.file(), fs::Permissions::from_mode(mode)).unwrap();
        let process =
            Process::start(serve_passed(&database, &passed, "proxy", &["--trusted-proxies", trusted]));
        assert_eq!(unix.status("/livez", "").await, 200);
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!((code, log.contains(&expected)), (Some(0), is_named), "{mode:o} {trusted}: {log}");
    }
}

/// What cannot be served is an error that names it.
#[tokio::test(flavor = "multi_thread")]
async fn a_passed_socket_that_cannot_be_served_is_named() {
    let database = Database::new(Backend::Sqlite).await;
    let good = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (pair, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    let file = fs::File::open("/dev/null").unwrap();
    let connected = std::net::TcpStream::connect(good.local_addr().unwrap()).unwrap();
    for bad in [
        inheritable(&udp),
        inheritable(&pair),
        inheritable(&datagrams),
        inheritable(&file),
        inheritable(&connected),
    ] {
        let passed = [inheritable(&good), bad];
        let output = serve_passed(&database, &passed, "web:odd", &[]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let last = said.lines().last().unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let expected = "wardroom: cannot use socket 2 (odd) that the service manager passed: ";
        assert!(
            last.starts_with(expected) && last.contains("(systemd: ListenStream= and Accept=no)"),
            "{said}"
        );
    }
    assert!(good.as_raw_fd() > 0);
}

/// The headers of a client of a Unix socket are not believed unless `trusted_proxies` says so. Its address is unknown then: no
/// token that is limited to networks is good there.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_unix_socket_has_no_address() {
    let database = Database::new(Backend::Sqlite).await;
    let key = staff(&database).await;
    let forwarded = format!("{key}X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n");
    let unix = [Place::unix(&database, "http.sock").text()];
    let paths = ["/api/users/me", "/api/users/me?x", "/api/auth/forward/active"];
    let (mut process, places) = serve(&database, &unix, &["--access-log", "all"]);
    let socket = &places[0];
    assert_eq!(socket.status("/api/users/me?x", &forwarded).await, 200);
    assert_eq!(process.record("answered")["client"], "unix");
    let link = socket.get("/api/users?limit=1", &forwarded).await;
    assert!(link.body.contains("\"http://localhost/"), "the scheme of the header is not believed: {link}");
    let bad = "Authorization: Token wrong\r\nX-Forwarded-For: 192.0.2.7\r\n";
    assert_eq!(socket.status("/api/users/me", bad).await, 401);
    // A running server learns it with its next request.
    database.sql("UPDATE tokens SET allowed_networks = '0.0.0.0/0'").await;
    for path in paths {
        assert_eq!(socket.status(path, &forwarded).await, 401, "{path}");
    }
    stop(process);
    let trail = on(&database, &["audit", "list", "--json"], "");
    let events: Value = serde_json::from_str(&trail.out).unwrap();
    let refused: Vec<_> =
        events.as_array().unwrap().iter().filter(|event| event["action"] == "token.refused").collect();
    assert!(!refused.is_empty() && refused.iter().all(|event| event["address"] == "unix"), "{}", trail.out);
    // A trusted proxy reports the address; without a report it is unknown.
    let (mut process, places) =
        serve(&database, &unix, &["--access-log", "all", "--trusted-proxies", "unix"]);
    let socket = &places[0];
    for path in paths {
        assert_eq!(socket.status(path, &forwarded).await, 200, "{path}");
        assert_eq!(process.record("answered")["client"], "192.0.2.7");
        assert_eq!(socket.status(path, &key).await, 401, "{path}");
        assert_eq!(process.record("answered")["client"], "unix");
    }
    let garbled = format!("{key}X-Forwarded-For: garbled\r\n");
    assert_eq!(socket.status("/api/users/me", &garbled).await, 401);
    let line = process.record("cannot read a header of a trusted proxy");
    assert_eq!((line["proxy"].as_str(), line["value"].as_str()), (Some("unix"), Some("garbled")));
    stop(process);
}

/// Clients without an address count as one, apart from those with one. The use of a token is noted.
#[tokio::test(flavor = "multi_thread")]
async fn clients_without_an_address_share_one_limit() {
    let database = Database::new(Backend::Sqlite).await;
    let key = staff(&database).await;
    let (process, places) = serve(&database, &three(&database), &["--rate-limit-per-address", "3/hour"]);
    let socket = &places[2];
    let mut statuses = Vec::new();
    for number in 0..5 {
        let lines = format!("X-Forwarded-For: 192.0.2.{number}\r\n");
        // By the fast path and by the ordinary one.
        let (path, key) =
            if number % 2 == 0 { ("/api/users/me", "wrd_x") } else { ("/api/users/me?x", "wrd_y") };
        statuses.push(socket.status(path, &format!("{lines}Authorization: Token {key}\r\n")).await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!(places[0].status("/api/users/me", "X-Forwarded-For: 192.0.2.1\r\n").await, 401);
    assert_eq!(places[1].status("/api/users/me", "").await, 401, "127.0.0.2 is no proxy");
    assert_eq!(socket.status("/api/users/me", &key).await, 200);
    stop(process);
    let listed = on(&database, &["token", "list", "ann", "--json"], "");
    let rows: Value = serde_json::from_str(&listed.out).unwrap();
    assert!(rows[0]["last_used_at"].is_string(), "{}", listed.out);
}

/// The limits of time and size hold on every listener.
#[tokio::test(flavor = "multi_thread")]
async fn slow_and_large_requests_are_cut_off_on_every_listener() {
    let database = Database::new(Backend::Sqlite).await;
    let limits = ["--head-timeout", "5s", "--body-timeout", "5s", "--idle-timeout", "5s"];
    let (process, places) = serve(&database, &three(&database), &limits);
    let long = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(20_000));
    let body = "POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 9\r\n\r\n{";
    let idle = async |place: &Place| {
        let mut idle = place.connect().await;
        idle.write_all(request("/livez", "").as_bytes()).await.unwrap();
        (next(&mut idle).await.status, rest(&mut idle).await)
    };
    let outcomes = places.iter().map(async |place| {
        let (head, body, malformed, large, idle) = tokio::join!(
            place.say("GET /livez HTTP/1.1\r\nHost: local"),
            place.say(body),
            place.say("GET /livez HTTP/1.1\r\nHost: localhost\r\nBad Line\r\n\r\n"),
            place.say(&long),
            idle(place),
        );
        let statuses =
            [head, body, malformed, large].map(|said| said.get(9..12).unwrap_or_default().to_owned());
        assert_eq!(
            (statuses.join(" "), idle),
            ("408 408 400 431".to_owned(), (200, String::new())),
            "{place:?}"
        );
    });
    futures_util::future::join_all(outcomes).await;
    stop(process);
}

/// A connection with a request in progress, whose body does not come.
async fn busy(place: &Place) -> Box<dyn Stream> {
    let mut stream = place.connect().await;
    let begun = request("/livez", "Content-Length: 1\r\nExpect: 100-continue\r\n");
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut interim = vec![0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// All clients of a Unix socket have the share of one network together. A proxy may have all places.
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_has_a_share_of_the_connections_unless_it_is_a_proxy() {
    let database = Database::new(Backend::Sqlite).await;
    let unix = [Place::unix(&database, "http.sock").text()];
    let limits = [
        "--max-connections",
        "8",
        "--body-timeout",
        "1h",
        "--request-timeout",
        "1h",
        "--drain-timeout",
        "1ms",
    ];
    for (trusted, held, expected) in [("127.0.0.1", 2, "503"), ("unix", 7, "200")] {
        let (process, places) =
            serve(&database, &unix, &[&limits[..], &["--trusted-proxies", trusted]].concat());
        let mut begun = Vec::new();
        for _ in 0..held {
            begun.push(busy(&places[0]).await);
        }
        let said = places[0].say(&request("/livez", "Connection: close\r\n")).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {expected} ")), "{trusted}: {said}");
        drop(begun);
        process.signal("-TERM");
        assert_eq!(process.end().0, Some(0));
    }
}

/// Requests in progress on every listener are answered, and no new client finds the socket.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_no_request_on_any_listener() {
    let database = Database::new(Backend::Sqlite).await;
    let (mut process, places) = serve(&database, &three(&database), &["--drain-timeout", "10m"]);
    let mut begun = Vec::new();
    for place in &places {
        begun.push(busy(place).await);
    }
    process.signal("-TERM");
    process.record("stopping: finishing the requests in progress");
    for stream in &mut begun {
        stream.write_all(b"x").await.unwrap();
        let said = rest(stream).await;
        // Whether the head says that the connection closes depends on which of the two comes first. It closes in any case.
        assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with(r#"{"status":"ok"}"#), "{said}");
    }
    let (code, log) = process.end();
    assert_eq!(code, Some(0));
    assert!(log.contains(r#""cut":0"#), "{log}");
    assert!(!places[2].file().exists());
}

/// With a certificate, TCP speaks TLS and a Unix socket does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_speaks_plain_http_beside_tls() {
    let database = Database::new(Backend::Sqlite).await;
    let pair = Pair::new();
    let [certificate, key] = [("c.pem", &pair.certificate), ("k.pem", &pair.key)].map(|(name, text)| {
        let path = database.place().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    });
    let mut command = wardroom(&["serve", "--listen", "127.0.0.1:0", "--tls-certificate", &certificate]);
    command
        .args(["--tls-key", &key, "--listen", &Place::unix(&database, "http.sock").text()])
        .args(database.args());
    let mut process = Process::start(command);
    let (tcp, unix) = (process.record("listening"), process.record("listening"));
    assert_eq!((&tcp["tls"], &unix["tls"]), (&json!(true), &json!(false)));
    let unix = Place::unix(&database, "http.sock");
    let answer = unix.get("/livez", "").await;
    assert!(answer.status == 200 && answer.header("strict-transport-security").is_none(), "{answer}");
    let tcp = Place::Tcp(tcp["address"].as_str().unwrap().parse().unwrap());
    assert!(!tcp.say(&request("/livez", "Connection: close\r\n")).await.contains("200 OK"));
    stop(process);
}

/// The demo and `doctor` know Unix sockets.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_and_doctor_know_unix_sockets() {
    let database = Database::new(Backend::Sqlite).await;
    let place = Place::unix(&database, "demo.sock");
    let output = database.place().join("demo.txt");
    let mut command = wardroom(&["demo", "--listen", &place.text()]);
    command.stdin(Stdio::null()).stdout(fs::File::create(&output).unwrap()).stderr(Stdio::null());
    let mut demo = command.spawn().unwrap();
    let text = loop {
        let text = fs::read_to_string(&output).unwrap();
        if text.contains("Ctrl-C stops the demo") {
            break text;
        }
        assert!(demo.try_wait().unwrap().is_none(), "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let line = text.lines().find(|line| line.starts_with("curl ")).unwrap();
    assert!(line.contains("--unix-socket ") && !text.contains("Open in a browser"), "{text}");
    let ran = Command::new("sh").args(["-c", &format!("{line} -sS")]).output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).contains("alex_thompson"), "{ran:?}");
    assert!(Command::new("kill").arg(demo.id().to_string()).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    assert!(!place.file().exists());
    for (mode, trusted, is_warned) in
        [("666", "unix", true), ("660", "unix", false), ("666", "127.0.0.1", false)]
    {
        let listen = format!("{}?mode={mode}", place.text());
        let mut command = wardroom(&["doctor", "--quick", "--json"]);
        command.env("WARDROOM_LISTEN", listen).env("WARDROOM_TRUSTED_PROXIES", trusted).args(database.args());
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(
            said.contains("every account of this machine can connect to"),
            is_warned,
            "{mode} {trusted}: {said}"
        );
    }
    let ran = on(&database, &["user", "list", "--remote", &place.text(), "--token-file", "/dev/null"], "");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("run the command without --remote"), "{}", ran.err);
}

mod judges {
    use super::*;
    use crate::media_nginx::Nginx;

    /// The block of the document, with its socket and its address replaced.
    fn configuration(socket: &Path, here: SocketAddr) -> String {
        let text = include_str!("../../docs/operating.md");
        let block =
            text.split("```nginx\n").find(|block| block.contains("server unix:/run/wardroom.sock;")).unwrap();
        let block = block.split("```").next().unwrap();
        for expected in ["unix:/run/wardroom.sock", "127.0.0.1:8080"] {
            assert_eq!(block.matches(expected).count(), 1, "{expected}");
        }
        let block = block.replace("/run/wardroom.sock", socket.to_str().unwrap());
        block.replace("127.0.0.1:8080", &here.to_string())
    }

    /// nginx passes on the address of its client, keeps its connections, and finds the server after a restart.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs nginx"]
    async fn nginx_before_a_unix_socket_as_documented() {
        let database = Database::new(Backend::Sqlite).await;
        let key = staff(&database).await;
        let unix = Place::unix(&database, "http.sock");
        let text = format!("{}?mode=660", unix.text());
        let more = ["--trusted-proxies", "unix", "--access-log", "all"];
        let (mut process, _) = serve(&database, std::slice::from_ref(&text), &more);
        let place = tempfile::tempdir().unwrap();
        let here = free_address();
        let _nginx = Nginx::start(place.path(), &configuration(unix.file(), here), here).await;
        let nginx = Place::Tcp(here);
        let spoofed = format!("{key}X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n");
        database.sql("UPDATE tokens SET allowed_networks = '127.0.0.0/8'").await;
        let mut stream = nginx.connect().await;
        for _ in 0..50 {
            stream.write_all(request("/api/users?limit=1", &spoofed).as_bytes()).await.unwrap();
            assert_eq!(next(&mut stream).await.status, 200);
            let line = process.record("answered");
            assert_eq!(line["client"], "127.0.0.1", "what nginx saw, and not what the client says: {line}");
        }
        let body = r#"{"username": "bob"}"#;
        let post = format!(
            "POST /api/users HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let said = nginx.say(&post).await;
        assert!(said.starts_with("HTTP/1.1 201 "), "{said}");
        database.sql("UPDATE tokens SET allowed_networks = '192.0.2.0/24'").await;
        assert_eq!(nginx.status("/api/users/me", &spoofed).await, 401, "a client cannot choose its address");
        process.signal("-KILL");
        process.end();
        assert_eq!(nginx.status("/livez", "").await, 502);
        let (process, _) = serve(&database, &[text], &more);
        assert_eq!(nginx.status("/livez", "").await, 200);
        stop(process);
    }
}
