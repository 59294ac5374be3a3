//! The bell: says to whom it may concern that something changed, within the process and, on PostgreSQL, between them.
//! It carries ids, not rows, and may lose rings: whoever hears it reads the database, and also looks by itself now and then.
//!
//! PostgreSQL lets one notifying transaction commit at a time, so those of other processes are told afterwards, many at once.

use crate::types::Change;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// A notice of PostgreSQL carries 8,000 bytes at most ("NOTIFY", PostgreSQL manual); a change takes about 200.
const CHANGES_PER_NOTICE: usize = 30;
/// Rings for other processes are gathered for so long.
const GATHER: Duration = Duration::from_millis(5);

/// Tells changes to every listener.
#[derive(Debug, Clone)]
pub struct Bell {
    here: broadcast::Sender<Change>,
    elsewhere: Arc<OnceLock<mpsc::Sender<Change>>>,
}

/// What a notice carries.
#[derive(Serialize, Deserialize)]
struct Notice<'a> {
    /// Who rang: it has heard it already.
    from: &'a str,
    changes: Vec<Change>,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { here: broadcast::channel(4_096).0, elsewhere: Arc::default() }
    }

    pub(super) fn ring(&self, changes: &[Change]) {
        for change in changes {
            // Nobody listening is fine.
            let _ = self.here.send(*change);
        }
    }

    pub(super) fn ring_elsewhere(&self, changes: &[Change]) {
        let Some(elsewhere) = self.elsewhere.get() else { return };
        for change in changes {
            // One that does not fit is lost, as any ring may be.
            let _ = elsewhere.try_send(*change);
        }
    }

    pub(super) fn rings_elsewhere(&self) -> bool {
        self.elsewhere.get().is_some()
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Change> {
        self.here.subscribe()
    }

    /// Begins to hear other processes, and to ring for them.
    pub(super) async fn follow(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(pool).await?;
        let (backend,): (i32,) = sqlx::query_as("select pg_backend_pid()").fetch_one(&mut listener).await?;
        let me = format!("{backend}-{}", std::process::id());
        listener.listen("switchyard").await?;
        let (bell, name) = (self.clone(), me.clone());
        tokio::spawn(async move {
            // `recv` reconnects by itself; it ends when the pool is closed.
            while let Ok(notice) = listener.recv().await {
                if let Ok(Notice { from, changes }) = serde_json::from_str(notice.payload())
                    && from != name
                {
                    bell.ring(&changes);
                }
            }
        });
        let (sender, mut rings) = mpsc::channel(4_096);
        if self.elsewhere.set(sender).is_ok() {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut changes = Vec::new();
                while rings.recv_many(&mut changes, 4_096).await > 0 && !pool.is_closed() {
                    changes.sort_unstable();
                    changes.dedup();
                    if let Err(error) = send(&pool, &me, &changes).await {
                        tracing::warn!(%error, "other processes were not told of changes; they look by themselves");
                    }
                    changes.clear();
                    tokio::time::sleep(GATHER).await;
                }
            });
        }
        Ok(())
    }
}

fn notices(from: &str, changes: &[Change]) -> Vec<String> {
    let part = |part: &[Change]| serde_json::to_string(&Notice { from, changes: part.to_vec() }).unwrap_or_default();
    changes.chunks(CHANGES_PER_NOTICE).map(part).collect()
}

async fn send(pool: &PgPool, from: &str, changes: &[Change]) -> sqlx::Result<()> {
    sqlx::query("select pg_notify('switchyard', text) from unnest($1::text[]) text").bind(notices(from, changes)).execute(pool).await?;
    Ok(())
}

/// Tells every process within the transaction that made the changes.
pub(super) async fn notify(connection: &mut PgConnection, changes: &[Change]) -> sqlx::Result<()> {
    for notice in notices("", changes) {
        sqlx::query("select pg_notify('switchyard', $1)").bind(notice).execute(&mut *connection).await?;
    }
    Ok(())
}
