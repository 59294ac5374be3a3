//! The worker of runs: takes a run under a lease, does one batch after the other, each with its checkpoint in one transaction, and gives
//! it back. It is meant to die at any moment: the next one goes on behind the last batch that was committed.
//!
//! A batch ends within its limit, which is shorter than the lease, so that the lease needs no heartbeat beside the batches themselves.

use super::{Ahead, Batch, Stop, Utility, Work, log, state, unreadable, utility};
use crate::clock::Now;
use crate::db::{Db, Engine, Result, Sql, Tx};
use crate::staff::Actor;
use crate::types::{AccountId, Change, LineId, Plan, Problem, RunError, RunEventKind, RunId, RunState, StaffId, Timestamp, UtilityKind};
use crate::work::faults::{self, UtilityGuard};
use crate::work::{backoff, wait_for};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Plans that nobody started are forgotten after this time.
const PLAN_GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two batches there is no longer pause than this, so that a pause or a cancel is heard soon.
const LONGEST_BREATH: Duration = Duration::from_secs(2);
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
/// A batch is not split further than this.
const LEAST: i64 = 1;
/// A batch is not made smaller than this for its time alone: what a commit takes is not less for fewer rows.
const WORTH_A_COMMIT: i64 = 200;

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

/// What was read ahead for a step at a place.
#[derive(Debug)]
struct Looked {
    step: String,
    place: Option<String>,
    ahead: Ahead,
}

