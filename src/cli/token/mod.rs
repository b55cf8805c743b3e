//! `wardroom token`: issues, lists and revokes API tokens.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::Clock;
use crate::directory::model::{Timestamp, Token, TokenId, UserKey};
use crate::directory::tokens::{Expiry, TokenWithKey};

/// The commands of `wardroom token`.
#[derive(Subcommand)]
pub(super) enum TokenVerb {
    /// Issue a token for a user. Its key is shown only once.
    Issue(IssueToken),
    /// List the tokens of a user, including expired and revoked ones. Keys are not stored, so they cannot be shown.
    List(ListTokens),
    /// Revoke a token. If it is the token of a sign-in, all tokens derived from it are revoked as well.
    Revoke(RevokeToken),
}

#[derive(Args)]
pub(super) struct IssueToken {
    /// The user, by id or username.
    user: UserKey,
    /// The purpose of the token: 1 to 100 characters.
    #[arg(long)]
    name: String,
    /// The lifetime of the token, such as 12h, 90d or 1y. By default it does not expire.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires_in: Option<Duration>,
}

#[derive(Args)]
pub(super) struct ListTokens {
    /// The user, by id or username.
    user: UserKey,
}

#[derive(Args)]
pub(super) struct RevokeToken {
    /// The id of the token, as `wardroom token list` shows it.
    id: TokenId,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("the lifetime of a token cannot be zero".to_owned()),
        Ok(lifetime) => Ok(lifetime),
        Err(error) => Err(format!("{error}; use a number and a unit, such as 12h, 90d or 1y")),
    }
}

pub(super) async fn run(verb: TokenVerb, config: &Config) -> Result<Report, CliError> {
    let (directory, actor) = (open(config).await?, operator());
    let now = Clock::system()?.now();
    match verb {
        TokenVerb::Issue(issue) => {
            let end = issue.expires_in.map_or(Expiry::Never, Expiry::After);
            let issued = directory.issue_token(&actor, &issue.user, &issue.name, end).await?;
            Ok(shown(&issued, now))
        }
        TokenVerb::List(list) => {
            let tokens = directory.tokens(&actor, &list.user).await?;
            let rows: Vec<_> = tokens.iter().map(|token| row(token, now)).collect();
            let heads = ["id", "name", "key", "state", "created", "expires", "last used", "kind", "made by"];
            Ok(Report::table(heads, &rows, tokens.iter().map(|token| json(token, now)).collect()))
        }
        TokenVerb::Revoke(revoke) => {
            let token = directory.revoke_token(&actor, None, revoke.id).await?;
            let text = format!("Token {} ({}) of user {} is revoked.\n", token.id, token.name, token.user_id);
            Ok(Report::new(text, json(&token, now)))
        }
    }
}

fn shown(issued: &TokenWithKey, now: Timestamp) -> Report {
    let TokenWithKey { token, key } = issued;
    let end =
        token.expires_at.map_or_else(|| "does not expire".to_owned(), |end| format!("expires at {end}"));
    let text = format!(
        "Token {} ({}) of user {} {end}. Save its key now; it cannot be shown again:\n{}\n",
        token.id,
        token.name,
        token.user_id,
        key.reveal()
    );
    let mut json = json(token, now);
    if let Value::Object(object) = &mut json {
        object.insert("key".to_owned(), key.reveal().into());
    }
    Report::new(text, json).once()
}

fn row(token: &Token, now: Timestamp) -> [String; 9] {
    let or_none = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    [
        token.id.to_string(),
        token.name.clone(),
        format!("{}...{}", token.prefix, token.last_four),
        token.state(now).as_str().to_owned(),
        token.created_at.to_string(),
        or_none(token.expires_at),
        or_none(token.last_used_at),
        token.kind.as_str().to_owned(),
        token.made_by.as_str().to_owned(),
    ]
}

fn json(token: &Token, now: Timestamp) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": token.id.get(),
        "user_id": token.user_id.get(),
        "name": token.name,
        "kind": token.kind.as_str(),
        "prefix": token.prefix,
        "last_four": token.last_four,
        "state": token.state(now).as_str(),
        "created_at": token.created_at.to_string(),
        "expires_at": text(token.expires_at),
        "revoked_at": text(token.revoked_at),
        "last_used_at": text(token.last_used_at),
        "made_by": token.made_by.as_str(),
        "of_sign_in": token.root.is_some(),
    })
}
