//! Use cases about permissions.

use super::access::{Action, Actor, authorize};
use super::error::Error;
use super::model::Permission;
use super::{Directory, store};

impl Directory {
    /// Every permission there is, in the order of their codes.
    pub async fn permissions(&self, actor: &Actor) -> Result<Vec<Permission>, Error> {
        authorize(actor, Action::ReadPermissions)?;
        self.store.all(store::permissions::list()).await
    }
}
