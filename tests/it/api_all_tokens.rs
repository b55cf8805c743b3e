//! The tokens of all users by the API: listed with filters, found by a key, changed by their ids. And failed sign-ins that
//! an administrator forgets.

use serde_json::{Value, json};
use wardroom::directory::model::{TokenId, UserKey};
use wardroom::directory::tokens::{Expiry, TokenWithKey};

use crate::support::site::{Persona, moment, operator, person};
use crate::support::{Answer, Backend, Site, both};

async fn send(site: &Site, who: &Persona, method: &str, path: &str, body: Value) -> Answer {
    let request = site.request(method, path).token(&who.key);
    if body.is_null() {
        request.send().await
    } else {
        request.body("application/json", body.to_string()).send().await
    }
}

async fn issue(site: &Site, who: &Persona, name: &str, end: Expiry) -> TokenWithKey {
    let owner = UserKey::Id(who.id.try_into().unwrap());
    site.directory().issue_token(&operator(), &owner, name, end).await.unwrap()
}

/// Staff with permissions, by their ids.
async fn staff_with(site: &Site, name: &str, permissions: &[i64]) -> Persona {
    person(site.directory(), name, |draft| {
        draft.is_staff = Some(true);
        draft.permissions = Some(permissions.to_vec());
    })
    .await
}

const READ_USERS: i64 = 6;
const READ_TOKENS: i64 = 10;

fn names(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{page}");
    let rows = page.json()["results"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| format!("{}/{}", row["username"].as_str().unwrap_or("-"), row["name"].as_str().unwrap()))
        .collect()
}

both! {
    async fn every_filter_of_tokens_narrows_the_list(backend: Backend) {
        let site = Site::start(backend).await;
        issue(&site, &site.staff, "later", Expiry::At(moment("2025-09-03T12:00:00Z"))).await;
        let over = issue(&site, &site.staff, "over", Expiry::Never).await.token.id;
        site.directory().revoke_token(&operator(), None, over).await.unwrap();
        site.database.sql("UPDATE tokens SET last_used_at = 1751328000000000 WHERE name = 'imported'").await;
        site.database.sql("UPDATE tokens SET scopes = 'me_read user_read' WHERE name = 'later'; \
            UPDATE tokens SET read_only = TRUE, allowed_networks = '10.0.0.0/8 2001:db8::/32' WHERE name = 'over'").await;
        let user = site.staff.id;
        for (query, expected) in [
            (format!("user_id={user}"), vec!["staff/test", "staff/later", "staff/over"]),
            (format!("user_id={user}&ordering=-id"), vec!["staff/over", "staff/later", "staff/test"]),
            ("kind=imported".to_owned(), vec!["alex_thompson/imported"]),
            ("state=revoked".to_owned(), vec!["staff/over"]),
            (format!("user_id={user}&state=active"), vec!["staff/test", "staff/later"]),
            ("expires_from=2025-09-03&expires_to=2025-09-03".to_owned(), vec!["staff/later"]),
            ("expires_to=2025-09-02".to_owned(), vec![]),
            ("has_expiry=true".to_owned(), vec!["staff/later"]),
            ("has_expiry=false&name=over".to_owned(), vec!["staff/over"]),
            ("is_used=true".to_owned(), vec!["alex_thompson/imported"]),
            (format!("is_used=0&user_id={user}&name=test"), vec!["staff/test"]),
            ("last_used_date=2025-07-01".to_owned(), vec!["alex_thompson/imported"]),
            ("unused_since=2025-08-01".to_owned(), vec!["alex_thompson/imported"]),
            ("unused_since=2025-07-01".to_owned(), vec![]),
            ("key=f4e7...2070".to_owned(), vec!["alex_thompson/imported"]),
            (format!("unused_since=2025-09-02&user_id={user}"), vec!["staff/test", "staff/later", "staff/over"]),
            (format!("unused_since=2025-09-01&user_id={user}"), vec![]),
            ("scope=me_read".to_owned(), vec!["staff/later"]),
            ("scope=user_read".to_owned(), vec!["staff/later"]),
            // It is a name, not a pattern.
            ("scope=user_create".to_owned(), vec![]),
            ("has_scopes=true".to_owned(), vec!["staff/later"]),
            (format!("has_scopes=false&user_id={user}"), vec!["staff/test", "staff/over"]),
            ("read_only=true".to_owned(), vec!["staff/over"]),
            (format!("read_only=false&user_id={user}"), vec!["staff/test", "staff/later"]),
            ("network=2001:DB8::/32".to_owned(), vec!["staff/over"]),
            ("network=10.0.0.0/9".to_owned(), vec![]),
            ("has_networks=true".to_owned(), vec!["staff/over"]),
            (format!("has_networks=false&user_id={user}"), vec!["staff/test", "staff/later"]),
        ] {
            let page = send(&site, &site.holder, "GET", &format!("/api/users/tokens?{query}"), Value::Null).await;
            assert_eq!(names(&page), expected, "{query}");
        }
        for (query, field, message) in [
            ("search=ann", "search", "Tokens cannot be searched: use user_id, name or key."),
            ("key=f4e75eab6e0f663a972d145478d6fc4b81762070", "key", "not the whole key."),
            ("key=f4e75eab6e0f663a972d...145478d6fc4b81762070", "key", "not the whole key."),
            ("has_expiry=perhaps", "has_expiry", "Must be a valid boolean."),
            ("unused_since=soon", "unused_since", "Date has wrong format."),
            ("state=gone", "state", "not a valid choice"),
            ("ordering=name", "ordering", "not a valid choice"),
            ("user_id=x", "user_id", "A valid integer is required."),
            ("scope=nonsense", "scope", "is not a scope"),
            ("network=10.0.0.1/8", "network", "write 10.0.0.0/8"),
            ("has_scopes=perhaps", "has_scopes", "Must be a valid boolean."),
            ("scopes=me_read", "scopes", "Unknown parameter."),
        ] {
            let refused = send(&site, &site.holder, "GET", &format!("/api/users/tokens?{query}"), Value::Null).await;
            assert_eq!(refused.status, 400, "{query}: {refused}");
            assert!(refused.json()[field][0].as_str().unwrap().contains(message), "{query}: {refused}");
        }
    }
}

