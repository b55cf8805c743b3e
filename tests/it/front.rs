//! What is checked before the routes: hosts, paths, limits, strict HTTP; and health.

use wardroom::config::Flags;

use crate::support::{Answer, Backend, Request, Site, both, client};

both! {
    async fn only_allowed_hosts_are_answered(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("allowed_hosts", "accounts.example.com")).await;
        for (host, status) in [
            ("accounts.example.com", 200),
            ("ACCOUNTS.example.com.:443", 200),
            ("localhost", 400),
            ("evil.example.com", 400),
            ("accounts.example.com@evil", 400),
            ("accounts.example.com:", 400),
        ] {
            let answer = site.me(&site.alex.key).host(host).send().await;
            assert_eq!(answer.status, status, "{host}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        // Even for unknown paths, even without a token.
        let answer = site.get("/nowhere").host("evil.example.com").send().await;
        assert_eq!(answer.to_string(), r#"400 {"detail":"The request's Host is not allowed."}"#);
    }
}

both! {
    async fn what_is_no_path_is_not_found(backend: Backend) {
        let site = Site::start(backend).await;
        for path in ["/", "/api", "/api/users/ME", "/api//users/me", "/api/users/me//", "/api/users/me.json",
            "/api/users/./me", "/api/users/me;x=1", "/api/users/me%00", "/api/users/%zz", "/metrics"] {
            let answer = site.get(path).token(&site.admin.key).send().await;
            assert_eq!(answer.to_string(), r#"404 {"detail":"Not found."}"#, "{path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

both! {
    /// A path that a proxy may read differently does not exist here, and reveals nothing about rights.
    async fn finding_low_escaped_slashes_and_odd_ids_are_not_paths(backend: Backend) {
        let site = Site::start(backend).await;
        for path in [
            "/api/users%2Fme", "/api/users%2fme", "/api/users/me%2F", "/api%5Cusers/me", "/api/users/me%5c", "/%2Fapi/users/me",
            "/api/docs%2Findex.html", "/api/docs/..%2findex.html", "/api/users/4%2f2",
            "/api/users/nobody", "/api/users/+42", "/api/users/-42", "/api/users/42.json", "/api/users/4%202", "/api/users/%D9%A4%D9%A2",
            "/api/users/4\\2", "/api/users/x/tokens", "/api/users/42/tokens/x", "/api/users/groups/x", "/api/users/deleted/x/restore", "/api/users/groups/deleted/x/restore",
        ] {
            for key in [None, Some(&site.admin.key), Some(&"f".repeat(40))] {
                let request = key.into_iter().fold(site.get(path), |request, key| request.token(key));
                let answer = request.send().await;
                assert_eq!(answer.to_string(), r#"404 {"detail":"Not found."}"#, "{path}");
                assert_eq!(answer.header("allow"), None, "{path}");
            }
        }
        for path in ["/api/users/42", "/api/users/%34%32", "/api/users/0042/"] {
            assert_eq!(site.get(path).send().await.status, 401, "{path}");
            assert_eq!(site.get(path).token(&site.admin.key).send().await.json()["id"], 42, "{path}");
        }
        assert_eq!(site.get("/api/users/99999999999999999999").token(&site.admin.key).send().await.status, 404);
    }
}

/// A browser may do nothing with an answer, except with the page that shows the documentation.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

both! {
    async fn finding_low_every_answer_says_what_browsers_may_load(backend: Backend) {
        let site = Site::start(backend).await;
        let large = vec![b'x'; 2 << 20];
        for (about, request) in [
            ("the express lane", site.me(&site.alex.key)),
            ("its refusals", site.me("f")),
            ("the common way", site.get("/api/users/me?x").token(&site.alex.key)),
            ("a refusal", site.get("/api/users")),
            ("no route", site.get("/nowhere")),
            ("no file", site.get("/api/docs/nothing.js")),
            ("another host", site.get("/").host("evil.example.com")),
            ("the document", site.get("/api/openapi.json")),
            ("health", site.get("/livez")),
            ("a large body", site.request("POST", "/api/users/auth/pwd/signin").body("application/json", large)),
            ("no HTTP", site.get("/livez").host("a").host("b")),
            ("a problem", site.get("/api/users").header("Accept", "application/problem+json")),
        ] {
            let answer = request.send().await;
            assert_eq!(answer.header("content-security-policy"), Some(NOTHING), "{about}: {answer}");
            assert_eq!(answer.header("strict-transport-security"), None, "{about}: not without TLS");
        }
        for file in ["", "/index.html", "/page.js", "/swagger-ui.css"] {
            let answer = site.get(&format!("/api/docs{file}")).send().await;
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; ") && policy.ends_with("; frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("http") && !policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            assert!(answer.header("content-type").unwrap().ends_with("; charset=utf-8"), "{file}");
        }
    }
}

both! {
    async fn bodies_are_bounded_and_expectations_refused(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("max_body_bytes", "1KiB")).await;
        let large = site.me(&site.alex.key).body("application/json", vec![b' '; 1025]).send().await;
        assert_eq!(large.to_string(), r#"413 {"detail":"Request body is too large."}"#);
        let fits = site.me(&site.alex.key).body("application/json", vec![b' '; 1024]).send().await;
        assert_eq!(fits.status, 200);
        let expecting = site.me(&site.alex.key).header("Expect", "the-impossible").send().await;
        assert_eq!(expecting.status, 417);
    }
}

/// Bytes that are not strict HTTP/1.1: each is refused in JSON, and the connection is closed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_strict_http_is_refused_in_json() {
    let site = Site::start(Backend::Sqlite).await;
    let me = format!("GET /api/users/me HTTP/1.1\r\nAuthorization: Token {}\r\n", site.alex.key);
    let long = "x".repeat(9000);
    for (about, bytes, status) in [
        ("no Host", format!("{me}\r\n"), 400),
        ("two Hosts", format!("{me}Host: localhost\r\nHost: localhost\r\n\r\n"), 400),
        (
            "length and chunks",
            format!(
                "{me}Host: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            "chunks and length",
            format!(
                "{me}Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            "two lengths",
            format!("{me}Host: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
            400,
        ),
        ("bare LF", "GET /livez HTTP/1.1\nHost: localhost\n\n".into(), 400),
        ("folding", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n 2\r\n\r\n".into(), 400),
        ("no HTTP", "HELO example.com\r\n\r\n".into(), 400),
        ("a long line", format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414),
        ("a long header", format!("{me}Host: localhost\r\nX-A: {long}\r\n\r\n"), 431),
        ("many headers", format!("{me}Host: localhost\r\n{}\r\n", "X-A: 1\r\n".repeat(101)), 431),
    ] {
        let answer = Answer::parse(&client::exchange(site.address, bytes.as_bytes()).await);
        assert_eq!(answer.status, status, "{about}: {answer}");
        assert!(answer.json()["detail"].is_string(), "{about}");
        assert_eq!(answer.header("connection"), Some("close"), "{about}");
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{about}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_connection_are_answered_in_turn() {
    let site = Site::start(Backend::Sqlite).await;
    let one = format!(
        "GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\n",
        site.alex.key
    );
    let bytes = format!("{one}Content-Length: 5\r\n\r\nGET /{one}\r\n{one}Connection: close\r\n\r\n");
    let text = String::from_utf8(client::exchange(site.address, bytes.as_bytes()).await).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{text}");
    assert_eq!(text.matches(r#""id":42"#).count(), 3);
}

both! {
    async fn health_and_document_are_open_to_all(backend: Backend) {
        let site = Site::start(backend).await;
        for path in ["/livez", "/readyz"] {
            let answer = site.get(path).host("10.0.0.7:8000").send().await;
            assert_eq!(answer.to_string(), r#"200 {"status":"ok"}"#, "{path}");
        }
        let document = site.get("/api/openapi.json").send().await;
        assert_eq!(document.json()["openapi"], "3.1.0");
        let page = site.get("/api/docs/").send().await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.body.contains("<base href=\"/api/docs/\">"), "{}", page.body);
        let script = site.get("/api/docs/page.js").send().await;
        assert!(script.body.contains("/api/openapi.json"));
        assert_eq!(site.get("/api/docs/nothing.js").send().await.status, 404);
        // The page loads nothing from elsewhere.
        for file in ["/api/docs", "/api/docs/page.js"] {
            assert!(!site.get(file).send().await.body.contains("https://"), "{file}");
        }
        site.app.start_draining();
        assert_eq!(site.get("/readyz").send().await.to_string(), r#"503 {"status":"stopping"}"#);
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
    }
}

both! {
    /// A request has an id. A trusted proxy may provide one, if it has the right form.
    async fn requests_have_ids(backend: Backend) {
        let site = Site::start(backend).await;
        let id = async |request: Request| request.send().await.header("x-request-id").unwrap().to_owned();
        assert_eq!(id(site.get("/livez").header("X-Request-Id", "abc-1.2_3")).await, "abc-1.2_3");
        for odd in ["a b", "<script>", "", &"x".repeat(65)] {
            assert_ne!(id(site.get("/livez").header("X-Request-Id", odd)).await, odd);
        }
        assert_ne!(id(site.get("/livez")).await, id(site.get("/livez")).await);
    }
}
