//! Signing in to the admin site: sessions, cookies, and new proofs.

use wardroom::config::Flags;
use wardroom::directory::model::UserKey;
use wardroom::directory::password::Password;

use crate::blocked_writes::Holder;
use crate::support::browser::{ACCEPT, PASSWORD};
use crate::support::site::{moment, operator};
use crate::support::{Backend, Browser, Request, Site, both};

both! {
    /// The cookie is protected as browsers allow, each sign-in has a new key, and the page behind it is the one that was
    /// asked for.
    async fn a_good_sign_in_sets_a_protected_cookie(backend: Backend) {
        let site = Site::start(backend).await;
        let first = Browser::of(&site, &site.admin).await;
        let mut second = Browser::new(&site);
        let form = [("username", " admin "), ("password", PASSWORD), ("next", "/admin/users?is_staff=true")];
        let answer = second.post("/admin/sign-in", &form).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/users?is_staff=true")));
        let cookie = answer.header("set-cookie").unwrap();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with("__Host-wardroom=wrd_"), "{cookie}");
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_ne!(first.key(), second.key());
        assert_eq!(second.get("/admin/users").await.status, 200);
        let kinds = "SELECT kind || ' ' || amr || ' ' || made_by FROM tokens WHERE kind NOT IN ('api', 'imported')";
        assert_eq!(site.database.texts(kinds).await, ["browser pwd sign_in"; 2]);
        let third = Browser::of(&site, &site.admin).await;
        // A session that the browser had ends with the next sign-in.
        let mut again = Browser { cookie: third.cookie.clone(), ..Browser::new(&site) };
        assert_eq!(again.sign_in("admin", PASSWORD).await.status, 303);
        assert!(again.key() != third.key());
        let mut earlier = third;
        assert_eq!(earlier.get("/admin").await.status, 303);
    }
}

both! {
    /// Line 12: an unknown name, an inactive user, a user without a password and a wrong password get one page, after the same
    /// work.
    async fn a_failed_sign_in_reveals_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        for who in [&site.staff, &site.inactive] {
            let key = UserKey::Id(who.id.try_into().unwrap());
            site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
        }
        let mut pages = Vec::new();
        for (username, password) in
            [("staff", "wrong"), ("inactive", PASSWORD), ("plain", "!"), ("stuff", PASSWORD), ("STAFF", PASSWORD)]
        {
            let before = site.directory().counters().password_hashes.get();
            let answer = Browser::new(&site).sign_in(username, password).await;
            assert_eq!(site.directory().counters().password_hashes.get(), before + 1, "{username}");
            assert_eq!((answer.status, answer.header("set-cookie")), (400, None));
            assert!(answer.body.contains(&format!("value=\"{username}\"")), "what was typed stays");
            pages.push(answer.body.replace(&format!("value=\"{username}\""), ""));
        }
        assert!(pages.iter().all(|page| *page == pages[0] && !page.contains(PASSWORD)), "{pages:?}");
        assert!(pages[0].contains("do not fit together"));
        let events = "SELECT count(*) FROM audit_events WHERE action = 'sign_in.refused'";
        assert_eq!(site.database.number(events).await, 5);
        // The same limit as everywhere else: after five failures of one account the sixth waits.
        for _ in 0..4 {
            Browser::new(&site).sign_in("staff", "wrong").await;
        }
        let early = Browser::new(&site).sign_in("staff", PASSWORD).await;
        assert_eq!(early.status, 429, "{early}");
        assert!(early.header("retry-after").is_some() && early.body.contains("too many attempts"));
    }
}

both! {
    /// Line 1: a request without a session is led to the sign-in, and from there back to a page of the site only.
    async fn strangers_are_led_to_the_sign_in_and_back(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::new(&site);
        for (path, next) in [
            ("/admin", "%2Fadmin"),
            ("/admin/", "%2Fadmin"),
            ("/admin/users?search=a%26b", "%2Fadmin%2Fusers%3Fsearch%3Da%2526b"),
            ("/admin/users/1", "%2Fadmin%2Fusers%2F1"),
        ] {
            let answer = browser.get(path).await;
            let expected = format!("/admin/sign-in?next={next}");
            assert_eq!((answer.status, answer.header("location")), (303, Some(expected.as_str())), "{path}");
        }
        let key = UserKey::Id(site.admin.id.try_into().unwrap());
        site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
        for next in ["//evil.example", "/\\evil.example", "https://evil.example/admin", "/api/users", "/administrator"] {
            let form = [("username", "admin"), ("password", PASSWORD), ("next", next)];
            let answer = Browser::new(&site).post("/admin/sign-in", &form).await;
            assert_eq!(answer.header("location"), Some("/admin"), "{next}");
            let page = browser.get(&format!("/admin/sign-in?next={}", next.replace('/', "%2F"))).await;
            assert!(page.body.contains("name=\"next\" value=\"/admin\""), "{next}");
        }
        // Nothing but the sign-in works without a session, and it does not say what exists.
        for path in ["/admin/users/1/sign-out", "/admin/account/password", "/admin/confirm"] {
            let answer = browser.post(path, &[]).await;
            assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/sign-in?next=%2Fadmin")));
        }
    }
}

