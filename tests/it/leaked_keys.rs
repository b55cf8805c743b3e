//! `POST /api/users/auth/leaked`: who has a key can end its token, and learns nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wardroom::config::Flags;
use wardroom::directory::model::{TokenId, UserKey};
use wardroom::directory::tokens::Expiry;

use crate::support::site::{Persona, imported, imported_token, moment, operator};
use crate::support::{Answer, Backend, Request, Site, both};

const PATH: &str = "/api/users/auth/leaked";

async fn report(site: &Site, tokens: &Value) -> Answer {
    let body = json!({ "tokens": tokens }).to_string();
    site.request("POST", PATH).body("application/json", body).send().await
}

async fn issue(site: &Site, owner: &Persona, end: Expiry) -> (String, TokenId) {
    let owner = UserKey::Id(owner.id.try_into().unwrap());
    let issued = site.directory().issue_token(&operator(), &owner, "leaky", end).await.unwrap();
    (issued.key.reveal().to_owned(), issued.token.id)
}

/// The events of leaked keys: their tokens and details.
async fn events(site: &Site) -> Vec<(i64, Value)> {
    let sql = "SELECT CAST(object_id AS TEXT) || ' ' || changes FROM audit_events WHERE action = 'token.leaked' ORDER BY id";
    let rows = site.database.texts(sql).await;
    let row = |row: &String| {
        let (id, changes) = row.split_once(' ').unwrap();
        (id.parse().unwrap(), serde_json::from_str(changes).unwrap())
    };
    rows.iter().map(row).collect()
}

both! {
    /// Keys of every kind end, of any owner, and the audit trail names the owner. Everything else is ignored.
    async fn leaked_keys_no_longer_authenticate(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let (kept, _) = issue(&site, &site.admin, Expiry::Never).await;
        let (expired, expired_id) = issue(&site, &site.plain, Expiry::At(moment("2025-09-01T12:00:01Z"))).await;
        site.clock.set(moment("2025-09-01T12:00:02Z"));
        assert_eq!(Request::new(replica, "GET", "/api/users/me").token(&site.alex.key).send().await.status, 200);
        let keys = json!([
            site.admin.key, format!("  {}\n", site.alex.key), site.inactive.key, expired, expired, "f".repeat(40),
            "wrd_malformed", "\u{e9}", "x".repeat(256),
        ]);
        let answer = report(&site, &keys).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.header("content-length")), (202, "", Some("0")));
        for address in [site.address, replica] {
            for key in [&site.admin.key, &site.alex.key] {
                let refused = Request::new(address, "GET", "/api/users/me").token(key).send().await;
                assert_eq!(refused.body, r#"{"detail":"Invalid token."}"#);
            }
        }
        assert_eq!(site.me(&kept).send().await.status, 200, "other tokens of the same user stay valid");
        let events = events(&site).await;
        let owners: std::collections::BTreeSet<_> = events.iter().map(|(_, details)| details["username"].as_str().unwrap().to_owned()).collect();
        assert_eq!(owners.into_iter().collect::<Vec<_>>(), ["admin", "alex_thompson", "inactive", "plain"]);
        assert!(events.iter().any(|(id, details)| *id == expired_id.get() && details["user_id"] == site.plain.id));
        let audited = site.database.texts("SELECT actor_kind || ' ' || address FROM audit_events WHERE action = 'token.leaked'").await;
        assert!(audited.iter().all(|actor| actor == "anonymous 127.0.0.1"), "{audited:?}");
        // An expired one cannot become valid again.
        let change = json!({ "expires_at": null }).to_string();
        let revived = site.request("PATCH", &format!("/api/users/tokens/{expired_id}")).token(&kept).body("application/json", change).send().await;
        assert_eq!(revived.status, 400, "{revived}");
        // A second report changes nothing.
        assert_eq!(report(&site, &keys).await.status, 202);
        assert_eq!(self::events(&site).await.len(), events.len());
    }
}

