//! A clock that is set back or forward: waits stay bounded, what has ended stays ended where that is stored, and the
//! program itself runs under another time.

use std::time::Duration;

use serde_json::{Value, json};
use wardroom::directory::model::{Rate, Rates, Timestamp, TokenId, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Settings, TokenEnd, Unauthenticated};

use crate::process::{Process, wardroom};
use crate::support::own_postgres::libfaketime;
use crate::support::site::{Persona, moment, operator, person};
use crate::support::{Answer, Backend, Database, Request, Site, both};

const PASSWORD: &str = "an unlikely pass phrase";
const HOUR: Duration = Duration::from_hours(1);
/// The times that the tests move between.
const NOON: &str = "2025-09-01T12:00:00Z";

fn set(site: &Site, text: &str) {
    site.clock.set(moment(text));
}

fn forward(site: &Site, span: Duration) {
    site.clock.set(site.clock.now().plus(span).unwrap());
}

fn back(site: &Site, span: Duration) {
    site.clock.set(site.clock.now().saturating_sub(span));
}

async fn give_password(site: &Site, who: &Persona) {
    let key = UserKey::Id(who.id.try_into().unwrap());
    site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
}

async fn sign_in(site: &Site, from: &str, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password}).to_string();
    let request = site.request("POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", from);
    request.body("application/json", body).send().await
}

/// The seconds that a refused attempt has to wait.
fn wait(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{answer}");
    answer.header("retry-after").unwrap().parse().unwrap()
}

both! {
    /// Guards against a clock that goes back an hour: one wrong password then locked an account and a client for an hour.
    async fn after_the_clock_went_back_a_wait_is_as_long_as_its_failures_make_it(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        for _ in 0..6 {
            assert_eq!(sign_in(&site, "192.0.2.1", "staff", "wrong").await.status, 400);
        }
        assert_eq!(wait(&sign_in(&site, "192.0.2.1", "staff", PASSWORD).await), 1);
        for jump in [HOUR, 24 * HOUR, 24 * 365 * HOUR] {
            back(&site, jump);
            assert_eq!(wait(&sign_in(&site, "192.0.2.1", "staff", PASSWORD).await), 1, "{jump:?}");
            assert_eq!(wait(&sign_in(&site, "192.0.2.1", "staff", PASSWORD).await), 1, "it does not begin again");
        }
        forward(&site, Duration::from_secs(1));
        assert_eq!(sign_in(&site, "192.0.2.1", "staff", "wrong").await.status, 400, "and time ends it");
        assert_eq!(wait(&sign_in(&site, "192.0.2.1", "staff", PASSWORD).await), 2, "failures still count");
        forward(&site, Duration::from_secs(2));
        assert_eq!(sign_in(&site, "192.0.2.1", "staff", PASSWORD).await.status, 200);
        // Forward, failures are forgotten after an hour, as ever.
        for _ in 0..6 {
            assert_eq!(sign_in(&site, "192.0.2.2", "admin", "wrong").await.status, 400);
        }
        forward(&site, HOUR + Duration::from_secs(1));
        assert_eq!(sign_in(&site, "192.0.2.2", "admin", "wrong").await.status, 400);
        assert_eq!(sign_in(&site, "192.0.2.2", "admin", "wrong").await.status, 400);
    }
}

both! {
    /// Whatever is stored, no wait is longer than the guard's longest, and after it the attempt is let through.
    async fn no_stored_wait_is_longer_than_the_guard_s_longest(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        let last = Timestamp::LAST.as_micros();
        for (failures, longest) in [(6, 1), (7, 2), (1_000_000, 900)] {
            assert_eq!(sign_in(&site, "192.0.2.1", "staff", "wrong").await.status, 400);
            // All three counts: of the pair, the client and the account.
            let stored = format!("UPDATE attempts SET failures = {failures}, blocked_until = {last}, expires_at = {last} WHERE failures > 0");
            site.database.sql(&stored).await;
            let seconds = wait(&sign_in(&site, "192.0.2.1", "staff", PASSWORD).await);
            assert_eq!(seconds, longest, "{failures}");
            forward(&site, Duration::from_secs(seconds));
            assert_eq!(sign_in(&site, "192.0.2.1", "staff", PASSWORD).await.status, 200, "{failures}");
            site.database.sql("DELETE FROM attempts WHERE failures > 0").await;
            site.database.sql("DELETE FROM known_addresses").await;
        }
        assert_eq!(site.database.number("SELECT count(*) FROM attempts WHERE failures > 0").await, 0);
    }
}

