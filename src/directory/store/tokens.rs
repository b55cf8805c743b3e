//! Statements about tokens. A key never comes here, only its digest.

use super::Tx;
use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::users::moment;
use crate::directory::error::Error;
use crate::directory::model::{KeptDigest, Moment, Token, TokenId, TokenKind, UserId};

/// The columns of a [`Token`], in the order [`FromRow`] reads them; `t` is the tokens table.
macro_rules! columns {
    () => {
        "t.id, t.user_id, t.name, t.kind, t.prefix, t.last_four, t.created_at, t.expires_at, t.revoked_at, \
         t.last_used_at"
    };
}
pub(super) use columns;

impl FromRow for Token {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.next_as::<i64, _>("token id")?,
            user_id: row.next_as::<i64, _>("user id")?,
            name: row.next()?,
            kind: TokenKind::from_stored(&row.next::<String>()?)
                .ok_or_else(|| StoreError::corrupt("token kind"))?,
            prefix: row.next()?,
            last_four: row.next()?,
            created_at: row.next_as::<i64, _>("time")?,
            expires_at: moment(row.next()?)?,
            revoked_at: moment(row.next()?)?,
            last_used_at: moment(row.next()?)?,
        })
    }
}

/// The token of an id.
pub(in crate::directory) fn find(id: TokenId) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM tokens t WHERE t.id = $1")).bind(id)
}

/// The tokens of a user, oldest first; expired and revoked ones too.
pub(in crate::directory) fn of_user(user: UserId) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM tokens t WHERE t.user_id = $1 ORDER BY t.id")).bind(user)
}

/// A token that is not in the database yet.
pub(in crate::directory) struct NewToken {
    pub(in crate::directory) user_id: UserId,
    pub(in crate::directory) name: String,
    pub(in crate::directory) kind: TokenKind,
    pub(in crate::directory) digest: KeptDigest,
    pub(in crate::directory) prefix: String,
    pub(in crate::directory) last_four: String,
    pub(in crate::directory) created_at: Moment,
    pub(in crate::directory) expires_at: Option<Moment>,
}

impl Tx<'_> {
    /// The token of an id.
    pub(in crate::directory) fn token(&self, id: TokenId) -> Result<Option<Token>, Error> {
        Ok(self.first(&find(id))?)
    }

    /// Adds a token.
    pub(in crate::directory) fn insert_token(&self, token: NewToken) -> Result<Token, Error> {
        let sql = Sql::new(concat!(
            "INSERT INTO tokens AS t (user_id, name, kind, digest, prefix, last_four, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ",
            "id, user_id, name, kind, prefix, last_four, created_at, expires_at, revoked_at, last_used_at"
        ));
        let sql = sql.bind(token.user_id).bind(token.name).bind(token.kind.as_str()).bind(token.digest);
        let sql = sql.bind(token.prefix).bind(token.last_four).bind(token.created_at).bind(token.expires_at);
        let new: Option<Token> = self.first(&sql)?;
        Ok(new.ok_or_else(|| StoreError::corrupt("new token"))?)
    }

    /// Renames a token and sets its end.
    pub(in crate::directory) fn update_token(
        &self,
        id: TokenId,
        name: &str,
        end: Option<Moment>,
    ) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET name = $1, expires_at = $2 WHERE id = $3");
        self.execute(&sql.bind(name).bind(end).bind(id))?;
        Ok(())
    }

    /// Marks every token revoked that a sign-in of this user made, but one.
    pub(in crate::directory) fn revoke_sign_ins(
        &self,
        user: UserId,
        but: TokenId,
        now: Moment,
    ) -> Result<(), Error> {
        let sql = "UPDATE tokens SET revoked_at = $1 \
             WHERE user_id = $2 AND id <> $3 AND kind = 'sign_in' AND revoked_at IS NULL";
        self.execute(&Sql::new(sql).bind(now).bind(user).bind(but))?;
        Ok(())
    }

    /// Marks a token revoked; a token that was revoked before keeps its time.
    pub(in crate::directory) fn revoke_token(&self, id: TokenId, now: Moment) -> Result<(), Error> {
        let sql = Sql::new("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL");
        self.execute(&sql.bind(now).bind(id))?;
        Ok(())
    }
}
