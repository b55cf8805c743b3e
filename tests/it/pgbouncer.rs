//! A connection pooler between Wardroom and PostgreSQL. The judge is a real PgBouncer.

use std::time::Duration;

use serde_json::json;

use crate::cli::on;
use crate::process::{serve, wardroom};
use crate::support::database::connect;
use crate::support::pgbouncer::PgBouncer;
use crate::support::{Backend, Database, Request};

/// The place of the database behind the pooler.
fn direct(database: &Database) -> String {
    database.args()[1].clone()
}

/// Every command refuses a pooler that shares server processes, with the cause and the setting. Nothing was set in the
/// sessions of others, and `serve` does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_sessions_is_refused_at_the_start() {
    let database = Database::new(Backend::Postgres).await;
    let place = database.place().join("data").display().to_string();
    for settings in [
        "pool_mode = transaction",
        "pool_mode = transaction\nserver_round_robin = 1",
        "pool_mode = transaction\ndefault_pool_size = 1",
        "pool_mode = transaction\nignore_startup_parameters = options",
        "pool_mode = statement",
    ] {
        for others in [0, 3] {
            let pooler = PgBouncer::start(settings).await;
            let url = pooler.url(&direct(&database));
            // Others have used some of the pooler's connections already.
            let clients = [connect(&url).await, connect(&url).await, connect(&url).await];
            let busy = clients.iter().take(others).map(|client| client.simple_query("SELECT pg_sleep(0.05)"));
            assert!(futures_util::future::join_all(busy).await.iter().all(Result::is_ok));
            for arguments in [
                &["serve", "--listen", "127.0.0.1:0", "--database-url", &url] as &[&str],
                &["user", "list", "--database-url", &url],
                &["doctor", "--database-url", &url],
                &["init", "--database-url", &url],
                &["import", "django", "--from", &url, "--data-dir", &place],
            ] {
                let output = tokio::task::block_in_place(|| wardroom(arguments).output().unwrap());
                let said =
                    [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
                assert!(!output.status.success(), "{settings}, {arguments:?}: {said}");
                let is_named = said.contains("pool_mode = session") && said.contains("PgBouncer");
                assert!(
                    is_named && !said.contains("waiting for PostgreSQL"),
                    "{settings}, {arguments:?}: {said}"
                );
            }
            let client = connect(&url).await;
            for name in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
                let shown = client.simple_query(&format!("SHOW {name}")).await.unwrap();
                let value = shown.iter().find_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                    _ => None,
                });
                assert_eq!(value, Some("0"), "{settings}: {name}");
            }
        }
    }
}

/// With a session of its own for each connection, everything works: commands, requests, and the end of an abandoned list,
/// which the time limit of the session brings if the pooler loses the cancel request. The pooler needs no settings for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_of_sessions_works() {
    let empty = Database::empty(Backend::Postgres).await;
    let pooler = PgBouncer::start("pool_mode = session\ndefault_pool_size = 40").await;
    let database = Database::at(&pooler.url(&direct(&empty)));
    for args in [&["init"] as &[&str], &["user", "add", "root", "--admin"], &["doctor"], &["audit", "verify"]]
    {
        let ran = on(&database, args, "");
        assert_eq!(ran.code, 0, "{args:?}: {} {}", ran.out, ran.err);
    }
    let key = on(&database, &["token", "issue", "root", "--name", "t", "--json"], "").json();
    let key = key["key"].as_str().unwrap();
    let mut process = serve(&database, &[]);
    let address = process.address("listening");
    for _ in 0..3 {
        assert_eq!(Request::new(address, "GET", "/api/users/me").token(key).send().await.status, 200);
        let change = Request::new(address, "PATCH", "/api/users/me").token(key);
        let change = change.body("application/json", json!({"first_name": "Ann"}).to_string()).send().await;
        assert_eq!(change.status, 200, "{}", change.body);
        assert_eq!(Request::new(address, "GET", "/api/users").token(key).send().await.status, 200);
    }
    empty
        .sql(
            "ALTER TABLE groups RENAME TO kept; CREATE VIEW groups AS SELECT k.* FROM pg_sleep(3600), kept k",
        )
        .await;
    let list = Request::new(address, "GET", "/api/users/groups").token(key).send();
    assert!(tokio::time::timeout(Duration::from_millis(300), list).await.is_err(), "the list has no end");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%groups g%' \
                   AND pid <> pg_backend_pid()";
    let end = tokio::time::Instant::now() + Duration::from_secs(45);
    while empty.number(running).await > 0 {
        assert!(tokio::time::Instant::now() < end, "the statement continues");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.signal("-TERM");
    assert_eq!(process.end().0, Some(0));
}

/// PgBouncer refuses the options of a URL in its own words. The message says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn options_that_a_pooler_refuses_are_named() {
    let database = Database::new(Backend::Postgres).await;
    let pooler = PgBouncer::start("pool_mode = session").await;
    let url = pooler.url(&direct(&database));
    let with_options = Database::at(&format!("{url}?options=-csearch_path%3Dpublic"));
    let (code, said) = serve(&with_options, &[]).end();
    assert!(code == Some(5) && said.contains("unsupported startup parameter: options"), "{code:?}: {said}");
    assert!(said.contains("?schema=NAME") && !said.contains("waiting for PostgreSQL"), "{said}");
    let with_schema = Database::at(&format!("{url}?schema=public"));
    assert_eq!(on(&with_schema, &["user", "list"], "").code, 0);
}
