//! `/api/users/audit`: reading the trail, exporting it, and recording refusals.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wardroom::directory::model::{UserDraft, UserKey};

use crate::support::site::operator;
use crate::support::{Answer, Backend, Site, both};

async fn get(site: &Site, path: &str) -> Answer {
    site.get(path).token(&site.admin.key).send().await
}

async fn ids(site: &Site, query: &str) -> Vec<i64> {
    let answer = get(site, &format!("/api/users/audit?{query}")).await;
    answer.json()["results"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect()
}

/// Decodes the body of a chunked answer.
fn dechunked(body: &str) -> String {
    let mut rest = body;
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}

both! {
    async fn events_are_paged_and_filtered(backend: Backend) {
        let site = Site::start(backend).await;
        let patch = site.request("PATCH", "/api/users/42").token(&site.admin.key).header("X-Request-Id", "r-1");
        patch.body("application/json", r#"{"first_name": "B"}"#).send().await;
        let newest = get(&site, "/api/users/audit?limit=1").await.json();
        let event = &newest["results"][0];
        assert_eq!(
            (&event["action"], &event["actor_name"], &event["object_id"], &event["changes"], &event["address"], &event["request_id"]),
            (&json!("user.update"), &json!("admin"), &json!(42), &json!({"first_name": ["Alex", "B"]}), &json!("127.0.0.1"), &json!("r-1")),
        );
        let all = ids(&site, "limit=1000").await;
        assert!(all.len() > 10 && all.is_sorted_by(|a, b| a > b));
        let mut paged = Vec::new();
        let mut next = Some("/api/users/audit?limit=4".to_owned());
        while let Some(path) = next {
            let page = get(&site, &path).await.json();
            paged.extend(page["results"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()));
            next = page["next"].as_str().map(|link| link.strip_prefix("http://localhost").unwrap().to_owned());
        }
        assert_eq!(paged, all);
        for (query, count) in [
            ("action=user.update", 1), ("object_kind=user&object_id=42", 1), ("address=127.0.0.1", 1), ("address=10.0.0.1", 0),
            ("from=2025-09-01&to=2025-09-02&limit=999", all.len()), ("from=2025-09-01T12:00:00.000001Z", 0), ("to=2025-09-01", 0),
            ("action=token.issue&limit=999", 5), ("actor_id=0", 0),
        ] {
            assert_eq!(ids(&site, query).await.len(), count, "{query}");
        }
        for (query, expected) in [
            ("x=1", r#"{"x":["Unknown parameter."]}"#),
            ("offset=1", r#"{"offset":["Unknown parameter."]}"#),
            ("limit=0", r#"{"limit":["Ensure this value is greater than or equal to 1."]}"#),
            ("limit=1001", r#"{"limit":["Ensure this value is less than or equal to 1000."]}"#),
            ("limit=99999999999999999999999", r#"{"limit":["A valid integer is required."]}"#),
            ("before=x", r#"{"before":["A valid integer is required."]}"#),
            ("object_kind=cat", r#"{"object_kind":["\"cat\" is not a valid choice."]}"#),
            ("action=%00", r#"{"action":["Null characters are not allowed."]}"#),
        ] {
            assert_eq!(get(&site, &format!("/api/users/audit?{query}")).await.to_string(), format!("400 {expected}"));
        }
        assert_eq!(get(&site, "/api/users/audit?from=yesterday").await.status, 400);
    }
}

both! {
    /// Every line of an export can be verified with SHA-256 alone, and the lines against each other.
    async fn an_export_is_whole_and_proves_itself(backend: Backend) {
        let site = Site::start(backend).await;
        let ann = UserKey::Name("plain".into());
        for number in 0..1100 {
            let draft = UserDraft { last_name: Some(format!("N{number}")), ..UserDraft::default() };
            site.directory().update_user(&operator(), &ann, &draft, None).await.unwrap();
        }
        let answer = get(&site, "/api/users/audit/export").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
        let lines: Vec<Value> = dechunked(&answer.body).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(i64::try_from(lines.len()).unwrap(), site.database.number("SELECT count(*) FROM audit_events").await);
        let bytes = |hex: &Value| -> Vec<u8> {
            let hex = hex.as_str().unwrap();
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let mut head = Vec::new();
        for line in &lines {
            assert_eq!(bytes(&line["previous_hash"]), head);
            head = Sha256::new().chain_update(&head).chain_update(line["hashed"].as_str().unwrap()).finalize().to_vec();
            assert_eq!(bytes(&line["hash"]), head);
        }
        let some = dechunked(&get(&site, "/api/users/audit/export?action=user.create").await.body);
        assert_eq!(some.lines().count(), 5);
        assert_eq!(get(&site, "/api/users/audit/export?limit=1").await.to_string(), r#"400 {"limit":["Unknown parameter."]}"#);
        assert_eq!(get(&site, "/api/users/audit/export?action=none").await.body, "0\r\n\r\n");
    }
}

both! {
    /// Refusals are in the trail, and unauthenticated clients cannot fill the disk with them.
    async fn refusals_are_noted_in_rations(backend: Backend) {
        let site = Site::start(backend).await;
        let refused = || site.database.number("SELECT count(*) FROM audit_events WHERE action = 'request.refused'");
        let send = async || site.request("DELETE", "/api/users/42").token(&site.staff.key).send().await.status;
        assert_eq!(send().await, 403);
        let event = get(&site, "/api/users/audit?limit=1").await.json()["results"][0].clone();
        let why = "You do not have permission to perform this action.";
        assert_eq!((&event["actor_name"], &event["changes"]), (&json!("staff"), &json!({"asked": "DELETE /api/users/{id}", "why": why})));
        for _ in 0..70 {
            assert_eq!(send().await, 403);
        }
        assert_eq!(refused().await, 20);
        site.clock.set(site.clock.now().plus(std::time::Duration::from_secs(60)).unwrap());
        assert_eq!(send().await, 403);
        assert_eq!(get(&site, "/api/users/audit?limit=1").await.json()["results"][0]["changes"]["left_out_of_account"], 51);
        // The last admin's own attempt is recorded, too.
        let last = site.request("DELETE", &format!("/api/users/{}", site.admin.id)).token(&site.admin.key).send().await;
        assert_eq!(last.status, 403);
        assert_eq!(refused().await, 22);
    }
}

both! {
    /// A refusal that cannot be recorded is still a refusal.
    async fn a_refusal_stands_without_its_note(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql("ALTER TABLE audit_events RENAME TO aside").await;
        assert_eq!(site.request("DELETE", "/api/users/42").token(&site.staff.key).send().await.status, 403);
    }
}

both! {
    /// Names are those of now and those of then, of actors and of objects. An export continues where another one ended.
    async fn events_are_filtered_by_names(backend: Backend) {
        let site = Site::start(backend).await;
        let patch = |path: &str, body: &str| site.request("PATCH", path).token(&site.admin.key).body("application/json", body.to_owned());
        for name in ["alexandra", "sasha"] {
            patch("/api/users/42", &json!({ "username": name }).to_string()).send().await;
        }
        patch("/api/users/groups/3", r#"{"name": "Invoices"}"#).send().await;
        let count = async |query: &str| ids(&site, query).await.len();
        let renamed = ids(&site, "object_name=sasha&action=user.update").await;
        assert_eq!(renamed.len(), 2);
        let then = ids(&site, "object_name=alexandra&action=user.update").await;
        assert_eq!(then, renamed[1..], "the name of then");
        assert_eq!(count("object_name=Invoices").await, 1);
        assert_eq!(count("actor_name=admin").await, 3);
        assert_eq!(count("actor_name=admin&object_name=Invoices").await, 1);
        assert_eq!((count("actor_name=nobody").await, count("object_name=none").await), (0, 0));
        let long = get(&site, &format!("/api/users/audit?object_name={}", "x".repeat(255))).await;
        assert_eq!(long.status, 400);
        let lines = |answer: &Answer| dechunked(&answer.body).lines().map(str::to_owned).collect::<Vec<_>>();
        let all = lines(&get(&site, "/api/users/audit/export").await);
        let third: Value = serde_json::from_str(&all[2]).unwrap();
        let rest = lines(&get(&site, &format!("/api/users/audit/export?after={}", third["id"])).await);
        assert_eq!(rest, all[3..]);
        for path in ["/api/users/audit?after=1", "/api/users/audit/export?limit=1", "/api/users/audit/export?after=x"] {
            assert_eq!(get(&site, path).await.status, 400, "{path}");
        }
    }
}

both! {
    /// The whole chain is verified, and the first event that breaks it is named.
    async fn the_trail_is_verified(backend: Backend) {
        let site = Site::start(backend).await;
        let count = site.database.number("SELECT count(*) FROM audit_events").await;
        let good = get(&site, "/api/users/audit/verify").await;
        assert_eq!(good.status, 200, "{good}");
        let good = good.json();
        assert_eq!((&good["good"], &good["broken_event"], &good["why"]), (&json!(count), &Value::Null, &Value::Null));
        let head = good["head"].as_str().unwrap();
        let known = get(&site, &format!("/api/users/audit/verify?expect_head={}", head.to_uppercase())).await;
        assert_eq!(known.json(), good);
        let cut = get(&site, &format!("/api/users/audit/verify?expect_head={}", "0".repeat(64))).await.json();
        assert_eq!(cut["why"], "the expected head is not in the chain: events were cut off or rewritten");
        for query in ["expect_head=zz", "head=1", "expect_head=1&expect_head=2"] {
            assert_eq!(get(&site, &format!("/api/users/audit/verify?{query}")).await.status, 400, "{query}");
        }
        site.database.sql("UPDATE audit_events SET action = 'user.delete' WHERE id = 3").await;
        let broken = get(&site, "/api/users/audit/verify").await.json();
        assert_eq!((&broken["good"], &broken["broken_event"], &broken["why"]), (&json!(2), &json!(3), &json!("it was changed after it was written")));
        assert_eq!(site.get("/api/users/audit/verify").token(&site.staff.key).send().await.status, 403);
    }
}

both! {
    /// A verification that takes longer than a request may ends with 503. It does not go on without its client.
    async fn a_long_verification_ends(backend: Backend) {
        let site = Site::with(backend, wardroom::config::Flags::default().with("request_timeout", "300ms")).await;
        let endless = match backend {
            Backend::Sqlite => {
                "ALTER TABLE audit_events RENAME TO kept_events; CREATE VIEW audit_events AS SELECT k.* FROM \
                 (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n) endless CROSS JOIN kept_events k"
            }
            Backend::Postgres => {
                "ALTER TABLE audit_events RENAME TO kept_events; \
                 CREATE VIEW audit_events AS SELECT k.* FROM kept_events k, pg_sleep(3600)"
            }
        };
        site.database.sql(endless).await;
        // As often as there are places for such reads, and once more: each place is free again.
        for _ in 0..5 {
            let ended = get(&site, "/api/users/audit/verify").await;
            assert_eq!(ended.status, 503, "{ended}");
        }
    }
}
