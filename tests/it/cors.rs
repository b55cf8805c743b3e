//! Pages of other origins (CORS), and other keywords before a key. A real browser judges the first, too
//! (`tests/judges/cors.py`).

use wardroom::config::Flags;
use wardroom::directory::model::{Rate, Rates};

use crate::support::{Answer, Backend, Request, Site, both};

const NAMED: &str = "https://app.example.com";
const UNNAMED: &str = "https://evil.example";
/// Everything that the protocol may add to a response.
const PROTOCOL: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-allow-credentials",
];

/// What a page may read of a response, in addition to what every page may.
const EXPOSED: &str =
    "ETag, X-Request-Id, X-Token-Expires-At, RateLimit, RateLimit-Policy, Retry-After, Location";

fn named() -> Flags {
    Flags::default().with("cors_allowed_origins", "https://app.example.com,https://*.apps.example")
}

fn preflight(site: &Site, path: &str, origin: &str, method: &str, headers: &str) -> Request {
    let request = site.request("OPTIONS", path).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", method);
    if headers.is_empty() { request } else { request.header("Access-Control-Request-Headers", headers) }
}

fn protocol(answer: &Answer) -> Vec<&str> {
    PROTOCOL.into_iter().filter(|name| answer.header(name).is_some()).collect()
}

/// What no setting of CORS may change.
fn plain(answer: &Answer) -> String {
    let own = |name: &str| PROTOCOL.contains(&name) || ["date", "x-request-id", "vary"].contains(&name);
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !own(name)).collect();
    headers.sort();
    format!("{} {headers:?} {}", answer.status, answer.body)
}

both! {
    /// Every answer to a page of a named origin lets the page read it, refusals too; both ways of `me` alike.
    async fn a_page_of_a_named_origin_may_read_every_answer(backend: Backend) {
        let site = Site::with(backend, named()).await;
        let admin = site.admin.key.as_str();
        for (method, path, key, status) in [
            ("GET", "/api/users/me", admin, 200),
            ("GET", "/api/users/me?x", admin, 200),
            ("GET", "/api/users/me", "wrong", 401),
            ("GET", "/api/users/me", site.plain.key.as_str(), 403),
            ("GET", "/api/users?limit=0x", admin, 400),
            ("GET", "/api/users/999", admin, 404),
            ("GET", "/api/nothing", admin, 404),
            ("GET", "/nothing", admin, 404),
            ("DELETE", "/api/users/me", admin, 405),
            ("HEAD", "/api/users/me", admin, 200),
        ] {
            for origin in [NAMED, "https://one.apps.example"] {
                let ask = || site.request(method, path).token(key);
                let answer = ask().header("Origin", origin).send().await;
                assert_eq!(answer.status, status, "{method} {path}: {answer}");
                assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{method} {path}");
                assert_eq!(answer.header("access-control-expose-headers"), Some(EXPOSED), "{method} {path}");
                assert!(answer.header("vary").unwrap().ends_with("Origin"), "{method} {path}");
                assert_eq!(answer.header("access-control-allow-credentials"), None);
                let without = ask().send().await;
                assert_eq!(plain(&answer), plain(&without), "{method} {path}");
                assert!(protocol(&without).is_empty());
                assert!(without.header("vary").unwrap().ends_with("Origin"), "caches must know");
            }
        }
        let elsewhere = site.me(admin).host("elsewhere.example").header("Origin", NAMED).send().await;
        assert_eq!((elsewhere.status, protocol(&elsewhere).len()), (400, 2));
    }
}

both! {
    async fn an_unnamed_origin_gets_the_plain_answer(backend: Backend) {
        let site = Site::with(backend, named()).await;
        for origin in [UNNAMED, "null", "http://app.example.com", "https://apps.example", "https://app.example.com."] {
            for path in ["/api/users/me", "/api/users/me?x"] {
                let answer = site.get(path).token(&site.admin.key).header("Origin", origin).send().await;
                assert_eq!((answer.status, protocol(&answer)), (200, vec![]), "{origin}");
                assert_eq!(plain(&answer), plain(&site.get(path).token(&site.admin.key).send().await));
            }
            let answer = preflight(&site, "/api/users/me", origin, "GET", "authorization").send().await;
            assert_eq!((answer.status, protocol(&answer)), (401, vec![]), "{origin}");
        }
        // Two headers name no origin.
        for path in ["/api/users/me", "/api/users/me?x"] {
            let twice = site.get(path).token(&site.admin.key).header("Origin", NAMED).header("Origin", NAMED).send().await;
            assert_eq!((twice.status, protocol(&twice)), (200, vec![]));
        }
    }
}

