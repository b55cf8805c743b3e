//! Groups in the recycle bin at the command line, and in whole-database work: exports, imports, `doctor`.

use serde_json::{Value, json};

use crate::cli::{Ran, on};
use crate::cli_lists::works;
use crate::support::{Backend, Database, both};

/// Imports these records.
fn import(database: &Database, records: &[Value], flags: &[&str]) -> Ran {
    let file = database.place().join("records.jsonl");
    std::fs::write(&file, records.iter().map(|record| format!("{record}\n")).collect::<String>()).unwrap();
    on(database, &[&["import", "json", "--from", file.to_str().unwrap()], flags].concat(), "")
}

fn export(database: &Database, flags: &[&str]) -> Vec<Value> {
    let ran = works(database, &[&["export"], flags].concat());
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Users 1 and 2, and group 1 with both of them, deleted.
fn scene(database: &Database) {
    works(database, &["user", "add", "boss", "--admin"]);
    works(database, &["user", "add", "ann"]);
    works(database, &["group", "add", "Billing", "--notes", "Pays", "--permission", "user_read"]);
    works(database, &["group", "add-member", "Billing", "boss", "ann"]);
    works(database, &["group", "delete", "Billing", "--yes"]);
}

both! {
    async fn groups_are_deleted_listed_restored_and_purged(backend: Backend) {
        let database = Database::new(backend).await;
        scene(&database);
        works(&database, &["group", "add", "On call"]);
        let gone = works(&database, &["group", "delete", "On call", "--yes"]);
        assert_eq!(gone.out, "Deleted group 2 (On call).\nIt stays in the recycle bin for 30 days; to restore it: `wardroom group restore 2`\n");
        let list = works(&database, &["group", "deleted"]).out;
        assert!(list.starts_with("ID  NAME     USERS  DELETED AT"), "{list}");
        let rows = works(&database, &["group", "deleted", "--json", "--ordering", "id"]).json();
        let shown: Vec<_> = rows.as_array().unwrap_or_else(|| panic!("{rows}")).iter().map(|row| (&row["id"], &row["name"], &row["users_count"])).collect();
        assert_eq!(shown, [(&json!(1), &json!("Billing"), &json!(2)), (&json!(2), &json!("On call"), &json!(0))]);
        // All that do not exist are named, and nothing is restored.
        let ran = on(&database, &["group", "restore", "Billing", "none", "4711"], "");
        assert_eq!(ran.code, 3);
        assert!(ran.err.contains("there is no deleted group named \"none\"") && ran.err.contains("there is no deleted group with id 4711"), "{}", ran.err);
        let back = works(&database, &["group", "restore", "Billing", "2"]);
        assert_eq!(back.out, "Restored group 1 (Billing).\nRestored group 2 (On call).\n");
        let shown = works(&database, &["group", "show", "Billing", "--json"]).json();
        assert_eq!((&shown["notes"], &shown["users_count"], &shown["permissions"][0]["code"]), (&json!("Pays"), &json!(2), &json!(1222)));
        works(&database, &["group", "delete", "Billing", "On call", "--yes"]);
        // Another group has the name: the error names the group, and none of both comes back.
        works(&database, &["group", "add", "Billing"]);
        let ran = on(&database, &["group", "restore", "1", "2"], "");
        assert_eq!((ran.code, ran.err.as_str()), (4, "wardroom: group 1 (Billing): name: group with this name already exists.\n"));
        works(&database, &["group", "delete", "Billing", "--yes"]);
        let ran = on(&database, &["group", "purge", "Billing", "--yes"], "");
        assert!(ran.code == 3 && ran.err.contains("several deleted groups were named \"Billing\": give an id, one of 1, 3"), "{}", ran.err);
        assert_eq!(works(&database, &["group", "purge", "1", "On call", "--yes"]).out, "Purged group 1 (Billing).\nPurged group 2 (On call).\n");
        assert_eq!(database.number("SELECT count(*) FROM deleted_groups").await, 1);
        let none = on(&database, &["group", "list"], "");
        assert!(none.code == 0 && !none.out.contains("Billing"), "{}", none.out);
    }
}

both! {
    /// An export has the recycle bin with the members, and an import of it anywhere is the identity.
    async fn an_export_has_the_bin_and_an_import_keeps_it(backend: Backend) {
        let database = Database::new(backend).await;
        scene(&database);
        works(&database, &["user", "delete", "ann", "--yes"]);
        let records = export(&database, &[]);
        let deleted: Vec<_> = records.iter().filter(|record| record["type"] == "deleted_group").collect();
        assert_eq!(deleted.len(), 1);
        assert_eq!((&deleted[0]["id"], &deleted[0]["name"], &deleted[0]["members"]), (&json!(1), &json!("Billing"), &json!([1, 2])));
        assert!(export(&database, &["--anonymise"]).iter().all(|record| record["type"] != "deleted_group"));
        for other in [Backend::Sqlite, Backend::Postgres] {
            let copy = Database::new(other).await;
            assert_eq!(import(&copy, &records, &[]).code, 0);
            let strip = |records: Vec<Value>| records.into_iter().filter(|one| one["type"] != "wardroom").collect::<Vec<_>>();
            assert_eq!(strip(export(&copy, &[])), strip(records.clone()));
            // A second run finds nothing to do.
            let again = import(&copy, &records, &["--sync", "--json"]);
            assert_eq!((again.code, &again.json()["deleted_groups"]["unchanged"]), (0, &json!(1)), "{}", again.err);
            // The next group gets an id that none had, and the group comes back with both members.
            assert_eq!(works(&copy, &["group", "add", "Next", "--json"]).json()["id"], 2);
            works(&copy, &["group", "restore", "1"]);
            works(&copy, &["user", "restore", "ann"]);
            let shown = works(&copy, &["group", "show", "Billing", "--json"]).json();
            assert_eq!((&shown["users_count"], &shown["permissions"][0]["code"]), (&json!(2), &json!(1222)));
        }
    }
}

both! {
    /// As with users: what was deleted here does not come back by an import, and an id does not become another group's.
    async fn an_import_does_not_bring_deleted_groups_back(backend: Backend) {
        let database = Database::new(backend).await;
        scene(&database);
        let refused = |records: &[Value], parts: &[&str]| {
            let ran = import(&database, records, &["--sync"]);
            let text = format!("{}{}", ran.out, ran.err);
            assert!(ran.code == 4 && parts.iter().all(|part| text.contains(part)), "{text}");
        };
        let same = json!({ "type": "group", "id": 1, "name": "Billing" });
        refused(std::slice::from_ref(&same), &["groups that were deleted here are in the source (delete them there, or restore or purge them here)", "1 \"Billing\""]);
        refused(&[json!({ "type": "group", "id": 1, "name": "Other" })], &["the id belongs to a deleted group here that has another name", "id 1: \"Billing\" here, \"Other\" there"]);
        let remains = json!({ "notes": null, "created_at": 0, "updated_at": 0, "permissions": [], "made_here": true });
        let binned = |id: i64, name: &str| json!({ "type": "deleted_group", "id": id, "name": name, "deleted_at": "2025-01-01T00:00:00Z", "deleted_by": "y", "members": [], "remains": remains });
        refused(&[binned(1, "Other")], &["the id belongs to another deleted group here", "id 1: \"Billing\" here, \"Other\" there"]);
        refused(&[json!({ "type": "group", "id": 9, "name": "Nine" }), binned(9, "Nine")], &["deleted groups with an invalid id, the id of an existing group, or null characters"]);
        let mut broken = binned(8, "Eight");
        broken["remains"] = json!({});
        let ran = import(&database, &[broken], &["--sync"]);
        assert!(ran.code != 0 && ran.err.contains("the deleted group 8 cannot be imported"), "{}", ran.err);
        assert_eq!(database.texts("SELECT name FROM groups UNION ALL SELECT name FROM deleted_groups").await, ["Billing"]);
        works(&database, &["group", "purge", "Billing", "--yes"]);
        assert_eq!(import(&database, &[same], &["--sync"]).code, 0);
        // What the source no longer has goes to the bin.
        let next = json!({ "type": "group", "id": 5, "name": "Next" });
        let ran = import(&database, &[next], &["--sync", "--delete-missing", "--yes"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(database.texts("SELECT name FROM deleted_groups").await, ["Billing"]);
    }
}

both! {
    /// Ids that were created here are known as such after a restore, so an import does not give them to another group.
    async fn a_group_created_here_stays_one(backend: Backend) {
        let database = Database::new(backend).await;
        scene(&database);
        works(&database, &["group", "restore", "Billing"]);
        let ran = import(&database, &[json!({ "type": "group", "id": 1, "name": "Other" })], &["--sync"]);
        let text = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == 4 && text.contains("the id belongs to another group, which was created here"), "{text}");
    }
}
