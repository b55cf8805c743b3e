//! The URL of the database from a file: one that a setting names, or a credential of the service manager.
//!
//! Never in here: a message that quotes such a file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::sources::{ConfigError, Environment, SettingOrigin, ShownSetting};
use super::urls::DatabaseUrl;
use super::values::SettingType;

const URL: &str = "database_url";
const FILE: &str = "database_url_file";

/// The folder where systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Fills `database_url` in from a file if it is not set, and notes the file in its row.
pub(super) fn complete(
    url: &mut Option<DatabaseUrl>,
    file: Option<&Path>,
    rows: &mut [ShownSetting],
    environment: Environment<'_>,
) -> Result<(), ConfigError> {
    let path = match (&url, file) {
        (Some(_), Some(_)) => return Err(both(rows)),
        (Some(_), None) => return Ok(()),
        (None, Some(path)) => path.to_owned(),
        (None, None) => match credential(URL, environment) {
            Some(path) => path,
            None => return Ok(()),
        },
    };
    let found = read(&path)?;
    if let Some(row) = rows.iter_mut().find(|row| row.key == URL) {
        row.value = DatabaseUrl::show(&found);
        row.origin = SettingOrigin::File(path);
    }
    *url = Some(found);
    Ok(())
}

/// Returns the file of a credential, if the service manager provides one.
pub(super) fn credential(name: &str, environment: Environment<'_>) -> Option<PathBuf> {
    let directory = environment(CREDENTIALS).filter(|directory| !directory.is_empty())?;
    let path = Path::new(&directory).join(name);
    // A credential that cannot be checked must be an error later, not a silent fall-back to SQLite.
    path.try_exists().unwrap_or(true).then_some(path)
}

fn both(rows: &[ShownSetting]) -> ConfigError {
    let origin =
        |key| rows.iter().find(|row| row.key == key).map_or(SettingOrigin::Default, |row| row.origin.clone());
    ConfigError::Both { keys: [URL, FILE], origins: [origin(URL), origin(FILE)] }
}

/// Reads a file that holds a secret, for the setting `key`. A file that every user of the machine can open is refused.
pub(super) fn read_secret(key: &'static str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let unreadable = |error: std::io::Error| ConfigError::UnreadableSecret {
        key,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(ConfigError::Exposed { key, path: path.to_owned(), mode: mode & 0o777 });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn read(path: &Path) -> Result<DatabaseUrl, ConfigError> {
    let text = read_secret(FILE, path)?;
    let origin = || SettingOrigin::File(path.to_owned());
    DatabaseUrl::parse(text.trim()).map_err(|_| match DatabaseUrl::reason(text.trim()) {
        Some(reason) => ConfigError::Refused { key: URL, origin: origin(), reason },
        None => ConfigError::NotAllowed {
            key: URL,
            origin: origin(),
            given: "the text of the file (not shown)".to_owned(),
            allowed: DatabaseUrl::allowed(),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::{self, Permissions};

    use super::*;
    use crate::config::{Config, Flags, Loaded};

    const SECRET: &str = "postgres://app:hunter2@db/w?sslmode=require";

    fn load(flags: &[(&'static str, &str)], credentials: Option<&Path>) -> Result<Loaded, ConfigError> {
        let flags = flags.iter().fold(Flags::default(), |flags, (key, text)| flags.with(key, *text));
        let find = |name: &str| credentials.filter(|_| name == CREDENTIALS).map(OsString::from);
        Config::load_from(&flags, &find, Path::new("/nonexistent/wardroom.toml"))
    }

    fn file(directory: &Path, text: &str, mode: u32) -> String {
        let path = directory.join(URL);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }

    /// Everything that a configuration shows of itself.
    fn seen(loaded: &Loaded) -> String {
        format!("{loaded:?} {}", crate::config::render_show(loaded))
    }

    #[test]
    fn finding_low_a_file_or_a_credential_holds_the_url_and_nobody_is_shown_it() {
        let place = tempfile::tempdir().unwrap();
        let path = file(place.path(), &format!("{SECRET}\n"), 0o640);
        for loaded in [load(&[(FILE, &path)], None), load(&[], Some(place.path()))] {
            let loaded = loaded.unwrap();
            assert_eq!(loaded.config.database_url.as_ref().unwrap().expose(), SECRET);
            let row = loaded.origins.iter().find(|row| row.key == URL).unwrap();
            assert_eq!(row.value, "postgres://app:***@db/w?sslmode=require");
            assert_eq!(row.origin.to_string(), format!("file {path}"));
            assert!(!seen(&loaded).contains("hunter2"));
        }
        // A setting comes first, and no credential is none.
        let own = load(&[(URL, "postgres://localhost/own")], Some(place.path())).unwrap();
        assert_eq!(own.config.database_url.unwrap().expose(), "postgres://localhost/own");
        fs::remove_file(&path).unwrap();
        assert!(load(&[], Some(place.path())).unwrap().config.database_url.is_none());
    }

    #[test]
    fn finding_low_two_urls_are_one_too_many() {
        let place = tempfile::tempdir().unwrap();
        let path = file(place.path(), SECRET, 0o600);
        let error = load(&[(FILE, &path), (URL, SECRET)], None).unwrap_err().to_string();
        assert_eq!(
            error,
            "database_url (flag --database-url) and database_url_file (flag --database-url-file) are both set; set one \
             of them"
        );
    }

    #[test]
    fn finding_low_a_file_that_is_open_missing_or_wrong_is_refused_without_its_text() {
        let place = tempfile::tempdir().unwrap();
        for mode in [0o604, 0o602, 0o601, 0o644] {
            let path = file(place.path(), SECRET, mode);
            for loaded in [load(&[(FILE, &path)], None), load(&[], Some(place.path()))] {
                let error = loaded.unwrap_err().to_string();
                assert!(error.contains(&format!("mode {mode:03o} opens the file to every user")), "{error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
        }
        for text in
            ["", "\n", "hunter2", "mysql://app:hunter2@db/w", "postgres://app:hunter2@db/w\npostgres://x/y"]
        {
            let path = file(place.path(), text, 0o600);
            let error = load(&[(FILE, &path)], None).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("database_url (file {path}): the text of the file (not shown)")),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = load(&[(FILE, "/nonexistent/url")], None).unwrap_err().to_string();
        assert_eq!(
            error,
            "database_url_file: /nonexistent/url cannot be read: No such file or directory (os error 2)"
        );
    }
}
