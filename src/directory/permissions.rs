//! Use cases about permissions.

use super::access::{Action, Actor, authorize};
use super::error::Error;
use super::model::Permission;
use super::{Directory, store};

impl Directory {
    /// Returns every permission, ordered by code.
    pub async fn permissions(&self, actor: &Actor) -> Result<Vec<Permission>, Error> {
        authorize(actor, Action::ReadPermissions)?;
        self.store.all(store::permissions::list()).await
    }
}
