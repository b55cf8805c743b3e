//! Reads records from lines of JSON, one object a line (<https://jsonlines.org>), UTF-8: what `wardroom export` writes.
//! docs/records.md describes the form.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::error::ImportError;
use super::file_errors::FileErrors;
use super::source::Source;
use super::stable_file::StableFile;
use crate::directory::transfer::record::{Record, VERSION};

/// Records in a batch.
const BATCH: usize = 2000;
/// The most bytes in a line. The largest records have some kilobytes.
const LONGEST: u64 = 1 << 20;

/// A file with lines of JSON.
pub struct JsonLines {
    file: StableFile,
    reader: Option<BufReader<File>>,
    number: u64,
    /// Whether a line was read.
    has_begun: bool,
    errors: FileErrors,
}

/// A line of a file.
struct FileLine {
    bytes: Vec<u8>,
    /// Whether it has a line end.
    is_whole: bool,
}

impl JsonLines {
    /// Names a file. It is opened when it is read.
    pub fn new(path: &Path) -> Self {
        Self {
            file: StableFile::new(path),
            reader: None,
            number: 0,
            has_begun: false,
            errors: FileErrors::default(),
        }
    }

    /// Reads the next line that is neither blank nor too long.
    fn line(&mut self) -> Result<Option<FileLine>, ImportError> {
        let name = self.file.name();
        let unreadable = |error: io::Error| ImportError::Unreadable(format!("{name}: {error}"));
        let Some(reader) = &mut self.reader else { return Ok(None) };
        loop {
            let mut bytes = Vec::new();
            let read = Read::take(&mut *reader, LONGEST).read_until(b'\n', &mut bytes).map_err(unreadable)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_whole = bytes.last() == Some(&b'\n');
            if !is_whole && bytes.len() as u64 >= LONGEST {
                self.errors.add(self.number, &format!("it is longer than {LONGEST} bytes"));
                reader.skip_until(b'\n').map_err(unreadable)?;
            } else if !bytes.trim_ascii().is_empty() {
                self.check_form(&bytes)?;
                return Ok(Some(FileLine { bytes, is_whole }));
            }
        }
    }

    /// Refuses a file whose first line shows that it is JSON of another form, in which every line would be wrong.
    fn check_form(&mut self, line: &[u8]) -> Result<(), ImportError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let name = self.file.name();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii();
        let (form, filter) = match line {
            [b'[', ..] => ("one JSON array", "-c '.[]'"),
            b"{" => ("JSON of several lines for each object", "-c ."),
            _ => return Ok(()),
        };
        Err(ImportError::Invalid(format!(
            "line {}: this is {form}, and an import reads one object in each line; convert it: jq {filter} {name} > {name}l",
            self.number
        )))
    }

    /// Parses a line, or returns everything that is wrong with it.
    fn record(&self, FileLine { bytes, is_whole }: &FileLine) -> Result<Record, Vec<String>> {
        let text = str::from_utf8(bytes).map_err(|error| vec![format!("it is not UTF-8: {error}")])?;
        // Some editors put a byte order mark in front of a file.
        let text = text.strip_prefix('\u{feff}').filter(|_| self.number == 1).unwrap_or(text);
        let record = serde_json::from_str(text).map_err(|error| match is_whole {
            // The parser's own line number is always 1.
            true => wrong_fields(text, &error.to_string().replace(" at line 1 column", " at column")),
            false => vec!["it is the last one and is cut off; write the file again".to_owned()],
        })?;
        match &record {
            Record::Wardroom(header) if header.version != VERSION => Err(vec![format!(
                "the records are of version {}, this program reads version {VERSION}",
                header.version
            )]),
            Record::Wardroom(_) if self.number != 1 => {
                Err(vec!["a header belongs into the first line".to_owned()])
            }
            _ => Ok(record),
        }
    }
}

/// The most fields of an object whose errors are all looked for.
const FIELDS: usize = 64;

/// Returns the errors of all fields of an object, which the parser reports one at a time. A field is wrong if without it
/// the error is another one.
fn wrong_fields(text: &str, first: &str) -> Vec<String> {
    let mut fields = match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(fields) if fields.len() <= FIELDS => fields,
        _ => return vec![first.to_owned()],
    };
    let error_of = |fields: &Map<String, Value>| {
        Record::deserialize(&Value::Object(fields.clone())).err().map(|error| error.to_string())
    };
    let (mut errors, mut removed) = (Vec::new(), Vec::new());
    while let Some(error) = error_of(&fields) {
        let wrong = fields.keys().filter(|name| *name != "type").find(|name| {
            let others = fields.iter().filter(|(other, _)| other != name);
            error_of(&others.map(|(name, value)| (name.clone(), value.clone())).collect()).as_ref()
                != Some(&error)
        });
        let Some(wrong) = wrong.cloned() else {
            let is_new = !removed.iter().any(|name| error == format!("missing field `{name}`"));
            errors.extend(is_new.then_some(error));
            break;
        };
        let names_it = error.contains(&format!("`{wrong}`"));
        errors.push(if names_it { error } else { format!("{wrong}: {error}") });
        fields.remove(&wrong);
        removed.push(wrong);
    }
    if errors.len() > 1 { errors } else { vec![errors.pop().unwrap_or_else(|| first.to_owned())] }
}

