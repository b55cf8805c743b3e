//! Asking for a code.

use std::sync::Arc;
use std::time::Duration;

use super::rules::{latest, open_span};
use super::{client_of, is_off, ticket};
use crate::directory::Directory;
use crate::directory::access::Origin;
use crate::directory::error::Error;
use crate::directory::model::{CodeRequest, CodeSettings, CodeTarget, Locale, Timestamp};
use crate::directory::store::codes::{AskedTargets, NewCode, StoredCode, asked_before, asked_targets};
use crate::directory::store::{Sql, Tx};

/// How far back the limits of an hour look.
pub(super) const HOUR: Duration = Duration::from_hours(1);
/// How long requests are kept: longer than the limits of a day look back.
const KEPT_FOR: Duration = Duration::from_hours(25);

/// A request for a code.
struct NewRequest {
    /// Its id, if there is no open one.
    new_id: i64,
    target: CodeTarget,
    client: String,
    locale: Locale,
    origin: Origin,
    settings: Arc<CodeSettings>,
}

impl Directory {
    /// Takes a request for a code. Whether one is sent is decided later, by [`Directory::decide_codes`]: the result says nothing
    /// about accounts. While a code for the target is open, there is no new one. Returns [`Error::Busy`] to a client that asked
    /// for too many numbers and addresses.
    pub async fn request_code(
        &self,
        origin: &Origin,
        target: CodeTarget,
        locale: Locale,
    ) -> Result<CodeRequest, Error> {
        let (Some(settings), Some(keys)) = (&self.codes, self.code_keys()) else { return Err(is_off()) };
        let channel = target.channel();
        let asked = NewRequest {
            new_id: self.clock.code_id()?,
            target,
            client: client_of(origin),
            locale,
            origin: origin.clone(),
            settings: settings.clone(),
        };
        let (id, left) = self.open_request(asked).await?;
        self.count_code(Some(channel), "asked");
        self.codes_asked.notify_one();
        Ok(CodeRequest { left, ticket: ticket(&keys, id)? })
    }

    /// Returns the id of the open request for the target, which is made if there is none, and how long it is valid.
    async fn open_request(&self, asked: NewRequest) -> Result<(i64, Duration), Error> {
        let (now, target) = (self.clock.now(), asked.target.digest());
        let open = open_span(&asked.settings, now);
        let before = asked_before(&asked.client, &target, open);
        // A client that asks again, or too often, costs reads and no write.
        if let Some(StoredCode { id, expires_at, .. }) = self.store.first(before).await? {
            return Ok((id, expires_at.since(now).min(asked.settings.lifetime)));
        }
        let limit = asked.settings.targets_per_client_hour;
        let others = self.store.first(targets(&asked.client, now, &target)).await?;
        check_targets(limit, others, now)?;
        self.store.write(move |tx| ask(tx, &asked, &target, now)).await
    }

    /// Deletes old requests. New ones do so as well.
    pub async fn prune_codes(&self) -> Result<(), Error> {
        let before = self.clock.now().saturating_sub(KEPT_FOR);
        while self.store.write(move |tx| tx.forget_codes(before)).await? > 0 {}
        Ok(())
    }
}

fn ask(tx: &Tx<'_>, asked: &NewRequest, target: &[u8], now: Timestamp) -> Result<(i64, Duration), Error> {
    let others = tx.first(&targets(&asked.client, now, target))?;
    check_targets(asked.settings.targets_per_client_hour, others, now)?;
    let (id, expires_at) = match tx.open_code(target, open_span(&asked.settings, now))? {
        Some(open) => {
            let new = new_code(asked, target, now, open.expires_at);
            tx.reopen_code(NewCode { id: open.id, ..new })?;
            (open.id, open.expires_at)
        }
        None => (asked.new_id, insert(tx, asked, target, now)?),
    };
    tx.note_code_request(&asked.client, id, target, now)?;
    tx.forget_codes(now.saturating_sub(KEPT_FOR))?;
    Ok((id, expires_at.since(now).min(asked.settings.lifetime)))
}

fn insert(tx: &Tx<'_>, asked: &NewRequest, target: &[u8], now: Timestamp) -> Result<Timestamp, Error> {
    let end = now.plus(asked.settings.lifetime);
    let expires_at = end.map_err(|error| Error::broken("the expiry of a code is out of range", error))?;
    tx.insert_code(new_code(asked, target, now, expires_at))?;
    Ok(expires_at)
}

fn new_code(asked: &NewRequest, target: &[u8], now: Timestamp, expires_at: Timestamp) -> NewCode {
    NewCode {
        id: asked.new_id,
        channel: asked.target.channel(),
        target: target.to_vec(),
        client: asked.client.clone(),
        asked_at: now,
        expires_at,
        asked_for: asked.target.text().to_owned(),
        locale: asked.locale.name(),
        address: asked.origin.address.clone(),
        request_id: asked.origin.request_id.clone(),
    }
}

fn targets(client: &str, now: Timestamp, except: &[u8]) -> Sql {
    asked_targets(client, [now.saturating_sub(HOUR), latest(now)], except)
}

/// Limits the numbers and addresses of one client, whether or not accounts have them.
fn check_targets(most: u32, others: Option<AskedTargets>, now: Timestamp) -> Result<(), Error> {
    let others = others.unwrap_or_default();
    if others.count < i64::from(most) {
        return Ok(());
    }
    let first_at = others.first_at.and_then(|at| Timestamp::from_micros(at).ok()).unwrap_or(now);
    Err(Error::Busy { retry_after: HOUR.saturating_sub(now.since(first_at)) })
}
