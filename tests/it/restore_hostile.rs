//! Archives made by an attacker, and directories that an attacker can reach. Foreign objects are refused by name, no
//! link is followed, and files get Wardroom's modes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode};
use wardroom::directory::{Clock, Location};

use crate::backup::{append, archive, data, done, forge, hex, parts, refused, text, works};
use crate::cli::on;
use crate::moving::fill_every_table;
use crate::support::{Backend, Database, both};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A copy of the database in an archive, changed by SQL.
fn with_sql(file: &Path, place: &Path, sql: &str) {
    let mut parts = parts(file);
    let copy = place.join("forged.db");
    fs::write(&copy, &parts[0].2).unwrap();
    let connection = rusqlite::Connection::open(&copy).unwrap();
    connection.execute_batch(&format!("PRAGMA journal_mode = DELETE; {sql}")).unwrap();
    drop(connection);
    parts[0].2 = fs::read(&copy).unwrap();
    forge(file, parts);
}

both! {
    /// Issue 13, low: anyone can seal an archive, and a trigger in it would be the attacker's code in Wardroom.
    async fn finding_low_what_is_not_ours_in_an_archive_s_schema_is_refused_by_name(backend: Backend) {
        let source = Database::new(Backend::Sqlite).await;
        fill_every_table(&source).await;
        let (good, forged) = (archive(&source), source.place().join("forged.tar"));
        works(&source, &["backup", text(&good)]);
        let place = Database::empty(backend).await;
        for (sql, expected) in [
            (
                "CREATE TRIGGER helpful AFTER UPDATE ON tokens BEGIN UPDATE users SET is_admin = 1; END",
                "the trigger \"helpful\" of \"tokens\" is not part of this program's schema",
            ),
            ("CREATE VIEW sight AS SELECT password FROM users", "the view \"sight\" is not part of this program's schema"),
            ("CREATE TABLE extra (x)", "the table \"extra\" is not part of this program's schema"),
            ("CREATE INDEX quick ON users (gender)", "the index \"quick\" of \"users\" is not part of this program's schema"),
            ("DROP TRIGGER tokens_changed", "the trigger \"tokens_changed\" is missing"),
            (
                "DROP TRIGGER tokens_changed; CREATE TRIGGER tokens_changed AFTER UPDATE OF name ON tokens BEGIN SELECT 1; END",
                "the trigger \"tokens_changed\" of \"tokens\" differs from this program's",
            ),
            (
                "ALTER TABLE users ADD COLUMN extra TEXT",
                "the table \"users\" differs from this program's",
            ),
        ] {
            fs::copy(&good, &forged).unwrap();
            with_sql(&forged, source.place(), sql);
            refused(&source, &["backup", "verify", text(&forged)], 1, expected);
            refused(&place, &["restore", text(&forged), "--accept-revived"], 1, expected);
        }
        // A name is quoted as a name, whatever its characters.
        with_sql(&forged, source.place(), "DROP TABLE IF EXISTS extra; CREATE VIEW \"a\u{1b}[2Jb\" AS SELECT 1");
        let ran = on(&source, &["backup", "verify", text(&forged)], "");
        assert!(ran.code == 1 && !ran.err.contains('\u{1b}') && ran.err.contains("\\u{1b}[2Jb"), "{}", ran.err);
        works(&place, &["restore", text(&good), "--accept-revived"]);
    }
}

