//! What somebody does to a run that was started: pause, resume, cancel. Each acts within one batch, and none leaves a run hanging when its
//! worker has died.

use super::launch::{Head, audit, head, no_such_run, within_scope};
use super::{log, state, utility};
use crate::clock::Now;
use crate::db::{Db, Tx};
use crate::staff::{Member, approvals, may};
use crate::types::{Change, Problem, RunAct, RunEventKind, RunId, RunState, Timestamp};

/// Where an act leads to from a state: while a worker is at it, and when nobody is.
fn leads_to(act: RunAct, state: RunState, is_worked: bool) -> RunState {
    match (act, state) {
        (RunAct::Pause, RunState::Running | RunState::Verifying) if is_worked => RunState::Pausing,
        (RunAct::Pause, _) => RunState::Paused,
        (RunAct::Resume, _) => RunState::Queued,
        (RunAct::Cancel, RunState::Running | RunState::Verifying | RunState::Pausing) if is_worked => RunState::Cancelling,
        (RunAct::Cancel, RunState::Pausing) => RunState::Cancelling,
        (RunAct::Cancel, _) => RunState::Cancelled,
    }
}

/// Edges of the table that are for others: a second person's word, and a batch that finds its line moved. No act goes that way.
fn is_for_others(act: RunAct, state: RunState) -> bool {
    matches!((act, state), (RunAct::Resume, RunState::AwaitingApproval) | (RunAct::Pause, RunState::Cancelling))
}

/// Whether an act is possible now, by the table of states and by how far the run is.
pub(super) fn possible(act: RunAct, state: RunState, flipped: bool) -> bool {
    !(act == RunAct::Cancel && flipped)
        && state != RunState::Planned
        && !is_for_others(act, state)
        && state::may_follow(state, leads_to(act, state, true)).is_some()
}

/// Why a run that has moved its line cannot be cancelled.
pub(super) fn past_cancelling(reversible: bool) -> String {
    let way = if reversible { "let it finish, or pause it and transfer the line back" } else { "let it finish" };
    format!("The line belongs to its new account already, and is not left half way: {way}.")
}

/// Does it. Doing it twice is doing it once.
///
/// # Errors
/// `Conflict` when the run's state does not allow it, `Forbidden` for somebody else's run without that permission, `NotFound` out of scope.
pub async fn act(db: &Db, now: &Now, member: &Member, run: RunId, act: RunAct) -> Result<(), Problem> {
    let head = head(db, member, run).await?;
    let leave = if head.asked_by == member.id() {
        utility(head.utility)?.leave(member)?
    } else {
        super::Leave::of(&member.permit::<may::ControlRuns>()?)
    };
    within_scope(db, &leave, &head).await?;
    let by = member.actor();
    db.work(async |tx| {
        // A batch under way holds the row: what it was before that says nothing any more.
        let found: Option<(RunState, bool, Option<Timestamp>, bool)> = tx
            .opt(
                "update utility_run set version = version where id = $1
                 returning state, flipped_at is not null, lease_until, held is not null",
                [run],
            )
            .await?;
        let (state, flipped, lease_until, holds_it) = found.ok_or_else(no_such_run)?;
        let head = Head { state, flipped, lease_until, ..head };
        if act == RunAct::Cancel && flipped && !state.is_over() {
            return Err(Problem::conflict(past_cancelling(true)));
        }
        if act == RunAct::Resume && !holds_it && matches!(state, RunState::Paused | RunState::Failed) {
            return Err(Problem::conflict("Another run is about to take this one back. Cancel that one first, then resume this one."));
        }
        let is_worked = head.lease_until.is_some_and(|until| until > now.at());
        let to = leads_to(act, head.state, is_worked);
        if already(act, head.state) {
            return Ok(());
        }
        if head.state == RunState::Planned {
            return Err(Problem::conflict("It is only planned. Start it, or plan something else."));
        }
        if is_for_others(act, head.state) {
            return Err(state::refused(head.state, to));
        }
        state::check(head.state, to)?;
        if !state::go(tx, now, run, head.state, to, Some(by.name())).await? {
            return Err(Problem::conflict("The run has just gone on. Look again, then decide."));
        }
        after(tx, now, member, &head, act).await?;
        audit(tx, now, &by, action(act), &head, serde_json::json!({ "summary": head.summary })).await?;
        tx.tell(Change::RunDue);
        Ok(())
    })
    .await
}

fn action(act: RunAct) -> &'static str {
    match act {
        RunAct::Pause => "utility.pause",
        RunAct::Resume => "utility.resume",
        RunAct::Cancel => "utility.cancel",
    }
}

/// It is so already, by a click before.
fn already(act: RunAct, state: RunState) -> bool {
    match act {
        RunAct::Pause => matches!(state, RunState::Pausing | RunState::Paused),
        RunAct::Resume => matches!(state, RunState::Queued | RunState::Running | RunState::Verifying),
        RunAct::Cancel => matches!(state, RunState::Cancelling | RunState::Cancelled),
    }
}

async fn after(tx: &mut Tx, now: &Now, member: &Member, head: &Head, act: RunAct) -> Result<(), Problem> {
    match act {
        RunAct::Resume => {
            tx.run("update utility_run set failures = 0, error = null, lease_until = null where id = $1", [head.id]).await?;
        }
        RunAct::Cancel if head.state == RunState::AwaitingApproval => {
            if let Some(approval) = head.approval_id {
                approvals::drop_it(tx, now, approval, member.id()).await?;
            }
        }
        RunAct::Cancel | RunAct::Pause => {}
    }
    if act == RunAct::Cancel && !head.flipped && head.state != RunState::AwaitingApproval {
        let text = "What was done until now stays done; nothing is half done.".to_owned();
        log::write(tx, now, head.id, RunEventKind::Info, text, None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_what_the_table_allows() {
        for &state in RunState::ALL {
            for &act in RunAct::ALL {
                if possible(act, state, false) {
                    for is_worked in [true, false] {
                        assert!(state::may_follow(state, leads_to(act, state, is_worked)).is_some(), "{act:?} of {state:?}, {is_worked}");
                    }
                }
            }
            assert!(!possible(RunAct::Cancel, state, true), "{state:?}");
        }
        assert!(possible(RunAct::Resume, RunState::Failed, true));
        assert!(!possible(RunAct::Pause, RunState::Succeeded, false));
        assert!(!possible(RunAct::Resume, RunState::AwaitingApproval, false), "a second person has to agree");
        assert!(!possible(RunAct::Pause, RunState::Cancelling, false));
    }
}
