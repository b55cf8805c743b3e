//! Use cases about tokens.

use std::time::Duration;

use super::access::{Actor, Deed, may};
use super::audit::{self, Object};
use super::error::Error;
use super::model::{Moment, Token, TokenId, TokenKey, TokenKind, TokenName, UserId, UserKey};
use super::store::tokens::NewToken;
use super::{Directory, store, users};

/// A token just issued, with its key: the only time the key is there to be seen.
#[derive(Debug)]
pub struct Issued {
    /// The token as it will be listed.
    pub token: Token,
    /// The key, to be shown once.
    pub key: TokenKey,
}

impl Directory {
    /// Issues a token that acts as this user, with an end after `lifetime` or without one.
    pub async fn issue_token(
        &self,
        actor: &Actor,
        owner: &UserKey,
        name: &str,
        lifetime: Option<Duration>,
    ) -> Result<Issued, Error> {
        let name: TokenName = name.parse().map_err(|rule| Error::invalid("name", &rule))?;
        let (key, now) = (self.clock.token_key()?, self.clock.now());
        let (actor, owner, shown) = (actor.clone(), owner.clone(), key.clone());
        let token = self
            .store
            .write(move |tx| {
                let owner = users::existing(tx, &owner)?;
                may(&actor, Deed::IssueToken(&owner))?;
                let end = lifetime.map(|lifetime| now.saturating_add(lifetime));
                let token = tx.insert_token(row(owner.id, name.into(), TokenKind::Api, &key, now, end))?;
                audit::record(
                    tx,
                    now,
                    &actor,
                    "token.issue",
                    &Object::Token(&token),
                    audit::of_token(&token),
                )?;
                Ok(token)
            })
            .await?;
        Ok(Issued { token, key: shown })
    }

    /// A user's tokens, oldest first; expired and revoked ones too.
    pub async fn tokens(&self, actor: &Actor, owner: &UserKey) -> Result<Vec<Token>, Error> {
        let owner = self.user(actor, owner).await?;
        may(actor, Deed::ReadTokens(&owner))?;
        self.store.all(store::tokens::of_user(owner.id)).await
    }

    /// Revokes a token: from the moment this returns it opens nothing. A token that was revoked before
    /// keeps the time of the first revocation.
    pub async fn revoke_token(&self, actor: &Actor, id: TokenId) -> Result<Token, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                let gone = || Error::not_found("token", format!("with id {id}"));
                let token = tx.token(id)?.ok_or_else(gone)?;
                let owner = users::existing(tx, &UserKey::Id(token.user_id))?;
                may(&actor, Deed::RevokeToken(&owner))?;
                if token.revoked_at.is_none() {
                    tx.revoke_token(id, now)?;
                    audit::record(
                        tx,
                        now,
                        &actor,
                        "token.revoke",
                        &Object::Token(&token),
                        audit::of_token(&token),
                    )?;
                }
                tx.token(id)?.ok_or_else(gone)
            })
            .await
    }
}

/// The row that is kept of a key.
pub(super) fn row(
    user_id: UserId,
    name: String,
    kind: TokenKind,
    key: &TokenKey,
    created_at: Moment,
    expires_at: Option<Moment>,
) -> NewToken {
    NewToken {
        user_id,
        name,
        kind,
        digest: key.digest(),
        prefix: key.prefix(),
        last_four: key.last_four(),
        created_at,
        expires_at,
    }
}
