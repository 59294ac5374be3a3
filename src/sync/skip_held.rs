//! Skipping at once what waits in a conversation: what a wrong blast left behind is cleared with one press, or with one for many. What the
//! contact wrote, and what a call is under way for, is left alone.
//!
//! The rule: no more is skipped than was looked at, and what was skipped at once comes back at once, in its order.

use super::lane;
use super::staff_acts::{within_scope, within_scope_kept};
use crate::clock::Now;
use crate::db::{Db, Tx};
use crate::messaging::outbound;
use crate::staff::{Entry, Permit, may, record};
use crate::types::{Change, ConversationId, IntegrationType, LineId, Problem, Skippable, Timestamp, counted};
use crate::undo::{self, Step};
use serde_json::json;

pub(super) const NOTHING_TO_SKIP: &str = "Nothing of ours is held or waits to be posted here any more.";
pub(super) const ALL_UNDER_WAY: &str = "A call for what waits here is not settled yet. Look again in a few minutes.";

/// What was skipped at once.
#[derive(Debug)]
pub(crate) struct Skipped {
    /// So many messages.
    messages: i64,
    /// So many were left alone, because a call for them is not settled.
    under_way: i64,
    /// What takes it back; nothing where messages cannot be restored.
    pub(crate) undo: Option<Step>,
}

impl Skipped {
    /// What was done, in words.
    fn in_words(&self) -> String {
        let skipped = counted(self.messages, "message skipped", "messages skipped");
        match self.under_way {
            0 => format!("{skipped}."),
            1 => format!("{skipped}. 1 was left alone: a call for it is not settled."),
            n => format!("{skipped}. {n} were left alone: a call for them is not settled."),
        }
    }
}

/// Skips all that is held in a conversation, and what of ours waits to be posted, as it was looked at: [`Skippable::version`]. It can be taken
/// back.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when nothing waits or something has come or gone since.
pub async fn skip_held(
    db: &Db,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    line: LineId,
    conversation: ConversationId,
    seen: i64,
) -> Result<(), Problem> {
    db.work(async |tx| {
        let skipped = skip_held_of_one(tx, now, permit, (line, conversation), seen).await?;
        let what = skipped.in_words();
        if let Some(step) = skipped.undo {
            undo::leave(tx, now, permit, &what, vec![step]).await?;
        }
        Ok(())
    })
    .await
}

/// The same in the caller's transaction, which leaves what takes it back.
///
/// # Errors
/// As [`skip_held`].
pub(crate) async fn skip_held_of_one(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    key: (LineId, ConversationId),
    seen: i64,
) -> Result<Skipped, Problem> {
    let (line, conversation) = key;
    let (account_id, kind) = within_scope(tx, permit, line).await?;
    let at = now.at();
    let why = format!("skipped by {}", permit.actor().name());
    let (held, queued) = lane::skip_waiting(tx, at, key, why).await?;
    let (under_way,): (i64,) = tx
        .one(
            "select count(*) from sync_entry
             where line_id = $1 and conversation_id = $2 and state = 'queued' and not inbound and intent_id is not null",
            (line, conversation),
        )
        .await?;
    let Some(newest) = held.iter().chain(&queued).max() else {
        return Err(Problem::conflict(if under_way > 0 { ALL_UNDER_WAY } else { NOTHING_TO_SKIP }));
    };
    let count = |messages: usize| i64::try_from(messages).unwrap_or(i64::MAX);
    let messages = count(held.len() + queued.len());
    if Skippable::version_of(count(held.len()), count(queued.len()), *newest) != seen {
        return Err(Problem::conflict("Messages have come or gone in this conversation since it was looked at. Look again, then decide."));
    }
    tx.tell(Change::Conversation { account_id, line_id: line, conversation_id: conversation });
    let entry = Entry {
        action: "conversation.skip_held",
        account_id: Some(account_id),
        line_id: Some(line),
        subject_id: Some(conversation.0),
        ..Entry::default()
    };
    let before = json!({ "held": count(held.len()), "queued": count(queued.len()) });
    let after = json!({ "skipped": messages, "left_alone": under_way });
    record(tx, now, permit.actor(), entry.change(before, after)).await?;
    let undo = (kind == IntegrationType::Ringcentral).then_some(Step::RestoreSkipped { line, conversation, since: at });
    Ok(Skipped { messages, under_way, undo })
}

/// What was skipped at once comes back: what is still skipped of it, and can be shown. What never had a place is held again, what had one is
/// queued at the end of its lane, in its order.
///
/// # Errors
/// `NotFound` outside the permit's scope, `Conflict` when nothing of it is left to restore, `Invalid` when the line is not connected to
/// RingCentral.
pub(crate) async fn restore_skipped(
    tx: &mut Tx,
    now: &Now,
    permit: &Permit<may::ManageSync>,
    key: (LineId, ConversationId),
    since: Timestamp,
) -> Result<(), Problem> {
    let (line, conversation) = key;
    let (account_id, kind) = within_scope_kept(tx, permit, line).await?;
    if kind != IntegrationType::Ringcentral {
        return Err(Problem::invalid("", "The line is not set to RingCentral, so nothing can be posted. Set its type first."));
    }
    let mut skipped = lane::skipped_together(tx, key, since).await?;
    if skipped.is_empty() {
        return Err(Problem::conflict("Nothing of this is left to restore: somebody did it already."));
    }
    let ids: Vec<_> = skipped.iter().map(|(id, _)| *id).collect();
    let shown = outbound::can_be_shown(tx, line, &ids).await?;
    skipped.retain(|(id, _)| shown.contains(id));
    // What was never sent to the contact stays skipped, and does not keep others of the same press from coming back.
    if skipped.is_empty() {
        return Ok(());
    }
    let (held, queued) = lane::bring_back(tx, now.at(), key, account_id, &skipped).await?;
    tx.tell(Change::Conversation { account_id, line_id: line, conversation_id: conversation });
    let entry = Entry {
        action: "conversation.restore_skipped",
        account_id: Some(account_id),
        line_id: Some(line),
        subject_id: Some(conversation.0),
        ..Entry::default()
    };
    let (before, after) = (json!({ "skipped": held + queued }), json!({ "held": held, "queued": queued }));
    Ok(record(tx, now, permit.actor(), entry.change(before, after)).await?)
}
