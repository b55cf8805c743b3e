//! The listener and its connections: who is let in, for how long, and how all of it ends in good order.
//!
//! A connection is a task that nothing else depends on; when it fails, only it ends. What a request
//! means is the [`Service`]'s business: no path, header value or answer body may be looked at here.

mod conversation;
mod door;
mod gate;
mod paced;
mod tls;
mod workers;

use std::error::Error;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use tls::{TlsError, tls_config};
pub use workers::Workers;

use self::conversation::{Conversation, told};
use self::door::{Door, Guest};
use self::gate::Gate;
use super::memory::Memory;
use super::wire::{Presence, Wire, WireLimits};
use crate::telemetry::ConnectionMetrics;

/// How long connections stay open after a stop has begun, so that a client in the middle of its work is told
/// `Connection: close` with its next answer and not by a closed door.
const GRACE: Duration = Duration::from_secs(1);
/// hyper's own bound on what it buffers; heads are bounded by the wire, well before this.
const MIN_BUFFER: usize = 64 * 1024;

/// What one connection is known by.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end of the socket, which may be a proxy.
    pub address: SocketAddr,
    /// Whether the connection came in over TLS.
    pub tls: bool,
}

/// The bounds that a listener and its connections are held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections open at once; further clients wait in the listener's backlog for an idle one to go.
    pub max_connections: usize,
    /// Longest request head in bytes, its empty line included.
    pub max_head_bytes: usize,
    /// How long a connection may stand open between two requests.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last; the first one from the connection's beginning.
    pub head_timeout: Duration,
    /// How long a body may take in all, while the service wants to read it.
    pub body_timeout: Duration,
    /// How long a peer may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long a TLS handshake may take in all.
    pub tls_handshake_timeout: Duration,
    /// How long a stop waits for requests in flight.
    pub drain_timeout: Duration,
    /// How much longer than asked the listener stays open: closing it resets every client in its backlog,
    /// and those who connected before the stop are owed an answer. Nothing for a socket that somebody else
    /// holds, too: its backlog is the successor's.
    pub last_call: Duration,
}

impl Limits {
    fn wire(&self) -> WireLimits {
        WireLimits {
            max_head_bytes: self.max_head_bytes,
            idle_timeout: self.idle_timeout,
            head_timeout: self.head_timeout,
            body_timeout: self.body_timeout,
            write_timeout: self.write_timeout,
        }
    }
}

/// How a stop went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when the stop began and ended in order.
    pub finished: usize,
    /// Connections that were cut: still in a TLS handshake, or not done in time.
    pub cut: usize,
}

/// Answers requests. A panic in it ends its connection, and only that.
pub trait Service: Clone + Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;
    /// What it can know of a request beforehand.
    type Known: Send;

    /// Answers what needs no parser: appends the whole answer, head and body, to `answer`. `bytes` begin with
    /// the next message, of which nothing has been checked and the end may be missing; whatever is not known
    /// to be a good message without a body is left alone. When `last` is set the answer must say that the
    /// connection closes.
    fn express(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        answer: &mut Vec<u8>,
    ) -> impl Future<Output = Express<Self::Known>> + Send;

    /// The same where nothing has to be waited for; otherwise nothing has happened. What it needs lies on the
    /// thread's stack and not in every connection's memory, which a processor's cache is too small for.
    fn express_at_once(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        answer: &mut Vec<u8>,
    ) -> Option<Express<Self::Known>>;

    /// Answers one request of a connection, with what [`Service::express`] found out about it.
    fn answer(
        &self,
        peer: Peer,
        request: Request<Incoming>,
        known: Option<Self::Known>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Whether connections from there carry the requests of many clients.
    fn is_proxy(&self, address: IpAddr) -> bool;

    /// The budget of memory that large messages count against.
    fn memory(&self) -> &Memory;

    /// The header lines that every answer has, for those that are given before there is a request.
    fn refusal_headers(&self, tls: bool) -> String;
}

/// What became of a message before anybody parsed it.
pub enum Express<K> {
    /// It is answered.
    Answered {
        /// Its length in bytes.
        length: usize,
        /// Whether the answer says that the connection closes.
        last: bool,
    },
    /// It is not answered here; this much is known of it.
    HandedOn(K),
    /// Nothing is known of it.
    NotMine,
}

