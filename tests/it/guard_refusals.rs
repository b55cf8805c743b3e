//! The traces of refusals: events in the audit trail, which no flood of other events can hide, and lines in the
//! access log.

use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::UserKey;
use wardroom::directory::tokens::Expiry;

use crate::support::site::{EXAMPLE_KEY, operator, person};
use crate::support::{Backend, Database, Request, Site, both};

/// Returns the events of an action, newest first.
async fn events(site: &Site, action: &str) -> Vec<Value> {
    let path = format!("/api/users/audit?limit=999&action={action}");
    site.get(&path).token(&site.admin.key).send().await.json()["results"].as_array().unwrap().clone()
}

/// Waits for this many of them: the refusal of a read is recorded after the answer.
async fn awaited(site: &Site, action: &str, count: usize) -> Vec<Value> {
    let found = async {
        loop {
            let found = events(site, action).await;
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found =
        tokio::time::timeout(Duration::from_secs(60), found).await.expect("the events that were awaited");
    assert_eq!(found.len(), count, "{found:?}");
    found
}

async fn sign_in(site: &Site, from: &str, username: &str) -> u16 {
    let body = json!({"username": username, "password": "wrong"}).to_string();
    let request = site.request("POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", from);
    request.body("application/json", body).send().await.status
}

both! {
    /// Guards against a flood of refused sign-ins that prevents the record of another one.
    async fn finding_18_a_flood_of_refused_sign_ins_hides_no_other(backend: Backend) {
        let site = Site::start(backend).await;
        for (from, names) in [("192.0.2.1", 0..31), ("192.0.2.2", 31..62)] {
            for number in names {
                assert_eq!(sign_in(&site, from, &format!("name{number}")).await, 400);
            }
        }
        assert_eq!(events(&site, "sign_in.refused").await.len(), 40, "twenty of each client");
        assert_eq!(sign_in(&site, "192.0.2.3", "staff").await, 400);
        let noted = events(&site, "sign_in.refused").await;
        assert_eq!((noted.len(), &noted[0]["object_name"], &noted[0]["address"]), (41, &json!("staff"), &json!("192.0.2.3")));
        let left_out = noted.iter().filter_map(|event| event["changes"]["left_out_before"].as_i64());
        assert_eq!(left_out.sum::<i64>(), 22, "and how many were left out");
        // A client over its limit is still recorded for an account that had no events so far.
        assert_eq!(sign_in(&site, "192.0.2.1", "admin").await, 400);
        assert_eq!(events(&site, "sign_in.refused").await[0]["changes"], json!({"left_out_of_client": 11}));
    }
}

both! {
    /// Guards against a flood of refused requests that prevents the record of another one.
    async fn finding_18_a_flood_of_refused_requests_hides_no_other(backend: Backend) {
        let site = Site::start(backend).await;
        let refused = async |key: &str, from: &str| {
            let request = site.request("DELETE", "/api/users/42").token(key).header("X-Forwarded-For", from);
            assert_eq!(request.send().await.status, 403);
        };
        for _ in 0..70 {
            refused(&site.staff.key, "192.0.2.1").await;
        }
        refused(&site.plain.key, "192.0.2.2").await;
        let noted = events(&site, "request.refused").await;
        assert_eq!((noted.len(), &noted[0]["actor_name"]), (21, &json!("plain")));
        assert_eq!(noted[0]["changes"]["left_out_before"], 50);
    }
}

both! {
    /// The number of events that were left out is reported in the end, even if none follow.
    async fn finding_18_what_was_left_out_is_reported(backend: Backend) {
        let site = Site::start(backend).await;
        for _ in 0..25 {
            site.request("DELETE", "/api/users/42").token(&site.staff.key).send().await;
        }
        site.directory().note_left_out(false).await.unwrap();
        assert_eq!(events(&site, "refusals.left_out").await.len(), 0, "a later event may still report it");
        site.clock.set(site.clock.now().plus(Duration::from_secs(60)).unwrap());
        for _ in 0..2 {
            site.directory().note_left_out(false).await.unwrap();
        }
        let noted = events(&site, "refusals.left_out").await;
        assert_eq!((noted.len(), &noted[0]["changes"]), (1, &json!({"requests": 5, "sign_ins": 0})));
    }
}

both! {
    /// A refused read is recorded, whichever path answered it.
    async fn finding_18_refused_reads_are_noted(backend: Backend) {
        let site = Site::start(backend).await;
        let why = "You do not have permission to perform this action.";
        for (number, (path, operation, caller, name)) in (1..).zip([
            ("/api/users", "GET /api/users", &site.staff, "staff"),
            ("/api/users/groups/1", "GET /api/users/groups/{id}", &site.staff, "staff"),
            ("/api/users/me", "GET /api/users/me", &site.plain, "plain"),
            ("/api/users/me?fields=id", "GET /api/users/me", &site.plain, "plain"),
        ]) {
            assert_eq!(site.get(path).token(&caller.key).send().await.status, 403);
            let event = &awaited(&site, "request.refused", number).await[0];
            assert_eq!((&event["actor_kind"], &event["actor_id"], &event["actor_name"]), (&json!("person"), &json!(caller.id), &json!(name)));
            assert_eq!((&event["changes"], &event["address"]), (&json!({"asked": operation, "why": why}), &json!("127.0.0.1")));
        }
        // A successful read leaves no event, and neither does an anonymous one.
        assert_eq!(site.me(EXAMPLE_KEY).send().await.status, 200);
        assert_eq!(site.get("/api/users").send().await.status, 401);
        for _ in 0..40 {
            site.me(&site.plain.key).header("X-Forwarded-For", "192.0.2.1").send().await;
        }
        let noted = awaited(&site, "request.refused", 22).await;
        let of_plain = noted.iter().filter(|event| event["actor_name"] == "plain");
        assert_eq!(of_plain.count(), 20, "in the account's limiter");
    }
}

both! {
    /// A key that is no longer valid but still used may be stolen: it is recorded, with the reason.
    async fn finding_18_dead_tokens_are_noted(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(42.try_into().unwrap());
        let issue = async |name: &str| {
            let end = Expiry::After(Duration::from_secs(10));
            site.directory().issue_token(&operator(), &owner, name, end).await.unwrap()
        };
        let (revoked, expired) = (issue("revoked").await, issue("expired").await);
        site.directory().revoke_token(&operator(), None, revoked.token.id).await.unwrap();
        site.clock.set(site.clock.now().plus(Duration::from_secs(10)).unwrap());
        let mut count = 0;
        for path in ["/api/users/me", "/api/users/me/tokens"] {
            for (key, name, why) in [
                (revoked.key.reveal(), "revoked", "the token is revoked"),
                (expired.key.reveal(), "expired", "the token has expired"),
                (site.inactive.key.as_str(), "test", "the token's owner is not active"),
            ] {
                assert_eq!(site.get(path).token(key).send().await.status, 401);
                count += 1;
                let event = &awaited(&site, "token.refused", count).await[0];
                assert_eq!((&event["actor_kind"], &event["object_kind"], &event["object_name"]), (&json!("anonymous"), &json!("token"), &json!(name)));
                let owner = if name == "test" { site.inactive.id } else { 42 };
                assert_eq!(event["changes"], json!({"asked": format!("GET {path}"), "why": why, "user_id": owner}));
            }
            // This key is unknown: there is nothing to record.
            assert_eq!(site.get(path).token(&"f".repeat(40)).send().await.status, 401);
        }
        assert_eq!(awaited(&site, "token.refused", count).await.len(), 6);
        assert_eq!(site.directory().verify_audit(&operator(), None).await.unwrap().broken, None);
    }
}

both! {
    /// The access log names the account and token of a request, whether or not the token is valid.
    async fn finding_18_the_access_log_names_account_and_token(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&wardroom::directory::Clock::system().unwrap()).await;
        let ann = person(&directory, "ann", |draft| draft.is_staff = Some(true)).await;
        let bob = person(&directory, "bob", |_| {}).await;
        let cid = person(&directory, "cid", |draft| draft.is_active = Some(false)).await;
        let mut process = crate::process::serve(&database, &["--access-log", "all"]);
        let address = process.address("listening");
        for (key, status, owner) in [(&ann.key, 200, Some(&ann)), (&bob.key, 403, Some(&bob)), (&cid.key, 401, Some(&cid)), (&"f".repeat(40), 401, None)] {
            assert_eq!(Request::new(address, "GET", "/api/users/me").token(key).send().await.status, status);
            let line = process.record("answered");
            let token = match owner {
                Some(person) => Some(database.number(&format!("SELECT id FROM tokens WHERE user_id = {}", person.id)).await),
                None => None,
            };
            let account = owner.map(|person| person.id);
            assert_eq!((line["account"].as_i64(), line["token"].as_i64(), line["status"].as_u64()), (account, token, Some(status.into())), "{line}");
        }
    }
}

both! {
    /// Guards against a stolen key that floods the audit trail from outside the networks of its token, and so hides another
    /// client.
    async fn refusals_from_outside_a_token_s_networks_are_limited(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql("UPDATE tokens SET allowed_networks = '198.51.100.0/24'").await;
        let refused = async |key: &str, path: &str, from: &str| {
            let answer = site.get(path).token(key).header("X-Forwarded-For", from).send().await;
            assert_eq!(answer.status, 401);
        };
        for number in 0..70 {
            let path = ["/api/users/me", "/api/users/me?x", "/api/auth/forward/active"][number % 3];
            refused(&site.staff.key, path, "192.0.2.1").await;
        }
        refused(&site.alex.key, "/api/users/me", "192.0.2.2").await;
        site.database.sql("UPDATE tokens SET allowed_networks = NULL").await;
        let noted = awaited(&site, "token.refused", 21).await;
        let of = |user: i64| noted.iter().filter(|event| event["changes"]["user_id"] == user).count();
        assert_eq!((of(site.staff.id), of(42)), (20, 1));
        let left_out: i64 = noted.iter().filter_map(|event| event["changes"]["left_out_before"].as_i64()).sum();
        assert_eq!(left_out, 50);
    }
}
