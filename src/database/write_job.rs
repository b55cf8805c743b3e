//! Jobs for the writer: a closure, its caller, and the time that the caller waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::DatabaseError;
use super::read_ahead::FirstRead;
use super::tx::Tx;

/// A job whose caller waits for the result.
pub(super) trait WriteJob: Send {
    /// Returns whether it may share a transaction, and so may run twice.
    fn is_shared(&self) -> bool;
    /// Returns the reads that it begins with.
    fn first_reads(&self) -> &[FirstRead];
    /// Returns how long its transaction may still take to begin.
    fn time_to_begin(&self) -> Duration;
    /// Returns how long its caller still waits for a transaction that is blocked.
    fn time_left(&self) -> Duration;
    /// Returns whether it could run in another transaction.
    fn can_begin(&self) -> bool;
    /// Begins it, in a transaction that has begun. From then on its caller waits for the result. Returns false if the
    /// caller has withdrawn it, or if it is too late.
    fn begin(&mut self) -> bool;
    /// Runs the work. Returns whether it succeeded, so that its changes can be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Sends the result to the caller, after the transaction was committed or has failed.
    fn finish(&mut self, committed: Result<(), DatabaseError>);
}

/// Whether a job was begun by the writer or withdrawn by its caller. The first of them decides.
#[derive(Clone, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Decides, unless the other side has decided before.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// How far a job has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JobStage {
    /// Its transaction has not begun.
    Waiting,
    /// Its caller waits for the result, whatever it is.
    Begun,
    /// Its caller has withdrawn it, or its transaction began too late.
    Over,
}

/// A closure, its result, and the channel to its caller.
pub(super) struct PendingWrite<F, T, E> {
    work: F,
    /// The reads that it begins with; `None` if it does not share its transaction.
    first: Option<Vec<FirstRead>>,
    has_run: bool,
    stage: JobStage,
    claim: Claim,
    /// Until when its transaction may begin.
    latest_begin: Instant,
    /// Until when its caller waits for a transaction that is blocked.
    deadline: Instant,
    /// `None` until the work has run.
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<F, T, E> PendingWrite<F, T, E> {
    /// Creates a job whose caller waits for `timeout` from now on. The caller withdraws it by its claim.
    pub(super) fn new(
        work: F,
        first: Option<Vec<FirstRead>>,
        timeout: Duration,
        reply: oneshot::Sender<Result<T, E>>,
    ) -> (Self, Claim) {
        let (now, claim) = (Instant::now(), Claim::default());
        let job = Self {
            work,
            first,
            has_run: false,
            stage: JobStage::Waiting,
            claim: claim.clone(),
            // The rest is for the transaction itself.
            latest_begin: now + timeout * 3 / 4,
            deadline: now + timeout,
            result: None,
            reply: Some(reply),
        };
        (job, claim)
    }
}

impl<F, T, E> WriteJob for PendingWrite<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DatabaseError> + Send,
{
    fn is_shared(&self) -> bool {
        self.first.is_some()
    }

    fn first_reads(&self) -> &[FirstRead] {
        self.first.as_deref().unwrap_or_default()
    }

    fn time_to_begin(&self) -> Duration {
        self.latest_begin.saturating_duration_since(Instant::now())
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn can_begin(&self) -> bool {
        (self.is_shared() || !self.has_run) && Instant::now() < self.latest_begin
    }

    fn begin(&mut self) -> bool {
        // If it runs again, the result of its last run is void.
        self.result = None;
        let is_mine = self.stage == JobStage::Begun || self.claim.take();
        let is_begun = is_mine && Instant::now() < self.latest_begin;
        self.stage = if is_begun { JobStage::Begun } else { JobStage::Over };
        is_begun
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.has_run = true;
        // A panic in one job must not end the thread. The job counts as failed, so its changes are rolled back.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(DatabaseError::Broken("the work of a write panicked".into()).into()));
        self.result.insert(result).is_ok()
    }

    fn finish(&mut self, committed: Result<(), DatabaseError>) {
        let committed = match (self.stage, committed) {
            (JobStage::Begun, committed) => committed,
            // The transaction was that of other jobs.
            (_, Ok(()) | Err(DatabaseError::Unconfirmed(_))) => Err(too_late()),
            (_, failed) => failed,
        };
        let result = self.result.take().unwrap_or_else(|| Err(not_run().into()));
        if let Some(reply) = self.reply.take() {
            // The error of a failed transaction replaces the job's result, which may be a consequence of it. Sending
            // fails when the caller has gone away; then no one needs the result.
            let _ = reply.send(committed.map_err(E::from).and(result));
        }
    }
}

/// The error of a job that the writer dropped.
pub(super) fn not_run() -> DatabaseError {
    DatabaseError::Broken("the work of a write was not run".into())
}

/// The error of a job whose transaction did not begin in time.
pub(super) fn too_late() -> DatabaseError {
    DatabaseError::Unavailable("the write waited too long for its turn: nothing was changed".to_owned())
}
