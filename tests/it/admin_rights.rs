//! Pages of groups, permissions, the audit trail and the recycle bin: who sees which, what they cost, and that stored text is inert.

use crate::admin_pages::check;
use crate::support::site::{operator, person};
use crate::support::{Backend, Browser, Site, both};
use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};

/// Objects that the pages are about.
struct Material {
    own_permission: i64,
    deleted_user: i64,
    deleted_group: i64,
}

async fn material(site: &Site) -> Material {
    let directory = site.directory();
    let own = directory.create_permission(&operator(), None, "order_read").await.unwrap();
    let gone = UserDraft { username: Some("gone".into()), ..UserDraft::default() };
    let gone = directory.create_user(&operator(), &gone, None).await.unwrap();
    directory.delete_user(&operator(), &UserKey::Id(gone.id)).await.unwrap();
    let group = GroupDraft { name: Some("Gone group".into()), ..GroupDraft::default() };
    let group = directory.create_group(&operator(), &group).await.unwrap();
    directory.delete_group(&operator(), &GroupKey::Id(group.id)).await.unwrap();
    Material { own_permission: own.id.get(), deleted_user: gone.id.get(), deleted_group: group.id.get() }
}

/// Every page: its path, and its status for an admin, for staff with every built-in right, with the right to read groups, and
/// with the right to read the audit trail.
fn pages(material: &Material) -> Vec<(String, [u16; 4])> {
    let Material { own_permission, deleted_user, deleted_group } = material;
    let fixed = [
        ("/admin/groups", [200, 200, 200, 403]),
        ("/admin/groups?search=bill&users_count_min=1&ordering=-users_count", [200, 200, 200, 403]),
        ("/admin/groups?users_count_min=many&shoe_size=44", [400, 400, 400, 400]),
        ("/admin/groups/new", [200, 200, 403, 403]),
        // Who may not read groups never learns whether an id exists.
        ("/admin/groups/3", [200, 200, 200, 404]),
        ("/admin/groups/3?search=alex", [200, 200, 200, 404]),
        ("/admin/groups/3/edit", [200, 200, 403, 404]),
        ("/admin/groups/3/delete", [200, 200, 403, 404]),
        ("/admin/groups/3/members/add?search=a", [200, 200, 403, 404]),
        ("/admin/groups/3/members/remove?users=42", [200, 200, 403, 404]),
        ("/admin/groups/3/members/remove?users=43", [400, 400, 403, 404]),
        ("/admin/groups/987654", [404, 404, 404, 404]),
        ("/admin/groups/x", [404, 404, 404, 404]),
        ("/admin/permissions", [200, 200, 403, 403]),
        ("/admin/permissions?search=user&ordering=-name", [200, 200, 403, 403]),
        ("/admin/permissions?ordering=size", [400, 400, 403, 403]),
        ("/admin/permissions/1", [200, 200, 404, 404]),
        ("/admin/permissions/987654", [404, 404, 404, 404]),
        ("/admin/permissions/new", [200, 403, 403, 403]),
        ("/admin/permissions/1/edit", [403, 403, 404, 404]),
        ("/admin/audit", [200, 200, 403, 200]),
        ("/admin/audit?actor_name=test&action=user.create&from=2025-08-01", [200, 200, 403, 200]),
        ("/admin/audit?from=yesterday&object_kind=planet", [400, 400, 400, 400]),
        ("/admin/audit/verify", [200, 200, 403, 200]),
        ("/admin/bin", [200, 200, 403, 403]),
        ("/admin/bin?search=gone&deleted_from=2025-01-01", [200, 200, 403, 403]),
        ("/admin/bin?deleted_from=x", [400, 400, 400, 400]),
        ("/admin/bin/groups", [200, 200, 403, 403]),
        ("/admin/bin/users/987654/purge", [404, 404, 404, 404]),
    ];
    let made = [
        (format!("/admin/permissions/{own_permission}"), [200, 200, 404, 404]),
        (format!("/admin/permissions/{own_permission}/edit"), [200, 403, 404, 404]),
        (format!("/admin/permissions/{own_permission}/remove"), [200, 403, 404, 404]),
        (format!("/admin/bin/users/{deleted_user}/purge"), [200, 200, 404, 404]),
        (format!("/admin/bin/groups/{deleted_group}/purge"), [200, 200, 404, 404]),
    ];
    fixed.into_iter().map(|(path, statuses)| (path.to_owned(), statuses)).chain(made).collect()
}

both! {
    /// Line 2: every page for an admin, for staff with every right, with one, with none, and for a stranger.
    async fn pages_of_records_are_open_to_those_with_the_right(backend: Backend) {
        let site = Site::start(backend).await;
        let pages = pages(&material(&site).await);
        let group_reader = person(site.directory(), "group-reader", |draft| {
            draft.is_staff = Some(true);
            // 1202, to read groups.
            draft.permissions = Some(vec![2]);
        });
        let group_reader = group_reader.await;
        let auditor = person(site.directory(), "auditor", |draft| {
            draft.is_staff = Some(true);
            // 1242, to read the audit trail.
            draft.permissions = Some(vec![13]);
        });
        let auditor = auditor.await;
        for (column, who) in [&site.admin, &site.holder, &group_reader, &auditor].into_iter().enumerate() {
            let mut browser = Browser::of(&site, who).await;
            for (path, statuses) in &pages {
                let answer = browser.get(path).await;
                assert_eq!(answer.status, statuses[column], "{column} {path} {answer}");
                check(path, &answer);
            }
        }
        for who in [&site.staff, &site.plain] {
            let mut browser = Browser::of(&site, who).await;
            for (path, _) in &pages {
                assert_eq!(browser.get(path).await.status, 403, "{path}");
            }
        }
        for (path, _) in &pages {
            let answer = Browser::new(&site).get(path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.header("location").unwrap().starts_with("/admin/sign-in?next="), "{path}");
        }
    }
}

