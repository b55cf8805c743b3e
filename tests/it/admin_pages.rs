//! The pages of the admin site: who sees which, their headers, and what templates never contain.

use std::fs;
use std::path::{Path, PathBuf};

use wardroom::config::Flags;
use wardroom::directory::model::UserDraft;

use crate::support::browser::ACCEPT;
use crate::support::client::exchange;
use crate::support::site::{operator, person};
use crate::support::{Answer, Backend, Browser, Site, both};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types wardroom";

/// Every page that needs a session. A new page is a new row.
const PAGES: [&str; 9] = [
    "/admin",
    "/admin/users",
    "/admin/users?search=alex&is_staff=true&has_groups=true&ordering=-last_login",
    "/admin/users?is_active=maybe&created_from=x",
    "/admin/users/42",
    "/admin/users/42/sign-out",
    "/admin/account",
    "/admin/confirm",
    "/admin/nothing",
];

/// Fails if a page has what its policy forbids, or lacks its headers.
pub fn check(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{path}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
    assert!(answer.header("x-request-id").is_some(), "{path}");
    let html = &answer.body;
    assert!(
        html.starts_with("<!DOCTYPE html>\n<html lang=\"en-GB\"") && html.trim_end().ends_with("</html>"),
        "{path}"
    );
    assert!(
        html.contains("<h1") && html.contains("id=\"main\"") && html.contains("class=\"skip\""),
        "{path}"
    );
    no_inline(path, html);
}

/// The names and values of the hidden inputs of a page.
pub fn hidden_fields(answer: &Answer) -> Vec<(String, String)> {
    let inputs = answer.body.split("<input type=\"hidden\" name=\"").skip(1);
    let read = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"")?;
        let value = rest.split('"').next()?;
        let value =
            value.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">");
        Some((name.to_owned(), value.replace("&#38;", "&").replace("&amp;", "&")))
    };
    inputs.filter_map(read).collect()
}

/// Fails if there is an inline style, an inline script or a handler of an event.
fn no_inline(path: &str, html: &str) {
    let lower = html.to_ascii_lowercase();
    for forbidden in [
        "<style",
        " style=",
        "javascript:",
        " onclick=",
        " onload=",
        " onerror=",
        " onsubmit=",
        "<iframe",
        "<base",
    ] {
        assert!(!lower.contains(forbidden), "{path} has {forbidden}");
    }
    for (at, _) in lower.match_indices("<script") {
        assert!(lower[at..].starts_with("<script src=\""), "{path} has a script without a source");
    }
}

both! {
    /// Lines 2 and 6: every page, for who has no right, some, or all.
    async fn pages_are_open_to_those_with_the_right(backend: Backend) {
        let site = Site::start(backend).await;
        let reader = person(site.directory(), "group-reader", |draft| {
            draft.is_staff = Some(true);
            // 1202, to read groups.
            draft.permissions = Some(vec![2]);
        });
        let reader = reader.await;
        for (who, statuses) in [
            (&site.admin, [200, 200, 200, 400, 200, 200, 200, 200, 404]),
            (&site.holder, [200, 200, 200, 400, 200, 200, 200, 200, 404]),
            // Who may not read users never learns whether an id exists.
            (&reader, [200, 403, 403, 400, 404, 403, 200, 200, 404]),
            (&site.staff, [403, 403, 403, 403, 403, 403, 403, 403, 404]),
            (&site.plain, [403, 403, 403, 403, 403, 403, 403, 403, 404]),
        ] {
            let mut browser = Browser::of(&site, who).await;
            for (path, status) in PAGES.into_iter().zip(statuses) {
                let answer = browser.get(path).await;
                assert_eq!(answer.status, status, "{} {path} {answer}", who.id);
                check(path, &answer);
                assert!(!answer.body.contains(browser.key()), "a page shows the key of its session");
            }
            let unknown = browser.get("/admin/users/987654").await;
            assert_eq!(unknown.status, if statuses[4] == 403 { 403 } else { 404 });
            assert_eq!(browser.get("/admin/users/x").await.status, unknown.status);
        }
        for path in ["/admin/sign-in", "/admin/sign-in?next=%2Fadmin%2Fusers&done=signed-out", "/admin/set-up?code=x"] {
            check(path, &Browser::new(&site).get(path).await);
        }
    }
}

