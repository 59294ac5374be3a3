//! What a bulk change looks at of conversations whose deliveries are to be tried again, each with why it is left out. It names no contact.

use super::staff_acts::NOTHING_WAITS;
use crate::db::{Db, one_more};
use crate::staff::Scope;
use crate::types::{AccountId, BulkFilter, BulkRow, BulkWhich, ConversationId, Cursor, LineId, Page, Problem, Timestamp, Trouble};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    line: String,
    account: String,
    queued: i64,
    changed_at: Timestamp,
}

impl From<Row> for BulkRow {
    fn from(row: Row) -> Self {
        BulkRow {
            key: format!("{}:{}", row.line_id, row.conversation_id),
            version: 0,
            account_id: row.account_id,
            name: row.line,
            about: row.account,
            href: format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id),
            refused: (row.queued == 0).then(|| NOTHING_WAITS.to_owned()),
        }
    }
}

macro_rules! row_sql {
    ($narrow:literal) => {
        concat!(
            "select n.line_id, n.conversation_id, n.account_id, l.label as line, a.name as account, n.queued, n.changed_at
             from lane n
             join line l on l.id = n.line_id
             join account a on a.id = l.account_id
             where ($1 or l.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3)) ",
            $narrow
        )
    };
}

/// A conversation by its key in a bulk change.
pub(crate) fn lane_of(key: &str) -> Option<(LineId, ConversationId)> {
    let (line, conversation) = key.split_once(':')?;
    Some((line.parse().ok()?, conversation.parse().ok()?))
}

/// Conversations that were chosen, or all that are stalled and match, the newest first.
///
/// # Errors
/// `NotFound` for a chosen one that is not there or out of scope.
pub(crate) async fn look(db: &Db, scope: Scope, which: &BulkWhich, after: Option<&Cursor>, limit: usize) -> Result<Page<BulkRow>, Problem> {
    let filter = match which {
        BulkWhich::Chosen(keys) => return chosen(db, scope, keys).await,
        BulkWhich::All(filter) => filter,
    };
    let BulkFilter { account, line, .. } = filter;
    let key = after.and_then(Cursor::key::<(Timestamp, LineId, ConversationId)>);
    let (changed_at, line_id, conversation) = key.unwrap_or((Timestamp(i64::MAX), LineId(Uuid::max()), ConversationId(Uuid::max())));
    let rows: Vec<Row> = db
        .all(
            row_sql!(
                "and n.trouble = $4 and n.trouble > 0 and (n.changed_at, n.line_id, n.conversation_id) < ($5, $6, $7)
                 and (n.account_id = $8 or $8 is null) and (n.line_id = $9 or $9 is null)
                 order by n.changed_at desc, n.line_id desc, n.conversation_id desc
                 limit $10"
            ),
            (
                scope.everywhere,
                scope.staff,
                scope.permission,
                Trouble::Stalled.rank(),
                changed_at,
                line_id,
                conversation,
                *account,
                *line,
                one_more(limit),
            ),
        )
        .await?;
    Ok(Page::of(rows, limit, |row| (row.changed_at, row.line_id, row.conversation_id)).map(BulkRow::from))
}

async fn chosen(db: &Db, scope: Scope, keys: &[String]) -> Result<Page<BulkRow>, Problem> {
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let (line, conversation) = lane_of(key).ok_or_else(super::no_such_conversation)?;
        let found: Option<Row> = db
            .opt(
                row_sql!("and n.line_id = $4 and n.conversation_id = $5"),
                (scope.everywhere, scope.staff, scope.permission, line, conversation),
            )
            .await?;
        rows.push(found.ok_or_else(super::no_such_conversation)?.into());
    }
    Ok(Page { rows, next: None })
}
