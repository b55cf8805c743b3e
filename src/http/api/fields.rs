//! Reads the bodies that several operations share into drafts.

use crate::directory::model::{FieldSlot, GroupDraft, UserDraft};
use crate::http::body::Fields;

/// Reads the fields that users may write about themselves.
pub(super) fn user_draft(fields: &mut Fields) -> UserDraft {
    let mut draft = UserDraft::default();
    read_personal(fields, &mut draft);
    draft
}

/// Reads these fields and those that only others may write.
pub(super) fn full_user_draft(fields: &mut Fields) -> UserDraft {
    let mut draft = UserDraft::default();
    draft.flags().for_each(|(name, slot)| read(fields, name, slot));
    draft.groups = fields.ids("groups");
    draft.permissions = fields.ids("permissions");
    draft.sign_out = fields.boolean("sign_out").unwrap_or(false);
    read_personal(fields, &mut draft);
    draft
}

fn read_personal(fields: &mut Fields, draft: &mut UserDraft) {
    draft.username = fields.text("username");
    draft.personal().for_each(|(name, slot)| read(fields, name, slot));
}

/// Reads a field of its type.
fn read(fields: &mut Fields, name: &str, slot: FieldSlot<'_>) {
    match slot {
        FieldSlot::Text(text) => *text = fields.text(name),
        FieldSlot::NullableText(text) => *text = fields.text_or_null(name),
        FieldSlot::Flag(flag) => *flag = fields.boolean(name),
    }
}

/// Reads the fields of a group.
pub(super) fn group_draft(fields: &mut Fields) -> GroupDraft {
    GroupDraft {
        name: fields.text("name"),
        notes: fields.text_or_null("notes"),
        permissions: fields.ids("permissions"),
    }
}
