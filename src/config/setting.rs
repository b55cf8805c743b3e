//! The description of a setting: everything about it except its value.

use super::values::SettingType;

/// Which commands accept a setting as a flag. The environment and the file apply to every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagScope {
    /// Every command.
    Common,
    /// The commands that start a server, and `config show`.
    Serve,
}

/// The description of a setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file and in the code, such as `data_dir`.
    pub key: &'static str,
    /// Its flag without the leading dashes, such as `data-dir`.
    pub flag: String,
    /// Its environment variable, such as `WARDROOM_DATA_DIR`.
    pub env: String,
    /// The placeholder of its value in the help, such as `PATH`.
    pub value_name: &'static str,
    /// Its allowed values, in words.
    pub allowed: String,
    /// The text of its default.
    pub default: &'static str,
    /// Which commands accept its flag.
    pub scope: FlagScope,
    /// Whether its value may be a secret.
    pub secret: bool,
    /// Whether the file may give it as an array.
    pub list: bool,
    doc: &'static str,
}

impl Setting {
    /// Describes a setting of type `V`. `doc` is the text of its doc comment.
    pub(super) fn of<V: SettingType>(
        key: &'static str,
        scope: FlagScope,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            key,
            flag: key.replace('_', "-"),
            env: format!("WARDROOM_{}", key.to_ascii_uppercase()),
            value_name: V::NAME,
            allowed: V::allowed(),
            default,
            scope,
            secret: V::SECRET,
            list: V::LIST,
            doc,
        }
    }

    /// The documentation: first a summary, then the details.
    pub fn paragraphs(&self) -> impl Iterator<Item = String> {
        self.doc.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
