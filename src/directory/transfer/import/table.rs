//! Users as a table with commas (RFC 4180), UTF-8, whose first line names the columns: what spreadsheets and other
//! systems write. docs/records.md tells the columns.
//!
//! An empty cell is null where a field can be null, and left out elsewhere; who needs empty text uses lines of JSON.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord};

use super::lines::Stable;
use super::report::Notices;
use super::{ImportError, Source};
use crate::directory::model::Timestamp;
use crate::directory::transfer::record::{Record, Reference, UserRecord};

/// The columns there are, in the order an export has them.
pub const COLUMNS: [&str; 17] = [
    "id",
    "username",
    "mobile_number",
    "email",
    "avatar",
    "first_name",
    "last_name",
    "gender",
    "groups",
    "last_login",
    "created_at",
    "updated_at",
    "is_active",
    "is_staff",
    "is_admin",
    "permissions",
    "password",
];

/// Between the members of a list in one cell.
pub const LIST: char = ';';
/// Records handed over at once.
const BATCH: usize = 2000;
/// What makes a spreadsheet take a cell for a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>), and the mark that keeps it from doing so.
const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', MARK];
const MARK: char = '\'';

/// A table in a file.
pub struct Table {
    file: Stable,
    reader: Option<Reader<Quotes<File>>>,
    columns: Vec<String>,
}

impl Table {
    /// Of the file at this path. It is opened when it is read.
    pub fn new(path: &Path) -> Self {
        Self { file: Stable::new(path), reader: None, columns: Vec::new() }
    }
}

/// A cell that no spreadsheet takes for a formula.
pub fn neutralised(text: &str) -> String {
    let mark = if text.starts_with(DANGEROUS) { "'" } else { "" };
    format!("{mark}{text}")
}

/// The text that [`neutralised`] was given.
fn restored(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|text| text.starts_with(DANGEROUS)).unwrap_or(cell)
}

impl Source for Table {
    fn describe(&self) -> String {
        self.file.name()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        let mut reader = ReaderBuilder::new().from_reader(Quotes::new(self.file.open()?));
        let head = reader.headers().map_err(|error| wrong(&error))?;
        // Spreadsheets like to begin a file with a byte order mark.
        self.columns =
            head.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        for (place, name) in self.columns.iter().enumerate() {
            if !COLUMNS.contains(&name.as_str()) {
                return Err(ImportError::Wrong(format!(
                    "there is no column {name:?}; there are {}",
                    COLUMNS.join(", ")
                )));
            }
            if self.columns.iter().take(place).any(|other| other == name) {
                return Err(ImportError::Wrong(format!("the column {name} comes twice")));
            }
        }
        if !self.columns.iter().any(|name| name == "username") {
            return Err(ImportError::Wrong(
                "the first line must name the columns, username among them".to_owned(),
            ));
        }
        self.reader = Some(reader);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let (mut batch, mut row) = (Vec::new(), StringRecord::new());
        while batch.len() < BATCH && reader.read_record(&mut row).map_err(|error| wrong(&error))? {
            let line = row.position().map_or(0, csv::Position::line);
            batch.push(Record::User(
                user(&self.columns, &row).map_err(|why| ImportError::Wrong(format!("line {line}: {why}")))?,
            ));
        }
        Ok(if batch.is_empty() { None } else { Some(batch) })
    }

    fn notices(&mut self) -> Notices {
        Notices::default()
    }

    fn total(&self) -> Option<u64> {
        None
    }
}

/// Bytes whose quotes are those of RFC 4180, section 2: where one is missing, the reader of tables would take the rest of
/// the file for one cell.
struct Quotes<R> {
    from: R,
    place: Place,
    line: u64,
}

/// Where in a table a byte stands.
#[derive(Clone, Copy)]
enum Place {
    Beginning,
    Bare,
    /// In a cell whose quote was opened in this line.
    Quoted(u64),
    /// After a quote in such a cell.
    Closed(u64),
}

impl<R> Quotes<R> {
    fn new(from: R) -> Self {
        Self { from, place: Place::Beginning, line: 1 }
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        self.place = match (self.place, byte) {
            (Place::Quoted(opened), b'"') => Place::Closed(opened),
            (Place::Quoted(opened), _) => Place::Quoted(opened),
            (Place::Closed(opened), b'"') => Place::Quoted(opened),
            (_, b',' | b'\r' | b'\n') => Place::Beginning,
            (Place::Beginning, b'"') => Place::Quoted(self.line),
            (Place::Closed(_), _) => return Err("there is text after a closing quote"),
            (Place::Bare, b'"') => return Err("there is a quote in a cell that does not begin with one"),
            // A byte order mark.
            (Place::Beginning, 0xef | 0xbb | 0xbf) if self.line == 1 => Place::Beginning,
            (Place::Beginning | Place::Bare, _) => Place::Bare,
        };
        self.line += u64::from(byte == b'\n');
        Ok(())
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wrong = |line: u64, why| io::Error::new(ErrorKind::InvalidData, format!("line {line}: {why}"));
        let length = self.from.read(buffer)?;
        if let (0, false, Place::Quoted(opened)) = (length, buffer.is_empty(), self.place) {
            return Err(wrong(opened, "a quote is opened and not closed"));
        }
        for byte in buffer.iter().take(length) {
            self.step(*byte).map_err(|why| wrong(self.line, why))?;
        }
        Ok(length)
    }
}

fn wrong(error: &csv::Error) -> ImportError {
    match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::InvalidData => {
            ImportError::Wrong(error.to_string())
        }
        csv::ErrorKind::Io(error) => ImportError::Unreadable(error.to_string()),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => ImportError::Wrong(format!(
            "line {}: {len} cells, where the first line names {expected_len} columns",
            pos.as_ref().map_or(0, csv::Position::line)
        )),
        csv::ErrorKind::Utf8 { pos, .. } => ImportError::Wrong(format!(
            "line {}: it is not UTF-8",
            pos.as_ref().map_or(0, csv::Position::line)
        )),
        _ => ImportError::Wrong(error.to_string()),
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
        "mobile_number" => user.mobile_number = Some(text()),
        "email" => user.email = Some(text()),
        "avatar" => user.avatar = Some(text()),
        "first_name" => user.first_name = text(),
        "last_name" => user.last_name = text(),
        "gender" => user.gender = Some(text()),
        "groups" => {
            user.groups =
                Some(list(cell).map(reference).collect()).filter(|groups: &Vec<_>| !groups.is_empty())
        }
        "last_login" => user.last_login = Some(moment(cell)?),
        "created_at" => user.created_at = moment(cell)?,
        "updated_at" => user.updated_at = moment(cell)?,
        "is_active" => user.is_active = boolean(cell)?,
        "is_staff" => user.is_staff = boolean(cell)?,
        "is_admin" => user.is_admin = boolean(cell)?,
        "permissions" if !cell.trim().is_empty() => {
            user.permissions =
                Some(list(cell).map(|code| number(code)?.ok_or_else(String::new)).collect::<Result<_, _>>()?);
        }
        "permissions" => {}
        _ => user.password = text(),
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

fn moment(cell: &str) -> Result<Option<Timestamp>, String> {
    let given = Some(cell.trim()).filter(|cell| !cell.is_empty());
    given.map(str::parse).transpose().map_err(|rule: crate::directory::model::Violation| rule.to_string())
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
        let mut table = Table::new(file.path());
        table.rewind()?;
        Ok(table.next()?.unwrap_or_default())
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
        for (text, told) in [
            (&b"username,age\n"[..], "there is no column \"age\""),
            (b"username,username\n", "the column username comes twice"),
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
            let fault = read(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{fault}");
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
