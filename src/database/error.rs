//! One error type for both databases.
//!
//! A violated constraint keeps the text that names it: the constraint's name on PostgreSQL, `table.column` on SQLite.
//! Callers that know their tables map it to an error of their own.

use rusqlite::ErrorCode;
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::postgres::{ServerMessage, is_refused_option, is_tls};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    /// The database is unreachable, busy, full or read-only. The same statement may succeed later.
    Unavailable(String),
    /// The database ended the transaction or the connection for a reason that passes, such as a deadlock or a failover.
    /// Nothing was changed. The same transaction may succeed at once.
    Transient(String),
    /// A commit was sent, and the database did not confirm it: the changes may be durable, or undone.
    Unconfirmed(String),
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
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationAborted
            | ErrorCode::SchemaChanged
            | ErrorCode::FileLockingProtocolFailed => Self::Unavailable(error.to_string()),
            _ => Self::Broken(error.into()),
        }
    }
}

/// Returns the error of a commit on SQLite. If the disk failed, the log may contain the commit or not.
pub(super) fn of_sqlite_commit(error: rusqlite::Error) -> DatabaseError {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => DatabaseError::Unconfirmed(error.to_string()),
        _ => error.into(),
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // The server did not answer: the connection was lost, or it could not be opened. The only local error is
            // a value that does not fit its column, which is a bug.
            return if !is_tls(&error) && (error.is_closed() || is_io(&error)) {
                Self::Transient(describe(&error))
            } else {
                Self::Broken(Box::new(ServerMessage::of(&error)))
            };
        };
        let code = db.code().code();
        if is_transient(code) && !is_refused_option(db) {
            return Self::Transient(format!("{} (SQLSTATE {code})", db.message()));
        }
        // SQLSTATE classes: 23 integrity; 53 resources, 55 state of an object, such as a lock that is not available,
        // 57 operator intervention, 58 system.
        match code.get(..2) {
            Some("23") => Self::Constraint(db.constraint().unwrap_or_default().to_owned()),
            Some("53" | "55" | "57" | "58") => Self::Unavailable(describe(&error)),
            _ if is_read_only(db) => Self::Unavailable(describe(&error)),
            _ => Self::Broken(Box::new(ServerMessage::of(&error))),
        }
    }
}

/// Returns whether the database ended a transaction or a connection for a reason that passes: class 40 (deadlock,
/// serialization failure), class 08 (connection), time limits for idle sessions, a shutdown or a failover, and a
/// prepared statement that a pooler has lost.
fn is_transient(code: &str) -> bool {
    const CODES: [&str; 7] = ["25P03", "25P04", "26000", "57P01", "57P02", "57P03", "57P05"];
    code.starts_with("40") || code.starts_with("08") || CODES.contains(&code)
}

/// Returns whether the server accepts no writes. A standby refuses to begin a transaction that may write with the code of
/// something that it cannot do at all; the routine of the server says that it is a setting.
fn is_read_only(db: &DbError) -> bool {
    db.code() == &SqlState::READ_ONLY_SQL_TRANSACTION
        || (db.code() == &SqlState::FEATURE_NOT_SUPPORTED && db.routine() == Some("call_bool_check_hook"))
}

/// Returns the error of a commit on PostgreSQL. Only an error of the statement itself, or of a session that was ended
/// because it was idle, says that nothing was committed. A session that was ended for another reason may have committed
/// before.
pub(super) fn of_postgres_commit(error: tokio_postgres::Error) -> DatabaseError {
    const UNKNOWN: [&str; 2] = ["08007", "40003"];
    let is_undone = error.as_db_error().is_some_and(|db| {
        let code = db.code().code();
        code == "25P03" || (db.parsed_severity() == Some(Severity::Error) && !UNKNOWN.contains(&code))
    });
    if is_undone { error.into() } else { DatabaseError::Unconfirmed(describe(&error)) }
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
