//! The start of a server whose PostgreSQL is not there yet, and what a server may not lose.

use wardroom::directory::Location;

use crate::backup::works;
use crate::cli::on;
use crate::process::{Process, serve, wardroom};
use crate::support::own_postgres::OwnPostgres;
use crate::support::{Backend, Database, Request};

/// `serve` waits, and logs each attempt with its reason. Other commands end at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_waits_for_postgres_at_its_start() {
    let server = OwnPostgres::start().await;
    let database = Database::at(&server.url());
    works(&database, &["init"]);
    server.crash();
    let ran = on(&database, &["user", "list"], "");
    let reason = format!("127.0.0.1:{}: error connecting to server: Connection refused", server.port());
    assert!(
        ran.code == 5 && ran.err.contains("the database cannot be reached") && ran.err.contains(&reason),
        "{}",
        ran.err
    );
    let mut process = serve(&database, &[]);
    let first = process.record("waiting for PostgreSQL");
    assert!(first["attempt"] == 1 && first["error"].as_str().unwrap().contains(&reason), "{first}");
    let second = process.record("waiting for PostgreSQL");
    assert!(second["attempt"] == 2 && second["next_attempt_in"] != first["next_attempt_in"], "{second}");
    server.start_again();
    let address = process.address("listening");
    assert_eq!(Request::new(address, "GET", "/readyz").send().await.status, 200);
    process.signal("-TERM");
    assert_eq!(process.end().0, Some(0));
}

/// The wait has an end, and it can be turned off.
#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_postgres_ends() {
    let nothing = Database::at("postgres://u@127.0.0.1:1/d");
    for (limit, waits) in [("0s", false), ("400ms", true)] {
        let (code, log) = serve(&nothing, &["--database-start-timeout", limit]).end();
        assert_eq!((code, log.contains("waiting for PostgreSQL")), (Some(5), waits), "{log}");
        assert!(log.contains("the database cannot be reached (127.0.0.1:1: "), "{log}");
    }
}

/// What does not pass by waiting ends the start at once, with what to do.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_does_not_pass_ends_the_start() {
    let server = OwnPostgres::start().await;
    server.sql("CREATE ROLE app LOGIN PASSWORD 'right'").await;
    server.write(
        "pg_hba.conf",
        "host all app 127.0.0.1/32 scram-sha-256\nhost all wardroom 127.0.0.1/32 trust\n",
    );
    server.sql("SELECT pg_reload_conf()").await;
    let url = |login: &str, name: &str| format!("postgres://{login}@127.0.0.1:{}/{name}", server.port());
    // The server reloads its rules after a while.
    while tokio_postgres::connect(&url("app:wrong", "postgres"), tokio_postgres::NoTls).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for (url, code, remedy) in [
        (url("app:wrong-one", "postgres"), "28P01", "check the user and the password"),
        (url("stranger", "postgres"), "28000", "pg_hba.conf"),
        (url("wardroom", "nowhere"), "3D000", "create the database"),
    ] {
        let database = Database::at(&url);
        for args in [&["serve", "--listen", "127.0.0.1:0"] as &[&str], &["user", "list"], &["init"]] {
            let ran = on(&database, args, "");
            let is_named = ran.err.contains(&format!("SQLSTATE {code}")) && ran.err.contains(remedy);
            assert!(ran.code == 5 && is_named, "{args:?}: {} {}", ran.code, ran.err);
            assert!(
                !ran.err.contains("waiting for PostgreSQL") && !ran.err.contains("wrong-one"),
                "{}",
                ran.err
            );
        }
    }
    let clear_text = url("app:right", "postgres") + "?sslmode=require";
    let ran = on(&Database::at(&clear_text), &["serve", "--listen", "127.0.0.1:0"], "");
    assert!(ran.code == 5 && ran.err.contains("server does not support TLS"), "{}", ran.err);
    assert!(!ran.err.contains("waiting for PostgreSQL"), "{}", ran.err);
}

