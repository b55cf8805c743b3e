use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::family::Family;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::telemetry::OutboundLabels;

/// A server that answers every connection with the same bytes, and counts connections. It reads the request first.
async fn server(answer: &'static [u8], ends: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
                // An endless body, or silence, until the client goes away.
                while !ends && (answer.is_empty() || stream.write_all(&[b'x'; 1024]).await.is_ok()) {
                    if answer.is_empty() && matches!(stream.read(&mut request).await, Ok(0) | Err(_)) {
                        break;
                    }
                }
            });
        }
    });
    (address, seen)
}

fn endpoint(url: &str, opened: &str, own: &[SocketAddr]) -> Endpoint {
    let opened: Vec<ipnet::IpNet> = opened.split_whitespace().map(|net| net.parse().unwrap()).collect();
    Endpoint::new(url, "test", &Door::new(AddressGuard::new(&opened, own), CallCounter::default()), None)
        .unwrap()
}

async fn post(endpoint: &Endpoint) -> Result<EndpointReply, String> {
    endpoint.post(HeaderMap::new(), b"{}".to_vec()).await.map_err(|error| error.to_string())
}

/// However an inner address is written, and whether it is a name or a number, no connection is made.
#[tokio::test]
async fn inner_addresses_are_refused_in_every_form() {
    let (address, seen) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    let port = address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.000.000.001",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[::]",
        "169.254.169.254",
        "[fe80::1]",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    ] {
        let error = post(&endpoint(&format!("http://{host}:{port}/"), "", &[])).await.unwrap_err();
        let is_refused = error.contains("open its network with outbound_networks");
        // A name that the system's resolver does not know is no address at all.
        let is_unknown = host == "localhost." && error.contains("no connection");
        assert!(is_refused || is_unknown, "{host}: {error}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    for host in ["127.0.0.1", "localhost", "2130706433"] {
        let reply = post(&endpoint(&format!("http://{host}:{port}/"), "127.0.0.0/8", &[])).await.unwrap();
        assert_eq!(reply.status, 200, "{host}");
        // An own listener is never opened.
        let own = endpoint(&format!("http://{host}:{port}/"), "0.0.0.0/0 ::/0", &[address]);
        assert_eq!(post(&own).await.unwrap_err(), "this server itself listens at the address", "{host}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (inner, seen) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    let head =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{inner}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = server(head.leak().as_bytes(), true).await;
    let reply = post(&endpoint(&format!("http://{address}/"), "127.0.0.0/8", &[])).await.unwrap();
    assert_eq!((reply.status, seen.load(Ordering::SeqCst)), (307, 0));
}

/// What a provider sends without end, or never, costs bounded time and memory.
#[tokio::test]
async fn a_call_is_bounded_in_time_and_memory() {
    let (silent, _) = server(b"", false).await;
    let short = Duration::from_millis(200);
    let hanging = endpoint(&format!("http://{silent}/"), "127.0.0.0/8", &[]).with_limit(short);
    assert_eq!(post(&hanging).await.unwrap_err(), "no response within 200ms");
    let (endless, _) = server(b"HTTP/1.1 500 Oops\r\nretry-after: 7\r\n\r\n", false).await;
    let reply = post(&endpoint(&format!("http://{endless}/"), "127.0.0.0/8", &[])).await.unwrap();
    assert_eq!(
        (reply.status, reply.body.len(), reply.retry_after),
        (500, RESPONSE_LIMIT, Some(Duration::from_secs(7)))
    );
    // A success is one as soon as its head is there.
    let (endless, _) = server(b"HTTP/1.1 202 Accepted\r\n\r\n", false).await;
    let reply = post(&endpoint(&format!("http://{endless}/"), "127.0.0.0/8", &[])).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (202, 0));
    for garbage in
        [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"\x00\x01\x02", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"]
    {
        let (address, _) = server(garbage, true).await;
        let error = post(&endpoint(&format!("http://{address}/"), "127.0.0.0/8", &[])).await.unwrap_err();
        assert_eq!(error, "the connection broke, or the response was not HTTP");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = post(&endpoint(&format!("http://{closed}/"), "127.0.0.0/8", &[])).await.unwrap_err();
    assert_eq!(error, "no connection: check the name, the port and the network");
}

/// A certificate of an unknown authority is refused, and one of `outbound_ca_file` for another name, too.
#[tokio::test]
async fn a_certificate_is_checked() {
    let made = rcgen::generate_simple_self_signed(["hooks.example.com".to_owned()]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let ca = place.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let guard = AddressGuard::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let door = Door::new(guard, CallCounter::default());
    for ca in [None, Some(ca.as_path())] {
        let endpoint = Endpoint::new(&format!("https://localhost:{port}/"), "test", &door, ca).unwrap();
        assert_eq!(
            post(&endpoint).await.unwrap_err(),
            "the certificate was not accepted: check its name, its end and the authority"
        );
    }
    let missing =
        Endpoint::new("https://localhost/", "test", &door, Some(std::path::Path::new("/nonexistent/ca.pem")));
    assert!(
        missing.map(|_| ()).unwrap_err().starts_with("outbound_ca_file: /nonexistent/ca.pem cannot be read")
    );
}

/// A name server of a test: the answers to the queries for addresses of IPv4, in their order, and then the last one again and
/// again. Queries for other records get an empty answer. Returns where it listens, and the count of the former.
async fn name_server(answers: Vec<Vec<[u8; 4]>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let query = &packet[..length];
            // The name ends with an empty label; the type and the class follow.
            let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_a = query[end - 4..end - 2] == [0, 1];
            let number = if is_a { counter.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
            let found = if is_a { answers.get(number).or(answers.last()).unwrap().clone() } else { vec![] };
            let count = u8::try_from(found.len()).unwrap();
            let mut reply =
                [&query[..2], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], &query[12..end]].concat();
            for octets in found {
                // The name of the query, A, IN, no time to live, four bytes.
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                reply.extend(octets);
            }
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    (address, seen)
}

/// Asks a name server for the addresses of a name, as the system's resolver does.
async fn look_up(server: SocketAddr, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    socket.send_to(&query, server).await?;
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).await?;
    let records = reply[query.len()..length].chunks(16);
    let address = |record: &[u8]| <[u8; 4]>::try_from(&record[12..]).unwrap();
    Ok(records.map(|record| SocketAddr::from((address(record), port))).collect())
}

/// A name whose answer changes: first it leads outside, then to this machine. A name that leads to both at once: only the outer
/// address is tried. The connection uses the answer that was checked, so there is one query for each call.
#[tokio::test]
async fn a_name_that_changes_its_answer_leads_nowhere_inside() {
    // Of a network for documentation (RFC 5737): no one answers there.
    const OUTSIDE: [u8; 4] = [203, 0, 113, 7];
    const INSIDE: [u8; 4] = [127, 0, 0, 1];
    let (inner, reached) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    let (names, asked) =
        name_server(vec![vec![OUTSIDE], vec![INSIDE], vec![INSIDE, OUTSIDE], vec![INSIDE]]).await;
    let counted = Family::default();
    let calls = CallCounter::new(counted.clone());
    let door = Door {
        lookup: Arc::new(move |name, port| Box::pin(look_up(names, name, port))),
        ..Door::new(AddressGuard::default(), calls)
    };
    let url = format!("http://rebinding.example.com:{}/", inner.port());
    let short = Duration::from_millis(700);
    let endpoint = Endpoint::new(&url, "test", &door, None).unwrap().with_limit(short);
    let closed = "the address is loopback: open its network with outbound_networks if that is intended";
    for (call, is_outside) in [true, false, true, false].into_iter().enumerate() {
        let error = post(&endpoint).await.unwrap_err();
        assert_eq!(error == closed, !is_outside, "call {call}: {error}");
        assert_eq!((asked.load(Ordering::SeqCst), reached.load(Ordering::SeqCst)), (call + 1, 0));
    }
    let forbidden = OutboundLabels { kind: "test", result: "forbidden" };
    assert_eq!(counted.get_or_create(&forbidden).get(), 2);
    // An operator's own URL opens the address that is written there, and no name.
    let named = Url::parse(&url).unwrap();
    let own = Endpoint::new(&url, "test", &door.for_operator(&named), None).unwrap();
    assert_eq!(post(&own).await.unwrap_err(), closed);
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    // The name server is believed where that is allowed.
    let opened = AddressGuard::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let open = Door { guard: Arc::new(opened), ..door };
    let reply = post(&Endpoint::new(&url, "test", &open, None).unwrap()).await.unwrap();
    assert_eq!((reply.status, reached.load(Ordering::SeqCst)), (200, 1));
}

/// Each call is counted once, by its result.
#[tokio::test]
async fn calls_are_counted_by_their_result() {
    let counted = Family::default();
    let guard = AddressGuard::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    let door = Door::new(guard, CallCounter::new(counted.clone()));
    let call = async |address: SocketAddr| {
        let endpoint = Endpoint::new(&format!("http://{address}/"), "test", &door, None).unwrap();
        _ = post(&endpoint.with_limit(Duration::from_millis(300))).await;
    };
    for answer in [
        &b"HTTP/1.1 204 No Content\r\n\r\n"[..],
        b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n",
        b"garbage\r\n",
    ] {
        call(server(answer, true).await.0).await;
    }
    call(server(b"", false).await.0).await;
    call("[::1]:9".parse().unwrap()).await;
    for result in ["2xx", "3xx", "4xx", "5xx", "failed", "timeout", "forbidden"] {
        assert_eq!(counted.get_or_create(&OutboundLabels { kind: "test", result }).get(), 1, "{result}");
    }
}
