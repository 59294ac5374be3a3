//! Approvals: what needs a second person waits here, with who asked and why, until somebody else decides.
//!
//! The rule: nobody decides on what they asked for themselves, or agrees to what they gain by while somebody else can; and what is agreed
//! to is carried out in the same transaction, by the rules as they are then, in the name of who asked. To add a use: a variant of
//! [`Wish`], its arms in [`carry_out`] and [`is_for_somebody_else`], and a call of [`ask`] where the action is asked for.

use super::members::{add_role, authority};
use super::roles::{self, Edit};
use super::{Actor, Entry, Member, Proof, may, record};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, one_more};
use crate::types::{
    AccountId, ApprovalId, ApprovalRow, ApprovalState, Change, Counted, Cursor, IntegrationType, LineId, Page, Problem, RoleId, RunId,
    StaffId, Timestamp,
};
use crate::utilities;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Who does not decide in this time has decided against it.
const GOOD_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Who asked makes use of a consent in this time.
const USABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How much one person does alone and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alone {
    /// Lines whose integration type is set at once.
    pub lines: usize,
    /// Rows that a run of a data utility touches.
    pub rows: i64,
    /// Rows that are changed in one go; more are a run of a data utility.
    pub at_once: usize,
}

impl Alone {
    /// Where nothing else is set.
    pub const DEFAULT: Self = Self { lines: 10, rows: 10_000, at_once: 100 };
}

/// Keeps how much one person does alone where the shell finds it: it goes by what the server is set to, not by its own environment.
///
/// # Errors
/// What the database says.
pub async fn keep_alone(db: &Db, alone: Alone) -> Result<()> {
    db.work(async |tx| {
        tx.run("insert into alone (name, most) values ('rows', $1) on conflict (name) do update set most = excluded.most", [alone.rows])
            .await?;
        Ok(())
    })
    .await
}

/// How many rows a run touches that one person starts alone, as the server was set when it began.
///
/// # Errors
/// What the database says.
pub async fn rows_alone(db: &Db) -> Result<i64> {
    let found: Option<(i64,)> = db.opt("select most from alone where name = 'rows'", ()).await?;
    Ok(found.map_or(Alone::DEFAULT.rows, |(rows,)| rows))
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Wish {
    /// Give a member a role that holds dangerous permissions.
    GiveRole {
        /// The member.
        staff: StaffId,
        /// The role.
        role: RoleId,
        /// What it was when it was asked for: whoever agrees agrees to that.
        #[serde(default)]
        version: Option<i64>,
    },
    /// Make those who have a role more powerful in a dangerous way, or the second factor needless.
    EditRoles(Edit),
    /// Make a link to a new password for somebody who holds dangerous permissions: it opens their account.
    Reset {
        /// The member.
        staff: StaffId,
        /// Their second factor is taken away, too.
        lost_second_factor: bool,
        /// Their roles, in order, each with its version: a consent opens an account as it was when it was asked for.
        #[serde(default)]
        roles: Vec<(RoleId, i64)>,
    },
    /// Set the type of many lines.
    SetTypes {
        /// The lines, each with its version when it was asked for.
        lines: Vec<(LineId, i64)>,
        /// The type.
        to: IntegrationType,
    },
    /// Start a run of a data utility, as it is planned.
    StartRun {
        /// The run.
        run: RunId,
    },
}

impl Wish {
    fn kind(&self) -> &'static str {
        match self {
            Self::GiveRole { .. } => "give_role",
            Self::EditRoles(_) => "edit_roles",
            Self::Reset { .. } => "reset",
            Self::SetTypes { .. } => "set_types",
            Self::StartRun { .. } => "start_run",
        }
    }
}

