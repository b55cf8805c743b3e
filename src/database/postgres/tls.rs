//! TLS to a PostgreSQL server: which certificates are trusted, and which one this program shows. Each error names the
//! parameter, the file and the remedy.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::message::is_authority_as_server;
use crate::database::open::OpenError;
use crate::postgres_url::TlsOptions;

/// Builds the configuration of a client.
pub(super) fn client_config(options: &TlsOptions) -> Result<ClientConfig, OpenError> {
    let broken = |error: rustls::Error| OpenError::Broken(error.into());
    let provider = Arc::new(ring::default_provider());
    let (roots, trusted) = match &options.roots {
        Some(path) => roots_of(path)?,
        None => roots_of_machine(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let verifier = ServerCertificates { roots, trusted, check_host: options.check_host, provider };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &options.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("sslcert", certificate)?;
            builder.with_client_auth_cert(chain, key_of(key)?).map_err(|error| {
                OpenError::InvalidUrl(format!(
                    "sslcert and sslkey cannot be used ({error}): do they belong together?"
                ))
            })?
        }
    };
    if options.is_direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

/// Authorities, and their certificates as they were given.
type Trusted = (RootCertStore, Vec<CertificateDer<'static>>);

fn roots_of_machine() -> Trusted {
    let (mut roots, found) = (RootCertStore::empty(), rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(found.clone());
    (roots, found)
}

fn roots_of(path: &Path) -> Result<Trusted, OpenError> {
    let (mut roots, found) = (RootCertStore::empty(), certificates("sslrootcert", path)?);
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| {
            OpenError::InvalidUrl(format!(
                "sslrootcert: {} holds no usable certificate ({error})",
                path.display()
            ))
        })?;
    }
    Ok((roots, found))
}

fn certificates(parameter: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| {
        OpenError::InvalidUrl(format!(
            "{parameter}: {} cannot be read ({error}): check the path and its owner, and give a PEM file",
            path.display()
        ))
    })?;
    if found.is_empty() {
        return Err(OpenError::InvalidUrl(format!(
            "{parameter}: {} holds no certificate: give a PEM file with a BEGIN CERTIFICATE block",
            path.display()
        )));
    }
    Ok(found)
}

fn key_of(path: &Path) -> Result<PrivateKeyDer<'static>, OpenError> {
    let refused = |why: String| OpenError::InvalidUrl(format!("sslkey: {} {why}", path.display()));
    let metadata = std::fs::metadata(path)
        .map_err(|error| refused(format!("cannot be read ({error}): check the path and its owner")))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(refused(format!(
            "is open to every user of this machine (mode {mode:03o}): run chmod o= on it"
        )));
    }
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| refused(format!("cannot be read ({error}): give an unencrypted PEM private key")))
}

/// Accepts a certificate whose chain leads to one of the roots, and one that is itself among the trusted ones.
#[derive(Debug)]
struct ServerCertificates {
    roots: RootCertStore,
    /// The certificates of the roots.
    trusted: Vec<CertificateDer<'static>>,
    /// Whether it must be for the host in the URL; not with `sslmode=verify-ca`.
    check_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertificates {
    /// Whether this program trusts exactly this certificate, and the error is only that an authority's certificate is not
    /// a server's. `openssl req -x509` marks every certificate as an authority's, and libpq accepts them, too.
    ///
    /// That error comes after the check of the dates. That the server has the key is checked by its signature.
    fn is_pinned(&self, certificate: &CertificateDer<'_>, error: &rustls::Error) -> bool {
        is_authority_as_server(error) && self.trusted.iter().any(|trusted| trusted == certificate)
    }
}

impl ServerCertVerifier for ServerCertificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)
            .or_else(|error| if self.is_pinned(end_entity, &error) { Ok(()) } else { Err(error) })?;
        if self.check_host {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
