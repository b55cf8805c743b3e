//! What a session whose last proof is old must not do, what nobody without a right may learn, and links that lie.

use std::time::Duration;

use crate::support::site::{moment, operator, person};
use crate::support::{Backend, Browser, Site, both};
use wardroom::directory::model::{UserDraft, UserKey};

const STALE: &str = "2025-09-01T12:20:00Z";

both! {
    /// An account that can do what is dangerous is not made without a recent proof: signing in as it would be a fresh one.
    async fn power_is_given_after_a_proof_alone(backend: Backend) {
        let site = Site::start(backend).await;
        let old = |name: &'static str| async {
            let site = &site;
            person(site.directory(), name, |draft| (draft.is_admin, draft.is_active) = (Some(true), Some(false))).await.id
        };
        let asleep = old("asleep").await;
        let binned = old("binned").await;
        let draft = UserDraft { is_active: Some(true), ..UserDraft::default() };
        let key = UserKey::Id(binned.try_into().unwrap());
        site.directory().update_user(&operator(), &key, &draft, None).await.unwrap();
        site.directory().delete_user(&operator(), &key).await.unwrap();
        let mut browser = Browser::of(&site, &site.admin).await;
        let edit = format!("/admin/users/{}/edit", site.plain.id);
        let form = browser.get(&edit).await;
        let mut fields: Vec<(String, String)> = crate::admin_pages::hidden_fields(&form);
        fields.extend(filled("plain", &[]).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let sent = |staff: bool| {
            let staff = staff.then(|| ("is_staff".to_owned(), "true".to_owned()));
            fields.iter().cloned().chain(staff).collect::<Vec<_>>()
        };
        site.clock.set(moment(STALE));
        let state = "SELECT count(*) FROM users WHERE is_active AND (is_staff OR is_admin)";
        let before = site.database.number(state).await;
        let new = filled("mole", &[("password", "an unlikely pass phrase"), ("is_staff", "true")]);
        for answer in [
            browser.post("/admin/users/new", &new).await,
            browser.post(&edit, &borrowed(&sent(true))).await,
        ] {
            assert_eq!(answer.status, 403, "{answer}");
            // What was typed stays, and the page says what to do.
            assert!(answer.body.contains("href=\"/admin/confirm\"") && answer.body.contains("is older than 10 minutes"), "{answer}");
        }
        for path in [format!("/admin/users/{asleep}/activate"), format!("/admin/bin/users/{binned}/restore")] {
            let answer = browser.post(&path, &[]).await;
            assert!(answer.status == 303 && answer.header("location").unwrap().starts_with("/admin/confirm?next="), "{path} {answer}");
        }
        let several = browser.post("/admin/users/restore", &[("ids", &binned.to_string())]).await;
        assert!(several.header("location").is_some_and(|to| to.starts_with("/admin/confirm?next=")), "{several}");
        assert_eq!(site.database.number(state).await, before);
        // Others are made, and changed, without one.
        let done = browser.post("/admin/users/new", &filled("newcomer", &[])).await;
        assert_eq!(done.status, 303, "{done}");
        // With a fresh proof everything is done.
        site.clock.set(moment("2025-09-01T12:05:00Z"));
        assert_eq!(browser.post("/admin/users/new", &new).await.status, 303);
        assert_eq!(browser.post(&edit, &borrowed(&sent(true))).await.status, 303);
        for path in [format!("/admin/users/{asleep}/activate"), format!("/admin/bin/users/{binned}/restore")] {
            let answer = browser.post(&path, &[]).await;
            assert!(answer.header("location").unwrap().contains("done="), "{path} {answer}");
        }
        assert_eq!(site.database.number(state).await, before + 4);
    }
}

/// The fields of the form for a user, who is active.
fn filled<'a>(username: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let names = ["first_name", "last_name", "email", "mobile_number", "gender"];
    let empty = names.into_iter().map(|name| (name, ""));
    empty.chain([("username", username), ("is_active", "true")]).chain(more.iter().copied()).collect()
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

both! {
    /// Where nothing is kept, users are deleted permanently: the page says so, asks for a proof, and offers no way back.
    async fn a_permanent_deletion_of_users_needs_a_proof(backend: Backend) {
        let site = Site::with_directory(backend, |settings| settings.keep_deleted_for = Duration::ZERO).await;
        let plain = site.plain.id;
        let mut browser = Browser::of(&site, &site.admin).await;
        let bulk = [("do", "delete"), ("id", &plain.to_string())];
        for asked in [browser.get("/admin/users/42/delete").await, browser.post("/admin/users/bulk", &bulk).await] {
            assert!(asked.status == 200 && asked.body.contains("This cannot be taken back."), "{asked}");
            assert!(!asked.body.contains("recycle bin?") && !asked.body.contains("You can take"), "{asked}");
        }
        let bulk = [("do", "delete"), ("id", &plain.to_string()), ("confirmed", "true")];
        let users = "SELECT count(*) FROM users WHERE id = 42 OR username = 'plain'";
        assert_eq!(site.database.number(users).await, 2);
        site.clock.set(moment(STALE));
        for answer in [
            browser.get("/admin/users/42/delete").await,
            browser.post("/admin/users/42/delete", &[]).await,
            browser.post("/admin/users/bulk", &bulk).await,
        ] {
            assert!(answer.status == 303 && answer.header("location").unwrap().starts_with("/admin/confirm?next="), "{answer}");
        }
        assert_eq!(site.database.number(users).await, 2);
        site.clock.set(moment("2025-09-01T12:05:00Z"));
        let one = browser.post("/admin/users/42/delete", &[]).await;
        assert_eq!(one.header("location"), Some("/admin/users?done=user-gone"), "{one}");
        let many = browser.post("/admin/users/bulk", &bulk).await;
        assert_eq!(many.header("location"), Some("/admin/users?done=bulk-gone"), "{many}");
        assert_eq!(site.database.number(users).await, 0);
        assert!(browser.get("/admin/users?done=bulk-gone").await.body.contains("removed permanently"));
    }
}

