//! `wardroom export`: everything, in a format that can be imported again.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;

use crate::cli::on;
use crate::support::site::operator;
use crate::support::{Backend, Database, Site, both};

/// The lines of an export, without the time at which it was made.
fn lines(database: &Database) -> Vec<Value> {
    let ran = on(database, &["export"], "");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut lines: Vec<Value> = lines.collect();
    assert_eq!((&lines[0]["type"], &lines[0]["version"]), (&json!("wardroom"), &json!(1)));
    lines[0]["exported_at"] = Value::Null;
    lines
}

/// Imports lines into a new account database.
async fn import_lines(backend: Backend, lines: &[Value]) -> Database {
    let database = Database::new(backend).await;
    let file = database.place().join("records.json");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text.replace(r#""exported_at":null,"#, "")).unwrap();
    let ran = on(&database, &["import", "json", "--from", file.to_str().unwrap()], "");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    database
}

both! {
    /// Everything comes back as it was, also in the other database.
    async fn import_of_an_export_is_the_identity(backend: Backend) {
        let site = Site::start(backend).await;
        let directory = site.directory();
        directory.issue_token(&operator(), &UserKey::Id(site.staff.id.try_into().unwrap()), "laptop", Expiry::Never).await.unwrap();
        let revoked = directory.issue_token(&operator(), &UserKey::Id(42.try_into().unwrap()), "old", Expiry::Never).await.unwrap();
        directory.revoke_token(&operator(), None, revoked.token.id).await.unwrap();
        directory.delete_user(&operator(), &UserKey::Id(site.inactive.id.try_into().unwrap())).await.unwrap();
        let draft = UserDraft { username: Some("with-rights".into()), permissions: Some(vec![1, 5]), ..UserDraft::default() };
        directory.create_user(&operator(), &draft, None).await.unwrap();
        site.database.sql("INSERT INTO group_permissions VALUES (3, 2); INSERT INTO permissions (code, name) VALUES (4711, 'coffee')").await;
        let first = lines(&site.database);
        for (kind, count) in [("permission", 16), ("group", 3), ("user", 6), ("token", 7), ("deleted_user", 1)] {
            assert_eq!(first.iter().filter(|line| line["type"] == kind).count(), count, "{kind}");
        }
        for other in [Backend::Sqlite, Backend::Postgres] {
            let database = import_lines(other, &first).await;
            assert_eq!(lines(&database), first, "{other:?}");
            let address = Site::serve(&database).await;
            let me = crate::support::Request::new(address, "GET", "/api/users/me").token(&site.alex.key).send().await;
            assert_eq!((me.status, &me.json()["groups"]), (200, &json!([1, 3, 7])));
            // The next user gets an id that no user has had.
            let next = on(&database, &["user", "add", "next", "--json"], "").json()["id"].as_i64().unwrap();
            assert!(first.iter().filter(|line| line["type"] == "user" || line["type"] == "deleted_user").all(|line| line["id"].as_i64().unwrap() < next));
        }
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![Just(None), Just(Some(String::new())), "[^\\x00]{1,12}".prop_map(Some)]
}

prop_compose! {
    fn user()(
        (gender, avatar, mobile, mail) in (text(), text(), text(), text()),
        (first_name, last_name) in (text(), text()),
        (is_active, is_staff, is_admin) in any::<(bool, bool, bool)>(),
        (login, made) in (proptest::option::of(-62_000_000_000_i64..253_000_000_000), -62_000_000_000_i64..253_000_000_000),
        micros in 0_u32..1_000_000,
        name in "[^\\x00]{0,9}",
        groups in proptest::sample::subsequence(vec![1, 2, 9_007_199_254_740_993_i64], 0..=3),
    ) -> Value {
        let time = |seconds: i64| wardroom::directory::model::Timestamp::from_micros(seconds * 1_000_000 + i64::from(micros)).unwrap().to_string();
        json!({
            "type": "user", "username": name, "mobile_number": mobile, "email": mail, "avatar": avatar,
            "first_name": first_name.unwrap_or_default(), "last_name": last_name.unwrap_or_default(), "gender": gender,
            "groups": groups, "last_login": login.map(time), "created_at": time(made), "updated_at": time(made), "last_seen_at": null,
            "is_active": is_active, "is_staff": is_staff, "is_admin": is_admin, "permissions": [1201], "password": "!x",
        })
    }
}

both! {
    /// The same for all possible text, times and ids.
    async fn whatever_there_can_be_comes_back(backend: Backend) {
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let mut records: Vec<Value> = lines(&Database::new(backend).await);
        for id in [1, 2, 9_007_199_254_740_993_i64] {
            records.push(json!({ "type": "group", "id": id, "name": format!("g{id}"), "notes": "\u{2028} ' é", "created_at": "0001-01-01T00:00:00.000001Z",
                "updated_at": "2025-01-01T00:00:00.000000Z", "permissions": [1222, 1224] }));
        }
        for number in 0..200_i64 {
            let mut user = user().new_tree(&mut runner).unwrap().current();
            let id = if number == 199 { i64::MAX - 10 } else { 1 + number * 7 };
            let mut placed = json!({ "type": "user", "id": id });
            // Values that must be unique get the id appended.
            for (name, value) in user.as_object_mut().unwrap() {
                let unique = ["username", "email", "mobile_number"].contains(&name.as_str());
                placed[name] = match value.as_str() {
                    Some(text) if unique && (name == "username" || !text.is_empty()) => json!(format!("{text}{id}")),
                    _ => value.clone(),
                };
            }
            records.push(placed);
        }
        let first = import_lines(backend, &records).await;
        let exported = lines(&first);
        assert_eq!(exported, records);
        let again = on(&first, &["import", "json", "--from", first.place().join("records.json").to_str().unwrap(), "--json"], "").json();
        assert_eq!((&again["users"]["unchanged"], &again["users"]["changed"]), (&json!(200), &json!(0)));
    }
}

both! {
    async fn a_table_is_safe_in_a_spreadsheet_and_comes_in_again(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql("UPDATE users SET first_name = '=1+1', last_name = '''quoted' WHERE id = 42").await;
        let file = site.database.place().join("users.csv");
        let path = file.to_str().unwrap();
        let ran = on(&site.database, &["export", "--format", "csv", "--output", path], "");
        assert_eq!(ran.code, 0, "{}", ran.err);
        let table = std::fs::read_to_string(&file).unwrap();
        assert!(table.starts_with("id,username,mobile_number,email,"), "{table}");
        assert!(table.contains("42,alex_thompson,'+1-555-0123,alex.thompson@techcorp.com,avatars/alex_profile.jpg,'=1+1,''quoted,non-binary,1;3;7,"), "{table}");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = on(&site.database, &["export", "--format", "csv", "--output", path], "");
        assert!(again.code == 2 && again.err.contains("--replace"), "{}", again.err);
        assert_eq!(on(&site.database, &["import", "csv", "--from", path, "--json"], "").json()["users"]["unchanged"], 6);
        let other = Database::new(backend).await;
        std::fs::write(&file, table.replace(",1;3;7,", ",,")).unwrap();
        assert_eq!(on(&other, &["import", "csv", "--from", path], "").code, 0);
        let shown = on(&other, &["user", "show", "42", "--json"], "").json();
        assert_eq!((&shown["first_name"], &shown["last_name"], &shown["mobile_number"]), (&json!("=1+1"), &json!("'quoted"), &json!("+1-555-0123")));
    }
}

both! {
    async fn an_anonymised_export_names_no_user_and_is_the_same_each_time(backend: Backend) {
        let site = Site::start(backend).await;
        let export = || on(&site.database, &["export", "--anonymise"], "").out;
        let text = export();
        for word in ["alex", "Alex", "Thompson", "555", "techcorp", "digest", "avatars", "2025-08-06"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(text.contains(r#""username":"user42""#) && text.contains(r#""groups":[1,3,7]"#));
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), export().lines().skip(1).collect::<Vec<_>>());
        let other = Database::new(backend).await;
        let file = other.place().join("people.json");
        std::fs::write(&file, &text).unwrap();
        let ran = on(&other, &["import", "json", "--from", file.to_str().unwrap()], "");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let table = on(&site.database, &["export", "--anonymise", "--format", "csv"], "").out;
        assert!(table.contains("user42@example.invalid") && !table.contains("alex"), "{table}");
    }
}
