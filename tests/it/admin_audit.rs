//! The audit trail on the admin site: events in words, filters by name, and the check of the chain.

use wardroom::directory::groups::MemberChange;
use wardroom::directory::model::{GroupKey, UserDraft, UserKey};

use crate::support::site::operator;
use crate::support::{Answer, Backend, Browser, Site, both};

fn rows(answer: &Answer) -> usize {
    answer.body.matches("class=\"at\"").count()
}

both! {
    /// Each event is a sentence with what was before and after, and groups have their names.
    async fn events_are_shown_in_words(backend: Backend) {
        let site = Site::start(backend).await;
        let alex = UserKey::Id(42.try_into().unwrap());
        let draft = UserDraft { email: Some(Some("new@example.com".into())), groups: Some(vec![3]), ..UserDraft::default() };
        site.directory().update_user(&operator(), &alex, &draft, None).await.unwrap();
        let plain = UserKey::Id(site.plain.id.try_into().unwrap());
        let group = GroupKey::Id(7.try_into().unwrap());
        site.directory().change_members(&operator(), &group, &[plain, alex], MemberChange::Add).await.unwrap();
        let mut browser = Browser::of(&site, &site.admin).await;
        let page = browser.get("/admin/audit?action=user.update").await;
        assert!(page.body.contains("<bdi>Operator test</bdi> changed <a href=\"/admin/users/42\"><bdi>alex_thompson</bdi></a>"), "{page}");
        assert!(page.body.contains("from <bdi class=\"was\">alex.thompson@techcorp.com</bdi> to <bdi class=\"now\">new@example.com</bdi>"), "{page}");
        assert!(page.body.contains("from <bdi class=\"was\">Staff room, Billing, On call</bdi> to <bdi class=\"now\">Billing</bdi>"), "{page}");
        // Two members are no change from the one to the other.
        let page = browser.get("/admin/audit?action=group.add_members").await;
        assert!(page.body.contains("added members to <a href=\"/admin/groups/7\"><bdi>On call</bdi></a>"), "{page}");
        assert!(page.body.contains("<dt>people</dt><dd><bdi>plain, alex_thompson</bdi></dd>"), "{page}");
    }
}

both! {
    /// Filters by name, as it is now or was then, and pages by number.
    async fn events_are_filtered_by_name(backend: Backend) {
        let site = Site::start(backend).await;
        let alex = UserKey::Id(42.try_into().unwrap());
        for number in 0..60 {
            let draft = UserDraft { first_name: Some(format!("Alex {number}")), ..UserDraft::default() };
            site.directory().update_user(&operator(), &alex, &draft, None).await.unwrap();
        }
        let renamed = UserDraft { username: Some("alexandra".into()), ..UserDraft::default() };
        site.directory().update_user(&operator(), &alex, &renamed, None).await.unwrap();
        let mut browser = Browser::of(&site, &site.admin).await;
        // The event of the new name has the new name, so the old one finds one event less.
        for (name, rest) in [("alex_thompson", 10), ("alexandra", 11)] {
            let page = browser.get(&format!("/admin/audit?object_name={name}&action=user.update")).await;
            assert!(rows(&page) == 50 && page.body.contains("rel=\"next\""), "{page}");
            assert!(page.body.contains(&format!("done to {name}")), "{page}");
            let at = page.body.rfind("before=").unwrap();
            let start = page.body[..at].rfind("href=\"").unwrap() + 6;
            let next = page.body[start..].split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
            let next = browser.get(&next).await;
            assert_eq!(rows(&next), rest, "{next}");
            // Taking a filter away begins with the newest event.
            let chip = next.body.split("class=\"chip\" href=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(!chip.contains("before="), "{chip}");
        }
        assert_eq!(rows(&browser.get("/admin/audit?object_name=Alex_Thompson").await), 0);
        assert_eq!(browser.post("/admin/groups/new", &[("name", "Night shift")]).await.status, 303);
        let own = browser.get("/admin/audit?actor_name=admin").await;
        assert!(rows(&own) == 1 && own.body.contains("Night shift"), "{own}");
        // Whoever signs in is not known before, so the event is about them, and not done by them.
        let signed_in = browser.get("/admin/audit?object_name=admin&action=sign_in").await;
        assert!(rows(&signed_in) == 1 && signed_in.body.contains("signed in as"), "{signed_in}");
        let wrong = browser.get("/admin/audit?from=yesterday&shoe_size=44").await;
        assert!(wrong.body.contains("id=\"f-from-err\"") && wrong.body.contains("Unknown parameter."), "{wrong}");
    }
}

both! {
    /// The check of the chain: whole, with a head that is known or not, and broken.
    async fn the_chain_is_checked(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        let whole = browser.post("/admin/audit/verify", &[("expect_head", "")]).await;
        assert!(whole.status == 200 && whole.body.contains("The chain is whole"), "{whole}");
        let (_, head) = whole.body.split_once("id=\"head\" type=\"text\" value=\"").unwrap();
        let head = head.split('"').next().unwrap().to_owned();
        let known = browser.post("/admin/audit/verify", &[("expect_head", &head)]).await;
        assert!(known.body.contains("The head that you gave is in it."), "{known}");
        let cut = browser.post("/admin/audit/verify", &[("expect_head", &"0".repeat(64))]).await;
        assert!(cut.status == 200 && cut.body.contains("The chain is broken") && cut.body.contains("events were cut off"), "{cut}");
        let wrong = browser.post("/admin/audit/verify", &[("expect_head", "abc")]).await;
        assert!(wrong.status == 400 && wrong.body.contains("id=\"f-expect_head-err\"") && wrong.body.contains("value=\"abc\""), "{wrong}");
        site.database.sql("UPDATE audit_events SET actor_name = 'nobody' WHERE id = (SELECT min(id) FROM audit_events)").await;
        let broken = browser.post("/admin/audit/verify", &[]).await;
        assert!(broken.body.contains("The chain is broken") && broken.body.contains("it was changed after it was written"), "{broken}");
    }
}
