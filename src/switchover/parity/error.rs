//! Why a comparison could not be made.

use std::fmt;

/// Why two servers could not be compared. Each holds one sentence for the operator.
#[derive(Debug)]
pub enum ParityError {
    /// The keys or the options cannot be used.
    Usage(String),
    /// A server does not respond.
    Unreachable(String),
    /// This program or the machine failed.
    Internal(String),
}

impl fmt::Display for ParityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Unreachable(message) | Self::Internal(message) => {
                f.write_str(message)
            }
        }
    }
}

impl std::error::Error for ParityError {}