both! {
    /// The same for those who learn that values are taken.
    async fn after_the_clock_went_back_taken_values_delay_no_longer_than_they_did(backend: Backend) {
        let site = Site::start(backend).await;
        let taken = async || {
            let request = site.request("PATCH", "/api/users/me").token(&site.staff.key);
            request.body("application/json", r#"{"username": "admin"}"#).send().await
        };
        for _ in 0..21 {
            assert_eq!(taken().await.status, 400);
        }
        assert_eq!(wait(&taken().await), 1);
        back(&site, HOUR);
        assert_eq!((wait(&taken().await), wait(&taken().await)), (1, 1));
        forward(&site, Duration::from_secs(1));
        assert_eq!(taken().await.status, 400);
        assert_eq!(wait(&taken().await), 2);
    }
}

fn limited(settings: &mut Settings) {
    let rate = Some(Rate { requests: 3, window: Duration::from_mins(1) });
    settings.rates = Rates { per_token: rate, per_address: rate, uploads: None };
}

both! {
    /// A rate limit counts in the window that the clock shows, in memory and in the shared counts, whichever way it went.
    async fn rates_count_in_the_window_that_the_clock_shows(backend: Backend) {
        let site = Site::with_directory(backend, limited).await;
        let mut settings = site.database.settings();
        limited(&mut settings);
        let replica = wardroom::directory::Directory::open(&settings, site.clock.clone()).await.unwrap();
        let token: TokenId = site.database.number("SELECT min(id) FROM tokens WHERE user_id = 42").await.try_into().unwrap();
        for time in [NOON, "2025-09-01T11:00:00Z", "2025-09-01T13:00:00Z", "2025-08-01T12:00:00Z"] {
            set(&site, time);
            let mut statuses = Vec::new();
            for _ in 0..2 {
                statuses.push(site.me(&site.alex.key).send().await.status);
            }
            site.directory().share_rates().await.unwrap();
            // Another process learns of them when it shares its own.
            assert!(!replica.count_token(token).unwrap().exceeded, "{time}");
            replica.share_rates().await.unwrap();
            let known = replica.count_token(token).unwrap();
            assert!(known.exceeded && known.reset <= Duration::from_mins(1), "{time}: {known:?}");
            statuses.push(site.me(&site.alex.key).send().await.status);
            let over = site.me(&site.alex.key).send().await;
            assert_eq!(statuses, [200, 200, 200], "{time}");
            assert!(wait(&over) <= 60, "{time}: {over}");
            forward(&site, Duration::from_mins(1));
            assert_eq!(site.me(&site.alex.key).send().await.status, 200, "{time}: the next window");
        }
        // Rows of windows that are over are deleted; those that lie ahead go when the clock has passed them.
        set(&site, "2025-09-02T12:00:00Z");
        for _ in 0..3 {
            site.me(&site.alex.key).send().await;
            site.directory().share_rates().await.unwrap();
            forward(&site, Duration::from_mins(1));
        }
        assert!(site.database.number("SELECT count(*) FROM rate_counts").await <= 3);
    }
}

both! {
    /// A token is valid by the clock of the request; one that was revoked stays so, even at a time before that.
    async fn ends_of_tokens_follow_the_clock_and_revocations_do_not(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(42.try_into().unwrap());
        let issue = async |end| site.directory().issue_token(&operator(), &owner, "test", end).await.unwrap();
        let (ending, revoked) = (issue(Expiry::After(HOUR)).await, issue(Expiry::After(HOUR)).await);
        site.directory().revoke_token(&operator(), None, revoked.token.id).await.unwrap();
        for (time, status) in [
            (NOON, 200), ("2025-09-01T13:00:00Z", 401), ("2025-09-01T12:59:59.999999Z", 200), ("2025-09-01T11:00:00Z", 200),
            ("2020-01-01T00:00:00Z", 200), ("2030-01-01T00:00:00Z", 401), (NOON, 200),
        ] {
            set(&site, time);
            for path in ["/api/users/me", "/api/users/me/tokens"] {
                assert_eq!(site.get(path).token(ending.key.reveal()).send().await.status, status, "{time} {path}");
                assert_eq!(site.get(path).token(revoked.key.reveal()).send().await.status, 401, "{time} {path}");
            }
        }
        for (key, time, why) in [
            (&ending, "2025-09-01T13:00:00Z", TokenEnd::Expired),
            (&revoked, "2025-09-01T13:00:00Z", TokenEnd::Revoked),
            (&revoked, "2020-01-01T00:00:00Z", TokenEnd::Revoked),
        ] {
            set(&site, time);
            let Err(Unauthenticated::InvalidToken(Some(ended))) = site.directory().authenticate(key.key.reveal(), None).await else {
                panic!("{time}")
            };
            assert_eq!(ended.why, why, "{time}");
        }
    }
}

both! {
    /// Events keep the order in which they happened, and the chain holds, whatever times they bear.
    async fn the_audit_trail_keeps_its_order(backend: Backend) {
        let site = Site::start(backend).await;
        let times = [NOON, "2025-09-01T11:00:00Z", "2025-09-01T14:00:00Z", "2020-01-01T00:00:00Z", "2025-09-01T12:00:01Z"];
        for (number, time) in times.into_iter().enumerate() {
            set(&site, time);
            let body = json!({"first_name": format!("name {number}")}).to_string();
            let request = site.request("PATCH", "/api/users/42").token(&site.admin.key);
            assert_eq!(request.body("application/json", body).send().await.status, 200);
        }
        let mut seen = Vec::new();
        let mut next = Some("/api/users/audit?action=user.update&limit=2".to_owned());
        while let Some(path) = next {
            let page = site.get(&path).token(&site.admin.key).send().await.json();
            seen.extend(page["results"].as_array().unwrap().iter().map(|event| event["at"].clone()));
            next = page["next"].as_str().map(|link| link.strip_prefix("http://localhost").unwrap().to_owned());
        }
        let expected: Vec<Value> = times.iter().rev().map(|time| moment(time).to_string().into()).collect();
        assert_eq!(seen, expected, "newest first");
        // A range of times is listed in the order of times, page by page.
        let mut seen = Vec::new();
        let mut next = Some("/api/users/audit?action=user.update&from=2020-01-01&to=2025-09-01T13:00:00Z&limit=1".to_owned());
        while let Some(path) = next {
            let page = site.get(&path).token(&site.admin.key).send().await.json();
            seen.extend(page["results"].as_array().unwrap().iter().map(|event| event["at"].clone()));
            next = page["next"].as_str().map(|link| link.strip_prefix("http://localhost").unwrap().to_owned());
        }
        let mut expected: Vec<String> =
            times.iter().map(|time| moment(time).to_string()).filter(|time| time.as_str() < "2025-09-01T13").collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(seen, expected);
        let verified = site.directory().verify_audit(&operator(), None).await.unwrap();
        assert_eq!(verified.broken, None);
        assert!(verified.good >= 5);
    }
}

both! {
    /// An unused sign-in ends by the clock. When the clock goes back no one is signed out early.
    async fn an_idle_sign_in_ends_by_the_clock(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.sign_in_idle_timeout = HOUR / 2).await;
        give_password(&site, &site.staff).await;
        let signed_in = sign_in(&site, "192.0.2.1", "staff", PASSWORD).await.json();
        let key = signed_in["token"].as_str().unwrap();
        let opens = async || {
            let both = [site.me(key).send().await.status, site.get("/api/users/me/tokens").token(key).send().await.status];
            assert_eq!(both[0], both[1]);
            both[0] == 200
        };
        assert!(opens().await);
        site.directory().write_uses().await.unwrap();
        for time in ["2025-09-01T11:00:00Z", "2025-08-01T12:00:00Z", "2025-09-01T12:29:59Z"] {
            set(&site, time);
            assert!(opens().await, "{time}");
            site.directory().write_uses().await.unwrap();
            assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 0, "{time}");
        }
        set(&site, "2025-09-01T13:03:00Z");
        assert!(!opens().await);
        let Err(Unauthenticated::InvalidToken(Some(ended))) = site.directory().authenticate(key, None).await else { panic!("valid") };
        assert_eq!(ended.why, TokenEnd::Idle);
        assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 1);
        set(&site, NOON);
        assert!(!opens().await, "permanently");
    }
}

