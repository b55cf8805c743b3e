//! Backups and restores: a backup is of one moment and covers every byte; a restore overwrites nothing and makes
//! nothing valid again unnoticed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wardroom::directory::model::UserDraft;
use wardroom::directory::progress::Progress;
use wardroom::directory::transfer::backup::verify_backup;
use wardroom::directory::{Clock, Location};

use crate::cli::{Ran, on};
use crate::moving::fill_every_table;
use crate::support::site::operator;
use crate::support::{Backend, Database, Site, both};

pub fn works(database: &Database, args: &[&str]) -> Ran {
    let ran = on(database, args, "");
    assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
    ran
}

pub fn refused(database: &Database, args: &[&str], code: i32, expected: &str) {
    let ran = on(database, args, "");
    assert!(ran.code == code && ran.err.contains(expected), "{args:?}: {} {} {}", ran.code, ran.out, ran.err);
    assert_eq!(ran.out, "");
}

/// The arguments for an account database whose media files are in `data`.
pub fn data(database: &Database) -> PathBuf {
    match &database.location {
        Location::Sqlite(directory) => directory.clone(),
        Location::Postgres(_) => database.place().join("data"),
    }
}

/// A command for a database whose data directory, for media files, is the test's own.
pub fn beside(database: &Database, args: &[&str]) -> Ran {
    let data = data(database).display().to_string();
    let all: Vec<&str> = args.iter().copied().chain(["--data-dir", data.as_str()]).collect();
    match database.location {
        Location::Sqlite(_) => on(database, args, ""),
        Location::Postgres(_) => on(database, &all, ""),
    }
}

pub fn done(database: &Database, args: &[&str]) -> Ran {
    let ran = beside(database, args);
    assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
    ran
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn archive(database: &Database) -> PathBuf {
    database.place().join("backup.tar")
}

/// The content of an account database, except the events about restores.
async fn content(database: &Database) -> Vec<String> {
    let content = database.content().await;
    content
        .into_iter()
        .filter(|row| {
            !row.contains("directory.restore")
                && !row.starts_with("audit_events ")
                && !row.starts_with("audit_events_id_seq")
        })
        .collect()
}

async fn check(file: &Path) -> Result<(), String> {
    let checked =
        verify_backup(&operator(), file.to_owned(), &Clock::system().unwrap(), Progress::default()).await;
    let checked = checked.map_err(|trouble| trouble.to_string())?;
    let faults = checked.faults.into_iter().chain(checked.miscounted).chain(checked.broken_trail);
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

both! {
    /// A backup from either database is restored into either.
    async fn what_was_backed_up_is_restored(backend: Backend) {
        let database = Database::new(backend).await;
        let key = fill_every_table(&database).await;
        let media = data(&database).join("media");
        let long = format!("deep/{}/{}.png", "a".repeat(120), "ü".repeat(60));
        for (name, content) in [("avatars/a b.png", "one"), (long.as_str(), "two"), ("empty", "")] {
            fs::create_dir_all(media.join(name).parent().unwrap()).unwrap();
            fs::write(media.join(name), content).unwrap();
        }
        symlink("/etc/passwd", media.join("avatars/link")).unwrap();
        symlink("/etc", media.join("room")).unwrap();
        let file = archive(&database);
        let output = done(&database, &["backup", text(&file)]).out;
        for part in ["3 media files", "Warning: left out", "avatars/link: a symbolic link", "media/room: a symbolic link"] {
            assert!(output.contains(part), "{output}");
        }
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let listed = Command::new("tar").arg("tf").arg(&file).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.starts_with("wardroom.db\nmedia/avatars/a b.png\n") && listed.ends_with("manifest.json\nSHA256\n"), "{listed}");
        let verified = done(&database, &["backup", "verify", text(&file), "--json"]).json();
        assert_eq!((&verified["manifest"]["users"], &verified["faults"]), (&4.into(), &serde_json::json!([])));
        let before = content(&database).await;
        for other in [Backend::Sqlite, Backend::Postgres] {
            let place = Database::empty(other).await;
            fs::create_dir_all(data(&place)).unwrap();
            assert!(done(&place, &["restore", text(&file), "--accept-revived"]).out.contains("4 users"));
            let directory = place.open(&Clock::system().unwrap()).await;
            assert_eq!(directory.authenticate(&key, None).await.unwrap().user.username, "ann");
            assert_eq!(directory.verify_audit(&operator(), None).await.unwrap().broken, None);
            assert!(directory.check_integrity().await.unwrap().is_clean());
            assert_eq!(place.number("SELECT count(*) FROM audit_events WHERE action = 'directory.restore'").await, 1);
            if other == backend {
                assert_eq!(content(&place).await, before);
            }
            let there = data(&place).join("media");
            assert_eq!(fs::read_to_string(there.join("avatars/a b.png")).unwrap(), "one");
            assert_eq!(fs::read_to_string(there.join(&long)).unwrap(), "two");
            assert!(!there.join("avatars/link").exists() && !there.join("room").exists());
            let left = fs::read_dir(data(&place)).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".wardroom-"));
            assert_eq!(left.count(), 0);
        }
    }
}

