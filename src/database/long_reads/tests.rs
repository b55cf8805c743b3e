use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::database::long_reads::MAX_SNAPSHOTS;
use crate::database::testing::{Items, TestError, count, on_both, open};
use crate::database::{ConnectOptions, DatabaseError, Dialect, Sql};

/// A timeout that only an event that never happens reaches, even on a slow machine.
const LONGEST: Duration = Duration::from_secs(60);

/// Returns a statement that does not end by itself within an hour.
fn endless(dialect: Dialect) -> Sql {
    match dialect {
        Dialect::Sqlite => Sql::new(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        ),
        Dialect::Postgres => Sql::new("SELECT count(*) FROM pg_sleep(3600)"),
    }
}

/// Returns how many endless statements PostgreSQL runs for this database.
async fn running(items: &Items) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
               AND query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()";
    items.first(Sql::new(sql)).await.unwrap().unwrap()
}

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONGEST, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// Returns options with a very long timeout, and permits for two lists.
fn patient(options: ConnectOptions) -> ConnectOptions {
    ConnectOptions { connections: 4, timeout: Duration::from_secs(3600), ..options }
}

/// A read that is no longer awaited stops, also in the database. Only then is its permit released.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_an_abandoned_read_ends() {
    on_both(async |options| {
        let items = open(&patient(options)).await.unwrap();
        let dialect = items.dialect();
        for _ in 0..3 {
            let mut reading = Box::pin(async {
                tokio::join!(items.count(endless(dialect)), items.count(endless(dialect)))
            });
            let begun = until("two reads run", async || {
                items.lists.available() == 0 && (dialect == Dialect::Sqlite || running(&items).await == 2)
            });
            tokio::select! {
                _ = &mut reading => panic!("an endless read ended"),
                () = begun => {}
            }
            drop(reading);
            until("both permits are released", async || items.lists.available() == 2).await;
            if dialect == Dialect::Postgres {
                assert_eq!(running(&items).await, 0);
            }
            // The next read gets its own rows, and nothing that was left over from the last ones.
            let counted: Vec<i64> = items.all(count()).await.unwrap();
            assert_eq!(counted, [0]);
        }
    })
    .await;
}

/// A read that takes too long stops like one that is no longer awaited.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_a_read_that_takes_too_long_ends() {
    on_both(async |options| {
        let options = ConnectOptions { connections: 2, timeout: Duration::from_millis(500), ..options };
        let items = open(&options).await.unwrap();
        let outcome = items.count(endless(items.dialect())).await;
        assert!(matches!(outcome, Err(TestError::Database(DatabaseError::Unavailable(_)))), "{outcome:?}");
        until("the permit is released", async || items.lists.available() == 1).await;
        if items.dialect() == Dialect::Postgres {
            until("nothing runs", async || running(&items).await == 0).await;
        }
    })
    .await;
}

/// A read that gets no permit is refused after a while and runs no statement. Look-ups need no permit.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_no_more_reads_run_than_there_are_places() {
    on_both(async |options| {
        let items = open(&patient(options)).await.unwrap();
        let dialect = items.dialect();
        let mut readings =
            Box::pin(futures_util::future::join_all((0..20).map(|_| items.count(endless(dialect)))));
        let begun = until("all permits are taken", async || {
            items.lists.available() == 0 && (dialect == Dialect::Sqlite || running(&items).await == 2)
        });
        tokio::select! {
            _ = &mut readings => panic!("an endless read ended"),
            () = begun => {}
        }
        let refused = items.lists.acquire(Duration::from_millis(20)).await.map(|_| ());
        assert!(
            matches!(refused.unwrap_err(), DatabaseError::Unavailable(why) if why.contains("too many lists"))
        );
        // More look-ups at once than there are connections.
        let found = futures_util::future::join_all((0..20).map(|_| items.first::<i64>(count())));
        assert!(found.await.into_iter().all(|found| found.unwrap() == Some(0)));
        let priority = items.priority_read::<i64>(count()).await;
        assert_eq!(priority.unwrap(), [0]);
        if dialect == Dialect::Postgres {
            assert_eq!(running(&items).await, 2);
        }
        drop(readings);
        until("both permits are released", async || items.lists.available() == 2).await;
    })
    .await;
}

