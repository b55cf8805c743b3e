//! Use cases about users.

mod rules;

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, Rights, Who, authorize};
use super::audit::{self, Object, Picture};
use super::change::{Change, Written};
use super::error::Error;
use super::guard::taken::Names;
use super::model::{
    Expected, Group, Permission, Rule, Timestamp, User, UserDraft, UserFields, UserId, UserKey, UserState,
    Version,
};

use super::password::{Owner, Password, UNUSABLE};
use super::recycle_bin::take_away;
use super::store::{self, Tx};
use super::tokens;

pub(super) use self::rules::{Proven, check_returning};
use self::rules::{check_new_values, check_proof, keep_an_admin};

impl Directory {
    /// Makes a user. Without a password it cannot sign in with one.
    pub async fn create_user(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        password: Option<Password>,
    ) -> Result<Written<User>, Error> {
        let fields = draft.parse()?;
        // Asked before a slow hash is paid for, and again with the rights in question in the transaction.
        authorize(actor, Action::CreateUser(&fields, &Rights::none()))?;
        let new = new(&fields, self.clock.now())?;
        let hash = match password {
            Some(password) => {
                self.hasher.encode(self.place(actor)?, &self.clock, password, Owner::new(&new)).await?
            }
            None => UNUSABLE.to_owned(),
        };
        self.change_names(actor, Names::Others, move |change| {
            let user = create(change, &fields, &hash)?;
            Ok(change.written(user, Action::ReadUsers))
        })
        .await
    }

    /// The user of an id or name.
    pub async fn user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        authorize(actor, Action::ReadUsers)?;
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
            false => self.store.point_read(store::groups::of_user(user.id)).await?,
        };
        let held = self.store.point_read(store::permissions::held(user.id)).await?;
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
        passwords: impl Into<Passwords>,
    ) -> Result<Written<User>, Error> {
        self.update_user_if(actor, key, draft, passwords, Expected::Any).await
    }

    /// The same, unless the user is in another state than expected. A person's own password changes only with the
    /// present one beside it.
    pub async fn update_user_if(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        passwords: impl Into<Passwords>,
        expected: Expected,
    ) -> Result<Written<User>, Error> {
        let fields = draft.parse()?;
        // Groups and permissions are written first.
        let is_late = fields.groups.is_some() || fields.permissions.is_some();
        let names = if is_late { Names::OthersLate } else { Names::Others };
        let Passwords { new, present } = passwords.into();
        if new.is_none() && present.is_none() {
            let key = key.clone();
            let work = move |change: &Change<'_, '_>| {
                let user = update(change, &key, &fields, &expected, Proven::NONE)?;
                Ok(change.written(user, Action::ReadUsers))
            };
            return self.change_names(actor, names, work).await;
        }
        // Asked before slow hashes are paid for, and again on what the transaction finds.
        let target = self.existing(key).await?;
        let rights = self.rights(target.id).await?;
        authorize(actor, Action::UpdateUser(&target, &fields, &rights))?;
        let proof = self.prove_own(actor, &target, new.is_some(), present).await?;
        let hash = match new {
            Some(new) => {
                let owner = Owner::new(&with(&target, &fields, self.clock.now()));
                Some(self.hasher.encode(self.place(actor)?, &self.clock, new, owner).await?)
            }
            None => None,
        };
        let key = UserKey::Id(target.id);
        self.change_names(actor, names, move |change| {
            let proven = Proven { hash: hash.as_deref(), proof: proof.as_ref() };
            let user = update(change, &key, &fields, &expected, proven)?;
            Ok(change.written(user, Action::ReadUsers))
        })
        .await
    }

    /// Changes fields of the actor's own record. `present` is the present password, for settings that ask for it.
    pub async fn update_self(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        present: Option<Password>,
    ) -> Result<User, Error> {
        let fields = draft.parse()?;
        authorize(actor, Action::UpdateSelf(&fields))?;
        let (key, own) = (own_key(actor)?, own_user(actor)?.clone());
        let proof = self.prove_own(actor, &own, false, present).await?;
        self.change_names(actor, Names::Own, move |change| {
            change.check(Action::UpdateSelf(&fields))?;
            let old = whole(change.tx, &key)?;
            let new = UserState { user: with(&old.user, &fields, change.now), codes: old.codes.clone() };
            check_proof(change, &old.user, &new.user, Proven { hash: None, proof: proof.as_ref() })?;
            save(change, old, new)
        })
        .await
    }

    /// Replaces the password of somebody else; of one's own only at the command line.
    pub async fn set_password(
        &self,
        actor: &Actor,
        key: &UserKey,
        password: Password,
    ) -> Result<Written<User>, Error> {
        self.update_user(actor, key, &UserDraft::default(), Some(password)).await
    }

    /// The rights that a user holds now.
    async fn rights(&self, user: UserId) -> Result<Rights, Error> {
        let held =
            store::permissions::each_once(self.store.point_read(store::permissions::held(user)).await?);
        Ok(held.into_iter().map(|held| held.permission.code).collect::<Vec<_>>().into())
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
        let key = key.clone();
        self.change(actor, move |change| remove(change, &key, &expected)).await
    }
}

/// The passwords that come with a change of a user.
#[derive(Default)]
pub struct Passwords {
    /// The new one.
    pub new: Option<Password>,
    /// The present one, which a person's own new password needs.
    pub present: Option<Password>,
}

