//! Addresses, schemes and hosts in every form in which proxies, sockets and container networks write them.

use serde_json::{Value, json};
use wardroom::config::Flags;
use wardroom::directory::Clock;
use wardroom::directory::model::{Rate, Rates};

use crate::process::serve;
use crate::support::site::person;
use crate::support::{Answer, Backend, Database, Request, Site, both};

/// Forms of one address, and the form in which it is kept.
const FORMS: [(&str, &str); 12] = [
    ("198.51.100.1", "198.51.100.1"),
    ("198.51.100.2:51231", "198.51.100.2"),
    (" 198.51.100.3 , 10.0.0.1:80", "198.51.100.3"),
    ("\"198.51.100.4:51231\"", "198.51.100.4"),
    ("::ffff:198.51.100.5", "198.51.100.5"),
    ("[::ffff:198.51.100.6]:443, ::ffff:10.0.0.1", "198.51.100.6"),
    ("2001:db8:7:1::7", "2001:db8:7:1::7"),
    ("[2001:db8:7:2::7]:443", "2001:db8:7:2::7"),
    ("\"[2001:db8:7:3::7]\"", "2001:db8:7:3::7"),
    ("2001:DB8:7:4:0:0:0:7", "2001:db8:7:4::7"),
    ("[2001:db8:7:5::7%25eth0]:443", "2001:db8:7:5::7"),
    ("nonsense, 198.51.100.7:1,,", "198.51.100.7"),
];

async fn proxied(backend: Backend) -> Site {
    Site::with(backend, Flags::default().with("trusted_proxies", "127.0.0.1,::ffff:10.0.0.0/104")).await
}

async fn events(site: &Site, address: &str) -> Vec<Value> {
    let address = address.replace('[', "%5B").replace(']', "%5D");
    let path = format!("/api/users/audit?limit=999&action=sign_in.refused&address={address}");
    site.get(&path).token(&site.admin.key).send().await.json()["results"].as_array().unwrap().clone()
}

both! {
    /// The audit trail, its filter and the last use of a token know an address by one form.
    async fn a_client_has_one_address_whatever_the_proxy_writes(backend: Backend) {
        let site = proxied(backend).await;
        for (number, (written, kept)) in FORMS.into_iter().enumerate() {
            let body = json!({"username": format!("name{number}"), "password": "wrong"}).to_string();
            let sign_in = site.request("POST", "/api/users/auth/pwd/signin").header("X-Forwarded-For", written);
            assert_eq!(sign_in.body("application/json", body).send().await.status, 400, "{written}");
            let found = events(&site, kept).await;
            assert_eq!((found.len(), &found[0]["address"]), (1, &json!(kept)), "{written}");
            // The fast path and the ordinary path.
            for path in ["/api/users/me", "/api/users/me?x"] {
                site.get(path).token(&site.alex.key).header("X-Forwarded-For", written).send().await;
                site.directory().write_uses().await.unwrap();
                let used = "SELECT coalesce(last_used_from, '') FROM tokens WHERE user_id = 42";
                assert_eq!(site.database.texts(used).await, [kept], "{written}");
                site.database.sql("UPDATE tokens SET last_used_from = NULL, last_used_at = NULL, name = name || 'x' WHERE user_id = 42").await;
            }
        }
        // The filter takes every form, and finds what version 0.1 recorded in another one.
        for form in ["198.51.100.5", "::ffff:198.51.100.5", "::FFFF:198.51.100.5", "[::ffff:198.51.100.5]"] {
            assert_eq!(events(&site, form).await.len(), 1, "{form}");
        }
        // The trail is not verified here.
        site.database.sql("UPDATE audit_events SET address = '::ffff:198.51.100.5' WHERE address = '198.51.100.5'").await;
        for form in ["198.51.100.5", "::ffff:198.51.100.5"] {
            assert_eq!(events(&site, form).await.len(), 1, "{form}");
        }
        assert_eq!(events(&site, "nowhere").await.len(), 0);
    }
}

both! {
    /// Rate limits and the guard count all forms of an address as one client, and different clients apart.
    async fn a_client_has_one_limit_whatever_the_proxy_writes(backend: Backend) {
        let limit = Rate { requests: 3, window: std::time::Duration::from_secs(60) };
        let site = Site::with_directory(backend, |settings| {
            settings.rates = Rates { per_address: Some(limit), ..Rates::default() };
        }).await;
        let get = async |from: &str, path: &str| site.get(path).token(&"f".repeat(40)).header("X-Forwarded-For", from).send().await.status;
        let statuses = [
            get("192.0.2.1:1000", "/api/users/me").await, get("192.0.2.1:1001", "/api/users/me?x").await,
            get("::ffff:192.0.2.1", "/api/users/me").await, get("[::ffff:192.0.2.1]:7", "/api/users/me").await,
            get("192.0.2.1", "/api/users/me?x").await, get("192.0.2.2:1000", "/api/users/me").await,
        ];
        assert_eq!(statuses, [401, 401, 401, 429, 429, 401]);
    }
}

