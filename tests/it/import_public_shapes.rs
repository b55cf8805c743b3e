//! `wardroom import django` from the shapes that users, groups and keys have in public projects. Each folder of
//! `tests/django/shapes` is one project:
//!
//! - `shape.sql`: its tables and rows, in a text that SQLite and PostgreSQL both read. `sqlite.sql` or `postgres.sql`
//!   runs before it, or stands in its place.
//! - `flags`: the flags of the import, one argument per line.
//! - `expected.json`: what the import must give. `refusals` are runs that must fail first, with the flags that they are
//!   run with, their exit code and parts of their messages. `users` are all users, each with its flags, groups and any
//!   other fields of its record. `groups` are all groups, or all groups with their notes. `keys` must authenticate as
//!   the named user, `refused_keys` must not. `unread` are the tables that the report names as not read, by what they
//!   refer to. `notices` are parts of the report's other notes, `mapping` are some of its lines. A name that ends in
//!   `_sqlite` or `_postgres` wins over the plain one on that database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wardroom::directory::Clock;

use crate::cli::{Ran, on};
use crate::support::database::{Loan, connect};
use crate::support::{Backend, Database, both};

/// Creates a test for each shape, and the list of them.
macro_rules! shapes {
    ($($name:ident)*) => {
        const SHAPES: &[&str] = &[$(stringify!($name)),*];
        $(both! {
            async fn $name(backend: Backend) {
                Shape::load(stringify!($name), backend).await.check().await;
            }
        })*
    };
}

shapes! {
    anonymous_user
    checks_profile
    citext_and_bits
    course_profile
    hashed_keys
    inherited_from_user
    inherited_party
    invited_members
    keys_in_the_users_row
    legacy_upper_case
    many_tokens
    null_usernames
    one_name
    organizations
    other_schema
    own_groups
    page_rights
    phone_as_username
    profile_by_key
    ranks
    renamed_table
    roles
    salted_knox
    shop_accounts
    soft_deleted
    teams
    text_keys
    through_with_requests
    uuid_users
    view_of_users
    workspaces
}

fn shapes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django/shapes")
}

#[test]
fn every_shape_is_run() {
    let found: BTreeSet<String> = std::fs::read_dir(shapes())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, SHAPES.iter().map(|name| (*name).to_owned()).collect());
}

