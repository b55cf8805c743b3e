//! Pages of lists.

use std::collections::BTreeMap;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::error::{Denial, Error};
use super::groups::MEMBERS_MAX;
use super::model::{Group, GroupId, ListedToken, Timestamp, Token, TokenKind, User, UserId, Violation};
use super::query::{Column, GroupQuery, IdleSince, Page, PageLink, PageStart, Query, TokenQuery, UserQuery};
use super::store::groups::GroupName;
use super::store::{FromRow, Sql, group_list, groups, token_list, user_list, users};
use super::tokens;

/// The most groups that are named at once.
const NAMES_MAX: usize = 300;

impl Directory {
    /// Returns a page of users.
    pub async fn list_users(&self, actor: &Actor, query: &UserQuery) -> Result<Page<User>, Error> {
        authorize(actor, Action::ReadUsers)?;
        let (dialect, now) = (self.store.dialect(), self.clock.now());
        self.page(query, user_list::page(dialect, query, now), user_list::count(dialect, query, now)).await
    }

    /// Returns a page of groups.
    pub async fn list_groups(&self, actor: &Actor, query: &GroupQuery) -> Result<Page<Group>, Error> {
        authorize(actor, Action::ReadGroups)?;
        self.page(query, group_list::page(query), group_list::count(query)).await
    }

    /// Returns the names of groups, of at most 300; none for an actor who may not read groups.
    pub async fn group_names(
        &self,
        actor: &Actor,
        ids: &[GroupId],
    ) -> Result<BTreeMap<GroupId, String>, Error> {
        let ids = ids.get(..ids.len().min(NAMES_MAX)).unwrap_or_default();
        if ids.is_empty() || authorize(actor, Action::ReadGroups).is_err() {
            return Ok(BTreeMap::new());
        }
        let named: Vec<GroupName> = self.store.all(groups::names(ids)).await?;
        Ok(named.into_iter().map(|group| (group.id, group.name)).collect())
    }

    /// Returns the users of these ids, at most 1000, ordered by id. Ids of no user are left out.
    pub async fn users_of_ids(&self, actor: &Actor, ids: &[UserId]) -> Result<Vec<User>, Error> {
        authorize(actor, Action::ReadUsers)?;
        match ids.len() {
            0 => Ok(Vec::new()),
            1..=MEMBERS_MAX => self.store.all(users::of_ids(ids)).await,
            _ => {
                let text = format!("Ensure this field has no more than {MEMBERS_MAX} elements.");
                Err(Error::invalid("users", &Violation::Other(text)))
            }
        }
    }

    /// Returns a page of the tokens of all users, with the expired and revoked ones.
    pub async fn list_tokens(&self, actor: &Actor, query: &TokenQuery) -> Result<Page<ListedToken>, Error> {
        authorize(actor, Action::ReadAllTokens)?;
        let now = self.clock.now();
        let query = query.leaving_out(tokens::unreadable_owner(actor)).knowing_idle(self.idle_since(now));
        let mut page =
            self.page(&query, token_list::page(&query, now), token_list::count(&query, now)).await?;
        self.know_idle_limits(page.rows.iter_mut().map(|listed| &mut listed.token));
        page.rows.iter_mut().for_each(|listed| tokens::name_owner(actor, listed));
        Ok(page)
    }

    /// Returns a page of the actor's own tokens.
    pub async fn list_own_tokens(
        &self,
        actor: &Actor,
        query: &TokenQuery,
    ) -> Result<Page<ListedToken>, Error> {
        let Who::Person(identity) = &actor.who else { return Err(Denial::NoRight.into()) };
        authorize(actor, Action::ReadTokens(&identity.user))?;
        let now = self.clock.now();
        let query = query.of_one(identity.user.id).knowing_idle(self.idle_since(now));
        let mut page =
            self.page(&query, token_list::page(&query, now), token_list::count(&query, now)).await?;
        self.know_idle_limits(page.rows.iter_mut().map(|listed| &mut listed.token));
        Ok(page)
    }

    /// When tokens must have been used last to be valid at this time.
    fn idle_since(&self, now: Timestamp) -> IdleSince {
        let since = |kind| Some(now.saturating_sub(self.authenticator.idle_limit(kind)?));
        IdleSince { sign_in: since(TokenKind::SignIn), browser: since(TokenKind::Browser) }
    }

    /// Gives tokens the limit that their state depends on.
    pub(super) fn know_idle_limits<'a>(&self, tokens: impl Iterator<Item = &'a mut Token>) {
        tokens.for_each(|token| token.idle_limit = self.authenticator.idle_limit(token.kind));
    }

    /// Returns the query plans of the database for a page of tokens and for their count.
    pub async fn explain_tokens(&self, actor: &Actor, query: &TokenQuery) -> Result<[String; 2], Error> {
        authorize(actor, Action::ReadAllTokens)?;
        let now = self.clock.now();
        let query = &query.clone().knowing_idle(self.idle_since(now));
        let page = self.store.plan(token_list::page(query, now)).await?;
        Ok([page, self.store.plan(token_list::count(query, now)).await?])
    }

    /// Returns the query plans of the database for a page of users and for their count, to look into a slow list.
    pub async fn explain_users(&self, actor: &Actor, query: &UserQuery) -> Result<[String; 2], Error> {
        authorize(actor, Action::ReadUsers)?;
        let (dialect, now) = (self.store.dialect(), self.clock.now());
        let page = self.store.plan(user_list::page(dialect, query, now)).await?;
        Ok([page, self.store.plan(user_list::count(dialect, query, now)).await?])
    }

    pub(super) async fn page<F, C>(
        &self,
        query: &Query<F, C>,
        page: Sql,
        count: Sql,
    ) -> Result<Page<C::Row>, Error>
    where
        C: Column,
        C::Row: FromRow,
    {
        let mut rows: Vec<C::Row> = self.store.all(page).await?;
        let limit = usize::try_from(query.paging.limit).unwrap_or(usize::MAX);
        // The statement reads one row more than the page holds, which shows whether there is another page.
        let more = rows.len() > limit;
        rows.truncate(limit);
        match &query.paging.start {
            PageStart::Cursor(position) => Ok(query.cursor_page(position, rows, more)),
            PageStart::Offset(offset) => {
                let end = offset.saturating_add(rows.len().try_into().unwrap_or(u64::MAX));
                let count = match more || (rows.is_empty() && *offset > 0) {
                    true => self.store.count(count).await?,
                    false => end,
                };
                let step = u64::from(query.paging.limit);
                let previous = (*offset > 0).then(|| PageLink::Offset(offset.saturating_sub(step)));
                Ok(Page { count: Some(count), rows, next: more.then_some(PageLink::Offset(end)), previous })
            }
        }
    }
}
