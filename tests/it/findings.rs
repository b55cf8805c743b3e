//! Security findings in version 0.1.0, a test for each. The number in a test's name is that of the finding.
//!
//! `matrix` and `parked` test the rules behind them as a whole. Limits are tested in the files of their area.

use serde_json::{Value, json};
use wardroom::directory::model::{GroupDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::tokens::Expiry;

use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: Value) -> Answer {
    site.request(method, path).token(&who.key).body("application/json", body.to_string()).send().await
}

/// Creates staff with these permissions, given by id.
async fn clerk(site: &Site, name: &str, permissions: &[i64]) -> Persona {
    let permissions = permissions.to_vec();
    person(site.directory(), name, |draft| {
        draft.is_staff = Some(true);
        draft.permissions = Some(permissions);
    })
    .await
}

async fn group(site: &Site, name: &str, permissions: &[i64]) -> i64 {
    let draft =
        GroupDraft { name: Some(name.to_owned()), notes: None, permissions: Some(permissions.to_vec()) };
    site.directory().create_group(&operator(), &draft).await.unwrap().id.get()
}

/// The ids of the built-in permissions that the tests grant.
const GROUP_UPDATE: i64 = 3;
const GROUP_DELETE: i64 = 4;
const USER_CREATE: i64 = 5;
const USER_READ: i64 = 6;
const USER_UPDATE: i64 = 7;
const USER_DELETE: i64 = 8;
const TOKEN_UPDATE: i64 = 11;
const TOKEN_DELETE: i64 = 12;
const AUDIT_READ: i64 = 13;

both! {
    /// A right that a user does not hold cannot be reached by deleting something.
    async fn finding_04_what_may_not_be_changed_may_not_be_deleted(backend: Backend) {
        let site = Site::start(backend).await;
        let mine = [GROUP_UPDATE, GROUP_DELETE, USER_CREATE, USER_UPDATE, USER_DELETE, TOKEN_UPDATE, TOKEN_DELETE];
        let attacker = clerk(&site, "attacker", &mine).await;
        let auditors = group(&site, "Auditors", &[AUDIT_READ]).await;
        let by_group = person(site.directory(), "by_group", |draft| draft.groups = Some(vec![auditors])).await;
        let stronger = clerk(&site, "stronger", &[AUDIT_READ]).await;
        let binned = clerk(&site, "binned", &[AUDIT_READ]).await;
        let owner = UserKey::Id(stronger.id.try_into().unwrap());
        let token = site.directory().issue_token(&operator(), &owner, "t", Expiry::Never).await.unwrap().token.id;
        site.directory().delete_user(&operator(), &UserKey::Id(binned.id.try_into().unwrap())).await.unwrap();
        let before = site.database.texts(EVERYTHING).await;
        for (method, path, body) in [
            ("DELETE", format!("/api/users/groups/{auditors}"), json!({})),
            ("PATCH", format!("/api/users/groups/{auditors}"), json!({"name": "Guests"})),
            ("DELETE", format!("/api/users/{}", stronger.id), json!({})),
            ("DELETE", format!("/api/users/{}", by_group.id), json!({})),
            ("DELETE", "/api/users/bulk".into(), json!({"users": [stronger.id]})),
            ("DELETE", format!("/api/users/deleted/{}", binned.id), json!({})),
            ("DELETE", format!("/api/users/{}/tokens/{token}", stronger.id), json!({})),
            ("PATCH", format!("/api/users/{}/tokens/{token}", stronger.id), json!({"name": "x"})),
            ("PATCH", format!("/api/users/{}/tokens/{token}", stronger.id), json!({"expires_at": null})),
            ("POST", format!("/api/users/{}/tokens/{token}/rotate", stronger.id), json!({})),
        ] {
            let answer = send(&site, &attacker, method, &path, body).await;
            assert_eq!(answer.status, 403, "{method} {path}: {answer}");
        }
        assert_eq!(site.database.texts(EVERYTHING).await, before);
        // The attacker may act on the rights that they hold.
        let equal = clerk(&site, "equal", &[USER_UPDATE]).await;
        assert_eq!(send(&site, &attacker, "DELETE", &format!("/api/users/{}", equal.id), json!({})).await.status, 204);
    }
}

