//! What agents write in the RingCentral app: a post in a chat of ours becomes an SMS to the contact, once, in order.
//!
//! The rule: a post and what became of it are written in one transaction, under the post's id, so that an event that comes twice,
//! or is found by reading the chat, changes nothing. Our own posts come back as echoes; they are known by their reference.

use super::engine::CLOCKS_DIFFER;
use super::{members, notice};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::messaging::inbound::json;
use crate::messaging::outbound::{self, AgentReply};
use crate::ringcentral::events::{self, PostBody};
use crate::ringcentral::{self, Call, Client, Group, Leave, Outcome};
use crate::types::{AccountId, AgentOutcome, Change, ConnectionId, ConversationId, LineId, MessageId, Timestamp};
use crate::work::faults::Guard;
use crate::work::wait_for;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events that one transaction works off.
const BATCH: i64 = 100;
/// Chats that are read at a time, when events may have been lost.
const CHATS: i64 = 8;
/// A chat with events is read within this time: one of them may have been lost without a trace.
const CHECK: Duration = Duration::from_secs(60 * 60);
/// A chat that is being read is left to another worker after this time.
const READING: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(15);

/// Works off events and reads chats; cheap to clone.
#[derive(Debug, Clone)]
pub struct Agents {
    db: Db,
    now: Now,
    client: Client,
    broken: Option<Guard>,
}

/// On PostgreSQL the line's row is share-locked, so that it gets no other owner or type while a post is worked off.
const CHAT: Sql = Sql {
    sqlite: "select h.line_id, h.conversation_id, l.account_id,
               l.integration_type = 'ringcentral'
                 and exists (select 1 from account a where a.id = l.account_id and a.closed_at is null) as is_ringcentral,
               exists (select 1 from connection c where c.id = h.connection_id and c.account_id = l.account_id) as is_ours,
               h.catch_up_at is not null as is_to_be_read
             from chat h
             join line l on l.id = h.line_id
             where h.connection_id = $1 and h.chat_id = $2",
    postgres: "select h.line_id, h.conversation_id, l.account_id,
                 l.integration_type = 'ringcentral'
                   and exists (select 1 from account a where a.id = l.account_id and a.closed_at is null) as is_ringcentral,
                 exists (select 1 from connection c where c.id = h.connection_id and c.account_id = l.account_id) as is_ours,
                 h.catch_up_at is not null as is_to_be_read
               from chat h
               join line l on l.id = h.line_id
               where h.connection_id = $1 and h.chat_id = $2
               for share of l",
};

#[derive(Debug, Clone, sqlx::FromRow)]
struct Chat {
    line_id: LineId,
    conversation_id: ConversationId,
    account_id: AccountId,
    is_ringcentral: bool,
    /// The line's account still uses this connection.
    is_ours: bool,
    /// It may have posts that we were not told of.
    is_to_be_read: bool,
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Unread {
    connection_id: ConnectionId,
    chat_id: String,
    made_at: Timestamp,
    checked_up_to: Option<String>,
}

impl Agents {
    /// A worker of events.
    pub fn new(db: Db, now: Now, client: Client) -> Self {
        Self { db, now, client, broken: None }
    }

