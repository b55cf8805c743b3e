//! Invitations behind the API.

use http::Method;
use serde_json::{Value, json};

use super::super::remote_rows::{RemoteRow, body_of_user};
use super::RemoteAccounts;
use crate::cli::accounts::picture::PictureChange;
use crate::cli::report::CliResult;
use crate::directory::Error;
use crate::directory::model::{Timestamp, User, UserDraft};

impl RemoteAccounts {
    pub(in crate::cli::accounts) async fn create_invited_user(
        &self,
        draft: &UserDraft,
        picture: Option<PictureChange>,
    ) -> CliResult<User> {
        let mut body = body_of_user(draft);
        body.insert("invite".to_owned(), json!(true));
        match picture {
            Some(picture) => self.write(Method::POST, "/api/users", body, picture).await,
            None => {
                let done = self.send(Method::POST, "/api/users", Some(&Value::Object(body))).await?;
                RemoteRow(&done.json).user()
            }
        }
    }

    /// Invites users, one after the other.
    pub(in crate::cli::accounts) async fn invite_users(
        &self,
        users: &[User],
    ) -> CliResult<Vec<Option<Timestamp>>> {
        let mut invited = Vec::with_capacity(users.len());
        for user in users {
            let path = format!("/api/users/{}/invitation", user.id);
            let missing = || Error::not_found("user", user.id);
            let done = self.send_to(Method::POST, &path, None, missing).await?;
            invited.push(RemoteRow(&done.json).expires_at()?);
        }
        Ok(invited)
    }

    /// Revokes the invitations of users, one after the other.
    pub(in crate::cli::accounts) async fn revoke_invitations(&self, users: &[User]) -> CliResult<()> {
        for user in users {
            let path = format!("/api/users/{}/invitation", user.id);
            let missing = || Error::not_found("pending invitation", format!("of {}", user.username));
            self.send_to(Method::DELETE, &path, None, missing).await?;
        }
        Ok(())
    }
}
