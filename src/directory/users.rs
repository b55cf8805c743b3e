//! Use cases about users.

use serde_json::json;

use super::Directory;
use super::access::{Actor, Deed, may};
use super::audit::{self, Object};
use super::error::{Denial, Error};
use super::model::{Faults, Moment, Rule, User, UserDraft, UserFields, UserId, UserKey};
use super::password::{Password, UNUSABLE};
pub use super::store::users::UserFilter;
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
        let hash = match password {
            Some(password) => self.hasher.encode(&self.clock, password).await?,
            None => UNUSABLE.to_owned(),
        };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let new = with(&blank(username.into(), now), &fields, now);
                keep_unique(tx, &new)?;
                let id = tx.insert_user(None, &new, &hash)?;
                let user = existing(tx, &UserKey::Id(id))?;
                audit::record(tx, now, &actor, "user.create", &Object::User(&user), audit::of_user(&user))?;
                Ok(user)
            })
            .await
    }

    /// The user of an id or name.
    pub async fn user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        may(actor, Deed::ReadUsers)?;
        let user = self.store.first(store::users::find(key)).await?;
        user.ok_or_else(|| Error::not_found("user", key))
    }

    /// A page of users in the order of their ids, at most [`PAGE_MAX`].
    pub async fn users(&self, actor: &Actor, filter: &UserFilter, limit: u32) -> Result<Vec<User>, Error> {
        may(actor, Deed::ReadUsers)?;
        self.store.all(store::users::list(filter, limit.min(PAGE_MAX).into())).await
    }

    /// Changes the fields that the draft names.
    pub async fn update_user(&self, actor: &Actor, key: &UserKey, draft: &UserDraft) -> Result<User, Error> {
        let fields = draft.parse()?;
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let old = existing(tx, &key)?;
                may(&actor, Deed::UpdateUser(&old, &fields))?;
                let new = with(&old, &fields, now);
                if old.is_admin && old.is_active && !(new.is_admin && new.is_active) {
                    keep_an_admin(tx, old.id)?;
                }
                keep_unique(tx, &new)?;
                tx.update_user(&new)?;
                let changes = audit::difference(&audit::of_user(&old), &audit::of_user(&new));
                audit::record(tx, now, &actor, "user.update", &Object::User(&new), changes)?;
                Ok(new)
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
        may(actor, Deed::SetPassword(&self.user(actor, key).await?))?;
        let hash = self.hasher.encode(&self.clock, password).await?;
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let user = existing(tx, &key)?;
                may(&actor, Deed::SetPassword(&user))?;
                tx.set_password(user.id, &hash, now)?;
                audit::record(tx, now, &actor, "user.set_password", &Object::User(&user), json!({}))?;
                existing(tx, &key)
            })
            .await
    }

    /// Removes a user with its tokens, memberships and permissions; tells who it was.
    pub async fn delete_user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        let (actor, key, now) = (actor.clone(), key.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let user = existing(tx, &key)?;
                may(&actor, Deed::DeleteUser(&user))?;
                if user.is_admin && user.is_active {
                    keep_an_admin(tx, user.id)?;
                }
                tx.delete_user(user.id)?;
                audit::record(tx, now, &actor, "user.delete", &Object::User(&user), audit::of_user(&user))?;
                Ok(user)
            })
            .await
    }
}

/// The user of a key, or the error that says there is none.
pub(super) fn existing(tx: &Tx<'_>, key: &UserKey) -> Result<User, Error> {
    tx.user(key)?.ok_or_else(|| Error::not_found("user", key))
}

/// Tells every unique field that somebody else has. The constraints would tell one, and not the same on
/// both databases; they stay as the net below.
fn keep_unique(tx: &Tx<'_>, user: &User) -> Result<(), Error> {
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
