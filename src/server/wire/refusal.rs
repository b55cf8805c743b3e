//! The answers that are sent before a request exists: their statuses, their sentences, their bytes.
//!
//! Only faults of the message itself belong here. What a request means is not known yet.

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

    /// The code of the answer's status.
    pub(in crate::server) fn code(self) -> u16 {
        self.status().0
    }

    /// What the log says of it.
    pub(in crate::server) fn reason(self) -> &'static str {
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

    /// Writes the whole answer. `headers` are the service's lines for it. There is no Date, because there is no clock
    /// here; RFC 9110 allows that.
    pub(in crate::server) fn answer(self, headers: &str) -> String {
        let ((code, words), detail) = (self.status(), self.detail());
        let length = detail.len() + r#"{"detail":""}"#.len();
        let retry = if code == 503 { "Retry-After: 1\r\n" } else { "" };
        format!(
            "HTTP/1.1 {code} {words}\r\n\
             Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\
             Connection: close\r\n\
             Cache-Control: private, no-store\r\n\
             {retry}{headers}\
             \r\n\
             {{\"detail\":\"{detail}\"}}"
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
        let answer = MessageRefusal::MissingHost.answer("X-Frame-Options: DENY\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"));
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())));
        assert!(head.ends_with("\r\nX-Frame-Options: DENY"));
        for refusal in [MessageRefusal::Overloaded, MessageRefusal::OverShare] {
            assert!(refusal.answer("").contains("\r\nRetry-After: 1\r\n\r\n"));
        }
        let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(parsed, serde_json::json!({"detail": "Bad request: the Host header is missing."}));
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
