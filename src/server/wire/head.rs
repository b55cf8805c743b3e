//! Finds the end of a request head and decides whether the head is accepted, in one pass that can stop at any byte.
//!
//! The scan looks only at what decides framing (line ends, Host, Content-Length, Transfer-Encoding) and at sizes. The
//! parser checks names, targets and values. This file does no input or output.

use super::refusal::MessageRefusal;

/// Longest request line, without its line end (gunicorn's default).
const MAX_REQUEST_LINE: usize = 4094;
/// Longest header line, without its line end (gunicorn's default).
pub(crate) const MAX_HEADER_LINE: usize = 8190;
/// Most header lines in one head; hyper's own bound is the same, on its stack.
pub(crate) const MAX_HEADERS: usize = 100;
/// Longest method name (gunicorn's bound).
const MAX_METHOD: usize = 20;

/// What follows an accepted head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// This many bytes, then the next head.
    Sized(u64),
    /// Chunks, which the wire does not count: the connection ends with this request.
    Chunked,
}

/// A complete and good head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Frame {
    /// Its length in bytes, the empty line included.
    pub(super) head: usize,
    pub(super) body: BodyLength,
    /// Where the minor version stands, if it is above 1.
    pub(super) later_minor: Option<usize>,
}

/// The progress through one head. It keeps offsets and no bytes: each call gets all bytes of the head so far.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// Where the current line begins.
    line_start: usize,
    /// The offset up to which there is no line end and no control byte.
    searched: usize,
    leading_line_skipped: bool,
    request_line_seen: bool,
    http_10: bool,
    /// Where a minor version above 1 stands; 0 if there is none. In two bytes, because every message resets this.
    later_minor: u16,
    headers: usize,
    host: bool,
    length: Option<u64>,
    chunked: bool,
}

impl HeadScan {
    /// Whether nothing of the head has been read yet.
    pub(super) fn is_new(&self) -> bool {
        self.searched == 0
    }

    /// Reads on in `bytes`, which hold the head from its first byte. Returns `None` when more bytes are needed.
    pub(super) fn scan(&mut self, bytes: &[u8], max_head: usize) -> Result<Option<Frame>, MessageRefusal> {
        loop {
            let rest = bytes.get(self.searched..).unwrap_or_default();
            self.searched += first_control(rest).unwrap_or(rest.len());
            self.check_size(max_head)?;
            match (bytes.get(self.searched), bytes.get(self.searched + 1)) {
                (None, _) | (Some(b'\r'), None) => return Ok(None),
                (Some(b'\r'), Some(b'\n')) => {}
                (Some(b'\n'), _) => return Err(MessageRefusal::BareLineFeed),
                _ => return Err(MessageRefusal::ControlByte),
            }
            let line = bytes.get(self.line_start..self.searched).unwrap_or_default();
            self.searched += 2;
            self.line_start = self.searched;
            if self.take_line(line)? {
                return self.complete(max_head).map(Some);
            }
        }
    }

    /// Refuses a line or a head as soon as it is too long, whether it is complete or not.
    fn check_size(&self, max_head: usize) -> Result<(), MessageRefusal> {
        let line = self.searched - self.line_start;
        match self.request_line_seen {
            false if line > MAX_REQUEST_LINE => Err(MessageRefusal::RequestLineTooLong),
            true if line > MAX_HEADER_LINE => Err(MessageRefusal::HeadTooLarge),
            _ if self.searched > max_head => Err(MessageRefusal::HeadTooLarge),
            _ => Ok(()),
        }
    }

