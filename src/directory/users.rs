//! Use cases about users.

mod contacts;
mod details;
mod first_admin;
mod invited;
mod rules;
mod state;

use std::sync::Arc;

use self::contacts::note_contacts;
pub(super) use self::contacts::note_returning_contacts;
pub use self::details::UserDetails;
pub use self::first_admin::FirstAdmin;
pub(super) use self::rules::{Proven, check_last_admin, check_returning};
use self::rules::{check_new_values, check_proof};
use self::state::{apply, new_user};
pub(super) use self::state::{check_version, snapshot};
use super::Directory;
use super::access::{Action, Actor, Rights, Who, authorize};
use super::audit::{self, AuditObject};
use super::authentication::{PasswordProof, forget_attempts, notices, write_password};
use super::avatars::{AvatarChange, NewAvatar};
use super::change::{Change, Written};
use super::error::Error;
use super::model::{Expected, Scope, User, UserDraft, UserFields, UserId, UserKey, UserState, Violation};
use super::password::{Password, PasswordOwner, UNUSABLE};
use super::store::{self, Tx};
use super::tokens;
use super::unique_values::UniqueValues;

impl Directory {
    /// Creates a user. Without a password it cannot sign in with one.
    pub async fn create_user(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        password: Option<Password>,
    ) -> Result<Written<User>, Error> {
        self.create_user_with(actor, draft, password, None).await
    }

    /// Does the same, with an avatar.
    pub async fn create_user_with(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        password: Option<Password>,
        avatar: Option<AvatarChange>,
    ) -> Result<Written<User>, Error> {
        let fields = draft.parse()?;
        // Checked before the slow hash, and again in the transaction, which knows the rights concerned.
        authorize(actor, Action::CreateUser(&fields, &Rights::none()))?;
        let new = new_user(&fields, self.clock.now())?;
        let hash = match password {
            Some(password) => {
                self.hasher
                    .encode(self.hash_place(actor)?, &self.clock, password, PasswordOwner::new(&new))
                    .await?
            }
            None => UNUSABLE.to_owned(),
        };
        let work = move |change: &Change<'_, '_>, avatar: &NewAvatar| {
            let user = create(change, &fields, &hash, avatar)?;
            Ok(change.written(user, Action::ReadUsers))
        };
        self.change_with_avatar(actor, UniqueValues::Others, None, avatar, work).await
    }

