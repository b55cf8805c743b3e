//! `wardroom doctor`: it always ends with its table, and each line of it says what to do next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use wardroom::directory::{Clock, Directory, Location};

use crate::cli::{Ran, on};
use crate::support::own_postgres::OwnPostgres;
use crate::support::site::{moment, person};
use crate::support::{Backend, Database, both};

/// The verdict and the text of a check, if it has a line.
fn line(ran: &Ran, check: &str) -> Option<(String, String)> {
    let rows = ran.json();
    let row = rows.as_array().unwrap().iter().find(|row| row["check"] == check)?;
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    Some((text("verdict"), text("text")))
}

fn expect(ran: &Ran, check: &str, verdict: &str, part: &str) {
    let (found, text) = line(ran, check).unwrap_or_else(|| panic!("no {check}: {}", ran.out));
    assert!(found == verdict && text.contains(part), "{check}: {found}: {text}");
    assert_eq!(ran.code == 1, ran.out.contains(r#""verdict": "fault""#), "{}", ran.out);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs it with settings in a file.
fn with(database: &Database, settings: &str, args: &[&str]) -> Ran {
    let file = database.place().join("doctor.toml");
    fs::write(&file, settings).unwrap();
    mode(&file, 0o600);
    let file = file.display().to_string();
    on(database, &[&["doctor", "--json", "--config", &file], args].concat(), "")
}

async fn with_admin(backend: Backend) -> Database {
    let database = Database::new(backend).await;
    let directory = database.open(&Clock::system().unwrap()).await;
    person(&directory, "root", |draft| draft.is_admin = Some(true)).await;
    directory.close().await.unwrap();
    database.sql("UPDATE tokens SET expires_at = 4102444800000000").await;
    database
}

fn data(database: &Database) -> PathBuf {
    match &database.location {
        Location::Sqlite(directory) => directory.clone(),
        Location::Postgres(_) => database.place().join("data"),
    }
}

/// On damage it ended with an error, and without what the other checks had found.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_a_line_of_the_table_with_the_command_that_restores_it() {
    let whole = with_admin(Backend::Sqlite).await;
    let file = fs::read(data(&whole).join("wardroom.db")).unwrap();
    let pages = file.len() / 4096;
    assert!(pages > 20);
    let backups = whole.place().join("backups");
    fs::create_dir(&backups).unwrap();
    mode(&backups, 0o700);
    let archive = backups.join("wardroom-2025-09-01.tar").display().to_string();
    assert_eq!(on(&whole, &["backup", &archive], "").code, 0);
    let mut damaged_lines = 0;
    // Each page alone, so that the damage is met by every check in turn, and by the check for damage itself.
    for page in 1..pages {
        let place = whole.place().join("damaged");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).unwrap();
        let mut bytes = file.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(place.join("wardroom.db"), bytes).unwrap();
        mode(&place.join("wardroom.db"), 0o600);
        let damaged = Database::in_directory(&place);
        let ran = on(&damaged, &["doctor", "--backup-dir", &backups.display().to_string()], "");
        let said = format!("page {page}: {} {}", ran.out, ran.err);
        assert!(ran.out.starts_with("CHECK "), "{said}");
        assert!(ran.err.is_empty(), "{said}");
        for check in ["public_url", "space", "database", "backup"] {
            assert!(ran.out.lines().any(|line| line.starts_with(check)), "{check}: {said}");
        }
        if ran.out.contains("restore") {
            assert_eq!(ran.code, 1, "{said}");
            assert!(ran.out.contains(&format!("wardroom restore {archive} --replace")), "{said}");
            damaged_lines += 1;
        }
    }
    assert!(damaged_lines > pages / 2, "only {damaged_lines} of {pages}");
}

both! {
    async fn a_database_that_cannot_be_opened_is_a_line_too(backend: Backend) {
        let database = Database::empty(backend).await;
        for args in [&["doctor", "--json"] as &[&str], &["doctor", "--json", "--quick"]] {
            let ran = on(&database, args, "");
            expect(&ran, "database", "fault", "wardroom init");
            assert!(line(&ran, "temporary_space").is_some(), "{}", ran.out);
        }
    }
}

both! {
    async fn all_is_well_with_a_good_database(backend: Backend) {
        let database = with_admin(backend).await;
        let ran = with(&database, "public_url = \"https://accounts.example.com\"", &[]);
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        // The PostgreSQL of the tests trades durability for speed.
        let expected = if backend == Backend::Sqlite { 0 } else { 2 };
        assert_eq!(ran.out.matches(r#""verdict": "warning""#).count(), expected, "{}", ran.out);
        for (check, part) in [
            ("public_url", "https://accounts.example.com"),
            ("temporary_space", "free in"),
            ("integrity", "no damage found"),
            ("rows", "can be read"),
            ("admin", "root is an active admin"),
            ("tokens", "every token of an admin expires, or is narrowed"),
            ("clock", "agrees with the database"),
        ] {
            expect(&ran, check, "ok", part);
        }
        if backend == Backend::Sqlite {
            expect(&ran, "space", "ok", "the database has");
            expect(&ran, "files", "ok", "only that account can write them");
        }
    }
}

both! {
    /// A key with which a thief could do everything is named, until it is limited in one way or another.
    async fn tokens_of_admins_without_any_limit_are_named(backend: Backend) {
        let database = with_admin(backend).await;
        for limit in ["expires_at = 4102444800000000", "scopes = 'me_read'", "scopes = ''", "read_only = TRUE", "allowed_networks = '127.0.0.0/8'", "revoked_at = 1"] {
            database.sql("UPDATE tokens SET expires_at = NULL, scopes = NULL, read_only = FALSE, allowed_networks = NULL, revoked_at = NULL").await;
            let ran = with(&database, "", &[]);
            expect(&ran, "tokens", "warning", "token 1 of an admin does not expire, and may do everything from anywhere: revoke it, or limit it to what it is for: `wardroom token edit 1` with");
            assert_eq!(ran.code, 0);
            database.sql(&format!("UPDATE tokens SET {limit}")).await;
            expect(&with(&database, "", &[]), "tokens", "ok", "every token of an admin");
        }
        database.sql("UPDATE tokens SET expires_at = NULL, revoked_at = NULL").await;
        assert_eq!(on(&database, &["token", "issue", "root", "--name", "second"], "").code, 0);
        expect(&with(&database, "", &[]), "tokens", "warning", "2 tokens of admins do not expire, and may do everything from anywhere; the first is 1:");
        for idle in ["is_admin = FALSE", "is_admin = TRUE, is_active = FALSE"] {
            database.sql(&format!("UPDATE users SET {idle}")).await;
            expect(&with(&database, "", &[]), "tokens", "ok", "every token of an admin");
        }
    }
}

both! {
    /// For health checks: it looks at no content, so a missing admin is not its business.
    async fn quick_checks_only_what_a_server_needs(backend: Backend) {
        let database = Database::new(backend).await;
        let settings = "backup_dir = \"/nonexistent\"";
        let quick = with(&database, settings, &["--quick"]);
        assert_eq!(quick.code, 0, "{}", quick.out);
        for check in ["admin", "integrity", "rows", "clients", "backup", "clock"] {
            assert_eq!(line(&quick, check), None, "{check}");
        }
        expect(&quick, "database", "ok", if backend == Backend::Sqlite { "SQLite" } else { "PostgreSQL" });
        let whole = with(&database, settings, &[]);
        expect(&whole, "admin", "fault", "wardroom user add NAME --admin");
        expect(&whole, "backup", "fault", "/nonexistent cannot be read");
        database.make_unavailable().await;
        assert_eq!(with(&database, settings, &["--quick"]).code, 1);
    }
}

both! {
    async fn rows_that_cannot_be_read_are_named(backend: Backend) {
        let database = with_admin(backend).await;
        for name in ["ann", "bob", "cleo"] {
            assert_eq!(on(&database, &["user", "add", name], "").code, 0);
            assert_eq!(on(&database, &["user", "delete", name, "--yes"], "").code, 0);
        }
        expect(&with(&database, "", &[]), "rows", "ok", "can be read");
        database.sql("UPDATE deleted_users SET remains = '{}' WHERE username IN ('ann', 'cleo')").await;
        let ran = with(&database, "", &[]);
        expect(&ran, "rows", "fault", "2 rows cannot be read, the first: deleted_users, id 2: the stored deleted user is invalid");
        // The other lines are there all the same.
        expect(&ran, "admin", "ok", "root");
        database.sql("DELETE FROM deleted_users").await;
        for name in ["Billing", "On call"] {
            assert_eq!(on(&database, &["group", "add", name], "").code, 0);
            assert_eq!(on(&database, &["group", "delete", name, "--yes"], "").code, 0);
        }
        expect(&with(&database, "", &[]), "rows", "ok", "can be read");
        database.sql("UPDATE deleted_groups SET remains = '{}' WHERE name = 'On call'").await;
        expect(&with(&database, "", &[]), "rows", "fault", "1 rows cannot be read, the first: deleted_groups, id 2: the stored deleted group is invalid");
    }
}

/// Signing in with codes needs a key and a provider: `serve` refuses to start without them, and `doctor` says the same.
#[tokio::test(flavor = "multi_thread")]
async fn codes_that_cannot_be_sent_are_a_fault() {
    let database = with_admin(Backend::Sqlite).await;
    let key = database.place().join("key");
    fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let secret = database.place().join("webhook-secret");
    fs::write(&secret, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    for file in [&key, &secret] {
        mode(file, 0o600);
    }
    let sends = format!(
        "secrets_key_file = \"{}\"\nsms_provider = \"webhook\"\nmessage_webhook_url = \"https://hooks.example.com/\"\n\
         message_webhook_secret_file = \"{}\"\n",
        key.display(),
        secret.display()
    );
    let on_codes = "otp_sign_in = true\n";
    for settings in [on_codes.to_owned(), format!("{on_codes}secrets_key_file = \"{}\"\n", key.display())] {
        let ran = with(&database, &settings, &[]);
        let (verdict, text) = line(&ran, "otp_sign_in").unwrap();
        assert!(
            verdict == "fault" && text.contains("needs secrets_key_file, and sms_provider or mail_provider"),
            "{text}"
        );
        let file = database.place().join("doctor.toml").display().to_string();
        let served = on(&database, &["serve", "--config", &file, "--listen", "127.0.0.1:0"], "");
        assert!(
            served.code == 2 && served.err.contains("otp_sign_in needs secrets_key_file"),
            "{}",
            served.err
        );
    }
    let ran = with(&database, &format!("{on_codes}{sends}otp_digits = 5\notp_for_admins = true\n"), &[]);
    assert_eq!(line(&ran, "otp_sign_in").unwrap().0, "ok");
    for check in ["otp_digits", "otp_for_admins"] {
        let (verdict, text) = line(&ran, check).unwrap();
        assert!(verdict == "warning" && text.contains(&format!("set {check}")), "{text}");
    }
    assert_eq!(line(&with(&database, "", &[]), "otp_sign_in"), None);
}

/// Links begin with `public_url`. A server without it starts, and invites no one.
#[tokio::test(flavor = "multi_thread")]
async fn links_without_a_public_url_are_a_warning() {
    let database = with_admin(Backend::Sqlite).await;
    let key = database.place().join("key");
    fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    mode(&key, 0o600);
    let mails = format!(
        "secrets_key_file = \"{}\"\nmail_provider = \"smtp\"\nsmtp_host = \"mail.example.com\"\n\
         mail_from = \"accounts@example.com\"\n",
        key.display()
    );
    let url = "public_url = \"https://accounts.example.com\"\n";
    for (more, verdict) in [
        ("", "warning"),
        (url, "ok"),
        ("public_url = \"https://accounts.example.com\"\nadmin_site = false\n", "warning"),
        ("password_reset = false\n", "ok"),
    ] {
        let found = with(&database, &format!("{mails}{more}"), &["--quick"]);
        let (is, text) = line(&found, "messages").unwrap();
        assert_eq!(
            (is.as_str(), text.contains("public_url")),
            (verdict, verdict == "warning"),
            "{more}: {text}"
        );
    }
}

/// The database of an operator has a settings file in which each of these is a mistake.
#[tokio::test(flavor = "multi_thread")]
async fn dangerous_settings_are_named_with_the_remedy() {
    let database = with_admin(Backend::Sqlite).await;
    for (settings, check, part) in [
        ("", "public_url", "set it to the URL that clients use"),
        (
            "trusted_proxies = \"10.0.0.1,0.0.0.0/0\"",
            "trusted_proxies",
            "0.0.0.0/0 includes machines that are not yours",
        ),
        ("trusted_proxies = \"::/0\"", "trusted_proxies", "list only the addresses of your proxies"),
        ("allowed_hosts = \"*\"", "allowed_hosts", "list the names that clients use"),
        (
            "listen = \"127.0.0.1:1,0.0.0.0:2\"",
            "listen",
            "0.0.0.0:2 is reachable from other machines without TLS",
        ),
    ] {
        let ran = with(&database, settings, &[]);
        expect(&ran, check, "warning", part);
        assert_eq!(ran.code, 0, "{}", ran.out);
    }
    let good =
        "trusted_proxies = \"10.0.0.0/8,fd00::/8\"\nallowed_hosts = \"a.example\"\nlisten = \"[::1]:1\"";
    let ran = with(&database, good, &[]);
    for check in ["trusted_proxies", "allowed_hosts", "listen"] {
        assert_eq!(line(&ran, check), None, "{good}");
    }
}

/// The Unix sockets of `listen` are checked as the server does, and who may connect to them.
#[tokio::test(flavor = "multi_thread")]
async fn unix_sockets_that_the_server_refuses_or_should_not_trust_are_named() {
    let database = with_admin(Backend::Sqlite).await;
    let here = database.place();
    let open = here.join("open");
    fs::create_dir(&open).unwrap();
    mode(&open, 0o777);
    let socket = here.join("given.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let (trusting, untrusting) = ("trusted_proxies = \"unix\"\n", "");
    for (file, found, trust, verdict, part) in [
        ("missing/a.sock", 0o660, trusting, "warning", "missing does not exist: create it"),
        ("open/a.sock", 0o660, trusting, "fault", "can be written by every user of this machine"),
        ("given.sock", 0o666, trusting, "warning", "every account of this machine can connect to unix:"),
        ("a.sock", 0o660, untrusting, "warning", "trusted_proxies does not have unix"),
    ] {
        mode(&socket, found);
        let ran = with(&database, &format!("{trust}listen = \"unix:{}\"", here.join(file).display()), &[]);
        let (said, text) = line(&ran, "listen").unwrap_or_else(|| panic!("{file}: {}", ran.out));
        assert!(said == verdict && text.contains(part), "{file}: {said} {text}");
        assert_eq!(ran.code, i32::from(verdict == "fault"), "{file}");
    }
    mode(&socket, 0o660);
    for file in ["a.sock", "given.sock"] {
        let ran = with(&database, &format!("{trusting}listen = \"unix:{}\"", here.join(file).display()), &[]);
        assert_eq!(line(&ran, "listen"), None, "{file}");
    }
}

/// A certificate that is valid for some days more or less, with its key.
fn certificate(place: &Path, names: &[&str], from_day: i64, until_day: i64) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let day =
        |days: i64| SystemTime::UNIX_EPOCH + Duration::from_secs((today() + days).cast_unsigned() * 86_400);
    (params.not_before, params.not_after) = (day(from_day).into(), day(until_day).into());
    let key = KeyPair::generate().unwrap();
    let [cert, pem] = ["cert.pem", "key.pem"].map(|name| place.join(name));
    fs::write(&cert, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&pem, key.serialize_pem()).unwrap();
    mode(&pem, 0o600);
    format!("tls_certificate = {cert:?}\ntls_key = {pem:?}\n")
}

/// The number of this day since 1970.
fn today() -> i64 {
    Clock::system().unwrap().now().as_micros() / 86_400_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_end_soon_or_are_for_other_names_are_named() {
    let database = with_admin(Backend::Sqlite).await;
    let place = database.place();
    let hosts = "public_url = \"https://accounts.example.com:8443\"\n";
    let (name, other) = (["accounts.example.com"], ["www.example.com", "192.0.2.7"]);
    for (names, from, until, check, verdict, part) in [
        (&name[..], -1, 90, "tls_expiry", "ok", "it expires in"),
        (&name, -1, 90, "tls_names", "ok", "accounts.example.com"),
        (&name, -80, 20, "tls_expiry", "warning", "a server takes it within seconds, or at SIGHUP"),
        (&name, -80, -1, "tls_expiry", "fault", "clients refuse it"),
        (&name, 2, 90, "tls_expiry", "fault", "valid only from"),
        (
            &other,
            -1,
            90,
            "tls_names",
            "warning",
            "for www.example.com, 192.0.2.7, and not for accounts.example.com",
        ),
        (&[], -1, 90, "tls_names", "warning", "not for accounts.example.com"),
    ] {
        let settings = certificate(place, names, from, until) + hosts;
        let ran = with(&database, &settings, &["--quick"]);
        expect(&ran, check, verdict, part);
        expect(&ran, "tls", "ok", "matches its key");
    }
    let settings = certificate(place, &name, -1, 90);
    fs::write(place.join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    expect(
        &with(&database, &settings, &["--quick"]),
        "tls",
        "fault",
        "does not belong to the first certificate",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_modes_of_files_are_checked() {
    let database = with_admin(Backend::Sqlite).await;
    let place = data(&database);
    let media = place.join("media");
    let avatars = media.join("avatars");
    fs::create_dir_all(&avatars).unwrap();
    fs::write(avatars.join("ann.jpg"), "picture").unwrap();
    expect(&with(&database, "", &[]), "files", "ok", "");
    for (path, wrong, verdict, part) in [
        (place.join("wardroom.db"), 0o644, "fault", "run chmod 600"),
        (place.join("wardroom.db"), 0o400, "fault", "its owner cannot write it"),
        (avatars.clone(), 0o777, "fault", "run chmod o-w"),
        (avatars.join("ann.jpg"), 0o666, "fault", "run chmod o-w"),
        (media.clone(), 0o500, "fault", "run chmod u+rwx"),
    ] {
        let right = fs::metadata(&path).unwrap().permissions();
        mode(&path, wrong);
        let ran = with(&database, "", &[]);
        let path = path.display().to_string();
        expect(&ran, "files", verdict, part);
        assert!(line(&ran, "files").unwrap().1.contains(&path), "{}", ran.out);
        fs::set_permissions(path, right).unwrap();
        // SQLite gives its log the mode that the file has.
        for log in ["wardroom.db-wal", "wardroom.db-shm"] {
            let _ = fs::remove_file(place.join(log));
        }
    }
    let left = place.join(".wardroom-restore");
    fs::create_dir(&left).unwrap();
    expect(&with(&database, "", &[]), "files", "warning", ".wardroom-restore is left over");
    fs::remove_dir(left).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", avatars.join("link.jpg")).unwrap();
    expect(&with(&database, "", &[]), "files", "warning", "link.jpg is a symbolic link");
    expect(&with(&database, "", &["--quick"]), "files", "ok", "");
}

/// A file that root wrote, which the account of the server cannot change. Only root can try this.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_account_are_named() {
    let database = with_admin(Backend::Sqlite).await;
    let place = data(&database);
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(12_345), None);
    match give(&place.join("wardroom.db")) {
        Ok(()) => {
            let ran = with(&database, "", &[]);
            expect(&ran, "files", "fault", "belongs to 12345, so a server that runs as");
            assert!(line(&ran, "files").unwrap().1.contains("run chown"), "{}", ran.out);
        }
        // The one account of this test owns everything.
        Err(_) => expect(&with(&database, "", &[]), "files", "ok", "belong to"),
    }
}

both! {
    async fn avatars_without_files_and_files_without_avatars_are_named(backend: Backend) {
        let database = with_admin(backend).await;
        let place = data(&database);
        fs::create_dir_all(place.join("media/avatars")).unwrap();
        let settings = format!("data_dir = {place:?}");
        let run = || if backend == Backend::Sqlite { with(&database, "", &[]) } else { with(&database, &settings, &[]) };
        let picture = place.join("media/avatars/root.jpg");
        expect(&run(), "media", "ok", "the 0 files");
        fs::write(&picture, "12345").unwrap();
        expect(&run(), "media", "warning", "1 files in");
        expect(&run(), "media", "warning", "(5 bytes) are no user's avatar, the first: avatars/root.jpg; delete them");
        database.sql("UPDATE users SET avatar = 'avatars/root.jpg'").await;
        expect(&run(), "media", "ok", "the 1 files");
        fs::remove_file(&picture).unwrap();
        expect(&run(), "media", "warning", "1 avatars have no file");
        database.sql("UPDATE users SET avatar = 'https://cdn.example/root.jpg'").await;
        expect(&run(), "media", "ok", "the 0 files");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_the_newest_backup_is_checked() {
    let database = with_admin(Backend::Sqlite).await;
    let place = database.place().join("backups");
    fs::create_dir(&place).unwrap();
    let shown = place.display().to_string();
    assert_eq!(line(&with(&database, "", &[]), "backup"), None, "no one said where backups are");
    let run = |more: &[&str]| with(&database, "", &[&["--backup-dir", &shown], more].concat());
    expect(&run(&[]), "backup", "fault", "there is no backup (*.tar)");
    let [old, new] = ["a.tar", "b.tar"].map(|name| place.join(name));
    for archive in [&old, &new] {
        assert_eq!(on(&database, &["backup", &archive.display().to_string()], "").code, 0);
    }
    let age = |path: &Path, hours: u64| {
        let written = SystemTime::UNIX_EPOCH
            + Duration::from_micros(Clock::system().unwrap().now().as_micros().cast_unsigned())
            - Duration::from_secs(3600 * hours);
        fs::File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
    };
    age(&old, 100);
    expect(&run(&[]), "backup", "ok", "b.tar");
    mode(&new, 0o644);
    expect(&run(&[]), "backup", "fault", "run chmod 600");
    mode(&new, 0o600);
    age(&new, 30);
    expect(&run(&[]), "backup", "fault", "is 30 hours old, and backup_max_age is 26 hours");
    expect(&run(&["--backup-max-age", "2days"]), "backup", "ok", "b.tar");
    let one = new.display().to_string();
    expect(&with(&database, "", &["--backup-dir", &one]), "backup", "fault", "is 30 hours old");
}

both! {
    async fn a_clock_that_is_wrong_is_named(backend: Backend) {
        let database = with_admin(backend).await;
        let years_ago = Clock::fixed(moment("2020-01-01T00:00:00Z")).unwrap();
        let directory: Directory = database.open(&years_ago).await;
        let skew = directory.clock_skew().await.unwrap();
        match backend {
            Backend::Sqlite => assert_eq!(skew, None),
            Backend::Postgres => {
                let skew = skew.unwrap();
                assert!(skew.is_database_ahead && skew.apart > Duration::from_hours(24 * 365), "{skew:?}");
                let now = database.open(&Clock::system().unwrap()).await.clock_skew().await.unwrap().unwrap();
                assert!(now.apart < Duration::from_secs(1), "{now:?}");
            }
        }
        let in_an_hour = Clock::system().unwrap().now().plus(Duration::from_mins(60)).unwrap();
        let in_an_hour = database.open(&Clock::fixed(in_an_hour).unwrap()).await;
        person(&in_an_hour, "late", |_| {}).await;
        expect(&with(&database, "", &[]), "clock", "warning", "in the future");
    }
}

/// A real server whose clock is wrong: the line says which clock is ahead, by how much, and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_with_a_wrong_clock_is_named() {
    for (clock, expected) in [
        ("+5430", "this machine's clock is 90 minutes behind the database's"),
        ("-50h", "this machine's clock is 2 days ahead of the database's"),
    ] {
        let server = OwnPostgres::start_at(clock).await;
        let database = Database::at(&server.url());
        Directory::create(&database.settings(), &Clock::system().unwrap()).await.unwrap();
        let ran = with(&database, "", &[]);
        expect(&ran, "clock", "warning", expected);
        expect(&ran, "clock", "warning", "set the clock of the machine that is wrong");
        expect(&ran, "clock", "warning", "chrony");
    }
}

/// Wardroom's own sessions are durable in any case. SQL of the operator's own is not.
#[tokio::test(flavor = "multi_thread")]
async fn commits_that_do_not_wait_are_named() {
    let database = with_admin(Backend::Postgres).await;
    let name = database.texts("SELECT CAST(current_database() AS TEXT)").await.remove(0);
    for (value, is_named) in [("on", false), ("local", false), ("off", true)] {
        database.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = {value}")).await;
        let ran = with(&database, "", &[]);
        assert_eq!(line(&ran, "synchronous_commit").is_some(), is_named, "{value}");
        if is_named {
            expect(&ran, "synchronous_commit", "warning", "run ALTER ROLE, ALTER DATABASE or ALTER SYSTEM");
        }
    }
}

/// `Value` has an order of keys that scripts rely on.
#[tokio::test(flavor = "multi_thread")]
async fn each_line_has_the_same_three_fields() {
    let database = with_admin(Backend::Sqlite).await;
    for row in with(&database, "", &[]).json().as_array().unwrap() {
        let Value::Object(row) = row else { panic!("{row}") };
        assert_eq!(row.keys().collect::<Vec<_>>(), ["check", "verdict", "text"]);
    }
}
