//! `/admin/users/{id}/password`: sets the password of another user, after a fresh proof.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed, refused};
use super::objects::user_id;
use super::page::SiteFrame;
use super::places::{ACCOUNT, USERS};
use super::responses::{page, see_other};
use super::user_form::changeable;
use super::visit::{Visit, VisitWith, ask_for_proof};
use super::words::display_name;
use crate::directory::access::{RevokeToken, UpdateUser, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{User, UserDraft, UserKey, Violation};
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

const NEW: (&str, &str, &str, FieldKind) = ("new_password", "New password", "", FieldKind::NewPassword);
const AGAIN: (&str, &str, &str, FieldKind) =
    ("new_password_again", "New password again", "", FieldKind::NewPassword);

#[derive(Template)]
#[template(path = "admin/user_password.html")]
struct PasswordPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    id: i64,
    name: String,
    username: String,
    fields: Vec<ShownField>,
    /// Whether the person may end the sessions and tokens of the user.
    can_end: bool,
    ends: bool,
}

impl PasswordPage {
    fn new(visit: &Visit, user: &User, ends: bool, problems: Problems) -> Self {
        let name = display_name(user);
        let title = format!("Set a password for {name}");
        Self {
            page: SiteFrame::new(title, USERS, visit).marked(&problems),
            refused: "The password was not set",
            id: user.id.get(),
            name,
            username: user.username.clone(),
            fields: [NEW, AGAIN].map(|field| ShownField::new(field, "", &problems)).into(),
            can_end: holds_permission::<RevokeToken>(&visit.identity),
            ends,
            problems,
        }
    }
}

/// `GET /admin/users/{id}/password`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = changeable(&app, &visit, &id).await?;
    if details.user.id == visit.identity.user.id {
        // One's own changes with the current password.
        return Ok(see_other(&format!("{ACCOUNT}#password")));
    }
    if let Some(first) = visit.proof_first() {
        return Ok(first);
    }
    page(StatusCode::OK, &PasswordPage::new(&visit, &details.user, true, Problems::default()))
}

/// The new password, twice, and whether the sessions and tokens of the user end.
pub(super) struct TypedPassword {
    new: String,
    again: String,
    ends: bool,
}

impl FormValues for TypedPassword {
    fn read(fields: &mut Fields) -> Self {
        Self {
            new: fields.text(NEW.0).unwrap_or_default(),
            again: fields.text(AGAIN.0).unwrap_or_default(),
            ends: fields.boolean("sign_out").unwrap_or_default(),
        }
    }
}

/// `POST /admin/users/{id}/password`.
pub(super) async fn save(
    State(app): State<App>,
    visit: VisitWith<UpdateUser>,
    Path(id): Path<String>,
    Typed(typed): Typed<TypedPassword>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let (key, ends) = (UserKey::Id(id), typed.ends);
    let error = match set(&app, &visit, &key, typed).await {
        Ok(()) => return Ok(see_other(&format!("/admin/users/{id}?done=password-set"))),
        Err(Error::Denied(Denial::ProofTooOld)) => return Ok(ask_for_proof(&visit.request.path)),
        Err(error) => error,
    };
    let user = app.directory().user(&visit.actor, &key).await?;
    let (status, problems) = refused(error, &[(NEW.0, NEW.1), (AGAIN.0, AGAIN.1)])?;
    page(status, &PasswordPage::new(&visit, &user, ends, problems))
}

/// Sets the password, if it was typed twice.
async fn set(app: &App, visit: &Visit, key: &UserKey, typed: TypedPassword) -> Result<(), Error> {
    if typed.new != typed.again {
        let text = "The two new passwords differ.".to_owned();
        return Err(Error::invalid(AGAIN.0, &Violation::Other(text)));
    }
    let draft = UserDraft { sign_out: typed.ends, ..UserDraft::default() };
    let set = app.directory().update_user(&visit.actor, key, &draft, Some(Password::new(typed.new))).await;
    // The API calls it by another name.
    set.map(|_| ()).map_err(|error| error.of_field("password", NEW.0))
}
