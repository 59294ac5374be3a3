//! What agents write in the RingCentral app: a post in a chat of ours becomes an SMS to the contact, once, in order.
//!
//! The rule: a post and what became of it are written in one transaction, under the post's id, so that an event that comes twice,
//! or is found by reading the chat, changes nothing. Our own posts come back as echoes; they are known by their reference.
//! What came waits for no call: events are worked off by themselves, and calls are made beside them, of several connections at a time.

use super::engine::CLOCKS_DIFFER;
use super::{members, notice};
use crate::clock::Now;
use crate::db::{Db, Result, Sql, Tx};
use crate::messaging::inbound::json;
use crate::messaging::outbound::{self, AgentReply};
use crate::ringcentral::events::{self, PostBody};
use crate::ringcentral::{self, Budget, Call, ChatNews, Client, Connection, Group, Leave, MOST_RECENT, Outcome, Refusal};
use crate::types::{AccountId, AgentOutcome, Change, ConnectionId, ConversationId, LineId, MessageId, Timestamp};
use crate::work::faults::Guard;
use crate::work::{backoff, wait_for};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events that one transaction works off.
const BATCH: i64 = 100;
/// Connections whose calls are made side by side.
const SIDE_BY_SIDE: usize = 8;
/// Calls of a kind that are made for a connection before those of another kind have their turn.
const IN_TURN: usize = 8;
/// A chat with events is read within this time: one of them may have been lost without a trace.
const CHECK: Duration = Duration::from_secs(60 * 60);
/// What is being read is left to another worker after this time.
const READING: Duration = Duration::from_secs(60);
/// A chat that cannot be read is tried again after a minute, two, four … at most after an hour;
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// one that somebody waits for, at most after two minutes.
const LONGEST_AWAITED: Duration = Duration::from_secs(2 * 60);
/// When chats with news could not be listed, it is tried again after this time.
const NEWS_PAUSE: Duration = Duration::from_secs(2 * 60);
/// What waits for leave is looked at again after so many minutes, however much is before it.
const FURTHEST: i64 = 5;
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

