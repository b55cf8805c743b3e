//! Signing users out: `wardroom user sign-out` and `wardroom token revoke --all-of`.

use serde_json::{Value, json};

use super::accounts::Accounts;
use super::names;
use super::report::{CliError, Report};
use crate::directory::model::UserKey;

/// Revokes all tokens of users.
pub(super) async fn sign_out(accounts: &Accounts, users: &[UserKey]) -> Result<Report, CliError> {
    let users = names::users(accounts, users).await?;
    let ended = accounts.sign_out_users(&users).await?;
    let (mut text, mut objects) = (String::new(), Vec::new());
    for (user, ended) in users.iter().zip(ended) {
        text += &format!("Signed out user {} ({}): {ended} tokens revoked.\n", user.id, user.username);
        objects.push(json!({ "id": user.id.get(), "username": user.username, "ended": ended }));
    }
    let json = if objects.len() == 1 { objects.pop().unwrap_or_default() } else { Value::Array(objects) };
    Ok(Report::new(text, json))
}
