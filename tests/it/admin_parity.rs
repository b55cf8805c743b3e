//! What makes lists of the admin site complete: names in filters, CSV, saved views; pictures of people; and forms that come too
//! late, from elsewhere, or about no one.

use wardroom::directory::model::UserDraft;

use crate::admin_pages::check;
use crate::admin_tokens::content;
use crate::avatars::{FORM, complete, file, form, png};
use crate::support::site::{Persona, operator, person};
use crate::support::{Answer, Backend, Browser, Site, both};

/// Staff with these permissions, by id.
async fn staff_with(site: &Site, name: &str, permissions: &[i64]) -> Persona {
    let made = person(site.directory(), name, |draft| {
        draft.is_staff = Some(true);
        draft.permissions = Some(permissions.to_vec());
    });
    made.await
}

both! {
    /// No filter needs a number: names lead to the address with the numbers, which the API understands, too.
    async fn users_and_groups_are_chosen_by_name(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for (path, expected) in [
            ("/admin/users?named_group_id=Billing&is_staff=true", "/admin/users?is_staff=true&group_id=3"),
            ("/admin/users?group_id=7&named_group_id=+Billing+", "/admin/users?group_id=3"),
            ("/admin/users?named_groups_in=Billing%0D%0AOn+call%0D%0A", "/admin/users?groups_in=3%2C7"),
            ("/admin/users?named_group_id=7", "/admin/users?group_id=7"),
            ("/admin/tokens?named_user_id=alex_thompson", "/admin/tokens?user_id=42"),
        ] {
            let led = browser.get(path).await;
            assert_eq!((led.status, led.header("location")), (303, Some(expected)), "{path}");
            let page = browser.get(expected).await;
            assert_eq!(page.status, 200, "{expected}");
            check(expected, &page);
        }
        let page = browser.get("/admin/users?group_id=3&groups_in=1,7").await;
        assert!(page.body.contains("<bdi>in Billing</bdi>") && page.body.contains("<bdi>in Staff room or On call</bdi>"), "{page}");
        assert!(page.body.contains("name=\"named_group_id\" type=\"text\" value=\"Billing\""), "{page}");
        assert!(page.body.contains(">Staff room\nOn call</textarea>") && !page.body.contains("name=\"group_id\""), "{page}");
        let page = browser.get("/admin/tokens?user_id=42").await;
        assert!(page.body.contains("<bdi>of alex_thompson</bdi>") && page.body.contains("value=\"alex_thompson\""), "{page}");
        // An empty field is no filter, and a group that does not exist has no members.
        assert_eq!(browser.get("/admin/users?named_group_id=&named_groups_in=").await.status, 200);
        let none = browser.get("/admin/users?group_id=987654").await;
        assert!(none.status == 200 && none.body.contains("No user fits") && none.body.contains("in 987654"), "{none}");
        // A name that no group has: those that may be meant are links, and what was typed stays.
        let similar = browser.get("/admin/users?named_group_id=bill&is_staff=true").await;
        check("similar", &similar);
        assert_eq!(similar.status, 400);
        assert!(similar.body.contains("no group with exactly the name “bill”") && similar.body.contains("value=\"bill\""), "{similar}");
        assert!(similar.body.contains("<a href=\"/admin/users?is_staff=true&#38;group_id=3\"><bdi>Billing</bdi></a>"), "{similar}");
        assert!(similar.body.contains("id=\"f-group_id-err\"") && similar.body.contains("href=\"#f-group_id\""), "{similar}");
        let unknown = browser.get("/admin/tokens?named_user_id=no-such-person").await;
        assert!(unknown.status == 400 && unknown.body.contains("There is no user with the name “no-such-person”."), "{unknown}");
        // Who may not read groups names them by number, and learns no names.
        let reader = staff_with(&site, "user-reader", &[6]).await;
        let mut reader = Browser::of(&site, &reader).await;
        assert_eq!(reader.get("/admin/users?named_group_id=3").await.status, 303);
        let refused = reader.get("/admin/users?named_group_id=Bill").await;
        assert!(refused.status == 400 && !refused.body.contains("Billing"), "{refused}");
        let page = reader.get("/admin/users?group_id=3").await;
        assert!(page.body.contains("<bdi>in 3</bdi>") && !page.body.contains("Billing"), "{page}");
    }
}

