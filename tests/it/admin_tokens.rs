//! The pages of the admin site about tokens, sessions and settings, and lists as CSV.

use std::path::Path;

use wardroom::config::{Config, Flags};
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;

use crate::admin_pages::check;
use crate::support::site::{moment, operator, person};
use crate::support::{Answer, Backend, Browser, Site, both};

const HOSTILE: &str = "\"'><script>alert(1)</script><img/src=x/onerror=alert(1)>";

/// The key on the page that shows it.
fn key(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer}");
    let at = answer.body.find("value=\"wrd_").expect("a key") + 7;
    answer.body[at..].split('"').next().unwrap().to_owned()
}

/// The content of an answer that was sent in chunks.
pub fn content(answer: &Answer) -> String {
    let (mut rest, mut found) = (answer.body.as_bytes(), Vec::new());
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        found.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    String::from_utf8(found).unwrap()
}

/// The number of the token of a page that shows a key.
fn number(answer: &Answer) -> String {
    let at = answer.body.find("href=\"/admin/tokens/").unwrap() + 20;
    answer.body[at..].split('"').next().unwrap().to_owned()
}

both! {
    /// Every page about tokens, for anonymous, plain users, staff without and with the right, and admins.
    async fn pages_about_tokens_follow_the_rights(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql(&format!("UPDATE tokens SET name = '{}' WHERE user_id = 42", HOSTILE.replace('\'', "''"))).await;
        let token = site.database.number("SELECT id FROM tokens WHERE user_id = 42").await;
        let reader = person(site.directory(), "user-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6]);
        });
        let reader = reader.await;
        let of_token = |end: &str| format!("/admin/tokens/{token}{end}");
        let (page, edit, rotate, revoke) = (of_token(""), of_token("/edit"), of_token("/rotate"), of_token("/revoke"));
        let rows = [
            // Path, status for: admin, holder of every right, reader of users, plain.
            ("/admin/tokens", [200, 200, 403, 403]),
            ("/admin/tokens?state=active&kind=imported&has_expiry=false&ordering=-last_used_at", [200, 200, 403, 403]),
            ("/admin/tokens?state=odd&shoe_size=44", [400, 400, 403, 403]),
            ("/admin/sessions", [200, 200, 403, 403]),
            ("/admin/sessions?kind=sign_in", [200, 200, 403, 403]),
            ("/admin/tokens/find", [200, 200, 403, 403]),
            (page.as_str(), [200, 200, 404, 403]),
            (edit.as_str(), [200, 200, 404, 403]),
            (rotate.as_str(), [200, 200, 404, 403]),
            (revoke.as_str(), [200, 200, 404, 403]),
            ("/admin/tokens/987654", [404, 404, 404, 403]),
            ("/admin/tokens/x", [404, 404, 404, 403]),
            ("/admin/users/42/tokens/new", [200, 200, 403, 403]),
            ("/admin/users/987654/tokens/new", [404, 404, 404, 403]),
            ("/admin/settings", [200, 403, 403, 403]),
        ];
        for (place, who) in [&site.admin, &site.holder, &reader, &site.plain].into_iter().enumerate() {
            let mut browser = Browser::of(&site, who).await;
            for (path, statuses) in rows {
                let before = site.app.metrics().database_reads.get();
                let answer = browser.get(path).await;
                let reads = site.app.metrics().database_reads.get() - before;
                assert_eq!(answer.status, statuses[place], "{} {path} {answer}", who.id);
                assert!(reads <= 7, "{path} reads {reads} times");
                check(path, &answer);
                assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img/src"), "{path}");
                assert!(!answer.body.contains(&site.alex.key) && !answer.body.contains(browser.key()), "{path} shows a key");
            }
        }
        let mut stranger = Browser::new(&site);
        for (path, _) in rows {
            assert_eq!(stranger.get(path).await.status, 303, "{path}");
        }
        assert_eq!(stranger.get("/admin/users.csv").await.status, 303);
    }
}

