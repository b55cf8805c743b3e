//! The signals of a server: which of them stop it, and which one makes it read its certificate again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::report::CliError;

/// What SIGHUP means. A terminal sends it when it is closed; a service manager sends it to make a service read its files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnHangup {
    Stop,
    Reload,
}

/// The signals that stop the server.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Hangups,
}

/// SIGHUP, unless the parent process made this one ignore it, as `nohup` does.
pub(super) struct Hangups(Option<Signal>);

/// Installs the handlers. From then on these signals no longer end the process directly. Returns the signals that stop the
/// server, and those that make it read its certificate again.
pub(super) fn listen(on_hangup: OnHangup) -> Result<(StopSignals, Hangups), CliError> {
    let hangup = if is_hangup_ignored() { None } else { Some(install(SignalKind::hangup())?) };
    let (hangup, reload) = match on_hangup {
        OnHangup::Stop => (hangup, None),
        OnHangup::Reload => (None, hangup),
    };
    let (terminate, interrupt) = (install(SignalKind::terminate())?, install(SignalKind::interrupt())?);
    Ok((StopSignals { terminate, interrupt, hangup: Hangups(hangup) }, Hangups(reload)))
}

fn install(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|error| CliError::internal(format!("cannot listen for signals: {error}")))
}

impl StopSignals {
    /// Waits for one of the signals.
    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = self.hangup.next() => {}
        }
    }
}

impl Hangups {
    /// Waits for the next SIGHUP: forever if it is ignored.
    pub(super) async fn next(&mut self) {
        let received = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if received.is_none() {
            std::future::pending().await
        }
    }
}

/// Whether this process was started with SIGHUP ignored. A handler would undo that.
fn is_hangup_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Reads the mask of ignored signals (proc(5)). SIGHUP is number 1, the lowest bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\twardroom\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup("Name:\twardroom\n"));
    }
}
