//! `wardroom import`: users, groups and tokens from a Django database, JSON lines or CSV.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::context::{confirm, open, operator};
use super::progress;
use super::report::{CliError, Report, ReportPart};
use super::terminal::{Prose, TableCell, TableColumn, TextTable};
use crate::config::{Config, IMPORT_FROM_ENV};
use crate::directory::transfer::import::lines::JsonLines;
use crate::directory::transfer::import::media::AvatarCopy;
use crate::directory::transfer::import::notices::Notices;
use crate::directory::transfer::import::options::ImportOptions;
use crate::directory::transfer::import::report::{ImportReport, RecordCounts};
use crate::directory::transfer::import::source::Source;
use crate::directory::transfer::import::table::CsvTable;
use crate::switchover::django::{Django, DjangoLocation, MappingOptions};

/// The commands of `wardroom import`.
#[derive(Subcommand)]
pub(super) enum ImportVerb {
    /// Import from a Django database, which may be live and is only read: users with their ids, passwords and groups, and the
    /// tokens of Django REST Framework and knox.
    Django(Box<FromDjango>),
    /// Import JSON lines as `wardroom export` writes them (see docs/records.md).
    Json(FromFile),
    /// Import users from a CSV file whose first line names the columns (see docs/records.md).
    Csv(FromFile),
}

#[derive(Args)]
pub(super) struct FromDjango {
    /// The database: postgres://user:password@host:port/name, or the path of a SQLite file.
    #[arg(long, value_name = "URL", env = IMPORT_FROM_ENV, hide_env_values = true)]
    from: String,
    /// A TOML file with the tables, such as user_table and profile_table, time_zone, [columns] and [gender] (see
    /// docs/moving-from-django.md). Flags override it.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The table with the users, if it is not found automatically. On PostgreSQL, SCHEMA.TABLE names a table of another
    /// schema. This holds for all flags that name tables; an empty name reads no such table.
    #[arg(long, value_name = "TABLE")]
    user_table: Option<String>,
    /// A table with one row per user, for fields that the user table lacks.
    #[arg(long, value_name = "TABLE")]
    profile_table: Option<String>,
    /// The table with the groups, if the memberships do not show it.
    #[arg(long, value_name = "TABLE")]
    groups_table: Option<String>,
    /// A table with one row per group, for the notes and times of groups, if it is not found automatically.
    #[arg(long, value_name = "TABLE", alias = "group-table")]
    group_profile_table: Option<String>,
    /// The table that joins users and groups, if it is not the one that Django creates for the user model.
    #[arg(long, value_name = "TABLE")]
    membership_table: Option<String>,
    /// The table with keys in clear text, if it is not authtoken_token. It may be the table of the users.
    #[arg(long, value_name = "TABLE")]
    token_table: Option<String>,
    /// The table with the tokens of knox, if it is not knox_authtoken.
    #[arg(long, value_name = "TABLE")]
    knox_table: Option<String>,
    /// Read a field from this column. FIELD= reads it from no column: --map user_id= imports users without their ids. Flags
    /// also take true, false or group:NAME, as in --map is_staff=group:Staff.
    #[arg(long = "map", value_name = "FIELD=COLUMN")]
    columns: Vec<String>,
    /// The time zone of times without one, if Django ran with USE_TZ = False [default: UTC].
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
    /// Leave out rows that cannot be imported, and list them, instead of refusing the import.
    #[arg(long)]
    skip_invalid: bool,
    #[command(flatten)]
    how: ImportFlags,
    #[command(flatten)]
    media: MediaFlags,
}

#[derive(Args)]
pub(super) struct FromFile {
    /// The file.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    how: ImportFlags,
    #[command(flatten)]
    media: MediaFlags,
}