both! {
    /// The list of users takes at most six statements, whatever its filters name.
    async fn lists_with_names_take_few_statements(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for path in ["/admin/users?group_id=3&groups_in=1,7", "/admin/tokens?user_id=42", "/admin/sessions", "/admin/account"] {
            browser.get(path).await;
            let before = site.directory().counters().reads.get();
            assert_eq!(browser.get(path).await.status, 200);
            let reads = site.directory().counters().reads.get() - before;
            assert!(reads <= 6, "{path} takes {reads} statements");
        }
    }
}

both! {
    /// Every list is there as CSV, with the filters of its page and the rights of its page.
    async fn every_list_is_sent_as_csv(backend: Backend) {
        let site = Site::start(backend).await;
        for name in ["gone-a", "gone-b"] {
            let draft = UserDraft { username: Some(name.to_owned()), ..UserDraft::default() };
            let gone = site.directory().create_user(&operator(), &draft, None).await.unwrap();
            site.directory().delete_user(&operator(), &wardroom::directory::model::UserKey::Id(gone.id)).await.unwrap();
        }
        site.directory().delete_group(&operator(), &"Staff room".parse().unwrap()).await.unwrap();
        site.directory().create_permission(&operator(), None, "order_read").await.unwrap();
        let mut browser = Browser::of(&site, &site.holder).await;
        for (list, path, file, head, row) in [
            ("/admin/bin", "/admin/bin.csv", "deleted-users.csv", "id,username,email,deleted_at,deleted_by", ",gone-a,"),
            ("/admin/bin/groups", "/admin/bin/groups.csv", "deleted-groups.csv", "id,name,users_count,deleted_at,deleted_by", "1,Staff room,1,"),
            ("/admin/sessions", "/admin/sessions.csv", "sessions.csv", "id,name,kind,state,", ",browser,active,"),
            ("/admin/permissions", "/admin/permissions.csv", "permissions.csv", "id,code,name,is_built_in,allows", ",10000,order_read,false,"),
            ("/admin/audit", "/admin/audit.csv", "audit.csv", "id,at,actor_kind,actor_id,actor_name,action,", ",permission.create,permission,"),
            ("/admin/users", "/admin/users.csv", "users.csv", "id,username,", ",alex_thompson,"),
            ("/admin/groups", "/admin/groups.csv", "groups.csv", "id,name,", "3,Billing,"),
            ("/admin/tokens", "/admin/tokens.csv", "tokens.csv", "id,name,kind,", ",imported,active,42,"),
        ] {
            let page = browser.get(list).await;
            assert!(page.body.contains(&format!("href=\"{path}")), "{list} has no link to its CSV: {page}");
            let csv = browser.get(path).await;
            assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8; header=present")), "{path}");
            assert_eq!(csv.header("content-disposition"), Some(format!("attachment; filename=\"{file}\"").as_str()));
            assert!(content(&csv).starts_with(&format!("\u{feff}{head}")) && content(&csv).contains(row), "{path} {csv}");
            let mut stranger = Browser::new(&site);
            assert_eq!(stranger.get(path).await.status, 303, "{path}");
            let mut other = Browser::of(&site, &site.staff).await;
            assert_eq!(other.get(path).await.status, 403, "{path}");
        }
        let filtered = browser.get("/admin/bin.csv?search=gone-b").await;
        assert!(content(&filtered).contains("gone-b") && !content(&filtered).contains("gone-a"), "{filtered}");
        let sessions = browser.get("/admin/sessions.csv").await;
        assert!(!content(&sessions).contains(",imported,"), "{sessions}");
        let found = browser.get("/admin/permissions.csv?search=order").await;
        assert_eq!(content(&found).matches("\r\n").count(), 2, "{found}");
        let events = browser.get("/admin/audit.csv?action=user.delete").await;
        assert_eq!(content(&events).matches("user.delete").count(), 2, "{events}");
        for wrong in ["/admin/audit.csv?from=x", "/admin/bin.csv?deleted_from=x", "/admin/permissions.csv?ordering=size"] {
            assert_eq!(browser.get(wrong).await.status, 400, "{wrong}");
        }
    }
}

