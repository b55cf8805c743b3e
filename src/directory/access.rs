//! Who is acting, and may they do this to that? One pure function, [`authorize`], answers for the API, the
//! admin site, the CLI and imports alike.
//!
//! Never in here: a look-up. What the answer depends on is handed in; rules that need the database
//! (the last admin) are kept by the use cases, inside their transactions.

use std::net::IpAddr;
use std::sync::Arc;

use super::error::Denial;
use super::model::{Group, GroupFields, Identity, User, UserFields};

/// Who asks for something to be done, and from where.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who.
    pub who: Who,
    /// From where, for the audit trail.
    pub origin: Origin,
}

/// Who an actor is.
#[derive(Clone, Debug)]
pub enum Who {
    /// Somebody with access to the machine, at the command line, by their name there.
    Operator(String),
    /// A person whose token was sent.
    Person(Arc<Identity>),
    /// Nobody known: somebody who signs in.
    Anonymous,
}

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Origin {
    /// The client's address as one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.as_ref()?.parse().ok()
    }
}

impl Actor {
    /// An operator at the command line.
    pub fn operator(name: impl Into<String>) -> Self {
        Self { who: Who::Operator(name.into()), origin: Origin::default() }
    }
}

/// The codes of the rights that an action concerns: those that its target holds before and after it.
///
/// Whoever acts must hold all of them, so that nobody gains by way of somebody else. An action that concerns a user,
/// a group or a token cannot be stated without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<i64>);

impl Rights {
    /// The rights that are held before, and those that are held after.
    pub fn concerned(before: &[i64], after: &[i64]) -> Self {
        Self([before, after].concat())
    }

    /// None: what is done gives, takes or uses no right.
    pub fn none() -> Self {
        Self::default()
    }
}

impl From<Vec<i64>> for Rights {
    fn from(codes: Vec<i64>) -> Self {
        Self(codes)
    }
}

