//! How the commands about users, groups, tokens and permissions reach the account service: in the database, or through the
//! API of a running server. The commands decide what is done and how it is shown; what is behind these operations is not
//! their concern.
//!
//! Never in here: a rule, or text about what was done.

mod client;
mod invitations;
mod local;
mod picture;
mod remote;
mod remote_rows;
mod remote_target;
mod restored;
mod trail;

use std::io::Write;
use std::time::Duration;

use self::local::LocalAccounts;
pub(super) use self::picture::PictureChange;
use self::remote::RemoteAccounts;
pub(super) use self::remote_target::RemoteFlags;
pub(super) use self::restored::Restored;
pub(super) use self::trail::TrailVerdict;
use super::lists::ListParameter;
use super::report::CliResult;
use crate::config::Config;
use crate::directory::authentication::OpenAttempts;
use crate::directory::groups::{GroupDetails, MemberChange, Membership};
use crate::directory::model::{
    AuditFilter, DeletedGroup, DeletedUser, Expected, Group, GroupDraft, GroupId, GroupKey, ListedToken,
    Permission, PermissionId, PermissionKey, RecordedEvent, Timestamp, Token, TokenId, User, UserDraft,
    UserId, UserKey,
};
use crate::directory::password::Password;
use crate::directory::permissions::PermissionHolders;
use crate::directory::query::Page;
use crate::directory::tokens::{Expiry, NarrowingDraft, TokenWithKey};
use crate::directory::users::UserDetails;

/// The account service.
pub(super) enum Accounts {
    /// In the database of the settings, as the operator who runs the command.
    Here(Box<LocalAccounts>),
    /// Behind the API of a server, as the owner of a token.
    There(Box<RemoteAccounts>),
}

impl Accounts {
    /// Opens the account database of these settings, or prepares requests to a server.
    pub(super) async fn open(config: &Config, remote: &RemoteFlags) -> CliResult<Self> {
        match remote.target()? {
            Some(target) => Ok(Self::There(Box::new(RemoteAccounts::new(target)?))),
            None => Ok(Self::Here(Box::new(LocalAccounts::open(config).await?))),
        }
    }

    /// The present time.
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Here(accounts) => accounts.now(),
            Self::There(accounts) => accounts.now(),
        }
    }

    /// How long deleted users and groups are kept, if it is known.
    pub(super) fn deleted_kept_for(&self) -> Option<Duration> {
        match self {
            Self::Here(accounts) => Some(accounts.deleted_kept_for()),
            Self::There(accounts) => accounts.deleted_kept_for(),
        }
    }
}

/// Users with their pictures.
impl Accounts {
    pub(super) async fn create_user_with(
        &self,
        draft: &UserDraft,
        password: Option<Password>,
        picture: PictureChange,
    ) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.create_user_with(draft, password, picture).await,
            Self::There(accounts) => accounts.create_user_with(draft, password, picture).await,
        }
    }

    pub(super) async fn change_user_with(
        &self,
        user: UserId,
        draft: &UserDraft,
        picture: PictureChange,
    ) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.change_user_with(user, draft, picture).await,
            Self::There(accounts) => accounts.change_user_with(user, draft, picture).await,
        }
    }
}

/// Users.
impl Accounts {
    pub(super) async fn users(&self, parameters: &[ListParameter]) -> CliResult<Page<User>> {
        match self {
            Self::Here(accounts) => accounts.users(parameters).await,
            Self::There(accounts) => accounts.users(parameters).await,
        }
    }

    pub(super) async fn user(&self, key: &UserKey) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.user(key).await,
            Self::There(accounts) => accounts.user(key).await,
        }
    }

    pub(super) async fn user_details(&self, key: &UserKey) -> CliResult<UserDetails> {
        match self {
            Self::Here(accounts) => accounts.user_details(key).await,
            Self::There(accounts) => accounts.user_details(key).await,
        }
    }

    pub(super) async fn create_user(&self, draft: &UserDraft, password: Option<Password>) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.create_user(draft, password).await,
            Self::There(accounts) => accounts.create_user(draft, password).await,
        }
    }

    pub(super) async fn change_user(
        &self,
        user: UserId,
        draft: &UserDraft,
        password: Option<Password>,
        expected: Expected,
    ) -> CliResult<User> {
        match self {
            Self::Here(accounts) => accounts.change_user(user, draft, password, expected).await,
            Self::There(accounts) => accounts.change_user(user, draft, password, expected).await,
        }
    }

    pub(super) async fn change_users(&self, changes: Vec<(User, UserDraft)>) -> CliResult<Vec<User>> {
        match self {
            Self::Here(accounts) => accounts.change_users(changes).await,
            Self::There(accounts) => accounts.change_users(changes).await,
        }
    }

    pub(super) async fn sign_out_users(&self, users: &[User]) -> CliResult<Vec<u64>> {
        match self {
            Self::Here(accounts) => accounts.sign_out_users(users).await,
            Self::There(accounts) => accounts.sign_out_users(users).await,
        }
    }

    pub(super) async fn open_attempts(&self, user: &User) -> CliResult<Vec<OpenAttempts>> {
        match self {
            Self::Here(accounts) => accounts.open_attempts(user).await,
            Self::There(accounts) => accounts.open_attempts(user).await,
        }
    }

    pub(super) async fn unlock_users(&self, users: &[User]) -> CliResult<Vec<(User, i64)>> {
        match self {
            Self::Here(accounts) => accounts.unlock_users(users).await,
            Self::There(accounts) => accounts.unlock_users(users).await,
        }
    }

    pub(super) async fn delete_users(&self, users: &[User]) -> CliResult<()> {
        match self {
            Self::Here(accounts) => accounts.delete_users(users).await,
            Self::There(accounts) => accounts.delete_users(users).await,
        }
    }

    pub(super) async fn deleted(&self, parameters: &[ListParameter]) -> CliResult<Page<DeletedUser>> {
        match self {
            Self::Here(accounts) => accounts.deleted(parameters).await,
            Self::There(accounts) => accounts.deleted(parameters).await,
        }
    }

    pub(super) async fn restore_users(
        &self,
        users: &[DeletedUser],
    ) -> CliResult<Vec<Restored<User, DeletedUser>>> {
        match self {
            Self::Here(accounts) => accounts.restore_users(users).await,
            Self::There(accounts) => accounts.restore_users(users).await,
        }
    }

    pub(super) async fn purge_users(&self, users: &[DeletedUser]) -> CliResult<Vec<DeletedUser>> {
        match self {
            Self::Here(accounts) => accounts.purge_users(users).await,
            Self::There(accounts) => accounts.purge_users(users).await,
        }
    }
}

