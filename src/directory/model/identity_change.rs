//! A change that ends cached identities, as the feed `identity_changes` records it.

/// A change, as far as it concerns identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityChange {
    /// Of this user: its row, groups, rights or tokens.
    User(i64),
    /// A token of this user was added or replaced: keys that were unknown may be known now.
    Token(i64),
    /// Of many users at once.
    All,
}
