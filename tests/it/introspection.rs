//! `POST /api/auth/introspect`: what a service learns of a key, who may ask, and how fresh the answer is.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wardroom::directory::authentication::ClientsSeen;
use wardroom::directory::model::{TokenId, UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory};
use wardroom::telemetry::{IntrospectionLabels, OutcomeLabels};

use crate::support::site::{Persona, moment, operator, person};
use crate::support::{Answer, Backend, Request, Site, both};

const PATH: &str = "/api/auth/introspect";
const FORM: &str = "application/x-www-form-urlencoded";
const INACTIVE: &str = r#"200 {"active":false}"#;
/// Ids of permissions: `user_read`, `introspection_read`.
const READ_USERS: i64 = 6;
const INTROSPECT: i64 = 15;

async fn ask_at(address: SocketAddr, caller: &str, key: &str) -> Answer {
    Request::new(address, "POST", PATH).token(caller).body(FORM, format!("token={key}")).send().await
}

async fn ask(site: &Site, caller: &Persona, key: &str) -> Answer {
    ask_at(site.address, &caller.key, key).await
}

async fn service(site: &Site, name: &str, permissions: &[i64]) -> Persona {
    person(site.directory(), name, |draft| {
        draft.is_staff = Some(true);
        draft.permissions = Some(permissions.to_vec());
    })
    .await
}

async fn issue(directory: &Directory, owner: i64, end: Expiry) -> (String, TokenId) {
    let owner = UserKey::Id(owner.try_into().unwrap());
    let issued = directory.issue_token(&operator(), &owner, "reports", end).await.unwrap();
    (issued.key.reveal().to_owned(), issued.token.id)
}

both! {
    /// Line 13: every member, for a staff user with groups, an imported key, a plain user, and an admin.
    async fn an_active_key_has_every_member(backend: Backend) {
        let site = Site::start(backend).await;
        let (key, id) = issue(site.directory(), site.plain.id, Expiry::At(moment("2025-09-03T12:00:00.9Z"))).await;
        let shown = ask(&site, &site.holder, &key).await;
        assert_eq!((shown.status, shown.header("cache-control")), (200, Some("no-store")));
        let issued_at = site.clock.now().as_micros().div_euclid(1_000_000);
        let members = json!({
            "active": true, "sub": site.plain.id.to_string(), "username": "plain", "token_type": "Token",
            "exp": 1_756_900_800, "iat": issued_at, "jti": id.to_string(), "client_id": "reports",
            "user_id": site.plain.id, "email": null, "groups": [], "permissions": [], "is_staff": false,
            "is_admin": false, "has_scopes": false, "read_only": false, "allowed_networks": null,
        });
        assert_eq!(shown.json(), members);
        let alex = ask(&site, &site.admin, &site.alex.key).await.json();
        assert_eq!(alex.get("exp"), None, "a token that does not expire");
        assert_eq!(alex.get("scope"), None, "a token with all scopes");
        assert_eq!(
            (&alex["sub"], &alex["email"], &alex["groups"], &alex["client_id"], &alex["is_staff"], &alex["has_scopes"]),
            (&json!("42"), &json!("alex.thompson@techcorp.com"), &json!([1, 3, 7]), &json!("imported"), &json!(true), &json!(false))
        );
        let holder = ask(&site, &site.holder, &site.holder.key).await.json();
        assert!(holder["permissions"].as_array().unwrap().contains(&json!(1282)), "{holder}");
        assert_eq!(ask(&site, &site.holder, &site.admin.key).await.json()["is_admin"], true);
    }
}

