//! The settings of media files: where avatars are kept, and how the S3 service is called.
//!
//! Never in here: the call of a service, or a message that quotes a secret.

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::database_url::{credential, read_secret};
use super::sources::{ConfigError, Environment, SettingOrigin, ShownSetting};
use super::values::{SettingType, choice};
use super::{Config, PublicUrl};

const SECRET_FILE: &str = "s3_secret_key_file";
/// The credential of the service manager.
const SECRET: &str = "s3_secret_key";

choice! {
    /// Where uploaded avatars are kept.
    AvatarStorage {
        /// Below `media` in the data directory.
        Disk = "disk",
        /// In a bucket of an S3 service.
        S3 = "s3",
    }
}

/// Defines a setting that is one word.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $value_name:literal, $allowed:literal, $is_good:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl SettingType for $name {
            type Parsed = String;
            const NAME: &'static str = $value_name;

            fn allowed() -> String {
                $allowed.into()
            }

            fn parse(text: &str) -> Result<String, String> {
                let is_good: fn(&str) -> bool = $is_good;
                if is_good(text) { Ok(text.into()) } else { Err(text.into()) }
            }

            fn show(value: &String) -> String {
                value.clone()
            }
        }
    };
}

word! {
    /// The name of a bucket.
    BucketName, "BUCKET",
    "a bucket's name: 3 to 63 lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
    |text| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [text.bytes().next(), text.bytes().last()];
        (3..=63).contains(&text.len())
            && text.bytes().all(|byte| is_plain(byte) || b"-.".contains(&byte))
            && ends.into_iter().flatten().all(is_plain)
            && !text.contains("..")
    }
}

word! {
    /// The name of a region.
    RegionName, "REGION", "a region's name, such as eu-central-1",
    |text| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
    }
}

word! {
    /// The id of an access key.
    AccessKey, "ID", "the id of an access key: up to 128 visible ASCII characters without '/' and ','",
    |text| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/,".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
    }
}

