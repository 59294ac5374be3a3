//! What the carrier says became of a message that it was given.
//!
//! The rule: its word counts, however late it comes and whatever was written down meanwhile; the same again changes nothing.

use super::super::carrier::from_reference;
use crate::clock::Now;
use crate::db::{Db, Result, json};
use crate::sync::{self, NotReached};
use crate::types::{AccountId, Change, ConversationId, LineId, MessageId};
use std::collections::HashSet;

/// A delivery status as the carrier tells it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The reference that we gave.
    pub reference: String,
    /// The carrier's id.
    pub carrier_id: String,
    /// It arrived; otherwise it failed.
    pub delivered: bool,
    /// Why it failed.
    pub error: Option<String>,
}

/// Writes delivery statuses set-wise; unknown ones and repeated ones change nothing. A status may overtake the answer to the
/// call it belongs to: it says that the carrier took the message, so the message counts as accepted. It corrects one that was given up
/// after a try without a clear answer too.
///
/// # Errors
/// What the database says.
pub async fn delivered(db: &Db, now: &Now, batch: &[Delivery]) -> Result<()> {
    let rows: Vec<_> = batch
        .iter()
        .filter_map(|d| {
            let (line, message) = from_reference(&d.reference)?;
            Some((line, message, if d.delivered { "delivered" } else { "failed" }, &d.carrier_id, &d.error))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    db.work(async |tx| {
        let at = now.at();
        let mut changed: Vec<(LineId, MessageId, AccountId, Option<ConversationId>, bool)> = tx
            .all(
                "update message as m
                 set state = j.value->>2, error = j.value->>4, carrier_id = coalesce(m.carrier_id, j.value->>3),
                     accepted_at = coalesce(m.accepted_at, $2), due_at = null
                 from json_each($1) j
                 where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
                   and m.direction = 'outbound' and m.state in ('queued', 'accepted')
                 returning line_id, id, (select l.account_id from line l where l.id = line_id), conversation_id,
                   coalesce(origin = 'agent' and state = 'failed', false)",
                (json(&rows), at),
            )
            .await?;
        let undelivered: Vec<_> =
            changed.iter().filter(|(.., failed)| *failed).map(|(line, id, ..)| (*line, *id, NotReached::Undelivered)).collect();
        let known: HashSet<(LineId, MessageId)> = changed.iter().map(|(line, id, ..)| (*line, *id)).collect();
        let left: Vec<_> = rows.iter().filter(|(line, id, ..)| !known.contains(&(*line, *id))).collect();
        if !left.is_empty() {
            // Nobody has taken it yet and somebody tried: so this was that try. Its agent was told already that it may not have come.
            let given_up: Vec<(LineId, MessageId, AccountId, Option<ConversationId>, bool)> = tx
                .all(
                    "update message as m
                     set state = j.value->>2, error = j.value->>4, carrier_id = j.value->>3, accepted_at = $2
                     from json_each($1) j
                     where m.line_id = unhex(j.value->>0, '-') and m.id = unhex(j.value->>1, '-')
                       and m.direction = 'outbound' and m.state in ('failed', 'opted_out') and m.attempts > 0 and m.accepted_at is null
                     returning line_id, id, (select l.account_id from line l where l.id = line_id), conversation_id,
                       removed_after is null",
                    (json(&left), at),
                )
                .await?;
            let back: Vec<(LineId, MessageId)> =
                given_up.iter().filter(|(.., has_text)| *has_text).map(|(line, id, ..)| (*line, *id)).collect();
            sync::sent_after_all(tx, now, &back).await?;
            changed.extend(given_up);
        }
        let keys: Vec<(LineId, MessageId)> = changed.iter().map(|(line, id, ..)| (*line, *id)).collect();
        sync::releasable(tx, at, &keys).await?;
        sync::reply_did_not_arrive(tx, now, &undelivered).await?;
        for (line_id, _, account_id, conversation, _) in changed {
            if let Some(conversation_id) = conversation {
                tx.tell(Change::Conversation { account_id, line_id, conversation_id });
            }
        }
        Ok(())
    })
    .await
}
