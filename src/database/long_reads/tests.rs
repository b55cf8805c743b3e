use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::database::long_reads::LONG_CONNECTIONS;
use crate::database::testing::{Items, TestError, count, on_both, open};
use crate::database::{DatabaseError, Dialect, Options, Sql};

/// Longer than any machine takes for what is waited for; only what never comes takes so long.
const LONGEST: Duration = Duration::from_secs(60);

/// A statement that the database never ends by itself, within the hour.
fn endless(dialect: Dialect) -> Sql {
    match dialect {
        Dialect::Sqlite => Sql::new(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        ),
        Dialect::Postgres => Sql::new("SELECT count(*) FROM pg_sleep(3600)"),
    }
}

/// How many endless statements PostgreSQL runs for this database.
async fn running(items: &Items) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
               AND query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()";
    items.first(Sql::new(sql)).await.unwrap().unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONGEST, waiting).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// Options with a time limit that is far away, and places for two lists.
fn patient(options: Options) -> Options {
    Options { connections: 4, timeout: Duration::from_secs(3600), ..options }
}

/// A read that nobody waits for any more ends, in the database too, and only then is its place free.
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
                items.lists.free() == 0 && (dialect == Dialect::Sqlite || running(&items).await == 2)
            });
            tokio::select! {
                _ = &mut reading => panic!("an endless read ended"),
                () = begun => {}
            }
            drop(reading);
            until("both places are free", async || items.lists.free() == 2).await;
            if dialect == Dialect::Postgres {
                assert_eq!(running(&items).await, 0);
            }
            // The next one is served, and not by what the last ones have left.
            let counted: Vec<i64> = items.all(count()).await.unwrap();
            assert_eq!(counted, [0]);
        }
    })
    .await;
}

/// A read that takes too long ends like one that nobody waits for.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_a_read_that_takes_too_long_ends() {
    on_both(async |options| {
        let options = Options { connections: 2, timeout: Duration::from_millis(500), ..options };
        let items = open(&options).await.unwrap();
        let outcome = items.count(endless(items.dialect())).await;
        assert!(matches!(outcome, Err(TestError::Database(DatabaseError::Unavailable(_)))), "{outcome:?}");
        until("the place is free", async || items.lists.free() == 1).await;
        if items.dialect() == Dialect::Postgres {
            until("nothing runs", async || running(&items).await == 0).await;
        }
    })
    .await;
}

/// Who finds no place is refused after a while and has cost no statement; look-ups need no place.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_no_more_reads_run_than_there_are_places() {
    on_both(async |options| {
        // The longest a place may be waited for, by a store that shares nothing with those that are waited for but them.
        let items = open(&patient(options)).await.unwrap();
        let dialect = items.dialect();
        let mut readings =
            Box::pin(futures_util::future::join_all((0..20).map(|_| items.count(endless(dialect)))));
        let begun = until("all places are taken", async || {
            items.lists.free() == 0 && (dialect == Dialect::Sqlite || running(&items).await == 2)
        });
        tokio::select! {
            _ = &mut readings => panic!("an endless read ended"),
            () = begun => {}
        }
        let refused = items.lists.place(Duration::from_millis(20)).await.map(|_| ());
        assert!(
            matches!(refused.unwrap_err(), DatabaseError::Unavailable(why) if why.contains("too many lists"))
        );
        // More look-ups at once than there are connections for both.
        let looked = futures_util::future::join_all((0..20).map(|_| items.first::<i64>(count())));
        assert!(looked.await.into_iter().all(|found| found.unwrap() == Some(0)));
        let prompt = items.priority_read::<i64>(count()).await;
        assert_eq!(prompt.unwrap(), [0]);
        if dialect == Dialect::Postgres {
            assert_eq!(running(&items).await, 2);
        }
        drop(readings);
        until("both places are free", async || items.lists.free() == 2).await;
    })
    .await;
}

/// A snapshot ends with its caller: in the middle of a statement, and between two.
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
            items.snapshots.free() == LONG_CONNECTIONS - 1
                && (dialect == Dialect::Sqlite || running(&items).await == 1)
        });
        tokio::select! {
            _ = &mut statement => panic!("an endless snapshot ended"),
            () = begun => {}
        }
        drop(statement);
        until("the place is free", async || items.snapshots.free() == LONG_CONNECTIONS).await;
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
        until("the place is free", async || items.snapshots.free() == LONG_CONNECTIONS).await;
        assert!(outcome.recv().unwrap());
    })
    .await;
}

/// A look-up whose caller goes away leaves nothing behind that the next one on its connection would wait for.
#[tokio::test(flavor = "multi_thread")]
async fn finding_13_an_abandoned_look_up_holds_nobody_up() {
    on_both(async |options| {
        let items = open(&patient(options)).await.unwrap();
        if items.dialect() == Dialect::Sqlite {
            // It is done in place: nobody can go away meanwhile.
            return;
        }
        for _ in 0..2 {
            let looking = items.first::<i64>(endless(Dialect::Postgres));
            assert!(timeout(Duration::from_millis(100), looking).await.is_err());
            // Whoever got that connection now would wait for an hour.
            let found = items.first::<i64>(count());
            assert_eq!(timeout(LONGEST, found).await.unwrap().unwrap(), Some(0));
        }
    })
    .await;
}
