//! The URL of a PostgreSQL database: which parameters it may have, and what they mean.
//!
//! A parameter that would be ignored, or that would protect less than it says, is refused by name. No message contains a
//! password. Never in here: opening a connection or a file.

mod error;
mod hosts;
mod parameters;
mod protection;
#[cfg(test)]
mod tests;
mod tls_options;
mod url;

pub(crate) use self::error::{FORM, UrlError};
pub(crate) use self::protection::Protection;
pub(crate) use self::tls_options::TlsOptions;
pub(crate) use self::url::PostgresUrl;
