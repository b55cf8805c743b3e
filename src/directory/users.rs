//! Use cases about users.

use std::time::Duration;

use serde_json::json;

use super::Directory;
use super::access::{Actor, Deed, Who, may, may_deal_in};
use super::audit::{self, Object, Picture};
use super::error::{Denial, Error};
use super::model::{
    Expected, Faults, Group, Moment, Permission, Rule, User, UserDraft, UserFields, UserId, UserKey, Version,
};
use super::password::{Owner, Password, UNUSABLE};
use super::recycle_bin::take_away;
use super::store::{self, Tx};

/// The most rows one page of a list holds.
pub const PAGE_MAX: u32 = 1000;

impl Directory {
    /// Makes a user. Without a password it cannot sign in with one.
    pub async fn create_user(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        password: Option<Password>,
    ) -> Result<User, Error> {
        let fields = draft.parse()?;
        may(actor, Deed::CreateUser(&fields))?;
        let username = fields.username.clone().ok_or_else(|| Error::invalid("username", &Rule::Required))?;
        let (actor, now) = (actor.clone(), self.clock.now());
        let new = with(&blank(username.into(), now), &fields, now);
        let hash = match password {
            Some(password) => self.hasher.encode(&self.clock, password, Owner::new(&new)).await?,
            None => UNUSABLE.to_owned(),
        };
        self.store.write(move |tx| create(tx, now, &actor, &fields, &hash)).await
    }

    /// The user of an id or name.
    pub async fn user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        may(actor, Deed::ReadUsers)?;
        self.existing(key).await
    }

    /// All there is to tell about a user.
    pub async fn user_details(&self, actor: &Actor, key: &UserKey) -> Result<UserDetails, Error> {
        let user = self.user(actor, key).await?;
        self.user_details_of_written(user).await
    }

    /// The same about a user that the asker has just written, for which no right to read is needed.
    pub async fn user_details_of_written(&self, user: User) -> Result<UserDetails, Error> {
        let groups = match user.groups.is_empty() {
            true => Vec::new(),
            false => self.store.few(store::groups::of_user(user.id)).await?,
        };
        let held = self.store.few(store::permissions::held(user.id)).await?;
        let held = store::permissions::each_once(held);
        let own = held.iter().filter(|held| held.is_own).map(|held| held.permission.clone()).collect();
        let all = held.into_iter().map(|held| held.permission).collect();
        Ok(UserDetails { user, groups, permissions: own, effective_permissions: all })
    }

    /// Changes the fields that the draft names, and the password when one is given.
    pub async fn update_user(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        password: Option<Password>,
    ) -> Result<User, Error> {
        self.update_user_if(actor, key, draft, password, Expected::Any).await
    }

    /// The same, unless the user is in another state than expected.
    pub async fn update_user_if(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        password: Option<Password>,
        expected: Expected,
    ) -> Result<User, Error> {
        let fields = draft.parse()?;
        let (key, hash) = match password {
            Some(password) => {
                // Asked before a slow hash is paid for, and again on what the transaction finds.
                let target = self.existing(key).await?;
                may(actor, Deed::UpdateUser(&target, &fields))?;
                let owner = Owner::new(&with(&target, &fields, self.clock.now()));
                let hash = self.hasher.encode(&self.clock, password, owner).await?;
                (UserKey::Id(target.id), Some(hash))
            }
            None => (key.clone(), None),
        };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store.write(move |tx| update(tx, now, &actor, &key, &fields, hash.as_deref(), &expected)).await
    }

    /// Changes fields of the actor's own record.
    pub async fn update_self(&self, actor: &Actor, draft: &UserDraft) -> Result<User, Error> {
        let fields = draft.parse()?;
        may(actor, Deed::UpdateSelf(&fields))?;
        let (key, actor, now) = (own_key(actor)?, actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let old = whole(tx, &key)?;
                let new = Whole { user: with(&old.user, &fields, now), codes: old.codes.clone() };
                save(tx, now, &actor, &old, new)
            })
            .await
    }

    /// Replaces a user's password.
    pub async fn set_password(
        &self,
        actor: &Actor,
        key: &UserKey,
        password: Password,
    ) -> Result<User, Error> {
        let target = self.existing(key).await?;
        may(actor, Deed::SetPassword(&target))?;
        let hash = self.hasher.encode(&self.clock, password, Owner::new(&target)).await?;
        let (actor, key, now) = (actor.clone(), UserKey::Id(target.id), self.clock.now());
        self.store
            .write(move |tx| {
                let user = existing(tx, &key)?;
                may(&actor, Deed::SetPassword(&user))?;
                may_deal_in(&actor, &tx.rights(user.id)?)?;
                write_password(tx, now, &actor, &user, &hash)?;
                existing(tx, &key)
            })
            .await
    }

    /// The user of a key, whoever asks; the use case decides what may be done with it.
    pub(super) async fn existing(&self, key: &UserKey) -> Result<User, Error> {
        let user = self.store.first(store::users::find(key)).await?;
        user.ok_or_else(|| Error::not_found("user", key))
    }

    /// Removes a user with its tokens, and keeps the rest in the recycle bin for a time; tells who it was.
    pub async fn delete_user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        self.delete_user_if(actor, key, Expected::Any).await
    }

    /// The same, unless the user is in another state than expected.
    pub async fn delete_user_if(
        &self,
        actor: &Actor,
        key: &UserKey,
        expected: Expected,
    ) -> Result<User, Error> {
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        let kept_for = self.keep_deleted_for;
        self.store.write(move |tx| remove(tx, now, &actor, &key, &expected, kept_for)).await
    }
}

