//! `/admin/users/{id}`: one user, with rights and where each comes from, groups, tokens, sessions and history.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::events::{ShownEvent, events_of_user};
use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::picture;
use super::places::{GROUPS, USERS};
use super::responses::{page, see_other};
use super::token_shown::ShownToken;
use super::visit::{Visit, VisitWith};
use super::words::{Face, When, display_name, right_in_words};
use crate::directory::access::{
    ChangeMembers, DeleteUser, IssueToken, NeedsPermission, ReadGroups, ReadTokens, RevokeToken, UpdateToken,
    UpdateUser, holds_permission,
};
use crate::directory::model::{Group, ListedToken, Permission, Timestamp, TokenState, User, UserId, UserKey};
use crate::directory::query::{TokenFilters, TokenQuery};
use crate::directory::users::UserDetails;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Tokens that the page shows.
const TOKENS_MAX: u32 = 100;
/// Events that the page shows.
const EVENTS_MAX: u32 = 10;

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage {
    page: SiteFrame,
    user: ShownUser,
    picture: Option<String>,
    rights: Vec<ShownRight>,
    groups: Vec<ShownGroup>,
    tokens: Option<Vec<ShownToken>>,
    sessions: Vec<ShownToken>,
    events: Option<Vec<ShownEvent>>,
    can_sign_out: bool,
    can_make_admin: bool,
    can_edit: bool,
    can_delete: bool,
    /// Whether an invitation can be sent and revoked.
    can_invite: bool,
    can_change_groups: bool,
    can_issue: bool,
    can_change_tokens: bool,
    is_self: bool,
}

/// A user as a page shows it.
pub(super) struct ShownUser {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) face: Face,
    pub(super) username: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    pub(super) mobile_number: String,
    pub(super) gender: String,
    pub(super) is_active: bool,
    pub(super) is_staff: bool,
    pub(super) is_admin: bool,
    pub(super) is_online: bool,
    pub(super) last_login: Option<When>,
    pub(super) created: When,
    pub(super) updated: When,
}

impl ShownUser {
    pub(super) fn new(user: &User, now: Timestamp) -> Self {
        let name = display_name(user);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            id: user.id.get(),
            face: Face::of(&name),
            name,
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: text(&user.email),
            mobile_number: text(&user.mobile_number),
            gender: text(&user.gender),
            is_active: user.is_active,
            is_staff: user.is_staff,
            is_admin: user.is_admin,
            is_online: user.is_online(now),
            last_login: When::maybe(user.last_login, now),
            created: When::of(user.created_at, now),
            updated: When::of(user.updated_at, now),
        }
    }
}

/// A right, and where it comes from.
struct ShownRight {
    words: String,
    code: i64,
    name: String,
    is_own: bool,
    groups: Vec<String>,
}

struct ShownGroup {
    name: String,
    /// The page of the group; empty for who may not read groups.
    path: String,
}

impl ShownGroup {
    fn new(group: &Group, is_linked: bool) -> Self {
        let path = if is_linked { format!("{GROUPS}/{}", group.id) } else { String::new() };
        Self { name: group.name.clone(), path }
    }
}

/// `GET /admin/users/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    let details = app.directory().user_details(&visit.actor, &UserKey::Id(id)).await.map_err(hidden)?;
    let mut view = UserPage::new(&visit, &details);
    view.can_invite = view.can_edit && !view.is_self && can_invite(&app, &details.user);
    view.picture = picture::url(&app, &visit, &details.user, 128);
    if holds_permission::<ReadTokens>(&visit.identity) {
        let listed = app.directory().list_tokens(&visit.actor, &active_tokens(id)).await?;
        let (sessions, tokens) = split(listed.rows, visit.request.now);
        (view.sessions, view.tokens) = (sessions, Some(tokens));
    }
    view.events = events_of_user(&app, &visit, id, EVENTS_MAX).await?;
    page(StatusCode::OK, &view)
}

