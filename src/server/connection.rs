//! One connection from its first byte to its last: TLS handshake, then the conversation.

use std::future::poll_fn;
use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::acceptor::AcceptedStream;
use super::conversation::{ConnectionEnd, Conversation, grace_after_stop};
use super::listener::Listener;
use super::service::{Peer, Service};
use super::socket::{DetachedStream, PlainStream};
use super::wire::{Presence, Wire};

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

impl<S: Service> Listener<S> {
    /// Serves a connection until it ends.
    pub(super) async fn serve(
        self: Arc<Self>,
        accepted: AcceptedStream<DetachedStream>,
        stop: watch::Receiver<bool>,
    ) -> ConnectionEnd {
        let AcceptedStream { stream, address, permit } = accepted;
        let stream = match stream.attach() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, %address, "a worker cannot take a connection");
                return ConnectionEnd::Cut;
            }
        };
        let _open = Open::new(self.metrics.open.clone());
        self.metrics.accepted.inc();
        let presence = Arc::clone(&permit.presence);
        let stream = match stream {
            PlainStream::Tcp(stream) => stream,
            PlainStream::Unix(stream) => {
                let peer = Peer { address, tls: false };
                // Boxed: a connection of the other kind needs no room for it.
                return Box::pin(self.converse(stream, peer, presence, stop)).await;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %address, "cannot set TCP_NODELAY");
        }
        let peer = Peer { address, tls: self.tls.is_some() };
        let Some(acceptor) = &self.tls else { return self.converse(stream, peer, presence, stop).await };
        // Boxed, twice: connections without TLS need no room for it.
        let accepting = Box::pin(acceptor.accept(stream));
        let handshake = tokio::time::timeout(self.limits.tls_handshake_timeout, accepting);
        let shaken = tokio::select! {
            () = grace_after_stop(stop.clone(), self.grace()) => return ConnectionEnd::Cut,
            () = poll_fn(|cx| presence.poll_asked_to_close(cx)) => return ConnectionEnd::InOrder,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => return Box::pin(self.converse(stream, peer, presence, stop)).await,
            Ok(Err(error)) => tracing::debug!(%error, %address, "TLS handshake failed"),
            Err(_) => _ = self.metrics.timed_out.inc(),
        }
        ConnectionEnd::InOrder
    }

    pub(super) async fn converse<T>(
        self: Arc<Self>,
        stream: T,
        peer: Peer,
        presence: Arc<Presence>,
        stop: watch::Receiver<bool>,
    ) -> ConnectionEnd
    where
        T: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let wire = Wire::new(stream, self.limits.wire(), presence, self.service.memory().clone());
        Conversation { listener: self, peer, wire, stop, waiting: None }.run().await
    }
}
