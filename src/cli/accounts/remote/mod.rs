//! The account service behind the API of a running server.

mod deleted_groups;
mod invitations;
mod permissions;
mod pictures;
mod tokens;

use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::Restored;
use super::client::{ApiClient, ApiResponse};
use super::remote_rows::{RemoteRow, body_of_user};
use super::remote_target::RemoteTarget;
use crate::cli::lists::ListParameter;
use crate::cli::report::{CliError, CliResult};
use crate::directory::authentication::OpenAttempts;
use crate::directory::groups::{GroupDetails, MemberChange, Membership};
use crate::directory::model::{
    DeletedUser, Expected, Group, GroupDraft, GroupKey, Timestamp, User, UserDraft, UserId, UserKey,
};
use crate::directory::password::Password;
use crate::directory::query::{Page, PageLink};
use crate::directory::users::UserDetails;
use crate::directory::{Clock, Error};

/// The account service of a server, as the owner of a token.
pub(in crate::cli) struct RemoteAccounts {
    client: ApiClient,
    clock: Clock,
    /// The path and version of the object that was read last, for a change of what was read.
    version: Mutex<Option<(String, String)>>,
    kept_for: Mutex<Option<Duration>>,
}

/// Turns a refusal into an error.
fn refusal(response: &ApiResponse) -> CliError {
    let detail = response.json.get("detail").and_then(Value::as_str).unwrap_or_default();
    match response.status {
        400 => match response.json.as_object() {
            Some(fields) if detail.is_empty() => {
                CliError::invalid_fields(sentence(&response.json), fields.clone())
            }
            _ => CliError::invalid(detail),
        },
        401 => CliError::denied(format!(
            "the server refuses the key of --token-file: {detail} Is it a key of this server, neither expired nor revoked?"
        )),
        403 => CliError::denied(detail),
        404 => CliError::not_found(&["the server has no such object or path".to_owned()]),
        412 => Error::Stale("object").into(),
        429 | 503 => {
            let wait =
                response.retry_after().map(|wait| format!("; try again in {wait} s")).unwrap_or_default();
            CliError::unreachable(format!("the server cannot answer now: {detail}{wait}"))
        }
        status => CliError::unreachable(format!("the server answers with status {status}: {detail}")),
    }
}

