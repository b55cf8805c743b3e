//! A record that was read may be sent back: what cannot be written is ignored, what stays as it is is no change, and a
//! name that no answer shows is refused.

use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::{GroupDraft, User, UserKey};
use wardroom::directory::tokens::Expiry;

use crate::support::site::{Persona, import, imported, moment, operator, person};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: &Value) -> Answer {
    site.request(method, path).token(&who.key).body("application/json", body.to_string()).send().await
}

async fn read(site: &Site, who: &Persona, path: &str) -> Value {
    let answer = site.get(path).token(&who.key).send().await;
    assert_eq!(answer.status, 200, "{path}: {answer}");
    answer.json()
}

async fn events(site: &Site) -> i64 {
    site.database.number("SELECT count(*) FROM audit_events").await
}

/// Sends a record back in every way, and expects it as it was, with no event in the audit trail.
async fn unchanged(site: &Site, who: &Persona, path: &str, methods: &[&str]) {
    let record = read(site, who, path).await;
    let before = events(site).await;
    for method in methods {
        let answer = send(site, who, method, path, &record).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer}");
        let answer = answer.json();
        for (field, value) in answer.as_object().unwrap() {
            assert_eq!(*value, record[field], "{method} {path}: {field}");
        }
    }
    assert_eq!(read(site, who, path).await, record, "{path}");
    assert_eq!(events(site).await, before, "{path}: nothing was changed");
}

both! {
    async fn a_user_may_be_sent_back(backend: Backend) {
        let site = Site::start(backend).await;
        let own = |who: &Persona| format!("/api/users/{}", who.id);
        let reader = person(site.directory(), "reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6, 7]);
            draft.groups = Some(vec![3]);
        }).await;
        // Their own record, with the flags and groups that they have, also without the right to change those.
        for who in [&site.admin, &site.holder, &reader] {
            unchanged(&site, who, &own(who), &["PATCH", "PUT"]).await;
            unchanged(&site, who, "/api/users/me", &["PATCH"]).await;
        }
        // Another record, also of a user with more rights.
        for (who, other) in [(&site.admin, &site.holder), (&site.holder, &site.alex), (&site.holder, &site.plain), (&reader, &site.holder)] {
            unchanged(&site, who, &own(other), &["PATCH", "PUT"]).await;
        }
        // The flags alone, and the permissions, which the record shows as objects.
        for body in [json!({"is_staff": true, "is_active": true, "is_admin": false}), json!({"permissions": [7, 6, 6]}), json!({"groups": [3, 3]})] {
            let before = events(&site).await;
            assert_eq!(send(&site, &reader, "PATCH", &own(&reader), &body).await.status, 200, "{body}");
            assert_eq!(events(&site).await, before, "{body}");
        }
        // A field among the others is changed, and nothing else.
        let mut record = read(&site, &reader, &own(&reader)).await;
        record["last_name"] = json!("Reader");
        let answer = send(&site, &reader, "PUT", &own(&reader), &record).await.json();
        assert_eq!((&answer["full_name"], &answer["groups"], &answer["is_staff"]), (&json!("Reader"), &json!([3]), &json!(true)));
        // What differs is still denied.
        for (field, value) in [("is_staff", json!(false)), ("groups", json!([])), ("groups", json!([1, 3])), ("permissions", json!([6])), ("is_admin", json!(true))] {
            let mut record = read(&site, &reader, &own(&reader)).await;
            record[field] = value.clone();
            assert_eq!(send(&site, &reader, "PATCH", &own(&reader), &record).await.status, 403, "{field} {value}");
        }
        // A staff user changes no admin, not even to what it is.
        assert_eq!(send(&site, &site.holder, "PATCH", &own(&site.admin), &json!({"first_name": ""})).await.status, 403);
    }
}

