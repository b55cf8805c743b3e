//! The threads that connections live on. Each has a runtime of its own, and a connection stays where it is
//! put, so that answering a request wakes no other thread: with one runtime for all threads, which hands work
//! from one to another, the same machine answers two thirds as many requests.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that take connections in turn. They end when this is dropped.
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    #[expect(dead_code, reason = "each thread waits for the end of its sender")]
    ends: Vec<oneshot::Sender<()>>,
}

impl Workers {
    /// Starts so many threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let (mut handles, mut ends) = (Vec::new(), Vec::new());
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let (end, ended) = oneshot::channel();
            ends.push(end);
            thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                // The sender is dropped to say "end".
                let _ = runtime.block_on(ended);
            })?;
        }
        Ok(Self { handles, next: AtomicUsize::new(0), ends })
    }

    /// No threads: connections live on the runtime that accepts them.
    pub fn none() -> Self {
        Self { handles: Vec::new(), next: AtomicUsize::new(0), ends: Vec::new() }
    }

    /// The one whose turn it is.
    pub(super) fn next(&self) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.handles.len());
        turn.and_then(|turn| self.handles.get(turn)).cloned().unwrap_or_else(Handle::current)
    }
}
