//! `wardroom export`: everything as JSON lines, or the users as CSV.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use tempfile::NamedTempFile;

use super::context::{open, operator};
use super::report::{CliError, Report};
use crate::config::Config;
use crate::directory::model::{FieldValue, Timestamp};
use crate::directory::transfer::export::{ExportScope, RecordSink};
use crate::directory::transfer::import::table::{COLUMNS, LIST, neutralised};
use crate::directory::transfer::record::{Record, Reference, UserRecord};
use crate::paths::{OpenDirectory, remedy};

/// The arguments of `wardroom export`.
#[derive(Args)]
pub(super) struct ExportArgs {
    /// json: everything, as lines for `wardroom import json`. csv: the users, for spreadsheets.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Write to this file instead of standard output. Only its owner can read it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if it exists.
    #[arg(long, requires = "output")]
    replace: bool,
    /// Leave out personal data, passwords and tokens. Users get pseudonyms that are the same in every export.
    #[arg(long)]
    anonymise: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
}

pub(super) async fn run(export: ExportArgs, config: &Config) -> Result<Report, CliError> {
    let Some(path) = &export.output else {
        write(&export, config, io::stdout()).await?;
        return Ok(Report::silent());
    };
    let unwritable =
        |error: io::Error| CliError::usage(format!("{}: {error}: {}", path.display(), remedy(&error)));
    let exists =
        || CliError::usage(format!("{} already exists: use --replace to overwrite it", path.display()));
    if path.exists() && !export.replace {
        return Err(exists());
    }
    // An incomplete export must not look like a complete one. Temporary files are readable by their owner only.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = NamedTempFile::new_in(folder).map_err(unwritable)?;
    let count = write(&export, config, temporary.reopen().map_err(unwritable)?).await?;
    place(&mut temporary, path, export.replace).map_err(|error| match error.kind() {
        // It appeared while the export was written.
        io::ErrorKind::AlreadyExists if !export.replace => exists(),
        _ => unwritable(error),
    })?;
    let text = format!("Exported {count} records to {}.\n", path.display());
    Ok(Report::new(text, json!({ "records": count, "file": path })))
}

/// Moves a complete export from beside its destination to it. The file has secrets: see [`OpenDirectory::place_secret`].
fn place(temporary: &mut NamedTempFile, path: &Path, replace: bool) -> io::Result<()> {
    let name = |path: &Path| path.file_name().map(OsStr::to_owned).ok_or(io::ErrorKind::InvalidInput);
    let folder = OpenDirectory::follow(path.parent().unwrap_or(Path::new("")))?;
    let from = name(temporary.path())?;
    folder.place_secret(&folder, (&from, temporary.as_file()), &name(path)?, replace)?;
    temporary.disable_cleanup(true);
    Ok(())
}

/// Writes JSON lines.
struct JsonWriter<W: Write>(BufWriter<W>);

impl<W: Write + Send + 'static> RecordSink for JsonWriter<W> {
    fn put(&mut self, record: Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, &record)?;
        self.0.write_all(b"\n")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes users as CSV, below a header that is already written.
struct CsvWriter<W: Write>(csv::Writer<W>);

impl<W: Write + Send + 'static> RecordSink for CsvWriter<W> {
    fn put(&mut self, record: Record) -> io::Result<()> {
        match record {
            Record::User(user) => {
                Ok(self.0.write_record(cells(&user).iter().map(|cell| neutralised(cell)))?)
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

async fn write(
    export: &ExportArgs,
    config: &Config,
    out: impl Write + Send + 'static,
) -> Result<u64, CliError> {
    let directory = open(config).await?;
    let scope = match (export.format, export.anonymise) {
        (_, true) => ExportScope::Anonymised,
        (Format::Json, false) => ExportScope::Whole,
        (Format::Csv, false) => ExportScope::Users,
    };
    let written = match export.format {
        Format::Json => {
            directory.export(&operator(), scope, JsonWriter(BufWriter::with_capacity(1 << 16, out))).await
        }
        Format::Csv => {
            let mut table = csv::Writer::from_writer(out);
            table.write_record(COLUMNS.iter()).map_err(|error| CliError::internal(error.to_string()))?;
            directory.export(&operator(), scope, CsvWriter(table)).await
        }
    };
    Ok(written?)
}

/// Returns the cells of a user, in the order of [`COLUMNS`].
fn cells(user: &UserRecord) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let list = |parts: Vec<String>| parts.join(&LIST.to_string());
    let group = |reference: &Reference| match reference {
        Reference::Id(id) => id.to_string(),
        Reference::Name(name) => name.clone(),
    };
    let permissions = user.permissions.iter().flatten().map(i64::to_string);
    let mut cells = vec![user.id.map(|id| id.to_string()).unwrap_or_default(), user.username.clone()];
    cells.extend(user.personal().map(|(_, value)| field(value)));
    cells.push(list(user.groups.iter().flatten().map(group).collect()));
    cells.extend([time(user.last_login.flatten()), time(user.created_at), time(user.updated_at)]);
    cells.extend(user.flags().map(|(_, value)| field(value)));
    cells.push(list(permissions.collect()));
    cells.push(user.password.clone().unwrap_or_default());
    cells
}

fn field(value: FieldValue<'_>) -> String {
    match value {
        FieldValue::Null => String::new(),
        FieldValue::Text(text) => text.to_owned(),
        FieldValue::Flag(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Guards against an export without --replace that replaces a file which appeared while it was written.
    #[test]
    fn finding_a_file_that_appeared_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.json");
        let mut temporary = NamedTempFile::new_in(folder.path()).unwrap();
        fs::write(&path, "planted").unwrap();
        let refused = place(&mut temporary, &path, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "planted");
        place(&mut temporary, &path, true).unwrap();
        drop(temporary);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
