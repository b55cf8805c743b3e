//! `/admin/users/{id}/password`: sets the password of another user, after a fresh proof.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::Problems;
use super::page::SiteFrame;
use super::places::{ACCOUNT, USERS};
use super::responses::{page, see_other};
use super::user::user_id;
use super::user_form::{changeable, refused};
use super::visit::{Visit, ask_for_proof};
use super::words::display_name;
use crate::directory::access::{RevokeToken, holds_permission};
use crate::directory::error::{Denial, Error};
use crate::directory::model::{User, UserDraft, UserKey};
use crate::directory::password::Password;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
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
        let title = if problems.are_any() { format!("Problem: {title}") } else { title };
        Self {
            page: SiteFrame::new(title, USERS, visit),
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

/// `POST /admin/users/{id}/password`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let mut fields = Fields::from(body);
    let new = fields.text("new_password").unwrap_or_default();
    let again = fields.text("new_password_again").unwrap_or_default();
    let ends = fields.boolean("sign_out").unwrap_or_default();
    fields.end()?;
    let key = UserKey::Id(id);
    let outcome = match new == again {
        true => {
            let draft = UserDraft { sign_out: ends, ..UserDraft::default() };
            app.directory()
                .update_user(&visit.actor, &key, &draft, Some(Password::new(new)))
                .await
                .map(|_| ())
        }
        false => Err(differ()),
    };
    let error = match outcome {
        Ok(()) => return Ok(see_other(&format!("/admin/users/{id}?done=password-set"))),
        Err(Error::Denied(Denial::ProofTooOld)) => return Ok(ask_for_proof(&visit.request.path)),
        // The API calls it by another name.
        Err(error) => error.of_field("password", "new_password"),
    };
    let user = app.directory().user(&visit.actor, &key).await?;
    let labels = [(NEW.0, NEW.1), (AGAIN.0, AGAIN.1)];
    let (status, problems) = refused(error, &labels)?;
    page(status, &PasswordPage::new(&visit, &user, ends, problems))
}

fn differ() -> Error {
    let text = "The two new passwords differ.".to_owned();
    Error::invalid("new_password_again", &crate::directory::model::Violation::Other(text))
}
