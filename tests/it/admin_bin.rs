//! The recycle bin on the admin site: restore, what prevents it, and removal with a recent proof.

use wardroom::directory::model::{GroupDraft, GroupKey, UserDraft, UserKey};

use crate::support::site::operator;
use crate::support::{Backend, Browser, Site, both};

both! {
    /// Deleted users and groups come back; a name that another has by now is the reason why not.
    async fn deleted_records_come_back(backend: Backend) {
        let site = Site::start(backend).await;
        let alex = UserKey::Id(42.try_into().unwrap());
        site.directory().delete_user(&operator(), &alex).await.unwrap();
        site.directory().delete_group(&operator(), &GroupKey::Id(3.try_into().unwrap())).await.unwrap();
        let mut browser = Browser::of(&site, &site.admin).await;
        let users = browser.get("/admin/bin").await;
        assert!(users.body.contains("alex_thompson") && users.body.contains("action=\"/admin/bin/users/42/restore\""), "{users}");
        let groups = browser.get("/admin/bin/groups").await;
        assert!(groups.body.contains("Billing") && groups.body.contains("action=\"/admin/bin/groups/3/restore\""), "{groups}");
        let none = browser.get("/admin/bin?search=no-such-person").await;
        assert!(none.status == 200 && none.body.contains("Nothing fits"), "{none}");

        let taken = UserDraft { username: Some("alex_thompson".into()), ..UserDraft::default() };
        let other = site.directory().create_user(&operator(), &taken, None).await.unwrap().id;
        let taken = GroupDraft { name: Some("Billing".into()), ..GroupDraft::default() };
        let other_group = site.directory().create_group(&operator(), &taken).await.unwrap().id;
        for path in ["/admin/bin/users/42/restore", "/admin/bin/groups/3/restore"] {
            let refused = browser.post(path, &[]).await;
            assert!(refused.status == 400 && refused.body.contains("cannot be restored"), "{refused}");
            assert!(refused.body.contains("already exists"), "{refused}");
        }
        site.directory().delete_user(&operator(), &UserKey::Id(other)).await.unwrap();
        site.directory().delete_group(&operator(), &GroupKey::Id(other_group)).await.unwrap();
        let back = browser.post("/admin/bin/groups/3/restore", &[]).await;
        assert_eq!(back.header("location"), Some("/admin/groups/3?done=group-restored"), "{back}");
        let back = browser.post("/admin/bin/users/42/restore", &[]).await;
        assert_eq!(back.header("location"), Some("/admin/users/42?done=user-restored"), "{back}");
        assert_eq!(site.database.number("SELECT count(*) FROM memberships WHERE user_id = 42").await, 3);
        assert_eq!(browser.post("/admin/bin/users/42/restore", &[]).await.status, 404);
    }
}

both! {
    /// Line 17: a permanent removal asks first, and needs a recent proof.
    async fn a_permanent_removal_needs_a_proof(backend: Backend) {
        let site = Site::start(backend).await;
        site.directory().delete_user(&operator(), &UserKey::Id(42.try_into().unwrap())).await.unwrap();
        site.directory().delete_group(&operator(), &GroupKey::Id(3.try_into().unwrap())).await.unwrap();
        let mut browser = Browser::of(&site, &site.admin).await;
        let (user, group) = ("/admin/bin/users/42/purge", "/admin/bin/groups/3/purge");
        let asked = browser.get(user).await;
        assert!(asked.body.contains("This cannot be taken back.") && asked.body.contains("alex_thompson"), "{asked}");
        site.clock.set("2025-09-01T12:20:00Z".parse().unwrap());
        for path in [user, group] {
            for answer in [browser.get(path).await, browser.post(path, &[]).await] {
                assert!(answer.header("location").is_some_and(|to| to.starts_with("/admin/confirm?next=")), "{answer}");
            }
        }
        let kept = "SELECT (SELECT count(*) FROM deleted_users) + (SELECT count(*) FROM deleted_groups)";
        assert_eq!(site.database.number(kept).await, 2);
        site.clock.set("2025-09-01T12:05:00Z".parse().unwrap());
        assert_eq!(browser.post(user, &[]).await.header("location"), Some("/admin/bin?done=user-gone"));
        assert_eq!(browser.post(group, &[]).await.header("location"), Some("/admin/bin/groups?done=group-gone"));
        assert_eq!(site.database.number(kept).await, 0);
        for path in [user, group] {
            assert_eq!(browser.post(path, &[]).await.status, 404, "{path}");
        }
    }
}

both! {
    /// Staff cannot restore or remove an admin; the page says why, and nothing changes.
    async fn a_deleted_admin_is_beyond_staff(backend: Backend) {
        let site = Site::start(backend).await;
        let draft = UserDraft { username: Some("second".into()), is_admin: Some(true), ..UserDraft::default() };
        let second = site.directory().create_user(&operator(), &draft, None).await.unwrap().id;
        site.directory().delete_user(&operator(), &UserKey::Id(second)).await.unwrap();
        let mut browser = Browser::of(&site, &site.holder).await;
        for action in ["restore", "purge"] {
            let refused = browser.post(&format!("/admin/bin/users/{second}/{action}"), &[]).await;
            assert!(refused.status == 403 && refused.body.contains("Only an admin"), "{refused}");
        }
        assert_eq!(site.database.number("SELECT count(*) FROM deleted_users").await, 1);
    }
}
