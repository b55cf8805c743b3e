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

both! {
    /// Who has a permission: users and groups by id, page after page, for those who may read both.
    async fn the_holders_of_a_permission_are_listed(backend: Backend) {
        let site = Site::start(backend).await;
        let made = send(&site, &site.admin, "POST", PATH, json!({"name": "order_read"})).await.json();
        let path = format!("{PATH}/{}", made["id"]);
        let mut expected: Vec<i64> = [&site.alex, &site.staff, &site.plain].map(|who| who.id).into();
        expected.sort_unstable();
        for id in &expected {
            let user = format!("/api/users/{id}");
            assert_eq!(send(&site, &site.admin, "PATCH", &user, json!({"permissions": [made["id"]]})).await.status, 200);
        }
        for group in [3, 7] {
            let group = format!("/api/users/groups/{group}");
            assert_eq!(send(&site, &site.admin, "PATCH", &group, json!({"permissions": [made["id"]]})).await.status, 200);
        }
        let ids = |answer: &Answer| {
            let rows = answer.json()["results"].as_array().unwrap().clone();
            rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        // Each page names the next, and the last one does not.
        let (mut found, mut next) = (Vec::new(), format!("{path}/users?limit=2"));
        for rows in [2, 1] {
            let page = send(&site, &site.holder, "GET", &next, Value::Null).await;
            assert_eq!((page.status, ids(&page).len()), (200, rows), "{page}");
            found.extend(ids(&page));
            let address = page.json()["next"].as_str().unwrap_or_default().to_owned();
            next = address.strip_prefix("http://localhost").unwrap_or_default().to_owned();
        }
        assert_eq!((found, next.as_str()), (expected, ""));
        let users = send(&site, &site.holder, "GET", &format!("{path}/users"), Value::Null).await.json();
        let alex = users["results"].as_array().unwrap().iter().find(|row| row["id"] == 42).unwrap().clone();
        let listed = send(&site, &site.holder, "GET", "/api/users?username=alex_thompson", Value::Null).await.json();
        assert_eq!(alex, listed["results"][0], "the same record as in the list of users");
        let groups = send(&site, &site.holder, "GET", &format!("{path}/groups?format=json"), Value::Null).await;
        assert_eq!((ids(&groups), &groups.json()["next"]), (vec![3, 7], &Value::Null), "{groups}");
        assert_eq!(ids(&send(&site, &site.holder, "GET", &format!("{path}/groups?after=3"), Value::Null).await), [7]);
        for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("after=x", "after"), ("offset=1", "offset")] {
            let refused = send(&site, &site.holder, "GET", &format!("{path}/users?{query}"), Value::Null).await;
            assert!(refused.status == 400 && refused.json()[field].is_array(), "{query}: {refused}");
        }
        for kind in ["users", "groups"] {
            let unknown = send(&site, &site.admin, "GET", &format!("{PATH}/4711/{kind}"), Value::Null).await;
            assert_eq!(unknown.status, 404, "{unknown}");
        }
    }
}

both! {
    /// Both rights are needed, of the person and of the token.
    async fn one_of_two_rights_lists_no_holders(backend: Backend) {
        let site = Site::start(backend).await;
        // 2 is group_read, 6 user_read, 14 permission_read.
        for (permissions, users, groups) in
            [(vec![6], 403, 403), (vec![14], 403, 403), (vec![6, 14], 200, 403), (vec![2, 14], 403, 200)]
        {
            let user = format!("/api/users/{}", site.staff.id);
            let given = json!({"permissions": permissions});
            assert_eq!(send(&site, &site.admin, "PATCH", &user, given).await.status, 200);
            let status = async |kind: &str| {
                send(&site, &site.staff, "GET", &format!("{PATH}/6/{kind}"), Value::Null).await.status
            };
            assert_eq!((status("users").await, status("groups").await), (users, groups), "{permissions:?}");
        }
        let issue = async |scopes: Value| {
            let body = json!({"name": "narrow", "scopes": scopes});
            let issued = send(&site, &site.admin, "POST", "/api/users/me/tokens", body).await;
            assert_eq!(issued.status, 201, "{issued}");
            Persona { key: issued.json()["key"].as_str().unwrap().to_owned(), ..site.admin.clone() }
        };
        let path = format!("{PATH}/6/users");
        for (scopes, status) in [
            (json!(["user_read"]), 403),
            (json!(["permission_read"]), 403),
            (json!(["permission_read", "user_read"]), 200),
        ] {
            let narrow = issue(scopes.clone()).await;
            assert_eq!(send(&site, &narrow, "GET", &path, Value::Null).await.status, status, "{scopes}");
        }
    }
}
