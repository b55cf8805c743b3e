//! The table of who may do what.

use super::*;
use crate::directory::identity::tests::identity;
use crate::directory::model::{Narrowing, Token};

fn staff(rights: &[i64]) -> Actor {
    let mut identity = identity();
    identity.user.is_staff = true;
    identity.rights = rights.to_vec();
    Actor { who: Who::Person(Arc::new(identity)), origin: Origin::default() }
}

fn user(id: i64, is_admin: bool) -> User {
    User { id: id.try_into().unwrap(), is_admin, ..identity().user }
}

fn group(id: i64) -> Group {
    Group {
        id: id.try_into().unwrap(),
        name: "group".into(),
        notes: None,
        users_count: 0,
        created_at: identity().user.created_at,
        updated_at: identity().user.created_at,
    }
}

#[test]
fn each_deed_needs_its_code_and_staff() {
    let (nothing, other, rename) = (UserFields::default(), user(9, false), GroupFields::default());
    let (none, group, members) = (Rights::none(), group(5), Members::default());
    let table: [(Action<'_>, i64); 21] = [
        (Action::CreateGroup(&none), 1201),
        (Action::ReadGroups, 1202),
        (Action::UpdateGroup(&group, &rename, &none), 1203),
        (Action::DeleteGroup(&group, members, &none), 1204),
        (Action::RestoreGroup(members, &none), 1204),
        (Action::ReadDeletedGroups, 1204),
        (Action::CreateUser(&nothing, &none), 1221),
        (Action::ReadUsers, 1222),
        (Action::UpdateUser(&other, &nothing, &none), 1223),
        (Action::DeleteUser(&other, &none), 1224),
        (Action::RestoreUser(&other, &none), 1224),
        (Action::ReadDeleted, 1224),
        (Action::IssueToken(&other, &none), 1231),
        (Action::ReadTokens(&other), 1232),
        (Action::ReadAllTokens, 1232),
        (Action::UpdateToken(&other, &none), 1233),
        (Action::RevokeToken(&other, &none), 1234),
        (Action::ReadAudit, 1242),
        (Action::ReadPermissions, 1252),
        (Action::Introspect, 1282),
        (Action::ChangeMembers(&other, &none), 1203),
    ];
    for (action, code) in table {
        assert_eq!(authorize(&staff(&[code]), action), Ok(()), "{action:?}");
        assert_eq!(authorize(&staff(&[code + 1, code - 1]), action), Err(Denial::NoRight), "{action:?}");
        let mut plain = identity();
        plain.rights = vec![code];
        let plain = Actor { who: Who::Person(Arc::new(plain)), origin: Origin::default() };
        assert_eq!(authorize(&plain, action), Err(Denial::NoRight), "{action:?}");
        assert_eq!(authorize(&Actor::operator("root"), action), Ok(()), "{action:?}");
    }
}

/// What a person may do with a token that is narrowed to this.
fn narrowed(user: User, rights: &[i64], narrowing: Narrowing) -> Actor {
    let token = Token { narrowing, ..identity().token };
    let identity = Identity::new(token, user, rights.to_vec());
    Actor { who: Who::Person(Arc::new(identity)), origin: Origin::default() }
}

fn scoped(user: User, rights: &[i64], scopes: &[Scope]) -> Actor {
    let scopes = Some(scopes.iter().copied().collect());
    narrowed(user, rights, Narrowing { scopes, ..Narrowing::default() })
}

#[test]
fn a_scope_is_needed_for_what_its_owner_may() {
    let (fields, other, own, none) = (UserFields::default(), user(9, false), user(1, false), Rights::none());
    let (staff, admin) = (User { is_staff: true, ..user(1, false) }, user(1, true));
    let (group, rename) = (group(5), GroupFields::default());
    let permission = |code| vec![Scope::Permission(code)];
    let mine = |code| vec![Scope::MeWrite, Scope::Permission(code)];
    for (action, needed) in [
        (Action::ReadSelf, vec![Scope::MeRead]),
        (Action::ReadTokens(&own), vec![Scope::MeRead]),
        (Action::UpdateSelf(&fields), vec![Scope::MeWrite]),
        (Action::ManageSelf, vec![Scope::MeWrite]),
        (Action::IssueToken(&own, &none), vec![Scope::MeWrite]),
        (Action::UpdateToken(&own, &none), vec![Scope::MeWrite]),
        (Action::RevokeToken(&own, &none), vec![Scope::MeWrite]),
        (Action::UpdateUser(&own, &fields, &none), mine(1223)),
        (Action::ReadGroups, permission(1202)),
        (Action::UpdateGroup(&group, &rename, &none), permission(1203)),
        (Action::CreateUser(&fields, &none), permission(1221)),
        (Action::ReadUsers, permission(1222)),
        (Action::UpdateUser(&other, &fields, &none), permission(1223)),
        (Action::DeleteUser(&other, &none), permission(1224)),
        (Action::IssueToken(&other, &none), permission(1231)),
        (Action::ReadTokens(&other), permission(1232)),
        (Action::ReadAllTokens, permission(1232)),
        (Action::UpdateToken(&other, &none), permission(1233)),
        (Action::RevokeToken(&other, &none), permission(1234)),
        (Action::ReadAudit, permission(1242)),
        (Action::ReadPermissions, permission(1252)),
        (Action::Introspect, permission(1282)),
    ] {
        let codes: Vec<i64> = BUILT_IN.iter().map(|permission| permission.code).collect();
        let all: Vec<Scope> = [Scope::MeRead, Scope::MeWrite]
            .into_iter()
            .chain(codes.iter().map(|code| Scope::Permission(*code)))
            .collect();
        for owner in [&staff, &admin] {
            assert_eq!(authorize(&scoped(owner.clone(), &codes, &needed), action), Ok(()), "{action:?}");
            assert_eq!(authorize(&scoped(owner.clone(), &codes, &all), action), Ok(()), "{action:?}");
            for lacking in &needed {
                let rest: Vec<Scope> = all.iter().copied().filter(|scope| scope != lacking).collect();
                let denied = authorize(&scoped(owner.clone(), &codes, &rest), action);
                assert_eq!(denied, Err(Denial::NoRight), "{action:?} without {lacking:?}");
            }
            assert_eq!(authorize(&scoped(owner.clone(), &codes, &[]), action), Err(Denial::NoRight));
        }
        // A scope is no right.
        if let Some(Scope::Permission(_)) = needed.last() {
            assert_eq!(authorize(&scoped(staff.clone(), &[], &all), action), Err(Denial::NoRight));
        }
        let reading = narrowed(admin.clone(), &[], Narrowing { read_only: true, ..Narrowing::default() });
        let expected = if action.only_reads() { Ok(()) } else { Err(Denial::NoRight) };
        assert_eq!(authorize(&reading, action), expected, "{action:?}");
    }
}

#[test]
fn an_admin_with_scopes_is_staff() {
    let (fields, other_admin, none) = (UserFields::default(), user(9, true), Rights::none());
    let foreign = Rights::from(vec![1242]);
    let other = user(9, false);
    let actor = scoped(user(1, true), &[], &[1223, 1224, 1231, 1233, 1234].map(Scope::Permission));
    for action in [
        Action::UpdateUser(&other_admin, &fields, &none),
        Action::DeleteUser(&other_admin, &none),
        Action::IssueToken(&other_admin, &none),
        Action::UpdateToken(&other_admin, &none),
        Action::RevokeToken(&other_admin, &none),
    ] {
        assert_eq!(authorize(&actor, action), Err(Denial::AdminsOnly), "{action:?}");
    }
    // Nor does it act with a right that is none of its scopes.
    for action in [Action::IssueToken(&other, &foreign), Action::DeleteUser(&other, &foreign)] {
        assert_eq!(authorize(&actor, action), Err(Denial::NotYours), "{action:?}");
    }
    for action in [Action::ChangePermissions, Action::Import, Action::Export, Action::CarryDirectory] {
        assert_eq!(authorize(&actor, action), Err(Denial::NoRight), "{action:?}");
    }
}

#[test]
fn every_right_concerned_must_be_held() {
    let codes = [1201, 1203, 1204, 1221, 1223, 1224, 1231, 1233, 1234];
    let (nothing, other, rename) = (UserFields::default(), user(9, false), GroupFields::default());
    let (group, members) = (group(5), Members::default());
    let (held, foreign) = (Rights::concerned(&[1201], &[1203]), Rights::concerned(&[1201], &[1252]));
    let actions = |rights| {
        [
            Action::CreateUser(&nothing, rights),
            Action::UpdateUser(&other, &nothing, rights),
            Action::DeleteUser(&other, rights),
            Action::RestoreUser(&other, rights),
            Action::CreateGroup(rights),
            Action::UpdateGroup(&group, &rename, rights),
            Action::DeleteGroup(&group, members, rights),
            Action::RestoreGroup(members, rights),
            Action::ChangeMembers(&other, rights),
            Action::IssueToken(&other, rights),
            Action::UpdateToken(&other, rights),
            Action::RevokeToken(&other, rights),
        ]
    };
    let mut admin = identity();
    admin.user.is_admin = true;
    let admin = Actor { who: Who::Person(Arc::new(admin)), origin: Origin::default() };
    for (held, foreign) in actions(&held).into_iter().zip(actions(&foreign)) {
        assert_eq!(authorize(&staff(&codes), held), Ok(()), "{held:?}");
        assert_eq!(authorize(&staff(&codes), foreign), Err(Denial::NotYours), "{foreign:?}");
        assert_eq!(authorize(&admin, foreign), Ok(()), "{foreign:?}");
        assert_eq!(authorize(&Actor::operator("root"), foreign), Ok(()), "{foreign:?}");
    }
    assert_eq!(authorize(&admin, Action::Import), Ok(()));
    assert_eq!(authorize(&admin, Action::ChangePermissions), Ok(()));
    assert_eq!(authorize(&staff(&codes), Action::ChangePermissions), Err(Denial::NoRight));
    assert_eq!(authorize(&admin, Action::CarryDirectory), Err(Denial::NoRight));
    assert_eq!(authorize(&Actor::operator("root"), Action::CarryDirectory), Ok(()));
}

#[test]
fn handing_on_a_membership_needs_the_right_to_change_groups() {
    let none = Rights::none();
    let fields = |groups: &[i64]| UserFields {
        groups: Some(groups.iter().map(|id| (*id).try_into().unwrap()).collect()),
        ..UserFields::default()
    };
    let (empty, five, mut other) = (fields(&[]), fields(&[5]), user(9, false));
    assert_eq!(authorize(&staff(&[1221]), Action::CreateUser(&empty, &none)), Ok(()));
    assert_eq!(authorize(&staff(&[1221]), Action::CreateUser(&five, &none)), Err(Denial::NoRight));
    assert_eq!(authorize(&staff(&[1221, 1203]), Action::CreateUser(&five, &none)), Ok(()));
    assert_eq!(authorize(&staff(&[1223]), Action::UpdateUser(&other, &five, &none)), Err(Denial::NoRight));
    assert_eq!(authorize(&staff(&[1223, 1203]), Action::UpdateUser(&other, &five, &none)), Ok(()));
    other.groups = vec![5.try_into().unwrap()];
    assert_eq!(authorize(&staff(&[1223]), Action::UpdateUser(&other, &five, &none)), Ok(()));
    assert_eq!(authorize(&staff(&[1223]), Action::UpdateUser(&other, &empty, &none)), Err(Denial::NoRight));
    let members = Members { are_any: true, ..Members::default() };
    assert_eq!(authorize(&staff(&[1204]), Action::RestoreGroup(members, &none)), Err(Denial::NoRight));
    assert_eq!(authorize(&staff(&[1204, 1203]), Action::RestoreGroup(members, &none)), Ok(()));
    assert_eq!(authorize(&staff(&[1204]), Action::DeleteGroup(&group(5), members, &none)), Ok(()));
}

#[test]
fn staff_never_touch_an_admin_or_themselves() {
    let all = staff(&[1203, 1204, 1221, 1222, 1223, 1224, 1231, 1232, 1234]);
    let (admin, own, none) = (user(9, true), user(1, false), Rights::none());
    let raise = UserFields { is_admin: Some(true), ..UserFields::default() };
    let promote = UserFields { is_staff: Some(true), ..UserFields::default() };
    let (group, with_admin) = (group(5), Members { have_admin: true, ..Members::default() });
    for action in [
        Action::CreateUser(&raise, &none),
        Action::UpdateUser(&admin, &promote, &none),
        Action::UpdateUser(&own, &raise, &none),
        Action::DeleteUser(&admin, &none),
        Action::RestoreUser(&admin, &none),
        Action::IssueToken(&admin, &none),
        Action::RevokeToken(&admin, &none),
        Action::ChangeMembers(&admin, &none),
        Action::DeleteGroup(&group, with_admin, &none),
        Action::RestoreGroup(with_admin, &none),
    ] {
        assert_eq!(authorize(&all, action), Err(Denial::AdminsOnly), "{action:?}");
    }
    assert_eq!(authorize(&all, Action::UpdateUser(&own, &promote, &none)), Err(Denial::OwnRights));
    assert_eq!(authorize(&all, Action::ChangeMembers(&own, &none)), Err(Denial::OwnRights));
    let mut member = identity();
    (member.user.is_staff, member.user.groups, member.rights) = (true, vec![group.id], vec![1203, 1204]);
    let member = Actor { who: Who::Person(Arc::new(member)), origin: Origin::default() };
    let removal = Action::DeleteGroup(&group, Members::default(), &none);
    assert_eq!(authorize(&member, removal), Err(Denial::OwnRights));
    let with_actor = Members { have_actor: true, ..Members::default() };
    for action in [Action::RestoreGroup(with_actor, &none), Action::DeleteGroup(&group, with_actor, &none)] {
        assert_eq!(authorize(&all, action), Err(Denial::OwnRights), "{action:?}");
    }
    let raise = GroupFields { permissions: Some(Vec::new()), ..GroupFields::default() };
    assert_eq!(authorize(&member, Action::UpdateGroup(&group, &raise, &none)), Err(Denial::OwnRights));
    assert_eq!(authorize(&member, Action::UpdateGroup(&group, &GroupFields::default(), &none)), Ok(()));
    for action in [
        Action::IssueToken(&own, &none),
        Action::ReadTokens(&own),
        Action::UpdateToken(&own, &none),
        Action::RevokeToken(&own, &none),
    ] {
        assert_eq!(authorize(&staff(&[]), action), Ok(()), "{action:?}");
    }
    let plain = Actor { who: Who::Person(Arc::new(identity())), origin: Origin::default() };
    for action in [Action::ReadTokens(&own), Action::RevokeToken(&own, &none), Action::ManageSelf] {
        assert_eq!(authorize(&plain, action), Ok(()), "{action:?}");
    }
    for action in [Action::IssueToken(&own, &none), Action::UpdateToken(&own, &none)] {
        assert_eq!(authorize(&plain, action), Err(Denial::NoRight), "{action:?}");
    }
    assert_eq!(authorize(&all, Action::UpdateSelf(&promote)), Err(Denial::OwnRights));
    assert_eq!(authorize(&all, Action::UpdateSelf(&UserFields::default())), Ok(()));
    assert_eq!(authorize(&staff(&[1223]), Action::ChangeMembers(&own, &none)), Err(Denial::NoRight));
    for action in [Action::Import, Action::Export, Action::CarryDirectory, Action::ManageOutbox] {
        assert_eq!(authorize(&all, action), Err(Denial::NoRight), "{action:?}");
    }
}
