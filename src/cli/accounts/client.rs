//! Requests to the API of a server. Each has a connection of its own, and a limit on time and size.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, IF_MATCH, RETRY_AFTER, USER_AGENT};
use http::request::Builder;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::remote_target::RemoteTarget;
use crate::cli::report::CliError;
use crate::switchover::parity::client::tls;

/// The longest wait for a response, and the largest body, in bytes.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 64 << 20;
const AGENT: &str = concat!("wardroom/", env!("CARGO_PKG_VERSION"));

/// A client of one server.
pub(super) struct ApiClient {
    target: RemoteTarget,
    tls: Option<TlsConnector>,
}

/// A body with its media type.
pub(super) struct RequestBody {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

impl RequestBody {
    pub(super) fn json(value: &Value) -> Self {
        Self { media_type: "application/json".to_owned(), bytes: value.to_string().into() }
    }
}

/// A response.
pub(super) struct ApiResponse {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) json: Value,
}

impl ApiResponse {
    fn header(&self, name: &http::HeaderName) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// The version of the object.
    pub(super) fn version(&self) -> Option<String> {
        self.header(&ETAG)
    }

    /// The seconds after which the request may succeed.
    pub(super) fn retry_after(&self) -> Option<String> {
        self.header(&RETRY_AFTER)
    }
}

impl ApiClient {
    pub(super) fn new(target: RemoteTarget) -> Result<Self, CliError> {
        let tls = target.url.secure.then(|| tls(target.ca_file.as_deref())).transpose()?;
        Ok(Self { target, tls })
    }

    /// Sends a request with a JSON body or none. `version` is the one that the object must have.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<ApiResponse, CliError> {
        self.send_body(method, path, body.map(RequestBody::json), version).await
    }

    /// Sends a request with any body.
    pub(super) async fn send_body(
        &self,
        method: Method,
        path: &str,
        body: Option<RequestBody>,
        version: Option<&str>,
    ) -> Result<ApiResponse, CliError> {
        let mut request = self.request(method, path);
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, body.media_type);
                body.bytes
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(bytes)).map_err(|error| self.failed(&error))?;
        self.in_time(async { self.whole(self.begin(request).await?).await }).await
    }

    /// Writes a response that may be long while it arrives. Returns it if it is an error.
    pub(super) async fn download(
        &self,
        path: &str,
        out: &mut dyn Write,
    ) -> Result<Option<ApiResponse>, CliError> {
        let request = self.request(Method::GET, path);
        let request = request.body(Full::new(Bytes::new())).map_err(|error| self.failed(&error))?;
        let response = self.in_time(self.begin(request)).await?;
        if !response.status().is_success() {
            return self.in_time(self.whole(response)).await.map(Some);
        }
        let mut body = response.into_body();
        loop {
            let frame = self.in_time(async { Ok(body.frame().await) }).await?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                self.failed(&format!(
                    "the response ended early, so what was written is not complete: {error}"
                ))
            })?;
            if let Ok(data) = frame.into_data() {
                out.write_all(&data)
                    .map_err(|error| CliError::internal(format!("cannot write the response: {error}")))?;
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.target.url.prefix))
            .header(HOST, &self.target.url.authority)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, self.target.authorization())
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        match timeout(TIMEOUT, work).await {
            Ok(done) => done,
            Err(_) => Err(self.failed(&format!("no complete response within {} s", TIMEOUT.as_secs()))),
        }
    }

    /// Sends a request on a connection of its own, and waits for the head of the response.
    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CliError> {
        let url = &self.target.url;
        let connected = TcpStream::connect((url.host.as_str(), url.port)).await;
        let stream = connected.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => self.failed(&format!(
                "{error}: no server listens on port {}; start it, or give another port in --remote",
                url.port
            )),
            _ => self.failed(&error),
        })?;
        let Some(tls) = &self.tls else { return self.over(stream, request).await };
        let name = ServerName::try_from(url.host.clone()).map_err(|error| self.failed(&error))?;
        let stream = tls.connect(name, stream).await.map_err(|error| {
            self.failed(&format!("TLS failed: {error} (for a CA of your own, use --remote-ca FILE)"))
        })?;
        self.over(stream, request).await
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, CliError> {
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.failed(&error))?;
        // It ends after the response; its errors reach the request.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| self.failed(&error))
    }

    /// Reads the rest of a response.
    async fn whole(&self, response: Response<Incoming>) -> Result<ApiResponse, CliError> {
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, MAX_BODY).collect().await.map_err(|error| self.failed(&error))?.to_bytes();
        let json = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).map_err(|_| {
                self.failed(&format!(
                    "status {} without JSON: is it a Wardroom server?",
                    head.status.as_u16()
                ))
            })?,
        };
        Ok(ApiResponse { status: head.status.as_u16(), headers: head.headers, json })
    }

    fn failed(&self, why: &impl std::fmt::Display) -> CliError {
        CliError::unreachable(format!("{}: {why}", self.target.url.shown()))
    }
}
