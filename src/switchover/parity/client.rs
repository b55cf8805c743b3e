//! Asks one server: connects, sends, reads the whole answer, within bounds of time and size.
//!
//! No proxy is used and no certificate is taken on trust. Never in here: what an answer should be.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Base;
use super::error::ParityError;
use super::question::Question;

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 8 << 20;
const AGENT: &str = concat!("wardroom-compare/", env!("CARGO_PKG_VERSION"));

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it was given only at the path with a slash at its end, where the server had sent us.
    pub(super) slashed: bool,
    /// Of an answer to `HEAD`: how long the body is that the same `GET` gets.
    pub(super) get_length: Option<usize>,
}

impl Answer {
    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// No connection; the system's text.
    Unreachable(String),
    /// No TLS; the library's text.
    Insecure(String),
    /// Not within the time allowed.
    TimedOut(Duration),
    /// The connection ended before the answer did.
    Closed,
    /// Not HTTP; the library's text.
    Malformed(String),
    /// A body longer than is read.
    TooLarge,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "no connection: {why}"),
            Self::Insecure(why) => {
                write!(f, "no TLS: {why} (give the certificate of an authority of your own with --ca-file)")
            }
            Self::TimedOut(patience) => {
                write!(f, "no whole answer within {}", humantime::format_duration(*patience))
            }
            Self::Closed => f.write_str("it closed the connection before its answer was whole"),
            Self::Malformed(why) => write!(f, "what it sent is not HTTP/1.1: {why}"),
            Self::TooLarge => write!(f, "its body is longer than {} MiB", LONGEST_BODY >> 20),
        }
    }
}

/// What a server said, or why it said nothing.
pub(super) type Outcome = Result<Answer, NoAnswer>;

/// One of the two servers, and how it is asked.
pub struct Server {
    /// Where it is.
    pub base: Base,
    /// The `Host` header.
    pub host: HeaderValue,
    /// Needed when `base` is secure.
    pub tls: Option<TlsConnector>,
    /// For a whole answer.
    pub patience: Duration,
    /// Whether a redirect to the same path with a slash at its end is followed, once.
    pub follows_slash: bool,
}

