//! Reads the head of `GET /api/users/me` in its usual form, in one pass over its bytes.
//!
//! A head that is accepted here would also be accepted by the wire and parsed by hyper to the same values; a test
//! checks all three. Anything odd, with a body, or not understood is `None`. It goes to those two, which then find its
//! faults.

use crate::http::forward_auth::PREFIX;
use crate::server::wire::{MAX_HEADER_LINE, MAX_HEADERS, first_control};

/// A whole and good head without a body, with the headers that the answer depends on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Its length in bytes, the empty line included.
    pub(super) length: usize,
    /// The only Host header.
    pub(super) host: &'a [u8],
    /// The only Authorization header.
    pub(super) authorization: &'a [u8],
    pub(super) accept: Option<&'a [u8]>,
    pub(super) forwarded_proto: Option<&'a [u8]>,
    pub(super) forwarded_for: Option<&'a [u8]>,
    pub(super) request_id: Option<&'a [u8]>,
    pub(super) origin: Option<&'a [u8]>,
    /// Whether the client wants the connection closed with the answer.
    pub(super) close: bool,
}

impl<'a> Head<'a> {
    /// Reads the head that `bytes` begin with.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"GET /api/users/me")?;
        let rest = rest.strip_prefix(b"/").unwrap_or(rest).strip_prefix(b" HTTP/1.1\r\n")?;
        let found = read_lines(rest, bytes.len(), |_, _| Some(()))?;
        (found.body_length.is_none() && found.host && found.authorization).then_some(found.head)
    }

    /// Reads the head of a request of forward authentication, and its rule. Nothing but a `?` may follow the rule. Some proxies
    /// announce a body without bytes.
    pub(super) fn forward_auth(bytes: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let rest = bytes.strip_prefix(b"GET ")?.strip_prefix(PREFIX.as_bytes())?;
        let is_of_rule = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b',');
        let (rule, rest) = rest.split_at_checked(rest.iter().position(|byte| !is_of_rule(byte))?)?;
        let rest = rest.strip_prefix(b"?").unwrap_or(rest).strip_prefix(b" HTTP/1.1\r\n")?;
        let found = read_lines(rest, bytes.len(), |_, _| Some(()))?;
        let has_no_body = found.body_length.is_none_or(|length| length == b"0");
        (has_no_body && found.host && found.authorization).then_some((rule, found.head))
    }

    /// Reads the lines of any head after the first one, up to the empty one. `whole` is the length of the message's bytes.
    /// `also` gets each header that the answer to `GET /api/users/me` does not depend on.
    #[inline]
    pub(super) fn lines(
        rest: &'a [u8],
        whole: usize,
        also: impl FnMut(&[u8], &'a [u8]) -> Option<()>,
    ) -> Option<Self> {
        let found = read_lines(rest, whole, also)?;
        (found.body_length.is_none() && found.host).then_some(found.head)
    }
}

#[inline]
fn read_lines<'a>(
    mut rest: &'a [u8],
    whole: usize,
    mut also: impl FnMut(&[u8], &'a [u8]) -> Option<()>,
) -> Option<HeadParts<'a>> {
    let mut found = HeadParts::default();
    for _ in 0..=MAX_HEADERS {
        let (line, after) = rest.split_at_checked(first_control(rest)?)?;
        rest = after.strip_prefix(b"\r\n")?;
        if line.is_empty() {
            found.head.length = whole - rest.len();
            return Some(found);
        }
        let (name, value) = split(line)?;
        found.take(name, value, &mut also)?;
    }
    None
}

/// Splits a header line into its name and its trimmed value.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| !NAME.get(usize::from(*byte)).is_some_and(|good| *good))?;
    let (name, rest) = line.split_at_checked(end)?;
    let (b':', value) = rest.split_first()? else { return None };
    let good = !name.is_empty() && line.len() <= MAX_HEADER_LINE;
    // The only blanks there can be, since a control byte ends the line.
    good.then(|| (name, value.trim_ascii()))
}

/// The bytes of a header's name (RFC 9110, section 5.6.2).
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[byte as usize] = byte.is_ascii_alphanumeric()
                || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        }
        byte += 1;
    }
    table
};

#[derive(Default)]
struct HeadParts<'a> {
    head: Head<'a>,
    host: bool,
    authorization: bool,
    connection: bool,
    /// The only Content-Length header.
    body_length: Option<&'a [u8]>,
}

impl<'a> HeadParts<'a> {
    /// Reads a header; `None` for one that changes the request's meaning in a way that is not handled here.
    #[inline]
    fn take(
        &mut self,
        name: &[u8],
        value: &'a [u8],
        also: &mut impl FnMut(&[u8], &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // By length first: most headers are none of these, and one comparison rules them out.
        match name.len() {
            2 if is("te") => None,
            4 if is("host") => {
                self.head.host = value;
                first(&mut self.host)
            }
            6 if is("accept") => only(&mut self.head.accept, value),
            6 if is("origin") => only(&mut self.head.origin, value),
            6 if is("expect") => None,
            7 if is("upgrade") || is("trailer") => None,
            10 if is("connection") => {
                self.head.close = value.eq_ignore_ascii_case(b"close");
                let known = self.head.close || value.eq_ignore_ascii_case(b"keep-alive");
                known.then_some(()).and_then(|()| first(&mut self.connection))
            }
            12 if is("x-request-id") => only(&mut self.head.request_id, value),
            13 if is("authorization") => {
                self.head.authorization = value;
                first(&mut self.authorization)
            }
            14 if is("content-length") => only(&mut self.body_length, value),
            15 if is("x-forwarded-for") => only(&mut self.head.forwarded_for, value),
            17 if is("x-forwarded-proto") => only(&mut self.head.forwarded_proto, value),
            17 if is("transfer-encoding") => None,
            _ => also(name, value),
        }
    }
}

/// Sets a value once; a second header of the same name makes the request unusual.
fn only<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// Does the same for a header that may be empty.
fn first(seen: &mut bool) -> Option<()> {
    (!std::mem::replace(seen, true)).then_some(())
}

#[cfg(test)]
mod tests;
