//! Whose turn it is: work that nobody waits for steps back while a person or a carrier waits.
//!
//! The rule: background work goes one unit at a time, and each begins when nothing else is under way, or after a short courtesy, so
//! that it is never starved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// The longest that background work steps back.
const COURTESY: Duration = Duration::from_millis(10);

/// The turns of one database in this process.
#[derive(Debug)]
pub(super) struct Turns {
    background: Semaphore,
    under_way: AtomicUsize,
    idle: Notify,
}

/// A turn, until it is dropped.
pub(super) enum Turn<'a> {
    /// Of background work.
    Background(#[expect(dead_code, reason = "held until it is dropped")] Option<SemaphorePermit<'a>>),
    /// Of what somebody waits for.
    Foreground(&'a Turns),
}

impl Turns {
    pub fn new() -> Self {
        Self { background: Semaphore::new(1), under_way: AtomicUsize::new(0), idle: Notify::new() }
    }

    /// At once: somebody waits for it.
    pub fn foreground(&self) -> Turn<'_> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        Turn::Foreground(self)
    }

    /// When it is this one's turn and nobody waits, or after the courtesy.
    pub async fn background(&self) -> Turn<'_> {
        let permit = self.background.acquire().await.ok();
        let _ = tokio::time::timeout(COURTESY, self.nobody_waits()).await;
        Turn::Background(permit)
    }

    async fn nobody_waits(&self) {
        loop {
            let told = self.idle.notified();
            if self.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            told.await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Self::Foreground(turns) = self
            && turns.under_way.fetch_sub(1, Ordering::SeqCst) == 1
        {
            turns.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn background_work_steps_back_and_is_not_starved() {
        let turns = Turns::new();
        drop(turns.background().await);
        let began = tokio::time::Instant::now();
        let somebody = turns.foreground();
        drop(turns.background().await);
        assert!(began.elapsed() >= COURTESY, "after the courtesy, although somebody waits");
        let waiting = tokio::time::timeout(COURTESY * 500, turns.background());
        let (turn, ()) = tokio::join!(waiting, async { drop(somebody) });
        assert!(turn.is_ok(), "when the other is done");
    }
}
