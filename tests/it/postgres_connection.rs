//! Connections to PostgreSQL: protected or refused, and never to another schema's tables. Issue 13, point 16 and one
//! of the low ones.

use std::os::unix::fs::PermissionsExt as _;

use wardroom::directory::query::{UserFilters, UserQuery};
use wardroom::directory::{Clock, Directory, Location, Settings};

use crate::process::{Process, wardroom};
use crate::support::own_postgres::OwnPostgres;
use crate::support::site::{operator, person};
use crate::support::{Backend, Database, Request};

/// Refused before anything is sent: no server listens at these addresses (RFC 5737, RFC 6761).
#[test]
fn finding_16_a_remote_server_needs_tls_or_an_explicit_choice() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().display().to_string();
    for url in [
        "postgres://u:hunter2@192.0.2.1/d",
        "postgres://u:hunter2@192.0.2.1/d?sslmode=prefer",
        "postgres://u:hunter2@db.invalid/d",
        "postgres://u:hunter2@localhost,db.invalid/d",
        "postgres://u:hunter2@localhost/d?hostaddr=192.0.2.1",
    ] {
        for arguments in [
            &["serve", "--database-url", url] as &[&str],
            &["init", "--database-url", url],
            &["user", "list", "--database-url", url],
            &["doctor", "--database-url", url],
            &["import", "django", "--from", url, "--data-dir", &place],
        ] {
            let output = wardroom(arguments).output().unwrap();
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!output.status.success(), "{arguments:?}: {said}");
            assert!(
                said.contains("?sslmode=require") && said.contains("?sslmode=disable"),
                "{arguments:?}: {said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    // If the URL says so explicitly, it is tried.
    let url = "postgres://u:hunter2@db.invalid/d?sslmode=disable";
    let output = wardroom(&["doctor", "--database-url", url]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let finding = said.lines().find(|line| line.starts_with("database_tls")).expect("doctor says so");
    assert!(
        finding.contains("warning") && finding.contains("db.invalid") && finding.contains("sslmode=require"),
        "{said}"
    );
    assert!(said.contains("cannot be reached"), "{said}");
    let near = Database::at("postgres://u@127.0.0.1:1/d?sslmode=disable");
    let output = wardroom(&["doctor"]).args(near.args()).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("database_tls"), "nothing leaves this machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_16_a_move_follows_the_same_rule() {
    let database = Database::new(Backend::Sqlite).await;
    let mut command = wardroom(&["move", "--to", "postgres://u:hunter2@192.0.2.1/d"]);
    let output = command.args(database.args()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("?sslmode=require") && !said.contains("hunter2"),
        "{said}"
    );
}

/// With TLS everything uses it, the cancel request of an abandoned list included. A certificate that is not trusted
/// does not make it continue without TLS.
#[tokio::test(flavor = "multi_thread")]
async fn finding_16_with_tls_all_goes_over_it() {
    let server = OwnPostgres::start().await;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    server.enable_tls(&made.cert.pem(), &made.signing_key.serialize_pem()).await;
    let url = format!("{}?sslmode=require", server.url());
    let trusted = tempfile::tempdir().unwrap();
    let certificate = trusted.path().join("root.pem");
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::set_permissions(&certificate, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = wardroom(arguments);
        command.args(["--database-url", &url]).env("SSL_CERT_FILE", &certificate).env_remove("SSL_CERT_DIR");
        command
    };
    let said = wardroom(&["init", "--database-url", &url]).output().unwrap();
    assert!(!said.status.success(), "the certificate is not trusted");
    let said = run(&["init"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(run(&["user", "add", "root", "--admin"]).output().unwrap().status.success());
    let issued = run(&["token", "issue", "root", "--name", "t", "--json"]).output().unwrap();
    let issued: serde_json::Value = serde_json::from_slice(&issued.stdout).unwrap();
    let key = issued["key"].as_str().unwrap().to_owned();

    let mut process = Process::start(run(&["serve", "--listen", "127.0.0.1:0", "--database-timeout", "60s"]));
    let address = process.address("listening");
    let me = Request::new(address, "GET", "/api/users/me").token(&key);
    assert_eq!(me.send().await.status, 200);
    let database = Database::at(&server.url());
    let sql = "SELECT count(*) FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid \
               WHERE a.application_name = 'wardroom' AND s.ssl IS NOT TRUE";
    assert_eq!(database.number(sql).await, 0);
    database
        .sql(
            "ALTER TABLE groups RENAME TO kept; CREATE VIEW groups AS SELECT k.* FROM pg_sleep(3600), kept k",
        )
        .await;
    let list = Request::new(address, "GET", "/api/users/groups").token(&key).send();
    let abandoned = tokio::time::timeout(std::time::Duration::from_millis(300), list).await;
    assert!(abandoned.is_err(), "the list has no end");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%groups g%' \
                   AND pid <> pg_backend_pid()";
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(45);
    while database.number(running).await > 0 {
        assert!(tokio::time::Instant::now() < end, "the statement goes on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The schema with the role's own name, which comes first in the search path.
const OWN_SCHEMA: &str = "CREATE SCHEMA AUTHORIZATION CURRENT_USER";

async fn names(directory: &Directory) -> Vec<String> {
    let query = UserQuery::by_id(UserFilters::default(), None, 10);
    let rows = directory.list_users(&operator(), &query).await.unwrap().rows;
    rows.into_iter().map(|user| user.username).collect()
}

/// A role that may create a schema could replace Wardroom's tables: with `users` alone before a start, or with all of
/// them after it.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_another_schema_answers_nothing() {
    let database = Database::new(Backend::Postgres).await;
    let clock = Clock::system().unwrap();
    let key = person(&database.open(&clock).await, "ann", |_| {}).await.key;
    database.sql(OWN_SCHEMA).await;
    let role = database.texts("SELECT CAST(current_user AS TEXT)").await.remove(0);
    let copy = |table: &str| format!("CREATE TABLE {role}.{table} AS SELECT * FROM public.{table}");
    database.sql(&copy("users")).await;
    database.sql(&format!("UPDATE {role}.users SET username = 'mallory', is_admin = TRUE")).await;
    assert_eq!(database.texts("SELECT username FROM users").await, ["mallory"], "it comes first, for others");
    let directory = database.open(&clock).await;
    assert_eq!(names(&directory).await, ["ann"]);
    let identity = directory.authenticate(&key, None).await.unwrap();
    assert_eq!((identity.user.username.as_str(), identity.user.is_admin), ("ann", false));
    let tables =
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'users'";
    for table in database.texts(tables).await {
        database.sql(&copy(&table)).await;
    }
    // Connections opened from now on use the same tables.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'wardroom'";
    assert!(database.number(cut).await > 0);
    let bob = person(&directory, "bob", |_| {}).await;
    assert_eq!(names(&directory).await, ["ann", "bob"]);
    assert_eq!(directory.authenticate(&bob.key, None).await.unwrap().user.username, "bob");
    assert_eq!(database.number("SELECT count(*) FROM public.users").await, 2);
    drop(directory);

    // It does not guess which one is meant.
    let refused = Directory::open(&database.settings(), clock.clone()).await.err().unwrap().to_string();
    assert!(refused.contains(&format!("in several schemas (public, {role})")), "{refused}");
    let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
    for (schema, expected) in [("public", vec!["ann", "bob"]), (role.as_str(), vec!["mallory"])] {
        let location = Location::Postgres(format!("{url}?options=-csearch_path%3D{schema}"));
        let directory =
            Directory::open(&Settings { location, ..database.settings() }, clock.clone()).await.unwrap();
        assert_eq!(names(&directory).await, expected);
    }
}

/// An account database in a schema with a name that needs quotes.
#[tokio::test(flavor = "multi_thread")]
async fn finding_low_a_schema_may_have_any_name() {
    let database = Database::empty(Backend::Postgres).await;
    database.sql(r#"CREATE SCHEMA "a b\c""d"; CREATE EXTENSION pg_trgm"#).await;
    let role = database.texts("SELECT CAST(current_user AS TEXT)").await.remove(0);
    let name = database.texts("SELECT CAST(current_database() AS TEXT)").await.remove(0);
    database
        .sql(&format!(r#"ALTER ROLE {role} IN DATABASE {name} SET search_path = "a b\c""d", public"#))
        .await;
    let clock = Clock::system().unwrap();
    Directory::create(&database.settings(), &clock).await.unwrap();
    let directory = database.open(&clock).await;
    person(&directory, "ann", |_| {}).await;
    assert_eq!(names(&directory).await, ["ann"]);
    assert_eq!(database.number(r#"SELECT count(*) FROM "a b\c""d".users"#).await, 1);
}
