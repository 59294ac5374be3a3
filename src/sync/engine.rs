//! The delivery engine: claims a lane that is due, makes one post, writes down how it ended, and lets the lane go.
//!
//! One lease covers one post. It is short, and renewed by a heartbeat while its holder lives, so that the lanes of a dead worker
//! go on within seconds. The intent, with the call's deadline, is committed before the call. After an ambiguous end the next
//! holder waits until that deadline and the settle time have passed, looks the reference up, and only then posts again. What was called
//! often and is never there goes in smaller posts; a message by itself rests between the tries, and staff may skip it then.

mod chat;
mod heartbeat;
mod lease;
mod look;
mod record;
mod settle;

use crate::clock::Now;
use crate::db::{Db, Result};
use crate::ringcentral::{Call, Client, Connection, Group};
use crate::types::{AccountId, Change, ConnectionId, ConversationId, IntentId, LineId, MessageId, Timestamp};
use crate::work::faults::{self, Guard};
use crate::work::{Batcher, wait_for};
use heartbeat::{Held, InHand, Room};
pub(super) use record::give_up;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Entries that are looked at for one post.
const LOOK_AHEAD: i64 = 100;
/// Our clock and RingCentral's may differ by this much when a reference is looked up.
pub(super) const CLOCKS_DIFFER: Duration = Duration::from_secs(300);
/// After a second call a double may turn up late; it is looked for once more after this time.
const WATCH: Duration = Duration::from_secs(600);
/// What cannot be looked at in this time, since its connection is paused or refused, is no longer looked for.
const WATCHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// So many doubles are looked for at a time.
const WATCHED: i64 = 4;
/// What was called through the connection of an account that the line has left is looked for no longer than this: the new account's
/// conversations wait for it.
const ELSEWHERE: Duration = Duration::from_secs(2 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// So many tries in a row without success make a lane stalled.
const STALLED_AFTER: i64 = 3;
/// A post that was called so often without a clear answer, and is not there, may be what RingCentral fails on.
const CALLED_IN_VAIN: i64 = 3;
/// What no repetition mends makes it stalled with the first.
const STALLED_AT_ONCE: i64 = 1;
/// Past the lanes of an account that has its share, of which there may be very many, is looked so often.
const LOOK_PAST: Duration = Duration::from_millis(100);

/// Chats are made and posts looked up and deleted in this group.
const OTHER: Call = Call::Other(Group::Medium);
/// The same when no conversation waits for it.
const UNHURRIED: Call = Call::Unhurried(Group::Medium);

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
    queued_since: Option<Timestamp>,
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
    calls: i64,
    /// After its last call it was looked for and was not there.
    settled_at: Option<Timestamp>,
}

/// A lane that needs something else before anything can be posted: an open intent settled, a chat, a connection.
#[derive(Debug)]
struct Other {
    claim: Claim,
    open: Option<OpenIntent>,
    connection: Option<Connection>,
    /// To make its chat.
    has_leave: bool,
}

/// What remains to be done for a lane.
enum Work {
    Post(Box<Prepared>),
    Other(Box<Other>),
}

