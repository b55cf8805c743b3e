use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::directory::clock::Clock;
use crate::directory::model::{AuditFilter, Locale, UserDraft, UserKey};
use crate::directory::secrets_key::SecretsKeys;
use crate::directory::settings::Settings;
use crate::directory::store::testing::{messages_and_texts, move_a_text, on_both};

const SECRET: &str = "planted-code-731905";
const ADDRESS: &str = "planted.address@example.com";

fn key(seed: u8) -> String {
    STANDARD.encode((0..32).map(|at| seed.wrapping_add(at)).collect::<Vec<u8>>())
}

fn settings(keys: &str, most_waiting: u32) -> MessageSettings {
    MessageSettings {
        keys: Some(Arc::new(SecretsKeys::parse(keys).unwrap())),
        sms: true,
        mail: true,
        most_waiting,
        keep_outcomes_for: Duration::from_hours(24),
        ..MessageSettings::default()
    }
}

async fn open(database: &Settings, messages: MessageSettings, clock: &Clock) -> Directory {
    Directory::open(&Settings { messages, ..database.clone() }, clock.clone()).await.unwrap()
}

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn at(seconds: u64) -> Timestamp {
    start().plus(Duration::from_secs(seconds)).unwrap()
}

fn message(valid: u64) -> NewMessage {
    NewMessage {
        kind: MessageKind::Code,
        channel: Channel::Mail,
        to: ADDRESS.to_owned(),
        user: None,
        subject: Some("Your code".to_owned()),
        text: format!("Your code is {SECRET}."),
        code: Some(SECRET.to_owned()),
        locale: Locale::Persian,
        expires_at: at(valid),
    }
}

fn operator() -> Actor {
    Actor::operator("root")
}

async fn queue(directory: &Directory, valid: u64) -> DeliveryId {
    directory.queue_message(&operator(), message(valid)).await.unwrap()
}

async fn take_one(directory: &Directory) -> LeasedMessage {
    let mut taken = directory.take_messages(16).await.unwrap();
    assert_eq!(taken.messages.len(), 1);
    taken.messages.remove(0)
}

async fn take_none(directory: &Directory) -> Vec<AttemptEffect> {
    let taken = directory.take_messages(16).await.unwrap();
    assert!(taken.messages.is_empty(), "a message was taken");
    taken.given_up.into_iter().map(|(_, _, effect)| effect).collect()
}

async fn state(directory: &Directory, id: &DeliveryId) -> (DeliveryState, Option<String>) {
    let found = directory.message(&operator(), id).await.unwrap();
    (found.state, found.error)
}

async fn texts_left(directory: &Directory) -> i64 {
    messages_and_texts(&directory.store).await.1
}

fn later() -> AttemptResult {
    AttemptResult::Later("status 503".to_owned(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_once_and_then_has_no_text() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        let replica = open(&database, settings(&key(1), 10), &clock).await;
        let ada = UserDraft { username: Some("ada".to_owned()), ..UserDraft::default() };
        let ada = directory.create_user(&operator(), &ada, None).await.unwrap();
        let new = NewMessage { user: Some(ada.id), ..message(300) };
        let id = directory.queue_message(&operator(), new.clone()).await.unwrap();
        assert_eq!(state(&directory, &id).await.0, DeliveryState::Queued);
        let leased = take_one(&directory).await;
        assert!(take_none(&replica).await.is_empty());
        assert_eq!((&leased.id, leased.attempt), (&id, 1));
        let got = leased.message.clone();
        assert_eq!((got.to, got.subject, got.text, got.code), (new.to, new.subject, new.text, new.code));
        assert_eq!((got.locale, got.kind, got.user, got.expires_at), (Locale::Persian, new.kind, new.user, new.expires_at));
        let sent = directory.finish_message(&leased, AttemptResult::Sent).await.unwrap();
        assert_eq!(sent, AttemptEffect::Sent);
        assert_eq!(state(&directory, &id).await, (DeliveryState::Sent, None));
        assert_eq!(texts_left(&directory).await, 0);
        assert_eq!(directory.finish_message(&leased, later()).await.unwrap(), AttemptEffect::Lost);
        for wrong in [directory.retry_messages(&operator(), vec![id.clone()]).await, directory.drop_messages(&operator(), vec![id.clone()]).await] {
            assert!(wrong.is_err());
        }
        let filter = AuditFilter { action: Some("message.sent".to_owned()), ..AuditFilter::default() };
        let events = directory.audit_events(&operator(), &filter, 10).await.unwrap();
        let changes: serde_json::Value = serde_json::from_str(&events[0].event.changes).unwrap();
        let expected = json!({
            "message": id.as_str(), "kind": "code", "channel": "mail", "target": "p***@example.com", "attempts": 1
        });
        assert_eq!((changes, events[0].event.object_id), (expected, Some(ada.id.get())));
    })
    .await;
}

