//! The HTTP engine: it accepts connections, reads one message at a time, and gives each to a [`Service`].
//!
//! The engine bounds connections, sizes and times, speaks TLS, and refuses what is not strict HTTP/1.1. It reads no
//! path, no header value and no body: what a request means is the service's business. Each connection is a task that
//! nothing else depends on; when it fails, only that connection ends.

mod acceptor;
mod certificate_facts;
mod certificates;
mod connection;
mod conversation;
mod gate;
mod limits;
mod listener;
pub mod memory;
mod message_body;
mod paced;
mod refused_message;
mod service;
mod socket;
mod tls;
mod unix_socket;
pub(crate) mod wire;
mod workers;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

pub use certificate_facts::CertificateFacts;
pub use certificates::{Certificates, FileStamps};
pub use limits::Limits;
pub use message_body::MessageBody;
pub use refused_message::{RefusalAnswer, RefusedMessage};
pub use service::{Express, Peer, PeerAddress, Service};
pub use socket::Socket;
pub use tls::TlsError;
pub use unix_socket::{UnixSocketError, check_socket_directory};
pub use workers::Workers;

use self::acceptor::Acceptor;
use self::conversation::ConnectionEnd;
use self::gate::Gate;
use self::listener::Listener;
use crate::telemetry::ConnectionMetrics;

/// How a stop went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were open when the stop began and ended in order.
    pub finished: usize,
    /// Connections that were cut: still in a TLS handshake, or not done in time.
    pub cut: usize,
}

/// Serves on `workers` until `shutdown` resolves, then lets requests in flight finish, for at most `drain_timeout`. A Unix
/// socket speaks plain HTTP, whatever `tls` says.
pub async fn serve<S: Service>(
    socket: impl Into<Socket>,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    metrics: ConnectionMetrics,
    service: S,
    workers: Arc<Workers>,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let gate = Gate::new(limits.max_connections, metrics.clone());
    let mut socket = socket.into();
    let tls = tls.filter(|_| matches!(socket, Socket::Tcp(_)));
    let shared = Arc::new(Listener::new(tls, limits, metrics, service));
    let file = socket.take_file();
    let mut acceptor = Acceptor::new(socket, gate);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut last_call = pin!(shutdown.then(|()| {
        let _ = stop.send(true);
        drop(file);
        tokio::time::sleep(limits.last_call)
    }));
    loop {
        tokio::select! {
            biased;
            () = &mut last_call => break,
            Some(ended) = connections.join_next() => { report(ended); }
            accepted = acceptor.next(&shared) => {
                if let Some(stream) = accepted.detach() {
                    let served = Arc::clone(&shared).serve(stream, stopped.clone());
                    connections.spawn_on(served, &workers.next());
                }
            }
        }
    }
    drop(acceptor);
    drain(connections, limits.drain_timeout).await
}

async fn drain(mut connections: JoinSet<ConnectionEnd>, limit: Duration) -> Drained {
    let mut drained = Drained::default();
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            match report(ended) {
                ConnectionEnd::InOrder => drained.finished += 1,
                ConnectionEnd::Cut => drained.cut += 1,
            }
        }
    };
    if tokio::time::timeout(limit, all_ended).await.is_err() {
        drained.cut += connections.len();
        connections.shutdown().await;
    }
    drained
}

fn report(ended: Result<ConnectionEnd, JoinError>) -> ConnectionEnd {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "the task of a connection panicked");
        ConnectionEnd::Cut
    })
}

#[cfg(test)]
mod tests;
