use std::future::poll_fn;

use hyper::rt::{Read, Write};
use tokio::io::{DuplexStream, duplex};

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LONG: Duration = Duration::from_secs(60);

fn limits() -> WireLimits {
    WireLimits {
        max_head_bytes: 65536,
        idle_timeout: LONG,
        head_timeout: LONG,
        body_timeout: LONG,
        write_timeout: LONG,
    }
}

fn pair(limits: WireLimits) -> (DuplexStream, Wire<DuplexStream>) {
    let (client, server) = duplex(1 << 20);
    (client, Wire::new(server, limits))
}

/// One read as hyper makes it, with this much room.
async fn read(wire: &mut Wire<DuplexStream>, room: usize) -> io::Result<Vec<u8>> {
    let mut space = vec![0; room];
    let mut buf = hyper::rt::ReadBuf::new(&mut space);
    poll_fn(|cx| Pin::new(&mut *wire).poll_read(cx, buf.unfilled())).await?;
    Ok(buf.filled().to_vec())
}

async fn write(wire: &mut Wire<DuplexStream>, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *wire).poll_write(cx, bytes)).await
}

async fn finish(wire: Wire<DuplexStream>, mut client: DuplexStream) -> (Ending, String) {
    client.shutdown().await.unwrap();
    let ending = wire.finish().await;
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    (ending, said)
}

#[tokio::test]
async fn messages_come_one_at_a_time_and_a_bad_head_not_at_all() {
    let (mut client, mut wire) = pair(limits());
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let bad = b"GET /bad HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n";
    client.write_all(&[GET, post, bad].concat()).await.unwrap();
    assert_eq!(read(&mut wire, 8192).await.unwrap(), GET);
    assert_eq!(read(&mut wire, 8192).await.unwrap(), post);
    assert_eq!(read(&mut wire, 8192).await.unwrap(), b"", "the end, as far as hyper knows");
    let (ending, said) = finish(wire, client).await;
    assert_eq!(ending, Ending::Refused);
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with(r#"more than one Host header."}"#), "{said}");
}

#[tokio::test]
async fn a_message_passes_whole_through_little_room_and_in_little_pieces() {
    let post = [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".as_slice(), b"123456789"].concat();
    for room in [1, 7, 48] {
        let (mut client, mut wire) = pair(limits());
        let sender = async {
            for byte in [&post[..], GET].concat() {
                client.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let receiver = async {
            let mut got = Vec::new();
            while got.len() < post.len() + GET.len() {
                got.extend(read(&mut wire, room).await.unwrap());
            }
            got
        };
        assert_eq!(tokio::join!(sender, receiver).1, [&post[..], GET].concat(), "room for {room}");
        assert!(wire.held.is_empty() && wire.framing == Framing::Head);
    }
}

#[tokio::test]
async fn an_answer_of_hypers_own_is_replaced_and_earlier_bytes_are_kept() {
    let (mut client, mut wire) = pair(limits());
    client.write_all(GET).await.unwrap();
    read(&mut wire, 8192).await.unwrap();
    let bytes = b"earlierHTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(write(&mut wire, bytes).await.unwrap(), 7);
    assert_eq!(write(&mut wire, &bytes[7..]).await.unwrap(), bytes.len() - 7);
    let (ending, said) = finish(wire, client).await;
    assert_eq!(ending, Ending::Refused);
    assert!(said.starts_with("earlierHTTP/1.1 400 ") && said.ends_with("could not be parsed.\"}"), "{said}");
}

#[tokio::test]
async fn an_answer_of_the_service_is_never_touched() {
    let (mut client, mut wire) = pair(limits());
    client.write_all(GET).await.unwrap();
    read(&mut wire, 8192).await.unwrap();
    wire.seen().mark();
    let bytes = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(write(&mut wire, bytes).await.unwrap(), bytes.len());
    let (ending, said) = finish(wire, client).await;
    assert_eq!((ending, said.as_bytes()), (Ending::Quiet, &bytes[..]));
}

#[tokio::test]
async fn a_slow_body_is_a_408_unless_an_answer_has_begun() {
    let slow = WireLimits { body_timeout: Duration::from_millis(30), ..limits() };
    for begun in [false, true] {
        let (mut client, mut wire) = pair(slow);
        client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
        read(&mut wire, 8192).await.unwrap();
        wire.seen().mark();
        write(&mut wire, b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        if begun {
            write(&mut wire, b"HTTP/1.1 200 OK\r\n").await.unwrap();
        }
        assert_eq!(read(&mut wire, 8192).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        write(&mut wire, b"MORE").await.unwrap();
        let (ending, said) = finish(wire, client).await;
        assert_eq!(ending, Ending::TimedOut);
        assert_eq!(said.ends_with("200 OK\r\nMORE"), begun, "{said}");
        assert_eq!(said.contains("\r\n\r\nHTTP/1.1 408 "), !begun, "{said}");
    }
}

#[tokio::test]
async fn limits_without_end_are_no_limits() {
    let endless = WireLimits { idle_timeout: Duration::MAX, write_timeout: Duration::MAX, ..limits() };
    let (mut client, mut wire) = pair(endless);
    let waited = timeout(Duration::from_millis(20), read(&mut wire, 8192)).await;
    assert!(waited.is_err(), "nothing to read, and no hurry");
    client.write_all(GET).await.unwrap();
    assert_eq!(read(&mut wire, 8192).await.unwrap(), GET);
}

#[tokio::test]
async fn an_alarm_fires_for_the_deadline_asked_last_not_for_the_one_it_was_set_to() {
    let mut alarm = Alarm::default();
    let start = Instant::now();
    let (near, far) = (start + Duration::from_millis(20), start + Duration::from_millis(60));
    poll_fn(|cx| {
        assert!(!alarm.passed(cx, far + LONG), "set late");
        assert!(!alarm.passed(cx, near), "moved to the front");
        Poll::Ready(())
    })
    .await;
    poll_fn(|cx| alarm::until(&mut alarm, cx, Some(far))).await;
    assert!(start.elapsed() >= Duration::from_millis(60));
}
