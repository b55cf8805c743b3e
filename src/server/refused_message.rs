//! What the engine and the service exchange about messages that never became requests.

/// A message that never became a request.
#[derive(Clone, Copy, Debug)]
pub struct RefusedMessage<'a> {
    /// The status of the answer.
    pub status: u16,
    /// What the log says of it.
    pub reason: &'static str,
    /// What the answer says of it.
    pub detail: &'static str,
    /// The first bytes of the message, as far as they have arrived. Nothing in them has been checked.
    pub start: &'a [u8],
}

/// What the answer to a refused message has beyond its status.
#[derive(Debug, Default)]
pub struct RefusalAnswer {
    /// Header lines.
    pub headers: String,
    /// The media type of the body and the body; `None` for the engine's own in JSON, which no cache may keep.
    pub body: Option<(&'static str, String)>,
}
