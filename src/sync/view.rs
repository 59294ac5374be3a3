//! What staff see: the Sync list, one conversation's head. Only the columns that are shown, no counts over a
//! table, every page by keyset.

use crate::db::{Db, Result, json, one_more};
use crate::staff::{Permit, Scope, Seen, may};
use crate::types::{
    AccountId, ContactId, ConversationDetail, ConversationId, Cursor, IntegrationType, LineId, Page, PhoneNumber, Problem, ShownNumber,
    SyncCounts, SyncFilter, SyncRow, SyncState, Timestamp, Trouble, without_numbers,
};
use uuid::Uuid;

/// Counting stops here: a screen says “at least”.
const COUNT_CAP: i64 = 1_000;

/// A text from outside, for who `sees` personal data or does not.
pub(super) fn reason(text: Option<String>, sees: bool) -> Option<String> {
    if sees { text } else { text.as_deref().map(without_numbers) }
}

/// What a lane's columns say.
pub(super) fn state(
    kind: IntegrationType,
    held: Option<i64>,
    queued: Option<i64>,
    since: Option<Timestamp>,
    why: Option<String>,
) -> SyncState {
    let (held, queued) = (held.unwrap_or(0), queued.unwrap_or(0));
    match since {
        Some(since) if queued > 0 => SyncState::Stalled { since, why: why.unwrap_or_default() },
        _ if queued > 0 => SyncState::Delivering { count: queued },
        _ if kind != IntegrationType::Ringcentral => SyncState::NotConnected,
        _ if held > 0 => SyncState::Held { count: held },
        _ => SyncState::InSync,
    }
}

/// The entries of a line, counted for a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct LineCounts {
    /// Held.
    pub held: i64,
    /// Queued.
    pub queued: i64,
    /// Skipped.
    pub skipped: i64,
}

/// Counts a line's entries; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub async fn counts_of_line(db: &Db, line: LineId) -> Result<LineCounts> {
    db.one(
        "select cast(coalesce(sum(held), 0) as bigint) as held, cast(coalesce(sum(queued), 0) as bigint) as queued,
           (select count(*) from sync_entry e where e.line_id = $1 and e.state = 'skipped') as skipped
         from lane where line_id = $1",
        [line],
    )
    .await
}

/// How many messages of an account are held, and how many queued; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub async fn waiting_of_account(db: &Db, account: AccountId) -> Result<(i64, i64)> {
    db.one(
        "select cast(coalesce(sum(held), 0) as bigint), cast(coalesce(sum(queued), 0) as bigint)
         from lane where account_id = $1 and trouble > 0",
        [account],
    )
    .await
}

/// Lines that are looked at in one statement.
const LINES: usize = 500;

/// How many messages of these lines are held, and how many queued; for a preview, so it may take its time.
///
/// # Errors
/// What the database says.
pub(crate) async fn waiting_of_lines(db: &Db, lines: &[LineId]) -> Result<(i64, i64)> {
    let mut sum = (0, 0);
    for some in lines.chunks(LINES) {
        let (held, queued): (i64, i64) = db
            .one(
                "select cast(coalesce(sum(held), 0) as bigint), cast(coalesce(sum(queued), 0) as bigint)
                 from lane
                 where trouble > 0 and line_id in (select unhex(j.value->>0, '-') from json_each($1) j)",
                [json(&some.iter().map(|line| [line]).collect::<Vec<_>>())],
            )
            .await?;
        sum = (sum.0 + held, sum.1 + queued);
    }
    Ok(sum)
}

#[derive(sqlx::FromRow)]
struct ListRow {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    account: String,
    line: String,
    number: PhoneNumber,
    sees: bool,
    contact: Option<String>,
    integration_type: IntegrationType,
    held: i64,
    queued: i64,
    trouble: i64,
    stalled_since: Option<Timestamp>,
    stalled_reason: Option<String>,
    changed_at: Timestamp,
}

macro_rules! list_sql {
    ($narrow:literal) => {
        concat!(
            "select n.line_id, n.conversation_id, n.account_id, a.name as account, l.label as line, c.number, k.name as contact,
               l.integration_type, n.held, n.queued, n.trouble, n.stalled_since, n.stalled_reason, n.changed_at,
               coalesce($10 or n.account_id in
                 (select account_id from staff_scope where staff_id = $7 and permission = $11), false) as sees
             from (select line_id, conversation_id, account_id, held, queued, trouble, stalled_since, stalled_reason, changed_at
                   from lane
                   where trouble > 0 and (trouble, changed_at, line_id, conversation_id) < ($1, $2, $3, $4) and trouble >= $5
                     and ($6 or exists (
                       select 1 from staff_scope s where s.staff_id = $7 and s.permission = $8 and s.account_id = lane.account_id)) ",
            $narrow,
            "      order by trouble desc, changed_at desc, line_id desc, conversation_id desc
                   limit $9) n
             join conversation c on c.line_id = n.line_id and c.id = n.conversation_id
             join line l on l.id = n.line_id
             join account a on a.id = n.account_id
             left join contact k on k.account_id = n.account_id and k.number = c.number
             order by n.trouble desc, n.changed_at desc, n.line_id desc, n.conversation_id desc"
        )
    };
}

