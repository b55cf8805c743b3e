//! Bodies that several operations share, taken apart into drafts.

use crate::directory::model::{GroupDraft, UserDraft};
use crate::http::body::Fields;

/// What a person may write about themselves.
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

/// The same, and what only others may write about them.
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

/// What is written about a group.
pub(super) fn group_draft(fields: &mut Fields) -> GroupDraft {
    GroupDraft {
        name: fields.text("name"),
        notes: fields.text("notes"),
        permissions: fields.ids("permissions"),
    }
}
