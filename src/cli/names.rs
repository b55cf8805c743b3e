//! From names to objects. A command that names several reports all that do not exist, and then changes nothing.

use std::fmt::Display;

use super::accounts::Accounts;
use super::lists::ListParameter;
use super::report::CliError;
use crate::directory::Error;
use crate::directory::groups::GroupDetails;
use crate::directory::model::{
    DeletedGroup, DeletedUser, GroupKey, ListedToken, Permission, PermissionKey, TokenId, User, UserKey,
};
use crate::directory::query::{Page, PageLink};

/// Looks up what a command names, and collects what does not exist.
pub(super) struct Names<'a> {
    accounts: &'a Accounts,
    missing: Vec<String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(accounts: &'a Accounts) -> Self {
        Self { accounts, missing: Vec::new() }
    }

    /// Returns an error that names everything that does not exist.
    pub(super) fn check(self) -> Result<(), CliError> {
        if self.missing.is_empty() { Ok(()) } else { Err(CliError::not_found(&self.missing)) }
    }

    fn found<T>(&mut self, found: Result<T, CliError>) -> Result<Option<T>, CliError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => {
                let message = error.into_message();
                if !self.missing.contains(&message) {
                    self.missing.push(message);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the users of these keys, each once.
    pub(super) async fn users(&mut self, keys: &[UserKey]) -> Result<Vec<User>, CliError> {
        let mut users: Vec<User> = Vec::with_capacity(keys.len());
        for key in keys {
            let user = self.accounts.user(key).await;
            users.extend(self.found(user)?.filter(|user| !users.iter().any(|known| known.id == user.id)));
        }
        Ok(users)
    }

    /// Returns the groups of these keys, each once.
    pub(super) async fn groups(&mut self, keys: &[GroupKey]) -> Result<Vec<GroupDetails>, CliError> {
        let mut groups: Vec<GroupDetails> = Vec::with_capacity(keys.len());
        for key in keys {
            let group = self.accounts.group(key).await;
            let is_known = |new: &GroupDetails| groups.iter().any(|known| known.group.id == new.group.id);
            groups.extend(self.found(group)?.filter(|group| !is_known(group)));
        }
        Ok(groups)
    }

    /// Returns the permissions of these keys, each once.
    pub(super) async fn permissions(&mut self, keys: &[PermissionKey]) -> Result<Vec<Permission>, CliError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.accounts.permissions().await?;
        let mut permissions: Vec<Permission> = Vec::with_capacity(keys.len());
        for key in keys {
            let one = known.iter().find(|one| key.is(one)).cloned();
            let one = self.found(one.ok_or_else(|| Error::not_found("permission", key).into()))?;
            permissions.extend(one.filter(|one| !permissions.contains(one)));
        }
        Ok(permissions)
    }

    /// Returns the tokens of these ids.
    pub(super) async fn tokens(&mut self, ids: &[TokenId]) -> Result<Vec<ListedToken>, CliError> {
        let mut tokens = Vec::with_capacity(ids.len());
        for id in ids {
            let only = ["id_min", "id_max"].map(|name| (name.to_owned(), id.to_string()));
            let found = self.accounts.tokens(&only).await?.rows.pop();
            let found = found.ok_or_else(|| Error::not_found("token", format!("with id {id}")).into());
            tokens.extend(self.found(found)?);
        }
        Ok(tokens)
    }

    /// Returns the deleted users of these keys, each once. A name that several had must be given as an id.
    pub(super) async fn deleted(&mut self, keys: &[UserKey]) -> Result<Vec<DeletedUser>, CliError> {
        let mut users: Vec<DeletedUser> = Vec::with_capacity(keys.len());
        for key in keys {
            let is_meant = |user: &DeletedUser| match key {
                UserKey::Id(id) => user.id == *id,
                UserKey::Name(name) => user.username == *name,
            };
            let narrow = match key {
                UserKey::Id(id) => only_id(id.get()),
                UserKey::Name(name) => search(name),
            };
            let accounts = self.accounts;
            let found = all(narrow, is_meant, async |page| accounts.deleted(page).await).await?;
            let ids: Vec<_> = found.iter().map(|user| user.id.get()).collect();
            let one = self.only("deleted user", key, &ids, found)?;
            users.extend(one.filter(|user| !users.iter().any(|known| known.id == user.id)));
        }
        Ok(users)
    }

    /// Returns the deleted groups of these keys, each once. A name that several had must be given as an id.
    pub(super) async fn deleted_groups(&mut self, keys: &[GroupKey]) -> Result<Vec<DeletedGroup>, CliError> {
        let mut groups: Vec<DeletedGroup> = Vec::with_capacity(keys.len());
        for key in keys {
            let is_meant = |group: &DeletedGroup| match key {
                GroupKey::Id(id) => group.id == *id,
                GroupKey::Name(name) => group.name == *name,
            };
            let narrow = match key {
                GroupKey::Id(id) => only_id(id.get()),
                GroupKey::Name(name) => search(name),
            };
            let accounts = self.accounts;
            let found = all(narrow, is_meant, async |page| accounts.deleted_groups(page).await).await?;
            let ids: Vec<_> = found.iter().map(|group| group.id.get()).collect();
            let one = self.only("deleted group", key, &ids, found)?;
            groups.extend(one.filter(|group| !groups.iter().any(|known| known.id == group.id)));
        }
        Ok(groups)
    }

    /// Returns the object of a key, of which at most one may be found.
    fn only<T>(
        &mut self,
        noun: &'static str,
        key: &impl Display,
        ids: &[i64],
        mut found: Vec<T>,
    ) -> Result<Option<T>, CliError> {
        if found.len() > 1 {
            let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
            self.missing.push(format!("several {noun}s were {key}: give an id, one of {}", ids.join(", ")));
            return Ok(None);
        }
        self.found(found.pop().ok_or_else(|| Error::not_found(noun, key).into()))
    }
}

