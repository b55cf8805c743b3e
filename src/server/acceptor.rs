//! Accepts connections one after the other and gets each a permit from the gate.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::gate::{Admission, Gate, Permit};
use super::listener::Listener;
use super::service::{Peer, PeerAddress, Service};
use super::socket::{DetachedStream, PlainStream, Socket};
use super::wire::MessageRefusal;

/// How long to wait when the system has no room for another connection (most often: no file descriptor).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket with its gate.
pub(super) struct Acceptor {
    socket: Socket,
    gate: Arc<Gate>,
    /// A connection that was accepted and has no permit yet.
    waiting: Option<(PlainStream, PeerAddress)>,
}

/// An accepted connection with its permit.
pub(super) struct AcceptedStream<T = PlainStream> {
    pub(super) stream: T,
    pub(super) address: PeerAddress,
    pub(super) permit: Permit,
}

impl Acceptor {
    pub(super) fn new(socket: Socket, gate: Arc<Gate>) -> Self {
        Self { socket, gate, waiting: None }
    }

    /// Waits for the next connection that has a permit. No connection is lost when the future is dropped.
    pub(super) async fn next<S: Service>(&mut self, listener: &Listener<S>) -> AcceptedStream {
        loop {
            let (stream, address) = match self.waiting.take() {
                Some(waiting) => waiting,
                None => accept(&self.socket).await,
            };
            match self.gate.enter(listener.service.network(address.ip())) {
                Admission::Admitted(permit) => return AcceptedStream { stream, address, permit },
                Admission::Refused => {
                    if listener.tls.is_none() {
                        let (refusal, peer) = (MessageRefusal::OverShare, Peer { address, tls: false });
                        let added = listener.service.note_refusal(peer, &refusal.of(&[]));
                        // If the send buffer has no room for the answer, the client gets none.
                        let _ = stream.try_write(refusal.answer(added).as_bytes());
                    }
                }
                Admission::Full => {
                    self.waiting = Some((stream, address));
                    let _ = timeout(Gate::PAUSE, self.gate.freed.notified()).await;
                }
            }
        }
    }
}

/// Accepts the next connection. No error of `accept` is a reason to stop listening.
async fn accept(socket: &Socket) -> (PlainStream, PeerAddress) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection, trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl AcceptedStream {
    /// Takes the connection off the runtime that accepted it.
    pub(super) fn detach(self) -> Option<AcceptedStream<DetachedStream>> {
        let Self { stream, address, permit } = self;
        match stream.detach() {
            Ok(stream) => Some(AcceptedStream { stream, address, permit }),
            Err(error) => {
                tracing::warn!(%error, %address, "a connection cannot be handed to a worker");
                None
            }
        }
    }
}
