//! Reads users from comma-separated values (RFC 4180), UTF-8, whose first line names the columns: what spreadsheets and
//! other systems write. docs/records.md lists the columns.
//!
//! An empty cell is null where a field can be null, and left out elsewhere. Lines of JSON can express empty text.

mod spreadsheets;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use csv::{ByteRecord, Reader, ReaderBuilder};

pub use self::spreadsheets::neutralised;
use self::spreadsheets::{check_separator, first_line, is_shortened, restored};
use super::error::ImportError;
use super::file_errors::FileErrors;
use super::source::Source;
use super::stable_file::StableFile;
use crate::directory::model::{FLAG_FIELDS, FieldSlot, PERSONAL_FIELDS, Timestamp, Violation};
use crate::directory::transfer::record::{Record, Reference, UserRecord};

/// The columns, in the order of an export.
pub static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let times = ["groups", "last_login", "created_at", "updated_at"];
    [&["id", "username"], PERSONAL_FIELDS, &times, FLAG_FIELDS, &["permissions", "password"]].concat()
});

/// Separates the members of a list in one cell.
pub const LIST: char = ';';
/// Records in a batch.
const BATCH: usize = 2000;
/// A file with comma-separated values.
pub struct CsvTable {
    file: StableFile,
    reader: Option<Reader<QuoteCheck<File>>>,
    lines: RecordLines,
    columns: Vec<String>,
    errors: FileErrors,
}

impl CsvTable {
    /// Names a file. It is opened when it is read.
    pub fn new(path: &Path) -> Self {
        Self {
            file: StableFile::new(path),
            reader: None,
            lines: RecordLines::default(),
            columns: Vec::new(),
            errors: FileErrors::default(),
        }
    }

