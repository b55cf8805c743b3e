//! Tokens and the audit trail behind the API.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{RemoteAccounts, unavailable};
use crate::cli::accounts::remote_rows::RemoteRow;
use crate::cli::lists::{ListParameter, invalid_flags};
use crate::cli::report::CliResult;
use crate::directory::Error;
use crate::directory::model::{
    AuditFilter, ListedToken, RecordedEvent, Timestamp, Token, TokenId, TokenKey, UserId, UserKey,
};
use crate::directory::query::{Page, TokenQuery};
use crate::directory::tokens::{Expiry, TokenWithKey};

/// The most events of one page of the API.
const EVENTS_MAX: usize = 1000;

impl RemoteAccounts {
    /// Lists the tokens of one user, all at once as the API does. Other filters than the user are not offered.
    pub(in crate::cli::accounts) async fn tokens(
        &self,
        parameters: &[ListParameter],
    ) -> CliResult<Page<ListedToken>> {
        let query = TokenQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        let Some(owner) = query.filters.user else {
            return unavailable("naming tokens without their user");
        };
        let is_plain = parameters
            .iter()
            .all(|(name, _)| ["user_id", "limit", "offset", "cursor"].contains(&name.as_str()));
        if !is_plain {
            return unavailable("a filter or an order of `token list`");
        }
        let username = self.user(&UserKey::Id(owner)).await?.username;
        let listed = |token| ListedToken { token, username: username.clone() };
        let rows = self.tokens_of(owner).await?.into_iter().map(listed).collect();
        Ok(Page { count: None, rows, next: None, previous: None })
    }

    pub(in crate::cli::accounts) async fn tokens_of(&self, owner: UserId) -> CliResult<Vec<Token>> {
        let path = format!("/api/users/{owner}/tokens");
        let answer = json!({ "all": self.send(Method::GET, &path, None).await?.json });
        RemoteRow(&answer).each("all", |row| row.token(owner))
    }

    pub(in crate::cli::accounts) async fn issue_token(
        &self,
        owner: &UserKey,
        name: &str,
        end: Expiry,
    ) -> CliResult<TokenWithKey> {
        let owner = self.user(owner).await?.id;
        let end = match end {
            Expiry::Never | Expiry::Default => Value::Null,
            Expiry::At(at) => json!(at.to_string()),
            Expiry::After(span) => {
                let at =
                    self.now().plus(span).map_err(|violation| Error::invalid("expires_at", &violation))?;
                json!(at.to_string())
            }
        };
        let body = json!({ "name": name, "expires_at": end });
        let done = self.send(Method::POST, &format!("/api/users/{owner}/tokens"), Some(&body)).await?;
        let row = RemoteRow(&done.json);
        Ok(TokenWithKey { token: row.token(owner)?, key: TokenKey::imported(row.key()?) })
    }

    pub(in crate::cli::accounts) async fn rotate_token(
        &self,
        _: TokenId,
        _: Duration,
    ) -> CliResult<TokenWithKey> {
        unavailable("`token rotate`")
    }

    pub(in crate::cli::accounts) async fn revoke_tokens(&self, _: Vec<TokenId>) -> CliResult<Vec<Token>> {
        unavailable("`token revoke`")
    }

    pub(in crate::cli::accounts) async fn events(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> CliResult<Vec<RecordedEvent>> {
        if filter.object_name.is_some() {
            return unavailable("`--object` with a name");
        }
        let mut filter = filter.clone();
        if let Some(name) = filter.actor_name.take() {
            filter.actor_id = Some(self.user(&UserKey::Name(name)).await?.id.get());
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let wanted = most.saturating_sub(events.len()).min(EVENTS_MAX);
            let page = self.page("/api/users/audit", &parameters(&filter, wanted), |row| row.event()).await?;
            let is_last = page.next.is_none();
            events.extend(page.rows);
            filter.before = events.last().map(|event| event.id);
            if is_last || events.len() >= most {
                return Ok(events);
            }
        }
    }
}

/// The parameters of a list of events.
fn parameters(filter: &AuditFilter, limit: usize) -> Vec<ListParameter> {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let all = [
        ("before", number(filter.before)),
        ("action", filter.action.clone()),
        ("actor_id", number(filter.actor_id)),
        ("object_kind", filter.object_kind.clone()),
        ("object_id", number(filter.object_id)),
        ("address", filter.address.clone()),
        ("from", time(filter.from)),
        ("to", time(filter.to)),
        ("limit", Some(limit.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
