//! The queue of password hashes: a bounded queue, and threads of its own, one per core.
//!
//! Tokio's blocking threads are not used: there may be hundreds of them, and other work waits for them. These threads run
//! at low priority, so a wave of sign-ins only takes the time that token checks leave. A thread starts when there is work.
//! It ends, and frees its memory, after a while without work.
//!
//! No client can fill the queue: a client has at most four slots in it and an account two, whatever is hashed. Clients take
//! turns (start-time fair queueing: Goyal, Vin and Cheng, 1996): the first waiting hash of a client goes before the second
//! one of every other client.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::argon::HashMemory;
use crate::directory::error::Error;

/// The number of hashes that may wait per thread.
const WAITING_PER_WORKER: usize = 64;
/// The number of hashes of one client that may wait or be computed.
pub(super) const SLOTS_PER_CLIENT: usize = 4;
/// The number of hashes of one account that may wait or be computed.
pub(super) const SLOTS_PER_ACCOUNT: usize = 2;
/// The time in which a full queue of our own hashes is computed: 64 at 60 to 80 ms.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The time in which the slots of a client or account are free again.
const RETRY_OWN_AFTER: Duration = Duration::from_secs(1);
/// The time after which a thread without work ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The priority of a thread: at 10, it gets a tenth of the CPU time of a busy thread at 0.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type HashJob = Box<dyn FnOnce(&mut HashMemory) + Send>;

/// The client and the account that a hash is computed for. `None` is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::directory) struct QueueClient {
    /// The client's network.
    pub(in crate::directory) client: Option<IpAddr>,
    /// A key of the account.
    pub(in crate::directory) account: Option<Vec<u8>>,
}

/// What slots are counted for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum SlotHolder {
    Client(IpAddr),
    Account(Vec<u8>),
}

#[derive(Default)]
struct HeldSlots {
    slots: usize,
    /// The turn of its last hash.
    last_turn: Option<u64>,
}

impl QueueClient {
    fn holders(&self) -> impl Iterator<Item = (SlotHolder, usize)> + use<> {
        let client = self.client.map(|client| (SlotHolder::Client(client), SLOTS_PER_CLIENT));
        let account = self.account.clone().map(|account| (SlotHolder::Account(account), SLOTS_PER_ACCOUNT));
        client.into_iter().chain(account)
    }
}

/// A slot in the queue for one hash. It is released when it is dropped.
pub(in crate::directory) struct QueueSlot {
    client: QueueClient,
    workers: Arc<QueueWorkers>,
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        let mut queue = self.workers.lock();
        queue.free += 1;
        for (holder, _) in self.client.holders() {
            if let Some(held) = queue.held.get_mut(&holder) {
                held.slots -= 1;
                if held.slots == 0 {
                    queue.held.remove(&holder);
                }
            }
        }
    }
}

/// A bounded queue of hashes, and the threads that compute them.
pub(super) struct Queue {
    workers: Arc<QueueWorkers>,
}

struct QueueWorkers {
    max: usize,
    queue: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// The waiting jobs, by their turn and then in the order of their arrival.
    jobs: BTreeMap<(u64, u64), HashJob>,
    /// The turn of the job that was started last.
    turn: u64,
    /// The number of jobs that ever arrived.
    arrived: u64,
    /// The number of free slots.
    free: usize,
    held: HashMap<SlotHolder, HeldSlots>,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl QueueState {
    /// Returns the turn of a job: the present one, or the one after the client's last.
    fn turn_of(&mut self, client: Option<IpAddr>) -> u64 {
        let turn = self.turn;
        let Some(held) = client.and_then(|client| self.held.get_mut(&SlotHolder::Client(client))) else {
            return turn;
        };
        let own = held.last_turn.map_or(turn, |last| turn.max(last.saturating_add(1)));
        held.last_turn = Some(own);
        own
    }
}

impl Queue {
    /// Creates a queue with one thread per core and 64 waiting hashes per thread.
    pub(super) fn new() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self::sized(workers, workers.saturating_mul(WAITING_PER_WORKER))
    }

