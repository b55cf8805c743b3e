use std::fs;
use std::os::unix::ffi::OsStringExt;

use clap::{CommandFactory, Parser, Subcommand};
use tempfile::TempDir;

use super::*;
use crate::config::{CommonFlags, Config, Loaded, ServeFlags, settings_help};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    common: CommonFlags,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Serve {
        #[command(flatten)]
        serve: ServeFlags,
    },
    Doctor,
}

/// A directory with a settings file, and the means to load it.
struct Place {
    dir: TempDir,
    environment: Vec<(&'static str, OsString)>,
}

impl Place {
    fn new(toml: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), environment: Vec::new() };
        fs::write(place.file(), toml).unwrap();
        place.mode(0o600)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("wardroom.toml")
    }

    fn mode(self, mode: u32) -> Self {
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn env(mut self, name: &'static str, text: &str) -> Self {
        self.environment.push((name, text.into()));
        self
    }

    fn load(&self, words: &[&str]) -> Result<Loaded, ConfigError> {
        let find =
            |name: &str| self.environment.iter().find(|(key, _)| *key == name).map(|(_, text)| text.clone());
        Config::load_from(&typed(words), &find, &self.file())
    }

    fn row(&self, words: &[&str], key: &str) -> (String, String) {
        let row = self.load(words).unwrap().origins.into_iter().find(|row| row.key == key).unwrap();
        (row.value, self.without_path(&row.origin.to_string()))
    }

    fn error(&self, words: &[&str]) -> String {
        self.without_path(&self.load(words).unwrap_err().to_string())
    }

    fn without_path(&self, text: &str) -> String {
        text.replace(&self.file().display().to_string(), "FILE")
    }
}

fn typed(words: &[&str]) -> Flags {
    let cli = Cli::try_parse_from(["wardroom"].iter().chain(words)).unwrap();
    match &cli.command {
        Verb::Serve { serve } => cli.common.with(serve),
        Verb::Doctor => cli.common.alone(),
    }
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.into(), origin.into())
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let place = Place::new("listen = '127.0.0.3:3'\nmax_connections = 3\nidle_timeout = '3s'")
        .env("WARDROOM_LISTEN", "127.0.0.2:2")
        .env("WARDROOM_MAX_CONNECTIONS", "2")
        .env("WARDROOM_MEDIA_URL", "");
    let words = ["serve", "--listen", "127.0.0.1:1"];
    assert_eq!(place.row(&words, "listen"), pair("127.0.0.1:1", "flag --listen"));
    assert_eq!(place.row(&words, "max_connections"), pair("2", "environment WARDROOM_MAX_CONNECTIONS"));
    assert_eq!(place.row(&words, "idle_timeout"), pair("3s", "file FILE"));
    assert_eq!(place.row(&words, "media_url"), pair("/media/", "default"));
    assert_eq!(place.row(&["doctor"], "listen"), pair("127.0.0.2:2", "environment WARDROOM_LISTEN"));
}

#[test]
fn an_empty_flag_turns_off_what_the_file_turned_on() {
    let place = Place::new("metrics_listen = '127.0.0.1:9000'");
    assert_eq!(
        place.row(&["serve", "--metrics-listen="], "metrics_listen"),
        pair("", "flag --metrics-listen")
    );
}

#[test]
fn common_flags_stand_before_or_after_the_command() {
    Cli::command().debug_assert();
    for words in [["--data-dir", "d", "doctor"], ["doctor", "--data-dir", "d"], ["serve", "--data-dir", "d"]]
    {
        assert_eq!(typed(&words).get("data_dir"), Some("d"), "{words:?}");
    }
    assert!(Cli::try_parse_from(["wardroom", "doctor", "--listen", "127.0.0.1:1"]).is_err());
}

#[test]
fn the_help_tells_meaning_form_environment_and_default() {
    let help = settings_help();
    for text in [
        "--max-body-bytes <BYTES>",
        "from 1KiB to 1GiB",
        "Environment: WARDROOM_MAX_BODY_BYTES",
        "Default:     1MiB",
    ] {
        assert!(help.contains(text), "{text} in {help}");
    }
    assert!(!help.contains('`'));
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    let mut command = Cli::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    let own = serve.render_long_help().to_string();
    assert!(!own.contains("--max-body-bytes") && !own.contains("--data-dir"), "{own}");
}

#[test]
fn an_error_names_the_setting_the_source_and_the_form() {
    let place = Place::new("max_connections = 0").env("WARDROOM_LISTEN", "80x");
    let error = place.error(&["doctor"]);
    let expected = "listen (environment WARDROOM_LISTEN): \"80x\" is not allowed; use an IP address and a port, such as 127.0.0.1:8000";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(
        place.error(&["serve", "--listen", "127.0.0.1:1"]),
        "max_connections (file FILE): \"0\" is not allowed; use a whole number from 1 to 1000000"
    );
    let error =
        place.error(&["serve", "--access-log", "so\u{1b}me", "--listen", "[::]:1", "--max-connections", "1"]);
    assert_eq!(
        error,
        "access_log (flag --access-log): \"so\\u{1b}me\" is not allowed; use one of none, failures, all"
    );
}

