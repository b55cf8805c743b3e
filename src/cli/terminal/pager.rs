//! A pager for output that is longer than the terminal, chosen as git chooses it: `PAGER`, or else `less` with `-FRX`.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::Terminal;

/// Shows a text in the pager. Returns `false` if there is none, or the text fits the terminal: then the caller prints it.
pub(in crate::cli) fn page(terminal: &Terminal, text: &str) -> io::Result<bool> {
    let Some([_, lines]) = terminal.size else { return Ok(false) };
    let pager = terminal.variables.pager.as_deref().unwrap_or("less").trim();
    if text.lines().count() < lines || pager.is_empty() || pager == "cat" {
        return Ok(false);
    }
    let mut command = Command::new("sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    if terminal.variables.less.is_none() {
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return Ok(false) };
    let written = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    let ended = child.wait()?;
    match written {
        // The shell did not find the command, so nothing was shown.
        _ if ended.code() == Some(127) => Ok(false),
        // The reader has seen enough.
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(true),
    }
}
