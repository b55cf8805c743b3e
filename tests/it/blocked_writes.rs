//! Writes that another session blocks, or that PostgreSQL ends: how long they wait, what they report, and what they hold
//! up.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::{Clock, Directory, Location, Settings};

use crate::process::serve;
use crate::support::database::connect;
use crate::support::proxy::Proxy;
use crate::support::site::{Persona, operator, person};
use crate::support::{Backend, Database, Request, Site, both};

/// The lock of all writers, held by an operator's session until this is dropped.
pub enum Holder {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Holder {
    pub async fn of_writers(database: &Database) -> Self {
        match &database.location {
            Location::Sqlite(directory) => {
                let connection = rusqlite::Connection::open(directory.join("wardroom.db")).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite(connection)
            }
            Location::Postgres(_) => {
                Self::in_transaction(database, "SELECT pg_advisory_xact_lock(6283734521)").await
            }
        }
    }

    async fn in_transaction(database: &Database, statement: &str) -> Self {
        let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
        let client = connect(url).await;
        client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
        Self::Postgres(client)
    }

    pub async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("ROLLBACK").unwrap(),
            Self::Postgres(client) => client.batch_execute("ROLLBACK").await.unwrap(),
        }
    }
}

both! {
    /// Guards against refusals of forward authentication that write an event each, on the path of the request.
    async fn forward_auth_refuses_without_waiting_for_a_write(backend: Backend) {
        let site = Site::start(backend).await;
        let outside = "UPDATE tokens SET allowed_networks = '192.0.2.0/24' WHERE user_id = ";
        site.database.sql(&format!("{outside}{}", site.admin.id)).await;
        let holder = Holder::of_writers(&site.database).await;
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"];
        for method in methods {
            for path in ["staff", "staff/x"] {
                let status = async |key: &str| {
                    site.request(method, &format!("/api/auth/forward/{path}")).token(key).send().await.status
                };
                let statuses = [status(&site.plain.key).await, status(&site.admin.key).await, status(&site.inactive.key).await];
                assert_eq!(statuses, [403, 401, 401], "{method} {path}");
            }
        }
        holder.release().await;
        // Tokens that are refused are noted, in limited number; users who may not pass are not.
        site.clock.set("2025-09-01T13:00:00Z".parse().unwrap());
        for key in [&site.admin.key, &site.inactive.key] {
            site.get("/api/auth/forward/staff").token(key).send().await;
        }
        let events = "SELECT count(DISTINCT object_id) FROM audit_events WHERE action = 'token.refused'";
        while site.database.number(events).await < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        for method in methods {
            site.request(method, "/api/auth/forward/staff").token(&site.plain.key).send().await;
        }
        // A write that is noted the same way, and after those.
        let refused = site.request("DELETE", "/api/users/42").token(&site.plain.key).send().await;
        assert_eq!(refused.status, 403);
        let denied = "SELECT count(*) FROM audit_events WHERE action = 'request.refused'";
        assert_eq!(site.database.number(denied).await, 1);
    }
}

/// Renames a user, as an admin does.
fn rename(
    address: std::net::SocketAddr,
    admin: &Persona,
    user: i64,
    name: &str,
) -> impl Future<Output = crate::support::Answer> + Send + use<> {
    Request::new(address, "PATCH", &format!("/api/users/{user}"))
        .token(&admin.key)
        .body("application/json", format!(r#"{{"last_name":"{name}"}}"#))
        .send()
}

async fn last_name(database: &Database, user: i64) -> String {
    database.texts(&format!("SELECT last_name FROM users WHERE id = {user}")).await.remove(0)
}

/// Far below two times the timeout, after which the old program answered the first of these writes.
const TIMEOUT: Duration = Duration::from_secs(6);
const LONGEST: Duration = Duration::from_millis(10_500);

both! {
    /// Guards against writes that waited two to four times as long as database_timeout: once for the lock, once more on a
    /// new connection, and before that in the queue.
    async fn a_blocked_write_is_answered_within_the_timeout(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.timeout = TIMEOUT).await;
        let holder = Holder::of_writers(&site.database).await;
        let mut writes = JoinSet::new();
        for number in 0..24_u64 {
            let write = rename(site.address, &site.admin, site.plain.id, "renamed");
            writes.spawn(async move {
                // Some arrive while others wait.
                sleep(Duration::from_millis(number * 100)).await;
                let begun = Instant::now();
                let answer = write.await;
                (answer, begun.elapsed())
            });
        }
        for (answer, time) in writes.join_all().await {
            assert_eq!(answer.status, 503, "{answer}");
            assert!(answer.body.contains("temporarily unavailable"), "it is certain that nothing was changed: {answer}");
            assert!(time < LONGEST, "answered after {time:?}");
        }
        holder.release().await;
        assert_eq!(last_name(&site.database, site.plain.id).await, "", "a refused write was made later");
        let answer = rename(site.address, &site.admin, site.plain.id, "renamed").await;
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(last_name(&site.database, site.plain.id).await, "renamed");
    }
}

/// Guards against one locked row that makes all other writes fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_an_operator_locks_delays_others_but_fails_alone() {
    let timeout = Duration::from_secs(20);
    let site = Site::with_directory(Backend::Postgres, |settings| settings.timeout = timeout).await;
    let locked = site.plain.id;
    let lock = format!("SELECT id FROM users WHERE id = {locked} FOR UPDATE");
    let holder = Holder::in_transaction(&site.database, &lock).await;
    let mut writes = JoinSet::new();
    for user in [locked, site.staff.id, site.holder.id, site.inactive.id] {
        let write = rename(site.address, &site.admin, user, "renamed");
        writes.spawn(async move { (user, write.await) });
    }
    for (user, answer) in writes.join_all().await {
        assert_eq!(answer.status, if user == locked { 503 } else { 200 }, "{user}: {answer}");
    }
    holder.release().await;
    let answer = rename(site.address, &site.admin, locked, "renamed").await;
    assert_eq!(answer.status, 200, "{answer}");
}

