use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use hyper::{Request, Response};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::acceptor::AcceptedStream;
use super::gate::Admission;
use super::memory::MemoryBudget;
use super::socket::DetachedStream;
use super::wire::Presence;
use super::*;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);
const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Answers with the request; some paths are slow, large, or fail.
#[derive(Clone)]
struct Echo {
    /// Set when a request for /slow has arrived.
    slow_began: Arc<AtomicBool>,
    /// Requests for /endless that are being answered.
    endless: Arc<AtomicUsize>,
    /// Messages that never were requests.
    refusals: Arc<AtomicUsize>,
    memory: MemoryBudget,
}

impl Default for Echo {
    fn default() -> Self {
        let memory = MemoryBudget::new(1 << 20, Gauge::default(), Counter::default());
        Self { slow_began: Arc::default(), endless: Arc::default(), refusals: Arc::default(), memory }
    }
}

/// Counts something for as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service for Echo {
    type Body = Full<Bytes>;
    type Known = &'static str;

    async fn express(
        &self,
        _: Peer,
        bytes: &[u8],
        last: bool,
        answer: &mut Vec<u8>,
    ) -> Express<&'static str> {
        if bytes.starts_with(b"GET /decided ") {
            return Express::HandedOn("decided");
        }
        let Some(length) = bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4) else {
            return Express::NotMine;
        };
        if !bytes.starts_with(b"GET /fast ") {
            return Express::NotMine;
        }
        // Not at once, as one that waits for a database.
        tokio::task::yield_now().await;
        let last = last || bytes[..length].windows(5).any(|part| part == b"close");
        let close = if last { "connection: close\r\n" } else { "" };
        answer.extend_from_slice(
            format!("HTTP/1.1 200 OK\r\n{close}content-length: 6\r\n\r\n[fast]").as_bytes(),
        );
        Express::Answered { length, last }
    }

    fn express_at_once(
        &self,
        _: Peer,
        bytes: &[u8],
        _: bool,
        answer: &mut Vec<u8>,
    ) -> Option<Express<&'static str>> {
        let length = bytes.starts_with(AT_ONCE.as_bytes()).then_some(AT_ONCE.len())?;
        answer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[at once]");
        Some(Express::Answered { length, last: false })
    }

    async fn answer(
        &self,
        peer: Peer,
        request: Request<MessageBody>,
        known: Option<&'static str>,
    ) -> Response<Full<Bytes>> {
        if let Some(known) = known {
            return Response::new(Full::new(format!("[{known}]").into()));
        }
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        match path.as_str() {
            "/slow" => {
                self.slow_began.store(true, Ordering::SeqCst);
                sleep(Duration::from_millis(300)).await;
            }
            "/endless" => {
                let _alive = Alive::new(&self.endless);
                std::future::pending::<()>().await;
            }
            "/panic" => panic!("asked for"),
            "/big" => return Response::new(Full::new(vec![b'x'; 64 << 20].into())),
            "/unread" => return Response::new(Full::new("not read".into())),
            _ => {}
        }
        let (status, body) = match body.collect().await {
            Ok(body) => (200, body.to_bytes()),
            Err(error) if is_timeout(&error) => (408, "too slow".into()),
            Err(_) => (400, "broken body".into()),
        };
        let text =
            format!("[{} {path} tls={} body={}]", head.method, peer.tls, String::from_utf8_lossy(&body));
        Response::builder().status(status).body(Full::new(text.into())).unwrap()
    }

    /// All but one address of this machine are proxies.
    fn network(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|address| address.to_string() == NO_PROXY)
    }

    fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    fn note_refusal(&self, _: Peer, refused: &RefusedMessage<'_>) -> RefusalAnswer {
        self.refusals.fetch_add(1, Ordering::SeqCst);
        let headers = SECURE.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
        let is_page = refused.start.windows(6).any(|bytes| bytes == b"/page?");
        RefusalAnswer { headers, body: is_page.then(|| ("text/html", format!("<p>{}</p>", refused.detail))) }
    }
}

fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

/// Headers that every answer of the service has.
const SECURE: [(&str, &str); 4] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
];

const NO_PROXY: &str = "127.0.0.9";

fn limits() -> Limits {
    Limits {
        max_connections: 100,
        max_head_bytes: 65536,
        idle_timeout: LONG,
        head_timeout: LONG,
        body_timeout: LONG,
        write_timeout: LONG,
        tls_handshake_timeout: LONG,
        drain_timeout: LONG,
        last_call: Duration::from_millis(20),
    }
}

/// A server that runs for one test.
struct Running {
    address: SocketAddr,
    metrics: ConnectionMetrics,
    service: Echo,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Drained>,
}

async fn start(limits: Limits) -> Running {
    start_with(limits, None).await
}

async fn start_with(limits: Limits, tls: Option<Arc<rustls::ServerConfig>>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (metrics, service) = (ConnectionMetrics::default(), Echo::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let workers = Arc::new(Workers::none());
    let serving = serve(listener, tls, limits, metrics.clone(), service.clone(), workers, shutdown);
    Running { address, metrics, service, stop, task: tokio::spawn(serving) }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A client that has sent these bytes before the server, which shares its thread, can run again: no time
    /// limit of the server can come between.
    fn client(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut client = std::net::TcpStream::connect(self.address).unwrap();
        std::io::Write::write_all(&mut client, bytes.as_ref()).unwrap();
        client.set_nonblocking(true).unwrap();
        TcpStream::from_std(client).unwrap()
    }

    /// Sends these bytes and returns everything that comes back until the server closes.
    async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        rest(&mut self.client(bytes)).await
    }

    async fn stop(self) -> Drained {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }

    /// Waits until no connection is open, however slow the machine is.
    async fn empty(&self) {
        self.until(|metrics| metrics.open.get() == 0).await;
    }

    /// Waits until so many requests for /endless are being answered.
    async fn until_endless(&self, count: usize) {
        let waiting = async {
            while self.service.endless.load(Ordering::SeqCst) != count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, waiting).await.expect("the requests never came to that");
    }

    async fn until(&self, true_of: impl Fn(&ConnectionMetrics) -> bool) {
        let waiting = async {
            while !true_of(&self.metrics) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, waiting).await.expect("the metrics never came to that");
    }
}

async fn rest(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut said = Vec::new();
    timeout(LONG, client.read_to_end(&mut said)).await.expect("the server does not close").unwrap();
    String::from_utf8(said).unwrap()
}

/// Reads up to and with `end`.
async fn read_until(client: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut said = String::new();
    while !said.ends_with(end) {
        let byte = timeout(LONG, client.read_u8()).await.expect("no answer").unwrap();
        said.push(char::from(byte));
    }
    said
}

/// Each answer with everything that follows it.
fn answers(said: &str) -> Vec<&str> {
    said.match_indices("HTTP/1.1 ")
        .map(|(at, _)| &said[at..])
        .filter(|answer| answer.as_bytes()[9].is_ascii_digit())
        .collect()
}

fn statuses(said: &str) -> Vec<&str> {
    answers(said).iter().map(|answer| &answer[9..12]).collect()
}

