//! The settings that answers and connections depend on, taken from the configuration.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use super::site::{SiteSettings, media_path_of};
use crate::config::{AccessLog, Config, CorsOrigins, IdentityHeaders, TokenKeywords};
use crate::media::storage::media_root;
use crate::server::Limits;

/// The settings that answers depend on.
#[derive(Clone)]
pub struct HttpSettings {
    /// Hosts, public address and trusted proxies.
    pub site: SiteSettings,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// The budget for bodies that are in memory at once, in bytes.
    pub body_memory: usize,
    /// The value of `Strict-Transport-Security` over TLS, if it is sent.
    pub hsts: Option<HeaderValue>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Which requests get a log line.
    pub access_log: AccessLog,
    /// The words before a key.
    pub token_keywords: TokenKeywords,
    /// The origins whose pages may read responses.
    pub cors_origins: CorsOrigins,
    /// The names of the identity headers of forward authentication.
    pub identity_headers: IdentityHeaders,
    /// Whether forward authentication counts against the rate limits.
    pub forward_auth_rate_limits: bool,
    /// The path of media files; it ends with a slash.
    pub media_path: String,
    /// The directory of imported media files.
    pub media_root: PathBuf,
    /// The memory for avatars that were requested recently, in bytes.
    pub media_cache: usize,
    /// Whether the admin site is served.
    pub admin_site: bool,
    /// Whether it accepts sign-ins over plain HTTP from other machines.
    pub admin_insecure: bool,
}

impl From<&Config> for HttpSettings {
    fn from(config: &Config) -> Self {
        Self {
            site: SiteSettings {
                allowed_hosts: config.allowed_hosts.clone(),
                default_host: config.allowed_hosts.first().unwrap_or("localhost").to_owned(),
                trusted_proxies: config.trusted_proxies.clone(),
                public_url: config.public_url.as_ref().map(|url| url.as_str().to_owned()),
                media_url: config.media_url.clone(),
            },
            max_body_bytes: config.max_body_bytes,
            body_memory: config.body_memory,
            hsts: config.hsts.as_ref().and_then(|text| HeaderValue::from_str(text).ok()),
            request_timeout: config.request_timeout,
            access_log: config.access_log,
            token_keywords: config.token_keywords.clone(),
            cors_origins: config.cors_allowed_origins.clone(),
            identity_headers: config.forward_auth_headers.clone(),
            forward_auth_rate_limits: config.forward_auth_rate_limits,
            media_path: media_path_of(&config.media_url).to_owned(),
            media_root: media_root(config),
            media_cache: config.media_cache,
            admin_site: config.admin_site,
            admin_insecure: config.admin_insecure,
        }
    }
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self {
            max_connections: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
            max_head_bytes: config.max_head_bytes,
            idle_timeout: config.idle_timeout,
            head_timeout: config.head_timeout,
            body_timeout: config.body_timeout,
            write_timeout: config.write_timeout,
            tls_handshake_timeout: config.tls_handshake_timeout,
            drain_timeout: config.drain_timeout,
            last_call: Duration::from_millis(20),
        }
    }
}
