//! The fast path and the ordinary path give the same answer, byte for byte. A query without effect selects the
//! ordinary path. The number of database reads shows which path a request took.

use wardroom::config::Flags;
use wardroom::directory::model::{Rate, Rates};
use wardroom::directory::model::{UserDraft, UserKey};

use crate::support::site::operator;
use crate::support::{Answer, Backend, Request, Site, both};

/// Everything except what differs in each answer.
fn comparable(answer: &Answer) -> String {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .collect();
    headers.sort();
    format!("{} {headers:?} {}", answer.status, answer.body)
}

type Dress = fn(Request) -> Request;

/// Different requests for the same thing.
const ASKED: [Dress; 12] = [
    |request| request,
    |request| request.header("Accept", "*/*"),
    |request| request.header("Accept", "application/json"),
    |request| request.header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    |request| request.header("Accept", "application/json, text/plain, */*"),
    |request| request.header("Accept", "application/json; indent=2"),
    |request| request.header("Accept", "text/html"),
    |request| request.header("Accept", "application/problem+json"),
    |request| request.host("LOCALHOST:8000"),
    |request| request.host("[::1]:80"),
    |request| request.host("elsewhere.example"),
    |request| request.header("X-Forwarded-Proto", "https"),
];

both! {
    async fn both_ways_answer_alike(backend: Backend) {
        let site = Site::start(backend).await;
        let end = site.directory().issue_token(
            &operator(), &UserKey::Id(42.try_into().unwrap()), "ends",
            wardroom::directory::tokens::Expiry::After(std::time::Duration::from_secs(60)),
        ).await.unwrap();
        let mut draft = UserDraft { first_name: Some("\u{2028}\"avatar\":\"x\\".into()), ..UserDraft::default() };
        draft.last_name = Some("Ünal \u{1f642}".into());
        site.directory().update_user(&operator(), &UserKey::Id(site.staff.id.try_into().unwrap()), &draft, None).await.unwrap();
        let keys = [
            &site.alex.key, &site.admin.key, &site.staff.key, &site.plain.key, &site.inactive.key,
            &end.key.reveal().to_owned(), &"f".repeat(40), &"wrd_nonsense".to_owned(),
        ];
        for key in keys {
            for dress in ASKED {
                let get = async |path: &str| dress(site.get(path).token(key)).send().await;
                let common = comparable(&get("/api/users/me?x").await);
                for path in ["/api/users/me", "/api/users/me/", "/api/users/me"] {
                    assert_eq!(comparable(&get(path).await), common);
                }
            }
        }
    }
}

both! {
    /// Behind a trusted proxy, scheme, client and request id come from the proxy, on both paths.
    async fn both_ways_believe_the_same_proxies(backend: Backend) {
        for (proxies, believed) in [("127.0.0.0/8", true), ("", false)] {
            let site = Site::with(backend, Flags::default().with("trusted_proxies", proxies)).await;
            let mut answers = Vec::new();
            for path in ["/api/users/me?x", "/api/users/me", "/api/users/me"] {
                let request = site.get(path).token(&site.alex.key).header("X-Forwarded-Proto", "https");
                let request = request.header("X-Request-Id", "from-the-proxy").header("X-Forwarded-For", "1.2.3.4, 192.0.2.7");
                let answer = request.send().await;
                assert_eq!(answer.json()["avatar"].as_str().unwrap().starts_with("https://"), believed);
                assert_eq!(answer.header("x-request-id") == Some("from-the-proxy"), believed);
                answers.push(comparable(&answer));
                site.directory().write_uses().await.unwrap();
                let from = if believed { "192.0.2.7" } else { "127.0.0.1" };
                let noted = format!("SELECT count(*) FROM tokens WHERE user_id = 42 AND last_used_from = '{from}'");
                assert_eq!(site.database.number(&noted).await, 1, "{path}");
                site.database.sql("UPDATE tokens SET last_used_from = NULL, last_used_at = NULL, name = 'anew' WHERE user_id = 42").await;
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:?}");
        }
    }
}

