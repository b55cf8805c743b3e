//! What the environment says about the terminal: whether colour is wanted, and which pager shows long output.
//!
//! These variables are conventions of the machine and belong to no program, so they are not settings.

use super::sources::process_environment;

/// The variables about the terminal, as they are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalVariables {
    /// `NO_COLOR` is set and not empty, or `TERM` is `dumb`: no colour is wanted.
    pub no_color: bool,
    /// `PAGER`: the command that shows long output. Empty means none.
    pub pager: Option<String>,
    /// `LESS`: the options of `less`.
    pub less: Option<String>,
    /// `COLUMNS`: the width that was set for programs, in columns.
    pub columns: Option<usize>,
}

/// The names of the sockets that the service manager passes (`LISTEN_FDNAMES`), in their order.
pub fn passed_socket_names() -> Vec<String> {
    let names = process_environment("LISTEN_FDNAMES").unwrap_or_default();
    names.to_string_lossy().split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl TerminalVariables {
    /// Reads them from the environment of this process.
    pub fn read() -> Self {
        let text = |name| process_environment(name).map(|value| value.to_string_lossy().into_owned());
        let is_set = |name| text(name).is_some_and(|value| !value.is_empty());
        Self {
            no_color: is_set("NO_COLOR") || text("TERM").as_deref() == Some("dumb"),
            pager: text("PAGER"),
            less: text("LESS"),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
        }
    }
}