/// Serves on `workers` until `shutdown` resolves, then lets requests in flight finish, for `drain_timeout` at most.
pub async fn serve<S: Service>(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    metrics: ConnectionMetrics,
    service: S,
    workers: Arc<Workers>,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let gate = Gate::new(limits.max_connections, metrics.clone());
    let house =
        Arc::new(House { http: http(&limits), tls: tls.map(TlsAcceptor::from), limits, metrics, service });
    let mut door = Door::new(listener, gate);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut last_call = pin!(shutdown.then(|()| {
        let _ = stop.send(true);
        tokio::time::sleep(limits.last_call)
    }));
    loop {
        tokio::select! {
            biased;
            () = &mut last_call => break,
            Some(ended) = connections.join_next() => { report(ended); }
            guest = door.next(&house) => {
                if let Some(guest) = guest.leave() {
                    let hosted = Arc::clone(&house).host(guest, stopped.clone());
                    connections.spawn_on(hosted, &workers.next());
                }
            }
        }
    }
    drop(door);
    drain(connections, limits.drain_timeout).await
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // `wire::Lent` relies on half_close; the wire keeps all time limits. Without writev hyper copies head and
    // body into one buffer, so that an answer is one send.
    http.half_close(true)
        .header_read_timeout(None)
        .max_buf_size(limits.max_head_bytes.max(MIN_BUFFER).saturating_add(1))
        .writev(false);
    http
}

async fn drain(mut connections: JoinSet<Ended>, patience: Duration) -> Drained {
    let mut drained = Drained::default();
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            match report(ended) {
                Ended::InOrder => drained.finished += 1,
                Ended::Cut => drained.cut += 1,
            }
        }
    };
    if tokio::time::timeout(patience, all_ended).await.is_err() {
        drained.cut += connections.len();
        connections.shutdown().await;
    }
    drained
}

/// How a connection's task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    InOrder,
    Cut,
}

fn report(ended: Result<Ended, JoinError>) -> Ended {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "the task of a connection panicked");
        Ended::Cut
    })
}

/// What all connections of a listener share.
struct House<S> {
    http: http1::Builder,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    metrics: ConnectionMetrics,
    service: S,
}

/// Counts a connection as open for as long as it lives, however it ends.
struct Open(Gauge);

impl Open {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl<S: Service> House<S> {
    /// A connection from its first byte to its last.
    async fn host(self: Arc<Self>, guest: Guest<std::net::TcpStream>, stop: watch::Receiver<bool>) -> Ended {
        let Guest { stream, address, seat } = guest;
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, %address, "a worker cannot take a connection");
                return Ended::Cut;
            }
        };
        let _open = Open::new(self.metrics.open.clone());
        self.metrics.accepted.inc();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %address, "cannot set TCP_NODELAY");
        }
        let peer = Peer { address, tls: self.tls.is_some() };
        let presence = Arc::clone(&seat.presence);
        let Some(acceptor) = &self.tls else { return self.converse(stream, peer, presence, stop).await };
        // Boxed, twice: connections without TLS need no room for it.
        let accepting = Box::pin(acceptor.accept(stream));
        let handshake = tokio::time::timeout(self.limits.tls_handshake_timeout, accepting);
        let shaken = tokio::select! {
            () = told(stop.clone(), self.grace()) => return Ended::Cut,
            () = poll_fn(|cx| presence.poll_asked(cx)) => return Ended::InOrder,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => return Box::pin(self.converse(stream, peer, presence, stop)).await,
            Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
            Err(_) => _ = self.metrics.timed_out.inc(),
        }
        Ended::InOrder
    }

    /// The grace leaves time for what is asked at its very end.
    fn grace(&self) -> Duration {
        GRACE.min(self.limits.drain_timeout / 2)
    }

    async fn converse<T>(
        self: Arc<Self>,
        stream: T,
        peer: Peer,
        presence: Arc<Presence>,
        stop: watch::Receiver<bool>,
    ) -> Ended
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let wire = Wire::new(stream, self.limits.wire(), presence, self.service.memory().clone());
        Conversation { house: self, peer, wire, stop, waiting: None }.hold().await
    }
}

#[cfg(test)]
mod tests;
