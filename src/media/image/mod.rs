//! Makes an uploaded picture safe: it is checked, decoded within limits and encoded again.
//!
//! [`make_safe`] is the whole path, and a pure function of the bytes and the limits. A server calls it through
//! [`Studio`], a bounded queue with threads of its own.
//!
//! Nothing of the upload reaches the result but its pixels: no metadata, no color profile, no text, no bytes after the end.

mod color;
mod decode;
mod encode;
mod gif;
mod input;
mod jpeg;
mod kinds;
mod limits;
mod meter;
mod png;
mod raster;
mod refusal;
mod safe;
mod sniff;
mod studio;
mod walked;
mod webp;

pub use kinds::{ForeignKind, PictureKind, SourceKind};
pub use limits::PictureLimits;
pub use refusal::PictureRefusal;
pub use safe::{FULL_SIDE, Picture, SQUARES, make_safe};
pub use studio::{Studio, StudioError};
