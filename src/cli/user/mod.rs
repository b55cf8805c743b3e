//! `wardroom user`: users and service accounts.

mod access;
mod avatar;
mod bin;
mod invite;
mod list;
mod show;
mod view;
mod write;

use clap::Subcommand;

use self::access::{GrantUser, NamedUsers, SetPassword};
use self::bin::{DeleteUsers, PurgeUsers, RestoreUsers};
use self::list::{ListDeleted, ListUsers};
use self::write::{Activation, AddUser, EditUser};
use super::accounts::Accounts;
use super::grants::Grant;
use super::report::{CliError, Report};

/// The commands of `wardroom user`.
#[derive(Subcommand)]
pub(super) enum UserVerb {
    /// Create a user. Without a password, the user can only use tokens.
    Add(AddUser),
    /// List users by id, or search them.
    List(ListUsers),
    /// Show users with their groups, permissions, tokens and failed sign-ins.
    Show(NamedUsers),
    /// Change a user.
    Edit(EditUser),
    /// Give a user permissions, in addition to those that the user has.
    Grant(GrantUser),
    /// Take permissions from a user. Those of the user's groups stay.
    Revoke(GrantUser),
    /// Disable users. They can no longer authenticate with any token.
    Disable(Activation),
    /// Enable disabled users. Tokens that were not revoked work again.
    Enable(Activation),
    /// Set a new password for a user, revoke the user's tokens and forget failed sign-ins.
    SetPassword(SetPassword),
    /// Send users who have no password a link by mail to choose one. It ends the link that was sent before.
    Invite(NamedUsers),
    /// Revoke the pending invitations of users.
    Uninvite(NamedUsers),
    /// Forget the failed sign-ins of users, so that the next one need not wait.
    Unlock(NamedUsers),
    /// Revoke all tokens of users and end all of their sign-ins.
    SignOut(NamedUsers),
    /// Delete users. Their tokens are deleted permanently; the users can be restored for a limited time.
    Delete(DeleteUsers),
    /// List deleted users that can still be restored, newest first.
    Deleted(ListDeleted),
    /// Restore deleted users, without tokens.
    Restore(RestoreUsers),
    /// Delete deleted users permanently now.
    Purge(PurgeUsers),
}

pub(super) async fn run(verb: UserVerb, accounts: &Accounts) -> Result<Report, CliError> {
    match verb {
        UserVerb::Add(args) => write::add(accounts, args).await,
        UserVerb::List(args) => list::list(accounts, args).await,
        UserVerb::Show(args) => show::show(accounts, args).await,
        UserVerb::Edit(args) => write::edit(accounts, args).await,
        UserVerb::Grant(args) => access::grant(accounts, args, Grant::Give).await,
        UserVerb::Revoke(args) => access::grant(accounts, args, Grant::Take).await,
        UserVerb::Disable(args) => write::activate(accounts, args, false).await,
        UserVerb::Enable(args) => write::activate(accounts, args, true).await,
        UserVerb::SetPassword(args) => access::set_password(accounts, args).await,
        UserVerb::Invite(args) => invite::invite(accounts, args).await,
        UserVerb::Uninvite(args) => invite::uninvite(accounts, args).await,
        UserVerb::Unlock(args) => access::unlock(accounts, args).await,
        UserVerb::SignOut(args) => access::sign_out(accounts, args).await,
        UserVerb::Delete(args) => bin::delete(accounts, args).await,
        UserVerb::Deleted(args) => list::deleted(accounts, args).await,
        UserVerb::Restore(args) => bin::restore(accounts, args).await,
        UserVerb::Purge(args) => bin::purge(accounts, args).await,
    }
}
