//! The units in `packaging/systemd`: systemd's own verdict on them, and the program under the restrictions that they set.
//! `scripts/as-unit` applies the same mounts, account and filters of system calls as systemd would.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::certificates::{NEW_CERTIFICATE, Pair, connect, connector, shown};
use crate::process::{Process, wardroom};
use crate::support::own_postgres::OwnPostgres;
use crate::support::{Backend, Database, Request, both};

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd").join(name)
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

/// systemd gives every service a mark from 0.0 (safe) to 10.0. The documented unit had 9.2.
#[test]
fn systemd_finds_the_services_safe_and_the_units_correct() {
    for name in ["wardroom.service", "wardroom-backup.service"] {
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(unit(name));
        let output = command.output().expect("systemd-analyze, from Debian's package systemd");
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
    let units = ["wardroom.service", "wardroom.socket", "wardroom-backup.service", "wardroom-backup.timer"];
    let output = Command::new("systemd-analyze").arg("verify").args(units.map(unit)).output().unwrap();
    let said = text(&output);
    // The program is not installed on the machine of a test.
    let wrong: Vec<_> = said
        .lines()
        .filter(|line| line.contains("wardroom") && !line.contains("is not executable"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A place with the directories of the service, owned by the account that it runs as.
struct Service {
    place: tempfile::TempDir,
    account: String,
    /// Other directories, and where they are inside.
    others: Vec<(PathBuf, &'static str)>,
}

impl Service {
    fn new() -> Self {
        Self::with(&[])
    }

    /// A service that also sees other directories.
    fn with(others: &[(PathBuf, &'static str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let account = if rustix::process::geteuid().is_root() {
            "nobody".to_owned()
        } else {
            String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout)
                .unwrap()
                .trim()
                .to_owned()
        };
        let service = Self { place, account, others: others.to_vec() };
        for name in ["state", "backups", "certificates"] {
            fs::create_dir(service.place.path().join(name)).unwrap();
            service.give(name);
        }
        service
    }

    /// Gives a file or directory to the account.
    fn give(&self, name: &str) {
        if self.account == "nobody" {
            let path = self.place.path().join(name);
            assert!(Command::new("chown").arg("nobody:").arg(path).status().unwrap().success());
        }
    }

    /// Writes a file into /srv/certificates, as a rename does.
    fn put(&self, name: &str, text: &str) {
        let directory = self.place.path().join("certificates");
        fs::write(directory.join("new"), text).unwrap();
        fs::set_permissions(directory.join("new"), fs::Permissions::from_mode(0o600)).unwrap();
        self.give("certificates/new");
        fs::rename(directory.join("new"), directory.join(name)).unwrap();
    }

    /// A command as a unit would run it.
    fn command(&self, name: &str, command: &[&str]) -> Command {
        let mut unit_command = Command::new("python3");
        unit_command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/as-unit")).arg(unit(name));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARDROOM_")) {
            unit_command.env_remove(name);
        }
        let place = self.place.path().display();
        unit_command.args(["--account", &self.account]);
        let usual = [
            format!("{}:/usr/local/bin/wardroom", env!("CARGO_BIN_EXE_wardroom")),
            format!("{place}/state:/var/lib/wardroom"),
            format!("{place}/backups:/var/backups/wardroom"),
            format!("{place}/certificates:/srv/certificates"),
        ];
        let others = self.others.iter().map(|(outside, inside)| format!("{}:{inside}", outside.display()));
        for bound in usual.into_iter().chain(others) {
            unit_command.args(["--bind", &bound]);
        }
        unit_command.arg("--").args(command);
        unit_command
    }

    fn run(&self, name: &str, command: &[&str]) -> Output {
        self.command(name, command).output().unwrap()
    }
}

/// The program that a unit starts, which `command` makes available inside.
const PROGRAM: &str = "/usr/local/bin/wardroom";

/// A service with an account database, its arguments, and the key of an admin. All of it was made under the unit.
struct Started {
    service: Service,
    place: [String; 2],
    key: String,
}

impl Started {
    fn new(service: Service, place: [String; 2]) -> Self {
        let mut started = Self { service, place, key: String::new() };
        started.works("wardroom.service", &["init"]);
        started.works("wardroom.service", &["user", "add", "root", "--admin", "--staff"]);
        let issued =
            started.works("wardroom.service", &["token", "issue", "root", "--name", "test", "--json"]);
        let issued: Value = serde_json::from_str(&issued).unwrap();
        started.key = issued["key"].as_str().unwrap().to_owned();
        started
    }

    /// Runs a command as a unit would run it.
    fn run(&self, unit: &str, args: &[&str]) -> Output {
        self.service.run(unit, &[&[PROGRAM, &self.place[0], &self.place[1]], args].concat())
    }

    fn works(&self, unit: &str, args: &[&str]) -> String {
        let output = self.run(unit, args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        text(&output)
    }

    fn serve(&self, more: &[&str]) -> Process {
        let args = [PROGRAM, &self.place[0], &self.place[1], "serve", "--listen", "127.0.0.1:0"];
        Process::start(self.service.command("wardroom.service", &[&args, more].concat()))
    }

    /// Sends a request as the admin, and returns the body of a response with this status.
    async fn call(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Value {
        let request = Request::new(address, method, path).token(&self.key);
        let request = match body {
            Some(body) => request.body("application/json", body.to_string()),
            None => request,
        };
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{method} {path}: {answer}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }
}

async fn started(backend: Backend) -> (Started, Database) {
    let database = Database::empty(backend).await;
    let place = match backend {
        Backend::Sqlite => ["--data-dir".to_owned(), "/var/lib/wardroom".to_owned()],
        Backend::Postgres => database.args(),
    };
    (Started::new(Service::new(), place), database)
}

fn stop(process: Process) {
    process.signal("-TERM");
    let (code, log) = process.end();
    assert_eq!(code, Some(0), "{log}");
}

both! {
    /// Reading, writing, signing in (threads that lower their priority), searching, and the numbers about all of it.
    async fn the_service_works_under_the_restrictions_of_its_unit(backend: Backend) {
        let text_of_unit = fs::read_to_string(unit("wardroom.service")).unwrap();
        assert!(text_of_unit.contains(&format!("\nExecStart={PROGRAM} serve\n")), "{text_of_unit}");
        let (started, _database) = started(backend).await;
        let mut process = started.serve(&["--metrics-listen", "127.0.0.1:0"]);
        let (address, metrics) = (process.address("listening"), process.address("metrics listening"));
        let password = "a long enough password";
        let ann = json!({"username": "ann", "is_staff": true, "password": password});
        let id = started.call(address, "POST", "/api/users", Some(ann), 201).await["id"].clone();
        let group = started.call(address, "POST", "/api/users/groups", Some(json!({"name": "Crew"})), 201).await;
        let change = json!({"first_name": "Ann", "groups": [group["id"]]});
        started.call(address, "PATCH", &format!("/api/users/{id}"), Some(change), 200).await;
        let many = json!({"users": [{"username": "bob"}, {"username": "cleo"}]});
        let made = started.call(address, "POST", "/api/users/bulk", Some(many), 201).await;
        let ids: Vec<_> = made["users"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
        started.call(address, "DELETE", "/api/users/bulk", Some(json!({"users": ids})), 204).await;
        let found = started.call(address, "GET", "/api/users?search=ann", None, 200).await;
        assert_eq!(found["results"][0]["id"], id, "{found}");
        let deleted = started.call(address, "GET", "/api/users/deleted", None, 200).await;
        assert_eq!(deleted["results"].as_array().unwrap().len(), 2, "{deleted}");
        for path in ["/api/users/me", "/api/users/groups", "/api/users/audit", "/readyz", "/api/openapi.json"] {
            started.call(address, "GET", path, None, 200).await;
        }
        let credentials = json!({"username": "ann", "password": password});
        let session = started.call(address, "POST", "/api/users/auth/pwd/signin", Some(credentials), 200).await;
        let request = Request::new(address, "POST", "/api/users/me/password").token(session["token"].as_str().unwrap());
        let body = json!({"old_password": password, "new_password": "another long enough password"}).to_string();
        let changed = request.body("application/json", body).send().await;
        assert!(changed.status < 300, "{changed}");
        let numbers = Request::new(metrics, "GET", "/metrics").send().await;
        for name in ["wardroom_http_requests_total", "process_resident_memory_bytes", "process_open_fds"] {
            assert!(numbers.body.contains(name), "{name}: {}", numbers.body);
        }
        process.signal("-HUP");
        process.record("SIGHUP: there is nothing to read again, because tls_certificate is not set");
        stop(process);
    }
}

both! {
    /// A backup of the running service by the unit of the backups, and what neither unit may write.
    async fn commands_work_under_the_units_and_write_only_where_they_may(backend: Backend) {
        let (started, _database) = started(backend).await;
        let mut process = started.serve(&[]);
        process.address("listening");
        let archive = "/var/backups/wardroom/wardroom-1.tar";
        assert!(started.works("wardroom-backup.service", &["backup", archive]).contains("Wrote and verified"));
        started.works("wardroom-backup.service", &["backup", "verify", archive]);
        started.works("wardroom.service", &["doctor", "--quick"]);
        for (unit, args) in [
            ("wardroom-backup.service", &["backup", "/srv/wardroom.tar"][..]),
            ("wardroom-backup.service", &["backup", "/etc/wardroom.tar"]),
            ("wardroom.service", &["backup", "/var/backups/wardroom.tar"]),
            ("wardroom.service", &["export", "--output", "/usr/local/export.jsonl"]),
        ] {
            let refused = started.run(unit, args);
            let said = text(&refused);
            assert!(!refused.status.success(), "{args:?}: {said}");
            let known = ["read-only", "this account may not use it"];
            assert!(known.iter().any(|remedy| said.contains(remedy)), "{args:?}: {said}");
        }
        stop(process);
        let outside = started.service.place.path().join("backups/wardroom-1.tar");
        let known = wardroom(&["backup", "verify"]).arg(outside).output().unwrap();
        assert!(known.status.success(), "{}", text(&known));
    }
}

both! {
    /// A certificate outside of the data directory is read at the start and renewed after SIGHUP.
    async fn a_renewed_certificate_is_read_under_the_unit(backend: Backend) {
        let (started, _database) = started(backend).await;
        let (old, new) = (Pair::new(), Pair::new());
        started.service.put("cert.pem", &old.certificate);
        started.service.put("key.pem", &old.key);
        let certificate = ["--tls-certificate", "/srv/certificates/cert.pem"];
        let key = ["--tls-key", "/srv/certificates/key.pem"];
        let mut process = started.serve(&[certificate, key].concat());
        let address = process.address("listening");
        let client = connector(&[&old, &new]);
        assert_eq!(shown(&connect(&client, address).await), old.der);
        started.service.put("cert.pem", &new.certificate);
        started.service.put("key.pem", &new.key);
        process.signal("-HUP");
        process.record_of(&NEW_CERTIFICATE);
        assert_eq!(shown(&connect(&client, address).await), new.der);
        stop(process);
    }
}

/// PostgreSQL over TLS with a name that is looked up, and over a Unix socket.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_reached_under_the_unit() {
    let server = OwnPostgres::start().await;
    let pair = Pair::new();
    server.enable_tls(&pair.certificate, &pair.key).await;
    let service = Service::with(&[(server.socket_directory(), "/srv/postgres")]);
    service.put("server.pem", &pair.certificate);
    let encrypted = "?sslmode=verify-full&sslrootcert=/srv/certificates/server.pem";
    let encrypted = server.url_of("localhost", encrypted);
    let started = Started::new(service, ["--database-url".to_owned(), encrypted]);
    let socket = format!("postgres://wardroom@/postgres?host=/srv/postgres&port={}", server.port());
    for (url, counted) in [(started.place[1].clone(), "s.ssl"), (socket, "a.client_addr IS NULL")] {
        let process = ["--database-url", &url, "serve", "--listen", "127.0.0.1:0"];
        let mut process =
            Process::start(started.service.command("wardroom.service", &[&[PROGRAM][..], &process].concat()));
        let address = process.address("listening");
        started.call(address, "GET", "/api/users/me", None, 200).await;
        started.call(address, "PATCH", "/api/users/me", Some(json!({"first_name": counted})), 200).await;
        let connections = format!(
            "SELECT count(*) FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid \
             WHERE a.application_name = 'wardroom' AND {counted}"
        );
        assert!(Database::at(&server.url()).number(&connections).await > 0, "{url}");
        stop(process);
    }
}

/// A Unix socket in the directory that the unit creates, with the mode of the setting in spite of `UMask=0077`.
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_under_the_unit() {
    let text_of_unit = fs::read_to_string(unit("wardroom.service")).unwrap();
    assert!(text_of_unit.contains("\nRuntimeDirectory=wardroom\n"), "it creates /run/wardroom");
    let runtime = tempfile::tempdir().unwrap();
    let service = Service::with(&[(runtime.path().to_owned(), "/run/wardroom")]);
    let owner = format!("{}:", service.account);
    assert!(Command::new("chown").arg(owner).arg(runtime.path()).status().unwrap().success());
    let place = ["--data-dir".to_owned(), "/var/lib/wardroom".to_owned()];
    let started = Started::new(service, place);
    let mut process = started.serve(&["--listen", "unix:/run/wardroom/http.sock?mode=660"]);
    process.address("listening");
    assert_eq!(process.record("listening")["address"], "unix:/run/wardroom/http.sock");
    let socket = runtime.path().join("http.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    stop(process);
    assert!(!socket.exists());
}

/// The restrictions are there: what they forbid fails.
#[test]
fn what_the_unit_forbids_fails_under_it() {
    let service = Service::new();
    let script = r#"
import ctypes, mmap, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, work):
    try:
        work()
        print(name, "works")
    except OSError as error:
        print(name, "fails")
def call(outcome):
    if outcome != 0: raise OSError(ctypes.get_errno())
attempt("state", lambda: open("/var/lib/wardroom/x", "w"))
attempt("temporary", lambda: open("/tmp/x", "w"))
attempt("inet", lambda: socket.socket(socket.AF_INET))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, 19))
attempt("program", lambda: open("/usr/local/bin/wardroom", "r+"))
attempt("usr", lambda: open("/usr/x", "w"))
attempt("etc", lambda: open("/etc/x", "w"))
attempt("home", lambda: os.listdir("/root"))
attempt("machine", lambda: open("/proc/stat"))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("executable memory", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
attempt("namespace", lambda: call(libc.unshare(0x10000000)))
attempt("mount", lambda: call(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)))
attempt("root", lambda: os.setuid(0))
attempt("affinity", lambda: os.sched_setaffinity(0, {0}))
"#;
    let said = text(&service.run("wardroom.service", &["/usr/bin/python3", "-c", script]));
    let works = ["state", "temporary", "inet", "priority"];
    let fails = [
        "program",
        "usr",
        "etc",
        "home",
        "machine",
        "netlink",
        "executable memory",
        "namespace",
        "mount",
        "root",
        "affinity",
    ];
    let expected = works
        .map(|name| format!("{name} works"))
        .into_iter()
        .chain(fails.map(|name| format!("{name} fails")));
    assert_eq!(said.lines().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{said}");
}