/// Every form about an object: the path with `{}` for its id, and the fields, also with `{}`.
const FORMS: &[(&str, &[(&str, &str)])] = &[
    ("/admin/users/{}/sign-out", &[]),
    ("/admin/users/{}/admin", &[]),
    ("/admin/users/{}/not-admin", &[]),
    ("/admin/users/{}/activate", &[]),
    ("/admin/users/{}/deactivate", &[]),
    ("/admin/users/{}/unlock", &[]),
    ("/admin/users/{}/delete", &[]),
    ("/admin/users/{}/edit", &[("username", "other"), ("etag", "x")]),
    ("/admin/users/{}/rights", &[("etag", "x")]),
    ("/admin/users/{}/groups", &[("add", "3")]),
    ("/admin/users/42/groups", &[("add", "{}")]),
    ("/admin/users/{}/groups", &[("remove", "3")]),
    (
        "/admin/users/{}/password",
        &[("password", "an unlikely pass phrase"), ("again", "an unlikely pass phrase")],
    ),
    ("/admin/users/{}/tokens/new", &[("name", "x"), ("end", "7"), ("rights", "all")]),
    ("/admin/users/bulk", &[("do", "delete"), ("id", "{}"), ("confirmed", "true")]),
    ("/admin/users/bulk", &[("do", "sign-out"), ("id", "{}"), ("confirmed", "true")]),
    ("/admin/users/restore", &[("ids", "{}")]),
    ("/admin/groups/{}/edit", &[("name", "x"), ("version", "x")]),
    ("/admin/groups/{}/delete", &[("version", "x")]),
    ("/admin/groups/{}/members/add", &[("users", "42")]),
    ("/admin/groups/{}/members/remove", &[("users", "42")]),
    ("/admin/groups/3/members/add", &[("users", "{}")]),
    ("/admin/tokens/revoke", &[("id", "{}"), ("confirmed", "true")]),
    ("/admin/tokens/{}/edit", &[("name", "x"), ("end", "keep"), ("rights", "all")]),
    ("/admin/tokens/{}/rotate", &[]),
    ("/admin/permissions/{}/edit", &[("code_name", "x"), ("name", "x")]),
    ("/admin/permissions/{}/remove", &[]),
    ("/admin/bin/users/{}/restore", &[]),
    ("/admin/bin/users/{}/purge", &[]),
    ("/admin/bin/groups/{}/restore", &[]),
    ("/admin/bin/groups/{}/purge", &[]),
    ("/admin/account/sessions/{}/end", &[]),
];

both! {
    /// Line 2: whoever lacks the right gets the same answer for an id that exists and for one that does not.
    async fn a_refused_form_does_not_tell_which_ids_exist(backend: Backend) {
        let site = Site::start(backend).await;
        let gone = person(site.directory(), "gone", |_| {}).await.id;
        site.directory().delete_user(&operator(), &UserKey::Id(gone.try_into().unwrap())).await.unwrap();
        let reader = person(site.directory(), "audit-reader", |draft| {
            (draft.is_staff, draft.permissions) = (Some(true), Some(vec![13]));
        })
        .await;
        let codes = format!(
            "SELECT CAST(p.code AS TEXT) FROM user_permissions u JOIN permissions p ON p.id = u.permission_id WHERE u.user_id = {}",
            reader.id
        );
        assert_eq!(site.database.text(&codes).await, "1242");
        let mut browser = Browser::of(&site, &reader).await;
        for (path, fields) in FORMS {
            let mut answers = Vec::new();
            for id in ["1", "3", "42", &gone.to_string(), "987654"] {
                let path = path.replace("{}", id);
                let filled: Vec<_> = fields.iter().map(|(name, value)| (*name, value.replace("{}", id))).collect();
                let form: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = browser.post(&path, &form).await;
                assert!([403, 404].contains(&answer.status), "{path} {answer}");
                answers.push((answer.status, id.to_owned()));
            }
            let status = answers[0].0;
            assert!(answers.iter().all(|(other, _)| *other == status), "{path} {fields:?} {answers:?}");
        }
    }
}

both! {
    /// A note and its *Undo* are shown after the form that they belong to, never because a link says so.
    async fn a_link_shows_no_note_and_offers_no_undo(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let plain = site.plain.id;
        for (path, words) in [
            (format!("/admin/groups/3?done=members-removed&undo={plain}"), "They are no longer members"),
            ("/admin/users?done=deleted&undo=42".to_owned(), "is in the recycle bin"),
            ("/admin/groups?done=group-deleted&undo=3".to_owned(), "is in the recycle bin"),
        ] {
            for from in ["cross-site", "same-site", "none"] {
                let linked = browser.request("GET", &path).header("Sec-Fetch-Site", from).send().await;
                assert!(linked.status == 200 && !linked.body.contains(words) && !linked.body.contains("Undo</button>"), "{from} {linked}");
            }
            let own = browser.get(&path).await;
            assert!(own.body.contains(words), "{own}");
            // Nor after a sign-in that the link has led to.
            let mut stranger = Browser::new(&site);
            let form = [("username", "admin"), ("password", crate::support::browser::PASSWORD), ("next", path.as_str())];
            let entered = stranger.post("/admin/sign-in", &form).await;
            let to = entered.header("location").unwrap();
            assert!(entered.status == 303 && !to.contains("done=") && !to.contains("undo="), "{entered}");
        }
    }
}
