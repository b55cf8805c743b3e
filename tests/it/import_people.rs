//! No import makes one user, group or token another one, and none opens what was closed here.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::Clock;
use wardroom::directory::model::TokenId;
use wardroom::directory::tokens::Expiry;

use crate::backup::{archive, beside, data, done, text, works};
use crate::cli::{Ran, on};
use crate::support::site::operator;
use crate::support::{Backend, Database, Request, Site, both};

/// The tables of a Django project, with the users root, ann and bob.
pub const BASE: &str = "
    CREATE TABLE auth_user(id integer PRIMARY KEY, password text NOT NULL, last_login datetime, is_superuser bool NOT NULL, username text NOT NULL UNIQUE, email text NOT NULL, first_name text NOT NULL, last_name text NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL);
    CREATE TABLE auth_group(id integer PRIMARY KEY, name text NOT NULL UNIQUE);
    CREATE TABLE auth_user_groups(id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user(id), group_id integer NOT NULL REFERENCES auth_group(id));
    CREATE TABLE authtoken_token(key text PRIMARY KEY, created datetime NOT NULL, user_id integer NOT NULL UNIQUE REFERENCES auth_user(id));
    INSERT INTO auth_user VALUES (1,'!',NULL,1,'root','','','',1,1,'2020-01-01 00:00:00'),(2,'!',NULL,0,'ann','','','',1,1,'2020-01-01 00:00:00'),(3,'!',NULL,0,'bob','','','',1,1,'2020-01-01 00:00:00');
";
const KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

/// Creates the database of a Django project in a file of the test, or changes it.
pub fn django(database: &Database, name: &str, statements: &str) -> String {
    let file = database.place().join(name);
    rusqlite::Connection::open(&file).unwrap().execute_batch(statements).unwrap();
    file.display().to_string()
}

fn sync(database: &Database, source: &str) -> Ran {
    on(database, &["import", "django", "--from", source, "--sync"], "")
}

