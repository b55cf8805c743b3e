//! The state that every request shares: the directory, the settings, the metrics, and the budgets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::avatar_cache::AvatarCache;
use super::resource::{Resource, Resources};
use super::settings::HttpSettings;
use crate::config::ShownSetting;
use crate::directory::Directory;
use crate::directory::limiter::RefusalLimiter;
use crate::directory::model::TokenKey;
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
    /// The code of the link that creates the first admin.
    set_up_code: OnceLock<TokenKey>,
    /// The settings in force, without secrets, for the page that shows them.
    shown_settings: OnceLock<Vec<ShownSetting>>,
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
            codes: counters.codes,
            list_bitmaps: counters.list_bitmaps,
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
            set_up_code: OnceLock::new(),
            shown_settings: OnceLock::new(),
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

    /// Opens the page that creates the first admin, for who has this code. Only this process knows it.
    pub fn open_set_up(&self, code: TokenKey) {
        // Opened once; a second code would change nothing.
        let _ = self.0.set_up_code.set(code);
    }

    /// Whether a text is the code of the link that creates the first admin.
    pub(super) fn is_set_up_code(&self, given: &str) -> bool {
        let code = self.0.set_up_code.get();
        code.is_some_and(|code| code.reveal().as_bytes().ct_eq(given.as_bytes()).into())
    }

    /// Keeps the settings in force, without secrets, for the page that shows them.
    pub fn show_settings(&self, settings: Vec<ShownSetting>) {
        // Set once, at the start.
        let _ = self.0.shown_settings.set(settings);
    }

    /// The settings in force, without secrets; none if the server did not keep them.
    pub(super) fn shown_settings(&self) -> &[ShownSetting] {
        self.0.shown_settings.get().map(Vec::as_slice).unwrap_or_default()
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
