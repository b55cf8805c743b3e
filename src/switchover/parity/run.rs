//! Runs a comparison: a few workers take requests from a queue and send each to both servers.
//!
//! Never in here: which requests are sent, or whether a difference is expected.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use http::uri::PathAndQuery;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use super::client::{HttpClient, RemoteServer};
use super::cross_origin::all_differences;
use super::error::ParityError;
use super::keys::Keys;
use super::probe::{Probe, ProbeList};
use super::tally::ParityTally;

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(500);

/// What to compare, and how.
pub struct ComparisonOrder {
    /// The old server.
    pub old: RemoteServer,
    /// Wardroom.
    pub new: RemoteServer,
    /// The paths to request.
    pub paths: Vec<PathAndQuery>,
    /// The origins of pages whose requests a browser would send.
    pub origins: Vec<HeaderValue>,
    /// Whether to leave out `HEAD`, `OPTIONS` and the requests without a valid key.
    pub only_tokens: bool,
    /// JSON fields to ignore.
    pub ignored: Vec<String>,
    /// Whether expected differences count like others.
    pub strict: bool,
    /// How many examples are kept of each difference.
    pub examples: usize,
    /// How many requests to send to each server at once.
    pub workers: usize,
}

/// The progress of a comparison.
pub struct RunProgress {
    /// The requests that both servers received.
    pub requests: u64,
    /// The number of all requests, if it is known.
    pub total: Option<u64>,
    /// Requests with a difference that counts.
    pub different: u64,
    /// The time since the start.
    pub elapsed: Duration,
}

/// Compares two servers. `total` is the number of keys, if it is known. `watch` receives the progress twice a second.
pub async fn compare(
    order: ComparisonOrder,
    keys: Keys,
    total: Option<u64>,
    watch: &dyn Fn(RunProgress),
) -> Result<ParityTally, ParityError> {
    let ComparisonOrder { old, new, paths, origins, only_tokens, ignored, strict, examples, workers } = order;
    let asked = ProbeList { paths, origins, only_tokens };
    let total = total.map(|keys| asked.count(keys));
    let probes = asked.probes(keys);
    let sums = Mutex::new(ParityTally::new(strict, examples));
    let run = Arc::new(Run { old: Arc::new(old), new: Arc::new(new), ignored, sums });
    run.go(probes, workers, total, watch).await?;
    // After an interruption, a worker may still have a reference to the run.
    let sums = std::mem::replace(&mut *run.tally(), ParityTally::new(strict, examples));
    Ok(sums)
}

/// The state that all workers share.
struct Run {
    old: Arc<RemoteServer>,
    new: Arc<RemoteServer>,
    ignored: Vec<String>,
    sums: Mutex<ParityTally>,
}

type ProbeQueue = Receiver<Result<Probe, ParityError>>;

impl Run {
    /// Sends all requests, `workers` at a time. `total` is only for the progress. If a server does not respond to the very
    /// first request, that is the error and nothing else is sent.
    async fn go(
        self: &Arc<Self>,
        probes: impl Iterator<Item = Result<Probe, ParityError>> + Send + 'static,
        workers: usize,
        total: Option<u64>,
        watch: &dyn Fn(RunProgress),
    ) -> Result<(), ParityError> {
        let (feed, mut queue) = mpsc::channel(2 * workers);
        // A thread of its own, because it may wait forever for a line of standard input. It then ends with the process.
        let feeder = std::thread::spawn(move || {
            for probe in probes {
                if feed.blocking_send(probe).is_err() {
                    break;
                }
            }
        });
        if let Some(first) = queue.recv().await {
            self.begin(&first?).await?;
        }
        // From here on, an interrupt still reports what was found so far.
        let mut interrupt = signal(SignalKind::interrupt())
            .map_err(|error| ParityError::Internal(format!("cannot listen for signals: {error}")))?;
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let mut working = JoinSet::new();
        for _ in 0..workers {
            working.spawn(Arc::clone(self).work(Arc::clone(&queue)));
        }
        let ended = tokio::select! {
            ended = finish(working) => ended,
            never = self.report_progress(total, watch) => match never {},
            _ = interrupt.recv() => {
                self.tally().stopped.get_or_insert_with(|| "interrupted".to_owned());
                Ok(())
            }
        };
        ended?;
        // If the reader panicked, not all requests were sent.
        if self.tally().stopped.is_none() && feeder.join().is_err() {
            return Err(ParityError::Internal("cannot read the keys to their end".to_owned()));
        }
        Ok(())
    }

    async fn begin(&self, probe: &Probe) -> Result<(), ParityError> {
        let (mut old, mut new) = (HttpClient::new(&self.old), HttpClient::new(&self.new));
        let (was, is) = tokio::join!(old.send(probe), new.send(probe));
        for (side, server, outcome) in [("old", &self.old, &was), ("new", &self.new, &is)] {
            if let Err(why) = outcome {
                let at = server.base.shown();
                let message = format!("the {side} server, {at}, did not respond to {}: {why}", probe.label());
                return Err(ParityError::Unreachable(message));
            }
        }
        let found = all_differences(probe, &was, &is, &self.ignored);
        self.tally().add(probe, &was, &is, found);
        Ok(())
    }

    async fn work(self: Arc<Self>, queue: Arc<tokio::sync::Mutex<ProbeQueue>>) -> Result<(), ParityError> {
        let (mut old, mut new) = (HttpClient::new(&self.old), HttpClient::new(&self.new));
        while self.tally().stopped.is_none() {
            // A statement of its own, so that the queue is unlocked while the request is sent.
            let next = queue.lock().await.recv().await;
            let Some(probe) = next.transpose()? else { break };
            let (was, is) = tokio::join!(old.send(&probe), new.send(&probe));
            let found = all_differences(&probe, &was, &is, &self.ignored);
            self.tally().add(&probe, &was, &is, found);
        }
        Ok(())
    }

    /// Locks the counts so far.
    fn tally(&self) -> MutexGuard<'_, ParityTally> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the progress until it is dropped.
    async fn report_progress(&self, total: Option<u64>, watch: &dyn Fn(RunProgress)) -> Infallible {
        let started = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            // Unlock the counts before writing: a terminal may be slow, and every worker needs them.
            let (requests, different) = {
                let sums = self.tally();
                (sums.requests, sums.different)
            };
            watch(RunProgress { requests, total, different, elapsed: started.elapsed() });
        }
    }
}

/// Waits for all workers. The first error ends them all.
async fn finish(mut working: JoinSet<Result<(), ParityError>>) -> Result<(), ParityError> {
    while let Some(ended) = working.join_next().await {
        ended.map_err(|error| ParityError::Internal(format!("a worker failed: {error}")))??;
    }
    Ok(())
}
