//! Why an upload is refused. The texts say what was met and what to upload instead; callers may use their own.

use std::time::Duration;

use super::kinds::{ForeignKind, SourceKind};

/// The reason why an upload is refused. None of them is a fault of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureRefusal {
    /// The file has no content.
    #[error("The file is empty.")]
    Empty,
    /// The file is larger than the limit.
    #[error("The file has {bytes} bytes; at most {limit} are allowed.")]
    TooManyBytes {
        /// The size of the upload.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The first bytes are those of no known kind.
    #[error("The file is not a picture. Upload a PNG, JPEG, WebP or GIF file.")]
    NotAnImage,
    /// A known kind that is not accepted.
    #[error("{0} files are not accepted. Upload a PNG, JPEG, WebP or GIF file.")]
    KindNotAllowed(ForeignKind),
    /// The file is a picture and something else at the same time.
    #[error("The file is a {kind} picture and also {also}. Upload a file that is only a picture.")]
    Polyglot {
        /// What the first bytes say.
        kind: SourceKind,
        /// What else it is, such as "a PDF document".
        also: &'static str,
    },
    /// The file ends before the picture does.
    #[error("The {0} file is incomplete: it ends in the middle of the picture. Upload the whole file.")]
    Truncated(SourceKind),
    /// The file breaks the rules of its format.
    #[error("The {kind} file is damaged: {reason}. Save the picture again and upload the new file.")]
    Damaged {
        /// The format.
        kind: SourceKind,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A variant of the format that is not read.
    #[error(
        "This variant of {kind} is not accepted: {variant}. Save the picture as an ordinary PNG or JPEG."
    )]
    Unsupported {
        /// The format.
        kind: SourceKind,
        /// The variant.
        variant: &'static str,
    },
    /// Width or height is 0.
    #[error("The picture has {width} x {height} pixels, so there is nothing to show.")]
    NoPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Width or height is over the limit.
    #[error("The picture has {width} x {height} pixels; a side may have at most {limit}.")]
    SideTooLong {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The limit of a side.
        limit: u32,
    },
    /// Width times height is over the limit.
    #[error("The picture has {width} x {height} pixels; at most {limit} pixels are allowed.")]
    TooManyPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The limit of their product.
        limit: u64,
    },
    /// Decoding would need more memory than allowed.
    #[error(
        "Reading the picture takes {needed} bytes of memory; at most {limit} are allowed. Make the picture smaller."
    )]
    TooMuchMemory {
        /// In bytes.
        needed: u64,
        /// In bytes.
        limit: u64,
    },
    /// Decoding would need, or has needed, more CPU time than allowed.
    #[error("Reading the picture takes more than {} s of computing. Save it again, without progressive scans.", limit.as_secs_f32())]
    TooMuchWork {
        /// The limit.
        limit: Duration,
    },
}
