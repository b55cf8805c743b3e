//! Why an import fails.

use super::notices::Notices;
use crate::directory::error::Error;

/// Why an import fails. Nothing was written of the batch in which the error occurred.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The account database refused the import, or could not be reached.
    #[error(transparent)]
    Directory(Error),
    /// The source cannot be opened or read.
    #[error("the source cannot be read: {0}")]
    Unreadable(String),
    /// The source holds something that cannot be imported.
    #[error("{0}")]
    Invalid(String),
    /// It is not clear what to read from the source.
    #[error("{0}")]
    Ambiguous(String),
    /// The source contradicts itself or the account database. Nothing was written.
    #[error("there are conflicts")]
    Conflicts(Notices),
}

/// A transaction of the store ends with an [`Error`] alone. An import's own error passes through it as the source of an
/// [`Error::Broken`], and is unpacked outside.
impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Directory(error) => error,
            other => Self::broken("an import failed", other),
        }
    }
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        match error {
            Error::Broken { what, source } => match source.downcast() {
                Ok(own) => *own,
                Err(source) => Self::Directory(Error::Broken { what, source }),
            },
            other => Self::Directory(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_s_error_passes_through_a_transaction() {
        let error = ImportError::Invalid("line 3: it is not UTF-8".to_owned());
        assert!(
            matches!(ImportError::from(Error::from(error)), ImportError::Invalid(why) if why.contains("line 3"))
        );
        let other = ImportError::from(Error::broken("a write failed", "no"));
        assert!(matches!(other, ImportError::Directory(Error::Broken { what: "a write failed", .. })));
    }
}