both! {
    /// d4: the cookie opens the site alone, and no other key opens the site.
    async fn a_session_and_a_key_do_not_replace_each_other(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        assert_eq!(browser.get("/admin").await.status, 200);
        let unknown = site.me("wrd_0000000000000000000000000000000000000").send().await.to_string();
        // The API never reads the cookie, and refuses the key of a session like an unknown one: on the express lane, behind it,
        // and for other routes.
        let with_cookie = site.get("/api/users/me").header("Cookie", &browser.cookie).send().await;
        assert_eq!(with_cookie.status, 401);
        for _ in 0..2 {
            assert_eq!(site.me(browser.key()).send().await.to_string(), unknown);
            assert_eq!(site.get("/api/users/groups").token(browser.key()).send().await.to_string(), unknown);
        }
        let asked = site.request("POST", "/api/auth/introspect").token(&site.admin.key);
        let body = format!("token={}", browser.key());
        let asked = asked.body("application/x-www-form-urlencoded", body).send().await;
        assert_eq!(asked.body, r#"{"active":false}"#);
        // It still opens the site.
        assert_eq!(browser.get("/admin").await.status, 200);
        for key in [&site.admin.key, "", "wrd_nonsense"] {
            let cookie = format!("__Host-wardroom={key}");
            assert_eq!((Browser { cookie, ..Browser::new(&site) }).get("/admin").await.status, 303, "{key}");
        }
        let header = site.get("/admin").header("Authorization", &format!("Token {}", site.admin.key));
        assert_eq!(header.header("Accept", ACCEPT).send().await.status, 303);
        // A session is neither renamed, extended nor rotated: only its owner's proof gives it a key.
        let id = site.database.number("SELECT id FROM tokens WHERE kind = 'browser'").await;
        for (method, path, body) in [("PATCH", "", r#"{"name": "x"}"#), ("POST", "/rotate", "{}")] {
            let request = site.request(method, &format!("/api/users/me/tokens/{id}{path}")).token(&site.admin.key);
            let answer = request.body("application/json", body).send().await;
            assert!(answer.status == 400 && answer.body.contains("can only be revoked"), "{answer}");
        }
    }
}

both! {
    /// Line 12: a session that was revoked, signed out, or whose owner lost the account is refused on the next request, on every
    /// replica.
    async fn a_session_ends_at_once_everywhere(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let opens = async |cookie: &str| {
            let mut statuses = Vec::new();
            for address in [site.address, replica] {
                let request = Request::new(address, "GET", "/admin").header("Cookie", cookie);
                statuses.push(request.header("Accept", ACCEPT).send().await.status);
            }
            statuses
        };
        let end = |sql: &'static str| {
            let database = &site.database;
            async move { database.sql(sql).await }
        };
        let mut browser = Browser::of(&site, &site.holder).await;
        let cookie = browser.cookie.clone();
        assert_eq!(opens(&cookie).await, [200, 200]);
        let out = browser.post("/admin/sign-out", &[]).await;
        assert_eq!(out.header("location"), Some("/admin/sign-in?done=signed-out"));
        assert_eq!(browser.cookie, "");
        assert_eq!(opens(&cookie).await, [303, 303]);
        // By another with the right, by the API's sign-out everywhere, by SQL.
        let browser = Browser::of(&site, &site.holder).await;
        let path = format!("/api/users/{}/sign-out", site.holder.id);
        let ended = site.request("POST", &path).token(&site.admin.key).send().await;
        assert!(ended.status < 300, "{ended}");
        assert_eq!(opens(&browser.cookie).await, [303, 303]);
        let browser = Browser::of(&site, &site.holder).await;
        assert_eq!(opens(&browser.cookie).await, [200, 200]);
        end("UPDATE users SET is_active = FALSE WHERE username = 'holder'").await;
        assert_eq!(opens(&browser.cookie).await, [303, 303]);
        end("UPDATE users SET is_active = TRUE WHERE username = 'holder'").await;
        assert_eq!(opens(&browser.cookie).await, [200, 200]);
        end("DELETE FROM user_permissions").await;
        assert_eq!(opens(&browser.cookie).await, [403, 403]);
    }
}

both! {
    /// An hour without use ends a session, 12 hours end it in any case; a use keeps it.
    async fn a_session_ends_when_it_is_not_used_and_after_its_lifetime(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for time in ["2025-09-01T12:50:00Z", "2025-09-01T13:40:00Z", "2025-09-01T14:42:00Z"] {
            site.clock.set(moment(time));
            assert_eq!(browser.get("/admin").await.status, 200, "{time}");
        }
        let cookie = browser.cookie.clone();
        site.clock.set(moment("2025-09-01T15:46:00Z"));
        let answer = browser.get("/admin").await;
        assert_eq!((answer.status, browser.cookie.as_str()), (303, ""), "the cookie is removed");
        site.directory().write_uses().await.unwrap();
        assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 1);
        browser.cookie = cookie;
        assert_eq!(browser.get("/admin").await.status, 303);
        let mut browser = Browser::of(&site, &site.admin).await;
        for hour in 16..=27 {
            site.clock.set(moment(&format!("2025-09-0{}T{:02}:40:00Z", 1 + hour / 24, hour % 24)));
            assert_eq!(browser.get("/admin").await.status, 200, "{hour}");
        }
        site.clock.set(moment("2025-09-02T03:46:00Z"));
        assert_eq!(browser.get("/admin").await.status, 303);
    }
}

