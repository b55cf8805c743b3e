//! The HTTP client: connects, sends a request and reads the whole response, with limits on time and size.
//!
//! It uses no proxy and verifies every certificate. Never in here: what a response should be.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HOST, LOCATION,
    ORIGIN, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time;
use tokio_rustls::TlsConnector;

use super::address::ServerUrl;
use super::error::ParityError;
use super::probe::Probe;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 8 << 20;
const AGENT: &str = concat!("wardroom-compare/", env!("CARGO_PKG_VERSION"));

/// The response of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the server redirected the request to the path with a final slash.
    pub(super) slashed: bool,
    /// For `HEAD`: the length of the body of the same `GET`.
    pub(super) get_length: Option<usize>,
}

impl Response {
    /// Parses the body as JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoResponse {
    /// No connection, with the system's message.
    Unreachable(String),
    /// TLS failed, with the library's message.
    Insecure(String),
    /// No complete response within this time.
    TimedOut(Duration),
    /// The connection was closed before the response was complete.
    Closed,
    /// Not HTTP, with the library's message.
    Malformed(String),
    /// The body is too large.
    TooLarge,
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "no connection: {why}"),
            Self::Insecure(why) => {
                write!(f, "TLS failed: {why} (for a CA of your own, use --ca-file)")
            }
            Self::TimedOut(timeout) => {
                write!(f, "no complete response within {}", humantime::format_duration(*timeout))
            }
            Self::Closed => f.write_str("it closed the connection before the response was complete"),
            Self::Malformed(why) => write!(f, "the response is not HTTP/1.1: {why}"),
            Self::TooLarge => write!(f, "the body is larger than {} MiB", MAX_BODY >> 20),
        }
    }
}

/// The response of a server, or why there is none.
pub(super) type ProbeOutcome = Result<Response, NoResponse>;

/// One of the two servers, and how requests are sent to it.
pub struct RemoteServer {
    /// Its base URL.
    pub base: ServerUrl,
    /// The `Host` header.
    pub host: HeaderValue,
    /// Required if `base` is https.
    pub tls: Option<TlsConnector>,
    /// The time for a complete response.
    pub timeout: Duration,
    /// Whether to follow one redirect to the same path with a final slash.
    pub follows_slash: bool,
}