/// Rows that a policy of PostgreSQL hides from the reading role are not missing without a word: nothing is read, and
/// above all nothing counts as deleted.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_policy_hides_are_a_refusal() {
    let shape = Shape::load("one_name", Backend::Postgres).await;
    let role = format!("wardroom_reader_{}", std::process::id());
    let owner = connect(&shape.source).await;
    let policy = format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; \
         ALTER TABLE users_user ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON users_user FOR SELECT TO {role} USING (id <> 1)"
    );
    owner.batch_execute(&policy).await.unwrap();
    let database = Database::new(Backend::Postgres).await;
    let from = shape.source.replace("://wardroom@", &format!("://{role}@"));
    let ran = on(&database, &["import", "django", "--from", &from], "");
    let all = shape.import(&database, &shape.flags, &["--json"]);
    owner.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
    assert!(
        ran.code == 5 && ran.err.contains("\"users_user\"") && ran.err.contains("BYPASSRLS"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(all.json()["users"]["added"], 2);
}

/// The notes about tables that are not read, by the name that `expected.json` gives them.
const UNREAD: [(&str, &str); 3] = [
    ("users", "tables that refer to users and are not read"),
    ("groups", "tables that refer to groups and are not read"),
    ("joins", "tables that join users and groups and are not read"),
];

/// A project's database, and what is expected of its import.
struct Shape {
    backend: Backend,
    source: String,
    flags: Vec<String>,
    expected: Value,
    _place: tempfile::TempDir,
    _loan: Option<Loan>,
}

impl Shape {
    async fn load(name: &str, backend: Backend) -> Self {
        let folder = shapes().join(name);
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
        let own = if backend == Backend::Sqlite { "sqlite.sql" } else { "postgres.sql" };
        let sql: String = [read(own), read("shape.sql")].into_iter().flatten().collect();
        let place = tempfile::tempdir().unwrap();
        let (source, loan) = match backend {
            Backend::Sqlite => {
                let path = place.path().join("source.db");
                rusqlite::Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
                (path.display().to_string(), None)
            }
            Backend::Postgres => {
                let loan = Loan::new().await;
                let sql = format!("SET TIME ZONE 'UTC'; {sql}");
                connect(&loan.url()).await.batch_execute(&sql).await.unwrap();
                (loan.url(), Some(loan))
            }
        };
        let flags = read("flags").unwrap_or_default().lines().map(str::to_owned).collect();
        let expected = serde_json::from_str(&read("expected.json").unwrap()).unwrap();
        Self { backend, source, flags, expected, _place: place, _loan: loan }
    }

    /// Returns a part of what is expected, on this database.
    fn expected(&self, part: &str) -> &Value {
        let own = if self.backend == Backend::Sqlite { "sqlite" } else { "postgres" };
        self.expected.get(format!("{part}_{own}")).unwrap_or(&self.expected[part])
    }

    fn import(&self, database: &Database, flags: &[String], more: &[&str]) -> Ran {
        let flags = flags.iter().map(String::as_str).chain(more.iter().copied());
        let args: Vec<&str> = ["import", "django", "--from", &self.source].into_iter().chain(flags).collect();
        on(database, &args, "")
    }

    async fn check(&self) {
        let database = Database::new(self.backend).await;
        self.check_refusals(&database).await;
        let ran = self.import(&database, &self.flags, &["--json"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let report = ran.json();
        self.check_records(&database);
        self.check_keys(&database).await;
        self.check_report(&report);
        let again = self.import(&database, &self.flags, &["--sync", "--delete-missing", "--yes"]);
        assert!(again.out.contains("everything was up to date already"), "{}{}", again.out, again.err);
    }

    /// Each refusal names what was found and what to type next, and writes nothing.
    async fn check_refusals(&self, database: &Database) {
        for refusal in list(self.expected("refusals")) {
            let flags: Vec<String> = texts(&refusal["flags"]).into_iter().collect();
            let ran = self.import(database, &flags, &[]);
            assert_eq!(i64::from(ran.code), refusal["code"].as_i64().unwrap(), "{}{}", ran.out, ran.err);
            for part in texts(&refusal["says"]) {
                assert!(ran.out.contains(&part) || ran.err.contains(&part), "{part}: {}{}", ran.out, ran.err);
            }
            assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        }
    }

    fn check_records(&self, database: &Database) {
        let exported = on(database, &["export"], "").out;
        let records: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: &str| {
            records.iter().filter(move |record| record["type"] == kind).cloned().collect::<Vec<Value>>()
        };
        let groups: BTreeMap<String, Value> =
            of("group").into_iter().map(|group| (text(&group["name"]), group)).collect();
        match self.expected("groups") {
            Value::Object(notes) => {
                let found: BTreeMap<_, _> =
                    groups.iter().map(|(name, group)| (name.clone(), group["notes"].clone())).collect();
                assert_eq!(found, notes.clone().into_iter().collect());
            }
            names => assert_eq!(
                groups.keys().cloned().collect::<BTreeSet<_>>(),
                texts(names).into_iter().collect()
            ),
        }
        let names: BTreeMap<i64, &String> =
            groups.iter().map(|(name, group)| (group["id"].as_i64().unwrap(), name)).collect();
        let users: BTreeMap<String, Value> =
            of("user").into_iter().map(|user| (text(&user["username"]), user)).collect();
        let expected = self.expected("users").as_object().unwrap();
        assert_eq!(users.keys().collect::<BTreeSet<_>>(), expected.keys().collect());
        for (username, fields) in expected {
            let user = &users[username];
            let held = ["active", "staff", "admin"]
                .into_iter()
                .filter(|flag| user[format!("is_{flag}")] == true)
                .collect::<Vec<_>>();
            assert_eq!(held.join(" "), text(&fields["flags"]), "{username}");
            let joined: BTreeSet<String> =
                list(&user["groups"]).iter().map(|id| names[&id.as_i64().unwrap()].clone()).collect();
            assert_eq!(joined, texts(&fields["groups"]).into_iter().collect(), "{username}");
            for (field, value) in fields.as_object().unwrap() {
                if !["flags", "groups"].contains(&field.as_str()) {
                    assert_eq!(&user[field], value, "{field} of {username}");
                }
            }
        }
        if let Some(count) = self.expected("tokens").as_u64() {
            assert_eq!(of("token").len() as u64, count);
        }
    }

    async fn check_keys(&self, database: &Database) {
        let directory = database.open(&Clock::system().unwrap()).await;
        for (key, username) in self.expected("keys").as_object().into_iter().flatten() {
            let identity = directory.authenticate(key, None).await;
            let identity = identity.unwrap_or_else(|error| panic!("the key {key} of {username}: {error:?}"));
            assert_eq!(identity.user.username, text(username));
        }
        for key in texts(self.expected("refused_keys")) {
            assert!(directory.authenticate(&key, None).await.is_err(), "{key} authenticates");
        }
    }

    fn check_report(&self, report: &Value) {
        for (field, from) in self.expected("mapping").as_object().into_iter().flatten() {
            assert_eq!(&report["mapping"][field], from, "{field}: {report:#}");
        }
        let notices = list(&report["notices"]);
        if let Some(unread) = self.expected("unread").as_object() {
            for (name, what) in UNREAD {
                let found: BTreeSet<String> = notices
                    .iter()
                    .filter(|notice| text(&notice["what"]).starts_with(what))
                    .flat_map(|notice| texts(&notice["examples"]))
                    .map(|example| table(&example).to_owned())
                    .collect();
                let wanted = unread.get(name).map(texts).unwrap_or_default();
                assert_eq!(found, wanted.into_iter().collect(), "{what}: {notices:#?}");
            }
        }
        let all = report["notices"].to_string();
        for part in texts(self.expected("notices")) {
            assert!(all.contains(&part), "{part}: {notices:#?}");
        }
    }
}

/// Returns the table that an example of a note begins with: `desk_ticket (owner_id)` or `desk_ticket.owner_id`. A schema
/// stays with its table.
fn table(example: &str) -> &str {
    example.split([' ', ',', ':']).next().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}
