//! Takes a renewed certificate while the server runs: at SIGHUP, and when one of its files has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::signals::Hangups;
use crate::server::{Certificates, FileStamps, TlsError};
use crate::telemetry::ExpiryMetric;

/// How often the files are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// Keeps the certificate of new connections current. It runs until it is aborted.
pub(super) async fn keep_current(
    certificates: Option<Arc<Certificates>>,
    expiry: ExpiryMetric,
    mut hangups: Hangups,
) {
    let Some(certificates) = certificates else {
        loop {
            hangups.next().await;
            tracing::info!("SIGHUP: there is nothing to read again, because tls_certificate is not set");
        }
    };
    // They may have changed since they were read: the first look reads them again.
    let mut files = Files { taken: None, failed: None, certificates, expiry };
    files.note_expiry();
    let mut looks = interval(LOOKED_AT_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hangups.next() => files.read_again().await,
            _ = looks.tick() => files.look().await,
        }
    }
}

/// The files, and the states of them that were read.
struct Files {
    certificates: Arc<Certificates>,
    /// Their state when they were last read with success, or with an error that was logged.
    taken: Option<FileStamps>,
    /// Their state at the last look, if they could not be used then. A renewal replaces one file after the other, so an
    /// error is logged only if the next look finds the same.
    failed: Option<FileStamps>,
    expiry: ExpiryMetric,
}

impl Files {
    /// Reads the files because of a signal.
    async fn read_again(&mut self) {
        // Before they are read: a later change must be seen.
        let stamps = self.certificates.stamps();
        match reload(&self.certificates).await {
            Ok(true) => self.log_taken("SIGHUP: new connections get the new certificate"),
            Ok(false) => self.log_taken("SIGHUP: the certificate was read again and has not changed"),
            Err(error) => log_kept(&error),
        }
        (self.taken, self.failed) = (Some(stamps), None);
    }

    /// Reads the files if they have changed.
    async fn look(&mut self) {
        let stamps = self.certificates.stamps();
        if self.taken.as_ref() == Some(&stamps) {
            self.failed = None;
            return;
        }
        match reload(&self.certificates).await {
            Ok(true) => self.log_taken("the certificate has changed: new connections get the new one"),
            Ok(false) => {}
            Err(error) if self.failed.as_ref() == Some(&stamps) => log_kept(&error),
            Err(_) => {
                self.failed = Some(stamps);
                return;
            }
        }
        (self.taken, self.failed) = (Some(stamps), None);
    }

    fn note_expiry(&self) {
        if let Some(facts) = self.certificates.facts() {
            self.expiry.get_or_create(&[]).set(facts.not_after);
        }
    }

    fn log_taken(&self, message: &'static str) {
        self.note_expiry();
        let facts = self.certificates.facts();
        let names = facts.as_ref().map(|facts| facts.names.join(", ")).unwrap_or_default();
        let expires = facts.and_then(|facts| jiff::Timestamp::from_second(facts.not_after).ok());
        tracing::info!(names, expires = expires.map(tracing::field::display), "{message}");
    }
}

fn log_kept(error: &str) {
    tracing::error!(
        error,
        remedy = "repair the files and send SIGHUP, or replace them again",
        "the new certificate cannot be used: new connections still get the old one"
    );
}

async fn reload(certificates: &Arc<Certificates>) -> Result<bool, String> {
    let certificates = Arc::clone(certificates);
    let read = spawn_blocking(move || certificates.reload()).await;
    read.map_err(|error| error.to_string())?.map_err(|error: TlsError| error.to_string())
}
