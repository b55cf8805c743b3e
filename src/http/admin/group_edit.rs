//! `/admin/groups/new` and `/admin/groups/{id}/edit`: the form of a group.
//!
//! The form carries the version of the group that it was made from. If the group has changed meanwhile, nothing is saved: the
//! page shows what differs, keeps what was typed, and carries the new version.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::group::{NamedRight, group_id};
use super::objects::hidden;
use super::page::SiteFrame;
use super::places::GROUPS;
use super::responses::{page, see_other};
use super::visit::{Visit, VisitWith, check_right};
use crate::directory::access::{CreateGroup, ReadPermissions, UpdateGroup, holds_permission};
use crate::directory::error::Error;
use crate::directory::groups::GroupDetails;
use crate::directory::model::{Expected, GroupDraft, GroupId, GroupKey, Permission};
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

const LABELS: &[(&str, &str)] = &[("name", "Name"), ("notes", "Notes"), ("permissions", "Rights")];

#[derive(Template)]
#[template(path = "admin/group_edit.html")]
struct GroupFormPage {
    page: SiteFrame,
    /// The group; `None` for a new one.
    id: Option<i64>,
    /// Its name before the change.
    called: String,
    typed: TypedGroup,
    /// The rights to choose from; `None` if the person may not read the list of permissions.
    rights: Option<Vec<RightToChoose>>,
    problems: Problems,
    /// What was saved by others while the form was open.
    clashes: Vec<Clash>,
}

/// What a person has typed.
#[derive(Default)]
pub(super) struct TypedGroup {
    name: String,
    notes: String,
    /// Whether the group has null notes, which an empty text leaves as they are.
    has_no_notes: bool,
    version: String,
    permissions: Vec<i64>,
    /// Whether the form had rights to choose from.
    had_rights: bool,
}

/// A right that a group may give.
struct RightToChoose {
    right: NamedRight,
    is_chosen: bool,
    is_held: bool,
}

/// A field that others saved while the form was open.
struct Clash {
    label: &'static str,
    saved: String,
    typed: String,
}

impl TypedGroup {
    fn of(details: &GroupDetails) -> Self {
        Self {
            name: details.group.name.clone(),
            notes: details.group.notes.clone().unwrap_or_default(),
            has_no_notes: details.group.notes.is_none(),
            version: details.version().as_str().to_owned(),
            permissions: details.permissions.iter().map(|one| one.id.get()).collect(),
            had_rights: true,
        }
    }

    fn draft(&self) -> GroupDraft {
        let notes = match self.notes.is_empty() && self.has_no_notes {
            true => None,
            false => Some(Some(self.notes.clone())),
        };
        let permissions = self.had_rights.then(|| self.permissions.clone());
        GroupDraft { name: Some(self.name.clone()), notes, permissions }
    }
}

impl FormValues for TypedGroup {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.text("name").unwrap_or_default(),
            // Browsers send line ends as two characters.
            notes: fields.text("notes").unwrap_or_default().replace("\r\n", "\n"),
            has_no_notes: fields.text("no_notes").is_some(),
            version: fields.text("version").unwrap_or_default(),
            permissions: fields.ids("permissions").unwrap_or_default(),
            had_rights: fields.text("had_rights").is_some(),
        }
    }
}

/// The rights that the person may read, those chosen with a mark; `None` if none may be read.
async fn rights_to_choose(
    app: &App,
    visit: &Visit,
    typed: &TypedGroup,
) -> Result<Option<Vec<RightToChoose>>, ApiError> {
    if !holds_permission::<ReadPermissions>(&visit.identity) {
        return Ok(None);
    }
    let choose = |one: &Permission| RightToChoose {
        right: NamedRight::new(one),
        is_chosen: typed.permissions.contains(&one.id.get()),
        is_held: visit.identity.user.is_admin || visit.identity.rights.contains(&one.code),
    };
    Ok(Some(app.directory().permissions(&visit.actor).await?.iter().map(choose).collect()))
}

impl GroupFormPage {
    async fn new(
        app: &App,
        visit: &Visit,
        before: Option<&GroupDetails>,
        typed: TypedGroup,
    ) -> Result<Self, ApiError> {
        let called = before.map(|details| details.group.name.clone());
        let title = called.as_ref().map_or_else(|| "New group".to_owned(), |name| format!("Edit {name}"));
        Ok(Self {
            page: SiteFrame::new(title, GROUPS, visit),
            id: before.map(|details| details.group.id.get()),
            called: called.unwrap_or_default(),
            rights: rights_to_choose(app, visit, &typed).await?,
            typed,
            problems: Problems::default(),
            clashes: Vec::new(),
        })
    }