    /// The same without a guard that a test took out.
    pub fn without(self, broken: Option<Guard>) -> Self {
        Self { broken, ..self }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut bell = self.db.changes();
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(0) => {
                    let idle = wait_for(&mut bell, Change::EventDue, Duration::from_secs(1));
                    tokio::select! { () = idle => {}, () = stop.cancelled() => {} }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "events could not be worked off");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Works off what waits now, and says how much it was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<usize> {
        let mut count = 0;
        for connection in events::waiting_connections(&self.db).await? {
            count += self.work_off(connection).await?;
        }
        for (connection, known_at) in events::gaps(&self.db).await? {
            self.look_for_news(connection, known_at).await?;
        }
        count += self.read_chats().await?;
        count += notice::step(&self.db, &self.now, &self.client).await?;
        count += members::step(&self.db, &self.now, &self.client).await?;
        Ok(count)
    }

    async fn work_off(&self, connection: ConnectionId) -> Result<usize> {
        self.db
            .work(async |tx| {
                let waiting = events::take(tx, connection, BATCH).await?;
                let mut posts = Vec::new();
                // Other filters are kept for the rooms that will read them.
                for event in waiting.iter().filter(|event| event.event.contains("/posts")) {
                    match serde_json::from_str::<PostBody>(event.body.as_deref().unwrap_or_default()) {
                        Ok(post) => posts.push((event.id, post)),
                        Err(error) => tracing::warn!(%error, %connection, "an event of a post could not be read"),
                    }
                }
                // Events overtake each other; ids of posts grow. What happens to one post stays as it came.
                posts.sort_by_key(|(_, post)| post.id.parse::<u64>().unwrap_or(u64::MAX));
                let mut strays = HashMap::new();
                for (event, post) in &posts {
                    if let Some(chat) = self.apply(tx, connection, post).await? {
                        strays.insert(*event, chat);
                    }
                }
                events::done(tx, connection, &waiting, &strays).await?;
                Ok::<_, crate::db::Error>(waiting.len())
            })
            .await
    }

    /// One post, as an event or a list shows it; answers with its chat if that is not known.
    async fn apply(&self, tx: &mut Tx, connection: ConnectionId, post: &PostBody) -> Result<Option<String>> {
        let at = self.now.at();
        match post.event_type.as_deref() {
            None | Some("PostAdded") => {}
            Some("PostChanged") => {
                tx.run("update agent_post set edited_at = $3 where connection_id = $1 and post_id = $2", (connection, post.id.clone(), at))
                    .await?;
                return Ok(None);
            }
            Some("PostRemoved") => {
                tx.run(
                    "update agent_post set removed_at = $3 where connection_id = $1 and post_id = $2",
                    (connection, post.id.clone(), at),
                )
                .await?;
                return Ok(None);
            }
            Some(_) => return Ok(None),
        }
        let Some(chat_id) = post.group_id.clone() else { return Ok(None) };
        if post.kind.as_deref().is_some_and(|kind| kind != "TextMessage") {
            return Ok(None);
        }
        let chat: Option<Chat> = tx.opt(CHAT, (connection, chat_id.clone())).await?;
        let Some(chat) = chat else { return Ok(Some(chat_id)) };
        if chat.is_to_be_read && post.event_type.is_some() {
            // It is read together with what came before it, in order. A reading under way may have begun too early for it.
            tx.run(
                "update chat set catch_up_at = $3 where connection_id = $1 and chat_id = $2 and catch_up_at is not null",
                (connection, chat_id, at),
            )
            .await?;
            return Ok(None);
        }
        tx.run(
            "update chat
             set read_up_to = case when read_up_to > $3 then read_up_to else $3 end,
                 check_at = case when $4 then coalesce(check_at, $5) else check_at end
             where connection_id = $1 and chat_id = $2",
            (connection, chat_id.clone(), post.creation_time.clone().unwrap_or_default(), post.event_type.is_some(), at.plus(CHECK)),
        )
        .await?;
        if self.is_echo(tx, at, &chat, post).await? {
            return Ok(None);
        }
        let (outcome, word) = self.answer(tx, &chat, post).await?;
        let new = tx
            .run(
                "insert into agent_post (line_id, post_id, conversation_id, account_id, connection_id, chat_id, creator_id, outcome, seen_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                (
                    chat.line_id,
                    post.id.clone(),
                    chat.conversation_id,
                    chat.account_id,
                    connection,
                    chat_id.clone(),
                    post.creator_id.clone().unwrap_or_default(),
                    outcome,
                    at,
                ),
            )
            .await?;
        debug_assert_eq!(new, 1, "a post that was seen before is an echo or known");
        if let Some(word) = word {
            notice::write(tx, &self.now, chat.line_id, connection, &chat_id, word).await?;
        }
        metrics::counter!("switchyard_agent_posts_total", "outcome" => outcome.as_str()).increment(1);
        Ok(None)
    }

    /// Whether a post is ours, or known already: by its id, or by the reference that stands in it.
    async fn is_echo(&self, tx: &mut Tx, at: Timestamp, chat: &Chat, post: &PostBody) -> Result<bool> {
        let guarded = self.broken != Some(Guard::Echo);
        let reference = post.text.as_deref().and_then(super::compose::reference_in).filter(|_| guarded).map(str::to_owned);
        if guarded {
            let ours = tx
                .run(
                    "update intent set echoed_at = coalesce(echoed_at, $5)
                     where line_id = $1 and conversation_id = $3 and (reference = $4 or post_id = $2)",
                    (chat.line_id, post.id.clone(), chat.conversation_id, reference.clone(), at),
                )
                .await?;
            if ours > 0 {
                return Ok(true);
            }
        }
        let (known,): (bool,) = tx
            .one(
                "select exists (select 1 from agent_post where line_id = $1 and post_id = $2)
                     or exists (select 1 from notice where line_id = $1 and reference = $3)",
                (chat.line_id, post.id.clone(), reference),
            )
            .await?;
        Ok(known)
    }

