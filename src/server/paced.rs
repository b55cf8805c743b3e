//! Sends large answers in slices: hyper gets the next slice when the one before has gone out. hyper copies what it
//! gets, so without slices a client that reads slowly would make it keep the whole answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::memory::SMALL;
use super::wire::MessageMarks;

/// The size of a slice in bytes.
const SLICE: usize = SMALL;

/// A body that is sent in slices, unless it is small.
pub(super) struct Paced<B> {
    body: B,
    marks: Option<MessageMarks>,
    /// The part of the current frame that has not been sent.
    rest: Bytes,
}

impl<B: Body> Paced<B> {
    /// Wraps the answer to the message that `marks` belong to.
    pub(super) fn new(body: B, marks: MessageMarks) -> Self {
        let is_small = body.size_hint().exact().is_some_and(|size| size <= SLICE as u64);
        Self { body, marks: (!is_small).then_some(marks), rest: Bytes::new() }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Self { body, marks, rest } = &mut *self;
        let Some(marks) = marks else { return Pin::new(body).poll_frame(cx) };
        ready!(marks.poll_flushed(cx));
        if rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let slice = rest.split_to(rest.len().min(SLICE));
        marks.hand_over(slice.len());
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}
