//! Use cases about groups and who belongs to them.

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Members, Rights, authorize};
use super::audit::{self, Object, Picture};
use super::change::{Change, Written};
use super::error::Error;
use super::guard::taken::Names;
use super::model::{
    Expected, Group, GroupDraft, GroupFields, GroupId, GroupKey, Permission, Rule, User, UserKey, Version,
};
use super::store::{self, Tx};

/// The most members one call adds or removes.
const MEMBERS_MAX: usize = 1000;

/// What is done to the members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// They shall belong to it.
    Add,
    /// They shall not.
    Remove,
}

/// A group after its members were changed, and for whom anything had to change.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group.
    pub group: Group,
    /// Those for whom it was not so before.
    pub changed: Vec<User>,
}

impl Directory {
    /// Makes a group.
    pub async fn create_group(&self, actor: &Actor, draft: &GroupDraft) -> Result<Written<Group>, Error> {
        let fields = draft.parse()?;
        authorize(actor, Action::CreateGroup(&Rights::none()))?;
        let name = fields.name.clone().ok_or_else(|| Error::invalid("name", &Rule::Required))?;
        let notes = fields.notes.clone().map(String::from).unwrap_or_default();
        self.change_names(actor, Names::Others, move |change| {
            let Change { tx, now, .. } = *change;
            let (name, notes) = (name.clone().into(), notes.clone());
            let new =
                Group { id: GroupId::UNSAVED, name, notes, users_count: 0, created_at: now, updated_at: now };
            refuse_taken(change, &new)?;
            let group = Group { id: tx.insert_group(None, &new)?, ..new };
            attach(tx, &group, &fields)?;
            change.check(Action::CreateGroup(&rights(tx, &group)?.into()))?;
            let made = audit::whole(picture(tx, &group)?);
            audit::record(change, "group.create", &Object::Group(&group), made)?;
            Ok(change.written(group, Action::ReadGroups))
        })
        .await
    }

    /// All there is to tell about a group.
    pub async fn group_details(&self, actor: &Actor, key: &GroupKey) -> Result<GroupDetails, Error> {
        authorize(actor, Action::ReadGroups)?;
        let found: Option<Group> = self.store.first(store::groups::find(key)).await?;
        let group = found.ok_or_else(|| Error::not_found("group", key))?;
        self.group_details_of_written(group).await
    }

    /// The same about a group that the asker has just written, for which no right to read is needed.
    pub async fn group_details_of_written(&self, group: Group) -> Result<GroupDetails, Error> {
        let permissions = self.store.point_read(store::permissions::of_group(group.id)).await?;
        Ok(GroupDetails { group, permissions })
    }

    /// Changes the fields that the draft names.
    pub async fn update_group(
        &self,
        actor: &Actor,
        key: &GroupKey,
        draft: &GroupDraft,
    ) -> Result<Written<Group>, Error> {
        self.update_group_if(actor, key, draft, Expected::Any).await
    }

