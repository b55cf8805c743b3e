//! A validated source: the records that passed the validation, without the values that duplicates lose.

use std::sync::Arc;

use super::error::ImportError;
use super::source::Source;
use super::validation::validator::validate;
use super::validation::{Validation, has_null};
use crate::directory::progress::{Progress, Stage};
use crate::directory::transfer::record::Record;

/// A source that was validated.
pub(super) struct ValidSource {
    source: Box<dyn Source>,
    pub(super) validation: Arc<Validation>,
    /// Users read since the beginning.
    users: u64,
}

impl ValidSource {
    /// Reads a source once and validates it.
    pub(super) fn new(mut source: Box<dyn Source>, progress: &mut Progress) -> Result<Self, ImportError> {
        let validation = Arc::new(validate(source.as_mut(), progress)?);
        Ok(Self { source, validation, users: 0 })
    }

    pub(super) fn describe(&self) -> String {
        self.source.describe()
    }

    pub(super) fn mapping(&self) -> Vec<(String, String)> {
        self.source.mapping()
    }

    /// Starts from the beginning, for a stage of the import.
    pub(super) fn begin(&mut self, stage: Stage, progress: &mut Progress) -> Result<(), ImportError> {
        self.source.rewind()?;
        self.users = 0;
        progress.begin(stage, self.source.total());
        Ok(())
    }

    /// Reads the next valid records. Records that no database can look up are dropped: the validation has reported them
    /// as conflicts.
    pub(super) fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let Some(batch) = self.source.next_batch()? else { return Ok(None) };
        Ok(Some(batch.into_iter().filter_map(|record| self.accept(record)).collect()))
    }

    fn accept(&mut self, mut record: Record) -> Option<Record> {
        let is_valid = match &mut record {
            Record::User(user) => {
                self.users += 1;
                self.validation.clear_duplicates(user, self.users);
                is_id(user.id) && !has_null(user.texts())
            }
            Record::Group(group) => is_id(group.id) && !has_null(group.texts()),
            _ => true,
        };
        is_valid.then_some(record)
    }
}

fn is_id(id: Option<i64>) -> bool {
    id.is_none_or(|id| id > 0)
}

/// Counts the users among some records.
pub(super) fn count_users(records: &[Record]) -> u64 {
    records.iter().filter(|record| matches!(record, Record::User(_))).count() as u64
}
