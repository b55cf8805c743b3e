//! `/admin/users/new` and `/admin/users/{id}/edit`: the profile of a user and what the account is.
//!
//! The form carries the version of the user that it was made from, and the values of that version. If someone else saved
//! meanwhile, `conflict` shows both edits and saves nothing.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed, refused};
use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user_conflict;
use super::user_values::UserValues;
use super::visit::{Visit, VisitWith, check_right};
use super::words::display_name;
use crate::directory::Written;
use crate::directory::access::{CreateUser, ReadUsers, UpdateUser, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Expected, User, UserId, UserKey, Violation};
use crate::directory::password::Password;
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::body::Fields;
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
    /// Whether the form of a new user offers an invitation, and whether it is chosen.
    can_invite: bool,
    invites: bool,
}

impl UserFormPage {
    fn new(visit: &Visit, title: String, values: &UserValues, problems: Problems) -> Self {
        let fields = FIELDS.iter().map(|field| ShownField::new(*field, values.text(field.0), &problems));
        Self {
            page: SiteFrame::new(title, USERS, visit).marked(&problems),
            refused: "The user was not saved",
            id: None,
            name: String::new(),
            fields: fields.collect(),
            is_active: values.is_active,
            is_staff: values.is_staff,
            was: Vec::new(),
            etag: String::new(),
            can_invite: false,
            invites: false,
            problems,
        }
    }

    fn of_new(app: &App, visit: &Visit, values: &UserValues, invites: bool, problems: Problems) -> Self {
        let mut form = Self::new(visit, "New user".to_owned(), values, problems);
        form.fields.push(ShownField::new(PASSWORD, "", &form.problems));
        let can_invite = app.directory().why_no_links().is_none();
        Self { can_invite, invites, ..form }
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

/// `GET /admin/users/new`.
pub(super) async fn show_new(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    check_right(holds_permission::<CreateUser>(&visit.identity))?;
    let form = UserFormPage::of_new(&app, &visit, &UserValues::of_new(), false, Problems::default());
    page(StatusCode::OK, &form)
}

/// What was typed into the form of a new user.
pub(super) struct TypedUser {
    values: UserValues,
    password: Option<Password>,
    invites: bool,
}

impl FormValues for TypedUser {
    fn read(fields: &mut Fields) -> Self {
        let values = UserValues::read(fields, "").unwrap_or_else(UserValues::of_new);
        let password = fields.text("password").filter(|text| !text.is_empty()).map(Password::new);
        Self { values, password, invites: fields.boolean("invite").unwrap_or_default() }
    }
}

/// `POST /admin/users/new`.
pub(super) async fn create(
    State(app): State<App>,
    visit: Visit,
    Typed(TypedUser { values, password, invites }): Typed<TypedUser>,
) -> Result<Response, ApiError> {
    match created(&app, &visit, &values, password, invites).await {
        // Who may create users may still not read them.
        Ok(user) if !user.is_readable => Ok(see_other("/admin?done=user-created")),
        Ok(user) => Ok(see_other(&format!("/admin/users/{}?done=user-created", user.id))),
        Err(error) => {
            let (status, problems) = refused(error, &labels())?;
            page(status, &UserFormPage::of_new(&app, &visit, &values, invites, problems))
        }
    }
}

/// Creates the user: with a password, with an invitation to choose one, or with neither.
async fn created(
    app: &App,
    visit: &Visit,
    values: &UserValues,
    password: Option<Password>,
    invites: bool,
) -> Result<Written<User>, Error> {
    let draft = values.draft();
    match (invites, password) {
        (true, Some(_)) => {
            let text =
                "An invited person chooses the password: leave it empty, or send no invitation.".to_owned();
            Err(Error::invalid(PASSWORD.0, &Violation::Other(text)))
        }
        (true, None) => app.directory().create_invited_user(&visit.actor, &draft, None).await,
        (false, password) => app.directory().create_user(&visit.actor, &draft, password).await,
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

/// What the form was sent with: the values, those that it began with, and the version that they were of. Values are `None` if
/// one is missing.
pub(super) struct SentUser {
    typed: Option<UserValues>,
    was: Option<UserValues>,
    etag: String,
}

impl FormValues for SentUser {
    fn read(fields: &mut Fields) -> Self {
        Self {
            typed: UserValues::read(fields, ""),
            was: UserValues::read(fields, "was_"),
            etag: fields.text("etag").unwrap_or_default(),
        }
    }
}

/// `POST /admin/users/{id}/edit`.
pub(super) async fn save(
    State(app): State<App>,
    visit: VisitWith<UpdateUser>,
    Path(id): Path<String>,
    Typed(sent): Typed<SentUser>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    match saved(&app, &visit, id, &sent).await {
        Ok(()) if holds_permission::<ReadUsers>(&visit.identity) => {
            Ok(see_other(&format!("/admin/users/{id}?done=user-saved")))
        }
        Ok(()) => Ok(see_other("/admin?done=user-saved")),
        Err(error) => again(&app, &visit, id, sent, error).await,
    }
}

/// Saves the values if the user is still of the version that the form was made from.
async fn saved(app: &App, visit: &Visit, id: UserId, sent: &SentUser) -> Result<(), Error> {
    // On the page about two edits, none of two values was chosen.
    let missing = || Violation::Other("Choose one of the two values of each field.".to_owned());
    let typed = sent.typed.as_ref().ok_or_else(|| Error::invalid("non_field_errors", &missing()))?;
    let expected = Expected::OneOf(vec![sent.etag.clone()]);
    app.directory().update_user_if(&visit.actor, &UserKey::Id(id), &typed.draft(), None, expected).await?;
    Ok(())
}

/// Shows the form again, or both edits if someone else has saved meanwhile.
async fn again(
    app: &App,
    visit: &Visit,
    id: UserId,
    sent: SentUser,
    error: Error,
) -> Result<Response, ApiError> {
    let details = app.directory().user_details(&visit.actor, &UserKey::Id(id)).await?;
    let current = UserValues::of(&details.user);
    let typed = sent.typed.unwrap_or_else(|| current.clone());
    let was = sent.was.unwrap_or(current);
    if matches!(error, Error::Stale(_)) {
        return user_conflict::show(app, visit, &details, &was, &typed).await;
    }
    let (status, problems) = refused(error, &labels())?;
    page(status, &UserFormPage::of(visit, &details.user, &was, &sent.etag, &typed, problems))
}
