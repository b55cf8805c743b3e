//! `wardroom import json` and `csv`: what is imported, what is refused, and what a second run does.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cli::{Ran, on};
use crate::support::{Backend, Database, Request, Site, both};

/// Writes lines to a file of the test and imports them.
fn import(database: &Database, records: &[Value], flags: &[&str]) -> Ran {
    let file = database.place().join("in.json");
    fs::write(&file, records.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    let args = [&["import", "json", "--from", file.to_str().unwrap()], flags].concat();
    on(database, &args, "")
}

fn user(id: i64, username: &str) -> Value {
    json!({ "type": "user", "id": id, "username": username, "mobile_number": null, "email": format!("{username}@example.com"), "is_staff": true })
}

fn with(mut record: Value, name: &str, value: Value) -> Value {
    record[name] = value;
    record
}

/// The same with a time of creation, by which a user is known when the name changes.
fn dated(id: i64, username: &str) -> Value {
    with(user(id, username), "created_at", json!(format!("2020-01-01T00:00:{id:02}Z")))
}

fn token(user: i64, key: &str) -> Value {
    json!({ "type": "token", "user": user, "key": key })
}

const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";
const OTHER_KEY: &str = "aaaa5eab6e0f663a972d145478d6fc4b81762070";

async fn me(database: &Database, key: &str) -> u16 {
    let address = Site::serve(database).await;
    Request::new(address, "GET", "/api/users/me").token(key).send().await.status
}

fn count(database: &Database, args: &[&str]) -> usize {
    on(database, args, "").json().as_array().unwrap().len()
}

both! {
    /// An import that is repeated until the day of the switch.
    async fn a_second_run_applies_only_differences(backend: Backend) {
        let database = Database::new(backend).await;
        let admin = with(user(9, "root"), "is_admin", json!(true));
        let group = json!({ "type": "group", "id": 5, "name": "Billing" });
        let first = [group.clone(), admin.clone(), with(dated(1, "ann"), "groups", json!([5])), dated(2, "bob"), token(1, KEY), token(2, OTHER_KEY)];
        let dry = import(&database, &first, &["--dry-run", "--json"]).json();
        assert_eq!((&dry["users"]["added"], &dry["tokens"]["added"], &dry["groups"]["added"]), (&json!(3), &json!(2), &json!(1)));
        assert_eq!(count(&database, &["user", "list", "--json"]), 0, "a dry run writes nothing");
        assert_eq!(import(&database, &first, &[]).code, 0);
        assert_eq!(me(&database, KEY).await, 200);
        let again = import(&database, &first, &["--sync"]);
        assert!(again.code == 0 && again.out.contains("everything was up to date already"), "{}", again.out);
        let events = count(&database, &["audit", "list", "--json"]);

        // Names and addresses change owners, users are added and removed, and a token is gone.
        let ann = with(with(dated(1, "bob"), "groups", json!([])), "first_name", json!("Ann"));
        let second = [group, admin, ann, dated(2, "ann"), user(3, "cleo"), token(1, KEY)];
        let refused = import(&database, &second, &[]);
        assert!(refused.code == 4 && refused.out.contains("users here differ (--sync overwrites them): 1 \"ann\"; 2 \"bob\""), "{}", refused.out);
        assert_eq!(count(&database, &["audit", "list", "--json"]), events, "what is refused changes nothing");
        let synced = import(&database, &second, &["--sync", "--json"]).json();
        assert_eq!((&synced["users"]["added"], &synced["users"]["changed"], &synced["users"]["unchanged"]), (&json!(1), &json!(2), &json!(1)));
        assert_eq!((&synced["changed_fields"]["username"], &synced["changed_fields"]["groups"], &synced["tokens"]["missing"]), (&json!(2), &json!(1), &json!(1)));
        let shown = on(&database, &["user", "show", "id:1", "--json"], "").json();
        assert_eq!((&shown["username"], &shown["email"], &shown["first_name"]), (&json!("bob"), &json!("bob@example.com"), &json!("Ann")));
        assert!(import(&database, &second, &["--sync"]).out.contains("everything was up to date already"));
        assert_eq!(me(&database, OTHER_KEY).await, 200, "nothing is removed without the flag");

        // Users, groups and imported tokens are removed, but none that were created here.
        let kept = on(&database, &["token", "issue", "id:9", "--name", "ours", "--json"], "").json()["key"].as_str().unwrap().to_owned();
        let third = [second[1].clone(), second[2].clone(), second[3].clone(), token(1, KEY)];
        assert_eq!(import(&database, &third, &["--sync", "--delete-missing"]).code, 2, "there is no terminal to ask on");
        let removed = import(&database, &third, &["--sync", "--delete-missing", "--yes", "--json"]).json();
        assert_eq!((&removed["users"]["removed"], &removed["groups"]["removed"], &removed["tokens"]["removed"]), (&json!(1), &json!(0), &json!(1)));
        assert_eq!(on(&database, &["user", "deleted", "--json"], "").json()[0]["username"], "cleo");
        assert_eq!((me(&database, OTHER_KEY).await, me(&database, KEY).await), (401, 200));
        let address = Site::serve(&database).await;
        assert_eq!(Request::new(address, "GET", "/api/users/me").token(&kept).send().await.status, 200);
        // A token revoked here stays revoked. A user deleted here comes back only after a purge.
        assert_eq!(import(&database, &second, &["--sync"]).code, 4);
        assert_eq!(on(&database, &["user", "purge", "3", "--yes"], "").code, 0);
        assert_eq!(import(&database, &second, &["--sync"]).code, 0);
        assert_eq!(import(&database, &first, &["--sync"]).code, 0);
        assert_eq!(me(&database, OTHER_KEY).await, 401);
        assert_eq!(on(&database, &["audit", "verify"], "").code, 0);
        assert_eq!(on(&database, &["doctor"], "").code, 0);
    }
}

both! {
    /// An import beside a running server ends what the server has cached.
    async fn an_import_beside_a_server_is_seen_by_the_next_request(backend: Backend) {
        let site = Site::start(backend).await;
        assert_eq!(site.me(&site.alex.key).send().await.json()["username"], "alex_thompson");
        let renamed = with(user(42, "renamed"), "created_at", json!("2024-03-15T09:30:00Z"));
        let ran = import(&site.database, &[renamed, user(77, "new"), token(77, OTHER_KEY)], &["--sync"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let me = site.me(&site.alex.key).send().await.json();
        assert_eq!((&me["username"], &me["first_name"]), (&json!("renamed"), &json!("Alex")), "what is left out stays");
        assert_eq!(site.me(OTHER_KEY).send().await.json()["id"], 77);
    }
}

both! {
    /// All conflicts are in one report, and nothing is written.
    async fn conflicts_are_reported_together_and_nothing_is_written(backend: Backend) {
        let site = Site::start(backend).await;
        let number = "SELECT count(*) FROM users";
        let before = site.database.number(number).await;
        let records = [
            user(100, "one"), with(user(101, "two"), "email", json!("one@example.com")), with(user(102, "three"), "groups", json!([99])),
            user(100, "again"), user(103, "one"), user(-4, "minus"), with(user(104, "nul\u{0}"), "email", json!("")),
            user(105, "ONE"), with(user(106, "odd"), "password", json!("md5$salt$00")), with(user(107, "taker"), "mobile_number", json!("+1-555-0123")),
            with(user(108, "holder"), "permissions", json!([1])), with(user(42, "other name"), "created_at", json!("2024-03-15T09:30:00Z")), token(9999, OTHER_KEY),
            json!({ "type": "token", "user": 100, "digest": "abc" }), json!({ "type": "token", "user": 100 }), json!({ "type": "token", "key": "x" }),
            json!({ "type": "group", "id": 8, "name": "Billing" }), token(100, KEY), token(100, KEY),
        ];
        let ran = import(&site.database, &records, &[]);
        assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
        for expected in [
            "users share one e-mail address (--clear-duplicates leaves it to the lowest id): users 100 and 101",
            "two users have one id: 100", "two users have one username", "the id of a user is not a positive 64-bit number: \"minus\"",
            "null characters cannot be stored: user \"nul", "usernames differ only by case", "passwords encoded with md5 are kept, but no one can sign in with them: \"odd\"",
            "another user here has the mobile number: user 42 here has that of \"taker\"", "there is no permission with the code: 1 of user \"holder\"",
            "a user belongs to a group that is neither in the database nor earlier in the source: \"three\": the group with id 99", "users here differ (--sync overwrites them): 42 \"alex_thompson\"",
            "tokens of users that do not exist are left out: of the user with id 9999", "A digest is 64 hexadecimal digits", "Give either the key or the digest.",
            "a token needs a user", "a group here has the name, but another id: \"Billing\": 3 here, 8 there", "two tokens have one key", "Nothing was written.",
        ] {
            assert!(ran.out.contains(expected), "{expected}: {}{}", ran.out, ran.err);
        }
        assert!(!ran.out.contains(KEY), "a key is a secret");
        assert_eq!(site.database.number(number).await, before);
    }
}

both! {
    async fn shared_addresses_are_left_to_the_lowest_id_on_demand(backend: Backend) {
        let database = Database::new(backend).await;
        let records = [user(2, "two"), with(user(1, "one"), "email", json!("two@example.com")), with(user(3, "three"), "email", json!("two@example.com"))];
        assert_eq!(import(&database, &records, &[]).code, 4);
        let ran = import(&database, &records, &["--clear-duplicates", "--json"]).json();
        assert_eq!((&ran["users"]["added"], &ran["notices"][1]["count"]), (&json!(3), &json!(2)));
        let emails: Vec<Value> = ["id:1", "id:2", "id:3"].map(|user| on(&database, &["user", "show", user, "--json"], "").json()["email"].clone()).into();
        assert_eq!(emails, [json!("two@example.com"), Value::Null, Value::Null]);
        assert!(import(&database, &records, &["--clear-duplicates"]).out.contains("everything was up to date already"));
    }
}

both! {
    /// Other systems have no ids: then names identify records.
    async fn people_without_ids_are_found_by_their_names(backend: Backend) {
        let database = Database::new(backend).await;
        let records = [
            json!({ "type": "group", "name": "Billing" }),
            json!({ "type": "user", "username": "ann", "groups": ["Billing"], "password": "argon2$x", "is_staff": true }),
            json!({ "type": "user", "username": "bob" }),
            json!({ "type": "token", "user": "ann", "key": KEY, "name": "from elsewhere", "expires_at": "2999-01-01T00:00:00Z" }),
        ];
        assert_eq!(import(&database, &records, &[]).code, 0);
        assert_eq!(me(&database, KEY).await, 200);
        let again = import(&database, &records, &["--sync"]);
        assert!(again.out.contains("everything was up to date already"), "{}", again.out);
        let file = database.place().join("in.csv");
        fs::write(&file, "username,email,groups\nann,ann@example.com,Billing\ncleo,,\n").unwrap();
        let args = ["import", "csv", "--from", file.to_str().unwrap(), "--json"];
        assert_eq!(on(&database, &args, "").code, 4);
        let synced = on(&database, &[&args[..], &["--sync"]].concat(), "").json();
        assert_eq!((&synced["users"]["added"], &synced["users"]["changed"], &synced["users"]["missing"]), (&json!(1), &json!(1), &json!(1)));
        let ann = on(&database, &["user", "show", "ann", "--json"], "").json();
        assert_eq!((&ann["email"], &ann["is_staff"], &ann["groups"]), (&json!("ann@example.com"), &json!(true), &json!([1])));
    }
}

both! {
    /// An interrupted run leaves complete rows behind, and the next one continues.
    async fn an_interrupted_run_is_continued_by_the_next(backend: Backend) {
        let database = Database::new(backend).await;
        // With a user in the database, records are written in batches.
        assert_eq!(on(&database, &["user", "add", "first"], "").code, 0);
        let file = database.place().join("many.json");
        let lines: String = (1000..7000).map(|id| format!("{}\n{}\n", user(id, &format!("user{id}")), token(id, &format!("{id:040x}")))).collect();
        fs::write(&file, lines).unwrap();
        let place = database.args();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wardroom"))
            .args(place.iter().map(String::as_str).chain(["import", "json", "--from", file.to_str().unwrap()]))
            .stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && database.number("SELECT count(*) FROM users").await < 1000 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let _ = child.kill();
        child.wait().unwrap();
        assert!(database.number("SELECT count(*) FROM users").await >= 1000);
        let ran = on(&database, &["import", "json", "--from", file.to_str().unwrap(), "--json"], "").json();
        let users = &ran["users"];
        assert_eq!(users["added"].as_i64().unwrap() + users["unchanged"].as_i64().unwrap(), 6000);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 6001);
        assert_eq!(database.number("SELECT count(*) FROM tokens").await, 6000);
        assert_eq!(on(&database, &["doctor"], "").out.lines().filter(|line| line.contains("fault")).count(), 1, "only the admin is missing");
        assert_eq!(me(&database, &format!("{:040x}", 6999)).await, 200);
    }
}

both! {
    /// A row that an import adds is not one that was there: no later record of the same transaction overwrites it.
    async fn a_user_that_was_just_added_is_not_overwritten(backend: Backend) {
        let database = Database::new(backend).await;
        let mut records: Vec<_> = (0..2100).map(|n| json!({ "type": "user", "username": format!("user{n}") })).collect();
        records.push(user(5, "late"));
        let ran = import(&database, &records, &["--sync"]);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    }
}

both! {
    /// An account database without users is filled at once. Lists and searches find all users, and writes work.
    async fn a_filled_directory_is_like_any_other(backend: Backend) {
        let database = Database::new(backend).await;
        let admin = with(user(1, "root"), "is_admin", json!(true));
        let many = (2..=300).map(|id| user(id, &format!("Üser{id}")));
        let records: Vec<Value> = std::iter::once(admin).chain(many).chain([token(1, KEY)]).collect();
        let ran = import(&database, &records, &[]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let address = Site::serve(&database).await;
        let get = async |path: &str| Request::new(address, "GET", path).token(KEY).send().await.json();
        assert_eq!(get("/api/users?search=%C3%BCSER299").await["count"], 1);
        assert_eq!(get("/api/users?ordering=-username&limit=1").await["results"][0]["username"], "Üser99");
        assert_eq!(on(&database, &["user", "add", "user-x", "--email", "root@example.com"], "").code, 4, "unique again");
        assert_eq!(on(&database, &["user", "add", "next", "--json"], "").json()["id"], 301);
        assert_eq!(get("/api/users?search=next").await["count"], 1, "the index follows");
        on(&database, &["user", "disable", "next"], "");
        assert_eq!(on(&database, &["audit", "verify"], "").code, 0);
        let doctor = on(&database, &["doctor"], "");
        assert_eq!(doctor.code, 0, "{}", doctor.out);
    }
}

both! {
    async fn misuse_of_import_and_export_is_reported(backend: Backend) {
        let database = Database::new(backend).await;
        let path = |name: &str, text: &[u8]| {
            let file = database.place().join(name);
            fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let (bad, half, table) = (path("bad", b"{\"type\":\"user\"}\n"), path("half", b"{\"type\":\"us"), path("table", b"age\n1\n"));
        let (no_db, mapping) = (path("no.db", b"not a database at all"), path("m.toml", b"[columns]\nage = 1"));
        let (away, directory) = (database.place().join("away").display().to_string(), database.place().display().to_string());
        for (args, code, expected) in [
            (vec!["import"], 2, "Usage"),
            (vec!["import", "json"], 2, "--from"),
            (vec!["import", "json", "--from", &away], 5, "No such file"),
            (vec!["import", "json", "--from", &directory], 5, "is not a file"),
            (vec!["import", "json", "--from", &bad], 4, "line 1: missing field `username`"),
            (vec!["import", "json", "--from", &half], 4, "line 1: it is the last one and is cut off"),
            (vec!["import", "csv", "--from", &table], 4, "there is no column \"age\""),
            (vec!["import", "json", "--from", &bad, "--link-media"], 2, "--media"),
            (vec!["import", "json", "--from", &bad, "--media", &away], 5, "No such file"),
            (vec!["import", "json", "--from", &bad, "--media", &bad], 5, "is not a directory"),
            (vec!["import", "django", "--from", &away], 5, "No such file"),
            (vec!["import", "django", "--from", &no_db], 5, "is not a SQLite database"),
            (vec!["import", "django", "--from", "mysql://x/y"], 2, "neither a PostgreSQL URL nor the path"),
            (vec!["import", "django", "--from", "postgres://:x:y/"], 2, "is not a PostgreSQL URL"),
            (vec!["import", "django", "--from", "postgres://nobody:secret@127.0.0.1:1/x"], 5, "the source cannot be read"),
            (vec!["import", "django", "--from", &no_db, "--map", "email"], 2, "use FIELD=COLUMN"),
            (vec!["import", "django", "--from", &no_db, "--mapping", &mapping], 2, "the mapping file"),
            (vec!["import", "django", "--from", &no_db, "--mapping", &away], 2, "the mapping file"),
            (vec!["import", "django", "--from", &no_db, "--time-zone", "Mars/Phobos"], 2, "there is no time zone"),
            (vec!["export", "--replace"], 2, "--output"),
            (vec!["export", "--output", "/nonexistent/x"], 2, "No such file"),
            (vec!["export", "--format", "xml"], 2, "xml"),
        ] {
            let ran = on(&database, &args, "");
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
            assert!(ran.err.contains(expected) && !ran.err.contains("secret"), "{args:?}: {}", ran.err);
        }
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    }
}

both! {
    /// Guards against importing half of a file that can never be imported completely, and against a dry run that
    /// promises too much.
    async fn a_file_is_imported_completely_or_not_at_all(backend: Backend) {
        let database = Database::new(backend).await;
        let file = database.place().join("users.csv");
        let row = |number: u32| format!("user{number},{}\n", if number == 900 { "nope" } else { "" });
        fs::write(&file, format!("username,groups\n{}", (1..=1000).map(row).collect::<String>())).unwrap();
        let ran = on(&database, &["import", "csv", "--from", file.to_str().unwrap()], "");
        assert!(ran.code == 4 && ran.out.contains("the group named \"nope\""), "{}{}", ran.out, ran.err);
        let early = [token(1, KEY), user(1, "ann"), user(2, "bob"), with(token(1, OTHER_KEY), "id", json!(7)), with(token(2, "x"), "id", json!(7))];
        let ran = import(&database, &early, &[]);
        assert!(ran.code == 4 && ran.out.contains("a token comes before its user"), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("two tokens have one id: 7"), "{}", ran.out);
        let renamed = [json!({ "type": "permission", "code": 9999, "name": "user_read" }), user(3, "cleo")];
        let ran = import(&database, &renamed, &[]);
        assert!(ran.code == 4 && ran.out.contains("a permission here has the name, but another code"), "{}{}", ran.out, ran.err);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        // A password in clear text is not the name of an encoding.
        let clear = import(&database, &[with(user(1, "ann"), "password", json!("Summer2024$x"))], &["--dry-run"]);
        assert!(clear.out.contains("unknown 1") && !clear.out.contains("Summer"), "{}", clear.out);
    }
}

both! {
    /// Guards against an import that bypasses a rule: deleted users stay deleted, an active admin remains, and no
    /// user is mistaken for another.
    async fn an_import_bypasses_no_rule(backend: Backend) {
        let database = Database::new(backend).await;
        let root = with(user(1, "root"), "is_admin", json!(true));
        let records = [root.clone(), user(2, "bob"), token(2, KEY), user(5, "rob")];
        assert_eq!(import(&database, &records, &[]).code, 0);
        let refused = |records: &[Value], flags: &[&str], expected: &str| {
            let ran = import(&database, records, flags);
            assert!(ran.code == 4 && ran.out.contains(expected), "{expected}: {}{}", ran.out, ran.err);
        };
        refused(&[with(root.clone(), "is_admin", json!(false))], &["--sync"], "no active admin would be left");
        refused(&[user(2, "bob")], &["--delete-missing", "--yes"], "no active admin would be left");
        refused(&[with(user(2, "bob"), "is_admin", json!(true))], &["--sync", "--delete-missing", "--yes"], "are all missing in the source");
        refused(&[user(5, "bobby"), json!({ "type": "user", "username": "rob", "email": "new@example.com" })], &["--sync"], "has the name of a user here that the source gives by id");
        refused(&[json!({ "type": "wardroom", "version": 1, "anonymised": true }), user(1, "user1")], &["--sync"], "anonymised records");
        assert_eq!(on(&database, &["user", "delete", "bob", "--yes"], "").code, 0);
        refused(&records, &["--sync"], "users that were deleted here are in the source");
        assert_eq!(me(&database, KEY).await, 401);
        let next = on(&database, &["user", "show", "id:5", "--json"], "").json();
        assert_eq!(next["username"], "rob");
    }
}

both! {
    /// A removed user is in the recycle bin unchanged, even if another user gets the name at once. Names change
    /// owners even if the source has no mobile numbers.
    async fn values_change_owners_and_no_user_is_lost(backend: Backend) {
        let database = Database::new(backend).await;
        let plain = |id: i64, name: &str| json!({ "type": "user", "id": id, "username": name, "email": format!("{name}@example.com"), "created_at": format!("2020-01-01T00:00:{id:02}Z") });
        let group = |id: i64, name: &str| json!({ "type": "group", "id": id, "name": name });
        let root = with(plain(1, "root"), "is_admin", json!(true));
        assert_eq!(import(&database, &[group(1, "a"), group(2, "b"), root.clone(), plain(2, "bob"), plain(3, "al")], &[]).code, 0);
        let swapped = [group(1, "b"), group(2, "a"), root.clone(), plain(2, "al"), plain(3, "alice"), plain(9, "bob")];
        let ran = import(&database, &swapped, &["--sync", "--json"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(on(&database, &["group", "list", "--json"], "").json()[0]["name"], "b");
        let gone = [group(1, "b"), root, plain(3, "alice"), plain(10, "bob")];
        let ran = import(&database, &gone, &["--sync", "--delete-missing", "--yes", "--json"]);
        assert_eq!((ran.code, &ran.json()["users"]["removed"]), (0, &json!(2)), "{}{}", ran.out, ran.err);
        let binned = on(&database, &["user", "deleted", "--json"], "").json();
        let named: Vec<_> = binned.as_array().unwrap().iter().map(|user| (user["username"].clone(), user["email"].clone())).collect();
        assert!(named.contains(&(json!("bob"), json!("bob@example.com"))), "{named:?}");
        assert_eq!(database.number("SELECT count(*) FROM users WHERE username LIKE 'wardroom import%' OR email IS NULL").await, 0);
        // A blank cell of a table says nothing.
        let file = database.place().join("users.csv");
        fs::write(&file, "id,username,groups,first_name\n3,alice,1,Alice\n").unwrap();
        let args = ["import", "csv", "--sync", "--from", file.to_str().unwrap()];
        assert_eq!(on(&database, &args, "").code, 0);
        fs::write(&file, "id,username,groups,first_name\n3,alice,,\n").unwrap();
        let ran = on(&database, &args, "");
        assert!(ran.out.contains("everything was up to date already"), "{}{}", ran.out, ran.err);
    }
}
