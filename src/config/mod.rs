//! Every setting of Wardroom, declared once.
//!
//! The list in this file and those of `code_settings` and `message_settings` produce the `Config` struct, the flags, the environment variables, the keys of the file, the
//! help, docs/settings.md and the output of `wardroom config show`.
//!
//! A flag overrides the environment, the environment overrides the TOML file, and the file overrides the default. To add a
//! type of setting, see `values`, `urls` and `hosts`. Never in here: code that acts on a setting.

#[macro_use]
mod code_settings;
#[macro_use]
mod message_settings;

mod arguments;
mod browsers;
mod calling_codes;
mod database_url;
mod flags;
mod forward_auth;
mod hosts;
mod listen;
mod loaded;
mod mail;
mod media;
mod messages;
mod reference;
mod setting;
mod sources;
mod terminal;
mod urls;
mod values;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

pub use arguments::{CommonFlags, ServeFlags};
pub use browsers::{CorsOrigins, TokenKeywords};
pub use flags::Flags;
pub use forward_auth::IdentityHeaders;
pub use hosts::{AllowedHosts, TrustedProxies};
pub use listen::ListenAddress;
pub use loaded::Loaded;
pub use mail::MailSender;
pub use media::{AvatarStorage, S3Settings};
pub use messages::{EndpointUrl, MailProvider, MessageLocale, ProviderSecrets, SmsProvider, SmtpSecurity};
pub use reference::{render_show, settings_help, settings_json, settings_markdown};
pub use setting::{FlagScope, Setting};
pub use sources::{ConfigError, Environment, SettingOrigin, ShownSetting};
pub use terminal::{TerminalVariables, passed_socket_names};
pub use urls::{DatabaseUrl, PublicUrl};
pub use values::{AccessLog, LogFormat, RateLimit, SettingType};
pub use variables::{ARGUMENT_ENVS, IMPORT_FROM_ENV, MOVE_TO_ENV};

use calling_codes::CallingCodes;
use listen::ListenAddrs;
use mail::MailHost;
use media::{AccessKey, BucketName, RegionName};
use messages::{MessageWord, NetworkList, ServiceName};
use sources::Sources;
use urls::MediaUrl;
use values::{ByteSize, Hsts, LogLevel, Number, TimeSpan, WordList};

use crate::directory::model::CallingCode;

/// The file that is read when neither `--config` nor `WARDROOM_CONFIG` names one.
pub const DEFAULT_FILE: &str = "/etc/wardroom/wardroom.toml";