both! {
    /// Line 13: a key is shown once. A token with scopes, a read-only flag and networks does what its page says.
    async fn a_token_is_issued_and_its_key_is_shown_once(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let path = "/admin/users/42/tokens/new";
        let form = [("name", HOSTILE), ("end", "30"), ("until", ""), ("rights", "some"), ("scopes", "me_read"), ("scopes", "user_read"), ("read_only", "true"), ("allowed_networks", "127.0.0.0/8\r\n10.20.0.0/16")];
        let issued = browser.post(path, &form).await;
        let key = key(&issued);
        check(path, &issued);
        assert!(!issued.body.contains("<script>alert"), "{issued}");
        assert!(issued.body.contains("10.20.0.0/16") && issued.body.contains("it is read only") && issued.body.contains("Read users"), "{issued}");
        // The machine itself counts as a proxy.
        let from = async |address: &str| site.me(&key).header("X-Forwarded-For", address).send().await.status;
        assert_eq!((from("10.20.0.7").await, from("10.21.0.7").await), (200, 401));
        let page = format!("/admin/tokens/{}", number(&issued));
        for other in [path, page.as_str(), "/admin/tokens", "/admin/users/42"] {
            let answer = browser.get(other).await;
            assert!(answer.status == 200 && !answer.body.contains(&key), "{other}");
        }
        assert!(browser.get(&page).await.body.contains(&format!("{}…{}", &key[..8], &key[36..])));
        assert_eq!(site.database.text("SELECT CAST(expires_at AS TEXT) FROM tokens WHERE user_id = 42 AND kind = 'api'").await, "1759320000000000");
        // What is wrong stays, and issues nothing.
        let count = "SELECT count(*) FROM tokens";
        let before = site.database.number(count).await;
        for (changes, field) in [
            (&[("name", ""), ("end", "7"), ("rights", "all")][..], "name"),
            (&[("name", "x"), ("end", "until"), ("until", "yesterday"), ("rights", "all")], "until"),
            (&[("name", "x"), ("end", "until"), ("until", "2020-01-01"), ("rights", "all")], "until"),
            (&[("name", "x"), ("end", "soon"), ("rights", "all")], "end"),
            (&[("name", "x"), ("end", "7"), ("rights", "some")], "scopes"),
            (&[("name", "x"), ("end", "7"), ("rights", "some"), ("scopes", "root")], "scopes"),
            (&[("name", "x"), ("end", "7"), ("rights", "all"), ("allowed_networks", "10.1.2.3/8 <b>")], "allowed_networks"),
        ] {
            let answer = browser.post(path, changes).await;
            assert_eq!(answer.status, 400, "{changes:?} {answer}");
            assert!(answer.body.contains(&format!("id=\"f-{field}-err\"")) && answer.body.contains("<title>Problem: "), "{field} {answer}");
            assert!(!answer.body.contains("<b>\""), "{answer}");
        }
        assert_eq!(site.database.number(count).await, before);
        // Line 17: only after a fresh proof.
        site.clock.set(moment("2025-09-01T12:11:00Z"));
        let asked = browser.get(path).await;
        assert!(asked.status == 303 && asked.header("location").unwrap().starts_with("/admin/confirm?next="), "{asked}");
        // A form that was open already keeps what was typed.
        let late = browser.post(path, &form).await;
        assert!(late.status == 403 && late.body.contains("href=\"/admin/confirm\"") && late.body.contains("10.20.0.0/16"), "{late}");
        assert_eq!(site.database.number(count).await, before);
    }
}