    /// Sends what the agent wrote, or says why not.
    async fn answer(&self, tx: &mut Tx, chat: &Chat, post: &PostBody) -> Result<(AgentOutcome, Option<&'static str>)> {
        if !chat.is_ours {
            return Ok((
                AgentOutcome::Moved,
                Some("This conversation's line belongs to another account now. Nothing was sent to the contact."),
            ));
        }
        if !chat.is_ringcentral {
            return Ok((
                AgentOutcome::NotConnected,
                Some("This conversation's line is no longer connected to RingCentral. Nothing was sent to the contact."),
            ));
        }
        let text = plain(post);
        if text.is_empty() {
            return Ok((AgentOutcome::Empty, None));
        }
        match outbound::reply_as_agent(tx, &self.now, chat.line_id, chat.account_id, chat.conversation_id, &text).await? {
            AgentReply::Sent(messages) => {
                self.stands_in_chat(tx, chat, &messages, &post.id).await?;
                Ok((AgentOutcome::Sent, None))
            }
            AgentReply::OptedOut => {
                Ok((AgentOutcome::OptedOut, Some("The contact has opted out of text messages. Nothing was sent until they write START.")))
            }
        }
    }

    /// What an agent wrote stands in RingCentral already.
    async fn stands_in_chat(&self, tx: &mut Tx, chat: &Chat, messages: &[MessageId], post: &str) -> Result<()> {
        for message in messages {
            tx.run(
                "insert into sync_entry (line_id, message_id, account_id, conversation_id, state, inbound, alone, post_id, posted_at)
                 values ($1, $2, $3, $4, 'posted', false, false, $5, $6)",
                (chat.line_id, *message, chat.account_id, chat.conversation_id, post.to_owned(), self.now.at()),
            )
            .await?;
        }
        Ok(())
    }

    /// Asks which chats of a connection have news, and has those read that we have not seen it of.
    async fn look_for_news(&self, connection: ConnectionId, known_at: Timestamp) -> Result<()> {
        let Some(found) = ringcentral::find(&self.db, Some(connection), AccountId(Uuid::nil())).await? else { return Ok(()) };
        if !matches!(ringcentral::ask_leave(&self.db, &self.now, &found, Call::Other(Group::Light)).await?, Leave::Granted { .. }) {
            return Ok(());
        }
        let recent = match self.client.recent_chats(&found, CALL).await {
            Outcome::Accepted(recent) => recent,
            // The next look at the subscription asks again.
            _ => Vec::new(),
        };
        self.db
            .work(async |tx| {
                for (chat, changed) in &recent {
                    tx.run(
                        "update chat set catch_up_at = $3
                         where connection_id = $1 and chat_id = $2 and catch_up_at is null
                           and (read_up_to < $4 or read_up_to is null or $4 is null)",
                        (connection, chat.clone(), self.now.at(), changed.clone()),
                    )
                    .await?;
                }
                events::gap_is_seen_to(tx, connection, known_at).await
            })
            .await
    }

