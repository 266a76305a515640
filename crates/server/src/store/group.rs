//! Group commit: what machines have to be written, many in one transaction.
//!
//! A commit waits for the disk, milliseconds for however much. While one waits, what comes meanwhile queues up and is
//! the next transaction. Each has a savepoint of its own, so that one that fails takes no other with it, and is answered
//! when all of them are on the disk.

use super::{Result, Store, StoreError, Tx, audit, connect::Writer};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

/// Most in one transaction: an operator's write may come after it.
const MOST: usize = 256;

/// Tells whoever asked; whether it was committed.
type Tell = Box<dyn FnOnce(bool) + Send>;
/// Writes, and returns what to do afterwards.
type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, sqlx::Result<Tell>> + Send>;

/// Where jobs are put.
#[derive(Clone)]
pub(super) struct Group(mpsc::Sender<Job>);

impl Group {
    /// Works until nobody can ask for anything any more.
    pub(super) fn start(writer: Writer) -> Self {
        let (sender, mut jobs) = mpsc::channel(MOST);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(MOST);
            while jobs.recv_many(&mut batch, MOST).await > 0 {
                let (writer, jobs) = (writer.clone(), std::mem::take(&mut batch));
                // In a task of its own, so that a fault in one job does not end the writing of all that come later. Those
                // that are dropped on the way are answered by that.
                let written = tokio::spawn(async move { write(&writer, jobs).await });
                match written.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the database does not take what machines report");
                    }
                    Err(error) => {
                        tracing::error!(%error, "a fault in writing what machines report")
                    }
                }
            }
        });
        Self(sender)
    }
}

async fn write(writer: &Writer, jobs: Vec<Job>) -> sqlx::Result<()> {
    let mut tx = writer.begin().await?;
    let mut done = Vec::new();
    for job in jobs {
        done.push(job(&mut tx).await?);
    }
    let committed = tx.commit().await;
    for tell in done {
        tell(committed.is_ok());
    }
    committed
}

impl Store {
    /// Writes in one transaction with whatever else is to be written now; returns when it is on the disk. What fails
    /// has changed nothing.
    pub(super) async fn together<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let actor = audit::actor();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                sqlx::query("SAVEPOINT one").execute(&mut **tx).await?;
                let result = audit::as_actor(actor, work(tx)).await;
                if result.is_err() {
                    sqlx::query("ROLLBACK TO one").execute(&mut **tx).await?;
                }
                sqlx::query("RELEASE one").execute(&mut **tx).await?;
                Ok(Box::new(move |committed| {
                    let told = if committed { result } else { Err(StoreError::NotWritten) };
                    // Nobody need wait for it any more.
                    let _ = answer.send(told);
                }) as Tell)
            })
        });
        self.group.0.send(job).await.map_err(|_| StoreError::NotWritten)?;
        answered.await.map_err(|_| StoreError::NotWritten)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{database::Kind, store::tests::Scratch};

    async fn set(store: Store, n: i64) -> Result<i64> {
        store
            .together(move |tx| {
                Box::pin(async move {
                    let set = sqlx::query("INSERT INTO settings (key, value) VALUES ($1, 'x')");
                    set.bind(n.to_string()).execute(&mut **tx).await?;
                    if n % 5 == 0 { Err(StoreError::Corrupt("every fifth")) } else { Ok(n) }
                })
            })
            .await
    }

    #[tokio::test]
    async fn one_that_fails_takes_no_other_with_it() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        let results =
            futures_util::future::join_all((1..=1000).map(|n| tokio::spawn(set(store.clone(), n))))
                .await;
        for (n, result) in (1..).zip(results) {
            match result.unwrap() {
                Ok(same) => assert!(same == n && n % 5 != 0),
                Err(error) => assert!(n % 5 == 0 && matches!(error, StoreError::Corrupt(_))),
            }
        }
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM settings").fetch_one(&store.reader);
        let count: i64 = count.await.unwrap();
        assert_eq!(count, 800);
    }

    #[tokio::test]
    async fn a_fault_ends_no_more_than_what_was_written_with_it() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        let fault = store.together::<()>(|_| Box::pin(async { panic!("a fault") }));
        assert!(matches!(fault.await, Err(StoreError::NotWritten)));
        assert!(matches!(set(store.clone(), 1).await, Ok(1)));
    }

    #[tokio::test]
    async fn what_cannot_be_committed_is_not_acknowledged() {
        let scratch = Scratch::new();
        let store = scratch.store().await;
        // Noticed when it is committed, and not before.
        let defer = match store.writer.kind {
            Kind::Sqlite => "PRAGMA defer_foreign_keys = ON",
            Kind::Postgres => {
                "ALTER TABLE machine_groups ALTER CONSTRAINT machine_groups_machine_fkey DEFERRABLE INITIALLY DEFERRED"
            }
        };
        let bad = store.together(move |tx| {
            Box::pin(async move {
                sqlx::query(defer).execute(&mut **tx).await?;
                let bad = "INSERT INTO machine_groups (machine, name) VALUES (7, 'none')";
                sqlx::query(bad).execute(&mut **tx).await?;
                Ok(())
            })
        });
        assert!(matches!(bad.await, Err(StoreError::NotWritten)));
        assert!(
            matches!(set(store.clone(), 1).await, Ok(1)),
            "the next one finds a working database"
        );
        store.close().await;
        assert!(matches!(set(store.clone(), 2).await, Err(StoreError::NotWritten)));
    }
}
