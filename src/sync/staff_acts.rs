//! What staff do about trouble: retry a stalled lane now, skip a message, restore one. Each is audited.

use super::engine;
use super::lane::shift;
use crate::clock::Now;
use crate::db::{Db, Sql, Tx};
use crate::messaging::{outbound, retention};
use crate::staff::{Entry, Permit, may, record};
use crate::types::{AccountId, Change, ConversationId, EntryState, IntegrationType, IntentId, LineId, MessageId, Problem, Timestamp};
use serde_json::json;

pub(super) const NOTHING_WAITS: &str = "Nothing waits to be delivered here any more.";

/// On PostgreSQL the line keeps its type and its owner until the transaction ends: what comes back must not come back elsewhere.
const KEEP_LINE: Sql = Sql { sqlite: "select id from line where id = $1", postgres: "select id from line where id = $1 for share" };

/// The same as [`within_scope`], for what puts messages back into a lane.
pub(super) async fn within_scope_kept(
    tx: &mut Tx,
    permit: &Permit<may::ManageSync>,
    line: LineId,
) -> Result<(AccountId, IntegrationType), Problem> {
    let _: Option<(LineId,)> = tx.opt(KEEP_LINE, [line]).await?;
    within_scope(tx, permit, line).await
}

/// The line's account and type, if the permit holds there.
pub(super) async fn within_scope(
    tx: &mut Tx,
    permit: &Permit<may::ManageSync>,
    line: LineId,
) -> Result<(AccountId, IntegrationType), Problem> {
    let scope = permit.scope();
    let found: Option<(AccountId, IntegrationType)> = tx
        .opt(
            "select account_id, integration_type from line
             where id = $1 and ($2 or account_id in (select account_id from staff_scope where staff_id = $3 and permission = $4))",
            (line, scope.everywhere, scope.staff, scope.permission),
        )
        .await?;
    found.ok_or_else(|| Problem::not_found("There is no such line, or it belongs to an account that you do not look after."))
}

/// Makes a lane due now. A lane whose last call has not settled still waits for that, since posting earlier could post twice.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when there is nothing to deliver.
pub async fn retry_now(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    line: LineId,
    conversation: ConversationId,
) -> Result<(), Problem> {
    db.work(async |tx| retry_one(tx, now, permit, line, conversation).await).await
}

/// The same in the caller's transaction.
///
/// # Errors
/// As [`retry_now`].
pub(crate) async fn retry_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    line: LineId,
    conversation: ConversationId,
) -> Result<(), Problem> {
    let (account_id, _) = within_scope(tx, permit, line).await?;
    let woken = tx
        .run(
            "update lane set due_at = $3, attempts = 0 where line_id = $1 and conversation_id = $2 and queued > 0",
            (line, conversation, now.at()),
        )
        .await?;
    if woken == 0 {
        return Err(Problem::conflict(NOTHING_WAITS));
    }
    tx.tell(Change::LaneDue);
    tx.tell(Change::Conversation { account_id, line_id: line, conversation_id: conversation });
    let entry = Entry {
        action: "conversation.retry",
        account_id: Some(account_id),
        line_id: Some(line),
        subject_id: Some(conversation.0),
        ..Entry::default()
    };
    Ok(record(tx, now, permit.actor(), entry).await?)
}

async fn entry_of(tx: &mut Tx, line: LineId, message: MessageId) -> Result<(EntryState, ConversationId), Problem> {
    let found: Option<(EntryState, ConversationId)> =
        tx.opt("select state, conversation_id from sync_entry where line_id = $1 and message_id = $2", (line, message)).await?;
    found.ok_or_else(|| Problem::not_found("This message has nothing to do with RingCentral."))
}

async fn audit(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    key: (AccountId, LineId, ConversationId, MessageId),
    action: &'static str,
    before: EntryState,
    after: EntryState,
) -> Result<(), Problem> {
    let (account_id, line_id, conversation_id, message) = key;
    tx.tell(Change::Conversation { account_id, line_id, conversation_id });
    // Found by the conversation, as everything else that was done in it.
    let subject_id = Some(conversation_id.0);
    let entry = Entry { action, account_id: Some(account_id), line_id: Some(line_id), subject_id, ..Entry::default() };
    Ok(record(tx, now, permit.actor(), entry.change(before, json!({ "state": after, "message": message }))).await?)
}