both! {
    /// The audit trail as CSV has every event of many pages once, and its cells are safe for spreadsheets.
    async fn the_audit_trail_is_sent_whole(backend: Backend) {
        let site = Site::start(backend).await;
        let columns = "at, actor_kind, actor_name, action, object_kind, object_name, changes, previous_hash, hash";
        let (series, hash) = match backend {
            Backend::Sqlite => ("(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 2100) SELECT n FROM s)", "x'00'"),
            Backend::Postgres => ("generate_series(1, 2100) AS s(n)", "'\\x00'"),
        };
        site.database.sql(&format!(
            "INSERT INTO audit_events ({columns}) SELECT n, 'operator', '=HYPERLINK(1)', 'filled', 'directory', '', '{{}}', {hash}, {hash} FROM {series}"
        )).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let csv = browser.get("/admin/audit.csv?action=filled").await;
        assert_eq!((csv.status, content(&csv).matches(",'=HYPERLINK(1),filled,").count()), (200, 2100));
        let ids: std::collections::BTreeSet<_> = content(&csv).lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), 2100, "an event is there twice");
    }
}

both! {
    /// A saved view is a name for the question of a list. Only its owner sees it.
    async fn views_are_saved_and_removed(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let list = browser.get("/admin/users?is_staff=true&group_id=3&ordering=-last_login").await;
        let query = "is_staff=true&group_id=3&ordering=-last_login";
        assert!(list.body.contains("Save this view") && list.body.contains(&query.replace('&', "&#38;")), "{list}");
        let save = async |browser: &mut Browser<'_>, place: &str, name: &str, query: &str| {
            browser.post("/admin/views", &[("place", place), ("name", name), ("query", query)]).await
        };
        let saved = save(&mut browser, "/admin/users", "<b>Billing</b> staff", query).await;
        let path = format!("/admin/users?{query}");
        assert_eq!(saved.header("location"), Some(format!("{path}&done=view-saved").as_str()), "{saved}");
        let page = browser.get(&path).await;
        check(&path, &page);
        assert!(page.body.contains("aria-current=\"page\"><bdi>&#60;b&#62;Billing&#60;/b&#62; staff</bdi>"), "{page}");
        // What leads a page further is not saved, and an old name gets the new question.
        assert_eq!(save(&mut browser, "/admin/users", "<b>Billing</b> staff", "is_admin=true&cursor=x&done=y&undo=1").await.status, 303);
        let stored = "SELECT query FROM saved_views ORDER BY name";
        assert_eq!(site.database.texts(stored).await, ["is_admin=true"]);
        for (place, query) in [("/admin/audit", "action=sign_in&before=7"), ("/admin/groups", "users_count_min=1"), ("/admin/bin/groups", "search=x"), ("/admin/permissions", "search=user"), ("/admin/sessions", "kind=sign_in")] {
            assert_eq!(save(&mut browser, place, "Mine", query).await.status, 303, "{place}");
            assert!(browser.get(place).await.body.contains("<bdi>Mine</bdi>"), "{place}");
        }
        let account = browser.get("/admin/account").await;
        check("/admin/account", &account);
        assert!(account.body.contains("Recycle bin: groups") && account.body.contains("href=\"/admin/audit?action=sign_in\""), "{account}");
        // Others see nothing of it.
        let mut other = Browser::of(&site, &site.holder).await;
        assert!(!other.get("/admin/groups").await.body.contains("<bdi>Mine</bdi>"));
        assert_eq!(other.post("/admin/views/remove", &[("place", "/admin/groups"), ("name", "Mine")]).await.status, 303);
        // Bad input changes nothing, and keeps what was typed.
        let before = site.database.number("SELECT count(*) FROM audit_events").await;
        let long = "x".repeat(61);
        for (place, name, query) in [("/admin/users", long.as_str(), "is_staff=true"), ("/admin/users", " ", "is_staff=true"), ("/admin/users", "Empty", "cursor=x")] {
            let refused = save(&mut browser, place, name, query).await;
            check("refused", &refused);
            assert!(refused.status == 400 && refused.body.contains("The view was not saved"), "{name} {refused}");
            assert!(refused.body.contains(&format!("value=\"{name}\"")) && refused.body.contains("id=\"f-name-err\""), "{refused}");
        }
        for place in ["/admin/settings", "//evil.example", "/admin/users/42", ""] {
            assert_eq!(save(&mut browser, place, "Name", "is_staff=true").await.status, 400, "{place}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM audit_events").await, before);
        // A query that nothing can read is shown as a list that says so.
        assert_eq!(save(&mut browser, "/admin/users", "Odd", "shoe_size=44").await.status, 303);
        assert_eq!(browser.get("/admin/users?shoe_size=44").await.status, 400);
        assert_eq!(browser.get("/admin/users").await.status, 200);
        for _ in 0..2 {
            let gone = browser.post("/admin/views/remove", &[("place", "/admin/groups"), ("name", "Mine")]).await;
            assert_eq!(gone.header("location"), Some("/admin/account?done=view-removed"));
        }
        assert!(!browser.get("/admin/groups").await.body.contains("<bdi>Mine</bdi>"));
        let events = "SELECT DISTINCT action FROM audit_events WHERE action LIKE 'view.%' ORDER BY action";
        assert_eq!(site.database.texts(events).await, ["view.remove", "view.save"]);
        // There is an end to it, and they go with their owner.
        site.database.sql(&format!("DELETE FROM saved_views WHERE user_id = {}", site.admin.id)).await;
        for number in 0..100 {
            site.database.sql(&format!("INSERT INTO saved_views (user_id, place, name, query) VALUES ({}, '/admin/users', 'n{number}', 'is_staff=true')", site.holder.id)).await;
        }
        let full = save(&mut other, "/admin/users", "One more", "is_staff=true").await;
        assert!(full.status == 400 && full.body.contains("100 saved views"), "{full}");
        assert_eq!(save(&mut other, "/admin/users", "n7", "is_admin=true").await.status, 303);
        site.directory().delete_user(&operator(), &wardroom::directory::model::UserKey::Id(site.holder.id.try_into().unwrap())).await.unwrap();
        assert_eq!(site.database.number("SELECT count(*) FROM saved_views").await, 0);
    }
}