/// The doctor reports foreign objects in a database, and a backup leaves them out, so that it can be restored. A move
/// copies only rows.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_objects_are_left_out_of_a_backup() {
    let database = Database::new(Backend::Sqlite).await;
    let key = fill_every_table(&database).await;
    database
        .sql("CREATE TRIGGER helpful AFTER UPDATE ON tokens BEGIN UPDATE users SET is_admin = 1; END")
        .await;
    let doctor = on(&database, &["doctor"], "");
    let expected = "the trigger \"helpful\" of \"tokens\" is not part of this program's schema";
    assert!(
        doctor.code == 1 && doctor.out.contains(expected) && doctor.out.contains("drop it"),
        "{}",
        doctor.out
    );
    let file = archive(&database);
    let ran = works(&database, &["backup", text(&file)]);
    assert!(ran.out.contains("Warning: left out") && ran.out.contains(expected), "{}", ran.out);
    works(&database, &["backup", "verify", text(&file)]);
    let (restored, moved) = (Database::empty(Backend::Sqlite).await, Database::empty(Backend::Sqlite).await);
    works(&restored, &["restore", text(&file), "--accept-revived"]);
    works(&database, &["move", "--to", text(&data(&moved))]);
    for place in [&restored, &moved] {
        assert_eq!(place.number("SELECT count(*) FROM sqlite_schema WHERE name = 'helpful'").await, 0);
        let directory = place.open(&Clock::system().unwrap()).await;
        assert!(directory.authenticate(&key, None).await.is_ok());
        assert!(directory.check_integrity().await.unwrap().is_clean());
    }
    let rows = |content: Vec<String>| -> Vec<String> {
        content.into_iter().filter(|row| row.contains(": ") && !row.contains("directory.restore")).collect()
    };
    assert_eq!(rows(restored.content().await), rows(database.content().await));
}

/// Restored files get Wardroom's modes, whatever the archive and the process's umask say.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_modes_do_not_come_from_the_archive() {
    let source = Database::new(Backend::Sqlite).await;
    fill_every_table(&source).await;
    let media = data(&source).join("media/avatars");
    fs::create_dir_all(&media).unwrap();
    for (name, mode) in [("a.png", 0o777), ("b.png", 0o600), ("c.png", 0o6755)] {
        fs::write(media.join(name), name).unwrap();
        set_mode(&media.join(name), mode);
    }
    let file = archive(&source);
    works(&source, &["backup", text(&file)]);
    let mut bytes = fs::read(&file).unwrap();
    // The archive's header says that the database is writable for all users.
    bytes[100..108].copy_from_slice(b"0007777\0");
    let sum: u32 =
        bytes[..148].iter().chain(&bytes[156..512]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let end = bytes.len() - 2048;
    bytes.truncate(end);
    let seal = format!("{}\n", hex(&bytes));
    append(&mut bytes, b"SHA256", b'0', seal.as_bytes());
    bytes.extend_from_slice(&[0; 1024]);
    fs::write(&file, bytes).unwrap();
    for umask in ["000", "022", "077"] {
        let place = Database::empty(Backend::Sqlite).await;
        let mut command = Command::new("bash");
        let script = format!("umask {umask}; exec \"$@\"");
        command.args([
            "-c",
            &script,
            "bash",
            env!("CARGO_BIN_EXE_wardroom"),
            "restore",
            text(&file),
            "--accept-revived",
        ]);
        let ran = command.args(place.args()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let there = data(&place);
        assert_eq!((mode(&there), mode(&there.join("wardroom.db"))), (0o700, 0o600), "umask {umask}");
        for room in ["media", "media/avatars"] {
            assert_eq!(mode(&there.join(room)), 0o755, "{room}, umask {umask}");
        }
        for name in ["a.png", "b.png", "c.png"] {
            assert_eq!(mode(&there.join("media/avatars").join(name)), 0o644, "{name}, umask {umask}");
        }
    }
}

/// Every command refuses a directory that all users may write to, and names it with the remedy.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_a_directory_that_others_may_write_is_refused() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    let there = data(&database);
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    let remedy = format!("run `chmod o-w {}`", there.canonicalize().unwrap().display());
    for open in [0o702, 0o777, 0o1777] {
        set_mode(&there, open);
        let other = database.place().join("other.tar");
        for args in [
            vec!["user", "list"],
            vec!["backup", text(&other)],
            vec!["restore", text(&file), "--replace", "--accept-revived"],
            vec!["serve", "--listen", "127.0.0.1:0"],
            vec!["migrate"],
            vec!["export"],
        ] {
            refused(&database, &args, 5, &remedy);
        }
        let doctor = on(&database, &["doctor"], "");
        assert!(doctor.code == 1 && doctor.out.contains(&remedy), "{}", doctor.out);
    }
    // A directory above it counts if others could rename entries in it.
    set_mode(&there, 0o755);
    set_mode(database.place(), 0o777);
    let remedy = format!("run `chmod o-w {}`", database.place().canonicalize().unwrap().display());
    refused(&database, &["user", "list"], 5, &remedy);
    for fine in [0o1777, 0o755] {
        set_mode(database.place(), fine);
        works(&database, &["user", "list"]);
    }
    // No backup is written there. A backup that is already there is checked elsewhere.
    let shared = database.place().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::copy(&file, shared.join("old.tar")).unwrap();
    set_mode(&shared, 0o777);
    let new = shared.join("new.tar");
    refused(&database, &["backup", text(&new)], 5, "shared can be written by every user");
    works(&database, &["backup", "verify", text(&shared.join("old.tar"))]);
    set_mode(&shared, 0o1777);
    works(&database, &["backup", text(&new)]);
    // No new one is created there, either.
    let place = Database::empty(Backend::Sqlite).await;
    fs::create_dir(data(&place)).unwrap();
    set_mode(&data(&place), 0o777);
    for args in [vec!["init"], vec!["restore", text(&file), "--accept-revived"]] {
        refused(&place, &args, 5, "can be written by every user");
    }
    refused(&database, &["move", "--to", text(&data(&place))], 5, "can be written by every user");
    assert_eq!(fs::read_dir(data(&place)).unwrap().count(), 0);
}

