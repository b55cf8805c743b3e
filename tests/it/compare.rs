//! `wardroom compare`: two real servers, and fake servers that answer as Django does, or badly.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::process::{Process, serve, wardroom};
use crate::support::site::{EXAMPLE_KEY, Persona};
use crate::support::{Backend, Database, Site, both, free_address};

/// The output and the exit code of a command.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// Returns `class kind field` of every difference, with its count.
    fn groups(&self) -> Vec<String> {
        let text = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
        let groups = self.json()["differences"].as_array().unwrap().clone();
        let lines = groups.iter().map(|group| {
            let words = ["class", "request", "kind", "field"].map(|name| text(group, name));
            format!("{} {}", words.join(" ").trim_end(), group["count"])
        });
        lines.collect()
    }
}

/// The command, in an environment that names a proxy: it must not be used.
fn command(args: &[&str]) -> Command {
    let mut command = wardroom(&["compare"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    command.args(args);
    command
}

/// Runs the command with these keys on standard input.
fn compare_with_keys(args: &[&str], keys: &[&str]) -> Ran {
    let mut command = assert_cmd::Command::from_std(command(args));
    command.args(["--tokens", "-"]).write_stdin(keys.join("\n"));
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn compare(old: SocketAddr, new: SocketAddr, more: &[&str], keys: &[&str]) -> Ran {
    let (old, new) = (format!("http://{old}"), format!("http://{new}"));
    compare_with_keys(&[&["--old", &old, "--new", &new], more].concat(), keys)
}

/// A request as a [`Fake`] server reads it.
struct Received {
    method: String,
    target: String,
    head: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the key, as Django REST Framework reads the header, or the text of its refusal.
    fn key(&self) -> Result<&str, &'static str> {
        let mut parts = self.header("authorization").unwrap_or_default().split_whitespace();
        if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("token")) {
            return Err("Authentication credentials were not provided.");
        }
        match (parts.next(), parts.next()) {
            (None, _) => Err("Invalid token header. No credentials provided."),
            (Some(key), None) => Ok(key),
            _ => Err("Invalid token header. Token string should not contain spaces."),
        }
    }
}

/// What a [`Fake`] server does with a request.
enum Reply {
    Send(Vec<u8>),
    /// Sends the answer and closes without announcing it.
    SendAndClose(Vec<u8>),
    Close,
    Hang,
}

/// A server that answers with the result of a function.
struct Fake {
    address: SocketAddr,
    /// Method, target and host of every request so far.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let heard = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&answer), Arc::clone(&heard)));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Received) -> Reply>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if !matches!(stream.read(&mut byte).await, Ok(1)) {
                return;
            }
            read.push(byte[0]);
        }
        let head = String::from_utf8(std::mem::take(&mut read)).unwrap();
        let words: Vec<_> = head.split(' ').collect();
        let received = Received { method: words[0].into(), target: words[1].into(), head: head.clone() };
        let host = received.header("host").unwrap_or_default();
        seen.lock().unwrap().push(format!("{} {} {host}", received.method, received.target));
        let (bytes, closes) = match answer(&received) {
            Reply::Send(bytes) => (bytes, false),
            Reply::SendAndClose(bytes) => (bytes, true),
            Reply::Close => return,
            Reply::Hang => std::future::pending().await,
        };
        if stream.write_all(&bytes).await.is_err() || closes {
            return;
        }
    }
}

/// An answer with these headers. `HEAD` gets no body, but its length.
fn bytes(received: &Received, status: u16, headers: &str, body: &str) -> Vec<u8> {
    let shown = if received.method == "HEAD" { "" } else { body };
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{shown}", body.len()).into_bytes()
}

/// The headers of Django REST Framework with the default middleware.
const FRAMEWORK: &str = "Date: Mon, 01 Sep 2025 12:00:00 GMT\r\nServer: gunicorn\r\nContent-Type: application/json\r\n\
    Vary: Accept, Cookie\r\nAllow: GET, HEAD, OPTIONS\r\nX-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n";
const PAGE: &str = "Content-Type: text/html; charset=utf-8\r\nX-Frame-Options: DENY\r\n";

