//! The command line before it is parsed, and its errors.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands whose switches had a value in version 0.1, such as `--staff true`.
const WITH_VALUES: [[&str; 2]; 2] = [["user", "list"], ["user", "edit"]];
/// These switches, and their opposites.
const SWITCHES: [[&str; 2]; 3] =
    [["--staff", "--no-staff"], ["--admin", "--no-admin"], ["--active", "--no-active"]];

/// Replaces `--staff true` and `--staff=true` by `--staff`, and those with `false` by `--no-staff`.
pub(super) fn with_plain_switches(args: Vec<OsString>) -> Vec<OsString> {
    let is_there = |word: &str| args.iter().any(|arg| arg == word);
    if !WITH_VALUES.iter().any(|words| words.iter().all(|word| is_there(word))) {
        return args;
    }
    let mut plain: Vec<OsString> = Vec::with_capacity(args.len());
    for arg in args {
        let before = plain.last().and_then(|last| SWITCHES.iter().find(|[yes, _]| last == yes));
        let joined = SWITCHES.iter().find_map(|[yes, no]| {
            let value = arg.to_str()?.strip_prefix(yes)?.strip_prefix('=')?;
            ["true", "false"].contains(&value).then_some(if value == "true" { yes } else { no })
        });
        match (before, joined) {
            (Some(_), _) if arg == "true" => {}
            (Some([_, no]), _) if arg == "false" => {
                plain.pop();
                plain.push(no.into());
            }
            (_, Some(switch)) => plain.push(switch.into()),
            _ => plain.push(arg),
        }
    }
    plain
}

/// Commands that take a file or an address with a flag, and what is tried without.
const BY_FLAG: [(&[&str], &str); 6] = [
    (&["import", "django"], "--from URL"),
    (&["import", "json"], "--from FILE"),
    (&["import", "csv"], "--from FILE"),
    (&["export"], "--output FILE"),
    (&["move"], "--to URL_OR_DIR"),
    (&["compare"], "--old URL --new URL --tokens FILE"),
];
/// Commands that take a file without a flag.
const WITHOUT_FLAG: [(&str, &str); 2] =
    [("backup", "wardroom backup FILE"), ("restore", "wardroom restore FILE")];

/// Adds to an error what to type instead, where the usual messages only say that something was not expected.
pub(super) fn with_tip(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(given)) => given.clone(),
        _ => return error,
    };
    let tip = match error.kind() {
        ErrorKind::UnknownArgument => tip_for_unknown(&given, args),
        ErrorKind::TooManyValues => tip_for_switch(&given),
        _ => None,
    };
    if let Some(tip) = tip {
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedValue);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

fn tip_for_unknown(given: &str, args: &[OsString]) -> Option<String> {
    let is_there = |word: &str| args.iter().any(|arg| arg == word);
    if given.starts_with('-') {
        let usage = WITHOUT_FLAG.iter().find(|(command, _)| is_there(command));
        let is_file = ["--from", "--to", "--file", "--output", "--out", "--input"].contains(&given);
        return usage.filter(|_| is_file).map(|(_, usage)| format!("the archive has no flag: {usage}"));
    }
    let before = args.iter().position(|arg| arg == given).and_then(|at| args.get(at.checked_sub(1)?));
    let switch = before.and_then(|before| tip_for_switch(before.to_str()?));
    let flag = BY_FLAG.iter().find(|(words, _)| words.iter().all(|word| is_there(word)));
    switch.or_else(|| flag.map(|(words, flag)| format!("write wardroom {} {flag}", words.join(" "))))
}

/// A flag for yes takes no value, because there is one for no.
fn tip_for_switch(switch: &str) -> Option<String> {
    let pair = SWITCHES.iter().find(|pair| pair.contains(&switch));
    pair.map(|[yes, no]| format!("write {yes} or {no}, without a value"))
}

/// Whether errors are to be JSON. The arguments could not be parsed, so they are only searched.
pub(super) fn wants_json(args: &[OsString]) -> bool {
    args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

/// The message of an error of the command line, in one line, without the summary of the usage.
pub(super) fn message(error: &clap::Error) -> String {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; --help lists the commands".to_owned();
    }
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default().trim();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_switches_are_replaced_where_they_had_some() {
        let plain = |args: &str| {
            let args = args.split(' ').map(OsString::from).collect();
            let plain: Vec<_> =
                with_plain_switches(args).into_iter().map(|arg| arg.into_string().unwrap()).collect();
            plain.join(" ")
        };
        assert_eq!(plain("wardroom user list --staff true"), "wardroom user list --staff");
        assert_eq!(
            plain("wardroom user list --active=false --json"),
            "wardroom user list --no-active --json"
        );
        assert_eq!(plain("wardroom user edit ann --admin false"), "wardroom user edit ann --no-admin");
        assert_eq!(plain("wardroom user edit --staff ann"), "wardroom user edit --staff ann");
        assert_eq!(plain("wardroom user add --staff true"), "wardroom user add --staff true");
    }
}
