//! `wardroom token revoke --leaked`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::keys::KeySource;
use super::view::listed_json;
use crate::cli::accounts::Accounts;
use crate::cli::report::{CliError, Report};
use crate::directory::model::ListedToken;

pub(super) async fn revoke(accounts: &Accounts, file: &Path) -> Result<Report, CliError> {
    let source = if file.as_os_str() == "-" { KeySource::StandardInput } else { KeySource::File(file) };
    let keys = source.all_keys()?;
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
