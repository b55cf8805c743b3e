//! The command line before it is parsed, and its errors.

use std::ffi::OsString;

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
