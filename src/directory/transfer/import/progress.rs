//! The progress of an import.

/// What an import is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads the source for the first time.
    Reading,
    /// Compares the source with the account database.
    Comparing,
    /// Writes records.
    Writing,
    /// Looks for what the source does not hold.
    Missing,
    /// Builds indexes.
    Indexing,
    /// Copies the files of avatars.
    Files,
}

/// Reports progress to a listener.
pub struct Progress(Box<dyn FnMut(Step) + Send>);

/// A step of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A stage begins, with the number of users in it where that is known.
    Begin(Stage, Option<u64>),
    /// This many more users are done.
    Done(u64),
}

impl Progress {
    /// Reports each step to `listener`.
    pub fn new(listener: impl FnMut(Step) + Send + 'static) -> Self {
        Self(Box::new(listener))
    }

    pub(super) fn begin(&mut self, stage: Stage, total: Option<u64>) {
        (self.0)(Step::Begin(stage, total));
    }

    pub(super) fn add(&mut self, users: u64) {
        (self.0)(Step::Done(users));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(|_| {})
    }
}
