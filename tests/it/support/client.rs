//! An HTTP client that sends exactly the given bytes and shows exactly what came back.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::conformance;

/// A request that is sent on a connection of its own.
pub struct Request {
    address: SocketAddr,
    head: String,
    body: Vec<u8>,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Self { address, head: format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n"), body: vec![] }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn host(self, host: &str) -> Self {
        self.header("Host", host)
    }

    pub fn token(self, key: &str) -> Self {
        self.header("Authorization", &format!("Token {key}"))
    }

    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Type", media_type).header("Content-Length", &length)
    }

    /// Sets the bytes of a body; the caller describes them in a header.
    pub fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request. Without a Host header it names `localhost`.
    pub async fn send(mut self) -> Answer {
        if !self.head.contains("\r\nHost: ") {
            self = self.host("localhost");
        }
        let bytes = [self.head.as_bytes(), b"\r\n", &self.body].concat();
        let answers = exchange(self.address, &bytes).await;
        let answer = Answer::parse(&answers);
        let mut words = self.head.split(' ');
        conformance::check(words.next().unwrap(), words.next().unwrap(), &answer);
        answer
    }
}

/// Sends bytes and reads until the server closes.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// A keep-alive connection, for one request after the other.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub async fn to(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// Sends a form and reads its answer.
    pub async fn post_form(&mut self, path: &str, key: &str, form: &str) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {key}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        self.0.write_all(head.as_bytes()).await.unwrap();
        self.answer().await
    }

    /// Sends `GET` with a key and returns status and body.
    pub async fn get(&mut self, path: &str, key: &str) -> (u16, String) {
        let answer = self.send("GET", path, Some(key), None).await;
        (answer.status, answer.body)
    }

    /// Sends a request with a JSON body, or without a body, and reads its answer.
    pub async fn send(&mut self, method: &str, path: &str, key: Option<&str>, body: Option<&str>) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        if let Some(key) = key {
            request.push_str(&format!("Authorization: Token {key}\r\n"));
        }
        if let Some(body) = body {
            let length = body.len();
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.answer().await
    }

    /// Reads the next answer, as long as its `Content-Length` says.
    async fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).await.unwrap() > 0, "cut off: {head:?}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.unwrap();
        Answer::parse(&[head.as_bytes(), &body].concat())
    }
}

/// An answer as it was received.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response
            .parse(bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(bytes)));
        let httparse::Status::Complete(length) = parsed else {
            panic!("cut off: {:?}", String::from_utf8_lossy(bytes))
        };
        let headers = response.headers.iter().map(|header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        });
        Self {
            status: response.code.unwrap(),
            headers: headers.collect(),
            body: String::from_utf8(bytes[length..].to_vec()).unwrap(),
        }
    }

    /// The only value of a header; it panics if the header came twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = found.next();
        assert_eq!(found.next(), None, "{name} came twice");
        first
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Status, the headers that distinguish errors, and the body: the content of the snapshots.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for name in ["www-authenticate", "retry-after"] {
            if let Some(value) = self.header(name) {
                write!(f, " [{name}: {value}]")?;
            }
        }
        write!(f, " {}", self.body)
    }
}
