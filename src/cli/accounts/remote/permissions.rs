//! Permissions behind the API.

use http::Method;
use serde_json::{Value, json};

use super::RemoteAccounts;
use crate::cli::accounts::remote_rows::RemoteRow;
use crate::cli::report::CliResult;
use crate::directory::Error;
use crate::directory::model::{Permission, PermissionId, PermissionKey};
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

fn path_of(permission: PermissionId) -> String {
    format!("/api/users/permissions/{permission}")
}