    pub(super) fn sized(workers_max: usize, waiting_max: usize) -> Self {
        let queue = QueueState { free: workers_max.saturating_add(waiting_max), ..QueueState::default() };
        Self {
            workers: Arc::new(QueueWorkers {
                max: workers_max,
                queue: Mutex::new(queue),
                wake: Condvar::new(),
            }),
        }
    }

    /// Reserves a slot; [`Error::Busy`] if the queue is full, or the client or the account has no slot left.
    pub(super) fn reserve(&self, client: QueueClient) -> Result<QueueSlot, Error> {
        let mut queue = self.workers.lock();
        let is_at_limit = |(holder, max): (SlotHolder, usize)| {
            queue.held.get(&holder).is_some_and(|held| held.slots >= max)
        };
        if client.holders().any(is_at_limit) {
            return Err(Error::Busy { retry_after: RETRY_OWN_AFTER });
        }
        if queue.free == 0 {
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        }
        queue.free -= 1;
        for (holder, _) in client.holders() {
            queue.held.entry(holder).or_default().slots += 1;
        }
        Ok(QueueSlot { client, workers: Arc::clone(&self.workers) })
    }

    /// Runs the work on one of the threads. If its caller has gone, it is not started.
    pub(super) async fn run<T, F>(&self, slot: QueueSlot, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut HashMemory) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let client = slot.client.client;
        let job = move |memory: &mut HashMemory| {
            if reply.is_closed() {
                return;
            }
            let result = work(memory);
            // Before the reply, so that the slot is free when the caller gets it.
            drop(slot);
            drop(reply.send(result));
        };
        self.submit(client, Box::new(job))?;
        answer.await.map_err(|error| Error::broken("the thread that hashes passwords failed", error))
    }

    fn submit(&self, client: Option<IpAddr>, job: HashJob) -> Result<(), Error> {
        let mut queue = self.workers.lock();
        let key = (queue.turn_of(client), queue.arrived);
        queue.arrived += 1;
        queue.jobs.insert(key, job);
        if queue.idle >= queue.jobs.len() || queue.workers >= self.workers.max {
            self.workers.wake.notify_one();
            return Ok(());
        }
        let workers = Arc::clone(&self.workers);
        match thread::Builder::new().name("password".to_owned()).spawn(move || workers.serve()) {
            Ok(_) => queue.workers += 1,
            // The other threads will run the job.
            Err(_) if queue.workers > 0 => {}
            Err(error) => {
                let jobs = std::mem::take(&mut queue.jobs);
                // Dropping jobs releases their slots, which takes the lock.
                drop(queue);
                drop(jobs);
                return Err(Error::broken("no thread for hashing a password", error));
            }
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut queue = self.workers.lock();
        queue.closed = true;
        let jobs = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(jobs);
        self.workers.wake.notify_all();
    }
}

impl QueueWorkers {
    /// Locks the queue. A poisoned lock is fine: no change under it can stop halfway.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        lower_priority();
        let mut memory = HashMemory::default();
        while let Some(job) = self.next() {
            // A panic in a hashing library is an error for its caller, and does not end the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
        }
    }

    /// Waits for a job; `None` if the thread has to end.
    fn next(&self) -> Option<HashJob> {
        let mut queue = self.lock();
        let mut waited_long = false;
        loop {
            if let Some(((turn, _), job)) = queue.jobs.pop_first() {
                queue.turn = turn;
                return Some(job);
            }
            if queue.closed || waited_long {
                queue.workers -= 1;
                return None;
            }
            queue.idle += 1;
            let waited = self.wake.wait_timeout(queue, IDLE_TIMEOUT).unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            queue.idle -= 1;
            waited_long = waited.1.timed_out();
        }
    }
}

