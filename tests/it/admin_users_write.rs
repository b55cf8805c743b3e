//! The pages of the admin site that change users: who may open them, what they save, and what they refuse.

use wardroom::directory::model::{UserDraft, UserKey};

use crate::admin_pages::{check, hidden_fields};
use crate::support::browser::PASSWORD;
use crate::support::site::{moment, operator, person};
use crate::support::{Answer, Backend, Browser, Site, both};

/// Text that would act in a page that does not escape it.
const HOSTILE: &str = "\"'><script>alert(1)</script><img/src=x/onerror=alert(1)>{{7*7}}";

fn is_inert(path: &str, answer: &Answer) {
    check(path, answer);
    assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img/src"), "{path} {answer}");
}

/// The value of a hidden input.
fn hidden(answer: &Answer, name: &str) -> String {
    hidden_fields(answer)
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value)
        .unwrap_or_default()
}

/// The fields of the form for user 42, with changes.
fn form<'a>(etag: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let stored = [
        ("first_name", "Alex"),
        ("last_name", "Thompson"),
        ("username", "alex_thompson"),
        ("email", "alex.thompson@techcorp.com"),
        ("mobile_number", "+1-555-0123"),
        ("gender", "non-binary"),
        ("is_active", "true"),
        ("is_staff", "true"),
    ];
    let was = [
        "was_first_name",
        "was_last_name",
        "was_username",
        "was_email",
        "was_mobile_number",
        "was_gender",
        "was_is_active",
        "was_is_staff",
    ];
    let mut fields: Vec<_> = was.into_iter().zip(stored).map(|(name, (_, value))| (name, value)).collect();
    fields.extend(stored.map(|(name, value)| {
        (name, changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| *value))
    }));
    fields.push(("etag", etag));
    fields
}

both! {
    /// Every page that changes users, for anonymous, plain users, staff without and with the right, and admins.
    async fn pages_that_change_users_follow_the_rights(backend: Backend) {
        let site = Site::start(backend).await;
        let reader = person(site.directory(), "user-reader", |draft| {
            draft.is_staff = Some(true);
            // 1222, to read users.
            draft.permissions = Some(vec![6]);
        });
        let reader = reader.await;
        let admin_page = format!("/admin/users/{}/edit", site.admin.id);
        let rows = [
            // Path, status for: admin, holder of every right, reader of users, staff, plain.
            ("/admin/users/new", [200, 200, 403, 403, 403]),
            ("/admin/users/42/edit", [200, 200, 403, 403, 403]),
            (admin_page.as_str(), [200, 403, 403, 403, 403]),
            ("/admin/users/42/rights", [200, 200, 403, 403, 403]),
            ("/admin/users/42/groups?search=bill", [200, 200, 403, 403, 403]),
            ("/admin/users/42/groups/remove?group=3", [200, 200, 403, 403, 403]),
            ("/admin/users/42/password", [200, 200, 403, 403, 403]),
            ("/admin/users/42/deactivate", [200, 200, 403, 403, 403]),
            ("/admin/users/42/activate", [200, 200, 403, 403, 403]),
            ("/admin/users/42/unlock", [200, 200, 403, 403, 403]),
            ("/admin/users/42/not-admin", [200, 403, 403, 403, 403]),
            ("/admin/users/42/delete", [200, 200, 403, 403, 403]),
            ("/admin/users/42/nonsense", [404, 404, 404, 403, 403]),
            ("/admin/users/987654/edit", [404, 404, 404, 403, 403]),
            ("/admin/users/987654/delete", [404, 404, 404, 403, 403]),
            ("/admin/users/x/rights", [404, 404, 404, 403, 403]),
        ];
        site.database.sql(&format!("UPDATE users SET first_name = '{}' WHERE id = 42", HOSTILE.replace('\'', "''"))).await;
        for (place, who) in [&site.admin, &site.holder, &reader, &site.staff, &site.plain].into_iter().enumerate() {
            let mut browser = Browser::of(&site, who).await;
            for (path, statuses) in rows {
                // Statements of the page; the first request after a change also loads the identity.
                let before = site.app.metrics().database_reads.get();
                let answer = browser.get(path).await;
                let reads = site.app.metrics().database_reads.get() - before;
                assert_eq!(answer.status, statuses[place], "{} {path} {answer}", who.id);
                assert!(reads <= 7, "{path} reads {reads} times");
                is_inert(path, &answer);
            }
        }
        let mut stranger = Browser::new(&site);
        for (path, _) in rows {
            let answer = stranger.get(path).await;
            assert_eq!(answer.status, 303, "{path}");
            assert!(answer.header("location").unwrap().starts_with("/admin/sign-in?next="), "{path}");
        }
        for path in ["/admin/users/new", "/admin/users/42/edit", "/admin/users/42/delete", "/admin/users/bulk", "/admin/users/restore"] {
            assert_eq!(stranger.post(path, &[("id", "42")]).await.status, 303, "{path}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE id = 42").await, 1);
    }
}