both! {
    /// Line 4: a page takes at most six statements, however much it shows.
    async fn pages_of_records_take_few_statements(backend: Backend) {
        let site = Site::start(backend).await;
        let pages = pages(&material(&site).await);
        let mut browser = Browser::of(&site, &site.admin).await;
        for (path, _) in &pages {
            // The first visit reads the session.
            browser.get(path).await;
            let before = site.directory().counters().reads.get();
            browser.get(path).await;
            let reads = site.directory().counters().reads.get() - before;
            assert!(reads <= 6, "{path} takes {reads} statements");
        }
    }
}

both! {
    /// Forms of people without the right change nothing, whatever they are sent to.
    async fn forms_need_the_right_at_the_time_of_the_form(backend: Backend) {
        let site = Site::start(backend).await;
        let made = material(&site).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let Material { own_permission, deleted_user, deleted_group } = &made;
        site.database.sql(&format!("DELETE FROM user_permissions WHERE user_id = {} AND permission_id <> 2", site.holder.id)).await;
        let count = "SELECT count(*) FROM audit_events WHERE action LIKE 'group.%' OR action LIKE 'permission.%' OR action LIKE 'user.%'";
        let before = site.database.number(count).await;
        for (path, form) in [
            ("/admin/groups/new".to_owned(), vec![("name", "New")]),
            ("/admin/groups/3/edit".to_owned(), vec![("name", "New"), ("notes", ""), ("version", "")]),
            ("/admin/groups/3/delete".to_owned(), vec![("version", "")]),
            ("/admin/groups/3/members/add".to_owned(), vec![("users", "1")]),
            ("/admin/groups/3/members/remove".to_owned(), vec![("users", "42")]),
            ("/admin/permissions/new".to_owned(), vec![("name", "new_one")]),
            (format!("/admin/permissions/{own_permission}/edit"), vec![("name", "new_one")]),
            (format!("/admin/permissions/{own_permission}/remove"), vec![]),
            ("/admin/audit/verify".to_owned(), vec![]),
            (format!("/admin/bin/users/{deleted_user}/restore"), vec![]),
            (format!("/admin/bin/users/{deleted_user}/purge"), vec![]),
            (format!("/admin/bin/groups/{deleted_group}/restore"), vec![]),
            (format!("/admin/bin/groups/{deleted_group}/purge"), vec![]),
        ] {
            let answer = browser.post(&path, &form).await;
            assert!([403, 404].contains(&answer.status), "{path} {answer}");
            check(&path, &answer);
            let stranger = Browser::new(&site).post(&path, &form).await;
            assert_eq!(stranger.status, 303, "{path}");
            // A form of another site.
            let foreign = browser.request("POST", &path).header("Sec-Fetch-Site", "cross-site");
            assert_eq!(foreign.body("application/x-www-form-urlencoded", "").send().await.status, 403, "{path}");
        }
        assert_eq!(site.database.number(count).await, before);
    }
}

both! {
    /// Line 20: text that someone chose is shown as text, on every page.
    async fn stored_text_is_inert_on_pages_of_records(backend: Backend) {
        let site = Site::start(backend).await;
        let made = material(&site).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for payload in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "'><svg onload=alert(1)>",
            "</textarea><script>alert(1)</script>",
            "</title><script>alert(1)</script>",
            "{{7*7}}<iframe src=javascript:alert(1)>",
        ] {
            let text = payload.replace('\'', "''");
            site.database.sql(&format!("UPDATE groups SET name = '{text}', notes = '{text}' WHERE id = 3")).await;
            site.database.sql(&format!("UPDATE users SET first_name = '{text}', email = '{text}' WHERE id = 42")).await;
            site.database.sql(&format!("UPDATE permissions SET name = '{text}' WHERE id = {}", made.own_permission)).await;
            site.database.sql(&format!("UPDATE deleted_users SET username = '{text}', email = '{text}', deleted_by = '{text}'")).await;
            site.database.sql(&format!("UPDATE deleted_groups SET name = '{text}', deleted_by = '{text}'")).await;
            let draft = GroupDraft { name: Some(format!("new {payload}")), ..GroupDraft::default() };
            let new = site.directory().create_group(&operator(), &draft).await.unwrap();
            for (path, _) in pages(&made) {
                let answer = browser.get(&path).await;
                assert!(!answer.body.contains(payload), "{path} {payload}");
            }
            let path = format!("/admin/groups/{}", new.id);
            assert!(!browser.get(&path).await.body.contains(payload), "{payload}");
            let form = [("name", payload), ("notes", payload), ("version", "old")];
            let answer = browser.post("/admin/groups/3/edit", &form).await;
            assert_eq!(answer.status, 409, "{answer}");
            assert!(!answer.body.contains(payload), "{payload}");
            let answer = browser.post("/admin/groups/3/members/add", &[("names", payload), ("search", payload)]).await;
            assert_eq!(answer.status, 400, "{answer}");
            assert!(!answer.body.contains(payload), "{payload}");
        }
    }
}
