//! `wardroom config`: shows the settings.

use clap::Subcommand;
use serde_json::json;

use super::report::{CliError, Report};
use crate::config::{CommonFlags, Config, ServeFlags, render_show, settings_markdown};

/// The commands of `wardroom config`.
#[derive(Subcommand)]
pub(super) enum ConfigVerb {
    /// Print the value and the origin of every setting, without secrets.
    Show {
        #[command(flatten)]
        settings: ServeFlags,
    },
    /// Print the reference of all settings as Markdown.
    Reference,
}

pub(super) fn run(verb: ConfigVerb, common: &CommonFlags) -> Result<Report, CliError> {
    match verb {
        ConfigVerb::Show { settings } => {
            let loaded = Config::load(&common.with(&settings))?;
            Ok(Report::new(render_show(&loaded), json!(loaded.origins)))
        }
        ConfigVerb::Reference => {
            let text = settings_markdown();
            let json = json!({ "markdown": text });
            Ok(Report::new(text, json))
        }
    }
}
