//! The lease of a lane: taken for one post, checked by its fence with each write, given back with when the lane is due again.

use super::{Claim, Engine, Next, STALLED_AFTER, STALLED_AT_ONCE};
use crate::db::{Result, Sql, Tx};
use crate::figures::{self, Counter};
use crate::messaging::inbound::json;
use crate::ringcentral::Outcome;
use crate::types::{Change, ConversationId, FailureKind, LineId, Timestamp};
use crate::work::backoff;
use crate::work::faults::{self, Guard};
use std::collections::HashSet;
use std::time::Duration;

const CLAIM: Sql = Sql {
    sqlite: "update lane as l set fence = l.fence + 1, lease_until = $2
             from (select line_id, conversation_id from lane
                   where due_at <= $1 and (lease_until is null or lease_until <= $1)
                   order by due_at, line_id, conversation_id limit $3) d
             where l.line_id = d.line_id and l.conversation_id = d.conversation_id
             returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference,
               chat_asked_at, chat_members",
    postgres: "update lane as l set fence = l.fence + 1, lease_until = $2
               from (select line_id, conversation_id from lane
                     where due_at <= $1 and (lease_until is null or lease_until <= $1)
                     order by due_at, line_id, conversation_id limit $3 for update skip locked) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id
               returning l.line_id, l.conversation_id, l.account_id, l.fence, l.attempts, l.left_out, l.connection_id, l.chat_id,
                 l.chat_reference, l.chat_asked_at, l.chat_members",
};

/// What a test puts in place of [`CLAIM`]: two workers may hold one lane.
const CLAIM_WITHOUT_LOCK: &str = "update lane set lease_until = $2
     where (line_id, conversation_id) in (
       select line_id, conversation_id from lane where due_at <= $1 order by due_at, line_id, conversation_id limit $3)
     returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference, chat_asked_at,
       chat_members";

impl Engine {
    /// Takes leases on lanes that are due.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(&self, most: usize) -> Result<Vec<Claim>> {
        let at = self.now.at();
        let until = at.plus(self.config.lease);
        let claim = if self.config.broken == Some(Guard::LaneLock) { CLAIM_WITHOUT_LOCK.into() } else { CLAIM };
        let claims = self.db.work(async |tx| tx.all(claim, (at, until, i64::try_from(most).unwrap_or(1))).await).await?;
        if !claims.is_empty() {
            faults::point("claimed");
        }
        Ok(claims)
    }

    /// The fence that this holder's writes carry; none when a test took the guard out.
    pub(super) fn fence(&self, claim: &Claim) -> Option<i64> {
        (self.config.broken != Some(Guard::Fence)).then_some(claim.fence)
    }

    /// Nothing was posted, or nobody knows: the lane waits, and is stalled when it has waited often. A parked connection is no
    /// failure of the lane.
    pub(super) async fn failed(&self, claim: &Claim, ended: Outcome<String>, certain: bool) -> Result<()> {
        let at = self.now.at();
        let pause = backoff(claim.attempts, self.config.longest_pause, &self.now.rng);
        // A refusal does not go away by itself: somebody has to see it now.
        let stalled_after = if matches!(ended, Outcome::Refused(_)) { STALLED_AT_ONCE } else { STALLED_AFTER };
        let Some(kind) = ended.failure() else { return Ok(()) };
        let (due, why) = match ended {
            Outcome::Parked { until, .. } => {
                self.db.work(async |tx| figures::count(tx, at, [(claim.account_id, Counter::Failed(kind))]).await).await?;
                return self.let_go(claim, until).await;
            }
            Outcome::Refused(refusal) => (at.plus(pause.max(Duration::from_secs(30))), refusal.to_string()),
            Outcome::Unreachable(why) => (at.plus(pause), why),
            // By these words the screens say what to do.
            Outcome::Unknown(why) => (at.plus(self.config.call + self.config.settle), format!("no clear answer: {why}")),
            Outcome::Accepted(_) => return Ok(()),
        };
        metrics::counter!("switchyard_delivery_failures_total").increment(1);
        tracing::info!(line = %claim.line_id, conversation = %claim.conversation_id, certain, %why, "a delivery did not succeed");
        self.later(claim, Some(due), (kind, &why), stalled_after).await?;
        Ok(())
    }

    /// Lets the lane go after a failure, to be tried again; marks it stalled with its `stalled_after`th failure in a row.
    pub(super) async fn later(
        &self,
        claim: &Claim,
        due: Option<Timestamp>,
        (kind, why): (FailureKind, &str),
        stalled_after: i64,
    ) -> Result<Next> {
        let at = self.now.at();
        let due = due.unwrap_or_else(|| at.plus(backoff(claim.attempts + 3, self.config.longest_pause, &self.now.rng)));
        let (fence, why) = (self.fence(claim), why.to_owned());
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                free(tx, claim, due).await?;
                tx.run(
                    "update lane
                     set attempts = attempts + 1,
                         stalled_since = case when attempts + 1 >= $3 then coalesce(stalled_since, $4) else stalled_since end,
                         stalled_reason = $5,
                         trouble = case when attempts + 1 >= $3 then 3 else trouble end,
                         changed_at = $4
                     where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id, stalled_after, at, why),
                )
                .await?;
                tell(tx, claim);
                figures::count(tx, at, [(claim.account_id, Counter::Failed(kind))]).await
            })
            .await?;
        Ok(Next::Nothing)
    }

    /// Gives the lease back; a lane with something to deliver is due again at `due`.
    pub(super) async fn let_go(&self, claim: &Claim, due: Timestamp) -> Result<()> {
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if holds(tx, claim, fence).await? {
                    free(tx, claim, due).await?;
                }
                Ok::<_, crate::db::Error>(())
            })
            .await
    }
}

/// Which of these leases are still ours, each with its fence; takes the lanes' locks, in the order given.
pub(super) async fn holds_all(tx: &mut Tx, leases: &[(LineId, ConversationId, Option<i64>)]) -> Result<HashSet<(LineId, ConversationId)>> {
    let ours: Vec<(LineId, ConversationId)> = tx
        .all(
            "update lane as l set lease_until = l.lease_until
             from json_each($1) j
             where l.line_id = unhex(j.value->>0, '-') and l.conversation_id = unhex(j.value->>1, '-')
               and (j.value->>2 is null or l.fence = cast(j.value->>2 as bigint))
             returning line_id, conversation_id",
            [json(leases)],
        )
        .await?;
    metrics::counter!("switchyard_leases_lost_total").increment((leases.len() - ours.len()) as u64);
    Ok(ours.into_iter().collect())
}

/// Whether the lease is still ours; takes the lane's lock.
pub(super) async fn holds(tx: &mut Tx, claim: &Claim, fence: Option<i64>) -> Result<bool> {
    Ok(!holds_all(tx, &[(claim.line_id, claim.conversation_id, fence)]).await?.is_empty())
}

/// Ends the lease; a lane with something to deliver is due again at `due`.
pub(super) async fn free(tx: &mut Tx, claim: &Claim, due: Timestamp) -> Result<()> {
    tx.run(
        "update lane set lease_until = null, due_at = case when queued > 0 then cast($3 as bigint) end
         where line_id = $1 and conversation_id = $2",
        (claim.line_id, claim.conversation_id, due),
    )
    .await?;
    Ok(())
}

pub(super) fn tell(tx: &mut Tx, claim: &Claim) {
    let (account_id, line_id, conversation_id) = (claim.account_id, claim.line_id, claim.conversation_id);
    tx.tell(Change::Conversation { account_id, line_id, conversation_id });
}