both! {
    /// A repeated request is answered from memory until something changes.
    async fn a_second_request_reads_nothing_but_the_feed(backend: Backend) {
        let site = Site::start(backend).await;
        let reads = || site.directory().counters().reads.get();
        // PostgreSQL is queried each time for changes. SQLite's shared memory shows them.
        let look = u64::from(backend == Backend::Postgres);
        for key in [&site.alex.key, &"f".repeat(40)] {
            site.me(key).send().await;
            let before = reads();
            let status = site.me(key).send().await.status;
            assert_eq!(reads() - before, look, "{status}");
        }
        let before = reads();
        site.get("/api/users/me?x").token(&site.alex.key).send().await;
        assert_eq!(reads() - before, 1, "the counter would not have seen a read");
    }
}

both! {
    /// Refused callers cost no more: without a right, without a good key, and over the limit the answer comes from
    /// memory, and is the same as on the ordinary path.
    async fn refusals_are_answered_from_memory(backend: Backend) {
        let rate = |requests| Some(Rate { requests, window: std::time::Duration::from_secs(60) });
        let rates = Rates { per_token: rate(5), per_address: rate(30 + 9), uploads: None };
        let site = Site::with_directory(backend, |settings| settings.rates = rates).await;
        let end = wardroom::directory::tokens::Expiry::After(std::time::Duration::from_secs(60));
        let owner = UserKey::Id(42.try_into().unwrap());
        let ends = site.directory().issue_token(&operator(), &owner, "ends", end).await.unwrap();
        let look = u64::from(backend == Backend::Postgres);
        let (good, unknown) = (ends.key.reveal().to_owned(), "f".repeat(40));
        for (key, statuses, noted) in [
            (&site.plain.key, [403; 6], 20), (&good, [200, 200, 200, 200, 200, 429], 20),
            (&site.inactive.key, [401; 6], 21), (&unknown, [401, 429, 429, 429, 429, 429], 21),
        ] {
            if statuses[0] == statuses[5] {
                // The audit trail records no more of them. Those that it recorded were writes.
                for _ in 0..30 {
                    site.get("/api/users/me?x").token(key).send().await;
                }
                let notes = "SELECT count(*) FROM audit_events WHERE action IN ('request.refused', 'token.refused')";
                while site.database.number(notes).await < noted {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                // The last record was a commit, so another request reads the feed for it. Of the two requests the
                // first is new here and reads without checking the feed.
                for _ in 0..2 {
                    site.get("/api/users/me?x").token(&site.alex.key).send().await;
                }
            }
            for (number, status) in statuses.into_iter().enumerate() {
                let before = site.directory().counters().reads.get();
                let answer = site.me(key).send().await;
                let reads = site.directory().counters().reads.get() - before;
                assert_eq!(answer.status, status, "{number}: {answer}");
                assert!(number == 0 || reads == look, "{number}: {reads} reads for {status}");
            }
            let get = async |path: &str| {
                let mut answer = site.get(path).token(key).send().await;
                // Each request adds one to the count.
                answer.headers.retain(|(name, _)| name != "ratelimit");
                comparable(&answer)
            };
            assert_eq!(get("/api/users/me").await, get("/api/users/me?x").await);
        }
    }
}

both! {
    /// A thousand simultaneous requests with the same unknown key cost one look-up.
    async fn a_cold_key_is_looked_up_once(backend: Backend) {
        let site = std::sync::Arc::new(Site::start(backend).await);
        let loads = || site.directory().counters().identity_loads.get();
        let before = loads();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..1000 {
            let site = std::sync::Arc::clone(&site);
            all.spawn(async move {
                let draw = |_: &wardroom::directory::Identity| bytes::Bytes::from_static(b"x");
                site.directory().recognise(&site.alex.key, || Some([127, 0, 0, 1].into()), draw).await.map(|(known, _)| known.user.get()).unwrap()
            });
        }
        while let Some(user) = all.join_next().await {
            assert_eq!(user.unwrap(), 42);
        }
        assert_eq!(loads() - before, 1);
    }
}

both! {
    /// Without a cache the answers are the same, and each one is read.
    async fn no_cache_is_as_good(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.identity_cache_bytes = 0).await;
        for _ in 0..3 {
            assert_eq!(site.me(&site.alex.key).send().await.json()["id"], 42);
        }
        assert_eq!(site.directory().cached().0, 0);
    }
}