impl From<Option<Password>> for Passwords {
    fn from(new: Option<Password>) -> Self {
        Self { new, present: None }
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

/// Makes a user of fields that the actor may write.
pub(super) fn create(change: &Change<'_, '_>, fields: &UserFields, hash: &str) -> Result<User, Error> {
    let tx = change.tx;
    let new = new(fields, change.now)?;
    check_new_values(change, None, &new)?;
    let id = tx.insert_user(None, &new, hash)?;
    attach(tx, id, fields)?;
    change.check(Action::CreateUser(fields, &tx.rights(id)?.into()))?;
    let made = whole(tx, &UserKey::Id(id))?;
    audit::record(
        change,
        "user.create",
        &Object::User(&made.user),
        audit::whole(picture(&made.user, &made.codes)),
    )?;
    Ok(made.user)
}

/// Takes a user away, if the actor may.
pub(super) fn remove(change: &Change<'_, '_>, key: &UserKey, expected: &Expected) -> Result<User, Error> {
    let tx = change.tx;
    let last = whole(tx, key)?;
    change.check(Action::DeleteUser(&last.user, &tx.rights(last.user.id)?.into()))?;
    keep_current(&last, expected)?;
    if last.user.is_admin && last.user.is_active {
        keep_an_admin(tx, last.user.id)?;
    }
    take_away(change, &last.user)?;
    audit::record(
        change,
        "user.delete",
        &Object::User(&last.user),
        audit::whole(picture(&last.user, &last.codes)),
    )?;
    Ok(last.user)
}

/// Changes a user, if the actor may.
pub(super) fn update(
    change: &Change<'_, '_>,
    key: &UserKey,
    fields: &UserFields,
    expected: &Expected,
    proven: Proven<'_>,
) -> Result<User, Error> {
    let (tx, hash) = (change.tx, proven.hash);
    let before = whole(tx, key)?;
    let old = &before.user;
    let rights = match fields.concern_rights() || hash.is_some() {
        true => tx.rights(old.id)?,
        false => Vec::new(),
    };
    change.check(Action::UpdateUser(old, fields, &Rights::concerned(&rights, &[])))?;
    keep_current(&before, expected)?;
    let mut new = UserState { user: with(old, fields, change.now), codes: before.codes.clone() };
    check_proof(change, old, &new.user, proven)?;
    if old.is_admin && old.is_active && !(new.user.is_admin && new.user.is_active) {
        keep_an_admin(tx, old.id)?;
    }
    if fields.groups.is_some() || fields.permissions.is_some() {
        attach(tx, old.id, fields)?;
        change.check(Action::UpdateUser(old, fields, &Rights::concerned(&rights, &tx.rights(old.id)?)))?;
        let attached = whole(tx, key)?;
        new = UserState { user: User { groups: attached.user.groups, ..new.user }, codes: attached.codes };
    }
    let mut new = save(change, before, new)?;
    if let Some(hash) = hash {
        write_password(change, &new, hash)?;
        new.updated_at = change.now;
    }
    if fields.sign_out {
        tokens::end_all(change, &new)?;
    }
    Ok(new)
}

/// Writes a changed user, whose groups and permissions are written already, with its event; the user as it is then.
/// A change of nothing is none: it writes nothing, and leaves no event.
fn save(change: &Change<'_, '_>, before: UserState, new: UserState) -> Result<User, Error> {
    let (old, now) = (picture(&before.user, &before.codes), picture(&new.user, &new.codes));
    if old == now {
        return Ok(before.user);
    }
    check_new_values(change, Some(&before.user), &new.user)?;
    change.tx.update_user(&new.user, Some(&before.user))?;
    audit::record(change, "user.update", &Object::User(&new.user), audit::difference(old, now))?;
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
fn keep_current(UserState { user, codes }: &UserState, expected: &Expected) -> Result<(), Error> {
    if expected.holds(|| Ok::<_, Error>(version(user, codes)))? { Ok(()) } else { Err(Error::Stale("user")) }
}

/// A user as the audit trail shows it, the codes of its own permissions among the rest.
pub(super) fn picture(user: &User, codes: &[i64]) -> Picture {
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

pub(super) fn write_password(change: &Change<'_, '_>, user: &User, hash: &str) -> Result<(), Error> {
    change.tx.set_password(user.id, hash, change.now)?;
    audit::record(change, "user.set_password", &Object::User(user), json!({}))
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
    own_user(actor).map(|user| UserKey::Id(user.id))
}

/// The person that acts.
fn own_user(actor: &Actor) -> Result<&User, Error> {
    match &actor.who {
        Who::Person(identity) => Ok(&identity.user),
        Who::Operator(_) | Who::Anonymous => Err(Error::not_found("user", "behind this actor")),
    }
}

/// The user of a key, or the error that says there is none.
pub(super) fn existing(tx: &Tx<'_>, key: &UserKey) -> Result<User, Error> {
    tx.user(key)?.ok_or_else(|| Error::not_found("user", key))
}

/// The same with the codes of its own permissions.
pub(super) fn whole(tx: &Tx<'_>, key: &UserKey) -> Result<UserState, Error> {
    tx.whole_user(key)?.ok_or_else(|| Error::not_found("user", key))
}

/// A new user with these fields, which must name it.
fn new(fields: &UserFields, now: Timestamp) -> Result<User, Error> {
    let username = fields.username.clone().ok_or_else(|| Error::invalid("username", &Rule::Required))?;
    Ok(with(&blank(username.into(), now), fields, now))
}

/// A new user of whom only the name is known. Its id is the database's to give.
fn blank(username: String, now: Timestamp) -> User {
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
fn with(old: &User, fields: &UserFields, now: Timestamp) -> User {
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