/// Does what was agreed to, in the transaction that says so.
async fn carry_out(tx: &mut Tx, now: &Now, asker: &Member, decider: &Member, wish: Wish) -> Result<(), Problem> {
    match wish {
        Wish::GiveRole { staff, role, version } => {
            let permit = asker.permit::<may::ManageStaff>()?;
            authority(tx).await?;
            let given = roles::may_hand_out(tx, asker, role).await?;
            if version != Some(given.version) {
                return Err(Problem::conflict(format!(
                    "The role {} has been changed since this was asked for. Decline it, and have it asked for again.",
                    given.name
                )));
            }
            add_role(tx, now, permit.actor(), staff, role).await
        }
        Wish::EditRoles(edit) => {
            let permit = asker.permit::<may::ManageRoles>()?;
            roles::change(tx, now, asker, permit.actor(), edit).await
        }
        // The link is shown once, to who asked: they make it themselves; see [`use_up`].
        Wish::Reset { .. } => Ok(()),
        Wish::SetTypes { lines, to } => {
            let permit = asker.permit::<may::SetIntegrationType>()?;
            crate::directory::integration::set_all(tx, now, &permit, &lines, to).await.map(|_| ())
        }
        Wish::StartRun { run } => utilities::approved(tx, now, run, asker, decider).await,
    }
}

/// Whether there is somebody else who could decide, or was until lately: who takes away the last other one waits as long as a wish is
/// good for. While somebody is alone, nothing waits for a second person.
///
/// # Errors
/// What the database says.
pub(crate) async fn is_needed(tx: &mut Tx, now: &Now, actor: &Actor) -> Result<bool> {
    is_needed_beside(tx, now, actor, None).await
}

/// Has what needs a second person wait although nobody else can decide any more, for as long as a wish is good for: nobody makes
/// themselves alone to get round a second person.
///
/// # Errors
/// What the database says.
pub(super) async fn wait_though_alone(tx: &mut Tx, now: &Now) -> Result<()> {
    tx.run("update staff_turn set until = $1 where name = 'alone'", [now.at().plus(GOOD_FOR)]).await?;
    Ok(())
}

/// The same for what is done to `to`, who cannot be the second person.
///
/// # Errors
/// What the database says.
pub(crate) async fn is_needed_beside(tx: &mut Tx, now: &Now, actor: &Actor, to: Option<StaffId>) -> Result<bool> {
    if deciders(tx).await?.into_iter().any(|id| Some(id.0) != actor.id() && Some(id) != to) {
        return Ok(true);
    }
    let lately: Option<(i64,)> = tx.opt("select turn from staff_turn where name = 'alone' and until > $1", [now.at()]).await?;
    Ok(lately.is_some())
}

