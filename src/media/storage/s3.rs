//! Media files in a bucket of an S3 service.
//!
//! Each request is signed, the payload's hash included, and leaves through the door of `outbound`. Every call ends within the
//! timeout.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore as _,
    ObjectStoreExt as _, PutOptions, RetryConfig,
};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::file::{FilePart, StorageError, StoredFile};
use super::name::{AvatarFile, IMMUTABLE, content_type, is_good_name};
use crate::config::S3Settings;
use crate::outbound::tls::client_config;
use crate::outbound::{CallFault, Door, GuardedClient};

/// A bucket.
pub(super) struct Bucket {
    store: AmazonS3,
    /// For messages.
    shown: String,
    timeout: Duration,
}

impl Bucket {
    pub(super) fn open(settings: &S3Settings, door: &Door) -> Result<Self, StorageError> {
        let S3Settings { endpoint, bucket, region, path_style, access_key, timeout, .. } = settings;
        let client = client(settings, door)?;
        // A retry must not take longer than the call may.
        let backoff = BackoffConfig { init_backoff: *timeout / 50, max_backoff: *timeout / 10, base: 2.0 };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_access_key_id(access_key)
            .with_secret_access_key(settings.secret_key.as_str())
            .with_virtual_hosted_style_request(!path_style)
            .with_unsigned_payload(false)
            .with_disable_tagging(true)
            .with_allow_http(true)
            .with_retry(RetryConfig { backoff, max_retries: 2, retry_timeout: *timeout })
            .with_http_connector(client);
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint_of(endpoint, bucket, *path_style));
        }
        let store = builder.build().map_err(|error| unusable(error.to_string()))?;
        let at = endpoint.as_deref().unwrap_or("Amazon S3");
        Ok(Self { store, shown: format!("the bucket {bucket} at {at}"), timeout: *timeout })
    }

    /// Awaits a call within the timeout.
    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, StorageError> {
        match timeout(self.timeout, call).await {
            Ok(outcome) => outcome.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    pub(super) async fn put(&self, name: &str, content: Bytes) -> Result<(), StorageError> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, content_type(name).into());
        if AvatarFile::parse(name).is_some() {
            attributes.insert(Attribute::CacheControl, IMMUTABLE.into());
        }
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.call(self.store.put_opts(&key(name)?, content.into(), options)).await.map(drop)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        let key = key(name)?;
        let read = async {
            match self.store.get(&key).await {
                Err(Error::NotFound { .. }) => Ok(None),
                found => found?.bytes().await.map(Some),
            }
        };
        self.call(read).await
    }

    /// Reads `length` bytes of a file from the byte `start`; less at its end, `None` if there is no such file. With a
    /// tag, a file that has changed since is an error.
    pub(super) async fn part(
        &self,
        name: &str,
        start: u64,
        length: u64,
        tag: Option<&str>,
    ) -> Result<Option<FilePart>, StorageError> {
        let key = key(name)?;
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..start.saturating_add(length))),
            if_match: tag.map(str::to_owned),
            ..GetOptions::default()
        };
        let read = async {
            let found = match self.store.get_opts(&key, options).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                // An empty file has no part.
                Err(error) if start == 0 => match self.store.head(&key).await {
                    Ok(found) if found.size == 0 => {
                        let tag = found.e_tag.unwrap_or_default();
                        return Ok(Some(FilePart { content: Bytes::new(), size: 0, tag }));
                    }
                    _ => return Err(error),
                },
                found => found?,
            };
            let (size, tag) = (found.meta.size, found.meta.e_tag.clone().unwrap_or_default());
            found.bytes().await.map(|content| Some(FilePart { content, size, tag }))
        };
        self.call(read).await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), StorageError> {
        let key = key(name)?;
        let removed = async {
            match self.store.delete(&key).await {
                Err(Error::NotFound { .. }) => Ok(()),
                outcome => outcome,
            }
        };
        self.call(removed).await
    }

    pub(super) fn describe(&self) -> String {
        self.shown.clone()
    }

    pub(super) async fn visit(&self, below: &str, visit: Sender<StoredFile>) -> Result<(), StorageError> {
        let prefix = if below.is_empty() { None } else { Some(key(below)?) };
        let mut found = self.store.list(prefix.as_ref());
        loop {
            // The timeout holds for each page.
            let next = timeout(self.timeout, found.next()).await.map_err(|_| self.silent())?;
            let Some(object) = next else { return Ok(()) };
            let object = object.map_err(|error| self.failed(&error))?;
            let name = object.location.to_string();
            if is_good_name(&name) && visit.send(StoredFile { name, size: object.size }).await.is_err() {
                return Ok(());
            }
        }
    }

    fn silent(&self) -> StorageError {
        StorageError::Unavailable(format!(
            "{} did not answer within {:?}: check s3_endpoint and the network, or raise s3_timeout",
            self.shown, self.timeout
        ))
    }

    /// Says in one line what failed, and what to do about it.
    fn failed(&self, error: &Error) -> StorageError {
        let cause = cause(error);
        let remedy = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                "check s3_access_key, the secret in s3_secret_key_file and what the key may do"
            }
            Error::NotFound { .. } => "check s3_bucket and s3_path_style, and that the bucket exists",
            _ => "check s3_endpoint, the network, the service and the room in it",
        };
        StorageError::Unavailable(format!("{}: {cause}: {remedy}", self.shown))
    }
}

