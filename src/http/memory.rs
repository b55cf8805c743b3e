//! One budget of bytes for everything that requests make the server hold: bodies and large heads that come in, large
//! answers that go out.
//!
//! What does not fit is refused with 503, so no number of slow clients can exhaust the machine's memory. Small bodies are
//! let in when large ones no longer are, and those when large heads no longer are: the few who send such things cannot
//! keep people from signing in.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// What is small: it may use the whole budget. Other bodies may use three quarters of it, and heads the half. An answer
/// of this size or less is not counted: its connection holds little more than without it.
pub(super) const SMALL: usize = 16 * 1024;

/// The budget; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    /// Bytes in use, for the metrics.
    gauge: Gauge,
    refused: Counter,
}

impl Memory {
    /// A budget of so many bytes.
    pub fn new(limit: usize, gauge: Gauge, refused: Counter) -> Self {
        Self(Arc::new(Inner { limit, used: AtomicUsize::new(0), gauge, refused }))
    }

    /// A share of nothing yet, for a body.
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), bytes: 0, is_head: false }
    }

    /// A share of nothing yet, for a head.
    pub fn share_for_head(&self) -> Share {
        Share { memory: self.clone(), bytes: 0, is_head: true }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    fn take(&self, more: usize, limit: usize) -> bool {
        let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= limit);
        let taken = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        match taken {
            true => _ = self.0.gauge.inc_by(signed(more)),
            false => _ = self.0.refused.inc(),
        }
        taken
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        self.0.gauge.dec_by(signed(bytes));
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Bytes of the budget that somebody uses; they return to it when this is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    bytes: usize,
    is_head: bool,
}

impl Share {
    /// How many they are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows the share to so many bytes in all, or says that there is no room for that.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes) else { return true };
        let quarter = self.memory.0.limit / 4;
        let limit = match bytes {
            _ if self.is_head => 2 * quarter,
            ..=SMALL => self.memory.0.limit,
            _ => 3 * quarter,
        };
        let grown = more == 0 || self.memory.take(more, limit);
        self.bytes = if grown { bytes } else { self.bytes };
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.give_back(self.bytes);
        }
    }
}

/// Marks an answer whose bytes exist once for all readers, and so cost nothing.
#[derive(Clone, Copy)]
pub(super) struct Shared;

/// The answer with its share of the budget; `None` when there is no room for it.
pub(super) fn hold(response: Response, memory: &Memory) -> Option<Response> {
    let size = response.body().size_hint().exact();
    let costs_little = size.is_some_and(|size| size <= SMALL as u64);
    if costs_little || response.extensions().get::<Shared>().is_some() {
        return Some(response);
    }
    let mut share = memory.share();
    // Of a stream each piece is counted while it waits to be sent.
    let whole = usize::try_from(size.unwrap_or(0)).unwrap_or(usize::MAX);
    if !share.grow_to(whole) {
        return None;
    }
    let piecewise = size.is_none().then(|| memory.clone());
    Some(response.map(|body| Body::new(Held { body, share: Some(share), piecewise })))
}

/// A body that goes out, with what it uses of the budget.
struct Held {
    body: Body,
    share: Option<Share>,
    /// Of a stream: where the share of each piece comes from.
    piecewise: Option<Memory>,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(memory) = self.piecewise.clone() else { return Pin::new(&mut self.body).poll_frame(cx) };
        // The piece before has been sent.
        self.share = None;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let size = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len));
        let mut share = memory.share();
        if !share.grow_to(size.unwrap_or(0)) {
            // A part of the answer is sent already: it must not look whole.
            return Poll::Ready(Some(Err(axum::Error::new("no memory is left for the rest"))));
        }
        self.share = Some(share);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    fn memory(limit: usize) -> Memory {
        Memory::new(limit, Gauge::default(), Counter::default())
    }

    #[test]
    fn what_is_used_returns() {
        let memory = memory(100_000);
        let (mut first, mut second) = (memory.share(), memory.share());
        assert!(first.grow_to(70_000) && first.grow_to(10) && first.grow_to(75_000));
        assert_eq!(memory.used(), 75_000);
        assert!(!second.grow_to(SMALL + 1), "large things may use three quarters");
        assert!(second.grow_to(SMALL), "small ones the rest, too");
        assert!(!memory.share_for_head().grow_to(1), "heads may use the half");
        assert!(!first.grow_to(76_000) && memory.used() == 75_000 + SMALL);
        drop((first, second));
        assert_eq!((memory.used(), memory.0.gauge.get(), memory.0.refused.get()), (0, 0, 3));
    }

    #[test]
    fn a_large_answer_is_counted_until_it_is_gone() {
        let memory = memory(100_000);
        let of = |size: usize| Response::new(Body::from(vec![b'x'; size]));
        let small = hold(of(SMALL), &memory).unwrap();
        assert_eq!(memory.used(), 0);
        let large = hold(of(60_000), &memory).unwrap();
        assert_eq!((memory.used(), large.body().size_hint().exact()), (60_000, Some(60_000)));
        assert!(hold(of(60_000), &memory).is_none());
        let mut shared = of(60_000);
        shared.extensions_mut().insert(Shared);
        assert!(hold(shared, &memory).is_some());
        drop((small, large));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn of_a_stream_one_piece_at_a_time_is_counted() {
        let memory = memory(100_000);
        let pieces = |sizes: [usize; 3]| {
            let pieces = sizes.map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size])));
            Response::new(Body::from_stream(stream::iter(pieces)))
        };
        let mut response = hold(pieces([60_000, 70_000, 10]), &memory).unwrap();
        for used in [60_000, 70_000, 10] {
            response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(memory.used(), used);
        }
        assert!(response.body_mut().frame().now_or_never().unwrap().is_none());
        assert_eq!(memory.used(), 0);
        // One that does not fit breaks the answer off.
        let response = hold(pieces([10, 80_000, 10]), &memory).unwrap();
        let told = StreamExt::collect::<Vec<_>>(response.into_body().into_data_stream());
        let told = told.now_or_never().unwrap();
        assert!(told[0].is_ok() && told[1].is_err());
    }
}