both! {
    /// A new user: success, misuse with what was typed, rights that went meanwhile.
    async fn users_are_created_by_form(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let typed = [("username", "shirin"), ("first_name", "شیرین"), ("last_name", HOSTILE), ("email", "s@example.com"), ("mobile_number", ""), ("gender", "female"), ("is_active", "true"), ("password", PASSWORD)];
        let done = browser.post("/admin/users/new", &typed).await;
        assert_eq!(done.status, 303, "{done}");
        let page = browser.get(done.header("location").unwrap()).await;
        assert!(page.body.contains("The user is created.") && page.body.contains("شیرین"), "{page}");
        is_inert("new", &page);
        assert_eq!(Browser::new(&site).sign_in("shirin", PASSWORD).await.status, 303);
        // What is wrong is beside its field and in the summary, and everything but the password is still there.
        let wrong = [("username", "shirin"), ("first_name", HOSTILE), ("last_name", ""), ("email", "no address"), ("mobile_number", ""), ("gender", ""), ("is_staff", "true"), ("password", "short")];
        let answer = browser.post("/admin/users/new", &wrong).await;
        assert_eq!(answer.status, 400, "{answer}");
        assert!(answer.body.contains("<title>Problem: ") && answer.body.contains("id=\"f-email-err\"") && answer.body.contains("href=\"#f-email\""), "{answer}");
        assert!(answer.body.contains("value=\"no address\"") && !answer.body.contains("value=\"short\""));
        is_inert("new", &answer);
        let taken = [("username", "shirin"), ("first_name", ""), ("last_name", ""), ("email", ""), ("mobile_number", ""), ("gender", "")];
        let answer = browser.post("/admin/users/new", &taken).await;
        assert!(answer.status == 400 && answer.body.contains("id=\"f-username-err\""), "{answer}");
        // Rights that are lost between form and submit.
        let key = UserKey::Id(site.holder.id.try_into().unwrap());
        let less = UserDraft { permissions: Some(vec![6]), ..UserDraft::default() };
        site.directory().update_user(&operator(), &key, &less, None).await.unwrap();
        let other = [("username", "late"), ("first_name", "kept text"), ("last_name", ""), ("email", ""), ("mobile_number", ""), ("gender", "")];
        let answer = browser.post("/admin/users/new", &other).await;
        assert!(answer.status == 403 && answer.body.contains("value=\"kept text\""), "{answer}");
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE username = 'late'").await, 0);
    }
}

both! {
    /// Line 15: a lost race shows both versions, keeps what was typed and changes nothing; a choice saves.
    async fn two_edits_meet(backend: Backend) {
        let site = Site::start(backend).await;
        let (mut one, mut other) = (Browser::of(&site, &site.admin).await, Browser::of(&site, &site.holder).await);
        let page = one.get("/admin/users/42/edit").await;
        let etag = hidden(&page, "etag");
        assert_eq!(hidden(&page, "was_email"), "alex.thompson@techcorp.com");
        let theirs = form(&etag, &[("email", "theirs@example.com"), ("mobile_number", "+1-555-0199")]);
        let saved = other.post("/admin/users/42/edit", &theirs).await;
        assert_eq!(saved.header("location"), Some("/admin/users/42?done=user-saved"), "{saved}");
        let mine = form(&etag, &[("email", "mine@example.com"), ("first_name", HOSTILE)]);
        let conflict = one.post("/admin/users/42/edit", &mine).await;
        assert_eq!(conflict.status, 409, "{conflict}");
        is_inert("conflict", &conflict);
        for text in ["Two edits met", "One field was", "theirs@example.com", "mine@example.com", "alex.thompson@techcorp.com", "<bdi>holder</bdi>"] {
            assert!(conflict.body.contains(text), "{text} {conflict}");
        }
        // What only one side changed is chosen; what both changed is not.
        let box_of = |id: &str| conflict.body.split(&format!("id=\"{id}\"")).nth(1).unwrap().split('>').next().unwrap().to_owned();
        assert!(box_of("mobile_number-theirs").contains(" checked") && box_of("first_name-yours").contains(" checked"));
        assert!(!box_of("email-theirs").contains(" checked") && !box_of("email-yours").contains(" checked"));
        let emails = "SELECT email FROM users WHERE id = 42";
        assert_eq!(site.database.text(emails).await, "theirs@example.com", "nothing is saved before the choice");
        let kept = hidden_fields(&conflict);
        let mut chosen: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Without a choice for the field that both changed, nothing is saved.
        chosen.extend([("mobile_number", "+1-555-0199"), ("first_name", "Alexa")]);
        assert_eq!(one.post("/admin/users/42/edit", &chosen).await.status, 400);
        chosen.push(("email", "mine@example.com"));
        let saved = one.post("/admin/users/42/edit", &chosen).await;
        assert_eq!(saved.status, 303, "{saved}");
        let row = "SELECT email || ' ' || mobile_number || ' ' || first_name FROM users WHERE id = 42";
        assert_eq!(site.database.text(row).await, "mine@example.com +1-555-0199 Alexa");
        // The same form again is stale.
        assert_eq!(one.post("/admin/users/42/edit", &chosen).await.status, 409);
    }
}

