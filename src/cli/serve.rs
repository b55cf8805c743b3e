//! `wardroom serve`: starts the server from the settings, and stops it gracefully.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::context::{codes_fault, media, settings, unopened};
use super::listeners::{Listeners, Listening};
use super::messages::message_settings;
use super::renewal::keep_current;
use super::report::{CliError, Report};
use super::signals::{self, OnHangup};
use super::statistics::keep_counted;
use crate::config::{Config, Loaded, LogFormat, ServeFlags, ShownSetting};
use crate::directory::users::FirstAdmin;
use crate::directory::{Clock, Directory, Location, OpenError, Settings};
use crate::http::Front;
use crate::http::request_log::{log_left_out, report_left_out};
use crate::http::{api, app::App, settings::HttpSettings};
use crate::jobs::deliveries::{MessageSender, send_messages};
use crate::jobs::media::remove_unused_avatars;
use crate::jobs::{JOBS, finish};
use crate::outbound::{CallCounter, Door, Providers};
use crate::server::{self, Certificates, Limits, Socket, TlsError, Workers};
use crate::telemetry::{self, LogStyle, Logging, Metrics};

/// How long `serve` waits after the first attempt to reach PostgreSQL. Each pause is twice the one before it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// How long a server that stops waits for messages that are being sent.
const SENDING_ENDS: Duration = Duration::from_secs(21);

/// The arguments of `wardroom serve`.
#[derive(Args)]
pub(super) struct Serve {
    /// Create a new, empty database first if there is none.
    #[arg(long)]
    pub(super) init: bool,
    #[command(flatten)]
    pub(super) settings: ServeFlags,
}

/// Serves until a signal stops the server.
pub(super) async fn run(Loaded { config, origins, .. }: Loaded, init: bool) -> Result<Report, CliError> {
    let _logging = start_logging(&config)?;
    // A command may do without messages; a server that cannot send them does not start.
    message_settings(&config)?;
    let directory = open(&config, init).await?;
    let listeners = Listeners::open(&config).await?;
    let secrets = config.provider_secrets()?;
    let server = BoundServer::new(&config, listeners, directory, |door| {
        Providers::of(&config, secrets, door).map_err(CliError::usage)
    })?;
    server.show_settings(origins);
    server.run(OnHangup::Reload).await?;
    Ok(Report::silent())
}

/// Starts the log as the settings say.
pub(super) fn start_logging(config: &Config) -> Result<Logging, CliError> {
    let style = match config.log_format {
        LogFormat::Auto => LogStyle::Auto,
        LogFormat::Human => LogStyle::Human,
        LogFormat::Json => LogStyle::Json,
    };
    telemetry::start_logging(&config.log_level, style)
        .map_err(|error| CliError::usage(format!("log_level: {error}")))
}

