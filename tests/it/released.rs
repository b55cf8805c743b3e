//! Databases and backups of released versions: every later version upgrades them, and nothing is lost or becomes valid
//! again. Each folder of `tests/fixtures` was made by the program of that version (CONTRIBUTING.md says how) and has,
//! for each database: the database, a backup, and what is known about both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use wardroom::directory::password::Password;
use wardroom::directory::{Clock, Location, Origin};

use crate::backup::{archive, data, done, text, works};
use crate::cli::on;
use crate::support::database::connect;
use crate::support::site::operator;
use crate::support::{Backend, Database, Request, Site, both};

/// The fixture of a released version, on one database.
struct Release {
    folder: PathBuf,
    backend: Backend,
    known: Known,
}

/// What the program of the release knew.
#[derive(Deserialize)]
struct Known {
    active: Vec<Key>,
    refused: Vec<Key>,
    passwords: BTreeMap<String, String>,
    audit_head: String,
    /// The number of rows by table, before the backup.
    rows: BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Key {
    key: String,
    username: Option<String>,
    what: String,
}

impl Release {
    fn all(backend: Backend) -> Vec<Self> {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut all: Vec<Self> = fs::read_dir(folders)
            .unwrap()
            .map(|entry| {
                let folder = entry.unwrap().path();
                let known = fs::read_to_string(folder.join(format!("{}.json", name(backend)))).unwrap();
                Self { known: serde_json::from_str(&known).unwrap(), folder, backend }
            })
            .collect();
        all.sort_by(|one, other| one.folder.cmp(&other.folder));
        assert!(!all.is_empty());
        all
    }

    /// The database as the release left it.
    async fn database(&self) -> Database {
        let database = Database::empty(self.backend).await;
        match &database.location {
            Location::Sqlite(directory) => {
                fs::DirBuilder::new().mode(0o700).create(directory).unwrap();
                let file = directory.join("wardroom.db");
                fs::copy(self.folder.join("sqlite.db"), &file).unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            }
            Location::Postgres(url) => {
                let dump = fs::read_to_string(self.folder.join("postgres.sql")).unwrap();
                connect(url).await.batch_execute(&dump).await.unwrap();
            }
        }
        database
    }

    /// A Django database with the people of the fixture, after a change: the database and what `--from` is.
    async fn people(&self, change: &str) -> (Database, String) {
        let people = fs::read_to_string(self.folder.join("people.sql")).unwrap() + change;
        let source = Database::empty(self.backend).await;
        let from = match &source.location {
            Location::Sqlite(_) => {
                let path = source.place().join("people.db");
                rusqlite::Connection::open(&path).unwrap().execute_batch(&people).unwrap();
                path.display().to_string()
            }
            Location::Postgres(url) => {
                connect(url).await.batch_execute(&people).await.unwrap();
                url.clone()
            }
        };
        (source, from)
    }

    async fn upgraded(&self) -> Database {
        let database = self.database().await;
        works(&database, &["migrate"]);
        database
    }

    /// The path of the backup.
    fn backup(&self) -> PathBuf {
        self.folder.join(format!("{}.tar", name(self.backend)))
    }

    /// Checks keys, passwords, the audit trail and the integrity of a database.
    async fn check(&self, database: &Database) {
        let about = self.folder.display();
        let directory = database.open(&Clock::system().unwrap()).await;
        for Key { key, username, what } in &self.known.active {
            let identity = directory.authenticate(key, None).await;
            let identity = identity.unwrap_or_else(|error| panic!("{about}: {what}: {error:?}"));
            assert_eq!(Some(&identity.user.username), username.as_ref(), "{about}: {what}");
        }
        for Key { key, what, .. } in &self.known.refused {
            assert!(directory.authenticate(key, None).await.is_err(), "{about}: {what} authenticates");
        }
        let verified = directory.verify_audit(&operator(), None).await.unwrap();
        assert_eq!(verified.broken, None, "{about}");
        let integrity = directory.check_integrity().await.unwrap();
        assert!(integrity.is_clean(), "{about}: {integrity:?}");
        drop(directory);
        works(database, &["audit", "verify", "--expect-head", &self.known.audit_head]);
    }
}

fn name(backend: Backend) -> &'static str {
    if backend == Backend::Sqlite { "sqlite" } else { "postgres" }
}

