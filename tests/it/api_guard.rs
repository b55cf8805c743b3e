//! The guard: limits on sign-in attempts and on requests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wardroom::directory::model::UserKey;
use wardroom::directory::model::{Rate, Rates};
use wardroom::directory::password::Password;

use crate::support::site::{EXAMPLE_KEY, Persona, operator};
use crate::support::{Answer, Backend, Request, Site, both};

const PASSWORD: &str = "an unlikely pass phrase";

async fn give_password(site: &Site, who: &Persona) {
    let key = UserKey::Id(who.id.try_into().unwrap());
    site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
}

async fn sign_in_at(server: SocketAddr, from: &str, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password}).to_string();
    let request = Request::new(server, "POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", from);
    request.body("application/json", body).send().await
}

async fn sign_in(site: &Site, from: &str, username: &str, password: &str) -> Answer {
    sign_in_at(site.address, from, username, password).await
}

fn pass(site: &Site, seconds: u64) {
    site.clock.set(site.clock.now().plus(Duration::from_secs(seconds)).unwrap());
}

both! {
    /// Five failures are free, then each wait doubles, whether or not the name exists.
    async fn guessing_gets_slower_and_slower(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        for (from, username) in [("192.0.2.1", "staff"), ("192.0.2.2", "nobody")] {
            for _ in 0..5 {
                assert_eq!(sign_in(&site, from, username, "wrong").await.status, 400);
            }
            let hashes = site.directory().counters().password_hashes.get();
            assert_eq!(sign_in(&site, from, username, "wrong").await.status, 400);
            for wait in [1, 2, 4] {
                let throttled = sign_in(&site, from, username, PASSWORD).await;
                let unit = if wait == 1 { "second" } else { "seconds" };
                assert_eq!(throttled.to_string(), format!("429 [retry-after: {wait}] {{\"detail\":\"Request was throttled. Expected available in {wait} {unit}.\"}}"));
                pass(&site, wait);
                assert_eq!(sign_in(&site, from, username, "wrong").await.status, 400, "{username} after {wait}");
            }
            assert_eq!(site.directory().counters().password_hashes.get() - hashes, 4, "a throttled attempt costs no hash");
        }
        // The right password resets the count, and so does an hour.
        pass(&site, 8);
        assert_eq!(sign_in(&site, "192.0.2.1", "staff", PASSWORD).await.status, 200);
        for _ in 0..5 {
            assert_eq!(sign_in(&site, "192.0.2.1", "staff", "wrong").await.status, 400);
        }
        pass(&site, 3601);
        assert_eq!(sign_in(&site, "192.0.2.2", "nobody", "wrong").await.status, 400);
        assert_eq!(sign_in(&site, "192.0.2.2", "nobody", "wrong").await.status, 400);
    }
}

both! {
    /// Guards against a stranger who locks a user out of their own account.
    async fn a_stranger_locks_no_user_out(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        assert_eq!(sign_in(&site, "198.51.100.7", "staff", PASSWORD).await.status, 200);
        // Many strangers, each from a different address.
        for number in 0..101 {
            assert_eq!(sign_in(&site, &format!("203.0.113.{number}"), "staff", "wrong").await.status, 400);
        }
        assert_eq!(sign_in(&site, "203.0.113.200", "staff", "wrong").await.status, 429, "the account as a whole has to wait");
        assert_eq!(sign_in(&site, "198.51.100.7", "staff", PASSWORD).await.status, 200, "its owner does not");
        assert_eq!(sign_in(&site, "203.0.113.200", "admin", "wrong").await.status, 400, "nor does any other user");
    }
}

both! {
    /// A client that tries many accounts has to wait for all of them. An IPv6 /64 network is one client.
    async fn a_client_that_tries_many_accounts_has_to_wait(backend: Backend) {
        let site = Site::start(backend).await;
        for number in 0..51 {
            let from = format!("2001:db8:1:2::{number}");
            assert_eq!(sign_in(&site, &from, &format!("name{number}"), "x").await.status, 400);
        }
        assert_eq!(sign_in(&site, "2001:db8:1:2:ffff::1", "another", "x").await.status, 429);
        assert_eq!(sign_in(&site, "2001:db8:1:3::1", "another", "x").await.status, 400);
    }
}

