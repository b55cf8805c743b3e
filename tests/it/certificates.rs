//! A renewed certificate is taken while the server runs, and SIGHUP ends no server.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::process::{Process, serve, wardroom};
use crate::support::{Backend, Database, Request, both};

/// A certificate for `localhost` with its key, as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

impl Pair {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem(), der }
    }
}

/// The files that a server reads.
struct Files {
    place: TempDir,
}

impl Files {
    fn new(pair: &Pair) -> Self {
        let files = Self { place: tempfile::tempdir().unwrap() };
        files.put(pair);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Replaces a file as certbot does: a rename.
    fn replace(&self, name: &str, text: &str) {
        let (new, path) = (self.path("new"), self.path(name));
        std::fs::write(&new, text).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn put(&self, pair: &Pair) {
        self.replace("cert.pem", &pair.certificate);
        self.replace("key.pem", &pair.key);
    }

    fn serve(&self, database: &Database) -> Process {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        let path = |path: &Path| path.display().to_string();
        serve(database, &["--tls-certificate", &path(&certificate), "--tls-key", &path(&key)])
    }
}

/// A client that trusts these certificates.
pub fn connector(pairs: &[&Pair]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A resumed session would show the certificate of an earlier one.
    client.resumption = rustls::client::Resumption::disabled();
    Arc::new(client).into()
}

pub async fn connect(connector: &TlsConnector, address: SocketAddr) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

pub fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Sends a request on an open connection, and expects its response there.
async fn ask(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(br#"{"status":"ok"}"#) {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).await.unwrap();
        assert!(length > 0, "the connection was cut: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&part[..length]);
    }
}

/// A server with a certificate that will be replaced.
struct Renewal {
    process: Process,
    files: Files,
    old: Pair,
    new: Pair,
    /// It stays until the process has ended.
    _database: Database,
    address: SocketAddr,
    /// Trusts both certificates.
    client: TlsConnector,
}

/// The two messages of a new certificate. The server also looks at the files by itself: its look can come between a
/// change of the files and the signal.
pub const NEW_CERTIFICATE: [&str; 2] = [
    "SIGHUP: new connections get the new certificate",
    "the certificate has changed: new connections get the new one",
];

impl Renewal {
    async fn start(backend: Backend) -> Self {
        let database = Database::new(backend).await;
        let (old, new) = (Pair::new(), Pair::new());
        let files = Files::new(&old);
        let mut process = files.serve(&database);
        let address = process.address("listening");
        let client = connector(&[&old, &new]);
        Self { process, files, old, new, _database: database, address, client }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        connect(&self.client, self.address).await
    }
}

both! {
    /// SIGHUP ended the server with code 0, so that `Restart=on-failure` left it down.
    async fn a_hangup_takes_the_new_certificate_and_cuts_no_one_off(backend: Backend) {
        let mut server = Renewal::start(backend).await;
        let mut before = server.connect().await;
        assert_eq!(shown(&before), server.old.der);
        ask(&mut before).await;
        server.process.signal("-HUP");
        server.process.record("SIGHUP: the certificate was read again and has not changed");
        server.files.put(&server.new);
        server.process.signal("-HUP");
        let line = server.process.record_of(&NEW_CERTIFICATE);
        assert_eq!(line["names"], "localhost", "{line}");
        assert!(line["expires"].as_str().unwrap().ends_with('Z'), "{line}");
        let mut after = server.connect().await;
        assert_eq!(shown(&after), server.new.der);
        ask(&mut after).await;
        ask(&mut before).await;
        server.process.signal("-TERM");
        assert_eq!(server.process.end().0, Some(0));
    }
}

both! {
    async fn a_changed_file_is_taken_without_a_signal(backend: Backend) {
        let mut server = Renewal::start(backend).await;
        let mut before = server.connect().await;
        server.files.put(&server.new);
        server.process.record(NEW_CERTIFICATE[1]);
        assert_eq!(shown(&server.connect().await), server.new.der);
        ask(&mut before).await;
    }
}

/// Whatever is wrong with the new files, the old certificate stays, and the log says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_new_pair_keeps_the_old_certificate() {
    let mut server = Renewal::start(Backend::Sqlite).await;
    let certificate = server.new.certificate.clone();
    let kept = "the new certificate cannot be used: new connections still get the old one";
    for (name, text, expected) in [
        ("cert.pem", certificate.as_str(), "does not belong to the first certificate"),
        ("cert.pem", "", "holds no certificate"),
        ("key.pem", "no key", "give an unencrypted PEM private key"),
    ] {
        server.files.replace(name, text);
        server.process.signal("-HUP");
        let line = server.process.record(kept);
        assert_eq!(line["level"], "ERROR", "{line}");
        assert!(line["error"].as_str().unwrap().contains(expected), "{line}");
        assert!(line["remedy"].as_str().unwrap().contains("send SIGHUP"), "{line}");
        assert_eq!(shown(&server.connect().await), server.old.der);
        server.files.put(&server.old);
        server.process.signal("-HUP");
        server.process.record("SIGHUP: the certificate was read again and has not changed");
    }
    // Without a signal, too.
    std::fs::remove_file(server.files.path("key.pem")).unwrap();
    let line = server.process.record(kept);
    assert!(line["error"].as_str().unwrap().contains("key.pem: No such file"), "{line}");
    assert_eq!(shown(&server.connect().await), server.old.der);
    server.files.put(&server.old);
    server.process.signal("-HUP");
    server.process.record("SIGHUP: the certificate was read again and has not changed");
}

/// Whether a process ignores SIGHUP, and whether it has a handler for it.
fn hangup_of(process: &Process) -> (bool, bool) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap() & 1 == 1
    };
    (mask("SigIgn:"), mask("SigCgt:"))
}