    /// Reads the next row with its line; `None` at the end.
    fn row(&mut self) -> Result<Option<(u64, ByteRecord)>, ImportError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let mut row = ByteRecord::new();
        match reader.read_byte_record(&mut row) {
            Ok(true) => Ok(Some((self.lines.next(), row))),
            Ok(false) => Ok(None),
            Err(error) => Err(unreadable(&error, &mut self.errors)),
        }
    }

    fn check_columns(&self) -> Result<(), ImportError> {
        if let [only] = self.columns.as_slice() {
            check_separator(only, &COLUMNS)?;
        }
        for (position, name) in self.columns.iter().enumerate() {
            if !COLUMNS.contains(&name.as_str()) {
                return Err(ImportError::Invalid(format!(
                    "there is no column {name:?}; the columns are {}",
                    COLUMNS.join(", ")
                )));
            }
            if self.columns.iter().take(position).any(|other| other == name) {
                return Err(ImportError::Invalid(format!("the column {name} appears twice")));
            }
        }
        if !self.columns.iter().any(|name| name == "username") {
            return Err(ImportError::Invalid(
                "the first line must name the columns, username among them".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Source for CsvTable {
    fn describe(&self) -> String {
        self.file.name()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        (self.lines, self.errors) = (RecordLines::default(), FileErrors::default());
        let checked = QuoteCheck::new(self.file.open()?, self.lines.clone());
        // The rows are counted here, where the line is known.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(checked);
        let head = match reader.byte_headers() {
            Ok(head) => head,
            Err(error) => {
                // A semicolon after a closing quote is text there.
                check_separator(&first_line(self.file.open()?)?, &COLUMNS)?;
                return Err(unreadable(&error, &mut self.errors));
            }
        };
        // Spreadsheets often begin a file with a byte order mark.
        let name =
            |cell: &[u8]| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned();
        self.columns = head.iter().map(name).collect();
        self.check_columns()?;
        self.lines.next();
        self.reader = Some(reader);
        Ok(())
    }

    /// Rows with errors are left out. At the end of the file all errors are reported together.
    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some((line, row)) = self.row()? else { break };
            match user(&self.columns, &row) {
                Ok(user) => batch.push(Record::User(user)),
                Err(errors) => errors.iter().for_each(|why| self.errors.add(line, why)),
            }
        }
        if batch.is_empty() {
            self.errors.check()?;
            return Ok(None);
        }
        Ok(Some(batch))
    }
}

/// The lines in which the records begin that were read from the file and not yet parsed. The parser reads ahead, and its
/// own line numbers are those of the line ends before blank lines.
#[derive(Clone, Default)]
struct RecordLines(Arc<Mutex<VecDeque<u64>>>);

impl RecordLines {
    fn queue(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: u64) {
        self.queue().push_back(line);
    }

    /// Returns the line of the next record.
    fn next(&self) -> u64 {
        self.queue().pop_front().unwrap_or_default()
    }
}

/// Checks that quotes are those of RFC 4180, section 2, and counts lines. If a quote were missing, the CSV reader would take
/// the rest of the file for one cell.
struct QuoteCheck<R> {
    from: R,
    state: QuoteState,
    line: u64,
    /// The byte before.
    last: u8,
    /// Whether no byte of the next record was read.
    is_between: bool,
    records: RecordLines,
}

/// Where a byte is.
#[derive(Clone, Copy)]
enum QuoteState {
    /// At the start of a cell.
    Start,
    Unquoted,
    /// In a cell whose quote was opened in this line.
    Quoted(u64),
    /// After a quote in a quoted cell.
    Closed(u64),
}

impl<R> QuoteCheck<R> {
    fn new(from: R, records: RecordLines) -> Self {
        Self { from, state: QuoteState::Start, line: 1, last: 0, is_between: true, records }
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        let is_line_end = matches!(byte, b'\r' | b'\n');
        let is_mark = self.line == 1 && matches!(byte, 0xef | 0xbb | 0xbf);
        if self.is_between && !is_line_end && !is_mark {
            self.is_between = false;
            self.records.push(self.line);
        }
        self.state = match (self.state, byte) {
            (QuoteState::Quoted(opened), b'"') => QuoteState::Closed(opened),
            (QuoteState::Quoted(opened), _) => QuoteState::Quoted(opened),
            (QuoteState::Closed(opened), b'"') => QuoteState::Quoted(opened),
            (_, b',' | b'\r' | b'\n') => QuoteState::Start,
            (QuoteState::Start, b'"') => QuoteState::Quoted(self.line),
            (QuoteState::Closed(_), _) => return Err("there is text after a closing quote"),
            (QuoteState::Unquoted, b'"') => {
                return Err("there is a quote in a cell that does not begin with one");
            }
            // A byte order mark.
            (QuoteState::Start, _) if is_mark => QuoteState::Start,
            (QuoteState::Start | QuoteState::Unquoted, _) => QuoteState::Unquoted,
        };
        if is_line_end {
            self.is_between |= !matches!(self.state, QuoteState::Quoted(_));
            // CR, LF, or both together.
            self.line += u64::from(byte == b'\r' || self.last != b'\r');
        }
        self.last = byte;
        Ok(())
    }
}

impl<R: Read> Read for QuoteCheck<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wrong =
            |line: u64, why: &'static str| io::Error::new(ErrorKind::InvalidData, WrongQuote { line, why });
        let length = self.from.read(buffer)?;
        if let (0, false, QuoteState::Quoted(opened)) = (length, buffer.is_empty(), self.state) {
            return Err(wrong(opened, "a quote is opened and not closed"));
        }
        for byte in buffer.iter().take(length) {
            self.step(*byte).map_err(|why| wrong(self.line, why))?;
        }
        Ok(length)
    }
}

/// A quote after which the file cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
struct WrongQuote {
    line: u64,
    why: &'static str,
}

/// Returns the error after which no more rows can be read, with those of the rows before it.
fn unreadable(error: &csv::Error, errors: &mut FileErrors) -> ImportError {
    match error.kind() {
        csv::ErrorKind::Io(error) => {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<WrongQuote>()) {
                Some(WrongQuote { line, why }) => errors.end_with(*line, why),
                None => ImportError::Unreadable(error.to_string()),
            }
        }
        _ => ImportError::Invalid(error.to_string()),
    }
}

