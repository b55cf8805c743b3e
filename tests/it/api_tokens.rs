//! Tokens by the API: the caller's own and those of other users.

use serde_json::{Value, json};
use wardroom::directory::tokens::Expiry;

use crate::support::site::{Persona, moment, operator};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, key: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = site.request(method, path).token(key);
    if body.is_null() {
        request.send().await
    } else {
        request.body("application/json", body.to_string()).send().await
    }
}

async fn issue(site: &Site, who: &Persona, body: Value) -> Answer {
    send(site, &who.key, "POST", "/api/users/me/tokens", body).await
}

both! {
    async fn a_key_is_shown_once_and_opens_the_door(backend: Backend) {
        let site = Site::start(backend).await;
        let made = issue(&site, &site.staff, json!({"name": "laptop", "expires_at": "2025-12-24T18:00:00+01:00"})).await;
        assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")));
        let made = made.json();
        let key = made["key"].as_str().unwrap();
        assert_eq!(made["expires_at"], "2025-12-24T17:00:00.000000Z");
        assert_eq!(site.me(key).send().await.header("x-token-expires-at"), Some("2025-12-24T17:00:00.000000Z"));
        let listed = send(&site, &site.staff.key, "GET", "/api/users/me/tokens", Value::Null).await;
        assert!(!listed.body.contains(key));
        let last = listed.json()[1].clone();
        assert_eq!((&last["name"], &last["state"], &last["prefix"]), (&json!("laptop"), &json!("active"), &json!(&key[..8])));
    }
}

both! {
    async fn a_revoked_token_stays_listed_and_opens_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let made = issue(&site, &site.staff, json!({"name": "x"})).await.json();
        let (key, path) = (made["key"].as_str().unwrap(), format!("/api/users/me/tokens/{}", made["id"]));
        assert_eq!(send(&site, key, "DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(site.me(key).send().await.body, r#"{"detail":"Invalid token."}"#);
        let listed = send(&site, &site.staff.key, "GET", "/api/users/me/tokens", Value::Null).await.json();
        assert_eq!((&listed[1]["state"], &listed[1]["revoked_at"]), (&json!("revoked"), &json!("2025-09-01T12:00:00.000000Z")));
        for (method, path) in [("PATCH", path.clone()), ("POST", format!("{path}/rotate"))] {
            let answer = send(&site, &site.staff.key, method, &path, json!({})).await;
            assert_eq!(answer.to_string(), r#"400 {"non_field_errors":["This token is revoked for good."]}"#, "{method}");
        }
    }
}

both! {
    /// The old key keeps working for exactly the overlap.
    async fn a_key_is_rotated_with_and_without_overlap(backend: Backend) {
        let site = Site::start(backend).await;
        let made = issue(&site, &site.staff, json!({"name": "x"})).await.json();
        let path = format!("/api/users/me/tokens/{}/rotate", made["id"]);
        let second = send(&site, &site.staff.key, "POST", &path, json!({"overlap_seconds": 60})).await.json();
        let (old, new) = (made["key"].as_str().unwrap(), second["key"].as_str().unwrap());
        assert_eq!((second["name"].as_str(), site.me(old).send().await.status, site.me(new).send().await.status), (Some("x"), 200, 200));
        site.clock.set(moment("2025-09-01T12:01:00Z"));
        assert_eq!((site.me(old).send().await.status, site.me(new).send().await.status), (401, 200));
        let path = format!("/api/users/me/tokens/{}/rotate", second["id"]);
        let third = send(&site, &site.staff.key, "POST", &path, Value::Null).await.json();
        assert_eq!((site.me(new).send().await.status, site.me(third["key"].as_str().unwrap()).send().await.status), (401, 200));
    }
}

both! {
    async fn an_expired_token_lives_again_when_its_end_is_moved(backend: Backend) {
        let site = Site::start(backend).await;
        let made = issue(&site, &site.staff, json!({"name": "x", "expires_at": "2025-09-01T13:00:00Z"})).await.json();
        let (key, path) = (made["key"].as_str().unwrap(), format!("/api/users/me/tokens/{}", made["id"]));
        site.clock.set(moment("2025-09-02T00:00:00Z"));
        assert_eq!(site.me(key).send().await.status, 401);
        let moved = send(&site, &site.staff.key, "PATCH", &path, json!({"expires_at": null, "name": "y"})).await.json();
        assert_eq!((&moved["state"], &moved["expires_at"], &moved["name"]), (&json!("active"), &Value::Null, &json!("y")));
        assert_eq!(site.me(key).send().await.status, 200);
    }
}

both! {
    async fn a_token_makes_none_that_outlives_it(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = wardroom::directory::model::UserKey::Id(site.staff.id.try_into().unwrap());
        let hour = Expiry::After(std::time::Duration::from_secs(3600));
        let short = site.directory().issue_token(&operator(), &owner, "short", hour).await.unwrap();
        let short = Persona { id: site.staff.id, key: short.key.reveal().to_owned() };
        let expected = r#"400 {"expires_at":["A token cannot make one that lives longer than itself."]}"#;
        for end in [json!(null), json!("2025-09-01T13:00:00.000001Z")] {
            assert_eq!(issue(&site, &short, json!({"name": "x", "expires_at": end})).await.to_string(), expected);
        }
        let same = issue(&site, &short, json!({"name": "x"})).await.json();
        assert_eq!(same["expires_at"], "2025-09-01T13:00:00.000000Z");
        // Neither by moving an end nor by rotating a token that has none.
        let endless = send(&site, &site.staff.key, "GET", "/api/users/me/tokens", Value::Null).await.json()[0]["id"].clone();
        let moved = send(&site, &short.key, "PATCH", &format!("/api/users/me/tokens/{}", same["id"]), json!({"expires_at": null})).await;
        assert_eq!(moved.to_string(), expected);
        let rotated = send(&site, &short.key, "POST", &format!("/api/users/me/tokens/{endless}/rotate"), Value::Null).await;
        assert_eq!(rotated.to_string(), expected);
    }
}

both! {
    async fn misuse_is_named(backend: Backend) {
        let site = Site::start(backend).await;
        for (body, expected) in [
            (json!({}), r#"400 {"name":["This field is required."]}"#),
            (json!({"name": ""}), r#"400 {"name":["This field may not be blank."]}"#),
            (json!({"name": "x", "expires_at": "soon"}), r#"400 {"expires_at":["Datetime has wrong format. Use RFC 3339, such as 2025-08-06T14:23:45.123456Z."]}"#),
            (json!({"name": "x", "expires_at": "2025-09-01T12:00:00Z"}), r#"400 {"expires_at":["Ensure this time lies in the future."]}"#),
            (json!({"name": "x", "key": "mine"}), r#"400 {"key":["Unknown field."]}"#),
        ] {
            assert_eq!(issue(&site, &site.staff, body).await.to_string(), expected);
        }
        let made = issue(&site, &site.staff, json!({"name": "x"})).await.json();
        let path = format!("/api/users/me/tokens/{}/rotate", made["id"]);
        let long = send(&site, &site.staff.key, "POST", &path, json!({"overlap_seconds": 2_592_001})).await;
        assert_eq!(long.to_string(), r#"400 {"overlap_seconds":["Ensure this value is less than or equal to 2592000."]}"#);
        // Another user's token is not found, whatever the path.
        let theirs = format!("/api/users/{}/tokens/{}", site.plain.id, made["id"]);
        assert_eq!(send(&site, &site.admin.key, "DELETE", &theirs, Value::Null).await.status, 404);
    }
}
