//! What the engine needs of the program that answers requests.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use hyper::body::Body;
use hyper::{Request, Response};

use super::memory::MemoryBudget;
use super::message_body::MessageBody;
use super::refused_message::{RefusalAnswer, RefusedMessage};

/// What one connection is known by.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end of the socket, which may be a proxy.
    pub address: PeerAddress,
    /// Whether the connection came in over TLS.
    pub tls: bool,
}

/// The other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// An address and a port.
    Ip(SocketAddr),
    /// A client of a Unix socket, which has no address.
    Unix,
}

impl PeerAddress {
    /// The address, if there is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// Answers requests. A panic in it ends its connection, and only that.
pub trait Service: Clone + Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;
    /// What [`Service::express`] passes on to [`Service::answer`].
    type Known: Send;

    /// Answers a message that needs no parser: appends the whole answer, head and body, to `answer`. `bytes` begin with
    /// the next message. Nothing in it has been checked, and its end may be missing. Anything that is not known to be a
    /// good message without a body is left alone. When `last` is set the answer must say that the connection closes.
    fn express(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        answer: &mut Vec<u8>,
    ) -> impl Future<Output = Express<Self::Known>> + Send;

    /// Does the same if nothing has to be waited for; otherwise it does nothing and returns `None`. Its state is on the
    /// thread's stack and not in every connection's memory, which a processor's cache is too small for.
    fn express_at_once(
        &self,
        peer: Peer,
        bytes: &[u8],
        last: bool,
        answer: &mut Vec<u8>,
    ) -> Option<Express<Self::Known>>;

    /// Answers one request of a connection, with what [`Service::express`] found out about it. The answer has a `Date`,
    /// because the engine has no clock. A body that does not arrive in time is an [`std::io::Error`] of the kind
    /// `TimedOut`; the service answers 408 then.
    fn answer(
        &self,
        peer: Peer,
        request: Request<MessageBody>,
        known: Option<Self::Known>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Notes that a message is refused before there is a request. Returns what the answer to it has.
    fn note_refusal(&self, peer: Peer, refused: &RefusedMessage<'_>) -> RefusalAnswer;

    /// The network whose share of connections a peer with this address counts against; a client of a Unix socket has no
    /// address. `None` for a proxy: it carries the requests of many clients and has no share.
    fn network(&self, address: Option<IpAddr>) -> Option<IpAddr>;

    /// The budget of memory that large messages count against.
    fn memory(&self) -> &MemoryBudget;
}

/// What the express lane did with a message.
pub enum Express<K> {
    /// It is answered.
    Answered {
        /// Its length in bytes.
        length: usize,
        /// Whether the answer says that the connection closes.
        last: bool,
    },
    /// It is not answered here; this is known of it.
    HandedOn(K),
    /// Nothing is known of it.
    NotMine,
}