/// Reads a row, or returns everything that is wrong with it.
fn user(columns: &[String], row: &ByteRecord) -> Result<UserRecord, Vec<String>> {
    if row.len() != columns.len() {
        let (cells, columns) = (row.len(), columns.len());
        return Err(vec![format!("{cells} cells, where the first line names {columns} columns")]);
    }
    let (mut user, mut errors) = (UserRecord::default(), Vec::new());
    for (column, cell) in columns.iter().zip(row) {
        let cell = str::from_utf8(cell).map_err(|_| "it is not UTF-8".to_owned());
        let read = cell.and_then(|cell| put(&mut user, column, restored(cell)));
        errors.extend(read.err().map(|why| format!("{column}: {why}")));
    }
    if user.username.is_empty() && !errors.iter().any(|error| error.starts_with("username: ")) {
        errors.push("username: it is empty".to_owned());
    }
    if errors.is_empty() { Ok(user) } else { Err(errors) }
}

fn put(user: &mut UserRecord, column: &str, cell: &str) -> Result<(), String> {
    if matches!(column, "id" | "mobile_number" | "permissions") && is_shortened(cell) {
        return Err(format!(
            "{cell:?} is a number that a spreadsheet has shortened, and its last digits are lost: in the original table, give the \
             column the format Text, enter the numbers again, and save the file again"
        ));
    }
    let text = || Some(cell.to_owned()).filter(|text| !text.is_empty());
    match column {
        "id" => user.id = number(cell)?,
        "username" => cell.clone_into(&mut user.username),
        "groups" => {
            user.groups =
                Some(list(cell).map(reference).collect()).filter(|groups: &Vec<_>| !groups.is_empty())
        }
        "last_login" => user.last_login = Some(timestamp(cell)?),
        "created_at" => user.created_at = timestamp(cell)?,
        "updated_at" => user.updated_at = timestamp(cell)?,
        "permissions" if !cell.trim().is_empty() => {
            user.permissions =
                Some(list(cell).map(|code| number(code)?.ok_or_else(String::new)).collect::<Result<_, _>>()?);
        }
        "permissions" => {}
        "password" => user.password = text(),
        field => match user.slot(field) {
            Some(FieldSlot::Text(slot)) => *slot = text(),
            Some(FieldSlot::NullableText(slot)) => *slot = Some(text()),
            Some(FieldSlot::Flag(slot)) => *slot = boolean(cell)?,
            None => {}
        },
    }
    Ok(())
}

fn list(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(LIST).map(str::trim).filter(|part| !part.is_empty())
}

fn reference(part: &str) -> Reference {
    part.parse().map_or_else(|_| Reference::Name(part.to_owned()), Reference::Id)
}

fn number(cell: &str) -> Result<Option<i64>, String> {
    let given = Some(cell.trim()).filter(|cell| !cell.is_empty());
    given.map(str::parse).transpose().map_err(|_| format!("{cell:?} is not a 64-bit number"))
}

fn timestamp(cell: &str) -> Result<Option<Timestamp>, String> {
    let given = Some(cell.trim()).filter(|cell| !cell.is_empty());
    given.map(str::parse).transpose().map_err(|rule: Violation| format!("{rule} It is {cell:?}."))
}