/// Every byte that is changed, cut off or added is found.
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_is_covered() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    fs::create_dir_all(data(&database).join("media")).unwrap();
    fs::write(data(&database).join("media/odd.bin"), "odd").unwrap();
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    let whole = fs::read(&file).unwrap();
    check(&file).await.unwrap();
    let damaged = database.place().join("damaged.tar");
    let length = whole.len();
    // All of the end, where no checksum reaches but the content is known, and a sample of the rest, which differs in
    // each run.
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let sample = (0..400_u128)
        .map(|number| usize::try_from((seed.wrapping_mul(number * 2 + 1) >> 7) % length as u128).unwrap());
    for place in (length - 2100..length).chain(sample).chain([0, 100, 156, 257, 511, 512]) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&damaged, bytes).unwrap();
        assert!(
            check(&damaged).await.is_err(),
            "the byte at {place} of {length} was changed unseen (seed {seed})"
        );
    }
    for bytes in [
        &whole[..length - 1],
        &whole[..length - 512],
        &whole[..length - 2048],
        &whole[..length / 2],
        &whole[..10],
        &[],
        &[&whole[..], b"\0"].concat(),
        &[&whole[..], &[0; 512]].concat(),
        &[&whole[..512], &whole[..]].concat(),
    ] {
        fs::write(&damaged, bytes).unwrap();
        assert!(check(&damaged).await.is_err(), "{} of {length} bytes passed", bytes.len());
    }
    fs::write(&damaged, &whole).unwrap();
    check(&damaged).await.unwrap();
}

both! {
    /// If a writer always changes two things together, no backup has one without the other.
    async fn a_backup_is_of_one_moment(backend: Backend) {
        let database = Arc::new(Database::new(backend).await);
        fill_every_table(&database).await;
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let stopping = Stop(Arc::clone(&stop));
        let writer = {
            let (database, stop, written) = (Arc::clone(&database), Arc::clone(&stop), Arc::clone(&written));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let number = written.fetch_add(1, Ordering::SeqCst);
                    // The first and the last table that is read, and one that is written early and read late.
                    database.sql(&format!(
                        "BEGIN; UPDATE users SET gender = '{number}'; INSERT INTO known_addresses VALUES (7, 'n{number}', {number}); \
                         UPDATE groups SET notes = '{number}'; COMMIT"
                    )).await;
                }
            })
        };
        for round in 0..5 {
            let before = written.load(Ordering::SeqCst);
            while written.load(Ordering::SeqCst) < before + 3 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let file = database.place().join(format!("{round}.tar"));
            works(&database, &["backup", text(&file)]);
            let copy = Database::empty(Backend::Sqlite).await;
            works(&copy, &["restore", text(&file), "--accept-revived"]);
            let seen = copy.texts("SELECT DISTINCT gender FROM users UNION SELECT DISTINCT notes FROM groups UNION SELECT CAST(max(used_at) AS TEXT) FROM known_addresses WHERE network LIKE 'n%'").await;
            assert_eq!(seen.len(), 1, "{seen:?}");
        }
        drop(stopping);
        writer.await.unwrap();
    }
}

/// Sends the stop signal when it is dropped, also after a failure.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

