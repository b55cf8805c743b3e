//! The limits of a request, and the cost of refusing one that exceeds them. Guards issue 13, number 1: one form with
//! 60,000 unknown names stopped the service for seconds, and anyone could send it.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};
use wardroom::directory::Clock;
use wardroom::http::api;
use wardroom::http::body::{LEAKED_BODY_BYTES, OPEN_BODY_BYTES};

use crate::links::with_all_operations;
use crate::process::{Process, serve};
use crate::support::site::person;
use crate::support::{Answer, Backend, Database, Request, Site, both};

const BOUNDARY: &str = "b";
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=b";

/// An operation that takes a body.
struct Operation {
    method: String,
    path: String,
    /// The largest body, in bytes, of an operation that anyone may call.
    open_limit: Option<usize>,
}

/// Every such operation, read from the document: a new one is tested as soon as it exists.
fn operations() -> Vec<Operation> {
    let document = api::document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Introspection alone takes forms only, and ignores unknown fields as RFC 7662 wants it: it has tests of its own.
            if operation["requestBody"]["content"].get(JSON).is_some() {
                let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
                let limit = if path.ends_with("/leaked") { LEAKED_BODY_BYTES } else { OPEN_BODY_BYTES };
                let open_limit = is_open.then_some(limit);
                // The id of an existing user, and of something of theirs: a body is refused before they are looked
                // up.
                let path = path.replace("{id}", "42").replace("{token}", "1");
                assert!(!path.contains('{'), "{path}");
                found.push(Operation { method: method.to_uppercase(), path, open_limit });
            }
        }
    }
    assert!(found.len() > 15, "the document was not read");
    assert!(found.iter().any(|operation| operation.open_limit.is_some()));
    found
}

/// A different name of three characters for each number.
fn name(number: usize) -> String {
    let letter = |place: usize| {
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(number >> place) & 63],
        )
    };
    [letter(12), letter(6), letter(0)].iter().collect()
}

