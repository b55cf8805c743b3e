//! Invitations in the database of the settings.

use super::{LocalAccounts, ids};
use crate::cli::accounts::picture::PictureChange;
use crate::cli::report::{CliError, CliResult};
use crate::directory::model::{Timestamp, User, UserDraft, UserKey};

impl LocalAccounts {
    pub(in crate::cli::accounts) async fn create_invited_user(
        &self,
        draft: &UserDraft,
        picture: Option<PictureChange>,
    ) -> CliResult<User> {
        let avatar = picture.map(|picture| self.change_of(picture)).transpose()?;
        Ok(self.directory.create_invited_user(&self.actor, draft, avatar).await?.value)
    }

    pub(in crate::cli::accounts) async fn invite_users(
        &self,
        users: &[User],
    ) -> CliResult<Vec<Option<Timestamp>>> {
        let keys = ids(users).into_iter().map(UserKey::Id).collect();
        let invited = self.directory.invite_users(&self.actor, keys).await;
        let invited = invited.map_err(|error| CliError::of_users(error, users))?;
        Ok(invited.into_iter().map(|(_, status)| status.last.map(|link| link.expires_at)).collect())
    }

    pub(in crate::cli::accounts) async fn revoke_invitations(&self, users: &[User]) -> CliResult<()> {
        let keys = ids(users).into_iter().map(UserKey::Id).collect();
        let revoked = self.directory.revoke_invitations(&self.actor, keys).await;
        revoked.map(|_| ()).map_err(|error| CliError::of_users(error, users))
    }
}
