//! The recount of an import: every row of the file has exactly one outcome, and what is on record is as the outcomes say.
//!
//! The rule: nothing is written. What is newer stands, and who owns consent tells what that is: see
//! [`crate::messaging::consent::recount`]. Lines that belong to another account by now are passed by.

use super::file::{Bad, Row};
use super::{ERASED, Parameters};
use crate::db::{Result as Done, Tx};
use crate::messaging::consent::import::Said;
use crate::messaging::consent::recount::{Became, Differs, recount};
use crate::types::{LineId, Timestamp};
use crate::utilities::recount::{Came, Part, Recount, WITHOUT_OUTCOME};
use crate::utilities::{Batch, Stop, Work, count};
use csv::StringRecord;
use std::time::Duration;

/// Clocks of machines differ by less.
const CLOCKS: Duration = Duration::from_secs(10);

/// What was written down as left out is what was left out.
pub(super) async fn invalid(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let mut recount = Recount::go_on(tx, work, (0, p.bad), 1).await?;
    let n = recount.piece();
    if let Some(Part { rows, came, .. }) = recount.part::<Bad>(tx, work, n).await? {
        let is_listed = |row: i64| matches!(came.of(row), Came::One(cells) if cells.get(4) == Some("invalid"));
        recount.differ(WITHOUT_OUTCOME, rows.iter().filter(|bad| !is_listed(bad.0)).count());
    }
    recount.settle(tx, work, "Rows that cannot be taken").await
}

/// The rows of a piece, for one line.
pub(super) async fn consents(tx: &mut Tx, work: &Work<'_>, p: &Parameters) -> Result<Batch, Stop> {
    let of = count(p.lines.len());
    let mut recount = Recount::go_on(tx, work, (p.bad, p.bad + p.good), of).await?;
    let (n, turn) = (recount.piece(), recount.turn());
    let output = p.bad + (n - p.bad) * of + turn;
    let line = usize::try_from(turn).ok().and_then(|turn| p.lines.get(turn));
    if let (Some((line, _)), Some(Part { rows, came, .. })) = (line, recount.part::<Row>(tx, work, output).await?) {
        let (mut said, mut without) = (Vec::with_capacity(rows.len()), 0);
        for row in rows {
            let (row, says) = row.said();
            let became = if let Came::One(cells) = came.of(row) { became(cells) } else { None };
            match became {
                Some(became) => said.push((says, became)),
                None => without += 1,
            }
        }
        let Differs { opt_outs, opt_ins, others, lifted } = of_line(tx, work, p, *line, &said).await?;
        recount.differ(WITHOUT_OUTCOME, without);
        recount.differ("Opt-outs of the file that do not stand", opt_outs);
        recount.differ("Opt-ins of the file that are not on record", opt_ins);
        recount.differ_beyond_the_file("Consents that are not as their row says", others);
        recount.differ_beyond_the_file("Opt-outs that were to stay, and do not", lifted);
    }
    recount.settle(tx, work, "Consents").await
}

async fn of_line(tx: &mut Tx, work: &Work<'_>, p: &Parameters, line: LineId, said: &[(Said, Became)]) -> Done<Differs> {
    let (began, is_theirs): (Option<Timestamp>, bool) = tx
        .one(
            "select r.started_at, exists (select 1 from line l where l.id = $2 and l.account_id = $3)
             from utility_run r
             where r.id = $1",
            (work.run, line, p.account),
        )
        .await?;
    if !is_theirs {
        return Ok(Differs::default());
    }
    recount(tx, line, began.unwrap_or_else(|| work.now.at()).minus(CLOCKS), said).await
}

/// What stands in the result of a row, as this version of the program writes it.
fn became(cells: &StringRecord) -> Option<Became> {
    let [number, outcome, reason] = [1, 4, 5].map(|n| cells.get(n).unwrap_or_default());
    match outcome {
        "invalid" => Some(Became::Nothing),
        "created" | "updated" | "unchanged" | "kept opted-out" if number == ERASED => Some(Became::Hashed),
        "created" | "updated" => Some(Became::Stored),
        // A reason says that something else is on record, which stays.
        "unchanged" => Some(if reason.is_empty() { Became::WasSo } else { Became::Nothing }),
        "kept opted-out" => Some(Became::KeptOptedOut),
        _ => None,
    }
}
