//! Pages of lists.

use std::collections::BTreeMap;

use tokio::time::timeout;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::bitmaps::FoundUsers;
use super::error::{Denial, Error};
use super::groups::MEMBERS_MAX;
use super::model::{Group, GroupId, ListedToken, Timestamp, Token, TokenKind, User, UserId, Violation};
use super::query::{Column, GroupQuery, IdleSince, Page, Query, TokenQuery, UserQuery};
use super::store::groups::GroupName;
use super::store::user_list::Reading;
use super::store::{FromRow, Sql, group_list, groups, token_list, user_list, users};
use super::tokens;

/// The most groups that are named at once.
const NAMES_MAX: usize = 300;

impl Directory {
    /// Returns a page of users.
    pub async fn list_users(&self, actor: &Actor, query: &UserQuery) -> Result<Page<User>, Error> {
        authorize(actor, Action::ReadUsers)?;
        match timeout(self.list_timeout, self.read_users(query)).await {
            Ok(page) => page,
            Err(_) => Err(Error::TooSlow { filters: query.named_filters(), after: self.list_timeout }),
        }
    }

    async fn read_users(&self, query: &UserQuery) -> Result<Page<User>, Error> {
        let (dialect, now) = (self.store.dialect(), self.clock.now());
        if let Some(found) = self.bitmaps.find(query, now).await
            && let Some(page) = self.found_page(query, found, now).await?
        {
            return Ok(page);
        }
        self.page(query, user_list::page(dialect, query, now), user_list::count(dialect, query, now)).await
    }

    /// Reads a page in the way that the bitmaps of users suggest. `None` if users have changed meanwhile, so that a row may be
    /// missing.
    async fn found_page(
        &self,
        query: &UserQuery,
        found: FoundUsers,
        now: Timestamp,
    ) -> Result<Option<Page<User>>, Error> {
        let FoundUsers { count, reading, offset, at_least } = found;
        let dialect = self.store.dialect();
        let mut rows: Vec<User> = match reading {
            Reading::Nothing => Vec::new(),
            _ => self.store.all(user_list::page_by(dialect, &query.at_offset(offset), now, &reading)).await?,
        };
        if (rows.len() as u64) < at_least {
            return Ok(None);
        }
        let more = query.cut(&mut rows);
        let count = match count {
            None if query.paging.is_counted() => match query.known_count(&rows, more) {
                None => Some(self.store.count(user_list::count_by(dialect, query, now, &reading)).await?),
                known => known,
            },
            count => count,
        };
        Ok(Some(query.page(rows, more, count)))
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
        let named: Vec<GroupName> = self.store.point_read(groups::names(self.store.dialect(), ids)).await?;
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
        let more = query.cut(&mut rows);
        let counted = match query.known_count(&rows, more) {
            None if query.paging.is_counted() => Some(self.store.count(count).await?),
            known => known.filter(|_| query.paging.is_counted()),
        };
        Ok(query.page(rows, more, counted))
    }
}
