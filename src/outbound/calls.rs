//! The count of what left the machine, and why a call had no response.

use std::error::Error as StdError;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::addresses::ForbiddenAddress;
use crate::telemetry::OutboundLabels;

/// What is said of a connection that no other word fits.
pub(super) const BROKEN: &str = "the connection broke, or the response was not HTTP";

/// Why a call had no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The address is closed.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenAddress),
    /// There was none in time.
    #[error("no response within {0:?}")]
    Silent(Duration),
    /// No connection, no TLS, or no response that can be read.
    #[error("{0}")]
    Failed(&'static str),
}

impl CallFault {
    /// What an error says that has its cause somewhere inside, after a call with this limit.
    pub fn of(error: &(dyn StdError + 'static), limit: Duration) -> Self {
        let mut source = Some(error);
        while let Some(inner) = source {
            if let Some(forbidden) = inner.downcast_ref::<ForbiddenAddress>() {
                return Self::Forbidden(*forbidden);
            }
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return Self::Failed(tls_fault(tls));
            }
            if let Some(error) = inner.downcast_ref::<reqwest::Error>()
                && error.is_timeout()
            {
                return Self::Silent(limit);
            }
            // The source of such an error is not the error that is inside it.
            let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            source = match wrapped {
                Some(wrapped) => Some(wrapped),
                None => inner.source(),
            };
        }
        Self::Failed(BROKEN)
    }
}

/// What failed in a TLS handshake.
pub(super) fn tls_fault(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            "the certificate was not accepted: check its name, its end and the authority"
        }
        _ => "TLS failed",
    }
}

/// Counts calls by their kind and result: `wardroom_outbound_calls_total`. A clone counts in the same place.
#[derive(Clone, Debug, Default)]
pub struct CallCounter(Family<OutboundLabels, Counter>);

impl CallCounter {
    /// Counts in this family.
    pub fn new(family: Family<OutboundLabels, Counter>) -> Self {
        Self(family)
    }

    /// Begins to count a call.
    pub fn begin(&self, kind: &'static str) -> CallInProgress<'_> {
        CallInProgress { calls: self, kind, is_counted: false }
    }

    /// Counts a call: the status of HTTP or SMTP, or why there is none.
    fn count(&self, kind: &'static str, outcome: Result<u16, &CallFault>) {
        let result = match outcome {
            Ok(200..=299) => "2xx",
            Ok(300..=399) => "3xx",
            Ok(400..=499) => "4xx",
            Ok(500..=599) => "5xx",
            Err(CallFault::Forbidden(_)) => "forbidden",
            Err(CallFault::Silent(_)) => "timeout",
            Ok(_) | Err(CallFault::Failed(_)) => "failed",
        };
        self.0.get_or_create(&OutboundLabels { kind, result }).inc();
    }
}

/// A call in progress. One that is broken off took too long for the one who waits for it.
pub struct CallInProgress<'a> {
    calls: &'a CallCounter,
    kind: &'static str,
    is_counted: bool,
}

impl CallInProgress<'_> {
    /// Counts how the call ended: the status of HTTP or SMTP, or why there is none.
    pub fn end(mut self, outcome: Result<u16, &CallFault>) {
        self.is_counted = true;
        self.calls.count(self.kind, outcome);
    }
}

impl Drop for CallInProgress<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            self.calls.count(self.kind, Err(&CallFault::Silent(Duration::ZERO)));
        }
    }
}