both! {
    /// Nothing is overwritten without a flag, and as much of the old data as possible is kept.
    async fn a_directory_is_only_replaced_on_request(backend: Backend) {
        let database = Database::new(backend).await;
        let key = fill_every_table(&database).await;
        let media = data(&database).join("media");
        fs::create_dir_all(&media).unwrap();
        fs::write(media.join("a.png"), "then").unwrap();
        fs::write(media.join("same.png"), "same").unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        let bytes = fs::read(&file).unwrap();
        let again = beside(&database, &["backup", text(&file)]);
        assert!(again.code == 4 && again.err.contains("is there already: nothing was written"), "{}", again.err);
        assert_eq!(fs::read(&file).unwrap(), bytes);
        let then = content(&database).await;
        works(&database, &["user", "add", "later"]);
        fs::write(media.join("a.png"), "now").unwrap();
        fs::write(media.join("b.png"), "other").unwrap();
        let now = database.content().await;
        let ran = beside(&database, &["restore", text(&file)]);
        assert!(ran.code == 4 && ran.err.contains("already holds an account database: nothing was changed"), "{}", ran.err);
        assert_eq!(database.content().await, now);
        assert_eq!(fs::read_to_string(media.join("a.png")).unwrap(), "now");
        let report = done(&database, &["restore", text(&file), "--replace", "--json"]).json();
        assert_eq!((&report["closed_since"], &report["media_files_written"]), (&serde_json::json!([]), &1.into()));
        let restored: Vec<_> = content(&database).await;
        // The id of `later` is not assigned again, so the ids continue after it.
        let rows = |content: &[String]| content.iter().filter(|row| row.contains(": ")).cloned().collect::<Vec<_>>();
        assert_eq!(rows(&restored), rows(&then));
        assert_ne!(restored, then);
        for (name, held) in [("a.png", "then"), ("b.png", "other"), ("same.png", "same")] {
            assert_eq!(fs::read_to_string(media.join(name)).unwrap(), held);
        }
        let directory = database.open(&Clock::system().unwrap()).await;
        assert!(directory.authenticate(&key, None).await.is_ok());
        let kept = Database::in_directory(Path::new(report["kept"].as_str().unwrap()));
        assert!(works(&kept, &["user", "list"]).out.contains("later"));
        assert!(works(&kept, &["audit", "list"]).out.contains("later"));
        assert_eq!(fs::metadata(data(&kept)).unwrap().mode() & 0o777, 0o700);
    }
}

/// A database that cannot be read any more does not prevent a restore, but the restore says what is not known.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_directory_is_replaced() {
    let database = Database::new(Backend::Sqlite).await;
    let key = fill_every_table(&database).await;
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    for damage in [&b"not a database at all"[..], &[0xff; 5000]] {
        fs::write(data(&database).join("wardroom.db"), damage).unwrap();
        // A log of the old file, which must not be used as one of the new file.
        fs::write(data(&database).join("wardroom.db-wal"), "log").unwrap();
        refused(&database, &["restore", text(&file)], 4, "holds a wardroom.db that is damaged");
        fs::set_permissions(data(&database).join("wardroom.db-wal"), fs::Permissions::from_mode(0o600))
            .unwrap();
        refused(
            &database,
            &["restore", text(&file), "--replace", "--keep-revoked"],
            4,
            "it is not known what was closed",
        );
        refused(&database, &["restore", text(&file), "--replace", "--revive-revoked"], 4, "--accept-revived");
        let report =
            works(&database, &["restore", text(&file), "--replace", "--accept-revived", "--json"]).json();
        assert_eq!(report["comparison"], "none");
        assert!(report["not_compared"].as_str().unwrap().contains("is damaged"), "{report}");
        assert!(database.open(&Clock::system().unwrap()).await.authenticate(&key, None).await.is_ok());
        let kept = Path::new(report["kept"].as_str().unwrap());
        assert_eq!(fs::read(kept.join("wardroom.db")).unwrap(), damage);
        assert_eq!(fs::read(kept.join("wardroom.db-wal")).unwrap(), b"log");
    }
}

/// A SQLite database that a server uses is not replaced under it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_not_replaced() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    let mut server = Command::new(env!("CARGO_BIN_EXE_wardroom"));
    server.args(["serve", "--listen", "127.0.0.1:0"]).args(database.args()).stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut seen = Vec::new();
    let mut log = server.stderr.take().unwrap();
    while !String::from_utf8_lossy(&seen).contains("\"listening\"") {
        let mut chunk = [0; 4096];
        let read = log.read(&mut chunk).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..read]);
    }
    // A backup can be made while it runs.
    works(&database, &["backup", text(&database.place().join("beside.tar"))]);
    refused(&database, &["restore", text(&file), "--replace"], 4, "is in use: stop the servers");
    server.kill().unwrap();
    server.wait().unwrap();
    works(&database, &["restore", text(&file), "--replace"]);
}

