//! The recycle bin: `/api/users/deleted`, and what remains of a deleted user elsewhere.

use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::UserKey;

use crate::support::site::{operator, person};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, key: &str, method: &str, path: &str, body: &str) -> Answer {
    let request = site.request(method, path).token(key);
    if body.is_empty() { request.send().await } else { request.body("application/json", body).send().await }
}

async fn ids(site: &Site, path: &str) -> Vec<i64> {
    let list = send(site, &site.admin.key, "GET", path, "").await;
    list.json()["results"]
        .as_array()
        .unwrap_or_else(|| panic!("{list}"))
        .iter()
        .map(|user| user["id"].as_i64().unwrap())
        .collect()
}

both! {
    async fn a_deleted_user_is_nowhere_and_comes_back_whole(backend: Backend) {
        let site = Site::start(backend).await;
        let admin = &site.admin.key;
        send(&site, admin, "PATCH", "/api/users/42", r#"{"permissions": [6, 10]}"#).await;
        let before = send(&site, admin, "GET", "/api/users/42", "").await.json();
        assert_eq!(send(&site, admin, "DELETE", "/api/users/42", "").await.status, 204);
        assert_eq!(site.me(&site.alex.key).send().await.body, r#"{"detail":"Invalid token."}"#);
        for path in ["/api/users/42", "/api/users/42/tokens"] {
            assert_eq!(send(&site, admin, "GET", path, "").await.status, 404);
        }
        assert_eq!(ids(&site, "/api/users?search=alex").await, Vec::<i64>::new());
        assert_eq!(send(&site, admin, "GET", "/api/users/groups/3", "").await.json()["users_count"], 0);
        let list = send(&site, admin, "GET", "/api/users/deleted", "").await.json();
        assert_eq!(list["results"], json!([{
            "id": 42, "username": "alex_thompson", "email": "alex.thompson@techcorp.com", "deleted_at": "2025-09-01T12:00:00.000000Z",
            "deleted_by": "admin", "purge_at": "2025-10-01T12:00:00.000000Z",
        }]));
        let back = send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await;
        assert_eq!((back.status, back.header("etag").is_some()), (200, true), "{back}");
        let after = send(&site, admin, "GET", "/api/users/42", "").await.json();
        let bare = |record: &Value| {
            let mut record = record.clone();
            record.as_object_mut().unwrap().remove("updated_at");
            record
        };
        assert_eq!(bare(&after), bare(&before));
        assert_eq!(site.me(&site.alex.key).send().await.status, 401, "its tokens stay gone");
        assert_eq!(ids(&site, "/api/users/deleted").await, Vec::<i64>::new());
        assert_eq!(send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await.status, 404);
    }
}

both! {
    async fn the_password_comes_back_too(backend: Backend) {
        let site = Site::start(backend).await;
        let key = UserKey::Id(site.staff.id.try_into().unwrap());
        let password = wardroom::directory::password::Password::new("an unlikely pass phrase".into());
        site.directory().set_password(&operator(), &key, password).await.unwrap();
        site.directory().delete_user(&operator(), &key).await.unwrap();
        let sign_in = async || {
            let body = json!({"username": "staff", "password": "an unlikely pass phrase"}).to_string();
            site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body).send().await.status
        };
        assert_eq!(sign_in().await, 400);
        site.directory().restore_user(&operator(), site.staff.id.try_into().unwrap()).await.unwrap();
        assert_eq!(sign_in().await, 200);
    }
}

both! {
    /// A name is free once its user is deleted. A restore that collides names the conflict and changes nothing.
    async fn names_are_free_and_collisions_are_reported(backend: Backend) {
        let site = Site::start(backend).await;
        let admin = &site.admin.key;
        send(&site, admin, "DELETE", "/api/users/42", "").await;
        let other = json!({"username": "alex_thompson", "email": "alex.thompson@techcorp.com"}).to_string();
        let made = send(&site, admin, "POST", "/api/users", &other).await.json();
        assert!(made["id"].as_i64().unwrap() > 42, "an id is never used again");
        let refused = send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await;
        assert_eq!(refused.to_string(), r#"400 {"username":["user with this username already exists."],"email":["user with this email already exists."]}"#);
        assert_eq!(ids(&site, "/api/users/deleted").await, [42]);
        send(&site, admin, "PATCH", &format!("/api/users/{}", made["id"]), r#"{"username": "other", "email": null}"#).await;
        assert_eq!(send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await.status, 200);
        // A group that was deleted meanwhile is left out, until it is restored as well.
        send(&site, admin, "DELETE", "/api/users/42", "").await;
        send(&site, admin, "DELETE", "/api/users/groups/3", "").await;
        let back = send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await.json();
        assert_eq!(back["groups"], json!([1, 7]));
    }
}

both! {
    /// A restore gives no user more rights: only an admin restores an admin, and only callers who hold the rights
    /// restore them.
    async fn a_restore_keeps_to_the_rules(backend: Backend) {
        let site = Site::start(backend).await;
        let boss = person(site.directory(), "boss", |draft| draft.is_admin = Some(true)).await;
        let strong = person(site.directory(), "strong", |draft| { draft.is_staff = Some(true); draft.permissions = Some(vec![6]); }).await;
        let weak = person(site.directory(), "weak", |draft| { draft.is_staff = Some(true); draft.permissions = Some(vec![8]); }).await;
        for id in [boss.id, strong.id] {
            site.directory().delete_user(&operator(), &UserKey::Id(id.try_into().unwrap())).await.unwrap();
        }
        for (id, key, status) in [(boss.id, &site.holder.key, 403), (strong.id, &weak.key, 403), (boss.id, &site.admin.key, 200), (strong.id, &site.holder.key, 200)] {
            let answer = send(&site, key, "POST", &format!("/api/users/deleted/{id}/restore"), "").await;
            assert_eq!(answer.status, status, "{answer}");
        }
        site.directory().delete_user(&operator(), &UserKey::Id(boss.id.try_into().unwrap())).await.unwrap();
        assert_eq!(send(&site, &site.holder.key, "DELETE", &format!("/api/users/deleted/{}", boss.id), "").await.status, 403);
    }
}

both! {
    /// A user whose time in the bin is over reads as gone, purged or not. Purging leaves the trail unchanged.
    async fn time_ends_what_is_kept(backend: Backend) {
        let site = Site::start(backend).await;
        let admin = &site.admin.key;
        send(&site, admin, "DELETE", "/api/users/42", "").await;
        send(&site, admin, "DELETE", &format!("/api/users/{}", site.plain.id), "").await;
        assert_eq!(ids(&site, "/api/users/deleted?ordering=-id").await, [site.plain.id, 42].iter().copied().max().map(|most| vec![most, 42 + site.plain.id - most]).unwrap());
        assert_eq!(ids(&site, "/api/users/deleted?search=alex&deleted_date=2025-09-01").await, [42]);
        assert_eq!(send(&site, admin, "DELETE", &format!("/api/users/deleted/{}", site.plain.id), "").await.status, 204);
        assert_eq!(ids(&site, "/api/users/deleted?cursor=").await, [42]);
        assert_eq!(site.directory().purge_expired().await.unwrap(), 0);
        site.clock.set(site.clock.now().plus(Duration::from_hours(24 * 30)).unwrap());
        assert_eq!(ids(&site, "/api/users/deleted").await, Vec::<i64>::new());
        assert_eq!(send(&site, admin, "POST", "/api/users/deleted/42/restore", "").await.status, 404);
        assert_eq!(site.directory().purge_expired().await.unwrap(), 1);
        assert_eq!(site.database.number("SELECT count(*) FROM deleted_users").await, 0);
        let purged = "SELECT count(*) FROM audit_events WHERE action = 'user.purge' AND object_name IN ('alex_thompson', 'plain')";
        assert_eq!(site.database.number(purged).await, 2);
    }
}

both! {
    async fn without_a_retention_time_deletion_is_final(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.keep_deleted_for = Duration::ZERO).await;
        send(&site, &site.admin.key, "DELETE", "/api/users/42", "").await;
        assert_eq!(site.database.number("SELECT count(*) FROM deleted_users").await, 0);
        assert_eq!(send(&site, &site.admin.key, "POST", "/api/users/deleted/42/restore", "").await.status, 404);
    }
}

both! {
    async fn misuse_is_reported(backend: Backend) {
        let site = Site::start(backend).await;
        for (path, expected) in [
            ("/api/users/deleted?x=1", r#"400 {"x":["Unknown parameter."]}"#),
            ("/api/users/deleted?ordering=email", r#"400 {"ordering":["\"email\" is not a valid choice."]}"#),
            ("/api/users/deleted?deleted_date=today", r#"400 {"deleted_date":["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]}"#),
        ] {
            assert_eq!(send(&site, &site.admin.key, "GET", path, "").await.to_string(), expected);
        }
        for id in ["x", "0", "99999999999999999999", "7"] {
            for (method, end) in [("POST", "/restore"), ("DELETE", "")] {
                let path = format!("/api/users/deleted/{id}{end}");
                assert_eq!(send(&site, &site.admin.key, method, &path, "").await.status, 404, "{path}");
            }
        }
    }
}
