//! `/admin/users/bulk`: many users at once, all of them or none, after one page that names them and what happens.
//!
//! The list sends the ids and the action; the page about them sends the same, and `confirmed`. What is refused is shown beside
//! the user that it concerns. `/admin/users/restore` takes a deletion back.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::fields::{FieldKind, ShownField};
use super::form::{FormValues, Problems, Typed};
use super::page::SiteFrame;
use super::places::USERS;
use super::responses::{page, see_other};
use super::user_action::until;
use super::visit::{Visit, VisitWith, ask_for_proof, check_right};
use super::words::{Face, When, display_name};
use crate::directory::access::{
    ChangeMembers, DeleteUser, NeedsPermission, ReadUsers, RestoreUser, RevokeToken, UpdateUser,
    holds_permission, holds_right,
};
use crate::directory::error::{Denial, Error};
use crate::directory::groups::MemberChange;
use crate::directory::model::{GroupKey, User, UserDraft, UserId, UserKey, ValidationErrors, Violation};
use crate::http::app::App;
use crate::http::body::{Body, Fields, FormBody};
use crate::http::error::ApiError;

/// What can be done to many users.
pub(super) struct BulkAction {
    /// The value of the button.
    pub(super) name: &'static str,
    /// The button of the list.
    pub(super) label: &'static str,
    /// The permission that it needs.
    code: i64,
    /// The verb before the number of people, and what follows it.
    title: [&'static str; 2],
    /// What happens: icons and sentences.
    happens: &'static [(&'static str, &'static str)],
    /// The note on the list afterwards.
    done: &'static str,
}

const ADD: &str = "add";
const REMOVE: &str = "remove";
const DELETE: &str = "delete";
const RESTORE: &str = "restore";

const ACTIONS: &[BulkAction] = &[
    BulkAction {
        name: ADD,
        label: "Add to group…",
        code: ChangeMembers::CODE,
        title: ["Add", "to a group"],
        happens: &[(
            "groups",
            "They get the rights of the group at once. Those who are in it already stay in it.",
        )],
        done: "bulk-added",
    },
    BulkAction {
        name: REMOVE,
        label: "Remove from group…",
        code: ChangeMembers::CODE,
        title: ["Remove", "from a group"],
        happens: &[("groups", "They lose the rights that only this group gave them, at once.")],
        done: "bulk-removed",
    },
    BulkAction {
        name: "sign-out",
        label: "Sign out everywhere…",
        code: RevokeToken::CODE,
        title: ["Sign out", "everywhere"],
        happens: &[
            ("sessions", "All their sessions end at once, on every replica."),
            (
                "token",
                "All their tokens are revoked, those of scripts and services too. This cannot be taken back.",
            ),
        ],
        done: "bulk-signed-out",
    },
    BulkAction {
        name: "activate",
        label: "Activate…",
        code: UpdateUser::CODE,
        title: ["Activate", ""],
        happens: &[("ok", "They can sign in again, and their tokens that did not expire work again.")],
        done: "bulk-activated",
    },
    BulkAction {
        name: "deactivate",
        label: "Deactivate…",
        code: UpdateUser::CODE,
        title: ["Deactivate", ""],
        happens: &[
            ("lock", "They can no longer sign in, and all their tokens are refused, at once and everywhere."),
            ("undo", "Activating them again takes it back."),
        ],
        done: "bulk-deactivated",
    },
    BulkAction {
        name: DELETE,
        label: "Move to recycle bin…",
        code: DeleteUser::CODE,
        title: ["Move", "to the recycle bin"],
        happens: &[
            ("lock", "They can no longer sign in or call, at once and everywhere."),
            ("token", "All their tokens and sessions end. They do not come back with restored users."),
            ("groups", "Their memberships are kept and come back with them."),
        ],
        done: "bulk-deleted",
    },
];

/// A deletion where the recycle bin keeps nothing.
const DELETE_PERMANENTLY: BulkAction = BulkAction {
    name: DELETE,
    label: "Delete permanently…",
    code: DeleteUser::CODE,
    title: ["Delete", "permanently"],
    happens: &[
        ("lock", "They can no longer sign in or call, at once and everywhere."),
        ("token", "All their tokens and sessions end."),
        ("warn", "This cannot be taken back. This server keeps nothing that is deleted."),
    ],
    done: "bulk-gone",
};

/// Takes a deletion back. No list offers it: the note about the deletion does.
const UNDO: BulkAction = BulkAction {
    name: RESTORE,
    label: "",
    code: DeleteUser::CODE,
    title: ["Restore", ""],
    happens: &[("undo", "They come back with their profile, password, groups and rights.")],
    done: "bulk-restored",
};

/// The actions that the list offers to a person.
pub(super) fn offered(app: &App, visit: &Visit) -> Vec<&'static BulkAction> {
    let held = ACTIONS.iter().filter(|action| holds_right(&visit.identity, action.code));
    held.map(|action| as_kept(app, action)).collect()
}

