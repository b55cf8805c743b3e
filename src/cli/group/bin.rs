//! The way to the recycle bin and out of it: `wardroom group delete`, `restore` and `purge`.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::view::{lines, one_or_all};
use crate::cli::accounts::{Accounts, Restored};
use crate::cli::context::{ask, check_can_confirm};
use crate::cli::days::span_text;
use crate::cli::names::{Names, count, some_of};
use crate::cli::report::{CliError, Report};
use crate::directory::groups::GroupDetails;
use crate::directory::model::{DeletedGroup, Group, GroupKey};

#[derive(Args)]
pub(in crate::cli) struct DeleteGroups {
    /// The groups, by id or name.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<GroupKey>,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(in crate::cli) struct RestoreGroups {
    /// The deleted groups, by id or name.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<GroupKey>,
}

#[derive(Args)]
pub(in crate::cli) struct PurgeGroups {
    /// The deleted groups, by id or name.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<GroupKey>,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn delete(accounts: &Accounts, args: DeleteGroups) -> Result<Report, CliError> {
    check_can_confirm(args.yes)?;
    let mut names = Names::new(accounts);
    let found = names.groups(&args.groups).await?;
    names.check()?;
    let kept_for = accounts.deleted_kept_for();
    if !args.yes {
        ask(&question(&found, kept_for))?;
    }
    let groups: Vec<Group> = found.into_iter().map(|details| details.group).collect();
    let deleted = accounts.delete_groups(&groups).await?;
    let mut text = lines("Deleted", &deleted);
    if kept_for != Some(Duration::ZERO) {
        let ids: Vec<_> = deleted.iter().map(|group| group.id.to_string()).collect();
        let way_back = way_back(kept_for, deleted.len());
        text += &format!("{way_back} `wardroom group restore {}`\n", ids.join(" "));
    }
    Ok(Report::new(text, one_or_all(deleted.iter().map(super::view::json).collect())))
}

/// Says what a deletion does, and to how many.
fn question(groups: &[GroupDetails], kept_for: Option<Duration>) -> String {
    let names: Vec<_> = groups.iter().map(|found| found.group.name.as_str()).collect();
    let members: i64 = groups.iter().map(|found| found.group.users_count).sum();
    let permissions: usize = groups.iter().map(|found| found.permissions.len()).sum();
    let members = count(usize::try_from(members).unwrap_or_default(), "membership");
    let way_back = match kept_for {
        Some(Duration::ZERO) => "This cannot be undone.".to_owned(),
        kept_for => format!("{} `wardroom group restore`.", way_back(kept_for, groups.len())),
    };
    format!(
        "Delete {} ({})? {members} with {} end. {way_back}",
        count(groups.len(), "group"),
        some_of(&names),
        count(permissions, "permission"),
    )
}

fn way_back(kept_for: Option<Duration>, groups: usize) -> String {
    let span = match kept_for {
        Some(span) => span_text(span),
        None => "a limited time".to_owned(),
    };
    let (subject, object) = if groups == 1 { ("It stays", "it") } else { ("They stay", "them") };
    format!("{subject} in the recycle bin for {span}; to restore {object}:")
}

pub(super) async fn restore(accounts: &Accounts, args: RestoreGroups) -> Result<Report, CliError> {
    let groups = deleted(accounts, &args.groups).await?;
    let restored = accounts.restore_groups(&groups).await?;
    let (text, json): (String, Vec<_>) = restored.iter().map(shown).unzip();
    Ok(Report::new(text, one_or_all(json)))
}

/// A line and an object about a restored group.
fn shown(restored: &Restored<Group, DeletedGroup>) -> (String, Value) {
    let (id, name, json) = match restored {
        Restored::Readable(group) => (group.id, &group.name, super::view::json(group)),
        Restored::Unreadable(group) => {
            (group.id, &group.name, json!({ "id": group.id.get(), "name": group.name }))
        }
    };
    (format!("Restored group {id} ({name}).\n"), json)
}

pub(super) async fn purge(accounts: &Accounts, args: PurgeGroups) -> Result<Report, CliError> {
    check_can_confirm(args.yes)?;
    let groups = deleted(accounts, &args.groups).await?;
    if !args.yes {
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        let how_many = count(groups.len(), "deleted group");
        ask(&format!("Delete {how_many} ({}) permanently? This cannot be undone.", some_of(&names)))?;
    }
    let gone = accounts.purge_groups(&groups).await?;
    let text: String =
        gone.iter().map(|group| format!("Purged group {} ({}).\n", group.id, group.name)).collect();
    let json = gone.iter().map(|group| json!({ "id": group.id.get(), "name": group.name }));
    Ok(Report::new(text, one_or_all(json.collect())))
}

async fn deleted(accounts: &Accounts, keys: &[GroupKey]) -> Result<Vec<DeletedGroup>, CliError> {
    let mut names = Names::new(accounts);
    let groups = names.deleted_groups(keys).await?;
    names.check().map(|()| groups)
}
