//! Sessions of the admin site: whose a cookie is, and proving again who one is.
//!
//! A session is a token of the kind `browser`. It is made by signing in, like any other, and ends like any other.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use super::sign_in::{PASSWORD_PROOF, SignInKind};
use crate::directory::Directory;
use crate::directory::access::{Actor, Who};
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::identity::Unauthenticated;
use crate::directory::model::{Identity, Maker, UserKey};
use crate::directory::password::Password;
use crate::directory::store::tokens::NewToken;
use crate::directory::tokens::TokenWithKey;

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
        let confirm = move |change: &Change<'_, '_>| {
            proof.check(change)?;
            let user = change.tx.existing_user(&UserKey::Id(user.id))?;
            let kind = SignInKind::Browser(old.name.clone());
            let new = kind.token(user.id, &key, change.now, old.expires_at, PASSWORD_PROOF);
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
}
