//! Tables that follow in ranges of their key: summed up, given to the new account, and summed up again.

use super::super::{Batch, Stop, Work};
use crate::db::Tx;
use crate::directory::transfer::Moving;
use crate::types::{AccountId, LineId};
use sha2::{Digest, Sha256};

/// Ranges that one batch recounts; each was a batch of its own when it was moved.
const RANGES: i64 = 4;
/// Above every id.
const HIGHEST: &str = "ffffffffffffffffffffffffffffffff";
/// A step's place once its ranges are done: what came since the flip is left.
const TAIL: &str = "tail";

#[derive(sqlx::FromRow)]
struct Range {
    found: i64,
    up_to: Option<String>,
    others: i64,
    content: Vec<u8>,
}

impl Range {
    fn digest(&self) -> String {
        Sha256::digest(&self.content).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[derive(sqlx::FromRow)]
struct Check {
    n: i64,
    behind: String,
    up_to: String,
    rows_counted: i64,
    digest: String,
}

/// One range of a table: its sum is written down, and its rows are the new account's.
pub(super) async fn batch(tx: &mut Tx, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving) -> Result<Batch, Stop> {
    let behind = work.place.unwrap_or(moving.first).to_owned();
    let watermark = work.watermark.unwrap_or_default().simple().to_string();
    if behind == TAIL {
        let rows = tx.run(moving.give, (line, watermark, HIGHEST, to)).await?;
        return Ok(Batch::last(i64::try_from(rows).unwrap_or(i64::MAX)));
    }
    let end = moving.last.map_or(watermark, str::to_owned);
    let before: Range = tx.one(moving.range, (line, behind.clone(), end, to, work.size)).await?;
    let Some(up_to) = before.up_to.clone() else {
        // Keys that tell no time have all been seen.
        return Ok(if moving.last.is_some() { Batch::last(0) } else { Batch { place: Some(TAIL.to_owned()), ..Batch::default() } });
    };
    if before.others > 0 {
        tx.run(moving.give, (line, behind.clone(), up_to.clone(), to)).await?;
    }
    let (n,): (i64,) = tx.one("select count(*) from utility_check where run_id = $1 and step = $2", (work.run, moving.check)).await?;
    let check = Check { n, behind, up_to: up_to.clone(), rows_counted: before.found, digest: before.digest() };
    if !moving.is_settled {
        compare(tx, line, to, moving, &check).await?;
    }
    tx.run(
        "insert into utility_check (run_id, step, n, behind, up_to, rows_counted, digest) values ($1, $2, $3, $4, $5, $6, $7)",
        (work.run, moving.check, check.n, check.behind, check.up_to, check.rows_counted, check.digest),
    )
    .await?;
    Ok(Batch { rows: before.found, place: Some(up_to), ..Batch::default() })
}

/// Some ranges of a table, recounted after everything has moved.
pub(super) async fn recount(tx: &mut Tx, work: &Work<'_>, line: LineId, to: AccountId, moving: &Moving) -> Result<Batch, Stop> {
    let next: i64 = work.place.and_then(|place| place.parse().ok()).unwrap_or(0);
    let checks: Vec<Check> = tx
        .all(
            "select n, behind, up_to, rows_counted, digest from utility_check
             where run_id = $1 and step = $2 and n >= $3
             order by n
             limit $4",
            (work.run, moving.check, next, RANGES),
        )
        .await?;
    let Some(last) = checks.last().map(|check| check.n) else { return Ok(Batch::last(0)) };
    let mut rows = 0;
    for check in &checks {
        if moving.is_settled {
            compare(tx, line, to, moving, check).await?;
        } else {
            none_left(moving, &again(tx, line, to, moving, check).await?)?;
        }
        rows += check.rows_counted;
    }
    Ok(Batch { rows, place: Some((last + 1).to_string()), ..Batch::default() })
}

async fn again(tx: &mut Tx, line: LineId, to: AccountId, moving: &Moving, check: &Check) -> Result<Range, Stop> {
    Ok(tx.one(moving.range, (line, check.behind.clone(), check.up_to.clone(), to, i64::MAX)).await?)
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
async fn compare(tx: &mut Tx, line: LineId, to: AccountId, moving: &Moving, check: &Check) -> Result<(), Stop> {
    let now = again(tx, line, to, moving, check).await?;
    none_left(moving, &now)?;
    let what = if now.found != check.rows_counted {
        format!("{}: {} rows were counted before, and {} after.", moving.title, check.rows_counted, now.found)
    } else if now.digest() != check.digest {
        format!("{}: what {} rows hold is not what they held before.", moving.title, now.found)
    } else {
        return Ok(());
    };
    Err(Stop::fault(what, "Have an engineer compare them with a backup before the line opens. Resume from here recounts them."))
}
