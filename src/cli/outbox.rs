//! `wardroom outbox`: lists messages that wait or were sent, tries them again, and withdraws them.
//!
//! It never shows the text of a message or the whole of its address.

mod view;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use self::view::{details, row_json, table};
use super::context::{open, operator};
use super::lists::within;
use super::report::{CliError, CutNotice, Report};
use crate::config::Config;
use crate::directory::Directory;
use crate::directory::model::{
    Channel, Delivery, DeliveryFilter, DeliveryId, DeliveryState, Email, MessageKind, MobileNumber,
    NewMessage, UserId, Violation,
};

/// How long a test message may wait.
const TEST_VALID: Duration = Duration::from_mins(10);
/// The most messages that `--failed` names at once.
const MOST_FAILED: u32 = 1000;

/// The commands of `wardroom outbox`.
#[derive(Subcommand)]
pub(super) enum OutboxVerb {
    /// List messages, newest first: those that wait, and for a time those that were sent or given up.
    List(ListMessages),
    /// Show a message, without its text.
    Show(ShowMessage),
    /// Try messages again at once that wait or have failed, and have not expired.
    Retry(RetryMessages),
    /// Withdraw messages that were not sent yet.
    Drop(DropMessages),
    /// Queue a message to an address of yours, to try out a provider. A running server sends it.
    Test(TestMessage),
}

#[derive(Args)]
pub(super) struct ListMessages {
    /// The maximum number of rows (1 to 1000).
    #[arg(long, default_value_t = 100, value_parser = within(1u32..=1000))]
    limit: u32,
    /// Only messages in this state.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<DeliveryState>,
    /// Only messages of this kind.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<MessageKind>,
    /// Only messages for the user with this id.
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
}

#[derive(Args)]
pub(super) struct ShowMessage {
    /// The id of the message, as `wardroom outbox list` shows it.
    id: DeliveryId,
}

#[derive(Args)]
pub(super) struct RetryMessages {
    /// The ids of the messages, as `wardroom outbox list` shows them.
    #[arg(required_unless_present = "failed", value_name = "ID")]
    ids: Vec<DeliveryId>,
    /// Try all messages again that have failed and have not expired, at most 1000.
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
}

#[derive(Args)]
pub(super) struct DropMessages {
    /// The ids of the messages, as `wardroom outbox list` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<DeliveryId>,
}

#[derive(Args)]
pub(super) struct TestMessage {
    /// What to try out.
    channel: TestChannel,
    /// A mail address, or a telephone number with + and the code of its country.
    to: String,
}

/// The ways that a message can take.
#[derive(Clone, Copy, ValueEnum)]
enum TestChannel {
    /// A text message.
    Sms,
    /// A mail.
    Mail,
}

fn state(text: &str) -> Result<DeliveryState, String> {
    DeliveryState::from_name(text).ok_or_else(|| one_of(DeliveryState::ALL.iter().map(|one| one.name())))
}

fn kind(text: &str) -> Result<MessageKind, String> {
    MessageKind::from_name(text).ok_or_else(|| one_of(MessageKind::ALL.iter().map(|one| one.name())))
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("use one of {}", names.collect::<Vec<_>>().join(", "))
}

/// Runs a command.
pub(super) async fn run(verb: OutboxVerb, config: &Config) -> Result<Report, CliError> {
    let directory = open(config).await?;
    match verb {
        OutboxVerb::List(args) => list(&directory, args).await,
        OutboxVerb::Show(ShowMessage { id }) => show(&directory, &id).await,
        OutboxVerb::Retry(args) => retry(&directory, args).await,
        OutboxVerb::Drop(DropMessages { ids }) => {
            let dropped = directory.drop_messages(&operator(), ids).await?;
            Ok(changed(&dropped, "dropped"))
        }
        OutboxVerb::Test(args) => test(&directory, config, args).await,
    }
}

async fn list(directory: &Directory, args: ListMessages) -> Result<Report, CliError> {
    let ListMessages { limit, state, kind, user } = args;
    let filter = DeliveryFilter { state, kind, user };
    let mut found = directory.messages(&operator(), &filter, limit.saturating_add(1)).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let cut = (found.len() > most).then(|| CutNotice::uncounted(most, "--limit 1000".to_owned()));
    found.truncate(most);
    Ok(Report::list(table(&found), found.iter().map(row_json).collect(), cut))
}

async fn show(directory: &Directory, id: &DeliveryId) -> Result<Report, CliError> {
    let found = directory.message(&operator(), id).await?;
    Ok(Report::new(details(&found), row_json(&found)))
}

async fn retry(directory: &Directory, args: RetryMessages) -> Result<Report, CliError> {
    let ids = match args.failed {
        false => args.ids,
        true => {
            let filter = DeliveryFilter { state: Some(DeliveryState::Failed), ..DeliveryFilter::default() };
            let failed = directory.messages(&operator(), &filter, MOST_FAILED).await?;
            let now = directory.clock().now();
            failed.into_iter().filter(|one| one.expires_at > now).map(|one| one.id).collect()
        }
    };
    let retried = directory.retry_messages(&operator(), ids).await?;
    Ok(changed(&retried, "to be tried again at once"))
}

fn changed(messages: &[Delivery], what: &str) -> Report {
    let mut text = String::new();
    for message in messages {
        text += &format!("{} ({} to {}) is {what}.\n", message.id, message.channel.name(), message.target);
    }
    if messages.is_empty() {
        text += "There is no such message.\n";
    }
    Report::new(text, messages.iter().map(row_json).collect())
}

async fn test(directory: &Directory, config: &Config, args: TestMessage) -> Result<Report, CliError> {
    let TestMessage { channel, to } = args;
    let wrong = |why: Violation| CliError::usage(format!("{to:?} cannot be used: {why}"));
    let channel = match channel {
        TestChannel::Sms => {
            to.parse::<MobileNumber>().map_err(wrong)?;
            Channel::Sms
        }
        TestChannel::Mail => {
            to.parse::<Email>().map_err(wrong)?;
            Channel::Mail
        }
    };
    let service = &config.messages_service;
    let message = NewMessage {
        kind: MessageKind::Notice,
        channel,
        to,
        user: None,
        subject: (channel == Channel::Mail).then(|| format!("A test message of {service}")),
        text: format!("This is a test message of {service}."),
        code: None,
        locale: directory.message_settings().locale,
        expires_at: directory
            .clock()
            .now()
            .plus(TEST_VALID)
            .map_err(|error| CliError::internal(error.to_string()))?,
    };
    let id = directory.queue_message(&operator(), message).await?;
    let text = format!(
        "The message {id} is queued for 10 minutes. A running server sends it; `wardroom outbox show {id}` says what became of \
         it.\n"
    );
    Ok(Report::new(text, json!({ "id": id.as_str() })))
}
