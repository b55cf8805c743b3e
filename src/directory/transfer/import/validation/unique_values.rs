//! Values of a source that must be unique, kept as hashes and compared when all of them are there.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::directory::model::fold;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::record::UserRecord;

/// A field of a user that no two may share, unless it is empty. Unlike a shared username, a shared value can be cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum UniqueField {
    Email,
    MobileNumber,
}

impl UniqueField {
    const ALL: [Self; 2] = [Self::Email, Self::MobileNumber];

    fn shared(self) -> &'static str {
        match self {
            Self::Email => "users share one e-mail address (--clear-duplicates leaves it to the lowest id)",
            Self::MobileNumber => {
                "users share one mobile number (--clear-duplicates leaves it to the lowest id)"
            }
        }
    }

    fn of(self, user: &UserRecord) -> Option<&str> {
        let value = match self {
            Self::Email => &user.email,
            Self::MobileNumber => &user.mobile_number,
        };
        value.as_ref()?.as_deref().filter(|value| !value.is_empty())
    }
}

/// The hashes of a name, folded and as it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NameHash {
    folded: u64,
    exact: u64,
}

/// The values by which the records of a source are compared with each other.
#[derive(Default)]
pub(super) struct UniqueHashes {
    hasher: RandomState,
    /// With the ids of the users.
    usernames: Vec<(NameHash, i64)>,
    values: Vec<(UniqueField, u64, i64)>,
    group_names: Vec<(NameHash, String)>,
}

impl UniqueHashes {
    fn hash(&self, name: &str) -> NameHash {
        NameHash { folded: self.hasher.hash_one(fold(name)), exact: self.hasher.hash_one(name) }
    }

    pub(super) fn add_group(&mut self, name: &str) {
        self.group_names.push((self.hash(name), name.to_owned()));
    }

    /// Adds the values of a user with this id.
    pub(super) fn add_user(&mut self, user: &UserRecord, id: i64) {
        self.usernames.push((self.hash(&user.username), id));
        for field in UniqueField::ALL {
            if let Some(value) = field.of(user) {
                self.values.push((field, self.hasher.hash_one(value), id));
            }
        }
    }

    /// Compares the names of users and groups.
    pub(super) fn check_names(&mut self, conflicts: &mut Notices, notices: &mut Notices) {
        self.usernames.sort_unstable();
        for ((name, id), (next, next_id)) in neighbours(&self.usernames) {
            if name.exact == next.exact {
                conflicts.add("two users have one username", pair(*id, *next_id));
            } else if name.folded == next.folded {
                notices.add("usernames differ only by case", pair(*id, *next_id));
            }
        }
        self.group_names.sort_unstable();
        for ((hash, name), (next_hash, next)) in neighbours(&self.group_names) {
            if hash.exact == next_hash.exact {
                conflicts.add("two groups have one name", format!("{name:?}"));
            } else if hash.folded == next_hash.folded {
                notices.add("names of groups differ only by case", format!("{name:?} and {next:?}"));
            }
        }
    }

    /// Compares the other unique values of the users. Returns the users that share a value with a user with a lower id.
    pub(super) fn duplicates(&mut self, duplicates: &mut Notices) -> HashSet<(UniqueField, i64)> {
        let mut users = HashSet::new();
        self.values.sort_unstable();
        let mut first = None;
        for &(field, value, id) in &self.values {
            match first {
                Some((known, known_value, first_id)) if (known, known_value) == (field, value) => {
                    users.insert((field, id));
                    duplicates.add(field.shared(), pair(first_id, id));
                }
                _ => first = Some((field, value, id)),
            }
        }
        users
    }

    /// Returns the hashes of the usernames, ascending, and their hasher.
    pub(super) fn into_usernames(self) -> (Vec<u64>, RandomState) {
        let mut hashes: Vec<_> = self.usernames.into_iter().map(|(name, _)| name.exact).collect();
        hashes.sort_unstable();
        (hashes, self.hasher)
    }
}

/// Iterates over each value with the next one.
pub(super) fn neighbours<T>(sorted: &[T]) -> impl Iterator<Item = (&T, &T)> {
    sorted.iter().zip(sorted.iter().skip(1))
}

fn pair(one: i64, other: i64) -> String {
    let describe = |id: i64| match id {
        1.. => id.to_string(),
        _ => format!("the one at position {}", id.abs_diff(i64::MIN)),
    };
    format!("users {} and {}", describe(one), describe(other))
}