/// The innermost cause, on one line. The texts around it repeat it.
fn cause(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(500).collect()
}

fn unusable(why: String) -> StorageError {
    StorageError::Unavailable(why)
}

fn key(name: &str) -> Result<Key, StorageError> {
    Key::parse(name).map_err(|_| StorageError::Name(name.to_owned()))
}

/// The endpoint as the library wants it: with virtual hosts, the bucket is a part of the host.
fn endpoint_of(endpoint: &str, bucket: &str, path_style: bool) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !path_style => format!("{scheme}://{bucket}.{host}"),
        _ => endpoint.to_owned(),
    }
}

/// Makes the library's calls through the door.
#[derive(Clone)]
struct S3Client {
    guarded: GuardedClient,
    inner: HttpClient,
    timeout: Duration,
}

impl std::fmt::Debug for S3Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S3Client")
    }
}

impl HttpConnector for S3Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for S3Client {
    // As the trait's macro writes it.
    fn call<'service, 'call>(
        &'service self,
        request: HttpRequest,
    ) -> BoxFuture<'call, Result<HttpResponse, HttpError>>
    where
        'service: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            let call = self.guarded.begin();
            let (host, port) = (request.uri().host().unwrap_or_default(), request.uri().port_u16());
            let port = port.unwrap_or(if request.uri().scheme_str() == Some("http") { 80 } else { 443 });
            if let Err(closed) = self.guarded.check(host, port) {
                call.end(Err(&closed.into()));
                return Err(HttpError::new(HttpErrorKind::Unknown, closed));
            }
            let outcome = self.inner.execute(request).await;
            let fault = |error| CallFault::of(error, self.timeout);
            let counted =
                outcome.as_ref().map(|response| response.status().as_u16()).map_err(|error| fault(error));
            call.end(counted.as_ref().copied());
            outcome
        })
    }
}

/// An address that the setting has may be called, and so may this machine by its name `localhost`; a name may not lead to either.
fn client(settings: &S3Settings, door: &Door) -> Result<S3Client, StorageError> {
    let url = settings.endpoint.as_deref().unwrap_or("https://s3.amazonaws.com");
    let url = reqwest::Url::parse(url).map_err(|error| unusable(format!("s3_endpoint: {error}")))?;
    let tls = tls(settings.ca_file.as_deref())?;
    let guarded = door.for_operator(&url).client("s3", &url, settings.timeout, tls).map_err(unusable)?;
    let inner = HttpClient::new(guarded.inner().clone());
    Ok(S3Client { guarded, inner, timeout: settings.timeout })
}

/// TLS with the system's authorities, or with those of a PEM file.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, StorageError> {
    client_config(ca_file, "s3_ca_file").map_err(unusable)
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::family::Family;

    use super::*;
    use crate::outbound::{AddressGuard, CallCounter};
    use crate::telemetry::OutboundLabels;

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        for (path_style, endpoint) in
            [(true, "https://s3.example:9000"), (false, "https://pictures.s3.example:9000")]
        {
            assert_eq!(endpoint_of("https://s3.example:9000", "pictures", path_style), endpoint);
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ca.pem");
        let refused = || tls(Some(&path)).unwrap_err().to_string();
        assert!(refused().contains("ca.pem cannot be read"), "{}", refused());
        std::fs::write(&path, "no certificate").unwrap();
        assert!(refused().contains("holds no certificate"), "{}", refused());
        assert!(tls(None).is_ok());
    }

    /// Whoever controls a name server does not get at what this machine alone can reach.
    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_called_and_a_written_address_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counted = Family::default();
        let bucket = |host: &str, path_style, opened: &[&str]| {
            let opened: Vec<_> = opened.iter().map(|network| network.parse().unwrap()).collect();
            let door = Door::new(AddressGuard::new(&opened, &[]), CallCounter::new(counted.clone()));
            let settings = S3Settings {
                endpoint: Some(format!("http://{host}:{port}")),
                bucket: "pictures".to_owned(),
                region: "us-east-1".to_owned(),
                path_style,
                ca_file: None,
                access_key: "wardroom".to_owned(),
                secret_key: "secret".to_owned().into(),
                timeout: Duration::from_millis(500),
            };
            Bucket::open(&settings, &door.leading_to([127, 0, 0, 1].into())).unwrap()
        };
        for (host, path_style) in
            [("s3.example.com", true), ("s3.example.com", false), ("localhost.example", true)]
        {
            let error = bucket(host, path_style, &[]).get("a.png").await.unwrap_err().to_string();
            assert!(
                error.contains("the address is loopback: open its network with outbound_networks"),
                "{error}"
            );
        }
        let reached =
            async || tokio::time::timeout(Duration::from_millis(20), listener.accept()).await.is_ok();
        assert!(!reached().await);
        for (host, opened) in
            [("127.0.0.1", &[][..]), ("localhost", &[]), ("s3.example.com", &["127.0.0.0/8"])]
        {
            let error = bucket(host, true, opened).get("a.png").await.unwrap_err().to_string();
            assert!(
                error.contains("did not answer within") || error.contains("timed out"),
                "{host}: {error}"
            );
            assert!(reached().await, "{host}");
        }
        let of = |result| counted.get_or_create(&OutboundLabels { kind: "s3", result }).get();
        // A call that failed to connect is made again.
        assert!(of("forbidden") >= 3 && of("timeout") >= 3, "{counted:?}");
    }
}