/// Groups and permissions.
impl Accounts {
    pub(super) async fn groups(&self, parameters: &[ListParameter]) -> CliResult<Page<Group>> {
        match self {
            Self::Here(accounts) => accounts.groups(parameters).await,
            Self::There(accounts) => accounts.groups(parameters).await,
        }
    }

    pub(super) async fn group(&self, key: &GroupKey) -> CliResult<GroupDetails> {
        match self {
            Self::Here(accounts) => accounts.group(key).await,
            Self::There(accounts) => accounts.group(key).await,
        }
    }

    pub(super) async fn create_group(&self, draft: &GroupDraft) -> CliResult<Group> {
        match self {
            Self::Here(accounts) => accounts.create_group(draft).await,
            Self::There(accounts) => accounts.create_group(draft).await,
        }
    }

    pub(super) async fn change_group(
        &self,
        key: &GroupKey,
        draft: &GroupDraft,
        expected: Expected,
    ) -> CliResult<Group> {
        match self {
            Self::Here(accounts) => accounts.change_group(key, draft, expected).await,
            Self::There(accounts) => accounts.change_group(key, draft, expected).await,
        }
    }

    pub(super) async fn delete_groups(&self, groups: &[Group]) -> CliResult<Vec<Group>> {
        match self {
            Self::Here(accounts) => accounts.delete_groups(groups).await,
            Self::There(accounts) => accounts.delete_groups(groups).await,
        }
    }

    pub(super) async fn deleted_groups(&self, parameters: &[ListParameter]) -> CliResult<Page<DeletedGroup>> {
        match self {
            Self::Here(accounts) => accounts.deleted_groups(parameters).await,
            Self::There(accounts) => accounts.deleted_groups(parameters).await,
        }
    }

    pub(super) async fn restore_groups(
        &self,
        groups: &[DeletedGroup],
    ) -> CliResult<Vec<Restored<Group, DeletedGroup>>> {
        match self {
            Self::Here(accounts) => accounts.restore_groups(groups).await,
            Self::There(accounts) => accounts.restore_groups(groups).await,
        }
    }

    pub(super) async fn purge_groups(&self, groups: &[DeletedGroup]) -> CliResult<Vec<DeletedGroup>> {
        match self {
            Self::Here(accounts) => accounts.purge_groups(groups).await,
            Self::There(accounts) => accounts.purge_groups(groups).await,
        }
    }

    pub(super) async fn change_members(
        &self,
        group: &GroupKey,
        users: &[User],
        change: MemberChange,
    ) -> CliResult<Membership> {
        match self {
            Self::Here(accounts) => accounts.change_members(group, users, change).await,
            Self::There(accounts) => accounts.change_members(group, users, change).await,
        }
    }

    pub(super) async fn permissions(&self) -> CliResult<Vec<Permission>> {
        match self {
            Self::Here(accounts) => accounts.permissions().await,
            Self::There(accounts) => accounts.permissions().await,
        }
    }

    pub(super) async fn permission_holders(&self, permission: PermissionId) -> CliResult<PermissionHolders> {
        match self {
            Self::Here(accounts) => accounts.permission_holders(permission).await,
            Self::There(accounts) => accounts.permission_holders(permission).await,
        }
    }

    /// Returns users that a permission is attached to, ordered by id: the first ones after an id.
    pub(super) async fn users_with_permission(
        &self,
        permission: PermissionId,
        after: Option<UserId>,
        limit: u32,
    ) -> CliResult<Vec<User>> {
        match self {
            Self::Here(accounts) => accounts.users_with_permission(permission, after, limit).await,
            Self::There(accounts) => accounts.users_with_permission(permission, after, limit).await,
        }
    }

