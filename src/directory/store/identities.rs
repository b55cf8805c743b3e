//! The statement behind every authenticated request: token, owner, groups and rights together.

use super::fault::StoreError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use super::users::numbers;
use super::{tokens, users};
use crate::directory::identity::Identity;
use crate::directory::model::{KeptDigest, Token, TokenDigest, TokenId, User};

macro_rules! select {
    () => {
        concat!(
            "SELECT ",
            tokens::columns!(),
            ", ",
            users::columns!(),
            ", concat_ws(',', \
                 (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM user_permissions up \
                    JOIN permissions p ON p.id = up.permission_id WHERE up.user_id = u.id), \
                 (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM memberships m \
                    JOIN group_permissions gp ON gp.group_id = m.group_id \
                    JOIN permissions p ON p.id = gp.permission_id WHERE m.user_id = u.id)) \
             FROM tokens t JOIN users u ON u.id = t.user_id WHERE t."
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

impl FromRow for Identity {
    fn from_row(row: &mut Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            token: Token::from_row(row)?,
            user: User::from_row(row)?,
            rights: numbers(row.next()?, "permission code")?,
        })
    }
}
