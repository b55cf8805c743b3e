//! `wardroom user invite` and `uninvite`.

use serde_json::json;

use super::access::NamedUsers;
use super::view::{done, json as user_json, one_or_all};
use crate::cli::accounts::Accounts;
use crate::cli::days::to_the_second;
use crate::cli::names;
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::printable;
use crate::directory::model::Timestamp;

pub(super) async fn invite(accounts: &Accounts, args: NamedUsers) -> Result<Report, CliError> {
    let users = names::users(accounts, &args.users).await?;
    let ends = accounts.invite_users(&users).await?;
    let until = |end: Option<Timestamp>| end.map(to_the_second).unwrap_or_default();
    let text = users.iter().zip(&ends).map(|(user, end)| {
        let name = printable(&user.username);
        format!("Invited user {} ({name}). The link can be used until {}.\n", user.id, until(*end))
    });
    let json = users
        .iter()
        .zip(&ends)
        .map(|(user, end)| json!({ "user": user_json(user), "expires_at": end.map(|end| end.to_string()) }));
    Ok(Report::new(text.collect::<String>(), one_or_all(json.collect())))
}

pub(super) async fn uninvite(accounts: &Accounts, args: NamedUsers) -> Result<Report, CliError> {
    let users = names::users(accounts, &args.users).await?;
    accounts.revoke_invitations(&users).await?;
    Ok(done("Revoked the invitation of", &users))
}