/// A change that fails leaves no message behind, wherever it fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_rolled_back_sends_nothing() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        let failed: Result<(), Error> = directory
            .change(&operator(), |change| {
                change.enqueue(&message(300))?;
                Err(Error::not_found("user", "ada"))
            })
            .await;
        assert!(matches!(failed, Err(Error::NotFound { .. })));
        assert!(take_none(&directory).await.is_empty());
        assert_eq!(directory.count_messages().await.unwrap(), []);
        // With a change beside it that succeeds, in the same transaction or not.
        let actor = operator();
        let (failed, kept) = tokio::join!(
            directory.change(&actor, |change| {
                change.enqueue(&message(300))?;
                Err::<(), _>(Error::not_found("user", "ada"))
            }),
            directory.queue_message(&actor, message(300)),
        );
        assert!(failed.is_err());
        assert_eq!(take_one(&directory).await.id, kept.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_never_take_the_same_message() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let replicas = [
            Arc::new(open(&database, settings(&key(1), 1000), &clock).await),
            Arc::new(open(&database, settings(&key(1), 1000), &clock).await),
        ];
        for _ in 0..100 {
            queue(&replicas[0], 300).await;
        }
        let taking = (0..8).map(|number| {
            let replica = Arc::clone(&replicas[number % 2]);
            tokio::spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let taken = replica.take_messages(3).await.unwrap();
                    if taken.messages.is_empty() {
                        return ids;
                    }
                    ids.extend(taken.messages.into_iter().map(|leased| leased.id));
                }
            })
        });
        let mut all = Vec::new();
        for task in taking.collect::<Vec<_>>() {
            all.extend(task.await.unwrap());
        }
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (100, 100));
    })
    .await;
}