/// The same the other way round.
macro_rules! oldest_sql {
    ($narrow:literal) => {
        concat!(
            "select n.line_id, n.conversation_id, n.account_id, a.name as account, l.label as line, c.number, k.name as contact,
               l.integration_type, n.held, n.queued, n.trouble, n.stalled_since, n.stalled_reason, n.changed_at,
               coalesce($10 or n.account_id in
                 (select account_id from staff_scope where staff_id = $7 and permission = $11), false) as sees
             from (select line_id, conversation_id, account_id, held, queued, trouble, stalled_since, stalled_reason, changed_at
                   from lane
                   where trouble > 0 and (trouble, changed_at, line_id, conversation_id) > ($1, $2, $3, $4) and trouble <= $5
                     and ($6 or exists (
                       select 1 from staff_scope s where s.staff_id = $7 and s.permission = $8 and s.account_id = lane.account_id)) ",
            $narrow,
            "      order by trouble, changed_at, line_id, conversation_id
                   limit $9) n
             join conversation c on c.line_id = n.line_id and c.id = n.conversation_id
             join line l on l.id = n.line_id
             join account a on a.id = n.account_id
             left join contact k on k.account_id = n.account_id and k.number = c.number
             order by n.trouble, n.changed_at, n.line_id, n.conversation_id"
        )
    };
}

/// Conversations that are not in sync, the worst and newest first, or the other way round.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    filter: &SyncFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<SyncRow>> {
    type Key = (i64, Timestamp, LineId, ConversationId);
    let scope: Scope = permit.scope();
    let highest = filter.trouble.map_or(i64::MAX, Trouble::rank);
    let lowest = filter.trouble.map_or(1, Trouble::rank);
    let (first, beyond): (Key, i64) = if filter.oldest_first {
        ((lowest, Timestamp(i64::MIN), LineId(Uuid::nil()), ConversationId(Uuid::nil())), highest)
    } else {
        ((highest, Timestamp(i64::MAX), LineId(Uuid::max()), ConversationId(Uuid::max())), lowest)
    };
    let start = after.and_then(Cursor::key::<Key>).filter(|key| (lowest..=highest).contains(&key.0)).unwrap_or(first);
    let most = one_more(limit);
    let common = (
        start.0,
        start.1,
        start.2,
        start.3,
        beyond,
        scope.everywhere,
        scope.staff,
        scope.permission,
        most,
        permit.sight().everywhere,
        permit.sight().permission,
    );
    let (a, b, c, d, e, f, g, h, i, j, k) = common;
    // One text for each way of narrowing, so that each walks an index of its own.
    let rows: Vec<ListRow> = match (filter.line, filter.account, filter.oldest_first) {
        (Some(line), Some(account), false) => {
            db.all(list_sql!("and line_id = $12 and account_id = $13 "), (a, b, c, d, e, f, g, h, i, j, k, line, account)).await?
        }
        (Some(line), None, false) => db.all(list_sql!("and line_id = $12 "), (a, b, c, d, e, f, g, h, i, j, k, line)).await?,
        (None, Some(account), false) => db.all(list_sql!("and account_id = $12 "), (a, b, c, d, e, f, g, h, i, j, k, account)).await?,
        (None, None, false) => db.all(list_sql!(""), common).await?,
        (Some(line), Some(account), true) => {
            db.all(oldest_sql!("and line_id = $12 and account_id = $13 "), (a, b, c, d, e, f, g, h, i, j, k, line, account)).await?
        }
        (Some(line), None, true) => db.all(oldest_sql!("and line_id = $12 "), (a, b, c, d, e, f, g, h, i, j, k, line)).await?,
        (None, Some(account), true) => db.all(oldest_sql!("and account_id = $12 "), (a, b, c, d, e, f, g, h, i, j, k, account)).await?,
        (None, None, true) => db.all(oldest_sql!(""), common).await?,
    };
    let page = Page::of(rows, limit, |row| (row.trouble, row.changed_at, row.line_id, row.conversation_id));
    if let Some(row) = page.rows.iter().find(|row| row.sees) {
        permit.saw(Seen::SyncList(filter.account.or(filter.line.map(|_| row.account_id)), filter.line));
    }
    Ok(page.map(|row| SyncRow {
        line_id: row.line_id,
        conversation_id: row.conversation_id,
        account_id: row.account_id,
        account: row.account,
        line: row.line,
        number: ShownNumber::of(row.number, row.sees),
        contact: row.contact.filter(|_| row.sees),
        sync: state(row.integration_type, Some(row.held), Some(row.queued), row.stalled_since, reason(row.stalled_reason, row.sees)),
        changed_at: row.changed_at,
    }))
}

