//! The first visit of a new installation, and the site switched off.

use wardroom::config::Flags;

use crate::support::browser::{ACCEPT, PASSWORD};
use crate::support::{Backend, Browser, Database, Site, both};

both! {
    /// The link of the log creates the first admin, once; without it there is nothing.
    async fn the_link_creates_the_first_admin_once(backend: Backend) {
        let database = Database::new(backend).await;
        let clock = wardroom::directory::Clock::system().unwrap();
        let (app, address) = Site::serve_open(database.open(&clock).await).await;
        let code = app.directory().clock().token_key().unwrap();
        let get = async |query: &str| {
            crate::support::Request::new(address, "GET", &format!("/admin/set-up{query}")).send().await
        };
        let post = async |code: &str, username: &str, password: &str| {
            let form = [("code", code), ("username", username), ("password", password), ("password_again", password)];
            let request = crate::support::Request::new(address, "POST", "/admin/set-up");
            let request = request.header("Sec-Fetch-Site", "same-origin");
            request.body("application/x-www-form-urlencoded", serde_urlencoded::to_string(form).unwrap()).send().await
        };
        let link = format!("?code={}", code.reveal());
        assert_eq!(get(&link).await.status, 404, "the page is closed until serve opens it");
        app.open_set_up(code.clone());
        for wrong in ["", "?code=", "?code=wrd_wrong", "?code=x"] {
            assert_eq!(get(wrong).await.status, 404, "{wrong}");
        }
        assert_eq!(get(&link).await.status, 200);
        assert_eq!(post("wrd_wrong", "ann", PASSWORD).await.status, 404);
        let short = post(code.reveal(), "ann", "short").await;
        assert!(short.status == 400 && short.body.contains("id=\"password-err\""), "{short}");
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
        let made = post(code.reveal(), "ann", PASSWORD).await;
        assert_eq!((made.status, made.header("location")), (303, Some("/admin")), "{made}");
        let flags = "SELECT count(*) FROM users WHERE username = 'ann' AND is_admin AND is_staff AND is_active";
        assert_eq!(database.number(flags).await, 1);
        let cookie = made.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let home = crate::support::Request::new(address, "GET", "/admin").header("Cookie", &cookie).send().await;
        assert_eq!(home.status, 200);
        assert_eq!(get(&link).await.status, 404);
        assert_eq!(post(code.reveal(), "bob", PASSWORD).await.status, 404);
        assert_eq!(database.number("SELECT count(*) FROM users").await, 1);
    }
}

both! {
    /// Line 1: switched off, nothing of the site is reachable, and all answers are those of an unknown path.
    async fn a_site_that_is_off_does_not_exist(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("admin_site", "false")).await;
        let unknown = site.get("/nothing").header("Accept", ACCEPT).send().await.to_string();
        for path in ["/", "/admin", "/admin/sign-in", "/admin/users/1", "/admin/assets/wardroom.css", "/admin/nothing"] {
            assert_eq!(site.get(path).header("Accept", ACCEPT).send().await.to_string(), unknown, "{path}");
        }
        let form = site.request("POST", "/admin/sign-in").header("Sec-Fetch-Site", "same-origin");
        let form = form.body("application/x-www-form-urlencoded", "username=admin&password=x").send().await;
        assert_eq!(form.status, 404);
    }
}

both! {
    /// `GET /` leads a browser to the site; programs see what they saw.
    async fn the_root_leads_browsers_to_the_site(backend: Backend) {
        let on = Site::start(backend).await;
        let off = Site::with(backend, Flags::default().with("admin_site", "false")).await;
        let led = on.get("/").header("Accept", ACCEPT).send().await;
        assert_eq!((led.status, led.header("location")), (303, Some("/admin")));
        let roots = on.get("/api/").header("Accept", ACCEPT).send().await;
        assert!(roots.status == 200 && roots.body.contains("href=\"/api/docs\"") && roots.body.contains("/api/users/me"), "{roots}");
        crate::admin_pages::check("/api/", &roots);
        for (path, accept) in ["/", "/api/"].into_iter().flat_map(|path| ["application/json", "*/*", ""].map(|accept| (path, accept))) {
            let both = [&on, &off].map(|site| site.get(path).header("Accept", accept));
            let [on, off] = both;
            assert_eq!(on.send().await.to_string(), off.send().await.to_string(), "{path} {accept}");
        }
        let posted = on.request("POST", "/").header("Accept", ACCEPT).body("application/json", "{}").send().await;
        assert_eq!(posted.status, 404);
        assert_eq!(Browser::new(&on).get("/admin/sign-in").await.status, 200);
    }
}
