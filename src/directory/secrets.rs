//! Replacing the secrets key: what an older key has encrypted is encrypted again with the first key of the file.
//!
//! One-time codes and links are kept as an HMAC. They end within days, so they are left alone.

use std::collections::BTreeMap;

use serde_json::json;

use super::Directory;
use super::access::{Action, Actor};
use super::audit::{self, AuditObject};
use super::change::Change;
use super::error::Error;
use super::model::DeliveryId;
use super::secrets_key::{Purpose, SecretsKeys};
use super::settings::OutboxPolicy;
use super::store::outbox::SealedPayload;

/// Values that are encrypted again in one transaction.
const PART: i64 = 200;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResealedSecrets {
    /// Values that were encrypted with an older key, and now are with the first one.
    pub resealed: u64,
    /// Values that were encrypted with the first key already.
    pub current: u64,
    /// How many values need a key that is not in the file, by its id. They cannot be read.
    pub unknown: BTreeMap<String, u64>,
    /// Values that no key opens although it is there.
    pub damaged: u64,
}

impl Directory {
    /// The ids of the secrets keys, the one that encrypts first.
    pub fn secrets_key_ids(&self) -> Vec<String> {
        self.message_settings().keys.map(|keys| keys.ids()).unwrap_or_default()
    }

    /// Encrypts everything again with the first key of the file that was encrypted with another one.
    pub async fn reseal_secrets(&self, actor: &Actor) -> Result<ResealedSecrets, Error> {
        let mut found = ResealedSecrets::default();
        let mut after: Option<DeliveryId> = None;
        loop {
            let from = after.clone();
            let part = self.change(actor, move |change| {
                change.check(Action::ManageOutbox)?;
                reseal_part(change, from.as_ref())
            });
            let (last, part) = part.await?;
            found.add(part);
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        let details = json!({
            "key": self.secrets_key_ids().first(),
            "resealed": found.resealed,
            "unreadable": found.damaged + found.unknown.values().sum::<u64>(),
        });
        self.change(actor, move |change| {
            audit::record(change, "secrets.rotate", &AuditObject::Directory, details.clone())
        })
        .await?;
        Ok(found)
    }
}

impl ResealedSecrets {
    fn add(&mut self, other: Self) {
        self.resealed += other.resealed;
        self.current += other.current;
        self.damaged += other.damaged;
        for (id, count) in other.unknown {
            *self.unknown.entry(id).or_default() += count;
        }
    }
}

/// Encrypts some values again. Returns the last of them, if more may follow.
fn reseal_part(
    change: &Change<'_, '_>,
    after: Option<&DeliveryId>,
) -> Result<(Option<DeliveryId>, ResealedSecrets), Error> {
    let policy = change.policy.outbox.as_ref();
    let keys = policy.and_then(|policy| Some((policy, policy.settings.keys.as_ref()?)));
    let (policy, keys) = keys.ok_or_else(|| {
        let fault = policy.and_then(|policy| policy.settings.fault.clone());
        Error::MessagesUnavailable(fault.unwrap_or_else(|| "secrets_key_file is not set".to_owned()))
    })?;
    let mut found = ResealedSecrets::default();
    let part = change.tx.sealed_payloads(after, PART)?;
    for sealed in &part {
        reseal(change, policy, keys, sealed, &mut found)?;
    }
    Ok((part.last().map(|last| last.id.clone()), found))
}

fn reseal(
    change: &Change<'_, '_>,
    policy: &OutboxPolicy,
    keys: &SecretsKeys,
    sealed: &SealedPayload,
    found: &mut ResealedSecrets,
) -> Result<(), Error> {
    let SealedPayload { id, payload } = sealed;
    match keys.open(Purpose::Outbox, id.as_str(), payload) {
        Ok(_) if keys.is_current(payload) => found.current += 1,
        Ok(text) => {
            let sealed = keys.seal(&policy.clock, Purpose::Outbox, id.as_str(), &text)?;
            change.tx.reseal_delivery(id, sealed)?;
            found.resealed += 1;
        }
        Err(_) => match SecretsKeys::id_of(payload).filter(|id| !keys.ids().contains(id)) {
            Some(key) => *found.unknown.entry(key).or_default() += 1,
            None => found.damaged += 1,
        },
    }
    Ok(())
}