both! {
    /// Staff issue tokens for themselves and for those whose rights they hold, never for an admin.
    async fn tokens_are_issued_within_the_own_rights(backend: Backend) {
        let site = Site::start(backend).await;
        let mut staff = Browser::of(&site, &site.holder).await;
        let form = [("name", "mine"), ("end", "7"), ("rights", "all")];
        let own = format!("/admin/users/{}/tokens/new", site.holder.id);
        let issued = staff.post(&own, &form).await;
        assert_eq!(site.me(&key(&issued)).send().await.status, 200);
        assert!(staff.get("/admin/account").await.body.contains(">mine</a>"));
        let admin = format!("/admin/users/{}/tokens/new", site.admin.id);
        assert_eq!(staff.get(&admin).await.status, 403);
        assert_eq!(staff.post(&admin, &form).await.status, 403);
        // Without the right to read tokens, one's own are still there.
        let reader = person(site.directory(), "user-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6]);
        });
        let reader = reader.await;
        let mut browser = Browser::of(&site, &reader).await;
        let issued = browser.post(&format!("/admin/users/{}/tokens/new", reader.id), &form).await;
        let page = format!("/admin/tokens/{}", number(&issued));
        assert_eq!(browser.get(&page).await.status, 200);
        let revoked = browser.post("/admin/tokens/revoke", &[("id", &number(&issued)), ("confirmed", "true")]).await;
        assert_eq!(revoked.header("location"), Some("/admin/account?done=tokens-revoked"), "{revoked}");
        assert_eq!(site.me(&key(&issued)).send().await.status, 401);
        let foreign = site.database.number("SELECT id FROM tokens WHERE user_id = 42").await.to_string();
        assert_eq!(browser.post("/admin/tokens/revoke", &[("id", &foreign), ("confirmed", "true")]).await.status, 403);
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
    }
}

both! {
    /// A token is renamed, narrowed, extended, gets a new key, and ends.
    async fn a_token_is_changed_rotated_and_revoked(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let alex = UserKey::Id(42.try_into().unwrap());
        let issued = site.directory().issue_token(&operator(), &alex, "nightly", Expiry::Never).await.unwrap();
        let (id, old) = (issued.token.id.to_string(), issued.key.reveal().to_owned());
        let edit = format!("/admin/tokens/{id}/edit");
        let page = browser.get(&edit).await;
        assert!(page.body.contains("value=\"nightly\"") && page.body.contains("id=\"f-rights-all\" name=\"rights\" value=\"all\" checked"), "{page}");
        let saved = browser.post(&edit, &[("name", "weekly"), ("end", "keep"), ("rights", "some"), ("scopes", "me_read")]).await;
        assert_eq!(saved.header("location").unwrap(), format!("/admin/tokens/{id}?done=token-saved"), "{saved}");
        let page = browser.get(&format!("/admin/tokens/{id}")).await;
        assert!(page.body.contains("<bdi>weekly</bdi>") && page.body.contains("me_read") && page.body.contains("No end"), "{page}");
        let wrong = browser.post(&edit, &[("name", ""), ("end", "never"), ("rights", "all")]).await;
        assert!(wrong.status == 400 && wrong.body.contains("id=\"f-name-err\""), "{wrong}");
        let rotate = format!("/admin/tokens/{id}/rotate");
        assert_eq!(browser.post(&rotate, &[("overlap", "9999")]).await.status, 400);
        let rotated = browser.post(&rotate, &[("overlap", "1")]).await;
        let new = key(&rotated);
        assert_eq!((site.me(&old).send().await.status, site.me(&new).send().await.status), (200, 200));
        let ask = browser.post("/admin/tokens/revoke", &[("id", &id), ("id", &number(&rotated))]).await;
        assert!(ask.status == 200 && ask.body.contains("Revoke 2 tokens?") && ask.body.contains("weekly"), "{ask}");
        assert_eq!(site.me(&new).send().await.status, 200, "the page only asks");
        // All or none.
        let refused = browser.post("/admin/tokens/revoke", &[("id", &id), ("id", "987654"), ("confirmed", "true")]).await;
        assert!(refused.status == 400 && refused.body.contains("All of them or none"), "{refused}");
        assert_eq!(site.me(&old).send().await.status, 200);
        let done = browser.post("/admin/tokens/revoke", &[("id", &id), ("id", &number(&rotated)), ("confirmed", "true")]).await;
        assert_eq!(done.status, 303, "{done}");
        assert_eq!((site.me(&old).send().await.status, site.me(&new).send().await.status), (401, 401));
        // A revoked token is not changed any more.
        let stale = browser.post(&edit, &[("name", "x"), ("end", "keep"), ("rights", "all")]).await;
        assert!(stale.status == 400 && stale.body.contains("revoked"), "{stale}");
        site.clock.set(moment("2025-09-01T12:11:00Z"));
        for path in [edit.as_str(), rotate.as_str()] {
            assert!(browser.get(path).await.header("location").unwrap().starts_with("/admin/confirm?next="));
        }
    }
}

