//! `/admin/account`: the person's own profile, password and sessions.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed};
use super::listing::ListAddress;
use super::page::SiteFrame;
use super::picture;
use super::places::ACCOUNT;
use super::responses::{page, see_other};
use super::token_shown::ShownToken;
use super::user::ShownUser;
use super::views::{self, OwnView};
use super::visit::Visit;
use crate::directory::error::Error;
use crate::directory::model::{Gender, TokenId, TokenState, UserDraft, UserKey};
use crate::directory::password::Password;
use crate::directory::query::{PageLink, TokenQuery};
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

const PROFILE: &[(&str, &str)] = &[
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("email", "E-mail"),
    ("mobile_number", "Mobile number"),
    ("gender", "Gender"),
    ("old_password", "Current password"),
];
const PASSWORD: &[(&str, &str)] = &[("old_password", "Current password"), ("new_password", "New password")];

#[derive(Template)]
#[template(path = "admin/account.html")]
struct AccountPage {
    page: SiteFrame,
    user: ShownUser,
    picture: Option<String>,
    profile: Problems,
    password: Problems,
    views: Vec<OwnView>,
    own_tokens: OwnTokenPage,
    own_sessions: OwnTokenPage,
    /// The id of the session of this browser.
    current: i64,
    genders: [&'static str; 4],
}

/// Rows of a page of tokens or sessions.
const ROWS: &str = "20";
/// The parameters with the places in both lists, which are also the ids of their headings.
const TOKENS: &str = "tokens";
const SESSIONS: &str = "sessions";

/// A page of the person's valid tokens or sessions, the newest first.
struct OwnTokenPage {
    rows: Vec<ShownToken>,
    next: Option<String>,
    previous: Option<String>,
}

impl OwnTokenPage {
    /// Reads the page of the list of this name that the address asks for.
    async fn read(app: &App, visit: &Visit, list: &str) -> Result<Self, ApiError> {
        let cursor = visit.request.parameter(list).unwrap_or_default();
        let question = [("ordering", "-id"), ("limit", ROWS), ("cursor", cursor)];
        let question = question.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut query = TokenQuery::parse(&question).map_err(ApiError::Invalid)?;
        query.filters.state = Some(TokenState::Active);
        query.filters.is_sign_in = Some(list == SESSIONS);
        let found = app.directory().list_own_tokens(&visit.actor, &query).await?;
        let address = ListAddress::new(ACCOUNT, &visit.request.query, "");
        let turn = |link: &Option<PageLink>| match link {
            Some(PageLink::Cursor(cursor)) => Some(format!("{}#{list}", address.with(list, cursor))),
            _ => None,
        };
        Ok(Self {
            rows: found.rows.iter().map(|listed| ShownToken::new(&listed.token, visit.request.now)).collect(),
            next: turn(&found.next),
            previous: turn(&found.previous),
        })
    }
}

async fn view(app: &App, visit: &Visit) -> Result<AccountPage, ApiError> {
    let now = visit.request.now;
    Ok(AccountPage {
        views: views::own(app, visit).await?,
        own_tokens: OwnTokenPage::read(app, visit, TOKENS).await?,
        own_sessions: OwnTokenPage::read(app, visit, SESSIONS).await?,
        page: SiteFrame::new("Your account", ACCOUNT, visit),
        user: ShownUser::new(&visit.identity.user, now),
        picture: picture::url(app, visit, &visit.identity.user, 128),
        profile: Problems::default(),
        password: Problems::default(),
        current: visit.identity.token.id.get(),
        genders: Gender::ALL.map(Gender::as_str),
    })
}

impl AccountPage {
    /// Whether the person has this gender.
    fn is_gender(&self, gender: &str) -> bool {
        self.user.gender == gender
    }
}

/// `GET /admin/account`.
pub(super) async fn show(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    page(StatusCode::OK, &view(&app, &visit).await?)
}

/// What was typed into the form of the profile.
pub(super) struct TypedProfile {
    draft: UserDraft,
    old_password: Option<Password>,
}

impl FormValues for TypedProfile {
    fn read(fields: &mut Fields) -> Self {
        let draft = UserDraft {
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            email: or_null(fields, "email"),
            mobile_number: or_null(fields, "mobile_number"),
            gender: or_null(fields, "gender"),
            ..UserDraft::default()
        };
        let old_password = or_null(fields, "old_password").flatten().map(Password::new);
        Self { draft, old_password }
    }
}

/// Reads a text that may stay empty. A form has no null: what is empty is not given.
fn or_null(fields: &mut Fields, name: &str) -> Option<Option<String>> {
    fields.text(name).map(|text| Some(text).filter(|text| !text.is_empty()))
}

impl ShownUser {
    /// Puts what was typed in place of what is stored.
    fn keep(&mut self, typed: UserDraft) {
        let put = |shown: &mut String, typed: Option<String>| {
            if let Some(typed) = typed {
                *shown = typed;
            }
        };
        put(&mut self.first_name, typed.first_name);
        put(&mut self.last_name, typed.last_name);
        put(&mut self.email, typed.email.map(Option::unwrap_or_default));
        put(&mut self.mobile_number, typed.mobile_number.map(Option::unwrap_or_default));
        put(&mut self.gender, typed.gender.map(Option::unwrap_or_default));
    }
}

/// `POST /admin/account/profile`.
pub(super) async fn change_profile(
    State(app): State<App>,
    visit: Visit,
    Typed(typed): Typed<TypedProfile>,
) -> Result<Response, ApiError> {
    match app.directory().update_self(&visit.actor, &typed.draft, typed.old_password).await {
        Ok(_) => Ok(see_other("/admin/account?done=profile-saved")),
        Err(Error::Invalid(faults)) => {
            let mut view = view(&app, &visit).await?;
            view.profile = Problems::of(&faults, PROFILE);
            view.user.keep(typed.draft);
            again(view)
        }
        Err(error) => Err(error.into()),
    }
}

/// What was typed into the form of the password.
pub(super) struct TypedPasswords {
    old: String,
    new: String,
    repeated: String,
}

impl FormValues for TypedPasswords {
    fn read(fields: &mut Fields) -> Self {
        let mut text = |name: &str| fields.text(name).unwrap_or_default();
        Self { old: text("old_password"), new: text("new_password"), repeated: text("new_password_again") }
    }
}

/// `POST /admin/account/password`. Other sign-ins of the person end.
pub(super) async fn change_password(
    State(app): State<App>,
    visit: Visit,
    Typed(typed): Typed<TypedPasswords>,
) -> Result<Response, ApiError> {
    let problems = if typed.new == typed.repeated {
        let (old, new) = (Password::new(typed.old), Password::new(typed.new));
        match app.directory().change_own_password(&visit.actor, old, new, true).await {
            Ok(()) => return Ok(see_other("/admin/account?done=password-changed")),
            Err(Error::Invalid(faults)) => Problems::of(&faults, PASSWORD),
            Err(error) => return Err(error.into()),
        }
    } else {
        Problems::whole("The two new passwords differ.")
    };
    again(AccountPage { password: problems, ..view(&app, &visit).await? })
}

fn again(mut view: AccountPage) -> Result<Response, ApiError> {
    view.page.title = "Problem: your account".to_owned();
    page(StatusCode::BAD_REQUEST, &view)
}

/// `POST /admin/account/sign-out-others`: ends all other sessions of the person.
pub(super) async fn sign_out_others(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    app.directory().sign_out_others(&visit.actor).await?;
    Ok(see_other("/admin/account?done=others-signed-out"))
}

/// `POST /admin/account/sessions/{id}/end`: ends one session of the person.
pub(super) async fn end_session(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id: TokenId = id.parse().map_err(|_| ApiError::NotFound)?;
    let own = UserKey::Id(visit.identity.user.id);
    app.directory().revoke_token(&visit.actor, Some(&own), id).await?;
    Ok(see_other("/admin/account?done=session-ended"))
}
