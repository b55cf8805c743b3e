//! The hosts of a URL: connecting to the one that is the primary.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::history::{ConnectionHistory, Histories, ServerState, Unusable};
use super::message::is_tls;
use crate::database::error::describe;

/// How long one host is tried before the next one is tried as well. A host that is gone may say nothing.
const HEAD_START: Duration = Duration::from_millis(100);
/// How long all hosts together are looked at before the first connection.
const SURVEY_TIMEOUT: Duration = Duration::from_millis(500);

/// The pauses between two looks at a host that is not the primary, and after a look that failed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A connection, and the task that drives its I/O.
pub(super) type Opened = (Client, JoinHandle<()>);

/// The hosts of a URL, and what is known of them.
pub(super) struct Hosts {
    /// One configuration for each.
    configs: Vec<Config>,
    tls: Option<MakeRustlsConnect>,
    histories: Histories,
}

impl Hosts {
    pub(super) fn new(configs: Vec<Config>, tls: Option<MakeRustlsConnect>) -> Self {
        Self { configs, tls, histories: Histories::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.configs.len()
    }

    /// Returns how many histories of the database this process has followed. The number changes with a failover, before any
    /// statement is answered by the new primary. From then on no statement is answered by the old one.
    pub(super) fn history(&self) -> u64 {
        self.histories.known().number
    }

    /// Opens a connection to the primary. It begins with the host that was the primary last; the others follow when it fails,
    /// or after a while. `limit` is the time for one host.
    pub(super) async fn connect(&self, limit: Duration) -> Result<Opened, Error> {
        let mut known = self.histories.subscribe();
        loop {
            tokio::select! {
                biased;
                opened = self.connect_to_first(limit) => return opened,
                // Another host has become the primary meanwhile, and those that are tried may say nothing.
                changed = known.changed() => if changed.is_err() { std::future::pending::<()>().await },
            }
        }
    }

    async fn connect_to_first(&self, limit: Duration) -> Result<Opened, Error> {
        let first = self.histories.known().host;
        let others: Vec<_> = (0..self.count()).filter(|host| *host != first).collect();
        let mut others = others.into_iter();
        let mut attempts = FuturesUnordered::from_iter([self.connect_to(first, limit)]);
        let mut failure = None;
        loop {
            tokio::select! {
                biased;
                ended = attempts.next() => match (ended, failure.take()) {
                    (Some(Ok(opened)), _) => return Ok(opened),
                    (Some(Err(error)), earlier) => failure = Some(worse(earlier, error)),
                    (None, Some(failure)) if others.len() == 0 => return Err(failure),
                    (None, earlier) => failure = earlier,
                },
                () = sleep(HEAD_START), if others.len() > 0 && !attempts.is_empty() => {}
            }
            attempts.extend(others.next().map(|host| self.connect_to(host, limit)));
        }
    }

    /// Opens a connection to one host, if it is the primary.
    async fn connect_to(&self, host: usize, limit: Duration) -> Result<Opened, Error> {
        let mut config = self.config(host).clone();
        config.connect_timeout(config.get_connect_timeout().map_or(limit, |own| limit.min(*own)));
        let member = ConnectionHistory::default();
        let opened = self.open(&config, Some(&member)).await?;
        let state = ServerState::read(&opened.0).await?;
        match self.histories.admit(state, host, &member) {
            Ok(is_failover) => report(is_failover, host),
            Err(why) => opened.0.batch_execute(why.statement()).await?,
        }
        Ok(opened)
    }

    /// Opens a connection. If it is a member, it ends with its history.
    async fn open(&self, config: &Config, member: Option<&ConnectionHistory>) -> Result<Opened, Error> {
        let ended = member.cloned().map(|member| member.ended(self.histories.subscribe()));
        Ok(match &self.tls {
            Some(tls) => spawn_driver(config.connect(tls.clone()).await?, ended),
            None => spawn_driver(config.connect(NoTls).await?, ended),
        })
    }

    /// Looks at all hosts, so that of two that accept writes the one with the newer history is used.
    pub(super) async fn survey(&self) {
        if self.count() > 1 {
            let looks = (0..self.count()).map(|host| async move { self.look(host, &mut None).await });
            // A host that says nothing costs this time.
            let _ = timeout(SURVEY_TIMEOUT, join_all(looks)).await;
        }
    }

    /// Notes what a host says of itself. The connection stays open for the next look, unless it fails.
    async fn look(&self, host: usize, open: &mut Option<Opened>) -> Result<Result<(), Unusable>, Error> {
        let opened = match open.take() {
            Some(opened) => opened,
            None => {
                let mut config = self.config(host).clone();
                config.target_session_attrs(TargetSessionAttrs::Any).connect_timeout(LOOK_AGAIN);
                self.open(&config, None).await?
            }
        };
        let state = ServerState::read(&opened.0).await?;
        *open = Some(opened);
        Ok(self.histories.note(state, host).map(|is_failover| report(is_failover, host)))
    }

    #[expect(clippy::indexing_slicing, reason = "a place below the count, of which there is at least one")]
    fn config(&self, host: usize) -> &Config {
        &self.configs[host]
    }
}

fn report(is_failover: bool, host: usize) {
    if is_failover {
        tracing::warn!(host = host + 1, "another server of database_url is the primary now");
    }
}

/// Looks at the hosts that are not the primary, so that a failover is noticed although the old primary is silent, or still
/// answers. It ends with the hosts.
pub(super) fn watch(hosts: &Arc<Hosts>) {
    if hosts.count() > 1 {
        for host in 0..hosts.count() {
            tokio::spawn(watch_host(Arc::downgrade(hosts), host));
        }
    }
}

async fn watch_host(hosts: Weak<Hosts>, host: usize) {
    let (mut open, mut pause, mut was_older) = (None, LOOK_AGAIN, false);
    loop {
        sleep(pause).await;
        let Some(hosts) = hosts.upgrade() else { return };
        if hosts.histories.known().host == host {
            // The other connections are to this one.
            (open, pause, was_older) = (None, LOOK_EVERY, false);
            continue;
        }
        let looked = timeout(LOOK_AGAIN, hosts.look(host, &mut open)).await;
        let is_older = matches!(looked, Ok(Ok(Err(Unusable::Older))));
        if is_older && !was_older {
            tracing::warn!(
                host = host + 1,
                "a host of database_url was the primary before a failover and accepts writes: stop it"
            );
        }
        (pause, was_older) = (if matches!(looked, Ok(Ok(_))) { LOOK_EVERY } else { LOOK_AGAIN }, is_older);
    }
}

/// Returns the error that says more: what a server reports, rather than that there is none.
fn worse(earlier: Option<Error>, error: Error) -> Error {
    let is_telling = |error: &Error| error.as_db_error().is_some() || is_tls(error);
    match earlier {
        Some(earlier) if is_telling(&earlier) || !is_telling(&error) => earlier,
        _ => error,
    }
}

/// Spawns a task that drives the I/O of a connection.
fn spawn_driver<S>(
    (client, connection): (Client, Connection<Socket, S>),
    ended: Option<impl Future<Output = ()> + Send + 'static>,
) -> Opened
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let driver = tokio::spawn(async move {
        let ended = async {
            match ended {
                Some(ended) => ended.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // First: what arrives after the end of its history is not passed on.
            biased;
            () = ended => tracing::debug!("a connection to an earlier primary was closed"),
            driven = connection => if let Err(error) = driven {
                tracing::warn!(error = describe(&error), "a connection to PostgreSQL was lost");
            },
        }
    });
    (client, driver)
}