/// A server that crashed between sending and writing leaves the message to another one, with the same id.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_crashed_server_is_taken_over() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let (crashed, other) = (
            open(&database, settings(&key(1), 10), &clock).await,
            open(&database, settings(&key(1), 10), &clock).await,
        );
        let id = queue(&crashed, 100_000).await;
        let lost = take_one(&crashed).await;
        clock.set(at(59));
        assert!(take_none(&other).await.is_empty());
        clock.set(at(60));
        let leased = take_one(&other).await;
        assert_eq!((&leased.id, leased.attempt), (&id, 2));
        // The first server was only slow: what it says counts no more.
        for result in [AttemptResult::Refused("status 400".to_owned()), AttemptResult::Sent] {
            assert_eq!(crashed.finish_message(&lost, result).await.unwrap(), AttemptEffect::Lost);
        }
        assert_eq!(state(&other, &id).await.0, DeliveryState::Sending);
        assert_eq!(other.finish_message(&leased, AttemptResult::Sent).await.unwrap(), AttemptEffect::Sent);
        // Servers that crash again and again do not send it for ever.
        let id = queue(&crashed, 100_000).await;
        for attempt in 1..=MOST_ATTEMPTS {
            assert_eq!(take_one(&crashed).await.attempt, attempt);
            clock.set(clock.now().plus(LEASE).unwrap());
        }
        assert_eq!(take_none(&crashed).await, [AttemptEffect::Failed]);
        assert!(state(&crashed, &id).await.1.unwrap().contains("no attempt ended"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_made_again_later_and_not_for_ever() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        let id = queue(&directory, 1_000_000).await;
        let mut before = Duration::ZERO;
        for attempt in 1..MOST_ATTEMPTS {
            let leased = take_one(&directory).await;
            assert_eq!(leased.attempt, attempt);
            assert_eq!(directory.finish_message(&leased, later()).await.unwrap(), AttemptEffect::Retried);
            let found = directory.message(&operator(), &id).await.unwrap();
            assert_eq!((found.state, found.error.as_deref()), (DeliveryState::Queued, Some("status 503")));
            let pause = found.next_at.as_micros() - clock.now().as_micros();
            let pause = Duration::from_micros(pause.try_into().unwrap());
            assert!(pause > before || pause >= Duration::from_mins(45), "{pause:?} after {before:?}");
            before = pause;
            assert!(take_none(&directory).await.is_empty());
            clock.set(found.next_at);
        }
        let leased = take_one(&directory).await;
        assert_eq!(directory.finish_message(&leased, later()).await.unwrap(), AttemptEffect::Failed);
        assert_eq!(state(&directory, &id).await, (DeliveryState::Failed, Some("status 503".to_owned())));
        // An operator tries it again. What the provider refuses is given up at once; the provider may ask for a pause.
        directory.retry_messages(&operator(), vec![id.clone()]).await.unwrap();
        let leased = take_one(&directory).await;
        assert_eq!(leased.attempt, 1);
        let pause = Some(Duration::from_mins(10));
        directory
            .finish_message(&leased, AttemptResult::Later("status 429".to_owned(), pause))
            .await
            .unwrap();
        let next = directory.message(&operator(), &id).await.unwrap().next_at;
        assert_eq!(next.as_micros() - clock.now().as_micros(), 600_000_000);
        directory.retry_messages(&operator(), vec![id.clone()]).await.unwrap();
        let leased = take_one(&directory).await;
        let refused = AttemptResult::Refused("status 400".to_owned());
        assert_eq!(directory.finish_message(&leased, refused).await.unwrap(), AttemptEffect::Failed);
        directory.drop_messages(&operator(), vec![id.clone()]).await.unwrap();
        assert_eq!(state(&directory, &id).await.0, DeliveryState::Dropped);
        assert_eq!(texts_left(&directory).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_after_its_time() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        // It expires while it waits: the job or the cleaning finds it.
        let [first, second, third] =
            [queue(&directory, 300).await, queue(&directory, 400).await, queue(&directory, 1000).await];
        clock.set(at(300));
        let taken = directory.take_messages(16).await.unwrap();
        assert_eq!(taken.given_up, [(MessageKind::Code, Channel::Mail, AttemptEffect::Expired)]);
        assert_eq!(taken.messages.len(), 2);
        assert_eq!(state(&directory, &first).await.0, DeliveryState::Expired);
        assert!(directory.retry_messages(&operator(), vec![first]).await.is_err());
        // The next attempt would be after its end.
        for leased in &taken.messages {
            let pause = Some(Duration::from_secs(100));
            let ended = leased.id == second;
            let effect = directory
                .finish_message(leased, AttemptResult::Later("status 503".to_owned(), pause))
                .await
                .unwrap();
            assert_eq!(effect, if ended { AttemptEffect::Failed } else { AttemptEffect::Retried });
        }
        assert_eq!(texts_left(&directory).await, 2);
        clock.set(at(1000));
        assert_eq!(directory.clean_outbox().await.unwrap(), [(MessageKind::Code, Channel::Mail)]);
        assert_eq!(state(&directory, &third).await.0, DeliveryState::Expired);
        assert_eq!(texts_left(&directory).await, 0);
        assert!(directory.retry_messages(&operator(), vec![second]).await.is_err());
        // Outcomes are forgotten after their time.
        clock.set(at(1000 + 24 * 3600));
        directory.clean_outbox().await.unwrap();
        assert_eq!(directory.count_messages().await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_bounded() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 3), &clock).await;
        for _ in 0..3 {
            queue(&directory, 100_000).await;
        }
        let full = directory.queue_message(&operator(), message(300)).await;
        assert!(matches!(full, Err(Error::Busy { .. })), "{full:?}");
        for number in 0..40 {
            let leased = directory.take_messages(1).await.unwrap().messages.remove(0);
            directory.finish_message(&leased, AttemptResult::Sent).await.unwrap();
            clock.set(at(number));
            queue(&directory, 100_000).await;
        }
        directory.clean_outbox().await.unwrap();
        let counted = messages_and_texts(&directory.store).await.0;
        assert!(counted <= 3 + 30, "{counted}");
        let counts = directory.count_messages().await.unwrap();
        assert_eq!((counts.len(), counts[0].waiting, counts[0].dead), (1, 3, 0));
        assert_eq!(counts[0].oldest, Some(at(37)));
    })
    .await;
}

/// Without a key or a provider nothing is queued, and the reason is named.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_a_provider_nothing_is_queued() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let whole = settings(&key(1), 10);
        let fault = Some("secrets_key_file: /key cannot be read".to_owned());
        for (messages, why) in [
            (MessageSettings::default(), "docs/messages.md"),
            (MessageSettings { keys: None, ..whole.clone() }, "docs/messages.md"),
            (MessageSettings { mail: false, ..whole.clone() }, "docs/messages.md"),
            (MessageSettings { keys: None, fault, ..whole.clone() }, "/key cannot be read"),
        ] {
            let directory = open(&database, messages, &clock).await;
            assert!(!directory.can_send(Channel::Mail));
            let off = directory.queue_message(&operator(), message(300)).await.unwrap_err();
            assert!(matches!(&off, Error::MessagesUnavailable(text) if text.contains(why)), "{off}");
        }
        // A replica without a provider for mails leaves them to others.
        queue(&open(&database, whole.clone(), &clock).await, 300).await;
        let other = open(&database, MessageSettings { mail: false, ..whole.clone() }, &clock).await;
        assert!(take_none(&other).await.is_empty());
        take_one(&open(&database, whole, &clock).await).await;
    })
    .await;
}

