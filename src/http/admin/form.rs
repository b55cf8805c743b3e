//! Forms: what was typed, and those that come back with what is wrong, for the summary and beside each field.

use axum::extract::{FromRequest, Request};
use http::StatusCode;

use crate::directory::error::{Denial, Error};
use crate::directory::model::ValidationErrors;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// The values of a form.
pub(super) trait FormValues: Sized {
    /// Reads them. A value that is missing is an empty one.
    fn read(fields: &mut Fields) -> Self;
}

/// What was typed into a form. One with fields that the page does not have is refused.
pub(super) struct Typed<T>(pub(super) T);

impl<T: FormValues> FromRequest<App> for Typed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let FormBody(body) = FormBody::from_request(request, app).await?;
        let mut fields = Fields::from(body);
        let values = T::read(&mut fields);
        fields.end()?;
        Ok(Self(values))
    }
}

/// Returns what a form that was refused shows, and its status. Other errors are pages of their own.
pub(super) fn refused(
    error: Error,
    labels: &[(&'static str, &'static str)],
) -> Result<(StatusCode, Problems), ApiError> {
    match error {
        Error::Invalid(faults) => Ok((StatusCode::BAD_REQUEST, Problems::of(&faults, labels))),
        Error::Denied(Denial::ProofTooOld) => Ok((StatusCode::FORBIDDEN, Problems::of_old_proof())),
        Error::Denied(denial) => Ok((StatusCode::FORBIDDEN, Problems::whole(denial.to_string()))),
        other => Err(other.into()),
    }
}

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
    /// The page that helps, and what its link says.
    pub(super) help: Option<(&'static str, &'static str)>,
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
            help: None,
        };
        self.0.extend(errors.iter().map(problem));
    }

    /// One problem that concerns the whole form.
    pub(super) fn whole(text: impl Into<String>) -> Self {
        Self(vec![FieldProblem { field: String::new(), label: "", text: text.into(), help: None }])
    }

    /// One problem of a field.
    pub(super) fn of_field(field: &str, label: &'static str, text: &str) -> Self {
        Self(vec![FieldProblem { field: field.to_owned(), label, text: text.to_owned(), help: None }])
    }

    /// The last proof of who the person is, is too old for this. The proof is given in another tab, so that the form stays.
    pub(super) fn of_old_proof() -> Self {
        let mut problems = Self::whole("The last proof that it is you is older than 10 minutes.");
        for problem in &mut problems.0 {
            problem.help = Some(("/admin/confirm", "Confirm it in a new tab, then send this form again"));
        }
        problems
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
