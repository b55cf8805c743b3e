//! Reads that the jobs of a batch begin with. On PostgreSQL they are sent together before the first job runs, so that
//! they cost one round trip and not one each.
//!
//! They are made in the transaction of the batch, behind the lock of all writers. So only the batch itself can change
//! what they found. A write forgets the results that it may have changed: those about the object that it says it
//! changes, or all of them if it says nothing. A job that finds no result reads as if there were none.

use tokio_postgres::Row;

use super::sql::Sql;

/// What a read finds out about, and what a write changes: a number that the callers of this module choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject(pub(crate) i64);

/// A statement that a job begins with.
#[derive(Clone, Debug)]
pub(crate) struct FirstRead {
    /// The statement. Its result depends on nothing but its subject, and on tables that only writes without a subject
    /// change.
    pub(crate) sql: Sql,
    pub(crate) subject: Subject,
}

/// The results that still hold.
#[derive(Default)]
pub(super) struct ReadAhead {
    found: Vec<(FirstRead, Vec<Row>)>,
}

impl ReadAhead {
    /// Keeps the results of reads that have just been made.
    pub(super) fn keep(&mut self, found: Vec<(FirstRead, Vec<Row>)>) {
        self.found = found;
    }

    /// Returns the result of a statement, if it is known.
    pub(super) fn get(&self, sql: &Sql) -> Option<&[Row]> {
        let (_, rows) = self.found.iter().find(|(read, _)| read.sql.is_same(sql))?;
        Some(rows)
    }

    /// Forgets what was found out about a subject.
    pub(super) fn forget(&mut self, subject: Subject) {
        self.found.retain(|(read, _)| read.subject != subject);
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.found.clear();
    }
}

/// Returns each read once, in the same order.
pub(super) fn each_once(reads: impl Iterator<Item = FirstRead>) -> Vec<FirstRead> {
    let mut once: Vec<FirstRead> = Vec::new();
    for read in reads {
        if !once.iter().any(|known| known.sql.is_same(&read.sql)) {
            once.push(read);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::testing::{Items, TestError, block, insert, names, on_both, open};
    use crate::database::{Dialect, Tx};

    const NAMES: &str = "SELECT name FROM items ORDER BY id";
    const ITEMS: Subject = Subject(1);
    const NOTHING: Subject = Subject(2);

    fn first() -> Vec<FirstRead> {
        vec![FirstRead { sql: Sql::new(NAMES), subject: ITEMS }]
    }

    /// Reads all names. Returns them, and how many statements that took.
    fn read(tx: &Tx<'_>) -> Result<(Vec<String>, u64), TestError> {
        let before = tx.statements();
        let names = tx.all(&Sql::new(NAMES))?;
        Ok((names, tx.statements() - before))
    }

    /// Reads all names, then writes.
    async fn read_and<F>(items: &Items, write: F) -> Result<(Vec<String>, u64), TestError>
    where
        F: Fn(&Tx<'_>) -> Result<(), TestError> + Send + 'static,
    {
        items
            .write_after(first(), move |tx| {
                let found = read(tx)?;
                write(tx).map(|()| found)
            })
            .await
    }

    /// What is read ahead takes no statement, and a job finds what the jobs before it in its transaction have written.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_finds_what_the_jobs_before_it_wrote() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let blocker = block(&items).await;
            let (a, b, c, d, e, f, ()) = tokio::join!(
                read_and(&items, |_| Ok(())),
                read_and(&items, |tx| Ok(tx.send_about(ITEMS, insert("b"))?)),
                read_and(&items, |tx| Ok(tx.send(insert("c"))?)),
                read_and(&items, |tx| Ok(tx.execute(&insert("d")).map(|_| ())?)),
                read_and(&items, |_| Err(TestError::Refused)),
                read_and(&items, |_| Ok(())),
                async move { drop(blocker) },
            );
            let ahead = u64::from(items.dialect() == Dialect::Sqlite);
            assert_eq!(a.unwrap(), (vec![], ahead));
            assert_eq!(b.unwrap(), (vec![], ahead));
            assert_eq!(c.unwrap(), (vec!["b".to_owned()], 1));
            assert_eq!(d.unwrap().0, ["b", "c"]);
            assert!(matches!(e, Err(TestError::Refused)));
            assert_eq!(f.unwrap().0, ["b", "c", "d"]);
        })
        .await;
    }

    /// A write about one subject leaves what was read about another, also one that returns a row.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_forgets_its_own_subject_only() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let delete = "DELETE FROM items WHERE name = 'none'";
            let none = "DELETE FROM items WHERE name = 'none' RETURNING id";
            let work = move |tx: &mut Tx<'_>| {
                tx.send_about(NOTHING, Sql::new(delete))?;
                let apart = read(tx)?.1;
                tx.first_about::<i64>(NOTHING, &Sql::new(none))?;
                let returning = read(tx)?.1;
                tx.first_about::<i64>(ITEMS, &Sql::new(none))?;
                Ok::<_, TestError>([apart, returning, read(tx)?.1])
            };
            let ahead = u64::from(items.dialect() == Dialect::Sqlite);
            assert_eq!(items.write_after(first(), work).await.unwrap(), [ahead, ahead, 1]);
        })
        .await;
    }

    /// When a job fails after it has written, all run again, and none of them with what was read before.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_second_run_reads_again() {
        on_both(async |options| {
            let items = open(&options).await.unwrap();
            let blocker = block(&items).await;
            let refused = |tx: &Tx<'_>| {
                tx.send_about(NOTHING, insert("b"))?;
                Err(TestError::Refused)
            };
            let (a, b, c, ()) = tokio::join!(
                read_and(&items, |tx| Ok(tx.send_about(NOTHING, insert("a"))?)),
                read_and(&items, refused),
                read_and(&items, |tx| Ok(tx.send_about(ITEMS, insert("c"))?)),
                async move { drop(blocker) },
            );
            assert_eq!(a.unwrap(), (vec![], 1));
            assert!(matches!(b, Err(TestError::Refused)));
            assert_eq!(c.unwrap(), (vec!["a".to_owned()], 1));
            assert_eq!(names(&items).await, ["a", "c"]);
        })
        .await;
    }
}