both! {
    /// Guards against a sign-out that leaves the cookie in the browser because the session cannot be ended.
    async fn signing_out_without_a_database_removes_the_cookie(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let cookie = browser.cookie.clone();
        let holder = Holder::of_writers(&site.database).await;
        // A form of another site removes nothing.
        let foreign = browser.request("POST", "/admin/sign-out").header("Sec-Fetch-Site", "cross-site").send().await;
        assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None), "{foreign}");
        let left = browser.post("/admin/sign-out", &[]).await;
        assert_eq!(left.status, 503, "{left}");
        assert!(left.body.contains("signed out in this browser only") && left.body.contains("could not end it"), "{left}");
        assert!(left.body.contains("href=\"/admin/sign-in\"") && left.body.contains(left.header("x-request-id").unwrap()), "{left}");
        let removed = left.header("set-cookie").unwrap();
        assert_eq!(removed, "__Host-wardroom=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        assert_eq!(browser.cookie, "");
        holder.release().await;
        // No other form removes it.
        browser.cookie = cookie;
        site.database.make_unavailable().await;
        let away = browser.post("/admin/users/42/sign-out", &[]).await;
        assert!(away.header("set-cookie").is_none(), "{away}");
    }
}

both! {
    /// X6: what is dangerous needs a proof of the last ten minutes; a proof gives the session a new key and no longer life.
    async fn a_new_proof_gives_a_new_key(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let old = browser.cookie.clone();
        let ends = "SELECT CAST(max(expires_at) AS TEXT) FROM tokens WHERE kind = 'browser'";
        let end = site.database.text(ends).await;
        site.clock.set(moment("2025-09-01T12:30:00Z"));
        let wrong = browser.post("/admin/confirm", &[("password", "wrong"), ("next", "/admin/users")]).await;
        assert!(wrong.status == 400 && wrong.body.contains("not your password"), "{wrong}");
        assert_eq!(browser.cookie, old);
        let answer = browser.post("/admin/confirm", &[("password", PASSWORD), ("next", "/admin/users?x=1")]).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/users?x=1")));
        assert_ne!(browser.cookie, old);
        assert_eq!(site.database.text(ends).await, end);
        assert_eq!(browser.get("/admin").await.status, 200);
        assert_eq!((Browser { cookie: old, ..Browser::new(&site) }).get("/admin").await.status, 303);
        let actions = "SELECT action FROM audit_events WHERE action LIKE 'sign_in%' OR action LIKE '%refused' ORDER BY id";
        assert_eq!(site.database.texts(actions).await, ["sign_in", "user.set_password.refused", "sign_in.confirm"]);
        let next = browser.get("/admin/confirm?next=//evil.example").await;
        assert!(next.body.contains("name=\"next\" value=\"/admin\""));
    }
}

both! {
    /// Line 11: where browsers would send the cookie in clear text, no one signs in, unless the setting says so.
    async fn no_one_signs_in_over_plain_http_from_elsewhere(backend: Backend) {
        let flags = Flags::default().with("allowed_hosts", "accounts.example.com,localhost");
        let form = format!("username=admin&password={}", PASSWORD.replace(' ', "+"));
        let send = async |site: &Site, method: &str, path: &str, cookie: &str| {
            let request = site.request(method, path).host("accounts.example.com");
            let request = request.header("Origin", "http://accounts.example.com").header("Cookie", cookie);
            match method {
                "POST" => request.body("application/x-www-form-urlencoded", form.clone()).send().await,
                _ => request.send().await,
            }
        };
        let site = Site::with(backend, flags.clone()).await;
        let signed_in = Browser::of(&site, &site.admin).await;
        let refused = send(&site, "POST", "/admin/sign-in", "").await;
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{refused}");
        assert!(refused.body.contains("plain HTTP"));
        assert_eq!(send(&site, "GET", "/admin", &signed_in.cookie).await.status, 303);
        let site = Site::with(backend, flags.with("admin_insecure", "true")).await;
        drop(Browser::of(&site, &site.admin).await);
        let answer = send(&site, "POST", "/admin/sign-in", "").await;
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        assert!(cookie.starts_with("wardroom=wrd_") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(send(&site, "GET", "/admin", pair).await.status, 200);
    }
}
