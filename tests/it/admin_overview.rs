//! The overview of the admin site: what is counted, charted and pointed out.

use wardroom::directory::Origin;
use wardroom::directory::model::{ActivityKind, ActivitySpan, UserKey};
use wardroom::directory::password::Password;
use wardroom::directory::tokens::Expiry;

use crate::support::site::{moment, operator, person};
use crate::support::{Backend, Browser, Site, both};

const UNKNOWN: &str = "wrd_0000000000000000000000000000000000000";

/// The counts of the hours, as `kind=count`.
async fn counted(site: &Site) -> Vec<String> {
    let sum = "SELECT kind || '=' || CAST(sum(count) AS INTEGER) FROM activity WHERE span = ";
    let hours = site.database.texts(&format!("{sum}'hour' GROUP BY kind ORDER BY kind")).await;
    let days = site.database.texts(&format!("{sum}'day' GROUP BY kind ORDER BY kind")).await;
    assert_eq!(hours, days);
    hours
}

both! {
    /// Sign-ins by method and result, requests by class and refused keys by cause are counted, and added up over servers.
    async fn what_happens_is_counted_and_charted(backend: Backend) {
        let site = Site::start(backend).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        assert_eq!(Browser::new(&site).sign_in("admin", "not this one").await.status, 400);
        let key = UserKey::Id(site.plain.id.try_into().unwrap());
        site.directory().set_password(&operator(), &key, Password::new("an unlikely pass phrase".into())).await.unwrap();
        for password in ["an unlikely pass phrase", "a wrong one"] {
            let _ = site.directory().sign_in(&Origin::default(), "plain", Password::new(password.into())).await;
        }
        for _ in 0..3 {
            assert_eq!(site.me(UNKNOWN).send().await.status, 401);
        }
        // The express lane, and the way behind it.
        for path in ["/api/users/me", "/api/users/me", "/api/users?limit=1"] {
            assert_eq!(site.get(path).token(&site.admin.key).send().await.status, 200);
        }
        assert_eq!(site.get("/api/users?limit=x").token(&site.admin.key).send().await.status, 400);
        assert_eq!(site.me(&site.inactive.key).send().await.status, 401);
        // What no chart is about.
        for path in ["/livez", "/admin/sign-in", "/nothing"] {
            site.get(path).send().await;
        }
        site.directory().write_activity().await.unwrap();
        let expected = [
            "key.inactive=1", "key.unknown=3", "request.answered=3", "request.invalid=1", "request.refused=4",
            "sign_in.api=1", "sign_in.api.failed=1", "sign_in.site=1", "sign_in.site.failed=1",
        ];
        assert_eq!(counted(&site).await, expected);
        // Another server adds to the same rows; what was written is not written again.
        let replica = site.database.open(&site.clock).await;
        for _ in 0..1000 {
            replica.note_activity(ActivityKind::KeyExpired);
        }
        replica.note_activity(ActivityKind::KeyUnknown);
        replica.write_activity().await.unwrap();
        site.directory().write_activity().await.unwrap();
        let rows = counted(&site).await;
        assert_eq!(rows[..3], ["key.expired=1000", "key.inactive=1", "key.unknown=4"]);
        // The charts are drawn from these rows alone: without the audit trail they are the same.
        site.database.sql("DELETE FROM audit_events").await;
        for span in ["", "?span=24h", "?span=7d", "?span=90d"] {
            let page = browser.get(&format!("/admin{span}")).await;
            let html = &page.body;
            assert!(html.contains("<span class=\"fig\">2</span> let in, <b>2</b> turned away"), "{page}");
            assert!(html.contains("<span class=\"fig\">3</span> answered, <b>5</b> refused or failed"), "{page}");
            assert!(html.contains("<span class=\"fig\">1,005</span> in "), "{page}");
            assert!(html.contains("Token expired</th>") && html.contains("<td class=\"num\">1,000</td>"), "{page}");
            // Each picture has a title and a description, and a table with the same numbers.
            assert_eq!(html.matches("<svg role=\"img\" aria-labelledby=").count(), 2);
            assert_eq!(html.matches("<details><summary>The numbers of ").count(), 2);
        }
        let page = browser.get("/admin?span=1y").await;
        assert_eq!(page.status, 400, "{page}");
    }
}