/// Of several hosts, the one that accepts writes is used; one that is down, or a standby, is skipped.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_writable_one_is_used() {
    let (standby, primary) = (OwnPostgres::start().await, OwnPostgres::start().await);
    standby.sql("ALTER SYSTEM SET default_transaction_read_only = on").await;
    standby.sql("SELECT pg_reload_conf()").await;
    while Database::at(&standby.url()).texts("SHOW transaction_read_only").await != ["on"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let hosts = format!("127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port());
    let database = Database::at(&format!("postgres://wardroom@{hosts}/postgres"));
    works(&database, &["init"]);
    works(&database, &["user", "add", "ann"]);
    let mut process = serve(&database, &[]);
    let address = process.address("listening");
    assert_eq!(Request::new(address, "GET", "/readyz").send().await.status, 200);
    assert_eq!(Database::at(&primary.url()).number("SELECT count(*) FROM users").await, 1);
    primary.crash();
    let ran = on(&database, &["user", "list"], "");
    assert!(ran.code == 5 && ran.err.contains(&hosts.replace(',', ", ")), "{}", ran.err);
}

/// A commit that was acknowledged survives a crash of PostgreSQL, even if the server, the database, the role and the URL
/// set `synchronous_commit = off`.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_survives_a_crash_whatever_is_set() {
    // Without a flush by the commit, nothing is written to the log for ten seconds.
    let settings =
        "-c fsync=off -c synchronous_commit=off -c wal_writer_delay=10000ms -c wal_writer_flush_after=1GB";
    let server = OwnPostgres::start_with(settings).await;
    let database = Database::at(&server.url());
    works(&database, &["init"]);
    server
        .sql(
            "ALTER ROLE wardroom SET synchronous_commit = off; ALTER DATABASE postgres SET synchronous_commit = off; \
             CHECKPOINT",
        )
        .await;
    let in_url = Database::at(&format!("{}?options=-csynchronous_commit%3Doff", server.url()));
    for (name, database) in [("ann", &database), ("bob", &in_url)] {
        works(database, &["user", "add", name]);
        server.crash();
        server.start_again();
        let sql = format!("SELECT count(*) FROM users WHERE username = '{name}'");
        assert_eq!(Database::at(&server.url()).number(&sql).await, 1, "{name}");
    }
}

/// `doctor` names the settings of a server that let a power cut destroy what was committed.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_settings_that_lose_data() {
    let finding = |database: &Database| {
        let doctor = on(database, &["doctor", "--json"], "").json();
        let rows = doctor.as_array().unwrap();
        let row = rows.iter().find(|row| row["check"] == "durability").expect("a finding").clone();
        (row["verdict"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned())
    };
    for (settings, named) in [
        ("-c fsync=off -c full_page_writes=off", vec!["fsync", "full_page_writes"]),
        ("-c fsync=off", vec!["fsync"]),
        ("-c full_page_writes=off", vec!["full_page_writes"]),
        ("-c synchronous_commit=off", vec![]),
    ] {
        let server = OwnPostgres::start_with(settings).await;
        let database = Database::at(&server.url());
        works(&database, &["init"]);
        let (verdict, text) = finding(&database);
        assert_eq!(verdict == "warning", !named.is_empty(), "{settings}: {text}");
        for name in ["fsync", "full_page_writes"] {
            let statement = format!("ALTER SYSTEM SET {name} = on");
            assert_eq!(text.contains(&statement), named.contains(&name), "{settings}: {text}");
        }
    }
    let file = Database::new(Backend::Sqlite).await;
    assert!(!on(&file, &["doctor"], "").out.contains("durability"));
}

/// A URL that is wrong is refused before anything is connected, by every command that takes one.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_is_named_by_every_command() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().display().to_string();
    let source = Database::new(Backend::Sqlite).await;
    let Location::Sqlite(data) = &source.location else { panic!("not SQLite") };
    let data = data.display().to_string();
    for (end, named, instead) in [
        ("sslcrl=/x", "\"sslcrl\"", "sslrootcert"),
        ("sslmode=prefer", "sslmode=prefer", "?sslmode=require"),
        ("sslmode=allow", "sslmode=allow", "?sslmode=disable"),
        ("target_session_attrs=any", "target_session_attrs", "read-write"),
    ] {
        let url = format!("postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/d?{end}");
        for args in [
            &["serve", "--database-url", &url] as &[&str],
            &["doctor", "--database-url", &url],
            &["config", "show", "--database-url", &url],
            &["move", "--data-dir", &data, "--to", &url],
            &["import", "django", "--data-dir", &place, "--from", &url],
        ] {
            let output = tokio::task::block_in_place(|| wardroom(args).output().unwrap());
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
            assert!(
                said.contains(named) && said.contains(instead) && !said.contains("hunter2"),
                "{args:?}: {said}"
            );
        }
    }
    let socket = "postgres:///d?host=/nonexistent&sslmode=require";
    let process = Process::start(wardroom(&["serve", "--database-url", socket]));
    let (code, log) = process.end();
    assert!(code == Some(2) && log.contains("socket"), "{log}");
}
