//! `wardroom import django` with real Django projects: imported users get the answers that Django gave and sign in as
//! before, and nothing of the source is changed or missed.

use std::collections::HashMap;

use serde_json::{Value, json};

use wardroom::directory::password::Password;
use wardroom::directory::{Clock, Origin};

use crate::cli::on;
use crate::support::django::{Exchange, UserModel, Version};
use crate::support::{Answer, Backend, Database, DjangoProject, Request, Site, both};

/// The hashers whose passwords can be checked.
const READ: [&str; 6] = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt"];

async fn imported(project: &DjangoProject, backend: Backend, flags: &[&str]) -> Database {
    let database = Database::new(backend).await;
    let ran = on(&database, &[&["import", "django", "--from", project.source()], flags].concat(), "");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    database
}

/// Sends Wardroom the request that Django got. Both kinds of tokens use one endpoint here.
async fn send_to_wardroom(address: std::net::SocketAddr, exchange: &Exchange) -> Answer {
    let path = exchange.path.replace("/api/knox/me", "/api/users/me");
    let request = Request::new(address, &exchange.method, &path).host("www.example.com");
    match &exchange.authorization {
        Some(value) => request.header("Authorization", value).send().await,
        None => request.send().await,
    }
}

/// The body with the groups sorted, because Django does not define their order.
fn ordered(body: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    if let Some(groups) = json.get_mut("groups").and_then(Value::as_array_mut) {
        groups.sort_by_key(Value::as_i64);
    }
    json.to_string()
}

both! {
    /// Every key gets the same answer as before, for every version, model and database. Django's body is matched byte
    /// for byte.
    async fn every_key_answers_as_django_answered(backend: Backend) {
        for version in Version::ALL {
            for model in UserModel::ALL {
                let project = DjangoProject::build(version, model, backend).await;
                let before = project.number(&format!("SELECT count(*) FROM {}", project.user_table())).await;
                let database = imported(&project, backend, &[]).await;
                let address = Site::serve(&database).await;
                let mut asked_for = 0;
                for exchange in project.answers() {
                    let answer = send_to_wardroom(address, exchange).await;
                    let about = format!("{version:?} {model:?} {:?} {:?}", exchange.kind, exchange.owner);
                    assert_eq!((answer.status, ordered(&answer.body)), (exchange.status, ordered(&exchange.body)), "{about}");
                    if answer.status == 200 && exchange.method == "GET" {
                        assert_eq!(answer.json().as_object().unwrap().keys().collect::<Vec<_>>(),
                            serde_json::from_str::<Value>(&exchange.body).unwrap().as_object().unwrap().keys().collect::<Vec<_>>(), "{about}");
                        asked_for += 1;
                    }
                }
                assert!(asked_for > 50, "{asked_for}");
                assert_eq!(project.number(&format!("SELECT count(*) FROM {}", project.user_table())).await, before);
            }
        }
    }
}

both! {
    /// Every row is as it was: ids, hashes, flags, times, empty and null.
    async fn every_row_is_as_it_was(backend: Backend) {
        for model in UserModel::ALL {
            let project = DjangoProject::build(Version::V52, model, backend).await;
            let database = imported(&project, backend, &[]).await;
            let exported = on(&database, &["export"], "").out;
            let records: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let users: HashMap<i64, &Value> = records.iter().filter(|record| record["type"] == "user").map(|record| (record["id"].as_i64().unwrap(), record)).collect();
            assert_eq!(users.len(), project.people().len());
            for person in project.people() {
                let user = users[&person.id];
                let mut groups = person.groups.clone();
                groups.sort_unstable();
                let wanted = json!([person.username, person.mobile_number, person.email, person.avatar, person.first_name, person.last_name, person.gender,
                    person.is_active, person.is_staff, person.is_superuser, person.last_login, person.created_at, person.updated_at.as_ref().unwrap_or(&person.created_at),
                    groups, person.encoded]);
                let fields = ["username", "mobile_number", "email", "avatar", "first_name", "last_name", "gender", "is_active", "is_staff", "is_admin", "last_login",
                    "created_at", "updated_at", "groups", "password"];
                let found: Value = fields.iter().map(|field| user[field].clone()).collect();
                assert_eq!(found, wanted);
            }
            for group in project.groups() {
                let record = records.iter().find(|record| record["type"] == "group" && record["id"] == group.id).unwrap();
                assert_eq!((&record["name"], &record["notes"]), (&json!(group.name), &json!(group.notes.clone().unwrap_or_default())));
                if let Some(at) = &group.created_at {
                    assert_eq!(&record["created_at"], at);
                }
            }
            let again = on(&database, &["import", "django", "--from", project.source(), "--sync"], "");
            assert!(again.out.contains("everything was up to date already"), "{}", again.out);
        }
    }
}

