//! Sessions of the admin site: whose a cookie is, proving again who one is, and the first admin of a new installation.
//!
//! A session is a token of the kind `browser`. It is made by signing in, like any other, and ends like any other.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use super::sign_in::{PASSWORD_PROOF, SignInKind};
use crate::directory::Directory;
use crate::directory::access::{Actor, Origin, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::avatars::NewAvatar;
use crate::directory::error::{Denial, Error};
use crate::directory::identity::Unauthenticated;
use crate::directory::model::{Identity, Maker, User, UserDraft, UserKey};
use crate::directory::password::{Password, PasswordOwner};
use crate::directory::store::tokens::NewToken;
use crate::directory::store::users::is_any;
use crate::directory::tokens::TokenWithKey;
use crate::directory::users;

/// Whether there is a user yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAdmin {
    /// There is none: one may be created.
    Missing,
    /// There are users.
    Exists,
}

impl Directory {
    /// Returns the identity of the key in the cookie of a browser. It follows the rules of [`Directory::authenticate`], for
    /// browser sessions alone.
    pub fn authenticate_browser(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> impl Future<Output = Result<Arc<Identity>, Unauthenticated>> + Send {
        self.authenticator.authenticate_browser(key, from)
    }

    /// Checks the password of a person in a browser session, limited like a sign-in, and gives the session a new key. The old
    /// key ends, and the session ends when it would have ended.
    pub async fn confirm_browser(&self, actor: &Actor, password: Password) -> Result<TokenWithKey, Error> {
        let Who::Person(identity) = &actor.who else { return Err(Denial::NoRight.into()) };
        let (user, old) = (identity.user.clone(), identity.token.clone());
        let proof = self.prove(actor, &user, password).await?;
        let key = self.clock.token_key()?;
        let shown = key.clone();
        let confirm = move |change: &crate::directory::change::Change<'_, '_>| {
            proof.check(change)?;
            let user = change.tx.existing_user(&UserKey::Id(user.id))?;
            let kind = SignInKind::Browser(old.name.clone());
            let new = kind.token(user.id, &key, change.now, old.expires_at);
            change.tx.revoke_token(old.id, change.now)?;
            let new = NewToken { made_by: Maker::SignIn, root: old.root.clone(), ..new };
            let token = change.tx.insert_token(new)?;
            let details =
                json!({ "token": token.id.get(), "replaces": old.id.get(), "proof": PASSWORD_PROOF });
            audit::record(change, "sign_in.confirm", &AuditObject::User(&user), details)?;
            Ok(token)
        };
        Ok(TokenWithKey { token: self.change(actor, confirm).await?, key: shown })
    }

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
            users::create(change, &fields, &hash, &NewAvatar::default())
        })
        .await
    }
}
