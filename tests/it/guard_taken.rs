//! How often a caller may learn that a value is taken: each such answer is counted for the caller.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use wardroom::directory::Error;
use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};

use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Backend, Request, Site, both};

async fn send_to(server: SocketAddr, who: &Persona, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(server, method, path).token(&who.key);
    request.body("application/json", body.to_string()).send().await
}

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: &Value) -> Answer {
    send_to(site.address, who, method, path, body).await
}

fn pass(site: &Site, seconds: u64) {
    site.clock.set(site.clock.now().plus(Duration::from_secs(seconds)).unwrap());
}

const EVENTS: &str = "SELECT count(*) FROM audit_events WHERE action = 'value.taken'";

async fn last_event(site: &Site) -> Value {
    let path = "/api/users/audit?limit=1&action=value.taken";
    site.get(path).token(&site.admin.key).send().await.json()["results"][0].clone()
}

both! {
    /// Guards against trying one name after the other to learn which are taken.
    async fn finding_17_asking_for_taken_names_gets_slower_and_slower(backend: Backend) {
        let site = Site::start(backend).await;
        let taken = [json!({"username": "admin"}), json!({"email": "alex.thompson@techcorp.com"}), json!({"mobile_number": "+1-555-0123"})];
        for body in taken.iter().cycle().take(21) {
            let answer = send(&site, &site.staff, "PATCH", "/api/users/me", body).await;
            assert!(answer.status == 400 && answer.body.contains("already exists"), "{answer}");
        }
        assert_eq!(site.database.number(EVENTS).await, 21);
        let event = last_event(&site).await;
        assert_eq!((&event["actor_name"], &event["changes"]), (&json!("staff"), &json!({"fields": ["mobile_number"], "values": 1, "wait_seconds": 1})));
        // Whether the value is taken makes no difference, and neither does another process.
        let replica = site.replica().await;
        for body in [&taken[0], &json!({"username": "nobody_has_this"}), &json!({"email": "free@example.com", "first_name": "S"})] {
            for server in [site.address, replica] {
                let answer = send_to(server, &site.staff, "PATCH", "/api/users/me", body).await;
                assert_eq!(answer.to_string(), "429 [retry-after: 1] {\"detail\":\"Request was throttled. Expected available in 1 second.\"}");
            }
        }
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE first_name = 'S'").await, 0);
        // It affects only values that can be taken, and only this caller.
        for body in [json!({"first_name": "S"}), json!({"username": "staff"})] {
            assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &body).await.status, 200);
        }
        assert_eq!(send(&site, &site.holder, "PATCH", "/api/users/me", &taken[0]).await.status, 400);
        for wait in [1, 2, 4] {
            pass(&site, wait);
            assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &taken[0]).await.status, 400);
            assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &taken[0]).await.header("retry-after"), Some((wait * 2).to_string().as_str()));
        }
        pass(&site, 8);
        assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &json!({"username": "free"})).await.status, 200);
        pass(&site, 3601);
        for _ in 0..20 {
            assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &taken[0]).await.status, 400);
        }
        assert_eq!(send(&site, &site.staff, "PATCH", "/api/users/me", &json!({"username": "other"})).await.status, 200);
    }
}

both! {
    /// Many parallel requests, at two servers, get no further than sequential ones.
    async fn finding_17_many_at_once_learn_no_more(backend: Backend) {
        let site = Site::start(backend).await;
        let servers = [site.address, site.replica().await];
        let body = json!({"username": "admin"});
        let requests = (0..60).map(|number| send_to(servers[number % 2], &site.staff, "PATCH", "/api/users/me", &body));
        let statuses: Vec<_> = join_all(requests).await.into_iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 21, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 39);
    }
}

