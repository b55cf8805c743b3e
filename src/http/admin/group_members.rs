//! `/admin/groups/{id}/members/add` and `.../remove`: who joins a group, and who leaves it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;

use super::form::{FormValues, Problems, Typed, refused};
use super::group::{ListedPerson, RecordedGroup, group_id, with_note};
use super::listing::ListAddress;
use super::objects::hidden;
use super::page::SiteFrame;
use super::places::GROUPS;
use super::responses::{page, see_other};
use super::visit::{Visit, VisitWith, check_right};
use crate::directory::access::{ChangeMembers, ReadUsers, holds_permission};
use crate::directory::error::Error;
use crate::directory::groups::{MemberChange, Membership};
use crate::directory::model::{GroupId, GroupKey, User, UserId, UserKey, Violation};
use crate::directory::query::UserQuery;
use crate::http::app::App;
use crate::http::body::Fields;
use crate::http::error::ApiError;

/// Names of the inputs.
const LABELS: &[(&str, &str)] = &[("users", "People"), ("names", "User names"), ("search", "Search")];
/// People whose removal can be taken back with one button; more would make the address too long.
const UNDO_MAX: usize = 50;

#[derive(Template)]
#[template(path = "admin/members_add.html")]
struct AddMembersPage {
    page: SiteFrame,
    group: RecordedGroup,
    search: String,
    /// People who match the search; `None` before one.
    rows: Option<Vec<Candidate>>,
    has_more: bool,
    names: String,
    problems: Problems,
}

/// A person who may become a member.
struct Candidate {
    person: ListedPerson,
    is_member: bool,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "admin/members_remove.html")]
struct RemoveMembersPage {
    page: SiteFrame,
    group: RecordedGroup,
    rows: Vec<ListedPerson>,
    problems: Problems,
}

/// What a form about members has.
#[derive(Default)]
pub(super) struct TypedMembers {
    users: Vec<i64>,
    names: String,
    search: String,
}

impl FormValues for TypedMembers {
    fn read(fields: &mut Fields) -> Self {
        Self {
            users: fields.ids("users").unwrap_or_default(),
            names: fields.text("names").unwrap_or_default(),
            search: fields.text("search").unwrap_or_default(),
        }
    }
}

impl TypedMembers {
    /// The users that are chosen.
    fn ids(&self) -> Vec<UserId> {
        self.users.iter().filter_map(|id| UserId::try_from(*id).ok()).collect()
    }

    /// The users that are meant: those that are chosen, and those that are named, one a line.
    fn keys(&self) -> Vec<UserKey> {
        let chosen = self.ids().into_iter().map(UserKey::Id);
        let names = self.names.lines().map(str::trim).filter(|name| !name.is_empty());
        chosen.chain(names.map(|name| UserKey::Name(name.to_owned()))).collect()
    }
}

/// Reads the group for a person who may change its members and read users.
async fn group(app: &App, visit: &Visit, id: GroupId) -> Result<RecordedGroup, ApiError> {
    let details = app.directory().group_details(&visit.actor, &GroupKey::Id(id)).await.map_err(hidden)?;
    let identity = &visit.identity;
    check_right(holds_permission::<ChangeMembers>(identity) && holds_permission::<ReadUsers>(identity))?;
    Ok(RecordedGroup::new(&details.group, visit.request.now))
}

impl AddMembersPage {
    async fn new(app: &App, visit: &Visit, id: GroupId, typed: &TypedMembers) -> Result<Self, ApiError> {
        let group = group(app, visit, id).await?;
        let mut view = Self {
            page: SiteFrame::new(format!("Add members to {}", group.name), GROUPS, visit),
            group,
            search: typed.search.clone(),
            rows: None,
            has_more: false,
            names: typed.names.clone(),
            problems: Problems::default(),
        };
        if !typed.search.trim().is_empty() {
            view.search_people(app, visit, id, typed).await?;
        }
        Ok(view)
    }

    /// Looks for people who may become members.
    async fn search_people(
        &mut self,
        app: &App,
        visit: &Visit,
        id: GroupId,
        typed: &TypedMembers,
    ) -> Result<(), ApiError> {
        let search = [("search".to_owned(), typed.search.clone())];
        match UserQuery::parse(&ListAddress::new(GROUPS, &search, "username").api()) {
            Ok(query) => {
                let found = app.directory().list_users(&visit.actor, &query).await?;
                self.has_more = found.next.is_some();
                self.rows = Some(found.rows.iter().map(|user| Candidate::new(user, id, typed)).collect());
            }
            Err(faults) => self.problems = Problems::of(&faults, LABELS),
        }
        Ok(())
    }

    /// Shows the form again, with what went wrong.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = refused(no_such_user(error), LABELS)?;
        self.page = self.page.marked(&problems);
        self.problems = problems;
        page(status, &self)
    }
}