both! {
    /// The form for a user: errors beside fields, flags, a user who is gone.
    async fn users_are_edited_by_form(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.holder).await;
        let etag = hidden(&browser.get("/admin/users/42/edit").await, "etag");
        let answer = browser.post("/admin/users/42/edit", &form(&etag, &[("username", ""), ("email", "x@"), ("first_name", HOSTILE)])).await;
        assert!(answer.status == 400 && answer.body.contains("id=\"f-username-err\"") && answer.body.contains("value=\"x@\""), "{answer}");
        is_inert("edit", &answer);
        assert_eq!(hidden(&answer, "etag"), etag, "the version of the form stays");
        let without: Vec<_> = form(&etag, &[]).into_iter().filter(|(name, _)| *name != "is_staff" && *name != "is_active").collect();
        assert_eq!(browser.post("/admin/users/42/edit", &without).await.status, 303);
        assert_eq!(site.database.number("SELECT count(*) FROM users WHERE id = 42 AND NOT is_staff AND NOT is_active").await, 1);
        // Unknown fields change nothing: no form makes an admin beside its own page.
        let mut more = form(&etag, &[]);
        more.push(("is_admin", "true"));
        assert_eq!(browser.post("/admin/users/42/edit", &more).await.status, 400);
        assert_eq!(browser.post("/admin/users/987654/edit", &form(&etag, &[])).await.status, 404);
        // An admin is beyond staff, and what was typed stays.
        let path = format!("/admin/users/{}/edit", site.admin.id);
        let refused = browser.post(&path, &form("x", &[("first_name", "kept text")])).await;
        assert!(refused.status == 403 && refused.body.contains("value=\"kept text\""), "{refused}");
    }
}

both! {
    /// Rights are saved as a whole, by those who hold them, and never over the edit of someone else.
    async fn rights_are_given_and_taken(backend: Backend) {
        let site = Site::start(backend).await;
        let mut admin = Browser::of(&site, &site.admin).await;
        let codes = "SELECT p.code FROM user_permissions u JOIN permissions p ON p.id = u.permission_id WHERE u.user_id = 42 ORDER BY p.code";
        let page = admin.get("/admin/users/42/rights").await;
        let etag = hidden(&page, "etag");
        assert!(page.body.contains("Read users"), "{page}");
        let saved = admin.post("/admin/users/42/rights", &[("etag", &etag), ("permissions", "6"), ("permissions", "2")]).await;
        assert_eq!(saved.status, 303, "{saved}");
        let numbers = format!("SELECT count(*) FROM ({codes}) found");
        assert_eq!(site.database.number(&numbers).await, 2);
        let stale = admin.post("/admin/users/42/rights", &[("etag", &etag), ("permissions", "1")]).await;
        assert!(stale.status == 409 && stale.body.contains("Given by someone else while your form was open."), "{stale}");
        assert_eq!(site.database.number(&numbers).await, 2);
        let again = hidden(&stale, "etag");
        assert_eq!(admin.post("/admin/users/42/rights", &[("etag", &again), ("was", "6"), ("was", "2")]).await.status, 303);
        assert_eq!(site.database.number(&numbers).await, 0);
        // Staff give what they hold.
        let giver = person(site.directory(), "giver", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6, 7]);
        });
        let mut giver = Browser::of(&site, &giver.await).await;
        let page = giver.get("/admin/users/42/rights").await;
        assert!(page.body.contains("you may not read the list of permissions"), "{page}");
        let refused = giver.post("/admin/users/42/rights", &[("etag", &hidden(&page, "etag")), ("permissions", "1")]).await;
        assert!(refused.status == 403 && refused.body.contains("a right that you do not hold"), "{refused}");
        assert_eq!(site.database.number(&numbers).await, 0);
        let unknown = admin.get("/admin/users/42/rights").await;
        let unknown = admin.post("/admin/users/42/rights", &[("etag", &hidden(&unknown, "etag")), ("permissions", "9999")]).await;
        assert_eq!(unknown.status, 400, "{unknown}");
    }
}

