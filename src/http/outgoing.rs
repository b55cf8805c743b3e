//! Counts large answers against the budget of memory until they have gone out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::server::memory::{MemoryBudget, MemoryShare, SMALL};

/// Marks an answer whose bytes exist once for all its readers, and so cost nothing.
#[derive(Clone, Copy)]
pub(super) struct SharedBytes;

/// Gives the answer its share of the budget; `None` when there is no room for it.
pub(super) fn count(response: Response, memory: &MemoryBudget) -> Option<Response> {
    let size = response.body().size_hint().exact();
    let costs_little = size.is_some_and(|size| size <= SMALL as u64);
    if costs_little || response.extensions().get::<SharedBytes>().is_some() {
        return Some(response);
    }
    let mut share = memory.share();
    // Of a stream each piece is counted while it waits to be sent.
    let whole = usize::try_from(size.unwrap_or(0)).unwrap_or(usize::MAX);
    if !share.grow_to(whole) {
        return None;
    }
    let piecewise = size.is_none().then(|| memory.clone());
    Some(response.map(|body| Body::new(CountedBody { body, share: Some(share), piecewise })))
}

/// A body that goes out, with the memory that it uses.
struct CountedBody {
    body: Body,
    share: Option<MemoryShare>,
    /// For a stream: the budget that the share of each piece comes from.
    piecewise: Option<MemoryBudget>,
}

impl hyper::body::Body for CountedBody {
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

    fn memory(limit: usize) -> MemoryBudget {
        MemoryBudget::new(limit, Default::default(), Default::default())
    }

    #[test]
    fn a_large_answer_is_counted_until_it_is_gone() {
        let memory = memory(100_000);
        let of = |size: usize| Response::new(Body::from(vec![b'x'; size]));
        let small = count(of(SMALL), &memory).unwrap();
        assert_eq!(memory.used(), 0);
        let large = count(of(60_000), &memory).unwrap();
        assert_eq!((memory.used(), large.body().size_hint().exact()), (60_000, Some(60_000)));
        assert!(count(of(60_000), &memory).is_none());
        let mut shared = of(60_000);
        shared.extensions_mut().insert(SharedBytes);
        assert!(count(shared, &memory).is_some());
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
        let mut response = count(pieces([60_000, 70_000, 10]), &memory).unwrap();
        for used in [60_000, 70_000, 10] {
            response.body_mut().frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(memory.used(), used);
        }
        assert!(response.body_mut().frame().now_or_never().unwrap().is_none());
        assert_eq!(memory.used(), 0);
        // A piece that does not fit ends the answer early.
        let response = count(pieces([10, 80_000, 10]), &memory).unwrap();
        let frames = StreamExt::collect::<Vec<_>>(response.into_body().into_data_stream());
        let frames = frames.now_or_never().unwrap();
        assert!(frames[0].is_ok() && frames[1].is_err());
    }
}
