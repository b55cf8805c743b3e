//! Tokens and the audit trail behind the API.

use std::io::Write;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use super::{RemoteAccounts, query, refusal};
use crate::cli::accounts::remote_rows::RemoteRow;
use crate::cli::accounts::trail::TrailVerdict;
use crate::cli::lists::{ListParameter, invalid_flags};
use crate::cli::report::CliResult;
use crate::directory::Error;
use crate::directory::leaked_keys::LEAKED_MAX;
use crate::directory::model::{
    AuditFilter, ListedToken, RecordedEvent, Timestamp, Token, TokenId, TokenKey, UserId, UserKey,
};
use crate::directory::query::{Page, TokenQuery};
use crate::directory::tokens::{Expiry, NarrowingDraft, TokenWithKey};

/// The most events of one page of the API.
const EVENTS_MAX: usize = 1000;

fn missing(id: TokenId) -> impl FnOnce() -> Error {
    move || Error::not_found("token", format!("with id {id}"))
}

impl RemoteAccounts {
    pub(in crate::cli::accounts) async fn tokens(
        &self,
        parameters: &[ListParameter],
    ) -> CliResult<Page<ListedToken>> {
        // Reported with the names of the flags.
        TokenQuery::parse(parameters).map_err(|errors| invalid_flags(&errors))?;
        self.page("/api/users/tokens", parameters, |row| row.listed_token()).await
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
        narrowing: &NarrowingDraft,
    ) -> CliResult<TokenWithKey> {
        let owner = self.user(owner).await?.id;
        let mut body = body_of_narrowing(narrowing);
        body.insert("name".to_owned(), json!(name));
        body.insert("expires_at".to_owned(), self.end(end)?);
        let body = Value::Object(body);
        let done = self.send(Method::POST, &format!("/api/users/{owner}/tokens"), Some(&body)).await?;
        let row = RemoteRow(&done.json);
        Ok(TokenWithKey { token: row.token(owner)?, key: TokenKey::imported(row.key()?) })
    }

    pub(in crate::cli::accounts) async fn update_token(
        &self,
        token: TokenId,
        name: Option<&str>,
        end: Option<Expiry>,
        narrowing: &NarrowingDraft,
    ) -> CliResult<Token> {
        let mut body = body_of_narrowing(narrowing);
        body.extend(name.map(|name| ("name".to_owned(), json!(name))));
        if let Some(end) = end {
            body.insert("expires_at".to_owned(), self.end(end)?);
        }
        let path = format!("/api/users/tokens/{token}");
        self.send_to(Method::PATCH, &path, Some(&Value::Object(body)), missing(token)).await?;
        RemoteRow(&self.send(Method::GET, &path, None).await?.json).owned_token()
    }

    /// The expiry as the API takes it.
    fn end(&self, end: Expiry) -> CliResult<Value> {
        Ok(match end {
            Expiry::Never | Expiry::Default => Value::Null,
            Expiry::At(at) => json!(at.to_string()),
            Expiry::After(span) => {
                let at =
                    self.now().plus(span).map_err(|violation| Error::invalid("expires_at", &violation))?;
                json!(at.to_string())
            }
        })
    }

    pub(in crate::cli::accounts) async fn rotate_token(
        &self,
        token: TokenId,
        overlap: Duration,
    ) -> CliResult<TokenWithKey> {
        let (path, body) =
            (format!("/api/users/tokens/{token}/rotate"), json!({ "overlap_seconds": overlap.as_secs() }));
        let done = self.send_to(Method::POST, &path, Some(&body), missing(token)).await?;
        let row = RemoteRow(&done.json);
        Ok(TokenWithKey { token: row.owned_token()?, key: TokenKey::imported(row.key()?) })
    }

    pub(in crate::cli::accounts) async fn find_token(&self, key: &str) -> CliResult<ListedToken> {
        let (path, body) = ("/api/users/tokens/find", json!({ "key": key }));
        let missing = || Error::not_found("token", "with this key");
        RemoteRow(&self.send_to(Method::POST, path, Some(&body), missing).await?.json).listed_token()
    }

    /// Revokes tokens, one after the other.
    pub(in crate::cli::accounts) async fn revoke_tokens(
        &self,
        tokens: Vec<TokenId>,
    ) -> CliResult<Vec<Token>> {
        let mut revoked = Vec::with_capacity(tokens.len());
        for id in tokens {
            let path = format!("/api/users/tokens/{id}");
            self.send_to(Method::DELETE, &path, None, missing(id)).await?;
            revoked.push(RemoteRow(&self.send(Method::GET, &path, None).await?.json).owned_token()?);
        }
        Ok(revoked)
    }

    /// Reports leaked keys. The service does not say which were valid.
    pub(in crate::cli::accounts) async fn report_leaked(&self, keys: &[String]) -> CliResult<()> {
        for part in keys.chunks(LEAKED_MAX) {
            self.send(Method::POST, "/api/users/auth/leaked", Some(&json!({ "tokens": part }))).await?;
        }
        Ok(())
    }

    pub(in crate::cli::accounts) async fn events(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> CliResult<Vec<RecordedEvent>> {
        let mut filter = filter.clone();
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut events: Vec<RecordedEvent> = Vec::new();
        loop {
            let wanted = most.saturating_sub(events.len()).min(EVENTS_MAX);
            let mut parameters = parameters(&filter);
            parameters.push(("limit".to_owned(), wanted.to_string()));
            let page = self.page("/api/users/audit", &parameters, |row| row.event()).await?;
            let is_last = page.next.is_none();
            events.extend(page.rows);
            filter.before = events.last().map(|event| event.id);
            if is_last || events.len() >= most {
                return Ok(events);
            }
        }
    }

    pub(in crate::cli::accounts) async fn export_events(
        &self,
        filter: &AuditFilter,
        after: i64,
        out: &mut dyn Write,
    ) -> CliResult<()> {
        let mut parameters = parameters(filter);
        parameters.push(("after".to_owned(), after.to_string()));
        match self.client.download(&query("/api/users/audit/export", &parameters), out).await? {
            None => Ok(()),
            Some(refused) => Err(refusal(&refused)),
        }
    }

    pub(in crate::cli::accounts) async fn verify_events(
        &self,
        expected: Option<&str>,
    ) -> CliResult<TrailVerdict> {
        let parameters: Vec<_> =
            expected.map(|head| ("expect_head".to_owned(), head.to_owned())).into_iter().collect();
        let found = self.send(Method::GET, &query("/api/users/audit/verify", &parameters), None).await?;
        RemoteRow(&found.json).verdict()
    }
}

/// The fields of a body that narrow a token. What is not given is not sent, so servers of earlier versions know all of them.
fn body_of_narrowing(narrowing: &NarrowingDraft) -> Map<String, Value> {
    let NarrowingDraft { scopes, read_only, allowed_networks } = narrowing;
    let fields = [
        ("scopes", scopes.as_ref().map(|scopes| json!(scopes))),
        ("read_only", read_only.map(Value::from)),
        ("allowed_networks", allowed_networks.as_ref().map(|networks| json!(networks))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The parameters of a filter of events.
fn parameters(filter: &AuditFilter) -> Vec<ListParameter> {
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let all = [
        ("before", number(filter.before)),
        ("action", filter.action.clone()),
        ("actor_id", number(filter.actor_id)),
        ("actor_name", filter.actor_name.clone()),
        ("object_kind", filter.object_kind.clone()),
        ("object_id", number(filter.object_id)),
        ("object_name", filter.object_name.clone()),
        ("address", filter.address.clone()),
        ("from", time(filter.from)),
        ("to", time(filter.to)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
