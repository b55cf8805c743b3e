//! Where the records of an import come from. A caller hands in a [`Source`]; the importer knows no foreign system.

use std::collections::BTreeSet;

use super::error::ImportError;
use super::notices::Notices;
use crate::directory::transfer::record::Record;

/// Users that a source holds and that cannot be imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOutUsers {
    /// Their ids.
    pub ids: BTreeSet<i64>,
    /// How many have no id, so that it is not known who they are.
    pub without_id: u64,
}

/// A source of records. It is read several times and must yield the same records each time.
pub trait Source: Send + 'static {
    /// Describes the source, without secrets.
    fn describe(&self) -> String;

    /// Starts from the beginning.
    fn rewind(&mut self) -> Result<(), ImportError>;

    /// Reads the next records: groups before their members, users before their tokens. `None` at the end.
    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError>;

    /// Returns what was left out since the beginning.
    fn notices(&mut self) -> Notices {
        Notices::default()
    }

    /// Returns what cannot be imported of what was read since the beginning, if the source can read on after it.
    fn conflicts(&mut self) -> Notices {
        Notices::default()
    }

    /// Returns the users that the source holds and that were left out since the beginning. They are not missing.
    fn left_out(&mut self) -> LeftOutUsers {
        LeftOutUsers::default()
    }

    /// Returns how many users the source holds, if that is cheap to know.
    fn total(&self) -> Option<u64> {
        None
    }

    /// Returns which field is read from where, if that is not obvious.
    fn mapping(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
