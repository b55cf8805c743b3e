//! What a certificate says about itself: its names, and when it expires.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The facts of a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its first second, in Unix time.
    pub not_before: i64,
    /// Its last second, in Unix time.
    pub not_after: i64,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    der: CertificateDer<'static>,
}

impl CertificateFacts {
    pub(super) fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?.tbs_certificate;
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs().try_into().ok();
        let named: Option<(bool, SubjectAltName)> = certificate.get().ok()?;
        let names = named.map(|(_, names)| names.0).unwrap_or_default();
        Some(Self {
            not_before: seconds(certificate.validity.not_before)?,
            not_after: seconds(certificate.validity.not_after)?,
            names: names.iter().filter_map(name).collect(),
            der: der.clone().into_owned(),
        })
    }

    /// Whether clients accept the certificate for this host name or address (RFC 9525).
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let Ok(parsed) = ParsedCertificate::try_from(&self.der) else { return false };
        ServerName::try_from(host).is_ok_and(|host| verify_server_name(&parsed, &host).is_ok())
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes()).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into());
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dates_are_read() {
        let names = ["accounts.example.com", "*.wild.example.com", "192.0.2.7", "2001:db8::7"];
        let mut params = rcgen::CertificateParams::new(names.map(str::to_owned)).unwrap();
        params.not_before = rcgen::date_time_ymd(2025, 1, 2);
        params.not_after = rcgen::date_time_ymd(2051, 3, 4);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let facts = CertificateFacts::of(made.der()).unwrap();
        assert_eq!(facts.names, names);
        assert_eq!((facts.not_before, facts.not_after), (1_735_776_000, 2_561_500_800));
        for (host, expected) in [
            ("accounts.example.com", true),
            ("ACCOUNTS.example.com", true),
            ("a.wild.example.com", true),
            ("a.b.wild.example.com", false),
            ("192.0.2.7", true),
            ("[2001:db8::7]", true),
            ("192.0.2.8", false),
            ("example.com", false),
            ("not a name", false),
        ] {
            assert_eq!(facts.covers(host), expected, "{host}");
        }
        assert_eq!(CertificateFacts::of(&CertificateDer::from(b"none".to_vec())), None);
    }
}