/// A chat that may have posts that we were not told of.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Unread {
    chat_id: String,
    made_at: Timestamp,
    checked_up_to: Option<String>,
    catch_up_attempts: i64,
    /// What somebody wrote in it since waits for the reading.
    is_awaited: bool,
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

    /// Works until told to stop: what came is worked off, whatever calls are under way; of each connection one call is at a time.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.listen(&stop), self.call(&stop));
    }

    async fn listen(&self, stop: &CancellationToken) {
        let mut bell = self.db.changes();
        while !stop.is_cancelled() {
            let pause = match self.work_off_all(stop).await {
                Ok(0) => wait_for(&mut bell, Change::EventDue, Duration::from_secs(1)),
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!(%error, "events could not be worked off");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            tokio::select! { () = pause => {}, () = stop.cancelled() => {} }
        }
    }

    async fn call(&self, stop: &CancellationToken) {
        let mut bell = self.db.changes();
        let mut under_way = JoinSet::new();
        let mut busy: HashMap<ConnectionId, AbortHandle> = HashMap::new();
        let mut last: Option<ConnectionId> = None;
        while !stop.is_cancelled() {
            while under_way.try_join_next().is_some() {}
            busy.retain(|_, task| !task.is_finished());
            let due = self.due().await.unwrap_or_else(|error| {
                tracing::error!(%error, "what is to be called could not be read");
                BTreeSet::new()
            });
            let room = SIDE_BY_SIDE.saturating_sub(busy.len());
            // In turn: who comes behind the last one is first.
            let (ahead, behind): (Vec<_>, Vec<_>) =
                due.into_iter().filter(|connection| !busy.contains_key(connection)).partition(|connection| Some(*connection) > last);
            let next: Vec<ConnectionId> = ahead.into_iter().chain(behind).take(room).collect();
            last = next.last().copied().or(last);
            for connection in next {
                let (agents, stop) = (self.clone(), stop.clone());
                let task = under_way.spawn(async move {
                    if let Err(error) = agents.see_to(connection, &stop).await {
                        tracing::error!(%error, %connection, "what is due of a connection could not be seen to");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                });
                busy.insert(connection, task);
            }
            tokio::select! {
                () = wait_for(&mut bell, Change::EventDue, Duration::from_secs(1)) => {}
                Some(_) = under_way.join_next() => {}
                () = stop.cancelled() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Works off what waits now and makes the calls that are due, one after the other, and says how much it was. For tests.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<usize> {
        let never = CancellationToken::new();
        let mut count = self.work_off_all(&never).await?;
        for connection in self.due().await? {
            count += self.see_to(connection, &never).await?;
        }
        Ok(count)
    }

    /// Connections for which a call is due.
    async fn due(&self) -> Result<BTreeSet<ConnectionId>> {
        let at = self.now.at();
        let chats: Vec<(ConnectionId,)> = self
            .db
            .all(
                "select connection_id from chat where catch_up_at <= $1
                 union
                 select connection_id from chat where check_at <= $1 and catch_up_at is null",
                [at],
            )
            .await?;
        let mut due: BTreeSet<ConnectionId> = chats.into_iter().map(|(id,)| id).collect();
        due.extend(notice::due(&self.db, at).await?);
        due.extend(events::with_gaps(&self.db, at).await?);
        due.extend(members::due(&self.db, at).await?);
        Ok(due)
    }

    /// Makes the calls that are due for a connection, one after the other, until told to stop: so many of a kind that none waits for all
    /// of another. Says how many there were.
    async fn see_to(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<usize> {
        let mut count = 0;
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !notice::step(&self.db, &self.now, &self.client, connection).await? {
                break;
            }
            count += 1;
        }
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !self.look_for_news(connection, stop).await? {
                break;
            }
            count += 1;
        }
        for _ in 0..IN_TURN {
            if stop.is_cancelled() || !self.read_next(connection, stop).await? {
                break;
            }
            count += 1;
        }
        Ok(count + members::step(&self.db, &self.now, &self.client, connection, stop).await?)
    }

    /// Works off what waits of every connection, until told to stop; what cannot be worked off of one hinders no other.
    async fn work_off_all(&self, stop: &CancellationToken) -> Result<usize> {
        let (mut count, mut failed) = (0, None);
        for connection in events::waiting_connections(&self.db).await? {
            if stop.is_cancelled() {
                break;
            }
            match self.work_off(connection).await {
                Ok(done) => count += done,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(count), Err)
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
                "update chat set catch_up_at = $3, awaited_since = coalesce(awaited_since, $3)
                 where connection_id = $1 and chat_id = $2 and catch_up_at is not null",
                (connection, chat_id, at),
            )
            .await?;
            tx.tell(Change::EventDue);
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

    /// Asks which chats of a connection have news, one call at a time, and has those read that we have not seen it of: the latest first,
    /// and when their list does not reach back to the last look, all chats. Whether there was a call, and it succeeded.
    async fn look_for_news(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<bool> {
        let at = self.now.at();
        let Some(look) = events::take_news(&self.db, connection, at, at.plus(READING)).await? else { return Ok(false) };
        let Some(found) = ringcentral::find(&self.db, Some(connection), AccountId(Uuid::nil())).await? else { return Ok(false) };
        // A list of all is nothing that anybody waits for.
        let call = if look.page.is_some() { Call::Unhurried(Group::Medium) } else { Call::Other(Group::Light) };
        let listed = match ringcentral::ask_leave(&self.db, &self.now, &found, call).await? {
            Leave::Wait { until } => Outcome::Parked { until, reason: String::new() },
            Leave::Granted { .. } => tokio::select! {
                listed = self.list(&found, &look) => listed,
                // Listing changes nothing: whoever comes next lists them.
                () = stop.cancelled() => return Ok(false),
            },
        };
        let later = self.now.at().plus(NEWS_PAUSE);
        let (page, due) = match listed {
            Outcome::Accepted((news, next)) => {
                self.db
                    .work(async |tx| {
                        // Rows of many chats: one worker at a time.
                        events::hold(tx, connection).await?;
                        have_read(tx, connection, at, news).await?;
                        tx.tell(Change::EventDue);
                        match next {
                            Some(_) => events::news_go_on(tx, connection, &look, next, None).await,
                            None => events::news_are_seen(tx, connection, &look).await,
                        }
                    })
                    .await?;
                return Ok(true);
            }
            Outcome::Parked { until, .. } => (look.page.clone(), until),
            // It may be the place that is refused: the next look begins anew.
            Outcome::Refused(_) => (None, later),
            Outcome::Unreachable(_) | Outcome::Unknown(_) => (look.page.clone(), later),
        };
        self.db.work(async |tx| events::news_go_on(tx, connection, &look, page, Some(due)).await).await?;
        Ok(false)
    }

    /// Chats with when something happened in each, and the page that comes next.
    async fn list(&self, connection: &Connection, look: &events::News) -> Outcome<(Vec<ChatNews>, Option<String>)> {
        match &look.page {
            Some(page) => self.client.teams(connection, page, CALL).await,
            None => self.client.recent_chats(connection, CALL).await.map(|recent| {
                let next = (!reaches_back(&recent, look.seen_at)).then(String::new);
                (recent, next)
            }),
        }
    }

    /// Reads the next chat of a connection that may have posts we were not told of. Whether there was one, and leave to read it.
    async fn read_next(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<bool> {
        let at = self.now.at();
        let Some(chat) = self.next_unread(connection, at).await? else { return Ok(false) };
        let Some(found) = ringcentral::find(&self.db, Some(connection), AccountId(Uuid::nil())).await? else {
            tracing::info!(%connection, "the chats of a connection that was removed are no longer read");
            self.read_none(connection).await?;
            return Ok(false);
        };
        // Posts come first, unless somebody's post waits for this.
        let call = if chat.is_awaited { Call::Other(Group::Medium) } else { Call::Unhurried(Group::Medium) };
        let budget = Budget::read(&self.db, &found).await?;
        if let Leave::Wait { until } = budget.ask(&self.db, &self.now, &found, call).await? {
            self.read_later(connection, (at, until), budget.a_minute(&found, call), chat.is_awaited).await?;
            return Ok(false);
        }
        let until = at.plus(READING);
        let taken = self
            .db
            .work(async |tx| {
                tx.run(
                    "update chat set catch_up_at = $4, check_at = null
                     where connection_id = $1 and chat_id = $2 and (catch_up_at <= $3 or (catch_up_at is null and check_at <= $3))",
                    (connection, chat.chat_id.clone(), at, until),
                )
                .await
            })
            .await?;
        if taken == 0 {
            return Ok(true);
        }
        let since = chat.checked_up_to.clone().unwrap_or_else(|| chat.made_at.minus(CLOCKS_DIFFER).rfc3339());
        let read = tokio::select! {
            read = self.client.posts_since(&found, &chat.chat_id, &since, CALL) => read,
            // Reading changes nothing: whoever comes next reads it.
            () = stop.cancelled() => return Ok(false),
        };
        match read {
            Outcome::Accepted(posts) => self.take_in(connection, &chat.chat_id, until, posts).await?,
            // What is gone is let be; a permission may come back.
            Outcome::Refused(why @ Refusal::ChatGone) => {
                tracing::info!(%connection, chat = chat.chat_id, %why, "a chat is no longer read");
                self.read_again(connection, &chat.chat_id, until, None).await?;
            }
            Outcome::Parked { until: free, .. } => {
                self.read_again(connection, &chat.chat_id, until, Some((free, chat.catch_up_attempts))).await?;
            }
            failed => {
                let is_refused = matches!(failed, Outcome::Refused(_));
                let longest = if chat.is_awaited && !is_refused { LONGEST_AWAITED } else { LONGEST };
                let again = self.now.at().plus(backoff(chat.catch_up_attempts + 6, longest, &self.now.rng));
                tracing::info!(%connection, chat = chat.chat_id, why = failed.words(), "a chat could not be read; it is tried again");
                self.read_again(connection, &chat.chat_id, until, Some((again, chat.catch_up_attempts + 1))).await?;
            }
        }
        Ok(true)
    }

    /// The chat that is read next: one that somebody waits for, one that has news, or one that is to be looked at by now.
    async fn next_unread(&self, connection: ConnectionId, at: Timestamp) -> Result<Option<Unread>> {
        let with_news: Option<Unread> = self
            .db
            .opt(
                "select chat_id, made_at, checked_up_to, catch_up_attempts, awaited_since is not null as is_awaited
                 from chat
                 where connection_id = $1 and catch_up_at <= $2
                 order by case when awaited_since is null then 1 else 0 end, catch_up_at, chat_id
                 limit 1",
                (connection, at),
            )
            .await?;
        if with_news.is_some() {
            return Ok(with_news);
        }
        self.db
            .opt(
                "select chat_id, made_at, checked_up_to, catch_up_attempts, awaited_since is not null as is_awaited
                 from chat
                 where connection_id = $1 and check_at <= $2 and catch_up_at is null
                 order by check_at, chat_id
                 limit 1",
                (connection, at),
            )
            .await
    }

    /// What was read of a chat is worked off, in the order in which it was written.
    async fn take_in(&self, connection: ConnectionId, chat: &str, taken: Timestamp, mut posts: Vec<PostBody>) -> Result<()> {
        // Newest first.
        posts.reverse();
        let newest = posts.last().and_then(|post| post.creation_time.clone());
        self.db
            .work(async |tx| {
                // As for events: one worker at a time works a connection's posts off.
                events::hold(tx, connection).await?;
                for post in &posts {
                    let post = PostBody { group_id: Some(chat.to_owned()), ..post.clone() };
                    self.apply(tx, connection, &post).await?;
                }
                tx.run(
                    "update chat
                     set catch_up_at = case when catch_up_at = $3 then null else catch_up_at end,
                         awaited_since = case when catch_up_at = $3 then null else awaited_since end,
                         catch_up_attempts = 0,
                         checked_up_to = coalesce($4, checked_up_to)
                     where connection_id = $1 and chat_id = $2",
                    (connection, chat.to_owned(), taken, newest.clone()),
                )
                .await
            })
            .await?;
        Ok(())
    }

    /// A chat that was taken could not be read: it is tried again then, or never, unless something came meanwhile.
    async fn read_again(&self, connection: ConnectionId, chat: &str, taken: Timestamp, again: Option<(Timestamp, i64)>) -> Result<()> {
        let (due, attempts) = again.map_or((None, 0), |(due, attempts)| (Some(due), attempts));
        self.db
            .work(async |tx| {
                tx.run(
                    "update chat
                     set catch_up_at = $4, catch_up_attempts = $5, awaited_since = case when $6 then awaited_since end
                     where connection_id = $1 and chat_id = $2 and catch_up_at = $3",
                    (connection, chat.to_owned(), taken, due, attempts, due.is_some()),
                )
                .await
            })
            .await?;
        Ok(())
    }

    /// No chat of the connection is to be read any more.
    async fn read_none(&self, connection: ConnectionId) -> Result<()> {
        self.db
            .work(async |tx| {
                tx.run(
                    "update chat set catch_up_at = null, check_at = null, awaited_since = null
                     where connection_id = $1 and (catch_up_at is not null or check_at is not null)",
                    [connection],
                )
                .await
            })
            .await?;
        Ok(())
    }

    /// There is no leave to read before `until`: the chats of the connection that are due wait, each until as many as a minute allows are
    /// before it. Those that somebody waits for are not among them, unless not even one of these has leave.
    async fn read_later(
        &self,
        connection: ConnectionId,
        (at, until): (Timestamp, Timestamp),
        a_minute: i64,
        with_awaited: bool,
    ) -> Result<()> {
        self.db
            .work(async |tx| {
                // Rows of many chats: one worker at a time.
                events::hold(tx, connection).await?;
                tx.run(
                    "update chat as c
                     set catch_up_at = $3 + (case when d.place / $4 < $5 then d.place / $4 else $5 end) * 60000000 + d.place
                     from (select n.chat_id as its_chat, row_number() over (order by n.catch_up_at, n.chat_id) - 1 as place
                           from chat n
                           where n.connection_id = $1 and n.catch_up_at <= $2 and ($6 or n.awaited_since is null)) d
                     where c.connection_id = $1 and c.chat_id = d.its_chat",
                    (connection, at, until, a_minute, FURTHEST, with_awaited),
                )
                .await?;
                tx.run(
                    "update chat as c
                     set check_at = $3 + (case when d.place / $4 < $5 then d.place / $4 else $5 end) * 60000000 + d.place
                     from (select n.chat_id as its_chat, row_number() over (order by n.check_at, n.chat_id) - 1 as place
                           from chat n
                           where n.connection_id = $1 and n.check_at <= $2 and n.catch_up_at is null) d
                     where c.connection_id = $1 and c.chat_id = d.its_chat",
                    (connection, at, until, a_minute, FURTHEST),
                )
                .await
            })
            .await?;
        Ok(())
    }
}

/// Whether a list of chats with news, the latest first, has all that there were since the last look. One that is full ends somewhere.
fn reaches_back(recent: &[ChatNews], seen_at: Option<Timestamp>) -> bool {
    let oldest = || recent.iter().filter_map(|(_, changed)| Timestamp::from_rfc3339(changed.as_deref()?)).min();
    recent.len() < MOST_RECENT || seen_at.is_some_and(|seen| oldest().is_some_and(|oldest| oldest <= seen.minus(CLOCKS_DIFFER)))
}

/// Chats in which something happened that we have not seen are read, the latest first. What is read so is seen.
async fn have_read(tx: &mut Tx, connection: ConnectionId, at: Timestamp, mut news: Vec<ChatNews>) -> Result<()> {
    news.sort_by(|(_, one), (_, other)| other.cmp(one));
    let rows: Vec<_> = news.iter().enumerate().map(|(n, (chat, changed))| (chat, changed, news.len() - n)).collect();
    tx.run(
        "update chat as c
         set catch_up_at = $2 - d.place, read_up_to = coalesce(d.changed, c.read_up_to)
         from (select j.value->>0 as its_chat, j.value->>1 as changed, cast(j.value->>2 as bigint) as place from json_each($3) j) d
         where c.connection_id = $1 and c.chat_id = d.its_chat and c.catch_up_at is null
           and (c.read_up_to < d.changed or c.read_up_to is null or d.changed is null)",
        (connection, at, json(&rows)),
    )
    .await?;
    Ok(())
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
    /// The carrier gave no clear answer for too long.
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
            Self::Unanswered => {
                ("may not have reached the contact: for a day the carrier gave no clear answer", "Write it again, or call the contact.")
            }
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
