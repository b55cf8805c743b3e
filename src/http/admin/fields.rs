//! The fields of a form as a page shows them: label, hint, what was typed, and what is wrong with it.
//! `templates/admin/field.html` draws one.

use super::form::Problems;

/// A field of a form.
pub(super) struct ShownField {
    /// Its name in the form.
    pub(super) name: &'static str,
    /// What people call it.
    pub(super) label: &'static str,
    /// A sentence between label and field; may be empty.
    pub(super) hint: &'static str,
    /// How it is typed.
    pub(super) kind: FieldKind,
    /// What is in it.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

/// How a field is typed.
#[derive(Clone, Copy)]
pub(super) enum FieldKind {
    /// A line in any script.
    Text,
    /// A name to sign in with.
    Username,
    /// An address.
    Email,
    /// A number with a plus sign.
    Phone,
    /// A new password, which is never sent back.
    NewPassword,
    /// A day.
    Day,
    /// Some lines.
    Lines,
    /// One of these: the values and their words.
    Choice(&'static [(&'static str, &'static str)]),
}

impl ShownField {
    /// Makes a field with what was typed, and with what is wrong with it.
    pub(super) fn new(
        (name, label, hint, kind): (&'static str, &'static str, &'static str, FieldKind),
        value: &str,
        problems: &Problems,
    ) -> Self {
        let problem = problems.about(name).map(str::to_owned);
        let value = if matches!(kind, FieldKind::NewPassword) { "" } else { value };
        Self { name, label, hint, kind, value: value.to_owned(), problem }
    }

    /// The attributes `type`, `inputmode`, `dir` and `autocomplete` of its input.
    pub(super) fn input(&self) -> [&'static str; 4] {
        match self.kind {
            FieldKind::Email => ["text", "email", "auto", "off"],
            FieldKind::Phone => ["text", "tel", "ltr", "off"],
            FieldKind::NewPassword => ["password", "text", "auto", "new-password"],
            FieldKind::Day => ["date", "numeric", "ltr", "off"],
            FieldKind::Text | FieldKind::Username | FieldKind::Lines | FieldKind::Choice(_) => {
                ["text", "text", "auto", "off"]
            }
        }
    }

    /// Whether it is a name to sign in with, which no browser corrects.
    pub(super) fn is_username(&self) -> bool {
        matches!(self.kind, FieldKind::Username)
    }

    /// Whether it has several lines.
    pub(super) fn has_lines(&self) -> bool {
        matches!(self.kind, FieldKind::Lines)
    }

    /// The values that can be chosen; none for a field that is typed.
    pub(super) fn choices(&self) -> &'static [(&'static str, &'static str)] {
        match self.kind {
            FieldKind::Choice(choices) => choices,
            _ => &[],
        }
    }

    /// Whether this is in it.
    pub(super) fn has_value(&self, value: &str) -> bool {
        self.value == value
    }

    /// The value of `aria-describedby`; empty without hint and problem.
    pub(super) fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("f-{}-hint", self.name));
        let problem = self.problem.is_some().then(|| format!("f-{}-err", self.name));
        hint.into_iter().chain(problem).collect::<Vec<_>>().join(" ")
    }
}
