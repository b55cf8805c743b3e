//! Health checks: ready means that keys can be looked up.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::database::connect;
use crate::support::{Backend, Site, both};
use wardroom::directory::Location;

/// Waits until the server is ready again.
async fn until_ready(site: &Site) {
    while site.get("/readyz").send().await.status != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

both! {
    /// Guards against a server that reports itself ready while it can authenticate no one.
    async fn a_server_that_cannot_look_up_keys_is_not_ready(backend: Backend) {
        let site = Site::start(backend).await;
        assert_eq!(site.get("/readyz").send().await.to_string(), r#"200 {"status":"ok"}"#);
        // A key is looked up when it is sent for the first time. After that, the change feed is read.
        let mut number = 0;
        let mut look_up = async |is_known: bool| {
            number += 1;
            let key = if is_known { site.alex.key.clone() } else { format!("{number:040x}") };
            site.me(&key).send().await.status
        };
        assert_eq!(look_up(true).await, 200);
        // The other tables, the migrations among them, can still be read.
        for (table, is_known, good) in [("tokens", false, 401), ("group_permissions", false, 401), ("identity_changes", true, 200)] {
            site.database.sql(&format!("ALTER TABLE {table} RENAME TO aside")).await;
            while look_up(is_known).await < 500 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let refused = site.get("/readyz").send().await;
            assert_eq!(refused.to_string(), r#"503 {"status":"database unavailable"}"#, "{table}");
            assert_eq!(site.get("/livez").send().await.status, 200);
            site.database.sql(&format!("ALTER TABLE aside RENAME TO {table}")).await;
            until_ready(&site).await;
            assert_eq!(look_up(is_known).await, good, "{table}");
        }
    }
}

/// A lock in PostgreSQL that look-ups wait for: the check ends in time, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_look_ups_wait_is_not_ready() {
    let site = Site::start(Backend::Postgres).await;
    let Location::Postgres(url) = &site.database.location else { panic!("not PostgreSQL") };
    let holder = connect(url).await;
    holder.batch_execute("BEGIN; LOCK TABLE tokens IN ACCESS EXCLUSIVE MODE").await.unwrap();
    assert_eq!(site.me(&"f".repeat(40)).send().await.status, 503);
    assert_eq!(site.get("/readyz").send().await.status, 503);
    holder.batch_execute("ROLLBACK").await.unwrap();
    until_ready(&site).await;
    assert_eq!(site.me(&site.alex.key).send().await.status, 200);
}

both! {
    /// Guards against a health check that anyone can use to keep the database busy.
    async fn many_checks_cost_few_look_ups(backend: Backend) {
        let site = Site::start(backend).await;
        let reads = || site.directory().counters().reads.get();
        assert_eq!(site.me("f").send().await.status, 401);
        let (before, begun) = (reads(), Instant::now());
        for _ in 0..5 {
            let answers = join_all((0..100).map(|_| site.get("/readyz").send())).await;
            assert!(answers.iter().all(|answer| answer.status == 200));
        }
        // A check reads the feed and looks up a key, once a second. The first one may read the feed twice.
        let most = 3 * (begun.elapsed().as_secs() + 2);
        let cost = reads() - before;
        assert!((1..=most).contains(&cost), "{cost} reads, at most {most}");
    }
}
