//! So many a minute and no more: what an outsider can cause must not fill the disk.

use std::sync::{Mutex, PoisonError};

use super::model::Moment;

const MINUTE: i64 = 60_000_000;

/// A number of things that may be done in each minute; the rest is counted.
pub(super) struct Ration {
    most: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    minute: i64,
    used: u32,
    left_out: u64,
}

impl Ration {
    pub(super) fn new(most: u32) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Whether one more may be done now; if so, how many have been left out since the last one.
    pub(super) fn take(&self, now: Moment) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.as_micros().div_euclid(MINUTE);
        if minute != state.minute {
            (state.minute, state.used) = (minute, 0);
        }
        if state.used >= self.most {
            state.left_out += 1;
            return None;
        }
        state.used += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_ration_is_counted_and_told_later() {
        let ration = Ration::new(2);
        let at = |second: i64| Moment::from_micros(second * 1_000_000).unwrap();
        let taken: Vec<_> = [0, 1, 2, 3, 59, 60, 61, 62].map(|second| ration.take(at(second))).into();
        assert_eq!(taken, [Some(0), Some(0), None, None, None, Some(3), Some(0), None]);
    }
}
