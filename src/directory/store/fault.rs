//! ValidationErrors of the two databases, brought to one form.
//!
//! A broken constraint is told by its name on PostgreSQL and by `table.column` on SQLite; both are
//! mapped here, once, to what a person did wrong.

use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

use super::long_reads::too_long;
use crate::directory::error::Error;
use crate::directory::model::Violation;

/// Why a statement failed.
#[derive(Debug)]
pub(in crate::directory) enum StoreError {
    /// The database is away, busy, full or read-only: the same statement may succeed later.
    Unavailable(String),
    /// The database's file is not whole, or not a database.
    Damaged(String),
    /// A constraint refused the row; named as the database named it.
    Constraint(String),
    /// A fault of ours, or a damaged database.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    pub(super) fn corrupt(what: &'static str) -> Self {
        Self::Broken(format!("the stored {what} is not one").into())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Self::Broken(error.into());
        };
        match failure.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
            ErrorCode::ConstraintViolation => Self::Constraint(message.clone().unwrap_or_default()),
            ErrorCode::OperationInterrupted => too_long(),
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

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // No answer from the server: the connection is gone, or could not be made. A value that does
            // not fit its column is the one local fault, and a bug.
            return if error.is_closed() || is_io(&error) {
                Self::Unavailable(told(&error))
            } else {
                Self::Broken(error.into())
            };
        };
        let code = db.code();
        // Class 23: integrity; 08, 53, 57, 58: connection, resources, operator, system.
        match code.code().get(..2) {
            Some("23") => Self::Constraint(db.constraint().unwrap_or_default().to_owned()),
            Some("08" | "53" | "57" | "58") => Self::Unavailable(db.message().to_owned()),
            _ if [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::READ_ONLY_SQL_TRANSACTION].contains(&code) => {
                Self::Unavailable(db.message().to_owned())
            }
            // Not its detail, which may quote a row.
            _ => Self::Broken(format!("{} (SQLSTATE {})", db.message(), code.code()).into()),
        }
    }
}

/// What an operator can do something about: the server's own words, or what the system says of the connection.
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return db.message().to_owned();
    }
    let causes = std::iter::successors(std::error::Error::source(error), |source| source.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |source| source.source())
        .any(|source| source.is::<std::io::Error>())
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            // Whatever keeps a connection from being made, the database cannot be asked now.
            deadpool_postgres::PoolError::Backend(error) => Self::Unavailable(told(&error)),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) | StoreError::Damaged(why) => Self::Unavailable(why),
            StoreError::Constraint(name) => constraint(&name),
            StoreError::Broken(source) => Self::broken("a statement failed", source),
        }
    }
}

/// (name on PostgreSQL, what SQLite names, what is unique, by which field)
const UNIQUE: [(&str, &str, &str, &str); 6] = [
    ("users_username_unique", "users.username", "user", "username"),
    ("users_mobile_number_unique", "users.mobile_number", "user", "mobile_number"),
    ("users_email_unique", "users.email", "user", "email"),
    ("users_pkey", "users.id", "user", "id"),
    ("groups_name_unique", "groups.name", "group", "name"),
    ("groups_pkey", "groups.id", "group", "id"),
];

fn constraint(named: &str) -> Error {
    let table_column = named.rsplit(": ").next().unwrap_or(named);
    let known = UNIQUE.iter().find(|(postgres, sqlite, ..)| *postgres == named || *sqlite == table_column);
    match known {
        Some((_, _, noun, field)) => {
            Error::invalid(field, &Violation::Taken { noun, field: (*field).to_owned() })
        }
        None => Error::broken("a constraint refused the row", named.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_constraint_mean_the_same() {
        for name in ["users_email_unique", "UNIQUE constraint failed: users.email"] {
            assert_eq!(constraint(name).to_string(), "email: user with this email already exists.");
        }
        assert!(matches!(constraint("something_else"), Error::Broken { .. }));
    }
}
