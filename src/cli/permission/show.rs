//! `wardroom permission show`: permissions with the users and groups that have them.

use clap::Args;
use serde_json::{Value, json};

use super::view::{allows, json as permission_json};
use crate::cli::accounts::Accounts;
use crate::cli::names::Names;
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::fields;
use crate::directory::model::{Group, Permission, PermissionKey, User};
use crate::directory::permissions::PermissionHolders;
use crate::directory::query::PAGE_MAX;

/// The users, and the groups, that are shown without `--all`.
const SHOWN: u32 = 100;

#[derive(Args)]
pub(in crate::cli) struct ShowPermissions {
    /// The permissions, by code or name.
    #[arg(required = true, value_name = "PERMISSION")]
    permissions: Vec<PermissionKey>,
    /// Show all users and groups that have them, however many there are. By default 100 of each.
    #[arg(long)]
    all: bool,
}

/// A permission with those who have it.
struct ShownPermission {
    permission: Permission,
    counts: PermissionHolders,
    users: Vec<User>,
    groups: Vec<Group>,
}

pub(super) async fn show(accounts: &Accounts, args: ShowPermissions) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let permissions = names.permissions(&args.permissions).await?;
    names.check()?;
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    for permission in permissions {
        let held = ShownPermission::read(accounts, permission, args.all).await?;
        texts.push(held.text());
        objects.push(held.json());
    }
    let json = if objects.len() == 1 { objects.pop().unwrap_or_default() } else { Value::Array(objects) };
    Ok(Report::new(texts.join("\n"), json).long())
}

impl ShownPermission {
    async fn read(accounts: &Accounts, permission: Permission, all: bool) -> Result<Self, CliError> {
        let (id, counts) = (permission.id, accounts.permission_holders(permission.id).await?);
        let users = rows(all, async |last: Option<&User>, limit| {
            accounts.users_with_permission(id, last.map(|user| user.id), limit).await
        });
        let users = users.await?;
        let groups = rows(all, async |last: Option<&Group>, limit| {
            accounts.groups_with_permission(id, last.map(|group| group.id), limit).await
        });
        Ok(Self { permission, counts, users, groups: groups.await? })
    }

    fn text(&self) -> String {
        let one = |text: String| vec![text];
        let permission = &self.permission;
        let users = self.users.iter().map(|user| format!("{} {}", user.id, user.username)).collect();
        let groups = self.groups.iter().map(|group| format!("{} {}", group.id, group.name)).collect();
        fields(&[
            ("id", one(permission.id.to_string())),
            ("code", one(permission.code.to_string())),
            ("name", one(permission.name.clone())),
            ("allows", one(allows(permission).to_owned())),
            ("groups", with_rest(groups, self.counts.groups)),
            ("users", with_rest(users, self.counts.users)),
        ])
    }

    fn json(&self) -> Value {
        let mut json = permission_json(&self.permission);
        if let Value::Object(object) = &mut json {
            let users =
                self.users.iter().map(|user| json!({ "id": user.id.get(), "username": user.username }));
            let groups = self.groups.iter().map(|group| json!({ "id": group.id.get(), "name": group.name }));
            object.insert("groups_count".to_owned(), self.counts.groups.into());
            object.insert("groups".to_owned(), groups.collect());
            object.insert("users_count".to_owned(), self.counts.users.into());
            object.insert("users".to_owned(), users.collect());
        }
        json
    }
}

/// Reads the first rows, or page after page until the end.
async fn rows<T>(
    all: bool,
    read: impl AsyncFn(Option<&T>, u32) -> Result<Vec<T>, CliError>,
) -> Result<Vec<T>, CliError> {
    let limit = if all { PAGE_MAX } else { SHOWN };
    let mut rows: Vec<T> = Vec::new();
    loop {
        let page = read(rows.last(), limit).await?;
        let is_last = !all || page.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

/// Adds how many are not shown.
fn with_rest(mut names: Vec<String>, total: i64) -> Vec<String> {
    let shown = i64::try_from(names.len()).unwrap_or(i64::MAX);
    if total > shown {
        names.push(format!("{shown} of {total} shown: add --all"));
    }
    names
}
