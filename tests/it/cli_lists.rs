//! The lists of the command line: the filters and orders of the API, and what is said when rows are missing.

use serde_json::Value;

use crate::cli::{Ran, on};
use crate::support::{Backend, Database, Site, both};

/// Runs a command that must succeed.
pub fn works(database: &Database, args: &[&str]) -> Ran {
    let ran = on(database, args, "");
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

/// The ids of a list.
fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

both! {
    /// The same question, put to the API and on the command line, has the same answer in the same order.
    async fn lists_answer_as_the_api_does(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, command, cases) in [
            ("/api/users", vec!["user", "list"], vec![
                ("search=alex", vec!["--search", "alex"]),
                ("search=techcorp%20thompson", vec!["--search", "techcorp thompson"]),
                ("ordering=-username", vec!["--ordering", "-username"]),
                ("ordering=last_login,-id", vec!["--order", "last_login,-id"]),
                ("is_staff=true", vec!["--staff"]),
                ("is_staff=true", vec!["--staff", "true"]),
                ("is_staff=false", vec!["--no-staff"]),
                ("is_staff=false", vec!["--staff=false"]),
                ("is_active=false", vec!["--inactive"]),
                ("is_active=false", vec!["--active", "false"]),
                ("is_admin=true", vec!["--admin"]),
                ("has_email=true", vec!["--has-email"]),
                ("has_email=false", vec!["--no-email"]),
                ("has_groups=true", vec!["--has-groups"]),
                ("has_token=true&limit=3", vec!["--has-token", "--limit", "3"]),
                ("gender=non-binary", vec!["--gender", "non-binary"]),
                ("created_to=2024-12-31", vec!["--created-to", "2024-12-31"]),
                ("last_login_date=2025-08-06", vec!["--last-login-date", "2025-08-06"]),
                ("id_min=43&id_max=45", vec!["--id-min", "43", "--id-max", "45"]),
                ("id_min=44", vec!["--after", "43"]),
                ("groups_in=1,3", vec!["--group", "Staff room", "--group", "3"]),
                ("limit=2&offset=2&ordering=-id", vec!["--limit", "2", "--offset", "2", "--ordering", "-id"]),
            ]),
            ("/api/users/groups", vec!["group", "list"], vec![
                ("search=room", vec!["--search", "ROOM"]),
                ("ordering=-name", vec!["--ordering", "-name"]),
                ("users_count_min=1", vec!["--users-count-min", "1"]),
                ("users_count_max=0", vec!["--users-count-max", "0"]),
                ("created_date=2024-03-15", vec!["--created-date", "2024-03-15"]),
            ]),
        ] {
            for (query, flags) in cases {
                let more = if query.contains("limit") { "" } else { "&limit=100" };
                let page = site.get(&format!("{path}?{query}{more}")).token(&site.admin.key).send().await;
                assert_eq!(page.status, 200, "{query}");
                let expected = ids(&page.json()["results"]);
                let args = [command.clone(), flags.clone(), vec!["--json"]].concat();
                assert_eq!(ids(&works(&site.database, &args).json()), expected, "{args:?}");
            }
        }
    }
}

both! {
    /// A list that does not show all rows says so, and how to see the others. A complete one says nothing.
    async fn a_cut_list_says_so(backend: Backend) {
        let site = Site::start(backend).await;
        let cut = works(&site.database, &["user", "list", "--limit", "2"]);
        assert_eq!(cut.err, "2 of 6 shown. Add --all to list all of them, or --offset 2 for the next ones.\n");
        let cut = works(&site.database, &["user", "list", "--limit", "2", "--offset", "2", "--json"]);
        let notice: Value = serde_json::from_str(&cut.err).unwrap();
        assert_eq!((&notice["cut"]["shown"], &notice["cut"]["total"]), (&2.into(), &6.into()));
        assert_eq!(notice["cut"]["next"], "--offset 4");
        assert_eq!(ids(&cut.json()).len(), 2, "standard output is the plain array of before");
        for args in [&["user", "list", "--all"][..], &["user", "list"], &["group", "list"], &["token", "list"]] {
            assert_eq!(works(&site.database, args).err, "", "{args:?}");
        }
        assert_eq!(ids(&works(&site.database, &["user", "list", "--all", "--json"]).json()).len(), 6);
        let cut = works(&site.database, &["audit", "list", "--limit", "3"]);
        assert!(cut.err.starts_with("3 shown; there are more. Add --all") && cut.err.contains("--before "), "{}", cut.err);
        let all = works(&site.database, &["audit", "list", "--all", "--json"]);
        let count = site.database.number("SELECT count(*) FROM audit_events").await;
        assert_eq!((i64::try_from(ids(&all.json()).len()).unwrap(), all.err.as_str()), (count, ""));
        let cut = works(&site.database, &["token", "list", "--limit", "1"]);
        assert!(cut.err.starts_with("1 of 6 shown."), "{}", cut.err);
        works(&site.database, &["user", "delete", "plain", "inactive", "--yes"]);
        let cut = works(&site.database, &["user", "deleted", "--limit", "1"]);
        assert!(cut.err.starts_with("1 of 2 shown."), "{}", cut.err);
    }
}