both! {
    /// Rows that were imported hold values that nobody could write. They may be sent back as well, and stay as they are.
    async fn an_imported_user_may_be_sent_back(backend: Backend) {
        let site = Site::start(backend).await;
        let odd = User {
            mobile_number: Some(String::new()),
            email: Some("not an address".into()),
            first_name: "  Ann ".into(),
            last_name: "x".repeat(200),
            gender: Some("f".into()),
            ..imported(200, "two words")
        };
        let empty = User { email: Some(String::new()), gender: Some(String::new()), ..imported(201, "12345") };
        import(site.directory(), vec![(odd, "0000000000000000000000000000000000000200"), (empty, "0000000000000000000000000000000000000201")]).await;
        for id in [200, 201] {
            let who = Persona { id, key: format!("{id:040}") };
            unchanged(&site, &who, "/api/users/me", &["PATCH"]).await;
            unchanged(&site, &site.admin, &format!("/api/users/{id}"), &["PATCH", "PUT"]).await;
        }
        // Another value has to be a good one, and the rest of the record still goes back.
        let mut record = read(&site, &site.admin, "/api/users/200").await;
        record["gender"] = json!("g");
        let refused = send(&site, &site.admin, "PUT", "/api/users/200", &record).await;
        assert_eq!(refused.to_string(), r#"400 {"gender":["\"g\" is not a valid choice."]}"#);
        record["gender"] = json!("female");
        let changed = send(&site, &site.admin, "PUT", "/api/users/200", &record).await.json();
        assert_eq!((&changed["gender"], &changed["first_name"], &changed["email"]), (&json!("female"), &json!("  Ann "), &json!("not an address")));
        // Null and empty stay different for as long as nobody writes.
        let who = Persona { id: 201, key: format!("{:040}", 201) };
        assert_eq!(send(&site, &who, "PATCH", "/api/users/me", &json!({"email": ""})).await.json()["email"], "");
        assert_eq!(send(&site, &who, "PATCH", "/api/users/me", &json!({"email": null})).await.json()["email"], Value::Null);
        assert_eq!(send(&site, &who, "PATCH", "/api/users/me", &json!({"email": ""})).await.json()["email"], Value::Null);
    }
}

both! {
    async fn groups_tokens_and_rows_of_lists_may_be_sent_back(backend: Backend) {
        let site = Site::start(backend).await;
        let group = GroupDraft { name: Some("Readers".into()), notes: None, permissions: Some(vec![6, 2]) };
        let group = site.directory().create_group(&operator(), &group).await.unwrap().id.get();
        let member = person(site.directory(), "member", |draft| {
            draft.is_staff = Some(true);
            draft.groups = Some(vec![group]);
            draft.permissions = Some(vec![3, 7]);
        }).await;
        for (who, id) in [(&site.holder, 3), (&site.holder, group), (&member, group)] {
            unchanged(&site, who, &format!("/api/users/groups/{id}"), &["PATCH", "PUT"]).await;
        }
        // A member may name the permissions that the group has.
        let path = format!("/api/users/groups/{group}");
        assert_eq!(send(&site, &member, "PATCH", &path, &json!({"permissions": [2, 6]})).await.status, 200);
        assert_eq!(send(&site, &member, "PATCH", &path, &json!({"permissions": [6]})).await.status, 403);
        // Rows of a list, in one call for many.
        let rows = read(&site, &site.holder, "/api/users?id_min=42&id_max=42").await["results"].clone();
        let before = events(&site).await;
        let answer = send(&site, &site.holder, "PATCH", "/api/users/bulk", &json!({"users": rows})).await;
        assert_eq!((answer.status, &answer.json()["users"]), (200, &rows), "{answer}");
        assert_eq!(events(&site).await, before);
        // Tokens: also one whose expiry could not be set again.
        let hour = std::time::Duration::from_secs(3600);
        let owner = wardroom::directory::model::UserKey::Id(42.try_into().unwrap());
        let end = wardroom::directory::tokens::Expiry::After(hour);
        site.directory().issue_token(&operator(), &owner, "ends", end).await.unwrap();
        site.clock.set("2025-09-02T12:00:00Z".parse().unwrap());
        for token in read(&site, &site.holder, "/api/users/42/tokens").await.as_array().unwrap() {
            let before = events(&site).await;
            let answer = send(&site, &site.holder, "PATCH", &format!("/api/users/42/tokens/{}", token["id"]), token).await;
            assert_eq!(answer.status, 200, "{answer}");
            assert_eq!((&answer.json()["expires_at"], &answer.json()["state"]), (&token["expires_at"], &token["state"]));
            assert_eq!(events(&site).await, before);
        }
    }
}

both! {
    /// Names that no answer shows are refused by name on every route, and so is everything unknown in a new object.
    async fn unknown_names_are_refused(backend: Backend) {
        let site = Site::start(backend).await;
        let token = site.database.number("SELECT id FROM tokens WHERE user_id = 42").await;
        for (method, path, body) in [
            ("PATCH", "/api/users/me".to_owned(), json!({"nickname": "x"})),
            ("PATCH", "/api/users/me".into(), json!({"updated_at": "x"})),
            ("PATCH", "/api/users/42".into(), json!({"ID": 42})),
            ("PUT", "/api/users/42".into(), json!({"username": "alex_thompson", "fullname": "x"})),
            ("POST", "/api/users".into(), json!({"username": "new", "id": 7})),
            ("POST", "/api/users".into(), json!({"username": "new", "full_name": "x"})),
            ("PATCH", "/api/users/groups/3".into(), json!({"users": [42]})),
            ("PUT", "/api/users/groups/3".into(), json!({"name": "Billing", "members": [42]})),
            ("POST", "/api/users/groups".into(), json!({"name": "new", "users_count": 7})),
            ("PATCH", format!("/api/users/42/tokens/{token}"), json!({"key": "x"})),
        ] {
            let unknown = body.as_object().unwrap().keys().find(|name| !["username", "name"].contains(&name.as_str())).unwrap();
            let who = if path.ends_with("/me") { &site.alex } else { &site.admin };
            let answer = send(&site, who, method, &path, &body).await;
            assert_eq!(answer.to_string(), format!(r#"400 {{"{unknown}":["Unknown field."]}}"#), "{method} {path}");
        }
    }
}

both! {
    /// Who may write and not read gets back the id and what was written, and nothing that was sent along and ignored.
    async fn a_writer_learns_nothing_from_ignored_fields(backend: Backend) {
        let site = Site::start(backend).await;
        let writer = person(site.directory(), "writer", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![3, 7]);
        }).await;
        let all = read(&site, &site.admin, "/api/users/42").await;
        let mut body = all.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect::<serde_json::Map<_, _>>();
        for name in ["username", "mobile_number", "email", "avatar", "first_name", "last_name", "gender", "groups", "is_active", "is_staff", "is_admin"] {
            body.remove(name);
        }
        assert!(body.len() >= 9);
        body.insert("first_name".into(), json!("Alexa"));
        let answer = send(&site, &writer, "PATCH", "/api/users/42", &Value::Object(body.clone())).await;
        assert_eq!(answer.to_string(), r#"200 {"id":42,"first_name":"Alexa"}"#);
        body.insert("id".into(), json!(42));
        let answer = send(&site, &writer, "PATCH", "/api/users/bulk", &json!({"users": [body]})).await;
        assert_eq!(answer.to_string(), r#"200 {"users":[{"id":42,"first_name":"Alexa"}]}"#);
        let group = json!({"notes": "x", "users_count": null, "created_at": null, "permissions_data": null, "id": 1});
        let answer = send(&site, &writer, "PATCH", "/api/users/groups/3", &group).await;
        assert_eq!(answer.to_string(), r#"200 {"id":3,"notes":"x"}"#);
    }
}

both! {
    /// Who may write and not read gets the same answer to a value that the object has and to any other one. Otherwise they
    /// could guess values until one is no change.
    async fn a_writer_learns_nothing_by_guessing(backend: Backend) {
        let site = Site::start(backend).await;
        let writer = person(site.directory(), "writer", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![3, 7]);
        }).await;
        let target = person(site.directory(), "target", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![9]);
            draft.email = Some(Some("target@example.com".into()));
            draft.mobile_number = Some(Some("+1-555-0199".into()));
        }).await;
        let path = format!("/api/users/{}", target.id);
        for (field, right, wrong) in [
            ("username", json!("target"), json!("other")),
            ("email", json!("target@example.com"), json!("other@example.com")),
            ("mobile_number", json!("+1-555-0199"), json!("+1-555-0198")),
            ("is_staff", json!(true), json!(false)),
            ("is_admin", json!(false), json!(true)),
            ("permissions", json!([9]), json!([8])),
            ("groups", json!([]), json!([1])),
        ] {
            for value in [right, wrong] {
                let answer = send(&site, &writer, "PATCH", &path, &json!({ field: value })).await;
                assert_eq!(answer.status, 403, "{field}: {value}: {answer}");
                let answer = send(&site, &writer, "PATCH", "/api/users/bulk", &json!({"users": [{"id": target.id, field: value}]})).await;
                assert_eq!(answer.status, 403, "{field}: {value}: {answer}");
            }
        }
        let group = site.directory().create_group(&operator(), &GroupDraft {
            name: Some("Vault".into()),
            permissions: Some(vec![9]),
            ..GroupDraft::default()
        }).await.unwrap();
        for permissions in [json!([9]), json!([8])] {
            let answer = send(&site, &writer, "PATCH", &format!("/api/users/groups/{}", group.id), &json!({"permissions": permissions})).await;
            assert_eq!(answer.status, 403, "{permissions}: {answer}");
        }
    }
}