/// Sends a file as the form for a picture does.
async fn upload(browser: &mut Browser<'_>, path: &str, content: &[u8]) -> Answer {
    let request = browser.request("POST", path).header("Sec-Fetch-Site", "same-origin");
    request.body(FORM, form(&[file(content)])).send().await
}

both! {
    /// People have pictures: their own, and with the right to change users, those of others.
    async fn pictures_are_shown_uploaded_and_removed(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let (own, others) = ("/admin/account/picture", format!("/admin/users/{}/picture", site.plain.id));
        assert!(browser.get("/admin/account").await.body.contains("Add a picture"));
        let avatar = async |who: &Persona| site.database.text(&format!("SELECT coalesce(avatar, '') FROM users WHERE id = {}", who.id)).await;
        for (path, back, who) in [(own, "/admin/account".to_owned(), &site.holder), (others.as_str(), format!("/admin/users/{}", site.plain.id), &site.plain)] {
            let page = browser.get(path).await;
            assert!(page.status == 200 && page.body.contains("enctype=\"multipart/form-data\""), "{page}");
            check(path, &page);
            let saved = upload(&mut browser, path, &png([9, 90, 200])).await;
            assert_eq!(saved.header("location"), Some(format!("{back}?done=picture-saved").as_str()), "{saved}");
            let name = avatar(who).await;
            assert!(complete(&site.media, &name), "{name}");
            let page = browser.get(&back).await;
            let shown = format!("src=\"http://localhost/media/{name}?size=128\" alt=\"\"");
            assert!(page.body.contains(&shown), "{shown} {page}");
            check(&back, &page);
            // What is no picture, nothing, and a picture of another site: nothing changes.
            let refused = upload(&mut browser, path, b"<svg onload=alert(1)>").await;
            check("refused", &refused);
            assert!(refused.status == 400 && refused.body.contains("id=\"f-avatar-err\""), "{refused}");
            let nothing = upload(&mut browser, path, b"").await;
            assert_eq!(nothing.status, 400, "{nothing}");
            assert_eq!(browser.post(path, &[]).await.status, 400);
            let foreign = browser.request("POST", path).header("Sec-Fetch-Site", "cross-site");
            assert_eq!(foreign.body(FORM, form(&[file(&png([1, 2, 3]))])).send().await.status, 403);
            let large = upload(&mut browser, path, &vec![b'x'; 6 << 20]).await;
            assert!([400, 413].contains(&large.status), "{large}");
            assert_eq!(avatar(who).await, name);
            assert_eq!(browser.post(path, &[("remove", "true")]).await.status, 303);
            assert_eq!(avatar(who).await, "");
        }
        // No other form of the site takes a file.
        let request = browser.request("POST", "/admin/account/profile").header("Sec-Fetch-Site", "same-origin");
        assert_eq!(request.body(FORM, form(&[file(&png([1, 2, 3]))])).send().await.status, 415);
        let admin = format!("/admin/users/{}/picture", site.admin.id);
        assert_eq!((browser.get(&admin).await.status, upload(&mut browser, &admin, &png([1, 2, 3])).await.status), (403, 403));
        let reader = staff_with(&site, "user-reader", &[6]).await;
        let mut reader = Browser::of(&site, &reader).await;
        assert_eq!((reader.get(&others).await.status, upload(&mut reader, &others, &png([1, 2, 3])).await.status), (403, 403));
        assert_eq!(avatar(&site.plain).await, "");
        // Pictures that were imported: a file here is shown, one of a server that the policy does not allow is not.
        let imported = browser.get("/admin/users/42").await;
        assert!(imported.body.contains("src=\"http://localhost/media/avatars/alex_profile.jpg\""), "{imported}");
        site.database.sql("UPDATE users SET avatar = 'https://pictures.example/x.png' WHERE id = 42").await;
        for path in ["/admin/users/42", "/admin/users"] {
            let foreign = browser.get(path).await;
            assert!(foreign.status == 200 && !foreign.body.contains("pictures.example"), "{foreign}");
        }
    }
}