both! {
    /// Line 12: whatever is wrong with a key, the answer is the same, and so is the work.
    async fn a_key_that_is_not_valid_is_inactive_and_nothing_else(backend: Backend) {
        let site = Site::start(backend).await;
        let directory = site.directory();
        let (expired, _) = issue(directory, site.plain.id, Expiry::At(moment("2025-09-01T12:00:01Z"))).await;
        let (revoked, id) = issue(directory, site.plain.id, Expiry::Never).await;
        directory.revoke_token(&operator(), None, id).await.unwrap();
        site.clock.set(moment("2025-09-01T12:00:01Z"));
        let longest = "k".repeat(100_000);
        let reads = || directory.counters().reads.get();
        assert_eq!(ask(&site, &site.holder, &site.holder.key).await.status, 200);
        // Keys of our form, which one statement looks up.
        let mut work = Vec::new();
        for key in [&expired, &revoked, &site.inactive.key, "wrd_1vkoV9B3UiVgXyqGgYS4vZ0pLwzrTN2mFINE", "wrd_malformed"] {
            let first = { let before = reads(); (ask(&site, &site.holder, key).await.to_string(), reads() - before) };
            let again = { let before = reads(); (ask(&site, &site.holder, key).await.to_string(), reads() - before) };
            assert_eq!((first.0.as_str(), again.0.as_str()), (INACTIVE, INACTIVE), "{key}");
            work.push((first.1, again.1));
        }
        work.dedup();
        assert_eq!(work.len(), 1, "statements of the first and of the second call: {work:?}");
        // On PostgreSQL both read the feed of changes, for the caller and for the key.
        let expected = if backend == Backend::Sqlite { (1, 0) } else { (3, 2) };
        assert_eq!(work[0], expected, "the second is answered from memory");
        for key in ["f".repeat(40), "nonsense".to_owned(), "%C3%A9".to_owned(), longest, "a+b".to_owned()] {
            let answer = ask(&site, &site.holder, &key).await;
            assert_eq!((answer.to_string().as_str(), answer.header("cache-control")), (INACTIVE, Some("no-store")));
        }
        // An imported key that has ended takes as many statements as one that no token has.
        let work_of = async |key: &str| {
            let before = reads();
            assert_eq!(ask(&site, &site.holder, key).await.to_string(), INACTIVE);
            reads() - before
        };
        site.database.sql("UPDATE tokens SET revoked_at = 1 WHERE user_id = 42").await;
        // Both after the feed was read.
        ask(&site, &site.holder, &site.holder.key).await;
        assert_eq!(work_of(&site.alex.key).await, work_of(&"e".repeat(40)).await);
    }
}

both! {
    /// Line 14: a service that may not read users learns of its own keys alone, and an admin of all.
    async fn a_service_learns_nothing_of_those_it_may_not_read(backend: Backend) {
        let site = Site::start(backend).await;
        let blind = service(&site, "blind", &[INTROSPECT]).await;
        let seeing = service(&site, "seeing", &[INTROSPECT, READ_USERS]).await;
        for owner in [&site.plain, &site.staff, &site.admin, &site.alex, &seeing] {
            assert_eq!(ask(&site, &blind, &owner.key).await.to_string(), INACTIVE);
            for caller in [&seeing, &site.admin] {
                assert_eq!(ask(&site, caller, &owner.key).await.json()["active"], true);
            }
        }
        assert_eq!(ask(&site, &blind, &blind.key).await.json()["username"], "blind");
        // A right that comes later counts at the next call.
        let draft = UserDraft { permissions: Some(vec![READ_USERS, INTROSPECT]), ..UserDraft::default() };
        let key = UserKey::Id(blind.id.try_into().unwrap());
        site.directory().update_user(&operator(), &key, &draft, None).await.unwrap();
        assert_eq!(ask(&site, &blind, &site.plain.key).await.json()["active"], true);
    }
}