/// Imports lines of JSON.
pub fn lines(database: &Database, records: &[Value], flags: &[&str]) -> Ran {
    let file = database.place().join("in.json");
    fs::write(&file, records.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    on(database, &[&["import", "json", "--from", text(&file)], flags].concat(), "")
}

async fn name_behind(database: &Database, key: &str) -> Value {
    let address = Site::serve(database).await;
    Request::new(address, "GET", "/api/users/me").token(key).send().await.json()["username"].clone()
}

fn refused(ran: &Ran, expected: &[&str]) {
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    for part in expected {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.out.ends_with("Nothing was written.\n"), "{}", ran.out);
}

/// Issues a key to a user.
fn issued(database: &Database, username: &str) -> String {
    let issued = works(database, &["token", "issue", username, "--name", "laptop", "--json"]).json();
    issued["key"].as_str().unwrap().to_owned()
}

fn user(id: i64, username: &str) -> Value {
    json!({ "type": "user", "id": id, "username": username })
}

both! {
    /// An admin who was created here keeps the id and the key, whatever the source says about the id: with and without
    /// --sync, from every kind of source, and whether or not the source has times of creation.
    async fn a_user_created_here_does_not_become_another(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        let key = works(&database, &["token", "issue", "boss", "--name", "laptop", "--json"]).json()["key"].as_str().unwrap().to_owned();
        let source = django(&database, "old.db", BASE);
        let table = database.place().join("in.csv");
        fs::write(&table, "id,username\n1,root\n").unwrap();
        let before = database.content().await;
        let belongs = ["the id belongs to another user here", "id 1: \"boss\" here, \"root\" there", "wardroom user edit id:ID --username NAME"];
        for flags in [&[][..], &["--sync"], &["--sync", "--dry-run"]] {
            refused_or_dry(&on(&database, &[&["import", "django", "--from", &source], flags].concat(), ""), &belongs);
            refused_or_dry(&on(&database, &[&["import", "csv", "--from", text(&table)], flags].concat(), ""), &belongs);
            refused_or_dry(&lines(&database, &[user(1, "root")], flags), &belongs);
        }
        assert_eq!(database.content().await, before);
        assert_eq!(name_behind(&database, &key).await, "boss");

        // It is the same person: the name says so from now on.
        works(&database, &["user", "edit", "id:1", "--username", "root"]);
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(name_behind(&database, &key).await, "root");
        // Now it is an imported user, who may get another name in the source.
        works(&database, &["user", "edit", "id:1", "--email", "root@example.com"]);
        let renamed = json!({"type": "user", "id": 1, "username": "chief", "email": "root@example.com"});
        let renamed = lines(&database, &[renamed], &["--sync"]);
        assert_eq!(renamed.code, 0, "{}{}", renamed.out, renamed.err);
        assert_eq!(name_behind(&database, &key).await, "chief");
    }
}

fn refused_or_dry(ran: &Ran, expected: &[&str]) {
    assert!(!ran.out.contains("users here differ"), "it has a conflict of its own: {}", ran.out);
    refused(ran, expected);
}

both! {
    /// The other way out: the user here makes room, and comes back with an id that the source does not use.
    async fn a_user_created_here_can_make_room(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        let source = django(&database, "old.db", BASE);
        works(&database, &["user", "add", "other"]);
        // There is always an admin.
        let keeper = json!({ "type": "user", "id": 50, "username": "keeper", "is_admin": true });
        assert_eq!(lines(&database, &[keeper], &[]).code, 0);
        works(&database, &["user", "delete", "boss", "--yes"]);
        works(&database, &["user", "delete", "other", "--yes"]);
        // In the recycle bin, too, the id is another user's.
        refused(&sync(&database, &source), &["the id belongs to a deleted user here that has another name", "id 1: \"boss\" here, \"root\" there", "id 2: \"other\" here, \"ann\" there"]);
        let binned = lines(&database, &[json!({ "type": "deleted_user", "id": 1, "username": "x", "email": null, "deleted_at": "2025-01-01T00:00:00Z", "deleted_by": "y",
            "remains": { "username": "x", "mobile_number": null, "email": null, "avatar": null, "first_name": "", "last_name": "", "gender": null, "is_active": true, "is_staff": false,
                "is_admin": false, "last_login": null, "created_at": 0, "updated_at": 0, "password": "!", "groups": [], "permissions": [] } })], &["--sync"]);
        refused(&binned, &["the id belongs to another deleted user here", "id 1: \"boss\" here, \"x\" there"]);
        works(&database, &["user", "purge", "1", "--yes"]);
        works(&database, &["user", "purge", "2", "--yes"]);
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(works(&database, &["user", "add", "boss", "--admin", "--json"]).json()["id"], 51);
        // The source gives the same id to a new user of its own.
        django(&database, "old.db", "INSERT INTO auth_user VALUES (51,'!',NULL,0,'cleo','','','',1,1,'2026-01-01 00:00:00')");
        refused(&sync(&database, &source), &["id 51: \"boss\" here, \"cleo\" there"]);
    }
}

both! {
    /// What was created here is known after a restore from the recycle bin, from a backup, and in another database.
    async fn a_user_created_here_stays_one(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        works(&database, &["group", "add", "Billing"]);
        works(&database, &["user", "add", "second", "--admin"]);
        works(&database, &["user", "delete", "boss", "--yes"]);
        works(&database, &["user", "restore", "1"]);
        let taken = |database: &Database| {
            refused(&lines(database, &[user(1, "root")], &["--sync"]), &["id 1: \"boss\" here, \"root\" there"]);
            let group = json!({ "type": "group", "id": 1, "name": "Administrators" });
            refused(&lines(database, &[group], &["--sync"]), &["id 1: \"Billing\" here, \"Administrators\" there"]);
        };
        taken(&database);
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        for other in [Backend::Sqlite, Backend::Postgres] {
            let other = Database::empty(other).await;
            fs::create_dir_all(data(&other)).unwrap();
            let ran = beside(&other, &["restore", text(&file), "--accept-revived"]);
            assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
            taken(&other);
        }
    }
}

both! {
    /// Users who were imported follow their source: names, and whoever else has them by now.
    async fn an_imported_user_may_be_renamed_in_the_source(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", BASE);
        assert_eq!(sync(&database, &source).code, 0);
        django(&database, "old.db", "UPDATE auth_user SET username = 'x' WHERE id = 2; UPDATE auth_user SET username = 'ann' WHERE id = 3; UPDATE auth_user SET username = 'bob' WHERE id = 2");
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(database.texts("SELECT username FROM users ORDER BY id").await, ["root", "bob", "ann"]);
        // Renamed here, and then in the source.
        works(&database, &["user", "edit", "id:2", "--username", "robert"]);
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(database.texts("SELECT username FROM users ORDER BY id").await, ["root", "bob", "ann"]);
    }
}

both! {
    /// Another project has other users with the same ids: time of creation, address and password say so.
    async fn users_of_another_source_are_not_those_of_the_first(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", BASE);
        assert_eq!(sync(&database, &source).code, 0);
        let other = django(&database, "other.db", &BASE.replace("'ann',''", "'zoe',''").replace("2020-01-01", "2021-07-07"));
        refused(&sync(&database, &other), &["1 x the id belongs to another user here", "id 2: \"ann\" here, \"zoe\" there"]);
        assert_eq!(database.texts("SELECT username FROM users ORDER BY id").await, ["root", "ann", "bob"]);
        // The address stays the same: the times were corrected, and the user renamed.
        django(&database, "old.db", "UPDATE auth_user SET email = 'ann@example.com' WHERE id = 2");
        assert_eq!(sync(&database, &source).code, 0);
        django(&database, "old.db", "UPDATE auth_user SET date_joined = '2020-01-01 03:30:00', username = 'anna' WHERE id = 2");
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(database.texts("SELECT username FROM users WHERE id = 2").await, ["anna"]);
    }
}

both! {
    /// Without times of creation, only the same address or password shows that a user was renamed. The tokens that were
    /// issued here must not follow to another person.
    async fn without_times_a_new_name_is_not_enough(backend: Backend) {
        let database = Database::new(backend).await;
        let mut ann = user(50, "ann");
        ann["is_staff"] = json!(true);
        assert_eq!(lines(&database, &[ann], &[]).code, 0);
        let key = issued(&database, "ann");
        let stranger = json!({"type": "user", "id": 50, "username": "zoe", "is_admin": true});
        let names = ["id 50: \"ann\" here, \"zoe\" there", "wardroom user edit id:ID --username NAME"];
        for flags in [&[][..], &["--sync"], &["--sync", "--dry-run"]] {
            refused_or_dry(&lines(&database, std::slice::from_ref(&stranger), flags), &names);
        }
        assert_eq!(name_behind(&database, &key).await, "ann");
        let mut renamed = user(50, "ann");
        renamed["email"] = json!("ann@example.com");
        assert_eq!(lines(&database, &[renamed.clone()], &["--sync"]).code, 0);
        renamed["username"] = json!("anna");
        assert_eq!(lines(&database, &[renamed], &["--sync"]).code, 0);
        assert_eq!(name_behind(&database, &key).await, "anna");
        let mut known = user(50, "annika");
        known["password"] = json!("argon2$x");
        refused(&lines(&database, &[known.clone()], &["--sync"]), &["id 50: \"anna\" here, \"annika\" there"]);
        // What the message says works.
        works(&database, &["user", "edit", "id:50", "--username", "annika"]);
        assert_eq!(lines(&database, &[known.clone()], &["--sync"]).code, 0);
        known["username"] = json!("annie");
        assert_eq!(lines(&database, &[known], &["--sync"]).code, 0, "the same password");
        assert_eq!(name_behind(&database, &key).await, "annie");
        // An unusable password, and an empty address, are everyone's.
        let nobody = json!({"type": "user", "id": 60, "username": "first", "password": "!abc", "email": ""});
        assert_eq!(lines(&database, std::slice::from_ref(&nobody), &[]).code, 0);
        let mut other = nobody;
        other["username"] = json!("second");
        refused(&lines(&database, &[other], &["--sync"]), &["id 60: \"first\" here, \"second\" there"]);
    }
}

both! {
    /// A table of names gives ids that mean other users in a Django without `date_joined`.
    async fn ids_given_to_a_table_of_names_are_not_those_of_django(backend: Backend) {
        let database = Database::new(backend).await;
        let table = database.place().join("in.csv");
        fs::write(&table, "username,is_staff\nann,yes\n").unwrap();
        works(&database, &["import", "csv", "--from", text(&table)]);
        let key = issued(&database, "ann");
        let without_times = BASE.replace(", date_joined datetime NOT NULL", "").replace(",'2020-01-01 00:00:00'", "");
        let source = django(&database, "old.db", &without_times);
        refused(&sync(&database, &source), &["id 1: \"ann\" here, \"root\" there"]);
        assert_eq!(name_behind(&database, &key).await, "ann");
        assert_eq!(database.texts("SELECT username FROM users").await, ["ann"]);
    }
}

both! {
    /// The same for groups, whose members would get other rights, for permissions, and for tokens.
    async fn groups_permissions_and_tokens_do_not_become_others(backend: Backend) {
        let database = Database::new(backend).await;
        let source = django(&database, "old.db", &format!("{BASE} INSERT INTO auth_group VALUES (1, 'Administrators'); INSERT INTO auth_user_groups VALUES (1, 2, 1)"));
        works(&database, &["group", "add", "Billing"]);
        refused(&sync(&database, &source), &["the id belongs to another group, which was created here", "id 1: \"Billing\" here, \"Administrators\" there"]);
        works(&database, &["group", "edit", "Billing", "--name", "Administrators"]);
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        // It is the source's from now on.
        django(&database, "old.db", "UPDATE auth_group SET name = 'Admins'");
        assert_eq!(sync(&database, &source).code, 0);
        assert_eq!(database.texts("SELECT name FROM groups").await, ["Admins"]);

        let permission = |code: i64, name: &str| json!({ "type": "permission", "code": code, "name": name });
        refused(&lines(&database, &[permission(1222, "invoice_pay")], &["--sync"]), &["the code belongs to a permission of Wardroom", "1222: \"user_read\" here, \"invoice_pay\" there"]);
        assert_eq!(lines(&database, &[permission(9001, "invoice_pay")], &[]).code, 0);
        let ran = lines(&database, &[permission(9001, "invoice_send")], &["--sync"]);
        assert_eq!(ran.code, 0, "it came from a source: {}{}", ran.out, ran.err);

        let key = works(&database, &["token", "issue", "ann", "--name", "ours", "--json"]).json()["key"].as_str().unwrap().to_owned();
        let token = |user: i64, key: &str| json!({ "type": "token", "user": user, "key": key });
        refused(&lines(&database, &[token(3, &key)], &["--sync"]), &["a token that was issued here belongs to another user in the source", "user 2 here, user 3 there"]);
        assert_eq!(name_behind(&database, &key).await, "ann");
        // A key of the source may move with the source.
        assert_eq!(lines(&database, &[token(2, KEY)], &[]).code, 0);
        assert_eq!(lines(&database, &[token(3, KEY)], &["--sync"]).code, 0);
        assert_eq!(name_behind(&database, KEY).await, "bob");
    }
}

const KNOX: &str = "
    CREATE TABLE knox_authtoken(digest text PRIMARY KEY, token_key text NOT NULL, created datetime NOT NULL, user_id integer NOT NULL REFERENCES auth_user(id), expiry datetime);
";

both! {
    /// A token that was ended here, and not revoked, stays ended: an import with --sync moves the end no later. The source
    /// moves the end of any other token, as knox does at each use.
    async fn an_end_that_was_set_here_is_not_moved_back(backend: Backend) {
        let database = Database::new(backend).await;
        let digest = |n: u32| format!("{n:016x}").repeat(8);
        let rows: String = (1..=5).map(|n| format!("INSERT INTO knox_authtoken VALUES ('{}', 'abcdefgh1234567', '2026-01-01 00:00:00', 2, '2200-01-01 00:00:00');", digest(n))).collect();
        let source = django(&database, "old.db", &format!("{BASE} {KNOX} {rows}"));
        assert_eq!(sync(&database, &source).code, 0);
        let ids: Vec<TokenId> = {
            let hex = if backend == Backend::Sqlite { "lower(hex(digest))" } else { "encode(digest, 'hex')" };
            let mut ids = Vec::new();
            for n in 1..=5 {
                ids.push(database.number(&format!("SELECT id FROM tokens WHERE {hex} = '{}'", digest(n))).await.try_into().unwrap());
            }
            ids
        };
        let [ended, overlap, renamed, untouched, endless] = ids.as_slice() else { panic!("{ids:?}") };
        let clock = Clock::system().unwrap();
        let directory = database.open(&clock).await;
        let day = Duration::from_secs(86_400);
        directory.update_token(&operator(), None, *ended, None, Some(Expiry::After(day))).await.unwrap();
        directory.rotate_token(&operator(), None, *overlap, day).await.unwrap();
        directory.update_token(&operator(), None, *renamed, Some("new name"), None).await.unwrap();
        directory.update_token(&operator(), None, *endless, None, Some(Expiry::Never)).await.unwrap();
        drop(directory);
        let ends = async || {
            let mut ends = Vec::new();
            for id in &ids {
                ends.push(database.number(&format!("SELECT coalesce(expires_at, 0) FROM tokens WHERE id = {id}")).await);
            }
            ends
        };
        let here = ends().await;
        django(&database, "old.db", "UPDATE knox_authtoken SET expiry = '2300-01-01 00:00:00'");
        let ran = sync(&database, &source);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let later: i64 = 10_413_792_000_000_000;
        assert_eq!(ends().await, [here[0], here[1], later, later, later], "{renamed} {untouched}");
        assert!(sync(&database, &source).out.contains("everything was up to date already"));
        // The source may end it earlier, and lines of JSON cannot lift it either.
        django(&database, "old.db", "UPDATE knox_authtoken SET expiry = '2026-02-01 00:00:00'");
        assert_eq!(sync(&database, &source).code, 0);
        assert!(ends().await.iter().all(|end| *end == 1_769_904_000_000_000));
        let lifted = json!({ "type": "token", "user": 2, "digest": digest(1), "expires_at": null });
        assert_eq!(lines(&database, &[lifted], &["--sync"]).code, 0);
        assert_eq!(ends().await[0], here[0]);
        // An export knows it, so the copy keeps it, too.
        let exported = works(&database, &["export"]).out;
        let record: Value = exported.lines().map(|line| serde_json::from_str(line).unwrap()).find(|record: &Value| record["digest"] == digest(1)).unwrap();
        assert_eq!(record["ends_by"], record["expires_at"]);
    }
}

both! {
    /// A token that was revoked or ended here is not forgotten when its time is over: the source still has it.
    async fn an_ended_token_of_a_source_is_not_forgotten(backend: Backend) {
        let database = Database::new(backend).await;
        let token = |n: u32, end: Value| json!({ "type": "token", "user": 2, "key": format!("{KEY}{n}"), "expires_at": end });
        let records = [user(2, "ann"), token(1, json!(null)), token(2, json!(null)), token(3, json!("2026-01-01T00:00:00Z"))];
        assert_eq!(lines(&database, &records, &[]).code, 0);
        let clock = Clock::fixed("2025-09-01T12:00:00Z".parse().unwrap()).unwrap();
        let directory = database.open(&clock).await;
        let ids = database.texts("SELECT CAST(id AS TEXT) FROM tokens ORDER BY expires_at IS NULL, id").await;
        let ids: Vec<TokenId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let [ran_out, revoked, ended] = ids.as_slice() else { panic!("{ids:?}") };
        directory.revoke_token(&operator(), None, *revoked).await.unwrap();
        directory.update_token(&operator(), None, *ended, None, Some(Expiry::After(Duration::from_secs(60)))).await.unwrap();
        clock.set("2027-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(directory.prune_tokens().await.unwrap(), 1, "{ran_out}: the source ends it again");
        drop(directory);
        assert_eq!(lines(&database, &records, &["--sync"]).code, 0);
        let valid = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > 1798761600000000)";
        assert_eq!(database.number(valid).await, 0);
        assert_eq!(database.number("SELECT count(*) FROM tokens").await, 3);
    }
}

both! {
    /// What a restore closes again, a later import leaves closed.
    async fn an_end_that_a_restore_keeps_is_not_moved_back(backend: Backend) {
        let database = Database::new(backend).await;
        let digest = format!("{:0128x}", 7);
        let source = django(&database, "old.db", &format!("{BASE} {KNOX} INSERT INTO knox_authtoken VALUES ('{digest}', 'abcdefgh1234567', '2026-01-01 00:00:00', 2, NULL)"));
        assert_eq!(sync(&database, &source).code, 0);
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        let id = database.number("SELECT id FROM tokens").await.try_into().unwrap();
        let directory = database.open(&Clock::system().unwrap()).await;
        directory.update_token(&operator(), None, id, None, Some(Expiry::After(Duration::from_secs(3600)))).await.unwrap();
        drop(directory);
        let end = "SELECT coalesce(expires_at, 0) FROM tokens";
        let here = database.number(end).await;
        loop {
            let ran = beside(&database, &["restore", text(&file), "--replace", "--keep-closed"]);
            if !ran.err.contains("is in use: stop the servers") {
                assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(database.number(end).await, here);
        assert_eq!(sync(&database, &source).code, 0);
        assert_eq!(database.number(end).await, here);
    }
}

both! {
    /// Rows from before the columns existed: the audit trail says what was created and ended here.
    async fn rows_of_an_older_schema_are_known_by_the_audit_trail(backend: Backend) {
        let database = Database::new(backend).await;
        let digest = format!("{:0128x}", 7);
        works(&database, &["user", "add", "boss", "--admin"]);
        works(&database, &["group", "add", "Billing"]);
        let token = json!({ "type": "token", "user": 5, "digest": digest, "expires_at": "2200-01-01T00:00:00Z" });
        let named = |name: &str| json!({ "type": "user", "id": 5, "username": name, "email": "eve@example.com" });
        assert_eq!(lines(&database, &[named("eve"), json!({ "type": "group", "id": 5, "name": "five" }), token.clone()], &[]).code, 0);
        let id = database.number("SELECT id FROM tokens").await.try_into().unwrap();
        let directory = database.open(&Clock::system().unwrap()).await;
        directory.update_token(&operator(), None, id, None, Some(Expiry::After(Duration::from_secs(3600)))).await.unwrap();
        drop(directory);
        // As version 9 left them: without the columns of version 11.
        database.go_back_to_version_10().await;
        database.sql("UPDATE users SET created_at = 253402207200999999 WHERE id = 5; UPDATE groups SET created_at = 9223372036854775807 WHERE id = 5").await;
        works(&database, &["migrate"]);
        let end = database.number("SELECT expires_at FROM tokens").await;
        refused(&lines(&database, &[user(1, "root")], &["--sync"]), &["id 1: \"boss\" here, \"root\" there"]);
        refused(&lines(&database, &[json!({ "type": "group", "id": 1, "name": "x" })], &["--sync"]), &["id 1: \"Billing\" here, \"x\" there"]);
        let ran = lines(&database, &[named("evi"), json!({ "type": "group", "id": 5, "name": "cinque" }), token], &["--sync"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(database.number("SELECT expires_at FROM tokens").await, end);
        let shown = works(&database, &["user", "show", "id:5", "--json"]).json();
        assert_eq!(shown["created_at"], "9999-12-30T22:00:00.999999Z");
        let groups = works(&database, &["group", "list", "--json"]).json();
        assert_eq!(groups[1]["created_at"], "9999-12-31T23:59:59.999999Z");
        works(&database, &["doctor"]);
    }
}
