//! How a message goes on: it is taken, tried again, sent, or given up.

use std::time::Duration;

use serde_json::json;

use super::payload::Payload;
use crate::directory::audit::{self, AuditObject};
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{
    AttemptEffect, AttemptResult, Channel, Delivery, DeliveryId, DeliveryState, LeasedMessage, MessageKind,
    Timestamp, UserKey,
};
use crate::directory::secrets_key::SealError;
use crate::directory::settings::OutboxPolicy;
use crate::directory::store::outbox::{NextStep, SealedDelivery};

/// How long a server may take for an attempt. After that, another one may take the message over.
pub const LEASE: Duration = Duration::from_mins(1);
/// The most attempts.
pub const MOST_ATTEMPTS: i64 = 12;
/// The most messages that a server takes at once.
pub const TAKEN_AT_ONCE: usize = 16;
/// The pause after the first attempt. Each pause is four times the one before it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause, also if a provider asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What a server took from the outbox.
#[derive(Default)]
pub struct TakenMessages {
    /// The messages to send.
    pub messages: Vec<LeasedMessage>,
    /// The kinds and channels of messages that expired or were given up instead.
    pub given_up: Vec<(MessageKind, Channel, AttemptEffect)>,
}

/// Why a message was not sent in time.
pub(super) const EXPIRED: &str = "it expired before it could be sent";

/// Withdraws a message.
pub(super) fn drop_one(change: &Change<'_, '_>, delivery: &Delivery, why: &str) -> Result<(), Error> {
    let step = NextStep { state: DeliveryState::Dropped, next_at: delivery.next_at, error: Some(why) };
    change.tx.step_delivery(&delivery.id, &step, change.now)
}

/// Records what became of a message, about the user that it was for.
pub(super) fn record(
    change: &Change<'_, '_>,
    action: &'static str,
    delivery: &Delivery,
    why: Option<&str>,
) -> Result<(), Error> {
    let user = delivery.user.map(|id| change.tx.user(&UserKey::Id(id))).transpose()?.flatten();
    let object = user.as_ref().map_or(AuditObject::Directory, AuditObject::User);
    let mut details = json!({
        "message": delivery.id.as_str(),
        "kind": delivery.kind.name(),
        "channel": delivery.channel.name(),
        "target": delivery.target,
        "attempts": delivery.attempts,
    });
    if let (Some(why), Some(details)) = (why, details.as_object_mut()) {
        details.insert("why".to_owned(), why.into());
    }
    audit::record(change, action, &object, details)
}

/// Ends a message that will not be sent.
pub(super) fn give_up(
    change: &Change<'_, '_>,
    delivery: &Delivery,
    state: DeliveryState,
    why: &str,
) -> Result<(), Error> {
    let step = NextStep { state, next_at: delivery.next_at, error: Some(why) };
    change.tx.step_delivery(&delivery.id, &step, change.now)?;
    record(change, "message.failed", delivery, Some(why))
}

/// Ends a message that was due.
fn end(
    change: &Change<'_, '_>,
    delivery: &Delivery,
    taken: &mut TakenMessages,
    effect: AttemptEffect,
    why: &str,
) -> Result<(), Error> {
    let state = if effect == AttemptEffect::Expired { DeliveryState::Expired } else { DeliveryState::Failed };
    taken.given_up.push((delivery.kind, delivery.channel, effect));
    give_up(change, delivery, state, why)
}

