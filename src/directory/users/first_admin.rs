//! The first admin of a new installation, who is created in a browser.

use super::create;
use crate::directory::Directory;
use crate::directory::access::{Actor, Origin};
use crate::directory::avatars::NewAvatar;
use crate::directory::error::Error;
use crate::directory::model::{User, UserDraft};
use crate::directory::password::{Password, PasswordOwner};
use crate::directory::store::users::is_any;

/// Whether there is a user yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAdmin {
    /// There is none: one may be created.
    Missing,
    /// There are users.
    Exists,
}

impl Directory {
    /// Returns whether the first admin can be created: there is no user yet.
    pub async fn first_admin(&self) -> Result<FirstAdmin, Error> {
        let found: Option<i64> = self.store.first(is_any()).await?;
        Ok(if found.is_some() { FirstAdmin::Exists } else { FirstAdmin::Missing })
    }

    /// Creates the first admin, for who has the link that the operator's log shows. With users it is [`Error::NotFound`].
    pub async fn create_first_admin(
        &self,
        origin: &Origin,
        username: &str,
        password: Password,
    ) -> Result<User, Error> {
        let draft = UserDraft {
            username: Some(username.to_owned()),
            is_staff: Some(true),
            is_admin: Some(true),
            ..UserDraft::default()
        };
        let fields = draft.parse()?;
        if self.first_admin().await? == FirstAdmin::Exists {
            return Err(Error::not_found("link", "to set up the first admin"));
        }
        let actor = Actor { origin: origin.clone(), ..Actor::operator("set-up link") };
        let new = User::new(username.to_owned(), self.clock.now());
        let place = self.hash_place(&actor)?;
        let hash = self.hasher.encode(place, &self.clock, password, PasswordOwner::new(&new)).await?;
        self.change(&actor, move |change| {
            if change.tx.first::<i64>(&is_any())?.is_some() {
                return Err(Error::not_found("link", "to set up the first admin"));
            }
            create(change, &fields, &hash, &NewAvatar::default())
        })
        .await
    }
}