#[derive(Args)]
struct ImportFlags {
    /// Report what would be done, without writing anything.
    #[arg(long)]
    dry_run: bool,
    /// Overwrite existing rows that differ from the source. Use it to repeat an import until you switch over.
    #[arg(long)]
    sync: bool,
    /// Delete what the source no longer has: users (to the recycle bin), groups and imported tokens.
    #[arg(long)]
    delete_missing: bool,
    /// If users share an email address or mobile number, keep it only for the one with the lowest id.
    #[arg(long)]
    clear_duplicates: bool,
    /// Do not ask for confirmation before deleting.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
struct MediaFlags {
    /// Copy avatar files from this folder (Django's MEDIA_ROOT) to the data directory.
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,
    /// Create hard links instead of copies where the file system supports it.
    #[arg(long, requires = "media")]
    link_media: bool,
}

pub(super) async fn run(verb: ImportVerb, config: &Config) -> Result<Report, CliError> {
    match verb {
        ImportVerb::Django(django) => {
            let options = options(&django.how, &django.media, config)?;
            let (location, mapping) = (DjangoLocation::parse(&django.from)?, django.mapping()?);
            let runtime = tokio::runtime::Handle::current();
            let source =
                tokio::task::spawn_blocking(move || Django::open(&location, &mapping, &runtime)).await;
            let source = source.map_err(|error| CliError::internal(error.to_string()))??;
            import(source, &django.how, &options, config).await
        }
        ImportVerb::Json(file) => {
            let options = options(&file.how, &file.media, config)?;
            import(JsonLines::new(&file.from), &file.how, &options, config).await
        }
        ImportVerb::Csv(file) => {
            let options = options(&file.how, &file.media, config)?;
            import(CsvTable::new(&file.from), &file.how, &options, config).await
        }
    }
}

fn options(how: &ImportFlags, media: &MediaFlags, config: &Config) -> Result<ImportOptions, CliError> {
    if how.delete_missing && !how.dry_run {
        confirm(how.yes, "Everything that the source does not have will be deleted.")?;
    }
    let to = config.data_dir.join("media");
    let media = media.media.as_ref().map(|from| AvatarCopy::new(from, &to, media.link_media)).transpose()?;
    Ok(ImportOptions {
        sync: how.sync,
        delete_missing: how.delete_missing,
        clear_duplicates: how.clear_duplicates,
        media,
    })
}

impl FromDjango {
    fn mapping(&self) -> Result<MappingOptions, CliError> {
        let mut options = self.mapping.as_deref().map(MappingOptions::read).transpose()?.unwrap_or_default();
        options.skip_invalid |= self.skip_invalid;
        for (flag, option) in [
            (&self.user_table, &mut options.user_table),
            (&self.profile_table, &mut options.profile_table),
            (&self.groups_table, &mut options.groups_table),
            (&self.group_profile_table, &mut options.group_profile_table),
            (&self.membership_table, &mut options.membership_table),
            (&self.token_table, &mut options.token_table),
            (&self.knox_table, &mut options.knox_table),
            (&self.time_zone, &mut options.time_zone),
        ] {
            if flag.is_some() {
                option.clone_from(flag);
            }
        }
        let columns: Result<BTreeMap<_, _>, _> = self
            .columns
            .iter()
            .map(|pair| {
                let (field, column) = pair.split_once('=').ok_or_else(|| {
                    CliError::usage(format!("--map {pair:?}: use FIELD=COLUMN, such as mobile_number=phone"))
                })?;
                Ok::<_, CliError>((field.trim().to_owned(), column.trim().to_owned()))
            })
            .collect();
        options.columns.extend(columns?);
        Ok(options)
    }
}

async fn import(
    source: impl Source,
    how: &ImportFlags,
    options: &ImportOptions,
    config: &Config,
) -> Result<Report, CliError> {
    let directory = open(config).await?;
    let (actor, progress) = (operator(), progress::of_import());
    let imported = match how.dry_run {
        true => directory.dry_run_import(&actor, source, options, progress).await?,
        false => directory.import(&actor, source, options, progress).await?,
    };
    let mut report = Report::of_parts(parts(&imported), imported.to_json());
    report.code = if imported.is_refused() { 4 } else { 0 };
    Ok(report)
}

/// The parts of the report as text.
fn parts(imported: &ImportReport) -> Vec<ReportPart> {
    let mut source = Prose::default();
    source.line(8, format!("Source: {}", imported.source));
    source.line(0, "");
    let mut parts = vec![ReportPart::Prose(source)];
    if !imported.mapping.is_empty() {
        let row = |(to, from): &(String, String)| [TableCell::from(to), TableCell::from(from)];
        let columns = [TableColumn::whole("field"), TableColumn::sentences("from")];
        let rows = imported.mapping.iter().map(row).collect();
        parts.push(ReportPart::Table(TextTable::new(columns, rows)));
        parts.push(ReportPart::Text("\n".to_owned()));
    }
    parts.push(ReportPart::Table(counts(imported)));
    let mut text = Prose::default();
    let listed = |counts: Vec<String>| counts.join(", ");
    let passwords =
        imported.passwords.iter().map(|(encoding, count)| format!("{encoding} {count}")).collect();
    text.paragraph(format!("Passwords: {}", listed(passwords)));
    if !imported.changed_fields.is_empty() {
        let fields =
            imported.changed_fields.iter().map(|(field, count)| format!("{field} {count}")).collect();
        text.line(0, format!("Changed fields: {}", listed(fields)));
    }
    if imported.media > 0 {
        text.line(0, format!("Avatar files: {}", imported.media));
    }
    add_notices(&mut text, "Notes", &imported.notices);
    add_notices(&mut text, "Conflicts", &imported.conflicts);
    text.paragraph(outcome(imported));
    parts.push(ReportPart::Prose(text));
    parts
}

/// How many rows of each kind were read and written.
fn counts(imported: &ImportReport) -> TextTable {
    let counts = imported.counts().into_iter().filter(|(_, counts)| counts.read + counts.missing > 0);
    let row = |(noun, counts): (&str, RecordCounts)| {
        let numbers =
            [counts.read, counts.added, counts.changed, counts.unchanged, counts.missing, counts.removed];
        let [read, added, changed, unchanged, missing, removed] =
            numbers.map(|number| TableCell::from(number.to_string()));
        [noun.into(), read, added, changed, unchanged, missing, removed]
    };
    let heads = ["", "read", "new", "changed", "unchanged", "missing", "removed"];
    TextTable::new(heads.map(TableColumn::whole), counts.map(row).collect())
}

fn outcome(imported: &ImportReport) -> &'static str {
    let counts = imported.counts();
    match (imported.is_refused(), imported.dry_run, counts.iter().any(|(_, counts)| counts.writes())) {
        (true, _, _) => "Nothing was written.",
        (false, true, _) => "Dry run: nothing was written. There are no conflicts.",
        (false, false, true) => "Done.",
        (false, false, false) if counts.iter().all(|(_, counts)| counts.read == 0) => {
            "Done: the source is empty."
        }
        (false, false, false) => "Done: everything was up to date already.",
    }
}

fn add_notices(text: &mut Prose, title: &str, notices: &Notices) {
    for (number, (message, notice)) in notices.iter().enumerate() {
        if number == 0 {
            text.paragraph(format!("{title}:"));
        }
        if notice.is_complete {
            text.line(6, format!("  {} x {message}:", notice.count));
            notice.examples.iter().for_each(|example| text.line(8, format!("      {example}")));
            continue;
        }
        let more = if notice.count > notice.examples.len() as u64 { "; ..." } else { "" };
        text.line(6, format!("  {} x {message}: {}{more}", notice.count, notice.examples.join("; ")));
    }
}
