//! One connection, message after message: each is answered with ready bytes if the service has them, and lent to
//! hyper otherwise.
//!
//! The first way is the *express lane*: what the service recognises before anything is parsed costs one `recv`,
//! one `send` and little between. hyper is made anew for each message that needs it and gone when that is
//! answered. So there is never a question whose turn it is to read or to write, answers come in the order of
//! their requests, and a connection that stands idle keeps nothing but its socket.

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

use super::super::wire::{Ending, Frame, Lent, Marks, Wire};
use super::paced::Paced;
use super::{Ended, Express, House, Peer, Service};

/// A connection with all it needs to be answered.
pub(super) struct Conversation<S, T> {
    pub(super) house: Arc<House<S>>,
    pub(super) peer: Peer,
    pub(super) wire: Wire<T>,
    /// Whether a stop has begun.
    pub(super) stop: watch::Receiver<bool>,
    /// Whom the news of a stop will wake.
    pub(super) waiting: Option<Waker>,
}

/// Resolves when a stop has begun and its grace is over.
pub(super) async fn told(mut stop: watch::Receiver<bool>, grace: Duration) {
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

type Failed = Box<dyn Error + Send + Sync>;

/// How much longer a read is worked on when its client has closed its side of the connection. One that has only
/// closed its sending side waits for the answer, but it looks like one that is gone.
const CLOSED_PATIENCE: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("the client went away before the answer was ready")]
struct Gone;

/// An answer, unless its client has gone away before it was ready: then nothing more is done for it.
async fn unless_gone<R>(client: Option<Marks>, answer: impl Future<Output = R>) -> Result<R, Gone> {
    let (mut answer, mut end) = (pin!(answer), None);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        if !client.as_ref().is_some_and(Marks::is_closed) {
            return Poll::Pending;
        }
        let end = end.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLOSED_PATIENCE)));
        end.as_mut().poll(cx).map(|()| Err(Gone))
    })
    .await
}

impl<S: Service, T: AsyncRead + AsyncWrite + Unpin + Send> Conversation<S, T> {
    /// Answers the requests of the connection until either side ends it.
    pub(super) async fn hold(mut self) -> Ended {
        let told = pin!(told(self.stop.clone(), self.house.grace()).fuse());
        if let Err(error) = self.converse(told).await {
            tracing::debug!(%error, address = %self.peer.address, "connection ended early");
        }
        if self.wire.presence().is_asked_to_leave() {
            // Somebody waits for the place: there is no time for a farewell.
            return Ended::InOrder;
        }
        let Self { house, peer, wire, .. } = self;
        let metrics = &house.metrics;
        match wire.finish(|| house.service.refusal_headers(peer.tls)).await {
            Ending::Quiet => 0,
            Ending::Refused => metrics.refused.inc(),
            Ending::TimedOut => metrics.timed_out.inc(),
        };
        Ended::InOrder
    }

    async fn converse(&mut self, mut told: Pin<&mut Fuse<impl Future<Output = ()>>>) -> Result<(), Failed> {
        loop {
            let mut known = None;
            if let Some(bytes) = self.wire.unchecked() {
                // There is only one piece of news; to ask whether there is any takes no lock.
                let last = self.stop.has_changed().unwrap_or_else(|_| *self.stop.borrow());
                let mut answer = Vec::new();
                let service = &self.house.service;
                let express = match service.express_at_once(self.peer, bytes, last, &mut answer) {
                    Some(express) => express,
                    // Boxed, as below.
                    None => Box::pin(service.express(self.peer, bytes, last, &mut answer)).await,
                };
                match express {
                    Express::Answered { length, last } => {
                        self.wire.take(length);
                        self.wire.say(&answer).await?;
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
                // Boxed: most connections are idle, and need no room for this then.
                Some(frame) => Box::pin(self.lend(frame, known, told.as_mut())).await?,
                None => self.more(told.as_mut()).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Waits for more bytes; false when none will come, or it is time to stop.
    async fn more(&mut self, mut told: Pin<&mut Fuse<impl Future<Output = ()>>>) -> Result<bool, Failed> {
        if told.is_terminated() {
            return Ok(false);
        }
        poll_fn(|cx| {
            // Bytes first: a request that is already there when the stop comes is still answered.
            let read = self.wire.poll_more(cx);
            if read.is_ready() {
                return read.map_err(Failed::from);
            }
            let presence = self.wire.presence();
            if presence.is_asked_to_leave() {
                return Poll::Ready(Ok(false));
            }
            // Whoever will be woken by the news need not ask for them each time.
            let no_news = !self.stop.has_changed().unwrap_or(true);
            if no_news && self.waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            // Without budget a poll comes back as if it had to wait, and nobody is woken by what it waits for.
            self.waiting = has_budget_remaining().then(|| cx.waker().clone());
            if presence.poll_asked(cx).is_ready() {
                return Poll::Ready(Ok(false));
            }
            told.as_mut().poll(cx).map(|()| Ok(false))
        })
        .await
    }

    /// Has hyper answer a message; false when the connection is to end with it.
    async fn lend(
        &mut self,
        frame: Frame,
        known: Option<S::Known>,
        mut told: Pin<&mut Fuse<impl Future<Output = ()>>>,
    ) -> Result<bool, Failed> {
        let Self { house, peer, wire, stop, .. } = self;
        let (house, peer, stop) = (&*house, *peer, &*stop);
        wire.presence().is_busy();
        let lent = Lent::new(wire, frame);
        let (marks, known) = (lent.marks(), Cell::new(known));
        let answer = service_fn(move |request: hyper::Request<_>| {
            marks.seen();
            let marks = marks.clone();
            // The wire cannot tell where chunks end, so no request may follow them on this connection.
            let last = request.headers().contains_key(TRANSFER_ENCODING);
            // What changes something is finished, whether or not anybody waits for the answer.
            let reads = [Method::GET, Method::HEAD].contains(request.method());
            let client = reads.then(|| marks.clone());
            let answer = house.service.answer(peer, request, known.take());
            async move {
                let mut response = unless_gone(client, answer).await?;
                if last || *stop.borrow() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Gone>(response.map(|body| Paced::new(body, marks)))
            }
        });
        let mut connection = house.http.serve_connection(lent, answer);
        loop {
            tokio::select! {
                biased;
                result = &mut connection => break result?,
                () = &mut told, if !told.is_terminated() => Pin::new(&mut connection).graceful_shutdown(),
            }
        }
        let goes_on = connection.into_parts().io.goes_on();
        wire.release();
        Ok(goes_on)
    }
}