/// Every form about users and tokens, for an id.
fn forms(user: i64, token: i64) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let users = [
        ("edit", vec![("username", "x"), ("etag", "")]),
        ("rights", vec![("etag", "")]),
        ("groups", vec![("add", "3")]),
        (
            "password",
            vec![("new_password", "a new long phrase"), ("new_password_again", "a new long phrase")],
        ),
        ("picture", vec![("remove", "true")]),
        ("sign-out", vec![]),
        ("admin", vec![]),
        ("deactivate", vec![]),
        ("activate", vec![]),
        ("unlock", vec![]),
        ("not-admin", vec![]),
        ("delete", vec![]),
        ("tokens/new", vec![("name", "x"), ("end", "never"), ("rights", "all")]),
    ];
    let tokens = [
        ("edit", vec![("name", "x"), ("end", "keep"), ("rights", "all")]),
        ("rotate", vec![("overlap", "0")]),
    ];
    let of_users = users.into_iter().map(|(path, form)| (format!("/admin/users/{user}/{path}"), form));
    let of_tokens = tokens.into_iter().map(|(path, form)| (format!("/admin/tokens/{token}/{path}"), form));
    of_users.chain(of_tokens).collect()
}

both! {
    /// Forms about no one, and forms of people who lost the right after the page was shown: a page says so, nothing changes.
    async fn forms_that_come_too_late_change_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let count = "SELECT count(*) FROM audit_events WHERE action NOT LIKE '%.refused' AND action NOT LIKE 'sign_in%'";
        let mut admin = Browser::of(&site, &site.admin).await;
        let before = site.database.number(count).await;
        for (path, form) in forms(987_654, 987_654) {
            let answer = admin.post(&path, &form).await;
            assert!([400, 404].contains(&answer.status), "{path} {answer}");
            check(&path, &answer);
        }
        let mut holder = Browser::of(&site, &site.holder).await;
        let before_loss = site.database.number(count).await;
        assert!(before_loss >= before);
        site.database.sql(&format!("DELETE FROM user_permissions WHERE user_id = {} AND permission_id <> 2", site.holder.id)).await;
        let token = site.database.number(&format!("SELECT id FROM tokens WHERE user_id = {}", site.plain.id)).await;
        for (path, form) in forms(site.plain.id, token) {
            let answer = holder.post(&path, &form).await;
            assert!([403, 404].contains(&answer.status), "{path} {answer}");
            check(&path, &answer);
            assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{path}");
        }
        assert_eq!(site.database.number(count).await, before_loss);
    }
}

