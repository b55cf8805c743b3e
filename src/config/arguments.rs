//! The settings as arguments of the command line, made from the list of settings.
//!
//! They are hidden from the help of each command, where 40 settings would bury the command's own flags. `wardroom help
//! settings` lists them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::flags::{CONFIG, CONFIG_ENV, Flags};
use super::setting::{FlagScope, Setting};
use super::{DEFAULT_FILE, SETTINGS};

/// `--config` and the flags that every command accepts, before and after the subcommand.
#[derive(Debug, Clone, Default)]
pub struct CommonFlags(Flags);

/// The flags of the commands that start a server, and of `config show`.
#[derive(Debug, Clone, Default)]
pub struct ServeFlags(Flags);

impl CommonFlags {
    /// All flags of a command that also accepts those of the server.
    pub fn with(&self, serve: &ServeFlags) -> Flags {
        let mut flags = self.0.clone();
        flags.extend(serve.0.clone());
        flags
    }

    /// All flags of a command that accepts no others.
    pub fn alone(&self) -> Flags {
        self.0.clone()
    }
}

impl Args for CommonFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("PATH")
            .help(format!("The settings file (TOML) [env: {CONFIG_ENV}] [default: {DEFAULT_FILE}]"));
        let args = std::iter::once(file).chain(settings_of(FlagScope::Common).map(arg));
        command.args(args.map(|arg| arg.global(true).hide(true)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for CommonFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches).map(|()| flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        take(&mut self.0, matches, CONFIG);
        take_scope(&mut self.0, matches, FlagScope::Common);
        Ok(())
    }
}

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        let settings = settings_of(FlagScope::Serve).map(|setting| arg(setting).hide(true));
        command.args(settings).args(ELSEWHERE.map(instead_of))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches).map(|()| flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        take_scope(&mut self.0, matches, FlagScope::Serve);
        Ok(())
    }
}

/// Flags of other servers that people try first, and what they would have to write here.
const ELSEWHERE: [(&str, &str); 4] = [
    ("port", "--listen 127.0.0.1:{}"),
    ("host", "--listen {}:8000"),
    ("bind", "--listen {}"),
    ("address", "--listen {}"),
];

/// A flag that is refused with the right one.
fn instead_of((name, meant): (&'static str, &'static str)) -> Arg {
    let refuse = move |given: &str| -> Result<String, String> {
        Err(format!("there is no flag --{name}: write {}", meant.replace("{}", given)))
    };
    Arg::new(name).long(name).value_name("VALUE").hide(true).help("See --listen").value_parser(refuse)
}

fn settings_of(scope: FlagScope) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.scope == scope)
}

/// Takes what was typed. A list may be typed in parts.
fn take(flags: &mut Flags, matches: &ArgMatches, key: &'static str) {
    if let Ok(Some(texts)) = matches.try_get_many::<String>(key) {
        let text = texts.map(String::as_str).collect::<Vec<_>>().join(",");
        *flags = std::mem::take(flags).with(key, text);
    }
}

fn take_scope(flags: &mut Flags, matches: &ArgMatches, scope: FlagScope) {
    settings_of(scope).for_each(|setting| take(flags, matches, setting.key));
}

/// The flag of a setting. Its text is not parsed here: an error must read the same for every source. Shells show
/// the help in completions.
fn arg(setting: &'static Setting) -> Arg {
    let summary = setting.paragraphs().next().unwrap_or_default().replace('`', "");
    Arg::new(setting.key)
        .long(setting.flag.as_str())
        .action(if setting.list { ArgAction::Append } else { ArgAction::Set })
        .value_name(setting.value_name)
        .help(summary.trim_end_matches('.').to_owned())
}
