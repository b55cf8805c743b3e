//! What most commands share: opening the account database, the operator, passwords and confirmations.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::messages::message_settings_or_fault;
use super::report::{CliError, Report};
use crate::config::{Config, DEFAULT_FILE, RateLimit};
use crate::directory::model::{Channel, CodeSettings, Rate, Rates};
use crate::directory::password::Password;
use crate::directory::{Actor, Clock, Directory, LinkSettings, Location, OpenError, Settings};
use crate::media::Media;
use crate::outbound::{CallCounter, Door};

/// Picks the settings of the account database.
pub(super) fn settings(config: &Config) -> Settings {
    let location = match &config.database_url {
        Some(url) => Location::Postgres(url.expose().to_owned()),
        None => Location::Sqlite(config.data_dir.clone()),
    };
    Settings {
        location,
        connections: usize::try_from(config.database_connections).unwrap_or(usize::MAX),
        timeout: config.database_timeout,
        password_min_length: usize::try_from(config.password_min_length).unwrap_or(usize::MAX),
        password_words: config.password_words.clone(),
        sign_in_lifetime: config.sign_in_lifetime,
        sign_in_idle_timeout: config.sign_in_idle_timeout,
        keep_ended_tokens_for: config.keep_ended_tokens_for,
        rates: Rates {
            per_token: config.rate_limit_per_token.map(rate),
            per_address: config.rate_limit_per_address.map(rate),
            uploads: (config.avatar_uploads_per_hour > 0).then_some(Rate {
                requests: config.avatar_uploads_per_hour,
                window: Duration::from_hours(1),
            }),
        },
        keep_deleted_for: config.keep_deleted_for,
        contact_needs_password: config.contact_needs_password,
        identity_cache_bytes: config.identity_cache as u64,
        serve_stale_for: config.serve_stale_for,
        messages: message_settings_or_fault(config),
        codes: codes(config),
        links: links(config),
        list_bitmaps_bytes: config.list_bitmaps as u64,
        list_timeout: config.list_timeout,
    }
}

/// Picks the settings of links and notices. A link leads to the admin site under `public_url`, whatever host a request names.
fn links(config: &Config) -> LinkSettings {
    let base = config.public_url.as_ref().filter(|_| config.admin_site);
    LinkSettings {
        base: base.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        invitation_lifetime: config.invitation_lifetime,
        password_reset: config.password_reset,
        password_reset_lifetime: config.password_reset_lifetime,
        resets_per_account: config.password_resets_per_account,
        resets_per_client: config.password_resets_per_client,
        contact_settle: config.contact_settle,
        change_notices: config.change_notices,
        network_notices: config.network_notices,
    }
}

/// Picks the settings of one-time codes; `None` if no one signs in with them.
fn codes(config: &Config) -> Option<CodeSettings> {
    config.otp_sign_in.then(|| CodeSettings {
        digits: config.otp_digits,
        lifetime: config.otp_lifetime,
        for_admins: config.otp_for_admins,
        countries: config.otp_countries.clone(),
        home: config.otp_home_country.clone(),
        contact_settle: config.contact_settle,
        per_account_hour: config.otp_per_account_hour,
        per_account_day: config.otp_per_account_day,
        per_client_hour: config.otp_per_client_hour,
        targets_per_client_hour: config.otp_targets_per_client_hour,
        per_hour: config.otp_per_hour,
    })
}

/// Why people could not sign in with a code, although the settings say so.
pub(super) fn codes_fault(settings: &Settings) -> Option<String> {
    let can_send = |channel| settings.messages.can_send(channel);
    if settings.codes.is_none() || Channel::ALL.iter().any(|channel| can_send(*channel)) {
        return None;
    }
    let reason = settings.messages.fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
    Some(format!(
        "otp_sign_in needs secrets_key_file, and sms_provider or mail_provider, so that codes can be sent{reason}: set them, or \
         switch otp_sign_in off; docs/messages.md has examples"
    ))
}

fn rate(limit: RateLimit) -> Rate {
    Rate { requests: limit.requests, window: limit.window }
}

