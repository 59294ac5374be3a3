//! The worker of runs: takes a run under a lease, does one batch after the other, each with its checkpoint in one transaction, and gives
//! it back. It is meant to die at any moment: the next one goes on behind the last batch that was committed.
//!
//! A batch ends within its limit, which is shorter than the lease, so that the lease needs no heartbeat beside the batches themselves.

mod batch;

use super::{log, state};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, json};
use crate::types::{Change, RunError, RunEventKind, RunId, RunState, counted};
use crate::work::faults::{self, UtilityGuard};
use crate::work::{backoff, wait_for};
use batch::Looked;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Plans that nobody started are forgotten after this time.
const PLAN_GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// One whose file was not stored whole within this time never will be.
const STORED_WITHIN: Duration = Duration::from_secs(60 * 60);
/// So long at most nobody looks at a run between two batches, so that a pause or a cancel is heard soon; shorter than a lease.
const LONGEST_BREATH: Duration = Duration::from_secs(2);
/// A smaller share is taken for this one.
const LEAST_SHARE: f64 = 0.01;
/// Wake-ups may be lost: it is looked for runs so often.
const LOOK: Duration = Duration::from_secs(2);
/// Who watches hears of progress so often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How runs are worked.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The share of the time that batches may take, of one; the rest is left to everybody else.
    pub share: f64,
    /// A batch that takes longer is rolled back and split.
    pub limit: Duration,
    /// A run whose worker gave no sign of life for this long is free for another one; longer than `limit`.
    pub lease: Duration,
    /// Rows that a batch takes, at most.
    pub most: i64,
    /// So many tries of one batch, then the run has failed.
    pub tries: i64,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
    /// Runs worked at the same time.
    pub runs: usize,
    /// A guard that a test took out.
    pub broken: Option<UtilityGuard>,
}

impl WorkerConfig {
    /// How long a batch's transaction should take; its size follows. Others wait for it at most so long, which matters to nobody when the
    /// run may take all the time.
    fn batch_time(&self) -> Duration {
        Duration::from_millis(if self.share < 1.0 { 4 } else { 100 })
    }
}

/// How long everybody else has the database behind a batch that took so long, for batches to have their share of the time.
fn pause(share: f64, took: Duration) -> Duration {
    let share = share.clamp(LEAST_SHARE, 1.0);
    took.mul_f64((1.0 - share) / share)
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            share: 0.5,
            limit: Duration::from_secs(20),
            lease: Duration::from_secs(30),
            most: 20_000,
            tries: 5,
            longest_pause: Duration::from_secs(300),
            runs: 2,
            broken: None,
        }
    }
}

/// Rows of the first batch of a run.
pub(super) const FIRST_BATCH: i64 = 500;

/// Works runs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Worker {
    db: Db,
    now: Now,
    config: WorkerConfig,
}

/// A run under lease.
#[derive(Debug, sqlx::FromRow)]
struct Held {
    id: RunId,
    attempt: i64,
    batch_size: i64,
    /// What was read ahead while the batch before was done.
    #[sqlx(skip)]
    looked: Option<Looked>,
}

/// A worker with a run in its hand; see [`Worker::hold`].
#[derive(Debug)]
pub struct Sleeper {
    worker: Worker,
    held: Held,
}

impl Sleeper {
    /// Goes on with a batch, whatever happened meanwhile; says whether it did one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn wake(mut self) -> Result<bool> {
        Ok(matches!(self.worker.batch(&mut self.held).await?, Came::On(_)))
    }
}

/// What came of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was done: so many rows.
    On(i64),
    /// The run is not ours to go on with: it is over, stands still, or somebody else has it.
    Off,
}

const CLAIM: Sql = Sql {
    sqlite: "update utility_run set attempt = attempt + 1, lease_until = $2
             where id in (select id from utility_run
                          where due_at <= $1 and (lease_until is null or lease_until <= $1) order by due_at, id limit 1)
             returning id, attempt, batch_size",
    postgres: "update utility_run set attempt = attempt + 1, lease_until = $2
               where id in (select id from utility_run
                            where due_at <= $1 and (lease_until is null or lease_until <= $1) order by due_at, id limit 1
                            for update skip locked)
               returning id, attempt, batch_size",
};

impl Worker {
    /// A worker on this database.
    pub fn new(db: Db, now: Now, config: WorkerConfig) -> Self {
        // Whoever may take all the time steps back for nobody.
        let db = if config.share < 1.0 { db.in_background() } else { db };
        Self { db, now, config }
    }

