//! The clear-text part of a connection to a mail server that begins with STARTTLS (RFC 3207), and the stream after it.
//!
//! Everything that the server says before TLS is forgotten. If more than its answer has arrived, the connection ends: someone
//! in between may have added answers to commands that are sent later.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use super::message::SendError;

/// The most bytes of an answer in clear text.
const LONGEST_ANSWER: usize = 8 * 1024;

/// Asks a server to begin TLS. Afterwards the next byte of both sides belongs to the handshake.
pub(super) async fn ask_for_tls(mut tcp: TcpStream, hello: &ClientId) -> Result<TcpStream, SendError> {
    expect(&mut tcp, 220, "the greeting").await?;
    say(&mut tcp, &format!("EHLO {hello}\r\n")).await?;
    let offered = expect(&mut tcp, 250, "EHLO").await?;
    let offers_tls = offered
        .lines()
        .filter_map(|line| line.get(4..))
        .any(|name| name.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offers_tls {
        return Err(SendError::later(
            "the mail server does not offer STARTTLS, and nothing is sent in clear text: check smtp_security and smtp_port",
        ));
    }
    say(&mut tcp, "STARTTLS\r\n").await?;
    expect(&mut tcp, 220, "STARTTLS").await?;
    Ok(tcp)
}

async fn say(tcp: &mut TcpStream, line: &str) -> Result<(), SendError> {
    tcp.write_all(line.as_bytes())
        .await
        .map_err(|_| SendError::later("the connection to the mail server broke"))
}

/// Reads an answer of one or more lines, and nothing after it.
async fn expect(tcp: &mut TcpStream, code: u16, what: &str) -> Result<String, SendError> {
    let broken = || SendError::later(format!("the connection to the mail server broke at {what}"));
    let mut answer = Vec::new();
    let mut part = [0; 512];
    while !is_whole(&answer) {
        let read = tcp.read(&mut part).await.map_err(|_| broken())?;
        answer.extend_from_slice(part.get(..read).unwrap_or_default());
        if read == 0 || answer.len() > LONGEST_ANSWER {
            return Err(broken());
        }
    }
    let text = String::from_utf8(answer).map_err(|_| broken())?;
    let last = text.lines().next_back().unwrap_or_default();
    let lines = text.lines().count();
    let all_but_last = text.lines().take(lines.saturating_sub(1));
    // A final line that is followed by another one does not belong to the answer.
    let continues = all_but_last.filter_map(|line| line.as_bytes().get(3)).all(|sign| *sign == b'-');
    let found: u16 = last.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(broken)?;
    if !continues {
        return Err(SendError::later(format!("the mail server said more than its answer to {what}")));
    }
    if found == code {
        Ok(text)
    } else {
        Err(SendError::later(format!("the mail server refused {what} with code {found}")))
    }
}

/// Whether an answer ends with a final line: a code that no hyphen follows.
fn is_whole(answer: &[u8]) -> bool {
    let Some(lines) = answer.strip_suffix(b"\n") else { return false };
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    last.get(3) != Some(&b'-')
}

/// A stream to a mail server. After STARTTLS the server greets no more, so a greeting is put in front of what it says.
pub(super) struct MailStream<S> {
    inner: S,
    peer: SocketAddr,
    ahead: VecDeque<u8>,
}

impl<S> MailStream<S> {
    pub(super) fn new(inner: S, peer: SocketAddr, is_greeted: bool) -> Self {
        let ahead: &[u8] = if is_greeted { b"220 ready\r\n" } else { b"" };
        Self { inner, peer, ahead: ahead.iter().copied().collect() }
    }
}

impl<S> fmt::Debug for MailStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailStream").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MailStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        while let Some(byte) = self.ahead.front().copied().filter(|_| buffer.remaining() > 0) {
            buffer.put_slice(&[byte]);
            self.ahead.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MailStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for MailStream<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
