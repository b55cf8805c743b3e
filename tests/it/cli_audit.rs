//! The audit trail on the command line: actions, names, days.

use std::collections::BTreeSet;

use crate::cli::on;
use crate::cli_lists::works;
use crate::house::{code, house};
use crate::support::{Backend, Database, Site, both};

/// Every action that the program records is listed with its meaning, and no other is.
#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_action_is_listed() {
    const NOUNS: [&str; 16] = [
        "code",
        "invitation",
        "message",
        "notice",
        "password_reset",
        "secrets",
        "user",
        "group",
        "token",
        "permission",
        "sign_in",
        "directory",
        "request",
        "refusals",
        "value",
        "view",
    ];
    let mut recorded: BTreeSet<String> = ["sign_in", "sign_out"].map(str::to_owned).into();
    for (file, text) in house().into_iter().filter(|(file, _)| file.starts_with("directory/")) {
        // What charts count has names of the same form, and is no event.
        let has_other_names = ["directory/audit.rs", "directory/model/activity.rs"].contains(&file.as_str());
        if file.ends_with("tests.rs") || has_other_names || file.starts_with("directory/store/") {
            continue;
        }
        let text = code(text.split("#[cfg(test)]\nmod tests").next().unwrap());
        for literal in text.split('"').skip(1).step_by(2) {
            let is_word =
                |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let mut words = literal.split('.');
            let is_action = words.next().is_some_and(|noun| NOUNS.contains(&noun))
                && literal.contains('.')
                && words.all(is_word);
            if is_action {
                recorded.insert(literal.to_owned());
            }
        }
    }
    let database = Database::new(Backend::Sqlite).await;
    let listed = works(&database, &["audit", "actions", "--json"]).json();
    let listed: BTreeSet<_> =
        listed.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, recorded);
    assert!(works(&database, &["audit", "actions"]).out.contains("user.unlock"));
}

both! {
    /// Events are found by the name that an actor or object has now, and by the one it had then.
    async fn actors_and_objects_are_found_by_name(backend: Backend) {
        let site = Site::start(backend).await;
        let change = site.request("PATCH", &format!("/api/users/{}", site.plain.id)).token(&site.admin.key);
        assert_eq!(change.body("application/json", r#"{"first_name": "Pia"}"#).send().await.status, 200);
        works(&site.database, &["group", "edit", "Billing", "--notes", "money"]);
        works(&site.database, &["group", "edit", "Billing", "--name", "Accounts"]);
        works(&site.database, &["user", "edit", "admin", "--username", "boss"]);
        let actions = |flags: &[&str]| -> Vec<String> {
            let args = [&["audit", "list", "--json"], flags].concat();
            let rows = works(&site.database, &args).json();
            rows.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
        };
        for by in ["admin", "boss", &site.admin.id.to_string()] {
            assert_eq!(actions(&["--actor", by]), ["user.update"], "{by}");
        }
        assert_eq!(actions(&["--object", "Accounts"]), ["group.update", "group.update"]);
        assert_eq!(actions(&["--object", "Billing"]), ["group.update"], "the name of then");
        assert_eq!(actions(&["--object", "boss", "--object-kind", "user"]), ["user.update", "user.create"]);
        assert_eq!(actions(&["--object", "3", "--object-kind", "group"]).len(), 2);
        assert_eq!(actions(&["--object", "plain", "--action", "user.update"]), ["user.update"]);
        for (flag, name) in [("--actor", "nobody"), ("--object", "nothing")] {
            let refused = on(&site.database, &["audit", "list", flag, name], "");
            assert!(refused.code == 3 && refused.err.contains(name), "{}", refused.err);
        }
        // A user without events is no mistake.
        assert_eq!(actions(&["--actor", "holder"]), [""; 0]);
        let text = works(&site.database, &["audit", "list", "--actor", "boss"]).out;
        assert!(text.starts_with("ID ") && text.contains("  ADDRESS "), "{text}");
        assert!(text.contains("  127.0.0.1  ") && text.contains("  2025-09-01T12:00:00Z  "), "{text}");
    }
}

both! {
    /// Days are whole, on both ends.
    async fn events_of_days_are_listed(backend: Backend) {
        let site = Site::start(backend).await;
        works(&site.database, &["group", "add", "new"]);
        let count = |flags: &[&str]| -> usize {
            let args = [&["audit", "list", "--json"], flags].concat();
            works(&site.database, &args).json().as_array().unwrap().len()
        };
        let old = count(&["--on", "2025-09-01"]);
        assert!(old > 5);
        assert_eq!(count(&["--from", "2025-09-01", "--to", "2025-09-01"]), old);
        assert_eq!(count(&["--from", "2025-09-01T12:00:00Z", "--to", "2025-09-01T12:00:01Z"]), old);
        assert_eq!(count(&["--to", "2025-08-31"]), 0);
        // A test may run over midnight.
        assert_eq!(count(&["--from", "yesterday", "--to", "today"]), 1);
        assert_eq!(count(&["--to", "yesterday", "--from", "2025-09-02", "--action", "group.delete"]), 0);
        let exported = works(&site.database, &["audit", "export", "--from", "yesterday"]).out;
        assert_eq!(exported.lines().count(), 1);
    }
}
