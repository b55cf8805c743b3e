//! `/api/auth/forward/{rule}`: what a proxy gets, whatever a client makes it send. `judges::proxies` tries real proxies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardroom::config::Flags;
use wardroom::directory::model::{GroupDraft, GroupKey, Rate, Rates, UserDraft, UserKey};
use wardroom::telemetry::ForwardAuthLabels;

use crate::support::client::exchange;
use crate::support::site::{EXAMPLE_KEY, moment, operator};
use crate::support::{Answer, Backend, Request, Site, both};

const NAMES: [&str; 9] =
    ["user", "user-id", "groups", "group-names", "email", "name", "staff", "admin", "scopes"];
const NO_RIGHT: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
const NOTHING: &str = r#"{"detail":"Authentication credentials were not provided."}"#;
const INVALID: &str = r#"{"detail":"Invalid token."}"#;

fn forward(site: &Site, rule: &str) -> Request {
    site.get(&format!("/api/auth/forward/{rule}"))
}

fn key(id: i64) -> UserKey {
    UserKey::Id(id.try_into().unwrap())
}

/// The identity headers in their order; one that is missing or comes twice fails.
fn identity(answer: &Answer, prefix: &str) -> [String; 9] {
    let value = |name: &str| {
        let name = format!("{prefix}{name}");
        answer.header(&name).unwrap_or_else(|| panic!("{name} is missing: {:?}", answer.headers)).to_owned()
    };
    NAMES.map(value)
}

/// Status and body of a refusal, and that nothing in it is of use to anyone but a proxy.
fn refusal(answer: &Answer) -> (u16, &str) {
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("remote-")), "{:?}", answer.headers);
    assert_eq!(answer.header("location"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer}");
    assert_eq!(answer.header("www-authenticate").is_some(), answer.status == 401);
    (answer.status, &answer.body)
}

fn assert_allowed(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer}");
    assert_eq!(answer.header("content-length"), Some("0"));
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    identity(answer, "remote-");
}

both! {
    async fn a_rule_lets_through_those_who_meet_all_of_it(backend: Backend) {
        let site = Site::start(backend).await;
        let right = UserDraft { permissions: Some(vec![6]), ..UserDraft::default() };
        site.directory().update_user(&operator(), &key(42), &right, None).await.unwrap();
        // Alex (staff, in groups 1, 3 and 7, permission 1222), admin, staff, plain user.
        for (rule, allowed) in [
            ("active", [true, true, true, true]),
            ("staff", [true, true, true, false]),
            ("admin", [false, true, false, false]),
            ("group=3", [true, false, false, false]),
            ("group=30", [false; 4]),
            ("permission=1222", [true, true, false, false]),
            ("permission=1223", [false, true, false, false]),
            ("group=3,group=7,staff", [true, false, false, false]),
            ("group=3,admin", [false; 4]),
            ("group=3,group=8", [false; 4]),
            ("active,permission=1222,staff", [true, true, false, false]),
        ] {
            let personas = [&site.alex, &site.admin, &site.staff, &site.plain];
            for (persona, allowed) in personas.into_iter().zip(allowed) {
                // The second path takes the ordinary way.
                for path in [rule.to_owned(), format!("{rule}/x")] {
                    let answer = forward(&site, &path).token(&persona.key).send().await;
                    if allowed {
                        assert_allowed(&answer);
                    } else {
                        assert_eq!(refusal(&answer), (403, NO_RIGHT), "{path} {}", persona.id);
                    }
                }
            }
            assert_eq!(refusal(&forward(&site, rule).token(&site.inactive.key).send().await).0, 401);
            assert_eq!(refusal(&forward(&site, rule).send().await), (401, NOTHING));
        }
    }
}

