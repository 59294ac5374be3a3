//! What of conversations waits for RingCentral, counted for who would skip it at once: what is held, and what of ours is queued. What the
//! contact wrote, and what a call is under way for, is counted beside it: it is left alone.

use crate::db::{Db, Result, json};
use crate::staff::{Permit, Scope, may};
use crate::types::{ConversationId, LineId, MessageId, Skippable};
use std::collections::HashMap;

/// Conversations that are looked at in one statement.
const LANES: usize = 500;

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    /// The newest of those that would be skipped, if there are any.
    message_id: MessageId,
    held: i64,
    queued: i64,
    under_way: i64,
    inbound: i64,
}

/// One row for each conversation in which something waits.
const WAITING: &str = "select w.line_id, w.conversation_id, w.message_id, w.held, w.queued, w.under_way, w.inbound
     from (select k.line_id, k.conversation_id, k.message_id,
             count(case when k.fate = 'held' then 1 end) over (partition by k.line_id, k.conversation_id) as held,
             count(case when k.fate = 'queued' then 1 end) over (partition by k.line_id, k.conversation_id) as queued,
             count(case when k.fate = 'under_way' then 1 end) over (partition by k.line_id, k.conversation_id) as under_way,
             count(case when k.fate = 'inbound' then 1 end) over (partition by k.line_id, k.conversation_id) as inbound,
             row_number() over (
               partition by k.line_id, k.conversation_id
               order by case when k.fate in ('held', 'queued') then 0 else 1 end, k.message_id desc) as place
           from (select e.line_id, e.conversation_id, e.message_id, 'held' as fate
                 from json_each($1) j
                 join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.conversation_id = unhex(j.value->>1, '-')
                 where e.state = 'held'
                 union all
                 select e.line_id, e.conversation_id, e.message_id,
                   case when e.inbound then 'inbound' when e.intent_id is not null then 'under_way' else 'queued' end as fate
                 from json_each($1) j
                 join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.conversation_id = unhex(j.value->>1, '-')
                 where e.state = 'queued') k) w
     join line l on l.id = w.line_id
     where w.place = 1 and ($2 or l.account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))";

/// What waits in these conversations, within the scope; those in which nothing waits are not among them.
///
/// # Errors
/// What the database says.
pub(crate) async fn of_lanes(
    db: &Db,
    scope: Scope,
    lanes: &[(LineId, ConversationId)],
) -> Result<HashMap<(LineId, ConversationId), Skippable>> {
    let mut found = HashMap::with_capacity(lanes.len());
    for some in lanes.chunks(LANES) {
        let rows: Vec<Row> = db.all(WAITING, (json(some), scope.everywhere, scope.staff, scope.permission)).await?;
        found.extend(rows.into_iter().map(|row| {
            let Row { held, queued, under_way, inbound, .. } = row;
            let count = held + queued;
            let version = if count == 0 { 0 } else { Skippable::version_of(held, queued, row.message_id) };
            ((row.line_id, row.conversation_id), Skippable { held, queued, under_way, inbound, version })
        }));
    }
    Ok(found)
}

/// What waits in a conversation.
///
/// # Errors
/// What the database says.
pub async fn waiting(db: &Db, permit: &Permit<may::SeeMessages>, line: LineId, conversation: ConversationId) -> Result<Skippable> {
    let found = of_lanes(db, permit.scope(), &[(line, conversation)]).await?;
    Ok(found.into_values().next().unwrap_or_default())
}
