//! The one way by which HTTP requests leave: no redirects, no proxy of the environment, addresses that are checked when the
//! connection is made, a deadline for the whole call, and a limit on what is read of a response.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, Url, redirect};
use tokio::net::lookup_host;

use super::addresses::{AddressGuard, ForbiddenAddress};
use super::message::SendError;
use super::tls::client_config;

/// How long a call may take, from the look-up of the name to the end of the response.
pub const CALL_LIMIT: Duration = Duration::from_secs(15);
/// The most bytes of a response that are read.
pub const RESPONSE_LIMIT: usize = 64 * 1024;

/// How this server names itself.
const USER_AGENT: &str = concat!("Wardroom/", env!("CARGO_PKG_VERSION"));

/// A URL that is called.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
    url: Url,
    guard: Arc<AddressGuard>,
    limit: Duration,
}

/// The response of an endpoint.
#[derive(Debug)]
pub struct EndpointReply {
    /// Its status.
    pub status: u16,
    /// How long the endpoint asks to wait.
    pub retry_after: Option<Duration>,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

/// Looks names up and keeps the addresses that may be called.
struct GuardedResolver {
    guard: Arc<AddressGuard>,
    port: u16,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, port) = (Arc::clone(&self.guard), self.port);
        Box::pin(async move {
            let found: Vec<_> = lookup_host((name.as_str(), port)).await?.collect();
            let mut allowed = Vec::new();
            let mut forbidden = None;
            for address in found {
                match guard.check(address.ip(), port) {
                    Ok(()) => allowed.push(address),
                    Err(why) => forbidden = Some(why),
                }
            }
            match (allowed.is_empty(), forbidden) {
                (true, Some(why)) => Err(why.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

impl Endpoint {
    /// Prepares the calls of a URL. Nothing is called yet.
    pub fn new(url: &str, guard: &Arc<AddressGuard>, ca_file: Option<&Path>) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("the URL cannot be used: {error}"))?;
        let port = url.port_or_known_default().unwrap_or(0);
        let client = Client::builder()
            .tls_backend_preconfigured(client_config(ca_file, "outbound_ca_file")?)
            .dns_resolver(GuardedResolver { guard: Arc::clone(guard), port })
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .user_agent(USER_AGENT)
            .timeout(CALL_LIMIT)
            .connect_timeout(CALL_LIMIT)
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(4);
        let client = client.build().map_err(|error| format!("cannot set up HTTP: {error}"))?;
        Ok(Self { client, url, guard: Arc::clone(guard), limit: CALL_LIMIT })
    }

    /// The same with another time limit.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends a body. The error says in general words what failed.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<EndpointReply, SendError> {
        self.check_literal().map_err(|why| SendError::later(why.to_string()))?;
        match tokio::time::timeout(self.limit, self.call(headers, body)).await {
            Ok(outcome) => outcome.map_err(|error| SendError::later(general(&error))),
            Err(_) => Err(SendError::later(format!("no response within {:?}", self.limit))),
        }
    }

    /// An address in the URL is not looked up, so it is checked here. The URL has it in its plain form, however it was written.
    fn check_literal(&self) -> Result<(), ForbiddenAddress> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) => self.guard.check(address, self.url.port_or_known_default().unwrap_or(0)),
            Err(_) => Ok(()),
        }
    }

    async fn call(&self, headers: HeaderMap, body: Vec<u8>) -> Result<EndpointReply, reqwest::Error> {
        let request = self.client.request(Method::POST, self.url.clone()).headers(headers).body(body);
        let mut response = request.send().await?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let mut body = Vec::new();
        // A message that was taken is taken, whatever follows.
        while !status.is_success() {
            let Some(chunk) = response.chunk().await? else { break };
            let room = RESPONSE_LIMIT.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if chunk.len() > room {
                break;
            }
        }
        Ok(EndpointReply { status: status.as_u16(), retry_after, body })
    }
}

/// What failed, without anything that the other side wrote.
fn general(error: &reqwest::Error) -> String {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(forbidden) = inner.downcast_ref::<ForbiddenAddress>() {
            return forbidden.to_string();
        }
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return tls_fault(tls).to_owned();
        }
        // The source of such an error is not the error that is inside it.
        let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        source = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    if error.is_timeout() {
        format!("no response within {CALL_LIMIT:?}")
    } else if error.is_connect() {
        "no connection: check the name, the port and the network".to_owned()
    } else {
        "the connection broke, or the response was not HTTP".to_owned()
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

#[cfg(test)]
mod tests;
