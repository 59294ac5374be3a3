//! What the console shows of utilities: the catalogue, the list of runs, one run whole, and its report.
//!
//! The rule: a run is seen by whoever may see runs of one of the accounts that it touches; a plan by who planned it alone.

use super::launch::{Head, head, is_within, no_such_run};
use super::{ALL, control, utility};
use crate::clock::Now;
use crate::db::{Db, Result, one_more};
use crate::directory::LONGEST_SEARCH;
use crate::staff::{Member, Permit, Scope, Seen, may};
use crate::types::{
    AccountId, Counted, Cursor, LineId, Page, Permission, Plan, Problem, RunAct, RunDetail, RunEvent, RunEventKind, RunFilter, RunId,
    RunRow, RunState, RunStep, StaffId, Timestamp, UtilityAbout, UtilityKind,
};

/// Every utility, and whether the member may launch it.
pub fn catalogue(member: &Member) -> Vec<(UtilityAbout, bool)> {
    let abouts = ALL.iter().map(|utility| utility.about());
    let may = member.signed_in();
    abouts.map(|about| (about.permission, about)).map(|(permission, about)| (about, may.may(permission))).collect()
}

/// A utility's form, for a member who may launch it.
///
/// # Errors
/// `Forbidden` without its permission, `NotFound` when this version of the program has no such utility.
pub fn about(member: &Member, kind: UtilityKind) -> Result<UtilityAbout, Problem> {
    let found = utility(kind)?;
    found.leave(member)?;
    Ok(found.about())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: RunId,
    utility: UtilityKind,
    summary: String,
    state: RunState,
    line_id: Option<LineId>,
    label: Option<String>,
    asked_by: StaffId,
    asker: String,
    asked_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    done: i64,
    total: i64,
}

impl From<Row> for RunRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.utility,
            summary: row.summary,
            state: row.state,
            line: row.line_id.map(|line| (line, row.label.unwrap_or_default())),
            asked_by: (row.asked_by, row.asker),
            asked_at: row.asked_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            done: row.done,
            total: row.total,
        }
    }
}

/// What a line is called is its present account's: others are told its number, and find by that alone.
macro_rules! runs_sql {
    ($narrow:literal) => {
        concat!(
            "select r.id, r.utility, r.summary, r.state, r.line_id,
               case when $2 or l.account_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)
                 then l.label else l.number end as label,
               r.asked_by, m.name as asker, r.asked_at, r.started_at, r.ended_at,
               (select cast(coalesce(sum(s.done), 0) as bigint) from utility_step s where s.run_id = r.id) as done,
               (select cast(coalesce(sum(case when s.ended_at is null and s.total > s.done then s.total else s.done end), 0) as bigint)
                from utility_step s where s.run_id = r.id) as total
             from utility_run r
             join staff_member m on m.id = r.asked_by
             left join line l on l.id = r.line_id
             left join account a on a.id = r.account_id
             left join account t on t.id = r.target_id
             where r.version > 0 and (r.state <> 'planned' or r.asked_by = $1)
               and ($2 or r.account_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)
                 or r.target_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)) ",
            $narrow
        )
    };
}

/// Runs, the latest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeRuns>,
    filter: &RunFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<RunRow>> {
    let scope = permit.scope();
    let search: String = filter.search.trim().chars().take(LONGEST_SEARCH).collect();
    let digits: String = search.chars().filter(char::is_ascii_digit).collect();
    let number = if digits.len() >= 3 { format!("%{digits}%") } else { String::new() };
    let plain = |text: &str| text.chars().filter(|c| !matches!(c, '%' | '_' | '\\')).collect::<String>();
    // What lines and accounts are found by is folded whole, what else is searched as far as letters of ASCII go. What was answered and
    // what the log says have words that all runs have: they are for who searches with three signs and more.
    let (words, ascii) = (plain(&search.to_lowercase()), format!("{}%", plain(&search.to_ascii_lowercase())));
    let rows: Vec<Row> = db
        .all(
            runs_sql!(
                "and r.id < $4
                 and (r.utility = $5 or $5 is null)
                 and (r.state = $6 or ($6 is null and r.state <> 'planned'))
                 and (not $13 or r.state not in ('planned', 'succeeded', 'cancelled'))
                 and (r.line_id = $7 or $7 is null)
                 and (r.account_id = $8 or r.target_id = $8 or $8 is null)
                 and (r.asked_by = $9 or $9 is null)
                 and ($10 = '' or l.number like $11 or a.search like $10 || '%' or t.search like $10 || '%'
                   or lower(r.summary) like '%' || lower($14)
                   or (length($10) >= 3 and (
                     lower(r.answers) like '%' || lower($14)
                     or exists (select 1 from utility_event e where e.run_id = r.id and lower(e.text) like '%' || lower($14))))
                   or (l.search like '%' || $10 || '%'
                     and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $1 and permission = $3))))
                 order by r.id desc
                 limit $12"
            ),
            (
                scope.staff,
                scope.everywhere,
                scope.permission,
                after.and_then(Cursor::key::<RunId>).unwrap_or(RunId(uuid::Uuid::max())),
                filter.kind,
                filter.state,
                filter.line,
                filter.account,
                filter.asked_by,
                words,
                number,
                one_more(limit),
                filter.under_way,
                ascii,
            ),
        )
        .await?;
    Ok(Page::of(rows, limit, |row| row.id).map(RunRow::from))
}