both! {
    /// Guards against a narrow token that is a whole sign-in at every application behind a proxy.
    async fn a_token_with_scopes_passes_only_rules_that_name_permissions_among_them(backend: Backend) {
        const NEEDS: &str = r#"{"detail":"This token has scopes. It passes only rules that name permissions, all of which are among its scopes."}"#;
        const LACKS: &str = r#"{"detail":"This token lacks the scope me_read."}"#;
        const READS: &str = r#"{"detail":"This token can only read, and it is not known what the application does."}"#;
        let site = Site::start(backend).await;
        let id = site.directory().create_permission(&operator(), Some(10_001), "orders").await.unwrap().id;
        let right = UserDraft { permissions: Some(vec![6, id.get()]), ..UserDraft::default() };
        site.directory().update_user(&operator(), &key(42), &right, None).await.unwrap();
        let narrow = async |scopes: &str, read_only: bool| {
            let only = if read_only { "TRUE" } else { "FALSE" };
            let owners = format!("user_id IN (42, {})", site.admin.id);
            site.database.sql(&format!("UPDATE tokens SET scopes = {scopes}, read_only = {only} WHERE {owners}")).await;
        };
        // Of each: what Alex (staff, in group 3, with 1222 and 10001) gets, and an admin.
        let cases: [(&str, bool, &str, [Option<&str>; 2]); 21] = [
            ("'me_read'", false, "active", [Some(NEEDS); 2]),
            ("'me_read me_write user_read 10001'", false, "active", [Some(NEEDS); 2]),
            ("'me_read me_write user_read 10001'", false, "staff", [Some(NEEDS); 2]),
            ("'me_read me_write user_read 10001'", false, "admin", [Some(NEEDS); 2]),
            ("'me_read me_write user_read 10001'", false, "group=3", [Some(NEEDS); 2]),
            ("'me_read me_write user_read 10001'", false, "active,staff,group=3", [Some(NEEDS); 2]),
            ("'me_read user_read'", false, "permission=1222", [None; 2]),
            ("'me_read user_read'", false, "permission=1222,staff", [None; 2]),
            ("'me_read user_read'", false, "permission=1222,active,group=3", [None, Some(NEEDS)]),
            ("'me_read user_read'", false, "permission=1222,admin", [Some(NEEDS); 2]),
            ("'me_read user_read'", false, "permission=10001", [Some(NEEDS); 2]),
            ("'me_read user_read'", false, "permission=1222,permission=10001", [Some(NEEDS); 2]),
            ("'me_read 10001'", false, "permission=10001", [None; 2]),
            ("'me_read user_update'", false, "permission=1223", [Some(NEEDS), None]),
            ("'user_read'", false, "permission=1222", [Some(LACKS); 2]),
            ("'me_write'", false, "active", [Some(LACKS); 2]),
            ("''", false, "active", [Some(LACKS); 2]),
            ("'me_read user_read'", true, "permission=1222", [Some(READS); 2]),
            ("NULL", true, "active", [Some(READS); 2]),
            ("NULL", false, "active", [None; 2]),
            ("NULL", false, "permission=1222,group=3", [None, Some(NO_RIGHT)]),
        ];
        for (scopes, read_only, rule, expected) in cases {
            narrow(scopes, read_only).await;
            for (key, expected) in [&site.alex.key, &site.admin.key].into_iter().zip(expected) {
                for path in [rule.to_owned(), format!("{rule}/x")] {
                    let answer = forward(&site, &path).token(key).send().await;
                    match expected {
                        Some(body) => assert_eq!(refusal(&answer), (403, body), "{scopes} {path}"),
                        None => {
                            assert_allowed(&answer);
                            // Applications see that the token is narrow, and never that its owner is staff or an admin.
                            let shown = scopes.trim_matches('\'').replace(' ', ",").replace("NULL", "*");
                            assert_eq!(identity(&answer, "remote-")[8], shown, "{scopes} {path}");
                            let is_full = scopes == "NULL";
                            for (header, owner) in [("remote-staff", &site.alex), ("remote-admin", &site.admin)] {
                                let flag = is_full && *key == owner.key;
                                assert_eq!(answer.header(header), Some(flag.to_string().as_str()), "{scopes} {path}");
                            }
                        }
                    }
                }
            }
        }
    }
}

