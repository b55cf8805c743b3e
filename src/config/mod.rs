//! Every setting of Wardroom, declared once: the struct, the flags, the environment variables, the file's
//! keys, the help, docs/settings.md and `wardroom config show` all come from the list in this file.
//!
//! A flag wins over the environment, the environment over the TOML file, the file over the default. Never
//! in here: anything that acts on a setting, or a value that was not given as a setting.
//!
//! To add a setting, add it to the list; to add a kind of value, see `values`, `urls` and
//! `hosts`; `flags` and `sources` find the texts.

mod database_url;
mod flags;
mod hosts;
mod sources;
mod urls;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub use flags::{CommonFlags, Flags, ServeFlags};
pub use hosts::{AllowedHosts, TrustedProxies};
pub use sources::{ConfigError, Environment, Origin, Shown};
pub use urls::{DatabaseUrl, PublicUrl};
pub use values::{AccessLog, LogFormat, RateLimit, Value};

use sources::Sources;
use urls::MediaUrl;
use values::{ByteSize, Count, Hsts, ListenAddrs, LogLevel, Span, Words};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "/etc/wardroom/wardroom.toml";

/// The commands that take a setting as a flag. The environment and the file count for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every command.
    Common,
    /// Those that serve, and `config`, which shows how they would.
    Serve,
}

/// What there is to know about a setting without its value.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file and in the code, such as `data_dir`.
    pub key: &'static str,
    /// Its flag without the dashes in front, such as `data-dir`.
    pub flag: String,
    /// Its environment variable, such as `WARDROOM_DATA_DIR`.
    pub env: String,
    /// What stands for its value in the help, such as `PATH`.
    pub value_name: &'static str,
    /// Its allowed texts, in words.
    pub form: String,
    /// Its text if nobody gives one.
    pub default: &'static str,
    /// Which commands take its flag.
    pub scope: Scope,
    /// Whether it may hold a secret.
    pub secret: bool,
    /// Whether the file may give it as an array.
    pub list: bool,
    doc: &'static str,
}

impl Setting {
    fn of<V: Value>(key: &'static str, scope: Scope, default: &'static str, doc: &'static str) -> Self {
        Self {
            key,
            flag: key.replace('_', "-"),
            env: format!("WARDROOM_{}", key.to_ascii_uppercase()),
            value_name: V::NAME,
            form: V::form(),
            default,
            scope,
            secret: V::SECRET,
            list: V::LIST,
            doc,
        }
    }

    /// The documentation: first a summary, then what else there is to know.
    pub fn paragraphs(&self) -> impl Iterator<Item = String> {
        self.doc.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// The setting of that name.
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// `SCOPE name: TYPE = DEFAULT`, each with its documentation: summary, empty line, the rest.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $scope:ident $key:ident: $value:ty = $default:literal;)+) => {
        /// What the operator decided, or left to the defaults.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $key: <$value as Value>::Is,)+
        }

        /// All settings, in the order of the documentation.
        pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
            vec![$(Setting::of::<$value>(
                stringify!($key),
                Scope::$scope,
                $default,
                concat!($($doc, "\n"),+),
            )),+]
        });

        impl Config {
            fn take(sources: &mut Sources<'_>) -> Result<Self, ConfigError> {
                Ok(Self { $($key: sources.take::<$value>(stringify!($key))?),+ })
            }
        }
    };
}

