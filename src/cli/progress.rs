//! Progress of long commands on standard error, and how Ctrl-C stops them.
//!
//! On a terminal, an import shows a bar, and other commands show a line. Elsewhere, an import writes a line every few seconds.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::report::CliError;
use crate::directory::progress::{Progress, ProgressStep, Stage};
use crate::switchover::parity::run::RunProgress;

/// The time between two lines of an import without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The time between two updates of a line on a terminal.
const UPDATE_EVERY: Duration = Duration::from_millis(200);

/// Moves the cursor to the start of the line and clears the line.
const CLEAR: &str = "\r\x1b[K";

/// Shows the progress of an import.
pub(super) fn of_import() -> Progress {
    if io::stderr().is_terminal() {
        let (bar, shown) = (ProgressBar::no_length(), Mutex::new(None));
        return Progress::new(move |step| {
            let before = shown.lock().unwrap_or_else(PoisonError::into_inner).replace(step.stage);
            if before != Some(step.stage) {
                start_stage(&bar, step);
            }
            bar.set_position(step.done);
            true
        });
    }
    let lines = Mutex::new(ImportLines { stage: None, started: Instant::now(), written: Instant::now() });
    Progress::new(move |step| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).show(step);
        true
    })
}

/// Shows the progress of a backup, a restore or a move on a terminal. Ctrl-C and SIGTERM stop the work cleanly.
pub(super) fn of_transfer() -> Result<Progress, CliError> {
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
    let line = io::stderr().is_terminal().then(|| Mutex::new(TransferLine::default()));
    Ok(Progress::new(move |step| {
        if let Some(line) = &line {
            line.lock().unwrap_or_else(PoisonError::into_inner).show(step);
        }
        !stop.load(Ordering::SeqCst)
    }))
}

fn start_stage(bar: &ProgressBar, ProgressStep { stage, total, .. }: ProgressStep) {
    let template = match total {
        Some(_) => "{msg} {wide_bar} {human_pos} of {human_len} users, {per_sec}, {eta} left",
        None => "{msg} {spinner} {human_pos} users, {per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    match total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.reset();
    bar.set_message(name(stage));
    bar.enable_steady_tick(UPDATE_EVERY);
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Comparing => "comparing",
        Stage::Writing => "writing",
        Stage::Indexing => "building indexes",
        Stage::Missing => "finding missing records",
        Stage::Files => "copying files",
        Stage::Copying => "copying",
        Stage::Packing => "packing",
        Stage::Verifying => "verifying",
    }
}

/// The progress of a backup, a restore or a move as a line on a terminal. It is cleared when this is dropped.
#[derive(Default)]
struct TransferLine {
    shown: Option<Instant>,
}

impl TransferLine {
    fn show(&mut self, step: ProgressStep) {
        if self.shown.is_some_and(|shown| shown.elapsed() < UPDATE_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let ProgressStep { stage, unit, done, .. } = step;
        // The work continues if the terminal is closed.
        let _ = write!(io::stderr(), "{CLEAR}{}: {done} {unit}", name(stage));
    }
}

impl Drop for TransferLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

/// The progress of a comparison as a line on a terminal. It is cleared when this is dropped.
#[derive(Default)]
pub(super) struct ComparisonLine {
    is_shown: Cell<bool>,
}

impl ComparisonLine {
    /// Updates the line. Does nothing without a terminal.
    pub(super) fn show(&self, progress: RunProgress) {
        if !io::stderr().is_terminal() {
            return;
        }
        self.is_shown.set(true);
        let RunProgress { requests, total, different, elapsed } = progress;
        let rate = u128::from(requests) * 1000 / elapsed.as_millis().max(1);
        let done = total.map_or_else(|| requests.to_string(), |total| format!("{requests} of {total}"));
        // The comparison continues if the terminal is closed.
        let _ = write!(io::stderr(), "{CLEAR}{done} requests, {different} different, {rate} a second");
    }
}

impl Drop for ComparisonLine {
    fn drop(&mut self) {
        if self.is_shown.get() {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

/// The progress of an import as lines, without a terminal.
struct ImportLines {
    stage: Option<Stage>,
    started: Instant,
    written: Instant,
}

impl ImportLines {
    fn show(&mut self, step: ProgressStep) {
        if self.stage.replace(step.stage) != Some(step.stage) {
            self.started = Instant::now();
        }
        if self.written.elapsed() >= LINE_EVERY {
            self.written = Instant::now();
            // The import continues if the line cannot be written.
            let _ = writeln!(io::stderr().lock(), "wardroom: {}", self.line(step));
        }
    }

    fn line(&self, ProgressStep { stage, unit, done, total }: ProgressStep) -> String {
        let seconds = self.started.elapsed().as_secs().max(1);
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        format!("{}: {done}{of} {unit}, {} a second", name(stage), done / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_stage_count_and_rate() {
        let (now, stage) = (Instant::now(), Stage::Writing);
        let lines = ImportLines { stage: Some(stage), started: now, written: now };
        let step = ProgressStep { stage, unit: "users", total: Some(9), done: 5 };
        assert_eq!(lines.line(step), "writing: 5 of 9 users, 5 a second");
    }
}
