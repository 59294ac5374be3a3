//! The delivery engine: claims a lane that is due, makes one post, writes down how it ended, and lets the lane go.
//!
//! One lease covers one post. It is short, and renewed by a heartbeat while its holder lives, so that the lanes of a dead worker
//! go on within seconds. The intent, with the call's deadline, is committed before the call. After an ambiguous end the next
//! holder waits until that deadline and the settle time have passed, looks the reference up, and only then posts again.

mod chat;
mod heartbeat;
mod lease;
mod record;
mod settle;

use super::compose::{self, Line};
use crate::clock::Now;
use crate::db::{Db, Result};
use crate::messaging::inbound::json;
use crate::messaging::timeline;
use crate::ringcentral::{self, Call, Client, Connection, Group, Leave};
use crate::types::{AccountId, Change, ConnectionId, ConversationId, FailureKind, IntentId, LineId, MessageId, Timestamp};
use crate::work::faults::{self, Guard};
use crate::work::{Batcher, wait_for};
use heartbeat::InHand;
use lease::holds;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Entries that are looked at for one post.
const LOOK_AHEAD: i64 = 100;
/// Our clock and RingCentral's may differ by this much when a reference is looked up.
const CLOCKS_DIFFER: Duration = Duration::from_secs(300);
/// After a second call a double may turn up late; it is looked for once more after this time.
const WATCH: Duration = Duration::from_secs(600);
/// So many tries in a row without success make a lane stalled.
const STALLED_AFTER: i64 = 3;
/// What no repetition mends makes it stalled with the first.
const STALLED_AT_ONCE: i64 = 1;

/// Chats are made and posts looked up and deleted in this group.
const OTHER: Call = Call::Other(Group::Medium);

/// How the engine works; times are configurable, since RingCentral documents none of them.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// A call ends within this time.
    pub call: Duration,
    /// An accepted post is listed within this time; assumed, not documented.
    pub settle: Duration,
    /// A lane whose worker gave no sign of life for this long is free for another one.
    pub lease: Duration,
    /// Lanes worked at the same time.
    pub lanes: usize,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
    /// Where the console is, for links in posts.
    pub public_url: String,
    /// A guard that a test took out.
    pub broken: Option<Guard>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(15),
            settle: Duration::from_secs(20),
            lease: Duration::from_secs(6),
            lanes: 32,
            longest_pause: Duration::from_secs(300),
            public_url: String::new(),
            broken: None,
        }
    }
}

/// A worker of lanes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    db: Db,
    now: Now,
    client: Client,
    config: EngineConfig,
    recorder: Batcher<Posted, Result<(), String>>,
    in_hand: InHand,
}

/// A lane under lease.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claim {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    fence: i64,
    attempts: i64,
    left_out: i64,
    connection_id: Option<ConnectionId>,
    chat_id: Option<String>,
    chat_reference: Option<String>,
    chat_asked_at: Option<Timestamp>,
    chat_members: Option<String>,
}

/// A post that is ready to be written down and made.
#[derive(Debug, Clone)]
pub struct Prepared {
    claim: Claim,
    connection: Connection,
    chat_id: String,
    intent: IntentId,
    reference: String,
    text: String,
    messages: Vec<MessageId>,
}

/// A post that was made.
#[derive(Debug, Clone)]
struct Posted {
    claim: Claim,
    intent: IntentId,
    post_id: String,
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct OpenIntent {
    id: IntentId,
    connection_id: ConnectionId,
    chat_id: String,
    reference: String,
    body: Option<String>,
    made_at: Timestamp,
    deadline_at: Timestamp,
}

/// What comes next for a lane that was looked at.
#[derive(Debug)]
pub enum Next {
    /// This post.
    Post(Box<Prepared>),
    /// Nothing now; the lane was let go.
    Nothing,
}

/// A short reference that stands in a post: `sw-` and ten signs without vowels, so that it spells nothing.
pub(super) fn new_reference(now: &Now) -> String {
    const SIGNS: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";
    let signs: String = (0..10).map(|_| char::from(SIGNS[usize::try_from(now.rng.below(SIGNS.len() as u64)).unwrap_or(0)])).collect();
    format!("sw-{signs}")
}

impl Engine {
    /// An engine on this database and client. Its recorder runs on the current tokio runtime.
    pub fn new(db: Db, now: Now, client: Client, config: EngineConfig) -> Self {
        let db = db.in_background();
        let recorder = {
            let (db, now) = (db.clone(), now.clone());
            let fenced = config.broken != Some(Guard::Fence);
            Batcher::start(
                // On SQLite a carrier's webhook waits while these are written.
                32,
                move |posted| {
                    let (db, now) = (db.clone(), now.clone());
                    async move { record::record_posted(&db, &now, posted, fenced).await }
                },
                |error: crate::db::Error| Err(error.to_string()),
            )
        };
        Self { db, now, client, config, recorder, in_hand: InHand::default() }
    }