    /// Works until told to stop; finishes the batches under way and gives the runs back.
    pub async fn run(self, stop: CancellationToken) {
        let mut bell = self.db.changes();
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            let claimed = if under_way.len() < self.config.runs { self.claim().await } else { Ok(None) };
            match claimed {
                Ok(Some(held)) => {
                    let (worker, stop) = (self.clone(), stop.clone());
                    under_way.spawn(async move { worker.work(held, &stop).await });
                }
                Ok(None) => {
                    if let Err(error) = self.tidy().await {
                        tracing::error!(%error, "old plans could not be tidied away");
                    }
                    tokio::select! {
                        () = wait_for(&mut bell, Change::RunDue, self.config.lease.min(LOOK)) => {}
                        Some(_) = under_way.join_next() => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "no run could be claimed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Takes a run that is due, does one batch of it and gives it back; says whether there was one. For tests, which move the clock.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<bool> {
        self.tidy().await?;
        let Some(mut held) = self.claim().await? else { return Ok(false) };
        if matches!(self.batch(&mut held).await?, Came::On(_)) {
            self.give_back(&held).await?;
        }
        Ok(true)
    }

    /// Takes a run that is due and does nothing with it. For tests of what becomes of a worker that dies or sleeps.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hold(&self) -> Result<Option<Sleeper>> {
        Ok(self.claim().await?.map(|held| Sleeper { worker: self.clone(), held }))
    }

    async fn work(&self, mut held: Held, stop: &CancellationToken) {
        let mut told = self.now.at();
        loop {
            let began = self.now.at();
            match self.batch(&mut held).await {
                Ok(Came::On(_)) => {}
                Ok(Came::Off) => return,
                Err(error) => {
                    // The lease runs out by itself.
                    tracing::error!(%error, run = %held.id, "a run could not be worked");
                    return;
                }
            }
            if stop.is_cancelled() {
                if let Err(error) = self.give_back(&held).await {
                    tracing::warn!(%error, run = %held.id, "a run could not be given back; it is free when its lease has run out");
                }
                return;
            }
            let at = self.now.at();
            if at.since(told) >= TELL_EVERY {
                told = at;
                let _ = self.db.work(async |tx| log::tell(tx, held.id).await).await;
            }
            match self.breathe(&held, pause(self.config.share, at.since(began)), stop).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, run = %held.id, "a run's lease could not be renewed");
                    return;
                }
            }
        }
    }

    /// Leaves the database to everybody else for so long, and less when somebody wants the run to stand still or to end. Says whether it is
    /// still this attempt's.
    async fn breathe(&self, held: &Held, mut left: Duration, stop: &CancellationToken) -> Result<bool> {
        if left.is_zero() {
            tokio::task::yield_now().await;
            return Ok(true);
        }
        loop {
            let breath = left.min(LONGEST_BREATH);
            tokio::select! { () = tokio::time::sleep(breath) => {}, () = stop.cancelled() => return Ok(true) }
            left = left.saturating_sub(breath);
            if left.is_zero() {
                return Ok(true);
            }
            match self.renew(held).await? {
                Some(RunState::Running | RunState::Verifying) => {}
                Some(_) => return Ok(true),
                None => return Ok(false),
            }
        }
    }

    /// Renews the lease of a run between two batches; says how far it is, if it is still this attempt's.
    async fn renew(&self, held: &Held) -> Result<Option<RunState>> {
        let until = self.now.at().plus(self.config.lease);
        let found: Option<(RunState,)> = self
            .db
            .work(async |tx| {
                tx.opt(
                    "update utility_run set lease_until = $3 where id = $1 and attempt = $2 and due_at is not null
                     returning state",
                    (held.id, held.attempt, until),
                )
                .await
            })
            .await?;
        Ok(found.map(|(state,)| state))
    }

    async fn claim(&self) -> Result<Option<Held>> {
        let at = self.now.at();
        let claimed = self
            .db
            .work(async |tx| {
                let held: Option<Held> = tx.opt(CLAIM, (at, at.plus(self.config.lease))).await?;
                if let Some(held) = &held {
                    tx.run(
                        "update utility_run
                         set taken_at = $2, started_at = coalesce(started_at, $2),
                             taken_done = (select cast(coalesce(sum(done), 0) as bigint) from utility_step where run_id = $1)
                         where id = $1",
                        (held.id, at),
                    )
                    .await?;
                    if state::go(tx, &self.now, held.id, RunState::Queued, RunState::Running, None).await? {
                        tx.run("update utility_run set lease_until = $2 where id = $1", (held.id, at.plus(self.config.lease))).await?;
                    }
                }
                Ok::<_, crate::db::Error>(held)
            })
            .await?;
        if claimed.is_some() {
            faults::point("utility_claimed");
        }
        Ok(claimed)
    }

    /// Ends the lease; the run is due at once for whoever comes.
    async fn give_back(&self, held: &Held) -> Result<()> {
        let at = self.now.at();
        self.db
            .work(async |tx| {
                tx.run(
                    "update utility_run set lease_until = null, due_at = case when due_at is not null then cast($3 as bigint) end
                     where id = $1 and attempt = $2",
                    (held.id, held.attempt, at),
                )
                .await?;
                tx.tell(Change::RunDue);
                Ok(())
            })
            .await
    }

    /// A batch was not done: the run waits, and has failed when it has waited often, or at once when waiting does not help.
    async fn failed(&self, held: &Held, text: String, what_to_do: String, for_good: bool) -> Result<Came> {
        let at = self.now.at();
        self.db
            .work(async |tx| {
                let ours: Option<(RunState, i64)> = tx
                    .opt(
                        "update utility_run set failures = failures + 1, batch_size = $3 where id = $1 and attempt = $2
                         returning state, failures",
                        (held.id, held.attempt, held.batch_size),
                    )
                    .await?;
                let Some((state, failures)) = ours else { return Ok(Came::Off) };
                let step: Option<(String, i64)> = tx
                    .opt("select title, done from utility_step where run_id = $1 and ended_at is null order by n limit 1", [held.id])
                    .await?;
                let (step, behind) = step.unwrap_or_default();
                let error = RunError { text: text.clone(), what_to_do: what_to_do.clone(), step: step.clone(), behind };
                tx.run("update utility_run set error = $2 where id = $1", (held.id, json(&error))).await?;
                let place = format!("{step}, behind {}: {text}", counted(behind, "row", "rows"));
                if for_good || failures >= self.config.tries {
                    state::go(tx, &self.now, held.id, state, RunState::Failed, None).await?;
                    log::write(tx, &self.now, held.id, RunEventKind::Error, format!("{place} {what_to_do}"), None).await?;
                } else {
                    let due = at.plus(backoff(failures, self.config.longest_pause, &self.now.rng));
                    tx.run("update utility_run set lease_until = null, due_at = $2 where id = $1", (held.id, due)).await?;
                    log::write(tx, &self.now, held.id, RunEventKind::Warning, format!("{place} It is tried again."), None).await?;
                }
                Ok(Came::Off)
            })
            .await
    }

    /// Ends what waits for an approval that nobody gave in time, and forgets plans that nobody started.
    async fn tidy(&self) -> Result<()> {
        let at = self.now.at();
        let waiting: Vec<(RunId,)> = self
            .db
            .all(
                "select r.id from utility_run r
                 where r.state = 'awaiting_approval' and not exists (
                   select 1 from approval p where p.id = r.approval_id and p.state = 'open' and p.expires_at > $1)
                 limit 20",
                [at],
            )
            .await?;
        for (run,) in waiting {
            self.db
                .work(async |tx| state::go(tx, &self.now, run, RunState::AwaitingApproval, RunState::Cancelled, None).await.map(|_| ()))
                .await?;
        }
        let old: Option<(RunId,)> = self
            .db
            .opt(
                "select id from utility_run
                 where state = 'planned' and (asked_at < $1 or (version = 0 and asked_at < $2))
                 limit 1",
                (at.minus(PLAN_GOOD_FOR), at.minus(STORED_WITHIN)),
            )
            .await?;
        if let Some((run,)) = old {
            self.db.work(async |tx| super::launch::forget_plan(tx, run).await).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::pause;
    use std::time::Duration;

    #[test]
    fn batches_have_their_share_of_the_time_however_small_it_is() {
        let took = Duration::from_secs(1);
        assert_eq!(pause(1.0, took), Duration::ZERO);
        assert_eq!(pause(0.5, took), took);
        for share in [0.25, 0.1, 0.05, 0.01] {
            let of_all = took.as_secs_f64() / (took + pause(share, took)).as_secs_f64();
            assert!((of_all - share).abs() < 1e-6, "{share}: {of_all}");
        }
        assert_eq!((pause(2.0, took), pause(0.0, took)), (Duration::ZERO, pause(0.01, took)));
    }
}
