//! How a user or a group is looked up: by id or by name.
//!
//! On a command line, digits alone are an id. `id:7` and `name:7` distinguish the two when a name consists of digits.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::{GroupId, Permission, PermissionId, UserId};

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            /// By id.
            Id($id),
            /// By the exact name.
            Name(String),
        }

        impl FromStr for $name {
            type Err = Infallible;
            fn from_str(raw: &str) -> Result<Self, Infallible> {
                if let Some(name) = raw.strip_prefix("name:") {
                    return Ok(Self::Name(name.to_owned()));
                }
                let digits = raw.strip_prefix("id:").unwrap_or(raw);
                Ok(digits.parse().map_or_else(|_| Self::Name(raw.to_owned()), Self::Id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Id(id) => write!(f, "with id {id}"),
                    Self::Name(name) => write!(f, "named {name:?}"),
                }
            }
        }
    };
}

key! {
    /// The id or name of a user.
    UserKey, UserId
}
key! {
    /// The id or name of a group.
    GroupKey, GroupId
}

/// The code, id or name of a permission. Digits alone are the code, which is its public number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermissionKey {
    /// By code.
    Code(i64),
    /// By the id of its row, as bodies of the API name it.
    Id(PermissionId),
    /// By the exact name.
    Name(String),
}

impl FromStr for PermissionKey {
    type Err = Infallible;
    fn from_str(raw: &str) -> Result<Self, Infallible> {
        if let Some(id) = raw.strip_prefix("id:").and_then(|digits| digits.parse().ok()) {
            return Ok(Self::Id(id));
        }
        Ok(raw.parse().map_or_else(|_| Self::Name(raw.to_owned()), Self::Code))
    }
}

impl fmt::Display for PermissionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "with code {code}"),
            Self::Id(id) => write!(f, "with id {id}"),
            Self::Name(name) => write!(f, "named {name:?}"),
        }
    }
}

impl PermissionKey {
    /// Whether it means this permission.
    pub fn is(&self, permission: &Permission) -> bool {
        match self {
            Self::Code(code) => permission.code == *code,
            Self::Id(id) => permission.id == *id,
            Self::Name(name) => permission.name == *name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_an_id_unless_said_otherwise() {
        let id = UserKey::Id(7.try_into().unwrap());
        assert_eq!("7".parse(), Ok(id.clone()));
        assert_eq!("id:7".parse(), Ok(id));
        assert_eq!("name:7".parse(), Ok(UserKey::Name("7".into())));
        assert_eq!("ann".parse(), Ok(UserKey::Name("ann".into())));
        assert_eq!("99999999999999999999".parse(), Ok(UserKey::Name("99999999999999999999".into())));
    }
}
