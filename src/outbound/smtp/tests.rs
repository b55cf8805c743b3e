use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// How the server of a test behaves.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// It speaks TLS from the first byte.
    tls: bool,
    /// It does not offer STARTTLS.
    no_starttls: bool,
    /// It refuses to begin TLS although it offers it.
    refuses_starttls: bool,
    /// What it adds in clear text to its answer to STARTTLS.
    injected: &'static str,
    /// It answers this command with this line.
    answer: Option<(&'static str, &'static str)>,
    /// It says nothing any more from this command on; the empty text means from the beginning.
    silent_at: Option<&'static str>,
    /// It offers AUTH.
    auth: bool,
}

/// What the server of a test has seen: lines in clear text, and lines in TLS.
#[derive(Default)]
struct Seen {
    clear: Vec<String>,
    secret: Vec<String>,
}

struct TestServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    tls: Arc<rustls::ClientConfig>,
}

async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manners: Manners,
    is_secret: bool,
    is_greeted: bool,
    seen: &Mutex<Seen>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if manners.silent_at == Some("") {
        std::future::pending::<()>().await;
    }
    if !is_greeted {
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.ok()?;
    }
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        {
            let mut seen = seen.lock().unwrap();
            let lines = if is_secret { &mut seen.secret } else { &mut seen.clear };
            lines.push(line.clone());
        }
        let command = line.to_ascii_uppercase();
        let is = |name: &str| !in_data && command.starts_with(name);
        if manners.silent_at.is_some_and(|at| is(at) || (at == "." && in_data && line == ".")) {
            std::future::pending::<()>().await;
        }
        let planned = manners.answer.filter(|(at, _)| is(at) || (*at == "." && in_data && line == "."));
        let answer = match planned {
            Some((_, answer)) => format!("{answer}\r\n"),
            None if in_data && line != "." => continue,
            None if in_data => "250 2.0.0 queued\r\n".to_owned(),
            None if is("EHLO") => {
                let starttls = if is_secret || manners.no_starttls { "" } else { "250-STARTTLS\r\n" };
                let auth = if manners.auth { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
                format!("250-mail.example.com\r\n{starttls}{auth}250 8BITMIME\r\n")
            }
            None if is("STARTTLS") && manners.refuses_starttls => "454 4.7.0 not now\r\n".to_owned(),
            None if is("STARTTLS") => {
                stream.write_all(format!("220 go\r\n{}", manners.injected).as_bytes()).await.ok()?;
                return Some(stream.into_inner());
            }
            None if is("AUTH") => "235 2.7.0 welcome\r\n".to_owned(),
            None if is("DATA") => "354 go on\r\n".to_owned(),
            None if is("QUIT") => "221 bye\r\n".to_owned(),
            None => "250 2.1.0 fine\r\n".to_owned(),
        };
        if is("DATA") && answer.starts_with("354") {
            in_data = true;
        } else if in_data {
            in_data = false;
        }
        stream.write_all(answer.as_bytes()).await.ok()?;
        if command == "QUIT" {
            return None;
        }
    }
}

async fn start(manners: Manners) -> TestServer {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
            tokio::spawn(async move {
                if manners.tls {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    session(stream, manners, true, false, &noted).await;
                } else if let Some(stream) = session(stream, manners, false, false, &noted).await
                    && let Ok(stream) = acceptor.accept(stream).await
                {
                    session(stream, manners, true, true, &noted).await;
                }
            });
        }
    });
    TestServer { port, seen, tls: Arc::new(client) }
}

impl TestServer {
    fn provider(&self, protection: SmtpProtection) -> SmtpProvider {
        SmtpProvider {
            host: "localhost".to_owned(),
            port: self.port,
            protection,
            tls: Arc::clone(&self.tls),
            login: None,
            from: "Accounts <accounts@example.com>".parse().unwrap(),
            hello: hello_name("accounts.example.com:8443"),
            limit: Duration::from_secs(20),
            calls: CallCounter::default(),
        }
    }

    fn lines(&self) -> (Vec<String>, Vec<String>) {
        let seen = self.seen.lock().unwrap();
        (seen.clear.clone(), seen.secret.clone())
    }

    /// What a passive listener learned: never more than names.
    fn check_clear_text(&self) {
        let (clear, _) = self.lines();
        let harmless = |line: &String| line.starts_with("EHLO ") || line == "STARTTLS" || line == "QUIT";
        assert!(clear.iter().all(harmless), "{clear:?}");
    }
}

