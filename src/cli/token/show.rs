//! `wardroom token show` and `wardroom token edit`.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::narrowing::{Narrow, Widen};
use super::view;
use crate::cli::accounts::Accounts;
use crate::cli::names::Names;
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::fields;
use crate::directory::model::{Networks, Timestamp, Token, TokenId};
use crate::directory::tokens::Expiry;

#[derive(Args)]
pub(in crate::cli) struct ShowTokens {
    /// The ids of the tokens, as `wardroom token list` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<TokenId>,
}

#[derive(Args)]
pub(in crate::cli) struct EditToken {
    /// The id of the token, as `wardroom token list` shows it.
    id: TokenId,
    /// The new purpose of the token: 1 to 100 characters.
    #[arg(long)]
    name: Option<String>,
    /// The lifetime of the token from now on, such as 12h, 90d or 1y (m is minutes, M months, y years).
    #[arg(long, visible_alias = "expires", value_name = "DURATION", value_parser = super::lifetime)]
    expires_in: Option<Duration>,
    /// Let the token not expire.
    #[arg(long, conflicts_with = "expires_in")]
    no_expiry: bool,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    widen: Widen,
}

pub(super) async fn show(accounts: &Accounts, args: ShowTokens) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let tokens = names.tokens(&args.ids).await?;
    names.check()?;
    let now = accounts.now();
    let texts: Vec<String> = tokens.iter().map(|listed| text(&listed.token, now)).collect();
    let mut json: Vec<Value> = tokens.iter().map(|listed| view::listed_json(listed, now)).collect();
    let json = if json.len() == 1 { json.pop().unwrap_or_default() } else { Value::Array(json) };
    Ok(Report::new(texts.join("\n"), json).long())
}

pub(super) async fn edit(accounts: &Accounts, args: EditToken) -> Result<Report, CliError> {
    let EditToken { id, name, expires_in, no_expiry, narrow, widen } = args;
    let end = expires_in.map(Expiry::After).or(no_expiry.then_some(Expiry::Never));
    let draft = widen.add_to(narrow.draft());
    if name.is_none() && end.is_none() && draft.is_empty() {
        let message = "there is nothing to change: give --name, --expires-in or --no-expiry, --scope or --all-scopes, --read-only or \
             --read-write, --network or --any-network";
        return Err(CliError::usage(message));
    }
    let token = accounts.update_token(id, name.as_deref(), end, &draft).await?;
    let now = accounts.now();
    let head = format!("Token {} ({}) of user {} is now:\n", token.id, token.name, token.user_id);
    Ok(Report::new(head + &text(&token, now), view::json(&token, now)))
}

/// A token with all that is known of it, a line for each fact.
fn text(token: &Token, now: Timestamp) -> String {
    let one = |text: String| vec![text];
    let time =
        |at: Option<Timestamp>, none: &str| vec![at.map_or_else(|| none.to_owned(), |at| at.to_string())];
    let narrowing = &token.narrowing;
    let scopes = narrowing.scopes.as_ref().map(view::scope_texts);
    let networks = narrowing.allowed_networks.as_ref().map(Networks::texts);
    fields(&[
        ("id", one(token.id.to_string())),
        ("user", one(token.user_id.to_string())),
        ("name", one(token.name.clone())),
        ("key", one(format!("{}...{}", token.prefix, token.last_four))),
        ("state", one(token.state(now).as_str().to_owned())),
        ("kind", one(token.kind.as_str().to_owned())),
        ("made by", one(token.made_by.as_str().to_owned())),
        ("created", time(Some(token.created_at), "")),
        ("expires", time(token.expires_at, "never")),
        ("revoked", time(token.revoked_at, "")),
        ("last used", time(token.last_used_at, "never")),
        ("may", scopes.unwrap_or_else(|| one("everything that its owner may".to_owned()))),
        ("reads only", one(if narrowing.read_only { "yes" } else { "no" }.to_owned())),
        ("from", networks.unwrap_or_else(|| one("anywhere".to_owned()))),
    ])
}
