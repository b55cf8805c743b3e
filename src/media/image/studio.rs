//! The queue of pictures: a bounded queue, and threads of its own at low priority.
//!
//! Two threads check and decode. Both together use at most the decoder memory of the limits: a large picture is decoded
//! alone, small ones side by side. What waits is bounded in number and in bytes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::limits::PictureLimits;
use super::refusal::PictureRefusal;
use super::safe::{Checked, Picture};

/// The number of threads.
const WORKERS: usize = 2;
/// The number of uploads that wait or are worked on.
const PLACES: usize = 64;
/// The bytes of all these uploads together.
const PLACES_BYTES: usize = 24 * 1024 * 1024;
/// The time in which some places are probably free.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The time after which a thread without work ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Decoder memory that is returned to the system at once, in bytes. The allocator keeps what is freed for a while, and with
/// it, pictures one after the other would use twice the limit.
const LARGE: u64 = 8 * 1024 * 1024;
/// The priority of a thread: at 10, it gets a tenth of the CPU time of a busy thread at 0.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The queue of pictures. A clone is the same queue. When the last clone is gone, what waits is given up.
#[derive(Clone)]
pub struct Studio(Arc<StudioOwner>);

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
    Broken(&'static str),
}

type Made = Result<Picture, StudioError>;

struct StudioOwner(Arc<StudioQueue>);

/// What is done with an upload. The tests of the queue put something else here.
type UploadWork = Box<dyn Fn(&StudioQueue, &[u8]) -> Made + Send + Sync>;

struct StudioQueue {
    limits: PictureLimits,
    work_on: UploadWork,
    state: Mutex<StudioState>,
    /// There is work, or the queue was closed.
    work: Condvar,
    /// Decoder memory is free again.
    memory: Condvar,
}

#[derive(Default)]
struct StudioState {
    waiting: VecDeque<Upload>,
    /// The uploads that wait or are worked on.
    places: usize,
    bytes: usize,
    workers: usize,
    idle: usize,
    decoder_memory: u64,
    closed: bool,
}

struct Upload {
    bytes: Bytes,
    reply: oneshot::Sender<Made>,
    /// Released when the upload is dropped.
    _place: QueuePlace,
}

/// A place in the queue.
struct QueuePlace {
    bytes: usize,
    queue: Arc<StudioQueue>,
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.places -= 1;
        state.bytes -= self.bytes;
    }
}

/// A share of the decoder memory.
struct DecoderShare<'a> {
    bytes: u64,
    queue: &'a StudioQueue,
}

impl Drop for DecoderShare<'_> {
    fn drop(&mut self) {
        if self.bytes >= LARGE {
            return_freed_memory();
        }
        self.queue.lock().decoder_memory -= self.bytes;
        self.queue.memory.notify_all();
    }
}

impl Studio {
    /// Makes a queue. Threads start when there is work.
    pub fn new(limits: PictureLimits) -> Self {
        Self::working(limits, Box::new(StudioQueue::make))
    }

    fn working(limits: PictureLimits, work_on: UploadWork) -> Self {
        let state = Mutex::default();
        let queue = StudioQueue { limits, work_on, state, work: Condvar::new(), memory: Condvar::new() };
        Self(Arc::new(StudioOwner(Arc::new(queue))))
    }

    /// The limits that it works with.
    pub fn limits(&self) -> &PictureLimits {
        &self.0.0.limits
    }

    /// Makes an upload safe on one of the threads. If the caller goes away while it waits, the work is not started.
    pub async fn make_safe(&self, bytes: Bytes) -> Made {
        let queue = &self.0.0;
        let (reply, answer) = oneshot::channel();
        let place = queue.reserve(bytes.len())?;
        queue.submit(Upload { bytes, reply, _place: place })?;
        answer.await.unwrap_or(Err(StudioError::Broken("the thread that reads pictures failed")))
    }
}

impl Drop for StudioOwner {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        // Dropping uploads releases their places, which takes the lock.
        drop(state);
        drop(waiting);
        self.0.work.notify_all();
    }
}

impl StudioQueue {
    /// Locks the state. A poisoned lock is fine: no change under it can stop halfway.
    fn lock(&self) -> MutexGuard<'_, StudioState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(self: &Arc<Self>, bytes: usize) -> Result<QueuePlace, StudioError> {
        let limit = self.limits.max_bytes;
        if bytes > limit {
            return Err(PictureRefusal::TooManyBytes { bytes, limit }.into());
        }
        let mut state = self.lock();
        // One upload always fits, whatever the limits are.
        if state.places > 0 && (state.places >= PLACES || state.bytes + bytes > PLACES_BYTES) {
            return Err(StudioError::Full { retry_after: RETRY_AFTER });
        }
        state.places += 1;
        state.bytes += bytes;
        Ok(QueuePlace { bytes, queue: Arc::clone(self) })
    }

    fn submit(self: &Arc<Self>, upload: Upload) -> Result<(), StudioError> {
        let mut state = self.lock();
        state.waiting.push_back(upload);
        if state.idle >= state.waiting.len() || state.workers >= WORKERS {
            self.work.notify_one();
            return Ok(());
        }
        let queue = Arc::clone(self);
        match thread::Builder::new().name("picture".to_owned()).spawn(move || queue.serve()) {
            Ok(_) => state.workers += 1,
            // The other thread will do the work.
            Err(_) if state.workers > 0 => {}
            Err(_) => {
                let waiting = std::mem::take(&mut state.waiting);
                drop(state);
                drop(waiting);
                return Err(StudioError::Broken("no thread could be started"));
            }
        }
        Ok(())
    }

    fn serve(&self) {
        lower_priority();
        while let Some(upload) = self.next() {
            if upload.reply.is_closed() {
                continue;
            }
            // A panic in a decoder is an error for its caller, and does not end the thread.
            let made = catch_unwind(AssertUnwindSafe(|| (self.work_on)(self, &upload.bytes)))
                .unwrap_or(Err(StudioError::Broken("reading the picture failed")));
            let Upload { bytes, reply, _place: place } = upload;
            // Before the reply, so that the place is free when the caller gets it.
            drop((bytes, place));
            drop(reply.send(made));
        }
    }

    fn make(&self, bytes: &[u8]) -> Made {
        let checked = Checked::check(bytes, &self.limits)?;
        let _share = self.decoder_share(checked.memory());
        Ok(checked.make_safe(&self.limits)?)
    }

    /// Waits until so much decoder memory is free. One picture never needs more than there is.
    fn decoder_share(&self, bytes: u64) -> DecoderShare<'_> {
        let mut state = self.lock();
        while state.decoder_memory > 0 && state.decoder_memory + bytes > self.limits.decoder_memory {
            state = self.memory.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.decoder_memory += bytes;
        DecoderShare { bytes, queue: self }
    }

    /// Waits for an upload; `None` if the thread has to end.
    fn next(&self) -> Option<Upload> {
        let mut state = self.lock();
        let mut waited_long = false;
        loop {
            if let Some(upload) = state.waiting.pop_front() {
                return Some(upload);
            }
            if state.closed || waited_long {
                state.workers -= 1;
                return None;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, IDLE_TIMEOUT).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            waited_long = waited.1.timed_out();
        }
    }
}

/// Makes the allocator return what this thread has freed to the system.
#[expect(unsafe_code, reason = "the allocator is a C library")]
fn return_freed_memory() {
    // SAFETY: the function may be called at any time, from any thread, and touches only memory that is free.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Lowers the priority of this thread, where the system supports that and allows it.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(test)]
mod tests;