/// Lowers the priority of this thread, where the system supports that and allows it.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    type RunningJob = tokio::task::JoinHandle<Result<(), Error>>;

    fn client_of(client: u8, account: &str) -> QueueClient {
        QueueClient { client: Some([192, 0, 2, client].into()), account: Some(account.into()) }
    }

    /// Jobs that block the threads of a queue until the sender is dropped.
    fn held(queue: &Arc<Queue>, count: usize) -> (mpsc::Sender<()>, Vec<RunningJob>) {
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let job = |_| {
            let (queue, gate) = (Arc::clone(queue), Arc::clone(&gate));
            let slot = queue.reserve(QueueClient::default()).unwrap();
            let work = move |_: &mut HashMemory| {
                let _released = gate.lock().unwrap().recv();
            };
            tokio::spawn(async move { queue.run(slot, work).await })
        };
        (release, (0..count).map(job).collect())
    }

    /// Waits until this many jobs have arrived, and this many are still waiting.
    async fn arrived(queue: &Queue, arrived: u64, waiting: usize) {
        let is_so = |state: &QueueState| state.arrived == arrived && state.jobs.len() == waiting;
        while !is_so(&queue.workers.lock()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn run<T: Send + 'static>(
        queue: &Queue,
        client: QueueClient,
        work: impl FnOnce(&mut HashMemory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        queue.run(queue.reserve(client)?, work).await
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
        assert_eq!(wait_of(run(&queue, QueueClient::default(), |_| ()).await), Some(5));
        drop(release);
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!(run(&queue, QueueClient::default(), |_| 7).await.unwrap(), 7);
        assert_eq!(queue.workers.lock().free, 5);
        assert!(queue.workers.lock().workers <= 2);
    }

    /// One client or one account must not keep others from signing in.
    #[tokio::test]
    async fn a_client_has_four_places_and_an_account_two() {
        let queue = Queue::sized(1, 100);
        let mut slots = Vec::new();
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
            let slot = queue.reserve(client_of(client, account)).map(|slot| slots.push(slot));
            assert_eq!(wait_of(slot), wait, "{client} {account}");
        }
        assert_eq!(slots.len(), 5);
        slots.clear();
        let queue = queue.workers.lock();
        assert_eq!((queue.free, queue.held.len()), (101, 0), "nothing is kept about clients without slots");
    }

    /// A later client must not wait for everything that one client has queued.
    #[tokio::test]
    async fn clients_take_turns() {
        let queue = Arc::new(Queue::sized(1, 100));
        let (release, busy) = held(&queue, 1);
        arrived(&queue, 1, 0).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut jobs = Vec::new();
        for (number, client) in (0..).zip([1, 1, 1, 1, 2, 2, 3]) {
            let (queued, order) = (Arc::clone(&queue), Arc::clone(&order));
            let slot = queue.reserve(client_of(client, &number.to_string())).unwrap();
            let work = move |_: &mut HashMemory| order.lock().unwrap().push(client);
            jobs.push(tokio::spawn(async move { queued.run(slot, work).await }));
            arrived(&queue, number + 2, jobs.len()).await;
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
        arrived(&queue, 1, 0).await;
        let begun = Arc::new(Mutex::new(false));
        let abandoned = {
            let (queue, begun) = (Arc::clone(&queue), Arc::clone(&begun));
            tokio::spawn(async move {
                run(&queue, client_of(1, "a"), move |_| *begun.lock().unwrap() = true).await
            })
        };
        arrived(&queue, 2, 1).await;
        abandoned.abort();
        abandoned.await.unwrap_err();
        drop(release);
        run(&queue, QueueClient::default(), |_| ()).await.unwrap();
        assert!(!*begun.lock().unwrap());
        assert!(queue.workers.lock().held.is_empty(), "its slots are free again");
        drop(jobs);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_lives_on() {
        let queue = Queue::sized(1, 1);
        let failed = run(&queue, client_of(1, "a"), |_| panic!("a fault in a library")).await;
        assert!(matches!(failed, Err::<(), _>(Error::Broken { .. })));
        assert_eq!(run(&queue, client_of(1, "a"), |_| 7).await.unwrap(), 7);
        assert!(queue.workers.lock().held.is_empty());
    }

    #[tokio::test]
    async fn a_queue_that_ends_gives_up_what_waits() {
        let queue = Arc::new(Queue::sized(1, 8));
        let (release, busy) = held(&queue, 3);
        arrived(&queue, 3, 2).await;
        let shared = Arc::clone(&queue.workers);
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
            run(&Queue::sized(1, 1), QueueClient::default(), move |_| niceness()).await.unwrap(),
            NICENESS.max(own)
        );
        assert_eq!(niceness(), own);
    }
}
