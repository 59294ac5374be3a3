//! The rest of a blast that has begun, cancelled: whoever was not sent to yet is not.
//!
//! The rule: what was given to the carrier once is left to end, since it may have arrived. Everything else is stopped, a batch at a time;
//! asking again goes on where it was.

use super::by_staff::no_such_blast;
use super::{BATCH, owner};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::staff::{Entry, Permit, may, record};
use crate::sync;
use crate::types::{AccountId, BlastId, BlastState, Change, LineId, MessageId, Problem};
use serde_json::json;

/// What staff read at a message that is not sent for it.
const WHY: &str = "the rest of its blast was cancelled";

/// Cancels what of a blast is not sent yet. Says to how many recipients nothing is sent.
///
/// # Errors
/// `NotFound` outside the permit's scope; `Conflict` when it has not started, or everything of it was given to the carrier.
pub async fn cancel_rest(db: &Db, now: &Now, permit: &Permit<may::SendMessages>, line: LineId, id: BlastId) -> Result<i64, Problem> {
    let (account, left_out) = db.work(async |tx| stop_recording(tx, now, permit, line, id).await).await?;
    let db = db.in_background();
    let mut stopped = 0;
    loop {
        let count = db.work(async |tx| stop_some(tx, now, account, (line, id)).await).await?;
        stopped += count;
        if count == 0 && db.work(async |tx| end(tx, line, id).await).await? {
            return Ok(left_out + stopped);
        }
    }
}

/// Nothing more of it is recorded, and nothing more becomes due. Says whose it is, and how many recipients are left out with that.
async fn stop_recording(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    line: LineId,
    id: BlastId,
) -> Result<(AccountId, i64), Problem> {
    let account = owner(tx, permit, line).await?;
    // In the order in which they are recorded, so that two transactions cannot wait for each other.
    tx.run("delete from blast_chunk where line_id = $1 and blast_id = $2", (line, id)).await?;
    let found: Option<(BlastState, i64)> = tx
        .opt(
            "update blast set state = state where line_id = $1 and id = $2
             returning state, recipients - duplicates - recorded - opted_out",
            (line, id),
        )
        .await?;
    let (state, unrecorded) = found.ok_or_else(no_such_blast)?;
    let (waiting,): (i64,) = tx
        .one("select count(*) from message where line_id = $1 and blast_id = $2 and state = 'queued' and attempts = 0", (line, id))
        .await?;
    let left_out = match state {
        BlastState::Scheduled | BlastState::Paused => {
            return Err(Problem::conflict("This blast has not started. Cancel it as a whole."));
        }
        BlastState::Recording => unrecorded,
        // What an earlier request left out is counted there.
        _ => 0,
    };
    if waiting + left_out == 0 {
        return Err(Problem::conflict("Nothing of this blast is left to cancel: it was all given to the carrier, or was cancelled."));
    }
    tx.run("update blast set state = 'sending' where line_id = $1 and id = $2 and state = 'recording'", (line, id)).await?;
    let entry =
        Entry { action: "blast.cancel_rest", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, permit.actor(), entry.change(json!({ "state": state }), json!({ "recorded": waiting, "not_recorded": left_out })))
        .await?;
    Ok((account, left_out))
}

/// Some of its messages that nobody has tried to send are not sent. Says how many.
async fn stop_some(tx: &mut Tx, now: &Now, account: AccountId, (line, id): (LineId, BlastId)) -> Result<i64> {
    let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let stopped: Vec<(MessageId,)> = tx
        .all(
            // Whoever claims one at this moment has counted a try: it is looked at again behind their lock.
            "update message set state = 'failed', error = $3, due_at = null
             where line_id = $1 and state = 'queued' and attempts = 0 and id in (
               select id from message
               where line_id = $1 and blast_id = $2 and state = 'queued' and attempts = 0
               order by id
               limit $4)
             returning id",
            (line, id, WHY.to_owned(), most),
        )
        .await?;
    let keys: Vec<(LineId, MessageId)> = stopped.iter().map(|(message,)| (line, *message)).collect();
    sync::not_sent(tx, now, &keys).await?;
    tx.tell(Change::Conversations { account_id: account, line_id: line });
    Ok(i64::try_from(stopped.len()).unwrap_or(i64::MAX))
}

/// It is cancelled when nothing of it waits that nobody has tried to send; says whether it is.
async fn end(tx: &mut Tx, line: LineId, id: BlastId) -> Result<bool> {
    let (left,): (bool,) = tx
        .one(
            "select exists (
               select 1 from message where line_id = $1 and blast_id = $2 and state = 'queued' and attempts = 0)",
            (line, id),
        )
        .await?;
    if !left {
        tx.run("update blast set state = 'cancelled' where line_id = $1 and id = $2", (line, id)).await?;
    }
    Ok(!left)
}
