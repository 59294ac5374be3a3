//! What claimed lanes need: looked up for all of them at once, and their intents written in one transaction.

use super::lease::{Refused, free, holds_all};
use super::{Claim, Engine, LOOK_AHEAD, Next, OTHER, OpenIntent, Other, Prepared, STALLED_AT_ONCE, new_reference};
use crate::db::{Result, json};
use crate::messaging::timeline;
use crate::ringcentral::{self, Budget, Call, Connection, Leave};
use crate::sync::compose::{self, Line};
use crate::types::{AccountId, Change, ConnectionId, ConversationId, FailureKind, IntentId, LineId, MessageId, Timestamp};
use crate::work::faults::Guard;
use std::collections::HashMap;

type Key = (LineId, ConversationId);

#[derive(sqlx::FromRow)]
struct OpenRow {
    line_id: LineId,
    conversation_id: ConversationId,
    #[sqlx(flatten)]
    intent: OpenIntent,
}

#[derive(sqlx::FromRow)]
struct Entry {
    line_id: LineId,
    conversation_id: ConversationId,
    message_id: MessageId,
    alone: bool,
}

/// The next message of a lane, whether it has to be posted alone, and what it says.
type QueuedLine = (MessageId, bool, Line);

/// A lane that can go on when it has leave for a call: for a post of these entries into its chat, or for making the chat.
struct Asks {
    claim: Claim,
    connection: Connection,
    call: Call,
    post: Option<(String, Vec<QueuedLine>)>,
}

impl Engine {
    /// Looks at claimed lanes: what is ready to be posted, and what needs something else first. Lanes with nothing to do, or without
    /// leave to call, are let go. Who waits longest asks first, and what one is refused nobody asks for again.
    pub(super) async fn look(&self, claims: Vec<Claim>) -> Result<(Vec<Prepared>, Vec<Other>)> {
        if claims.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let keys: Vec<Key> = claims.iter().map(Claim::key).collect();
        let mut open: HashMap<Key, OpenIntent> = self.open_intents(&keys).await?;
        let mut connections: HashMap<AccountId, Option<Connection>> = HashMap::new();
        let (mut plain, mut others, mut asking) = (Vec::new(), Vec::new(), Vec::new());
        for claim in claims {
            // An open intent is settled against the connection that is written in it, anything else is posted through the account's own.
            let open = open.remove(&claim.key());
            let connection = match (&open, connections.get(&claim.account_id)) {
                (Some(open), _) => ringcentral::find(&self.db, Some(open.connection_id), claim.account_id).await?,
                (None, Some(known)) => known.clone(),
                (None, None) => {
                    let found = ringcentral::find(&self.db, None, claim.account_id).await?;
                    connections.insert(claim.account_id, found.clone());
                    found
                }
            };
            let chat = claim.chat_id.clone().filter(|_| claim.connection_id == connection.as_ref().map(|c| c.id));
            match (open, connection, chat) {
                (None, Some(connection), Some(chat)) => plain.push((claim, connection, chat)),
                (None, Some(connection), None) if claim.chat_asked_at.is_none() => {
                    asking.push(Asks { claim, connection, call: OTHER, post: None });
                }
                (open, connection, _) => others.push(Other { claim, open, connection, has_leave: false }),
            }
        }
        let keys: Vec<Key> = plain.iter().map(|(claim, ..)| claim.key()).collect();
        let mut queued = self.queued(&keys).await?;
        for (claim, connection, chat_id) in plain {
            let Some(entries) = queued.remove(&claim.key()) else {
                // Due at once if something came between looking and letting go.
                self.let_go(&claim, self.now.at()).await?;
                continue;
            };
            let call = if entries.iter().any(|(.., line)| line.inbound) { Call::Incoming } else { Call::History };
            asking.push(Asks { claim, connection, call, post: Some((chat_id, entries)) });
        }
        let ready = self.ask(asking, &mut others).await?;
        Ok((ready, others))
    }

