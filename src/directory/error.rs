//! What can go wrong in the directory, in the directory's own words.
//!
//! No status codes here: `http::error` turns these into answers, the CLI into sentences and exit codes.

use std::time::Duration;

use super::model::{Faults, Rule};

/// Why a use case did not do what it was asked. Whatever the reason, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule; every broken one is told.
    #[error("{}", sentence(.0))]
    Invalid(Faults),
    /// Some of many items break rules: the faults of each, by its place, and none for the good ones.
    #[error("{}", by_place(.0))]
    InvalidItems(Vec<Faults>),
    /// The actor may not do this to one of many items.
    #[error("item {index}: {denial}")]
    DeniedItem {
        /// Its place, from 0.
        index: usize,
        /// Why.
        denial: Denial,
    },
    /// There is no such thing, or none that the actor may see.
    #[error("there is no {noun} {wanted}")]
    NotFound {
        /// What was looked for, such as `user`.
        noun: &'static str,
        /// By what it was looked for.
        wanted: String,
    },
    /// The object is no longer in the state that the actor has seen.
    #[error("the {0} has changed since it was read: read it again")]
    Stale(&'static str),
    /// The actor may not do this.
    #[error("{0}")]
    Denied(Denial),
    /// The token that the actor came with has ended since the request began: it was revoked, it expired, or its
    /// owner was deleted.
    #[error("Invalid token.")]
    TokenEnded,
    /// The actor was deactivated since the request began.
    #[error("User inactive or deleted.")]
    OwnerInactive,
    /// The database cannot be asked now; the same request may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Too many are waiting for the same work already.
    #[error("too many requests are waiting; try again in {} s", .retry_after.as_secs())]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something that is brought in from elsewhere cannot be read or taken.
    #[error(transparent)]
    Import(#[from] super::transfer::import::ImportError),
    /// A fault of ours or of the machine. The text is for the log, never for a client.
    #[error("{what}: {source}")]
    Broken {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why an actor may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// It lacks the right.
    #[error("You do not have permission to perform this action.")]
    NoRight,
    /// Only an admin may make or change an admin.
    #[error("Only an admin may make or change an admin.")]
    AdminsOnly,
    /// Nobody may raise their own rights.
    #[error("You cannot change your own rights.")]
    OwnRights,
    /// A right can only be handed on, or acted with, by somebody who holds it.
    #[error("You cannot hand on, take away or act with a right that you do not hold.")]
    NotYours,
    /// Somebody has to be left who can do everything.
    #[error("The last active admin cannot be removed, demoted or deactivated.")]
    LastAdmin,
}

impl Error {
    /// A fault that is nobody's input.
    pub fn broken(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken { what, source: source.into() }
    }

    /// One broken rule of one field.
    pub fn invalid(field: &str, rule: &Rule) -> Self {
        Self::Invalid(Faults::of(field, rule))
    }

    /// The same about a field that has another name where it was asked for.
    #[must_use]
    pub fn of_field(self, field: &str, there: &str) -> Self {
        match self {
            Self::Invalid(faults) => Self::Invalid(faults.renamed(field, there)),
            other => other,
        }
    }

    /// Nothing there by that name or id.
    pub fn not_found(noun: &'static str, wanted: impl ToString) -> Self {
        Self::NotFound { noun, wanted: wanted.to_string() }
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

fn by_place(items: &[Faults]) -> String {
    let faulty = items.iter().enumerate().filter(|(_, faults)| !faults.is_empty());
    let told: Vec<_> = faulty.map(|(place, faults)| format!("item {place}: {}", sentence(faults))).collect();
    told.join("; ")
}

fn sentence(faults: &Faults) -> String {
    let parts: Vec<_> =
        faults.iter().map(|(field, messages)| format!("{field}: {}", messages.join(" "))).collect();
    parts.join("; ")
}
