//! Reads keys from a file or from standard input. A key is never an argument: other users of the machine can read those.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::Path;

use crate::cli::report::CliError;
use crate::directory::model::KEY_PREFIX;
use crate::paths::remedy;

/// The longest key, in bytes: no token has a longer one.
const KEY_MAX: usize = 256;
/// What stands around a key in reports and in source code, and in no key.
const AROUND_KEYS: [char; 7] = [' ', '\t', '"', '\'', '`', ',', '{'];

/// Where keys are read from.
pub(super) enum KeySource<'a> {
    File(&'a Path),
    StandardInput,
}

impl KeySource<'_> {
    /// How messages name it. Someone may have typed a key in the place of a file: a name that could be one is not shown.
    fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(file) => {
                let name = file.display().to_string();
                let may_be_key = !name.contains(['/', '.']) || name.contains(KEY_PREFIX);
                if may_be_key { "the file".to_owned() } else { name }
            }
        }
    }

    /// Reads the key in the first line.
    pub(super) fn first_key(&self) -> Result<String, CliError> {
        let text = self.read(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        })?;
        let line = text.lines().next().unwrap_or_default();
        let wrong = |what: &str| {
            CliError::usage(format!(
                "the first line of {} {what}: it must be the key of a token",
                self.name()
            ))
        };
        if text.is_empty() {
            return Err(CliError::usage(format!(
                "{} is empty: its first line must be the key of a token",
                self.name()
            )));
        }
        match check(line.trim()) {
            Ok("") => Err(wrong("is empty")),
            Ok(key) => Ok(key.to_owned()),
            Err(what) => Err(wrong(&what)),
        }
    }

    /// Reads keys, one on each line. Each is returned once.
    pub(super) fn all_keys(&self) -> Result<Vec<String>, CliError> {
        let text = self.read(|| io::read_to_string(io::stdin().lock()))?;
        let name = self.name();
        let mut keys: Vec<String> = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            // Such as a line of a report. Its key would stay valid, and the operator would not know.
            let key = check(line.trim()).map_err(|what| {
                let place = number + 1;
                CliError::usage(format!(
                    "line {place} of {name} {what}: write one key on each line (docs/leaked-keys/verify.py finds the keys in a report)"
                ))
            })?;
            keys.push(key.to_owned());
        }
        keys.sort_unstable();
        keys.dedup();
        match keys.is_empty() {
            true => Err(CliError::usage(format!("there is no key in {name}: write one key on each line"))),
            false => Ok(keys),
        }
    }

    fn read(&self, stdin: impl FnOnce() -> io::Result<String>) -> Result<String, CliError> {
        let read = match self {
            Self::File(file) => fs::read_to_string(file),
            Self::StandardInput => stdin(),
        };
        read.map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::InvalidData => "it is no text: give a file with keys".to_owned(),
                _ => format!("{error}: {}", remedy(&error)),
            };
            CliError::usage(format!("{} cannot be read: {why}", self.name()))
        })
    }
}

/// Returns the text if it may be a key, and otherwise what it is.
fn check(text: &str) -> Result<&str, String> {
    if text.len() > KEY_MAX {
        return Err(format!("is longer than a key, {KEY_MAX} bytes"));
    }
    if text.contains(AROUND_KEYS) || text.find(KEY_PREFIX).is_some_and(|at| at > 0) {
        return Err("has more than a key".to_owned());
    }
    Ok(text)
}
