//! Authorization: may this actor perform this action? One pure function, [`authorize`], decides for the API, the CLI
//! and imports alike.
//!
//! It reads nothing from the database. An [`Action`] carries everything that the decision depends on. Rules that need
//! the database (the last admin) are checked by the use cases, inside their transactions.

mod codes;
mod proof;
mod scopes;

use std::net::IpAddr;
use std::sync::Arc;

use super::error::Denial;
use super::model::{Group, GroupFields, Identity, Scope, User, UserFields};
use crate::network::client_network;

pub use self::codes::*;
pub use self::proof::*;
pub use self::scopes::*;

/// The one who acts, and where the request came from.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The one who acts.
    pub who: Who,
    /// Where the request came from, for the audit trail.
    pub origin: Origin,
}

/// The kinds of actors.
#[derive(Clone, Debug)]
pub enum Who {
    /// A person with access to the machine, at the command line, by their name there.
    Operator(String),
    /// A user whose token was sent.
    Person(Arc<Identity>),
    /// An unknown person, who signs in.
    Anonymous,
}

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address; if it is not known, the address of the last trusted proxy.
    pub address: Option<String>,
    /// Whether `address` is that of a trusted proxy.
    pub is_proxy: bool,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Origin {
    /// Parses the address, for limits and records.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.as_ref()?.parse().ok()
    }

    /// Parses the address of the client itself, for what depends on where the client is; `None` if it is not known.
    pub fn client(&self) -> Option<IpAddr> {
        self.ip().filter(|_| !self.is_proxy)
    }

    /// The network that counts as one client; `None` for what does not come from a client.
    pub fn network(&self) -> Option<IpAddr> {
        self.address.as_ref().map(|_| client_network(self.ip()))
    }
}

impl Actor {
    /// Makes the actor for an operator at the command line.
    pub fn operator(name: impl Into<String>) -> Self {
        Self { who: Who::Operator(name.into()), origin: Origin::default() }
    }
}

/// The codes of the rights that an action concerns: those that its target holds before and after it.
///
/// The actor must hold all of them, so that no one gains rights by way of another user. An action that concerns a user,
/// a group or a token cannot be constructed without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<i64>);

impl Rights {
    /// Combines the rights that are held before with those that are held after.
    pub fn concerned(before: &[i64], after: &[i64]) -> Self {
        Self([before, after].concat())
    }

    /// No rights: the action gives, takes and uses none.
    pub fn none() -> Self {
        Self::default()
    }
}

impl From<Vec<i64>> for Rights {
    fn from(codes: Vec<i64>) -> Self {
        Self(codes)
    }
}

