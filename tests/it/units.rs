//! The units in `packaging/systemd`: systemd's own verdict on them, and the program under the restrictions that they set.
//! `scripts/as-unit` applies the same mounts, account and filters of system calls as systemd would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Process, wardroom};
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
}

impl Service {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let account = if rustix::process::geteuid().is_root() {
            "nobody".to_owned()
        } else {
            String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout)
                .unwrap()
                .trim()
                .to_owned()
        };
        let service = Self { place, account };
        for name in ["state", "backups"] {
            fs::create_dir(service.place.path().join(name)).unwrap();
            if service.account == "nobody" {
                let path = service.place.path().join(name);
                assert!(Command::new("chown").arg("nobody:").arg(path).status().unwrap().success());
            }
        }
        service
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
        for bound in [
            format!("{}:/usr/local/bin/wardroom", env!("CARGO_BIN_EXE_wardroom")),
            format!("{place}/state:/var/lib/wardroom"),
            format!("{place}/backups:/var/backups/wardroom"),
        ] {
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

both! {
    /// Sign-ins (threads that lower their priority), writes, lists, a signal, a backup and a stop, all inside.
    async fn the_service_works_under_the_restrictions_of_its_unit(backend: Backend) {
        let started = fs::read_to_string(unit("wardroom.service")).unwrap();
        assert!(started.contains(&format!("\nExecStart={PROGRAM} serve\n")), "{started}");
        let service = Service::new();
        let database = Database::empty(backend).await;
        let place = match backend {
            Backend::Sqlite => ["--data-dir".to_owned(), "/var/lib/wardroom".to_owned()],
            Backend::Postgres => database.args(),
        };
        let run = |unit: &str, args: &[&str]| {
            let output = service.run(unit, &[&[PROGRAM, place[0].as_str(), &place[1]], args].concat());
            assert!(output.status.success(), "{args:?}: {}", text(&output));
            text(&output)
        };
        run("wardroom.service", &["init"]);
        run("wardroom.service", &["user", "add", "root", "--admin", "--staff"]);
        let issued = run("wardroom.service", &["token", "issue", "root", "--name", "test", "--json"]);
        let issued: serde_json::Value = serde_json::from_str(&issued).unwrap();
        let key = issued["key"].as_str().unwrap();

        let mut process = Process::start(service.command(
            "wardroom.service",
            &[PROGRAM, place[0].as_str(), &place[1], "serve", "--listen", "127.0.0.1:0"],
        ));
        let address = process.address("listening");
        let created = Request::new(address, "POST", "/api/users").token(key);
        let body = r#"{"username":"ann","is_staff":true,"password":"a long enough password"}"#;
        let created = created.body("application/json", body).send().await;
        assert_eq!(created.status, 201, "{created}");
        let signed_in = Request::new(address, "POST", "/api/users/auth/pwd/signin");
        let body = r#"{"username":"ann","password":"a long enough password"}"#;
        let signed_in = signed_in.body("application/json", body).send().await;
        assert_eq!(signed_in.status, 200, "{signed_in}");
        let mut all = vec![];
        for path in ["/api/users/me", "/api/users?search=ann", "/api/users/groups", "/readyz", "/api/openapi.json"] {
            all.push(Request::new(address, "GET", path).token(key).send().await.status);
        }
        assert_eq!(all, [200; 5]);
        process.signal("-HUP");
        process.record("SIGHUP: there is nothing to read again, because tls_certificate is not set");
        let archive = "/var/backups/wardroom/wardroom-1.tar";
        assert!(run("wardroom-backup.service", &["backup", archive]).contains("Wrote and verified"));
        run("wardroom.service", &["doctor", "--quick"]);
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        let known = wardroom(&["backup", "verify"]).arg(service.place.path().join("backups/wardroom-1.tar")).output().unwrap();
        assert!(known.status.success(), "{}", text(&known));
    }
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
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, 5))
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