/// Returns the users of these keys, or an error that names all that do not exist.
pub(super) async fn users(accounts: &Accounts, keys: &[UserKey]) -> Result<Vec<User>, CliError> {
    let mut names = Names::new(accounts);
    let users = names.users(keys).await?;
    names.check().map(|()| users)
}

/// Narrows a list to the row with this id.
fn only_id(id: i64) -> Vec<ListParameter> {
    ["id_min", "id_max"].map(|name| (name.to_owned(), id.to_string())).into()
}

/// Narrows a list by a name. A search has a limited length, and finds longer names as well.
fn search(name: &str) -> Vec<ListParameter> {
    vec![("search".to_owned(), name.chars().take(100).collect())]
}

/// Returns the rows of all pages of a list that are meant.
async fn all<T>(
    narrow: Vec<ListParameter>,
    is_meant: impl Fn(&T) -> bool,
    fetch: impl AsyncFn(&[ListParameter]) -> Result<Page<T>, CliError>,
) -> Result<Vec<T>, CliError> {
    let (mut found, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(from) = cursor {
        let mut parameters = narrow.clone();
        parameters.push(("limit".to_owned(), "1000".to_owned()));
        parameters.push(("cursor".to_owned(), from));
        let page = fetch(&parameters).await?;
        found.extend(page.rows.into_iter().filter(&is_meant));
        cursor = match page.next {
            Some(PageLink::Cursor(next)) => Some(next),
            Some(PageLink::Offset(_)) | None => None,
        };
    }
    Ok(found)
}

/// Joins names for a question: all of them, or the first few.
pub(super) fn some_of(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    match names {
        names if names.len() <= SHOWN => names.join(", "),
        names => format!("{}, ...", names.get(..SHOWN).unwrap_or_default().join(", ")),
    }
}

/// Counts things in words: `1 user`, `2 users`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