/// TLS with the machine's trusted roots, and those of a PEM file.
pub fn tls(ca_file: Option<&Path>) -> Result<TlsConnector, ParityError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let wrong = |why: String| ParityError::Usage(format!("--ca-file {}: {why}", path.display()));
        let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let found = found.map_err(|error| wrong(error.to_string()))?;
        if found.is_empty() {
            return Err(wrong(
                "it holds no certificate; give a PEM file with a BEGIN CERTIFICATE block".into(),
            ));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ParityError::Internal(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// A line to a server: one question at a time, on a connection that is kept as long as the server keeps it.
pub(super) struct Line {
    server: Arc<Server>,
    kept: Option<Connection>,
}

impl Line {
    pub(super) fn to(server: &Arc<Server>) -> Self {
        Self { server: Arc::clone(server), kept: None }
    }

    /// The server's answer to a question.
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Answer, NoAnswer> {
        let get_length = match question.method {
            Method::HEAD => Some(self.follow(&Method::GET, question).await?.body.len()),
            _ => None,
        };
        let answer = self.follow(&question.method, question).await?;
        Ok(Answer { get_length, ..answer })
    }

    /// The answer at the question's path, or at the same with a slash if the server sends us there.
    async fn follow(&mut self, method: &Method, question: &Question) -> Result<Answer, NoAnswer> {
        let target = format!("{}{}", self.server.base.prefix, question.path);
        let answer = self.exchange(method, &target, question).await?;
        let slashed = slashed(&target);
        if self.server.follows_slash && self.server.sends_to(&slashed, &answer) {
            let answer = self.exchange(method, &slashed, question).await?;
            return Ok(Answer { slashed: true, ..answer });
        }
        Ok(answer)
    }

    /// One request and its answer. A connection that was kept may have been closed meanwhile, or hold what the server
    /// sent too much before (older gunicorns send a body with HEAD); then the request, which changes nothing, is sent
    /// once more on a new one.
    async fn exchange(
        &mut self,
        method: &Method,
        target: &str,
        question: &Question,
    ) -> Result<Answer, NoAnswer> {
        let (server, patience) = (&self.server, self.server.patience);
        let late = |_| NoAnswer::TimedOut(patience);
        let request = server.request(method, target, question)?;
        if let Some(mut kept) = self.kept.take() {
            match timeout(patience, kept.send(request.clone())).await.map_err(late)? {
                Err(NoAnswer::Closed | NoAnswer::Malformed(_)) => {}
                Err(other) => return Err(other),
                Ok(answer) => {
                    self.kept = Some(kept);
                    return Ok(answer);
                }
            }
        }
        let fresh = async {
            let mut connection = server.connect().await?;
            let answer = connection.send(request).await?;
            Ok((connection, answer))
        };
        let (connection, answer) = timeout(patience, fresh).await.map_err(late)??;
        self.kept = Some(connection);
        Ok(answer)
    }
}

impl Server {
    fn request(
        &self,
        method: &Method,
        target: &str,
        question: &Question,
    ) -> Result<Request<Empty<Bytes>>, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, &self.host)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "*/*");
        if let Some(value) = question.authorization() {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Empty::new()).map_err(|error| NoAnswer::Unreachable(error.to_string()))
    }

    async fn connect(&self) -> Result<Connection, NoAnswer> {
        let unreachable = |error: std::io::Error| NoAnswer::Unreachable(error.to_string());
        let stream =
            TcpStream::connect((self.base.host.as_str(), self.base.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(tls) = self.tls.as_ref().filter(|_| self.base.secure) else {
            return Connection::over(stream).await;
        };
        let insecure = |error: &dyn fmt::Display| NoAnswer::Insecure(error.to_string());
        let name = ServerName::try_from(self.base.host.clone()).map_err(|error| insecure(&error))?;
        Connection::over(tls.connect(name, stream).await.map_err(|error| insecure(&error))?).await
    }

    /// Whether an answer is a redirect to this path of this very server: elsewhere no key is sent.
    fn sends_to(&self, target: &str, answer: &Answer) -> bool {
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let same_site = [self.base.site(), self.called()];
        let here =
            std::iter::once(location).chain(same_site.iter().filter_map(|site| location.strip_prefix(site)));
        (300..400).contains(&answer.status) && here.into_iter().any(|path| path == target)
    }

    /// Scheme and the host that requests name, which may be another than the one they go to.
    fn called(&self) -> String {
        let scheme = if self.base.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.host.to_str().unwrap_or_default())
    }
}

/// The path with a slash at its end; the query stays.
fn slashed(target: &str) -> String {
    match target.split_once('?') {
        Some((path, query)) => format!("{path}/?{query}"),
        None => format!("{target}/"),
    }
}

/// A connection, whose task ends with it: a server that hangs would keep the task for ever.
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
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, NoAnswer> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let driver = tokio::spawn(async {
            // What goes wrong is told to whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Answer, NoAnswer> {
        self.sender.ready().await.map_err(|error| failed(&error))?;
        let (head, body) =
            self.sender.send_request(request).await.map_err(|error| failed(&error))?.into_parts();
        let body = match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(NoAnswer::TooLarge),
            Err(error) => return Err(error.downcast_ref().map_or(NoAnswer::Closed, failed)),
        };
        let status = head.status.as_u16();
        Ok(Answer { status, headers: head.headers, body, ..Answer::default() })
    }
}

fn failed(error: &hyper::Error) -> NoAnswer {
    if error.is_parse() { NoAnswer::Malformed(error.to_string()) } else { NoAnswer::Closed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slash_of_the_same_path_on_the_same_site_is_followed() {
        let base = Base::parse("http://10.0.0.1:8000/office").unwrap();
        let host = HeaderValue::from_static("www.example.com");
        let server = Server { base, host, tls: None, patience: Duration::ZERO, follows_slash: true };
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
            let answer = Answer { status, headers, ..Answer::default() };
            assert_eq!(server.sends_to(&target, &answer), followed, "{status} {location}");
        }
    }
}
