//! The first reading of a source: what it holds, and where it contradicts itself. The account database is not read, and
//! nothing is written.
//!
//! Memory grows with the source by about 80 bytes a user and 8 a token: values that must be unique are kept as hashes.

mod refused_values;
mod unique_values;
pub(super) mod validator;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use self::unique_values::UniqueField;
use super::notices::Notices;
use super::report::ImportReport;
use super::source::LeftOutUsers;
use crate::directory::model::KeptDigest;
use crate::directory::transfer::record::UserRecord;

/// What the validation found in a source.
#[derive(Default)]
pub(super) struct Validation {
    permissions: u64,
    groups: u64,
    users: u64,
    tokens: u64,
    deleted_users: u64,
    deleted_groups: u64,
    ended_tokens: u64,
    active_admins: u64,
    passwords: BTreeMap<String, u64>,
    conflicts: Notices,
    notices: Notices,
    /// The ids of the users that have one, ascending.
    user_ids: Vec<i64>,
    /// Hashes of the usernames, ascending.
    usernames: Vec<u64>,
    hasher: RandomState,
    /// The codes of the permissions that have an id, by the id; 0 if several have it.
    permission_codes: HashMap<i64, i64>,
    group_ids: HashSet<i64>,
    deleted_user_ids: HashSet<i64>,
    deleted_group_ids: HashSet<i64>,
    group_names: HashSet<String>,
    /// The prefixes of the digests of the tokens, ascending.
    token_digests: Vec<u64>,
    /// Whether a user, or the owner of a token, has a name and no id.
    refers_by_name: bool,
    /// Unique fields that some user leaves out: it is not known which value that user keeps.
    omitted: HashSet<&'static str>,
    /// Whether the header says that the records are anonymised.
    is_anonymised: bool,
    /// Unique values that several users share.
    duplicates: Notices,
    /// The users that lose such a value to a user with a lower id.
    duplicated: HashSet<(UniqueField, i64)>,
    /// Users that the source has and left out.
    left_out: LeftOutUsers,
}

impl Validation {
    /// Returns whether the source has a user with this id.
    pub(super) fn has_user(&self, id: i64) -> bool {
        self.user_ids.binary_search(&id).is_ok()
    }

    /// Returns whether a user who is not among the records may be in the source, left out.
    pub(super) fn is_left_out(&self, id: i64) -> bool {
        self.left_out.without_id > 0 || self.left_out.ids.contains(&id)
    }

    /// Returns whether the source has a user with this name.
    pub(super) fn has_username(&self, name: &str) -> bool {
        self.usernames.binary_search(&self.hasher.hash_one(name)).is_ok()
    }

    /// Returns whether the source has a group with this id.
    pub(super) fn has_group_id(&self, id: i64) -> bool {
        self.group_ids.contains(&id)
    }

    /// Returns the code of the source's permission with this id. Elsewhere the id may mean another one.
    pub(super) fn code_of_permission(&self, id: i64) -> Option<i64> {
        self.permission_codes.get(&id).copied().filter(|code| *code != 0)
    }

    /// Returns whether the source has a user with this id, deleted or not.
    pub(super) fn describes_user(&self, id: i64) -> bool {
        self.has_user(id) || self.deleted_user_ids.contains(&id)
    }

    /// Returns whether the source has a group with this id, deleted or not.
    pub(super) fn describes_group(&self, id: i64) -> bool {
        self.has_group_id(id) || self.deleted_group_ids.contains(&id)
    }

    /// Returns whether the source has a group with this name.
    pub(super) fn has_group_name(&self, name: &str) -> bool {
        self.group_names.contains(name)
    }

    /// Returns whether the source has a token with this digest, given in hexadecimal digits.
    pub(super) fn has_token(&self, digest: &str) -> bool {
        let prefix = digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        prefix.is_some_and(|prefix| self.token_digests.binary_search(&prefix).is_ok())
    }

    /// Returns whether some user of the source leaves out this unique field.
    pub(super) fn omits(&self, field: &str) -> bool {
        self.omitted.contains(field)
    }

    /// Returns whether the source holds any users.
    pub(super) fn has_users(&self) -> bool {
        self.users > 0
    }

    /// Returns whether the source holds any groups.
    pub(super) fn has_groups(&self) -> bool {
        self.groups > 0
    }

    /// Returns whether the source holds any tokens.
    pub(super) fn has_tokens(&self) -> bool {
        self.tokens > 0
    }

    /// Returns whether some record names a user by its username alone, so that the user must be looked up.
    pub(super) fn refers_by_name(&self) -> bool {
        self.refers_by_name
    }

    /// Takes unique values away from a user that shares them with a user with a lower id.
    pub(super) fn clear_duplicates(&self, user: &mut UserRecord, position: u64) {
        let id = user.id.unwrap_or_else(|| placeholder_id(position));
        if self.duplicated.contains(&(UniqueField::Email, id)) {
            user.email = Some(None);
        }
        if self.duplicated.contains(&(UniqueField::MobileNumber, id)) {
            user.mobile_number = Some(None);
        }
    }

    /// Writes what was found to the report of an import into a database that has users, or has none.
    pub(super) fn report(&self, report: &mut ImportReport, clear_duplicates: bool, is_empty: bool) {
        report.passwords.clone_from(&self.passwords);
        report.conflicts.extend(self.conflicts.clone());
        report.notices.extend(self.notices.clone());
        let duplicates = if clear_duplicates { &mut report.notices } else { &mut report.conflicts };
        duplicates.extend(self.duplicates.clone());
        report.permissions.read = self.permissions;
        report.groups.read = self.groups;
        report.users.read = self.users;
        report.tokens.read = self.tokens;
        report.deleted_users.read = self.deleted_users;
        report.deleted_groups.read = self.deleted_groups;
        report.ended_tokens.read = self.ended_tokens;
        if self.is_anonymised && !is_empty {
            report.conflicts.add(
                "anonymised records would overwrite the users here",
                "import them into an empty account database",
            );
        }
        if is_empty && self.users > 0 && self.active_admins == 0 {
            report
                .notices
                .add("the source has no active admin", "create one with `wardroom user add NAME --admin`");
        }
    }
}

/// Stands for the id of a user that has none: its position in the source.
fn placeholder_id(position: u64) -> i64 {
    i64::MIN.saturating_add_unsigned(position)
}

/// Returns whether some text contains U+0000, which PostgreSQL cannot store.
pub(super) fn has_null(mut texts: impl Iterator<Item: AsRef<str>>) -> bool {
    texts.any(|text| text.as_ref().contains('\0'))
}

/// Returns the prefix of a digest. Digests are random, so it identifies one.
fn digest_prefix(digest: &KeptDigest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
