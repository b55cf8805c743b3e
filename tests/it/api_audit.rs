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
