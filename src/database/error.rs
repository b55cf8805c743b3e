//! One error type for both databases.
//!
//! A violated constraint keeps the text that names it: the constraint's name on PostgreSQL, `table.column` on SQLite.
//! Callers that know their tables map it to an error of their own.

use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

use super::postgres::{ServerMessage, is_refused_option, is_tls};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    /// The database is unreachable, busy, full or read-only. The same statement may succeed later.
    Unavailable(String),
    /// The database file is damaged, or it is not a database.
    Damaged(String),
    /// The row violates a constraint. The text is the database's name for it.
    Constraint(String),
    /// A bug in this program, or unexpected content in the database.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl DatabaseError {
    /// Reports a stored value that cannot be converted.
    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self::Broken(format!("the stored {what} is invalid").into())
    }

    /// Reports a read that was stopped before it was complete.
    pub(crate) fn stopped() -> Self {
        Self::Unavailable("the read took too long and was stopped".to_owned())
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Broken(error.into());
        };
        match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
            ErrorCode::ConstraintViolation => Self::Constraint(message.clone().unwrap_or_default()),
            ErrorCode::OperationInterrupted => Self::stopped(),
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::FileLockingProtocolFailed => Self::Unavailable(error.to_string()),
            _ => Self::Broken(error.into()),
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // The server did not answer: the connection was lost, or it could not be opened. The only local error is
            // a value that does not fit its column, which is a bug.
            return if !is_tls(&error) && (error.is_closed() || is_io(&error)) {
                Self::Unavailable(describe(&error))
            } else {
                Self::Broken(Box::new(ServerMessage::of(&error)))
            };
        };
        let code = db.code();
        // SQLSTATE classes: 23 integrity; 08 connection, 53 resources, 57 operator intervention, 58 system.
        match code.code().get(..2) {
            Some("23") => Self::Constraint(db.constraint().unwrap_or_default().to_owned()),
            Some("08" | "53" | "57" | "58") if !is_refused_option(db) => Self::Unavailable(describe(&error)),
            _ if [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::READ_ONLY_SQL_TRANSACTION].contains(&code) => {
                Self::Unavailable(describe(&error))
            }
            _ => Self::Broken(Box::new(ServerMessage::of(&error))),
        }
    }
}

/// Describes an error so that an operator can act on it: the server's message, or the cause of a lost connection.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    ServerMessage::of(error).to_string()
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |source| source.source())
        .any(|source| source.is::<std::io::Error>())
}

impl From<deadpool_postgres::PoolError> for DatabaseError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            // If no connection can be opened, the database is unavailable, whatever the reason.
            deadpool_postgres::PoolError::Backend(error) => Self::Unavailable(describe(&error)),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
