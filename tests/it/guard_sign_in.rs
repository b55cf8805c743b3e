//! Which sign-ins have to wait: places in the queue of hashes, and counts of other users' failures.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};
use wardroom::directory::{Directory, Error};

use crate::cli::on;
use crate::support::site::{Persona, imported, operator, person};
use crate::support::{Answer, Backend, Database, Request, Site, both};

const PASSWORD: &str = "an unlikely pass phrase";
/// The number of counted failures. Each is counted three times: of the pair, the client and the account.
const FAILURES: &str = "SELECT CAST(coalesce(sum(failures), 0) AS BIGINT) FROM attempts";

fn key(who: &Persona) -> UserKey {
    UserKey::Id(who.id.try_into().unwrap())
}

async fn give_password(site: &Site, who: &Persona) {
    site.directory().set_password(&operator(), &key(who), Password::new(PASSWORD.into())).await.unwrap();
}

fn sign_in(site: &Site, from: &str, username: &str, password: &str) -> Request {
    let body = json!({"username": username, "password": password}).to_string();
    let request = site.request("POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", from);
    request.body("application/json", body)
}

async fn status(site: &Site, from: &str, username: &str, password: &str) -> u16 {
    sign_in(site, from, username, password).send().await.status
}

fn pass(site: &Site, seconds: u64) {
    site.clock.set(site.clock.now().plus(Duration::from_secs(seconds)).unwrap());
}

/// Starts sign-ins that take seconds, and returns when each has its place in the queue.
async fn occupy(site: &Site, from: &str, usernames: &[&str]) -> Vec<tokio::task::JoinHandle<Answer>> {
    let mut begun = Vec::new();
    for username in usernames {
        let before = site.database.number(FAILURES).await;
        begun.push(tokio::spawn(sign_in(site, from, username, "wrong").send()));
        // An attempt is counted when it has its place.
        while site.database.number(FAILURES).await == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    begun
}

const FULL: &str =
    "429 [retry-after: 1] {\"detail\":\"Request was throttled. Expected available in 1 second.\"}";

both! {
    /// Guards against one client, or one account, that fills the queue and keeps others from signing in.
    async fn finding_11_a_client_has_four_places_in_the_queue_and_an_account_two(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.admin).await;
        // The hashes must take longer than the requests below; how long depends on the machine.
        for (round, iterations) in [200_000, 1_000_000, 4_000_000, 10_000_000].into_iter().enumerate() {
            let [client, other] = [1, 2].map(|number| format!("192.0.{round}.{number}"));
            let slow = format!("pbkdf2_sha256${iterations}$salt$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA=");
            site.database.sql(&format!("UPDATE users SET password = '{slow}' WHERE username IN ('plain', 'staff')")).await;
            let hashes = site.directory().counters().password_hashes.get();
            let counted = site.database.number(FAILURES).await;
            let mut begun = occupy(&site, &client, &["plain", "plain"]).await;
            let mut refused = Vec::new();
            for from in [&client, &other] {
                refused.push(sign_in(&site, from, "plain", "wrong").send().await.to_string());
            }
            begun.extend(occupy(&site, &client, &["staff", "staff"]).await);
            refused.push(sign_in(&site, &client, "admin", PASSWORD).send().await.to_string());
            let counted = site.database.number(FAILURES).await - counted;
            let too_late = begun.iter().any(|sign_in| sign_in.is_finished());
            let elsewhere = status(&site, &other, "admin", PASSWORD).await;
            for answer in join_all(begun).await {
                assert_eq!(answer.unwrap().status, 400);
            }
            if too_late {
                continue;
            }
            assert_eq!(refused, [FULL; 3], "the account has two places, then the client four");
            assert_eq!(counted, 12, "attempts without a place are not counted");
            assert_eq!(elsewhere, 200, "other users can sign in");
            assert_eq!(status(&site, &client, "admin", PASSWORD).await, 200, "places are given back");
            assert_eq!(site.directory().counters().password_hashes.get() - hashes, 6);
            return;
        }
        panic!("ten million iterations were done before three requests");
    }
}

async fn with_password(directory: &Directory, actor: &wardroom::directory::Actor, number: usize) -> bool {
    let draft = UserDraft { username: Some(format!("new{number}")), ..UserDraft::default() };
    match directory.create_user(actor, &draft, Some(Password::new(PASSWORD.into()))).await {
        Ok(_) => true,
        Err(Error::Busy { retry_after }) => {
            assert_eq!(retry_after, Duration::from_secs(1));
            false
        }
        Err(error) => panic!("{error}"),
    }
}

both! {
    /// Setting passwords takes places in the same queue: of the person who sets them, but not of an operator.
    async fn finding_11_a_person_who_sets_passwords_has_two_places_in_the_queue(backend: Backend) {
        let site = Site::start(backend).await;
        let person = site.directory().authenticate(&site.admin.key, None).await.unwrap();
        let origin = wardroom::directory::Origin { address: Some("192.0.2.1".into()), ..Default::default() };
        let person = wardroom::directory::Actor { who: wardroom::directory::access::Who::Person(person), origin };
        let made = join_all((0..12).map(|number| with_password(site.directory(), &person, number))).await;
        let made = made.into_iter().filter(|made| *made).count();
        assert!((2..12).contains(&made), "{made}");
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE username LIKE 'new%'").await, i64::try_from(made).unwrap());
        let operator = operator();
        let all = join_all((20..32).map(|number| with_password(site.directory(), &operator, number))).await;
        assert!(all.into_iter().all(|made| made));
    }
}

