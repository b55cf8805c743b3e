//! The run: questions go to a few workers, each with a line to both servers; the sums come back.
//!
//! Never in here: what is asked, or what a difference is worth.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use super::client::{Line, Server};
use super::difference::differences;
use super::question::Question;
use super::tally::Tally;
use crate::cli::report::CliError;

/// How often the line about the progress is written anew.
const TICK: Duration = Duration::from_millis(500);

/// What all workers share.
pub(super) struct Run {
    pub(super) old: Arc<Server>,
    pub(super) new: Arc<Server>,
    /// JSON fields that are not compared.
    pub(super) ignored: Vec<String>,
    pub(super) sums: Mutex<Tally>,
}

type Questions = Receiver<Result<Question, CliError>>;

impl Run {
    /// Asks all questions, `workers` at a time; `total` is for the progress alone. When a server does not answer the
    /// very first one, that is told and nothing else is asked.
    pub(super) async fn go(
        self: &Arc<Self>,
        questions: impl Iterator<Item = Result<Question, CliError>> + Send + 'static,
        workers: usize,
        total: Option<u64>,
    ) -> Result<(), CliError> {
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
            .map_err(|error| CliError::inside(format!("signals cannot be heard: {error}")))?;
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let mut working = JoinSet::new();
        for _ in 0..workers {
            working.spawn(Arc::clone(self).work(Arc::clone(&queue)));
        }
        let ended = tokio::select! {
            ended = finish(working) => ended,
            never = self.show_progress(total) => match never {},
            _ = interrupt.recv() => {
                self.tally().stopped.get_or_insert_with(|| "interrupted".to_owned());
                Ok(())
            }
        };
        clear_progress();
        ended?;
        // Questions that ended because their reader broke are not all there are.
        if self.tally().stopped.is_none() && feeder.join().is_err() {
            return Err(CliError::inside("the keys cannot be read to their end"));
        }
        Ok(())
    }

    async fn begin(&self, question: &Question) -> Result<(), CliError> {
        let (mut old, mut new) = (Line::to(&self.old), Line::to(&self.new));
        let (was, is) = tokio::join!(old.ask(question), new.ask(question));
        for (side, server, outcome) in [("old", &self.old, &was), ("new", &self.new, &is)] {
            if let Err(why) = outcome {
                let at = server.base.shown();
                let told = format!("the {side} server, {at}, did not answer {}: {why}", question.label());
                return Err(CliError::unreachable(told));
            }
        }
        let found = differences(&question.method, &was, &is, &self.ignored);
        self.tally().add(question, &was, &is, found);
        Ok(())
    }

    async fn work(self: Arc<Self>, queue: Arc<tokio::sync::Mutex<Questions>>) -> Result<(), CliError> {
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
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes how far it is, again and again, when somebody is looking.
    async fn show_progress(&self, total: Option<u64>) -> std::convert::Infallible {
        if !io::stderr().is_terminal() {
            return std::future::pending().await;
        }
        let started = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            // Before anything is written: a terminal may be slow, and everybody needs the sums.
            let line = progress(&self.tally(), total, started.elapsed());
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }
}

fn progress(tally: &Tally, total: Option<u64>, elapsed: Duration) -> String {
    let Tally { requests, different, .. } = tally;
    let rate = u128::from(*requests) * 1000 / elapsed.as_millis().max(1);
    let done = total.map_or_else(|| requests.to_string(), |total| format!("{requests} of {total}"));
    format!("{done} requests, {different} different, {rate} a second")
}

/// Waits for all workers; the first mistake ends them all.
async fn finish(mut working: JoinSet<Result<(), CliError>>) -> Result<(), CliError> {
    while let Some(ended) = working.join_next().await {
        ended.map_err(|error| CliError::inside(format!("a worker broke: {error}")))??;
    }
    Ok(())
}

fn clear_progress() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
