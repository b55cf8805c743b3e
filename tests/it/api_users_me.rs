//! `GET /api/users/me`, as in the documentation and in section 1 of the contract.

use wardroom::config::Flags;
use wardroom::directory::model::{User, UserKey};

use crate::support::site::{import, imported, moment, operator};
use crate::support::{Answer, Backend, Request, Site, both, client};

const ALEX: &str = r#"{"id":42,"username":"alex_thompson","mobile_number":"+1-555-0123","email":"alex.thompson@techcorp.com","avatar":"http://localhost/media/avatars/alex_profile.jpg","first_name":"Alex","last_name":"Thompson","full_name":"Alex Thompson","gender":"non-binary","groups":[1,3,7],"last_login":"2025-08-06T14:23:45.123456Z","created_at":"2024-03-15T09:30:00.000000Z"}"#;

both! {
    /// The example of the documentation, byte for byte.
    async fn the_documented_answer(backend: Backend) {
        let site = Site::start(backend).await;
        for path in ["/api/users/me", "/api/users/me/", "/api/users/%6de", "/api/users/me?x=%zz&format=json"] {
            let answer = site.get(path).token(&site.alex.key).send().await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ALEX), "{path}");
        }
    }
}

both! {
    async fn the_headers_of_an_answer(backend: Backend) {
        let site = Site::start(backend).await;
        let answer = site.me(&site.alex.key).send().await;
        for (name, value) in [
            ("content-type", "application/json"),
            ("content-length", &ALEX.len().to_string()),
            ("cache-control", "private, no-store"),
            ("vary", "Accept, Authorization"),
            ("allow", "GET, PATCH, HEAD, OPTIONS"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("www-authenticate"), None);
        assert_eq!(answer.header("x-token-expires-at"), None);
    }
}

both! {
    /// Empty and null stay different, nothing is trimmed, and times always have six digits.
    async fn imported_rows_are_shown_as_they_are(backend: Backend) {
        let site = Site::start(backend).await;
        let odd = User {
            mobile_number: Some(String::new()),
            email: None,
            avatar: Some(String::new()),
            first_name: "  Ann ".into(),
            last_name: " Le\u{2028}e\u{7f}/<é  ".into(),
            gender: Some("unknown".into()),
            created_at: moment("2025-01-02T03:04:05Z"),
            ..imported(9_007_199_254_740_993, "odd@one")
        };
        import(site.directory(), vec![(odd, "0000000000000000000000000000000000000001")]).await;
        let answer = site.me("0000000000000000000000000000000000000001").send().await;
        let expected = "{\"id\":9007199254740993,\"username\":\"odd@one\",\"mobile_number\":\"\",\"email\":null,\"avatar\":null,\
            \"first_name\":\"  Ann \",\"last_name\":\" Le\\u2028e\u{7f}/<é  \",\"full_name\":\"Ann   Le\\u2028e\u{7f}/<é\",\
            \"gender\":\"unknown\",\"groups\":[],\"last_login\":null,\"created_at\":\"2025-01-02T03:04:05.000000Z\"}";
        assert_eq!(answer.body, expected);
    }
}

both! {
    /// Group ids come in ascending order, whatever the order of the rows.
    async fn groups_ascend(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql("UPDATE groups SET notes = 'renamed' WHERE id = 1").await;
        site.database.sql("DELETE FROM memberships WHERE group_id = 1; INSERT INTO memberships (user_id, group_id) VALUES (42, 1)").await;
        let answer = site.me(&site.alex.key).send().await;
        assert_eq!(answer.json()["groups"], serde_json::json!([1, 3, 7]));
    }
}

both! {
    async fn every_refusal_has_its_text(backend: Backend) {
        let site = Site::start(backend).await;
        let with = |value: &str| site.get("/api/users/me").header("Authorization", value);
        let snapshot = |answer: Answer| answer.to_string();
        assert_eq!(snapshot(site.get("/api/users/me").send().await), r#"401 [www-authenticate: Token] {"detail":"Authentication credentials were not provided."}"#);
        assert_eq!(snapshot(with("").send().await), r#"401 [www-authenticate: Token] {"detail":"Authentication credentials were not provided."}"#);
        assert_eq!(snapshot(with("Bearer x").send().await), r#"401 [www-authenticate: Token] {"detail":"Authentication credentials were not provided."}"#);
        assert_eq!(snapshot(with("Token").send().await), r#"401 [www-authenticate: Token] {"detail":"Invalid token header. No credentials provided."}"#);
        assert_eq!(snapshot(with("Token a b").send().await), r#"401 [www-authenticate: Token] {"detail":"Invalid token header. Token string should not contain spaces."}"#);
        assert_eq!(snapshot(site.me("nope").send().await), r#"401 [www-authenticate: Token] {"detail":"Invalid token."}"#);
        assert_eq!(snapshot(site.me(&format!("{}\u{3000}", site.alex.key)).send().await), r#"401 [www-authenticate: Token] {"detail":"Invalid token."}"#);
        assert_eq!(snapshot(site.me(&site.alex.key.to_uppercase()).send().await), r#"401 [www-authenticate: Token] {"detail":"Invalid token."}"#);
        assert_eq!(snapshot(site.me(&site.inactive.key).send().await), r#"401 [www-authenticate: Token] {"detail":"User inactive or deleted."}"#);
        assert_eq!(snapshot(site.me(&site.plain.key).send().await), r#"403 {"detail":"You do not have permission to perform this action."}"#);
        let raw = b"GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token a\xffb\r\n\r\n";
        let answer = Answer::parse(&client::exchange(site.address, raw).await);
        assert_eq!(snapshot(answer), r#"401 [www-authenticate: Token] {"detail":"Invalid token header. Token string should not contain invalid characters."}"#);
    }
}

both! {
    async fn two_authorization_lines_never_authenticate(backend: Backend) {
        let site = Site::start(backend).await;
        let good = format!("Token {}", site.alex.key);
        for (first, second) in [(good.as_str(), good.as_str()), ("Bearer x", &good), (&good, ""), ("", &good)] {
            let request = site.get("/api/users/me").header("Authorization", first).header("Authorization", second);
            assert_eq!(request.send().await.status, 401, "{first:?} and {second:?}");
        }
    }
}

both! {
    async fn no_other_place_is_looked_at_for_a_key(backend: Backend) {
        let site = Site::start(backend).await;
        let key = &site.alex.key;
        let value = format!("Token {key}");
        for request in [
            site.get(&format!("/api/users/me?token={key}&authorization=Token%20{key}")),
            site.get("/api/users/me").header("Cookie", &format!("token={key}; Authorization={value}")),
            site.get("/api/users/me").header("X-Auth-Token", key),
            site.get("/api/users/me").header("Proxy-Authorization", &value),
            site.get("/api/users/me").header("Authorization_", &value),
        ] {
            assert_eq!(request.send().await.status, 401);
        }
    }
}

both! {
    /// Format, Accept, bad credentials, permission, method: the first that fails decides the answer.
    async fn checks_run_in_the_contract_s_order(backend: Backend) {
        let site = Site::start(backend).await;
        let bad = "Token nope";
        for (request, status) in [
            (site.get("/api/users/mE?format=xml").header("Authorization", bad), 404),
            (site.get("/api/users/me?format=api").header("Authorization", bad), 404),
            (site.get("/api/users/me").header("Accept", "text/html"), 406),
            (site.get("/api/users/me?format=json").header("Accept", "text/html").token(&site.plain.key), 406),
            (site.request("POST", "/api/users/me"), 401),
            (site.request("POST", "/api/users/me").header("Authorization", bad), 401),
            (site.request("POST", "/api/users/me").token(&site.plain.key), 403),
            (site.request("OPTIONS", "/api/users/me"), 401),
            (site.request("OPTIONS", "/api/users/me").token(&site.plain.key), 403),
            (site.get("/api/users/me?fields=nope").token(&site.plain.key), 403),
            (site.request("POST", "/api/users/me").token(&site.alex.key).body("application/json", "{"), 405),
            (site.get("/api/users/me").token(&site.alex.key).body("application/json", "{"), 200),
        ] {
            let answer = request.send().await;
            assert_eq!(answer.status, status, "{answer}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

both! {
    async fn methods_that_are_not_served(backend: Backend) {
        let site = Site::start(backend).await;
        for method in ["POST", "PUT", "DELETE", "TRACE", "FROBNICATE"] {
            let answer = site.request(method, "/api/users/me/").token(&site.admin.key).send().await;
            assert_eq!(answer.status, 405);
            assert_eq!(answer.body, format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#));
            assert_eq!(answer.header("allow"), Some("GET, PATCH, HEAD, OPTIONS"));
        }
    }
}

both! {
    async fn head_and_options(backend: Backend) {
        let site = Site::start(backend).await;
        let head = site.request("HEAD", "/api/users/me").token(&site.alex.key).send().await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), Some(ALEX.len().to_string().as_str()));
        let refused = site.request("HEAD", "/api/users/me").send().await;
        assert_eq!((refused.status, refused.body.as_str(), refused.header("content-length")), (401, "", Some("58")));
        let options = site.request("OPTIONS", "/api/users/me").token(&site.staff.key).send().await;
        assert_eq!(options.to_string(), r#"200 {"name":"Retrieve Me","description":"Retrieve information about the currently authenticated user.","renders":["application/json"],"parses":["application/json","application/x-www-form-urlencoded","multipart/form-data"]}"#);
    }
}

both! {
    async fn fields_narrow_the_object(backend: Backend) {
        let site = Site::start(backend).await;
        let fields = async |list: &str| site.get(&format!("/api/users/me?fields={list}")).token(&site.alex.key).send().await.to_string();
        assert_eq!(fields("groups,id").await, r#"200 {"id":42,"groups":[1,3,7]}"#);
        assert_eq!(fields("id,%20id%20").await, r#"200 {"id":42}"#);
        assert_eq!(fields("id,nope,password").await, r#"400 {"fields":["\"nope\" is not a valid choice.","\"password\" is not a valid choice."]}"#);
        assert_eq!(fields("id,%ff").await, r#"400 {"fields":["Not valid UTF-8."]}"#);
        assert_eq!(fields("id,").await, r#"400 {"fields":["\"\" is not a valid choice."]}"#);
        assert_eq!(fields("").await, format!("200 {ALEX}"));
    }
}

both! {
    /// How a front end learns which buttons to show. The plain answer stays as it is.
    async fn rights_and_token_are_shown_by_name(backend: Backend) {
        let site = Site::start(backend).await;
        let fields = async |key: &str, list: &str| {
            site.get(&format!("/api/users/me?fields={list}")).token(key).send().await.to_string()
        };
        let flags = "token,is_active,is_admin,is_staff,permissions,id";
        let alex = fields(&site.alex.key, flags).await;
        let id = site.database.number("SELECT id FROM tokens WHERE user_id = 42").await;
        let expected = format!(
            r#"200 {{"id":42,"is_staff":true,"is_admin":false,"is_active":true,"permissions":[],"token":{{"id":{id},"name":"imported","kind":"imported","expires_at":null,"scopes":null}}}}"#
        );
        assert_eq!(alex, expected);
        let holder = fields(&site.holder.key, "permissions").await;
        assert_eq!(holder, r#"200 {"permissions":[1201,1202,1203,1204,1221,1222,1223,1224,1231,1232,1233,1234,1242,1252,1282]}"#);
        assert_eq!(fields(&site.admin.key, "is_admin,is_staff").await, r#"200 {"is_staff":false,"is_admin":true}"#);
        // Rights of groups count, in ascending order and once.
        let group = wardroom::directory::model::GroupDraft { name: Some("Readers".into()), notes: None, permissions: Some(vec![6, 2]) };
        let group = site.directory().create_group(&operator(), &group).await.unwrap().id.get();
        let draft = wardroom::directory::model::UserDraft {
            groups: Some(vec![group]), permissions: Some(vec![6, 1]), ..Default::default()
        };
        let owner = UserKey::Id(site.staff.id.try_into().unwrap());
        site.directory().update_user(&operator(), &owner, &draft, None).await.unwrap();
        assert_eq!(fields(&site.staff.key, "permissions").await, r#"200 {"permissions":[1201,1202,1222]}"#);
        let hour = std::time::Duration::from_secs(3600);
        let end = wardroom::directory::tokens::Expiry::After(hour);
        let issued = site.directory().issue_token(&operator(), &owner, "short", end).await.unwrap();
        let token = fields(issued.key.reveal(), "token").await;
        assert!(token.ends_with(r#""name":"short","kind":"api","expires_at":"2025-09-01T13:00:00.000000Z","scopes":null}}"#), "{token}");
        assert!(!token.contains(issued.key.reveal()));
        assert_eq!(fields(&site.alex.key, "").await, format!("200 {ALEX}"));
    }
}

both! {
    async fn a_client_may_ask_for_indented_json(backend: Backend) {
        let site = Site::start(backend).await;
        let wide = site.get("/api/users/me?fields=id,groups").token(&site.alex.key).header("Accept", "application/json; indent=2");
        let answer = wide.send().await;
        assert_eq!(answer.body, "{\n  \"id\": 42,\n  \"groups\": [\n    1,\n    3,\n    7\n  ]\n}");
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    }
}

both! {
    async fn a_token_with_an_end_says_so(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(site.staff.id.try_into().unwrap());
        let hour = std::time::Duration::from_secs(3600);
        let issued = site.directory().issue_token(&operator(), &owner, "short", wardroom::directory::tokens::Expiry::After(hour)).await.unwrap();
        let key = issued.key.reveal();
        assert_eq!(site.me(key).send().await.header("x-token-expires-at"), Some("2025-09-01T13:00:00.000000Z"));
        site.clock.set(moment("2025-09-01T12:59:59.999999Z"));
        assert_eq!(site.me(key).send().await.status, 200);
        site.clock.set(moment("2025-09-01T13:00:00Z"));
        let ended = site.me(key).send().await;
        assert_eq!((ended.status, ended.body.as_str()), (401, r#"{"detail":"Invalid token."}"#));
    }
}

both! {
    async fn absolute_urls_follow_settings_host_and_trusted_proxies(backend: Backend) {
        let base = async |flags: Flags, dress: fn(Request) -> Request| {
            let site = Site::with(backend, flags).await;
            let answer = dress(site.get("/api/users/me?fields=avatar").token(&site.alex.key)).send().await;
            let url = answer.json()["avatar"].as_str().unwrap().to_owned();
            url.strip_suffix("media/avatars/alex_profile.jpg").unwrap().to_owned()
        };
        let hosts = || Flags::default().with("allowed_hosts", ".example.com");
        assert_eq!(base(hosts(), |r| r.host("WWW.Example.com:8080")).await, "http://WWW.Example.com:8080/");
        assert_eq!(base(hosts(), |r| r.host("a.example.com").header("X-Forwarded-Proto", "https")).await, "https://a.example.com/");
        assert_eq!(base(hosts(), |r| r.host("a.example.com").header("X-Forwarded-Proto", "HTTPS")).await, "http://a.example.com/");
        let untrusting = hosts().with("trusted_proxies", "");
        assert_eq!(base(untrusting, |r| r.host("a.example.com").header("X-Forwarded-Proto", "https")).await, "http://a.example.com/");
        let public = Flags::default().with("public_url", "https://accounts.example.org/");
        assert_eq!(base(public, |r| r.host("accounts.example.org")).await, "https://accounts.example.org/");

    }
}

both! {
    /// RFC 9457 for clients that request it by name; the framework's form for all others.
    async fn errors_are_problems_when_asked(backend: Backend) {
        let site = Site::start(backend).await;
        let send = |request: Request| request.header("Accept", "application/json, application/problem+json").send();
        let missing = send(site.get("/api/users/me")).await;
        assert_eq!(missing.to_string(), r#"401 [www-authenticate: Token] {"type":"about:blank","title":"Unauthorized","status":401,"code":"authentication_failed","detail":"Authentication credentials were not provided."}"#);
        assert_eq!(missing.header("content-type"), Some("application/problem+json"));
        let invalid = send(site.get("/api/users/me?fields=x").token(&site.alex.key)).await;
        assert_eq!(invalid.to_string(), r#"400 {"type":"about:blank","title":"Bad Request","status":400,"code":"invalid","errors":{"fields":["\"x\" is not a valid choice."]}}"#);
        let post = send(site.request("POST", "/api/users/me").token(&site.alex.key)).await;
        assert_eq!(post.json()["code"], "method_not_allowed");
        let fine = send(site.get("/api/users/me").token(&site.alex.key)).await;
        assert_eq!((fine.body.as_str(), fine.header("content-type")), (ALEX, Some("application/json")));
        let alone = site.get("/api/users/me").header("Accept", "application/problem+json").send().await;
        assert_eq!((alone.status, &alone.json()["code"]), (401, &serde_json::json!("authentication_failed")));
        let any = site.get("/api/users/me").header("Accept", "*/*").send().await;
        assert_eq!(any.header("content-type"), Some("application/json"));
    }
}
