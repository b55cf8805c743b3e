//! Reading all settings from their sources.

use std::path::{Path, PathBuf};

use super::sources::{self, ConfigError, Environment, ShownSetting, Sources, check_pair};
use super::{Config, DEFAULT_FILE, Flags, SETTINGS, database_url, media, messages, variables};

/// A configuration, and the origin of each of its values.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every setting in the order of `SETTINGS`, for `config show`.
    pub origins: Vec<ShownSetting>,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Whether the data directory is the default one.
    pub fn is_default_data_dir(&self) -> bool {
        SETTINGS
            .iter()
            .any(|setting| setting.key == "data_dir" && Path::new(setting.default) == self.data_dir)
    }

    /// Reads every setting from these flags, this process's environment and the file.
    pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
        variables::check(&SETTINGS, sources::process_variables())?;
        Self::load_from(flags, &sources::process_environment, Path::new(DEFAULT_FILE))
    }

    /// Reads every setting from these flags, this environment and the named or the default file.
    pub fn load_from(
        flags: &Flags,
        environment: Environment<'_>,
        default_file: &Path,
    ) -> Result<Loaded, ConfigError> {
        let mut sources = Sources::open(&SETTINGS, flags, environment, default_file)?;
        let mut config = Self::take(&mut sources)?;
        let file = sources.path().map(Path::to_owned);
        let mut origins = sources.shown;
        let url_file = config.database_url_file.as_deref();
        database_url::complete(&mut config.database_url, url_file, &mut origins, environment)?;
        media::complete(&mut config.s3_secret_key_file, &mut origins, environment);
        check_pair(&origins, ["tls_certificate", "tls_key"])?;
        media::check(&config, &origins)?;
        messages::complete(&mut config, &mut origins, environment);
        messages::check(&config, &origins)?;
        if let Some(url) = &config.public_url {
            config.allowed_hosts.also(url.host());
        }
        Ok(Loaded { config, origins, file })
    }
}
