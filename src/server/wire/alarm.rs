//! One timer for all deadlines of a connection. It is moved as seldom as possible.
//!
//! It does not know what a deadline is for, and it never reads the clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

/// A sleep that is created at its first use. A deadline that moves later costs nothing: the sleep fires at the old one
/// and is then set again. Only an earlier deadline moves it at once.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it fires next, and the task that it wakes then.
    set: Option<(Instant, Waker)>,
}

impl Alarm {
    /// Returns true once `deadline` has passed. Otherwise the task is woken at that time at the latest.
    pub(super) fn passed(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        // Without budget a poll returns `Pending` and registers no waker.
        let counted = has_budget_remaining();
        self.set = counted.then(|| (sleep.deadline(), cx.waker().clone()));
        false
    }

    /// Whether this task will be woken by then in any case. Then the sleep, which is elsewhere in memory, need not be
    /// touched: most waits are over before it fires.
    pub(super) fn is_set(&self, cx: &Context<'_>, now: Instant, deadline: Option<Instant>) -> bool {
        match (&self.set, deadline) {
            (_, None) => true,
            (Some((at, waker)), Some(deadline)) => {
                now < *at && *at <= deadline && waker.will_wake(cx.waker())
            }
            (None, _) => false,
        }
    }
}

/// The end of a period that begins now; `None` when that is too far away to be a time.
pub(super) fn from_now(period: Duration) -> Option<Instant> {
    Instant::now().checked_add(period)
}

/// Waits for the deadline, if there is one.
pub(super) fn until(alarm: &mut Alarm, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
    match deadline {
        Some(deadline) if alarm.passed(cx, deadline) => Poll::Ready(()),
        _ => Poll::Pending,
    }
}