/// A snapshot ends when its caller is dropped: during a statement, and between two statements.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_an_abandoned_snapshot_ends() {
    on_both(async |options| {
        let items = open(&patient(options)).await.unwrap();
        let dialect = items.dialect();
        let (ended, outcome) = std::sync::mpsc::channel();
        let mut statement = Box::pin(items.snapshot(move |tx| {
            let read = tx.all::<i64>(&endless(dialect)).map(|_| ());
            ended.send(read.is_err()).unwrap();
            Ok(read?)
        }));
        let begun = until("it runs", async || {
            items.snapshots.available() == MAX_SNAPSHOTS - 1
                && (dialect == Dialect::Sqlite || running(&items).await == 1)
        });
        tokio::select! {
            _ = &mut statement => panic!("an endless snapshot ended"),
            () = begun => {}
        }
        drop(statement);
        until("the permit is released", async || items.snapshots.available() == MAX_SNAPSHOTS).await;
        assert!(outcome.recv().unwrap());

        let (gone, is_gone) = std::sync::mpsc::channel();
        let (ended, outcome) = std::sync::mpsc::channel();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let mut between = Box::pin(items.snapshot(move |tx| {
            begun.send(()).unwrap();
            is_gone.recv().unwrap();
            ended.send(tx.all::<i64>(&count()).is_err()).unwrap();
            Ok(())
        }));
        tokio::select! {
            _ = &mut between => panic!("it ended by itself"),
            begun = has_begun => begun.unwrap(),
        }
        drop(between);
        gone.send(()).unwrap();
        until("the permit is released", async || items.snapshots.available() == MAX_SNAPSHOTS).await;
        assert!(outcome.recv().unwrap());
    })
    .await;
}

/// After an abandoned look-up, the next one on its connection does not have to wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_an_abandoned_look_up_holds_nobody_up() {
    on_both(async |options| {
        // Half of the connections are for look-ups: one more than are abandoned.
        let items = open(&ConnectOptions { connections: 6, ..patient(options) }).await.unwrap();
        if items.dialect() == Dialect::Sqlite {
            // It runs on the calling thread, so the caller cannot be dropped meanwhile.
            return;
        }
        for _ in 0..2 {
            let looking = items.first::<i64>(endless(Dialect::Postgres));
            assert!(timeout(Duration::from_millis(100), looking).await.is_err());
            // With the abandoned statement still running, this would wait for an hour.
            let found = items.first::<i64>(count());
            assert_eq!(timeout(LONGEST, found).await.unwrap().unwrap(), Some(0));
        }
    })
    .await;
}

/// On PostgreSQL, lists with one plan take half of the connections of look-ups. Others wait for those of lists.
#[tokio::test(flavor = "multi_thread")]
async fn lists_with_one_plan_leave_connections_to_look_ups() {
    on_both(async |options| {
        let items = open(&ConnectOptions { connections: 8, ..patient(options) }).await.unwrap();
        if items.dialect() == Dialect::Sqlite {
            return;
        }
        let endless = || items.all::<i64>(endless(Dialect::Postgres).with_one_plan());
        let mut readings = Box::pin(futures_util::future::join_all((0..20).map(|_| endless())));
        let begun = until("all permits are taken", async || running(&items).await == 4 + 2);
        tokio::select! {
            _ = &mut readings => panic!("an endless read ended"),
            () = begun => {}
        }
        assert_eq!((items.lists.available(), items.short_lists.available()), (0, 0));
        let found = futures_util::future::join_all((0..20).map(|_| items.first::<i64>(count())));
        assert!(found.await.into_iter().all(|found| found.unwrap() == Some(0)));
        drop(readings);
        until("the permits are released", async || {
            items.lists.available() == 4 && items.short_lists.available() == 2
        })
        .await;
        let counted: Vec<i64> = items.all(count().with_one_plan()).await.unwrap();
        assert_eq!(counted, [0]);
    })
    .await;
}
