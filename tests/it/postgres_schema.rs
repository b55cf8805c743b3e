//! An account database in a schema that the URL names, beside the tables of other programs.

use std::path::Path;

use wardroom::directory::{Clock, Location};

use crate::backup::{refused, works};
use crate::cli::on;
use crate::moving::fill_every_table;
use crate::process::serve;
use crate::support::{Backend, Database, Request};

/// The same database with parameters at the end of its URL.
fn with(database: &Database, end: &str) -> Database {
    let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
    Database::at(&format!("{url}{end}"))
}

/// The tables that are in none of these schemas.
async fn tables_outside(database: &Database, schemas: &str) -> Vec<String> {
    let sql = format!(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', {schemas})"
    );
    database.texts(&sql).await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every command, every connection of a server, migrations, backups, restores and moves stay in the schema of the URL.
#[tokio::test(flavor = "multi_thread")]
async fn everything_stays_in_the_schema_of_the_url() {
    let database = Database::empty(Backend::Postgres).await;
    database
        .sql("CREATE TABLE users (id int); CREATE TABLE schema_migrations (x int); CREATE EXTENSION pg_trgm")
        .await;
    let ours = with(&database, "?schema=back%20office");
    let role = database.texts("SELECT CAST(current_user AS TEXT)").await.remove(0);
    let create = format!("CREATE SCHEMA \"back office\" AUTHORIZATION {role}");
    for args in [&["init"] as &[&str], &["user", "list"], &["serve", "--listen", "127.0.0.1:0"]] {
        refused_or_silent(&ours, args, &create);
    }
    database.sql(&create).await;
    works(&ours, &["init"]);
    let directory = ours.open(&Clock::system().unwrap()).await;
    drop(directory);
    let key = fill_every_table(&ours).await;
    assert!(works(&ours, &["migrate"]).out.contains("up to date"));
    assert!(on(&ours, &["doctor"], "").out.contains("schema back office"));
    let mut process = serve(&ours, &[]);
    let address = process.address("listening");
    assert_eq!(Request::new(address, "GET", "/api/users/me").token(&key).send().await.status, 200);
    assert_eq!(Request::new(address, "GET", "/api/users/groups").token(&key).send().await.status, 200);
    drop(process);

    // A backup, a restore in its place, and one into a schema that is empty.
    let archive = database.place().join("backup.tar");
    let data = database.place().join("data").display().to_string();
    works(&ours, &["backup", text(&archive), "--data-dir", &data]);
    works(&ours, &["restore", text(&archive), "--replace", "--reopen-closed", "--data-dir", &data]);
    database.sql("CREATE SCHEMA second; CREATE SCHEMA third").await;
    let second = with(&database, "?schema=second");
    works(&second, &["restore", text(&archive), "--accept-revived", "--data-dir", &data]);
    let third = with(&database, "?schema=third");
    works(&second, &["move", "--to", &third.args()[1]]);
    let users = |schema: &str| format!("SELECT count(*) FROM {schema}.users");
    let expected = database.number(&users("\"back office\"")).await;
    assert!(expected > 1);
    for schema in ["second", "third"] {
        assert_eq!(database.number(&users(schema)).await, expected, "{schema}");
    }
    let mut outside = tables_outside(&database, "'back office', 'second', 'third'").await;
    outside.sort();
    assert_eq!(outside, ["public.schema_migrations", "public.users"]);
    assert_eq!(database.number("SELECT count(*) FROM public.users").await, 0);
}

/// The command fails and names the statement that is missing.
fn refused_or_silent(database: &Database, args: &[&str], statement: &str) {
    let ran = on(database, args, "");
    assert!(
        ran.code != 0 && ran.err.contains(&format!("run {statement}")),
        "{args:?}: {} {}",
        ran.out,
        ran.err
    );
    assert!(!ran.err.contains("waiting for PostgreSQL"), "{}", ran.err);
}

/// A database in use by another program gets no tables by mistake, from no command.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_full_of_other_tables_is_refused() {
    let database = Database::empty(Backend::Postgres).await;
    let source = Database::new(Backend::Sqlite).await;
    let archive = source.place().join("backup.tar");
    works(&source, &["backup", text(&archive)]);
    works(&source, &["user", "add", "root", "--admin"]);
    database
        .sql(
            "CREATE TABLE shop_order (id int); CREATE VIEW shop_view AS SELECT 1; CREATE SCHEMA backoffice; \
             CREATE TABLE backoffice.auth_user (id int)",
        )
        .await;
    let every = "SELECT CAST(c.oid AS BIGINT)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";
    let before = database.texts(every).await;
    let named = "contains 3 tables that are not Wardroom's (public.shop_order, public.shop_view, backoffice.auth_user)";
    let url = database.args()[1].clone();
    refused(&database, &["init"], 5, named);
    refused(&source, &["move", "--to", &url], 5, named);
    for args in [
        &["serve", "--init", "--listen", "127.0.0.1:0"] as &[&str],
        &["restore", text(&archive), "--accept-revived"],
    ] {
        let ran = on(&database, args, "");
        assert!(ran.code == 5 && ran.err.contains(named), "{args:?}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains("--among-other-tables") && ran.err.contains("?schema=NAME"), "{}", ran.err);
    }
    assert_eq!(database.texts(every).await, before, "nothing was changed");
    // A schema of its own is not shared with them. One that has tables is named.
    database.sql("CREATE SCHEMA accounts").await;
    refused(&with(&database, "?schema=backoffice"), &["init"], 5, "(backoffice.auth_user)");
    works(&with(&database, "?schema=accounts"), &["init"]);
    works(&database, &["init", "--among-other-tables"]);
    works(&with(&database, "?schema=public"), &["user", "add", "ann"]);
    refused(&database, &["init", "--among-other-tables"], 5, "already holds an account database");
}

/// Tables of an extension are part of no program.
#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_not_another_program() {
    let database = Database::empty(Backend::Postgres).await;
    database.sql("CREATE EXTENSION pg_stat_statements").await;
    assert_eq!(
        database.number("SELECT count(*) FROM pg_views WHERE viewname = 'pg_stat_statements'").await,
        1
    );
    works(&database, &["init"]);
}