impl Source for JsonLines {
    fn describe(&self) -> String {
        self.file.name()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        self.reader = Some(BufReader::with_capacity(1 << 16, self.file.open()?));
        (self.number, self.has_begun, self.errors) = (0, false, FileErrors::default());
        Ok(())
    }

    /// Lines with errors are left out. At the end of the file all errors are reported together.
    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(line) = self.line()? else { break };
            match self.record(&line) {
                Ok(record) => batch.push(record),
                Err(errors) => errors.iter().for_each(|why| self.errors.add(self.number, why)),
            }
        }
        if batch.is_empty() {
            self.errors.check()?;
            return Ok(None);
        }
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Record>, ImportError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut lines = JsonLines::new(file.path());
        lines.rewind()?;
        let mut records = Vec::new();
        while let Some(batch) = lines.next_batch()? {
            records.extend(batch);
        }
        Ok(records)
    }

    #[test]
    fn faults_name_their_line() {
        for (text, expected) in [
            (
                &b"\n{\"type\":\"user\",\"username\":\"a\"}\n{\"type\":\"usr\"}\n"[..],
                "line 3: unknown variant `usr`",
            ),
            (b"{\"type\":\"user\",\"username\":\"a\"", "line 1: it is the last one and is cut off"),
            (b"{\"type\":\"user\",\"username\":\"a\",\"age\":3}\n", "line 1: unknown field `age`"),
            (b"{\"type\":\"user\"}\n", "line 1: missing field `username`"),
            (b"{\"type\":\"user\",\"username\":\"\xff\"}\n", "line 1: it is not UTF-8"),
            (b"{\"type\":\"wardroom\",\"version\":9}\n", "line 1: the records are of version 9"),
            (
                b"{\"type\":\"user\",\"username\":\"a\"}\n{\"type\":\"wardroom\",\"version\":1}\n",
                "line 2: a header belongs",
            ),
            (
                b"[]\n",
                "line 1: this is one JSON array, and an import reads one object in each line; convert it: jq -c '.[]' ",
            ),
            (b"\n\xef\xbb\xbf[\n  {\"type\":\"user\"},\n", "line 2: this is one JSON array"),
            (b"[{\"type\":\"user\",\"username\":\"a\"}]", "line 1: this is one JSON array"),
            (b"{\n  \"type\": \"user\"\n}\n", "line 1: this is JSON of several lines for each object"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            read(
                &[b"{\"type\":\"user\",\"username\":\"".as_slice(), &vec![b'a'; 1 << 20], b"\"}\n"].concat()
            )
            .unwrap_err()
            .to_string()
            .contains("longer than")
        );
    }

    #[test]
    fn all_errors_of_a_file_are_reported_together() {
        let text = [
            "{\"type\":\"user\",\"username\":\"a\"}",
            "{\"type\":\"user\",\"username\":5,\"is_staff\":\"yes\",\"created_at\":\"10000-01-01T00:00:00Z\",\"age\":1}",
            "",
            "{\"type\":\"group\"",
            &"x".repeat(1 << 20),
            "{\"type\":\"token\",\"user\":{}}",
            "{\"type\":\"user\",\"username\":\"b\",\"last_login\":\"9999-12-31T23:59:59-01:00\"}\n",
        ]
        .join("\r\n");
        let error = read(text.as_bytes()).unwrap_err().to_string();
        let lines: Vec<_> = error.lines().map(str::trim).collect();
        for expected in [
            "line 2: username: invalid type: integer `5`, expected a string",
            "line 2: is_staff: invalid type: string \"yes\", expected a boolean",
            "line 2: created_at: \"10000-01-01T00:00:00Z\": Datetime is out of range. The latest is 9999-12-31T23:59:59.999999Z.",
            "line 4: EOF while parsing an object",
            "line 5: it is longer than 1048576 bytes",
            "line 6: user: data did not match any variant",
            "line 7: last_login: \"9999-12-31T23:59:59-01:00\": Datetime is out of range.",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected}: {error}");
        }
        assert!(lines.iter().any(|line| line.starts_with("line 2: unknown field `age`")), "{error}");
        assert_eq!(lines.len(), 9, "{error}");
    }

    #[test]
    fn a_byte_order_mark_in_front_of_a_file_is_ignored() {
        let mark = "\u{feff}";
        let line = r#"{"type":"user","username":"a"}"#;
        assert_eq!(read(format!("{mark}{line}\n{line}\n").as_bytes()).unwrap().len(), 2);
        assert!(read(format!("{line}\n{mark}{line}\n").as_bytes()).is_err());
    }

    #[test]
    fn left_out_and_null_are_told_apart() {
        let records = read(b"{\"type\":\"user\",\"username\":\"a\",\"email\":null,\"gender\":\"\"}").unwrap();
        let [Record::User(user)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(
            (&user.email, &user.gender, &user.mobile_number),
            (&Some(None), &Some(Some(String::new())), &None)
        );
    }
}
