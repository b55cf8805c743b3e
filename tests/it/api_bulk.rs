//! `/api/users/bulk`: all or nothing, and errors name the place in the list.

use serde_json::{Value, json};

use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, method: &str, body: &Value) -> Answer {
    let request = site.request(method, "/api/users/bulk").token(&site.admin.key);
    request.body("application/json", body.to_string()).send().await
}

async fn count(site: &Site) -> i64 {
    site.database.number("SELECT count(*) FROM users").await
}

both! {
    async fn a_thousand_are_made_changed_and_deleted(backend: Backend) {
        let site = Site::start(backend).await;
        let before = count(&site).await;
        let drafts: Vec<_> = (0..1000).map(|n| json!({"username": format!("bulk{n}"), "email": format!("b{n}@example.com"), "groups": [n % 2 * 2 + 1]})).collect();
        let made = send(&site, "POST", &json!({ "users": drafts })).await;
        assert_eq!((made.status, count(&site).await), (201, before + 1000));
        let made = made.json();
        let users = made["users"].as_array().unwrap();
        assert_eq!((&users[0]["username"], &users[999]["username"], &users[999]["groups"]), (&json!("bulk0"), &json!("bulk999"), &json!([3])));
        let ids: Vec<_> = users.iter().map(|user| user["id"].clone()).collect();
        let changes: Vec<_> = ids.iter().map(|id| json!({"id": id, "is_active": false})).collect();
        let changed = send(&site, "PATCH", &json!({ "users": changes })).await;
        assert_eq!((changed.status, &changed.json()["users"][7]["is_active"]), (200, &json!(false)));
        assert_eq!(send(&site, "DELETE", &json!({ "users": ids })).await.status, 204);
        assert_eq!(count(&site).await, before);
        for action in ["create", "update", "delete"] {
            let events = format!("SELECT count(*) FROM audit_events WHERE action = 'user.{action}' AND object_name LIKE 'bulk%'");
            assert_eq!(site.database.number(&events).await, 1000, "{action}");
        }
    }
}

both! {
    async fn errors_name_their_place_and_nothing_is_done(backend: Backend) {
        let site = Site::start(backend).await;
        // That a value is taken is recorded for the caller.
        let before = (count(&site).await, site.database.number("SELECT count(*) FROM audit_events WHERE action <> 'value.taken'").await);
        let taken = "user with this username already exists.";
        let required = "This field is required.";
        let password = "Passwords cannot be set in bulk: each takes the machine a while. Set them one by one.";
        for (method, body, expected) in [
            ("POST", json!({}), json!({"users": [required]})),
            ("POST", json!({"users": {}}), json!({"users": ["Expected a list of items but got type \"dict\"."]})),
            ("POST", json!({"users": [1]}), json!({"users": ["Expected a list of dictionaries, but got type \"int\"."]})),
            ("POST", json!({"users": [], "x": 1}), json!({"x": ["Unknown field."]})),
            ("POST", json!({"users": vec![json!({}); 1001]}), json!({"users": ["Ensure this field has no more than 1000 elements."]})),
            ("POST", json!({"users": [{"username": "a"}, {}, {"username": "b", "x": 1, "password": "p"}]}),
                json!({"users": [{}, {"username": [required]}, {"password": [password], "x": ["Unknown field."]}]})),
            ("POST", json!({"users": [{"username": "new"}, {"username": "new"}, {"username": "staff"}, {"username": "c", "groups": [99]}]}),
                json!({"users": [{}, {"username": [taken]}, {"username": [taken]}, {"groups": ["Invalid pk \"99\" - object does not exist."]}]})),
            ("PATCH", json!({"users": [{"id": 42, "gender": "zz"}, {"first_name": "x"}, {"id": "x"}]}),
                json!({"users": [{}, {"id": [required]}, {"id": ["A valid integer is required."]}]})),
            ("PATCH", json!({"users": [{"id": 42, "gender": "zz"}, {"id": 999_999}, {"id": 42}, {"id": site.staff.id, "username": "admin"}]}),
                json!({"users": [{"gender": ["\"zz\" is not a valid choice."]}, {"id": ["there is no user with id 999999."]}, {"id": ["This id comes more than once."]}, {"username": [taken]}]})),
            ("PATCH", json!({"users": [{"id": 0}]}), json!({"users": [{"id": ["Invalid pk \"0\" - object does not exist."]}]})),
            ("DELETE", json!({"users": [42, 999_999, 42]}),
                json!({"users": [{}, {"id": ["there is no user with id 999999."]}, {"id": ["This id comes more than once."]}]})),
            ("DELETE", json!({"users": vec![1; 1001]}), json!({"users": ["Ensure this field has no more than 1000 elements."]})),
        ] {
            let answer = send(&site, method, &body).await;
            assert_eq!((answer.status, answer.json()), (400, expected), "{method} {answer}");
        }
        assert_eq!((count(&site).await, site.database.number("SELECT count(*) FROM audit_events WHERE action <> 'value.taken'").await), before);
    }
}

both! {
    /// A change that is forbidden for one of the users is made for none of them.
    async fn one_forbidden_change_forbids_all(backend: Backend) {
        let site = Site::start(backend).await;
        let before = count(&site).await;
        let holder = |method: &'static str, body: Value| {
            let request = site.request(method, "/api/users/bulk").token(&site.holder.key);
            request.body("application/json", body.to_string()).send()
        };
        let admins = r#"403 {"detail":"users: item 1: Only an admin may make or change an admin."}"#;
        assert_eq!(holder("POST", json!({"users": [{"username": "a"}, {"username": "b", "is_admin": true}]})).await.to_string(), admins);
        assert_eq!(holder("PATCH", json!({"users": [{"id": 42}, {"id": site.admin.id}]})).await.to_string(), admins);
        assert_eq!(holder("DELETE", json!({"users": [42, site.admin.id]})).await.to_string(), admins);
        let last = send(&site, "DELETE", &json!({"users": [42, site.admin.id]})).await;
        assert_eq!(last.to_string(), r#"403 {"detail":"users: item 1: The last active admin cannot be removed, demoted or deactivated."}"#);
        assert_eq!(count(&site).await, before);
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
    }
}
