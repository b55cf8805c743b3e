//! What is wrong with a file: all of it up to a bound, so that it can be corrected in one go.

use super::error::ImportError;

/// The most errors that are listed.
const LISTED: usize = 50;

/// The errors of a file, with their lines.
#[derive(Default)]
pub(super) struct FileErrors {
    listed: Vec<String>,
    count: usize,
}

impl FileErrors {
    /// Adds an error.
    pub(super) fn add(&mut self, line: u64, why: &str) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(format!("line {line}: {why}"));
        }
    }

    /// Fails if there are any.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        let Self { listed, count } = self;
        match listed.as_slice() {
            [] => Ok(()),
            [only] => Err(ImportError::Invalid(only.clone())),
            _ => {
                let more = count - listed.len();
                let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
                Err(ImportError::Invalid(format!("{count} errors:\n  {}{more}", listed.join("\n  "))))
            }
        }
    }

    /// Fails with an error after which the file cannot be read on, and those before it.
    pub(super) fn end_with(&mut self, line: u64, why: &str) -> ImportError {
        self.add(line, why);
        self.check().err().unwrap_or_else(|| ImportError::Invalid(why.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_listed_up_to_a_bound_and_all_are_counted() {
        let mut errors = FileErrors::default();
        assert!(errors.check().is_ok());
        errors.add(7, "no");
        assert_eq!(errors.check().unwrap_err().to_string(), "line 7: no");
        (8..=60).for_each(|line| errors.add(line, "no"));
        let text = errors.check().unwrap_err().to_string();
        assert!(text.starts_with("54 errors:\n  line 7: no\n  line 8: no\n"), "{text}");
        assert!(text.ends_with("\n  line 56: no\n  and 4 more"), "{text}");
    }
}
