//! The delivery engine: claims a lane that is due, makes one post, writes down how it ended, and lets the lane go.
//!
//! One lease covers one post. The intent is committed before the call; the call ends before the lease. After an ambiguous end
//! the next holder waits for the settle time, looks the reference up, and only then posts again.

use super::compose::{self, Line};
use super::lane::shift;
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::messaging::inbound::json;
use crate::messaging::timeline;
use crate::ringcentral::{self, Client, Connection, Leave, Outcome, Refusal};
use crate::types::{AccountId, Change, ConnectionId, ConversationId, IntentId, LineId, MessageId, Timestamp};
use crate::work::faults::{self, Guard};
use crate::work::{Batcher, backoff, wait_for};
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

/// How the engine works; times are configurable, since RingCentral documents none of them.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// A call ends within this time.
    pub call: Duration,
    /// An accepted post is listed within this time; assumed, not documented.
    pub settle: Duration,
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

#[derive(sqlx::FromRow)]
struct Watched {
    line_id: LineId,
    #[sqlx(flatten)]
    intent: OpenIntent,
}

/// What comes next for a lane that was looked at.
#[derive(Debug)]
pub enum Next {
    /// This post.
    Post(Box<Prepared>),
    /// Nothing now; the lane was let go.
    Nothing,
}

const CLAIM: Sql = Sql {
    sqlite: "update lane as l set fence = l.fence + 1, lease_until = $2
             from (select line_id, conversation_id from lane
                   where due_at <= $1 and (lease_until is null or lease_until <= $1)
                   order by due_at, line_id, conversation_id limit $3) d
             where l.line_id = d.line_id and l.conversation_id = d.conversation_id
             returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference,
               chat_asked_at",
    postgres: "update lane as l set fence = l.fence + 1, lease_until = $2
               from (select line_id, conversation_id from lane
                     where due_at <= $1 and (lease_until is null or lease_until <= $1)
                     order by due_at, line_id, conversation_id limit $3 for update skip locked) d
               where l.line_id = d.line_id and l.conversation_id = d.conversation_id
               returning l.line_id, l.conversation_id, l.account_id, l.fence, l.attempts, l.left_out, l.connection_id, l.chat_id,
                 l.chat_reference, l.chat_asked_at",
};

/// What a test puts in place of [`CLAIM`]: two workers may hold one lane.
const CLAIM_WITHOUT_LOCK: &str = "update lane set lease_until = $2
     where (line_id, conversation_id) in (
       select line_id, conversation_id from lane where due_at <= $1 order by due_at, line_id, conversation_id limit $3)
     returning line_id, conversation_id, account_id, fence, attempts, left_out, connection_id, chat_id, chat_reference, chat_asked_at";

/// A short reference that stands in a post: `sw-` and ten signs without vowels, so that it spells nothing.
fn new_reference(now: &Now) -> String {
    const SIGNS: &[u8] = b"23456789bcdfghjkmnpqrstvwxz";
    let signs: String = (0..10).map(|_| char::from(SIGNS[usize::try_from(now.rng.below(SIGNS.len() as u64)).unwrap_or(0)])).collect();
    format!("sw-{signs}")
}

impl Engine {
    /// An engine on this database and client. Its recorder runs on the current tokio runtime.
    pub fn new(db: Db, now: Now, client: Client, config: EngineConfig) -> Self {
        let recorder = {
            let (db, now) = (db.clone(), now.clone());
            let fenced = config.broken != Some(Guard::Fence);
            Batcher::start(
                128,
                move |posted| {
                    let (db, now) = (db.clone(), now.clone());
                    async move { record_posted(&db, &now, posted, fenced).await }
                },
                |error: crate::db::Error| Err(error.to_string()),
            )
        };
        Self { db, now, client, config, recorder }
    }