/// `SCOPE name: TYPE = DEFAULT`, each with its documentation: a summary, an empty line, the details.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $scope:ident $key:ident: $value:ty = $default:literal;)+) => {
        /// The value of every setting.
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $key: <$value as SettingType>::Parsed,)+
        }

        /// All settings, in the order of the documentation.
        pub static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
            vec![$(Setting::of::<$value>(
                stringify!($key),
                FlagScope::$scope,
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

code_settings! {
    message_settings! settings!

    /// The data directory, which holds the SQLite database and the media files.
    ///
    /// A relative path starts at the working directory.
    Common data_dir: PathBuf = "wardroom-data";

    /// The URL of the PostgreSQL database. Without it, Wardroom uses SQLite in the data directory.
    ///
    /// Other users of the machine can see a command line. Put a password in the environment, in the settings file, or in a
    /// file of its own (`database_url_file`). Add `?sslmode=require` to use TLS and verify the server's certificate.
    /// A server on another machine needs either that or `?sslmode=disable`, which sends everything in clear text.
    /// docs/operating.md lists all parameters.
    Common database_url: Option<DatabaseUrl> = "";

    /// A file that holds only the URL of the PostgreSQL database. It replaces `database_url`.
    ///
    /// The file must not be accessible to every user of the machine. If neither setting is given, Wardroom uses the
    /// service manager's credential `database_url` if it exists (systemd: `LoadCredential=`).
    Common database_url_file: Option<PathBuf> = "";

    /// How many database connections the server keeps: PostgreSQL connections, or SQLite readers.
    ///
    /// At most half of them serve lists, counts and pages of the audit trail; more of these requests wait. On PostgreSQL, the
    /// others serve look-ups, and at most half of these also the first pages of lists without filters, which take as short.
    /// There are a few extra connections for work that must not wait.
    Serve database_connections: Number<1, 1000> = "8";

    /// How long a request waits for the database. After that, the response is status 503.
    ///
    /// A list may wait this long for a connection, and then run this long. A write waits for its turn for at most three
    /// quarters of this time, and for a row that another session has locked for at most a fifth.
    Common database_timeout: TimeSpan<1, 60_000> = "2s";

    /// How long `serve` waits for PostgreSQL when it starts. 0s means one attempt.
    ///
    /// Each attempt is logged with its reason. An error that does not pass by waiting, such as a wrong password, ends
    /// the start at once. Other commands do not wait.
    Serve database_start_timeout: TimeSpan<0, 3_600_000> = "1m";

    /// The addresses and Unix sockets to listen on.
    ///
    /// `unix:/PATH?mode=660` is a Unix socket with these permissions; without a mode, only the server's account may connect
    /// (600). A Unix socket speaks plain HTTP, also with `tls_certificate`. Sockets of the service manager replace this list.
    Serve listen: ListenAddrs = "127.0.0.1:8000";

    /// A separate address for health checks and metrics. Without it, there is no such listener.
    Serve metrics_listen: Option<SocketAddr> = "";

    /// The PEM file with the TLS certificate chain. Without it, the server speaks plain HTTP.
    ///
    /// Requires `tls_key`. A server takes a renewed certificate without a restart: within seconds, or at SIGHUP.
    Serve tls_certificate: Option<PathBuf> = "";

    /// The PEM file with the private key of the TLS certificate.
    ///
    /// Requires `tls_certificate`. Only the server's account should be able to read it: `wardroom doctor` names a key that every
    /// user of the machine can read.
    Serve tls_key: Option<PathBuf> = "";

    /// The Strict-Transport-Security header of responses over TLS. If empty, the header is not sent.
    ///
    /// A browser that has seen the header uses only TLS for this host, on every port, for the given time. The header is
    /// sent only with `tls_certificate`. A proxy that terminates TLS sends its own.
    Serve hsts: Option<Hsts> = "max-age=31536000; includeSubDomains";

    /// The base of absolute URLs in responses. Without it, each response uses the scheme and host of its request.
    ///
    /// The host of this URL is allowed even if `allowed_hosts` does not list it.
    Serve public_url: Option<PublicUrl> = "";

    /// The URL path of media files, or their absolute URL where another host serves them.
    ///
    /// An avatar that is stored as an absolute URL is shown as it is.
    Serve media_url: MediaUrl = "/media/";

    /// Where uploaded avatars are kept: below `media` in the data directory (`disk`), or in a bucket of an S3 service (`s3`).
    ///
    /// Replicas on several machines need `s3`, or one shared disk. `wardroom media move` copies the files from one to the
    /// other. docs/avatars.md has examples.
    Common avatar_storage: AvatarStorage = "disk";

    /// The URL of the S3 service. Without it, the service is Amazon's in `s3_region`.
    Common s3_endpoint: Option<PublicUrl> = "";

    /// The bucket that holds the avatars. It must exist.
    Common s3_bucket: Option<BucketName> = "";

    /// The region of the bucket. It is a part of the signature of each request. Many services other than Amazon's accept any.
    Common s3_region: RegionName = "us-east-1";

    /// Whether the bucket is a part of the path (`https://HOST/BUCKET/...`) and not of the host (`https://BUCKET.HOST/...`).
    Common s3_path_style: bool = "true";

    /// A PEM file with the certificates of the authorities that may vouch for the S3 service. Without it, those of the
    /// system count.
    Common s3_ca_file: Option<PathBuf> = "";

    /// The id of the access key for the S3 service. It is not a secret.
    ///
    /// The key needs the rights to list the bucket and to read, write and delete its objects.
    Common s3_access_key: Option<AccessKey> = "";

    /// A file that holds only the secret of the access key.
    ///
    /// The file must not be accessible to every user of the machine. Without this setting, Wardroom uses the service
    /// manager's credential `s3_secret_key` if it exists (systemd: `LoadCredential=`).
    Common s3_secret_key_file: Option<PathBuf> = "";

    /// How long a call of the S3 service may take. After that, the response to an upload or to a request for a picture is
    /// status 503.
    Common s3_timeout: TimeSpan<100, 20_000> = "5s";

    /// The memory for the cache of avatars that were requested recently, in bytes. With 0, each request reads the file.
    ///
    /// A file that was removed can still be served for one minute.
    Serve media_cache: ByteSize<0, 1_099_511_627_776> = "32MiB";

    /// How long the files of an avatar are kept when no user, deleted users included, has it any more.
    ///
    /// A server looks for such files once a day.
    Serve avatar_grace: TimeSpan<3_600_000, 315_360_000_000> = "30days";

    /// The largest file of an uploaded avatar, in bytes. A larger one gets status 413.
    Serve avatar_max_bytes: ByteSize<1024, 67_108_864> = "5MiB";

    /// The longest side of an uploaded avatar, in pixels. A larger one gets status 400.
    Serve avatar_max_side: Number<64, 65_535> = "8192";

    /// The largest area of an uploaded avatar, in pixels: width times height. A larger one gets status 400.
    ///
    /// Width and height are read from the header of the file, before anything is decoded.
    Serve avatar_max_pixels: Number<4096, 1_000_000_000> = "25000000";

    /// How much memory decoding avatars may use, in bytes. A picture that needs more gets status 400.
    ///
    /// All uploads share this memory. A PNG takes up to 4 bytes a pixel (12 with 16 bits a channel), an ordinary JPEG 3, a
    /// progressive one up to 9, a WebP up to 11; scaling takes some more.
    Serve avatar_decoder_memory: ByteSize<16_777_216, 17_179_869_184> = "128MiB";

    /// The CPU time that one avatar may take, from the first check to the last encoded size.
    ///
    /// A picture that takes more gets status 400. CPU time is counted, so a busy machine refuses nothing.
    Serve avatar_cpu_time: TimeSpan<100, 60_000> = "2s";

    /// The hosts that a request's Host header may name. Other requests get status 400.
    ///
    /// The patterns are Django's: `example.com` allows that host, `.example.com` also allows its subdomains, and `*` allows
    /// every host. Case, the port and a final dot are ignored. A name may have an underscore, such as `accounts_api`. A
    /// request of HTTP/1.0 without a Host header is served as if it named the first host of this list.
    Serve allowed_hosts: AllowedHosts = "localhost,127.0.0.1,[::1]";

    /// The proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Request-Id headers are trusted.
    ///
    /// `unix` means all clients of Unix sockets. Without it, their address is unknown. An IPv4 address in IPv6 notation, such
    /// as `::ffff:10.0.0.1`, counts as IPv4. An address in X-Forwarded-For may have a
    /// port, brackets, quotes or a zone. The header Forwarded is not read.
    Serve trusted_proxies: TrustedProxies = "127.0.0.1,::1";

    /// The words before a key in the Authorization header. Responses with status 401 name the first one.
    ///
    /// `Token` is always one of them. Add `Bearer` for clients that can send nothing else.
    Serve token_keywords: TokenKeywords = "Token";

    /// The origins whose pages may use the API from a browser (CORS). Without it, browsers refuse that.
    ///
    /// An origin is scheme, host and port, as browsers send it. `https://*.example.com` allows every subdomain, but not
    /// `https://example.com`. `*` allows every page; it still needs a key, because no response allows credentials.
    Serve cors_allowed_origins: CorsOrigins = "";

    /// The response headers in which `/api/auth/forward` describes a user. A proxy passes them on to the application.
    ///
    /// `remote` means `Remote-User`, `Remote-User-Id`, `Remote-Groups`, `Remote-Group-Names`, `Remote-Email`, `Remote-Name`,
    /// `Remote-Staff`, `Remote-Admin` and `Remote-Scopes`; `x-auth-request` means `X-Auth-Request-User` and so on. Single ones can have
    /// other names: `user=X-Webauth-User`. The proxy must remove all of them from the requests of clients.
    Serve forward_auth_headers: IdentityHeaders = "remote";

    /// Whether requests of `/api/auth/forward` count against `rate_limit_per_token` and `rate_limit_per_address`.
    ///
    /// A page with a hundred pictures makes a hundred of these requests, and some proxies turn the status 429 into 500.
    Serve forward_auth_rate_limits: bool = "false";

    /// How many connections are open at once, for each address in `listen`. Further connections wait in the system's queue.
    ///
    /// One network (an IPv4 address or an IPv6 /64 network) may hold a quarter of them; a proxy in `trusted_proxies` may
    /// hold all. When all are taken, a new connection replaces the one that has been idle longest.
    Serve max_connections: Number<1, 1_000_000> = "4096";

    /// How many threads handle requests. 0 means one for each core.
    Serve threads: Number<0, 1024> = "0";

    /// The largest request body, in bytes. A larger one gets status 413.
    ///
    /// Requests that need no token, such as a sign-in, are limited to 16KiB, and reports of leaked keys to 128KiB. The file of
    /// an avatar has a limit of its own, `avatar_max_bytes`.
    Serve max_body_bytes: ByteSize<1024, 1_073_741_824> = "1MiB";

    /// How much memory all bodies may use together, in bytes. Beyond that, requests get status 503.
    ///
    /// Request bodies, request heads over 8KiB and responses over 16KiB count. The last quarter is reserved for bodies of
    /// at most 16KiB, so that large bodies cannot block sign-ins.
    Serve body_memory: ByteSize<1_048_576, 1_099_511_627_776> = "64MiB";

    /// The largest request head, in bytes. A larger one gets status 431.
    Serve max_head_bytes: ByteSize<8192, 1_048_576> = "32KiB";

    /// How long a connection may stay open between two requests.
    Serve idle_timeout: TimeSpan<1, 3_600_000> = "75s";

    /// How long a client may take to send the head of a request.
    ///
    /// For the first request, the time starts when the connection opens.
    Serve head_timeout: TimeSpan<1, 3_600_000> = "10s";

    /// How long a client may take to send the body of a request. After that, the response is status 408.
    Serve body_timeout: TimeSpan<1, 3_600_000> = "30s";

    /// How long a client may take to receive a response.
    Serve write_timeout: TimeSpan<1, 3_600_000> = "30s";

    /// How long a client may take for the TLS handshake.
    Serve tls_handshake_timeout: TimeSpan<1, 3_600_000> = "10s";

    /// How long Wardroom may take to handle a request. After that, the response is status 503.
    ///
    /// The time in which Wardroom waits for the body of the request does not count: `body_timeout` limits that.
    Serve request_timeout: TimeSpan<1, 3_600_000> = "30s";

    /// How long requests in progress may take to finish when the server stops.
    Serve drain_timeout: TimeSpan<1, 3_600_000> = "10s";

    /// Which log lines are written.
    ///
    /// A level applies to Wardroom's own lines. Other crates are logged at `warn` at most, because some of them log secrets.
    /// To raise the level of one of them, name it: `info,tokio_postgres=debug`.
    Common log_level: LogLevel = "info";

    /// The format of log lines. `auto` means readable text on a terminal and JSON otherwise.
    Common log_format: LogFormat = "auto";

    /// Which requests are logged. `failures` are responses with status 400 and above.
    ///
    /// With `failures`, the lines of each client, of each account and in total are limited; lines that are left out are counted.
    /// `all` has no limit. `none` still logs responses with status 500 and above.
    Serve access_log: AccessLog = "failures";

    /// The minimum length of a new password, in characters (Unicode code points).
    ///
    /// NIST SP 800-63B-4 requires 15 for a password that is the only factor.
    Common password_min_length: Number<8, 128> = "15";

    /// Words that a new password must not be based on, such as the names of your company and its products.
    ///
    /// Case and common disguises (`Acm3`, `emca`) are recognised. The rest of the password must be hard to guess by
    /// itself: with `acme`, `Acme2026Acme2026` is refused and `acme on a rainy tuesday` is accepted.
    Common password_words: WordList = "";

    /// How many requests one token may make, such as 600/minute. Without it, there is no limit.
    ///
    /// A request over the limit gets status 429. Replicas share their counts once a second, and the counts survive a restart.
    /// A limit can be exceeded by what other replicas accept within that second.
    Serve rate_limit_per_token: Option<RateLimit> = "";

    /// How many requests without a valid token one client may make, sign-ins included. Without it, there is no limit.
    ///
    /// A client is an IPv4 address or an IPv6 /64 network. List your proxies in `trusted_proxies`; otherwise all clients
    /// behind a proxy count as one.
    Serve rate_limit_per_address: Option<RateLimit> = "";

    /// How many avatars one user may upload in an hour. 0 means no limit.
    ///
    /// An upload over the limit gets status 429. Uploads of others that a user makes count as well. Replicas share their
    /// counts once a second. The command line has no limit.
    Serve avatar_uploads_per_hour: Number<0, 1_000_000> = "20";

    /// Where your backups are written: a directory with `*.tar` files, or one file. `wardroom doctor` checks the newest.
    ///
    /// Only `doctor` reads it. Without it, `doctor` does not check the age of the last backup.
    Common backup_dir: Option<PathBuf> = "";

    /// How old the newest backup in `backup_dir` may be before `wardroom doctor` reports a fault.
    Common backup_max_age: TimeSpan<60_000, 315_360_000_000> = "1day 2h";

    /// How long a deleted user or group can be restored. 0s deletes both permanently at once.
    ///
    /// After this time the user or group is purged. Only the name in the audit trail remains.
    Common keep_deleted_for: TimeSpan<0, 315_360_000_000> = "30days";

    /// Whether users must give their current password to change their own email address or mobile number.
    ///
    /// The request carries it as `old_password` together with the new value. Changing one's own password always requires it.
    Common contact_needs_password: bool = "false";

    /// The memory for the cache of recently authenticated users, in bytes. With 0, each request reads the database.
    ///
    /// An entry takes about 400 bytes plus the length of its response, so 64MiB are enough for about 70,000 users. In addition, the last 1000 users of routes other than
    /// `GET /api/users/me` take about 2 kB each. A cached response is never older than the request.
    Serve identity_cache: ByteSize<0, 1_099_511_627_776> = "64MiB";

    /// How long `GET /api/users/me` answers from the cache while the database is unavailable.
    ///
    /// 0s responds with status 503 instead. With a longer time, a revocation can go unnoticed for that time. The metric
    /// `wardroom_stale_answers_total` counts these responses.
    Serve serve_stale_for: TimeSpan<0, 86_400_000> = "0s";

    /// The memory for bitmaps of users, with which lists of users are counted and filtered, in bytes. With 0, each list reads the database.
    ///
    /// They are built in the background when the server starts, and are never older than the request. A user takes about 13
    /// bytes, and 48 more if all of their tokens expire. If they would take more, there are none, and lists of many users take
    /// longer. They are only kept where ids lie close together, as those that the service gives do.
    Serve list_bitmaps: ByteSize<0, 1_099_511_627_776> = "512MiB";

    /// How long a list of users may take, after which the response is 503 and names the filters that took the time.
    ///
    /// A list without its count (`count=none`, or `cursor=`) takes less.
    Serve list_timeout: TimeSpan<10, 3_600_000> = "5s";

    /// The lifetime of a token that is created by signing in with a password.
    Serve sign_in_lifetime: TimeSpan<60_000, 31_536_000_000> = "12h";

    /// How long a sign-in token may stay unused before it ends. 0s means no limit.
    ///
    /// The token ends at the earliest this long after its last use, and at most three minutes later, because uses are
    /// written once a minute. Tokens that were made with the sign-in end with it. Other tokens are not affected.
    Serve sign_in_idle_timeout: TimeSpan<0, 31_536_000_000> = "0s";

    /// Whether the admin site is served, below `/admin`.
    ///
    /// Staff with a right to read something, and admins, sign in there with their password. Without it, none of its paths
    /// exists.
    Serve admin_site: bool = "true";

    /// Whether people can sign in to the admin site over plain HTTP from other machines.
    ///
    /// A password and a session that travel in clear text can be stolen. Without this setting, the site accepts sign-ins over
    /// HTTPS and under the name `localhost` only.
    Serve admin_insecure: bool = "false";

    /// How long revoked and expired tokens stay listed.
    ///
    /// A server deletes them within an hour after that. Keep them at least as long as the backups that you may restore: an
    /// old backup can revive a token whose revocation is no longer recorded.
    Serve keep_ended_tokens_for: TimeSpan<0, 315_360_000_000> = "90days";
}

#[cfg(test)]
mod tests;