both! {
    /// Groups are found by a search, and memberships added and removed one by one.
    async fn memberships_are_changed(backend: Backend) {
        let site = Site::start(backend).await;
        site.database.sql(&format!("UPDATE groups SET name = '{}' WHERE id = 3", HOSTILE.replace('\'', "''"))).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let page = browser.get("/admin/users/42/groups").await;
        is_inert("groups", &page);
        let path = format!("/admin/users/{}/groups", site.plain.id);
        let found = browser.get(&format!("{path}?search=Staff")).await;
        assert!(found.body.contains("Staff room") && !found.body.contains("On call"), "{found}");
        let members = format!("SELECT count(*) FROM memberships WHERE user_id = {}", site.plain.id);
        assert_eq!(browser.post(&path, &[("add", "1"), ("search", "Staff")]).await.status, 303);
        assert_eq!(site.database.number(&members).await, 1);
        // Twice is no error.
        assert_eq!(browser.post(&path, &[("add", "1")]).await.status, 303);
        // A removal is asked about, with what it takes away, and can be taken back on the page after it.
        let list = browser.get(&path).await;
        assert!(list.body.contains(&format!("href=\"{path}/remove?group=1&amp;search=\"")) && !list.body.contains("name=\"remove\""), "{list}");
        let asked = browser.get(&format!("{path}/remove?group=1&search=Staff")).await;
        assert!(asked.status == 200 && asked.body.contains("What happens") && asked.body.contains("name=\"remove\" value=\"1\""), "{asked}");
        assert_eq!(site.database.number(&members).await, 1);
        let removed = browser.post(&path, &[("remove", "1"), ("search", "Staff")]).await;
        let after = removed.header("location").unwrap().to_owned();
        assert_eq!((removed.status, after.as_str()), (303, &*format!("{path}?done=group-removed&undo=1&search=Staff")));
        assert_eq!(site.database.number(&members).await, 0);
        let page = browser.get(&after).await;
        assert!(page.body.contains("Undo") && page.body.contains("name=\"add\" value=\"1\""), "{page}");
        // A link from elsewhere offers nothing, nor does a removal of what was not there.
        let linked = browser.request("GET", &after).header("Sec-Fetch-Site", "none").send().await;
        assert!(!linked.body.contains("Undo"), "{linked}");
        let again = browser.post(&path, &[("remove", "1")]).await;
        assert_eq!(again.header("location"), Some(&*format!("{path}?done=group-removed&search=")));
        for group in ["1", "987654", "x", ""] {
            assert_eq!(browser.get(&format!("{path}/remove?group={group}")).await.status, 404, "{group}");
        }
        for (form, status) in [(&[("add", "987654")][..], 404), (&[("add", "x")], 400), (&[], 400), (&[("add", "1"), ("remove", "1")], 400)] {
            assert_eq!(browser.post(&path, form).await.status, status, "{form:?}");
        }
        let mut staff = Browser::of(&site, &site.holder).await;
        assert_eq!(staff.post(&format!("/admin/users/{}/groups", site.admin.id), &[("add", "1")]).await.status, 403);
    }
}

