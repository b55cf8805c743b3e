//! `wardroom token`: issues, lists, shows, changes, rotates and revokes API tokens.

mod find;
mod keys;
mod leaked;
mod list;
mod narrowing;
mod show;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use self::find::FindToken;
use self::list::ListTokens;
use self::narrowing::Narrow;
use self::show::{EditToken, ShowTokens};
use super::accounts::Accounts;
use super::names::Names;
use super::report::{CliError, Report};
use super::sign_out;
use crate::directory::model::{Token, TokenId, UserKey};
use crate::directory::tokens::{Expiry, TokenWithKey};

/// The longest time for which an old key stays valid beside the new one: 30 days, as in the API.
const OVERLAP_MAX: Duration = Duration::from_hours(24 * 30);

/// The commands of `wardroom token`.
#[derive(Subcommand)]
pub(super) enum TokenVerb {
    /// Issue a token for a user. Its key is shown only once.
    Issue(IssueToken),
    /// List the tokens of a user or of all users, including expired and revoked ones. Keys are not stored, so they cannot
    /// be shown.
    List(ListTokens),
    /// Show tokens, with what they are narrowed to.
    Show(ShowTokens),
    /// Rename a token, change when it expires or what it is narrowed to. Tokens that it made before stay as they are.
    Edit(EditToken),
    /// Find out whose a key is, such as one that was found where it does not belong. The audit trail records it.
    Find(FindToken),
    /// Replace a token by a new one with the same name and expiry, narrowed to the same. Its key is shown only once.
    Rotate(RotateToken),
    /// Revoke tokens. If one is the token of a sign-in, all tokens derived from it are revoked as well.
    #[command(
        override_usage = "wardroom token revoke [OPTIONS] ID...\n       wardroom token revoke [OPTIONS] --all-of USER\n       \
                                wardroom token revoke [OPTIONS] --leaked FILE"
    )]
    Revoke(RevokeTokens),
}

#[derive(Args)]
pub(super) struct IssueToken {
    /// The user, by id or username.
    user: UserKey,
    /// The purpose of the token: 1 to 100 characters.
    #[arg(long)]
    name: String,
    /// The lifetime of the token, such as 12h, 90d or 1y (m is minutes, M months, y years). By default it does not expire.
    #[arg(long, visible_alias = "expires", value_name = "DURATION", value_parser = lifetime)]
    expires_in: Option<Duration>,
    #[command(flatten)]
    narrow: Narrow,
}

#[derive(Args)]
pub(super) struct RotateToken {
    /// The id of the token, as `wardroom token list` shows it.
    id: TokenId,
    /// How long the old key stays valid, such as 1h or 2d; at most 30d. By default it ends at once.
    #[arg(long, value_name = "DURATION", value_parser = overlap)]
    overlap: Option<Duration>,
}

#[derive(Args)]
pub(super) struct RevokeTokens {
    /// The ids of the tokens, as `wardroom token list` shows them.
    #[arg(required_unless_present_any = ["all_of", "leaked"], value_name = "ID")]
    ids: Vec<TokenId>,
    /// Revoke all tokens of this user, by id or username, and all tokens derived from the user's sign-ins, as
    /// `wardroom user sign-out` does. It can be given several times.
    #[arg(long, value_name = "USER", conflicts_with = "ids")]
    all_of: Vec<UserKey>,
    /// Revoke the tokens of the keys in this file, one on each line, or `-` for standard input: keys that were found where
    /// they do not belong. Keys of no valid token are counted, and nothing else. A line with more than a key is an error.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "all_of"])]
    leaked: Option<PathBuf>,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("the lifetime of a token cannot be zero".to_owned()),
        Ok(lifetime) => Ok(lifetime),
        Err(_) => Err("use a number and a unit, such as 12h, 90d or 1y".to_owned()),
    }
}

fn overlap(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(overlap) if overlap <= OVERLAP_MAX => Ok(overlap),
        Ok(_) => Err("an old key stays valid for at most 30d".to_owned()),
        Err(_) => Err("use a number and a unit, such as 1h or 2d".to_owned()),
    }
}

pub(super) async fn run(verb: TokenVerb, accounts: &Accounts) -> Result<Report, CliError> {
    match verb {
        TokenVerb::Issue(issue) => {
            let end = issue.expires_in.map_or(Expiry::Never, Expiry::After);
            let narrowing = issue.narrow.draft();
            let issued = accounts.issue_token(&issue.user, &issue.name, end, &narrowing).await?;
            Ok(shown(accounts, &issued).await)
        }
        TokenVerb::List(args) => list::list(accounts, args).await,
        TokenVerb::Show(args) => show::show(accounts, args).await,
        TokenVerb::Edit(args) => show::edit(accounts, args).await,
        TokenVerb::Find(args) => find::find(accounts, args).await,
        TokenVerb::Rotate(RotateToken { id, overlap }) => {
            let rotated = accounts.rotate_token(id, overlap.unwrap_or_default()).await?;
            Ok(shown(accounts, &rotated).await)
        }
        TokenVerb::Revoke(args) => revoke(accounts, args).await,
    }
}

/// Shows a new token. Through the API, it may not be allowed to read its owner.
async fn shown(accounts: &Accounts, issued: &TokenWithKey) -> Report {
    let owner = accounts.user_details(&UserKey::Id(issued.token.user_id)).await.ok();
    view::issued(issued, owner.as_ref(), accounts.now())
}

async fn revoke(accounts: &Accounts, args: RevokeTokens) -> Result<Report, CliError> {
    let RevokeTokens { mut ids, all_of, leaked } = args;
    if let Some(file) = leaked {
        return leaked::revoke(accounts, &file).await;
    }
    if !all_of.is_empty() {
        return sign_out::sign_out(accounts, &all_of).await;
    }
    ids.sort_unstable();
    ids.dedup();
    let mut names = Names::new(accounts);
    let known = names.tokens(&ids).await?;
    names.check()?;
    let revoked = accounts.revoke_tokens(ids).await?;
    let owner = |token: &Token| {
        let named = known.iter().find(|listed| listed.token.id == token.id);
        let name = named.and_then(|listed| listed.username.clone());
        name.unwrap_or_else(|| format!("user {}", token.user_id))
    };
    let text: String = revoked
        .iter()
        .map(|token| format!("Token {} ({}) of {} is revoked.\n", token.id, token.name, owner(token)))
        .collect();
    let now = accounts.now();
    let mut objects: Vec<_> = revoked.iter().map(|token| view::json(token, now)).collect();
    let json = if objects.len() == 1 { objects.pop().unwrap_or_default() } else { Value::Array(objects) };
    Ok(Report::new(text, json))
}
