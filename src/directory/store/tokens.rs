//! Statements about tokens. They never contain a key, only its digest.

use super::column_list::{self, Columns, json_list};
use super::numbered::Numbered;
use super::users::optional_time;
use crate::database::{DatabaseError, FromRow, Row, Sql, Subject, Tx};
use crate::directory::access::{scope_name, scopes_from_stored, stored_scopes};
use crate::directory::error::Error;
use crate::directory::model::{
    KeptDigest, Maker, Narrowing, Networks, Scope, Timestamp, Token, TokenId, TokenKind, UserId,
};

/// The columns of a [`Token`], in the order in which [`FromRow`] reads them; `t` is the tokens table.
macro_rules! columns {
    () => {
        "t.id, t.user_id, t.name, t.kind, t.prefix, t.last_four, t.created_at, t.expires_at, t.revoked_at, \
         t.last_used_at, t.made_by, t.root, t.scopes, t.read_only, t.allowed_networks, t.amr"
    };
}
pub(super) use columns;

impl FromRow for Token {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.next_as::<i64, _>("token id")?,
            user_id: row.next_as::<i64, _>("user id")?,
            name: row.next()?,
            kind: TokenKind::from_stored(&row.next::<String>()?)
                .ok_or_else(|| DatabaseError::corrupt("token kind"))?,
            prefix: row.next()?,
            last_four: row.next()?,
            created_at: row.next_as::<i64, _>("time")?,
            expires_at: optional_time(row.next()?)?,
            revoked_at: optional_time(row.next()?)?,
            last_used_at: optional_time(row.next()?)?,
            made_by: Maker::from_stored(&row.next::<String>()?)
                .ok_or_else(|| DatabaseError::corrupt("token maker"))?,
            root: row
                .next::<Option<Vec<u8>>>()?
                .map(|root| KeptDigest::try_from(root).map_err(|_| DatabaseError::corrupt("token root")))
                .transpose()?,
            narrowing: Narrowing::from_row(row)?,
            amr: row.next()?,
            idle_limit: None,
        })
    }
}

impl FromRow for Narrowing {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            scopes: row.next::<Option<String>>()?.as_deref().map(scopes_from_stored),
            read_only: row.next()?,
            allowed_networks: row.next::<Option<String>>()?.as_deref().map(Networks::from_stored),
        })
    }
}

/// The latest expiry of some tokens, if there is any.
struct LatestExpiry(Option<Timestamp>);

impl FromRow for LatestExpiry {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(optional_time(row.next()?)?))
    }
}

/// Selects the token of an id.
pub(in crate::directory) fn find(id: TokenId) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM tokens t WHERE t.id = $1")).bind(id)
}

/// Selects the tokens of a user, oldest first, with the expired and revoked ones.
pub(in crate::directory) fn of_user(user: UserId) -> Sql {
    Sql::new(concat!("SELECT ", columns!(), " FROM tokens t WHERE t.user_id = $1 ORDER BY t.id")).bind(user)
}

/// Selects the ids of tokens of active admins that limit nothing. It starts from the admins, who are few.
pub(in crate::directory) fn unlimited_of_admins(limit: i64) -> Sql {
    let sql = "SELECT t.id FROM users u JOIN tokens t ON t.user_id = u.id WHERE u.is_admin AND u.is_active \
               AND t.revoked_at IS NULL AND t.expires_at IS NULL AND t.scopes IS NULL AND NOT t.read_only \
               AND t.allowed_networks IS NULL ORDER BY t.id LIMIT $1";
    Sql::new(sql).bind(limit)
}

/// Digests that one statement looks up.
const DIGESTS: usize = 300;

/// Selects the ids of the tokens with these digests, in statements of bounded length.
pub(in crate::directory) fn ids_of_digests(digests: &[KeptDigest]) -> Vec<Sql> {
    let statement = |digests: &[KeptDigest]| {
        let mut sql = Sql::composed("SELECT id FROM tokens WHERE digest IN (");
        for (index, digest) in digests.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push_arg(digest.clone());
        }
        sql.push(")");
        sql
    };
    digests.chunks(DIGESTS).map(statement).collect()
}

/// A token to insert.
pub(in crate::directory) struct NewToken {
    pub(in crate::directory) user_id: UserId,
    pub(in crate::directory) name: String,
    pub(in crate::directory) kind: TokenKind,
    pub(in crate::directory) digest: KeptDigest,
    pub(in crate::directory) prefix: String,
    pub(in crate::directory) last_four: String,
    pub(in crate::directory) created_at: Timestamp,
    pub(in crate::directory) expires_at: Option<Timestamp>,
    pub(in crate::directory) made_by: Maker,
    pub(in crate::directory) root: Option<KeptDigest>,
    pub(in crate::directory) narrowing: Narrowing,
    pub(in crate::directory) amr: Option<String>,
}

