//! Reads a certificate and a key into a TLS configuration. Each error names the file and the remedy.
//!
//! Nothing here uses the network, and no message contains a part of the key.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The mode bits of others.
const WORLD: u32 = 0o007;

/// Why TLS cannot be set up, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is missing, unreadable or not PEM.
    #[error(
        "cannot read the certificate {path}: {source}; give the PEM file of the certificate and its chain"
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{path} holds no certificate; give a PEM file with a BEGIN CERTIFICATE block")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file is missing or its mode cannot be read.
    #[error("cannot read the key {path}: {source}; check the path and that this process may read the file")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Everyone on the machine can read or write the key file.
    #[error("the key {path} is open to everyone on this machine (mode {mode:04o}); run chmod o-rwx on it")]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// The key file is not a PEM key.
    #[error(
        "cannot read the key {path}: {source}; give an unencrypted PEM private key (PKCS#8, PKCS#1 or SEC1)"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: pem::Error,
    },
    /// The key is another certificate's.
    #[error(
        "the key {key} does not belong to the first certificate in {certificate}; give the key that the certificate was \
         requested with, and put the server's own certificate first in its file"
    )]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// rustls refuses the certificate, the key or both.
    #[error(
        "the certificate {certificate} and the key {key} cannot be used: {source}; give an X.509 certificate with an RSA, \
         ECDSA or Ed25519 key"
    )]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
}

/// Builds a TLS 1.2 and 1.3 configuration for HTTP/1.1 with the certificates of `resolver`.
pub(super) fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads a certificate chain and its key, and checks that they belong together.
pub(super) fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let (chain, private) = (read_chain(certificate)?, read_key(key)?);
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|source| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { certificate, key }
            }
            source => TlsError::Unusable { certificate, key, source },
        }
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::Certificate { path: path.into(), source })?;
    if chain.is_empty() { Err(TlsError::NoCertificate { path: path.into() }) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let metadata =
        std::fs::metadata(path).map_err(|source| TlsError::KeyFile { path: path.into(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & WORLD != 0 {
        return Err(TlsError::KeyExposed { path: path.into(), mode });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|source| TlsError::Key { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `cert.pem` and `key.pem`, the key with the given mode.
    fn files(mode: u32) -> tempfile::TempDir {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        let key = dir.path().join("key.pem");
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    fn message(cert: &Path, key: &Path) -> String {
        read_pair(cert, key).unwrap_err().to_string()
    }

    #[test]
    fn a_key_for_owner_and_group_is_taken() {
        let dir = files(0o640);
        read_pair(&dir.path().join("cert.pem"), &dir.path().join("key.pem")).unwrap();
    }

    #[test]
    fn each_fault_names_the_file_and_the_remedy() {
        let (dir, other) = (files(0o600), files(0o644));
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let said = message(&cert, &other.path().join("key.pem"));
        assert!(said.contains("(mode 0644); run chmod o-rwx"), "{said}");
        let said = message(&dir.path().join("none.pem"), &key);
        assert!(said.contains("none.pem") && said.contains("give the PEM file"), "{said}");
        assert!(message(&key, &key).contains("holds no certificate"));
        assert!(message(&cert, &dir.path().join("none.pem")).contains("check the path"));
        std::fs::set_permissions(&cert, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(message(&cert, &cert).contains("give an unencrypted PEM private key"));
        let strange = other.path().join("cert.pem");
        let said = message(&strange, &key);
        assert!(said.contains("key.pem does not belong to the first certificate in"), "{said}");
    }
}