/// The operations that can say that a value is taken, with a body that triggers it and one that does not.
async fn routes(site: &Site) -> Vec<(&'static str, String, &'static str, Value, Value)> {
    let target = person(site.directory(), "target", |_| {}).await.id;
    let doomed = person(site.directory(), "doomed", |_| {}).await.id;
    site.directory().delete_user(&operator(), &UserKey::Id(doomed.try_into().unwrap())).await.unwrap();
    person(site.directory(), "doomed", |_| {}).await;
    let draft = GroupDraft { name: Some("Doomed".into()), ..GroupDraft::default() };
    let gone = site.directory().create_group(&operator(), &draft).await.unwrap().id;
    site.directory().delete_group(&operator(), &GroupKey::Id(gone)).await.unwrap();
    site.directory().create_group(&operator(), &draft).await.unwrap();
    let (taken, free) = (json!({"username": "admin"}), json!({"username": "free"}));
    let with_rights = json!({"username": "admin", "groups": [1], "permissions": [5]});
    let users = |first: &Value, second: &Value| json!({"users": [first, second]});
    let plain = json!({"username": "somebody"});
    let of = |name: &str| json!({"id": target, "username": name});
    let (user, group) = (format!("/api/users/{target}"), "/api/users/groups/1");
    let (billing, new) = (json!({"name": "Billing"}), json!({"name": "New"}));
    let billing_with_rights = json!({"name": "Billing", "permissions": [5]});
    vec![
        ("PATCH", "/api/users/me".into(), "/api/users/me", taken.clone(), free.clone()),
        ("POST", "/api/users".into(), "/api/users", taken.clone(), free.clone()),
        ("PATCH", user.clone(), "/api/users/{id}", taken.clone(), free.clone()),
        ("PATCH", user.clone(), "/api/users/{id}", with_rights, free.clone()),
        ("PUT", user, "/api/users/{id}", taken.clone(), free.clone()),
        ("POST", "/api/users/bulk".into(), "/api/users/bulk", users(&plain, &taken), users(&plain, &free)),
        (
            "PATCH",
            "/api/users/bulk".into(),
            "/api/users/bulk",
            json!({"users": [of("admin")]}),
            json!({"users": [of("free")]}),
        ),
        (
            "POST",
            format!("/api/users/deleted/{doomed}/restore"),
            "/api/users/deleted/{id}/restore",
            json!({}),
            json!({}),
        ),
        (
            "POST",
            format!("/api/users/groups/deleted/{gone}/restore"),
            "/api/users/groups/deleted/{id}/restore",
            json!({}),
            json!({}),
        ),
        ("POST", "/api/users/groups".into(), "/api/users/groups", billing.clone(), new.clone()),
        ("PATCH", group.into(), "/api/users/groups/{id}", billing_with_rights, new.clone()),
        ("PUT", group.into(), "/api/users/groups/{id}", billing, new),
    ]
}

/// Everything that the operations could have written.
const WRITTEN: &str = "SELECT 'u' || id || username FROM users UNION ALL SELECT 'g' || id || name FROM groups \
                       UNION ALL SELECT 'm' || user_id || ',' || group_id FROM memberships \
                       UNION ALL SELECT 'p' || user_id || ',' || permission_id FROM user_permissions \
                       UNION ALL SELECT 'q' || group_id || ',' || permission_id FROM group_permissions \
                       UNION ALL SELECT 'd' || id || username FROM deleted_users \
                       UNION ALL SELECT 'e' || id || name FROM deleted_groups ORDER BY 1";

both! {
    /// Every operation in which a value can be taken counts it, writes an event and nothing else. A caller who has to
    /// wait learns nothing there.
    async fn finding_17_every_route_counts(backend: Backend) {
        let site = Site::start(backend).await;
        let actor = person(site.directory(), "actor", |draft| draft.is_admin = Some(true)).await;
        let routes = routes(&site).await;
        let before = site.database.texts(WRITTEN).await;
        let count = "SELECT CAST(coalesce(sum(failures), 0) AS BIGINT) FROM attempts";
        for (number, (method, path, _, taken, _)) in (1..).zip(&routes) {
            let answer = send(&site, &actor, method, path, taken).await;
            assert!(answer.status == 400 && answer.body.contains("already exists"), "{method} {path}: {answer}");
            assert_eq!(site.database.number(count).await, number, "{method} {path} is not counted");
            assert_eq!(site.database.number(EVENTS).await, number, "{method} {path} leaves no event");
            assert_eq!(last_event(&site).await["changes"]["values"], 1);
        }
        assert_eq!(site.database.texts(WRITTEN).await, before);
        let later = site.clock.now().plus(Duration::from_secs(7)).unwrap().as_micros();
        site.database.sql(&format!("UPDATE attempts SET blocked_until = {later}")).await;
        for (method, path, _, taken, free) in &routes {
            for body in [taken, free] {
                let answer = send(&site, &actor, method, path, body).await;
                assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")), "{method} {path} {body}: {answer}");
            }
        }
        assert_eq!(site.database.texts(WRITTEN).await, before);
        assert_eq!(site.directory().verify_audit(&operator(), None).await.unwrap().broken, None);
    }
}