/// An action with everything that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// Read users.
    ReadUsers,
    /// Create a user with these fields, who will hold these rights.
    CreateUser(&'a UserFields, &'a Rights),
    /// Change these fields of this user, or its password. [`UserFields::concern_rights`] says when its rights are
    /// concerned.
    UpdateUser(&'a User, &'a UserFields, &'a Rights),
    /// Forget the failed sign-ins of this user, with these rights. Users never forget their own: the limit protects their
    /// password from who has stolen a token of theirs.
    Unlock(&'a User, &'a Rights),
    /// Read the actor's own record.
    ReadSelf,
    /// Change these fields of the actor's own record.
    UpdateSelf(&'a UserFields),
    /// Change what only the actor has: the password, for which the present one is needed, and saved views.
    ManageSelf,
    /// Delete this user, from the recycle bin too.
    DeleteUser(&'a User, &'a Rights),
    /// Restore this deleted user, with these rights.
    RestoreUser(&'a User, &'a Rights),
    /// Read deleted users.
    ReadDeleted,
    /// Read groups.
    ReadGroups,
    /// Create a group that has these rights.
    CreateGroup(&'a Rights),
    /// Change these fields of a group. [`GroupFields::concern_rights`] says when its rights are concerned.
    UpdateGroup(&'a Group, &'a GroupFields, &'a Rights),
    /// Delete a group with these members and rights, from the recycle bin too.
    DeleteGroup(&'a Group, Members, &'a Rights),
    /// Restore a deleted group with these rights, to which these members come back.
    RestoreGroup(Members, &'a Rights),
    /// Read deleted groups.
    ReadDeletedGroups,
    /// Add this user to a group with these rights, or remove it.
    ChangeMembers(&'a User, &'a Rights),
    /// Read the list of permissions.
    ReadPermissions,
    /// Create, rename or remove a permission that is not built in.
    ChangePermissions,
    /// Read the audit trail.
    ReadAudit,
    /// Read the tokens of all users.
    ReadAllTokens,
    /// Read this user's tokens.
    ReadTokens(&'a User),
    /// Issue a token that acts as this user.
    IssueToken(&'a User, &'a Rights),
    /// Rename a token of this user or change when it ends.
    UpdateToken(&'a User, &'a Rights),
    /// Revoke a token of this user.
    RevokeToken(&'a User, &'a Rights),
    /// Learn whose a presented key is, and what it may do.
    Introspect,
    /// Import rows from elsewhere, unchanged.
    Import,
    /// Export all rows, with hashes and digests.
    Export,
    /// Copy the whole account database, or replace it.
    CarryDirectory,
    /// Read the outbox, try its messages again, and withdraw them.
    ManageOutbox,
}

/// What matters about a group's members when the group is deleted or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Whether there are any.
    pub are_any: bool,
    /// Whether an admin is among them.
    pub have_admin: bool,
    /// Whether the actor is among them.
    pub have_actor: bool,
}

/// What an action needs of a user.
enum Need {
    /// A permission code.
    Code(i64),
    /// To be active, as every user is who acts.
    Nothing,
    /// Being staff.
    Staff,
    /// Being an admin.
    Admin,
    /// Access to the machine: no user may.
    Operator,
}

impl<'a> Action<'a> {
    fn need(&self, person: &User) -> Need {
        match self {
            // The user's own tokens need no permission.
            Self::IssueToken(owner, _) | Self::UpdateToken(owner, _) if owner.id == person.id => Need::Staff,
            Self::ReadTokens(owner) | Self::RevokeToken(owner, _) if owner.id == person.id => Need::Nothing,
            Self::CreateGroup(_) => permission::<CreateGroup>(),
            Self::ReadGroups => permission::<ReadGroups>(),
            Self::UpdateGroup(..) => permission::<UpdateGroup>(),
            Self::ChangeMembers(..) => permission::<ChangeMembers>(),
            Self::DeleteGroup(..) => permission::<DeleteGroup>(),
            Self::RestoreGroup(..) => permission::<RestoreGroup>(),
            Self::ReadDeletedGroups => permission::<ReadDeletedGroups>(),
            Self::CreateUser(..) => permission::<CreateUser>(),
            Self::ReadUsers => permission::<ReadUsers>(),
            Self::UpdateUser(..) | Self::Unlock(..) => permission::<UpdateUser>(),
            Self::DeleteUser(..) => permission::<DeleteUser>(),
            Self::RestoreUser(..) => permission::<RestoreUser>(),
            Self::ReadDeleted => permission::<ReadDeleted>(),
            Self::IssueToken(..) => permission::<IssueToken>(),
            Self::ReadTokens(_) | Self::ReadAllTokens => permission::<ReadTokens>(),
            Self::UpdateToken(..) => permission::<UpdateToken>(),
            Self::RevokeToken(..) => permission::<RevokeToken>(),
            Self::ReadAudit => permission::<ReadAudit>(),
            Self::ReadPermissions => permission::<ReadPermissions>(),
            Self::Introspect => permission::<Introspect>(),
            Self::ReadSelf | Self::UpdateSelf(_) => Need::Staff,
            Self::ManageSelf => Need::Nothing,
            Self::Import | Self::Export | Self::ChangePermissions => Need::Admin,
            Self::CarryDirectory | Self::ManageOutbox => Need::Operator,
        }
    }

    /// The scope that the actor's token needs because the action concerns the actor.
    fn own_scope(&self, person: &User) -> Option<Scope> {
        match self {
            Self::ReadSelf => Some(Scope::MeRead),
            Self::ReadTokens(owner) if owner.id == person.id => Some(Scope::MeRead),
            Self::UpdateSelf(_) | Self::ManageSelf => Some(Scope::MeWrite),
            Self::UpdateUser(target, ..) if target.id == person.id => Some(Scope::MeWrite),
            _ => self.concerns_own_token(person).then_some(Scope::MeWrite),
        }
    }

    /// Whether it makes, changes or ends a token of the actor. Such a token has at most what the calling one has, which
    /// `tokens::narrowing` checks.
    fn concerns_own_token(&self, person: &User) -> bool {
        match self {
            Self::IssueToken(owner, _) | Self::UpdateToken(owner, _) | Self::RevokeToken(owner, _) => {
                owner.id == person.id
            }
            _ => false,
        }
    }

    /// Whether it changes nothing.
    fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::ReadSelf
                | Self::ReadUsers
                | Self::ReadDeleted
                | Self::ReadGroups
                | Self::ReadDeletedGroups
                | Self::ReadPermissions
                | Self::ReadAudit
                | Self::ReadAllTokens
                | Self::ReadTokens(_)
                | Self::Introspect
                | Self::Export
        )
    }

    /// Whether it adds users to groups or removes them, which needs the right to change groups as well.
    fn changes_membership(&self) -> bool {
        match self {
            Self::CreateUser(fields, _) => fields.groups.as_ref().is_some_and(|groups| !groups.is_empty()),
            Self::UpdateUser(target, fields, _) => {
                fields.groups.as_ref().is_some_and(|groups| *groups != target.groups)
            }
            Self::RestoreGroup(members, _) => members.are_any,
            _ => false,
        }
    }

    /// Whether it creates, changes, or acts as an admin.
    fn concerns_admin(&self) -> bool {
        match self {
            Self::CreateUser(fields, _) => fields.is_admin == Some(true),
            Self::UpdateUser(target, fields, _) => target.is_admin || fields.is_admin == Some(true),
            Self::DeleteUser(target, _)
            | Self::RestoreUser(target, _)
            | Self::Unlock(target, _)
            | Self::IssueToken(target, _)
            | Self::UpdateToken(target, _)
            | Self::RevokeToken(target, _)
            | Self::ChangeMembers(target, _) => target.is_admin,
            Self::DeleteGroup(_, members, _) | Self::RestoreGroup(members, _) => members.have_admin,
            _ => false,
        }
    }

    /// Whether users change their own rights.
    fn changes_own_rights(&self, person: &User) -> bool {
        match self {
            Self::UpdateUser(target, fields, _) => target.id == person.id && fields.change_rights(),
            Self::ChangeMembers(target, _) => target.id == person.id,
            Self::UpdateGroup(group, fields, _) => {
                fields.permissions.is_some() && person.groups.contains(&group.id)
            }
            Self::DeleteGroup(group, members, _) => members.have_actor || person.groups.contains(&group.id),
            Self::RestoreGroup(members, _) => members.have_actor,
            Self::UpdateSelf(fields) => fields.change_rights(),
            _ => false,
        }
    }

    /// The rights that it concerns.
    fn rights(&self) -> Option<&'a Rights> {
        match self {
            Self::CreateUser(_, rights)
            | Self::UpdateUser(_, _, rights)
            | Self::DeleteUser(_, rights)
            | Self::RestoreUser(_, rights)
            | Self::Unlock(_, rights)
            | Self::CreateGroup(rights)
            | Self::UpdateGroup(_, _, rights)
            | Self::DeleteGroup(_, _, rights)
            | Self::RestoreGroup(_, rights)
            | Self::ChangeMembers(_, rights)
            | Self::IssueToken(_, rights)
            | Self::UpdateToken(_, rights)
            | Self::RevokeToken(_, rights) => Some(rights),
            Self::ReadUsers
            | Self::ReadSelf
            | Self::UpdateSelf(_)
            | Self::ManageSelf
            | Self::ReadDeleted
            | Self::ReadDeletedGroups
            | Self::ReadGroups
            | Self::ReadPermissions
            | Self::ReadAudit
            | Self::ReadTokens(_)
            | Self::ReadAllTokens
            | Self::ChangePermissions
            | Self::Introspect
            | Self::Import
            | Self::Export
            | Self::CarryDirectory
            | Self::ManageOutbox => None,
        }
    }
}

fn permission<A: NeedsPermission>() -> Need {
    Need::Code(A::CODE)
}

/// Decides whether an actor may perform an action. An operator always may. An admin may unless the action is only for
/// operators, or unlocks the admin. Staff may with the permission that the action needs, but never if the action concerns an admin, their own
/// rights, or a right that they do not hold. A token that is narrowed allows less: see [`Identity::new`], and the scope and the
/// reading that are checked here.
pub fn authorize(actor: &Actor, action: Action<'_>) -> Result<(), Denial> {
    match &actor.who {
        Who::Operator(_) => Ok(()),
        Who::Person(identity) => decide(identity, action),
        Who::Anonymous => Err(Denial::NoRight),
    }
}

/// Decides for a person.
fn decide(identity: &Identity, action: Action<'_>) -> Result<(), Denial> {
    let person = &identity.user;
    let need = action.need(person);
    if !allows(identity, action) {
        return Err(Denial::NoRight);
    }
    if matches!(action, Action::Unlock(target, _) if target.id == person.id) {
        return Err(Denial::OwnLock);
    }
    if person.is_admin && !matches!(need, Need::Operator) {
        return Ok(());
    }
    let has = match need {
        Need::Code(code) => holds(identity, code),
        Need::Nothing => true,
        Need::Staff => person.is_staff,
        Need::Admin | Need::Operator => false,
    };
    if !has {
        return Err(Denial::NoRight);
    }
    if action.concerns_own_token(person) {
        return Ok(());
    }
    if action.concerns_admin() {
        return Err(Denial::AdminsOnly);
    }
    if action.changes_own_rights(person) {
        return Err(Denial::OwnRights);
    }
    if action.changes_membership() && !holds_permission::<ChangeMembers>(identity) {
        return Err(Denial::NoRight);
    }
    match action.rights() {
        Some(Rights(codes)) if !codes.iter().all(|code| identity.rights.contains(code)) => {
            Err(Denial::NotYours)
        }
        _ => Ok(()),
    }
}

/// Whether a narrow token allows an action that concerns its owner, or that writes.
fn allows(identity: &Identity, action: Action<'_>) -> bool {
    let has_scope = action.own_scope(&identity.user).is_none_or(|scope| identity.has(scope));
    has_scope && (action.only_reads() || !identity.token.narrowing.read_only)
}

/// Whether a caller may read their own record: the one decision of `GET /api/users/me`.
pub fn may_read_self(identity: &Identity) -> bool {
    decide(identity, Action::ReadSelf).is_ok()
}

/// Whether this actor may take names of users and groups in the recycle bin: admins and operators may.
pub fn may_take_binned_names(actor: &Actor) -> bool {
    match &actor.who {
        Who::Operator(_) => true,
        Who::Person(identity) => identity.user.is_admin,
        Who::Anonymous => false,
    }
}

/// Whether a user holds the permission that an action needs.
pub fn holds_permission<A: NeedsPermission>(identity: &Identity) -> bool {
    holds(identity, A::CODE)
}

/// Whether a person holds the right of a code, built in or not: an admin all, staff those of their permissions.
pub fn holds_right(identity: &Identity, code: i64) -> bool {
    holds(identity, code)
}

/// Whether a user holds the right of this code: an admin holds all, staff those of their permissions.
fn holds(identity: &Identity, code: i64) -> bool {
    let person = &identity.user;
    person.is_admin || (person.is_staff && identity.rights.contains(&code))
}

#[cfg(test)]
mod tests;
