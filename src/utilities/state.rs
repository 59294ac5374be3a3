//! What may follow what in the life of a run, and why: one table. Anything else is refused.

use super::log;
use crate::clock::Now;
use crate::db::{Result as Done, Tx};
use crate::types::RunState::{self, *};
use crate::types::{Problem, RunEventKind, RunId};

/// One state may follow another.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// The state before.
    pub from: RunState,
    /// The state after.
    pub to: RunState,
    /// When that happens.
    pub why: &'static str,
}

/// All of them.
pub const EDGES: [Edge; 30] = [
    Edge { from: Planned, to: AwaitingApproval, why: "It was started, and a second person has to agree." },
    Edge { from: Planned, to: Queued, why: "It was started." },
    Edge { from: AwaitingApproval, to: Queued, why: "A second person agreed." },
    Edge { from: AwaitingApproval, to: Cancelled, why: "Nobody agreed to it, or it is not wanted any more." },
    Edge { from: Queued, to: Running, why: "A worker took it." },
    Edge { from: Queued, to: Paused, why: "It was paused before a worker took it." },
    Edge { from: Queued, to: Cancelled, why: "It was cancelled before a worker took it." },
    Edge { from: Running, to: Verifying, why: "Everything is done and has to be recounted." },
    Edge { from: Running, to: Succeeded, why: "Everything is done, and there is nothing to recount." },
    Edge { from: Running, to: Failed, why: "It could not go on." },
    Edge { from: Running, to: Pausing, why: "Somebody paused it while a batch was under way." },
    Edge { from: Running, to: Paused, why: "Somebody paused it between two workers." },
    Edge { from: Running, to: Cancelling, why: "Somebody cancelled it while a batch was under way." },
    Edge { from: Running, to: Cancelled, why: "Somebody cancelled it between two workers." },
    Edge { from: Verifying, to: Succeeded, why: "Everything was recounted and is right." },
    Edge { from: Verifying, to: Failed, why: "Something was not as it should be." },
    Edge { from: Verifying, to: Pausing, why: "Somebody paused it while a batch was under way." },
    Edge { from: Verifying, to: Paused, why: "Somebody paused it between two workers." },
    Edge { from: Verifying, to: Cancelling, why: "Somebody cancelled it while a batch was under way." },
    Edge { from: Verifying, to: Cancelled, why: "Somebody cancelled it between two workers." },
    Edge { from: Pausing, to: Paused, why: "The batch under way is done." },
    Edge { from: Pausing, to: Queued, why: "It was resumed before it stood still." },
    Edge { from: Pausing, to: Cancelling, why: "It was cancelled before it stood still." },
    Edge { from: Pausing, to: Failed, why: "The batch under way could not be done." },
    Edge { from: Paused, to: Queued, why: "It was resumed." },
    Edge { from: Paused, to: Cancelled, why: "It was cancelled." },
    Edge { from: Failed, to: Queued, why: "It is tried again from where it failed." },
    Edge { from: Failed, to: Cancelled, why: "It was given up." },
    Edge { from: Cancelling, to: Cancelled, why: "The batch under way is done." },
    Edge {
        from: Cancelling,
        to: Paused,
        why: "The line had changed hands when the batch under way was done: it is finished, or taken back.",
    },
];

/// Whether one may follow the other.
pub fn may_follow(from: RunState, to: RunState) -> Option<&'static Edge> {
    EDGES.iter().find(|edge| edge.from == from && edge.to == to)
}

/// Refuses what is not in the table, in words.
///
/// # Errors
/// `Conflict`.
pub fn check(from: RunState, to: RunState) -> Result<(), Problem> {
    if may_follow(from, to).is_some() {
        return Ok(());
    }
    Err(refused(from, to))
}

/// The words for what one state does not lead to.
pub(super) fn refused(from: RunState, to: RunState) -> Problem {
    let now = from.name().to_lowercase();
    Problem::conflict(match to {
        Paused | Pausing => format!("It is {now}; only what is queued or under way can be paused."),
        Queued => format!("It is {now}; only what is paused or failed can be resumed."),
        Cancelled | Cancelling => format!("It is {now}; there is nothing to cancel any more."),
        _ => format!("It is {now}. Look again: somebody may have been first."),
    })
}

/// Sets a run's state, if it is still in the one that is known and the table allows it; says whether it did, and writes it down.
///
/// # Errors
/// What the database says.
pub(super) async fn go(tx: &mut Tx, now: &Now, run: RunId, from: RunState, to: RunState, by: Option<&str>) -> Done<bool> {
    let Some(edge) = may_follow(from, to) else { return Ok(false) };
    let at = now.at();
    let gone = tx
        .run(
            "update utility_run
             set state = $3, version = version + 1, held = case when $4 then null else holds end,
                 due_at = case when $5 then cast($6 as bigint) end, lease_until = case when $7 then lease_until end,
                 ended_at = case when $4 then cast($6 as bigint) end
             where id = $1 and state = $2",
            (run, from, to, to.is_over(), to.is_moving(), at, to.is_moving() && to != Queued),
        )
        .await?;
    if gone == 0 {
        return Ok(false);
    }
    if to == Cancelled {
        // What is left of the file holds numbers, and nobody reads it any more.
        tx.run("delete from utility_input where run_id = $1", [run]).await?;
        // The run that it was to take back holds its line again: nothing has come of that.
        tx.run(
            "update utility_run set held = holds
             where id = (select b.reverses from utility_run b where b.id = $1) and held is null and state in ('paused', 'failed')",
            [run],
        )
        .await?;
    }
    log::write(
        tx,
        now,
        run,
        if to == Failed { RunEventKind::Error } else { RunEventKind::Info },
        format!("{}: {}", to.name(), edge.why),
        by,
    )
    .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_stands_once_and_nothing_follows_an_end() {
        for edge in &EDGES {
            assert_eq!(EDGES.iter().filter(|e| e.from == edge.from && e.to == edge.to).count(), 1, "{edge:?}");
            assert!(!edge.from.is_over(), "{edge:?}");
            assert_ne!(edge.to, Planned);
        }
    }

    #[test]
    fn every_state_is_reached_and_left() {
        for &state in RunState::ALL {
            assert!(state == Planned || EDGES.iter().any(|e| e.to == state), "{state:?} is reached");
            assert!(state.is_over() || EDGES.iter().any(|e| e.from == state), "{state:?} is left");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_refused_in_words() {
        assert!(check(Succeeded, Cancelled).expect_err("it is over").to_string().contains("nothing to cancel"));
        assert!(check(Paused, Pausing).is_err());
        assert!(check(Failed, Queued).is_ok());
    }
}