    /// Works until told to stop, then finishes the posts under way and gives back the leases.
    pub async fn run(self, stop: CancellationToken) {
        let heart = tokio::spawn(self.clone().beat());
        self.work(stop).await;
        heart.abort();
    }

    async fn work(&self, stop: CancellationToken) {
        let mut bell = self.db.changes();
        let mut under_way = JoinSet::new();
        loop {
            let free = self.config.lanes - under_way.len();
            let claims = if stop.is_cancelled() || free == 0 {
                Vec::new()
            } else {
                self.claim(free).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "no lane could be claimed");
                    Vec::new()
                })
            };
            let idle = claims.is_empty();
            for claim in claims {
                let engine = self.clone();
                under_way.spawn(async move { engine.deliver(claim).await });
            }
            if stop.is_cancelled() {
                while under_way.join_next().await.is_some() {}
                return;
            }
            if idle {
                if let Err(error) = self.look_for_doubles().await {
                    tracing::error!(%error, "doubles could not be looked for");
                }
                tokio::select! {
                    () = wait_for(&mut bell, Change::LaneDue, Duration::from_millis(500)) => {}
                    Some(_) = under_way.join_next() => {}
                    () = stop.cancelled() => {}
                }
            }
            while under_way.try_join_next().is_some() {}
        }
    }

    /// Claims what is due now and delivers it, or, when nothing is, looks for doubles; says how many lanes it took. For tests, which
    /// move the clock themselves.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<usize> {
        let claims = self.claim(self.config.lanes).await?;
        let count = claims.len();
        if count == 0 {
            self.look_for_doubles().await?;
        }
        futures_util::future::join_all(claims.into_iter().map(|claim| self.deliver(claim))).await;
        Ok(count)
    }

    /// One post of a claimed lane, from looking to writing down. A failure of ours is logged, and the lease runs out by itself.
    async fn deliver(&self, claim: Claim) {
        let (line, conversation) = (claim.line_id, claim.conversation_id);
        let _in_hand = self.in_hand.take(&claim, self.now.at());
        let done = async {
            match self.prepare(claim).await? {
                Next::Post(prepared) => self.carry_out(*prepared).await,
                Next::Nothing => Ok(()),
            }
        };
        if let Err(error) = done.await {
            tracing::error!(%line, %conversation, %error, "a lane could not be worked");
        }
    }

    /// Looks at a claimed lane and says what to post, after settling what an earlier holder left open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prepare(&self, claim: Claim) -> Result<Next> {
        let open: Option<OpenIntent> = self
            .db
            .opt(
                "select id, connection_id, chat_id, reference, body, made_at, deadline_at
                 from intent where line_id = $1 and conversation_id = $2 and state = 'open'",
                (claim.line_id, claim.conversation_id),
            )
            .await?;
        // An open intent is settled against the connection that is written in it, anything else is posted through the account's own.
        let wanted = open.as_ref().map(|i| i.connection_id);
        let Some(connection) = ringcentral::find(&self.db, wanted, claim.account_id).await? else {
            let why = "the account has no connection to RingCentral";
            return self.later(&claim, None, (FailureKind::NoConnection, why), STALLED_AT_ONCE).await;
        };
        if let Some(open) = open {
            return self.settle(claim, connection, open).await;
        }
        let chat = claim.chat_id.clone().filter(|_| claim.connection_id == Some(connection.id));
        let Some(chat_id) = chat else { return self.find_or_make_chat(claim, connection).await };

        let queued = self.queued(&claim).await?;
        if queued.is_empty() {
            // Due at once if something came between looking and letting go.
            self.let_go(&claim, self.now.at()).await?;
            return Ok(Next::Nothing);
        }
        let call = if queued.iter().any(|(_, _, line)| line.inbound) { Call::Incoming } else { Call::History };
        let join = match ringcentral::ask_leave(&self.db, &self.now, &connection, call).await? {
            Leave::Granted { few_left } => few_left,
            Leave::Wait { until } => {
                self.let_go(&claim, until).await?;
                return Ok(Next::Nothing);
            }
        };
        let reference = new_reference(&self.now);
        let alone: Vec<bool> = queued.iter().map(|(_, alone, _)| *alone).collect();
        let lines: Vec<Line> = queued.iter().map(|(.., line)| line.clone()).collect();
        let count = compose::fitting(&lines, &alone, join, claim.left_out, &reference);
        let text = compose::post(&lines[..count], claim.left_out, &reference);
        let messages = queued[..count].iter().map(|(id, ..)| *id).collect();
        let intent = IntentId(self.now.id());
        Ok(Next::Post(Box::new(Prepared { claim, connection, chat_id, intent, reference, text, messages })))
    }

    /// Writes the intent down, makes the post, and writes down how it ended.
    ///
    /// # Errors
    /// What the database says; the intent then stays open, and the next holder settles it.
    pub async fn carry_out(&self, prepared: Prepared) -> Result<()> {
        let written_first = self.config.broken != Some(Guard::Intent);
        let deadline = self.now.at().plus(self.config.call);
        if written_first && !self.write_intent(&prepared, deadline).await? {
            return Ok(());
        }
        faults::point("intent");
        // However long the commit took: the call ends by the deadline that the next holder goes by.
        let limit = deadline.since(self.now.at());
        let outcome = self.client.create_post(&prepared.connection, &prepared.chat_id, &prepared.text, limit).await;
        faults::point("called");
        if !written_first && !self.write_intent(&prepared, deadline).await? {
            return Ok(());
        }
        let done = self.record(prepared.claim, prepared.intent, outcome).await;
        faults::point("recorded");
        done
    }

    /// The lane's next entries with what they say, in sequence.
    async fn queued(&self, claim: &Claim) -> Result<Vec<(MessageId, bool, Line)>> {
        let entries: Vec<(MessageId, bool)> = self
            .db
            .all(
                "select message_id, alone from sync_entry
                 where line_id = $1 and conversation_id = $2 and state = 'queued'
                 order by seq
                 limit $3",
                (claim.line_id, claim.conversation_id, LOOK_AHEAD),
            )
            .await?;
        let console = format!("{}/lines/{}/conversations/{}", self.config.public_url, claim.line_id, claim.conversation_id);
        let ids: Vec<MessageId> = entries.iter().map(|(id, _)| *id).collect();
        let lines = timeline::lines(&self.db, claim.line_id, &ids, &console).await?;
        Ok(entries.into_iter().filter_map(|(id, alone)| Some((id, alone, lines.get(&id)?.clone()))).collect())
    }

    /// Commits the intent under the fence; `false` when the lease was lost meanwhile.
    async fn write_intent(&self, p: &Prepared, deadline: Timestamp) -> Result<bool> {
        let at = self.now.at();
        let fence = self.fence(&p.claim);
        self.db
            .work(async |tx| {
                if !holds(tx, &p.claim, fence).await? {
                    return Ok(false);
                }
                tx.run(
                    "insert into intent (line_id, id, conversation_id, account_id, connection_id, chat_id, reference, body, state, made_at,
                       deadline_at, calls)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, 1)",
                    (
                        p.claim.line_id,
                        p.intent,
                        p.claim.conversation_id,
                        p.claim.account_id,
                        p.connection.id,
                        p.chat_id.clone(),
                        p.reference.clone(),
                        p.text.clone(),
                        at,
                        deadline,
                    ),
                )
                .await?;
                let keys: Vec<[MessageId; 1]> = p.messages.iter().map(|id| [*id]).collect();
                tx.run(
                    "update sync_entry as e set intent_id = $2
                     from json_each($3) j
                     where e.line_id = $1 and e.message_id = unhex(j.value->>0, '-')",
                    (p.claim.line_id, p.intent, json(&keys)),
                )
                .await?;
                Ok(true)
            })
            .await
    }
}
