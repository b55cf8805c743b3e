//! One message of a connection as hyper sees it: its bytes, then the end of the input.
//!
//! hyper sends the whole answer and ends when it finds that end, or ends by itself when the connection is to close. An
//! answer of hyper's own, about a head that it cannot parse, is replaced by a refusal of ours.
//!
//! hyper must be built with `half_close(true)`: then it reads only when it wants a head or a body, never while a
//! handler runs. So the state of the message says for certain what a pending read waits for, and a read behind the
//! message says that hyper has finished with it. Whether the client is still there meanwhile is checked when hyper
//! flushes, which it does whenever it is polled.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite};

use super::chunks::ChunkScan;
use super::head::{BodyLength, Frame};
use super::refusal;
use super::{Input, READ_BYTES, START_BYTES, Wait, Wire};

/// The state that a message's service, its answer and the wire share.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct MessageMarks(Arc<MessageState>);

#[derive(Debug, Default)]
struct MessageState {
    /// The message has reached the service. What hyper writes before that is its own answer to a bad head.
    seen: AtomicBool,
    /// The client has closed its side since.
    closed: AtomicBool,
    /// A slice of the answer was given to hyper and has not gone out.
    under_way: AtomicBool,
    waiting: AtomicWaker,
    /// The length of the body as far as its chunks have announced it.
    announced: AtomicU64,
}

impl MessageMarks {
    /// Notes that the service has the message. Called before anything else is done with the request.
    pub(in crate::server) fn set_seen(&self) {
        self.0.seen.store(true, Ordering::Relaxed);
    }

    /// Whether the client has closed its sending side, or the whole connection: the two look the same.
    pub(in crate::server) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    /// How many bytes of a chunked body have been announced so far, whether they have arrived or not.
    pub(in crate::server) fn announced(&self) -> u64 {
        self.0.announced.load(Ordering::Relaxed)
    }

    fn announce(&self, bytes: u64, cx: &Context<'_>) {
        if self.0.announced.swap(bytes, Ordering::Relaxed) != bytes {
            // The same task polls the body that checks this mark.
            cx.waker().wake_by_ref();
        }
    }

    fn close(&self, cx: &Context<'_>) {
        if !self.0.closed.swap(true, Ordering::Relaxed) {
            // The same task polls the answer that checks this mark.
            cx.waker().wake_by_ref();
        }
    }

    /// Notes that this many bytes of the answer were given to hyper.
    pub(in crate::server) fn hand_over(&self, bytes: usize) {
        self.0.under_way.store(bytes > 0, Ordering::Relaxed);
    }

    /// Waits until everything that was given to hyper has gone out.
    pub(in crate::server) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.under_way.load(Ordering::Relaxed) {
            self.0.waiting.register(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Notes that everything has gone out. The wire and the answer belong to one task, so nothing happens in between.
    fn flushed(&self) {
        if self.0.under_way.load(Ordering::Relaxed) {
            self.0.under_way.store(false, Ordering::Relaxed);
            self.0.waiting.wake();
        }
    }
}

/// How much hyper gets at once, in bytes. After a read that fills its first 8 KiB it would take twice as much room for
/// the next.
const PART: usize = READ_BYTES - 1;

/// The part of the message that hyper has not read.
#[derive(Debug)]
enum Unread {
    Bytes(u64),
    /// Not counted: this much of the head, then chunks. The server answers with `Connection: close`, so hyper wants no
    /// further message.
    Chunks(usize, ChunkScan),
}

impl Unread {
    fn is_over(&self) -> bool {
        matches!(self, Self::Bytes(0))
    }
}

/// The connection for the time of one message.
#[derive(Debug)]
pub(in crate::server) struct MessageStream<'a, T> {
    wire: &'a mut Wire<T>,
    unread: Unread,
    marks: MessageMarks,
    answer_begun: bool,
    /// What hyper still writes is dropped, because a refusal takes its place.
    muted: bool,
    /// hyper wants another message.
    wants_next: bool,
    /// How the message begins.
    start: [u8; START_BYTES],
}

impl<'a, T: AsyncRead + AsyncWrite + Unpin> MessageStream<'a, T> {
    /// Opens the message that [`Wire::frame`] has found.
    pub(in crate::server) fn new(wire: &'a mut Wire<T>, frame: Frame) -> Self {
        wire.between_messages();
        let mut start = [0; START_BYTES];
        start.iter_mut().zip(&wire.held).for_each(|(kept, byte)| *kept = *byte);
        let unread = match frame.body {
            BodyLength::Sized(length) => Unread::Bytes(length.saturating_add(frame.head as u64)),
            BodyLength::Chunked => Unread::Chunks(frame.head, ChunkScan::default()),
        };
        Self {
            wire,
            unread,
            marks: MessageMarks::default(),
            answer_begun: false,
            muted: false,
            wants_next: false,
            start,
        }
    }

