//! The state that every request shares: the directory, the settings, the metrics, and the budgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::avatar_cache::AvatarCache;
use super::resource::{Resource, Resources};
use super::settings::HttpSettings;
use crate::directory::Directory;
use crate::directory::limiter::RefusalLimiter;
use crate::media::Media;
use crate::media::storage::Storage;
use crate::server::memory::MemoryBudget;
use crate::telemetry::Metrics;

/// The shared state. A clone is a pointer.
#[derive(Clone)]
pub struct App(Arc<AppState>);

struct AppState {
    directory: Directory,
    media: Media,
    avatars: AvatarCache,
    settings: HttpSettings,
    metrics: Metrics,
    resources: Resources,
    memory: MemoryBudget,
    parsing: Semaphore,
    draining: AtomicBool,
    /// Limits the log lines of refused requests, and those about headers of proxies.
    refusal_lines: RefusalLimiter,
    header_lines: RefusalLimiter,
}

impl App {
    /// Brings the parts together. The metrics get the directory's own counters.
    pub fn new(
        directory: Directory,
        media: Media,
        settings: HttpSettings,
        metrics: Metrics,
        resources: Resources,
    ) -> Self {
        let counters = directory.counters();
        let metrics = Metrics {
            database_writes: counters.writes,
            password_hashes: counters.password_hashes,
            database_reads: counters.reads,
            identity_loads: counters.identity_loads,
            stale_answers: counters.stale_answers,
            ..metrics
        };
        let draining = AtomicBool::new(false);
        let (bytes, refused) = (metrics.body_bytes.clone(), metrics.bodies_refused.clone());
        let memory = MemoryBudget::new(settings.body_memory, bytes, refused);
        let parsing = Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from));
        let (refusal_lines, header_lines) = (RefusalLimiter::default(), RefusalLimiter::default());
        let avatars = AvatarCache::new(media.storage().clone(), settings.media_cache);
        Self(Arc::new(AppState {
            directory,
            media,
            avatars,
            settings,
            metrics,
            resources,
            memory,
            parsing,
            draining,
            refusal_lines,
            header_lines,
        }))
    }

    /// The account database with its rules.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// The pictures of users: what makes uploads safe, and where they are kept.
    pub fn media(&self) -> &Media {
        &self.0.media
    }

    /// The store of media files.
    pub fn storage(&self) -> &Storage {
        self.0.media.storage()
    }

    /// The avatars in the store, with those that were requested recently in memory.
    pub(super) fn avatars(&self) -> &AvatarCache {
        &self.0.avatars
    }

    /// The settings that answers depend on.
    pub fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What the document says of a route.
    pub fn resource(&self, route: &str) -> Option<&Resource> {
        self.0.resources.get(route)
    }

    /// The budget of memory for large messages.
    pub(super) fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Limits how many large bodies are parsed at once: one for each core.
    pub(super) fn parsing(&self) -> &Semaphore {
        &self.0.parsing
    }

    /// Limits the log lines of refused requests.
    pub(super) fn refusal_lines(&self) -> &RefusalLimiter {
        &self.0.refusal_lines
    }

    /// Limits the log lines about headers of proxies that cannot be read.
    pub(super) fn header_lines(&self) -> &RefusalLimiter {
        &self.0.header_lines
    }

    /// Marks the server as not ready for new work.
    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the server is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }
}
