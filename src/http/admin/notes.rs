//! Notes about what was done, on the page after it.
//!
//! The redirect after a form names a note in its query (`?done=signed-out`). The vocabulary is closed, so a link cannot make a
//! page say anything else, and no store of sessions is needed.

/// A note about what was done.
pub(super) struct Note {
    name: &'static str,
    /// The sentence.
    pub(super) text: &'static str,
}

const NOTES: &[Note] = &[
    Note { name: "signed-out", text: "You are signed out." },
    Note {
        name: "link-asked",
        text: "If an account has this name or address, a link is on its way to its e-mail address.",
    },
    Note {
        name: "password-chosen",
        text: "Your password is set, and all your sessions are ended. Sign in with the new password.",
    },
    Note { name: "invited", text: "The invitation is on its way." },
    Note { name: "invitation-revoked", text: "The invitation is revoked. Its link does not work any more." },
    Note { name: "session-ended", text: "The session is ended. Its key is refused from now on." },
    Note { name: "signed-out-everywhere", text: "All sessions and tokens of this person are ended." },
    Note { name: "others-signed-out", text: "Your other sessions are ended." },
    Note { name: "made-admin", text: "This person is an admin now." },
    Note { name: "user-created", text: "The user is created." },
    Note { name: "user-saved", text: "The changes are saved." },
    Note { name: "picture-saved", text: "The picture is saved." },
    Note { name: "view-saved", text: "The view is saved. Only you see it." },
    Note { name: "view-removed", text: "The view is removed." },
    Note { name: "rights-saved", text: "The rights are saved." },
    Note { name: "group-added", text: "The person is in the group now." },
    Note { name: "group-removed", text: "The person is not in the group any more." },
    Note { name: "password-set", text: "The password is set." },
    Note { name: "deactivated", text: "This person can no longer sign in. Their tokens are refused." },
    Note { name: "activated", text: "This person can sign in again." },
    Note { name: "unlocked", text: "The failed sign-ins are forgotten." },
    Note { name: "admin-taken", text: "This person is no admin any more." },
    Note { name: "deleted", text: "The user is in the recycle bin." },
    Note { name: "nothing-selected", text: "Nothing was selected, so nothing was changed." },
    Note { name: "bulk-added", text: "The selected people are in the group now." },
    Note { name: "bulk-removed", text: "The selected people are not in the group any more." },
    Note { name: "bulk-signed-out", text: "All sessions and tokens of the selected people are ended." },
    Note { name: "bulk-activated", text: "The selected people can sign in again." },
    Note { name: "bulk-deactivated", text: "The selected people can no longer sign in." },
    Note { name: "bulk-deleted", text: "The selected people are in the recycle bin." },
    Note { name: "bulk-gone", text: "The selected people are removed permanently." },
    Note {
        name: "bulk-restored",
        text: "Restored from the recycle bin. Their tokens are not: issue new ones.",
    },
    Note { name: "token-saved", text: "The token is changed." },
    Note { name: "tokens-revoked", text: "Revoked. From now on the keys are refused." },
    Note { name: "profile-saved", text: "Your profile is saved." },
    Note { name: "password-changed", text: "Your password is changed. Your other sessions are ended." },
    Note { name: "group-created", text: "The group is created." },
    Note { name: "group-saved", text: "The group is saved." },
    Note {
        name: "group-deleted",
        text: "The group is in the recycle bin. Its members lost its rights at once.",
    },
    Note { name: "group-gone", text: "The group is removed permanently." },
    Note { name: "group-restored", text: "The group is restored." },
    Note { name: "members-added", text: "They are members now, and have the rights of the group at once." },
    Note {
        name: "members-removed",
        text: "They are no longer members. They lost the rights of the group at once.",
    },
    Note { name: "members-unchanged", text: "Nothing changed: it was so already." },
    Note { name: "user-restored", text: "This person is restored. Their tokens stay revoked." },
    Note { name: "user-gone", text: "This person is removed permanently." },
    Note { name: "permission-created", text: "The permission is created. No one has it yet." },
    Note { name: "permission-renamed", text: "The permission has its new name." },
    Note { name: "permission-removed", text: "The permission is removed from all users, groups and tokens." },
];

impl Note {
    /// Returns the note of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        NOTES.iter().find(|note| note.name == name)
    }
}