both! {
    async fn a_rule_that_is_none_lets_nobody_through(backend: Backend) {
        let site = Site::start(backend).await;
        for rule in [
            "", "anyone", "Staff", "staff,", ",staff", "staff,,admin", "group", "group=", "group=0", "group=03", "group=-1",
            "group=99999999999999999999", "group%3D3", "staff%2Cadmin", "%73taff", "staff;", "staff%00", "..", "*",
        ] {
            for path in [format!("/api/auth/forward/{rule}"), format!("/api/auth/forward/{rule}/staff")] {
                let answer = site.get(&path).token(&site.admin.key).send().await;
                assert_eq!(refusal(&answer), (404, r#"{"detail":"Not found."}"#), "{path}");
            }
        }
        for path in ["/api/auth/forward", "//api/auth/forward/staff", "/api/auth/Forward/staff", "/api/auth/./forward/staff"] {
            assert_eq!(site.get(path).token(&site.admin.key).send().await.status, 404, "{path}");
        }
    }
}

both! {
    async fn every_identity_header_is_always_there_and_visible_ascii(backend: Backend) {
        let site = Site::start(backend).await;
        let answer = forward(&site, "active").token(&site.alex.key).send().await;
        assert_eq!(identity(&answer, "remote-"), [
            "alex_thompson", "42", "1,3,7", "Staff%20room,Billing,On%20call", "alex.thompson@techcorp.com", "Alex%20Thompson",
            "true", "false", "*",
        ]);
        let answer = forward(&site, "active").token(&site.plain.key).send().await;
        let id = site.plain.id.to_string();
        assert_eq!(identity(&answer, "remote-"), ["plain", &id, "", "", "", "", "false", "false", "*"]);
        assert_eq!(identity(&forward(&site, "admin").token(&site.admin.key).send().await, "remote-")[6..], ["false", "true", "*"]);
        // Text of every kind, some of which only SQL can store.
        site.database.sql("UPDATE groups SET name = 'a,b %41' || chr_13 || chr_10 || 'Remote-Admin: true' WHERE id = 3"
            .replace("chr_13", if backend == Backend::Postgres { "chr(13)" } else { "char(13)" })
            .replace("chr_10", if backend == Backend::Postgres { "chr(10)" } else { "char(10)" }).as_str()).await;
        site.database.sql("UPDATE users SET first_name = 'سارا', last_name = 'Ünal 🙂 50%', username = 'x y' WHERE id = 42").await;
        let answer = forward(&site, "active").token(&site.alex.key).send().await;
        let [user, _, _, names, _, name, _, admin, _] = identity(&answer, "remote-");
        assert_eq!(user, "x%20y");
        assert_eq!(names, "Staff%20room,a%2Cb%20%2541%0D%0ARemote-Admin:%20true,On%20call");
        assert_eq!(name, "%D8%B3%D8%A7%D8%B1%D8%A7%20%C3%9Cnal%20%F0%9F%99%82%2050%25");
        assert_eq!(admin, "false");
        for (_, value) in answer.headers.iter().filter(|(name, _)| name.starts_with("remote-")) {
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
        }
    }
}

both! {
    async fn headers_have_the_names_of_the_setting(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("forward_auth_headers", "x-auth-request,user=X-Webauth-User")).await;
        for path in ["active", "active/x"] {
            let answer = forward(&site, path).token(&site.alex.key).send().await;
            assert_eq!(answer.header("x-webauth-user"), Some("alex_thompson"));
            assert_eq!(answer.header("x-auth-request-email"), Some("alex.thompson@techcorp.com"));
            assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("remote-") || name == "x-auth-request-user"));
        }
    }
}

