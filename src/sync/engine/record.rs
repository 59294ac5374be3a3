//! How a post ended, written down under the fence: posted, refused, chat gone, no effect, or nobody knows.

use super::lease::{free, holds, tell};
use super::{CALLED_IN_VAIN, Claim, Engine, Next, OpenIntent, Posted, WATCH};
use crate::clock::Now;
use crate::db::{Db, Result, Tx, json};
use crate::figures::{self, Counter};
use crate::ringcentral::{Outcome, Refusal};
use crate::sync::lane::{Shift, shift, shift_by};
use crate::types::{Change, ConversationId, FailureKind, IntentId, LineId, MessageId, Timestamp};
use std::collections::BTreeMap;

impl Engine {
    /// Writes down how a post ended.
    pub(super) async fn record(&self, claim: Claim, intent: IntentId, outcome: Outcome<String>) -> Result<()> {
        match outcome {
            Outcome::Accepted(post_id) => {
                match self.recorder.submit(Posted { claim, intent, post_id }).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "a post could not be recorded; it will be looked up"),
                    Err(stopped) => tracing::warn!(%stopped, "a post is not recorded yet; it will be looked up"),
                }
                Ok(())
            }
            Outcome::Refused(Refusal::Content(why)) => self.refused(&claim, intent, &why).await,
            Outcome::Refused(Refusal::ChatGone) => self.chat_gone(&claim, intent).await,
            // No effect for certain: the intent is withdrawn, its messages wait in their places.
            certain @ (Outcome::Parked { .. } | Outcome::Unreachable(_) | Outcome::Refused(Refusal::SignIn(_) | Refusal::Forbidden(_))) => {
                let fence = self.fence(&claim);
                self.db
                    .work(async |tx| {
                        if holds(tx, &claim, fence).await? {
                            withdraw(tx, claim.line_id, intent, "withdrawn", self.now.at()).await?;
                        }
                        Ok::<_, crate::db::Error>(())
                    })
                    .await?;
                self.failed(&claim, certain, true).await
            }
            unknown @ Outcome::Unknown(_) => self.failed(&claim, unknown, false).await,
        }
    }

    /// RingCentral does not take the content: a bundle is halved until the one bad message is alone, which is marked failed.
    pub(super) async fn refused(&self, claim: &Claim, intent: IntentId, why: &str) -> Result<()> {
        let at = self.now.at();
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                let messages = messages_of(tx, claim, intent).await?;
                withdraw(tx, claim.line_id, intent, "refused", at).await?;
                if let [message] = messages.as_slice() {
                    metrics::counter!("switchyard_messages_refused_total").increment(1);
                    tx.run(
                        "update sync_entry set state = 'failed', reason = $3 where line_id = $1 and message_id = $2",
                        (claim.line_id, *message, why.to_owned()),
                    )
                    .await?;
                    shift(tx, at, [((claim.line_id, claim.conversation_id), 0, -1)]).await?;
                } else {
                    part(tx, claim, &messages).await?;
                }
                free(tx, claim, at).await?;
                tx.tell(Change::LaneDue);
                tell(tx, claim);
                figures::count(tx, at, [(claim.account_id, Counter::Failed(FailureKind::Content))]).await
            })
            .await
    }

    /// Called several times without a clear answer, and each time it was not there: perhaps RingCentral fails on this post alone. What was
    /// together goes in smaller posts. A message by itself rests with its intent open, longer each time, and may be skipped until it is
    /// called again.
    pub(super) async fn called_in_vain(&self, claim: &Claim, open: &OpenIntent) -> Result<Next> {
        let (at, intent) = (self.now.at(), open.id);
        // At first as long as it just could not be skipped.
        let doubled = 1_u32 << (open.calls - CALLED_IN_VAIN).clamp(0, 12);
        let pause = (self.config.call + self.config.settle).saturating_mul(doubled).min(self.config.longest_pause);
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(Next::Nothing);
                }
                let messages = messages_of(tx, claim, intent).await?;
                if messages.len() > 1 {
                    give_up(tx, claim.line_id, intent, at).await?;
                    part(tx, claim, &messages).await?;
                    free(tx, claim, at).await?;
                    tx.tell(Change::LaneDue);
                } else {
                    tx.run(
                        "update intent set settled_at = $3 where line_id = $1 and id = $2 and state = 'open'",
                        (claim.line_id, intent, at),
                    )
                    .await?;
                    free(tx, claim, at.plus(pause)).await?;
                }
                tell(tx, claim);
                Ok::<_, crate::db::Error>(Next::Nothing)
            })
            .await
    }

    /// The chat was deleted or archived: a new one is made, and the history goes on in it.
    pub(super) async fn chat_gone(&self, claim: &Claim, intent: IntentId) -> Result<()> {
        let at = self.now.at();
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                withdraw(tx, claim.line_id, intent, "withdrawn", at).await?;
                tx.run(
                    "update lane set chat_id = null, chat_reference = null, chat_asked_at = null where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id),
                )
                .await?;
                free(tx, claim, at).await?;
                tx.tell(Change::LaneDue);
                figures::count(tx, at, [(claim.account_id, Counter::Failed(FailureKind::ChatGone))]).await
            })
            .await
    }
}

impl Engine {
    /// A call into a chat of the account that owned the line before had no effect: its messages are posted anew, where the line is now.
    pub(super) async fn moved_on(&self, claim: &Claim, intent: IntentId) -> Result<Next> {
        let (at, fence) = (self.now.at(), self.fence(claim));
        self.db
            .work(async |tx| {
                if holds(tx, claim, fence).await? {
                    give_up(tx, claim.line_id, intent, at).await?;
                    free(tx, claim, at).await?;
                    tx.tell(Change::LaneDue);
                }
                Ok::<_, crate::db::Error>(Next::Nothing)
            })
            .await
    }
}

