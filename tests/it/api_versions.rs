//! `ETag` and `If-Match` on users and groups, and `PUT`.

use serde_json::json;

use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, method: &str, path: &str, if_match: Option<&str>, body: &str) -> Answer {
    let mut request = site.request(method, path).token(&site.admin.key);
    if let Some(tags) = if_match {
        request = request.header("If-Match", tags);
    }
    if !body.is_empty() {
        request = request.body("application/json", body);
    }
    request.send().await
}

async fn tag(site: &Site, path: &str) -> String {
    send(site, "GET", path, None, "").await.header("etag").unwrap().to_owned()
}

const STALE: &str = r#"412 {"detail":"It has changed since you read it: read it again."}"#;

both! {
    async fn a_change_from_an_older_state_is_refused(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, body) in [
            ("/api/users/42", r#"{"first_name": "B"}"#),
            ("/api/users/42", r#"{"groups": [1]}"#),
            ("/api/users/42", r#"{"permissions": [6]}"#),
            ("/api/users/groups/3", r#"{"notes": "n"}"#),
            ("/api/users/groups/3", r#"{"permissions": [6]}"#),
        ] {
            let old = tag(&site, path).await;
            assert_eq!(tag(&site, path).await, old, "a read changes nothing");
            let answer = send(&site, "PATCH", path, Some(&old), body).await;
            assert_eq!(answer.status, 200, "{answer}");
            let new = tag(&site, path).await;
            assert_eq!((answer.header("etag"), new != old), (Some(new.as_str()), true), "{path} {body}");
            for method in ["PATCH", "PUT", "DELETE"] {
                let body = match (method, path.contains("groups")) {
                    ("DELETE", _) => "",
                    (_, true) => r#"{"name": "x"}"#,
                    (_, false) => r#"{"username": "x"}"#,
                };
                let stale = send(&site, method, path, Some(&old), body).await;
                assert_eq!(stale.to_string(), STALE, "{method} {path}");
            }
            assert_eq!(tag(&site, path).await, new, "a refused change changes nothing");
        }
        for form in ["*", "TAG", "\"x\", TAG"] {
            let good = form.replace("TAG", &tag(&site, "/api/users/42").await);
            let answer = send(&site, "PATCH", "/api/users/42", Some(&good), r#"{"last_name": "Z"}"#).await;
            assert_eq!(answer.status, 200, "{good}");
        }
        let current = tag(&site, "/api/users/42").await;
        assert_eq!(send(&site, "PATCH", "/api/users/42", Some(&format!("W/{current}")), "{}").await.status, 412, "weak tags match nothing");
        let malformed = send(&site, "PATCH", "/api/users/42", Some("tag"), "{}").await;
        assert_eq!(malformed.to_string(), r#"400 {"detail":"The If-Match header is malformed: give * or entity tags in double quotes."}"#);
        assert_eq!(send(&site, "DELETE", "/api/users/42", Some(&current), "").await.status, 204);
        let problem = site.request("DELETE", "/api/users/groups/3").token(&site.admin.key).header("If-Match", "\"old\"");
        let problem = problem.header("Accept", "application/problem+json").send().await;
        assert_eq!((problem.status, &problem.json()["code"]), (412, &json!("precondition_failed")));
    }
}

both! {
    /// Automatic changes do not make an edit stale: a use of a token, a sign-in, a new member.
    async fn what_moves_by_itself_is_not_in_the_tag(backend: Backend) {
        let site = Site::start(backend).await;
        let (user, group) = (tag(&site, "/api/users/42").await, tag(&site, "/api/users/groups/1").await);
        site.me(&site.alex.key).send().await;
        site.directory().write_uses().await.unwrap();
        site.database.sql("UPDATE users SET last_login = 1 WHERE id = 42").await;
        let add = json!({ "users": [site.staff.id] }).to_string();
        assert_eq!(send(&site, "POST", "/api/users/groups/1/members", None, &add).await.status, 200);
        assert_eq!((tag(&site, "/api/users/42").await, tag(&site, "/api/users/groups/1").await), (user, group));
    }
}

both! {
    /// Of many writers that read the same state, exactly one succeeds.
    async fn of_many_writers_from_one_state_one_wins(backend: Backend) {
        let site = std::sync::Arc::new(Site::start(backend).await);
        for path in ["/api/users/42", "/api/users/groups/3"] {
            let seen = tag(&site, path).await;
            let mut all = tokio::task::JoinSet::new();
            for number in 0..20 {
                let (site, seen) = (std::sync::Arc::clone(&site), seen.clone());
                let field = if path.contains("groups") { "notes" } else { "first_name" };
                let body = json!({ field: format!("writer {number}") }).to_string();
                all.spawn(async move { send(&site, "PATCH", path, Some(&seen), &body).await.status });
            }
            let mut statuses = all.join_all().await;
            statuses.sort_unstable();
            assert_eq!(statuses[0], 200);
            assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
        }
    }
}

both! {
    /// As in the framework: required fields must be present, the others stay.
    async fn put_needs_what_a_new_one_needs(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, body, expected) in [
            ("/api/users/42", "{}", r#"400 {"username":["This field is required."]}"#),
            ("/api/users/42", r#"{"username": null}"#, r#"400 {"username":["This field may not be null."]}"#),
            ("/api/users/42", r#"{"username": ""}"#, r#"400 {"username":["This field may not be blank."]}"#),
            ("/api/users/groups/3", r#"{"notes": "x"}"#, r#"400 {"name":["This field is required."]}"#),
        ] {
            assert_eq!(send(&site, "PUT", path, None, body).await.to_string(), expected);
        }
        let put = send(&site, "PUT", "/api/users/42", None, r#"{"username": "alex"}"#).await.json();
        assert_eq!((&put["username"], &put["first_name"], &put["groups"]), (&json!("alex"), &json!("Alex"), &json!([1, 3, 7])));
        assert_eq!(send(&site, "PUT", "/api/users/999999", None, r#"{"username": "x"}"#).await.status, 404);
    }
}