both! {
    async fn a_key_comes_as_token_bearer_or_basic_and_only_once(backend: Backend) {
        let site = Site::start(backend).await;
        let alex = site.alex.key.as_str();
        let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
        for header in [
            format!("Token {alex}"), format!("tOKEN {alex}"), format!("Bearer {alex}"), format!("bearer {alex}"),
            basic(format!("alex:{alex}")), basic(format!(":{alex}")), basic(format!("{alex}:")),
            basic(format!("alex:{alex}")).replace("Basic", "basic"),
        ] {
            for path in ["active", "active?", "active/x"] {
                assert_allowed(&forward(&site, path).header("Authorization", &header).send().await);
            }
        }
        for (headers, body) in [
            (vec![format!("Digest {alex}")], NOTHING),
            (vec![alex.to_owned()], NOTHING),
            (vec![String::new()], NOTHING),
            (vec![format!("Bearer {}", "f".repeat(40))], INVALID),
            (vec![basic(format!("{alex}:x"))], INVALID),
            (vec![basic(alex.to_owned())], r#"{"detail":"Invalid basic header. Credentials not correctly base64 encoded."}"#),
            (vec![format!("Token {alex} x")], r#"{"detail":"Invalid token header. Token string should not contain spaces."}"#),
            (vec![format!("Token {alex}"); 2], r#"{"detail":"Invalid token header. Token string should not contain spaces."}"#),
            (vec![format!("Token {alex}"), String::new()], r#"{"detail":"Invalid token header. Token string should not contain spaces."}"#),
        ] {
            let mut request = forward(&site, "active");
            for header in &headers {
                request = request.header("Authorization", header);
            }
            assert_eq!(refusal(&request.send().await), (401, body), "{headers:?}");
        }
        // No other place may have a key.
        for request in [
            forward(&site, &format!("active?token={alex}")),
            forward(&site, "active").header("Cookie", &format!("token={alex}")),
            forward(&site, "active").header("X-Api-Key", alex),
            forward(&site, "active").header("Proxy-Authorization", &format!("Token {alex}")),
        ] {
            assert_eq!(refusal(&request.send().await), (401, NOTHING));
        }
    }
}

both! {
    /// Proxies pass on what a client has written: method, path, query, body, and any header.
    async fn only_rule_and_authorization_count(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("cors_allowed_origins", "https://app.example.com")).await;
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let answer = site.request(method, "/api/auth/forward/staff").token(&site.alex.key).send().await;
            assert_allowed(&answer);
            let answer = site.request(method, "/api/auth/forward/admin").token(&site.alex.key).send().await;
            assert_eq!(answer.status, 403, "{method}");
            assert_eq!(site.request(method, "/api/auth/forward/staff").send().await.status, 401, "{method}");
        }
        let many = vec!["a=b"; 200].join("&");
        for behind in [
            "/", "//", "/x", "/../admin", "/%2e%2e/", "/%00/%zz/%", "/a/b/c/d", "?", "?format=html", "?fields=id", &format!("?{many}"),
            "/media/users/avatars/x?size=1", "?rule=active", "/?a=%ff",
        ] {
            assert_allowed(&forward(&site, &format!("staff{behind}")).token(&site.alex.key).send().await);
            assert_eq!(forward(&site, &format!("admin{behind}")).token(&site.alex.key).send().await.status, 403, "{behind}");
        }
        for (name, value) in [
            ("Accept", "text/html"), ("Accept", "application/problem+json"), ("Expect", "x-nothing"),
            ("X-Forwarded-Uri", "/api/auth/forward/active"), ("X-Original-URL", "/api/auth/forward/active"),
            ("X-Forwarded-Method", "OPTIONS"), ("Remote-User", "admin"), ("X-HTTP-Method-Override", "OPTIONS"),
        ] {
            assert_allowed(&forward(&site, "staff").token(&site.alex.key).header(name, value).send().await);
            assert_eq!(forward(&site, "admin").token(&site.alex.key).header(name, value).send().await.status, 403, "{name}");
            assert_eq!(refusal(&forward(&site, "staff").header(name, value).send().await), (401, NOTHING), "{name}");
        }
        // A preflight is no exception, although CORS is on: what the proxy lets through reaches the application.
        let preflight = site.request("OPTIONS", "/api/auth/forward/staff").header("Origin", "https://app.example.com");
        let answer = preflight.header("Access-Control-Request-Method", "GET").send().await;
        assert_eq!(refusal(&answer), (401, NOTHING));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

both! {
    /// A body that never comes does not delay the response.
    async fn a_body_is_not_read(backend: Backend) {
        let site = Site::start(backend).await;
        for framing in ["Content-Length: 99999999", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"] {
            for (rule, status) in [("staff", "200"), ("admin", "403")] {
                let head = format!(
                    "POST /api/auth/forward/{rule} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {EXAMPLE_KEY}\r\n{framing}\r\n\r\n"
                );
                let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
                let mut start = [0; 12];
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut start).await.unwrap();
                assert_eq!(std::str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"), "{framing}");
            }
        }
    }
}

both! {
    /// Proxies send their own Host, or that of the application.
    async fn any_host_will_do_and_is_in_no_response(backend: Backend) {
        let site = Site::start(backend).await;
        for host in ["app.example.com", "wardroom:8000", "127.0.0.1", "evil.example", "x y"] {
            for path in ["staff", "staff/x"] {
                let answer = forward(&site, path).host(host).token(&site.alex.key).send().await;
                assert_allowed(&answer);
                assert!(!answer.headers.iter().any(|(_, value)| value.contains("example.com:") || value.contains("evil")));
            }
        }
        assert_eq!(site.me(&site.alex.key).host("evil.example").send().await.status, 400, "other routes check it");
    }
}

both! {
    async fn the_express_lane_and_the_ordinary_way_answer_alike(backend: Backend) {
        let site = Site::start(backend).await;
        let ends = wardroom::directory::tokens::Expiry::After(std::time::Duration::from_secs(60));
        let ends = site.directory().issue_token(&operator(), &key(42), "ends", ends).await.unwrap();
        let comparable = |answer: &Answer| {
            let mut headers: Vec<_> =
                answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str())).collect();
            headers.sort();
            format!("{} {headers:?} {}", answer.status, answer.body)
        };
        let unknown = "f".repeat(40);
        for key in [&site.alex.key, &site.admin.key, &site.plain.key, &site.inactive.key, &ends.key.reveal().to_owned(), &unknown] {
            for rule in ["active", "staff", "admin", "group=3,permission=1222", "none"] {
                let get = async |path: &str| comparable(&forward(&site, path).token(key).send().await);
                let common = get(&format!("{rule}/x")).await;
                assert_eq!(get(rule).await, common, "{rule}");
                assert_eq!(get(&format!("{rule}?")).await, common, "{rule}");
                // As Envoy asks.
                let announced = forward(&site, rule).token(key).header("Content-Length", "0").send().await;
                assert_eq!(comparable(&announced), common, "{rule}");
                assert!(!common.contains("\"allow\""), "{common}");
            }
        }
    }
}

both! {
    /// Guards the promise: nothing is older than the last change, on any replica, by any writer.
    async fn no_subrequest_shows_the_state_before_a_change(backend: Backend) {
        let site = Site::start(backend).await;
        let servers = [site.address, site.replica().await, site.replica().await];
        let each = async |rule: &str| {
            let mut found = Vec::new();
            for server in servers {
                for end in ["", "/x"] {
                    let request = Request::new(server, "GET", &format!("/api/auth/forward/{rule}{end}"));
                    let request = request.header("X-Forwarded-For", "198.51.100.7");
                    let answer = request.token(&site.alex.key).send().await;
                    let shown = |name: &str| answer.header(name).unwrap_or_default().to_owned();
                    found.push((answer.status, shown("remote-groups"), shown("remote-group-names"), shown("remote-name")));
                }
            }
            found.dedup();
            assert_eq!(found.len(), 1, "{found:?}");
            found.remove(0)
        };
        let (directory, actor) = (site.directory(), operator());
        assert_eq!(each("group=3").await.2, "Staff%20room,Billing,On%20call");
        let renamed = GroupDraft { name: Some("Invoices".into()), ..GroupDraft::default() };
        let billing: GroupKey = "name:Billing".parse().unwrap();
        directory.update_group(&actor, &billing, &renamed).await.unwrap();
        assert_eq!(each("group=3").await.2, "Staff%20room,Invoices,On%20call");
        let person = UserDraft { first_name: Some("Ann".into()), ..UserDraft::default() };
        directory.update_user(&actor, &key(42), &person, None).await.unwrap();
        assert_eq!(each("group=3").await.3, "Ann%20Thompson");
        directory.delete_group(&actor, &"name:Invoices".parse().unwrap()).await.unwrap();
        assert_eq!(each("active").await.1, "1,7");
        assert_eq!(each("group=3").await.0, 403);
        for (statement, rule, status) in [
            ("UPDATE users SET is_staff = FALSE WHERE id = 42", "staff", 403),
            ("UPDATE users SET is_admin = TRUE WHERE id = 42", "admin", 200),
            ("UPDATE tokens SET read_only = TRUE WHERE user_id = 42", "active", 403),
            ("UPDATE tokens SET read_only = FALSE, scopes = 'me_read user_read' WHERE user_id = 42", "admin", 403),
            ("UPDATE tokens SET scopes = 'me_read user_read' WHERE user_id = 42", "permission=1222", 200),
            ("UPDATE tokens SET scopes = 'user_read' WHERE user_id = 42", "active", 403),
            ("UPDATE tokens SET scopes = NULL, allowed_networks = '192.0.2.0/24' WHERE user_id = 42", "active", 401),
            ("UPDATE tokens SET allowed_networks = '198.51.100.0/24' WHERE user_id = 42", "active", 200),
            ("UPDATE users SET is_active = FALSE WHERE id = 42", "active", 401),
            ("UPDATE users SET is_active = TRUE WHERE id = 42", "active", 200),
            ("UPDATE tokens SET revoked_at = 1 WHERE user_id = 42", "active", 401),
        ] {
            site.database.sql(statement).await;
            assert_eq!(each(rule).await.0, status, "{statement}");
        }
    }
}

both! {
    /// Guards against a feed that only a use case writes when a group gets another name.
    async fn a_group_that_sql_renames_has_the_name_in_the_next_answer_everywhere(backend: Backend) {
        let site = Site::start(backend).await;
        let servers = [site.address, site.replica().await];
        let names = async || {
            let mut found = Vec::new();
            for server in servers {
                for path in ["/api/auth/forward/group=3", "/api/auth/forward/group=3/x"] {
                    let answer = Request::new(server, "GET", path).token(&site.alex.key).send().await;
                    found.push(answer.header("remote-group-names").unwrap_or_default().to_owned());
                }
            }
            found.dedup();
            found.join(" and ")
        };
        assert_eq!(names().await, "Staff%20room,Billing,On%20call");
        for (change, expected) in [
            ("UPDATE groups SET name = 'Invoices' WHERE id = 3", "Staff%20room,Invoices,On%20call"),
            ("UPDATE groups SET name = name || '!'", "Staff%20room!,Invoices!,On%20call!"),
            ("UPDATE groups SET notes = 'x', updated_at = 2", "Staff%20room!,Invoices!,On%20call!"),
            ("UPDATE groups SET name = 'Billing' WHERE name = 'Invoices!'", "Staff%20room!,Billing,On%20call!"),
        ] {
            site.database.sql(change).await;
            assert_eq!(names().await, expected, "{change}");
        }
        let replicated = match backend {
            Backend::Sqlite => "PRAGMA foreign_keys = OFF; ",
            Backend::Postgres => "SET session_replication_role = replica; ",
        };
        site.database.sql(&format!("{replicated}UPDATE groups SET name = 'Copied' WHERE id = 3")).await;
        assert_eq!(names().await, "Staff%20room!,Copied,On%20call!");
        let back: GroupKey = "name:Copied".parse().unwrap();
        let draft = GroupDraft { name: Some("Used".into()), ..GroupDraft::default() };
        site.directory().update_group(&operator(), &back, &draft).await.unwrap();
        assert_eq!(names().await, "Staff%20room!,Used,On%20call!");
    }
}

both! {
    /// A second subrequest reads nothing, whatever its answer is.
    async fn a_subrequest_takes_no_second_look_up(backend: Backend) {
        let site = Site::start(backend).await;
        let reads = || site.directory().counters().reads.get();
        let look = u64::from(backend == Backend::Postgres);
        let unknown = "f".repeat(40);
        for (key, rule) in [(&site.alex.key, "staff"), (&unknown, "staff")] {
            forward(&site, rule).token(key).send().await;
            let before = reads();
            for path in [rule.to_owned(), format!("{rule}/x"), "active,staff".to_owned()] {
                forward(&site, &path).token(key).send().await;
            }
            assert_eq!(reads() - before, 3 * look, "{rule}");
        }
    }
}

both! {
    async fn uses_are_noted_once_a_minute_and_a_response_is_no_event(backend: Backend) {
        let proxies = Flags::default().with("trusted_proxies", "127.0.0.0/8");
        for (site, from) in [
            (Site::with(backend, proxies).await, "192.0.2.7"),
            (Site::with(backend, Flags::default().with("trusted_proxies", "")).await, "127.0.0.1"),
        ] {
            let events = site.database.number("SELECT count(*) FROM audit_events").await;
            for path in ["staff", "staff/x", "staff", "staff?"] {
                let request = forward(&site, path).token(&site.alex.key);
                assert_allowed(&request.header("X-Forwarded-For", "1.2.3.4, 192.0.2.7").send().await);
            }
            site.directory().write_uses().await.unwrap();
            let noted = format!("SELECT count(*) FROM tokens WHERE user_id = 42 AND last_used_from = '{from}'");
            assert_eq!(site.database.number(&noted).await, 1);
            // Within the minute nothing more is noted. When a token was used is in no identity, so the entry stays.
            site.database.sql("UPDATE tokens SET last_used_from = NULL, last_used_at = NULL WHERE user_id = 42").await;
            let used = "SELECT count(*) FROM tokens WHERE user_id = 42 AND last_used_at IS NOT NULL";
            for (seconds, noted) in [(59, 0), (61, 1)] {
                site.clock.set(moment("2025-09-01T12:00:00Z").plus(std::time::Duration::from_secs(seconds)).unwrap());
                forward(&site, "staff").token(&site.alex.key).send().await;
                site.directory().write_uses().await.unwrap();
                assert_eq!(site.database.number(used).await, noted, "{seconds}");
            }
            assert_eq!(site.database.number("SELECT count(*) FROM audit_events").await, events);
        }
    }
}

both! {
    async fn rate_limits_count_only_with_the_setting(backend: Backend) {
        let rate = |requests| Some(Rate { requests, window: std::time::Duration::from_secs(60) });
        for (on, expected) in [("false", [200, 200, 401, 401]), ("true", [200, 429, 401, 429])] {
            let rates = Rates { per_token: rate(1), per_address: rate(1), uploads: None };
            let flags = Flags::default().with("forward_auth_rate_limits", on);
            let site = Site::with_settings(backend, flags, |settings| settings.rates = rates).await;
            let mut statuses = Vec::new();
            for key in [EXAMPLE_KEY, EXAMPLE_KEY, "unknown", "unknown"] {
                statuses.push(forward(&site, "staff").token(key).send().await.status);
            }
            assert_eq!(statuses, expected, "{on}");
            let is_limited = on == "true";
            assert_eq!(forward(&site, "staff/x").token(EXAMPLE_KEY).send().await.header("ratelimit").is_some(), is_limited);
        }
    }
}

both! {
    /// Guards against a route that looks up any number of made-up keys. What is known to be good passes all the same.
    async fn over_the_limit_of_its_network_a_client_causes_no_look_up(backend: Backend) {
        let rates = Rates {
            per_address: Some(Rate { requests: 3, window: std::time::Duration::from_secs(60) }), ..Rates::default()
        };
        let site = Site::with_settings(backend, Flags::default(), |settings| settings.rates = rates).await;
        let get = async |from: &str, path: &str, key: &str| {
            forward(&site, path).token(key).header("X-Forwarded-For", from).send().await
        };
        let loads = || site.directory().counters().identity_loads.get();
        let guess = |number: u32| format!("{number:040x}");
        assert_allowed(&get("192.0.2.1", "staff", &site.alex.key).await);
        // A client without a key, with a malformed one, or with one whose user may not pass has guessed nothing.
        for key in ["", "x y", &site.plain.key, &site.inactive.key] {
            for _ in 0..5 {
                assert!([401, 403].contains(&get("192.0.2.1", "staff", key).await.status), "{key}");
            }
        }
        // A key of any form counts, again each time it is sent, on both paths.
        for (number, (path, key)) in
            [("staff", guess(1)), ("staff/x", "knox-style-key".to_owned()), ("staff", guess(1))].into_iter().enumerate()
        {
            assert_eq!(refusal(&get("192.0.2.1", path, &key).await), (401, INVALID), "{number}");
        }
        let before = loads();
        for number in 10..30 {
            for path in ["staff", "staff/x", "permission=1222"] {
                let answer = get("192.0.2.1", path, &guess(number)).await;
                assert_eq!(refusal(&answer), (401, INVALID));
                assert!(answer.header("ratelimit").is_none() && answer.header("retry-after").is_none());
            }
        }
        // Nor is a good key that is not in memory.
        assert_eq!(refusal(&get("192.0.2.1", "staff", &site.admin.key).await), (401, INVALID));
        assert_eq!(loads(), before);
        // One that is in memory passes, also after a change; other networks are not concerned, nor the next window.
        assert_allowed(&get("192.0.2.1", "staff", &site.alex.key).await);
        site.database.sql("UPDATE users SET last_name = 'Changed' WHERE id = 42").await;
        assert_eq!(get("192.0.2.1", "staff", &site.alex.key).await.header("remote-name"), Some("Alex%20Changed"));
        site.database.sql("UPDATE tokens SET revoked_at = 1 WHERE user_id = 42").await;
        assert_eq!(get("192.0.2.1", "staff", &site.alex.key).await.status, 401);
        assert_allowed(&get("192.0.2.2", "staff", &site.admin.key).await);
        assert_eq!(get("192.0.2.2", "staff", &guess(99)).await.status, 401);
        assert_allowed(&get("192.0.2.1", "staff", &site.admin.key).await);
        site.clock.set(moment("2025-09-01T12:02:00Z"));
        let before = loads();
        assert_allowed(&get("192.0.2.1", "staff", &site.staff.key).await);
        assert_eq!(loads(), before + 1);
    }
}

/// Without its database, every subrequest is refused, with a status that no proxy takes for permission.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_status_is_503() {
    let site = Site::start(Backend::Postgres).await;
    assert_allowed(&forward(&site, "staff").token(&site.alex.key).send().await);
    site.database.make_unavailable().await;
    for key in [&site.alex.key, &site.admin.key] {
        for path in ["staff", "staff/x"] {
            let answer = forward(&site, path).token(key).send().await;
            assert_eq!(
                refusal(&answer),
                (503, r#"{"detail":"Service temporarily unavailable, try again later."}"#)
            );
        }
    }
}

both! {
    /// Clients that reach the route directly can write any rule. The number of labels stays bounded.
    async fn metrics_are_by_kinds_of_rules_and_result(backend: Backend) {
        let site = Site::start(backend).await;
        for number in 1..50 {
            forward(&site, &format!("group={number}")).token(&site.alex.key).send().await;
            forward(&site, &format!("nonsense{number}")).token(&site.alex.key).send().await;
        }
        forward(&site, "staff,permission=1222").token("unknown").send().await;
        let count = |rule: &str, result| {
            let labels = ForwardAuthLabels { rule: rule.to_owned(), result };
            site.app.metrics().forward_auth.get_or_create(&labels).get()
        };
        assert_eq!(count("group", "allowed"), 3);
        assert_eq!(count("group", "forbidden"), 46);
        assert_eq!(count("unknown", "unknown_rule"), 49);
        assert_eq!(count("staff,permission", "unauthenticated"), 1);
    }
}

both! {
    /// HTTP itself is as strict as anywhere: no second request hides behind a subrequest.
    async fn messages_are_framed_as_strictly_as_on_other_routes(backend: Backend) {
        let site = Site::start(backend).await;
        for lines in [
            "Host: a\r\nHost: b", "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "Host: a\r\nA: b\r\n c: d", "Host: a\r\nA : b",
        ] {
            let head = format!("GET /api/auth/forward/active HTTP/1.1\r\nAuthorization: Token {EXAMPLE_KEY}\r\n{lines}\r\n\r\n");
            let answer = Answer::parse(&exchange(site.address, head.as_bytes()).await);
            assert_eq!(answer.status, 400, "{lines:?}: {answer}");
        }
    }
}