fn boolean(cell: &str) -> Result<Option<bool>, String> {
    match cell.trim().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "true" | "t" | "yes" | "1" => Ok(Some(true)),
        "false" | "f" | "no" | "0" => Ok(Some(false)),
        _ => Err(format!("{cell:?} is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Record>, ImportError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut table = CsvTable::new(file.path());
        table.rewind()?;
        let mut records = Vec::new();
        while let Some(batch) = table.next_batch()? {
            records.extend(batch);
        }
        Ok(records)
    }

    #[test]
    fn faults_name_their_line_and_column() {
        for (text, expected) in [
            (&b"username,age\n"[..], "there is no column \"age\""),
            (b"username,username\n", "the column username appears twice"),
            (b"email\nx\n", "username among them"),
            (
                b"username;email\na;x\n",
                "semicolons separate the columns, where commas must: save the table again",
            ),
            (b"\xef\xbb\xbf\"username\";\"email\"\n", "semicolons separate"),
            (b"username\temail\na\tx\n", "tabs separate the columns"),
            (
                b"id,username,mobile_number\n1,a,4.9E+12\n",
                "line 2: mobile_number: \"4.9E+12\" is a number that a spreadsheet has shortened",
            ),
            (b"id,username\n1E+15,a\n", "line 2: id: \"1E+15\" is a number that a spreadsheet has shortened"),
            (b"username,mobile_number\na,\"4,9E+12\"\n", "its last digits are lost"),
            (b"id,username\n1,a\nx,b\n", "line 3: id: \"x\" is not a 64-bit number"),
            (b"id,username\n1\n", "line 2: 1 cells, where the first line names 2 columns"),
            (b"username,is_staff\na,perhaps\n", "line 2: is_staff: \"perhaps\" is neither"),
            (b"username,created_at\na,yesterday\n", "line 2: created_at: Datetime has wrong format"),
            (b"username,email\n,x\n", "line 2: username: it is empty"),
            (b"username\n\xff\n", "line 2: username: it is not UTF-8"),
            (b"username,email\na,\"x\nb,y\nc,z\n", "line 2: a quote is opened and not closed"),
            (b"username,email\na,\"x\"y\n", "line 2: there is text after a closing quote"),
            (
                b"username,email\na,x\nb,x\"y\"\n",
                "line 3: there is a quote in a cell that does not begin with one",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// Whatever is before it, an error has the line in which its row begins, as an editor shows it.
    #[test]
    fn lines_are_counted_as_editors_count_them() {
        let long = "x".repeat(100_000);
        for (before, line) in [
            ("", 2),
            ("a,1\r\n", 3),
            ("a,1\n", 3),
            ("a,1\r", 3),
            ("\n\n\n", 5),
            ("\r\n\r\na,1\r\n\r\n", 6),
            ("\"a\nb\r\nc\",1\n", 5),
            ("\"\n\n\"\"\",1\r\n\r\n", 6),
            (&format!("{long},1\r\n{long},0\r\n"), 4),
            (&"a,1\r\n".repeat(30_000), 30_002),
        ] {
            for (mark, end) in [("", "\n"), ("\u{feff}", "\r\n")] {
                let text = format!("{mark}username,is_staff{end}{before}b,maybe{end}{end}c,1");
                let error = read(text.as_bytes()).unwrap_err().to_string();
                let wanted = format!("line {line}: is_staff: \"maybe\" is neither true nor false");
                assert_eq!(error, wanted, "{:?}", before.chars().take(40).collect::<String>());
            }
        }
    }

    #[test]
    fn all_wrong_cells_are_reported_together() {
        let text = b"id,username,is_staff,created_at\r\nx,a,maybe,soon\r\n2,b,1,\r\n\r\n3,,1,\r\n4,d\r\n5,e,no,10000-01-01T00:00:00Z\r\n6,\"f,1,";
        let error = read(text).unwrap_err().to_string();
        let lines: Vec<_> = error.lines().map(str::trim).collect();
        assert_eq!(lines[0], "7 errors:");
        assert_eq!(lines[1], "line 2: id: \"x\" is not a 64-bit number");
        assert_eq!(lines[2], "line 2: is_staff: \"maybe\" is neither true nor false");
        assert!(
            lines[3].starts_with("line 2: created_at: Datetime has wrong format")
                && lines[3].contains("\"soon\"")
        );
        assert_eq!(lines[4], "line 5: username: it is empty");
        assert_eq!(lines[5], "line 6: 2 cells, where the first line names 4 columns");
        assert!(lines[6].starts_with("line 7: created_at: Datetime is out of range."), "{error}");
        assert_eq!(lines[7], "line 8: a quote is opened and not closed");
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn a_spreadsheet_s_table_is_read() {
        let text = "\u{feff}\"username\",mobile_number,groups,is_staff,email,first_name\r\n\
            \"ann, lee\",'+1-555,1; Billing,Yes,,\"\"\"A\"\"\nnn\"\r\n";
        let records = read(text.as_bytes()).unwrap();
        let [Record::User(user)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(
            (user.username.as_str(), &user.email, user.is_staff),
            ("ann, lee", &Some(None), Some(true))
        );
        assert_eq!(user.first_name.as_deref(), Some("\"A\"\nnn"));
        assert_eq!(user.mobile_number, Some(Some("+1-555".to_owned())));
        assert_eq!(user.groups, Some(vec![Reference::Id(1), Reference::Name("Billing".to_owned())]));
    }
}
