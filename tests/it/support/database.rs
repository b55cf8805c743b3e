//! A separate database for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;
use wardroom::directory::model::Rates;
use wardroom::directory::{Clock, Directory, LinkSettings, Location, MessageSettings, Settings};

use super::templates::Templates;

/// Takes back what migration 19 and later ones added, except the column `amr` of tokens and what a trigger says of it.
pub const UNDO_19: &str = "DROP TABLE code_requests; DROP TABLE sign_in_codes; DROP TABLE code_failures; DROP TABLE contact_changes;
             DROP INDEX users_by_number; DROP TABLE deliveries; DROP TABLE saved_views; DROP TABLE activity; DROP TABLE servers; DROP INDEX tokens_lasting_by_end; DROP INDEX tokens_never_used; DROP INDEX tokens_of_sign_ins;
             DROP INDEX audit_events_by_actor_name; DROP INDEX audit_events_by_object_name; DROP INDEX audit_events_by_address;
             DROP INDEX audit_events_by_action_and_time; DROP INDEX tokens_by_issue;
             DROP INDEX tokens_live_sign_ins;
             CREATE INDEX tokens_live_sign_ins ON tokens (user_id, expires_at)
                 WHERE kind = 'sign_in' AND revoked_at IS NULL;
             ALTER TABLE tokens DROP CONSTRAINT tokens_kind_known;
             ALTER TABLE tokens ADD CONSTRAINT tokens_kind_known
                 CHECK (kind = 'api' OR kind = 'sign_in' OR kind = 'imported');";

/// Takes back the triggers that migration 23 added.
pub const fn undo_23(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => {
            "DROP TRIGGER users_moved; DROP TRIGGER users_replaced; DROP TRIGGER users_displaced; DROP TRIGGER tokens_replaced;"
        }
        Backend::Postgres => "DROP TRIGGER users_moved ON users;",
    }
}

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A place for an account database. Its files or its PostgreSQL database are removed when it is dropped.
pub struct Database {
    pub location: Location,
    place: TempDir,
    /// The PostgreSQL database, if there is one.
    loan: Option<Loan>,
}