    /// Reads one line without its end. Returns true for the empty line that ends the head.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, MessageRefusal> {
        match (self.request_line_seen, line.first()) {
            (false, None) if !self.leading_line_skipped => {
                // RFC 9112, section 2.2: one empty line before a request line is ignored.
                self.leading_line_skipped = true;
                Ok(false)
            }
            (false, _) => self.take_request_line(line).map(|()| false),
            (true, None) => Ok(true),
            (true, Some(b' ' | b'\t')) => Err(MessageRefusal::FoldedLine),
            (true, Some(first)) => self.take_header(line, first.to_ascii_lowercase()).map(|()| false),
        }
    }

    fn take_request_line(&mut self, line: &[u8]) -> Result<(), MessageRefusal> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(MessageRefusal::RequestLine);
        };
        if method.is_empty() || target.is_empty() {
            return Err(MessageRefusal::RequestLine);
        }
        if method.len() > MAX_METHOD || method.iter().any(u8::is_ascii_lowercase) {
            return Err(MessageRefusal::Method);
        }
        if !target.is_ascii() {
            return Err(MessageRefusal::Target);
        }
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.http_10 = true,
            // RFC 9110, section 2.5: a later minor version is read as the highest one that is known. The digit is
            // the last byte before the line's end, which has been read.
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
                let minor = self.line_start.saturating_sub(b"2\r\n".len());
                self.later_minor = u16::try_from(minor).unwrap_or_default();
            }
            _ => return Err(MessageRefusal::Version),
        }
        self.request_line_seen = true;
        Ok(())
    }

    /// Reads a header line. `first` is its first byte in lower case, which is enough to skip most lines.
    fn take_header(&mut self, line: &[u8], first: u8) -> Result<(), MessageRefusal> {
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return Err(MessageRefusal::TooManyHeaders);
        }
        match first {
            b'h' if value_of(line, b"host:").is_some() => self.take_host(),
            b'c' => value_of(line, b"content-length:").map_or(Ok(()), |value| self.take_length(value)),
            b't' => value_of(line, b"transfer-encoding:").map_or(Ok(()), |value| self.take_encoding(value)),
            _ => Ok(()),
        }
    }

    fn take_host(&mut self) -> Result<(), MessageRefusal> {
        match std::mem::replace(&mut self.host, true) {
            true => Err(MessageRefusal::SecondHost),
            false => Ok(()),
        }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), MessageRefusal> {
        if self.length.is_some() {
            return Err(MessageRefusal::SecondContentLength);
        }
        self.length = Some(parse_length(value).ok_or(MessageRefusal::ContentLength)?);
        self.one_framing_only()
    }

    fn take_encoding(&mut self, value: &[u8]) -> Result<(), MessageRefusal> {
        if self.chunked {
            return Err(MessageRefusal::SecondTransferEncoding);
        }
        self.chunked = true;
        self.one_framing_only()?;
        match value {
            _ if self.http_10 => Err(MessageRefusal::EncodingInHttp10),
            value if value.eq_ignore_ascii_case(b"chunked") => Ok(()),
            _ => Err(MessageRefusal::UnknownEncoding),
        }
    }

    /// Refuses a head with both framings. hyper would ignore Content-Length, and a proxy in front might not: that is
    /// request smuggling.
    fn one_framing_only(&self) -> Result<(), MessageRefusal> {
        if self.chunked && self.length.is_some() { Err(MessageRefusal::TwoFramings) } else { Ok(()) }
    }

    fn complete(&self, max_head: usize) -> Result<Frame, MessageRefusal> {
        if self.line_start > max_head {
            return Err(MessageRefusal::HeadTooLarge);
        }
        // HTTP/1.0 has no duty of Host (RFC 9112, section 3.2): the service has a default.
        if !self.host && !self.http_10 {
            return Err(MessageRefusal::MissingHost);
        }
        let body =
            if self.chunked { BodyLength::Chunked } else { BodyLength::Sized(self.length.unwrap_or(0)) };
        let later_minor = (self.later_minor > 0).then_some(self.later_minor.into());
        Ok(Frame { head: self.line_start, body, later_minor })
    }
}

/// The length of the head that `bytes` begin with, if it is accepted and no body follows.
#[cfg(test)]
pub(crate) fn admitted(bytes: &[u8]) -> Option<usize> {
    let frame = HeadScan::default().scan(bytes, usize::MAX).ok()??;
    (frame.body == BodyLength::Sized(0)).then_some(frame.head)
}

/// The trimmed value if the line's name is `name` (in lower case, with its colon).
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Parses plain digits (no sign, list or blank) of a number that is small enough that sums with it cannot overflow.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok().filter(|length| *length <= u64::MAX / 2)
}

/// Finds the first control byte other than a tab, which in a good head is a line's CR. It takes eight bytes at a step,
/// because it runs over every byte of every head.
pub(crate) fn first_control(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    for (index, word) in words.iter().enumerate() {
        let marks = control_marks(u64::from_le_bytes(*word));
        // The lowest mark is exact, but it may be of a tab. Those above it may be echoes.
        if marks != 0 {
            let first = (marks.trailing_zeros() / 8) as usize;
            if word.get(first).is_some_and(is_control) {
                return Some(index * 8 + first);
            }
            if let Some(later) = word.iter().position(is_control) {
                return Some(index * 8 + later);
            }
        }
    }
    tail.iter().position(is_control).map(|offset| words.len() * 8 + offset)
}