const EVERYTHING: &str = "SELECT 'u' || id || ' ' || username FROM users \
    UNION ALL SELECT 'd' || id FROM deleted_users UNION ALL SELECT 'g' || id || ' ' || name FROM groups \
    UNION ALL SELECT 'm' || user_id || ' ' || group_id FROM memberships \
    UNION ALL SELECT 't' || id || ' ' || name || ' ' || coalesce(revoked_at, 0) || ' ' || coalesce(expires_at, 0) FROM tokens \
    ORDER BY 1";

both! {
    /// Deleted users keep username, e-mail address and number as long as they can be restored. Only admins may give
    /// them away.
    async fn finding_04_names_in_the_recycle_bin_stay_reserved(backend: Backend) {
        let site = Site::start(backend).await;
        let attacker = clerk(&site, "attacker", &[USER_CREATE, USER_READ, USER_UPDATE]).await;
        let gone = person(site.directory(), "Gone", |draft| {
            draft.email = Some(Some("gone@example.com".into()));
            draft.mobile_number = Some(Some("+49 711 4711".into()));
        }).await;
        site.directory().delete_user(&operator(), &UserKey::Id(gone.id.try_into().unwrap())).await.unwrap();
        let taken = |field: &str| format!(r#"400 {{"{field}":["user with this {} already exists."]}}"#, field.replace('_', " "));
        let me = "/api/users/me".to_owned();
        let other = format!("/api/users/{}", site.plain.id);
        for (field, value) in [("username", "gone"), ("email", "gone@example.com"), ("mobile_number", "+49 711 4711")] {
            for (method, path) in [("PATCH", &me), ("PATCH", &other)] {
                let answer = send(&site, &attacker, method, path, json!({field: value})).await;
                assert_eq!(answer.to_string(), taken(field), "{method} {path}");
            }
        }
        let new = json!({"username": "Gone"});
        assert_eq!(send(&site, &attacker, "POST", "/api/users", new.clone()).await.to_string(), taken("username"));
        let bulk = send(&site, &attacker, "POST", "/api/users/bulk", json!({"users": [new]})).await;
        assert_eq!(bulk.status, 400, "{bulk}");
        // Its time in the bin is over.
        site.clock.set("2025-10-02T12:00:00Z".parse().unwrap());
        assert_eq!(send(&site, &attacker, "POST", "/api/users", json!({"username": "Gone"})).await.status, 201);
        // An admin may do it deliberately.
        let second = person(site.directory(), "second", |_| {}).await;
        site.directory().delete_user(&operator(), &UserKey::Id(second.id.try_into().unwrap())).await.unwrap();
        assert_eq!(send(&site, &site.admin, "POST", "/api/users", json!({"username": "second"})).await.status, 201);
    }
}

const OLD: &str = "the present password";
const NEW: &str = "another long password";

async fn with_password(site: &Site, who: &Persona) {
    let key = UserKey::Id(who.id.try_into().unwrap());
    site.directory().set_password(&operator(), &key, Password::new(OLD.into())).await.unwrap();
}

both! {
    /// A stolen token does not become a sign-in: changing one's own password needs the current one, for every user
    /// and on every route.
    async fn finding_05_ones_own_password_needs_the_present_one(backend: Backend) {
        let site = Site::start(backend).await;
        for who in [&site.admin, &site.holder] {
            with_password(&site, who).await;
            let path = format!("/api/users/{}", who.id);
            let name = site.me(&who.key).send().await.json()["username"].clone();
            let try_it = async |method: &str, body: Value| send(&site, who, method, &path, body).await.to_string();
            let missing = r#"400 {"old_password":["This field is required."]}"#;
            assert_eq!(try_it("PATCH", json!({"password": NEW})).await, missing);
            assert_eq!(try_it("PUT", json!({"username": name, "password": NEW})).await, missing);
            let wrong = try_it("PATCH", json!({"password": NEW, "old_password": "wrong"})).await;
            assert_eq!(wrong, r#"400 {"old_password":["Invalid password."]}"#);
            let bulk = json!({"users": [{"id": who.id, "password": NEW}]});
            assert_eq!(send(&site, who, "PATCH", "/api/users/bulk", bulk).await.status, 400);
            let signs_in = async |password: &str| {
                let body = json!({"username": name, "password": password}).to_string();
                site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body).send().await.status
            };
            assert_eq!((signs_in(OLD).await, signs_in(NEW).await), (200, 400), "nothing has changed");
            assert!(try_it("PATCH", json!({"password": NEW, "old_password": OLD})).await.starts_with("200 "));
            assert_eq!((signs_in(NEW).await, signs_in(OLD).await), (200, 400));
        }
        let other = json!({"password": NEW, "old_password": OLD});
        let other = send(&site, &site.admin, "PATCH", &format!("/api/users/{}", site.plain.id), other).await;
        assert_eq!(other.to_string(), r#"400 {"old_password":["This field is for your own password only."]}"#);
    }
}

both! {
    /// Guesses of the current password are limited like those of a sign-in.
    async fn finding_05_the_present_password_cannot_be_guessed(backend: Backend) {
        let site = Site::start(backend).await;
        with_password(&site, &site.admin).await;
        let path = format!("/api/users/{}", site.admin.id);
        let guess = json!({"password": NEW, "old_password": "a guess"});
        let mut last = 0;
        for _ in 0..8 {
            last = send(&site, &site.admin, "PATCH", &path, guess.clone()).await.status;
        }
        assert_eq!(last, 429);
    }
}

both! {
    /// If the setting says so, a user's own e-mail address and number need the current password, too.
    async fn finding_05_contact_data_may_need_the_password_too(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.contact_needs_password = true).await;
        with_password(&site, &site.holder).await;
        let own = format!("/api/users/{}", site.holder.id);
        for path in ["/api/users/me", &own] {
            for field in ["email", "mobile_number"] {
                let value = if field == "email" { "new@example.com" } else { "+49 711 99" };
                let bare = send(&site, &site.holder, "PATCH", path, json!({field: value})).await;
                assert_eq!(bare.to_string(), r#"400 {"old_password":["This field is required."]}"#);
                let good = send(&site, &site.holder, "PATCH", path, json!({field: value, "old_password": OLD})).await;
                assert_eq!(good.status, 200, "{good}");
                let cleared = send(&site, &site.holder, "PATCH", path, json!({field: null, "old_password": OLD})).await;
                assert_eq!(cleared.status, 200, "{cleared}");
            }
            assert_eq!(send(&site, &site.holder, "PATCH", path, json!({"first_name": "X"})).await.status, 200);
        }
        let bulk = json!({"users": [{"id": site.holder.id, "email": "new@example.com"}]});
        assert_eq!(send(&site, &site.holder, "PATCH", "/api/users/bulk", bulk).await.status, 400);
        let other = send(&site, &site.holder, "PATCH", &format!("/api/users/{}", site.plain.id), json!({"email": "p@example.com"})).await;
        assert_eq!(other.status, 200, "another user's record does not need the password: {other}");
    }
}

both! {
    /// Membership in a group is a right: no user can take it, and granting it needs the permission to change groups.
    async fn finding_08_no_user_joins_a_group_by_themselves(backend: Backend) {
        let site = Site::start(backend).await;
        let attacker = clerk(&site, "attacker", &[GROUP_UPDATE, USER_CREATE, USER_UPDATE]).await;
        let friends = group(&site, "Friends", &[]).await;
        let members = format!("/api/users/groups/{friends}/members");
        assert_eq!(send(&site, &attacker, "POST", &members, json!({"users": [attacker.id]})).await.status, 403);
        let both = json!({"users": [site.plain.id, attacker.id]});
        assert_eq!(send(&site, &attacker, "POST", &members, both).await.status, 403);
        let without = clerk(&site, "without", &[USER_CREATE, USER_UPDATE]).await;
        let twin = json!({"username": "twin", "groups": [friends]});
        assert_eq!(send(&site, &without, "POST", "/api/users", twin.clone()).await.status, 403);
        assert_eq!(send(&site, &without, "POST", "/api/users/bulk", json!({"users": [twin]})).await.status, 403);
        let plain = format!("/api/users/{}", site.plain.id);
        assert_eq!(send(&site, &without, "PATCH", &plain, json!({"groups": [friends]})).await.status, 403);
        assert!(site.database.texts("SELECT CAST(user_id AS TEXT) FROM memberships WHERE user_id <> 42").await.is_empty());
        assert_eq!(send(&site, &attacker, "POST", &members, json!({"users": [site.plain.id]})).await.status, 200);
        assert_eq!(send(&site, &without, "PATCH", &plain, json!({"groups": [friends]})).await.status, 200, "nothing changes");
    }
}

both! {
    /// The right to write is not the right to read.
    async fn finding_09_writers_read_nothing_but_what_they_wrote(backend: Backend) {
        let site = Site::start(backend).await;
        let writer = clerk(&site, "writer", &[1, GROUP_UPDATE, USER_CREATE, USER_UPDATE, USER_DELETE, TOKEN_UPDATE]).await;
        let plain = format!("/api/users/{}", site.plain.id);
        let shown = async |method: &str, path: &str, body: Value| {
            let answer = send(&site, &writer, method, path, body).await;
            assert_eq!(answer.header("etag"), None, "{method} {path}");
            assert!(answer.status < 300, "{method} {path}: {answer}");
            answer.json()
        };
        let id = site.plain.id;
        assert_eq!(shown("PATCH", &plain, json!({})).await, json!({"id": id}));
        assert_eq!(shown("PATCH", &plain, json!({"first_name": "P"})).await, json!({"id": id, "first_name": "P"}));
        let secret = shown("PATCH", &plain, json!({"password": NEW, "gender": null})).await;
        assert_eq!(secret, json!({"id": id, "gender": null}));
        let bulk = json!({"users": [{"id": id, "last_name": "Q"}, {"id": site.inactive.id}]});
        assert_eq!(shown("PATCH", "/api/users/bulk", bulk.clone()).await, bulk);
        let made = shown("POST", "/api/users", json!({"username": "made"})).await;
        assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "username"]);
        let group = shown("POST", "/api/users/groups", json!({"name": "G"})).await;
        assert_eq!(group.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "name"]);
        let path = format!("/api/users/groups/{}", group["id"]);
        assert_eq!(shown("PATCH", &path, json!({})).await, json!({"id": group["id"]}));
        assert_eq!(shown("POST", &format!("{path}/members"), json!({"users": [id]})).await, json!({"id": group["id"]}));
        let owner = UserKey::Id(id.try_into().unwrap());
        let token = site.directory().issue_token(&operator(), &owner, "t", Expiry::Never).await.unwrap().token.id.get();
        let tokens = format!("{plain}/tokens/{token}");
        assert_eq!(shown("PATCH", &tokens, json!({"name": "u"})).await, json!({"id": token, "name": "u"}));
        send(&site, &writer, "DELETE", &plain, json!({})).await;
        assert_eq!(shown("POST", &format!("/api/users/deleted/{id}/restore"), json!({})).await, json!({"id": id}));
    }
}