/// Opens the database. While PostgreSQL cannot be reached, it tries again for as long as the setting says.
async fn open(config: &Config, init: bool) -> Result<Directory, CliError> {
    let (settings, clock) = (settings(config), Clock::system()?);
    if let Some(fault) = codes_fault(&settings) {
        return Err(CliError::usage(fault));
    }
    let deadline = Instant::now() + config.database_start_timeout;
    let (mut attempt, mut pause) = (1_u32, FIRST_PAUSE);
    loop {
        let opened = open_once(&settings, &clock, init).await;
        let left = deadline.saturating_duration_since(Instant::now());
        let can_pass =
            matches!((&settings.location, &opened), (Location::Postgres(_), Err(OpenError::Unreachable(_))));
        let error = match opened {
            Err(error) if can_pass && !left.is_zero() => error,
            opened => return opened.map_err(|error| unopened(config, error)),
        };
        let wait = pause.min(left);
        tracing::warn!(attempt, %error, next_attempt_in = ?wait, "waiting for PostgreSQL");
        notify(NotifyState::Status("waiting for PostgreSQL"));
        tokio::time::sleep(wait).await;
        attempt = attempt.saturating_add(1);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn open_once(settings: &Settings, clock: &Clock, init: bool) -> Result<Directory, OpenError> {
    match Directory::open(settings, clock.clone()).await {
        Err(OpenError::Missing(_) | OpenError::Uninitialised) if init => {
            Directory::create(settings, clock).await?;
            tracing::info!(
                "created a new, empty database; create the first admin with `wardroom user add NAME --admin`"
            );
            Directory::open(settings, clock.clone()).await
        }
        opened => opened,
    }
}

/// Prints a link that creates the first admin, if there is no user yet and the admin site is on. It is worth nothing once
/// there is one, and after a restart.
async fn print_set_up_link(app: &App, listening: &[String], is_tls: bool) {
    let settings = app.settings();
    if !settings.admin_site || !matches!(app.directory().first_admin().await, Ok(FirstAdmin::Missing)) {
        return;
    }
    let Ok(code) = app.directory().clock().token_key() else { return };
    let port = listening.iter().find_map(|name| name.rsplit_once(':')?.1.parse::<u16>().ok());
    let scheme = if is_tls { "https" } else { "http" };
    let site = settings.site.public_url.clone();
    let site = site.unwrap_or_else(|| format!("{scheme}://localhost:{}", port.unwrap_or(80)));
    let link = format!("{site}/admin/set-up?code={}", code.reveal());
    app.open_set_up(code);
    tracing::info!(link, "there is no user yet: open this link in a browser to create the first admin");
}

/// A server with bound sockets, ready to run.
pub(super) struct BoundServer {
    app: App,
    certificates: Option<Arc<Certificates>>,
    limits: Limits,
    listeners: Listeners,
    workers: Arc<Workers>,
    avatar_grace: Duration,
    providers: Providers,
}

impl BoundServer {
    /// Prepares what answers on these sockets.
    pub(super) fn new(
        config: &Config,
        listeners: Listeners,
        directory: Directory,
        providers: impl FnOnce(&Door) -> Result<Providers, CliError>,
    ) -> Result<Self, CliError> {
        let certificates = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(Certificates::read(certificate, key).map_err(unusable_tls)?)
            }
            _ => None,
        };
        let limits = Limits::from(config);
        if certificates.is_none() && !listeners.are_local() {
            tracing::warn!(
                "tokens travel to other machines in clear text: set tls_certificate and tls_key, or use a proxy with TLS"
            );
        }
        raise_file_limit(config.max_connections, listeners.sockets.len());
        let started_at = directory.clock().now().as_micros() / 1_000_000;
        let process_metrics = Metrics { started_at: Some(started_at), ..Metrics::default() };
        let calls = CallCounter::new(process_metrics.outbound_calls.clone());
        let door = Door::of(config, &listeners.addresses(), calls);
        let (providers, media) = (providers(&door)?, media(config, &door)?);
        let settings = HttpSettings::from(config);
        let app = App::new(directory, media, settings, process_metrics, api::resources());
        // The database was opened a moment ago.
        app.metrics().database_up.set(1);
        let workers = Workers::start(threads(config)).map_err(|error| {
            CliError::internal(format!(
                "the system refuses to start more threads ({error}): lower the setting threads"
            ))
        })?;
        let (workers, avatar_grace) = (Arc::new(workers), config.avatar_grace);
        Ok(Self { app, certificates, limits, listeners, workers, avatar_grace, providers })
    }

    /// Keeps the settings in force, without secrets, for the admin site.
    pub(super) fn show_settings(&self, settings: Vec<ShownSetting>) {
        self.app.show_settings(settings);
    }

    /// Serves until SIGTERM, SIGINT or a SIGHUP that stops it, then finishes the requests in progress.
    pub(super) async fn run(self, on_hangup: OnHangup) -> Result<(), CliError> {
        // Installed before the first request, so that an early signal does not cut a request off either.
        let (mut signals, hangups) = signals::listen(on_hangup)?;
        let (stop, stopped) = watch::channel(());
        let Self { app, certificates, limits, listeners, workers, avatar_grace, providers } = self;
        let tls = certificates.as_ref().map(Certificates::server_config).transpose().map_err(unusable_tls)?;
        app.directory().expect_count();
        let stopping = |mut stopped: watch::Receiver<()>| async move {
            // Dropping the sender means "stop".
            let _ = stopped.changed().await;
        };
        let connections = app.metrics().connections.clone();
        let mut servers = Vec::new();
        let front = Front::new(app.clone());
        let named = listeners.sockets.iter().map(|listening| listening.socket.name()).collect::<Vec<_>>();
        for Listening { socket, passed_as } in listeners.sockets {
            let is_tls = tls.is_some() && matches!(socket, Socket::Tcp(_));
            let name = socket.name();
            tracing::info!(address = name, tls = is_tls, passed_as, "listening");
            // Connections in the queue of a socket that was passed wait for the next server.
            let last_call = if passed_as.is_some() { Duration::ZERO } else { limits.last_call };
            let limits = Limits { last_call, ..limits };
            let shutdown = stopping(stopped.clone());
            servers.push(tokio::spawn(server::serve(
                socket,
                tls.clone(),
                limits,
                connections.clone(),
                front.clone(),
                Arc::clone(&workers),
                shutdown,
            )));
        }
        let has_metrics = listeners.metrics.is_some();
        if let Some(listener) = listeners.metrics.map(Socket::from) {
            tracing::info!(address = listener.name(), "metrics listening");
            let (front, unseen) = (Front::metrics(app.clone()), telemetry::ConnectionMetrics::default());
            let (workers, shutdown) = (Arc::new(Workers::none()), stopping(stopped.clone()));
            let serving = server::serve(listener, None, limits, unseen, front, workers, shutdown);
            servers.push(tokio::spawn(serving));
        }
        print_set_up_link(&app, &named, tls.is_some()).await;
        let mut jobs = JoinSet::new();
        for job in JOBS {
            let app = app.clone();
            jobs.spawn(async move { job(app.directory()).await });
        }
        jobs.spawn({
            let app = app.clone();
            async move { remove_unused_avatars(app.directory(), app.storage(), avatar_grace).await }
        });
        jobs.spawn(report_left_out(app.clone()));
        jobs.spawn(keep_current(certificates, app.metrics().certificate_expiry.clone(), hangups));
        if has_metrics || app.settings().admin_site {
            jobs.spawn(keep_counted(app.clone()));
        }
        let sender = start_sender(&app, providers, stopping(stopped));
        notify(NotifyState::Ready);
        let mut servers: FuturesUnordered<_> = servers.into_iter().collect();
        tokio::select! {
            () = signals.received() => {}
            // Without a listener the process is useless, so it exits to be restarted.
            _ = servers.next() => return Err(CliError::internal("a listener ended unexpectedly: see the log")),
        }
        tracing::info!("stopping: finishing the requests in progress");
        notify(NotifyState::Stopping);
        app.start_draining();
        drop(stop);
        let drained: Vec<_> = servers.collect().await;
        jobs.abort_all();
        // An attempt that is cut off is made again, so the message would be sent twice.
        let _ = tokio::time::timeout(SENDING_ENDS, sender).await;
        finish(app.directory()).await;
        log_left_out(&app, true);
        let cut: usize = drained.into_iter().flatten().map(|drained| drained.cut).sum();
        tracing::info!(cut, "stopped");
        Ok(())
    }
}

