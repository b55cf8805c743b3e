//! Why a URL cannot be used.

/// What a URL looks like, in words that complete "use ...".
pub(crate) const FORM: &str =
    "postgres://user:password@host:port/name, with special characters in the password as %XX";

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// It is not a URL of PostgreSQL, or it is not clear where its password ends. Nothing of it may be quoted.
    #[error("this is not a PostgreSQL URL: use {FORM}")]
    Malformed,
    /// A part of it is not allowed. The text names the part and says what to write instead.
    #[error("{0}")]
    Refused(String),
}