settings! {
    /// The directory with the SQLite database and the media files.
    ///
    /// A relative path starts at the working directory.
    Common data_dir: PathBuf = "wardroom-data";

    /// The PostgreSQL database; nothing means SQLite in the data directory.
    ///
    /// Other users of the machine can see a command line: give a password in the environment, in the settings
    /// file, or in a file of its own (`database_url_file`). `?sslmode=require` at the end means TLS with the server's
    /// certificate verified. A server on another machine needs that, or `?sslmode=disable`, which says that
    /// clear text is meant.
    Common database_url: Option<DatabaseUrl> = "";

    /// A file that holds the URL of the PostgreSQL database and nothing else, instead of `database_url`.
    ///
    /// It must not be open to every user of the machine. Without either setting, the credential `database_url` of the
    /// service manager is used if there is one (systemd: `LoadCredential=`).
    Common database_url_file: Option<PathBuf> = "";

    /// How many connections to PostgreSQL, or readers of SQLite, this process keeps.
    ///
    /// At most half of them serve lists, counts and pages of the audit trail; further ones wait. PostgreSQL gets a few
    /// more connections for what must not wait.
    Serve database_connections: Count<1, 1000> = "8";

    /// How long a request waits for the database before it is answered with status 503.
    ///
    /// A list may wait as long for its turn, and run as long.
    Common database_timeout: Span<1, 60_000> = "2s";

    /// The addresses to serve on.
    Serve listen: ListenAddrs = "127.0.0.1:8000";

    /// The address of health and metrics alone; nothing means no such listener.
    Serve metrics_listen: Option<SocketAddr> = "";

    /// The PEM file with the TLS certificate chain; nothing means plain HTTP.
    ///
    /// Needs `tls_key`.
    Serve tls_certificate: Option<PathBuf> = "";

    /// The PEM file with the private key of the TLS certificate.
    ///
    /// Needs `tls_certificate`.
    Serve tls_key: Option<PathBuf> = "";

    /// The Strict-Transport-Security header of every answer over TLS; nothing sends none.
    ///
    /// Browsers that have seen it speak nothing but TLS to this host for so long, on every port. Only sent with
    /// `tls_certificate`; a proxy that speaks TLS sends its own.
    Serve hsts: Option<Hsts> = "max-age=31536000; includeSubDomains";

    /// The base of the absolute URLs in answers; nothing means each request's own scheme and host.
    ///
    /// Its host is allowed without being named in `allowed_hosts`.
    Serve public_url: Option<PublicUrl> = "";

    /// The path under which media files are served.
    Serve media_url: MediaUrl = "/media/";

    /// The hosts that a request may name in its Host header; others are answered with status 400.
    ///
    /// As in Django: `example.com` is that host, `.example.com` that host and its subdomains, `*` any.
    /// Case, the port and a final dot do not matter.
    Serve allowed_hosts: AllowedHosts = "localhost,127.0.0.1,[::1]";

    /// The proxies whose X-Forwarded-Proto and X-Forwarded-For are believed.
    ///
    /// An IPv4 address written as IPv6, such as `::ffff:10.0.0.1`, counts as IPv4.
    Serve trusted_proxies: TrustedProxies = "127.0.0.1,::1";

    /// How many connections are served at once; more wait in the system's queue.
    ///
    /// One network (an IPv4 address, or a /64 network of IPv6) may have a quarter of them, a proxy of
    /// `trusted_proxies` all. When all are taken, the connection that has been idle longest is closed for a new one.
    Serve max_connections: Count<1, 1_000_000> = "4096";

    /// How many threads answer requests; 0 means one for each core.
    Serve threads: Count<0, 1024> = "0";

    /// How many bytes the body of a request may have; a longer one is answered with status 413.
    ///
    /// Where no token is needed, as for signing in, it is 16KiB at most.
    Serve max_body_bytes: ByteSize<1024, 1_073_741_824> = "1MiB";

    /// How many bytes of memory all bodies may take together; beyond it the answer is status 503.
    ///
    /// Counted are bodies of requests, request heads over 8KiB, and answers over 16KiB. The last quarter is kept for
    /// bodies of at most 16KiB, so that large ones keep nobody from signing in.
    Serve body_memory: ByteSize<1_048_576, 1_099_511_627_776> = "64MiB";

    /// How many bytes the head of a request may have; a longer one is answered with status 431.
    Serve max_head_bytes: ByteSize<8192, 1_048_576> = "32KiB";

    /// How long a connection may stay open between two requests.
    Serve idle_timeout: Span<1, 3_600_000> = "75s";

    /// How long a client may take to send the head of a request.
    ///
    /// The first one of a connection counts from the beginning of the connection.
    Serve head_timeout: Span<1, 3_600_000> = "10s";

    /// How long a client may take to send the body of a request.
    Serve body_timeout: Span<1, 3_600_000> = "30s";

    /// How long a client may take to receive an answer.
    Serve write_timeout: Span<1, 3_600_000> = "30s";

    /// How long a client may take for the TLS handshake.
    Serve tls_handshake_timeout: Span<1, 3_600_000> = "10s";

    /// How long Wardroom may take for an answer.
    Serve request_timeout: Span<1, 3_600_000> = "30s";

    /// How long requests in flight may take to end when the server stops.
    Serve drain_timeout: Span<1, 3_600_000> = "10s";

    /// Which log lines are written.
    ///
    /// A level is about Wardroom's own lines. Other crates are logged at `warn` at most, because some of them log secrets, unless they
    /// are named one by one, such as `info,tokio_postgres=debug`.
    Common log_level: LogLevel = "info";

    /// What a log line looks like; auto means for people on a terminal and JSON otherwise.
    Common log_format: LogFormat = "auto";

    /// Which requests get a log line; failures are those answered with status 400 and above.
    Serve access_log: AccessLog = "failures";

    /// How many characters (Unicode code points) a new password must have.
    ///
    /// 15 is what NIST SP 800-63B-4 asks of a password that is the only factor.
    Common password_min_length: Count<8, 128> = "15";

    /// Words that a new password may not be built on, such as the names of the company and its products.
    ///
    /// Case and the usual disguises (`Acm3`, `emca`) do not matter. What a password has beside these words must not be
    /// easy to guess by itself: with `acme`, `Acme2026Acme2026` is refused and `acme on a rainy tuesday` is not.
    Common password_words: Words = "";

    /// How many requests one token may make, such as 600/minute; nothing means any number.
    ///
    /// One too many is answered with status 429. Counts are shared among replicas, and across a restart, once a
    /// second: the limit can be overrun by what the others let through in that time.
    Serve rate_limit_per_token: Option<RateLimit> = "";

    /// How many requests one client may make without a good token, sign-ins among them; nothing means any number.
    ///
    /// A client is an IPv4 address, or a /64 network of IPv6. Name your proxies in `trusted_proxies`, or everybody
    /// behind them is one client.
    Serve rate_limit_per_address: Option<RateLimit> = "";

    /// How long a deleted user can be brought back; 0s deletes for good at once.
    ///
    /// Afterwards what is left of it is purged, but for its name in the audit trail.
    Common keep_deleted_for: Span<0, 315_360_000_000> = "30days";

    /// Whether people need their present password to change their own email address or mobile number.
    ///
    /// They send it as `old_password` beside the new value. A new password of one's own always needs it.
    Common contact_needs_password: bool = "false";

    /// How many bytes of memory hold the people who were recognised lately; 0 asks the database each time.
    ///
    /// One takes about 400 bytes and the length of its answer; of the last 1000 who asked for more than
    /// `GET /api/users/me` about 2 kB are kept each, beside that. An answer is never older than the request.
    Serve identity_cache: ByteSize<0, 1_099_511_627_776> = "64MiB";

    /// How long `GET /api/users/me` goes on for those recognised before when the database cannot be asked.
    ///
    /// 0s answers with status 503 instead. Otherwise a revocation may go unnoticed for as long; the metric
    /// `wardroom_stale_answers_total` counts such answers.
    Serve serve_stale_for: Span<0, 86_400_000> = "0s";

    /// How long a token lives that a sign-in with a password makes.
    Serve sign_in_lifetime: Span<60_000, 31_536_000_000> = "12h";

    /// How long such a token may go unused before it ends; 0s is for ever.
    ///
    /// It ends at the earliest this long after its last use, and at the latest three minutes after that: uses are
    /// written down once a minute. Tokens that were issued by name have no such end.
    Serve sign_in_idle_timeout: Span<0, 31_536_000_000> = "0s";

    /// How long tokens that were revoked or have expired stay listed.
    ///
    /// Then they are deleted, by a server, within the hour. Keep them for as long as backups that you may restore:
    /// a token that is no longer known to be revoked could come back with an old one.
    Serve keep_ended_tokens_for: Span<0, 315_360_000_000> = "90days";
}

