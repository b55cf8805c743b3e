//! What a comparison counts.

use std::collections::BTreeMap;

use super::error::ImportError;
use super::notices::Notices;
use super::report::{ImportReport, RecordCounts};

/// The counts of a comparison. `read`, `missing` and `removed` are counted elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct DiffCounts {
    pub(super) permissions: RecordCounts,
    pub(super) groups: RecordCounts,
    pub(super) users: RecordCounts,
    pub(super) tokens: RecordCounts,
    pub(super) deleted_users: RecordCounts,
    pub(super) deleted_groups: RecordCounts,
    pub(super) ended_tokens: RecordCounts,
    pub(super) changed_fields: BTreeMap<&'static str, u64>,
    pub(super) conflicts: Notices,
    pub(super) notices: Notices,
}

impl DiffCounts {
    /// Returns how many rows of each kind are new or differ, by the names that the audit trail uses.
    pub(super) fn differing(&self) -> [(&'static str, u64); 7] {
        [
            ("permissions", self.permissions),
            ("groups", self.groups),
            ("users", self.users),
            ("tokens", self.tokens),
            ("deleted_users", self.deleted_users),
            ("deleted_groups", self.deleted_groups),
            ("ended_tokens", self.ended_tokens),
        ]
        .map(|(name, counts)| (name, counts.added + counts.changed))
    }

    /// Fails if there is a conflict. A comparison before the writing reports them instead.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        match self.conflicts.iter().next() {
            None => Ok(()),
            Some((text, notice)) => {
                Err(ImportError::Invalid(format!("{text}: {}", notice.examples.join("; "))))
            }
        }
    }

    /// Writes the counts to the report, in place of those of an earlier comparison.
    pub(super) fn report(self, report: &mut ImportReport) {
        for (counts, new) in [
            (&mut report.permissions, self.permissions),
            (&mut report.groups, self.groups),
            (&mut report.users, self.users),
            (&mut report.tokens, self.tokens),
            (&mut report.deleted_users, self.deleted_users),
            (&mut report.deleted_groups, self.deleted_groups),
            (&mut report.ended_tokens, self.ended_tokens),
        ] {
            let RecordCounts { added, changed, unchanged, .. } = new;
            *counts = RecordCounts { added, changed, unchanged, ..*counts };
        }
        report.changed_fields = self.changed_fields;
        report.notices.replace(self.notices);
        report.conflicts.extend(self.conflicts);
    }
}
