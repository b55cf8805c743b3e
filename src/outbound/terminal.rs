//! Messages on a terminal, for `wardroom demo`. Nothing else can make this provider.

use std::io::Write as _;

use super::message::OutgoingMessage;

/// Prints a message. A terminal that is gone is no error: the demo runs on without it.
pub(super) fn print(message: &OutgoingMessage) {
    let OutgoingMessage { channel, to, subject, text, .. } = message;
    let subject =
        subject.as_ref().map(|subject| format!("Subject: {}\n", plain(subject))).unwrap_or_default();
    let text: Vec<String> = text.lines().map(|line| format!("  {}", plain(line))).collect();
    let shown = format!(
        "\nDemo: this {channel} to {} is printed, not sent.\n{subject}{}\n\n",
        plain(to),
        text.join("\n")
    );
    let _ = std::io::stdout().lock().write_all(shown.as_bytes());
}

fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