both! {
    /// Line 17: another person's password is set after a fresh proof alone, and can end all their tokens.
    async fn a_password_is_set_after_a_proof(backend: Backend) {
        let site = Site::start(backend).await;
        let path = format!("/admin/users/{}/password", site.plain.id);
        let mut browser = Browser::of(&site, &site.holder).await;
        let new = "another unlikely phrase";
        let form = [("new_password", new), ("new_password_again", new), ("sign_out", "true")];
        site.clock.set(moment("2025-09-01T12:11:00Z"));
        for answer in [browser.get(&path).await, browser.post(&path, &form).await] {
            assert_eq!(answer.status, 303);
            assert!(answer.header("location").unwrap().starts_with("/admin/confirm?next="), "{answer}");
        }
        assert_eq!(browser.post("/admin/confirm", &[("password", PASSWORD), ("next", &path)]).await.status, 303);
        let differ = [("new_password", new), ("new_password_again", "x")];
        let answer = browser.post(&path, &differ).await;
        assert!(answer.status == 400 && answer.body.contains("id=\"f-new_password_again-err\"") && !answer.body.contains(new), "{answer}");
        let weak = [("new_password", "password"), ("new_password_again", "password")];
        let answer = browser.post(&path, &weak).await;
        assert!(answer.status == 400 && answer.body.contains("id=\"f-new_password-err\""), "{answer}");
        assert_eq!(site.me(&site.plain.key).send().await.status, 403);
        let done = browser.post(&path, &form).await;
        assert_eq!(done.header("location").unwrap(), format!("/admin/users/{}?done=password-set", site.plain.id), "{done}");
        assert_eq!(site.me(&site.plain.key).send().await.status, 401, "the tokens are ended");
        let answer = Browser::new(&site).sign_in("plain", new).await;
        assert_eq!(answer.status, 303, "{answer}");
        // One's own is changed in one's own account.
        let own = browser.get(&format!("/admin/users/{}/password", site.holder.id)).await;
        assert_eq!(own.header("location"), Some("/admin/account#password"));
    }
}

both! {
    /// What is done to one user after a page about it, and the way back.
    async fn actions_on_one_user_ask_first(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let page = browser.get("/admin/users/42/delete").await;
        for text in ["Move <bdi>Alex Thompson</bdi> to the recycle bin?", "1 token and no session", "<b>3 memberships</b>", "You can take this back until"] {
            assert!(page.body.contains(text), "{text} {page}");
        }
        assert_eq!(browser.post("/admin/users/42/deactivate", &[]).await.header("location"), Some("/admin/users/42?done=deactivated"));
        assert_eq!(site.me(&site.alex.key).send().await.status, 401);
        assert!(browser.get("/admin/users/42").await.body.contains("/admin/users/42/activate"));
        assert_eq!(browser.post("/admin/users/42/activate", &[]).await.status, 303);
        assert_eq!(site.me(&site.alex.key).send().await.status, 200);
        assert_eq!(browser.post("/admin/users/42/unlock", &[]).await.status, 303);
        let deleted = browser.post("/admin/users/42/delete", &[]).await;
        assert_eq!(deleted.header("location"), Some("/admin/users?done=deleted&undo=42"));
        let list = browser.get("/admin/users?done=deleted&undo=42").await;
        assert!(list.body.contains("action=\"/admin/users/restore\"") && list.body.contains("name=\"ids\" value=\"42\""), "{list}");
        assert_eq!(browser.get("/admin/users/42/edit").await.status, 404);
        assert_eq!(browser.post("/admin/users/42/delete", &[]).await.status, 404);
        assert_eq!(browser.post("/admin/users/restore", &[("ids", "42")]).await.status, 303);
        assert_eq!(browser.get("/admin/users/42").await.status, 200);
        let nothing = browser.post("/admin/users/restore", &[("ids", "42")]).await;
        assert!(nothing.status == 400 && nothing.body.contains("Nothing was changed"), "{nothing}");
        assert_eq!(browser.post("/admin/users/restore", &[("ids", "x")]).await.status, 400);
        // The last admin stays one, and the page says why.
        let refused = browser.post(&format!("/admin/users/{}/not-admin", site.admin.id), &[]).await;
        assert!(refused.status == 403 && refused.body.contains("The last active admin cannot be"), "{refused}");
        let mut staff = Browser::of(&site, &site.holder).await;
        for action in ["delete", "deactivate", "unlock", "not-admin"] {
            let refused = staff.post(&format!("/admin/users/{}/{action}", site.admin.id), &[]).await;
            assert_eq!(refused.status, 403, "{action} {refused}");
        }
        assert_eq!(site.me(&site.admin.key).send().await.status, 200);
        // A link cannot put anything but ids into the form that takes a deletion back.
        let forged = browser.get("/admin/users?done=deleted&undo=%22%3E%3Cscript%3Ealert(1)").await;
        assert!(!forged.body.contains("/admin/users/restore"), "{forged}");
    }
}

