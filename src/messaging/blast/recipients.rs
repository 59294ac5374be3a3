//! Whom a blast went to, and what became of it for each, in the order in which its messages were recorded.
//!
//! The rule: a page walks the blast's own index and costs the same wherever it stands. What is narrowed looks through so many messages at a
//! time and says where the next look begins, so that no index is kept for what few people ask.

use super::by_staff::no_such_blast;
use crate::db::{Db, Result, one_more};
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, BlastId, BlastRecipient, ConversationId, Cursor, LineId, MessageId, MessageState, Page, PhoneNumber, Problem, ShownNumber,
    Timestamp, without_numbers,
};
use uuid::Uuid;

/// So many messages a narrowed page looks through.
const LOOKED_THROUGH: i64 = 20_000;

#[derive(sqlx::FromRow)]
struct Row {
    id: MessageId,
    conversation_id: Option<ConversationId>,
    number: PhoneNumber,
    state: MessageState,
    error: Option<String>,
    created_at: Timestamp,
    accepted_at: Option<Timestamp>,
    account_id: AccountId,
    sees: bool,
}

impl From<Row> for BlastRecipient {
    fn from(row: Row) -> Self {
        BlastRecipient {
            message: row.id,
            number: ShownNumber::of(row.number, row.sees),
            state: row.state,
            error: if row.sees { row.error } else { row.error.as_deref().map(without_numbers) },
            at: row.accepted_at.unwrap_or(row.created_at),
            conversation: row.conversation_id,
        }
    }
}

/// What became of a blast for each number, of all or of those whose SMS is so far. A page that is narrowed may have fewer rows than asked
/// for, or none, and a next one all the same.
///
/// # Errors
/// `NotFound` when the blast is not there or not within the permit's scope.
pub async fn recipients(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    (line, id): (LineId, BlastId),
    state: Option<MessageState>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BlastRecipient>, Problem> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let start = after.and_then(Cursor::key::<MessageId>).unwrap_or(MessageId(Uuid::nil()));
    let most = if state.is_none() { one_more(limit) } else { LOOKED_THROUGH.max(one_more(limit)) };
    let mut rows: Vec<Row> = db
        .all(
            "select m.id, m.conversation_id, m.number, m.state, m.error, m.created_at, m.accepted_at, l.account_id,
               coalesce($6 or l.account_id in
                 (select account_id from staff_scope where staff_id = $7 and permission = $9), false) as sees
             from (select line_id, id, conversation_id, number, state, error, created_at, accepted_at
                   from message
                   where line_id = $1 and blast_id = $2 and id > $3
                   order by id
                   limit $4) m
             join line l on l.id = m.line_id
             where ($5 or l.account_id in (select account_id from staff_scope where staff_id = $7 and permission = $8))
               and (m.state = $10 or $10 is null)
             order by m.id
             limit $11",
            (
                line,
                id,
                start,
                most,
                scope.everywhere,
                sight.everywhere,
                scope.staff,
                scope.permission,
                sight.permission,
                state,
                one_more(limit),
            ),
        )
        .await?;
    if rows.is_empty() {
        is_there(db, permit, line, id).await?;
    }
    if let Some(row) = rows.first().filter(|row| row.sees) {
        permit.saw(Seen::Blast(row.account_id, line, id));
    }
    let is_full = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last().map(|row| row.id) {
        last if is_full => last,
        _ if state.is_none() => None,
        _ => not_looked_through(db, line, id, start, most).await?,
    };
    Ok(Page { rows: rows.into_iter().map(BlastRecipient::from).collect(), next: next.map(|next| Cursor::at(&next)) })
}

/// That the blast is there, within the permit's scope.
async fn is_there(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, id: BlastId) -> Result<(), Problem> {
    let scope = permit.scope();
    let found: Option<(BlastId,)> = db
        .opt(
            "select b.id
             from blast b
             join line l on l.id = b.line_id
             where b.line_id = $1 and b.id = $2
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))",
            (line, id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.map(|_| ()).ok_or_else(no_such_blast)
}

/// The last message that a narrowed page has looked at, if there are more behind it.
async fn not_looked_through(db: &Db, line: LineId, id: BlastId, start: MessageId, looked: i64) -> Result<Option<MessageId>> {
    let around: Vec<(MessageId,)> = db
        .all(
            "select id from message where line_id = $1 and blast_id = $2 and id > $3 order by id limit 2 offset $4",
            (line, id, start, looked - 1),
        )
        .await?;
    Ok(match around[..] {
        [(last,), _] => Some(last),
        _ => None,
    })
}
