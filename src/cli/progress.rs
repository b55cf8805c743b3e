//! How far a long command is: a bar with rate and time left on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::directory::transfer::import::progress::{Progress, Stage, Step};

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows an import's progress on standard error.
pub(super) fn of_import() -> Progress {
    if io::stderr().is_terminal() {
        let bar = ProgressBar::no_length();
        return Progress::new(move |step| match step {
            Step::Begin(stage, total) => begin(&bar, stage, total),
            Step::Done(users) => bar.inc(users),
        });
    }
    let mut lines =
        Lines { stage: Stage::Reading, total: None, done: 0, begun: Instant::now(), told: Instant::now() };
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
        Stage::Indexing => "making indexes",
        Stage::Missing => "looking for what is missing",
        Stage::Files => "bringing files along",
    }
}

/// Lines where there is no terminal.
struct Lines {
    stage: Stage,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    told: Instant,
}

impl Lines {
    fn step(&mut self, step: Step) {
        match step {
            Step::Begin(stage, total) => {
                *self = Self { stage, total, done: 0, begun: Instant::now(), told: self.told };
            }
            Step::Done(users) => self.done += users,
        }
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            // Whoever does not want to know how far it is, need not.
            let _ = writeln!(io::stderr().lock(), "wardroom: {}", self.told());
        }
    }

    fn told(&self) -> String {
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
        let lines = Lines { stage, total: Some(9), done: 5, begun: now, told: now };
        assert_eq!(lines.told(), "writing: 5 of 9 users, 5 a second");
    }
}