both! {
    /// Line 11: the caller's key as Token, Bearer or the password of Basic; on no other route.
    async fn the_caller_sends_its_key_in_any_scheme(backend: Backend) {
        let site = Site::start(backend).await;
        let key = &site.holder.key;
        let basic = |user: &str, key: &str| base64::engine::general_purpose::STANDARD.encode(format!("{user}:{key}"));
        let body = format!("token={}", site.plain.key);
        let send = async |authorization: &[String]| {
            let mut request = site.request("POST", PATH).body(FORM, body.clone());
            for line in authorization {
                request = request.header("Authorization", line);
            }
            request.send().await
        };
        for good in [
            format!("Token {key}"), format!("token {key}"), format!("Bearer {key}"), format!("bEARER\t{key}"),
            format!("Basic {}", basic("mod_oauth2", key)), format!("BASIC {}", basic("", key)),
        ] {
            let answer = send(std::slice::from_ref(&good)).await;
            assert_eq!(answer.json()["active"], true, "{good}: {answer}");
            let elsewhere = site.get("/api/users/me").header("Authorization", &good).send().await;
            assert_eq!(elsewhere.status == 200, good.to_lowercase().starts_with("token"), "{good}: {elsewhere}");
        }
        for (bad, detail) in [
            (vec![], "Authentication credentials were not provided."),
            (vec!["Digest x".to_owned()], "Authentication credentials were not provided."),
            (vec![format!("Token {key}"), format!("Token {key}")], "Invalid token header. Token string should not contain spaces."),
            (vec![format!("Bearer {key}"), format!("Basic {}", basic("a", key))], "Invalid token header. Token string should not contain spaces."),
            (vec![format!("Basic {}", basic("a", key)), format!("Token {key}")], "Invalid basic header. Credentials string should not contain spaces."),
            (vec!["Bearer wrong".to_owned()], "Invalid token."),
            (vec![format!("Basic {}", basic(key, ""))], "Invalid basic header. No credentials provided."),
            (vec![format!("Basic {}", basic("a", "wrong"))], "Invalid token."),
            (vec!["Basic %%%".to_owned()], "Invalid basic header. Credentials not correctly base64 encoded."),
            (vec![format!("Bearer {}", site.inactive.key)], "User inactive or deleted."),
        ] {
            let answer = send(&bad).await;
            assert_eq!(answer.to_string(), format!(r#"401 [www-authenticate: Token] {{"detail":"{detail}"}}"#), "{bad:?}");
        }
        for caller in [&site.plain, &site.staff] {
            let answer = send(&[format!("Bearer {}", caller.key)]).await;
            assert_eq!(answer.to_string(), r#"403 {"detail":"You do not have permission to perform this action."}"#);
        }
    }
}

both! {
    /// Each wrong request is answered by what is wrong with it, and none as if it were a key.
    async fn wrong_requests_are_named(backend: Backend) {
        let site = Site::start(backend).await;
        let key = &site.plain.key;
        let post = |media_type: &str, body: &str| {
            site.request("POST", PATH).token(&site.holder.key).body(media_type, body.to_owned()).send()
        };
        for (media_type, body, expected) in [
            (FORM, "", r#"400 {"token":["This field is required."]}"#.to_owned()),
            (FORM, "token_type_hint=access_token", r#"400 {"token":["This field is required."]}"#.to_owned()),
            (FORM, "token=", r#"400 {"token":["This field may not be blank."]}"#.to_owned()),
            (FORM, &format!("token={key}&token={key}"), r#"400 {"token":["Send this field only once."]}"#.to_owned()),
            (FORM, &format!("token={key}&token_type_hint=a&token_type_hint=b"), r#"400 {"token_type_hint":["Send this field only once."]}"#.to_owned()),
            (FORM, &format!("token={key}&client_address="), r#"400 {"client_address":["\"\" is no IP address. Send that of the client, such as 192.0.2.7 or 2001:db8::7, or leave the field out."]}"#.to_owned()),
            (FORM, &format!("token={key}&client_address=192.0.2.7%2C10.0.0.1"), r#"400 {"client_address":["\"192.0.2.7,10.0.0.1\" is no IP address. Send that of the client, such as 192.0.2.7 or 2001:db8::7, or leave the field out."]}"#.to_owned()),
            (FORM, &format!("token={key}&client_address=::1&client_address=::1"), r#"400 {"client_address":["Send this field only once."]}"#.to_owned()),
            (FORM, "token=%FF", r#"400 {"token":["Not valid UTF-8. Send UTF-8, or name the charset in the Content-Type."]}"#.to_owned()),
            ("application/json", &json!({ "token": key }).to_string(), r#"415 {"detail":"Unsupported media type \"application/json\" in request. Send application/x-www-form-urlencoded."}"#.to_owned()),
            ("multipart/form-data; boundary=x", "--x--\r\n", r#"415 {"detail":"Unsupported media type \"multipart/form-data; boundary=x\" in request. Send application/x-www-form-urlencoded."}"#.to_owned()),
            ("text/plain", &format!("token={key}"), r#"415 {"detail":"Unsupported media type \"text/plain\" in request. Send application/x-www-form-urlencoded."}"#.to_owned()),
            (&format!("{FORM}; charset=klingon"), "token=a", r#"415 {"detail":"Unsupported charset \"klingon\" in request."}"#.to_owned()),
        ] {
            assert_eq!(post(media_type, body).await.to_string(), expected, "{media_type} {body}");
        }
        // What a service may send besides: parameters of its own, and a charset.
        for (media_type, body) in [
            (FORM.to_owned(), format!("token={key}&token_type_hint=nonsense&client_id=a&client_id=b&resource=c")),
            (format!("{FORM}; charset=ISO-8859-1"), format!("token={key}&note=%E9")),
            (FORM.to_uppercase(), format!("token_type_hint=&token={key}")),
        ] {
            assert_eq!(post(&media_type, &body).await.json()["active"], true, "{media_type} {body}");
        }
        assert_eq!(post(FORM, &format!("token={}", "k".repeat(1 << 20))).await.status, 413);
        // In the query, a key counts for nothing.
        let in_query = site.request("POST", &format!("{PATH}?token={key}")).token(&site.holder.key).body(FORM, "");
        assert_eq!(in_query.send().await.to_string(), r#"400 {"token":["This field is required."]}"#);
        for (method, status) in [("GET", 405), ("HEAD", 405), ("PUT", 405), ("DELETE", 405)] {
            let answer = site.request(method, PATH).token(&site.holder.key).send().await;
            assert_eq!((answer.status, answer.header("allow")), (status, Some("POST, OPTIONS")), "{method}");
        }
        let options = site.request("OPTIONS", PATH).token(&site.holder.key).send().await;
        assert_eq!((options.status, &options.json()["parses"]), (200, &json!([FORM])));
        let with_slash = site.request("POST", &format!("{PATH}/")).token(&site.holder.key).body(FORM, format!("token={key}"));
        assert_eq!(with_slash.send().await.json()["active"], true);
    }
}

/// Every way to end a token or to change what it may do, and the next answer at each address.
async fn each_change(directory: &Directory, site: &Site, addresses: &[SocketAddr]) {
    let operator = operator();
    let alex = UserKey::Id(42.try_into().unwrap());
    let shown = async |key: &str| -> Value {
        let mut answers = Vec::new();
        for address in addresses {
            // Twice: the second from memory.
            for _ in 0..2 {
                answers.push(ask_at(*address, &site.holder.key, key).await.json());
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "replicas disagree: {answers:?}");
        answers.remove(0)
    };
    let (key, id) = issue(directory, 42, Expiry::Never).await;
    // A key that no token has yet, and then one has it.
    assert_eq!(shown(&key).await["active"], true);
    let set = async |draft: UserDraft| {
        directory.update_user(&operator, &alex, &draft, None).await.unwrap();
    };
    set(UserDraft { permissions: Some(vec![READ_USERS]), ..UserDraft::default() }).await;
    assert_eq!(shown(&key).await["permissions"], json!([1222]));
    set(UserDraft { is_staff: Some(false), ..UserDraft::default() }).await;
    assert_eq!(shown(&key).await["is_staff"], false);
    set(UserDraft { email: Some(None), ..UserDraft::default() }).await;
    assert_eq!(shown(&key).await["email"], Value::Null);
    set(UserDraft { is_active: Some(false), ..UserDraft::default() }).await;
    assert_eq!(shown(&key).await, json!({ "active": false }));
    set(UserDraft { is_active: Some(true), ..UserDraft::default() }).await;
    assert_eq!(shown(&key).await["active"], true);
    directory.update_token(&operator, None, id, Some("renamed"), None).await.unwrap();
    assert_eq!(shown(&key).await["client_id"], "renamed");
    directory.revoke_token(&operator, None, id).await.unwrap();
    assert_eq!(shown(&key).await, json!({ "active": false }));
    directory.delete_user(&operator, &alex).await.unwrap();
    assert_eq!(shown(&site.alex.key).await, json!({ "active": false }));
}

both! {
    async fn nothing_is_stale_after_a_change_here(backend: Backend) {
        let site = Site::start(backend).await;
        each_change(site.directory(), &site, &[site.address]).await;
    }
}

both! {
    async fn nothing_is_stale_after_a_change_elsewhere(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let elsewhere = site.database.open(&Clock::system().unwrap()).await;
        each_change(&elsewhere, &site, &[site.address, replica]).await;
    }
}

both! {
    /// A service that loses its right, its token or its account learns nothing at the next call.
    async fn a_service_that_lost_its_right_learns_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let caller = service(&site, "caller", &[INTROSPECT, READ_USERS]).await;
        let of_caller = UserKey::Id(caller.id.try_into().unwrap());
        assert_eq!(ask(&site, &caller, &site.plain.key).await.json()["active"], true);
        let draft = |change: fn(&mut UserDraft)| { let mut draft = UserDraft::default(); change(&mut draft); draft };
        for (change, status) in [
            (draft(|draft| draft.permissions = Some(vec![READ_USERS])), 403),
            (draft(|draft| draft.permissions = Some(vec![READ_USERS, INTROSPECT])), 200),
            (draft(|draft| draft.is_staff = Some(false)), 403),
            (draft(|draft| draft.is_active = Some(false)), 401),
        ] {
            site.directory().update_user(&operator(), &of_caller, &change, None).await.unwrap();
            assert_eq!(ask(&site, &caller, &site.plain.key).await.status, status);
        }
    }
}

both! {
    /// The last byte of the body arrives after the service has lost its right: it learns nothing.
    async fn a_held_back_body_is_decided_by_the_rights_when_it_arrives(backend: Backend) {
        let site = Site::start(backend).await;
        let accepted = || {
            let accepted = OutcomeLabels { outcome: "accepted" };
            site.app.metrics().authentications.get_or_create(&accepted).get()
        };
        for (number, (change, status)) in [
            ("SELECT 1", 200),
            ("UPDATE tokens SET revoked_at = 1 WHERE user_id = {}", 401),
            ("UPDATE tokens SET scopes = 'user_read' WHERE user_id = {}", 403),
            ("UPDATE users SET is_active = FALSE WHERE id = {}", 401),
            ("UPDATE users SET is_staff = FALSE WHERE id = {}", 403),
            ("DELETE FROM user_permissions WHERE user_id = {} AND permission_id = 15", 403),
            ("DELETE FROM user_permissions WHERE user_id = {} AND permission_id = 6", 200),
            ("DELETE FROM users WHERE id = {}", 401),
        ].into_iter().enumerate() {
            let caller = service(&site, &format!("caller{number}"), &[INTROSPECT, READ_USERS]).await;
            // Once before, so that everything is in memory.
            assert_eq!(ask(&site, &caller, &site.plain.key).await.json()["active"], true);
            let (body, before) = (format!("token={}", site.plain.key), accepted());
            let head = format!(
                "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token {}\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
                caller.key, body.len()
            );
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            let (first, last) = body.split_at(body.len() - 1);
            stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
            while accepted() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            site.database.sql(&change.replace("{}", &caller.id.to_string())).await;
            stream.write_all(last.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let answer = Answer::parse(&answer);
            assert_eq!(answer.status, status, "{change}: {answer}");
            if change.ends_with("permission_id = 6") {
                assert_eq!(answer.to_string(), INACTIVE, "it may no longer read users");
            }
        }
    }
}

both! {
    /// A key that a service asks about counts as used, at the address of the service; introspection itself writes nothing.
    async fn an_introspected_key_counts_as_used(backend: Backend) {
        let site = Site::start(backend).await;
        let writes = || site.directory().counters().writes.get();
        let before = writes();
        for key in [&site.plain.key, &site.plain.key, &"f".repeat(40), &"wrd_malformed".to_owned()] {
            ask(&site, &site.holder, key).await;
        }
        assert_eq!(writes(), before);
        site.directory().write_uses().await.unwrap();
        let used = format!("SELECT count(*) FROM tokens WHERE last_used_from = '127.0.0.1' AND user_id IN ({}, {})", site.plain.id, site.holder.id);
        assert_eq!(site.database.number(&used).await, 2);
        let ClientsSeen { people, .. } = site.directory().clients_seen().await.unwrap();
        assert_eq!(people, 2, "no key that is not valid counts as used");
    }
}

/// A key of our own form with a right checksum, which anyone can compute. No token has it.
fn made_up(number: u32) -> String {
    let mut key = format!("wrd_{number:030}");
    let mut rest = crc32fast::hash(key.as_bytes());
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut check = [0; 6];
    for digit in check.iter_mut().rev() {
        *digit = digits[usize::try_from(rest % 62).unwrap()];
        rest /= 62;
    }
    key.push_str(std::str::from_utf8(&check).unwrap());
    key
}

both! {
    /// Line 14: who asks about too many keys that no token has must wait. What is in memory is still answered, also to
    /// services that have to wait, and other services do not wait.
    async fn guessing_is_limited_for_each_service(backend: Backend) {
        let site = Site::start(backend).await;
        let guesser = service(&site, "guesser", &[INTROSPECT, READ_USERS]).await;
        assert_eq!(ask(&site, &guesser, &site.plain.key).await.json()["active"], true);
        let mut connection = crate::support::client::Connection::to(site.address).await;
        for number in 0..600 {
            let form = format!("token={number:040x}");
            let answer = connection.post_form(PATH, &guesser.key, &form).await;
            assert_eq!(answer.to_string(), INACTIVE, "{number}");
        }
        let reads = || site.directory().counters().reads.get();
        for guess in [&"f".repeat(40), &site.alex.key, &"e".repeat(64), &"secret".to_owned()] {
            let refused = ask(&site, &guesser, guess).await;
            assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "{refused}");
        }
        let before = reads();
        assert_eq!(ask(&site, &guesser, &"f".repeat(40)).await.status, 429);
        let feed = u64::from(backend == Backend::Postgres) * 2;
        assert!(reads() - before <= feed, "a guess beyond the limit is not looked up");
        assert_eq!(ask(&site, &guesser, &site.plain.key).await.json()["active"], true, "in memory");
        assert_eq!(ask(&site, &guesser, &format!("{:040x}", 7)).await.to_string(), INACTIVE, "in memory");
        assert_eq!(ask(&site, &guesser, "wrd_malformed").await.status, 429, "it cannot be a key");
        assert_eq!(ask(&site, &site.holder, &site.alex.key).await.json()["active"], true, "another service");
        // Replicas share the counts.
        site.directory().share_rates().await.unwrap();
        let elsewhere = site.database.open(&site.clock).await;
        elsewhere.share_rates().await.unwrap();
        site.clock.set(moment("2025-09-01T12:01:00Z"));
        assert_eq!(ask(&site, &guesser, &site.alex.key).await.json()["active"], true, "the next minute");
    }
}

both! {
    /// Guards against a lock-out: strangers who send made-up keys to a service, with or without a right checksum, do not keep
    /// the keys of its users from being looked up, also when nothing is in memory.
    async fn strangers_do_not_lock_out_the_users_of_a_service(backend: Backend) {
        let site = Site::start(backend).await;
        let shop = service(&site, "shop", &[INTROSPECT, READ_USERS]).await;
        let mut connection = crate::support::client::Connection::to(site.address).await;
        for number in 0..700 {
            let key = if number % 2 == 0 { made_up(number) } else { format!("{number:040x}") };
            let answer = connection.post_form(PATH, &shop.key, &format!("token={key}")).await;
            assert!([200, 429].contains(&answer.status), "{answer}");
        }
        assert_eq!(ask(&site, &shop, &"f".repeat(40)).await.status, 429);
        // A user whom nobody has asked about, and one whose key has just been issued.
        assert_eq!(ask(&site, &shop, &site.plain.key).await.json()["active"], true);
        let (fresh, _) = issue(site.directory(), site.staff.id, Expiry::Never).await;
        assert_eq!(ask(&site, &shop, &fresh).await.json()["active"], true);
        // After a change everything is read again.
        site.database.sql("INSERT INTO identity_changes (scope) VALUES ('all')").await;
        assert_eq!(ask(&site, &shop, &site.plain.key).await.json()["active"], true);
        // Many at once take turns, and all are answered.
        let keys = (1000..1040).map(made_up).chain([site.inactive.key.clone(), site.admin.key.clone()]);
        let asked = keys.map(|key| { let shop = shop.key.clone(); let address = site.address; async move { ask_at(address, &shop, &key).await } });
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(answers.last().unwrap().json()["active"], true);
    }
}

both! {
    /// A token that is limited to networks is active only with the address of a client inside: a service that says nothing
    /// about its client does not let such a token in.
    async fn a_token_with_networks_needs_the_address_of_the_client(backend: Backend) {
        let site = Site::start(backend).await;
        let networks = format!("UPDATE tokens SET allowed_networks = '10.0.0.0/8 2001:db8::/32' WHERE user_id = {}", site.plain.id);
        site.database.sql(&networks).await;
        let ask = async |key: &str, address: &str| {
            let body = format!("token={key}{address}");
            site.request("POST", PATH).token(&site.holder.key).body(FORM, body).send().await.to_string()
        };
        for _ in 0..2 {
            for outside in ["", "&client_address=192.0.2.7", "&client_address=::1", "&client_address=2001:db9::1", "&client_address=127.0.0.1"] {
                assert_eq!(ask(&site.plain.key, outside).await, INACTIVE, "{outside}");
            }
            for inside in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", "%5B2001:db8::7%5D:443", "10.1.2.3:51000"] {
                let answer = ask(&site.plain.key, &format!("&client_address={inside}")).await;
                assert!(answer.contains(r#""active":true"#), "{inside}: {answer}");
            }
        }
        // The address means nothing for other tokens.
        for address in ["", "&client_address=192.0.2.7"] {
            assert!(ask(&site.staff.key, address).await.contains(r#""active":true"#));
        }
        site.database.sql(&networks.replace("10.0.0.0/8 2001:db8::/32", "172.16.0.0/12")).await;
        assert_eq!(ask(&site.plain.key, "&client_address=10.1.2.3").await, INACTIVE, "after a change");
    }
}

both! {
    /// Guards against a narrow token that reads by introspection what it must not read by `/api/users/me`: its own record needs
    /// the scope `me_read`, or the permission to read users.
    async fn a_narrow_service_reads_its_own_record_only_with_the_scope(backend: Backend) {
        let site = Site::start(backend).await;
        let caller = service(&site, "caller", &[INTROSPECT]).await;
        let (other, _) = issue(site.directory(), caller.id, Expiry::Never).await;
        assert_eq!(ask(&site, &caller, &other).await.json()["active"], true);
        for (scopes, is_shown) in [
            ("introspection_read", false),
            ("introspection_read me_read", true),
            ("introspection_read me_write", false),
            ("introspection_read user_read", false),
        ] {
            let id = format!("SELECT min(id) FROM tokens WHERE user_id = {}", caller.id);
            site.database.sql(&format!("UPDATE tokens SET scopes = '{scopes}' WHERE id = ({id})")).await;
            for key in [&other, &caller.key] {
                let answer = ask(&site, &caller, key).await;
                assert_eq!(answer.json()["active"], is_shown, "{scopes}: {answer}");
            }
        }
        let seeing = service(&site, "seeing", &[INTROSPECT, READ_USERS]).await;
        site.database.sql(&format!("UPDATE tokens SET scopes = 'introspection_read user_read' WHERE user_id = {}", seeing.id)).await;
        assert_eq!(ask(&site, &seeing, &seeing.key).await.json()["active"], true, "it may read all users");
    }
}

both! {
    /// The metric counts what services learn, and services that may not ask or have to wait.
    async fn introspections_are_counted_by_result(backend: Backend) {
        let site = Site::start(backend).await;
        ask(&site, &site.holder, &site.plain.key).await;
        ask(&site, &site.holder, &site.plain.key).await;
        ask(&site, &site.holder, "nonsense").await;
        ask(&site, &site.holder, &site.inactive.key).await;
        ask(&site, &site.holder, "nonsense").await;
        ask(&site, &site.plain, "nonsense").await;
        ask_at(site.address, "nonsense", "nonsense").await;
        site.request("POST", PATH).body(FORM, "token=a").send().await;
        let rate = |result| {
            let labels = IntrospectionLabels { result };
            site.app.metrics().introspections.get_or_create(&labels).get()
        };
        assert_eq!([rate("active"), rate("inactive"), rate("refused")], [2, 3, 3]);
        // A request that is wrong is none of these, and neither is another route.
        site.request("POST", PATH).token(&site.holder.key).body(FORM, "").send().await;
        site.get("/api/users/me").send().await;
        assert_eq!([rate("active"), rate("inactive"), rate("refused")], [2, 3, 3]);
    }
}

both! {
    /// Without the database there is no answer, not even an old one.
    async fn without_the_database_nothing_is_answered(backend: Backend) {
        let site = Site::start(backend).await;
        assert_eq!(ask(&site, &site.holder, &site.plain.key).await.json()["active"], true);
        site.database.make_unavailable().await;
        if backend == Backend::Postgres {
            assert_eq!(ask(&site, &site.holder, &site.plain.key).await.status, 503);
        }
    }
}

both! {
    /// A narrow key is described as narrow: its rights are those that are left.
    async fn a_narrow_key_is_described(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql(&format!(
            "UPDATE tokens SET scopes = 'me_read user_read', read_only = {}, allowed_networks = '10.0.0.0/8' WHERE user_id = {}",
            if backend == Backend::Sqlite { "1" } else { "TRUE" }, site.admin.id
        )).await;
        let body = format!("token={}&client_address=10.0.0.1", site.admin.key);
        let shown = site.request("POST", PATH).token(&site.holder.key).body(FORM, body).send().await.json();
        assert_eq!((&shown["active"], &shown["has_scopes"]), (&json!(true), &json!(true)));
        assert_eq!((&shown["scope"], &shown["permissions"]), (&json!("me_read user_read"), &json!([1222])));
        assert_eq!((&shown["read_only"], &shown["allowed_networks"]), (&json!(true), &json!(["10.0.0.0/8"])));
        // A service that looks at the flags only does not take it for a full sign-in, whoever its owner is and whatever its scopes.
        for owner in [&site.admin, &site.staff, &site.alex] {
            for scopes in ["", "me_read", "user_read"] {
                let narrow = format!("UPDATE tokens SET scopes = '{scopes}', allowed_networks = NULL WHERE user_id = {}", owner.id);
                site.database.sql(&narrow).await;
                let shown = ask(&site, &site.holder, &owner.key).await.json();
                let flags = ["active", "is_staff", "is_admin", "has_scopes"].map(|name| shown[name].as_bool());
                assert_eq!(flags, [Some(true), Some(false), Some(false), Some(true)], "{shown}");
                // A scope of a permission that the owner does not have allows nothing, and no service is to take it for a right.
                let holds = owner.id == site.admin.id || scopes == "me_read";
                assert_eq!(shown["scope"], if holds { scopes } else { "" }, "{shown}");
            }
        }
        // A service with a narrow token of its own: reading is enough.
        site.database.sql(&format!(
            "UPDATE tokens SET scopes = 'introspection_read user_read', read_only = {} WHERE user_id = {}",
            if backend == Backend::Sqlite { "1" } else { "TRUE" }, site.holder.id
        )).await;
        assert_eq!(ask(&site, &site.holder, &site.plain.key).await.json()["active"], true);
        site.database.sql(&format!("UPDATE tokens SET scopes = 'user_read' WHERE user_id = {}", site.holder.id)).await;
        assert_eq!(ask(&site, &site.holder, &site.plain.key).await.status, 403);
    }
}

both! {
    /// Guards against permissions of the same number or name that a project had before: their holders gain nothing here, in
    /// the recycle bin neither, and no name or code that is taken keeps the migration from running.
    async fn older_permissions_with_the_code_or_the_name_keep_their_meaning(backend: Backend) {
        let site = Site::start(backend).await;
        let database = &site.database;
        let migration = std::fs::read_to_string(match backend {
            Backend::Sqlite => "migrations/sqlite/0016_introspection_permission.sql",
            Backend::Postgres => "migrations/postgres/0016_introspection_permission.sql",
        }).unwrap();
        let remains = |codes: &str| format!(r#"{{"notes":"\"permissions\":[1282]","permissions":[{codes}],"created_at":0,"updated_at":0}}"#);
        // As it was before: the project has permissions of its own with the code, the name, names made from it, and the last codes.
        database.sql(&format!(
            "UPDATE permissions SET name = 'orders_all' WHERE code = 1282; \
             INSERT INTO permissions (id, code, name) VALUES (70, 10000, 'introspection_read'), (71, 10001, 'introspection_read_10000'), \
                 (72, 999998, 'introspection_read_1282'), (73, 999999, 'last'); \
             INSERT INTO user_permissions (user_id, permission_id) VALUES ({}, 15); \
             INSERT INTO deleted_groups (id, name, name_key, deleted_at, deleted_by, search_key, remains) \
             VALUES (900, 'gone', 'gone', {3}, '', 'gone', '{1}'), (901, 'dangling', 'dangling', {3}, '', 'dangling', '{2}'), \
                 (902, 'broken', 'broken', {3}, '', 'broken', 'no JSON'), (903, 'none', 'none', {3}, '', 'none', '{4}')",
            site.staff.id, remains("1222,1282"), remains("10002"), site.clock.now().as_micros(), remains("")
        )).await;
        database.sql(&migration).await;
        let known = database.texts("SELECT CAST(code AS TEXT) || ' ' || name FROM permissions WHERE id >= 15 ORDER BY code").await;
        let expected = [
            "1282 introspection_read", "10000 introspection_read_10001", "10001 introspection_read_10000", "10003 orders_all",
            "999998 introspection_read_1282", "999999 last",
        ];
        assert_eq!(known, expected);
        for (id, codes) in [(900, json!([1222, 10_003])), (901, json!([10_002])), (903, json!([]))] {
            let remains = database.texts(&format!("SELECT remains FROM deleted_groups WHERE id = {id}")).await;
            let remains: Value = serde_json::from_str(&remains[0]).unwrap();
            assert_eq!((&remains["permissions"], &remains["notes"]), (&codes, &json!("\"permissions\":[1282]")), "{id}");
        }
        // A second time there is one with the name, and none with another meaning of the code.
        database.sql("UPDATE permissions SET code = 1283, name = 'older' WHERE code = 1282").await;
        database.sql(&migration).await;
        let codes = database.texts("SELECT remains FROM deleted_groups WHERE id = 900").await;
        assert!(codes[0].contains("10003"), "{codes:?}");
        database.sql("UPDATE permissions SET code = 1284, name = 'older_still' WHERE code = 1282").await;
        database.sql(&format!("UPDATE deleted_groups SET remains = '{}' WHERE id = 901", remains("1282"))).await;
        database.sql(&migration).await;
        let codes = database.texts("SELECT remains FROM deleted_groups WHERE id = 901").await;
        let codes: Value = serde_json::from_str(&codes[0]).unwrap();
        assert_eq!(codes["permissions"], json!([]), "the code of no permission is forgotten");
        assert_eq!(database.number("SELECT count(*) FROM permissions WHERE code = 1282").await, 1);
        assert_eq!(ask(&site, &site.staff, &site.plain.key).await.status, 403, "no one gains the right");
        let mine = site.get("/api/users/me?fields=permissions").token(&site.staff.key).send().await;
        assert_eq!(mine.body, r#"{"permissions":[10003]}"#);
    }
}
