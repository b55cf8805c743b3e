//! `wardroom doctor`: checks the settings, the files and the database, and says how to fix each problem.
//!
//! It always ends with its table: a check that fails is a line of it.

mod backups;
mod certificate;
mod content;
mod database;
mod files;
mod finding;
mod media;
mod messages;
mod settings;

use clap::Args;

use self::finding::{Finding, Severity};
use super::report::{CliError, Report, ReportPart};
use super::terminal::{TableColumn, TextTable};
use crate::config::Config;
use crate::directory::Clock;

/// The arguments of `wardroom doctor`.
#[derive(Args)]
pub(super) struct Doctor {
    /// Check only what a server needs to run, within a second or two: for health checks. It reads no whole table, and neither
    /// the backups nor the media files.
    #[arg(long)]
    quick: bool,
}

/// Runs every check. The exit code of the report is 1 when a check found a fault.
pub(super) async fn run(args: Doctor, config: Config) -> Result<Report, CliError> {
    let clock = Clock::system()?;
    let mut findings = settings::check(&config);
    findings.extend(certificate::check(&config, clock.now()));
    findings.extend(files::check(&config, args.quick));
    findings.extend(messages::check_settings(&config));
    if !args.quick {
        findings.extend(backups::check(&config, clock.now()));
    }
    findings.extend(database::check(&config, clock, args.quick).await);
    let columns =
        [TableColumn::whole("check"), TableColumn::whole("verdict"), TableColumn::sentences("finding")];
    let table = TextTable::new(columns, findings.iter().map(Finding::row).collect());
    let json = findings.iter().map(Finding::json).collect();
    let mut report = Report::of_parts(vec![ReportPart::Table(table)], json);
    report.code = findings.iter().any(|finding| finding.severity == Severity::Fault).into();
    Ok(report)
}