both! {
    /// A change of nothing writes no event and changes no time.
    async fn finding_09_a_change_of_nothing_is_none(backend: Backend) {
        let site = Site::start(backend).await;
        let path = format!("/api/users/{}", site.plain.id);
        let group = group(&site, "Quiet", &[]).await;
        let events = async || site.database.texts("SELECT CAST(count(*) AS TEXT) FROM audit_events").await;
        let before = (events().await, site.get(&path).token(&site.admin.key).send().await.body);
        site.clock.set("2025-09-01T13:00:00Z".parse().unwrap());
        for (path, body) in [
            (path.clone(), json!({})),
            (path.clone(), json!({"username": "plain", "is_active": true, "groups": []})),
            ("/api/users/bulk".into(), json!({"users": [{"id": site.plain.id}]})),
            (format!("/api/users/groups/{group}"), json!({"name": "Quiet"})),
            ("/api/users/me".into(), json!({})),
        ] {
            assert_eq!(send(&site, &site.admin, "PATCH", &path, body).await.status, 200, "{path}");
        }
        assert_eq!((events().await, site.get(&path).token(&site.admin.key).send().await.body), before);
    }
}

both! {
    /// No user gets a name that an operator could mistake for an id, an option or another user.
    async fn finding_low_new_usernames_are_never_ambiguous(backend: Backend) {
        let site = Site::start(backend).await;
        let number = r#"400 {"username":["Enter a username that is not a number and does not begin with a hyphen."]}"#;
        let taken = r#"400 {"username":["user with this username already exists."]}"#;
        for (name, why) in [("42", number), ("-rf", number), ("ALEX_THOMPSON", taken), ("ａlex_thompson", taken)] {
            for (method, path) in [("POST", "/api/users"), ("PATCH", "/api/users/me")] {
                let answer = send(&site, &site.admin, method, path, json!({"username": name})).await;
                assert_eq!(answer.to_string(), why, "{method} {path} {name}");
            }
        }
        // A user who has such a name keeps it, and may send it back.
        site.database.sql("UPDATE users SET username = '4711', username_key = '4711' WHERE username = 'plain'").await;
        let path = format!("/api/users/{}", site.plain.id);
        let back = send(&site, &site.admin, "PATCH", &path, json!({"username": "4711", "first_name": "P"})).await;
        assert_eq!(back.status, 200, "{back}");
    }
}
