//! The errors of use cases.
//!
//! No status codes here: `http::error` turns errors into answers, the CLI into messages and exit codes.

use std::time::Duration;

use super::model::{ValidationErrors, Violation};

/// Why a use case failed. Nothing was changed, whatever the reason, except [`Error::Unconfirmed`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is invalid. All its errors are listed.
    #[error("{}", sentence(.0))]
    Invalid(ValidationErrors),
    /// Some of many items are invalid: the errors of each item by its index, empty for the valid ones.
    #[error("{}", by_index(.0))]
    InvalidItems(Vec<ValidationErrors>),
    /// The actor may not do this to one of many items.
    #[error("item {index}: {denial}")]
    DeniedItem {
        /// Its index, from 0.
        index: usize,
        /// Why.
        denial: Denial,
    },
    /// The object does not exist, or the actor may not see it.
    #[error("there is no {noun} {wanted}")]
    NotFound {
        /// The kind of object, such as `user`.
        noun: &'static str,
        /// What it was looked up by.
        wanted: String,
    },
    /// The object has changed since the actor read it.
    #[error("the {0} has changed since it was read: read it again")]
    Stale(&'static str),
    /// The actor may not do this.
    #[error("{0}")]
    Denied(Denial),
    /// The actor's token has ended since the request began: it was revoked, it expired, its owner was deleted, or it may no
    /// longer be used from there.
    #[error("Invalid token.")]
    TokenEnded,
    /// The actor was deactivated since the request began.
    #[error("User inactive or deleted.")]
    OwnerInactive,
    /// The database is not available now. The same request may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A list took longer than the setting allows. The same list with other filters may take less.
    #[error("{}", too_slow(.filters, *.after))]
    TooSlow {
        /// What it was narrowed and ordered by.
        filters: Vec<&'static str>,
        /// How long it may take.
        after: Duration,
    },
    /// The store of media files is not available now. Nothing but an upload needs it.
    #[error("the store of media files is not available: {0}")]
    MediaUnavailable(String),
    /// No message can be sent: the secrets key or a provider is missing.
    #[error("messages cannot be sent: {0}")]
    MessagesUnavailable(String),
    /// The database did not confirm the change: it may have been made.
    #[error(
        "the database did not confirm the change, which may have been made ({0}): check before you repeat it"
    )]
    Unconfirmed(String),
    /// Too many requests are waiting for the same work.
    #[error("too many requests are waiting; try again in {} s", .retry_after.as_secs())]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A bug or a fault of the machine. The text is for the log, never for a client.
    #[error("{what}: {source}")]
    Broken {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why an actor may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The actor lacks the right.
    #[error("You do not have permission to perform this action.")]
    NoRight,
    /// Only an admin may make or change an admin.
    #[error("Only an admin may make or change an admin.")]
    AdminsOnly,
    /// Users may not change their own rights.
    #[error("You cannot change your own rights.")]
    OwnRights,
    /// Users may not unlock themselves.
    #[error("You cannot unlock yourself: another user who may, or an operator, can.")]
    OwnLock,
    /// Only an actor who holds a right may grant it, revoke it or act with it.
    #[error("You cannot hand on, take away or act with a right that you do not hold.")]
    NotYours,
    /// The person must first prove who they are again.
    #[error("Confirm first that it is you: the last proof is older than 10 minutes.")]
    ProofTooOld,
    /// One active admin must remain.
    #[error("The last active admin cannot be removed, demoted or deactivated.")]
    LastAdmin,
}

impl Error {
    /// An error that no input caused.
    pub fn broken(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken { what, source: source.into() }
    }

    /// One error of one field.
    pub fn invalid(field: &str, violation: &Violation) -> Self {
        Self::Invalid(ValidationErrors::of(field, violation))
    }

    /// Returns why the database is not available, for another [`Error::Unavailable`]: without the words that it puts in
    /// front.
    pub(in crate::directory) fn into_cause(self) -> String {
        match self {
            Self::Unavailable(why) => why,
            other => other.to_string(),
        }
    }

    /// Renames the field, for a caller that knows it by another name.
    #[must_use]
    pub fn of_field(self, field: &str, name: &str) -> Self {
        match self {
            Self::Invalid(errors) => Self::Invalid(errors.renamed(field, name)),
            other => other,
        }
    }

    /// No object has this name or id.
    pub fn not_found(noun: &'static str, wanted: impl ToString) -> Self {
        Self::NotFound { noun, wanted: wanted.to_string() }
    }
}

impl From<ValidationErrors> for Error {
    fn from(errors: ValidationErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

fn too_slow(filters: &[&str], after: Duration) -> String {
    let what = match filters {
        [] => "it reads all users".to_owned(),
        filters => format!("it was narrowed or ordered by {}", filters.join(", ")),
    };
    format!(
        "The list took longer than {} s: {what}. Narrow it further, or leave out its count with count=none.",
        after.as_secs_f64()
    )
}

fn by_index(items: &[ValidationErrors]) -> String {
    let invalid = items.iter().enumerate().filter(|(_, errors)| !errors.is_empty());
    let texts: Vec<_> =
        invalid.map(|(index, errors)| format!("item {index}: {}", sentence(errors))).collect();
    texts.join("; ")
}

fn sentence(errors: &ValidationErrors) -> String {
    let parts: Vec<_> =
        errors.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" "))).collect();
    parts.join("; ")
}