/// Whether the page offers an invitation: to who never signed in. The use case decides again, with all that it needs.
fn can_invite(app: &App, user: &User) -> bool {
    app.directory().why_no_links().is_none() && user.last_login.is_none() && user.is_active
}

/// Whether the page offers what needs this permission. Only admins change admins.
fn may<P: NeedsPermission>(visit: &Visit, user: &User) -> bool {
    holds_permission::<P>(&visit.identity) && (visit.identity.user.is_admin || !user.is_admin)
}

impl UserPage {
    /// The page, without what some people may not read.
    fn new(visit: &Visit, details: &UserDetails) -> Self {
        let (user, is_self) = (&details.user, details.user.id == visit.identity.user.id);
        let may_read_groups = holds_permission::<ReadGroups>(&visit.identity);
        Self {
            page: SiteFrame::new(display_name(user), USERS, visit),
            user: ShownUser::new(user, visit.request.now),
            picture: None,
            rights: rights(details),
            groups: details.groups.iter().map(|group| ShownGroup::new(group, may_read_groups)).collect(),
            tokens: None,
            sessions: Vec::new(),
            events: None,
            can_sign_out: holds_permission::<RevokeToken>(&visit.identity),
            can_make_admin: visit.identity.user.is_admin && !user.is_admin,
            can_edit: may::<UpdateUser>(visit, user),
            can_delete: may::<DeleteUser>(visit, user),
            can_invite: false,
            can_change_groups: may::<ChangeMembers>(visit, user),
            can_issue: is_self || may::<IssueToken>(visit, user),
            can_change_tokens: is_self || may::<UpdateToken>(visit, user),
            is_self,
        }
    }
}

fn active_tokens(owner: UserId) -> TokenQuery {
    let filters =
        TokenFilters { user: Some(owner), state: Some(TokenState::Active), ..TokenFilters::default() };
    TokenQuery::by_id(filters, None, TOKENS_MAX)
}

/// Splits tokens into sessions, which sign-ins made, and others.
fn split(listed: Vec<ListedToken>, now: Timestamp) -> (Vec<ShownToken>, Vec<ShownToken>) {
    let (sessions, tokens): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|listed| listed.token.kind.is_sign_in());
    let shown =
        |listed: Vec<ListedToken>| listed.iter().map(|one| ShownToken::new(&one.token, now)).collect();
    (shown(sessions), shown(tokens))
}

fn rights(details: &UserDetails) -> Vec<ShownRight> {
    let group_name = |group: &Group| group.name.clone();
    let of = |code: i64| details.held.iter().filter(move |held| held.permission.code == code);
    let right = |permission: &Permission| ShownRight {
        words: right_in_words(permission),
        code: permission.code,
        name: permission.name.clone(),
        is_own: of(permission.code).any(|held| held.group.is_none()),
        groups: details
            .groups
            .iter()
            .filter(|group| of(permission.code).any(|held| held.group == Some(group.id)))
            .map(group_name)
            .collect(),
    };
    details.effective_permissions.iter().map(right).collect()
}

#[derive(Template)]
#[template(path = "admin/user_sign_out.html")]
struct SignOutPage {
    page: SiteFrame,
    user: ShownUser,
}

/// `GET /admin/users/{id}/sign-out`: names what happens before it does.
pub(super) async fn ask_sign_out(
    State(app): State<App>,
    visit: VisitWith<RevokeToken>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let key = UserKey::Id(user_id(&id)?);
    let user = app.directory().user(&visit.actor, &key).await.map_err(hidden)?;
    let user = ShownUser::new(&user, visit.request.now);
    let frame = SiteFrame::new(format!("Sign out {} everywhere?", user.name), USERS, &visit);
    page(StatusCode::OK, &SignOutPage { page: frame, user })
}

/// `POST /admin/users/{id}/sign-out`.
pub(super) async fn sign_out(
    State(app): State<App>,
    visit: VisitWith<RevokeToken>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = user_id(&id)?;
    app.directory().sign_out_user(&visit.actor, &UserKey::Id(id)).await?;
    Ok(see_other(&format!("/admin/users/{id}?done=signed-out-everywhere")))
}
