//! Which state of an object somebody has seen, so that a change made from an older one can be refused.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The version of an object's written state: two are equal when what can be written about it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Of a state written as JSON.
    pub(crate) fn of(state: &Value) -> Self {
        let digest = Sha256::digest(state.to_string());
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
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
