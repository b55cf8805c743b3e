//! A user with everything that belongs to it.

use super::state::version;
use crate::directory::access::Actor;
use crate::directory::error::Error;
use crate::directory::model::{Group, HeldPermission, Permission, User, UserKey, Version};
use crate::directory::{Directory, store};

/// A user with its groups and permissions.
#[derive(Clone, Debug)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// The groups it belongs to.
    pub groups: Vec<Group>,
    /// The permissions attached to it.
    pub permissions: Vec<Permission>,
    /// The permissions it holds, including those of its groups.
    pub effective_permissions: Vec<Permission>,
    /// Every reason for which it holds a permission, in no order.
    pub held: Vec<HeldPermission>,
}

impl Directory {
    /// Returns a user with its groups and permissions.
    pub async fn user_details(&self, actor: &Actor, key: &UserKey) -> Result<UserDetails, Error> {
        let user = self.user(actor, key).await?;
        self.user_details_of_written(user).await
    }

    /// Returns the same about a user that the caller has just written, which needs no right to read.
    pub async fn user_details_of_written(&self, user: User) -> Result<UserDetails, Error> {
        let groups = match user.groups.is_empty() {
            true => Vec::new(),
            false => self.store.point_read(store::groups::of_user(user.id)).await?,
        };
        let held: Vec<HeldPermission> = self.store.point_read(store::permissions::held(user.id)).await?;
        let once = store::permissions::each_once(held.clone());
        let own =
            once.iter().filter(|held| held.group.is_none()).map(|held| held.permission.clone()).collect();
        let all = once.into_iter().map(|held| held.permission).collect();
        Ok(UserDetails { user, groups, permissions: own, effective_permissions: all, held })
    }
}

impl UserDetails {
    /// Returns the version of the user.
    pub fn version(&self) -> Version {
        let codes: Vec<_> = self.permissions.iter().map(|permission| permission.code).collect();
        version(&self.user, &codes)
    }
}
