//! SQLite's log is written back into the database beside the writer, so that a commit writes to the log and nothing else.
//!
//! The rule: nobody waits for it. What changes while it writes back is for its next time; a log that grows long all the same is
//! written back by the commit that finds it so ([`LONGEST`]), and begins anew.
//!
//! Source: <https://www.sqlite.org/wal.html>, “Checkpointing” and “Performance Considerations”.

use sqlx::{Result, SqlitePool, query};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pages of a log that is too long, of 4 KiB each.
pub(super) const LONGEST: &str = "10000";
/// What changes within this time is written back once.
const GATHER: Duration = Duration::from_millis(30);

/// Told of each commit; a clone tells the same one. It ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct WriteBack {
    pool: SqlitePool,
    changed: mpsc::Sender<()>,
}

impl WriteBack {
    /// Writes back over a pool of one connection.
    pub fn begin(pool: SqlitePool) -> Self {
        let (changed, mut changes) = mpsc::channel(1);
        let own = pool.clone();
        tokio::spawn(async move {
            while changes.recv().await.is_some() {
                tokio::time::sleep(GATHER).await;
                match write_back(&own).await {
                    Ok(()) => {}
                    Err(sqlx::Error::PoolClosed) => return,
                    Err(error) => tracing::warn!(%error, "the log was not written back; the next commits try again"),
                }
            }
        });
        Self { pool, changed }
    }

    /// Something was committed.
    pub fn changed(&self) {
        // Full: it has been told already.
        let _ = self.changed.try_send(());
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// As much as nobody is in the way of.
async fn write_back(pool: &SqlitePool) -> Result<()> {
    query("pragma wal_checkpoint(passive)").execute(pool).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use crate::db::Db;
    use crate::types::{RoleId, Timestamp};
    use std::time::{Duration, Instant};
    use uuid::Uuid;

    #[tokio::test]
    async fn what_is_committed_comes_into_the_database_by_itself() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("database");
        let db = Db::open(&format!("sqlite:{}", file.display()), 2).await?;
        db.migrate().await?;
        let (before, began) = (std::fs::metadata(&file)?.len(), Instant::now());
        let role = (RoleId(Uuid::nil()), "a".repeat(1_000_000), Timestamp(0));
        db.work(async |tx| tx.run("insert into role (id, name, everywhere, created_at) values ($1, $2, false, $3)", role).await).await?;
        while std::fs::metadata(&file)?.len() < before + 1_000_000 {
            assert!(began.elapsed() < Duration::from_secs(60), "the log was never written back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        db.close().await;
        Ok(())
    }
}
