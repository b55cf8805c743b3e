//! A user as stored, with whatever text an import left in the row.

use std::time::Duration;

use super::{GroupId, Timestamp, UserId};

/// How long a user counts as online after one of its tokens was used.
pub const ONLINE_FOR: Duration = Duration::from_mins(5);

/// A person or service account. The password is not part of it, so that no code that shows a user can leak it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Unique, never used again after a deletion.
    pub id: UserId,
    /// Unique, compared exactly.
    pub username: String,
    /// Unique when not empty.
    pub mobile_number: Option<String>,
    /// Unique when not empty.
    pub email: Option<String>,
    /// The name of the stored image in the media directory.
    pub avatar: Option<String>,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// As stored. Only values of [`super::Gender`] can be written.
    pub gender: Option<String>,
    /// An inactive user cannot authenticate.
    pub is_active: bool,
    /// May enter the back office. Its permissions decide what it may do there.
    pub is_staff: bool,
    /// May do everything (Django's `is_superuser`).
    pub is_admin: bool,
    /// The last sign-in with a password or code. Using a token does not change it.
    pub last_login: Option<Timestamp>,
    /// When one of its tokens was last used, as far as recorded.
    pub last_seen_at: Option<Timestamp>,
    /// When the user was created, here or in the system it was imported from.
    pub created_at: Timestamp,
    /// When the row was last changed.
    pub updated_at: Timestamp,
    /// The groups the user belongs to, ascending.
    pub groups: Vec<GroupId>,
}

impl User {
    /// Whether one of its tokens was used in the last minutes before `now`.
    pub fn is_online(&self, now: Timestamp) -> bool {
        self.last_seen_at.is_some_and(|seen| seen >= now.saturating_sub(ONLINE_FOR))
    }

    /// Returns first and last name with one blank between, stripped of outer white space as in Python, where U+001C to U+001F
    /// count as white space although Unicode does not say so.
    pub fn full_name(&self) -> String {
        let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        format!("{} {}", self.first_name, self.last_name).trim_matches(blank).to_owned()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn person(first_name: &str, last_name: &str) -> User {
        User {
            id: UserId::try_from(1).unwrap(),
            username: "ann".into(),
            mobile_number: None,
            email: None,
            avatar: None,
            first_name: first_name.into(),
            last_name: last_name.into(),
            gender: None,
            is_active: true,
            is_staff: false,
            is_admin: false,
            last_login: None,
            last_seen_at: None,
            created_at: Timestamp::from_micros(0).unwrap(),
            updated_at: Timestamp::from_micros(0).unwrap(),
            groups: vec![],
        }
    }

    #[test]
    fn full_name_is_stripped_outside_and_untouched_inside() {
        assert_eq!(person("  Ann ", " Lee  ").full_name(), "Ann   Lee");
        assert_eq!(person("", "").full_name(), "");
        assert_eq!(person("Ann", "").full_name(), "Ann");
        assert_eq!(person("\u{3000}\u{1f}Ann", "Lee\u{a0}").full_name(), "Ann Lee");
        assert_eq!(person("\u{200b}Ann", "Lee").full_name(), "\u{200b}Ann Lee");
    }
}
