//! Reading a chat: what was written in it since the last reading is worked off in order, as if events had told of it.

use super::{Agents, CALL, READING};
use crate::db::Result;
use crate::ringcentral::events::{self, PostBody};
use crate::ringcentral::{self, Budget, Call, Group, Leave, Outcome, Refusal};
use crate::sync::engine::CLOCKS_DIFFER;
use crate::types::{AccountId, ConnectionId, Timestamp, without_numbers};
use crate::work::backoff;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A chat that cannot be read is tried again after a minute, two, four … at most after an hour;
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// one that somebody waits for, at most after two minutes.
const LONGEST_AWAITED: Duration = Duration::from_secs(2 * 60);
/// What waits for leave is looked at again after so many minutes, however much is before it.
const FURTHEST: i64 = 5;

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
    /// Reads the next chat of a connection that may have posts we were not told of. Whether there was one, and leave to read it.
    pub(super) async fn read_next(&self, connection: ConnectionId, stop: &CancellationToken) -> Result<bool> {
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
            read = self.client.posts_since(&found, &chat.chat_id, &since, call, CALL) => read,
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
            // The reading goes on then.
            Outcome::Parked { until: free, .. } => {
                self.read_again(connection, &chat.chat_id, until, Some((free, chat.catch_up_attempts))).await?;
            }
            failed => {
                let is_refused = matches!(failed, Outcome::Refused(_));
                let longest = if chat.is_awaited && !is_refused { LONGEST_AWAITED } else { LONGEST };
                let again = self.now.at().plus(backoff(chat.catch_up_attempts + 6, longest, &self.now.rng));
                let why = without_numbers(&failed.words());
                tracing::info!(%connection, chat = chat.chat_id, why, "a chat could not be read; it is tried again");
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
