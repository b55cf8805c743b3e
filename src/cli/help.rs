//! Help texts that do not belong to a single command: the overview, the exit codes, and the line about settings.

use clap::Command;

/// The text of `wardroom --help`. Related commands share a line, so that it fits a terminal of 24 lines and 80 columns. A test
/// checks that, and that no command is missing.
pub(super) const OVERVIEW: &str = "\
Wardroom stores users, groups, permissions and API tokens.

{usage-heading} {usage}

Commands:
  demo                  Try Wardroom with example users; nothing is kept
  init, migrate         Create an empty database; upgrade an existing one
  serve                 Answer HTTP requests
  doctor, config        Check the settings and the database; show the settings
  user, group, token    Manage users, groups and API tokens
  permission, audit     List permissions; list, export or verify the audit trail
  import, export        Import from Django, JSON or CSV; export as JSON or CSV
  backup, restore       Write or verify a backup archive; restore one
  move, media, compare  Copy the database; move media files; compare servers
  outbox, secrets       Messages to people; the key that encrypts them
  openapi, completions  Print the OpenAPI document; print a completion script

Options:
{options}

More: wardroom help COMMAND, wardroom help settings, wardroom help exit-codes";

/// The text of `wardroom help exit-codes`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  Success
  1  An internal error; or `doctor` or `verify` found a fault, `compare` found a
     difference, or `move` left changes behind
  2  The command line or a setting is invalid
  3  The user, group or token does not exist
  4  Refused: the input is invalid, the action is not allowed, or an import has
     conflicts
  5  The database, the source of an import or a server to compare is unavailable
     or busy
  6  An address to listen on is in use
";

/// Adds one line about settings to the help of every command.
pub(super) fn with_settings_line(command: Command) -> Command {
    with_lines(command, "")
}

/// `above` is the line about servers elsewhere of the command above.
fn with_lines(command: Command, above: &'static str) -> Command {
    command.mut_subcommands(|command| {
        if command.is_hide_set() {
            return command;
        }
        let serves = command.get_arguments().any(|argument| argument.get_id() == "listen");
        let flags = if serves { "--listen and --data-dir" } else { "--data-dir" };
        let own = command.get_after_help().map(|own| format!("{own}\n\n")).unwrap_or_default();
        let elsewhere = if above.is_empty() { elsewhere(&command) } else { above };
        let line = format!("{own}Settings such as {flags}: see `wardroom help settings`{elsewhere}");
        with_lines(command.after_help(line), elsewhere)
    })
}

/// The line about servers elsewhere, for the nouns that can be managed there.
fn elsewhere(command: &Command) -> &'static str {
    match command.get_name() {
        "user" | "group" | "token" | "permission" | "audit" => {
            "\nA server elsewhere: add --remote URL --token-file FILE"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;

    #[test]
    fn the_overview_fits_a_terminal_and_names_every_command() {
        let mut root = Cli::command();
        let help = root.render_help().to_string();
        assert!(help.lines().count() <= 24, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for command in
            root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
        {
            let name = command.get_name();
            let is_named = |line: &str| {
                let names = line.trim_start().split("  ").next().unwrap_or_default();
                line.starts_with("  ") && names.split(", ").any(|named| named == name)
            };
            assert!(help.lines().any(is_named), "{name} is missing in {help}");
        }
    }
}