fn mail() -> OutgoingMessage {
    OutgoingMessage {
        id: "msg_00000000000000000000000001".to_owned(),
        kind: "code",
        channel: "mail",
        to: "ada@example.org".to_owned(),
        subject: Some("کد ورود شما".to_owned()),
        text: "Your code:\n\nplanted-731905\n.\n.hidden".to_owned(),
        code: Some("planted-731905".to_owned()),
        locale: "fa",
        expires_at: "2030-01-01T00:05:00.000000Z".to_owned(),
        sent_at: 1_893_456_000,
    }
}

fn why(result: Result<(), SendError>) -> (bool, String) {
    match result.unwrap_err() {
        SendError::Later { why, .. } => (true, why),
        SendError::Refused(why) => (false, why),
    }
}

#[tokio::test]
async fn a_mail_is_sent_over_tls_with_its_headers() {
    for (manners, protection) in [
        (Manners { auth: true, ..Manners::default() }, SmtpProtection::Starttls),
        (Manners { tls: true, auth: true, ..Manners::default() }, SmtpProtection::Tls),
    ] {
        let server = start(manners).await;
        let login = Some(("app".to_owned(), Zeroizing::new("planted-password".to_owned())));
        let provider = SmtpProvider { login, ..server.provider(protection) };
        for attempt in 0..2 {
            let message = OutgoingMessage { sent_at: mail().sent_at + attempt, ..mail() };
            assert_eq!(provider.send(&message).await, Ok(()));
        }
        server.check_clear_text();
        let (_, lines) = server.lines();
        let has = |line: &str| lines.iter().any(|seen| seen == line);
        let count = |line: &str| lines.iter().filter(|seen| *seen == line).count();
        for line in [
            "EHLO accounts.example.com",
            "AUTH PLAIN AGFwcABwbGFudGVkLXBhc3N3b3Jk",
            "MAIL FROM:<accounts@example.com>",
            "RCPT TO:<ada@example.org>",
            "From: Accounts <accounts@example.com>",
            "To: ada@example.org",
            "Auto-Submitted: auto-generated",
            "Content-Language: fa",
            "Date: Tue, 01 Jan 2030 00:00:00 +0000",
            "Content-Type: text/plain; charset=utf-8",
            "planted-731905",
            // What begins with a dot is sent with two, and the text does not end there.
            "..",
            "..hidden",
            "QUIT",
        ] {
            assert!(has(line), "{line} is missing: {lines:#?}");
        }
        // The same in both attempts, so a mailbox shows one mail.
        assert_eq!(count("Message-ID: <msg_00000000000000000000000001@example.com>"), 2);
        assert!(lines.iter().any(|line| line.starts_with("Subject: =?utf-8?")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("text/html")));
    }
}

/// Nothing is said in clear text, whatever the server is like.
#[tokio::test]
async fn without_good_tls_nothing_is_sent() {
    let plain = Manners::default();
    for (manners, protection, expected) in [
        (
            Manners { no_starttls: true, ..plain },
            SmtpProtection::Starttls,
            "does not offer STARTTLS, and nothing is sent in clear text",
        ),
        (
            Manners { refuses_starttls: true, ..plain },
            SmtpProtection::Starttls,
            "refused STARTTLS with code 454",
        ),
        // Someone in between adds answers before TLS begins.
        (Manners { injected: "250 fine\r\n250 fine\r\n", ..plain }, SmtpProtection::Starttls, ""),
        (plain, SmtpProtection::Tls, "TLS failed"),
        (Manners { tls: true, ..plain }, SmtpProtection::Starttls, ""),
    ] {
        let server = start(manners).await;
        let provider = SmtpProvider { limit: Duration::from_millis(1500), ..server.provider(protection) };
        let (is_later, why) = why(provider.send(&mail()).await);
        assert!(is_later && why.contains(expected), "{why}");
        server.check_clear_text();
        assert!(!server.lines().1.iter().any(|line| line.contains("planted")));
    }
    // A certificate of another authority, or for another name.
    let (server, other) = (start(plain).await, start(plain).await);
    let wrong = SmtpProvider { tls: Arc::clone(&other.tls), ..server.provider(SmtpProtection::Starttls) };
    assert_eq!(
        why(wrong.send(&mail()).await),
        (
            true,
            "the mail server: the certificate was not accepted: check its name, its end and the authority"
                .to_owned()
        )
    );
    let wrong = SmtpProvider { host: "127.0.0.1".to_owned(), ..server.provider(SmtpProtection::Starttls) };
    assert!(why(wrong.send(&mail()).await).1.contains("the certificate was not accepted"));
    server.check_clear_text();
}

