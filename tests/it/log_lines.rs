//! What the log says of refused requests: the reason, and how many lines it leaves out.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wardroom::directory::model::UserKey;
use wardroom::directory::password::Password;
use wardroom::directory::tokens::{Expiry, NarrowingDraft};
use wardroom::directory::{Clock, Directory};

use crate::process::{Process, serve};
use crate::support::client::{self, Connection};
use crate::support::site::{Persona, operator, person};
use crate::support::{Backend, Database, Request, both};

/// A key that no token has.
const UNKNOWN: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

/// The people of a test, each with a token.
struct People {
    staff: Persona,
    plain: Persona,
    inactive: Persona,
    /// Tokens of `staff` that have ended, and their ids.
    revoked: (String, i64),
    expired: (String, i64),
}

async fn people(database: &Database, directory: &Directory) -> People {
    let staff = person(directory, "staff", |draft| draft.is_staff = Some(true)).await;
    let owner = UserKey::Id(staff.id.try_into().unwrap());
    let issue = async |name: &str| {
        let issued = directory.issue_token(&operator(), &owner, name, Expiry::Never).await.unwrap();
        (issued.key.reveal().to_owned(), issued.token.id)
    };
    let ((revoked, revoked_id), (expired, expired_id)) = (issue("revoked").await, issue("expired").await);
    directory.revoke_token(&operator(), None, revoked_id).await.unwrap();
    let (revoked_id, expired_id) = (revoked_id.get(), expired_id.get());
    database.sql(&format!("UPDATE tokens SET expires_at = created_at WHERE id = {expired_id}")).await;
    People {
        plain: person(directory, "plain", |_| {}).await,
        inactive: person(directory, "inactive", |draft| draft.is_active = Some(false)).await,
        staff,
        revoked: (revoked, revoked_id),
        expired: (expired, expired_id),
    }
}

async fn token_of(database: &Database, person: &Persona) -> i64 {
    database.number(&format!("SELECT min(id) FROM tokens WHERE user_id = {}", person.id)).await
}

/// The first and last characters of one of our keys.
fn shown(key: &str) -> String {
    format!("{}...{}", &key[..8], &key[key.len() - 4..])
}

/// Sends a request and returns its line in the log, after checking what every line has.
async fn line(process: &mut Process, request: Request, status: u16) -> Value {
    let answer = request.send().await;
    assert_eq!(answer.status, status, "{answer}");
    let line = process.record("answered");
    assert_eq!(line["status"], status, "{line}");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"), "{line}");
    assert_eq!(line.get("span"), None, "{line}");
    line
}

both! {
    /// The line of a refused key says why it was refused, and which key it was, without the key.
    async fn a_refused_key_has_its_reason(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let people = people(&database, &directory).await;
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        let staff = Some(people.staff.id);
        let inactive = (people.inactive.id, token_of(&database, &people.inactive).await);
        let token = |key: &str| format!("Token {key}");
        let mut mistyped = people.staff.key.clone();
        mistyped.pop();
        let cases = [
            (Some(token(UNKNOWN)), "the key is unknown", Some("f4e7...2070".to_owned()), None, None),
            (Some(token(&mistyped)), "no key has this form: it is mistyped, cut off or too long", Some(format!("wrd_...{}", &mistyped[mistyped.len() - 4..])), None, None),
            (Some(token(&people.revoked.0)), "the token is revoked", Some(shown(&people.revoked.0)), staff, Some(people.revoked.1)),
            (Some(token(&people.expired.0)), "the token has expired", Some(shown(&people.expired.0)), staff, Some(people.expired.1)),
            (Some(token(&people.inactive.key)), "the token's owner is not active", Some(shown(&people.inactive.key)), Some(inactive.0), Some(inactive.1)),
            (None, "there is no Authorization header", None, None, None),
            (Some(String::new()), "the Authorization header is empty", None, None, None),
            (Some(UNKNOWN.to_owned()), "the Authorization header has no scheme: \"Token \" must precede the key", Some("f4e7...2070".to_owned()), None, None),
            (Some(format!("Bearer {UNKNOWN}")), "the Authorization header has the scheme Bearer instead of Token", None, None, None),
            (Some(format!("{UNKNOWN} {UNKNOWN}")), "the Authorization header has another scheme than Token", None, None, None),
            (Some("Token".to_owned()), "Invalid token header. No credentials provided.", None, None, None),
            (Some(format!("Token {UNKNOWN} x")), "Invalid token header. Token string should not contain spaces.", None, None, None),
        ];
        let mut client = 0;
        // The fast path and the ordinary path.
        for path in ["/api/users/me", "/api/users/me?x", "/api/users"] {
            for (header, reason, key, account, token) in &cases {
                client += 1;
                let request = Request::new(address, "GET", path).header("X-Forwarded-For", &format!("192.0.2.{client}"));
                let request = header.iter().fold(request, |request, header| request.header("Authorization", header));
                let line = line(&mut process, request, 401).await;
                assert_eq!(line["reason"], *reason, "{line}");
                assert_eq!((line["key"].as_str(), line["account"].as_i64(), line["token"].as_i64()), (key.as_deref(), *account, *token), "{line}");
                let secrets = [UNKNOWN, &mistyped, &people.revoked.0, &people.expired.0, &people.inactive.key];
                assert!(!secrets.iter().any(|secret| line.to_string().contains(*secret)), "{line}");
            }
        }
        let twice = Request::new(address, "GET", "/api/users/me").token(UNKNOWN).token(UNKNOWN);
        assert_eq!(line(&mut process, twice, 401).await["reason"], "there is more than one Authorization header");
    }
}

