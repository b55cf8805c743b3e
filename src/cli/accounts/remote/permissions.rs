//! Permissions behind the API.

use http::Method;
use serde_json::{Value, json};

use super::RemoteAccounts;
use crate::cli::accounts::remote_rows::RemoteRow;
use crate::cli::report::CliResult;
use crate::directory::Error;
use crate::directory::model::{Group, GroupId, Permission, PermissionId, PermissionKey, User, UserId};
use crate::directory::permissions::PermissionHolders;

impl RemoteAccounts {
    pub(in crate::cli::accounts) async fn permissions(&self) -> CliResult<Vec<Permission>> {
        let answer = json!({ "all": self.send(Method::GET, "/api/users/permissions", None).await?.json });
        RemoteRow(&answer).each("all", |row| row.permission())
    }

    /// Returns the permission of a key, and its path.
    async fn permission(&self, key: &PermissionKey) -> CliResult<(Permission, String)> {
        let found = self.permissions().await?.into_iter().find(|one| key.is(one));
        let found = found.ok_or_else(|| Error::not_found("permission", key))?;
        let path = path_of(found.id);
        Ok((found, path))
    }

    pub(in crate::cli::accounts) async fn permission_holders(
        &self,
        permission: PermissionId,
    ) -> CliResult<PermissionHolders> {
        RemoteRow(&self.send(Method::GET, &path_of(permission), None).await?.json).holders()
    }

    pub(in crate::cli::accounts) async fn users_with_permission(
        &self,
        permission: PermissionId,
        after: Option<UserId>,
        limit: u32,
    ) -> CliResult<Vec<User>> {
        let path = holders_path(permission, "users", after.map(UserId::get), limit);
        RemoteRow(&self.send(Method::GET, &path, None).await?.json).each("results", |row| row.user())
    }

    pub(in crate::cli::accounts) async fn groups_with_permission(
        &self,
        permission: PermissionId,
        after: Option<GroupId>,
        limit: u32,
    ) -> CliResult<Vec<Group>> {
        let path = holders_path(permission, "groups", after.map(GroupId::get), limit);
        RemoteRow(&self.send(Method::GET, &path, None).await?.json).each("results", |row| row.group())
    }

    pub(in crate::cli::accounts) async fn create_permission(
        &self,
        code: Option<i64>,
        name: &str,
    ) -> CliResult<Permission> {
        let mut body = serde_json::Map::from_iter([("name".to_owned(), Value::from(name))]);
        body.extend(code.map(|code| ("code".to_owned(), Value::from(code))));
        let made = self.send(Method::POST, "/api/users/permissions", Some(&Value::Object(body))).await?;
        RemoteRow(&made.json).permission()
    }

    pub(in crate::cli::accounts) async fn rename_permission(
        &self,
        key: &PermissionKey,
        name: &str,
    ) -> CliResult<Permission> {
        let (_, path) = self.permission(key).await?;
        let renamed = self.send(Method::PATCH, &path, Some(&json!({ "name": name }))).await?;
        RemoteRow(&renamed.json).permission()
    }

    pub(in crate::cli::accounts) async fn remove_permission(
        &self,
        key: &PermissionKey,
    ) -> CliResult<Permission> {
        let (gone, path) = self.permission(key).await?;
        self.send(Method::DELETE, &path, None).await?;
        Ok(gone)
    }
}

fn holders_path(permission: PermissionId, kind: &str, after: Option<i64>, limit: u32) -> String {
    format!("{}/{kind}?limit={limit}&after={}", path_of(permission), after.unwrap_or_default())
}

fn path_of(permission: PermissionId) -> String {
    format!("/api/users/permissions/{permission}")
}
