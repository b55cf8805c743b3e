//! What an import found and did, as numbers and examples.
//!
//! Never in here: a whole value of a secret; and no list that grows with the source.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Value, json};

use super::Import;
use super::missing::Missing;
use super::pass::Tally;

/// Examples that are told of a kind of notice.
const EXAMPLES: usize = 5;

/// Notices, counted by their text, with the first few cases of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(BTreeMap<String, Notice>);

/// How often something was met, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// How often.
    pub count: u64,
    /// The first cases.
    pub examples: Vec<String>,
}

impl Notices {
    /// Notes one more case of what `told` says.
    pub fn add(&mut self, told: &str, example: impl Display) {
        if !self.0.contains_key(told) {
            self.0.insert(told.to_owned(), Notice::default());
        }
        if let Some(notice) = self.0.get_mut(told) {
            notice.count += 1;
            if notice.examples.len() < EXAMPLES {
                notice.examples.push(example.to_string());
            }
        }
    }

    /// Takes over what somebody else noted.
    pub fn extend(&mut self, other: Self) {
        for (told, notice) in other.0 {
            let known = self.0.entry(told).or_default();
            known.count += notice.count;
            let room = EXAMPLES.saturating_sub(known.examples.len());
            known.examples.extend(notice.examples.into_iter().take(room));
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each notice by its text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Notice)> {
        self.0.iter().map(|(told, notice)| (told.as_str(), notice))
    }

    fn to_json(&self) -> Value {
        self.iter()
            .map(|(told, notice)| json!({ "what": told, "count": notice.count, "examples": notice.examples }))
            .collect()
    }
}

/// What became, or would become, of the records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the source.
    pub read: u64,
    /// Not in the directory before.
    pub added: u64,
    /// In the directory, but other.
    pub changed: u64,
    /// In the directory as they are.
    pub unchanged: u64,
    /// In the directory, but not in the source.
    pub missing: u64,
    /// Taken out of the directory, or revoked.
    pub removed: u64,
}

impl Counts {
    fn to_json(self) -> Value {
        json!({
            "read": self.read, "added": self.added, "changed": self.changed, "unchanged": self.unchanged,
            "missing": self.missing, "removed": self.removed,
        })
    }

    /// Whether anything is, or would be, written.
    pub fn writes(&self) -> bool {
        self.added + self.changed + self.removed > 0
    }
}

/// What an import found and did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where the records came from, without secrets.
    pub source: String,
    /// What is read from where.
    pub mapping: Vec<(String, String)>,
    /// Whether nothing was written because nothing was to be.
    pub dry_run: bool,
    /// Permissions.
    pub permissions: Counts,
    /// Groups.
    pub groups: Counts,
    /// Users.
    pub users: Counts,
    /// Tokens.
    pub tokens: Counts,
    /// Users in the recycle bin.
    pub deleted_users: Counts,
    /// Users by what their passwords are encoded with.
    pub passwords: BTreeMap<String, u64>,
    /// How often each field of a user differed.
    pub changed_fields: BTreeMap<&'static str, u64>,
    /// Images that were put into the media directory.
    pub media: u64,
    /// What keeps the import from being done.
    pub conflicts: Notices,
    /// What is left out or deserves a look.
    pub notices: Notices,
}

impl Report {
    /// What is known of an import once its source was surveyed.
    pub(super) fn of(import: &Import, is_empty: bool) -> Self {
        let Import { source, survey, options, .. } = import;
        let mut report = Self {
            source: source.describe(),
            mapping: source.mapping(),
            dry_run: options.dry_run,
            passwords: survey.passwords.clone(),
            conflicts: survey.conflicts.clone(),
            notices: survey.notices.clone(),
            ..Self::default()
        };
        let repeats = if options.clear_duplicates { &mut report.notices } else { &mut report.conflicts };
        repeats.extend(survey.repeats.clone());
        for (counts, read) in [
            (&mut report.permissions, survey.permissions),
            (&mut report.groups, survey.groups),
            (&mut report.users, survey.users),
            (&mut report.tokens, survey.tokens),
            (&mut report.deleted_users, survey.deleted),
        ] {
            counts.read = read;
        }
        if survey.is_anonymised && !is_empty {
            report.conflicts.add(
                "anonymised records would make others of the people here",
                "bring them into an empty directory",
            );
        }
        if is_empty && survey.users > 0 && survey.active_admins == 0 {
            report
                .notices
                .add("the source has no active admin", "make one with `wardroom user add NAME --admin`");
        }
        report
    }

    /// Takes over what a pass counted; a later pass counts anew.
    pub(super) fn take(&mut self, tally: Tally) {
        let Tally { permissions, groups, users, tokens, deleted, changed_fields, conflicts, notices } = tally;
        for (counts, new) in [
            (&mut self.permissions, permissions),
            (&mut self.groups, groups),
            (&mut self.users, users),
            (&mut self.tokens, tokens),
            (&mut self.deleted_users, deleted),
        ] {
            *counts = Counts { missing: counts.missing, removed: counts.removed, ..new };
        }
        self.changed_fields = changed_fields;
        for (told, notice) in notices.0 {
            self.notices.0.insert(told, notice);
        }
        self.conflicts.extend(conflicts);
    }

    /// Takes over what the source does not hold.
    pub(super) fn take_missing(&mut self, missing: &Missing) {
        let count = |ids: &Vec<i64>| ids.len() as u64;
        self.users.missing = count(&missing.users);
        self.groups.missing = count(&missing.groups);
        self.tokens.missing = count(&missing.tokens);
    }

    /// Whether nothing was written because of conflicts.
    pub fn is_refused(&self) -> bool {
        !self.conflicts.is_empty()
    }

    /// The counts by what is counted.
    pub fn counts(&self) -> [(&'static str, Counts); 5] {
        [
            ("permissions", self.permissions),
            ("groups", self.groups),
            ("users", self.users),
            ("tokens", self.tokens),
            ("deleted users", self.deleted_users),
        ]
    }

    /// The report for programs.
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
            "passwords": self.passwords,
            "changed_fields": self.changed_fields,
            "media": self.media,
            "conflicts": self.conflicts.to_json(),
            "notices": self.notices.to_json(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_counts_all_cases_and_tells_the_first_few() {
        let (mut one, mut other) = (Notices::default(), Notices::default());
        (0..7).for_each(|number| one.add("odd", number));
        (0..3).for_each(|number| other.add("even", number));
        other.add("odd", "x");
        one.extend(other);
        let told: Vec<_> =
            one.iter().map(|(told, notice)| (told, notice.count, notice.examples.len())).collect();
        assert_eq!(told, [("even", 3, 3), ("odd", 8, 5)]);
    }
}