/// The records of an export by what identifies them: users and groups by their ids, tokens by their digests.
fn records(database: &Database) -> BTreeMap<String, Value> {
    let exported = works(database, &["export"]).out;
    let records = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["type"] != "wardroom").map(|record| (identity(&record), record)).collect()
}

fn identity(record: &Value) -> String {
    let kind = record["type"].as_str().unwrap();
    let by = match kind {
        "token" | "ended_token" => "digest",
        "permission" => "code",
        _ => "id",
    };
    format!("{kind} {}", record[by])
}

/// Compares the records of a fresh import with those of another database: which are missing there, and which fields
/// differ. Tokens are named after their users.
fn compare(
    fresh: &BTreeMap<String, Value>,
    other: &BTreeMap<String, Value>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut missing, mut differing, mut compared) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (name, wanted) in fresh {
        let name = wanted["user"].as_i64().map_or_else(|| name.clone(), |user| format!("token of {user}"));
        let Some(found) = other.get(&identity(wanted)) else {
            missing.insert(name);
            continue;
        };
        let fields = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(fields(found), fields(wanted), "{name}");
        for (field, value) in wanted.as_object().unwrap() {
            let is_token = wanted["type"] == "token";
            let is_same = match field.as_str() {
                // The ids of tokens follow the order of the import.
                "id" if is_token => true,
                // An upgrade shortens what is shown of a key whose length was not stored: both ends of a short key may be
                // most of it. A fresh import knows the length.
                "prefix" | "last_four" => value.as_str().unwrap().starts_with(found[field].as_str().unwrap()),
                _ => found[field] == *value,
            };
            if !is_same {
                differing.insert(format!("{name}: {field}"));
            }
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
    (missing, differing)
}

both! {
    /// Until it is upgraded, nothing reads or changes the old database, and each command names the next step.
    async fn an_old_database_is_refused_until_it_is_upgraded(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.database().await;
            let before = database.content().await;
            for args in [&["user", "list"][..], &["user", "add", "eve", "--admin"], &["export"]] {
                let ran = on(&database, args, "");
                assert!(ran.code == 5 && ran.out.is_empty() && ran.err.contains("wardroom migrate"), "{args:?}: {} {}{}", ran.code, ran.out, ran.err);
            }
            assert_eq!(database.content().await, before);
        }
    }
}

both! {
    /// Every row is still there, keys authenticate or are refused as before, passwords sign in, the audit trail verifies,
    /// and a second upgrade does nothing.
    async fn a_database_of_every_release_is_upgraded(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.upgraded().await;
            for (table, count) in &release.known.rows {
                let found = database.number(&format!("SELECT count(*) FROM {table}")).await;
                // Upgrades write to the feed and bring the search index up to date.
                match table.as_str() {
                    "identity_changes" => assert!(found >= *count, "{table}: {found}"),
                    "users_search_pending" => assert!(found <= *count, "{table}: {found}"),
                    _ => assert_eq!(found, *count, "{table}"),
                }
            }
            release.check(&database).await;
            let directory = database.open(&Clock::system().unwrap()).await;
            for (username, password) in &release.known.passwords {
                let signed_in = directory.sign_in(&Origin::default(), username, Password::new(password.clone())).await;
                assert!(signed_in.is_ok(), "{username}");
                let wrong = Password::new(format!("not {password}"));
                assert!(directory.sign_in(&Origin::default(), username, wrong).await.is_err(), "{username}");
            }
            drop(directory);
            // The search index did not know this user yet.
            let admin = release.known.active.iter().find(|key| key.what == "console").unwrap();
            let address = Site::serve(&database).await;
            let get = async |path: &str| {
                let answer = Request::new(address, "GET", path).token(&admin.key).send().await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
                answer.json()
            };
            assert_eq!(get("/api/users?search=mover%20member").await["count"], json!(1));
            // Every row can be read.
            let users = get("/api/users?limit=1000").await;
            assert_eq!(users["count"], json!(release.known.rows["users"]));
            let mut tokens = 0;
            for user in users["results"].as_array().unwrap() {
                get(&format!("/api/users/{}", user["id"])).await;
                tokens += get(&format!("/api/users/{}/tokens", user["id"])).await.as_array().unwrap().len();
            }
            assert!(tokens as i64 >= release.known.rows["tokens"], "{tokens}");
            assert_eq!(get("/api/users/groups?limit=1000").await["count"], json!(release.known.rows["groups"]));
            for path in ["/api/users/permissions", "/api/users/audit?limit=100", "/api/users/deleted?limit=1000", "/api/users/groups/deleted"] {
                get(path).await;
            }
            assert!(works(&database, &["doctor"]).out.contains("is an active admin"));
            assert!(works(&database, &["migrate"]).out.contains("up to date"));
        }
    }
}

