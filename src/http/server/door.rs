//! The way in: connections are accepted one after the other, and each gets a place from the gate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::gate::{Entry, Gate, Seat};
use super::{House, Service};
use crate::http::wire::Refusal;

/// How long to wait when the system has no room for another connection (most often: no file descriptor).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener with its gate.
pub(super) struct Door {
    listener: TcpListener,
    gate: Arc<Gate>,
    /// One that was accepted and has no place yet.
    waiting: Option<(TcpStream, SocketAddr)>,
}

/// An accepted connection, with its place.
pub(super) struct Guest<T = TcpStream> {
    pub(super) stream: T,
    pub(super) address: SocketAddr,
    pub(super) seat: Seat,
}

impl Door {
    pub(super) fn new(listener: TcpListener, gate: Arc<Gate>) -> Self {
        Self { listener, gate, waiting: None }
    }

    /// The next connection that has a place. Nobody is lost when this is dropped and asked anew.
    pub(super) async fn next<S: Service>(&mut self, house: &House<S>) -> Guest {
        loop {
            let (stream, address) = match self.waiting.take() {
                Some(waiting) => waiting,
                None => accept(&self.listener).await,
            };
            match self.gate.enter(address.ip(), house.service.is_proxy(address.ip())) {
                Entry::Seated(seat) => return Guest { stream, address, seat },
                Entry::Refused => {
                    if house.tls.is_none() {
                        // If there is no room for the answer, there is none.
                        let answer = Refusal::Overloaded.answer(&house.service.refusal_headers(false));
                        let _ = stream.try_write(answer.as_bytes());
                    }
                }
                Entry::Full => {
                    self.waiting = Some((stream, address));
                    let _ = timeout(Gate::PAUSE, self.gate.freed.notified()).await;
                }
            }
        }
    }
}

/// The next connection. No error of `accept` is a reason to stop listening.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection, trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Guest {
    /// Takes the connection off the runtime that accepted it.
    pub(super) fn leave(self) -> Option<Guest<std::net::TcpStream>> {
        let Self { stream, address, seat } = self;
        match stream.into_std() {
            Ok(stream) => Some(Guest { stream, address, seat }),
            Err(error) => {
                tracing::warn!(%error, %address, "a connection cannot be handed to a worker");
                None
            }
        }
    }
}
