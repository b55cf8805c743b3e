//! The command line: what an operator types, in words that teach.
//!
//! Each file holds one noun's commands: its arguments and what they call in the directory. A command
//! returns a [`Report`]; only this file writes to the terminal and knows exit codes.
//!
//! Never in here: a rule about users and rights (the directory keeps them), or SQL.

mod audit;
mod backup;
mod compare;
mod config;
mod context;
mod demo;
mod doctor;
mod export;
mod group;
mod import;
mod init;
mod moving;
mod permission;
mod progress;
mod reopened;
mod report;
mod restore;
mod serve;
mod token;
mod user;
mod watching;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::report::{CliError, Report};
use crate::config::{CommonFlags, Config, Flags, Loaded};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something failed inside, `doctor` or a `verify` found a fault, `compare` a difference, or `move` left
     something behind
  2  the command line or a setting is wrong
  3  there is no such user, group or token
  4  refused: the input breaks a rule, the action is not allowed, or conflicts keep an import from being done
  5  the database, the source of an import, or a server to compare cannot be opened or asked

Start here:
  wardroom demo                     try it with example people, nothing is kept
  wardroom init                     make a new, empty directory
  wardroom user add root --admin    make the first admin
  wardroom serve                    answer requests";

/// The account service of a back office: who is calling, and may they?
#[derive(Parser)]
#[command(name = "wardroom", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: CommonFlags,
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Answer requests until told to stop (SIGTERM or Ctrl-C).
    Serve(serve::Serve),
    /// Start a server with example people in a throw-away directory, and print what to try.
    Demo(demo::Demo),
    /// Make a new, empty directory (SQLite file or PostgreSQL tables).
    Init,
    /// Upgrade the database to this program's schema. Make a backup first.
    Migrate,
    /// Write the directory and its media files, as they are at one moment, into one archive; servers may run. Or check
    /// one: verify.
    Backup(backup::Backup),
    /// Put a backup in the place of the directory, or where none is yet.
    Restore(restore::Restore),
    /// Copy the whole directory into another database, PostgreSQL or SQLite, and compare every row.
    Move(moving::Move),
    /// Users: add, list, show, edit, disable, enable, set-password, delete, deleted, restore, purge.
    #[command(subcommand)]
    User(user::UserVerb),
    /// Groups: add, list, edit, delete, add-member, remove-member.
    #[command(subcommand)]
    Group(group::GroupVerb),
    /// Tokens: issue, list, revoke.
    #[command(subcommand)]
    Token(token::TokenVerb),
    /// Permissions: list.
    #[command(subcommand)]
    Permission(permission::PermissionVerb),
    /// The audit trail: list, export, verify.
    #[command(subcommand)]
    Audit(audit::AuditVerb),
    /// Bring people in: from a Django database, lines of JSON, or a table.
    #[command(subcommand)]
    Import(import::ImportVerb),
    /// Take everything out, as lines of JSON, or users as a table.
    Export(export::Export),
    /// Ask the old server and this one the same, and tell every difference: the proof before a switch.
    Compare(compare::Compare),
    /// Check the settings, the database and its content, and tell what is wrong.
    Doctor,
    /// Settings: show, reference.
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Print the OpenAPI document.
    Openapi,
    /// Print a completion script for a shell.
    Completions(Completions),
}

#[derive(Args)]
struct Completions {
    /// The shell.
    shell: Shell,
}

/// Runs a command line and tells the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.json;
    match run(cli) {
        Ok(report) => print(&report, json),
        Err(mistake) => {
            let _ = io::stderr().lock().write_all(mistake.render(json).as_bytes());
            ExitCode::from(mistake.code)
        }
    }
}

/// Prints a result. A reader that has gone away (`wardroom user list | head -1`) has what it wanted, unless
/// the result cannot be had again.
fn print(report: &Report, json: bool) -> ExitCode {
    let mut out = io::stdout().lock();
    let printed = out.write_all(report.render(json).as_bytes()).and_then(|()| out.flush());
    match printed {
        Ok(()) => ExitCode::from(report.code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !report.once => {
            ExitCode::from(report.code)
        }
        Err(error) => {
            let lost = if report.once { "; what it would have shown cannot be shown again" } else { "" };
            let mistake =
                CliError::inside(format!("it is done, but the result cannot be printed: {error}{lost}"));
            let _ = io::stderr().lock().write_all(mistake.render(json).as_bytes());
            ExitCode::from(mistake.code)
        }
    }
}

fn run(cli: Cli) -> Result<Report, CliError> {
    let Cli { common, verb, .. } = cli;
    let load = |serve| Config::load(&Flags::of(&common, serve)).map_err(CliError::from);
    match verb {
        Verb::Serve(serve) => on_runtime(serve::run(load(Some(&serve.settings))?.config, serve.init)),
        Verb::Demo(demo) => on_runtime(demo::run(Flags::of(&common, Some(&demo.settings)))),
        Verb::Compare(compare) => on_runtime(compare::run(compare)),
        Verb::Config(verb) => config::run(verb, &common),
        Verb::Openapi => Ok(openapi()),
        Verb::Completions(Completions { shell }) => Ok(completions(shell)),
        Verb::Init => with_config(load(None)?, init::init),
        Verb::Migrate => with_config(load(None)?, init::migrate),
        Verb::Backup(order) => with_config(load(None)?, async |config| backup::run(order, &config).await),
        Verb::Restore(order) => with_config(load(None)?, async |config| restore::run(order, &config).await),
        Verb::Move(order) => with_config(load(None)?, async |config| moving::run(order, &config).await),
        Verb::User(verb) => with_config(load(None)?, async |config| user::run(verb, &config).await),
        Verb::Group(verb) => with_config(load(None)?, async |config| group::run(verb, &config).await),
        Verb::Token(verb) => with_config(load(None)?, async |config| token::run(verb, &config).await),
        Verb::Permission(verb) => {
            with_config(load(None)?, async |config| permission::run(verb, &config).await)
        }
        Verb::Audit(verb) => with_config(load(None)?, async |config| audit::run(verb, &config).await),
        Verb::Import(verb) => with_config(load(None)?, async |config| import::run(verb, &config).await),
        Verb::Export(export) => with_config(load(None)?, async |config| export::run(export, &config).await),
        Verb::Doctor => with_config(load(None)?, doctor::run),
    }
}

fn with_config(
    loaded: Loaded,
    work: impl AsyncFnOnce(Config) -> Result<Report, CliError>,
) -> Result<Report, CliError> {
    on_runtime(work(loaded.config))
}

fn on_runtime(work: impl Future<Output = Result<Report, CliError>>) -> Result<Report, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CliError::inside(format!("the runtime does not start: {error}")))?.block_on(work)
}

fn openapi() -> Report {
    let document = crate::http::api::document();
    Report::new(format!("{document:#}\n"), document)
}

fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wardroom", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(script.clone(), serde_json::json!({ "script": script }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} says nothing",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        let mut root = Cli::command();
        root.build();
        check(&root);
    }
}
