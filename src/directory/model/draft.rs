//! The fields that a caller wants to write: as given, and parsed.
//!
//! The API, the CLI or an import fills a draft. Parsing it collects the errors of all fields, so that a caller gets them
//! together and not one after the other.

use super::id::{GroupId, PermissionId};
use super::text::{Email, Gender, GroupName, MobileNumber, Notes, PersonName, Username};
use super::validation::ValidationErrors;

/// The fields of a user as given. `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// See [`Username`].
    pub username: Option<String>,
    /// See [`MobileNumber`].
    pub mobile_number: Option<Option<String>>,
    /// See [`Email`].
    pub email: Option<Option<String>>,
    /// See [`PersonName`].
    pub first_name: Option<String>,
    /// See [`PersonName`].
    pub last_name: Option<String>,
    /// See [`Gender`].
    pub gender: Option<Option<String>>,
    /// Whether it may authenticate.
    pub is_active: Option<bool>,
    /// Whether it may enter the back office.
    pub is_staff: Option<bool>,
    /// Whether it may do everything.
    pub is_admin: Option<bool>,
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
    pub username: Option<Username>,
    pub mobile_number: Option<Option<MobileNumber>>,
    pub email: Option<Option<Email>>,
    pub first_name: Option<PersonName>,
    pub last_name: Option<PersonName>,
    pub gender: Option<Option<Gender>>,
    pub is_active: Option<bool>,
    pub is_staff: Option<bool>,
    pub is_admin: Option<bool>,
    pub groups: Option<Vec<GroupId>>,
    pub permissions: Option<Vec<PermissionId>>,
    pub sign_out: bool,
}

impl UserFields {
    /// Whether they change what the user may do.
    pub fn change_rights(&self) -> bool {
        let flags = self.is_active.is_some() || self.is_staff.is_some() || self.is_admin.is_some();
        flags || self.groups.is_some() || self.permissions.is_some()
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

impl UserDraft {
    /// Parses every field, or returns the errors of all.
    pub fn parse(&self) -> Result<UserFields, ValidationErrors> {
        let mut errors = ValidationErrors::default();
        let fields = UserFields {
            username: errors.field("username", self.username.as_deref()),
            mobile_number: errors.nullable("mobile_number", self.mobile_number.as_ref()),
            email: errors.nullable("email", self.email.as_ref()),
            first_name: errors.field("first_name", self.first_name.as_deref()),
            last_name: errors.field("last_name", self.last_name.as_deref()),
            gender: errors.nullable("gender", self.gender.as_ref()),
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_admin: self.is_admin,
            groups: errors.ids("groups", self.groups.as_ref()),
            permissions: errors.ids("permissions", self.permissions.as_ref()),
            sign_out: self.sign_out,
        };
        errors.into_result().map(|()| fields)
    }
}

/// The fields of a group as given. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupDraft {
    /// See [`GroupName`].
    pub name: Option<String>,
    /// See [`Notes`].
    pub notes: Option<String>,
    /// The ids of all permissions attached to it. Its members inherit them.
    pub permissions: Option<Vec<i64>>,
}

/// A parsed [`GroupDraft`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the draft's")]
pub struct GroupFields {
    pub name: Option<GroupName>,
    pub notes: Option<Notes>,
    pub permissions: Option<Vec<PermissionId>>,
}

impl GroupFields {
    /// Whether the rights of the group are concerned: they change, or the group passes for another one.
    pub fn concern_rights(&self) -> bool {
        self.name.is_some() || self.permissions.is_some()
    }
}

impl GroupDraft {
    /// Parses every field, or returns the errors of all.
    pub fn parse(&self) -> Result<GroupFields, ValidationErrors> {
        let mut errors = ValidationErrors::default();
        let fields = GroupFields {
            name: errors.field("name", self.name.as_deref()),
            notes: errors.field("notes", self.notes.as_deref()),
            permissions: errors.ids("permissions", self.permissions.as_ref()),
        };
        errors.into_result().map(|()| fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn null_empties_and_absence_leaves_alone() {
        let draft = UserDraft { gender: Some(None), ..UserDraft::default() };
        let fields = draft.parse().unwrap();
        assert_eq!((fields.gender, fields.email), (Some(None), None));
    }
}
