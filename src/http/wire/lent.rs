//! One message of a connection as hyper sees it: its bytes, then the end of the input.
//!
//! hyper sends the whole answer and ends when it finds that end, or ends by itself when the connection is to
//! close. What hyper says on its own, about a head that it cannot parse, goes out in our words.
//!
//! hyper must be built with `half_close(true)`: then it reads only when it wants a head or a body, never
//! while a handler runs. So a read that waits tells for certain what is being waited for, and a read behind the
//! message says that hyper is done with it. Whether the client is still there meanwhile is looked at here, when hyper
//! flushes, which it does whenever it is polled.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite};

use super::head::{Body, Frame};
use super::refusal::{self, Refusal};
use super::{Input, READ_BYTES, Wait, Wire};

/// What the message's service, its answer and the wire tell each other.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Marks(Arc<Marked>);

#[derive(Debug, Default)]
struct Marked {
    /// The message has reached the service. What hyper writes before is its own complaint about the head.
    seen: AtomicBool,
    /// The client has closed its side since.
    closed: AtomicBool,
    /// A slice of the answer was handed over and has not gone out.
    under_way: AtomicBool,
    waiting: AtomicWaker,
}

impl Marks {
    /// The message has arrived. To be said before anything else is done with the request.
    pub(in crate::http) fn seen(&self) {
        self.0.seen.store(true, Ordering::Relaxed);
    }

    /// Whether the client has closed its side, or all of the connection: it cannot be told which.
    pub(in crate::http) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    fn close(&self, cx: &Context<'_>) {
        if !self.0.closed.swap(true, Ordering::Relaxed) {
            // Whoever asks is polled by the same task.
            cx.waker().wake_by_ref();
        }
    }

    /// So many bytes of the answer were handed over.
    pub(in crate::http) fn hand_over(&self, bytes: usize) {
        self.0.under_way.store(bytes > 0, Ordering::Relaxed);
    }

    /// Waits until everything that was handed over has gone out.
    pub(in crate::http) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.under_way.load(Ordering::Relaxed) {
            self.0.waiting.register(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Everything has gone out. The wire and the answer belong to one task, so nothing happens in between.
    fn flushed(&self) {
        if self.0.under_way.load(Ordering::Relaxed) {
            self.0.under_way.store(false, Ordering::Relaxed);
            self.0.waiting.wake();
        }
    }
}

/// So much is handed to hyper at once, in bytes. After a read that fills its first 8 KiB it would take twice as much
/// room for the next.
const PART: usize = READ_BYTES - 1;

/// What of the message hyper has not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Bytes(u64),
    /// Nobody counts them. The server answers them with `Connection: close`, so hyper wants no further message.
    Chunks,
}

/// The connection, for the time of one message.
#[derive(Debug)]
pub(in crate::http) struct Lent<'a, T> {
    wire: &'a mut Wire<T>,
    left: Left,
    marks: Marks,
    answer_begun: bool,
    /// What hyper still writes is dropped: a refusal stands in its place.
    muted: bool,
    /// hyper wants another message.
    asked_on: bool,
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> Lent<'a, T> {
    /// Lends the message that [`Wire::frame`] has found.
    pub(in crate::http) fn new(wire: &'a mut Wire<T>, frame: Frame) -> Self {
        wire.between_messages();
        let left = match frame.body {
            Body::Sized(length) => Left::Bytes(length.saturating_add(frame.head as u64)),
            Body::Chunked => Left::Chunks,
        };
        Self { wire, left, marks: Marks::default(), answer_begun: false, muted: false, asked_on: false }
    }

    /// The marks of the message.
    pub(in crate::http) fn marks(&self) -> Marks {
        self.marks.clone()
    }

    /// Whether, once hyper has ended in order, the connection is to go on with the next message.
    pub(in crate::http) fn goes_on(&self) -> bool {
        self.asked_on && self.wire.input == Input::Open
    }

    fn poll_message(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.left == Left::Bytes(0) {
            self.asked_on = true;
            return Poll::Ready(Ok(()));
        }
        if self.wire.held.is_empty() {
            let open = self.wire.input == Input::Open;
            ready!(self.wire.poll_read(cx, Wait::Body))?;
            if open && self.wire.input == Input::Closed {
                return Poll::Ready(Err(self.too_slow()));
            }
        }
        let room = self.wire.held.len().min(buf.remaining()).min(PART);
        let part = match self.left {
            Left::Bytes(left) => room.min(usize::try_from(left).unwrap_or(usize::MAX)),
            Left::Chunks => room,
        };
        buf.put_slice(self.wire.held.get(..part).unwrap_or_default());
        self.wire.give_out(part);
        if let Left::Bytes(left) = &mut self.left {
            *left = left.saturating_sub(part as u64);
            if *left == 0 {
                self.wire.waiting = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Notices that the client closes its side while the service has the whole message and answers nothing yet.
    fn watch(&mut self, cx: &mut Context<'_>) {
        if self.answer_begun || self.asked_on || self.left != Left::Bytes(0) {
            return;
        }
        while self.wire.input == Input::Open && self.wire.held.len() < READ_BYTES {
            match self.wire.poll_input(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return self.marks.close(cx),
            }
        }
        if self.wire.input == Input::Over {
            self.marks.close(cx);
        }
    }

    /// The body did not come in time.
    fn too_slow(&mut self) -> io::Error {
        if !self.answer_begun {
            // The handler will answer that its body broke off; the client is told the reason instead.
            self.wire.refuse(Refusal::TimedOut);
            self.muted = true;
        }
        io::ErrorKind::TimedOut.into()
    }

    /// Whether hyper's bytes go out. Before the service has seen the message they are a complaint, which is put
    /// into our words.
    fn passes(&mut self, bytes: &[u8]) -> bool {
        if !self.muted
            && !self.marks.0.seen.load(Ordering::Relaxed)
            && let Some(refusal) = refusal::instead_of(bytes)
        {
            self.wire.refuse(refusal);
            self.muted = true;
        }
        !self.muted
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Read for Lent<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_message(cx, &mut buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Write for Lent<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let lent = self.get_mut();
        if !lent.passes(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        if !lent.answer_begun && !bytes.starts_with(b"HTTP/1.1 100 ") {
            lent.answer_begun = true;
        }
        let outcome = Pin::new(&mut lent.wire.io).poll_write(cx, bytes);
        lent.wire.poll_output(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lent = self.get_mut();
        lent.watch(cx);
        let outcome = Pin::new(&mut lent.wire.io).poll_flush(cx);
        ready!(lent.wire.poll_output(cx, outcome))?;
        lent.marks.flushed();
        Poll::Ready(Ok(()))
    }

    /// Only flushes: the socket is closed, if at all, by [`Wire::finish`].
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
