//! `wardroom init` and `wardroom migrate`: creating a database, and upgrading its schema.

use clap::Args;
use serde_json::json;

use super::context::settings;
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::{Clock, Directory};

/// The arguments of `wardroom init`.
#[derive(Args)]
pub(super) struct Init {
    /// Create the tables even if the PostgreSQL database contains tables of another program.
    #[arg(long)]
    among_other_tables: bool,
}

/// Creates a new, empty database.
pub(super) async fn init(args: Init, config: &Config) -> Result<Report, CliError> {
    let settings = settings(config);
    match args.among_other_tables {
        true => Directory::create_among_other_tables(&settings, &Clock::system()?).await?,
        false => Directory::create(&settings, &Clock::system()?).await?,
    }
    let directory = Directory::open(&settings, Clock::system()?).await?;
    let place = directory.describe().await?;
    let next =
        "Next: `wardroom user add NAME --admin`, `wardroom token issue NAME --name first`, `wardroom serve`.";
    Ok(Report::new(
        format!("Created a new, empty database: {place}.\n{next}\n"),
        json!({ "database": place }),
    ))
}

/// Upgrades the database to this version's schema.
pub(super) async fn migrate(config: Config) -> Result<Report, CliError> {
    let applied = Directory::migrate(&settings(&config), &Clock::system()?).await?;
    let text = match applied.as_slice() {
        [] => "The database is up to date; nothing was changed.\n".to_owned(),
        versions => format!("Applied migrations: {versions:?}.\n"),
    };
    Ok(Report::new(text, json!({ "applied": applied })))
}
