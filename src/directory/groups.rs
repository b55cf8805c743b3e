//! Use cases about groups and their members.

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Members, Rights, authorize, may_take_binned_names};
use super::audit::{self, AuditObject, AuditSnapshot};
use super::change::{Change, Written};
use super::error::Error;
use super::model::{
    Expected, Group, GroupDraft, GroupFields, GroupId, GroupKey, Permission, User, UserId, UserKey, Version,
    Violation,
};
use super::query::PAGE_MAX;
use super::store::{self, Tx};
use super::unique_values::UniqueValues;

/// The most members that one call adds or removes.
pub(super) const MEMBERS_MAX: usize = 1000;

/// How the members of a group change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Users are added.
    Add,
    /// Users are removed.
    Remove,
}

/// A group after its members were changed, and the users that the change concerned.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group.
    pub group: Group,
    /// The users that were added or removed.
    pub changed: Vec<User>,
}

impl Directory {
    /// Creates a group.
    pub async fn create_group(&self, actor: &Actor, draft: &GroupDraft) -> Result<Written<Group>, Error> {
        let fields = draft.parse()?;
        authorize(actor, Action::CreateGroup(&Rights::none()))?;
        let name = fields.name.clone().ok_or_else(|| Error::invalid("name", &Violation::Required))?;
        let notes = match fields.notes.clone() {
            Some(notes) => notes.map(String::from),
            None => Some(String::new()),
        };
        self.change_unique(actor, UniqueValues::Others, move |change| {
            let Change { tx, now, .. } = *change;
            let (name, notes) = (name.clone().into(), notes.clone());
            let new =
                Group { id: GroupId::UNSAVED, name, notes, users_count: 0, created_at: now, updated_at: now };
            check_name_free(change, &new)?;
            let group = Group { id: tx.insert_group(None, &new, true)?, ..new };
            attach(tx, &group, &fields)?;
            change.check(Action::CreateGroup(&rights(tx, &group)?.into()))?;
            let made = audit::all_fields(snapshot(tx, &group)?);
            audit::record(change, "group.create", &AuditObject::Group(&group), made)?;
            Ok(change.written(group, Action::ReadGroups))
        })
        .await
    }

    /// Returns a group with its permissions.
    pub async fn group_details(&self, actor: &Actor, key: &GroupKey) -> Result<GroupDetails, Error> {
        authorize(actor, Action::ReadGroups)?;
        let group = self.existing_group(key).await?;
        self.group_details_of_written(group).await
    }

    /// Returns the group of a key, for any actor. The use case checks the rights.
    async fn existing_group(&self, key: &GroupKey) -> Result<Group, Error> {
        let found: Option<Group> = self.store.first(store::groups::find(key)).await?;
        found.ok_or_else(|| Error::not_found("group", key))
    }

    /// Returns the same about a group that the caller has just written, which needs no right to read.
    pub async fn group_details_of_written(&self, group: Group) -> Result<GroupDetails, Error> {
        let permissions = self.store.point_read(store::permissions::of_group(group.id)).await?;
        Ok(GroupDetails { group, permissions })
    }

