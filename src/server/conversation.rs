//! One connection, message after message. The service answers a message with ready bytes if it can; otherwise hyper
//! reads the message.
//!
//! The first way is the *express lane*: a request that the service recognises before anything is parsed costs one
//! `recv`, one `send` and little between. hyper's state is created for each message that needs it and dropped when
//! that message is answered. So only one side reads or writes at a time, answers come in the order of their requests,
//! and an idle connection keeps nothing but its socket.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Fuse, FusedFuture};
use hyper::Method;
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::coop::has_budget_remaining;

use super::listener::Listener;
use super::message_body::MessageBody;
use super::paced::Paced;
use super::service::{Express, Peer, Service};
use super::wire::{Frame, MessageMarks, MessageRefusal, MessageStream, Wire, WireOutcome};

/// How a connection's task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    InOrder,
    Cut,
}

/// A connection with everything that answering it needs.
pub(super) struct Conversation<S, T> {
    pub(super) listener: Arc<Listener<S>>,
    pub(super) peer: Peer,
    pub(super) wire: Wire<T>,
    /// Whether a stop has begun.
    pub(super) stop: watch::Receiver<bool>,
    /// The task that a stop will wake.
    pub(super) waiting: Option<Waker>,
}

/// Waits until a stop has begun and its grace is over.
pub(super) async fn grace_after_stop(mut stop: watch::Receiver<bool>, grace: Duration) {
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

type Failed = Box<dyn Error + Send + Sync>;

/// How much longer the service works on a GET or HEAD whose client has closed its side of the connection. A client that
/// has closed only its sending side still waits for the answer, but it looks like one that is gone.
const CLOSED_TIMEOUT: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("the client went away before the answer was ready")]
struct ClientGone;

/// Waits for an answer; gives up when its client has gone away before it was ready.
async fn unless_gone<R>(
    client: Option<MessageMarks>,
    answer: impl Future<Output = R>,
) -> Result<R, ClientGone> {
    let (mut answer, mut end) = (pin!(answer), None);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        if !client.as_ref().is_some_and(MessageMarks::is_closed) {
            return Poll::Pending;
        }
        let end = end.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSED_TIMEOUT)));
        end.as_mut().poll(cx).map(|()| Err(ClientGone))
    })
    .await
}

impl<S: Service, T: AsyncRead + AsyncWrite + Unpin + Send> Conversation<S, T> {
    /// Answers the requests of the connection until either side ends it.
    pub(super) async fn run(mut self) -> ConnectionEnd {
        let stopping = pin!(grace_after_stop(self.stop.clone(), self.listener.grace()).fuse());
        if let Err(error) = self.converse(stopping).await {
            tracing::debug!(%error, address = %self.peer.address, "connection ended early");
        }
        if self.wire.presence().is_asked_to_close() {
            // A new connection waits for this one's permit: it is closed without an answer.
            return ConnectionEnd::InOrder;
        }
        let Self { listener, peer, wire, .. } = self;
        let metrics = &listener.metrics;
        let note = |(refusal, start): (MessageRefusal, &[u8])| {
            listener.service.note_refusal(peer, &refusal.of(start))
        };
        let added = wire.refusal().map(note).unwrap_or_default();
        match wire.finish(added).await {
            WireOutcome::Quiet => 0,
            WireOutcome::Refused => metrics.refused.inc(),
            WireOutcome::TimedOut => metrics.timed_out.inc(),
        };
        ConnectionEnd::InOrder
    }

    async fn converse(
        &mut self,
        mut stopping: Pin<&mut Fuse<impl Future<Output = ()>>>,
    ) -> Result<(), Failed> {
        loop {
            let mut known = None;
            if let Some(bytes) = self.wire.unchecked() {
                // `stop` changes only once, and looking whether it has changed takes no lock.
                let last = self.stop.has_changed().unwrap_or_else(|_| *self.stop.borrow());
                let mut answer = Vec::new();
                let service = &self.listener.service;
                let express = match service.express_at_once(self.peer, bytes, last, &mut answer) {
                    Some(express) => express,
                    // Boxed, as below.
                    None => Box::pin(service.express(self.peer, bytes, last, &mut answer)).await,
                };
                match express {
                    Express::Answered { length, last } => {
                        self.wire.take(length);
                        self.wire.write_all(&answer).await?;
                        if last {
                            return Ok(());
                        }
                        continue;
                    }
                    Express::HandedOn(found) => known = Some(found),
                    Express::NotMine => {}
                }
            }
            let goes_on = match self.wire.frame() {
                // Boxed: most connections are idle and need no room for it.
                Some(frame) => Box::pin(self.answer_with_hyper(frame, known, stopping.as_mut())).await?,
                None => self.more(stopping.as_mut()).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Waits for more bytes. Returns false when none will come, or when it is time to stop.
    async fn more(&mut self, mut stopping: Pin<&mut Fuse<impl Future<Output = ()>>>) -> Result<bool, Failed> {
        if stopping.is_terminated() {
            return Ok(false);
        }
        poll_fn(|cx| {
            // Bytes first: a request that is already there when the stop comes is still answered.
            let read = self.wire.poll_more(cx);
            if read.is_ready() {
                return read.map_err(Failed::from);
            }
            let presence = self.wire.presence();
            if presence.is_asked_to_close() {
                return Poll::Ready(Ok(false));
            }
            // A task that is already registered need not register again.
            let is_running = !self.stop.has_changed().unwrap_or(true);
            if is_running && self.waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            // Without budget a poll returns `Pending` and registers no waker.
            self.waiting = has_budget_remaining().then(|| cx.waker().clone());
            if presence.poll_asked_to_close(cx).is_ready() {
                return Poll::Ready(Ok(false));
            }
            stopping.as_mut().poll(cx).map(|()| Ok(false))
        })
        .await
    }

    /// Has hyper read a message and write the service's answer. Returns false when the connection ends with it.
    async fn answer_with_hyper(
        &mut self,
        frame: Frame,
        known: Option<S::Known>,
        mut stopping: Pin<&mut Fuse<impl Future<Output = ()>>>,
    ) -> Result<bool, Failed> {
        let Self { listener, peer, wire, stop, .. } = self;
        let (listener, peer, stop) = (&*listener, *peer, &*stop);
        wire.presence().set_busy();
        let message = MessageStream::new(wire, frame);
        let (marks, known) = (message.marks(), Cell::new(known));
        let answer = service_fn(move |request: hyper::Request<_>| {
            marks.set_seen();
            let marks = marks.clone();
            // The parser here does not know where the chunks end, so no request may follow them on this connection.
            let last = request.headers().contains_key(TRANSFER_ENCODING);
            // A request that changes something is finished even if its client is gone.
            let reads = [Method::GET, Method::HEAD].contains(request.method());
            let client = reads.then(|| marks.clone());
            let request = request.map(|incoming| MessageBody::new(incoming, marks.clone()));
            let answer = listener.service.answer(peer, request, known.take());
            async move {
                let mut response = unless_gone(client, answer).await?;
                if last || *stop.borrow() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, ClientGone>(response.map(|body| Paced::new(body, marks)))
            }
        });
        let mut connection = listener.http.serve_connection(message, answer);
        loop {
            tokio::select! {
                biased;
                result = &mut connection => break result?,
                () = &mut stopping, if !stopping.is_terminated() => Pin::new(&mut connection).graceful_shutdown(),
            }
        }
        let goes_on = connection.into_parts().io.goes_on();
        wire.release();
        Ok(goes_on)
    }
}