/// Whether a schema has a property of this name, directly or in a schema that it includes.
fn names(document: &Value, schema: &Value, property: &str) -> bool {
    let referred = schema["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
    if let Some(pointer) = referred {
        return names(document, document.pointer(pointer).unwrap(), property);
    }
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|part| schema[part].as_array()).flatten();
    !schema["properties"][property].is_null()
        || names_in(document, &schema["items"], property)
        || schema["properties"]
            .as_object()
            .is_some_and(|all| all.values().any(|one| names_in(document, one, property)))
        || parts.into_iter().any(|part| names(document, part, property))
}

fn names_in(document: &Value, schema: &Value, property: &str) -> bool {
    schema.is_object() && names(document, schema, property)
}

/// Guards against a new operation that takes a username and is missing above.
#[tokio::test(flavor = "multi_thread")]
async fn finding_17_no_route_is_forgotten() {
    let site = Site::start(Backend::Sqlite).await;
    let tried = routes(&site).await;
    let tried: BTreeSet<_> = tried
        .iter()
        .map(|(method, _, route, ..)| (method.to_ascii_lowercase(), (*route).to_owned()))
        .collect();
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let bodies = operation["requestBody"]["content"].as_object();
            let takes = |property| {
                bodies.is_some_and(|all| {
                    all.values().any(|body| names_in(&document, &body["schema"], property))
                })
            };
            let is_group = path.starts_with("/api/users/groups") && takes("name");
            // Neither sets a name, nor do they say whether there is one.
            let is_open =
                ["/api/users/auth/pwd/signin", "/api/users/auth/pwd/forgot"].contains(&path.as_str());
            if (takes("username") && !is_open) || is_group {
                found.insert((method.clone(), path.clone()));
            }
        }
    }
    assert!(found.len() >= 8, "{found:?}");
    assert_eq!(found.difference(&tried).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

both! {
    /// A back office that sends a whole list again, because the first answer was lost, gets the error for each name,
    /// several times over. An operator is never limited.
    async fn finding_17_a_back_office_never_meets_the_limit(backend: Backend) {
        let site = Site::start(backend).await;
        let users: Vec<_> = (0..1000).map(|number| json!({"username": format!("u{number}"), "email": format!("u{number}@example.com"), "mobile_number": format!("+1 555 {number:04}")})).collect();
        let body = json!({"users": users});
        assert_eq!(send(&site, &site.admin, "POST", "/api/users/bulk", &body).await.status, 201);
        for round in 1..=3 {
            let again = send(&site, &site.admin, "POST", "/api/users/bulk", &body).await;
            assert_eq!(again.status, 400, "{round}");
            // An answer has at most 20 messages; the last one says that there are more.
            assert_eq!(again.body.matches("already exists").count(), 19);
        }
        assert_eq!(last_event(&site).await["changes"], json!({"fields": ["email", "mobile_number", "username"], "values": 3000, "wait_seconds": 0}));
        let one = json!({"username": "u1"});
        for status in [400, 400] {
            assert_eq!(send(&site, &site.admin, "POST", "/api/users", &one).await.status, status);
        }
        let draft = UserDraft { username: Some("u1".into()), ..UserDraft::default() };
        for _ in 0..30 {
            let outcome = site.directory().create_user(&operator(), &draft, None).await;
            assert!(matches!(outcome, Err(Error::Invalid(_))));
        }
        assert_eq!(site.database.number("SELECT count(*) FROM attempts").await, 1);
    }
}