both! {
    /// Every token is on exactly one page, by offset and by cursor, and no answer has a key.
    async fn pages_have_every_token_once_and_no_key(backend: Backend) {
        let site = Site::start(backend).await;
        let issued: Vec<_> = [issue(&site, &site.plain, "one", Expiry::Never).await, issue(&site, &site.plain, "two", Expiry::Never).await].into();
        let count = site.database.number("SELECT count(*) FROM tokens").await;
        for (first, ordering) in [("limit=2", ""), ("limit=2&cursor=", ""), ("limit=3&cursor=", "&ordering=-last_used_at,expires_at"), ("limit=2", "&ordering=-created_at")] {
            let (mut path, mut seen) = (Some(format!("/api/users/tokens?{first}{ordering}")), Vec::new());
            while let Some(next) = path {
                let page = send(&site, &site.admin, "GET", &next, Value::Null).await;
                assert!(issued.iter().all(|issued| !page.body.contains(issued.key.reveal())));
                let page = page.json();
                seen.extend(page["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
                path = page["next"].as_str().map(|link| link[link.find("/api").unwrap()..].to_owned());
            }
            let all: std::collections::BTreeSet<_> = seen.iter().copied().collect();
            assert_eq!((all.len(), i64::try_from(seen.len()).unwrap()), (seen.len(), count), "{first}{ordering}");
        }
        let some = send(&site, &site.admin, "GET", "/api/users/tokens?fields=id,user_id&limit=1", Value::Null).await.json();
        assert_eq!(some["results"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["user_id", "id"]);
    }
}

both! {
    /// Without the permission to read users (1222), the owner is an id.
    async fn an_owner_is_named_to_those_who_may_read_users(backend: Backend) {
        let site = Site::start(backend).await;
        let tokens_only = staff_with(&site, "reads_tokens", &[READ_TOKENS]).await;
        let both = staff_with(&site, "reads_both", &[READ_TOKENS, READ_USERS]).await;
        let token = issue(&site, &site.plain, "mine", Expiry::Never).await;
        for (who, name) in [(&tokens_only, Value::Null), (&both, json!("plain")), (&site.admin, json!("plain"))] {
            let one = send(&site, who, "GET", &format!("/api/users/tokens/{}", token.token.id), Value::Null).await.json();
            let found = send(&site, who, "POST", "/api/users/tokens/find", json!({ "key": token.key.reveal() })).await.json();
            let listed = send(&site, who, "GET", "/api/users/tokens?name=mine", Value::Null).await.json();
            for answer in [&one, &found, &listed["results"][0]] {
                assert_eq!((&answer["username"], &answer["user_id"]), (&name, &json!(site.plain.id)), "{answer}");
            }
        }
    }
}

both! {
    /// The same rules as below the owner's path: the rights of the owner count, and a missing token is a 404.
    async fn tokens_are_changed_by_their_ids(backend: Backend) {
        let site = Site::start(backend).await;
        let path = |id: TokenId| format!("/api/users/tokens/{id}");
        let (weak, strong) = (issue(&site, &site.plain, "weak", Expiry::Never).await, issue(&site, &site.admin, "strong", Expiry::Never).await);
        let renamed = send(&site, &site.holder, "PATCH", &path(weak.token.id), json!({"name": "renamed"})).await;
        assert_eq!((renamed.status, &renamed.json()["name"]), (200, &json!("renamed")));
        for (method, path, body) in [
            ("PATCH", path(strong.token.id), json!({"name": "x"})),
            ("DELETE", path(strong.token.id), Value::Null),
            ("POST", format!("{}/rotate", path(strong.token.id)), json!({})),
        ] {
            let refused = send(&site, &site.holder, method, &path, body).await;
            assert_eq!((refused.status, refused.body.contains("Only an admin")), (403, true), "{method}: {refused}");
        }
        let rotated = send(&site, &site.holder, "POST", &format!("{}/rotate", path(weak.token.id)), json!({"overlap_seconds": 60})).await;
        assert_eq!((rotated.status, rotated.header("cache-control")), (201, Some("no-store")), "{rotated}");
        let rotated = rotated.json();
        assert_eq!((&rotated["user_id"], &rotated["name"]), (&json!(site.plain.id), &json!("renamed")));
        let key = rotated["key"].as_str().unwrap();
        let own = site.request("GET", "/api/users/me/tokens");
        assert_eq!(own.token(key).send().await.status, 200);
        let new: TokenId = rotated["id"].as_i64().unwrap().try_into().unwrap();
        assert_eq!(send(&site, &site.holder, "DELETE", &path(new), Value::Null).await.status, 204);
        assert_eq!(site.request("GET", "/api/users/me/tokens").token(key).send().await.status, 401);
        assert_eq!(send(&site, &site.holder, "GET", &path(new), Value::Null).await.json()["state"], "revoked");
        for (method, path) in [("GET", "/api/users/tokens/4711"), ("DELETE", "/api/users/tokens/4711"), ("POST", "/api/users/tokens/4711/rotate"), ("GET", "/api/users/tokens/x")] {
            assert_eq!(send(&site, &site.holder, method, path, Value::Null).await.status, 404, "{method} {path}");
        }
    }
}

both! {
    /// A key is found whatever its state, and the audit trail says who looked for it. A key that no token has is a 404.
    async fn a_key_names_its_token(backend: Backend) {
        let site = Site::start(backend).await;
        let token = issue(&site, &site.plain, "lost", Expiry::Never).await;
        let find = async |key: &str| send(&site, &site.holder, "POST", "/api/users/tokens/find", json!({ "key": key })).await;
        let found = find(&format!(" {}\n", token.key.reveal())).await;
        assert_eq!((found.status, &found.json()["name"]), (200, &json!("lost")));
        assert!(!found.body.contains(token.key.reveal()));
        site.directory().revoke_token(&operator(), None, token.token.id).await.unwrap();
        assert_eq!(find(token.key.reveal()).await.json()["state"], "revoked");
        assert_eq!(find("f4e75eab6e0f663a972d145478d6fc4b81762070").await.json()["username"], "alex_thompson");
        for unknown in ["wrd_none", "0000000000000000000000000000000000000000", "ключ"] {
            assert_eq!(find(unknown).await.to_string(), r#"404 {"detail":"Not found."}"#, "{unknown}");
        }
        for (body, field) in [(json!({}), "key"), (json!({"key": " "}), "key"), (json!({"key": "k".repeat(257)}), "key"), (json!({"key": "k", "name": "x"}), "name")] {
            let refused = send(&site, &site.holder, "POST", "/api/users/tokens/find", body).await;
            assert_eq!((refused.status, refused.json().get(field).is_some()), (400, true), "{refused}");
        }
        let events = send(&site, &site.admin, "GET", "/api/users/audit?action=token.find", Value::Null).await.json();
        let events = events["results"].as_array().unwrap();
        assert_eq!(events.len(), 6);
        let about: Vec<_> = events.iter().map(|event| (event["object_kind"].as_str().unwrap(), event["actor_name"].as_str().unwrap())).collect();
        assert_eq!(about, [("directory", "holder"); 3].into_iter().chain([("token", "holder"); 3]).collect::<Vec<_>>());
        assert_eq!(events[3]["changes"], json!({ "user_id": site.alex.id }));
    }
}

both! {
    /// Guessing makes the guesser wait, and nobody else. A right key is found again when the wait is over.
    async fn guesses_of_keys_are_limited(backend: Backend) {
        let site = Site::start(backend).await;
        let find = async |who: &Persona, key: &str| send(&site, who, "POST", "/api/users/tokens/find", json!({ "key": key })).await;
        for number in 0..21 {
            assert_eq!(find(&site.holder, &format!("guess {number}")).await.status, 404, "{number}");
        }
        let early = find(&site.holder, &site.plain.key).await;
        assert_eq!((early.status, early.header("retry-after")), (429, Some("1")));
        assert_eq!(find(&site.admin, &site.plain.key).await.status, 200);
        site.clock.set(site.clock.now().plus(std::time::Duration::from_secs(1)).unwrap());
        assert_eq!(find(&site.holder, &site.plain.key).await.status, 200);
        assert_eq!(find(&site.holder, "guess again").await.status, 404);
        assert_eq!(find(&site.holder, &site.plain.key).await.header("retry-after"), Some("2"));
        let waits = site.database.number("SELECT count(*) FROM audit_events WHERE action = 'token.find' AND object_kind = 'directory'").await;
        assert_eq!(waits, 22);
    }
}

both! {
    /// Failed sign-ins are forgotten by someone who may set the user's password.
    async fn a_user_is_unlocked(backend: Backend) {
        let site = Site::start(backend).await;
        let body = json!({"username": "plain", "password": "a wrong password"}).to_string();
        let attempt = async || site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body.as_str()).send().await;
        for _ in 0..6 {
            assert_eq!(attempt().await.status, 400);
        }
        assert_eq!(attempt().await.status, 429);
        let attempts = format!("/api/users/{}/failed-attempts", site.plain.id);
        assert_eq!(send(&site, &site.staff, "GET", &attempts, Value::Null).await.status, 403);
        let open = async || {
            let answer = send(&site, &site.holder, "GET", &attempts, Value::Null).await;
            assert_eq!(answer.status, 200, "{answer}");
            answer.json()["failed_attempts"].clone()
        };
        let counted = open().await;
        let all: i64 = counted.as_array().unwrap().iter().map(|one| one["failures"].as_i64().unwrap()).sum();
        let waits = |one: &Value| one["blocked_until"].as_str().is_some_and(|until| until > "2025");
        assert!(all >= 6 && counted.as_array().unwrap().iter().any(waits), "{counted}");
        let path = format!("/api/users/{}/unlock", site.plain.id);
        assert_eq!(send(&site, &site.staff, "POST", &path, Value::Null).await.status, 403);
        assert_eq!(attempt().await.status, 429);
        let unlocked = send(&site, &site.holder, "POST", &path, Value::Null).await;
        assert_eq!(unlocked.status, 200, "{unlocked}");
        assert_eq!(unlocked.json()["failed_attempts"].as_i64(), Some(all), "{unlocked}");
        assert_eq!(open().await, json!([]));
        assert_eq!(attempt().await.status, 400);
        // The limit protects a password from who has a stolen token: not even an admin unlocks themselves.
        for caller in [&site.holder, &site.admin] {
            let own = send(&site, caller, "POST", &format!("/api/users/{}/unlock", caller.id), Value::Null).await;
            assert_eq!((own.status, own.body.contains("You cannot unlock yourself")), (403, true), "{own}");
        }
        let admin = format!("/api/users/{}/unlock", site.admin.id);
        assert_eq!(send(&site, &site.holder, "POST", &admin, Value::Null).await.status, 403);
        assert_eq!(send(&site, &site.holder, "POST", "/api/users/4711/unlock", Value::Null).await.status, 404);
        let events = send(&site, &site.admin, "GET", "/api/users/audit?action=user.unlock", Value::Null).await.json();
        assert_eq!((&events["results"][0]["actor_name"], &events["results"][0]["object_name"]), (&json!("holder"), &json!("plain")));
    }
}

both! {
    /// Guards against a narrow token that reads its owner's tokens by the routes for all tokens: they need `me_read`, as at
    /// `/api/users/me/tokens`.
    async fn a_narrow_token_reads_its_owner_s_tokens_only_with_the_scope(backend: Backend) {
        let site = Site::start(backend).await;
        let reader = staff_with(&site, "reader", &[READ_TOKENS]).await;
        let own = issue(&site, &reader, "own", Expiry::Never).await;
        let other = issue(&site, &site.plain, "other", Expiry::Never).await;
        for (scopes, may_read_own) in [("token_read", false), ("token_read me_write", false), ("token_read me_read", true)] {
            let first = format!("SELECT min(id) FROM tokens WHERE user_id = {}", reader.id);
            site.database.sql(&format!("UPDATE tokens SET scopes = '{scopes}' WHERE id = ({first})")).await;
            let get = async |path: String| send(&site, &reader, "GET", &path, Value::Null).await;
            let all = get("/api/users/tokens?limit=100".to_owned()).await;
            assert_eq!(names(&all).contains(&"-/own".to_owned()), may_read_own, "{all}");
            assert!(names(&all).contains(&"-/other".to_owned()), "{all}");
            let rows = names(&all).len();
            assert_eq!(all.json()["count"], rows, "the count does not show them either");
            let mine = get(format!("/api/users/tokens?user_id={}", reader.id)).await;
            assert_eq!(names(&mine).len(), if may_read_own { 2 } else { 0 });
            let status = if may_read_own { 200 } else { 403 };
            for path in [
                format!("/api/users/tokens/{}", own.token.id),
                format!("/api/users/{}/tokens", reader.id),
                "/api/users/me/tokens".to_owned(),
            ] {
                assert_eq!(get(path.clone()).await.status, status, "{scopes}: {path}");
            }
            assert_eq!(get(format!("/api/users/tokens/{}", other.token.id)).await.status, 200);
            for (issued, status) in [(&own, status), (&other, 200)] {
                let body = json!({ "key": issued.key.reveal() });
                let found = send(&site, &reader, "POST", "/api/users/tokens/find", body).await;
                assert_eq!(found.status, status, "{scopes}: {found}");
            }
        }
    }
}
