//! What sync lets go of when an account has kept it long enough.

use super::lane::shift;
use crate::clock::{Now, first_id_at};
use crate::db::{Db, Result, Tx, json};
use crate::directory::transfer::rests_with;
use crate::types::{AccountId, Change, ConversationId, LineId, MessageId, Timestamp};
use std::collections::HashSet;

/// Held messages that one transaction skips.
const BATCH: i64 = 200;

/// These messages of a line lose their text: what is held of them becomes skipped. Answers those that are on their way into
/// RingCentral and must keep it.
///
/// # Errors
/// What the database says.
pub async fn text_is_removed(tx: &mut Tx, now: &Now, line: LineId, messages: &[MessageId], days: i64) -> Result<HashSet<MessageId>> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let list = json(&messages.iter().map(|id| [id]).collect::<Vec<_>>());
    let skipped: Vec<(ConversationId,)> = tx
        .all(
            "update sync_entry as e set state = 'skipped', reason = $3
             from json_each($2) j
             where e.line_id = $1 and e.message_id = unhex(j.value->>0, '-') and e.state = 'held'
             returning conversation_id",
            (line, list.clone(), format!("what was written was removed after {days} days")),
        )
        .await?;
    shift(tx, now.at(), skipped.into_iter().map(|(conversation,)| ((line, conversation), -1, 0))).await?;
    let queued: Vec<(MessageId,)> = tx
        .all(
            "select message_id from sync_entry
             where line_id = $1 and state = 'queued' and message_id in (select unhex(j.value->>0, '-') from json_each($2) j)",
            (line, list),
        )
        .await?;
    Ok(queued.into_iter().map(|(id,)| id).collect())
}

/// Skips what was held on an account's line before a moment, one batch; says whether there is more. There is none on a line that is the
/// account's no more.
///
/// # Errors
/// What the database says.
pub(crate) async fn skip_held_before(
    db: &Db,
    now: &Now,
    (account_id, line_id): (AccountId, LineId),
    before: Timestamp,
    days: i64,
) -> Result<bool> {
    let end = MessageId(first_id_at(before));
    db.work(async |tx| {
        if !rests_with(tx, line_id, account_id).await? {
            return Ok(false);
        }
        let skipped: Vec<(ConversationId,)> = tx
            .all(
                "update sync_entry as e set state = 'skipped', reason = $4
                 from (select s.message_id as its_message from sync_entry s
                       where s.line_id = $1 and s.state = 'held' and s.message_id < $2
                       order by s.message_id
                       limit $3) old
                 where e.line_id = $1 and e.message_id = old.its_message and e.state = 'held'
                 returning conversation_id",
                (line_id, end, BATCH, format!("held for more than {days} days")),
            )
            .await?;
        let count = skipped.len();
        if count > 0 {
            shift(tx, now.at(), skipped.into_iter().map(|(conversation,)| ((line_id, conversation), -1, 0))).await?;
            tx.tell(Change::Conversations { account_id, line_id });
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX) == BATCH)
    })
    .await
}

/// How many messages of before a moment an account holds, up to `cap`.
///
/// # Errors
/// What the database says.
pub(crate) async fn count_held_before(db: &Db, account: AccountId, before: Timestamp, cap: i64) -> Result<i64> {
    let (count,): (i64,) = db
        .one(
            "select count(*) from (
               select 1 from line l
               join sync_entry e on e.line_id = l.id and e.state = 'held' and e.message_id < $2
               where l.account_id = $1
               limit $3) n",
            (account, MessageId(first_id_at(before)), cap),
        )
        .await?;
    Ok(count)
}
