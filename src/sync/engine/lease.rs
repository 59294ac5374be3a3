//! The lease of a lane: taken for one post, checked by its fence with each write, given back with when the lane is due again.

use super::{Claim, Engine, Next, STALLED_AFTER, STALLED_AT_ONCE};
use crate::db::{Result, Sql, Tx, json};
use crate::figures::{self, Counter};
use crate::ringcentral::{Call, Connection, Outcome};
use crate::types::{AccountId, Change, ConversationId, FailureKind, LineId, Timestamp, without_numbers};
use crate::work::backoff;
use crate::work::faults::{self, Guard};
use std::collections::HashSet;
use std::time::Duration;

const CLAIM: Sql = Sql {
    sqlite: "update lane as l set fence = l.fence + 1, lease_until = $2
             from (select line_id, conversation_id from lane
                   where due_at <= $1 and (lease_until is null or lease_until <= $1)
                     and account_id not in (select unhex(j.value->>0, '-') from json_each($4) j)
                   order by due_at, line_id, conversation_id limit $3) d
             where l.line_id = d.line_id and l.conversation_id = d.conversation_id
             returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference,
               chat_asked_at, chat_members, queued_since",
    postgres: "update lane as l set fence = l.fence + 1, lease_until = $2
               from (select line_id, conversation_id from lane
                     where due_at <= $1 and (lease_until is null or lease_until <= $1)
                       and account_id not in (select unhex(j.value->>0, '-') from json_each($4) j)
                     order by due_at, line_id, conversation_id limit $3 for update of lane skip locked) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id
               returning l.line_id, l.conversation_id, l.account_id, l.fence, l.attempts, l.left_out, l.connection_id, l.chat_id,
                 l.chat_reference, l.chat_asked_at, l.chat_members, l.queued_since",
};

/// What a test puts in place of [`CLAIM`]: two workers may hold one lane.
const CLAIM_WITHOUT_LOCK: &str = "update lane set lease_until = $2
     where (line_id, conversation_id) in (
       select line_id, conversation_id from lane
       where due_at <= $1 and account_id not in (select unhex(j.value->>0, '-') from json_each($4) j)
       order by due_at, line_id, conversation_id limit $3)
     returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference, chat_asked_at,
       chat_members, queued_since";

/// So many minutes ahead a lane is put at most, however many are before it: the limit may be lifted.
const FURTHEST: i64 = 5;
/// Lanes that wait for the same moment are due within so much of it, each a microsecond behind the one before it.
const TOGETHER: Duration = Duration::from_secs(1);

/// The lanes of an account that wait for leave to make a call of a kind: in the order of their arrival, and so many for each minute as it
/// allows, so that a lane is looked at about once before its call is made. When a lane is due says its place, which needs no index.
const IN_LINE: Sql = Sql {
    sqlite: "update lane as l
             set due_at = $5 + (case when d.place / $6 < $7 then d.place / $6 else $7 end) * 60000000 + d.place
             from (select n.line_id as its_line, n.conversation_id as its_conversation,
                     row_number() over (order by n.queued_since, n.line_id, n.conversation_id) - 1 as place
                   from lane n
                   where n.account_id = $1 and n.due_at <= $4 and (n.lease_until is null or n.lease_until <= $3)
                     and coalesce(n.chat_id is not null and n.connection_id = $2, false) = $8 and ($8 or n.chat_asked_at is null)
                     and not exists (select 1 from intent i
                                     where i.line_id = n.line_id and i.conversation_id = n.conversation_id and i.state = 'open')
                     and ($9 or not exists (select 1 from sync_entry e
                                            where e.line_id = n.line_id and e.conversation_id = n.conversation_id
                                              and e.state = 'queued' and e.inbound))) d
             where l.line_id = d.its_line and l.conversation_id = d.its_conversation",
    postgres: "update lane as l
               set due_at = $5 + (case when d.place / $6 < $7 then d.place / $6 else $7 end) * 60000000 + d.place
               from (select n.line_id, n.conversation_id,
                       row_number() over (order by n.queued_since, n.line_id, n.conversation_id) - 1 as place
                     from (select w.line_id, w.conversation_id, w.queued_since
                           from lane w
                           where w.account_id = $1 and w.due_at <= $4 and (w.lease_until is null or w.lease_until <= $3)
                             and coalesce(w.chat_id is not null and w.connection_id = $2, false) = $8 and ($8 or w.chat_asked_at is null)
                             and not exists (select 1 from intent i
                                             where i.line_id = w.line_id and i.conversation_id = w.conversation_id and i.state = 'open')
                             and ($9 or not exists (select 1 from sync_entry e
                                                    where e.line_id = w.line_id and e.conversation_id = w.conversation_id
                                                      and e.state = 'queued' and e.inbound))
                           for update of w skip locked) n) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id",
};

