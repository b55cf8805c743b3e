//! Where passwords are hashed: threads of their own, as many as cores, and a bounded line before them.
//!
//! Not tokio's blocking threads: there may be hundreds of those, and other work waits for them. These
//! run at low priority, so that a wave of sign-ins takes the time that checks of tokens leave. A thread
//! starts when there is work for it, and after a while without any ends and gives its memory back.
//!
//! Nobody can fill the line: a client has at most four places in it and an account two, whatever it is that is hashed.
//! And nobody waits for another's: clients take turns (start-time fair queueing: Goyal, Vin and Cheng, 1996). The
//! first hash of a client goes before the second one of every other that waits.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::argon::Memory;
use crate::directory::error::Error;

/// Hashes that may wait for each thread.
const WAITING_PER_WORKER: usize = 64;
/// Hashes of one client that may wait or be computed.
pub(super) const PLACES_OF_CLIENT: usize = 4;
/// Hashes of one account that may wait or be computed.
pub(super) const PLACES_OF_ACCOUNT: usize = 2;
/// In which a full line is served, as hashes of our own go: 64 of them at 60 to 80 ms.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// In which a client's or account's own places are served.
const RETRY_OWN_AFTER: Duration = Duration::from_secs(1);
/// After which a thread without work ends.
const IDLE: Duration = Duration::from_secs(10);
/// How much a thread steps back: with 10 it gets a tenth of what a busy thread at 0 does.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Whose places a hash takes; what is `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct Share {
    /// The client's network.
    pub(in crate::directory) client: Option<IpAddr>,
    /// A key of the account.
    pub(in crate::directory) account: Option<Vec<u8>>,
}

/// Who holds places.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    Client(IpAddr),
    Account(Vec<u8>),
}

#[derive(Default)]
struct Held {
    places: usize,
    /// The turn of its last hash.
    last_turn: Option<u64>,
}

impl Share {
    fn holders(&self) -> impl Iterator<Item = (Holder, usize)> + use<> {
        let client = self.client.map(|client| (Holder::Client(client), PLACES_OF_CLIENT));
        let account = self.account.clone().map(|account| (Holder::Account(account), PLACES_OF_ACCOUNT));
        client.into_iter().chain(account)
    }
}

/// A place in the line, for one hash.
pub(in crate::directory) struct Place {
    share: Share,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.shared.lock();
        line.free += 1;
        for (holder, _) in self.share.holders() {
            if let Some(held) = line.held.get_mut(&holder) {
                held.places -= 1;
                if held.places == 0 {
                    line.held.remove(&holder);
                }
            }
        }
    }
}

/// A bounded line of work and the threads that do it.
pub(super) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    workers_max: usize,
    line: Mutex<Line>,
    wake: Condvar,
}

#[derive(Default)]
struct Line {
    /// What waits, by its turn and then in the order in which it came.
    jobs: BTreeMap<(u64, u64), Job>,
    /// The turn of the job that was taken last.
    turn: u64,
    /// Jobs that ever came.
    came: u64,
    /// Places that nobody holds.
    free: usize,
    held: HashMap<Holder, Held>,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl Line {
    /// The turn of a job: the present one, or the one after the client's last.
    fn turn_of(&mut self, client: Option<IpAddr>) -> u64 {
        let turn = self.turn;
        let Some(held) = client.and_then(|client| self.held.get_mut(&Holder::Client(client))) else {
            return turn;
        };
        let own = held.last_turn.map_or(turn, |last| turn.max(last.saturating_add(1)));
        held.last_turn = Some(own);
        own
    }
}

impl Queue {
    /// One thread a core, and room for 64 waiting hashes each.
    pub(super) fn new() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self::sized(workers, workers.saturating_mul(WAITING_PER_WORKER))
    }

    pub(super) fn sized(workers_max: usize, waiting_max: usize) -> Self {
        let line = Line { free: workers_max.saturating_add(waiting_max), ..Line::default() };
        Self { shared: Arc::new(Shared { workers_max, line: Mutex::new(line), wake: Condvar::new() }) }
    }

    /// Takes a place in the line; [`Error::Busy`] when it is full, or the client or the account has its share.
    pub(super) fn place(&self, share: Share) -> Result<Place, Error> {
        let mut line = self.shared.lock();
        let has_all =
            |(holder, most): (Holder, usize)| line.held.get(&holder).is_some_and(|held| held.places >= most);
        if share.holders().any(has_all) {
            return Err(Error::Busy { retry_after: RETRY_OWN_AFTER });
        }
        if line.free == 0 {
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        }
        line.free -= 1;
        for (holder, _) in share.holders() {
            line.held.entry(holder).or_default().places += 1;
        }
        Ok(Place { share, shared: Arc::clone(&self.shared) })
    }

