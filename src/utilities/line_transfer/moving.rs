//! Tables that follow in ranges of their key: summed up, given to the new account, and summed up again.
//!
//! The rule: what changes no more is read ahead of the transactions, so that nobody waits for it.

use super::super::{Ahead, Batch, Stop, Work};
use super::{OptInChoice, Parameters, messaging};
use crate::db::{Db, Result as Done, Tx};
use crate::directory::transfer::Moving;
use crate::types::{AccountId, LineId};
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Ranges that one batch recounts, at the same time; each was a batch of its own when it was moved.
const RANGES: i64 = 2;
/// Above every id.
const HIGHEST: &str = "ffffffffffffffffffffffffffffffff";
/// A step's place once its ranges are done: what came since the flip is left.
const TAIL: &str = "tail";
/// A recount's place once the ranges are done, in front of the key behind which the rest is looked at.
const REST: &str = "rest ";

/// Said of whoever had opted out and does not stand so.
const OPT_OUTS_GONE: &str = "Consents: opt-outs that do not stand any more, and nobody has said so since";

/// Rows of a table, as they are read.
#[derive(sqlx::FromRow)]
struct Row {
    found: i64,
    up_to: Option<String>,
    others: i64,
    content: Vec<u8>,
}

/// The same, summed up.
#[derive(Debug)]
struct Range {
    found: i64,
    up_to: Option<String>,
    others: i64,
    digest: String,
}

