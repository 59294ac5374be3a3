//! One batch of a run: what it reads beforehand, what it does, and its checkpoint.
//!
//! The rule: a batch and its checkpoint are one transaction, and it is this attempt's or nobody's.

use super::super::{Ahead, Batch, Stop, Utility, Work, control, launch, log, state, unreadable, utility};
use super::{Came, Held, Worker, WorkerConfig};
use crate::db::{Engine, Result, Tx};
use crate::staff::Actor;
use crate::types::{AccountId, LineId, Plan, Problem, RunEventKind, RunId, RunState, StaffId, Timestamp, UtilityKind, counted};
use crate::work::faults::{self, UtilityGuard};
use std::time::Duration;
use uuid::Uuid;

/// A batch is not split further than this.
const LEAST: i64 = 1;
/// A batch is not made smaller than this for its time alone: what a commit takes is not less for fewer rows.
const WORTH_A_COMMIT: i64 = 200;

/// What was read ahead for a step at a place.
#[derive(Debug)]
pub(super) struct Looked {
    step: String,
    place: Option<String>,
    ahead: Ahead,
}

impl Looked {
    fn is_for(&self, step: &Step) -> bool {
        self.step == step.name && self.place == step.place
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

/// Batches take about as long as they should: too many rows hold others up, too few waste commits. A piece of what is stored with a run is
/// taken in parts of that time, too. Where the run may take all the time it is taken whole; when that took too long it is taken in parts,
/// which grow again where there is time enough.
fn next_size(config: &WorkerConfig, size: i64, piece: Option<i64>, took: Duration) -> i64 {
    let most = piece.unwrap_or(config.most).max(LEAST);
    if piece.is_some() && config.share >= 1.0 {
        let next = if took < config.limit / 4 { size.saturating_mul(2) } else { size };
        return next.clamp(LEAST, most);
    }
    let (wanted, took) = (config.batch_time().as_micros(), took.as_micros().max(1));
    let ratio = (wanted as f64 / took as f64).clamp(0.5, 2.0);
    ((size as f64 * ratio) as i64).max(size.min(WORTH_A_COMMIT)).clamp(LEAST, most)
}

impl Worker {
    /// One batch with its checkpoint, within its limit; whatever hinders it is written down.
    pub(super) async fn batch(&self, held: &mut Held) -> Result<Came> {
        // Reading has the same limit, and what cannot be read counts like what cannot be done. Between the two the lease is renewed.
        let (seen, looked) = match tokio::time::timeout(self.config.limit, self.look_ahead(held)).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return self.stopped(held, Stop::Database(error)).await,
            Err(_) => return self.too_long(held).await,
        };
        // What a test puts in place of a guard: it looked, in a transaction of its own, and goes by that, however much later.
        let stale = match self.config.broken {
            Some(UtilityGuard::Fence) => self.db.work(async |tx| self.look(tx, held, None).await).await?,
            Some(UtilityGuard::Checkpoint) => self.checkpoint_alone(held).await?,
            _ => None,
        };
        faults::hang("utility_look").await;
        let piece = seen.as_ref().and_then(|(row, _)| utility(row.utility).ok()).and_then(|which| which.piece());
        let began = self.now.at();
        let one = self.db.work(async |tx| self.one(tx, held, stale, looked.as_ref(), None).await);
        let meanwhile = tokio::time::timeout(self.config.limit, self.look_behind(held, seen, looked.as_ref()));
        let (ended, next) = tokio::join!(tokio::time::timeout(self.config.limit, one), meanwhile);
        held.looked = next.ok().flatten();
        tracing::debug!(run = %held.id, size = held.batch_size, took = ?self.now.at().since(began), "a batch");
        match ended {
            Ok(Ok(came)) => {
                faults::point("utility_committed");
                if let Came::On(_) = came {
                    held.batch_size = next_size(&self.config, held.batch_size, piece, self.now.at().since(began));
                }
                Ok(came)
            }
            Ok(Err(stop)) => self.stopped(held, stop).await,
            Err(_) => self.too_long(held).await,
        }
    }

    /// A batch was not done, and it is known why.
    async fn stopped(&self, held: &Held, stop: Stop) -> Result<Came> {
        match stop {
            Stop::Fault { text, what_to_do } => self.failed(held, text, what_to_do, true).await,
            Stop::Again { text, what_to_do } => self.failed(held, text, what_to_do, false).await,
            Stop::Database(error) => {
                let Problem::Internal { reference } = Problem::from(error) else { return Ok(Came::Off) };
                let text = format!("The database did not take a batch. The log has the cause under {reference}.");
                self.failed(held, text, "Have an engineer look at the cause, then resume from here.".to_owned(), false).await
            }
        }
    }

    /// A batch was not done within its limit: the next one takes half of its rows.
    async fn too_long(&self, held: &mut Held) -> Result<Came> {
        let limit = self.config.limit.as_secs();
        let size = held.batch_size.clamp(LEAST, self.config.most);
        held.batch_size = (size / 2).max(LEAST);
        let said = |size: i64| counted(size, "row", "rows");
        let took = format!("A batch of up to {} took longer than {limit} seconds", said(size));
        let text = match size {
            LEAST => format!("{took}."),
            _ => format!("{took}; the next one takes up to {}.", said(held.batch_size)),
        };
        self.failed(held, text, "Resume when the database is less busy.".to_owned(), false).await
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
            faults::point(&format!("utility_checkpoint_{}", step.name));
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
        // What is about to stand still or to end reads nothing, so that nothing that cannot be read keeps it from that.
        let Some(row) = row.filter(|row| matches!(row.state, RunState::Running | RunState::Verifying)) else { return Ok((None, None)) };
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
                    log::write(tx, &self.now, held.id, RunEventKind::Warning, control::past_cancelling(true), None).await?;
                    return Ok(Came::Off);
                }
                let (done,): (i64,) =
                    tx.one("select cast(coalesce(sum(done), 0) as bigint) from utility_step where run_id = $1", [held.id]).await?;
                state::go(tx, &self.now, held.id, RunState::Cancelling, RunState::Cancelled, None).await?;
                let rows = counted(done, "row", "rows");
                let text = format!("Cancelled after {rows}. What was done stays done; nothing is half done.");
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
                launch::give_up(tx, &self.now, of, run.asked_by.name()).await?;
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
}

#[cfg(test)]
mod tests {
    use super::{WORTH_A_COMMIT, WorkerConfig, next_size};
    use std::time::Duration;

