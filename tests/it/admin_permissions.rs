//! Permissions on the admin site: who has one; those of one's own.

use wardroom::directory::model::{GroupDraft, UserDraft};

use crate::support::site::operator;
use crate::support::{Answer, Backend, Browser, Site, both};

both! {
    /// Who has a permission, directly and by group, a page at a time; each part needs the right to read it.
    async fn a_permission_shows_who_has_it(backend: Backend) {
        let site = Site::start(backend).await;
        let own = site.directory().create_permission(&operator(), None, "order_read").await.unwrap().id;
        for number in 0..60 {
            let permissions = Some(vec![own.get()]);
            let draft = UserDraft { username: Some(format!("many-{number:02}")), permissions: permissions.clone(), ..UserDraft::default() };
            site.directory().create_user(&operator(), &draft, None).await.unwrap();
            let draft = GroupDraft { name: Some(format!("Group {number:02}")), permissions, ..GroupDraft::default() };
            site.directory().create_group(&operator(), &draft).await.unwrap();
        }
        let path = format!("/admin/permissions/{own}");
        let mut browser = Browser::of(&site, &site.admin).await;
        let rows = |answer: &Answer| answer.body.matches("<th scope=\"row\">").count();
        let page = browser.get(&path).await;
        assert_eq!(rows(&page), 100, "{page}");
        let link = |name: &str| {
            let at = page.body.find(&format!("{path}?{name}=")).unwrap_or_else(|| panic!("{name} {page}"));
            page.body[at..].split(['"', '#', '&']).next().unwrap().to_owned()
        };
        let users = browser.get(&link("after_user")).await;
        assert!(rows(&users) == 60 && users.body.contains("many-59") && !users.body.contains("many-00"), "{users}");
        let groups = browser.get(&link("after_group")).await;
        assert!(rows(&groups) == 60 && groups.body.contains("Group 59") && !groups.body.contains("Group 00"), "{groups}");
        // Without the rights to read users and groups, neither is shown.
        let keep = format!("DELETE FROM user_permissions WHERE user_id = {} AND permission_id NOT IN (SELECT id FROM permissions WHERE code = 1252)", site.holder.id);
        site.database.sql(&keep).await;
        let mut reader = Browser::of(&site, &site.holder).await;
        let page = reader.get(&path).await;
        assert!(page.status == 200 && rows(&page) == 0, "{page}");
        assert!(!page.body.contains("many-0") && !page.body.contains("Group 0"), "{page}");
    }
}

both! {
    /// Admins create, rename and remove permissions of their own; what does not work says why.
    async fn admins_change_permissions_of_their_own(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for (form, field) in [
            ([("name", "Order Read"), ("code", "")], "name"),
            ([("name", "user_read"), ("code", "")], "name"),
            ([("name", "order_read"), ("code", "12")], "code"),
            ([("name", "order_read"), ("code", "many")], "code"),
        ] {
            let answer = browser.post("/admin/permissions/new", &form).await;
            assert_eq!(answer.status, 400, "{form:?} {answer}");
            assert!(answer.body.contains(&format!("id=\"f-{field}-err\"")), "{form:?} {answer}");
            assert!(answer.body.contains(&format!("value=\"{}\"", form[0].1)), "{form:?} {answer}");
        }
        let made = browser.post("/admin/permissions/new", &[("name", "order_read"), ("code", " 20000 ")]).await;
        let path = made.header("location").unwrap_or_else(|| panic!("{made}")).split('?').next().unwrap().to_owned();
        assert_eq!(site.database.number("SELECT code FROM permissions WHERE name = 'order_read'").await, 20_000);
        let wrong = browser.post(&format!("{path}/edit"), &[("name", "user_read")]).await;
        assert!(wrong.status == 400 && wrong.body.contains("id=\"f-name-err\""), "{wrong}");
        let done = browser.post(&format!("{path}/edit"), &[("name", "order_list")]).await;
        assert_eq!(done.header("location"), Some(format!("{path}?done=permission-renamed").as_str()), "{done}");
        for action in ["edit", "remove"] {
            let built_in = browser.post(&format!("/admin/permissions/1/{action}"), &[("name", "other")]).await;
            assert!(built_in.status == 403 && built_in.body.contains("is built in"), "{built_in}");
        }
        // It cannot be taken back, so it needs a recent proof.
        let remove = format!("{path}/remove");
        let asked = browser.get(&remove).await;
        assert!(asked.body.contains("0 groups") && asked.body.contains("This cannot be taken back."), "{asked}");
        site.clock.set("2025-09-01T12:20:00Z".parse().unwrap());
        for answer in [browser.get(&remove).await, browser.post(&remove, &[]).await] {
            assert!(answer.header("location").is_some_and(|to| to.starts_with("/admin/confirm?next=")), "{answer}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM permissions WHERE code = 20000").await, 1);
        site.clock.set("2025-09-01T12:05:00Z".parse().unwrap());
        let done = browser.post(&remove, &[]).await;
        assert_eq!(done.header("location"), Some("/admin/permissions?done=permission-removed"), "{done}");
        assert_eq!(browser.post(&remove, &[]).await.status, 404);
    }
}

both! {
    /// The list is searched in words, codes and names.
    async fn permissions_are_found_by_words(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let rows = |answer: &Answer| answer.body.matches("<th scope=\"row\">").count();
        for (query, count) in [("", 15), ("?search=1242", 1), ("?search=AUDIT", 1), ("?search=deleted+ones", 2), ("?search=nothing", 0)] {
            let answer = browser.get(&format!("/admin/permissions{query}")).await;
            assert_eq!(rows(&answer), count, "{query} {answer}");
        }
        let last = browser.get("/admin/permissions?ordering=-code").await;
        assert!(last.body.find("1282").unwrap() < last.body.find("1201").unwrap());
    }
}
