//! The socket as hyper sees it: what comes in is framed and checked before hyper reads it, what hyper
//! says on its own goes out in our words, and a peer that stalls is let go.
//!
//! Bytes are handed to hyper one message at a time, a head only when all of it has been read and found
//! good. So hyper never holds part of a bad head: a refusal looks to it like the end of input between two
//! requests, it sends every answer it owes, and [`Wire::finish`] then writes the refusal as the last bytes.
//! Nothing in here may know paths, users or handlers, or look into a body.
//!
//! hyper must be built with `half_close(true)`: then it reads only when it wants a head or a body, never
//! while a handler runs, and a read that waits tells for certain what is being waited for.

mod alarm;
mod head;
mod refusal;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

use alarm::Alarm;
use head::{Body, Frame, HeadScan};
use refusal::Refusal;

/// How much is read at once, on the stack. A head rarely has a tenth of it.
const READ_BYTES: usize = 8192;
/// How long, and for how many bytes, a closing connection listens on, so that what the client is still
/// sending does not turn our last answer into a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// The bounds that one connection is held to.
#[derive(Clone, Copy, Debug)]
pub struct WireLimits {
    /// Longest request head in bytes, its empty line included.
    pub max_head_bytes: usize,
    /// How long a connection may stand open between two requests, or before the first.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a body may take in all, while somebody wants to read it.
    pub body_timeout: Duration,
    /// How long a peer may take nothing of an answer.
    pub write_timeout: Duration,
}

/// How a connection ended, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Closed by the client, after its last request, or for having been idle.
    Quiet,
    /// A message was refused here.
    Refused,
    /// A head, a body or an answer took too long.
    TimedOut,
}

/// How many requests of the connection have reached the service. What hyper writes before a head that was
/// let in has got there is hyper's own complaint about that head.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<AtomicU64>);

impl Seen {
    /// To be called once for each request, before anything else is done with it.
    pub fn mark(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where in the stream of messages the next byte for hyper stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// At the start of a head that is not known to be good.
    Head,
    /// So many bytes before the next head.
    Message(u64),
    /// After a chunked head. The server answers it with `Connection: close`, so hyper parses no further one.
    Unframed,
}

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Idle,
    Head,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The peer has said its last.
    Over,
    /// We read no further.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Open,
    /// What hyper still writes is dropped: a refusal stands in its place.
    Muted,
    Broken,
}

/// A socket with its framing, its refusals and its deadlines.
#[derive(Debug)]
pub struct Wire<T> {
    io: T,
    limits: WireLimits,
    /// Read, but not handed on: the start of a head, or messages after the current one. Mostly empty.
    held: BytesMut,
    head: HeadScan,
    framing: Framing,
    /// Heads let in so far.
    admitted: u64,
    seen: Seen,
    /// What the current read waits for, and until when.
    waiting: Option<(Wait, Option<Instant>)>,
    /// Since a write found no room: when to give up.
    stalled: Option<Option<Instant>>,
    alarm: Alarm,
    answer_begun: bool,
    refusal: Option<Refusal>,
    timed_out: bool,
    input: Input,
    output: Output,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Wraps a fresh connection.
    pub fn new(io: T, limits: WireLimits) -> Self {
        Self {
            io,
            limits,
            held: BytesMut::new(),
            head: HeadScan::default(),
            framing: Framing::Head,
            admitted: 0,
            seen: Seen::default(),
            waiting: None,
            stalled: None,
            alarm: Alarm::default(),
            answer_begun: false,
            refusal: None,
            timed_out: false,
            input: Input::Open,
            output: Output::Open,
        }
    }

    /// The counter that the service must mark at each request.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Says the last word and closes. To be called when hyper is done, whatever its result was.
    pub async fn finish(mut self) -> Ending {
        if self.output != Output::Broken {
            let closed = timeout(self.limits.write_timeout, self.say_goodbye()).await;
            if matches!(closed, Ok(Ok(()))) && self.should_linger() {
                // Nobody is waiting for what this reads: however it ends, the connection does.
                let _ =
                    timeout(LINGER, tokio::io::copy(&mut self.io.take(LINGER_BYTES), &mut tokio::io::sink()))
                        .await;
            }
        }
        match self.refusal {
            _ if self.timed_out => Ending::TimedOut,
            Some(_) => Ending::Refused,
            None => Ending::Quiet,
        }
    }

    async fn say_goodbye(&mut self) -> io::Result<()> {
        if let Some(refusal) = self.refusal {
            self.io.write_all(refusal.answer().as_bytes()).await?;
        }
        self.io.shutdown().await
    }

    /// An idle peer has nothing under way, in neither direction; one that has closed sends nothing more.
    fn should_linger(&self) -> bool {
        self.input != Input::Over && !matches!(self.waiting, Some((Wait::Idle, _)))
    }

