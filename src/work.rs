//! Work in the background: batches, back-off, and the faults that tests inject. Leases live in the rooms whose rows are leased.

mod batcher;
pub mod faults;

pub use batcher::{Batcher, Stopped};

use crate::clock::{Now, Rng};
use crate::db::{Db, Result};
use crate::types::Change;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How long to wait before try number `attempts + 1`: 1 s, 2 s, 4 s … at most `most`, a fifth of it at random.
pub fn backoff(attempts: i64, most: Duration, rng: &Rng) -> Duration {
    let doubled = Duration::from_secs(1 << attempts.clamp(0, 12)).min(most);
    let spread = u64::try_from(doubled.as_millis() / 5).unwrap_or(0);
    doubled + Duration::from_millis(rng.below(spread + 1))
}

/// Whether this process is the one of all that does a chore now; it is due again after `every`.
///
/// # Errors
/// What the database says.
pub async fn is_my_turn(db: &Db, now: &Now, chore: &'static str, every: Duration) -> Result<bool> {
    let at = now.at();
    let turns = db
        .work(async |tx| tx.run("update chore set due_at = $3 where name = $1 and due_at <= $2", (chore, at, at.plus(every))).await)
        .await?;
    Ok(turns == 1)
}

/// Waits until `wanted` is told, or until `at_most` has passed: wake-ups may be lost, so nobody relies on them alone.
pub async fn wait_for(bell: &mut broadcast::Receiver<Change>, wanted: Change, at_most: Duration) {
    let heard = async {
        loop {
            match bell.recv().await {
                Ok(change) if change == wanted => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    let _ = tokio::time::timeout(at_most, heard).await;
}
