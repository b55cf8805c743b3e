//! The body of a request as the service reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::wire::MessageMarks;

/// The body of a request. Its size hint knows of a chunk as soon as the chunk is announced, so that one that is too
/// large can be refused before it arrives.
#[derive(Debug)]
pub struct MessageBody {
    incoming: Incoming,
    marks: MessageMarks,
    /// How many bytes the service has.
    read: u64,
}

impl MessageBody {
    pub(super) fn new(incoming: Incoming, marks: MessageMarks) -> Self {
        Self { incoming, marks, read: 0 }
    }
}

impl Body for MessageBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            self.read = self.read.saturating_add(data.map_or(0, |data| data.len() as u64));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.incoming.size_hint();
        let announced = self.marks.announced().saturating_sub(self.read);
        if hint.upper().is_none() && announced > hint.lower() {
            hint.set_lower(announced);
        }
        hint
    }
}
