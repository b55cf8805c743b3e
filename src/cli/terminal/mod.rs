//! How results are shown on a terminal: as wide as it is, in colour, and through a pager if they are long.
//!
//! Output that goes to a file or another program has none of this: every column, no colour, no pager.
//!
//! Never in here: what a command has to say.

mod pager;
mod prose;
mod table;
mod text;

use std::io::{self, IsTerminal as _};

pub(super) use self::pager::page;
pub(super) use self::prose::Prose;
pub(super) use self::table::{CellStyle, TableCell, TableColumn, TextTable};
pub(super) use self::text::{fields, printable};
use crate::config::TerminalVariables;

/// Where a result is printed.
#[derive(Clone, Debug, Default)]
pub(super) struct Terminal {
    /// The size in columns and lines; `None` if it is not a terminal.
    pub(super) size: Option<[usize; 2]>,
    /// Whether colour is used.
    pub(super) colour: bool,
    /// What the environment says.
    variables: TerminalVariables,
}

/// The size of a terminal that does not know its own.
const USUAL_SIZE: [usize; 2] = [80, 24];

impl Terminal {
    /// Examines standard output.
    pub(super) fn of_stdout() -> Self {
        let out = io::stdout();
        let variables = TerminalVariables::read();
        if !out.is_terminal() {
            return Self { size: None, colour: false, variables };
        }
        let known = rustix::termios::tcgetwinsize(&out).ok();
        let [columns, lines] = known
            .map(|size| [usize::from(size.ws_col), usize::from(size.ws_row)])
            .filter(|size| !size.contains(&0))
            .unwrap_or(USUAL_SIZE);
        let size = [variables.columns.filter(|columns| *columns > 0).unwrap_or(columns), lines];
        Self { size: Some(size), colour: !variables.no_color, variables }
    }

    /// Whether standard error is a terminal that wants colour.
    pub(super) fn colours_errors() -> bool {
        io::stderr().is_terminal() && !TerminalVariables::read().no_color
    }

    /// The width in columns; `None` if there is no limit.
    pub(super) fn width(&self) -> Option<usize> {
        self.size.map(|[columns, _]| columns)
    }
}
