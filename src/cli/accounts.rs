//! How the commands about users, groups, tokens and permissions reach the account service. The commands decide what is
//! done and how it is shown; what is behind these operations is not their concern.
//!
//! Never in here: a rule, or text for people.

use std::time::Duration;

use super::context::{open, operator};
use super::lists::{ListParameter, invalid_flags};
use super::report::CliError;
use crate::config::Config;
use crate::directory::authentication::OpenAttempts;
use crate::directory::groups::{GroupDetails, MemberChange, Membership};
use crate::directory::model::{
    AuditFilter, DeletedUser, Expected, Group, GroupDraft, GroupId, GroupKey, ListedToken, Permission,
    PermissionId, PermissionKey, RecordedEvent, Timestamp, Token, TokenId, User, UserDraft, UserId, UserKey,
};
use crate::directory::password::Password;
use crate::directory::permissions::PermissionHolders;
use crate::directory::query::{DeletedQuery, GroupQuery, Page, TokenQuery, UserQuery};
use crate::directory::tokens::{Expiry, TokenWithKey};
use crate::directory::users::UserDetails;
use crate::directory::{Actor, Directory, Error};

/// The account service, as the operator who runs the command.
pub(super) struct Accounts {
    directory: Directory,
    actor: Actor,
}

type Outcome<T> = Result<T, CliError>;

impl Accounts {
    /// Opens the account database of these settings.
    pub(super) async fn open(config: &Config) -> Outcome<Self> {
        Ok(Self { directory: open(config).await?, actor: operator() })
    }

    /// The present time.
    pub(super) fn now(&self) -> Timestamp {
        self.directory.clock().now()
    }

    /// How long deleted users are kept.
    pub(super) fn deleted_kept_for(&self) -> Duration {
        self.directory.deleted_kept_for()
    }
}

/// Users.
impl Accounts {
    pub(super) async fn users(&self, parameters: &[ListParameter]) -> Outcome<Page<User>> {
        let query = UserQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_users(&self.actor, &query).await?)
    }

    pub(super) async fn user(&self, key: &UserKey) -> Result<User, Error> {
        self.directory.user(&self.actor, key).await
    }

    pub(super) async fn user_details(&self, key: &UserKey) -> Outcome<UserDetails> {
        Ok(self.directory.user_details(&self.actor, key).await?)
    }

    pub(super) async fn create_user(&self, draft: &UserDraft, password: Option<Password>) -> Outcome<User> {
        Ok(self.directory.create_user(&self.actor, draft, password).await?.value)
    }

    pub(super) async fn change_user(
        &self,
        user: UserId,
        draft: &UserDraft,
        password: Option<Password>,
        expected: Expected,
    ) -> Result<User, Error> {
        let key = UserKey::Id(user);
        let done = self.directory.update_user_if(&self.actor, &key, draft, password, expected).await?;
        Ok(done.value)
    }

    /// Changes several users, all of them or none.
    pub(super) async fn change_users(&self, changes: Vec<(UserId, UserDraft)>) -> Result<Vec<User>, Error> {
        Ok(self.directory.update_users(&self.actor, changes).await?.value)
    }

    pub(super) async fn sign_out_users(&self, users: Vec<UserId>) -> Result<Vec<u64>, Error> {
        self.directory.sign_out_users(&self.actor, users).await
    }

    pub(super) async fn open_attempts(&self, user: &User) -> Outcome<Vec<OpenAttempts>> {
        Ok(self.directory.open_attempts(&self.actor, user).await?)
    }

    pub(super) async fn unlock_users(&self, users: Vec<UserKey>) -> Outcome<Vec<(User, i64)>> {
        Ok(self.directory.unlock_users(&self.actor, users).await?)
    }

    pub(super) async fn delete_users(&self, users: Vec<UserId>) -> Result<(), Error> {
        self.directory.delete_users(&self.actor, users).await
    }

    pub(super) async fn deleted(&self, parameters: &[ListParameter]) -> Outcome<Page<DeletedUser>> {
        let query = DeletedQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_deleted(&self.actor, &query).await?)
    }

    pub(super) async fn restore_users(&self, users: Vec<UserId>) -> Result<Vec<User>, Error> {
        self.directory.restore_users(&self.actor, users).await
    }

    pub(super) async fn purge_users(&self, users: Vec<UserId>) -> Result<Vec<DeletedUser>, Error> {
        self.directory.purge_users(&self.actor, users).await
    }
}