both! {
    /// The key of a sign-in ends everything that is derived from it.
    async fn a_leaked_sign_in_ends_with_what_is_derived_from_it(backend: Backend) {
        let site = Site::start(backend).await;
        let password = wardroom::directory::password::Password::new("an unlikely pass phrase".into());
        let staff = UserKey::Id(site.staff.id.try_into().unwrap());
        site.directory().set_password(&operator(), &staff, password).await.unwrap();
        let body = json!({ "username": "staff", "password": "an unlikely pass phrase" }).to_string();
        let signed_in = site.request("POST", "/api/users/auth/pwd/signin").body("application/json", body).send().await;
        let key = signed_in.json()["token"].as_str().unwrap().to_owned();
        let made = site.request("POST", "/api/users/me/tokens").token(&key).body("application/json", r#"{"name": "derived"}"#).send().await;
        let derived = made.json()["key"].as_str().or(made.json()["token"].as_str()).unwrap().to_owned();
        assert_eq!(report(&site, &json!([key, derived])).await.status, 202);
        for key in [&key, &derived] {
            assert_eq!(site.me(key).send().await.status, 401);
        }
        assert_eq!(site.me(&site.staff.key).send().await.status, 200);
        let events = events(&site).await;
        assert_eq!(events.len(), 1, "what ended with the sign-in has no event of its own");
        assert_eq!(events[0].1["ended"], 2);
    }
}

both! {
    /// A thousand keys end in parts, so that no other write waits for all of them.
    async fn a_thousand_keys_end_in_parts(backend: Backend) {
        let site = Site::start(backend).await;
        let keys: Vec<String> = (0..1000).map(|number| format!("{number:040x}")).collect();
        let user = |number: usize| imported(5_000 + i64::try_from(number).unwrap() / 2, &format!("user{}", number / 2));
        let users = (0..1000).step_by(2).map(|number| wardroom::directory::transfer::seed::SeedUser { user: user(number), password: "!".into() });
        let tokens = keys.iter().enumerate().map(|(number, key)| imported_token(user(number).id.get(), key));
        let rows = wardroom::directory::transfer::seed::SeedRows { groups: vec![], users: users.collect(), tokens: tokens.collect() };
        site.directory().seed(&operator(), rows).await.unwrap();
        let before = site.directory().counters().writes.get();
        // As a program prints it that indents.
        let body = serde_json::to_string_pretty(&json!({ "tokens": keys })).unwrap();
        let answer = site.request("POST", PATH).body("application/json", body).send().await;
        assert_eq!(answer.status, 202, "{answer}");
        let writes = site.directory().counters().writes.get() - before;
        assert_eq!(writes, 1 + 20, "the count of the report, and the revocations in parts of 50");
        assert_eq!(site.database.number("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL").await, 1000);
        assert_eq!(events(&site).await.len(), 1000);
    }
}

both! {
    /// The answer says nothing about the keys, and neither does its time: it takes longer than the work, which is bounded.
    async fn the_answer_and_its_time_are_the_same_whatever_the_keys_are(backend: Backend) {
        let site = Site::start(backend).await;
        let head = |answer: &Answer| {
            let varies = ["date", "x-request-id"];
            answer.headers.iter().filter(|(name, _)| !varies.contains(&name.as_str())).cloned().collect::<Vec<_>>()
        };
        let mut heads = Vec::new();
        for keys in [json!([site.plain.key]), json!([site.plain.key]), json!(["nonsense"]), json!(["f".repeat(40), site.staff.key])] {
            let started = Instant::now();
            let answer = report(&site, &keys).await;
            assert!(started.elapsed() >= Duration::from_millis(250));
            assert_eq!((answer.status, answer.body.as_str()), (202, ""));
            heads.push(head(&answer));
        }
        heads.dedup();
        assert_eq!(heads.len(), 1, "{heads:?}");
        // What the keys are changes little of the work, which so ends before the answer: the reads are the same, and a part of
        // fifty keys that end is one transaction.
        let work_of = async |keys: Value| {
            let counters = site.directory().counters();
            let (reads, writes) = (counters.reads.get(), counters.writes.get());
            assert_eq!(report(&site, &keys).await.status, 202);
            (counters.reads.get() - reads, counters.writes.get() - writes)
        };
        let (mut valid, mut unknown) = (Vec::new(), Vec::new());
        for number in 0..50 {
            valid.push(issue(&site, &site.plain, Expiry::Never).await.0);
            let mut key = valid[number].clone();
            key.replace_range(10..11, if key.as_bytes()[10] == b'a' { "b" } else { "a" });
            unknown.push(key);
        }
        // A wrong checksum is not looked up, so these are of another system.
        let imported: Vec<_> = (0..50).map(|number| format!("{number:040x}")).collect();
        let (reads, writes) = work_of(json!(imported)).await;
        assert_eq!(writes, 0, "keys of no token write nothing");
        let (none, writes) = work_of(json!(unknown)).await;
        assert!(none <= reads && writes == 0, "{none} {reads} {writes}");
        let (found, writes) = work_of(json!(valid)).await;
        assert!(found <= reads && writes == 2, "{found} {reads} {writes}");
    }
}

both! {
    /// Each fault is named by its place, and never by its text.
    async fn wrong_reports_are_named_and_end_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let key = site.staff.key.clone();
        let many = |count: usize| json!(vec!["x"; count]);
        for (tokens, expected) in [
            (json!(null), r#"{"tokens":["This field may not be null."]}"#),
            (json!([]), r#"{"tokens":["This list may not be empty."]}"#),
            (json!(7), r#"{"tokens":["Expected a list of items but got type \"int\"."]}"#),
            (json!({ "a": key }), r#"{"tokens":["Expected a list of items but got type \"dict\"."]}"#),
            (json!([key, 7]), r#"{"tokens":["Item 2: expected a string but got type \"int\"."]}"#),
            (json!([[key], null, true]), r#"{"tokens":["Item 1: expected a string but got type \"list\".","Item 2: expected a string but got type \"NoneType\".","Item 3: expected a string but got type \"bool\"."]}"#),
            (json!([key, " "]), r#"{"tokens":["Item 2 is blank."]}"#),
            (json!(["x".repeat(257), key]), r#"{"tokens":["Item 1 has more than 256 characters."]}"#),
            (many(1001), r#"{"tokens":["Ensure this field has no more than 1000 elements."]}"#),
        ] {
            let answer = report(&site, &tokens).await;
            assert_eq!((answer.status, answer.body.as_str()), (400, expected));
        }
        for (media_type, body, status) in [
            ("application/json", "{}".to_owned(), 400),
            ("application/json", json!([key]).to_string(), 400),
            ("application/json", format!("{{\"tokens\": [\"{key}\""), 400),
            ("application/json", json!({ "tokens": [key], key.clone(): 1 }).to_string(), 400),
            ("text/plain", key.clone(), 415),
            ("application/json", json!({ "tokens": ["x".repeat(130_000)] }).to_string(), 400),
            ("application/json", json!({ "tokens": ["x".repeat(131_072)] }).to_string(), 413),
        ] {
            let answer = site.request("POST", PATH).body(media_type, body).send().await;
            assert_eq!(answer.status, status, "{answer}");
        }
        assert_eq!(site.me(&key).send().await.status, 200, "nothing ended");
        // Other open routes keep their small bodies.
        let sign_in = json!({ "username": "x", "password": "x".repeat(17_000) }).to_string();
        let refused = site.request("POST", "/api/users/auth/pwd/signin").body("application/json", sign_in).send().await;
        assert_eq!(refused.status, 413);
        // A bad header is refused first, and a form is a report as well.
        let bad = site.request("POST", PATH).token("wrong").body("application/json", json!({ "tokens": [key] }).to_string()).send().await;
        assert_eq!(bad.status, 401);
        assert_eq!(site.me(&key).send().await.status, 200);
        let form = site.request("POST", PATH).body("application/x-www-form-urlencoded", format!("tokens={key}")).send().await;
        assert_eq!(form.status, 202);
        assert_eq!(site.me(&key).send().await.status, 401);
    }
}

both! {
    /// 60 reports an hour and network, whatever they contain, counted in memory: strangers cause no write.
    async fn reports_are_limited_and_those_without_a_valid_key_write_nothing(backend: Backend) {
        let flags = Flags::default().with("trusted_proxies", "127.0.0.1/32");
        let site = Site::with(backend, flags).await;
        let of = |client: &str, body: &str| {
            let request = site.request("POST", PATH).header("X-Forwarded-For", client);
            request.body("application/json", body.to_owned()).send()
        };
        let counters = site.directory().counters();
        let (reads, writes) = (counters.reads.get(), counters.writes.get());
        for number in 0..60 {
            assert_eq!(of(&format!("2001:db8:1::{number:x}"), r#"{"tokens": []}"#).await.status, 400, "{number}");
        }
        let refused = of("2001:db8:1::ffff", &json!({ "tokens": [site.plain.key] }).to_string()).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3600")), "{refused}");
        assert_eq!((counters.reads.get() - reads, counters.writes.get() - writes), (0, 0));
        assert_eq!(of("2001:db8:2::1", r#"{"tokens": ["nonsense"]}"#).await.status, 202, "another network");
        assert_eq!(counters.writes.get() - writes, 0);
        assert_eq!(site.database.number("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL").await, 0);
        // All clients together: 61 reports were counted in this minute; one that was refused was not.
        for number in 61..120 {
            assert_eq!(of(&format!("2001:db8:9{number:x}::1"), "{}").await.status, 400, "{number}");
        }
        let refused = of("2001:db8:8::1", "{}").await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "{refused}");
        site.clock.set(moment("2025-09-01T12:01:00Z"));
        assert_eq!(of("2001:db8:8::1", "{}").await.status, 400, "the next minute");
        assert_eq!(of("2001:db8:1::1", "{}").await.status, 429, "the same hour");
        site.clock.set(moment("2025-09-01T13:00:00Z"));
        assert_eq!(of("2001:db8:1::1", "{}").await.status, 400, "the next hour");
        // A clock that goes back limits no one longer.
        site.clock.set(moment("2025-09-01T10:30:00Z"));
        assert_eq!(of("2001:db8:1::1", "{}").await.status, 400);
    }
}

both! {
    /// Guards against a client with many networks: the /48 that a provider gives to one customer keeps no one else from reporting.
    async fn a_site_with_many_networks_uses_up_its_own_reports_alone(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("trusted_proxies", "127.0.0.1/32")).await;
        let of = |client: String| {
            let request = site.request("POST", PATH).header("X-Forwarded-For", &client);
            request.body("application/json", "{}").send()
        };
        for number in 0..130 {
            let answer = of(format!("2001:db8:9:{number:x}::1")).await;
            assert_eq!(answer.status, if number < 100 { 400 } else { 429 }, "{number}");
        }
        for other in ["2001:db8:8::1", "192.0.2.1", "192.0.2.2"] {
            assert_eq!(of(other.to_owned()).await.status, 400, "{other}");
        }
        site.clock.set(moment("2025-09-01T12:30:00Z"));
        assert_eq!(of("2001:db8:9:ffff::1".to_owned()).await.status, 429, "the same hour");
        site.clock.set(moment("2025-09-01T13:00:00Z"));
        assert_eq!(of("2001:db8:9:ffff::1".to_owned()).await.status, 400, "the next hour");
    }
}

both! {
    /// Reports that ended a token are counted for all replicas together.
    async fn reports_that_ended_tokens_are_limited_across_replicas(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let of = |address: std::net::SocketAddr, key: &str| {
            let request = Request::new(address, "POST", PATH);
            request.body("application/json", json!({ "tokens": [key] }).to_string()).send()
        };
        let mut keys = Vec::new();
        for _ in 0..60 {
            keys.push(issue(&site, &site.plain, Expiry::Never).await.0);
        }
        let reports = keys.iter().enumerate().map(|(number, key)| of(if number % 2 == 0 { site.address } else { replica }, key));
        let answers = futures_util::future::join_all(reports).await;
        assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
        for address in [site.address, replica] {
            for key in [site.plain.key.as_str(), "nonsense"] {
                let refused = of(address, key).await;
                assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3600")), "{refused}");
            }
        }
        assert_eq!(site.me(&site.staff.key).send().await.status, 200);
        assert_eq!(site.database.number("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL").await, 60);
        site.clock.set(moment("2025-09-01T13:00:00Z"));
        assert_eq!(of(replica, &site.plain.key).await.status, 202, "the next hour");
    }
}

both! {
    /// An operator who has a list of keys ends them by name: the command reports whose they were.
    async fn an_operator_learns_whose_they_were(backend: Backend) {
        let site = Site::start(backend).await;
        let keys = vec![site.plain.key.clone(), "nonsense".to_owned(), site.alex.key.clone()];
        let revoked = site.directory().revoke_leaked(&operator(), &keys).await.unwrap();
        let mut names: Vec<_> = revoked.iter().map(|listed| listed.username.clone().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["alex_thompson", "plain"]);
        assert_eq!(site.directory().revoke_leaked(&operator(), &keys).await.unwrap(), vec![]);
    }
}