/// How many conversations are in each kind of trouble, up to a cap.
///
/// # Errors
/// What the database says.
pub async fn counts(db: &Db, permit: &Permit<may::SeeMessages>) -> Result<SyncCounts> {
    let scope = permit.scope();
    let mut counts = SyncCounts { cap: COUNT_CAP, ..SyncCounts::default() };
    for (trouble, count) in
        [(Trouble::Held, &mut counts.held), (Trouble::Delivering, &mut counts.delivering), (Trouble::Stalled, &mut counts.stalled)]
    {
        (*count,) = db
            .one(
                "select count(*) from (
                   select 1 from lane
                   where trouble = $1 and trouble > 0
                     and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
                   limit $5) n",
                (trouble.rank(), scope.everywhere, scope.staff, scope.permission, COUNT_CAP),
            )
            .await?;
    }
    Ok(counts)
}

/// What waits, for the metrics.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct Backlog {
    /// Messages held.
    pub held: i64,
    /// Messages queued.
    pub queued: i64,
    /// Lanes that are stalled.
    pub stalled: i64,
    /// Since when the lane that has waited longest has been due.
    pub due_since: Option<Timestamp>,
}

/// Sums up what waits; it reads every lane that is not in sync, so it is for once in a while.
///
/// # Errors
/// What the database says.
pub async fn backlog(db: &Db) -> Result<Backlog> {
    db.one(
        "select cast(coalesce(sum(held), 0) as bigint) as held, cast(coalesce(sum(queued), 0) as bigint) as queued,
           count(stalled_since) as stalled, (select min(due_at) from lane where due_at is not null) as due_since
         from lane where trouble > 0",
        (),
    )
    .await
}

#[derive(sqlx::FromRow)]
struct Head {
    line: String,
    line_number: PhoneNumber,
    account_id: AccountId,
    account: String,
    number: PhoneNumber,
    sees: bool,
    contact: Option<String>,
    contact_id: Option<ContactId>,
    opted_out: bool,
    integration_type: IntegrationType,
    held: Option<i64>,
    queued: Option<i64>,
    stalled_since: Option<Timestamp>,
    stalled_reason: Option<String>,
    chat_id: Option<String>,
    due_at: Option<Timestamp>,
}

/// A conversation's head.
///
/// # Errors
/// `NotFound` when it is not there or not within the permit's scope.
pub async fn find_conversation(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    line: LineId,
    id: ConversationId,
) -> Result<ConversationDetail, Problem> {
    let scope = permit.scope();
    let head: Option<Head> = db
        .opt(
            "select l.label as line, l.number as line_number, l.account_id, a.name as account, c.number, k.name as contact,
               k.id as contact_id, coalesce(o.state = 'opted_out', false) as opted_out, l.integration_type, n.held, n.queued, n.stalled_since,
               n.stalled_reason, n.chat_id, n.due_at,
               coalesce($6 or l.account_id in
                 (select account_id from staff_scope where staff_id = $4 and permission = $7), false) as sees
             from conversation c
             join line l on l.id = c.line_id
             join account a on a.id = l.account_id
             left join lane n on n.line_id = c.line_id and n.conversation_id = c.id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             left join consent o on o.line_id = c.line_id and o.number = c.number
             where c.line_id = $1 and c.id = $2
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))",
            (line, id, scope.everywhere, scope.staff, scope.permission, permit.sight().everywhere, permit.sight().permission),
        )
        .await?;
    let head = head.ok_or_else(super::no_such_conversation)?;
    if head.sees {
        permit.saw(Seen::Conversation(head.account_id, line, id));
    }
    Ok(ConversationDetail {
        line_id: line,
        line: head.line,
        line_number: head.line_number,
        account_id: head.account_id,
        account: head.account,
        number: ShownNumber::of(head.number, head.sees),
        contact: head.contact.filter(|_| head.sees),
        contact_id: head.contact_id,
        integration_type: head.integration_type,
        opted_out: head.opted_out,
        sync: state(head.integration_type, head.held, head.queued, head.stalled_since, reason(head.stalled_reason, head.sees)),
        chat_id: head.chat_id,
        due_at: head.due_at,
    })
}
