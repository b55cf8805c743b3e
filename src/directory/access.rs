//! Who is acting, and may they do this to that? One pure function, [`may`], answers for the API, the
//! admin site, the CLI and imports alike.
//!
//! Never in here: a look-up. What the answer depends on is handed in; rules that need the database
//! (the last admin) are kept by the use cases, inside their transactions.

use std::net::IpAddr;
use std::sync::Arc;

use super::error::Denial;
use super::identity::Identity;
use super::model::{User, UserFields};

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

/// Something an actor wants to do, with all that the answer depends on.
#[derive(Clone, Copy, Debug)]
pub enum Deed<'a> {
    /// See users.
    ReadUsers,
    /// Make a user with these fields.
    CreateUser(&'a UserFields),
    /// Change these fields of this user.
    UpdateUser(&'a User, &'a UserFields),
    /// Change these fields of one's own record.
    UpdateSelf(&'a UserFields),
    /// Manage one's own password and tokens.
    ManageSelf,
    /// Replace this user's password.
    SetPassword(&'a User),
    /// Remove this user.
    DeleteUser(&'a User),
    /// Bring this deleted user back.
    RestoreUser(&'a User),
    /// See who was deleted.
    ReadDeleted,
    /// See groups.
    ReadGroups,
    /// Make a group.
    CreateGroup,
    /// Rename a group or change its notes.
    UpdateGroup,
    /// Remove a group.
    DeleteGroup,
    /// Add this user to a group or take it out.
    ChangeMembers(&'a User),
    /// See the list of permissions.
    ReadPermissions,
    /// See what was done, by whom.
    ReadAudit,
    /// See this user's tokens.
    ReadTokens(&'a User),
    /// Issue a token that acts as this user.
    IssueToken(&'a User),
    /// Rename a token of this user or move its end.
    UpdateToken(&'a User),
    /// Revoke a token of this user.
    RevokeToken(&'a User),
    /// Bring rows in from elsewhere, as they are.
    Import,
    /// Take all rows out, hashes and digests with them.
    Export,
    /// Copy the directory as a whole, or put another in its place.
    CarryDirectory,
}

/// What a person needs to hold for a deed.
enum Need {
    /// A permission code.
    Code(i64),
    /// Being staff.
    Staff,
    /// Being an admin.
    Admin,
    /// Access to the machine: it is no person's.
    Operator,
}

impl Deed<'_> {
    fn need(&self, person: &User) -> Need {
        match self {
            // What is one's own needs no permission.
            Self::IssueToken(owner)
            | Self::ReadTokens(owner)
            | Self::UpdateToken(owner)
            | Self::RevokeToken(owner)
                if owner.id == person.id =>
            {
                Need::Staff
            }
            Self::CreateGroup => Need::Code(1201),
            Self::ReadGroups => Need::Code(1202),
            Self::UpdateGroup => Need::Code(1203),
            Self::DeleteGroup => Need::Code(1204),
            Self::CreateUser(_) => Need::Code(1221),
            Self::ReadUsers => Need::Code(1222),
            Self::UpdateUser(..) | Self::SetPassword(_) => Need::Code(1223),
            Self::DeleteUser(_) | Self::RestoreUser(_) | Self::ReadDeleted => Need::Code(1224),
            Self::IssueToken(_) => Need::Code(1231),
            Self::ReadTokens(_) => Need::Code(1232),
            Self::UpdateToken(_) => Need::Code(1233),
            Self::RevokeToken(_) => Need::Code(1234),
            Self::ReadAudit => Need::Code(1242),
            Self::ReadPermissions => Need::Code(1252),
            Self::ChangeMembers(_) => Need::Code(1203),
            Self::UpdateSelf(_) | Self::ManageSelf => Need::Staff,
            Self::Import | Self::Export => Need::Admin,
            Self::CarryDirectory => Need::Operator,
        }
    }

    /// Whether it makes, changes, or acts as an admin.
    fn concerns_admin(&self) -> bool {
        match self {
            Self::CreateUser(fields) => fields.is_admin == Some(true),
            Self::UpdateUser(target, fields) => target.is_admin || fields.is_admin == Some(true),
            Self::SetPassword(target) | Self::DeleteUser(target) | Self::RestoreUser(target) => {
                target.is_admin
            }
            Self::IssueToken(target) | Self::UpdateToken(target) | Self::RevokeToken(target) => {
                target.is_admin
            }
            Self::ChangeMembers(target) => target.is_admin,
            _ => false,
        }
    }

    /// Whether somebody changes what they themselves may do.
    fn raises(&self, person: &User) -> bool {
        match self {
            Self::UpdateUser(target, fields) => target.id == person.id && fields.change_rights(),
            Self::UpdateSelf(fields) => fields.change_rights(),
            _ => false,
        }
    }
}

/// May this actor do this? The operator always may; an admin may what is not the operator's alone; staff with the permission's code may,
/// but nothing that concerns an admin, and nobody without admin rights changes their own.
pub fn may(actor: &Actor, deed: Deed<'_>) -> Result<(), Denial> {
    let identity = match &actor.who {
        Who::Operator(_) => return Ok(()),
        Who::Person(identity) => identity,
        Who::Anonymous => return Err(Denial::NoRight),
    };
    let person = &identity.user;
    let need = deed.need(person);
    if person.is_admin && !matches!(need, Need::Operator) {
        return Ok(());
    }
    let holds = match need {
        Need::Code(code) => holds(identity, code),
        Need::Staff => person.is_staff,
        Need::Admin | Need::Operator => false,
    };
    if !holds {
        return Err(Denial::NoRight);
    }
    if deed.concerns_admin() {
        return Err(Denial::AdminsOnly);
    }
    if deed.raises(person) {
        return Err(Denial::OwnRights);
    }
    Ok(())
}

/// Whether a person holds the right of this code: an admin holds all, staff what their permissions give.
pub fn holds(identity: &Identity, code: i64) -> bool {
    let person = &identity.user;
    person.is_admin || (person.is_staff && identity.rights.contains(&code))
}

/// May this actor hand on, take away or act with these rights? Only those that they hold themselves, so
/// that nobody gains by way of somebody else: by a permission, a group, a password or a token.
pub fn may_deal_in(actor: &Actor, rights: &[i64]) -> Result<(), Denial> {
    match &actor.who {
        Who::Person(identity) if !identity.user.is_admin => {
            let held = rights.iter().all(|right| identity.rights.contains(right));
            if held { Ok(()) } else { Err(Denial::NotYours) }
        }
        Who::Operator(_) | Who::Person(_) => Ok(()),
        Who::Anonymous => Err(Denial::NotYours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::identity::tests::identity;

    fn staff(rights: &[i64]) -> Actor {
        let mut identity = identity();
        identity.user.is_staff = true;
        identity.rights = rights.to_vec();
        Actor { who: Who::Person(Arc::new(identity)), origin: Origin::default() }
    }

    fn user(id: i64, is_admin: bool) -> User {
        User { id: id.try_into().unwrap(), is_admin, ..identity().user }
    }

    #[test]
    fn each_deed_needs_its_code_and_staff() {
        let (nothing, other) = (UserFields::default(), user(9, false));
        let table: [(Deed<'_>, i64); 18] = [
            (Deed::CreateGroup, 1201),
            (Deed::ReadGroups, 1202),
            (Deed::UpdateGroup, 1203),
            (Deed::DeleteGroup, 1204),
            (Deed::CreateUser(&nothing), 1221),
            (Deed::ReadUsers, 1222),
            (Deed::UpdateUser(&other, &nothing), 1223),
            (Deed::SetPassword(&other), 1223),
            (Deed::DeleteUser(&other), 1224),
            (Deed::RestoreUser(&other), 1224),
            (Deed::ReadDeleted, 1224),
            (Deed::IssueToken(&other), 1231),
            (Deed::ReadTokens(&other), 1232),
            (Deed::UpdateToken(&other), 1233),
            (Deed::RevokeToken(&other), 1234),
            (Deed::ReadAudit, 1242),
            (Deed::ReadPermissions, 1252),
            (Deed::ChangeMembers(&other), 1203),
        ];
        for (deed, code) in table {
            assert_eq!(may(&staff(&[code]), deed), Ok(()), "{deed:?}");
            assert_eq!(may(&staff(&[code + 1, code - 1]), deed), Err(Denial::NoRight), "{deed:?}");
            let mut plain = identity();
            plain.rights = vec![code];
            let plain = Actor { who: Who::Person(Arc::new(plain)), origin: Origin::default() };
            assert_eq!(may(&plain, deed), Err(Denial::NoRight), "{deed:?}");
            assert_eq!(may(&Actor::operator("root"), deed), Ok(()), "{deed:?}");
        }
    }

    #[test]
    fn rights_are_dealt_in_by_their_holders_alone() {
        assert_eq!(may_deal_in(&staff(&[1221, 1222]), &[1222]), Ok(()));
        assert_eq!(may_deal_in(&staff(&[1221, 1222]), &[1222, 1223]), Err(Denial::NotYours));
        assert_eq!(may_deal_in(&Actor::operator("root"), &[1223]), Ok(()));
        let mut admin = identity();
        admin.user.is_admin = true;
        let admin = Actor { who: Who::Person(Arc::new(admin)), origin: Origin::default() };
        assert_eq!(may_deal_in(&admin, &[1223]), Ok(()));
        assert_eq!(may(&admin, Deed::Import), Ok(()));
        assert_eq!(may(&admin, Deed::CarryDirectory), Err(Denial::NoRight));
        assert_eq!(may(&Actor::operator("root"), Deed::CarryDirectory), Ok(()));
    }

    #[test]
    fn staff_never_touch_an_admin_or_themselves() {
        let all = staff(&[1221, 1222, 1223, 1224, 1231, 1232, 1234]);
        let (admin, own) = (user(9, true), user(1, false));
        let raise = UserFields { is_admin: Some(true), ..UserFields::default() };
        let promote = UserFields { is_staff: Some(true), ..UserFields::default() };
        for deed in [
            Deed::CreateUser(&raise),
            Deed::UpdateUser(&admin, &promote),
            Deed::UpdateUser(&own, &raise),
            Deed::SetPassword(&admin),
            Deed::DeleteUser(&admin),
            Deed::RestoreUser(&admin),
            Deed::IssueToken(&admin),
            Deed::RevokeToken(&admin),
        ] {
            assert_eq!(may(&all, deed), Err(Denial::AdminsOnly), "{deed:?}");
        }
        assert_eq!(may(&all, Deed::UpdateUser(&own, &promote)), Err(Denial::OwnRights));
        for deed in
            [Deed::IssueToken(&own), Deed::ReadTokens(&own), Deed::UpdateToken(&own), Deed::RevokeToken(&own)]
        {
            assert_eq!(may(&staff(&[]), deed), Ok(()), "{deed:?}");
        }
        assert_eq!(may(&all, Deed::UpdateSelf(&promote)), Err(Denial::OwnRights));
        assert_eq!(may(&all, Deed::UpdateSelf(&UserFields::default())), Ok(()));
        assert_eq!(may(&all, Deed::ChangeMembers(&own)), Err(Denial::NoRight));
        assert_eq!(may(&all, Deed::Import), Err(Denial::NoRight));
        assert_eq!(may(&all, Deed::Export), Err(Denial::NoRight));
        assert_eq!(may(&all, Deed::CarryDirectory), Err(Denial::NoRight));
        assert_eq!(may(&staff(&[1203]), Deed::ChangeMembers(&admin)), Err(Denial::AdminsOnly));
    }
}
