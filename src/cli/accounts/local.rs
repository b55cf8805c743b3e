//! The account service in the database of the settings.

mod invitations;

use std::io::Write;
use std::time::Duration;

use super::Restored;
use super::picture::PictureChange;
use super::trail::TrailVerdict;
use crate::cli::context::{door, media, open, operator};
use crate::cli::lists::{ListParameter, invalid_flags};
use crate::cli::report::{CliError, CliResult};
use crate::config::Config;
use crate::directory::audit::EXPORT_PAGE;
use crate::directory::authentication::OpenAttempts;
use crate::directory::avatars::AvatarChange;
use crate::directory::groups::{GroupDetails, MemberChange, Membership};
use crate::directory::leaked_keys::LEAKED_MAX;
use crate::directory::model::{
    AuditFilter, DeletedGroup, DeletedUser, Expected, Group, GroupDraft, GroupId, GroupKey, ListedToken,
    Permission, PermissionId, PermissionKey, RecordedEvent, Timestamp, Token, TokenId, User, UserDraft,
    UserId, UserKey,
};
use crate::directory::password::Password;
use crate::directory::permissions::PermissionHolders;
use crate::directory::query::{DeletedGroupQuery, DeletedQuery, GroupQuery, Page, TokenQuery, UserQuery};
use crate::directory::tokens::{Expiry, NarrowingDraft, TokenWithKey};
use crate::directory::users::UserDetails;
use crate::directory::{Actor, Directory};
use crate::http::avatars::upload;

/// The account service, as the operator who runs the command.
pub(in crate::cli) struct LocalAccounts {
    directory: Directory,
    actor: Actor,
    config: Config,
}

impl LocalAccounts {
    pub(super) async fn open(config: &Config) -> CliResult<Self> {
        Ok(Self { directory: open(config).await?, actor: operator(), config: config.clone() })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.directory.clock().now()
    }

    pub(super) fn deleted_kept_for(&self) -> Duration {
        self.directory.deleted_kept_for()
    }