/// Takes one message, or ends it.
pub(super) fn take(
    change: &Change<'_, '_>,
    policy: &OutboxPolicy,
    now: Timestamp,
    sealed: &SealedDelivery,
    taken: &mut TakenMessages,
) -> Result<(), Error> {
    let delivery = &sealed.delivery;
    if delivery.expires_at <= now {
        return end(change, delivery, taken, AttemptEffect::Expired, EXPIRED);
    }
    if delivery.attempts >= MOST_ATTEMPTS {
        let why = delivery.error.as_deref().unwrap_or("no attempt ended: servers stopped while they sent it");
        return end(change, delivery, taken, AttemptEffect::Failed, why);
    }
    let Some(keys) = &policy.settings.keys else { return Ok(()) };
    match Payload::open(sealed, keys) {
        Ok(message) => {
            let lease = DeliveryId::of_random(policy.clock.salt()?).to_string();
            change.tx.lease_delivery(&delivery.id, &lease, after(now, LEASE))?;
            let attempt = delivery.attempts.saturating_add(1);
            let valid_for = delivery.expires_at.since(now).min(LEASE);
            taken.messages.push(LeasedMessage {
                id: delivery.id.clone(),
                attempt,
                message,
                valid_for,
                lease,
            });
            Ok(())
        }
        // Another server may have the key, or this one after a restart.
        Err(error @ SealError::UnknownKey(_)) => {
            let error = error.to_string();
            let step =
                NextStep { state: DeliveryState::Queued, next_at: after(now, LEASE), error: Some(&error) };
            change.tx.step_delivery(&delivery.id, &step, now)
        }
        Err(error @ SealError::Damaged) => {
            end(change, delivery, taken, AttemptEffect::Failed, &error.to_string())
        }
    }
}

/// Writes how an attempt ended.
pub(super) fn finish(
    change: &Change<'_, '_>,
    delivery: &Delivery,
    result: &AttemptResult,
    now: Timestamp,
    jitter: [u8; 16],
) -> Result<AttemptEffect, Error> {
    match result {
        AttemptResult::Sent => {
            let step = NextStep { state: DeliveryState::Sent, next_at: now, error: None };
            change.tx.step_delivery(&delivery.id, &step, now)?;
            record(change, "message.sent", delivery, None)?;
            Ok(AttemptEffect::Sent)
        }
        AttemptResult::Refused(why) => {
            give_up(change, delivery, DeliveryState::Failed, why)?;
            Ok(AttemptEffect::Failed)
        }
        AttemptResult::Later(why, at_least) => {
            let next_at = after(now, pause(delivery.attempts, *at_least, jitter));
            if delivery.attempts >= MOST_ATTEMPTS || next_at >= delivery.expires_at {
                give_up(change, delivery, DeliveryState::Failed, why)?;
                return Ok(AttemptEffect::Failed);
            }
            let step = NextStep { state: DeliveryState::Queued, next_at, error: Some(why) };
            change.tx.step_delivery(&delivery.id, &step, now)?;
            Ok(AttemptEffect::Retried)
        }
    }
}

pub(super) fn after(now: Timestamp, span: Duration) -> Timestamp {
    now.plus(span).unwrap_or(Timestamp::LAST)
}

/// The pause after an attempt: four times as long after each, a quarter shorter or longer by chance, and not shorter than
/// the provider asks for.
pub(super) fn pause(attempts: i64, at_least: Option<Duration>, jitter: [u8; 16]) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    let pause = FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    let part = u32::from(jitter.first().copied().unwrap_or(0));
    let pause = pause.saturating_mul(384 + part) / 512;
    pause.max(at_least.unwrap_or_default().min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_differ_by_a_quarter() {
        let shortest = |attempts| pause(attempts, None, [0; 16]);
        let longest = |attempts| pause(attempts, None, [255; 16]);
        for (attempts, middle) in
            [(1, 5.0), (2, 20.0), (3, 80.0), (5, 1280.0), (6, 3600.0), (i64::MAX, 3600.0)]
        {
            let (low, high) = (shortest(attempts).as_secs_f64(), longest(attempts).as_secs_f64());
            assert!(
                (low - middle * 0.75).abs() < 0.01 && (high - middle * 1.25).abs() < middle * 0.01,
                "{low} {high}"
            );
        }
        assert_eq!(pause(1, Some(Duration::from_secs(60)), [0; 16]), Duration::from_secs(60));
        assert_eq!(pause(1, Some(Duration::from_hours(5)), [0; 16]), LONGEST_PAUSE);
    }
}