both! {
    /// Line 14: many users at once after one page, all or none, with errors by row.
    async fn many_users_are_changed_at_once_or_none(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let list = browser.get("/admin/users").await;
        assert!(list.body.contains("form=\"bulk\"") && list.body.contains("action=\"/admin/users/bulk\""), "{list}");
        let (alex, plain) = ("42".to_owned(), site.plain.id.to_string());
        let both = [("id", alex.as_str()), ("id", plain.as_str())];
        let send = async |browser: &mut Browser<'_>, action: &str, ids: &[(&str, &str)], more: &[(&str, &str)]| {
            browser.post("/admin/users/bulk", &[ids, &[("do", action)], more].concat()).await
        };
        let confirmed = [("confirmed", "true")];
        let page = send(&mut browser, "deactivate", &both, &[]).await;
        assert!(page.status == 200 && page.body.contains("Deactivate 2 people?") && page.body.contains("Alex Thompson"), "{page}");
        check("bulk", &page);
        let inactive = "SELECT count(*) FROM users WHERE NOT is_active";
        let before = site.database.number(inactive).await;
        let missing = [&both[..], &[("id", "987654")]].concat();
        let refused = send(&mut browser, "deactivate", &missing, &confirmed).await;
        assert!(refused.status == 400 && refused.body.contains("no one was changed") && refused.body.contains("there is no user with id 987654"), "{refused}");
        assert_eq!(site.database.number(inactive).await, before);
        assert_eq!(send(&mut browser, "deactivate", &both, &confirmed).await.header("location"), Some("/admin/users?done=bulk-deactivated"));
        assert_eq!(site.database.number(inactive).await, before + 2);
        assert_eq!(send(&mut browser, "activate", &both, &confirmed).await.status, 303);
        assert_eq!(site.database.number(inactive).await, before);
        let members = format!("SELECT count(*) FROM memberships WHERE group_id = 1 AND user_id = {plain}");
        let group = [("confirmed", "true"), ("group", "Staff room")];
        assert_eq!(send(&mut browser, "add", &both, &group).await.status, 303);
        assert_eq!(site.database.number(&members).await, 1);
        assert_eq!(send(&mut browser, "remove", &both, &group).await.status, 303);
        assert_eq!(site.database.number(&members).await, 0);
        for name in ["", "No such group"] {
            let refused = send(&mut browser, "add", &both, &[("confirmed", "true"), ("group", name)]).await;
            assert_eq!(refused.status, 400, "{refused}");
        }
        assert_eq!(send(&mut browser, "sign-out", &both, &confirmed).await.status, 303);
        assert_eq!(site.me(&site.alex.key).send().await.status, 401);
        let deleted = send(&mut browser, "delete", &both, &confirmed).await;
        let undo = format!("/admin/users?done=bulk-deleted&undo=42.{plain}");
        assert_eq!(deleted.header("location"), Some(undo.as_str()), "{deleted}");
        assert_eq!(browser.post("/admin/users/restore", &[("ids", &format!("42.{plain}"))]).await.status, 303);
        assert_eq!(browser.get("/admin/users/42").await.status, 200);
        assert_eq!(send(&mut browser, "delete", &[], &confirmed).await.header("location"), Some("/admin/users?done=nothing-selected"));
        assert_eq!(send(&mut browser, "explode", &both, &confirmed).await.status, 400);
        let many: Vec<String> = (1..=1001).map(|number| (5000 + number).to_string()).collect();
        let many: Vec<_> = many.iter().map(|id| ("id", id.as_str())).collect();
        assert_eq!(send(&mut browser, "delete", &many, &confirmed).await.status, 400);
        // Staff: only what the right allows, and no admin among them.
        let mut staff = Browser::of(&site, &site.holder).await;
        let with_admin = [both[0], ("id", &site.admin.id.to_string())];
        let refused = send(&mut staff, "deactivate", &with_admin, &confirmed).await;
        assert!(refused.status == 403 && refused.body.contains("Only an admin may"), "{refused}");
        assert_eq!(site.database.number(inactive).await, before);
        let reader = person(site.directory(), "user-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![6]);
        });
        let mut reader = Browser::of(&site, &reader.await).await;
        assert!(!reader.get("/admin/users").await.body.contains("form=\"bulk\""));
        assert_eq!(send(&mut reader, "delete", &both, &[]).await.status, 403);
    }
}