both! {
    /// The cache stays within its limit, however many keys are tried.
    async fn unknown_keys_do_not_fill_the_memory(backend: Backend) {
        let site = Site::start(backend).await;
        site.me(&site.alex.key).send().await;
        for number in 0..200 {
            let draw = |_: &wardroom::directory::Identity| bytes::Bytes::new();
            let unknown = site.directory().recognise(&format!("{number:040x}"), || Some([127, 0, 0, 1].into()), draw).await;
            assert!(unknown.is_err());
        }
        let (_, bytes) = site.directory().cached();
        assert!(bytes <= site.database.settings().identity_cache_bytes, "{bytes}");
    }
}

both! {
    /// Every change to the data of identities is in the feed, whatever makes it.
    async fn every_change_is_in_the_feed(backend: Backend) {
        let site = Site::start(backend).await;
        for statement in [
            "UPDATE users SET first_name = 'A' WHERE id = 42",
            "UPDATE users SET gender = NULL WHERE id = 42",
            "UPDATE users SET avatar = 'b.png' WHERE id = 42",
            "UPDATE users SET last_login = 1 WHERE id = 42",
            "DELETE FROM memberships WHERE user_id = 42 AND group_id = 1",
            "UPDATE memberships SET group_id = 1 WHERE user_id = 42 AND group_id = 3",
            "INSERT INTO memberships (user_id, group_id) VALUES (42, 3)",
            "UPDATE users SET username = 'other' WHERE id = 42",
            "DELETE FROM groups WHERE id = 7",
        ] {
            let before = site.me(&site.alex.key).send().await.body;
            site.database.sql(statement).await;
            let after = site.me(&site.alex.key).send().await;
            assert_eq!(after.status, 200);
            assert_ne!(after.body, before, "{statement}");
        }
        for (statement, status) in [
            ("UPDATE tokens SET expires_at = 1 WHERE user_id = 42", 401),
            ("UPDATE tokens SET expires_at = NULL WHERE user_id = 42", 200),
            ("UPDATE tokens SET revoked_at = 1 WHERE user_id = 42", 401),
            ("UPDATE tokens SET revoked_at = NULL WHERE user_id = 42", 200),
            ("UPDATE users SET is_staff = FALSE WHERE id = 42", 403),
            ("UPDATE users SET is_admin = TRUE WHERE id = 42", 200),
            ("UPDATE users SET is_active = FALSE WHERE id = 42", 401),
            ("UPDATE users SET is_active = TRUE WHERE id = 42", 200),
            ("UPDATE tokens SET user_id = (SELECT id FROM users WHERE username = 'plain') WHERE user_id = 42", 403),
            ("DELETE FROM users WHERE username = 'plain'", 401),
        ] {
            site.database.sql(statement).await;
            assert_eq!(site.me(&site.alex.key).send().await.status, status, "{statement}");
        }
    }
}

