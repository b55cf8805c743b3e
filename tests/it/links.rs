//! Links that are mailed: invitations and forgotten passwords; and notices about changes of an account.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wardroom::config::Flags;
use wardroom::directory::access::Origin;
use wardroom::directory::authentication::{ForgottenLogin, LINK_PATH};
use wardroom::directory::model::{AttemptResult, Channel, MessageKind, NewMessage, UserDraft, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::secrets_key::SecretsKeys;
use wardroom::directory::tokens::Expiry;
use wardroom::directory::{Clock, Directory, MessageSettings, Settings};

use crate::cli::on;
use crate::support::browser::PASSWORD as OLD;
use crate::support::codes::with_codes;
use crate::support::site::{Persona, import, imported, moment, operator, person};
use crate::support::{Answer, Backend, Browser, Request, Site, both};

const BASE: &str = "https://accounts.example.com";
const NEW: &str = "a new and unlikely phrase";
const MAIL: &str = "ann@example.com";

/// Makes a server send mails, and links under [`BASE`].
pub fn with_mail(settings: &mut Settings) {
    let key = SecretsKeys::generate(&Clock::system().unwrap()).unwrap();
    settings.messages = MessageSettings {
        keys: Some(Arc::new(SecretsKeys::parse(&key).unwrap())),
        mail: true,
        most_waiting: 10_000,
        keep_outcomes_for: Duration::from_hours(24),
        ..MessageSettings::default()
    };
    settings.links.base = Some(BASE.to_owned());
}

/// Settings with which no operation is off.
pub fn with_all_operations(settings: &mut Settings) {
    with_mail(settings);
    with_codes(settings, |_| {});
}

async fn start(backend: Backend) -> Site {
    Site::with_directory(backend, with_mail).await
}

/// Sends the mails that wait, and returns them.
async fn mails(site: &Site) -> Vec<NewMessage> {
    let mut found = Vec::new();
    loop {
        let taken = site.directory().take_messages(16).await.unwrap();
        if taken.messages.is_empty() {
            return found;
        }
        for leased in taken.messages {
            site.directory().finish_message(&leased, AttemptResult::Sent).await.unwrap();
            found.push(leased.message);
        }
    }
}

async fn mail(site: &Site) -> NewMessage {
    let mut found = mails(site).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The key in the link of a mail.
fn key_in(mail: &NewMessage) -> String {
    let start = format!("{BASE}{LINK_PATH}");
    let key = mail.text.lines().find_map(|line| line.strip_prefix(&start));
    key.unwrap_or_else(|| panic!("no link in {}", mail.text)).to_owned()
}

/// A user with a password and an address.
async fn ann(site: &Site) -> Persona {
    let ann = person(site.directory(), "ann", |draft| {
        draft.email = Some(Some(MAIL.into()));
        draft.mobile_number = Some(Some("+49 711 1".into()));
    });
    let ann = ann.await;
    set_password(site, "ann", OLD).await;
    mails(site).await;
    ann
}

async fn set_password(site: &Site, name: &str, password: &str) {
    let key = UserKey::Name(name.into());
    site.directory().set_password(&operator(), &key, Password::new(password.into())).await.unwrap();
}

async fn post(site: &Site, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let request = site.request("POST", path);
    let request = if let Some(token) = token { request.token(token) } else { request };
    request.body("application/json", body.to_string()).send().await
}

async fn forgot(site: &Site, body: Value) -> Answer {
    post(site, "/api/users/auth/pwd/forgot", None, &body).await
}

async fn reset(site: &Site, key: &str, password: &str) -> Answer {
    post(site, "/api/users/auth/pwd/reset", None, &json!({"key": key, "password": password})).await
}

async fn signs_in(site: &Site, name: &str, password: &str) -> bool {
    let body = json!({"username": name, "password": password});
    post(site, "/api/users/auth/pwd/signin", None, &body).await.status == 200
}

/// Asks for a link for Ann and returns its key.
async fn link_of_ann(site: &Site) -> String {
    assert_eq!(forgot(site, json!({"username": "ann"})).await.status, 202);
    let mail = mail(site).await;
    assert_eq!((mail.to.as_str(), mail.kind), (MAIL, MessageKind::PasswordReset));
    key_in(&mail)
}

const DEAD: &str = r#"400 {"key":["Invalid or expired link."]}"#;

async fn state(site: &Site, user: &str) -> Value {
    let id = site.database.number(&format!("SELECT id FROM users WHERE username = '{user}'")).await;
    let answer = site.get(&format!("/api/users/{id}/invitation")).token(&site.admin.key).send().await;
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

/// Whether any row of any table has a text.
async fn stores(site: &Site, what: &str) -> bool {
    let tables = match site.backend() {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        }
        Backend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    for table in site.database.texts(tables).await {
        let columns = match site.backend() {
            Backend::Sqlite => {
                site.database.texts(&format!("SELECT name FROM pragma_table_info('{table}')")).await
            }
            Backend::Postgres => vec![format!("{table}::text")],
        };
        for column in columns {
            let found =
                format!("SELECT count(*) FROM \"{table}\" WHERE CAST({column} AS TEXT) LIKE '%{what}%'");
            if site.database.number(&found).await > 0 {
                return true;
            }
        }
    }
    false
}

async fn actions(site: &Site, like: &str) -> Vec<String> {
    site.database
        .texts(&format!("SELECT action FROM audit_events WHERE action LIKE '{like}' ORDER BY id"))
        .await
}

/// Invites a new user by the API, and returns the id.
async fn invite(site: &Site, name: &str) -> i64 {
    let body = json!({"username": name, "email": format!("{name}@example.com"), "invite": true});
    let made = post(site, "/api/users", Some(&site.admin.key), &body).await;
    assert_eq!(made.status, 201, "{made}");
    assert_eq!(made.json().get("invite"), None);
    made.json()["id"].as_i64().unwrap()
}

both! {
    /// A link opens a page, which changes nothing, however often a program opens it. Its form sets the password, once.
    async fn an_invited_user_chooses_a_password(backend: Backend) {
        let site = start(backend).await;
        invite(&site, "new").await;
        let mail = mail(&site).await;
        assert_eq!((mail.to.as_str(), mail.kind, mail.channel), ("new@example.com", MessageKind::Invitation, Channel::Mail));
        assert_eq!(mail.subject.as_deref(), Some("Your account at Wardroom"));
        assert!(mail.text.contains("Your username: new\n") && mail.text.contains("valid for 7 days"), "{}", mail.text);
        assert_eq!(mail.expires_at, moment("2025-09-08T12:00:00Z"));
        let expected = json!({"state": "pending", "sent_at": "2025-09-01T12:00:00.000000Z",
            "expires_at": "2025-09-08T12:00:00.000000Z", "sent_by": "admin"});
        assert_eq!(state(&site, "new").await, expected);
        let key = key_in(&mail);
        let path = format!("{LINK_PATH}{key}");
        let mut browser = Browser::new(&site);
        for method in ["GET", "HEAD", "GET"] {
            let page = browser.request(method, &path).send().await;
            assert_eq!(page.status, 200, "{page}");
            assert_eq!(page.header("referrer-policy"), Some("strict-origin"));
            assert_eq!(page.header("cache-control"), Some("no-store"));
            assert_eq!(page.header("set-cookie"), None);
            assert!(method == "HEAD" || page.body.contains("<bdi>new</bdi>"), "{page}");
        }
        assert_eq!(state(&site, "new").await, expected);
        // What is wrong stands beside its field, and uses nothing up.
        for (password, again, text) in [
            (NEW, "another one", "The two passwords differ."),
            ("short", "short", "at least 8 characters"),
            ("new", "new", "Ensure this field has at least"),
            ("", "", "may not be blank"),
        ] {
            let page = browser.post(&path, &[("password", password), ("password_again", again)]).await;
            assert!(page.status == 400 && page.body.contains(text) && page.body.contains("aria-invalid"), "{page}");
        }
        let done = browser.post(&path, &[("password", NEW), ("password_again", NEW)]).await;
        assert_eq!((done.status, done.header("location")), (303, Some("/admin/sign-in?done=password-chosen")), "{done}");
        assert_eq!(browser.cookie, "", "it signs no one in");
        let next = browser.get("/admin/sign-in?done=password-chosen").await;
        assert!(next.body.contains("Your password is set"), "{next}");
        assert!(signs_in(&site, "new", NEW).await);
        assert_eq!(state(&site, "new").await["state"], "used");
        let again = browser.post(&path, &[("password", OLD), ("password_again", OLD)]).await;
        assert!(again.status == 404 && again.body.contains("used already"), "{again}");
        assert_eq!(browser.get(&path).await.status, 404);
        assert_eq!(reset(&site, &key, OLD).await.to_string(), DEAD);
        // Who was invited is sent no notice of it.
        assert_eq!(mails(&site).await.len(), 0);
        assert_eq!(actions(&site, "invitation%").await, ["invitation.send"]);
    }
}

both! {
    /// Every misuse has an error of its own, and changes nothing.
    async fn misuses_of_invitations_are_named(backend: Backend) {
        let site = start(backend).await;
        let ann = ann(&site).await;
        let before = site.database.number("SELECT count(*) FROM users").await;
        let key = Some(site.admin.key.as_str());
        for (body, expected) in [
            (json!({"username": "x", "invite": true}), r#"{"email":["An invitation needs an e-mail address."]}"#),
            (
                json!({"username": "x", "invite": true, "email": "x@example.com", "password": NEW}),
                r#"{"password":["An invited user chooses the password: leave it out, or do not invite."]}"#,
            ),
            (
                json!({"username": "x", "invite": true, "email": "x@example.com", "is_active": false}),
                r#"{"is_active":["An invitation needs an active user."]}"#,
            ),
            (json!({"username": "x", "invite": "perhaps", "email": "x@example.com"}), r#"{"invite":["Must be a valid boolean."]}"#),
            (json!({"username": "x", "invite": true, "email": MAIL}), r#"{"email":["user with this email already exists."]}"#),
        ] {
            let answer = post(&site, "/api/users", key, &body).await;
            assert_eq!(answer.to_string(), format!("400 {expected}"), "{body}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM users").await, before);
        let send = async |method: &str, id: i64, token: &str| {
            let request = site.request(method, &format!("/api/users/{id}/invitation")).token(token);
            request.send().await.to_string()
        };
        let has_password = r#"400 {"non_field_errors":["This user has a password. An invitation is for users without one."]}"#;
        assert_eq!(send("POST", ann.id, &site.admin.key).await, has_password);
        assert_eq!(send("POST", site.plain.id, &site.admin.key).await, r#"400 {"email":["An invitation needs an e-mail address."]}"#);
        assert_eq!(send("DELETE", ann.id, &site.admin.key).await, r#"404 {"detail":"Not found."}"#);
        assert_eq!(send("POST", 987_654, &site.admin.key).await, r#"404 {"detail":"Not found."}"#);
        // No one invites themselves: a token would become a password.
        site.database.sql(&format!("UPDATE users SET email = 'h@example.com' WHERE id = {}", site.holder.id)).await;
        assert!(send("POST", site.holder.id, &site.holder.key).await.starts_with("403 "));
        // Staff invite no admin, and no one with more rights.
        site.database.sql(&format!("UPDATE users SET email = 'a@example.com' WHERE id = {}", site.admin.id)).await;
        assert!(send("POST", site.admin.id, &site.holder.key).await.starts_with("403 "));
        assert!(send("POST", site.admin.id, &site.staff.key).await.starts_with("403 "));
        assert_eq!(mails(&site).await.len(), 0);
        assert_eq!(actions(&site, "invitation%").await, [""; 0]);
        // Without mail, or without a URL of its own, a server invites no one and says so.
        let off = Site::start(backend).await;
        let body = json!({"username": "x", "invite": true, "email": "x@example.com"});
        let answer = post(&off, "/api/users", Some(&off.admin.key), &body).await;
        assert_eq!(answer.to_string(), r#"400 {"invite":["No one can be invited: this server sends no mail."]}"#);
        let without_url = |settings: &mut Settings| {
            with_mail(settings);
            settings.links.base = None;
        };
        let off = Site::with_directory(backend, without_url).await;
        let answer = post(&off, "/api/users", Some(&off.admin.key), &body).await;
        assert_eq!(answer.to_string(), r#"400 {"invite":["No one can be invited: public_url is not set, or the admin site is off."]}"#);
    }
}

both! {
    /// A second invitation ends the first, a revoked one is dead, and so is one whose time is over.
    async fn an_invitation_is_sent_again_revoked_and_expires(backend: Backend) {
        let site = start(backend).await;
        let id = invite(&site, "new").await;
        let first = key_in(&mail(&site).await);
        let path = format!("/api/users/{id}/invitation");
        let again = post(&site, &path, Some(&site.holder.key), &json!({})).await;
        assert_eq!((again.status, again.json()["sent_by"].as_str()), (201, Some("holder")), "{again}");
        let second = key_in(&mail(&site).await);
        assert_eq!(reset(&site, &first, NEW).await.to_string(), DEAD);
        let page = Browser::new(&site).get(&format!("{LINK_PATH}{first}")).await;
        assert!(page.status == 404 && page.body.contains("there is a newer one"), "{page}");
        let revoke = async || site.request("DELETE", &path).token(&site.holder.key).send().await.status;
        assert_eq!((revoke().await, revoke().await), (204, 404));
        assert_eq!(state(&site, "new").await["state"], "ended");
        assert_eq!(reset(&site, &second, NEW).await.to_string(), DEAD);
        // A mail that was not sent yet is withdrawn.
        post(&site, &path, Some(&site.admin.key), &json!({})).await;
        assert_eq!(revoke().await, 204);
        assert_eq!(mails(&site).await.len(), 0);
        post(&site, &path, Some(&site.admin.key), &json!({})).await;
        let third = key_in(&mail(&site).await);
        site.clock.set(moment("2025-09-08T12:00:00Z"));
        assert_eq!(state(&site, "new").await["state"], "expired");
        assert_eq!(reset(&site, &third, NEW).await.to_string(), DEAD);
        let page = Browser::new(&site).get(&format!("{LINK_PATH}{third}")).await;
        assert!(page.status == 404 && page.body.contains("Its time is over."), "{page}");
        assert_eq!(revoke().await, 404);
        let kinds = ["invitation.send", "invitation.send", "invitation.revoke", "invitation.send", "invitation.revoke", "invitation.send"];
        assert_eq!(actions(&site, "invitation%").await, kinds);
    }
}

both! {
    /// The new password ends sessions and sign-in tokens, leaves tokens with a name, and forgets failed attempts.
    async fn a_forgotten_password_is_replaced(backend: Backend) {
        let site = start(backend).await;
        let ann = ann(&site).await;
        let sign_in = json!({"username": "ann", "password": OLD});
        let signed_in = post(&site, "/api/users/auth/pwd/signin", None, &sign_in).await;
        let session = signed_in.json()["token"].as_str().unwrap().to_owned();
        let mut browser = Browser::new(&site);
        browser.sign_in("ann", OLD).await;
        let opens = async |key: &str| site.me(key).send().await.status;
        assert_eq!((opens(&session).await, opens(&ann.key).await), (403, 403));
        for _ in 0..7 {
            assert!(!signs_in(&site, "ann", "wrong").await);
        }
        assert!(!signs_in(&site, "ann", OLD).await, "the account waits");
        let key = link_of_ann(&site).await;
        assert_eq!(reset(&site, &key, NEW).await.status, 204);
        assert_eq!((opens(&session).await, opens(&ann.key).await), (401, 403));
        assert_eq!(browser.request("GET", "/admin").send().await.status, 303);
        assert!(signs_in(&site, "ann", NEW).await);
        assert!(!signs_in(&site, "ann", OLD).await);
        let notice = mail(&site).await;
        assert_eq!((notice.kind, notice.to.as_str()), (MessageKind::Notice, MAIL));
        assert_eq!(notice.subject.as_deref(), Some("Your password for Wardroom was changed"));
        assert!(notice.text.contains("Time: 2025-09-01 12:00 UTC"), "{}", notice.text);
        let event = site.database.text("SELECT changes FROM audit_events WHERE action = 'user.set_password' ORDER BY id DESC LIMIT 1");
        assert_eq!(event.await, r#"{"link":"password_reset","ended":2}"#);
        // The name of the account, its address in another case, and either on the page.
        for body in [json!({"email": "ANN@example.com"}), json!({"username": "Ann"})] {
            assert_eq!(forgot(&site, body).await.status, 202);
            assert_eq!(mail(&site).await.to, MAIL);
        }
        let page = Browser::new(&site).get("/admin/sign-in").await;
        assert!(page.body.contains("href=\"/admin/forgot\""), "{page}");
        let mut browser = Browser::new(&site);
        assert_eq!(browser.get("/admin/forgot").await.status, 200);
        for typed in [MAIL, " ann "] {
            let sent = browser.post("/admin/forgot", &[("account", typed)]).await;
            assert_eq!((sent.status, sent.header("location")), (303, Some("/admin/sign-in?done=link-asked")), "{sent}");
            assert_eq!(mail(&site).await.to, MAIL);
        }
        let empty = browser.post("/admin/forgot", &[("account", " ")]).await;
        assert!(empty.status == 400 && empty.body.contains("aria-invalid"), "{empty}");
    }
}

both! {
    /// Whoever changes what a link relies on ends it: with the API, the command line, or SQL of their own. It does not come back.
    async fn a_link_ends_with_what_it_relies_on(backend: Backend) {
        let site = start(backend).await;
        let ann = ann(&site).await;
        let change = async |body: Value| {
            let request = site.request("PATCH", &format!("/api/users/{}", ann.id)).token(&site.admin.key);
            let answer = request.body("application/json", body.to_string()).send().await;
            assert_eq!(answer.status, 200, "{answer}");
        };
        // Not by what has nothing to do with it.
        let key = link_of_ann(&site).await;
        change(json!({"first_name": "Ann", "mobile_number": "+49 711 2"})).await;
        mails(&site).await;
        assert_eq!(reset(&site, &key, NEW).await.status, 204);
        for (number, how) in ["password", "own", "active", "sql", "cli", "newer", "deleted", "mail"].into_iter().enumerate() {
            site.database.sql("DELETE FROM attempts; DELETE FROM mail_changes").await;
            set_password(&site, "ann", OLD).await;
            mails(&site).await;
            let key = link_of_ann(&site).await;
            match how {
                "password" => change(json!({"password": NEW})).await,
                "own" => {
                    let body = json!({"old_password": OLD, "new_password": format!("{NEW} {number}")});
                    assert_eq!(post(&site, "/api/users/me/password", Some(&ann.key), &body).await.status, 204);
                }
                "active" => {
                    change(json!({"is_active": false})).await;
                    change(json!({"is_active": true})).await;
                }
                "sql" => site.database.sql("UPDATE users SET password = '!' WHERE username = 'ann'").await,
                "cli" => {
                    let ran = on(&site.database, &["user", "set-password", "ann", "--password-stdin", "--keep-signed-in"], &format!("{NEW} again and again\n"));
                    assert_eq!(ran.code, 0, "{}", ran.err);
                }
                "newer" => drop(link_of_ann(&site).await),
                "deleted" => {
                    site.directory().delete_user(&operator(), &UserKey::Name("ann".into())).await.unwrap();
                    site.directory().restore_user(&operator(), ann.id.try_into().unwrap()).await.unwrap();
                    assert_eq!(reset(&site, &key, NEW).await.to_string(), DEAD, "{how}");
                    let (actor, user) = (operator(), UserKey::Name("ann".into()));
                    site.directory().issue_token(&actor, &user, "again", Expiry::Never).await.unwrap();
                }
                _ => {
                    change(json!({"email": "other@example.com"})).await;
                    change(json!({"email": MAIL})).await;
                }
            }
            assert_eq!(reset(&site, &key, NEW).await.to_string(), DEAD, "{how}");
            mails(&site).await;
        }
    }
}

both! {
    /// Two servers get the same key at once: one of them sets the password.
    async fn a_link_works_once_on_all_replicas_together(backend: Backend) {
        let site = start(backend).await;
        let replica = site.replica().await;
        ann(&site).await;
        for round in 0..5 {
            site.database.sql("DELETE FROM attempts").await;
            let key = link_of_ann(&site).await;
            let send = |address, password: String| {
                let body = json!({"key": key, "password": password}).to_string();
                let request = Request::new(address, "POST", "/api/users/auth/pwd/reset");
                async move { request.body("application/json", body).send().await.status }
            };
            let passwords = [0, 1].map(|number| format!("{NEW} {round} {number}"));
            let (first, second) =
                tokio::join!(send(site.address, passwords[0].clone()), send(replica, passwords[1].clone()));
            let mut statuses = [first, second];
            let winner = usize::from(second == 204);
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 400]);
            assert!(signs_in(&site, "ann", &passwords[winner]).await);
            assert!(!signs_in(&site, "ann", &passwords[1 - winner]).await);
            mails(&site).await;
        }
    }
}

both! {
    /// Who asks for a link learns nothing: status, body, headers and the work of the database are the same for every account.
    async fn asking_for_a_link_reveals_nothing(backend: Backend) {
        let site = start(backend).await;
        ann(&site).await;
        let with = async |name: &str, email: Option<&str>, active: bool, password: bool| {
            person(site.directory(), name, |draft| {
                draft.email = Some(email.map(str::to_owned));
                draft.is_active = Some(active);
            })
            .await;
            if password {
                set_password(&site, name, OLD).await;
            }
        };
        with("no-mail", None, true, true).await;
        with("asleep", Some("asleep@example.com"), false, true).await;
        with("tokens-only", Some("tokens@example.com"), true, false).await;
        with("limited", Some("limited@example.com"), true, true).await;
        for _ in 0..5 {
            forgot(&site, json!({"username": "limited"})).await;
        }
        site.database.sql("UPDATE users SET email = 'other@example.com', updated_at = 1756728000000000 WHERE username = 'holder'").await;
        set_password(&site, "holder", OLD).await;
        mails(&site).await;
        let mut seen = Vec::new();
        for (body, gets_one) in [
            (json!({"username": "ann"}), true),
            (json!({"email": MAIL}), true),
            (json!({"username": "no one has this"}), false),
            (json!({"email": "no-one@example.com"}), false),
            (json!({"email": "no address at all"}), false),
            (json!({"username": "no-mail"}), false),
            (json!({"username": "asleep"}), false),
            (json!({"username": "tokens-only"}), false),
            (json!({"username": "limited"}), false),
            (json!({"username": "holder"}), false),
        ] {
            let counters = || {
                let counters = site.directory().counters();
                (counters.reads.get(), counters.writes.get(), counters.password_hashes.get())
            };
            let events = || site.database.number("SELECT count(*) FROM audit_events");
            let (before, events_before) = (counters(), events().await);
            let mut answer = forgot(&site, body.clone()).await;
            let after = counters();
            answer.headers.retain(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
            let work = (after.0 - before.0, after.1 - before.1, after.2 - before.2, events().await - events_before);
            assert_eq!(mails(&site).await.len(), usize::from(gets_one), "{body}");
            seen.push((answer.status, answer.headers.clone(), answer.body.clone(), work));
            assert_eq!(seen.first(), seen.last(), "{body}");
        }
        assert_eq!((seen[0].0, seen[0].2.as_str(), seen[0].3), (202, "", (0, 1, 0, 1)));
        // What is not meant to last is gone, and an unknown name is recorded nowhere.
        assert_eq!(site.database.number("SELECT count(*) FROM deliveries WHERE user_id IS NULL OR target LIKE '%invalid'").await, 0);
        assert_eq!(site.database.number("SELECT count(*) FROM links WHERE kind = 'password_reset'").await, 2);
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events WHERE changes LIKE '%no one has this%' OR object_name LIKE '%no one%'").await, 0);
        let why = site.database.texts("SELECT changes FROM audit_events WHERE action = 'password_reset.refused' ORDER BY id").await;
        for text in ["too new", "not active", "has no password", "no e-mail address", "too many requests", "no user has"] {
            assert!(why.iter().any(|changes| changes.contains(text)), "{text}: {why:?}");
        }
        for (body, expected) in [
            (json!({}), r#"{"email":["This field is required."]}"#),
            (json!({"email": " "}), r#"{"email":["This field may not be blank."]}"#),
            (json!({"username": "x\u{0}"}), r#"{"username":["Null characters are not allowed."]}"#),
            (json!({"username": "x".repeat(151)}), r#"{"username":["Ensure this field has no more than 150 characters."]}"#),
            (
                json!({"username": "ann", "email": MAIL}),
                r#"{"non_field_errors":["Name the account by its email or by its username, not by both."]}"#,
            ),
        ] {
            assert_eq!(forgot(&site, body).await.to_string(), format!("400 {expected}"));
        }
    }
}

both! {
    /// Links are limited for an account, however it is named, and for a client, across restarts. Strangers do not use up the links
    /// of a user who comes from a known network.
    async fn links_are_limited_across_restarts(backend: Backend) {
        let site = start(backend).await;
        ann(&site).await;
        let mut settings = site.database.settings();
        with_mail(&mut settings);
        settings.links.resets_per_client = 8;
        let from = |address: &str| Origin { address: Some(address.to_owned()), ..Origin::default() };
        let ask = async |directory: &Directory, address: &str, account: ForgottenLogin| {
            directory.request_password_reset(&from(address), &account).await.unwrap();
        };
        let sent = async || site.database.number("SELECT count(*) FROM audit_events WHERE action = 'password_reset.request'").await;
        let by_name = || ForgottenLogin::Username("ann".into());
        for round in 0..4_u8 {
            // Each round is a new process; the counts are the database's.
            let directory = Directory::open(&settings, site.clock.clone()).await.unwrap();
            let accounts = [by_name(), ForgottenLogin::Email("Ann@Example.com".into()), ForgottenLogin::Either("ANN".into())];
            for account in accounts {
                ask(&directory, &format!("192.0.2.{round}"), account).await;
            }
        }
        assert_eq!(sent().await, 5);
        // The network that Ann has signed in from has a count of its own.
        let directory = Directory::open(&settings, site.clock.clone()).await.unwrap();
        directory.sign_in(&from("198.51.100.7"), "ann", Password::new(OLD.into())).await.unwrap();
        for _ in 0..6 {
            ask(&directory, "198.51.100.7", by_name()).await;
        }
        assert_eq!(sent().await, 10);
        // One client gets eight for all accounts together.
        for number in 0..10 {
            let name = format!("many{number}");
            person(site.directory(), &name, |draft| draft.email = Some(Some(format!("{name}@example.com")))).await;
            set_password(&site, &name, OLD).await;
            ask(&directory, "203.0.113.9", ForgottenLogin::Username(name)).await;
        }
        assert_eq!(sent().await, 18);
        site.clock.set(moment("2025-09-01T13:00:01Z"));
        ask(&directory, "192.0.2.1", by_name()).await;
        assert_eq!(sent().await, 19);
        // A clock that was set back makes no one wait for long.
        site.clock.set(moment("2024-09-01T13:00:01Z"));
        ask(&directory, "192.0.2.1", by_name()).await;
        assert_eq!(sent().await, 20);
    }
}

both! {
    /// Who can change an address, as with a stolen token, gets no password by it: the link goes to an address of yesterday.
    async fn a_new_address_gets_no_link(backend: Backend) {
        let site = start(backend).await;
        let ann = ann(&site).await;
        let body = json!({"email": "thief@example.net"});
        let request = site.request("PATCH", &format!("/api/users/{}", ann.id)).token(&site.admin.key);
        assert_eq!(request.body("application/json", body.to_string()).send().await.status, 200);
        let notice = mail(&site).await;
        assert_eq!(notice.to, MAIL, "the old address learns of it");
        assert!(!notice.text.contains("thief"), "{}", notice.text);
        for (time, mails_sent) in [("2025-09-01T12:00:00Z", 0), ("2025-09-02T11:59:59Z", 0), ("2025-09-02T12:00:00Z", 1)] {
            site.clock.set(moment(time));
            forgot(&site, json!({"username": "ann"})).await;
            assert_eq!(mails(&site).await.len(), mails_sent, "{time}");
        }
    }
}

both! {
    /// A link has the host of `public_url`, whatever a request says, and no text of an account adds a line or a header.
    async fn requests_and_accounts_write_nothing_into_mails(backend: Backend) {
        let flags = Flags::default().with("allowed_hosts", "localhost,evil.example").with("trusted_proxies", "127.0.0.1");
        let site = Site::with_settings(backend, flags, with_mail).await;
        ann(&site).await;
        let odd = |id, name: &str, email: &str| {
            let mut user = imported(id, name);
            user.email = Some(email.to_owned());
            user
        };
        let text = "0123456789012345678901234567890123456789";
        import(site.directory(), vec![
            (odd(700, "two\r\nBcc: thief@example.net", "odd@example.com"), text),
            (odd(701, "bcc", "bcc@example.com\r\nBcc: thief@example.net"), &text.replace('0', "a")),
            (odd(702, "list", "list@example.com, thief@example.net"), &text.replace('0', "b")),
        ])
        .await;
        site.database.sql("UPDATE users SET password = 'argon2$x' WHERE id >= 700 AND id < 703").await;
        let request = site.request("POST", "/api/users/auth/pwd/forgot").host("evil.example");
        let request = request.header("X-Forwarded-Host", "evil.example").header("X-Forwarded-Proto", "http");
        let request = request.header("Forwarded", "host=evil.example");
        let answer = request.body("application/json", json!({"username": "ann"}).to_string()).send().await;
        assert_eq!(answer.status, 202);
        let sent = mail(&site).await;
        key_in(&sent);
        assert!(!sent.text.contains("evil") && sent.text.matches("://").count() == 1, "{}", sent.text);
        let account = ForgottenLogin::Email("odd@example.com".into());
        site.directory().request_password_reset(&Origin::default(), &account).await.unwrap();
        let sent = mail(&site).await;
        assert_eq!(sent.to, "odd@example.com");
        assert!(sent.text.contains("Your username: two  Bcc: thief@example.net\n"), "{}", sent.text);
        assert!(!sent.text.contains('\r') && !sent.subject.unwrap().contains(['\r', '\n']));
        for name in ["bcc", "list"] {
            let account = ForgottenLogin::Username(name.into());
            site.directory().request_password_reset(&Origin::default(), &account).await.unwrap();
        }
        assert_eq!(mails(&site).await.len(), 0, "what is no address gets no mail");
    }
}

both! {
    /// The key of a link is in one mail. No table has it, no metric, no event, and no form of another site puts it there.
    async fn the_key_is_in_the_mail_alone(backend: Backend) {
        let site = start(backend).await;
        ann(&site).await;
        let key = link_of_ann(&site).await;
        let path = format!("{LINK_PATH}{key}");
        let spellings = [path.clone(), format!("{path}/"), path.replace("password", "%70assword"), format!("{path}%00"), format!("/admin//password/{key}")];
        for spelling in &spellings {
            for (site_of, status) in [("cross-site", [403, 404]), ("same-origin", [400, 404])] {
                let request = site.request("POST", spelling).header("Sec-Fetch-Site", site_of);
                let request = request.body("application/x-www-form-urlencoded", "password=a&password_again=b");
                let answer = request.send().await;
                assert!(status.contains(&answer.status), "{spelling} {answer}");
                assert_eq!(answer.header("location"), None);
            }
            site.get(spelling).header("Accept", "text/html").send().await;
            site.request("PUT", spelling).send().await;
        }
        reset(&site, &key, "short").await;
        let has = async |what: &str| {
            let metrics = site.get("/metrics").send().await.body;
            metrics.contains(what) || stores(&site, what).await
        };
        assert!(!has(&key).await, "the key is somewhere");
        let refused = site.database.texts("SELECT changes FROM audit_events WHERE action = 'request.refused'").await;
        assert!(refused.iter().any(|changes| changes.contains("/admin/password/[key]")), "{refused:?}");
        // The search does find what is there.
        assert!(stores(&site, "n***").await || stores(&site, "a***@example.com").await);
        assert_eq!(reset(&site, &key, NEW).await.status, 204);
        assert!(!has(&key).await);
    }
}

both! {
    /// The address that was there before gets a mail about each change, whoever made it. It has no value but the username.
    async fn the_old_address_is_sent_notices(backend: Backend) {
        let site = start(backend).await;
        let ann = ann(&site).await;
        let change = async |path: &str, token: &str, body: Value| {
            let request = site.request("PATCH", path).token(token);
            let answer = request.body("application/json", body.to_string()).send().await;
            assert_eq!(answer.status, 200, "{answer}");
            mails(&site).await.into_iter().map(|mail| (mail.to, mail.subject.unwrap(), mail.text)).collect::<Vec<_>>()
        };
        let path = format!("/api/users/{}", ann.id);
        let same = change(&path, &site.admin.key, json!({"email": MAIL, "first_name": "Ann"})).await;
        assert_eq!(same.len(), 0);
        let all = change(&path, &site.admin.key, json!({"email": "new@example.com", "mobile_number": "+49 711 2", "password": NEW})).await;
        let mut subjects: Vec<_> = all.iter().map(|(to, subject, _)| (to.as_str(), subject.as_str())).collect();
        subjects.sort_unstable();
        assert_eq!(subjects, [
            (MAIL, "Your e-mail address at Wardroom was changed"),
            (MAIL, "Your mobile number at Wardroom was changed"),
            (MAIL, "Your password for Wardroom was changed"),
        ]);
        for (_, _, text) in &all {
            assert!(text.contains("Username: ann\n"), "{text}");
            for value in ["new@example.com", MAIL, "711", NEW] {
                assert!(!text.contains(value), "{text}");
            }
        }
        // By oneself, by the command line's use case, and in bulk.
        site.database.sql("UPDATE users SET is_staff = TRUE WHERE username = 'ann'").await;
        let own = change("/api/users/me", &ann.key, json!({"mobile_number": null})).await;
        assert_eq!((own.len(), own[0].0.as_str()), (1, "new@example.com"));
        let bulk = change("/api/users/bulk", &site.admin.key, json!({"users": [{"id": ann.id, "email": null}]})).await;
        assert_eq!((bulk.len(), bulk[0].0.as_str()), (1, "new@example.com"));
        set_password(&site, "ann", OLD).await;
        assert_eq!(mails(&site).await.len(), 0, "there is no address any more");
        // A full outbox keeps no one from a change, and the trail has it.
        site.database.sql("UPDATE users SET email = 'ann@example.com' WHERE username = 'ann'").await;
        let mut settings = site.database.settings();
        with_mail(&mut settings);
        settings.messages.most_waiting = 1;
        let directory = Directory::open(&settings, site.clock.clone()).await.unwrap();
        let draft = |number: &str| UserDraft { mobile_number: Some(Some(number.into())), ..UserDraft::default() };
        for number in ["+49 711 8", "+49 711 9"] {
            directory.update_user(&operator(), &UserKey::Name("ann".into()), &draft(number), None).await.unwrap();
        }
        assert_eq!(actions(&site, "notice%").await, ["notice.left_out"]);
        // And they can be switched off.
        settings.messages.most_waiting = 100;
        settings.links.change_notices = false;
        let directory = Directory::open(&settings, site.clock.clone()).await.unwrap();
        directory.update_user(&operator(), &UserKey::Name("ann".into()), &draft("+49 711 7"), None).await.unwrap();
        assert_eq!(site.database.number("SELECT count(*) FROM deliveries WHERE kind = 'notice' AND state = 'queued'").await, 1);
    }
}

both! {
    /// A first sign-in is none to notice; later ones from another network are, once for each network.
    async fn a_sign_in_from_a_new_network_is_noticed(backend: Backend) {
        let site = start(backend).await;
        ann(&site).await;
        let sign_in = async |directory: &Directory, address: &str| {
            let origin = Origin { address: Some(address.to_owned()), ..Origin::default() };
            directory.sign_in(&origin, "ann", Password::new(OLD.into())).await.unwrap();
            let texts = mails(&site).await.into_iter().map(|mail| mail.text).collect::<Vec<_>>();
            assert!(texts.len() < 2, "{texts:?}");
            texts.into_iter().next()
        };
        let directory = site.directory();
        for (address, network) in [
            ("192.0.2.7", None),
            ("192.0.2.7", None),
            ("192.0.2.200", None),
            ("198.51.100.1", Some("198.51.100.0/24")),
            ("198.51.100.77", None),
            ("2001:db8:1:2::7", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2:ffff::", None),
            ("192.0.2.1", None),
        ] {
            let text = sign_in(directory, address).await;
            assert_eq!(text.is_some(), network.is_some(), "{address}");
            if let (Some(text), Some(network)) = (text, network) {
                assert!(text.contains(&format!("Network: {network}\n")) && !text.contains(address), "{text}");
            }
        }
        // A wrong password is no sign-in.
        let origin = Origin { address: Some("203.0.113.1".into()), ..Origin::default() };
        assert!(directory.sign_in(&origin, "ann", Password::new("wrong".into())).await.is_err());
        assert_eq!(mails(&site).await.len(), 0);
        let mut settings = site.database.settings();
        with_mail(&mut settings);
        settings.links.network_notices = false;
        let quiet = Directory::open(&settings, site.clock.clone()).await.unwrap();
        assert_eq!(sign_in(&quiet, "203.0.113.5").await, None);
    }
}

both! {
    /// Where no links can be sent, or are not wanted, there is no page, no link to it, and no operation.
    async fn without_links_there_is_no_page_for_forgotten_passwords(backend: Backend) {
        let unwanted = |settings: &mut Settings| {
            with_mail(settings);
            settings.links.password_reset = false;
        };
        for site in [Site::start(backend).await, Site::with_directory(backend, unwanted).await] {
            assert_eq!(forgot(&site, json!({"username": "ann"})).await.to_string(), r#"404 {"detail":"Not found."}"#);
            let mut browser = Browser::new(&site);
            assert_eq!(browser.get("/admin/forgot").await.status, 404);
            assert_eq!(browser.post("/admin/forgot", &[("account", "ann")]).await.status, 404);
            assert!(!browser.get("/admin/sign-in").await.body.contains("/admin/forgot"));
            let page = browser.get(&format!("{LINK_PATH}{}", "a".repeat(43))).await;
            assert!(page.status == 404 && !page.body.contains("/admin/forgot"), "{page}");
        }
    }
}

both! {
    /// The site offers an invitation with a new user and on the page of one who never signed in, after a recent proof.
    async fn the_site_invites(backend: Backend) {
        let site = start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        mails(&site).await;
        assert!(browser.get("/admin/users/new").await.body.contains("name=\"invite\""));
        let form = |invite: &'static str, password: &'static str| {
            [("first_name", ""), ("last_name", ""), ("username", "new"), ("email", "new@example.com"), ("mobile_number", ""),
             ("gender", ""), ("is_active", "true"), ("password", password), ("invite", invite)]
        };
        let both = browser.post("/admin/users/new", &form("true", NEW)).await;
        assert!(both.status == 400 && both.body.contains("An invited person chooses the password") && both.body.contains("id=\"f-invite\" name=\"invite\" value=\"true\" aria-describedby=\"f-invite-hint\" checked"), "{both}");
        let made = browser.post("/admin/users/new", &form("true", "")).await;
        assert_eq!(made.status, 303, "{made}");
        let id = site.database.number("SELECT id FROM users WHERE username = 'new'").await;
        let first = key_in(&mail(&site).await);
        let page = browser.get(&format!("/admin/users/{id}")).await;
        assert!(page.body.contains(&format!("/admin/users/{id}/invite")), "{page}");
        let asked = browser.get(&format!("/admin/users/{id}/invite")).await;
        assert!(asked.status == 200 && asked.body.contains("pending") && asked.body.contains("new@example.com"), "{asked}");
        let sent = browser.post(&format!("/admin/users/{id}/invite"), &[]).await;
        assert_eq!(sent.header("location"), Some(format!("/admin/users/{id}?done=invited").as_str()), "{sent}");
        let second = key_in(&mail(&site).await);
        assert_eq!(reset(&site, &first, NEW).await.to_string(), DEAD);
        let revoked = browser.post(&format!("/admin/users/{id}/uninvite"), &[]).await;
        assert_eq!(revoked.status, 303, "{revoked}");
        assert_eq!(reset(&site, &second, NEW).await.to_string(), DEAD);
        let again = browser.post(&format!("/admin/users/{id}/uninvite"), &[]).await;
        assert_eq!(again.status, 404, "{again}");
        // An old proof leads to the page that asks for a new one, and sends nothing.
        site.clock.set(moment("2025-09-01T12:11:00Z"));
        for path in [format!("/admin/users/{id}/invite"), format!("/admin/users/{id}/uninvite")] {
            for answer in [browser.get(&path).await, browser.post(&path, &[]).await] {
                let location = answer.header("location").unwrap_or_default();
                assert!(answer.status == 303 && location.starts_with("/admin/confirm?next="), "{path} {answer}");
            }
        }
        assert_eq!(mails(&site).await.len(), 0);
        // Over plain HTTP from elsewhere no password is typed.
        let flags = Flags::default().with("allowed_hosts", "accounts.example.com,localhost");
        let plain = Site::with_settings(backend, flags, with_mail).await;
        let request = plain.get(&format!("{LINK_PATH}{}", "a".repeat(43))).host("accounts.example.com");
        let page = request.header("Accept", "text/html").send().await;
        assert!(page.status == 403 && page.body.contains("plain HTTP") && !page.body.contains("type=\"password\""), "{page}");
    }
}

both! {
    /// The rights of a caller are those at the time of the change: a right that was taken while the request waited counts no more.
    async fn a_parked_invitation_is_decided_at_its_end(backend: Backend) {
        let site = start(backend).await;
        let id = invite(&site, "new").await;
        mails(&site).await;
        let path = format!("/api/users/{id}/invitation");
        let identity = site.directory().authenticate(&site.holder.key, None).await.unwrap();
        let actor = wardroom::directory::Actor {
            who: wardroom::directory::access::Who::Person(identity),
            origin: Origin::default(),
        };
        site.database.sql(&format!("DELETE FROM user_permissions WHERE user_id = {}", site.holder.id)).await;
        let key = || vec![UserKey::Id(id.try_into().unwrap())];
        assert!(site.directory().invite_users(&actor, key()).await.is_err());
        assert!(site.directory().revoke_invitations(&actor, key()).await.is_err());
        for method in ["POST", "DELETE"] {
            assert_eq!(site.request(method, &path).token(&site.holder.key).send().await.status, 403);
        }
        assert_eq!(state(&site, "new").await["state"], "pending");
        assert_eq!(mails(&site).await.len(), 0);
    }
}