/// Who has asked for a run that the member may see, by name.
///
/// # Errors
/// What the database says.
pub async fn askers(db: &Db, permit: &Permit<may::SeeRuns>) -> Result<Vec<(StaffId, String)>> {
    let scope = permit.scope();
    db.all(
        "select m.id, m.name
         from staff_member m
         where exists (
           select 1 from utility_run r
           where r.asked_by = m.id and r.version > 0 and r.state <> 'planned'
             and ($2 or r.account_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)
               or r.target_id in (select account_id from staff_scope where staff_id = $1 and permission = $3)))
         order by m.name, m.id",
        (scope.staff, scope.everywhere, scope.permission),
    )
    .await
}

/// Runs that failed and can be resumed, counted up to a cap, and the oldest of them.
///
/// # Errors
/// What the database says.
pub(crate) async fn oldest_failed(db: &Db, permit: &Permit<may::SeeRuns>, named: usize) -> Result<Counted<RunRow>> {
    Ok(Counted::of(oldest_in(db, permit, RunState::Failed).await?, named))
}

/// Runs that stand still until somebody resumes them or agrees to them, counted up to a cap, and the oldest of them.
///
/// # Errors
/// What the database says.
pub(crate) async fn oldest_standing(db: &Db, permit: &Permit<may::SeeRuns>, named: usize) -> Result<Counted<RunRow>> {
    let mut rows = oldest_in(db, permit, RunState::Paused).await?;
    rows.extend(oldest_in(db, permit, RunState::AwaitingApproval).await?);
    rows.sort_by_key(|row| row.id);
    Ok(Counted::of(rows, named))
}

async fn oldest_in(db: &Db, permit: &Permit<may::SeeRuns>, state: RunState) -> Result<Vec<RunRow>> {
    let scope = permit.scope();
    let rows: Vec<Row> = db
        .all(
            runs_sql!("and r.state = $4 order by r.id limit $5"),
            (scope.staff, scope.everywhere, scope.permission, state, crate::home::most_read()),
        )
        .await?;
    Ok(rows.into_iter().map(RunRow::from).collect())
}

/// The runs of a line, the latest first; at most ten.
///
/// # Errors
/// What the database says.
pub async fn of_line(db: &Db, permit: &Permit<may::SeeRuns>, line: LineId) -> Result<Vec<RunRow>> {
    let scope = permit.scope();
    // A text of its own: the list's, which may be narrowed to a line or not, reads every run there is.
    let rows: Vec<Row> = db
        .all(
            runs_sql!("and r.line_id = $4 and r.state <> 'planned' order by r.id desc limit 10"),
            (scope.staff, scope.everywhere, scope.permission, line),
        )
        .await?;
    Ok(rows.into_iter().map(RunRow::from).collect())
}

#[derive(sqlx::FromRow)]
struct Rest {
    answers: String,
    error: Option<String>,
    approver: Option<String>,
    taken_at: Option<Timestamp>,
    taken_done: i64,
    reversed_by: Option<RunId>,
    has_result: bool,
    has_line: bool,
}

