//! SQLite's file and its log: the log gets short again, the file alone is complete after a stop, and a damaged file stays
//! as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wardroom::directory::{Clock, Location};

use crate::backup::{archive, works};
use crate::cli::on;
use crate::process::{Process, serve};
use crate::support::site::person;
use crate::support::{Backend, Database, Request, Site};

fn place(database: &Database) -> PathBuf {
    let Location::Sqlite(directory) = &database.location else { panic!("not SQLite") };
    directory.clone()
}

fn log_length(database: &Database) -> u64 {
    fs::metadata(place(database).join("wardroom.db-wal")).map_or(0, |log| log.len())
}

/// Guards against a log that keeps the length that it had during a long read: 469 MB in one case.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_gets_short_again_after_a_long_read() {
    const LONG: u64 = 64 * 1024 * 1024;
    let site = Site::start(Backend::Sqlite).await;
    let file = place(&site.database).join("wardroom.db");
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    while log_length(&site.database) <= LONG {
        other.execute_batch("UPDATE groups SET notes = hex(randomblob(4000000)) WHERE id = 1").unwrap();
    }
    other.execute_batch("UPDATE groups SET notes = '' WHERE id = 1").unwrap();
    drop(other);
    let rename = async |name: &str| {
        let body = format!(r#"{{"last_name":"{name}"}}"#);
        let path = format!("/api/users/{}", site.plain.id);
        let request = site.request("PATCH", &path).token(&site.admin.key).body("application/json", body);
        assert_eq!(request.send().await.status, 200);
    };
    // The program notices that the log is long, and cannot do anything about it yet.
    rename("during").await;
    assert!(log_length(&site.database) > LONG);
    drop(reader);
    let begun = Instant::now();
    while log_length(&site.database) > LONG / 2 {
        assert!(begun.elapsed() < Duration::from_mins(1), "the log keeps its length");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rename("after").await;
    assert!(log_length(&site.database) < LONG / 2);
}

/// A copy of the database file, without its log.
async fn file_alone(database: &Database) -> Database {
    let copy = database.place().join("alone");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    fs::copy(place(database).join("wardroom.db"), copy.join("wardroom.db")).unwrap();
    let copy = Database::in_directory(&copy);
    assert_eq!(copy.texts("PRAGMA integrity_check").await, ["ok"]);
    copy
}

/// Guards against a copy of `wardroom.db` that lacks the last changes, which were in the log.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_alone_is_complete_after_each_command() {
    let database = Database::empty(Backend::Sqlite).await;
    let people = database.place().join("people.csv");
    fs::write(&people, "username\ncsv1\ncsv2\n").unwrap();
    let people = people.to_str().unwrap();
    for command in [
        &["init"] as &[&str],
        &["import", "csv", "--from", people],
        &["user", "add", "ann", "--admin"],
        &["group", "add", "Billing"],
        &["group", "add-member", "Billing", "ann"],
        &["token", "issue", "ann", "--name", "first"],
        &["user", "edit", "csv1", "--first-name", "New"],
        &["user", "delete", "csv2", "--yes"],
        &["migrate"],
        &["doctor"],
    ] {
        let ran = on(&database, command, "");
        assert!(ran.code == 0 || command == ["doctor"], "{command:?}: {} {}", ran.out, ran.err);
        assert_eq!(log_length(&database), 0, "{command:?}");
        let alone = file_alone(&database).await.content().await;
        assert_eq!(alone, database.content().await, "{command:?}");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 2);
}

