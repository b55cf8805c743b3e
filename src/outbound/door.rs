//! The one way by which HTTP requests leave: no redirects, no proxy of the environment, addresses that are checked when the
//! connection is made, a deadline for the whole call, a limit on what is read of a response, and a count of all calls.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, Url, redirect};
use tokio::net::lookup_host;

use super::addresses::{AddressGuard, ForbiddenAddress};
use super::calls::{BROKEN, CallCounter, CallFault, CallInProgress};
use super::message::SendError;
use super::tls::client_config;
use crate::config::Config;

/// How long a call may take, from the look-up of the name to the end of the response.
pub const CALL_LIMIT: Duration = Duration::from_secs(15);
/// The most bytes of a response that are read.
pub const RESPONSE_LIMIT: usize = 64 * 1024;

/// How this server names itself.
const USER_AGENT: &str = concat!("Wardroom/", env!("CARGO_PKG_VERSION"));

/// Looks a name up.
type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Where HTTP requests leave: the rules for addresses, and the counters.
#[derive(Clone)]
pub struct Door {
    guard: Arc<AddressGuard>,
    calls: CallCounter,
    lookup: Arc<Lookup>,
}

/// The client of one service.
#[derive(Clone)]
pub struct GuardedClient {
    client: Client,
    guard: Arc<AddressGuard>,
    calls: CallCounter,
    kind: &'static str,
}

/// A URL that is called.
#[derive(Clone)]
pub struct Endpoint {
    client: GuardedClient,
    url: Url,
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
    door: Door,
    port: u16,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (door, port) = (self.door.clone(), self.port);
        Box::pin(async move {
            let found = (door.lookup)(name.as_str().to_owned(), port).await?;
            let mut allowed = Vec::new();
            let mut forbidden = None;
            for address in found {
                match door.guard.check(address.ip(), port) {
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

impl Door {
    /// A door with these rules.
    pub fn new(guard: AddressGuard, calls: CallCounter) -> Self {
        let lookup =
            |name: String, port| Box::pin(async move { Ok(lookup_host((name, port)).await?.collect()) }) as _;
        Self { guard: Arc::new(guard), calls, lookup: Arc::new(lookup) }
    }

    /// The door that the settings describe. `own` are the addresses at which this server listens: they are never called.
    pub fn of(config: &Config, own: &[SocketAddr], calls: CallCounter) -> Self {
        Self::new(AddressGuard::new(&config.outbound_networks, own), calls)
    }

    /// The same door for a service that the operator alone names: an address that stands in its URL, or `localhost`, may be
    /// called. A name that leads to a closed address may not.
    #[must_use]
    pub fn for_operator(&self, url: &Url) -> Self {
        Self { guard: Arc::new(self.guard.opening(host(url))), ..self.clone() }
    }

    /// The same door where every name leads to one address.
    #[cfg(test)]
    pub(crate) fn leading_to(self, ip: IpAddr) -> Self {
        let lookup = move |_, port| Box::pin(async move { Ok(vec![SocketAddr::new(ip, port)]) }) as _;
        Self { lookup: Arc::new(lookup), ..self }
    }

    /// The counters.
    pub(super) fn calls(&self) -> &CallCounter {
        &self.calls
    }

    /// A client for calls of this kind, at a URL whose name may have anything in front.
    pub fn client(
        &self,
        kind: &'static str,
        url: &Url,
        limit: Duration,
        tls: rustls::ClientConfig,
    ) -> Result<GuardedClient, String> {
        let client = self.builder(port(url), limit).tls_backend_preconfigured(tls).build();
        let client = client.map_err(|error| format!("cannot set up HTTP: {error}"))?;
        Ok(GuardedClient { client, guard: Arc::clone(&self.guard), calls: self.calls.clone(), kind })
    }

    fn builder(&self, port: u16, limit: Duration) -> ClientBuilder {
        Client::builder()
            .dns_resolver(GuardedResolver { door: self.clone(), port })
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .user_agent(USER_AGENT)
            .timeout(limit)
            .connect_timeout(limit)
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(16)
    }
}

impl GuardedClient {
    /// The client. Before each call, check the host of its URL with [`Self::check`], and [begin](Self::begin) to count it.
    pub fn inner(&self) -> &Client {
        &self.client
    }

    /// An address in a URL is not looked up, so it is checked here. A parsed URL has it in its plain form, however it was
    /// written.
    pub fn check(&self, host: &str, port: u16) -> Result<(), ForbiddenAddress> {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.guard.check(address, port),
            Err(_) => Ok(()),
        }
    }

    /// Begins to count a call.
    pub fn begin(&self) -> CallInProgress<'_> {
        self.calls.begin(self.kind)
    }
}

impl Endpoint {
    /// Prepares the calls of a URL. Nothing is called yet.
    pub fn new(url: &str, kind: &'static str, door: &Door, ca_file: Option<&Path>) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("the URL cannot be used: {error}"))?;
        let tls = client_config(ca_file, "outbound_ca_file")?;
        Ok(Self { client: door.client(kind, &url, CALL_LIMIT, tls)?, url, limit: CALL_LIMIT })
    }

    /// The same with another time limit.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sends a body. The error says in general words what failed.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<EndpointReply, SendError> {
        let call = self.client.begin();
        let outcome = self.try_to_post(headers, body).await;
        call.end(outcome.as_ref().map(|reply| reply.status));
        outcome.map_err(|fault| SendError::later(fault.to_string()))
    }

    async fn try_to_post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<EndpointReply, CallFault> {
        self.client.check(host(&self.url), port(&self.url))?;
        match tokio::time::timeout(self.limit, self.call(headers, body)).await {
            Ok(outcome) => outcome.map_err(|error| general(&error)),
            Err(_) => Err(CallFault::Silent(self.limit)),
        }
    }

    async fn call(&self, headers: HeaderMap, body: Vec<u8>) -> Result<EndpointReply, reqwest::Error> {
        let client = self.client.inner();
        let request = client.request(Method::POST, self.url.clone()).headers(headers).body(body);
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

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(0)
}

/// What failed, without anything that the other side wrote.
fn general(error: &reqwest::Error) -> CallFault {
    match CallFault::of(error, CALL_LIMIT) {
        CallFault::Failed(BROKEN) if error.is_connect() => {
            CallFault::Failed("no connection: check the name, the port and the network")
        }
        fault => fault,
    }
}

#[cfg(test)]
mod tests;
