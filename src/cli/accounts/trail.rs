//! What a verification of the audit trail found, here or behind the API.

/// The result of verifying the audit trail.
pub(in crate::cli) struct TrailVerdict {
    /// How many events are valid, from the first one, and the hash of the last of them.
    pub(in crate::cli) good: u64,
    pub(in crate::cli) head: String,
    /// The first event that breaks the chain.
    pub(in crate::cli) broken_event: Option<i64>,
    /// Why the trail is not complete.
    pub(in crate::cli) why: Option<String>,
}
