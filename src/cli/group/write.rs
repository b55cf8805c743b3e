//! The commands that change groups.

use clap::Args;
use serde_json::json;

use super::view::{done, json as group_json};
use crate::cli::accounts::Accounts;
use crate::cli::grants::Grant;
use crate::cli::names::Names;
use crate::cli::report::{CliError, Report};
use crate::directory::groups::{GroupDetails, MemberChange, Membership};
use crate::directory::model::{Expected, GroupDraft, GroupKey, PermissionKey, UserKey};

/// How often a change is made again because someone else changed the group in between.
const TRIES: usize = 5;

#[derive(Args)]
pub(in crate::cli) struct AddGroup {
    /// The name: 1 to 150 characters, not used by another group.
    name: String,
    /// Free text, at most 2000 characters.
    #[arg(long, default_value = "")]
    notes: String,
    /// Give the group this permission, by code or name. It can be given several times.
    #[arg(long, value_name = "PERMISSION")]
    permission: Vec<PermissionKey>,
}

#[derive(Args)]
pub(in crate::cli) struct EditGroup {
    /// The group, by id or name.
    group: GroupKey,
    /// The new name.
    #[arg(long)]
    name: Option<String>,
    /// The new notes.
    #[arg(long)]
    notes: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct GrantGroup {
    /// The group, by id or name.
    group: GroupKey,
    /// The permissions, by code or name.
    #[arg(required = true, value_name = "PERMISSION")]
    permissions: Vec<PermissionKey>,
}

#[derive(Args)]
pub(in crate::cli) struct ChangeMembers {
    /// The group, by id or name.
    group: GroupKey,
    /// The users, by id or username, at most 1000.
    #[arg(required = true, value_name = "USER")]
    users: Vec<UserKey>,
}

pub(super) async fn add(accounts: &Accounts, args: AddGroup) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let permissions = names.permissions(&args.permission).await?;
    names.check()?;
    let ids: Vec<_> = permissions.iter().map(|one| one.id.get()).collect();
    let permissions = (!ids.is_empty()).then_some(ids);
    let draft = GroupDraft { name: Some(args.name), notes: Some(Some(args.notes)), permissions };
    Ok(done("Added", &[accounts.create_group(&draft).await?]))
}

pub(super) async fn edit(accounts: &Accounts, edit: EditGroup) -> Result<Report, CliError> {
    let EditGroup { group, name, notes } = edit;
    if name.is_none() && notes.is_none() {
        let message = format!("nothing to change for the group {group}: give --name or --notes");
        return Err(CliError::usage(message));
    }
    let draft = GroupDraft { name, notes: notes.map(Some), permissions: None };
    Ok(done("Changed", &[accounts.change_group(&group, &draft, Expected::Any).await?]))
}

pub(super) async fn grant(accounts: &Accounts, args: GrantGroup, grant: Grant) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let groups = names.groups(std::slice::from_ref(&args.group)).await?;
    let permissions = names.permissions(&args.permissions).await?;
    names.check()?;
    let Some(GroupDetails { group, .. }) = groups.into_iter().next() else { return Ok(Report::silent()) };
    let (key, mut tries) = (GroupKey::Id(group.id), 0);
    let (changed, changes) = loop {
        let details = accounts.group(&key).await?;
        let (ids, changes) = grant.apply(&details.permissions, &permissions);
        if changes.is_empty() {
            break (details.group, changes);
        }
        let expected = Expected::OneOf(vec![details.version().as_str().to_owned()]);
        let draft = GroupDraft { permissions: Some(ids), ..GroupDraft::default() };
        match accounts.change_group(&key, &draft, expected).await {
            Err(error) if error.is_stale() && tries < TRIES => tries += 1,
            done => break (done?, changes),
        }
    };
    let target = format!("group {} ({})", changed.id, changed.name);
    Ok(grant.report(&target, &permissions, &changes, json!({ "group": group_json(&changed) })))
}

pub(super) async fn change_members(
    accounts: &Accounts,
    ChangeMembers { group, users }: ChangeMembers,
    change: MemberChange,
) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    names.groups(std::slice::from_ref(&group)).await?;
    let found = names.users(&users).await?;
    names.check()?;
    let Membership { group, changed } = accounts.change_members(&group, &found, change).await?;
    let did = if change == MemberChange::Add { "joined" } else { "left" };
    let text = format!(
        "{} of {} {did} {} ({} members now).\n",
        changed.len(),
        found.len(),
        group.name,
        group.users_count
    );
    let changed: Vec<_> = changed.iter().map(|user| user.id.get()).collect();
    Ok(Report::new(text, json!({ "group": group_json(&group), "changed": changed })))
}
