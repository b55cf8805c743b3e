//! Which state of an object somebody has seen, so that a change made from an older one can be refused.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The version of an object's written state: two are equal when what can be written about it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Of a state, which is written as JSON.
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

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which versions somebody is ready to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there: the newest writer wins.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl Expected {
    /// Whether the present version is one of those; it is only made where one is expected.
    pub fn holds<E>(&self, present: impl FnOnce() -> Result<Version, E>) -> Result<bool, E> {
        let Self::OneOf(versions) = self else { return Ok(true) };
        let present = present()?;
        Ok(versions.iter().any(|expected| expected == present.as_str()))
    }
}