/// Groups and permissions.
impl Accounts {
    pub(super) async fn groups(&self, parameters: &[ListParameter]) -> Outcome<Page<Group>> {
        let query = GroupQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_groups(&self.actor, &query).await?)
    }

    pub(super) async fn group(&self, key: &GroupKey) -> Result<GroupDetails, Error> {
        self.directory.group_details(&self.actor, key).await
    }

    pub(super) async fn create_group(&self, draft: &GroupDraft) -> Outcome<Group> {
        Ok(self.directory.create_group(&self.actor, draft).await?.value)
    }

    pub(super) async fn change_group(
        &self,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> Result<Group, Error> {
        Ok(self.directory.update_group_if(&self.actor, key, draft, expected).await?.value)
    }

    pub(super) async fn delete_groups(&self, groups: Vec<GroupId>) -> Result<Vec<Group>, Error> {
        self.directory.delete_groups(&self.actor, groups).await
    }

    pub(super) async fn change_members(
        &self,
        group: &GroupKey,
        users: &[UserKey],
        change: MemberChange,
    ) -> Outcome<Membership> {
        Ok(self.directory.change_members(&self.actor, group, users, change).await?.value)
    }

    pub(super) async fn permissions(&self) -> Outcome<Vec<Permission>> {
        Ok(self.directory.permissions(&self.actor).await?)
    }

    pub(super) async fn permission_holders(&self, permission: PermissionId) -> Outcome<PermissionHolders> {
        Ok(self.directory.permission_holders(&self.actor, permission).await?)
    }

    pub(super) async fn create_permission(&self, code: Option<i64>, name: &str) -> Outcome<Permission> {
        Ok(self.directory.create_permission(&self.actor, code, name).await?)
    }

    pub(super) async fn rename_permission(&self, key: &PermissionKey, name: &str) -> Outcome<Permission> {
        Ok(self.directory.rename_permission(&self.actor, key, name).await?)
    }

    pub(super) async fn remove_permission(&self, key: &PermissionKey) -> Outcome<Permission> {
        Ok(self.directory.remove_permission(&self.actor, key).await?)
    }
}

/// Tokens and the audit trail.
impl Accounts {
    pub(super) async fn tokens(&self, parameters: &[ListParameter]) -> Outcome<Page<ListedToken>> {
        let query = TokenQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        Ok(self.directory.list_tokens(&self.actor, &query).await?)
    }

    pub(super) async fn tokens_of(&self, owner: UserId) -> Outcome<Vec<Token>> {
        Ok(self.directory.tokens(&self.actor, &UserKey::Id(owner)).await?)
    }

    pub(super) async fn issue_token(
        &self,
        owner: &UserKey,
        name: &str,
        end: Expiry,
    ) -> Outcome<TokenWithKey> {
        Ok(self.directory.issue_token(&self.actor, owner, name, end).await?)
    }

    pub(super) async fn rotate_token(&self, token: TokenId, overlap: Duration) -> Outcome<TokenWithKey> {
        Ok(self.directory.rotate_token(&self.actor, None, token, overlap).await?)
    }

    pub(super) async fn revoke_tokens(&self, tokens: Vec<TokenId>) -> Result<Vec<Token>, Error> {
        self.directory.revoke_tokens(&self.actor, tokens).await
    }

    pub(super) async fn events(&self, filter: &AuditFilter, limit: u32) -> Outcome<Vec<RecordedEvent>> {
        Ok(self.directory.audit_events(&self.actor, filter, limit).await?)
    }
}
