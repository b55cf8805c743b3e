//! The outbox: messages are written in the transaction of the change that they are about, and sent after its commit.
//!
//! A server takes a message for [`LEASE`], sends it, and writes how that ended. If it crashes in between, another server takes
//! the message over and sends it again under the same id. So a message is sent at least once, or it expires; a provider that
//! knows the id takes it once. All times are the database's, on which replicas agree.
//!
//! Never in here: a network, or the text of a message in an error, the audit trail or a log.

mod payload;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use self::payload::{Payload, off};
use self::steps::{EXPIRED, drop_one, finish, give_up, record, take};
pub use self::steps::{LEASE, MOST_ATTEMPTS, TAKEN_AT_ONCE, TakenMessages};
use super::Directory;
use super::access::{Action, Actor, authorize};
use super::change::Change;
use super::error::Error;
use super::messages::Templates;
use super::model::{
    AttemptEffect, AttemptResult, Channel, Delivery, DeliveryFilter, DeliveryId, DeliveryState,
    LeasedMessage, MessageKind, NewMessage, OutboxCount, Timestamp, UserId, Violation, masked,
};
use super::settings::MessageSettings;
use super::store;
use super::store::outbox::{Reachable, SealedDelivery};

/// When trying again makes sense after the outbox was full.
const WHEN_FULL: Duration = Duration::from_secs(30);
/// Finished messages that stay listed, for each that may wait.
const FINISHED_FACTOR: i64 = 10;

impl MessageSettings {
    /// Whether messages can be sent this way: a provider and the secrets key are set.
    pub fn can_send(&self, channel: Channel) -> bool {
        let has_provider = match channel {
            Channel::Sms => self.sms,
            Channel::Mail => self.mail,
        };
        has_provider && self.keys.is_some()
    }
}

impl Change<'_, '_> {
    /// Puts a message into the outbox. It is sent after the commit, and never if the change is rolled back. Returns
    /// [`Error::Busy`] if too many messages wait, and [`Error::MessagesUnavailable`] if none can be sent this way.
    pub(super) fn enqueue(&self, message: &NewMessage) -> Result<DeliveryId, Error> {
        let policy = self.policy.outbox.as_ref();
        let policy = policy.ok_or_else(|| off(&MessageSettings::default()))?;
        if !policy.settings.can_send(message.channel) {
            return Err(off(&policy.settings));
        }
        if self.tx.has_waiting(policy.settings.most_waiting.into())? {
            return Err(Error::Busy { retry_after: WHEN_FULL });
        }
        let id = DeliveryId::of_random(policy.clock.salt()?);
        let now = self.tx.shared_time(&policy.clock)?;
        let payload = Payload::seal(message, &id, policy)?;
        let delivery = Delivery {
            id: id.clone(),
            kind: message.kind,
            channel: message.channel,
            target: masked(&message.to),
            user: message.user,
            state: DeliveryState::Queued,
            created_at: now,
            expires_at: message.expires_at,
            next_at: now,
            attempts: 0,
            error: None,
            finished_at: None,
        };
        self.tx.insert_delivery(&delivery, payload)?;
        // The job asks the writer, so it cannot look before this transaction has ended.
        policy.wake.notify_one();
        Ok(id)
    }

    /// Withdraws the messages for a user that were not sent yet: those of a kind, such as an earlier code, or all of them. One
    /// that is being sent at this moment may still arrive.
    pub(super) fn withdraw(&self, user: UserId, kind: Option<MessageKind>) -> Result<u64, Error> {
        let open = self.tx.open_deliveries(user, kind)?;
        open.iter().try_for_each(|delivery| drop_one(self, delivery, "withdrawn"))?;
        Ok(open.len() as u64)
    }
}

/// The server's own work, as an actor of the audit trail.
fn sender() -> Actor {
    Actor::operator("outbox")
}

impl Directory {
    /// The settings of messages.
    pub fn message_settings(&self) -> MessageSettings {
        self.policy.outbox.as_ref().map(|policy| policy.settings.clone()).unwrap_or_default()
    }

    /// Whether messages can be sent this way.
    pub fn can_send(&self, channel: Channel) -> bool {
        self.policy.outbox.as_ref().is_some_and(|policy| policy.settings.can_send(channel))
    }

    /// The texts of messages.
    pub fn templates(&self) -> Arc<Templates> {
        self.message_settings().templates
    }

    /// Puts a message of an operator into the outbox, such as one that tries out a provider.
    pub async fn queue_message(&self, actor: &Actor, message: NewMessage) -> Result<DeliveryId, Error> {
        self.change(actor, move |change| {
            change.check(Action::ManageOutbox)?;
            let id = change.enqueue(&message)?;
            record(change, "message.queue", &existing(change, &id)?.delivery, None)?;
            Ok(id)
        })
        .await
    }

