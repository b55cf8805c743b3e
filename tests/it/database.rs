//! Creating and opening databases: a missing, damaged or foreign file is never replaced by a new one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wardroom::directory::{Clock, Directory, Location};

use crate::support::{Backend, Database, both};

async fn opening(database: &Database) -> String {
    match Directory::open(&database.settings(), Clock::system().unwrap()).await {
        Ok(_) => "opened".into(),
        Err(error) => error.to_string(),
    }
}

async fn creating(database: &Database) -> String {
    match Directory::create(&database.settings(), &Clock::system().unwrap()).await {
        Ok(()) => "created".into(),
        Err(error) => error.to_string(),
    }
}

fn file(database: &Database) -> PathBuf {
    let Location::Sqlite(directory) = &database.location else { panic!("not SQLite") };
    directory.join("wardroom.db")
}

/// Reads every file of a directory.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory) else { return vec![] };
    let mut all: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

both! {
    async fn a_directory_is_made_once_and_only_on_request(backend: Backend) {
        let database = Database::empty(backend).await;
        let missing = opening(&database).await;
        assert!(missing.contains("wardroom init"), "{missing}");
        assert!(backend == Backend::Postgres || !file(&database).exists());
        assert_eq!(creating(&database).await, "created");
        assert_eq!(opening(&database).await, "opened");
        let again = creating(&database).await;
        assert!(again.contains("already holds an account database: nothing was changed"), "{again}");
        assert_eq!(Directory::migrate(&database.settings(), &Clock::system().unwrap()).await.unwrap(), Vec::<i64>::new());
    }
}

both! {
    async fn another_schema_is_refused(backend: Backend) {
        let database = Database::new(backend).await;
        database.sql("INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (999, 'later', '', 0)").await;
        let known = fs::read_dir("migrations/sqlite").unwrap().count();
        assert_eq!(opening(&database).await, format!("the database has schema version 999, this program knows {known}: use the newer program that upgraded it"));
        database.sql("DELETE FROM schema_migrations WHERE version = 999; UPDATE schema_migrations SET checksum = 'x'").await;
        assert!(opening(&database).await.starts_with("migration 1 in the database differs"));
        database.sql("DELETE FROM schema_migrations").await;
        assert!(opening(&database).await.contains("then run `wardroom migrate`"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readable_database_is_refused() {
    let database = Database::new(Backend::Sqlite).await;
    let file = file(&database);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let message = opening(&database).await;
    assert!(message.contains("can be read by every user") && message.contains("chmod o="), "{message}");
}

/// Damaged, foreign and unfinished files get different messages, and none is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_named_and_left_alone() {
    let foreign = {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.db");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
            .unwrap();
        fs::read(path).unwrap()
    };
    let database = Database::new(Backend::Sqlite).await;
    rusqlite::Connection::open(file(&database))
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let whole = fs::read(file(&database)).unwrap();
    let mut scrambled = whole.clone();
    scrambled[..16].copy_from_slice(b"not a database!!");
    for (about, content, expected) in [
        ("empty", vec![], "was never finished"),
        ("half a header", whole[..50].to_vec(), "is damaged (the file is cut off inside its header)"),
        (
            "half a file",
            whole[..whole.len() / 2].to_vec(),
            "is damaged (the file is shorter than its header says)",
        ),
        ("scrambled", scrambled, "is damaged (it does not begin as a SQLite database does)"),
        ("foreign", foreign, "is not a Wardroom database"),
    ] {
        let path = file(&database);
        fs::write(&path, &content).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
        let before = contents(path.parent().unwrap());
        let error = opening(&database).await;
        assert!(error.contains(expected), "{about}: {error}");
        assert_eq!(contents(path.parent().unwrap()), before, "{about}: something was changed");
    }
}

/// A process may be killed, or the machine stop, while a checkpoint makes the file longer. Then the header already
/// has the new length. The log has everything, and nothing that was acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_was_cut_off_is_put_right() {
    let database = Database::new(Backend::Sqlite).await;
    let path = file(&database);
    let log = path.with_file_name("wardroom.db-wal");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0").unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let events = "WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 2000) \
         INSERT INTO audit_events (at, actor_kind, actor_name, action, object_kind, object_name, changes, previous_hash, hash) \
         SELECT value, 'operator', '', 'x', 'directory', '', printf('%100d', value), x'', x'' FROM n";
    connection.execute_batch(events).unwrap();
    let kept = fs::read(&log).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() as u64 > before, "the checkpoint has made the file longer");
    fs::write(&path, &whole[..usize::try_from(before).unwrap()]).unwrap();
    fs::write(&log, kept).unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    let _ = fs::remove_file(path.with_file_name("wardroom.db-shm"));
    let directory = database.open(&Clock::system().unwrap()).await;
    assert_eq!(database.number("SELECT count(*) FROM audit_events WHERE action = 'x'").await, 2000);
    assert!(directory.check_integrity().await.unwrap().is_clean());
}

/// An overwritten page of the schema is found when the database is opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_reported() {
    let database = Database::new(Backend::Sqlite).await;
    let path = file(&database);
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut content = fs::read(&path).unwrap();
    content[100..4096].fill(0xff);
    fs::write(&path, content).unwrap();
    let message = opening(&database).await;
    assert!(message.contains("is damaged") && message.contains("restore the latest backup"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_directory_is_not_mixed_with_other_files() {
    let database = Database::empty(Backend::Sqlite).await;
    let Location::Sqlite(directory) = &database.location else { panic!("not SQLite") };
    fs::create_dir(directory).unwrap();
    fs::write(directory.join("letter.txt"), "dear").unwrap();
    let message = creating(&database).await;
    assert!(message.contains("is not empty"), "{message}");
    assert_eq!(contents(directory).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_used_is_reported() {
    let database = Database::empty(Backend::Sqlite).await;
    let Location::Sqlite(directory) = &database.location else { panic!("not SQLite") };
    fs::write(directory, "a file where the directory should be").unwrap();
    for (message, cause) in [
        (opening(&database).await, "is a file and not a directory"),
        (creating(&database).await, "with this name is there already"),
    ] {
        assert!(message.contains("cannot be used") && message.contains(cause), "{message}");
    }
}

/// A server that is not there is reported at once, with a remedy.
#[tokio::test(flavor = "multi_thread")]
async fn an_absent_postgres_is_reported() {
    let place = Database::empty(Backend::Sqlite).await;
    let mut settings = place.settings();
    settings.location = Location::Postgres("postgres://nobody@127.0.0.1:1/none".into());
    let error = Directory::open(&settings, Clock::system().unwrap()).await.err().unwrap().to_string();
    assert!(error.starts_with("the database cannot be reached") && error.contains("check"), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
    // An error message of a server that answers is quoted.
    let Location::Postgres(url) = &Database::empty(Backend::Postgres).await.location else {
        panic!("not PostgreSQL")
    };
    settings.location = Location::Postgres(format!("{url}_of_nobody"));
    let error = Directory::open(&settings, Clock::system().unwrap()).await.err().unwrap().to_string();
    assert!(error.contains("_of_nobody\" does not exist"), "{error}");
}
