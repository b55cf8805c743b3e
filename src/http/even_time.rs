//! Answers whose time says nothing about the work behind them.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// The step of answers that must not say whether an account exists: longer than the work.
pub(super) const EVEN_STEP: Duration = Duration::from_millis(100);

/// Waits for the work, and until a whole number of steps is over since it began.
pub(super) async fn in_steps<T>(step: Duration, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    sleep(whole_steps(step, begun.elapsed()).saturating_sub(begun.elapsed())).await;
    done
}

/// Rounds a time up to whole steps, at least one. On a server so slow that the work takes longer than a step, the time of the
/// answer still shows little of it.
fn whole_steps(step: Duration, taken: Duration) -> Duration {
    let steps = taken.as_micros().div_ceil(step.as_micros().max(1)).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_to_whole_steps() {
        let millis = Duration::from_millis;
        for (taken, expected) in
            [(0, 250), (1, 250), (249, 250), (250, 250), (251, 500), (499, 500), (2_001, 2_250)]
        {
            assert_eq!(whole_steps(millis(250), millis(taken)), millis(expected), "{taken}");
        }
    }
}
