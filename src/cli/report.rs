//! The result of a command, as text and as JSON, or its error with an exit code.

use serde_json::{Value, json};

use super::reopened;
use super::terminal::{Prose, Terminal, TextTable, printable};
use crate::config::ConfigError;
use crate::directory::model::{DeletedGroup, DeletedUser, User, UserId};
use crate::directory::transfer::import::error::ImportError;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Error, OpenError};
use crate::switchover::parity::ParityError;

/// A command's result.
pub(super) struct Report {
    body: Vec<ReportPart>,
    json: Value,
    pub(super) code: u8,
    /// Whether it cannot be shown again, such as the key of a token.
    pub(super) once: bool,
    /// Whether it may be long, so that a pager shows it.
    pub(super) is_long: bool,
    /// What standard error says before the result, unless that is JSON.
    pub(super) notice: String,
    /// What standard error says about a list that does not show all rows.
    pub(super) cut: Option<CutNotice>,
}

/// A part of the text of a result.
pub(super) enum ReportPart {
    /// Printed as it is.
    Text(String),
    /// Lines that are broken where the terminal ends.
    Prose(Prose),
    Table(TextTable),
}

impl ReportPart {
    fn render(&self, terminal: &Terminal) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Prose(prose) => prose.render(terminal),
            Self::Table(table) => table.render(terminal),
        }
    }
}

impl Report {
    /// Creates a result in both forms. The text ends with a newline, or is empty.
    pub(super) fn new(text: impl Into<String>, json: Value) -> Self {
        Self::of_parts(vec![ReportPart::Text(text.into())], json)
    }

    /// Creates a result from tables and lines that fit the terminal.
    pub(super) fn of_parts(body: Vec<ReportPart>, json: Value) -> Self {
        Self { body, json, code: 0, once: false, is_long: false, notice: String::new(), cut: None }
    }

    /// Marks the result as one that cannot be shown again.
    pub(super) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Adds what standard error says before the result. It ends with a newline.
    pub(super) fn noting(self, notice: String) -> Self {
        Self { notice, ..self }
    }

    /// Marks the result as one that may be long.
    pub(super) fn long(self) -> Self {
        Self { is_long: true, ..self }
    }

    /// Adds a line.
    pub(super) fn adding(mut self, line: &str) -> Self {
        self.body.push(ReportPart::Text(line.to_owned()));
        self
    }

    /// Creates a result that prints nothing.
    pub(super) fn silent() -> Self {
        Self::new("", Value::Null)
    }

    /// Creates a list that fits the terminal. If rows are missing, standard error says so.
    pub(super) fn list(table: TextTable, json: Vec<Value>, cut: Option<CutNotice>) -> Self {
        Self { cut, ..Self::of_parts(vec![ReportPart::Table(table)], Value::Array(json)).long() }
    }

    pub(super) fn render(&self, as_json: bool, terminal: &Terminal) -> String {
        match (as_json, &self.json) {
            (true, Value::Null) => String::new(),
            (true, json) => format!("{json:#}\n"),
            (false, _) => self.body.iter().map(|part| part.render(terminal)).collect(),
        }
    }
}

/// What is said about a list that does not show all rows.
pub(super) struct CutNotice {
    shown: usize,
    total: Option<u64>,
    next: String,
}

impl CutNotice {
    /// For a list that is counted, and its rows after an offset.
    pub(super) fn counted(shown: usize, offset: u64, total: Option<u64>) -> Self {
        let end = offset.saturating_add(u64::try_from(shown).unwrap_or(u64::MAX));
        Self { shown, total, next: format!("--offset {end}") }
    }

    /// For a list that is not counted. `next` is the flag that continues it.
    pub(super) fn uncounted(shown: usize, next: String) -> Self {
        Self { shown, total: None, next }
    }