/// Checks an answer of the wire's own: its status, its headers, and that it is the last answer.
fn assert_refused(said: &str, status: &str, detail: &str) {
    let last = answers(said).pop().expect("no answer");
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut answer = httparse::Response::new(&mut headers);
    let head = answer.parse(last.as_bytes()).unwrap().unwrap();
    let body = &last[head..];
    assert_eq!(answer.code.unwrap().to_string(), status, "{said}");
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = parsed["detail"].as_str().unwrap();
    assert!(text.contains(detail), "{text}");
    for (name, value) in [
        ("Content-Type", "application/json"),
        ("Content-Length", body.len().to_string().as_str()),
        ("Connection", "close"),
        ("Cache-Control", "private, no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        let found = answer.headers.iter().find(named).expect(name);
        assert_eq!(found.value, value.as_bytes(), "{name}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(limits()).await;
    let posts = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n\
                 POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let said = server.say(format!("{GET}{posts}{}{LAST}", GET.repeat(500))).await;
    assert_eq!(statuses(&said).len(), 504);
    let bodies: Vec<_> =
        said.match_indices('[').map(|(at, _)| &said[at..=at + said[at..].find(']').unwrap()]).collect();
    assert_eq!(bodies[0], "[GET / tls=false body=]");
    assert_eq!(bodies[1], "[POST /a tls=false body=GET / HTTP/1.1\r\n\r\n]", "a body that looks like a head");
    assert_eq!(bodies[2], "[POST /slow tls=false body=hi]");
    assert_eq!(bodies[503], bodies[0]);
}

const AT_ONCE: &str = "GET /at-once HTTP/1.1\r\nHost: x\r\n\r\n";
const FAST: &str = "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn both_ways_of_answering_take_turns_in_the_order_of_requests() {
    let server = start(limits()).await;
    let post =
        "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\nGET /fast HTTP/1.1\r\nHost: x\r\n\r\n!";
    let decided = "GET /decided HTTP/1.1\r\nHost: x\r\n\r\n";
    let said = server
        .say(format!("{FAST}{GET}{post}{AT_ONCE}{FAST}{AT_ONCE}{decided}{GET}{FAST}{LAST}{FAST}"))
        .await;
    let bodies: Vec<_> =
        said.match_indices('[').map(|(at, _)| &said[at..=at + said[at..].find(']').unwrap()]).collect();
    let get = "[GET / tls=false body=]";
    let slow = "[POST /slow tls=false body=GET /fast HTTP/1.1\r\nHost: x\r\n\r\n!]";
    let (fast, at_once) = ("[fast]", "[at once]");
    assert_eq!(bodies, [fast, get, slow, at_once, fast, at_once, "[decided]", get, fast, get]);
    // In whatever pieces they come.
    let all = format!("{GET}{FAST}{AT_ONCE}{LAST}");
    for at in 1..all.len() {
        let mut client = server.client(&all[..at]);
        tokio::task::yield_now().await;
        client.write_all(&all.as_bytes()[at..]).await.unwrap();
        assert_eq!(statuses(&rest(&mut client).await).len(), 4, "split at {at}");
    }
}

#[tokio::test]
async fn the_express_lane_closes_when_it_is_asked_to_or_stopped() {
    let server = start(limits()).await;
    let last = FAST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let said = server.say(format!("{last}{FAST}")).await;
    assert_eq!((statuses(&said).len(), said.contains("connection: close")), (1, true), "{said}");
    let mut client = server.connect().await;
    client.write_all(FAST.as_bytes()).await.unwrap();
    assert!(!read_until(&mut client, "]").await.contains("connection"));
    let stopping = tokio::spawn(server.stop());
    while !stopping.is_finished() {
        // Within the grace a request is answered, with the note that it is the last.
        if client.write_all(FAST.as_bytes()).await.is_err() {
            break;
        }
        let said = read_until(&mut client, "]").await;
        if said.contains("connection: close") {
            assert_eq!(rest(&mut client).await, "");
            break;
        }
    }
    drop(client);
    assert_eq!(stopping.await.unwrap().cut, 0);
}

/// A socket that counts its reads and writes. tokio calls the kernel only while it expects bytes, and a read that
/// leaves room ends that expectation. So a read that returns bytes is one `recv`, and a read that waits is none.
struct Counted {
    socket: TcpStream,
    reads: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        if read.is_ready() {
            assert!(buf.remaining() > 0, "so large a read might be followed by one in vain");
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// What the connections of a listener share, without a socket.
fn shared() -> Arc<Listener<Echo>> {
    Arc::new(Listener::new(None, limits(), ConnectionMetrics::default(), Echo::default()))
}

fn presence() -> Arc<Presence> {
    Arc::new(Presence::new(tokio::time::Instant::now()))
}

/// Guards the system calls of a request: one `recv` and one `send`, whichever way it takes.
#[tokio::test]
async fn a_request_is_one_read_and_one_write() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, address) = listener.accept().await.unwrap();
    let (reads, writes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Counted { socket, reads: Arc::clone(&reads), writes: Arc::clone(&writes) };
    let (_stop, stopped) = watch::channel(false);
    let held = tokio::spawn(shared().converse(
        counted,
        Peer { address: PeerAddress::Ip(address), tls: false },
        presence(),
        stopped,
    ));
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let asked = [FAST, GET, post, AT_ONCE, FAST];
    for (number, request) in asked.into_iter().enumerate() {
        client.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut client, "]").await;
        assert_eq!(
            (reads.load(Ordering::SeqCst), writes.load(Ordering::SeqCst)),
            (number + 1, number + 1),
            "{request}"
        );
    }
    drop(client);
    assert_eq!(held.await.unwrap(), ConnectionEnd::InOrder);
    assert_eq!(reads.load(Ordering::SeqCst), asked.len() + 1, "and one that finds the end");
}

/// A stream may buffer what is written until it is flushed, as TLS does. Whichever way an answer takes, it has gone out
/// before the next request is waited for.
#[tokio::test]
async fn an_answer_is_flushed_before_the_next_request_is_waited_for() {
    let (mut client, socket) = tokio::io::duplex(1 << 16);
    let address = "127.0.0.1:1".parse().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let kept = tokio::io::BufWriter::new(socket);
    let held = tokio::spawn(shared().converse(
        kept,
        Peer { address: PeerAddress::Ip(address), tls: false },
        presence(),
        stopped,
    ));
    for request in [GET, FAST, GET] {
        client.write_all(request.as_bytes()).await.unwrap();
        timeout(LONG, read_until(&mut client, "]")).await.unwrap();
    }
    drop(client);
    assert_eq!(held.await.unwrap(), ConnectionEnd::InOrder);
}

#[tokio::test]
async fn a_request_may_arrive_in_two_pieces_split_anywhere() {
    let server = start(limits()).await;
    let request = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    for at in 1..request.len() {
        let mut client = server.connect().await;
        client.set_nodelay(true).unwrap();
        client.write_all(&request.as_bytes()[..at]).await.unwrap();
        // Nearly always long enough for a read of its own; if not, the test is only weaker.
        sleep(Duration::from_millis(2)).await;
        client.write_all(&request.as_bytes()[at..]).await.unwrap();
        let said = rest(&mut client).await;
        assert!(said.ends_with("[POST /p tls=false body=hello]"), "split at {at}: {said}");
    }
}

/// The service sees how a refused message begins, whoever found its fault, and sends a body of its own.
#[tokio::test]
async fn a_refused_message_is_answered_with_the_page_of_its_path() {
    let server = start(limits()).await;
    for (request, status) in [
        (format!("GET /page?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(4094)), "414"),
        (format!("GET /page? HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(8190)), "431"),
        ("GET /page? HTTP/1.1\r\n\r\n".to_owned(), "400"),
        // hyper finds this one.
        ("GET /page? HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n".to_owned(), "400"),
    ] {
        let said = server.say(format!("{GET}{request}{LAST}")).await;
        assert_eq!(statuses(&said), ["200", status], "{said}");
        assert!(said.contains("\r\nContent-Type: text/html\r\n") && said.ends_with("</p>"), "{said}");
        assert!(!said.contains("application/json"), "{said}");
    }
}

#[tokio::test]
async fn bad_messages_are_refused_in_json_after_earlier_answers() {
    let server = start(limits()).await;
    let header = |lines: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let cases = [
        (header("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "400", "exclude each other"),
        (header("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), "400", "exclude each other"),
        (header("Content-Length: 3\r\nContent-Length: 3\r\n"), "400", "more than one Content-Length"),
        (header("Host: x\r\n"), "400", "more than one Host"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400", "Host header is missing"),
        (header("A: b\r\n c\r\n"), "400", "folded"),
        ("GET / HTTP/1.1\nHost: x\n\n".to_owned(), "400", "CR LF"),
        (header("A: \0\r\n"), "400", "control characters"),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(4094)),
            "414",
            "Request line is too long.",
        ),
        (header(&format!("A: {}\r\n", "b".repeat(8190))), "431", "Request header fields are too large."),
        (
            header(&format!("A: {}\r\n", "b".repeat(8000)).repeat(9)),
            "431",
            "Request header fields are too large.",
        ),
        (header(&"A: b\r\n".repeat(101)), "431", "too many header fields"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "400", "HTTP/1.1 and HTTP/1.0"),
        ("get / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400", "lower-case"),
        (header("Transfer-Encoding: gzip\r\n"), "501", "Unsupported transfer encoding"),
        // These pass the wire, and hyper finds them.
        (header("A b: c\r\n"), "400", "could not be parsed"),
        (header("Content-Length : 3\r\n"), "400", "could not be parsed"),
        (header("no colon\r\n"), "400", "could not be parsed"),
        ("G@T / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400", "could not be parsed"),
        ("GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400", "could not be parsed"),
    ];
    for (request, status, detail) in &cases {
        assert_refused(&server.say(request).await, status, detail);
        let said = server.say(format!("{GET}{GET}{request}{LAST}")).await;
        assert_eq!(statuses(&said), ["200", "200", status], "{said}");
        assert_refused(&said, status, detail);
    }
    server.empty().await;
    assert_eq!(server.metrics.refused.get(), 2 * cases.len() as u64);
    assert_eq!(server.metrics.accepted.get(), 2 * cases.len() as u64);
}

#[tokio::test]
async fn a_refusal_waits_for_the_slow_answer_before_it() {
    let server = start(limits()).await;
    let said = server.say("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(statuses(&said), ["200", "400"]);
    assert_refused(&said, "400", "Host header is missing");
}

#[tokio::test]
async fn a_client_that_only_closed_its_sending_side_gets_its_answer() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(statuses(&rest(&mut client).await), ["200"]);
}

/// A read for a client that is gone ends: its future is dropped. A write goes on.
#[tokio::test]
async fn finding_13_a_read_ends_with_its_client_and_a_write_does_not() {
    let server = start(limits()).await;
    for (request, ends) in [
        ("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("HEAD /endless HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET /endless HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("POST /endless HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", false),
    ] {
        let client = server.client(request);
        server.until_endless(1).await;
        drop(client);
        if ends {
            server.until_endless(0).await;
            server.empty().await;
        } else {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(server.service.endless.load(Ordering::SeqCst), 1, "{request}");
        }
    }
}

#[tokio::test]
async fn after_chunks_the_connection_closes_and_what_follows_is_not_read() {
    let server = start(limits()).await;
    let chunked = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for smuggled in ["", GET, "GET /bad HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"] {
        let said = server.say(format!("{chunked}{smuggled}")).await;
        assert_eq!(statuses(&said), ["200"], "{said}");
        assert!(said.contains("connection: close\r\n") && said.ends_with("body=abc]"), "{said}");
    }
}

#[tokio::test]
async fn a_large_unread_body_does_not_destroy_the_answer() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    client.write_all(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n").await.unwrap();
    sleep(SHORT).await;
    client.write_all(&vec![b'x'; 600_000]).await.unwrap();
    let said = rest(&mut client).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("not read"), "{said}");
}

#[tokio::test]
async fn expect_continue_is_answered_and_the_body_read() {
    let server = start(limits()).await;
    let mut client = server.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"abc").await.unwrap();
    assert!(rest(&mut client).await.ends_with("body=abc]"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    // The first request has the time of a head.
    let server = start(Limits { head_timeout: SHORT, ..limits() }).await;
    assert_eq!(server.say("").await, "");
    server.empty().await;
    assert_eq!(server.metrics.timed_out.get(), 0, "idling is no fault");
    let server = start(Limits { idle_timeout: SHORT, ..limits() }).await;
    assert_eq!(statuses(&server.say(GET).await), ["200"]);
    server.empty().await;
    assert_eq!(server.metrics.timed_out.get(), 0, "idling is no fault");
}

#[tokio::test]
async fn a_slow_head_is_a_408_and_bytes_do_not_prolong_it() {
    let server = start(Limits { head_timeout: SHORT * 4, ..limits() }).await;
    let (mut reading, mut writing) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        writing.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nA: ").await.unwrap();
        while writing.write_all(b"b").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert_refused(&read_until(&mut reading, "}").await, "408", "Request timed out.");
    drip.await.unwrap();
    server.until(|metrics| metrics.timed_out.get() == 1).await;
}

#[tokio::test]
async fn a_slow_body_is_answered_once_by_the_service() {
    let server = start(Limits { body_timeout: SHORT, ..limits() }).await;
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc";
    let said = server.say(format!("{GET}{post}")).await;
    assert_eq!(statuses(&said), ["200", "408"]);
    assert!(said.ends_with("[POST / tls=false body=too slow]"), "{said}");
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab";
    let said = server.say(chunked).await;
    assert_eq!(statuses(&said), ["408"]);
    assert!(said.ends_with("[POST / tls=false body=too slow]"), "{said}");
    server.until(|metrics| metrics.timed_out.get() == 2).await;
    assert_eq!(server.service.refusals.load(Ordering::SeqCst), 0, "it is a request");
}

#[tokio::test]
async fn time_in_the_service_counts_for_no_limit() {
    let quick = Limits { idle_timeout: SHORT, head_timeout: SHORT, body_timeout: SHORT, ..limits() };
    let server = start(quick).await;
    let slow = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let said = server.say(format!("{slow}{slow}")).await;
    assert_eq!(statuses(&said), ["200", "200"], "{said}");
}

#[tokio::test]
async fn a_peer_that_takes_no_answer_is_let_go() {
    let server = start(Limits { write_timeout: SHORT, ..limits() }).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.until(|metrics| metrics.timed_out.get() == 1).await;
    server.empty().await;
}

#[tokio::test]
async fn a_panic_ends_only_its_connection() {
    let server = start(limits()).await;
    let mut bystander = server.connect().await;
    assert_eq!(server.say("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await, "");
    bystander.write_all(LAST.as_bytes()).await.unwrap();
    assert_eq!(statuses(&rest(&mut bystander).await), ["200"]);
    server.empty().await;
}

#[tokio::test]
async fn clients_above_the_limit_wait_for_room() {
    let server = start(Limits { max_connections: 1, ..limits() }).await;
    let mut first = server.connect().await;
    // Half a body: a request is under way.
    first.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na").await.unwrap();
    server.until(|metrics| metrics.open.get() == 1).await;
    let mut second = server.connect().await;
    second.write_all(LAST.as_bytes()).await.unwrap();
    assert!(timeout(SHORT * 3, second.read_u8()).await.is_err(), "not before the first has gone");
    assert_eq!((server.metrics.accepted.get(), server.metrics.evicted.get()), (1, 0));
    drop(first);
    assert_eq!(statuses(&rest(&mut second).await), ["200"]);
}

/// Guards issue 13, number 10: silent connections kept all others out for as long as they liked.
#[tokio::test]
async fn finding_10_at_a_full_gate_the_longest_idle_connection_goes_first() {
    let server = start(Limits { max_connections: 3, ..limits() }).await;
    let mut silent = server.connect().await;
    server.until(|metrics| metrics.open.get() == 1).await;
    let mut half = server.client("GET / HTTP/1.1\r\nHost: x\r\n");
    server.until(|metrics| metrics.open.get() == 2).await;
    let mut kept = server.connect().await;
    kept.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut kept, "]").await;
    let mut more = Vec::new();
    for gone in [&mut silent, &mut half] {
        assert_eq!(statuses(&server.say(LAST).await), ["200"]);
        let mut said = Vec::new();
        let _ = timeout(LONG, gone.read_to_end(&mut said)).await.expect("it was not closed");
        assert_eq!(said, b"");
        // The new connection has gone, too: fill the gate again.
        server.until(|metrics| metrics.open.get() == 2).await;
        more.push(server.connect().await);
        server.until(|metrics| metrics.open.get() == 3).await;
    }
    assert_eq!(server.metrics.evicted.get(), 2);
    kept.write_all(LAST.as_bytes()).await.unwrap();
    assert_eq!(statuses(&rest(&mut kept).await), ["200"], "it was idle for a shorter time");
}

/// A connection from an address that is no proxy's.
async fn stranger(server: &Running) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{NO_PROXY}:0").parse().unwrap()).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// Guards issue 13, number 10: one address could take all connections.
#[tokio::test]
async fn finding_10_one_network_has_a_quarter_of_the_places() {
    let server = start(Limits { max_connections: 8, ..limits() }).await;
    let mut busy = Vec::new();
    for open in 1..=2 {
        let mut client = stranger(&server).await;
        client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na").await.unwrap();
        server.until(|metrics| metrics.accepted.get() == open).await;
        busy.push(client);
    }
    // No connection of its own is idle.
    server.until(|metrics| metrics.open.get() == 2).await;
    sleep(SHORT).await;
    let refused = rest(&mut stranger(&server).await).await;
    assert_refused(&refused, "503", "try again later");
    assert!(refused.contains("Retry-After: 1\r\n"));
    assert_eq!((server.metrics.over_share.get(), server.metrics.accepted.get()), (1, 2));
    // Other networks are admitted, and so is this one again when one of its connections is idle.
    assert_eq!(statuses(&server.say(LAST).await), ["200"]);
    busy[0].write_all(b"b").await.unwrap();
    read_until(&mut busy[0], "]").await;
    sleep(Gate::PAUSE).await;
    let mut client = stranger(&server).await;
    client.write_all(LAST.as_bytes()).await.unwrap();
    assert_eq!(statuses(&rest(&mut client).await), ["200"]);
    assert_eq!(rest(&mut busy[0]).await, "", "the idle one of this network went for it");
    assert_eq!(server.metrics.evicted.get(), 1);
}

/// Guards issue 13, number 3: of an answer that is read slowly, one slice is in memory and not all of it.
#[tokio::test]
async fn finding_03_a_large_answer_leaves_in_slices() {
    let server = start(limits()).await;
    let mut client = server.client("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (mut length, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        let read = timeout(LONG, client.read(&mut piece)).await.expect("the answer stopped").unwrap();
        length += read;
        if read == 0 {
            break;
        }
    }
    assert!(length > 64 << 20, "{length}");
}

/// Guards issue 13, number 3: heads of thousands of connections fill no more memory than the budget has.
#[tokio::test]
async fn finding_03_large_heads_count_as_bodies_do() {
    let server = start(limits()).await;
    let head = |size: usize| {
        let line = format!("A: {}\r\n", "b".repeat(5000));
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}", line.repeat(size / line.len()))
    };
    // More than half of the budget is used.
    let mut share = server.service.memory.share();
    assert!(share.grow_to(700_000));
    assert_refused(&server.say(head(60_000)).await, "503", "try again later");
    // A usual head is not counted, and a large one is let go with its message.
    assert_eq!(statuses(&server.say(LAST).await), ["200"]);
    drop(share);
    let large = format!("{}\r\n", head(60_000));
    let mut client = server.client(large.repeat(20));
    for _ in 0..20 {
        assert_eq!(statuses(&read_until(&mut client, "]").await), ["200"]);
    }
    client.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut client, "]").await;
    assert_eq!(server.service.memory.used(), 0);
}

#[tokio::test]
async fn a_stop_lets_a_request_in_flight_finish_and_closes_idle_connections() {
    let server = start(limits()).await;
    let mut idle = server.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut idle, "]").await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    while !server.service.slow_began.load(Ordering::SeqCst) {
        sleep(Duration::from_millis(5)).await;
    }
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(rest(&mut idle).await, "");
    let said = rest(&mut busy).await;
    assert!(
        said.contains("connection: close\r\n") && said.ends_with("[GET /slow tls=false body=]"),
        "{said}"
    );
    drop((idle, busy));
    assert_eq!(stopping.await.unwrap(), Drained { finished: 2, cut: 0 });
    assert!(TcpStream::connect(address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn a_stop_cuts_what_is_not_done_in_time() {
    let server = start(Limits { drain_timeout: SHORT, ..limits() }).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    read_until(&mut stuck, "\r\n\r\n").await;
    let metrics = server.metrics.clone();
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 1 });
    assert_eq!(metrics.open.get(), 0);
}

#[tokio::test]
async fn a_client_still_in_the_backlog_at_a_stop_is_answered() {
    // The last call is short, so try again if the machine was slow.
    for _ in 0..20 {
        let server = start(limits()).await;
        let mut client = server.client(GET);
        let stopping = tokio::spawn(server.stop());
        let mut said = String::new();
        let answered = client.read_to_string(&mut said).await.is_ok() && !said.is_empty();
        drop(client);
        let drained = stopping.await.unwrap();
        if answered {
            assert_eq!((statuses(&said), drained.cut), (vec!["200"], 0));
            return;
        }
    }
    panic!("a stop resets the clients in the backlog");
}

/// A server configuration, and a client that trusts it.
fn tls_pair() -> (Arc<rustls::ServerConfig>, tokio_rustls::TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Certificates::read(&cert, &key).unwrap().server_config().unwrap();
    (config, Arc::new(client).into())
}

#[tokio::test]
async fn requests_and_refusals_pass_over_tls() {
    let (config, connector) = tls_pair();
    let server = start_with(limits(), Some(config)).await;
    for (request, end) in [
        (LAST, "[GET / tls=true body=]"),
        (&format!("{FAST}{LAST}"), "[GET / tls=true body=]"),
        ("GET / HTTP/1.1\r\n\r\n", "is missing.\"}"),
    ] {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut client = connector.connect(name, server.connect().await).await.unwrap();
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        client.write_all(request.as_bytes()).await.unwrap();
        assert!(rest(&mut client).await.ends_with(end), "with close_notify, or reading fails");
    }
}

#[tokio::test]
async fn a_handshake_has_a_time_limit_and_a_stop_does_not_wait_for_one() {
    let (config, _) = tls_pair();
    let server = start_with(Limits { tls_handshake_timeout: SHORT, ..limits() }, Some(config)).await;
    assert_eq!(server.say("").await, "");
    server.empty().await;
    assert_eq!(server.metrics.timed_out.get(), 1);
    let (config, _) = tls_pair();
    let server = start_with(limits(), Some(config)).await;
    let mut client = server.connect().await;
    server.until(|metrics| metrics.open.get() == 1).await;
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 1 });
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn plain_http_to_a_tls_port_only_ends_that_connection() {
    let (config, _) = tls_pair();
    let server = start_with(limits(), Some(config)).await;
    let mut client = server.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ = timeout(LONG, client.read_to_end(&mut said)).await.expect("the server does not close");
    server.empty().await;
    assert!(!server.task.is_finished());
}

/// An idle connection costs the size of its future, and there may be thousands of plain ones.
#[tokio::test]
async fn a_connection_without_tls_needs_little_room() {
    let stream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(stream.local_addr().unwrap()).unwrap();
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let gate = Gate::new(1, ConnectionMetrics::default());
    let Admission::Admitted(permit) = gate.enter(None) else { panic!("there is no permit") };
    let (_stop, stopped) = watch::channel(false);
    let room = size_of_val(&shared().serve(
        AcceptedStream { stream: DetachedStream::Tcp(stream), address: PeerAddress::Ip(address), permit },
        stopped,
    ));
    assert!(room < 3072, "{room} bytes");
}
