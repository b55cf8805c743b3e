//! The answers that are sent before a request exists: their statuses, their sentences, their bytes.
//!
//! Only faults of the message itself belong here. What a request means is not known yet.

use crate::server::refused_message::{RefusalAnswer, RefusedMessage};

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum MessageRefusal {
    RequestLine,
    Method,
    Target,
    Version,
    RequestLineTooLong,
    HeadTooLarge,
    TooManyHeaders,
    BareLineFeed,
    FoldedLine,
    ControlByte,
    MissingHost,
    SecondHost,
    TwoFramings,
    SecondContentLength,
    ContentLength,
    SecondTransferEncoding,
    EncodingInHttp10,
    UnknownEncoding,
    /// hyper could not parse what the wire had accepted.
    Unparsable,
    TimedOut,
    /// There is no memory left for it.
    Overloaded,
    /// The networks of its client have their share of the connections.
    OverShare,
}

impl MessageRefusal {
    /// The status of the answer: its code and its words.
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::TimedOut => (408, "Request Timeout"),
            Self::RequestLineTooLong => (414, "URI Too Long"),
            Self::HeadTooLarge | Self::TooManyHeaders => (431, "Request Header Fields Too Large"),
            Self::UnknownEncoding => (501, "Not Implemented"),
            Self::Overloaded | Self::OverShare => (503, "Service Unavailable"),
            _ => (400, "Bad Request"),
        }
    }

    /// What the service notes of a message that begins like this.
    pub(in crate::server) fn of(self, start: &[u8]) -> RefusedMessage<'_> {
        RefusedMessage { status: self.status().0, reason: self.reason(), detail: self.detail(), start }
    }

    /// What the log says of it.
    fn reason(self) -> &'static str {
        match self {
            Self::Overloaded => "no room in body_memory",
            Self::OverShare => "its network has its share of max_connections",
            other => other.detail(),
        }
    }

    /// One sentence without quotes and backslashes, because it goes into JSON unescaped.
    fn detail(self) -> &'static str {
        match self {
            Self::RequestLine => "Bad request: the request line is malformed.",
            Self::Method => {
                "Bad request: the method must be at most 20 characters without lower-case letters."
            }
            Self::Target => {
                "Bad request: the request target has bytes outside ASCII. Percent-encode them as UTF-8."
            }
            Self::Version => "Bad request: only HTTP/1.1 and HTTP/1.0 are spoken here.",
            Self::RequestLineTooLong => "Request line is too long.",
            Self::HeadTooLarge => "Request header fields are too large.",
            Self::TooManyHeaders => "Request has too many header fields.",
            Self::BareLineFeed => "Bad request: a header line must end with CR LF.",
            Self::FoldedLine => "Bad request: folded header lines are not supported.",
            Self::ControlByte => "Bad request: control characters are not allowed in the header section.",
            Self::MissingHost => "Bad request: the Host header is missing.",
            Self::SecondHost => "Bad request: there is more than one Host header.",
            Self::TwoFramings => "Bad request: Content-Length and Transfer-Encoding exclude each other.",
            Self::SecondContentLength => "Bad request: there is more than one Content-Length header.",
            Self::ContentLength => "Bad request: Content-Length is not a valid number.",
            Self::SecondTransferEncoding => "Bad request: there is more than one Transfer-Encoding header.",
            Self::EncodingInHttp10 => "Bad request: Transfer-Encoding is not part of HTTP/1.0.",
            Self::UnknownEncoding => "Unsupported transfer encoding, only chunked is.",
            Self::Unparsable => "Bad request: the HTTP message could not be parsed.",
            Self::TimedOut => "Request timed out.",
            Self::Overloaded | Self::OverShare => "Service temporarily unavailable, try again later.",
        }
    }

    /// Writes the whole answer, with what the service adds to it. There is no Date, because there is no clock
    /// here; RFC 9110 allows that.
    pub(in crate::server) fn answer(self, added: RefusalAnswer) -> String {
        let ((code, words), RefusalAnswer { headers, body }) = (self.status(), added);
        let retry = if code == 503 { "Retry-After: 1\r\n" } else { "" };
        let (media_type, cache, body) = match body {
            Some((media_type, body)) => (media_type, "", body),
            None => {
                let body = format!("{{\"detail\":\"{}\"}}", self.detail());
                ("application/json", "Cache-Control: private, no-store\r\n", body)
            }
        };
        let length = body.len();
        format!(
            "HTTP/1.1 {code} {words}\r\n\
             Content-Type: {media_type}\r\n\
             Content-Length: {length}\r\n\
             Connection: close\r\n\
             {cache}{retry}{headers}\
             \r\n\
             {body}"
        )
    }
}

/// Finds the refusal to send in place of hyper's bare answer to a message that it cannot parse.
pub(super) fn in_place_of(bytes: &[u8]) -> Option<MessageRefusal> {
    let head = std::str::from_utf8(bytes).ok().filter(|head| head.starts_with("HTTP/1."))?;
    let empty = head.ends_with("\r\n\r\n") && head.contains("\r\ncontent-length: 0\r\n");
    let refusal = match head.get(9..12)? {
        "400" => MessageRefusal::Unparsable,
        "414" => MessageRefusal::RequestLineTooLong,
        "431" => MessageRefusal::HeadTooLarge,
        _ => return None,
    };
    empty.then_some(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_json_with_its_length() {
        let added = RefusalAnswer { headers: "X-Frame-Options: DENY\r\n".to_owned(), body: None };
        let answer = MessageRefusal::MissingHost.answer(added);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"));
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())));
        assert!(head.ends_with("\r\nX-Frame-Options: DENY"));
        for refusal in [MessageRefusal::Overloaded, MessageRefusal::OverShare] {
            assert!(refusal.answer(RefusalAnswer::default()).contains("\r\nRetry-After: 1\r\n\r\n"));
        }
        let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(parsed, serde_json::json!({"detail": "Bad request: the Host header is missing."}));
    }

    #[test]
    fn an_answer_takes_the_body_of_the_service() {
        let body = Some(("text/html", "<p>\u{2026}</p>".to_owned()));
        let answer =
            MessageRefusal::RequestLineTooLong.answer(RefusalAnswer { headers: "A: b\r\n".to_owned(), body });
        let expected = "HTTP/1.1 414 URI Too Long\r\nContent-Type: text/html\r\nContent-Length: 10\r\nConnection: close\r\n\
                        A: b\r\n\r\n<p>\u{2026}</p>";
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_bare_answer_is_told_from_others() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                    content-length: 0\r\ndate: Mon, 23 Nov 2026 16:56:00 GMT\r\n\r\n";
        assert_eq!(in_place_of(bare.as_bytes()), Some(MessageRefusal::HeadTooLarge));
        assert_eq!(in_place_of(format!("{bare}x").as_bytes()), None);
        assert_eq!(in_place_of(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"), None);
        assert_eq!(in_place_of(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(in_place_of(b""), None);
    }
}