/// On PostgreSQL the data directory has only media files. They are neither read from nor written to a directory that
/// others may write to.
#[tokio::test(flavor = "multi_thread")]
async fn media_of_postgres_are_not_put_where_others_may_write() {
    let database = Database::new(Backend::Postgres).await;
    fill_every_table(&database).await;
    let (there, file) = (data(&database), archive(&database));
    fs::create_dir_all(there.join("media")).unwrap();
    fs::write(there.join("media/a.png"), "a").unwrap();
    done(&database, &["backup", text(&file)]);
    set_mode(&there, 0o777);
    fs::remove_file(there.join("media/a.png")).unwrap();
    let args = ["--data-dir", text(&there)];
    let restore = ["restore", text(&file), "--replace", "--no-copy"];
    refused(&database, &[&restore[..], &args].concat(), 5, "can be written by every user");
    fs::write(there.join("media/a.png"), "a").unwrap();
    let other = database.place().join("other.tar");
    refused(&database, &[&["backup", text(&other)][..], &args].concat(), 5, "can be written by every user");
    set_mode(&there, 0o755);
    fs::remove_file(there.join("media/a.png")).unwrap();
    done(&database, &restore);
    assert_eq!(fs::read_to_string(there.join("media/a.png")).unwrap(), "a");
}

