//! `wardroom permission`: lists the permissions.

use clap::Subcommand;
use serde_json::json;

use super::context::{open, operator};
use super::report::{CliError, Report};
use crate::config::Config;

/// The commands of `wardroom permission`.
#[derive(Subcommand)]
pub(super) enum PermissionVerb {
    /// List every permission with its code.
    List,
}

pub(super) async fn run(verb: PermissionVerb, config: &Config) -> Result<Report, CliError> {
    let PermissionVerb::List = verb;
    let permissions = open(config).await?.permissions(&operator()).await?;
    let rows: Vec<_> =
        permissions.iter().map(|p| [p.id.to_string(), p.code.to_string(), p.name.clone()]).collect();
    let json =
        permissions.iter().map(|p| json!({ "id": p.id.get(), "code": p.code, "name": p.name })).collect();
    Ok(Report::table(["id", "code", "name"], &rows, json))
}
