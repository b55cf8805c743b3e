//! Pictures of people: shown on their pages; uploaded and removed at `/admin/account/picture` and `/admin/users/{id}/picture`.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{Problems, refused};
use super::objects::user_id;
use super::page::SiteFrame;
use super::places::{ACCOUNT, USERS};
use super::responses::{media_origin, page, see_other};
use super::user_form::changeable;
use super::visit::Visit;
use super::words::{Face, display_name};
use crate::directory::access::{ReadUsers, holds_permission};
use crate::directory::avatars::AvatarChange;
use crate::directory::error::Error;
use crate::directory::model::{Expected, User, UserDraft, UserKey, Violation, is_absolute_url};
use crate::http::app::App;
use crate::http::avatars::{AVATAR, upload};
use crate::http::body::{Body, Fields, SentFile};
use crate::http::error::ApiError;
use crate::media::storage::AvatarFile;

/// The path of the form for one's own picture.
pub(super) const OWN: &str = "/admin/account/picture";
/// The path of the form for another user's picture.
pub(super) const OTHERS: &str = "/admin/users/{id}/picture";
/// What people call the field.
const LABELS: &[(&str, &str)] = &[(AVATAR, "Picture")];

/// Returns the URL of the picture of a user, as a square of at least this size where there is one. `None` if there is no picture,
/// or if it is on a server that the policy of pages does not allow, as imported addresses can be.
pub(super) fn url(app: &App, visit: &Visit, user: &User, size: u16) -> Option<String> {
    let stored = user.avatar.as_deref()?;
    let site = &visit.request.site;
    let url = site.media(Some(stored))?;
    if is_absolute_url(stored) {
        let begins = |origin: &str| url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/'));
        let media = media_origin(&app.settings().site.media_url);
        return Some(url.clone()).filter(|_| begins(site.origin()) || media.is_some_and(begins));
    }
    // A picture that was imported has one size.
    match AvatarFile::parse(stored) {
        Some(_) => Some(format!("{url}?size={size}")),
        None => Some(url),
    }
}

#[derive(Template)]
#[template(path = "admin/user_picture.html")]
struct PicturePage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    /// Where its forms are sent to, and where it leads back to.
    action: String,
    back: String,
    name: String,
    face: Face,
    picture: Option<String>,
    is_own: bool,
}

impl PicturePage {
    fn new(app: &App, visit: &Visit, user: &User, problems: Problems) -> Self {
        let is_own = user.id == visit.identity.user.id;
        let name = display_name(user);
        let title = if is_own { "Your picture".to_owned() } else { format!("Picture of {name}") };
        let (action, back) = match is_own {
            true => (OWN.to_owned(), ACCOUNT.to_owned()),
            false => (format!("{USERS}/{}/picture", user.id), format!("{USERS}/{}", user.id)),
        };
        Self {
            page: SiteFrame::new(title, if is_own { ACCOUNT } else { USERS }, visit).marked(&problems),
            refused: "The picture was not saved",
            action,
            back,
            face: Face::of(&name),
            name,
            picture: url(app, visit, user, 256),
            is_own,
            problems,
        }
    }
}

/// Reads what was sent: a file, or that there is to be none.
fn change(app: &App, body: Body) -> Result<Result<AvatarChange, Error>, ApiError> {
    let mut fields = Fields::from(body);
    let sent = fields.file(AVATAR);
    let removes = fields.boolean("remove").unwrap_or_default();
    fields.end()?;
    Ok(match sent {
        _ if removes => Ok(AvatarChange::Remove),
        Some(SentFile::Content(content, held)) => {
            Ok(AvatarChange::Upload(upload(app.media(), content, held)))
        }
        // A form without a chosen file has an empty one.
        Some(SentFile::None | SentFile::Text(_)) | None => {
            Err(Error::invalid(AVATAR, &Violation::Other("Choose a file first.".to_owned())))
        }
    })
}

/// `GET /admin/account/picture`.
pub(super) async fn show_own(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    page(StatusCode::OK, &PicturePage::new(&app, &visit, &visit.identity.user, Problems::default()))
}

/// `POST /admin/account/picture`.
pub(super) async fn save_own(State(app): State<App>, visit: Visit, body: Body) -> Result<Response, ApiError> {
    let outcome = match change(&app, body)? {
        Ok(change) => {
            let draft = UserDraft::default();
            app.directory().update_self_with(&visit.actor, &draft, None, Some(change)).await.map(drop)
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(see_other(&format!("{ACCOUNT}?done=picture-saved"))),
        Err(error) => {
            let (status, problems) = refused(error, LABELS)?;
            page(status, &PicturePage::new(&app, &visit, &visit.identity.user, problems))
        }
    }
}

/// `GET /admin/users/{id}/picture`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = changeable(&app, &visit, &id).await?;
    page(StatusCode::OK, &PicturePage::new(&app, &visit, &details.user, Problems::default()))
}

/// `POST /admin/users/{id}/picture`.
pub(super) async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let key = UserKey::Id(id);
    let outcome = match change(&app, body)? {
        Ok(change) => {
            let (draft, directory) = (UserDraft::default(), app.directory());
            let saved =
                directory.update_user_with(&visit.actor, &key, &draft, None, Expected::Any, Some(change));
            saved.await.map(drop)
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) if holds_permission::<ReadUsers>(&visit.identity) => {
            Ok(see_other(&format!("{USERS}/{id}?done=picture-saved")))
        }
        Ok(()) => Ok(see_other("/admin?done=picture-saved")),
        Err(error) => {
            let (status, problems) = refused(error, LABELS)?;
            let user = app.directory().user(&visit.actor, &key).await?;
            page(status, &PicturePage::new(&app, &visit, &user, problems))
        }
    }
}