both! {
    /// What cannot be written is kept; hours are forgotten after 90 days, days after two years.
    async fn counts_survive_a_failed_write_and_are_forgotten_in_time(backend: Backend) {
        let site = Site::start(backend).await;
        site.directory().note_activity(ActivityKind::ApiSignIn);
        site.database.sql("ALTER TABLE activity RENAME TO activity_away").await;
        assert!(site.directory().write_activity().await.is_err());
        site.database.sql("ALTER TABLE activity_away RENAME TO activity").await;
        site.directory().note_activity(ActivityKind::ApiSignIn);
        for (span, day) in [("hour", "2025-06-01"), ("hour", "2025-06-04"), ("day", "2023-08-30"), ("day", "2023-09-02")] {
            let start = moment(&format!("{day}T00:00:00Z")).as_micros();
            site.database.sql(&format!("INSERT INTO activity VALUES ('{span}', {start}, 'key.unknown', 7)")).await;
        }
        // A kind of a later version is left out.
        let start = ActivitySpan::Hour.start(site.clock.now());
        site.database.sql(&format!("INSERT INTO activity VALUES ('hour', {start}, 'sign_in.telepathy', 7)")).await;
        site.directory().write_activity().await.unwrap();
        let kept = "SELECT span || ' ' || kind || ' ' || CAST(count AS TEXT) FROM activity ORDER BY 1";
        assert_eq!(
            site.database.texts(kept).await,
            ["day key.unknown 7", "day sign_in.api 2", "hour key.unknown 7", "hour sign_in.api 2", "hour sign_in.telepathy 7"]
        );
        let read = site.directory().activity(&operator(), ActivitySpan::Hour, site.clock.now()).await.unwrap();
        assert_eq!(read.iter().map(|row| (row.kind, row.count)).collect::<Vec<_>>(), [(ActivityKind::ApiSignIn, 2)]);
        // A server on a file writes nothing while nothing happens.
        let writes = site.directory().counters().writes;
        let before = writes.get();
        site.directory().write_activity().await.unwrap();
        assert_eq!(writes.get() - before, u64::from(backend == Backend::Postgres));
    }
}

both! {
    /// The servers on a PostgreSQL database are known by what they write once a minute.
    async fn servers_are_counted_while_they_are_there(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.database.open(&site.clock).await;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let there = |count| if backend == Backend::Postgres && count > 0 { vec![(version.clone(), count)] } else { vec![] };
        for directory in [site.directory(), &replica] {
            directory.write_activity().await.unwrap();
        }
        assert_eq!(site.directory().servers().await.unwrap(), there(2));
        replica.note_stop().await.unwrap();
        assert_eq!(site.directory().servers().await.unwrap(), there(1));
        site.clock.set(moment("2025-09-01T12:03:00Z"));
        assert_eq!(site.directory().servers().await.unwrap(), there(0), "a server that has crashed");
    }
}

both! {
    /// What needs a person is at the top: for each only what that person may see.
    async fn the_overview_points_out_what_needs_a_person(backend: Backend) {
        let site = Site::start(backend).await;
        let owner = UserKey::Id(site.plain.id.try_into().unwrap());
        let (directory, now) = (site.directory(), site.clock.now());
        let soon = Expiry::At(now.plus(std::time::Duration::from_hours(48)).unwrap());
        directory.issue_token(&operator(), &owner, "ends-soon", soon).await.unwrap();
        let later = Expiry::At(now.plus(std::time::Duration::from_hours(24 * 30)).unwrap());
        directory.issue_token(&operator(), &owner, "ends-later", later).await.unwrap();
        let old = directory.issue_token(&operator(), &owner, "never-used", Expiry::Never).await.unwrap();
        let made = moment("2025-06-01T00:00:00Z").as_micros();
        site.database.sql(&format!("UPDATE tokens SET created_at = {made} WHERE id = {}", old.token.id.get())).await;
        let mut browser = Browser::of(&site, &site.admin).await;
        for _ in 0..3 {
            Browser::new(&site).sign_in("plain", "not this one").await;
        }
        let page = browser.get("/admin").await;
        for text in [
            "The token <bdi>ends-soon</bdi> ends soon", "The token <bdi>never-used</bdi> was never used",
            "sign-ins failed for <bdi>plain</bdi>", "Who is here", "This installation", "The last 24 hours",
        ] {
            assert!(page.body.contains(text), "{text}: {page}");
        }
        assert!(!page.body.contains("<bdi>ends-later</bdi> ends"), "{page}");
        assert_eq!(page.body.contains("<dt>Disk</dt>"), backend == Backend::Sqlite, "{page}");
        // Who was seen is there with a link; the use is written once a minute.
        directory.write_uses().await.unwrap();
        let page = browser.get("/admin").await;
        assert!(page.body.contains(&format!("href=\"/admin/users/{}\" dir=\"auto\">admin</a>", site.admin.id)), "{page}");
        // Without the rights, nothing of it.
        let reader = person(directory, "group-reader", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![2]);
        });
        let page = Browser::of(&site, &reader.await).await.get("/admin").await;
        for text in ["ends-soon", "never-used", "<bdi>plain</bdi>", "Who is here", "<svg role=\"img\"", "<dt>Disk</dt>"] {
            assert!(!page.body.contains(text), "{text}: {page}");
        }
    }
}