    fn poll_input(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.input != Input::Open || self.hand_on_held(buf) {
                return Poll::Ready(Ok(()));
            }
            if self.input != Input::Open {
                continue;
            }
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut fresh = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.io).poll_read(cx, &mut fresh) {
                Poll::Pending => return self.poll_waiting(cx),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(error))),
                Poll::Ready(Ok(())) if fresh.filled().is_empty() => self.input = Input::Over,
                Poll::Ready(Ok(())) if self.take_in(fresh.filled(), buf) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// Hands on what it can of the bytes kept from earlier reads; true when there was some.
    fn hand_on_held(&mut self, buf: &mut ReadBufCursor<'_>) -> bool {
        if self.held.is_empty() {
            return false;
        }
        let mut held = std::mem::take(&mut self.held);
        let used = self.hand_on(&held, buf);
        held.advance(used);
        if !held.is_empty() {
            // Otherwise the memory goes back: most connections are idle most of the time.
            self.held = held;
        }
        used > 0
    }

    /// Takes fresh bytes: a message that is whole goes straight on, the rest is kept.
    fn take_in(&mut self, fresh: &[u8], buf: &mut ReadBufCursor<'_>) -> bool {
        let used = if self.held.is_empty() { self.hand_on(fresh, buf) } else { 0 };
        self.held.extend_from_slice(fresh.get(used..).unwrap_or_default());
        used > 0
    }

    /// Copies what hyper may have of `bytes`, at most to the end of the current message.
    fn hand_on(&mut self, bytes: &[u8], buf: &mut ReadBufCursor<'_>) -> usize {
        if self.framing == Framing::Head {
            match self.head.scan(bytes, self.limits.max_head_bytes) {
                Ok(None) => return 0,
                Ok(Some(frame)) => self.admit(frame),
                Err(refusal) => {
                    self.refuse(refusal);
                    return 0;
                }
            }
        }
        let room = bytes.len().min(buf.remaining());
        let part = match self.framing {
            Framing::Message(left) => room.min(usize::try_from(left).unwrap_or(usize::MAX)),
            Framing::Head | Framing::Unframed => room,
        };
        buf.put_slice(bytes.get(..part).unwrap_or_default());
        self.advance(part);
        part
    }

    fn admit(&mut self, frame: Frame) {
        self.head = HeadScan::default();
        self.framing = match frame.body {
            Body::Sized(length) => Framing::Message(length.saturating_add(frame.head as u64)),
            Body::Chunked => Framing::Unframed,
        };
        self.admitted += 1;
        self.answer_begun = false;
        self.waiting = None;
    }

    fn advance(&mut self, part: usize) {
        if let Framing::Message(left) = &mut self.framing {
            *left = left.saturating_sub(part as u64);
            if *left == 0 {
                self.framing = Framing::Head;
                self.waiting = None;
            }
        }
    }

    /// From here on hyper sees the end of input; [`Wire::finish`] tells the client why.
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        self.timed_out |= refusal == Refusal::TimedOut;
        self.input = Input::Closed;
    }

    fn broken(&mut self, error: io::Error) -> io::Error {
        self.output = Output::Broken;
        error
    }

    /// Nothing came in: waits, for as long as what is being waited for may take.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (wait, period) = match self.framing {
            Framing::Head if self.held.is_empty() => (Wait::Idle, self.limits.idle_timeout),
            Framing::Head => (Wait::Head, self.limits.head_timeout),
            Framing::Message(_) | Framing::Unframed => (Wait::Body, self.limits.body_timeout),
        };
        let deadline = match self.waiting {
            Some((known, deadline)) if known == wait => deadline,
            _ => self.waiting.insert((wait, alarm::from_now(period))).1,
        };
        ready!(alarm::until(&mut self.alarm, cx, deadline));
        Poll::Ready(self.give_up(wait))
    }

    fn give_up(&mut self, wait: Wait) -> io::Result<()> {
        match wait {
            Wait::Idle => self.input = Input::Closed,
            Wait::Head => self.refuse(Refusal::TimedOut),
            Wait::Body => {
                self.timed_out = true;
                self.input = Input::Closed;
                if !self.answer_begun {
                    // The handler will answer that its body broke off; the client is told the reason instead.
                    self.refuse(Refusal::TimedOut);
                    self.output = Output::Muted;
                }
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// What of hyper's bytes goes out: all, what stands before its own error answer, or none.
    fn screen<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.output == Output::Muted {
            return None;
        }
        if self.admitted == self.seen.count() {
            return Some(bytes);
        }
        match refusal::bare_answer(bytes) {
            None => Some(bytes),
            Some((0, refusal)) => {
                self.refuse(refusal);
                self.output = Output::Muted;
                None
            }
            Some((start, _)) => bytes.get(..start),
        }
    }

    /// Books how a write or a flush went; one that waits too long is an error.
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

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Read for Wire<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_input(cx, &mut buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> hyper::rt::Write for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let Some(screened) = wire.screen(bytes) else { return Poll::Ready(Ok(bytes.len())) };
        if !wire.answer_begun && !screened.starts_with(b"HTTP/1.1 100 ") {
            wire.answer_begun = true;
        }
        let outcome = Pin::new(&mut wire.io).poll_write(cx, screened);
        wire.poll_output(cx, outcome)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let outcome = Pin::new(&mut wire.io).poll_flush(cx);
        wire.poll_output(cx, outcome)
    }

    /// Only flushes: hyper calls it on some of its ways out, [`Wire::finish`] is called on all of them.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests;
