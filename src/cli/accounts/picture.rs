//! What a command does with the picture of a user.

use bytes::Bytes;

/// What becomes of a user's picture.
pub(in crate::cli) enum PictureChange {
    /// There is none afterwards.
    None,
    /// The content of this file replaces it.
    New(Bytes),
}