/// A queued message that was called, looked for and not there is taken out of its intent. Whoever works the lane at this moment loses it,
/// and what waits behind the message goes on at once.
async fn take_from_intent(
    tx: &mut Tx,
    at: Timestamp,
    (line, conversation): (LineId, ConversationId),
    message: MessageId,
) -> Result<(), Problem> {
    let open: Option<(IntentId, Option<Timestamp>)> = tx
        .opt(
            "select i.id, i.settled_at
             from sync_entry e
             join intent i on i.line_id = e.line_id and i.id = e.intent_id
             where e.line_id = $1 and e.message_id = $2 and e.state = 'queued' and i.state = 'open'",
            (line, message),
        )
        .await?;
    match open {
        None => Ok(()),
        // It may stand in RingCentral.
        Some((_, None)) => Err(Problem::conflict(
            "A call for this message is under way. It is looked for first; if RingCentral has not taken it after three tries, it can be \
             skipped. Look again in two minutes.",
        )),
        Some((intent, Some(_))) => {
            engine::give_up(tx, line, intent, at).await?;
            tx.run(
                "update lane set fence = fence + 1, lease_until = null, due_at = $3 where line_id = $1 and conversation_id = $2",
                (line, conversation, at),
            )
            .await?;
            tx.tell(Change::LaneDue);
            Ok(())
        }
    }
}

/// Skips a held, queued or failed message: it will not be posted, and stays as skipped. One that was called may be skipped between the
/// tries, when it was looked for and is not there.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when it is posted already or a call for it is under way.
pub async fn skip(db: &Db, now: &Now, permit: &Permit<may::ManageSync>, line: LineId, message: MessageId) -> Result<(), Problem> {
    db.work(async |tx| {
        let (account, _) = within_scope(tx, permit, line).await?;
        let (before, conversation) = entry_of(tx, line, message).await?;
        let (held, queued) = match before {
            EntryState::Held => (-1, 0),
            EntryState::Queued => (0, -1),
            EntryState::Failed => (0, 0),
            EntryState::Posted => return Err(Problem::conflict("This message stands in RingCentral already.")),
            EntryState::Skipped => return Err(Problem::conflict("This message is skipped already.")),
        };
        // The lane's lock first, as whoever writes an intent takes them.
        tx.run("update lane set held = held where line_id = $1 and conversation_id = $2", (line, conversation)).await?;
        if before == EntryState::Queued {
            take_from_intent(tx, now.at(), (line, conversation), message).await?;
        }
        let changed = tx
            .run(
                "update sync_entry set state = 'skipped', reason = $4
                 where line_id = $1 and message_id = $2 and state = $3 and intent_id is null",
                (line, message, before, format!("skipped by {}", permit.actor().name())),
            )
            .await?;
        if changed == 0 {
            return Err(Problem::conflict("This message has just changed. Look again, then decide."));
        }
        shift(tx, now.at(), [((line, conversation), held, queued)]).await?;
        audit(tx, now, permit, (account, line, conversation, message), "message.skip", before, EntryState::Skipped).await
    })
    .await
}

/// Restores a skipped or failed message: one that never had a place is held again for the next reply, however old it is; one that had is
/// queued at the end of its lane.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when it is neither skipped nor failed or was never sent, `Invalid` when the line is not
/// connected to RingCentral.
pub async fn restore(db: &Db, now: &Now, permit: &Permit<may::ManageSync>, line: LineId, message: MessageId) -> Result<(), Problem> {
    db.work(async |tx| {
        let (account, kind) = within_scope_kept(tx, permit, line).await?;
        if kind != IntegrationType::Ringcentral {
            return Err(Problem::invalid("", "The line is not set to RingCentral, so nothing can be posted. Set its type first."));
        }
        let (before, conversation) = entry_of(tx, line, message).await?;
        if !matches!(before, EntryState::Skipped | EntryState::Failed) {
            return Err(Problem::conflict("Only a skipped or failed message can be restored; this one has changed meanwhile."));
        }
        if !outbound::counts_as_sent(tx, line, message).await? {
            return Err(Problem::conflict("This message was never sent to the contact, so there is nothing to show in RingCentral."));
        }
        if retention::is_removed(tx, line, message).await? {
            return Err(Problem::conflict(
                "What was written was kept as long as its account has set, and is gone: there is nothing to post.",
            ));
        }
        // The lane's lock first: sequence numbers are given under it.
        let (next,): (i64,) = tx
            .one(
                "update lane set next_seq = next_seq + 1, account_id = $3
                 where line_id = $1 and conversation_id = $2
                 returning next_seq - 1",
                (line, conversation, account),
            )
            .await?;
        let restored: Option<(EntryState,)> = tx
            .opt(
                "update sync_entry
                 set state = case when seq is null then 'held' else 'queued' end,
                     seq = case when seq is not null then cast($3 as bigint) end, reason = null, skipped_at = null, alone = true
                 where line_id = $1 and message_id = $2 and state in ('skipped', 'failed') and intent_id is null
                 returning state",
                (line, message, next),
            )
            .await?;
        let Some((after,)) = restored else {
            return Err(Problem::conflict("This message has just changed. Look again, then decide."));
        };
        let moved = if after == EntryState::Held { (1, 0) } else { (0, 1) };
        shift(tx, now.at(), [((line, conversation), moved.0, moved.1)]).await?;
        tx.tell(Change::LaneDue);
        audit(tx, now, permit, (account, line, conversation, message), "message.restore", before, after).await
    })
    .await
}
