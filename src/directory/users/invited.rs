//! Creating a user who is invited to set a password.

use super::{create, new_user};
use crate::directory::Directory;
use crate::directory::access::{Action, Actor, Rights, authorize};
use crate::directory::authentication::invite;
use crate::directory::avatars::{AvatarChange, NewAvatar};
use crate::directory::change::{Change, Written};
use crate::directory::error::Error;
use crate::directory::model::{User, UserDraft};
use crate::directory::password::UNUSABLE;
use crate::directory::unique_values::UniqueValues;

impl Directory {
    /// Creates a user without a password, and sends an invitation in the same transaction. It needs the right to create the
    /// user, which is enough to give a first password.
    pub async fn create_invited_user(
        &self,
        actor: &Actor,
        draft: &UserDraft,
        avatar: Option<AvatarChange>,
    ) -> Result<Written<User>, Error> {
        let fields = draft.parse()?;
        authorize(actor, Action::CreateUser(&fields, &Rights::none()))?;
        new_user(&fields, self.clock().now())?;
        let key = self.clock().link_key()?;
        let work = move |change: &Change<'_, '_>, avatar: &NewAvatar| {
            let user = create(change, &fields, UNUSABLE, avatar)?;
            invite(change, &user, &key)?;
            Ok(change.written(user, Action::ReadUsers))
        };
        self.change_with_avatar(actor, UniqueValues::Others, None, avatar, work).await
    }
}
