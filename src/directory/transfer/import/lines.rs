//! Reads records from lines of JSON, one object a line (<https://jsonlines.org>), UTF-8: what `wardroom export` writes.
//! docs/records.md describes the form.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::error::ImportError;
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
}

impl JsonLines {
    /// Names a file. It is opened when it is read.
    pub fn new(path: &Path) -> Self {
        Self { file: StableFile::new(path), reader: None, number: 0 }
    }

    /// Reads the next line that is not empty, and whether it has a line end.
    fn line(&mut self) -> Result<Option<(Vec<u8>, bool)>, ImportError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        loop {
            let mut line = Vec::new();
            let read = std::io::Read::take(&mut *reader, LONGEST).read_until(b'\n', &mut line);
            let read =
                read.map_err(|error| ImportError::Unreadable(format!("{}: {error}", self.file.name())))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let is_whole = line.last() == Some(&b'\n');
            if !is_whole && line.len() as u64 >= LONGEST {
                return Err(ImportError::Invalid(format!(
                    "line {} is longer than {LONGEST} bytes",
                    self.number
                )));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some((line, is_whole)));
            }
        }
    }

    fn record(&self, line: &[u8], is_whole: bool) -> Result<Record, ImportError> {
        let wrong = |why: String| ImportError::Invalid(format!("line {}: {why}", self.number));
        let text = str::from_utf8(line).map_err(|error| wrong(format!("it is not UTF-8: {error}")))?;
        // Some editors put a byte order mark in front of a file.
        let text = text.strip_prefix('\u{feff}').filter(|_| self.number == 1).unwrap_or(text);
        let record = serde_json::from_str(text).map_err(|error| match is_whole {
            // The parser's own line number is always 1.
            true => wrong(error.to_string().replace(" at line 1 column", " at column")),
            false => wrong("it is the last one and is cut off; write the file again".to_owned()),
        })?;
        match &record {
            Record::Wardroom(header) if header.version != VERSION => Err(wrong(format!(
                "the records are of version {}, this program reads version {VERSION}",
                header.version
            ))),
            Record::Wardroom(_) if self.number != 1 => {
                Err(wrong("a header belongs into the first line".to_owned()))
            }
            _ => Ok(record),
        }
    }
}

impl Source for JsonLines {
    fn describe(&self) -> String {
        self.file.name()
    }

    fn rewind(&mut self) -> Result<(), ImportError> {
        self.reader = Some(BufReader::with_capacity(1 << 16, self.file.open()?));
        self.number = 0;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<Vec<Record>>, ImportError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some((line, is_whole)) = self.line()? else { break };
            batch.push(self.record(&line, is_whole)?);
        }
        Ok(if batch.is_empty() { None } else { Some(batch) })
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
        Ok(lines.next_batch()?.unwrap_or_default())
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
            (b"[]\n", "line 1: missing field `type`"),
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
