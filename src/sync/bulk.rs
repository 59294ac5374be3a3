//! What a bulk change looks at of conversations whose deliveries are to be tried again, or of which is to be skipped what is held, each with
//! why it is left out. It names no contact.

use super::skip_held::{ALL_UNDER_WAY, NOTHING_TO_SKIP};
use super::staff_acts::NOTHING_WAITS;
use super::waiting::of_lanes;
use crate::db::{Db, one_more};
use crate::staff::Scope;
use crate::types::{
    AccountId, BulkFilter, BulkRow, BulkWhich, ConversationId, Cursor, LineId, Page, Problem, Skippable, Timestamp, Trouble,
};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct Row {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    line: String,
    account: String,
    queued: i64,
    trouble: i64,
    changed_at: Timestamp,
}

impl Row {
    fn lane(&self) -> (LineId, ConversationId) {
        (self.line_id, self.conversation_id)
    }

    /// As one whose deliveries are to be tried again.
    fn into_retry(self) -> BulkRow {
        let refused = (self.queued == 0).then(|| NOTHING_WAITS.to_owned());
        self.of(0, refused, None)
    }

    /// As one of which is to be skipped what waits.
    fn into_skip(self, waiting: Skippable) -> BulkRow {
        let why = if waiting.under_way > 0 { ALL_UNDER_WAY } else { NOTHING_TO_SKIP };
        let refused = (waiting.messages() == 0).then(|| why.to_owned());
        self.of(waiting.version, refused, Some(waiting.messages()))
    }

    fn of(self, version: i64, refused: Option<String>, messages: Option<i64>) -> BulkRow {
        BulkRow {
            key: format!("{}:{}", self.line_id, self.conversation_id),
            version,
            account_id: self.account_id,
            name: self.line,
            about: self.account,
            href: format!("/lines/{}/conversations/{}", self.line_id, self.conversation_id),
            refused,
            messages,
            lines: None,
        }
    }
}

macro_rules! row_sql {
    ($narrow:literal) => {
        concat!(
            "select n.line_id, n.conversation_id, n.account_id, l.label as line, a.name as account, n.queued, n.trouble,
               n.changed_at
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
        BulkWhich::Chosen(keys) => {
            let rows = chosen(db, scope, keys).await?.into_iter().map(Row::into_retry).collect();
            return Ok(Page { rows, next: None });
        }
        // Others in the list are not tried at all.
        BulkWhich::All(BulkFilter { trouble: Some(Trouble::Held | Trouble::Delivering), .. }) => {
            return Ok(Page { rows: Vec::new(), next: None });
        }
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
    Ok(Page::of(rows, limit, |row| (row.changed_at, row.line_id, row.conversation_id)).map(Row::into_retry))
}

/// Conversations of which is to be skipped what waits: those that were chosen, or all in trouble that match, as the Sync list has them. Each
/// says how many messages it is about, and its version is that of what would be skipped.
///
/// # Errors
/// `NotFound` for a chosen one that is not there or out of scope.
pub(crate) async fn look_at_held(
    db: &Db,
    scope: Scope,
    which: &BulkWhich,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<BulkRow>, Problem> {
    type Key = (i64, Timestamp, LineId, ConversationId);
    let page = match which {
        BulkWhich::Chosen(keys) => Page { rows: chosen(db, scope, keys).await?, next: None },
        BulkWhich::All(BulkFilter { account, line, trouble, .. }) => {
            let (lowest, highest) = (trouble.map_or(1, Trouble::rank), trouble.map_or(i64::MAX, Trouble::rank));
            let first: Key = (highest, Timestamp(i64::MAX), LineId(Uuid::max()), ConversationId(Uuid::max()));
            let start = after.and_then(Cursor::key::<Key>).unwrap_or(first);
            let most = one_more(limit);
            // One text for each way of narrowing, so that each walks an index: very much may be held.
            let rows: Vec<Row> = match (*line, *account) {
                (None, None) => {
                    db.all(
                        row_sql!(
                            "and n.trouble > 0 and (n.trouble, n.changed_at, n.line_id, n.conversation_id) < ($4, $5, $6, $7)
                             and n.trouble >= $8
                             order by n.trouble desc, n.changed_at desc, n.line_id desc, n.conversation_id desc
                             limit $9"
                        ),
                        (scope.everywhere, scope.staff, scope.permission, start.0, start.1, start.2, start.3, lowest, most),
                    )
                    .await?
                }
                (None, Some(account)) => {
                    db.all(
                        row_sql!(
                            "and n.trouble > 0 and (n.trouble, n.changed_at, n.line_id, n.conversation_id) < ($4, $5, $6, $7)
                             and n.trouble >= $8 and n.account_id = $10
                             order by n.trouble desc, n.changed_at desc, n.line_id desc, n.conversation_id desc
                             limit $9"
                        ),
                        (scope.everywhere, scope.staff, scope.permission, start.0, start.1, start.2, start.3, lowest, most, account),
                    )
                    .await?
                }
                (Some(line), None) => {
                    db.all(
                        row_sql!(
                            "and n.trouble > 0 and (n.trouble, n.changed_at, n.line_id, n.conversation_id) < ($4, $5, $6, $7)
                             and n.trouble >= $8 and n.line_id = $10
                             order by n.trouble desc, n.changed_at desc, n.line_id desc, n.conversation_id desc
                             limit $9"
                        ),
                        (scope.everywhere, scope.staff, scope.permission, start.0, start.1, start.2, start.3, lowest, most, line),
                    )
                    .await?
                }
                (Some(line), Some(account)) => {
                    db.all(
                        row_sql!(
                            "and n.trouble > 0 and (n.trouble, n.changed_at, n.line_id, n.conversation_id) < ($4, $5, $6, $7)
                             and n.trouble >= $8 and n.line_id = $10 and n.account_id = $11
                             order by n.trouble desc, n.changed_at desc, n.line_id desc, n.conversation_id desc
                             limit $9"
                        ),
                        (scope.everywhere, scope.staff, scope.permission, start.0, start.1, start.2, start.3, lowest, most, line, account),
                    )
                    .await?
                }
            };
            Page::of(rows, limit, |row| (row.trouble, row.changed_at, row.line_id, row.conversation_id))
        }
    };
    let lanes: Vec<_> = page.rows.iter().map(Row::lane).collect();
    let mut waiting = of_lanes(db, scope, &lanes).await?;
    Ok(page.map(|row| {
        let of_it = waiting.remove(&row.lane()).unwrap_or_default();
        row.into_skip(of_it)
    }))
}

async fn chosen(db: &Db, scope: Scope, keys: &[String]) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let (line, conversation) = lane_of(key).ok_or_else(super::no_such_conversation)?;
        let found: Option<Row> = db
            .opt(
                row_sql!("and n.line_id = $4 and n.conversation_id = $5"),
                (scope.everywhere, scope.staff, scope.permission, line, conversation),
            )
            .await?;
        rows.push(found.ok_or_else(super::no_such_conversation)?);
    }
    Ok(rows)
}
