//! `PATCH /api/users/me`, `/api/users` and `/api/users/{id}`: writing, and the rights it takes.

use serde_json::{Value, json};

use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: Value) -> Answer {
    site.request(method, path).token(&who.key).body("application/json", body.to_string()).send().await
}

async fn patch(site: &Site, who: &Persona, id: i64, body: Value) -> Answer {
    send(site, who, "PATCH", &format!("/api/users/{id}"), body).await
}

both! {
    async fn people_change_their_own_record(backend: Backend) {
        let site = Site::start(backend).await;
        let body = json!({"first_name": " Alexis ", "gender": null, "email": "", "mobile_number": "+49 711 1234", "username": "alexis"});
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", body).await;
        assert_eq!(answer.status, 200, "{answer}");
        let me = site.me(&site.alex.key).send().await;
        assert_eq!(me.body, answer.body);
        let me = me.json();
        assert_eq!((&me["full_name"], &me["gender"], &me["email"]), (&json!("Alexis Thompson"), &Value::Null, &Value::Null));
        assert_eq!(me["groups"], json!([1, 3, 7]));
        let form = site.request("PATCH", "/api/users/me/").token(&site.alex.key);
        let form = form.body("application/x-www-form-urlencoded", "last_name=T%C3%B6m&gender=male").send().await;
        assert_eq!((&form.json()["last_name"], &form.json()["gender"]), (&json!("Töm"), &json!("male")));
        let multipart = "--b\r\nContent-Disposition: form-data; name=\"last_name\"\r\n\r\nTim\r\n--b--\r\n";
        let sent = site.request("PATCH", "/api/users/me").token(&site.alex.key).body("multipart/form-data; boundary=b", multipart);
        assert_eq!(sent.send().await.json()["last_name"], "Tim");
    }
}

both! {
    /// Fields that a user may not change on their own record are refused by name, and nothing changes.
    async fn no_user_raises_their_own_rights(backend: Backend) {
        let site = Site::start(backend).await;
        let before = site.me(&site.holder.key).send().await.body;
        for field in ["is_staff", "is_admin", "is_active", "permissions", "password", "updated_at"] {
            let body = json!({"first_name": "X", field: true});
            let answer = send(&site, &site.holder, "PATCH", "/api/users/me", body).await;
            assert_eq!(answer.to_string(), format!(r#"400 {{"{field}":["Unknown field."]}}"#));
        }
        // What the answer shows is ignored: it may be sent back.
        let shown = json!({"id": 1, "groups": [1], "full_name": "X", "last_login": "x", "created_at": "x"});
        let answer = send(&site, &site.holder, "PATCH", "/api/users/me", shown).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, before.as_str()));
        for (field, value) in [("is_staff", false), ("is_admin", true), ("is_active", false)] {
            assert_eq!(patch(&site, &site.holder, site.holder.id, json!({field: value})).await.status, 403, "{field}");
        }
        assert_eq!(patch(&site, &site.holder, site.holder.id, json!({"permissions": [1]})).await.status, 403);
        assert_eq!(site.me(&site.holder.key).send().await.body, before);
    }
}

