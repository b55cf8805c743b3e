//! TLS to PostgreSQL, with certificates of an authority that the test creates.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::process::{Process, wardroom};
use crate::support::own_postgres::OwnPostgres;
use crate::support::{Database, Request};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a host, or for a person if the host is empty, with its key.
fn issue(authority: &Authority, host: &str, name: &str) -> (String, String) {
    let hosts = if host.is_empty() { vec![] } else { vec![host.to_owned()] };
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn file(place: &TempDir, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = place.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Runs a command whose machine trusts only the certificates in `trusted`. Returns whether it succeeded, and its output.
fn run(args: &[&str], url: &str, trusted: &Path) -> (bool, String) {
    let mut command = wardroom(args);
    command.args(["--database-url", url]).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
    let output = tokio::task::block_in_place(|| command.output().unwrap());
    (
        output.status.success(),
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat(),
    )
}

/// The server's certificate is for `localhost`, from an authority of the operator.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_certificate_is_checked_as_the_url_says() {
    let (server, ours, other) = (OwnPostgres::start().await, authority("ours"), authority("other"));
    let (certificate, key) = issue(&ours, "localhost", "a server");
    server.enable_tls(&certificate, &key).await;
    let place = tempfile::tempdir().unwrap();
    let ca = file(&place, "ca.pem", &ours.pem(), 0o644).display().to_string();
    let strange = file(&place, "other.pem", &other.pem(), 0o644).display().to_string();
    let nothing = file(&place, "empty.pem", &other.pem(), 0o644);
    let root = format!("&sslrootcert={ca}");
    let (_, said) = run(&["init"], &server.url(), &nothing);
    assert!(said.contains("Created"), "{said}");
    let list =
        |host: &str, end: &str, trusted: &Path| run(&["user", "list"], &server.url_of(host, end), trusted);
    for (host, end) in [
        ("localhost", format!("?sslmode=verify-full{root}")),
        ("localhost", format!("?sslmode=require{root}")),
        ("localhost", format!("?sslmode=verify-ca{root}")),
        ("127.0.0.1", format!("?sslmode=verify-ca{root}")),
    ] {
        let (succeeded, said) = list(host, &end, &nothing);
        assert!(succeeded, "{host}{end}: {said}");
    }
    for end in ["?sslmode=verify-full", "?sslmode=require", "?sslmode=verify-full&sslrootcert=system"] {
        let (succeeded, said) = list("localhost", end, Path::new(&ca));
        assert!(succeeded, "{end}: {said}");
    }
    for (host, end, expected) in [
        ("127.0.0.1", format!("?sslmode=verify-full{root}"), "not valid for name"),
        ("127.0.0.1", format!("?sslmode=require{root}"), "not valid for name"),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={strange}"), "UnknownIssuer"),
        ("localhost", format!("?sslmode=verify-ca&sslrootcert={strange}"), "UnknownIssuer"),
        ("localhost", "?sslmode=verify-full".to_owned(), "UnknownIssuer"),
        ("localhost", "?sslmode=verify-full&sslrootcert=system".to_owned(), "UnknownIssuer"),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={ca}.gone"), "check the path"),
        (
            "localhost",
            format!("?sslmode=verify-full&sslrootcert={}", file(&place, "none", "no PEM", 0o644).display()),
            "BEGIN CERTIFICATE",
        ),
    ] {
        // `serve` ends at once: no certificate becomes valid by waiting.
        let (succeeded, said) =
            run(&["serve", "--listen", "127.0.0.1:0"], &server.url_of(host, &end), &nothing);
        assert!(!succeeded && said.contains(expected), "{host}{end}: {said}");
        assert!(!said.contains("waiting for PostgreSQL"), "{host}{end}: {said}");
    }
}

/// A server that accepts only clients with a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_opens_a_server_that_wants_one() {
    let (server, ours) = (OwnPostgres::start().await, authority("ours"));
    let (certificate, key) = issue(&ours, "localhost", "a server");
    server.write("root.crt", &ours.pem());
    server.write("pg_hba.conf", "hostnossl all all 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 cert\n");
    server.sql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'").await;
    server.enable_tls(&certificate, &key).await;
    let place = tempfile::tempdir().unwrap();
    let trusted = file(&place, "ca.pem", &ours.pem(), 0o644);
    let (certificate, key) = issue(&ours, "", "wardroom");
    let certificate = file(&place, "client.pem", &certificate, 0o644);
    let key = file(&place, "client.key", &key, 0o600);
    let base = "?sslmode=verify-full";
    let end = format!("{base}&sslcert={}&sslkey={}", certificate.display(), key.display());
    let (succeeded, said) = run(&["init"], &server.url_of("localhost", base), &trusted);
    assert!(!succeeded && said.contains("certificate"), "{said}");
    let url = server.url_of("localhost", &end);
    for args in [&["init"] as &[&str], &["user", "add", "root", "--admin"], &["doctor"]] {
        let (succeeded, said) = run(args, &url, &trusted);
        assert!(succeeded, "{args:?}: {said}");
    }
    let unencrypted = "SELECT count(*) FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid \
                       WHERE a.application_name = 'wardroom' AND (s.ssl IS NOT TRUE OR s.client_dn IS NULL)";
    let mut process = Process::start({
        let mut command = wardroom(&["serve", "--listen", "127.0.0.1:0", "--database-url", &url]);
        command.env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR");
        command
    });
    let address = process.address("listening");
    assert_eq!(Request::new(address, "GET", "/readyz").send().await.status, 200);
    assert_eq!(Database::at(&server.url()).number(unencrypted).await, 0);
    for (mode, text) in [(0o644, "run chmod o="), (0o600, "unencrypted PEM private key")] {
        let wrong = file(&place, "wrong.key", if mode == 0o600 { "no key" } else { "" }, mode);
        let end = format!("{base}&sslcert={}&sslkey={}", certificate.display(), wrong.display());
        let (succeeded, said) = run(&["user", "list"], &server.url_of("localhost", &end), &trusted);
        assert!(!succeeded && said.contains(text) && said.contains("wrong.key"), "{said}");
    }
}

