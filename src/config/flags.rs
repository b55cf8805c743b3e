//! The settings as flags of the command line, made from the list of settings.
//!
//! Never in here: what a flag's text means; it is kept as it was typed.

use std::collections::BTreeMap;
use std::fmt;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{SETTINGS, Scope, Setting};

/// The flag that names the configuration file; not a setting, for the file could not hold it.
pub(super) const CONFIG: &str = "config";
pub(super) const CONFIG_ENV: &str = "WARDROOM_CONFIG";
pub(super) const CONFIG_FORM: &str = "the path of a readable TOML file";

/// The settings that were given on the command line, as typed.
#[derive(Clone, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// The flags of a command: the common ones, and those of `serve` if the command takes them.
    pub fn of(common: &CommonFlags, serve: Option<&ServeFlags>) -> Self {
        let mut flags = common.0.clone();
        flags.0.extend(serve.into_iter().flat_map(|serve| serve.0.0.clone()));
        flags
    }

    /// As if the flag of the setting `key` had been typed with this text: for a command that decides a
    /// setting itself, and for tests.
    #[must_use]
    pub fn with(mut self, key: &'static str, text: impl Into<String>) -> Self {
        self.0.insert(key, text.into());
        self
    }

    /// The text typed for a setting.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn take(&mut self, matches: &ArgMatches, key: &'static str) {
        if let Ok(Some(text)) = matches.try_get_one::<String>(key) {
            self.0.insert(key, text.clone());
        }
    }

    fn take_scope(&mut self, matches: &ArgMatches, scope: Scope) {
        settings_of(scope).for_each(|setting| self.take(matches, setting.key));
    }
}

/// Names only: a typed database URL may hold a password.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `--config` and the flags that every command takes, before and after the subcommand.
#[derive(Debug, Clone, Default)]
pub struct CommonFlags(Flags);

/// The flags of the commands that serve, or that show how they would.
#[derive(Debug, Clone, Default)]
pub struct ServeFlags(Flags);

impl Args for CommonFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("PATH")
            .help(format!("The TOML file with settings [env: {CONFIG_ENV}] [default: {}]", super::DEFAULT_FILE))
            .long_help(format!(
                "The TOML file with settings.\n\nAllowed: {CONFIG_FORM}.\nEnvironment: {CONFIG_ENV}\nDefault: {}, \
                 if it exists",
                super::DEFAULT_FILE
            ));
        let args = std::iter::once(file).chain(settings_of(Scope::Common).map(arg));
        command.args(args.map(|arg| arg.global(true).help_heading("Settings of every command")))
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
        self.0.take(matches, CONFIG);
        self.0.take_scope(matches, Scope::Common);
        Ok(())
    }
}

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        let args = settings_of(Scope::Serve).map(arg);
        command.args(args.map(|arg| arg.help_heading("Settings of the server")))
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
        self.0.take_scope(matches, Scope::Serve);
        Ok(())
    }
}

fn settings_of(scope: Scope) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.scope == scope)
}

/// The flag of a setting. Its text stays raw: an error shall read the same wherever the text came from.
fn arg(setting: &'static Setting) -> Arg {
    let Setting { env, form, .. } = setting;
    let default = if setting.default.is_empty() { "nothing" } else { setting.default };
    let paragraphs: Vec<_> = setting.paragraphs().map(|text| text.replace('`', "")).collect();
    let summary = paragraphs.first().map(|text| text.trim_end_matches('.')).unwrap_or_default();
    Arg::new(setting.key)
        .long(setting.flag.as_str())
        .value_name(setting.value_name)
        .help(format!("{summary} [env: {env}] [default: {default}]"))
        .long_help(format!(
            "{}\n\nAllowed: {form}.\nEnvironment: {env}\nDefault: {default}",
            paragraphs.join("\n\n")
        ))
}
