//! Reads the bodies that several operations share into drafts.

use crate::directory::model::{GroupDraft, UserDraft};
use crate::http::body::Fields;

/// Reads the fields that users may write about themselves.
pub(super) fn user_draft(fields: &mut Fields) -> UserDraft {
    UserDraft {
        username: fields.text("username"),
        mobile_number: fields.nullable("mobile_number"),
        email: fields.nullable("email"),
        first_name: fields.text("first_name"),
        last_name: fields.text("last_name"),
        gender: fields.nullable("gender"),
        ..UserDraft::default()
    }
}

/// Reads these fields and those that only others may write.
pub(super) fn full_user_draft(fields: &mut Fields) -> UserDraft {
    UserDraft {
        is_active: fields.boolean("is_active"),
        is_staff: fields.boolean("is_staff"),
        is_admin: fields.boolean("is_admin"),
        groups: fields.ids("groups"),
        permissions: fields.ids("permissions"),
        sign_out: fields.boolean("sign_out").unwrap_or(false),
        ..user_draft(fields)
    }
}

/// Reads the fields of a group.
pub(super) fn group_draft(fields: &mut Fields) -> GroupDraft {
    GroupDraft {
        name: fields.text("name"),
        notes: fields.text("notes"),
        permissions: fields.ids("permissions"),
    }
}
