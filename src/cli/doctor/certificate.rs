//! The certificate of a server that terminates TLS itself.

use std::time::Duration;

use super::finding::{Finding, fault, good, span, warning};
use crate::config::Config;
use crate::directory::model::Timestamp;
use crate::server::{CertificateFacts, Certificates};

/// How long before its end a certificate should have been renewed.
const RENEWED_BEFORE: Duration = Duration::from_hours(24 * 21);

/// Checks that certificate and key fit, that the certificate is valid for some time, and that its names are those of this
/// server.
pub(super) fn check(config: &Config, now: Timestamp) -> Vec<Finding> {
    let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return vec![] };
    let certificates = match Certificates::read(certificate, key) {
        Ok(certificates) => certificates,
        Err(error) => return vec![fault("tls", error.to_string())],
    };
    let mut findings = vec![good("tls", format!("{} matches its key", certificate.display()))];
    if let Some(facts) = certificates.facts() {
        findings.push(validity(&facts, now));
        // The host of public_url is among them.
        findings.push(names(&facts, &config.allowed_hosts.names()));
    }
    findings
}

fn validity(facts: &CertificateFacts, now: Timestamp) -> Finding {
    const RENEW: &str =
        "renew it and put the new one in its place: a server takes it within seconds, or at SIGHUP";
    let now = now.as_micros() / 1_000_000;
    let left = |until: i64| Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0));
    let date = |second: i64| match jiff::Timestamp::from_second(second) {
        Ok(date) => date.to_string(),
        Err(_) => second.to_string(),
    };
    let until = date(facts.not_after);
    if now < facts.not_before {
        let from = date(facts.not_before);
        return fault(
            "tls_expiry",
            format!(
                "it is valid only from {from} on: check the clock of this machine, or use the certificate before it until then"
            ),
        );
    }
    match left(facts.not_after) {
        Duration::ZERO => {
            fault("tls_expiry", format!("it expired at {until}, and clients refuse it; {RENEW}"))
        }
        left if left < RENEWED_BEFORE => {
            warning("tls_expiry", format!("it expires in {}, at {until}; {RENEW}", span(left)))
        }
        left => good("tls_expiry", format!("it expires in {}, at {until}", span(left))),
    }
}

fn names(facts: &CertificateFacts, wanted: &[&str]) -> Finding {
    let own = facts.names.join(", ");
    let missing: Vec<_> = wanted.iter().filter(|host| !is_local(host) && !facts.covers(host)).collect();
    match missing.first() {
        Some(host) => warning(
            "tls_names",
            format!(
                "it is for {own}, and not for {host}, which public_url or allowed_hosts names: clients of that name refuse \
                 it; request a certificate with every name, or correct the setting"
            ),
        ),
        None if facts.names.is_empty() => warning(
            "tls_names",
            "it names no host (no subject alternative name), so clients refuse it; request one with the names that clients use",
        ),
        None => good("tls_names", format!("it is for {own}")),
    }
}

/// Names that only this machine uses; a certificate need not have them.
fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
