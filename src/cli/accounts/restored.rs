//! What a restore gives back: the object, or what the recycle bin said of it.

use serde_json::Value;

use super::remote_rows::RemoteRow;
use crate::cli::report::CliResult;

/// A restored object.
pub(in crate::cli) enum Restored<T, D> {
    /// As it is now.
    Readable(T),
    /// The caller may restore it, but not read it.
    Unreadable(D),
}

impl<T, D: Clone> Restored<T, D> {
    /// Reads the response to a restore. It has only the id if the caller may not read the object.
    pub(super) fn of(
        answer: &Value,
        deleted: &D,
        read: impl FnOnce(&RemoteRow<'_>) -> CliResult<T>,
    ) -> CliResult<Self> {
        match answer.get("updated_at") {
            Some(_) => read(&RemoteRow(answer)).map(Self::Readable),
            None => Ok(Self::Unreadable(deleted.clone())),
        }
    }
}