    pub(super) async fn users(&self, parameters: &[ListParameter]) -> CliResult<Page<User>> {
        let query = UserQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_users(&self.actor, &query).await?)
    }

    pub(super) async fn user(&self, key: &UserKey) -> CliResult<User> {
        Ok(self.directory.user(&self.actor, key).await?)
    }

    pub(super) async fn user_details(&self, key: &UserKey) -> CliResult<UserDetails> {
        Ok(self.directory.user_details(&self.actor, key).await?)
    }

    pub(super) async fn create_user(&self, draft: &UserDraft, password: Option<Password>) -> CliResult<User> {
        Ok(self.directory.create_user(&self.actor, draft, password).await?.value)
    }

    pub(super) async fn change_user(
        &self,
        user: UserId,
        draft: &UserDraft,
        password: Option<Password>,
        expected: Expected,
    ) -> CliResult<User> {
        let key = UserKey::Id(user);
        let done = self.directory.update_user_if(&self.actor, &key, draft, password, expected).await?;
        Ok(done.value)
    }

    pub(super) async fn create_user_with(
        &self,
        draft: &UserDraft,
        password: Option<Password>,
        picture: PictureChange,
    ) -> CliResult<User> {
        let avatar = self.change_of(picture)?;
        Ok(self.directory.create_user_with(&self.actor, draft, password, Some(avatar)).await?.value)
    }

    pub(super) async fn change_user_with(
        &self,
        user: UserId,
        draft: &UserDraft,
        picture: PictureChange,
    ) -> CliResult<User> {
        let (key, avatar) = (UserKey::Id(user), self.change_of(picture)?);
        let done =
            self.directory.update_user_with(&self.actor, &key, draft, None, Expected::Any, Some(avatar));
        Ok(done.await?.value)
    }

    fn change_of(&self, picture: PictureChange) -> CliResult<AvatarChange> {
        Ok(match picture {
            PictureChange::None => AvatarChange::Remove,
            PictureChange::New(content) => {
                AvatarChange::Upload(upload(&media(&self.config, &door(&self.config))?, content, ()))
            }
        })
    }

    pub(super) async fn change_users(&self, changes: Vec<(User, UserDraft)>) -> CliResult<Vec<User>> {
        let (users, drafts): (Vec<User>, Vec<UserDraft>) = changes.into_iter().unzip();
        let changes = users.iter().map(|user| user.id).zip(drafts).collect();
        let done = self.directory.update_users(&self.actor, changes).await;
        Ok(done.map_err(|error| CliError::of_users(error, &users))?.value)
    }

    pub(super) async fn sign_out_users(&self, users: &[User]) -> CliResult<Vec<u64>> {
        let ended = self.directory.sign_out_users(&self.actor, ids(users)).await;
        ended.map_err(|error| CliError::of_users(error, users))
    }

    pub(super) async fn open_attempts(&self, user: &User) -> CliResult<Vec<OpenAttempts>> {
        Ok(self.directory.open_attempts(&self.actor, user).await?)
    }

    pub(super) async fn unlock_users(&self, users: &[User]) -> CliResult<Vec<(User, i64)>> {
        let keys = users.iter().map(|user| UserKey::Id(user.id)).collect();
        Ok(self.directory.unlock_users(&self.actor, keys).await?)
    }

    pub(super) async fn delete_users(&self, users: &[User]) -> CliResult<()> {
        let deleted = self.directory.delete_users(&self.actor, ids(users)).await;
        deleted.map_err(|error| CliError::of_users(error, users))
    }

    pub(super) async fn deleted(&self, parameters: &[ListParameter]) -> CliResult<Page<DeletedUser>> {
        let query = DeletedQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_deleted(&self.actor, &query).await?)
    }

    pub(super) async fn restore_users(
        &self,
        users: &[DeletedUser],
    ) -> CliResult<Vec<Restored<User, DeletedUser>>> {
        let ids = users.iter().map(|user| user.id).collect();
        let restored = self.directory.restore_users(&self.actor, ids).await;
        let restored = restored.map_err(|error| CliError::of_deleted_users(error, users))?;
        Ok(restored.into_iter().map(Restored::Readable).collect())
    }

    pub(super) async fn purge_users(&self, users: &[DeletedUser]) -> CliResult<Vec<DeletedUser>> {
        let ids = users.iter().map(|user| user.id).collect();
        let purged = self.directory.purge_users(&self.actor, ids).await;
        purged.map_err(|error| CliError::of_deleted_users(error, users))
    }

    pub(super) async fn groups(&self, parameters: &[ListParameter]) -> CliResult<Page<Group>> {
        let query = GroupQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_groups(&self.actor, &query).await?)
    }

    pub(super) async fn group(&self, key: &GroupKey) -> CliResult<GroupDetails> {
        Ok(self.directory.group_details(&self.actor, key).await?)
    }

    pub(super) async fn create_group(&self, draft: &GroupDraft) -> CliResult<Group> {
        Ok(self.directory.create_group(&self.actor, draft).await?.value)
    }

    pub(super) async fn change_group(
        &self,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> CliResult<Group> {
        Ok(self.directory.update_group_if(&self.actor, key, draft, expected).await?.value)
    }

    pub(super) async fn delete_groups(&self, groups: &[Group]) -> CliResult<Vec<Group>> {
        let named: Vec<_> =
            groups.iter().map(|group| format!("group {} ({})", group.id, group.name)).collect();
        let ids = groups.iter().map(|group| group.id).collect();
        let deleted = self.directory.delete_groups(&self.actor, ids).await;
        deleted.map_err(|error| CliError::of_items(error, &named))
    }

    pub(super) async fn deleted_groups(&self, parameters: &[ListParameter]) -> CliResult<Page<DeletedGroup>> {
        let query = DeletedGroupQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_deleted_groups(&self.actor, &query).await?)
    }

    pub(super) async fn restore_groups(
        &self,
        groups: &[DeletedGroup],
    ) -> CliResult<Vec<Restored<Group, DeletedGroup>>> {
        let ids = groups.iter().map(|group| group.id).collect();
        let restored = self.directory.restore_groups(&self.actor, ids).await;
        let restored = restored.map_err(|error| CliError::of_deleted_groups(error, groups))?;
        Ok(restored.into_iter().map(Restored::Readable).collect())
    }

    pub(super) async fn purge_groups(&self, groups: &[DeletedGroup]) -> CliResult<Vec<DeletedGroup>> {
        let ids = groups.iter().map(|group| group.id).collect();
        let purged = self.directory.purge_groups(&self.actor, ids).await;
        purged.map_err(|error| CliError::of_deleted_groups(error, groups))
    }

    pub(super) async fn change_members(
        &self,
        group: &GroupKey,
        users: &[User],
        change: MemberChange,
    ) -> CliResult<Membership> {
        let keys: Vec<_> = users.iter().map(|user| UserKey::Id(user.id)).collect();
        Ok(self.directory.change_members(&self.actor, group, &keys, change).await?.value)
    }

    pub(super) async fn permissions(&self) -> CliResult<Vec<Permission>> {
        Ok(self.directory.permissions(&self.actor).await?)
    }

    pub(super) async fn permission_holders(&self, permission: PermissionId) -> CliResult<PermissionHolders> {
        Ok(self.directory.permission_holders(&self.actor, permission).await?)
    }

    pub(super) async fn users_with_permission(
        &self,
        permission: PermissionId,
        after: Option<UserId>,
        limit: u32,
    ) -> CliResult<Vec<User>> {
        Ok(self.directory.users_with_permission(&self.actor, permission, after, limit).await?)
    }

    pub(super) async fn groups_with_permission(
        &self,
        permission: PermissionId,
        after: Option<GroupId>,
        limit: u32,
    ) -> CliResult<Vec<Group>> {
        Ok(self.directory.groups_with_permission(&self.actor, permission, after, limit).await?)
    }

    pub(super) async fn create_permission(&self, code: Option<i64>, name: &str) -> CliResult<Permission> {
        Ok(self.directory.create_permission(&self.actor, code, name).await?)
    }

    pub(super) async fn rename_permission(&self, key: &PermissionKey, name: &str) -> CliResult<Permission> {
        Ok(self.directory.rename_permission(&self.actor, key, name).await?)
    }

    pub(super) async fn remove_permission(&self, key: &PermissionKey) -> CliResult<Permission> {
        Ok(self.directory.remove_permission(&self.actor, key).await?)
    }

    pub(super) async fn tokens(&self, parameters: &[ListParameter]) -> CliResult<Page<ListedToken>> {
        let query = TokenQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_tokens(&self.actor, &query).await?)
    }

    pub(super) async fn tokens_of(&self, owner: UserId) -> CliResult<Vec<Token>> {
        Ok(self.directory.tokens(&self.actor, &UserKey::Id(owner)).await?)
    }

    pub(super) async fn issue_token(
        &self,
        owner: &UserKey,
        name: &str,
        end: Expiry,
        narrowing: &NarrowingDraft,
    ) -> CliResult<TokenWithKey> {
        Ok(self.directory.issue_token_with(&self.actor, owner, name, end, narrowing).await?)
    }

    pub(super) async fn update_token(
        &self,
        token: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
        narrowing: &NarrowingDraft,
    ) -> CliResult<Token> {
        let (directory, actor) = (&self.directory, &self.actor);
        Ok(directory.update_token_with(actor, None, token, name, end, narrowing).await?.value)
    }

    pub(super) async fn rotate_token(&self, token: TokenId, overlap: Duration) -> CliResult<TokenWithKey> {
        Ok(self.directory.rotate_token(&self.actor, None, token, overlap).await?)
    }

    pub(super) async fn find_token(&self, key: &str) -> CliResult<ListedToken> {
        Ok(self.directory.find_token(&self.actor, key).await?)
    }

    pub(super) async fn revoke_tokens(&self, tokens: Vec<TokenId>) -> CliResult<Vec<Token>> {
        let named: Vec<_> = tokens.iter().map(|id| format!("token {id}")).collect();
        let revoked = self.directory.revoke_tokens(&self.actor, tokens).await;
        revoked.map_err(|error| CliError::of_items(error, &named))
    }

    pub(super) async fn revoke_leaked(&self, keys: &[String]) -> CliResult<Vec<ListedToken>> {
        let mut revoked = Vec::new();
        for part in keys.chunks(LEAKED_MAX) {
            revoked.extend(self.directory.revoke_leaked(&self.actor, part).await?);
        }
        Ok(revoked)
    }

    pub(super) async fn events(&self, filter: &AuditFilter, limit: u32) -> CliResult<Vec<RecordedEvent>> {
        Ok(self.directory.audit_events(&self.actor, filter, limit).await?)
    }

    /// Writes the events page by page, because the trail may not fit in memory.
    pub(super) async fn export_events(
        &self,
        filter: &AuditFilter,
        mut after: i64,
        out: &mut dyn Write,
    ) -> CliResult<()> {
        loop {
            let page = self.directory.export_audit(&self.actor, filter, after).await?;
            for (id, line) in &page {
                out.write_all(line.as_bytes())
                    .map_err(|error| CliError::internal(format!("cannot write the export: {error}")))?;
                after = *id;
            }
            if page.len() < EXPORT_PAGE {
                return Ok(());
            }
        }
    }

    pub(super) async fn verify_events(&self, expected: Option<&str>) -> CliResult<TrailVerdict> {
        let found = self.directory.verify_audit(&self.actor, expected).await?;
        let (broken_event, why) = (found.broken.map(|(id, _)| id), found.why().map(str::to_owned));
        Ok(TrailVerdict { good: found.good, head: found.head, broken_event, why })
    }
}

fn ids(users: &[User]) -> Vec<UserId> {
    users.iter().map(|user| user.id).collect()
}
