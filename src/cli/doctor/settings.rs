//! What is dangerous in the settings alone.

use super::finding::{Finding, fault, good, warning};
use crate::cli::context::{codes_fault, settings};
use crate::cli::listeners::{is_open_to_everyone, open_socket};
use crate::config::{AccessLog, Config, ListenAddress};
use crate::server::{UnixSocketError, check_socket_directory};

/// Checks the settings without opening anything.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![public_address(config)];
    findings.extend(hosts(config));
    findings.extend(proxies(config));
    findings.extend(clear_text(config));
    findings.extend(sockets(config));
    findings.extend(stale(config));
    findings.extend(database_tls(config));
    findings.extend(codes(config));
    findings
}

fn public_address(config: &Config) -> Finding {
    match &config.public_url {
        Some(url) => good("public_url", format!("absolute URLs begin with {}", url.as_str())),
        None => warning(
            "public_url",
            "not set: absolute URLs use the scheme and the Host header of each request; set it to the URL that clients use, \
             such as https://accounts.example.com",
        ),
    }
}

/// Warns if a client can choose the host.
fn hosts(config: &Config) -> Option<Finding> {
    let chosen = if config.public_url.is_some() {
        "a page of another site can reach this server by rebinding a name"
    } else {
        "a client chooses the host in the URLs of its response, which a cache may keep for others"
    };
    let text = format!(
        "allowed_hosts = *: every Host header is accepted, so {chosen}; list the names that clients use"
    );
    config.allowed_hosts.allows_any().then(|| warning("allowed_hosts", text))
}

/// Warns if a client can choose its own address.
fn proxies(config: &Config) -> Option<Finding> {
    let network = config.trusted_proxies.too_large()?;
    Some(warning(
        "trusted_proxies",
        format!(
            "{network} includes machines that are not yours: a client there can name any address in X-Forwarded-For, and so \
             evade every limit and forge the addresses in the audit trail; list only the addresses of your proxies"
        ),
    ))
}

/// Warns if tokens travel through a network in clear text.
fn clear_text(config: &Config) -> Option<Finding> {
    let open = config.listen.iter().find(|address| !address.is_local())?;
    let text = format!(
        "{open} is reachable from other machines without TLS: tokens and passwords can be read on the way; set \
         tls_certificate and tls_key, or listen on 127.0.0.1 behind a proxy with TLS"
    );
    config.tls_certificate.is_none().then(|| warning("listen", text))
}

/// Checks the Unix sockets of `listen` as the server does when it starts, and what `trusted_proxies` says of them.
fn sockets(config: &Config) -> Vec<Finding> {
    let trusts = config.trusted_proxies.trusts(None);
    let mut findings = Vec::new();
    for address in &config.listen {
        let ListenAddress::Unix { path, .. } = address else { continue };
        if let Err(error) = check_socket_directory(path) {
            let text = format!("the server cannot listen on {address}: {error}");
            // A unit creates the directory when it starts the server (RuntimeDirectory=).
            let is_missing = matches!(error, UnixSocketError::NoDirectory(_));
            findings.push(if is_missing { warning("listen", text) } else { fault("listen", text) });
        }
        // A local account that is no proxy could choose its own address. The service manager may have made the socket.
        if trusts && (address.is_open_to_everyone() || is_open_to_everyone(path)) {
            findings.push(warning("listen", open_socket(&address.to_string())));
        }
        if !trusts {
            let text = format!(
                "clients of {address} have no address, because trusted_proxies does not have unix: all of them count as one \
                 client, and a token with networks is refused there; add unix to trusted_proxies if only a proxy connects"
            );
            findings.push(warning("listen", text));
        }
    }
    findings
}

/// Warns if one setting defeats another.
fn stale(config: &Config) -> Option<Finding> {
    let text = "with access_log = all, every request takes the full path, on which serve_stale_for has no effect: log requests at the proxy instead";
    let is_lost = config.access_log == AccessLog::All && !config.serve_stale_for.is_zero();
    is_lost.then(|| warning("serve_stale_for", text))
}

/// Warns if the connection to PostgreSQL is not encrypted.
fn database_tls(config: &Config) -> Option<Finding> {
    let host = settings(config).location.clear_text_host()?;
    let text = format!(
        "sslmode=disable: password hashes and token digests travel to {host} in clear text, and an attacker on the network \
         can change them; use sslmode=require"
    );
    Some(warning("database_tls", text))
}

/// The fewest digits of a code that have the 20 random bits which NIST SP 800-63B asks for, nearly.
const DIGITS: u32 = 6;

/// Warns if codes cannot be sent, or prove less than they should.
fn codes(config: &Config) -> Vec<Finding> {
    if !config.otp_sign_in {
        return Vec::new();
    }
    if let Some(text) = codes_fault(&settings(config)) {
        return vec![fault("otp_sign_in", text)];
    }
    let mut findings = vec![good("otp_sign_in", "people can sign in with a one-time code".to_owned())];
    if config.otp_digits < DIGITS {
        let text = format!(
            "a code of {} digits is guessed with five tries more easily than one of {DIGITS}: set otp_digits = {DIGITS}",
            config.otp_digits
        );
        findings.push(warning("otp_digits", text));
    }
    if config.otp_for_admins {
        let text = "an admin's account is worth no more than the telephone or the mailbox that gets the code: set \
                    otp_for_admins = false";
        findings.push(warning("otp_for_admins", text));
    }
    findings
}