/// A configuration, and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every setting in the order of `SETTINGS`, for `config show`.
    pub origins: Vec<Shown>,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Every setting, from these flags, this process's environment and the file.
    pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
        Self::load_from(flags, &sources::process_environment, Path::new(DEFAULT_FILE))
    }

    /// The same with another environment and another default file.
    pub fn load_from(
        flags: &Flags,
        environment: Environment<'_>,
        default_file: &Path,
    ) -> Result<Loaded, ConfigError> {
        let mut sources = Sources::open(flags, environment, default_file)?;
        let mut config = Self::take(&mut sources)?;
        let file = sources.path().map(Path::to_owned);
        let mut origins = sources.shown;
        database_url::complete(&mut config, &mut origins, environment)?;
        paired(&origins, ["tls_certificate", "tls_key"])?;
        if let Some(url) = &config.public_url {
            config.allowed_hosts.also(url.host());
        }
        Ok(Loaded { config, origins, file })
    }
}

/// Two settings that mean nothing without each other.
fn paired(origins: &[Shown], keys: [&'static str; 2]) -> Result<(), ConfigError> {
    let [first, second] = keys.map(|key| origins.iter().find(|row| row.key == key && !row.value.is_empty()));
    match (first, second, keys) {
        (Some(row), None, [_, missing]) | (None, Some(row), [missing, _]) => {
            Err(ConfigError::Unpaired { given: row.key, origin: row.origin.clone(), missing })
        }
        _ => Ok(()),
    }
}

/// What `wardroom config show` prints for people; for programs, serialize `Loaded::origins`.
pub fn render_show(loaded: &Loaded) -> String {
    let width =
        |text: fn(&Shown) -> &str| loaded.origins.iter().map(|row| text(row).len()).max().unwrap_or(0);
    let keys = width(|row| row.key);
    // One long value shall not push every origin off the screen.
    let values = width(|row| &row.value).min(40);
    loaded.origins.iter().fold(String::new(), |text, Shown { key, value, origin }| {
        let value = if value.is_empty() { "-" } else { value };
        text + &format!("{key:keys$}  {value:values$}  {origin}\n")
    })
}

/// The text of docs/settings.md.
pub fn settings_markdown() -> String {
    let mut page = format!("{}\n", INTRODUCTION.replace("DEFAULT_FILE", DEFAULT_FILE).trim_end());
    for (scope, title) in
        [(Scope::Common, "Settings of every command"), (Scope::Serve, "Settings of the server")]
    {
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

<!-- Written by Wardroom from src/config/mod.rs: change the text there. -->

A flag wins over an environment variable, an environment variable over the file, the file over the default.
An empty environment variable counts as not set. `wardroom config show` prints every value and where it
came from, without passwords.

The file is TOML, one `key = value` on a line. It is the one that `--config PATH` or `WARDROOM_CONFIG` names,
or else `DEFAULT_FILE` if that exists. An unknown key is an error. A file that holds a password must
not be open to every user of the machine: `chmod 600` it.

Every command reads the environment and the file for all settings. The flags of the first group belong to
every command, those of the second to the commands that serve and to `wardroom config`.
";

fn section(setting: &Setting) -> String {
    let Setting { key, flag, env, value_name, form, .. } = setting;
    let default =
        if setting.default.is_empty() { "nothing".into() } else { format!("`{}`", setting.default) };
    let array = if setting.list { ", also as an array of strings" } else { "" };
    let doc = setting.paragraphs().collect::<Vec<_>>().join("\n\n");
    format!(
        "\n### {key}\n\n{doc}\n\n- Flag: `--{flag} <{value_name}>`\n- Environment: `{env}`\n- File: `{key}`{array}\n\
         - Default: {default}\n- Allowed: {}\n",
        form.replace('*', "\\*")
    )
}

#[cfg(test)]
mod tests;
