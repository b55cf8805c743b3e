//! TLS to a PostgreSQL server: which certificates are trusted, and which one this program shows. Each error names the
//! parameter, the file and the remedy.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::database::open::OpenError;
use crate::postgres_url::TlsOptions;

/// Builds the configuration of a client.
pub(super) fn client_config(options: &TlsOptions) -> Result<ClientConfig, OpenError> {
    let broken = |error: rustls::Error| OpenError::Broken(error.into());
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(match &options.roots {
        Some(path) => roots_of(path)?,
        None => roots_of_machine(),
    });
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let builder = match options.check_host {
        true => builder.with_root_certificates(roots),
        false => {
            let verifier = AnyHost { roots, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
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

fn roots_of_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(path: &Path) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("sslrootcert", path)? {
        roots.add(certificate).map_err(|error| {
            OpenError::InvalidUrl(format!(
                "sslrootcert: {} holds no usable certificate ({error})",
                path.display()
            ))
        })?;
    }
    Ok(roots)
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

/// Accepts a certificate for any host, if its chain leads to one of the roots (`sslmode=verify-ca`).
#[derive(Debug)]
struct AnyHost {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)
            .map(|()| ServerCertVerified::assertion())
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
