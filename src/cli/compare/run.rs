//! The run: questions go to a few workers, each with a line to both servers; the sums come back.
//!
//! Never in here: what is asked, or what a difference is worth.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use super::client::{Line, Server};
use super::difference::differences;
use super::question::Question;
use super::tally::Tally;
use crate::cli::report::Mistake;

/// How often the line about the progress is written anew.
const TICK: Duration = Duration::from_millis(500);

/// What all workers share.
pub(super) struct Run {
    pub(super) old: Arc<Server>,
    pub(super) new: Arc<Server>,
    /// JSON fields that are not compared.
    pub(super) ignored: Vec<String>,
    pub(super) tally: Mutex<Tally>,
}

type Questions = Receiver<Result<Question, Mistake>>;

impl Run {
    /// Asks all questions, `workers` at a time; `total` is for the progress alone. When a server does not answer the
    /// very first one, that is told and nothing else is asked.
    pub(super) async fn go(
        self,
        questions: impl Iterator<Item = Result<Question, Mistake>> + Send + 'static,
        workers: usize,
        total: Option<u64>,
    ) -> Result<Tally, Mistake> {
        let (feed, mut queue) = mpsc::channel(2 * workers);
        // A thread of its own: it may wait for ever for a line of standard input, and then ends with the process.
        std::thread::spawn(move || {
            for question in questions {
                if feed.blocking_send(question).is_err() {
                    break;
                }
            }
        });
        let run = Arc::new(self);
        if let Some(first) = queue.recv().await {
            run.begin(&first?).await?;
        }
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let mut working = JoinSet::new();
        for _ in 0..workers {
            working.spawn(Arc::clone(&run).work(Arc::clone(&queue)));
        }
        let ended = tokio::select! {
            ended = finish(working) => ended,
            never = run.show_progress(total) => match never {},
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(|error| Mistake::inside(format!("signals cannot be heard: {error}")))?;
                run.tally().stopped.get_or_insert_with(|| "interrupted".to_owned());
                Ok(())
            }
        };
        clear_progress();
        ended?;
        let tally = std::mem::replace(&mut *run.tally(), Tally::new(false, 0));
        Ok(tally)
    }

    async fn begin(&self, question: &Question) -> Result<(), Mistake> {
        let (mut old, mut new) = (Line::to(&self.old), Line::to(&self.new));
        let (was, is) = tokio::join!(old.ask(question), new.ask(question));
        for (side, server, outcome) in [("old", &self.old, &was), ("new", &self.new, &is)] {
            if let Err(why) = outcome {
                let at = server.base.shown();
                let told = format!("the {side} server, {at}, did not answer {}: {why}", question.label());
                return Err(Mistake::unreachable(told));
            }
        }
        let found = differences(&question.method, &was, &is, &self.ignored);
        self.tally().add(question, &was, &is, found);
        Ok(())
    }

    async fn work(self: Arc<Self>, queue: Arc<tokio::sync::Mutex<Questions>>) -> Result<(), Mistake> {
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

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes how far it is, again and again, when somebody is looking.
    async fn show_progress(&self, total: Option<u64>) -> std::convert::Infallible {
        if !io::stderr().is_terminal() {
            return std::future::pending().await;
        }
        let started = Instant::now();
        loop {
            tokio::time::sleep(TICK).await;
            let (done, different) = (self.tally().requests, self.tally().different);
            let rate = u128::from(done) * 1000 / started.elapsed().as_millis().max(1);
            let done = total.map_or_else(|| done.to_string(), |total| format!("{done} of {total}"));
            let _ = write!(io::stderr(), "\r\x1b[K{done} requests, {different} different, {rate} a second");
        }
    }
}

/// Waits for all workers; the first mistake ends them all.
async fn finish(mut working: JoinSet<Result<(), Mistake>>) -> Result<(), Mistake> {
    while let Some(ended) = working.join_next().await {
        ended.map_err(|error| Mistake::inside(format!("a worker broke: {error}")))??;
    }
    Ok(())
}

fn clear_progress() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}
