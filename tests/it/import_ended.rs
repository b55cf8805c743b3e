//! A key that was revoked or ended here stays so in an import, also when its row was deleted meanwhile: with its user, or
//! because it was no longer needed.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory};

use crate::backup::{archive, beside, data, done, text, works};
use crate::import_people::lines;
use crate::support::site::operator;
use crate::support::{Backend, Database, Request, Site, both};

const REVOKED: &str = "aaaa5eab6e0f663a972d145478d6fc4b81762070";
const ENDED: &str = "bbbb5eab6e0f663a972d145478d6fc4b81762070";
const ACTIVE: &str = "cccc5eab6e0f663a972d145478d6fc4b81762070";

/// A source: an admin, and ann with three keys.
fn source() -> Vec<Value> {
    let token =
        |key: &str| json!({ "type": "token", "user": 2, "key": key, "name": key, "expires_at": null });
    vec![
        json!({ "type": "user", "id": 9, "username": "root", "is_admin": true }),
        json!({ "type": "user", "id": 2, "username": "ann", "is_staff": true }),
        token(REVOKED),
        token(ENDED),
        token(ACTIVE),
    ]
}

fn import(database: &Database) -> String {
    let ran = lines(database, &source(), &["--sync"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran.out
}

async fn open(database: &Database) -> Directory {
    database.open(&Clock::system().unwrap()).await
}

/// The id of the token with this name.
async fn id<T: TryFrom<i64, Error: std::fmt::Debug>>(database: &Database, name: &str) -> T {
    database.number(&format!("SELECT id FROM tokens WHERE name = '{name}'")).await.try_into().unwrap()
}

/// Revokes one of the keys, and lets another one expire in an hour.
async fn end(database: &Database) {
    let directory = open(database).await;
    directory.revoke_token(&operator(), None, id(database, REVOKED).await).await.unwrap();
    let hour = Some(Expiry::After(Duration::from_secs(3600)));
    directory.update_token(&operator(), None, id(database, ENDED).await, None, hour).await.unwrap();
}

/// What is known of the three keys: whether each authenticates, and the expiry of the second.
async fn state(database: &Database) -> ([bool; 3], i64) {
    let directory = open(database).await;
    let mut works = [false; 3];
    for (works, key) in works.iter_mut().zip([REVOKED, ENDED, ACTIVE]) {
        *works = directory.authenticate(key, None).await.is_ok();
    }
    drop(directory);
    let expiry = format!("SELECT coalesce(max(expires_at), 0) FROM tokens WHERE name = '{ENDED}'");
    (works, database.number(&expiry).await)
}

both! {
    /// The user is deleted and restored, or purged, and imported again: as often as it happens.
    async fn a_revoked_key_does_not_come_back_with_its_user(backend: Backend) {
        let database = Database::new(backend).await;
        import(&database);
        end(&database).await;
        let before = state(&database).await;
        assert_eq!((before.0, before.1 > 0), ([false, true, true], true));
        for is_purged in [false, true, false] {
            works(&database, &["user", "delete", "ann", "--yes"]);
            let again: &[&str] = if is_purged { &["user", "purge", "2", "--yes"] } else { &["user", "restore", "2"] };
            works(&database, again);
            assert_eq!(database.number("SELECT count(*) FROM tokens").await, 0);
            let out = import(&database);
            assert!(out.contains("2 x tokens that were revoked here, or got an earlier expiry here, keep it"), "{out}");
            assert_eq!(state(&database).await, before);
            assert!(import(&database).contains("everything was up to date already"));
        }
        works(&database, &["doctor"]);
        // It is deleted because the source no longer has it.
        let mut without = source();
        without.retain(|record| record["user"] != 2 && record["id"] != 2);
        let ran = lines(&database, &without, &["--sync", "--delete-missing", "--yes"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        works(&database, &["user", "purge", "2", "--yes"]);
        import(&database);
        assert_eq!(state(&database).await, before);
    }
}

both! {
    /// What was lifted here is no longer an end, however often the user was deleted.
    async fn an_end_that_was_lifted_here_does_not_come_back(backend: Backend) {
        let database = Database::new(backend).await;
        import(&database);
        end(&database).await;
        for _ in 0..2 {
            works(&database, &["user", "delete", "ann", "--yes"]);
            works(&database, &["user", "restore", "2"]);
            import(&database);
            let directory = open(&database).await;
            directory.update_token(&operator(), None, id(&database, ENDED).await, None, Some(Expiry::Never)).await.unwrap();
        }
        works(&database, &["user", "delete", "ann", "--yes"]);
        works(&database, &["user", "restore", "2"]);
        import(&database);
        assert_eq!(state(&database).await, ([false, true, true], 0));
        // Nor in a copy of the database.
        let file = database.place().join("export.json");
        works(&database, &["export", "--output", text(&file)]);
        let other = Database::new(backend).await;
        works(&other, &["import", "json", "--from", text(&file)]);
        works(&other, &["user", "delete", "ann", "--yes"]);
        works(&other, &["user", "restore", "2"]);
        import(&other);
        assert_eq!(state(&other).await, ([false, true, true], 0));
    }
}

both! {
    /// Exports, backups and moves contain it.
    async fn every_copy_of_the_database_knows_what_ended(backend: Backend) {
        let database = Database::new(backend).await;
        import(&database);
        end(&database).await;
        let before = state(&database).await;
        works(&database, &["user", "delete", "ann", "--yes"]);
        works(&database, &["user", "restore", "2"]);
        let export = database.place().join("export.json");
        works(&database, &["export", "--output", text(&export)]);
        let kept = fs::read_to_string(&export).unwrap();
        let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|record: &Value| record["type"] == "ended_token").collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!(kept.iter().filter(|record| record["revoked_at"].is_string()).count(), 1, "{kept:?}");
        assert!(!works(&database, &["export", "--anonymise"]).out.contains("ended_token"));
        fs::create_dir_all(data(&database)).unwrap();
        let file = archive(&database);
        done(&database, &["backup", text(&file)]);
        for other in [Backend::Sqlite, Backend::Postgres] {
            let imported = Database::new(other).await;
            let ran = works(&imported, &["import", "json", "--from", text(&export), "--json"]).json();
            assert_eq!((&ran["ended_tokens"]["read"], &ran["ended_tokens"]["added"]), (&json!(2), &json!(2)));
            let again = works(&imported, &["import", "json", "--from", text(&export), "--json"]).json();
            assert_eq!((&again["ended_tokens"]["unchanged"], &again["ended_tokens"]["added"]), (&json!(2), &json!(0)));
            let restored = Database::empty(other).await;
            fs::create_dir_all(data(&restored)).unwrap();
            done(&restored, &["restore", text(&file), "--accept-revived"]);
            let moved = Database::empty(other).await;
            let [_, to] = moved.args();
            works(&database, &["move", "--to", &to]);
            for copy in [imported, restored, moved] {
                import(&copy);
                assert_eq!(state(&copy).await, before);
            }
        }
        // The audit trail says what an import of nothing else wrote.
        let alone = Database::new(backend).await;
        assert_eq!(lines(&alone, &source()[..2], &[]).code, 0);
        assert_eq!(lines(&alone, &kept, &[]).code, 0);
        let listed = works(&alone, &["audit", "list", "--json"]).out.replace(' ', "");
        assert!(listed.contains("\"ended_tokens\":2"), "{listed}");
        import(&alone);
        assert_eq!(state(&alone).await, before);
    }
}

both! {
    /// A key that was imported and revoked after the backup is in no row of the backup.
    async fn a_restore_takes_over_what_ended_since(backend: Backend) {
        for how in ["--keep-closed", "nothing"] {
            let database = Database::new(backend).await;
            assert_eq!(lines(&database, &source()[..2], &[]).code, 0);
            fs::create_dir_all(data(&database)).unwrap();
            let file = archive(&database);
            done(&database, &["backup", text(&file)]);
            import(&database);
            end(&database).await;
            let before = state(&database).await;
            if how == "--keep-closed" {
                works(&database, &["user", "delete", "ann", "--yes"]);
            }
            let flags: &[&str] = if how == "--keep-closed" { &["--keep-closed"] } else { &[] };
            loop {
                let ran = beside(&database, &[&["restore", text(&file), "--replace"], flags].concat());
                if !ran.err.contains("is in use: stop the servers") {
                    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if how == "--keep-closed" {
                works(&database, &["user", "restore", "2"]);
            }
            import(&database);
            assert_eq!(state(&database).await, before, "{how}");
        }
    }
}

both! {
    /// A token that was issued here and revoked is in an old export. It stays revoked when its row was pruned.
    async fn a_pruned_token_does_not_come_back_with_an_old_export(backend: Backend) {
        let database = Database::new(backend).await;
        assert_eq!(lines(&database, &source()[..2], &[]).code, 0);
        let issued = |name: &str| works(&database, &["token", "issue", "ann", "--name", name, "--json"]).json()["key"].as_str().unwrap().to_owned();
        let (key, other) = (issued("laptop"), issued("phone"));
        let old = database.place().join("old.json");
        works(&database, &["export", "--output", text(&old)]);
        let clock = Clock::fixed("2030-01-01T00:00:00Z".parse().unwrap()).unwrap();
        let directory = database.open(&clock).await;
        directory.revoke_token(&operator(), None, id(&database, "laptop").await).await.unwrap();
        clock.set("2031-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(directory.prune_tokens().await.unwrap(), 1);
        drop(directory);
        let ran = works(&database, &["import", "json", "--from", text(&old), "--sync"]);
        assert!(ran.out.contains("1 x tokens that were revoked here"), "{}", ran.out);
        let address = Site::serve(&database).await;
        for (key, status) in [(key, 401), (other, 200)] {
            assert_eq!(Request::new(address, "GET", "/api/users/me").token(&key).send().await.status, status);
        }
    }
}

both! {
    /// Wrong records are named, and change nothing. A record about a token that is here does not end it.
    async fn records_of_ended_tokens_are_checked(backend: Backend) {
        let database = Database::new(backend).await;
        import(&database);
        let before = state(&database).await;
        let digest = "ab".repeat(32);
        for (record, expected) in [
            (json!({ "type": "ended_token", "digest": digest }), "an ended token cannot be imported: Give revoked_at or ends_by."),
            (json!({ "type": "ended_token", "digest": "abc", "revoked_at": "2025-01-01T00:00:00Z" }), "A digest is 64 hexadecimal digits"),
        ] {
            let ran = lines(&database, &[record], &["--sync"]);
            assert!(ran.code == 4 && ran.out.contains(expected) && !ran.out.contains(&digest), "{}{}", ran.out, ran.err);
        }
        let of = {
            let exported = works(&database, &["export"]).out;
            let mut records = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            records.find(|record| record["name"] == ACTIVE).unwrap()["digest"].clone()
        };
        let ran = lines(&database, &[json!({ "type": "ended_token", "digest": of, "revoked_at": "2025-01-01T00:00:00Z" })], &["--sync"]);
        assert!(ran.code == 0 && ran.out.contains("1 x tokens that ended in the source are here, and stay as they are"), "{}{}", ran.out, ran.err);
        assert_eq!(state(&database).await, before);
        // The earlier end counts, whichever comes first.
        let known = |at: &str| json!({ "type": "ended_token", "digest": digest, "ends_by": at });
        for (at, changed) in [("2025-03-01T00:00:00Z", "added"), ("2025-02-01T00:00:00Z", "changed"), ("2025-04-01T00:00:00Z", "unchanged")] {
            let ran = lines(&database, &[known(at)], &["--json"]).json();
            assert_eq!(ran["ended_tokens"][changed], 1, "{at}: {ran}");
        }
        assert_eq!(database.number("SELECT ends_by FROM ended_tokens").await, 1_738_368_000_000_000);
    }
}
