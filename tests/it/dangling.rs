//! What is kept of deleted users and groups, and scopes, name others by id or code. What is gone, or means something else in
//! another database, gives no one a right when an id or code is used again.

use wardroom::directory::Clock;

use crate::backup::works;
use crate::support::database::{UNDO_19, undo_23};
use crate::support::{Backend, Database, both};

/// Changes the lists that are kept of a deleted user, as they are before: `"permissions":[]`.
async fn keep(database: &Database, user: &str, list: &str, ids: &str) {
    let change = format!(
        "UPDATE deleted_users SET remains = replace(remains, '\"{list}\":[]', '\"{list}\": [{ids}]') WHERE username = '{user}'"
    );
    database.sql(&change).await;
}

async fn codes_of(database: &Database, user: &str) -> Vec<String> {
    let held = "SELECT CAST(p.code AS TEXT) FROM user_permissions up JOIN permissions p ON p.id = up.permission_id \
                JOIN users u ON u.id = up.user_id WHERE u.username = ";
    database.texts(&format!("{held}'{user}' ORDER BY p.code")).await
}

async fn groups_of(database: &Database, user: &str) -> Vec<String> {
    let of = "SELECT g.name FROM memberships m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user_id WHERE u.username = ";
    database.texts(&format!("{of}'{user}' ORDER BY g.id")).await
}

both! {
    /// Guards against an import that gives ids of permissions and groups which mean something else here.
    async fn a_deleted_user_comes_back_with_nothing_of_another_database(backend: Backend) {
        let source = Database::new(backend).await;
        source.sql("INSERT INTO permissions (id, code, name) VALUES (70, 10001, 'orders'), (71, 10003, 'gone'), (72, 10004, 'here')").await;
        works(&source, &["user", "add", "boss", "--admin"]);
        for name in ["Purged", "Kept", "Binned"] {
            works(&source, &["group", "add", name]);
        }
        works(&source, &[
            "user", "add", "bob", "--group", "Purged", "--group", "Kept", "--group", "Binned", "--permission", "orders",
            "--permission", "gone", "--permission", "here", "--permission", "introspection_read", "--permission", "user_read",
        ]);
        works(&source, &["user", "delete", "bob", "--yes"]);
        works(&source, &["group", "delete", "Purged", "Binned", "--yes"]);
        works(&source, &["group", "purge", "1", "--yes"]);
        // As an operator's own SQL, and versions before these permissions existed, leave it.
        source.sql("DELETE FROM permissions WHERE code IN (1282, 10003); UPDATE deleted_users SET remains = replace(remains, ',71', ',71,15')").await;
        source.sql("INSERT INTO deleted_memberships (group_id, user_id) VALUES (3, 900)").await;
        let exported = works(&source, &["export"]).out;
        for other in [Backend::Sqlite, Backend::Postgres] {
            let database = Database::new(other).await;
            // Other permissions and another group have the ids.
            database.sql("INSERT INTO permissions (id, code, name) VALUES (70, 10002, 'parcels'), (71, 10005, 'others'), (80, 10004, 'here')").await;
            works(&database, &["group", "add", "Mine"]);
            let file = database.place().join("records.json");
            std::fs::write(&file, &exported).unwrap();
            works(&database, &["import", "json", "--from", file.to_str().unwrap()]);
            works(&database, &["user", "restore", "bob"]);
            assert_eq!(codes_of(&database, "bob").await, ["1222", "10001", "10004"], "{other:?}");
            assert_eq!(groups_of(&database, "bob").await, ["Kept"], "{other:?}");
            assert_eq!(database.number("SELECT count(*) FROM deleted_memberships WHERE user_id = 900").await, 0);
            // The group of the bin has its member.
            works(&database, &["group", "restore", "Binned"]);
            assert_eq!(groups_of(&database, "bob").await, ["Kept", "Binned"], "{other:?}");
        }
    }
}

