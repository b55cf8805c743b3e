//! Ids. Each kind of object has a type of its own, so that the id of a group is never taken for that of a user.

use std::fmt;
use std::num::IntErrorKind;
use std::str::FromStr;

use super::text::Violation;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// Returns the number in the database and on the wire.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = Violation;
            fn try_from(raw: i64) -> Result<Self, Violation> {
                if raw > 0 { Ok(Self(raw)) } else { Err(Violation::AtLeast(1)) }
            }
        }

        impl FromStr for $name {
            type Err = Violation;
            fn from_str(raw: &str) -> Result<Self, Violation> {
                parse_id(raw).and_then(Self::try_from)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The id of a user.
    UserId
}
id! {
    /// The id of a group.
    GroupId
}
id! {
    /// The id of a permission row; its public number is the permission's code.
    PermissionId
}
id! {
    /// The id of a token, which is not its key.
    TokenId
}

impl UserId {
    /// The placeholder in a row that has no id yet.
    pub(in crate::directory) const UNSAVED: Self = Self(0);
}

impl GroupId {
    /// The placeholder in a row that has no id yet.
    pub(in crate::directory) const UNSAVED: Self = Self(0);
}

impl TokenId {
    /// The placeholder in a row that has no id yet.
    pub(in crate::directory) const UNSAVED: Self = Self(0);
}

fn parse_id(raw: &str) -> Result<i64, Violation> {
    raw.parse::<i64>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Violation::IdRange,
        _ => Violation::Integer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_positive_integer_of_64_bits() {
        assert_eq!("9007199254740993".parse::<UserId>().unwrap().get(), 9_007_199_254_740_993);
        assert_eq!("9223372036854775808".parse::<UserId>(), Err(Violation::IdRange));
        assert_eq!("0".parse::<UserId>(), Err(Violation::AtLeast(1)));
        assert_eq!("-3".parse::<GroupId>(), Err(Violation::AtLeast(1)));
        assert_eq!("4x".parse::<TokenId>(), Err(Violation::Integer));
    }
}
