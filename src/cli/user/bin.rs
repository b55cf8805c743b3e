//! The way to the recycle bin and out of it: `wardroom user delete`, `restore` and `purge`.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::view::{done, one_or_all};
use crate::cli::accounts::{Accounts, Restored};
use crate::cli::context::{ask, check_can_confirm};
use crate::cli::days::span_text;
use crate::cli::names::{self, Names, count, some_of};
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::printable;
use crate::directory::model::{DeletedUser, TokenState, User, UserKey};

#[derive(Args)]
pub(in crate::cli) struct DeleteUsers {
    /// The users, by id or username.
    #[arg(required = true, value_name = "USER")]
    users: Vec<UserKey>,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(in crate::cli) struct RestoreUsers {
    /// The deleted users, by id or username.
    #[arg(required = true, value_name = "USER")]
    users: Vec<UserKey>,
}

#[derive(Args)]
pub(in crate::cli) struct PurgeUsers {
    /// The deleted users, by id or username.
    #[arg(required = true, value_name = "USER")]
    users: Vec<UserKey>,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn delete(accounts: &Accounts, args: DeleteUsers) -> Result<Report, CliError> {
    check_can_confirm(args.yes)?;
    let users = names::users(accounts, &args.users).await?;
    if !args.yes {
        ask(&question(accounts, &users).await?)?;
    }
    accounts.delete_users(&users).await?;
    Ok(done("Deleted", &users))
}

/// Says what a deletion does, and to how many.
async fn question(accounts: &Accounts, users: &[User]) -> Result<String, CliError> {
    let (now, mut active) = (accounts.now(), 0);
    for user in users {
        let tokens = accounts.tokens_of(user.id).await?;
        active += tokens.iter().filter(|token| token.state(now) == TokenState::Active).count();
    }
    let names: Vec<_> = users.iter().map(|user| user.username.as_str()).collect();
    let kept_for = accounts.deleted_kept_for();
    let way_back = match kept_for {
        Some(Duration::ZERO) => "This cannot be undone.".to_owned(),
        Some(span) => format!("They can be restored for {}, without tokens.", span_text(span)),
        None => "They can be restored for a limited time, without tokens.".to_owned(),
    };
    Ok(format!(
        "Delete {} ({})? {} stop working. {way_back}",
        count(users.len(), "user"),
        some_of(&names),
        count(active, "active token"),
    ))
}

pub(super) async fn restore(accounts: &Accounts, args: RestoreUsers) -> Result<Report, CliError> {
    let users = deleted(accounts, &args.users).await?;
    let restored = accounts.restore_users(&users).await?;
    let (text, json): (String, Vec<_>) = restored.iter().map(shown).unzip();
    Ok(Report::new(text, one_or_all(json)))
}

/// A line and an object about a restored user.
fn shown(restored: &Restored<User, DeletedUser>) -> (String, Value) {
    let (id, username, json) = match restored {
        Restored::Readable(user) => (user.id, &user.username, super::view::json(user)),
        Restored::Unreadable(user) => {
            (user.id, &user.username, json!({ "id": user.id.get(), "username": user.username }))
        }
    };
    (format!("Restored user {id} ({}).\n", printable(username)), json)
}

pub(super) async fn purge(accounts: &Accounts, args: PurgeUsers) -> Result<Report, CliError> {
    check_can_confirm(args.yes)?;
    let users = deleted(accounts, &args.users).await?;
    if !args.yes {
        let names: Vec<_> = users.iter().map(|user| user.username.as_str()).collect();
        let how_many = count(users.len(), "deleted user");
        ask(&format!("Delete {how_many} ({}) permanently? This cannot be undone.", some_of(&names)))?;
    }
    let gone = accounts.purge_users(&users).await?;
    let text: String =
        gone.iter().map(|user| format!("Purged user {} ({}).\n", user.id, user.username)).collect();
    let json = gone.iter().map(|user| json!({ "id": user.id.get(), "username": user.username }));
    Ok(Report::new(text, one_or_all(json.collect())))
}

async fn deleted(accounts: &Accounts, keys: &[UserKey]) -> Result<Vec<DeletedUser>, CliError> {
    let mut names = Names::new(accounts);
    let users = names.deleted(keys).await?;
    names.check().map(|()| users)
}
