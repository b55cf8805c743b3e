//! Sends the messages of the outbox.
//!
//! Several replicas may do this at the same time: each sends what the database gave to it. The job looks when this process has
//! queued a message, and every few seconds for what others have queued, for attempts that are due again, and for messages of a
//! server that crashed.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use super::every;
use crate::directory::Directory;
use crate::directory::model::{AttemptEffect, AttemptResult, Channel, LeasedMessage, MessageKind};
use crate::directory::outbox::TAKEN_AT_ONCE;
use crate::outbound::{OutgoingMessage, Providers, SendError};
use crate::telemetry::{MessageLabels, Metrics};

/// How often the job looks for messages that it was not woken for.
const LOOKED_EVERY: Duration = Duration::from_secs(2);
/// How often old outcomes are forgotten.
const CLEANED_EVERY: Duration = Duration::from_mins(1);
/// How often and after which pause the outcome of an attempt is written again when the database is away. Without it, the message
/// would be sent twice.
const WRITTEN_AGAIN: u32 = 25;
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// A sender of messages: the outbox, the providers and the counters.
pub struct MessageSender<'a> {
    /// The outbox.
    pub directory: &'a Directory,
    /// The providers.
    pub providers: &'a Providers,
    /// The counters.
    pub metrics: &'a Metrics,
}

/// Sends messages until `stop` is ready, and then ends the attempts in progress.
pub async fn send_messages(sender: &MessageSender<'_>, stop: impl Future<Output = ()>) {
    let mut sending: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let (mut looks, mut cleans) = (every(LOOKED_EVERY), every(CLEANED_EVERY));
    let mut stop = std::pin::pin!(stop);
    let mut look = true;
    loop {
        if look && sending.len() < TAKEN_AT_ONCE {
            // Before the database looks at its clock, so that no message is sent after its time.
            let begun = Instant::now();
            let taken = sender.take(TAKEN_AT_ONCE - sending.len()).await;
            // There may be more than was taken.
            look = !taken.is_empty();
            sending.extend(taken.into_iter().map(|leased| sender.attempt(leased, begun).boxed()));
            if look {
                continue;
            }
        }
        tokio::select! {
            () = &mut stop => break,
            Some(()) = sending.next() => look = true,
            () = sender.directory.message_queued() => look = true,
            _ = looks.tick() => look = sender.is_due().await,
            _ = cleans.tick() => sender.clean().await,
        }
    }
    while sending.next().await.is_some() {}
}

impl MessageSender<'_> {
    async fn is_due(&self) -> bool {
        self.directory.is_message_due().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not look for messages to send");
            false
        })
    }

    async fn take(&self, most: usize) -> Vec<LeasedMessage> {
        match self.directory.take_messages(most).await {
            Ok(taken) => {
                taken
                    .given_up
                    .iter()
                    .for_each(|(kind, channel, effect)| self.count(*kind, *channel, *effect));
                taken.messages
            }
            Err(error) => {
                tracing::warn!(%error, "could not take messages from the outbox");
                Vec::new()
            }
        }
    }

    /// Sends a message that was taken after `begun`, and writes how that ended.
    async fn attempt(&self, leased: LeasedMessage, begun: Instant) {
        let (kind, channel) = (leased.message.kind, leased.message.channel);
        let result = self.send(&leased, begun + leased.valid_for).await;
        let effect = self.write(&leased, result.clone()).await;
        self.count(kind, channel, effect);
        let (id, attempt, kind, channel) = (leased.id.as_str(), leased.attempt, kind.name(), channel.name());
        match (result, effect) {
            (AttemptResult::Sent, _) => tracing::info!(id, kind, channel, attempt, "sent a message"),
            (AttemptResult::Later(why, _), AttemptEffect::Retried) => {
                tracing::warn!(
                    id,
                    kind,
                    channel,
                    attempt,
                    why,
                    "could not send a message: it is tried again"
                );
            }
            (AttemptResult::Later(why, _) | AttemptResult::Refused(why), _) => {
                tracing::warn!(id, kind, channel, attempt, why, "could not send a message: it is given up");
            }
        }
    }

    /// Sends a message, but not after the deadline: a stale code is worth nothing, and another server may have the message then.
    async fn send(&self, leased: &LeasedMessage, deadline: Instant) -> AttemptResult {
        let outgoing = self.outgoing(leased);
        if Instant::now() >= deadline {
            return AttemptResult::Later("the attempt began too late".to_owned(), None);
        }
        let sending = AssertUnwindSafe(self.providers.send(&outgoing)).catch_unwind();
        match timeout_at(deadline, sending).await {
            Ok(Ok(Ok(()))) => AttemptResult::Sent,
            Ok(Ok(Err(SendError::Later { why, after }))) => AttemptResult::Later(why, after),
            Ok(Ok(Err(SendError::Refused(why)))) => AttemptResult::Refused(why),
            Ok(Err(_)) => AttemptResult::Later("a bug stopped the attempt: see the log".to_owned(), None),
            Err(_) => {
                AttemptResult::Later("no response before the time of the message was over".to_owned(), None)
            }
        }
    }

    fn outgoing(&self, leased: &LeasedMessage) -> OutgoingMessage {
        let message = &leased.message;
        OutgoingMessage {
            id: leased.id.as_str().to_owned(),
            kind: message.kind.name(),
            channel: message.channel.name(),
            to: message.to.clone(),
            subject: message.subject.clone(),
            text: message.text.clone(),
            code: message.code.clone(),
            locale: message.locale.name(),
            expires_at: message.expires_at.to_string(),
            sent_at: u64::try_from(self.directory.clock().now().as_micros() / 1_000_000).unwrap_or(0),
        }
    }

    /// Writes how an attempt ended, again and again while the database is away.
    async fn write(&self, leased: &LeasedMessage, result: AttemptResult) -> AttemptEffect {
        for _ in 0..WRITTEN_AGAIN {
            match self.directory.finish_message(leased, result.clone()).await {
                Ok(effect) => return effect,
                Err(error) => {
                    tracing::warn!(%error, id = leased.id.as_str(), "could not write what became of a message");
                    tokio::time::sleep(WRITE_PAUSE).await;
                }
            }
        }
        AttemptEffect::Lost
    }

    async fn clean(&self) {
        match self.directory.clean_outbox().await {
            Ok(expired) => {
                expired
                    .into_iter()
                    .for_each(|(kind, channel)| self.count(kind, channel, AttemptEffect::Expired));
            }
            Err(error) => tracing::warn!(%error, "could not forget old messages"),
        }
    }

    fn count(&self, kind: MessageKind, channel: Channel, effect: AttemptEffect) {
        let outcome = match effect {
            AttemptEffect::Sent => "sent",
            AttemptEffect::Retried => "retried",
            AttemptEffect::Failed => "failed",
            AttemptEffect::Expired => "expired",
            AttemptEffect::Lost => "lost",
        };
        let labels = MessageLabels { kind: kind.name(), channel: channel.name(), outcome };
        self.metrics.messages.get_or_create(&labels).inc();
    }
}
