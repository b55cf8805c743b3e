//! The queue of pictures: a bounded queue, and threads of its own at low priority.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Picture, PictureLimits, PictureRefusal, make_safe};

/// The queue of pictures. A clone is the same queue.
#[derive(Clone)]
pub struct Studio {
    limits: Arc<PictureLimits>,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StudioError {
    /// The upload is refused (400, or 413 for `TooManyBytes`).
    #[error(transparent)]
    Refused(#[from] PictureRefusal),
    /// Too many uploads are waiting (429 with `Retry-After`).
    #[error("too many pictures are waiting")]
    Full {
        /// When a place will probably be free.
        retry_after: Duration,
    },
    /// A fault of the server: a decoder panicked, or no thread could be started (500). The upload is not to blame, and was
    /// not kept.
    #[error("a picture could not be processed: {0}")]
    Broken(String),
}

impl Studio {
    /// Makes a queue. Threads start when there is work.
    pub fn new(limits: PictureLimits) -> Self {
        Self { limits: Arc::new(limits) }
    }

    /// The limits that it works with.
    pub fn limits(&self) -> &PictureLimits {
        &self.limits
    }

    /// Makes an upload safe on one of the threads. If the caller goes away while it waits, the work is not started.
    pub async fn make_safe(&self, bytes: Bytes) -> Result<Picture, StudioError> {
        Ok(make_safe(&bytes, &self.limits)?)
    }
}
