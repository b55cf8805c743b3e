//! What a broken constraint means. The two databases name it differently; both names are mapped here, once.

use crate::database::DatabaseError;
use crate::directory::error::Error;
use crate::directory::model::Violation;

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(why) | DatabaseError::Transient(why) | DatabaseError::Damaged(why) => {
                Self::Unavailable(why)
            }
            DatabaseError::Unconfirmed(why) => Self::Unconfirmed(why),
            DatabaseError::Constraint(name) => constraint(&name),
            DatabaseError::Broken(source) => Self::broken("a statement failed", source),
        }
    }
}

/// (name on PostgreSQL, what SQLite names, what is unique, by which field)
const UNIQUE: [(&str, &str, &str, &str); 8] = [
    ("users_username_unique", "users.username", "user", "username"),
    ("users_mobile_number_unique", "users.mobile_number", "user", "mobile_number"),
    ("users_email_unique", "users.email", "user", "email"),
    ("users_pkey", "users.id", "user", "id"),
    ("groups_name_unique", "groups.name", "group", "name"),
    ("groups_pkey", "groups.id", "group", "id"),
    ("permissions_code_unique", "permissions.code", "permission", "code"),
    ("permissions_name_unique", "permissions.name", "permission", "name"),
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
