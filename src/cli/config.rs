//! `wardroom config`: what the settings are, and what there is to set.

use clap::Subcommand;
use serde_json::json;

use super::report::{CliError, Report};
use crate::config::{CommonFlags, Config, Flags, ServeFlags, render_show, settings_markdown};

/// The commands about settings.
#[derive(Subcommand)]
pub(super) enum ConfigVerb {
    /// Print every setting with its value and where it came from. Secrets are not shown.
    Show {
        #[command(flatten)]
        settings: ServeFlags,
    },
    /// Print the reference of all settings (Markdown).
    Reference,
}

pub(super) fn run(verb: ConfigVerb, common: &CommonFlags) -> Result<Report, CliError> {
    match verb {
        ConfigVerb::Show { settings } => {
            let loaded = Config::load(&Flags::of(common, Some(&settings)))?;
            Ok(Report::new(render_show(&loaded), json!(loaded.origins)))
        }
        ConfigVerb::Reference => {
            let text = settings_markdown();
            let json = json!({ "markdown": text });
            Ok(Report::new(text, json))
        }
    }
}
