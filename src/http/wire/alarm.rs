//! One timer for all deadlines of a connection, moved as seldom as can be.
//!
//! It must not know what a deadline is for; and it never reads the clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

/// A sleep that is made at its first use. A deadline that moves later costs nothing: the sleep fires at
/// the old one and is then set anew. Only an earlier deadline moves it at once.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it fires next, and whom it wakes then.
    set: Option<(Instant, Waker)>,
}

impl Alarm {
    /// True once `deadline` has passed; otherwise the task is woken no later than then.
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
        // Without budget a poll comes back as if it had to wait, and has set nothing.
        let counted = has_budget_remaining();
        self.set = counted.then(|| (sleep.deadline(), cx.waker().clone()));
        false
    }

    /// Whether this task will be woken by then anyhow, so that there is nothing to be done now: the sleep lies
    /// elsewhere in memory, and most waits are over before it fires.
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

/// The end of a period that begins now; `None` when it is too long to have one.
pub(super) fn from_now(period: Duration) -> Option<Instant> {
    Instant::now().checked_add(period)
}

/// `Poll::Pending` while the deadline, if there is one, lies ahead.
pub(super) fn until(alarm: &mut Alarm, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
    match deadline {
        Some(deadline) if alarm.passed(cx, deadline) => Poll::Ready(()),
        _ => Poll::Pending,
    }
}