    /// Works until told to stop, then finishes the posts under way and gives back the leases.
    pub async fn run(self, stop: CancellationToken) {
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

    /// Takes leases on lanes that are due.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(&self, most: usize) -> Result<Vec<Claim>> {
        let at = self.now.at();
        // The call ends before the lease: sign-in, look-up and post each within their limit.
        let until = at.plus(self.config.call * 4);
        let claim = if self.config.broken == Some(Guard::LaneLock) { CLAIM_WITHOUT_LOCK.into() } else { CLAIM };
        let claims = self.db.work(async |tx| tx.all(claim, (at, until, i64::try_from(most).unwrap_or(1))).await).await?;
        if !claims.is_empty() {
            faults::point("claimed");
        }
        Ok(claims)
    }

    /// One post of a claimed lane, from looking to writing down. A failure of ours is logged, and the lease runs out by itself.
    async fn deliver(&self, claim: Claim) {
        let (line, conversation) = (claim.line_id, claim.conversation_id);
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
        // An open intent is settled against the connection that is written in it.
        let wanted = open.as_ref().map(|i| i.connection_id).or(claim.connection_id);
        let Some(connection) = ringcentral::find(&self.db, wanted, claim.account_id).await? else {
            return self.later(&claim, None, "the account has no connection to RingCentral").await;
        };
        if let Some(open) = open {
            return self.settle(claim, connection, open).await;
        }
        let Some(chat_id) = claim.chat_id.clone() else { return self.find_or_make_chat(claim, connection).await };

        let queued = self.queued(&claim).await?;
        if queued.is_empty() {
            // Due at once if something came between looking and letting go.
            self.let_go(&claim, self.now.at()).await?;
            return Ok(Next::Nothing);
        }
        let history = !queued.iter().any(|(_, _, line)| line.inbound);
        let join = match ringcentral::ask_leave(&self.db, &self.now, &connection, history).await? {
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
        if written_first && !self.write_intent(&prepared).await? {
            return Ok(());
        }
        faults::point("intent");
        let outcome = self.client.create_post(&prepared.connection, &prepared.chat_id, &prepared.text, self.config.call).await;
        faults::point("called");
        if !written_first && !self.write_intent(&prepared).await? {
            return Ok(());
        }
        let done = self.record(prepared.claim, &prepared.connection, prepared.intent, outcome).await;
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
    async fn write_intent(&self, p: &Prepared) -> Result<bool> {
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
                        at.plus(self.config.call),
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

    /// The fence that this holder's writes carry; none when a test took the guard out.
    fn fence(&self, claim: &Claim) -> Option<i64> {
        (self.config.broken != Some(Guard::Fence)).then_some(claim.fence)
    }

    /// An earlier holder left an intent open: nobody knows whether its post was accepted. Wait, look, then decide.
    async fn settle(&self, claim: Claim, connection: Connection, open: OpenIntent) -> Result<Next> {
        let broken = self.config.broken;
        let settled_at = open.deadline_at.plus(self.config.settle);
        if broken != Some(Guard::Settle) && self.now.at() < settled_at {
            self.let_go(&claim, settled_at).await?;
            return Ok(Next::Nothing);
        }
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, false).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let since = open.made_at.minus(CLOCKS_DIFFER);
        let found = if broken == Some(Guard::LookUp) {
            Outcome::Accepted(Vec::new())
        } else {
            self.client.find_posts(&connection, &open.chat_id, &open.reference, since, self.config.call).await
        };
        match found {
            Outcome::Accepted(mut posts) => match posts.pop() {
                // Newest first: the oldest stays, copies of it go.
                Some(oldest) => {
                    for copy in posts {
                        self.delete_copy(&connection, &open.chat_id, &copy.id).await;
                    }
                    self.record(claim, &connection, open.id, Outcome::Accepted(oldest.id)).await?;
                    Ok(Next::Nothing)
                }
                None => self.post_again(claim, connection, open).await,
            },
            other => {
                let ended: Outcome<String> = match other {
                    // Looking changed nothing: whatever went wrong with it, the intent is as open as before.
                    Outcome::Unknown(why) => Outcome::Unreachable(why),
                    Outcome::Refused(refusal) => Outcome::Refused(refusal),
                    Outcome::Parked { pause, reason } => Outcome::Parked { pause, reason },
                    Outcome::Unreachable(why) => Outcome::Unreachable(why),
                    Outcome::Accepted(_) => return Ok(Next::Nothing),
                };
                match ended {
                    Outcome::Refused(Refusal::ChatGone) => self.record(claim, &connection, open.id, ended).await?,
                    _ => self.failed(&claim, &connection, ended, false).await?,
                }
                Ok(Next::Nothing)
            }
        }
    }

    /// It was looked for and is not there: the same intent is called again, under the same reference.
    async fn post_again(&self, claim: Claim, connection: Connection, open: OpenIntent) -> Result<Next> {
        if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, false).await? {
            self.let_go(&claim, until).await?;
            return Ok(Next::Nothing);
        }
        let deadline = self.now.at().plus(self.config.call);
        let fence = self.fence(&claim);
        let still_ours = self
            .db
            .work(async |tx| {
                if !holds(tx, &claim, fence).await? {
                    return Ok(false);
                }
                let run = tx
                    .run(
                        "update intent set deadline_at = $3, calls = calls + 1 where line_id = $1 and id = $2 and state = 'open'",
                        (claim.line_id, open.id, deadline),
                    )
                    .await?;
                Ok::<_, crate::db::Error>(run == 1)
            })
            .await?;
        if !still_ours {
            return Ok(Next::Nothing);
        }
        let text = open.body.unwrap_or_default();
        let outcome = self.client.create_post(&connection, &open.chat_id, &text, self.config.call).await;
        self.record(claim, &connection, open.id, outcome).await?;
        Ok(Next::Nothing)
    }

    async fn delete_copy(&self, connection: &Connection, chat: &str, post: &str) -> bool {
        let outcome = self.client.delete_post(connection, chat, post, self.config.call).await;
        let deleted = matches!(outcome, Outcome::Accepted(()));
        tracing::warn!(deleted, post, "a post stood twice; the newer copy is deleted");
        deleted
    }

    /// Writes down how a post ended.
    async fn record(&self, claim: Claim, connection: &Connection, intent: IntentId, outcome: Outcome<String>) -> Result<()> {
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
                            withdraw(tx, &claim, intent, "withdrawn", self.now.at()).await?;
                        }
                        Ok::<_, crate::db::Error>(())
                    })
                    .await?;
                self.failed(&claim, connection, certain, true).await
            }
            unknown @ Outcome::Unknown(_) => self.failed(&claim, connection, unknown, false).await,
        }
    }

    /// RingCentral does not take the content: a bundle is halved until the one bad message is alone, which is marked failed.
    async fn refused(&self, claim: &Claim, intent: IntentId, why: &str) -> Result<()> {
        let at = self.now.at();
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                let messages: Vec<(MessageId,)> = tx
                    .all(
                        "select message_id from sync_entry where line_id = $1 and intent_id = $2 and state = 'queued' order by seq",
                        (claim.line_id, intent),
                    )
                    .await?;
                withdraw(tx, claim, intent, "refused", at).await?;
                if let [(message,)] = messages.as_slice() {
                    tx.run(
                        "update sync_entry set state = 'failed', reason = $3 where line_id = $1 and message_id = $2",
                        (claim.line_id, *message, why.to_owned()),
                    )
                    .await?;
                    shift(tx, at, [((claim.line_id, claim.conversation_id), 0, -1)]).await?;
                } else {
                    // The boundary stands behind the first half: what follows it begins a post of its own.
                    let rest: Vec<[MessageId; 1]> = match messages.len() {
                        2 | 3 => messages.iter().map(|(id,)| [*id]).collect(),
                        n => messages[n / 2..].iter().take(1).chain(messages.iter().take(1)).map(|(id,)| [*id]).collect(),
                    };
                    tx.run(
                        "update sync_entry as e set alone = true
                         from json_each($2) j
                         where e.line_id = $1 and e.message_id = unhex(j.value->>0, '-')",
                        (claim.line_id, json(&rest)),
                    )
                    .await?;
                }
                free(tx, claim, at).await?;
                tx.tell(Change::LaneDue);
                tell(tx, claim);
                Ok::<_, crate::db::Error>(())
            })
            .await
    }

    /// The chat was deleted or archived: a new one is made, and the history goes on in it.
    async fn chat_gone(&self, claim: &Claim, intent: IntentId) -> Result<()> {
        let at = self.now.at();
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                withdraw(tx, claim, intent, "withdrawn", at).await?;
                tx.run(
                    "update lane set chat_id = null, chat_reference = null, chat_asked_at = null where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id),
                )
                .await?;
                free(tx, claim, at).await?;
                tx.tell(Change::LaneDue);
                Ok::<_, crate::db::Error>(())
            })
            .await
    }

    /// Finds the chat that was asked for, or asks for one, by the same rules as a post: reference first, then the call.
    async fn find_or_make_chat(&self, claim: Claim, connection: Connection) -> Result<Next> {
        if let Some(asked) = claim.chat_asked_at {
            let settled_at = asked.plus(self.config.call + self.config.settle);
            if self.now.at() < settled_at {
                self.let_go(&claim, settled_at).await?;
                return Ok(Next::Nothing);
            }
        }
        // One call to look, one to make.
        for _ in 0..if claim.chat_asked_at.is_some() { 2 } else { 1 } {
            if let Leave::Wait { until } = ringcentral::ask_leave(&self.db, &self.now, &connection, false).await? {
                self.let_go(&claim, until).await?;
                return Ok(Next::Nothing);
            }
        }
        let mut found = None;
        if let (Some(reference), Some(_)) = (&claim.chat_reference, claim.chat_asked_at) {
            match self.client.find_team(&connection, reference, self.config.call).await {
                Outcome::Accepted(team) => found = team,
                Outcome::Unknown(why) | Outcome::Unreachable(why) => {
                    self.failed(&claim, &connection, Outcome::Unreachable(why), true).await?;
                    return Ok(Next::Nothing);
                }
                Outcome::Parked { pause, reason } => {
                    self.failed(&claim, &connection, Outcome::Parked { pause, reason }, true).await?;
                    return Ok(Next::Nothing);
                }
                Outcome::Refused(refusal) => {
                    self.failed(&claim, &connection, Outcome::Refused(refusal), true).await?;
                    return Ok(Next::Nothing);
                }
            }
        }
        let outcome = match found {
            Some(chat) => Outcome::Accepted(chat),
            None => {
                let reference = claim.chat_reference.clone().unwrap_or_else(|| new_reference(&self.now));
                if !self.write_chat_intent(&claim, &connection, &reference).await? {
                    return Ok(Next::Nothing);
                }
                faults::point("chat_intent");
                let name = timeline::contact_name(&self.db, claim.line_id, claim.conversation_id).await?;
                let about = format!("Text messages with this contact. Made by Switchyard, ref {reference}");
                let outcome = self.client.create_team(&connection, &name, &about, self.config.call).await;
                faults::point("chat_called");
                outcome
            }
        };
        match outcome {
            Outcome::Accepted(chat) => self.chat_known(&claim, &connection, chat).await?,
            // Not made for certain: the next try need not look.
            certain @ (Outcome::Refused(_) | Outcome::Parked { .. } | Outcome::Unreachable(_)) => {
                self.forget_chat_intent(&claim).await?;
                self.failed(&claim, &connection, certain, true).await?;
            }
            unknown @ Outcome::Unknown(_) => self.failed(&claim, &connection, unknown, false).await?,
        }
        Ok(Next::Nothing)
    }

    async fn write_chat_intent(&self, claim: &Claim, connection: &Connection, reference: &str) -> Result<bool> {
        let (at, fence, reference) = (self.now.at(), self.fence(claim), reference.to_owned());
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(false);
                }
                tx.run(
                    "update lane set chat_reference = $3, chat_asked_at = $4, connection_id = $5 where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id, reference, at, connection.id),
                )
                .await?;
                Ok::<_, crate::db::Error>(true)
            })
            .await
    }

    async fn forget_chat_intent(&self, claim: &Claim) -> Result<()> {
        let fence = self.fence(claim);
        self.db
            .work(async |tx| {
                if holds(tx, claim, fence).await? {
                    tx.run(
                        "update lane set chat_reference = null, chat_asked_at = null where line_id = $1 and conversation_id = $2",
                        (claim.line_id, claim.conversation_id),
                    )
                    .await?;
                }
                Ok::<_, crate::db::Error>(())
            })
            .await
    }

    async fn chat_known(&self, claim: &Claim, connection: &Connection, chat: String) -> Result<()> {
        let (at, fence) = (self.now.at(), self.fence(claim));
        self.db
            .work(async |tx| {
                if !holds(tx, claim, fence).await? {
                    return Ok(());
                }
                tx.run(
                    "update lane set chat_id = $3, chat_reference = null, chat_asked_at = null, connection_id = $4
                     where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id, chat, connection.id),
                )
                .await?;
                free(tx, claim, at).await?;
                tx.tell(Change::LaneDue);
                Ok::<_, crate::db::Error>(())
            })
            .await
    }

    /// Nothing was posted, or nobody knows: the lane waits, and is stalled when it has waited often. A parked connection is no
    /// failure of the lane.
    async fn failed(&self, claim: &Claim, connection: &Connection, ended: Outcome<String>, certain: bool) -> Result<()> {
        let at = self.now.at();
        let pause = backoff(claim.attempts, self.config.longest_pause, &self.now.rng);
        let (due, why) = match ended {
            Outcome::Parked { pause, reason } => {
                let until = at.plus(pause);
                ringcentral::park(&self.db, connection.id, until, &reason).await?;
                self.let_go(claim, until).await?;
                return Ok(());
            }
            Outcome::Refused(refusal) => (at.plus(pause.max(Duration::from_secs(30))), refusal.to_string()),
            Outcome::Unreachable(why) => (at.plus(pause), why),
            Outcome::Unknown(why) => (at.plus(self.config.call + self.config.settle), why),
            Outcome::Accepted(_) => (at, String::new()),
        };
        tracing::info!(line = %claim.line_id, conversation = %claim.conversation_id, certain, %why, "a delivery did not succeed");
        self.later(claim, Some(due), &why).await?;
        Ok(())
    }

    /// Lets the lane go after a failure, to be tried again; marks it stalled after some.
    async fn later(&self, claim: &Claim, due: Option<Timestamp>, why: &str) -> Result<Next> {
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
                         stalled_since = case when attempts + 1 >= $3 then coalesce(stalled_since, $4) end,
                         stalled_reason = $5,
                         trouble = case when attempts + 1 >= $3 then 3 else trouble end,
                         changed_at = $4
                     where line_id = $1 and conversation_id = $2",
                    (claim.line_id, claim.conversation_id, STALLED_AFTER, at, why),
                )
                .await?;
                tell(tx, claim);
                Ok::<_, crate::db::Error>(())
            })
            .await?;
        Ok(Next::Nothing)
    }

    /// Gives the lease back; a lane with something to deliver is due again at `due`.
    async fn let_go(&self, claim: &Claim, due: Timestamp) -> Result<()> {
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

    /// After a post was called twice, looks once more whether both were accepted, late; deletes the newer copy. Whatever hinders it
    /// puts it off: the next look is written down before this one.
    async fn look_for_doubles(&self) -> Result<()> {
        let at = self.now.at();
        let due: Vec<(LineId, OpenIntent)> = self
            .db
            .work(async |tx| {
                let rows: Vec<Watched> = tx
                    .all(
                        "update intent set watch_at = $2 where watch_at <= $1
                         returning line_id, id, connection_id, chat_id, reference, body, made_at, deadline_at",
                        (at, at.plus(WATCH)),
                    )
                    .await?;
                Ok::<_, crate::db::Error>(rows.into_iter().map(|row| (row.line_id, row.intent)).collect())
            })
            .await?;
        for (line, intent) in due {
            if self.watched(&intent).await? {
                self.db
                    .work(async |tx| tx.run("update intent set watch_at = null where line_id = $1 and id = $2", (line, intent.id)).await)
                    .await?;
            }
        }
        Ok(())
    }

    /// Deletes what stands twice of an intent; `false` when it could not be seen to.
    async fn watched(&self, intent: &OpenIntent) -> Result<bool> {
        // Without the connection nobody can look any more.
        let Some(connection) = ringcentral::find(&self.db, Some(intent.connection_id), AccountId(uuid::Uuid::nil())).await? else {
            return Ok(true);
        };
        if !matches!(ringcentral::ask_leave(&self.db, &self.now, &connection, true).await?, Leave::Granted { .. }) {
            return Ok(false);
        }
        let since = intent.made_at.minus(CLOCKS_DIFFER);
        match self.client.find_posts(&connection, &intent.chat_id, &intent.reference, since, self.config.call).await {
            Outcome::Accepted(mut posts) => {
                posts.pop();
                let mut all_gone = true;
                for copy in posts {
                    all_gone &= self.delete_copy(&connection, &intent.chat_id, &copy.id).await;
                }
                Ok(all_gone)
            }
            Outcome::Refused(Refusal::ChatGone) => Ok(true),
            Outcome::Refused(_) | Outcome::Parked { .. } | Outcome::Unreachable(_) | Outcome::Unknown(_) => Ok(false),
        }
    }
}