/// A user with its groups and permissions.
#[derive(Clone, Debug)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// The groups it belongs to.
    pub groups: Vec<Group>,
    /// The permissions attached to it.
    pub permissions: Vec<Permission>,
    /// The permissions it holds, those of its groups among them.
    pub effective_permissions: Vec<Permission>,
}

/// A user with the codes of the permissions attached to it: all that a change can write.
pub(super) struct Whole {
    pub(super) user: User,
    pub(super) codes: Vec<i64>,
}

impl Whole {
    /// All of it, as the audit trail shows it.
    pub(super) fn picture(&self) -> Picture {
        picture(&self.user, &self.codes)
    }
}

/// Makes a user of fields that the actor may write.
pub(super) fn create(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    fields: &UserFields,
    hash: &str,
) -> Result<User, Error> {
    let username = fields.username.clone().ok_or_else(|| Error::invalid("username", &Rule::Required))?;
    let new = with(&blank(username.into(), now), fields, now);
    keep_unique(tx, &new)?;
    let id = tx.insert_user(None, &new, hash)?;
    attach(tx, id, fields)?;
    may_deal_in(actor, &tx.rights(id)?)?;
    let made = whole(tx, &UserKey::Id(id))?;
    audit::record(tx, now, actor, "user.create", &Object::User(&made.user), audit::whole(made.picture()))?;
    Ok(made.user)
}

/// Takes a user away, if the actor may.
pub(super) fn remove(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    key: &UserKey,
    expected: &Expected,
    kept_for: Duration,
) -> Result<User, Error> {
    let last = whole(tx, key)?;
    may(actor, Deed::DeleteUser(&last.user))?;
    keep_current(&last, expected)?;
    if last.user.is_admin && last.user.is_active {
        keep_an_admin(tx, last.user.id)?;
    }
    take_away(tx, now, actor, &last.user, kept_for)?;
    audit::record(tx, now, actor, "user.delete", &Object::User(&last.user), audit::whole(last.picture()))?;
    Ok(last.user)
}

pub(super) fn update(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    key: &UserKey,
    fields: &UserFields,
    hash: Option<&str>,
    expected: &Expected,
) -> Result<User, Error> {
    let before = whole(tx, key)?;
    let old = &before.user;
    may(actor, Deed::UpdateUser(old, fields))?;
    keep_current(&before, expected)?;
    let mut new = Whole { user: with(old, fields, now), codes: before.codes.clone() };
    if old.is_admin && old.is_active && !(new.user.is_admin && new.user.is_active) {
        keep_an_admin(tx, old.id)?;
    }
    if fields.change_rights() || fields.change_identity() || hash.is_some() {
        may_deal_in(actor, &tx.rights(old.id)?)?;
    }
    if fields.groups.is_some() || fields.permissions.is_some() {
        attach(tx, old.id, fields)?;
        may_deal_in(actor, &tx.rights(old.id)?)?;
        let attached = whole(tx, key)?;
        new = Whole { user: User { groups: attached.user.groups, ..new.user }, codes: attached.codes };
    }
    let new = save(tx, now, actor, &before, new)?;
    if let Some(hash) = hash {
        write_password(tx, now, actor, &new, hash)?;
    }
    Ok(new)
}

/// Writes a changed user, whose groups and permissions are written already, with its event; the user as it is then.
fn save(tx: &Tx<'_>, now: Moment, actor: &Actor, before: &Whole, new: Whole) -> Result<User, Error> {
    let unique = |Whole { user, .. }: &Whole| {
        [Some(&user.username), user.mobile_number.as_ref(), user.email.as_ref()]
            .map(Option::<&String>::cloned)
    };
    if unique(before) != unique(&new) {
        keep_unique(tx, &new.user)?;
    }
    tx.update_user(&new.user, Some(&before.user))?;
    let changes = audit::difference(before.picture(), new.picture());
    audit::record(tx, now, actor, "user.update", &Object::User(&new.user), changes)?;
    Ok(new.user)
}

impl UserDetails {
    /// The version of what is written about the user.
    pub fn version(&self) -> Version {
        let codes: Vec<_> = self.permissions.iter().map(|permission| permission.code).collect();
        version(&self.user, &codes)
    }
}

fn version(user: &User, codes: &[i64]) -> Version {
    Version::of(&(picture(user, codes), &user.avatar, user.updated_at.as_micros()))
}

