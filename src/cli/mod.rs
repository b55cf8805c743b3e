//! The command line.
//!
//! Each file holds the commands of one noun: their arguments, and the calls into `directory`. A command returns a
//! [`Report`], which this file prints.
//!
//! Never in here: a rule about users and rights, which belongs to `directory`, or SQL.

mod accounts;
mod audit;
mod backup;
mod compare;
mod config;
mod context;
mod days;
mod demo;
mod doctor;
mod export;
mod grants;
mod group;
mod help;
mod import;
mod init;
mod listeners;
mod lists;
mod media;
mod messages;
mod moving;
mod names;
mod outbox;
mod permission;
mod progress;
mod renewal;
mod reopened;
mod report;
mod restore;
mod secrets;
mod serve;
mod sign_out;
mod signals;
mod statistics;
mod terminal;
mod token;
mod usage;
mod user;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use self::accounts::{Accounts, RemoteFlags};
use self::context::on_runtime;
use self::report::{CliError, Report};
use self::terminal::{Terminal, page};
use crate::config::{CommonFlags, Config, Loaded, settings_help, settings_json};

/// Wardroom stores users, groups, permissions and API tokens.
#[derive(Parser)]
#[command(name = "wardroom", version, help_template = help::OVERVIEW, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: CommonFlags,
    /// Print results and errors as JSON.
    #[arg(long, global = true, display_order = 1000)]
    json: bool,
    #[command(flatten)]
    remote: RemoteFlags,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Answer HTTP requests until SIGTERM or Ctrl-C.
    Serve(serve::Serve),
    /// Start a server with example users in a temporary data directory, and print requests to try.
    Demo(demo::Demo),
    /// Create a new, empty database: a SQLite file or PostgreSQL tables.
    Init(init::Init),
    /// Upgrade the database to this version's schema. Make a backup first.
    Migrate,
    /// Write the database and the media files to one archive, or verify an archive. Servers may keep running.
    Backup(backup::Backup),
    /// Restore a backup archive, in place of the current database or where there is none.
    Restore(restore::RestoreArgs),
    /// Copy the whole database to another PostgreSQL or SQLite database, and compare every row.
    Move(moving::Move),
    /// Check the files of avatars, or move them between disk and S3.
    #[command(subcommand)]
    Media(media::MediaVerb),
    /// List messages to people that wait or were sent, try them again, or withdraw them.
    #[command(subcommand)]
    Outbox(outbox::OutboxVerb),
    /// Make or replace the secrets key.
    #[command(subcommand)]
    Secrets(secrets::SecretsVerb),
    /// Manage users.
    #[command(subcommand)]
    User(user::UserVerb),
    /// Manage groups and their members.
    #[command(subcommand)]
    Group(group::GroupVerb),
    /// Issue, list, rotate and revoke API tokens.
    #[command(subcommand)]
    Token(token::TokenVerb),
    /// List permissions, and manage your own.
    #[command(subcommand)]
    Permission(permission::PermissionVerb),
    /// List, export and verify the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Import users, groups and tokens from a Django database, JSON lines or a CSV file.
    #[command(subcommand)]
    Import(import::ImportVerb),
    /// Export everything as JSON lines, or the users as CSV.
    Export(export::ExportArgs),
    /// Send the same requests to the old server and to this one, and report every difference.
    Compare(compare::Compare),
    /// Check the settings, the files and the database, and report every problem with its remedy.
    Doctor(doctor::Doctor),
    /// Show the settings.
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Print the OpenAPI document.
    Openapi,
    /// Print a completion script for a shell.
    Completions(Completions),
    /// List all settings.
    #[command(hide = true, help_template = settings_help())]
    Settings,
    /// List the exit codes.
    #[command(hide = true, help_template = help::EXIT_CODES)]
    ExitCodes,
}

#[derive(Args)]
struct Completions {
    /// The shell.
    shell: Shell,
}

/// Runs a command line and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = usage::with_plain_switches(args.into_iter().collect());
    let cli = match parse(&args) {
        Ok(cli) => cli,
        // Help and version go to standard output with code 0.
        Err(error) if usage::wants_json(&args) && error.use_stderr() => {
            return fail(&CliError::usage(usage::message(&error)), true);
        }
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.json;
    match run(cli) {
        Ok(report) => print(&report, json),
        Err(error) => fail(&error, json),
    }
}

fn command() -> clap::Command {
    help::with_settings_line(Cli::command())
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(args).map_err(|error| usage::with_tip(error, args))?;
    Cli::from_arg_matches(&matches)
}