#[test]
fn a_text_that_is_not_utf_8_is_an_error() {
    let mut place = Place::new("");
    place.environment.push(("WARDROOM_DATA_DIR", OsString::from_vec(vec![b'a', 0xff])));
    let error = place.error(&["doctor"]);
    assert!(
        error.starts_with(
            "data_dir (environment WARDROOM_DATA_DIR): a text that is not UTF-8 is not allowed;"
        )
    );
}

#[test]
fn the_file_holds_texts_numbers_and_lists() {
    let place = Place::new("allowed_hosts = ['a', '.b']\nmax_body_bytes = 65536\nlog_level = 'warn'");
    assert_eq!(place.row(&["doctor"], "allowed_hosts").0, "a,.b");
    assert_eq!(place.row(&["doctor"], "max_body_bytes").0, "64KiB");
    assert_eq!(place.load(&["doctor"]).unwrap().file, Some(place.file()));
    for (toml, kind) in [
        ("data_dir = ['a']", "array"),
        ("idle_timeout = 1.5", "float"),
        ("media_url = 1979-05-27", "datetime"),
        ("listen = [1]", "array"),
        ("[listen]\na = 1", "table"),
    ] {
        let error = Place::new(toml).error(&["doctor"]);
        assert!(
            error.contains(&format!(" (file FILE): a value of type {kind} is not allowed; use ")),
            "{error}"
        );
    }
    let error = Place::new("log_format = true").error(&["doctor"]);
    assert!(error.starts_with("log_format (file FILE): \"true\" is not allowed; use one of"), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_its_nearest_neighbour() {
    for (key, hint) in [
        ("listn", "did you mean \"listen\"?"),
        ("data-dir", "did you mean \"data_dir\"?"),
        ("DATABASE_URI", "did you mean \"database_url\"?"),
        ("colour", "see `wardroom help settings`"),
    ] {
        let error = Place::new(&format!("{key} = 1")).error(&["doctor"]);
        assert_eq!(error, format!("file FILE: there is no setting {key:?}; {hint}"));
    }
}

#[test]
fn words_differ_by_as_many_letters_as_it_takes_to_change_one_into_the_other() {
    for (from, to, edits) in
        [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
    {
        assert_eq!(distance(from, to), edits, "{from} {to}");
    }
}

#[test]
fn a_broken_file_is_told_by_line_and_without_its_text() {
    let place = Place::new("\nlisten = '[::]:1'\ndatabase_url = 'postgres://a:hunter2@b/c");
    let error = place.error(&["doctor"]);
    assert!(error.starts_with("file FILE, line 3: ") && !error.contains("hunter2"), "{error}");
    let place = Place::new("database_url = hunter2").error(&["doctor"]);
    assert!(place.starts_with("file FILE, line 1: ") && !place.contains("hunter2"), "{place}");
}

#[test]
fn only_the_default_file_may_be_missing() {
    let place = Place::new("log_level = 'debug'").env("WARDROOM_CONFIG", "/nonexistent/a.toml");
    let reason =
        "cannot be read: No such file or directory (os error 2); use the path of a readable TOML file";
    assert_eq!(
        place.error(&["doctor"]),
        format!("config (environment WARDROOM_CONFIG): /nonexistent/a.toml {reason}")
    );
    assert_eq!(
        place.error(&["doctor", "--config", "/nonexistent/b.toml"]),
        format!("config (flag --config): /nonexistent/b.toml {reason}")
    );
    let file = place.file().display().to_string();
    assert_eq!(place.row(&["--config", &file, "doctor"], "log_level"), pair("debug", "file FILE"));
    fs::remove_file(place.file()).unwrap();
    let place = Place { environment: vec![("WARDROOM_CONFIG", OsString::new())], ..place };
    assert_eq!(place.row(&["doctor"], "log_level"), pair("info", "default"));
}

#[test]
fn a_secret_in_an_open_file_is_refused_even_if_it_is_not_used() {
    let secret = "database_url = 'postgres://app:hunter2@db/w'";
    let refusal = "database_url (file FILE): holds a secret, and mode 604 opens the file to every user; \
                   run chmod 600 FILE";
    assert_eq!(Place::new(secret).mode(0o604).error(&["doctor"]), refusal);
    assert_eq!(Place::new(secret).mode(0o604).error(&["doctor", "--database-url="]), refusal);
    assert!(Place::new(secret).mode(0o640).load(&["doctor"]).is_ok());
    let open = Place::new("database_url = 'postgres://app@db/w'").mode(0o644);
    assert_eq!(open.row(&["doctor"], "database_url").0, "postgres://app@db/w");
}

#[test]
fn a_secret_is_in_no_message() {
    let bad = "postgres://app:hunter2@b@d/w";
    let errors = [
        Place::new("").error(&["doctor", "--database-url", bad]),
        Place::new("").env("WARDROOM_DATABASE_URL", bad).error(&["doctor"]),
        Place::new(&format!("database_url = '{bad}'")).error(&["doctor"]),
    ];
    for error in errors {
        assert!(
            error.contains("the value (not shown) is not allowed") && !error.contains("hunter2"),
            "{error}"
        );
    }
    let flags = typed(&["doctor", "--database-url", bad]);
    assert_eq!(format!("{flags:?}"), "{\"database_url\"}");
}
