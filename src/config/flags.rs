//! The settings that were given on the command line, as they were typed.
//!
//! Never in here: the meaning of a text.

use std::collections::BTreeMap;
use std::fmt;

/// The flag that names the settings file. It is not a setting, because the file cannot contain it.
pub(super) const CONFIG: &str = "config";
pub(super) const CONFIG_ENV: &str = "WARDROOM_CONFIG";
pub(super) const CONFIG_ALLOWED: &str = "the path of a readable TOML file";

/// The typed texts by the key of their setting.
#[derive(Clone, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// Adds a setting as if its flag had been typed with this text: for a command that fixes a setting itself, and for
    /// tests.
    #[must_use]
    pub fn with(mut self, key: &'static str, text: impl Into<String>) -> Self {
        self.0.insert(key, text.into());
        self
    }

    /// Adds all of `other`, which win.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the text that was typed for a setting.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// Prints keys only: a typed database URL may hold a password.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
