//! The socket of one connection. It frames and checks what arrives before any parser reads it, and it drops a peer that
//! stalls.
//!
//! Bytes are passed on one message at a time, a head only when all of it has been read and found good. A message is
//! answered with ready bytes ([`Wire::write_all`]), or given to hyper as a [`MessageStream`], where the input ends
//! behind the message. So hyper never holds part of a bad head, nor anything of the next message. A refusal is the last
//! answer of a connection; [`Wire::finish`] sends it. The wire reads no path and looks into no body.

mod alarm;
mod chunks;
mod head;
mod message_stream;
mod presence;
mod refusal;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

use alarm::Alarm;
pub(super) use head::Frame;
use head::HeadScan;
#[cfg(test)]
pub(crate) use head::admitted;
pub(crate) use head::{MAX_HEADER_LINE, MAX_HEADERS, first_control};
pub(super) use message_stream::{MessageMarks, MessageStream};
pub(super) use presence::Presence;
pub(super) use refusal::MessageRefusal;

use super::memory::{MemoryBudget, MemoryShare};
use super::refused_message::RefusalAnswer;

/// How much is read at once, on the stack. A head rarely has a tenth of it.
const READ_BYTES: usize = 8192;
/// How much of a refused message the service sees: the request line, as far as its path.
const START_BYTES: usize = 256;
/// How long, and for how many bytes, a closing connection goes on reading. Without that, bytes that the client is still
/// sending would turn the last answer into a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// The bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireLimits {
    /// Longest request head in bytes, its empty line included.
    pub max_head_bytes: usize,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last; the first one from the connection's beginning.
    pub head_timeout: Duration,
    /// How long a body may take in all, while the service wants to read it.
    pub body_timeout: Duration,
    /// How long a peer may go without taking any byte of an answer.
    pub write_timeout: Duration,
}

/// How a connection ended, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireOutcome {
    /// Closed by the client, after its last request, or for having been idle.
    Quiet,
    /// The wire refused a message.
    Refused,
    /// A head, a body or an answer took too long.
    TimedOut,
}

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The first head of the connection, whether it has begun or not.
    First,
    Idle,
    Head,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The peer has closed its sending side.
    Over,
    /// The wire reads no further.
    Closed,
}

/// A socket with its framing, its refusals and its deadlines.
#[derive(Debug)]
pub(super) struct Wire<T> {
    io: T,
    limits: WireLimits,
    /// Bytes that were read and not passed on: the start of a head, or messages after the current one. Mostly empty.
    held: BytesMut,
    head: HeadScan,
    /// Whether the first head is still to come.
    is_new: bool,
    /// What the gate sees of the connection.
    presence: Arc<Presence>,
    memory: MemoryBudget,
    /// The memory that a large head uses.
    share: Option<MemoryShare>,
    /// What the current read waits for, and until when.
    waiting: Option<(Wait, Option<Instant>)>,
    /// Since a write found no room: when to give up.
    stalled: Option<Option<Instant>>,
    alarm: Alarm,
    refusal: Option<MessageRefusal>,
    /// The first bytes of the refused message.
    refused: Box<[u8]>,
    timed_out: bool,
    input: Input,
    /// Nothing can be sent any longer.
    broken: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Wraps a fresh connection.
    pub(super) fn new(io: T, limits: WireLimits, presence: Arc<Presence>, memory: MemoryBudget) -> Self {
        Self {
            io,
            limits,
            held: BytesMut::new(),
            head: HeadScan::default(),
            is_new: true,
            presence,
            memory,
            share: None,
            waiting: None,
            stalled: None,
            alarm: Alarm::default(),
            refusal: None,
            refused: Box::default(),
            timed_out: false,
            input: Input::Open,
            broken: false,
        }
    }