impl Database {
    /// A place where no account database has been created yet.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let place = tempfile::tempdir().unwrap();
                Self { location: Location::Sqlite(place.path().join("data")), place, loan: None }
            }
            Backend::Postgres => Self::of(Loan::new().await),
        }
    }

    /// A PostgreSQL database that goes with the test.
    pub fn of(loan: Loan) -> Self {
        let place = tempfile::tempdir().unwrap();
        Self { location: Location::Postgres(loan.url()), place, loan: Some(loan) }
    }

    /// A PostgreSQL database that is managed elsewhere.
    pub fn at(url: &str) -> Self {
        Self { location: Location::Postgres(url.to_owned()), place: tempfile::tempdir().unwrap(), loan: None }
    }

    /// An existing data directory with a SQLite database.
    pub fn in_directory(directory: &std::path::Path) -> Self {
        let location = Location::Sqlite(directory.to_owned());
        Self { location, place: tempfile::tempdir().unwrap(), loan: None }
    }

    /// A new, empty account database.
    pub async fn new(backend: Backend) -> Self {
        static NEW: Templates<()> = Templates::new();
        let create = async |database: Self| {
            Directory::create(&database.settings(), &Clock::system().unwrap()).await.unwrap();
            (database, ())
        };
        NEW.copy(backend, create).await.0
    }

    pub fn backend(&self) -> Backend {
        match self.location {
            Location::Sqlite(_) => Backend::Sqlite,
            Location::Postgres(_) => Backend::Postgres,
        }
    }

    /// Keeps a PostgreSQL database as a template until the run has ended, and returns its name. The next run on the same server
    /// drops it.
    pub async fn into_template(self) -> String {
        let mut loan = self.loan.unwrap();
        let client = connect(&loan.server).await;
        for left in client
            .query("SELECT datname FROM pg_database WHERE datname ~ '^wardroom_template_'", &[])
            .await
            .unwrap()
        {
            let left: String = left.get(0);
            let process = left.split('_').nth(2).unwrap();
            if !std::path::Path::new("/proc").join(process).exists() {
                client.batch_execute(&format!("DROP DATABASE IF EXISTS {left} WITH (FORCE)")).await.unwrap();
            }
        }
        let name = loan.name.replace("_test_", "_template_");
        // A connection that is being closed would refuse the new name.
        let rename = format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'; ALTER DATABASE {} RENAME TO {name}",
            loan.name, loan.name
        );
        client.batch_execute(&rename).await.unwrap();
        // Nothing is left to drop.
        loan.name.clone_from(&name);
        std::mem::forget(loan);
        name
    }

    pub fn settings(&self) -> Settings {
        Settings {
            location: self.location.clone(),
            connections: 4,
            timeout: Duration::from_secs(10),
            password_min_length: 8,
            password_words: vec![],
            sign_in_lifetime: Duration::from_secs(12 * 3600),
            sign_in_idle_timeout: Duration::ZERO,
            keep_ended_tokens_for: Duration::from_hours(24 * 90),
            rates: Rates::default(),
            keep_deleted_for: Duration::from_hours(24 * 30),
            contact_needs_password: false,
            identity_cache_bytes: 1 << 20,
            serve_stale_for: Duration::ZERO,
            messages: MessageSettings::default(),
            codes: None,
            links: LinkSettings::default(),
            list_bitmaps_bytes: 64 << 20,
            list_timeout: Duration::from_secs(10),
        }
    }

    /// Opens the account database as a process of its own would.
    pub async fn open(&self, clock: &Clock) -> Directory {
        Directory::open(&self.settings(), clock.clone()).await.unwrap()
    }

    /// The temporary directory of this test.
    pub fn place(&self) -> &std::path::Path {
        self.place.path()
    }

    /// The command-line arguments that name this database.
    pub fn args(&self) -> [String; 2] {
        match &self.location {
            Location::Sqlite(directory) => ["--data-dir".into(), directory.display().to_string()],
            Location::Postgres(url) => ["--database-url".into(), url.clone()],
        }
    }

    /// Runs SQL statements without the program's knowledge.
    pub async fn sql(&self, statements: &str) {
        match &self.location {
            Location::Sqlite(directory) => {
                rusqlite::Connection::open(directory.join("wardroom.db"))
                    .unwrap()
                    .execute_batch(statements)
                    .unwrap();
            }
            Location::Postgres(url) => connect(url).await.batch_execute(statements).await.unwrap(),
        }
    }

    /// Takes back what the migration of links added.
    pub fn undo_links(&self) -> &'static str {
        match self.location {
            Location::Sqlite(_) => {
                "DROP TRIGGER users_end_links; DROP TRIGGER users_mail_changed; DROP TABLE links; DROP TABLE mail_changes;"
            }
            Location::Postgres(_) => {
                "DROP FUNCTION end_links CASCADE; DROP FUNCTION note_mail_change CASCADE; DROP TABLE links; \
                 DROP TABLE mail_changes;"
            }
        }
    }

    /// Takes back what the migrations after version 10 added, so that `migrate` runs them again on rows that exist.
    pub async fn go_back_to_version_10(&self) {
        let sqlite = "BEGIN INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id); END";
        let (on_tokens, on_groups, truncated, action) = match self.location {
            Location::Sqlite(_) => ("", "", "", sqlite),
            Location::Postgres(_) => (
                " ON tokens",
                " ON groups",
                "DROP TRIGGER groups_truncated ON groups;",
                "FOR EACH ROW EXECUTE FUNCTION note_old_user()",
            ),
        };
        let links = self.undo_links();
        let statements = format!(
            "{links} ALTER TABLE users DROP COLUMN made_here; ALTER TABLE groups DROP COLUMN made_here;
             ALTER TABLE tokens DROP COLUMN ends_by;
             DROP TRIGGER tokens_changed{on_tokens};
             DROP TRIGGER groups_changed{on_groups}; DROP TRIGGER groups_added{on_groups};
             DROP TRIGGER groups_removed{on_groups}; {truncated}
             DROP INDEX tokens_with_scopes; DROP INDEX tokens_with_networks;
             ALTER TABLE tokens DROP COLUMN scopes; ALTER TABLE tokens DROP COLUMN read_only;
             ALTER TABLE tokens DROP COLUMN allowed_networks; ALTER TABLE tokens DROP COLUMN amr;
             {UNDO_19} {}
             CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at,
                 revoked_at, made_by, root ON tokens {action};
             UPDATE groups SET notes = '' WHERE notes IS NULL; ALTER TABLE groups ALTER COLUMN notes SET NOT NULL;
             DROP TABLE ended_tokens; DROP TABLE unreferenced_media; DROP INDEX users_by_upload;
             DROP TABLE deleted_memberships; DROP TABLE deleted_groups;
             DELETE FROM permissions WHERE code = 1282; DELETE FROM schema_migrations WHERE version > 10",
            undo_23(self.backend())
        );
        self.sql(&statements).await;
    }

    /// Makes the database unavailable to all processes that use it.
    pub async fn make_unavailable(&self) {
        match (&self.location, &self.loan) {
            (Location::Sqlite(directory), _) => std::fs::remove_file(directory.join("wardroom.db")).unwrap(),
            (Location::Postgres(_), Some(loan)) => {
                let drop = format!("DROP DATABASE {} WITH (FORCE)", loan.name);
                connect(&loan.server).await.batch_execute(&drop).await.unwrap();
            }
            (Location::Postgres(_), None) => panic!("a database without a server"),
        }
    }

    /// Runs a query and returns the text of its first row.
    pub async fn text(&self, query: &str) -> String {
        self.texts(query).await.into_iter().next().unwrap()
    }

    /// Runs a query and returns one text from each row.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        match &self.location {
            Location::Sqlite(directory) => {
                let connection = rusqlite::Connection::open(directory.join("wardroom.db")).unwrap();
                let mut statement = connection.prepare(query).unwrap();
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Location::Postgres(url) => {
                connect(url).await.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Every row of every table that `move` copies, and the next id of each table.
    pub async fn content(&self) -> Vec<String> {
        let mut content = Vec::new();
        for table in [
            "users",
            "groups",
            "memberships",
            "permissions",
            "user_permissions",
            "group_permissions",
            "tokens",
            "ended_tokens",
            "audit_events",
            "deleted_users",
            "deleted_groups",
            "deleted_memberships",
            "attempts",
            "known_addresses",
            "activity",
            "code_failures",
            "contact_changes",
        ] {
            let rows = match self.location {
                Location::Sqlite(_) => {
                    let columns = format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')");
                    let columns = self.texts(&columns).await.join(" || ', ' || ");
                    if columns.is_empty() {
                        // An earlier version did not have the table.
                        continue;
                    }
                    self.texts(&format!("SELECT {columns} FROM {table} ORDER BY 1")).await
                }
                Location::Postgres(_) => {
                    if self
                        .texts(&format!("SELECT '{table}' WHERE to_regclass('{table}') IS NOT NULL"))
                        .await
                        .is_empty()
                    {
                        continue;
                    }
                    self.texts(&format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY 1")).await
                }
            };
            content.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
        }
        let next = match self.location {
            Location::Sqlite(_) => {
                "SELECT name || ' ' || seq FROM sqlite_sequence WHERE name <> 'identity_changes' AND seq > 0 ORDER BY 1"
            }
            Location::Postgres(_) => {
                "SELECT sequencename || ' ' || last_value FROM pg_sequences \
                 WHERE last_value IS NOT NULL AND sequencename NOT LIKE 'identity_changes%' ORDER BY 1"
            }
        };
        content.extend(self.texts(next).await);
        content
    }

    /// Runs a query and returns one number.
    pub async fn number(&self, query: &str) -> i64 {
        match &self.location {
            Location::Sqlite(directory) => rusqlite::Connection::open(directory.join("wardroom.db"))
                .unwrap()
                .query_row(query, [], |row| row.get(0))
                .unwrap(),
            Location::Postgres(url) => connect(url).await.query_one(query, &[]).await.unwrap().get(0),
        }
    }
}

/// A PostgreSQL database on the suite's server, dropped when the test ends.
pub struct Loan {
    server: String,
    name: String,
}

impl Loan {
    /// A new, empty database.
    pub async fn new() -> Self {
        Self::copy_of("template1").await
    }

    /// A copy of another database, which must have no connections.
    pub async fn copy_of(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server();
        let name = format!("wardroom_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        connect(&server).await.batch_execute(&create).await.unwrap();
        Self { server, name }
    }

    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = std::mem::take(&mut self.server);
        // Not on this thread's runtime, which may be the one that is ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { connect(&server).await.batch_execute(&drop).await.unwrap() });
        });
        dropped.join().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "scripts/test names the PostgreSQL server in the environment")]
pub fn server() -> String {
    std::env::var("WARDROOM_TEST_POSTGRES")
        .expect("WARDROOM_TEST_POSTGRES names no PostgreSQL server: run the tests with scripts/test")
}

/// Opens a connection to a URL of the suite's server. The driver does not know the parameter `schema`.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (base, schema) =
        url.split_once("?schema=").map_or((url, None), |(base, schema)| (base, Some(schema)));
    let (client, connection) = tokio_postgres::connect(base, NoTls).await.unwrap();
    tokio::spawn(connection);
    if let Some(schema) = schema {
        let path = format!("SET search_path = \"{}\"", schema.replace("%20", " "));
        client.batch_execute(&path).await.unwrap();
    }
    client
}
