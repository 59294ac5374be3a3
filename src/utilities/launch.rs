//! Launching: a plan is looked at and stored, then started by who asked, with the typed confirmation, and by a second person where one is
//! needed. Asking twice makes one run.

use super::{Asking, Leave, Proposal, Reversed, log, state, utility, worker};
use crate::clock::Now;
use crate::db::{Db, Error, Result as Done, Tx, is_duplicate, json};
use crate::staff::approvals::{self, Wish};
use crate::staff::{Actor, Entry, Member, Proof, Scope, record};
use crate::types::{
    AccountId, ApprovalId, Change, LineId, Plan, Problem, RunEventKind, RunId, RunState, StaffId, Started, Timestamp, UtilityKind,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// A plan older than this is made anew.
const GOOD_FOR: Duration = Duration::from_secs(60 * 60);

/// Pieces of a file that one transaction stores.
const AT_A_TIME: usize = 8;

/// Looks at what a run would do and stores the plan; nothing else is changed. Above `rows_alone` rows a second person has to agree.
///
/// # Errors
/// `Forbidden` without the permission, `Invalid` at a field that cannot be taken.
pub async fn plan(
    db: &Db,
    now: &Now,
    member: &Member,
    kind: UtilityKind,
    answers: &BTreeMap<String, String>,
    file: Option<&[u8]>,
    rows_alone: i64,
) -> Result<RunId, Problem> {
    let which = utility(kind)?;
    let leave = which.leave(member)?;
    let proposal = which.plan(&Asking { db, now, leave, answers, file }).await?;
    store(db, now, member, kind, proposal, rows_alone).await
}

/// Plans what takes a run back.
///
/// # Errors
/// `NotFound` out of scope, `Conflict` when it cannot be taken back, and as [`plan`].
pub async fn plan_reverse(db: &Db, now: &Now, member: &Member, run: RunId, rows_alone: i64) -> Result<RunId, Problem> {
    let head = head(db, member, run).await?;
    let which = utility(head.utility)?;
    let leave = which.leave(member)?;
    within_scope(db, &leave, &head).await?;
    let stands_half_way = match head.state {
        RunState::Paused | RunState::Failed => head.flipped,
        RunState::Cancelled => head.flipped && has_line(db, &head).await?,
        _ => false,
    };
    if head.state != RunState::Succeeded && !stands_half_way {
        return Err(Problem::conflict(format!(
            "It is {}; only what is done, or stands still after it has moved the line, can be taken back.",
            head.state.name().to_lowercase()
        )));
    }
    // What it brought back is recorded nowhere: only what stands half way is helped by that.
    if head.state == RunState::Succeeded && head.reverses.is_some() {
        return Err(Problem::conflict("This run brought the line back, and is not taken back itself. Transfer it as any other line."));
    }
    let of: Reversed = db.one("select id, line_id, account_id, target_id, parameters from utility_run where id = $1", [run]).await?;
    let answers = BTreeMap::new();
    let proposal = which.plan_reverse(&Asking { db, now, leave, answers: &answers, file: None }, &of).await?;
    let proposal = proposal.ok_or_else(|| Problem::conflict("Runs of this utility cannot be taken back."))?;
    store(db, now, member, head.utility, proposal, rows_alone).await
}

/// Whether a line is on its way by this run: one that was cancelled left it there.
async fn has_line(db: &Db, head: &Head) -> Result<bool, Problem> {
    let found: Option<(LineId,)> = db.opt("select id from line where id = $1 and transfer_id = $2", (head.line_id, head.id)).await?;
    Ok(found.is_some())
}

async fn store(db: &Db, now: &Now, member: &Member, kind: UtilityKind, mut proposal: Proposal, rows_alone: i64) -> Result<RunId, Problem> {
    proposal.plan.needs_approval |= proposal.plan.rows > rows_alone;
    let (id, at) = (RunId(now.id()), now.at());
    let is_whole = proposal.input.is_empty();
    let first_batch = utility(kind)?.piece().unwrap_or(worker::FIRST_BATCH);
    db.work(async |tx| {
        let earlier: Vec<(RunId,)> = tx
            .all(
                "select id from utility_run where state = 'planned' and asked_by = $1 and utility = $2 and holds = $3",
                (member.id(), kind, proposal.holds.clone()),
            )
            .await?;
        for (run,) in earlier {
            forget_plan(tx, run).await?;
        }
        tx.run(
            "insert into utility_run (id, utility, state, summary, line_id, account_id, target_id, holds, parameters, answers, plan,
               version, asked_by, asked_at, attempt, failures, batch_size, taken_done)
             values ($1, $2, 'planned', $3, $4, $5, $6, $7, $8, $9, $10, $14, $11, $12, 0, 0, $13, 0)",
            (
                id,
                kind,
                proposal.summary.clone(),
                proposal.line,
                proposal.account,
                proposal.target,
                proposal.holds.clone(),
                proposal.parameters.to_string(),
                json(&proposal.answers),
                json(&proposal.plan),
                member.id(),
                at,
                first_batch,
                i64::from(is_whole),
            ),
        )
        .await?;
        if let Some(of) = proposal.reverses {
            tx.run("update utility_run set reverses = $2 where id = $1", (id, of)).await?;
        }
        for (n, step) in (0_i64..).zip(&proposal.steps) {
            tx.run(
                "insert into utility_step (run_id, n, name, title, is_check, done, total) values ($1, $2, $3, $4, $5, 0, $6)",
                (id, n, step.name, step.title.clone(), step.is_check, step.total),
            )
            .await?;
        }
        log::write(tx, now, id, RunEventKind::Info, "Planned: nothing was changed.".to_owned(), Some(member.actor().name())).await?;
        Ok::<_, Problem>(())
    })
    .await?;
    // A large file is stored piece by piece, so that nobody waits for it. Until it is whole the plan has no version, and is nobody's: one
    // whose planner left meanwhile is never started, and is forgotten with the next plan of the same, or by a worker.
    let db = db.in_background();
    let mut pieces = (0_i64..).zip(proposal.input).peekable();
    while pieces.peek().is_some() {
        let some: Vec<_> = pieces.by_ref().take(AT_A_TIME).collect();
        let is_last = pieces.peek().is_none();
        db.work(async |tx| {
            for (n, (first, body)) in some {
                tx.run("insert into utility_input (run_id, n, first, body) values ($1, $2, $3, $4)", (id, n, first, body)).await?;
            }
            if is_last {
                tx.run("update utility_run set version = 1 where id = $1 and version = 0", [id]).await?;
            }
            Ok::<_, Problem>(())
        })
        .await?;
    }
    Ok(id)
}