    /// Returns groups that a permission is attached to, ordered by id: the first ones after an id.
    pub(super) async fn groups_with_permission(
        &self,
        permission: PermissionId,
        after: Option<GroupId>,
        limit: u32,
    ) -> CliResult<Vec<Group>> {
        match self {
            Self::Here(accounts) => accounts.groups_with_permission(permission, after, limit).await,
            Self::There(accounts) => accounts.groups_with_permission(permission, after, limit).await,
        }
    }

    pub(super) async fn create_permission(&self, code: Option<i64>, name: &str) -> CliResult<Permission> {
        match self {
            Self::Here(accounts) => accounts.create_permission(code, name).await,
            Self::There(accounts) => accounts.create_permission(code, name).await,
        }
    }

    pub(super) async fn rename_permission(&self, key: &PermissionKey, name: &str) -> CliResult<Permission> {
        match self {
            Self::Here(accounts) => accounts.rename_permission(key, name).await,
            Self::There(accounts) => accounts.rename_permission(key, name).await,
        }
    }

    pub(super) async fn remove_permission(&self, key: &PermissionKey) -> CliResult<Permission> {
        match self {
            Self::Here(accounts) => accounts.remove_permission(key).await,
            Self::There(accounts) => accounts.remove_permission(key).await,
        }
    }
}

/// Tokens and the audit trail.
impl Accounts {
    pub(super) async fn tokens(&self, parameters: &[ListParameter]) -> CliResult<Page<ListedToken>> {
        match self {
            Self::Here(accounts) => accounts.tokens(parameters).await,
            Self::There(accounts) => accounts.tokens(parameters).await,
        }
    }

    pub(super) async fn tokens_of(&self, owner: UserId) -> CliResult<Vec<Token>> {
        match self {
            Self::Here(accounts) => accounts.tokens_of(owner).await,
            Self::There(accounts) => accounts.tokens_of(owner).await,
        }
    }

    pub(super) async fn issue_token(
        &self,
        owner: &UserKey,
        name: &str,
        end: Expiry,
        narrowing: &NarrowingDraft,
    ) -> CliResult<TokenWithKey> {
        match self {
            Self::Here(accounts) => accounts.issue_token(owner, name, end, narrowing).await,
            Self::There(accounts) => accounts.issue_token(owner, name, end, narrowing).await,
        }
    }

    pub(super) async fn update_token(
        &self,
        token: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
        narrowing: &NarrowingDraft,
    ) -> CliResult<Token> {
        match self {
            Self::Here(accounts) => accounts.update_token(token, name, end, narrowing).await,
            Self::There(accounts) => accounts.update_token(token, name, end, narrowing).await,
        }
    }

    pub(super) async fn rotate_token(&self, token: TokenId, overlap: Duration) -> CliResult<TokenWithKey> {
        match self {
            Self::Here(accounts) => accounts.rotate_token(token, overlap).await,
            Self::There(accounts) => accounts.rotate_token(token, overlap).await,
        }
    }

    pub(super) async fn find_token(&self, key: &str) -> CliResult<ListedToken> {
        match self {
            Self::Here(accounts) => accounts.find_token(key).await,
            Self::There(accounts) => accounts.find_token(key).await,
        }
    }

    pub(super) async fn revoke_tokens(&self, tokens: Vec<TokenId>) -> CliResult<Vec<Token>> {
        match self {
            Self::Here(accounts) => accounts.revoke_tokens(tokens).await,
            Self::There(accounts) => accounts.revoke_tokens(tokens).await,
        }
    }

    /// Revokes the tokens of these keys; `None` if it does not learn which they were.
    pub(super) async fn revoke_leaked(&self, keys: &[String]) -> CliResult<Option<Vec<ListedToken>>> {
        match self {
            Self::Here(accounts) => accounts.revoke_leaked(keys).await.map(Some),
            Self::There(accounts) => accounts.report_leaked(keys).await.map(|()| None),
        }
    }

    pub(super) async fn events(&self, filter: &AuditFilter, limit: u32) -> CliResult<Vec<RecordedEvent>> {
        match self {
            Self::Here(accounts) => accounts.events(filter, limit).await,
            Self::There(accounts) => accounts.events(filter, limit).await,
        }
    }

    /// Writes events after a number, oldest first, while they are read.
    pub(super) async fn export_events(
        &self,
        filter: &AuditFilter,
        after: i64,
        out: &mut dyn Write,
    ) -> CliResult<()> {
        match self {
            Self::Here(accounts) => accounts.export_events(filter, after, out).await,
            Self::There(accounts) => accounts.export_events(filter, after, out).await,
        }
    }

    pub(super) async fn verify_events(&self, expected: Option<&str>) -> CliResult<TrailVerdict> {
        match self {
            Self::Here(accounts) => accounts.verify_events(expected).await,
            Self::There(accounts) => accounts.verify_events(expected).await,
        }
    }
}
