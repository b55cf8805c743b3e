//! A file that came with a form. Of its name only the length is kept, because the framework has rules about it; of its
//! content type nothing.

use std::fmt;

use bytes::Bytes;

use crate::directory::model::Violation;
use crate::server::memory::MemoryShare;

/// The longest name of a file: the length of the framework's column, in characters.
const NAME_MAX: usize = 100;
/// Django cuts longer names off before the framework sees them.
const CUT_AT: usize = 255;

/// The framework's text for a value that is no file.
pub(in crate::http) const NOT_A_FILE: &str =
    "The submitted data was not a file. Check the encoding type on the form.";
const EMPTY: &str = "The submitted file is empty.";
const NO_NAME: &str = "No filename could be determined.";

/// A file that was sent.
pub(super) struct UploadedFile {
    /// The field that it came in.
    pub(super) field: &'static str,
    /// The length of its name without folders.
    pub(super) name_length: usize,
    /// Its content.
    pub(super) bytes: Vec<u8>,
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file of {} bytes", self.bytes.len())
    }
}

impl UploadedFile {
    /// The length of the name that Django would take from the client's. A name that cannot be read counts as one.
    pub(super) fn name_length(given: Option<&str>) -> usize {
        let Some(given) = given else { return 1 };
        let name: String = given.rsplit(['/', '\\']).next().unwrap_or_default().chars().collect();
        let shown = name.trim().chars().filter(|c| !c.is_control());
        match name.trim() {
            "." | ".." => 0,
            _ => shown.count().min(CUT_AT),
        }
    }

    /// Checks the file in the framework's order.
    pub(super) fn checked(self) -> Result<Bytes, Violation> {
        let refused = |message: String| Err(Violation::Other(message));
        match self.name_length {
            0 => refused(NO_NAME.to_owned()),
            _ if self.bytes.is_empty() => refused(EMPTY.to_owned()),
            length if length > NAME_MAX => {
                refused(format!("Ensure this filename has at most {NAME_MAX} characters (it has {length})."))
            }
            _ => Ok(self.bytes.into()),
        }
    }
}

/// What a field that takes a file was sent.
#[derive(Debug)]
pub enum SentFile {
    /// Null or an empty text: there is to be no file.
    None,
    /// The content of a file, and the memory that it uses.
    Content(Bytes, Option<MemoryShare>),
    /// A text. Only the URL of the present file may be sent back.
    Text(String),
}