    /// Reads on between messages. Returns false when nothing more will come, or when the wait is over.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let wait = match self.held.is_empty() {
            _ if self.is_new => Wait::First,
            true => Wait::Idle,
            false => Wait::Head,
        };
        ready!(self.poll_read(cx, wait))?;
        Poll::Ready(Ok(self.input == Input::Open))
    }

    /// What the gate sees of the connection.
    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Gives back the memory of the head of the message that hyper has answered.
    pub(super) fn release(&mut self) {
        self.share = None;
    }

    /// The unchecked bytes that may begin with a whole head; `None` when the head cannot be whole. At most as many as a
    /// head may have.
    pub(super) fn unchecked(&self) -> Option<&[u8]> {
        let bytes = self.held.get(..self.limits.max_head_bytes).unwrap_or(&self.held);
        // A head that arrives in pieces is not shown again with each piece.
        let worth_it = !bytes.is_empty() && (self.head.is_new() || bytes.ends_with(b"\r\n\r\n"));
        worth_it.then_some(bytes)
    }

    /// Returns the next message once its head is whole and good. A bad head is refused, which ends the input.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let framed = self.head.scan(&self.held, self.limits.max_head_bytes);
        let frame = framed.unwrap_or_else(|refusal| {
            self.refuse(refusal);
            None
        })?;
        // The parser knows no later version than 1.1.
        if let Some(minor) = frame.later_minor.and_then(|at| self.held.get_mut(at)) {
            *minor = b'1';
        }
        Some(frame)
    }

    /// Removes a message without a body, of `length` bytes, that is being answered.
    pub(super) fn take(&mut self, length: usize) {
        self.consume(length);
        self.between_messages();
    }

    /// Sends a whole answer.
    pub(super) async fn write_all(&mut self, answer: &[u8]) -> io::Result<()> {
        let mut rest = answer;
        poll_fn(|cx| {
            while !rest.is_empty() {
                let written = Pin::new(&mut self.io).poll_write(cx, rest);
                match ready!(self.poll_output(cx, written))? {
                    0 => return Poll::Ready(Err(self.broken(io::ErrorKind::WriteZero.into()))),
                    written => rest = rest.get(written..).unwrap_or_default(),
                }
            }
            let flushed = Pin::new(&mut self.io).poll_flush(cx);
            self.poll_output(cx, flushed)
        })
        .await
    }

    /// The refusal that [`Wire::finish`] sends, if there is one, and how its message begins, which never was a request.
    pub(super) fn refusal(&self) -> Option<(MessageRefusal, &[u8])> {
        Some((self.refusal?, &self.refused))
    }

    /// Sends the refusal, if there is one, and closes. The answer has what the service `added` to it.
    pub(super) async fn finish(mut self, added: RefusalAnswer) -> WireOutcome {
        if !self.broken {
            let answer = self.refusal.map(|refusal| refusal.answer(added));
            let closed = timeout(self.limits.write_timeout, self.close(answer)).await;
            if matches!(closed, Ok(Ok(()))) && self.should_linger() {
                // What this reads is thrown away, and the connection ends however the read ends.
                let _ =
                    timeout(LINGER, tokio::io::copy(&mut self.io.take(LINGER_BYTES), &mut tokio::io::sink()))
                        .await;
            }
        }
        match self.refusal {
            _ if self.timed_out => WireOutcome::TimedOut,
            Some(_) => WireOutcome::Refused,
            None => WireOutcome::Quiet,
        }
    }

    async fn close(&mut self, answer: Option<String>) -> io::Result<()> {
        if let Some(answer) = answer {
            self.io.write_all(answer.as_bytes()).await?;
        }
        self.io.shutdown().await
    }

    /// Whether bytes may still arrive. An idle peer has none under way, and one that has closed sends none.
    fn should_linger(&self) -> bool {
        let is_idle = matches!(self.waiting, Some((Wait::First | Wait::Idle, _))) && self.held.is_empty();
        self.input != Input::Over && !is_idle
    }

    /// Reads into `held`. Ready without new bytes means that the input is no longer open.
    fn poll_read(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<io::Result<()>> {
        if self.input != Input::Open {
            return Poll::Ready(Ok(()));
        }
        let read = self.poll_input(cx);
        if read.is_pending() {
            return self.poll_waiting(cx, wait);
        }
        if self.held.len() > READ_BYTES && wait != Wait::Body {
            self.book_head();
        }
        read
    }

    /// Reads into `held` without a time limit.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut fresh = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.io).poll_read(cx, &mut fresh) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(error))),
            Poll::Ready(Ok(())) if fresh.filled().is_empty() => self.input = Input::Over,
            Poll::Ready(Ok(())) => self.held.extend_from_slice(fresh.filled()),
        }
        Poll::Ready(Ok(()))
    }

    /// Counts a head that is larger than usual against the budget, twice: the parser has a copy of it.
    fn book_head(&mut self) {
        let share = self.share.get_or_insert_with(|| self.memory.share_for_head());
        if !share.grow_to(self.held.len().saturating_mul(2)) {
            self.refuse(MessageRefusal::Overloaded);
        }
    }

    /// Drops the first `length` of the held bytes.
    fn consume(&mut self, length: usize) {
        self.held.advance(length.min(self.held.len()));
        if self.held.is_empty() {
            // Frees the memory: most connections are idle most of the time.
            self.held = BytesMut::new();
        }
    }

    fn between_messages(&mut self) {
        self.head = HeadScan::default();
        self.is_new = false;
        self.waiting = None;
    }

    /// Stops reading. [`Wire::finish`] sends the reason.
    fn refuse(&mut self, refusal: MessageRefusal) {
        let start = self.held.get(..START_BYTES).unwrap_or(&self.held).into();
        self.refuse_begun(refusal, start);
    }

    /// Does the same for a message that has been passed on, and began like this.
    fn refuse_begun(&mut self, refusal: MessageRefusal, start: Box<[u8]>) {
        (self.refusal, self.refused) = (Some(refusal), start);
        self.timed_out |= refusal == MessageRefusal::TimedOut;
        self.input = Input::Closed;
    }

    fn broken(&mut self, error: io::Error) -> io::Error {
        self.broken = true;
        error
    }

    /// Waits for bytes until the time limit of what is being read.
    fn poll_waiting(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<io::Result<()>> {
        let period = match wait {
            Wait::Idle => self.limits.idle_timeout,
            Wait::First | Wait::Head => self.limits.head_timeout,
            Wait::Body => self.limits.body_timeout,
        };
        let deadline = match self.waiting {
            Some((known, deadline)) if known == wait => deadline,
            _ => {
                let now = Instant::now();
                let deadline = now.checked_add(period);
                self.waiting = Some((wait, deadline));
                if wait != Wait::Body {
                    self.presence.set_idle_since(now);
                }
                if self.alarm.is_set(cx, now, deadline) {
                    return Poll::Pending;
                }
                deadline
            }
        };
        ready!(alarm::until(&mut self.alarm, cx, deadline));
        match wait {
            Wait::Idle => self.input = Input::Closed,
            Wait::First if self.held.is_empty() => self.input = Input::Closed,
            Wait::First | Wait::Head => self.refuse(MessageRefusal::TimedOut),
            Wait::Body => {
                self.timed_out = true;
                self.input = Input::Closed;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Notes the outcome of a write or a flush. One that waits too long is an error.
    fn poll_output<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        match outcome {
            Poll::Ready(Ok(done)) => {
                self.stalled = None;
                Poll::Ready(Ok(done))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.broken(error))),
            Poll::Pending => {
                let period = self.limits.write_timeout;
                let deadline = *self.stalled.get_or_insert_with(|| alarm::from_now(period));
                ready!(alarm::until(&mut self.alarm, cx, deadline));
                self.timed_out = true;
                Poll::Ready(Err(self.broken(io::ErrorKind::TimedOut.into())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
