//! What handlers of pages about one object share: its id in the path, and what they say when it may not be read.

use crate::directory::error::{Denial, Error};
use crate::directory::model::UserId;
use crate::http::error::ApiError;

/// Parses the id of a path; anything else is not found.
pub(super) fn user_id(id: &str) -> Result<UserId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound)
}

/// Hides whether an object exists from who may not read it.
pub(super) fn hidden(error: Error) -> ApiError {
    match error {
        Error::Denied(Denial::NoRight) => ApiError::NotFound,
        other => other.into(),
    }
}