/// The data directory itself may be a link to another disk: only its owner can create that. Below it no link is
/// followed.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_links_below_the_data_directory_are_not_followed() {
    let database = Database::new(Backend::Sqlite).await;
    fill_every_table(&database).await;
    let (there, disk) = (data(&database), database.place().join("disk"));
    fs::rename(&there, &disk).unwrap();
    symlink(&disk, &there).unwrap();
    works(&database, &["user", "list"]);
    let file = archive(&database);
    works(&database, &["backup", text(&file)]);
    works(&database, &["restore", text(&file), "--replace"]);
    assert!(there.is_symlink() && disk.join("wardroom.db").is_file());

    let away = database.place().join("away");
    fs::create_dir(&away).unwrap();
    fs::rename(disk.join("wardroom.db"), away.join("wardroom.db")).unwrap();
    symlink(away.join("wardroom.db"), disk.join("wardroom.db")).unwrap();
    let before = fs::read(away.join("wardroom.db")).unwrap();
    for args in [
        vec!["user", "list"],
        vec!["migrate"],
        vec!["backup", "x.tar"],
        vec!["restore", text(&file), "--replace", "--accept-revived"],
    ] {
        refused(&database, &args, 5, "wardroom.db is a symbolic link");
    }
    assert_eq!(fs::read(away.join("wardroom.db")).unwrap(), before);
    fs::remove_file(disk.join("wardroom.db")).unwrap();
    // A dangling link is refused, too.
    symlink(away.join("nothing"), disk.join("wardroom.db")).unwrap();
    refused(&database, &["user", "list"], 5, "wardroom.db is a symbolic link");
    fs::remove_file(disk.join("wardroom.db")).unwrap();
    fs::rename(away.join("wardroom.db"), disk.join("wardroom.db")).unwrap();
    for beside in ["wardroom.db-wal", "wardroom.db-shm", "wardroom.db-journal"] {
        let _ = fs::remove_file(disk.join(beside));
        fs::write(away.join("target"), "target").unwrap();
        symlink(away.join("target"), disk.join(beside)).unwrap();
        refused(&database, &["user", "list"], 5, &format!("{beside} is a symbolic link"));
        assert_eq!(fs::read_to_string(away.join("target")).unwrap(), "target");
        fs::remove_file(disk.join(beside)).unwrap();
        fs::write(disk.join(beside), "").unwrap();
        set_mode(&disk.join(beside), 0o644);
        refused(&database, &["user", "list"], 5, "can be read by every user");
        fs::remove_file(disk.join(beside)).unwrap();
    }
    works(&database, &["user", "list"]);

    // The media directory: a backup leaves it out with a warning, and no file is written through it.
    fs::create_dir(away.join("media")).unwrap();
    fs::write(away.join("media/a.png"), "a").unwrap();
    fs::rename(away.join("media"), disk.join("media")).unwrap();
    let full = database.place().join("full.tar");
    works(&database, &["backup", text(&full)]);
    fs::rename(disk.join("media"), away.join("media")).unwrap();
    fs::remove_file(away.join("media/a.png")).unwrap();
    symlink(away.join("media"), disk.join("media")).unwrap();
    let output = works(&database, &["backup", text(&database.place().join("less.tar"))]).out;
    assert!(output.contains("Warning: left out") && output.contains("media: a symbolic link"), "{output}");
    refused(
        &database,
        &["restore", text(&full), "--replace"],
        4,
        "media is not a directory: no media file is written through it",
    );
    assert_eq!(fs::read_dir(away.join("media")).unwrap().count(), 0);
}

/// An attacker who may write below the media directory repeatedly exchanges a directory for a link while backups are
/// made. Nothing behind the link is ever in a backup.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_a_link_that_comes_during_a_backup_is_not_followed() {
    let database = Database::new(Backend::Sqlite).await;
    works(&database, &["user", "add", "ann"]);
    let (media, secret) = (data(&database).join("media"), database.place().join("secret"));
    let names: Vec<String> = (0..200).map(|number| format!("{number}.png")).collect();
    for (room, content) in [(media.join("room"), "harmless"), (secret.clone(), "secret!!")] {
        fs::create_dir_all(&room).unwrap();
        names.iter().for_each(|name| fs::write(room.join(name), content).unwrap());
    }
    symlink(&secret, media.join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let exchanging = {
        let (stop, media) = (Arc::clone(&stop), media.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, media.join("room"), CWD, media.join("link"), flags).unwrap();
            }
        })
    };
    let file = archive(&database);
    let mut packed = 0;
    for _ in 0..8 {
        let ran = on(&database, &["backup", text(&file), "--replace"], "");
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        for (name, _, content) in parts(&file) {
            if name.starts_with(b"media/") {
                assert_eq!(content, b"harmless", "{}", String::from_utf8_lossy(&name));
                packed += 1;
            }
        }
    }
    stop.store(true, Ordering::SeqCst);
    exchanging.join().unwrap();
    assert!(packed > 0);
}

/// Members with their headers, as many as needed, sealed.
struct Forger {
    bytes: Vec<u8>,
    listed: Vec<serde_json::Value>,
    manifest: serde_json::Value,
}

impl Forger {
    fn new(good: &Path) -> Self {
        let parts = parts(good);
        let manifest = serde_json::from_slice(&parts.last().unwrap().2).unwrap();
        let mut forger = Self { bytes: Vec::new(), listed: Vec::new(), manifest };
        forger.member(b"wardroom.db", &parts[0].2);
        forger
    }

    fn list(&mut self, name: &str, content: &[u8]) {
        let listed = serde_json::json!({ "name": name, "size": content.len(), "sha256": hex(content) });
        self.listed.push(listed);
    }

