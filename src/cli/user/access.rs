//! What a user may do and whether the user can sign in: `wardroom user grant`, `revoke`, `set-password`, `unlock` and
//! `sign-out`.

use clap::Args;
use serde_json::json;

use super::view::{done, json as user_json, one_or_all};
use super::write::with_active_tokens;
use crate::cli::accounts::Accounts;
use crate::cli::context::new_password;
use crate::cli::grants::Grant;
use crate::cli::names::{self, Names, count};
use crate::cli::report::{CliError, Report};
use crate::cli::sign_out;
use crate::directory::model::{Expected, PermissionKey, TokenState, UserDraft, UserKey};

#[derive(Args)]
pub(in crate::cli) struct GrantUser {
    /// The user, by id or username.
    user: UserKey,
    /// The permissions, by code or name.
    #[arg(required = true, value_name = "PERMISSION")]
    permissions: Vec<PermissionKey>,
}

#[derive(Args)]
pub(in crate::cli) struct SetPassword {
    /// The user, by id or username.
    user: UserKey,
    /// Read the password from the first line of standard input instead of asking on the terminal.
    #[arg(long)]
    password_stdin: bool,
    /// Leave the user's tokens and sign-ins valid. By default all of them are revoked.
    #[arg(long, conflicts_with = "sign_out")]
    keep_signed_in: bool,
    /// Revoke all tokens of the user and end all of the user's sign-ins, which is the default.
    #[arg(long)]
    sign_out: bool,
}

#[derive(Args)]
pub(in crate::cli) struct NamedUsers {
    /// The users, by id or username.
    #[arg(required = true, value_name = "USER")]
    pub(super) users: Vec<UserKey>,
}

/// How often a change is made again because someone else changed the user in between.
const TRIES: usize = 5;

pub(super) async fn grant(accounts: &Accounts, args: GrantUser, grant: Grant) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let users = names.users(std::slice::from_ref(&args.user)).await?;
    let permissions = names.permissions(&args.permissions).await?;
    names.check()?;
    let Some(user) = users.into_iter().next() else { return Ok(Report::silent()) };
    let mut tries = 0;
    let (changed, changes) = loop {
        let details = accounts.user_details(&UserKey::Id(user.id)).await?;
        let (ids, changes) = grant.apply(&details.permissions, &permissions);
        if changes.is_empty() {
            break (details.user, changes);
        }
        let expected = Expected::OneOf(vec![details.version().as_str().to_owned()]);
        let draft = UserDraft { permissions: Some(ids), ..UserDraft::default() };
        match accounts.change_user(user.id, &draft, None, expected).await {
            Err(error) if error.is_stale() && tries < TRIES => tries += 1,
            done => break (done?, changes),
        }
    };
    let target = format!("user {} ({})", changed.id, changed.username);
    Ok(grant.report(&target, &permissions, &changes, json!({ "user": user_json(&changed) })))
}

pub(super) async fn set_password(accounts: &Accounts, args: SetPassword) -> Result<Report, CliError> {
    let user = accounts.user(&args.user).await?;
    let password = new_password(args.password_stdin)?;
    let now = accounts.now();
    let tokens = accounts.tokens_of(user.id).await?;
    let active = tokens.iter().filter(|token| token.state(now) == TokenState::Active).count();
    let draft = UserDraft { sign_out: !args.keep_signed_in, ..UserDraft::default() };
    let changed = accounts.change_user(user.id, &draft, Some(password), Expected::Any).await?;
    let report = done("Set the password of", std::slice::from_ref(&changed));
    match args.keep_signed_in {
        true => with_active_tokens(accounts, &changed, report).await,
        false if active > 0 => Ok(report.adding(&format!("Revoked {}.\n", count(active, "token")))),
        false => Ok(report),
    }
}

pub(super) async fn unlock(accounts: &Accounts, args: NamedUsers) -> Result<Report, CliError> {
    let users = names::users(accounts, &args.users).await?;
    let unlocked = accounts.unlock_users(&users).await?;
    let text = unlocked.iter().map(|(user, failures)| match failures {
        0 => format!("User {} ({}) had no failed attempts.\n", user.id, user.username),
        some => format!("Unlocked user {} ({}): {some} failed attempts forgotten.\n", user.id, user.username),
    });
    let json = unlocked.iter().map(|(user, failures)| {
        json!({ "id": user.id.get(), "username": user.username, "failed_attempts": failures })
    });
    Ok(Report::new(text.collect::<String>(), one_or_all(json.collect())))
}

pub(super) async fn sign_out(accounts: &Accounts, args: NamedUsers) -> Result<Report, CliError> {
    sign_out::sign_out(accounts, &args.users).await
}