/// A self-signed certificate as `openssl req -x509` makes it: an authority's, and the server's own.
fn self_signed(host: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, host);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Whoever puts the server's own certificate into sslrootcert trusts exactly that one. Its dates, its host (with
/// verify-full) and its key are still checked.
#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_accepted_where_sslrootcert_has_it() {
    let server = OwnPostgres::start().await;
    let (certificate, key) = self_signed("localhost", |_| {});
    let (other, _) = self_signed("localhost", |_| {});
    server.enable_tls(&certificate, &key).await;
    let place = tempfile::tempdir().unwrap();
    let nothing = file(&place, "empty.pem", &other, 0o644);
    let pinned = file(&place, "server.pem", &format!("{other}{certificate}"), 0o644).display().to_string();
    let strange = file(&place, "other.pem", &other, 0o644).display().to_string();
    let (succeeded, said) = run(
        &["init"],
        &server.url_of("localhost", &format!("?sslmode=verify-full&sslrootcert={pinned}")),
        &nothing,
    );
    assert!(succeeded, "{said}");
    let step = "copy the server's own certificate into that file";
    for (host, end, trusted, refusal) in [
        ("localhost", format!("?sslmode=verify-ca&sslrootcert={pinned}"), &nothing, None),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={pinned}"), &nothing, None),
        ("localhost", format!("?sslmode=require&sslrootcert={pinned}"), &nothing, None),
        // The machine may trust it, too.
        ("localhost", "?sslmode=verify-full".to_owned(), &PathBuf::from(&pinned), None),
        (
            "127.0.0.1",
            format!("?sslmode=verify-full&sslrootcert={pinned}"),
            &nothing,
            Some("not valid for name"),
        ),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={strange}"), &nothing, Some(step)),
        ("localhost", format!("?sslmode=verify-ca&sslrootcert={strange}"), &nothing, Some(step)),
        ("localhost", "?sslmode=verify-full".to_owned(), &nothing, Some(step)),
    ] {
        let (succeeded, said) = run(&["user", "list"], &server.url_of(host, &end), trusted);
        assert_eq!(succeeded, refusal.is_none(), "{host}{end}: {said}");
        assert!(refusal.is_none_or(|refusal| said.contains(refusal)), "{host}{end}: {said}");
    }
    let (expired, key) =
        self_signed("localhost", |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    server.enable_tls(&expired, &key).await;
    let root = file(&place, "expired.pem", &expired, 0o644).display().to_string();
    for mode in ["verify-full", "verify-ca"] {
        let end = format!("?sslmode={mode}&sslrootcert={root}");
        let (succeeded, said) = run(&["user", "list"], &server.url_of("localhost", &end), &nothing);
        assert!(!succeeded && said.contains("expired"), "{said}");
    }
}

/// The error names the next step, and `serve` ends at once: waiting does not turn on TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_with_the_next_step() {
    let server = OwnPostgres::start().await;
    let place = tempfile::tempdir().unwrap();
    let ca = file(&place, "ca.pem", &authority("ours").pem(), 0o644);
    for end in ["?sslmode=require".to_owned(), format!("?sslmode=verify-ca&sslrootcert={}", ca.display())] {
        for args in
            [&["init"] as &[&str], &["user", "list"], &["doctor"], &["serve", "--listen", "127.0.0.1:0"]]
        {
            let (succeeded, said) = run(args, &server.url_of("localhost", &end), &ca);
            assert!(!succeeded, "{args:?}: {said}");
            for part in ["server does not support TLS", "set ssl = on", "write sslmode=disable into the URL"]
            {
                assert!(said.contains(part), "{args:?}: {said}");
            }
            assert!(!said.contains("waiting for PostgreSQL"), "{said}");
        }
    }
}
