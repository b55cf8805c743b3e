//! How often something may be done: requests, attempts, answers, audit events.
//!
//! `requests` counts requests in memory and shares the counts through the database in batches. `refusals` limits the audit
//! events and log lines that refused requests leave. `backoff` makes attempts wait longer and longer, by counts that the
//! database keeps; `taken` gathers what a change counts that way. `slots` is the bounded map of the counts in memory,
//! `window` the fixed windows of time. `activity_counters` limits nothing: it counts what happens, for charts.
//!
//! The clock can go back. Then a count of a time that lies ahead makes no one wait longer than the limit itself says.
//!
//! Never in here: who is limited, and what follows from it. The use cases decide that.

mod activity_counters;
mod backoff;
mod refusals;
mod requests;
mod slots;
mod taken;
mod window;

pub(super) use self::activity_counters::ActivityCounters;
pub(super) use self::backoff::{Backoff, Waits};
pub use self::refusals::{LeftOut, RefusalLimiter};
pub(super) use self::requests::RequestLimiter;
pub use self::requests::{COUNTED_MAX, RateLimitStatus, SHARE_INTERVAL};
pub(super) use self::taken::TakenValues;
pub(super) use self::window::window_start;
