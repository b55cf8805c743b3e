//! Messages to people, by real servers: providers, replicas, crashes, and what no log, metric or file shows.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wardroom::directory::Location;

use crate::cli::{Ran, on};
use crate::process::{Process, serve};
use crate::support::{Answer, Backend, Database, Request, both};

pub const SIGNING: &str = "whsec_cGxhbnRlZC1zZWNyZXQtb2YtdGhlLXdlYmhvb2s=";
const TO: &str = "+989121234567";
const MAIL_TO: &str = "planted.person@example.com";

/// A request that a receiver got.
#[derive(Clone, Debug)]
pub struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.into_iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("{name} is missing: {}", self.head)).1
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A receiver of HTTP requests. It gives the planned answers in their order, and then the last one again and again; the empty
/// answer holds the connection open without a word.
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub async fn open(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (noted, answers) = (Arc::clone(&received), answers.to_vec());
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                let number = {
                    let mut noted = noted.lock().unwrap();
                    noted.push(request);
                    noted.len() - 1
                };
                let answer = answers.get(number).or(answers.last()).copied().unwrap_or("200 OK");
                if answer.is_empty() {
                    held.push(stream);
                    continue;
                }
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, received }
    }

    /// Waits until so many requests have arrived.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let begun = Instant::now();
        loop {
            let received = self.received.lock().unwrap().clone();
            if received.len() >= count {
                return received;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{} of {count} arrived", received.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(Received { head: head.to_owned(), body: body.to_owned() });
        }
    }
}

/// Files with secrets.
pub struct Secrets(TempDir);

impl Secrets {
    pub fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("key", &STANDARD.encode((1..=32).collect::<Vec<u8>>()));
        place.write("webhook", SIGNING);
        place.write("token", "planted-token-of-the-service");
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), format!("{text}\n")).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The flags of a webhook for both channels.
    pub fn webhook(&self, url: &str) -> Vec<String> {
        let flags = [
            ("--secrets-key-file", self.text("key").as_str()),
            ("--sms-provider", "webhook"),
            ("--mail-provider", "webhook"),
            ("--message-webhook-url", url),
            ("--message-webhook-secret-file", self.text("webhook").as_str()),
        ]
        .map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        flags.into_iter().flatten().collect()
    }
}

pub const OPEN: [&str; 2] = ["--outbound-networks", "127.0.0.0/8"];