/// Starts the job that sends messages, if there is a provider.
fn start_sender(
    app: &App,
    providers: Providers,
    stop: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let app = app.clone();
    tokio::spawn(async move {
        if !providers.are_none() {
            let (directory, metrics) = (app.directory(), app.metrics());
            send_messages(&MessageSender { directory, providers: &providers, metrics }, stop).await;
        }
    })
}

/// Returns the number of worker threads: the setting, or one for each core.
fn threads(config: &Config) -> usize {
    match usize::try_from(config.threads) {
        Ok(threads @ 1..) => threads,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err passes it by value")]
fn unusable_tls(error: TlsError) -> CliError {
    CliError::usage(error.to_string())
}

/// Open files that are not connections: databases, sockets, logs.
const OTHER_FILES: u64 = 128;

/// Raises the limit of open files. Each connection is an open file, and the usual limit of 1024 is lower than
/// max_connections, which each listener has.
fn raise_file_limit(connections: u32, listeners: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let listeners = u64::try_from(listeners).unwrap_or(u64::MAX);
    let wanted = u64::from(connections).saturating_mul(listeners).saturating_add(OTHER_FILES);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= wanted);
    if enough(limit.current) {
        return;
    }
    let raised = Rlimit { current: Some(limit.maximum.map_or(wanted, |most| most.min(wanted))), ..limit };
    let failed = setrlimit(Resource::Nofile, raised).is_err();
    if failed || !enough(limit.maximum) {
        tracing::warn!(
            max_connections = connections,
            listeners,
            most = limit.maximum,
            "the limit of open files is too low for max_connections: raise LimitNOFILE or lower the setting"
        );
    }
}

/// Notifies the service manager, if there is one.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify the service manager");
    }
}
