//! A browser on the admin site: it keeps the cookie of its session, and sends what browsers send with forms.

use wardroom::directory::model::UserKey;
use wardroom::directory::password::Password;

use super::site::{Persona, operator};
use super::{Answer, Request, Site};

/// The password of everyone who signs in.
pub const PASSWORD: &str = "an unlikely pass phrase";
/// What a browser accepts.
pub const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A browser, signed in or not.
pub struct Browser<'a> {
    pub site: &'a Site,
    /// The value of the `Cookie` header.
    pub cookie: String,
}

impl<'a> Browser<'a> {
    pub fn new(site: &'a Site) -> Self {
        Self { site, cookie: String::new() }
    }

    /// A browser in which this person has just signed in.
    pub async fn of(site: &'a Site, who: &Persona) -> Self {
        let username = site.database.text(&format!("SELECT username FROM users WHERE id = {}", who.id)).await;
        let key = UserKey::Id(who.id.try_into().unwrap());
        site.directory().set_password(&operator(), &key, Password::new(PASSWORD.into())).await.unwrap();
        let mut browser = Self::new(site);
        let answer = browser.sign_in(&username, PASSWORD).await;
        assert_eq!(answer.status, 303, "{answer}");
        browser
    }

    pub async fn sign_in(&mut self, username: &str, password: &str) -> Answer {
        let form = [("username", username), ("password", password), ("next", "/admin")];
        self.post("/admin/sign-in", &form).await
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = self.site.request(method, path).header("Accept", ACCEPT);
        if self.cookie.is_empty() { request } else { request.header("Cookie", &self.cookie) }
    }

    /// Follows a link of a page of the site, or the redirect after a form.
    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.request("GET", path).header("Sec-Fetch-Site", "same-origin").send().await;
        self.keep(&answer);
        answer
    }

    /// Sends a form as a page of the site would.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.request("POST", path).header("Sec-Fetch-Site", "same-origin");
        let answer = request.body(FORM, serde_urlencoded::to_string(form).unwrap()).send().await;
        self.keep(&answer);
        answer
    }

    /// The key in the cookie.
    pub fn key(&self) -> &str {
        self.cookie.split_once('=').map_or("", |(_, key)| key)
    }

    fn keep(&mut self, answer: &Answer) {
        let set = answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value);
        for cookie in set.filter(|cookie| cookie.starts_with("__Host-wardroom=")) {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = if pair.ends_with('=') { String::new() } else { pair.to_owned() };
        }
    }
}
