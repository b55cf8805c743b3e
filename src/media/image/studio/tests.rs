use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const REFUSED: Made = Err(StudioError::Refused(PictureRefusal::NotAnImage));

/// A queue whose work waits until the sender is dropped, and counts.
fn held() -> (Studio, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, gate) = mpsc::channel::<()>();
    let (gate, begun) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&begun);
    let work = move |_: &StudioQueue, _: &[u8]| {
        counted.fetch_add(1, Ordering::SeqCst);
        let _released = gate.lock().unwrap().recv();
        REFUSED
    };
    (Studio::working(PictureLimits::default(), Box::new(work)), release, begun)
}

fn offered(studio: &Studio, bytes: usize) -> tokio::task::JoinHandle<Made> {
    let studio = studio.clone();
    tokio::spawn(async move { studio.make_safe(Bytes::from(vec![0; bytes])).await })
}

/// Waits until the queue has this many places taken, and this many uploads wait.
async fn taken(studio: &Studio, places: usize, waiting: usize) {
    let is_so = |state: &StudioState| (state.places, state.waiting.len()) == (places, waiting);
    while !is_so(&studio.0.0.lock()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn is_full(made: &Made) -> bool {
    matches!(made, Err(StudioError::Full { retry_after }) if *retry_after == RETRY_AFTER)
}

#[tokio::test]
async fn a_full_queue_is_refused_and_recovers() {
    let (studio, release, _) = held();
    let jobs: Vec<_> = (0..PLACES).map(|_| offered(&studio, 1)).collect();
    taken(&studio, PLACES, PLACES - WORKERS).await;
    assert!(is_full(&studio.make_safe(Bytes::from_static(b"x")).await));
    drop(release);
    for job in jobs {
        assert_eq!(job.await.unwrap(), REFUSED);
    }
    assert_eq!(studio.make_safe(Bytes::from_static(b"x")).await, REFUSED);
    let state = studio.0.0.lock();
    assert_eq!((state.places, state.bytes), (0, 0));
    assert!(state.workers <= WORKERS);
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    let (studio, release, _) = held();
    let size = studio.limits().max_bytes;
    let fitting = PLACES_BYTES / size;
    let jobs: Vec<_> = (0..fitting).map(|_| offered(&studio, size)).collect();
    taken(&studio, fitting, fitting - WORKERS).await;
    assert!(is_full(&offered(&studio, size).await.unwrap()));
    drop(release);
    for job in jobs {
        assert_eq!(job.await.unwrap(), REFUSED);
    }
}

#[tokio::test]
async fn a_file_over_the_limit_takes_no_place() {
    let (studio, _release, begun) = held();
    let limit = studio.limits().max_bytes;
    let refused = offered(&studio, limit + 1).await.unwrap();
    assert_eq!(refused, Err(PictureRefusal::TooManyBytes { bytes: limit + 1, limit }.into()));
    assert_eq!(begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn work_whose_caller_has_gone_is_not_begun() {
    let (studio, release, begun) = held();
    let busy: Vec<_> = (0..WORKERS).map(|_| offered(&studio, 1)).collect();
    taken(&studio, WORKERS, 0).await;
    let abandoned = offered(&studio, 1);
    taken(&studio, WORKERS + 1, 1).await;
    abandoned.abort();
    abandoned.await.unwrap_err();
    drop(release);
    for job in busy {
        assert_eq!(job.await.unwrap(), REFUSED);
    }
    taken(&studio, 0, 0).await;
    assert_eq!(begun.load(Ordering::SeqCst), WORKERS);
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_thread_lives_on() {
    let work = |_: &StudioQueue, bytes: &[u8]| match bytes {
        b"bad" => panic!("a fault in a decoder"),
        _ => REFUSED,
    };
    let studio = Studio::working(PictureLimits::default(), Box::new(work));
    for _ in 0..3 {
        let failed = studio.make_safe(Bytes::from_static(b"bad")).await;
        assert!(matches!(failed, Err(StudioError::Broken(_))));
        assert_eq!(studio.make_safe(Bytes::from_static(b"good")).await, REFUSED);
    }
    assert_eq!(studio.0.0.lock().places, 0);
}

#[tokio::test]
async fn a_queue_that_ends_gives_up_what_waits() {
    let (studio, release, _) = held();
    let queue = Arc::clone(&studio.0.0);
    let jobs: Vec<_> = (0..WORKERS + 2).map(|_| offered(&studio, 1)).collect();
    taken(&studio, WORKERS + 2, 2).await;
    for job in jobs {
        job.abort();
        job.await.unwrap_err();
    }
    drop(studio);
    assert_eq!(queue.lock().waiting.len(), 0);
    assert!(queue.lock().closed);
    drop(release);
}

/// Two pictures that need more memory together than there is are decoded one after the other.
#[test]
fn decoder_memory_is_shared() {
    let (studio, _release, _) = held();
    let queue = Arc::clone(&studio.0.0);
    let limit = studio.limits().decoder_memory;
    let first = queue.decoder_share(limit - 10);
    drop(queue.decoder_share(10));
    let (sender, receiver) = mpsc::channel();
    let other = Arc::clone(&queue);
    let waiting = thread::spawn(move || {
        let _share = other.decoder_share(11);
        sender.send(other.lock().decoder_memory).unwrap();
    });
    assert!(receiver.try_recv().is_err());
    drop(first);
    assert_eq!(receiver.recv(), Ok(11), "it had to wait for the first");
    waiting.join().unwrap();
    assert_eq!(queue.lock().decoder_memory, 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_steps_back() {
    let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
    let own = niceness();
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let work = move |_: &StudioQueue, _: &[u8]| {
        sender.lock().unwrap().send(niceness()).unwrap();
        REFUSED
    };
    let studio = Studio::working(PictureLimits::default(), Box::new(work));
    assert_eq!(studio.make_safe(Bytes::from_static(b"x")).await, REFUSED);
    assert_eq!(receiver.recv().unwrap(), NICENESS.max(own));
    assert_eq!(niceness(), own);
}