/// Something an actor wants to do, with all that the answer depends on.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// See users.
    ReadUsers,
    /// Make a user with these fields, who will hold these rights.
    CreateUser(&'a UserFields, &'a Rights),
    /// Change these fields of this user, or its password; see [`UserFields::concern_rights`] for when its rights are concerned.
    UpdateUser(&'a User, &'a UserFields, &'a Rights),
    /// Change these fields of one's own record.
    UpdateSelf(&'a UserFields),
    /// Change one's own password, which the present one proves.
    ManageSelf,
    /// Remove this user, from the recycle bin too.
    DeleteUser(&'a User, &'a Rights),
    /// Bring this deleted user back, with these rights.
    RestoreUser(&'a User, &'a Rights),
    /// See who was deleted.
    ReadDeleted,
    /// See groups.
    ReadGroups,
    /// Make a group that has these rights.
    CreateGroup(&'a Rights),
    /// Change these fields of a group; see [`GroupFields::concern_rights`] for when its rights are concerned.
    UpdateGroup(&'a Group, &'a GroupFields, &'a Rights),
    /// Remove a group with these members and rights.
    DeleteGroup(&'a Group, Members, &'a Rights),
    /// Add this user to a group with these rights, or take it out.
    ChangeMembers(&'a User, &'a Rights),
    /// See the list of permissions.
    ReadPermissions,
    /// See what was done, by whom.
    ReadAudit,
    /// See this user's tokens.
    ReadTokens(&'a User),
    /// Issue a token that acts as this user.
    IssueToken(&'a User, &'a Rights),
    /// Rename a token of this user or move its end.
    UpdateToken(&'a User, &'a Rights),
    /// Revoke a token of this user.
    RevokeToken(&'a User, &'a Rights),
    /// Bring rows in from elsewhere, as they are.
    Import,
    /// Take all rows out, hashes and digests with them.
    Export,
    /// Copy the directory as a whole, or put another in its place.
    CarryDirectory,
}

/// What matters of a group's members when the group is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Members {
    /// Whether an admin is among them.
    pub have_admin: bool,
}

/// What a person needs to hold for an action.
enum Need {
    /// A permission code.
    Code(i64),
    /// To be active, as everybody is who acts.
    Nothing,
    /// Being staff.
    Staff,
    /// Being an admin.
    Admin,
    /// Access to the machine: it is no person's.
    Operator,
}

impl<'a> Action<'a> {
    fn need(&self, person: &User) -> Need {
        match self {
            // What is one's own needs no permission.
            Self::IssueToken(owner, _) | Self::UpdateToken(owner, _) if owner.id == person.id => Need::Staff,
            Self::ReadTokens(owner) | Self::RevokeToken(owner, _) if owner.id == person.id => Need::Nothing,
            Self::CreateGroup(_) => Need::Code(1201),
            Self::ReadGroups => Need::Code(1202),
            Self::UpdateGroup(..) | Self::ChangeMembers(..) => Need::Code(1203),
            Self::DeleteGroup(..) => Need::Code(1204),
            Self::CreateUser(..) => Need::Code(1221),
            Self::ReadUsers => Need::Code(1222),
            Self::UpdateUser(..) => Need::Code(1223),
            Self::DeleteUser(..) | Self::RestoreUser(..) | Self::ReadDeleted => Need::Code(1224),
            Self::IssueToken(..) => Need::Code(1231),
            Self::ReadTokens(_) => Need::Code(1232),
            Self::UpdateToken(..) => Need::Code(1233),
            Self::RevokeToken(..) => Need::Code(1234),
            Self::ReadAudit => Need::Code(1242),
            Self::ReadPermissions => Need::Code(1252),
            Self::UpdateSelf(_) => Need::Staff,
            Self::ManageSelf => Need::Nothing,
            Self::Import | Self::Export => Need::Admin,
            Self::CarryDirectory => Need::Operator,
        }
    }

    /// Whether it puts users into groups or takes them out, which needs the right to change groups as well.
    fn changes_membership(&self) -> bool {
        match self {
            Self::CreateUser(fields, _) => fields.groups.as_ref().is_some_and(|groups| !groups.is_empty()),
            Self::UpdateUser(target, fields, _) => {
                fields.groups.as_ref().is_some_and(|groups| *groups != target.groups)
            }
            _ => false,
        }
    }

    /// Whether it makes, changes, or acts as an admin.
    fn concerns_admin(&self) -> bool {
        match self {
            Self::CreateUser(fields, _) => fields.is_admin == Some(true),
            Self::UpdateUser(target, fields, _) => target.is_admin || fields.is_admin == Some(true),
            Self::DeleteUser(target, _)
            | Self::RestoreUser(target, _)
            | Self::IssueToken(target, _)
            | Self::UpdateToken(target, _)
            | Self::RevokeToken(target, _)
            | Self::ChangeMembers(target, _) => target.is_admin,
            Self::DeleteGroup(_, members, _) => members.have_admin,
            _ => false,
        }
    }

    /// Whether somebody changes what they themselves may do.
    fn changes_own_rights(&self, person: &User) -> bool {
        match self {
            Self::UpdateUser(target, fields, _) => target.id == person.id && fields.change_rights(),
            Self::ChangeMembers(target, _) => target.id == person.id,
            Self::UpdateGroup(group, fields, _) => {
                fields.permissions.is_some() && person.groups.contains(&group.id)
            }
            Self::DeleteGroup(group, ..) => person.groups.contains(&group.id),
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
            | Self::CreateGroup(rights)
            | Self::UpdateGroup(_, _, rights)
            | Self::DeleteGroup(_, _, rights)
            | Self::ChangeMembers(_, rights)
            | Self::IssueToken(_, rights)
            | Self::UpdateToken(_, rights)
            | Self::RevokeToken(_, rights) => Some(rights),
            Self::ReadUsers
            | Self::UpdateSelf(_)
            | Self::ManageSelf
            | Self::ReadDeleted
            | Self::ReadGroups
            | Self::ReadPermissions
            | Self::ReadAudit
            | Self::ReadTokens(_)
            | Self::Import
            | Self::Export
            | Self::CarryDirectory => None,
        }
    }
}

/// The permission to change groups, who belongs to them included.
const CHANGE_GROUPS: i64 = 1203;

/// May this actor do this? The operator always may. An admin may do what is not the operator's alone. Staff may with
/// the permission's code, but nothing that concerns an admin, their own rights, or a right that they do not hold.
pub fn authorize(actor: &Actor, action: Action<'_>) -> Result<(), Denial> {
    let identity = match &actor.who {
        Who::Operator(_) => return Ok(()),
        Who::Person(identity) => identity,
        Who::Anonymous => return Err(Denial::NoRight),
    };
    let person = &identity.user;
    let need = action.need(person);
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
    if action.concerns_admin() {
        return Err(Denial::AdminsOnly);
    }
    if action.changes_own_rights(person) {
        return Err(Denial::OwnRights);
    }
    if action.changes_membership() && !holds(identity, CHANGE_GROUPS) {
        return Err(Denial::NoRight);
    }
    match action.rights() {
        Some(Rights(codes)) if !codes.iter().all(|code| identity.rights.contains(code)) => {
            Err(Denial::NotYours)
        }
        _ => Ok(()),
    }
}

/// Whether names in the recycle bin are free for this actor: for admins and operators.
pub fn may_take_binned_names(actor: &Actor) -> bool {
    match &actor.who {
        Who::Operator(_) => true,
        Who::Person(identity) => identity.user.is_admin,
        Who::Anonymous => false,
    }
}

/// Whether a person holds the right of this code: an admin holds all, staff what their permissions give.
pub fn holds(identity: &Identity, code: i64) -> bool {
    let person = &identity.user;
    person.is_admin || (person.is_staff && identity.rights.contains(&code))
}

#[cfg(test)]
mod tests;
