//! Many users in one call, all of them or none. Each follows the rules of a call for one user, and errors are reported by the
//! index of the item.

use std::collections::BTreeSet;

use super::Directory;
use super::access::{Action, Actor, authorize};
use super::avatars::NewAvatar;
use super::change::Written;
use super::error::Error;
use super::model::{
    DeletedGroup, DeletedUser, Expected, Group, GroupId, GroupKey, ListedToken, Token, TokenId, User,
    UserDraft, UserId, UserKey, ValidationErrors, Violation,
};
use super::password::UNUSABLE;
use super::store::token_list;
use super::unique_values::UniqueValues;
use super::users::{self, Proven};
use super::{groups, recycle_bin, tokens};

/// The most users in one call.
pub const BULK_MAX: usize = 1000;

impl Directory {
    /// Creates users without passwords, in the order of the drafts.
    pub async fn create_users(
        &self,
        actor: &Actor,
        drafts: Vec<UserDraft>,
    ) -> Result<Written<Vec<User>>, Error> {
        at_most(drafts.len())?;
        self.change_unique(actor, UniqueValues::OthersAfterWrites, move |change| {
            let users =
                each(&drafts, |draft| users::create(change, &draft.parse()?, UNUSABLE, &NewAvatar::Kept))?;
            Ok(change.written(users, Action::ReadUsers))
        })
        .await
    }

    /// Changes users, each by its own draft.
    pub async fn update_users(
        &self,
        actor: &Actor,
        changes: Vec<(UserId, UserDraft)>,
    ) -> Result<Written<Vec<User>>, Error> {
        at_most(changes.len())?;
        self.change_unique(actor, UniqueValues::OthersAfterWrites, move |change| {
            let mut seen = BTreeSet::new();
            let users = each(&changes, |(id, draft)| {
                once(&mut seen, *id)?;
                let key = UserKey::Id(*id);
                users::update(change, &key, draft, &Expected::Any, Proven::NONE, &NewAvatar::Kept)
            })?;
            Ok(change.written(users, Action::ReadUsers))
        })
        .await
    }

    /// Returns those tokens that have one of these ids, with their owners, in no order.
    pub async fn selected_tokens(&self, actor: &Actor, ids: &[TokenId]) -> Result<Vec<ListedToken>, Error> {
        at_most(ids.len())?;
        authorize(actor, Action::ReadAllTokens)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<ListedToken> = self.store.all(token_list::of_ids(ids)).await?;
        let unreadable = tokens::unreadable_owner(actor);
        found.retain(|listed| Some(listed.token.user_id) != unreadable);
        self.know_idle_limits(found.iter_mut().map(|listed| &mut listed.token));
        found.iter_mut().for_each(|listed| tokens::name_owner(actor, listed));
        Ok(found)
    }

    /// Removes users as [`Directory::delete_user`] does.
    pub async fn delete_users(&self, actor: &Actor, ids: Vec<UserId>) -> Result<(), Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| {
            let mut seen = BTreeSet::new();
            each(&ids, |id| {
                once(&mut seen, *id)?;
                recycle_bin::remove(change, &UserKey::Id(*id), &Expected::Any)
            })
            .map(|_| ())
        })
        .await
    }

    /// Restores users as [`Directory::restore_user`] does.
    pub async fn restore_users(&self, actor: &Actor, ids: Vec<UserId>) -> Result<Vec<User>, Error> {
        at_most(ids.len())?;
        self.change_unique(actor, UniqueValues::OthersAfterWrites, move |change| {
            each(&ids, |id| recycle_bin::restore(change, *id))
        })
        .await
    }

    /// Removes users from the recycle bin permanently, as [`Directory::purge_user`] does.
    pub async fn purge_users(&self, actor: &Actor, ids: Vec<UserId>) -> Result<Vec<DeletedUser>, Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| each(&ids, |id| recycle_bin::purge(change, *id))).await
    }

    /// Revokes all tokens of users, as [`Directory::sign_out_user`] does. Returns the number of each.
    pub async fn sign_out_users(&self, actor: &Actor, ids: Vec<UserId>) -> Result<Vec<u64>, Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| {
            each(&ids, |id| tokens::end_all(change, &change.tx.existing_user(&UserKey::Id(*id))?))
        })
        .await
    }

    /// Revokes tokens as [`Directory::revoke_token`] does.
    pub async fn revoke_tokens(&self, actor: &Actor, ids: Vec<TokenId>) -> Result<Vec<Token>, Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| each(&ids, |id| tokens::revoke(change, None, *id))).await
    }

    /// Deletes groups as [`Directory::delete_group`] does.
    pub async fn delete_groups(&self, actor: &Actor, ids: Vec<GroupId>) -> Result<Vec<Group>, Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| {
            each(&ids, |id| groups::remove(change, &GroupKey::Id(*id), &Expected::Any))
        })
        .await
    }

    /// Restores groups as [`Directory::restore_group`] does.
    pub async fn restore_groups(&self, actor: &Actor, ids: Vec<GroupId>) -> Result<Vec<Group>, Error> {
        at_most(ids.len())?;
        self.change_unique(actor, UniqueValues::OthersAfterWrites, move |change| {
            each(&ids, |id| recycle_bin::groups::restore(change, *id))
        })
        .await
    }

    /// Removes groups from the recycle bin permanently, as [`Directory::purge_group`] does.
    pub async fn purge_groups(&self, actor: &Actor, ids: Vec<GroupId>) -> Result<Vec<DeletedGroup>, Error> {
        at_most(ids.len())?;
        self.change(actor, move |change| each(&ids, |id| recycle_bin::groups::purge(change, *id))).await
    }
}

fn at_most(count: usize) -> Result<(), Error> {
    if count > BULK_MAX {
        let message = format!("Ensure this field has no more than {BULK_MAX} elements.");
        return Err(Error::invalid("users", &Violation::Other(message)));
    }
    Ok(())
}

fn once(seen: &mut BTreeSet<UserId>, id: UserId) -> Result<(), Error> {
    let again = || Error::invalid("id", &Violation::Other("This id comes more than once.".to_owned()));
    if seen.insert(id) { Ok(()) } else { Err(again()) }
}

/// Does the work for each item and goes on after an invalid one, so that the errors of all items are reported by index.
fn each<T, R>(items: &[T], mut work: impl FnMut(&T) -> Result<R, Error>) -> Result<Vec<R>, Error> {
    let (mut done, mut errors) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for (index, item) in items.iter().enumerate() {
        let error = match work(item) {
            Ok(result) => {
                done.push(result);
                ValidationErrors::default()
            }
            Err(Error::Invalid(invalid)) => invalid,
            Err(error @ Error::NotFound { .. }) => {
                ValidationErrors::of("id", &Violation::Other(format!("{error}.")))
            }
            Err(Error::Denied(denial)) => return Err(Error::DeniedItem { index, denial }),
            Err(error) => return Err(error),
        };
        errors.push(error);
    }
    if done.len() == errors.len() { Ok(done) } else { Err(Error::InvalidItems(errors)) }
}