/// Sets up TLS with the system's trusted roots, and those of a PEM file.
pub fn tls(ca_file: Option<&Path>) -> Result<TlsConnector, ParityError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let usage = |why: String| ParityError::Usage(format!("--ca-file {}: {why}", path.display()));
        let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let found = found.map_err(|error| usage(error.to_string()))?;
        if found.is_empty() {
            return Err(usage(
                "it contains no certificate; use a PEM file with a BEGIN CERTIFICATE block".into(),
            ));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| usage(error.to_string()))?;
        }
    }
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ParityError::Internal(format!("cannot set up TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// A client of one server. It sends one request at a time, on a connection that is kept alive if the server allows.
pub(super) struct HttpClient {
    server: Arc<RemoteServer>,
    kept: Option<Connection>,
}

impl HttpClient {
    pub(super) fn new(server: &Arc<RemoteServer>) -> Self {
        Self { server: Arc::clone(server), kept: None }
    }

    /// Sends a request and returns the response.
    pub(super) async fn send(&mut self, probe: &Probe) -> Result<Response, NoResponse> {
        let get_length = match probe.method {
            Method::HEAD => Some(self.follow(&Method::GET, probe).await?.body.len()),
            _ => None,
        };
        let response = self.follow(&probe.method, probe).await?;
        Ok(Response { get_length, ..response })
    }

    /// Sends a request, and follows a redirect to the same path with a final slash.
    async fn follow(&mut self, method: &Method, probe: &Probe) -> Result<Response, NoResponse> {
        let target = format!("{}{}", self.server.base.prefix, probe.path);
        let response = self.exchange(method, &target, probe).await?;
        let slashed = slashed(&target);
        if self.server.follows_slash && self.server.redirects_to(&slashed, &response) {
            let response = self.exchange(method, &slashed, probe).await?;
            return Ok(Response { slashed: true, ..response });
        }
        Ok(response)
    }

    /// Sends one request. A kept connection may be closed by now, or contain surplus bytes of an earlier response
    /// (old versions of gunicorn send a body with HEAD). In that case the request, which changes nothing, is sent again on a
    /// new connection.
    async fn exchange(
        &mut self,
        method: &Method,
        target: &str,
        probe: &Probe,
    ) -> Result<Response, NoResponse> {
        let (server, timeout) = (&self.server, self.server.timeout);
        let late = |_| NoResponse::TimedOut(timeout);
        let request = server.request(method, target, probe)?;
        if let Some(mut kept) = self.kept.take() {
            match time::timeout(timeout, kept.send(request.clone())).await.map_err(late)? {
                Err(NoResponse::Closed | NoResponse::Malformed(_)) => {}
                Err(other) => return Err(other),
                Ok(response) => {
                    self.kept = Some(kept);
                    return Ok(response);
                }
            }
        }
        let fresh = async {
            let mut connection = server.connect().await?;
            let response = connection.send(request).await?;
            Ok((connection, response))
        };
        let (connection, response) = time::timeout(timeout, fresh).await.map_err(late)??;
        self.kept = Some(connection);
        Ok(response)
    }
}

impl RemoteServer {
    fn request(
        &self,
        method: &Method,
        target: &str,
        probe: &Probe,
    ) -> Result<Request<Empty<Bytes>>, NoResponse> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, &self.host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*");
        if let Some(value) = probe.authorization() {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(page) = &probe.page {
            request = request.header(ORIGIN, &page.origin);
            if let Some(preflight) = &page.preflight {
                request = request.header(ACCESS_CONTROL_REQUEST_METHOD, preflight.method.as_str());
                request = request.header(ACCESS_CONTROL_REQUEST_HEADERS, preflight.headers);
            }
        }
        request.body(Empty::new()).map_err(|error| NoResponse::Unreachable(error.to_string()))
    }

    async fn connect(&self) -> Result<Connection, NoResponse> {
        let unreachable = |error: std::io::Error| NoResponse::Unreachable(error.to_string());
        let stream =
            TcpStream::connect((self.base.host.as_str(), self.base.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = self.tls.as_ref().filter(|_| self.base.secure) else {
            return Connection::over(stream).await;
        };
        let insecure = |error: &dyn fmt::Display| NoResponse::Insecure(error.to_string());
        let name = ServerName::try_from(self.base.host.clone()).map_err(|error| insecure(&error))?;
        Connection::over(tls.connect(name, stream).await.map_err(|error| insecure(&error))?).await
    }

    /// Whether a response redirects to this path of this server. Keys are sent nowhere else.
    fn redirects_to(&self, target: &str, response: &Response) -> bool {
        let location =
            response.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let same_site = [self.base.site(), self.requested_site()];
        let here =
            std::iter::once(location).chain(same_site.iter().filter_map(|site| location.strip_prefix(site)));
        (300..400).contains(&response.status) && here.into_iter().any(|path| path == target)
    }

    /// Returns the scheme and the requested host, which may differ from the host that is connected to.
    fn requested_site(&self) -> String {
        let scheme = if self.base.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.host.to_str().unwrap_or_default())
    }
}

/// Adds a final slash to the path, before the query.
fn slashed(target: &str) -> String {
    match target.split_once('?') {
        Some((path, query)) => format!("{path}/?{query}"),
        None => format!("{target}/"),
    }
}

/// A connection. Dropping it aborts its task, which would otherwise run forever if the server hangs.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, NoResponse> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let driver = tokio::spawn(async {
            // Errors reach the task that waits for the response.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Response, NoResponse> {
        self.sender.ready().await.map_err(|error| failed(&error))?;
        let (head, body) =
            self.sender.send_request(request).await.map_err(|error| failed(&error))?.into_parts();
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(NoResponse::TooLarge),
            Err(error) => return Err(error.downcast_ref().map_or(NoResponse::Closed, failed)),
        };
        let status = head.status.as_u16();
        Ok(Response { status, headers: head.headers, body, ..Response::default() })
    }
}

fn failed(error: &hyper::Error) -> NoResponse {
    if error.is_parse() { NoResponse::Malformed(error.to_string()) } else { NoResponse::Closed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slash_of_the_same_path_on_the_same_site_is_followed() {
        let base = ServerUrl::parse("http://10.0.0.1:8000/office").unwrap();
        let host = HeaderValue::from_static("www.example.com");
        let server = RemoteServer { base, host, tls: None, timeout: Duration::ZERO, follows_slash: true };
        let target = slashed("/office/api/users/me?x=1");
        assert_eq!((target.as_str(), slashed("/a").as_str()), ("/office/api/users/me/?x=1", "/a/"));
        for (status, location, followed) in [
            (301, "/office/api/users/me/?x=1", true),
            (308, "http://10.0.0.1:8000/office/api/users/me/?x=1", true),
            (301, "http://www.example.com/office/api/users/me/?x=1", true),
            (301, "https://www.example.com/office/api/users/me/?x=1", false),
            (301, "http://evil.example/office/api/users/me/?x=1", false),
            (301, "//www.example.com/office/api/users/me/?x=1", false),
            (301, "/office/api/users/me?x=1", false),
            (302, "/login/?next=/office/api/users/me", false),
            (200, "/office/api/users/me/?x=1", false),
            (301, "", false),
        ] {
            let headers = [(LOCATION, HeaderValue::from_static(location))].into_iter().collect();
            let response = Response { status, headers, ..Response::default() };
            assert_eq!(server.redirects_to(&target, &response), followed, "{status} {location}");
        }
    }
}
