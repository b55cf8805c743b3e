//! What all connections of a listener share.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use tokio_rustls::TlsAcceptor;

use super::limits::Limits;
use crate::telemetry::ConnectionMetrics;

/// How long connections stay open after a stop has begun. A client in the middle of its work gets `Connection: close`
/// with its next answer; without this time it would find a closed connection.
const GRACE: Duration = Duration::from_secs(1);
/// hyper's own bound on what it buffers. The wire bounds heads well before this.
const MIN_BUFFER: usize = 64 * 1024;

/// The parts of a listener that its connections share.
pub(super) struct Listener<S> {
    pub(super) http: http1::Builder,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) metrics: ConnectionMetrics,
    pub(super) service: S,
}

impl<S> Listener<S> {
    pub(super) fn new(
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: Limits,
        metrics: ConnectionMetrics,
        service: S,
    ) -> Self {
        Self { http: http(&limits), tls: tls.map(TlsAcceptor::from), limits, metrics, service }
    }

    /// How long connections go on after a stop. At most half of the drain timeout: the other half is for requests that
    /// arrive at the end of the grace.
    pub(super) fn grace(&self) -> Duration {
        GRACE.min(self.limits.drain_timeout / 2)
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // `wire::MessageStream` relies on half_close. The wire keeps all time limits. Without writev hyper copies head and
    // body into one buffer, so that an answer is one send. The service writes Date: hyper keeps the text of the latest
    // second, which would stand still for as long as a clock that was set back needs to catch up.
    http.half_close(true)
        .auto_date_header(false)
        .header_read_timeout(None)
        .max_buf_size(limits.max_head_bytes.max(MIN_BUFFER).saturating_add(1))
        .writev(false);
    http
}