/// Sets the highest bit of each byte below 0x20 or equal to 0x7f, and perhaps of bytes above such a byte.
fn control_marks(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let low = word.wrapping_sub(each(0x20)) & !word;
    let flipped = word ^ each(0x7f);
    let delete = flipped.wrapping_sub(each(1)) & !flipped;
    (low | delete) & each(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nA: b\tc\xe9\r\ncOnTent-leNgth: \t7 \r\n\r\n";
    const MAX: usize = 65536;

    fn scan(head: impl AsRef<[u8]>) -> Result<Option<Frame>, MessageRefusal> {
        HeadScan::default().scan(head.as_ref(), MAX)
    }

    fn with(lines: &str) -> Result<Option<Frame>, MessageRefusal> {
        scan(format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n"))
    }

    #[test]
    fn a_good_head_is_framed_wherever_it_is_split() {
        let frame = Frame { head: GOOD.len(), body: BodyLength::Sized(7), later_minor: None };
        assert_eq!(scan(GOOD), Ok(Some(frame)));
        assert_eq!(scan([GOOD, b"GET / HTTP"].concat()), Ok(Some(frame)));
        let mut bytewise = HeadScan::default();
        for end in 0..GOOD.len() {
            assert_eq!(bytewise.scan(&GOOD[..end], MAX), Ok(None), "byte by byte, at {end}");
            let mut twice = HeadScan::default();
            assert_eq!(twice.scan(&GOOD[..end], MAX), Ok(None), "first half to {end}");
            assert_eq!(twice.scan(GOOD, MAX), Ok(Some(frame)), "in two pieces at {end}");
        }
        assert_eq!(bytewise.scan(GOOD, MAX), Ok(Some(frame)));
    }

    #[test]
    fn a_body_is_counted_or_chunked_or_absent() {
        let body = |lines: &str| with(lines).unwrap().unwrap().body;
        assert_eq!(body(""), BodyLength::Sized(0));
        assert_eq!(body("Content-Length: 0012\r\n"), BodyLength::Sized(12));
        assert_eq!(body("transfer-encoding:CHUNKED\r\n"), BodyLength::Chunked);
        assert_eq!(body("X-Content-Length: 5\r\nTransfer: chunked\r\nHosts: y\r\n"), BodyLength::Sized(0));
    }

    #[test]
    fn each_bad_header_has_its_refusal() {
        for (lines, refusal) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", MessageRefusal::TwoFramings),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", MessageRefusal::TwoFramings),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", MessageRefusal::SecondContentLength),
            ("Content-Length: +3\r\n", MessageRefusal::ContentLength),
            ("Content-Length: 3, 3\r\n", MessageRefusal::ContentLength),
            ("Content-Length: 0x3\r\n", MessageRefusal::ContentLength),
            ("Content-Length:\r\n", MessageRefusal::ContentLength),
            ("Content-Length: 99999999999999999999\r\n", MessageRefusal::ContentLength),
            ("Content-Length: 18446744073709551615\r\n", MessageRefusal::ContentLength),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                MessageRefusal::SecondTransferEncoding,
            ),
            ("Transfer-Encoding: gzip, chunked\r\n", MessageRefusal::UnknownEncoding),
            ("hOST: y\r\n", MessageRefusal::SecondHost),
            ("A: b\n", MessageRefusal::BareLineFeed),
            ("A: b\r\n c\r\n", MessageRefusal::FoldedLine),
            ("A: b\r\n\tc\r\n", MessageRefusal::FoldedLine),
            ("A: b\0c\r\n", MessageRefusal::ControlByte),
            ("A: b\rc\r\n", MessageRefusal::ControlByte),
            ("A: b\x7fc\r\n", MessageRefusal::ControlByte),
            ("A: b\x1bc, and some more bytes behind it\r\n", MessageRefusal::ControlByte),
        ] {
            assert_eq!(with(lines), Err(refusal), "{lines:?}");
        }
    }

    #[test]
    fn each_bad_request_line_has_its_refusal() {
        for (line, refusal) in [
            ("GET /", MessageRefusal::RequestLine),
            ("GET  / HTTP/1.1", MessageRefusal::RequestLine),
            ("GET / HTTP/1.1 ", MessageRefusal::RequestLine),
            (" GET / HTTP/1.1", MessageRefusal::RequestLine),
            ("get / HTTP/1.1", MessageRefusal::Method),
            ("ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1", MessageRefusal::Method),
            ("GET / HTTP/2.0", MessageRefusal::Version),
            ("GET / HTTP/1.", MessageRefusal::Version),
            ("GET / HTTP/1.10", MessageRefusal::Version),
            ("GET / HTTP/1.x", MessageRefusal::Version),
            ("GET / HTTP/0.9", MessageRefusal::Version),
            ("GET /é HTTP/1.1", MessageRefusal::Target),
            ("GET /?q=é HTTP/1.1", MessageRefusal::Target),
            ("GET http://é/ HTTP/1.1", MessageRefusal::Target),
            ("GET / http/1.1", MessageRefusal::Version),
            ("PRI * HTTP/2.0", MessageRefusal::Version),
            ("GET /\0 HTTP/1.1", MessageRefusal::ControlByte),
            ("GET / HTTP/1.1\nHost: x", MessageRefusal::BareLineFeed),
            ("\r\n\r\nGET / HTTP/1.1", MessageRefusal::RequestLine),
        ] {
            assert_eq!(scan(format!("{line}\r\nHost: x\r\n\r\n")), Err(refusal), "{line:?}");
        }
        assert!(
            matches!(scan("\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n"), Ok(Some(_))),
            "one empty line is ignored"
        );
    }

    #[test]
    fn every_byte_above_ascii_in_a_target_is_refused() {
        for byte in 0x80..=u8::MAX {
            let head = [b"GET /a", &[byte][..], b" HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
            assert_eq!(scan(head), Err(MessageRefusal::Target), "{byte:#x}");
        }
    }

    #[test]
    fn a_later_minor_version_is_marked_where_it_stands() {
        for (before, minor) in [("", '2'), ("", '9'), ("\r\n", '5')] {
            let head = format!("{before}GET / HTTP/1.{minor}\r\nHost: x\r\n\r\n");
            let frame = scan(&head).unwrap().unwrap();
            assert_eq!(frame.later_minor, head.find(minor), "{head:?}");
            assert_eq!(frame.head, head.len());
            assert_eq!(scan(head.replace("Host: x\r\n", "")), Err(MessageRefusal::MissingHost));
        }
        assert_eq!(with("").unwrap().unwrap().later_minor, None);
    }

    #[test]
    fn http_10_needs_no_host_and_has_no_chunks() {
        assert!(scan("GET / HTTP/1.0\r\n\r\n").unwrap().is_some());
        assert_eq!(scan("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"), Err(MessageRefusal::SecondHost));
        assert_eq!(scan("GET / HTTP/1.1\r\n\r\n"), Err(MessageRefusal::MissingHost));
        let chunked = "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(scan(chunked), Err(MessageRefusal::EncodingInHttp10));
    }

    #[test]
    fn sizes_are_bounded_to_the_byte_and_before_the_line_ends() {
        let line = |length: usize| format!("GET /{} HTTP/1.1", "a".repeat(length - 14));
        assert!(scan(format!("{}\r\nHost: x\r\n\r\n", line(MAX_REQUEST_LINE))).unwrap().is_some());
        assert_eq!(scan(line(MAX_REQUEST_LINE + 1)), Err(MessageRefusal::RequestLineTooLong));
        let header = |length: usize| format!("A: {}\r\n", "b".repeat(length - 3));
        assert!(with(&header(MAX_HEADER_LINE)).unwrap().is_some());
        assert_eq!(with(&header(MAX_HEADER_LINE + 1)), Err(MessageRefusal::HeadTooLarge));
        assert!(with(&"A: b\r\n".repeat(MAX_HEADERS - 1)).unwrap().is_some());
        assert_eq!(with(&"A: b\r\n".repeat(MAX_HEADERS)), Err(MessageRefusal::TooManyHeaders));
        assert!(HeadScan::default().scan(GOOD, GOOD.len()).unwrap().is_some());
        assert_eq!(HeadScan::default().scan(GOOD, GOOD.len() - 1), Err(MessageRefusal::HeadTooLarge));
        assert_eq!(HeadScan::default().scan(&GOOD[..40], 39), Err(MessageRefusal::HeadTooLarge));
    }

    #[test]
    fn control_bytes_are_found_at_every_place_in_a_word() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[at] = byte;
                let expected = ((byte < 0x20 || byte == 0x7f) && byte != b'\t').then_some(at);
                assert_eq!(first_control(&bytes), expected, "{byte:#x} at {at}");
            }
        }
    }
}
