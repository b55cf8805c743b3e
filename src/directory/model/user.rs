//! A user as stored, with whatever text an import left in the row.

use std::time::Duration;

use super::{FieldType, FieldValue, GroupId, Timestamp, UserId, user_fields};

/// How long a user counts as online after one of its tokens was used.
pub const ONLINE_FOR: Duration = Duration::from_mins(5);

/// Defines [`User`] from the list of fields.
macro_rules! user {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        /// A person or service account. The password is not part of it, so that no code that shows a user can leak it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct User {
            /// Unique, never used again after a deletion.
            pub id: UserId,
            /// Unique, compared exactly.
            pub username: String,
            $($(#[$doc])* pub $name: $stored,)+
            $($(#[$flag_doc])* pub $flag: bool,)+
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
            /// Makes a user with a username and defaults. The database gives it an id.
            pub fn new(username: String, now: Timestamp) -> Self {
                Self {
                    id: UserId::UNSAVED,
                    username,
                    $($name: Default::default(),)+
                    $($flag: $default,)+
                    last_login: None,
                    last_seen_at: None,
                    created_at: now,
                    updated_at: now,
                    groups: Vec::new(),
                }
            }

            /// Iterates over the listed fields: their names and values.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, FieldValue<'_>)> {
                [
                    $((stringify!($name), self.$name.value()),)+
                    $((stringify!($flag), self.$flag.value()),)+
                ]
                .into_iter()
            }
        }
    };
}
user_fields!(user);

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
            first_name: first_name.into(),
            last_name: last_name.into(),
            ..User::new("ann".into(), Timestamp::EPOCH)
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
