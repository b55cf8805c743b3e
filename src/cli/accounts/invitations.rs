//! Invitations, in the database or through the API.

use super::{Accounts, PictureChange};
use crate::cli::report::CliResult;
use crate::directory::model::{Timestamp, User, UserDraft};

impl Accounts {
    pub(in crate::cli) async fn create_invited_user(
        &self,
        draft: &UserDraft,
        picture: Option<PictureChange>,
    ) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.create_invited_user(draft, picture).await,
            Self::There(accounts) => accounts.create_invited_user(draft, picture).await,
        }
    }

    /// Invites users, and returns when each invitation expires.
    pub(in crate::cli) async fn invite_users(&self, users: &[User]) -> CliResult<Vec<Option<Timestamp>>> {
        match self {
            Self::Here(accounts) => accounts.invite_users(users).await,
            Self::There(accounts) => accounts.invite_users(users).await,
        }
    }

    pub(in crate::cli) async fn revoke_invitations(&self, users: &[User]) -> CliResult<()> {
        match self {
            Self::Here(accounts) => accounts.revoke_invitations(users).await,
            Self::There(accounts) => accounts.revoke_invitations(users).await,
        }
    }
}
