//! `/admin/users/new` and `/admin/users/{id}/edit`: the profile of a user and what the account is.
//!
//! The form carries the version of the user that it was made from, and the values of that version. If someone else saved
//! meanwhile, `conflict` shows both edits and saves nothing.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::Problems;
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user::{hidden, user_id};
use super::user_conflict;
use super::user_values::UserValues;
use super::visit::Visit;
use super::words::display_name;
use crate::directory::access::{CreateUser, ReadUsers, UpdateUser, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Expected, User, UserKey, ValidationErrors, Violation};
use crate::directory::password::Password;
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::error::ApiError;

/// The choices of the field for the gender.
const GENDERS: &[(&str, &str)] = &[
    ("", "Not given"),
    ("male", "male"),
    ("female", "female"),
    ("non-binary", "non-binary"),
    ("other", "other"),
];

/// The typed fields, in the order of the form: name, label, hint, how it is typed.
pub(super) const FIELDS: [(&str, &str, &str, FieldKind); 6] = [
    ("first_name", "First name", "", FieldKind::Text),
    ("last_name", "Last name", "", FieldKind::Text),
    ("username", "User name", "Used to sign in. Case matters.", FieldKind::Username),
    ("email", "E-mail", "May stay empty.", FieldKind::Email),
    ("mobile_number", "Mobile number", "With country code. May stay empty.", FieldKind::Phone),
    ("gender", "Gender", "May stay empty.", FieldKind::Choice(GENDERS)),
];

/// The field of a new user alone.
const PASSWORD: (&str, &str, &str, FieldKind) = (
    "password",
    "Password",
    "May stay empty: then the person cannot sign in with a password until one is set.",
    FieldKind::NewPassword,
);

#[derive(Template)]
#[template(path = "admin/user_form.html")]
struct UserFormPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    /// The user that is changed; none for a new one.
    id: Option<i64>,
    name: String,
    fields: Vec<ShownField>,
    is_active: bool,
    is_staff: bool,
    /// Values of the version that the form was made from.
    was: Vec<(String, String)>,
    etag: String,
}

impl UserFormPage {
    fn new(visit: &Visit, title: String, values: &UserValues, problems: Problems) -> Self {
        let fields = FIELDS.iter().map(|field| ShownField::new(*field, values.text(field.0), &problems));
        let title = if problems.are_any() { format!("Problem: {title}") } else { title };
        Self {
            page: SiteFrame::new(title, USERS, visit),
            refused: "The user was not saved",
            id: None,
            name: String::new(),
            fields: fields.collect(),
            is_active: values.is_active,
            is_staff: values.is_staff,
            was: Vec::new(),
            etag: String::new(),
            problems,
        }
    }

    fn of_new(visit: &Visit, values: &UserValues, problems: Problems) -> Self {
        let mut form = Self::new(visit, "New user".to_owned(), values, problems);
        form.fields.push(ShownField::new(PASSWORD, "", &form.problems));
        form
    }

    /// The form of a user. `was` are the values of the version `etag`.
    fn of(
        visit: &Visit,
        user: &User,
        was: &UserValues,
        etag: &str,
        typed: &UserValues,
        problems: Problems,
    ) -> Self {
        let name = display_name(user);
        Self {
            id: Some(user.id.get()),
            was: was.pairs("was_"),
            etag: etag.to_owned(),
            ..Self::new(visit, format!("Edit {name}"), typed, problems).named(name)
        }
    }

    fn named(self, name: String) -> Self {
        Self { name, ..self }
    }
}

/// The labels of all fields, for the summary of errors.
fn labels() -> Vec<(&'static str, &'static str)> {
    FIELDS.iter().chain([&PASSWORD]).map(|(name, label, ..)| (*name, *label)).collect()
}

/// Returns what a form that was refused shows, and its status. Other errors are pages of their own.
pub(super) fn refused(
    error: Error,
    labels: &[(&'static str, &'static str)],
) -> Result<(StatusCode, Problems), ApiError> {
    match error {
        Error::Invalid(faults) => Ok((StatusCode::BAD_REQUEST, Problems::of(&faults, labels))),
        Error::Denied(denial) if denial != Denial::ProofTooOld => {
            Ok((StatusCode::FORBIDDEN, Problems::whole(denial.to_string())))
        }
        other => Err(other.into()),
    }
}

