//! `wardroom permission`: the permissions, built-in and of your own.

mod show;
mod view;

use clap::{Args, Subcommand};

use self::show::ShowPermissions;
use self::view::{allows, json};
use super::accounts::Accounts;
use super::context::{ask, check_can_confirm};
use super::names::{Names, count};
use super::report::{CliError, Report};
use super::terminal::{TableCell, TableColumn, TextTable};
use crate::directory::model::{Permission, PermissionKey};

/// The commands of `wardroom permission`.
#[derive(Subcommand)]
pub(super) enum PermissionVerb {
    /// List every permission with its code and what it allows.
    List,
    /// Show permissions with the users and groups that have them.
    Show(ShowPermissions),
    /// Create a permission for your own services. Wardroom stores it and shows who has it; your services decide what it
    /// allows.
    Add(AddPermission),
    /// Give a permission of your own another name. Its code stays.
    Rename(RenamePermission),
    /// Remove a permission of your own, also from the users and groups that have it.
    Remove(RemovePermission),
}

#[derive(Args)]
pub(super) struct AddPermission {
    /// The name: lower-case letters, digits and underscores, such as order_read.
    name: String,
    /// The code: 10000 to 999999. By default one more than the highest so far.
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<i64>,
}

/// Which codes are free is decided by the account database.
fn code(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| "use a whole number from 10000 to 999999")
}

#[derive(Args)]
pub(super) struct RenamePermission {
    /// The permission, by code or name.
    permission: PermissionKey,
    /// The new name.
    name: String,
}

#[derive(Args)]
pub(super) struct RemovePermission {
    /// The permission, by code or name.
    permission: PermissionKey,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(verb: PermissionVerb, accounts: &Accounts) -> Result<Report, CliError> {
    match verb {
        PermissionVerb::List => list(accounts).await,
        PermissionVerb::Show(args) => show::show(accounts, args).await,
        PermissionVerb::Add(AddPermission { name, code }) => {
            Ok(done("Added", &accounts.create_permission(code, &name).await?))
        }
        PermissionVerb::Rename(RenamePermission { permission, name }) => {
            Ok(done("Renamed", &accounts.rename_permission(&permission, &name).await?))
        }
        PermissionVerb::Remove(args) => remove(accounts, args).await,
    }
}

async fn list(accounts: &Accounts) -> Result<Report, CliError> {
    let permissions = accounts.permissions().await?;
    let columns = [
        TableColumn::whole("id"),
        TableColumn::whole("code"),
        TableColumn::text("name"),
        TableColumn::text("allows"),
    ];
    let row = |one: &Permission| {
        [one.id.to_string(), one.code.to_string(), one.name.clone(), allows(one).to_owned()]
            .map(TableCell::from)
    };
    let rows = permissions.iter().map(row).collect();
    Ok(Report::list(TextTable::new(columns, rows), permissions.iter().map(json).collect(), None))
}

async fn remove(accounts: &Accounts, args: RemovePermission) -> Result<Report, CliError> {
    check_can_confirm(args.yes)?;
    if !args.yes {
        let mut names = Names::new(accounts);
        let found = names.permissions(std::slice::from_ref(&args.permission)).await?;
        names.check()?;
        for permission in found {
            let holders = accounts.permission_holders(permission.id).await?;
            let number = |number: i64| usize::try_from(number).unwrap_or_default();
            ask(&format!(
                "Remove the permission {} ({})? {} and {} lose it. This cannot be undone.",
                permission.name,
                permission.code,
                count(number(holders.users), "user"),
                count(number(holders.groups), "group"),
            ))?;
        }
    }
    Ok(done("Removed", &accounts.remove_permission(&args.permission).await?))
}

fn done(verb: &str, permission: &Permission) -> Report {
    Report::new(format!("{verb} permission {} ({}).\n", permission.code, permission.name), json(permission))
}
