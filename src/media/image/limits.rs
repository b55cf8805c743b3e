//! What one upload may cost. The values are settings (`avatar_*`).

use std::time::Duration;

/// The limits of one upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureLimits {
    /// The size of the upload, in bytes.
    pub max_bytes: usize,
    /// The longest side, in pixels.
    pub max_side: u32,
    /// Width times height.
    pub max_pixels: u64,
    /// The memory for decoding, in bytes. All threads of a [`super::Studio`] share it.
    pub decoder_memory: u64,
    /// The CPU time for all of the work on one picture.
    pub cpu_time: Duration,
}

impl Default for PictureLimits {
    /// The defaults of the settings.
    fn default() -> Self {
        Self {
            max_bytes: 5 * 1024 * 1024,
            max_side: 8192,
            max_pixels: 25_000_000,
            decoder_memory: 128 * 1024 * 1024,
            cpu_time: Duration::from_secs(2),
        }
    }
}