/// Lanes of a connection that are refused leave to make a call of a kind.
#[derive(Debug)]
pub(super) struct Refused {
    connection: Connection,
    call: Call,
    until: Timestamp,
    /// How many such calls a minute has room for.
    a_minute: i64,
    claims: Vec<Claim>,
}

impl Refused {
    pub(super) fn new(claim: Claim, connection: Connection, call: Call, until: Timestamp, a_minute: i64) -> Self {
        Self { connection, call, until, a_minute, claims: vec![claim] }
    }

    /// Whether such a call is refused with these: where a reply has no room, nor has history.
    pub(super) fn refuses(&self, connection: &Connection, call: Call) -> bool {
        self.connection.id == connection.id && (self.call == call || (self.call == Call::Incoming && call == Call::History))
    }

    pub(super) fn add(&mut self, claim: Claim) {
        self.claims.push(claim);
    }
}

impl Engine {
    /// Takes leases on lanes that are due.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(&self, most: usize) -> Result<Vec<Claim>> {
        self.claim_of_others(most, &[]).await
    }

    /// Takes leases on lanes that are due and not of these accounts.
    pub(super) async fn claim_of_others(&self, most: usize, accounts: &[[AccountId; 1]]) -> Result<Vec<Claim>> {
        let at = self.now.at();
        let until = at.plus(self.config.lease);
        let claim = if self.config.broken == Some(Guard::LaneLock) { CLAIM_WITHOUT_LOCK.into() } else { CLAIM };
        let claims = self.db.work(async |tx| tx.all(claim, (at, until, i64::try_from(most).unwrap_or(1), json(accounts))).await).await?;
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
        // RingCentral's own words may name the contact.
        let told = without_numbers(&why);
        tracing::info!(line = %claim.line_id, conversation = %claim.conversation_id, certain, why = told, "a delivery did not succeed");
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

    /// Gives the leases of these lanes back: there is no leave for their calls before a time. They wait for it in the order of their
    /// arrival, with all other lanes of their account that are due by then: these would be refused, too.
    pub(super) async fn wait_in_line(&self, refused: Refused) -> Result<()> {
        let at = self.now.at();
        let Refused { connection, call, until, a_minute, mut claims } = refused;
        // Lanes are always locked in the order of their keys.
        claims.sort_unstable_by_key(Claim::key);
        let leases: Vec<_> = claims.iter().map(|claim| (claim.line_id, claim.conversation_id, self.fence(claim))).collect();
        let (is_post, is_all) = (!matches!(call, Call::Other(_)), call != Call::History);
        // History waits no longer than it must: a reply that joins it may have leave.
        let a_minute = if is_all { a_minute } else { i64::MAX };
        self.db
            .work(async |tx| {
                tx.run(
                    "update lane as l
                     set lease_until = null, due_at = case when l.queued > 0 then cast($2 as bigint) end
                     from json_each($1) j
                     where l.line_id = unhex(j.value->>0, '-') and l.conversation_id = unhex(j.value->>1, '-')
                       and (j.value->>2 is null or l.fence = cast(j.value->>2 as bigint))",
                    (json(&leases), until),
                )
                .await?;
                tx.run(
                    IN_LINE,
                    (connection.account_id, connection.id, at, until.plus(TOGETHER), until, a_minute, FURTHEST, is_post, is_all),
                )
                .await
            })
            .await?;
        Ok(())
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