both! {
    /// Guards against a client that fails for many accounts and so locks out everyone behind the same address. For
    /// users who have signed in from there before, only their own failures count.
    async fn finding_12_failures_of_others_lock_out_no_user_of_a_known_network(backend: Backend) {
        let site = Site::start(backend).await;
        for who in [&site.staff, &site.admin] {
            give_password(&site, who).await;
        }
        assert_eq!(status(&site, "192.0.2.1", "staff", PASSWORD).await, 200);
        for number in 0..51 {
            assert_eq!(status(&site, "192.0.2.1", &format!("name{number}"), "x").await, 400);
        }
        assert_eq!(status(&site, "192.0.2.1", "admin", PASSWORD).await, 429, "not known from here");
        for _ in 0..3 {
            assert_eq!(status(&site, "192.0.2.1", "staff", PASSWORD).await, 200);
        }
        assert_eq!(status(&site, "192.0.2.1", "admin", PASSWORD).await, 429, "and other clients still have to wait");
        // A known pair is guarded, too, and its count is reset by a successful sign-in.
        for _ in 0..6 {
            assert_eq!(status(&site, "192.0.2.1", "staff", "wrong").await, 400);
        }
        assert_eq!(status(&site, "192.0.2.1", "staff", PASSWORD).await, 429);
        pass(&site, 1);
        assert_eq!(status(&site, "192.0.2.1", "staff", PASSWORD).await, 200);
        assert_eq!(status(&site, "192.0.2.1", "staff", "wrong").await, 400);
    }
}

both! {
    /// Guards against a second account whose name differs only in case, and whose successful sign-ins reset the
    /// failures of the first.
    async fn finding_12_an_account_is_counted_by_its_id(backend: Backend) {
        let site = Site::start(backend).await;
        let named = |id, name| SeedUser { user: imported(id, name), password: "!".into() };
        let users = vec![named(100, "boss"), named(101, "BOSS")];
        site.directory().seed(&operator(), SeedRows { groups: vec![], users, tokens: vec![] }).await.unwrap();
        give_password(&site, &Persona { id: 101, key: String::new() }).await;
        for _ in 0..6 {
            assert_eq!(status(&site, "192.0.2.1", "boss", "wrong").await, 400);
        }
        assert_eq!(status(&site, "192.0.2.1", "boss", "wrong").await, 429);
        assert_eq!(status(&site, "192.0.2.1", "BOSS", PASSWORD).await, 200);
        assert_eq!(status(&site, "192.0.2.1", "boss", "wrong").await, 429);
        // A different name is a different account.
        let renamed = UserDraft { username: Some("chief".into()), ..UserDraft::default() };
        let boss = UserKey::Id(100.try_into().unwrap());
        site.directory().update_user(&operator(), &boss, &renamed, None).await.unwrap();
        assert_eq!(status(&site, "192.0.2.1", "chief", "wrong").await, 429);
    }
}

both! {
    /// No spelling of a name reveals whether it exists: each counts for the account that it could mean.
    async fn finding_12_spellings_of_a_name_count_together(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        for (from, spellings) in [("192.0.2.1", ["staff", "Staff", "STAFF"]), ("192.0.2.2", ["nobody", "Nobody", "\u{ff2e}OBODY"])] {
            for spelling in spellings.iter().cycle().take(6) {
                assert_eq!(status(&site, from, spelling, "wrong").await, 400, "{spelling}");
            }
            for spelling in spellings {
                assert_eq!(status(&site, from, spelling, "wrong").await, 429, "{spelling}");
            }
        }
    }
}

both! {
    /// Behind an unknown proxy all people are one client for every limit: `doctor` says so.
    async fn finding_12_doctor_warns_if_all_users_come_from_one_address(backend: Backend) {
        let database = Database::new(backend).await;
        let clock = wardroom::directory::Clock::system().unwrap();
        let directory = database.open(&clock).await;
        let mut ids = Vec::new();
        for name in ["ann", "bob", "cid"] {
            ids.push(person(&directory, name, |draft| draft.is_admin = Some(true)).await.id);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let verdict = |proxies: &str| {
            std::fs::write(file.path(), format!("trusted_proxies = \"{proxies}\"")).unwrap();
            let doctor = on(&database, &["doctor", "--json", "--config", file.path().to_str().unwrap()], "");
            let rows = doctor.json();
            let row = rows.as_array().unwrap().iter().find(|row| row["check"] == "clients").unwrap().clone();
            (row["verdict"].as_str().unwrap().to_owned(), row["text"].as_str().unwrap().to_owned())
        };
        assert_eq!(verdict("").0, "ok", "there were no sign-ins");
        let now = clock.now().as_micros();
        for id in &ids {
            let seen = format!("UPDATE tokens SET last_used_at = {now}, last_used_from = '2001:db8::{id}' WHERE user_id = {id}");
            database.sql(&seen).await;
        }
        let (word, text) = verdict("127.0.0.1");
        assert!(word == "warning" && text.contains("2001:db8::: if that is a proxy, add it to trusted_proxies"), "{text}");
        let (word, text) = verdict("2001:db8::/64");
        assert!(word == "warning" && text.contains("make that proxy send X-Forwarded-For"), "{text}");
        database.sql(&format!("INSERT INTO known_addresses VALUES ({}, '192.0.2.1', {now})", ids[0])).await;
        assert_eq!(verdict("").0, "ok", "several networks");
        let old = now - 31 * 24 * 3_600_000_000;
        database.sql(&format!("UPDATE known_addresses SET used_at = {old}")).await;
        assert_eq!(verdict("").0, "warning", "old sign-ins do not count");
        database.sql(&format!("UPDATE tokens SET last_used_at = {old} WHERE user_id = {}", ids[0])).await;
        assert_eq!(verdict("").0, "ok", "two people may well have one address");
    }
}