    pub(super) fn render(&self, as_json: bool) -> String {
        let Self { shown, total, next } = self;
        let how_many = match total {
            Some(total) => format!("{shown} of {total} shown"),
            None => format!("{shown} shown; there are more"),
        };
        let message = format!("{how_many}. Add --all to list all of them, or {next} for the next ones.");
        match as_json {
            true => {
                let cut = json!({ "shown": shown, "total": total, "next": next, "message": message });
                format!("{:#}\n", json!({ "cut": cut }))
            }
            false => format!("{message}\n"),
        }
    }
}

/// What most parts of a command return.
pub(super) type CliResult<T> = Result<T, CliError>;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) code: u8,
    kind: &'static str,
    message: String,
    fields: Value,
}

impl CliError {
    fn new(code: u8, kind: &'static str, message: impl Into<String>) -> Self {
        Self { code, kind, message: message.into(), fields: json!({}) }
    }

    /// An error of this program or of the machine.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(1, "failed", message)
    }

    /// The command line is invalid.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(2, "usage", message)
    }

    /// An address to listen on is in use.
    pub(super) fn address_in_use(message: impl Into<String>) -> Self {
        Self::new(6, "address_in_use", message)
    }

    /// Adds a part to the message.
    pub(super) fn adding(self, part: &str) -> Self {
        Self { message: self.message + part, ..self }
    }

    /// Something does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        self.kind == "not_found"
    }

    /// An object has changed since it was read.
    pub(super) fn is_stale(&self) -> bool {
        self.kind == "stale"
    }

    /// A server cannot be reached, or does not answer as it should.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(5, "unreachable", message)
    }

    /// A server refuses the caller.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(4, "denied", message)
    }

    /// A server refuses the input, with the errors of its fields.
    pub(super) fn invalid_fields(message: String, fields: serde_json::Map<String, Value>) -> Self {
        Self { fields: Value::Object(fields), ..Self::invalid(message) }
    }

    /// An error of one of several users.
    pub(super) fn of_users(error: Error, users: &[User]) -> Self {
        Self::of_items(error, &users.iter().map(|user| named(user.id, &user.username)).collect::<Vec<_>>())
    }

    /// An error of one of several deleted users.
    pub(super) fn of_deleted_users(error: Error, users: &[DeletedUser]) -> Self {
        Self::of_items(error, &users.iter().map(|user| named(user.id, &user.username)).collect::<Vec<_>>())
    }

    /// An error of one of several deleted groups.
    pub(super) fn of_deleted_groups(error: Error, groups: &[DeletedGroup]) -> Self {
        let named = |group: &DeletedGroup| format!("group {} ({})", group.id, printable(&group.name));
        Self::of_items(error, &groups.iter().map(named).collect::<Vec<_>>())
    }

    /// Returns the message.
    pub(super) fn into_message(self) -> String {
        self.message
    }

    /// Several objects of a command do not exist, or it is not clear which is meant.
    pub(super) fn not_found(messages: &[String]) -> Self {
        let fields = json!({ "not_found": messages });
        Self { fields, ..Self::new(3, "not_found", messages.join("; ")) }
    }

    /// Something in a command is not allowed. The fields are those of the API.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(4, "invalid", message)
    }

    /// Replaces the numbers of items by what they are called, in an error of one of several items.
    pub(super) fn of_items(error: Error, names: &[String]) -> Self {
        let named = |index: usize| names.get(index).map_or_else(|| format!("item {index}"), Clone::clone);
        match error {
            Error::InvalidItems(items) => {
                let texts: Vec<_> = items
                    .iter()
                    .enumerate()
                    .filter(|(_, errors)| !errors.is_empty())
                    .map(|(index, errors)| format!("{}: {}", named(index), Error::Invalid(errors.clone())))
                    .collect();
                Self::invalid(texts.join("; "))
            }
            Error::DeniedItem { index, denial } => {
                Self::new(4, "denied", format!("{}: {denial}", named(index)))
            }
            other => other.into(),
        }
    }

    pub(super) fn render(&self, as_json: bool, colour: bool) -> String {
        if as_json {
            let error = json!({ "kind": self.kind, "message": self.message, "fields": self.fields });
            return format!("{:#}\n", json!({ "error": error }));
        }
        let [begin, end] = if colour { ["\u{1b}[31m", "\u{1b}[0m"] } else { [""; 2] };
        format!("{begin}wardroom:{end} {}\n", self.message)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(2, "setting", error.to_string())
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        Self::new(5, "database", error.to_string())
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let (code, kind) = match &error {
            Error::NotFound { .. } => (3, "not_found"),
            Error::Invalid(_) => (4, "invalid"),
            Error::InvalidItems(_) => (4, "invalid"),
            Error::Denied(_) | Error::DeniedItem { .. } | Error::TokenEnded | Error::OwnerInactive => {
                (4, "denied")
            }
            Error::Busy { .. } => (5, "busy"),
            Error::Stale(_) => (1, "stale"),
            Error::Unavailable(_) | Error::TooSlow { .. } => (5, "database"),
            Error::MediaUnavailable(_) => (5, "media"),
            Error::MessagesUnavailable(_) => (5, "messages"),
            Error::Unconfirmed(_) => (1, "unconfirmed"),
            Error::Broken { .. } => (1, "failed"),
        };
        let fields = match &error {
            Error::Invalid(faults) => {
                faults.iter().map(|(field, messages)| (field.to_owned(), json!(messages))).collect()
            }
            _ => json!({}),
        };
        let message = match &error {
            Error::NotFound { noun, .. } => format!("{error}{}", where_to_look(noun)),
            error => error.to_string(),
        };
        Self { fields, ..Self::new(code, kind, message) }
    }
}