both! {
    /// A restore may bring an older feed, whose numbers then mean other changes.
    async fn a_feed_that_began_anew_is_noticed(backend: Backend) {
        let site = Site::start(backend).await;
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
        let last = "SELECT max(id) FROM identity_changes";
        let number = site.database.number(last).await;
        // As if another history had reached the same number by other changes.
        site.database.sql(&format!(
            "UPDATE users SET is_active = FALSE WHERE id = 42; \
             DELETE FROM identity_changes WHERE id >= {number}; \
             INSERT INTO identity_changes (id, scope) {} VALUES ({number}, 'tokens')",
            if backend == Backend::Postgres { "OVERRIDING SYSTEM VALUE" } else { "" },
        )).await;
        assert_eq!(site.database.number(last).await, number);
        assert_eq!(site.me(&site.alex.key).send().await.status, 401);
    }
}

both! {
    /// Uses are collected and written together, and are then visible.
    async fn uses_are_written_in_batches(backend: Backend) {
        let site = Site::start(backend).await;
        let writes = || site.directory().counters().writes.get();
        let before = writes();
        for key in [&site.alex.key, &site.alex.key, &site.holder.key] {
            site.me(key).send().await;
        }
        site.get("/api/users/me/tokens").token(&site.staff.key).send().await;
        assert_eq!(writes(), before, "a read has written");
        // A refused use is recorded in the audit trail, after its answer.
        site.me(&site.plain.key).send().await;
        while site.database.number("SELECT count(*) FROM audit_events WHERE action = 'request.refused'").await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(writes(), before + 1);
        let online = async || {
            let list = site.get("/api/users?is_online=true&fields=id&ordering=id").token(&site.admin.key).send().await;
            list.json()["results"].as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(online().await, Vec::<i64>::new());
        site.directory().write_uses().await.unwrap();
        // Also of tokens that were refused here: they are in use.
        let mut seen = vec![42, site.holder.id, site.staff.id, site.admin.id, site.plain.id];
        seen.sort_unstable();
        assert_eq!(online().await, seen);
        let tokens = site.get("/api/users/42/tokens").token(&site.admin.key).send().await.json();
        assert!(tokens.to_string().contains(r#""last_used_at":"2025-09-01T12:00:00.000000Z""#), "{tokens}");
        assert_eq!(site.database.number("SELECT count(*) FROM tokens WHERE last_used_from = '127.0.0.1'").await, 5);
        // Another use within the minute adds nothing to the one in memory.
        let before = writes();
        site.me(&site.alex.key).send().await;
        site.directory().write_uses().await.unwrap();
        assert_eq!(writes(), before + 2, "the administrator's list was noted, and the feed pruned");
    }
}

both! {
    /// A use is not worth an error: a database that accepts no writes still answers.
    async fn a_database_that_takes_no_writes_still_answers(backend: Backend) {
        let site = Site::start(backend).await;
        site.me(&site.alex.key).send().await;
        site.database.sql(match backend {
            Backend::Sqlite => "CREATE TRIGGER full_disk BEFORE UPDATE ON tokens BEGIN SELECT raise(ABORT, 'full'); END",
            Backend::Postgres => "ALTER TABLE tokens ADD CONSTRAINT full_disk CHECK (last_used_at IS NULL)",
        }).await;
        assert!(site.directory().write_uses().await.is_err());
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
    }
}

/// Stale answers continue for as long as the operator allows, and are counted. After that, or without the setting,
/// the answer is a 503.
#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_are_given_only_if_the_setting_allows() {
    for (leave, expected) in [(0, 503), (3600, 200)] {
        let leave = std::time::Duration::from_secs(leave);
        let site = Site::with_directory(Backend::Postgres, |settings| settings.serve_stale_for = leave).await;
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
        site.database.make_unavailable().await;
        assert_eq!(site.me(&site.alex.key).send().await.status, expected, "{leave:?}");
        assert_eq!(site.me(&site.admin.key).send().await.status, 503, "not recognised before");
        let counted = site.directory().counters().stale_answers.get();
        assert_eq!(counted, u64::from(expected == 200));
        let later = site.clock.now().plus(std::time::Duration::from_secs(3601)).unwrap();
        site.clock.set(later);
        assert_eq!(site.me(&site.alex.key).send().await.status, 503, "after serve_stale_for");
    }
}