both! {
    /// Whose a found key is; the key never comes back, neither in an address nor in a page.
    async fn a_found_key_leads_to_its_owner(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let found = browser.post("/admin/tokens/find", &[("key", &format!(" {} ", site.alex.key))]).await;
        let path = found.header("location").unwrap_or_default().to_owned();
        assert!(found.status == 303 && path.starts_with("/admin/tokens/"), "{found}");
        let page = browser.get(&path).await;
        assert!(page.body.contains("alex_thompson") && !page.body.contains(&site.alex.key), "{page}");
        for unknown in ["", "x", "wrd_000000000000000000000000000000000000", HOSTILE] {
            let answer = browser.post("/admin/tokens/find", &[("key", unknown)]).await;
            assert_eq!(answer.status, 404, "{answer}");
            assert!(unknown.len() < 2 || !answer.body.contains(unknown), "{answer}");
        }
        assert!(site.database.number("SELECT count(*) FROM audit_events WHERE action = 'token.find'").await >= 2);
    }
}

both! {
    /// Guards against sessions that idleness has ended and lists show as open, until they are cleaned up.
    async fn a_session_that_went_unused_is_listed_as_ended(backend: Backend) {
        let site = Site::start(backend).await;
        let idle = Browser::of(&site, &site.holder).await;
        let ends = format!("SELECT prefix || '…' || last_four FROM tokens WHERE kind = 'browser' AND user_id = {}", site.holder.id);
        let ends = site.database.text(&ends).await;
        site.directory().write_uses().await.unwrap();
        let id = site.database.number(&format!("SELECT id FROM tokens WHERE kind = 'browser' AND user_id = {}", site.holder.id)).await;
        let mut admin = Browser::of(&site, &site.admin).await;
        let lists = ["/admin/sessions", "/admin/tokens?state=active&kind=browser", &format!("/admin/users/{}", site.holder.id)];
        for path in lists {
            let page = admin.get(path).await;
            assert!(page.body.contains(&ends), "{path} {ends} {page}");
        }
        site.clock.set(moment("2025-09-01T13:02:59Z"));
        assert!(Browser::of(&site, &site.admin).await.get("/admin/sessions").await.body.contains(&ends), "before its end");
        site.clock.set(moment("2025-09-01T13:03:00Z"));
        let mut admin = Browser::of(&site, &site.admin).await;
        for path in lists {
            let page = admin.get(path).await;
            assert!(!page.body.contains(&ends), "{path} {page}");
        }
        for path in ["/admin/tokens?state=expired", "/admin/tokens?state=expired&kind=browser"] {
            assert!(admin.get(path).await.body.contains(&ends), "{path}");
        }
        let shown = |answer: &Answer| answer.body.split("\"results\":").nth(1).unwrap_or_default().matches(&format!("\"id\":{id},")).count();
        for (state, count) in [("active", 0), ("expired", 1), ("revoked", 0)] {
            let answer = site.get(&format!("/api/users/tokens?kind=browser&state={state}")).token(&site.admin.key).send().await;
            assert_eq!(shown(&answer), count, "{state} {answer}");
        }
        // The clean-up writes down what was so already, also of the first session of the admin.
        assert_eq!(Browser { cookie: idle.cookie.clone(), ..Browser::new(&site) }.get("/admin").await.status, 303);
        assert_eq!(site.directory().end_idle_sign_ins().await.unwrap(), 2);
        assert!(admin.get("/admin/tokens?state=revoked").await.body.contains(&ends));
    }
}

