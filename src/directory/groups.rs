//! Use cases about groups and who belongs to them.

use serde_json::{Value, json};

use super::Directory;
use super::access::{Actor, Deed, may, may_deal_in};
use super::audit::{self, Object};
use super::error::Error;
use super::model::{Group, GroupDraft, GroupFields, GroupId, GroupKey, Permission, Rule, User, UserKey};
use super::store::{self, Tx};
use super::users::{self, PAGE_MAX};

/// A membership that was asked for, and whether anything had to change for it.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group.
    pub group: Group,
    /// The user.
    pub user: User,
    /// `false` when it was so before.
    pub changed: bool,
}

impl Directory {
    /// Makes a group.
    pub async fn create_group(&self, actor: &Actor, draft: &GroupDraft) -> Result<Group, Error> {
        let fields = draft.parse()?;
        may(actor, Deed::CreateGroup)?;
        let name = fields.name.clone().ok_or_else(|| Error::invalid("name", &Rule::Required))?;
        let (actor, now) = (actor.clone(), self.clock.now());
        let group = Group {
            id: GroupId::UNSAVED,
            name: name.into(),
            notes: fields.notes.clone().map(String::from).unwrap_or_default(),
            users_count: 0,
            created_at: now,
            updated_at: now,
        };
        self.store
            .write(move |tx| {
                let group = Group { id: tx.insert_group(None, &group)?, ..group };
                attach(tx, &actor, &group, &fields)?;
                let made = picture(tx, &group)?;
                audit::record(tx, now, &actor, "group.create", &Object::Group(&group), made)?;
                Ok(group)
            })
            .await
    }

    /// All there is to tell about a group.
    pub async fn group_details(&self, actor: &Actor, key: &GroupKey) -> Result<GroupDetails, Error> {
        may(actor, Deed::ReadGroups)?;
        let found: Option<Group> = self.store.first(store::groups::find(key)).await?;
        let group = found.ok_or_else(|| Error::not_found("group", key))?;
        let permissions = self.store.all(store::permissions::of_group(group.id)).await?;
        Ok(GroupDetails { group, permissions })
    }

    /// A page of groups in the order of their ids, at most [`PAGE_MAX`].
    pub async fn groups(
        &self,
        actor: &Actor,
        after: Option<GroupId>,
        limit: u32,
    ) -> Result<Vec<Group>, Error> {
        may(actor, Deed::ReadGroups)?;
        self.store.all(store::groups::list(after, limit.min(PAGE_MAX).into())).await
    }

    /// Changes the fields that the draft names.
    pub async fn update_group(
        &self,
        actor: &Actor,
        key: &GroupKey,
        draft: &GroupDraft,
    ) -> Result<Group, Error> {
        let fields = draft.parse()?;
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let old = existing(tx, &key)?;
                may(&actor, Deed::UpdateGroup)?;
                let before = picture(tx, &old)?;
                let name = fields.name.clone().map_or_else(|| old.name.clone(), String::from);
                let notes = fields.notes.clone().map_or_else(|| old.notes.clone(), String::from);
                let new = Group { name, notes, updated_at: now, ..old.clone() };
                tx.update_group(&new)?;
                attach(tx, &actor, &new, &fields)?;
                let changes = audit::difference(&before, &picture(tx, &new)?);
                audit::record(tx, now, &actor, "group.update", &Object::Group(&new), changes)?;
                Ok(new)
            })
            .await
    }

    /// Removes a group; its members stay. Tells which it was.
    pub async fn delete_group(&self, actor: &Actor, key: &GroupKey) -> Result<Group, Error> {
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let group = existing(tx, &key)?;
                may(&actor, Deed::DeleteGroup)?;
                let last = picture(tx, &group)?;
                tx.delete_group(group.id)?;
                audit::record(tx, now, &actor, "group.delete", &Object::Group(&group), last)?;
                Ok(group)
            })
            .await
    }

    /// Adds a user to a group; that it belongs to it already is no error.
    pub async fn add_member(
        &self,
        actor: &Actor,
        group: &GroupKey,
        user: &UserKey,
    ) -> Result<Membership, Error> {
        self.change_member(actor, group, user, "group.add_member", |tx, group, user| {
            tx.add_member(group.id, user.id)
        })
        .await
    }

    /// Takes a user out of a group; that it does not belong to it is no error.
    pub async fn remove_member(
        &self,
        actor: &Actor,
        group: &GroupKey,
        user: &UserKey,
    ) -> Result<Membership, Error> {
        self.change_member(actor, group, user, "group.remove_member", |tx, group, user| {
            tx.remove_member(group.id, user.id)
        })
        .await
    }

    async fn change_member(
        &self,
        actor: &Actor,
        group: &GroupKey,
        user: &UserKey,
        action: &'static str,
        change: impl Fn(&Tx<'_>, &Group, &User) -> Result<bool, Error> + Send + 'static,
    ) -> Result<Membership, Error> {
        let (actor, group, user, now) = (actor.clone(), group.clone(), user.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let (group, user) = (existing(tx, &group)?, users::existing(tx, &user)?);
                may(&actor, Deed::ChangeMembers(&user))?;
                may_deal_in(&actor, &tx.codes(&store::permissions::of_group(group.id))?)?;
                let changed = change(tx, &group, &user)?;
                if changed {
                    let member = json!({ "user_id": user.id.get(), "username": user.username });
                    audit::record(tx, now, &actor, action, &Object::Group(&group), member)?;
                }
                Ok(Membership { group: existing(tx, &GroupKey::Id(group.id))?, user, changed })
            })
            .await
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

/// Gives the group exactly the permissions that the fields name. What it had and what it gets must be the
/// actor's to deal in.
fn attach(tx: &Tx<'_>, actor: &Actor, group: &Group, fields: &GroupFields) -> Result<(), Error> {
    let Some(permissions) = &fields.permissions else { return Ok(()) };
    let held = store::permissions::of_group(group.id);
    may_deal_in(actor, &tx.codes(&held)?)?;
    if let Some(none) = tx.set_group_permissions(group.id, permissions)? {
        return Err(Error::invalid("permissions", &Rule::NoSuchObject(none.get())));
    }
    Ok(may_deal_in(actor, &tx.codes(&held)?)?)
}

/// A group as the audit trail shows it, the codes of its permissions among the rest.
fn picture(tx: &Tx<'_>, group: &Group) -> Result<Value, Error> {
    let permissions = tx.codes(&store::permissions::of_group(group.id))?;
    Ok(json!({ "name": group.name, "notes": group.notes, "permissions": permissions }))
}

/// The group of a key, or the error that says there is none.
fn existing(tx: &Tx<'_>, key: &GroupKey) -> Result<Group, Error> {
    tx.group(key)?.ok_or_else(|| Error::not_found("group", key))
}