/// The action as it is on this server, which may keep nothing that is deleted.
fn as_kept(app: &App, action: &'static BulkAction) -> &'static BulkAction {
    match action.name == DELETE && app.directory().deleted_kept_for().is_zero() {
        true => &DELETE_PERMANENTLY,
        false => action,
    }
}

/// As many users as a link for undoing names.
const UNDO_MAX: usize = 100;

const GROUP: (&str, &str, &str, FieldKind) =
    ("group", "Group", "The name of the group, or its number.", FieldKind::Text);

#[derive(Template)]
#[template(path = "admin/bulk.html")]
struct BulkPage {
    page: SiteFrame,
    problems: Problems,
    refused: &'static str,
    action: &'static BulkAction,
    /// Such as "Move 3 people to the recycle bin".
    sentence: String,
    rows: Vec<SelectedUser>,
    /// The field for the group, where one is needed.
    fields: Vec<ShownField>,
    until: Option<When>,
}

/// A selected user.
struct SelectedUser {
    id: i64,
    /// What is shown of the user; `None` if there is none.
    shown: Option<(String, Face, String)>,
    last_login: Option<When>,
    problem: Option<String>,
}

/// What was sent.
struct Selection {
    ids: Vec<UserId>,
    action: &'static BulkAction,
    group: String,
    is_confirmed: bool,
}

impl Selection {
    fn read(app: &App, body: Body) -> Result<Self, ApiError> {
        let mut fields = Fields::from(body);
        let mut ids: Vec<_> =
            fields.ids("id").unwrap_or_default().into_iter().filter_map(|id| id.try_into().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        let name = fields.text("do").unwrap_or_default();
        let group = fields.text("group").unwrap_or_default();
        let is_confirmed = fields.boolean("confirmed").unwrap_or_default();
        fields.end()?;
        let action = ACTIONS.iter().chain([&UNDO]).find(|action| action.name == name);
        let action =
            action.ok_or(ApiError::BadRequest("Choose what is to be done to the selected users."))?;
        Ok(Self { ids, action: as_kept(app, action), group, is_confirmed })
    }

    fn needs_group(&self) -> bool {
        [ADD, REMOVE].contains(&self.action.name)
    }

    /// Does it, and leads to the list. What is refused is shown to a person who may read users.
    async fn submit(&self, app: &App, visit: &Visit) -> Result<Response, ApiError> {
        match self.run(app, visit).await {
            Ok(()) => Ok(see_other(&after(self))),
            Err(Error::Denied(Denial::ProofTooOld)) => Ok(ask_for_proof(USERS)),
            Err(Error::DeniedItem { denial: Denial::ProofTooOld, .. }) => Ok(ask_for_proof(USERS)),
            Err(error) if holds_permission::<ReadUsers>(&visit.identity) => {
                let (status, found) = Refused::of(error)?;
                self.show(app, visit, status, found).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn run(&self, app: &App, visit: &Visit) -> Result<(), Error> {
        let (directory, actor, ids) = (app.directory(), &visit.actor, self.ids.clone());
        match self.action.name {
            DELETE => directory.delete_users(actor, ids).await,
            RESTORE => directory.restore_users(actor, ids).await.map(|_| ()),
            "sign-out" => directory.sign_out_users(actor, ids).await.map(|_| ()),
            "activate" => directory.update_users(actor, self.drafts(true)).await.map(|_| ()),
            "deactivate" => directory.update_users(actor, self.drafts(false)).await.map(|_| ()),
            ADD => self.change_members(app, visit, MemberChange::Add).await,
            _ => self.change_members(app, visit, MemberChange::Remove).await,
        }
    }

    fn drafts(&self, is_active: bool) -> Vec<(UserId, UserDraft)> {
        let draft = UserDraft { is_active: Some(is_active), ..UserDraft::default() };
        self.ids.iter().map(|id| (*id, draft.clone())).collect()
    }

    async fn change_members(&self, app: &App, visit: &Visit, kind: MemberChange) -> Result<(), Error> {
        if self.group.is_empty() {
            return Err(Error::invalid("group", &Violation::Blank));
        }
        let Ok(group) = self.group.parse::<GroupKey>();
        let keys: Vec<_> = self.ids.iter().map(|id| UserKey::Id(*id)).collect();
        app.directory().change_members(&visit.actor, &group, &keys, kind).await.map(|_| ())
    }

    /// Shows the selection, with what was refused.
    async fn show(
        &self,
        app: &App,
        visit: &Visit,
        status: StatusCode,
        found: Refused,
    ) -> Result<Response, ApiError> {
        let users = app.directory().users_of_ids(&visit.actor, &self.ids).await?;
        let users: BTreeMap<UserId, User> = users.into_iter().map(|user| (user.id, user)).collect();
        let row =
            |(place, id): (usize, &UserId)| SelectedUser::new(*id, users.get(id), found.about(place), visit);
        let rows = self.ids.iter().enumerate().map(row).collect();
        let until = until(app, visit).filter(|_| self.action.name == DELETE);
        page(status, &BulkPage { until, ..BulkPage::new(visit, self, rows, found.whole) })
    }

    /// Such as "Move 3 people to the recycle bin".
    fn sentence(&self) -> String {
        let [verb, rest] = self.action.title;
        format!("{verb} {} {rest}", people(self.ids.len())).trim_end().to_owned()
    }
}

impl BulkPage {
    fn new(visit: &Visit, selection: &Selection, rows: Vec<SelectedUser>, problems: Problems) -> Self {
        let sentence = selection.sentence();
        let group = selection.needs_group().then(|| ShownField::new(GROUP, &selection.group, &problems));
        Self {
            page: SiteFrame::new(format!("{sentence}?"), USERS, visit).marked(&problems),
            refused: "Nothing was changed",
            action: selection.action,
            sentence,
            rows,
            fields: group.into_iter().collect(),
            until: None,
            problems,
        }
    }
}

fn people(number: usize) -> String {
    match number {
        1 => "1 person".to_owned(),
        _ => format!("{number} people"),
    }
}

/// Why a selection was refused: as a whole, and by its users.
#[derive(Default)]
struct Refused {
    whole: Problems,
    rows: Vec<ValidationErrors>,
    denied: Option<(usize, Denial)>,
}

impl Refused {
    fn about(&self, place: usize) -> Option<String> {
        match (self.denied, self.rows.get(place)) {
            (Some((denied, why)), _) if denied == place => Some(why.to_string()),
            (_, Some(faults)) if !faults.is_empty() => {
                let texts: Vec<_> = faults.iter().map(|(_, texts)| texts.join(" ")).collect();
                Some(texts.join(" "))
            }
            _ => None,
        }
    }

    /// Takes an error apart. Others are pages of their own.
    fn of(error: Error) -> Result<(StatusCode, Self), ApiError> {
        let (bad, forbidden) = (StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
        match error {
            Error::InvalidItems(rows) => Ok((bad, Self { rows, ..Self::whole(ALL_OR_NONE) })),
            Error::DeniedItem { index, denial } => {
                Ok((forbidden, Self { denied: Some((index, denial)), ..Self::whole(ALL_OR_NONE) }))
            }
            Error::Denied(denial) => Ok((forbidden, Self::whole(denial.to_string()))),
            error @ Error::NotFound { .. } => {
                Ok((bad, Self::whole(format!("{error}.").replacen("there", "There", 1))))
            }
            Error::Invalid(faults) => {
                Ok((bad, Self { whole: Problems::of(&faults, &[(GROUP.0, GROUP.1)]), ..Self::default() }))
            }
            other => Err(other.into()),
        }
    }

    fn whole(text: impl Into<String>) -> Self {
        Self { whole: Problems::whole(text), ..Self::default() }
    }
}

/// What the page says above people, some of them marked.
const ALL_OR_NONE: &str = "All or none: because of the people that are marked, no one was changed.";

impl SelectedUser {
    fn new(id: UserId, user: Option<&User>, problem: Option<String>, visit: &Visit) -> Self {
        let shown = user.map(|user| {
            let name = display_name(user);
            (name.clone(), Face::of(&name), user.username.clone())
        });
        let last_login = user.and_then(|user| When::maybe(user.last_login, visit.request.now));
        Self { id: id.get(), shown, last_login, problem }
    }
}

/// `POST /admin/users/bulk`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: Visit,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    let selection = Selection::read(&app, body)?;
    check_right(holds_right(&visit.identity, selection.action.code))?;
    if selection.ids.is_empty() {
        return Ok(see_other("/admin/users?done=nothing-selected"));
    }
    if !selection.is_confirmed {
        return selection.show(&app, &visit, StatusCode::OK, Refused::default()).await;
    }
    selection.submit(&app, &visit).await
}

/// The page after it, with a way back from a deletion.
fn after(selection: &Selection) -> String {
    let done = selection.action.done;
    match selection.action.done == "bulk-deleted" && selection.ids.len() <= UNDO_MAX {
        true => {
            let ids: Vec<_> = selection.ids.iter().map(ToString::to_string).collect();
            format!("{USERS}?done={done}&undo={}", ids.join("."))
        }
        false => format!("{USERS}?done={done}"),
    }
}

/// The deleted users that the note about their deletion names.
pub(super) struct UsersToRestore(Vec<UserId>);

impl FormValues for UsersToRestore {
    fn read(fields: &mut Fields) -> Self {
        let ids = fields.text("ids").unwrap_or_default();
        Self(ids.split('.').filter_map(|id| id.parse().ok()).collect())
    }
}

/// `POST /admin/users/restore`: takes a deletion back.
pub(super) async fn undo(
    State(app): State<App>,
    visit: VisitWith<RestoreUser>,
    Typed(UsersToRestore(ids)): Typed<UsersToRestore>,
) -> Result<Response, ApiError> {
    if ids.is_empty() {
        return Err(ApiError::BadRequest("Name the users to restore."));
    }
    let selection = Selection { ids, action: &UNDO, group: String::new(), is_confirmed: true };
    selection.submit(&app, &visit).await
}
