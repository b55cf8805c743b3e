//! The sources of settings: flags, the environment, one TOML file and the defaults, in this order.
//!
//! This is the only file that reads the environment. Never in here: the name of a particular setting (`config` declares
//! them), or a message that quotes a setting that may hold a secret.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::flags::{CONFIG, CONFIG_ALLOWED, CONFIG_ENV, Flags};
use super::setting::Setting;
use super::values::SettingType;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// The command line, such as `--listen`.
    Flag(&'static str),
    /// The environment, such as `WARDROOM_LISTEN`.
    Environment(&'static str),
    /// The TOML file at this path.
    File(PathBuf),
    /// The default.
    Default,
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for SettingOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// The setting.
    pub key: &'static str,
    /// Its value, without secrets.
    pub value: String,
    /// Its source.
    pub origin: SettingOrigin,
}

/// Why the settings cannot be used: one sentence for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value is not allowed.
    #[error("{key} ({origin}): {given} is not allowed; use {allowed}")]
    NotAllowed {
        /// The setting.
        key: &'static str,
        /// Its source.
        origin: SettingOrigin,
        /// The value, without secrets.
        given: String,
        /// The allowed values.
        allowed: String,
    },
    /// A part of a value is not allowed.
    #[error("{key} ({origin}): {reason}")]
    Refused {
        /// The setting.
        key: &'static str,
        /// Its source.
        origin: SettingOrigin,
        /// The part, and what to write instead.
        reason: String,
    },
    /// The file has a key that is not a setting.
    #[error("file {}: there is no setting {key:?}; {hint}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The unknown key.
        key: String,
        /// A suggestion.
        hint: String,
    },
    /// A variable of the environment looks like a setting and is none.
    #[error("environment {name}: there is no such setting; {hint}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// A suggestion.
        hint: String,
    },
    /// The file cannot be read.
    #[error("{CONFIG} ({origin}): {} cannot be read: {reason}; use {CONFIG_ALLOWED}", path.display())]
    Unreadable {
        /// What named the file.
        origin: SettingOrigin,
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file is not TOML.
    #[error("file {}, line {line}: {reason}; use TOML, such as listen = \"127.0.0.1:8000\"", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line in the file, from 1.
        line: usize,
        /// The parser's message.
        reason: String,
    },
    /// The file contains a secret that every user of the machine can read.
    #[error(
        "{key} (file {path}): holds a secret, and mode {mode:03o} opens the file to every user; run chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// The setting with the secret.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file that holds a secret cannot be read.
    #[error("{key}: {} cannot be read: {reason}", path.display())]
    UnreadableSecret {
        /// The setting that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// Two settings that exclude each other.
    #[error("{} ({}) and {} ({}) are both set; set one of them", keys[0], origins[0], keys[1], origins[1])]
    Both {
        /// The settings.
        keys: [&'static str; 2],
        /// The source of each.
        origins: [SettingOrigin; 2],
    },
    /// Of two settings that need each other, one is missing.
    #[error("{missing} (default) is empty although {given} ({origin}) is set; set both, or neither")]
    Unpaired {
        /// The setting that is set.
        given: &'static str,
        /// Its source.
        origin: SettingOrigin,
        /// The setting that is not set.
        missing: &'static str,
    },
}

impl ConfigError {
    fn not_allowed<V: SettingType>(key: &'static str, origin: SettingOrigin, given: String) -> Self {
        Self::NotAllowed { key, origin, given, allowed: V::allowed() }
    }
}

/// Looks up a variable: `std::env::var_os`, or a substitute in tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Looks up a variable in the environment of this process.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Lists the variables of this process's environment whose names and values are UTF-8.
pub(super) fn process_variables() -> impl Iterator<Item = (String, String)> {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
}

/// All sources, and the settings that were taken from them so far.
pub(super) struct Sources<'a> {
    settings: &'static [Setting],
    flags: &'a Flags,
    environment: Environment<'a>,
    file: Option<SettingsFile>,
    pub(super) shown: Vec<ShownSetting>,
}

impl<'a> Sources<'a> {
    /// Reads the file that a flag or the environment names, or else the one at `default_file` if it exists.
    pub(super) fn open(
        settings: &'static [Setting],
        flags: &'a Flags,
        environment: Environment<'a>,
        default_file: &Path,
    ) -> Result<Self, ConfigError> {
        let from_flag = flags.get(CONFIG).map(|path| (path.into(), SettingOrigin::Flag(CONFIG)));
        let from_env = || {
            let path = environment(CONFIG_ENV).filter(|path| !path.is_empty())?;
            Some((PathBuf::from(path), SettingOrigin::Environment(CONFIG_ENV)))
        };
        let file = match from_flag.or_else(from_env) {
            Some((path, origin)) => SettingsFile::read(settings, path, origin)?,
            None => SettingsFile::read(settings, default_file.into(), SettingOrigin::Default)?,
        };
        Ok(Self { settings, flags, environment, file, shown: Vec::new() })
    }