/// Forgets a plan that was not started.
pub(super) async fn forget_plan(tx: &mut Tx, run: RunId) -> Done<()> {
    let planned: Option<(RunId,)> =
        tx.opt("update utility_run set version = version + 1 where id = $1 and state = 'planned' returning id", [run]).await?;
    if planned.is_none() {
        return Ok(());
    }
    tx.run("delete from utility_step where run_id = $1", [run]).await?;
    tx.run("delete from utility_event where run_id = $1", [run]).await?;
    tx.run("delete from utility_input where run_id = $1", [run]).await?;
    tx.run("delete from utility_run where id = $1", [run]).await?;
    Ok(())
}

/// What is asked of a run before anything is done to it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Head {
    pub(super) id: RunId,
    pub(super) utility: UtilityKind,
    pub(super) state: RunState,
    pub(super) summary: String,
    pub(super) version: i64,
    pub(super) plan: String,
    pub(super) line_id: Option<LineId>,
    pub(super) account_id: Option<AccountId>,
    pub(super) target_id: Option<AccountId>,
    pub(super) asked_by: StaffId,
    pub(super) asked_at: Timestamp,
    pub(super) approval_id: Option<ApprovalId>,
    pub(super) holds: String,
    pub(super) flipped: bool,
    pub(super) lease_until: Option<Timestamp>,
    pub(super) reverses: Option<RunId>,
}

pub(super) fn no_such_run() -> Problem {
    Problem::not_found("There is no such run, or it belongs to an account that you do not look after.")
}

/// The run; one that a member has only planned is nobody else's, and nobody's while its file is being stored.
pub(super) async fn head(db: &Db, member: &Member, run: RunId) -> Result<Head, Problem> {
    let found: Option<Head> = db
        .opt(
            "select id, utility, state, summary, version, plan, line_id, account_id, target_id, asked_by, asked_at, approval_id, holds,
               flipped_at is not null as flipped, lease_until, reverses
             from utility_run
             where id = $1 and version > 0 and (state <> 'planned' or asked_by = $2)",
            (run, member.id()),
        )
        .await?;
    found.ok_or_else(no_such_run)
}

