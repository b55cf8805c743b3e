use proptest::prelude::*;

use super::*;
use crate::server::wire::admitted;

fn head(lines: &str) -> String {
    format!("GET /api/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Token k\r\n{lines}\r\n")
}

#[test]
fn what_a_browser_sends_is_taken_apart() {
    let text = "GET /api/users/me/ HTTP/1.1\r\nhost:\tback.example:8000 \r\nConnection: Keep-Alive\r\n\
        sec-ch-ua: \"Chromium\";v=\"130\"\r\nAccept: */*\r\nAUTHORIZATION:Token  k\r\nX-Forwarded-For: 10.0.0.7, 10.0.0.8\r\n\
        X-Forwarded-Proto: https\r\nX-Request-Id: a-1\r\nOrigin: https://app.example\r\nCookie: a=b; c=\"é\"\r\nX-Empty:\r\n\r\nGET /next";
    let read = Head::read(text.as_bytes()).unwrap();
    let expected = Head {
        length: text.len() - "GET /next".len(),
        host: b"back.example:8000",
        authorization: b"Token  k",
        accept: Some(b"*/*"),
        forwarded_proto: Some(b"https"),
        forwarded_for: Some(b"10.0.0.7, 10.0.0.8"),
        request_id: Some(b"a-1"),
        origin: Some(b"https://app.example"),
        close: false,
    };
    assert_eq!(read, expected);
    assert!(Head::read(head("connection: CLOSE\r\n").as_bytes()).unwrap().close);
}

#[test]
fn part_of_a_head_is_none() {
    let text = head("Accept: */*\r\n");
    for end in 0..text.len() {
        assert_eq!(Head::read(&text.as_bytes()[..end]), None, "{end}");
    }
    assert!(Head::read(text.as_bytes()).is_some());
}

#[test]
fn whatever_is_unusual_is_left_to_others() {
    for lines in [
        "Host: y\r\n",
        "Authorization: Token k\r\n",
        "Accept: a/b\r\nAccept: a/b\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\n",
        "TE: trailers\r\n",
        "Connection: upgrade\r\n",
        "Connection: close, TE\r\n",
        "Connection: close\r\nConnection: close\r\n",
        "X-Request-Id: a\r\nX-Request-Id: b\r\n",
        "Origin: http://a\r\nOrigin: http://b\r\n",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n",
        "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\n",
        "Trailer: a\r\n",
        // Faults, which the common way finds.
        "A: b\n",
        "A: b\rc\r\n",
        "A: \0\r\n",
        "A: b\r\n c\r\n",
        "no colon\r\n",
        ": b\r\n",
        "A : b\r\n",
        "A b: c\r\n",
        "é: b\r\n",
        &format!("A: {}\r\n", "b".repeat(MAX_HEADER_LINE)),
        &"A: b\r\n".repeat(MAX_HEADERS - 1),
    ] {
        assert_eq!(Head::read(head(lines).as_bytes()), None, "{lines:?}");
    }
    assert!(Head::read(head(&"A: b\r\n".repeat(MAX_HEADERS - 2)).as_bytes()).is_some());
    for start in [
        "GET /api/users/me?x",
        "GET /api/users/me//",
        "GET /api/users/m%65",
        "HEAD /api/users/me",
        "GET http://x/api/users/me",
        "GET  /api/users/me",
        "\r\nGET /api/users/me",
    ] {
        let text = head("").replace("GET /api/users/me", start);
        assert_eq!(Head::read(text.as_bytes()), None, "{start:?}");
    }
    for (whole, other) in [("HTTP/1.1", "HTTP/1.0"), ("Host: x\r\n", ""), ("Authorization: Token k\r\n", "")]
    {
        assert_eq!(Head::read(head("").replace(whole, other).as_bytes()), None, "{other:?}");
    }
}

#[test]
fn a_proxy_may_announce_a_body_without_bytes() {
    // What Envoy sends.
    let text = "GET /api/auth/forward/staff HTTP/1.1\r\nhost: 127.0.0.1:8000\r\ncontent-length: 0\r\nauthorization: Token k\r\n\
        x-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: http\r\n\r\n";
    let (rule, read) = Head::forward_auth(text.as_bytes()).unwrap();
    assert_eq!((rule, read.length), (&b"staff"[..], text.len()));
    assert_eq!(admitted(text.as_bytes()), Some(text.len()));
    for other in [
        "1",
        "00",
        "+0",
        "-0",
        "0, 0",
        "",
        "0x0",
        "0\r\ncontent-length: 0",
        "0\r\ntransfer-encoding: chunked",
    ] {
        let text = text.replace("content-length: 0", &format!("content-length: {other}"));
        assert_eq!(Head::forward_auth(text.as_bytes()), None, "{other:?}");
    }
    assert_eq!(Head::read(text.replace("auth/forward/staff", "users/me").as_bytes()), None);
}

/// The wire accepts without a body what is accepted here, and the parser reads it to the same values.
fn agrees_with_the_strict_readers(bytes: &[u8]) -> bool {
    let Some(read) = Head::read(bytes) else { return false };
    assert_eq!(admitted(bytes), Some(read.length));
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    assert_eq!(request.parse(bytes), Ok(httparse::Status::Complete(read.length)));
    assert_eq!((request.method, request.version), (Some("GET"), Some(1)));
    let all = |name: &str| {
        let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii()).collect::<Vec<_>>()
    };
    for (name, value) in [
        ("host", Some(read.host)),
        ("authorization", Some(read.authorization)),
        ("accept", read.accept),
        ("x-forwarded-proto", read.forwarded_proto),
        ("x-forwarded-for", read.forwarded_for),
        ("x-request-id", read.request_id),
        ("content-length", None),
        ("transfer-encoding", None),
        ("expect", None),
    ] {
        assert_eq!(all(name), value.into_iter().collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(all("connection").iter().any(|value| value.eq_ignore_ascii_case(b"close")), read.close);
    true
}

const NAMES: [&str; 16] = [
    "Host",
    "Authorization",
    "Accept",
    "Connection",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Request-Id",
    "Cookie",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "TE",
    "sec-ch-ua",
    "Host ",
    "",
    "a\u{e9}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_takes_nothing_that_the_strict_readers_would_not(
        lines in proptest::collection::vec((0..NAMES.len(), "[ \t]{0,2}(close|keep-alive|[ -~\u{e9}\t]{0,12})[ \t]{0,2}"), 0..8),
        ends in "(\r\n){0,2}",
    ) {
        let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{}:{value}\r\n", NAMES[*name])).collect();
        agrees_with_the_strict_readers(format!("{}{ends}", head(&lines.concat())).as_bytes());
    }

    #[test]
    fn nor_when_bytes_are_changed(at in 0_usize..200, byte in any::<u8>()) {
        let mut bytes = head("Accept: */*\r\nCookie: a=b\r\nConnection: keep-alive\r\nX-Request-Id: 1\r\n").into_bytes();
        assert!(agrees_with_the_strict_readers(&bytes));
        let at = at % bytes.len();
        bytes[at] = byte;
        agrees_with_the_strict_readers(&bytes);
    }
}