#[derive(sqlx::FromRow)]
struct StepRow {
    title: String,
    is_check: bool,
    done: i64,
    total: i64,
    began_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct EventRow {
    at: Timestamp,
    kind: RunEventKind,
    text: String,
    actor: Option<String>,
}

impl From<EventRow> for RunEvent {
    fn from(row: EventRow) -> Self {
        Self { at: row.at, kind: row.kind, text: row.text, by: row.actor }
    }
}

/// Whether the member has a permission on every account that the run touches. Who only looks has asked for nothing.
async fn has_leave(db: &Db, member: &Member, permission: Permission, head: &Head) -> Result<bool> {
    if !member.signed_in().may(permission) {
        return Ok(false);
    }
    let scope = Scope { everywhere: member.may_everywhere(permission), staff: member.id(), permission: permission.as_str() };
    is_within(db, scope, head).await
}

async fn seen(db: &Db, permit: &Permit<may::SeeRuns>, run: RunId) -> Result<RunRow, Problem> {
    let scope = permit.scope();
    let row: Option<Row> = db.opt(runs_sql!("and r.id = $4"), (scope.staff, scope.everywhere, scope.permission, run)).await?;
    row.map(RunRow::from).ok_or_else(no_such_run)
}

/// A run, whole, and what the member may do to it.
///
/// # Errors
/// `Forbidden` without the permission to see runs, `NotFound` out of scope.
pub async fn get(db: &Db, now: &Now, member: &Member, run: RunId) -> Result<RunDetail, Problem> {
    let permit = member.permit::<may::SeeRuns>()?;
    let row = seen(db, &permit, run).await?;
    let head: Head = head(db, member, run).await?;
    let rest: Rest = db
        .one(
            "select r.answers, r.error, m.name as approver, r.taken_at, r.taken_done,
               (select b.id from utility_run b where b.reverses = r.id and b.state not in ('planned', 'cancelled') order by b.id desc limit 1)
                 as reversed_by,
               exists (select 1 from utility_output o where o.run_id = r.id) as has_result,
               exists (select 1 from line l where l.id = r.line_id and l.transfer_id = r.id) as has_line
             from utility_run r
             left join staff_member m on m.id = r.approved_by
             where r.id = $1",
            [run],
        )
        .await?;
    let steps: Vec<StepRow> =
        db.all("select title, is_check, done, total, began_at, ended_at from utility_step where run_id = $1 order by n", [run]).await?;
    let events: Vec<EventRow> = db
        .all(
            "select at, kind, text, actor from utility_event where run_id = $1 order by id desc limit $2",
            (run, i64::try_from(RunDetail::EVENTS).unwrap_or(i64::MAX)),
        )
        .await?;
    let about = utility(row.kind)?.about();
    let may_launch = has_leave(db, member, about.permission, &head).await?;
    let is_own = head.asked_by == member.id();
    let may_control = if is_own { may_launch } else { has_leave(db, member, Permission::ControlRuns, &head).await? };
    // What is about to be taken back is not resumed.
    let is_offered =
        |act: RunAct| control::possible(act, head.state, head.flipped) && (act != RunAct::Resume || rest.reversed_by.is_none());
    let acts: Vec<RunAct> = RunAct::ALL.iter().copied().filter(|act| may_control && is_offered(*act)).collect();
    // One that was cancelled all the same left its line on its way.
    let stands = matches!(head.state, RunState::Paused | RunState::Failed) || (head.state == RunState::Cancelled && rest.has_line);
    let reversible = about.is_reversible && rest.reversed_by.is_none();
    // What a way back brought back is recorded nowhere.
    let is_done = head.state == RunState::Succeeded && head.reverses.is_none();
    let (rows_per_second, seconds_left) = rate(now, &row, &rest);
    Ok(RunDetail {
        utility: about.name,
        version: head.version,
        parameters: serde_json::from_str(&rest.answers).unwrap_or_default(),
        accounts: accounts(db, member, &head).await?,
        plan: serde_json::from_str::<Plan>(&head.plan).unwrap_or_default(),
        steps: steps
            .into_iter()
            .map(|s| RunStep {
                name: s.title,
                is_check: s.is_check,
                done: s.done,
                total: s.total,
                began_at: s.began_at,
                ended_at: s.ended_at,
            })
            .collect(),
        events: events.into_iter().map(RunEvent::from).collect(),
        error: rest.error.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        approval: head.approval_id,
        approved_by: rest.approver,
        acts,
        may_start: is_own && may_launch && head.state == RunState::Planned,
        may_reverse: may_launch && reversible && (is_done || (head.flipped && stands)),
        past_cancelling: (head.flipped && !head.state.is_over()).then(|| control::past_cancelling(reversible)),
        rows_per_second,
        seconds_left,
        reverses: head.reverses,
        reversed_by: rest.reversed_by,
        result: rest.has_result.then(|| format!("{}-{run}.csv", row.kind.as_str())),
        row,
    })
}

/// The accounts that a run touches, as far as the member may open their pages.
async fn accounts(db: &Db, member: &Member, head: &Head) -> Result<Vec<(AccountId, String)>> {
    let Some(permit) = member.permit_if_any::<may::SeeDirectory>() else { return Ok(Vec::new()) };
    let scope = permit.scope();
    db.all(
        "select a.id, a.name
         from account a
         where a.id in ($1, $2)
           and ($3 or a.id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
         order by a.name, a.id",
        (head.account_id, head.target_id, scope.everywhere, scope.staff, scope.permission),
    )
    .await
}

/// Rows a second since the run was last taken up, and the seconds that are left by that. Of one that stands still, or stood still before it
/// was ended, nobody can say: the time goes on without it.
fn rate(now: &Now, row: &RunRow, rest: &Rest) -> (Option<i64>, Option<i64>) {
    let is_worked = matches!(row.state, RunState::Running | RunState::Verifying | RunState::Pausing | RunState::Cancelling);
    let Some(since) = rest.taken_at.filter(|_| is_worked || row.state == RunState::Succeeded) else { return (None, None) };
    let took = row.ended_at.unwrap_or_else(|| now.at()).since(since).as_secs_f64();
    let done = row.done - rest.taken_done;
    if took < 1.0 || done <= 0 {
        return (None, None);
    }
    let rate = done as f64 / took;
    let left = (row.total - row.done).max(0) as f64 / rate;
    (Some(rate as i64), row.state.is_moving().then_some(left.ceil() as i64))
}

/// What was planned, done and recounted, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run in a sentence.
    pub summary: String,
    /// Its state.
    pub state: RunState,
    /// Its steps, in order.
    pub steps: Vec<ReportStep>,
    /// What happened, in order.
    pub events: Vec<RunEvent>,
}

/// A step in a report.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReportStep {
    /// As staff call it.
    pub title: String,
    /// Rows that were planned.
    pub total: i64,
    /// Rows that were done.
    pub done: i64,
    /// Ranges that were summed up, before and after, or pieces of a file that were recounted and are right.
    pub ranges: i64,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
}