both! {
    /// Own tokens and sessions are listed a page at a time, each list for itself, the newest first.
    async fn own_tokens_are_listed_by_pages(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let mut other = Browser::of(&site, &site.holder).await;
        let key = UserKey::Id(site.holder.id.try_into().unwrap());
        for number in 0..45 {
            site.directory().issue_token(&operator(), &key, &format!("own {number:02}"), Expiry::Never).await.unwrap();
        }
        let reads = site.directory().counters().reads;
        let mut seen = Vec::new();
        let mut path = "/admin/account".to_owned();
        let link = |page: &Answer, rel: &str, list: &str| {
            let links = page.body.split("<a class=\"btn sm\" href=\"").skip(1);
            let found = links.filter_map(|link| link.split_once("\" rel=\"")).find(|(path, rest)| rest.starts_with(rel) && path.ends_with(list));
            found.map(|(path, _)| path.replace("&#38;", "&"))
        };
        loop {
            let before = reads.get();
            let page = browser.get(&path).await;
            assert!(page.status == 200 && reads.get() - before <= 6, "{page}");
            assert!(page.body.contains("This browser"), "the list of sessions stays on its page");
            let names = page.body.split("dir=\"auto\">own ").skip(1).map(|rest| rest[..2].to_owned());
            let names: Vec<_> = names.collect();
            assert!(names.len() <= 20, "{page}");
            seen.extend(names);
            match link(&page, "next", "#tokens") {
                Some(next) => path = next.split('#').next().unwrap().to_owned(),
                None => break,
            }
        }
        let expected: Vec<_> = (0..45).rev().map(|number| format!("{number:02}")).collect();
        assert_eq!(seen, expected);
        let back = link(&browser.get(&path).await, "prev", "#tokens").unwrap();
        assert!(browser.get(back.split('#').next().unwrap()).await.body.contains("own 24"));
        // Another person's cursor leads to no token of others, and one that is none is refused.
        assert!(!Browser::of(&site, &site.admin).await.get(&path).await.body.contains("own 0"));
        assert_eq!(browser.get("/admin/account?tokens=x").await.status, 400);
        assert_eq!(other.get("/admin/account").await.status, 200);
    }
}

both! {
    /// All sessions, and the end of one of them at the next request.
    async fn sessions_of_all_are_listed_and_ended(backend: Backend) {
        let site = Site::start(backend).await;
        let mut other = Browser::of(&site, &site.holder).await;
        let mut admin = Browser::of(&site, &site.admin).await;
        let page = admin.get("/admin/sessions").await;
        assert!(page.body.contains("<bdi>holder</bdi>") && page.body.contains("This browser"), "{page}");
        assert!(!page.body.contains("<bdi>alex_thompson</bdi>"), "an imported token is no session");
        let id = site.database.number(&format!("SELECT max(id) FROM tokens WHERE kind = 'browser' AND user_id = {}", site.holder.id)).await.to_string();
        assert_eq!(admin.get(&format!("/admin/tokens/{id}/edit")).await.status, 200);
        assert_eq!(admin.post(&format!("/admin/tokens/{id}/edit"), &[("name", "x"), ("end", "never"), ("rights", "all")]).await.status, 400);
        assert_eq!(other.get("/admin/users").await.status, 200);
        assert_eq!(admin.post("/admin/tokens/revoke", &[("id", &id), ("confirmed", "true")]).await.status, 303);
        assert_eq!(other.get("/admin/users").await.status, 303);
    }
}

