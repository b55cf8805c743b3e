//! The fields that a caller wants to write: as given, and parsed.
//!
//! The API, the CLI or an import fills a draft. Parsing it collects the errors of all fields, so that a caller gets them
//! together and not one after the other.

use std::str::FromStr;

use super::group::Group;
use super::id::{GroupId, PermissionId};
use super::text::{self, GroupName, Notes, Violation};
use super::user::User;
use super::user_fields::{FieldSlot, FieldType, user_fields};
use super::validation::ValidationErrors;

/// Defines [`UserDraft`] and [`UserFields`] from the list of fields.
macro_rules! drafts {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        /// The fields of a user as given. `None` leaves a field as it is, `Some(None)` empties it.
        #[derive(Clone, Debug, Default)]
        pub struct UserDraft {
            /// See [`text::Username`].
            pub username: Option<String>,
            $($(
                #[doc = concat!("See `", stringify!($written), "`.")]
                pub $name: Option<$stored>,
            )?)+
            $($(#[$flag_doc])* pub $flag: Option<bool>,)+
            /// The ids of all groups that it belongs to.
            pub groups: Option<Vec<i64>>,
            /// The ids of all permissions attached to it.
            pub permissions: Option<Vec<i64>>,
            /// Whether all its tokens end with the change.
            pub sign_out: bool,
        }

        /// A parsed [`UserDraft`].
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the fields are the draft's")]
        pub struct UserFields {
            pub username: Option<text::Username>,
            $($(pub $name: Option<$written>,)?)+
            $(pub $flag: Option<bool>,)+
            pub groups: Option<Vec<GroupId>>,
            pub permissions: Option<Vec<PermissionId>>,
            pub sign_out: bool,
        }

        impl UserDraft {
            /// Parses every field, or returns the errors of all.
            pub fn parse(&self) -> Result<UserFields, ValidationErrors> {
                let mut errors = ValidationErrors::default();
                let fields = UserFields {
                    username: errors.field("username", self.username.as_deref()),
                    $($(
                        $name: <$stored as Parse<$written>>::parse(&mut errors, stringify!($name), self.$name.as_ref()),
                    )?)+
                    $($flag: self.$flag,)+
                    groups: errors.ids("groups", self.groups.as_ref()),
                    permissions: errors.ids("permissions", self.permissions.as_ref()),
                    sign_out: self.sign_out,
                };
                errors.into_result().map(|()| fields)
            }

            /// Returns the draft without the texts that the user has already. So a record that was read may be sent back, even
            /// if it was imported and holds values that no caller could write.
            pub(in crate::directory) fn without_held(&self, user: &User) -> Self {
                let mut draft = self.clone();
                draft.username = draft.username.filter(|given| *given != user.username);
                $($(draft.$name = <$stored as Parse<$written>>::unless_held(draft.$name, &user.$name);)?)+
                draft
            }

            /// Iterates over the personal fields that can be written: their names and places.
            pub fn personal(&mut self) -> impl Iterator<Item = (&'static str, FieldSlot<'_>)> {
                [$($((stringify!($name), <$stored as Parse<$written>>::place(&mut self.$name)),)?)+].into_iter()
            }

            /// Iterates over the flags: their names and places.
            pub fn flags(&mut self) -> impl Iterator<Item = (&'static str, FieldSlot<'_>)> {
                [$((stringify!($flag), bool::slot(&mut self.$flag)),)+].into_iter()
            }
        }

        impl UserFields {
            /// Writes the fields to a user, except its groups.
            pub(in crate::directory) fn write_to(&self, user: &mut User) {
                if let Some(username) = &self.username {
                    user.username = username.clone().into();
                }
                $($(
                    if let Some(new) = &self.$name {
                        user.$name = <$stored as Parse<$written>>::stored(new);
                    }
                )?)+
                $(user.$flag = self.$flag.unwrap_or(user.$flag);)+
            }

            /// Returns those fields that differ from the user's own. A value that stays as it is, is no change. The permissions
            /// are not compared.
            pub(in crate::directory) fn changing(&self, user: &User) -> Self {
                let mut fields = self.clone();
                fields.username = fields.username.filter(|new| String::from(new.clone()) != user.username);
                $($(
                    let differs = |new: &$written| <$stored as Parse<$written>>::stored(new) != user.$name;
                    fields.$name = fields.$name.filter(differs);
                )?)+
                $(fields.$flag = fields.$flag.filter(|new| *new != user.$flag);)+
                fields.groups = fields.groups.filter(|new| *new != user.groups);
                fields
            }

            /// Whether they change a flag.
            fn change_flags(&self) -> bool {
                [$(self.$flag),+].iter().any(Option::is_some)
            }
        }
    };
}
user_fields!(drafts);

/// The type of a column whose new values are checked by the type `Written`.
trait Parse<Written>: FieldType + PartialEq {
    /// Parses a value that was given.
    fn parse(errors: &mut ValidationErrors, name: &str, given: Option<&Self>) -> Option<Written>;

    /// Returns the value to store.
    fn stored(written: &Written) -> Self;

    /// Returns a value that was given, unless it is the one that is stored.
    fn unless_held(given: Option<Self>, held: &Self) -> Option<Self> {
        given.filter(|given| given != held)
    }

    /// Returns the place for a value that may be given.
    fn place(given: &mut Option<Self>) -> FieldSlot<'_> {
        Self::slot(given)
    }
}

