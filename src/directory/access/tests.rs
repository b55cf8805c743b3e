//! The table of who may do what.

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

fn group(id: i64) -> Group {
    Group {
        id: id.try_into().unwrap(),
        name: "group".into(),
        notes: String::new(),
        users_count: 0,
        created_at: identity().user.created_at,
        updated_at: identity().user.created_at,
    }
}

#[test]
fn each_deed_needs_its_code_and_staff() {
    let (nothing, other, rename) = (UserFields::default(), user(9, false), GroupFields::default());
    let (none, group, members) = (Rights::none(), group(5), Members { have_admin: false });
    let table: [(Deed<'_>, i64); 17] = [
        (Deed::CreateGroup(&none), 1201),
        (Deed::ReadGroups, 1202),
        (Deed::UpdateGroup(&group, &rename, &none), 1203),
        (Deed::DeleteGroup(&group, members, &none), 1204),
        (Deed::CreateUser(&nothing, &none), 1221),
        (Deed::ReadUsers, 1222),
        (Deed::UpdateUser(&other, &nothing, &none), 1223),
        (Deed::DeleteUser(&other, &none), 1224),
        (Deed::RestoreUser(&other, &none), 1224),
        (Deed::ReadDeleted, 1224),
        (Deed::IssueToken(&other, &none), 1231),
        (Deed::ReadTokens(&other), 1232),
        (Deed::UpdateToken(&other, &none), 1233),
        (Deed::RevokeToken(&other, &none), 1234),
        (Deed::ReadAudit, 1242),
        (Deed::ReadPermissions, 1252),
        (Deed::ChangeMembers(&other, &none), 1203),
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
fn every_right_concerned_must_be_held() {
    let codes = [1201, 1203, 1204, 1221, 1223, 1224, 1231, 1233, 1234];
    let (nothing, other, rename) = (UserFields::default(), user(9, false), GroupFields::default());
    let (group, members) = (group(5), Members { have_admin: false });
    let (held, foreign) = (Rights::concerned(&[1201], &[1203]), Rights::concerned(&[1201], &[1252]));
    let deeds = |rights| {
        [
            Deed::CreateUser(&nothing, rights),
            Deed::UpdateUser(&other, &nothing, rights),
            Deed::DeleteUser(&other, rights),
            Deed::RestoreUser(&other, rights),
            Deed::CreateGroup(rights),
            Deed::UpdateGroup(&group, &rename, rights),
            Deed::DeleteGroup(&group, members, rights),
            Deed::ChangeMembers(&other, rights),
            Deed::IssueToken(&other, rights),
            Deed::UpdateToken(&other, rights),
            Deed::RevokeToken(&other, rights),
        ]
    };
    let mut admin = identity();
    admin.user.is_admin = true;
    let admin = Actor { who: Who::Person(Arc::new(admin)), origin: Origin::default() };
    for (held, foreign) in deeds(&held).into_iter().zip(deeds(&foreign)) {
        assert_eq!(may(&staff(&codes), held), Ok(()), "{held:?}");
        assert_eq!(may(&staff(&codes), foreign), Err(Denial::NotYours), "{foreign:?}");
        assert_eq!(may(&admin, foreign), Ok(()), "{foreign:?}");
        assert_eq!(may(&Actor::operator("root"), foreign), Ok(()), "{foreign:?}");
    }
    assert_eq!(may(&admin, Deed::Import), Ok(()));
    assert_eq!(may(&admin, Deed::CarryDirectory), Err(Denial::NoRight));
    assert_eq!(may(&Actor::operator("root"), Deed::CarryDirectory), Ok(()));
}

#[test]
fn handing_on_a_membership_needs_the_right_to_change_groups() {
    let none = Rights::none();
    let fields = |groups: &[i64]| UserFields {
        groups: Some(groups.iter().map(|id| (*id).try_into().unwrap()).collect()),
        ..UserFields::default()
    };
    let (empty, five, mut other) = (fields(&[]), fields(&[5]), user(9, false));
    assert_eq!(may(&staff(&[1221]), Deed::CreateUser(&empty, &none)), Ok(()));
    assert_eq!(may(&staff(&[1221]), Deed::CreateUser(&five, &none)), Err(Denial::NoRight));
    assert_eq!(may(&staff(&[1221, 1203]), Deed::CreateUser(&five, &none)), Ok(()));
    assert_eq!(may(&staff(&[1223]), Deed::UpdateUser(&other, &five, &none)), Err(Denial::NoRight));
    assert_eq!(may(&staff(&[1223, 1203]), Deed::UpdateUser(&other, &five, &none)), Ok(()));
    other.groups = vec![5.try_into().unwrap()];
    assert_eq!(may(&staff(&[1223]), Deed::UpdateUser(&other, &five, &none)), Ok(()));
    assert_eq!(may(&staff(&[1223]), Deed::UpdateUser(&other, &empty, &none)), Err(Denial::NoRight));
}

#[test]
fn staff_never_touch_an_admin_or_themselves() {
    let all = staff(&[1203, 1204, 1221, 1222, 1223, 1224, 1231, 1232, 1234]);
    let (admin, own, none) = (user(9, true), user(1, false), Rights::none());
    let raise = UserFields { is_admin: Some(true), ..UserFields::default() };
    let promote = UserFields { is_staff: Some(true), ..UserFields::default() };
    let group = group(5);
    for deed in [
        Deed::CreateUser(&raise, &none),
        Deed::UpdateUser(&admin, &promote, &none),
        Deed::UpdateUser(&own, &raise, &none),
        Deed::DeleteUser(&admin, &none),
        Deed::RestoreUser(&admin, &none),
        Deed::IssueToken(&admin, &none),
        Deed::RevokeToken(&admin, &none),
        Deed::ChangeMembers(&admin, &none),
        Deed::DeleteGroup(&group, Members { have_admin: true }, &none),
    ] {
        assert_eq!(may(&all, deed), Err(Denial::AdminsOnly), "{deed:?}");
    }
    assert_eq!(may(&all, Deed::UpdateUser(&own, &promote, &none)), Err(Denial::OwnRights));
    assert_eq!(may(&all, Deed::ChangeMembers(&own, &none)), Err(Denial::OwnRights));
    let mut member = identity();
    (member.user.is_staff, member.user.groups, member.rights) = (true, vec![group.id], vec![1203, 1204]);
    let member = Actor { who: Who::Person(Arc::new(member)), origin: Origin::default() };
    let removal = Deed::DeleteGroup(&group, Members { have_admin: false }, &none);
    assert_eq!(may(&member, removal), Err(Denial::OwnRights));
    let raise = GroupFields { permissions: Some(Vec::new()), ..GroupFields::default() };
    assert_eq!(may(&member, Deed::UpdateGroup(&group, &raise, &none)), Err(Denial::OwnRights));
    assert_eq!(may(&member, Deed::UpdateGroup(&group, &GroupFields::default(), &none)), Ok(()));
    for deed in [
        Deed::IssueToken(&own, &none),
        Deed::ReadTokens(&own),
        Deed::UpdateToken(&own, &none),
        Deed::RevokeToken(&own, &none),
    ] {
        assert_eq!(may(&staff(&[]), deed), Ok(()), "{deed:?}");
    }
    let plain = Actor { who: Who::Person(Arc::new(identity())), origin: Origin::default() };
    for deed in [Deed::ReadTokens(&own), Deed::RevokeToken(&own, &none), Deed::ManageSelf] {
        assert_eq!(may(&plain, deed), Ok(()), "{deed:?}");
    }
    for deed in [Deed::IssueToken(&own, &none), Deed::UpdateToken(&own, &none)] {
        assert_eq!(may(&plain, deed), Err(Denial::NoRight), "{deed:?}");
    }
    assert_eq!(may(&all, Deed::UpdateSelf(&promote)), Err(Denial::OwnRights));
    assert_eq!(may(&all, Deed::UpdateSelf(&UserFields::default())), Ok(()));
    assert_eq!(may(&staff(&[1223]), Deed::ChangeMembers(&own, &none)), Err(Denial::NoRight));
    for deed in [Deed::Import, Deed::Export, Deed::CarryDirectory] {
        assert_eq!(may(&all, deed), Err(Denial::NoRight), "{deed:?}");
    }
}
