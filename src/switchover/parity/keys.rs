//! The keys of the requests. They are read one at a time, however many there are, and never printed in full.
//!
//! Never in here: the requests, or a database.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::ParityError;
use crate::paths::remedy;

/// The longest line of a key file, in bytes, so that a wrong file is noticed before it fills the memory.
const MAX_LINE: usize = 4096;
/// A shorter key is not even shown in part, because the rest would be easy to guess.
const MIN_SHOWN: usize = 16;

/// Keys, read one after the other on a thread of their own, because reading may block. An error ends the run.
pub type Keys = Box<dyn Iterator<Item = Result<ProbeKey, ParityError>> + Send>;

/// The key of a token, and where it was found.
pub struct ProbeKey {
    secret: Zeroizing<String>,
    /// Where it was found, such as `line 17`.
    pub(super) source: String,
}

impl ProbeKey {
    /// Accepts what an `Authorization` header can carry: visible ASCII. The error does not quote the key.
    pub(super) fn new(secret: &[u8], source: String) -> Result<Self, &'static str> {
        if secret.iter().any(u8::is_ascii_whitespace) {
            return Err("contains white space; give only the key, without the word Token");
        }
        match std::str::from_utf8(secret) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self { secret: Zeroizing::new(text.to_owned()), source })
            }
            _ => Err("contains characters other than visible ASCII, which no key does"),
        }
    }

    /// Returns the key, for the request only.
    pub(super) fn reveal(&self) -> &str {
        &self.secret
    }

    /// Formats the key for people: its first and last four characters.
    pub(super) fn shown(&self) -> String {
        let text = self.reveal();
        match (text.get(..4), text.len().checked_sub(4).and_then(|end| text.get(end..))) {
            (Some(first), Some(last)) if text.len() >= MIN_SHOWN => format!("{first}...{last}"),
            _ => "***".to_owned(),
        }
    }
}

/// Reads the keys of a file, one per line, and their number if it can be known. `-` is standard input.
///
/// A regular file is checked completely before its first key is used, so that an error at its end is reported before anything
/// is sent. Input that can be read only once is checked while it is read.
pub fn from_file(path: &Path) -> Result<(Keys, Option<u64>), ParityError> {
    if path.as_os_str() == "-" {
        return Ok((stream(KeyLines::new(BufReader::new(io::stdin()), "standard input".to_owned()))?, None));
    }
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    if !file.metadata().map_err(|error| unreadable(&name, &error))?.is_file() {
        return Ok((stream(KeyLines::new(BufReader::new(file), name))?, None));
    }
    let mut total = 0;
    for key in KeyLines::new(BufReader::new(&mut file), name.clone()) {
        key?;
        total += 1;
    }
    file.rewind().map_err(|error| unreadable(&name, &error))?;
    Ok((Box::new(KeyLines::new(BufReader::new(file), name)), Some(total)))
}

/// Takes a sample of keys from a database, and returns their number as well.
pub fn sampled(secrets: Vec<String>) -> Result<(Keys, Option<u64>), ParityError> {
    if secrets.is_empty() {
        return Err(ParityError::Usage("the source contains no keys in clear text: use --tokens".to_owned()));
    }
    let total = secrets.len() as u64;
    let keys: Vec<ProbeKey> = secrets
        .iter()
        .zip(1..)
        .map(|(secret, number)| {
            ProbeKey::new(secret.as_bytes(), format!("key {number} of the sample"))
                .map_err(|why| ParityError::Usage(format!("key {number} of the sample {why}")))
        })
        .collect::<Result<_, _>>()?;
    Ok((Box::new(keys.into_iter().map(Ok)), Some(total)))
}

/// Takes keys that can be read only once. The first one is read now, because most errors show there.
fn stream(mut keys: KeyLines<impl BufRead + Send + 'static>) -> Result<Keys, ParityError> {
    let first = keys.next().transpose()?;
    Ok(Box::new(first.map(Ok).into_iter().chain(keys)))
}