/// How an error names a user.
fn named(id: UserId, username: &str) -> String {
    format!("user {id} ({})", printable(username))
}

/// Names the command that lists what exists.
fn where_to_look(noun: &str) -> &'static str {
    match noun {
        "user" => "; see `wardroom user list --search TERMS`",
        "deleted user" => "; see `wardroom user deleted`",
        "deleted group" => "; see `wardroom group deleted`",
        "group" => "; see `wardroom group list`",
        "permission" => "; see `wardroom permission list`",
        "token" => "; see `wardroom token list`",
        "message" => "; see `wardroom outbox list`",
        _ => "",
    }
}

impl From<ParityError> for CliError {
    fn from(error: ParityError) -> Self {
        let message = error.to_string();
        match error {
            ParityError::Usage(_) => Self::usage(message),
            ParityError::Unreachable(_) => Self::new(5, "unreachable", message),
            ParityError::Internal(_) => Self::internal(message),
        }
    }
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        let (code, kind) = match error {
            ImportError::Directory(error) => return error.into(),
            ImportError::Unreadable(_) => (5, "source"),
            ImportError::Invalid(_) | ImportError::Conflicts(_) => (4, "invalid"),
            ImportError::Ambiguous(_) => (2, "usage"),
        };
        Self::new(code, kind, error.to_string())
    }
}

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        let (code, kind) = match error {
            TransferError::Directory(inner) => return inner.into(),
            TransferError::Open(inner) => return inner.into(),
            TransferError::Reopens(reopened) => {
                let (message, fields) = reopened::refusal(&reopened);
                return Self { fields, ..Self::new(4, "refused", message) };
            }
            TransferError::Destination(_) => (5, "database"),
            TransferError::Refused(_) => (4, "refused"),
            TransferError::File { .. } | TransferError::Rows { .. } | TransferError::Media(_) => {
                (1, "failed")
            }
            TransferError::Damaged { .. } => (1, "damaged"),
            TransferError::Differs { .. } => (1, "differs"),
            TransferError::Stopped => (1, "stopped"),
        };
        Self::new(code, kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_work_later_has_one_exit_code() {
        let busy = Error::Busy { retry_after: std::time::Duration::from_secs(5) };
        assert_eq!(busy.to_string(), "too many requests are waiting; try again in 5 s");
        assert_eq!(
            (CliError::from(busy).code, CliError::from(Error::Unavailable(String::new())).code),
            (5, 5)
        );
    }
}
