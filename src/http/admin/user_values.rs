//! The values of the form for a user: as stored, as typed, or as they were when the form was made.

use crate::directory::model::{User, UserDraft};
use crate::http::body::Fields;

/// The values of the form for a user.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct UserValues {
    texts: [(&'static str, String); 6],
    pub(super) is_active: bool,
    pub(super) is_staff: bool,
}

const NAMES: [&str; 6] = ["first_name", "last_name", "username", "email", "mobile_number", "gender"];

impl UserValues {
    /// The values of a new user, before any is typed.
    pub(super) fn of_new() -> Self {
        Self { texts: NAMES.map(|name| (name, String::new())), is_active: true, is_staff: false }
    }

    /// The stored values of a user.
    pub(super) fn of(user: &User) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let texts = [
            ("first_name", user.first_name.clone()),
            ("last_name", user.last_name.clone()),
            ("username", user.username.clone()),
            ("email", text(&user.email)),
            ("mobile_number", text(&user.mobile_number)),
            ("gender", text(&user.gender)),
        ];
        Self { texts, is_active: user.is_active, is_staff: user.is_staff }
    }

    /// Reads the values whose names begin with `prefix`; `None` if a text is missing. A flag that is missing is off, as a
    /// browser sends a box without a check mark.
    pub(super) fn read(fields: &mut Fields, prefix: &str) -> Option<Self> {
        let texts = NAMES.map(|name| (name, fields.text(&format!("{prefix}{name}"))));
        let mut flag = |name: &str| fields.boolean(&format!("{prefix}{name}")).unwrap_or_default();
        let (is_active, is_staff) = (flag("is_active"), flag("is_staff"));
        let mut values = Self { is_active, is_staff, ..Self::of_new() };
        for (place, (name, text)) in values.texts.iter_mut().zip(texts) {
            *place = (name, text?);
        }
        Some(values)
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str) -> &str {
        self.texts.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// All names and values, as hidden inputs carry them.
    pub(super) fn pairs(&self, prefix: &str) -> Vec<(String, String)> {
        let texts = self.texts.iter().map(|(name, text)| (format!("{prefix}{name}"), text.clone()));
        let flags = [("is_active", self.is_active), ("is_staff", self.is_staff)];
        let flags = flags.map(|(name, is_on)| (format!("{prefix}{name}"), is_on.to_string()));
        texts.chain(flags).collect()
    }

    /// The change that saves these values. What stays as it is, is no change.
    pub(super) fn draft(&self) -> UserDraft {
        let text = |name: &str| self.text(name).to_owned();
        // A form has no null: what is empty is not given.
        let or_null = |name: &str| Some(Some(text(name)).filter(|text| !text.is_empty()));
        UserDraft {
            username: Some(text("username")),
            first_name: Some(text("first_name")),
            last_name: Some(text("last_name")),
            email: or_null("email"),
            mobile_number: or_null("mobile_number"),
            gender: or_null("gender"),
            is_active: Some(self.is_active),
            is_staff: Some(self.is_staff),
            ..UserDraft::default()
        }
    }
}
