//! How many codes are sent: of one account, for one client, and of all. The limits are in the database, so they hold across
//! replicas and restarts.

use std::time::Duration;

use serde_json::json;
use wardroom::directory::model::{CallingCode, CodeTarget};
use wardroom::directory::{Directory, Origin};

use crate::support::codes::{ask, codes_site, deliver, pass, replica, send, verify};
use crate::support::site::person;
use crate::support::{Backend, Site, both};

const NUMBER: &str = "+15550123";

/// Asks for a code, as a client of this address, and returns how many messages that sends.
async fn sent(directory: &Directory, from: &str, number: &str) -> usize {
    let origin = Origin { address: Some(from.to_owned()), ..Origin::default() };
    let target = CodeTarget::of_number(&number.parse().unwrap(), None);
    directory.request_code(&origin, target, directory.message_locale()).await.unwrap();
    deliver(directory).await.len()
}

/// Creates users with the numbers +49 711 9000000 and following.
async fn people(site: &Site, count: u32) {
    for number in 0..count {
        let mobile = format!("+49 711 {}", 9_000_000 + number);
        person(site.directory(), &format!("person{number}"), |draft| {
            draft.mobile_number = Some(mobile.into())
        })
        .await;
    }
}

fn number(at: u32) -> String {
    format!("+49711{}", 9_000_000 + at)
}

async fn last_reason(site: &Site) -> String {
    let last = "SELECT changes FROM audit_events WHERE action = 'code.request' ORDER BY id DESC LIMIT 1";
    site.database.text(last).await
}

both! {
    /// Line 7: five an hour and ten a day of one account, whoever asks, on whichever replica, across restarts.
    async fn an_account_gets_five_codes_an_hour_and_ten_a_day(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        let mut codes = 0;
        for round in 0..40 {
            // Each time a server of its own, as after a restart, and a client of its own.
            let server = replica(&site, |_| {}).await;
            codes += sent(&server, &format!("10.1.{round}.1"), NUMBER).await;
            let expected = match round {
                0..5 => round + 1,
                5..12 => 5,
                12..17 => round - 6,
                _ => 10,
            };
            assert_eq!(codes, expected, "round {round}");
            // The next hour begins with round 12, an hour after the first code.
            pass(&site, Duration::from_mins(5));
        }
        assert!(last_reason(&site).await.contains("\"why\":\"account_limit\""));
        // Ten a day: the first of them were sent 200 minutes ago.
        pass(&site, Duration::from_hours(24) - Duration::from_mins(201));
        assert_eq!(sent(site.directory(), "10.2.0.1", NUMBER).await, 0);
        pass(&site, Duration::from_mins(6));
        assert_eq!(sent(site.directory(), "10.2.0.2", NUMBER).await, 1, "the first one is a day old");
    }
}