/// Refuses a run that touches an account out of scope.
pub(super) async fn within_scope(db: &Db, leave: &Leave, head: &Head) -> Result<(), Problem> {
    if is_within(db, leave.scope, head).await? { Ok(()) } else { Err(no_such_run()) }
}

/// Whether every account that a run touches is within the scope. One that names no account is of several: it takes all of them.
pub(super) async fn is_within(db: &Db, scope: Scope, head: &Head) -> Done<bool> {
    if scope.everywhere {
        return Ok(true);
    }
    let mut touched: Vec<AccountId> = [head.account_id, head.target_id].into_iter().flatten().collect();
    touched.dedup();
    for account in &touched {
        let found: Option<(AccountId,)> = db
            .opt(
                "select account_id from staff_scope where staff_id = $1 and permission = $2 and account_id = $3 limit 1",
                (scope.staff, scope.permission, *account),
            )
            .await?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(!touched.is_empty())
}

/// Starts a planned run, as it was planned at `version`. `typed` is the confirmation that the plan asks for, `note` says why when a
/// second person has to agree. Starting it twice starts it once; when another run is at the same thing, that one is the answer.
///
/// # Errors
/// `Invalid` for a wrong confirmation or a missing note, `Conflict` when there is an obstacle or the plan is old, `NotFound` out of scope.
pub async fn start(db: &Db, now: &Now, member: &Member, _proof: Proof, run: RunId, typed: &str, note: &str) -> Result<Started, Problem> {
    let head = head(db, member, run).await?;
    let leave = utility(head.utility)?.leave(member)?;
    within_scope(db, &leave, &head).await?;
    if head.asked_by != member.id() {
        return Err(Problem::forbidden("Somebody else planned this. Plan it yourself, then start it."));
    }
    if head.state != RunState::Planned {
        return Ok(Started { run, waits: head.approval_id.filter(|_| head.state == RunState::AwaitingApproval), was_first: false });
    }
    let plan: Plan = serde_json::from_str(&head.plan)
        .map_err(|_| Problem::conflict("This was planned with another version of the program. Plan it anew."))?;
    let answer = |(first, waits): UnderWay| Started { run: first, waits: waits.filter(|_| first == run), was_first: first != run };
    if let Some(first) = under_way(db, &head.holds).await?.filter(|(first, _)| Some(*first) != head.reverses) {
        return Ok(answer(first));
    }
    if now.at().since(head.asked_at) > GOOD_FOR {
        return Err(Problem::conflict("This plan is older than an hour. Plan it anew, then look again."));
    }
    if let Some(obstacle) = plan.obstacles.first() {
        return Err(Problem::conflict(obstacle.text.clone()));
    }
    if let Some((what, wanted)) = &plan.confirm {
        let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        if bare(typed) != bare(wanted) {
            return Err(Problem::invalid("typed", format!("Type {what} as it stands above, to show that this is the one you mean.")));
        }
    }
    let begun = db
        .work(async |tx| {
            // One that stands still half way is given up when this one has moved the line; until then this one holds the line for both.
            if let Some(of) = head.reverses {
                tx.run("update utility_run set held = null where id = $1 and state in ('paused', 'failed')", [of]).await?;
            }
            let held = tx.run("update utility_run set held = holds where id = $1 and state = 'planned'", [run]).await;
            held.map_err(not_first)?;
            let waits = if plan.needs_approval && approvals::is_needed(tx, now, &leave.actor).await? {
                let wish = Wish::StartRun { run };
                Some(approvals::ask(tx, now, &leave.actor, None, head.summary.clone(), &wish, note).await?)
            } else {
                None
            };
            tx.run("update utility_run set approval_id = $2 where id = $1", (run, waits)).await?;
            let to = if waits.is_some() { RunState::AwaitingApproval } else { RunState::Queued };
            if !state::go(tx, now, run, RunState::Planned, to, Some(leave.actor.name())).await? {
                return Err(somebody_was_first());
            }
            audit(tx, now, &leave.actor, "utility.start", &head, serde_json::json!({ "summary": head.summary })).await?;
            tx.tell(Change::RunDue);
            Ok(Started { run, waits, was_first: false })
        })
        .await;
    match begun {
        // Of two at once the second found the place taken.
        Err(Problem::Internal { .. } | Problem::Conflict { .. }) => match under_way(db, &head.holds).await? {
            Some(first) => Ok(answer(first)),
            None => begun,
        },
        done => done,
    }
}

fn somebody_was_first() -> Problem {
    Problem::conflict("Somebody was first. Look again.")
}

/// The place of a run may be taken at the very moment in which it starts.
fn not_first(error: Error) -> Problem {
    if is_duplicate(&error) { somebody_was_first() } else { error.into() }
}

/// A run, and what it waits for when a second person has to agree to it.
type UnderWay = (RunId, Option<ApprovalId>);

/// The run that is at this now.
async fn under_way(db: &Db, holds: &str) -> Result<Option<UnderWay>, Problem> {
    let found: Option<(RunId, RunState, Option<ApprovalId>)> =
        db.opt("select id, state, approval_id from utility_run where held = $1", [holds.to_owned()]).await?;
    Ok(found.map(|(id, state, approval)| (id, approval.filter(|_| state == RunState::AwaitingApproval))))
}

/// A run that stands still half way is over: the one that takes it back has moved the line.
pub(super) async fn give_up(tx: &mut Tx, now: &Now, run: RunId, by: &str) -> Done<()> {
    for from in [RunState::Paused, RunState::Failed] {
        state::go(tx, now, run, from, RunState::Cancelled, Some(by)).await?;
    }
    Ok(())
}

/// An entry of the audit for each account that a run touches.
pub(super) async fn audit(tx: &mut Tx, now: &Now, actor: &Actor, action: &'static str, head: &Head, after: serde_json::Value) -> Done<()> {
    let mut touched: Vec<Option<AccountId>> = vec![head.account_id];
    if head.target_id.is_some() && head.target_id != head.account_id {
        touched.push(head.target_id);
    }
    for account_id in touched {
        let entry = Entry { action, account_id, line_id: head.line_id, subject_id: Some(head.id.0), ..Entry::default() };
        record(tx, now, actor, entry.change((), after.clone())).await?;
    }
    Ok(())
}

/// A second person agreed: the run is queued, if who asked may still launch it, on the accounts that it touches.
///
/// # Errors
/// `Forbidden` when they may not, `Conflict` when it does not wait any more.
pub(crate) async fn approved(tx: &mut Tx, now: &Now, run: RunId, asker: &Member, decider: &Member) -> Result<(), Problem> {
    let found: Option<(UtilityKind, Option<AccountId>, Option<AccountId>)> = tx
        .opt(
            "update utility_run set approved_by = $2 where id = $1 and state = 'awaiting_approval'
             returning utility, account_id, target_id",
            (run, decider.id()),
        )
        .await?;
    let (kind, account, target) = found.ok_or_else(|| Problem::conflict("This run does not wait for anybody any more. Decline it."))?;
    let not_any_more = || Problem::forbidden("Whoever asked for this may not do it to these accounts any more. Decline it.");
    let asker = Member::load_in(tx, asker.id()).await?.ok_or_else(not_any_more)?;
    let scope = utility(kind)?.leave(&asker)?.scope;
    let touched: Vec<AccountId> = [account, target].into_iter().flatten().collect();
    if !scope.everywhere && touched.is_empty() {
        return Err(not_any_more());
    }
    for account in touched {
        let within: Option<(AccountId,)> = tx
            .opt(
                "select a.id from account a
                 where a.id = $1
                   and ($2 or a.id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
                (account, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        if within.is_none() {
            return Err(not_any_more());
        }
    }
    state::go(tx, now, run, RunState::AwaitingApproval, RunState::Queued, Some(decider.actor().name())).await?;
    tx.tell(Change::RunDue);
    Ok(())
}

/// Nobody agreed: the run is cancelled.
///
/// # Errors
/// What the database says.
pub(crate) async fn not_approved(tx: &mut Tx, now: &Now, run: RunId, by: &str) -> Done<()> {
    state::go(tx, now, run, RunState::AwaitingApproval, RunState::Cancelled, Some(by)).await.map(|_| ())
}