impl From<Row> for Range {
    fn from(Row { found, up_to, others, content }: Row) -> Self {
        Self { found, up_to, others, digest: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// What [`Moving::range`] is asked with: line, keys, account, rows.
type Keys = (LineId, String, String, AccountId, i64);

async fn read(db: &Db, moving: &Moving, keys: Keys) -> Done<Range> {
    db.one::<Row>(moving.range, keys).await.map(Range::from)
}

async fn read_in(tx: &mut Tx, moving: &Moving, keys: Keys) -> Done<Range> {
    tx.one::<Row>(moving.range, keys).await.map(Range::from)
}

#[derive(sqlx::FromRow)]
struct Check {
    n: i64,
    behind: String,
    up_to: String,
    rows_counted: i64,
    digest: String,
}

impl Check {
    fn keys(&self, line: LineId, to: AccountId) -> Keys {
        (line, self.behind.clone(), self.up_to.clone(), to, i64::MAX)
    }
}

const CHECKS: &str = "select n, behind, up_to, rows_counted, digest from utility_check
                      where run_id = $1 and step = $2 and n >= $3
                      order by n
                      limit $4";

/// The keys of a table's next range: behind this one, up to that one.
fn bounds(work: &Work<'_>, moving: &Moving) -> (String, String) {
    (work.place.unwrap_or(moving.first).to_owned(), moving.last.map_or_else(|| watermark(work), str::to_owned))
}

fn watermark(work: &Work<'_>) -> String {
    work.watermark.unwrap_or_default().simple().to_string()
}

/// The check that a recount comes to next.
fn next_check(work: &Work<'_>) -> i64 {
    work.place.and_then(|place| place.parse().ok()).unwrap_or(0)
}

/// The next range of a table whose rows change no more.
pub(super) async fn look(db: &Db, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving) -> Done<Option<Ahead>> {
    if !moving.is_settled || work.place == Some(TAIL) {
        return Ok(None);
    }
    let (behind, end) = bounds(work, moving);
    let range = read(db, moving, (line, behind, end, to, work.size)).await?;
    Ok(Some(Ahead { next: range.up_to.clone(), read: Box::new(range) }))
}

/// The next ranges that are recounted.
pub(super) async fn look_again(db: &Db, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving) -> Done<Option<Ahead>> {
    if work.place.is_some_and(|place| place.starts_with(REST)) {
        return Ok(None);
    }
    let next = next_check(work);
    let checks: Vec<Check> = db.all(CHECKS, (work.run, moving.check, next, RANGES)).await?;
    let ranges = checks.iter().map(|check| read(db, moving, check.keys(line, to)));
    let ranges = try_join_all(ranges).await?;
    Ok(Some(Ahead { next: checks.last().map(|check| (check.n + 1).to_string()), read: Box::new(ranges) }))
}

/// One range of a table: its sum is written down, and its rows are the new account's.
pub(super) async fn batch(tx: &mut Tx, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving) -> Result<Batch, Stop> {
    if work.place == Some(TAIL) {
        let rows = tx.run(moving.give, (line, watermark(work), HIGHEST, to)).await?;
        return Ok(Batch::last(i64::try_from(rows).unwrap_or(i64::MAX)));
    }
    let (behind, end) = bounds(work, moving);
    let now: Range;
    let before = match work.ahead.and_then(|ahead| ahead.read.downcast_ref::<Range>()) {
        Some(range) => range,
        None => {
            now = read_in(tx, moving, (line, behind.clone(), end, to, work.size)).await?;
            &now
        }
    };
    let Some(up_to) = before.up_to.clone() else {
        return Ok(if moving.last.is_some() { Batch::last(0) } else { Batch { place: Some(TAIL.to_owned()), ..Batch::default() } });
    };
    if before.others > 0 {
        tx.run(moving.give, (line, behind.clone(), up_to.clone(), to)).await?;
    }
    let (n,): (i64,) = tx.one("select count(*) from utility_check where run_id = $1 and step = $2", (work.run, moving.check)).await?;
    let check = Check { n, behind, up_to: up_to.clone(), rows_counted: before.found, digest: before.digest.clone() };
    if !moving.is_settled {
        // On PostgreSQL a contact's STOP may have come between the two.
        compare(moving, &check, &read_in(tx, moving, check.keys(line, to)).await?).map_err(Stop::again)?;
    }
    tx.run(
        "insert into utility_check (run_id, step, n, behind, up_to, rows_counted, digest) values ($1, $2, $3, $4, $5, $6, $7)",
        (work.run, moving.check, check.n, check.behind, check.up_to, check.rows_counted, check.digest),
    )
    .await?;
    // Keys that tell no time have all been seen; what comes from now on is the new account's anyway.
    let is_last = moving.last.is_some() && before.found < work.size;
    Ok(Batch { rows: before.found, place: (!is_last).then_some(up_to), ..Batch::default() })
}

/// Some ranges of a table, recounted after everything has moved. They follow each other from the first key to the last, and behind them is
/// only what came since.
pub(super) async fn recount(tx: &mut Tx, work: &Work<'_>, p: &Parameters, moving: &Moving) -> Result<Batch, Stop> {
    let (line, to) = (p.line, p.to);
    if let Some(behind) = work.place.and_then(|place| place.strip_prefix(REST)) {
        return rest(tx, work, line, to, moving, behind).await;
    }
    let next = next_check(work);
    // With the one before, where they begin.
    let mut checks: VecDeque<Check> = tx.all(CHECKS, (work.run, moving.check, next - 1, RANGES + 1)).await?.into();
    let mut seen = match checks.front() {
        Some(check) if check.n < next => checks.pop_front().map(|check| check.up_to).unwrap_or_default(),
        _ => moving.first.to_owned(),
    };
    let Some(last) = checks.back().map(|check| check.n) else {
        if moving.is_settled {
            let left = read_in(tx, moving, (line, seen, watermark(work), to, 1)).await?;
            if left.found > 0 {
                return Err(passed_over(moving));
            }
            seen = watermark(work);
        }
        return Ok(Batch { place: Some(format!("{REST}{seen}")), ..Batch::default() });
    };
    let ahead: &[Range] = work.ahead.and_then(|ahead| ahead.read.downcast_ref::<Vec<Range>>()).map_or(&[], Vec::as_slice);
    let mut rows = 0;
    for (n, check) in checks.into_iter().enumerate() {
        if check.behind != seen {
            return Err(passed_over(moving));
        }
        let now: Range;
        let after = match ahead.get(n) {
            Some(range) => range,
            None => {
                now = read_in(tx, moving, check.keys(line, to)).await?;
                &now
            }
        };
        if moving.is_settled {
            compare(moving, &check, after)?;
        } else {
            none_left(moving, after)?;
            if after.found < check.rows_counted && only_grows(moving, p.opt_ins) {
                return Err(not_what_it_was(counted_after(moving, &check, after)));
            }
            if moving.keeps_its_past && after.digest != check.digest {
                return Err(not_what_it_was(held_before(moving, after)));
            }
            if moving.table == "consent" {
                none_turned(tx, line, &check).await?;
            }
        }
        rows += after.found;
        seen = check.up_to;
    }
    Ok(Batch { rows, place: Some((last + 1).to_string()), ..Batch::default() })
}

/// Whether nothing may go from a table whose rows change meanwhile. Erasure and retention pass by a line that is being transferred. Two
/// things are left that take rows away: whoever was erased with an opt-out and writes to the line again is known by number from then on,
/// and a run that resets opt-ins deletes them itself.
fn only_grows(moving: &Moving, opt_ins: OptInChoice) -> bool {
    match moving.table {
        "erased_opt_out" => false,
        "consent" => opt_ins == OptInChoice::Keep,
        _ => true,
    }
}

/// What came since the flip is the new account's. What comes while this is read is not waited for.
async fn rest(tx: &mut Tx, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving, behind: &str) -> Result<Batch, Stop> {
    let end = moving.last.unwrap_or(HIGHEST).to_owned();
    let since = read_in(tx, moving, (line, behind.to_owned(), end, to, work.size)).await?;
    none_left(moving, &since)?;
    let more = since.up_to.filter(|_| since.found >= work.size);
    Ok(Batch { rows: since.found, place: more.map(|up_to| format!("{REST}{up_to}")), ..Batch::default() })
}

fn passed_over(moving: &Moving) -> Stop {
    Stop::fault(
        format!("{}: there are rows that no batch has counted.", moving.title),
        "Have an engineer look at the run’s batches. Nothing is lost; the line stays closed for other changes until then.",
    )
}

fn none_left(moving: &Moving, now: &Range) -> Result<(), Stop> {
    if now.others == 0 {
        return Ok(());
    }
    Err(Stop::fault(
        format!("{}: {} of {} rows do not belong to the new account.", moving.title, now.others, now.found),
        "Have an engineer look at who writes these rows. Nothing is lost; the line stays closed for other changes until then.",
    ))
}

/// A range must hold what it held before, and all of it for the new account.
fn compare(moving: &Moving, check: &Check, now: &Range) -> Result<(), Stop> {
    none_left(moving, now)?;
    let what = if now.found != check.rows_counted {
        counted_after(moving, check, now)
    } else if now.digest != check.digest {
        held_before(moving, now)
    } else {
        return Ok(());
    };
    Err(not_what_it_was(what))
}

/// Whoever had opted out is opted out still, unless they, staff or a file have said otherwise since.
async fn none_turned(tx: &mut Tx, line: LineId, check: &Check) -> Result<(), Stop> {
    match messaging::turned(tx, line, check.behind.clone(), check.up_to.clone()).await? {
        0 => Ok(()),
        turned => Err(not_what_it_was(format!("{OPT_OUTS_GONE}: {turned}."))),
    }
}

fn held_before(moving: &Moving, now: &Range) -> String {
    format!("{}: what {} rows hold is not what they held before.", moving.title, now.found)
}

fn counted_after(moving: &Moving, check: &Check, now: &Range) -> String {
    format!("{}: {} rows were counted before, and {} after.", moving.title, check.rows_counted, now.found)
}

fn not_what_it_was(what: String) -> Stop {
    Stop::fault(what, "Have an engineer compare them with a backup before the line opens. Resume from here recounts them.")
}
