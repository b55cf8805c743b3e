//! Where passwords are hashed: threads of their own, as many as cores, and a bounded line before them.
//!
//! Not tokio's blocking threads: there may be hundreds of those, and other work waits for them. These
//! run at low priority, so that a wave of sign-ins takes the time that checks of tokens leave. A thread
//! starts when there is work for it, and after a while without any ends and gives its memory back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::argon::Memory;
use crate::directory::error::Error;

/// Hashes that may wait for each thread.
const WAITING_PER_WORKER: usize = 64;
/// In which a full line is served, as hashes of our own go: 64 of them at 60 to 80 ms.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// After which a thread without work ends.
const IDLE: Duration = Duration::from_secs(10);
/// How much a thread steps back: with 10 it gets a tenth of what a busy thread at 0 does.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// A bounded line of work and the threads that do it.
pub(super) struct Queue {
    /// One permit for each job that may run or wait.
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

struct Shared {
    workers_max: usize,
    line: Mutex<Line>,
    wake: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl Queue {
    /// One thread a core, and room for 64 waiting hashes each.
    pub(super) fn new() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self::sized(workers, workers.saturating_mul(WAITING_PER_WORKER))
    }

    /// Refuses as [`Queue::run`] would, as far as one can tell beforehand.
    pub(super) fn check_room(&self) -> Result<(), Error> {
        match self.places.available_permits() {
            0 => Err(Error::Busy { retry_after: RETRY_AFTER }),
            _ => Ok(()),
        }
    }

    pub(super) fn sized(workers_max: usize, waiting_max: usize) -> Self {
        let places = Arc::new(Semaphore::new(workers_max.saturating_add(waiting_max)));
        let (line, wake) = (Mutex::default(), Condvar::new());
        Self { places, shared: Arc::new(Shared { workers_max, line, wake }) }
    }

    /// Does the work on one of the threads, or refuses at once when the line is full. Work whose caller
    /// has gone is not begun.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Memory) -> T + Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_full| Error::Busy { retry_after: RETRY_AFTER })?;
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(move |memory| {
            if reply.is_closed() {
                return;
            }
            let made = work(memory);
            // Before the answer, so that whoever has it finds the place free.
            drop(place);
            drop(reply.send(made));
        }))?;
        answer.await.map_err(|error| Error::broken("the thread that hashes passwords failed", error))
    }

    fn submit(&self, job: Job) -> Result<(), Error> {
        let mut line = self.shared.lock();
        line.jobs.push_back(job);
        if line.idle >= line.jobs.len() || line.workers >= self.shared.workers_max {
            self.shared.wake.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        match thread::Builder::new().name("password".to_owned()).spawn(move || shared.serve()) {
            Ok(_) => line.workers += 1,
            // The others will come to it.
            Err(_) if line.workers > 0 => {}
            Err(error) => {
                line.jobs.clear();
                return Err(Error::broken("no thread for hashing a password", error));
            }
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut line = self.shared.lock();
        line.closed = true;
        line.jobs.clear();
        self.shared.wake.notify_all();
    }
}

impl Shared {
    /// Nothing that is done under this lock can be left half done.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        step_back();
        let mut memory = Memory::default();
        while let Some(job) = self.next() {
            // A fault in a hashing library is its caller's answer, not the end of the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
        }
    }

    /// Waits for work; `None` when the thread shall end.
    fn next(&self) -> Option<Job> {
        let mut line = self.lock();
        let mut waited_long = false;
        loop {
            if let Some(job) = line.jobs.pop_front() {
                return Some(job);
            }
            if line.closed || waited_long {
                line.workers -= 1;
                return None;
            }
            line.idle += 1;
            let waited = self.wake.wait_timeout(line, IDLE).unwrap_or_else(PoisonError::into_inner);
            line = waited.0;
            line.idle -= 1;
            waited_long = waited.1.timed_out();
        }
    }
}

/// Lowers the priority of this thread. Where that is refused or unknown, it works at the normal one.
fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Fills a queue with jobs that hold until the sender is dropped.
    fn held(
        queue: &Arc<Queue>,
        count: usize,
    ) -> (mpsc::Sender<()>, Vec<tokio::task::JoinHandle<Result<(), Error>>>) {
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let job = |_| {
            let (queue, gate) = (Arc::clone(queue), Arc::clone(&gate));
            let work = move |_: &mut Memory| {
                let _released = gate.lock().unwrap().recv();
            };
            tokio::spawn(async move { queue.run(work).await })
        };
        (release, (0..count).map(job).collect())
    }

    #[tokio::test]
    async fn a_full_line_is_refused_and_recovers() {
        let queue = Arc::new(Queue::sized(2, 3));
        let (release, jobs) = held(&queue, 5);
        while queue.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = queue.run(|_| ()).await;
        assert!(matches!(refused, Err(Error::Busy { retry_after }) if retry_after == Duration::from_secs(5)));
        drop(release);
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!(queue.run(|_| 7).await.unwrap(), 7);
        assert_eq!(queue.places.available_permits(), 5);
        assert!(queue.shared.lock().workers <= 2);
    }

    #[tokio::test]
    async fn work_whose_caller_has_gone_is_not_begun() {
        let queue = Arc::new(Queue::sized(1, 8));
        let (release, jobs) = held(&queue, 1);
        while queue.places.available_permits() > 8 {
            tokio::task::yield_now().await;
        }
        let begun = Arc::new(Mutex::new(false));
        let abandoned = {
            let (queue, begun) = (Arc::clone(&queue), Arc::clone(&begun));
            tokio::spawn(async move { queue.run(move |_| *begun.lock().unwrap() = true).await })
        };
        while queue.places.available_permits() > 7 {
            tokio::task::yield_now().await;
        }
        abandoned.abort();
        abandoned.await.unwrap_err();
        drop(release);
        queue.run(|_| ()).await.unwrap();
        assert!(!*begun.lock().unwrap());
        drop(jobs);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_lives_on() {
        let queue = Queue::sized(1, 1);
        let failed = queue.run(|_| panic!("a fault in a library")).await;
        assert!(matches!(failed, Err::<(), _>(Error::Broken { .. })));
        assert_eq!(queue.run(|_| 7).await.unwrap(), 7);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_worker_steps_back_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let own = niceness();
        assert_eq!(Queue::sized(1, 1).run(move |_| niceness()).await.unwrap(), NICENESS.max(own));
        assert_eq!(niceness(), own);
    }
}