pub fn with<'a>(flags: &'a [String], others: &[&'a str]) -> Vec<&'a str> {
    flags.iter().map(String::as_str).chain(others.iter().copied()).collect()
}

pub fn works(database: &Database, args: &[&str]) -> Ran {
    let ran = on(database, args, "");
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

/// Queues a test message, and returns its id.
fn queue(database: &Database, flags: &[String], channel: &str, to: &str) -> String {
    let args = with(flags, &["outbox", "test", channel, to, "--json"]);
    // The flags of the command come after it.
    let (flags, verb) = args.split_at(flags.len());
    works(database, &[verb, flags].concat()).json()["id"].as_str().unwrap().to_owned()
}

/// Waits until a message is in a state, and returns it as it is shown.
async fn wait_for_state(database: &Database, id: &str, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let shown = works(database, &["outbox", "show", id, "--json"]).json();
        if shown["state"] == state {
            return shown;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{shown:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn metrics(address: SocketAddr) -> String {
    Request::new(address, "GET", "/metrics").send().await.body
}

both! {
    /// A signed request, which is verified as the specification says.
    async fn a_webhook_gets_signed_messages(backend: Backend) {
        let (database, secrets, receiver) = (Database::new(backend).await, Secrets::new(), Receiver::open(&["204 No Content"]).await);
        let flags = secrets.webhook(&format!("http://{}/messages?x=1", receiver.address));
        let mut server = serve(&database, &with(&flags, &[OPEN[0], OPEN[1], "--metrics-listen", "127.0.0.1:0"]));
        server.address("listening");
        let metrics_at = server.address("metrics listening");
        let ids = [queue(&database, &flags, "sms", TO), queue(&database, &flags, "mail", MAIL_TO)];
        let received = receiver.wait_for(2).await;
        for id in &ids {
            let sent = wait_for_state(&database, id, "sent").await;
            assert_eq!((&sent["attempts"], &sent["error"]), (&1.into(), &Value::Null));
            let request = received.iter().find(|request| request.header("webhook-id") == *id).unwrap();
            assert!(request.head.starts_with("POST /messages?x=1 HTTP/1.1\r\n"), "{}", request.head);
            assert_eq!(request.header("content-type"), "application/json");
            assert!(request.header("user-agent").starts_with("Wardroom/"));
            let signed = format!("{id}.{}.{}", request.header("webhook-timestamp"), request.body);
            let secret = STANDARD.decode(SIGNING.strip_prefix("whsec_").unwrap()).unwrap();
            let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap().chain_update(signed).finalize();
            assert_eq!(request.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.into_bytes())));
            let event = request.json();
            assert_eq!((&event["type"], &event["data"]["id"]), (&"notice.requested".into(), &id.as_str().into()));
            let data = &event["data"];
            let is_sms = data["channel"] == "sms";
            assert_eq!(data["to"], if is_sms { TO } else { MAIL_TO });
            assert_eq!(data["text"], "This is a test message of Wardroom.");
            assert_eq!(data.get("subject").is_some(), !is_sms);
            assert!(data["expires_at"].as_str().unwrap().ends_with('Z') && data["locale"] == "en");
        }
        let text = metrics(metrics_at).await;
        for channel in ["sms", "mail"] {
            let sample = format!("wardroom_messages_total{{kind=\"notice\",channel=\"{channel}\",outcome=\"sent\"}} 1");
            assert!(text.contains(&sample), "{text}");
        }
        let listed = works(&database, &["outbox", "list"]).out;
        assert!(listed.contains("+98********67") && !listed.contains(TO) && !listed.contains("planted"), "{listed}");
        let audit = works(&database, &["audit", "list", "--action", "message.sent"]).out;
        assert!(audit.contains("p***@example.com") && !audit.contains("planted"), "{audit}");
    }
}

both! {
    /// A lost answer, a refusal for now, and a crash between sending and noting: the message comes again with its id.
    async fn a_message_comes_again_with_the_same_id(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        let receiver = Receiver::open(&["503 Later\r\nretry-after: 1", "", "200 OK"]).await;
        let flags = secrets.webhook(&format!("http://{}/", receiver.address));
        let start = || {
            let mut server = serve(&database, &with(&flags, &OPEN));
            server.address("listening");
            server
        };
        let server = start();
        let id = queue(&database, &flags, "mail", MAIL_TO);
        let waiting = wait_for_state(&database, &id, "queued").await;
        receiver.wait_for(1).await;
        assert_eq!(waiting["attempts"].as_i64().unwrap() / 2, 0);
        // The second attempt never gets an answer: the server is killed while it waits.
        receiver.wait_for(2).await;
        server.signal("-KILL");
        drop(server);
        assert_eq!(wait_for_state(&database, &id, "sending").await["attempts"], 2);
        // Its time runs out.
        database.sql("UPDATE deliveries SET next_at = 0").await;
        let _server = start();
        let sent = wait_for_state(&database, &id, "sent").await;
        assert_eq!(sent["attempts"], 3);
        let received = receiver.wait_for(3).await;
        assert!(received.iter().all(|request| request.header("webhook-id") == id), "{received:?}");
        assert_eq!(received.len(), 3);
    }
}

both! {
    /// Line 12: an attempt that takes until the message expires ends then. What a receiver gets later would be stale.
    async fn an_attempt_ends_when_the_message_expires(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        // It takes the request and never answers.
        let receiver = Receiver::open(&[""]).await;
        let flags = secrets.webhook(&format!("http://{}/", receiver.address));
        let mut server = serve(&database, &with(&flags, &OPEN));
        server.address("listening");
        let mut id = queue(&database, &flags, "sms", TO);
        receiver.wait_for(1).await;
        // The next attempt has less time than a call may take.
        let given_up = "no response before the time of the message was over";
        let now = match &database.location {
            Location::Sqlite(_) => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Location::Postgres(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        };
        let mut round = 1;
        loop {
            let shorten = format!(
                "UPDATE deliveries SET state = 'queued', attempts = 0, lease = NULL, finished_at = NULL, next_at = 0, \
                 expires_at = {now} + 6000000 WHERE payload IS NOT NULL"
            );
            database.sql(&shorten).await;
            let begun = Instant::now();
            let shown = loop {
                let shown = works(&database, &["outbox", "show", &id, "--json"]).json();
                if shown["state"] == "failed" || shown["state"] == "expired" {
                    break shown;
                }
                assert!(begun.elapsed() < Duration::from_mins(2), "{shown:#}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            if shown["error"] == given_up {
                break;
            }
            // The machine was too slow to begin in time.
            assert!(shown["state"] == "expired" && round < 5, "{shown:#}");
            id = queue(&database, &flags, "sms", TO);
            round += 1;
        }
        assert!(receiver.count() >= 2);
    }
}

both! {
    /// Two servers share the work: each message arrives once.
    async fn replicas_send_each_message_once(backend: Backend) {
        let (database, secrets, receiver) = (Database::new(backend).await, Secrets::new(), Receiver::open(&["200 OK"]).await);
        let flags = secrets.webhook(&format!("http://{}/", receiver.address));
        let ids: Vec<_> = (0..12).map(|_| queue(&database, &flags, "mail", MAIL_TO)).collect();
        let mut servers = [serve(&database, &with(&flags, &OPEN)), serve(&database, &with(&flags, &OPEN))];
        for server in &mut servers {
            server.address("listening");
        }
        for id in &ids {
            wait_for_state(&database, id, "sent").await;
        }
        // A server that stops lets its attempts end.
        for server in servers {
            server.signal("-TERM");
            assert_eq!(server.end().0, Some(0));
        }
        let mut seen: Vec<_> = receiver.wait_for(12).await.iter().map(|request| request.header("webhook-id").to_owned()).collect();
        seen.sort();
        let mut expected = ids;
        expected.sort();
        assert_eq!(seen, expected);
    }
}

both! {
    /// By default no inner address is called; a redirect is not followed; an operator tries again or withdraws.
    async fn a_call_that_is_refused_is_shown_and_can_be_repeated(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        let target = Receiver::open(&["200 OK"]).await;
        let head: &'static str = format!("302 Found\r\nlocation: http://{}/", target.address).leak();
        let receiver = Receiver::open(&[head]).await;
        let flags = secrets.webhook(&format!("http://{}/", receiver.address));
        let closed = serve(&database, &with(&flags, &[]));
        let id = queue(&database, &flags, "mail", MAIL_TO);
        let begun = Instant::now();
        loop {
            let shown = works(&database, &["outbox", "show", &id, "--json"]).json();
            if shown["error"].as_str().is_some_and(|error| error.contains("outbound_networks")) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{shown:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(receiver.count(), 0);
        closed.signal("-TERM");
        closed.end();
        let open = serve(&database, &with(&flags, &OPEN));
        let mut args = vec!["outbox", "retry", id.as_str()];
        args.extend(flags.iter().map(String::as_str));
        assert!(works(&database, &args).out.contains("is to be tried again at once"));
        receiver.wait_for(1).await;
        let begun = Instant::now();
        loop {
            let shown = works(&database, &["outbox", "show", &id, "--json"]).json();
            if shown["error"].as_str().is_some_and(|error| error.contains("the redirect 302, which is not followed")) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{shown:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        open.signal("-TERM");
        open.end();
        assert_eq!(target.count(), 0);
        assert!(works(&database, &["outbox", "drop", &id]).out.contains("is dropped"));
        let again = on(&database, &["outbox", "drop", &id], "");
        assert_eq!((again.code, again.err.contains("there is nothing to drop")), (4, true), "{}", again.err);
        let actions = works(&database, &["audit", "list"]).out;
        for action in ["message.queue", "message.retry", "message.drop"] {
            assert!(actions.contains(action), "{actions}");
        }
    }
}

/// A form for Twilio's API, with Basic authentication. Its refusals are final, with their number.
#[tokio::test(flavor = "multi_thread")]
async fn a_twilio_like_service_gets_a_form() {
    let (database, secrets, receiver) = (
        Database::new(Backend::Sqlite).await,
        Secrets::new(),
        Receiver::open(&["201 Created", "400 Bad Request"]).await,
    );
    let flags: Vec<String> = [
        ("--secrets-key-file", secrets.text("key").as_str()),
        ("--sms-provider", "twilio"),
        ("--twilio-url", format!("http://{}", receiver.address).as_str()),
        ("--twilio-account", "AC0123"),
        ("--twilio-token-file", secrets.text("token").as_str()),
        ("--twilio-from", "+15005550006"),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
    .collect();
    let mut server = serve(&database, &with(&flags, &OPEN));
    server.address("listening");
    let id = queue(&database, &flags, "sms", TO);
    wait_for_state(&database, &id, "sent").await;
    let request = receiver.wait_for(1).await.remove(0);
    assert!(
        request.head.starts_with("POST /2010-04-01/Accounts/AC0123/Messages.json HTTP/1.1"),
        "{}",
        request.head
    );
    let basic = STANDARD.encode("AC0123:planted-token-of-the-service");
    assert_eq!(request.header("authorization"), format!("Basic {basic}"));
    assert_eq!(
        request.body,
        "To=%2B989121234567&From=%2B15005550006&Body=This+is+a+test+message+of+Wardroom."
    );
    let refused = queue(&database, &flags, "sms", TO);
    let shown = wait_for_state(&database, &refused, "failed").await;
    assert_eq!(shown["error"], "the service answered with status 400");
    let args = with(&flags, &["outbox", "retry", "--failed"]);
    let (flags, verb) = args.split_at(flags.len());
    assert!(works(&database, &[verb, flags].concat()).out.contains(&refused));
}

both! {
    /// No secret of a message or of a provider is in a log at any level, in a metric, in the database, or in what commands show.
    async fn no_secret_of_a_message_is_shown(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        // The receiver repeats the message in what it says.
        let receiver = Receiver::open(&["503 planted.person@example.com planted-secret-of-the-webhook", "200 OK"]).await;
        let flags = secrets.webhook(&format!("http://{}/", receiver.address));
        let mut server = serve(&database, &with(&flags, &[
            OPEN[0], OPEN[1], "--metrics-listen", "127.0.0.1:0", "--log-level", "trace", "--access-log", "all"
        ]));
        server.address("listening");
        let metrics_at = server.address("metrics listening");
        let id = queue(&database, &flags, "mail", MAIL_TO);
        receiver.wait_for(1).await;
        let mut seen = metrics(metrics_at).await;
        let key = STANDARD.encode((1..=32).collect::<Vec<u8>>());
        let hexadecimal = match &database.location {
            Location::Sqlite(_) => "lower(hex(payload))",
            Location::Postgres(_) => "encode(payload, 'hex')",
        };
        let rows = format!("SELECT target || coalesce(error, '') || coalesce({hexadecimal}, '') FROM deliveries");
        seen += &database.texts(&rows).await.concat();
        if let Location::Sqlite(directory) = &database.location {
            for file in ["wardroom.db", "wardroom.db-wal"] {
                seen += &String::from_utf8_lossy(&std::fs::read(directory.join(file)).unwrap_or_default());
            }
        }
        wait_for_state(&database, &id, "sent").await;
        seen += &database.content().await.join("\n");
        seen += &works(&database, &["audit", "list", "--json"]).out;
        seen += &works(&database, &["outbox", "list", "--json"]).out;
        seen += &works(&database, &with(&flags, &[]).iter().fold(vec!["config", "show"], |mut args, flag| { args.push(flag); args })).out;
        server.signal("-TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0));
        assert!(log.contains("sent a message") && log.contains(&id), "{log}");
        seen += &log;
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for secret in [MAIL_TO, "planted", "This is a test message", SIGNING, key.as_str()] {
            assert!(!seen.contains(secret) && !seen.contains(&hex(secret)), "{secret} is shown");
        }
    }
}

both! {
    /// A server that cannot send what it is to send does not start, and says what to do. Other commands work.
    async fn faults_of_the_settings_are_named_at_the_start(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        let flags = secrets.webhook("http://127.0.0.1:9/");
        let texts = tempfile::tempdir().unwrap();
        let text = |name: &str, text: &str| std::fs::write(texts.path().join(name), text).unwrap();
        let directory = texts.path().display().to_string();
        let starts = |message: &str| {
            let args = with(&flags, &["--messages-dir", &directory, "--listen", "127.0.0.1:0"]);
            let ran = on(&database, &[&["serve"], args.as_slice()].concat(), "");
            assert!(ran.code == 2 && ran.err.contains(message), "{message}: {} {}", ran.code, ran.err);
        };
        text("code_sms.en.txt", "{code} {nonsense}");
        starts("code_sms.en.txt: line 1: there is no placeholder {nonsense} in this message; use {code}, {minutes}, {service}, {host}");
        text("code_sms.en.txt", &format!("{{code}} {}", "w".repeat(160)));
        starts("code_sms.en.txt: with the longest values it has 169 GSM characters, and 160 are allowed; shorten it");
        std::fs::remove_file(texts.path().join("code_sms.en.txt")).unwrap();
        text("welcome.txt", "hello");
        starts("welcome.txt: no message has this name; use one of code_sms.en.txt,");
        std::fs::remove_file(texts.path().join("welcome.txt")).unwrap();
        secrets.write("webhook", "hunter2");
        starts("message_webhook_secret_file: the text of the file (not shown) is not allowed; use one or two lines");
        secrets.write("key", "hunter2");
        starts("line 1 is not a key: make one with `wardroom secrets generate`");
        std::fs::remove_file(secrets.path("key")).unwrap();
        starts("secrets_key_file: ");
        let args = with(&flags, &["user", "add", "ada"]);
        let (before, verb) = args.split_at(flags.len());
        works(&database, &[verb, before].concat());
        let test = on(&database, &[&["outbox", "test", "mail", MAIL_TO], before].concat(), "");
        assert!(test.code == 5 && test.err.contains("messages cannot be sent: secrets_key_file: "), "{}", test.err);
        let doctor = on(&database, &[&["doctor"], before].concat(), "");
        assert!(doctor.code == 1 && doctor.out.contains("messages"), "{}", doctor.out);
        let off = on(&database, &["outbox", "test", "mail", MAIL_TO], "");
        assert!(off.code == 5 && off.err.contains("docs/messages.md"), "{}", off.err);
    }
}

both! {
    /// A new key is added, becomes the first one, and replaces the old one, while a message waits.
    async fn the_secrets_key_is_made_and_replaced(backend: Backend) {
        let (database, place) = (Database::new(backend).await, tempfile::tempdir().unwrap());
        let path = place.path().join("secrets-key");
        let shown = path.display().to_string();
        let secrets = Secrets::new();
        let mut flags = secrets.webhook("http://127.0.0.1:9/");
        flags[1] = shown.clone();
        let generate = || works(&database, &["secrets", "generate", "--file", &shown, "--json"]).json();
        let first = generate();
        assert_eq!((&first["new_file"], std::fs::metadata(&path).unwrap().permissions().mode() & 0o777), (&true.into(), 0o600));
        let id = queue(&database, &flags, "mail", MAIL_TO);
        let second = generate();
        assert_eq!(second["new_file"], false);
        let lines = read_lines(&path);
        assert_eq!(lines.len(), 2);
        let rotate = || on(&database, &[&["secrets", "rotate", "--json"], with(&flags, &[]).as_slice()].concat(), "");
        assert_eq!((rotate().json()["key"].clone(), rotate().json()["current"].clone()), (first["id"].clone(), 1.into()));
        std::fs::write(&path, format!("{}\n{}\n", lines[1], lines[0])).unwrap();
        let rotated = rotate();
        assert_eq!((rotated.code, &rotated.json()["key"], &rotated.json()["resealed"]), (0, &second["id"], &1.into()));
        std::fs::write(&path, format!("{}\n", lines[1])).unwrap();
        assert_eq!(rotate().json()["current"], 1);
        // With the old key alone it cannot be read, and the command says so.
        std::fs::write(&path, format!("{}\n", lines[0])).unwrap();
        let lost = rotate();
        assert_eq!((lost.code, &lost.json()["unknown"][second["id"].as_str().unwrap()]), (1, &1.into()));
        works(&database, &["outbox", "drop", &id]);
        assert_eq!(rotate().code, 0);
        let printed = works(&database, &["secrets", "generate"]).out;
        assert_eq!(STANDARD.decode(printed.trim()).unwrap().len(), 32);
        std::fs::write(&path, "hunter2\n").unwrap();
        let refused = on(&database, &["secrets", "generate", "--file", &shown], "");
        assert!(refused.code == 2 && refused.err.contains("line 1 is not a key") && !refused.err.contains("hunter2"), "{}", refused.err);
    }
}

fn read_lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

both! {
    /// Neither a move nor a backup takes messages along: what two databases have would be sent twice.
    async fn a_restored_or_moved_database_sends_nothing_again(backend: Backend) {
        let (database, secrets) = (Database::new(backend).await, Secrets::new());
        let flags = secrets.webhook("http://127.0.0.1:9/");
        queue(&database, &flags, "mail", MAIL_TO);
        works(&database, &["user", "add", "root", "--admin"]);
        let archive = database.place().join("backup.tar").display().to_string();
        works(&database, &["backup", &archive]);
        let restored = Database::empty(backend).await;
        works(&restored, &["restore", &archive, "--accept-revived"]);
        assert_eq!(restored.number("SELECT count(*) FROM deliveries").await, 0);
        let other = if backend == Backend::Sqlite { Backend::Postgres } else { Backend::Sqlite };
        let moved = Database::empty(other).await;
        let to = moved.args()[1].clone();
        let said = works(&database, &["move", "--to", &to]);
        assert!(said.out.contains("1 message still waits") || said.err.contains("1 message still waits"), "{} {}", said.out, said.err);
        assert_eq!(moved.number("SELECT count(*) FROM deliveries").await, 0);
        assert_eq!(database.number("SELECT count(*) FROM deliveries").await, 1);
    }
}

/// The demo prints messages and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_messages_says_nothing_of_them() {
    let database = Database::new(Backend::Sqlite).await;
    let mut server: Process = serve(&database, &[]);
    let address = server.address("listening");
    let me: Answer = Request::new(address, "GET", "/api/users/me").send().await;
    assert_eq!(me.status, 401);
    let doctor = on(&database, &["doctor", "--json"], "");
    assert!(!doctor.out.contains("\"messages\""), "{}", doctor.out);
    assert_eq!(works(&database, &["outbox", "list", "--json"]).json(), serde_json::json!([]));
}
