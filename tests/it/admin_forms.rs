//! Forms of the admin site: where they may come from, and what they change.

use crate::support::browser::PASSWORD;
use crate::support::{Backend, Browser, Site, both};

const FORM: &str = "application/x-www-form-urlencoded";

both! {
    /// Line 10: a form without proof that a page of the site sent it changes nothing and is recorded.
    async fn forms_of_other_sites_are_refused(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let cookie = browser.cookie.clone();
        let rows: [(&[(&str, &str)], bool); 14] = [
            (&[("Sec-Fetch-Site", "same-origin")], true),
            (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost")], true),
            (&[("Origin", "http://localhost")], true),
            (&[], false),
            (&[("Sec-Fetch-Site", "same-site")], false),
            (&[("Sec-Fetch-Site", "cross-site")], false),
            (&[("Sec-Fetch-Site", "none")], false),
            // The header that says more wins.
            (&[("Sec-Fetch-Site", "same-site"), ("Origin", "http://localhost")], false),
            (&[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin")], false),
            (&[("Origin", "null")], false),
            (&[("Origin", "http://localhost:81")], false),
            (&[("Origin", "https://localhost")], false),
            (&[("Origin", "http://evil.example")], false),
            (&[("Origin", "http://localhost"), ("Origin", "http://localhost")], false),
        ];
        let mut refused = 0;
        for (headers, is_good) in rows {
            for cookie in [cookie.as_str(), ""] {
                let mut request = site.request("POST", "/admin/account/sign-out-others").header("Cookie", cookie);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let answer = request.body(FORM, "").send().await;
                let status = if is_good { 303 } else { 403 };
                assert_eq!(answer.status, status, "{headers:?} {answer}");
                refused += i64::from(!is_good);
            }
        }
        let events = "SELECT count(*) FROM audit_events WHERE action = 'request.refused'";
        let recorded = site.database.number(events).await;
        assert!(recorded > 0 && recorded <= refused, "{recorded}");
        let kinds = "SELECT DISTINCT actor_kind FROM audit_events WHERE action = 'request.refused' ORDER BY actor_kind";
        assert_eq!(site.database.texts(kinds).await, ["anonymous", "person"]);
        // A sign-in of another site is refused as well, which would make a person act as someone else.
        let form = format!("username=admin&password={}", PASSWORD.replace(' ', "+"));
        let request = site.request("POST", "/admin/sign-in").header("Sec-Fetch-Site", "cross-site");
        let answer = request.body(FORM, form).send().await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
        assert_eq!(browser.get("/admin").await.status, 200);
    }
}

both! {
    /// Own account: every change is a use case with the person as actor, and an error keeps what was typed.
    async fn people_change_their_own_account(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let other = Browser::of(&site, &site.holder).await;
        let profile = [("first_name", "شیرین"), ("last_name", "<b>R</b>"), ("email", "s@example.com"), ("mobile_number", ""), ("gender", "")];
        let saved = browser.post("/admin/account/profile", &profile).await;
        assert_eq!(saved.header("location"), Some("/admin/account?done=profile-saved"), "{saved}");
        let page = browser.get("/admin/account?done=profile-saved").await;
        assert!(page.body.contains("Your profile is saved.") && page.body.contains("value=\"شیرین\""));
        assert!(!page.body.contains("<b>R</b>"), "{page}");
        let wrong = [("first_name", "Ann"), ("email", "no address"), ("gender", "x")];
        let answer = browser.post("/admin/account/profile", &wrong).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("<title>Problem: ") && answer.body.contains("value=\"no address\""), "{answer}");
        assert!(answer.body.contains("id=\"f-email-err\"") && answer.body.contains("href=\"#f-email\""));
        let names = "SELECT first_name FROM users WHERE username = 'holder'";
        assert_eq!(site.database.text(names).await, "شیرین");
        let change = async |browser: &mut Browser<'_>, old: &str, new: &str, again: &str| {
            let form = [("old_password", old), ("new_password", new), ("new_password_again", again)];
            browser.post("/admin/account/password", &form).await
        };
        let new = "another unlikely phrase";
        assert!(change(&mut browser, PASSWORD, new, "x").await.body.contains("two new passwords differ"));
        assert!(change(&mut browser, "wrong", new, new).await.body.contains("id=\"p-old_password-err\""));
        assert_eq!(change(&mut browser, PASSWORD, new, new).await.status, 303);
        assert_eq!(browser.get("/admin").await.status, 200, "this session stays");
        assert_eq!((Browser { cookie: other.cookie, ..Browser::new(&site) }).get("/admin").await.status, 303);
    }
}

both! {
    /// Signing another person out asks first, and needs the right.
    async fn signing_out_a_user_asks_first(backend: Backend) {
        let site = Site::start(backend).await;
        let mut holder = Browser::of(&site, &site.holder).await;
        let path = format!("/admin/users/{}/sign-out", site.plain.id);
        let page = holder.get(&path).await;
        assert!(page.status == 200 && page.body.contains("everywhere?"), "{page}");
        assert_eq!(site.me(&site.plain.key).send().await.status, 403);
        let done = holder.post(&path, &[]).await;
        let expected = format!("/admin/users/{}?done=signed-out-everywhere", site.plain.id);
        assert_eq!(done.header("location"), Some(expected.as_str()));
        assert_eq!(site.me(&site.plain.key).send().await.status, 401);
        // An admin is beyond staff.
        let refused = holder.post(&format!("/admin/users/{}/sign-out", site.admin.id), &[]).await;
        assert_eq!(refused.status, 403, "{refused}");
        assert_eq!(site.me(&site.admin.key).send().await.status, 200);
    }
}

both! {
    /// The look of the site is remembered in the browser; a path of another site is not gone to.
    async fn the_look_is_remembered(backend: Backend) {
        let site = Site::start(backend).await;
        let send = async |form: &str, cookie: &str, referer: &str| {
            let request = site.request("POST", "/admin/look").header("Sec-Fetch-Site", "same-origin");
            request.header("Cookie", cookie).header("Referer", referer).body(FORM, form).send().await
        };
        let answer = send("theme=dark", "", "http://localhost/admin/sign-in").await;
        assert_eq!(answer.header("location"), Some("/admin/sign-in"));
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(cookie, "wardroom-look=dark.comfortable.on");
        let answer = send("density=compact", &cookie, "http://evil.example/admin/users").await;
        assert_eq!(answer.header("location"), Some("/admin"));
        assert!(answer.header("set-cookie").unwrap().starts_with("wardroom-look=dark.compact.on;"));
        let page = site.get("/admin/sign-in").header("Cookie", &cookie).send().await;
        assert!(page.body.contains("data-theme=\"dark\""));
        let page = site.get("/admin/sign-in").header("Cookie", "wardroom-look=\"><script>.x.y").send().await;
        assert!(page.body.contains("data-theme=\"auto\" data-density=\"comfortable\" data-keys=\"on\""));
        assert_eq!(send("theme=pink", "", "").await.status, 400);
    }
}
