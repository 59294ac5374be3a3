//! One conversation's messages: page by page in either direction, narrowed, or from a date on.
//!
//! The rule: each page reads a bounded part of the conversation along its index. What is narrowed looks through so many messages at a
//! time and says where the next look begins, so that no index is kept for what few people ask.

use super::view::reason;
use crate::clock::first_id_at;
use crate::db::{Db, Result, one_more};
use crate::messaging::timeline::{media, others};
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, AgentOutcome, BlastId, ConversationId, Cursor, Direction, EntryState, LineId, MessageId, MessageState, Origin, Page,
    Stretch, TimelineFilter, TimelineFrom, TimelineRow, Timestamp, UnsentPost, Untold, Writer, Written,
};
use uuid::Uuid;

/// So many messages a narrowed page looks through.
const LOOKED_THROUGH: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct TimelineSql {
    id: MessageId,
    account_id: AccountId,
    sees: bool,
    direction: Direction,
    origin: Option<Origin>,
    body: String,
    removed_after: Option<i64>,
    media: Option<String>,
    others: Option<String>,
    state: MessageState,
    error: Option<String>,
    created_at: Timestamp,
    carrier_at: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    entry: Option<EntryState>,
    seq: Option<i64>,
    post_id: Option<String>,
    reference: Option<String>,
    posted_at: Option<Timestamp>,
    echoed_at: Option<Timestamp>,
    edited_at: Option<Timestamp>,
    removed_at: Option<Timestamp>,
    reason: Option<String>,
    blast_id: Option<BlastId>,
}

impl From<TimelineSql> for TimelineRow {
    fn from(row: TimelineSql) -> Self {
        TimelineRow {
            id: row.id,
            direction: row.direction,
            origin: row.origin,
            written: match row.removed_after {
                Some(after_days) => Written::Removed { after_days },
                None => Written::of(row.body, media(row.media.as_deref()), others(row.others.as_deref()), row.sees),
            },
            state: row.state,
            error: reason(row.error, row.sees),
            created_at: row.created_at,
            sent_at: row.carrier_at,
            accepted_at: row.accepted_at,
            entry: row.entry,
            seq: row.seq,
            post_id: row.post_id,
            reference: row.reference,
            posted_at: row.posted_at,
            echoed_at: row.echoed_at,
            edited_at: row.edited_at,
            removed_at: row.removed_at,
            reason: reason(row.reason, row.sees),
            blast: row.blast_id,
        }
    }
}