/// `nohup` starts a program with SIGHUP ignored, and means it.
#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_hangup_stays_ignored() {
    let database = Database::new(Backend::Sqlite).await;
    let place = database.args();
    let program = env!("CARGO_BIN_EXE_wardroom");
    let serving = ["serve", "--listen", "127.0.0.1:0", &place[0], &place[1]];
    let demo = ["demo", "--listen", "127.0.0.1:0"];
    for (is_ignored, args) in [(true, &serving[..]), (true, &demo), (false, &serving), (false, &demo)] {
        let mut command = Command::new("sh");
        // A shell that does not ignore it itself cannot pass it on as ignored, and one that does cannot undo that.
        let trap = if is_ignored { "trap '' HUP; " } else { "" };
        command.args(["-c", &format!("{trap}exec \"$@\""), "sh", program]).args(args);
        let mut process = Process::start(command);
        let address = process.address("listening");
        // The first response comes after the handlers were installed.
        assert_eq!(Request::new(address, "GET", "/livez").send().await.status, 200);
        assert_eq!(hangup_of(&process), (is_ignored, !is_ignored), "{args:?}");
        process.signal("-HUP");
        if !is_ignored && args[0] == "demo" {
            assert_eq!(process.end().0, Some(0));
            continue;
        }
        if !is_ignored {
            process.record("SIGHUP: there is nothing to read again, because tls_certificate is not set");
        }
        assert_eq!(Request::new(address, "GET", "/livez").send().await.status, 200);
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("SIGHUP"), "{log}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_start() {
    let (one, other) = (Pair::new(), Pair::new());
    let files = Files::new(&one);
    files.replace("key.pem", &other.key);
    let (certificate, key) = (files.path("cert.pem"), files.path("key.pem"));
    let place = files.path("data");
    let output = wardroom(&["serve", "--init", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(place)
        .arg("--tls-certificate")
        .arg(certificate)
        .arg("--tls-key")
        .arg(key)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(last.contains("give the key that the certificate was requested with"), "{said}");
}
