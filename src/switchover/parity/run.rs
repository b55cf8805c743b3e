//! The run: questions go to a few workers, each with a line to both servers; the sums come back.
//!
//! Never in here: what is asked, or what a difference is worth.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use super::client::{Line, Server};
use super::difference::differences;
use super::error::ParityError;
use super::keys::Keys;
use super::question::{self, Question};
use super::tally::Tally;

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(500);

/// What to compare, and how.
pub struct Comparison {
    /// The server of today.
    pub old: Server,
    /// Wardroom.
    pub new: Server,
    /// What is requested of both.
    pub paths: Vec<PathAndQuery>,
    /// Whether requests without a good key, `HEAD` and `OPTIONS` are left out.
    pub only_tokens: bool,
    /// JSON fields that are not compared.
    pub ignored: Vec<String>,
    /// Whether expected differences count like others.
    pub strict: bool,
    /// How many examples are kept of each difference.
    pub examples: usize,
    /// How many requests are under way at once, to each server.
    pub workers: usize,
}

/// How far a run is.
pub struct RunProgress {
    /// Requests answered by both.
    pub requests: u64,
    /// All there will be, if that is known.
    pub total: Option<u64>,
    /// Requests with a difference that counts.
    pub different: u64,
    /// Since the first of them.
    pub elapsed: Duration,
}

/// Compares the two servers with these keys, of which there are `total` if that is known. Progress is reported to
/// `watch` twice a second.
pub async fn compare(
    comparison: Comparison,
    keys: Keys,
    total: Option<u64>,
    watch: &dyn Fn(RunProgress),
) -> Result<Tally, ParityError> {
    let Comparison { old, new, paths, only_tokens, ignored, strict, examples, workers } = comparison;
    let total = total.map(|keys| question::count(paths.len(), keys, only_tokens));
    let questions = question::questions(paths, keys, only_tokens);
    let sums = Mutex::new(Tally::new(strict, examples));
    let run = Arc::new(Run { old: Arc::new(old), new: Arc::new(new), ignored, sums });
    run.go(questions, workers, total, watch).await?;
    // A worker that was interrupted may still hold the run.
    let sums = std::mem::replace(&mut *run.tally(), Tally::new(strict, examples));
    Ok(sums)
}

/// What all workers share.
struct Run {
    old: Arc<Server>,
    new: Arc<Server>,
    ignored: Vec<String>,
    sums: Mutex<Tally>,
}

type Questions = Receiver<Result<Question, ParityError>>;

impl Run {
    /// Asks all questions, `workers` at a time; `total` is for the progress alone. When a server does not answer the
    /// very first one, that is told and nothing else is asked.
    async fn go(
        self: &Arc<Self>,
        questions: impl Iterator<Item = Result<Question, ParityError>> + Send + 'static,
        workers: usize,
        total: Option<u64>,
        watch: &dyn Fn(RunProgress),
    ) -> Result<(), ParityError> {
        let (feed, mut queue) = mpsc::channel(2 * workers);
        // A thread of its own: it may wait for ever for a line of standard input, and then ends with the process.
        let feeder = std::thread::spawn(move || {
            for question in questions {
                if feed.blocking_send(question).is_err() {
                    break;
                }
            }
        });
        if let Some(first) = queue.recv().await {
            self.begin(&first?).await?;
        }
        // Heard from before the first of many requests on: what was found so far is told.
        let mut interrupt = signal(SignalKind::interrupt())
            .map_err(|error| ParityError::Internal(format!("signals cannot be heard: {error}")))?;
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
        // Questions that ended because their reader broke are not all there are.
        if self.tally().stopped.is_none() && feeder.join().is_err() {
            return Err(ParityError::Internal("the keys cannot be read to their end".to_owned()));
        }
        Ok(())
    }

    async fn begin(&self, question: &Question) -> Result<(), ParityError> {
        let (mut old, mut new) = (Line::to(&self.old), Line::to(&self.new));
        let (was, is) = tokio::join!(old.ask(question), new.ask(question));
        for (side, server, outcome) in [("old", &self.old, &was), ("new", &self.new, &is)] {
            if let Err(why) = outcome {
                let at = server.base.shown();
                let told = format!("the {side} server, {at}, did not answer {}: {why}", question.label());
                return Err(ParityError::Unreachable(told));
            }
        }
        let found = differences(&question.method, &was, &is, &self.ignored);
        self.tally().add(question, &was, &is, found);
        Ok(())
    }

    async fn work(self: Arc<Self>, queue: Arc<tokio::sync::Mutex<Questions>>) -> Result<(), ParityError> {
        let (mut old, mut new) = (Line::to(&self.old), Line::to(&self.new));
        while self.tally().stopped.is_none() {
            // In a statement of its own: the queue is free again while the question is asked.
            let next = queue.lock().await.recv().await;
            let Some(question) = next.transpose()? else { break };
            let (was, is) = tokio::join!(old.ask(&question), new.ask(&question));
            let found = differences(&question.method, &was, &is, &self.ignored);
            self.tally().add(&question, &was, &is, found);
        }
        Ok(())
    }

    /// What was found so far.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports how far it is, again and again.
    async fn report_progress(&self, total: Option<u64>, watch: &dyn Fn(RunProgress)) -> Infallible {
        let started = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            // The sums are let go before anything is written: a terminal may be slow, and every worker needs them.
            let (requests, different) = {
                let sums = self.tally();
                (sums.requests, sums.different)
            };
            watch(RunProgress { requests, total, different, elapsed: started.elapsed() });
        }
    }
}

/// Waits for all workers; the first mistake ends them all.
async fn finish(mut working: JoinSet<Result<(), ParityError>>) -> Result<(), ParityError> {
    while let Some(ended) = working.join_next().await {
        ended.map_err(|error| ParityError::Internal(format!("a worker broke: {error}")))??;
    }
    Ok(())
}
