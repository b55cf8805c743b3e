//! What every request shares: the directory, the settings that answers depend on, and the metrics.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;

use super::error::ApiError;
use super::express::Prepared;
use super::site::SiteSettings;
use super::{api, json};
use crate::config::{AccessLog, Config};
use crate::directory::Directory;
use crate::server::Limits;
use crate::server::memory::Memory;
use crate::telemetry::Metrics;

/// The settings that answers depend on.
#[derive(Clone)]
pub struct HttpSettings {
    /// Hosts, public address and trusted proxies.
    pub site: SiteSettings,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
    /// How many bytes of bodies are in memory at once.
    pub body_memory: usize,
    /// What `Strict-Transport-Security` says over TLS, if it is sent.
    pub hsts: Option<HeaderValue>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Which requests get a log line.
    pub access_log: AccessLog,
}

impl From<&Config> for HttpSettings {
    fn from(config: &Config) -> Self {
        Self {
            site: SiteSettings {
                allowed_hosts: config.allowed_hosts.clone(),
                trusted_proxies: config.trusted_proxies.clone(),
                public_url: config.public_url.as_ref().map(|url| url.as_str().to_owned()),
                media_url: config.media_url.clone(),
            },
            max_body_bytes: config.max_body_bytes,
            body_memory: config.body_memory,
            hsts: config.hsts.as_ref().and_then(|text| HeaderValue::from_str(text).ok()),
            request_timeout: config.request_timeout,
            access_log: config.access_log,
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

/// The shared state; a clone is a pointer.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    directory: Directory,
    settings: HttpSettings,
    metrics: Metrics,
    express: Prepared,
    memory: Memory,
    parsing: Semaphore,
    resources: HashMap<String, api::Resource>,
    document: OnceCell<Bytes>,
    draining: AtomicBool,
}

impl App {
    /// Brings the parts together. The metrics take the directory's own counters along.
    pub fn new(directory: Directory, settings: HttpSettings, metrics: Metrics) -> Self {
        let counters = directory.counters();
        let metrics = Metrics {
            database_writes: counters.writes,
            password_hashes: counters.password_hashes,
            database_reads: counters.reads,
            identity_loads: counters.identity_loads,
            stale_answers: counters.stale_answers,
            ..metrics
        };
        let resources = api::resources();
        let draining = AtomicBool::new(false);
        let express = Prepared::new(&metrics, &resources, settings.hsts.as_ref());
        let (bytes, refused) = (metrics.body_bytes.clone(), metrics.bodies_refused.clone());
        let memory = Memory::new(settings.body_memory, bytes, refused);
        let parsing = Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from));
        let document = OnceCell::new();
        Self(Arc::new(Shared {
            directory,
            settings,
            metrics,
            express,
            memory,
            parsing,
            resources,
            document,
            draining,
        }))
    }

    /// Who exists, who may do what.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// The settings that answers depend on.
    pub fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What is prepared for the way without detours.
    pub(super) fn express(&self) -> &Prepared {
        &self.0.express
    }

    /// What is known of a route: its methods, its name.
    pub fn resource(&self, route: &str) -> Option<&api::Resource> {
        self.0.resources.get(route)
    }

    /// The budget of bytes for bodies.
    pub(super) fn memory(&self) -> &Memory {
        &self.0.memory
    }

    /// Turns for those who parse large bodies: one for each core.
    pub(super) fn parsing(&self) -> &Semaphore {
        &self.0.parsing
    }

    /// The OpenAPI document as JSON. It is made once, when it is first asked for, which takes a while: it is large, and
    /// few servers are ever asked. However many ask at the same time, it is made once.
    pub async fn document(&self) -> Result<Bytes, ApiError> {
        let internal = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
        let make = async || {
            let made = spawn_blocking(|| json::compact(&api::document())).await;
            made.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
        };
        self.0.document.get_or_try_init(make).await.cloned()
    }

    /// From now on the server is not ready for new work.
    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the server is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }
}