both! {
    /// The rail leads only to what is open.
    async fn the_rail_follows_the_rights(backend: Backend) {
        let site = Site::start(backend).await;
        let reader = person(site.directory(), "group-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![2]);
        });
        let reader = reader.await;
        let users = "href=\"/admin/users\" data-go=\"users\"";
        assert!(Browser::of(&site, &site.holder).await.get("/admin").await.body.contains(users));
        assert!(!Browser::of(&site, &reader).await.get("/admin").await.body.contains(users));
    }
}

both! {
    /// The list: filters of the API's names, pages by cursor, and errors beside their fields.
    async fn the_list_of_users_answers_the_question_of_its_address(backend: Backend) {
        let site = Site::start(backend).await;
        for number in 0..60 {
            let draft = UserDraft { username: Some(format!("many-{number:02}")), ..UserDraft::default() };
            site.directory().create_user(&operator(), &draft, None).await.unwrap();
        }
        let mut browser = Browser::of(&site, &site.admin).await;
        let first = browser.get("/admin/users?search=many").await;
        let rows = |answer: &Answer| answer.body.matches("<th scope=\"row\">").count();
        assert_eq!(rows(&first), 50);
        assert!(first.body.contains("50 users shown, more follow."), "{first}");
        let link = |answer: &Answer, rel: &str| {
            let at = answer.body.find(&format!("data-list rel=\"{rel}\""))?;
            let start = answer.body[..at].rfind("href=\"")? + 6;
            let href = answer.body[start..].split('"').next()?;
            Some(href.replace("&amp;", "&").replace("&#38;", "&"))
        };
        assert_eq!(link(&first, "prev"), None);
        let second = browser.get(&link(&first, "next").unwrap()).await;
        assert_eq!((rows(&second), link(&second, "next")), (10, None), "{second}");
        let back = browser.get(&link(&second, "prev").unwrap()).await;
        assert_eq!(rows(&back), 50);
        assert!(first.body.contains("many-00") && back.body.contains("many-00") && second.body.contains("many-59"));
        let names = browser.get("/admin/users?is_staff=true").await;
        assert!(names.body.contains("alex_thompson") && !names.body.contains("many-00"));
        assert!(names.body.contains("Staff room") && names.body.contains("On call"), "names of groups");
        let none = browser.get("/admin/users?search=no-such-person").await;
        assert!(none.status == 200 && none.body.contains("No user matches"), "{none}");
        let wrong = browser.get("/admin/users?created_from=yesterday&shoe_size=44").await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.body.contains("id=\"f-created_from-err\"") && wrong.body.contains("value=\"yesterday\""), "{wrong}");
        assert!(wrong.body.contains("Unknown parameter."));
    }
}

both! {
    /// One user: each right with where it comes from, and both ends of keys alone.
    async fn a_user_has_a_page_with_reasons(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql("INSERT INTO group_permissions (group_id, permission_id) SELECT 3, id FROM permissions WHERE code = 1222").await;
        site.database.sql("INSERT INTO user_permissions (user_id, permission_id) SELECT 42, id FROM permissions WHERE code = 1242").await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let page = browser.get("/admin/users/42").await;
        assert!(page.body.contains("Read users") && page.body.contains("In <bdi>Billing</bdi>"), "{page}");
        assert!(page.body.contains("Given directly") && page.body.contains("f4e7…2070"), "{page}");
        assert!(!page.body.contains(&site.alex.key));
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        site.database.sql(&format!("UPDATE users SET first_name = '{}' WHERE id = 42", hostile.replace('\'', "''"))).await;
        for path in PAGES {
            let answer = browser.get(path).await;
            assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img src=x"), "{path}");
        }
    }
}

both! {
    /// Line 19: errors are pages with the request's id, and say nothing of the inside.
    async fn errors_are_pages(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for (method, path, status) in [
            ("GET", "/admin/nothing", 404),
            ("GET", "/admin/users%2F1", 404),
            ("GET", "/admin/sign-out", 405),
            ("PUT", "/admin/users", 403),
            ("DELETE", "/admin/users/1", 403),
        ] {
            let answer = browser.request(method, path).send().await;
            assert_eq!(answer.status, status, "{method} {path} {answer}");
            check(path, &answer);
            assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{path}");
        }
        site.database.make_unavailable().await;
        let away = browser.get("/admin/users").await;
        assert_eq!(away.status, 503, "{away}");
        check("/admin/users", &away);
        assert!(away.body.contains("cannot reach its database") && !away.body.contains("SELECT"), "{away}");
    }
}