#[tokio::test]
async fn the_codes_of_a_server_decide_whether_to_try_again() {
    for (command, answer, is_later, expected) in [
        (
            "MAIL",
            "451 4.3.0 planted-731905 try later",
            true,
            "the mail server refused the mail for now with code 451",
        ),
        ("RCPT", "450 4.2.1 greylisted", true, "the mail server refused the mail for now with code 450"),
        (
            "RCPT",
            "550 5.1.1 <ada@example.org> planted-731905: unknown",
            false,
            "the mail server refused the mail with code 550",
        ),
        ("DATA", "554 5.7.1 no", false, "the mail server refused the mail with code 554"),
        (".", "552 5.3.4 too big", false, "the mail server refused the mail with code 552"),
        (".", "421 4.3.2 shutting down", true, "the mail server refused the mail for now with code 421"),
        ("MAIL", "hello", true, "the connection to the mail server broke at the mail"),
        ("EHLO", "502 5.5.1 no", true, "the mail server refused"),
        ("AUTH", "535 5.7.8 wrong", true, "the mail server refused the sign-in with smtp_user with code 535"),
    ] {
        let server =
            start(Manners { tls: true, auth: true, answer: Some((command, answer)), ..Manners::default() })
                .await;
        let login = Some(("app".to_owned(), Zeroizing::new("planted-password".to_owned())));
        let provider = SmtpProvider { login, ..server.provider(SmtpProtection::Tls) };
        let (was_later, why) = why(provider.send(&mail()).await);
        assert!(why.contains(expected) && !why.contains("planted"), "{command} {answer}: {why}");
        assert_eq!(was_later, is_later || command == "EHLO", "{command} {answer}: {why}");
    }
    // A name and a password are for a server that asks for them.
    let server = start(Manners { tls: true, ..Manners::default() }).await;
    let login = Some(("app".to_owned(), Zeroizing::new("planted-password".to_owned())));
    let provider = SmtpProvider { login, ..server.provider(SmtpProtection::Tls) };
    assert!(why(provider.send(&mail()).await).0);
}

/// A server that hangs at any point is left after the time limit.
#[tokio::test]
async fn a_server_that_hangs_is_left() {
    let limit = Duration::from_millis(400);
    for (silent_at, tls) in [
        ("", false),
        ("EHLO", false),
        ("STARTTLS", false),
        ("", true),
        ("EHLO", true),
        ("RCPT", true),
        ("DATA", true),
        (".", true),
    ] {
        let server = start(Manners { tls, silent_at: Some(silent_at), ..Manners::default() }).await;
        let protection = if tls { SmtpProtection::Tls } else { SmtpProtection::Starttls };
        let provider = SmtpProvider { limit, ..server.provider(protection) };
        let (is_later, why) = why(provider.send(&mail()).await);
        assert!(is_later && why.contains("did not answer within 400ms"), "{silent_at}: {why}");
    }
    // It is sent when it was taken, even if the server says no more.
    let server = start(Manners { tls: true, silent_at: Some("QUIT"), ..Manners::default() }).await;
    assert_eq!(server.provider(SmtpProtection::Tls).send(&mail()).await, Ok(()));
}

#[tokio::test]
async fn an_address_is_never_a_command() {
    let server = start(Manners { tls: true, ..Manners::default() }).await;
    let provider = server.provider(SmtpProtection::Tls);
    for to in [
        "",
        "ada",
        "ada@example.org\r\nRCPT TO:<eve@example.org>",
        "ada@example.org>\r\nDATA",
        "a b@example.org",
        "<ada@example.org>",
        "ada@example.org, eve@example.org",
    ] {
        let message = OutgoingMessage { to: to.to_owned(), ..mail() };
        assert_eq!(
            why(provider.send(&message).await),
            (false, "the mail address cannot be used".to_owned()),
            "{to:?}"
        );
    }
    let subject = Some("Hello\r\nBcc: eve@example.org\r\n\r\nplanted".to_owned());
    let message =
        OutgoingMessage { subject, text: "a\r\n.\r\nMAIL FROM:<eve@example.org>\r\nb".to_owned(), ..mail() };
    assert_eq!(provider.send(&message).await, Ok(()));
    let (_, lines) = server.lines();
    assert!(!lines.iter().any(|line| line.starts_with("Bcc:")), "{lines:#?}");
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("EHLO") || line.starts_with("RCPT")).count(),
        2,
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line == ".."), "{lines:#?}");
}
