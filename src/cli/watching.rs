//! Progress of backup, restore and move on a terminal, and how Ctrl-C stops them cleanly.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::report::CliError;
use crate::directory::trouble::{Progress, Watch};

/// How often the line is updated.
const UPDATE_EVERY: Duration = Duration::from_millis(200);

/// Returns a watcher that shows one line on a terminal and stops the work on Ctrl-C or SIGTERM.
pub(super) fn watch() -> Result<Watch, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let failed = |error| CliError::internal(format!("cannot listen for signals: {error}"));
        let (mut signals, stop) = (signal(kind).map_err(failed)?, Arc::clone(&stop));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stop.store(true, Ordering::SeqCst);
            }
        });
    }
    let line = io::stderr().is_terminal().then(|| Mutex::new(ProgressLine::default()));
    Ok(Arc::new(move |progress| {
        if let Some(line) = &line {
            line.lock().unwrap_or_else(PoisonError::into_inner).show(progress);
        }
        !stop.load(Ordering::SeqCst)
    }))
}

/// The line on the terminal. It is cleared when the work is done.
#[derive(Default)]
struct ProgressLine {
    shown: Option<Instant>,
}

impl ProgressLine {
    fn show(&mut self, progress: Progress) {
        if self.shown.is_some_and(|shown| shown.elapsed() < UPDATE_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let Progress { done, of, count } = progress;
        // The work continues without a terminal.
        let _ = write!(io::stderr(), "\r\x1b[K{of}: {count} {done}");
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
