//! The progress of long operations (import, backup, restore, move): what is reported, and how a listener stops one.

use std::sync::Arc;

/// What a long operation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads an import's source for the first time.
    Reading,
    /// Compares a source with the account database, or a copy with its original.
    Comparing,
    /// Writes records.
    Writing,
    /// Looks for what the source does not hold.
    Missing,
    /// Builds indexes.
    Indexing,
    /// Copies the files of avatars.
    Files,
    /// Copies the rows of a table.
    Copying,
    /// Writes files into an archive.
    Packing,
    /// Verifies an archive.
    Verifying,
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressStep {
    /// What it is doing.
    pub stage: Stage,
    /// What is counted: `users`, `MiB`, or a table's rows, by its name.
    pub unit: &'static str,
    /// How many are done since the stage began.
    pub done: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
}

/// Receives the progress of an operation. Clones share the listener.
#[derive(Clone)]
pub struct Progress {
    listener: Arc<dyn Fn(ProgressStep) -> bool + Send + Sync>,
    step: ProgressStep,
}

/// The listener asked the operation to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

impl Progress {
    /// Reports each step to `listener`, which returns whether to go on.
    pub fn new(listener: impl Fn(ProgressStep) -> bool + Send + Sync + 'static) -> Self {
        let step = ProgressStep { stage: Stage::Reading, unit: "users", done: 0, total: None };
        Self { listener: Arc::new(listener), step }
    }

    /// Reports how much of a stage is done; an error means that the operation has to stop.
    pub(super) fn report(&self, stage: Stage, unit: &'static str, done: u64) -> Result<(), Stopped> {
        if (self.listener)(ProgressStep { stage, unit, done, total: None }) { Ok(()) } else { Err(Stopped) }
    }

    /// Begins a stage of an import, with the number of users in it where that is known. The listener cannot stop an
    /// import: one that was interrupted is continued by running it again.
    pub(super) fn begin(&mut self, stage: Stage, total: Option<u64>) {
        self.step = ProgressStep { stage, done: 0, total, ..self.step };
        (self.listener)(self.step);
    }

    /// Adds users to those that this stage has done.
    pub(super) fn add(&mut self, users: u64) {
        self.step.done += users;
        (self.listener)(self.step);
    }
}

impl Default for Progress {
    /// Has no listener.
    fn default() -> Self {
        Self::new(|_| true)
    }
}
