//! `wardroom group`: groups, their permissions and their members.

mod bin;
mod list;
mod show;
mod view;
mod write;

use clap::Subcommand;

use self::bin::{DeleteGroups, PurgeGroups, RestoreGroups};
use self::list::{ListDeletedGroups, ListGroups};
use self::show::ShowGroups;
use self::write::{AddGroup, ChangeMembers, EditGroup, GrantGroup};
use super::accounts::Accounts;
use super::grants::Grant;
use super::report::{CliError, Report};
use crate::directory::groups::MemberChange;

/// The commands of `wardroom group`.
#[derive(Subcommand)]
pub(super) enum GroupVerb {
    /// Create a group.
    Add(AddGroup),
    /// List groups by id, or search them.
    List(ListGroups),
    /// Show groups with their permissions and members.
    Show(ShowGroups),
    /// Rename a group or change its notes.
    Edit(EditGroup),
    /// Give a group permissions, in addition to those that it has. Its members inherit them.
    Grant(GrantGroup),
    /// Take permissions from a group.
    Revoke(GrantGroup),
    /// Delete groups. Their members are not deleted, but lose the permissions of the groups. The groups can be restored for a
    /// limited time.
    Delete(DeleteGroups),
    /// List deleted groups that can still be restored, newest first.
    Deleted(ListDeletedGroups),
    /// Restore deleted groups, with those of their permissions and members that still exist.
    Restore(RestoreGroups),
    /// Delete deleted groups permanently now.
    Purge(PurgeGroups),
    /// Add users to a group.
    AddMember(ChangeMembers),
    /// Remove users from a group.
    RemoveMember(ChangeMembers),
}

pub(super) async fn run(verb: GroupVerb, accounts: &Accounts) -> Result<Report, CliError> {
    match verb {
        GroupVerb::Add(args) => write::add(accounts, args).await,
        GroupVerb::List(args) => list::list(accounts, args).await,
        GroupVerb::Show(args) => show::show(accounts, args).await,
        GroupVerb::Edit(args) => write::edit(accounts, args).await,
        GroupVerb::Grant(args) => write::grant(accounts, args, Grant::Give).await,
        GroupVerb::Revoke(args) => write::grant(accounts, args, Grant::Take).await,
        GroupVerb::Delete(args) => bin::delete(accounts, args).await,
        GroupVerb::Deleted(args) => list::deleted(accounts, args).await,
        GroupVerb::Restore(args) => bin::restore(accounts, args).await,
        GroupVerb::Purge(args) => bin::purge(accounts, args).await,
        GroupVerb::AddMember(args) => write::change_members(accounts, args, MemberChange::Add).await,
        GroupVerb::RemoveMember(args) => write::change_members(accounts, args, MemberChange::Remove).await,
    }
}