fn unreadable(name: &str, error: &io::Error) -> ParityError {
    ParityError::Usage(format!("cannot read the keys in {name}: {error}: {}", remedy(error)))
}

/// The keys of a text, one per line. Blank lines and lines that begin with `#` are skipped.
struct KeyLines<R> {
    input: R,
    name: String,
    number: u64,
    found: bool,
    ended: bool,
}

impl<R: BufRead> KeyLines<R> {
    fn new(input: R, name: String) -> Self {
        Self { input, name, number: 0, found: false, ended: false }
    }

    /// Reads the next key; `None` at the end.
    fn read(&mut self) -> Result<Option<ProbeKey>, ParityError> {
        loop {
            // Room for a line of maximum length, its newline, and one byte too many.
            let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE + 2));
            let mut piece = (&mut self.input).take(MAX_LINE as u64 + 2);
            piece.read_until(b'\n', &mut line).map_err(|error| unreadable(&self.name, &error))?;
            if line.is_empty() && self.found {
                return Ok(None);
            }
            if line.is_empty() {
                let message = format!("{} contains no key: give one per line", self.name);
                return Err(ParityError::Usage(message));
            }
            self.number += 1;
            let invalid =
                |why: &str| ParityError::Usage(format!("{}: line {} {why}", self.name, self.number));
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if text.len() > MAX_LINE {
                return Err(invalid(&format!("is longer than {MAX_LINE} bytes")));
            }
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let key = ProbeKey::new(text, format!("line {}", self.number)).map_err(invalid)?;
            self.found = true;
            return Ok(Some(key));
        }
    }
}

impl<R: BufRead> Iterator for KeyLines<R> {
    type Item = Result<ProbeKey, ParityError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `line:key` of each key, and the error at the end.
    fn read(text: &[u8]) -> (Vec<String>, String) {
        let (mut good, mut bad) = (vec![], String::new());
        for key in KeyLines::new(text, "keys".to_owned()) {
            match key {
                Ok(key) => good.push(format!("{}:{}", key.source, key.reveal())),
                Err(error) => bad = error.to_string(),
            }
        }
        (good, bad)
    }

    #[test]
    fn one_key_a_line_and_comments_between() {
        let (good, bad) = read(b"# mine\n\nabc\r\n  \t\n def \n#x y\nlast");
        assert_eq!(
            (good, bad.as_str()),
            (vec!["line 3:abc".into(), "line 5:def".into(), "line 7:last".into()], "")
        );
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        let long = [b"a\n#".to_vec(), vec![b'x'; MAX_LINE]].concat();
        for (text, message) in [
            (&b""[..], "keys contains no key: give one per line"),
            (b"# only\n\n", "keys contains no key: give one per line"),
            (
                b"abc\nToken def\n",
                "keys: line 2 contains white space; give only the key, without the word Token",
            ),
            (b"a\tb", "keys: line 1 contains white space; give only the key, without the word Token"),
            (
                b"\xef\xbb\xbfabc\n",
                "keys: line 1 contains characters other than visible ASCII, which no key does",
            ),
            (b"a\n\nk\x00y", "keys: line 3 contains characters other than visible ASCII, which no key does"),
            (b"\xff", "keys: line 1 contains characters other than visible ASCII, which no key does"),
            (&long, "keys: line 2 is longer than 4096 bytes"),
        ] {
            assert_eq!(read(text).1, message);
        }
        let longest = [vec![b'x'; MAX_LINE], b"\nb\n".to_vec()].concat();
        assert_eq!((read(&longest).0.len(), read(&longest).1.as_str()), (2, ""));
    }

    #[test]
    fn a_key_is_recognised_and_not_given_away() {
        let shown = |text: &str| ProbeKey::new(text.as_bytes(), String::new()).unwrap().shown();
        assert_eq!(shown("f4e75eab6e0f663a972d145478d6fc4b81762070"), "f4e7...2070");
        assert_eq!(
            (shown("0123456789abcde"), shown("0123456789abcdef")),
            ("***".into(), "0123...cdef".into())
        );
    }
}