/// Refuses a change that was made from an older state.
fn keep_current(Whole { user, codes }: &Whole, expected: &Expected) -> Result<(), Error> {
    if expected.holds(|| Ok::<_, Error>(version(user, codes)))? { Ok(()) } else { Err(Error::Stale("user")) }
}

/// A user as the audit trail shows it, the codes of its own permissions among the rest.
fn picture(user: &User, codes: &[i64]) -> Picture {
    vec![
        ("username", user.username.as_str().into()),
        ("mobile_number", user.mobile_number.as_deref().into()),
        ("email", user.email.as_deref().into()),
        ("first_name", user.first_name.as_str().into()),
        ("last_name", user.last_name.as_str().into()),
        ("gender", user.gender.as_deref().into()),
        ("is_active", user.is_active.into()),
        ("is_staff", user.is_staff.into()),
        ("is_admin", user.is_admin.into()),
        ("groups", user.groups.iter().map(|group| group.get()).collect()),
        ("permissions", codes.into()),
    ]
}

pub(super) fn write_password(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    user: &User,
    hash: &str,
) -> Result<(), Error> {
    tx.set_password(user.id, hash, now)?;
    audit::record(tx, now, actor, "user.set_password", &Object::User(user), json!({}))
}

/// Gives the user exactly the groups and permissions that the fields name.
fn attach(tx: &Tx<'_>, id: UserId, fields: &UserFields) -> Result<(), Error> {
    let missing = |field: &str, id: i64| Error::invalid(field, &Rule::NoSuchObject(id));
    if let Some(groups) = &fields.groups
        && let Some(none) = tx.set_groups(id, groups)?
    {
        return Err(missing("groups", none.get()));
    }
    if let Some(permissions) = &fields.permissions
        && let Some(none) = tx.set_user_permissions(id, permissions)?
    {
        return Err(missing("permissions", none.get()));
    }
    Ok(())
}

/// The key of the person that acts.
pub fn own_key(actor: &Actor) -> Result<UserKey, Error> {
    match &actor.who {
        Who::Person(identity) => Ok(UserKey::Id(identity.user.id)),
        Who::Operator(_) | Who::Anonymous => Err(Error::not_found("user", "behind this actor")),
    }
}

/// The user of a key, or the error that says there is none.
pub(super) fn existing(tx: &Tx<'_>, key: &UserKey) -> Result<User, Error> {
    tx.user(key)?.ok_or_else(|| Error::not_found("user", key))
}

/// The same with the codes of its own permissions.
pub(super) fn whole(tx: &Tx<'_>, key: &UserKey) -> Result<Whole, Error> {
    tx.whole_user(key)?.ok_or_else(|| Error::not_found("user", key))
}

/// Tells every unique field that somebody else has. The constraints would tell one, and not the same on
/// both databases; they stay as the net below.
pub(super) fn keep_unique(tx: &Tx<'_>, user: &User) -> Result<(), Error> {
    let mut faults = Faults::default();
    for field in tx.taken(user)? {
        faults.add(&field, &Rule::Taken { noun: "user", field: field.clone() });
    }
    Ok(faults.none()?)
}

/// The last active admin stays. Writes come one after the other, so two cannot both see the other.
fn keep_an_admin(tx: &Tx<'_>, leaving: UserId) -> Result<(), Error> {
    if tx.other_admin_than(leaving)? { Ok(()) } else { Err(Denial::LastAdmin.into()) }
}

/// A new user of whom only the name is known. Its id is the database's to give.
fn blank(username: String, now: Moment) -> User {
    User {
        id: UserId::UNSAVED,
        username,
        mobile_number: None,
        email: None,
        avatar: None,
        first_name: String::new(),
        last_name: String::new(),
        gender: None,
        is_active: true,
        is_staff: false,
        is_admin: false,
        last_login: None,
        last_seen_at: None,
        created_at: now,
        updated_at: now,
        groups: Vec::new(),
    }
}

/// `old` with every field that `fields` names replaced.
fn with(old: &User, fields: &UserFields, now: Moment) -> User {
    let fields = fields.clone();
    let text = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
    User {
        username: text(fields.username.map(String::from), &old.username),
        mobile_number: replaced(fields.mobile_number, &old.mobile_number),
        email: replaced(fields.email, &old.email),
        first_name: text(fields.first_name.map(String::from), &old.first_name),
        last_name: text(fields.last_name.map(String::from), &old.last_name),
        gender: replaced(
            fields.gender.map(|gender| gender.map(|gender| gender.as_str().to_owned())),
            &old.gender,
        ),
        is_active: fields.is_active.unwrap_or(old.is_active),
        is_staff: fields.is_staff.unwrap_or(old.is_staff),
        is_admin: fields.is_admin.unwrap_or(old.is_admin),
        updated_at: now,
        ..old.clone()
    }
}

fn replaced<T: Into<String>>(new: Option<Option<T>>, old: &Option<String>) -> Option<String> {
    match new {
        Some(new) => new.map(Into::into),
        None => old.clone(),
    }
}