/// What the release changed after its import, so that it cannot equal a fresh import of the same people:
///
/// - users and groups that it deleted, changed or added, and their tokens;
/// - tokens that it revoked;
/// - the time of a group without a side table, which is the time of the import.
const CHANGED: [(&str, &[&str]); 7] = [
    // Signed in: a new hash and a new time of the last sign-in. Its group got permissions.
    ("user 1", &["password", "last_login", "last_seen_at"]),
    ("user 4", &["is_active", "updated_at"]),
    ("user 6", &["last_name", "email", "updated_at"]),
    ("user 7", &["groups", "permissions", "updated_at"]),
    // Both tokens of user 2 were revoked.
    ("token of 2", &["revoked_at"]),
    ("group 1", &["permissions", "updated_at"]),
    ("group 6", &["created_at", "updated_at"]),
];
/// What 0.1.0 did not keep, so that an import by a version that keeps it has more: the difference between null and empty
/// notes of a group.
const LOST: [&str; 1] = ["group 3: notes"];
const DELETED: [&str; 4] = ["user 3", "user 5", "group 4", "token of 3"];
/// What still differs after another import: what a source does not have, or does not decide.
const SYNCHRONISED: [&str; 6] = [
    "token of 2: revoked_at",
    "user 1: last_seen_at",
    "user 7: permissions",
    "group 1: permissions",
    "group 6: created_at",
    "group 6: updated_at",
];

both! {
    /// An upgraded database has what a fresh import of the same people has, field by field, but for what the release
    /// changed afterwards.
    async fn an_upgraded_database_equals_a_fresh_import(backend: Backend) {
        for release in Release::all(backend) {
            let upgraded = records(&release.upgraded().await);
            let (_source, from) = release.people("").await;
            let fresh = Database::new(backend).await;
            works(&fresh, &["import", "django", "--from", &from]);
            let (missing, mut differing) = compare(&records(&fresh), &upgraded);
            assert_eq!(missing, DELETED.map(str::to_owned).into());
            differing.retain(|field| !LOST.contains(&field.as_str()));
            assert_eq!(differing, CHANGED.iter().flat_map(|(of, fields)| fields.iter().map(move |field| format!("{of}: {field}"))).collect());
        }
    }
}

both! {
    /// Django stays in use for a while after the upgrade: an import from it continues where the release stopped. What was
    /// changed in Django wins, what was revoked stays revoked, and users added here stay.
    async fn an_upgraded_database_is_synchronised_with_its_source(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.upgraded().await;
            let before = records(&database);
            // Users who were deleted or deactivated here are deleted or deactivated there.
            let gone = "DELETE FROM authtoken_token WHERE user_id IN (3, 5); DELETE FROM people_person_groups WHERE person_id IN (3, 5); \
                        DELETE FROM people_person WHERE id IN (3, 5); UPDATE people_person SET is_active = FALSE WHERE id = 4;";
            let (_source, from) = release.people(gone).await;
            let fresh = Database::new(backend).await;
            works(&fresh, &["import", "django", "--from", &from]);
            works(&database, &["import", "django", "--from", &from, "--sync"]);
            let after = records(&database);
            let (missing, differing) = compare(&records(&fresh), &after);
            assert_eq!(missing, BTreeSet::new());
            assert_eq!(differing, SYNCHRONISED.map(str::to_owned).into());
            let users = |records: &BTreeMap<String, Value>| records.keys().filter(|name| name.starts_with("user ")).cloned().collect::<BTreeSet<_>>();
            assert_eq!(users(&after), users(&before));
            release.check(&database).await;
        }
    }
}