impl<T: FromStr<Err = Violation> + Clone + Into<String>> Parse<T> for String {
    fn parse(errors: &mut ValidationErrors, name: &str, given: Option<&Self>) -> Option<T> {
        errors.field(name, given.map(String::as_str))
    }

    fn stored(written: &T) -> Self {
        written.clone().into()
    }
}

impl<T: FromStr<Err = Violation> + Clone + Into<String>> Parse<Option<T>> for Option<String> {
    fn parse(errors: &mut ValidationErrors, name: &str, given: Option<&Self>) -> Option<Option<T>> {
        // An empty text is null, as far as callers write it. Imported rows may hold either.
        let given = given.map(|given| given.clone().filter(|text| !text.is_empty()));
        errors.nullable(name, given.as_ref())
    }

    fn stored(written: &Option<T>) -> Self {
        written.clone().map(T::into)
    }
}

impl UserFields {
    /// Whether they change what the user may do.
    pub fn change_rights(&self) -> bool {
        self.change_flags() || self.groups.is_some() || self.permissions.is_some()
    }

    /// Whether the rights of the user are concerned: a caller that writes these fields could act as the user afterwards, or
    /// changes what the user may do. Names and gender do not matter that way.
    pub fn concern_rights(&self) -> bool {
        self.change_rights() || self.change_identity()
    }

    /// Whether they change how to sign in as this user: the username, or the address that a code or a link is sent to.
    pub fn change_identity(&self) -> bool {
        self.username.is_some() || self.mobile_number.is_some() || self.email.is_some()
    }
}

/// The fields of a group as given. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupDraft {
    /// See [`GroupName`].
    pub name: Option<String>,
    /// See [`Notes`]. Empty notes and null differ.
    pub notes: Option<Option<String>>,
    /// The ids of all permissions attached to it. Its members inherit them.
    pub permissions: Option<Vec<i64>>,
}

/// A parsed [`GroupDraft`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the draft's")]
pub struct GroupFields {
    pub name: Option<GroupName>,
    pub notes: Option<Option<Notes>>,
    pub permissions: Option<Vec<PermissionId>>,
}

impl GroupFields {
    /// Whether the rights of the group are concerned: they change, or the group passes for another one.
    pub fn concern_rights(&self) -> bool {
        self.name.is_some() || self.permissions.is_some()
    }
}

impl GroupDraft {
    /// Returns the draft without the texts that the group has already.
    pub(in crate::directory) fn without_held(&self, group: &Group) -> Self {
        let name = self.name.clone().filter(|given| *given != group.name);
        let notes = self.notes.clone().filter(|given| *given != group.notes);
        Self { name, notes, permissions: self.permissions.clone() }
    }

    /// Parses every field, or returns the errors of all.
    pub fn parse(&self) -> Result<GroupFields, ValidationErrors> {
        let mut errors = ValidationErrors::default();
        let fields = GroupFields {
            name: errors.field("name", self.name.as_deref()),
            notes: errors.nullable("notes", self.notes.as_ref()),
            permissions: errors.ids("permissions", self.permissions.as_ref()),
        };
        errors.into_result().map(|()| fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::Timestamp;

    #[test]
    fn every_fault_is_told_at_once() {
        let draft = UserDraft {
            username: Some(String::new()),
            email: Some(Some("zz".into())),
            gender: Some(None),
            ..UserDraft::default()
        };
        let errors = draft.parse().unwrap_err();
        let found: Vec<_> = errors.iter().map(|(field, messages)| (field, messages.join(" "))).collect();
        assert_eq!(
            found,
            [
                ("username", "This field may not be blank.".to_owned()),
                ("email", "Enter a valid email address.".to_owned())
            ]
        );
    }

    #[test]
    fn what_the_user_has_already_is_no_change() {
        let user = User {
            email: Some(String::new()),
            gender: Some("m".into()),
            first_name: "  Ann ".into(),
            is_staff: true,
            groups: vec![GroupId::try_from(3).unwrap()],
            ..User::new("two words".into(), Timestamp::EPOCH)
        };
        let draft = UserDraft {
            username: Some("two words".into()),
            email: Some(Some(String::new())),
            mobile_number: Some(None),
            gender: Some(Some("m".into())),
            first_name: Some("  Ann ".into()),
            is_staff: Some(true),
            groups: Some(vec![3, 3]),
            ..UserDraft::default()
        };
        assert!(draft.parse().is_err());
        let fields = draft.without_held(&user).parse().unwrap();
        assert_eq!(fields.changing(&user), UserFields::default());
        let other = UserDraft {
            email: Some(None),
            first_name: Some("Ann".into()),
            is_staff: Some(false),
            groups: Some(vec![]),
            ..UserDraft::default()
        };
        let fields = other.without_held(&user).parse().unwrap();
        assert_eq!(fields.changing(&user), fields);
    }

    #[test]
    fn null_empties_and_absence_leaves_alone() {
        let draft = UserDraft { gender: Some(None), ..UserDraft::default() };
        let fields = draft.parse().unwrap();
        assert_eq!((fields.gender, fields.email), (Some(None), None));
    }
}
