//! The statement behind every authenticated request: token, owner, groups and rights together.

use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::users::{moment, numbers};
use super::{tokens, users};
use crate::directory::model::{GroupId, Identity, KeptDigest, Timestamp, Token, TokenDigest, TokenId, User};

/// The codes of all that the user `u` holds, with commas between.
macro_rules! rights {
    () => {
        "concat_ws(',', \
             (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM user_permissions up \
                JOIN permissions p ON p.id = up.permission_id WHERE up.user_id = u.id), \
             (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM memberships m \
                JOIN group_permissions gp ON gp.group_id = m.group_id \
                JOIN permissions p ON p.id = gp.permission_id WHERE m.user_id = u.id))"
    };
}

macro_rules! select {
    () => {
        concat!(
            "SELECT ",
            tokens::columns!(),
            ", ",
            users::columns!(),
            ", ",
            rights!(),
            " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t."
        )
    };
}

/// The identity of a key's digest, whatever its state: whether the token still opens the door is for
/// `identity` to say.
pub(in crate::directory) fn find(digest: TokenDigest) -> Sql {
    Sql::new(concat!(select!(), "digest = $1")).bind(KeptDigest::Sha256(digest))
}

/// The same of the digests by which another system may have kept a key.
pub(in crate::directory) fn find_imported([one, other]: [Option<KeptDigest>; 2]) -> Sql {
    Sql::new(concat!(select!(), "digest IN ($1, $2)")).bind(one).bind(other)
}

/// The identity that a token stands for, whatever its state.
pub(in crate::directory) fn of_token(id: TokenId) -> Sql {
    Sql::new(concat!(select!(), "id = $1")).bind(id)
}

/// What may have changed of an identity since it was read, as far as somebody who acts is judged by it. An admin may
/// do everything, so groups and rights are read of the others alone.
pub(in crate::directory) struct Present {
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    username: String,
    is_active: bool,
    is_staff: bool,
    is_admin: bool,
    groups: Vec<GroupId>,
    rights: Vec<i64>,
}

/// What there is now of an identity that was read before; nothing when its token is gone, or somebody else's.
pub(in crate::directory) fn present(seen: &Identity) -> Sql {
    Sql::new(concat!(
        "SELECT t.expires_at, t.revoked_at, u.username, u.is_active, u.is_staff, u.is_admin, \
         CASE WHEN u.is_admin THEN NULL ELSE \
             (SELECT string_agg(CAST(m.group_id AS TEXT), ',') FROM memberships m WHERE m.user_id = u.id) END, \
         CASE WHEN u.is_admin THEN NULL ELSE ",
        rights!(),
        " END FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1 AND t.user_id = $2"
    ))
    .bind(seen.token.id)
    .bind(seen.user.id)
}

impl Present {
    /// Whether nothing has changed. Of an admin neither groups nor rights are asked.
    pub(in crate::directory) fn is_still(&self, seen: &Identity) -> bool {
        let (token, user) = (&seen.token, &seen.user);
        let ends = (self.expires_at, self.revoked_at) == (token.expires_at, token.revoked_at);
        let flags = (self.is_active, self.is_staff, self.is_admin);
        ends && flags == (user.is_active, user.is_staff, user.is_admin)
            && self.username == user.username
            && (self.is_admin || (self.groups == user.groups && self.rights == seen.rights))
    }

    /// The identity as it is now.
    pub(in crate::directory) fn of(self, seen: &Identity) -> Identity {
        let token = Token { expires_at: self.expires_at, revoked_at: self.revoked_at, ..seen.token.clone() };
        let user = User {
            username: self.username,
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_admin: self.is_admin,
            groups: self.groups,
            ..seen.user.clone()
        };
        Identity { token, user, rights: self.rights }
    }
}

impl FromRow for Present {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            expires_at: moment(row.next()?)?,
            revoked_at: moment(row.next()?)?,
            username: row.next()?,
            is_active: row.next()?,
            is_staff: row.next()?,
            is_admin: row.next()?,
            groups: numbers(row.next()?, "group id")?,
            rights: numbers(row.next()?, "permission code")?,
        })
    }
}

impl FromRow for Identity {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            token: Token::from_row(row)?,
            user: User::from_row(row)?,
            rights: numbers(row.next()?, "permission code")?,
        })
    }
}
