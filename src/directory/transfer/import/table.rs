//! Reads users from comma-separated values (RFC 4180), UTF-8, whose first line names the columns: what spreadsheets and
//! other systems write. docs/records.md lists the columns.
//!
//! An empty cell is null where a field can be null, and left out elsewhere. Lines of JSON can express empty text.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::LazyLock;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::error::ImportError;
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
/// First characters that make a spreadsheet read a cell as a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>), and the mark that prevents it.
const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', MARK];
const MARK: char = '\'';

/// A file with comma-separated values.
pub struct CsvTable {
    file: StableFile,
    reader: Option<Reader<QuoteCheck<File>>>,
    columns: Vec<String>,
}

impl CsvTable {
    /// Names a file. It is opened when it is read.
    pub fn new(path: &Path) -> Self {
        Self { file: StableFile::new(path), reader: None, columns: Vec::new() }
    }
}

/// Returns a cell that no spreadsheet reads as a formula.
pub fn neutralised(text: &str) -> String {
    let mark = if text.starts_with(DANGEROUS) { "'" } else { "" };
    format!("{mark}{text}")
}

/// Returns the text that [`neutralised`] was given.
fn restored(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|text| text.starts_with(DANGEROUS)).unwrap_or(cell)
}

impl Source for CsvTable {
    fn describe(&self) -> String {
        self.file.name()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        let mut reader = ReaderBuilder::new().from_reader(QuoteCheck::new(self.file.open()?));
        let head = reader.headers().map_err(|error| invalid(&error))?;
        // Spreadsheets often begin a file with a byte order mark.
        self.columns =
            head.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
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
        self.reader = Some(reader);
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let (mut batch, mut row) = (Vec::new(), StringRecord::new());
        while batch.len() < BATCH && reader.read_record(&mut row).map_err(|error| invalid(&error))? {
            let line = row.position().map_or(0, csv::Position::line);
            batch.push(Record::User(
                user(&self.columns, &row)
                    .map_err(|why| ImportError::Invalid(format!("line {line}: {why}")))?,
            ));
        }
        Ok(if batch.is_empty() { None } else { Some(batch) })
    }
}

/// Checks that quotes are those of RFC 4180, section 2. If one were missing, the CSV reader would take the rest of the
/// file for one cell.
struct QuoteCheck<R> {
    from: R,
    state: QuoteState,
    line: u64,
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
    fn new(from: R) -> Self {
        Self { from, state: QuoteState::Start, line: 1 }
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
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
            (QuoteState::Start, 0xef | 0xbb | 0xbf) if self.line == 1 => QuoteState::Start,
            (QuoteState::Start | QuoteState::Unquoted, _) => QuoteState::Unquoted,
        };
        self.line += u64::from(byte == b'\n');
        Ok(())
    }
}

impl<R: Read> Read for QuoteCheck<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wrong = |line: u64, why| io::Error::new(ErrorKind::InvalidData, format!("line {line}: {why}"));
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

fn invalid(error: &csv::Error) -> ImportError {
    match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::InvalidData => {
            ImportError::Invalid(error.to_string())
        }
        csv::ErrorKind::Io(error) => ImportError::Unreadable(error.to_string()),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => ImportError::Invalid(format!(
            "line {}: {len} cells, where the first line names {expected_len} columns",
            pos.as_ref().map_or(0, csv::Position::line)
        )),
        csv::ErrorKind::Utf8 { pos, .. } => ImportError::Invalid(format!(
            "line {}: it is not UTF-8",
            pos.as_ref().map_or(0, csv::Position::line)
        )),
        _ => ImportError::Invalid(error.to_string()),
    }
}

fn user(columns: &[String], row: &StringRecord) -> Result<UserRecord, String> {
    let mut user = UserRecord::default();
    for (column, cell) in columns.iter().zip(row) {
        put(&mut user, column, restored(cell)).map_err(|why| format!("{column}: {why}"))?;
    }
    if user.username.is_empty() { Err("username: it is empty".to_owned()) } else { Ok(user) }
}

fn put(user: &mut UserRecord, column: &str, cell: &str) -> Result<(), String> {
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
    given.map(str::parse).transpose().map_err(|rule: Violation| rule.to_string())
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

    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Record>, ImportError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut table = CsvTable::new(file.path());
        table.rewind()?;
        Ok(table.next_batch()?.unwrap_or_default())
    }

    proptest! {
        #[test]
        fn a_neutralised_cell_begins_no_formula_and_can_be_restored(text in "[=+@'\t\r-]{0,3}\\PC{0,5}") {
            let cell = neutralised(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(restored(&cell), text);
        }
    }

    #[test]
    fn faults_name_their_line_and_column() {
        for (text, expected) in [
            (&b"username,age\n"[..], "there is no column \"age\""),
            (b"username,username\n", "the column username appears twice"),
            (b"email\nx\n", "username among them"),
            (b"id,username\n1,a\nx,b\n", "line 3: id: \"x\" is not a 64-bit number"),
            (b"id,username\n1\n", "line 2: 1 cells, where the first line names 2 columns"),
            (b"username,is_staff\na,perhaps\n", "line 2: is_staff: \"perhaps\" is neither"),
            (b"username,created_at\na,yesterday\n", "line 2: created_at: Datetime has wrong format"),
            (b"username,email\n,x\n", "line 2: username: it is empty"),
            (b"username\n\xff\n", "line 2: it is not UTF-8"),
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
