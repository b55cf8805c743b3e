//! `wardroom secrets`: makes a secrets key, and replaces one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use super::context::{open, operator};
use super::messages::secrets_keys;
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::Clock;
use crate::directory::secrets::ResealedSecrets;
use crate::directory::secrets_key::SecretsKeys;

/// The commands of `wardroom secrets`.
#[derive(Subcommand)]
pub(super) enum SecretsVerb {
    /// Make a new secrets key, and print it or write it into a file.
    Generate(GenerateKey),
    /// Encrypt again what an older key of secrets_key_file has encrypted, with its first key. Then remove the older ones.
    Rotate,
}

#[derive(Args)]
pub(super) struct GenerateKey {
    /// Write the key into this file. A new file gets the mode 600. If there is a file, its keys stay and the new one is added
    /// as the last line: all servers can then read it before it is moved to the first line.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs `generate`, which needs no settings.
pub(super) fn generate(args: GenerateKey) -> Result<Report, CliError> {
    let key = SecretsKeys::generate(&Clock::system()?)?;
    let id = SecretsKeys::parse(&key).map_err(CliError::internal)?.ids().concat();
    let Some(path) = args.file else {
        let text = format!("{}\n", key.as_str());
        return Ok(Report::new(text, json!({ "key": key.as_str(), "id": id })).once());
    };
    let shown = path.display().to_string();
    let is_new = add_key(&path, &key).map_err(|why| CliError::usage(format!("--file {shown}: {why}")))?;
    let next = match is_new {
        true => "Set secrets_key_file to it. It belongs in no backup of the database.",
        false => {
            "It reads and does not encrypt yet: give the file to all servers and restart them, move the new line to the top, \
             restart them again, and run `wardroom secrets rotate`."
        }
    };
    let text = format!("The key {id} is in {shown}. {next}\n");
    Ok(Report::new(text, json!({ "id": id, "file": shown, "new_file": is_new })))
}

/// Adds a key to a file, or creates it. Returns whether it was created. The file is replaced as a whole, so a crash leaves the
/// old keys.
fn add_key(path: &Path, key: &str) -> Result<bool, String> {
    let unwritable = |error: io::Error| format!("cannot be written: {error}");
    let before = match fs::read_to_string(path) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut text = Zeroizing::new(String::new());
    if let Some(before) = &before {
        SecretsKeys::parse(before)?;
        text.push_str(before.trim_end());
        text.push('\n');
    }
    text.push_str(key);
    text.push('\n');
    SecretsKeys::parse(&text)?;
    let beside =
        path.with_file_name(format!(".{}.new", path.file_name().ok_or("names no file")?.to_string_lossy()));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).and_then(|mut file| {
            if let Ok(about) = fs::metadata(path) {
                file.set_permissions(about.permissions())?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        });
    if written.is_err() {
        // What cannot be removed was not written by this command, or the directory has become read-only.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(unwritable)?;
    Ok(before.is_none())
}

/// Encrypts everything again with the first key.
pub(super) async fn rotate(config: &Config) -> Result<Report, CliError> {
    let keys = secrets_keys(config)?.ok_or_else(|| {
        CliError::usage(
            "secrets_key_file is not set: make a key with `wardroom secrets generate --file FILE`",
        )
    })?;
    let found = open(config).await?.reseal_secrets(&operator()).await?;
    let ResealedSecrets { resealed, current, unknown, damaged } = &found;
    let ids = keys.ids();
    let first = ids.first().cloned().unwrap_or_default();
    let mut text =
        format!("{resealed} values were encrypted again with the key {first}; {current} already were.\n");
    for (id, count) in unknown {
        text += &format!(
            "{count} values need the key {id}, which is not in the file: add it as the last line and run this again, or drop \
             their messages with `wardroom outbox drop`.\n"
        );
    }
    if *damaged > 0 {
        text +=
            &format!("{damaged} values cannot be read with their key: the database was changed by hand.\n");
    }
    let is_whole = unknown.is_empty() && *damaged == 0;
    if is_whole && ids.len() > 1 {
        text += "The other keys of the file are not needed any more: remove their lines when no server uses them to encrypt.\n";
    }
    let json = json!({
        "key": first, "resealed": resealed, "current": current, "unknown": unknown, "damaged": damaged,
    });
    let mut report = Report::new(text, json);
    report.code = (!is_whole).into();
    Ok(report)
}