    /// Shows the form again, with what went wrong.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = refused(error, LABELS)?;
        self.page = self.page.marked(&problems);
        self.problems = problems;
        page(status, &self)
    }
}

/// `GET /admin/groups/new`.
pub(super) async fn ask_new(State(app): State<App>, visit: Visit) -> Result<Response, ApiError> {
    check_right(holds_permission::<CreateGroup>(&visit.identity))?;
    page(StatusCode::OK, &GroupFormPage::new(&app, &visit, None, TypedGroup::default()).await?)
}

/// `POST /admin/groups/new`.
pub(super) async fn create(
    State(app): State<App>,
    visit: Visit,
    Typed(typed): Typed<TypedGroup>,
) -> Result<Response, ApiError> {
    match app.directory().create_group(&visit.actor, &typed.draft()).await {
        Ok(group) if group.is_readable => Ok(see_other(&format!("{GROUPS}/{}?done=group-created", group.id))),
        Ok(_) => Ok(see_other("/admin?done=group-created")),
        Err(error) => GroupFormPage::new(&app, &visit, None, typed).await?.again(error),
    }
}

/// Reads the group for a form, for a person who may change groups.
async fn existing(app: &App, visit: &Visit, id: GroupId) -> Result<GroupDetails, ApiError> {
    let details = app.directory().group_details(&visit.actor, &GroupKey::Id(id)).await.map_err(hidden)?;
    check_right(holds_permission::<UpdateGroup>(&visit.identity)).map(|()| details)
}

/// `GET /admin/groups/{id}/edit`.
pub(super) async fn ask(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let details = existing(&app, &visit, group_id(&id)?).await?;
    let view = GroupFormPage::new(&app, &visit, Some(&details), TypedGroup::of(&details)).await?;
    page(StatusCode::OK, &view)
}

/// `POST /admin/groups/{id}/edit`.
pub(super) async fn submit(
    State(app): State<App>,
    visit: VisitWith<UpdateGroup>,
    Path(id): Path<String>,
    Typed(typed): Typed<TypedGroup>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    let (key, expected) = (GroupKey::Id(id), Expected::OneOf(vec![typed.version.clone()]));
    let error = match app.directory().update_group_if(&visit.actor, &key, &typed.draft(), expected).await {
        Ok(_) => return Ok(see_other(&format!("{GROUPS}/{id}?done=group-saved"))),
        Err(error) => error,
    };
    let details = existing(&app, &visit, id).await?;
    match error {
        Error::Stale(_) => two_edits_met(&app, &visit, &details, typed).await,
        error => GroupFormPage::new(&app, &visit, Some(&details), typed).await?.again(error),
    }
}

/// Shows the form again after someone else has saved the group, with what differs and the new version.
async fn two_edits_met(
    app: &App,
    visit: &Visit,
    details: &GroupDetails,
    typed: TypedGroup,
) -> Result<Response, ApiError> {
    let clashes = clashes(details, &typed);
    let typed = TypedGroup { version: details.version().as_str().to_owned(), ..typed };
    let mut view = GroupFormPage::new(app, visit, Some(details), typed).await?;
    view.page.title = "Two edits met".to_owned();
    view.clashes = clashes;
    page(StatusCode::CONFLICT, &view)
}

/// Lists the fields in which the saved group differs from what was typed.
fn clashes(details: &GroupDetails, typed: &TypedGroup) -> Vec<Clash> {
    let saved = TypedGroup::of(details);
    let codes = |wanted: &[i64]| {
        let mut ids: Vec<_> = wanted.to_vec();
        ids.sort_unstable();
        ids
    };
    let mut found = Vec::new();
    for (label, saved, typed) in [("Name", &saved.name, &typed.name), ("Notes", &saved.notes, &typed.notes)] {
        if saved != typed {
            found.push(Clash { label, saved: saved.clone(), typed: typed.clone() });
        }
    }
    if typed.had_rights && codes(&saved.permissions) != codes(&typed.permissions) {
        let names: Vec<_> = details.permissions.iter().map(|one| one.name.clone()).collect();
        let typed = "as chosen below".to_owned();
        found.push(Clash { label: "Rights", saved: names.join(", "), typed });
    }
    found
}
