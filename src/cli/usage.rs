//! The command line before it is parsed, and its errors.

use std::ffi::OsString;

/// Commands whose switches had a value in version 0.1, such as `--staff true`.
const WITH_VALUES: [[&str; 2]; 2] = [["user", "list"], ["user", "edit"]];
const SWITCHES: [&str; 3] = ["--staff", "--admin", "--active"];

/// Joins `--staff true` to `--staff=true`, so that the value is not taken for the next argument.
pub(super) fn with_joined_switches(args: Vec<OsString>) -> Vec<OsString> {
    let is_there = |word: &str| args.iter().any(|arg| arg == word);
    if !WITH_VALUES.iter().any(|words| words.iter().all(|word| is_there(word))) {
        return args;
    }
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    for arg in args {
        match joined.last_mut() {
            Some(last)
                if (arg == "true" || arg == "false") && SWITCHES.iter().any(|switch| last == switch) =>
            {
                last.push("=");
                last.push(arg);
            }
            _ => joined.push(arg),
        }
    }
    joined
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
    fn values_of_switches_are_joined_where_they_had_some() {
        let joined = |args: &str| {
            let args = args.split(' ').map(OsString::from).collect();
            let joined: Vec<_> =
                with_joined_switches(args).into_iter().map(|arg| arg.into_string().unwrap()).collect();
            joined.join(" ")
        };
        assert_eq!(joined("wardroom user list --staff true"), "wardroom user list --staff=true");
        assert_eq!(joined("wardroom user edit ann --admin false"), "wardroom user edit ann --admin=false");
        assert_eq!(joined("wardroom user edit --staff ann"), "wardroom user edit --staff ann");
        assert_eq!(joined("wardroom user add --staff true"), "wardroom user add --staff true");
    }
}