impl Claim {
    fn key(&self) -> (LineId, ConversationId) {
        (self.line_id, self.conversation_id)
    }
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
        // Beside the lanes, which do not wait for it; nor does whoever stops.
        let mut doubles = JoinSet::new();
        let mut nothing_past: Option<Instant> = None;
        loop {
            let free = self.config.lanes - under_way.len();
            let Room { most, full } = self.in_hand.room(free);
            let is_time = full.is_empty() || nothing_past.is_none_or(|looked| looked.elapsed() >= LOOK_PAST);
            let looks = !stop.is_cancelled() && free > 0 && is_time;
            let claims = if looks {
                self.claim_of_others(most, &full).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "no lane could be claimed");
                    Vec::new()
                })
            } else {
                Vec::new()
            };
            let idle = claims.is_empty();
            if looks && !full.is_empty() {
                nothing_past = idle.then(Instant::now);
            }
            for delivery in self.begin(claims).await {
                under_way.spawn(delivery);
            }
            if stop.is_cancelled() {
                while under_way.join_next().await.is_some() {}
                return;
            }
            if idle {
                while doubles.try_join_next().is_some() {}
                if doubles.is_empty() && (looks || free == 0) {
                    let engine = self.clone();
                    doubles.spawn(async move {
                        if let Err(error) = engine.look_for_doubles().await {
                            tracing::error!(%error, "doubles could not be looked for");
                        }
                    });
                }
                let pause = if full.is_empty() { Duration::from_secs(1) } else { LOOK_PAST };
                tokio::select! {
                    () = wait_for(&mut bell, Change::LaneDue, pause) => {}
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
        futures_util::future::join_all(self.begin(claims).await).await;
        Ok(count)
    }

    /// What is to be done for claimed lanes, each by itself: their intents are written, all in one transaction, and the calls remain.
    /// A failure of ours is logged, and the leases run out by themselves.
    async fn begin(&self, claims: Vec<Claim>) -> Vec<impl Future<Output = ()> + Send + use<>> {
        let mut hands: HashMap<(LineId, ConversationId), Held> =
            claims.iter().map(|claim| (claim.key(), self.in_hand.take(claim, self.now.at()))).collect();
        let deadline = self.now.at().plus(self.config.call);
        let (ready, others) = match self.look_and_intend(claims.clone(), deadline).await {
            Ok(found) => found,
            // One bad lane must not stop the others.
            Err(error) => {
                tracing::error!(%error, lanes = claims.len(), "lanes could not be looked at together");
                let (mut ready, mut others) = (Vec::new(), Vec::new());
                for claim in claims {
                    match self.look_and_intend(vec![claim], deadline).await {
                        Ok((one, other)) => {
                            ready.extend(one);
                            others.extend(other);
                        }
                        Err(error) => tracing::error!(%error, "a lane could not be looked at"),
                    }
                }
                (ready, others)
            }
        };
        let ready = ready.into_iter().map(|prepared| (prepared.claim.key(), Work::Post(Box::new(prepared))));
        let others = others.into_iter().map(|other| (other.claim.key(), Work::Other(Box::new(other))));
        ready
            .chain(others)
            .map(|(key, work)| {
                let (engine, in_hand) = (self.clone(), hands.remove(&key));
                async move {
                    let _in_hand = in_hand;
                    let done = match work {
                        Work::Post(prepared) => engine.call(*prepared, deadline).await,
                        Work::Other(other) => engine.see_to(*other).await.map(|_| ()),
                    };
                    if let Err(error) = done {
                        let (line, conversation) = key;
                        tracing::error!(%line, %conversation, %error, "a lane could not be worked");
                    }
                }
            })
            .collect()
    }

    /// Looks at claimed lanes, and writes down the intents of those that are ready.
    async fn look_and_intend(&self, claims: Vec<Claim>, deadline: Timestamp) -> Result<(Vec<Prepared>, Vec<Other>)> {
        let (ready, others) = self.look(claims).await?;
        let ready = if self.config.broken == Some(Guard::Intent) { ready } else { self.write_intents(ready, deadline).await? };
        Ok((ready, others))
    }

    /// Looks at a claimed lane and says what to post, after settling what an earlier holder left open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn prepare(&self, claim: Claim) -> Result<Next> {
        let (mut ready, mut others) = self.look(vec![claim]).await?;
        match (ready.pop(), others.pop()) {
            (Some(prepared), _) => Ok(Next::Post(Box::new(prepared))),
            (None, Some(other)) => self.see_to(other).await,
            (None, None) => Ok(Next::Nothing),
        }
    }

    /// Writes the intent down, makes the post, and writes down how it ended.
    ///
    /// # Errors
    /// What the database says; the intent then stays open, and the next holder settles it.
    pub async fn carry_out(&self, prepared: Prepared) -> Result<()> {
        let deadline = self.now.at().plus(self.config.call);
        let ready =
            if self.config.broken == Some(Guard::Intent) { vec![prepared] } else { self.write_intents(vec![prepared], deadline).await? };
        for prepared in ready {
            self.call(prepared, deadline).await?;
        }
        Ok(())
    }

    /// Makes a post whose intent is written, and writes down how it ended.
    async fn call(&self, prepared: Prepared, deadline: Timestamp) -> Result<()> {
        faults::point("intent");
        // However long it took to come here: the call ends by the deadline that the next holder goes by.
        let limit = deadline.since(self.now.at());
        let outcome = self.client.create_post(&prepared.connection, &prepared.chat_id, &prepared.text, limit).await;
        faults::point("called");
        if self.config.broken == Some(Guard::Intent) && self.write_intents(vec![prepared.clone()], deadline).await?.is_empty() {
            return Ok(());
        }
        let done = self.record(prepared.claim, prepared.intent, outcome).await;
        faults::point("recorded");
        done
    }
}