/// Names the field of a user who does not exist.
fn no_such_user(error: Error) -> Error {
    match error {
        Error::NotFound { noun: "user", wanted } => {
            let text = format!("There is no user “{wanted}”. No one was added or removed.");
            Error::invalid("names", &Violation::Other(text))
        }
        other => other,
    }
}

impl Candidate {
    fn new(user: &User, group: GroupId, typed: &TypedMembers) -> Self {
        Self {
            person: ListedPerson::new(user),
            is_member: user.groups.contains(&group),
            is_chosen: typed.users.contains(&user.id.get()),
        }
    }
}

/// `GET /admin/groups/{id}/members/add`.
pub(super) async fn ask_add(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let search = visit.request.parameter("search").unwrap_or_default().to_owned();
    let typed = TypedMembers { search, ..TypedMembers::default() };
    let view = AddMembersPage::new(&app, &visit, group_id(&id)?, &typed).await?;
    let status = if view.problems.are_any() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, &view)
}

/// `POST /admin/groups/{id}/members/add`.
pub(super) async fn add(
    State(app): State<App>,
    visit: VisitWith<ChangeMembers>,
    Path(id): Path<String>,
    Typed(typed): Typed<TypedMembers>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    match changed(&app, &visit, id, &typed, MemberChange::Add).await {
        Ok(done) => Ok(see_other(&after(id, &done, "members-added", &[]))),
        Err(error) => AddMembersPage::new(&app, &visit, id, &typed).await?.again(error),
    }
}

/// The page after a change, with the users whose membership an undo brings back.
fn after(id: GroupId, done: &Membership, note: &str, undo: &[User]) -> String {
    match done.changed.is_empty() {
        true => with_note(id, "members-unchanged", &[]),
        false => with_note(id, note, undo),
    }
}

/// Makes the change, all or none.
async fn changed(
    app: &App,
    visit: &Visit,
    id: GroupId,
    typed: &TypedMembers,
    kind: MemberChange,
) -> Result<Membership, Error> {
    let keys = typed.keys();
    if keys.is_empty() {
        let text = "Choose at least one person, or type a user name.".to_owned();
        return Err(Error::invalid("users", &Violation::Other(text)));
    }
    let done = app.directory().change_members(&visit.actor, &GroupKey::Id(id), &keys, kind).await?;
    Ok(done.value)
}

/// `GET /admin/groups/{id}/members/remove?users=ID&users=ID`.
pub(super) async fn ask_remove(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let chosen = visit.request.query.iter().filter(|(name, _)| name == "users");
    let users: Vec<UserId> = chosen.filter_map(|(_, id)| id.parse().ok()).collect();
    let view = removal(&app, &visit, group_id(&id)?, &users).await?;
    let status = if view.rows.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, &view)
}

async fn removal(
    app: &App,
    visit: &Visit,
    id: GroupId,
    users: &[UserId],
) -> Result<RemoveMembersPage, ApiError> {
    let group = group(app, visit, id).await?;
    let found = app.directory().users_of_ids(&visit.actor, users).await?;
    let rows = found.iter().filter(|user| user.groups.contains(&id)).map(ListedPerson::new).collect();
    Ok(RemoveMembersPage::new(visit, group, rows))
}

impl RemoveMembersPage {
    fn new(visit: &Visit, group: RecordedGroup, rows: Vec<ListedPerson>) -> Self {
        let title = match rows.as_slice() {
            [one] => format!("Remove {} from {}?", one.name, group.name),
            rows => format!("Remove {} people from {}?", rows.len(), group.name),
        };
        let problems = match rows.is_empty() {
            true => Problems::whole("None of these people is a member. Go back and choose again."),
            false => Problems::default(),
        };
        Self { page: SiteFrame::new(title, GROUPS, visit), problems, group, rows }
    }

    /// Shows the page again, with what went wrong.
    fn again(mut self, error: Error) -> Result<Response, ApiError> {
        let (status, problems) = refused(no_such_user(error), LABELS)?;
        self.page = self.page.marked(&problems);
        self.problems = problems;
        page(status, &self)
    }
}

/// `POST /admin/groups/{id}/members/remove`.
pub(super) async fn remove(
    State(app): State<App>,
    visit: VisitWith<ChangeMembers>,
    Path(id): Path<String>,
    Typed(typed): Typed<TypedMembers>,
) -> Result<Response, ApiError> {
    let id = group_id(&id)?;
    match changed(&app, &visit, id, &typed, MemberChange::Remove).await {
        Ok(done) => {
            let undo = done.changed.get(..).filter(|all| all.len() <= UNDO_MAX).unwrap_or_default();
            Ok(see_other(&after(id, &done, "members-removed", undo)))
        }
        Err(error) => removal(&app, &visit, id, &typed.ids()).await?.again(error),
    }
}
