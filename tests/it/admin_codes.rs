//! Signing in to the admin site with a one-time code.

use wardroom::directory::access::Who;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::{Actor, Denial, Error, Origin};

use crate::admin_pages::{check, hidden_fields};
use crate::support::browser::PASSWORD;
use crate::support::codes::{code, codes_site, deliver, other_than};
use crate::support::site::{Persona, operator};
use crate::support::{Answer, Backend, Browser, Site, both};

async fn give_number(site: &Site, who: &Persona, number: &str) {
    site.database.sql(&format!("UPDATE users SET mobile_number = '{number}' WHERE id = {}", who.id)).await;
}

/// Sends the form of a page with the code.
async fn give(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    let hidden = hidden_fields(page);
    let mut form: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.push(("code", code));
    browser.post("/admin/sign-in/code/check", &form).await
}

both! {
    /// From the sign-in to the page that was asked for, by way of two forms.
    async fn staff_sign_in_with_a_code(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        give_number(&site, &site.holder, "+49 711 1234567").await;
        let mut browser = Browser::new(&site);
        let sign_in = browser.get("/admin/sign-in?next=%2Fadmin%2Fusers").await;
        assert!(sign_in.body.contains("href=\"/admin/sign-in/code?next=%2Fadmin%2Fusers\""), "{sign_in}");
        let page = browser.get("/admin/sign-in/code?next=%2Fadmin%2Fusers").await;
        check("ask", &page);
        assert!(page.body.contains("Mobile number or e-mail address"), "{page}");
        let wrong = browser.post("/admin/sign-in/code", &[("contact", "711 x"), ("next", "/admin/users")]).await;
        assert_eq!(wrong.status, 400);
        check("wrong", &wrong);
        assert!(wrong.body.contains("value=\"711 x\"") && wrong.body.contains("id=\"contact-err\""), "{wrong}");
        let page = browser.post("/admin/sign-in/code", &[("contact", " +49 711 1234567 "), ("next", "/admin/users")]).await;
        assert_eq!(page.status, 200);
        check("check", &page);
        assert!(page.body.contains("autocomplete=\"one-time-code\"") && page.body.contains("valid for 5 minutes"), "{page}");
        let code = code(&site).await;
        let wrong = give(&mut browser, &page, &other_than(&code)).await;
        assert_eq!(wrong.status, 400);
        check("wrong code", &wrong);
        assert!(wrong.body.contains("This code is wrong") && !wrong.body.contains(&other_than(&code)), "{wrong}");
        let entered = give(&mut browser, &wrong, &code).await;
        assert_eq!((entered.status, entered.header("location")), (303, Some("/admin/users")), "{entered}");
        assert_eq!(browser.get("/admin/users").await.status, 200);
        let amr = "SELECT kind || ' ' || amr FROM tokens WHERE kind = 'browser'";
        assert_eq!(site.database.texts(amr).await, ["browser otp"]);
        // A code is worth one session.
        let mut other = Browser::new(&site);
        assert_eq!(give(&mut other, &page, &code).await.status, 400);
        assert_eq!(other.get("/admin/users").await.status, 303);
        let shown = browser.get("/admin/sign-in/code").await;
        assert_eq!(shown.status, 303, "who is signed in needs no code");
    }
}

both! {
    /// d3: a code is not the proof that something dangerous needs. The password is, also in the same session.
    async fn a_code_is_no_proof_for_what_is_dangerous(backend: Backend) {
        let site = codes_site(backend, |settings| settings.for_admins = true).await;
        give_number(&site, &site.admin, "+49 711 1234567").await;
        let key = UserKey::Id(site.admin.id.try_into().unwrap());
        site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
        let mut browser = Browser::new(&site);
        let page = browser.post("/admin/sign-in/code", &[("contact", "+497111234567"), ("next", "/admin")]).await;
        assert_eq!(give(&mut browser, &page, &code(&site).await).await.status, 303);
        let path = format!("/admin/users/{}/admin", site.plain.id);
        let asked = browser.get(&path).await;
        assert_eq!(asked.status, 303);
        assert!(asked.header("location").unwrap().starts_with("/admin/confirm?next="), "{asked}");
        let refused = browser.post(&path, &[]).await;
        assert!(refused.header("location").is_some_and(|to| to.starts_with("/admin/confirm")), "{refused}");
        // Not only the pages: the use case refuses as well.
        let identity = site.directory().authenticate_browser(browser.key(), None).await.unwrap();
        let actor = Actor { who: Who::Person(identity), origin: Origin::default() };
        let draft = UserDraft { is_admin: Some(true), ..UserDraft::default() };
        let plain = UserKey::Id(site.plain.id.try_into().unwrap());
        let refused = site.directory().update_user(&actor, &plain, &draft, None).await.unwrap_err();
        assert!(matches!(refused, Error::Denied(Denial::ProofTooOld)), "{refused}");
        let is_admin = format!("SELECT count(*) FROM users WHERE id = {} AND is_admin", site.plain.id);
        assert_eq!(site.database.number(&is_admin).await, 0);
        let confirmed = browser.post("/admin/confirm", &[("password", PASSWORD), ("next", &path)]).await;
        assert_eq!((confirmed.status, confirmed.header("location")), (303, Some(path.as_str())));
        assert_eq!(browser.get(&path).await.status, 200);
        let done = browser.post(&path, &[]).await;
        assert_eq!((done.status, site.database.number(&is_admin).await), (303, 1), "{done}");
    }
}

both! {
    /// Who may not use the site gets no session with a code; unknown numbers get the same pages.
    async fn others_do_not_sign_in_with_a_code(backend: Backend) {
        let site = codes_site(backend, |_| {}).await;
        give_number(&site, &site.plain, "+49 711 1111111").await;
        give_number(&site, &site.admin, "+49 711 2222222").await;
        let mut pages = Vec::new();
        for number in ["+497111111111", "+497112222222", "+497113333333"] {
            let mut browser = Browser::new(&site);
            let page = browser.post("/admin/sign-in/code", &[("contact", number), ("next", "/admin")]).await;
            let sent = deliver(site.directory()).await;
            let code = sent.first().and_then(|message| message.code.clone());
            let answer = give(&mut browser, &page, code.as_deref().unwrap_or("012345")).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (400, None), "{number}");
            let ticket = hidden_fields(&page).into_iter().find(|(name, _)| name == "ticket").unwrap().1;
            pages.push((page.body.replace(&ticket, ""), answer.body.replace(&ticket, "")));
        }
        assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
        let none = Browser::new(&site).post("/admin/sign-in/code/check", &[("code", "012345"), ("ticket", "0123")]).await;
        assert_eq!(none.status, 400);
        let none = Browser::new(&site).post("/admin/sign-in/code/check", &[("code", "012345"), ("ticket", "x")]).await;
        assert_eq!(none.status, 400);
    }
}
