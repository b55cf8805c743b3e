//! Narrow tokens: scopes, reading only, and networks. What they may do by every operation is in `matrix` as well.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wardroom::config::Flags;
use wardroom::directory::Unauthenticated;
use wardroom::directory::access::scope_names;
use wardroom::directory::model::UserKey;
use wardroom::directory::tokens::{Expiry, NarrowingDraft};

use crate::cli::on;
use crate::cli_lists::works;
use crate::support::site::{Persona, operator};
use crate::support::{Answer, Backend, Database, Request, Site, both};

const FORBIDDEN: &str = r#"403 {"detail":"You do not have permission to perform this action."}"#;
const INVALID: &str = r#"401 [www-authenticate: Token] {"detail":"Invalid token."}"#;

/// A new token of this user, narrowed to what `narrow` says.
async fn narrow(site: &Site, who: &Persona, narrow: Value) -> String {
    let texts = |field: &str| {
        let texts = narrow.get(field)?.as_array()?;
        Some(Some(texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()))
    };
    let draft = NarrowingDraft {
        scopes: texts("scopes"),
        read_only: narrow.get("read_only").and_then(Value::as_bool),
        allowed_networks: texts("allowed_networks"),
    };
    let owner = UserKey::Id(who.id.try_into().unwrap());
    let issued =
        site.directory().issue_token_with(&operator(), &owner, "narrow", Expiry::Never, &draft).await;
    issued.unwrap().key.reveal().to_owned()
}

async fn scoped(site: &Site, who: &Persona, scopes: &[&str]) -> String {
    narrow(site, who, json!({ "scopes": scopes })).await
}

async fn send(site: &Site, key: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = site.request(method, path).token(key);
    match body {
        Value::Null => request.send().await,
        body => request.body("application/json", body.to_string()).send().await,
    }
}

async fn status(site: &Site, key: &str, method: &str, path: &str, body: Value) -> u16 {
    send(site, key, method, path, body).await.status
}

async fn token_id(site: &Site, key: &str) -> i64 {
    let ends = format!("prefix = '{}' AND last_four = '{}'", &key[..8], &key[36..]);
    site.database.number(&format!("SELECT id FROM tokens WHERE {ends}")).await
}

