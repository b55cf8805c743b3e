//! `/admin/users/{id}/{action}`: what is done to one user after a page that says what it means: deactivate, activate, unlock,
//! take admin rights away, move to the recycle bin.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{Problems, refused};
use super::objects::{hidden, user_id};
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::visit::{Visit, ask_for_proof, check_right};
use super::words::{When, capitalised, display_name};
use crate::directory::access::{DeleteUser, ReadTokens, ReadUsers, UpdateUser, holds_permission};
use crate::directory::authentication::OpenAttempts;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{TokenState, User, UserDraft, UserId, UserKey};
use crate::directory::query::{TokenFilters, TokenQuery};
use crate::http::app::App;
use crate::http::error::ApiError;

/// What can be done to one user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UserAction {
    Deactivate,
    Activate,
    Unlock,
    TakeAdmin,
    Delete,
    Invite,
    Uninvite,
}

/// How a page names an action.
struct ActionWords {
    action: UserAction,
    /// The last part of the path.
    path: &'static str,
    /// The title before the name and after it.
    title: [&'static str; 2],
    /// What happens: icons and sentences.
    happens: &'static [(&'static str, &'static str)],
    /// The button, and the link that leaves everything as it is.
    buttons: [&'static str; 2],
    /// The note on the page that follows.
    done: &'static str,
}

const ACTIONS: &[ActionWords] = &[
    ActionWords {
        action: UserAction::Deactivate,
        path: "deactivate",
        title: ["Deactivate", "?"],
        happens: &[
            (
                "lock",
                "The person can no longer sign in, and all their tokens are refused, at once and everywhere.",
            ),
            ("groups", "Profile, groups, rights and tokens stay as they are."),
            ("undo", "Activating the account again takes it back: tokens that did not expire work again."),
        ],
        buttons: ["Deactivate", "Keep it active"],
        done: "deactivated",
    },
    ActionWords {
        action: UserAction::Activate,
        path: "activate",
        title: ["Activate", "?"],
        happens: &[
            ("ok", "The person can sign in again."),
            ("token", "Their tokens that did not expire and are not revoked work again at once."),
        ],
        buttons: ["Activate", "Keep it inactive"],
        done: "activated",
    },
    ActionWords {
        action: UserAction::Unlock,
        path: "unlock",
        title: ["Forget the failed sign-ins of", "?"],
        happens: &[
            ("lock", "The person can try to sign in again at once."),
            ("warn", "Someone who guesses their password gets as many new attempts."),
        ],
        buttons: ["Forget failed sign-ins", "Keep the lock"],
        done: "unlocked",
    },
    ActionWords {
        action: UserAction::TakeAdmin,
        path: "not-admin",
        title: ["Take admin rights away from", "?"],
        happens: &[
            (
                "permissions",
                "The person may do only what their own rights and groups allow, and only as staff.",
            ),
            ("sessions", "Their sessions and tokens stay, with the fewer rights, at once."),
            ("undo", "An admin can make them an admin again."),
        ],
        buttons: ["Take admin rights away", "Leave them an admin"],
        done: "admin-taken",
    },
    ActionWords {
        action: UserAction::Delete,
        path: "delete",
        title: ["Move", " to the recycle bin?"],
        happens: &[("lock", "The person can no longer sign in or call, at once and everywhere.")],
        buttons: ["Move to the recycle bin", "Keep them"],
        done: "deleted",
    },
];

/// What concerns the invitation of a user. It needs a recent proof, as a new password does.
const INVITATIONS: &[ActionWords] = &[
    ActionWords {
        action: UserAction::Invite,
        path: "invite",
        title: ["Send an invitation to", "?"],
        happens: &[
            ("user", "A mail goes to the e-mail address of the account, with a link to choose a password."),
            ("clock", "The link works once, and for a limited time. It ends a link that was sent before."),
            ("lock", "A new password, another e-mail address or a deactivation ends it."),
        ],
        buttons: ["Send the invitation", "Send nothing"],
        done: "invited",
    },
    ActionWords {
        action: UserAction::Uninvite,
        path: "uninvite",
        title: ["Revoke the invitation of", "?"],
        happens: &[
            ("lock", "The link that was sent no longer works."),
            ("undo", "You can send another invitation at any time."),
        ],
        buttons: ["Revoke the invitation", "Keep it"],
        done: "invitation-revoked",
    },
];

/// A deletion where the recycle bin keeps nothing.
const DELETE_PERMANENTLY: ActionWords = ActionWords {
    action: UserAction::Delete,
    path: "delete",
    title: ["Delete", " permanently?"],
    happens: &[("lock", "The person can no longer sign in or call, at once and everywhere.")],
    buttons: ["Delete permanently", "Keep them"],
    done: "user-gone",
};

impl ActionWords {
    /// The action of a path, if the person holds the right to it. The use case decides again, with all that is concerned.
    fn of(path: &str, app: &App, visit: &Visit) -> Result<&'static Self, ApiError> {
        let mut all = ACTIONS.iter().chain(INVITATIONS);
        let words = all.find(|words| words.path == path).ok_or(ApiError::NotFound)?;
        match words.action {
            UserAction::Delete => check_right(holds_permission::<DeleteUser>(&visit.identity))?,
            UserAction::TakeAdmin => visit.check_admin()?,
            _ => check_right(holds_permission::<UpdateUser>(&visit.identity))?,
        }
        match words.action {
            UserAction::Delete if app.directory().deleted_kept_for().is_zero() => Ok(&DELETE_PERMANENTLY),
            _ => Ok(words),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/user_action.html")]
struct ActionPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    id: i64,
    name: String,
    words: &'static ActionWords,
    deletion: Option<Deletion>,
    attempts: Vec<ShownAttempts>,
    invitation: Option<ShownInvitation>,
}

/// What a deletion ends and keeps.
struct Deletion {
    /// The tokens and sessions that end; `None` if the person may not read them.
    tokens: Option<String>,
    groups: usize,
    /// Until when it can be taken back; `None` if nothing is kept.
    until: Option<When>,
}

/// The last invitation of a user.
struct ShownInvitation {
    state: &'static str,
    sent: Option<When>,
    by: String,
    ends: Option<When>,
    /// Where a new one goes.
    email: String,
}

/// Failed sign-ins from one network.
struct ShownAttempts {
    network: String,
    failures: i64,
    until: Option<When>,
}

impl ShownAttempts {
    fn new(open: &OpenAttempts, visit: &Visit) -> Self {
        let network = match open.network.as_deref() {
            None => "All other networks together",
            Some("") => "No network",
            Some(network) => network,
        };
        let until = When::maybe(open.blocked_until, visit.request.now);
        Self { network: network.to_owned(), failures: open.failures, until }
    }
}

/// Tokens that are counted, at most.
const TOKENS_MAX: u32 = 100;

/// Says how many tokens end with a user.
async fn tokens_that_end(app: &App, visit: &Visit, id: UserId) -> Result<Option<String>, ApiError> {
    if !holds_permission::<ReadTokens>(&visit.identity) {
        return Ok(None);
    }
    let filters = TokenFilters { user: Some(id), state: Some(TokenState::Active), ..TokenFilters::default() };
    let found =
        app.directory().list_tokens(&visit.actor, &TokenQuery::by_id(filters, None, TOKENS_MAX)).await?;
    let sessions = found.rows.iter().filter(|listed| listed.token.kind.is_sign_in()).count();
    let (sessions, tokens) = (counted(sessions, "session"), counted(found.rows.len() - sessions, "token"));
    let more = if found.next.is_some() { ", and more" } else { "" };
    Ok(Some(capitalised(&format!("{tokens} and {sessions}{more}"))))
}

/// Writes a number with its noun.
fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

async fn view(
    app: &App,
    visit: &Visit,
    user: &User,
    words: &'static ActionWords,
    problems: Problems,
) -> Result<ActionPage, ApiError> {
    let name = display_name(user);
    let title = format!("{} {name}{}", words.title[0], words.title[1]);
    Ok(ActionPage {
        page: SiteFrame::new(title, USERS, visit).marked(&problems),
        problems,
        refused: "This was refused",
        id: user.id.get(),
        name,
        words,
        deletion: deletion(app, visit, words.action, user).await?,
        attempts: attempts(app, visit, words.action, user).await?,
        invitation: invitation(app, visit, words.action, user).await?,
    })
}

/// The invitation of a user, and where a new one goes; `None` for actions that are about something else.
async fn invitation(
    app: &App,
    visit: &Visit,
    action: UserAction,
    user: &User,
) -> Result<Option<ShownInvitation>, ApiError> {
    if !matches!(action, UserAction::Invite | UserAction::Uninvite) {
        return Ok(None);
    }
    let status = app.directory().invitation(&visit.actor, &UserKey::Id(user.id)).await?;
    let (now, last) = (visit.request.now, status.last.as_ref());
    Ok(Some(ShownInvitation {
        state: status.state(),
        sent: When::maybe(last.map(|link| link.created_at), now),
        by: last.map(|link| link.made_by.clone()).unwrap_or_default(),
        ends: When::maybe(last.map(|link| link.expires_at), now),
        email: user.email.clone().unwrap_or_default(),
    }))
}

/// What the deletion of a user ends and keeps; `None` for other actions.
async fn deletion(
    app: &App,
    visit: &Visit,
    action: UserAction,
    user: &User,
) -> Result<Option<Deletion>, ApiError> {
    if action != UserAction::Delete {
        return Ok(None);
    }
    let tokens = tokens_that_end(app, visit, user.id).await?;
    Ok(Some(Deletion { tokens, groups: user.groups.len(), until: until(app, visit) }))
}

/// The failed sign-ins that would be forgotten; none for other actions.
async fn attempts(
    app: &App,
    visit: &Visit,
    action: UserAction,
    user: &User,
) -> Result<Vec<ShownAttempts>, ApiError> {
    if action != UserAction::Unlock {
        return Ok(Vec::new());
    }
    let open = app.directory().open_attempts(&visit.actor, user).await?;
    Ok(open.iter().map(|open| ShownAttempts::new(open, visit)).collect())
}

/// Until when what is deleted now can be restored; `None` if nothing is kept.
pub(super) fn until(app: &App, visit: &Visit) -> Option<When> {
    let (now, kept_for) = (visit.request.now, app.directory().deleted_kept_for());
    (!kept_for.is_zero()).then(|| When::of(now.plus(kept_for).unwrap_or(now), now))
}

/// `GET /admin/users/{id}/{action}`: names what happens before it does.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let key = UserKey::Id(user_id(&id)?);
    let user = app.directory().user(&visit.actor, &key).await.map_err(hidden)?;
    let words = ActionWords::of(&action, &app, &visit)?;
    if user.is_admin {
        visit.check_admin()?;
    }
    let needs_proof = [DELETE_PERMANENTLY.done, "invited", "invitation-revoked"].contains(&words.done);
    match visit.proof_first().filter(|_| needs_proof) {
        Some(first) => Ok(first),
        None => page(StatusCode::OK, &view(&app, &visit, &user, words, Problems::default()).await?),
    }
}

/// `POST /admin/users/{id}/{action}`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (words, id) = (ActionWords::of(&action, &app, &visit)?, user_id(&id)?);
    let error = match done(&app, &visit, words.action, id).await {
        Ok(()) => return Ok(see_other(&after(&visit, words, id))),
        Err(Error::Denied(Denial::ProofTooOld)) => return Ok(ask_for_proof(&visit.request.path)),
        Err(error) => error,
    };
    let (status, problems) = refused(error, &[])?;
    let user = app.directory().user(&visit.actor, &UserKey::Id(id)).await.map_err(hidden)?;
    page(status, &view(&app, &visit, &user, words, problems).await?)
}

/// The page after an action, with a way back from a deletion.
fn after(visit: &Visit, words: &ActionWords, id: UserId) -> String {
    let list = if holds_permission::<ReadUsers>(&visit.identity) { USERS } else { "/admin" };
    match words.done {
        "deleted" => format!("{list}?done=deleted&undo={id}"),
        "user-gone" => format!("{list}?done=user-gone"),
        done => format!("/admin/users/{id}?done={done}"),
    }
}

async fn done(app: &App, visit: &Visit, action: UserAction, id: UserId) -> Result<(), Error> {
    let (directory, actor, key) = (app.directory(), &visit.actor, UserKey::Id(id));
    let draft = match action {
        UserAction::Delete => return directory.delete_user(actor, &key).await.map(|_| ()),
        UserAction::Unlock => return directory.unlock_users(actor, vec![key]).await.map(|_| ()),
        UserAction::Invite => return directory.invite_users(actor, vec![key]).await.map(|_| ()),
        UserAction::Uninvite => return directory.revoke_invitations(actor, vec![key]).await.map(|_| ()),
        UserAction::Deactivate => UserDraft { is_active: Some(false), ..UserDraft::default() },
        UserAction::Activate => UserDraft { is_active: Some(true), ..UserDraft::default() },
        UserAction::TakeAdmin => UserDraft { is_admin: Some(false), ..UserDraft::default() },
    };
    directory.update_user(actor, &key, &draft, None).await.map(|_| ())
}