both! {
    /// Guards against errors before there is a request that a browser on the site shows as JSON. Other paths keep it.
    async fn messages_that_are_refused_are_answered_with_pages(backend: Backend) {
        let site = Site::start(backend).await;
        let long = "a".repeat(8200);
        let get = |path: &str, rest: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{rest}\r\n");
        for (about, message, status, says) in [
            ("a long address", get(&format!("/admin/users?search={long}"), ""), 414, "The address is too long"),
            ("one with a host", get(&format!("http://localhost/admin?{long}"), ""), 414, "The address is too long"),
            ("large cookies", get("/admin", &format!("Cookie: a={long}\r\n")), 431, "The browser has sent too much"),
            ("many headers", get("/admin/users", &"X-A: 1\r\n".repeat(101)), 431, "The browser has sent too much"),
            ("no host", "GET /admin HTTP/1.1\r\n\r\n".to_owned(), 400, "the Host header is missing"),
            ("a header that is none", get("/admin/", "no colon\r\n"), 400, "could not be parsed"),
            ("a foreign host", "GET /admin HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(), 400, "This request was not understood"),
            ("an expectation", get("/admin", "Expect: x\r\nConnection: close\r\n"), 417, "This request was not understood"),
        ] {
            let answer = Answer::parse(&exchange(site.address, message.as_bytes()).await);
            assert_eq!(answer.status, status, "{about} {answer}");
            check(about, &answer);
            assert!(answer.body.contains(says) && answer.body.contains(answer.header("x-request-id").unwrap()), "{about} {answer}");
            assert!(!answer.body.contains("aaaa"), "{about} {answer}");
        }
        let form = "POST /admin/sign-in HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n";
        let answer = Answer::parse(&exchange(site.address, form.as_bytes()).await);
        assert!(answer.status == 413 && answer.body.contains("The form is too large"), "{answer}");
        check("a large form", &answer);
        for path in ["/api/users", "/administer", "/adminx/admin", "/"] {
            let answer = Answer::parse(&exchange(site.address, get(&format!("{path}?{long}"), "").as_bytes()).await);
            assert_eq!(answer.to_string(), r#"414 {"detail":"Request line is too long."}"#, "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        }
    }
}

both! {
    /// Line 7: assets have names that change with their content, so browsers keep them.
    async fn assets_are_kept_for_ever_under_their_own_names(backend: Backend) {
        let site = Site::start(backend).await;
        let page = site.get("/admin/sign-in").header("Accept", ACCEPT).send().await;
        let mut names: Vec<_> = page.body.split('"').filter(|part| part.starts_with("/admin/assets/")).collect();
        names.iter_mut().for_each(|name| *name = name.split('#').next().unwrap());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 4, "{names:?}");
        let mut bytes = page.body.len();
        for name in names {
            let asset = site.get(name).send().await;
            assert_eq!((asset.status, asset.header("cache-control")), (200, Some("public, max-age=31536000, immutable")), "{name}");
            assert_eq!(asset.header("set-cookie"), None);
            bytes += asset.body.len();
            let (stem, extension) = name.rsplit_once('.').unwrap();
            let other = format!("{}-000000000000.{extension}", stem.rsplit_once('-').unwrap().0);
            let other = site.get(&other).send().await;
            assert_eq!((other.status, other.header("cache-control")), (200, Some("private, no-store")));
        }
        assert!(bytes <= 60 * 1024, "the first page takes {bytes} bytes");
        assert!(fs::metadata("src/http/admin/assets/wardroom.js").unwrap().len() <= 8 * 1024);
        assert_eq!(site.get("/admin/assets/passwd").send().await.status, 404);
    }
}

both! {
    /// A media origin of its own is the only addition to the policy.
    async fn pictures_may_come_from_the_origin_of_media_files(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("media_url", "https://cdn.example.com/media/")).await;
        let page = site.get("/admin/sign-in").send().await;
        let policy = POLICY.replace("img-src 'self'", "img-src 'self' https://cdn.example.com");
        assert_eq!(page.header("content-security-policy"), Some(policy.as_str()));
    }
}

fn templates(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { templates(&path, found) } else { found.push(path) }
    }
}

/// Line 6, in the sources: no inline script or style, and no value that is not escaped.
#[test]
fn templates_escape_everything_and_have_nothing_inline() {
    let mut found = Vec::new();
    templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut found);
    assert!(found.len() > 10, "the templates were not found");
    for path in found {
        let (name, html) = (path.display().to_string(), fs::read_to_string(&path).unwrap());
        no_inline(&name, &html.replace("<script src=\"{{", "<script src=\"x\" data-x=\"{{"));
        for forbidden in ["|safe", "| safe", "escape(", "autoescape"] {
            assert!(!html.contains(forbidden), "{name} has {forbidden}");
        }
    }
}
