//! Formats the settings for readers: `wardroom config show`, `wardroom help settings` and docs/settings.md.

use serde_json::{Value, json};

use super::setting::{FlagScope, Setting};
use super::sources::ShownSetting;
use super::{DEFAULT_FILE, Loaded, SETTINGS};

/// The width of a page of text, in characters.
const PAGE: usize = 80;

const SECTIONS: [(FlagScope, &str); 2] =
    [(FlagScope::Common, "Settings of every command"), (FlagScope::Serve, "Settings of the server")];

/// Formats the output of `wardroom config show`. Programs serialize `Loaded::origins` instead.
pub fn render_show(loaded: &Loaded) -> String {
    let width = |text: fn(&ShownSetting) -> &str| {
        loaded.origins.iter().map(|row| text(row).len()).max().unwrap_or_default()
    };
    let keys = width(|row| row.key);
    // One long value must not push every origin off the screen.
    let values = width(|row| &row.value).min(40);
    loaded.origins.iter().fold(String::new(), |text, ShownSetting { key, value, origin }| {
        let value = if value.is_empty() { "-" } else { value };
        text + &format!("{key:keys$}  {value:values$}  {origin}\n")
    })
}

/// Formats the text of `wardroom help settings`.
pub fn settings_help() -> String {
    let mut page = HELP.replace("DEFAULT_FILE", DEFAULT_FILE);
    for (scope, title) in SECTIONS {
        page += &format!("\n{title}:\n");
        SETTINGS.iter().filter(|setting| setting.scope == scope).for_each(|setting| page += &entry(setting));
    }
    page
}

const HELP: &str = "\
Give a setting as a flag, as an environment variable or in the settings file.
A flag overrides the environment, and the environment overrides the file.

The settings file is TOML, with one line per setting: data_dir = \"/srv/data\".
Names in the file have underscores. Wardroom reads DEFAULT_FILE
if it exists. Name another file with --config PATH or WARDROOM_CONFIG.

A list has commas between its items. Its flag can also be given several times,
and in the file it can be an array: listen = [\"127.0.0.1:8000\", \"[::1]:8000\"].

To see the values in effect and where they come from: wardroom config show
";

fn entry(setting: &Setting) -> String {
    let Setting { flag, env, value_name, allowed, default, .. } = setting;
    let default = if default.is_empty() { "none" } else { default };
    let mut text = format!("\n  --{flag} <{value_name}>\n");
    for paragraph in setting.paragraphs() {
        text += &wrapped("      ", &paragraph.replace('`', ""));
    }
    text += &wrapped("      Environment: ", env);
    text += &wrapped("      Allowed:     ", allowed);
    text += &wrapped("      Default:     ", default);
    text
}

/// Breaks a text into lines of at most a page's width. The first begins with `head`, the others with as many blanks.
fn wrapped(head: &str, text: &str) -> String {
    let margin = " ".repeat(head.len());
    let (mut page, mut line) = (String::new(), head.to_owned());
    for word in text.split(' ') {
        let is_empty = line.len() == head.len();
        if !is_empty && line.chars().count() + 1 + word.chars().count() > PAGE {
            page += &format!("{line}\n");
            line.clone_from(&margin);
        } else if !is_empty {
            line.push(' ');
        }
        line += word;
    }
    format!("{page}{line}\n")
}

/// The settings as JSON, one object each.
pub fn settings_json() -> Value {
    let object = |setting: &Setting| {
        json!({
            "key": setting.key,
            "flag": format!("--{}", setting.flag),
            "environment": setting.env,
            "value": setting.value_name,
            "allowed": setting.allowed,
            "default": setting.default,
            "flag_of": match setting.scope {
                FlagScope::Common => "every command",
                FlagScope::Serve => "the server",
            },
            "meaning": setting.paragraphs().collect::<Vec<_>>().join("\n\n"),
        })
    };
    SETTINGS.iter().map(object).collect()
}

/// Formats the text of docs/settings.md.
pub fn settings_markdown() -> String {
    let mut page = format!("{}\n", INTRODUCTION.replace("DEFAULT_FILE", DEFAULT_FILE).trim_end());
    for (scope, title) in SECTIONS {
        page += &format!("\n## {title}\n");
        SETTINGS
            .iter()
            .filter(|setting| setting.scope == scope)
            .for_each(|setting| page += &section(setting));
    }
    page
}

const INTRODUCTION: &str = "\
# Settings

<!-- Generated from src/config/mod.rs by `wardroom config reference`: edit the text there. -->

A flag overrides an environment variable, an environment variable overrides the file, and the file overrides the default.
An empty environment variable counts as not set. `wardroom config show` prints the value and the origin of every setting,
without passwords. `wardroom help settings` prints this page on a terminal.

The file is TOML, with one `key = value` per line. Wardroom reads the file that `--config PATH` or `WARDROOM_CONFIG` names,
or else `DEFAULT_FILE` if it exists. An unknown key is an error. A file that contains a password must not be accessible to
every user of the machine: run `chmod 600` on it.

Every command reads all settings from the environment and the file. Every command accepts the flags of the first group.
The commands that start a server, and `wardroom config show`, also accept those of the second.
";

fn section(setting: &Setting) -> String {
    let Setting { key, flag, env, value_name, allowed, .. } = setting;
    let default = if setting.default.is_empty() { "none".into() } else { format!("`{}`", setting.default) };
    let [repeated, array] =
        if setting.list { [", also several times", ", also as an array of strings"] } else { [""; 2] };
    let doc = setting.paragraphs().collect::<Vec<_>>().join("\n\n");
    format!(
        "\n### {key}\n\n{doc}\n\n- Flag: `--{flag} <{value_name}>`{repeated}\n- Environment: `{env}`\n- File: `{key}`{array}\n\
         - Default: {default}\n- Allowed: {}\n",
        allowed.replace('*', "\\*")
    )
}
