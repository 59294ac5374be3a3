//! What of sync needs a person: conversations whose deliveries fail, the oldest first.

use super::view::{reason, state};
use crate::db::{Db, Result};
use crate::home::most_read;
use crate::staff::{Permit, Seen, may};
use crate::types::{AccountId, ConversationId, Counted, IntegrationType, LineId, PhoneNumber, ShownNumber, SyncRow, Timestamp, Trouble};

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    account: String,
    line: String,
    number: PhoneNumber,
    contact: Option<String>,
    integration_type: IntegrationType,
    held: i64,
    queued: i64,
    stalled_since: Option<Timestamp>,
    stalled_reason: Option<String>,
    changed_at: Timestamp,
    sees: bool,
}

/// Conversations that are stalled, counted up to a cap, and the oldest of them.
///
/// # Errors
/// What the database says.
pub(crate) async fn oldest_stalled(db: &Db, permit: &Permit<may::SeeMessages>, named: usize) -> Result<Counted<SyncRow>> {
    let (scope, sight) = (permit.scope(), permit.sight());
    let rows: Vec<Row> = db
        .all(
            "select n.line_id, n.conversation_id, n.account_id, a.name as account, l.label as line, c.number, k.name as contact,
               l.integration_type, n.held, n.queued, n.stalled_since, n.stalled_reason, n.changed_at,
               coalesce($5 or n.account_id in
                 (select account_id from staff_scope where staff_id = $3 and permission = $6), false) as sees
             from (select line_id, conversation_id, account_id, held, queued, stalled_since, stalled_reason, changed_at
                   from lane
                   where trouble = $1 and trouble > 0
                     and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))
                   order by changed_at, line_id, conversation_id
                   limit $7) n
             join conversation c on c.line_id = n.line_id and c.id = n.conversation_id
             join line l on l.id = n.line_id
             join account a on a.id = n.account_id
             left join contact k on k.account_id = n.account_id and k.number = c.number
             order by n.changed_at, n.line_id, n.conversation_id",
            (Trouble::Stalled.rank(), scope.everywhere, scope.staff, scope.permission, sight.everywhere, sight.permission, most_read()),
        )
        .await?;
    let counted = Counted::of(rows, named);
    if counted.oldest.iter().any(|row| row.sees) {
        permit.saw(Seen::SyncList(None, None));
    }
    let shown = |row: Row| SyncRow {
        line_id: row.line_id,
        conversation_id: row.conversation_id,
        account_id: row.account_id,
        account: row.account,
        line: row.line,
        number: ShownNumber::of(row.number, row.sees),
        contact: row.contact.filter(|_| row.sees),
        sync: state(row.integration_type, Some(row.held), Some(row.queued), row.stalled_since, reason(row.stalled_reason, row.sees)),
        changed_at: row.changed_at,
    };
    Ok(Counted { count: counted.count, is_more: counted.is_more, oldest: counted.oldest.into_iter().map(shown).collect() })
}
