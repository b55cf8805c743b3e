//! The server prints no secret, at any level. Issue 13, point 14.

use std::fmt::Write as _;

use serde_json::json;
use wardroom::directory::{Clock, Location};

use crate::process::{Process, wardroom};
use crate::support::site::person;
use crate::support::{Answer, Backend, Database, Request, both, free_address};

/// Planted secrets, so that a search finds only them.
const PASSWORD: &str = "planted-password-9f3a77";
const NEXT_PASSWORD: &str = "planted-password-51c0de";
const WRONG_PASSWORD: &str = "planted-password-wrong-0b";
const URL_PASSWORD: &str = "planted-in-the-url-77aa";
const QUERY: &str = "planted-query-31ab";
const NO_KEY: &str = "wdr_plantedkeythatisnobodys0000000000000000";

/// The key of a link that no one was sent.
const LINK_KEY: &str = "plantedkeyofalink00000000000000000000000000";

/// The database's arguments, with a password in the URL that the server does not require.
fn args(database: &Database) -> [String; 2] {
    let mut args = database.args();
    args[1] = args[1].replace("://wardroom@", &format!("://wardroom:{URL_PASSWORD}@"));
    args
}

fn start(database: &Database, level: &str) -> Process {
    let mut command =
        wardroom(&["serve", "--listen", "127.0.0.1:0", "--log-level", level, "--access-log", "all"]);
    command.args(["--password-min-length", "8"]).args(args(database));
    Process::start(command)
}

/// Digests and hashes in the forms in which a program prints them.
fn forms(bytes: &[u8]) -> [String; 3] {
    let mut hex = String::new();
    bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
    let decimal = format!("{bytes:?}");
    [hex.clone(), hex.to_uppercase(), decimal.trim_matches(['[', ']']).to_owned()]
}

/// Every password hash and token digest in the database.
async fn stored(database: &Database) -> Vec<String> {
    let hex = match database.location {
        Location::Sqlite(_) => "lower(hex(digest))",
        Location::Postgres(_) => "encode(digest, 'hex')",
    };
    let mut secrets = database.texts("SELECT password FROM users WHERE password <> '!'").await;
    for digest in database.texts(&format!("SELECT {hex} FROM tokens")).await {
        let bytes: Vec<u8> = (0..digest.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap())
            .collect();
        secrets.extend(forms(&bytes));
    }
    secrets
}

