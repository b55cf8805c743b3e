//! How far a long command has come, on a terminal; and how Ctrl-C ends one without leaving half of it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::progress;
use super::report::CliError;
use crate::directory::progress::{Progress, Step};

/// How often the line is written anew.
const OFTEN: Duration = Duration::from_millis(200);

/// A watcher that shows one line on a terminal, and stops the work at Ctrl-C or SIGTERM.
pub(super) fn watch() -> Result<Progress, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let unheard = |error| CliError::internal(format!("no signal can be waited for: {error}"));
        let (mut signals, stop) = (signal(kind).map_err(unheard)?, Arc::clone(&stop));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stop.store(true, Ordering::SeqCst);
            }
        });
    }
    let line = io::stderr().is_terminal().then(|| Mutex::new(Line::default()));
    Ok(Progress::new(move |step| {
        if let Some(line) = &line {
            line.lock().unwrap_or_else(PoisonError::into_inner).show(step);
        }
        !stop.load(Ordering::SeqCst)
    }))
}

/// The line on the terminal; it is wiped out when the work is done.
#[derive(Default)]
struct Line {
    shown: Option<Instant>,
}

impl Line {
    fn show(&mut self, step: Step) {
        if self.shown.is_some_and(|shown| shown.elapsed() < OFTEN) {
            return;
        }
        self.shown = Some(Instant::now());
        let Step { stage, unit, done, .. } = step;
        // A terminal that is gone does not keep the work from being done.
        let _ = write!(io::stderr(), "\r\x1b[K{}: {done} {unit}", progress::name(stage));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
