//! What a page of the admin site costs: statements of the database, and bytes over the wire.

use std::collections::BTreeSet;
use std::io::Read as _;

use wardroom::directory::groups::MemberChange;
use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};
use wardroom::directory::tokens::Expiry;

use crate::support::browser::ACCEPT;
use crate::support::client::exchange;
use crate::support::site::operator;
use crate::support::{Backend, Browser, Site, both};

/// Users, groups, tokens and deleted users: more than a page shows.
const MANY: usize = 60;

/// A site where every list has more than a page, so that a statement for each row would be seen.
async fn filled(backend: Backend) -> Site {
    let site = Site::start(backend).await;
    let directory = site.directory();
    let mut keys = Vec::new();
    for number in 0..MANY {
        let group = GroupDraft { name: Some(format!("group {number}")), ..GroupDraft::default() };
        directory.create_group(&operator(), &group).await.unwrap();
        let draft = UserDraft {
            username: Some(format!("many-{number:02}")),
            groups: Some(vec![3, 7]),
            permissions: Some(vec![6]),
            ..UserDraft::default()
        };
        let user = directory.create_user(&operator(), &draft, None).await.unwrap();
        directory.issue_token(&operator(), &UserKey::Id(user.id), "many", Expiry::Never).await.unwrap();
        keys.push(UserKey::Id(user.id));
    }
    let on_call = GroupKey::Id(7.try_into().unwrap());
    directory
        .change_members(&operator(), &on_call, &[UserKey::Id(42.try_into().unwrap())], MemberChange::Add)
        .await
        .unwrap();
    for _ in 0..2 {
        let draft = UserDraft { username: Some("gone".to_owned()), ..UserDraft::default() };
        let user = directory.create_user(&operator(), &draft, None).await.unwrap();
        directory.delete_user(&operator(), &UserKey::Id(user.id)).await.unwrap();
    }
    site
}

/// The pages that read the database, each first of its kind. A new page is a new row.
const PAGES: &[&str] = &[
    "/admin",
    "/admin?span=90d",
    "/admin/users",
    "/admin/users?search=many&group_id=3&has_groups=true&ordering=-last_login",
    "/admin/users/new",
    "/admin/users/42",
    "/admin/users/42/edit",
    "/admin/users/42/rights",
    "/admin/users/42/groups",
    "/admin/users/42/groups/remove?group=3",
    "/admin/users/42/password",
    "/admin/users/42/sign-out",
    "/admin/users/42/deactivate",
    "/admin/users/42/delete",
    "/admin/users/42/tokens/new",
    "/admin/groups",
    "/admin/groups?search=group&ordering=-name",
    "/admin/groups/new",
    "/admin/groups/3",
    "/admin/groups/3?search=many",
    "/admin/groups/3/edit",
    "/admin/groups/3/delete",
    "/admin/groups/3/members/add",
    "/admin/groups/3/members/add?search=many",
    "/admin/permissions",
    "/admin/permissions/6",
    "/admin/tokens",
    "/admin/tokens?state=active&kind=api",
    "/admin/tokens/find",
    "/admin/sessions",
    "/admin/settings",
    "/admin/account",
    "/admin/audit",
    "/admin/audit?actor_name=admin&object_name=alex_thompson",
    "/admin/audit/verify",
    "/admin/bin",
    "/admin/bin/groups",
];

both! {
    /// A page costs at most six statements, with the one that asks PostgreSQL for changes, however many rows it shows.
    async fn a_page_costs_at_most_six_statements(backend: Backend) {
        let site = filled(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let reads = site.directory().counters().reads;
        let mut dear = Vec::new();
        // The first request makes the session known.
        assert_eq!(browser.get("/admin").await.status, 200);
        for path in PAGES {
            let before = reads.get();
            let answer = browser.get(path).await;
            assert!(matches!(answer.status, 200 | 303), "{path} {answer}");
            let statements = reads.get() - before;
            if statements > 6 {
                dear.push(format!("{path}: {statements}"));
            }
        }
        assert!(dear.is_empty(), "{dear:#?}");
    }
}

/// Sends what a browser sends, and returns the head and the bytes of the body.
async fn over_the_wire(site: &Site, path: &str, cookie: &str) -> (String, Vec<u8>) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: {ACCEPT}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nCookie: {cookie}\r\n\r\n"
    );
    let answer = exchange(site.address, request.as_bytes()).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end..].to_vec())
}

both! {
    /// Line 7: a first visit takes at most 60 KiB and five requests, heads included, and so does each page by itself. Assets are
    /// compressed and kept for ever, pages are kept by no one.
    async fn a_first_visit_is_light(backend: Backend) {
        let site = filled(backend).await;
        let browser = Browser::of(&site, &site.admin).await;
        for path in ["/admin/sign-in", "/admin", "/admin/users", "/admin/groups", "/admin/tokens", "/admin/audit", "/admin/users/42"] {
            let cookie = if path == "/admin/sign-in" { "" } else { &browser.cookie };
            let (head, body) = over_the_wire(&site, path, cookie).await;
            assert!(head.starts_with("HTTP/1.1 200") && head.contains("\r\ncache-control: no-store\r\n"), "{path} {head}");
            let html = String::from_utf8(body.clone()).unwrap();
            let names: BTreeSet<&str> = html.split('"').filter(|part| part.starts_with("/admin/assets/")).map(|part| part.split('#').next().unwrap()).collect();
            assert!(names.len() < 5, "{path} needs {names:?}");
            let mut bytes = head.len() + body.len();
            assert!(bytes <= 60 * 1024, "{path} takes {bytes} bytes");
            // A first visit begins with the sign-in, or with the overview if the session is known: then the assets are.
            if !matches!(path, "/admin/sign-in" | "/admin") {
                continue;
            }
            for name in names {
                let (head, packed) = over_the_wire(&site, name, "").await;
                assert!(head.contains("\r\ncache-control: public, max-age=31536000, immutable\r\n"), "{name} {head}");
                assert!(head.contains("\r\nvary: Accept-Encoding\r\n"), "{name} {head}");
                bytes += head.len() + packed.len();
                let (stem, extension) = name.rsplit_once('/').unwrap().1.rsplit_once('.').unwrap();
                let stem = stem.rsplit_once('-').unwrap().0;
                let source = std::fs::read(format!("{}/src/http/admin/assets/{stem}.{extension}", env!("CARGO_MANIFEST_DIR"))).unwrap();
                let mut sent = packed.clone();
                if head.contains("\r\ncontent-encoding: gzip\r\n") {
                    sent.clear();
                    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut sent).unwrap();
                }
                assert_eq!(sent, source, "{name}");
            }
            assert!(bytes <= 60 * 1024, "{path} takes {bytes} bytes");
        }
        for (file, most) in [("wardroom.js", 8), ("wardroom.css", 24)] {
            let length = std::fs::metadata(format!("{}/src/http/admin/assets/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap().len();
            assert!(length <= most * 1024, "{file} has {length} bytes");
        }
        // Who accepts no compression gets none.
        let (head, body) = over_the_wire(&site, "/admin/sign-in", "").await;
        let html = String::from_utf8(body).unwrap();
        let css = html.split('"').find(|part| part.ends_with(".css")).unwrap_or_else(|| panic!("{head}"));
        let plain = site.get(css).send().await;
        assert_eq!(plain.header("content-encoding"), None);
        assert!(plain.body.starts_with("/*"));
    }
}