/// Sends all kinds of requests with secrets in them; returns the keys that were issued.
async fn exercise(address: std::net::SocketAddr, admin: &str) -> Vec<String> {
    let send = async |method: &str, path: &str, key: &str, body: serde_json::Value| -> Answer {
        let request = Request::new(address, method, path).token(key);
        match body {
            serde_json::Value::Null => request.send().await,
            body => request.body("application/json", body.to_string()).send().await,
        }
    };
    let mut keys = Vec::new();
    let none = serde_json::Value::Null;
    let person = json!({"username": "mallory", "password": PASSWORD, "is_staff": true});
    let made = send("POST", "/api/users", admin, person).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_i64().unwrap();
    let sign_in = async |password: &str| {
        let body = json!({"username": "mallory", "password": password}).to_string();
        let request = Request::new(address, "POST", "/api/users/auth/pwd/signin");
        request.body("application/json", body).send().await
    };
    assert_ne!(sign_in(WRONG_PASSWORD).await.status, 200);
    let signed_in = sign_in(PASSWORD).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    let key = signed_in.json()["token"].as_str().expect("a sign-in gives a token").to_owned();
    keys.push(key.clone());
    for path in ["/api/users/me", "/api/users/me?fields=id"] {
        assert_eq!(send("GET", path, &key, none.clone()).await.status, 200);
        assert_eq!(send("GET", path, NO_KEY, none.clone()).await.status, 401);
    }
    assert_eq!(send("GET", &format!("/api/users?search={QUERY}"), admin, none.clone()).await.status, 200);
    let issued = send("POST", &format!("/api/users/{id}/tokens"), admin, json!({"name": "planted"})).await;
    assert_eq!(issued.status, 201, "{}", issued.body);
    keys.push(issued.json()["key"].as_str().or(issued.json()["token"].as_str()).unwrap().to_owned());
    let change = json!({"old_password": PASSWORD, "new_password": NEXT_PASSWORD});
    let changed = send("POST", "/api/users/me/password", &key, change).await;
    assert!(changed.status < 500, "{}", changed.body);
    // Requests that are refused, incomplete, or of another form.
    for body in [
        json!({"username": "mallory", "password": PASSWORD}),
        json!({"password": [PASSWORD], "username": {PASSWORD: PASSWORD}}),
        json!([PASSWORD]),
    ] {
        assert!(send("POST", "/api/users", admin, body).await.status < 500);
    }
    let cut = Request::new(address, "POST", "/api/users").token(admin);
    cut.body("application/json", format!("{{\"password\": \"{PASSWORD}")).send().await;
    let form = Request::new(address, "POST", "/api/users/auth/pwd/signin");
    form.body("application/x-www-form-urlencoded", format!("username=mallory&password={WRONG_PASSWORD}"))
        .send()
        .await;
    send("GET", &format!("/nowhere?key={QUERY}"), admin, none.clone()).await;
    // Keys that are introspected, in the body and by mistake in the query, and keys that are reported as leaked.
    let no_key = NO_KEY.to_owned();
    for (caller, body, query, twice, once) in [
        (admin, &key, "", 400, 200),
        (admin, &key, key.as_str(), 400, 200),
        (&key, &key, "", 403, 403),
        (admin, &no_key, QUERY, 400, 200),
    ] {
        let path = if query.is_empty() {
            "/api/auth/introspect".to_owned()
        } else {
            format!("/api/auth/introspect?token={query}")
        };
        let request = Request::new(address, "POST", &path).token(caller);
        let answer = request
            .body("application/x-www-form-urlencoded", format!("token={body}&token={}", "x".repeat(4)))
            .send()
            .await;
        assert_eq!(answer.status, twice, "{}", answer.body);
        let request = Request::new(address, "POST", &path).token(caller);
        let request =
            request.body("application/x-www-form-urlencoded", format!("token={body}&client_address={QUERY}"));
        assert_eq!(request.send().await.status, twice);
        let request = Request::new(address, "POST", &path).token(caller);
        let answer = request.body("application/x-www-form-urlencoded", format!("token={body}")).send().await;
        assert_eq!(answer.status, once, "{}", answer.body);
    }
    let leaked = async |body: String| {
        let request = Request::new(address, "POST", "/api/users/auth/leaked");
        request.body("application/json", body).send().await.status
    };
    assert_eq!(leaked(json!({"tokens": [keys[1], NO_KEY]}).to_string()).await, 202);
    assert_eq!(leaked(json!({"tokens": [NO_KEY, 7], keys[1].clone(): [key]}).to_string()).await, 400);
    assert_eq!(leaked(format!("{{\"tokens\": [\"{key}\", {key}")).await, 400);
    // The key of a link is in the path of a page.
    let path = format!("/admin/password/{LINK_KEY}");
    for request in [
        Request::new(address, "GET", &path),
        Request::new(address, "GET", &path.replace("password", "%70assword")),
        Request::new(address, "POST", &path).body("application/x-www-form-urlencoded", "password=x"),
        Request::new(address, "PUT", &path),
    ] {
        assert!([403, 404, 405].contains(&request.send().await.status));
    }
    let by_link = Request::new(address, "POST", "/api/users/auth/pwd/reset");
    let body = json!({"key": LINK_KEY, "password": PASSWORD}).to_string();
    assert_eq!(by_link.body("application/json", body).send().await.status, 400);
    send("POST", "/api/users/auth/signout", &key, json!({"everywhere": true})).await;
    keys
}

/// Returns the secrets that are in a text. The text itself is not shown, because it may be long.
fn found(text: &str, secrets: &[String]) -> Vec<String> {
    let lines = secrets.iter().filter_map(|secret| {
        let line = text.lines().find(|line| line.contains(secret.as_str()))?;
        Some(format!("{secret} in {line}"))
    });
    lines.collect()
}