both! {
    /// The same for the expiry of a token: it may have passed, or be later than that of the writer's own token.
    async fn a_writer_of_tokens_learns_nothing_by_guessing(backend: Backend) {
        let site = Site::start(backend).await;
        let target = person(site.directory(), "target", |_| {}).await;
        let owner = UserKey::Id(target.id.try_into().unwrap());
        let hour = Expiry::After(Duration::from_secs(3600));
        let issue = async |end: Expiry| site.directory().issue_token(&operator(), &owner, "x", end).await.unwrap().token.id;
        let (passed, endless) = (issue(hour).await, issue(Expiry::Never).await);
        let later = issue(Expiry::After(Duration::from_secs(10 * 3600))).await;
        let by = async |name: &str, permissions: Vec<i64>| {
            let writer = person(site.directory(), name, |draft| {
                draft.is_staff = Some(true);
                draft.permissions = Some(permissions);
            }).await;
            let own = UserKey::Id(writer.id.try_into().unwrap());
            let short = site.directory().issue_token(&operator(), &own, "short", Expiry::After(Duration::from_secs(3 * 3600))).await.unwrap();
            Persona { key: short.key.reveal().to_owned(), ..writer }
        };
        let (blind, reader) = (by("blind", vec![11]).await, by("reader", vec![10, 11]).await);
        site.clock.set(moment("2025-09-01T14:00:00Z"));
        for (token, right, wrong) in [
            (passed, json!("2025-09-01T13:00:00Z"), json!("2025-09-01T13:00:01Z")),
            (endless, json!(null), json!("2099-09-01T13:00:00Z")),
            (later, json!("2025-09-01T22:00:00Z"), json!("2025-09-01T22:00:01Z")),
        ] {
            let path = format!("/api/users/{}/tokens/{token}", target.id);
            for value in [&right, &wrong] {
                let answer = send(&site, &blind, "PATCH", &path, &json!({"expires_at": value})).await;
                assert!(answer.status == 400 && answer.json()["expires_at"].is_array(), "{value}: {answer}");
            }
            let answer = send(&site, &reader, "PATCH", &path, &json!({"expires_at": right, "name": "y"})).await;
            assert_eq!((answer.status, &answer.json()["expires_at"].is_null()), (200, &right.is_null()), "{right}: {answer}");
            let answer = send(&site, &reader, "PATCH", &path, &json!({"expires_at": wrong})).await;
            assert_eq!(answer.status, 400, "{wrong}: {answer}");
            // A name alone is always a change that may be made.
            let answer = send(&site, &blind, "PATCH", &path, &json!({"name": "z"})).await;
            assert_eq!(answer.to_string(), format!(r#"200 {{"id":{token},"name":"z"}}"#));
        }
    }
}