both! {
    /// A socket for IPv4 and IPv6 shows an IPv4 client in IPv6 notation. It is the same client.
    async fn a_client_of_a_socket_for_both_has_its_ipv4_address(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let ann = person(&directory, "ann", |draft| draft.is_staff = Some(true)).await;
        let mut command = crate::process::wardroom(&["serve", "--listen", "[::]:0", "--access-log", "all"]);
        command.args(database.args()).args(["--trusted-proxies", "::ffff:127.0.0.2"]);
        let mut process = crate::process::Process::start(command);
        let mut address = process.address("listening");
        address.set_ip("127.0.0.1".parse().unwrap());
        let request = || Request::new(address, "GET", "/api/users/me").token(&ann.key);
        assert_eq!(request().header("X-Forwarded-For", "192.0.2.1").send().await.status, 200);
        assert_eq!(process.record("answered")["client"], "127.0.0.1", "it is no trusted proxy");
    }
}

/// The start of a URL in an answer, by the fast path and by the ordinary path.
async fn bases(site: &Site, dress: impl Fn(Request) -> Request) -> Vec<String> {
    let mut bases = Vec::new();
    for path in ["/api/users/me", "/api/users/me", "/api/users/me?x"] {
        let answer: Answer = dress(site.get(path).token(&site.alex.key)).send().await;
        let json = answer.json();
        let url = json["avatar"].as_str().unwrap_or_else(|| panic!("{answer}"));
        bases.push(url.strip_suffix("/media/avatars/alex_profile.jpg").unwrap().to_owned());
    }
    bases.dedup();
    bases
}

both! {
    /// Guards against links with the wrong scheme behind two proxies. Django takes the leftmost of a list.
    async fn a_forwarded_scheme_counts_as_django_counts_it(backend: Backend) {
        let site = proxied(backend).await;
        for (sent, scheme) in [
            ("https", "https"), ("https, https", "https"), ("https,http", "https"), ("https ,http", "https"),
            ("http", "http"), ("http,https", "http"), ("", "http"), ("HTTPS", "http"), ("wss", "http"),
        ] {
            let bases = bases(&site, |request| request.header("X-Forwarded-Proto", sent)).await;
            assert_eq!(bases, [format!("{scheme}://localhost")], "{sent}");
        }
        for path in ["/api/users/me", "/api/users/me?x"] {
            let twice = site.get(path).token(&site.alex.key).header("X-Forwarded-Proto", "https");
            assert_eq!(twice.header("X-Forwarded-Proto", "http").send().await.status, 400, "{path}");
        }
    }
}

