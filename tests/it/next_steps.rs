//! Messages that say what is really there, and name the step that helps.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use wardroom::directory::Location;

use crate::backup::{archive, data, done, refused, text, works};
use crate::cli::on;
use crate::process::{Process, serve};
use crate::support::database::{connect, server};
use crate::support::{Backend, Database, Request, both};

/// Puts something in the place of wardroom.db.
fn put(place: &Path, content: &[u8], mode: u32) {
    let file = place.join("wardroom.db");
    let _ = fs::remove_file(&file);
    fs::write(&file, content).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
}

/// A file of SQLite's with this program's mark and no table: what an interrupted `init` leaves.
fn without_tables(place: &Path) -> Vec<u8> {
    let path = place.join("made.db");
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch("PRAGMA application_id = 0x5752444d").unwrap();
    drop(made);
    fs::read(path).unwrap()
}

/// Guards against "already holds an account database" about a file that holds none. Nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn init_says_what_it_found_and_what_helps() {
    let source = Database::new(Backend::Sqlite).await;
    works(&source, &["user", "add", "root", "--admin"]);
    let file = archive(&source);
    works(&source, &["backup", text(&file)]);
    let healthy = fs::read(data(&source).join("wardroom.db")).unwrap();
    let mut foreign = healthy.clone();
    foreign[68..72].fill(0);
    let place = tempfile::tempdir().unwrap();
    let unfinished = without_tables(place.path());
    let account = "already holds an account database: nothing was changed";
    let delete = "delete the file and run `wardroom init`";
    let restore = "restore the latest backup";
    for (content, mode, initialising, restoring) in [
        (&healthy[..], 0o600, account, "already holds an account database"),
        // The mode does not matter here.
        (&healthy[..], 0o644, account, "already holds an account database"),
        (b"", 0o600, delete, "holds a wardroom.db that is empty"),
        (b"", 0o644, delete, "holds a wardroom.db that is empty"),
        (&unfinished[..], 0o600, delete, "holds a wardroom.db that is empty"),
        (b"no database", 0o600, restore, "holds a wardroom.db that is damaged (the file is cut off"),
        (&[b'x'; 9000], 0o600, restore, "holds a wardroom.db that is damaged (it does not begin"),
        (
            &healthy[..healthy.len() / 2],
            0o600,
            restore,
            "holds a wardroom.db that is damaged (the file is shorter",
        ),
        (&foreign[..], 0o600, "is not a Wardroom database", "holds a wardroom.db of another program"),
    ] {
        let there = Database::empty(Backend::Sqlite).await;
        fs::create_dir_all(data(&there)).unwrap();
        put(&data(&there), content, mode);
        refused(&there, &["init"], 5, initialising);
        let ran = on(&source, &["move", "--to", text(&data(&there))], "");
        assert!(ran.code == 5 && ran.err.contains(initialising), "{}", ran.err);
        let ran = on(&there, &["restore", text(&file)], "");
        assert!(ran.code == 4 && ran.err.contains(restoring), "{}", ran.err);
        assert!(ran.err.contains("nothing was changed; give --replace"), "{}", ran.err);
        assert_eq!(fs::read(data(&there).join("wardroom.db")).unwrap(), content);
        assert_eq!(fs::read_dir(data(&there)).unwrap().count(), 1, "{initialising}");
        // The step that the message names.
        if initialising == delete {
            fs::remove_file(data(&there).join("wardroom.db")).unwrap();
            works(&there, &["init"]);
        } else if initialising == restore {
            works(&there, &["restore", text(&file), "--replace", "--accept-revived"]);
        }
    }
    let there = Database::empty(Backend::Sqlite).await;
    fs::create_dir_all(data(&there)).unwrap();
    symlink(data(&source).join("wardroom.db"), data(&there).join("wardroom.db")).unwrap();
    refused(&there, &["init"], 5, "is a symbolic link");
}

/// A file that cannot be read as it is can be compared after its mode was changed. That comes first, and the flag that
/// skips the comparison comes last.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_asks_for_chmod_before_it_offers_to_revive() {
    let database = Database::new(Backend::Sqlite).await;
    works(&database, &["user", "add", "root", "--admin"]);
    works(&database, &["user", "add", "bob"]);
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    works(&database, &["user", "disable", "bob"]);
    let there = data(&database).join("wardroom.db");
    fs::set_permissions(&there, Permissions::from_mode(0o644)).unwrap();
    let ran = on(&database, &["restore", text(&file), "--replace"], "");
    assert_eq!(ran.code, 4, "{}", ran.err);
    let step =
        format!("First: {0} can be read by every user of this machine: run `chmod o= {0}`.", there.display());
    let first = ran.err.find(&step).unwrap_or_else(|| panic!("{}", ran.err));
    let last = ran.err.find("--accept-revived").unwrap();
    assert!(first < last && ran.err.contains("If that is impossible: "), "{}", ran.err);
    let (_, command) = ran.err.split_once("run `").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
    // Now it is known what was closed.
    refused(&database, &["restore", text(&file), "--replace"], 4, "user deactivated: \"bob\"");
    // Damage does not pass.
    put(&data(&database), b"no database", 0o600);
    let ran = on(&database, &["restore", text(&file), "--replace"], "");
    assert!(!ran.err.contains("First: ") && ran.err.contains("Before you continue: "), "{}", ran.err);
}