/// A server with a user, who is renamed; its log has what is not in the file.
async fn written_server(database: &Database) -> (Process, String) {
    let directory = database.open(&Clock::system().unwrap()).await;
    let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
    drop(directory);
    let mut process = serve(database, &[]);
    let address = process.address("listening");
    let path = format!("/api/users/{}", admin.id);
    let body = r#"{"last_name":"written"}"#;
    let request =
        Request::new(address, "PATCH", &path).token(&admin.key).body("application/json", body).send().await;
    assert_eq!(request.status, 200, "{request}");
    (process, admin.key)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_alone_is_complete_after_a_server_stops() {
    for is_killed_first in [false, true] {
        let database = Database::new(Backend::Sqlite).await;
        let (mut process, _) = written_server(&database).await;
        if is_killed_first {
            process.signal("-KILL");
            drop(process);
            assert!(log_length(&database) > 0, "what was written is in the log");
            // A server that writes nothing by itself completes the file, too.
            process = serve(&database, &[]);
            process.address("listening");
        }
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(log_length(&database), 0);
        let alone = file_alone(&database).await;
        assert_eq!(alone.texts("SELECT last_name FROM users").await, ["written"]);
        assert_eq!(alone.content().await, database.content().await);
    }
}

/// The bytes of the database file and of its log.
fn bytes(directory: &Path) -> [Option<Vec<u8>>; 2] {
    ["wardroom.db", "wardroom.db-wal"].map(|name| fs::read(directory.join(name)).ok())
}

/// Damages a database file of several pages.
fn damage(kind: &str, file: &mut Vec<u8>) {
    let page = |number: usize| (number - 1) * 4096..number * 4096;
    match kind {
        "no content" => file.clear(),
        "only a header" => file.truncate(100),
        "half of it" => file.truncate(file.len() / 8192 * 4096),
        "a schema of zeros" => file[100..4096].fill(0),
        "a schema of noise" => file[100..4096].fill(0xa5),
        "zeros in the middle" => (3..20).for_each(|number| file[page(number)].fill(0)),
        "noise from the second page on" => file[4096..].fill(0xa5),
        _ => panic!("{kind}"),
    }
}

/// Guards against a database or a log that is changed by looking at it: SQLite copies the log into the file when the last
/// connection closes, and removes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_and_its_log_stay_as_they_are() {
    let whole = Database::new(Backend::Sqlite).await;
    let (process, _) = written_server(&whole).await;
    process.signal("-KILL");
    drop(process);
    let [Some(file), Some(log)] = bytes(&place(&whole)) else { panic!("no log") };
    assert!(file.len() > 20 * 4096 && log.len() > 32);
    let backup = archive(&whole).display().to_string();
    let out = whole.place().join("out").display().to_string();
    let mut refused = 0;
    for kind in [
        "no content",
        "only a header",
        "half of it",
        "a schema of zeros",
        "a schema of noise",
        "zeros in the middle",
        "noise from the second page on",
    ] {
        for has_log in [true, false] {
            let directory = whole.place().join("damaged");
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir(&directory).unwrap();
            let mut damaged = file.clone();
            damage(kind, &mut damaged);
            let [db, wal] = ["wardroom.db", "wardroom.db-wal"].map(|name| directory.join(name));
            fs::write(&db, damaged).unwrap();
            if has_log {
                fs::write(&wal, &log).unwrap();
            }
            for path in [&db, &wal] {
                if path.exists() {
                    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                }
            }
            let before = bytes(&directory);
            let database = Database::in_directory(&directory);
            for command in [
                &["doctor"] as &[&str],
                &["init"],
                &["backup", &backup, "--replace"],
                &["user", "list"],
                &["export", "--output", &out, "--replace"],
                &["audit", "verify"],
                &["migrate"],
            ] {
                let ran = on(&database, command, "");
                let said = format!("{kind}, log {has_log}, {command:?}: {} {}", ran.out, ran.err);
                assert!(!said.contains("panicked"), "{said}");
                refused += u32::from(ran.code != 0);
                let after = bytes(&directory);
                assert!(after[0] == before[0], "the file was changed: {said}");
                // An empty log may come; one that has something stays.
                let kept = |log: &Option<Vec<u8>>| log.clone().unwrap_or_default();
                assert!(kept(&after[1]) == kept(&before[1]), "the log was changed: {said}");
                if kind == "no content" && has_log && command[0] != "init" {
                    assert!(said.contains("wardroom.db-wal beside it is not"), "{said}");
                    assert!(!said.contains("delete"), "{said}");
                }
            }
            let start = serve_until_it_ends(&database).await;
            if let Some(log) = start {
                assert!(
                    bytes(&directory)[0] == before[0],
                    "serve changed the file: {kind}, log {has_log}: {log}"
                );
            }
        }
    }
    assert!(refused > 60, "only {refused} commands noticed the damage");
}

/// Starts a server. Returns what it said if it does not start.
async fn serve_until_it_ends(database: &Database) -> Option<String> {
    let place = database.args();
    let mut command = crate::process::wardroom(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.args(place).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = String::new();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap());
    while std::io::BufRead::read_line(&mut lines, &mut log).unwrap() > 0 {
        if log.contains("listening") {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
    }
    assert!(!child.wait().unwrap().success());
    Some(log)
}

/// The advice for an unfinished file stays what it was where nothing is beside it.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_alone_may_be_deleted() {
    let database = Database::new(Backend::Sqlite).await;
    fs::write(place(&database).join("wardroom.db"), "").unwrap();
    let ran = on(&database, &["user", "list"], "");
    assert!(ran.err.contains("delete the file and run `wardroom init`"), "{}", ran.err);
    fs::remove_file(place(&database).join("wardroom.db")).unwrap();
    let _ = fs::remove_file(place(&database).join("wardroom.db-wal"));
    let _ = fs::remove_file(place(&database).join("wardroom.db-shm"));
    works(&database, &["init"]);
}
