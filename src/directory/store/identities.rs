//! The statement behind every authenticated request: it reads token, owner, groups and rights together.

use super::users::{numbers, optional_time};
use super::{tokens, users};
use crate::database::{DatabaseError, FirstRead, FromRow, Row, Sql};
use crate::directory::model::{
    GroupId, Identity, KeptDigest, NamedIdentity, Narrowing, Timestamp, Token, TokenDigest, TokenId, User,
};

/// The codes of all permissions that the user `u` holds, separated by commas.
macro_rules! rights {
    () => {
        concat!(
            "concat_ws(',', ",
            users::own_codes!(),
            ", (SELECT string_agg(CAST(p.code AS TEXT), ',') FROM memberships m \
                JOIN group_permissions gp ON gp.group_id = m.group_id \
                JOIN permissions p ON p.id = gp.permission_id WHERE m.user_id = u.id))"
        )
    };
}

/// The groups of the user `u`: of each the id, the number of characters of its name, and the name.
macro_rules! group_names {
    () => {
        "(SELECT string_agg(CAST(g.id AS TEXT) || ':' || CAST(length(g.name) AS TEXT) || ':' || g.name, ',') \
          FROM memberships m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id)"
    };
}

macro_rules! select {
    ($($more:tt)*) => {
        concat!(
            "SELECT ",
            tokens::columns!(),
            ", ",
            users::columns!(),
            ", ",
            rights!(),
            $($more)*,
            " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t."
        )
    };
}

/// Whether the names of an identity's groups are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum GroupNames {
    Read,
    LeftOut,
}

impl GroupNames {
    fn select(self) -> Sql {
        Sql::new(match self {
            Self::Read => select!(concat!(", ", group_names!())),
            Self::LeftOut => select!(", CAST(NULL AS TEXT)"),
        })
    }
}

/// Selects the [`NamedIdentity`] of a key's digest, whatever its state. `identity` decides whether the token is valid.
pub(in crate::directory) fn find(digest: TokenDigest, names: GroupNames) -> Sql {
    let mut sql = names.select();
    sql.push("digest = $1");
    sql.bind(KeptDigest::Sha256(digest))
}

/// Selects the same by the digests that another system may have stored for the key.
pub(in crate::directory) fn find_imported([one, other]: [Option<KeptDigest>; 2], names: GroupNames) -> Sql {
    let mut sql = names.select();
    sql.push("digest IN ($1, $2)");
    sql.bind(one).bind(other)
}

/// Selects the identity of a token, whatever its state.
pub(in crate::directory) fn of_token(id: TokenId) -> Sql {
    Sql::new(concat!(select!(""), "id = $1")).bind(id)
}

/// The parts of an identity that decide what an actor may do, as they are now, before the token narrows them. An admin may do
/// everything, so groups and rights are only read for others.
pub(in crate::directory) struct CurrentIdentity {
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    narrowing: Narrowing,
    username: String,
    is_active: bool,
    is_staff: bool,
    is_admin: bool,
    groups: Vec<GroupId>,
    rights: Vec<i64>,
}

/// Selects the current state of an identity that was read before. No row if its token is gone or has another owner.
pub(in crate::directory) fn current(seen: &Identity) -> Sql {
    Sql::new(concat!(
        "SELECT t.expires_at, t.revoked_at, t.scopes, t.read_only, t.allowed_networks, u.username, u.is_active, u.is_staff, u.is_admin, \
         CASE WHEN u.is_admin AND t.scopes IS NULL THEN NULL ELSE \
             (SELECT string_agg(CAST(m.group_id AS TEXT), ',') FROM memberships m WHERE m.user_id = u.id) END, \
         CASE WHEN u.is_admin THEN NULL ELSE ",
        rights!(),
        " END FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1 AND t.user_id = $2"
    ))
    .bind(seen.token.id)
    .bind(seen.user.id)
}

/// Returns the same as a read that a change begins with. Of what it depends on, a write of a user's row changes that alone.
pub(in crate::directory) fn first_read_of_current(seen: &Identity) -> FirstRead {
    FirstRead { sql: current(seen), subject: users::subject(seen.user.id) }
}

impl CurrentIdentity {
    /// Whether nothing has changed. Groups and rights of an admin are not compared; a token with scopes counts as changed.
    pub(in crate::directory) fn is_still(&self, seen: &Identity) -> bool {
        let (token, user) = (&seen.token, &seen.user);
        let ends = (self.expires_at, self.revoked_at) == (token.expires_at, token.revoked_at);
        // What scopes leave of flags and rights is computed, not compared.
        let is_whole = self.narrowing.scopes.is_none() && self.narrowing == token.narrowing;
        let flags = (self.is_active, self.is_staff, self.is_admin);
        ends && is_whole
            && flags == (user.is_active, user.is_staff, user.is_admin)
            && self.username == user.username
            && (self.is_admin || (self.groups == user.groups && self.rights == seen.rights))
    }

    /// Returns the identity as it is now.
    pub(in crate::directory) fn of(self, seen: &Identity) -> Identity {
        let token = Token {
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            narrowing: self.narrowing,
            ..seen.token.clone()
        };
        let user = User {
            username: self.username,
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_admin: self.is_admin,
            groups: self.groups,
            ..seen.user.clone()
        };
        Identity::new(token, user, self.rights)
    }
}

impl FromRow for CurrentIdentity {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            expires_at: optional_time(row.next()?)?,
            revoked_at: optional_time(row.next()?)?,
            narrowing: Narrowing::from_row(row)?,
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
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let (token, user) = (Token::from_row(row)?, User::from_row(row)?);
        Ok(Self::new(token, user, numbers(row.next()?, "permission code")?))
    }
}

impl FromRow for NamedIdentity {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { identity: Identity::from_row(row)?, group_names: names(row.next()?)? })
    }
}

/// Reads what `group_names!` selects, and returns the names in the order of the ids. The database does not sort them; see
/// [`numbers`].
fn names(list: Option<String>) -> Result<Vec<String>, DatabaseError> {
    let list = list.unwrap_or_default();
    let (mut rest, mut found) = (list.as_str(), Vec::new());
    while !rest.is_empty() {
        let (group, after) = group(rest).ok_or_else(|| DatabaseError::corrupt("group name"))?;
        found.push(group);
        rest = after;
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, name)| name.to_owned()).collect())
}

/// Splits the first group off: its id and name, and the rest after the comma.
fn group(list: &str) -> Option<((i64, &str), &str)> {
    let (id, rest) = list.split_once(':')?;
    let (length, rest) = rest.split_once(':')?;
    let length: usize = length.parse().ok()?;
    let end = rest.char_indices().nth(length).map_or(rest.len(), |(end, _)| end);
    let (name, rest) = rest.split_at_checked(end)?;
    Some(((id.parse().ok()?, name), rest.strip_prefix(',').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_separators_are_read_in_the_order_of_the_ids() {
        let list = "10:3:a,b,9:0:,-2:4:1:2:,11:1:\u{e9}";
        assert_eq!(names(Some(list.into())).unwrap(), ["1:2:", "", "a,b", "\u{e9}"]);
        assert!(names(None).unwrap().is_empty());
        for damaged in ["x", "1:x:a", ":1:a", "1:1"] {
            assert!(names(Some(damaged.into())).is_err(), "{damaged}");
        }
    }
}