both! {
    /// Every field with every wrong value is a 400 that names it, for both ways to write.
    async fn every_misuse_of_a_field_is_named(backend: Backend) {
        let site = Site::start(backend).await;
        let long = "x".repeat(151);
        let table = [
            ("username", json!(null), "This field may not be null."),
            ("username", json!(""), "This field may not be blank."),
            ("username", json!(" "), "This field may not be blank."),
            ("username", json!(long), "Ensure this field has no more than 150 characters."),
            ("username", json!(["a"]), "Not a valid string."),
            ("username", json!(true), "Not a valid string."),
            ("username", json!("a\u{0}b"), "Null characters are not allowed."),
            ("username", json!("alex_thompson"), "user with this username already exists."),
            ("first_name", json!(null), "This field may not be null."),
            ("first_name", json!(long), "Ensure this field has no more than 150 characters."),
            ("email", json!("zz"), "Enter a valid email address."),
            ("email", json!("alex.thompson@techcorp.com"), "user with this email already exists."),
            ("mobile_number", json!("x"), "Enter a valid mobile number: digits, with an optional leading + and blanks, dots, hyphens or parentheses between them."),
            ("mobile_number", json!("+1-555-0123"), "user with this mobile number already exists."),
            ("gender", json!("zz"), "\"zz\" is not a valid choice."),
            ("nickname", json!("x"), "Unknown field."),
        ];
        for (field, value, expected) in &table {
            for path in ["/api/users/me".to_owned(), format!("/api/users/{}", site.plain.id)] {
                let method = "PATCH";
                let answer = send(&site, &site.admin, method, &path, json!({*field: value})).await;
                assert_eq!(answer.to_string(), format!("400 {}", json!({*field: [expected]})), "{path} {field} {value}");
            }
        }
        for (field, value, expected) in [
            ("is_staff", json!(null), "This field may not be null."),
            ("is_staff", json!("maybe"), "Must be a valid boolean."),
            ("groups", json!("x"), "A valid integer is required."),
            ("groups", json!({}), "Expected a list of items but got type \"dict\"."),
            ("groups", json!([99]), "Invalid pk \"99\" - object does not exist."),
            ("groups", json!([-1]), "Invalid pk \"-1\" - object does not exist."),
            ("permissions", json!([1, 99]), "Invalid pk \"99\" - object does not exist."),
            ("permissions", json!([99999999999999999999_f64]), "A valid integer is required."),
            ("password", json!("short"), "Ensure this field has at least 8 characters."),
        ] {
            let answer = patch(&site, &site.admin, site.plain.id, json!({field: value})).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({field: [expected]})), "{field} {value}");
        }
    }
}