/// Prints a result. If the reader has closed the pipe (`wardroom user list | head -1`), it needs no more output. That is an
/// error only if the result cannot be shown again.
fn print(report: &Report, json: bool) -> ExitCode {
    if !json {
        let _ = io::stderr().lock().write_all(report.notice.as_bytes());
    }
    match write(report, json) {
        Ok(()) => {
            let cut = report.cut.as_ref().map(|cut| cut.render(json)).unwrap_or_default();
            let _ = io::stderr().lock().write_all(cut.as_bytes());
            ExitCode::from(report.code)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !report.once => {
            ExitCode::from(report.code)
        }
        Err(error) => {
            let lost = if report.once { "; it cannot be shown again" } else { "" };
            let error = CliError::internal(format!(
                "the command succeeded, but its result cannot be printed: {error}{lost}"
            ));
            fail(&error, json)
        }
    }
}

/// Writes a result to the pager or to standard output.
fn write(report: &Report, json: bool) -> io::Result<()> {
    let terminal = Terminal::of_stdout();
    let text = report.render(json, &terminal);
    if report.is_long && !report.once && page(&terminal, &text)? {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Prints an error.
fn fail(error: &CliError, json: bool) -> ExitCode {
    let text = error.render(json, Terminal::colours_errors());
    let _ = io::stderr().lock().write_all(text.as_bytes());
    ExitCode::from(error.code)
}

fn run(cli: Cli) -> Result<Report, CliError> {
    let Cli { common, verb, remote, .. } = cli;
    if remote.are_given() && !verb.works_remotely() {
        return Err(CliError::usage(
            "--remote works with the commands user, group, token, permission and audit only: this one works on files and \
             databases that the API does not reach, so run it on the server's machine, without --remote",
        ));
    }
    let load = || Config::load(&common.alone()).map_err(CliError::from);
    match verb {
        Verb::Serve(serve) => {
            on_runtime(serve::run(Config::load(&common.with(&serve.settings))?, serve.init))
        }
        Verb::Demo(demo) => demo::run(common.with(&demo.settings)),
        Verb::Compare(compare) => on_runtime(compare::run(compare)),
        Verb::Config(verb) => config::run(verb, &common),
        Verb::Openapi => Ok(openapi()),
        Verb::Completions(Completions { shell }) => Ok(completions(shell)),
        Verb::Settings => Ok(Report::new(settings_help(), settings_json())),
        Verb::ExitCodes => Ok(Report::new(help::EXIT_CODES, json!({ "text": help::EXIT_CODES }))),
        Verb::Init(args) => with_config(load()?, async |config| init::init(args, &config).await),
        Verb::Migrate => with_config(load()?, init::migrate),
        Verb::Backup(args) => with_config(load()?, async |config| backup::run(args, &config).await),
        Verb::Restore(args) => with_config(load()?, async |config| restore::run(args, &config).await),
        Verb::Move(args) => with_config(load()?, async |config| moving::run(args, &config).await),
        Verb::Media(verb) => with_config(load()?, async |config| media::run(verb, &config).await),
        Verb::Outbox(verb) => with_config(load()?, async |config| outbox::run(verb, &config).await),
        Verb::Secrets(secrets::SecretsVerb::Generate(args)) => secrets::generate(args),
        Verb::Secrets(secrets::SecretsVerb::Rotate) => {
            with_config(load()?, async |config| secrets::rotate(&config).await)
        }
        Verb::User(verb) => with_accounts(load()?, &remote, async |accounts| user::run(verb, accounts).await),
        Verb::Group(verb) => {
            with_accounts(load()?, &remote, async |accounts| group::run(verb, accounts).await)
        }
        Verb::Token(verb) => {
            with_accounts(load()?, &remote, async |accounts| token::run(verb, accounts).await)
        }
        Verb::Permission(verb) => {
            with_accounts(load()?, &remote, async |accounts| permission::run(verb, accounts).await)
        }
        Verb::Audit(verb) => with_config(load()?, async |config| audit::run(verb, &config, &remote).await),
        Verb::Import(verb) => with_config(load()?, async |config| import::run(verb, &config).await),
        Verb::Export(export) => with_config(load()?, async |config| export::run(export, &config).await),
        Verb::Doctor(args) => with_config(load()?, async |config| doctor::run(args, config).await),
    }
}

fn with_config(
    loaded: Loaded,
    work: impl AsyncFnOnce(Config) -> Result<Report, CliError>,
) -> Result<Report, CliError> {
    on_runtime(work(loaded.config))
}

fn with_accounts(
    loaded: Loaded,
    remote: &RemoteFlags,
    work: impl AsyncFnOnce(&Accounts) -> Result<Report, CliError>,
) -> Result<Report, CliError> {
    on_runtime(async { work(&Accounts::open(&loaded.config, remote).await?).await })
}

impl Verb {
    /// Whether the command can work through the API of a server.
    fn works_remotely(&self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_) | Self::Token(_) | Self::Permission(_) | Self::Audit(_))
    }
}

fn openapi() -> Report {
    let document = crate::http::api::document();
    Report::new(format!("{document:#}\n"), document)
}

fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "wardroom", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(script.clone(), json!({ "script": script }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ARGUMENT_ENVS;

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }

    /// What the standard library and clap say about a number names no number that can be typed.
    #[test]
    fn every_number_says_which_numbers_it_takes() {
        fn check(command: &clap::Command, words: &[String], refusals: &mut usize) {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                for wrong in ["many", "1.5", "99999999999999999999999"] {
                    let flag = argument.get_long().map(|flag| format!("--{flag}={wrong}"));
                    let line = words.iter().cloned().chain([flag.unwrap_or_else(|| wrong.to_owned())]);
                    let Err(error) = super::command().try_get_matches_from(line.clone()) else { continue };
                    let text = error.to_string();
                    for raw in ["invalid digit", "number too", "is not in ", "cannot parse"] {
                        let line: Vec<_> = line.clone().collect();
                        assert!(!text.contains(raw), "{}: {text}", line.join(" "));
                    }
                    *refusals += usize::from(text.contains("use a whole number"));
                }
            }
            for verb in command.get_subcommands() {
                check(verb, &[words, &[verb.get_name().to_owned()]].concat(), refusals);
            }
        }
        let mut root = command();
        root.build();
        let mut refusals = 0;
        check(&root, &["wardroom".to_owned()], &mut refusals);
        assert!(refusals > 30, "{refusals}");
    }

    #[test]
    fn every_command_and_argument_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    argument.get_id()
                );
                // The check of variables knows it.
                let env = argument.get_env().and_then(std::ffi::OsStr::to_str);
                assert!(env.is_none_or(|env| ARGUMENT_ENVS.contains(&env)), "{env:?} would be refused");
            }
            command.get_subcommands().for_each(check);
        }
        let mut root = command();
        root.build();
        check(&root);
    }
}
