//! The feed of changes: whatever writes, and however its session is set, cached identities follow.

use crate::backup::{archive, done, text, works};
use crate::support::{Backend, Database, Site, both};

/// What makes a session skip triggers or foreign keys.
fn session(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "PRAGMA foreign_keys = OFF",
        Backend::Postgres => "SET session_replication_role = replica",
    }
}

both! {
    /// Guards against tools that copy rows or restore tables and leave cached identities as they were.
    async fn a_session_that_skips_triggers_changes_what_is_cached(backend: Backend) {
        let site = Site::start(backend).await;
        let me = async || site.me(&site.alex.key).send().await;
        let run = async |statements: &str| site.database.sql(&format!("{}; {statements}", session(backend))).await;
        assert_eq!(me().await.status, 200);
        run("UPDATE users SET last_name = 'Changed' WHERE id = 42").await;
        assert!(me().await.body.contains(r#""last_name":"Changed""#));
        for (change, back) in [
            ("UPDATE users SET is_active = FALSE WHERE id = 42", "UPDATE users SET is_active = TRUE WHERE id = 42"),
            ("UPDATE tokens SET revoked_at = 1 WHERE user_id = 42", "UPDATE tokens SET revoked_at = NULL WHERE user_id = 42"),
            (
                "CREATE TABLE kept AS SELECT * FROM tokens WHERE user_id = 42; DELETE FROM tokens WHERE user_id = 42",
                "INSERT INTO tokens SELECT * FROM kept; DROP TABLE kept",
            ),
            (
                "CREATE TABLE kept AS SELECT * FROM users WHERE id = 42; DELETE FROM users WHERE id = 42",
                "INSERT INTO users SELECT * FROM kept; DROP TABLE kept",
            ),
        ] {
            run(change).await;
            assert_eq!(me().await.status, 401, "{change}");
            run(back).await;
            assert_eq!(me().await.status, 200, "{back}");
        }
    }
}

both! {
    /// Every statement that may change an identity is in the feed.
    async fn every_table_of_an_identity_writes_the_feed_in_such_a_session(backend: Backend) {
        let site = Site::start(backend).await;
        let last = async || site.database.number("SELECT max(id) FROM identity_changes").await;
        for change in [
            "INSERT INTO memberships (user_id, group_id) VALUES (7, 99)",
            "UPDATE memberships SET group_id = 98 WHERE group_id = 99",
            "DELETE FROM memberships WHERE group_id = 98",
            "INSERT INTO user_permissions (user_id, permission_id) VALUES (7, 99)",
            "UPDATE user_permissions SET permission_id = 98 WHERE permission_id = 99",
            "DELETE FROM user_permissions WHERE permission_id = 98",
            "INSERT INTO group_permissions (group_id, permission_id) VALUES (99, 99)",
            "UPDATE group_permissions SET permission_id = 98 WHERE permission_id = 99",
            "DELETE FROM group_permissions WHERE permission_id = 98",
            "UPDATE permissions SET code = 999999 WHERE id = 14",
            "CREATE TABLE kept AS SELECT * FROM permissions WHERE id = 14",
            "DELETE FROM permissions WHERE id = 14",
            "INSERT INTO permissions SELECT * FROM kept",
            "UPDATE groups SET name = 'x' WHERE id = 3",
            "UPDATE groups SET id = 33 WHERE id = 3",
            "DELETE FROM groups WHERE id = 7",
            "INSERT INTO memberships (user_id, group_id) VALUES (42, 77)",
            "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) VALUES (77, 'y', 'y', '', 0, 0, 'y')",
            "UPDATE tokens SET name = 'x' WHERE user_id = 42",
            "UPDATE users SET username = 'x' WHERE id = 42",
        ] {
            let before = last().await;
            site.database.sql(&format!("{}; {change}", session(backend))).await;
            if !change.starts_with("CREATE") {
                assert!(last().await > before, "{change}");
            }
        }
    }
}

both! {
    /// A group that is created, deleted or noted about, and has no members, is in no identity: the caches stay as they are.
    async fn groups_that_no_identity_shows_leave_the_feed_alone(backend: Backend) {
        let site = Site::start(backend).await;
        let last = async || site.database.number("SELECT max(id) FROM identity_changes").await;
        let before = last().await;
        for change in [
            "INSERT INTO groups (id, name, name_key, notes, created_at, updated_at, search_key) VALUES (77, 'y', 'y', '', 0, 0, 'y')",
            "UPDATE groups SET notes = 'z', updated_at = 1 WHERE id = 3",
            "UPDATE groups SET name = name",
            "DELETE FROM groups WHERE id = 77",
        ] {
            site.database.sql(change).await;
            assert_eq!(last().await, before, "{change}");
        }
    }
}

/// Guards against copies of rows that leave triggers off, or in another state than before.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_are_as_before_after_every_copy_of_rows() {
    let states = async |database: &Database| {
        let sql = "SELECT CAST(c.relname || '.' || t.tgname || ' ' || CAST(t.tgenabled AS TEXT) AS TEXT) FROM pg_trigger t \
                   JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal ORDER BY 1";
        database.texts(sql).await
    };
    let database = Database::new(Backend::Postgres).await;
    let ours = states(&database).await;
    assert!(ours.contains(&"users.users_changed A".to_owned()), "{ours:?}");
    let own = "CREATE FUNCTION nothing() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
               CREATE TRIGGER own_off AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION nothing(); \
               CREATE TRIGGER own_on AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION nothing(); \
               ALTER TABLE users DISABLE TRIGGER own_off";
    database.sql(own).await;
    let before = states(&database).await;
    assert_eq!(before.len(), ours.len() + 2);
    let people = database.place().join("people.csv");
    std::fs::write(&people, "username\nann\nbob\n").unwrap();
    works(&database, &["import", "csv", "--from", text(&people)]);
    assert_eq!(states(&database).await, before, "after an import into an empty database");
    let file = archive(&database);
    done(&database, &["backup", text(&file)]);
    done(&database, &["restore", text(&file), "--replace"]);
    assert_eq!(states(&database).await, before, "after a restore");
    let empty = Database::empty(Backend::Postgres).await;
    let [_, url] = empty.args();
    works(&database, &["move", "--to", &url]);
    assert_eq!(states(&empty).await, ours, "of a database that rows were moved to");
}
