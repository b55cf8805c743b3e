//! Groups on the admin site: forms, their errors, stale objects, members.

use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft};

use crate::support::site::operator;
use crate::support::{Answer, Backend, Browser, Site, both};

/// The value of a hidden field.
fn hidden(answer: &Answer, name: &str) -> String {
    let start =
        answer.body.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name} {answer}"));
    let value = &answer.body[start + name.len() + 15..];
    value.split('"').next().unwrap().to_owned()
}

async fn many(site: &Site, number: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 0..number {
        let draft = UserDraft { username: Some(format!("many-{number:02}")), ..UserDraft::default() };
        ids.push(site.directory().create_user(&operator(), &draft, None).await.unwrap().id.get());
    }
    ids
}

both! {
    /// Line 16: a form that fails keeps what was typed, with the error beside its field; one that works leads to the group.
    async fn groups_are_created_by_a_form(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let form = [("name", "Support"), ("notes", "First line\r\nAll regions"), ("had_rights", "1"), ("permissions", "2"), ("permissions", "6")];
        let done = browser.post("/admin/groups/new", &form).await;
        let path = done.header("location").unwrap_or_else(|| panic!("{done}")).to_owned();
        assert!(path.ends_with("?done=group-created"), "{path}");
        let page = browser.get(&path).await;
        assert!(page.body.contains("The group is created.") && page.body.contains("Read groups"), "{page}");
        assert_eq!(site.database.text("SELECT notes FROM groups WHERE name = 'Support'").await, "First line\nAll regions");
        let taken = browser.post("/admin/groups/new", &[("name", "Support"), ("notes", "typed <b>")]).await;
        assert_eq!(taken.status, 400, "{taken}");
        assert!(taken.body.contains("<title>Problem: New group"), "{taken}");
        assert!(taken.body.contains("id=\"f-name-err\"") && taken.body.contains("href=\"#f-name\""));
        assert!(taken.body.contains("value=\"Support\"") && taken.body.contains("typed &#60;b&#62;</textarea>"), "{taken}");
        assert_eq!(browser.post("/admin/groups/new", &[("name", "")]).await.status, 400);
        let unknown = browser.post("/admin/groups/new", &[("name", "Other"), ("had_rights", "1"), ("permissions", "98765")]).await;
        assert!(unknown.status == 400 && unknown.body.contains("id=\"f-permissions-err\""), "{unknown}");
        assert_eq!(browser.post("/admin/groups/new", &[("name", "Other"), ("shoe_size", "44")]).await.status, 400);
        assert_eq!(site.database.number("SELECT count(*) FROM groups").await, 4);
    }
}

both! {
    /// A person cannot give a right that they do not hold: the form says so, and keeps what was typed.
    async fn no_one_gives_a_right_that_they_lack(backend: Backend) {
        let site = Site::start(backend).await;
        let own = site.directory().create_permission(&operator(), None, "order_read").await.unwrap().id.to_string();
        let mut browser = Browser::of(&site, &site.holder).await;
        let form = browser.get("/admin/groups/new").await;
        assert!(form.body.contains("You do not hold it."), "{form}");
        let sent = [("name", "Orders"), ("had_rights", "1"), ("permissions", own.as_str())];
        let refused = browser.post("/admin/groups/new", &sent).await;
        assert_eq!(refused.status, 403, "{refused}");
        assert!(refused.body.contains("value=\"Orders\"") && refused.body.contains("a right that you do not hold"), "{refused}");
        assert_eq!(site.database.number("SELECT count(*) FROM groups WHERE name = 'Orders'").await, 0);
        // Rights that were not on the form stay as they are.
        let details = site.directory().group_details(&operator(), &GroupKey::Id(3.try_into().unwrap())).await.unwrap();
        let version = details.version();
        let sent = [("name", "Billing"), ("notes", "new"), ("version", version.as_str())];
        let saved = browser.post("/admin/groups/3/edit", &sent).await;
        assert_eq!(saved.header("location"), Some("/admin/groups/3?done=group-saved"), "{saved}");
    }
}