/// Whether the lease is still ours; takes the lane's lock.
async fn holds(tx: &mut Tx, claim: &Claim, fence: Option<i64>) -> Result<bool> {
    let run = tx
        .run(
            "update lane set lease_until = lease_until where line_id = $1 and conversation_id = $2 and ($3 is null or fence = $3)",
            (claim.line_id, claim.conversation_id, fence),
        )
        .await?;
    Ok(run == 1)
}

/// Ends the lease; a lane with something to deliver is due again at `due`.
async fn free(tx: &mut Tx, claim: &Claim, due: Timestamp) -> Result<()> {
    tx.run(
        "update lane set lease_until = null, due_at = case when queued > 0 then $3 end where line_id = $1 and conversation_id = $2",
        (claim.line_id, claim.conversation_id, due),
    )
    .await?;
    Ok(())
}

/// The intent's call had no effect: its messages are free for the next one.
async fn withdraw(tx: &mut Tx, claim: &Claim, intent: IntentId, state: &'static str, at: Timestamp) -> Result<()> {
    tx.run(
        "update intent set state = $3, settled_at = $4, body = null where line_id = $1 and id = $2 and state = 'open'",
        (claim.line_id, intent, state, at),
    )
    .await?;
    tx.run("update sync_entry set intent_id = null where line_id = $1 and intent_id = $2 and state = 'queued'", (claim.line_id, intent))
        .await?;
    Ok(())
}

