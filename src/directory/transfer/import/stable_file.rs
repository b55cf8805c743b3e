//! A file that is read several times and must be the same each time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::ImportError;
use crate::paths::remedy;

/// A file that must not change while it is being imported.
pub(super) struct StableFile {
    path: PathBuf,
    /// Size and time of modification when it was opened first.
    first: Option<(u64, Option<SystemTime>)>,
}

impl StableFile {
    /// Names a file. It is opened later.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), first: None }
    }

    /// Returns the path for messages.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Opens the file at its start.
    pub(super) fn open(&mut self) -> Result<File, ImportError> {
        let unreadable = |error: io::Error| {
            ImportError::Unreadable(format!("{}: {error}: {}", self.name(), remedy(&error)))
        };
        let file = File::open(&self.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(ImportError::Unreadable(format!(
                "{} is not a file: name the file itself",
                self.name()
            )));
        }
        let now = (metadata.len(), metadata.modified().ok());
        if *self.first.get_or_insert(now) != now {
            return Err(ImportError::Unreadable(format!(
                "{} was changed while it was being read",
                self.name()
            )));
        }
        Ok(file)
    }
}
