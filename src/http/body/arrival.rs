//! A body while it arrives: how much of it is taken, and the time that a request spends on waiting for it.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::http::error::ApiError;

/// A body that is longer than what is read.
#[derive(Debug, thiserror::Error)]
#[error("the body is too large")]
struct TooLarge;

/// A body of at most this many bytes. One that announces more is refused before it has arrived.
pub(in crate::http) struct AtMost<B> {
    body: B,
    left: u64,
}

impl<B> AtMost<B> {
    pub(in crate::http) fn new(body: B, limit: usize) -> Self {
        Self { body, left: limit as u64 }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> AtMost<B> {
    /// Reads the body to its end and drops it.
    pub(in crate::http) async fn skip(mut self) -> Result<(), BoxError> {
        while let Some(frame) = self.frame().await {
            frame?;
        }
        Ok(())
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for AtMost<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(left) = self.left.checked_sub(size) else {
                return Poll::Ready(Some(Err(TooLarge.into())));
            };
            self.left = left;
        }
        if self.body.size_hint().lower() > self.left {
            return Poll::Ready(Some(Err(TooLarge.into())));
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The error of a body that was not read to its end, by the first cause that is known.
pub(in crate::http) fn unreadable_body(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let known = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => Some(ApiError::BodyTooSlow),
        _ => cause.is::<TooLarge>().then_some(ApiError::BodyTooLarge),
    };
    let unknown = "The request's body ended early or is not framed as announced.";
    causes.into_iter().find_map(known).unwrap_or(ApiError::BadRequest(unknown))
}

/// Whether a request waits for bytes of its body, and so for its client.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct AwaitsClient(Arc<AtomicBool>);

impl AwaitsClient {
    fn set(&self, waits: bool) {
        self.0.store(waits, Ordering::Relaxed);
    }

    /// Runs `work` for at most `limit`. The time in which it waits for its client does not count: that has a limit of
    /// its own. `None` when the time is up.
    pub(in crate::http) async fn within<R>(
        &self,
        limit: Duration,
        work: impl Future<Output = R>,
    ) -> Option<R> {
        let (mut work, mut alarm) = (pin!(work), pin!(sleep(limit)));
        let mut waits_since: Option<Instant> = None;
        std::future::poll_fn(|cx| {
            self.set(false);
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            if let Some(since) = waits_since.take() {
                let later = alarm.deadline() + since.elapsed();
                alarm.as_mut().reset(later);
            }
            // The body belongs to the work, so it was polled just now, by this task.
            if self.0.load(Ordering::Relaxed) {
                waits_since = Some(Instant::now());
                return Poll::Pending;
            }
            alarm.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

/// A body that notes when it is waited for.
pub(in crate::http) struct Awaited<B> {
    body: B,
    awaits: AwaitsClient,
}

impl<B> Awaited<B> {
    pub(in crate::http) fn new(body: B, awaits: AwaitsClient) -> Self {
        Self { body, awaits }
    }
}

impl<B: Body + Unpin> Body for Awaited<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.awaits.set(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{FutureExt, stream};
    use http_body_util::StreamBody;

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    /// A body whose pieces come one after the other.
    fn slow(pieces: usize) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        StreamBody::new(Box::pin(stream::unfold(pieces, async |left| {
            sleep(SHORT).await;
            let frame = Frame::data(Bytes::from_static(b"x"));
            (left > 0).then(|| (Ok(frame), left - 1))
        })))
    }

    #[tokio::test]
    async fn waiting_for_the_client_takes_nothing_from_the_time_of_the_request() {
        let awaits = AwaitsClient::default();
        let body = AtMost::new(Awaited::new(slow(20), awaits.clone()), 100);
        let began = Instant::now();
        assert!(awaits.within(SHORT, body.skip()).await.is_some_and(|read| read.is_ok()));
        assert!(began.elapsed() >= SHORT * 20);
    }

    #[tokio::test]
    async fn all_other_work_is_limited() {
        let awaits = AwaitsClient::default();
        let body = AtMost::new(Awaited::new(slow(20), awaits.clone()), 100);
        let work = async {
            body.skip().await.unwrap();
            std::future::pending::<()>().await;
        };
        assert_eq!(awaits.within(SHORT, work).await, None);
        assert_eq!(awaits.within(SHORT, std::future::pending::<()>()).await, None);
        // A body that was given up is not waited for.
        let mut body = Awaited::new(slow(20), awaits.clone());
        let work = async {
            assert!(body.frame().now_or_never().is_none());
            drop(body);
            sleep(SHORT).await;
            std::future::pending::<()>().await;
        };
        assert_eq!(awaits.within(SHORT, work).await, None);
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_by_what_it_announces() {
        let of = |size: usize| http_body_util::Full::new(Bytes::from(vec![b'x'; size]));
        assert!(AtMost::new(of(100), 100).skip().await.is_ok());
        let refused = AtMost::new(of(101), 100).skip().await.unwrap_err();
        assert!(refused.is::<TooLarge>());
        let refused = AtMost::new(slow(101), 100).skip();
        assert!(refused.await.unwrap_err().is::<TooLarge>());
    }
}
