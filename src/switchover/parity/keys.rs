//! The keys to ask with: read one at a time, however many there are, and never printed whole.
//!
//! Never in here: what is asked with them, or a database; a reader of one makes [`Keys`] of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::ParityError;

/// The longest line of a key file, in bytes: a file of another kind is noticed before it fills the memory.
const LONGEST_LINE: usize = 4096;
/// A shorter key is not shown in part: too little of it would be left to guess.
const SHOWN_FROM: usize = 16;

/// Keys, one after the other, read on a thread of their own, which they may block. An error ends the run.
pub type Keys = Box<dyn Iterator<Item = Result<Key, ParityError>> + Send>;

/// The key of somebody's token, and where it was found.
pub struct Key {
    secret: Zeroizing<String>,
    /// Where it was found, such as `line 17`.
    pub(super) source: String,
}

impl Key {
    /// Takes what can stand in an `Authorization` header: visible ASCII. The error says what is wrong without
    /// showing it.
    pub(super) fn new(secret: &[u8], source: String) -> Result<Self, &'static str> {
        if secret.iter().any(u8::is_ascii_whitespace) {
            return Err("holds white space; give the key alone, without the word Token");
        }
        match std::str::from_utf8(secret) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self { secret: Zeroizing::new(text.to_owned()), source })
            }
            _ => Err("holds something else than visible ASCII characters, which no key does"),
        }
    }

    /// The key itself, for the request alone.
    pub(super) fn reveal(&self) -> &str {
        &self.secret
    }

    /// What people recognise it by: its first and last four characters.
    pub(super) fn shown(&self) -> String {
        let text = self.reveal();
        match (text.get(..4), text.len().checked_sub(4).and_then(|end| text.get(end..))) {
            (Some(first), Some(last)) if text.len() >= SHOWN_FROM => format!("{first}...{last}"),
            _ => "***".to_owned(),
        }
    }
}

/// The keys of a file, one a line, and how many there are if that can be known; `-` is standard input.
///
/// A file is read through once before its first key is used, so that a fault at its end is told before anything is
/// sent. What can be read only once, such as standard input, is checked on the way.
pub fn from_file(path: &Path) -> Result<(Keys, Option<u64>), ParityError> {
    if path.as_os_str() == "-" {
        return Ok((once(Lines::new(BufReader::new(io::stdin()), "standard input".to_owned()))?, None));
    }
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    if !file.metadata().map_err(|error| unreadable(&name, &error))?.is_file() {
        return Ok((once(Lines::new(BufReader::new(file), name))?, None));
    }
    let mut total = 0;
    for key in Lines::new(BufReader::new(&mut file), name.clone()) {
        key?;
        total += 1;
    }
    file.rewind().map_err(|error| unreadable(&name, &error))?;
    Ok((Box::new(Lines::new(BufReader::new(file), name)), Some(total)))
}

/// Keys that were drawn from a database, and how many they are.
pub fn drawn(secrets: Vec<String>) -> Result<(Keys, Option<u64>), ParityError> {
    if secrets.is_empty() {
        return Err(ParityError::Usage(
            "the source holds no keys in clear: give some with --tokens".to_owned(),
        ));
    }
    let total = secrets.len() as u64;
    let keys: Vec<Key> = secrets
        .iter()
        .zip(1..)
        .map(|(secret, number)| {
            Key::new(secret.as_bytes(), format!("key {number} of the sample"))
                .map_err(|why| ParityError::Usage(format!("key {number} of the sample {why}")))
        })
        .collect::<Result<_, _>>()?;
    Ok((Box::new(keys.into_iter().map(Ok)), Some(total)))
}

/// Keys that can be read only once; the first one is read now, since most faults show there.
fn once(mut keys: Lines<impl BufRead + Send + 'static>) -> Result<Keys, ParityError> {
    let first = keys.next().transpose()?;
    Ok(Box::new(first.map(Ok).into_iter().chain(keys)))
}

fn unreadable(name: &str, error: &io::Error) -> ParityError {
    ParityError::Usage(format!("the keys in {name} cannot be read: {error}"))
}

/// The keys of a text, one a line. Blank lines and those that begin with `#` say nothing.
struct Lines<R> {
    input: R,
    name: String,
    number: u64,
    found: bool,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R, name: String) -> Self {
        Self { input, name, number: 0, found: false, ended: false }
    }

    /// The next key; `None` at the end.
    fn read(&mut self) -> Result<Option<Key>, ParityError> {
        loop {
            // A line of full length, its end, and one byte that is too much.
            let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE + 2));
            let mut piece = (&mut self.input).take(LONGEST_LINE as u64 + 2);
            piece.read_until(b'\n', &mut line).map_err(|error| unreadable(&self.name, &error))?;
            if line.is_empty() && self.found {
                return Ok(None);
            }
            if line.is_empty() {
                let told = format!("{} holds no key: give one a line", self.name);
                return Err(ParityError::Usage(told));
            }
            self.number += 1;
            let wrong = |why: &str| ParityError::Usage(format!("{}: line {} {why}", self.name, self.number));
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if text.len() > LONGEST_LINE {
                return Err(wrong(&format!("is longer than {LONGEST_LINE} bytes")));
            }
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let key = Key::new(text, format!("line {}", self.number)).map_err(wrong)?;
            self.found = true;
            return Ok(Some(key));
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Key, ParityError>;

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

    /// `line:key` of each key, and what was wrong at the end.
    fn read(text: &[u8]) -> (Vec<String>, String) {
        let (mut good, mut bad) = (vec![], String::new());
        for key in Lines::new(text, "keys".to_owned()) {
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
        let long = [b"a\n#".to_vec(), vec![b'x'; LONGEST_LINE]].concat();
        for (text, told) in [
            (&b""[..], "keys holds no key: give one a line"),
            (b"# only\n\n", "keys holds no key: give one a line"),
            (
                b"abc\nToken def\n",
                "keys: line 2 holds white space; give the key alone, without the word Token",
            ),
            (b"a\tb", "keys: line 1 holds white space; give the key alone, without the word Token"),
            (
                b"\xef\xbb\xbfabc\n",
                "keys: line 1 holds something else than visible ASCII characters, which no key does",
            ),
            (
                b"a\n\nk\x00y",
                "keys: line 3 holds something else than visible ASCII characters, which no key does",
            ),
            (b"\xff", "keys: line 1 holds something else than visible ASCII characters, which no key does"),
            (&long, "keys: line 2 is longer than 4096 bytes"),
        ] {
            assert_eq!(read(text).1, told);
        }
        let longest = [vec![b'x'; LONGEST_LINE], b"\nb\n".to_vec()].concat();
        assert_eq!((read(&longest).0.len(), read(&longest).1.as_str()), (2, ""));
    }

    #[test]
    fn a_key_is_recognised_and_not_given_away() {
        let shown = |text: &str| Key::new(text.as_bytes(), String::new()).unwrap().shown();
        assert_eq!(shown("f4e75eab6e0f663a972d145478d6fc4b81762070"), "f4e7...2070");
        assert_eq!(
            (shown("0123456789abcde"), shown("0123456789abcdef")),
            ("***".into(), "0123...cdef".into())
        );
    }
}