/// On PostgreSQL servers keep running, and see the change at once.
#[tokio::test(flavor = "multi_thread")]
async fn servers_see_a_restore_at_once() {
    let site = Site::start(Backend::Postgres).await;
    let file = archive(&site.database);
    works(&site.database, &["backup", text(&file)]);
    let later = on(&site.database, &["token", "issue", "admin", "--name", "later", "--json"], "").json();
    let later = later["key"].as_str().unwrap();
    works(&site.database, &["user", "edit", "admin", "--first-name", "Late"]);
    assert_eq!(site.me(later).send().await.status, 200);
    assert_eq!(site.me(&site.admin.key).send().await.json()["first_name"], "Late");
    works(&site.database, &["restore", text(&file), "--replace"]);
    assert_eq!(site.me(later).send().await.status, 401);
    assert_eq!(site.me(&site.admin.key).send().await.json()["first_name"], "");
    // The feed continues from there.
    works(&site.database, &["user", "disable", "staff"]);
    assert_eq!(site.me(&site.staff.key).send().await.status, 401);
}

/// A member of an archive: its name, its kind, its content.
pub type Part = (Vec<u8>, u8, Vec<u8>);

pub fn parts(file: &Path) -> Vec<Part> {
    let mut archive = tar::Archive::new(fs::File::open(file).unwrap());
    let parts = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path_bytes().into_owned(), b'0', content)
    });
    parts.filter(|(name, ..)| name != b"SHA256").collect()
}

/// Writes an archive with a correct seal, whatever its content. The manifest lists the members.
pub fn forge(file: &Path, mut parts: Vec<Part>) {
    let listed: Vec<_> = parts.iter().filter(|(name, ..)| name != b"manifest.json").map(|(name, _, content)| {
        serde_json::json!({ "name": String::from_utf8_lossy(name), "size": content.len(), "sha256": hex(content) })
    }).collect();
    for (name, _, content) in &mut parts {
        if name == b"manifest.json" {
            let mut manifest: serde_json::Value = serde_json::from_slice(content).unwrap();
            manifest["members"] = listed.clone().into();
            *content = manifest.to_string().into_bytes();
        }
    }
    let mut bytes = Vec::new();
    for (name, kind, content) in &parts {
        append(&mut bytes, name, *kind, content);
    }
    let seal = format!("{}\n", hex(&bytes));
    append(&mut bytes, b"SHA256", b'0', seal.as_bytes());
    bytes.extend_from_slice(&[0; 1024]);
    fs::write(file, bytes).unwrap();
}

