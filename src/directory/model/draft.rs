//! What somebody wants written, as typed, and the same after every field has passed its rule.
//!
//! A draft is filled by the API, the CLI or an import; parsing it collects every fault at once, so that
//! a person is told all of them and not one after the other.

use super::faults::ValidationErrors;
use super::id::{GroupId, PermissionId};
use super::text::{Email, Gender, GroupName, MobileNumber, Notes, PersonName, Username};

/// A user as somebody typed it; a field that is `None` is not touched, `Some(None)` is emptied.
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
    /// May it authenticate?
    pub is_active: Option<bool>,
    /// May it enter the back office?
    pub is_staff: Option<bool>,
    /// May it do everything?
    pub is_admin: Option<bool>,
    /// The groups it belongs to, all of them, by id.
    pub groups: Option<Vec<i64>>,
    /// The permissions attached to it, all of them, by id.
    pub permissions: Option<Vec<i64>>,
    /// Whether all its tokens end with the change.
    pub sign_out: bool,
}

/// A [`UserDraft`] whose every field keeps its rule.
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

    /// Whether all that the user may do is at stake: whoever writes these fields could act as the user afterwards, or
    /// changes what it may do. Names and gender are of no such weight.
    pub fn concern_rights(&self) -> bool {
        self.change_rights() || self.change_identity()
    }

    /// Whether they change how one becomes this user: the name, or where a code or a link would be sent.
    pub fn change_identity(&self) -> bool {
        self.username.is_some() || self.mobile_number.is_some() || self.email.is_some()
    }
}

impl UserDraft {
    /// Holds every field to its rule, or tells all that fail.
    pub fn parse(&self) -> Result<UserFields, ValidationErrors> {
        let mut faults = ValidationErrors::default();
        let fields = UserFields {
            username: faults.field("username", self.username.as_deref()),
            mobile_number: faults.nullable("mobile_number", self.mobile_number.as_ref()),
            email: faults.nullable("email", self.email.as_ref()),
            first_name: faults.field("first_name", self.first_name.as_deref()),
            last_name: faults.field("last_name", self.last_name.as_deref()),
            gender: faults.nullable("gender", self.gender.as_ref()),
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_admin: self.is_admin,
            groups: faults.ids("groups", self.groups.as_ref()),
            permissions: faults.ids("permissions", self.permissions.as_ref()),
            sign_out: self.sign_out,
        };
        faults.none().map(|()| fields)
    }
}

/// A group as somebody typed it; `None` is not touched.
#[derive(Clone, Debug, Default)]
pub struct GroupDraft {
    /// See [`GroupName`].
    pub name: Option<String>,
    /// See [`Notes`].
    pub notes: Option<String>,
    /// The permissions attached to it, all of them, by id; its members inherit them.
    pub permissions: Option<Vec<i64>>,
}

/// A [`GroupDraft`] whose every field keeps its rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the draft's")]
pub struct GroupFields {
    pub name: Option<GroupName>,
    pub notes: Option<Notes>,
    pub permissions: Option<Vec<PermissionId>>,
}

impl GroupFields {
    /// Whether the rights of the group are at stake: they are changed, or the group is passed off as another.
    pub fn concern_rights(&self) -> bool {
        self.name.is_some() || self.permissions.is_some()
    }
}

impl GroupDraft {
    /// Holds every field to its rule, or tells all that fail.
    pub fn parse(&self) -> Result<GroupFields, ValidationErrors> {
        let mut faults = ValidationErrors::default();
        let fields = GroupFields {
            name: faults.field("name", self.name.as_deref()),
            notes: faults.field("notes", self.notes.as_deref()),
            permissions: faults.ids("permissions", self.permissions.as_ref()),
        };
        faults.none().map(|()| fields)
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
        let faults = draft.parse().unwrap_err();
        let told: Vec<_> = faults.iter().map(|(field, messages)| (field, messages.join(" "))).collect();
        assert_eq!(
            told,
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