/// The report of a run, for whoever files it.
///
/// # Errors
/// As [`get`].
pub async fn report(db: &Db, permit: &Permit<may::SeeRuns>, run: RunId) -> Result<Report, Problem> {
    let row = seen(db, permit, run).await?;
    let steps = db
        .all(
            "select s.title, s.total, s.done, s.began_at, s.ended_at,
               (select count(*) from utility_check c where c.run_id = s.run_id and c.step in (s.name, 'check_' || s.name)) as ranges
             from utility_step s
             where s.run_id = $1
             order by s.n",
            [run],
        )
        .await?;
    let events: Vec<EventRow> = db.all("select at, kind, text, actor from utility_event where run_id = $1 order by id", [run]).await?;
    Ok(Report { summary: row.summary, state: row.state, steps, events: events.into_iter().map(RunEvent::from).collect() })
}

/// A piece of what came of each record; `None` behind the last one.
///
/// # Errors
/// As [`get`]; `Forbidden` for who may not see personal data, where it names contacts by their numbers.
pub async fn result(db: &Db, member: &Member, run: RunId, piece: i64) -> Result<Option<String>, Problem> {
    let permit = member.permit::<may::SeeRuns>()?;
    seen(db, &permit, run).await?;
    let head = head(db, member, run).await?;
    let whole = if utility(head.utility)?.names_contacts() { Some(member.permit::<may::SeePersonalData>()?) } else { None };
    if let Some(whole) = &whole {
        super::launch::within_scope(db, &super::Leave::of(whole), &head).await?;
    }
    let found: Option<(String,)> = db.opt("select body from utility_output where run_id = $1 and n = $2", (run, piece)).await?;
    if let (Some(_), Some(whole)) = (&found, whole) {
        whole.saw(Seen::RunResult(head.account_id, head.line_id, run));
    }
    Ok(found.map(|(body,)| body))
}
