//! What spreadsheets do to a table: other separators, formulas, shortened numbers.

use std::io::{BufRead as _, BufReader, Read};

use crate::directory::transfer::import::error::ImportError;

/// First characters that make a spreadsheet read a cell as a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>), and the mark that prevents it.
const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', MARK];
const MARK: char = '\'';

/// Refuses a first line that other characters than commas separate: spreadsheets write them in many countries.
pub(super) fn check_separator(line: &str, columns: &[&str]) -> Result<(), ImportError> {
    for (separator, name) in [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")] {
        if line.split(separator).any(|part| columns.contains(&part.trim_matches(['"', ' '])))
            && line.contains(separator)
        {
            return Err(ImportError::Invalid(format!(
                "{name} separate the columns, where commas must: save the table again with commas (in LibreOffice: Save As, \
                 Text CSV, Edit filter settings, Field delimiter), or convert it: \
                 python3 -c \"import csv, sys; csv.writer(sys.stdout).writerows(csv.reader(sys.stdin, delimiter='{}'))\" < FILE > NEW",
                separator.escape_default()
            )));
        }
    }
    Ok(())
}

/// Returns the first line of a file, up to 64 KiB.
pub(super) fn first_line(file: impl Read) -> Result<String, ImportError> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(file.take(1 << 16));
    reader.read_until(b'\n', &mut line).map_err(|error| ImportError::Unreadable(error.to_string()))?;
    Ok(String::from_utf8_lossy(&line).trim_start_matches('\u{feff}').trim().to_owned())
}

/// Whether a spreadsheet has shortened a long number, such as a phone number: `4.9E+12` instead of 4915112345678.
pub(super) fn is_shortened(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let cell = cell.trim().to_ascii_uppercase().replace(',', ".");
    let Some((value, exponent)) = cell.split_once("E+") else { return false };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    digits(whole.trim_start_matches('-')) && digits(fraction) && digits(exponent)
}

/// Returns a cell that no spreadsheet reads as a formula.
pub fn neutralised(text: &str) -> String {
    let mark = if text.starts_with(DANGEROUS) { "'" } else { "" };
    format!("{mark}{text}")
}

/// Returns the text that [`neutralised`] was given.
pub(super) fn restored(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|text| text.starts_with(DANGEROUS)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_neutralised_cell_begins_no_formula_and_can_be_restored(text in "[=+@'\t\r-]{0,3}\\PC{0,5}") {
            let cell = neutralised(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(restored(&cell), text);
        }
    }
}