both! {
    /// What an upgraded database exports, a new database imports, and exports again without a difference.
    async fn an_upgraded_database_survives_an_export(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.upgraded().await;
            let file = database.place().join("export.json");
            works(&database, &["export", "--output", text(&file)]);
            let other = Database::new(backend).await;
            works(&other, &["import", "json", "--from", text(&file)]);
            let (mut found, mut wanted) = (records(&other), records(&database));
            for record in found.values_mut().chain(wanted.values_mut()) {
                // Ids of tokens follow the order of the import.
                if record["type"] == "token" {
                    record["id"] = json!(0);
                }
            }
            assert_eq!(found, wanted);
        }
    }
}

both! {
    /// An upgraded database is backed up, restored and moved into either database.
    async fn an_upgraded_database_is_backed_up_restored_and_moved(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.upgraded().await;
            let file = archive(&database);
            fs::create_dir_all(data(&database)).unwrap();
            done(&database, &["backup", text(&file)]);
            let wanted = records(&database);
            for other in [Backend::Sqlite, Backend::Postgres] {
                let place = Database::empty(other).await;
                fs::create_dir_all(data(&place)).unwrap();
                done(&place, &["restore", text(&file), "--accept-revived"]);
                release.check(&place).await;
                assert_eq!(records(&place), wanted);
            }
            let to = Database::empty(if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite }).await;
            let [_, destination] = to.args();
            works(&database, &["move", "--to", &destination]);
            release.check(&to).await;
            assert_eq!(records(&to), wanted);
        }
    }
}

both! {
    /// A backup that the release made is verified, and restored into either database of today, with its media files.
    async fn a_backup_of_every_release_is_restored(backend: Backend) {
        for release in Release::all(backend) {
            let wanted = records(&release.upgraded().await);
            let verified = works(&Database::new(backend).await, &["backup", "verify", text(&release.backup()), "--json"]).json();
            assert_eq!((&verified["faults"], &verified["manifest"]["users"]), (&json!([]), &json!(release.known.rows["users"])));
            for other in [Backend::Sqlite, Backend::Postgres] {
                let place = Database::empty(other).await;
                fs::create_dir_all(data(&place)).unwrap();
                done(&place, &["restore", text(&release.backup()), "--accept-revived"]);
                let directory = place.open(&Clock::system().unwrap()).await;
                for Key { key, username, what } in &release.known.active {
                    let identity = directory.authenticate(key, None).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
                    assert_eq!(Some(&identity.user.username), username.as_ref(), "{what}");
                }
                for Key { key, what, .. } in &release.known.refused {
                    assert!(directory.authenticate(key, None).await.is_err(), "{what} authenticates");
                }
                assert_eq!(directory.verify_audit(&operator(), None).await.unwrap().broken, None);
                assert!(directory.check_integrity().await.unwrap().is_clean());
                drop(directory);
                assert_eq!(records(&place), wanted);
                assert_eq!(fs::read(data(&place).join("media/avatars/rose.png")).unwrap(), b"not really an image");
            }
        }
    }
}

both! {
    /// 0.1.0 stored the last day of the year 9999 as a time that it could not read again. After the upgrade it can be read.
    async fn times_that_a_release_could_not_read_are_read(backend: Backend) {
        for release in Release::all(backend) {
            let database = release.database().await;
            let far = 253_402_207_200_999_999_i64;
            database.sql(&format!(
                "UPDATE users SET last_login = {far}, created_at = {far} WHERE id = 12; UPDATE groups SET created_at = {far} WHERE id = 5; \
                 UPDATE tokens SET expires_at = {far} WHERE expires_at > 253300000000000000"
            )).await;
            works(&database, &["migrate"]);
            release.check(&database).await;
            let records = records(&database);
            for (name, field) in [("user 12", "last_login"), ("user 12", "created_at"), ("group 5", "created_at")] {
                assert_eq!(records[name][field], "9999-12-30T22:00:00.999999Z", "{field} of {name}");
            }
        }
    }
}
