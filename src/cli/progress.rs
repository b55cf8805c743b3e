//! Progress of imports and comparisons: a bar or a line on a terminal; for imports, a line every few seconds elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::directory::import::{Progress, Stage, Step};
use crate::switchover::parity::run::RunProgress;

/// The time between two lines without a terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows the progress of an import on standard error.
pub(super) fn of_import() -> Progress {
    if io::stderr().is_terminal() {
        let bar = ProgressBar::no_length();
        return Progress::new(move |step| match step {
            Step::Begin(stage, total) => begin(&bar, stage, total),
            Step::Done(users) => bar.inc(users),
        });
    }
    let mut lines = ProgressLines {
        stage: Stage::Reading,
        total: None,
        done: 0,
        begun: Instant::now(),
        written: Instant::now(),
    };
    Progress::new(move |step| lines.step(step))
}

fn begin(bar: &ProgressBar, stage: Stage, total: Option<u64>) {
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
    bar.enable_steady_tick(Duration::from_millis(200));
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Comparing => "comparing",
        Stage::Writing => "writing",
        Stage::Indexing => "building indexes",
        Stage::Missing => "finding deleted records",
        Stage::Files => "copying files",
    }
}

/// A line with the progress of a comparison, on a terminal only. It is cleared when this is dropped.
#[derive(Default)]
pub(super) struct ComparisonLine {
    is_shown: Cell<bool>,
}

impl ComparisonLine {
    /// Updates the line.
    pub(super) fn show(&self, progress: RunProgress) {
        if !io::stderr().is_terminal() {
            return;
        }
        self.is_shown.set(true);
        let RunProgress { requests, total, different, elapsed } = progress;
        let rate = u128::from(requests) * 1000 / elapsed.as_millis().max(1);
        let done = total.map_or_else(|| requests.to_string(), |total| format!("{requests} of {total}"));
        // The comparison continues without a terminal.
        let _ = write!(io::stderr(), "\r\x1b[K{done} requests, {different} different, {rate} a second");
    }
}

impl Drop for ComparisonLine {
    fn drop(&mut self) {
        if self.is_shown.get() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Progress as lines, without a terminal.
struct ProgressLines {
    stage: Stage,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    written: Instant,
}

impl ProgressLines {
    fn step(&mut self, step: Step) {
        match step {
            Step::Begin(stage, total) => {
                *self = Self { stage, total, done: 0, begun: Instant::now(), written: self.written };
            }
            Step::Done(users) => self.done += users,
        }
        if self.written.elapsed() >= EVERY {
            self.written = Instant::now();
            // The import continues even if this cannot be written.
            let _ = writeln!(io::stderr().lock(), "wardroom: {}", self.line());
        }
    }

    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs().max(1);
        let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        format!("{}: {}{of} users, {} a second", name(self.stage), self.done, self.done / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_stage_count_and_rate() {
        let (now, stage) = (Instant::now(), Stage::Writing);
        let lines = ProgressLines { stage, total: Some(9), done: 5, begun: now, written: now };
        assert_eq!(lines.line(), "writing: 5 of 9 users, 5 a second");
    }
}