both! {
    /// The settings in force, where each came from, and no secret.
    async fn settings_are_shown_without_secrets(backend: Backend) {
        let site = Site::start(backend).await;
        let mut admin = Browser::of(&site, &site.admin).await;
        assert!(admin.get("/admin/settings").await.body.contains("wardroom config show"));
        let flags = Flags::default().with("database_url", "postgres://wardroom:very-secret@db.example/accounts").with("threads", "3");
        let loaded = Config::load_from(&flags, &|_| None, Path::new("/nonexistent")).unwrap();
        site.app.show_settings(loaded.origins);
        let page = admin.get("/admin/settings").await;
        check("settings", &page);
        assert!(page.body.contains("<code>threads</code>") && page.body.contains("flag --threads"), "{page}");
        assert!(page.body.contains("db.example") && !page.body.contains("very-secret"), "{page}");
    }
}

both! {
    /// Lists as CSV: every row of the filters over many pages, safe for spreadsheets, with the rights of each page.
    async fn lists_are_sent_as_csv(backend: Backend) {
        let site = Site::start(backend).await;
        for (place, name) in ["=1+1", "+98", "-1", "@SUM(A1)", "\tx", "plain, \"quoted\"", "x;=1+1; y", "a;\"@b"].into_iter().enumerate() {
            let draft = UserDraft { username: Some(format!("csv{place}")), ..UserDraft::default() };
            site.directory().create_user(&operator(), &draft, None).await.unwrap();
            site.database.sql(&format!("UPDATE users SET first_name = '{name}' WHERE username = 'csv{place}'")).await;
        }
        let mut browser = Browser::of(&site, &site.holder).await;
        let csv = browser.get("/admin/users.csv?ordering=-id&username=csv0").await;
        assert_eq!(csv.status, 200, "{csv}");
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
        assert_eq!(csv.header("content-disposition"), Some("attachment; filename=\"users.csv\""));
        assert_eq!(csv.header("cache-control"), Some("no-store"));
        assert!(content(&csv).starts_with("\u{feff}id,username,first_name,"), "{csv}");
        assert!(content(&csv).contains(",csv0,'=1+1,"), "{csv}");
        let all = browser.get("/admin/users.csv").await;
        for cell in [",'+98,", ",'-1,", ",'@SUM(A1),", ",'\tx,", ",\"plain, \"\"quoted\"\"\",", ",x;'=1+1; y,", ",\"a;\"\"'@b\","] {
            assert!(content(&all).contains(cell), "{cell} {all}");
        }
        // More than one page of the database.
        for number in 0..230 {
            let draft = UserDraft { username: Some(format!("many-{number:03}")), ..UserDraft::default() };
            site.directory().create_user(&operator(), &draft, None).await.unwrap();
        }
        let users = site.database.number("SELECT count(*) FROM users").await;
        let all = browser.get("/admin/users.csv").await;
        assert_eq!(content(&all).matches("\r\n").count() as i64, users + 1);
        let tokens = browser.get("/admin/tokens.csv?kind=imported").await;
        assert!(content(&tokens).contains(",imported,active,42,alex_thompson,f4e7…2070,") && !content(&tokens).contains(&site.alex.key), "{tokens}");
        assert!(content(&browser.get("/admin/groups.csv").await).contains("Staff room"));
        assert_eq!(browser.get("/admin/users.csv?shoe_size=44").await.status, 400);
        let mut plain = Browser::of(&site, &site.plain).await;
        assert_eq!(plain.get("/admin/users.csv").await.status, 403);
        let reader = person(site.directory(), "user-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6]);
        });
        let mut reader = Browser::of(&site, &reader.await).await;
        assert_eq!((reader.get("/admin/users.csv").await.status, reader.get("/admin/tokens.csv").await.status), (200, 403));
    }
}
