//! What was written in messages, removed when its account has kept it long enough. The row stays: when, which way, how far.
//!
//! The rule: nothing that is still on its way loses its text. It is looked at again with the next pass.

use crate::clock::{Now, first_id_at};
use crate::db::{Db, Result, Tx, json};
use crate::directory::transfer::rests_with;
use crate::sync;
use crate::types::{AccountId, Change, LineId, MessageId, Timestamp};

/// Messages or blasts that one transaction looks at.
const BATCH: i64 = 200;

/// Removes what was written on an account's line before a moment, one batch: behind `after`, or from where the last pass came to. Answers
/// where the next batch begins; `None` when there is none, or the line is the account's no more: another one keeps things as it says.
///
/// # Errors
/// What the database says.
pub(crate) async fn remove_before(
    db: &Db,
    now: &Now,
    (account_id, line_id): (AccountId, LineId),
    after: Option<MessageId>,
    before: Timestamp,
    days: i64,
) -> Result<Option<MessageId>> {
    let end = MessageId(first_id_at(before));
    db.work(async |tx| {
        if !rests_with(tx, line_id, account_id).await? {
            return Ok(None);
        }
        let mark: Option<(MessageId,)> = tx.opt("select up_to from retention_mark where line_id = $1", [line_id]).await?;
        let mark = mark.map_or(MessageId(uuid::Uuid::nil()), |(mark,)| mark);
        let start = after.unwrap_or(mark);
        let rows: Vec<(MessageId, bool, bool)> = tx
            .all(
                "select id, due_at is not null, removed_after is not null
                 from message
                 where line_id = $1 and id > $2 and id < $3
                 order by id
                 limit $4",
                (line_id, start, end, BATCH),
            )
            .await?;
        let Some((last, ..)) = rows.last().copied() else { return Ok(None) };
        let ready: Vec<MessageId> = rows.iter().filter(|(_, waits, gone)| !waits && !gone).map(|(id, ..)| *id).collect();
        let under_way = sync::text_is_removed(tx, now, line_id, &ready, days).await?;
        let going: Vec<[MessageId; 1]> = ready.into_iter().filter(|id| !under_way.contains(id)).map(|id| [id]).collect();
        if !going.is_empty() {
            tx.run(
                "update message as m set body = '', media = null, others = null, removed_after = $3
                 from json_each($2) j
                 where m.line_id = $1 and m.id = unhex(j.value->>0, '-')",
                (line_id, json(&going), days),
            )
            .await?;
            tx.tell(Change::Conversations { account_id, line_id });
        }
        // The next pass begins before the first one that had to stay.
        let done = match rows.iter().position(|(id, waits, _)| *waits || under_way.contains(id)) {
            None => Some(last),
            Some(0) => None,
            Some(at) => Some(rows[at - 1].0),
        };
        if let Some(done) = done.filter(|_| start == mark) {
            tx.run(
                "insert into retention_mark (line_id, up_to) values ($1, $2)
                 on conflict (line_id) do update set up_to = excluded.up_to where retention_mark.up_to < excluded.up_to",
                (line_id, done),
            )
            .await?;
        }
        Ok(Some(last))
    })
    .await
}

/// Messages came that are older than what a pass has come to, from these on: the next pass looks at each line from its beginning.
///
/// # Errors
/// What the database says.
pub(super) async fn begin_again(tx: &mut Tx, oldest: &[(LineId, MessageId)]) -> Result<()> {
    tx.run(
        "delete from retention_mark
         where exists (
           select 1 from json_each($1) j
           where unhex(j.value->>0, '-') = retention_mark.line_id and unhex(j.value->>1, '-') <= retention_mark.up_to)",
        [json(oldest)],
    )
    .await?;
    Ok(())
}

/// Whether what was written in a message is gone.
///
/// # Errors
/// What the database says.
pub(crate) async fn is_removed(tx: &mut Tx, line: LineId, message: MessageId) -> Result<bool> {
    let found: Option<(bool,)> =
        tx.opt("select removed_after is not null from message where line_id = $1 and id = $2", (line, message)).await?;
    Ok(found.is_some_and(|(gone,)| gone))
}

/// Removes the text of the blasts of an account's line of before a moment that are sent, one batch of them; says how many that were.
///
/// # Errors
/// What the database says.
pub(crate) async fn remove_blasts_before(db: &Db, (account, line): (AccountId, LineId), before: Timestamp) -> Result<u64> {
    let end = first_id_at(before);
    db.work(async |tx| {
        if !rests_with(tx, line, account).await? {
            return Ok(0);
        }
        tx.run(
            "update blast set body = ''
             where line_id = $1 and id in (
               select b.id from blast b
               where b.line_id = $1 and b.id < $2 and b.body <> '' and b.state not in ('recording', 'scheduled', 'paused')
                 and not exists (select 1 from message m where m.line_id = b.line_id and m.blast_id = b.id and m.due_at is not null)
               limit $3)",
            (line, end, BATCH),
        )
        .await
    })
    .await
}

/// How many of an account's messages of before a moment still have their text, up to `cap`.
///
/// # Errors
/// What the database says.
pub(crate) async fn count_before(db: &Db, account: AccountId, before: Timestamp, cap: i64) -> Result<i64> {
    let (count,): (i64,) = db
        .one(
            "select count(*) from (
               select 1 from line l
               join message m on m.line_id = l.id and m.id < $2
               where l.account_id = $1 and m.removed_after is null
               limit $3) n",
            (account, first_id_at(before), cap),
        )
        .await?;
    Ok(count)
}