    /// Reads the chats that may have posts we were not told of.
    async fn read_chats(&self) -> Result<usize> {
        let at = self.now.at();
        let unread: Vec<Unread> = self
            .db
            .work(async |tx| {
                tx.run("update chat set catch_up_at = $1 where check_at <= $1 and catch_up_at is null", [at]).await?;
                tx.all(
                    "update chat set catch_up_at = $2, check_at = null
                     where (connection_id, chat_id) in (
                       select connection_id, chat_id from chat where catch_up_at <= $1 order by catch_up_at limit $3)
                       and catch_up_at <= $1
                     returning connection_id, chat_id, made_at, checked_up_to",
                    (at, at.plus(READING), CHATS),
                )
                .await
            })
            .await?;
        let mut count = 0;
        for chat in unread {
            let Some(connection) = ringcentral::find(&self.db, Some(chat.connection_id), AccountId(Uuid::nil())).await? else { continue };
            if !matches!(ringcentral::ask_leave(&self.db, &self.now, &connection, Call::Other(Group::Medium)).await?, Leave::Granted { .. })
            {
                continue;
            }
            let since = chat.checked_up_to.unwrap_or_else(|| chat.made_at.minus(CLOCKS_DIFFER).rfc3339());
            let Outcome::Accepted(mut posts) = self.client.posts_since(&connection, &chat.chat_id, &since, CALL).await else { continue };
            // Newest first: they are worked off in the order in which they were written.
            posts.reverse();
            let newest = posts.last().and_then(|post| post.creation_time.clone());
            self.db
                .work(async |tx| {
                    // As for events: one worker at a time works a connection's posts off.
                    events::hold(tx, connection.id).await?;
                    for post in &posts {
                        let post = PostBody { group_id: Some(chat.chat_id.clone()), ..post.clone() };
                        self.apply(tx, connection.id, &post).await?;
                    }
                    tx.run(
                        "update chat
                         set catch_up_at = case when catch_up_at = $3 then null else catch_up_at end,
                             checked_up_to = coalesce($4, checked_up_to)
                         where connection_id = $1 and chat_id = $2",
                        (connection.id, chat.chat_id.clone(), at.plus(READING), newest.clone()),
                    )
                    .await
                })
                .await?;
            count += 1;
        }
        Ok(count)
    }
}

/// Why what an agent wrote did not come to the contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReached {
    /// The contact opted out before it was sent.
    OptedOut,
    /// The contact opted out when it had been tried; an answer of the carrier's was lost.
    OptedOutSince,
    /// The carrier did not take it.
    Refused,
    /// The carrier gave no answer for too long.
    Unanswered,
    /// The carrier took it, and it did not arrive.
    Undelivered,
}

impl NotReached {
    /// What the agent reads, of a reply that we saw at that time.
    fn words(self, seen_at: Timestamp) -> String {
        let (what, then) = match self {
            Self::OptedOut => ("was not sent: the contact has opted out of text messages", "Write it again when they have written START."),
            Self::OptedOutSince => (
                "may not have reached the contact, who has opted out of text messages since",
                "Nothing more is sent until they write START.",
            ),
            Self::Refused => ("was not sent: the carrier refused it", "Write it in other words, or call the contact."),
            Self::Unanswered => ("may not have reached the contact: the carrier did not answer", "Write it again, or call the contact."),
            Self::Undelivered => {
                ("did not reach the contact: the carrier could not deliver it", "Write it again later, or call the contact.")
            }
        };
        format!("Your reply of {} UTC {what}. {then}", seen_at.minute())
    }
}

/// Tells agents, each in the chat where they wrote it, that these messages of theirs did not come to the contact.
///
/// # Errors
/// What the database says.
pub async fn reply_did_not_arrive(tx: &mut Tx, now: &Now, replies: &[(LineId, MessageId, NotReached)]) -> Result<()> {
    if replies.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = replies.iter().map(|(line, message, _)| (line, message)).collect();
    let written: Vec<(LineId, MessageId, ConnectionId, String, Timestamp)> = tx
        .all(
            "select e.line_id, e.message_id, p.connection_id, p.chat_id, p.seen_at
             from json_each($1) j
             join sync_entry e on e.line_id = unhex(j.value->>0, '-') and e.message_id = unhex(j.value->>1, '-')
             join agent_post p on p.line_id = e.line_id and p.post_id = e.post_id
             order by e.message_id",
            [json(&keys)],
        )
        .await?;
    for (line, message, connection, chat, seen_at) in written {
        let Some((.., why)) = replies.iter().find(|(of, id, _)| (*of, *id) == (line, message)) else { continue };
        notice::write(tx, now, line, connection, &chat, &why.words(seen_at)).await?;
    }
    Ok(())
}

/// What the contact gets of a post: names in place of mentions, and the names of files, which the carrier cannot take.
pub(super) fn plain(post: &PostBody) -> String {
    let mut text = post.text.clone().unwrap_or_default();
    for mention in post.mentions.iter().flatten() {
        let (Some(id), Some(name)) = (&mention.id, &mention.name) else { continue };
        for kind in ["Person", "Team", "Link", "File", "Event", "Task", "Note", "Card"] {
            text = text.replace(&format!("![:{kind}]({id})"), name);
        }
    }
    for file in post.attachments.iter().flatten() {
        text.push_str(&format!("\n[file: {}]", file.name.as_deref().unwrap_or("without a name")));
    }
    text.trim().to_owned()
}