    /// Asks for leave, lane by lane in the order of their arrival: what is ready to be posted; whose chat may be made is added to `others`.
    async fn ask(&self, mut asking: Vec<Asks>, others: &mut Vec<Other>) -> Result<Vec<Prepared>> {
        asking.sort_unstable_by_key(|asks| (asks.claim.queued_since, asks.claim.key()));
        let mut budgets: HashMap<ConnectionId, Budget> = HashMap::new();
        let mut refused: Vec<Refused> = Vec::new();
        let mut ready = Vec::with_capacity(asking.len());
        for Asks { claim, connection, call, post } in asking {
            if let Some(refused) = refused.iter_mut().find(|refused| refused.refuses(&connection, call)) {
                refused.add(claim);
                continue;
            }
            let budget = match budgets.get(&connection.id) {
                Some(known) => known,
                None => budgets.entry(connection.id).or_insert(Budget::read(&self.db, &connection).await?),
            };
            match (budget.ask(&self.db, &self.now, &connection, call).await?, post) {
                (Leave::Granted { few_left }, Some((chat_id, entries))) => {
                    ready.push(self.compose(claim, connection, chat_id, &entries, few_left));
                }
                (Leave::Granted { .. }, None) => {
                    others.push(Other { claim, open: None, connection: Some(connection), has_leave: true });
                }
                (Leave::Wait { until }, _) => {
                    let a_minute = budget.a_minute(&connection, call);
                    refused.push(Refused::new(claim, connection, call, until, a_minute));
                }
            }
        }
        for refused in refused {
            self.wait_in_line(refused).await?;
        }
        Ok(ready)
    }

    fn compose(&self, claim: Claim, connection: Connection, chat_id: String, entries: &[QueuedLine], join: bool) -> Prepared {
        let (at, reference) = (self.now.at(), new_reference(&self.now));
        let alone: Vec<bool> = entries.iter().map(|(_, alone, _)| *alone).collect();
        let lines: Vec<Line> = entries.iter().map(|(.., line)| line.clone()).collect();
        let count = compose::fitting(&lines, &alone, join, claim.left_out, &reference, at);
        let text = compose::post(&lines[..count], claim.left_out, &reference, at);
        let messages = entries[..count].iter().map(|(id, ..)| *id).collect();
        Prepared { claim, connection, chat_id, intent: IntentId(self.now.id()), reference, text, messages }
    }

    /// Does what a lane needs before anything can be posted in it.
    pub(super) async fn see_to(&self, other: Other) -> Result<Next> {
        let Other { claim, open, connection, has_leave } = other;
        match (connection, open) {
            // It was removed: an account's own stays while a call through it is open.
            (None, Some(open)) => self.nobody_can_look(&claim, &open).await,
            (None, None) => {
                let why = "the account has no connection to RingCentral";
                self.later(&claim, None, (FailureKind::NoConnection, why), STALLED_AT_ONCE).await
            }
            (Some(connection), Some(open)) => self.settle(claim, connection, open).await,
            (Some(connection), None) => self.find_or_make_chat(claim, connection, has_leave).await,
        }
    }

    async fn open_intents(&self, lanes: &[Key]) -> Result<HashMap<Key, OpenIntent>> {
        let rows: Vec<OpenRow> = self
            .db
            .all(
                "select i.line_id, i.conversation_id, i.id, i.connection_id, i.chat_id, i.reference, i.body, i.made_at, i.deadline_at,
                   i.calls, i.settled_at
                 from json_each($1) j
                 join intent i on i.line_id = unhex(j.value->>0, '-') and i.conversation_id = unhex(j.value->>1, '-')
                 where i.state = 'open'",
                [json(lanes)],
            )
            .await?;
        Ok(rows.into_iter().map(|row| ((row.line_id, row.conversation_id), row.intent)).collect())
    }

