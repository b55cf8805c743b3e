//! Groups in the recycle bin of a server.

use http::Method;

use super::RemoteAccounts;
use crate::cli::accounts::Restored;
use crate::cli::accounts::remote_rows::RemoteRow;
use crate::cli::lists::ListParameter;
use crate::cli::report::CliResult;
use crate::directory::model::{DeletedGroup, Group};
use crate::directory::query::Page;

impl RemoteAccounts {
    pub(in crate::cli::accounts) async fn deleted_groups(
        &self,
        parameters: &[ListParameter],
    ) -> CliResult<Page<DeletedGroup>> {
        let read = |row: &RemoteRow<'_>| -> CliResult<_> { Ok((row.deleted_group()?, row.purge_at()?)) };
        let page = self.page("/api/users/groups/deleted", parameters, read).await?;
        if let Some((group, purge_at)) = page.rows.first() {
            self.keep_span(group.deleted_at, *purge_at);
        }
        let rows = page.rows.into_iter().map(|(group, _)| group).collect();
        Ok(Page { count: page.count, rows, next: page.next, previous: None })
    }

    /// Restores groups, one after the other.
    pub(in crate::cli::accounts) async fn restore_groups(
        &self,
        groups: &[DeletedGroup],
    ) -> CliResult<Vec<Restored<Group, DeletedGroup>>> {
        let mut restored = Vec::with_capacity(groups.len());
        for group in groups {
            let path = format!("/api/users/groups/deleted/{}/restore", group.id);
            let answer = self.send(Method::POST, &path, None).await?.json;
            restored.push(Restored::of(&answer, group, |row| row.group())?);
        }
        Ok(restored)
    }

    /// Purges groups, one after the other.
    pub(in crate::cli::accounts) async fn purge_groups(
        &self,
        groups: &[DeletedGroup],
    ) -> CliResult<Vec<DeletedGroup>> {
        for group in groups {
            self.send(Method::DELETE, &format!("/api/users/groups/deleted/{}", group.id), None).await?;
        }
        Ok(groups.to_vec())
    }
}