/// Where the calls of a command leave, which listens nowhere and counts for no one.
pub(super) fn door(config: &Config) -> Door {
    Door::of(config, &[], CallCounter::default())
}

/// Prepares the pictures of users: what makes them safe, and where they are kept.
pub(super) fn media(config: &Config, door: &Door) -> Result<Media, CliError> {
    Media::of(config, door).map_err(|error| CliError::usage(error.to_string()))
}

/// Opens the account database of these settings.
pub(super) async fn open(config: &Config) -> Result<Directory, CliError> {
    Directory::open(&settings(config), Clock::system()?).await.map_err(|error| unopened(config, error))
}

/// Why the database cannot be opened. If there is none, and no one said where it is, the message says where it was looked for.
pub(super) fn unopened(config: &Config, error: OpenError) -> CliError {
    let is_missing = matches!(error, OpenError::Missing(_));
    let error = CliError::from(error);
    if is_missing { error.adding(&where_looked_for(config)) } else { error }
}

/// Names the default data directory if it was used: it starts at the working directory, which is easily another one.
pub(super) fn where_looked_for(config: &Config) -> String {
    if !config.is_default_data_dir() {
        return String::new();
    }
    let here = std::env::current_dir().map_or_else(|_| ".".to_owned(), |here| here.display().to_string());
    format!(
        "; data_dir is not set, so its default was used, {} in {here}: set it with --data-dir, WARDROOM_DATA_DIR or in \
         {DEFAULT_FILE}",
        config.data_dir.display()
    )
}

/// Returns the operator: the system user that runs this process.
pub(super) fn operator() -> Actor {
    Actor::operator(system_user().unwrap_or_else(|| "operator".to_owned()))
}

fn system_user() -> Option<String> {
    Some(account_name(fs::metadata("/proc/self").ok()?.uid()))
}

/// Returns the name of an account of this machine, or its number if it has none.
pub(super) fn account_name(uid: u32) -> String {
    let uid = uid.to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = accounts.lines().map(|line| line.split(':'));
    let named = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    named.unwrap_or(uid)
}

/// Reads a new password: one line of standard input, or twice from the terminal without echo.
pub(super) fn new_password(from_stdin: bool) -> Result<Password, CliError> {
    let unreadable = |error: io::Error| CliError::internal(format!("cannot read the password: {error}"));
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
        return Ok(Password::new(line.trim_end_matches(['\n', '\r']).to_owned()));
    }
    if !io::stdin().is_terminal() {
        return Err(CliError::usage("there is no terminal for entering the password: use --password-stdin"));
    }
    let first = rpassword::prompt_password("New password: ").map_err(unreadable)?;
    let second = rpassword::prompt_password("Again: ").map_err(unreadable)?;
    if first == second { Ok(Password::new(first)) } else { Err(CliError::usage("the two passwords differ")) }
}

/// Asks for confirmation unless `--yes` was given.
pub(super) fn confirm(yes: bool, question: &str) -> Result<(), CliError> {
    check_can_confirm(yes)?;
    if yes { Ok(()) } else { ask(question) }
}

/// Fails if a question is needed and cannot be asked: before the work that makes the question.
pub(super) fn check_can_confirm(yes: bool) -> Result<(), CliError> {
    if yes || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(CliError::usage("there is no terminal for the confirmation: use --yes"))
}

/// Asks a question that says what happens, and to how many.
pub(super) fn ask(question: &str) -> Result<(), CliError> {
    let unreadable = |error: io::Error| CliError::internal(format!("cannot read the answer: {error}"));
    write!(io::stderr(), "{question} Type yes to confirm: ").map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(unreadable)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(CliError::usage("not confirmed: nothing was changed")) }
}

/// Runs a command to its end, on a runtime of its own.
pub(super) fn on_runtime(work: impl Future<Output = Result<Report, CliError>>) -> Result<Report, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .map_err(|error| CliError::internal(format!("cannot start the async runtime: {error}")))?
        .block_on(work)
}