both! {
    /// The line about a token that is too narrow names what it lacks. The response does not.
    async fn a_token_that_is_too_narrow_has_its_reason(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let people = people(&database, &directory).await;
        let owner = UserKey::Id(people.staff.id.try_into().unwrap());
        let issue = async |scopes: Option<&[&str]>, read_only: bool| {
            let names = scopes.map(|names| Some(names.iter().map(|name| (*name).to_owned()).collect()));
            let draft = NarrowingDraft { scopes: names, read_only: Some(read_only), allowed_networks: None };
            let issued = directory.issue_token_with(&operator(), &owner, "narrow", Expiry::Never, &draft).await.unwrap();
            issued.key.reveal().to_owned()
        };
        let (writes, reads) = (issue(Some(&["me_write"]), false).await, issue(Some(&["me_read"]), false).await);
        let (reader, full) = (issue(None, true).await, people.staff.key.clone());
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        let no_right = "You do not have permission to perform this action.";
        for (key, method, path, reason) in [
            (&writes, "GET", "/api/users/me", "the token lacks the scope me_read"),
            (&writes, "GET", "/api/users/me?x", "the token lacks the scope me_read"),
            (&writes, "GET", "/api/users/me/tokens", "the token lacks the scope me_read"),
            (&reads, "POST", "/api/users/me/tokens", "the token lacks the scope me_write"),
            (&reads, "GET", "/api/users", "the token lacks the scope user_read"),
            (&reads, "POST", "/api/auth/introspect", "the token lacks the scope introspection_read"),
            (&reader, "POST", "/api/users", "the token can only read"),
            (&reader, "GET", "/api/users", no_right),
            (&full, "GET", "/api/users", no_right),
        ] {
            let request = Request::new(address, method, path).token(key);
            let line = line(&mut process, request, 403).await;
            assert_eq!(line["reason"], reason, "{method} {path}: {line}");
            let body = Request::new(address, method, path).token(key).send().await.body;
            process.record("answered");
            assert_eq!(body, format!(r#"{{"detail":"{no_right}"}}"#), "{method} {path}");
        }
    }
}

both! {
    /// Every other refusal has its reason, too; no text of a body is in it.
    async fn a_refused_request_has_its_reason(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let people = people(&database, &directory).await;
        let mut process = serve(&database, &["--rate-limit-per-token", "4/day"]);
        let address = process.address("listening");
        let new = |method: &str, path: &str| Request::new(address, method, path);
        let json = "application/json";
        let plain = token_of(&database, &people.plain).await;
        let host = line(&mut process, new("GET", "/api/users/me").host("evil_host.example:81").token(UNKNOWN), 400).await;
        assert_eq!(host["reason"], "the Host evil_host.example:81 is not in allowed_hosts");
        let forbidden = line(&mut process, new("GET", "/api/users/me").token(&people.plain.key), 403).await;
        assert_eq!((&forbidden["account"], &forbidden["token"]), (&people.plain.id.into(), &plain.into()));
        assert_eq!(forbidden["reason"], "You do not have permission to perform this action.");
        for (request, status, reason) in [
            (new("GET", "/nowhere"), 404, "there is no such path or object"),
            (new("DELETE", "/api/users/me").token(&people.staff.key), 405, "the path does not have this method"),
            (new("GET", "/api/users/me").header("Accept", "text/html").token(&people.staff.key), 406, "Could not satisfy the request Accept header."),
            (new("PATCH", "/api/users/me").token(&people.staff.key).body("text/hunter", "hunter2"), 415, "Unsupported media type \"text/hunter\" in request."),
            (new("PATCH", "/api/users/me").token(&people.staff.key).body(json, r#"{"hunter2": "hunter2"}"#), 400, "1 values of the request are not valid"),
            (new("PATCH", "/api/users/me").token(&people.staff.key).body(json, "hunter2"), 400, "JSON parse error"),
            (new("GET", "/api/users/me").token(&people.staff.key), 429, "over rate_limit_per_token: 4 requests in 86400 s"),
            (new("GET", "/api/users/me?x").token(&people.staff.key), 429, "over rate_limit_per_token: 4 requests in 86400 s"),
        ] {
            let line = line(&mut process, request, status).await;
            assert_eq!(line["reason"], reason, "{line}");
            assert!(!line.to_string().contains("hunter2"), "{line}");
        }
        let sign_in = || new("POST", "/api/users/auth/pwd/signin").body(json, r#"{"username": "plain", "password": "hunter2"}"#);
        // The wait grows with each failure, until it is longer than this machine takes for a request.
        let waits = loop {
            let status = sign_in().send().await.status;
            let line = process.record("answered");
            assert_eq!(line["status"], status, "{line}");
            if status == 429 {
                break line;
            }
            assert_eq!((status, line["reason"].as_str()), (400, Some("the password is wrong, or the user has none")));
        };
        assert!(waits["reason"].as_str().unwrap().starts_with("too many attempts or a full queue"), "{waits}");
        assert_eq!(waits["account"], people.plain.id, "{waits}");
    }
}

both! {
    /// The line of a refused sign-in has the user that it was for. What was typed as a username is never in it: where no
    /// user has it, it may be a password.
    async fn a_refused_sign_in_has_its_user_and_never_what_was_typed(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let password = "hunter2 is long enough";
        let mut ids = Vec::new();
        for (name, is_active) in [("ann", true), ("gone", false)] {
            let id = person(&directory, name, |draft| draft.is_active = Some(is_active)).await.id;
            let key = UserKey::Id(id.try_into().unwrap());
            directory.set_password(&operator(), &key, Password::new(password.into())).await.unwrap();
            ids.push(id);
        }
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        for (username, typed, reason, account) in [
            ("ann", "hunter3", "the password is wrong, or the user has none", Some(ids[0])),
            (" ann ", "hunter3", "the password is wrong, or the user has none", Some(ids[0])),
            ("gone", password, "the user is not active", Some(ids[1])),
            ("gone", "hunter3", "the password is wrong, or the user has none", Some(ids[1])),
            (password, "hunter3", "no user has this username", None),
            ("ANN", password, "no user has this username", None),
        ] {
            let body = serde_json::json!({ "username": username, "password": typed }).to_string();
            let request = Request::new(address, "POST", "/api/users/auth/pwd/signin").body("application/json", body);
            let line = line(&mut process, request, 400).await;
            assert_eq!((line["reason"].as_str(), line["account"].as_i64()), (Some(reason), account), "{username}: {line}");
            assert_eq!(line.get("token"), None, "{line}");
            assert!(!["hunter", "ANN"].iter().any(|secret| line.to_string().contains(secret)), "{line}");
        }
    }
}

/// All lines with this message so far, after the server's end.
fn lines(process: Process, message: &str) -> Vec<Value> {
    process.signal("-TERM");
    let (_, log) = process.end();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

/// The value of a header of an answer.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines =
        answer.split("\r\n").take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

both! {
    /// Guards against two lines for one answer: a slow upload had one as a request and one as a message that is none.
    async fn every_answer_has_one_line_and_its_id(backend: Backend) {
        let database = Database::new(backend).await;
        let process = serve(&database, &["--body-timeout", "300ms", "--head-timeout", "300ms", "--access-log", "all"]);
        let mut process = process;
        let address = process.address("listening");
        let cases = [
            ("POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{", 408, Some("/api/users/auth/pwd/signin")),
            ("POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na", 408, Some("/api/users/auth/pwd/signin")),
            ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n", 408, Some("/nowhere")),
            ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404, Some("/nowhere")),
            ("GET /slow HTTP/1.1\r\nHost: loc", 408, None),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400, None),
            ("nonsense\r\n\r\n", 400, None),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, None),
            // Good enough for the framing, but not for the parser.
            ("GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n", 400, None),
        ];
        let mut expected = Vec::new();
        for (bytes, status, path) in cases {
            let answer = String::from_utf8(client::exchange(address, bytes.as_bytes()).await).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
            assert_eq!(answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count(), 1, "{answer}");
            let id = header(&answer, "x-request-id").unwrap_or_else(|| panic!("no id: {answer}"));
            expected.push((status, path.map(str::to_owned), id.to_owned()));
        }
        let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
        let found: Vec<_> = lines(process, "answered")
            .iter()
            .map(|line| {
                assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
                assert_eq!(line["path"].is_null(), line["method"].is_null(), "{line}");
                let level = if line["status"] == 501 { "WARN" } else { "INFO" };
                assert_eq!(line["level"], level, "{line}");
                (line["status"].as_i64().unwrap(), text(line, "path"), text(line, "request_id").unwrap_or_default())
            })
            .collect();
        assert_eq!(found, expected);
    }
}

both! {
    /// Guards against two warnings about one header of a proxy, one by each path that a request takes.
    async fn a_proxys_header_is_reported_once_a_request(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let key = person(&directory, "ann", |draft| draft.is_staff = Some(true)).await.key;
        let plain = person(&directory, "bob", |_| {}).await.key;
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        let mut ids = Vec::new();
        // The first request loads the identity, the others find it in memory.
        for (path, key, status) in [
            ("/api/users/me", &key, 200),
            ("/api/users/me", &UNKNOWN.to_owned(), 401),
            ("/api/users/me?x", &UNKNOWN.to_owned(), 401),
            ("/api/users/me", &plain, 403),
            ("/api/users/me", &plain, 403),
            ("/nowhere", &key, 404),
        ] {
            let answer = Request::new(address, "GET", path).token(key).header("X-Forwarded-For", "unknown").send().await;
            assert_eq!(answer.status, status, "{answer}");
            ids.push((status, answer.header("x-request-id").unwrap().to_owned()));
        }
        let warnings = lines(process, "cannot read a header of a trusted proxy");
        let found: Vec<_> = warnings.iter().filter_map(|line| line["request_id"].as_str().map(str::to_owned)).collect();
        let refused = ids.iter().filter(|(status, _)| *status != 200);
        for (_, id) in refused.clone() {
            assert_eq!(found.iter().filter(|found| *found == id).count(), 1, "{id}: {found:?}");
        }
        // An answer from memory that succeeds has no span, and is not noted at each use.
        assert!(warnings.len() <= ids.len(), "{warnings:?}");
        for warning in &warnings {
            assert_eq!((&warning["value"], &warning["proxy"]), (&"unknown".into(), &"127.0.0.1".into()));
        }
    }
}

both! {
    /// A connection beyond its network's share gets an answer, and the answer a line with its id.
    async fn a_connection_beyond_its_share_has_its_line(backend: Backend) {
        let database = Database::new(backend).await;
        let flags = ["--max-connections", "4", "--trusted-proxies", "192.0.2.1", "--access-log", "none"];
        let mut process = serve(&database, &flags);
        let address = process.address("listening");
        let mut busy = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/users/auth/pwd/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 20\r\nExpect: 100-continue\r\n\r\n";
        busy.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 21];
        busy.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 100 Continue", "it is under way, so no other may replace it");
        let answer = String::from_utf8(client::exchange(address, b"").await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(busy);
        let lines = lines(process, "answered");
        let id = header(&answer, "x-request-id");
        let line = lines.iter().find(|line| line["request_id"].as_str() == id).expect("no line");
        assert_eq!((&line["status"], &line["level"]), (&503.into(), &"WARN".into()));
        assert_eq!(line["reason"], "its network has its share of max_connections");
    }
}

both! {
    /// A message that is no request is logged with its reason, and in rations like every other refusal.
    async fn a_refused_message_has_its_reason(backend: Backend) {
        let database = Database::new(backend).await;
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        for (bytes, status, reason) in [
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Bad request: there is more than one Host header."),
            ("nonsense\r\n\r\n", 400, "Bad request: the request line is malformed."),
            (&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(5000)), 414, "Request line is too long."),
        ] {
            let answer = client::exchange(address, bytes.as_bytes()).await;
            assert!(String::from_utf8_lossy(&answer).starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}");
            let line = process.record("answered");
            assert_eq!((&line["status"], &line["reason"], &line["client"]), (&status.into(), &reason.into(), &"127.0.0.1".into()));
        }
        for _ in 0..100 {
            client::exchange(address, b"nonsense\r\n\r\n").await;
        }
        process.signal("-TERM");
        let (_, log) = process.end();
        assert!(log.matches(r#""message":"answered""#).count() < 100 && log.contains("lines were left out"), "{log}");
    }
}

/// Sends a request as often as that, on one connection.
async fn flood(address: std::net::SocketAddr, times: usize) {
    let mut connection = Connection::to(address).await;
    for _ in 0..times {
        assert_eq!(connection.send("GET", "/nowhere", None, None).await.status, 404);
    }
}

both! {
    /// Guards against a client that fills the disk: one made 8.5 MiB of log in a second. What is left out is counted.
    async fn a_client_cannot_fill_the_log(backend: Backend) {
        let database = Database::new(backend).await;
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        flood(address, 500).await;
        let other = Request::new(address, "GET", "/elsewhere").header("X-Forwarded-For", "192.0.2.9");
        assert_eq!(other.send().await.status, 404);
        flood(address, 500).await;
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
        // Twenty each minute. The flood may see several minutes begin.
        assert!(answered.len() < 500, "{}", answered.len());
        assert!(answered.iter().any(|line| line["path"] == "/elsewhere" && line["client"] == "192.0.2.9"), "another client has its own");
        let left_out: u64 = answered.iter().filter_map(|line| line["left_out_before"].as_u64()).sum();
        let at_the_end = lines.iter().find(|line| line["message"] == "lines were left out").expect("the last count");
        let left_out = left_out + at_the_end["requests"].as_u64().unwrap();
        assert_eq!(answered.len() as u64 + left_out, 1001);
    }
}

both! {
    /// The operator who wants every line gets every line.
    async fn all_means_all(backend: Backend) {
        let database = Database::new(backend).await;
        let mut process = serve(&database, &["--access-log", "all"]);
        let address = process.address("listening");
        flood(address, 100).await;
        process.signal("-TERM");
        let (_, log) = process.end();
        assert_eq!(log.matches(r#""message":"answered""#).count(), 100);
    }
}

both! {
    /// An outage is logged with its cause, at a level that monitors look at, and does not flood the log either. It is
    /// logged even where requests are not.
    async fn an_outage_is_logged_with_its_cause_whatever_the_setting_says(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let key = person(&directory, "ann", |draft| draft.is_staff = Some(true)).await.key;
        drop(directory);
        let mut process = serve(&database, &["--access-log", "none"]);
        let address = process.address("listening");
        database.make_unavailable().await;
        while Request::new(address, "GET", "/api/users").token(&key).send().await.status != 503 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        for _ in 0..50 {
            Request::new(address, "GET", "/api/users").token(&key).send().await;
        }
        process.signal("-TERM");
        let (_, log) = process.end();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(r#""message":"answered""#)).collect();
        assert!(!lines.is_empty() && lines.len() < 50, "{log}");
        let line: Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!((&line["level"], &line["status"]), (&"WARN".into(), &503.into()));
        assert!(line["reason"].as_str().unwrap().contains("the key could not be looked up: "), "{line}");
    }
}

both! {
    /// A service that sends keys in the query is warned, because logs of proxies contain queries. The line has no key.
    async fn a_key_in_the_query_of_an_introspection_is_a_warning(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let admin = person(&directory, "ann", |draft| draft.is_admin = Some(true)).await.key;
        let mut process = serve(&database, &[]);
        let address = process.address("listening");
        for query in [format!("?token={admin}"), String::new(), "?other=x".to_owned(), "?a=b&token=x".to_owned()] {
            let request = Request::new(address, "POST", &format!("/api/auth/introspect{query}")).token(&admin);
            let answer = request.body("application/x-www-form-urlencoded", format!("token={admin}")).send().await;
            assert_eq!(answer.json()["active"], true, "{query}: {answer}");
        }
        let warnings = lines(process, "a token in the query of /api/auth/introspect is ignored: a service must send it in the body");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings.iter().all(|line| line["level"] == "WARN" && !line.to_string().contains(&admin)), "{warnings:?}");
    }
}