/// `GET /admin/users/new`.
pub(super) async fn show_new(visit: Visit) -> Result<Response, ApiError> {
    if !holds_permission::<CreateUser>(&visit.identity) {
        return Err(ApiError::Forbidden(Denial::NoRight.to_string()));
    }
    page(StatusCode::OK, &UserFormPage::of_new(&visit, &UserValues::of_new(), Problems::default()))
}

/// `POST /admin/users/new`.
pub(super) async fn create(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let values = UserValues::read(&mut fields, "").unwrap_or_else(UserValues::of_new);
    let password = fields.text("password").filter(|text| !text.is_empty()).map(Password::new);
    fields.end()?;
    match app.directory().create_user(&visit.actor, &values.draft(), password).await {
        // Who may create users may still not read them.
        Ok(user) if !user.is_readable => Ok(see_other("/admin?done=user-created")),
        Ok(user) => Ok(see_other(&format!("/admin/users/{}?done=user-created", user.id))),
        Err(error) => {
            let (status, problems) = refused(error, &labels())?;
            page(status, &UserFormPage::of_new(&visit, &values, problems))
        }
    }
}

/// Reads the user of a page that changes it, for a person who may change users.
pub(super) async fn changeable(app: &App, visit: &Visit, id: &str) -> Result<UserDetails, ApiError> {
    let key = UserKey::Id(user_id(id)?);
    let details = app.directory().user_details(&visit.actor, &key).await.map_err(hidden)?;
    match may_change(visit, &details.user) {
        Ok(()) => Ok(details),
        Err(denial) => Err(ApiError::Forbidden(denial.to_string())),
    }
}

/// Whether a page offers to change a user. The use case decides again, with the rights that are concerned.
pub(super) fn may_change(visit: &Visit, user: &User) -> Result<(), Denial> {
    match (holds_permission::<UpdateUser>(&visit.identity), user.is_admin) {
        (false, _) => Err(Denial::NoRight),
        (true, true) if !visit.identity.user.is_admin => Err(Denial::AdminsOnly),
        _ => Ok(()),
    }
}

/// `GET /admin/users/{id}/edit`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = changeable(&app, &visit, &id).await?;
    let (values, etag) = (UserValues::of(&details.user), details.version());
    let form = UserFormPage::of(&visit, &details.user, &values, etag.as_str(), &values, Problems::default());
    page(StatusCode::OK, &form)
}

/// `POST /admin/users/{id}/edit`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let mut fields = Fields::from(body);
    let (typed, was) = (UserValues::read(&mut fields, ""), UserValues::read(&mut fields, "was_"));
    let etag = fields.text("etag").unwrap_or_default();
    fields.end()?;
    let (key, expected) = (UserKey::Id(id), Expected::OneOf(vec![etag.clone()]));
    let outcome = match &typed {
        Some(typed) => {
            app.directory().update_user_if(&visit.actor, &key, &typed.draft(), None, expected).await
        }
        None => Err(missing()),
    };
    let error = match outcome {
        Ok(_) if holds_permission::<ReadUsers>(&visit.identity) => {
            return Ok(see_other(&format!("/admin/users/{id}?done=user-saved")));
        }
        Ok(_) => return Ok(see_other("/admin?done=user-saved")),
        Err(error) => error,
    };
    let details = app.directory().user_details(&visit.actor, &key).await?;
    let current = UserValues::of(&details.user);
    let typed = typed.unwrap_or_else(|| current.clone());
    let was = was.unwrap_or_else(|| current.clone());
    if matches!(error, Error::Stale(_)) {
        return user_conflict::show(&app, &visit, &details, &was, &typed).await;
    }
    let (status, problems) = refused(error, &labels())?;
    page(status, &UserFormPage::of(&visit, &details.user, &was, &etag, &typed, problems))
}

/// The error of a form that lacks a field: on the page about two edits, none of two values was chosen.
fn missing() -> Error {
    let mut faults = ValidationErrors::default();
    faults
        .add("non_field_errors", &Violation::Other("Choose one of the two values of each field.".to_owned()));
    faults.into()
}