both! {
    /// The command that a restore prints shows the old audit trail, whatever the environment says.
    async fn the_command_for_the_replaced_trail_works_as_printed(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "root", "--admin"]);
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        works(&database, &["user", "add", "later"]);
        let output = done(&database, &["restore", text(&file), "--replace"]).out;
        let (_, command) = output.split_once("Its audit trail: `").unwrap_or_else(|| panic!("{output}"));
        let (command, _) = command.split_once("`.").unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_wardroom"));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).env("PATH", program.parent().unwrap());
        if let Location::Postgres(url) = &database.location {
            shell.env("WARDROOM_DATABASE_URL", url);
            assert!(!command.contains("postgres"), "{command}");
        }
        let ran = shell.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.contains("later") && !said.contains("directory.restore"), "{command}: {said}");
    }
}

/// The reasons of all lines about answers.
fn reasons(process: Process) -> Vec<String> {
    process.signal("-TERM");
    let (_, log) = process.end();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| line["reason"].as_str().map(str::to_owned)).collect()
}

both! {
    /// Guards against "the database is not available: the database is not available: ...".
    async fn an_outage_is_named_once(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "root", "--admin"]);
        let key = on(&database, &["token", "issue", "root", "--name", "t", "--json"], "").json();
        let mut process = serve(&database, &["--access-log", "all"]);
        let address = process.address("listening");
        let send = |path: &str| Request::new(address, "GET", path).token(key["key"].as_str().unwrap()).send();
        assert_eq!(send("/api/users/me").await.status, 200);
        database.make_unavailable().await;
        for path in ["/readyz", "/api/users/me", "/api/users"] {
            while send(path).await.status != 503 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        let reasons = reasons(process);
        assert!(reasons.iter().any(|reason| reason.starts_with("not ready: ")), "{reasons:?}");
        for reason in reasons {
            let parts: Vec<_> = reason.split(": ").collect();
            let stutters = parts.iter().enumerate().any(|(at, part)| parts[..at].contains(part));
            assert!(!stutters && reason.matches("not available").count() <= 1, "{reason}");
        }
    }
}

/// Guards against a `doctor` that finds nothing where a server could change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_the_rights_that_a_server_lacks() {
    let database = Database::new(Backend::Postgres).await;
    works(&database, &["user", "add", "root", "--admin"]);
    let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
    assert!(works(&database, &["doctor"]).out.contains("may read and write"));
    let role = database.texts("SELECT 'reader_' || CAST(current_database() AS TEXT)").await.remove(0);
    connect(&server()).await.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await.unwrap();
    database.sql(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
    // A table of another program is none of its business.
    database.sql("CREATE TABLE ours (id int)").await;
    let limited = Database::at(&url.replace("://wardroom@", &format!("://{role}@")));
    let finding = || {
        let ran = on(&limited, &["doctor", "--json"], "");
        let found =
            ran.json().as_array().unwrap().iter().find(|row| row["check"] == "rights").cloned().unwrap();
        (ran.code, found["verdict"].as_str().unwrap().to_owned(), found["text"].as_str().unwrap().to_owned())
    };
    let (code, verdict, said) = finding();
    assert_eq!((code, verdict.as_str()), (1, "fault"), "{said}");
    let (_, statements) = said.split_once("run ").unwrap();
    assert!(statements.contains("GRANT SELECT, INSERT ON public.audit_events TO "), "{said}");
    assert!(statements.contains("public.users") && !statements.contains("ours"), "{said}");
    assert_ne!(on(&limited, &["user", "add", "ann"], "").code, 0);
    database.sql(statements).await;
    let (code, verdict, said) = finding();
    assert_eq!((code, verdict.as_str()), (0, "ok"), "{said}");
    works(&limited, &["user", "add", "ann"]);
    works(&limited, &["user", "edit", "ann", "--staff", "true"]);
    works(&limited, &["user", "delete", "ann", "--yes"]);
    drop(limited);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