both! {
    /// Line 7: ten an hour for one client, which is a network of IPv6. The answer does not say so.
    async fn a_client_gets_ten_codes_an_hour(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        people(&site, 13).await;
        let other = replica(&site, |_| {}).await;
        let mut codes = 0;
        for at in 0..11 {
            let server = if at % 2 == 0 { site.directory() } else { &other };
            codes += sent(server, &format!("2001:db8:1:2::{at}"), &number(at)).await;
        }
        assert_eq!(codes, 10);
        assert!(last_reason(&site).await.contains("\"why\":\"client_limit\""));
        let answer = ask(&site, "2001:db8:1:2:ffff::1", &number(11)).await;
        assert_eq!(answer.to_string(), r#"200 {"ttl":300}"#);
        assert!(deliver(site.directory()).await.is_empty());
        // Another network is another client, and an hour later it is like before.
        assert_eq!(sent(&other, "2001:db8:1:3::1", &number(12)).await, 1);
        pass(&site, Duration::from_secs(3_601));
        assert_eq!(sent(&other, "2001:db8:1:2::1", &number(11)).await, 1);
    }
}

both! {
    /// Line 7: twenty numbers and addresses an hour for one client, whether or not accounts have them.
    async fn a_client_asks_for_twenty_numbers_an_hour(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        for at in 0..19 {
            assert_eq!(ask(&site, "2001:db8::1", &number(at)).await.status, 200, "{at}");
        }
        let mail = json!({ "email": "nobody@example.com" });
        assert_eq!(send(&site, "2001:db8::2", "signin", &mail).send().await.status, 200);
        pass(&site, Duration::from_mins(10));
        for from in ["2001:db8::1", "2001:db8::3"] {
            let refused = ask(&site, from, &number(20)).await;
            assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3000")), "{refused}");
            let refused = ask(&site, from, NUMBER).await;
            assert_eq!((refused.status, refused.header("retry-after")), (429, Some("3000")), "also one that exists");
        }
        assert_eq!(ask(&site, "2001:db8::1", &number(3)).await.status, 200, "one of the twenty");
        assert_eq!(ask(&site, "2001:db8:0:1::1", &number(20)).await.status, 200, "another network");
        pass(&site, Duration::from_mins(50));
        assert_eq!(ask(&site, "2001:db8::1", &number(20)).await.status, 200);
    }
}

both! {
    /// Line 7: a ceiling for all accounts, which is recorded once an hour.
    async fn all_accounts_together_have_a_ceiling(backend: Backend) {
        let site = codes_site(backend, |settings| settings.per_hour = 3).await;
        people(&site, 8).await;
        let other = replica(&site, |settings| settings.per_hour = 3).await;
        let mut codes = 0;
        for at in 0..6 {
            let server = if at % 2 == 0 { site.directory() } else { &other };
            codes += sent(server, &format!("10.0.0.{at}"), &number(at)).await;
        }
        let events = "SELECT count(*) FROM audit_events WHERE action = 'code.limit' AND object_kind = 'directory' \
                      AND changes = '{\"per_hour\":3}'";
        assert_eq!((codes, site.database.number(events).await), (3, 1));
        assert!(last_reason(&site).await.contains("\"why\":\"house_limit\""));
        pass(&site, Duration::from_secs(3_601));
        for at in 0..5 {
            codes += sent(&other, &format!("10.0.1.{at}"), &number(at)).await;
        }
        assert_eq!((codes, site.database.number(events).await), (6, 2));
    }
}

both! {
    /// Line 7: only numbers of these countries.
    async fn codes_go_only_to_the_countries_of_the_setting(backend: Backend) {
        let site = codes_site(backend, |settings| settings.countries = vec![CallingCode::parse("+49").unwrap()]).await;
        people(&site, 1).await;
        assert_eq!(sent(site.directory(), "10.0.0.1", &number(0)).await, 1);
        assert_eq!(sent(site.directory(), "10.0.0.1", NUMBER).await, 0);
        assert!(last_reason(&site).await.contains("\"why\":\"country\""));
    }
}

both! {
    /// Guards against a client that makes the server write as often as it likes: only what is new costs a write.
    async fn asking_again_costs_no_write(backend: Backend) {
        let site = codes_site(backend, |settings| settings.targets_per_client_hour = 2).await;
        for at in 0..2 {
            assert_eq!(ask(&site, "10.0.0.1", &number(at)).await.status, 200);
        }
        let writes = site.directory().counters().writes.get();
        for (at, status) in [(0, 200), (1, 200), (2, 429), (3, 429), (0, 200)] {
            assert_eq!(ask(&site, "10.0.0.1", &number(at)).await.status, status, "{at}");
        }
        assert_eq!(site.directory().counters().writes.get(), writes);
    }
}

both! {
    /// Rows of requests are removed when no limit counts them any more.
    async fn old_requests_are_forgotten(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        ask(&site, "10.0.0.1", NUMBER).await;
        deliver(site.directory()).await;
        let rows = "SELECT (SELECT count(*) FROM sign_in_codes) + 100 * (SELECT count(*) FROM code_requests)";
        pass(&site, Duration::from_hours(24));
        site.directory().prune_codes().await.unwrap();
        assert_eq!(site.database.number(rows).await, 101);
        pass(&site, Duration::from_mins(61));
        ask(&site, "10.0.0.2", &number(0)).await;
        assert_eq!(site.database.number(rows).await, 101, "the next request removes the old one");
        pass(&site, Duration::from_mins(1_501));
        site.directory().prune_codes().await.unwrap();
        assert_eq!(site.database.number(rows).await, 0);
    }
}

both! {
    /// Guards against a client that keeps codes from others: what it may not have is no reason to refuse them. Asking again by
    /// another client decides again, and sends no second code.
    async fn a_client_over_its_limit_keeps_no_one_from_a_code(backend: Backend) {
        let site = codes_site(backend, |settings| settings.per_client_hour = 2).await;
        people(&site, 3).await;
        let attacker = "203.0.113.66";
        for at in 0..2 {
            assert_eq!(sent(site.directory(), attacker, &number(at)).await, 1);
        }
        assert_eq!(sent(site.directory(), attacker, &number(2)).await, 0);
        assert!(last_reason(&site).await.contains("\"why\":\"client_limit\""));
        pass(&site, Duration::from_secs(60));
        assert_eq!(sent(site.directory(), attacker, &number(2)).await, 0, "its own limit stays");
        let before = site.database.number("SELECT count(*) FROM sign_in_codes").await;
        let asked = ask(&site, "10.0.0.1", &number(2)).await;
        assert_eq!(asked.to_string(), r#"200 {"ttl":240}"#, "the answer is as before");
        let messages = deliver(site.directory()).await;
        assert_eq!(messages.len(), 1, "the one who may have a code gets it");
        let code = messages[0].code.clone().unwrap();
        for from in ["10.0.0.2", attacker] {
            assert_eq!(sent(site.directory(), from, &number(2)).await, 0, "there is one already");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM sign_in_codes").await, before);
        assert_eq!(verify(&site, "10.0.0.1", &number(2), &code).await.status, 200);
        // A number that no account has costs the same rows, and gets nothing.
        for from in ["10.0.0.3", "10.0.0.4"] {
            assert_eq!(sent(site.directory(), from, "+4930111111").await, 0);
        }
        assert!(last_reason(&site).await.contains("\"why\":\"unknown\""));
    }
}

both! {
    /// The event about the ceiling comes once an hour, also if requests that it stopped are decided again.
    async fn the_ceiling_is_recorded_once_although_requests_are_decided_again(backend: Backend) {
        let site = codes_site(backend, |settings| settings.per_hour = 1).await;
        people(&site, 2).await;
        assert_eq!(sent(site.directory(), "10.0.0.1", &number(0)).await, 1);
        for from in ["10.0.0.2", "10.0.0.3"] {
            assert_eq!(sent(site.directory(), from, &number(1)).await, 0);
        }
        site.database.sql("UPDATE users SET is_active = FALSE").await;
        assert_eq!(sent(site.directory(), "10.0.0.4", &number(1)).await, 0);
        site.database.sql("UPDATE users SET is_active = TRUE").await;
        assert_eq!(sent(site.directory(), "10.0.0.5", &number(1)).await, 0);
        let events = "SELECT count(*) FROM audit_events WHERE action = 'code.limit'";
        assert_eq!(site.database.number(events).await, 1);
    }
}