pub fn append(bytes: &mut Vec<u8>, name: &[u8], kind: u8, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    if kind == b'2' {
        header.set_link_name_literal("/etc/passwd").unwrap();
    }
    header.set_cksum();
    bytes.write_all(header.as_bytes()).unwrap();
    bytes.write_all(content).unwrap();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Handmade archives with a correct seal are refused, and no file leaves its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_archive_is_refused() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    let good = parts(&file);
    let forged = database.place().join("forged.tar");
    // The forgery itself works: an archive in which nothing is changed passes.
    forge(&forged, good.clone());
    check(&forged).await.unwrap();
    let with = |name: &str, kind: u8| {
        let mut parts = good.clone();
        parts.push((name.as_bytes().to_vec(), kind, if kind == b'0' { b"x".to_vec() } else { vec![] }));
        parts
    };
    let changed = |change: &dyn Fn(&mut Part)| {
        let mut parts = good.clone();
        parts.iter_mut().for_each(change);
        parts
    };
    let manifest = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        changed(&move |part| {
            if part.0 == b"manifest.json" {
                part.2 = String::from_utf8(part.2.clone()).unwrap().replace(&from, &to).into_bytes();
            }
        })
    };
    for (about, parts, expected) in [
        ("up and away", with("media/../../escaped", b'0'), "has a name that is not allowed"),
        ("absolute", with("/tmp/escaped", b'0'), "has a name that is not allowed"),
        ("absolute below media", with("media//escaped", b'0'), "has a name that is not allowed"),
        ("a dot", with("media/./escaped", b'0'), "has a name that is not allowed"),
        ("beside the database", with("wardroom.db-wal", b'0'), "has a name that is not allowed"),
        ("media itself", with("media/", b'0'), "has a name that is not allowed"),
        ("a link", with("media/link", b'2'), "is not a regular file"),
        ("a hard link", with("media/link", b'1'), "is not a regular file"),
        ("a device", with("media/device", b'3'), "is not a regular file"),
        ("a directory", with("media/room/", b'5'), "is not a regular file"),
        ("twice", [good.clone(), vec![(b"wardroom.db".to_vec(), b'0', vec![])]].concat(), "occurs twice"),
        ("no manifest", good[..1].to_vec(), "it contains no manifest"),
        ("another form", manifest("\"format\": 1", "\"format\": 2"), "the format of another release"),
        ("no numbers", manifest("\"users\": 4", "\"users\": \"4\""), "invalid type"),
        ("other numbers", manifest("\"users\": 4", "\"users\": 5"), "number of rows differs"),
        (
            "another head",
            manifest("\"audit_head\": \"", "\"audit_head\": \"0"),
            "end of the audit trail differs",
        ),
        (
            "no database",
            changed(&|part| {
                if part.0 == b"wardroom.db" {
                    part.2 = b"SQLite format 3\0 or not".to_vec();
                }
            }),
            "holds a database that cannot be used",
        ),
        (
            "a hole in it",
            changed(&|part| {
                if part.0 == b"wardroom.db" {
                    let end = part.2.len();
                    part.2[end - 4096 * 40..end - 4096 * 5].fill(0xaa);
                }
            }),
            "",
        ),
    ] {
        forge(&forged, parts);
        let error = check(&forged).await.err().unwrap_or_else(|| panic!("{about} passed"));
        assert!(error.contains(expected), "{about}: {error}");
        let place = Database::empty(Backend::Sqlite).await;
        let ran = on(&place, &["restore", text(&forged)], "");
        assert!(ran.code != 0, "{about}: {}", ran.out);
        assert!(!data(&place).exists(), "{about}: {:?}", ran.err);
        assert!(!Path::new("/tmp/escaped").exists() && !place.place().join("escaped").exists());
    }
}

/// A backup with a newer schema needs a newer program.
#[tokio::test(flavor = "multi_thread")]
async fn another_schema_is_reported() {
    let database = Database::new(Backend::Sqlite).await;
    let file = archive(&database);
    works(&database, &["user", "add", "ann"]);
    works(&database, &["backup", text(&file)]);
    let mut parts = parts(&file);
    let copy = database.place().join("copy.db");
    fs::write(&copy, &parts[0].2).unwrap();
    let connection = rusqlite::Connection::open(&copy).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; INSERT INTO schema_migrations VALUES (999, 'later', '', 0)",
        )
        .unwrap();
    drop(connection);
    parts[0].2 = fs::read(&copy).unwrap();
    forge(&file, parts);
    refused(&database, &["restore", text(&file), "--replace"], 1, "schema version 999");
    refused(&database, &["backup", "verify", text(&file)], 1, "use the newer program");
}

/// A backup from before an upgrade is upgraded during the restore.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_upgraded() {
    let database = Database::new(Backend::Sqlite).await;
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    let mut parts = parts(&file);
    let old = database.place().join("old.db");
    let connection = rusqlite::Connection::open(&old).unwrap();
    let made = "PRAGMA application_id = 0x5752444d; CREATE TABLE schema_migrations (
        version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
    connection.execute_batch(made).unwrap();
    let mut migrations: Vec<_> =
        fs::read_dir("migrations/sqlite").unwrap().map(|entry| entry.unwrap().path()).collect();
    migrations.sort();
    let newest = migrations.last().unwrap().file_name().unwrap().to_str().unwrap();
    let known: i64 = newest.split('_').next().unwrap().parse().unwrap();
    for (version, path) in (1..).zip(&migrations[..3]) {
        let migration = fs::read_to_string(path).unwrap();
        connection.execute_batch(&migration).unwrap();
        let applied = "INSERT INTO schema_migrations VALUES (?1, 'x', ?2, 0)";
        connection.execute(applied, (version, hex(migration.as_bytes()))).unwrap();
    }
    connection
        .execute_batch(
            "INSERT INTO users VALUES (7, 'ann', 'ann', NULL, NULL, '', NULL, '', '', NULL, '!', 1, 0, 0, NULL, NULL, 0, 0, '')",
        )
        .unwrap();
    drop(connection);
    parts[0].2 = fs::read(&old).unwrap();
    let manifest = parts.last_mut().unwrap();
    manifest.2 =
        String::from_utf8(manifest.2.clone()).unwrap().replace("\"users\": 0", "\"users\": 1").into_bytes();
    forge(&file, parts);
    works(&database, &["backup", "verify", text(&file)]);
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let place = Database::empty(backend).await;
        works(&place, &["restore", text(&file), "--accept-revived"]);
        assert_eq!(place.number("SELECT max(version) FROM schema_migrations").await, known);
        assert!(works(&place, &["user", "list"]).out.contains("ann"));
    }
}

