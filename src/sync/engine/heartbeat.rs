//! The sign of life of a worker: it renews the leases of the lanes in its hand, all in one statement.
//!
//! The rule: a lane is renewed only while its post can still be under way. A holder that hangs loses it like one that died.

use super::{Claim, Engine};
use crate::db::Sql;
use crate::messaging::inbound::json;
use crate::types::{ConversationId, LineId, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A lane that somebody has locked is being written just now: it is renewed with the next beat, and nobody waits crosswise.
const RENEW: Sql = Sql {
    sqlite: "update lane as l set lease_until = $2
             from json_each($1) j
             where l.line_id = unhex(j.value->>0, '-') and l.conversation_id = unhex(j.value->>1, '-')
               and l.fence = cast(j.value->>2 as bigint) and l.lease_until is not null",
    postgres: "update lane as l set lease_until = $2
               from (select n.line_id, n.conversation_id
                     from json_each($1) j
                     join lane n on n.line_id = unhex(j.value->>0, '-') and n.conversation_id = unhex(j.value->>1, '-')
                     where n.fence = cast(j.value->>2 as bigint) and n.lease_until is not null
                     for update of n skip locked) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id",
};

type Lanes = HashMap<(LineId, ConversationId), (i64, Timestamp)>;

/// The lanes that are worked here, each with its fence and since when.
#[derive(Debug, Clone, Default)]
pub(super) struct InHand(Arc<Mutex<Lanes>>);

/// A lane in hand; dropped, it is out of hand.
pub(super) struct Held {
    all: InHand,
    key: (LineId, ConversationId),
    fence: i64,
}

impl InHand {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, claim: &Claim, at: Timestamp) -> Held {
        let key = (claim.line_id, claim.conversation_id);
        self.lanes().insert(key, (claim.fence, at));
        Held { all: self.clone(), key, fence: claim.fence }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut lanes = self.all.lanes();
        // The lane may have been lost and taken again here.
        if lanes.get(&self.key).is_some_and(|(fence, _)| *fence == self.fence) {
            lanes.remove(&self.key);
        }
    }
}

impl Engine {
    /// Renews the leases of what is in hand, three times in each lease, for as long as it is not dropped.
    pub(super) async fn beat(self) {
        let mut every = tokio::time::interval(self.config.lease / 3);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Err(error) = self.renew_leases().await {
                tracing::warn!(%error, "the leases could not be renewed; other workers may take the lanes over");
            }
        }
    }

    /// Renews the leases of what is in hand. [`Engine::run`] does it by itself; for tests, which move the clock themselves.
    ///
    /// # Errors
    /// What the database says.
    pub async fn renew_leases(&self) -> crate::db::Result<()> {
        let at = self.now.at();
        // Sign-in, look-up, chat and post, each within its limit.
        let longest = self.config.call * 4;
        let rows: Vec<_> = {
            let lanes = self.in_hand.lanes();
            let alive = lanes.iter().filter(|(_, (_, since))| at.since(*since) < longest);
            let mut rows: Vec<_> = alive.map(|((line, conversation), (fence, _))| (*line, *conversation, *fence)).collect();
            rows.sort_unstable();
            rows
        };
        if rows.is_empty() {
            return Ok(());
        }
        self.db.work(async |tx| tx.run(RENEW, (json(&rows), at.plus(self.config.lease))).await).await?;
        Ok(())
    }
}
