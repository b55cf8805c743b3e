//! What PostgreSQL says reaches the operator, with the grant that is missing. It never reaches a client.

use wardroom::directory::Location;

use crate::backup::works;
use crate::cli::on;
use crate::process::serve;
use crate::support::database::{connect, server};
use crate::support::{Backend, Database, Request};

/// A role of a single test, without any rights.
struct Role(String);

impl Role {
    async fn new(database: &Database) -> Self {
        let name = database.texts("SELECT 'limited_' || CAST(current_database() AS TEXT)").await.remove(0);
        connect(&server()).await.batch_execute(&format!("CREATE ROLE {name} LOGIN")).await.unwrap();
        Self(name)
    }

    /// The database as this role sees it.
    fn at(&self, database: &Database) -> Database {
        let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
        Database::at(&url.replace("://wardroom@", &format!("://{}@", self.0)))
    }

    async fn drop_from(self, database: &Database) {
        database.sql(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.0)).await;
    }
}

/// Runs the statements that a message names behind "run ".
async fn grant(database: &Database, said: &str) {
    let (_, statements) = said.trim_end().rsplit_once(": run ").expect("a statement to run");
    assert!(statements.starts_with("GRANT "), "{said}");
    database.sql(statements).await;
}

/// `init` names the rights that are missing. With them, it succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn init_names_the_rights_that_it_lacks() {
    let database = Database::empty(Backend::Postgres).await;
    let name = database.texts("SELECT CAST(current_database() AS TEXT)").await.remove(0);
    database.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC").await;
    let role = Role::new(&database).await;
    let limited = role.at(&database);
    let hidden = on(&limited, &["init"], "");
    let statement = format!("GRANT USAGE ON SCHEMA public TO {}", role.0);
    assert!(
        hidden.code == 5 && hidden.err.contains(&format!("run {statement}, or name another")),
        "{}",
        hidden.err
    );
    database.sql(&statement).await;
    let source = Database::new(Backend::Sqlite).await;
    works(&source, &["user", "add", "root", "--admin"]);
    let archive = source.place().join("backup.tar");
    let archive = archive.to_str().unwrap();
    works(&source, &["backup", archive]);
    let moving = on(&source, &["move", "--to", &limited.args()[1]], "");
    let restoring = on(&limited, &["restore", archive, "--accept-revived"], "");
    let creating = on(&limited, &["init"], "");
    for ran in [&moving, &restoring, &creating] {
        assert!(
            ran.code == 5 && ran.err.contains("permission denied for schema public (SQLSTATE 42501)"),
            "{}",
            ran.err
        );
        for statement in [
            format!("GRANT USAGE, CREATE ON SCHEMA public TO {}", role.0),
            format!("GRANT CREATE ON DATABASE {name} TO {}", role.0),
        ] {
            assert!(ran.err.contains(&statement), "{}", ran.err);
        }
    }
    grant(&database, &creating.err).await;
    works(&limited, &["init"]);
    drop(limited);
    role.drop_from(&database).await;
}

/// PostgreSQL's hint is passed on.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_extension_is_reported_with_the_servers_hint() {
    let database = Database::empty(Backend::Postgres).await;
    let role = Role::new(&database).await;
    database.sql(&format!("GRANT USAGE, CREATE ON SCHEMA public TO {}", role.0)).await;
    let limited = role.at(&database);
    let ran = on(&limited, &["init"], "");
    assert!(
        ran.err.contains("permission denied to create extension \"pg_trgm\" (SQLSTATE 42501)"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("hint: Must have CREATE privilege on current database"), "{}", ran.err);
    grant(&database, &ran.err).await;
    works(&limited, &["init"]);
    drop(limited);
    role.drop_from(&database).await;
}

/// Other commands name the table; a source of an import does too. A client of a server sees nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_reported_by_every_command_and_to_no_client() {
    let database = Database::new(Backend::Postgres).await;
    works(&database, &["user", "add", "root", "--admin"]);
    let key = on(&database, &["token", "issue", "root", "--name", "t", "--json"], "").json();
    let key = key["key"].as_str().unwrap();
    let role = Role::new(&database).await;
    let limited = role.at(&database);
    let migrating = on(&limited, &["migrate"], "");
    let statement = format!("run GRANT USAGE, CREATE ON SCHEMA public TO {}", role.0);
    assert!(migrating.code == 5 && migrating.err.contains(&statement), "{}", migrating.err);
    for args in [&["user", "list"] as &[&str], &["serve", "--listen", "127.0.0.1:0"], &["doctor"]] {
        let ran = on(&limited, args, "");
        let said = ran.out + &ran.err;
        assert!(
            ran.code != 0 && said.contains("permission denied for table schema_migrations (SQLSTATE 42501)"),
            "{args:?}: {said}"
        );
        let statement =
            format!("run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}", role.0);
        assert!(said.contains(&statement) && !said.contains("waiting"), "{args:?}: {said}");
    }
    let all = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public";
    database
        .sql(&format!("GRANT {all} TO {0}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {0}", role.0))
        .await;
    let mut process = serve(&limited, &[]);
    let address = process.address("listening");
    let list = || Request::new(address, "GET", "/api/users").token(key).send();
    assert_eq!(list().await.status, 200);
    database.sql(&format!("REVOKE ALL ON users FROM {}", role.0)).await;
    let ran = on(&limited, &["user", "list"], "");
    let expected = "permission denied for table users (SQLSTATE 42501): run GRANT SELECT, INSERT, UPDATE, DELETE ON users TO the role";
    assert!(ran.code != 0 && ran.err.contains(expected), "{}", ran.err);
    let answer = list().await;
    assert_eq!(answer.status, 500);
    let shown = format!("{:?} {}", answer.headers, answer.body).to_lowercase();
    for internal in ["permission denied", "sqlstate", "42501", "grant", "postgres"] {
        assert!(!shown.contains(internal), "{shown}");
    }
    process.signal("-TERM");
    let (_, log) = process.end();
    assert!(log.contains(expected), "{log}");
    drop(limited);
    role.drop_from(&database).await;
}

/// A source of an import is only read, so only that right is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_may_not_be_read_is_reported() {
    let source = Database::empty(Backend::Postgres).await;
    let table = "CREATE TABLE auth_user (id int PRIMARY KEY, password text, username text UNIQUE, last_login timestamptz, \
                 is_active bool, is_superuser bool, is_staff bool)";
    source.sql(table).await;
    let role = Role::new(&source).await;
    let limited = role.at(&source);
    let database = Database::new(Backend::Sqlite).await;
    let ran = on(&database, &["import", "django", "--from", &limited.args()[1]], "");
    let expected = "the role of the URL may not read auth_user.id: grant it SELECT on auth_user";
    assert!(ran.code == 2 && ran.err.contains(expected), "{}", ran.err);
    drop(limited);
    role.drop_from(&source).await;
}
