//! Permissions of other services by the API: created, renamed and removed by admins.

use serde_json::{Value, json};

use crate::support::site::Persona;
use crate::support::{Answer, Backend, Site, both};

const PATH: &str = "/api/users/permissions";

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: Value) -> Answer {
    let request = site.request(method, path).token(&who.key);
    if body.is_null() {
        request.send().await
    } else {
        request.body("application/json", body.to_string()).send().await
    }
}

both! {
    async fn a_permission_is_created_renamed_and_removed(backend: Backend) {
        let site = Site::start(backend).await;
        let made = send(&site, &site.admin, "POST", PATH, json!({"name": "order_read"})).await;
        assert_eq!((made.status, &made.json()["code"]), (201, &json!(10_000)), "{made}");
        let made = made.json();
        let path = format!("{PATH}/{}", made["id"]);
        let next = send(&site, &site.admin, "POST", PATH, json!({"name": "order_write", "code": 12_345})).await;
        assert_eq!((next.status, &next.json()["code"]), (201, &json!(12_345)), "{next}");
        let read = send(&site, &site.holder, "GET", &path, Value::Null).await.json();
        assert_eq!(read, json!({"id": made["id"], "code": 10_000, "name": "order_read", "users_count": 0, "groups_count": 0}));
        // What was read may be sent back.
        let mut back = read.clone();
        back["name"] = json!("order_view");
        let renamed = send(&site, &site.admin, "PATCH", &path, back).await;
        assert_eq!((renamed.status, renamed.json()), (200, json!({"id": made["id"], "code": 10_000, "name": "order_view"})));
        let user = format!("/api/users/{}", site.staff.id);
        assert_eq!(send(&site, &site.admin, "PATCH", &user, json!({"permissions": [made["id"]]})).await.status, 200);
        let group = send(&site, &site.admin, "POST", "/api/users/groups", json!({"name": "Orders", "permissions": [made["id"]]})).await;
        assert_eq!(group.status, 201);
        let read = send(&site, &site.holder, "GET", &path, Value::Null).await.json();
        assert_eq!((&read["users_count"], &read["groups_count"]), (&json!(1), &json!(1)));
        assert_eq!(site.me(&site.staff.key).send().await.status, 200);
        assert_eq!(send(&site, &site.admin, "DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(send(&site, &site.admin, "GET", &path, Value::Null).await.status, 404);
        assert_eq!(send(&site, &site.admin, "GET", &user, Value::Null).await.json()["permissions_data"], json!([]));
        let events = send(&site, &site.admin, "GET", "/api/users/audit?object_kind=permission", Value::Null).await.json();
        let events: Vec<_> = events["results"].as_array().unwrap().iter().map(|event| (event["action"].clone(), event["actor_name"].clone(), event["changes"].clone())).collect();
        assert_eq!(events[0], (json!("permission.remove"), json!("admin"), json!({"code": 10_000, "name": "order_view", "users": 1, "groups": 1, "tokens": 0})));
        assert_eq!(events[1], (json!("permission.rename"), json!("admin"), json!({"name": ["order_read", "order_view"]})));
        assert_eq!(events.len(), 4);
    }
}

both! {
    /// The built-in permissions stay as they are, and the reason is given. Nothing is changed.
    async fn what_is_wrong_is_said(backend: Backend) {
        let site = Site::start(backend).await;
        let built_in = format!("{PATH}/6");
        let taken = "permission with this name already exists.";
        let reserved = " is reserved: use 10000 to 999999.";
        for (method, path, body, field, message) in [
            ("PATCH", built_in.as_str(), json!({"name": "other"}), "permission", "user_read (1222) is built in: it cannot be renamed or removed."),
            ("DELETE", built_in.as_str(), Value::Null, "permission", "user_read (1222) is built in: it cannot be renamed or removed."),
            ("POST", PATH, json!({"name": "user_read"}), "name", taken),
            ("POST", PATH, json!({"name": "order_read", "code": 9_999}), "code", reserved),
            ("POST", PATH, json!({"name": "order_read", "code": 1_000_000}), "code", reserved),
            ("POST", PATH, json!({"name": "order_read", "code": "x"}), "code", "A valid integer is required."),
            ("POST", PATH, json!({"name": "Order Read"}), "name", "lower-case letters"),
            ("POST", PATH, json!({"name": ""}), "name", "may not be blank"),
            ("POST", PATH, json!({}), "name", "This field is required."),
            ("POST", PATH, json!({"name": "order_read", "id": 99}), "id", "Unknown field."),
            ("PATCH", built_in.as_str(), json!({}), "name", "This field is required."),
        ] {
            let before = site.database.number("SELECT count(*) * 10000000 + max(code) FROM permissions").await;
            let refused = send(&site, &site.admin, method, path, body.clone()).await;
            assert_eq!(refused.status, 400, "{method} {body}: {refused}");
            assert!(refused.json()[field][0].as_str().unwrap().contains(message), "{method} {body}: {refused}");
            assert_eq!(site.database.number("SELECT count(*) * 10000000 + max(code) FROM permissions").await, before);
        }
        for path in ["4711", "x", "1222"] {
            let path = format!("{PATH}/{path}");
            for (method, body) in [("GET", Value::Null), ("PATCH", json!({"name": "other"})), ("DELETE", Value::Null)] {
                assert_eq!(send(&site, &site.admin, method, &path, body).await.status, 404, "{method} {path}");
            }
        }
        for who in [&site.holder, &site.staff, &site.plain] {
            assert_eq!(send(&site, who, "POST", PATH, json!({"name": "order_read"})).await.status, 403);
        }
    }
}