    /// Returns the user of an id or name.
    pub async fn user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        authorize(actor, Action::ReadUsers)?;
        self.existing(key).await
    }

    /// Returns the user of an id or name to an actor who may read users, and to the user.
    pub async fn visible_user(&self, actor: &Actor, key: &UserKey) -> Result<User, Error> {
        let own = own_user(actor).ok().filter(|own| match key {
            UserKey::Id(id) => own.id == *id,
            UserKey::Name(name) => own.username == *name,
        });
        match own {
            Some(own) if has_scope(actor, Scope::MeRead) => Ok(own.clone()),
            _ => self.user(actor, key).await,
        }
    }

    /// Changes the fields of the draft, and the password if one is given.
    pub async fn update_user(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        passwords: impl Into<Passwords>,
    ) -> Result<Written<User>, Error> {
        self.update_user_if(actor, key, draft, passwords, Expected::Any).await
    }

    /// Does the same, unless the user's state is not the expected one. A person's own password changes only with the present
    /// one.
    pub async fn update_user_if(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        passwords: impl Into<Passwords>,
        expected: Expected,
    ) -> Result<Written<User>, Error> {
        self.update_user_with(actor, key, draft, passwords, expected, None).await
    }

    /// Does the same, with an avatar.
    pub async fn update_user_with(
        &self,
        actor: &Actor,
        key: &UserKey,
        draft: &UserDraft,
        passwords: impl Into<Passwords>,
        expected: Expected,
        avatar: Option<AvatarChange>,
    ) -> Result<Written<User>, Error> {
        let fields = match draft.parse() {
            Ok(fields) => fields,
            // A value that was imported may be sent back as it is.
            Err(errors) => {
                let target = self.existing(key).await?;
                if !sees(actor, &target) {
                    return Err(errors.into());
                }
                draft.without_held(&target).parse()?
            }
        };
        // Groups and permissions are written before the unique values are checked.
        let is_late = fields.groups.is_some() || fields.permissions.is_some();
        let values = if is_late { UniqueValues::OthersAfterWrites } else { UniqueValues::Others };
        let passwords = passwords.into();
        let prepared = match passwords.are_given() {
            true => self.prepare_passwords(actor, key, fields, passwords).await?,
            false => PreparedPasswords { key: key.clone(), hash: None, proof: None },
        };
        let key = prepared.key.clone();
        let inputs = Arc::new((prepared, draft.clone(), expected));
        let work = move |change: &Change<'_, '_>, avatar: &NewAvatar| {
            let (PreparedPasswords { key, hash, proof }, draft, expected) = &*inputs;
            let proven = Proven { hash: hash.as_deref(), proof: proof.as_ref() };
            let user = update(change, key, draft, expected, proven, avatar)?;
            Ok(change.written(user, Action::ReadUsers))
        };
        self.change_with_avatar(actor, values, Some(&key), avatar, work).await
    }

    /// Checks and hashes the passwords of a change, before its transaction. The rights are checked before the slow
    /// hashes, and again in the transaction.
    async fn prepare_passwords(
        &self,
        actor: &Actor,
        key: &UserKey,
        mut fields: UserFields,
        Passwords { new, present }: Passwords,
    ) -> Result<PreparedPasswords, Error> {
        let target = self.existing(key).await?;
        let rights = self.rights(target.id).await?;
        if sees(actor, &target) {
            fields = UserFields { permissions: None, ..fields.changing(&target) };
        }
        authorize(actor, Action::UpdateUser(&target, &fields, &rights))?;
        let proof = self.prove_own(actor, &target, new.is_some(), present).await?;
        let hash = match new {
            Some(new) => {
                let owner = PasswordOwner::new(&apply(&target, &fields, self.clock.now()));
                Some(self.hasher.encode(self.hash_place(actor)?, &self.clock, new, owner).await?)
            }
            None => None,
        };
        Ok(PreparedPasswords { key: UserKey::Id(target.id), hash, proof })
    }

    /// Changes fields of the actor's own record. `present` is the present password, which a setting may require.
    pub async fn update_self(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        present: Option<Password>,
    ) -> Result<User, Error> {
        self.update_self_with(actor, draft, present, None).await
    }

    /// Does the same, with an avatar.
    pub async fn update_self_with(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        present: Option<Password>,
        avatar: Option<AvatarChange>,
    ) -> Result<User, Error> {
        let (key, own) = (own_key(actor)?, own_user(actor)?.clone());
        authorize(actor, Action::UpdateSelf(&draft.without_held(&own).parse()?))?;
        let proof = self.prove_own(actor, &own, false, present).await?;
        let inputs = Arc::new((key.clone(), draft.clone(), proof));
        let work = move |change: &Change<'_, '_>, avatar: &NewAvatar| {
            let (key, draft, proof) = &*inputs;
            let old = change.tx.existing_user_state(key)?;
            let fields = draft.without_held(&old.user).parse()?;
            change.check(Action::UpdateSelf(&fields))?;
            let mut new = UserState { user: apply(&old.user, &fields, change.now), codes: old.codes.clone() };
            avatar.write_to(&mut new.user);
            check_proof(change, &old.user, &new.user, Proven { hash: None, proof: proof.as_ref() })?;
            save(change, old, new, avatar)
        };
        self.change_with_avatar(actor, UniqueValues::Own, Some(&key), avatar, work).await
    }

    /// Replaces the password of another user. Only the command line can replace an own one this way.
    pub async fn set_password(
        &self,
        actor: &Actor,
        key: &UserKey,
        password: Password,
    ) -> Result<Written<User>, Error> {
        self.update_user(actor, key, &UserDraft::default(), Some(password)).await
    }

    /// Returns the rights that a user holds now.
    async fn rights(&self, user: UserId) -> Result<Rights, Error> {
        let held =
            store::permissions::each_once(self.store.point_read(store::permissions::held(user)).await?);
        Ok(held.into_iter().map(|held| held.permission.code).collect::<Vec<_>>().into())
    }

    /// Returns the user of a key, for any actor. The use case checks the rights.
    pub(super) async fn existing(&self, key: &UserKey) -> Result<User, Error> {
        let user = self.store.first(store::users::find(key)).await?;
        user.ok_or_else(|| Error::not_found("user", key))
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

impl Passwords {
    fn are_given(&self) -> bool {
        self.new.is_some() || self.present.is_some()
    }
}

/// The passwords of a change, checked and hashed, and the user that they belong to.
struct PreparedPasswords {
    key: UserKey,
    hash: Option<String>,
    proof: Option<PasswordProof>,
}

impl From<Option<Password>> for Passwords {
    fn from(new: Option<Password>) -> Self {
        Self { new, present: None }
    }
}

/// Creates a user, if the actor may write these fields.
pub(super) fn create(
    change: &Change<'_, '_>,
    fields: &UserFields,
    hash: &str,
    avatar: &NewAvatar,
) -> Result<User, Error> {
    let tx = change.tx;
    let mut new = new_user(fields, change.now)?;
    avatar.write_to(&mut new);
    check_new_values(change, None, &new)?;
    let id = tx.insert_user(None, &new, hash, true)?;
    // An import may have brought a deleted group with a member who was never here.
    tx.forget_deleted_memberships(id)?;
    attach(tx, id, fields)?;
    change.check(Action::CreateUser(fields, &tx.rights(id)?.into()))?;
    change.check_power(None, &new)?;
    let made = tx.existing_user_state(&UserKey::Id(id))?;
    let mut shown = snapshot(&made.user, &made.codes);
    shown.extend(avatar.event(None, &made.user).map(|shown| ("avatar", shown)));
    audit::record(change, "user.create", &AuditObject::User(&made.user), audit::all_fields(shown))?;
    Ok(made.user)
}

/// Changes a user, if the actor may. A value that the user has already is no change.
pub(super) fn update(
    change: &Change<'_, '_>,
    key: &UserKey,
    draft: &UserDraft,
    expected: &Expected,
    proven: Proven<'_>,
    avatar: &NewAvatar,
) -> Result<User, Error> {
    let (tx, hash) = (change.tx, proven.hash);
    let before = tx.existing_user_state(key)?;
    let old = &before.user;
    let fields = &changing(change, old, draft)?;
    let rights = match fields.concern_rights() || hash.is_some() {
        true => tx.rights(old.id)?,
        false => Vec::new(),
    };
    change.check(Action::UpdateUser(old, fields, &Rights::concerned(&rights, &[])))?;
    let is_own = matches!(&change.actor.who, Who::Person(identity) if identity.user.id == old.id);
    if hash.is_some() && !is_own {
        change.check_proof_age()?;
    }
    let mut new = UserState { user: apply(old, fields, change.now), codes: before.codes.clone() };
    change.check_power(Some(old), &new.user)?;
    check_version(&before, expected)?;
    avatar.write_to(&mut new.user);
    check_proof(change, old, &new.user, proven)?;
    if old.is_admin && old.is_active && !(new.user.is_admin && new.user.is_active) {
        check_last_admin(tx, old.id)?;
    }
    if fields.groups.is_some() || fields.permissions.is_some() {
        attach(tx, old.id, fields)?;
        change.check(Action::UpdateUser(old, fields, &Rights::concerned(&rights, &tx.rights(old.id)?)))?;
        let attached = tx.existing_user_state(key)?;
        new = UserState { user: User { groups: attached.user.groups, ..new.user }, codes: attached.codes };
    }
    let old = before.user.clone();
    let mut new = save(change, before, new, avatar)?;
    if let Some(hash) = hash {
        write_password(change, &new, hash)?;
        notices::of_password(change, &old)?;
        new.updated_at = change.now;
        // Failures with the old password say nothing about the new one.
        forget_attempts(change, &new)?;
    }
    if fields.sign_out {
        tokens::end_all(change, &new)?;
    }
    Ok(new)
}

/// Parses those fields of a draft that change the user. For an actor who may not read the user, every field counts as a
/// change: otherwise a right guess would be no change, and show what the user has.
fn changing(change: &Change<'_, '_>, user: &User, draft: &UserDraft) -> Result<UserFields, Error> {
    if !sees(&change.actor, user) {
        return Ok(draft.parse()?);
    }
    let mut fields = draft.without_held(user).parse()?.changing(user);
    if let Some(permissions) = &fields.permissions
        && change.tx.has_permissions(&store::permissions::of_user(user.id), permissions)?
    {
        fields.permissions = None;
    }
    Ok(fields)
}

/// Returns whether the actor may read this user.
fn sees(actor: &Actor, user: &User) -> bool {
    let is_own = || own_user(actor).is_ok_and(|own| own.id == user.id) && has_scope(actor, Scope::MeRead);
    authorize(actor, Action::ReadUsers).is_ok() || is_own()
}

/// Whether the actor's token has this scope.
fn has_scope(actor: &Actor, scope: Scope) -> bool {
    matches!(&actor.who, Who::Person(identity) if identity.has(scope))
}

/// Writes a changed user with its event and returns the user. Groups and permissions have been written already. A change that
/// changes nothing writes nothing and leaves no event.
fn save(
    change: &Change<'_, '_>,
    before: UserState,
    new: UserState,
    avatar: &NewAvatar,
) -> Result<User, Error> {
    let (old, now) = (snapshot(&before.user, &before.codes), snapshot(&new.user, &new.codes));
    let avatar = avatar.event(Some(&before.user), &new.user);
    if old == now && avatar.is_none() {
        return Ok(before.user);
    }
    check_new_values(change, Some(&before.user), &new.user)?;
    change.tx.update_user(&new.user, Some(&before.user))?;
    note_contacts(change, &before.user, &new.user)?;
    notices::of_contacts(change, &before.user, &new.user)?;
    let mut changes = audit::difference(old, now);
    if let (Some(changes), Some(avatar)) = (changes.as_object_mut(), avatar) {
        changes.insert("avatar".to_owned(), avatar);
    }
    audit::record(change, "user.update", &AuditObject::User(&new.user), changes)?;
    Ok(new.user)
}

/// Sets the groups and permissions of the user to those of the fields.
fn attach(tx: &Tx<'_>, id: UserId, fields: &UserFields) -> Result<(), Error> {
    let missing = |field: &str, id: i64| Error::invalid(field, &Violation::NoSuchObject(id));
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

/// Returns the key of the acting person.
pub fn own_key(actor: &Actor) -> Result<UserKey, Error> {
    own_user(actor).map(|user| UserKey::Id(user.id))
}

/// Returns the acting person.
fn own_user(actor: &Actor) -> Result<&User, Error> {
    match &actor.who {
        Who::Person(identity) => Ok(&identity.user),
        Who::Operator(_) | Who::Anonymous => Err(Error::not_found("user", "behind this actor")),
    }
}