    /// The path of the file that was read.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// Takes a setting from the first source that has it.
    pub(super) fn take<V: SettingType>(&mut self, key: &'static str) -> Result<V::Parsed, ConfigError> {
        let in_file = self.file.as_ref().map(|file| file.text::<V>(key)).transpose()?.flatten();
        let (text, origin) = self.first::<V>(key, in_file)?;
        let value = V::parse(&text).map_err(|part| match V::reason(&text) {
            Some(reason) => ConfigError::Refused { key, origin: origin.clone(), reason },
            None => {
                let given = if V::SECRET { "the value (not shown)".into() } else { format!("{part:?}") };
                ConfigError::not_allowed::<V>(key, origin.clone(), given)
            }
        })?;
        self.shown.push(ShownSetting { key, value: V::show(&value), origin });
        Ok(value)
    }

    fn first<V: SettingType>(
        &self,
        key: &'static str,
        in_file: Option<String>,
    ) -> Result<(String, SettingOrigin), ConfigError> {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        if let Some(text) = self.flags.get(key) {
            let flag = setting.map_or(key, |setting| setting.flag.as_str());
            return Ok((text.to_owned(), SettingOrigin::Flag(flag)));
        }
        let env = setting.map_or("", |setting| setting.env.as_str());
        if let Some(text) = (self.environment)(env).filter(|text| !text.is_empty()) {
            let origin = SettingOrigin::Environment(env);
            return match text.into_string() {
                Ok(text) => Ok((text, origin)),
                Err(_) => Err(ConfigError::not_allowed::<V>(key, origin, "a text that is not UTF-8".into())),
            };
        }
        Ok(match (in_file, &self.file) {
            (Some(text), Some(file)) => (text, SettingOrigin::File(file.path.clone())),
            _ => (setting.map_or("", |setting| setting.default).into(), SettingOrigin::Default),
        })
    }
}

/// Checks that both or neither of two settings are set.
pub(super) fn check_pair(origins: &[ShownSetting], keys: [&'static str; 2]) -> Result<(), ConfigError> {
    let [first, second] = keys.map(|key| origins.iter().find(|row| row.key == key && !row.value.is_empty()));
    match (first, second, keys) {
        (Some(row), None, [_, missing]) | (None, Some(row), [missing, _]) => {
            Err(ConfigError::Unpaired { given: row.key, origin: row.origin.clone(), missing })
        }
        _ => Ok(()),
    }
}

struct SettingsFile {
    path: PathBuf,
    mode: u32,
    table: toml::Table,
}

impl SettingsFile {
    fn read(settings: &[Setting], path: PathBuf, origin: SettingOrigin) -> Result<Option<Self>, ConfigError> {
        let (text, mode) = match slurp(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound && origin == SettingOrigin::Default => {
                return Ok(None);
            }
            Err(error) => return Err(ConfigError::Unreadable { origin, path, reason: error.to_string() }),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return Err(syntax(path, &text, &error)),
        };
        let is_known = |key: &str| settings.iter().any(|setting| setting.key == key);
        match table.keys().find(|key| !is_known(key)) {
            Some(key) => Err(ConfigError::Unknown { path, key: key.clone(), hint: hint(settings, key) }),
            None => Ok(Some(Self { path, mode, table })),
        }
    }

    /// Returns the text of a setting. A secret in an open file is refused even if a flag overrides it or its value is
    /// not allowed: other users can read it all the same.
    fn text<V: SettingType>(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let text = as_text::<V>(value).ok_or_else(|| {
            let given = format!("a value of type {}", value.type_str());
            ConfigError::not_allowed::<V>(key, SettingOrigin::File(self.path.clone()), given)
        })?;
        let secret = V::SECRET && V::parse(&text).map_or(true, |value| V::holds_secret(&value));
        if secret && self.mode & 0o007 != 0 {
            return Err(ConfigError::Exposed { key, path: self.path.clone(), mode: self.mode & 0o777 });
        }
        Ok(Some(text))
    }
}

fn as_text<V: SettingType>(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) if V::LIST => {
            items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        _ => None,
    }
}

/// Reads the text and the permissions of a file, through one open descriptor.
fn slurp(path: &Path) -> io::Result<(String, u32)> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, mode))
}

/// Reports the parser's message and the line's number, but not the line itself, which may hold a secret.
fn syntax(path: PathBuf, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let reason = error.message().lines().collect::<Vec<_>>().join(", ");
    ConfigError::Syntax { path, line: before.matches('\n').count() + 1, reason }
}

fn hint(settings: &[Setting], key: &str) -> String {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let nearest = settings.iter().map(|setting| (distance(&key, setting.key), setting.key)).min();
    match nearest {
        Some((edits, near)) if edits <= 1 + near.len() / 6 => format!("did you mean {near:?}?"),
        _ => "see `wardroom help settings`".into(),
    }
}

/// Computes the edit distance of two words (Levenshtein, row by row).
pub(super) fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, wanted) in from.chars().enumerate() {
        let mut cells = row.iter_mut();
        let mut left = index + 1;
        let mut diagonal = cells.next().map_or(index, |first| std::mem::replace(first, left));
        for (cell, letter) in cells.zip(to.chars()) {
            let change = diagonal + usize::from(wanted != letter);
            diagonal = std::mem::replace(cell, change.min(left + 1).min(*cell + 1));
            left = *cell;
        }
    }
    row.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests;