both! {
    /// No user needs a new password, and the first sign-in replaces the hash with a good one.
    async fn every_password_that_can_be_read_signs_in_and_is_encoded_anew(backend: Backend) {
        let project = DjangoProject::build(Version::V52, UserModel::Custom, backend).await;
        let database = imported(&project, backend, &[]).await;
        // Not over HTTP: on a busy machine the client would have to retry.
        let directory = database.open(&Clock::system().unwrap()).await;
        let sign_in = async |username: &str, password: &str| {
            directory.sign_in(&Origin::default(), username, Password::new(password.to_owned())).await.is_ok()
        };
        let mut tried = HashMap::<&str, u32>::new();
        for person in project.people() {
            let Some(password) = &person.password else { continue };
            // Spaces around a name are not typed.
            if *tried.entry(&person.hasher).or_default() == 1 || !person.is_active || person.username.trim() != person.username {
                continue;
            }
            *tried.get_mut(person.hasher.as_str()).unwrap() += 1;
            let encoding = person.encoded.split('$').next().unwrap();
            let wanted = READ.contains(&encoding);
            assert_eq!(sign_in(&person.username, password).await, wanted, "{} {:?}", person.hasher, person.username);
            let kept = format!("SELECT count(*) FROM users WHERE id = {} AND password LIKE 'argon2$argon2id$%'", person.id);
            assert_eq!(database.number(&kept).await, i64::from(wanted), "{}", person.hasher);
        }
        for encoding in READ {
            let tried = project.people().iter().filter(|person| person.encoded.starts_with(&format!("{encoding}$")));
            assert!(tried.count() > 3, "{encoding}");
        }
        assert!(tried.len() > READ.len(), "{tried:?}");
    }
}

both! {
    /// All problems are in one report. Nothing is written, and the report has no secrets.
    async fn a_spoiled_database_is_refused_with_every_reason(backend: Backend) {
        let project = DjangoProject::build(Version::V52, UserModel::Custom, backend).await;
        project.damage(&["duplicate-emails", "duplicate-mobile-numbers", "broken-references"]).await;
        let database = Database::new(backend).await;
        let run = |flags: &[&str]| on(&database, &[&["import", "django", "--from", project.source()], flags].concat(), "");
        let dry = run(&["--dry-run"]);
        assert_eq!(dry.code, 4, "{}{}", dry.out, dry.err);
        for expected in ["users share one e-mail address", "users share one mobile number", "memberships of users that do not exist are left out",
            "people_person.department", "usernames differ only by case", "passwords encoded with md5", "Nothing was written."] {
            assert!(dry.out.contains(expected), "{expected}: {}", dry.out);
        }
        assert_eq!(run(&[]).code, 4);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        let done = run(&["--clear-duplicates"]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        assert_eq!(database.number("SELECT count(*) FROM users").await, project.number("SELECT count(*) FROM people_person").await);
    }
}

/// SQLite stores whatever is written into it.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_text_is_reported_with_its_row() {
    let project = DjangoProject::build(Version::V52, UserModel::Custom, Backend::Sqlite).await;
    project.sql("UPDATE people_person SET first_name = CAST(x'ff41' AS TEXT) WHERE id = 42; UPDATE people_person SET created_at = 'soon' WHERE id = 2").await;
    let database = Database::new(Backend::Sqlite).await;
    let ran = on(&database, &["import", "django", "--from", project.source()], "");
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("people_person.first_name of the row 42: it is not UTF-8"), "{}", ran.out);
    assert!(ran.out.contains("people_person.created_at of the row 2: \"soon\" is not a time"), "{}", ran.out);
}

