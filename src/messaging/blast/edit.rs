//! Changing a blast that has not begun: what it says, and when it starts. Whom it goes to stays as it was taken.
//!
//! The rule: it is changed as it was seen, while nothing of it is recorded; and not while its line moves, since its rows are recounted
//! then.

use super::by_staff::no_such_blast;
use super::{check_start, owner};
use crate::clock::Now;
use crate::db::{Db, Result, Tx};
use crate::directory::lines;
use crate::messaging::outbound;
use crate::staff::{Entry, Permit, Proof, may, record};
use crate::types::{AccountId, BlastId, BlastState, Change, LineId, Problem, Timestamp};
use crate::undo::{self, Step};
use serde_json::json;

/// What is changed.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The version that was seen.
    pub version: i64,
    /// What it says.
    pub text: String,
    /// When it starts; `None`: that stays as it is.
    pub starts_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Stands {
    body: String,
    state: BlastState,
    recorded: i64,
    starts_at: Option<Timestamp>,
    version: i64,
}

/// Changes a blast that has not begun.
///
/// # Errors
/// `Invalid` for a bad text, or a start that is over or too far away; `Conflict` when it has begun or was cancelled, somebody else was
/// first, or its line is being transferred; `NotFound` outside the permit's scope.
pub async fn edit(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    _proof: Proof,
    (line, id): (LineId, BlastId),
    wish: &Edit,
) -> Result<(), Problem> {
    let text = outbound::body(&wish.text.replace("\r\n", "\n"))?;
    db.work(async |tx| {
        let (account, stands) = not_begun(tx, permit, (line, id), wish.version).await?;
        if let Some(at) = wish.starts_at.filter(|at| Some(*at) != stands.starts_at) {
            check_start(now, at)?;
        }
        let starts_at = wish.starts_at.or(stands.starts_at);
        if stands.body == text && starts_at == stands.starts_at {
            return Ok(());
        }
        write(tx, now, permit, (account, line, id), &stands, text, starts_at).await?;
        let step = Step::EditBlast { line, id, version: stands.version + 1, text: stands.body, starts_at: stands.starts_at };
        Ok(undo::leave(tx, now, permit, "The blast was changed.", vec![step]).await?)
    })
    .await
}

/// Gives a blast the text and the start again that it had before it was changed to `version`.
///
/// # Errors
/// As [`edit`]; `Conflict` when the start that it had is over.
pub(crate) async fn set_back(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    (line, id): (LineId, BlastId),
    version: i64,
    text: String,
    starts_at: Option<Timestamp>,
) -> Result<(), Problem> {
    let (account, stands) = not_begun(tx, permit, (line, id), version).await?;
    if starts_at.is_some_and(|at| Some(at) != stands.starts_at && at <= now.at()) {
        return Err(Problem::conflict("The start that the blast had is over. Change its text and its start by hand."));
    }
    Ok(write(tx, now, permit, (account, line, id), &stands, text, starts_at).await?)
}

/// Takes the lock of a blast that has not begun and stands as it was seen, and says whose it is.
async fn not_begun(
    tx: &mut Tx,
    permit: &Permit<may::SendMessages>,
    (line, id): (LineId, BlastId),
    seen: i64,
) -> Result<(AccountId, Stands), Problem> {
    let held = lines::hold(tx, line).await?;
    let account = owner(tx, permit, line).await?;
    // The update takes the row's lock: it does not begin meanwhile.
    let stands: Option<Stands> = tx
        .opt(
            "update blast set version = version
             where line_id = $1 and id = $2
             returning body, state, recorded, starts_at, version",
            (line, id),
        )
        .await?;
    let stands = stands.ok_or_else(no_such_blast)?;
    if held.is_none_or(|(_, transferring)| transferring) {
        return Err(Problem::conflict("The line is being transferred. Change its blasts when that is done: its runs say how far it is."));
    }
    if !matches!(stands.state, BlastState::Scheduled | BlastState::Paused) || stands.recorded > 0 {
        return Err(Problem::conflict("This blast has started already, or was cancelled. It cannot be changed any more."));
    }
    if stands.version != seen {
        return Err(Problem::conflict("Somebody has just changed this blast. Nothing of yours was changed: look again, then decide."));
    }
    Ok((account, stands))
}

/// Writes what a blast says and when it starts, and tells of it.
async fn write(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    (account, line, id): (AccountId, LineId, BlastId),
    stands: &Stands,
    text: String,
    starts_at: Option<Timestamp>,
) -> Result<()> {
    let is_other_text = stands.body != text;
    tx.run("update blast set body = $3, starts_at = $4, version = version + 1 where line_id = $1 and id = $2", (line, id, text, starts_at))
        .await?;
    tx.tell(Change::OutboxDue);
    tx.tell(Change::Line { account_id: account, line_id: line });
    let entry = Entry { action: "blast.edit", account_id: Some(account), line_id: Some(line), subject_id: Some(id.0), ..Entry::default() };
    let starts = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    // What it says is nobody's business in the audit.
    let (before, after) =
        (json!({ "starts_at": starts(stands.starts_at) }), json!({ "starts_at": starts(starts_at), "text": is_other_text }));
    record(tx, now, permit.actor(), entry.change(before, after)).await
}