both! {
    /// What is kept for a time is kept at least as long when the clock goes back, and goes when the time is over.
    async fn retention_follows_the_clock(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(42.try_into().unwrap());
        let issued = site.directory().issue_token(&operator(), &owner, "test", Expiry::Never).await.unwrap();
        site.directory().revoke_token(&operator(), None, issued.token.id).await.unwrap();
        let gone = person(site.directory(), "gone", |_| {}).await;
        site.directory().delete_user(&operator(), &UserKey::Id(gone.id.try_into().unwrap())).await.unwrap();
        let swept = async |time: &str| {
            set(&site, time);
            let listed = site.get("/api/users/deleted").token(&site.admin.key).send().await.json();
            let in_bin = listed["results"].as_array().unwrap().len();
            let (tokens, people) = (site.directory().prune_tokens().await.unwrap(), site.directory().purge_expired().await.unwrap());
            (tokens, people, in_bin)
        };
        // Tokens are kept for 90 days and users for 30.
        assert_eq!(swept("2025-09-01T11:00:00Z").await, (0, 0, 1));
        assert_eq!(swept("2020-01-01T00:00:00Z").await, (0, 0, 1));
        assert_eq!(swept("2025-10-01T11:59:59Z").await, (0, 0, 1));
        assert_eq!(swept("2025-10-01T12:00:00Z").await, (0, 1, 0));
        assert_eq!(swept("2025-11-30T11:59:59Z").await, (0, 0, 0));
        assert_eq!(swept("2025-11-30T12:00:00Z").await, (1, 0, 0));
    }
}

