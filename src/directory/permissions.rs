//! Use cases about permissions. The built-in ones decide what callers may do here, and stay as they are. Others have a
//! meaning for other services alone, which read them from `/api/users/me`.

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor, OWN_CODE_MAX, OWN_CODE_MIN, authorize, built_in};
use super::audit::{self, AuditObject};
use super::change::Change;
use super::error::Error;
use super::model::{
    Group, GroupId, Permission, PermissionId, PermissionKey, PermissionName, User, UserId, Violation,
};
use super::query::PAGE_MAX;
use super::store::permissions::Holders;
use super::store::{self, Tx};

/// A permission, and how many have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionDetails {
    /// The permission.
    pub permission: Permission,
    /// How many users and groups it is attached to.
    pub holders: PermissionHolders,
}

/// How many users and groups a permission is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionHolders {
    /// Users, without those who have it through a group.
    pub users: i64,
    /// Groups.
    pub groups: i64,
}

impl From<Holders> for PermissionHolders {
    fn from(Holders { users, groups }: Holders) -> Self {
        Self { users, groups }
    }
}

impl Directory {
    /// Returns every permission, ordered by code.
    pub async fn permissions(&self, actor: &Actor) -> Result<Vec<Permission>, Error> {
        authorize(actor, Action::ReadPermissions)?;
        self.store.all(store::permissions::list()).await
    }

    /// Returns a permission.
    pub async fn permission(&self, actor: &Actor, key: &PermissionKey) -> Result<Permission, Error> {
        let known = self.permissions(actor).await?;
        known.into_iter().find(|one| key.is(one)).ok_or_else(|| Error::not_found("permission", key))
    }

    /// Returns how many users and groups have a permission.
    pub async fn permission_holders(
        &self,
        actor: &Actor,
        permission: PermissionId,
    ) -> Result<PermissionHolders, Error> {
        authorize(actor, Action::ReadPermissions)?;
        // It may count many rows.
        let found: Vec<Holders> = self.store.all(store::permissions::holders(permission)).await?;
        Ok(found.into_iter().next().unwrap_or_default().into())
    }

    /// Returns a permission, with the number of users and groups that have it.
    pub async fn permission_details(
        &self,
        actor: &Actor,
        key: &PermissionKey,
    ) -> Result<PermissionDetails, Error> {
        let permission = self.permission(actor, key).await?;
        let holders = self.permission_holders(actor, permission.id).await?;
        Ok(PermissionDetails { permission, holders })
    }

