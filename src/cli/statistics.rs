//! Counts the content of the database for the metrics and the admin site, from time to time: neither reads whole tables.

use std::time::{Duration, Instant};

use crate::directory::Directory;
use crate::http::app::App;
use crate::telemetry::Statistics;

/// The shortest pause between two counts.
const COUNTED_EVERY: Duration = Duration::from_secs(30);
/// The pause is also this many times as long as the count took, so that counting takes at most half a percent of the time.
const PAUSE_FACTOR: u32 = 200;

/// Counts for the metrics until it is aborted.
pub(super) async fn keep_counted(app: App) {
    loop {
        let begun = Instant::now();
        match count(app.directory()).await {
            Ok(counted) => app.metrics().statistics.set(counted),
            Err(error) => {
                tracing::warn!(%error, "could not count users and tokens: the metrics show the last count")
            }
        }
        tokio::time::sleep(begun.elapsed().saturating_mul(PAUSE_FACTOR).max(COUNTED_EVERY)).await;
    }
}

async fn count(directory: &Directory) -> Result<Statistics, crate::directory::Error> {
    let counts = directory.count_content().await?;
    let state = |are_active: bool| if are_active { "active" } else { "ended" };
    let tokens = counts.tokens.iter().map(|of| (of.kind.clone(), state(of.are_active), of.count));
    let now = directory.clock().now().as_micros();
    let outbox = directory.count_messages().await?;
    let oldest = outbox.iter().filter_map(|count| count.oldest).min();
    let messages_waited = oldest.map_or(0, |oldest| now.saturating_sub(oldest.as_micros()));
    let waited = counts.search_pending_since.map_or(0, |since| now.saturating_sub(since));
    Ok(Statistics {
        users: vec![
            ("active", counts.active_users),
            ("inactive", counts.inactive_users),
            ("deleted", counts.deleted_users),
        ],
        tokens: tokens.collect(),
        database_bytes: counts.bytes,
        feed_unread: counts.newest_change.saturating_sub(directory.feed_position()).max(0),
        search_pending: counts.search_pending,
        search_waited: Duration::from_micros(u64::try_from(waited).unwrap_or(0)),
        messages: outbox
            .iter()
            .flat_map(|count| {
                let (kind, channel) = (count.kind.name(), count.channel.name());
                [(kind, channel, "waiting", count.waiting), (kind, channel, "dead", count.dead)]
            })
            .collect(),
        messages_waited: Duration::from_micros(u64::try_from(messages_waited).unwrap_or(0)),
        servers: directory.servers().await?,
    })
}