/// Who can decide on everything: they may agree on all accounts, and can sign in.
async fn deciders(tx: &mut Tx) -> Result<Vec<StaffId>> {
    let rows: Vec<(StaffId,)> = tx
        .all(
            "select distinct m.id
             from staff_member m
             join staff_scope_role s on s.staff_id = m.id and s.permission = 'approve'
             join role r on r.id = s.role_id and r.everywhere
             where m.password_hash is not null
               and (m.second_factor is not null or not exists (select 1 from second_factor_rule where permission = 'approve'))",
            (),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whether somebody else has to agree, since `decider` would gain by it. Where a role changes that everybody has who could decide, one of
/// them does: others gain by it, too, so that who asks must not do it alone.
async fn is_for_somebody_else(tx: &mut Tx, wish: &Wish, asked_by: StaffId, decider: StaffId) -> Result<bool, Problem> {
    match wish {
        Wish::GiveRole { staff, .. } | Wish::Reset { staff, .. } => Ok(*staff == decider),
        Wish::EditRoles(edit) => {
            let gainers = roles::gainers(tx, edit).await?;
            Ok(gainers.contains(&decider) && deciders(tx).await?.iter().any(|id| *id != asked_by && !gainers.contains(id)))
        }
        Wish::SetTypes { .. } | Wish::StartRun { .. } => Ok(false),
    }
}

/// Writes down what waits for a second person. `account_id` names the account when it is one's alone: then somebody who may decide for
/// that account can.
///
/// # Errors
/// `Invalid` without a note, `Forbidden` for who is no member.
pub(crate) async fn ask(
    tx: &mut Tx,
    now: &Now,
    actor: &Actor,
    account_id: Option<AccountId>,
    summary: String,
    wish: &Wish,
    note: &str,
) -> Result<ApprovalId, Problem> {
    let Actor::Staff { id: asked_by, .. } = actor else {
        return Err(Problem::forbidden("This needs a second person, and only a member of the staff can ask for one."));
    };
    let note = checked_note(note)?;
    let (id, at) = (ApprovalId(now.id()), now.at());
    let wish_text = serde_json::to_string(wish).map_err(|error| {
        tracing::error!(%error, "a wish could not be written down");
        Problem::unavailable("This could not be written down. Try again.")
    })?;
    tx.run(
        "insert into approval (id, kind, account_id, summary, wish, note, asked_by, asked_at, expires_at, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open')",
        (id, wish.kind(), account_id, summary.clone(), wish_text, note.clone(), *asked_by, at, at.plus(GOOD_FOR)),
    )
    .await?;
    tx.tell(Change::Staff);
    let entry = Entry { action: "approval.ask", account_id, subject_id: Some(id.0), ..Entry::default() };
    record(tx, now, actor, entry.change((), json!({ "summary": summary, "note": note }))).await?;
    Ok(id)
}

/// Uses a consent that was given to this wish of the actor's, once and within a day; says whether there was one.
///
/// # Errors
/// What the database says.
pub(super) async fn use_up(tx: &mut Tx, now: &Now, actor: &Actor, wish: &Wish) -> Result<bool> {
    let at = now.at();
    let found: Vec<(ApprovalId, String)> = tx
        .all(
            "select id, wish from approval
             where state = 'approved' and kind = $1 and asked_by = $2 and used_at is null and decided_at > $3",
            (wish.kind(), actor.id(), at.minus(USABLE_FOR)),
        )
        .await?;
    for (id, text) in found {
        if serde_json::from_str::<Wish>(&text).is_ok_and(|agreed| agreed == *wish) {
            return Ok(tx.run("update approval set used_at = $2 where id = $1 and used_at is null", (id, at)).await? == 1);
        }
    }
    Ok(false)
}

fn checked_note(note: &str) -> Result<String, Problem> {
    let note = note.trim();
    if note.is_empty() || note.chars().count() > 500 {
        return Err(Problem::invalid("note", "A second person has to agree to this. Write in at most 500 characters why it is needed."));
    }
    Ok(note.to_owned())
}

#[derive(sqlx::FromRow)]
struct Found {
    id: ApprovalId,
    summary: String,
    note: String,
    asked_by: StaffId,
    asker: String,
    asked_at: Timestamp,
    expires_at: Timestamp,
    state: String,
    decider: Option<String>,
    decided_at: Option<Timestamp>,
    decision_note: Option<String>,
    wish: Option<String>,
}

impl Found {
    fn row(self, now: Timestamp) -> ApprovalRow {
        let state = self.state.parse().unwrap_or(ApprovalState::Withdrawn);
        let state = if state == ApprovalState::Open && self.expires_at <= now { ApprovalState::Expired } else { state };
        let run = match self.wish.and_then(|wish| serde_json::from_str(&wish).ok()) {
            Some(Wish::StartRun { run }) => Some(run),
            _ => None,
        };
        ApprovalRow {
            id: self.id,
            summary: self.summary,
            note: self.note,
            asked_by: (self.asked_by, self.asker),
            asked_at: self.asked_at,
            expires_at: self.expires_at,
            state,
            decided: self.decided_at.map(|at| (self.decider.unwrap_or_default(), at, self.decision_note.unwrap_or_default())),
            run,
        }
    }
}

macro_rules! approvals_sql {
    ($narrow:literal) => {
        concat!(
            "select p.id, p.summary, p.note, p.asked_by, a.name as asker, p.asked_at, p.expires_at, p.state, d.name as decider,
               p.decided_at, p.decision_note, case when p.kind = 'start_run' then p.wish end as wish
             from approval p
             join staff_member a on a.id = p.asked_by
             left join staff_member d on d.id = p.decided_by
             where (p.asked_by = $1 or $2
                 or p.account_id in (select account_id from staff_scope where staff_id = $1 and permission = 'approve')) ",
            $narrow
        )
    };
}

/// What waits, the oldest first since that is over first, or what waited, the newest first: what a member may decide, and what they asked
/// for. `open` leaves out what is decided or expired.
///
/// # Errors
/// What the database says.
pub async fn list(db: &Db, now: &Now, member: &Member, open: bool, after: Option<&Cursor>, limit: usize) -> Result<Page<ApprovalRow>> {
    let at = now.at();
    let begin = if open { uuid::Uuid::nil() } else { uuid::Uuid::max() };
    let behind = after.and_then(Cursor::key::<ApprovalId>).unwrap_or(ApprovalId(begin));
    let everywhere = member.may_everywhere(crate::types::Permission::Approve);
    let most = one_more(limit);
    let rows: Vec<Found> = if open {
        db.all(
            approvals_sql!("and p.state = 'open' and p.expires_at > $3 and p.id > $4 order by p.id limit $5"),
            (member.id(), everywhere, at, behind, most),
        )
        .await?
    } else {
        db.all(
            approvals_sql!("and (p.state <> 'open' or p.expires_at <= $3) and p.id < $4 order by p.id desc limit $5"),
            (member.id(), everywhere, at, behind, most),
        )
        .await?
    };
    Ok(Page::of(rows, limit, |found| found.id).map(|found| found.row(at)))
}

/// One that waits, or waited; `None` for what a member neither may decide nor asked for.
///
/// # Errors
/// What the database says.
pub async fn find(db: &Db, now: &Now, member: &Member, id: ApprovalId) -> Result<Option<ApprovalRow>> {
    let everywhere = member.may_everywhere(crate::types::Permission::Approve);
    let found: Option<Found> = db.opt(approvals_sql!("and p.id = $3"), (member.id(), everywhere, id)).await?;
    Ok(found.map(|found| found.row(now.at())))
}

/// What waits for a member's decision, counted up to a cap, and the oldest of it; `None` for who may not decide.
///
/// # Errors
/// What the database says.
pub(crate) async fn oldest_to_decide(db: &Db, now: &Now, member: &Member, named: usize) -> Result<Option<Counted<ApprovalRow>>> {
    let Some(permit) = member.permit_if_any::<may::Approve>() else { return Ok(None) };
    let (scope, at) = (permit.scope(), now.at());
    let rows: Vec<Found> = db
        .all(
            approvals_sql!("and p.state = 'open' and p.expires_at > $3 and p.asked_by <> $1 order by p.id limit $4"),
            (scope.staff, scope.everywhere, at, crate::home::most_read()),
        )
        .await?;
    Ok(Some(Counted::of(rows.into_iter().map(|found| found.row(at)).collect(), named)))
}

/// How much waits for a member's decision; nothing for who may not decide.
///
/// # Errors
/// What the database says.
pub async fn to_decide(db: &Db, now: &Now, member: &Member) -> Result<i64> {
    let Some(permit) = member.permit_if_any::<may::Approve>() else { return Ok(0) };
    let scope = permit.scope();
    let (count,): (i64,) = db
        .one(
            "select count(*) from approval
             where state = 'open' and expires_at > $1 and asked_by <> $2
               and ($3 or account_id in (select account_id from staff_scope where staff_id = $2 and permission = $4))",
            (now.at(), scope.staff, scope.everywhere, scope.permission),
        )
        .await?;
    Ok(count)
}

/// Decides: carries it out, or refuses it.
///
/// # Errors
/// `Forbidden` for one's own and for what one gains by, `NotFound` outside one's scope, `Conflict` when it was decided or has expired, or
/// when what was asked for cannot be done any more: then nothing is changed and it stays open.
pub async fn decide(db: &Db, now: &Now, member: &Member, _proof: Proof, id: ApprovalId, agrees: bool, note: &str) -> Result<(), Problem> {
    let permit = member.permit::<may::Approve>()?;
    let scope = permit.scope();
    let found: Option<(StaffId, String, String)> = db
        .opt(
            "select asked_by, wish, summary from approval
             where id = $1
               and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    let (asked_by, wish, summary) = found.ok_or_else(|| Problem::not_found("There is nothing of this kind to decide."))?;
    if asked_by == member.id() {
        return Err(Problem::forbidden("You asked for this yourself. Somebody else has to decide."));
    }
    let note: String = note.trim().chars().take(500).collect();
    if !agrees && note.is_empty() {
        return Err(Problem::invalid("note", "Write why you decline, so that who asked knows what to do."));
    }
    let asker = Member::load(db, asked_by).await?;
    let wish: Wish = serde_json::from_str(&wish).map_err(|error| {
        tracing::error!(%error, "a wish could not be read");
        Problem::conflict("This was asked for with another version of the program. Decline it and have it asked for again.")
    })?;
    db.work(async |tx| {
        let state = if agrees { ApprovalState::Approved } else { ApprovalState::Declined };
        close(tx, now, id, state, member.id(), &note).await?;
        let action = if agrees { "approval.approve" } else { "approval.decline" };
        let entry = Entry { action, subject_id: Some(id.0), ..Entry::default() };
        record(tx, now, permit.actor(), entry.change(json!({ "summary": summary }), json!({ "note": note }))).await?;
        if agrees {
            if is_for_somebody_else(tx, &wish, asked_by, member.id()).await? {
                return Err(Problem::forbidden("You would gain by it: somebody else has to agree."));
            }
            let asker = asker.ok_or_else(|| Problem::conflict("Who asked for this does not work here any more. Decline it."))?;
            carry_out(tx, now, &asker, member, wish).await?;
        } else {
            not_agreed(tx, now, wish, permit.actor()).await?;
        }
        Ok(())
    })
    .await
}

/// Takes back what one asked for.
///
/// # Errors
/// `NotFound` when it is not one's own, `Conflict` when it was decided or has expired.
pub async fn withdraw(db: &Db, now: &Now, member: &Member, id: ApprovalId) -> Result<(), Problem> {
    db.work(async |tx| {
        let own: Option<(String, String)> =
            tx.opt("select summary, wish from approval where id = $1 and asked_by = $2", (id, member.id())).await?;
        let (summary, wish) = own.ok_or_else(|| Problem::not_found("You did not ask for this."))?;
        close(tx, now, id, ApprovalState::Withdrawn, member.id(), "").await?;
        if let Ok(wish) = serde_json::from_str(&wish) {
            not_agreed(tx, now, wish, &member.actor()).await?;
        }
        let entry = Entry { action: "approval.withdraw", subject_id: Some(id.0), ..Entry::default() };
        Ok(record(tx, now, &member.actor(), entry.change(json!({ "summary": summary }), ())).await?)
    })
    .await
}

/// What was asked for is not wanted any more, for a reason of its own.
///
/// # Errors
/// What the database says; nothing happens to what is decided already.
pub(crate) async fn drop_it(tx: &mut Tx, now: &Now, id: ApprovalId, by: StaffId) -> Result<()> {
    match close(tx, now, id, ApprovalState::Withdrawn, by, "").await {
        Err(Problem::Internal { .. }) => Err(crate::db::Error::RowNotFound),
        _ => Ok(()),
    }
}

/// Nobody agreed: what waits for it elsewhere hears of it.
async fn not_agreed(tx: &mut Tx, now: &Now, wish: Wish, by: &Actor) -> Result<()> {
    match wish {
        Wish::StartRun { run } => utilities::not_approved(tx, now, run, by.name()).await,
        Wish::GiveRole { .. } | Wish::EditRoles(_) | Wish::Reset { .. } | Wish::SetTypes { .. } => Ok(()),
    }
}

async fn close(tx: &mut Tx, now: &Now, id: ApprovalId, state: ApprovalState, by: StaffId, note: &str) -> Result<(), Problem> {
    let at = now.at();
    let closed = tx
        .run(
            "update approval set state = $2, decided_by = $3, decided_at = $4, decision_note = $5
             where id = $1 and state = 'open' and expires_at > $4",
            (id, state.as_str(), by, at, note.to_owned()),
        )
        .await?;
    if closed == 0 {
        return Err(Problem::conflict("This was decided meanwhile, or it has expired. Look again."));
    }
    tx.tell(Change::Staff);
    Ok(())
}
