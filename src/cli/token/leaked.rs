//! `wardroom token revoke --leaked`. A key is never an argument: other users of the machine can read those.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use super::view::listed_json;
use crate::cli::accounts::Accounts;
use crate::cli::report::{CliError, Report};
use crate::directory::model::{KEY_PREFIX, ListedToken};

/// The longest key, in bytes: no token has a longer one.
const KEY_MAX: usize = 256;
/// What stands around a key in reports and in source code, and in no key.
const AROUND_KEYS: [char; 7] = [' ', '\t', '"', '\'', '`', ',', '{'];

pub(super) async fn revoke(accounts: &Accounts, file: &Path) -> Result<Report, CliError> {
    let keys = keys(file)?;
    let Some(revoked) = accounts.revoke_leaked(&keys).await? else {
        let text = match keys.len() {
            1 => "1 key was reported. If it was valid, it no longer is; the audit trail names its owner.\n"
                .to_owned(),
            many => format!(
                "{many} keys were reported. Those that were valid no longer are; the audit trail names their owners.\n"
            ),
        };
        return Ok(Report::new(text, json!({ "reported": keys.len() })));
    };
    let now = accounts.now();
    let mut text = revoked.iter().fold(String::new(), |mut text, listed| {
        let ListedToken { token, username } = listed;
        let owner = username.as_deref().unwrap_or_default();
        let _ = writeln!(text, "Token {} ({}) of {owner} is revoked.", token.id, token.name);
        text
    });
    let others = keys.len().saturating_sub(revoked.len());
    let _ = writeln!(
        text,
        "{} of {}; {others} without a valid token.",
        counted(revoked.len(), "token"),
        counted(keys.len(), "key")
    );
    let tokens: Vec<_> = revoked.iter().map(|listed| listed_json(listed, now)).collect();
    Ok(Report::new(text, json!({ "reported": keys.len(), "revoked": tokens })))
}

fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Reads keys. Messages do not name the file, because someone may have typed a key in its place.
fn keys(file: &Path) -> Result<Vec<String>, CliError> {
    let read = match file.as_os_str() == "-" {
        true => io::read_to_string(io::stdin().lock()),
        false => fs::read_to_string(file),
    };
    let text = read.map_err(|error| CliError::usage(format!("the keys cannot be read: {error}")))?;
    let mut keys: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (key, place) = (line.trim(), number + 1);
        if key.len() > KEY_MAX {
            return Err(CliError::usage(format!(
                "line {place} is longer than a key, {KEY_MAX} bytes: write one key on each line"
            )));
        }
        // Such as a line of a report. Its key would stay valid, and the operator would not know.
        if key.contains(AROUND_KEYS) || key.find(KEY_PREFIX).is_some_and(|at| at > 0) {
            return Err(CliError::usage(format!(
                "line {place} has more than a key: write one key on each line (docs/leaked-keys/verify.py finds the keys in \
                 a report)"
            )));
        }
        keys.push(key.to_owned());
    }
    keys.sort_unstable();
    keys.dedup();
    match keys.is_empty() {
        true => Err(CliError::usage("there is no key in the file: write one key on each line")),
        false => Ok(keys),
    }
}