both! {
    async fn a_body_that_cannot_be_read_is_reported(backend: Backend) {
        let site = Site::start(backend).await;
        let send = async |media_type: &str, body: &str| {
            let request = site.request("PATCH", "/api/users/me").token(&site.alex.key).body(media_type, body);
            request.send().await.to_string()
        };
        assert!(send("application/json", "{").await.starts_with(r#"400 {"detail":"JSON parse error - "#));
        assert!(send("application/json", &"[".repeat(100_000)).await.starts_with(r#"400 {"detail":"JSON parse error - "#));
        assert!(send("application/json", r#"{"first_name": "\ud800"}"#).await.starts_with(r#"400 {"detail":"JSON parse error - "#));
        assert_eq!(send("application/json", "[1]").await, r#"400 {"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#);
        assert_eq!(send("text/plain", "x").await, r#"415 {"detail":"Unsupported media type \"text/plain\" in request."}"#);
        assert!(send("multipart/form-data", "x").await.starts_with(r#"400 {"detail":"Multipart form parse error - "#));
        assert!(send("multipart/form-data; boundary=b", "--b\r\nhalf").await.starts_with(r#"400 {"detail":"Multipart"#));
        assert_eq!(send("application/json", "").await[..3], *"200");
    }
}

both! {
    async fn users_are_made_shown_changed_and_removed(backend: Backend) {
        let site = Site::start(backend).await;
        let body = json!({"username": "new", "password": "long enough", "email": "new@example.com", "is_staff": true, "groups": [3, 1, 3], "permissions": [6]});
        let made = send(&site, &site.admin, "POST", "/api/users/", body).await;
        assert_eq!(made.status, 201, "{made}");
        let made = made.json();
        let id = made["id"].as_i64().unwrap();
        let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys[12..], ["is_active", "is_staff", "is_admin", "is_online", "updated_at", "groups_data", "permissions_data", "effective_permissions_data"]);
        assert_eq!((&made["groups"], &made["is_active"], &made["is_admin"]), (&json!([1, 3]), &json!(true), &json!(false)));
        assert_eq!(made["groups_data"][1]["name"], "Billing");
        assert_eq!(made["permissions_data"], json!([{"id": 6, "code": 1222, "name": "user_read"}]));
        let path = format!("/api/users/{id}");
        assert_eq!(site.get(&path).token(&site.holder.key).send().await.json(), made);
        let changed = patch(&site, &site.holder, id, json!({"last_name": "Lee", "groups": []})).await.json();
        assert_eq!((&changed["full_name"], &changed["groups"], &changed["permissions_data"][0]["code"]), (&json!("Lee"), &json!([]), &json!(1222)));
        let gone = site.request("DELETE", &path).token(&site.holder.key).send().await;
        assert_eq!((gone.status, gone.body.as_str()), (204, ""));
        for path in [path.as_str(), "/api/users/0", "/api/users/x", "/api/users/99999999999999999999"] {
            assert_eq!(site.get(path).token(&site.admin.key).send().await.to_string(), r#"404 {"detail":"Not found."}"#, "{path}");
        }
        let nameless = send(&site, &site.admin, "POST", "/api/users", json!({"is_staff": "x"})).await;
        assert_eq!(nameless.to_string(), r#"400 {"is_staff":["Must be a valid boolean."],"username":["This field is required."]}"#);
    }
}

both! {
    /// No user gains rights by editing: not by making or changing an admin, a right, a group, a password or a name.
    async fn staff_gain_nothing_by_way_of_others(backend: Backend) {
        let site = Site::start(backend).await;
        let clerk = person(site.directory(), "clerk", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![1, 3, 5, 6, 7, 9]);
        }).await;
        let group = site.directory().create_group(&operator(), &wardroom::directory::model::GroupDraft {
            name: Some("Auditors".into()), notes: None, permissions: Some(vec![13]),
        }).await.unwrap().id.get();
        let try_all = [
            ("make an admin", "POST", "/api/users".to_owned(), json!({"username": "x", "is_admin": true})),
            ("give a right not held", "POST", "/api/users".into(), json!({"username": "x", "permissions": [13]})),
            ("put into a group with a right not held", "POST", "/api/users".into(), json!({"username": "x", "groups": [group]})),
            ("make a group with a right not held", "POST", "/api/users/groups".into(), json!({"name": "x", "permissions": [13]})),
            ("raise a group", "PATCH", format!("/api/users/groups/{group}"), json!({"permissions": [13, 1]})),
            ("strip a group", "PATCH", format!("/api/users/groups/{group}"), json!({"permissions": []})),
            ("rename an admin", "PATCH", format!("/api/users/{}", site.admin.id), json!({"first_name": "x"})),
            ("raise a plain user", "PATCH", format!("/api/users/{}", site.plain.id), json!({"is_admin": true})),
            ("give a plain user a right", "PATCH", format!("/api/users/{}", site.plain.id), json!({"permissions": [13]})),
            ("take a stronger user's password", "PATCH", format!("/api/users/{}", site.holder.id), json!({"password": "long enough"})),
            ("take a stronger user's mail", "PATCH", format!("/api/users/{}", site.holder.id), json!({"email": "x@example.com"})),
            ("strip a stronger user", "PATCH", format!("/api/users/{}", site.holder.id), json!({"permissions": []})),
            ("act as a stronger user", "POST", format!("/api/users/{}/tokens", site.holder.id), json!({"name": "x"})),
            ("act as an admin", "POST", format!("/api/users/{}/tokens", site.admin.id), json!({"name": "x"})),
            ("raise itself", "PATCH", format!("/api/users/{}", clerk.id), json!({"groups": [group]})),
        ];
        let count = "SELECT (SELECT count(*) FROM users) * 10000 + (SELECT count(*) FROM tokens) * 100 + (SELECT count(*) FROM groups)";
        let before = site.database.number(count).await;
        for (about, method, path, body) in try_all {
            let answer = send(&site, &clerk, method, &path, body).await;
            assert_eq!(answer.status, 403, "{about}: {answer}");
        }
        assert_eq!(site.database.number(count).await, before);
        // It may pass on the rights that it holds, and correct the plain name of a user with more rights.
        let handed = send(&site, &clerk, "POST", "/api/users", json!({"username": "x", "is_staff": true, "permissions": [6]})).await;
        assert_eq!(handed.status, 201, "{handed}");
        assert_eq!(patch(&site, &clerk, site.holder.id, json!({"first_name": "Fixed"})).await.status, 200);
    }
}

both! {
    async fn the_last_admin_stays_for_the_api_too(backend: Backend) {
        let site = Site::start(backend).await;
        for body in [json!({"is_admin": false}), json!({"is_active": false})] {
            let answer = patch(&site, &site.admin, site.admin.id, body).await;
            assert_eq!(answer.to_string(), r#"403 {"detail":"The last active admin cannot be removed, demoted or deactivated."}"#);
        }
        let gone = site.request("DELETE", &format!("/api/users/{}", site.admin.id)).token(&site.admin.key).send().await;
        assert_eq!(gone.status, 403);
    }
}

both! {
    /// A right from a group counts as one's own, and ends with the membership.
    async fn rights_are_inherited_from_groups(backend: Backend) {
        let site = Site::start(backend).await;
        let path = format!("/api/users/{}", site.plain.id);
        assert_eq!(site.get(&path).token(&site.staff.key).send().await.status, 403);
        let made = send(&site, &site.admin, "POST", "/api/users/groups", json!({"name": "Readers", "permissions": [6]})).await;
        let group = made.json()["id"].clone();
        patch(&site, &site.admin, site.staff.id, json!({"groups": [group]})).await;
        assert_eq!(site.get(&path).token(&site.staff.key).send().await.status, 200);
        let shown = site.get(&format!("/api/users/groups/{group}")).token(&site.admin.key).send().await.json();
        assert_eq!((&shown["users_count"], &shown["permissions_data"][0]["code"]), (&json!(1), &json!(1222)));
        let gone = site.request("DELETE", &format!("/api/users/groups/{group}")).token(&site.admin.key).send().await;
        assert_eq!(gone.status, 204);
        assert_eq!(site.get(&path).token(&site.staff.key).send().await.status, 403);
    }
}

both! {
    async fn members_come_and_go_in_bulk_and_idempotently(backend: Backend) {
        let site = Site::start(backend).await;
        let change = async |method: &str, users: Value| {
            send(&site, &site.holder, method, "/api/users/groups/3/members", json!({"users": users})).await
        };
        let (plain, staff) = (site.plain.id, site.staff.id);
        for _ in 0..2 {
            let joined = change("POST", json!([plain, staff, plain])).await;
            assert_eq!((joined.status, &joined.json()["users_count"]), (200, &json!(3)), "{joined}");
        }
        assert_eq!(change("DELETE", json!([plain, site.inactive.id])).await.json()["users_count"], 2);
        assert_eq!(change("DELETE", json!([site.holder.id])).await.status, 403, "nobody changes their own rights");
        // All or nothing.
        let bad = change("DELETE", json!([staff, 4711])).await;
        assert_eq!(bad.to_string(), r#"400 {"users":["Invalid pk \"4711\" - object does not exist."]}"#);
        assert_eq!(change("POST", json!([])).await.json()["users_count"], 2);
        assert_eq!(change("POST", json!([site.admin.id])).await.status, 403, "staff change no admin");
        let many = change("POST", json!(vec![plain; 1001])).await;
        assert_eq!(many.to_string(), r#"400 {"users":["Ensure this field has no more than 1000 elements."]}"#);
    }
}

both! {
    async fn permissions_are_a_bare_array(backend: Backend) {
        let site = Site::start(backend).await;
        let list = async |query: &str| site.get(&format!("/api/users/permissions{query}")).token(&site.holder.key).send().await;
        assert_eq!(list("").await.json().as_array().unwrap().len(), 15);
        assert_eq!(list("").await.json()[0], json!({"id": 1, "code": 1201, "name": "group_create"}));
        assert_eq!(list("?search=USER,read&ordering=-code").await.to_string(), r#"200 [{"id":6,"code":1222,"name":"user_read"}]"#);
        assert_eq!(list("?ordering=-name").await.json()[0]["name"], "user_update");
        assert_eq!(list("?ordering=x&page=2").await.to_string(), r#"400 {"page":["Unknown parameter."],"ordering":["\"x\" is not a valid choice."]}"#);
    }
}
