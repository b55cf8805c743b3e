//! The certificate of new connections. It can be replaced while connections are open.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate_facts::CertificateFacts;
use super::tls::{TlsError, read_pair, server_config};

/// A certificate and its key, with the files that they come from.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What identifies one state of the two files. A file that is replaced, or written in place, has another stamp.
#[derive(Debug, PartialEq, Eq)]
pub struct FileStamps([Option<FileStamp>; 2]);

#[derive(Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: [(i64, i64); 2],
    mode: u32,
}

impl Certificates {
    /// Reads a PEM file with a certificate chain and a PEM file with its key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(read_pair(certificate, key)?));
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), current }))
    }

    /// Builds the configuration of a server whose new connections get the current certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        server_config(Arc::<Self>::clone(self)).map(Arc::new).map_err(|source| TlsError::Unusable {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })
    }

    /// Reads the files again. New connections get what they contain; open connections keep what they have. Returns whether
    /// the certificate is a different one. After an error nothing has changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let new = Arc::new(read_pair(&self.certificate, &self.key)?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let differs = current.cert != new.cert;
        *current = new;
        Ok(differs)
    }

    /// Returns the current state of the files, without reading them.
    pub fn stamps(&self) -> FileStamps {
        FileStamps([&self.certificate, &self.key].map(|path| FileStamp::of(path).ok()))
    }

    /// Describes the certificate that new connections get.
    pub fn facts(&self) -> Option<CertificateFacts> {
        CertificateFacts::of(self.current().cert.first()?)
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl FileStamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            changed: [(file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec())],
            mode: file.mode(),
        })
    }
}
