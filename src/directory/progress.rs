//! How far a long action has come, and whether it is to go on.

use std::sync::Arc;

use super::transfer_error::TransferError;

/// How far a long action has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done, such as `copied`.
    pub done: &'static str,
    /// With what: a table, or `MiB`.
    pub of: &'static str,
    /// How many of them so far.
    pub count: u64,
}

/// Whoever watches a long action; it answers whether to go on.
pub type Watch = Arc<dyn Fn(Progress) -> bool + Send + Sync>;

/// Tells the watcher, and stops when it says so.
pub(super) fn tell(
    watch: &Watch,
    done: &'static str,
    of: &'static str,
    count: u64,
) -> Result<(), TransferError> {
    if watch(Progress { done, of, count }) { Ok(()) } else { Err(TransferError::Stopped) }
}