    /// The same, unless the group is in another state than expected.
    pub async fn update_group_if(
        &self,
        actor: &Actor,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> Result<Written<Group>, Error> {
        let (fields, key) = (draft.parse()?, key.clone());
        // Permissions are written first.
        let names = if fields.permissions.is_some() { Names::OthersLate } else { Names::Others };
        self.change_names(actor, names, move |change| {
            let tx = change.tx;
            let old = existing(tx, &key)?;
            let before = picture(tx, &old)?;
            let held = match fields.concern_rights() {
                true => rights(tx, &old)?,
                false => Vec::new(),
            };
            change.check(Action::UpdateGroup(&old, &fields, &Rights::concerned(&held, &[])))?;
            keep_current(tx, &old, &expected)?;
            let name = fields.name.clone().map_or_else(|| old.name.clone(), String::from);
            let notes = fields.notes.clone().map_or_else(|| old.notes.clone(), String::from);
            let new = Group { name, notes, updated_at: change.now, ..old.clone() };
            if fields.permissions.is_some() {
                attach(tx, &new, &fields)?;
                change.check(Action::UpdateGroup(
                    &old,
                    &fields,
                    &Rights::concerned(&held, &rights(tx, &new)?),
                ))?;
            }
            let after = picture(tx, &new)?;
            if before == after {
                return Ok(change.written(old, Action::ReadGroups));
            }
            if new.name != old.name {
                refuse_taken(change, &new)?;
            }
            tx.update_group(&new)?;
            let changes = audit::difference(before, after);
            audit::record(change, "group.update", &Object::Group(&new), changes)?;
            Ok(change.written(new, Action::ReadGroups))
        })
        .await
    }

    /// Removes a group; its members stay. Tells which it was.
    pub async fn delete_group(&self, actor: &Actor, key: &GroupKey) -> Result<Group, Error> {
        self.delete_group_if(actor, key, Expected::Any).await
    }

    /// The same, unless the group is in another state than expected.
    pub async fn delete_group_if(
        &self,
        actor: &Actor,
        key: &GroupKey,
        expected: Expected,
    ) -> Result<Group, Error> {
        let key = key.clone();
        self.change(actor, move |change| {
            let tx = change.tx;
            let group = existing(tx, &key)?;
            let members = Members { have_admin: tx.has_admin_member(group.id)? };
            change.check(Action::DeleteGroup(&group, members, &rights(tx, &group)?.into()))?;
            keep_current(tx, &group, &expected)?;
            let last = audit::whole(picture(tx, &group)?);
            tx.delete_group(group.id)?;
            audit::record(change, "group.delete", &Object::Group(&group), last)?;
            Ok(group)
        })
        .await
    }

    /// Adds users to a group or takes them out, all or none of them. That some belonged to it already, or did
    /// not, is no error.
    pub async fn change_members(
        &self,
        actor: &Actor,
        group: &GroupKey,
        users: &[UserKey],
        kind: MemberChange,
    ) -> Result<Written<Membership>, Error> {
        if users.len() > MEMBERS_MAX {
            let told = format!("Ensure this field has no more than {MEMBERS_MAX} elements.");
            return Err(Error::invalid("users", &Rule::Other(told)));
        }
        let (group, users) = (group.clone(), users.to_vec());
        self.change(actor, move |change| {
            let tx = change.tx;
            let group = existing(tx, &group)?;
            let rights = Rights::from(rights(tx, &group)?);
            let mut changed = Vec::new();
            for key in &users {
                let user = member(tx, key)?;
                change.check(Action::ChangeMembers(&user, &rights))?;
                if kind.apply(tx, &group, &user)? {
                    changed.push(user);
                }
            }
            if !changed.is_empty() {
                let members: Vec<_> =
                    changed.iter().map(|user| json!([user.id.get(), user.username])).collect();
                let members = json!({ "users": members });
                audit::record(change, kind.action(), &Object::Group(&group), members)?;
            }
            let group = existing(tx, &GroupKey::Id(group.id))?;
            Ok(change.written(Membership { group, changed }, Action::ReadGroups))
        })
        .await
    }
}

impl MemberChange {
    fn apply(self, tx: &Tx<'_>, group: &Group, user: &User) -> Result<bool, Error> {
        match self {
            Self::Add => tx.add_member(group.id, user.id),
            Self::Remove => tx.remove_member(group.id, user.id),
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Add => "group.add_members",
            Self::Remove => "group.remove_members",
        }
    }
}

/// A user that a list of members names; an id that is nobody's is a fault of the list.
fn member(tx: &Tx<'_>, key: &UserKey) -> Result<User, Error> {
    match (tx.user(key)?, key) {
        (Some(user), _) => Ok(user),
        (None, UserKey::Id(id)) => Err(Error::invalid("users", &Rule::NoSuchObject(id.get()))),
        (None, UserKey::Name(_)) => Err(Error::not_found("user", key)),
    }
}

/// A group with its permissions.
#[derive(Clone, Debug)]
pub struct GroupDetails {
    /// The group.
    pub group: Group,
    /// The permissions attached to it, which its members inherit.
    pub permissions: Vec<Permission>,
}

impl GroupDetails {
    /// The version of what is written about the group.
    pub fn version(&self) -> Version {
        let codes: Vec<_> = self.permissions.iter().map(|permission| permission.code).collect();
        version(&self.group, &codes)
    }
}

fn version(group: &Group, codes: &[i64]) -> Version {
    Version::of(&(group.id.get(), &group.name, &group.notes, codes, group.updated_at.as_micros()))
}

/// Refuses a change that was made from an older state.
fn keep_current(tx: &Tx<'_>, group: &Group, expected: &Expected) -> Result<(), Error> {
    let present = || Ok::<_, Error>(version(group, &rights(tx, group)?));
    if expected.holds(present)? { Ok(()) } else { Err(Error::Stale("group")) }
}

/// Gives the group exactly the permissions that the fields name.
fn attach(tx: &Tx<'_>, group: &Group, fields: &GroupFields) -> Result<(), Error> {
    let Some(permissions) = &fields.permissions else { return Ok(()) };
    match tx.set_group_permissions(group.id, permissions)? {
        Some(none) => Err(Error::invalid("permissions", &Rule::NoSuchObject(none.get()))),
        None => Ok(()),
    }
}

/// The codes of the rights that a group gives.
fn rights(tx: &Tx<'_>, group: &Group) -> Result<Vec<i64>, Error> {
    tx.codes(&store::permissions::of_group(group.id))
}

/// Refuses a name that another group has. The constraint would, too; it stays as the net below.
fn refuse_taken(change: &Change<'_, '_>, group: &Group) -> Result<(), Error> {
    change.admit_names()?;
    if !change.tx.is_group_name_taken(group)? {
        return Ok(());
    }
    change.found_taken("name");
    Err(Error::invalid("name", &Rule::Taken { noun: "group", field: "name".to_owned() }))
}

/// A group as the audit trail shows it, the codes of its permissions among the rest.
fn picture(tx: &Tx<'_>, group: &Group) -> Result<Picture, Error> {
    let permissions = rights(tx, group)?;
    let (name, notes) = (group.name.as_str(), group.notes.as_str());
    Ok(vec![("name", name.into()), ("notes", notes.into()), ("permissions", permissions.into())])
}

/// The group of a key, or the error that says there is none.
fn existing(tx: &Tx<'_>, key: &GroupKey) -> Result<Group, Error> {
    tx.group(key)?.ok_or_else(|| Error::not_found("group", key))
}
