//! The bell: says to whom it may concern that something changed, within the process and, on PostgreSQL, between them.
//! It carries ids, not rows, and may lose rings: whoever hears it reads the database, and also looks by itself now and then.

use crate::types::Change;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;

/// A notice of PostgreSQL carries 8,000 bytes at most ("NOTIFY", PostgreSQL manual); a change takes about 200.
pub(super) const CHANGES_PER_NOTICE: usize = 30;

/// Tells changes to every listener.
#[derive(Debug, Clone)]
pub struct Bell(broadcast::Sender<Change>);

impl Bell {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(4_096).0)
    }

    pub(super) fn ring(&self, changes: &[Change]) {
        for change in changes {
            // Nobody listening is fine.
            let _ = self.0.send(*change);
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    pub(super) async fn follow(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen("switchyard").await?;
        let bell = self.clone();
        tokio::spawn(async move {
            // `recv` reconnects by itself; it ends when the pool is closed.
            while let Ok(notice) = listener.recv().await {
                if let Ok(changes) = serde_json::from_str::<Vec<Change>>(notice.payload()) {
                    bell.ring(&changes);
                }
            }
        });
        Ok(())
    }
}
