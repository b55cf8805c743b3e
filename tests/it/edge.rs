//! The edge of HTTP: versions, targets, `Date`, and bodies that are slow or too large.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wardroom::config::Flags;
use wardroom::telemetry::RequestLabels;

use crate::support::site::moment;
use crate::support::{Answer, Backend, Site, both, client};

async fn exchange(site: &Site, bytes: impl AsRef<[u8]>) -> Answer {
    Answer::parse(&client::exchange(site.address, bytes.as_ref()).await)
}

/// Sends bytes, keeps the connection open and reads the answer that comes all the same.
async fn answer_to(site: &Site, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Answer::parse(&answer)
}

both! {
    /// A client of HTTP/1.0 may not know of Host, such as the health check of a balancer.
    async fn http_10_without_host_comes_to_the_default_host(backend: Backend) {
        for (key, value, base) in [
            ("allowed_hosts", "accounts.example.com,localhost", "http://accounts.example.com"),
            ("allowed_hosts", "*,.example.com", "http://example.com"),
            ("allowed_hosts", "*", "http://localhost"),
            ("public_url", "https://public.example.com", "https://public.example.com"),
        ] {
            let site = Site::with(backend, Flags::default().with(key, value)).await;
            for path in ["/livez", "/readyz"] {
                let answer = exchange(&site, format!("GET {path} HTTP/1.0\r\n\r\n")).await;
                assert_eq!(answer.to_string(), r#"200 {"status":"ok"}"#, "{path}");
            }
            let with = |version: &str, lines: &str| {
                format!("GET /api/users/me?fields=avatar HTTP/{version}\r\nConnection: close\r\nAuthorization: Token {}\r\n{lines}\r\n", site.alex.key)
            };
            let answer = exchange(&site, with("1.0", "")).await;
            assert_eq!(answer.to_string(), format!(r#"200 {{"avatar":"{base}/media/avatars/alex_profile.jpg"}}"#));
            // The express lane and the common way agree.
            let plain = with("1.0", "").replace("?fields=avatar", "");
            assert_eq!(exchange(&site, plain).await.json()["avatar"], answer.json()["avatar"]);
            let missing = r#"400 {"detail":"Bad request: the Host header is missing."}"#;
            for version in ["1.1", "1.2"] {
                assert_eq!(exchange(&site, with(version, "")).await.to_string(), missing, "{version}");
            }
            // A Host that is named counts, in every version.
            if !value.contains('*') {
                for lines in ["Host: elsewhere.example.org\r\n", "Host:\r\n"] {
                    assert_eq!(exchange(&site, with("1.0", lines)).await.status, 400, "{lines}");
                }
            }
            assert_eq!(exchange(&site, with("1.0", "Host: a\r\nHost: a\r\n")).await.status, 400);
        }
    }
}

both! {
    /// RFC 9110, section 2.5: a later minor version is read as the highest one that is known.
    async fn later_minor_versions_are_served_as_11(backend: Backend) {
        let site = Site::start(backend).await;
        let head = |version: &str, last: &str| {
            format!("GET /api/users/me HTTP/{version}\r\nHost: localhost\r\nAuthorization: Token {}\r\n{last}\r\n", site.alex.key)
        };
        let close = "Connection: close\r\n";
        let expected = exchange(&site, head("1.1", close)).await;
        for version in ["1.2", "1.3", "1.9"] {
            let answer = exchange(&site, head(version, close)).await;
            assert_eq!((answer.status, &answer.body), (200, &expected.body), "{version}");
            // The connection goes on as in 1.1, also behind a body.
            let length = "Content-Length: 2\r\n";
            let bytes = head(version, "") + &head(version, length) + "{}" + &head("1.1", "") + &head(version, close);
            let text = String::from_utf8(client::exchange(site.address, bytes.as_bytes()).await).unwrap();
            assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{version}: {text}");
        }
        for version in ["0.9", "1.10", "1.x", "2.0", "1."] {
            let answer = exchange(&site, head(version, close)).await;
            assert_eq!(answer.to_string(), r#"400 {"detail":"Bad request: only HTTP/1.1 and HTTP/1.0 are spoken here."}"#, "{version}");
        }
    }
}

both! {
    async fn a_target_is_ascii(backend: Backend) {
        let site = Site::start(backend).await;
        let refused = r#"400 {"detail":"Bad request: the request target has bytes outside ASCII. Percent-encode them as UTF-8."}"#;
        for target in ["/api/users/m\u{e9}", "/api/users/me?x=\u{e9}", "/api/users?search=\u{20ac}", "http://localhost/\u{e9}", "/livez\u{80}"] {
            // As UTF-8, and byte by byte.
            let latin1: Vec<u8> = target.chars().map(|c| u8::try_from(c).unwrap_or(0xff)).collect();
            for target in [target.as_bytes(), &latin1] {
                let head = [b"GET ", target, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"].concat();
                assert_eq!(exchange(&site, head).await.to_string(), refused, "{target:?}");
            }
        }
        let escaped = site.get("/api/users?search=%C3%A9").token(&site.admin.key).send().await;
        assert_eq!(escaped.status, 200);
    }
}

both! {
    /// `Date` is the time of the answer, whichever way the clock moves and whichever way the request goes.
    async fn date_follows_the_clock_in_both_directions(backend: Backend) {
        let site = Site::start(backend).await;
        for (now, date) in [
            ("2025-09-01T12:00:00Z", "Mon, 01 Sep 2025 12:00:00 GMT"),
            ("2025-09-01T13:00:00.999999Z", "Mon, 01 Sep 2025 13:00:00 GMT"),
            ("2025-09-01T12:00:01Z", "Mon, 01 Sep 2025 12:00:01 GMT"),
            ("2025-09-01T11:59:59Z", "Mon, 01 Sep 2025 11:59:59 GMT"),
        ] {
            site.clock.set(moment(now));
            for request in [
                site.me(&site.alex.key),
                site.get("/api/users/me?x").token(&site.alex.key),
                site.me("nope"),
                site.get("/livez"),
                site.get("/nowhere"),
                site.get("/api/docs"),
                site.get("/livez").host("a"),
                site.request("PATCH", "/api/users/me").token(&site.alex.key).body("application/json", "{"),
            ] {
                let answer = request.send().await;
                assert_eq!(answer.header("date"), Some(date), "{answer}");
            }
        }
    }
}

both! {
    /// A client that sends its body too slowly learns that, although a request may take no longer than a body.
    async fn a_slow_upload_is_408(backend: Backend) {
        let flags = Flags::default().with("body_timeout", "2s").with("request_timeout", "2s");
        let site = Site::with(backend, flags).await;
        let token = format!("Authorization: Token {}\r\n", site.alex.key);
        let slow = [
            ("POST /api/users/auth/pwd/signin", "Content-Length: 20\r\n", "{"),
            ("PATCH /api/users/me", "Content-Length: 20\r\n", ""),
            ("PATCH /api/users/me", "Transfer-Encoding: chunked\r\n", "5\r\n{\"a\""),
            ("GET /api/users/me", "Content-Length: 20\r\n", "{"),
            ("GET /nowhere", "Content-Length: 20\r\n", ""),
        ];
        let answers = slow.map(|(line, length, body)| {
            let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{token}{length}\r\n{body}");
            let site = &site;
            async move { answer_to(site, head.as_bytes()).await }
        });
        for (answer, (line, ..)) in futures_util::future::join_all(answers).await.into_iter().zip(slow) {
            assert_eq!(answer.to_string(), r#"408 {"detail":"Request timed out."}"#, "{line}");
            assert_eq!(answer.header("connection"), Some("close"), "{line}");
        }
        // The log and the metrics know the same.
        let labels = RequestLabels { route: "/api/users/me".into(), method: "PATCH", status: 408 };
        assert_eq!(site.app.metrics().requests.get_or_create_owned(&labels).get(), 2);
    }
}

both! {
    /// A chunk that is too large is refused when it is announced, not when it has arrived.
    async fn an_announced_chunk_is_refused_at_once(backend: Backend) {
        let flags = Flags::default().with("max_body_bytes", "64KiB").with("body_timeout", "20s");
        let site = Site::with(backend, flags).await;
        let token = format!("Authorization: Token {}\r\n", site.alex.key);
        let too_large = r#"413 {"detail":"Request body is too large."}"#;
        for (line, chunks) in [
            ("PATCH /api/users/me", "10001\r\n"),
            ("PATCH /api/users/me", "ffffffffffffffff\r\n"),
            ("PATCH /api/users/me", "10001;name=value\r\n{"),
            ("PATCH /api/users/me", "2\r\n{}\r\nffff\r\n"),
            ("PATCH /api/users/me/", "000000010001\r\n"),
            ("GET /api/users/me", "10001\r\n"),
            // The limit of routes without a token.
            ("POST /api/users/auth/pwd/signin", "4001\r\n"),
        ] {
            let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{token}\r\n");
            let answer = answer_to(&site, (head.clone() + chunks).as_bytes()).await;
            assert_eq!(answer.to_string(), too_large, "{line} {chunks:?}");
            // Also when the announcement comes later than the head.
            let mut stream = TcpStream::connect(site.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            for byte in chunks.as_bytes() {
                stream.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert_eq!(Answer::parse(&answer).to_string(), too_large, "{line} {chunks:?}");
        }
        let fits = format!(
            "PATCH /api/users/me HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n{token}\r\n\
             1\r\n{{\r\n1\r\n}}\r\nfffe\r\n{}\r\n0\r\n\r\n",
            " ".repeat(0xfffe)
        );
        assert_eq!(exchange(&site, fits).await.status, 200);
    }
}

both! {
    /// The body is the last thing that is checked, its size included.
    async fn a_body_that_is_too_large_comes_last(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("max_body_bytes", "1KiB")).await;
        let large = |method: &str, path: &str| site.request(method, path).body("application/json", vec![b' '; 1025]);
        for (request, status) in [
            (large("PATCH", "/api/users/me").host("elsewhere.example"), 400),
            (large("POST", "/nowhere"), 404),
            (large("GET", "/nowhere"), 404),
            (large("PATCH", "/api/users/me?format=xml"), 404),
            (large("PATCH", "/api/users/me").header("Accept", "text/html"), 406),
            (large("PATCH", "/api/users/me"), 401),
            (large("PATCH", "/api/users/me").token("nope"), 401),
            (large("GET", "/api/users/me").token("nope"), 401),
            (large("PATCH", "/api/users/me").token(&site.plain.key), 403),
            (large("POST", "/api/users/me").token(&site.alex.key), 405),
            (large("PATCH", "/api/users/me").token(&site.alex.key), 413),
            (large("GET", "/api/users/me").token(&site.alex.key), 413),
            (large("POST", "/api/users/auth/pwd/signin"), 413),
        ] {
            let answer = request.send().await;
            assert_eq!(answer.status, status, "{answer}");
        }
    }
}