both! {
    /// The rights of a token are those that its owner has and its scopes name: for every permission, and for admins, staff
    /// with all permissions, staff with none and plain users.
    async fn finding_a_scoped_token_has_the_intersection(backend: Backend) {
        let site = Site::start(backend).await;
        let all = site.database.texts("SELECT name FROM permissions ORDER BY id").await;
        let codes = site.database.texts("SELECT CAST(code AS TEXT) FROM permissions ORDER BY id").await;
        let users = [(&site.admin, true, true), (&site.holder, true, true), (&site.staff, true, false), (&site.plain, false, false)];
        for (who, enters, holds) in users {
            for (name, code) in all.iter().zip(&codes) {
                let key = scoped(&site, who, &["me_read", name]).await;
                let me = site.get("/api/users/me?fields=is_admin,permissions,token").token(&key).send().await;
                if !enters {
                    assert_eq!(me.to_string(), FORBIDDEN);
                    continue;
                }
                let me = me.json();
                let code: i64 = code.parse().unwrap();
                assert_eq!(me["permissions"], if holds { json!([code]) } else { json!([]) }, "{name}");
                assert_eq!((&me["is_admin"], &me["token"]["scopes"]), (&json!(false), &json!(["me_read", name])));
                // One operation of each kind, of which at most one is in scope.
                for (path, needed) in [
                    ("/api/users", 1222), ("/api/users/groups", 1202), ("/api/users/tokens", 1232), ("/api/users/audit", 1242),
                    ("/api/users/permissions", 1252), ("/api/users/deleted", 1224), ("/api/users/groups/deleted", 1204),
                ] {
                    let expected = if holds && needed == code { 200 } else { 403 };
                    assert_eq!(status(&site, &key, "GET", path, Value::Null).await, expected, "{name} {path}");
                }
            }
        }
        let many = scoped(&site, &site.holder, &["user_read", "group_read", "me_read"]).await;
        let me = site.get("/api/users/me?fields=permissions").token(&many).send().await;
        assert_eq!(me.body, r#"{"permissions":[1202,1222]}"#);
        assert_eq!(site.get("/api/users/me?fields=is_staff,is_admin,token").token(&site.admin.key).send().await.json()["token"]["scopes"], Value::Null);
    }
}

both! {
    /// What belongs to the caller needs `me_read` and `me_write`, before the body is read.
    async fn ones_own_record_and_tokens_need_scopes_of_their_own(backend: Backend) {
        let site = Site::start(backend).await;
        for who in [&site.admin, &site.holder] {
            let without = scoped(&site, who, &["user_read", "user_update", "token_create", "token_update", "token_delete"]).await;
            let reads = scoped(&site, who, &["me_read"]).await;
            let writes = scoped(&site, who, &["me_write"]).await;
            let (own, token) = (format!("/api/users/{}", who.id), token_id(&site, &without).await);
            for (method, path, body) in [
                ("GET", "/api/users/me".to_owned(), Value::Null),
                ("GET", "/api/users/me/avatar".to_owned(), Value::Null),
                ("GET", "/api/users/me/tokens".to_owned(), Value::Null),
            ] {
                assert_eq!(send(&site, &without, method, &path, body.clone()).await.to_string(), FORBIDDEN, "{path}");
                assert_eq!(send(&site, &writes, method, &path, body.clone()).await.to_string(), FORBIDDEN, "{path}");
                assert!(status(&site, &reads, method, &path, body).await < 400, "{path}");
            }
            for (method, path, body) in [
                ("PATCH", "/api/users/me".to_owned(), json!({"nonsense": 1})),
                ("POST", "/api/users/me/password".to_owned(), json!({"nonsense": 1})),
                ("POST", "/api/users/me/tokens".to_owned(), json!({"nonsense": 1})),
                ("PATCH", format!("/api/users/me/tokens/{token}"), json!({"nonsense": 1})),
                ("POST", format!("/api/users/me/tokens/{token}/rotate"), json!({"nonsense": 1})),
                ("DELETE", format!("/api/users/me/tokens/{token}"), Value::Null),
                ("POST", "/api/users/me/sign-out".to_owned(), Value::Null),
                ("PATCH", own.clone(), json!({"first_name": "X"})),
                ("POST", format!("{own}/tokens"), json!({"name": "x"})),
                ("PATCH", format!("{own}/tokens/{token}"), json!({"name": "x"})),
                ("POST", format!("{own}/tokens/{token}/rotate"), json!({})),
                ("DELETE", format!("{own}/tokens/{token}"), Value::Null),
                ("POST", "/api/users/auth/signout".to_owned(), json!({"everywhere": true})),
            ] {
                for key in [&without, &reads] {
                    assert_eq!(status(&site, key, method, &path, body.clone()).await, 403, "{method} {path}");
                }
            }
            // Who may not read gets back what was written.
            let written = send(&site, &writes, "PATCH", "/api/users/me", json!({"first_name": "Xenia"})).await;
            assert_eq!(written.to_string(), format!(r#"200 {{"id":{},"first_name":"Xenia"}}"#, who.id));
        }
    }
}

both! {
    /// A token for reading only cannot write, by any operation of the document, and nothing changes. It can end itself.
    async fn a_token_for_reading_never_writes(backend: Backend) {
        let site = Site::start(backend).await;
        let document = site.get("/api/openapi.json").send().await.json();
        let key = narrow(&site, &site.admin, json!({"read_only": true})).await;
        let before = site.database.number("SELECT count(*) FROM audit_events WHERE action NOT LIKE '%.refused'").await;
        let (mut read, mut refused) = (0, 0);
        for (path, methods) in document["paths"].as_object().unwrap() {
            let path = path.replace("{id}", &site.plain.id.to_string()).replace("{token}", "1");
            for method in methods.as_object().unwrap().keys().filter(|method| *method != "parameters") {
                let open = path.starts_with("/api/users/auth/") || !path.starts_with("/api/users");
                if open {
                    continue;
                }
                let answer = send(&site, &key, &method.to_uppercase(), &path, if method == "get" { Value::Null } else { json!({}) }).await;
                match method.as_str() {
                    "get" => {
                        assert!([200, 302, 404].contains(&answer.status), "{path} {answer}");
                        read += 1;
                    }
                    _ => {
                        assert_eq!(answer.to_string(), FORBIDDEN, "{method} {path}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(read > 15 && refused > 25, "{read} {refused}");
        for method in ["HEAD", "OPTIONS"] {
            assert_eq!(status(&site, &key, method, "/api/users/me", Value::Null).await, 200);
        }
        assert_eq!(status(&site, &key, "POST", "/api/users/auth/signout", json!({"everywhere": true})).await, 403);
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events WHERE action NOT LIKE '%.refused'").await, before);
        assert_eq!(status(&site, &key, "POST", "/api/users/auth/signout", Value::Null).await, 204);
        assert_eq!(site.me(&key).send().await.to_string(), INVALID);
    }
}

both! {
    /// Networks are compared with the client's address, as trusted proxies name it, on both paths and by both families. The
    /// answer is that of an unknown key, and the audit trail names the client.
    async fn a_token_works_from_its_networks_only(backend: Backend) {
        for (proxies, sent, networks, works) in [
            ("127.0.0.0/8", "192.0.2.7", "192.0.2.0/24", true),
            ("127.0.0.0/8", "::ffff:192.0.2.7", "192.0.2.0/24", true),
            ("127.0.0.0/8", "198.51.100.1", "192.0.2.0/24", false),
            ("127.0.0.0/8", "192.0.2.7, 198.51.100.1", "192.0.2.0/24", false),
            ("127.0.0.0/8", "2001:db8::9", "2001:db8::/32", true),
            ("127.0.0.0/8", "2001:db9::9", "2001:db8::/32", false),
            ("127.0.0.0/8", "192.0.2.7", "::/0", false),
            // A header that no trusted proxy sent changes nothing.
            ("", "192.0.2.7", "192.0.2.0/24", false),
            ("", "192.0.2.7", "127.0.0.1/32", true),
            ("10.0.0.0/8", "10.0.0.1", "10.0.0.0/8", false),
        ] {
            let site = Site::with(backend, Flags::default().with("trusted_proxies", proxies)).await;
            let key = narrow(&site, &site.admin, json!({"allowed_networks": [networks]})).await;
            let mut answers = Vec::new();
            for path in ["/api/users/me", "/api/users/me", "/api/users/me?x", "/api/users/me?x"] {
                let answer = site.get(path).token(&key).header("X-Forwarded-For", sent).send().await;
                let authenticate = answer.header("www-authenticate").map(str::to_owned);
                answers.push((answer.to_string(), authenticate));
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{sent} {networks} {answers:?}");
            let write = site.request("PATCH", "/api/users/me").token(&key).header("X-Forwarded-For", sent);
            let write = write.body("application/json", r#"{"first_name":"Far"}"#).send().await;
            if works {
                assert!(answers[0].0.starts_with("200 ") && write.status == 200, "{sent} {networks}");
                continue;
            }
            assert_eq!(answers[0], (INVALID.to_owned(), Some("Token".to_owned())), "{sent} {networks}");
            assert_eq!(write.to_string(), INVALID);
            assert_eq!(site.database.number("SELECT count(*) FROM users WHERE first_name = 'Far'").await, 0);
            let noted = "SELECT count(*) FROM audit_events WHERE action = 'token.refused' AND changes LIKE '%outside the token''s networks%'";
            while site.database.number(noted).await == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let unknown = site.me(&"f".repeat(40)).header("X-Forwarded-For", sent).send().await;
            assert_eq!(unknown.to_string(), answers[0].0);
        }
    }
}

both! {
    /// Without an address nothing is within a network.
    async fn a_client_without_an_address_is_outside(backend: Backend) {
        let site = Site::start(backend).await;
        let key = narrow(&site, &site.admin, json!({"allowed_networks": ["0.0.0.0/0", "::/0"]})).await;
        let by = |from: Option<&str>| site.directory().authenticate(&key, from.map(|from| from.parse().unwrap()));
        assert!(by(Some("192.0.2.1")).await.is_ok() && by(Some("::1")).await.is_ok());
        assert!(matches!(by(None).await, Err(Unauthenticated::InvalidToken(Some(_)))));
    }
}

both! {
    /// The next request shows what a token is narrowed to: on both paths, by the command line and by SQL, here and on another
    /// replica.
    async fn a_narrowing_shows_at_once(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let from_afar = |request: Request| request.header("X-Forwarded-For", "198.51.100.7");
        let key = narrow(&site, &site.admin, json!({})).await;
        let id = token_id(&site, &key).await.to_string();
        let answers = async || {
            let mut statuses = Vec::new();
            for address in [site.address, replica] {
                for path in ["/api/users/me", "/api/users/me?x", "/api/users"] {
                    statuses.push(from_afar(Request::new(address, "GET", path)).token(&key).send().await.status);
                }
            }
            let mut writes = from_afar(Request::new(site.address, "PATCH", "/api/users/me")).token(&key);
            writes = writes.body("application/json", "{}");
            (statuses, writes.send().await.status)
        };
        let all = |own: u16, list: u16| vec![own, own, list, own, own, list];
        assert_eq!(answers().await, (all(200, 200), 200));
        for (step, expected) in [
            ("UPDATE tokens SET scopes = 'me_read'", (all(200, 403), 403)),
            ("UPDATE tokens SET scopes = 'user_read'", (all(403, 200), 403)),
            // Neither a name that is unknown nor none at all allows anything.
            ("UPDATE tokens SET scopes = 'me_raed'", (all(403, 403), 403)),
            ("UPDATE tokens SET scopes = ''", (all(403, 403), 403)),
            ("UPDATE tokens SET scopes = NULL, allowed_networks = '192.0.2.0/24'", (all(401, 401), 401)),
            ("UPDATE tokens SET allowed_networks = '198.51.100.0/24'", (all(200, 200), 200)),
            ("UPDATE tokens SET allowed_networks = 'nonsense'", (all(401, 401), 401)),
            ("UPDATE tokens SET allowed_networks = NULL, read_only = TRUE", (all(200, 200), 403)),
            ("UPDATE tokens SET read_only = FALSE", (all(200, 200), 200)),
        ] {
            site.database.sql(&format!("{step} WHERE id = {id}")).await;
            assert_eq!(answers().await, expected, "{step}");
        }
        for (flags, expected) in [
            (&["--scope", "me_read"][..], (all(200, 403), 403)),
            (&["--all-scopes", "--network", "192.0.2.0/24"], (all(401, 401), 401)),
            (&["--any-network", "--read-only"], (all(200, 200), 403)),
            (&["--read-write"], (all(200, 200), 200)),
        ] {
            works(&site.database, &[&["token", "edit", &id], flags].concat());
            assert_eq!(answers().await, expected, "{flags:?}");
        }
    }
}

both! {
    /// A request whose body arrives after the token was narrowed is decided by what the token is then.
    async fn a_write_is_decided_by_the_token_as_it_is_in_its_transaction(backend: Backend) {
        let site = Site::start(backend).await;
        let key = narrow(&site, &site.admin, json!({})).await;
        let id = token_id(&site, &key).await;
        let identity = site.directory().authenticate(&key, Some([127, 0, 0, 1].into())).await.unwrap();
        let origin = wardroom::directory::Origin { address: Some("127.0.0.1".into()), ..Default::default() };
        let actor = wardroom::directory::Actor { who: wardroom::directory::access::Who::Person(Arc::clone(&identity)), origin };
        let draft = || wardroom::directory::model::UserDraft { first_name: Some("Late".into()), ..Default::default() };
        let plain = UserKey::Id(site.plain.id.try_into().unwrap());
        for step in [
            "scopes = 'user_read'", "scopes = NULL, read_only = TRUE", "read_only = FALSE, allowed_networks = '192.0.2.0/24'",
        ] {
            site.database.sql(&format!("UPDATE tokens SET {step} WHERE id = {id}")).await;
            let written = site.directory().update_user(&actor, &plain, &draft(), None).await;
            assert!(written.is_err(), "{step}");
        }
        site.database.sql(&format!("UPDATE tokens SET allowed_networks = NULL WHERE id = {id}")).await;
        assert!(site.directory().update_user(&actor, &plain, &draft(), None).await.is_ok());
    }
}

both! {
    /// No token makes, rotates, renames, extends or widens one with more than it has: neither scopes, nor networks.
    async fn finding_a_narrow_token_makes_no_wider_one(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("trusted_proxies", "")).await;
        let maker = narrow(&site, &site.admin, json!({"scopes": ["me_read", "me_write", "user_read"], "allowed_networks": ["127.0.0.0/8"]})).await;
        let issue = async |mut body: Value| {
            body["name"] = json!("made");
            send(&site, &maker, "POST", "/api/users/me/tokens", body).await
        };
        for (body, expected) in [
            (json!({"scopes": null}), r#"{"scopes":["A token cannot give more than it has: name some of its scopes."]}"#),
            (json!({"scopes": ["user_read", "user_update", "audit_read"]}), r#"{"scopes":["A token cannot give more than it has: it does not have user_update.","A token cannot give more than it has: it does not have audit_read."]}"#),
            (json!({"allowed_networks": null}), r#"{"allowed_networks":["A token cannot give more than it has: name networks inside its own."]}"#),
            (json!({"allowed_networks": ["127.0.0.0/7"]}), ""),
            (json!({"allowed_networks": ["126.0.0.0/7"]}), r#"{"allowed_networks":["A token cannot give more than it has: 126.0.0.0/7 is outside its networks."]}"#),
            (json!({"allowed_networks": ["127.0.0.1", "::1"]}), r#"{"allowed_networks":["A token cannot give more than it has: ::1/128 is outside its networks."]}"#),
        ] {
            let answer = issue(body.clone()).await;
            assert_eq!(answer.status, 400, "{body} {answer}");
            assert!(expected.is_empty() || answer.body == expected, "{body} {answer}");
        }
        // What is not named is what the maker has.
        let same = issue(json!({})).await.json();
        assert_eq!((&same["scopes"], &same["read_only"], &same["allowed_networks"]), (&json!(["me_read", "me_write", "user_read"]), &json!(false), &json!(["127.0.0.0/8"])));
        let less = issue(json!({"scopes": ["me_read"], "read_only": true, "allowed_networks": ["127.0.0.1"]})).await.json();
        assert_eq!((&less["scopes"], &less["read_only"], &less["allowed_networks"]), (&json!(["me_read"]), &json!(true), &json!(["127.0.0.1/32"])));
        let path = |id: &Value| format!("/api/users/me/tokens/{id}");
        for body in [json!({"scopes": null}), json!({"scopes": ["user_update"]}), json!({"allowed_networks": null})] {
            assert_eq!(send(&site, &maker, "PATCH", &path(&less["id"]), body).await.status, 400);
        }
        // A wider token of the same owner is neither renamed, extended, narrowed nor rotated; the same right is needed to end it.
        let wide = token_id(&site, &narrow(&site, &site.admin, json!({})).await).await;
        for body in [json!({"name": "mine now"}), json!({"expires_at": "2026-01-01T00:00:00Z"}), json!({"scopes": ["me_read"]})] {
            let answer = send(&site, &maker, "PATCH", &path(&json!(wide)), body).await;
            assert_eq!(answer.to_string(), r#"403 {"detail":"You cannot hand on, take away or act with a right that you do not hold."}"#);
        }
        assert_eq!(status(&site, &maker, "POST", &format!("{}/rotate", path(&json!(wide))), json!({})).await, 403);
        // A rotation keeps what the token is narrowed to.
        let rotated = send(&site, &site.admin.key, "POST", &format!("{}/rotate", path(&less["id"])), json!({})).await.json();
        assert_eq!((&rotated["scopes"], &rotated["read_only"], &rotated["allowed_networks"]), (&json!(["me_read"]), &json!(true), &json!(["127.0.0.1/32"])));
        // Its owner's own token may widen it again.
        let widened = send(&site, &site.admin.key, "PATCH", &path(&rotated["id"]), json!({"scopes": null, "read_only": false, "allowed_networks": null})).await.json();
        assert_eq!((&widened["scopes"], &widened["read_only"], &widened["allowed_networks"]), (&Value::Null, &json!(false), &Value::Null));
        let events = site.database.texts("SELECT changes FROM audit_events WHERE action = 'token.update' ORDER BY id DESC LIMIT 1").await;
        assert_eq!(events, [r#"{"scopes":[["me_read"],null],"read_only":[true,false],"allowed_networks":[["127.0.0.1/32"],null]}"#]);
    }
}

both! {
    /// A scoped token of an admin is no admin: it makes none, changes none, and acts for none.
    async fn finding_a_scoped_token_of_an_admin_is_no_admin(backend: Backend) {
        let site = Site::start(backend).await;
        let names = site.database.texts("SELECT name FROM permissions ORDER BY id").await;
        let scopes: Vec<&str> = ["me_read", "me_write"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let key = scoped(&site, &site.admin, &scopes).await;
        let other = crate::support::site::person(site.directory(), "other-admin", |draft| draft.is_admin = Some(true)).await;
        let other_path = format!("/api/users/{}", other.id);
        for (method, path, body) in [
            ("POST", "/api/users".to_owned(), json!({"username": "new-admin", "is_admin": true})),
            ("PATCH", format!("/api/users/{}", site.staff.id), json!({"is_admin": true})),
            ("PATCH", other_path.clone(), json!({"first_name": "X"})),
            ("PATCH", other_path.clone(), json!({"password": "an unlikely pass phrase"})),
            ("DELETE", other_path.clone(), Value::Null),
            ("POST", format!("{other_path}/tokens"), json!({"name": "x"})),
            ("POST", format!("{other_path}/sign-out"), Value::Null),
            ("POST", format!("{other_path}/unlock"), Value::Null),
            ("POST", "/api/users/permissions".to_owned(), json!({"name": "order_read"})),
            ("PATCH", "/api/users/bulk".to_owned(), json!({"users": [{"id": other.id, "first_name": "X"}]})),
            ("DELETE", "/api/users/bulk".to_owned(), json!({"ids": [other.id]})),
        ] {
            let answer = send(&site, &key, method, &path, body).await;
            assert!([400, 403].contains(&answer.status), "{method} {path} {answer}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE is_admin").await, 2);
        assert_eq!(site.database.number(&format!("SELECT count(*) FROM tokens WHERE user_id = {} AND revoked_at IS NULL", other.id)).await, 1);
        // Of an ordinary user it may do what its scopes say.
        assert_eq!(status(&site, &key, "PATCH", &format!("/api/users/{}", site.plain.id), json!({"first_name": "X"})).await, 200);
    }
}

both! {
    /// Every misuse names what was met and what to write.
    async fn misuses_are_named(backend: Backend) {
        let site = Site::start(backend).await;
        let many: Vec<String> = (0..21).map(|number| format!("10.0.{number}.0/24")).collect();
        // The names are those of the program, and those are `me_read`, `me_write` and the names of the permissions of a new database.
        let permissions = site.database.texts("SELECT name FROM permissions ORDER BY code").await;
        let names: Vec<_> = ["me_read", "me_write"].into_iter().chain(permissions.iter().map(String::as_str)).collect();
        assert_eq!(scope_names(), names);
        let vocabulary = format!("Scopes are {}, and the codes of permissions that were created here.", names.join(", "));
        for (body, field, expected) in [
            (json!({"scopes": ["user_raed"]}), "scopes", format!("\"user_raed\" is not a scope. {vocabulary}")),
            (json!({"scopes": [1222]}), "scopes", "\"1222\" is not a scope: write user_read.".to_owned()),
            (json!({"scopes": ["10001"]}), "scopes", "\"10001\" is not a scope: no permission has this code.".to_owned()),
            (json!({"scopes": []}), "scopes", "This list may not be empty. Null is no limit.".to_owned()),
            (json!({"scopes": {"a": 1}}), "scopes", "Expected a list of items but got type \"dict\".".to_owned()),
            (json!({"scopes": [null]}), "scopes", "This field may not be null.".to_owned()),
            (json!({"scopes": vec!["me_read"; 101]}), "scopes", "Ensure this field has no more than 100 elements.".to_owned()),
            (json!({"read_only": "perhaps"}), "read_only", "Must be a valid boolean.".to_owned()),
            (json!({"allowed_networks": ["home"]}), "allowed_networks", "\"home\" is not a network: write an address with the length of its prefix, such as 10.20.0.0/16 or 2001:db8::/32, or one address.".to_owned()),
            (json!({"allowed_networks": ["10.1.2.3/8"]}), "allowed_networks", "\"10.1.2.3/8\" has bits behind its prefix: write 10.0.0.0/8 for the network, or 10.1.2.3/32 for the address.".to_owned()),
            (json!({"allowed_networks": many}), "allowed_networks", "Ensure this field has no more than 20 elements.".to_owned()),
        ] {
            let mut body = body;
            body["name"] = json!("x");
            let answer = send(&site, &site.admin.key, "POST", "/api/users/me/tokens", body.clone()).await;
            assert_eq!((answer.status, &answer.json()), (400, &json!({field: [expected]})), "{body}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM tokens WHERE name = 'x'").await, 0);
        // A form says the same.
        let form = site.request("POST", "/api/users/me/tokens").token(&site.admin.key)
            .body("application/x-www-form-urlencoded", "name=f&scopes=user_read&scopes=me_read&read_only=on").send().await.json();
        assert_eq!((&form["scopes"], &form["read_only"], &form["allowed_networks"]), (&json!(["me_read", "user_read"]), &json!(true), &Value::Null));
        for (query, expected) in [
            ("scope=zz", format!(r#"{{"scope":["\"zz\" is not a scope. {vocabulary}"]}}"#)),
            ("network=zz", r#"{"network":["\"zz\" is not a network: write an address with the length of its prefix, such as 10.20.0.0/16 or 2001:db8::/32, or one address."]}"#.to_owned()),
        ] {
            assert_eq!(site.get(&format!("/api/users/tokens?{query}")).token(&site.admin.key).send().await.body, expected);
        }
    }
}

both! {
    /// An empty list or text is neither nothing nor everything: it is refused wherever a token is made or changed, in every
    /// format, and nothing changes.
    async fn finding_an_empty_list_is_never_no_limit(backend: Backend) {
        let site = Site::start(backend).await;
        let kept = narrow(&site, &site.admin, json!({"scopes": ["me_read"], "allowed_networks": ["127.0.0.0/8"]})).await;
        let (admin, token) = (site.admin.id, token_id(&site, &kept).await);
        let tokens = async || site.database.texts("SELECT id || ' ' || name || ' ' || coalesce(scopes, 'all') || ' ' || coalesce(allowed_networks, 'any') FROM tokens ORDER BY id").await;
        let before = tokens().await;
        let list = "This list may not be empty. Null is no limit.";
        let text = "This list may not be empty. Null is no limit; a form cannot say null, so send JSON.";
        let form = "application/x-www-form-urlencoded";
        let part = |field: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nx\r\n--b--\r\n");
        for (method, path) in [
            ("POST", "/api/users/me/tokens".to_owned()),
            ("POST", format!("/api/users/{admin}/tokens")),
            ("PATCH", format!("/api/users/me/tokens/{token}")),
            ("PATCH", format!("/api/users/{admin}/tokens/{token}")),
            ("PATCH", format!("/api/users/tokens/{token}")),
        ] {
            for field in ["scopes", "allowed_networks"] {
                let word = if field == "scopes" { "scope" } else { "network" };
                for (kind, body, expected) in [
                    ("application/json", json!({"name": "x", field: []}).to_string(), list),
                    ("application/json", json!({"name": "x", field: ""}).to_string(), text),
                    (form, format!("name=x&{field}="), text),
                    (form, format!("name=x&{field}"), text),
                    ("multipart/form-data; boundary=b", part(field), text),
                    ("application/json", json!({"name": "x", field: [""]}).to_string(), word),
                    (form, format!("name=x&{field}=+"), word),
                    (form, format!("name=x&{field}=&{field}="), word),
                ] {
                    let answer = site.request(method, &path).token(&site.admin.key).body(kind, body.clone()).send().await;
                    let message = answer.json()[field][0].as_str().unwrap_or_default().to_owned();
                    let fits = if expected == word { message.contains(&format!("is not a {word}")) } else { message == expected };
                    assert!(answer.status == 400 && fits, "{method} {path} {kind} {body}: {answer}");
                }
            }
            let bad = site.request(method, &path).token(&site.admin.key).body(form, "name=x&read_only=&expires_at=").send().await;
            assert_eq!(bad.status, 400, "{method} {path} {bad}");
            assert!(bad.json()["read_only"].is_array() && bad.json()["expires_at"].is_array(), "{bad}");
        }
        // A rotation takes neither.
        let rotate = format!("/api/users/me/tokens/{token}/rotate");
        for body in ["scopes=", "allowed_networks=", "read_only="] {
            assert_eq!(site.request("POST", &rotate).token(&site.admin.key).body(form, body).send().await.status, 400, "{body}");
        }
        for flags in [
            &["--scope", ""][..], &["--scope="], &["--scope", ","], &["--scope", "me_read,"], &["--network", ""], &["--network="], &["--network", ","],
        ] {
            for command in [&["token", "issue", "admin", "--name", "x"][..], &["token", "edit", &token.to_string()], &["token", "list"]] {
                let ran = on(&site.database, &[command, flags].concat(), "");
                let is_named = ran.err.contains("is not a ") || ran.err.contains("a value is required for");
                assert!(ran.code == 2 && is_named, "{command:?} {flags:?} {} {}", ran.code, ran.err);
            }
        }
        assert_eq!(tokens().await, before);
    }
}

both! {
    /// In a record, an empty list allows nothing, and an empty text is no list.
    async fn an_imported_empty_list_allows_nothing(backend: Backend) {
        let place = Database::new(backend).await;
        let key = |number: u8| format!("{number}").repeat(40);
        let record = |number: u8, rest: &str| format!(r#"{{"type":"token","user":"ann","key":"{}","name":"t{number}"{rest}}}"#, key(number));
        let user = r#"{"type":"user","username":"ann","is_staff":true,"is_admin":true}"#;
        let file = place.place().join("records.json");
        let import = |lines: &[String]| {
            std::fs::write(&file, format!("{user}\n{}\n", lines.join("\n"))).unwrap();
            on(&place, &["import", "json", "--from", file.to_str().unwrap()], "")
        };
        for bad in [r#","scopes":"""#, r#","allowed_networks":"""#, r#","scopes":[""]"#, r#","allowed_networks":[""]"#, r#","read_only":"""#, r#","scopes":["10001"]"#] {
            let ran = import(&[record(1, bad)]);
            assert!(ran.code != 0, "{bad}: {}{}", ran.out, ran.err);
            assert_eq!(place.number("SELECT count(*) FROM users").await, 0, "{bad}");
        }
        let ran = import(&[record(1, r#","scopes":[]"#), record(2, r#","allowed_networks":[]"#), record(3, r#","scopes":null"#)]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let address = Site::serve(&place).await;
        for (number, own, all) in [(1, 403, 403), (2, 401, 401), (3, 200, 200)] {
            let get = async |path: &str| Request::new(address, "GET", path).token(&key(number)).send().await.status;
            assert_eq!((get("/api/users/me").await, get("/api/users").await), (own, all), "{number}");
        }
        let shown = works(&place, &["token", "list"]).out;
        assert!(shown.contains("no scope left"), "{shown}");
        assert_eq!(exported(&place)[0]["scopes"], json!([]));
    }
}

both! {
    /// A permission that is removed leaves all scopes, and one that gets its code later is in none of them. The last scope leaves
    /// an empty list: null would allow everything. Every replica sees it with the next request.
    async fn finding_the_code_of_a_removed_permission_leaves_all_scopes(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let create = async |name: &str, code: i64| {
            let made = send(&site, &site.admin.key, "POST", "/api/users/permissions", json!({"name": name, "code": code})).await;
            assert_eq!(made.status, 201, "{made}");
            format!("/api/users/permissions/{}", made.json()["id"])
        };
        let (orders, other) = (create("order_read", 10_001).await, create("invoice_read", 100_010).await);
        let both = scoped(&site, &site.admin, &["me_read", "10001", "100010"]).await;
        let only = scoped(&site, &site.admin, &["10001"]).await;
        let revoked = scoped(&site, &site.admin, &["10001", "user_read"]).await;
        works(&site.database, &["token", "revoke", &token_id(&site, &revoked).await.to_string()]);
        let rights = async |key: &str| {
            let mut seen = Vec::new();
            for address in [site.address, replica] {
                seen.push(Request::new(address, "GET", "/api/users/me?fields=permissions").token(key).send().await.to_string());
            }
            assert_eq!(seen[0], seen[1]);
            seen.remove(0)
        };
        assert_eq!(rights(&both).await, r#"200 {"permissions":[10001,100010]}"#);
        assert_eq!(rights(&only).await, FORBIDDEN);
        assert_eq!(send(&site, &site.admin.key, "DELETE", &orders, Value::Null).await.status, 204);
        assert_eq!(rights(&both).await, r#"200 {"permissions":[100010]}"#);
        let stored = async || site.database.texts("SELECT coalesce(scopes, 'all') FROM tokens WHERE name = 'narrow' ORDER BY id").await;
        assert_eq!(stored().await, ["me_read 100010", "", "user_read"]);
        let event = site.database.texts("SELECT changes FROM audit_events WHERE action = 'permission.remove'").await;
        assert!(event[0].contains(r#""tokens":3"#), "{event:?}");
        // Another permission with the code is not what was meant.
        let again = create("payroll_read", 10_001).await;
        assert_eq!((rights(&both).await, rights(&only).await), (r#"200 {"permissions":[100010]}"#.to_owned(), FORBIDDEN.to_owned()));
        assert_eq!(stored().await, ["me_read 100010", "", "user_read"]);
        let shown = send(&site, &site.admin.key, "GET", "/api/users/tokens?name=narrow", Value::Null).await.json();
        let scopes: Vec<_> = shown["results"].as_array().unwrap().iter().map(|token| token["scopes"].clone()).collect();
        assert!(scopes.contains(&json!([])), "{scopes:?}");
        // Nor is one whose code stands in scopes before it exists, as only SQL can write it. The command line does the same.
        for path in [again, other] {
            assert_eq!(send(&site, &site.admin.key, "DELETE", &path, Value::Null).await.status, 204);
        }
        site.database.sql("UPDATE tokens SET scopes = '10001 me_read 10001 110001' WHERE scopes = 'me_read'").await;
        site.database.sql("UPDATE tokens SET scopes = '10001' WHERE scopes = ''").await;
        works(&site.database, &["permission", "add", "secret_read", "--code", "10001"]);
        assert_eq!(stored().await, ["me_read 110001", "", "user_read"]);
        assert_eq!((rights(&both).await, rights(&only).await), (r#"200 {"permissions":[110001]}"#.to_owned(), FORBIDDEN.to_owned()));
        works(&site.database, &["permission", "remove", "secret_read", "--yes"]);
        // An import brings permissions, too.
        site.database.sql("UPDATE tokens SET scopes = 'me_read 10001' WHERE scopes = 'me_read 110001'").await;
        let file = site.database.place().join("permission.json");
        std::fs::write(&file, r#"{"type":"permission","code":10001,"name":"imported_read"}"#).unwrap();
        let ran = on(&site.database, &["import", "json", "--from", file.to_str().unwrap()], "");
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(stored().await, ["me_read", "", "user_read"]);
        assert_eq!(rights(&both).await, r#"200 {"permissions":[]}"#);
        // A rename keeps the meaning, and the scopes.
        let named = scoped(&site, &site.admin, &["me_read", "10001"]).await;
        works(&site.database, &["permission", "rename", "imported_read", "imported_view"]);
        assert_eq!(rights(&named).await, r#"200 {"permissions":[10001]}"#);
    }
}

both! {
    /// Nor does a user or a group in the recycle bin get another permission with the code or the id of one that was removed.
    async fn finding_a_removed_permission_leaves_the_recycle_bin(backend: Backend) {
        let place = Database::new(backend).await;
        works(&place, &["permission", "add", "order_read", "--code", "10001"]);
        works(&place, &["user", "add", "ann", "--staff", "--permission", "order_read", "--permission", "user_read"]);
        works(&place, &["group", "add", "Orders"]);
        works(&place, &["group", "grant", "Orders", "order_read", "user_read"]);
        for deleted in ["ann", "Orders"] {
            works(&place, &[if deleted == "ann" { "user" } else { "group" }, "delete", deleted, "--yes"]);
        }
        let id = place.number("SELECT id FROM permissions WHERE code = 10001").await;
        works(&place, &["permission", "remove", "order_read", "--yes"]);
        let file = place.place().join("permission.json");
        for (id, code, name) in [(id, 10_002, "payroll_read"), (id + 1, 10_001, "invoice_read")] {
            std::fs::write(&file, format!(r#"{{"type":"permission","id":{id},"code":{code},"name":"{name}"}}"#)).unwrap();
            works(&place, &["import", "json", "--from", file.to_str().unwrap()]);
        }
        assert_eq!(place.number(&format!("SELECT code FROM permissions WHERE id = {id}")).await, 10_002, "the id is used again");
        works(&place, &["user", "restore", "ann"]);
        works(&place, &["group", "restore", "Orders"]);
        for table in ["user_permissions", "group_permissions"] {
            let held = format!("SELECT p.name FROM {table} h JOIN permissions p ON p.id = h.permission_id ORDER BY p.code");
            assert_eq!(place.texts(&held).await, ["user_read"], "{table}");
        }
    }
}

both! {
    /// A token with an expiry widens none that lives longer. It may rename it, and make less of it.
    async fn finding_a_token_widens_none_that_lives_longer(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(site.admin.id.try_into().unwrap());
        let hour = Expiry::After(Duration::from_hours(1));
        let calling = site.directory().issue_token(&operator(), &owner, "calling", hour).await.unwrap().key.reveal().to_owned();
        let (whole, part) = (narrow(&site, &site.admin, json!({})).await, scoped(&site, &site.admin, &["me_read"]).await);
        let (whole, part) = (token_id(&site, &whole).await, token_id(&site, &part).await);
        let tokens = async || site.database.texts("SELECT name || coalesce(scopes, 'all') FROM tokens WHERE name <> 'calling' ORDER BY id").await;
        let before = tokens().await;
        let refused = r#"400 {"expires_at":["A token cannot widen one that lives longer than itself: use one that lives as long, or set an earlier expiry as well."]}"#;
        for path in ["/api/users/me/tokens".to_owned(), "/api/users/tokens".to_owned(), format!("/api/users/{}/tokens", site.admin.id)] {
            for (id, body) in [
                (part, json!({"scopes": null})), (part, json!({"scopes": null, "name": "mine"})),
                (part, json!({"scopes": ["user_read"]})), (part, json!({"scopes": ["me_read", "user_read"]})),
            ] {
                let answer = send(&site, &calling, "PATCH", &format!("{path}/{id}"), body.clone()).await;
                assert_eq!(answer.to_string(), refused, "{path} {body}");
            }
            // What stays as it is, is no change.
            for (id, body) in [(whole, json!({"name": "narrow"})), (whole, json!({"read_only": false})), (part, json!({"scopes": ["me_read"], "read_only": false})), (part, json!({}))] {
                assert_eq!(status(&site, &calling, "PATCH", &format!("{path}/{id}"), body.clone()).await, 200, "{path} {body}");
            }
        }
        assert_eq!(tokens().await, before);
        let path = |id: i64| format!("/api/users/me/tokens/{id}");
        assert_eq!(status(&site, &calling, "PATCH", &path(whole), json!({"read_only": true, "scopes": ["me_read"]})).await, 200);
        let soon = site.clock.now().plus(Duration::from_secs(60)).unwrap().to_string();
        assert_eq!(status(&site, &calling, "PATCH", &path(part), json!({"expires_at": soon, "name": "short", "scopes": null})).await, 200);
        assert_eq!(status(&site, &calling, "PATCH", &path(whole), json!({"name": "mine"})).await, 200);
        assert_eq!(status(&site, &calling, "DELETE", &path(whole), Value::Null).await, 204);
    }
}

both! {
    /// The code of a permission of another service is a scope as well. It stays the same when the permission is renamed.
    async fn a_permission_that_was_created_here_is_a_scope_by_its_code(backend: Backend) {
        let site = Site::start(backend).await;
        let made = send(&site, &site.admin.key, "POST", "/api/users/permissions", json!({"name": "order_read"})).await.json();
        let code = made["code"].as_i64().unwrap();
        let key = scoped(&site, &site.admin, &["me_read", &code.to_string()]).await;
        let rights = async || site.get("/api/users/me?fields=permissions").token(&key).send().await.body;
        assert_eq!(rights().await, format!(r#"{{"permissions":[{code}]}}"#));
        send(&site, &site.admin.key, "PATCH", &format!("/api/users/permissions/{}", made["id"]), json!({"name": "order_look"})).await;
        assert_eq!(rights().await, format!(r#"{{"permissions":[{code}]}}"#));
        let staff = scoped(&site, &site.staff, &["me_read", &code.to_string()]).await;
        assert_eq!(site.get("/api/users/me?fields=permissions").token(&staff).send().await.body, r#"{"permissions":[]}"#);
    }
}

/// The lines of an export about tokens.
fn exported(database: &Database) -> Vec<Value> {
    let lines = works(database, &["export"]).out;
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["type"] == "token")
        .collect()
}

both! {
    /// An export and its import keep what a token is narrowed to. Importing into a database that has the token never widens it.
    async fn what_a_token_is_narrowed_to_survives_export_and_import(backend: Backend) {
        let site = Site::start(backend).await;
        let narrowing = json!({"scopes": ["me_read", "user_read"], "read_only": true, "allowed_networks": ["127.0.0.0/8", "2001:db8::/32"]});
        let key = narrow(&site, &site.holder, narrowing.clone()).await;
        let export = works(&site.database, &["export"]).out;
        let file = site.database.place().join("records.json");
        std::fs::write(&file, &export).unwrap();
        let import = |database: &Database, flags: &[&str]| {
            on(database, &[&["import", "json", "--from", file.to_str().unwrap()], flags].concat(), "")
        };
        for other in [Backend::Sqlite, Backend::Postgres] {
            let database = Database::new(other).await;
            let ran = import(&database, &[]);
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert_eq!(exported(&database), exported(&site.database));
            let address = Site::serve(&database).await;
            assert_eq!(Request::new(address, "GET", "/api/users").header("X-Forwarded-For", "2001:db8::1").token(&key).send().await.status, 200);
            assert_eq!(Request::new(address, "GET", "/api/users/groups").header("X-Forwarded-For", "2001:db8::1").token(&key).send().await.status, 403);
        }
        // The same records again change nothing, and wider ones widen nothing.
        let id = token_id(&site, &key).await;
        works(&site.database, &["token", "edit", &id.to_string(), "--scope", "me_read", "--network", "127.0.0.1"]);
        let before = exported(&site.database);
        let ran = import(&site.database, &["--sync"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(exported(&site.database), before);
        // A record that no token can have is a conflict, and nothing is written.
        for (good, bad) in [("\"user_read\"", "\"user_raed\""), ("127.0.0.0/8", "127.0.0.1/8")] {
            std::fs::write(&file, export.replace(good, bad)).unwrap();
            let database = Database::new(backend).await;
            let ran = import(&database, &[]);
            let report = format!("{}{}", ran.out, ran.err);
            assert!(ran.code != 0 && report.contains("a token cannot be imported"), "{} {report}", ran.code);
            assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        }
    }
}

both! {
    /// A move to the other database, and a backup that is restored there, keep what tokens are narrowed to, the empty list included.
    async fn what_a_token_is_narrowed_to_survives_a_move_and_a_restore(backend: Backend) {
        let other = if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite };
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "ann", "--admin"]);
        for flags in [
            &["--scope", "me_read,user_read", "--read-only", "--network", "127.0.0.0/8", "--network", "2001:db8::/32"][..],
            &["--scope", "me_read"], &["--scope", "me_write"], &["--network", "192.0.2.0/24"], &["--read-only"], &[],
        ] {
            works(&database, &[&["token", "issue", "ann", "--name", "n"], flags].concat());
        }
        database.sql("UPDATE tokens SET scopes = '' WHERE scopes = 'me_write'").await;
        let columns = "SELECT name || ' ' || coalesce(scopes, 'all') || ' ' || CAST(read_only AS INTEGER) || ' ' || coalesce(allowed_networks, 'any') FROM tokens ORDER BY id";
        let before = database.texts(columns).await;
        assert_eq!((before.len(), before[2].as_str()), (6, "n  0 any"));
        let file = database.place().join("archive");
        let file = file.to_str().unwrap();
        works(&database, &["backup", file]);
        for kind in [backend, other] {
            let restored = Database::empty(kind).await;
            works(&restored, &["restore", file, "--accept-revived"]);
            assert_eq!(restored.texts(columns).await, before, "{kind:?}");
        }
        let moved = Database::empty(other).await;
        works(&database, &["move", "--to", &moved.args()[1]]);
        assert_eq!(moved.texts(columns).await, before);
    }
}

both! {
    /// A restore that keeps closed what is closed now does not give tokens the scopes back that a permission took with it.
    async fn a_restore_gives_no_scope_back_that_is_closed_now(backend: Backend) {
        let database = Database::new(backend).await;
        works(&database, &["user", "add", "ann", "--admin"]);
        works(&database, &["permission", "add", "order_read", "--code", "10001"]);
        for scopes in ["me_read,10001", "10001"] {
            works(&database, &["token", "issue", "ann", "--name", "n", "--scope", scopes]);
        }
        // One that has expired could be extended.
        works(&database, &["token", "issue", "ann", "--name", "expired"]);
        database.sql("UPDATE tokens SET expires_at = created_at + 1 WHERE name = 'expired'").await;
        let scopes = "SELECT coalesce(scopes, 'all') FROM tokens ORDER BY id";
        let file = database.place().join("archive");
        let file = file.to_str().unwrap();
        works(&database, &["backup", file]);
        works(&database, &["permission", "remove", "order_read", "--yes"]);
        database.sql("UPDATE tokens SET scopes = 'me_read' WHERE name = 'expired'").await;
        assert_eq!(database.texts(scopes).await, ["me_read", "", "me_read"]);
        works(&database, &["restore", file, "--replace", "--keep-closed"]);
        assert_eq!(database.texts(scopes).await, ["me_read", "", "me_read"]);
    }
}

both! {
    /// The command line narrows, shows and finds tokens, here and through the API.
    async fn the_command_line_narrows_tokens(backend: Backend) {
        let site = Site::start(backend).await;
        let file = site.database.place().join("key");
        std::fs::write(&file, &site.admin.key).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let (file, url) = (file.display().to_string(), format!("http://{}", site.address));
        for remote in [&[][..], &["--remote", &url, "--token-file", &file]] {
            let run = |args: &[&str]| works(&site.database, &[args, remote].concat());
            let issued = run(&["token", "issue", "holder", "--name", "n", "--scope", "user_read,me_read", "--read-only",
                "--network", "10.0.0.0/8", "--network", "192.0.2.7", "--expires", "90d", "--json"]).json();
            let id = issued["id"].to_string();
            let narrowing = |token: &Value| [token["scopes"].clone(), token["read_only"].clone(), token["allowed_networks"].clone()];
            let expected = [json!(["me_read", "user_read"]), json!(true), json!(["10.0.0.0/8", "192.0.2.7/32"])];
            assert_eq!(narrowing(&issued), expected);
            assert!(issued["expires_at"].is_string());
            let shown = run(&["token", "show", &id]).out;
            for text in ["me_read", "user_read", "10.0.0.0/8", "192.0.2.7/32"] {
                assert!(shown.contains(text), "{shown}");
            }
            assert_eq!(narrowing(&run(&["token", "show", &id, "--json"]).json()), expected);
            for (flags, is_found) in [
                (&["--scope", "user_read"][..], true), (&["--scope", "audit_read"], false), (&["--has-scopes"], true), (&["--no-scopes"], false),
                (&["--read-only"], true), (&["--read-write"], false), (&["--network", "192.0.2.7"], true), (&["--network", "10.1.0.0/16"], false),
                (&["--has-networks"], true), (&["--any-network"], false),
            ] {
                let found = run(&[&["token", "list", "holder", "--name", "n", "--json"], flags].concat()).json();
                let rows = found["results"].as_array().or(found.as_array()).unwrap();
                assert_eq!(rows.iter().any(|row| row["id"] == issued["id"]), is_found, "{flags:?} {found}");
            }
            let rotated = run(&["token", "rotate", &id, "--json"]).json();
            assert_eq!(narrowing(&rotated), expected);
            let id = rotated["id"].to_string();
            // Whose a key is, by the key or by both of its ends.
            let key = rotated["key"].as_str().unwrap();
            let (first, last) = (&key[..8], &key[key.len() - 4..]);
            let found = on(&site.database, &[&["token", "find", "--key-stdin", "--json"], remote].concat(), &format!("{key}\n")).json();
            assert_eq!((&found[0]["id"], &found[0]["username"], narrowing(&found[0])), (&rotated["id"], &json!("holder"), expected.clone()));
            let found = run(&["token", "find", "--prefix", first, "--last", last, "--json"]).json();
            assert_eq!((&found[0]["id"], narrowing(&found[0])), (&rotated["id"], expected.clone()));
            let edited = run(&["token", "edit", &id, "--name", "wide", "--all-scopes", "--read-write", "--any-network", "--no-expiry", "--json"]).json();
            assert_eq!(narrowing(&edited), [Value::Null, json!(false), Value::Null]);
            assert_eq!((&edited["name"], &edited["expires_at"]), (&json!("wide"), &Value::Null));
            run(&["token", "revoke", &id]);
            let live = "SELECT count(*) FROM tokens t JOIN users u ON u.id = t.user_id WHERE u.username = 'plain' AND t.revoked_at IS NULL";
            run(&["token", "issue", "plain", "--name", "last", "--scope", "me_read"]);
            assert!(site.database.number(live).await > 0);
            run(&["token", "revoke", "--all-of", "plain"]);
            assert_eq!(site.database.number(live).await, 0);
        }
    }
}

both! {
    /// A token from its networks costs `me` no more reads than any other, and both paths give the same answer.
    async fn a_narrow_token_stays_in_memory(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("trusted_proxies", "")).await;
        let look = u64::from(backend == Backend::Postgres);
        let narrowing = json!({"scopes": ["me_read"], "read_only": true, "allowed_networks": ["127.0.0.0/8"]});
        let key = narrow(&site, &site.alex, narrowing).await;
        let first = site.me(&key).send().await;
        site.directory().write_uses().await.unwrap();
        site.me(&key).send().await;
        let reads = site.directory().counters().reads.get();
        let second = site.me(&key).send().await;
        assert_eq!(site.directory().counters().reads.get() - reads, look);
        let whole = site.me(&site.alex.key).send().await;
        assert_eq!((first.status, &first.body), (200, &second.body));
        assert_eq!(whole.body, first.body);
    }
}