/// A function that waits until the table `go` has a row.
const WAIT: &str = "CREATE TABLE go (id BIGINT); CREATE FUNCTION wait_for_go() RETURNS TRIGGER LANGUAGE plpgsql AS $$ \
     BEGIN WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NEW; END $$;";

/// Waits until a write of the program waits for the table `go`.
async fn until_it_waits(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                   AND wait_event = 'PgSleep' AND application_name = 'wardroom'";
    while database.number(waiting).await == 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

/// Guards against a replica that is stopped inside a transaction and holds up the writes of all others for ten seconds
/// and more. When it runs again, PostgreSQL has ended its transaction: it runs the write again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_holds_up_others_briefly() {
    let database = Database::new(Backend::Postgres).await;
    let settings = Settings { timeout: Duration::from_secs(20), ..database.settings() };
    let directory = Directory::open(&settings, Clock::system().unwrap()).await.unwrap();
    let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
    let (ann, bob) = (person(&directory, "ann", |_| {}).await.id, person(&directory, "bob", |_| {}).await.id);
    let trigger = format!(
        "CREATE TRIGGER slow BEFORE UPDATE OF last_name ON users FOR EACH ROW WHEN (NEW.id = {ann}) \
         EXECUTE FUNCTION wait_for_go()"
    );
    database.sql(&format!("{WAIT} {trigger}")).await;
    let mut process = serve(&database, &["--database-timeout", "60s", "--request-timeout", "5m"]);
    let address = process.address("listening");
    let write = tokio::spawn(rename(address, &admin, ann, "slow"));
    until_it_waits(&database).await;
    process.signal("-STOP");
    // The statement ends, and its transaction stays open: it has the lock of all writers.
    database.sql("INSERT INTO go VALUES (1)").await;
    let draft = UserDraft { last_name: Some("quick".into()), ..UserDraft::default() };
    let written =
        directory.update_user(&operator(), &UserKey::Id(bob.try_into().unwrap()), &draft, None).await;
    assert!(written.is_ok(), "the stopped replica still holds the lock: {written:?}");
    process.signal("-CONT");
    let answer = write.await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(last_name(&database, ann).await, "slow");
}

/// Guards against a change that is reported as refused and was made: the connection is lost while PostgreSQL commits.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_confirms_is_reported_as_such() {
    let database = Database::new(Backend::Postgres).await;
    let Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
    let proxy = Proxy::to(url).await;
    let settings = Settings {
        location: Location::Postgres(proxy.url(url)),
        timeout: Duration::from_secs(30),
        ..database.settings()
    };
    let directory = Directory::open(&settings, Clock::system().unwrap()).await.unwrap();
    let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
    let ann = person(&directory, "ann", |_| {}).await.id;
    let trigger = "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
                   WHEN (NEW.last_name = 'slow') EXECUTE FUNCTION wait_for_go()";
    database.sql(&format!("{WAIT} {trigger}")).await;
    let (_, address) = Site::serve_open(directory).await;
    let write = tokio::spawn(rename(address, &admin, ann, "slow"));
    until_it_waits(&database).await;
    proxy.cut();
    let answer = write.await.unwrap();
    assert_eq!(answer.status, 503, "{answer}");
    assert!(answer.body.contains("may have been made"), "{answer}");
    assert_eq!(answer.header("retry-after"), None, "a client must look before it repeats the request");
    assert_eq!(last_name(&database, ann).await, "", "PostgreSQL still commits");
    database.sql("INSERT INTO go VALUES (1)").await;
    while last_name(&database, ann).await != "slow" {
        sleep(Duration::from_millis(10)).await;
    }
    let answer = rename(address, &admin, ann, "quick").await;
    assert_eq!(answer.status, 200, "{answer}");
}