both! {
    /// Attempts count before the password is checked: parallel attempts get no further than sequential ones.
    async fn many_at_once_get_no_further(backend: Backend) {
        let site = Arc::new(Site::start(backend).await);
        give_password(&site, &site.staff).await;
        let hashes = site.directory().counters().password_hashes.get();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let site = Arc::clone(&site);
            all.spawn(async move { sign_in(&site, "192.0.2.1", "staff", "wrong").await.status });
        }
        let mut statuses = all.join_all().await;
        // How many of them found a place in the queue of hashes depends on when they arrived.
        for _ in 0..7 {
            statuses.push(sign_in(&site, "192.0.2.1", "staff", "wrong").await.status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 6);
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 51);
        assert_eq!(site.directory().counters().password_hashes.get() - hashes, 6);
    }
}

both! {
    /// Counts are in the database: another replica and a restarted process know them. Names are not stored.
    async fn counts_hold_elsewhere_and_later(backend: Backend) {
        let site = Site::start(backend).await;
        for _ in 0..6 {
            sign_in(&site, "192.0.2.1", "my password by mistake", "x").await;
        }
        let replica = site.replica().await;
        assert_eq!(sign_in_at(replica, "192.0.2.1", "my password by mistake", "x").await.status, 429);
        let rows = "SELECT count(*) FROM attempts";
        assert_eq!(site.database.number(rows).await, 3);
        // Later attempts delete expired counts.
        pass(&site, 7200);
        sign_in(&site, "192.0.2.9", "x", "x").await;
        assert_eq!(site.database.number(rows).await, 3);
    }
}

both! {
    /// A stolen token does not help: a user's own old password is guarded in the same way.
    async fn the_old_password_is_guarded_too(backend: Backend) {
        let site = Site::start(backend).await;
        give_password(&site, &site.staff).await;
        let body = json!({"old_password": "wrong", "new_password": "another unlikely phrase"}).to_string();
        let mut statuses = Vec::new();
        for _ in 0..7 {
            let request = site.request("POST", "/api/users/me/password").token(&site.staff.key);
            statuses.push(request.body("application/json", body.clone()).send().await.status);
        }
        assert_eq!(statuses, [400, 400, 400, 400, 400, 400, 429]);
    }
}

fn rates(per_token: u32, per_address: u32) -> Rates {
    let rate = |requests| Some(Rate { requests, window: Duration::from_secs(60) });
    Rates { per_token: rate(per_token), per_address: rate(per_address), uploads: None }
}

both! {
    /// A request over the limit gets a 429 that says when to retry. The standard headers announce the limit before.
    /// The fast path and the ordinary path to `me` share one count.
    async fn a_token_has_its_rate(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.rates = rates(4, 1000)).await;
        let limits_of = |answer: &Answer| (answer.status, answer.header("ratelimit").map(str::to_owned), answer.header("ratelimit-policy").map(str::to_owned));
        let state = |text: &str| Some(text.to_owned());
        let policy = || state(r#""token";q=4;w=60"#);
        for (path, left) in [("/api/users/me", 3), ("/api/users/me?x", 2), ("/api/users/me/tokens", 1), ("/api/users/me", 0)] {
            let answer = site.get(path).token(EXAMPLE_KEY).send().await;
            assert_eq!(limits_of(&answer), (200, state(&format!("\"token\";r={left};t=60")), policy()), "{path}");
        }
        for path in ["/api/users/me", "/api/users/me?x", "/api/users/me/tokens"] {
            let answer = site.get(path).token(EXAMPLE_KEY).send().await;
            assert_eq!(answer.to_string(), "429 [retry-after: 60] {\"detail\":\"Request was throttled. Expected available in 60 seconds.\"}");
            assert_eq!(limits_of(&answer), (429, state("\"token\";r=0;t=60"), policy()));
        }
        // Permission is checked first, then the rate, then the method.
        assert_eq!(site.get("/api/users").token(EXAMPLE_KEY).send().await.status, 403);
        assert_eq!(site.request("POST", "/api/users/me").token(EXAMPLE_KEY).send().await.status, 429);
        assert_eq!(site.me(&site.admin.key).send().await.status, 200, "other tokens keep working");
        pass(&site, 60);
        assert_eq!(site.me(EXAMPLE_KEY).send().await.status, 200);
    }
}