impl NewToken {
    /// Returns the columns of its row.
    pub(super) fn columns(self) -> Columns {
        let Narrowing { scopes, read_only, allowed_networks } = self.narrowing;
        vec![
            ("user_id", self.user_id.into()),
            ("name", self.name.into()),
            ("kind", self.kind.as_str().into()),
            ("digest", self.digest.into()),
            ("prefix", self.prefix.into()),
            ("last_four", self.last_four.into()),
            ("created_at", self.created_at.into()),
            ("expires_at", self.expires_at.into()),
            ("made_by", self.made_by.as_str().into()),
            ("root", self.root.into()),
            ("scopes", scopes.as_ref().map(stored_scopes).into()),
            ("read_only", read_only.into()),
            ("allowed_networks", allowed_networks.as_ref().map(Networks::stored).into()),
            ("amr", self.amr.into()),
        ]
    }
}

/// New tokens, as what a `FirstRead` may depend on: none does.
const NEW: Subject = Subject(-1);

impl Tx<'_> {
    /// Returns the token of an id.
    pub(in crate::directory) fn token(&self, id: TokenId) -> Result<Option<Token>, Error> {
        Ok(self.first(&find(id))?)
    }

    /// Inserts a token.
    pub(in crate::directory) fn insert_token(&self, token: NewToken) -> Result<Token, Error> {
        let id = self.next_id("tokens")?;
        self.insert_token_row(id, token)
    }

    /// Inserts a token with a given id.
    pub(in crate::directory) fn insert_token_with_id(
        &self,
        id: TokenId,
        token: NewToken,
    ) -> Result<Token, Error> {
        self.insert_with_ids("tokens", id.get(), || self.insert_token_row(Some(id.get()), token))
    }

    fn insert_token_row(&self, id: Option<i64>, token: NewToken) -> Result<Token, Error> {
        let mut columns = token.columns();
        columns.extend(id.map(|id| ("id", id.into())));
        let mut sql = column_list::insert("tokens", [columns]);
        sql.push(
            " RETURNING id, user_id, name, kind, prefix, last_four, created_at, expires_at, revoked_at, last_used_at, \
             made_by, root, scopes, read_only, allowed_networks, amr",
        );
        let new: Option<Token> = self.first_about(NEW, &sql)?;
        Ok(new.ok_or_else(|| DatabaseError::corrupt("new token"))?)
    }

    /// Sets the name and expiry of a token. An import moves a new expiry no later.
    pub(in crate::directory) fn update_token(
        &self,
        id: TokenId,
        name: &str,
        end: Option<Timestamp>,
    ) -> Result<(), Error> {
        let sql = "UPDATE tokens SET name = $1, expires_at = CAST($2 AS BIGINT), ends_by = CASE \
             WHEN expires_at IS DISTINCT FROM CAST($2 AS BIGINT) THEN CAST($2 AS BIGINT) ELSE ends_by END WHERE id = $3";
        self.execute(&Sql::new(sql).bind(name).bind(end).bind(id))?;
        Ok(())
    }

    /// Sets what a token is narrowed to.
    pub(in crate::directory) fn narrow_token(&self, id: TokenId, narrowing: &Narrowing) -> Result<(), Error> {
        let sql = "UPDATE tokens SET scopes = $1, read_only = $2, allowed_networks = $3 WHERE id = $4";
        let sql = Sql::new(sql)
            .bind(narrowing.scopes.as_ref().map(stored_scopes))
            .bind(narrowing.read_only)
            .bind(narrowing.allowed_networks.as_ref().map(Networks::stored));
        self.execute(&sql.bind(id))?;
        Ok(())
    }

    /// Takes a code from the scopes of all tokens: no permission has it any more, or a new one gets it. A token whose last scope it
    /// was keeps an empty list, which allows nothing. Returns how many tokens had it.
    pub(in crate::directory) fn forget_code_of_scopes(&self, code: i64) -> Result<u64, Error> {
        // What is between two names does not count: someone's own SQL may have written tabs, or several blanks.
        let scope = Scope::Permission(code);
        let holders = Sql::new("SELECT scopes, id FROM tokens WHERE scopes LIKE $1 ORDER BY id");
        let holders: Vec<Numbered> = self.all(&holders.bind(format!("%{}%", scope_name(scope))))?;
        let mut changed = 0;
        for Numbered(text, id) in holders {
            let scopes = scopes_from_stored(&text);
            if !scopes.contains(scope) {
                continue;
            }
            let left = stored_scopes(&scopes.iter().filter(|held| *held != scope).collect());
            let sql = Sql::new("UPDATE tokens SET scopes = $1 WHERE id = $2");
            changed += self.execute(&sql.bind(left).bind(id))?;
        }
        Ok(changed)
    }

    /// Binds a token to a sign-in, if it belongs to none.
    pub(in crate::directory) fn bind_token(&self, id: TokenId, root: &KeptDigest) -> Result<(), Error> {
        let sql = "UPDATE tokens SET root = $1 WHERE id = $2 AND root IS NULL";
        self.execute(&Sql::new(sql).bind(root.clone()).bind(id))?;
        Ok(())
    }

    /// Returns the latest expiry of the tokens that are the sign-in itself; `None` if none of them is left.
    pub(in crate::directory) fn end_of_sign_in(&self, root: &KeptDigest) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT max(expires_at) FROM tokens WHERE root = $1 AND (kind = 'sign_in' OR kind = 'browser') AND revoked_at IS NULL";
        let found: Option<LatestExpiry> = self.first(&Sql::new(sql).bind(root.clone()))?;
        Ok(found.and_then(|LatestExpiry(end)| end))
    }

    /// Limits the expiry of all tokens that came from a sign-in.
    pub(in crate::directory) fn cap_sign_in(&self, root: &KeptDigest, end: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE tokens SET expires_at = $1, ends_by = $1 WHERE root = $2 AND kind <> 'sign_in' AND revoked_at IS NULL \
             AND (expires_at IS NULL OR expires_at > $1)";
        self.execute(&Sql::new(sql).bind(end).bind(root.clone()))?;
        Ok(())
    }

    /// Returns the valid tokens of a user's sign-ins, oldest first.
    pub(in crate::directory) fn live_sign_ins(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Token>, Error> {
        let sql = Sql::new(concat!(
            "SELECT ",
            columns!(),
            " FROM tokens t WHERE t.user_id = $1 AND (t.kind = 'sign_in' OR t.kind = 'browser') AND t.revoked_at IS NULL AND t.expires_at > $2 \
             ORDER BY t.id"
        ));
        Ok(self.all(&sql.bind(user).bind(now))?)
    }

    /// Revokes a sign-in and all tokens that came from it. Returns their number.
    pub(in crate::directory) fn revoke_sign_in(
        &self,
        root: &KeptDigest,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let sql = "UPDATE tokens SET revoked_at = $1 WHERE root = $2 AND revoked_at IS NULL";
        Ok(self.execute(&Sql::new(sql).bind(now).bind(root.clone()))?)
    }

    /// Revokes all sign-ins of a user and all tokens that came from them, of any owner, except one token. Returns their
    /// number.
    pub(in crate::directory) fn revoke_sign_ins(
        &self,
        user: UserId,
        but: Option<TokenId>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let sql = "UPDATE tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND id <> $3 AND root IN \
             (SELECT s.root FROM tokens s WHERE s.user_id = $2 AND (s.kind = 'sign_in' OR s.kind = 'browser'))";
        let but = but.map_or(0, TokenId::get);
        Ok(self.execute(&Sql::new(sql).bind(now).bind(user).bind(but))?)
    }

    /// Revokes every token of a user. Returns their number.
    pub(in crate::directory) fn revoke_all(&self, user: UserId, now: Timestamp) -> Result<u64, Error> {
        let sql = "UPDATE tokens SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL";
        Ok(self.execute(&Sql::new(sql).bind(now).bind(user))?)
    }

    /// Returns tokens of sign-ins of this kind that have not ended and were not used since a time, earliest expiry first.
    pub(in crate::directory) fn idle_sign_ins(
        &self,
        kind: TokenKind,
        since: Timestamp,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Token>, Error> {
        let sql = Sql::new(concat!(
            "SELECT ",
            columns!(),
            " FROM tokens t WHERE t.kind = $4 AND (t.kind = 'sign_in' OR t.kind = 'browser') AND t.revoked_at IS NULL AND t.expires_at > $1 \
             AND t.created_at <= $2 AND coalesce(t.last_used_at, t.created_at) <= $2 ORDER BY t.expires_at LIMIT $3"
        ));
        Ok(self.all(&sql.bind(now).bind(since).bind(limit).bind(kind.as_str()))?)
    }

    /// Deletes about `limit` tokens that were revoked or had expired by a time. Returns their number. Imported tokens that were
    /// ended here are kept, and of the others what ended them: the next import must not take such a token for a new one.
    pub(in crate::directory) fn prune_tokens(
        &self,
        until: Timestamp,
        limit: i64,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let sql = "SELECT id FROM (\
             SELECT id FROM (SELECT id FROM tokens WHERE revoked_at <= $1 AND made_by <> 'import' ORDER BY revoked_at LIMIT $2) AS revoked \
             UNION ALL \
             SELECT id FROM (SELECT id FROM tokens WHERE expires_at <= $1 \
                AND (made_by <> 'import' OR (revoked_at IS NULL AND ends_by IS NULL)) ORDER BY expires_at LIMIT $2) AS expired) AS ended";
        let ids: Vec<i64> = self.all(&Sql::new(sql).bind(until).bind(limit))?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.keep_ended(&ids, now)?;
        let sql = self.either(
            "DELETE FROM tokens WHERE id IN (SELECT value FROM json_each($1))",
            "DELETE FROM tokens \
             WHERE id IN (SELECT CAST(v AS BIGINT) FROM json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)) v)",
        );
        Ok(self.execute(&Sql::new(sql).bind(json_list(&ids)))?)
    }

    /// Revokes a token. One that was revoked before keeps its time.
    pub(in crate::directory) fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<u64, Error> {
        let sql = Sql::new("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL");
        Ok(self.execute(&sql.bind(now).bind(id))?)
    }
}