    fn after(share: f64, size: i64, piece: Option<i64>, millis: u64) -> i64 {
        next_size(&WorkerConfig { share, ..WorkerConfig::default() }, size, piece, Duration::from_millis(millis))
    }

    #[test]
    fn a_batch_grows_and_shrinks_until_it_takes_as_long_as_it_should() {
        assert_eq!(after(0.5, 1_000, None, 4), 1_000);
        assert_eq!(after(0.5, 1_000, None, 5), 800);
        assert_eq!((after(0.5, 1_000, None, 1), after(0.5, 1_000, None, 100)), (2_000, 500), "no faster than by twice");
        assert_eq!(
            (after(1.0, 1_000, None, 100), after(1.0, 1_000, None, 50)),
            (1_000, 2_000),
            "in larger ones where it may take all the time"
        );
        assert_eq!(after(0.5, 15_000, None, 1), WorkerConfig::default().most);
        assert_eq!(after(0.5, 300, None, 100), WORTH_A_COMMIT);
        assert_eq!(after(0.5, 50, None, 100), 50, "a smaller one is not made smaller yet");
    }

    #[test]
    fn a_piece_is_taken_in_parts_unless_the_run_may_take_all_the_time() {
        assert_eq!((after(1.0, 1_000, Some(2_000), 3_000), after(1.0, 2_000, Some(2_000), 3_000)), (2_000, 2_000));
        assert_eq!(after(1.0, 1_000, Some(2_000), 6_000), 1_000);
        assert_eq!((after(0.5, 2_000, Some(2_000), 5), after(0.5, 1_600, Some(2_000), 2)), (1_600, 2_000));
        assert_eq!(after(0.5, 25, Some(25), 100), 25, "what is one small piece stays so");
    }
}
