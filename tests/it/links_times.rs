//! What the time of an answer about a forgotten password says about an account: nothing. A thousand requests for each kind of
//! account, in turn, so that a slow moment of the machine meets all kinds alike.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wardroom::directory::model::{AttemptResult, User};
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};

use crate::codes_times::{EACH, by_kind, check_alike};
use crate::links::with_mail;
use crate::support::site::{imported, operator};
use crate::support::{Backend, Site, both};

const KINDS: [&str; 6] =
    ["unknown", "existing", "inactive", "without_address", "without_password", "too_new"];

fn name(kind: usize, at: usize) -> String {
    format!("{}{at}", KINDS[kind])
}

/// Creates the users of all kinds but the first.
async fn people(site: &Site) {
    let mut users = Vec::new();
    for (kind, about) in KINDS.into_iter().enumerate().skip(1) {
        for at in 0..EACH {
            let name = name(kind, at);
            let user = User {
                email: (about != "without_address").then(|| format!("{name}@example.com")),
                is_active: about != "inactive",
                ..imported(i64::try_from(10_000 * kind + at).unwrap(), &name)
            };
            users.push(SeedUser { user, password: "!".into() });
        }
    }
    site.directory().seed(&operator(), SeedRows { groups: vec![], users, tokens: vec![] }).await.unwrap();
    // A hash that no password has.
    let hash = "pbkdf2_sha256$600000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let now = site.clock.now().as_micros();
    for statement in [
        format!(
            "UPDATE users SET password = '{hash}' WHERE id >= 10000 AND username NOT LIKE 'without_password%'"
        ),
        format!(
            "INSERT INTO mail_changes (user_id, changed_at) SELECT id, {now} FROM users WHERE username LIKE 'too_new%'"
        ),
    ] {
        site.database.sql(&statement).await;
    }
}

/// Sends a request for each account, a few at once, and returns the times by kind.
async fn times(site: &Site, path: &str, body: impl Fn(usize, usize) -> Value) -> Vec<Vec<Duration>> {
    let is_page = path.starts_with("/admin");
    let requests = (0..EACH * KINDS.len()).map(|turn| {
        let (kind, at) = (turn % KINDS.len(), turn / KINDS.len());
        let request = site.request("POST", path);
        // A client asks for few links in an hour.
        let request = request.header("X-Forwarded-For", &format!("10.{kind}.{}.{}", at / 250, at % 250 + 1));
        let body = body(kind, at);
        let request = match is_page {
            true => request.header("Sec-Fetch-Site", "same-origin").body(
                "application/x-www-form-urlencoded",
                format!("account={}", body["account"].as_str().unwrap()),
            ),
            false => request.body("application/json", body.to_string()),
        };
        async move {
            let begun = Instant::now();
            let answer = request.send().await;
            let taken = begun.elapsed();
            assert_eq!(answer.status, if is_page { 303 } else { 202 }, "{answer}");
            (kind, taken)
        }
    });
    by_kind(KINDS.len(), requests).await
}

both! {
    /// The statistics of `codes_times`, for links: by address, by name, and by the page of the site.
    #[ignore = "takes minutes: run by name"]
    async fn the_time_of_an_answer_about_a_link_says_nothing(backend: Backend) {
        let site = Site::with_directory(backend, |settings| {
            with_mail(settings);
            settings.links.resets_per_account = 1_000;
            settings.links.resets_per_client = 1_000;
        }).await;
        people(&site).await;
        // The job of a server, which works while further requests arrive.
        let app = site.app.clone();
        let job = tokio::spawn(async move {
            loop {
                let taken = app.directory().take_messages(16).await.unwrap().messages;
                if taken.is_empty() {
                    app.directory().message_queued().await;
                }
                for leased in taken {
                    app.directory().finish_message(&leased, AttemptResult::Sent).await.unwrap();
                }
            }
        });
        for (path, field, ending) in [
            ("/api/users/auth/pwd/forgot", "email", "@example.com"),
            ("/api/users/auth/pwd/forgot", "username", ""),
            ("/admin/forgot", "account", ""),
        ] {
            let body = |kind, at| json!({ field: format!("{}{ending}", name(kind, at)) });
            check_alike(&times(&site, path, body).await, &KINDS, &format!("{path}, {field}"));
        }
        job.abort();
        let sent = site.database.number("SELECT count(DISTINCT user_id) FROM links").await;
        assert_eq!(sent, i64::try_from(EACH).unwrap(), "those who may have a link got one");
    }
}
