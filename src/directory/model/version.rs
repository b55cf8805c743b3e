//! Versions of objects, so that a change made from an older state can be refused.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The version of an object's state: equal if everything that can be written about the object is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Computes the version of a state from its JSON.
    pub(crate) fn of(state: &impl Serialize) -> Self {
        // Writing plain data to memory does not fail.
        let digest = Sha256::digest(serde_json::to_vec(state).unwrap_or_default());
        let mut version = String::with_capacity(32);
        for byte in digest.iter().take(16) {
            // Writing to a String cannot fail.
            let _ = write!(version, "{byte:02x}");
        }
        Self(version)
    }

    /// Returns 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The versions that a caller expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any version: the last writer wins.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl Expected {
    /// Whether the current version is expected. It is only computed if a particular one is.
    pub fn holds<E>(&self, current: impl FnOnce() -> Result<Version, E>) -> Result<bool, E> {
        let Self::OneOf(versions) = self else { return Ok(true) };
        let current = current()?;
        Ok(versions.iter().any(|expected| expected == current.as_str()))
    }
}