both! {
    /// Without the setting nothing changes: no header, and `Vary` as before.
    async fn without_the_setting_there_is_no_cors(backend: Backend) {
        let site = Site::start(backend).await;
        for path in ["/api/users/me", "/api/users/me?x"] {
            let answer = site.get(path).token(&site.admin.key).header("Origin", NAMED).send().await;
            assert_eq!((answer.status, protocol(&answer)), (200, vec![]));
            assert_eq!(answer.header("vary"), Some("Accept, Authorization"));
        }
        let answer = preflight(&site, "/api/users/me", NAMED, "GET", "authorization").send().await;
        assert_eq!((answer.status, protocol(&answer)), (401, vec![]));
    }
}

both! {
    /// A preflight carries no key. It is answered before credentials, limits and the route.
    async fn a_preflight_is_no_access(backend: Backend) {
        let rates = Rates { uploads: None, per_token: None, per_address: Some(Rate { requests: 1, window: std::time::Duration::from_secs(60) }) };
        let limited = Site::with_settings(backend, named(), |settings| settings.rates = rates).await;
        for path in ["/api/users/me", "/api/users/1/tokens", "/api/users/auth/pwd/signin", "/api/nothing"] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] {
                let asked = "authorization,content-type,if-match,x-request-id,x-other";
                let answer = preflight(&limited, path, NAMED, method, asked).send().await;
                assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
                assert_eq!(answer.header("access-control-allow-origin"), Some(NAMED));
                assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
                let allowed = "authorization, content-type, if-match, x-request-id";
                assert_eq!(answer.header("access-control-allow-headers"), Some(allowed));
                assert_eq!(answer.header("access-control-max-age"), Some("86400"));
                assert_eq!(answer.header("vary"), Some("Origin"));
            }
        }
        let nothing_asked = preflight(&limited, "/api/users/me", NAMED, "GET", "").send().await;
        assert_eq!(nothing_asked.header("access-control-allow-headers"), None);
        let audited = "SELECT count(*) FROM audit_events WHERE action LIKE '%refused'";
        assert_eq!(limited.database.number(audited).await, 0);
        // It is no preflight without the method that is asked for.
        let options = limited.request("OPTIONS", "/api/users/me").token(&limited.admin.key).header("Origin", NAMED);
        assert!(options.send().await.body.contains("\"parses\""));
        // The client still has its one request.
        assert_eq!(limited.get("/api/users/me").send().await.status, 401);
        assert_eq!(limited.get("/api/users/me").send().await.status, 429);
    }
}

both! {
    async fn any_origin_gets_a_star_and_operators_routes_get_nothing(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("cors_allowed_origins", "*")).await;
        for origin in ["null", UNNAMED] {
            for path in ["/api/users/me", "/api/users/me?x"] {
                let answer = site.get(path).token(&site.admin.key).header("Origin", origin).send().await;
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            }
            let health = site.get("/livez").header("Origin", origin).send().await;
            assert_eq!((health.status, protocol(&health)), (200, vec![]));
        }
    }
}

both! {
    /// A second keyword opens the same door, on both ways; the refusal names the first.
    async fn another_keyword_may_precede_the_key(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("token_keywords", "Bearer,Token")).await;
        let ask = async |path: &str, header: String| site.get(path).header("Authorization", &header).send().await;
        let expected = plain(&site.me(&site.alex.key).send().await);
        for path in ["/api/users/me", "/api/users/me?x"] {
            for keyword in ["Bearer", "bearer", "TOKEN", "Token"] {
                let answer = ask(path, format!("{keyword} {}", site.alex.key)).await;
                assert_eq!(plain(&answer), expected, "{keyword}");
            }
            let refused = ask(path, "Bearer".to_owned()).await;
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            assert_eq!(refused.json()["detail"], "Invalid token header. No credentials provided.");
            assert_eq!(ask(path, format!("Basic {}", site.alex.key)).await.status, 401);
        }
        let default = Site::start(backend).await;
        let answer = default.get("/api/users/me").header("Authorization", &format!("Bearer {}", default.alex.key)).send().await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Token")));
    }
}