/// The messages of an answer, with the fields that they are about.
fn sentence(errors: &Value) -> String {
    match errors {
        Value::Object(fields) => {
            let texts = fields.iter().map(|(field, errors)| format!("{field}: {}", sentence(errors)));
            texts.collect::<Vec<_>>().join("; ")
        }
        Value::Array(items) => {
            let texts: Vec<_> = items.iter().map(sentence).filter(|text| !text.is_empty()).collect();
            texts.join(" ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn query(path: &str, parameters: &[(String, String)]) -> String {
    format!("{path}?{}", serde_urlencoded::to_string(parameters).unwrap_or_default())
}

impl RemoteAccounts {
    pub(super) fn new(target: RemoteTarget) -> CliResult<Self> {
        let (version, kept_for) = (Mutex::new(None), Mutex::new(None));
        Ok(Self { client: ApiClient::new(target)?, clock: Clock::system()?, version, kept_for })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn deleted_kept_for(&self) -> Option<Duration> {
        self.kept_for.lock().ok().and_then(|kept_for| *kept_for)
    }

    /// Learns how long the server keeps what is deleted.
    fn keep_span(&self, deleted_at: Timestamp, purge_at: Timestamp) {
        let span = purge_at.as_micros().saturating_sub(deleted_at.as_micros());
        if let Ok(mut kept_for) = self.kept_for.lock() {
            *kept_for = u64::try_from(span).ok().map(Duration::from_micros);
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> CliResult<ApiResponse> {
        let response = self.client.send(method, path, body, None).await?;
        if response.status < 300 { Ok(response) } else { Err(refusal(&response)) }
    }

    /// Sends a request about one object. `missing` is the error if there is none.
    async fn send_to(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        missing: impl FnOnce() -> Error,
    ) -> CliResult<ApiResponse> {
        let response = self.client.send(method, path, body, None).await?;
        match response.status {
            ..300 => Ok(response),
            404 => Err(missing().into()),
            _ => Err(refusal(&response)),
        }
    }

    /// Reads an object, and keeps its version. `missing` is the error if there is none.
    async fn read(&self, path: &str, missing: impl FnOnce() -> Error) -> CliResult<Value> {
        let response = self.client.send(Method::GET, path, None, None).await?;
        match response.status {
            200 => {
                if let Ok(mut version) = self.version.lock() {
                    *version = response.version().map(|version| (path.to_owned(), version));
                }
                Ok(response.json)
            }
            404 => Err(missing().into()),
            _ => Err(refusal(&response)),
        }
    }

    /// Changes an object: if a version is expected, only the one that was read last.
    async fn change(&self, path: &str, body: &Value, expected: &Expected) -> CliResult<Value> {
        let version = match expected {
            Expected::Any => None,
            Expected::OneOf(_) => self.version.lock().ok().and_then(|version| version.clone()),
        };
        let version = version.filter(|(known, _)| known == path).map(|(_, version)| version);
        let response = self.client.send(Method::PATCH, path, Some(body), version.as_deref()).await?;
        if response.status < 300 { Ok(response.json) } else { Err(refusal(&response)) }
    }

    /// Reads a page of a list.
    async fn page<T>(
        &self,
        path: &str,
        parameters: &[ListParameter],
        read: impl Fn(&RemoteRow<'_>) -> CliResult<T>,
    ) -> CliResult<Page<T>> {
        let answer = self.send(Method::GET, &query(path, parameters), None).await?.json;
        let rows = RemoteRow(&answer).each("results", read)?;
        let given = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let next = answer.get("next").and_then(Value::as_str).map(|link| match given("cursor") {
            Some(_) => PageLink::Cursor(parameter(link, "cursor").unwrap_or_default()),
            None => {
                PageLink::Offset(parameter(link, "offset").and_then(|n| n.parse().ok()).unwrap_or_default())
            }
        });
        Ok(Page { count: answer.get("count").and_then(Value::as_u64), rows, next, previous: None })
    }
}

/// Returns a parameter of a link.
fn parameter(link: &str, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(link.split_once('?')?.1).ok()?;
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Users.
impl RemoteAccounts {
    pub(super) async fn users(&self, parameters: &[ListParameter]) -> CliResult<Page<User>> {
        self.page("/api/users", parameters, |row| row.user()).await
    }

    pub(super) async fn user(&self, key: &UserKey) -> CliResult<User> {
        let missing = || Error::not_found("user", key);
        match key {
            UserKey::Id(id) => RemoteRow(&self.read(&format!("/api/users/{id}"), missing).await?).user(),
            UserKey::Name(name) => {
                let exactly = [("username".to_owned(), name.clone())];
                self.users(&exactly).await?.rows.pop().ok_or_else(|| missing().into())
            }
        }
    }

    pub(super) async fn user_details(&self, key: &UserKey) -> CliResult<UserDetails> {
        let id = match key {
            UserKey::Id(id) => *id,
            UserKey::Name(_) => self.user(key).await?.id,
        };
        let answer = self.read(&format!("/api/users/{id}"), || Error::not_found("user", key)).await?;
        let row = RemoteRow(&answer);
        Ok(UserDetails {
            user: row.user()?,
            groups: row.each("groups_data", |row| row.group())?,
            permissions: row.each("permissions_data", |row| row.permission())?,
            effective_permissions: row.each("effective_permissions_data", |row| row.permission())?,
            // The API does not say which group gives a permission.
            held: Vec::new(),
        })
    }

    pub(super) async fn create_user(&self, draft: &UserDraft, password: Option<Password>) -> CliResult<User> {
        let mut body = body_of_user(draft);
        body.extend(password.map(|password| ("password".to_owned(), json!(password.reveal()))));
        RemoteRow(&self.send(Method::POST, "/api/users", Some(&Value::Object(body))).await?.json).user()
    }

    pub(super) async fn change_user(
        &self,
        user: UserId,
        draft: &UserDraft,
        password: Option<Password>,
        expected: Expected,
    ) -> CliResult<User> {
        let mut body = body_of_user(draft);
        body.extend(password.map(|password| ("password".to_owned(), json!(password.reveal()))));
        RemoteRow(&self.change(&format!("/api/users/{user}"), &Value::Object(body), &expected).await?).user()
    }

    pub(super) async fn change_users(&self, changes: Vec<(User, UserDraft)>) -> CliResult<Vec<User>> {
        let items: Vec<Value> = changes
            .iter()
            .map(|(user, draft)| {
                let mut body = body_of_user(draft);
                body.insert("id".to_owned(), user.id.get().into());
                Value::Object(body)
            })
            .collect();
        let done = self.send(Method::PATCH, "/api/users/bulk", Some(&json!({ "users": items }))).await?;
        RemoteRow(&done.json).each("users", |row| row.user())
    }

    /// Signs users out, one after the other.
    pub(super) async fn sign_out_users(&self, users: &[User]) -> CliResult<Vec<u64>> {
        let mut ended = Vec::with_capacity(users.len());
        for user in users {
            let done = self.send(Method::POST, &format!("/api/users/{}/sign-out", user.id), None).await?;
            ended.push(RemoteRow(&done.json).ended()?);
        }
        Ok(ended)
    }

    pub(super) async fn open_attempts(&self, user: &User) -> CliResult<Vec<OpenAttempts>> {
        let path = format!("/api/users/{}/failed-attempts", user.id);
        let answer = self.read(&path, || Error::not_found("user", user.id)).await?;
        RemoteRow(&answer).each("failed_attempts", |row| row.open_attempts())
    }

    /// Unlocks users, one after the other.
    pub(super) async fn unlock_users(&self, users: &[User]) -> CliResult<Vec<(User, i64)>> {
        let mut unlocked = Vec::with_capacity(users.len());
        for user in users {
            let done = self.send(Method::POST, &format!("/api/users/{}/unlock", user.id), None).await?;
            unlocked.push((user.clone(), RemoteRow(&done.json).failed_attempts()?));
        }
        Ok(unlocked)
    }

    pub(super) async fn delete_users(&self, users: &[User]) -> CliResult<()> {
        let ids: Vec<_> = users.iter().map(|user| user.id.get()).collect();
        self.send(Method::DELETE, "/api/users/bulk", Some(&json!({ "users": ids }))).await.map(|_| ())
    }

    pub(super) async fn deleted(&self, parameters: &[ListParameter]) -> CliResult<Page<DeletedUser>> {
        let read = |row: &RemoteRow<'_>| -> CliResult<_> { Ok((row.deleted_user()?, row.purge_at()?)) };
        let page = self.page("/api/users/deleted", parameters, read).await?;
        if let Some((user, purge_at)) = page.rows.first() {
            self.keep_span(user.deleted_at, *purge_at);
        }
        let rows = page.rows.into_iter().map(|(user, _)| user).collect();
        Ok(Page { count: page.count, rows, next: page.next, previous: None })
    }

    /// Restores users, one after the other.
    pub(super) async fn restore_users(
        &self,
        users: &[DeletedUser],
    ) -> CliResult<Vec<Restored<User, DeletedUser>>> {
        let mut restored = Vec::with_capacity(users.len());
        for user in users {
            let path = format!("/api/users/deleted/{}/restore", user.id);
            let answer = self.send(Method::POST, &path, None).await?.json;
            restored.push(Restored::of(&answer, user, |row| row.user())?);
        }
        Ok(restored)
    }

    /// Purges users, one after the other.
    pub(super) async fn purge_users(&self, users: &[DeletedUser]) -> CliResult<Vec<DeletedUser>> {
        for user in users {
            self.send(Method::DELETE, &format!("/api/users/deleted/{}", user.id), None).await?;
        }
        Ok(users.to_vec())
    }
}

/// Groups.
impl RemoteAccounts {
    pub(super) async fn groups(&self, parameters: &[ListParameter]) -> CliResult<Page<Group>> {
        self.page("/api/users/groups", parameters, |row| row.group()).await
    }

    /// Returns the id of a group. Groups are found by name by a search, which finds others as well.
    async fn group_id(&self, key: &GroupKey) -> CliResult<i64> {
        let name = match key {
            GroupKey::Id(id) => return Ok(id.get()),
            GroupKey::Name(name) => name,
        };
        let search: String = name.chars().take(100).collect();
        let mut cursor = Some(String::new());
        while let Some(from) = cursor {
            let page = [("search", search.clone()), ("limit", "1000".to_owned()), ("cursor", from)];
            let page = self.groups(&page.map(|(name, value)| (name.to_owned(), value))).await?;
            if let Some(found) = page.rows.iter().find(|group| group.name == *name) {
                return Ok(found.id.get());
            }
            cursor = match page.next {
                Some(PageLink::Cursor(next)) => Some(next),
                Some(PageLink::Offset(_)) | None => None,
            };
        }
        Err(Error::not_found("group", key).into())
    }

    pub(super) async fn group(&self, key: &GroupKey) -> CliResult<GroupDetails> {
        let path = format!("/api/users/groups/{}", self.group_id(key).await?);
        let answer = self.read(&path, || Error::not_found("group", key)).await?;
        let row = RemoteRow(&answer);
        Ok(GroupDetails {
            group: row.group()?,
            permissions: row.each("permissions_data", |row| row.permission())?,
        })
    }

    pub(super) async fn create_group(&self, draft: &GroupDraft) -> CliResult<Group> {
        RemoteRow(&self.send(Method::POST, "/api/users/groups", Some(&body_of_group(draft))).await?.json)
            .group()
    }

    pub(super) async fn change_group(
        &self,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> CliResult<Group> {
        let path = format!("/api/users/groups/{}", self.group_id(key).await?);
        RemoteRow(&self.change(&path, &body_of_group(draft), &expected).await?).group()
    }

    /// Deletes groups, one after the other.
    pub(super) async fn delete_groups(&self, groups: &[Group]) -> CliResult<Vec<Group>> {
        for group in groups {
            self.send(Method::DELETE, &format!("/api/users/groups/{}", group.id), None).await?;
        }
        Ok(groups.to_vec())
    }

    pub(super) async fn change_members(
        &self,
        group: &GroupKey,
        users: &[User],
        change: MemberChange,
    ) -> CliResult<Membership> {
        let (method, joins) = match change {
            MemberChange::Add => (Method::POST, true),
            MemberChange::Remove => (Method::DELETE, false),
        };
        let id = self.group_id(group).await?;
        let ids: Vec<_> = users.iter().map(|user| user.id.get()).collect();
        let path = format!("/api/users/groups/{id}/members");
        let group =
            RemoteRow(&self.send(method, &path, Some(&json!({ "users": ids }))).await?.json).group()?;
        let changes = |user: &&User| user.groups.contains(&group.id) != joins;
        let changed = users.iter().filter(changes).cloned().collect();
        Ok(Membership { group, changed })
    }
}

fn body_of_group(draft: &GroupDraft) -> Value {
    let mut body = serde_json::Map::new();
    body.extend(draft.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
    body.extend(draft.notes.as_ref().map(|notes| ("notes".to_owned(), json!(notes))));
    body.extend(draft.permissions.as_ref().map(|ids| ("permissions".to_owned(), json!(ids))));
    Value::Object(body)
}