    /// Returns members of a group, ordered by id: the first ones after an id. Each page costs the same, however many members
    /// there are.
    pub async fn members(
        &self,
        actor: &Actor,
        group: GroupId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>, Error> {
        authorize(actor, Action::ReadGroups)?;
        authorize(actor, Action::ReadUsers)?;
        self.store.all(store::users::members(group, after, limit.min(PAGE_MAX + 1))).await
    }

    /// Changes the fields of the draft.
    pub async fn update_group(
        &self,
        actor: &Actor,
        key: &GroupKey,
        draft: &GroupDraft,
    ) -> Result<Written<Group>, Error> {
        self.update_group_if(actor, key, draft, Expected::Any).await
    }

    /// Does the same, unless the group's state is not the expected one.
    pub async fn update_group_if(
        &self,
        actor: &Actor,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> Result<Written<Group>, Error> {
        if let Err(errors) = draft.parse() {
            // A value that was imported may be sent back as it is.
            if authorize(actor, Action::ReadGroups).is_err() {
                return Err(errors.into());
            }
            draft.without_held(&self.existing_group(key).await?).parse()?;
        }
        let (draft, key) = (draft.clone(), key.clone());
        // Permissions are written before the name is checked.
        let values =
            if draft.permissions.is_some() { UniqueValues::OthersAfterWrites } else { UniqueValues::Others };
        self.change_unique(actor, values, move |change| {
            let tx = change.tx;
            let old = tx.existing_group(&key)?;
            let fields = changing(change, &old, &draft)?;
            let before = snapshot(tx, &old)?;
            let held = match fields.concern_rights() {
                true => rights(tx, &old)?,
                false => Vec::new(),
            };
            change.check(Action::UpdateGroup(&old, &fields, &Rights::concerned(&held, &[])))?;
            check_version(tx, &old, &expected)?;
            let name = fields.name.clone().map_or_else(|| old.name.clone(), String::from);
            let notes = fields.notes.clone().map_or_else(|| old.notes.clone(), |new| new.map(String::from));
            let new = Group { name, notes, updated_at: change.now, ..old.clone() };
            if fields.permissions.is_some() {
                attach(tx, &new, &fields)?;
                change.check(Action::UpdateGroup(
                    &old,
                    &fields,
                    &Rights::concerned(&held, &rights(tx, &new)?),
                ))?;
            }
            let after = snapshot(tx, &new)?;
            if before == after {
                return Ok(change.written(old, Action::ReadGroups));
            }
            if new.name != old.name {
                check_name_free(change, &new)?;
            }
            tx.update_group(&new)?;
            let changes = audit::difference(before, after);
            audit::record(change, "group.update", &AuditObject::Group(&new), changes)?;
            Ok(change.written(new, Action::ReadGroups))
        })
        .await
    }

    /// Removes a group, keeps it in the recycle bin for a time, and returns it. Its members stay.
    pub async fn delete_group(&self, actor: &Actor, key: &GroupKey) -> Result<Group, Error> {
        self.delete_group_if(actor, key, Expected::Any).await
    }

    /// Does the same, unless the group's state is not the expected one.
    pub async fn delete_group_if(
        &self,
        actor: &Actor,
        key: &GroupKey,
        expected: Expected,
    ) -> Result<Group, Error> {
        let key = key.clone();
        self.change(actor, move |change| remove(change, &key, &expected)).await
    }

    /// Adds users to a group or removes them, all or none. Users that are members already, or are not, are not an error.
    pub async fn change_members(
        &self,
        actor: &Actor,
        group: &GroupKey,
        users: &[UserKey],
        kind: MemberChange,
    ) -> Result<Written<Membership>, Error> {
        if users.len() > MEMBERS_MAX {
            let message = format!("Ensure this field has no more than {MEMBERS_MAX} elements.");
            return Err(Error::invalid("users", &Violation::Other(message)));
        }
        let (group, users) = (group.clone(), users.to_vec());
        self.change(actor, move |change| {
            let tx = change.tx;
            let group = tx.existing_group(&group)?;
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
                audit::record(change, kind.action(), &AuditObject::Group(&group), members)?;
            }
            let group = tx.existing_group(&GroupKey::Id(group.id))?;
            Ok(change.written(Membership { group, changed }, Action::ReadGroups))
        })
        .await
    }
}

impl MemberChange {
    /// Makes the change for one user. Returns whether it changed anything.
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

/// Removes a group, if the actor may.
pub(super) fn remove(change: &Change<'_, '_>, key: &GroupKey, expected: &Expected) -> Result<Group, Error> {
    let tx = change.tx;
    change.check_deletion()?;
    let group = tx.existing_group(key)?;
    let members = Members {
        are_any: group.users_count > 0,
        have_admin: tx.has_admin_member(group.id)?,
        have_actor: false,
    };
    change.check(Action::DeleteGroup(&group, members, &rights(tx, &group)?.into()))?;
    check_version(tx, &group, expected)?;
    let last = audit::all_fields(snapshot(tx, &group)?);
    if change.policy.keep_deleted_for.is_zero() {
        tx.delete_group(group.id)?;
    } else {
        tx.bin_group(&group, change.now, change.actor_name())?;
    }
    audit::record(change, "group.delete", &AuditObject::Group(&group), last)?;
    Ok(group)
}

/// Returns a user of a list of members. An unknown id is an error of the list.
fn member(tx: &Tx<'_>, key: &UserKey) -> Result<User, Error> {
    match (tx.user(key)?, key) {
        (Some(user), _) => Ok(user),
        (None, UserKey::Id(id)) => Err(Error::invalid("users", &Violation::NoSuchObject(id.get()))),
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
    /// Returns the version of the group.
    pub fn version(&self) -> Version {
        let codes: Vec<_> = self.permissions.iter().map(|permission| permission.code).collect();
        version(&self.group, &codes)
    }
}

fn version(group: &Group, codes: &[i64]) -> Version {
    Version::of(&(group.id.get(), &group.name, &group.notes, codes, group.updated_at.as_micros()))
}

/// Returns [`Error::Stale`] if a change was made from an older state.
fn check_version(tx: &Tx<'_>, group: &Group, expected: &Expected) -> Result<(), Error> {
    let present = || Ok::<_, Error>(version(group, &rights(tx, group)?));
    if expected.holds(present)? { Ok(()) } else { Err(Error::Stale("group")) }
}

/// Parses those fields of a draft that change the group. For an actor who may not read groups, every field counts as a
/// change: otherwise a right guess would be no change, and show what the group has.
fn changing(change: &Change<'_, '_>, group: &Group, draft: &GroupDraft) -> Result<GroupFields, Error> {
    if change.check(Action::ReadGroups).is_err() {
        return Ok(draft.parse()?);
    }
    let mut fields = draft.without_held(group).parse()?;
    fields.name = fields.name.filter(|new| String::from(new.clone()) != group.name);
    if let Some(permissions) = &fields.permissions
        && change.tx.has_permissions(&store::permissions::of_group(group.id), permissions)?
    {
        fields.permissions = None;
    }
    Ok(fields)
}

/// Sets the permissions of the group to those of the fields.
fn attach(tx: &Tx<'_>, group: &Group, fields: &GroupFields) -> Result<(), Error> {
    let Some(permissions) = &fields.permissions else { return Ok(()) };
    match tx.set_group_permissions(group.id, permissions)? {
        Some(none) => Err(Error::invalid("permissions", &Violation::NoSuchObject(none.get()))),
        None => Ok(()),
    }
}

/// Returns the codes of the rights that a group gives.
fn rights(tx: &Tx<'_>, group: &Group) -> Result<Vec<i64>, Error> {
    tx.codes(&store::permissions::of_group(group.id))
}

/// Checks that no other group has this name. The name of a deleted group stays reserved while the group can be restored,
/// except from admins. The constraint of the database remains as a safety net.
fn check_name_free(change: &Change<'_, '_>, group: &Group) -> Result<(), Error> {
    let is_reserved = || match may_take_binned_names(&change.actor) {
        true => Ok(false),
        false => change.tx.is_group_name_reserved(&group.name, change.bin_since()),
    };
    check_name(change, group, is_reserved)
}

/// Checks that no other group has the name of a group that is restored.
pub(super) fn check_name_returns(change: &Change<'_, '_>, group: &Group) -> Result<(), Error> {
    check_name(change, group, || Ok(false))
}

fn check_name(
    change: &Change<'_, '_>,
    group: &Group,
    is_reserved: impl Fn() -> Result<bool, Error>,
) -> Result<(), Error> {
    change.check_taken_limit()?;
    if !change.tx.is_group_name_taken(group)? && !is_reserved()? {
        return Ok(());
    }
    change.taken.add("name");
    Err(Error::invalid("name", &Violation::Taken { noun: "group", field: "name".to_owned() }))
}

/// Returns the fields of a group that the audit trail shows, with the codes of its permissions.
pub(super) fn snapshot(tx: &Tx<'_>, group: &Group) -> Result<AuditSnapshot, Error> {
    let permissions = rights(tx, group)?;
    let (name, notes) = (group.name.as_str(), group.notes.as_deref());
    Ok(vec![("name", name.into()), ("notes", notes.into()), ("permissions", permissions.into())])
}