/// How an S3 service is called.
pub struct S3Settings {
    /// Its URL, without a slash at the end; `None`: Amazon's.
    pub endpoint: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The region that signatures name.
    pub region: String,
    /// Whether the bucket is in the path.
    pub path_style: bool,
    /// The authorities that are trusted, if not the system's.
    pub ca_file: Option<PathBuf>,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: Zeroizing<String>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Config {
    /// Returns how the S3 service is called, with the secret from its file.
    pub fn s3(&self) -> Result<S3Settings, ConfigError> {
        let missing = |key, hint: &str| {
            let reason = format!("it is empty, and avatars in S3 need it: {hint}");
            ConfigError::Refused { key, origin: SettingOrigin::Default, reason }
        };
        let bucket = self.s3_bucket.clone();
        let access_key = self.s3_access_key.clone();
        let secret_file = self.s3_secret_key_file.as_deref();
        let secret_file = secret_file.ok_or_else(|| {
            missing(
                SECRET_FILE,
                "name a file with the secret, or give the service manager's credential s3_secret_key",
            )
        });
        let settings = S3Settings {
            endpoint: self.s3_endpoint.as_ref().map(|url| url.as_str().to_owned()),
            bucket: bucket.ok_or_else(|| missing("s3_bucket", "name the bucket"))?,
            access_key: access_key
                .ok_or_else(|| missing("s3_access_key", "give the id of the access key"))?,
            region: self.s3_region.clone(),
            path_style: self.s3_path_style,
            ca_file: self.s3_ca_file.clone(),
            secret_key: secret(secret_file?)?,
            timeout: self.s3_timeout,
        };
        Ok(settings)
    }
}

fn secret(path: &std::path::Path) -> Result<Zeroizing<String>, ConfigError> {
    let text = read_secret(SECRET_FILE, path)?;
    let secret = text.trim();
    let is_good = (1..=256).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good {
        return Ok(Zeroizing::new(secret.to_owned()));
    }
    let (origin, given) =
        (SettingOrigin::File(path.to_owned()), "the text of the file (not shown)".to_owned());
    let allowed = "one line with the secret of the access key, and nothing else".to_owned();
    Err(ConfigError::NotAllowed { key: SECRET_FILE, origin, given, allowed })
}

/// Fills in the file of the secret if the service manager provides one, and notes it in its row.
pub(super) fn complete(file: &mut Option<PathBuf>, rows: &mut [ShownSetting], environment: Environment<'_>) {
    if file.is_some() {
        return;
    }
    let Some(path) = credential(SECRET, environment) else { return };
    if let Some(row) = rows.iter_mut().find(|row| row.key == SECRET_FILE) {
        row.value = path.display().to_string();
        row.origin = SettingOrigin::File(path.clone());
    }
    *file = Some(path);
}

/// Refuses combinations that cannot work.
pub(super) fn check(config: &Config, rows: &[ShownSetting]) -> Result<(), ConfigError> {
    let row = |key| rows.iter().find(|row| row.key == key && row.origin != SettingOrigin::Default);
    let refused = |row: &ShownSetting, reason: String| {
        Err(ConfigError::Refused { key: row.key, origin: row.origin.clone(), reason })
    };
    let needs = [
        ("s3_bucket", config.s3_bucket.is_none()),
        ("s3_access_key", config.s3_access_key.is_none()),
        (SECRET_FILE, config.s3_secret_key_file.is_none()),
    ];
    let missing: Vec<_> = needs.into_iter().filter(|(_, missing)| *missing).map(|(key, _)| key).collect();
    if let (AvatarStorage::S3, Some(storage), [_, ..]) =
        (config.avatar_storage, row("avatar_storage"), missing.as_slice())
    {
        return refused(
            storage,
            format!("s3 needs {} in addition: set them, or use disk", missing.join(", ")),
        );
    }
    let url = config.s3_endpoint.as_ref().map(PublicUrl::as_str);
    if let (Some(ca), Some(url)) = (row("s3_ca_file"), url.filter(|url| url.starts_with("http://"))) {
        return refused(ca, format!("s3_endpoint {url} has no TLS: use https://, or leave s3_ca_file empty"));
    }
    if let (Some(style), true, None) = (row("s3_path_style"), !config.s3_path_style, url) {
        // Amazon's certificate covers one label in front of its host.
        let dotted = config.s3_bucket.as_deref().is_some_and(|bucket| bucket.contains('.'));
        if dotted {
            return refused(style, "TLS does not work with a dot in the bucket's name: use true".to_owned());
        }
    }
    let host = config.s3_endpoint.as_ref().map(PublicUrl::host).unwrap_or_default();
    let is_address = host.starts_with('[') || host.split(':').next().is_some_and(is_ipv4);
    match row("s3_path_style") {
        Some(style) if !config.s3_path_style && is_address => {
            refused(style, format!("a bucket cannot be a part of the address {host}: use true"))
        }
        _ => Ok(()),
    }
}

fn is_ipv4(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::config::{Flags, Loaded};

    fn load(flags: &[(&'static str, &str)], credentials: Option<&Path>) -> Result<Loaded, ConfigError> {
        let flags = flags.iter().fold(Flags::default(), |flags, (key, text)| flags.with(key, *text));
        let find = |name: &str| {
            credentials.filter(|_| name == "CREDENTIALS_DIRECTORY").map(|path| path.as_os_str().to_owned())
        };
        Config::load_from(&flags, &find, Path::new("/nonexistent/wardroom.toml"))
    }

    fn refusal(flags: &[(&'static str, &str)]) -> String {
        load(flags, None).unwrap_err().to_string()
    }

    #[test]
    fn combinations_that_cannot_work_are_refused_with_a_remedy() {
        assert_eq!(
            refusal(&[("avatar_storage", "s3"), ("s3_bucket", "pictures")]),
            "avatar_storage (flag --avatar-storage): s3 needs s3_access_key, s3_secret_key_file in addition: set them, or \
             use disk"
        );
        assert_eq!(
            refusal(&[("s3_ca_file", "/ca.pem"), ("s3_endpoint", "http://s3.example")]),
            "s3_ca_file (flag --s3-ca-file): s3_endpoint http://s3.example has no TLS: use https://, or leave s3_ca_file \
             empty"
        );
        for address in ["http://127.0.0.1:9000", "https://[::1]:9000"] {
            let text = refusal(&[("s3_path_style", "false"), ("s3_endpoint", address)]);
            assert!(text.contains("a bucket cannot be a part of the address"), "{text}");
        }
        assert!(
            refusal(&[("s3_path_style", "false"), ("s3_bucket", "a.b.c")])
                .contains("dot in the bucket's name")
        );
        for bad in ["ab", "-abc", "Abc", "a_b", "a..b", "a/b", &"a".repeat(64)] {
            assert!(refusal(&[("s3_bucket", bad)]).contains("a bucket's name: 3 to 63"), "{bad}");
        }
        for bad in ["a/b", "a b", "a,b"] {
            assert!(refusal(&[("s3_access_key", bad)]).contains("the id of an access key"), "{bad}");
        }
        assert!(refusal(&[("s3_endpoint", "https://s3.example/path")]).contains("without path"));
        assert!(
            load(&[("s3_bucket", "pictures")], None).is_ok(),
            "a move needs them before avatar_storage is s3"
        );
    }

    #[test]
    fn the_secret_is_in_a_file_or_a_credential_and_never_shown() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(SECRET);
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        write("hunter2\n", 0o600);
        let shown = path.display().to_string();
        let plain = [("avatar_storage", "s3"), ("s3_bucket", "pictures"), ("s3_access_key", "wardroom")];
        let named: Vec<_> = plain.into_iter().chain([(SECRET_FILE, shown.as_str())]).collect();
        for loaded in [load(&named, None).unwrap(), load(&plain, Some(place.path())).unwrap()] {
            let s3 = loaded.config.s3().unwrap();
            assert_eq!((s3.bucket.as_str(), s3.secret_key.as_str()), ("pictures", "hunter2"));
            let seen = format!("{loaded:?} {}", crate::config::render_show(&loaded));
            assert!(seen.contains(&shown) && !seen.contains("hunter2"), "{seen}");
        }
        let refused = || load(&named, None).unwrap().config.s3().map(|_| ()).unwrap_err().to_string();
        for text in ["", "two words", "two\nlines"] {
            write(text, 0o600);
            assert!(refused().contains("one line with the secret"), "{text:?}");
        }
        write("hunter2", 0o644);
        assert!(refused().contains("mode 644 opens the file to every user"));
        fs::remove_file(&path).unwrap();
        assert!(refused().starts_with("s3_secret_key_file: "));
        let config = load(&[], None).unwrap().config;
        let text = config.s3().map(|_| ()).unwrap_err().to_string();
        assert!(text.starts_with("s3_bucket (default): it is empty") || text.contains("s3_"), "{text}");
    }
}
