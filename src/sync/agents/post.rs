//! One post: one of ours that came back, or what an agent wrote, which is sent to the contact or answered with why it is not.

use super::Agents;
use crate::db::{Result, Sql, Tx};
use crate::messaging::outbound::{self, AgentReply};
use crate::ringcentral::events::PostBody;
use crate::sync::{compose, notice};
use crate::types::{AccountId, AgentOutcome, Change, ConnectionId, ConversationId, LineId, MessageId, Timestamp};
use crate::work::faults::Guard;
use std::time::Duration;

/// A chat with events is read within this time: one of them may have been lost without a trace.
const CHECK: Duration = Duration::from_secs(60 * 60);

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

impl Agents {
    /// One post, as an event or a list shows it; answers with its chat if that is not known.
    pub(super) async fn apply(&self, tx: &mut Tx, connection: ConnectionId, post: &PostBody) -> Result<Option<String>> {
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
        let reference = post.text.as_deref().and_then(compose::reference_in).filter(|_| guarded).map(str::to_owned);
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
}

/// What the contact gets of a post: names in place of mentions, and the names of files, which the carrier cannot take.
pub(in crate::sync) fn plain(post: &PostBody) -> String {
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
