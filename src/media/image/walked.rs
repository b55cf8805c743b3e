//! What the structure of a file says before anything is decoded.

use super::limits::PictureLimits;
use super::refusal::PictureRefusal;

/// The largest color profile that is read, in bytes. Those of screens and cameras have at most a few KiB.
pub(super) const MAX_PROFILE: usize = 64 * 1024;

/// The result of walking through a file.
#[derive(Default)]
pub(super) struct Walked {
    /// In pixels.
    pub(super) width: u32,
    /// In pixels.
    pub(super) height: u32,
    /// A file with the same picture and nothing else: what the decoder reads.
    pub(super) clean: Vec<u8>,
    /// The most memory that decoding takes at once, in bytes, without `clean`.
    pub(super) memory: u64,
    /// An estimate of the CPU time that decoding takes, in nanoseconds, for formats where it does not follow from the size.
    pub(super) work: u64,
    /// Where the picture ends in the upload.
    pub(super) end: usize,
    /// The EXIF data, which begins with the header of TIFF.
    pub(super) exif: Option<Vec<u8>>,
    /// The color profile, if the format stores it uncompressed.
    pub(super) profile: Option<Vec<u8>>,
}

impl Walked {
    /// Width times height.
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Checks the dimensions that a header states.
pub(super) fn check_size(width: u32, height: u32, limits: &PictureLimits) -> Result<(), PictureRefusal> {
    if width == 0 || height == 0 {
        return Err(PictureRefusal::NoPixels { width, height });
    }
    if width.max(height) > limits.max_side {
        return Err(PictureRefusal::SideTooLong { width, height, limit: limits.max_side });
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PictureRefusal::TooManyPixels { width, height, limit: limits.max_pixels });
    }
    Ok(())
}