    /// Returns users that a permission is attached to, ordered by id: the first ones after an id. Users who have it through a
    /// group alone are not among them.
    pub async fn users_with_permission(
        &self,
        actor: &Actor,
        permission: PermissionId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>, Error> {
        authorize(actor, Action::ReadPermissions)?;
        authorize(actor, Action::ReadUsers)?;
        self.store.all(store::users::with_permission(permission, after, limit.min(PAGE_MAX + 1))).await
    }

    /// Returns groups that a permission is attached to, ordered by id: the first ones after an id.
    pub async fn groups_with_permission(
        &self,
        actor: &Actor,
        permission: PermissionId,
        after: Option<GroupId>,
        limit: u32,
    ) -> Result<Vec<Group>, Error> {
        authorize(actor, Action::ReadPermissions)?;
        authorize(actor, Action::ReadGroups)?;
        self.store.all(store::groups::with_permission(permission, after, limit.min(PAGE_MAX + 1))).await
    }

    /// Creates a permission, with one more than the highest code so far, at least [`OWN_CODE_MIN`], if none is given.
    pub async fn create_permission(
        &self,
        actor: &Actor,
        code: Option<i64>,
        name: &str,
    ) -> Result<Permission, Error> {
        let name = parsed(name)?;
        if let Some(code) = code.filter(|code| !(OWN_CODE_MIN..=OWN_CODE_MAX).contains(code)) {
            return refused("code", format!("{code} is reserved: use {OWN_CODE_MIN} to {OWN_CODE_MAX}."));
        }
        self.change(actor, move |change| {
            change.check(Action::ChangePermissions)?;
            let known: Vec<Permission> = change.tx.all(&store::permissions::list())?;
            check_name_free(&known, None, &name)?;
            let code = match code {
                Some(code) if known.iter().any(|one| one.code == code) => {
                    let taken = Violation::Taken { noun: "permission", field: "code".to_owned() };
                    return Err(Error::invalid("code", &taken));
                }
                Some(code) => code,
                None => next_code(&known)?,
            };
            change.tx.put_permission(None, code, &name)?;
            let made = existing(change.tx, &PermissionKey::Code(code))?;
            record(change, "permission.create", &made, json!({ "code": code, "name": name }))?;
            Ok(made)
        })
        .await
    }

    /// Gives a permission another name. The built-in ones keep theirs.
    pub async fn rename_permission(
        &self,
        actor: &Actor,
        key: &PermissionKey,
        name: &str,
    ) -> Result<Permission, Error> {
        let (key, name) = (key.clone(), parsed(name)?);
        self.change(actor, move |change| {
            change.check(Action::ChangePermissions)?;
            let old = existing(change.tx, &key)?;
            check_not_built_in(&old)?;
            let known: Vec<Permission> = change.tx.all(&store::permissions::list())?;
            check_name_free(&known, Some(old.id), &name)?;
            let new = Permission { name: name.clone(), ..old.clone() };
            if new != old {
                change.tx.put_permission(None, new.code, &new.name)?;
                record(change, "permission.rename", &new, json!({ "name": [old.name, new.name] }))?;
            }
            Ok(new)
        })
        .await
    }

    /// Removes a permission from all users, groups and scopes of tokens, and then itself. The built-in ones stay.
    pub async fn remove_permission(&self, actor: &Actor, key: &PermissionKey) -> Result<Permission, Error> {
        let key = key.clone();
        self.change(actor, move |change| {
            change.check_proof_age()?;
            change.check(Action::ChangePermissions)?;
            let gone = existing(change.tx, &key)?;
            check_not_built_in(&gone)?;
            let holders: Option<Holders> = change.tx.first(&store::permissions::holders(gone.id))?;
            let Holders { users, groups } = holders.unwrap_or_default();
            let tokens = change.tx.delete_permission(&gone)?;
            let last = json!({
                "code": gone.code, "name": gone.name, "users": users, "groups": groups, "tokens": tokens
            });
            record(change, "permission.remove", &gone, last)?;
            Ok(gone)
        })
        .await
    }
}

fn parsed(name: &str) -> Result<String, Error> {
    let name: Result<PermissionName, _> = name.parse();
    name.map(String::from).map_err(|violation| Error::invalid("name", &violation))
}

fn refused<T>(field: &str, message: String) -> Result<T, Error> {
    Err(Error::invalid(field, &Violation::Other(message)))
}

/// Returns the permission of a key, or [`Error::NotFound`].
fn existing(tx: &Tx<'_>, key: &PermissionKey) -> Result<Permission, Error> {
    let known: Vec<Permission> = tx.all(&store::permissions::list())?;
    known.into_iter().find(|one| key.is(one)).ok_or_else(|| Error::not_found("permission", key))
}

fn check_not_built_in(permission: &Permission) -> Result<(), Error> {
    match built_in(permission.code) {
        Some(_) => refused(
            "permission",
            format!(
                "{} ({}) is built in: it cannot be renamed or removed.",
                permission.name, permission.code
            ),
        ),
        None => Ok(()),
    }
}

fn check_name_free(known: &[Permission], own: Option<PermissionId>, name: &str) -> Result<(), Error> {
    match known.iter().any(|one| one.name == name && Some(one.id) != own) {
        true => {
            Err(Error::invalid("name", &Violation::Taken { noun: "permission", field: "name".to_owned() }))
        }
        false => Ok(()),
    }
}

/// Returns the code after the greatest one in the range of new codes.
fn next_code(known: &[Permission]) -> Result<i64, Error> {
    let last =
        known.iter().map(|one| one.code).filter(|code| (OWN_CODE_MIN..=OWN_CODE_MAX).contains(code)).max();
    match last.map_or(OWN_CODE_MIN, |last| last + 1) {
        code @ ..=OWN_CODE_MAX => Ok(code),
        _ => refused("code", format!("{OWN_CODE_MAX} is in use: choose a free code below it.")),
    }
}

fn record(
    change: &Change<'_, '_>,
    action: &'static str,
    permission: &Permission,
    changes: serde_json::Value,
) -> Result<(), Error> {
    audit::record(change, action, &AuditObject::Permission(permission), changes)
}