impl Looked {
    fn is_for(&self, step: &Step) -> bool {
        self.step == step.name && self.place == step.place
    }
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

/// A held run as a batch sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    utility: UtilityKind,
    state: RunState,
    parameters: String,
    plan: String,
    line_id: Option<LineId>,
    account_id: Option<AccountId>,
    target_id: Option<AccountId>,
    asked_by: StaffId,
    watermark: Option<Uuid>,
    reverses: Option<RunId>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Step {
    n: i64,
    name: String,
    is_check: bool,
    place: Option<String>,
    began_at: Option<Timestamp>,
}

/// The first two steps that are not done.
const STEPS: &str = "select n, name, is_check, place, began_at from utility_step
                     where run_id = $1 and ended_at is null
                     order by n
                     limit 2";

/// What a row says, parsed.
struct Run {
    which: &'static dyn Utility,
    parameters: serde_json::Value,
    plan: Plan,
    asked_by: Actor,
}

impl Run {
    fn of(row: &Row, name: String) -> std::result::Result<Self, Stop> {
        Ok(Self {
            which: utility(row.utility)?,
            parameters: serde_json::from_str(&row.parameters).map_err(unreadable)?,
            plan: serde_json::from_str(&row.plan).map_err(unreadable)?,
            asked_by: Actor::Staff { id: row.asked_by, name, address: None },
        })
    }
}

/// A held run, and the first two of its steps that are not done.
type Seen = (Row, Vec<Step>);

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
            let pause = at.since(began).mul_f64((1.0 - self.config.share).max(0.0) / self.config.share.max(0.01)).min(LONGEST_BREATH);
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => {} }
            }
        }
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

    /// One batch with its checkpoint, within its limit; whatever hinders it is written down.
    async fn batch(&self, held: &mut Held) -> Result<Came> {
        let (seen, looked) = self.look_ahead(held).await?;
        // What a test puts in place of a guard: it looked, in a transaction of its own, and goes by that, however much later.
        let stale = match self.config.broken {
            Some(UtilityGuard::Fence) => self.db.work(async |tx| self.look(tx, held, None).await).await?,
            Some(UtilityGuard::Checkpoint) => self.checkpoint_alone(held).await?,
            _ => None,
        };
        faults::hang("utility_look").await;
        let began = self.now.at();
        let one = self.db.work(async |tx| self.one(tx, held, stale, looked.as_ref(), None).await);
        let meanwhile = self.look_behind(held, seen, looked.as_ref());
        let (ended, next) = tokio::join!(tokio::time::timeout(self.config.limit, one), meanwhile);
        held.looked = next;
        tracing::debug!(run = %held.id, size = held.batch_size, took = ?self.now.at().since(began), "a batch");
        match ended {
            Ok(Ok(came)) => {
                faults::point("utility_committed");
                if let Came::On(_) = came {
                    held.batch_size = self.next_size(held.batch_size, self.now.at().since(began));
                }
                Ok(came)
            }
            Ok(Err(Stop::Fault { text, what_to_do })) => self.failed(held, text, what_to_do, true).await,
            Ok(Err(Stop::Again { text, what_to_do })) => self.failed(held, text, what_to_do, false).await,
            Ok(Err(Stop::Database(error))) => {
                let Problem::Internal { reference } = Problem::from(error) else { return Ok(Came::Off) };
                let text = format!("The database did not take a batch. The log has the cause under {reference}.");
                self.failed(held, text, "Have an engineer look at the cause, then resume from here.".to_owned(), false).await
            }
            Err(_) => {
                let limit = self.config.limit.as_secs();
                let size = held.batch_size;
                held.batch_size = (size / 2).max(LEAST);
                let text = format!("A batch of {size} rows took longer than {limit} seconds; it is split in two.");
                self.failed(held, text, "Resume when the database is less busy.".to_owned(), false).await
            }
        }
    }

    /// Batches take about as long as they should: too many rows hold others up, too few waste commits.
    fn next_size(&self, size: i64, took: Duration) -> i64 {
        let (wanted, took) = (self.config.batch_time().as_micros(), took.as_micros().max(1));
        let ratio = (wanted as f64 / took as f64).clamp(0.5, 2.0);
        ((size as f64 * ratio) as i64).max(size.min(WORTH_A_COMMIT)).clamp(LEAST, self.config.most)
    }

    /// What a test puts in place of one transaction: the checkpoint is written before what it stands for. Says what there was to do.
    async fn checkpoint_alone(&self, held: &Held) -> Result<Option<Seen>> {
        let looked = self.db.work(async |tx| self.look(tx, held, Some(held.attempt)).await).await?;
        let mut seen = None;
        // It is looked at what would be done, and taken back.
        let _: Result<()> = self
            .db
            .work(async |tx| {
                let _ = self.one(tx, held, None, None, Some(&mut seen)).await;
                Err(crate::db::Error::RowNotFound)
            })
            .await;
        if let Some((step, batch)) = seen.filter(|(_, batch)| batch.flipped.is_none()) {
            self.db.work(async |tx| self.checkpoint(tx, held.id, &step, &batch).await).await?;
            faults::point("utility_checkpoint");
        }
        Ok(looked)
    }

    /// The run as it is, and what its next batch may read before its transaction.
    async fn look_ahead(&self, held: &mut Held) -> Result<(Option<Seen>, Option<Looked>)> {
        let row: Option<Row> = self
            .db
            .opt(
                "select utility, state, parameters, plan, line_id, account_id, target_id, asked_by, watermark, reverses
                 from utility_run
                 where id = $1 and attempt = $2 and due_at is not null",
                (held.id, held.attempt),
            )
            .await?;
        let Some(row) = row else { return Ok((None, None)) };
        let steps: Vec<Step> = self.db.all(STEPS, [held.id]).await?;
        let Some(step) = steps.first() else { return Ok((None, None)) };
        let looked = match held.looked.take().filter(|looked| looked.is_for(step)) {
            Some(looked) => Some(looked),
            None => self.look_at(held, &row, step).await?,
        };
        Ok((Some((row, steps)), looked))
    }

    /// What the batch after this one may read, while this one is done.
    async fn look_behind(&self, held: &Held, seen: Option<Seen>, looked: Option<&Looked>) -> Option<Looked> {
        // SQLite's log cannot begin anew while somebody reads: it would grow, and each commit with it.
        if self.db.engine() == Engine::Sqlite {
            return None;
        }
        let (row, steps) = seen?;
        let place = Some(looked?.ahead.next.clone()?);
        let step = Step { place, ..steps.into_iter().next()? };
        // What could not be read is read when its turn has come.
        self.look_at(held, &row, &step).await.ok().flatten()
    }

    async fn look_at(&self, held: &Held, row: &Row, step: &Step) -> Result<Option<Looked>> {
        // What cannot be read is said by the batch.
        let Ok(run) = Run::of(row, String::new()) else { return Ok(None) };
        let ahead = run.which.look(&self.db, &self.work_of(held, row, &run, step, None)).await?;
        Ok(ahead.map(|ahead| Looked { step: step.name.clone(), place: step.place.clone(), ahead }))
    }

    fn work_of<'a>(&'a self, held: &Held, row: &Row, run: &'a Run, step: &'a Step, ahead: Option<&'a Ahead>) -> Work<'a> {
        Work {
            run: held.id,
            now: &self.now,
            parameters: &run.parameters,
            account: row.account_id,
            target: row.target_id,
            line: row.line_id,
            asked_by: run.asked_by.clone(),
            plan: &run.plan,
            step: &step.name,
            place: step.place.as_deref(),
            size: held.batch_size.clamp(LEAST, self.config.most),
            watermark: row.watermark,
            reverses: row.reverses,
            ahead,
            broken: self.config.broken,
        }
    }

    /// What there is to do, if the run is still this attempt's: its lease is renewed.
    async fn look(&self, tx: &mut Tx, held: &Held, attempt: Option<i64>) -> Result<Option<Seen>> {
        let row: Option<Row> = tx
            .opt(
                "update utility_run set lease_until = $3
                 where id = $1 and (attempt = $2 or $2 is null) and due_at is not null
                 returning utility, state, parameters, plan, line_id, account_id, target_id, asked_by, watermark, reverses",
                (held.id, attempt, self.now.at().plus(self.config.lease)),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let steps = tx.all(STEPS, [held.id]).await?;
        Ok(Some((row, steps)))
    }

    async fn one(
        &self,
        tx: &mut Tx,
        held: &Held,
        stale: Option<Seen>,
        looked: Option<&Looked>,
        mut seen: Option<&mut Option<(Step, Batch)>>,
    ) -> std::result::Result<Came, Stop> {
        let at = self.now.at();
        let found = match stale {
            Some(stale) => Some(stale),
            None => self.look(tx, held, Some(held.attempt)).await?,
        };
        let Some((row, steps)) = found else { return Ok(Came::Off) };
        match row.state {
            RunState::Running | RunState::Verifying => {}
            RunState::Pausing => {
                state::go(tx, &self.now, held.id, RunState::Pausing, RunState::Paused, None).await?;
                return Ok(Came::Off);
            }
            RunState::Cancelling => {
                let (flipped,): (bool,) = tx.one("select flipped_at is not null from utility_run where id = $1", [held.id]).await?;
                if flipped {
                    state::go(tx, &self.now, held.id, RunState::Cancelling, RunState::Paused, None).await?;
                    log::write(tx, &self.now, held.id, RunEventKind::Warning, super::control::past_cancelling(true), None).await?;
                    return Ok(Came::Off);
                }
                let (done,): (i64,) =
                    tx.one("select cast(coalesce(sum(done), 0) as bigint) from utility_step where run_id = $1", [held.id]).await?;
                state::go(tx, &self.now, held.id, RunState::Cancelling, RunState::Cancelled, None).await?;
                let text = format!("Cancelled after {done} rows. What was done stays done; nothing is half done.");
                log::write(tx, &self.now, held.id, RunEventKind::Info, text, None).await?;
                return Ok(Came::Off);
            }
            _ => return Ok(Came::Off),
        }
        let Some(step) = steps.first().cloned() else {
            state::go(tx, &self.now, held.id, row.state, RunState::Succeeded, None).await?;
            return Ok(Came::Off);
        };
        // A verification that was interrupted is taken up as one.
        if step.is_check && row.state == RunState::Running {
            state::go(tx, &self.now, held.id, RunState::Running, RunState::Verifying, None).await?;
            tx.run("update utility_run set lease_until = $2 where id = $1", (held.id, at.plus(self.config.lease))).await?;
        }
        let named: Option<(String,)> = tx.opt("select name from staff_member where id = $1", [row.asked_by]).await?;
        let run = Run::of(&row, named.map(|(name,)| name).unwrap_or_default())?;
        let ahead = looked.filter(|looked| looked.is_for(&step)).map(|looked| &looked.ahead);
        let work = self.work_of(held, &row, &run, &step, ahead);
        if step.n == 0 && step.began_at.is_none() {
            run.which.still_holds(tx, &work).await?;
        }
        let batch = run.which.batch(tx, &work).await?;
        faults::point("utility_batch");
        faults::point(&format!("utility_{}", step.name));
        if let Some(seen) = seen.as_mut() {
            **seen = Some((step, batch));
            return Ok(Came::Off);
        }
        self.checkpoint(tx, held.id, &step, &batch).await?;
        if let Some(watermark) = batch.flipped {
            tx.run("update utility_run set flipped_at = $2, watermark = $3 where id = $1", (held.id, at, watermark)).await?;
            if let Some(of) = row.reverses {
                super::launch::give_up(tx, &self.now, of, run.asked_by.name()).await?;
            }
        }
        tx.run("update utility_run set failures = 0, error = null, batch_size = $2 where id = $1", (held.id, held.batch_size)).await?;
        if batch.place.is_none() {
            log::tell(tx, held.id).await?;
            if steps.len() == 1 {
                let from = if step.is_check { RunState::Verifying } else { RunState::Running };
                state::go(tx, &self.now, held.id, from, RunState::Succeeded, None).await?;
                return Ok(Came::Off);
            }
        }
        Ok(Came::On(batch.rows))
    }

    async fn checkpoint(&self, tx: &mut Tx, run: RunId, step: &Step, batch: &Batch) -> Result<()> {
        let at = self.now.at();
        let ended = batch.place.is_none().then_some(at);
        tx.run(
            "update utility_step set place = $3, done = done + $4, began_at = coalesce(began_at, $5), ended_at = $6
             where run_id = $1 and n = $2",
            (run, step.n, batch.place.clone(), batch.rows, at, ended),
        )
        .await?;
        for text in &batch.says {
            log::write(tx, &self.now, run, RunEventKind::Info, text.clone(), None).await?;
        }
        Ok(())
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
                tx.run("update utility_run set error = $2 where id = $1", (held.id, crate::messaging::inbound::json(&error))).await?;
                let place = format!("{step}, behind {behind} rows: {text}");
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
        let old: Option<(RunId,)> =
            self.db.opt("select id from utility_run where state = 'planned' and asked_at < $1 limit 1", [at.minus(PLAN_GOOD_FOR)]).await?;
        if let Some((run,)) = old {
            self.db.work(async |tx| super::launch::forget_plan(tx, run).await).await?;
        }
        Ok(())
    }
}
