//! The sign of life of a worker: it renews the leases of the lanes in its hand, all in one statement.
//!
//! The rule: a lane is renewed only while its post can still be under way. A holder that hangs loses it like one that died.

use super::{Claim, Engine};
use crate::db::{Sql, json};
use crate::types::{AccountId, ConversationId, LineId, Timestamp};
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

type Lanes = HashMap<(LineId, ConversationId), (i64, Timestamp, AccountId)>;

/// The lanes that are worked here, each with its fence, since when, and for which account.
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
        self.lanes().insert(key, (claim.fence, at, claim.account_id));
        Held { all: self.clone(), key, fence: claim.fence }
    }

    /// What may be taken in hand when so many lanes are free.
    pub(super) fn room(&self, free: usize) -> Room {
        let mut of_accounts: HashMap<AccountId, usize> = HashMap::new();
        for (.., account) in self.lanes().values() {
            *of_accounts.entry(*account).or_default() += 1;
        }
        Room::new(free, of_accounts)
    }
}

/// What may be taken in hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// So many lanes,
    pub most: usize,
    /// none of which is one of these accounts: they have their share.
    pub full: Vec<[AccountId; 1]>,
}

impl Room {
    /// Each account leaves an eighth of what the others leave it free, and one lane at least: should its calls hang, there is room for
    /// another, and should that one's hang, for a third. By itself it has nearly all.
    fn new(free: usize, of_accounts: HashMap<AccountId, usize>) -> Self {
        let share = |free: usize| free.saturating_sub((free / 8).max(1)).max(1);
        // An account that has none under way yet.
        let mut most = share(free).min(free);
        let mut full = Vec::new();
        for (account, own) in of_accounts {
            match share(free + own).saturating_sub(own) {
                0 => full.push([account]),
                left => most = most.min(left),
            }
        }
        Self { most, full }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut lanes = self.all.lanes();
        // The lane may have been lost and taken again here.
        if lanes.get(&self.key).is_some_and(|(fence, ..)| *fence == self.fence) {
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
            let alive = lanes.iter().filter(|(_, (_, since, _))| at.since(*since) < longest);
            let mut rows: Vec<_> = alive.map(|((line, conversation), (fence, ..))| (*line, *conversation, *fence)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn one_account_has_nearly_all_lanes_and_three_that_hang_leave_one() {
        let account = |n: u128| AccountId(Uuid::from_u128(n));
        let room = |free, of: &[(u128, usize)]| Room::new(free, of.iter().map(|(n, own)| (account(*n), *own)).collect());
        assert_eq!(room(32, &[]), Room { most: 28, full: vec![] });
        assert_eq!(room(5, &[(1, 27)]), Room { most: 1, full: vec![] }, "one of its lanes has ended");
        assert_eq!(room(4, &[(1, 28)]), Room { most: 3, full: vec![[account(1)]] });
        let two = room(1, &[(1, 28), (2, 3)]);
        assert_eq!((two.most, two.full.len()), (1, 2), "a third one has a lane");
        for lanes in 1..=4 {
            assert_eq!(room(lanes, &[]).most, (lanes - 1).max(1));
        }
        assert_eq!(room(0, &[(1, 1)]).most, 0);
    }
}
