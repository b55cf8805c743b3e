//! Where the settings' texts come from: flags, the environment, one TOML file, the defaults, in this order.
//!
//! The only place in Wardroom that reads the environment. Never in here: the name of a particular setting
//! (they are declared in `config`), or a text in a message of a setting that may hold a secret.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::flags::{CONFIG, CONFIG_ENV, CONFIG_FORM, Flags};
use super::values::Value;
use super::{SETTINGS, setting};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line, such as `--listen`.
    Flag(&'static str),
    /// The environment, such as `WARDROOM_LISTEN`.
    Environment(&'static str),
    /// The TOML file at this path.
    File(PathBuf),
    /// The program itself.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The setting.
    pub key: &'static str,
    /// Its value, without secrets.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Why there is no configuration: one sentence for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value has not the form of its setting.
    #[error("{key} ({origin}): {given} is not allowed; use {form}")]
    NotAllowed {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// What was given, in words and without secrets.
        given: String,
        /// What would be allowed.
        form: String,
    },
    /// The file sets something that is no setting.
    #[error("file {}: there is no setting {key:?}; {hint}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name in it.
        key: String,
        /// What may have been meant.
        hint: String,
    },
    /// The file cannot be read.
    #[error("{CONFIG} ({origin}): {} cannot be read: {reason}; use {CONFIG_FORM}", path.display())]
    Unreadable {
        /// Who named the file.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("file {}, line {line}: {reason}; use TOML, such as listen = \"127.0.0.1:8000\"", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where in the file, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// The file holds a secret that everybody on the machine can read.
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
    /// The file with the URL of the database cannot be read.
    #[error("database_url_file: {} cannot be read: {reason}", path.display())]
    UnreadableUrl {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Two settings that exclude each other.
    #[error("{} ({}) and {} ({}) are both set; set one of them", keys[0], origins[0], keys[1], origins[1])]
    Both {
        /// The settings.
        keys: [&'static str; 2],
        /// Where each is set.
        origins: [Origin; 2],
    },
    /// Of two settings that need each other, one is missing.
    #[error("{missing} (default) is empty although {given} ({origin}) is set; set both, or neither")]
    Unpaired {
        /// The one that is set.
        given: &'static str,
        /// Where it is set.
        origin: Origin,
        /// The one that is not.
        missing: &'static str,
    },
}

impl ConfigError {
    fn not_allowed<V: Value>(key: &'static str, origin: Origin, given: String) -> Self {
        Self::NotAllowed { key, origin, given, form: V::form() }
    }
}
/// What `std::env::var_os` gives, or a test's idea of it.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// All texts, and the shown values of those settings that were already taken.
pub(super) struct Sources<'a> {
    flags: &'a Flags,
    environment: Environment<'a>,
    file: Option<SettingsFile>,
    pub(super) shown: Vec<Shown>,
}

impl<'a> Sources<'a> {
    /// Reads the file that was named, or else the one at `default_file` if there is one.
    pub(super) fn open(
        flags: &'a Flags,
        environment: Environment<'a>,
        default_file: &Path,
    ) -> Result<Self, ConfigError> {
        let from_flag = flags.get(CONFIG).map(|path| (path.into(), Origin::Flag(CONFIG)));
        let from_env = || {
            let path = environment(CONFIG_ENV).filter(|path| !path.is_empty())?;
            Some((PathBuf::from(path), Origin::Environment(CONFIG_ENV)))
        };
        let file = match from_flag.or_else(from_env) {
            Some((path, origin)) => SettingsFile::read(path, origin)?,
            None => SettingsFile::read(default_file.into(), Origin::Default)?,
        };
        Ok(Self { flags, environment, file, shown: Vec::new() })
    }

    /// The file that was read.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The value of one setting, from the first source that has it.
    pub(super) fn take<V: Value>(&mut self, key: &'static str) -> Result<V::Is, ConfigError> {
        let in_file = self.file.as_ref().map(|file| file.text::<V>(key)).transpose()?.flatten();
        let (text, origin) = self.first::<V>(key, in_file)?;
        let value = V::parse(&text).map_err(|part| {
            let given = if V::SECRET { "the value (not shown)".into() } else { format!("{part:?}") };
            ConfigError::not_allowed::<V>(key, origin.clone(), given)
        })?;
        self.shown.push(Shown { key, value: V::show(&value), origin });
        Ok(value)
    }

    fn first<V: Value>(
        &self,
        key: &'static str,
        in_file: Option<String>,
    ) -> Result<(String, Origin), ConfigError> {
        let setting = setting(key);
        if let Some(text) = self.flags.get(key) {
            let flag = setting.map_or(key, |setting| setting.flag.as_str());
            return Ok((text.to_owned(), Origin::Flag(flag)));
        }
        let env = setting.map_or("", |setting| setting.env.as_str());
        if let Some(text) = (self.environment)(env).filter(|text| !text.is_empty()) {
            let origin = Origin::Environment(env);
            return match text.into_string() {
                Ok(text) => Ok((text, origin)),
                Err(_) => Err(ConfigError::not_allowed::<V>(key, origin, "a text that is not UTF-8".into())),
            };
        }
        Ok(match (in_file, &self.file) {
            (Some(text), Some(file)) => (text, Origin::File(file.path.clone())),
            _ => (setting.map_or("", |setting| setting.default).into(), Origin::Default),
        })
    }
}

struct SettingsFile {
    path: PathBuf,
    mode: u32,
    table: toml::Table,
}

impl SettingsFile {
    fn read(path: PathBuf, origin: Origin) -> Result<Option<Self>, ConfigError> {
        let (text, mode) = match slurp(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound && origin == Origin::Default => {
                return Ok(None);
            }
            Err(error) => return Err(ConfigError::Unreadable { origin, path, reason: error.to_string() }),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return Err(syntax(path, &text, &error)),
        };
        match table.keys().find(|key| setting(key).is_none()) {
            Some(key) => Err(ConfigError::Unknown { path, key: key.clone(), hint: hint(key) }),
            None => Ok(Some(Self { path, mode, table })),
        }
    }

    /// The text of one setting. A secret in an open file is refused even if a flag wins over it: it is as
    /// readable as any; and so is one with a flaw.
    fn text<V: Value>(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let text = as_text::<V>(value).ok_or_else(|| {
            let given = format!("a value of type {}", value.type_str());
            ConfigError::not_allowed::<V>(key, Origin::File(self.path.clone()), given)
        })?;
        let secret = V::SECRET && V::parse(&text).map_or(true, |value| V::holds_secret(&value));
        if secret && self.mode & 0o007 != 0 {
            return Err(ConfigError::Exposed { key, path: self.path.clone(), mode: self.mode & 0o777 });
        }
        Ok(Some(text))
    }
}

fn as_text<V: Value>(value: &toml::Value) -> Option<String> {
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

/// Text and permissions of one and the same opened file.
fn slurp(path: &Path) -> io::Result<(String, u32)> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, mode))
}

/// The parser's message and line, without the line itself, which may hold a secret.
fn syntax(path: PathBuf, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let reason = error.message().lines().collect::<Vec<_>>().join(", ");
    ConfigError::Syntax { path, line: before.matches('\n').count() + 1, reason }
}

fn hint(key: &str) -> String {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let nearest = SETTINGS.iter().map(|setting| (distance(&key, setting.key), setting.key)).min();
    match nearest {
        Some((edits, near)) if edits <= 1 + near.len() / 6 => format!("did you mean {near:?}?"),
        _ => "see the list that \"wardroom config show\" prints".into(),
    }
}

/// How many letters to insert, drop or change to get from one word to the other (Levenshtein, row by row).
fn distance(from: &str, to: &str) -> usize {
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