/// The key is replaced while messages wait; a server without it leaves them alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_key_is_replaced() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let (old, new) = (key(1), key(9));
        let first = open(&database, settings(&old, 1000), &clock).await;
        let id = queue(&first, 100_000).await;
        for _ in 0..250 {
            queue(&first, 100_000).await;
        }
        let without = open(&database, settings(&new, 1000), &clock).await;
        assert!(take_none(&without).await.is_empty());
        let waits = state(&without, &id).await;
        assert!(
            waits.0 != DeliveryState::Queued
                || waits.1.is_none()
                || waits.1.unwrap().contains("is not in secrets_key_file")
        );
        let unread = without.reseal_secrets(&operator()).await.unwrap();
        assert_eq!((unread.resealed, unread.current, unread.damaged), (0, 0, 0));
        assert_eq!(unread.unknown, [(first.secrets_key_ids()[0].clone(), 251)].into());
        let both = open(&database, settings(&format!("{new}\n{old}"), 1000), &clock).await;
        let found = both.reseal_secrets(&operator()).await.unwrap();
        assert_eq!((found.resealed, found.current, found.unknown.len()), (251, 0, 0));
        assert_eq!(both.reseal_secrets(&operator()).await.unwrap().current, 251);
        clock.set(at(61));
        assert_eq!(without.take_messages(16).await.unwrap().messages.len(), 16);
        // A value that was moved to another row is not opened there.
        move_a_text(&without.store).await;
        let mut given_up = Vec::new();
        loop {
            let taken = without.take_messages(16).await.unwrap();
            given_up.extend(taken.given_up);
            if taken.messages.is_empty() {
                break;
            }
        }
        assert_eq!(given_up, [(MessageKind::Code, Channel::Mail, AttemptEffect::Failed)]);
    })
    .await;
}

/// Neither the code nor the address is in any table, in any form that can be read, at any point of a message's life.
#[tokio::test(flavor = "multi_thread")]
async fn no_table_holds_a_code_or_an_address() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        let id = queue(&directory, 100_000).await;
        let hidden = async || {
            let sealed = directory.store.snapshot({
                let id = id.clone();
                move |tx| tx.delivery(&id)
            });
            let sealed = sealed.await.unwrap().unwrap();
            let payload = sealed.payload.unwrap_or_default();
            let listed = format!("{:?}", sealed.delivery);
            let events = directory.audit_events(&operator(), &AuditFilter::default(), 1000).await.unwrap();
            let seen = format!("{listed} {} {events:?}", String::from_utf8_lossy(&payload));
            assert!(!seen.contains("planted") && !seen.contains("731905"), "{seen}");
        };
        hidden().await;
        let leased = take_one(&directory).await;
        assert!(!format!("{:?}", leased.message).contains("planted"));
        hidden().await;
        directory.finish_message(&leased, AttemptResult::Refused("status 400".to_owned())).await.unwrap();
        hidden().await;
        directory.retry_messages(&operator(), vec![id.clone()]).await.unwrap();
        directory.drop_messages(&operator(), vec![id.clone()]).await.unwrap();
        hidden().await;
    })
    .await;
}

/// A later message of a kind takes the place of an earlier one, for its user alone.
#[tokio::test(flavor = "multi_thread")]
async fn earlier_messages_of_a_user_are_withdrawn() {
    on_both(async |database| {
        let clock = Clock::fixed(start()).unwrap();
        let directory = open(&database, settings(&key(1), 10), &clock).await;
        let user = |id: i64| Some(UserId::try_from(id).unwrap());
        for (id, kind) in [(1, MessageKind::Code), (1, MessageKind::Notice), (2, MessageKind::Code)] {
            let new = NewMessage { user: user(id), kind, ..message(300) };
            directory.queue_message(&operator(), new).await.unwrap();
        }
        let actor = operator();
        let withdrawn = directory
            .change(&actor, move |change| change.withdraw(user(1).unwrap(), Some(MessageKind::Code)));
        assert_eq!(withdrawn.await.unwrap(), 1);
        let left = directory.take_messages(16).await.unwrap().messages;
        let mut left: Vec<_> =
            left.into_iter().map(|leased| (leased.message.user, leased.message.kind)).collect();
        left.sort();
        assert_eq!(left, [(user(1), MessageKind::Notice), (user(2), MessageKind::Code)]);
        // Who is deleted gets none.
        let ada = UserDraft { username: Some("ada".to_owned()), ..UserDraft::default() };
        let ada = directory.create_user(&operator(), &ada, None).await.unwrap();
        let new = NewMessage { user: Some(ada.id), ..message(300) };
        let id = directory.queue_message(&operator(), new).await.unwrap();
        directory.delete_user(&operator(), &UserKey::Id(ada.id)).await.unwrap();
        assert_eq!(state(&directory, &id).await.0, DeliveryState::Dropped);
    })
    .await;
}
