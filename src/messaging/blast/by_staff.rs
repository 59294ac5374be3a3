//! Blasts as staff see them: the list of an account or a line, one with its figures, and what staff decide about one.

use super::{Decision, decide_as_seen};
use crate::clock::Now;
use crate::db::{Db, Result, one_more};
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, BlastDetail, BlastId, BlastListRow, BlastState, Closed, Cursor, LineId, MessageState, Page, Problem, Timestamp,
};
use uuid::Uuid;

/// Of a larger blast only the first messages are counted.
const MOST_COUNTED: i64 = 20_000;

#[derive(sqlx::FromRow)]
struct Row {
    id: BlastId,
    line_id: LineId,
    line: String,
    account_id: AccountId,
    account: String,
    state: BlastState,
    unsent: bool,
    recipients: i64,
    recorded: i64,
    opted_out: i64,
    duplicates: i64,
    created_by: String,
    created_at: Timestamp,
    starts_at: Option<Timestamp>,
}

impl From<Row> for BlastListRow {
    fn from(row: Row) -> Self {
        BlastListRow {
            id: row.id,
            line_id: row.line_id,
            line: row.line,
            account_id: row.account_id,
            account: row.account,
            // Nobody counts down: it is sent when nothing of it is due any more.
            state: if row.state == BlastState::Sending && !row.unsent { BlastState::Sent } else { row.state },
            recipients: row.recipients,
            recorded: row.recorded,
            opted_out: row.opted_out,
            duplicates: row.duplicates,
            created_by: row.created_by,
            created_at: row.created_at,
            starts_at: row.starts_at,
        }
    }
}

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "with mine as materialized (select role_id from staff_scope_role where staff_id = $3 and permission = $4)
             select b.id, b.line_id, l.label as line, l.account_id, a.name as account, b.state, b.recipients, b.recorded, b.opted_out,
               b.duplicates, b.created_by, b.created_at, b.starts_at,
               b.state = 'sending'
                 and exists (select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at > 0) as unsent
             from blast b
             join line l on l.id = b.line_id
             join account a on a.id = l.account_id
             where b.id < $1
               and ($2 or exists (select 1 from mine join role_account s on s.role_id = mine.role_id where s.account_id = l.account_id limit 1 offset 0))
               and ((b.state = $6 and b.state <> 'sending')
                 or $6 is null
                 or (b.state = 'sending' and $6 in ('sending', 'sent')
                   and exists (select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at > 0) = ($6 = 'sending'))) ",
            $narrow,
            " order by b.id desc
             limit $5"
        )
    };
}

/// The blasts of an account or of a line, the newest first: all, or those that are so far. One that gets further while somebody pages
/// stands where it is on the pages that are read later, or is not on them.
///
/// # Errors
/// `Invalid` when neither is named.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    account: Option<AccountId>,
    line: Option<LineId>,
    state: Option<BlastState>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BlastListRow>, Problem> {
    let scope = permit.scope();
    let before = after.and_then(Cursor::key::<BlastId>).unwrap_or(BlastId(Uuid::max()));
    let most = one_more(limit);
    let rows: Vec<Row> = match (line, account) {
        (Some(line), _) => {
            db.all(list_sql!("and b.line_id = $7"), (before, scope.everywhere, scope.staff, scope.permission, most, state, line)).await?
        }
        (None, Some(account)) => {
            let moving: Vec<(LineId,)> =
                db.all("select id from line where account_id = $1 and transfer_id is not null order by id", [account]).await?;
            // While a line moves, its blasts are its new account's already, whether they have followed or not. Those that have not are
            // read first: one that follows meanwhile is found twice, not never.
            let mut rows: Vec<Row> = Vec::new();
            for (line,) in moving {
                let theirs: Vec<Row> = db
                    .all(
                        list_sql!("and b.line_id = $7 and b.account_id <> $8 and l.account_id = $8"),
                        (before, scope.everywhere, scope.staff, scope.permission, most, state, line, account),
                    )
                    .await?;
                rows.extend(theirs);
            }
            let own: Vec<Row> = db
                .all(
                    list_sql!("and b.account_id = $7 and l.account_id = $7"),
                    (before, scope.everywhere, scope.staff, scope.permission, most, state, account),
                )
                .await?;
            rows.extend(own);
            rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
            rows.dedup_by_key(|row| row.id);
            rows
        }
        (None, None) => return Err(Problem::invalid("account", "Choose an account or a line.")),
    };
    Ok(Page::of(rows, limit, |row| row.id).map(BlastListRow::from))
}

