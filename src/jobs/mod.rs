//! The background jobs of a server, in one list.
//!
//! No response depends on a job: each may run late, or fail and try again. Jobs know only the account database, the store of
//! media files, and the providers of messages. Never in here:
//! a command, a request, or the decision when the server stops.

pub mod deliveries;
pub mod media;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::directory::Directory;
use crate::directory::limiter::SHARE_INTERVAL;

/// A job. It runs until it is aborted.
pub type BackgroundJob = for<'a> fn(&'a Directory) -> BoxFuture<'a, ()>;

/// All jobs of a server.
pub const JOBS: [BackgroundJob; 6] = [
    |directory| write_uses(directory).boxed(),
    |directory| purge(directory).boxed(),
    |directory| share_rates(directory).boxed(),
    |directory| count_encodings(directory).boxed(),
    |directory| decide_codes(directory).boxed(),
    |directory| directory.keep_list_bitmaps().boxed(),
];

/// Writes what is still in memory. Call it after the jobs were aborted and the last request has finished.
pub async fn finish(directory: &Directory) {
    if let Err(error) = directory.write_uses().await {
        tracing::warn!(%error, "could not write the last token uses");
    }
    note_left_out(directory, true).await;
    write_activity(directory).await;
    if let Err(error) = directory.note_stop().await {
        tracing::warn!(%error, "could not note in the database that this server stops");
    }
    if let Err(error) = directory.share_rates().await {
        tracing::warn!(%error, "could not share the last request counts");
    }
    if let Err(error) = directory.close().await {
        tracing::warn!(%error, "could not close the database");
    }
}

/// Ticks immediately, and then once per period. Missed ticks are skipped.
fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// How often token uses are written.
const USES_WRITTEN_EVERY: Duration = Duration::from_mins(1);

/// Writes when tokens were last used, and then ends sign-ins that have been idle too long.
async fn write_uses(directory: &Directory) {
    let mut ticks = every(USES_WRITTEN_EVERY);
    loop {
        ticks.tick().await;
        write_activity(directory).await;
        if let Err(error) = directory.write_uses().await {
            tracing::warn!(%error, "could not write the token uses of the last minute");
            // Without these uses, active users would look idle.
            continue;
        }
        match directory.end_idle_sign_ins().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "revoked the tokens of idle sign-ins"),
            Err(error) => tracing::warn!(%error, "could not end idle sign-ins"),
        }
        note_left_out(directory, false).await;
    }
}

/// Adds to the counts that charts show.
async fn write_activity(directory: &Directory) {
    if let Err(error) = directory.write_activity().await {
        tracing::warn!(%error, "could not add to the counts of sign-ins and requests: they are kept for the next minute");
    }
}

/// Records in the audit trail how many refusals were left out of it.
async fn note_left_out(directory: &Directory, end: bool) {
    if let Err(error) = directory.note_left_out(end).await {
        tracing::warn!(%error, "could not record in the audit trail how many refusals were left out");
    }
}

/// Shares request counts with other replicas.
async fn share_rates(directory: &Directory) {
    let mut ticks = every(SHARE_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = directory.share_rates().await {
            tracing::warn!(%error, "could not share request counts: rate limits apply to this process only");
        }
    }
}

/// How often expired deleted users and ended tokens are deleted permanently.
const PURGED_EVERY: Duration = Duration::from_hours(1);

/// Purges deleted users and groups after `keep_deleted_for`, and ended tokens after `keep_ended_tokens_for`.
async fn purge(directory: &Directory) {
    let mut ticks = every(PURGED_EVERY);
    loop {
        ticks.tick().await;
        match directory.purge_expired().await {
            Ok(0) => {}
            Ok(purged) => tracing::info!(purged, "purged deleted users and groups after keep_deleted_for"),
            Err(error) => tracing::warn!(%error, "could not purge deleted users and groups"),
        }
        match directory.prune_tokens().await {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "deleted ended tokens after keep_ended_tokens_for"),
            Err(error) => tracing::warn!(%error, "could not delete ended tokens"),
        }
        if let Err(error) = directory.prune_codes().await {
            tracing::warn!(%error, "could not delete old requests for codes");
        }
    }
}

/// Decides about requests for one-time codes, as soon as they were answered.
async fn decide_codes(directory: &Directory) {
    if directory.code_settings().is_none() {
        return std::future::pending().await;
    }
    loop {
        if let Err(error) = directory.decide_codes().await {
            tracing::warn!(%error, "could not decide about a request for a code: it is tried again in a few seconds");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
        directory.wait_for_codes().await;
    }
}

/// Requests for codes come many at once, and a failure would repeat as often.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The shortest pause between two counts of password encodings.
const ENCODINGS_COUNTED_EVERY: Duration = Duration::from_mins(1);
/// The pause is also this many times as long as the count took.
const PAUSE_FACTOR: u32 = 200;

/// Counts the password encodings in use: with a million users, every few minutes. A sign-in with an unknown name takes as long
/// as one with these encodings.
async fn count_encodings(directory: &Directory) {
    loop {
        let begun = Instant::now();
        if let Err(error) = directory.count_encodings().await {
            tracing::warn!(%error, "could not count password encodings: sign-ins with unknown names may take another time than those of users");
        }
        let pause = begun.elapsed().saturating_mul(PAUSE_FACTOR);
        tokio::time::sleep(pause.max(ENCODINGS_COUNTED_EVERY)).await;
    }
}
