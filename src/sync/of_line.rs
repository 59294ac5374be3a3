//! A line's conversations: in the order of their newest messages, or, where they are narrowed to what is not in sync, of the changes in it.
//!
//! The rule: each way of narrowing has a text of its own, so that each walks an index: of a line's very many conversations only a page is
//! read. A line has one account, so that its reader's scope leaves all of them or none.

use super::find::kept;
use super::view::{reason, state};
use crate::clock::Now;
use crate::db::{Db, Result, one_more};
use crate::staff::{Permit, Seen, may};
use crate::types::{
    AccountId, ConversationFilter, ConversationId, ConversationRow, Cursor, IntegrationType, LineId, Page, PhoneNumber, Problem,
    ShownNumber, Timestamp, Trouble,
};
use uuid::Uuid;

#[derive(sqlx::FromRow)]
struct Row {
    id: ConversationId,
    account_id: AccountId,
    number: PhoneNumber,
    sees: bool,
    contact: Option<String>,
    last_at: Timestamp,
    integration_type: IntegrationType,
    held: Option<i64>,
    queued: Option<i64>,
    stalled_since: Option<Timestamp>,
    stalled_reason: Option<String>,
    chat_id: Option<String>,
    changed_at: Option<Timestamp>,
    /// What the list is sorted by.
    at: Timestamp,
}

/// Conversations of a line, the newest first: those that a text finds, with what they are sorted by.
macro_rules! list_sql {
    ($some:literal) => {
        concat!(
            "select c.id, l.account_id, c.number, k.name as contact, c.last_at, l.integration_type, n.held, n.queued, n.stalled_since,
               n.stalled_reason, n.chat_id, n.changed_at, s.at,
               coalesce($4 or l.account_id in
                 (select account_id from staff_scope where staff_id = $2 and permission = $5), false) as sees
             from (",
            $some,
            ") s
             join conversation c on c.line_id = s.line_id and c.id = s.id
             join line l on l.id = s.line_id
             left join lane n on n.line_id = s.line_id and n.conversation_id = s.id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             where $1 or l.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3)
             order by s.at desc, s.id desc"
        )
    };
}