both! {
    /// Sends every secret through a server with the most detailed log, also while the database is not reachable.
    async fn finding_14_no_secret_is_logged_at_trace(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let admin = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
        drop(directory);
        let mut process = start(&database, "trace");
        let address = process.address("listening");
        let mut secrets = exercise(address, &admin.key).await;
        secrets.extend(stored(&database).await);
        assert!(secrets.len() > 6, "{secrets:?}");
        database.make_unavailable().await;
        for _ in 0..3 {
            let asked = Request::new(address, "GET", "/api/users?search=x").token(&admin.key).send().await;
            let body = json!({"username": "mallory", "password": PASSWORD}).to_string();
            let signed_in = Request::new(address, "POST", "/api/users/auth/pwd/signin");
            signed_in.body("application/json", body).send().await;
            if asked.status == 503 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        process.signal("-TERM");
        let (code, log) = process.end();
        assert_eq!(code, Some(0), "{log}");
        // The log covers all requests.
        assert!(log.contains("/api/users/auth/pwd/signin") && log.contains(r#""message":"answered""#));
        secrets.extend([admin.key, NO_KEY.to_owned()]);
        secrets.extend([PASSWORD, NEXT_PASSWORD, WRONG_PASSWORD, URL_PASSWORD, QUERY, LINK_KEY].map(str::to_owned));
        let found = found(&log, &secrets);
        assert!(found.is_empty(), "{} secrets are logged, the first: {}", found.len(), found[0]);
    }
}

/// A crate that is named is logged with its secrets: the operator requested it.
#[tokio::test(flavor = "multi_thread")]
async fn finding_14_a_crate_is_logged_in_detail_only_when_it_is_named() {
    let database = Database::new(Backend::Postgres).await;
    for (level, driver) in [
        ("trace", false),
        ("[request]=trace", false),
        // A prefix of a crate's name does not select it.
        ("tokio=trace,t=trace,tokio_=trace", false),
        ("info,tokio_postgres=debug", true),
    ] {
        let address = free_address();
        let mut command = wardroom(&["serve", "--listen", &address.to_string(), "--log-level", level]);
        command.args(database.args());
        let process = Process::start(command);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(Request::new(address, "GET", "/readyz").send().await.status, 200);
        process.signal("-TERM");
        let (_, log) = process.end();
        assert_eq!(log.contains("tokio_postgres"), driver, "{level}: {log}");
    }
}

both! {
    /// The output of commands: settings, checks, lists, and errors.
    async fn finding_14_no_secret_is_printed_by_a_command(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        person(&directory, "admin", |draft| draft.is_admin = Some(true)).await;
        drop(directory);
        let run = |arguments: &[&str]| {
            let output = wardroom(arguments).args(args(&database)).output().unwrap();
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        };
        let mut said = String::new();
        let imported = database.place().join("people.json");
        let record = json!({"type": "user", "username": "eve", "password": "plain$planted-hash-77"});
        std::fs::write(&imported, record.to_string() + "\n").unwrap();
        let imported = imported.display().to_string();
        for arguments in [
            &["import", "json", "--from", &imported] as &[&str],
            &["config", "show"],
            &["config", "show", "--json"],
            &["doctor"],
            &["doctor", "--json"],
            &["user", "list"],
            &["user", "show", "admin", "--json"],
            &["token", "list", "admin", "--json"],
            &["audit", "list", "--json"],
            &["audit", "export"],
            &["user", "show", "nobody"],
            &["migrate"],
            &["init"],
        ] {
            said.push_str(&run(arguments));
        }
        let mut secrets = stored(&database).await;
        database.make_unavailable().await;
        said.push_str(&run(&["doctor"]));
        said.push_str(&run(&["serve"]));
        secrets.extend([URL_PASSWORD.to_owned(), "planted-hash".to_owned()]);
        let found = found(&said, &secrets);
        assert!(found.is_empty(), "{found:?}");
        if backend == Backend::Postgres {
            assert!(said.contains("wardroom:***@"), "{said}");
        }
    }
}