/// Django as it was observed for the contract. Its users are `(key, status, body)`.
async fn django(people: Vec<(String, u16, String)>) -> Fake {
    Fake::start(move |received| {
        let send = |status, headers: &str, body: &str| Reply::Send(bytes(received, status, headers, body));
        let (path, query) = received.target.split_once('?').unwrap_or((&received.target, ""));
        match path {
            "/api/users/me/" => {}
            "/api/users/me" => {
                let mark = if query.is_empty() { "" } else { "?" };
                let location = format!("{PAGE}Location: /api/users/me/{mark}{query}\r\n");
                return send(301, &location, "");
            }
            _ => return send(404, PAGE, "<h1>Not Found</h1>"),
        }
        let refused = |detail: &str| {
            let body = json!({ "detail": detail }).to_string();
            send(401, &format!("{FRAMEWORK}WWW-Authenticate: Token\r\n"), &body)
        };
        let known = received.key().map(|key| people.iter().find(|(known, ..)| known == key));
        match (known, received.method.as_str()) {
            (Err(detail), _) => refused(detail),
            (Ok(None), _) => refused("Invalid token."),
            (Ok(Some((_, 401, detail))), _) => refused(detail),
            (Ok(Some((_, 200, _))), "OPTIONS") => {
                let body = r#"{"name":"Current User","description":"","renders":["application/json","text/html"],"parses":["application/json"]}"#;
                send(200, FRAMEWORK, body)
            }
            (Ok(Some((_, status, body))), _) => send(*status, FRAMEWORK, body),
        }
    })
    .await
}

/// Alex as Django returns it: no fraction if it is zero, groups in the order of rows, and its own host.
const ALEX: &str = r#"{"id":42,"username":"alex_thompson","mobile_number":"+1-555-0123","email":"alex.thompson@techcorp.com","avatar":"http://old.example/media/avatars/alex_profile.jpg","first_name":"Alex","last_name":"Thompson","full_name":"Alex Thompson","gender":"non-binary","groups":[7,1,3],"last_login":"2025-08-06T14:23:45.123456Z","created_at":"2024-03-15T09:30:00Z"}"#;