both! {
    /// Requests without a good token are counted by address. Good tokens from the same address keep working.
    async fn a_client_without_a_good_token_has_its_rate(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.rates = rates(1000, 3)).await;
        let bad = async |from: &str| site.me("nonsense").header("X-Forwarded-For", from).send().await;
        assert_eq!(bad("192.0.2.1").await.status, 401);
        assert_eq!(site.get("/api/users/me").header("X-Forwarded-For", "192.0.2.1").send().await.status, 401);
        let last = bad("192.0.2.1").await;
        assert_eq!((last.status, last.header("ratelimit")), (401, Some("\"address\";r=0;t=60")));
        assert_eq!(bad("192.0.2.1").await.status, 429);
        assert_eq!(sign_in(&site, "192.0.2.1", "x", "y").await.status, 429);
        assert_eq!(bad("192.0.2.2").await.status, 401);
        let good = site.me(EXAMPLE_KEY).header("X-Forwarded-For", "192.0.2.1").send().await;
        assert_eq!(good.status, 200);
    }
}

both! {
    /// Replicas add up their counts, and a restarted process knows them.
    async fn rates_are_shared(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.rates = rates(10, 10)).await;
        let settings = wardroom::directory::Settings { rates: rates(10, 10), ..site.database.settings() };
        let other = wardroom::directory::Directory::open(&settings, site.clock.clone()).await.unwrap();
        let token = 1.try_into().unwrap();
        for _ in 0..6 {
            assert!(!site.directory().count_token(token).unwrap().exceeded);
            site.directory().share_rates().await.unwrap();
        }
        assert_eq!(other.count_token(token).unwrap().remaining, 9, "not yet shared");
        other.share_rates().await.unwrap();
        assert_eq!(other.count_token(token).unwrap().remaining, 2);
        // The next window begins at zero, and old counts are deleted.
        pass(&site, 180);
        assert_eq!(other.count_token(token).unwrap().remaining, 9);
        other.share_rates().await.unwrap();
        assert_eq!(site.database.number("SELECT count(*) FROM rate_counts").await, 1);
    }
}

both! {
    /// Guards against a shared count for all clients beyond the number that is counted at once.
    async fn finding_low_a_rate_limit_beyond_200_000_clients_concerns_its_own_client(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.rates = rates(2, 2)).await;
        let exceeded = |client: u32| site.directory().count_address(IpAddr::V4(client.into())).unwrap().exceeded;
        assert_eq!([exceeded(0), exceeded(0), exceeded(0)], [false, false, true]);
        assert_eq!((1..=250_000).filter(|client| exceeded(*client)).count(), 0, "no client is limited because of others");
        assert!(exceeded(0), "a client over the limit stays over it");
        assert_eq!([exceeded(300_000), exceeded(300_000), exceeded(300_000)], [false, false, true]);
        // The writes for all of that are bounded, too.
        site.directory().share_rates().await.unwrap();
        assert!(site.database.number("SELECT count(*) FROM rate_counts").await <= 2_000);
    }
}

both! {
    /// Without a limit nothing is counted, reported or written.
    async fn no_limit_costs_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let answer = site.me(EXAMPLE_KEY).send().await;
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
        let before = site.directory().counters().writes.get();
        site.directory().share_rates().await.unwrap();
        assert_eq!(site.directory().counters().writes.get(), before);
    }
}
