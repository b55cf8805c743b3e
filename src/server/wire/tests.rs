use std::pin::pin;

use hyper::rt::{Read, Write};
use tokio::io::{DuplexStream, duplex};
use tokio::task::coop::consume_budget;

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
    let presence = Arc::new(Presence::new(Instant::now()));
    let memory = MemoryBudget::new(1 << 20, Default::default(), Default::default());
    (client, Wire::new(server, limits, presence, memory))
}

/// Waits for the next message.
async fn next(wire: &mut Wire<DuplexStream>) -> Option<Frame> {
    loop {
        if let Some(frame) = wire.frame() {
            return Some(frame);
        }
        if !poll_fn(|cx| wire.poll_more(cx)).await.unwrap() {
            return None;
        }
    }
}

/// One read as hyper makes it, with this much room.
async fn read(stream: &mut MessageStream<'_, DuplexStream>, room: usize) -> io::Result<Vec<u8>> {
    let mut space = vec![0; room];
    let mut buf = hyper::rt::ReadBuf::new(&mut space);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf.unfilled())).await?;
    Ok(buf.filled().to_vec())
}

async fn write(stream: &mut MessageStream<'_, DuplexStream>, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await
}

async fn finish(wire: Wire<DuplexStream>, mut client: DuplexStream) -> (WireOutcome, String) {
    client.shutdown().await.unwrap();
    let ending = wire.finish(RefusalAnswer::default()).await;
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    (ending, said)
}

#[tokio::test]
async fn messages_come_one_at_a_time_and_a_bad_head_not_at_all() {
    let (mut client, mut wire) = pair(limits());
    let post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let bad = b"GET /bad HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n";
    client.write_all(&[GET, post, GET, bad].concat()).await.unwrap();
    for message in [GET, post] {
        let frame = next(&mut wire).await.unwrap();
        let mut stream = MessageStream::new(&mut wire, frame);
        assert_eq!(read(&mut stream, 8192).await.unwrap(), message);
        assert!(!stream.goes_on());
        assert_eq!(read(&mut stream, 8192).await.unwrap(), b"", "the end, as far as hyper knows");
        assert!(stream.goes_on());
    }
    assert!(wire.unchecked().unwrap().starts_with(GET));
    wire.take(GET.len());
    wire.write_all(b"answer").await.unwrap();
    assert_eq!(next(&mut wire).await, None);
    let (ending, said) = finish(wire, client).await;
    assert_eq!(ending, WireOutcome::Refused);
    assert!(
        said.starts_with("answerHTTP/1.1 400 ") && said.ends_with(r#"more than one Host header."}"#),
        "{said}"
    );
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
            for message in [&post[..], GET] {
                let frame = next(&mut wire).await.unwrap();
                let mut stream = MessageStream::new(&mut wire, frame);
                let mut got = Vec::new();
                while !stream.goes_on() {
                    got.extend(read(&mut stream, room).await.unwrap());
                }
                assert_eq!(got, message, "room for {room}");
            }
        };
        tokio::join!(sender, receiver);
        assert!(wire.held.is_empty() && wire.unchecked().is_none());
    }
}

#[tokio::test]
async fn a_head_in_pieces_is_not_looked_at_with_each_of_them() {
    let (mut client, mut wire) = pair(limits());
    for (piece, looked_at) in [(&GET[..9], true), (&GET[9..12], false), (&GET[12..], true)] {
        client.write_all(piece).await.unwrap();
        assert!(poll_fn(|cx| wire.poll_more(cx)).await.unwrap());
        assert_eq!(wire.unchecked().is_some(), looked_at);
        wire.frame();
    }
}

#[tokio::test]
async fn no_more_is_shown_than_a_head_may_have() {
    let (mut client, mut wire) = pair(WireLimits { max_head_bytes: 20, ..limits() });
    client.write_all(GET).await.unwrap();
    assert!(poll_fn(|cx| wire.poll_more(cx)).await.unwrap());
    assert_eq!(wire.unchecked(), Some(&GET[..20]));
}

#[tokio::test]
async fn an_answer_of_hypers_own_is_replaced() {
    let (mut client, mut wire) = pair(limits());
    client.write_all(GET).await.unwrap();
    let frame = next(&mut wire).await.unwrap();
    let mut stream = MessageStream::new(&mut wire, frame);
    read(&mut stream, 8192).await.unwrap();
    let bytes = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(write(&mut stream, bytes).await.unwrap(), bytes.len());
    assert!(!stream.goes_on());
    let (ending, said) = finish(wire, client).await;
    assert_eq!(ending, WireOutcome::Refused);
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with("could not be parsed.\"}"), "{said}");
}

#[tokio::test]
async fn an_answer_of_the_service_is_never_touched() {
    let (mut client, mut wire) = pair(limits());
    client.write_all(GET).await.unwrap();
    let frame = next(&mut wire).await.unwrap();
    let mut stream = MessageStream::new(&mut wire, frame);
    read(&mut stream, 8192).await.unwrap();
    stream.marks().set_seen();
    let bytes = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(write(&mut stream, bytes).await.unwrap(), bytes.len());
    let (ending, said) = finish(wire, client).await;
    assert_eq!((ending, said.as_bytes()), (WireOutcome::Quiet, &bytes[..]));
}

/// The service has the request: its answer is the only one.
#[tokio::test]
async fn a_slow_body_is_an_error_and_no_refusal() {
    let slow = WireLimits { body_timeout: Duration::from_millis(30), ..limits() };
    for begun in ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
        let (mut client, mut wire) = pair(slow);
        client.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
        let frame = next(&mut wire).await.unwrap();
        let mut stream = MessageStream::new(&mut wire, frame);
        read(&mut stream, 8192).await.unwrap();
        stream.marks().set_seen();
        write(&mut stream, begun.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream, 8192).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        write(&mut stream, b"MORE").await.unwrap();
        assert!(!stream.goes_on());
        assert_eq!(wire.refusal(), None);
        let (ending, said) = finish(wire, client).await;
        assert_eq!((ending, said), (WireOutcome::TimedOut, format!("{begun}MORE")));
    }
}

#[tokio::test]
async fn limits_without_end_are_no_limits() {
    let endless = WireLimits { idle_timeout: Duration::MAX, write_timeout: Duration::MAX, ..limits() };
    let (mut client, mut wire) = pair(endless);
    let waited = timeout(Duration::from_millis(20), next(&mut wire)).await;
    assert!(waited.is_err(), "nothing to read, and no hurry");
    client.write_all(GET).await.unwrap();
    assert!(next(&mut wire).await.is_some());
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

/// A task that does much at once runs out of tokio's budget. A poll then returns `Pending` and sets no timer.
#[tokio::test]
async fn an_alarm_that_was_asked_without_budget_is_not_taken_to_be_set() {
    let far = Instant::now() + Duration::from_secs(60);
    let (mut alarm, mut polled) = (Alarm::default(), false);
    let task = poll_fn(move |cx| {
        let again = std::mem::replace(&mut polled, true);
        // The last of these wakes the task, which begins anew with a full budget.
        while !again && pin!(consume_budget()).poll(cx).is_ready() {}
        assert!(!alarm.passed(cx, far));
        assert_eq!(alarm.is_set(cx, Instant::now(), Some(far)), again);
        if again { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::spawn(task).await.unwrap();
}