/// The messages of an open intent, in sequence.
async fn messages_of(tx: &mut Tx, claim: &Claim, intent: IntentId) -> Result<Vec<MessageId>> {
    let rows: Vec<(MessageId,)> = tx
        .all(
            "select message_id from sync_entry where line_id = $1 and intent_id = $2 and state = 'queued' order by seq",
            (claim.line_id, intent),
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What does not go together goes in smaller posts.
async fn part(tx: &mut Tx, claim: &Claim, messages: &[MessageId]) -> Result<()> {
    // The boundary stands behind the first half: what follows it begins a post of its own.
    let rest: Vec<[MessageId; 1]> = match messages.len() {
        2 | 3 => messages.iter().map(|id| [*id]).collect(),
        n => messages[n / 2..].iter().take(1).chain(messages.iter().take(1)).map(|id| [*id]).collect(),
    };
    tx.run(
        "update sync_entry as e set alone = true
         from json_each($2) j
         where e.line_id = $1 and e.message_id = unhex(j.value->>0, '-')",
        (claim.line_id, json(&rest)),
    )
    .await?;
    Ok(())
}

/// Closes an open intent that was looked for after its last call and is not there; its messages are free. Should its post turn up all the
/// same, it is deleted.
pub(in crate::sync) async fn give_up(tx: &mut Tx, line: LineId, intent: IntentId, at: Timestamp) -> Result<()> {
    withdraw(tx, line, intent, "withdrawn", at).await?;
    tx.run("update intent set watch_at = $3 where line_id = $1 and id = $2", (line, intent, at.plus(WATCH))).await?;
    Ok(())
}

/// The intent's call had no effect: its messages are free for the next one. Of an earlier call nobody knew how it ended: should it be
/// accepted late, its post is deleted.
async fn withdraw(tx: &mut Tx, line: LineId, intent: IntentId, state: &'static str, at: Timestamp) -> Result<()> {
    tx.run(
        "update intent
         set state = $3, settled_at = $4, body = null, watch_at = case when calls > 1 then cast($5 as bigint) end
         where line_id = $1 and id = $2 and state = 'open'",
        (line, intent, state, at, at.plus(WATCH)),
    )
    .await?;
    tx.run("update sync_entry set intent_id = null where line_id = $1 and intent_id = $2 and state = 'queued'", (line, intent)).await?;
    Ok(())
}

/// Writes posts down, many in one transaction; those of stale holders are left to the next one.
pub(super) async fn record_posted(db: &Db, now: &Now, mut posted: Vec<Posted>, fenced: bool) -> Result<Vec<Result<(), String>>> {
    // Lanes are always locked in the order of their keys.
    posted.sort_unstable_by_key(|p| (p.claim.line_id, p.claim.conversation_id));
    db.work(async |tx| {
        let at = now.at();
        let leases: Vec<_> =
            posted.iter().map(|p| (p.claim.line_id, p.claim.conversation_id, if fenced { Some(p.claim.fence) } else { None })).collect();
        let ours: Vec<(LineId, ConversationId)> = tx
            .all(
                "update lane as l
                 set lease_until = null, attempts = 0, stalled_since = null, stalled_reason = null, left_out = 0
                 from json_each($1) j
                 where l.line_id = unhex(j.value->>0, '-') and l.conversation_id = unhex(j.value->>1, '-')
                   and (j.value->>2 is null or l.fence = cast(j.value->>2 as bigint))
                 returning line_id, conversation_id",
                [json(&leases)],
            )
            .await?;
        let rows: Vec<_> = posted
            .iter()
            .filter(|p| ours.contains(&(p.claim.line_id, p.claim.conversation_id)))
            .map(|p| (p.claim.line_id, p.intent, &p.post_id))
            .collect();
        tx.run(
            "update intent as i
             set state = 'posted', post_id = j.value->>2, body = null, settled_at = $2,
                 watch_at = case when i.calls > 1 then cast($3 as bigint) end
             from json_each($1) j
             where i.line_id = unhex(j.value->>0, '-') and i.id = unhex(j.value->>1, '-') and i.state = 'open'",
            (json(&rows), at, at.plus(WATCH)),
        )
        .await?;
        let moved: Vec<(LineId, ConversationId)> = tx
            .all(
                "update sync_entry as e set state = 'posted', post_id = j.value->>2, posted_at = $2
                 from json_each($1) j
                 where e.line_id = unhex(j.value->>0, '-') and e.intent_id = unhex(j.value->>1, '-') and e.state = 'queued'
                 returning line_id, conversation_id",
                (json(&rows), at),
            )
            .await?;
        metrics::counter!("switchyard_messages_posted_total").increment(moved.len() as u64);
        // What else waits in a lane is due again, behind the lanes that have waited since before.
        let mut shifts: BTreeMap<_, _> = ours.iter().map(|key| (*key, Shift::due(at))).collect();
        for key in moved {
            shifts.entry(key).or_insert(Shift::due(at)).add(0, -1);
        }
        shift_by(tx, at, shifts).await?;
        for p in &posted {
            tell(tx, &p.claim);
        }
        tx.tell(Change::LaneDue);
        let counted = posted.iter().filter(|p| ours.contains(&(p.claim.line_id, p.claim.conversation_id)));
        figures::count(tx, at, counted.map(|p| (p.claim.account_id, Counter::Posted))).await?;
        Ok(vec![Ok(()); posted.len()])
    })
    .await
}