both! {
    /// Guards against ids that a new permission, or an imported group, gets a second time, also from a sequence that someone's own
    /// SQL has left behind.
    async fn a_new_permission_or_group_is_held_by_no_one_in_the_bin(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        works(&database, &["user", "add", "bob"]);
        works(&database, &["user", "delete", "bob", "--yes"]);
        let next = 1 + database.number("SELECT max(id) FROM permissions").await;
        keep(&database, "bob", "permissions", &format!("1, {next}")).await;
        keep(&database, "bob", "groups", "40 ,41").await;
        if backend == Backend::Postgres {
            database.sql("SELECT setval(pg_get_serial_sequence('permissions', 'id'), 3)").await;
        }
        works(&database, &["permission", "add", "parcels"]);
        let lines = r#"{"type":"group","id":40,"name":"forty"}"#;
        let file = database.place().join("records.json");
        std::fs::write(&file, lines).unwrap();
        works(&database, &["import", "json", "--from", file.to_str().unwrap()]);
        assert_eq!(database.number("SELECT id FROM permissions WHERE name = 'parcels'").await, next);
        works(&database, &["user", "restore", "bob"]);
        assert_eq!(codes_of(&database, "bob").await, ["1201"]);
        assert_eq!(groups_of(&database, "bob").await, [""; 0]);
    }
}