    /// The marks of the message.
    pub(in crate::server) fn marks(&self) -> MessageMarks {
        self.marks.clone()
    }

    /// Whether the connection goes on with the next message, once hyper has ended in order.
    pub(in crate::server) fn goes_on(&self) -> bool {
        self.wants_next && self.wire.input == Input::Open
    }

    fn poll_message(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_over() {
            self.wants_next = true;
            return Poll::Ready(Ok(()));
        }
        if self.wire.held.is_empty() {
            let open = self.wire.input == Input::Open;
            ready!(self.wire.poll_read(cx, Wait::Body))?;
            if open && self.wire.input == Input::Closed {
                // The service has the request and answers it. A refusal here would be a second answer to it.
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let room = self.wire.held.len().min(buf.remaining()).min(PART);
        let part = match self.unread {
            Unread::Bytes(left) => room.min(usize::try_from(left).unwrap_or(usize::MAX)),
            Unread::Chunks(..) => room,
        };
        let bytes = self.wire.held.get(..part).unwrap_or_default();
        buf.put_slice(bytes);
        match &mut self.unread {
            Unread::Bytes(left) => {
                *left = left.saturating_sub(part as u64);
                if *left == 0 {
                    self.wire.waiting = None;
                }
            }
            Unread::Chunks(head, chunks) => {
                chunks.scan(bytes.get(*head..).unwrap_or_default());
                *head = head.saturating_sub(part);
                self.marks.announce(chunks.announced(), cx);
            }
        }
        self.wire.consume(part);
        Poll::Ready(Ok(()))
    }

    /// Notices that the client closes its side while the service has the whole message and has not begun its answer.
    fn watch_client(&mut self, cx: &mut Context<'_>) {
        if self.answer_begun || self.wants_next || !self.unread.is_over() {
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

    /// Whether hyper's bytes go out. Before the service has seen the message they are hyper's own answer, which is
    /// replaced by ours.
    fn passes(&mut self, bytes: &[u8]) -> bool {
        if !self.muted
            && !self.marks.0.seen.load(Ordering::Relaxed)
            && let Some(refusal) = refusal::in_place_of(bytes)
        {
            self.wire.refuse_begun(refusal, self.start.as_slice().into());
            self.muted = true;
        }
        !self.muted
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Read for MessageStream<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_message(cx, &mut buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Write for MessageStream<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if !stream.passes(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        if !stream.answer_begun && !bytes.starts_with(b"HTTP/1.1 100 ") {
            stream.answer_begun = true;
        }
        let outcome = Pin::new(&mut stream.wire.io).poll_write(cx, bytes);
        stream.wire.poll_output(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        stream.watch_client(cx);
        let outcome = Pin::new(&mut stream.wire.io).poll_flush(cx);
        ready!(stream.wire.poll_output(cx, outcome))?;
        stream.marks.flushed();
        Poll::Ready(Ok(()))
    }

    /// Only flushes: [`Wire::finish`] closes the socket.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
