//! The options of an import.

use super::media::AvatarCopy;

/// How to import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Overwrite rows of the account database that differ from the source. Without it they are conflicts.
    pub sync: bool,
    /// Delete what the source no longer holds: users into the recycle bin; imported tokens are revoked. A kind of
    /// record that the source does not hold at all is left alone.
    pub delete_missing: bool,
    /// Let the user with the lowest id keep an address or number that several share; the others lose it.
    pub clear_duplicates: bool,
    /// Where to copy the files of avatars from and to.
    pub media: Option<AvatarCopy>,
}
