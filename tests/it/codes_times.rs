//! What the time of an answer says about a number: nothing. A thousand requests for each kind of number, in turn, so that a slow
//! moment of the machine meets all kinds alike.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use wardroom::directory::model::User;
use wardroom::directory::transfer::seed::{SeedRows, SeedUser};

use crate::support::codes::{ask, codes_site, verify};
use crate::support::site::{imported, operator};
use crate::support::{Backend, Site, both};

pub const EACH: usize = 1_000;
const AT_ONCE: usize = 8;
const KINDS: [&str; 5] = ["unknown", "active", "inactive", "admin", "stopped"];

fn number(kind: usize, at: usize) -> String {
    format!("+4930{kind}{:06}", at)
}

/// Creates the users of all kinds but the first.
async fn people(site: &Site) {
    let mut users = Vec::new();
    for (kind, name) in KINDS.into_iter().enumerate().skip(1) {
        for at in 0..EACH {
            let id = i64::try_from(10_000 * kind + at).unwrap();
            let user = User {
                mobile_number: Some(number(kind, at)),
                is_active: name != "inactive",
                is_admin: name == "admin",
                ..imported(id, &format!("{name}{at}"))
            };
            users.push(SeedUser { user, password: "!".into() });
        }
    }
    site.directory().seed(&operator(), SeedRows { groups: vec![], users, tokens: vec![] }).await.unwrap();
    let stopped = KINDS.iter().position(|kind| *kind == "stopped").unwrap() * 10_000;
    let stop = format!(
        "INSERT INTO code_failures (user_id, failures) SELECT id, 100 FROM users WHERE id >= {stopped}"
    );
    site.database.sql(&stop).await;
}

/// Sends a request for each number, a few at once, and returns the times by kind.
async fn times(site: &Site, is_check: bool) -> Vec<Vec<Duration>> {
    let requests = (0..EACH * KINDS.len()).map(|turn| {
        let (kind, at) = (turn % KINDS.len(), turn / KINDS.len());
        let (from, number) = (format!("10.{kind}.{}.{}", at / 250, at % 250 + 1), number(kind, at));
        async move {
            let begun = Instant::now();
            let answer = match is_check {
                false => ask(site, &from, &number).await,
                true => verify(site, &from, &number, "x").await,
            };
            assert_eq!(answer.status, if is_check { 400 } else { 200 }, "{answer}");
            (kind, begun.elapsed())
        }
    });
    by_kind(KINDS.len(), requests).await
}

/// Runs requests, a few at once. Each returns its kind and the time that it took.
pub async fn by_kind(
    kinds: usize,
    requests: impl Iterator<Item = impl Future<Output = (usize, Duration)>>,
) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); kinds];
    let mut done = stream::iter(requests).buffered(AT_ONCE);
    while let Some((kind, time)) = done.next().await {
        times[kind].push(time);
    }
    times
}

/// Fails if the times of one kind differ from those of the first.
pub fn check_alike(times: &[Vec<Duration>], kinds: &[&str], what: &str) {
    for (kind, name) in kinds.iter().enumerate().skip(1) {
        let share = shorter(&times[0], &times[kind]);
        assert!(
            (0.44..=0.56).contains(&share),
            "{what}: {share} of the times of {} are shorter than those of {name}",
            kinds[0]
        );
    }
}

/// How often a time of the first kind is shorter than one of the second: 0.5 if neither says anything (Mann and Whitney's U).
fn shorter(first: &[Duration], second: &[Duration]) -> f64 {
    let mut all: Vec<_> =
        first.iter().map(|time| (time, true)).chain(second.iter().map(|time| (time, false))).collect();
    all.sort();
    let (mut seen, mut pairs) = (0_u64, 0_u64);
    for (_, is_first) in all {
        if is_first { seen += 1 } else { pairs += seen }
    }
    pairs as f64 / (first.len() * second.len()) as f64
}

both! {
    /// Line 1: the statistics over a thousand requests each. Its deviation is 0.013, so a test that fails has found something.
    #[ignore = "takes minutes: run by name"]
    async fn the_time_of_an_answer_says_nothing(backend: Backend) {
        let site = codes_site(backend, |settings| {
            (settings.per_hour, settings.lifetime) = (1_000_000, Duration::from_mins(10));
        }).await;
        people(&site).await;
        // The job of a server, which works while further requests arrive.
        let app = site.app.clone();
        let job = tokio::spawn(async move {
            loop {
                app.directory().decide_codes().await.unwrap();
                app.directory().wait_for_codes().await;
            }
        });
        for is_check in [false, true] {
            let what = if is_check { "a code is checked" } else { "a code is asked for" };
            check_alike(&times(&site, is_check).await, &KINDS, what);
        }
        job.abort();
        let sent = site.database.number("SELECT count(*) FROM sign_in_codes WHERE sent_at IS NOT NULL").await;
        assert_eq!(sent, i64::try_from(EACH).unwrap(), "those who are active got their codes");
    }
}