both! {
    async fn avatars_are_copied_and_none_from_outside(backend: Backend) {
        let project = DjangoProject::build(Version::V42, UserModel::Custom, backend).await;
        let database = Database::new(backend).await;
        project.damage(&["escaping-avatars"]).await;
        // On PostgreSQL the data directory has only media files.
        let data_dir = database.place().join("data");
        let (media, dir) = (project.media(), data_dir.display().to_string());
        let args = ["import", "django", "--from", project.source(), "--media", media.to_str().unwrap(), "--data-dir", &dir, "--json"];
        let ran = on(&database, &args, "");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let report = ran.json();
        let media_files = report["media"].as_u64().unwrap();
        assert!(media_files > 5, "{report}");
        let named = project.people().iter().filter_map(|person| person.avatar.as_deref()).filter(|name| !name.is_empty());
        let there = named.filter(|name| data_dir.join("media").join(name.trim_start_matches('/')).is_file()).count();
        assert!(there as u64 >= media_files, "{there} {media_files}");
        let link = data_dir.join("media/avatars/link.png");
        assert!(!link.exists() && !link.is_symlink());
        assert!(report["notices"].to_string().contains("are refused"), "{report}");
    }
}

both! {
    /// The operator names what cannot be detected.
    async fn tables_and_columns_can_be_named(backend: Backend) {
        let project = DjangoProject::build(Version::V42, UserModel::Custom, backend).await;
        project.sql("ALTER TABLE people_person RENAME COLUMN mobile_number TO handy; ALTER TABLE people_person RENAME COLUMN gender TO anrede").await;
        let database = Database::new(backend).await;
        let mapping = database.place().join("mapping.toml");
        std::fs::write(&mapping, "user_table = \"people_person\"\ntime_zone = \"Asia/Tehran\"\n[columns]\nmobile_number = \"handy\"\ngender = \"nothing\"\n").unwrap();
        let args = ["import", "django", "--from", project.source(), "--mapping", mapping.to_str().unwrap(), "--dry-run", "--json"];
        let wrong = on(&database, &args, "");
        assert!(wrong.code == 2 && wrong.err.contains("no table of users has the column \\\"nothing\\\" for gender"), "{}{}", wrong.out, wrong.err);
        let right = on(&database, &[&args[..], &["--map", "gender=anrede", "--map", "avatar="]].concat(), "").json();
        assert_eq!((&right["mapping"]["user mobile_number"], &right["mapping"]["user gender"]), (&json!("people_person.handy"), &json!("people_person.anrede")));
        assert_eq!((right["mapping"].get("user avatar"), &right["users"]["added"]), (None, &json!(300)));
        let unknown = on(&database, &["import", "django", "--from", project.source(), "--user-table", "nobody"], "");
        assert!(unknown.code == 2 && unknown.err.contains("no table \"nobody\""), "{}", unknown.err);
    }
}

both! {
    /// The proof from end to end: Django behind gunicorn, its users imported, and requests with random keys to both.
    async fn compare_finds_no_difference_after_an_import(backend: Backend) {
        let project = DjangoProject::build(Version::V52, UserModel::Custom, backend).await;
        let database = imported(&project, backend, &[]).await;
        let (new, old) = (Site::serve(&database).await, project.serve().await);
        let (new, old) = (format!("http://{new}"), format!("http://{}", old.address));
        let args = ["compare", "--old", &old, "--new", &new, "--host", "www.example.com", "--tokens-from", project.source(), "--sample", "40", "--json"];
        let ran = on(&database, &args, "");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        database.sql("UPDATE users SET first_name = 'Changed' WHERE is_staff OR is_admin").await;
        let ran = on(&database, &args, "");
        assert!(ran.code == 1 && ran.out.contains("first_name"), "{}{}", ran.out, ran.err);
        let keyless = on(&database, &["compare", "--old", &old, "--new", &new, "--tokens-from", "/nonexistent"], "");
        assert!(keyless.code == 5 && keyless.err.contains("No such file"), "{}", keyless.err);
        let none = on(&database, &["compare", "--old", &old, "--new", &new], "");
        assert!(none.code == 2 && none.err.contains("--tokens"), "{}", none.err);
    }
}