pub(super) fn no_such_blast() -> Problem {
    Problem::not_found("There is no such blast, or its line belongs to an account that you do not look after.")
}

/// A blast, whole, with what became of its messages.
///
/// # Errors
/// `NotFound` when it is not there or not within the permit's scope.
pub async fn shown(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, id: BlastId) -> Result<BlastDetail, Problem> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let behind = BlastId(Uuid::from_u128(id.0.as_u128().saturating_add(1)));
    let found: Option<Row> = db
        .opt(
            list_sql!("and b.line_id = $7 and b.id = $8"),
            (behind, scope.everywhere, scope.staff, scope.permission, 1_i64, None::<BlastState>, line, id),
        )
        .await?;
    let row: BlastListRow = found.ok_or_else(no_such_blast)?.into();
    let (body, version, closed_line, closed_account, sees): (String, i64, bool, bool, bool) = db
        .one(
            "select b.body, b.version, l.closed_at is not null, a.closed_at is not null,
               coalesce($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5), false)
             from blast b
             join line l on l.id = b.line_id
             join account a on a.id = l.account_id
             where b.line_id = $1 and b.id = $2",
            (line, id, sight.everywhere, scope.staff, sight.permission),
        )
        .await?;
    if sees {
        permit.saw(Seen::Blast(row.account_id, line, id));
    }
    let counts: Vec<(MessageState, i64)> = db
        .all(
            "select n.state, count(*) from (
               select state from message where line_id = $1 and blast_id = $2 order by id limit $3) n
             group by n.state",
            (line, id, MOST_COUNTED),
        )
        .await?;
    let of = |states: &[MessageState]| counts.iter().filter(|(state, _)| states.contains(state)).map(|(_, count)| count).sum();
    Ok(BlastDetail {
        row,
        body: sees.then_some(body),
        sent: of(&[MessageState::Accepted, MessageState::Delivered]),
        delivered: of(&[MessageState::Delivered]),
        failed: of(&[MessageState::Failed]),
        waiting: of(&[MessageState::Queued]),
        stopped: of(&[MessageState::OptedOut]),
        counted: counts.iter().map(|(_, count)| count).sum(),
        version,
        closed: Closed::of(closed_line, closed_account),
    })
}

/// Decides about a blast that has not started, as it was `seen` on this version: nobody resumes a text that they have not read.
///
/// # Errors
/// `NotFound` outside the permit's scope; `Conflict` when it has started, somebody has changed it since, or to resume one of a closed line
/// or account.
pub async fn decide_as_staff(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SendMessages>,
    (line, id): (LineId, BlastId),
    seen: i64,
    decision: Decision,
) -> Result<(), Problem> {
    let scope = permit.scope();
    db.work(async |tx| {
        let owner: Option<(AccountId, bool)> = tx
            .opt(
                "select l.account_id, l.closed_at is not null or a.closed_at is not null
                 from line l
                 join account a on a.id = l.account_id
                 where l.id = $1
                   and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
                (line, scope.everywhere, scope.staff, scope.permission),
            )
            .await?;
        let (account, is_closed) = owner.ok_or_else(no_such_blast)?;
        if is_closed && decision == Decision::Resume {
            return Err(Problem::conflict("The line is closed, or its account is. Reopen it first."));
        }
        decide_as_seen(tx, now, permit.actor(), account, (line, id), Some(seen), decision).await
    })
    .await
}