    /// The lanes' next entries with what they say, in sequence.
    async fn queued(&self, lanes: &[Key]) -> Result<HashMap<Key, Vec<QueuedLine>>> {
        let entries: Vec<Entry> = self
            .db
            .all(
                "select n.line_id, n.conversation_id, n.message_id, n.alone
                 from (select e.line_id, e.conversation_id, e.message_id, e.alone, e.seq,
                         row_number() over (partition by e.line_id, e.conversation_id order by e.seq) as place
                       from json_each($1) j
                       join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.conversation_id = unhex(j.value->>1, '-')
                       where e.state = 'queued') n
                 where n.place <= $2
                 order by n.line_id, n.conversation_id, n.seq",
                (json(lanes), LOOK_AHEAD),
            )
            .await?;
        let ids: Vec<(LineId, MessageId)> = entries.iter().map(|entry| (entry.line_id, entry.message_id)).collect();
        let mut lines = timeline::lines(&self.db, &ids, &self.config.public_url).await?;
        let mut found: HashMap<Key, Vec<QueuedLine>> = HashMap::new();
        for entry in entries {
            let Some(line) = lines.remove(&(entry.line_id, entry.message_id)) else { continue };
            found.entry((entry.line_id, entry.conversation_id)).or_default().push((entry.message_id, entry.alone, line));
        }
        Ok(found)
    }

    /// Commits intents under their fences; those whose lease was lost meanwhile fall out, and those of whose messages one was skipped
    /// since they were looked at: their lanes are due again at once.
    pub(super) async fn write_intents(&self, mut prepared: Vec<Prepared>, deadline: Timestamp) -> Result<Vec<Prepared>> {
        if prepared.is_empty() {
            return Ok(prepared);
        }
        // Lanes are always locked in the order of their keys.
        prepared.sort_unstable_by_key(|p| p.claim.key());
        let at = self.now.at();
        let leases: Vec<_> = prepared.iter().map(|p| (p.claim.line_id, p.claim.conversation_id, self.fence(&p.claim))).collect();
        // What a test is to see without one of these, this look at the entries would hide.
        let unlooked = matches!(self.config.broken, Some(Guard::Fence | Guard::LaneLock));
        self.db
            .work(async |tx| {
                let held = holds_all(tx, &leases).await?;
                let ours: Vec<Prepared> = prepared.iter().filter(|p| held.contains(&p.claim.key())).cloned().collect();
                let entries: Vec<_> =
                    ours.iter().flat_map(|p| p.messages.iter().map(|message| (p.claim.line_id, *message, p.intent))).collect();
                let taken: Vec<(IntentId,)> = tx
                    .all(
                        "update sync_entry as e set intent_id = unhex(j.value->>2, '-')
                         from json_each($1) j
                         where e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
                           and ($2 or (e.state = 'queued' and e.intent_id is null))
                         returning intent_id",
                        (json(&entries), unlooked),
                    )
                    .await?;
                let is_whole = |p: &Prepared| taken.iter().filter(|(intent,)| *intent == p.intent).count() == p.messages.len();
                let (ours, changed): (Vec<Prepared>, Vec<Prepared>) = ours.into_iter().partition(is_whole);
                if !changed.is_empty() {
                    let intents: Vec<_> = changed.iter().map(|p| (p.claim.line_id, p.intent)).collect();
                    tx.run(
                        "update sync_entry as e set intent_id = null
                         from json_each($1) j
                         where e.line_id = unhex(j.value->>0, '-') and e.intent_id = unhex(j.value->>1, '-')",
                        [json(&intents)],
                    )
                    .await?;
                    for p in &changed {
                        free(tx, &p.claim, at).await?;
                    }
                    tx.tell(Change::LaneDue);
                }
                let intents: Vec<_> = ours
                    .iter()
                    .map(|p| {
                        let lane = (p.claim.line_id, p.claim.conversation_id, p.claim.account_id);
                        (lane.0, lane.1, lane.2, p.intent, p.connection.id, &p.chat_id, &p.reference, &p.text)
                    })
                    .collect();
                tx.run(
                    "insert into intent (line_id, conversation_id, account_id, id, connection_id, chat_id, reference, body, state, made_at,
                       deadline_at, calls)
                     select unhex(j.value->>0, '-'), unhex(j.value->>1, '-'), unhex(j.value->>2, '-'), unhex(j.value->>3, '-'),
                       unhex(j.value->>4, '-'), j.value->>5, j.value->>6, j.value->>7, 'open', $2, $3, 1
                     from json_each($1) j",
                    (json(&intents), at, deadline),
                )
                .await?;
                Ok(ours)
            })
            .await
    }
}
