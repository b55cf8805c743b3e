//! The promise under load and trouble: while a writer changes a user through one replica, readers ask two replicas, and
//! connections to the database are cut. No answer may be older than the last write that was acknowledged before it was
//! asked for, and none may go back behind an earlier answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wardroom::directory::model::{UserDraft, UserKey};

use crate::support::site::{EXAMPLE_KEY, operator};
use crate::support::{Backend, Request, Site, both};

/// What must be reached, however long it takes: writes acknowledged, and answers read by each reader.
const WRITES: i64 = 60;
const READERS: usize = 6;

/// The number that the answer shows; none when the database could not be asked.
async fn read(address: std::net::SocketAddr) -> Option<i64> {
    let answer = Request::new(address, "GET", "/api/users/me").token(EXAMPLE_KEY).send().await;
    match answer.status {
        200 => Some(answer.json()["last_name"].as_str().unwrap().parse().unwrap()),
        503 => None,
        _ => panic!("{answer}"),
    }
}

both! {
    async fn no_answer_is_stale_or_out_of_order(backend: Backend) {
        let site = Arc::new(Site::start(backend).await);
        let alex = UserKey::Id(42.try_into().unwrap());
        let change = async |number: i64| {
            let draft = UserDraft { last_name: Some(number.to_string()), ..UserDraft::default() };
            site.directory().update_user(&operator(), &alex, &draft, None).await.is_ok()
        };
        assert!(change(0).await);
        let servers = [site.address, site.replica().await];
        let (acknowledged, seen) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let mut readers = tokio::task::JoinSet::new();
        for number in 0..READERS {
            let (acknowledged, seen) = (Arc::clone(&acknowledged), Arc::clone(&seen));
            readers.spawn(async move {
                let (mut answers, mut away) = (0_u32, 0_u32);
                while acknowledged.load(Ordering::SeqCst) < WRITES || answers < 50 {
                    // What was acknowledged, and what anybody was told, before this request is sent.
                    let least = acknowledged.load(Ordering::SeqCst).max(seen.load(Ordering::SeqCst));
                    match read(servers[(number + answers as usize) % 2]).await {
                        Some(shown) => {
                            assert!(shown >= least, "{shown} after {least}");
                            seen.fetch_max(shown, Ordering::SeqCst);
                            answers += 1;
                        }
                        None => away += 1,
                    }
                }
                (answers, away)
            });
        }
        let mut number = 0;
        while number < WRITES {
            // A write that failed may have happened or not; the next one has a number of its own.
            number += 1;
            if change(number).await {
                acknowledged.store(number, Ordering::SeqCst);
            }
            if backend == Backend::Postgres && number % 10 == 0 {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                site.database.sql(cut).await;
            }
        }
        while !change(WRITES).await {}
        acknowledged.store(WRITES, Ordering::SeqCst);
        let mut answers = 0;
        while let Some(reader) = readers.join_next().await {
            answers += reader.unwrap().0;
        }
        assert!(answers >= 300, "{answers}");
    }
}

/// A replica that stood still while the world changed tells nothing of the old world when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_stopped_is_not_stale() {
    let site = Site::start(Backend::Postgres).await;
    let mut command = crate::process::wardroom(&["serve", "--listen"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut replica = command
        .arg(free.to_string())
        .args(site.database.args())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while tokio::net::TcpStream::connect(free).await.is_err() {
        assert!(replica.try_wait().unwrap().is_none(), "the replica ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ask = || Request::new(free, "GET", "/api/users/me").token(EXAMPLE_KEY).send();
    assert_eq!(ask().await.status, 200);
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").args([name, &replica.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    signal("-STOP");
    let draft = UserDraft { is_active: Some(false), ..UserDraft::default() };
    site.directory()
        .update_user(&operator(), &UserKey::Id(42.try_into().unwrap()), &draft, None)
        .await
        .unwrap();
    // Asked while it stands still, answered when it goes on.
    let waiting = tokio::spawn(ask());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    signal("-CONT");
    assert_eq!(waiting.await.unwrap().status, 401);
    assert_eq!(ask().await.status, 401);
    replica.kill().unwrap();
    replica.wait().unwrap();
}