    fn member(&mut self, name: &[u8], content: &[u8]) {
        append(&mut self.bytes, name, b'0', content);
        self.list(&String::from_utf8_lossy(name), content);
    }

    /// A name that does not fit into a header, as GNU tar stores it.
    fn long(&mut self, name: &[u8], content: &[u8]) {
        append(&mut self.bytes, b"././@LongLink", b'L', &[name, b"\0"].concat());
        append(&mut self.bytes, b"media/short", b'0', content);
        self.list(&String::from_utf8_lossy(name), content);
    }

    fn manifest(&mut self) {
        self.manifest["members"] = self.listed.clone().into();
        append(&mut self.bytes, b"manifest.json", b'0', self.manifest.to_string().as_bytes());
    }

    fn seal(mut self, file: &Path) {
        let seal = format!("{}\n", hex(&self.bytes));
        append(&mut self.bytes, b"SHA256", b'0', seal.as_bytes());
        self.bytes.extend_from_slice(&[0; 1024]);
        fs::write(file, self.bytes).unwrap();
    }
}

type Forgery = (&'static str, fn(&mut Forger), &'static str);

/// Odd names, sizes, kinds and orders: `verify` and `restore` refuse each of them, and leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_odd_members_are_refused() {
    let source = Database::new(Backend::Sqlite).await;
    works(&source, &["user", "add", "ann"]);
    let (good, forged) = (archive(&source), source.place().join("forged.tar"));
    works(&source, &["backup", text(&good)]);
    let forgeries: [Forgery; 18] = [
        (
            "a step too long",
            |f| {
                f.long(format!("media/{}", "a".repeat(256)).as_bytes(), b"x");
                f.manifest();
            },
            "has a name that is not allowed",
        ),
        (
            "a name too long",
            |f| {
                f.long(format!("media{}", "/aaaaaaaaa".repeat(420)).as_bytes(), b"x");
                f.manifest();
            },
            "a member's name is too long",
        ),
        (
            "a long name of the database",
            |f| {
                f.long(b"wardroom.db", b"x");
                f.manifest();
            },
            "occurs twice",
        ),
        (
            "a long name that leads up",
            |f| {
                f.long(format!("media/../{}", "a".repeat(100)).as_bytes(), b"x");
                f.manifest();
            },
            "has a name that is not allowed",
        ),
        (
            "two long names",
            |f| {
                append(&mut f.bytes, b"././@LongLink", b'L', b"media/a\0");
                f.long(b"media/b", b"x");
                f.manifest();
            },
            "is not a regular file",
        ),
        (
            "a long name of nothing",
            |f| {
                f.manifest();
                append(&mut f.bytes, b"././@LongLink", b'L', b"SHA256\0");
                f.bytes.extend_from_slice(&[0; 1024]);
            },
            "a name is not followed by its member",
        ),
        (
            "not UTF-8",
            |f| {
                f.member(b"media/\xff", b"x");
                f.manifest();
            },
            "is not UTF-8",
        ),
        (
            "NUL in a long name",
            |f| {
                f.long(b"media/a\0b", b"x");
                f.manifest();
            },
            "has a name that is not allowed",
        ),
        (
            "twice",
            |f| {
                f.member(b"media/a", b"x");
                f.member(b"media/a", b"y");
                f.manifest();
            },
            "\"media/a\" occurs twice",
        ),
        (
            "a file and a directory",
            |f| {
                f.member(b"media/a", b"x");
                f.member(b"media/a/b", b"y");
                f.manifest();
            },
            "\"media/a/b\" is both a file and a directory",
        ),
        (
            "an extended header",
            |f| {
                append(&mut f.bytes, b"pax", b'x', b"18 path=wardroom.db\n");
                f.member(b"media/a", b"x");
                f.manifest();
            },
            "\"pax\" is not a regular file",
        ),
        (
            "a global header",
            |f| {
                append(&mut f.bytes, b"pax", b'g', b"18 path=wardroom.db\n");
                f.member(b"media/a", b"x");
                f.manifest();
            },
            "\"pax\" is not a regular file",
        ),
        (
            "a sparse file",
            |f| {
                append(&mut f.bytes, b"media/hole", b'S', b"");
                f.list("media/hole", b"");
                f.manifest();
            },
            "is not a regular file",
        ),
        (
            "behind the manifest",
            |f| {
                f.list("media/a", b"x");
                f.manifest();
                append(&mut f.bytes, b"media/a", b'0', b"x");
            },
            "comes after the manifest",
        ),
        (
            "an end before the end",
            |f| {
                f.manifest();
                f.bytes.extend_from_slice(&[0; 1024]);
            },
            "it has no seal",
        ),
        (
            "a manifest for an index",
            |f| {
                f.manifest["left_out"] = vec!["x".repeat(1 << 20); 65].into();
                f.manifest();
            },
            "its manifest is too large",
        ),
        (
            "larger than the archive",
            |f| {
                f.member(b"media/a", b"x");
                huge(&mut f.bytes, 1 << 40);
                f.manifest();
            },
            "",
        ),
        (
            "larger than there is",
            |f| {
                f.member(b"media/a", b"x");
                huge(&mut f.bytes, u64::MAX);
                f.manifest();
            },
            "",
        ),
    ];
    for (about, forgery, expected) in forgeries {
        let mut forger = Forger::new(&good);
        forgery(&mut forger);
        forger.seal(&forged);
        refused(&source, &["backup", "verify", text(&forged)], 1, expected);
        let place = Database::empty(Backend::Sqlite).await;
        let ran = on(&place, &["restore", text(&forged), "--accept-revived"], "");
        assert!(ran.code == 1 && ran.err.contains(expected), "{about}: {} {}", ran.out, ran.err);
        assert!(!data(&place).exists(), "{about}");
        let left = fs::read_dir(source.place())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = left.filter(|name| name.starts_with(".wardroom-")).collect();
        assert_eq!(left, [""; 0], "{about}");
    }
    // The forgery itself works: odd but allowed archives pass.
    let mut forger = Forger::new(&good);
    forger.long(format!("media/{}/{}", "d".repeat(255), "ü".repeat(127)).as_bytes(), b"long");
    forger.member(b"media/a\nb \\ \"c\"", b"odd");
    forger.member(b"media/empty", b"");
    forger.manifest();
    forger.seal(&forged);
    works(&source, &["backup", "verify", text(&forged)]);
    let place = Database::empty(Backend::Sqlite).await;
    works(&place, &["restore", text(&forged), "--accept-revived"]);
    assert_eq!(fs::read_to_string(data(&place).join("media/a\nb \\ \"c\"")).unwrap(), "odd");
}