/// This many unknown fields, in each of the forms that a body may have.
fn unknown_fields(count: usize) -> [(&'static str, String); 3] {
    let names = || (0..count).map(name);
    let json = names().map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(",");
    let form = names().map(|name| name + "=1").collect::<Vec<_>>().join("&");
    let parts = names().fold(String::new(), |mut text, name| {
        write!(text, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n").unwrap();
        text
    });
    [(JSON, format!("{{{json}}}")), (FORM, form), (MULTIPART, format!("{parts}--{BOUNDARY}--\r\n"))]
}

/// A list with this many items, in each form.
fn long_list(count: usize) -> [(&'static str, String); 3] {
    let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"users\"\r\n\r\n1\r\n");
    [
        (JSON, json!({ "users": vec![1; count] }).to_string()),
        (FORM, vec!["users=1"; count].join("&")),
        (MULTIPART, format!("{}--{BOUNDARY}--\r\n", part.repeat(count))),
    ]
}

/// Returns all messages of an answer.
fn messages(answer: &Answer) -> Vec<String> {
    let of_field = |value: &Value| match value {
        Value::Array(value) => value.iter().map(|message| message.as_str().unwrap().to_owned()).collect(),
        value => vec![value.as_str().unwrap().to_owned()],
    };
    answer.json().as_object().unwrap().values().flat_map(of_field).collect()
}

both! {
    async fn finding_01_every_body_is_bounded_and_has_few_faults(backend: Backend) {
        let site = Site::with_directory(backend, with_all_operations).await;
        for Operation { method, path, open_limit } in operations() {
            let send = async |(media_type, body): &(&str, String)| {
                let request = site.request(&method, &path).token(&site.admin.key);
                (format!("{method} {path} {media_type}"), request.body(media_type, body.as_bytes()).send().await)
            };
            for body in &unknown_fields(65) {
                let (about, answer) = send(body).await;
                let expected = r#"400 {"non_field_errors":["An object may have at most 64 fields."]}"#;
                assert_eq!(answer.to_string(), expected, "{about}");
            }
            for body in &unknown_fields(64) {
                let (about, answer) = send(body).await;
                let messages = messages(&answer);
                assert_eq!((answer.status, messages.len()), (400, 20), "{about}: {answer}");
                assert_eq!(messages[19], "There are more errors than are shown here.", "{about}");
            }
            for body in &long_list(1001) {
                let (about, answer) = send(body).await;
                let expected = match open_limit.is_some_and(|limit| body.1.len() > limit) {
                    true => r#"413 {"detail":"Request body is too large."}"#,
                    false => r#"400 {"users":["Ensure this field has no more than 1000 elements."]}"#,
                };
                assert_eq!(answer.to_string(), expected, "{about}");
            }
        }
    }
}

both! {
    /// Operations without a token accept only small bodies, even if a token is sent. The same holds for paths that
    /// are not in the document.
    async fn finding_01_open_operations_take_small_bodies(backend: Backend) {
        let site = Site::with_directory(backend, with_all_operations).await;
        let too_large = r#"413 {"detail":"Request body is too large."}"#;
        for Operation { method, path, open_limit } in operations() {
            let ask = || site.request(&method, &path).token(&site.admin.key);
            let of = |size: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(size - 8));
            let limit = open_limit.unwrap_or(OPEN_BODY_BYTES);
            let answer = ask().body(JSON, of(limit + 1)).send().await;
            assert_eq!(answer.to_string() == too_large, open_limit.is_some(), "{method} {path}: {answer}");
            let answer = ask().body(JSON, of(limit)).send().await;
            assert_eq!(answer.status, 400, "{method} {path}: {answer}");
            if open_limit.is_some() {
                // A body without an announced length has the same limit.
                let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", limit + 1, of(limit + 1));
                let request = ask().header("Content-Type", JSON).header("Transfer-Encoding", "chunked");
                assert_eq!(request.raw_body(chunk).send().await.to_string(), too_large, "{method} {path}");
            }
        }
    }
}

both! {
    /// A body that is parsed on another thread gives the same result.
    async fn large_bodies_are_read_as_small_ones(backend: Backend) {
        let site = Site::start(backend).await;
        let users: Vec<_> = (0..300).map(|number| json!({ "username": format!("u{number}"), "last_name": "x".repeat(100) })).collect();
        let body = json!({ "users": users }).to_string();
        assert!(body.len() > 2 * OPEN_BODY_BYTES);
        let answer = site.request("POST", "/api/users/bulk").token(&site.admin.key).body(JSON, body).send().await;
        assert_eq!((answer.status, answer.json()["users"].as_array().unwrap().len()), (201, 300));
        let broken = format!("{{\"first_name\": \"{}", "x".repeat(2 * OPEN_BODY_BYTES));
        let answer = site.request("PATCH", "/api/users/me").token(&site.alex.key).body(JSON, broken).send().await;
        assert!(answer.to_string().starts_with(r#"400 {"detail":"JSON parse error - EOF"#), "{answer}");
    }
}

both! {
    /// The limits besides the body, each with an answer of its own.
    async fn finding_01_every_other_part_of_a_request_is_bounded(backend: Backend) {
        let site = Site::start(backend).await;
        let ask = |path: &str| site.get(path).token(&site.admin.key);
        let many = |text: &str, count: usize| vec![text; count].join(",");
        let parameters = |count: usize| (0..count).map(name).collect::<Vec<_>>().join("&");
        let many_parameters = r#"400 {"detail":"A query may have at most 64 parameters."}"#;
        // This error needs no token and no list of messages.
        for path in ["/api/users", "/api/users/groups", "/api/users/permissions", "/api/users/audit", "/api/users/me", "/api/users/deleted", "/api/users/groups/deleted"] {
            let answer = site.get(&format!("{path}?{}", parameters(65))).send().await;
            assert_eq!(answer.to_string(), many_parameters, "{path}");
            let answer = ask(&format!("{path}?{}", parameters(64))).send().await;
            if answer.status != 200 {
                assert_eq!((answer.status, messages(&answer).len()), (400, 20), "{path}: {answer}");
            }
        }
        for (about, request, expected) in [
            ("search", ask(&format!("/api/users?search={}", "a".repeat(501))), r#"400 {"search":["Ensure this field has no more than 500 characters."]}"#),
            ("terms", ask(&format!("/api/users?search={}", (0..17).map(name).collect::<Vec<_>>().join(","))), r#"400 {"search":["A search has at most 16 terms."]}"#),
            ("permissions' search", ask(&format!("/api/users/permissions?search={}", "a".repeat(501))), r#"400 {"search":["Ensure this field has no more than 500 characters."]}"#),
            ("permissions' terms", ask(&format!("/api/users/permissions?search={}", (0..17).map(name).collect::<Vec<_>>().join(","))), r#"400 {"search":["A search has at most 16 terms."]}"#),
            ("cursor", ask(&format!("/api/users?cursor={}", "A".repeat(3900))), r#"400 {"cursor":["Invalid cursor."]}"#),
            ("a list of ids", ask(&format!("/api/users?groups_in={}", (1..=101).map(|id| id.to_string()).collect::<Vec<_>>().join(","))), r#"400 {"groups_in":["Ensure this field has no more than 100 elements."]}"#),
            ("If-Match", site.request("DELETE", "/api/users/42").token(&site.admin.key).header("If-Match", &many("\"a\"", 101)), r#"400 {"detail":"The If-Match header may have at most 100 entity tags."}"#),
            ("the request line", ask(&format!("/api/users?search={}", "a".repeat(4100))), r#"414 {"detail":"Request line is too long."}"#),
            ("a header", ask("/api/users").header("X-A", &"a".repeat(8200)), r#"431 {"detail":"Request header fields are too large."}"#),
            ("headers", (0..101).fold(ask("/api/users"), |request, _| request.header("X-A", "a")), r#"431 {"detail":"Request has too many header fields."}"#),
            ("the head", (0..9).fold(ask("/api/users"), |request, _| request.header("X-A", &"a".repeat(4000))), r#"431 {"detail":"Request header fields are too large."}"#),
            ("nesting", site.request("PATCH", "/api/users/me").token(&site.alex.key).body(JSON, format!("{{\"a\":{}", "[".repeat(1000))), r#"400 {"detail":"JSON parse error - recursion limit exceeded at line 1 column 132"}"#),
            ("a number", site.request("PATCH", "/api/users/me").token(&site.alex.key).body(JSON, format!("{{\"a\":{}e999}}", "9".repeat(10_000))), r#"400 {"detail":"JSON parse error - number out of range at line 1 column 10009"}"#),
            ("a boundary", site.request("PATCH", "/api/users/me").token(&site.alex.key).body(&format!("multipart/form-data; boundary={}", "b".repeat(71)), "--b"), r#"400 {"detail":"Multipart form parse error - a boundary has at most 70 characters"}"#),
        ] {
            assert_eq!(request.send().await.to_string(), expected, "{about}");
        }
        // As in the framework, media types after the 64th are not read.
        let wishes = |before: usize| format!("{},application/json", many("a/b", before));
        assert_eq!(ask("/api/users/me?x").header("Accept", &wishes(63)).send().await.status, 200);
        assert_eq!(ask("/api/users/me?x").header("Accept", &wishes(64)).send().await.status, 406);
        // A proxy's list of clients is followed for 32 hops.
        let hops = format!("192.0.2.1,{}", many("127.0.0.1", 700));
        assert_eq!(ask("/api/users/me?x").header("X-Forwarded-For", &hops).send().await.status, 200);
        // A field name that is repeated counts once.
        let answer = ask(&format!("/api/users?limit=1&fields={}", many("id", 1000))).send().await;
        assert_eq!(answer.json()["results"].as_array().unwrap()[0].as_object().unwrap().len(), 1, "{answer}");
        let answer = ask(&format!("/api/users?fields={}", (0..900).map(name).collect::<Vec<_>>().join(","))).send().await;
        assert_eq!((answer.status, messages(&answer).len()), (400, 20));
    }
}

/// A server of its own, with the key of an admin.
struct Alone {
    process: Process,
    address: std::net::SocketAddr,
    key: String,
}

impl Alone {
    async fn start(database: &Database) -> Self {
        let directory = database.open(&Clock::system().unwrap()).await;
        let key = person(&directory, "admin", |draft| draft.is_admin = Some(true)).await.key;
        let mut process = serve(database, &["--access-log", "none"]);
        let address = process.address("listening");
        Self { process, address, key }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path).token(&self.key)
    }

    /// Measures the processor time that a request takes in the server: the least of several runs, in nanoseconds. It
    /// counts only the server's own work, whatever else the machine does.
    async fn cost(&self, request: impl Fn() -> Request) -> u64 {
        let mut least = u64::MAX;
        for _ in 0..7 {
            let before = self.process.cpu_nanos();
            request().send().await;
            // A thread that ended meanwhile took its time with it: then the sum is wrong.
            least = self
                .process
                .cpu_nanos()
                .checked_sub(before)
                .filter(|cost| *cost > 0)
                .unwrap_or(least)
                .min(least);
        }
        least
    }

    /// Twice as much input may cost twice as much, and a bit. Quadratic work costs four times as much, in every round. Other
    /// work of the machine can make one round dearer, because it shares the processor's caches.
    async fn assert_linear(&self, about: &str, request: impl Fn(usize) -> Request, count: usize) {
        let mut rounds = Vec::new();
        for _ in 0..4 {
            let (one, two) = (self.cost(|| request(count)).await, self.cost(|| request(2 * count)).await);
            if two < one * 3 {
                return;
            }
            rounds.push((one, two));
        }
        panic!("{about}: {count}, and twice as many, cost in nanoseconds: {rounds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_01_twice_as_large_bodies_cost_at_most_twice_as_much() {
    let database = Database::new(Backend::Sqlite).await;
    let alone = Alone::start(&database).await;
    for Operation { method, path, .. } in operations() {
        for (form, media_type) in [JSON, FORM, MULTIPART].into_iter().enumerate() {
            for (what, bodies) in
                [("fields", unknown_fields as fn(usize) -> [(&'static str, String); 3]), ("items", long_list)]
            {
                let request =
                    |count| alone.request(&method, &path).body(media_type, bodies(count)[form].1.as_bytes());
                alone.assert_linear(&format!("{method} {path} {media_type}: {what}"), request, 8000).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finding_01_twice_as_long_heads_cost_at_most_twice_as_much() {
    let database = Database::new(Backend::Sqlite).await;
    let alone = Alone::start(&database).await;
    let ask = |path: &str| alone.request("GET", path);
    let many = |text: &str, count: usize| vec![text; count].join(",");
    let names = |count: usize, between: &str| (0..count).map(name).collect::<Vec<_>>().join(between);
    let lists: BTreeSet<_> = [
        "/api/users",
        "/api/users/groups",
        "/api/users/audit",
        "/api/users/permissions",
        "/api/users/deleted",
        "/api/users/groups/deleted",
    ]
    .into();
    for path in lists {
        alone.assert_linear("parameters", |count| ask(&format!("{path}?{}", names(count, "&"))), 500).await;
        alone
            .assert_linear(
                "one parameter again",
                |count| ask(&format!("{path}?{}", vec!["a"; count].join("&"))),
                1000,
            )
            .await;
        alone
            .assert_linear("search terms", |count| ask(&format!("{path}?search={}", names(count, ","))), 500)
            .await;
        alone
            .assert_linear("orders", |count| ask(&format!("{path}?ordering={}", many("id", count))), 600)
            .await;
        alone
            .assert_linear("cursors", |count| ask(&format!("{path}?cursor={}", "A".repeat(count))), 1900)
            .await;
        alone
            .assert_linear("fields", |count| ask(&format!("{path}?fields={}", names(count, ","))), 500)
            .await;
        alone
            .assert_linear(
                "the same field",
                |count| ask(&format!("{path}?fields={}", many("id", count))),
                600,
            )
            .await;
    }
    for header in [
        "Accept",
        "If-Match",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Cookie",
        "Authorization",
        "Content-Type",
    ] {
        for part in ["a/b", "\"a\"", "127.0.0.1", "a=b;"] {
            let of_value = |count: usize| ask("/api/users/me?x").header(header, &many(part, count));
            alone.assert_linear(header, of_value, 400).await;
            let lines = |count: usize| {
                (0..count).fold(ask("/api/users/me?x"), |request, _| request.header(header, part))
            };
            alone.assert_linear(header, lines, 48).await;
        }
    }
}
