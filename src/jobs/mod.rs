//! The jobs that run beside the server, in one list.
//!
//! No answer depends on one: each may be late, or fail and be tried again. They know the directory alone. Never in here:
//! a command, a request, or when the server stops.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::directory::Directory;
use crate::directory::limiter::SHARE_INTERVAL;

/// One job: it runs until it is aborted.
pub type Job = for<'a> fn(&'a Directory) -> BoxFuture<'a, ()>;

/// Every job of a server.
pub const JOBS: [Job; 4] = [
    |directory| write_uses(directory).boxed(),
    |directory| purge(directory).boxed(),
    |directory| share_rates(directory).boxed(),
    |directory| count_encodings(directory).boxed(),
];

/// Writes what the jobs still hold in memory, once they were aborted and the last request was answered.
pub async fn finish(directory: &Directory) {
    if let Err(error) = directory.write_uses().await {
        tracing::warn!(%error, "the last uses of tokens could not be written down");
    }
    note_left_out(directory, true).await;
    if let Err(error) = directory.share_rates().await {
        tracing::warn!(%error, "the last counts of requests could not be shared");
    }
}

/// Ticks at once, and then once a period; a tick that was missed is not made up for.
fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// How often the uses of tokens are written down.
const USES_WRITTEN_EVERY: Duration = Duration::from_mins(1);

/// Writes down when tokens were used, for as long as the server runs. No answer depends on it.
async fn write_uses(directory: &Directory) {
    let mut ticks = every(USES_WRITTEN_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = directory.write_uses().await {
            tracing::warn!(%error, "the uses of tokens in the last minute could not be written down");
            // Whoever was there would be taken for idle.
            continue;
        }
        match directory.end_idle_sign_ins().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "tokens of sign-ins that nobody used were revoked"),
            Err(error) => tracing::warn!(%error, "sign-ins that nobody uses could not be ended"),
        }
        note_left_out(directory, false).await;
    }
}

/// Notes in the audit trail how many refusals were left out of it.
async fn note_left_out(directory: &Directory, end: bool) {
    if let Err(error) = directory.note_left_out(end).await {
        tracing::warn!(%error, "how many refusals were left out could not be noted in the audit trail");
    }
}

/// Shares counts of requests with replicas for as long as the server runs.
async fn share_rates(directory: &Directory) {
    if !directory.has_rates() {
        return;
    }
    let mut ticks = every(SHARE_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = directory.share_rates().await {
            tracing::warn!(%error, "counts of requests could not be shared: limits hold in this process alone");
        }
    }
}

/// How often deleted users and ended tokens whose time is over are removed.
const PURGED_EVERY: Duration = Duration::from_hours(1);

/// Purges deleted users and prunes ended tokens for as long as the server runs. No answer depends on it.
async fn purge(directory: &Directory) {
    let mut ticks = every(PURGED_EVERY);
    loop {
        ticks.tick().await;
        match directory.purge_expired().await {
            Ok(0) => {}
            Ok(purged) => tracing::info!(purged, "deleted users were purged: their time was over"),
            Err(error) => tracing::warn!(%error, "deleted users could not be purged"),
        }
        match directory.prune_tokens().await {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "ended tokens were deleted: their time was over"),
            Err(error) => tracing::warn!(%error, "ended tokens could not be deleted"),
        }
    }
}

/// How often the encodings of passwords are counted, and how many times longer than a count takes it rests.
const ENCODINGS_COUNTED_EVERY: Duration = Duration::from_mins(1);
const REST_BETWEEN_COUNTS: u32 = 200;

/// Counts the encodings of passwords for as long as the server runs: of a million users every few minutes.
async fn count_encodings(directory: &Directory) {
    loop {
        let begun = Instant::now();
        if let Err(error) = directory.count_encodings().await {
            tracing::warn!(%error, "the encodings of passwords could not be counted: unknown names may take another time than users");
        }
        let rest = begun.elapsed().saturating_mul(REST_BETWEEN_COUNTS);
        tokio::time::sleep(rest.max(ENCODINGS_COUNTED_EVERY)).await;
    }
}