both! {
    /// Guards against a deleted group of a file that gets the id of a group which was purged here, with a member in the bin.
    async fn a_purged_group_leaves_no_id_in_the_bin(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        for (group, user) in [("Old", "bob"), ("Older", "ann")] {
            works(&database, &["group", "add", group]);
            works(&database, &["user", "add", user, "--group", group]);
            works(&database, &["user", "delete", user, "--yes"]);
            works(&database, &["group", "delete", group, "--yes"]);
        }
        works(&database, &["group", "purge", "1", "--yes"]);
        // The other one expires.
        database.sql("UPDATE deleted_groups SET deleted_at = 1 WHERE id = 2").await;
        let clock = Clock::system().unwrap();
        database.open(&clock).await.purge_expired().await.unwrap();
        assert_eq!(database.number("SELECT count(*) FROM deleted_groups").await, 0);
        let (now, remains) = (clock.now(), r#"{"notes":null,"created_at":0,"updated_at":0,"permissions":[1224]}"#);
        let lines = [1, 2].map(|id| format!(
            r#"{{"type":"deleted_group","id":{id},"name":"Powerful {id}","deleted_at":"{now}","deleted_by":"","members":[],"remains":{remains}}}"#
        ));
        let file = database.place().join("records.json");
        std::fs::write(&file, lines.join("\n")).unwrap();
        works(&database, &["import", "json", "--from", file.to_str().unwrap()]);
        for (id, user) in [("1", "bob"), ("2", "ann")] {
            works(&database, &["group", "restore", id]);
            works(&database, &["user", "restore", user]);
            assert_eq!(groups_of(&database, user).await, [""; 0], "{user}");
        }
    }
}

both! {
    /// The migrations after 15 run on data that only someone's own SQL can make, and leave no id of what is gone.
    async fn odd_rows_of_the_recycle_bin_stop_no_migration(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "boss", "--admin"]);
        for user in ["ann", "bob"] {
            works(&database, &["user", "add", user]);
        }
        works(&database, &["user", "delete", "ann", "bob", "--yes"]);
        // `ann` has a name that looks like a list. An index keeps what is no JSON out of this table.
        database.sql(r#"UPDATE deleted_users SET remains = replace(remains, '"first_name":""', '"first_name":"\"permissions\":[999]"') WHERE username = 'ann'"#).await;
        keep(&database, "ann", "permissions", "999").await;
        keep(&database, "bob", "permissions", "999,\n15,\t1").await;
        keep(&database, "bob", "groups", "77 ,78").await;
        // As version 15 left it: the project has a permission with the code.
        let sqlite = "BEGIN INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id); END";
        let (on_tokens, action, on, truncated) = match backend {
            Backend::Sqlite => ("", sqlite, "", ""),
            Backend::Postgres => (
                " ON tokens",
                "FOR EACH ROW EXECUTE FUNCTION note_old_user()",
                " ON groups",
                "DROP TRIGGER groups_truncated ON groups; SELECT setval(pg_get_serial_sequence('permissions', 'id'), 3);",
            ),
        };
        let row = |id: i64, remains: &str| format!("INSERT INTO deleted_groups (id, name, name_key, deleted_at, deleted_by, search_key, remains) \
             VALUES ({id}, 'g{id}', 'g{id}', {}, '', 'g{id}', '{remains}');", i64::MAX / 4000);
        let links = database.undo_links();
        let remains = |codes: &str| format!(r#"{{"notes":null,"created_at":0,"updated_at":0,"permissions":{codes}}}"#);
        database.sql(&format!(
            "{links} DROP TRIGGER tokens_changed{on_tokens}; ALTER TABLE tokens DROP COLUMN amr; {UNDO_19} {}
             CREATE TRIGGER tokens_changed AFTER UPDATE OF name ON tokens {action};
             DROP TRIGGER groups_changed{on}; DROP TRIGGER groups_added{on}; DROP TRIGGER groups_removed{on}; {truncated}
             UPDATE permissions SET name = 'orders' WHERE code = 1282; DELETE FROM schema_migrations WHERE version > 15; {}{}{}{}",
            undo_23(backend),
            row(900, &remains("[1282,null]")), row(901, "{\"permissions\":[1282"), row(902, &remains("[1282, 4711, 1222]")),
            row(903, &remains("null")),
        )).await;
        works(&database, &["migrate"]);
        assert_eq!(database.texts("SELECT name FROM permissions WHERE code IN (1282, 10000) ORDER BY code").await, ["introspection_read", "orders"]);
        let kept = database.texts("SELECT remains FROM deleted_groups ORDER BY id").await;
        assert!(kept[0].contains("10000") && !kept[0].contains("1282"), "{kept:?}");
        let list: serde_json::Value = serde_json::from_str(&kept[2]).unwrap();
        assert_eq!(list["permissions"], serde_json::json!([10_000, 1222]));
        let users = database.texts("SELECT remains FROM deleted_users ORDER BY username").await;
        assert!(users[0].contains(r#""first_name":"\"permissions\":[999]""#), "{users:?}");
        assert!(users[0].contains(r#""permissions":[]"#) && users[1].contains(r#""permissions":[15,1]"#), "{users:?}");
        assert!(users[1].contains(r#""groups":[]"#), "{users:?}");
        works(&database, &["user", "restore", "ann"]);
        works(&database, &["user", "restore", "bob"]);
        assert_eq!((codes_of(&database, "ann").await, codes_of(&database, "bob").await), (vec![], vec!["1201".to_owned(), "10000".to_owned()]));
        // New rows get ids of their own.
        works(&database, &["permission", "add", "parcels"]);
        database.sql("INSERT INTO permissions (code, name) VALUES (20000, 'by SQL')").await;
    }
}

both! {
    /// A scope goes with its permission, whatever is between the names.
    async fn a_scope_goes_with_its_permission_whatever_the_blanks_are(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "ann", "--staff"]);
        works(&database, &["permission", "add", "orders", "--code", "10001"]);
        let cases = [("a", "me_read\t10001  110001", "me_read 110001"), ("b", "10001\tme_read", "me_read"), ("c", "\t10001 ", ""), ("d", "100011", "100011")];
        for (name, scopes, _) in cases {
            works(&database, &["token", "issue", "ann", "--name", name]);
            database.sql(&format!("UPDATE tokens SET scopes = '{scopes}' WHERE name = '{name}'")).await;
        }
        works(&database, &["permission", "remove", "orders", "--yes"]);
        for (name, _, left) in cases {
            assert_eq!(database.texts(&format!("SELECT scopes FROM tokens WHERE name = '{name}'")).await, [left], "{name}");
        }
    }
}
