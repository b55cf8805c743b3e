//! Permissions of one's own, and the table of the built-in ones.

use std::collections::BTreeSet;

use serde_json::json;
use wardroom::directory::access::BUILT_IN;

use crate::cli::on;
use crate::cli_lists::works;
use crate::support::{Backend, Database, Site, both};

/// `docs/api.md` has a row for every built-in permission: id, code, name, and what it allows.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_built_in_permissions_is_complete() {
    let database = Database::new(Backend::Sqlite).await;
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let (_, table) = document.split_once("| id | code | name | allows staff to |\n").expect("the table");
    let rows: BTreeSet<_> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    let listed = works(&database, &["permission", "list", "--json"]).json();
    let expected: BTreeSet<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap();
            format!("| {} | {} | `{}` | {} |", row["id"], row["code"], text("name"), text("allows"))
        })
        .collect();
    assert_eq!(expected.len(), BUILT_IN.len());
    assert_eq!(rows, expected.iter().map(String::as_str).collect());
}

both! {
    /// A permission of one's own has a code and a name, reaches the services, and goes without a trace in anyone's rights.
    async fn own_permissions_live_from_add_to_remove(backend: Backend) {
        let site = Site::start(backend).await;
        let database = &site.database;
        assert_eq!(works(database, &["permission", "add", "order_read"]).out, "Added permission 10000 (order_read).\n");
        assert_eq!(works(database, &["permission", "add", "order_ship", "--code", "20000"]).out, "Added permission 20000 (order_ship).\n");
        assert_eq!(works(database, &["permission", "add", "order_pack", "--json"]).json()["code"], 20001);
        works(database, &["user", "grant", "staff", "order_read", "20000"]);
        works(database, &["group", "grant", "On call", "order_read"]);
        let codes = async |key: &str| {
            let answer = site.get("/api/users/me?fields=permissions").token(key).send().await;
            answer.json()["permissions"].clone()
        };
        assert_eq!(codes(&site.staff.key).await, json!([10000, 20000]));
        assert_eq!(codes(&site.alex.key).await, json!([10000]));
        assert_eq!(works(database, &["permission", "rename", "order_read", "order_view"]).out, "Renamed permission 10000 (order_view).\n");
        assert!(works(database, &["user", "show", "staff"]).out.contains("10000 order_view (from user)"));
        works(database, &["user", "delete", "staff", "--yes"]);
        works(database, &["permission", "remove", "order_view", "--yes"]);
        assert_eq!(codes(&site.alex.key).await, json!([]));
        // A user who is restored gets those of the permissions that still exist, whatever their order.
        works(database, &["user", "restore", "staff"]);
        let restored = works(database, &["user", "show", "staff", "--json"]).json();
        assert_eq!(restored["permissions"][0]["code"], 20000);
        let events = works(database, &["audit", "list", "--object-kind", "permission", "--json"]).json();
        let actions: Vec<_> = events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["permission.remove", "permission.rename", "permission.create", "permission.create", "permission.create"]);
        assert_eq!(events[1]["changes"], json!({"name": ["order_read", "order_view"]}));
        assert!(works(database, &["audit", "verify"]).out.starts_with("All "));
    }
}

both! {
    /// What is refused says why and changes nothing.
    async fn built_in_and_reserved_permissions_stay(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["permission", "add", "order_read"]);
        let before = database.number("SELECT count(*) FROM audit_events").await;
        for (args, code, expected) in [
            (&["permission", "remove", "user_read", "--yes"][..], 4, "permission: user_read (1222) is built in: it cannot be renamed or removed."),
            (&["permission", "rename", "1222", "people_read"], 4, "permission: user_read (1222) is built in"),
            (&["permission", "remove", "nothing", "--yes"], 3, "there is no permission named \"nothing\"; see `wardroom permission list`"),
            (&["permission", "add", "order_read"], 4, "name: permission with this name already exists."),
            (&["permission", "add", "user_read"], 4, "name: permission with this name already exists."),
            (&["permission", "rename", "order_read", "user_read"], 4, "name: permission with this name already exists."),
            (&["permission", "add", "x", "--code", "10000"], 4, "code: permission with this code already exists."),
            (&["permission", "add", "x", "--code", "9999"], 4, "code: 9999 is reserved: use 10000 to 999999."),
            (&["permission", "add", "x", "--code", "1000000"], 4, "code: 1000000 is reserved"),
            (&["permission", "add", "Order Read"], 4, "name: Enter a valid name: lower-case letters"),
            (&["permission", "add", "7"], 4, "name: Enter a valid name"),
            (&["permission", "remove", "order_read"], 2, "use --yes"),
        ] {
            let ran = on(&database, args, "");
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
            assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
        }
        assert_eq!(database.number("SELECT count(*) FROM audit_events").await, before);
    }
}

both! {
    /// Who has a permission, by name; those who have it through a group are behind the group.
    async fn a_permission_is_shown_with_its_holders(backend: Backend) {
        let site = Site::start(backend).await;
        let database = &site.database;
        works(database, &["permission", "add", "order_read"]);
        works(database, &["user", "grant", "staff", "order_read"]);
        works(database, &["group", "grant", "Billing", "order_read"]);
        let shown = works(database, &["permission", "show", "order_read"]).out;
        let staff = format!("users          {} staff\n", site.staff.id);
        assert!(shown.contains("code           10000\n") && shown.contains("groups         3 Billing\n"), "{shown}");
        assert!(shown.contains(&staff) && !shown.contains("alex_thompson"), "{shown}");
        let json = works(database, &["permission", "show", "10000", "--json"]).json();
        assert_eq!(json["users"], json!([{"id": site.staff.id, "username": "staff"}]));
        assert_eq!((&json["users_count"], &json["groups_count"]), (&json!(1), &json!(1)));
        assert_eq!(json["groups"], json!([{"id": 3, "name": "Billing"}]));
        // More than 100 are shown when they are asked for.
        for number in 0..101 {
            let name = format!("many-{number:03}");
            let draft = wardroom::directory::model::UserDraft { username: Some(name), ..Default::default() };
            site.directory().create_user(&crate::support::site::operator(), &draft, None).await.unwrap();
        }
        database.sql("INSERT INTO user_permissions (user_id, permission_id) SELECT u.id, p.id FROM users u, permissions p WHERE u.username LIKE 'many-%' AND p.code = 10000").await;
        let some = works(database, &["permission", "show", "order_read"]).out;
        assert!(some.contains("100 of 102 shown: add --all\n"), "{some}");
        let all = works(database, &["permission", "show", "order_read", "--all"]).out;
        assert!(all.contains("many-100") && !all.contains(" shown: "), "{all}");
        let missing = on(database, &["permission", "show", "order_read", "nothing", "4711"], "");
        assert_eq!((missing.code, missing.out.as_str()), (3, ""));
        assert!(missing.err.contains("\"nothing\"") && missing.err.contains("4711"), "{}", missing.err);
    }
}