/// Changes the size in the last header of a one-block member, with a correct checksum.
fn huge(bytes: &mut [u8], size: u64) {
    let start = bytes.len() - 1024;
    let mut header = tar::Header::from_byte_slice(&bytes[start..start + 512]).clone();
    header.set_size(size);
    header.set_cksum();
    bytes[start..start + 512].copy_from_slice(header.as_bytes());
}

/// A text encoding, a pipe: files that could block, or that another program would read differently.
#[tokio::test(flavor = "multi_thread")]
async fn odd_files_are_refused() {
    let source = Database::new(Backend::Sqlite).await;
    works(&source, &["user", "add", "ann"]);
    let file = archive(&source);
    works(&source, &["backup", text(&file)]);
    let pipe = source.place().join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for args in [vec!["backup", "verify", text(&pipe)], vec!["restore", text(&pipe), "--replace"]] {
        refused(&source, &args, 1, "is not a backup that this program can use");
    }
    let mut forged = parts(&file);
    forged[0].2[56..60].copy_from_slice(&2_u32.to_be_bytes());
    forge(&file, forged);
    refused(&source, &["backup", "verify", text(&file)], 1, "its text is not UTF-8");
    let Location::Sqlite(directory) = &source.location else { panic!("not SQLite") };
    let database: PathBuf = directory.join("wardroom.db");
    fs::remove_file(&database).unwrap();
    rustix::fs::mknodat(CWD, &database, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    refused(&source, &["user", "list"], 5, "wardroom.db is not a regular file");
}