both! {
    /// Events of refused requests are limited in the minute that the clock shows.
    async fn refusals_are_recorded_whichever_way_the_clock_went(backend: Backend) {
        let site = Site::start(backend).await;
        let mut recorded = 0;
        for (time, attempts, more) in [(NOON, 22, 20), ("2025-09-01T11:00:00Z", 22, 20), ("2025-09-01T13:00:00Z", 5, 5)] {
            set(&site, time);
            for number in 0..attempts {
                assert_eq!(sign_in(&site, "192.0.2.1", &format!("{time}{number}"), "x").await.status, 400, "{time} {number}");
            }
            recorded += more;
            let events = "SELECT count(*) FROM audit_events WHERE action = 'sign_in.refused'";
            assert_eq!(site.database.number(events).await, recorded, "{time}");
        }
    }
}

both! {
    /// Guards against a crash at the start, before `main`: the allocator read the clock, and the library that answers it
    /// was still allocating.
    async fn the_program_runs_under_another_time(backend: Backend) {
        for library in ["libfaketime.so.1", "libfaketimeMT.so.1"] {
            for (offset, hours) in [("-1h", -1), ("+1h", 1)] {
                for is_monotonic_true in [false, true] {
                    let about = format!("{library} {offset} {is_monotonic_true}");
                    let database = Database::empty(backend).await;
                    let mut command = wardroom(&["serve", "--listen", "127.0.0.1:0", "--init"]);
                    command.args(database.args()).env("LD_PRELOAD", libfaketime(library)).env("FAKETIME", offset);
                    if is_monotonic_true {
                        command.env("DONT_FAKE_MONOTONIC", "1");
                    }
                    let mut process = Process::start(command);
                    let address = process.address("listening");
                    assert_eq!(Request::new(address, "GET", "/readyz").send().await.status, 200, "{about}");
                    let body = r#"{"username": "x", "password": "y"}"#;
                    let sign_in = Request::new(address, "POST", "/api/users/auth/pwd/signin").body("application/json", body);
                    assert_eq!(sign_in.send().await.status, 400, "{about}");
                    let recorded = database.number("SELECT max(at) FROM audit_events").await;
                    let now = wardroom::directory::Clock::system().unwrap().now();
                    let minutes = (recorded - now.as_micros()) / 60_000_000;
                    assert!((hours * 60 - 30..hours * 60 + 30).contains(&minutes), "{about}: off by {minutes} minutes");
                    process.signal("-TERM");
                    let (code, log) = process.end();
                    assert_eq!(code, Some(0), "{about}: {log}");
                }
            }
        }
    }
}