/// ValidationErrors in the account database are backed up as they are, and reported: they may be evidence.
#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_trail_is_backed_up_and_reported() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    database
        .sql("UPDATE audit_events SET actor_name = 'eve' WHERE id = 2; UPDATE groups SET users_count = 99")
        .await;
    let file = archive(&database);
    let ran = on(&database, &["backup", text(&file)], "");
    assert!(
        ran.code == 1
            && ran.out.contains("Fault in the database, copied unchanged: audit event 2: it was changed"),
        "{} {}",
        ran.out,
        ran.err
    );
    let ran = on(&database, &["backup", "verify", text(&file)], "");
    assert!(ran.code == 1 && ran.out.contains("audit event 2"), "{}", ran.out);
    assert!(ran.out.contains("repaired by a restore: group 1 is said to have 99 members"), "{}", ran.out);
    let ran = on(&database, &["doctor"], "");
    assert!(ran.code == 1 && ran.out.contains("repair it with: UPDATE groups SET"), "{}", ran.out);
    assert!(
        works(&database, &["restore", text(&file), "--replace"])
            .out
            .contains("the audit trail was already broken at the time of the backup")
    );
    assert!(on(&database, &["doctor"], "").out.contains("no damage found"));
}

both! {
    async fn misuse_is_reported_and_changes_nothing(backend: Backend) {
        let database = Database::new(backend).await;
        fill_every_table(&database).await;
        let before = database.content().await;
        let place = database.place().join("files");
        fs::create_dir(&place).unwrap();
        let name = |name: &str| place.join(name).display().to_string();
        fs::write(name("text"), "dear\n".repeat(1000)).unwrap();
        fs::write(name("empty"), "").unwrap();
        let other = Command::new("tar").args(["cf", &name("other.tar"), "-C", &name(""), "text"]).status().unwrap();
        assert!(other.success());
        for (args, code, expected) in [
            (vec!["backup"], 2, "<FILE>"),
            (vec!["backup", "verify"], 2, "<FILE>"),
            (vec!["restore"], 2, "<FILE>"),
            (vec!["backup", &name("missing/x.tar")], 1, "No such file or directory"),
            (vec!["backup", &name("")], 4, "is a directory: name a file"),
            (vec!["backup", &name(""), "--replace"], 4, "is a directory: name a file"),
            (vec!["backup", "verify", &name("missing")], 1, "No such file or directory"),
            (vec!["backup", "verify", &name("")], 1, "is not a backup that this program can use"),
            (vec!["backup", "verify", &name("text")], 1, "is not a backup that this program can use: it does not begin like one"),
            (vec!["backup", "verify", &name("empty")], 1, "is not a backup that this program can use"),
            (vec!["backup", "verify", &name("other.tar")], 1, "is not a backup that this program can use"),
            (vec!["restore", &name("missing"), "--replace"], 1, "No such file or directory"),
            (vec!["restore", &name("text"), "--replace"], 1, "is not a backup that this program can use"),
            (vec!["restore", "/dev/null", "--replace"], 1, "is not a backup that this program can use"),
        ] {
            refused(&database, &args, code, expected);
        }
        assert_eq!(database.content().await, before);
        let left: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}

/// A full disk, simulated by the limit on file sizes, gives a clear message and leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    let place = database.place().join("files");
    fs::create_dir(&place).unwrap();
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    // At the last size the copy of the database fits, but its archive does not.
    let last = (fs::metadata(&file).unwrap().len() / 1024 - 2).to_string();
    for blocks in ["1", "100", &last] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("bash");
        command
            .args(["-c", &script, "bash", env!("CARGO_BIN_EXE_wardroom"), "backup"])
            .arg(place.join("x.tar"))
            .args(database.args());
        let ran = command.output().unwrap();
        let message = String::from_utf8_lossy(&ran.stderr);
        assert!(matches!(ran.status.code(), Some(1 | 5)), "{blocks}: {:?} {message}", ran.status);
        assert!(message.contains("File too large") || message.contains("disk"), "{message}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }
}

both! {
    /// A restore that fails in the middle leaves everything unchanged.
    async fn a_failed_restore_changes_nothing(backend: Backend) {
        let source = Database::new(Backend::Sqlite).await;
        fill_every_table(&source).await;
        // No PostgreSQL row can store this, and no media file can replace a directory.
        source.sql("UPDATE users SET first_name = 'a' || char(0) WHERE id = 7").await;
        let media = data(&source).join("media");
        fs::create_dir_all(&media).unwrap();
        fs::write(media.join("a.png"), "a").unwrap();
        let file = archive(&source);
        works(&source, &["backup", text(&file)]);
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "ann"]);
        if backend == Backend::Sqlite {
            fs::create_dir_all(data(&database).join("media/a.png")).unwrap();
        } else {
            fs::create_dir_all(data(&database)).unwrap();
        }
        let before = database.content().await;
        let ran = beside(&database, &["restore", text(&file), "--replace", "--accept-revived"]);
        let expected = if backend == Backend::Sqlite { "is a directory here" } else { "table users, the rows from id 7 on" };
        assert!(ran.code != 0 && ran.err.contains(expected), "{} {}", ran.out, ran.err);
        assert_eq!(rows_of(&database).await, before.iter().filter(|row| row.contains(": ")).cloned().collect::<Vec<_>>());
        assert!(database.open(&Clock::system().unwrap()).await.create_user(&operator(), &UserDraft { username: Some("bob".into()), ..UserDraft::default() }, None).await.is_ok());
    }
}