macro_rules! list_sql {
    ($part:literal) => {
        concat!(
            "select m.id, m.direction, m.origin, m.body, m.media, m.others, m.state, m.error, m.created_at, m.carrier_at,
               m.accepted_at, e.state as entry, e.seq, e.post_id, i.reference, e.posted_at, i.echoed_at, p.edited_at, p.removed_at,
               e.reason, l.account_id, m.removed_after, m.blast_id,
               coalesce($8 or l.account_id in
                 (select account_id from staff_scope where staff_id = $5 and permission = $9), false) as sees
             from (select line_id, id, direction, origin, body, media, others, state, error, created_at, carrier_at, accepted_at,
                     removed_after, blast_id
                   from message
                   where line_id = $1 and conversation_id = $2 and ",
            $part,
            "      limit $10) m
             join line l on l.id = m.line_id
             left join sync_entry e on e.line_id = m.line_id and e.message_id = m.id
             left join intent i on i.line_id = e.line_id and i.id = e.intent_id
             left join agent_post p on p.line_id = e.line_id and p.post_id = e.post_id
             where ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
               and (case when m.direction = 'inbound' then 'contact' else m.origin end = $11 or $11 is null)
               and (m.state = $12 or $12 is null) and (e.state = $13 or $13 is null)
             order by case when $14 then m.id end, m.id desc
             limit $7"
        )
    };
}

/// Which part of a conversation is read.
#[derive(Clone, Copy)]
struct Part {
    line: LineId,
    id: ConversationId,
    start: MessageId,
    is_onward: bool,
    limit: usize,
}

impl Part {
    /// So many messages are read of the index at most.
    fn most(self, filter: &TimelineFilter) -> i64 {
        let limit = one_more(self.limit);
        if filter.is_all() { limit } else { limit.max(LOOKED_THROUGH) }
    }
}

/// The rows of a part, in the order of reading, and where the next part begins.
async fn read(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    part: Part,
    filter: &TimelineFilter,
) -> Result<(Vec<TimelineRow>, Option<MessageId>)> {
    let (scope, sight, most) = (permit.scope(), permit.sight(), part.most(filter));
    let args = (
        part.line,
        part.id,
        part.start,
        scope.everywhere,
        scope.staff,
        scope.permission,
        one_more(part.limit),
        sight.everywhere,
        sight.permission,
        most,
        filter.writer.map(Writer::as_str),
        filter.sms,
        filter.entry,
        part.is_onward,
    );
    let mut rows: Vec<TimelineSql> = if part.is_onward {
        db.all(list_sql!("id > $3 order by id "), args).await?
    } else {
        db.all(list_sql!("id < $3 order by id desc "), args).await?
    };
    if let Some(row) = rows.first().filter(|row| row.sees) {
        permit.saw(Seen::Conversation(row.account_id, part.line, part.id));
    }
    let is_full = rows.len() > part.limit;
    rows.truncate(part.limit);
    let next = match rows.last().map(|row| row.id) {
        last if is_full => last,
        _ if filter.is_all() => None,
        _ => not_looked_through(db, permit, part, most).await?,
    };
    Ok((rows.into_iter().map(TimelineRow::from).collect(), next))
}

/// The last message that a narrowed part has looked at, if there are more behind it.
async fn not_looked_through(db: &Db, permit: &Permit<may::SeeMessages>, part: Part, most: i64) -> Result<Option<MessageId>> {
    let key = (part.line, part.id, part.start, most);
    let last: Option<(MessageId,)> = if part.is_onward {
        db.opt(
            "select id from (select id from message where line_id = $1 and conversation_id = $2 and id > $3 order by id limit $4) looked
             order by id desc
             limit 1",
            key,
        )
        .await?
    } else {
        db.opt(
            "select id from (select id from message where line_id = $1 and conversation_id = $2 and id < $3 order by id desc limit $4) looked
             order by id
             limit 1",
            key,
        )
        .await?
    };
    match last {
        Some((last,)) if is_beyond(db, permit, Part { start: last, ..part }).await? => Ok(Some(last)),
        _ => Ok(None),
    }
}

/// Whether the conversation goes on beyond the part's start, within the permit's scope.
async fn is_beyond(db: &Db, permit: &Permit<may::SeeMessages>, part: Part) -> Result<bool> {
    let scope = permit.scope();
    let key = (part.line, part.id, part.start, scope.everywhere, scope.staff, scope.permission);
    let found: Option<(MessageId,)> = if part.is_onward {
        db.opt(
            "select m.id from message m
             join line l on l.id = m.line_id
             where m.line_id = $1 and m.conversation_id = $2 and m.id > $3
               and ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
             order by m.id
             limit 1",
            key,
        )
        .await?
    } else {
        db.opt(
            "select m.id from message m
             join line l on l.id = m.line_id
             where m.line_id = $1 and m.conversation_id = $2 and m.id < $3
               and ($4 or l.account_id in (select account_id from staff_scope where staff_id = $5 and permission = $6))
             order by m.id desc
             limit 1",
            key,
        )
        .await?
    };
    Ok(found.is_some())
}

/// A conversation's messages, the newest first. A page that is narrowed may have fewer rows than asked for, or none, and a next one all
/// the same.
///
/// # Errors
/// What the database says.
pub async fn timeline(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    (line, id): (LineId, ConversationId),
    filter: &TimelineFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<TimelineRow>> {
    let start = after.and_then(Cursor::key::<MessageId>).unwrap_or(MessageId(Uuid::max()));
    let (rows, next) = read(db, permit, Part { line, id, start, is_onward: false, limit }, filter).await?;
    Ok(Page { rows, next: next.map(|next| Cursor::at(&next)) })
}

/// A page of a conversation from somewhere on, narrowed, with the ways to older and newer messages.
///
/// # Errors
/// What the database says.
pub async fn stretch(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    (line, id): (LineId, ConversationId),
    filter: &TimelineFilter,
    from: &TimelineFrom,
    limit: usize,
) -> Result<Stretch> {
    let newest = MessageId(Uuid::max());
    let (start, is_onward) = match from {
        TimelineFrom::Newest => (newest, false),
        TimelineFrom::Before(cursor) => (cursor.key().unwrap_or(newest), false),
        TimelineFrom::After(cursor) => cursor.key().map_or((newest, false), |id| (id, true)),
        TimelineFrom::At(at) => (MessageId(first_id_at(*at)), true),
    };
    let part = Part { line, id, start, is_onward, limit };
    let (mut rows, next) = read(db, permit, part, filter).await?;
    // Where the page began, seen from behind.
    let back = match rows.first() {
        _ if start == newest => None,
        None if !is_onward => None,
        first => {
            let start = first.map_or(start, |row| row.id);
            is_beyond(db, permit, Part { start, is_onward: !is_onward, ..part }).await?.then_some(start)
        }
    };
    let [next, back] = [next, back].map(|id| id.map(|id| Cursor::at(&id)));
    if is_onward {
        rows.reverse();
        return Ok(Stretch { rows, older: back, newer: next });
    }
    Ok(Stretch { rows, older: next, newer: back })
}

/// What agents wrote in a conversation's chats and its contact did not get, the newest first, up to 20.
///
/// # Errors
/// What the database says.
pub async fn unsent_posts(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, id: ConversationId) -> Result<Vec<UnsentPost>> {
    let scope = permit.scope();
    let rows: Vec<(String, AgentOutcome, Timestamp)> = db
        .all(
            "select p.post_id, p.outcome, p.seen_at
             from agent_post p
             join line l on l.id = p.line_id
             where p.line_id = $1 and p.conversation_id = $2 and p.outcome <> 'sent'
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by p.seen_at desc
             limit 20",
            (line, id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(post_id, outcome, seen_at)| UnsentPost { post_id, outcome, seen_at }).collect())
}

/// What the agents of a conversation could not be told in its chats, the newest first, up to 20.
///
/// # Errors
/// What the database says.
pub async fn untold(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, id: ConversationId) -> Result<Vec<Untold>> {
    let scope = permit.scope();
    let rows: Vec<(String, Timestamp)> = db
        .all(
            "select n.body, n.given_up_at
             from chat c
             join notice n on n.line_id = c.line_id and n.connection_id = c.connection_id and n.chat_id = c.chat_id
             join line l on l.id = c.line_id
             where c.line_id = $1 and c.conversation_id = $2 and n.given_up_at is not null
               and ($3 or l.account_id in (select account_id from staff_scope where staff_id = $4 and permission = $5))
             order by n.given_up_at desc
             limit 20",
            (line, id, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    Ok(rows.into_iter().map(|(words, at)| Untold { words, at }).collect())
}