both! {
    /// Guards against a container network whose names are refused: they have underscores.
    async fn a_host_may_have_an_underscore(backend: Backend) {
        for (allowed, host, is_allowed) in [
            ("accounts_api", "accounts_api", true),
            ("accounts_api", "Accounts_API:8000", true),
            ("accounts_api", "accounts_web", false),
            (".my_net", "accounts_api.my_net:8000", true),
            ("*", "accounts_api:8000", true),
            ("*", "_", true),
            ("localhost", "accounts_api", false),
        ] {
            let site = Site::with(backend, Flags::default().with("allowed_hosts", allowed)).await;
            if is_allowed {
                assert_eq!(bases(&site, |request| request.host(host)).await, [format!("http://{host}")], "{allowed}");
            } else {
                let refused = site.me(&site.alex.key).host(host).send().await;
                assert_eq!(refused.to_string(), r#"400 {"detail":"The request's Host is not allowed."}"#, "{host}");
            }
        }
    }
}

both! {
    /// What a trusted proxy sends and cannot be read is logged, by the fast path and by the ordinary path. A stranger's
    /// headers are not read at all.
    async fn what_cannot_be_read_is_logged(backend: Backend) {
        let database = Database::new(backend).await;
        let directory = database.open(&Clock::system().unwrap()).await;
        let mut process = serve(&database, &["--trusted-proxies", "127.0.0.1,10.0.0.0/8"]);
        let address = process.address("listening");
        let long = "x".repeat(3000);
        for (way, path) in ["/api/users/me", "/api/users/me?x"].into_iter().enumerate() {
            for (case, (name, value, shown, proxy)) in [
                ("X-Forwarded-For", "192.0.2.1, unknown", "unknown", "127.0.0.1"),
                ("X-Forwarded-For", "_hidden, 10.0.0.1", "_hidden", "10.0.0.1"),
                ("X-Forwarded-For", long.as_str(), &long[..256], "127.0.0.1"),
                ("X-Forwarded-Proto", "wss, https", "wss, https", "127.0.0.1"),
            ].into_iter().enumerate() {
                // The fast path needs the address once a minute for each token.
                let ann = person(&directory, &format!("ann{way}{case}"), |draft| draft.is_staff = Some(true)).await;
                let answer = Request::new(address, "GET", path).token(&ann.key).header(name, value).send().await;
                assert_eq!(answer.status, 200);
                let line = process.record("cannot read a header of a trusted proxy");
                let found = ["header", "value", "proxy"].map(|field| line[field].as_str().unwrap());
                assert_eq!(found, [name, shown, proxy], "{line}");
                assert_eq!(line["level"], "WARN");
            }
        }
    }
}

both! {
    /// Guards against a proxy that sends no X-Forwarded-For, or one that cannot be read, and whose own address then opens the
    /// networks of tokens to everyone behind it.
    async fn what_a_proxy_does_not_say_is_in_no_network(backend: Backend) {
        for (proxies, sent, works) in [
            ("127.0.0.0/8", None, false),
            ("127.0.0.0/8", Some(""), false),
            ("127.0.0.0/8", Some(" , ,"), false),
            ("127.0.0.0/8", Some("unknown"), false),
            ("127.0.0.0/8", Some("192.0.2.7, unknown"), false),
            ("127.0.0.0/8", Some("192.0.2.7, \u{e9}"), false),
            ("127.0.0.0/8", Some("192.0.2.7:99999"), false),
            ("127.0.0.0/8", Some("127.0.0.9"), false),
            ("127.0.0.0/8,10.0.0.0/8", Some("10.0.0.9"), false),
            ("127.0.0.0/8,10.0.0.0/8", Some("192.0.2.7, 10.0.0.9"), true),
            ("127.0.0.0/8", Some("192.0.2.7"), true),
            ("", None, true),
            ("", Some("unknown"), true),
            ("10.0.0.0/8", Some("203.0.113.7"), true),
        ] {
            let site = Site::with(backend, Flags::default().with("trusted_proxies", proxies)).await;
            let get = async |method: &str, path: &str, key: &str, body: Option<(&str, &str)>| {
                let request = site.request(method, path).token(key);
                let request = sent.into_iter().fold(request, |request, sent| request.header("X-Forwarded-For", sent));
                let request = body.into_iter().fold(request, |request, (kind, body)| request.body(kind, body));
                request.send().await
            };
            site.database.sql(&format!(
                "UPDATE tokens SET allowed_networks = '127.0.0.0/8 10.0.0.0/8 192.0.2.0/24' WHERE user_id = {}", site.admin.id
            )).await;
            let form = ("application/x-www-form-urlencoded", "token=x");
            for (method, path, body) in [
                ("GET", "/api/users/me", None), ("GET", "/api/users/me", None), ("GET", "/api/users/me?x", None),
                ("GET", "/api/users", None), ("PATCH", "/api/users/me", Some(("application/json", "{}"))),
                ("GET", "/api/auth/forward/admin", None), ("GET", "/api/auth/forward/admin", None),
                ("GET", "/api/auth/forward/admin/x", None), ("POST", "/api/auth/introspect", Some(form)),
            ] {
                let status = get(method, path, &site.admin.key, body).await.status;
                assert_eq!(status, if works { 200 } else { 401 }, "{proxies} {sent:?} {method} {path}");
                // A token for any network needs no address.
                if !path.contains("admin") && path != "/api/auth/introspect" && path != "/api/users" {
                    assert_eq!(get(method, path, &site.staff.key, body).await.status, 200, "{sent:?} {path}");
                }
            }
        }
    }
}

both! {
    /// The limits still count what came through such a proxy: by its address.
    async fn what_a_proxy_does_not_say_is_still_counted(backend: Backend) {
        let limit = Rate { requests: 2, window: std::time::Duration::from_secs(60) };
        let site = Site::with_directory(backend, |settings| {
            settings.rates = Rates { per_address: Some(limit), ..Rates::default() };
        }).await;
        let mut statuses = Vec::new();
        for path in ["/api/users/me", "/api/users/me?x", "/api/users/me", "/api/users/me?x"] {
            statuses.push(site.get(path).token(&"f".repeat(40)).header("X-Forwarded-For", "unknown").send().await.status);
        }
        assert_eq!(statuses, [401, 401, 429, 429]);
    }
}
