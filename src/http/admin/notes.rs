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
    Note { name: "session-ended", text: "The session is ended. Its key is refused from now on." },
    Note { name: "signed-out-everywhere", text: "All sessions and tokens of this person are ended." },
    Note { name: "others-signed-out", text: "Your other sessions are ended." },
    Note { name: "made-admin", text: "This person is an admin now." },
    Note { name: "profile-saved", text: "Your profile is saved." },
    Note { name: "password-changed", text: "Your password is changed. Your other sessions are ended." },
];

impl Note {
    /// Returns the note of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        NOTES.iter().find(|note| note.name == name)
    }
}