/// The same the other way round.
macro_rules! oldest_sql {
    ($some:literal) => {
        concat!(
            "select c.id, l.account_id, c.number, k.name as contact, c.last_at, l.integration_type, n.held, n.queued, n.stalled_since,
               n.stalled_reason, n.chat_id, n.changed_at, s.at,
               coalesce($4 or l.account_id in
                 (select account_id from staff_scope where staff_id = $2 and permission = $5), false) as sees
             from (",
            $some,
            ") s
             join conversation c on c.line_id = s.line_id and c.id = s.id
             join line l on l.id = s.line_id
             left join lane n on n.line_id = s.line_id and n.conversation_id = s.id
             left join contact k on k.account_id = l.account_id and k.number = c.number
             where $1 or l.account_id in (select account_id from staff_scope where staff_id = $2 and permission = $3)
             order by s.at, s.id"
        )
    };
}

/// A line's conversations, the newest first.
///
/// # Errors
/// What the database says.
pub async fn conversations_of_line(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    line: LineId,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConversationRow>> {
    read(db, permit, line, ConversationFilter::default(), None, after, limit).await
}

/// The same, narrowed and sorted. What a search found stands on one page, whatever `limit` says: it is never more than that search finds.
///
/// # Errors
/// `NotFound` when the search that it is narrowed to was an hour ago, or somebody else's.
pub async fn conversations_narrowed(
    db: &Db,
    now: &Now,
    permit: &Permit<may::SeeMessages>,
    line: LineId,
    filter: ConversationFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConversationRow>, Problem> {
    let found = match filter.found {
        Some(search) => Some(kept(db, now, permit, search).await?),
        None => None,
    };
    Ok(read(db, permit, line, filter, found, after, limit).await?)
}

async fn read(
    db: &Db,
    permit: &Permit<may::SeeMessages>,
    line: LineId,
    filter: ConversationFilter,
    found: Option<String>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<ConversationRow>> {
    type Key = (Timestamp, ConversationId);
    let (scope, sight) = (permit.scope(), permit.sight());
    let first: Key = if filter.oldest_first {
        (Timestamp(i64::MIN), ConversationId(Uuid::nil()))
    } else {
        (Timestamp(i64::MAX), ConversationId(Uuid::max()))
    };
    let (at, id) = after.and_then(Cursor::key::<Key>).unwrap_or(first);
    let (everywhere, staff, word, sees) = (scope.everywhere, scope.staff, scope.permission, sight.everywhere);
    let (most, is_found, rank) = (one_more(limit), found.is_some(), filter.trouble.map(Trouble::rank));
    let rows: Vec<Row> = match (found, rank, filter.oldest_first) {
        (None, None, false) => {
            db.all(
                list_sql!(
                    "select line_id, id, last_at as at from conversation
                     where line_id = $6 and (last_at, id) < ($8, $9)
                     order by last_at desc, id desc
                     limit $7"
                ),
                (everywhere, staff, word, sees, sight.permission, line, most, at, id),
            )
            .await?
        }
        (None, None, true) => {
            db.all(
                oldest_sql!(
                    "select line_id, id, last_at as at from conversation
                     where line_id = $6 and (last_at, id) > ($8, $9)
                     order by last_at, id
                     limit $7"
                ),
                (everywhere, staff, word, sees, sight.permission, line, most, at, id),
            )
            .await?
        }
        // One line and one rank, said as the two ends of a walk. Said with `=`, SQLite would rather walk the lanes of all lines, and with
        // bounds of the rank alone all that is held, which `trouble > 0` allows: the index needs that word for word.
        (None, Some(rank), false) => {
            db.all(
                list_sql!(
                    "select line_id, conversation_id as id, changed_at as at from lane
                     where trouble > 0 and (line_id, trouble, changed_at, conversation_id) < ($6, $10, $8, $9)
                       and (line_id, trouble) >= ($6, $10)
                     order by line_id desc, trouble desc, changed_at desc, conversation_id desc
                     limit $7"
                ),
                (everywhere, staff, word, sees, sight.permission, line, most, at, id, rank),
            )
            .await?
        }
        (None, Some(rank), true) => {
            db.all(
                oldest_sql!(
                    "select line_id, conversation_id as id, changed_at as at from lane
                     where trouble > 0 and (line_id, trouble, changed_at, conversation_id) > ($6, $10, $8, $9)
                       and (line_id, trouble) <= ($6, $10)
                     order by line_id, trouble, changed_at, conversation_id
                     limit $7"
                ),
                (everywhere, staff, word, sees, sight.permission, line, most, at, id, rank),
            )
            .await?
        }
        (Some(found), rank, false) => {
            db.all(
                list_sql!(
                    "select c.line_id, c.id, c.last_at as at
                     from json_each($7) j
                     join conversation c on c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-')
                     left join lane n on n.line_id = c.line_id and n.conversation_id = c.id
                     where c.line_id = $6 and (n.trouble = $8 or $8 is null)"
                ),
                (everywhere, staff, word, sees, sight.permission, line, found, rank),
            )
            .await?
        }
        (Some(found), rank, true) => {
            db.all(
                oldest_sql!(
                    "select c.line_id, c.id, c.last_at as at
                     from json_each($7) j
                     join conversation c on c.line_id = unhex(j.value->>0, '-') and c.id = unhex(j.value->>1, '-')
                     left join lane n on n.line_id = c.line_id and n.conversation_id = c.id
                     where c.line_id = $6 and (n.trouble = $8 or $8 is null)"
                ),
                (everywhere, staff, word, sees, sight.permission, line, found, rank),
            )
            .await?
        }
    };
    if let Some(row) = rows.first().filter(|row| row.sees) {
        permit.saw(Seen::Contacts(row.account_id, line));
    }
    let page = if is_found { Page { rows, next: None } } else { Page::of(rows, limit, |row| (row.at, row.id)) };
    Ok(page.map(|row| ConversationRow {
        id: row.id,
        number: ShownNumber::of(row.number, row.sees),
        contact: row.contact.filter(|_| row.sees),
        last_at: row.last_at,
        sync: state(row.integration_type, row.held, row.queued, row.stalled_since, reason(row.stalled_reason, row.sees)),
        chat_id: row.chat_id,
        changed_at: row.changed_at,
    }))
}