both! {
    /// Line 15: a lost race shows both versions, keeps what was typed and changes nothing. The next try is made from the new version.
    async fn a_stale_form_of_a_group_shows_both_versions(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let form = browser.get("/admin/groups/3/edit").await;
        let version = hidden(&form, "version");
        let key = GroupKey::Id(3.try_into().unwrap());
        let other = GroupDraft { name: Some("Invoices".into()), permissions: Some(vec![2]), ..GroupDraft::default() };
        site.directory().update_group(&operator(), &key, &other).await.unwrap();
        let typed = [("name", "Payments"), ("notes", ""), ("had_rights", "1"), ("permissions", "6")];
        let sent = |version| [&typed[..], &[("version", version)]].concat();
        let met = browser.post("/admin/groups/3/edit", &sent(&version)).await;
        assert_eq!(met.status, 409, "{met}");
        assert!(met.body.contains("Two edits met") && met.body.contains("Invoices"), "{met}");
        assert!(met.body.contains("value=\"Payments\"") && met.body.contains("group_read"), "{met}");
        assert_eq!(site.database.text("SELECT name FROM groups WHERE id = 3").await, "Invoices");
        let version = hidden(&met, "version");
        assert_eq!(browser.post("/admin/groups/3/edit", &sent(&version)).await.status, 303);
        assert_eq!(site.database.text("SELECT name FROM groups WHERE id = 3").await, "Payments");
        assert_eq!(site.database.number("SELECT permission_id FROM group_permissions WHERE group_id = 3").await, 6);
        site.directory().delete_group(&operator(), &key).await.unwrap();
        assert_eq!(browser.post("/admin/groups/3/edit", &sent(&version)).await.status, 404);
    }
}

both! {
    /// Members by check boxes and by names, all or none; removal asks first and can be taken back.
    async fn members_join_and_leave(backend: Backend) {
        let site = Site::start(backend).await;
        let ids = many(&site, 60).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let found = browser.get("/admin/groups/3/members/add?search=many-0").await;
        assert_eq!(found.body.matches("name=\"users\"").count(), 10, "{found}");
        let members = "SELECT count(*) FROM memberships WHERE group_id = 3";
        assert_eq!(site.database.number(members).await, 1);
        let names: Vec<_> = (1..60).map(|number| format!(" many-{number:02} ")).collect();
        let first = ids[0].to_string();
        let wrong = format!("{}\r\nno-such-person", names.join("\r\n"));
        let refused = browser.post("/admin/groups/3/members/add", &[("users", &first), ("names", &wrong), ("search", "many-00")]).await;
        assert_eq!(refused.status, 400, "{refused}");
        assert!(refused.body.contains("id=\"f-names-err\"") && refused.body.contains("no-such-person"), "{refused}");
        assert!(refused.body.contains(&format!("value=\"{first}\" aria-describedby=\"f-u{first}-h\" checked")), "{refused}");
        assert_eq!(site.database.number(members).await, 1, "all or none");
        let added = browser.post("/admin/groups/3/members/add", &[("users", &first), ("names", &names.join("\r\n"))]).await;
        assert_eq!(added.header("location"), Some("/admin/groups/3?done=members-added"), "{added}");
        assert_eq!(site.database.number(members).await, 61);
        let same = browser.post("/admin/groups/3/members/add", &[("users", &first)]).await;
        assert_eq!(same.header("location"), Some("/admin/groups/3?done=members-unchanged"));
        let empty = browser.post("/admin/groups/3/members/add", &[("names", " \r\n")]).await;
        assert!(empty.status == 400 && empty.body.contains("Choose at least one person"), "{empty}");

        let page = browser.get("/admin/groups/3").await;
        let rows = |answer: &Answer| answer.body.matches("<th scope=\"row\">").count();
        assert!(rows(&page) == 50 && page.body.contains("rel=\"next\""), "{page}");
        let at = page.body.find("/admin/groups/3?after=").unwrap();
        let next = page.body[at..].split('"').next().unwrap().to_owned();
        let next = browser.get(&next).await;
        assert!(rows(&next) == 11 && !next.body.contains("rel=\"next\"") && next.body.contains("First page"), "{next}");
        let search = browser.get("/admin/groups/3?search=many-1").await;
        assert!(rows(&search) == 10 && search.body.contains("many-10") && !search.body.contains("many-20"), "{search}");

        let ask = format!("/admin/groups/3/members/remove?users={}&users={}&users={}", ids[0], ids[1], site.plain.id);
        let asked = browser.get(&ask).await;
        assert!(asked.status == 200 && asked.body.contains("Remove 2 people from"), "{asked}");
        let (one, two) = (ids[0].to_string(), ids[1].to_string());
        let removed = browser.post("/admin/groups/3/members/remove", &[("users", &one), ("users", &two)]).await;
        let location = removed.header("location").unwrap().to_owned();
        assert!(location.starts_with("/admin/groups/3?done=members-removed&undo="), "{location}");
        assert_eq!(site.database.number(members).await, 59);
        let page = browser.get(&location).await;
        assert!(page.body.contains("action=\"/admin/groups/3/members/add\" method=\"post\"><input type=\"hidden\" name=\"users\""), "{page}");
        assert_eq!(browser.post("/admin/groups/3/members/add", &[("users", &one), ("users", &two)]).await.status, 303);
        assert_eq!(site.database.number(members).await, 61);
    }
}