both! {
    /// More rows than one page holds, without gaps and repetitions.
    async fn all_rows_are_listed(backend: Backend) {
        let database = Database::new(backend).await;
        let rows = match backend {
            Backend::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2345) ",
            Backend::Postgres => "WITH n(i) AS (SELECT generate_series(1, 2345)) ",
        };
        let columns = "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) ";
        let values = "SELECT 'g' || i, 'g' || i, '', 0, 0, 'g' || i FROM n";
        // PostgreSQL and SQLite both take the common table expression before the INSERT.
        database.sql(&format!("{rows}{columns}{values}")).await;
        let all = ids(&works(&database, &["group", "list", "--all", "--json"]).json());
        assert_eq!(all.len(), 2345);
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

both! {
    /// Tokens of all users, narrowed by what logs and operators know of them.
    async fn tokens_of_all_users_are_listed(backend: Backend) {
        let site = Site::start(backend).await;
        let listed = works(&site.database, &["token", "list", "--json"]).json();
        assert_eq!(listed.as_array().unwrap().len(), 6);
        assert_eq!((&listed[0]["username"], &listed[0]["user_id"]), (&"alex_thompson".into(), &42.into()));
        assert!(works(&site.database, &["token", "list"]).out.starts_with("ID  USER "));
        let own = works(&site.database, &["token", "list", "holder"]).out;
        assert!(own.starts_with("ID  NAME ") && own.lines().count() == 2, "{own}");
        works(&site.database, &["token", "issue", "staff", "--name", "later", "--expires-in", "2d"]);
        works(&site.database, &["token", "revoke", &listed[1]["id"].to_string(), &listed[2]["id"].to_string()]);
        let names = |flags: &[&str]| -> Vec<String> {
            let args = [&["token", "list", "--json"], flags].concat();
            let rows = works(&site.database, &args).json();
            rows.as_array().unwrap().iter().map(|row| format!("{} {}", row["username"], row["name"]).replace('"', "")).collect()
        };
        assert_eq!(names(&["--state", "revoked"]), ["admin test", "staff test"]);
        assert_eq!(names(&["--kind", "imported"]), ["alex_thompson imported"]);
        assert_eq!(names(&["--key", "f4e7...2070"]), ["alex_thompson imported"]);
        assert_eq!(names(&["--name", "later"]), ["staff later"]);
        assert_eq!(names(&["--expires-from", "today"]), ["staff later"]);
        assert_eq!(names(&["--state", "active", "--ordering", "-expires_at", "--limit", "1"]), ["staff later"]);
        assert_eq!(names(&["staff", "--state", "active"]), ["staff later"]);
        site.database.sql("UPDATE tokens SET last_used_at = 1751328000000000 WHERE name = 'imported'").await;
        assert_eq!(names(&["--unused-since", "2025-08-01"]), ["alex_thompson imported"]);
        assert_eq!(names(&["--has-expiry", "--never-used"]), ["staff later"]);
        assert_eq!((names(&["--never-used"]).len(), names(&["--no-expiry"]).len()), (6, 6));
        assert_eq!(names(&["--created-from", "2025-09-01", "--created-to", "2025-09-01", "--state", "active"]).len(), 3);
    }
}

both! {
    /// A command with several names reports all that do not exist, and changes nothing.
    async fn several_names_are_changed_together_or_not_at_all(backend: Backend) {
        let site = Site::start(backend).await;
        let state = async || {
            let sql = "SELECT username || ' ' || CAST(is_active AS TEXT) FROM users ORDER BY id";
            (site.database.texts(sql).await, site.database.number("SELECT count(*) FROM audit_events").await)
        };
        let before = state().await;
        for command in [
            &["user", "disable"][..], &["user", "enable"], &["user", "sign-out"], &["user", "show"], &["user", "unlock"],
            &["user", "delete", "--yes"], &["group", "add-member", "Billing"], &["group", "remove-member", "Billing"],
        ] {
            let ran = on(&site.database, &[command, &["staff", "nobody", "4711", "plain"]].concat(), "");
            assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command:?}: {}", ran.err);
            for missing in ["there is no user named \"nobody\"", "there is no user with id 4711"] {
                assert!(ran.err.contains(missing), "{command:?}: {}", ran.err);
            }
        }
        for (args, code, all) in [
            (&["group", "delete", "Billing", "none", "8888", "--yes"][..], 3, &["group named \"none\"", "group with id 8888"][..]),
            (&["group", "show", "Billing", "none", "8888"], 3, &["group named \"none\"", "group with id 8888"]),
            (&["token", "revoke", "1", "4711", "4712"], 3, &["token with id 4711", "token with id 4712"]),
            (&["user", "restore", "nobody", "4711"], 3, &["deleted user named \"nobody\"", "deleted user with id 4711"]),
            (&["user", "purge", "nobody", "4711", "--yes"], 3, &["deleted user named \"nobody\"", "deleted user with id 4711"]),
            (&["user", "disable", "staff", "admin"], 4, &["(admin): The last active admin"]),
            (&["user", "delete", "staff", "admin", "--yes"], 4, &["(admin): The last active admin"]),
            (&["user", "add", "new", "--group", "none", "--group", "8888", "--permission", "zz", "--permission", "9"], 3,
                &["group named \"none\"", "group with id 8888", "permission named \"zz\"", "permission with code 9"]),
            (&["user", "grant", "staff", "user_read", "zz", "9"], 3, &["permission named \"zz\"", "permission with code 9"]),
            (&["group", "grant", "none", "user_read", "zz"], 3, &["group named \"none\"", "permission named \"zz\""]),
        ] {
            let ran = on(&site.database, args, "");
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
            assert!(all.iter().all(|part| ran.err.contains(part)), "{args:?}: {}", ran.err);
        }
        assert_eq!(state().await, before);
        let json = on(&site.database, &["user", "show", "nobody", "4711", "--json"], "");
        let error: Value = serde_json::from_str(&json.err).unwrap();
        assert_eq!(error["error"]["fields"]["not_found"].as_array().unwrap().len(), 2, "{}", json.err);
        let two = works(&site.database, &["user", "disable", "staff", "plain", "id:42", "42"]);
        assert_eq!(two.out.lines().count(), 3, "{}", two.out);
        let shown = works(&site.database, &["user", "show", "staff", "plain", "--json"]).json();
        assert_eq!((&shown[0]["is_active"], &shown[1]["is_active"]), (&false.into(), &false.into()));
        works(&site.database, &["user", "delete", "staff", "plain", "--yes"]);
        assert_eq!(works(&site.database, &["user", "restore", "plain", "staff"]).out.lines().count(), 2);
        works(&site.database, &["user", "delete", "plain", "staff", "--yes"]);
        assert_eq!(works(&site.database, &["user", "purge", "plain", "staff", "--yes"]).out.lines().count(), 2);
    }
}

both! {
    /// A name that two deleted users had is not guessed.
    async fn an_ambiguous_deleted_name_is_refused(backend: Backend) {
        let database = Database::new(backend).await;
        for _ in 0..2 {
            works(&database, &["user", "add", "ann"]);
            works(&database, &["user", "delete", "ann", "--yes"]);
        }
        let refused = on(&database, &["user", "restore", "ann"], "");
        assert_eq!(refused.code, 3);
        assert!(refused.err.contains("several deleted users were named \"ann\": give an id, one of 1, 2"), "{}", refused.err);
        assert_eq!(works(&database, &["user", "restore", "2"]).out, "Restored user 2 (ann).\n");
    }
}
