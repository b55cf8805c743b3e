//! `wardroom group`: groups and their members.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{confirm, open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::groups::{MemberChange, Membership};
use crate::directory::model::{Group, GroupDraft, GroupId, GroupKey, UserKey};
use crate::directory::query::{GroupFilters, GroupQuery};

/// The commands of `wardroom group`.
#[derive(Subcommand)]
pub(super) enum GroupVerb {
    /// Create a group.
    Add(AddGroup),
    /// List groups by id.
    List(ListGroups),
    /// Rename a group or change its notes.
    Edit(EditGroup),
    /// Delete a group. Its members are not deleted.
    Delete(DeleteGroup),
    /// Add users to a group.
    AddMember(ChangeMembers),
    /// Remove users from a group.
    RemoveMember(ChangeMembers),
}

#[derive(Args)]
pub(super) struct AddGroup {
    /// The name: 1 to 150 characters, not used by another group.
    name: String,
    /// Free text, at most 2000 characters.
    #[arg(long, default_value = "")]
    notes: String,
}

#[derive(Args)]
pub(super) struct ListGroups {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only groups with a higher id. To page, give the last id of the previous page.
    #[arg(long, value_name = "ID")]
    after: Option<GroupId>,
}

#[derive(Args)]
pub(super) struct EditGroup {
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
pub(super) struct DeleteGroup {
    /// The group, by id or name.
    group: GroupKey,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(super) struct ChangeMembers {
    /// The group, by id or name.
    group: GroupKey,
    /// The users, by id or username, at most 1000.
    #[arg(required = true)]
    users: Vec<UserKey>,
}

pub(super) async fn run(verb: GroupVerb, config: &Config) -> Result<Report, CliError> {
    let (directory, actor) = (open(config).await?, operator());
    match verb {
        GroupVerb::Add(add) => {
            let draft = GroupDraft { name: Some(add.name), notes: Some(Some(add.notes)), permissions: None };
            Ok(report("Added", &directory.create_group(&actor, &draft).await?.value))
        }
        GroupVerb::List(list) => {
            let after = list.after.map(GroupId::get);
            let query = GroupQuery::by_id(GroupFilters::default(), after, list.limit);
            let groups = directory.list_groups(&actor, &query).await?.rows;
            let row = |g: &Group| {
                [
                    g.id.to_string(),
                    g.name.clone(),
                    g.users_count.to_string(),
                    g.notes.clone().unwrap_or_default(),
                ]
            };
            let rows: Vec<_> = groups.iter().map(row).collect();
            Ok(Report::table(["id", "name", "users", "notes"], &rows, groups.iter().map(json).collect()))
        }
        GroupVerb::Edit(EditGroup { group, name: None, notes: None }) => {
            Err(CliError::usage(format!("nothing to change for the group {group}: give --name or --notes")))
        }
        GroupVerb::Edit(edit) => {
            let draft = GroupDraft { name: edit.name, notes: edit.notes.map(Some), permissions: None };
            Ok(report("Changed", &directory.update_group(&actor, &edit.group, &draft).await?.value))
        }
        GroupVerb::Delete(delete) => {
            confirm(delete.yes, &format!("Delete the group {}?", delete.group))?;
            Ok(report("Deleted", &directory.delete_group(&actor, &delete.group).await?))
        }
        GroupVerb::AddMember(ChangeMembers { group, users }) => {
            let membership = directory.change_members(&actor, &group, &users, MemberChange::Add).await?;
            Ok(report_members(&membership, users.len(), "joined"))
        }
        GroupVerb::RemoveMember(ChangeMembers { group, users }) => {
            let membership = directory.change_members(&actor, &group, &users, MemberChange::Remove).await?;
            Ok(report_members(&membership, users.len(), "left"))
        }
    }
}

fn report(done: &str, group: &Group) -> Report {
    Report::new(format!("{done} group {} ({}).\n", group.id, group.name), json(group))
}

fn report_members(membership: &Membership, named: usize, did: &str) -> Report {
    let Membership { group, changed } = membership;
    let text =
        format!("{} of {named} {did} {} ({} members now).\n", changed.len(), group.name, group.users_count);
    let changed: Vec<_> = changed.iter().map(|user| user.id.get()).collect();
    Report::new(text, json!({ "group": json(group), "changed": changed }))
}

fn json(group: &Group) -> Value {
    json!({
        "id": group.id.get(),
        "name": group.name,
        "notes": group.notes,
        "users_count": group.users_count,
        "created_at": group.created_at.to_string(),
        "updated_at": group.updated_at.to_string(),
    })
}
