//! `wardroom group show`: groups with their permissions and members.

use clap::Args;
use serde_json::{Value, json};

use super::view::json as group_json;
use crate::cli::accounts::Accounts;
use crate::cli::days::to_the_second;
use crate::cli::lists::ListParameter;
use crate::cli::names::Names;
use crate::cli::report::{CliError, Report};
use crate::cli::terminal::fields;
use crate::directory::groups::GroupDetails;
use crate::directory::model::{GroupKey, User};

/// The members of a group that are shown.
const MEMBERS_SHOWN: usize = 100;

#[derive(Args)]
pub(in crate::cli) struct ShowGroups {
    /// The groups, by id or name.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<GroupKey>,
}

pub(super) async fn show(accounts: &Accounts, args: ShowGroups) -> Result<Report, CliError> {
    let mut names = Names::new(accounts);
    let groups = names.groups(&args.groups).await?;
    names.check()?;
    let (mut texts, mut objects) = (Vec::new(), Vec::new());
    for details in &groups {
        let parameter = |name: &str, value: String| -> ListParameter { (name.to_owned(), value) };
        let parameters = [
            parameter("group_id", details.group.id.to_string()),
            parameter("limit", MEMBERS_SHOWN.to_string()),
            parameter("ordering", "username".to_owned()),
        ];
        let members = accounts.users(&parameters).await?.rows;
        texts.push(text(details, &members));
        objects.push(json(details, &members));
    }
    let json = if objects.len() == 1 { objects.pop().unwrap_or_default() } else { Value::Array(objects) };
    Ok(Report::new(texts.join("\n"), json).long())
}

fn text(GroupDetails { group, permissions }: &GroupDetails, members: &[User]) -> String {
    let one = |text: String| vec![text];
    let mut names: Vec<_> = members.iter().map(|user| format!("{} {}", user.id, user.username)).collect();
    let shown = i64::try_from(names.len()).unwrap_or(i64::MAX);
    if group.users_count > shown {
        names.push(format!(
            "{shown} of {} shown: `wardroom user list --group {}`",
            group.users_count, group.id
        ));
    }
    fields(&[
        ("id", one(group.id.to_string())),
        ("name", one(group.name.clone())),
        ("notes", one(group.notes.clone().unwrap_or_default())),
        ("permissions", permissions.iter().map(|one| format!("{} {}", one.code, one.name)).collect()),
        ("users", one(group.users_count.to_string())),
        ("members", names),
        ("created", one(to_the_second(group.created_at))),
        ("updated", one(to_the_second(group.updated_at))),
    ])
}

fn json(GroupDetails { group, permissions }: &GroupDetails, members: &[User]) -> Value {
    let mut json = group_json(group);
    if let Value::Object(object) = &mut json {
        let permissions =
            permissions.iter().map(|one| json!({ "id": one.id.get(), "code": one.code, "name": one.name }));
        let members = members.iter().map(|user| json!({ "id": user.id.get(), "username": user.username }));
        object.insert("permissions".to_owned(), permissions.collect());
        object.insert("members".to_owned(), members.collect());
    }
    json
}