both! {
    /// Staff cannot add an admin to a group or take one out, nor change their own groups: the page says why.
    async fn members_who_are_beyond_staff_stay(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        for id in [site.admin.id, site.holder.id] {
            let id = id.to_string();
            let refused = browser.post("/admin/groups/3/members/add", &[("users", &id)]).await;
            assert!(refused.status == 403 && refused.body.contains("Nothing was saved"), "{refused}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM memberships WHERE group_id = 3").await, 1);
    }
}

both! {
    /// Line 14: a deletion asks first, notices changes since, and the page after it offers to take it back.
    async fn a_deleted_group_can_be_brought_back_at_once(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let asked = browser.get("/admin/groups/3/delete").await;
        assert!(asked.body.contains("1 member leaves") && asked.body.contains("You can take this back until"), "{asked}");
        let version = hidden(&asked, "version");
        let key = GroupKey::Id(3.try_into().unwrap());
        let other = GroupDraft { notes: Some(Some("new".into())), ..GroupDraft::default() };
        site.directory().update_group(&operator(), &key, &other).await.unwrap();
        let stale = browser.post("/admin/groups/3/delete", &[("version", &version)]).await;
        assert!(stale.status == 409 && stale.body.contains("has changed since you opened this page"), "{stale}");
        let version = hidden(&stale, "version");
        let done = browser.post("/admin/groups/3/delete", &[("version", &version)]).await;
        assert_eq!(done.header("location"), Some("/admin/groups?done=group-deleted&undo=3"), "{done}");
        let list = browser.get("/admin/groups?done=group-deleted&undo=3").await;
        assert!(list.body.contains("action=\"/admin/bin/groups/3/restore\""), "{list}");
        assert!(!list.body.contains("done%3D") && !list.body.contains("undo="), "{list}");
        let back = browser.post("/admin/bin/groups/3/restore", &[]).await;
        assert_eq!(back.header("location"), Some("/admin/groups/3?done=group-restored"), "{back}");
        assert_eq!(site.database.number("SELECT count(*) FROM memberships WHERE group_id = 3").await, 1);
        // An address cannot make the page offer anything else.
        let list = browser.get("/admin/groups?done=group-deleted&undo=3%2F..%2F4").await;
        assert!(!list.body.contains(">Undo<") && !list.body.contains("Undo</button>"), "{list}");
    }
}

both! {
    /// Where nothing is kept, a deletion cannot be taken back, and needs a recent proof.
    async fn a_permanent_deletion_of_a_group_needs_a_proof(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.keep_deleted_for = std::time::Duration::ZERO).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let asked = browser.get("/admin/groups/3/delete").await;
        assert!(asked.body.contains("This cannot be taken back."), "{asked}");
        let version = hidden(&asked, "version");
        site.clock.set("2025-09-01T12:20:00Z".parse().unwrap());
        for answer in [
            browser.get("/admin/groups/3/delete").await,
            browser.post("/admin/groups/3/delete", &[("version", &version)]).await,
        ] {
            let expected = "/admin/confirm?next=%2Fadmin%2Fgroups%2F3%2Fdelete";
            assert_eq!(answer.header("location"), Some(expected), "{answer}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM groups WHERE id = 3").await, 1);
        site.clock.set("2025-09-01T12:05:00Z".parse().unwrap());
        let done = browser.post("/admin/groups/3/delete", &[("version", &version)]).await;
        assert_eq!(done.header("location"), Some("/admin/groups?done=group-gone"), "{done}");
        assert_eq!(site.database.number("SELECT count(*) FROM groups WHERE id = 3").await, 0);
    }
}