async fn rows_of(database: &Database) -> Vec<String> {
    database.content().await.into_iter().filter(|row| row.contains(": ")).collect()
}

/// Media files are never written through a link, and no file with other content is overwritten by accident.
#[tokio::test(flavor = "multi_thread")]
async fn media_files_stay_in_their_place() {
    let source = Database::new(Backend::Sqlite).await;
    fill_every_table(&source).await;
    let media = data(&source).join("media");
    fs::create_dir_all(media.join("avatars")).unwrap();
    fs::write(media.join("avatars/a.png"), "a").unwrap();
    let file = archive(&source);
    works(&source, &["backup", text(&file)]);
    let place = Database::empty(Backend::Sqlite).await;
    let (there, away) = (data(&place).join("media"), place.place().join("away"));
    fs::create_dir_all(&there).unwrap();
    fs::create_dir(&away).unwrap();
    symlink(&away, there.join("avatars")).unwrap();
    refused(&place, &["restore", text(&file)], 4, "no media file is written through it");
    refused(&place, &["restore", text(&file), "--replace"], 4, "no media file is written through it");
    assert_eq!(fs::read_dir(&away).unwrap().count(), 0);
    fs::remove_file(there.join("avatars")).unwrap();
    fs::create_dir(there.join("avatars")).unwrap();
    fs::write(there.join("avatars/a.png"), "other").unwrap();
    refused(&place, &["restore", text(&file)], 4, "1 media files exist with other content");
    assert!(!data(&place).join("wardroom.db").exists());
    // A link in the place of a file is replaced, not followed.
    let target = away.join("target");
    fs::write(&target, "target").unwrap();
    fs::remove_file(there.join("avatars/a.png")).unwrap();
    symlink(&target, there.join("avatars/a.png")).unwrap();
    works(&place, &["restore", text(&file), "--replace", "--accept-revived"]);
    assert_eq!(
        (fs::read_to_string(there.join("avatars/a.png")).unwrap(), fs::read_to_string(&target).unwrap()),
        ("a".into(), "target".into())
    );
    assert!(fs::symlink_metadata(there.join("avatars/a.png")).unwrap().is_file());
    let mode = fs::metadata(data(&place).join("wardroom.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
