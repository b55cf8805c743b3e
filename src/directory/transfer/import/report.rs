//! The report of an import: numbers, conflicts and notices. The steps of the importer fill it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::notices::Notices;

/// What happened, or would happen, to the records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// In the source.
    pub read: u64,
    /// New to the account database.
    pub added: u64,
    /// In the account database, with other values.
    pub changed: u64,
    /// In the account database with the same values.
    pub unchanged: u64,
    /// In the account database, but not in the source.
    pub missing: u64,
    /// Deleted from the account database, or revoked.
    pub removed: u64,
}

impl RecordCounts {
    fn to_json(self) -> Value {
        json!({
            "read": self.read, "added": self.added, "changed": self.changed, "unchanged": self.unchanged,
            "missing": self.missing, "removed": self.removed,
        })
    }

    /// Returns whether anything is, or would be, written.
    pub fn writes(&self) -> bool {
        self.added + self.changed + self.removed > 0
    }
}

/// What an import found and did.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// The source, without secrets.
    pub source: String,
    /// Which field is read from where.
    pub mapping: Vec<(String, String)>,
    /// Whether it was a dry run, which writes nothing.
    pub dry_run: bool,
    /// Permissions.
    pub permissions: RecordCounts,
    /// Groups.
    pub groups: RecordCounts,
    /// Users.
    pub users: RecordCounts,
    /// Tokens.
    pub tokens: RecordCounts,
    /// Users in the recycle bin.
    pub deleted_users: RecordCounts,
    /// Groups in the recycle bin.
    pub deleted_groups: RecordCounts,
    /// Tokens that ended and are gone with their users.
    pub ended_tokens: RecordCounts,
    /// The number of users by the encoding of their passwords.
    pub passwords: BTreeMap<String, u64>,
    /// How often each field of a user differed.
    pub changed_fields: BTreeMap<&'static str, u64>,
    /// Avatar files that were copied into the media folder.
    pub media: u64,
    /// Why the import is refused.
    pub conflicts: Notices,
    /// What was left out or deserves a look.
    pub notices: Notices,
}

impl ImportReport {
    /// Returns whether the import was refused because of conflicts, so that nothing was written.
    pub fn is_refused(&self) -> bool {
        !self.conflicts.is_empty()
    }

    /// Returns the counts with the names of what they count.
    pub fn counts(&self) -> [(&'static str, RecordCounts); 7] {
        [
            ("permissions", self.permissions),
            ("groups", self.groups),
            ("users", self.users),
            ("tokens", self.tokens),
            ("deleted users", self.deleted_users),
            ("deleted groups", self.deleted_groups),
            ("ended tokens", self.ended_tokens),
        ]
    }

    /// Renders the report for programs.
    pub fn to_json(&self) -> Value {
        let mapping: serde_json::Map<_, _> =
            self.mapping.iter().map(|(to, from)| (to.clone(), json!(from))).collect();
        json!({
            "source": self.source,
            "mapping": mapping,
            "dry_run": self.dry_run,
            "refused": self.is_refused(),
            "permissions": self.permissions.to_json(),
            "groups": self.groups.to_json(),
            "users": self.users.to_json(),
            "tokens": self.tokens.to_json(),
            "deleted_users": self.deleted_users.to_json(),
            "deleted_groups": self.deleted_groups.to_json(),
            "ended_tokens": self.ended_tokens.to_json(),
            "passwords": self.passwords,
            "changed_fields": self.changed_fields,
            "media": self.media,
            "conflicts": self.conflicts.to_json(),
            "notices": self.notices.to_json(),
        })
    }
}
