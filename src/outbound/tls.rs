//! TLS for what leaves the machine: ring, and the authorities of the system or of a file.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Makes a client configuration that trusts the system's authorities, or those of a PEM file, which the setting names. The
/// provider is named, because none is installed for the whole process.
pub(crate) fn client_config(ca_file: Option<&Path>, setting: &str) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        Some(path) => {
            add_file(&mut roots, path).map_err(|why| format!("{setting}: {} {why}", path.display()))?
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn add_file(roots: &mut rustls::RootCertStore, path: &Path) -> Result<(), String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|error| {
        format!("cannot be read ({error}): check the path and its owner, and give a PEM file")
    })?;
    if found.is_empty() {
        return Err("holds no certificate: give a PEM file with a BEGIN CERTIFICATE block".to_owned());
    }
    for certificate in found {
        roots.add(certificate).map_err(|error| format!("holds no usable certificate ({error})"))?;
    }
    Ok(())
}
