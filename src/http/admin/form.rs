//! Forms that come back: what is wrong with them, for the summary and beside each field.

use crate::directory::model::ValidationErrors;

/// What is wrong with a form. The texts of fields without an input on the page stand in the summary alone.
#[derive(Default)]
pub(super) struct Problems(Vec<FieldProblem>);

/// What is wrong with a field.
pub(super) struct FieldProblem {
    /// The name of the field.
    pub(super) field: String,
    /// What people call it.
    pub(super) label: &'static str,
    /// What is wrong.
    pub(super) text: String,
}

impl Problems {
    /// Takes the errors of a use case. `labels` has the names of the inputs of the page, and what people call them.
    pub(super) fn of(errors: &ValidationErrors, labels: &[(&'static str, &'static str)]) -> Self {
        let mut problems = Self::default();
        problems.add(errors, labels);
        problems
    }

    /// Adds errors.
    pub(super) fn add(&mut self, errors: &ValidationErrors, labels: &[(&'static str, &'static str)]) {
        let label =
            |field: &str| labels.iter().find(|(name, _)| *name == field).map_or("", |(_, label)| label);
        let problem = |(field, texts): (&str, &[String])| FieldProblem {
            field: field.to_owned(),
            label: label(field),
            text: texts.join(" "),
        };
        self.0.extend(errors.iter().map(problem));
    }

    /// One problem that concerns the whole form.
    pub(super) fn whole(text: impl Into<String>) -> Self {
        Self(vec![FieldProblem { field: String::new(), label: "", text: text.into() }])
    }

    /// One problem of one field.
    pub(super) fn in_field(field: &str, label: &'static str, text: impl Into<String>) -> Self {
        Self(vec![FieldProblem { field: field.to_owned(), label, text: text.into() }])
    }

    /// Whether there are any.
    pub(super) fn are_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[FieldProblem] {
        &self.0
    }

    /// What is wrong with a field.
    pub(super) fn about(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|problem| problem.field == field).map(|problem| problem.text.as_str())
    }
}
