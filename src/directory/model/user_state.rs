//! A user with everything that a change can write.

use super::User;

/// A user with the codes of the permissions attached to it: everything that a change can write, except the password.
pub(in crate::directory) struct UserState {
    pub(in crate::directory) user: User,
    /// Codes, ascending.
    pub(in crate::directory) codes: Vec<i64>,
}