    /// Waits until a message is put into the outbox by this process.
    pub async fn message_queued(&self) {
        match &self.policy.outbox {
            Some(policy) => policy.wake.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Returns whether a message is due, without taking it.
    pub async fn is_message_due(&self) -> Result<bool, Error> {
        let next: Option<i64> = self.store.first(store::outbox::next_due()).await?;
        // The clock of this machine may be behind the database's by less than a second without harm: the next look is soon.
        Ok(next.is_some_and(|next| next <= self.clock.now().as_micros().saturating_add(1_000_000)))
    }

    /// Takes messages that are due. This server then has [`LEASE`] to send each.
    pub async fn take_messages(&self, most: usize) -> Result<TakenMessages, Error> {
        let limit = i64::try_from(most.min(TAKEN_AT_ONCE)).unwrap_or(1);
        self.change(&sender(), move |change| {
            let Some(policy) = change.policy.outbox.as_ref() else { return Ok(TakenMessages::default()) };
            let can = |channel| policy.settings.can_send(channel);
            let reachable = Reachable { sms: can(Channel::Sms), mail: can(Channel::Mail) };
            let now = change.tx.shared_time(&policy.clock)?;
            let mut taken = TakenMessages::default();
            for sealed in change.tx.due_deliveries(now, reachable, limit)? {
                take(change, policy, now, &sealed, &mut taken)?;
            }
            Ok(taken)
        })
        .await
    }

    /// Writes how an attempt ended.
    pub async fn finish_message(
        &self,
        leased: &LeasedMessage,
        result: AttemptResult,
    ) -> Result<AttemptEffect, Error> {
        let (id, lease) = (leased.id.clone(), leased.lease.clone());
        let jitter = self.clock.salt()?;
        self.change(&sender(), move |change| {
            let found = change.tx.leased_delivery(&id, &lease)?;
            let Some(delivery) = found else { return Ok(AttemptEffect::Lost) };
            let now = shared_time(change)?;
            finish(change, &delivery, &result, now, jitter)
        })
        .await
    }

    /// Ends messages that expired while they waited, removes texts that are not needed, and forgets old outcomes. Returns
    /// the kinds and channels of the expired ones.
    pub async fn clean_outbox(&self) -> Result<Vec<(MessageKind, Channel)>, Error> {
        let settings = self.message_settings();
        let most = i64::from(settings.most_waiting.max(1)).saturating_mul(FINISHED_FACTOR);
        self.change(&sender(), move |change| {
            let now = shared_time(change)?;
            let overdue = change.tx.overdue_deliveries(now, 100)?;
            for delivery in &overdue {
                give_up(change, delivery, DeliveryState::Expired, EXPIRED)?;
            }
            change.tx.empty_expired_deliveries(now)?;
            change.tx.forget_deliveries(now.saturating_sub(settings.keep_outcomes_for), most)?;
            Ok(overdue.iter().map(|delivery| (delivery.kind, delivery.channel)).collect())
        })
        .await
    }

    /// Counts messages by kind and channel.
    pub async fn count_messages(&self) -> Result<Vec<OutboxCount>, Error> {
        self.store.all(store::outbox::counts()).await
    }

    /// Lists messages, newest first.
    pub async fn messages(
        &self,
        actor: &Actor,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>, Error> {
        authorize(actor, Action::ManageOutbox)?;
        self.store.all(store::outbox::list(filter, limit.into())).await
    }

    /// Returns a message, without its text.
    pub async fn message(&self, actor: &Actor, id: &DeliveryId) -> Result<Delivery, Error> {
        authorize(actor, Action::ManageOutbox)?;
        let (id, shown) = (id.clone(), id.to_string());
        let found = self.store.snapshot(move |tx| tx.delivery(&id)).await?;
        found.map(|sealed| sealed.delivery).ok_or_else(|| Error::not_found("message", &shown))
    }

    /// Makes messages due now that wait, or that failed and have not expired. Returns them as they were.
    pub async fn retry_messages(&self, actor: &Actor, ids: Vec<DeliveryId>) -> Result<Vec<Delivery>, Error> {
        self.change(actor, move |change| {
            change.check(Action::ManageOutbox)?;
            let now = shared_time(change)?;
            let retried = ids.iter().map(|id| retry(change, id, now)).collect::<Result<_, _>>()?;
            if let Some(policy) = &change.policy.outbox {
                policy.wake.notify_one();
            }
            Ok(retried)
        })
        .await
    }

    /// Withdraws messages that were not sent yet. Returns them as they were.
    pub async fn drop_messages(&self, actor: &Actor, ids: Vec<DeliveryId>) -> Result<Vec<Delivery>, Error> {
        self.change(actor, move |change| {
            change.check(Action::ManageOutbox)?;
            let withdraw = |id: &DeliveryId| {
                let delivery = existing(change, id)?;
                if delivery.payload.is_none() {
                    return Err(unfit(&delivery.delivery, "has no text any more: there is nothing to drop"));
                }
                drop_one(change, &delivery.delivery, "dropped by an operator")?;
                record(change, "message.drop", &delivery.delivery, None)?;
                Ok(delivery.delivery)
            };
            ids.iter().map(withdraw).collect()
        })
        .await
    }
}

/// The time by which all servers send messages.
fn shared_time(change: &Change<'_, '_>) -> Result<Timestamp, Error> {
    match &change.policy.outbox {
        Some(policy) => change.tx.shared_time(&policy.clock),
        None => Ok(change.now),
    }
}

fn existing(change: &Change<'_, '_>, id: &DeliveryId) -> Result<SealedDelivery, Error> {
    change.tx.delivery(id)?.ok_or_else(|| Error::not_found("message", id))
}

fn retry(change: &Change<'_, '_>, id: &DeliveryId, now: Timestamp) -> Result<Delivery, Error> {
    let delivery = existing(change, id)?.delivery;
    if delivery.expires_at <= now {
        return Err(unfit(&delivery, "has expired: it is never sent"));
    }
    if !change.tx.requeue_delivery(id, now)? {
        return Err(unfit(&delivery, "neither waits nor has failed"));
    }
    record(change, "message.retry", &delivery, None)?;
    Ok(delivery)
}

fn unfit(delivery: &Delivery, why: &str) -> Error {
    let text = format!("The message {} ({}) {why}.", delivery.id, delivery.state.name());
    Error::invalid("message", &Violation::Other(text))
}

#[cfg(test)]
mod tests;
