//! How far a long command is: a bar with rate and time left on a terminal, a line every few seconds elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::directory::progress::{Progress, Stage, Step};
use crate::switchover::parity::run::RunProgress;

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows an import's progress on standard error.
pub(super) fn of_import() -> Progress {
    if io::stderr().is_terminal() {
        let (bar, shown) = (ProgressBar::no_length(), Mutex::new(None));
        return Progress::new(move |step| {
            let before = shown.lock().unwrap_or_else(PoisonError::into_inner).replace(step.stage);
            if before != Some(step.stage) {
                begin(&bar, step);
            }
            bar.set_position(step.done);
            true
        });
    }
    let lines = Mutex::new(Lines { stage: None, begun: Instant::now(), told: Instant::now() });
    Progress::new(move |step| {
        lines.lock().unwrap_or_else(PoisonError::into_inner).step(step);
        true
    })
}

fn begin(bar: &ProgressBar, Step { stage, total, .. }: Step) {
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

/// What a stage is called in a line of progress.
pub(super) fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Comparing => "comparing",
        Stage::Writing => "writing",
        Stage::Indexing => "making indexes",
        Stage::Missing => "looking for what is missing",
        Stage::Files => "bringing files along",
        Stage::Copying => "copying",
        Stage::Packing => "packing",
        Stage::Verifying => "verifying",
    }
}

/// The line that shows a comparison's progress on a terminal, and nothing elsewhere. It is cleared when it is dropped.
#[derive(Default)]
pub(super) struct ComparisonLine {
    is_shown: Cell<bool>,
}

impl ComparisonLine {
    /// Writes the line anew.
    pub(super) fn show(&self, progress: RunProgress) {
        if !io::stderr().is_terminal() {
            return;
        }
        self.is_shown.set(true);
        let RunProgress { requests, total, different, elapsed } = progress;
        let rate = u128::from(requests) * 1000 / elapsed.as_millis().max(1);
        let done = total.map_or_else(|| requests.to_string(), |total| format!("{requests} of {total}"));
        // A terminal that is gone does not end the comparison.
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

/// Lines where there is no terminal.
struct Lines {
    stage: Option<Stage>,
    begun: Instant,
    told: Instant,
}

impl Lines {
    fn step(&mut self, step: Step) {
        if self.stage.replace(step.stage) != Some(step.stage) {
            self.begun = Instant::now();
        }
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            // Whoever does not want to know how far it is, need not.
            let _ = writeln!(io::stderr().lock(), "wardroom: {}", self.told(step));
        }
    }

    fn told(&self, Step { stage, unit, done, total }: Step) -> String {
        let seconds = self.begun.elapsed().as_secs().max(1);
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
        let lines = Lines { stage: Some(stage), begun: now, told: now };
        let step = Step { stage, unit: "users", total: Some(9), done: 5 };
        assert_eq!(lines.told(step), "writing: 5 of 9 users, 5 a second");
    }
}