both! {
    /// The cookie of another installation, or a forged one, is no session, for pages and for forms.
    async fn cookies_of_another_installation_are_no_sessions(backend: Backend) {
        let site = Site::start(backend).await;
        let elsewhere = Site::start(backend).await;
        let foreign = Browser::of(&elsewhere, &elsewhere.admin).await.cookie;
        let own = Browser::of(&site, &site.admin).await.cookie;
        let forged = format!("{}{}", &own[..own.len() - 1], if own.ends_with('0') { "1" } else { "0" });
        let count = "SELECT count(*) FROM audit_events WHERE action LIKE 'user.%'";
        let before = site.database.number(count).await;
        for cookie in [foreign, forged, format!("{own}x"), "__Host-wardroom=\u{e9}".to_owned()] {
            let mut browser = Browser { cookie: cookie.clone(), ..Browser::new(&site) };
            let page = browser.get("/admin/users/42").await;
            assert_eq!((page.status, page.header("location")), (303, Some("/admin/sign-in?next=%2Fadmin%2Fusers%2F42")), "{cookie}");
            let mut browser = Browser { cookie: cookie.clone(), ..Browser::new(&site) };
            let answer = browser.post("/admin/users/42/delete", &[]).await;
            assert!(answer.status == 303 && answer.header("location").unwrap().starts_with("/admin/sign-in"), "{cookie} {answer}");
        }
        assert_eq!(site.database.number(count).await, before);
    }
}

/// A database that is away: every form answers with a readable page that has the id of the request. (A SQLite server keeps the file
/// that it has opened, and can write to it when the path has none.)
#[tokio::test(flavor = "multi_thread")]
async fn forms_without_a_database_say_so() {
    let site = Site::start(Backend::Postgres).await;
    let mut browser = Browser::of(&site, &site.admin).await;
    let token =
        site.database.number(&format!("SELECT id FROM tokens WHERE user_id = {}", site.plain.id)).await;
    site.database.make_unavailable().await;
    let more = [
        ("/admin/sign-in".to_owned(), vec![("username", "admin"), ("password", "x")]),
        (
            "/admin/views".to_owned(),
            vec![("place", "/admin/users"), ("name", "x"), ("query", "is_staff=true")],
        ),
        ("/admin/groups/3/delete".to_owned(), vec![("version", "")]),
        ("/admin/account/profile".to_owned(), vec![("first_name", "x")]),
    ];
    let of_users = forms(site.plain.id, token)
        .into_iter()
        .filter(|(path, _)| path.ends_with("/sign-out") || path.ends_with("/delete"));
    for (path, form) in of_users.chain(more) {
        let answer = browser.post(&path, &form).await;
        assert_eq!(answer.status, 503, "{path} {answer}");
        check(&path, &answer);
        assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{path}");
        assert!(
            answer.body.contains("cannot reach its database") && !answer.body.contains("SELECT"),
            "{path} {answer}"
        );
    }
}