    /// Does the work on one of the threads. Work whose caller has gone is not begun.
    pub(super) async fn run<T, F>(&self, place: Place, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Memory) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let client = place.share.client;
        let job = move |memory: &mut Memory| {
            if reply.is_closed() {
                return;
            }
            let made = work(memory);
            // Before the answer, so that whoever has it finds the place free.
            drop(place);
            drop(reply.send(made));
        };
        self.submit(client, Box::new(job))?;
        answer.await.map_err(|error| Error::broken("the thread that hashes passwords failed", error))
    }

    fn submit(&self, client: Option<IpAddr>, job: Job) -> Result<(), Error> {
        let mut line = self.shared.lock();
        let key = (line.turn_of(client), line.came);
        line.came += 1;
        line.jobs.insert(key, job);
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
                let jobs = std::mem::take(&mut line.jobs);
                // They give their places back, which takes the lock.
                drop(line);
                drop(jobs);
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
        let jobs = std::mem::take(&mut line.jobs);
        drop(line);
        drop(jobs);
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
            if let Some(((turn, _), job)) = line.jobs.pop_first() {
                line.turn = turn;
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

    type Running = tokio::task::JoinHandle<Result<(), Error>>;

    fn share(client: u8, account: &str) -> Share {
        Share { client: Some([192, 0, 2, client].into()), account: Some(account.into()) }
    }

    /// Jobs that hold a queue's threads until the sender is dropped.
    fn held(queue: &Arc<Queue>, count: usize) -> (mpsc::Sender<()>, Vec<Running>) {
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let job = |_| {
            let (queue, gate) = (Arc::clone(queue), Arc::clone(&gate));
            let place = queue.place(Share::default()).unwrap();
            let work = move |_: &mut Memory| {
                let _released = gate.lock().unwrap().recv();
            };
            tokio::spawn(async move { queue.run(place, work).await })
        };
        (release, (0..count).map(job).collect())
    }

    /// Waits until so many jobs have come, and so many of them still wait.
    async fn came(queue: &Queue, came: u64, waiting: usize) {
        let is_so = |line: &Line| line.came == came && line.jobs.len() == waiting;
        while !is_so(&queue.shared.lock()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn run<T: Send + 'static>(
        queue: &Queue,
        share: Share,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        queue.run(queue.place(share)?, work).await
    }

    fn wait_of<T>(refused: Result<T, Error>) -> Option<u64> {
        match refused {
            Err(Error::Busy { retry_after }) => Some(retry_after.as_secs()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_full_line_is_refused_and_recovers() {
        let queue = Arc::new(Queue::sized(2, 3));
        let (release, jobs) = held(&queue, 5);
        assert_eq!(wait_of(run(&queue, Share::default(), |_| ()).await), Some(5));
        drop(release);
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!(run(&queue, Share::default(), |_| 7).await.unwrap(), 7);
        assert_eq!(queue.shared.lock().free, 5);
        assert!(queue.shared.lock().workers <= 2);
    }

    /// Guards against one client, or one account, that keeps everybody else from signing in.
    #[tokio::test]
    async fn a_client_has_four_places_and_an_account_two() {
        let queue = Queue::sized(1, 100);
        let mut places = Vec::new();
        for (client, account, wait) in [
            (1, "a", None),
            (1, "a", None),
            (1, "a", Some(1)),
            (2, "a", Some(1)),
            (1, "b", None),
            (1, "c", None),
            (1, "d", Some(1)),
            (2, "d", None),
        ] {
            let place = queue.place(share(client, account)).map(|place| places.push(place));
            assert_eq!(wait_of(place), wait, "{client} {account}");
        }
        assert_eq!(places.len(), 5);
        places.clear();
        let line = queue.shared.lock();
        assert_eq!((line.free, line.held.len()), (101, 0), "nothing is remembered of those who are gone");
    }

    /// Guards against those who come later waiting for all that one client has put in the line.
    #[tokio::test]
    async fn clients_take_turns() {
        let queue = Arc::new(Queue::sized(1, 100));
        let (release, busy) = held(&queue, 1);
        came(&queue, 1, 0).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut jobs = Vec::new();
        for (number, client) in (0..).zip([1, 1, 1, 1, 2, 2, 3]) {
            let (queued, order) = (Arc::clone(&queue), Arc::clone(&order));
            let place = queue.place(share(client, &number.to_string())).unwrap();
            let work = move |_: &mut Memory| order.lock().unwrap().push(client);
            jobs.push(tokio::spawn(async move { queued.run(place, work).await }));
            came(&queue, number + 2, jobs.len()).await;
        }
        drop(release);
        for job in busy.into_iter().chain(jobs) {
            job.await.unwrap().unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 1, 2, 1, 1]);
    }

    #[tokio::test]
    async fn work_whose_caller_has_gone_is_not_begun() {
        let queue = Arc::new(Queue::sized(1, 8));
        let (release, jobs) = held(&queue, 1);
        came(&queue, 1, 0).await;
        let begun = Arc::new(Mutex::new(false));
        let abandoned = {
            let (queue, begun) = (Arc::clone(&queue), Arc::clone(&begun));
            tokio::spawn(
                async move { run(&queue, share(1, "a"), move |_| *begun.lock().unwrap() = true).await },
            )
        };
        came(&queue, 2, 1).await;
        abandoned.abort();
        abandoned.await.unwrap_err();
        drop(release);
        run(&queue, Share::default(), |_| ()).await.unwrap();
        assert!(!*begun.lock().unwrap());
        assert!(queue.shared.lock().held.is_empty(), "its places are free again");
        drop(jobs);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_lives_on() {
        let queue = Queue::sized(1, 1);
        let failed = run(&queue, share(1, "a"), |_| panic!("a fault in a library")).await;
        assert!(matches!(failed, Err::<(), _>(Error::Broken { .. })));
        assert_eq!(run(&queue, share(1, "a"), |_| 7).await.unwrap(), 7);
        assert!(queue.shared.lock().held.is_empty());
    }

    #[tokio::test]
    async fn a_queue_that_ends_gives_up_what_waits() {
        let queue = Arc::new(Queue::sized(1, 8));
        let (release, busy) = held(&queue, 3);
        came(&queue, 3, 2).await;
        let shared = Arc::clone(&queue.shared);
        for job in busy {
            job.abort();
        }
        while Arc::strong_count(&queue) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(queue);
        assert_eq!(shared.lock().jobs.len(), 0);
        drop(release);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_worker_steps_back_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let own = niceness();
        assert_eq!(
            run(&Queue::sized(1, 1), Share::default(), move |_| niceness()).await.unwrap(),
            NICENESS.max(own)
        );
        assert_eq!(niceness(), own);
    }
}