fn tell(tx: &mut Tx, claim: &Claim) {
    let (account_id, line_id, conversation_id) = (claim.account_id, claim.line_id, claim.conversation_id);
    tx.tell(Change::Conversation { account_id, line_id, conversation_id });
}

/// Writes posts down, many in one transaction; those of stale holders are left to the next one.
async fn record_posted(db: &Db, now: &Now, posted: Vec<Posted>, fenced: bool) -> Result<Vec<Result<(), String>>> {
    db.work(async |tx| {
        let at = now.at();
        let leases: Vec<_> =
            posted.iter().map(|p| (p.claim.line_id, p.claim.conversation_id, if fenced { Some(p.claim.fence) } else { None })).collect();
        let ours: Vec<(LineId, ConversationId)> = tx
            .all(
                "update lane as l
                 set lease_until = null, attempts = 0, stalled_since = null, stalled_reason = null, left_out = 0, due_at = $2
                 from json_each($1) j
                 where l.line_id = unhex(j.value->>0, '-') and l.conversation_id = unhex(j.value->>1, '-')
                   and (j.value->>2 is null or l.fence = cast(j.value->>2 as bigint))
                 returning line_id, conversation_id",
                (json(&leases), at),
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
        shift(tx, at, moved.into_iter().map(|key| (key, 0, -1))).await?;
        for p in &posted {
            tell(tx, &p.claim);
        }
        tx.tell(Change::LaneDue);
        Ok(vec![Ok(()); posted.len()])
    })
    .await
}