fn people(site: &Site, alex: &str) -> Vec<(String, u16, String)> {
    let person = |persona: &Persona, status, body: &str| (persona.key.clone(), status, body.to_owned());
    vec![
        person(&site.alex, 200, alex),
        person(&site.plain, 403, r#"{"detail":"You do not have permission to perform this action."}"#),
        person(&site.inactive, 401, "User inactive or deleted."),
    ]
}

both! {
    /// The proof itself: intended differences between Django and Wardroom do not make it fail.
    async fn a_faithful_wardroom_passes(backend: Backend) {
        let site = Site::start(backend).await;
        let old = django(people(&site, ALEX)).await;
        let keys = [site.alex.key.as_str(), &site.plain.key, &site.inactive.key];
        let paths = ["--path", "/api/users/me", "--path", "/api/users/me/?x=1", "--path", "/nowhere"];
        let ran = compare(old.address, site.address, &paths, &keys);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        assert!(ran.out.contains("\n30 requests to each: "), "{}", ran.out);
        assert!(ran.out.ends_with("\nNo difference that counts.\n"), "{}", ran.out);
        for expected in [
            "created_at (value): Wardroom writes the same time in UTC, with Z and always six digits",
            "groups (value): the framework leaves the order of groups open",
            "avatar (value): absolute URLs begin with each server's own address",
            "Allow (header): Wardroom allows more methods here",
            "Vary (header): ",
            "redirect: ",
            "body: Django responds with an HTML page",
            "renders (value): the response to OPTIONS",
        ] {
            assert!(ran.out.contains(expected), "{expected}: {}", ran.out);
        }
        let strict = compare(old.address, site.address, &["--strict"], &keys);
        assert_eq!(strict.code, Some(1));
        assert!(strict.out.contains("(expected: Wardroom allows more methods here)"), "{}", strict.out);
        let sent = old.seen();
        assert!(sent.iter().all(|line| ["GET", "HEAD", "OPTIONS"].contains(&line.split(' ').next().unwrap())), "{sent:?}");
    }
}

both! {
    /// With `--origin`, what a browser lets a page do is compared: each loss is named, whichever headers say it.
    async fn what_pages_of_other_origins_may_do_is_compared(backend: Backend) {
        const NAMED: &str = "https://app.example.com";
        const PREFLIGHT: &str = "Access-Control-Allow-Methods: DELETE, GET, OPTIONS, PATCH, POST, PUT\r\n\
            Access-Control-Allow-Headers: accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with\r\n";
        let without = Site::start(backend).await;
        let origins = wardroom::config::Flags::default().with("cors_allowed_origins", NAMED);
        let with = Site::with(backend, origins).await;
        // As django-cors-headers answers: preflights of any origin have status 200, and only the named one is allowed.
        let old = Fake::start(move |received| {
            let origin = received.header("origin").filter(|origin| *origin == NAMED);
            let allowed = origin.map(|origin| format!("Access-Control-Allow-Origin: {origin}\r\n")).unwrap_or_default();
            if received.header("access-control-request-method").is_some() {
                return Reply::Send(bytes(received, 200, &format!("{allowed}{PREFLIGHT}"), ""));
            }
            let headers = format!("{}{allowed}", FRAMEWORK.replace("Cookie", "Cookie, origin"));
            Reply::Send(bytes(received, 200, &headers, ALEX))
        })
        .await;
        let origins = ["--only-tokens", "--json", "--origin", NAMED, "--origin", "https://other.example", "--origin", "null"];
        let same = compare(old.address, with.address, &origins, &[EXAMPLE_KEY]);
        assert_eq!(same.code, Some(0), "{} {}", same.out, same.err);
        assert_eq!(same.json()["requests"], 10, "{}", same.out);
        let lost = compare(old.address, without.address, &origins, &[EXAMPLE_KEY]);
        assert_eq!(lost.code, Some(1), "{}", lost.out);
        let differing: Vec<_> = lost.groups().into_iter().filter(|group| group.contains("CORS")).collect();
        let requests = ["GET /api/users/me", "OPTIONS /api/users/me as a preflight for GET", "OPTIONS /api/users/me as a preflight for PATCH"];
        let named = requests.map(|request| format!("different {request} from {NAMED} header CORS 1"));
        assert_eq!(differing, named, "{}", lost.out);
        assert!(lost.out.contains("refused: the status of the preflight is 401"), "{}", lost.out);
        let bad = compare(old.address, with.address, &["--origin", "https://app.example.com/"], &[EXAMPLE_KEY]);
        assert_eq!(bad.code, Some(2));
        assert!(bad.err.contains("without a final slash"), "{}", bad.err);
    }
}

both! {
    /// Every field that an import got wrong is found, counted and shown, but no key is.
    async fn differences_are_reported_field_by_field(backend: Backend) {
        let (old, new) = (Site::start(backend).await, Site::start(backend).await);
        let keys = [EXAMPLE_KEY, "0123456789012345678901234567890123456789"];
        let same = compare(old.address, new.address, &[], &keys);
        assert_eq!(same.code, Some(0), "{}", same.out);
        assert!(same.out.contains("\n9 requests to each: 8 identical, 1 with expected differences only, 0 different\n"), "{}", same.out);
        new.database.sql("UPDATE users SET email = 'Alex.Thompson@techcorp.com', gender = NULL, mobile_number = '' WHERE id = 42").await;
        let ran = compare(old.address, new.address, &[], &keys);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        for expected in [
            "       1  GET /api/users/me: email (value)\n            line 1, key f4e7...2070: \"alex.thompson@techcorp.com\" -> \"Alex.Thompson@techcorp.com\"\n",
            "       1  GET /api/users/me: gender (type)\n            line 1, key f4e7...2070: \"non-binary\" -> null\n",
            "       1  GET /api/users/me: mobile_number (value)\n            line 1, key f4e7...2070: \"+1-555-0123\" -> \"\"\n",
            "\nDifferent: 1 of 9 requests.\n",
        ] {
            assert!(ran.out.contains(expected), "{expected}: {}", ran.out);
        }
        assert!(!ran.out.contains(EXAMPLE_KEY));
        let ignoring = ["--ignore", "email", "--ignore", "gender", "--ignore", "mobile_number"];
        assert_eq!(compare(old.address, new.address, &ignoring, &keys).code, Some(0));
        new.database.sql("UPDATE users SET is_staff = false WHERE id = 42").await;
        let ran = compare(old.address, new.address, &["--json", "--only-tokens"], &keys);
        assert_eq!((ran.code, ran.groups()), (Some(1), vec!["different GET /api/users/me status 1".to_owned()]));
        let report = ran.json();
        let example = &report["differences"][0]["examples"][0];
        assert_eq!((&example["source"], &example["key"]), (&json!("line 1"), &json!("f4e7...2070")));
        assert_eq!(example["new"], r#"403 {"detail":"You do not have permission to perform this action."}"#);
        assert_eq!((&report["requests"], &report["different"], &report["identical"], &report["proven"]), (&json!(2), &json!(1), &json!(1), &json!(false)));
    }
}

/// Keys that neither server knows get the same answers, and prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_keys_prove_nothing() {
    let site = Site::start(Backend::Sqlite).await;
    let ran = compare(site.address, site.address, &[], &["0000000000000000000000000000000000000000"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.out.ends_with("\nNothing is proven: no key was accepted by both servers.\n"), "{}", ran.out);
}

fn keys_of(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:040}")).collect()
}

/// Answers every valid key with this body.
async fn plain(body: &'static str) -> Fake {
    Fake::start(move |received| Reply::Send(bytes(received, 200, "Content-Type: application/json\r\n", body)))
        .await
}

/// Bad answers are reported with their reason, and the run continues.
#[tokio::test(flavor = "multi_thread")]
async fn bad_answers_are_differences_with_their_reason() {
    let good = plain(r#"{"id":1}"#).await;
    let bad = Fake::start(|received| {
        let json = "Content-Type: application/json\r\n";
        let send = |status, headers: &str, body: &str| Reply::Send(bytes(received, status, headers, body));
        let cut = |text: &str| Reply::SendAndClose(text.as_bytes().to_vec());
        match received.target.as_str() {
            "/closes" => Reply::Close,
            "/cut" => cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
            "/noise" => cut("220 mail.example ESMTP\r\n\r\n"),
            "/huge" => send(200, json, &format!("\"{}\"", "x".repeat(8 << 20))),
            "/endless" => cut(&format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(9 << 20))),
            "/broken" => send(200, json, r#"{"id":1"#),
            "/steering" => send(200, json, "\"\\u001b]0;owned\\u0007\u{9b}2J\u{202e}\""),
            "/echo" => send(200, json, &format!("{:?}", received.header("authorization").unwrap())),
            target if target.starts_with("/loop") => send(301, &format!("Location: {target}/\r\n"), ""),
            "/elsewhere" => send(301, "Location: http://127.0.0.1:1/elsewhere/\r\n", ""),
            _ => send(200, json, r#"{"id":1}"#),
        }
    })
    .await;
    let paths =
        ["closes", "cut", "noise", "huge", "endless", "broken", "steering", "echo", "loop", "elsewhere"];
    let mut args: Vec<String> =
        ["--only-tokens", "--timeout", "10m", "--path", "/fine"].map(String::from).into();
    args.extend(paths.iter().flat_map(|path| ["--path".to_owned(), format!("/{path}")]));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let key = "0123456789abcdef0123456789abcdef01234567";
    for (old, new, side) in [(&good, &bad, "new"), (&bad, &good, "old")] {
        let ran = compare(old.address, new.address, &[&args[..], &["--json"]].concat(), &[key]);
        assert_eq!(ran.code, Some(1), "{} {}", ran.out, ran.err);
        assert!(!ran.out.contains(key), "{}", ran.out);
        let report = ran.json();
        assert_eq!((&report["requests"], &report["identical"]), (&json!(11), &json!(1)));
        let said = |path: &str| {
            let groups = report["differences"].as_array().unwrap();
            let group = groups.iter().find(|group| group["request"] == format!("GET /{path}")).unwrap();
            format!("{}: {}", group["kind"].as_str().unwrap(), group["examples"][0][side])
        };
        for path in ["closes", "cut"] {
            assert_eq!(
                said(path),
                r#"no answer: "it closed the connection before the response was complete""#
            );
        }
        assert!(
            said("noise").starts_with(r#"no answer: "the response is not HTTP/1.1: "#),
            "{}",
            said("noise")
        );
        for path in ["huge", "endless"] {
            assert_eq!(said(path), r#"no answer: "the body is larger than 8 MiB""#);
        }
        assert_eq!(said("broken"), r#"body: "{\"id\":1""#);
        assert_eq!(said("echo"), r#"type: "Token 0123...4567""#);
        assert_eq!(
            (said("loop").as_str(), said("elsewhere").as_str()),
            (r#"status: "301""#, r#"status: "301""#)
        );
        let text = compare(old.address, new.address, &args, &[key]).out;
        assert!(
            !text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']) && text.contains("owned"),
            "{text}"
        );
    }
    let sent = bad.seen();
    assert!(sent.iter().any(|line| line.starts_with("GET /loop/ ")), "{sent:?}");
    assert!(!sent.iter().any(|line| line.starts_with("GET /loop// ")), "it is followed once: {sent:?}");
}

/// One request that hangs is one difference.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let good = plain("{}").await;
    let hanging = Fake::start(|received| match received.target.as_str() {
        "/hangs" => Reply::Hang,
        _ => Reply::Send(bytes(received, 200, "Content-Type: application/json\r\n", "{}")),
    })
    .await;
    let args = ["--only-tokens", "--timeout", "300ms", "--path", "/fine", "--path", "/hangs", "--json"];
    let ran = loop {
        let ran = compare(good.address, hanging.address, &args, &["abc"]);
        // On a very busy machine the very first answer may be late, too.
        if ran.code != Some(5) {
            break ran;
        }
    };
    let report = ran.json();
    assert_eq!((ran.code, &report["requests"], &report["different"]), (Some(1), &json!(2), &json!(1)));
    let group = &report["differences"][0];
    assert_eq!((&group["request"], &group["kind"]), (&json!("GET /hangs"), &json!("no answer")));
    assert_eq!(group["examples"][0]["new"], "no complete response within 300ms");
}

/// A server that is not there ends the run before it starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_at_the_start_is_named() {
    let good = plain("{}").await;
    let refusing = free_address();
    let closing = Fake::start(|_| Reply::Close).await.address;
    let message = |side: &str, bad: SocketAddr, why: &str| {
        format!(
            "wardroom: the {side} server, http://{bad}, did not respond to GET /api/users/me without Authorization: {why}"
        )
    };
    for (bad, why) in [
        (refusing, "no connection: Connection refused"),
        (closing, "it closed the connection before the response was complete"),
    ] {
        for (old, new, side) in [(bad, good.address, "old"), (good.address, bad, "new")] {
            let ran = compare(old, new, &[], &["abc"]);
            assert_eq!((ran.code, ran.out.as_str()), (Some(5), ""), "{}", ran.err);
            assert!(ran.err.starts_with(&message(side, bad, why)), "{}", ran.err);
        }
    }
    assert_eq!(good.seen().len(), 4, "no request was sent after the first");
    let hanging = Fake::start(|_| Reply::Hang).await.address;
    let ran = compare(hanging, hanging, &["--timeout", "300ms"], &["abc"]);
    assert_eq!(
        (ran.code, ran.err),
        (Some(5), message("old", hanging, "no complete response within 300ms") + "\n")
    );
}

/// If a server disappears, the run does not wait for it a million times; the results so far are reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_ends_the_run() {
    let good = plain("{}").await;
    let leaving = Fake::start(|received| {
        let known = received.key() == Ok("0000000000000000000000000000000000000000");
        if known {
            Reply::Send(bytes(received, 200, "Content-Type: application/json\r\n", "{}"))
        } else {
            Reply::Close
        }
    })
    .await;
    let keys = keys_of(500);
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let ran = compare(good.address, leaving.address, &["--only-tokens", "--json"], &keys);
    let report = ran.json();
    assert_eq!((ran.code, &report["identical"], &report["proven"]), (Some(1), &json!(1), &json!(false)));
    assert!(report["requests"].as_u64().unwrap() < 60, "{report}");
    let stopped = report["stopped"].as_str().unwrap();
    assert!(stopped.starts_with("the new server did not respond to 20 requests in a row: "), "{stopped}");
    let examples = report["differences"][0]["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 3, "as many as --examples says");
}

/// Guards against reporting a failed server if it only closed a kept connection meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed_between_requests_is_no_difference() {
    let answer = |received: &Received| {
        Reply::SendAndClose(bytes(received, 200, "Content-Type: application/json\r\n", "{}"))
    };
    let closing = Fake::start(answer).await;
    let good = plain("{}").await;
    let keys = keys_of(100);
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let ran = compare(closing.address, good.address, &[], &keys);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.contains("\n107 requests to each: 107 identical"), "{}", ran.out);
}

/// Guards against reading the body that older gunicorns send with `HEAD` as the next answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_head_is_not_the_next_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let old = Fake::start(move |_| Reply::Send(head.into())).await;
    let new = plain("{}").await;
    let ran = compare(old.address, new.address, &["--concurrency", "1"], &["abc", "def"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.contains("\n9 requests to each: 9 identical"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_are_called_by_the_host_and_below_the_path_that_was_given() {
    let fakes = [plain("{}").await, plain("{}").await];
    let old = format!("http://{}/office/", fakes[0].address);
    let new = format!("http://{}", fakes[1].address);
    let ran = compare_with_keys(
        &["--old", &old, "--new", &new, "--host", "www.example.com", "--only-tokens"],
        &["abc"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(fakes[0].seen(), ["GET /office/api/users/me www.example.com"]);
    assert_eq!(fakes[1].seen(), ["GET /api/users/me www.example.com"]);
}

/// A certificate is accepted only if its authority is trusted.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked() {
    let database = Database::new(Backend::Sqlite).await;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = database.place().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (cert, key) = (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let mut server: Process = serve(&database, &["--tls-certificate", &cert, "--tls-key", &key]);
    let address = server.address("listening");
    let url = format!("https://{address}");
    let both = ["--old", &url, "--new", &url];
    let ran = compare_with_keys(&both, &["abc"]);
    assert_eq!(ran.code, Some(5), "{}", ran.out);
    assert!(ran.err.contains("TLS failed: ") && ran.err.contains("--ca-file"), "{}", ran.err);
    let ran = compare_with_keys(&[&both[..], &["--ca-file", &cert, "--json"]].concat(), &["abc"]);
    assert_eq!(
        (ran.json()["requests"].clone(), ran.json()["identical"].clone()),
        (json!(8), json!(8)),
        "{}",
        ran.err
    );
    let plain = compare_with_keys(
        &["--old", &format!("http://{address}"), "--new", &url, "--ca-file", &cert],
        &["abc"],
    );
    assert_eq!(plain.code, Some(5), "{}", plain.err);
}

/// Both ends of a terminal.
fn terminal() -> (std::fs::File, std::fs::File) {
    let ours =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&ours).unwrap();
    rustix::pty::unlockpt(&ours).unwrap();
    let name = rustix::pty::ptsname(&ours, vec![]).unwrap().into_string().unwrap();
    let theirs = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    (ours.into(), theirs)
}

/// On a terminal the command shows its progress, and Ctrl-C does not lose the results.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_reports_its_results() {
    let old = plain(r#"{"a":1}"#).await;
    let new = Fake::start(|received| match received.key() {
        Ok("first") => Reply::Send(bytes(received, 200, "Content-Type: application/json\r\n", r#"{"a":2}"#)),
        _ => Reply::Hang,
    })
    .await;
    let urls = [old.address, new.address].map(|address| format!("http://{address}"));
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys");
    std::fs::write(&keys, "first\nsecond\n").unwrap();
    let mut command = command(&["--old", &urls[0], "--new", &urls[1], "--only-tokens", "--timeout", "1h"]);
    let (mut ours, theirs) = terminal();
    let child = command.arg("--tokens").arg(&keys).stdout(Stdio::piped()).stderr(theirs).spawn().unwrap();
    // From now on only the child keeps the terminal open, until it ends.
    drop(command);
    let mut shown = String::new();
    while !shown.contains("1 of 2 requests, 1 different, ") {
        let mut piece = [0; 1024];
        let length = tokio::task::block_in_place(|| ours.read(&mut piece)).unwrap();
        shown += std::str::from_utf8(&piece[..length]).unwrap();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(
        out.contains("a (value)")
            && out.ends_with("\nStopped early: interrupted. Different: 1 of 1 requests.\n"),
        "{out}"
    );
}

/// Each misuse has its own message, and nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn misuse_is_reported_and_nothing_is_sent() {
    let fake = plain("{}").await;
    let url = format!("http://{}", fake.address);
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> String {
        let path: PathBuf = place.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let secret = "0123456789abcdef0123456789abcdef01234567";
    let (good, empty, word, last) = (
        file("good", &format!("{secret}\n")),
        file("empty", "# none\n\n"),
        file("word", &format!("# keys\nToken {secret}\n")),
        file("last", &format!("{}{secret}é\n", format!("{secret}\n").repeat(1000))),
    );
    let missing = place.path().join("missing").display().to_string();
    let base = |old: &'static str, new: &str, tokens: &str| -> Vec<String> {
        ["--old", old, "--new", new, "--tokens", tokens].map(str::to_owned).into()
    };
    let with = |more: &[&str]| -> Vec<String> {
        let args = ["--old", &url, "--new", &url, "--tokens", &good];
        args.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let keys = |tokens: &str| with(&[]).into_iter().take(5).chain([tokens.to_owned()]).collect::<Vec<_>>();
    for (args, expected) in [
        (vec!["--old".to_owned(), url.clone()], "--new <URL>"),
        (
            base("ftp://x", &url, &good),
            "--old is not the base URL of a server: use http:// or https:// and a host",
        ),
        (base("http://me:hunter2@x", &url, &good), "--old is not the base URL"),
        (base("http://127.0.0.1:1", "127.0.0.1:8000", &good), "--new is not the base URL"),
        (keys(&missing), "/missing: No such file"),
        (keys(&place.path().display().to_string()), "cannot read the keys in "),
        (keys(&empty), "empty contains no key: give one per line"),
        (keys(&word), "word: line 2 contains white space; give only the key, without the word Token"),
        (keys(&last), "last: line 1001 contains characters other than visible ASCII"),
        (with(&["--path", "api/users/me"]), "use a path that begins with '/'"),
        (with(&["--path", "/a b"]), "use a path that begins with '/'"),
        (with(&["--host", "a/b"]), "use a host, such as www.example.com"),
        (with(&["--ignore", ""]), "use the name of a field"),
        (with(&["--ignore", "a..b"]), "use the name of a field"),
        (with(&["--timeout", "0s"]), "use a duration from 1ms to 1h"),
        (with(&["--timeout", "10"]), "use a duration from 1ms to 1h"),
        (with(&["--concurrency", "0"]), "use a whole number from 1 to 64"),
        (with(&["--examples", "101"]), "use a whole number from 0 to 100"),
        (with(&["--ca-file", &good]), "--ca-file requires an https:// URL"),
        (
            base("https://127.0.0.1:1", &url, &good)
                .into_iter()
                .chain(["--ca-file".into(), good.clone()])
                .collect(),
            "it contains no certificate",
        ),
        (
            base("https://127.0.0.1:1", &url, &good)
                .into_iter()
                .chain(["--ca-file".into(), missing.clone()])
                .collect(),
            "--ca-file",
        ),
    ] {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = tokio::task::block_in_place(|| command(&args).stdin(Stdio::null()).output()).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
        assert!(!err.contains(secret) && !err.contains("hunter2"), "{err}");
    }
    assert_eq!(fake.seen(), [""; 0]);
}
